"""Makes `graphc/codegen/math/coefficients.py`: minimax polynomials by the exchange algorithm of
Remez.

    python benchmarks/math_coefficients.py > graphc/codegen/math/coefficients.py

Each fit names a function of one variable, the interval, the weight by which its error counts (so
that the error of the whole formula is what is made small), and how small it must become, as a
power of 2. The number of coefficients is the least that reaches it. Coefficients are rounded to
the format one after the other, lowest first, and the rest is fitted again around each rounded one,
so that rounding costs little. Needs mpmath; runs about two minutes on one core.

Source: W. J. Cody, "A survey of practical rational and polynomial approximation of functions"
(1970); J.-M. Muller, "Elementary Functions", chapters 3 and 4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from mpmath import mp, mpf

mp.prec = 280
Function = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Fit:
    """Fit `function` on [low, high] so that |weight * error| < 2**-bits; coefficients in
    `format`."""

    name: str
    function: Function
    low: float
    high: float
    weight: Function
    bits: int
    format: str
    least: int = 2
    pair: bool = False
    """The first coefficient comes in two parts; the second part is the table's last entry."""


class Samples:
    """The function and its weight on a grid of Chebyshev points, computed once."""

    def __init__(self, fit: Fit, count: int) -> None:
        low, high = mpf(fit.low), mpf(fit.high)
        self.x = [
            (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count))
            for i in range(count)
        ]
        self.y = [fit.function(x) for x in self.x]
        self.w = [fit.weight(x) for x in self.x]


def remez(samples: Samples, fixed: list[mpf], terms: int) -> tuple[list[mpf], mpf]:
    """Coefficients of x**len(fixed) .. x**(terms - 1) next to the fixed ones; and the greatest
    error."""
    start = len(fixed)
    count = len(samples.x)
    rest = [
        y - sum((c * x**k for k, c in enumerate(fixed)), mpf(0))
        for x, y in zip(samples.x, samples.y, strict=True)
    ]
    free = terms - start
    picks = [round((count - 1) * (i + 0.5) / (free + 1)) for i in range(free + 1)]
    best: tuple[list[mpf], mpf] = ([], mpf("inf"))
    for _ in range(30):
        rows = mp.matrix(free + 1, free + 1)
        right = mp.matrix(free + 1, 1)
        for row, i in enumerate(picks):
            for k in range(free):
                rows[row, k] = samples.w[i] * samples.x[i] ** (start + k)
            rows[row, free] = (-1) ** row
            right[row] = samples.w[i] * rest[i]
        solved = mp.lu_solve(rows, right)
        coefficients = [solved[k] for k in range(free)]
        errors = []
        for x, y, w in zip(samples.x, rest, samples.w, strict=True):
            total = mpf(0)
            for c in reversed(coefficients):
                total = total * x + c
            errors.append(w * (y - total * x**start))
        greatest = max(abs(e) for e in errors)
        if greatest < best[1]:
            best = (coefficients, greatest)
        picks = _exchange(errors, free + 1)
        if greatest <= abs(solved[free]) * mpf("1.02"):
            break
    return best


def _exchange(errors: list[mpf], wanted: int) -> list[int]:
    """The greatest error of each run of one sign; ends are dropped until `wanted` are left."""
    picks: list[int] = []
    for i, error in enumerate(errors):
        if picks and (error > 0) == (errors[picks[-1]] > 0):
            if abs(error) > abs(errors[picks[-1]]):
                picks[-1] = i
        else:
            picks.append(i)
    while len(picks) > wanted:
        if len(picks) == wanted + 1 or abs(errors[picks[0]]) < abs(errors[picks[-1]]):
            picks.pop(0 if abs(errors[picks[0]]) < abs(errors[picks[-1]]) else -1)
        else:
            picks.pop()
    for i in range(len(errors)):  # too few sign changes: fill up with any points
        if len(picks) >= wanted:
            break
        if i not in picks:
            picks.append(i)
    return sorted(picks)


def rounded(value: mpf, format_: str) -> float:
    return float(np.float32(float(value))) if format_ == "f32" else float(value)


def solve(fit: Fit) -> tuple[list[float], float]:
    samples = Samples(fit, 400)
    goal = mpf(2) ** -fit.bits
    terms = fit.least
    while remez(samples, [], terms)[1] > goal and terms < 30:
        terms += 1
    # rounding a coefficient and fitting the rest again mostly helps, and sometimes stalls
    counts = range(terms + 1) if fit.format == "f32" else range(min(6, terms) + 1)
    tables = [_round_in_order(fit, samples, terms, count) for count in counts]
    fixed, final = min(tables, key=lambda t: t[1])
    table = [rounded(c, fit.format) for c in fixed]
    if fit.pair:
        table.append(rounded(fixed[0] - mpf(table[0]), fit.format))
    return table, float(mp.log(final, 2))


def _round_in_order(fit: Fit, samples: Samples, terms: int, refits: int) -> tuple[list[mpf], mpf]:
    """Coefficients rounded to the format, the first `refits` one by one; and the greatest error."""
    fixed: list[mpf] = []
    coefficients, _ = remez(samples, [], terms)
    for _ in range(min(refits, terms - 1)):
        keep = fit.pair and not fixed
        fixed.append(coefficients[0] if keep else mpf(rounded(coefficients[0], fit.format)))
        coefficients, _ = remez(samples, fixed, terms)
    keep_first = fit.pair and not fixed
    fixed += [
        c if keep_first and k == 0 else mpf(rounded(c, fit.format))
        for k, c in enumerate(coefficients)
    ]
    final = max(
        abs(w * (y - sum((c * x**k for k, c in enumerate(fixed)), mpf(0))))
        for x, y, w in zip(samples.x, samples.y, samples.w, strict=True)
    )
    return fixed, final


# ------------------------------------------------------------------------------------ the functions


def _series_safe(function: Function, limit: Function) -> Function:
    """The function, or its limit where the argument is too small to cancel in."""
    return lambda x: limit(x) if abs(x) < mpf(10) ** -18 else function(x)


def _odd(function: Function) -> Function:
    """(f(x) - x)/x**3 as a function of z = x*x."""
    return lambda z: (function(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3


def erfcx(x: mpf) -> mpf:
    return mp.erfc(x) * mp.exp(x * x)


def _erfc_mapped(t: mpf) -> mpf:
    """(a + 2) erfcx(a) as a function of t = (a - 2)/(a + 2)."""
    a = 2 * (1 + t) / (1 - t)
    return (a + 2) * erfcx(a)


def _stirling(z: mpf) -> mpf:
    """x (log|Γ(x)| - (x - 1/2) log x + x - log(2π)/2) as a function of z = 1/x**2."""
    x = 1 / mp.sqrt(z)
    return x * (mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


LN2 = float(np.log(2))
QUARTER_PI = 0.7853982
ONE = mpf(1)


def _log_series(z: mpf) -> mpf:
    """(log((1+s)/(1-s)) - 2s)/s**3, z = s*s."""
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) - 2 * s) / s**3


def _log_tail(z: mpf) -> mpf:
    """(log((1+s)/(1-s)) - 2s - 2/3 s**3)/s**5, z = s*s."""
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) - 2 * s - 2 * s**3 / 3) / s**5


def _lgamma_start() -> list[mpf]:
    """The first four coefficients of log Γ(2 + t)/t in powers of t."""
    return [1 - mp.euler, *((-1) ** k * (mp.zeta(k) - 1) / k for k in (2, 3, 4))]


def lgamma_zeros() -> Iterator[list[mpf]]:
    """For each zero z of log|Γ| between -2 and -18, falling: z, the slope s there, and a2 .. a6 of
    log|Γ(z + w/s)| = w + a2 w**2 + a3 w**3 + ... Two zeros lie between two integers, one in each
    half."""
    for n in range(2, 18):
        for pole in (mpf(-n), mpf(-n - 1)):
            outer, inner = pole, mpf(-n) - 0.5  # log|Γ| > 0 at the outer end, < 0 at the inner
            for _ in range(mp.prec):
                middle = (outer + inner) / 2
                if abs(mp.gamma(middle)) > 1:
                    outer = middle
                else:
                    inner = middle
            slope = mp.psi(0, inner)
            terms = [mp.psi(k - 1, inner) / mp.factorial(k) / slope**k for k in range(2, 7)]
            yield [inner, slope, *terms]


def _fits() -> list[Fit]:
    fits: list[Fit] = []

    def both(
        name: str,
        function: Function,
        low: float,
        high: float,
        weight: Function,
        bits: tuple[int, int],
    ) -> None:
        fits.append(Fit(name + "_F32", function, low, high, weight, bits[0], "f32"))
        fits.append(Fit(name + "_F64", function, low, high, weight, bits[1], "f64"))

    def medium(
        name: str, function: Function, low: float, high: float, weight: Function, bits: int
    ) -> None:
        fits.append(Fit(name + "_MID", function, low, high, weight, bits, "f64"))

    half = 0.34658
    both(
        "EXP",
        lambda r: (mp.expm1(r) - r - r * r / 2) / r**3,
        -half,
        half,
        lambda r: r**3 / mp.exp(r),
        (26, 57),
    )
    both(
        "EXPM1",
        lambda r: (mp.expm1(r) - r - r * r / 2) / r**3,
        -half,
        half,
        lambda r: r**3 / mp.expm1(r),
        (27, 58),
    )
    both(
        "EXPM1_POSITIVE",
        lambda r: (mp.expm1(r) - r - r * r / 2) / r**3,
        1e-9,
        0.69316,
        lambda r: r**3 / mp.expm1(r),
        (27, 57),
    )
    medium(
        "EXP",
        lambda r: (mp.expm1(r) - r - r * r / 2) / r**3,
        -half,
        half,
        lambda r: r**3 / mp.exp(r),
        34,
    )
    sixteenth = 0.021662  # ln(2)/32: a table holds the sixteenths of a power of 2
    both(
        "EXP_SIXTEENTH",
        lambda r: (mp.expm1(r) - r) / r**2,
        -sixteenth,
        sixteenth,
        lambda r: r**2 / mp.exp(r),
        (27, 58),
    )
    fits.append(
        Fit(
            "EXPM1_SIXTEENTH_F32",
            lambda r: (mp.expm1(r) - r) / r**2,
            1e-9,
            2 * sixteenth,
            lambda r: r**2 / mp.expm1(r),
            27,
            "f32",
        )
    )
    both("EXP2", lambda r: (2**r - 1) / r, -0.5, 0.5, lambda r: r / 2**r, (26, 57))
    both("SINH", _odd(mp.sinh), 1e-30, 0.1202, lambda z: z, (27, 57))
    both("COSH", lambda z: (mp.cosh(mp.sqrt(z)) - 1) / z, 1e-30, 0.1202, lambda z: z, (27, 57))
    fits.append(
        Fit(
            "LOG_F32",
            lambda f: (mp.log1p(f) - f) / f**2,
            -0.25,
            0.5,
            lambda f: f**2 / mp.log1p(f),
            26,
            "f32",
        )
    )
    fits.append(Fit("LOG_F64", _log_series, 1e-30, 0.0401, lambda z: z / 2, 58, "f64"))
    medium("LOG", _log_series, 1e-30, 0.0401, lambda z: z / 2, 40)
    fits.append(Fit("LOG_TAIL", _log_tail, 1e-30, 0.0401, lambda z: z * z / 2, 72, "f64"))
    top = QUARTER_PI**2 * 1.0001
    both("SIN", _odd(mp.sin), 1e-30, top, lambda z: z, (28, 58))
    both(
        "COS",
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
        1e-30,
        top,
        lambda z: z * z,
        (28, 58),
    )
    fits.append(Fit("TAN_F32", _odd(mp.tan), 1e-30, top, lambda z: z, 27, "f32"))
    both("ASIN", _odd(mp.asin), 1e-30, 0.25, lambda z: z, (27, 57))
    fits.append(Fit("ATAN_F32", _odd(mp.atan), 1e-30, 1.0, lambda z: z, 27, "f32"))
    fits.append(Fit("ATAN_F64", _odd(mp.atan), 1e-30, 0.2501, lambda z: z, 57, "f64"))
    both(
        "ERF",
        lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
        1e-30,
        1.0,
        lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)),
        (27, 57),
    )
    fits.append(
        Fit(
            "ERF_TAIL_F32",
            lambda a: -mp.log(mp.erfc(a), 2) / a,
            0.98,
            3.95,
            lambda a: a * mp.erfc(a) / mp.erf(a),
            27,
            "f32",
        )
    )
    # a from 0.4 up to where erfc underflows: 10.06 and 27.23
    by_value = lambda t: 1 / _erfc_mapped(t)  # noqa: E731  a formula
    fits.append(Fit("ERFC_F32", _erfc_mapped, -0.67, 0.67, by_value, 27, "f32", pair=True))
    fits.append(Fit("ERFC_F64", _erfc_mapped, -0.67, 0.8645, by_value, 57, "f64", pair=True))
    lgamma2 = lambda t: mp.loggamma(2 + t) / t  # noqa: E731  a formula
    fits.append(Fit("LGAMMA_F64", lgamma2, -0.5, 0.5, lambda t: ONE, 59, "f64", 14, True))
    fits.append(Fit("LGAMMA_MID", lgamma2, -0.5, 0.5, lambda t: ONE, 36, "f64", 2, True))
    least = mp.findroot(mp.digamma, mpf("1.46"))
    fits.append(
        Fit(
            "LGAMMA_LEAST",
            _series_safe(
                lambda u: (mp.loggamma(least + u) - mp.loggamma(least)) / u**2,
                lambda u: mp.psi(1, least) / 2,
            ),
            -0.163,
            0.16,
            lambda u: u * u * 8,
            58,
            "f64",
        )
    )
    start = _lgamma_start()
    fits.append(
        Fit(
            "LGAMMA_TAIL",
            lambda t: (mp.loggamma(2 + t) / t - mp.polyval(start[::-1], t)) / t**4,
            -0.5,
            0.5,
            lambda t: t**5,
            68,
            "f64",
            14,
        )
    )
    fits.append(Fit("STIRLING_F64", _stirling, 1e-7, 1 / 64, lambda z: mp.sqrt(z) / 8, 60, "f64"))
    medium("STIRLING", _stirling, 1e-7, 1 / 64, lambda z: mp.sqrt(z) / 8, 38)
    fits.append(Fit("CBRT", lambda m: 1 / mp.cbrt(m), 0.75, 1.5, lambda m: mp.cbrt(m), 14, "f32"))
    return fits


HEADER = '''"""Minimax coefficients, lowest power first. Made by `benchmarks/math_coefficients.py`.

The comment over each table is its greatest weighted error as a power of 2; the generator says what
function, interval and weight it belongs to. Not edited by hand.
"""

from __future__ import annotations

'''


def main(names: list[str]) -> None:
    if not names:
        print(HEADER)
    for fit in _fits():
        if names and fit.name not in names:
            continue
        coefficients, error = solve(fit)
        print(f"# 2**{error:.1f}")
        print(f"{fit.name}: tuple[float, ...] = (")
        for c in coefficients:
            print(f"    {c!r},")
        print(")", flush=True)
    if not names or "LGAMMA_START" in names:
        print("# log Γ(2 + t)/t: four coefficients and what they were rounded by")
        start = _lgamma_start()
        _print_table("LGAMMA_START", [*map(float, start), *map(_rest, start)])
    if not names or "LGAMMA_ZEROS" in names:
        print("# per zero of log|Γ| between -2 and -18: z and the slope in two parts, a2 .. a6")
        rows = [
            [float(z), _rest(z), float(s), _rest(s), *map(float, a)] for z, s, *a in lgamma_zeros()
        ]
        _print_table("LGAMMA_ZEROS", [value for row in rows for value in row])


def _rest(value: mpf) -> float:
    return float(value - float(value))


def _print_table(name: str, values: list[float]) -> None:
    print(f"{name}: tuple[float, ...] = (")
    for value in values:
        print(f"    {value!r},")
    print(")", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
