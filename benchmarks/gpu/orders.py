"""What is timed of cumulative ops and sorts, besides the rows in cases.py: one long row, columns,
and where elements come from."""

from __future__ import annotations

from typing import Any

from .cases import Case, moved

EVERY = ("graphc", "torch", "torch-compile", "jax", "cupy")


def cumulative(xp: Any, x: Any) -> Any:
    return xp.cumsum(x, axis=0)


def argsort(xp: Any, x: Any) -> Any:
    return xp.argsort(x, axis=-1)


def orders() -> list[Case]:
    rows, long = ((65536, 1024), "f32"), ((1 << 26,), "f32")
    short, row = ((16384, 1024), "f32"), ((1 << 22,), "f32")
    places, place = ((16384, 1024), "f64"), ((1 << 22,), "f64")  # positions have eight bytes
    return [
        Case("cumsum of one row f32 2^26", (long,), cumulative, lambda t, x: x.cumsum(0),
             moved(long, long)),
        Case("cumsum of columns f32", (rows,), cumulative, lambda t, x: x.cumsum(0),
             moved(rows, rows)),
        Case("sort of one row f32 2^22", (row,), lambda xp, x: xp.sort(x, axis=-1),
             lambda t, x: x.sort(-1).values, moved(row, row), columns=EVERY),
        Case("sort of rows f32, any length", (short,), lambda xp, x: xp.sort(x, axis=-1),
             lambda t, x: x.sort(-1).values, moved(short, short), columns=EVERY[:2],
             dims={"x": ("rows", "length")}),
        Case("sort of one row f32 2^22, any length", (row,), lambda xp, x: xp.sort(x, axis=-1),
             lambda t, x: x.sort(-1).values, moved(row, row), columns=EVERY[:2],
             dims={"x": ("length",)}),
        Case("argsort of rows f32", (short,), argsort, lambda t, x: x.argsort(-1),
             moved(short, places), columns=EVERY),
        Case("argsort of one row f32 2^22", (row,), argsort, lambda t, x: x.argsort(-1),
             moved(row, place), columns=EVERY),
    ]  # fmt: skip
