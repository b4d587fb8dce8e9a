"""CUDA C for one scalar: types, constants, casts and every op of graphc/loops/scalar.py.

Called by graphc/codegen/cuda.py with the text of the operands; answers the text of the result.
Floats use CUDA's full-precision functions. f16 and bf16 compute in float and round after each op.
What is more than one expression is a function of cuda_prelude.h, whose names start with `gc_`.
"""

from __future__ import annotations

import math
from typing import Any

from .. import types as ty
from ..errors import LoweringError
from ..types import DType

C_TYPE: dict[DType, str] = {
    ty.BOOL: "bool",
    ty.I8: "signed char",
    ty.I16: "short",
    ty.I32: "int",
    ty.I64: "long long",
    ty.U8: "unsigned char",
    ty.U16: "unsigned short",
    ty.U32: "unsigned int",
    ty.U64: "unsigned long long",
    ty.F16: "__half",
    ty.BF16: "__nv_bfloat16",
    ty.F32: "float",
    ty.F64: "double",
}

_INFIX = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_FLOAT_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_BITS_INFIX = {"and": "&", "or": "|", "xor": "^"}

_LIBRARY = {
    "fmin": "fmin", "fmax": "fmax", "fma": "fma", "fmod": "fmod", "pow": "pow", "abs": "fabs",
    "sqrt": "sqrt", "cbrt": "cbrt", "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log",
    "log2": "log2", "log10": "log10", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan",
    "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "atan2": "atan2", "hypot": "hypot",
    "erf": "erf", "erfc": "erfc", "lgamma": "lgamma", "copysign": "copysign", "floor": "floor",
    "ceil": "ceil", "trunc": "trunc", "rint": "rint", "nextafter": "nextafter",
}  # fmt: skip
"""Ops that are a function of CUDA's math library; the float version has the suffix f."""

_FLOAT_PRELUDE = frozenset(
    {"min", "max", "mod", "floordiv", "sign", "logaddexp", "ldexp"}
    | {"isnan", "isinf", "isfinite", "signbit"}
)
_INTEGER_PRELUDE = frozenset(
    {
        "add",
        "sub",
        "mul",
        "neg",
        "fma",
        "abs",
        "sign",
        "min",
        "max",
        "floordiv",
        "mod",
        "fmod",
        "pow",
    }
    | {"and", "or", "xor", "shl", "shr", "popcount", "gcd", "lcm"}
)

_WORDS = frozenset(
    {"join2", "join4", "dot_bf16", "dot_i16", "dot_u8_i8", "threefry_first", "threefry_second"}
)

REDUCERS = frozenset({"add", "mul", "min", "max", "and", "or", "xor"})
"""The ops that have a `gc_reduce_` functor: those of an Accumulate."""


def is_narrow(dtype: DType) -> bool:
    """Is it a float of 16 bits, which computes in float?"""
    return dtype.is_float and dtype.bits == 16


def constant(value: Any, dtype: DType) -> str:
    """An exact literal."""
    if dtype is ty.BOOL:
        return "true" if value else "false"
    if dtype.is_float:
        if is_narrow(dtype):
            return f"{C_TYPE[dtype]}({constant(value, ty.F32)})"
        return _float_constant(float(value), dtype)
    number = int(value)
    if dtype.bits < 32:
        return f"({C_TYPE[dtype]})({number})"
    suffix = {ty.I32: "", ty.U32: "U", ty.I64: "LL", ty.U64: "ULL"}[dtype]
    if dtype.kind == "i" and number == -(2 ** (dtype.bits - 1)):
        return f"({number + 1}{suffix} - 1)"  # C has no literal for the least integer
    return f"({number}{suffix})" if number < 0 else f"{number}{suffix}"


def _float_constant(value: float, dtype: DType) -> str:
    double = dtype is ty.F64
    if math.isnan(value):
        return (
            "__longlong_as_double(0x7ff8000000000000LL)" if double else "__int_as_float(0x7fc00000)"
        )
    if math.isinf(value):
        text = (
            "__longlong_as_double(0x7ff0000000000000LL)" if double else "__int_as_float(0x7f800000)"
        )
        return text if value > 0 else f"(-{text})"
    if (
        value == int(value)
        and abs(value) < 1e6
        and not (value == 0 and math.copysign(1, value) < 0)
    ):
        text = f"{int(value)}.0"
    else:
        mantissa, exponent = value.hex().split("p")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa if mantissa[-1] != 'x' else mantissa + '0'}p{exponent}"
    text += "" if double else "f"
    return f"({text})" if text.startswith("-") else text


def cast(text: str, source: DType, target: DType) -> str:
    """NumPy's astype of one element."""
    if source is target:
        return text
    name = C_TYPE[target]
    if is_narrow(source):  # through float, which holds every 16-bit float exactly
        return cast(f"(float)({text})", ty.F32, target)
    if target is ty.BOOL:
        return f"({text} != 0)"
    if is_narrow(target):
        direct = source is ty.F32 or (source is ty.F64 and target is ty.F16)
        return f"{name}({text})" if direct else f"{name}((float)({text}))"
    if source.is_float and target.is_integer:
        if target is ty.U64:
            return f"gc_to_uint64({text})"
        if target.bits < 32:
            return f"gc_to_int32<{name}>({text})"
        if target is ty.U32:
            return f"gc_to_integer<{name}>({text})"
    return f"({name})({text})"


def bitcast(text: str, source: DType, target: DType) -> str:
    """The same bits as another type of the same width."""
    return text if source is target else f"gc_bitcast<{C_TYPE[target]}>({text})"


def operation(op: str, args: list[str], dtype: DType) -> str:
    """The op on operands of one dtype; a comparison or test gives bool, others the dtype.

    Raises:
        LoweringError: when the op has no form for the dtype.
    """
    text = _operation(op, args, dtype)
    if text is None:
        raise LoweringError(f"the scalar op {op} has no CUDA form for {dtype.name}")
    return text


def _operation(op: str, args: list[str], dtype: DType) -> str | None:
    if op in _WORDS:
        return _call(f"gc_{op}", args)
    if dtype.is_float and is_narrow(dtype):
        return _narrow_operation(op, args, dtype)
    if op in _INFIX:
        return f"({args[0]} {_INFIX[op]} {args[1]})"
    if dtype is ty.BOOL:
        return _bool_operation(op, args)
    if dtype.is_float:
        return _float_operation(op, args, dtype)
    if op == "not":
        return f"({C_TYPE[dtype]})(~{args[0]})"
    if op in _BITS_INFIX and dtype.bits >= 32:
        return f"({args[0]} {_BITS_INFIX[op]} {args[1]})"
    return _call(f"gc_{op}", args) if op in _INTEGER_PRELUDE else None


def _bool_operation(op: str, args: list[str]) -> str | None:
    sign = {
        "and": "&&",
        "mul": "&&",
        "min": "&&",
        "or": "||",
        "add": "||",
        "max": "||",
        "xor": "!=",
    }
    if op == "not":
        return f"(!{args[0]})"
    return f"({args[0]} {sign[op]} {args[1]})" if op in sign else None


def _float_operation(op: str, args: list[str], dtype: DType) -> str | None:
    suffix, one = ("f", "1.0f") if dtype is ty.F32 else ("", "1.0")
    if op in _FLOAT_INFIX:
        return f"({args[0]} {_FLOAT_INFIX[op]} {args[1]})"
    if op == "neg":
        return f"(-{args[0]})"
    if op == "reciprocal":
        return f"({one} / {args[0]})"
    if op == "rsqrt":
        return f"({one} / sqrt{suffix}({args[0]}))"
    if op in _LIBRARY:
        return _call(_LIBRARY[op] + suffix, args)
    return _call(f"gc_{op}", args) if op in _FLOAT_PRELUDE else None


def _narrow_operation(op: str, args: list[str], dtype: DType) -> str | None:
    if op == "nextafter" or op in ("min", "max") or (op == "div" and dtype is ty.F16):
        return _call(f"gc_{op}", args)  # in the type itself
    wide = _operation(op, [f"(float)({a})" for a in args], ty.F32)
    if wide is None or op in _INFIX or op in ("isnan", "isinf", "isfinite", "signbit"):
        return wide
    return f"{C_TYPE[dtype]}({wide})"


def _call(name: str, args: list[str]) -> str:
    return f"{name}({', '.join(args)})"
