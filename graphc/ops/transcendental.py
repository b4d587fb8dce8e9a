"""Cards: roots, exponentials, logarithms, trigonometry, and the error and gamma functions.

NumPy's ufuncs define them (C99's functions where NumPy has none). f16 and bf16 compute in f32 and
round once.
"""

from __future__ import annotations

import numpy as np

from . import complex_math as cm
from . import complex_trigonometry as ct
from .define import elementwise

SQRT = elementwise("sqrt", "√a", "fc", (np.sqrt,), pairs=cm.sqrt, cost=6, low=0.0)
CBRT = elementwise("cbrt", "∛a", "f", (np.cbrt,), cost=20)

EXP = elementwise("exp", "e**a", "fc", (np.exp,), pairs=cm.exp, cost=15)
EXP2 = elementwise("exp2", "2**a", "fc", (np.exp2,), pairs=cm.exp2, cost=15)
EXPM1 = elementwise("expm1", "e**a - 1", "fc", (np.expm1,), pairs=cm.expm1, cost=18)
LOG = elementwise("log", "ln(a)", "fc", (np.log,), pairs=cm.log, cost=15, low=0.01)
LOG2 = elementwise("log2", "log_2(a)", "fc", (np.log2,), pairs=cm.log2, cost=15, low=0.01)
LOG10 = elementwise("log10", "log_10(a)", "fc", (np.log10,), pairs=cm.log10, cost=15, low=0.01)
LOG1P = elementwise("log1p", "ln(1 + a)", "fc", (np.log1p,), pairs=cm.log1p, cost=18, low=-0.9)
LOGADDEXP = elementwise(
    "logaddexp", "ln(e**a + e**b)", "f", (np.logaddexp,), cost=35, commutative=True
)

SIN = elementwise("sin", "sin(a), a in radians", "fc", (np.sin,), pairs=ct.sin, cost=18)
COS = elementwise("cos", "cos(a), a in radians", "fc", (np.cos,), pairs=ct.cos, cost=18)
TAN = elementwise("tan", "tan(a), a in radians", "fc", (np.tan,), pairs=ct.tan, cost=22)
ASIN = elementwise(
    "asin", "arcsin(a), in [-π/2, π/2]", "fc", (np.arcsin,), pairs=ct.asin, cost=20,
    low=-1.0, high=1.0,
)  # fmt: skip
ACOS = elementwise(
    "acos", "arccos(a), in [0, π]", "fc", (np.arccos,), pairs=ct.acos, cost=20,
    low=-1.0, high=1.0,
)  # fmt: skip
ATAN = elementwise("atan", "arctan(a), in [-π/2, π/2]", "fc", (np.arctan,), pairs=ct.atan, cost=18)
ATAN2 = elementwise(
    "atan2", "the angle of the point (b, a), in [-π, π]", "f", (np.arctan2,), cost=24
)
HYPOT = elementwise(
    "hypot", "√(a² + b²) without overflow", "f", (np.hypot,), cost=12, commutative=True
)

SINH = elementwise("sinh", "(e**a - e**-a) / 2", "fc", (np.sinh,), pairs=ct.sinh, cost=22)
COSH = elementwise("cosh", "(e**a + e**-a) / 2", "fc", (np.cosh,), pairs=ct.cosh, cost=22)
TANH = elementwise("tanh", "sinh(a) / cosh(a)", "fc", (np.tanh,), pairs=ct.tanh, cost=22)
ASINH = elementwise("asinh", "ln(a + √(a² + 1))", "fc", (np.arcsinh,), pairs=ct.asinh, cost=24)
ACOSH = elementwise(
    "acosh", "ln(a + √(a² - 1))", "fc", (np.arccosh,), pairs=ct.acosh, cost=24, low=1.0
)
ATANH = elementwise(
    "atanh", "ln((1 + a)/(1 - a)) / 2", "fc", (np.arctanh,), pairs=ct.atanh, cost=24,
    low=-0.9, high=0.9,
)  # fmt: skip

ERF = elementwise("erf", "2/√π ∫_0^a exp(-t²) dt", "f", cost=20)
ERFC = elementwise("erfc", "1 - erf(a), accurate where it is small", "f", cost=30)
LGAMMA = elementwise("lgamma", "ln|Γ(a)|", "f", cost=40, low=0.1, high=9.0)
