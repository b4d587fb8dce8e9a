"""Cards: roots, exponentials, logarithms, trigonometry, and the error and gamma functions.

NumPy's ufuncs define them (C99's functions where NumPy has none). f16 and bf16 compute in f32 and
round once.
"""

from __future__ import annotations

import math

import numpy as np

from ..opdef import partials
from . import complex_math as cm
from . import complex_trigonometry as ct
from .define import elementwise
from .formula import Formula, digamma


def _bounded(x: Formula) -> Formula:
    """x, but 0 for an infinity: the difference of two of them would be NaN."""
    return x.f("isinf").where(0, x)


def _weight(g: Formula, x: Formula, y: Formula) -> Formula:
    """The part of e**x in e**y = e**a + e**b."""
    return g * (_bounded(x) - _bounded(y)).f("exp")


def _within_one(a: Formula) -> Formula:
    """√(1 - a²), also near the ends; along a cut, on the side that the sign of a zero says."""
    if not a.value.dtype.is_complex:
        return ((1 - a) * (1 + a)).f("sqrt")
    return (-(a - 1) * (a - (-1))).f("sqrt")  # 1 + a would make 0i of -0i


def _root_of_square_and_one(a: Formula) -> Formula:
    """√(a² + 1); along a cut, on the side that the sign of a zero says."""
    if not a.value.dtype.is_complex:
        return (a * a + 1).f("sqrt")
    return (a * a - (-1)).f("sqrt")  # + 1 would make 0i of -0i


def _beyond_one(a: Formula) -> Formula:
    """√(a² - 1), also near 1 and for the complex branch of acosh."""
    return (a - 1).f("sqrt") * (a + 1).f("sqrt")


SQRT = elementwise(
    "sqrt", "√a", "fc", (np.sqrt,), pairs=cm.sqrt, cost=6, low=0.0,
    derivative=partials(lambda g, a, y: 0.5 * g / y),
)  # fmt: skip
CBRT = elementwise(
    "cbrt", "∛a", "f", (np.cbrt,), cost=20,
    derivative=partials(lambda g, a, y: g / (3 * (y * y))),
)  # fmt: skip

EXP = elementwise(
    "exp", "e**a", "fc", (np.exp,), pairs=cm.exp, cost=15,
    derivative=partials(lambda g, a, y: g * y),
)  # fmt: skip
EXP2 = elementwise(
    "exp2", "2**a", "fc", (np.exp2,), pairs=cm.exp2, cost=15,
    derivative=partials(lambda g, a, y: g * (math.log(2) * y)),
)  # fmt: skip
EXPM1 = elementwise(
    "expm1", "e**a - 1", "fc", (np.expm1,), pairs=cm.expm1, cost=18,
    derivative=partials(lambda g, a, y: g * (y + 1)),
)  # fmt: skip
LOG = elementwise(
    "log", "ln(a)", "fc", (np.log,), pairs=cm.log, cost=15, low=0.01,
    derivative=partials(lambda g, a, y: g / a),
)  # fmt: skip
LOG2 = elementwise(
    "log2", "log_2(a)", "fc", (np.log2,), pairs=cm.log2, cost=15, low=0.01,
    derivative=partials(lambda g, a, y: g / (math.log(2) * a)),
)  # fmt: skip
LOG10 = elementwise(
    "log10", "log_10(a)", "fc", (np.log10,), pairs=cm.log10, cost=15, low=0.01,
    derivative=partials(lambda g, a, y: g / (math.log(10) * a)),
)  # fmt: skip
LOG1P = elementwise(
    "log1p", "ln(1 + a)", "fc", (np.log1p,), pairs=cm.log1p, cost=18, low=-0.9,
    derivative=partials(lambda g, a, y: g / (1 + a)),
)  # fmt: skip
LOGADDEXP = elementwise(
    "logaddexp", "ln(e**a + e**b)", "f", (np.logaddexp,), cost=35, commutative=True,
    derivative=partials(
        lambda g, a, b, y: _weight(g, a, y), lambda g, a, b, y: _weight(g, b, y)
    ),
)  # fmt: skip

SIN = elementwise(
    "sin", "sin(a), a in radians", "fc", (np.sin,), pairs=ct.sin, cost=18,
    derivative=partials(lambda g, a, y: g * a.f("cos")),
)  # fmt: skip
COS = elementwise(
    "cos", "cos(a), a in radians", "fc", (np.cos,), pairs=ct.cos, cost=18,
    derivative=partials(lambda g, a, y: -(g * a.f("sin"))),
)  # fmt: skip
TAN = elementwise(
    "tan", "tan(a), a in radians", "fc", (np.tan,), pairs=ct.tan, cost=22,
    derivative=partials(lambda g, a, y: g * (1 + y * y)),
)  # fmt: skip
ASIN = elementwise(
    "asin", "arcsin(a), in [-π/2, π/2]", "fc", (np.arcsin,), pairs=ct.asin, cost=20, low=-1.0,
    high=1.0,
    derivative=partials(lambda g, a, y: g / _within_one(a)),
)  # fmt: skip
ACOS = elementwise(
    "acos", "arccos(a), in [0, π]", "fc", (np.arccos,), pairs=ct.acos, cost=20, low=-1.0, high=1.0,
    derivative=partials(lambda g, a, y: -(g / _within_one(a))),
)  # fmt: skip
ATAN = elementwise(
    "atan", "arctan(a), in [-π/2, π/2]", "fc", (np.arctan,), pairs=ct.atan, cost=18,
    derivative=partials(lambda g, a, y: g / (1 + a * a)),
)  # fmt: skip
ATAN2 = elementwise(
    "atan2", "the angle of the point (b, a), in [-π, π]", "f", (np.arctan2,), cost=24,
    derivative=partials(
        lambda g, a, b, y: g * (b / (a * a + b * b)),
        lambda g, a, b, y: -(g * (a / (a * a + b * b))),
    ),
)  # fmt: skip
HYPOT = elementwise(
    "hypot", "√(a² + b²) without overflow", "f", (np.hypot,), cost=12, commutative=True,
    derivative=partials(
        lambda g, a, b, y: g * (a / y.unless(0, 1)), lambda g, a, b, y: g * (b / y.unless(0, 1))
    ),
)  # fmt: skip

SINH = elementwise(
    "sinh", "(e**a - e**-a) / 2", "fc", (np.sinh,), pairs=ct.sinh, cost=22,
    derivative=partials(lambda g, a, y: g * a.f("cosh")),
)  # fmt: skip
COSH = elementwise(
    "cosh", "(e**a + e**-a) / 2", "fc", (np.cosh,), pairs=ct.cosh, cost=22,
    derivative=partials(lambda g, a, y: g * a.f("sinh")),
)  # fmt: skip
TANH = elementwise(
    "tanh", "sinh(a) / cosh(a)", "fc", (np.tanh,), pairs=ct.tanh, cost=22,
    derivative=partials(lambda g, a, y: g * (1 - y * y)),
)  # fmt: skip
ASINH = elementwise(
    "asinh", "ln(a + √(a² + 1))", "fc", (np.arcsinh,), pairs=ct.asinh, cost=24,
    derivative=partials(lambda g, a, y: g / _root_of_square_and_one(a)),
)  # fmt: skip
ACOSH = elementwise(
    "acosh", "ln(a + √(a² - 1))", "fc", (np.arccosh,), pairs=ct.acosh, cost=24, low=1.0,
    derivative=partials(lambda g, a, y: g / _beyond_one(a)),
)  # fmt: skip
ATANH = elementwise(
    "atanh", "ln((1 + a)/(1 - a)) / 2", "fc", (np.arctanh,), pairs=ct.atanh, cost=24, low=-0.9,
    high=0.9,
    derivative=partials(lambda g, a, y: g / ((1 - a) * (1 + a))),
)  # fmt: skip

ERF = elementwise(
    "erf", "2/√π ∫_0^a exp(-t²) dt", "f", cost=20,
    derivative=partials(lambda g, a, y: g * (2 / math.sqrt(math.pi) * (-(a * a)).f("exp"))),
)  # fmt: skip
ERFC = elementwise(
    "erfc", "1 - erf(a), accurate where it is small", "f", cost=30,
    derivative=partials(lambda g, a, y: g * (-2 / math.sqrt(math.pi) * (-(a * a)).f("exp"))),
)  # fmt: skip
LGAMMA = elementwise(
    "lgamma", "ln|Γ(a)|", "f", cost=40, low=0.1, high=9.0,
    derivative=partials(lambda g, a, y: g * digamma(a)),
)  # fmt: skip
