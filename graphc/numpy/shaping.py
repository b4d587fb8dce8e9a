"""Functions that give arrays other shapes and axes, and the parts of arrays that rooms use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..ops import build
from ..ops.indexing import GATHER
from ..ops.movement import RESHAPE, SLICE, TRANSPOSE
from ..types import Extent
from .dispatch import axes_of, axis_of, extents, implements, static, value

# ------------------------------------------------------------------------------ parts of an array


def part(x: Value, axis: int, start: Extent, stop: Extent, step: int = 1) -> Value:
    """x[start:stop:step] along one axis; start and stop lie within it; a negative step walks down
    to above stop.
    """
    axis = axis % len(x.shape)
    if start == 0 and step == 1 and stop == x.shape[axis]:
        return x
    length = stop - start
    count = length if step == 1 else (length + (step - 1 if step > 0 else step + 1)) // step
    starts: list[Extent] = [0] * len(x.shape)
    shape, steps = list(x.shape), [1] * len(x.shape)
    starts[axis], shape[axis], steps[axis] = start, count, step
    return SLICE(x, start=tuple(starts), shape=tuple(shape), step=tuple(steps))


def at(x: Value, axis: int, position: Extent) -> Value:
    """x with one position of an axis, which vanishes."""
    axis = axis % len(x.shape)
    one = part(x, axis, position, position + 1)
    return RESHAPE(one, shape=(*x.shape[:axis], *x.shape[axis + 1 :]))


def pick(x: Value, index: Any, axis: int) -> Value:
    """x at integer positions along an axis (known to be inside): the axis becomes the index's
    axes.
    """
    places = value(index)
    found = GATHER(x, places, axes=(axis,), mode="promise")
    rank = len(places.shape)
    order = (*range(rank, rank + axis), *range(rank), *range(rank + axis, len(found.shape)))
    return transpose(found, order)


def expand(x: Value, axes: Sequence[int]) -> Value:
    """x with axes of extent 1 at these places of the result."""
    shape = list(x.shape)
    for axis in sorted(axes):
        shape.insert(axis, 1)
    return RESHAPE(x, shape=tuple(shape)) if axes else x


# ---------------------------------------------------------------------------------------- reshape


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Value:
    """One extent may be -1; order is "C" or "F"."""
    x = value(a)
    target = _with_free_extent(x, shape)
    if order in ("F", "f"):
        return transpose(reshape(transpose(x), target[::-1]))
    return x if x.shape == target else RESHAPE(x, shape=target)


def _with_free_extent(x: Value, shape: Any) -> tuple[Extent, ...]:
    static(shape, "a shape")
    if isinstance(shape, np.ndarray):
        shape = shape.tolist()
    wanted = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    free = [k for k, n in enumerate(wanted) if not isinstance(n, ty.Dim) and n == -1]
    if not free:
        return extents(wanted)
    if len(free) > 1:
        raise ShapeMismatch("can only specify one unknown dimension")
    rest = ty.product(extents(wanted[: free[0]] + wanted[free[0] + 1 :]))
    if not isinstance(rest, ty.Dim) and rest == 0:
        raise ShapeMismatch(f"cannot reshape {x.type} into shape {wanted}")
    missing = x.type.size // rest
    if missing * rest != x.type.size:
        raise ShapeMismatch(
            f"cannot reshape {x.type} of {x.type.size} elements into shape {wanted}"
        )
    return extents((*wanted[: free[0]], missing, *wanted[free[0] + 1 :]))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Value:
    x = value(a)
    return reshape(x, (x.type.size,), order)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Value:
    x = value(a)
    rank = len(x.shape)
    order = tuple(range(rank))[::-1] if axes is None else axes_of(tuple(axes), rank)
    if len(order) != rank:
        raise ShapeMismatch(f"axes {axes} do not match {x.type}")
    return x if order == tuple(range(rank)) else TRANSPOSE(x, axes=order)


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Value:
    z = value(x)
    if len(z.shape) < 2:
        raise ShapeMismatch(f"matrix_transpose takes at least two axes, got {z.type}")
    return swapaxes(z, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Value:
    x = value(a)
    order = list(range(len(x.shape)))
    i, j = axis_of(axis1, len(order)), axis_of(axis2, len(order))
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Value:
    x = value(a)
    rank = len(x.shape)
    froms, tos = axes_of(source, rank), axes_of(destination, rank)
    if len(froms) != len(tos):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [d for d in range(rank) if d not in froms]
    for to, from_ in sorted(zip(tos, froms, strict=True)):
        order.insert(to, from_)
    return transpose(x, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Value:
    x = value(a)
    rank = len(x.shape)
    axis, start = axis_of(axis, rank), start + rank if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Value:
    x = value(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    return expand(x, axes_of(axis, len(x.shape) + count))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Value:
    x = value(a)
    if axis is None:
        gone = tuple(d for d, n in enumerate(x.shape) if n == 1)
    else:
        gone = axes_of(axis, len(x.shape))
        if any(x.shape[d] != 1 for d in gone):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in gone))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Value:
    return build.broadcast_to(value(array), extents(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Value, ...]:
    return build.broadcast(*(value(x) for x in args))


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    return _atleast(arys, lambda x: x if x.shape else reshape(x, (1,)))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    return _atleast(arys, lambda x: x if len(x.shape) > 1 else reshape(x, (1, *(x.shape or (1,)))))


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    def one(x: Value) -> Value:
        rank = len(x.shape)
        if rank > 2:
            return x
        return reshape(x, ((1, 1, 1), (1, *x.shape, 1), (*x.shape, 1))[rank])

    return _atleast(arys, one)


def _atleast(arrays: Sequence[Any], one: Any) -> Any:
    found = tuple(one(value(x)) for x in arrays)
    return found[0] if len(found) == 1 else found
