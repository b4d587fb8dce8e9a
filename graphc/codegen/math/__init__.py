"""Elementary functions in lanes, as polynomial code over `codegen/llvm_builder.Builder`.

`FUNCTIONS` maps the name of a scalar op to its implementation for f32 and f64;
`codegen/scalar_llvm.py` wraps each into an internal function per (op, dtype, lanes). f16 and bf16
go through f32 there. The files go by family: explog, trig, hyperbolic, special, gamma,
power, remainder.
"""

from __future__ import annotations

from collections.abc import Callable

from . import explog, gamma, hyperbolic, power, remainder, special, trig
from .lanes import V

FUNCTIONS: dict[str, Callable[..., V]] = {
    "exp": explog.exp,
    "exp2": explog.exp2,
    "expm1": explog.expm1,
    "log": explog.log,
    "log2": explog.log2,
    "log10": explog.log10,
    "log1p": explog.log1p,
    "logaddexp": explog.logaddexp,
    "sin": trig.sin,
    "cos": trig.cos,
    "tan": trig.tan,
    "asin": trig.asin,
    "acos": trig.acos,
    "atan": trig.atan,
    "atan2": trig.atan2,
    "sinh": hyperbolic.sinh,
    "cosh": hyperbolic.cosh,
    "tanh": hyperbolic.tanh,
    "asinh": hyperbolic.asinh,
    "acosh": hyperbolic.acosh,
    "atanh": hyperbolic.atanh,
    "erf": special.erf,
    "erfc": special.erfc,
    "lgamma": gamma.lgamma,
    "pow": power.pow_,
    "cbrt": power.cbrt,
    "hypot": power.hypot,
    "ldexp": power.ldexp,
    "fmod": remainder.fmod,
    "mod": remainder.mod,
    "floordiv": remainder.floordiv,
}
