"""Pooling against slow definitions: on arrays, traced, symbolic and compiled."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import ShapeMismatch

from ..numpy.tracing import data, same, traced
from .test_convolutions import edges


def pooled(x: np.ndarray, kind: str, window: Any, stride: Any, pairs: Any, dilation: Any) -> Any:
    """Over (N, space, C), one window at a time: a list of the elements that it has."""
    rows = list(zip(x.shape[1:-1], window, stride, pairs, dilation, strict=True))
    counts = [(n + low + high - (k - 1) * d - 1) // s + 1 for n, k, s, (low, high), d in rows]
    result = np.zeros((x.shape[0], *counts, x.shape[-1]))
    for place in np.ndindex(*counts):
        found = []
        for element in np.ndindex(*window):
            at = [
                i * s + e * d - low
                for i, e, (_, _, s, (low, _), d) in zip(place, element, rows, strict=True)
            ]
            if all(0 <= a < n for a, n in zip(at, x.shape[1:-1], strict=True)):
                found.append(x[(slice(None), *at)])
        where = (slice(None), *place)
        if kind == "max":
            result[where] = np.max(found, axis=0, initial=-np.inf)
        else:
            count = len(found) if kind == "inside" else math.prod(window)
            result[where] = np.sum(found, axis=0) / count if count else np.nan
    return result


@pytest.mark.parametrize("seed", range(40))
def test_pools(seed: int) -> None:
    pick = random.Random(seed)
    count = pick.choice((1, 2, 2, 3))
    window, stride, dilation = (
        tuple(pick.choice(c) for _ in range(count)) for c in ((1, 2, 3), (1, 2, 3), (1, 1, 2))
    )
    extents = [(k - 1) * d + pick.randint(1, 5) for k, d in zip(window, dilation, strict=True)]
    padding: Any = pick.choice(("valid", "same", "same_lower", "numbers"))
    if padding == "numbers":
        padding = tuple((pick.randint(0, k // 2), pick.randint(0, k // 2)) for k in window)
    x = data(2, *extents, 3, seed=seed)
    pairs = edges(padding, extents, window, stride, dilation)
    options: Any = {"padding": padding, "dilation": dilation}
    for kind, function, more in (
        ("max", nn.max_pool, {}),
        ("inside", nn.avg_pool, {}),
        ("window", nn.avg_pool, {"count": "window"}),
    ):
        expected = pooled(x, kind, window, stride, pairs, dilation)
        arguments = {**options, **more}
        same(function(x, window, stride, **arguments), expected, 1e-13)
        same(traced(function, x, window, stride, **arguments), expected, 1e-13)
        symbolic = traced(function, x, window, stride, symbolic=True, **arguments)
        same(symbolic, expected, 1e-13)


def test_the_stride_is_the_window_unless_given() -> None:
    x = data(1, 6, 9, 2)
    expected = x.reshape(1, 3, 2, 3, 3, 2).max((2, 4))
    same(nn.max_pool(x, (2, 3)), expected)
    first = x.transpose(0, 3, 1, 2)
    same(nn.max_pool(first, (2, 3), layout="NCHW"), expected.transpose(0, 3, 1, 2))
    same(nn.avg_pool(first, (2, 3), layout="NCHW"),
         x.reshape(1, 3, 2, 3, 3, 2).mean((2, 4)).transpose(0, 3, 1, 2), 1e-14)  # fmt: skip


def test_pools_of_other_dtypes() -> None:
    x = data(1, 6, 2, dtype="i4", low=-50, high=50)
    same(nn.max_pool(x, 2), x.reshape(1, 3, 2, 2).max(2))
    same(nn.max_pool(x, 3, 2, 1)[0, 0], x[0, :2].max(0))  # padding is below every integer
    same(nn.avg_pool(x, 2), x.reshape(1, 3, 2, 2).mean(2))  # float64, as numpy.mean
    half = np.full((1, 8, 1), 60000, np.float16)
    same(nn.avg_pool(half, 4, 1), np.full((1, 5, 1), 60000, np.float16))  # added in f32
    z = data(1, 6, 2, dtype="c16")
    same(nn.avg_pool(z, 2, padding="same"), z.reshape(1, 3, 2, 2).mean(2), 1e-14)
    nan = np.array([[[np.nan], [1.0], [2.0], [3.0]]])
    same(nn.max_pool(nan, 2), np.array([[[np.nan], [3.0]]]))


@pytest.mark.parametrize("count", ["inside", "window"])
def test_compiled_pools(count: str) -> None:
    @graphc.jit(dims={"x": ("b", "h", "w", None)})
    def both(x: Any) -> Any:
        return nn.max_pool(x, 3, 2, "same"), nn.avg_pool(x, 3, 2, "same", count=count)

    for shape in ((1, 5, 6), (2, 3, 1), (0, 4, 4), (1, 12, 9)):
        x = data(*shape, 5, dtype="f4")
        high, mean = both(x)
        same(high, nn.max_pool(x, 3, 2, "same"))
        same(mean, nn.avg_pool(x, 3, 2, "same", count=count), 1e-6)


def test_pools_refuse() -> None:
    x = data(1, 5, 5, 2)
    with pytest.raises(ShapeMismatch, match="count 'all' is neither"):
        nn.avg_pool(x, 2, count="all")
    with pytest.raises(ShapeMismatch, match="does not fit window axis 1"):
        nn.max_pool(x, 7, 1)
    with pytest.raises(ShapeMismatch, match="window has 3 values for 2 axes of space"):
        nn.max_pool(x, (2, 2, 2))
