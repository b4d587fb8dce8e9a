"""passes/joins.py, and the kernels that write many arrays side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir import Graph, param
from graphc.opdef import lookup
from graphc.passes.joins import MOST, joins
from graphc.types import F64, TensorType

RNG = np.random.default_rng(4)


def long(count: int) -> Graph:
    params = [param(TensorType(F64, (2, 1 + k % 3)), f"x{k}") for k in range(count)]
    return Graph.of("f", params, (lookup("concatenate")(*params, axis=1),))


@pytest.mark.parametrize("count", [MOST + 1, 3 * MOST, MOST * MOST + 1])
def test_a_tree_of_few_parts_in_the_same_order(count: int) -> None:
    graph = long(count)
    found = joins(graph)
    assert max(len(node.operands) for node in found.nodes) <= MOST
    assert found.results[0].type == graph.results[0].type
    leaves: list[Any] = []
    waiting = [found.results[0]]
    while waiting:
        value = waiting.pop()
        if value in found.params:
            leaves.append(value)
        else:
            waiting.extend(reversed(value.node.operands))
    assert leaves == list(graph.params)
    assert joins(found) is found


def test_few_parts_stay() -> None:
    graph = long(MOST)
    assert joins(graph) is graph


@pytest.mark.parametrize("count", [9, 65, 2000])
def test_many_arrays_side_by_side(count: int) -> None:
    parts = [RNG.normal(size=k % 4) for k in range(count)]
    joined = graphc.jit(lambda *parts: np.concatenate(parts))(*parts)
    np.testing.assert_array_equal(joined, np.concatenate(parts))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_many_computed_rows_are_stacked(axis: int) -> None:
    def run(x: Any) -> Any:
        rows = [x[k] * k + x[k - 1] for k in range(300)]
        return np.stack(rows, axis=axis) * 2

    x = RNG.normal(size=(300, 3, 2))
    np.testing.assert_allclose(graphc.jit(run)(x), run(x), rtol=1e-14)


def test_single_numbers_and_complex_rows() -> None:
    def run(x: Any) -> Any:
        numbers = np.array([x[k].real for k in range(70)])
        return numbers, np.concatenate([x[k : k + 2] for k in range(70)])

    x = RNG.normal(size=80) + 1j * RNG.normal(size=80)
    for one, other in zip(graphc.jit(run)(x), run(x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_symbolic_extents_and_derivatives() -> None:
    def run(x: Any) -> Any:
        return np.concatenate([x * k for k in range(12)])

    compiled = graphc.jit(run, dims={"x": "n"})
    for n in (1, 5):
        x = RNG.normal(size=n)
        np.testing.assert_allclose(compiled(x), run(x), rtol=1e-14)
    slope = graphc.grad(lambda x: (run(x) ** 2).sum())(np.ones(3))
    np.testing.assert_allclose(slope, np.full(3, 2.0 * sum(k * k for k in range(12))))
