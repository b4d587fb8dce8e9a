"""Every op of `loops/scalar.py` as LLVM IR, in any number of lanes.

    emit(builder, "tanh", [x], F32) -> Val

`args` are Vals of one dtype, the `dtype` given, and of one number of lanes (a scalar among vectors
is splat). The result has the dtype that the op `gives`: mostly that one, or BOOL for comparisons
and tests. Meaning: the op's `numpy`.

Cheap ops become instructions in place. The functions of `codegen/math` become a call of an internal
function per (op, dtype, lanes), which LLVM inlines where it is used at most `Module.inline_limit`
times. Vectors longer than a register are cut into registers first, so that no function exists in
two lengths for nothing. f16 and bf16 compute in f32 and round once at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..errors import LoweringError
from ..loops.scalar import SCALAR_OPS
from ..types import BF16, BOOL, F16, F32, I16, DType
from . import dot_llvm, integer_llvm
from .llvm_builder import Builder, Val, register_type
from .math import FUNCTIONS
from .math.lanes import V


def emit(b: Builder, name: str, args: Sequence[Val], dtype: DType) -> Val:
    """The op on the arguments, in the builder's current block.

    Raises:
        LoweringError: when the op does not admit the dtype.
    """
    op = SCALAR_OPS[name]
    if not op.takes(dtype) or len(args) != op.arity:
        raise LoweringError(f"{name} does not take {len(args)} operands of {dtype}")
    lanes = max(a.lanes for a in args)
    args = [b.splat(a, lanes) for a in args]
    if name in _DIRECT:
        return _DIRECT[name](b, *args)
    if name in dot_llvm.OPS:
        return dot_llvm.emit(b, name, list(args))
    if dtype is BOOL or dtype.is_integer:
        return integer_llvm.emit(b, name, list(args), dtype)
    if dtype in (F16, BF16):
        return _narrow(b, name, args, dtype, op.result)
    if name in _FLOAT:
        return _FLOAT[name](b, *args)
    return _function(b, name, args, dtype)


def _narrow(b: Builder, name: str, args: Sequence[Val], dtype: DType, result: str) -> Val:
    """f16 and bf16: the op in f32, rounded to the type."""
    if name == "nextafter":
        return _nextafter(b, *args)
    value = emit(b, name, [b.view(a, F32) for a in args], F32)
    return value if result == "bool" else b.cast(value, dtype)


# ------------------------------------------------------------------------------ calls of functions


def _function(b: Builder, name: str, args: Sequence[Val], dtype: DType) -> Val:
    """A call of the internal function, register by register."""
    lanes, native = args[0].lanes, b.isa.native_lanes(dtype)
    if lanes > native:
        pieces = [
            _function(b, name, [b.slice(a, start, native) for a in args], dtype)
            for start in range(0, lanes, native)
        ]
        return b.concat(pieces)

    kind = register_type(dtype, lanes)
    params = [(f"x{i}", kind) for i in range(len(args))]

    def body(inner: Builder) -> None:
        operands = [V(inner, Val(f"%{param}", dtype, lanes)) for param, _ in params]
        inner.ret(FUNCTIONS[name](*operands).val)

    symbol = b.module.math_function(name, dtype, lanes, body, params, kind)
    return b.call(symbol, list(args), dtype, lanes)


# ----------------------------------------------------------------------------------- instructions


def _compare(predicate: str) -> Callable[..., Val]:
    return lambda b, x, y: b.cmp(predicate, x, y)


def _sign(b: Builder, x: Val) -> Val:
    """-1, 0 or 1 as a float; NaN stays; the sign of zero does not."""
    one = b.select(b.cmp("gt", x, 0.0), b.const(1.0, x.dtype, x.lanes), 0.0)
    one = b.select(b.cmp("lt", x, 0.0), -1.0, one)
    return b.select(b.isnan(x), x, one)


def _ignoring_nan(predicate: str) -> Callable[..., Val]:
    """fmin, fmax: the other operand where one is NaN."""

    def build(b: Builder, x: Val, y: Val) -> Val:
        chosen = b.select(b.cmp(predicate, x, y), x, y)  # y if either is NaN
        return b.select(b.isnan(y), x, chosen)

    return build


def _nextafter(b: Builder, x: Val, y: Val) -> Val:
    """One step of the bits, which are ordered as the numbers are, away from or towards zero."""
    integer = I16 if x.dtype.bits == 16 else V(b, b.const(0.0, x.dtype)).bits().dtype
    bits, target = V(b, b.bitcast(x, integer)), V(b, b.bitcast(y, integer))
    away = V(b, b.cmp("gt", b.fabs(y), b.fabs(x))) & ~((bits ^ target).lt(0))
    stepped = bits + V(b, b.select(away.val, b.const(1, integer, x.lanes), -1))
    least = (target & -(2 ** (integer.bits - 1))) | 1
    stepped = V(b, b.select(b.cmp("eq", x, 0.0), least.val, stepped.val))
    result = b.bitcast(stepped.val, x.dtype)
    result = b.select(b.cmp("eq", x, y), x if x.dtype is F16 else y, result)  # as NumPy: ±0
    nan = b.cmp("uno", x, y)
    return b.select(nan, math.nan, result)


def _tf32(b: Builder, x: Val) -> Val:
    bits = V(b, x).bits()
    near = b.select(b.cmp("lt", b.fabs(x), math.inf), (bits + 0x1000).val, bits.val)
    return b.bitcast((V(b, near) & -0x2000).val, x.dtype)


def _infinite(b: Builder, x: Val) -> Val:
    return b.cmp("eq", b.fabs(x), math.inf)


def _negative(b: Builder, x: Val) -> Val:
    return V(b, x).bits().lt(0).val


_DIRECT: dict[str, Callable[..., Val]] = {
    "eq": _compare("eq"),
    "ne": _compare("ne"),
    "lt": _compare("lt"),
    "le": _compare("le"),
    "gt": _compare("gt"),
    "ge": _compare("ge"),
    "add": lambda b, x, y: b.combine("add", x, y),
    "mul": lambda b, x, y: b.combine("mul", x, y),
    "sub": lambda b, x, y: b.sub(x, y),
    "min": lambda b, x, y: b.minimum(x, y),
    "max": lambda b, x, y: b.maximum(x, y),
    "neg": lambda b, x: b.neg(x),
    "fma": lambda b, x, y, z: b.fma(x, y, z),
}

_FLOAT: dict[str, Callable[..., Val]] = {
    "div": lambda b, x, y: b.div(x, y),
    "abs": lambda b, x: b.fabs(x),
    "sign": _sign,
    "fmin": _ignoring_nan("lt"),
    "fmax": _ignoring_nan("gt"),
    "sqrt": lambda b, x: b.sqrt(x),
    "reciprocal": lambda b, x: b.div(1.0, x),
    "rsqrt": lambda b, x: b.div(1.0, b.sqrt(x)),
    "copysign": lambda b, x, y: b.copysign(x, y),
    "nextafter": _nextafter,
    "floor": lambda b, x: b.round_to_integer("floor", x),
    "ceil": lambda b, x: b.round_to_integer("ceil", x),
    "trunc": lambda b, x: b.round_to_integer("trunc", x),
    "rint": lambda b, x: b.round_to_integer("rint", x),
    "tf32": _tf32,
    "isnan": lambda b, x: b.isnan(x),
    "isinf": _infinite,
    "isfinite": lambda b, x: b.cmp("lt", b.fabs(x), math.inf),
    "signbit": _negative,
}
