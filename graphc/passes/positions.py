"""positions: constants that only depend on where an element is, written as what they are.

    i64[256, 1] constant(3, 4, 5, ...)           ->  iota(axis=0) + 3
    bool[n, m] constant(lower triangle)          ->  le(iota(axis=1), iota(axis=0) + k)

So a causal mask that NumPy made is one for whoever asks what it hides, and no array in a program.
Called by attention.py for what it takes into a body.
"""

from __future__ import annotations

import numpy as np

from ..ir import Node, Value, make
from ..opdef import lookup
from ..types import I64, DType


def from_positions(value: Value) -> Value | None:
    """The value of a constant by positions; None where it is no constant, or another."""
    node = value.node
    if node.op.name != "constant":
        return None
    array: np.ndarray = node.attrs["value"].array
    if value.dtype.is_integer and array.size > 1 and array.size in array.shape:
        start = int(array.flat[0])
        if np.array_equal(array.ravel(), np.arange(start, start + array.size)):
            axis = array.shape.index(array.size)
            return _moved(_iota(node, value.dtype, axis), start)
    if value.dtype.name == "bool" and array.ndim == 2 and 0 not in array.shape:
        offset = int(np.count_nonzero(array[0])) - 1
        if np.array_equal(array, np.tri(array.shape[0], array.shape[1], offset, dtype=bool)):
            rows, columns = (_iota(node, I64, axis) for axis in (0, 1))
            return make(lookup("le"), (columns, _moved(rows, offset)), {}, node.where).results[0]
    return None


def _iota(constant: Node, dtype: DType, axis: int) -> Value:
    attrs = {"dtype": dtype, "shape": constant.results[0].shape, "axis": axis}
    return make(lookup("iota"), (), attrs, constant.where).results[0]


def _moved(value: Value, by: int) -> Value:
    if by == 0:
        return value
    attrs = {"value": by, "dtype": value.dtype, "shape": value.shape}
    number = make(lookup("full"), (), attrs, value.node.where).results[0]
    return make(lookup("add"), (value, number), {}, value.node.where).results[0]
