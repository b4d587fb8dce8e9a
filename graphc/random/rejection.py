"""Samplers that try until a proposal is accepted: gamma, beta, poisson, binomial.

The tries are bounded: their number is such that all of an element's are refused with a probability
below 2**-60, and then the last one is taken. A try is a function of the round and the element's
position, so the first accepted round is a reduction over rounds, after which that one proposal is
made again: nothing is stored, and there is no loop whose length depends on data.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops.formula import Formula, reduce
from ..ops.marks import PARAMETER
from ..types import BOOL, F64, I64, U32, Dim, DType
from .continuous import exponential_of, inner, normal_of, open_of, spread
from .keys import WORD, Draws, checked, draws, float_dtype

GAMMA_ROUNDS = 14
"""Of Marsaglia and Tsang's proposals 0.0483 are refused for a = 1, and fewer above."""
POISSON_ROUNDS = 31
"""Of Hörmann's proposals 0.247 are refused for a mean of 10, and fewer above."""
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


def _like(x: Value, draw: Draws) -> Formula:
    return Formula(build.broadcast_to(x, draw.low.shape))


# ------------------------------------------------------------------------------------------- gamma


GAMMA_DRAWS = 4


def gamma_parts(draw: Draws, a: Value) -> tuple[Formula, Formula]:
    """A gamma number as g * e**boost with g of shape a (a + 1 where a < 1), and boost <= 0."""
    dtype = a.dtype
    small = Formula(a).f("lt", 1.0)
    raised = small.where(Formula(a) + 1.0, Formula(a)).value

    def propose(tries: Draws) -> tuple[Formula, Formula]:
        d = _like(raised, tries) - 1 / 3
        x = normal_of(tries, dtype)
        y = x / (d * 9.0).f("sqrt")
        inside = y.f("gt", -1.0)
        y = inside.where(y, 0.0)
        # d*(1 - v + log v) with v = (1 + y)**3, in which 3y cancels before it is rounded
        gain = (y.f("log1p") - y) * 3.0 - y * y * (y + 3.0)
        chance = open_of(tries(2), dtype)
        accepted = chance.f("log").f("lt", x * x * 0.5 + d * gain)
        v = (y + 1.0) * (y + 1.0) * (y + 1.0)
        return accepted.f("and", inside), d * v

    found = first_accepted(draw, GAMMA_ROUNDS, propose)
    boost = -exponential_of(draw(3), dtype) / Formula(a)
    return found, small.where(boost, 0.0)


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Gamma numbers of shape a > 0 and scale 1. The derivative by `a` is not there.

    Shapes: key u32[2], a broadcasts to shape -> dtype[shape]
    Source: G. Marsaglia and W. W. Tsang, A simple method for generating gamma variables (2000)
    """
    target = float_dtype(dtype, a)
    whole, (alpha,) = spread(shape, inner(target), a)
    found, boost = gamma_parts(draws(checked(key), whole), PARAMETER(alpha))
    return build.cast((found * boost.f("exp")).value, target)


def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Beta numbers: x / (x + y) of two gamma numbers, by their logarithms. There is no derivative
    by a and b.

    Shapes: key u32[2], a and b broadcast to shape -> dtype[shape]
    """
    target = float_dtype(dtype, a, b)
    whole, params = spread(shape, inner(target), a, b)
    draw, logs = draws(checked(key), whole), []
    for k, param in enumerate(params):
        found, boost = gamma_parts(draw.after(k * GAMMA_DRAWS), PARAMETER(param))
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
    target = integer_dtype(dtype)
    whole, (mean,) = spread(shape, F64, lam)
    draw = draws(checked(key), whole)
    few, many = Formula(mean).f("lt", SMALL_MEAN), None
    known = Formula(mean).number
    if known is not None:  # then one of the two is enough
        few, many = Formula(build.full(whole, known < SMALL_MEAN, BOOL)), known >= SMALL_MEAN
    if many is True:
        return build.cast(_poisson_large(draw, mean).value, target)
    small = _poisson_small(draw, mean)
    if many is False:
        return build.cast(small.value, target)
    large = _poisson_large(draw, few.where(SMALL_MEAN, Formula(mean)).value)
    return build.cast(few.where(small, large).value, target)


def integer_dtype(dtype: Any) -> DType:
    """The integer dtype that is asked for."""
    found = I64 if dtype is None else ty.dtype(dtype)
    if not found.is_integer:
        raise TypeMismatch(f"the dtype of random integers is an integer dtype, not {found}")
    return found


def _poisson_small(draw: Draws, mean: Value) -> Formula:
    """How many of the cumulative probabilities a uniform number exceeds."""
    lam = Formula(mean).f("min", SMALL_MEAN)
    level = open_of(draw(1), F64) * lam.f("exp")  # all terms times e**lam
    term = total = Formula(build.full_like(mean, 1.0))
    count = Formula(build.zeros(mean.shape, F64))
    for k in range(1, SMALL_STEPS + 1):
        count = level.f("gt", total).where(float(k), count)
        term = term * (lam * (1 / k))
        total = total + term
    return count


def _poisson_large(draw: Draws, mean: Value) -> Formula:
    def propose(tries: Draws) -> tuple[Formula, Formula]:
        lam = _like(mean, tries)
        b = lam.f("sqrt") * 2.53 + 0.931
        a = b * 0.02483 - 0.059
        k, v, us = _table_mountain(tries, a, b, lam + 0.43)
        inverse = 1.1239 + 1.1328 / (b - 3.4)
        square = us * us
        least = k.f("max", 0.0)
        product, rest = _factorial(least)
        chance = v * inverse * square / ((a + b * square) * product)
        density = least * lam.f("log") - lam - rest
        possible = k.f("ge", 0.0).f("and", us.f("ge", 0.013).f("or", v.f("le", us)))
        return possible.f("and", chance.f("log").f("le", density)), least

    return first_accepted(draw, POISSON_ROUNDS, propose)


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
