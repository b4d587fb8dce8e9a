"""The CPU schedule and its steps: equal values, well-formed loops, and what each step promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.cost import body_cost, grain_of
from graphc.loops.flatten import collapse, flatten
from graphc.loops.lower import Lowered, lower
from graphc.loops.rowcache import cache_rows
from graphc.loops.schedule import (
    CHUNK,
    Machine,
    coefficient,
    is_map,
    reduction_target,
    rename,
    schedule,
)
from graphc.loops.text import print_loops
from graphc.loops.verify import verify
from graphc.ops import build
from graphc.types import F32, F64, I32, Dim
from tests.loops.running import MACHINES, run, run_graph
from tests.programs import PROGRAMS, M, N, Program, arguments, dot, op, reduce, tensor, transposed
from tests.random_graphs import assert_close, tolerances

ALL = pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda p: p.name)
PAIRS = ((0, 3), (1, 1), (3, 0), (5, 17), (16, 64), (17, 63), (65, 3))
SMALL, MIDDLE, WIDE = MACHINES
SLOW = ("sorts", "convolution_layer", "transposed_convolution")
"""To interpret: each extent is seen by one machine, and large ones are left to other tests."""


def check(program: Program, n: int, m: int, machine: Machine) -> None:
    graph = program.graph(n, m)
    arrays = arguments(graph, seed=n + m)
    got = run_graph(graph, arrays, {}, machine)
    assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@ALL
def test_values(program: Program) -> None:
    """Every machine sees every program, and a third of the extents each."""
    sizes = program.sizes(PAIRS)
    for k, (n, m) in enumerate(sizes):
        if n * m < 500 or program.name not in SLOW:
            check(program, n, m, MACHINES[k % 3])
            if program.name not in SLOW:
                check(program, n, m, MACHINES[(k + 1) % 3])


@ALL
def test_symbolic_extents(program: Program) -> None:
    graph = program.graph(N, M)
    for n, m in program.sizes(((0, 3), (2, 5), (6, 9) if program.name in SLOW else (17, 33))):
        env = {"n": n, "m": m}
        arrays = arguments(graph, env, seed=n)
        got = run_graph(graph, arrays, env, MACHINES[n % 3])
        assert_close(got, evaluate(graph, arrays), tolerances(program.graph(n, m), arrays))


LARGE = [
    ("variance_all", 300, 300),
    ("sum_of_squares", 300, 301),
    ("transposed_add", 130, 65),
    ("softmax", 2, 1000),
    ("column_sums", 1000, 2),
    ("column_sums", 3, 1000),
    ("distances", 67, 131),
    ("products", 130, 66),
    ("extremes", 70, 400),
    ("logsumexp", 1, 1000),
    ("transposes", 64, 128),
]


@pytest.mark.parametrize("name, n, m", LARGE)
def test_large(name: str, n: int, m: int) -> None:
    check(PROGRAMS[name], n, m, WIDE)


@pytest.mark.heavy
@ALL
@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: f"{m.vector_bytes} bytes")
def test_every_extent(program: Program, machine: Machine) -> None:
    for n in (0, 1, 2, 3, 5, 16, 17, 63, 64, 65, 130):
        for m in (0, 1, 2, 3, 5, 16, 17, 63, 64, 65, 130):
            if min(n, m) >= program.least:
                check(program, n, m, machine)


GOLDEN = [
    ("softmax", 4, 24),
    ("column_sums", 24, 20),
    ("transposed_add", 64, 66),
    ("products", 9, 20),
]


@pytest.mark.parametrize("name, n, m", GOLDEN)
def test_text(name: str, n: int, m: int, golden: Callable[[str, str], None]) -> None:
    lowered = schedule(lower(PROGRAMS[name].graph(n, m), name), SMALL)
    golden(f"scheduled_{name}.txt", str(lowered.func))


# ------------------------------------------------------------------------------- what may change


def naive(program: Program, n: ty.Extent, m: ty.Extent) -> list[Lowered]:
    from graphc.passes.fuse import fuse

    nodes = [k for k in fuse(program.graph(n, m)).nodes if k.op.name == "fusion"]
    return [lower(k.attrs["body"], f"kernel{p}") for p, k in enumerate(nodes)]


def operations(func: L.LoopFunc) -> set[tuple[str, str]]:
    """The scalar operations, without comparisons of indices, which masks add."""
    return {
        (e.op, e.dtype.name)
        for s in L.statements(func.body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Scalar) and not all(isinstance(a, L.Idx) for a in e.args)
    }


@ALL
@pytest.mark.parametrize("n, m", [(17, 33), (N, M)], ids=["static", "symbolic"])
def test_only_loops_and_buffers_change(program: Program, n: ty.Extent, m: ty.Extent) -> None:
    for before in naive(program, n, m):
        after = schedule(before, WIDE)
        assert operations(after.func) <= operations(before.func)
        assert after.messages == before.messages
        for mine, theirs in ((before.inputs, after.inputs), (before.outputs, after.outputs)):
            assert [(b.name, b.dtype, b.access) for b in mine] == [
                (b.name, b.dtype, b.access) for b in theirs
            ]
        # a product whose rows are reduced in blocks needs no memory of its own
        names = {b.name for b in after.temps}
        left = [b.name for b in before.temps if b.name in names]
        assert [b.name for b in after.temps[: len(left)]] == left
        assert (*after.inputs, *after.outputs, *after.temps) == after.func.params
        fails = [s.code for s in L.statements(before.func.body) if isinstance(s, L.Fail)]
        assert {s.code for s in L.statements(after.func.body) if isinstance(s, L.Fail)} == set(
            fails
        )


@ALL
def test_the_steps_are_idempotent_and_repeatable(program: Program) -> None:
    for before in naive(program, 17, 33):
        flat = flatten(before.func)
        assert flatten(flat) == flat
        joined = collapse(flat)
        assert collapse(joined) == joined
        rows = cache_rows(joined)
        assert cache_rows(rows) == rows
        for func in (flat, joined, rows):
            verify(func, "cpu")
        assert print_loops(schedule(before, WIDE).func) == print_loops(schedule(before, WIDE).func)


# ------------------------------------------------------------------------------- flatten, collapse


def loops(func: L.LoopFunc, kind: str | None = None) -> list[L.For]:
    return [
        s
        for s in L.statements(func.body)
        if isinstance(s, L.For) and (kind is None or s.kind == kind)
    ]


def expressions(func: L.LoopFunc) -> Iterator[L.Expr]:
    for stmt in L.statements(func.body):
        for expr in L.expressions(stmt):
            yield from L.walk(expr)


@ALL
def test_flat_buffers_have_one_axis(program: Program) -> None:
    for before in naive(program, 5, 7):
        flat = flatten(before.func)
        assert all(len(b.shape) == 1 for b in flat.params)
        sizes = [ty.product(b.shape) for b in before.func.params]
        assert [b.shape[0] for b in flat.params] == sizes
        assert all(
            len(e.index) == 1
            for e in expressions(flat)
            if isinstance(e, L.Load) and e.buffer.space == "global"
        )


def test_flat_strided_inputs_reach_their_last_element() -> None:
    x = tensor(F32, 3, 4)
    strides = (Dim.symbol("s0"), Dim.symbol("s1"))
    lowered = lower(Graph.of("f", (x,), (op("exp", x),)), "f", {0: strides})
    flat = flatten(lowered.func)
    assert flat.params[0].shape == (2 * strides[0] + 3 * strides[1] + 1,)
    (load,) = [e for e in expressions(flat) if isinstance(e, L.Load)]
    assert load.index[0] == strides[0] * Dim.symbol("i1") + strides[1] * Dim.symbol("i2")


def collapsed(graph: Graph) -> L.LoopFunc:
    return collapse(flatten(lower(graph, "f").func))


def test_contiguous_nests_become_one_loop() -> None:
    for n, m in ((5, 7), (N, M)):
        (loop,) = loops(collapsed(PROGRAMS["elementwise"].graph(n, m)))
        assert (loop.extent, loop.kind) == (n * m, "parallel")


def test_broadcasts_and_transposes_keep_their_loops() -> None:
    for name in ("broadcasts", "transposed_add"):
        assert [s.extent for s in loops(collapsed(PROGRAMS[name].graph(5, 7)))] == [5, 7]


def test_loops_of_one_iteration_go() -> None:
    x = tensor(F32, 1, 5, 1, 7, 1)
    (loop,) = loops(collapsed(Graph.of("f", (x,), (op("exp", x),))))
    assert (loop.extent, loop.kind) == (35, "parallel")
    (loop,) = loops(collapsed(Graph.of("f", (x,), (reduce(x, "sum"),))))
    assert (loop.extent, loop.kind) == (35, "serial")


def test_a_reduction_over_two_axes_is_one_loop() -> None:
    x = tensor(F32, 4, 5, 6)
    assert [s.extent for s in loops(collapsed(Graph.of("f", (x,), (reduce(x, "sum", 1, 2),))))] == [
        4,
        30,
    ]


# ------------------------------------------------------------------------------------------- rows


def uses(func: L.LoopFunc, op_name: str) -> int:
    return sum(isinstance(e, L.Scalar) and e.op == op_name for e in expressions(func))


def rows_of(func: L.LoopFunc) -> list[L.Buffer]:
    return [
        s.buffer
        for s in L.statements(func.body)
        if isinstance(s, L.Alloc) and s.buffer.space == "local"
    ]


def test_a_costly_row_is_computed_once() -> None:
    before = collapse(flatten(lower(PROGRAMS["softmax"].graph(4, 100), "f").func))
    after = cache_rows(before)
    assert (uses(before, "exp"), uses(after, "exp")) == (2, 1)
    assert [b.shape for b in rows_of(after)] == [(100,)]


@pytest.mark.parametrize("m", [8, 100_000, M], ids=["short", "long", "symbolic"])
def test_rows_that_do_not_fit_are_computed_again(m: ty.Extent) -> None:
    before = collapse(flatten(lower(PROGRAMS["softmax"].graph(4, m), "f").func))
    assert uses(cache_rows(before), "exp") == 2


def test_cheap_rows_are_computed_again() -> None:
    before = collapse(flatten(lower(PROGRAMS["variance_rows"].graph(4, 100), "f").func))
    assert cache_rows(before) is before


def test_rows_of_different_values_are_not_shared() -> None:
    x = tensor(F32, 4, 32)
    a = op("sub", op("exp", x), reduce(op("exp", x), "sum", 1, keep=True))
    b = op("mul", op("exp", op("neg", x)), reduce(op("exp", op("neg", x)), "sum", 1, keep=True))
    graph = Graph.of("f", (x,), (op("add", a, b),))
    lowered = lower(graph, "f")
    after = cache_rows(collapse(flatten(lowered.func)))
    arrays = arguments(graph)
    func = Lowered(after, after.params[:1], after.params[1:2], (), ())
    assert_close(
        run(func, arrays, graph.results, {}), evaluate(graph, arrays), tolerances(graph, arrays)
    )


# ------------------------------------------------------------------------------------------- tiles


def scheduled(graph: Graph, machine: Machine = WIDE) -> L.LoopFunc:
    return verify(schedule(lower(graph, "f"), machine).func, "cpu")


def test_transposed_reads_go_through_tiles() -> None:
    func = scheduled(PROGRAMS["transposed_add"].graph(130, 70))
    moves = [s for s in L.statements(func.body) if isinstance(s, L.Transpose)]
    assert len(moves) == 1 and moves[0].source.name == "x1"
    x = tensor(F64, 64, 64)
    func = scheduled(Graph.of("f", (x,), (op("add", x, transposed(x)),)))
    assert [s.size for s in L.statements(func.body) if isinstance(s, L.Transpose)] == [8]


@pytest.mark.parametrize("n, m", [(63, 63), (63, 200), (N, M)])
def test_small_or_unknown_transposes_are_plain(n: ty.Extent, m: ty.Extent) -> None:
    func = scheduled(PROGRAMS["transposed_add"].graph(n, m))
    assert not [s for s in L.statements(func.body) if isinstance(s, L.Transpose)]


@pytest.mark.parametrize("dtype", [F64, I32, ty.F16, ty.BF16, ty.BOOL], ids=str)
def test_contractions_of_every_dtype(dtype: ty.DType) -> None:
    for n, k, m in ((4, 2, 16), (7, 3, 33), (13, 8, 64)):
        a, b = tensor(dtype, n, k), tensor(dtype, k, m, name="b")
        graph = Graph.of("f", (a, b), (dot(a, b),))
        arrays = arguments(graph)
        for machine in MACHINES:
            got = run_graph(graph, arrays, {}, machine)
            assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


# ------------------------------------------------------------------------------ threads and chunks


def test_reductions_over_everything_are_cut_in_pieces() -> None:
    x = tensor(F32, 4 * CHUNK + 100)
    func = scheduled(Graph.of("f", (x,), (reduce(op("exp", x), "sum"),)))
    (pieces,) = loops(func, "parallel")
    assert pieces.extent == 4
    assert func.params[-1].shape == (5,)
    x = tensor(F32, N)
    func = scheduled(Graph.of("f", (x,), (reduce(op("exp", x), "sum"),)))
    (pieces,) = loops(func, "parallel")
    assert pieces.extent == N // CHUNK


def test_pieces_of_symbolic_extents() -> None:
    x = tensor(F64, N)
    graph = Graph.of("f", (x,), (reduce(x, "sum"), reduce(op("abs", x), "max")))
    lowered = schedule(lower(graph, "f"), WIDE)
    for n in (1, 5, CHUNK, CHUNK + 1):
        arrays = arguments(graph, {"n": n})
        got = run(lowered, arrays, graph.results, {"n": n})
        np.testing.assert_allclose(got[0], arrays[0].sum(), rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(got[1], np.abs(arrays[0]).max())


def test_small_nests_are_not_offered_to_threads() -> None:
    assert not loops(scheduled(PROGRAMS["elementwise"].graph(3, 4)), "parallel")
    assert loops(scheduled(PROGRAMS["elementwise"].graph(1000, 1000)), "parallel")
    assert loops(scheduled(PROGRAMS["elementwise"].graph(N, M)), "parallel")


# --------------------------------------------------------------------------------------- streaming


def streamed(graph: Graph, streaming_bytes: int | None) -> list[str]:
    machine = Machine(64, 32, streaming_bytes)
    func = verify(schedule(lower(graph, "f"), machine).func, "cpu")
    return [
        s.buffer.name for s in L.statements(func.body) if isinstance(s, L.Store) and s.streaming
    ]


def test_large_results_are_streamed() -> None:
    graph = PROGRAMS["elementwise"].graph(64, 128)
    assert streamed(graph, None) == []
    assert streamed(graph, 64 * 128 * 4) == ["y0"]
    assert streamed(graph, 64 * 128 * 4 + 1) == []
    assert streamed(PROGRAMS["elementwise"].graph(N, M), 1 << 20) == ["y0"]
    assert streamed(PROGRAMS["broadcasts"].graph(64, 127), 0) == []  # rows are not aligned


# --------------------------------------------------------------------------------------- questions


def test_coefficients() -> None:
    i, j = Dim.symbol("i"), Dim.symbol("j")
    assert coefficient(3 * i + j, "i") == 3
    assert coefficient(N * i + j, "i") == N
    assert coefficient(j, "i") == 0
    assert coefficient(i * i, "i") is None
    assert coefficient(i // 2, "i") is None
    assert coefficient(7, "i") == 0


def test_reductions_and_maps_are_told_apart() -> None:
    (row,) = lower(PROGRAMS["column_sums"].graph(4, 6), "f").func.body
    assert isinstance(row, L.For) and is_map(row) and reduction_target(row) is None
    (inner,) = [s for s in row.body if isinstance(s, L.For)]
    assert not is_map(inner) and reduction_target(inner) is not None


def test_renamed_statements_share_no_names() -> None:
    count = 0

    def fresh(stem: str) -> str:
        nonlocal count
        count += 1
        return f"{stem}__{count}"

    body = lower(PROGRAMS["softmax"].graph(4, 6), "f").func.body
    copy = rename(body, fresh)

    def bound(stmts: tuple[L.Stmt, ...]) -> set[str]:
        found = set()
        for s in L.statements(stmts):
            if isinstance(s, L.For):
                found.add(s.var)
            elif isinstance(s, L.Let):
                found.add(s.name)
            elif isinstance(s, L.Alloc):
                found.add(s.buffer.name)
        return found

    assert not bound(body) & bound(copy)
    assert len(bound(body)) == len(bound(copy))


def test_costs() -> None:
    cheap = lower(PROGRAMS["elementwise"].graph(4, 6), "f").func.body
    dear = lower(PROGRAMS["gelu"].graph(4, 6), "f").func.body
    assert 0 < body_cost(cheap) < body_cost(dear)
    assert grain_of(cheap) > grain_of(dear) >= 1


def test_lanes_run_along_the_outer_loop_where_the_inner_one_reads_nothing() -> None:
    """The first accepted of several tries: no reduction across lanes, nothing scalar after it."""

    def text(n: int) -> str:
        trial = op("mul", build.iota((14, n), 0, F32), build.iota((14, n), 1, F32))
        graph = Graph.of("f", (), (reduce(trial, "min", 0),))
        return print_loops(schedule(lower(graph, "f"), MIDDLE).func)

    assert "lanes_" not in text(1000) and "in vector(32):" in text(1000)
    assert "lanes_" in text(20)
