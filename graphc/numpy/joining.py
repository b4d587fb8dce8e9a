"""Functions that join arrays and split them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops.build import cast
from ..ops.movement import CONCATENATE
from ..types import Extent
from . import ufuncs as u
from .dispatch import axis_of, implements, number, static, value
from .shaping import at, atleast_1d, atleast_2d, atleast_3d, expand, part, ravel, reshape


def _list(arrays: Any) -> list[Any]:
    if isinstance(arrays, (list, tuple)):
        return list(arrays)
    x = value(arrays)
    return [at(x, 0, k) for k in range(number(x.shape[0], "a sequence of arrays"))]


@implements(np.concatenate)
def concatenate(arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None,
                casting: str = "same_kind") -> Value:  # fmt: skip
    parts = _list(arrays)
    if not parts:
        raise ValueError("need at least one array to concatenate")
    # lists inside are arrays of their own: a Python number in them is no longer weak
    target = u.result_dtype(*(value(p) for p in parts)) if dtype is None else ty.dtype(dtype)
    values = [cast(value(p), target) for p in parts]
    if axis is None:
        values, axis = [ravel(v) for v in values], 0
    if not values[0].shape:
        raise ShapeMismatch("zero-dimensional arrays cannot be concatenated")
    axis = axis_of(axis, len(values[0].shape))
    return values[0] if len(values) == 1 else CONCATENATE(*values, axis=axis)


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Value:
    values = [value(a) for a in _list(arrays)]
    if not values:
        raise ValueError("need at least one array to stack")
    if any(v.shape != values[0].shape for v in values):
        raise ShapeMismatch("all input arrays must have the same shape")
    axis = axis_of(axis, len(values[0].shape) + 1)
    return concatenate([expand(v, (axis,)) for v in values], axis, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    return concatenate([atleast_2d(x) for x in _list(tup)], 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    parts = [atleast_1d(x) for x in _list(tup)]
    return concatenate(parts, 0 if len(parts[0].shape) == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Value:
    return concatenate([atleast_3d(x) for x in _list(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Value:
    parts = [value(x) for x in _list(tup)]
    return concatenate([reshape(x, (x.type.size, 1)) if len(x.shape) < 2 else x for x in parts], 1)


@implements(np.block)
def block(arrays: Any) -> Value:
    depth = _depth(arrays)
    rank = max([depth, *(len(value(x).shape) for x in _flat(arrays))])

    def joined(x: Any, level: int) -> Value:
        if not isinstance(x, list):
            v = value(x)
            return reshape(v, (*(1,) * (rank - len(v.shape)), *v.shape))
        return concatenate([joined(one, level + 1) for one in x], rank - depth + level)

    return joined(arrays, 0)


def _depth(x: Any) -> int:
    return 1 + max((_depth(one) for one in x), default=0) if isinstance(x, list) else 0


def _flat(x: Any) -> list[Any]:
    return [leaf for one in x for leaf in _flat(one)] if isinstance(x, list) else [x]


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Value:
    return concatenate((arr, values), axis)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    x = value(ary)
    axis = axis_of(axis, len(x.shape))
    n = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count <= 0:
            raise ValueError("number sections must be larger than 0.")
        if isinstance(n, ty.Dim):
            if n % count != 0:
                raise TraceError(
                    f"the extent {n} is not surely a multiple of {count}; split at stated places"
                )
            cuts: list[Extent] = [k * (n // count) for k in range(1, count)]
        else:
            each, extra = divmod(n, count)
            cuts = [k * each + min(k, extra) for k in range(1, count)]
    else:
        places = static(indices_or_sections, "the places of a split")
        cuts = [_inside(p, n) for p in places]
    edges = [0, *cuts, n]
    return [
        part(x, axis, low, max(low, high) if not _symbolic(low, high) else high)
        for low, high in pairwise(edges)
    ]


def _symbolic(*extents_: Extent) -> bool:
    return any(isinstance(x, ty.Dim) for x in extents_)


def _inside(place: Any, n: Extent) -> Extent:
    """A slice bound within an axis, as in Python."""
    if _symbolic(place, n):
        return n + place if not _symbolic(place) and place < 0 else place
    return slice(int(place), None).indices(int(n))[0]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    x = value(ary)
    n = x.shape[axis_of(axis, len(x.shape))]
    if isinstance(indices_or_sections, (int, np.integer)) and n % int(indices_or_sections) != 0:
        raise ValueError("array split does not result in an equal division")
    return array_split(x, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    x = value(ary)
    return split(x, indices_or_sections, 1 if len(x.shape) > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Value, ...]:
    z = value(x)
    axis = axis_of(axis, len(z.shape))
    return tuple(at(z, axis, k) for k in range(number(z.shape[axis], "unstack")))
