"""Convolutions and window reductions by their definitions, one place at a time, in NumPy.

Independent of graphc: nothing is padded, spread or slid over; each element of each window is looked
up where the definition says. And random, well-typed uses of both cards.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc import types as ty
from graphc.types import TensorType

from .standin import draw

Attrs = Mapping[str, Any]


def _inside(
    window: Sequence[int], element: Sequence[int], extents: Sequence[int],
    stride: Sequence[int], low: Sequence[int], dilation: Sequence[int], spread: Sequence[int],
) -> tuple[int, ...] | None:  # fmt: skip
    """The element of the operand under an element of a window; None where there is none."""
    found = []
    rows = zip(window, element, extents, stride, low, dilation, spread, strict=True)
    for i, k, n, s, before, d, gap in rows:
        at = i * s + k * d - before
        if at % gap or not 0 <= at // gap < n:
            return None
        found.append(at // gap)
    return tuple(found)


def counts(
    extents: Sequence[int], sizes: Sequence[int], attrs: Attrs, dilation: str, spread: Any
) -> tuple[int, ...]:
    """How many windows there are along each axis."""
    rows = zip(
        extents, sizes, attrs["stride"], attrs["low"], attrs["high"], attrs[dilation], spread,
        strict=True,
    )  # fmt: skip
    found = []
    for n, k, s, before, after, d, gap in rows:
        last = (n - 1) * gap + before + after  # the last place
        found.append((last - (k - 1) * d) // s + 1)
    return tuple(found)


def convolution(x: np.ndarray, w: np.ndarray, attrs: Attrs, wide: Any) -> np.ndarray:
    """The result of `conv` in the dtype `wide`."""
    x, w = (a.astype(wide).transpose(attrs[k]) for a, k in ((x, "lhs"), (w, "rhs")))
    groups, batch_groups = attrs["groups"], attrs["batch_groups"]
    rows, summed = x.shape[0] // batch_groups, w.shape[1]
    share = w.shape[0] // (groups * batch_groups)
    windows = counts(x.shape[2:], w.shape[2:], attrs, "rhs_dilation", attrs["lhs_dilation"])
    result = np.zeros((rows, w.shape[0], *windows), wide)
    geometry = [attrs[k] for k in ("stride", "low", "rhs_dilation", "lhs_dilation")]
    for window in np.ndindex(*windows):
        for element in np.ndindex(*w.shape[2:]):
            place = _inside(window, element, x.shape[2:], *geometry)
            if place is None:
                continue
            for o in range(w.shape[0]):
                group = o // share
                row = group * rows if batch_groups > 1 else 0
                channel = group * summed if groups > 1 else 0
                a = x[(slice(row, row + rows), slice(channel, channel + summed), *place)]
                products = a * w[(o, slice(None), *element)]
                result[(slice(None), o, *window)] += products.sum(1, dtype=wide)
    return result.transpose(np.argsort(attrs["out"]))


def window_reduction(x: np.ndarray, attrs: Attrs, wide: Any, empty: Any) -> np.ndarray:
    """The result of `reduce_window` in the dtype `wide`; `empty` is that of no element."""
    step = {
        "sum": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply,
        "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    }[attrs["kind"]]  # fmt: skip
    ones = (1,) * x.ndim
    result = np.full(counts(x.shape, attrs["window"], attrs, "dilation", ones), empty, wide)
    geometry = (attrs["stride"], attrs["low"], attrs["dilation"], ones)
    for window in np.ndindex(*result.shape):
        for element in np.ndindex(*attrs["window"]):
            place = _inside(window, element, x.shape, *geometry)
            if place is not None:
                result[window] = step(result[window], x[place].astype(wide))
    return result


# ------------------------------------------------------------------------------------ random uses


DTYPES = (
    ("f32", "f32", None), ("f64", "f64", None), ("f16", "f16", None), ("bf16", "bf16", None),
    ("f16", "f16", "f32"), ("bf16", "bf16", "f32"), ("i8", "i8", "i32"), ("u8", "i8", "i32"),
    ("i32", "i32", None), ("c64", "c64", None), ("c128", "c128", None), ("f32", "f32", "f64"),
)  # fmt: skip


def _extents(pick: random.Random, count: int) -> Iterator[dict[str, int]]:
    for _ in range(count):
        yield {
            "n": pick.choice((1, 2, 3, 4, 5, 7) if count < 3 else (1, 2, 4)),
            "k": pick.choice((1, 1, 2, 3) if count < 3 else (1, 2)),
            "stride": pick.choice((1, 1, 2, 3)),
            "low": pick.choice((0, 0, 1, 2, -1)),
            "high": pick.choice((0, 0, 1, 3, -1)),
            "rhs_dilation": pick.choice((1, 1, 2)),
            "lhs_dilation": pick.choice((1, 1, 1, 2, 3)),
        }


def random_convolution(seed: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Operands and attributes of a conv; every seed is another use."""
    pick = random.Random(seed)
    while True:
        spatial = pick.choice((1, 2, 2, 2, 3))
        axes = list(_extents(pick, spatial))
        attrs: dict[str, Any] = {
            key: tuple(a[key] for a in axes)
            for key in ("stride", "low", "high", "lhs_dilation", "rhs_dilation")
        }
        sizes = counts(
            [a["n"] for a in axes], [a["k"] for a in axes], attrs, "rhs_dilation",
            attrs["lhs_dilation"],
        )  # fmt: skip
        if min(sizes) >= 0:
            break
    kind = pick.choice(("plain", "plain", "groups", "depthwise", "batch groups"))
    groups, batch_groups, summed, share = 1, 1, pick.choice((0, 1, 2, 3, 5)), pick.choice((1, 2, 4))
    if kind == "groups":
        groups = pick.choice((2, 3))
    elif kind == "depthwise":
        groups, summed = pick.choice((1, 3, 4)), 1
    elif kind == "batch groups":
        batch_groups = 2
    rows = pick.choice((0, 1, 2, 3))
    roles = [rows * batch_groups, summed * groups, *(a["n"] for a in axes)]
    kernel = [share * groups * batch_groups, summed, *(a["k"] for a in axes)]
    for name in ("lhs", "rhs", "out"):
        order = list(range(spatial + 2))
        pick.shuffle(order)
        attrs[name] = tuple(order)
    a, b, wider = DTYPES[seed % len(DTYPES)]
    attrs |= {"groups": groups, "batch_groups": batch_groups}
    if wider is not None:
        attrs["dtype"] = ty.DTYPES[wider]
    rng = np.random.default_rng(seed)
    high = 100.0 if a in ("i8", "u8") else 3.0
    arrays = []
    for dtype, extents, name in ((a, roles, "lhs"), (b, kernel, "rhs")):
        shape = [0] * len(extents)
        for axis, n in zip(attrs[name], extents, strict=True):
            shape[axis] = n
        arrays.append(draw(rng, TensorType(ty.DTYPES[dtype], tuple(shape)), -high, high))
    return arrays, attrs


def random_window_reduction(seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """An operand and attributes of a reduce_window."""
    pick = random.Random(seed)
    kind, dtype = pick.choice(
        [*itertools.product(("sum", "max", "min", "prod"), ("f32", "f64", "i32", "u8", "f16")),
         ("sum", "c64"), ("prod", "c128"), ("max", "bool"), ("min", "bool"), ("and", "bool"),
         ("xor", "i32"), ("max", "bf16"), ("sum", "bf16")]
    )  # fmt: skip
    while True:
        rank = pick.choice((1, 2, 3))
        axes = list(_extents(pick, rank))
        attrs: dict[str, Any] = {
            key: tuple(a[key] for a in axes) for key in ("stride", "low", "high")
        }
        attrs |= {
            "dilation": tuple(a["rhs_dilation"] for a in axes),
            "window": tuple(a["k"] for a in axes), "kind": kind,
        }  # fmt: skip
        shape = tuple(a["n"] for a in axes)
        if min(counts(shape, attrs["window"], attrs, "dilation", (1,) * rank)) >= 0:
            break
    x = draw(np.random.default_rng(seed), TensorType(ty.DTYPES[dtype], shape))
    return x, attrs
