"""Samplers of discrete distributions, and of orders: bernoulli, categorical, randint, permutation,
choice.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..numpy import ufuncs as u
from ..numpy.dispatch import axis_of, extents, number, value
from ..numpy.indexing import take, take_along_axis
from ..numpy.ordering import argsort, searchsorted
from ..numpy.reductions import argmax
from ..numpy.scans import cumsum
from ..numpy.shaping import at, moveaxis, part
from ..ops import build
from ..ops.formula import Formula
from ..types import BOOL, F32, F64, I64, U64, Dim, DType
from .continuous import gumbel_of, inner, spread, uniform_of
from .keys import WORD, Shape, Words, bits32, bits64, checked, draws, float_dtype, shifted, words
from .rejection import integer_dtype


def bernoulli(key: Any, p: Any = 0.5, shape: Any = None) -> Any:
    """True with probability p, to within 2**-32.

    Shapes: key u32[2], p broadcasts to shape -> bool[shape]
    """
    if isinstance(p, (int, float, np.number)):
        chance = float(p)  # type: ignore[arg-type]
        if not 0 <= chance <= 1:
            raise ValueError(f"the probability p is {p}, which is not in [0, 1]")
        whole = () if shape is None else extents(shape)
        limit = math.ceil(chance * WORD)
        word = bits32(words(checked(key), whole))
        if limit == WORD:
            return build.full(whole, True, BOOL)
        return Formula(word).f("lt", limit).value
    whole, (chances,) = spread(shape, F64, p)
    word = Formula(build.cast(bits32(words(checked(key), whole)), F64))
    return word.f("lt", Formula(chances) * float(WORD)).value


def categorical(key: Any, logits: Any, axis: Any = -1, shape: Any = None) -> Any:
    """Positions along an axis with probabilities softmax(logits), by the Gumbel-max trick.

    `shape` is that of the result; it ends with that of the logits without the axis, which is the
    default.

    Shapes: key u32[2], logits f[..., n] -> i64[shape]
    Source: E. J. Gumbel, Statistical theory of extreme values (1954)
    """
    scores = value(logits)
    target = inner(float_dtype(None, scores))
    scores = moveaxis(build.cast(scores, target), axis_of(axis, len(scores.shape)), -1)
    batch = scores.shape[:-1]
    whole = batch if shape is None else extents(shape)
    if len(whole) < len(batch) or whole[len(whole) - len(batch) :] != batch:
        raise ShapeMismatch(
            f"the shape {whole} does not end with {batch}, that of the logits without the axis"
        )
    full = (*whole, scores.shape[-1])
    noise = gumbel_of(words(checked(key), full), target)
    return argmax((noise + Formula(build.broadcast_to(scores, full))).value, -1)


# -------------------------------------------------------------------------------------- integers


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = int) -> Any:
    """Integers in [minval, maxval): the upper word of a product, biased by less than 2**-32 of a
    probability (2**-64 where the range is wider than 32 bits). Where maxval is not above minval the
    answer is minval.

    Shapes: key u32[2], bounds broadcast to shape -> dtype[shape]
    Source: D. Lemire, Fast random integer generation in an interval (2019)
    """
    target = integer_dtype(dtype)
    span = _span(minval, maxval, target)
    owned = checked(key)
    if span == 2**64:
        whole = bits64(words(owned, extents(shape)))
        start = build.full_like(whole, int(minval))
        return build.cast(Formula(whole).f("add", Formula(start)).value, target)
    kind = target if target.bits == 64 else I64
    whole, (low, high) = spread(shape, kind, minval, _top(maxval, kind))
    if span is None:
        width = Formula(build.cast(high, U64)) - Formula(build.cast(low, U64))
        width = Formula(high).f("gt", Formula(low)).where(width, 0)
    else:
        width = Formula(build.full(whole, span, U64))
    if target.bits <= 32:
        offset = _scaled(words(owned, whole), width)
    else:
        draw = draws(owned, whole)
        offset = _scaled_wide(bits64(draw()), bits64(draw(1)), width)
    return build.cast((offset + Formula(build.cast(low, U64))).value, target)


def _span(minval: Any, maxval: Any, dtype: DType) -> int | None:
    """The width of a range of two numbers."""
    ends = (minval, maxval)
    if not all(isinstance(x, (int, np.integer)) for x in ends):
        return None
    low, high = map(int, ends)
    limits = np.iinfo(dtype.numpy)
    if high <= low:
        raise ValueError(f"there is no integer in [{low}, {high})")
    if low < limits.min or high > limits.max + 1:
        raise OverflowError(f"the range [{low}, {high}) does not fit {dtype}")
    return high - low


def _top(maxval: Any, dtype: DType) -> Any:
    """maxval as a number of the dtype; one above it is not read, since the width is known."""
    if isinstance(maxval, (int, np.integer)):
        return min(int(maxval), np.iinfo(dtype.numpy).max)
    return maxval


def _scaled(pair: Words, width: Formula) -> Formula:
    """floor(x * width / 2**64) of the 64 bits x, for a width up to 2**32."""
    high, low = (Formula(build.cast(w, U64)) for w in pair)
    carried = Formula(shifted((low * width).value, 32))
    return Formula(shifted((high * width + carried).value, 32))


def _scaled_wide(high: Value, low: Value, width: Formula) -> Formula:
    """floor(x * width / 2**128) of 128 bits."""
    top, bottom = _product(high, width)
    carried = bottom + _product(low, width)[0]
    return carried.f("lt", bottom).where(top + 1, top)


def _product(x: Value, y: Formula) -> tuple[Formula, Formula]:
    """The upper and the lower word of a product of two words of 64 bits."""
    a, b = Formula(shifted(x, 32)), Formula(x).f("and", WORD - 1)
    c, d = Formula(shifted(y.value, 32)), y.f("and", WORD - 1)
    low = b * d
    middle = a * d + Formula(shifted(low.value, 32))
    other = b * c + middle.f("and", WORD - 1)
    high = a * c + Formula(shifted(middle.value, 32)) + Formula(shifted(other.value, 32))
    return high, Formula(x) * y


# ---------------------------------------------------------------------------------------- orders


def permutation(key: Any, x: Any, axis: Any = 0, independent: bool = False) -> Any:
    """The numbers 0 to x - 1 in random order, or an array in random order along an axis;
    `independent`: each line along the axis in an order of its own.

    It sorts by 64 random bits.

    Shapes: key u32[2], x [n, ...] -> [n, ...]
    """
    owned = checked(key)
    if isinstance(x, (int, np.integer, Dim)):
        return argsort(bits64(words(owned, extents(x))), 0)
    array = value(x)
    along = axis_of(axis, len(array.shape))
    if independent:
        return take_along_axis(array, argsort(bits64(words(owned, array.shape)), along), along)
    return take(array, argsort(bits64(words(owned, (array.shape[along],))), 0), along)


def choice(
    key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: Any = 0
) -> Any:
    """Elements of a (or numbers below it), with or without replacement, uniformly or with
    probabilities p.

    Shapes: key u32[2], a [n, ...], p f[n] -> [*shape, ...]
    """
    owned, whole = checked(key), extents(shape)
    many = isinstance(a, (int, np.integer, Dim))
    array = None if many else value(a)
    along = 0 if array is None else axis_of(axis, len(array.shape))
    count: Any = a if array is None else array.shape[along]
    if p is not None and value(p).shape != (count,):
        raise ShapeMismatch(f"p is {value(p).type}, and there are {count} elements to choose from")
    if not isinstance(count, Dim) and not count and ty.product(whole) != 0:
        raise ValueError("there is nothing to choose from")
    places = _chosen(owned, count, whole, replace, p)
    return places if array is None else take(array, places, along)


def _chosen(key: Value, count: Any, shape: Shape, replace: bool, p: Any) -> Value:
    if replace and p is None:
        return randint(key, shape, 0, count)
    if replace:
        heights = cumsum(build.cast(value(p), F64))
        top = Formula(build.broadcast_to(at(heights, 0, -1 + number(count, "choice")), shape))
        level = Formula(uniform_of(words(key, shape), F64)) * top
        found = searchsorted(heights, level.value, "right")
        return u.minimum(found, count - 1)
    size = ty.product(shape)
    if not isinstance(size, Dim) and not isinstance(count, Dim) and size > count:
        raise ValueError(f"{size} different ones of {count} are asked for")
    if p is None:
        order = argsort(bits64(words(key, (count,))), 0)
    else:
        weights = value(p)
        weights = weights if weights.dtype is F32 else build.cast(weights, F64)
        scores = gumbel_of(words(key, (count,)), weights.dtype) + Formula(weights).f("log")
        order = argsort((-scores).value, 0)
    return build.reshape(part(order, 0, 0, size), shape)
