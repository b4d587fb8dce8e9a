"""Pooling: the card `reduce_window` over the axes of space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..numpy import ufuncs as u
from ..numpy.dispatch import value
from ..ops import build
from ..ops.reduction import wide
from ..ops.window import REDUCE_WINDOW, Window
from ..types import F64, Dim, Extent
from .layouts import Axes, image_axes, padded, per_axis, require, settled


def _windows(
    x: Value, axes: Axes, window: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Window, ...]:
    """Along each axis of space."""
    count = len(axes) - 2
    sizes = per_axis(window, count, "window")
    steps = sizes if stride is None else per_axis(stride, count, "stride")
    rows = zip(axes[2:], sizes, steps, per_axis(dilation, count, "dilation"), strict=True)
    windows = padded([Window(x.shape[a], k, s, dilation=d) for a, k, s, d in rows], padding)
    require(windows)
    return windows


def _reduced(kind: str, x: Value, axes: Sequence[int], windows: Sequence[Window]) -> Value:
    rank = len(x.shape)
    attrs: dict[str, list[Extent]] = {
        "window": [1] * rank, "stride": [1] * rank, "dilation": [1] * rank, "low": [0] * rank,
        "high": [0] * rank,
    }  # fmt: skip
    for axis, one in zip(axes, windows, strict=True):
        attrs["window"][axis], attrs["stride"][axis] = one.size, one.stride
        attrs["dilation"][axis], attrs["low"][axis] = one.dilation, one.low
        attrs["high"][axis] = one.high
    return REDUCE_WINDOW(x, kind=kind, **{k: tuple(v) for k, v in attrs.items()})


def max_pool(
    x: Any, window: Any, stride: Any = None, padding: Any = "valid", *, dilation: Any = 1,
    layout: str | None = None,
) -> Value:  # fmt: skip
    """The greatest element of every window; `stride` is the window where it is not given.

    `padding` as in `conv`; what is padded is below everything. A NaN stays a NaN.

    Shapes: x [n, h, w, c] -> [n, p, q, c], in the default layout
    Source: torch.nn.functional.max_pool2d; tf.nn.max_pool2d; flax.linen.max_pool
    """
    images = value(x)
    axes = image_axes(len(images.shape), layout)
    windows = _windows(images, axes, window, stride, padding, dilation)
    return _reduced("max", images, axes[2:], windows)


def avg_pool(
    x: Any, window: Any, stride: Any = None, padding: Any = "valid", *, dilation: Any = 1,
    layout: str | None = None, count: str = "inside",
) -> Value:  # fmt: skip
    """The mean over every window; `stride` is the window where it is not given.

    `padding` as in `conv`. The sum is divided by how many elements of x the window has ("inside",
    as in tf.nn.avg_pool2d), or by how many places ("window", as torch and flax have it by default).

    Shapes: x [n, h, w, c] -> [n, p, q, c], in the default layout
    Source: tf.nn.avg_pool2d; torch.nn.functional.avg_pool2d; flax.linen.avg_pool
    """
    if count not in ("inside", "window"):
        raise ShapeMismatch(f"count {count!r} is neither 'inside' nor 'window'")
    images = value(x)
    own = F64 if images.dtype.kind in "biu" else images.dtype
    axes = image_axes(len(images.shape), layout)
    windows = _windows(images, axes, window, stride, padding, dilation)
    # f16 and bf16 are divided before they are rounded, as in numpy.mean
    total = _reduced("sum", build.cast(images, wide(own)), axes[2:], windows)
    if count == "inside" and any(_reaches_out(one) for one in windows):
        return build.cast(u.divide(total, _inside(windows, axes[2:], total)), own)
    places = ty.product(one.size for one in windows)
    return build.cast(u.divide(total, build.extent(places, total.dtype)), own)


def _reaches_out(one: Window) -> bool:
    return any(isinstance(edge, Dim) or edge > 0 for edge in (one.low, one.high))


def _inside(windows: Sequence[Window], axes: Sequence[int], total: Value) -> Value:
    """How many elements every window has, in an array that broadcasts to `total`."""
    dtype = total.dtype.real
    rank, found = len(total.shape), None
    for axis, one in zip(axes, windows, strict=True):
        counted = settled(_reduced("sum", build.full((one.extent,), 1, dtype), (0,), (one,)))
        shape: list[Extent] = [1] * rank
        shape[axis] = one.count
        line = build.reshape(counted, shape)
        found = line if found is None else u.multiply(found, line)
    return build.full((), 1, dtype) if found is None else found
