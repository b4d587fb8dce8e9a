"""Makes nodes as NumPy 2 would: with broadcasting, promotion, and weak Python scalars.

The cards take operands of one shape and one dtype; the nodes that bring them there are made here.
Used by the tracer, by `graphc.numpy` and by passes.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Literal, Value
from ..opdef import OpDef
from ..types import BF16, BOOL, C128, F32, F64, I64, U64, Dim, DType, Extent, TensorType
from .complexes import CAST, SELECT, convert
from .creation import CONSTANT, EXTENT, FULL, IOTA, number_of
from .logic import LT
from .movement import BROADCAST, RESHAPE

Operand = Any
"""A Value, an extent (Dim), an array, or a Python or NumPy scalar."""

_WEAK = (bool, int, float, complex)
_COMPARE = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}


# ----------------------------------------------------------------------------------------- making


def constant(value: Any, dtype: Any = None) -> Value:
    """An array as a value; a single number becomes `full` of shape ().

    Python numbers get NumPy's default dtypes (bool, i64, f64, c128) unless `dtype` is given.
    """
    if isinstance(value, Dim):
        found = EXTENT(value=value)
        return found if dtype is None else cast(found, dtype)
    if isinstance(value, _WEAK) and not isinstance(value, np.generic):
        return full((), value, default_dtype(value) if dtype is None else dtype)
    array = np.asarray(value)
    target = ty.dtype(array.dtype if dtype is None else dtype)
    if ty.dtype(array.dtype) is not target:
        array = convert(array, target)
    if array.ndim == 0:
        return full((), array.item() if target is not BF16 else float(array), target)
    return CONSTANT(value=Literal(array.astype(target.numpy, copy=False)))


def default_dtype(number: Any) -> DType:
    """The dtype of a Python number that meets no array."""
    if isinstance(number, bool):
        return BOOL
    if isinstance(number, int):
        return I64 if number < 2**63 else U64
    return F64 if isinstance(number, float) else C128


def full(shape: Sequence[Extent], value: Any, dtype: Any) -> Value:
    """An array of one number, which is converted to the dtype first."""
    target = ty.dtype(dtype)
    if isinstance(value, (np.generic, np.ndarray)):
        value = float(value) if value.dtype.name == "bfloat16" else value.item()
    if isinstance(value, complex) and not target.is_complex:
        raise TypeMismatch(f"the complex number {value!r} does not fit {target}")
    element = number_of(value, target)
    number = float(element) if target is BF16 else element.item()
    return FULL(value=number, dtype=target, shape=tuple(shape))


def zeros(shape: Sequence[Extent], dtype: Any) -> Value:
    return full(shape, 0, dtype)


def full_like(x: Value, value: Any) -> Value:
    """An array of x's type with one number everywhere."""
    return full(x.shape, value, x.dtype)


def iota(shape: Sequence[Extent], axis: int, dtype: Any = I64) -> Value:
    """The position along an axis (which may count from the end)."""
    return IOTA(dtype=ty.dtype(dtype), shape=tuple(shape), axis=axis % len(shape))


def extent(value: Extent, dtype: Any = I64) -> Value:
    """An extent as a number, of shape ()."""
    if not isinstance(value, Dim):
        return full((), value, dtype)
    return cast(EXTENT(value=value), dtype)


def as_value(x: Operand, dtype: Any = None) -> Value:
    """Any operand as a value, cast when a dtype is given."""
    if isinstance(x, Value):
        return x if dtype is None else cast(x, dtype)
    return constant(x, dtype)


# ---------------------------------------------------------------------------- one shape, one dtype


def cast(x: Value, dtype: Any) -> Value:
    """x in that dtype; x itself when it has it already."""
    target = ty.dtype(dtype)
    return x if x.dtype is target else CAST(x, dtype=target)


def broadcast_to(x: Value, shape: Sequence[Extent]) -> Value:
    """x with NumPy's broadcasting to a shape; x itself when it has it already.

    Raises:
        ShapeMismatch: when it does not fit.
    """
    target = tuple(shape)
    if x.shape == target:
        return x
    lead = len(target) - len(x.shape)
    if lead < 0 or ty.broadcast_shapes(x.shape, target) != target:
        shown = ", ".join(map(str, target))
        raise ShapeMismatch(f"{x.type} does not broadcast to ({shown})")
    if x.node.op is FULL:
        return FULL(value=x.node.attrs["value"], dtype=x.dtype, shape=target)
    return BROADCAST(x, shape=target, axes=tuple(range(lead, len(target))))


def reshape(x: Value, shape: Sequence[Extent]) -> Value:
    """x with another shape of as many elements; x itself when it has it already."""
    target = tuple(shape)
    return x if x.shape == target else RESHAPE(x, shape=target)


def broadcast(*values: Value) -> tuple[Value, ...]:
    """The values with one shape."""
    shape = ty.broadcast_shapes(*(v.shape for v in values))
    return tuple(broadcast_to(v, shape) for v in values)


def is_weak(x: Operand) -> bool:
    """Is it a Python number or an extent, which takes the dtype of what it meets?"""
    return isinstance(x, (Dim, *_WEAK)) and not isinstance(x, np.generic)


def dtype_of(x: Operand) -> DType:
    """The dtype that an operand has on its own."""
    if isinstance(x, Value):
        return x.dtype
    if isinstance(x, Dim):
        return I64
    if is_weak(x):
        return default_dtype(x)
    return ty.dtype(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)


def _stands_for(x: Operand) -> Any:
    """A DType, or the Python type of a weak number."""
    if isinstance(x, Dim):
        return int
    return type(x) if is_weak(x) and not isinstance(x, bool) else dtype_of(x)


def result_type(*operands: Operand) -> DType:
    """The dtype to which NumPy 2 promotes the operands (Source: numpy.result_type)."""
    return _promoted(tuple(_stands_for(x) for x in operands))


@lru_cache(maxsize=4096)
def _promoted(kinds: tuple[Any, ...]) -> DType:
    strong = [k for k in kinds if isinstance(k, DType)]
    weak = [k for k in kinds if not isinstance(k, DType)]
    found: DType | None = None
    for one in strong:
        found = one if found is None else ty.promote(found, one)
    if found is None:
        return default_dtype(max(weak, key=(int, float, complex).index)(0))
    for one in weak:
        found = _with_weak(found, one)
    return found


def _with_weak(dtype: DType, python: type) -> DType:
    if dtype is BF16:
        return BF16 if python is not complex else ty.C64
    return ty.dtype(np.result_type(dtype.numpy, python(0)))


def fits(x: Operand, dtype: DType) -> bool:
    """Is it anything but a Python integer outside the range of an integer dtype?"""
    if not isinstance(x, int) or isinstance(x, (bool, np.generic)) or not dtype.is_integer:
        return True
    low = -(2 ** (dtype.bits - 1)) if dtype.kind == "i" else 0
    return low <= x < 2 ** (dtype.bits - (dtype.kind == "i"))


def _checked(x: Operand, dtype: DType) -> Value:
    """A weak integer has to fit, as in NumPy 2; anything else is cast."""
    if not fits(x, dtype):
        raise OverflowError(f"the Python integer {x} does not fit {dtype}")
    return as_value(x, dtype)


def unify(*operands: Operand) -> tuple[Value, ...]:
    """The operands as values of one shape and one dtype, NumPy's promotion and broadcasting."""
    dtype = result_type(*operands)
    return broadcast(*(_checked(x, dtype) for x in operands))


# -------------------------------------------------------------------------------- elementwise ops


def elementwise(card: OpDef, *operands: Operand) -> Value:
    """An elementwise op as NumPy's ufunc of that meaning: casts and broadcasts first.

    `elementwise(SIN, i32 x)` is `sin(cast(x, f64))`.

    Raises:
        TypeMismatch: when the ufunc has no loop for the dtypes.
    """
    dtypes = _loop(card, tuple(_stands_for(x) for x in operands))
    if card.name in _COMPARE and not all(map(fits, operands, dtypes)):
        # a Python integer beyond the dtype: the same answer for every element, as in NumPy
        shape = next(x.shape for x in operands if hasattr(x, "shape"))
        numbers = [0 if fits(x, d) else x for x, d in zip(operands, dtypes, strict=True)]
        return full(shape, _COMPARE[card.name](*numbers), BOOL)
    values = [_checked(x, d) for x, d in zip(operands, dtypes, strict=True)]
    if card.name in _COMPARE and set(dtypes) == {I64, U64}:
        return _compare_signs(card, *broadcast(*values))
    return card(*broadcast(*values))


def _compare_signs(card: OpDef, a: Value, b: Value) -> Value:
    """A comparison of i64 with u64, exact as NumPy's: first by the sign, then both as u64."""
    signed = a if a.dtype is I64 else b
    below = _COMPARE[card.name](*((-1, 0) if signed is a else (0, -1)))
    return SELECT(
        LT(signed, full_like(signed, 0)),
        full(signed.shape, below, BOOL),
        card(cast(a, U64), cast(b, U64)),
    )


def unary(card: OpDef, x: Operand) -> Value:
    """`elementwise` of one operand."""
    return elementwise(card, x)


def binary(card: OpDef, a: Operand, b: Operand) -> Value:
    """`elementwise` of two operands."""
    return elementwise(card, a, b)


def select(cond: Operand, a: Operand, b: Operand) -> Value:
    """a where cond holds, else b, with broadcasting and promotion (numpy.where)."""
    chosen = as_value(cond, BOOL)
    x, y = unify(a, b)
    return SELECT(*broadcast(chosen, x, y))


@lru_cache(maxsize=4096)
def _loop(card: OpDef, kinds: tuple[Any, ...]) -> tuple[DType, ...]:
    """The dtypes to which the operands of an elementwise op are cast: those of the ufunc's loop."""
    ufunc = next((f for f in card.numpy if isinstance(f, np.ufunc)), None)
    if ufunc is None or BF16 in kinds:
        return _plain_loop(card, kinds)
    asked = tuple(k.numpy if isinstance(k, DType) else k for k in kinds)
    if not any(isinstance(k, DType) for k in kinds):
        asked = tuple(default_dtype(k(0)).numpy for k in kinds)
    try:
        resolved = ufunc.resolve_dtypes((*asked, None))
    except TypeError:
        shown = ", ".join(k.name if isinstance(k, DType) else k.__name__ for k in kinds)
        raise TypeMismatch(f"{ufunc.__name__} takes no {shown}") from None
    return tuple(ty.dtype(d) for d in resolved[:-1])


def _plain_loop(card: OpDef, kinds: tuple[Any, ...]) -> tuple[DType, ...]:
    """For what NumPy has no ufunc for: promote, and go to a float when the card takes no
    integers.
    """
    dtype = _promoted(kinds)
    if card.name == "ldexp":
        return BF16, _promoted(kinds[1:])
    for candidate in (dtype, ty.promote(dtype, F64) if dtype is not BF16 else F32):
        try:
            card.infer_types([TensorType(candidate, ())] * len(kinds), {})
        except TypeMismatch:
            continue
        return (candidate,) * len(kinds)
    raise TypeMismatch(f"{card.name} takes no {dtype}")
