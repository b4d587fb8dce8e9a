"""The product of one row with a large matrix, in bands of columns."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops import matvec
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.loops.verify import verify
from graphc.types import F32, F64
from tests.compiled import compiled
from tests.loops.running import MACHINES, run_graph
from tests.programs import N, arguments, dot, op, tensor
from tests.random_graphs import assert_close, tolerances


def row_product(k: ty.Extent, n: ty.Extent, dtype: ty.DType = F32) -> Graph:
    """max(x @ w + b, 0)"""
    x, w, b = tensor(dtype, k), tensor(dtype, k, n, name="w"), tensor(dtype, n, name="b")
    return Graph.of("f", (x, w, b), (op("max", op("add", dot(x, w, ((0,), (0,))), b), 0.0),))


def bands(graph: Graph) -> bool:
    func = verify(schedule(lower(graph, "f"), Machine(64, 32)).func, "cpu")
    return any(p.name.startswith("part") for p in func.params)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matvec, "BAND", 32)
    monkeypatch.setattr(matvec, "LEAST_COLUMNS", 32)
    monkeypatch.setattr(Machine, "kept_bytes", 0)


@pytest.mark.parametrize("dtype", [F32, F64, ty.F16, ty.I32], ids=str)
@pytest.mark.parametrize("k, n", [(16, 32), (16, 33), (21, 70), (40, 100)])
def test_values(narrow: None, k: int, n: int, dtype: ty.DType) -> None:
    graph = row_product(k, n, dtype)
    assert bands(graph)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_symbolic_columns(narrow: None) -> None:
    graph = row_product(20, N)
    assert bands(graph)
    for n in (1, 31, 32, 100):
        arrays = arguments(graph, {"n": n})
        got = run_graph(graph, arrays, {"n": n}, MACHINES[2])
        expected = np.maximum(arrays[0] @ arrays[1] + arrays[2], 0)
        np.testing.assert_allclose(got[0], expected, rtol=1e-5, atol=1e-6)


def test_pieces_of_lines(narrow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that workers share, the last of them shorter, and lines that do not fill a step."""
    monkeypatch.setattr(matvec, "PIECES", 2)
    monkeypatch.setattr(matvec, "PIECE_TERMS", 16)
    graph = row_product(37, 70)
    arrays = arguments(graph)
    func = schedule(lower(graph, "f"), Machine(64, 32)).func
    (part,) = (p for p in func.params if p.name.startswith("part"))
    assert part.shape == (3 * 70,)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))


def test_the_matrix_is_asked_for_ahead() -> None:
    func = schedule(lower(row_product(64, 5000), "f"), Machine(64, 32)).func
    asked = {
        e.buffer.name
        for s in L.statements(func.body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Load) and e.ahead
    }
    assert asked == {"x1"}
    assert ".ahead(2048)" in str(func)
    assert "prefetch" in graphc.jit(lambda x, w: x @ w).lower(
        graphc.spec((64,), "float32"), graphc.spec((64, 5000), "float32")
    ).text("llvm")


def test_small_or_short_ones_are_plain() -> None:
    assert not bands(row_product(16, 64))
    assert not bands(row_product(4, 100_000))
    assert bands(row_product(64, 5000))


def test_compiled() -> None:
    graph = row_product(300, 5001)
    rng = np.random.default_rng(3)
    x, w, b = (rng.standard_normal(p.shape).astype(np.float32) for p in graph.params)
    (got,) = compiled(graph)(x, w, b)
    expected = np.maximum(x.astype(float) @ w + b, 0)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=2e-5)
