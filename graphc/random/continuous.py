"""Samplers of continuous distributions that take a fixed amount of bits: one function of the
element's words each, so they fuse into the kernel that uses the numbers.

They have no derivative by the key; location and scale are ordinary arithmetic on the result.
"""

from __future__ import annotations

import math
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..numpy.dispatch import extents, value
from ..numpy.special_functions import ndtr, ndtri
from ..ops import build
from ..ops.formula import Formula
from ..types import BF16, F16, F32, F64, I32, DType
from .keys import Draws, Shape, Words, bits32, checked, draws, float_dtype, shifted, words

BELOW_ONE = 1 - 2.0**-24


def inner(dtype: DType) -> DType:
    """The dtype in which a sampler computes."""
    return F32 if dtype in (F16, BF16) else dtype


def uniform_of(pair: Words, dtype: DType) -> Value:
    """Numbers in [0, 1): the upper bits, as many as the dtype has digits, as NumPy's are made."""
    if dtype is F64:
        high = Formula(build.cast(pair[0], F64)) * 2.0**-32
        return (high + Formula(build.cast(shifted(pair[1], 11), F64)) * 2.0**-53).value
    digits = {F16: 11, BF16: 8, F32: 24}[dtype]
    whole = build.cast(build.cast(shifted(bits32(pair), 32 - digits), I32), dtype)
    return (Formula(whole) * 2.0**-digits).value


def open_of(pair: Words, dtype: DType) -> Formula:
    """Numbers in (0, 1), for logarithms: f32 with all 32 bits, so that small ones are fine."""
    if dtype is F64:
        high = Formula(build.cast(pair[0], F64)) * 2.0**-32
        rest = Formula(build.cast(shifted(pair[1], 12), F64)) + 0.5
        return high + rest * 2.0**-52
    return open32(bits32(pair))


def open32(word: Value) -> Formula:
    """A word as an f32 in (0, 1); what would be rounded to 1 is the number below it."""
    return ((Formula(build.cast(word, F32)) + 0.5) * 2.0**-32).f("min", BELOW_ONE)


def normal_of(draw: Draws, dtype: DType) -> Formula:
    """Standard normal numbers in f32 or f64: one of the two that Box and Muller's formula gives,
    whose radius and angle have a word each (f32) or a draw each (f64).
    """
    if dtype is F32:
        radius, word = draw()
        chance = open32(radius)
        turn = Formula(build.cast(build.cast(word, I32), F32)) * (math.pi * 2.0**-31)
    else:
        chance = open_of(draw(), F64)
        turn = Formula(uniform_of(draw(1), F64)) * (2 * math.pi)
    return (chance.f("log") * -2.0).f("sqrt") * turn.f("cos")


def exponential_of(pair: Words, dtype: DType) -> Formula:
    """Exponential numbers of mean 1, all above 0."""
    return -open_of(pair, dtype).f("log")


def gumbel_of(pair: Words, dtype: DType) -> Formula:
    """Standard Gumbel numbers; the long tail has the small numbers of `open_of`."""
    return -(-(-open_of(pair, dtype)).f("log1p")).f("log")


def _result(found: Formula, dtype: DType) -> Value:
    return build.cast(found.value, dtype)


# --------------------------------------------------------------------------------- what users call


def uniform(
    key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Numbers in [minval, maxval), as numpy.random.Generator.uniform makes them of the bits.

    Shapes: key u32[2] -> dtype[shape]
    """
    target = float_dtype(dtype)
    found = uniform_of(words(checked(key), extents(shape)), target)
    if _is(minval, 0) and _is(maxval, 1):
        return found
    low, high = (
        Formula(build.broadcast_to(value(x, target), found.shape)) for x in (minval, maxval)
    )
    return (low + (high - low) * Formula(found)).value


def _is(x: Any, number: float) -> bool:
    return isinstance(x, (int, float)) and x == number


def normal(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Normal numbers of mean 0 and deviation 1.

    Shapes: key u32[2] -> dtype[shape]
    Source: G. E. P. Box and M. E. Muller, A note on the generation of random normal deviates (1958)
    """
    target = float_dtype(dtype)
    return _result(normal_of(draws(checked(key), extents(shape)), inner(target)), target)


def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Standard normal numbers between two bounds, by inversion in the tail where it is accurate.

    Shapes: key u32[2], lower and upper broadcast to shape -> dtype[shape]
    """
    target = float_dtype(dtype, lower, upper)
    kind = inner(target)
    whole, (low, high) = spread(shape, kind, lower, upper)
    a, b = Formula(low), Formula(high)
    right = (a + b).f("gt", 0.0)  # then by symmetry in the left tail, whose areas are not near 1
    c, d = right.where(-b, a), right.where(-a, b)
    below, above = Formula(ndtr(c.value)), Formula(ndtr(d.value))
    chance = open_of(words(checked(key), whole), kind)
    found = Formula(ndtri((below + (above - below) * chance).value))
    found = right.where(-found, found)
    return _result(found.f("max", a).f("min", b), target)


def own_params(shape: Any, dtype: DType, *params: Any) -> tuple[Shape, tuple[Value, ...]]:
    """The shape of the result, that of the parameters where none is given; and the parameters."""
    values = tuple(value(p, dtype) for p in params)
    own = ty.broadcast_shapes(*(v.shape for v in values))
    whole = own if shape is None else extents(shape)
    if ty.broadcast_shapes(own, whole) != whole:
        raise ShapeMismatch(f"parameters of shape {own} do not broadcast to the shape {whole}")
    return whole, values


def spread(shape: Any, dtype: DType, *params: Any) -> tuple[Shape, tuple[Value, ...]]:
    """The same with the parameters broadcast to the shape."""
    whole, values = own_params(shape, dtype, *params)
    return whole, tuple(build.broadcast_to(v, whole) for v in values)


def exponential(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Exponential numbers of mean 1.

    Shapes: key u32[2] -> dtype[shape]
    """
    target = float_dtype(dtype)
    return _result(exponential_of(words(checked(key), extents(shape)), inner(target)), target)


def laplace(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Laplace numbers of location 0 and scale 1: exponential ones with a random sign.

    Shapes: key u32[2] -> dtype[shape]
    """
    target = float_dtype(dtype)
    kind = inner(target)
    first, second = words(checked(key), extents(shape))
    if kind is F64:
        size = exponential_of((first, second), F64)  # whose lowest bits are not used
        sign = Formula(build.cast(second, I32)).f("and", 1).f("eq", 1)
    else:
        size = -open32(first).f("log")
        sign = Formula(build.cast(second, I32)).f("lt", 0)
    return _result(sign.where(-size, size), target)


def gumbel(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Gumbel numbers of location 0 and scale 1.

    Shapes: key u32[2] -> dtype[shape]
    """
    target = float_dtype(dtype)
    return _result(gumbel_of(words(checked(key), extents(shape)), inner(target)), target)


def cauchy(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Cauchy numbers of location 0 and scale 1.

    Shapes: key u32[2] -> dtype[shape]
    """
    target = float_dtype(dtype)
    chance = open_of(words(checked(key), extents(shape)), inner(target))
    return _result(((chance - 0.5) * math.pi).f("tan"), target)


def logistic(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Logistic numbers of location 0 and scale 1.

    Shapes: key u32[2] -> dtype[shape]
    """
    target = float_dtype(dtype)
    chance = open_of(words(checked(key), extents(shape)), inner(target))
    return _result(chance.f("log") - (-chance).f("log1p"), target)
