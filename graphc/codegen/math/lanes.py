"""`V`: a Val with operators, so that polynomial code reads as its formula; and the tools all
families share.

Everything here is exact or correctly rounded unless it says otherwise. The builder works without
contraction (see `Module.math_function`), so an expression means the roundings that it shows;
`fma(a, b, c)` and `Horner` use the target's fused instruction where there is one.

Source: T. J. Dekker, "A floating-point technique for extending the available precision" (1971) for
the pairs; W. Kahan for the residual of a quotient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Union

from graphc_runtime.records import dataclass

from ...types import F32, F64, I32, I64, U32, U64, DType
from ..llvm_builder import Builder, Val

Number = Union["V", int, float]


@dataclass(frozen=True, slots=True, eq=False)
class V:
    """A value and the builder that computes with it. Comparisons are methods: `a.lt(b)`."""

    b: Builder
    val: Val

    @property
    def dtype(self) -> DType:
        return self.val.dtype

    @property
    def lanes(self) -> int:
        return self.val.lanes

    @property
    def is_f64(self) -> bool:
        return self.val.dtype is F64

    def const(self, value: float) -> V:
        """A number in this value's dtype and lanes."""
        return V(self.b, self.b.const(value, self.dtype, self.lanes))

    def _two(self, method: Callable[..., Val], other: Number, flip: bool = False) -> V:
        y = other.val if isinstance(other, V) else other
        return V(self.b, method(y, self.val) if flip else method(self.val, y))

    def __add__(self, other: Number) -> V:
        return self._two(self.b.add, other)

    def __radd__(self, other: Number) -> V:
        return self._two(self.b.add, other, True)

    def __sub__(self, other: Number) -> V:
        return self._two(self.b.sub, other)

    def __rsub__(self, other: Number) -> V:
        return self._two(self.b.sub, other, True)

    def __mul__(self, other: Number) -> V:
        return self._two(self.b.mul, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Number) -> V:
        return self._two(self.b.div, other)

    def __rtruediv__(self, other: Number) -> V:
        return self._two(self.b.div, other, True)

    def __neg__(self) -> V:
        return V(self.b, self.b.neg(self.val))

    def __and__(self, other: Number) -> V:
        return self._two(self.b.and_, other)

    def __or__(self, other: Number) -> V:
        return self._two(self.b.or_, other)

    def __xor__(self, other: Number) -> V:
        return self._two(self.b.xor, other)

    def __invert__(self) -> V:
        return V(self.b, self.b.not_(self.val))

    def __lshift__(self, other: Number) -> V:
        return self._two(self.b.shl, other)

    def __rshift__(self, other: Number) -> V:
        return self._two(self.b.shr, other)

    def _compare(self, predicate: str, other: Number) -> V:
        y = other.val if isinstance(other, V) else other
        return V(self.b, self.b.cmp(predicate, self.val, y))

    def eq(self, other: Number) -> V:
        return self._compare("eq", other)

    def ne(self, other: Number) -> V:
        return self._compare("ne", other)

    def lt(self, other: Number) -> V:
        return self._compare("lt", other)

    def le(self, other: Number) -> V:
        return self._compare("le", other)

    def gt(self, other: Number) -> V:
        return self._compare("gt", other)

    def ge(self, other: Number) -> V:
        return self._compare("ge", other)

    def isnan(self) -> V:
        return V(self.b, self.b.isnan(self.val))

    def abs(self) -> V:
        return V(self.b, self.b.fabs(self.val))

    def sqrt(self) -> V:
        return V(self.b, self.b.sqrt(self.val))

    def copysign(self, other: Number) -> V:
        return self._two(self.b.copysign, other)

    def rint(self) -> V:
        return V(self.b, self.b.round_to_integer("rint", self.val))

    def trunc(self) -> V:
        return V(self.b, self.b.round_to_integer("trunc", self.val))

    def floor(self) -> V:
        return V(self.b, self.b.round_to_integer("floor", self.val))

    def lesser(self, bound: float) -> V:
        """min(bound, self); NaN stays."""
        return V(self.b, self.b.lesser(self.b.const(bound, self.dtype, self.lanes), self.val))

    def greater(self, bound: float) -> V:
        """max(bound, self); NaN stays."""
        return V(self.b, self.b.greater(self.b.const(bound, self.dtype, self.lanes), self.val))

    def to(self, dtype: DType) -> V:
        return V(self.b, self.b.cast(self.val, dtype))

    def bits(self) -> V:
        """The bits as a signed integer."""
        return V(self.b, self.b.bitcast(self.val, I64 if self.is_f64 else I32))

    def as_float(self) -> V:
        """Integer bits as a float of the width."""
        return V(self.b, self.b.bitcast(self.val, F64 if self.dtype.bits == 64 else F32))

    def unsigned(self) -> V:
        return V(self.b, self.b.view(self.val, U64 if self.dtype.bits == 64 else U32))

    def signed(self) -> V:
        return V(self.b, self.b.view(self.val, I64 if self.dtype.bits == 64 else I32))


def where(cond: V, a: Number, b: Number) -> V:
    """a where cond, else b; one of them is a V."""
    x = a.val if isinstance(a, V) else a
    y = b.val if isinstance(b, V) else b
    return V(cond.b, cond.b.select(cond.val, x, y))


def fma(a: V, b: Number, c: Number) -> V:
    """a*b + c, in one rounding where the target has the instruction."""
    y = b.val if isinstance(b, V) else b
    z = c.val if isinstance(c, V) else c
    return V(a.b, a.b.fma(a.val, y, z))


def horner(x: V, coefficients: Sequence[float]) -> V:
    """sum(c[k] * x**k), lowest power first.

    Long ones run as two chains in x**2: a core waits for the latency of one chain rather than for
    its arithmetic (log in f32: 1.04 cycles per element with one chain, 0.66 with two; four gain no
    more). Not without fma: two chains, each greater than their sum, would be rounded too often.
    """
    if len(coefficients) < 5 or not x.b.isa.has_fma:
        return _chain(x, coefficients)
    square = x * x
    return fma(_chain(square, coefficients[1::2]), x, _chain(square, coefficients[0::2]))


def _chain(x: V, coefficients: Sequence[float]) -> V:
    total = x.const(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = fma(x, total, c)
    return total


# --------------------------------------------------------------------------------- pairs hi + lo


@dataclass(frozen=True, slots=True)
class Pair:
    """An unevaluated sum hi + lo, |lo| <= ulp(hi)/2."""

    hi: V
    lo: V


def quick_sum(a: V, b: V) -> Pair:
    """a + b exactly, where |a| >= |b| or a is 0."""
    hi = a + b
    return Pair(hi, b - (hi - a))


def two_sum(a: V, b: Number) -> Pair:
    """a + b exactly."""
    y = b if isinstance(b, V) else a.const(b)
    hi = a + y
    part = hi - a
    return Pair(hi, (a - (hi - part)) + (y - part))


def _split(a: V) -> tuple[V, V]:
    """Two halves of the significand (Veltkamp)."""
    scaled = a * (134217729.0 if a.is_f64 else 4097.0)
    high = scaled - (scaled - a)
    return high, a - high


def two_product(a: V, b: V) -> Pair:
    """a * b exactly (barring overflow and underflow)."""
    hi = a * b
    if a.b.isa.has_fma:
        return Pair(hi, fma(a, b, -hi))
    (ah, al), (bh, bl) = _split(a), _split(b)
    return Pair(hi, ((ah * bh - hi) + ah * bl + al * bh) + al * bl)


def pair_times(x: Pair, y: Pair) -> Pair:
    """The product, with a relative error of a few units of the square of the rounding unit."""
    product = two_product(x.hi, y.hi)
    return quick_sum(product.hi, product.lo + fma(x.hi, y.lo, x.lo * y.hi))


def pair_plus(x: Pair, y: Pair) -> Pair:
    """The sum, accurate unless it cancels."""
    total = two_sum(x.hi, y.hi)
    return quick_sum(total.hi, total.lo + (x.lo + y.lo))


def constant_pair(like: V, value: float, rest: float) -> Pair:
    return Pair(like.const(value), like.const(rest))


# -------------------------------------------------------------------------------------- division


def divide(n: V, d: V, rest: V | None = None) -> V:
    """n / (d + rest), within 1 ulp, for d finite, normal and within 2**±100 (2**±1000 in f64).

    With AVX-512: an estimate of 14 bits (53 in f64) and one correction by the residual, which
    doubles its bits and takes a third of the time of the divide instruction. Elsewhere the
    instruction; with a rest and fma, the reciprocal by the instruction and the same correction.
    """
    if not n.b.isa.has_avx512 or n.lanes * n.dtype.bits < 256:
        if rest is None:
            return n / d
        if not n.b.isa.has_fma:
            q = n / d
            product = two_product(q, d)
            residual = (n - product.hi) - product.lo
            tiny = n.abs().lt(2.0**-900 if n.is_f64 else 2.0**-90)  # parts of the product underflow
            return q + (where(tiny, 0.0, residual) - q * rest) / d
        r = 1.0 / d
    else:
        r = estimate_reciprocal(d) if d.is_f64 else x86(d, "rcp14", [d.const(0.0)])
    q = n * r
    residual = fma(-d, q, n)
    return fma(residual if rest is None else fma(-rest, q, residual), r, q)


def reciprocal(d: V) -> V:
    """1 / d within 1 ulp, for the d of `divide`."""
    if not d.b.isa.has_avx512 or d.lanes * d.dtype.bits < 256:
        return 1.0 / d
    r = estimate_reciprocal(d)
    return fma(r, fma(-d, r, 1.0), r) if not d.is_f64 else r


def estimate_reciprocal(d: V) -> V:
    """1 / d to 27 bits (f32) or about 53 (f64); AVX-512 only."""
    r = x86(d, "rcp14", [d.const(0.0)])
    for _ in range(2 if d.is_f64 else 1):
        r = fma(r, fma(-d, r, 1.0), r)
    return r


def x86(a: V, name: str, extra: Sequence[V | int]) -> V:
    """An AVX-512 intrinsic `llvm.x86.avx512.<name>` in its masked form with all lanes on.

    `extra` are the operands between the first one and the mask. Short vectors are padded.
    """
    b, bits = a.b, a.dtype.bits
    if a.lanes * bits > 512:  # an f32 function that went through f64
        half = a.lanes // 2
        pieces = []
        for start in (0, half):
            cut = [e if isinstance(e, int) else V(b, b.slice(e.val, start, half)) for e in extra]
            pieces.append(x86(V(b, b.slice(a.val, start, half)), name, cut).val)
        return V(b, b.concat(pieces))
    width = max(128, a.lanes * bits)
    lanes = width // bits

    def pad(v: V) -> Val:
        if v.lanes == lanes or v.val.value is not None:
            return b.const(v.val.value, v.dtype, lanes) if v.val.value is not None else v.val
        if v.lanes == 1:
            return b.splat(v.val, lanes)
        return b.shuffle(v.val, None, [i % v.lanes for i in range(lanes)])

    first = pad(a)
    mask_bits = max(8, lanes)
    operands = [str(first)]
    operands += [f"i32 {e}" if isinstance(e, int) else str(pad(e)) for e in extra]
    operands.append(f"i{mask_bits} -1")
    kinds = [
        text.rsplit(" ", 1)[0] if not text.startswith("<") else first.type for text in operands
    ]
    if width == 512 and not name.startswith("rcp14"):
        operands.append("i32 4")  # the current rounding mode
        kinds.append("i32")
    letters = "pd" if bits == 64 else "ps"
    symbol_name = name if name.startswith("rcp14") else f"mask.{name}"
    symbol = f"llvm.x86.avx512.{symbol_name}.{letters}.{width}"
    kinds = [k + (" immarg" if k == "i32" else "") for k in kinds]
    b.module.declare(symbol, first.type, kinds)
    result = b.emit(f"call {first.type} @{symbol}({', '.join(operands)})", a.dtype, lanes)
    return V(b, b.slice(result, 0, a.lanes))


# ---------------------------------------------------------------------------------------- tables


def lookup16(index: V, like: V, name: str, table: Sequence[float]) -> V:
    """table[index & 15] in the dtype of `like`; `index` are integers of its width. AVX-512 only.

    One permutation of the registers that hold the table: no memory is gathered.
    """
    b, bits, dtype = index.b, like.dtype.bits, like.dtype
    lanes = 512 // bits
    if index.lanes > lanes:
        half = index.lanes // 2
        parts = [V(b, b.slice(index.val, start, half)) for start in (0, half)]
        return V(b, b.concat([lookup16(part, like, name, table).val for part in parts]))
    padded = index.val
    if index.lanes < lanes:
        padded = (
            b.splat(padded, lanes)
            if index.lanes == 1
            else b.shuffle(padded, None, [i % index.lanes for i in range(lanes)])
        )
    kind = f"<{lanes} x {'double' if like.is_f64 else 'float'}>"
    integers = f"<{lanes} x i{bits}>"
    data = b.module.constant_array(
        f"gc_{name}_{dtype.name}",
        "double" if like.is_f64 else "float",
        [b.const(v, dtype).ref for v in table],
    )
    rows = [
        b._emit(f"load {kind}, ptr getelementptr ({kind}, ptr {data}, i64 {k}), align 64")
        for k in range(16 // lanes)
    ]
    if like.is_f64:
        symbol = "llvm.x86.avx512.vpermi2var.pd.512"
        b.module.declare(symbol, kind, [kind, integers, kind])
        text = f"call {kind} @{symbol}({kind} {rows[0]}, {padded}, {kind} {rows[1]})"
    else:
        symbol = "llvm.x86.avx512.permvar.sf.512"
        b.module.declare(symbol, kind, [kind, integers])
        text = f"call {kind} @{symbol}({kind} {rows[0]}, {padded})"
    return V(b, b.slice(b.emit(text, dtype, lanes), 0, index.lanes))


# --------------------------------------------------------------------------------------- scaling


def power_of_two(n: V) -> V:
    """2**n for an integral float n within the exponents of normal numbers."""
    integer, shift, bias = (I64, 52, 1023) if n.is_f64 else (I32, 23, 127)
    # adding 1.5*2**52 puts the integer into the last bits: one instruction, where f64 -> i64 costs
    # many
    if n.is_f64:
        magic = 1.5 * 2.0**52
        return (((n + magic).bits() + bias) << shift).as_float()
    return ((n.to(integer) + bias) << shift).as_float()


def scale(x: V, n: V) -> V:
    """x * 2**n, rounded once, for |x| in [2**-2, 2**2] and n integral, within twice the
    exponents."""
    if x.b.isa.has_avx512:
        return x86(x, "scalef", [n, x.const(0.0)])
    half = (n * 0.5).floor()
    return x * power_of_two(half) * power_of_two(n - half)


def sign_of(x: V) -> V:
    """The sign bit of x in place, as integer bits."""
    return x.bits() & (-(2 ** (x.dtype.bits - 1)))


def with_sign(x: V, sign: V) -> V:
    """x (not negative) with the sign bit of `sign_of`."""
    return (x.bits() ^ sign).as_float()


def widen(function: Callable[..., V], *args: V) -> V:
    """An f32 function through f64: for those whose terms would cancel or overflow in f32."""
    return function(*(a.to(F64) for a in args)).to(F32)


INFINITY = math.inf
NAN = math.nan
