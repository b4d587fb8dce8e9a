"""Samplers that try until a proposal is accepted: gamma, beta, poisson, binomial.

The tries are bounded: their number is such that all of an element's are refused with a probability
below 2**-60, and then the last one is taken. A try is a function of the round and the element's
position, so the first accepted round is a reduction over rounds, after which that one proposal is
made again: nothing is stored, and there is no loop whose length depends on data.

What depends on parameters alone is computed in their own shape, mostly a number, and broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..numpy.dispatch import value
from ..ops import build
from ..ops.formula import Formula, reduce
from ..ops.marks import PARAMETER
from ..types import F64, I64, U32, Dim, DType
from .continuous import exponential_of, inner, normal_of, open_of, own_params
from .keys import WORD, Draws, checked, draws, float_dtype

GAMMA_ROUNDS = 14
"""Of Marsaglia and Tsang's proposals 0.0483 are refused for a = 1, and fewer above."""
POISSON_ROUNDS = 31
"""Of Hörmann's proposals 0.247 are refused for a mean of 10, and fewer above."""
BINOMIAL_ROUNDS = 34
"""Of Hörmann's proposals 0.292 are refused for 20 trials and p = 1/2, and fewer above."""
SMALL_MEAN = 10.0
SMALL_STEPS = 52
"""P(X > 52) < 2**-65 for a mean of 10."""

Propose = Callable[[Draws], tuple[Formula, Formula]]
"""The draws of a round to whether its proposal is accepted, and the proposal."""


def first_accepted(draw: Draws, rounds: int, propose: Propose) -> Formula:
    """The proposal of the first round that is accepted."""
    size = draw.low.type.size
    if not isinstance(size, Dim) and size > WORD:
        raise ShapeMismatch(f"{size} numbers by rejection are more than 2**32; make them in parts")
    grid = (rounds, *draw.low.shape)
    trial = build.iota(grid, 0, U32)
    tries = replace(draw, high=trial, low=build.broadcast_to(draw.low, grid))
    accepted, _ = propose(tries)
    first = reduce("min", accepted.where(Formula(trial), rounds - 1).value, (0,))
    return propose(replace(draw, high=first))[1]


def _like(x: Formula, draw: Draws) -> Formula:
    return Formula(build.broadcast_to(x.value, draw.low.shape))


# ------------------------------------------------------------------------------------------- gamma


GAMMA_DRAWS = 4


def gamma_parts(draw: Draws, a: Formula) -> tuple[Formula, Formula]:
    """A gamma number as g * e**boost with g of shape a (a + 1 where a < 1), and boost <= 0."""
    dtype = a.value.dtype
    small = a.f("lt", 1.0)
    distance = small.where(a + 1.0, a) - 1 / 3
    width = 1.0 / (distance * 9.0).f("sqrt")

    def propose(tries: Draws) -> tuple[Formula, Formula]:
        d = _like(distance, tries)
        x = normal_of(tries, dtype)
        y = x * _like(width, tries)
        inside = y.f("gt", -1.0)
        y = inside.where(y, 0.0)
        # d*(1 - v + log v) with v = (1 + y)**3, in which 3y cancels before it is rounded
        gain = (y.f("log1p") - y) * 3.0 - y * y * (y + 3.0)
        chance = open_of(tries(2), dtype)
        accepted = chance.f("log").f("lt", x * x * 0.5 + d * gain)
        v = (y + 1.0) * (y + 1.0) * (y + 1.0)
        return accepted.f("and", inside), d * v

    found = first_accepted(draw, GAMMA_ROUNDS, propose)
    power = small.where(1.0 / a, 0.0)
    return found, -exponential_of(draw(3), dtype) * _like(power, draw)


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Gamma numbers of shape a > 0 and scale 1. The derivative by `a` is not there.

    Shapes: key u32[2], a broadcasts to shape -> dtype[shape]
    Source: G. Marsaglia and W. W. Tsang, A simple method for generating gamma variables (2000)
    """
    target = float_dtype(dtype, a)
    whole, (alpha,) = own_params(shape, inner(target), a)
    found, boost = gamma_parts(draws(checked(key), whole), Formula(PARAMETER(alpha)))
    return build.cast((found * boost.f("exp")).value, target)


def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Beta numbers: x / (x + y) of two gamma numbers, by their logarithms. There is no derivative
    by a and b.

    Shapes: key u32[2], a and b broadcast to shape -> dtype[shape]
    """
    target = float_dtype(dtype, a, b)
    whole, params = own_params(shape, inner(target), a, b)
    draw, logs = draws(checked(key), whole), []
    for k, param in enumerate(params):
        found, boost = gamma_parts(draw.after(k * GAMMA_DRAWS), Formula(PARAMETER(param)))
        logs.append(found.f("log") + boost)
    ratio = (logs[1] - logs[0]).f("exp")
    return build.cast((1.0 / (ratio + 1.0)).value, target)


# ---------------------------------------------------------------------------------------- poisson


def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = int) -> Any:
    """Poisson numbers of mean lam: by inversion below 10, by transformed rejection above.

    Shapes: key u32[2], lam broadcasts to shape -> dtype[shape]
    Source: W. Hörmann, The transformed rejection method for generating Poisson random variables
        (1993), algorithm PTRS
    """
    known = Formula(value(lam)).number
    return poisson_by(key, lam, shape, dtype, None if known is None else side_of(known))


def poisson_by(key: Any, lam: Any, shape: Any, dtype: Any, side: str | None) -> Any:
    """`poisson` where it is known on which side of SMALL_MEAN all means are, or not."""
    target = integer_dtype(dtype)
    whole, (given,) = own_params(shape, F64, lam)
    draw, mean = draws(checked(key), whole), Formula(given)
    few = mean.f("lt", SMALL_MEAN)
    # a mean that the other branch is defined for stands where it is not taken
    many = mean if side == "large" else few.where(SMALL_MEAN, mean)
    found = _either(
        draw, few, side, lambda: _poisson_small(draw, mean), lambda: _poisson_large(draw, many)
    )
    return build.cast(found.value, target)


def side_of(mean: Any) -> str | None:
    """Whether means are "small" or "large", all of them."""
    few = np.less(mean, SMALL_MEAN)
    return "small" if np.all(few) else None if np.any(few) else "large"


def _either(
    draw: Draws,
    few: Formula,
    side: str | None,
    small: Callable[[], Formula],
    large: Callable[[], Formula],
) -> Formula:
    if side is not None:
        return small() if side == "small" else large()
    return _like(few, draw).where(small(), large())


def integer_dtype(dtype: Any) -> DType:
    """The integer dtype that is asked for."""
    found = I64 if dtype is None else ty.dtype(dtype)
    if not found.is_integer:
        raise TypeMismatch(f"the dtype of random integers is an integer dtype, not {found}")
    return found


def _poisson_small(draw: Draws, mean: Formula) -> Formula:
    lam = mean.f("min", SMALL_MEAN)
    level = open_of(draw(1), F64) * _like(lam.f("exp"), draw)  # all terms times e**lam
    return _inverted(draw, level, _one(mean), lambda k: lam * (1 / k))


def _one(like: Formula) -> Formula:
    return Formula(build.full_like(like.value, 1.0))


def _inverted(
    draw: Draws, level: Formula, first: Formula, quotient: Callable[[int], Formula]
) -> Formula:
    """How many sums of terms a number exceeds, of the first term and their quotients."""
    term = total = first
    count = Formula(build.zeros(draw.low.shape, F64))
    for k in range(1, SMALL_STEPS + 1):
        count = level.f("gt", _like(total, draw)).where(float(k), count)
        term = term * quotient(k)
        total = total + term
    return count


def _poisson_large(draw: Draws, mean: Formula) -> Formula:
    b = mean.f("sqrt") * 2.53 + 0.931
    a = b * 0.02483 - 0.059
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    center, logarithm = mean + 0.43, mean.f("log")

    def propose(tries: Draws) -> tuple[Formula, Formula]:
        def per(x: Formula) -> Formula:
            return _like(x, tries)

        k, v, us = _table_mountain(tries, per(a), per(b), per(center))
        square = us * us
        least = k.f("max", 0.0)
        product, rest = _factorial(least)
        chance = v * per(inverse) * square / ((per(a) + per(b) * square) * product)
        density = least * per(logarithm) - per(mean) - rest
        possible = k.f("ge", 0.0).f("and", us.f("ge", 0.013).f("or", v.f("le", us)))
        return possible.f("and", chance.f("log").f("le", density)), least

    return first_accepted(draw, POISSON_ROUNDS, propose)


# ---------------------------------------------------------------------------------------- binomial


def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = int) -> Any:
    """How many of n trials succeed, each with probability p: by inversion where fewer than 10 of
    them are expected to end in the rarer way, by transformed rejection elsewhere.

    Shapes: key u32[2], n and p broadcast to shape -> dtype[shape]
    Source: W. Hörmann, The generation of binomial random variates (1993), algorithm BTRS
    """
    return binomial_by(key, n, p, shape, dtype, None)


def binomial_by(key: Any, n: Any, p: Any, shape: Any, dtype: Any, side: str | None) -> Any:
    """`binomial` where it is known on which side of SMALL_MEAN all means are, or not."""
    target = integer_dtype(dtype)
    whole, given = own_params(shape, F64, n, p)
    draw = draws(checked(key), whole)
    trials, chance = map(Formula, build.broadcast(*given))
    often = chance.f("gt", 0.5)
    rare = often.where(1.0 - chance, chance)
    few = (trials * rare).f("lt", SMALL_MEAN)
    # numbers that the other branch is defined for stand where it is not taken
    many, other = trials, rare
    if side is None:
        many, other = few.where(40.0, trials), few.where(0.5, rare)
    found = _either(
        draw, few, side, lambda: _binomial_small(draw, trials, rare),
        lambda: _binomial_large(draw, many, other),
    )  # fmt: skip
    flipped = _like(trials, draw) - found
    return build.cast(_like(often, draw).where(flipped, found).value, target)


def _binomial_small(draw: Draws, trials: Formula, chance: Formula) -> Formula:
    odds = chance / (1.0 - chance)
    first = (trials * (-chance).f("log1p")).f("exp")
    found = _inverted(
        draw, open_of(draw(1), F64), first, lambda k: (trials - (k - 1.0)) * odds * (1 / k)
    )
    return found.f("min", _like(trials, draw))


def _binomial_large(draw: Draws, trials: Formula, chance: Formula) -> Formula:
    deviation = (trials * chance * (1.0 - chance)).f("sqrt")
    b = deviation * 2.53 + 1.15
    a = b * 0.0248 + chance * 0.01 - 0.0873
    center, odds = trials * chance + 0.5, (chance / (1.0 - chance)).f("log")
    mode = ((trials + 1.0) * chance).f("floor")
    (p, r), (q, s) = _factorial(mode), _factorial(trials - mode)
    height = (5.1 / b + 2.83) * deviation * p * q

    def propose(tries: Draws) -> tuple[Formula, Formula]:
        def per(x: Formula) -> Formula:
            return _like(x, tries)

        k, v, us = _table_mountain(tries, per(a), per(b), per(center))
        possible = k.f("ge", 0.0).f("and", k.f("le", per(trials)))
        k = k.f("max", 0.0).f("min", per(trials))
        (first, rest), (second, other) = _factorial(k), _factorial(per(trials) - k)
        square = us * us
        quotient = v * square * per(height) / ((per(a) + per(b) * square) * first * second)
        density = per(r + s) - rest - other + (k - per(mode)) * per(odds)
        return possible.f("and", quotient.f("log").f("le", density)), k

    return first_accepted(draw, BINOMIAL_ROUNDS, propose)


def _table_mountain(
    tries: Draws, a: Formula, b: Formula, center: Formula
) -> tuple[Formula, Formula, Formula]:
    """Hörmann's proposal, the uniform number of its test, and the distance from the ends."""
    first, second = tries()
    u = (Formula(build.cast(first, F64)) + 0.5) * 2.0**-32 - 0.5
    v = (Formula(build.cast(second, F64)) + 0.5) * 2.0**-32
    us = 0.5 - u.f("abs")
    return ((a * 2.0 / us + b) * u + center).f("floor"), v, us


def _factorial(k: Formula) -> tuple[Formula, Formula]:
    """(p, r) with k! = e**r / p, k >= 0: p is the product up to k + 4, r Stirling's series there,
    with an error below 1e-10.
    """
    z = k + 5.0
    product = (k + 1.0) * (k + 2.0) * (k + 3.0) * (k + 4.0)
    w = 1.0 / z
    y = w * w
    series = w * (((y * (1 / 1188) - 1 / 1680) * y + 1 / 1260) * y - 1 / 360) * y + w * (1 / 12)
    return product, (z - 0.5) * z.f("log") - z + series + 0.5 * math.log(2 * math.pi)
