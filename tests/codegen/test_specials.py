"""Special values through compiled code: real functions of one and two operands, and complex ones
over the full grid of special parts, against NumPy (where it has no such function SciPy, or C).

A NaN, an infinity and the sign of a zero must be NumPy's. Where they are not, on purpose, a test
here says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.special

from graphc.ir import Graph, make, param
from graphc.loops.scalar import SCALAR_OPS
from graphc.opdef import OpDef, cards
from graphc.types import C64, C128, F32, F64, DType, TensorType

from ..compiled import compiled

CARDS = {card.name: card for card in cards() if card.kind == "elementwise"}
NUMPY: dict[str, Callable[..., np.ndarray]] = {
    **{name: card.numpy[0] for name, card in CARDS.items() if card.numpy},
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    # C's: SciPy has -inf for -inf, and infinities where |x| is subnormal
    "lgamma": SCALAR_OPS["lgamma"].numpy,
}
DTYPES = pytest.mark.parametrize("dtype", [F32, F64], ids=str)
COMPLEX = pytest.mark.parametrize("dtype", [C64, C128], ids=str)

UNARY = (
    "neg abs sign sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh "
    "cosh tanh asinh acosh atanh erf erfc lgamma floor ceil trunc rint isnan isinf isfinite signbit"
).split()
BINARY = (
    "add sub mul div mod floordiv fmod pow atan2 hypot copysign nextafter logaddexp fmin fmax eq "
    "ne lt le gt ge"
).split()
COMPLEX_UNARY = (
    "neg conj abs sqrt exp exp2 log log2 log10 sin cos tan sinh cosh tanh asin acos atan asinh "
    "acosh atanh isnan isinf isfinite"
).split()


def compute(name: str, dtype: DType, *arrays: np.ndarray) -> np.ndarray:
    """What compiled code gives."""
    card: OpDef = CARDS[name]
    kinds = [TensorType(dtype, (a.size,)) for a in arrays]
    params = tuple(param(t, f"x{k}") for k, t in enumerate(kinds))
    node = make(card, params, {})
    (result,) = compiled(Graph(name, params, (node,), node.results))(*arrays)
    return result


def wanted(name: str, *arrays: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(NUMPY[name](*arrays))


def special_numbers(dtype: DType) -> np.ndarray:
    info = np.finfo(dtype.numpy)
    least = float(info.smallest_subnormal)
    great = float(info.max)
    positive = [0.0, least, 3 * least, float(info.tiny), great, np.inf, 1.0, 0.5, 2.0, 3.0]
    return np.array([*positive, *(-p for p in positive), np.nan], dtype.numpy)


def pairs(x: np.ndarray) -> list[np.ndarray]:
    return [np.repeat(x, x.size), np.tile(x, x.size)]


def complex_grid(dtype: DType) -> np.ndarray:
    """Every pair of {±0, ±1, ±inf, ±tiny, ±huge, NaN}."""
    info = np.finfo(dtype.real.numpy)
    positive = [0.0, 1.0, np.inf, float(info.tiny), float(info.max)]
    parts = np.array([*positive, *(-p for p in positive), np.nan], dtype.real.numpy)
    re, im = pairs(parts)
    result = np.empty(re.size, dtype.numpy)
    result.real, result.imag = re, im
    return result


def differing(got: np.ndarray, want: np.ndarray, ulps: float, signs: bool = True) -> np.ndarray:
    """Where two results differ by more than some ulp, in NaN, in an infinity, or (with `signs`) in
    the sign of a zero. Of complex results: in either part."""
    if want.dtype == bool:
        return got != want
    if np.iscomplexobj(want):
        return differing(got.real, want.real, ulps, signs) | differing(
            got.imag, want.imag, ulps, signs
        )
    info = np.finfo(want.dtype)
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= ulps * np.maximum(
            np.abs(want) * info.eps, info.smallest_subnormal
        )
        near &= np.isfinite(got) & np.isfinite(want)
    same = (got == want) | (np.isnan(got) & np.isnan(want)) | near
    if signs:
        same &= np.isnan(want) | (np.signbit(got) == np.signbit(want))
    return ~same


def check(name: str, arrays: list[np.ndarray], got: np.ndarray, want: np.ndarray, ulps: float,
          signs: bool = True) -> None:  # fmt: skip
    assert got.dtype == want.dtype
    wrong = differing(got, want, ulps, signs)
    lines = [
        f"{name}({', '.join(str(a[k]) for a in arrays)}) gives {got[k]}, NumPy {want[k]}"
        for k in np.flatnonzero(wrong)[:8]
    ]
    assert not wrong.any(), "\n".join([f"{int(wrong.sum())} differ", *lines])


@DTYPES
@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name: str, dtype: DType) -> None:
    x = special_numbers(dtype)
    check(name, [x], compute(name, dtype, x), wanted(name, x), 4.0)


@DTYPES
@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name: str, dtype: DType) -> None:
    args = pairs(special_numbers(dtype))
    # NumPy says not which zero fmin and fmax take
    signs = name not in ("fmin", "fmax")
    check(name, args, compute(name, dtype, *args), wanted(name, *args), 4.0, signs)


@COMPLEX
@pytest.mark.parametrize("name", COMPLEX_UNARY)
def test_complex_functions(name: str, dtype: DType) -> None:
    z = complex_grid(dtype)
    check(name, [z], compute(name, dtype, z), wanted(name, z), 8.0)


@COMPLEX
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "eq", "ne", "lt", "le", "gt", "ge"])
def test_complex_arithmetic(name: str, dtype: DType) -> None:
    """But for the sign of a zero that a quotient underflows to: a fused product may change it."""
    args = pairs(complex_grid(dtype))
    check(name, args, compute(name, dtype, *args), wanted(name, *args), 8.0, name != "div")


@COMPLEX
@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_complex_power_of_any_number(exponent: int, dtype: DType) -> None:
    """But for squares that overflow: inf - inf is NaN, unless the product is fused."""
    z = complex_grid(dtype)
    if exponent == 2:
        great = np.finfo(dtype.real.numpy).max
        z = z[(abs(z.real) != great) & (abs(z.imag) != great)]
    args = [z, np.full(z.size, exponent, dtype.numpy)]
    check("pow", args, compute("pow", dtype, *args), wanted("pow", *args), 8.0, False)


# ---------------------------------------------------------------------- other than NumPy on purpose


@COMPLEX
def test_complex_expm1_of_the_real_axis_stays_real(dtype: DType) -> None:
    """NumPy multiplies e**x by sin(0) and has NaN where e**x is not finite."""
    z = complex_grid(dtype)
    got, want = compute("expm1", dtype, z), wanted("expm1", z)
    wrong = differing(got, want, 8.0)
    with np.errstate(over="ignore"):
        power = np.exp(z.real)
    np.testing.assert_array_equal(wrong, (z.imag == 0) & ~np.isfinite(power))
    assert not differing(got.real, want.real, 8.0)[wrong].any()
    assert not differing(got.imag, z.imag, 0.0)[wrong].any()


@COMPLEX
def test_complex_log1p_neither_cancels_nor_overflows(dtype: DType) -> None:
    """NumPy forms 1 + x and √(x² + y²)."""
    z = complex_grid(dtype)
    got, want = compute("log1p", dtype, z), wanted("log1p", z)
    info = np.finfo(dtype.real.numpy)
    tiny = (abs(z.real) == info.tiny) & (abs(z.imag) <= info.tiny)
    huge = (abs(z.real) == info.max) & (abs(z.imag) == info.max)
    np.testing.assert_array_equal(differing(got, want, 8.0), tiny | huge)
    assert not differing(got.real, z.real, 2.0)[tiny].any()
    greatest = np.log(float(info.max)) + 0.5 * np.log(2.0)
    np.testing.assert_allclose(got.real[huge], greatest, rtol=4 * info.eps)


@COMPLEX
def test_complex_sign_of_huge_numbers(dtype: DType) -> None:
    """|z| overflows in NumPy, which loses the real part."""
    z = complex_grid(dtype)
    got, want = compute("sign", dtype, z), wanted("sign", z)
    info = np.finfo(dtype.real.numpy)
    huge = (abs(z.real) == info.max) & (abs(z.imag) == info.max)
    assert not differing(got, want, 4.0)[~huge].any()
    diagonal = (np.sign(z.real) + 1j * np.sign(z.imag))[huge] / np.sqrt(2.0)
    np.testing.assert_allclose(got[huge], diagonal, rtol=4 * info.eps)
