"""Resizing against slow definitions: on arrays, traced, symbolic and compiled."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import ShapeMismatch

from ..numpy.tracing import data, same, traced


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
