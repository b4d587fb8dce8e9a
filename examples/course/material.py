"""What the course's programs share: where the data is, the data sets, curves and pictures.

The data sets are described in the README of the folder that GRAPHC_DATA names (default:
../shared/data beside the repository).
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Path(__file__).parent / "pictures"


def folder() -> Path:
    """The folder of the data; ends the program, saying what is missing, where there is none."""
    found = Path(os.environ.get("GRAPHC_DATA") or ROOT.parent / "shared" / "data")
    if not found.is_dir():
        sys.exit(f"no data at {found}: set GRAPHC_DATA to the folder that holds mnist, imdb, ...")
    return found


def archive(name: str) -> dict[str, np.ndarray]:
    """The arrays of one .npz of the data folder."""
    path = folder() / name
    if not path.is_file():
        sys.exit(f"{path} is missing: see the README of the data folder")
    with np.load(path, allow_pickle=False) as arrays:
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
    index = json.loads((folder() / "imdb/imdb_word_index.json").read_text(encoding="utf-8"))
    words = [""] * (len(index) + 1)
    for word, rank in index.items():
        words[rank] = word
    return words


def sentences() -> tuple[list[list[str]], np.ndarray]:
    """3000 sentences of reviews, in words, and whether they are positive."""
    texts, labels = [], []
    for name in ("amazon_cells", "imdb", "yelp"):
        path = folder() / f"sentiment/{name}_labelled.txt"
        for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
            text, label = line.rsplit("\t", 1)
            texts.append(re.findall(r"[a-z0-9']+", text.lower()))
            labels.append(int(label))
    return texts, np.array(labels, np.float32)


def boston() -> tuple[np.ndarray, np.ndarray]:
    """(506, 13) features, and the median price in thousands of dollars."""
    with (folder() / "boston/BostonHousing.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    table = np.array(rows, np.float32)
    return table[:, :13], table[:, 13]


def birth_life() -> tuple[np.ndarray, np.ndarray]:
    """Births for each woman and life expectancy in years, of 190 countries."""
    lines = (folder() / "birth_life/birth_life_2010.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    table = np.array([row[1:3] for row in rows], np.float32)
    return table[:, 0].copy(), table[:, 1].copy()


def colors() -> tuple[np.ndarray, list[str]]:
    """(16, 3) colours from 0 to 1, and their names."""
    with (folder() / "colors/colors.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))[1:]
    table = np.array([row[:3] for row in rows], np.float32)
    return table / np.float32(max(1.0, float(table.max()))), [row[3] for row in rows]


def picture(name: str) -> Path:
    """Where a picture goes."""
    PICTURES.mkdir(exist_ok=True)
    return PICTURES / name


def plot() -> Any:
    """Matplotlib's pyplot, which needs no screen; ends the program where it is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        sys.exit("pictures need Matplotlib: pip install matplotlib")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def batches(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """(count // size, size) indices in a new order; what is left over waits for another epoch."""
    return rng.permutation(count)[: count // size * size].reshape(-1, size)
