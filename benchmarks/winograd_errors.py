"""The errors of 3x3 convolutions against float64: direct sums and products of tiles.

    python -m benchmarks.winograd_errors

Images and filters are normal random numbers, images with a rectifier before them as well. Figures
are the greatest error and the root of the mean square error, relative to the greatest magnitude in
the result: the table of docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

import graphc
from graphc import nn
from graphc.passes import winograd

CHANNELS = (64, 256, 512)
EDGE, FEATURES = 24, 64
USUAL = (Fraction(0), Fraction(1), Fraction(-1), Fraction(2), Fraction(-2))
WAYS: tuple[tuple[str, int, Any], ...] = (
    ("direct", 0, None),
    ("F(2x2)", 2, None),
    ("F(4x4)", 4, None),
    ("F(4x4) at 1 and 2", 4, USUAL),
)


@contextmanager
def tiles(m: int, points: tuple[Fraction, ...] | None = None) -> Iterator[None]:
    """Inside, tiles of m by m are taken wherever they are possible (0: nowhere)."""
    before = winograd.edge, dict(winograd.POINTS)
    winograd.edge = lambda *sizes, constant: m  # type: ignore[assignment]
    if points is not None:
        winograd.POINTS[m] = points
    winograd.transforms.cache_clear()
    try:
        yield
    finally:
        winograd.edge = before[0]
        winograd.POINTS.update(before[1])
        winograd.transforms.cache_clear()


def error(channels: int, m: int, points: Any, rectified: bool, dtype: Any) -> tuple[float, float]:
    """(greatest, root mean square) error relative to the greatest magnitude."""
    rng = np.random.default_rng(channels)
    x = rng.standard_normal((1, EDGE, EDGE, channels)).astype(dtype)
    w = rng.standard_normal((3, 3, channels, FEATURES)).astype(dtype)
    x = np.maximum(x, 0) if rectified else x
    exact = np.longdouble if dtype == np.float64 else np.float64
    wide = np.pad(x.astype(exact), ((0, 0), (1, 1), (1, 1), (0, 0)))
    wanted: Any = 0
    for i in range(3):
        for j in range(3):
            wanted = wanted + wide[:, i : i + EDGE, j : j + EDGE] @ w[i, j].astype(exact)
    with tiles(m, points):
        got = graphc.jit(lambda x, w: nn.conv(x, w, padding="same"))(x, w)
    off = np.abs(got - wanted) / np.abs(wanted).max()
    return float(off.max()), float(np.sqrt((off**2).mean()))


def main() -> None:
    """Prints the table."""
    head = " | ".join(f"{c} channels" for c in CHANNELS)
    print(f"| | {head} |\n|---|{'---|' * len(CHANNELS)}")
    for dtype in (np.float32, np.float64):
        for rectified in (False, True):
            for name, m, points in WAYS:
                cells = []
                for channels in CHANNELS:
                    most, mean = error(channels, m, points, rectified, dtype)
                    cells.append(f"{most:.1e} ({mean:.1e})")
                kind = f"{np.dtype(dtype).name}{', images >= 0' if rectified else ''}"
                print(f"| {kind}, {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
