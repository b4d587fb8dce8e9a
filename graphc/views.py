"""Views: the steps from an array to a view of it, and the NumPy functions that answer views.

Every step can be read (base to view) and written back (view to base), so a write through a view
shows in its base and in the other views, as in NumPy. Where NumPy would copy (a reshape of a
transposed array), these functions copy too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from . import types as ty
from .cell import Cell, Strides, as_value
from .errors import ShapeMismatch
from .ir import Value
from .locations import refuse
from .ops import build
from .ops.complexes import COMPLEX, IMAG, REAL
from .ops.movement import RESHAPE, SLICE, TRANSPOSE, UPDATE, reshape_groups
from .types import Extent, TensorType

Shape = tuple[Extent, ...]


# ----------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Slice:
    """Element i of the view is element start + i*step of each axis."""

    start: Shape
    shape: Shape
    step: tuple[int, ...]

    def read(self, value: Value) -> Value:
        return SLICE(value, start=self.start, shape=self.shape, step=self.step)

    def write(self, value: Value, part: Value) -> Value:
        if any(not isinstance(n, ty.Dim) and n == 0 for n in self.shape):
            return value
        return UPDATE(value, part, start=self.start, step=self.step)

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        return tuple(a * b for a, b in zip(strides, self.step, strict=True))


@dataclass(frozen=True, slots=True)
class Transpose:
    """Axis k of the view is axis axes[k]."""

    axes: tuple[int, ...]

    def read(self, value: Value) -> Value:
        return TRANSPOSE(value, axes=self.axes)

    def write(self, value: Value, part: Value) -> Value:
        return TRANSPOSE(part, axes=tuple(int(a) for a in np.argsort(self.axes)))

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        return tuple(strides[a] for a in self.axes)


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same elements in C order under another shape."""

    shape: Shape

    def read(self, value: Value) -> Value:
        return RESHAPE(value, shape=self.shape)

    def write(self, value: Value, part: Value) -> Value:
        return RESHAPE(part, shape=value.shape)

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        return _reshaped(type.shape, strides, self.shape)


@dataclass(frozen=True, slots=True)
class Broadcast:
    """NumPy's broadcasting. Its elements overlap, so it is never written."""

    shape: Shape

    def read(self, value: Value) -> Value:
        return build.broadcast_to(value, self.shape)

    def write(self, value: Value, part: Value) -> Value:
        return refuse("the result of broadcast_to is read-only, as in NumPy; copy it first")

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        lead = len(self.shape) - len(strides)
        own = (0 if n == 1 else s for n, s in zip(type.shape, strides, strict=True))
        return (*(0 for _ in range(lead)), *own)


@dataclass(frozen=True, slots=True)
class Real:
    """The real part of a complex array."""

    def read(self, value: Value) -> Value:
        return REAL(value)

    def write(self, value: Value, part: Value) -> Value:
        return COMPLEX(part, IMAG(value))

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        return tuple(2 * s for s in strides)


@dataclass(frozen=True, slots=True)
class Imag:
    """The imaginary part of a complex array."""

    def read(self, value: Value) -> Value:
        return IMAG(value)

    def write(self, value: Value, part: Value) -> Value:
        return COMPLEX(REAL(value), part)

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        return tuple(2 * s for s in strides)


def _reshaped(source: Shape, strides: Strides, target: Shape) -> Strides | None:
    """The strides of a reshaped view; None when the elements do not lie so that there is one."""
    found: list[Extent] = [1] * len(target)
    for axes, places in reshape_groups(source, target):
        for a, b in pairwise(axes):
            if strides[a] != strides[b] * source[b]:
                return None
        stride: Extent = strides[axes[-1]] if axes else 1
        for place in reversed(places):
            found[place] = stride
            stride = stride * target[place]
    return tuple(found)


# ---------------------------------------------------------------------------------- the functions


def axis_of(axis: Any, rank: int) -> int:
    """An axis counted from 0.

    Raises:
        numpy.exceptions.AxisError: when there is none of that number.
    """
    number = axis.__index__()
    if not -rank <= number < rank:
        raise np.exceptions.AxisError(number, rank)
    return number % rank


def axes_of(axes: Any, rank: int) -> tuple[int, ...]:
    """One axis or several, counted from 0."""
    given = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    found = tuple(axis_of(a, rank) for a in given)
    if len(set(found)) != len(found):
        raise ValueError("repeated axis")
    return found


def shape_of(shape: Any) -> tuple[Any, ...]:
    """The extents of an int, a Dim, or a sequence of them; known traced numbers count as ints."""
    if isinstance(shape, (ty.Dim, str)) or not hasattr(shape, "__iter__"):
        shape = (shape,)
    elif isinstance(shape, Cell) and not shape.type.rank:
        shape = (shape,)
    extents: Any = shape
    return tuple(e if isinstance(e, ty.Dim) else e.__index__() for e in extents)


def whole_shape(shape: Any, source: Shape) -> Shape:
    """A shape for the elements of `source`, with a -1 worked out.

    Raises:
        ValueError: when the elements do not fit it (a ShapeMismatch).
    """
    wanted = shape_of(shape)
    size = ty.product(source)
    text = "(" + ", ".join(map(str, wanted)) + ")"
    negative = [i for i, e in enumerate(wanted) if isinstance(e, int) and e < 0]
    if len(negative) > 1:
        raise ValueError("can only specify one unknown dimension")
    if negative:
        rest = ty.product(e for i, e in enumerate(wanted) if i != negative[0])
        if rest == 0 or size % rest != 0:
            return refuse(f"cannot reshape array of size {size} into shape {text}", ShapeMismatch)
        missing = size // rest
        wanted = tuple(missing if i == negative[0] else e for i, e in enumerate(wanted))
    if ty.product(wanted) != size:
        return refuse(f"cannot reshape array of size {size} into shape {text}", ShapeMismatch)
    return wanted


def reshape(x: Any, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """numpy.reshape: a view where NumPy's is one."""
    if order == "F":
        wanted = whole_shape(shape, x.type.shape)
        return transpose(reshape(transpose(x), wanted[::-1], copy=copy))
    wanted = whole_shape(shape, x.type.shape)
    step = Reshape(wanted)
    if copy or not _is_viewable(x, wanted):
        if copy is False:
            raise ValueError("Unable to avoid creating a copy while reshaping.")
        return x.fresh(x.value if wanted == x.type.shape else step.read(x.value))
    return x.share(step) if wanted != x.type.shape else x.share()


def _is_viewable(x: Cell, shape: Shape) -> bool:
    if not x.is_view:
        return True
    strides = x.layout()
    return strides is not None and _reshaped(x.type.shape, strides, shape) is not None


def ravel(x: Any, order: str = "C") -> Any:
    """numpy.ravel: a view where NumPy's is one."""
    return reshape(x, -1 if x.type.size != 0 else 0, "F" if order == "F" else "C")


def transpose(x: Any, axes: Any = None) -> Any:
    """numpy.transpose, a view."""
    rank = x.type.rank
    order = tuple(reversed(range(rank))) if axes is None else axes_of(axes, rank)
    if len(order) != rank:
        raise ValueError("axes don't match array")
    return x.share() if order == tuple(range(rank)) else x.share(Transpose(order))


def matrix_transpose(x: Any) -> Any:
    """numpy.matrix_transpose, a view."""
    if x.type.rank < 2:
        raise ValueError("matrix transpose with ndim < 2 is undefined")
    return swapaxes(x, -1, -2)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """numpy.swapaxes, a view."""
    order = list(range(x.type.rank))
    a, b = axis_of(axis1, len(order)), axis_of(axis2, len(order))
    order[a], order[b] = order[b], order[a]
    return transpose(x, tuple(order))


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """numpy.moveaxis, a view."""
    rank = x.type.rank
    sources, targets = axes_of(source, rank), axes_of(destination, rank)
    if len(sources) != len(targets):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [a for a in range(rank) if a not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(x, tuple(order))


def rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    """numpy.rollaxis, a view."""
    rank = x.type.rank
    place = axis_of(axis, rank)
    begin = start + rank if start < 0 else start
    if not 0 <= begin <= rank:
        raise np.exceptions.AxisError(f"'start' arg requires {-rank} <= start < {rank + 1}")
    order = [a for a in range(rank) if a != place]
    order.insert(begin - (place < begin), place)
    return transpose(x, tuple(order))


def squeeze(x: Any, axis: Any = None) -> Any:
    """numpy.squeeze, a view."""
    shape = x.type.shape
    if axis is None:
        kept = tuple(e for e in shape if e != 1)
    else:
        gone = axes_of(axis, len(shape))
        if any(shape[a] != 1 for a in gone):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
        kept = tuple(e for a, e in enumerate(shape) if a not in gone)
    return x.share() if kept == shape else x.share(Reshape(kept))


def expand_dims(x: Any, axis: Any) -> Any:
    """numpy.expand_dims, a view."""
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    places = axes_of(given, x.type.rank + len(given))
    rest = iter(x.type.shape)
    rank = x.type.rank + len(places)
    return x.share(Reshape(tuple(1 if a in places else next(rest) for a in range(rank))))


def broadcast_to(x: Any, shape: Any, subok: bool = False) -> Any:
    """numpy.broadcast_to, a read-only view."""
    reason = "the result of broadcast_to is read-only, as in NumPy; copy it first"
    return x.share(Broadcast(shape_of(shape)), readonly=reason)


def real(x: Any) -> Any:
    """numpy.real: a view of a complex array, the array itself otherwise."""
    return x.share(Real()) if x.type.dtype.is_complex else x


def imag(x: Any) -> Any:
    """numpy.imag: a view of a complex array, read-only zeros otherwise."""
    if x.type.dtype.is_complex:
        return x.share(Imag())
    zero = x.fresh(build.full_like(x.value, 0))
    zero.freeze("the imaginary part of a real array is read-only, as in NumPy")
    return zero


def diagonal_view(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of two axes, writable; the other axes come first."""
    rank = x.type.rank
    if rank < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    a, b = axis_of(axis1, rank), axis_of(axis2, rank)
    if a == b:
        raise ValueError("axis1 and axis2 cannot be the same")
    rest = [d for d in range(rank) if d not in (a, b)]
    n, m = x.type.shape[a], x.type.shape[b]
    lead = tuple(x.type.shape[d] for d in rest)
    below, right = max(-offset, 0), max(offset, 0)
    if isinstance(n, ty.Dim) or isinstance(m, ty.Dim):
        refuse(
            f"the diagonal of an axis of symbolic extent ({n}, {m}) cannot be traced; give a number"
        )
    count = max(0, min(n - below, m - right))
    flat = Slice(
        (*(0 for _ in lead), below * m + right if count != 0 else 0),
        (*lead, count),
        (*(1 for _ in lead), int(m) + 1),
    )
    return x.share(Transpose((*rest, a, b)), Reshape((*lead, n * m)), flat)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """numpy.diagonal, a read-only view."""
    found = diagonal_view(x, offset, axis1, axis2)
    found.freeze(
        "the result of diagonal is read-only, as in NumPy; use np.fill_diagonal or copy it first"
    )
    return found


def flip(x: Any, axis: Any = None) -> Any:
    """numpy.flip, a view."""
    rank = x.type.rank
    turned = range(rank) if axis is None else axes_of(axis, rank)
    return x[tuple(slice(None, None, -1) if a in turned else slice(None) for a in range(rank))]


def split_at(x: Any, places: Sequence[int], axis: int) -> list[Any]:
    """The views of an axis between some places (numpy.array_split with indices)."""
    lead = (slice(None),) * axis_of(axis, x.type.rank)
    ends = [*places, None]
    starts = [0, *places]
    return [x[(*lead, slice(a, b))] for a, b in zip(starts, ends, strict=True)]


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """numpy.array_split, views."""
    if hasattr(indices_or_sections, "__iter__"):
        return split_at(x, [int(i) for i in indices_or_sections], axis)
    count = int(indices_or_sections)
    if count <= 0:
        raise ValueError("number sections must be larger than 0.")
    size, extra = divmod(int(x.type.shape[axis_of(axis, x.type.rank)]), count)
    places = np.cumsum([size + (i < extra) for i in range(count)])[:-1]
    return split_at(x, [int(p) for p in places], axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """numpy.split, views."""
    if not hasattr(indices_or_sections, "__iter__"):
        extent = x.type.shape[axis_of(axis, x.type.rank)]
        if extent % int(indices_or_sections) != 0:
            raise ValueError("array split does not result in an equal division")
    return array_split(x, indices_or_sections, axis)


def hsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """numpy.hsplit, views."""
    return split(x, indices_or_sections, 1 if x.type.rank > 1 else 0)


def vsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """numpy.vsplit, views."""
    return split(x, indices_or_sections, 0)


def _at_least(x: Any, rank: int) -> Any:
    """An array with axes of extent 1 put before (and for three axes also after) its own."""
    shape = x.type.shape
    if len(shape) >= rank:
        return x
    after = 1 if rank == 3 and len(shape) else 0
    return reshape(x, (*(1,) * (rank - len(shape) - after), *shape, *(1,) * after))


def _each_at_least(rank: int) -> Any:
    def at_least(*arrays: Any) -> Any:
        owner = arrays[0]
        found = tuple(
            _at_least(x if isinstance(x, Cell) else owner.fresh(as_value(x)), rank) for x in arrays
        )
        return found[0] if len(found) == 1 else found

    return at_least


FUNCTIONS: dict[Any, Any] = {
    np.atleast_1d: _each_at_least(1),
    np.atleast_2d: _each_at_least(2),
    np.atleast_3d: _each_at_least(3),
    np.reshape: reshape,
    np.ravel: ravel,
    np.transpose: transpose,
    np.swapaxes: swapaxes,
    np.moveaxis: moveaxis,
    np.rollaxis: rollaxis,
    np.squeeze: squeeze,
    np.expand_dims: expand_dims,
    np.broadcast_to: broadcast_to,
    np.real: real,
    np.imag: imag,
    np.diagonal: diagonal,
    np.flip: flip,
    np.flipud: lambda x: flip(x, 0),
    np.fliplr: lambda x: flip(x, 1),
    np.split: split,
    np.array_split: array_split,
    np.hsplit: hsplit,
    np.vsplit: vsplit,
}
if hasattr(np, "matrix_transpose"):
    FUNCTIONS[np.matrix_transpose] = matrix_transpose
"""The NumPy functions whose results share elements with their first argument, a tracer."""
