"""Lowering: naive loops are well formed and mean what the graph means, for every program."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import LoweringError
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.bounds import less, simplify
from graphc.loops.evaluate import evaluate as run_loops
from graphc.loops.lower import NON_FINITE, Lowering, lower
from graphc.loops.nests import nests, row_depth
from graphc.loops.verify import verify
from graphc.ops import build
from graphc.types import C64, F16, F32, F64, I64, Dim
from tests.loops.running import run, run_graph
from tests.programs import PROGRAMS, M, N, Program, arguments, dot, op, part, reduce, tensor
from tests.random_graphs import assert_close, tolerances

PAIRS = ((0, 3), (1, 1), (3, 0), (2, 5), (5, 17), (17, 16))
ALL = pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda p: p.name)
WHOLE = pytest.mark.parametrize(  # a large constant is an operand of kernels
    "program", [p for p in PROGRAMS.values() if p.name != "plain_results"], ids=lambda p: p.name
)


@WHOLE
def test_values(program: Program) -> None:
    for n, m in program.sizes(PAIRS):
        graph = program.graph(n, m)
        arrays = arguments(graph, seed=n, special=True)
        lowered = lower(graph, "f")
        verify(lowered.func, "cpu")
        assert_close(
            run(lowered, arrays, graph.results, {}),
            evaluate(graph, arrays),
            tolerances(graph, arrays),
        )


@WHOLE
def test_symbolic_extents(program: Program) -> None:
    graph = program.graph(N, M)
    lowered = lower(graph, "f")
    verify(lowered.func, "cpu")
    for n, m in program.sizes(PAIRS[:4]):
        env = {"n": n, "m": m}
        arrays = arguments(graph, env, seed=n + 1)
        got = run(lowered, arrays, graph.results, env)
        assert_close(got, evaluate(graph, arrays), tolerances(program.graph(n, m), arrays))


@ALL
def test_kernels_have_the_values_of_the_graph(program: Program) -> None:
    for n, m in program.sizes(((17, 5), (3, 0))):
        graph = program.graph(n, m)
        arrays = arguments(graph, seed=3)
        got = run_graph(graph, arrays, {}, None)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("name", ["softmax", "column_sums", "transposed_add", "concatenations"])
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"naive_{name}.txt", str(lower(PROGRAMS[name].graph(4, 6), name).func))


def test_text_of_symbols(golden: Callable[[str, str], None]) -> None:
    golden("naive_symbolic.txt", str(lower(PROGRAMS["layer_norm"].graph(N, M), "layer_norm").func))


# ------------------------------------------------------------------------------------- placement


def depth_of(func: L.LoopFunc, op_name: str) -> list[int]:
    """How many loops surround each use of a scalar op."""
    found: list[int] = []

    def walk(body: tuple[L.Stmt, ...], depth: int) -> None:
        for stmt in body:
            for expr in L.expressions(stmt):
                found.extend(
                    depth for e in L.walk(expr) if isinstance(e, L.Scalar) and e.op == op_name
                )
            if isinstance(stmt, L.For):
                walk(stmt.body, depth + 1)
            elif isinstance(stmt, L.If):
                walk(stmt.then, depth)
                walk(stmt.otherwise, depth)

    walk(func.body, 0)
    return found


def test_what_depends_on_the_row_alone_is_computed_once_per_row() -> None:
    x, row = tensor(F32, 4, 6), tensor(F32, 4, 1, name="row")
    graph = Graph.of("f", (x, row), (op("add", x, op("exp", row)),))
    assert depth_of(lower(graph, "f").func, "exp") == [1]
    one = tensor(F32, name="one")
    graph = Graph.of("f", (x, one), (op("add", x, op("exp", one)),))
    assert depth_of(lower(graph, "f").func, "exp") == [0]


def test_one_value_read_twice_at_one_place_is_computed_once() -> None:
    x = tensor(F32, 4)
    e = op("exp", x)
    graph = Graph.of("f", (x,), (op("mul", e, op("add", e, 1.0)), e))
    assert depth_of(lower(graph, "f").func, "exp") == [1]


def test_loads_of_a_branch_not_taken_do_not_happen() -> None:
    x, y = tensor(F32, 3), tensor(F32, 2, name="y")
    graph = Graph.of("f", (x, y), (op("concatenate", x, op("exp", y), axis=0),))
    lowered = lower(graph, "f")
    loads = [
        e
        for s in L.statements(lowered.func.body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Load)
    ]
    assert len(loads) == 2 and all(e.guard is not None for e in loads)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_is_loaded_where_nothing_is_stored(shape: tuple[int, int]) -> None:
    x = tensor(F32, *shape)
    flat = build.reshape(op("exp", x), (1, 0))
    centred = op("sub", x, reduce(x, "sum", 1, keep=True))
    lowered = lower(Graph.of("f", (x,), (flat, centred)), "f")
    assert (
        run_loops(
            lowered.func, {b.name: np.zeros(b.shape, np.float32) for b in lowered.func.params}, {}
        )
        == []
    )
    assert not [
        s
        for s in L.statements(lowered.func.body)
        if isinstance(s, L.Store) and s.buffer.access == "out"
    ]


@pytest.mark.parametrize(
    "dtype, kind",
    [(F32, "sum"), (F16, "sum"), (C64, "sum"), (C64, "prod"), (I64, "and"), (F64, "prod")],
)
def test_reductions_of_nothing(dtype: ty.DType, kind: str) -> None:
    x = tensor(dtype, 3, 0)
    graph = Graph.of(
        "f",
        (x,),
        (
            reduce(x, kind, 1),
            op("exp", reduce(build.cast(x, F32), "sum", 1))
            if dtype is not C64
            else reduce(x, kind),
        ),
    )
    arrays = arguments(graph)
    got = run(lower(graph, "f"), arrays, graph.results, {})
    for a, b in zip(got, evaluate(graph, arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_contraction_over_nothing() -> None:
    a, b = tensor(F16, 3, 0), tensor(F16, 0, 2, name="b")
    graph = Graph.of("f", (a, b), (dot(a, b),))
    (got,) = run(lower(graph, "f"), arguments(graph), graph.results, {})
    np.testing.assert_array_equal(got, np.zeros((3, 2), np.float16))


# ------------------------------------------------------------------------------- strides, errors


def test_strided_inputs() -> None:
    x = tensor(F32, 3, 4)
    graph = Graph.of("f", (x,), (op("mul", x, 2.0),))
    stride = tuple(Dim.symbol(s) for s in ("s0", "s1"))
    lowered = lower(graph, "f", {0: stride})
    assert lowered.inputs[0].strides == stride
    assert set(lowered.func.symbols) == {"s0", "s1"}
    memory = np.arange(40, dtype=np.float32)
    wide = L.Buffer("x0", F32, (40,), (1,), "global", "in")

    def leaf(e: L.Expr) -> L.Expr:
        return (
            L.Load(wide, (e.buffer.offset(e.index),))
            if isinstance(e, L.Load) and e.buffer.name == "x0"
            else e
        )

    body = tuple(L.map_stmt(s, lambda i: i, leaf) for s in lowered.func.body)
    func = L.LoopFunc("f", (wide, *lowered.outputs), lowered.func.symbols, body)
    result = np.zeros((3, 4), np.float32)
    run_loops(func, {"x0": memory, "y0": result}, {"s0": 2, "s1": 7})
    np.testing.assert_array_equal(result, 2 * (2 * np.arange(3)[:, None] + 7 * np.arange(4)))


def test_failing_indices_report_their_code() -> None:
    x, i = tensor(F32, 5), tensor(I64, 3, name="i")
    graph = Graph.of("f", (x, i), (op("gather", x, i, axes=(0,), mode="raise"),))
    lowered = lower(graph, "f")
    assert lowered.messages == ("gather: an index is out of bounds for axis 0 with size 5",)
    arrays = {"x0": np.arange(5, dtype=np.float32), "y0": np.zeros(3, np.float32)}
    assert run_loops(lowered.func, {**arrays, "x1": np.array([0, -5, 4])}, {}) == []
    np.testing.assert_array_equal(arrays["y0"], [0, 0, 4])
    assert run_loops(lowered.func, {**arrays, "x1": np.array([0, -6, 4])}, {}) == [1]


def test_check_finite_names_the_op() -> None:
    x = tensor(F64, 3)
    graph = Graph.of("f", (x,), (op("log", op("sub", x, 1.0)),))
    lowered = lower(graph, "f", check_finite=True)
    verify(lowered.func, "cpu")
    y = np.zeros(3)
    assert run_loops(lowered.func, {"x0": np.array([2.0, 3.0, 4.0]), "y0": y}, {}) == []
    (code,) = run_loops(lowered.func, {"x0": np.array([2.0, 1.0, 4.0]), "y0": y}, {})
    assert lowered.messages[code - 1].startswith(f"log: {NON_FINITE} in f64[3]")
    assert run_loops(lowered.func, {"x0": np.array([np.nan, np.inf, 4.0]), "y0": y}, {}) == []


def test_an_opaque_op_cannot_be_inside_a_nest() -> None:
    graph = PROGRAMS["sorts"].graph(2, 3)
    node = next(n for n in graph.nodes if n.op.kind == "opaque")
    with pytest.raises(LoweringError, match="sort has no scalar form"):
        Lowering(graph, {}).compute(node, (0, 0))


# ------------------------------------------------------------------------------------- questions


def test_row_depth() -> None:
    assert row_depth((4, 6), (4, 6)) == 2
    assert row_depth((4, 6), (4,)) == 1
    assert row_depth((4, 6), (4, 1)) == 1
    assert row_depth((4, 6), ()) == 0
    assert row_depth((4, 6), (1, 1)) == 0
    assert row_depth((4, 6), (6,)) is None
    assert row_depth((4,), (4, 6)) is None


def test_nests() -> None:
    x, y = tensor(F32, 4, 6), tensor(F32, 6, name="y")
    rows = reduce(op("exp", x), "sum", 1)
    results = [op("exp", x), op("exp", y), rows, op("log", y), x]
    assert nests(results, {}) == [[0, 2], [1, 3], [4]]


def test_questions_about_indices() -> None:
    i, j = Dim.symbol("i"), Dim.symbol("j")
    extents = {"i": 4, "j": M}
    assert less(i, 4, extents) == L.TRUE
    assert less(i + 4, 4, extents) == L.FALSE
    assert less(j, M, extents) == L.TRUE
    assert less(-1, j, extents) == L.TRUE
    assert isinstance(less(i, 2, extents), L.Scalar)
    assert simplify((4 * j + i) // 4, extents) == j
    assert simplify((4 * j + i) % 4, extents) == i
    assert simplify(i // 2, extents) == i // 2
    assert simplify((M * i + j) // M, extents) == i


def test_slices_of_slices_are_one_index() -> None:
    x = tensor(F32, 20)
    graph = Graph.of("f", (x,), (part(part(x, (19, 10, -2)), (1, 4, 2)),))
    assert "x0[-4*i1 + 17]" in str(lower(graph, "f").func)
