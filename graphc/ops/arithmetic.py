"""Cards: arithmetic, rounding, integers. NumPy's ufuncs of the same names define them.

`add` of bools is or and `mul` of bools is and, as in NumPy. Integers wrap around; a division by
zero is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeMismatch
from ..ir import Value
from ..loops.ir import Expr, cast, scalar
from ..loops.scalar import apply
from ..opdef import (
    ZERO,
    Attrs,
    Cases,
    NotDifferentiable,
    OpDef,
    Rules,
    Sample,
    Types,
    partials,
    register,
)
from ..types import F32, F64, I32, U8, TensorType
from . import complex_math as cm
from .define import SHAPES, check_count, check_kind, dtypes_of, elementwise
from .formula import Formula, zeros


def _itself(x: Expr) -> Expr:
    return x


# ------------------------------------------------------------------------------------- derivatives

_SIGNS = partials(lambda g, a, b, y: g, lambda g, a, b, y: -g)


def _power_by_base(g: Formula, a: Formula, b: Formula, y: Formula) -> Formula:
    """b * a**(b - 1), and 0 where b is 0 (where a may be too)."""
    known = b.number
    if known is not None:
        return g * (known * a.f("pow", known - 1)) if known else Formula(zeros(g.value.type))
    none = b.same(0)
    slope = b * a.f("pow", none.where(1, b - 1))
    return g * none.where(0, slope)


def _power_by_exponent(g: Formula, a: Formula, b: Formula, y: Formula) -> Formula:
    """y * ln(a), with 1 for a where a is 0: 0**b does not depend on b."""
    return g * (y * a.unless(0, 1).f("log"))


def _share(own: int) -> Any:
    """What an operand of min or max gets: g where it is the result, half where both are."""

    def by(g: Formula, a: Formula, b: Formula, y: Formula) -> Formula:
        mine, other = (a, b) if own == 0 else (b, a)
        return mine.same(y).where(other.same(y).where(0.5 * g, g), 0)

    return by


_EXTREME = partials(_share(0), _share(1))


def _abs_jvp(operands: Any, results: Any, attrs: Any, tangents: Any) -> list[Value | None]:
    """Re(conj(a) t) / |a|, and 0 at 0."""
    a, t, y = Formula(operands[0]), Formula(tangents[0]), Formula(results[0])
    return [((a.f("conj") * t).f("real") / y.unless(0, 1)).value]


def _abs_vjp(
    operands: Any, results: Any, attrs: Any, cotangents: Any, wanted: Any
) -> list[Value | None]:
    a, g, y = Formula(operands[0]), Formula(cotangents[0]), Formula(results[0])
    share = g / y.unless(0, 1)
    return [(a.f("conj") * share.f("complex", 0)).value]


def _sign_jvp(operands: Any, results: Any, attrs: Any, tangents: Any) -> list[Value | None]:
    """(t - y Re(conj(y) t)) / |a|, and 0 at 0: what turns y, not what stretches a."""
    a, t, y = Formula(operands[0]), Formula(tangents[0]), Formula(results[0])
    size = a.f("abs").unless(0, math.inf)
    along = (y.f("conj") * t).f("real")
    return [((t - y * along.f("complex", 0)) / size.f("complex", 0)).value]


def _sign_vjp(
    operands: Any, results: Any, attrs: Any, cotangents: Any, wanted: Any
) -> list[Value | None]:
    a, g, y = Formula(operands[0]), Formula(cotangents[0]), Formula(results[0])
    size = a.f("abs").unless(0, math.inf)
    along = (y * g).f("real")
    return [((g - y.f("conj") * along.f("complex", 0)) / size.f("complex", 0)).value]


def _number(types: Types, attrs: Attrs) -> str:
    return "complex" if types[0].dtype.is_complex else "real"


_ABS = Cases(
    _number,
    {
        "real": partials(lambda g, a, y: g * a.f("sign")),  # 0 at 0
        "complex": Rules(_abs_jvp, _abs_vjp),
    },
)
_SIGN = Cases(_number, {"real": ZERO, "complex": Rules(_sign_jvp, _sign_vjp)})


def _copied_sign(g: Formula, a: Formula, b: Formula, y: Formula) -> Formula:
    return a.f("signbit").same(b.f("signbit")).where(g, -g)


# ------------------------------------------------------------------------------------------- cards

ADD = elementwise(
    "add", "a + b; or, for bool", "biufc", (np.add,), pairs=cm.add,
    commutative=True, associative=True, identity=-0.0, linear=(0, 1),
    derivative=partials(lambda g, a, b, y: g, lambda g, a, b, y: g),
)  # fmt: skip
SUB = elementwise(
    "sub", "a - b", "iufc", (np.subtract,), pairs=cm.sub, identity=0.0, linear=(0, 1),
    derivative=_SIGNS,
)  # fmt: skip
MUL = elementwise(
    "mul", "a * b; and, for bool", "biufc", (np.multiply,), pairs=cm.mul,
    commutative=True, associative=True, identity=1, linear=(0, 1),
    derivative=partials(lambda g, a, b, y: g * b, lambda g, a, b, y: g * a),
)  # fmt: skip
DIV = elementwise(
    "div", "a / b", "fc", (np.true_divide,), pairs=cm.div, identity=1, linear=(0,), cost=6,
    derivative=partials(lambda g, a, b, y: g / b, lambda g, a, b, y: -(g / b) * y),
)  # fmt: skip
FLOORDIV = elementwise(
    "floordiv", "floor(a / b)", "iuf", (np.floor_divide,), cost=10, derivative=ZERO
)
MOD = elementwise(
    "mod", "a - b*floor(a / b), with the sign of b", "iuf", (np.remainder,), cost=10,
    derivative=partials(
        lambda g, a, b, y: g, lambda g, a, b, y: -(g * a.f("floordiv", b))
    ),
)  # fmt: skip
FMOD = elementwise(
    "fmod", "a - b*trunc(a / b), with the sign of a", "iuf", (np.fmod,), cost=10,
    derivative=partials(
        lambda g, a, b, y: g, lambda g, a, b, y: -(g * (a / b).f("trunc"))
    ),
)  # fmt: skip
POW = elementwise(
    "pow", "a**b as in C99 (±inf and ±0 to the power 0.5 too, where NumPy's depends on the strides)"
    "; for integers, a negative exponent gives 0, or ±1 where a is ±1", "iufc",
    (np.power,), pairs=cm.pow, identity=1, cost=30, low=0.1, integer_low=0,
    derivative=partials(_power_by_base, _power_by_exponent),
)  # fmt: skip
NEG = elementwise(
    "neg", "-a", "iufc", (np.negative,), pairs=cm.neg, involution=True, linear=(0,),
    derivative=partials(lambda g, a, y: -g),
)  # fmt: skip
ABS = elementwise(
    "abs", "|a|; a real number for a complex one", "biufc", (np.absolute,), result="real",
    pairs=cm.abs, otherwise=_itself, idempotent=True, derivative=_ABS,
)  # fmt: skip
SIGN = elementwise(
    "sign", "-1, 0 or 1 and NaN for NaN; a/|a| for a complex one", "iufc", (np.sign,),
    pairs=cm.sign, cost=2, derivative=_SIGN,
)  # fmt: skip
MIN = elementwise(
    "min", "the lesser; NaN if either is NaN", "biufc", (np.minimum,), pairs=cm.minimum,
    commutative=True, associative=True, idempotent=True, derivative=_EXTREME,
)  # fmt: skip
MAX = elementwise(
    "max", "the greater; NaN if either is NaN", "biufc", (np.maximum,), pairs=cm.maximum,
    commutative=True, associative=True, idempotent=True, derivative=_EXTREME,
)  # fmt: skip
FMIN = elementwise(
    "fmin", "the lesser; the other operand if one is NaN", "biufc", (np.fmin,), pairs=cm.fmin,
    otherwise=lambda a, b: scalar("min", a, b), reals="f",
    commutative=True, associative=True, idempotent=True, derivative=_EXTREME,
)  # fmt: skip
FMAX = elementwise(
    "fmax", "the greater; the other operand if one is NaN", "biufc", (np.fmax,), pairs=cm.fmax,
    otherwise=lambda a, b: scalar("max", a, b), reals="f",
    commutative=True, associative=True, idempotent=True, derivative=_EXTREME,
)  # fmt: skip
COPYSIGN = elementwise(
    "copysign", "|a| with the sign of b", "f", (np.copysign,),
    derivative=partials(_copied_sign, None),
)  # fmt: skip
NEXTAFTER = elementwise(
    "nextafter", "the number next to a towards b", "f", (np.nextafter,), cost=5,
    derivative=NotDifferentiable("it counts the numbers that there are, and those are discrete"),
)  # fmt: skip
FLOOR = elementwise(
    "floor", "the greatest integer not above a", "biuf", (np.floor,), otherwise=_itself,
    idempotent=True, derivative=ZERO,
)  # fmt: skip
CEIL = elementwise(
    "ceil", "the least integer not below a", "biuf", (np.ceil,), otherwise=_itself,
    idempotent=True, derivative=ZERO,
)  # fmt: skip
TRUNC = elementwise(
    "trunc", "a without its fraction", "biuf", (np.trunc,), otherwise=_itself, idempotent=True,
    derivative=ZERO,
)  # fmt: skip
RINT = elementwise(
    "rint", "the nearest integer, ties to even", "fc", (np.rint,), pairs=cm.rint,
    idempotent=True, derivative=ZERO,
)  # fmt: skip
GCD = elementwise(
    "gcd", "the greatest common divisor of |a| and |b|", "iu", (np.gcd,), cost=60,
    commutative=True, associative=True, low=-40.0, high=40.0, derivative=ZERO,
)  # fmt: skip
LCM = elementwise(
    "lcm", "the least common multiple of |a| and |b|, wrapping", "iu", (np.lcm,), cost=60,
    commutative=True, absorbing=0, low=-9.0, high=9.0, derivative=ZERO,
)  # fmt: skip
POPCOUNT = elementwise(
    "popcount", "the number of 1 bits of |a|", "iu", (np.bitwise_count,), result=U8, cost=2,
    derivative=ZERO,
)  # fmt: skip


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
        derivative=partials(lambda g, a, n, y: g.f("ldexp", n), None),
        cost=4,
        numpy=(np.ldexp,),
        samples=lambda: [
            Sample((TensorType(d, s), TensorType(I32, s)), {}, -5.0, 5.0)
            for d in dtypes_of("f")
            for s in (SHAPES[1], SHAPES[3])
        ],
    )
)
