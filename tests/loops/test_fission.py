"""Rows of reductions with a costly end, and sums over several loops: loops and values."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph, Value
from graphc.loops import ir as L
from graphc.loops.fission import fission
from graphc.loops.lower import lower
from graphc.loops.schedule import schedule
from graphc.passes.fuse import fuse
from graphc.types import F32
from tests.loops.running import MACHINES, run_graph
from tests.programs import arguments, conv, op, tensor
from tests.random_graphs import assert_close
from tests.thinned import thinned

SAME = {"low": (1, 1), "high": (1, 1)}


def layer(
    features: int, end: bool, columns: int = 12, channels: int = 32, images: int = 16
) -> Graph:
    """A convolution, and a function of every element of it."""
    x = tensor(F32, images, 3, columns, channels)
    w, bias = tensor(F32, 3, 3, channels, features, name="w"), tensor(F32, features, name="b")
    found: Value = op("add", conv(x, w, **SAME), bias)
    return Graph.of("f", (x, w, bias), (op("logaddexp", found, 0.0) if end else found,))


def scheduled(graph: Graph) -> L.LoopFunc:
    (node,) = fuse(graph).nodes
    return schedule(lower(node.attrs["body"], "kernel"), MACHINES[2]).func


def rows(func: L.LoopFunc) -> int:
    allocated = (s for s in L.statements(func.body) if isinstance(s, L.Alloc))
    return sum(s.buffer.space == "local" for s in allocated)


def across(func: L.LoopFunc) -> list[int]:
    """How many loops stand around each sum over lanes."""
    found: list[int] = []

    def visit(body: tuple[L.Stmt, ...], depth: int) -> None:
        for stmt in body:
            if isinstance(stmt, L.For):
                if stmt.kind == "vector" and all(isinstance(s, L.Accumulate) for s in stmt.body):
                    found.append(depth)
                visit(stmt.body, depth + 1)

    visit(func.body, 0)
    return found


def test_a_costly_end_runs_in_lanes_along_the_row() -> None:
    func = scheduled(layer(1, True))
    assert rows(func) == 1
    ends = [
        s for s in L.statements(func.body)
        if isinstance(s, L.For) and s.kind == "vector"
        and any("logaddexp" in str(x) for x in L.statements(s.body))
    ]  # fmt: skip
    assert ends and not any(s.kind == "serial" for s in ends)


@pytest.mark.parametrize("graph", [layer(1, False), layer(1, True, columns=7)])
def test_a_cheap_end_and_a_short_row_stay(graph: Graph) -> None:
    assert rows(scheduled(graph)) == 0


def test_lanes_are_summed_once_for_all_places_of_a_window() -> None:
    # around the sum over lanes: image, line, column and feature; not the 3x3 places
    assert across(scheduled(layer(1, False))) == [4]


LAYERS = [
    (channels, features, machine)
    for channels in (5, 32, 37)
    for features in (1, 2, 3)
    for machine in MACHINES
]


@pytest.mark.parametrize("channels, features, machine", thinned(LAYERS))
def test_values(machine: object, features: int, channels: int) -> None:
    graph = layer(features, True, columns=13, channels=channels, images=2)
    arrays = arguments(graph, {}, seed=channels)
    found = run_graph(graph, arrays, {}, machine)  # type: ignore[arg-type]
    assert_close(found, evaluate(graph, arrays), [1e-4])


def test_what_is_no_row_of_reductions_is_refused() -> None:
    x = L.Buffer("x", F32, (64,))
    row = L.For("i", 64, "serial", (L.Store(x, (L.Dim.symbol("i"),), L.const(0.0, F32)),))
    count = iter(range(99))
    assert fission(row, lambda stem: f"{stem}_{next(count)}") is None
    func = lower(fuse(layer(1, True)).nodes[0].attrs["body"], "kernel").func
    (outer,) = (s for s in func.body if isinstance(s, L.For))
    assert outer.kind == "parallel" and fission(outer, str) is None


def test_sums_of_two_results_keep_their_lanes_apart() -> None:
    x = tensor(F32, 6, 4, 5, 32)
    total = op("reduce", x, kind="sum", axes=(2, 3))
    greatest = op("reduce", x, kind="max", axes=(2, 3))
    graph = Graph.of("f", (x,), (total, op("exp", greatest)))
    arrays = arguments(graph, {}, seed=0)
    for machine in MACHINES:
        found = run_graph(graph, arrays, {}, machine)
        for a, b in zip(found, evaluate(graph, arrays), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)
