"""Cards: arrays out of nothing: constant, full, iota, extent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import LoweringError, ShapeMismatch, TypeMismatch
from ..ir import Literal
from ..loops.ir import Const, Expr, Idx, Index, Pair, cast, const
from ..opdef import ZERO, Attrs, OpDef, Sample, register
from ..types import BF16, C64, DTYPES, F16, F32, I8, I64, U8, Dim, DType, Extent, TensorType
from .complexes import convert, dtype_of
from .define import SHAPES, Element, check_count, dtypes_of


def _shape_of(attrs: Attrs, name: str) -> tuple[Extent, ...]:
    shape = attrs.get("shape")
    if not isinstance(shape, tuple) or not all(
        isinstance(e, Dim) or (isinstance(e, int) and not isinstance(e, bool) and e >= 0)
        for e in shape
    ):
        raise ShapeMismatch(f"{name}: the attribute shape is {shape!r}, not a tuple of extents")
    return shape


def scalar_element(value: Any, dtype: DType) -> Element:
    """One element of any dtype as an expression: a Const, or a Pair of them."""
    if dtype.is_complex:
        number = complex(value)
        return Pair(const(number.real, dtype.real), const(number.imag, dtype.real))
    return Const(convert(value, dtype).item() if dtype is not BF16 else float(value), dtype)


# --------------------------------------------------------------------------------------- constant


def _infer_constant(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("constant", types, 0)
    value = attrs.get("value")
    if not isinstance(value, Literal):
        raise TypeMismatch(f"constant: the attribute value is {value!r}, not a literal")
    return value.type


def uniform(array: np.ndarray) -> bool:
    """Are all elements the same, to the bit? (True without elements.)"""
    if array.size <= 1:
        return True
    first = array.flat[:1].tobytes()
    return array.tobytes() == first * array.size


def _lower_constant(c: Any, index: Sequence[Index]) -> Element:
    array = c.attrs["value"].array
    if array.size == 0:
        return scalar_element(0, c.type.dtype)
    if uniform(array):
        return scalar_element(array.flat[0], c.type.dtype)
    if all(isinstance(i, int) for i in index):
        return scalar_element(array[tuple(index)], c.type.dtype)
    raise LoweringError(
        f"a constant {c.type} of different elements must stand in memory: "
        f"hand it to the kernel as an operand"
    )


def _constant_samples() -> list[Sample]:
    arrays = [np.arange(10).reshape(2, 5).astype(d.numpy) for d in DTYPES.values()]
    arrays += [np.zeros((0, 3), np.float32), np.array(1.5), np.array([np.nan, -0.0, np.inf])]
    return [Sample((), {"value": Literal(a)}) for a in arrays]


CONSTANT = register(
    OpDef(
        name="constant",
        doc="the array value",
        kind="creation",
        infer=_infer_constant,
        evaluate=lambda operands, attrs: attrs["value"].array,
        lower=_lower_constant,
        source="graphc",
        derivative=ZERO,
        cost=0,
        samples=_constant_samples,
    )
)


# ------------------------------------------------------------------------------------------- full


def _infer_full(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("full", types, 0)
    value, dtype = attrs.get("value"), dtype_of(attrs, "full")
    if not isinstance(value, (bool, int, float, complex)):
        raise TypeMismatch(f"full: the attribute value is {value!r}, not a number")
    if isinstance(value, complex) and not dtype.is_complex:
        raise TypeMismatch(f"full: the value {value!r} does not fit {dtype}")
    return TensorType(dtype, _shape_of(attrs, "full"))


def number_of(value: Any, dtype: DType) -> np.ndarray:
    """A Python number as a 0-d array; integers beyond the dtype wrap around."""
    if dtype.is_integer and isinstance(value, int):
        value &= (1 << dtype.bits) - 1
        return np.array(value, np.dtype(f"u{dtype.nbytes}")).view(dtype.numpy)
    if isinstance(value, int) and not dtype.is_integer:
        value = float(value) if dtype is not ty.BOOL else bool(value)
    return convert(np.array(value), dtype)


def _evaluate_full(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    return np.full(attrs["shape"], number_of(attrs["value"], attrs["dtype"]))


FULL = register(
    OpDef(
        name="full",
        doc="an array of one value",
        kind="creation",
        infer=_infer_full,
        evaluate=_evaluate_full,
        lower=lambda c, index: scalar_element(
            number_of(c.attrs["value"], c.attrs["dtype"])[()], c.type.dtype
        ),
        source="numpy.full",
        derivative=ZERO,
        cost=0,
        samples=lambda: (
            [
                Sample((), {"value": v, "dtype": d, "shape": s})
                for number, d in enumerate(DTYPES.values())
                for v in ((2.5,) if d.kind in "fc" else (3, 0))
                for s in (SHAPES[number % len(SHAPES)],)
            ]
            + [Sample((), {"value": 1.5 - 2j, "dtype": C64, "shape": (3,)})]
            + [Sample((), {"value": -1, "dtype": U8, "shape": (2,)})]
            + [Sample((), {"value": float("nan"), "dtype": F16, "shape": (2,)})]
        ),
    )
)


# ------------------------------------------------------------------------------------------- iota


def _infer_iota(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("iota", types, 0)
    shape, axis = _shape_of(attrs, "iota"), attrs.get("axis")
    if not isinstance(axis, int) or not 0 <= axis < len(shape):
        raise ShapeMismatch(f"iota: there is no axis {axis!r} in a shape of {len(shape)} axes")
    dtype = dtype_of(attrs, "iota")
    if dtype is ty.BOOL:
        raise TypeMismatch("iota counts in integers, floats or complex numbers, not in bool")
    return TensorType(dtype, shape)


def _evaluate_iota(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    shape, axis = attrs["shape"], attrs["axis"]
    line = convert(np.arange(shape[axis]), attrs["dtype"])
    line = line.reshape([-1 if k == axis else 1 for k in range(len(shape))] if line.size else shape)
    return np.broadcast_to(line, shape).copy()


def _lower_iota(c: Any, index: Sequence[Index]) -> Element:
    dtype = c.type.dtype
    count: Expr = cast(Idx(index[c.attrs["axis"]]), dtype.real)
    return Pair(count, const(0, dtype.real)) if dtype.is_complex else count


IOTA = register(
    OpDef(
        name="iota",
        doc="the position along axis",
        kind="creation",
        infer=_infer_iota,
        evaluate=_evaluate_iota,
        lower=_lower_iota,
        source="numpy.indices",
        derivative=ZERO,
        cost=1,
        samples=lambda: (
            [
                Sample((), {"dtype": d, "shape": (3, 7), "axis": number % 2})
                for number, d in enumerate(dtypes_of("iufc"))
            ]
            + [Sample((), {"dtype": F32, "shape": (0, 5), "axis": 0})]
            + [Sample((), {"dtype": I8, "shape": (5, 0), "axis": 0})]
        ),
    )
)


# ----------------------------------------------------------------------------------------- extent


def _infer_extent(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("extent", types, 0)
    value = attrs.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, Dim)):
        raise TypeMismatch(f"extent: the attribute value is {value!r}, not an extent")
    return TensorType(I64, ())


EXTENT = register(
    OpDef(
        name="extent",
        doc="an extent as a number, i64[]",
        kind="creation",
        infer=_infer_extent,
        evaluate=lambda operands, attrs: np.array(attrs["value"], np.int64),
        lower=lambda c, index: Idx(c.attrs["value"]),
        source="graphc",
        derivative=ZERO,
        cost=1,
        samples=lambda: [Sample((), {"value": 7}), Sample((), {"value": 0})],
    )
)
