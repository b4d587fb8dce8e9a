"""What the course's programs share: their options, the data sets, the device, curves and pictures.

The data sets are described in the README of the folder that GRAPHC_DATA names (default:
../shared/data beside the repository).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import graphc

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Path(__file__).parent / "pictures"


# ---------------------------------------------------------------------------------------- options
def options(text: str | None) -> argparse.ArgumentParser:
    """A parser that shows the text of the program as its help."""
    return argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )


def picture_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures", type=Path, default=PICTURES, help="the folder for the pictures"
    )


def device_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=("cuda",), help="train on the CUDA device instead of the processor"
    )


# ----------------------------------------------------------------------------------------- device
def put(array: np.ndarray, device: str | None) -> Any:
    """The array where the programs run: a data set goes to the device once, not with every step."""
    return array if device is None else graphc.device_put(array)


def fetched(array: Any) -> np.ndarray:
    """A result of a program as a NumPy array."""
    return array.numpy() if isinstance(array, graphc.DeviceArray) else np.asarray(array)


# ------------------------------------------------------------------------------------------- data


def place() -> Path:
    """The folder of the data, whether it is there or not."""
    return Path(os.environ.get("GRAPHC_DATA") or ROOT.parent / "shared" / "data")


def file(name: str) -> Path:
    """A file of the data folder; ends the program, saying what is missing, where it is not."""
    if not place().is_dir():
        sys.exit(f"no data at {place()}: set GRAPHC_DATA to the folder that holds mnist, imdb, ...")
    path = place() / name
    if not path.is_file():
        sys.exit(f"{path} is missing: examples/course/README.md says where the data comes from")
    return path


def archive(name: str) -> dict[str, np.ndarray]:
    """The arrays of one .npz of the data folder."""
    with np.load(file(name), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(x_train (60000, 28, 28), y_train, x_test (10000, 28, 28), y_test); x in f32 from 0 to 1."""
    found = archive("mnist/mnist.npz")
    x_train, x_test = (found[k].astype(np.float32) / np.float32(255) for k in ("x_train", "x_test"))
    return x_train, found["y_train"].astype(np.int32), x_test, found["y_test"].astype(np.int32)


def imdb(words: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(x_train (25000, length), y_train, x_test, y_test) as Keras gives it: 0 pads in front, 1
    starts, 2 is a word left out, and of long reviews the end is kept.
    """
    found = archive("imdb/imdb.npz")

    def rows(part: str) -> np.ndarray:
        tokens, offsets = found[f"{part}_tokens"].astype(np.int64), found[f"{part}_offsets"]
        tokens = np.where(tokens + 3 < words, tokens + 3, 2).astype(np.int32)
        out = np.zeros((len(offsets) - 1, length), np.int32)
        for row, start, end in zip(out, offsets[:-1], offsets[1:], strict=True):
            review = np.concatenate([[1], tokens[start:end]])[-length:]
            row[length - len(review) :] = review
        return out

    x_train, x_test = rows("train"), rows("test")
    return x_train, found["y_train"].astype(np.float32), x_test, found["y_test"].astype(np.float32)


def imdb_words() -> list[str]:
    """The words by rank; rank 1 is the most frequent, and 0 is no word."""
    index = json.loads(file("imdb/imdb_word_index.json").read_text(encoding="utf-8"))
    words = [""] * (len(index) + 1)
    for word, rank in index.items():
        words[rank] = word
    return words


def sentences() -> tuple[list[list[str]], np.ndarray]:
    """3000 sentences of reviews, in words, and whether they are positive."""
    texts, labels = [], []
    for name in ("amazon_cells", "imdb", "yelp"):
        path = file(f"sentiment/{name}_labelled.txt")
        for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
            text, label = line.rsplit("\t", 1)
            texts.append(re.findall(r"[a-z0-9']+", text.lower()))
            labels.append(int(label))
    return texts, np.array(labels, np.float32)


def boston() -> tuple[np.ndarray, np.ndarray]:
    """(506, 13) features, and the median price in thousands of dollars."""
    with file("boston/BostonHousing.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    table = np.array(rows, np.float32)
    return table[:, :13], table[:, 13]


def birth_life() -> tuple[np.ndarray, np.ndarray]:
    """Births for each woman and life expectancy in years, of 190 countries."""
    lines = file("birth_life/birth_life_2010.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    table = np.array([row[1:3] for row in rows], np.float32)
    return table[:, 0].copy(), table[:, 1].copy()


def colors() -> tuple[np.ndarray, list[str]]:
    """(16, 3) colours from 0 to 1, and their names."""
    with file("colors/colors.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    table = np.array([row[:3] for row in rows], np.float32)
    return table / np.float32(max(1.0, float(table.max()))), [row[3] for row in rows]


def batches(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """(count // size, size) indices in a new order; what is left over waits for another epoch."""
    return rng.permutation(count)[: count // size * size].reshape(-1, size)


# --------------------------------------------------------------------------------------- pictures
def save_image(path: Path, pixels: Any) -> None:
    """A PNG of pixels from 0 to 1, (height, width) or (height, width, 3); needs no library."""
    pixels = np.clip(np.asarray(pixels), 0, 1)
    rows = np.rint(pixels * 255).astype(np.uint8)
    height, width = rows.shape[:2]
    raw = b"".join(b"\0" + row.tobytes() for row in rows)  # 0: the row is not filtered
    kind = 2 if rows.ndim == 3 else 0  # RGB or grey
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw, 9)),
        (b"IEND", b""),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        for name, data in chunks:
            sum_of_bytes = struct.pack(">I", zlib.crc32(name + data))
            out.write(struct.pack(">I", len(data)) + name + data + sum_of_bytes)
    print("picture:", path)


def grid(rows: Any, scale: int = 2) -> np.ndarray:
    """Rows of grey images (row, image, height, width) as one image with lines between them."""
    rows = np.asarray(rows, np.float32)
    rows = np.pad(rows, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.5)
    down, across, height, width = rows.shape
    joined = rows.transpose(0, 2, 1, 3).reshape(down * height, across * width)
    return enlarged(joined, scale)


def enlarged(image: Any, scale: int) -> np.ndarray:
    """Every pixel as a square of scale x scale."""
    return np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)


def plot() -> Any:
    """Matplotlib's pyplot, which needs no screen; None, after saying so, where it is missing."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plot: it needs Matplotlib (pip install matplotlib)")
        return None
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save_plot(path: Path) -> None:
    """The current figure as a PNG."""
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    plt.savefig(path, bbox_inches="tight")
    plt.close()
    print("plot:", path)


def save_curves(path: Path, curves: dict[str, Any], x: str, y: str) -> None:
    """Curves over 1, 2, ... with a label each; nothing where Matplotlib is missing."""
    plt = plot()
    if plt is None:
        return
    _, axes = plt.subplots(figsize=(5, 3), dpi=90)
    for label, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, label=label)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend()
    save_plot(path)
