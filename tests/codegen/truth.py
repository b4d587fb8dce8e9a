"""True values of the elementary functions, by mpmath, and the points where they are asked for.

    args = points("exp", F64, 1 << 20)
    truth = compute("exp", args)         one process
    truth = stored("exp", args, folder)  several processes, kept in a file and read the next time

A true value has far more digits than the dtype. It is kept as the number of the dtype that is
nearest to it and the distance from there in ulp, to 2**-16 ulp, so that the errors of any number of
implementations can be computed without mpmath. One ulp is the distance of neighbours of the dtype
at the true value, and at least the least subnormal number. Beyond the greatest number the ulp goes
on, and what is nearest to 2**128 (2**1024 in f64) or beyond is kept as an infinity.

`accuracy.py` and `test_accuracy.py` call this. It works on finite operands only: the special values
are NumPy's business (`test_specials.py`).
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import libmp as mp
from mpmath.libmp import gammazeta, libhyper

from graphc.types import F32, F64, DType

Mpf = Any
"""A number of libmp: (sign, mantissa, exponent, bits of the mantissa)."""

BITS = 110
"""Of every true value; 53 and enough for 2**-16 ulp are 70."""


@dataclass(frozen=True, slots=True)
class Truth:
    """nearest + rest ulp, per point. NaN outside the domain."""

    nearest: np.ndarray
    rest: np.ndarray


# ----------------------------------------------------------------------------------- the functions


def _magnitude(x: Mpf) -> int:
    """|x| lies in [2**(m-1), 2**m)."""
    return x[2] + x[3]


def _expm1(x: Mpf) -> Mpf:
    magnitude = _magnitude(x)
    if magnitude < -BITS:
        return x
    return mp.mpf_sub(mp.mpf_exp(x, BITS + 10 + max(0, -magnitude), "n"), mp.fone, BITS, "n")


def _log1p(x: Mpf, bits: int = BITS) -> Mpf:
    return x if _magnitude(x) < -bits else mp.mpf_log(mp.mpf_add(mp.fone, x), bits, "n")


def _log_base(base: int) -> Callable[[Mpf], Mpf]:
    def function(x: Mpf) -> Mpf:
        below = mp.mpf_log(mp.from_int(base), BITS + 10, "n")
        return mp.mpf_div(mp.mpf_log(x, BITS + 10, "n"), below, BITS, "n")

    return function


def _exp2(x: Mpf) -> Mpf:
    bits = BITS + 10 + max(0, _magnitude(x))
    return mp.mpf_exp(mp.mpf_mul(x, mp.mpf_ln2(bits, "n"), bits, "n"), BITS, "n")


def _erfc(x: Mpf) -> Mpf:
    # mpmath takes a millisecond where the result is less than 2**-14000 anyway
    return mp.fzero if not x[0] and _magnitude(x) > 7 else libhyper.mpf_erfc(x, BITS, "n")


def _lgamma(x: Mpf) -> Mpf:
    """log|Γ(x)|; for x < 0 by log(π/|x sin πx|) - log Γ(-x), in which up to 60 bits cancel."""
    if not x[0]:
        return gammazeta.mpf_loggamma(x, BITS, "n")
    if x[2] >= 0:
        return mp.finf
    bits = BITS + 80
    a = mp.mpf_abs(x)
    below = mp.mpf_abs(mp.mpf_mul(mp.mpf_sin_pi(a, bits, "n"), a, bits, "n"))
    first = mp.mpf_log(mp.mpf_div(mp.mpf_pi(bits, "n"), below, bits, "n"), bits, "n")
    return mp.mpf_sub(first, gammazeta.mpf_loggamma(a, bits, "n"), BITS, "n")


def _cbrt(x: Mpf) -> Mpf:
    root = mp.mpf_cbrt(mp.mpf_abs(x), BITS, "n")
    return mp.mpf_neg(root) if x[0] else root


def _rsqrt(x: Mpf) -> Mpf:
    return mp.mpf_div(mp.fone, mp.mpf_sqrt(x, BITS + 10, "n"), BITS, "n")


def _pow(x: Mpf, y: Mpf) -> Mpf:
    """x > 0."""
    if x == mp.fone or not y[1]:
        return mp.fone
    bits = BITS + 20
    return mp.mpf_exp(mp.mpf_mul(y, mp.mpf_log(x, bits, "n"), bits, "n"), BITS, "n")


def _ldexp(x: Mpf, n: Mpf) -> Mpf:
    return mp.mpf_shift(x, int(mp.to_int(n)))


def _fmod(x: Mpf, y: Mpf) -> Mpf:
    """In integers, hence exact."""
    if not y[1]:
        return mp.fnan
    exponent = min(x[2], y[2])
    divisor = y[1] << (y[2] - exponent)
    rest = x[1] * pow(2, x[2] - exponent, divisor) % divisor
    return mp.from_man_exp(-rest if x[0] else rest, exponent)


def _logaddexp(x: Mpf, y: Mpf) -> Mpf:
    """max + log1p(exp(-|x - y|)), in which up to 60 bits cancel."""
    great, small = (x, y) if mp.mpf_gt(x, y) else (y, x)
    bits = BITS + 80
    power = mp.mpf_exp(mp.mpf_sub(small, great), bits, "n")
    return mp.mpf_add(great, _log1p(power, bits), BITS, "n")


def _plain(function: Callable[..., Mpf]) -> Callable[..., Mpf]:
    return lambda *args: function(*args, BITS, "n")


FUNCTIONS: dict[str, Callable[..., Mpf]] = {
    "exp": _plain(mp.mpf_exp), "exp2": _exp2, "expm1": _expm1, "log": _plain(mp.mpf_log),
    "log2": _log_base(2), "log10": _log_base(10), "log1p": _log1p, "sin": _plain(mp.mpf_sin),
    "cos": _plain(mp.mpf_cos), "tan": _plain(mp.mpf_tan), "asin": _plain(mp.mpf_asin),
    "acos": _plain(mp.mpf_acos), "atan": _plain(mp.mpf_atan), "atan2": _plain(mp.mpf_atan2),
    "sinh": _plain(mp.mpf_sinh), "cosh": _plain(mp.mpf_cosh), "tanh": _plain(mp.mpf_tanh),
    "asinh": _plain(mp.mpf_asinh), "acosh": _plain(mp.mpf_acosh), "atanh": _plain(mp.mpf_atanh),
    "erf": _plain(libhyper.mpf_erf), "erfc": _erfc, "lgamma": _lgamma, "pow": _pow, "cbrt": _cbrt,
    "rsqrt": _rsqrt, "hypot": _plain(mp.mpf_hypot), "ldexp": _ldexp, "fmod": _fmod,
    "logaddexp": _logaddexp,
}  # fmt: skip

BINARY = {"atan2", "pow", "hypot", "ldexp", "fmod", "logaddexp"}
POSITIVE = {"log", "log2", "log10", "rsqrt"}


def true_value(name: str, args: Sequence[float]) -> Mpf:
    """NaN outside the domain."""
    try:
        return FUNCTIONS[name](*map(mp.from_float, args))
    except (mp.ComplexResult, ValueError):
        return mp.fnan


def split(value: Mpf, dtype: DType) -> tuple[float, float]:
    """The number of the dtype that is nearest to the value, and the rest in ulp."""
    sign, man, exponent, bits = value
    if not man:
        return mp.to_float(value), 0.0
    digits, top = (24, 128) if dtype is F32 else (53, 1024)
    unit = min(max(exponent + bits, 3 - top) - digits, top - digits)
    drop = unit - exponent
    if exponent + bits > top + 1:
        whole, rest = 1 << digits, np.inf
    elif drop <= 0:
        whole, rest = int(man) << -drop, 0.0
    elif drop > bits + 20:
        whole, rest = 0, 0.0
    else:
        whole = (int(man) + (1 << (drop - 1))) >> drop
        rest = ((int(man) - (whole << drop)) << 16 >> drop) / 65536
    beyond = whole - (1 << (top - unit)) if unit == top - digits else -1
    if beyond >= 0:
        near, rest = np.inf, rest + beyond
    else:
        near = math.ldexp(whole, unit)
    return (-near, -rest) if sign else (near, rest)


def _chunk(job: tuple[str, list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    name, args = job
    dtype = F32 if args[0].dtype == np.float32 else F64
    rows = zip(*(a.tolist() for a in args), strict=True)
    pairs = [split(true_value(name, row), dtype) for row in rows]
    nearest, rest = zip(*pairs, strict=True)
    return np.array(nearest, dtype.numpy), np.array(rest, np.float32)


def compute(name: str, args: list[np.ndarray]) -> Truth:
    return Truth(*_chunk((name, args)))


CHUNK = 1 << 14


def stored(name: str, args: list[np.ndarray], folder: Path, processes: int = 2) -> Truth:
    """The truth from its file in the folder, or computed by several processes and put there.

    The name of the file holds the sum of the operands, so that other points are other files.
    """
    digest = hashlib.sha256(b"".join(a.tobytes() for a in args)).hexdigest()[:12]
    path = folder / f"{name}-{args[0].dtype}-{digest}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return Truth(arrays["nearest"], arrays["rest"])
    start = time.perf_counter()
    jobs = [(name, [a[i : i + CHUNK] for a in args]) for i in range(0, args[0].size, CHUNK)]
    parts = []
    with multiprocessing.Pool(processes, os.nice, (19,)) as pool:
        for part in pool.imap(_chunk, jobs):
            parts.append(part)
            if len(parts) % 16 == 0:
                seconds = time.perf_counter() - start
                print(f"  {path.stem}: {len(parts)}/{len(jobs)} {seconds:.0f} s", flush=True)
    nearest, rest = (np.concatenate(p) for p in zip(*parts, strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".part.npz")
    np.savez_compressed(new, nearest=nearest, rest=rest)
    new.replace(path)
    return Truth(nearest, rest)


# -------------------------------------------------------------------------------------- comparison


def errors(got: np.ndarray, truth: Truth, least: float = 0.0) -> np.ndarray:
    """|got - true| in ulp; infinite where NaN or an infinity is missing or out of place.

    An infinity that was got counts as the number after the greatest one where the true value is
    finite. True values below `least` count in ulp of that number.
    """
    info = np.finfo(got.dtype)
    wide = np.float64 if got.dtype == np.float32 else np.longdouble
    top = np.ldexp(wide(1), info.maxexp)

    def finite(x: np.ndarray) -> np.ndarray:
        return np.where(np.isinf(x), np.copysign(top, x), x.astype(wide))

    near, rest = finite(truth.nearest), truth.rest.astype(wide)
    with np.errstate(all="ignore"):
        fraction, exponent = np.frexp(np.abs(near))
        # a power of two that the true value lies below has the ulp of the numbers below
        below = (fraction == 0.5) & (rest * np.sign(near) < 0)
        exponent = np.clip(exponent - below, info.minexp + 1, info.maxexp)
        unit = np.ldexp(wide(1), exponent - (info.nmant + 1))
        result = np.abs((finite(got) - near) / unit - rest)
        result = result * unit / np.maximum(unit, least * info.eps)
        overflow = np.isinf(truth.nearest) & (rest * np.sign(near) >= 0)
        result = np.where(overflow & (got == truth.nearest), 0, result)
        result = np.where(np.isnan(truth.nearest) & np.isnan(got), 0, result)
        return np.where(np.isnan(result), np.inf, result).astype(np.float64)


# ------------------------------------------------------------------------------------------ points

# intervals in which a function varies
INTERVALS: dict[str, list[tuple[float, float]]] = {
    "exp": [(-110, 90), (-750, 712), (-1, 1)],
    "exp2": [(-152, 129), (-1080, 1025), (-1, 1)],
    "expm1": [(-2, 2), (-40, 90), (-750, 712)],
    "log": [(0.5, 2), (0.99, 1.01), (0, 100)],
    "log2": [(0.5, 2), (0.99, 1.01), (0, 100)],
    "log10": [(0.5, 2), (0.99, 1.01), (0, 2000)],
    "log1p": [(-1, 1), (-0.01, 0.01), (-1, 100)],
    "sin": [(-7, 7), (-400, 400), (-4e4, 4e4), (-2e6, 2e6)],
    "cos": [(-7, 7), (-400, 400), (-4e4, 4e4), (-2e6, 2e6)],
    "tan": [(-7, 7), (-400, 400), (-4e4, 4e4), (-2e6, 2e6)],
    "asin": [(-1, 1), (0.45, 0.55)],
    "acos": [(-1, 1), (0.45, 0.55), (0.99, 1)],
    "atan": [(-3, 3), (0.4, 0.43), (-100, 100)],
    "sinh": [(-2, 2), (-92, 92), (-712, 712)],
    "cosh": [(-2, 2), (-92, 92), (-712, 712)],
    "tanh": [(-1, 1), (-10, 10), (-20, 20)],
    "asinh": [(-2, 2), (-0.1, 0.1), (-100, 100)],
    "acosh": [(1, 1.1), (1, 3), (1, 1000)],
    "atanh": [(-1, 1), (-0.1, 0.1), (0.9, 1)],
    "erf": [(-1.5, 1.5), (-6.5, 6.5), (0.9, 1.1)],
    "erfc": [(-2, 2), (0, 11), (0, 27.5), (-6, 0)],
    "lgamma": [(0, 3), (0.9, 1.1), (1.9, 2.1), (2, 10), (8, 200), (-4, 0), (-20, 0), (-200, 0)],
    "cbrt": [(-10, 10)],
    "rsqrt": [(0, 10)],
}  # fmt: skip


@cache
def _lgamma_zeros() -> tuple[float, ...]:
    """Two between -n and -n - 1 for n >= 2, ever closer to the integers."""
    zeros = [-2.4570247382208006, -2.7476826467274127]
    with mpmath.workprec(200):
        for n in range(3, 20):
            for pole, side in ((-n, -1), (-n - 1, 1)):
                step = side / mpmath.factorial(-pole)
                start = (pole + step, pole + 0.9 * step)
                zeros.append(
                    float(mpmath.findroot(lambda x: mpmath.log(abs(mpmath.gamma(x))), start))
                )
    return tuple(zeros)


def _spots(name: str, rng: np.random.Generator, count: int) -> np.ndarray | None:
    """Numbers near which the result is 0, or the function steep or undefined."""
    if name in ("sin", "cos", "tan"):
        return np.rint(2 ** rng.uniform(0, 40, count)) * (math.pi / 2)
    centres = {
        "log": (1.0,), "log2": (1.0,), "log10": (1.0,), "log1p": (-1.0,), "acosh": (1.0,),
        "asin": (-1.0, 1.0), "acos": (-1.0, 1.0), "atanh": (-1.0, 1.0),
        "lgamma": (1.0, 2.0, *(-float(n) for n in range(1, 20)), *_lgamma_zeros()),
    }.get(name)  # fmt: skip
    return None if centres is None else rng.choice(np.array(centres), count)


def points(name: str, dtype: DType, count: int, seed: int = 20261121) -> list[np.ndarray]:
    """Half bit patterns over the whole range of the dtype; the others where the function varies.

    Of these a half lies about the spots of the function, at distances of every magnitude, if it has
    any. Operands of two-operand functions are of like magnitude in a quarter of the points.
    """
    rng = np.random.default_rng(seed)
    kind, unsigned = dtype.numpy, np.uint32 if dtype is F32 else np.uint64

    def patterns(n: int) -> np.ndarray:
        values = rng.integers(0, np.iinfo(unsigned).max, n, unsigned, endpoint=True).view(kind)
        return np.where(np.isfinite(values), values, kind.type(0.7))

    if name in BINARY:
        return _operand_pairs(name, dtype, patterns, count, rng)
    x = patterns(count)
    varied = x[: count // 2]
    places = _spots(name, rng, count // 4)
    if places is not None:
        depth = 2 ** -rng.uniform(1, np.finfo(kind).nmant + 1, places.size)
        varied[: places.size] = places * (1 + rng.choice([-1, 1], places.size) * depth)
        varied = varied[places.size :]
    pieces = np.array_split(varied, len(INTERVALS[name]))
    for piece, (low, high) in zip(pieces, INTERVALS[name], strict=True):
        piece[:] = rng.uniform(low, high, piece.size)
    return [np.abs(x)] if name in POSITIVE else [x]


def _operand_pairs(
    name: str, dtype: DType, patterns: Callable[[int], np.ndarray], count: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:  # fmt: skip
    x, y = patterns(count), patterns(count)
    quarter, half = count // 4, count // 2
    with np.errstate(all="ignore"):
        if name == "pow":
            x = np.abs(x)
            x[:half] = np.exp(rng.uniform(-3, 3, half))
            x[: quarter // 2] = 1 + rng.uniform(-1e-3, 1e-3, quarter // 2)
            limit = 88.0 if dtype is F32 else 708.0
            some = half + quarter
            y[:some] = rng.uniform(-limit, limit, some) / np.log(x[:some].astype(np.float64))
            y[:1000] = rng.integers(-20, 20, 1000)
        elif name == "ldexp":
            reach = 300 if dtype is F32 else 2200
            y = rng.integers(-reach, reach, count).astype(dtype.numpy)
        else:
            low, high = (-1, 0.5) if name == "logaddexp" else (-10, 10)
            x[:quarter], y[:quarter] = rng.uniform(low, high, (2, quarter))
            reach = 50 if name == "logaddexp" else 1000
            x[quarter:half], y[quarter:half] = rng.uniform(-reach, reach, (2, quarter))
            some = slice(half, half + quarter)
            y[some] = x[some] * (2 ** rng.uniform(-30, 30, quarter) * rng.choice([-1, 1], quarter))
    for a in (x, y):
        a[~np.isfinite(a)] = 1
    return [x, y]
