"""The scalar operations of the loop IR: one table, read by the evaluator and by both backends.

All operands of one op have the same dtype (casts are explicit expressions) and complex numbers
never appear: the lowering splits them. `result` says the dtype of the value: "same" is the
operands' dtype, "bool" is a truth value. `numpy` is the meaning: a callable over arrays of one
dtype.

Rules that hold for every op:
- Integers wrap around. Integer division and remainder by zero give 0, INT_MIN // -1 wraps (NumPy).
- f16 and bf16 compute in f32 and round to the type after each op, as NumPy and ml_dtypes do.
- Floats follow IEEE 754 in NaN, infinities and signed zeros; which NaN comes out is not said. `min`
  and `max` of zeros of both signs give either zero.
- `fma` may round once or twice (contraction is allowed, see `codegen/llvm_builder.py`).
- `tf32` does on every backend what ptxas makes of `cvt.rna.tf32.f32`: numbers next to the largest
  one become infinite, and the lowest 13 bits of a NaN are lost, so one that has no others becomes
  infinite, too (neither the processor nor a GPU makes such).

Words of parts. A contraction of narrow numbers reads several terms at once: `join2` and `join4` lay
numbers of 16 or 8 bits side by side in a u32, the first in the lowest bits, and `dot_...` of two
such words is the sum of the products of their parts. Where the target has an instruction for it,
an Accumulate of a dot is one. `dot_u8_i8` and `dot_i16` are sums of i32, exact modulo 2**32, never
saturated. `dot_bf16` is a sum of f32: the products are exact, each addition rounds to f32, in
either order; AVX512-BF16 takes subnormal numbers as 0, in operands, sums and results.

Source: NumPy's ufuncs of the same meaning; C99 Annex F for the special values of the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from ..types import BF16, DTYPES, I8, I16, U8, DType

Array = Any


@dataclass(frozen=True, slots=True)
class ScalarOp:
    """One scalar operation.

    `kinds` lists the dtype kinds it admits ("b" bool, "i" signed, "u" unsigned, "f" float), `bits`
    their width where there is only one; `result` is "same" or the name of a dtype; `numpy` takes
    `arity` arrays of one dtype and returns an array of the result dtype.
    """

    name: str
    arity: int
    doc: str
    result: str
    kinds: str
    numpy: Callable[..., Array]
    bits: int = 0

    def takes(self, dtype: DType) -> bool:
        """Whether operands may have a dtype."""
        return dtype.kind in self.kinds and self.bits in (0, dtype.bits)

    def gives(self, dtype: DType) -> DType:
        """The dtype of the value, of operands of a dtype."""
        return dtype if self.result == "same" else DTYPES[self.result]


SCALAR_OPS: dict[str, ScalarOp] = {}


def apply(name: str, *args: Array) -> Array:
    """The op on arrays (or scalars) of one dtype, without floating-point warnings."""
    with np.errstate(all="ignore"):
        return SCALAR_OPS[name].numpy(*args)


def _narrow(dtype: np.dtype) -> bool:
    """Is it f16 or bf16, whose functions go through f32?"""
    return dtype.itemsize == 2 and (dtype.kind == "f" or dtype.name == "bfloat16")


def _is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f" or dtype.name == "bfloat16"


def _through_f32(function: Callable[..., Array]) -> Callable[..., Array]:
    def call(*args: Array) -> Array:
        arrays = [np.asarray(a) for a in args]
        dtype = arrays[0].dtype
        if not _narrow(dtype):
            return function(*arrays)
        result = np.asarray(function(*(a.astype(np.float32) for a in arrays)))
        return result if result.dtype.kind == "b" else result.astype(dtype)

    return call


def _op(
    name: str,
    arity: int,
    kinds: str,
    doc: str,
    function: Callable[..., Array],
    result: str = "same",
) -> None:
    SCALAR_OPS[name] = ScalarOp(name, arity, doc, result, kinds, _through_f32(function))


def _pointwise(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of Python floats over an array; where it overflows or has a pole it gives +inf."""

    def one(x: float) -> float:
        try:
            return function(x)
        except (ValueError, OverflowError):
            return math.inf

    vectorized = np.vectorize(one, otypes=[np.float64])

    def call(x: Array) -> Array:
        return vectorized(x.astype(np.float64)).astype(x.dtype)

    return call


# ------------------------------------------------------------------------------------- arithmetic


def _by_kind(integer: Callable[..., Array], other: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *a: integer(*a) if np.asarray(a[0]).dtype.kind in "iu" else other(*a)


def _int_pow(base: Array, exponent: Array) -> Array:
    """By squaring, wrapping around; a negative exponent gives 0, except for bases 1 and -1."""
    base, exponent = np.broadcast_arrays(base, exponent)
    negative = exponent < 0
    rest = np.where(negative, exponent & exponent.dtype.type(1), exponent)
    square, result = base.copy(), np.ones_like(base)
    while np.any(rest != 0):
        result = np.where(rest & 1 != 0, result * square, result)
        square = square * square
        rest = rest >> 1
    unit = (base == 1) | (base + base.dtype.type(1) == 0)
    return np.where(negative & ~unit, base.dtype.type(0), result).astype(base.dtype)


def _float_pow(base: Array, exponent: Array) -> Array:
    """C99's pow. NumPy's takes a square root where one exponent of 0.5 is for all elements, which
    is NaN for -inf and -0.0 for -0.0.
    """
    shape = np.broadcast_shapes(base.shape, exponent.shape)
    each = np.array(np.broadcast_to(exponent, shape), ndmin=1)
    return np.power(base, each).reshape(shape)


def _int_fmod(a: Array, b: Array) -> Array:
    """C's `%`: the sign of the dividend; 0 for a divisor of 0 or -1 (which would overflow)."""
    return np.fmod(a, np.where(b == 0, b.dtype.type(1), b))


def _fma(a: Array, b: Array, c: Array) -> Array:
    if a.dtype == np.float32:  # the product is exact in f64: one rounding but for rare double ones
        return (a.astype(np.float64) * b + c).astype(np.float32)
    return a * b + c


def _lcm(a: Array, b: Array) -> Array:
    return np.lcm(a, b)


def _shift_count(x: Array, count: Array) -> tuple[Array, Array]:
    """Whether the count is outside [0, width), and a count that is inside."""
    outside = (count < 0) | (count >= x.dtype.itemsize * 8)
    return outside, np.where(outside, x.dtype.type(0), count)


def _shl(x: Array, count: Array) -> Array:
    outside, inside = _shift_count(x, count)
    return np.where(outside, x.dtype.type(0), np.left_shift(x, inside)).astype(x.dtype)


def _shr(x: Array, count: Array) -> Array:
    outside, inside = _shift_count(x, count)
    fill = np.where(x < 0, x.dtype.type(-1), x.dtype.type(0)) if x.dtype.kind == "i" else x * 0
    return np.where(outside, fill, np.right_shift(x, inside)).astype(x.dtype)


_op("add", 2, "biuf", "a + b; or, for bool", np.add)
_op("sub", 2, "iuf", "a - b", np.subtract)
_op("mul", 2, "biuf", "a * b; and, for bool", np.multiply)
_op("div", 2, "f", "a / b", lambda a, b: np.true_divide(a, b))
_op("floordiv", 2, "iuf", "floor(a / b), NumPy's floor_divide", np.floor_divide)
_op("mod", 2, "iuf", "a - b*floor(a / b), the sign of b, NumPy's remainder", np.remainder)
_op("fmod", 2, "iuf", "a - b*trunc(a / b), exact, the sign of a", _by_kind(_int_fmod, np.fmod))
_op(
    "pow",
    2,
    "iuf",
    "a**b; integers wrap, negative exponents give 0 or ±1",
    _by_kind(_int_pow, _float_pow),
)
_op("neg", 1, "iuf", "-a", np.negative)
_op("abs", 1, "iuf", "|a|; the least integer stays", np.absolute)
_op("sign", 1, "iuf", "-1, 0 or 1; NaN stays NaN", np.sign)
_op("min", 2, "biuf", "the lesser; NaN if either is NaN", np.minimum)
_op("max", 2, "biuf", "the greater; NaN if either is NaN", np.maximum)
_op("fmin", 2, "f", "the lesser; the other operand if one is NaN", np.fmin)
_op("fmax", 2, "f", "the greater; the other operand if one is NaN", np.fmax)
_op("fma", 3, "iuf", "a*b + c, rounded once or twice", _fma)
_op("sqrt", 1, "f", "the square root, correctly rounded", np.sqrt)
_op("cbrt", 1, "f", "the cube root", np.cbrt)
_op("reciprocal", 1, "f", "1 / a", lambda a: a.dtype.type(1) / a)
_op("rsqrt", 1, "f", "1 / sqrt(a)", lambda a: a.dtype.type(1) / np.sqrt(a))

# ------------------------------------------------------------------------------------- functions

_FUNCTIONS: tuple[tuple[str, int, str, Callable[..., Array]], ...] = (
    ("exp", 1, "e**a", np.exp),
    ("exp2", 1, "2**a", np.exp2),
    ("expm1", 1, "e**a - 1", np.expm1),
    ("log", 1, "the natural logarithm", np.log),
    ("log2", 1, "the logarithm to base 2", np.log2),
    ("log10", 1, "the logarithm to base 10", np.log10),
    ("log1p", 1, "log(1 + a)", np.log1p),
    ("sin", 1, "the sine, a in radians", np.sin),
    ("cos", 1, "the cosine, a in radians", np.cos),
    ("tan", 1, "the tangent, a in radians", np.tan),
    ("asin", 1, "the inverse sine, in [-π/2, π/2]", np.arcsin),
    ("acos", 1, "the inverse cosine, in [0, π]", np.arccos),
    ("atan", 1, "the inverse tangent, in [-π/2, π/2]", np.arctan),
    ("sinh", 1, "(e**a - e**-a) / 2", np.sinh),
    ("cosh", 1, "(e**a + e**-a) / 2", np.cosh),
    ("tanh", 1, "sinh(a) / cosh(a)", np.tanh),
    ("asinh", 1, "the inverse of sinh", np.arcsinh),
    ("acosh", 1, "the inverse of cosh, a >= 1", np.arccosh),
    ("atanh", 1, "the inverse of tanh, |a| <= 1", np.arctanh),
    ("atan2", 2, "the angle of the point (b, a), in [-π, π]", np.arctan2),
    ("hypot", 2, "sqrt(a*a + b*b) without overflow", np.hypot),
    ("erf", 1, "2/sqrt(π) ∫_0^a exp(-t*t) dt", _pointwise(math.erf)),
    ("erfc", 1, "1 - erf(a), accurate where it is small", _pointwise(math.erfc)),
    ("lgamma", 1, "log|Γ(a)|", _pointwise(math.lgamma)),
    ("copysign", 2, "|a| with the sign of b", np.copysign),
    ("floor", 1, "the greatest integer not above a", np.floor),
    ("ceil", 1, "the least integer not below a", np.ceil),
    ("trunc", 1, "a without its fraction", np.trunc),
    ("rint", 1, "the nearest integer, ties to even", np.rint),
    ("logaddexp", 2, "log(e**a + e**b)", np.logaddexp),
)
for _name, _arity, _doc, _function in _FUNCTIONS:
    _op(_name, _arity, "f", _doc, _function)


def _ldexp(x: Array, n: Array) -> Array:
    """NumPy's takes a C int; the count is cut to where the result no longer changes."""
    finite = np.where(np.isnan(n), 0, np.clip(n, -5000, 5000)).astype(np.int32)
    return np.where(np.isnan(n), n, np.ldexp(x, finite)).astype(x.dtype)


_op("ldexp", 2, "f", "a * 2**b, b an integer in a float", _ldexp)
# not through f32: the neighbour is one of the type's own numbers
SCALAR_OPS["nextafter"] = ScalarOp(
    "nextafter", 2, "the number next to a towards b", "same", "f", np.nextafter
)


def _tf32(x: Array) -> Array:
    bits = np.asarray(x).view(np.uint32)
    near = np.where(np.isfinite(x), bits + np.uint32(0x1000), bits)
    return (near & np.uint32(0xFFFFE000)).view(np.float32)


SCALAR_OPS["tf32"] = ScalarOp(
    "tf32", 1, "the nearest number with 10 bits after the point, ties away from zero", "same", "f",
    _tf32, 32,
)  # fmt: skip

# ------------------------------------------------------------------- comparisons, logic and bits

for _name, _sign, _function in (
    ("eq", "==", np.equal),
    ("ne", "!=", np.not_equal),
    ("lt", "<", np.less),
    ("le", "<=", np.less_equal),
    ("gt", ">", np.greater),
    ("ge", ">=", np.greater_equal),
):
    _op(_name, 2, "biuf", f"a {_sign} b; with NaN only != holds", _function, "bool")

_op("and", 2, "biu", "a & b", np.bitwise_and)
_op("or", 2, "biu", "a | b", np.bitwise_or)
_op("xor", 2, "biu", "a ^ b", np.bitwise_xor)
_op("not", 1, "biu", "~a", np.invert)
_op("shl", 2, "iu", "a << b; 0 when b is negative or not below the width", _shl)
_op(
    "shr", 2, "iu", "a >> b, arithmetic for signed; all sign bits when b is not in [0, width)", _shr
)
_op(
    "popcount",
    1,
    "iu",
    "the number of 1 bits of |a|",
    lambda a: np.bitwise_count(a).astype(a.dtype),
)
_op("gcd", 2, "iu", "the greatest common divisor of |a| and |b|", np.gcd)
_op("lcm", 2, "iu", "the least common multiple of |a| and |b|, wrapping", _lcm)
_op("isnan", 1, "f", "is it NaN?", np.isnan, "bool")
_op("isinf", 1, "f", "is it an infinity?", np.isinf, "bool")
_op("isfinite", 1, "f", "is it neither NaN nor an infinity?", np.isfinite, "bool")
_op("signbit", 1, "f", "is the sign bit set?", np.signbit, "bool")

# ----------------------------------------------------------------------------------- words of parts


def _join(*parts: Array) -> Array:
    """The bits of the parts side by side, the first in the lowest."""
    width = 32 // len(parts)
    total = np.uint32(0)
    for k, part in enumerate(parts):
        bits = np.asarray(part).view(f"u{width // 8}").astype(np.uint32)
        total = total | (bits << np.uint32(k * width))
    return total


def _split(word: Array, dtype: np.dtype) -> list[Array]:
    """The parts of words, the lowest first."""
    width = 8 * dtype.itemsize
    bits = [np.asarray(word) >> np.uint32(k) for k in range(0, 32, width)]
    return [b.astype(f"u{dtype.itemsize}").view(dtype) for b in bits]


def _dot(a_dtype: DType, b_dtype: DType, sum_dtype: DType) -> Callable[..., Array]:
    def dot(a: Array, b: Array) -> Array:
        # asked for when it runs: bfloat16 is a dtype of a library that few programs need
        pairs = zip(_split(a, a_dtype.numpy), _split(b, b_dtype.numpy), strict=True)
        total = np.asarray(0, sum_dtype.numpy)
        for x, y in reversed(list(pairs)):
            total = total + x.astype(sum_dtype.numpy) * y.astype(sum_dtype.numpy)
        return total

    return dot


for _count, _kinds in ((2, "iuf"), (4, "iu")):
    SCALAR_OPS[f"join{_count}"] = ScalarOp(
        f"join{_count}", _count, f"{_count} numbers side by side in a word, the first lowest",
        "u32", _kinds, _join, 32 // _count,
    )  # fmt: skip
for _name, _a, _b, _sum, _doc in (
    ("dot_u8_i8", U8, I8, "i32", "a0*b0 + .. + a3*b3 of u8 parts of a, i8 parts of b"),
    ("dot_i16", I16, I16, "i32", "a0*b0 + a1*b1 of i16 parts"),
    ("dot_bf16", BF16, BF16, "f32", "a0*b0 + a1*b1 of bf16 parts"),
):
    _function = _dot(_a, _b, DTYPES[_sum])
    SCALAR_OPS[_name] = ScalarOp(_name, 2, _doc, _sum, "u", _function, 32)

# ------------------------------------------------------------------------------------ random words

THREEFRY_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
THREEFRY_PARITY = 0x1BD11BDA


def threefry(k0: Any, k1: Any, c0: Any, c1: Any, rotate: Callable[[Any, int], Any]) -> Any:
    """Threefry-2x32 with 20 rounds: the two words that a key and a counter give.

    Written over anything with `+` modulo 2**32 and `^`; `rotate(x, r)` turns a word left by r bits.
    Source: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), and Random123
    """
    keys = (k0, k1, k0 ^ k1 ^ THREEFRY_PARITY)
    x, y = c0 + k0, c1 + k1
    for group in range(5):
        for r in THREEFRY_ROTATIONS[group % 2]:
            x = x + y
            y = rotate(y, r) ^ x
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + (group + 1)
    return x, y


def _word(which: int) -> Callable[..., Array]:
    def word(*args: Array) -> Array:
        words = np.broadcast_arrays(*(np.asarray(a, np.uint32) for a in args))
        found = threefry(*(np.atleast_1d(w) for w in words), rotate=_rotate)[which]
        return found.astype(np.uint32).reshape(words[0].shape)

    return word


def _rotate(x: Array, r: int) -> Array:
    return (x << np.uint32(r)) | (x >> np.uint32(32 - r))


for _which, _name in enumerate(("first", "second")):
    SCALAR_OPS[f"threefry_{_name}"] = ScalarOp(
        f"threefry_{_name}", 4, f"the {_name} word of Threefry-2x32-20: key a, b, counter c, d",
        "u32", "u", _word(_which), 32,
    )  # fmt: skip
