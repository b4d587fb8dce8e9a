"""Division of lanes by one number: two products with its reciprocal in two parts.

1/d = h + l, h rounded towards zero; a/d = fma(a, h, a*l), one rounding but for the error of a*l,
which is 2**-24 of 2**-24 (Brisebarre, Muller and Raina 2004, "Accelerating correctly rounded
floating-point division when the divisor is known in advance"). h and l have the sign of d and l is
never 0, so zeros, infinities, NaN and overflow come out as those of the division. Measured against
it: the same bits in all but 1 of some 10**7 random quotients, then the neighbour. Dividends so
small that a*l is subnormal (below 2**-54 of f32, 2**-468 of f64, for the greatest divisors) may be
off by 1.5 units. Called by `codegen/llvm.py`; knows nothing of loops.
"""

from __future__ import annotations

from graphc_runtime.records import dataclass

from ..types import F32, F64, I32, I64, U32, U64, DType
from .llvm_builder import Builder, Val

RANGE: dict[DType, int] = {F32: 48, F64: 500}
"""Reciprocals from 2**-n to 2**n have both parts among the normal numbers."""


@dataclass(frozen=True, slots=True)
class Reciprocal:
    """1/d = high + low; `usual`: whether d is a divisor for which they serve."""

    high: Val
    low: Val
    usual: Val


def reciprocal(b: Builder, divisor: Val) -> Reciprocal:
    """The reciprocal of a scalar, in two parts with its sign."""
    high, low = _reciprocal(b, b.fabs(divisor))
    usual = _is_usual(b, high)
    return Reciprocal(b.copysign(high, divisor), b.copysign(low, divisor), usual)


def divide_by_uniform(b: Builder, a: Val, divisor: Val, known: Reciprocal | None = None) -> Val:
    """a / divisor where all lanes have one divisor (a scalar); unusual ones divide.

    `known` is its reciprocal, made before a loop: LLVM does not take it out of one here.
    """
    lanes = a.lanes
    if not b.isa.has_fma:
        return b.div(a, b.splat(divisor, lanes))
    parts = known or reciprocal(b, divisor)

    def multiply() -> list[Val]:
        return [b.fma(a, b.splat(parts.high, lanes), b.mul(a, b.splat(parts.low, lanes)))]

    def division() -> list[Val]:
        return [b.div(a, b.splat(divisor, lanes))]

    return b.branch(parts.usual, multiply, division, likely=True)[0]


def _reciprocal(b: Builder, d: Val) -> tuple[Val, Val]:
    """1/d = h + l for d > 0: h <= 1/d, l > 0 to its last place. For others whatever comes."""
    dtype = d.dtype
    word = I32 if dtype is F32 else I64
    one = b.const(1.0, dtype)
    nearest = b.div(one, d)
    above = b.cmp("lt", b.fma(b.neg(d), nearest, one), 0.0)
    below = b.bitcast(b.sub(b.bitcast(nearest, word), 1), dtype)
    high = b.select(above, below, nearest)
    error = b.fma(b.neg(d), high, one)  # exact; 1/d = high (1 + error + error**2 + ...)
    first = b.mul(high, error)
    low = b.fma(first, error, first)
    least = b.const(2.0**-126 if dtype is F32 else 2.0**-1022, dtype)
    return high, b.select(b.cmp("gt", low, least), low, least)


def _is_usual(b: Builder, x: Val) -> Val:
    """2**-RANGE <= x < 2**RANGE; False for NaN."""
    word, unsigned, mantissa, bias = (I32, U32, 23, 127) if x.dtype is F32 else (I64, U64, 52, 1023)
    limit = RANGE[x.dtype]
    distance = b.view(b.sub(b.bitcast(x, word), (bias - limit) << mantissa), unsigned)
    return b.cmp("lt", distance, 2 * limit << mantissa)
