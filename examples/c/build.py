"""Builds the library of the C program, and puts the images where it finds them.

python -m examples.c.build build      then: make -C examples/c, and build/train build/data
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import graphc
from examples.course import material

from . import model


def build(folder: Path, **options: Any) -> Any:
    """The library `mlp` in a folder."""
    batch: dict[str, Any] = {"images": "u8[b, 784]", "labels": "u8[b]"}
    return graphc.build(
        folder / "mlp",
        graphc.export(model.init, state=model.STATE, donate="state"),
        graphc.export(model.order, state=model.STATE, donate="state"),
        graphc.export(model.step, state=model.STATE, donate="state", **batch),
        graphc.export(model.test, state=model.STATE, **batch),
        **options,
    )


def write_data(folder: Path) -> None:
    """The images and labels as bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels, test_images, test_labels = material.mnist()
    rows = {
        "train_images": np.rint(images[: model.IMAGES] * 255),
        "train_labels": labels[: model.IMAGES],
        "test_images": np.rint(test_images * 255),
        "test_labels": test_labels,
    }
    for name, row in rows.items():
        row.astype(np.uint8).tofile(folder / f"{name}.u8")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    made = build(place)
    write_data(place / "data")
    print(f"{made.folder} in {made.seconds:.1f} s, and {place / 'data'}")
