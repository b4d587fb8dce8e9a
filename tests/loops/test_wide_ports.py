"""Schedules for cores whose ports are wide: columns that stay in the second cache, sets of rows
that take turns, terms written out and asked for ahead. All against the evaluator.
"""

from __future__ import annotations

import numpy as np
import pytest

from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.loops.shapes import Shape, choose
from graphc.loops.verify import verify
from graphc.types import C64, F32, F64, I32
from tests.compiled import compiled
from tests.loops.running import run_graph, set_limits
from tests.loops.test_contract import product
from tests.loops.test_shapes import nest
from tests.programs import arguments, dot, op, tensor
from tests.random_graphs import assert_close, tolerances

ONE, TWO = (Machine(64, 32, wide_ports=True, workers=n) for n in (1, 2))


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Limits under which small products are cut as large ones are."""
    set_limits(
        monkeypatch, SLICE_TERMS=8, NEAR_ROWS=4, FEW_BYTES=0, NEAR_BYTES=0, MANY_TILES=0,
        WIDE_LARGE=8, MANY_ROWS=0, near_bytes=64 * 4 * 40,
    )  # fmt: skip
    return monkeypatch


def shape_of(graph: Graph, machine: Machine = TWO) -> Shape:
    found = choose(nest(graph), machine)
    assert found is not None
    return found


def check(graph: Graph, *machines: Machine) -> None:
    arrays = arguments(graph)
    for machine in machines:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


SIZES = [(8, 8, 64), (13, 19, 130), (14, 24, 64), (11, 31, 90), (20, 9, 40)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_columns_stay_near(near: pytest.MonkeyPatch, sizes: tuple[int, int, int]) -> None:
    """Some groups of panels, a part of a panel, one slice or several, blocks of two workers."""
    graph = product(*sizes)
    assert shape_of(graph).at_once
    check(graph, ONE, TWO)


@pytest.mark.parametrize("dtype", [F64, I32, C64], ids=str)
def test_dtypes(near: pytest.MonkeyPatch, dtype: ty.DType) -> None:
    for sizes in ((8, 21, 40), (13, 17, 70)):
        check(product(*sizes, dtype=dtype), ONE, TWO)


def test_sums_of_many_slices_wait(near: pytest.MonkeyPatch) -> None:
    """Where not even one panel of all terms stays, rows pass some slices at a time."""
    near.setattr(Machine, "near_bytes", 64 * 4 * 2 * 20)
    shape = shape_of(product(30, 100, 200))
    assert (shape.slice, shape.group, shape.at_once) == (8, 2, 2)
    for sizes in ((9, 41, 200), (13, 33, 130), (8, 40, 64)):
        check(product(*sizes), ONE, TWO)


def test_what_follows_the_sums(near: pytest.MonkeyPatch) -> None:
    a, b = tensor(F32, 14, 20), tensor(F32, 20, 70, name="b")
    bias, other = tensor(F32, 70, name="bias"), tensor(F32, 14, 70, name="other")
    value = op("mul", op("max", op("add", dot(a, b), bias), 0.0), other)
    check(Graph.of("f", (a, b, bias, other), (value,)), ONE, TWO)


def test_nan_and_infinity_pass_through(near: pytest.MonkeyPatch) -> None:
    graph = product(14, 20, 70)
    arrays = arguments(graph)
    arrays[0][3, 4], arrays[1][5, 6], arrays[0][13, 19] = np.nan, np.inf, -np.inf
    got = run_graph(graph, arrays, {}, TWO)
    np.testing.assert_array_equal(np.isnan(got[0]), np.isnan(evaluate(graph, arrays)[0]))


def test_groups_fill_half_of_the_second_cache() -> None:
    for size, group, at_once in ((1024, 2, 3), (512, 4, 2), (300, 5, 1), (2048, 1, 6)):
        shape = shape_of(product(size, size, size))
        assert (shape.group, shape.at_once, shape.block_rows) == (group, at_once, -(-size // 2))
        assert shape.group * shape.lanes * size * 4 <= TWO.l2_bytes // 2
    deep = shape_of(product(512, 5000, 512))
    assert deep.group == 2 and deep.at_once * deep.slice * deep.group * 64 * 4 <= TWO.l2_bytes // 2
    many = Machine(64, 32, wide_ports=True, workers=32)
    assert shape_of(product(128, 784, 128)).block_rows == 64
    assert not shape_of(product(1024, 1024, 1024), many).at_once, "few rows for each of them"
    assert not shape_of(product(1024, 1024, 1024), Machine(64, 32)).at_once


def test_terms_are_written_out_and_asked_for() -> None:
    graph = product(512, 300, 512)
    func = verify(schedule(lower(graph, "f"), TWO).func, "cpu")
    asked = [
        e
        for s in L.statements(func.body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Load) and e.ahead
    ]
    assert asked and all(e.buffer.name.startswith("panel") for e in asked)
    assert {(e.ahead, e.level) for e in asked} == {(8 * 64 * 4, 1)}
    assert ".ahead(2048, 1)" in str(func) and "in unroll(4)" in str(func)
    assert ".ahead" not in str(schedule(lower(product(512, 32, 512), "f"), TWO).func), "it is near"


def test_each_worker_copies_few_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """For its block of rows: in a buffer of its own."""
    set_limits(monkeypatch, COPIED_BYTES=0, NEAR_ROWS=4, WIDE_LARGE=1000)
    for sizes in ((10, 7, 64), (13, 20, 70), (20, 5, 16)):
        graph = product(*sizes)
        assert shape_of(graph).pack_columns == "block"
        func = verify(schedule(lower(graph, "f"), TWO).func, "cpu")
        assert [p.name for p in func.params if p.name.startswith("panel")] == []
        assert any(
            isinstance(s, L.Alloc) and s.buffer.name.startswith("panel")
            for s in L.statements(func.body)
        )
        check(graph, ONE, TWO)


def test_where_columns_are_copied() -> None:
    columns = [shape_of(product(128, 128, n)).pack_columns for n in (32, 128, 512)]
    assert columns == ["", "block", "once"]


# -------------------------------------------------------------------------------- sets of rows


def sets(number: int, rows: int, depth: int, columns: int, dtype: ty.DType = F32) -> Graph:
    """a[b, k, i] c[k, j]: every set of rows against the same columns."""
    a, c = tensor(dtype, number, depth, rows), tensor(dtype, depth, columns, name="c")
    return Graph.of("f", (a, c), (dot(a, c, ((1,), (0,))),))


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Columns of some bytes are far."""
    set_limits(monkeypatch, FAR_COLUMNS=0, SLICE_TERMS=8, FEW_BYTES=0)
    return monkeypatch


@pytest.mark.parametrize(
    "sizes", [(5, 32, 17, 20), (3, 33, 20, 40), (4, 32, 17, 70), (2, 32, 18, 64)], ids=str
)
def test_sets_of_rows_take_turns(far: pytest.MonkeyPatch, sizes: tuple[int, int, int, int]) -> None:
    graph = sets(*sizes)
    shape = shape_of(graph)
    assert shape.rounds == -(-sizes[0] // 2) or sizes[0] == 2
    check(graph, ONE, TWO, Machine(64, 32, wide_ports=True, workers=3))


@pytest.mark.parametrize("dtype", [F64, I32], ids=str)
def test_dtypes_of_sets(far: pytest.MonkeyPatch, dtype: ty.DType) -> None:
    check(sets(3, 32, 19, 40, dtype), ONE, TWO)


def test_near_columns_have_no_turns() -> None:
    assert not shape_of(sets(9, 64, 1000, 64)).rounds
    assert shape_of(sets(9, 64, 100_000, 64)).rounds == 5
    assert not shape_of(sets(9, 64, 100_000, 64), Machine(64, 32)).rounds


def test_compiled() -> None:
    rng = np.random.default_rng(5)
    for graph in (product(300, 700, 390), product(513, 300, 300), sets(3, 40, 30_000, 48)):
        arrays = [rng.standard_normal(p.type.shape).astype(np.float32) for p in graph.params]
        (got,) = compiled(graph)(*arrays)
        (expected,) = evaluate(graph, [a.astype(np.float64).astype(a.dtype) for a in arrays])
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-3)
