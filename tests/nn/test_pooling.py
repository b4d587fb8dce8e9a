"""Pooling and resizing against slow definitions: on arrays, traced, symbolic and compiled."""

from __future__ import annotations

import itertools
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


# ----------------------------------------------------------------------------------------- resizing


def place(i: int, n: int, m: int, coordinates: str) -> float:
    """Where element i of m stands among n (Source: ONNX Resize)."""
    if coordinates == "half_pixel":
        return (i + 0.5) * n / m - 0.5
    if coordinates == "align_corners":
        return i * (n - 1) / (m - 1) if m > 1 else 0.0
    return i * n / m


def nearest(i: int, n: int, m: int, coordinates: str) -> int:
    at = place(i, n, m, coordinates)
    # the element that holds the point; where corners align, that which is nearest
    return math.floor(at + {"half_pixel": 0.5, "align_corners": 0.5, "asymmetric": 0}[coordinates])


def resized(x: np.ndarray, axis: int, m: int, method: str, coordinates: str) -> np.ndarray:
    n, parts = x.shape[axis], []
    for i in range(m):
        if method == "nearest":
            parts.append(x.take(nearest(i, n, m, coordinates), axis))
            continue
        at = min(max(place(i, n, m, coordinates), 0.0), n - 1.0)
        low = min(int(at), n - 1)
        a, b = x.take(low, axis), x.take(min(low + 1, n - 1), axis)
        parts.append(a * (1 - (at - low)) + b * (at - low))
    return np.stack(parts, axis)


CONVENTIONS = list(
    itertools.product(("nearest", "bilinear"), ("half_pixel", "align_corners", "asymmetric"))
)


@pytest.mark.parametrize("method, coordinates", CONVENTIONS)
def test_resize(method: str, coordinates: str) -> None:
    # powers of two and their like: the reference computes in floats, and must not round
    for n, m in itertools.product((1, 2, 4, 8, 5), (1, 2, 4, 8, 5, 16)):
        x = data(2, n, 3, 2, seed=n)
        expected = resized(resized(x, 1, m, method, coordinates), 2, 6, method, coordinates)
        for run in (nn.resize, lambda *a, **k: traced(nn.resize, *a, **k)):
            found = run(x, (m, 6), method, coordinates=coordinates)
            same(found, expected, 1e-12, f"{n} to {m}")
        symbolic = traced(
            lambda v, m=m: nn.resize(v, (m, 6), method, coordinates=coordinates), x, symbolic=True
        )
        same(symbolic, expected, 1e-12, f"{n} to {m}, symbolic")


def test_resize_by_whole_factors_is_movement() -> None:
    """Without a gather: each element is repeated, or every so many is taken."""

    def ops(size: Any, **options: Any) -> set[str]:
        function = graphc.jit(lambda x: nn.resize(x, size, **options))
        nodes = function.trace(np.zeros((1, 4, 6, 2), np.float32)).graph.nodes
        return {node.op.name for node in nodes}

    assert ops((8, 18)) == {"reshape", "broadcast"}
    assert ops((2, 3)) == {"slice"} and ops((4, 6)) == set()
    assert "gather" in ops((5, 6))


def test_resize_compiled() -> None:
    @graphc.jit(dims={"x": ("b", "h", "w", None)})
    def f(x: Any) -> Any:
        _, h, w, _ = x.shape
        up = nn.resize(x, (2 * h, 3 * w))
        return up, nn.resize(x, (7, 5), "bilinear"), nn.resize(up, (h, w), "bilinear")

    for shape in ((1, 3, 4), (2, 5, 1), (0, 2, 2)):
        x = data(*shape, 3, dtype="f4")
        up, fixed, back = f(x)
        same(up, x.repeat(2, 1).repeat(3, 2))
        same(fixed, nn.resize(x, (7, 5), "bilinear"), 1e-6)
        same(back, nn.resize(up, shape[1:], "bilinear"), 1e-6)


def test_resize_of_other_dtypes_and_refusals() -> None:
    x = data(1, 4, 2, dtype="i2", low=-9, high=9)
    assert nn.resize(x, 6).dtype == np.int16 and nn.resize(x, 6, "bilinear").dtype == np.float64
    assert nn.resize(x.astype("f2"), 6, "bilinear").dtype == np.float16
    assert nn.resize(x, 0).shape == (1, 0, 2) == nn.resize(x, 0, "bilinear").shape
    z = data(1, 4, 2, dtype="c16")
    same(nn.resize(z, 8, "bilinear"), resized(z, 1, 8, "bilinear", "half_pixel"), 1e-13)
    with pytest.raises(ShapeMismatch, match="method 'cubic' is neither"):
        nn.resize(x, 6, "cubic")
    with pytest.raises(ShapeMismatch, match="coordinates 'pixel' is none of half_pixel"):
        nn.resize(x, 6, coordinates="pixel")
    with pytest.raises(ShapeMismatch, match="axis 1 has no elements"):
        nn.resize(x[:, :0], 6)
