"""Resizing images along their axes of space, one axis after the other.

Where element i of m stands among n elements is ONNX's coordinate_transformation_mode:

    half_pixel     (i + 0.5)*n/m - 0.5: elements are areas         (TensorFlow 2, JAX, torch)
    align_corners  i*(n - 1)/(m - 1): the outer elements stay       (torch with align_corners=True)
    asymmetric     i*n/m: the first element stays                   (torch's "nearest")
"""

from __future__ import annotations

from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..numpy import ufuncs as u
from ..numpy.dispatch import value
from ..numpy.shaping import expand, part, pick
from ..ops import build
from ..ops.build import cast
from ..ops.reduction import wide
from ..types import F64, I64, Extent
from .layouts import image_axes, per_axis, settled

COORDINATES = ("half_pixel", "align_corners", "asymmetric")


def resize(
    x: Any, size: Any, method: str = "nearest", *, coordinates: str = "half_pixel",
    layout: str | None = None,
) -> Value:  # fmt: skip
    """The images with other extents of space: `size` is one number, or one for each axis.

    `method` "nearest" takes the nearest element, "bilinear" interpolates linearly along every axis
    (any number of them), with the outer elements repeated outside; nothing is smoothed where images
    shrink. `coordinates`: see the text of the module (half_pixel, align_corners, asymmetric).
    Integers become float64 for "bilinear".

    Shapes: x [n, h, w, c], size (p, q) -> [n, p, q, c], in the default layout
    Source: ONNX Resize; torch.nn.functional.interpolate; tf.image.resize
    """
    if method not in ("nearest", "bilinear"):
        raise ShapeMismatch(f"method {method!r} is neither 'nearest' nor 'bilinear'")
    if coordinates not in COORDINATES:
        raise ShapeMismatch(f"coordinates {coordinates!r} is none of {', '.join(COORDINATES)}")
    images = value(x)
    axes = image_axes(len(images.shape), layout)
    sizes = [ty.extent(m) for m in per_axis(size, len(axes) - 2, "size")]
    if method == "nearest":
        for axis, m in zip(axes[2:], sizes, strict=True):
            images = _nearest(images, axis, m, coordinates)
        return images
    own = F64 if images.dtype.kind in "biu" else images.dtype
    images = cast(images, wide(own))
    for axis, m in zip(axes[2:], sizes, strict=True):
        images = _linear(images, axis, m, coordinates)
    return cast(images, own)


def _check(x: Value, axis: int, m: Extent) -> bool:
    """Whether there is anything to do.

    Raises:
        ShapeMismatch: where something shall come out of nothing.
    """
    if x.shape[axis] == 0 and m != 0:
        raise ShapeMismatch(f"axis {axis} has no elements; it cannot be resized to {m}")
    return x.shape[axis] != m


def _nearest(x: Value, axis: int, m: Extent, coordinates: str) -> Value:
    n = x.shape[axis]
    if not _check(x, axis, m):
        return x
    if coordinates != "align_corners" and m != 0:
        times = m // n
        if isinstance(times, int) and times * n == m:  # every element, `times` times
            wider = expand(x, (axis + 1,))
            shape = (*x.shape[: axis + 1], times, *x.shape[axis + 1 :])
            shown = build.broadcast_to(wider, shape)
            return build.reshape(shown, (*x.shape[:axis], m, *x.shape[axis + 1 :]))
        step = n // m
        if isinstance(step, int) and step * m == n:
            first = step // 2 if coordinates == "half_pixel" else 0
            return part(x, axis, first, first + (m - 1) * step + 1, step)
    return pick(x, settled(_nearest_places(n, m, coordinates)), axis)


def _nearest_places(n: Extent, m: Extent, coordinates: str) -> Value:
    """In whole numbers, so that no rounding decides."""
    i = build.iota((m,), 0)
    if coordinates == "asymmetric":
        return u.floor_divide(u.multiply(i, build.extent(n)), build.extent(m))
    if coordinates == "half_pixel":
        odd = u.add(u.multiply(i, 2), 1)
        return u.floor_divide(u.multiply(odd, build.extent(n)), build.extent(2 * m))
    # of two that are as near, the higher one; a single element is the first
    gaps = u.maximum(build.extent(m - 1), 1)
    twice = u.multiply(i, build.extent(2 * (n - 1)))
    return u.floor_divide(u.add(twice, gaps), u.multiply(gaps, 2))


def _linear(x: Value, axis: int, m: Extent, coordinates: str) -> Value:
    n = x.shape[axis]
    if not _check(x, axis, m) or m == 0:
        return x if m != 0 else part(x, axis, 0, 0)
    i, last = build.iota((m,), 0, F64), build.extent(n - 1, F64)
    if coordinates == "align_corners":
        place = u.divide(u.multiply(i, last), u.maximum(build.extent(m - 1, F64), 1.0))
    else:
        shift = 0.5 if coordinates == "half_pixel" else 0.0
        scale = u.divide(build.extent(n, F64), build.extent(m, F64))
        place = u.subtract(u.multiply(u.add(i, shift), scale), shift)
    place = u.minimum(u.maximum(place, 0.0), last)
    before = u.floor(place)
    after = u.minimum(u.add(before, 1.0), last)
    dtype = x.dtype.real if x.dtype.is_complex else x.dtype
    weight = settled(cast(u.subtract(place, before), dtype))
    shape: list[Extent] = [1] * len(x.shape)
    shape[axis] = m
    low, high = (pick(x, settled(cast(p, I64)), axis) for p in (before, after))
    step = u.multiply(u.subtract(high, low), build.reshape(weight, shape))
    return u.add(low, step)
