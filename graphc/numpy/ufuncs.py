"""NumPy's ufuncs over values: which loop runs (NumPy 2's promotion, Python numbers weak), and what
it computes.

`call(np.add, x, y)` asks NumPy itself for the loop, casts and broadcasts the operands, and applies
the rule of the ufunc. The names at the end (`add`, `multiply`...) are such calls; the other rooms
compose with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import TraceError, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import broadcast, cast, full_like
from ..types import BF16, BOOL, F16, F32, F64, I32, I64, U64, DType
from . import dispatch

Rule = Callable[..., Any]
"""Broadcast values in the dtypes of the loop, to the result(s)."""

RULES: dict[np.ufunc, Rule] = {}
COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)


# ----------------------------------------------------------------------------------- which loop


def stands_for(x: Any) -> Any:
    """What an operand counts as in promotion: a DType, or int, float, complex for a weak number."""
    if isinstance(x, dispatch.tracer_class()):
        dtype = x.value.dtype
        weak = x.weak and dtype is not BOOL
        return {"i": int, "u": int, "f": float, "c": complex}[dtype.kind] if weak else dtype
    if isinstance(x, Value):
        return x.dtype
    if isinstance(x, ty.Dim):
        return int
    if isinstance(x, (np.ndarray, np.generic)):
        return ty.dtype(x.dtype)
    if isinstance(x, bool):
        return BOOL
    if isinstance(x, (int, float, complex)):
        return type(x)
    return dispatch.value(x).dtype


def result_dtype(*operands: Any) -> DType:
    """The dtype to which NumPy 2 promotes the operands."""
    return _promoted(tuple(stands_for(x) for x in operands))


@lru_cache(maxsize=4096)
def _promoted(kinds: tuple[Any, ...]) -> DType:
    strong = [k for k in kinds if isinstance(k, DType)]
    weak = [k for k in kinds if not isinstance(k, DType)]
    if not strong:
        return {int: I64, float: F64, complex: ty.C128}[max(weak, key=(int, float, complex).index)]
    found = strong[0]
    for one in strong[1:]:
        found = ty.promote(found, one)
    for one in weak:
        if found is BF16:
            found = ty.C64 if one is complex else BF16
        else:
            found = ty.dtype(np.result_type(found.numpy, one(0)))
    return found


@lru_cache(maxsize=8192)
def loop(ufunc: np.ufunc, kinds: tuple[Any, ...], dtype: DType | None = None) -> tuple[DType, ...]:
    """The dtypes of the operands and results of the loop that NumPy would run.

    Raises:
        TypeMismatch: when the ufunc has no loop for them.
    """
    if BF16 in kinds:
        kinds = (_promoted(kinds),) * len(kinds)
    elif not any(isinstance(k, DType) for k in kinds):
        kinds = tuple(_promoted((k,)) for k in kinds)
    asked = tuple(k.numpy if isinstance(k, DType) else k for k in kinds) + (None,) * ufunc.nout
    try:
        if dtype is None:
            resolved = ufunc.resolve_dtypes(asked)
        else:
            signature = (None,) * ufunc.nin + (dtype.numpy,) * ufunc.nout
            resolved = ufunc.resolve_dtypes(asked, signature=signature, casting="same_kind")
    except TypeError:
        shown = ", ".join(k.name if isinstance(k, DType) else k.__name__ for k in kinds)
        asked_for = f" with dtype={dtype}" if dtype else ""
        raise TypeMismatch(f"{ufunc.__name__} takes no {shown}{asked_for}") from None
    return tuple(ty.dtype(d) for d in resolved)


def checked(x: Any, dtype: DType) -> Value:
    """An operand in a dtype; a Python integer has to fit, as in NumPy 2."""
    if isinstance(x, int) and not isinstance(x, bool) and dtype.is_integer:
        limits = np.iinfo(dtype.numpy)
        if not limits.min <= x <= limits.max:
            raise OverflowError(f"Python integer {x} out of bounds for {dtype.numpy_name}")
    return dispatch.value(x, dtype)


def call(
    ufunc: np.ufunc, *operands: Any, dtype: Any = None, where: Any = True, **options: Any
) -> Any:
    """The ufunc over values.

    With `where`, elements that are left out keep the value of `out`, or 0 without one (NumPy:
    undefined).

    Raises:
        TypeMismatch, ShapeMismatch: as NumPy, where no loop or no common shape exists.
    """
    rule = RULES.get(ufunc)
    if rule is None:
        raise TraceError(f"numpy.{ufunc.__name__} cannot be traced")
    if len(operands) != ufunc.nin:
        raise TypeMismatch(f"{ufunc.__name__} takes {ufunc.nin} operands, got {len(operands)}")
    kinds = tuple(stands_for(x) for x in operands)
    constant = _beyond(ufunc, operands, kinds)
    if constant is not None:
        return constant
    dtypes = loop(ufunc, kinds, None if dtype is None else ty.dtype(dtype))
    values = broadcast(*(checked(x, d) for x, d in zip(operands, dtypes, strict=False)))
    found = rule(*values)
    results = found if isinstance(found, tuple) else (found,)
    results = tuple(cast(r, d) for r, d in zip(results, dtypes[ufunc.nin :], strict=True))
    if where is not True:
        into = options.get("into") or (None,) * len(results)
        results = tuple(_masked(where, r, o) for r, o in zip(results, into, strict=True))
    return results if isinstance(found, tuple) else results[0]


def _masked(where: Any, x: Value, into: Any) -> Value:
    kept = full_like(x, 0) if into is None else cast(dispatch.value(into), x.dtype)
    return build.select(dispatch.value(where), x, kept)


def _beyond(ufunc: np.ufunc, operands: Sequence[Any], kinds: Sequence[Any]) -> Value | None:
    """A comparison with a Python integer that the other operand's dtype cannot hold has one
    answer.
    """
    if ufunc not in COMPARISONS:
        return None
    for k in (0, 1):
        x, dtype = operands[k], kinds[1 - k]
        if not isinstance(x, int) or isinstance(x, bool) or not isinstance(dtype, DType):
            continue
        if not dtype.is_integer:
            continue
        limits = np.iinfo(dtype.numpy)
        if not limits.min <= x <= limits.max:
            sides = (x, 0) if k == 0 else (0, x)
            return build.full(dispatch.value(operands[1 - k]).shape, bool(ufunc(*sides)), BOOL)
    return None


# ------------------------------------------------------------------------------------- the rules


def rule(*ufuncs: np.ufunc) -> Callable[[Rule], Rule]:
    def mark(function: Rule) -> Rule:
        for ufunc in ufuncs:
            RULES[ufunc] = function
        return function

    return mark


for _card in (getattr(e, name) for name in e.__all__):
    for _function in _card.numpy:
        if isinstance(_function, np.ufunc):
            RULES[_function] = _card


def _compare(ufunc: np.ufunc) -> None:
    """Comparisons of i64 with u64 have loops of two dtypes: a negative number is less than all of
    u64.
    """
    card = RULES[ufunc]

    def compare(a: Value, b: Value) -> Value:
        if a.dtype is b.dtype:
            return card(a, b)
        signed = a if a.dtype is I64 else b
        negative = e.LT(signed, full_like(signed, 0))
        answer = bool(ufunc(-1, 0) if signed is a else ufunc(0, -1))
        plain = card(cast(a, U64), cast(b, U64))
        return e.SELECT(negative, full_like(plain, answer), plain)

    RULES[ufunc] = compare


for _function in COMPARISONS:
    _compare(_function)


def scaled(factor: float) -> Rule:
    """x * factor; the factor of a narrow float is not rounded to it."""

    def scale(x: Value) -> Value:
        wide = cast(x, F32) if x.dtype in (F16, BF16) else x
        return cast(e.MUL(wide, full_like(wide, factor)), x.dtype)

    return scale


RULES[np.rad2deg] = RULES[np.degrees] = scaled(180.0 / math.pi)
RULES[np.deg2rad] = RULES[np.radians] = scaled(math.pi / 180.0)
RULES[np.square] = lambda x: e.MUL(x, x)
RULES[np.positive] = lambda x: x
RULES[np.fabs] = e.ABS
RULES[np.float_power] = e.POW
RULES[np.divmod] = lambda a, b: (e.FLOORDIV(a, b), e.MOD(a, b))
RULES[np.conjugate] = e.CONJ
RULES[np.logical_and] = lambda a, b: e.AND(cast(a, BOOL), cast(b, BOOL))
RULES[np.logical_or] = lambda a, b: e.OR(cast(a, BOOL), cast(b, BOOL))
RULES[np.logical_xor] = lambda a, b: e.XOR(cast(a, BOOL), cast(b, BOOL))
RULES[np.logical_not] = lambda a: e.NOT(cast(a, BOOL))


@rule(np.reciprocal)
def _reciprocal(x: Value) -> Value:
    if not x.dtype.is_integer:
        return e.DIV(full_like(x, 1), x)
    wide = cast(x, F64)
    return cast(e.TRUNC(e.DIV(full_like(wide, 1), wide)), x.dtype)


@rule(np.heaviside)
def _heaviside(x: Value, at_zero: Value) -> Value:
    zero = full_like(x, 0)
    step = e.SELECT(e.LT(x, zero), zero, full_like(x, 1))
    found = e.SELECT(e.EQ(x, zero), at_zero, step)
    return e.SELECT(e.ISNAN(x), x, found)


@rule(np.spacing)
def _spacing(x: Value) -> Value:
    away = e.COPYSIGN(full_like(x, math.inf), x)
    return e.SUB(e.NEXTAFTER(x, away), x)


@rule(np.modf)
def _modf(x: Value) -> tuple[Value, Value]:
    whole = e.TRUNC(x)
    fraction = e.SELECT(e.ISINF(x), full_like(x, 0), e.SUB(x, whole))
    return e.COPYSIGN(fraction, x), whole


@rule(np.frexp)
def _frexp(x: Value) -> tuple[Value, Value]:
    """x = m * 2**n with |m| in [1/2, 1): n is read off the bits; subnormal numbers are scaled up
    first.
    """
    wide = cast(x, F32) if x.dtype in (F16, BF16) else x
    bits, lead = (52, 11) if wide.dtype is F64 else (23, 8)
    integer = ty.dtype(f"i{wide.dtype.bits}")
    tiny = e.LT(e.ABS(wide), full_like(wide, 2.0 ** (2 - 2 ** (lead - 1))))
    normal = e.SELECT(tiny, e.MUL(wide, full_like(wide, 2.0**bits)), wide)
    code = e.BITCAST(normal, dtype=integer)
    ones = full_like(code, 2**lead - 1)
    exponent = e.AND(e.SHR(code, full_like(code, bits)), ones)
    half = 2 ** (lead - 1) - 2  # the biased exponent of 1/2
    mask = ~((2**lead - 1) << bits)
    mantissa = e.OR(e.AND(code, full_like(code, mask)), full_like(code, half << bits))
    shift = e.SELECT(tiny, full_like(code, half + bits), full_like(code, half))
    as_is = e.OR(e.EQ(wide, full_like(wide, 0)), e.NOT(e.ISFINITE(wide)))
    m = e.SELECT(as_is, wide, e.BITCAST(mantissa, dtype=wide.dtype))
    n = e.SELECT(as_is, full_like(code, 0), e.SUB(exponent, shift))
    return cast(m, x.dtype), cast(n, I32)


@rule(np.logaddexp2)
def _logaddexp2(a: Value, b: Value) -> Value:
    """log2(2**a + 2**b) = max + log2(1 + 2**-|a - b|); equal operands (infinities too) give a +
    1.
    """
    dtype = a.dtype
    if dtype in (F16, BF16):
        a, b = cast(a, F32), cast(b, F32)
    distance = e.NEG(e.ABS(e.SUB(a, b)))
    tail = e.MUL(e.LOG1P(e.EXP2(distance)), full_like(a, 1.0 / math.log(2.0)))
    found = e.ADD(e.MAX(a, b), tail)
    return cast(e.SELECT(e.EQ(a, b), e.ADD(a, full_like(a, 1)), found), dtype)


def _power(a: Any, b: Any, **options: Any) -> Value:
    if isinstance(b, int) and not isinstance(b, bool) and b < 0:
        kind = stands_for(a)
        if kind is int or (isinstance(kind, DType) and kind.is_integer):
            raise ValueError("Integers to negative integer powers are not allowed.")
    return call(np.power, a, b, **options)


# ------------------------------------------------------------------------ the calls, by their names


def _named(ufunc: np.ufunc) -> Rule:
    return partial(call, ufunc)


absolute, add, arccos, arccosh = map(_named, (np.absolute, np.add, np.arccos, np.arccosh))
arctan2, bitwise_and, bitwise_or = map(_named, (np.arctan2, np.bitwise_and, np.bitwise_or))
ceil, conjugate, copysign, cos = map(_named, (np.ceil, np.conjugate, np.copysign, np.cos))
divide, equal, exp, exp2, expm1 = map(_named, (np.divide, np.equal, np.exp, np.exp2, np.expm1))
floor, floor_divide, fmax, fmin = map(_named, (np.floor, np.floor_divide, np.fmax, np.fmin))
greater, greater_equal, hypot = map(_named, (np.greater, np.greater_equal, np.hypot))
isfinite, isinf, isnan, less = map(_named, (np.isfinite, np.isinf, np.isnan, np.less))
less_equal, log, log1p, log2, log10 = map(
    _named, (np.less_equal, np.log, np.log1p, np.log2, np.log10)
)
logical_and, logical_not, logical_or = map(_named, (np.logical_and, np.logical_not, np.logical_or))
maximum, minimum, multiply, negative = map(
    _named, (np.maximum, np.minimum, np.multiply, np.negative)
)
not_equal, power, reciprocal, remainder = map(
    _named, (np.not_equal, np.power, np.reciprocal, np.remainder)
)
rint, sign, signbit, sin, sqrt, square = map(
    _named, (np.rint, np.sign, np.signbit, np.sin, np.sqrt, np.square)
)
subtract, tan, tanh, trunc = map(_named, (np.subtract, np.tan, np.tanh, np.trunc))
RAW: dict[np.ufunc, Rule] = {f: _named(f) for f in RULES}
RAW[np.power] = _power


def where(cond: Any, a: Any, b: Any) -> Value:
    """numpy.where over values, Python numbers weak."""
    dtype = result_dtype(a, b)
    x, y, c = broadcast(checked(a, dtype), checked(b, dtype), dispatch.value(cond, BOOL))
    return e.SELECT(c, x, y)
