"""The ops of `loops/scalar.py` on integers and bool, called by `scalar_llvm.emit`.

Division: LLVM's sdiv and udiv are undefined for a zero divisor and for INT_MIN / -1, and vectors
of them become scalar divisions. So divisors are made safe first, and vectors of up to 32 bits
divide as floats that hold quotient and remainder exactly. A constant divisor goes to LLVM as it is
(a multiplication).
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import LoweringError
from ..loops.scalar import threefry
from ..types import BOOL, DTYPES, F32, F64, I32, DType
from .llvm_builder import Builder, Val, overload_suffix
from .math.lanes import V, where


def emit(b: Builder, name: str, args: list[Val], dtype: DType) -> Val:
    """The op on integers or bool."""
    if name not in _OPS:
        raise LoweringError(f"{name} has no integer form")
    return _OPS[name](*(V(b, a) for a in args)).val


def _absolute(x: V) -> V:
    """|x| with the least integer left as it is (its unsigned view is right)."""
    return x if x.dtype.kind == "u" else where(x.lt(0), 0 - x, x)


def _unsigned(x: V) -> V:
    return V(x.b, x.b.view(x.val, DTYPES["u" + x.dtype.name[1:]]))


def _sign(x: V) -> V:
    positive = where(x.gt(0), V(x.b, x.b.const(1, x.dtype, x.lanes)), 0)
    return positive if x.dtype.kind == "u" else where(x.lt(0), -1, positive)


# --------------------------------------------------------------------------------------- division


def _quotient(x: V, y: V) -> tuple[V, V]:
    """(truncated quotient, y == 0); where y is 0 the quotient is not meant to be used.

    INT_MIN / -1 wraps to INT_MIN.
    """
    b, constant = x.b, y.val.value
    if constant not in (None, 0, -1):
        return V(b, b.div(x.val, y.val)), V(b, b.const(False, BOOL, x.lanes))
    zero = y.eq(0)
    y = where(zero, 1, y)
    if x.dtype.bits <= 32 and (x.lanes > 1 or x.dtype.bits < 32):
        # a quotient that is no integer is at least 1/|a| of itself away from one: no rounding
        # reaches it
        wide = F64 if x.dtype.bits == 32 else F32
        quotient = (x.to(wide) / y.to(wide)).trunc()
        if x.dtype.bits == 32 and x.dtype.kind == "i":
            # -2**31 / -1 = 2**31 does not fit: as an i64 it is cut to INT_MIN
            return quotient.to(DTYPES["i64"]).to(I32), zero
        return quotient.to(x.dtype), zero
    if x.dtype.kind == "i":
        minus = y.eq(-1)
        safe = V(b, b.div(x.val, where(minus, 1, y).val))
        return where(minus, 0 - x, safe), zero
    return V(b, b.div(x.val, y.val)), zero


def _fmod(x: V, y: V) -> V:
    q, zero = _quotient(x, y)
    return where(zero, 0, x - q * y)


def _floordiv(x: V, y: V) -> V:
    q, zero = _quotient(x, y)
    if x.dtype.kind == "i":
        below = (x - q * y).ne(0) & (x ^ y).lt(0)
        q = where(below, q - 1, q)
    return where(zero, 0, q)


def _mod(x: V, y: V) -> V:
    q, zero = _quotient(x, y)
    r = x - q * y
    if x.dtype.kind == "i":
        r = where(r.ne(0) & (r ^ y).lt(0), r + y, r)
    return where(zero, 0, r)


# ------------------------------------------------------------------------------------------ powers


def _pow(x: V, n: V) -> V:
    """By squaring; a constant exponent is written out."""
    b, constant = x.b, n.val.value
    if constant is not None and 0 <= constant <= 64:
        return _constant_power(x, int(constant))
    one = b.const(1, x.dtype, x.lanes)
    signed = x.dtype.kind == "i"
    negative = n.lt(0) if signed else None
    rest = n if negative is None else where(negative, n & 1, n)

    def step(state: list[Val]) -> list[Val]:
        result, square, left = (V(b, v) for v in state)
        result = where((left & 1).ne(0), result * square, result)
        return [result.val, (square * square).val, (left >> 1).val]

    def going(state: list[Val]) -> Val:
        return b.any(b.cmp("ne", state[2], 0))

    result = V(b, b.while_loop([one, x.val, rest.val], going, step)[0])
    if negative is None:
        return result
    unit = x.eq(1) | x.eq(-1)
    return where(negative & ~unit, 0, result)


def _constant_power(x: V, n: int) -> V:
    result = V(x.b, x.b.const(1, x.dtype, x.lanes))
    started = False
    while n:
        if n & 1:
            result, started = (result * x if started else x), True
        n >>= 1
        x = x * x if n else x
    return result


# -------------------------------------------------------------------------------------------- bits


def _shl(x: V, count: V) -> V:
    inside = _unsigned(count).lt(x.dtype.bits)
    return where(inside, x << where(inside, count, 0), 0)


def _shr(x: V, count: V) -> V:
    inside = _unsigned(count).lt(x.dtype.bits)
    if x.dtype.kind == "i":
        return x >> where(inside, count, x.dtype.bits - 1)
    return where(inside, x >> where(inside, count, 0), 0)


def _popcount(x: V) -> V:
    return V(x.b, x.b.intrinsic("ctpop", _absolute(x).val))


def _trailing_zeros(x: V) -> V:
    """Of a nonzero number."""
    b = x.b
    symbol = f"llvm.cttz.{overload_suffix(x.dtype, x.lanes)}"
    b.module.declare(symbol, x.val.type, [x.val.type, "i1 immarg"])
    return V(b, b.emit(f"call {x.val.type} @{symbol}({x.val}, i1 false)", x.dtype, x.lanes))


def _gcd(x: V, y: V) -> V:
    """Stein's: subtract the lesser odd number from the greater, drop factors of 2; unsigned."""
    b, dtype = x.b, x.dtype
    a, c = _unsigned(_absolute(x)), _unsigned(_absolute(y))
    both = a | c
    width = x.dtype.bits - 1
    twos = where(both.eq(0), 0, _trailing_zeros(both) & width)

    def odd(v: V) -> V:
        return where(v.eq(0), v, v >> (_trailing_zeros(v) & width))

    def step(state: list[Val]) -> list[Val]:
        u, v = V(b, state[0]), V(b, state[1])  # u odd or 0
        v = odd(v)
        lesser = where(u.lt(v), u, v)
        greater = where(u.lt(v), v, u)
        done = v.eq(0) | u.eq(0)
        kept = where(v.eq(0), u, v)
        return [where(done, kept, lesser).val, where(done, 0, greater - lesser).val]

    def going(state: list[Val]) -> Val:
        return b.any(b.cmp("ne", state[1], 0))

    u = V(b, b.while_loop([odd(a).val, c.val], going, step)[0])
    # where c was 0 from the start, u is a without its twos; where a was 0, one step has set it
    return V(b, b.view((u << twos).val, dtype))


def _lcm(x: V, y: V) -> V:
    b, dtype = x.b, x.dtype
    divisor = _unsigned(_gcd(x, y))
    a, c = _unsigned(_absolute(x)), _unsigned(_absolute(y))
    quotient, zero = _quotient(a, divisor)
    return where(zero, 0, V(b, b.view((quotient * c).val, dtype)))


# ------------------------------------------------------------------------------------ random words


def _threefry(which: int) -> Callable[..., V]:
    """In place: LLVM sees rotations in the shifts, and that both words of a counter are one
    computation.
    """

    def word(*args: V) -> V:
        return threefry(*args, rotate=lambda x, r: (x << r) | (x >> (32 - r)))[which]

    return word


_OPS: dict[str, Callable[..., V]] = {
    "threefry_first": _threefry(0),
    "threefry_second": _threefry(1),
    "abs": _absolute,
    "sign": _sign,
    "floordiv": _floordiv,
    "mod": _mod,
    "fmod": _fmod,
    "pow": _pow,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "not": lambda x: ~x,
    "shl": _shl,
    "shr": _shr,
    "popcount": _popcount,
    "gcd": _gcd,
    "lcm": _lcm,
}
