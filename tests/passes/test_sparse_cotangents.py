"""Products of what a maximum sends back: text, values, ties, and what stays dense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc_runtime
import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops.machine import Machine
from graphc.passes import sparse_cotangents as pass_module
from graphc.passes.pipeline import DIRECT, EXACT, PIPELINE, run
from graphc.passes.sparse_cotangents import sparse_cotangents
from graphc.verify import verify
from tests.compiled import run as compiled
from tests.loops.running import MACHINES, run_graph


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few multiply-adds there are."""
    monkeypatch.setattr(pass_module, "LARGE", 1)


def normal(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def gradient_graph(function: Callable[..., Any], *arrays: np.ndarray) -> Graph:
    argnums = tuple(range(len(arrays)))
    return graphc.jit(graphc.grad(function, argnums=argnums)).lower(*arrays).graph


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def agree(function: Callable[..., Any], *arrays: np.ndarray, products: int) -> None:
    """The pass, the interpreter, naive loops and compiled code against the dense products."""
    graph = gradient_graph(function, *arrays)
    sparse, dense = run(graph, stop_after="sparse_cotangents").graph, run(graph, EXACT).graph
    assert names(sparse).count("sparse_product") == products
    verify(sparse)
    assert sparse_cotangents(sparse) is sparse
    expected = evaluate(dense, arrays)
    tolerance = 1e-11 if arrays[0].dtype == np.float64 else 2e-5
    for found in (
        evaluate(sparse, arrays),
        compiled(graph, arrays, passes=True),
    ):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


def over_time(h: Any) -> Any:
    return np.sum(np.sin(np.max(nn.relu(h), axis=1)))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_global_pool_after_a_convolution(
    small: None, padding: str, stride: int, dtype: Any
) -> None:
    def loss(x: Any, w: Any) -> Any:
        return over_time(nn.conv(x, w, padding=padding, stride=stride))

    agree(loss, normal(3, 70, 5, dtype=dtype), normal(3, 5, 7, dtype=dtype, seed=1), products=2)


def test_a_dilated_kernel_and_two_axes_of_space(small: None) -> None:
    def loss(x: Any, w: Any) -> Any:
        h = nn.conv(x, w, padding="same", dilation=(2, 1))
        return np.sum(np.sin(np.max(h, axis=(1, 2))))

    agree(loss, normal(2, 9, 8, 3), normal(3, 2, 3, 70, seed=1), products=2)


def test_a_maximum_over_the_rows_of_a_product(small: None) -> None:
    def loss(x: Any, w: Any) -> Any:
        return over_time(x @ w)

    agree(loss, normal(3, 64, 5), normal(5, 9, seed=1), products=2)


def test_a_minimum_counts_as_well(small: None) -> None:
    def loss(w: Any, x: Any) -> Any:
        return np.sum(np.min(w @ x, axis=1) ** 2)

    agree(loss, normal(9, 5), normal(5, 64, seed=1), products=2)


def test_ties_share_as_before(small: None) -> None:
    """Windows of the same words have the same sums: all of them are maxima."""

    def loss(x: Any, w: Any) -> Any:
        return over_time(nn.conv(x, w))

    x = normal(2, 70, 4)
    x[:, 30:] = x[:, 30:31]
    agree(loss, x, normal(3, 4, 6, seed=1), products=2)


def test_results_do_not_depend_on_threads(small: None) -> None:
    def loss(x: Any, w: Any) -> Any:
        return over_time(nn.conv(x, w))

    arrays = normal(8, 70, 40), normal(3, 40, 70, seed=1)
    gradient = graphc.jit(graphc.grad(loss, argnums=(0, 1)))
    before = graphc_runtime.get_threads()
    found: list[Any] = []
    try:
        for threads in (1, 2):
            graphc_runtime.set_threads(threads)
            found.append(gradient(*arrays))
    finally:
        graphc_runtime.set_threads(before)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_dense_or_small_stays() -> None:
    def windows(x: Any, w: Any) -> Any:  # one element of 4
        h = (x @ w).reshape(128, 4, 256)
        return np.sum(np.max(h, axis=1))

    def columns(x: Any, w: Any) -> Any:
        return np.sum(np.max(x @ w, axis=0))

    def products(passes: Any, function: Callable[..., Any], *arrays: np.ndarray) -> bool:
        return "sparse_product" in str(run(gradient_graph(function, *arrays), passes).graph)

    big = normal(512, 256), normal(256, 256)
    assert products(PIPELINE, columns, *big)
    assert not products(DIRECT, columns, *big)
    assert not products(PIPELINE, windows, *big)
    assert not products(PIPELINE, columns, normal(64, 8), normal(8, 8))


@pytest.mark.parametrize("machine", [None, *MACHINES])
def test_loops_agree_before_and_after_the_schedule(small: None, machine: Machine | None) -> None:
    def loss(x: Any, w: Any) -> Any:
        return over_time(nn.conv(x, w))

    arrays = normal(2, 40, 3), normal(3, 3, 5, seed=1)
    graph = run(gradient_graph(loss, *arrays), stop_after="sparse_cotangents").graph
    assert names(graph).count("sparse_product") == 2
    expected = evaluate(graph, arrays)
    for a, b in zip(run_graph(graph, arrays, {}, machine), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
