"""Cards: arithmetic, rounding, integers. NumPy's ufuncs of the same names define them.

`add` of bools is or and `mul` of bools is and, as in NumPy. Integers wrap around; a division by
zero is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeMismatch
from ..loops.ir import Expr, cast, scalar
from ..loops.scalar import apply
from ..opdef import Attrs, OpDef, Sample, register
from ..types import F32, F64, I32, U8, TensorType
from . import complex_math as cm
from .define import SHAPES, check_count, check_kind, dtypes_of, elementwise


def _itself(x: Expr) -> Expr:
    return x


ADD = elementwise(
    "add", "a + b; or, for bool", "biufc", (np.add,), pairs=cm.add,
    commutative=True, associative=True, identity=-0.0, linear=(0, 1),
)  # fmt: skip
SUB = elementwise("sub", "a - b", "iufc", (np.subtract,), pairs=cm.sub, identity=0.0, linear=(0, 1))
MUL = elementwise(
    "mul", "a * b; and, for bool", "biufc", (np.multiply,), pairs=cm.mul,
    commutative=True, associative=True, identity=1, linear=(0, 1),
)  # fmt: skip
DIV = elementwise(
    "div", "a / b", "fc", (np.true_divide,), pairs=cm.div, identity=1, linear=(0,), cost=6
)
FLOORDIV = elementwise("floordiv", "floor(a / b)", "iuf", (np.floor_divide,), cost=10)
MOD = elementwise("mod", "a - b*floor(a / b), with the sign of b", "iuf", (np.remainder,), cost=10)
FMOD = elementwise("fmod", "a - b*trunc(a / b), with the sign of a", "iuf", (np.fmod,), cost=10)
POW = elementwise(
    "pow", "a**b as in C99 (±inf and ±0 to the power 0.5 too, where NumPy's depends on the strides)"
    "; for integers, a negative exponent gives 0, or ±1 where a is ±1", "iufc",
    (np.power,), pairs=cm.pow, identity=1, cost=30, low=0.1, integer_low=0,
)  # fmt: skip
NEG = elementwise("neg", "-a", "iufc", (np.negative,), pairs=cm.neg, involution=True, linear=(0,))
ABS = elementwise(
    "abs", "|a|; a real number for a complex one", "biufc", (np.absolute,), result="real",
    pairs=cm.abs, otherwise=_itself, idempotent=True,
)  # fmt: skip
SIGN = elementwise(
    "sign", "-1, 0 or 1 and NaN for NaN; a/|a| for a complex one", "iufc", (np.sign,),
    pairs=cm.sign, cost=2,
)  # fmt: skip
MIN = elementwise(
    "min", "the lesser; NaN if either is NaN", "biufc", (np.minimum,), pairs=cm.minimum,
    commutative=True, associative=True, idempotent=True,
)  # fmt: skip
MAX = elementwise(
    "max", "the greater; NaN if either is NaN", "biufc", (np.maximum,), pairs=cm.maximum,
    commutative=True, associative=True, idempotent=True,
)  # fmt: skip
FMIN = elementwise(
    "fmin", "the lesser; the other operand if one is NaN", "biufc", (np.fmin,), pairs=cm.fmin,
    otherwise=lambda a, b: scalar("min", a, b), reals="f",
    commutative=True, associative=True, idempotent=True,
)  # fmt: skip
FMAX = elementwise(
    "fmax", "the greater; the other operand if one is NaN", "biufc", (np.fmax,), pairs=cm.fmax,
    otherwise=lambda a, b: scalar("max", a, b), reals="f",
    commutative=True, associative=True, idempotent=True,
)  # fmt: skip
COPYSIGN = elementwise("copysign", "|a| with the sign of b", "f", (np.copysign,))
NEXTAFTER = elementwise("nextafter", "the number next to a towards b", "f", (np.nextafter,), cost=5)
FLOOR = elementwise(
    "floor", "the greatest integer not above a", "biuf", (np.floor,), otherwise=_itself,
    idempotent=True,
)  # fmt: skip
CEIL = elementwise(
    "ceil", "the least integer not below a", "biuf", (np.ceil,), otherwise=_itself, idempotent=True
)
TRUNC = elementwise(
    "trunc", "a without its fraction", "biuf", (np.trunc,), otherwise=_itself, idempotent=True
)
RINT = elementwise(
    "rint", "the nearest integer, ties to even", "fc", (np.rint,), pairs=cm.rint, idempotent=True
)
GCD = elementwise(
    "gcd", "the greatest common divisor of |a| and |b|", "iu", (np.gcd,), cost=60,
    commutative=True, associative=True, low=-40.0, high=40.0,
)  # fmt: skip
LCM = elementwise(
    "lcm", "the least common multiple of |a| and |b|, wrapping", "iu", (np.lcm,), cost=60,
    commutative=True, absorbing=0, low=-9.0, high=9.0,
)  # fmt: skip
POPCOUNT = elementwise(
    "popcount", "the number of 1 bits of |a|", "iu", (np.bitwise_count,), result=U8, cost=2
)


def _infer_ldexp(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("ldexp", types, 2)
    check_kind("ldexp", types[0], "f", 0)
    check_kind("ldexp", types[1], "iu", 1)
    if types[0].shape != types[1].shape:
        raise ShapeMismatch(
            f"ldexp: operand 1 is {types[1]} and operand 0 is {types[0]}; "
            f"the operands must have one shape"
        )
    return types[0]


def _evaluate_ldexp(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x, n = (np.asarray(a) for a in operands)
    wide = np.float64 if x.dtype == np.float64 else np.float32
    return np.asarray(apply("ldexp", x.astype(wide), n.astype(wide))).astype(x.dtype)


def _lower_ldexp(args: Sequence[Expr], type: TensorType) -> Expr:
    x, n = args
    wide = F64 if type.dtype is F64 else F32  # a narrow float cannot count to its own exponents
    return cast(scalar("ldexp", cast(x, wide), cast(n, wide)), type.dtype)


LDEXP = register(
    OpDef(
        name="ldexp",
        doc="a * 2**n, n an integer",
        kind="elementwise",
        infer=_infer_ldexp,
        evaluate=_evaluate_ldexp,
        lower=_lower_ldexp,
        source="numpy.ldexp",
        cost=4,
        numpy=(np.ldexp,),
        samples=lambda: [
            Sample((TensorType(d, s), TensorType(I32, s)), {}, -5.0, 5.0)
            for d in dtypes_of("f")
            for s in (SHAPES[1], SHAPES[3])
        ],
    )
)
