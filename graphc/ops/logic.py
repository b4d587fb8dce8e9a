"""Cards: comparisons, logic, bits, and the tests of floats.

Complex numbers are ordered by their real parts, then by their imaginary parts, as in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..loops.ir import FALSE, TRUE, Expr
from ..opdef import ZERO, OpDef
from . import complex_math as cm
from .define import elementwise as _elementwise


def elementwise(*args: Any, **given: Any) -> OpDef:
    """A card whose results are no floats: there is nothing to differentiate."""
    return _elementwise(*args, **given, derivative=ZERO)


EQ = elementwise("eq", "a == b", "biufc", (np.equal,), result="bool", pairs=cm.eq, commutative=True)
NE = elementwise(
    "ne", "a != b", "biufc", (np.not_equal,), result="bool", pairs=cm.ne, commutative=True
)
LT = elementwise("lt", "a < b", "biufc", (np.less,), result="bool", pairs=cm.lt)
LE = elementwise("le", "a <= b", "biufc", (np.less_equal,), result="bool", pairs=cm.le)
GT = elementwise("gt", "a > b", "biufc", (np.greater,), result="bool", pairs=cm.gt)
GE = elementwise("ge", "a >= b", "biufc", (np.greater_equal,), result="bool", pairs=cm.ge)

AND = elementwise(
    "and", "a & b", "biu", (np.bitwise_and,), commutative=True, associative=True,
    absorbing=0, idempotent=True,
)  # fmt: skip
OR = elementwise(
    "or", "a | b", "biu", (np.bitwise_or,), commutative=True, associative=True,
    identity=0, idempotent=True,
)  # fmt: skip
XOR = elementwise(
    "xor", "a ^ b", "biu", (np.bitwise_xor,), commutative=True, associative=True, identity=0
)
NOT = elementwise("not", "~a", "biu", (np.invert,), involution=True)
SHL = elementwise(
    "shl", "a << b; 0 when b is not in [0, width)", "iu", (np.left_shift,), identity=0
)
SHR = elementwise(
    "shr", "a >> b; only sign bits when b is not in [0, width)", "iu", (np.right_shift,),
    identity=0,
)  # fmt: skip


def _never(x: Expr) -> Expr:
    return FALSE


def _always(x: Expr) -> Expr:
    return TRUE


ISNAN = elementwise(
    "isnan", "is it NaN?", "biufc", (np.isnan,), result="bool", pairs=cm.isnan, otherwise=_never
)
ISINF = elementwise(
    "isinf", "is it an infinity?", "biufc", (np.isinf,), result="bool", pairs=cm.isinf,
    otherwise=_never,
)  # fmt: skip
ISFINITE = elementwise(
    "isfinite", "is it neither NaN nor an infinity?", "biufc", (np.isfinite,), result="bool",
    pairs=cm.isfinite, otherwise=_always,
)  # fmt: skip
SIGNBIT = elementwise("signbit", "is the sign bit set?", "f", (np.signbit,), result="bool")
