"""Fusion: what must end in one kernel does, nothing costly is computed again, and values stay."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph, Node, Value
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.ops import build
from graphc.passes.fuse import Reach, fuse
from graphc.passes.kernels import MAX_FRAMES, MAX_OPS, Kernel
from graphc.passes.merge import MAX_MERGED
from graphc.types import F32, F64, I64
from graphc.verify import verify
from tests.compiled import lowered_graph
from tests.programs import (
    PROGRAMS,
    M,
    N,
    Program,
    adam,
    arguments,
    conv,
    dot,
    mean,
    op,
    part,
    reduce,
    tensor,
    transposed,
)
from tests.random_graphs import assert_close, random_graph, tolerances

ALL = pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda p: p.name)
SIZES = pytest.mark.parametrize(
    "n, m", [(64, 100), (5, 7), (N, M)], ids=["static", "small", "symbolic"]
)


def kernels(graph: Graph) -> list[Node]:
    return [node for node in fuse(graph).nodes if node.op.name == "fusion"]


def ops(kernel: Node) -> list[str]:
    """What a kernel computes, in order."""
    return [
        n.attrs.get("kind", n.op.name)
        for n in kernel.attrs["body"].nodes
        if n.op.kind not in ("creation", "movement")
    ]


# ---------------------------------------------------------------------------------------- values


@ALL
@SIZES
def test_the_fused_graph_is_well_formed(program: Program, n: ty.Extent, m: ty.Extent) -> None:
    graph = program.graph(n, m)
    fused = verify(fuse(graph))
    assert [v.type for v in fused.results] == [v.type for v in graph.results]
    assert {node.op.name for node in fused.nodes} <= {"fusion", "constant"}
    arrays = arguments(graph, {"n": 5, "m": 7})
    sized = program.graph(5, 7) if not isinstance(n, int) else graph
    assert_close(evaluate(fused, arrays), evaluate(graph, arrays), tolerances(sized, arrays))


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int) -> None:
    graph, arrays = random_graph(seed, 40)
    fused = verify(fuse(graph))
    assert_close(evaluate(fused, arrays), evaluate(graph, arrays), tolerances(graph, arrays))


# ------------------------------------------------------------------------------------- one kernel


ONE = [
    "softmax",
    "layer_norm",
    "logsumexp",
    "variance_rows",
    "variance_columns",
    "variance_all",
    "gelu",
    "mean_and_deviation",
    "optimizer",
    "elementwise",
    "broadcasts",
    "transposed_add",
    "distances",
    "dense_layer",
    "products",
    "batched_products",
    "slices",
    "reshapes",
    "pads_between",
    "sum_of_squares",
    "column_sums",
    "updates",
    "integers",
    "mixed_widths",
    "counting",
    "windows",
    "middle_axis",
]


@pytest.mark.parametrize("name", ONE)
@SIZES
def test_one_kernel(name: str, n: ty.Extent, m: ty.Extent) -> None:
    assert len(kernels(PROGRAMS[name].graph(n, m))) == 1


@pytest.mark.parametrize("n, m", [(64, 100), (N, M)], ids=["static", "symbolic"])
def test_an_optimizer_is_one_kernel(n: ty.Extent, m: ty.Extent) -> None:
    """Ten tensors, three results each, bias correction by the step's number."""
    assert len(kernels(adam(10, n, m))) == 1
    (kernel,) = kernels(adam(10, n, m))
    assert ops(kernel).count("pow") == 2


def test_unrelated_updates_have_nests_of_their_own() -> None:
    (kernel,) = kernels(adam(4, 64, 100))
    func = lower(kernel.attrs["body"], "f").func
    nests = [s for s in func.body if isinstance(s, L.For)]
    assert len(nests) == 4
    for nest in nests:
        stores = [s for s in L.statements((nest,)) if isinstance(s, L.Store)]
        assert len(stores) == 3


SIBLINGS: dict[str, Callable[[Value], tuple[Value, ...]]] = {
    "sum and max": lambda x: (reduce(x, "sum", 1), reduce(x, "max", 1)),
    "sum and max of exp": lambda x: (
        reduce(op("exp", x), "sum", 1),
        reduce(op("exp", x), "max", 1),
    ),
    "a map and its row sums": lambda x: (op("exp", x), reduce(op("exp", x), "sum", 1)),
    "a map and row sums": lambda x: (op("mul", x, 2.0), reduce(x, "sum", 1)),
    "two maps": lambda x: (op("mul", x, 2.0), op("exp", x)),
    "normalised and what it needed": lambda x: (op("sub", x, mean(x, 1)), mean(x, 1, keep=False)),
    "one shared op": lambda x: _shared(x),
}


def _shared(x: Value) -> tuple[Value, ...]:
    e = op("exp", x)
    return (op("mul", e, 2.0), reduce(e, "sum", 1), reduce(op("sqrt", e), "max", 1), e)


@pytest.mark.parametrize("what", SIBLINGS)
@pytest.mark.parametrize("n, m", [(64, 100), (N, M)], ids=["static", "symbolic"])
def test_siblings_share_a_kernel(what: str, n: ty.Extent, m: ty.Extent) -> None:
    x = tensor(F32, n, m)
    graph = Graph.of("f", (x,), SIBLINGS[what](x))
    assert len(kernels(graph)) == 1
    assert (
        len(
            [
                s
                for s in lower(kernels(graph)[0].attrs["body"], "f").func.body
                if isinstance(s, L.For)
            ]
        )
        == 1
    )
    arrays = arguments(graph, {"n": 5, "m": 70})
    sized = tensor(F32, *arrays[0].shape)
    off = tolerances(Graph.of("f", (sized,), SIBLINGS[what](sized)), arrays)
    assert_close(evaluate(fuse(graph), arrays), evaluate(graph, arrays), off)


# -------------------------------------------------------------------------------- several kernels


def test_contractions_and_softmax() -> None:
    q, k = tensor(F32, 64, 32), tensor(F32, 100, 32, name="k")
    scores = dot(q, k, ((1,), (1,)))
    e = op("exp", op("sub", scores, reduce(scores, "max", 1, keep=True)))
    graph = Graph.of("f", (q, k), (op("div", e, reduce(e, "sum", 1, keep=True)),))
    (one,) = kernels(graph)
    assert ops(one)[:2] == ["dot", "keep"]
    # a row that is too long to wait beside many others, or of any length, is left in memory
    for columns in (2000, M):
        x, w = tensor(F32, 64, 32), tensor(F32, 32, columns, name="w")
        scores = dot(x, w)
        graph = Graph.of("f", (x, w), (op("sub", scores, reduce(scores, "max", 1, keep=True)),))
        assert [ops(k) for k in kernels(graph)] == [["dot"], ["max", "sub"]]


def test_what_reduces_the_rows_of_a_product_joins_it() -> None:
    """With a bias and an activation before it, for any number of rows, and for rows in batches."""
    x, w, b = tensor(F32, N, 32), tensor(F32, 32, 96, name="w"), tensor(F32, 96, name="b")
    hidden = op("max", op("add", dot(x, w), b), 0.0)
    centred = op("sub", hidden, mean(hidden, 1))
    (one,) = kernels(Graph.of("f", (x, w, b), (centred, reduce(centred, "max", 1))))
    assert ops(one).count("dot") == ops(one).count("keep") == 1
    x = tensor(F32, 3, 20, 32)
    (one,) = kernels(Graph.of("f", (x, w), (reduce(dot(x, w, ((2,), (0,))), "sum", 2),)))
    assert ops(one) == ["dot", "keep", "sum"]


def test_products_of_an_encoder_block_end_in_its_norms() -> None:
    """Post-norm: norm(x + a @ o + b), then norm(h + relu(h @ u + c) @ v + d) are three kernels."""

    def norm(z: Value) -> Value:
        centred = op("sub", z, mean(z, 1))
        variance = mean(op("mul", centred, centred), 1)
        return op("add", op("mul", op("div", centred, op("sqrt", op("add", variance, 1e-5))), g), s)

    x, a = tensor(F32, N, 64), tensor(F32, N, 64, name="a")
    o, u, v = (
        tensor(F32, *e, name=k) for e, k in (((64, 64), "o"), ((64, 256), "u"), ((256, 64), "v"))
    )
    b, c, d, g, s = (
        tensor(F32, e, name=k) for e, k in zip((64, 256, 64, 64, 64), "bcdgs", strict=True)
    )
    h = norm(op("add", x, op("add", dot(a, o), b)))
    hidden = op("max", op("add", dot(h, u), c), 0.0)
    y = norm(op("add", h, op("add", dot(hidden, v), d)))
    found = [ops(k) for k in kernels(Graph.of("f", (x, a, o, b, u, c, v, d, g, s), (y,)))]
    assert [names.count("keep") for names in found] == [1, 0, 1]
    assert [names.count("dot") for names in found] == [1, 1, 1]


def test_a_product_that_others_read_is_stored() -> None:
    """Another kernel, the caller, other rows; and one kernel has one product."""
    x, w, v = tensor(F32, 64, 32), tensor(F32, 32, 48, name="w"), tensor(F32, 48, 8, name="v")
    y = dot(x, w)
    centred = op("sub", y, mean(y, 1))
    for results in ((centred, dot(y, v)), (centred, y), (reduce(y, "sum", 0),)):
        names = [n for k in kernels(Graph.of("f", (x, w, v), results)) for n in ops(k)]
        assert "keep" not in names
    u = tensor(F32, 32, 48, name="u")
    both = op("add", mean(y, 1), mean(dot(x, u), 1))
    found = [ops(k) for k in kernels(Graph.of("f", (x, w, u), (both,)))]
    assert [names.count("dot") for names in found] == [1, 1]
    assert sum(names.count("keep") for names in found) == 1


def test_attention_computes_each_product_once() -> None:
    found = [ops(k) for k in kernels(PROGRAMS["attention"].graph(64, 100))]
    assert sum(names.count("dot") for names in found) == 2
    assert sum(names.count("exp") for names in found) == 1


@pytest.mark.parametrize("n, m", [(64, 100), (N, M)], ids=["static", "symbolic"])
def test_a_contraction_keeps_its_tiles(n: ty.Extent, m: ty.Extent) -> None:
    """A loss over a product, and sums of its columns, are made from the product in memory."""
    x, w = tensor(F32, n, 32), tensor(F32, 32, m, name="w")
    for axes in ((0, 1), (0,)):
        value = dot(x, w)
        graph = Graph.of("f", (x, w), (reduce(op("mul", value, value), "sum", *axes),))
        assert [ops(k) for k in kernels(graph)] == [["dot"], ["mul", "sum"]]


def test_what_ends_a_contraction_is_computed_where_it_is() -> None:
    """Bias, activation and residual are its epilogue; the next contraction reads plain memory.

    Windows that do not overlap read every element once: there the map is computed on the way.
    """
    x, w, v = tensor(F32, 64, 32), tensor(F32, 32, 48, name="w"), tensor(F32, 48, 8, name="v")
    b = tensor(F32, 48, name="b")
    hidden = op("max", op("add", dot(x, w), b), 0.0)
    graph = Graph.of("f", (x, w, v, b), (dot(hidden, v),))
    assert [ops(k) for k in kernels(graph)] == [["dot", "add", "max"], ["dot"]]
    # what comes before a contraction and follows none stays with it
    graph = Graph.of("f", (x, w), (dot(op("max", x, 0.0), w),))
    assert [ops(k) for k in kernels(graph)] == [["max", "dot"]]

    images, kernel = tensor(F32, 1, 8, 8, 4), tensor(F32, 3, 3, 4, 4, name="k")
    same = {"low": (1, 1), "high": (1, 1)}
    y = conv(images, kernel, **same)
    y = op("max", op("add", op("mul", y, 0.5), images), 0.0)
    z = op("max", conv(y, kernel, **same), 0.0)
    ones, none = (1, 1, 1, 1), (0, 0, 0, 0)
    pool = op(
        "reduce_window", z, kind="max", window=(1, 2, 2, 1), stride=(1, 2, 2, 1), dilation=ones,
        low=none, high=none,
    )  # fmt: skip
    graph = Graph.of("f", (images, kernel), (pool,))
    expected = [["conv", "mul", "add", "max"], ["conv"], ["max", "max"]]
    assert [ops(k) for k in kernels(graph)] == expected


@SIZES
def test_a_kernel_has_one_contraction(n: ty.Extent, m: ty.Extent) -> None:
    """Of a sum of products, of products of one operand by several matrices."""
    x, w, v = tensor(F32, n, 32), tensor(F32, 32, m, name="w"), tensor(F32, 32, m, name="v")
    total = op("max", op("add", dot(x, w), dot(x, v)), 0.0)
    found = [ops(k) for k in kernels(Graph.of("f", (x, w, v), (total,)))]
    assert found == [["dot"], ["dot", "add", "max"]]
    projections = [op("add", dot(x, one), 1.0) for one in (w, v)]
    found = [ops(k) for k in kernels(Graph.of("f", (x, w, v), projections))]
    assert found == [["dot", "add"]] * 2


def test_reductions_of_reductions_leave_work_side_by_side() -> None:
    x = tensor(F32, 1000, 1000)
    graph = Graph.of("f", (x,), (reduce(reduce(op("abs", x), "sum", 1), "max"),))
    assert [ops(k) for k in kernels(graph)] == [["abs", "sum"], ["max"]]
    y = tensor(F32, 1000, 3, 1000)
    assert len(kernels(Graph.of("f", (y,), (reduce(reduce(y, "sum", 2), "max", 1),)))) == 1


def test_what_the_columns_need_is_not_computed_per_row() -> None:
    x, y = tensor(F32, 100, name="x"), tensor(F32, 64, 100, name="y")
    row = build.broadcast_to(op("exp", x), (64, 100))
    assert [ops(k) for k in kernels(Graph.of("f", (x, y), (op("mul", row, y),)))] == [
        ["exp"],
        ["mul"],
    ]
    column = tensor(F32, 64, name="c")
    once = build.broadcast_to(build.reshape(op("exp", column), (64, 1)), (64, 100))
    assert len(kernels(Graph.of("f", (column, y), (op("mul", once, y),)))) == 1


def test_long_cheap_chains_are_not_computed_per_row() -> None:
    x, y = tensor(F32, 100), tensor(F32, 64, 100, name="y")
    few, many = x, x
    for k in range(30):
        few = op("add", x, 1.0) if k < 3 else few
        many = op("add", many, x)
    assert len(kernels(Graph.of("f", (x, y), (op("mul", few, y),)))) == 1
    second = kernels(Graph.of("f", (x, y), (op("mul", many, y),)))[-1]
    assert ops(second).count("add") <= 8


@pytest.mark.parametrize("depth", [2, 4, 7])
def test_stencils_do_not_explode(depth: int) -> None:
    x = tensor(F64, 400)
    value, n = op("exp", x), 400
    for _ in range(depth):
        n -= 1
        value = op("sub", part(value, (1, n, 1)), part(value, (0, n, 1)))
    graph = Graph.of("f", (x,), (value,))
    work = 0
    for kernel in kernels(graph):
        func = lower(kernel.attrs["body"], "f").func
        work += sum(isinstance(s, L.Let) for s in L.statements(func.body))
        assert (
            sum("exp" in str(s.value) for s in L.statements(func.body) if isinstance(s, L.Let)) <= 1
        )
    assert work < 20 * depth + 20
    arrays = arguments(graph)
    assert_close(evaluate(fuse(graph), arrays), evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("count", [2, 60])
def test_parts_of_a_concatenation_are_computed_for_themselves(count: int) -> None:
    params = [tensor(F32, 10, name=f"p{k}") for k in range(count)]
    graph = Graph.of("f", params, (op("concatenate", *(op("exp", p) for p in params), axis=0),))
    last = ops(kernels(graph)[-1])
    assert last.count("exp") <= 2
    rows = [tensor(F32, 10, 30, name=f"r{k}") for k in range(count)]
    graph = Graph.of("f", rows, (op("concatenate", *(reduce(r, "sum", 1) for r in rows), axis=0),))
    assert ops(kernels(graph)[-1]).count("sum") == 0


@pytest.mark.parametrize("m", [100, M], ids=["static", "symbolic"])
def test_norms_of_norms_are_not_computed_from_the_start(m: ty.Extent) -> None:
    """Every loop over a row computes what it needs of the row; work may not grow as a square."""
    x = tensor(F32, 64, m)
    value: Value = x
    depth = 12
    for _ in range(depth):
        e = op("exp", op("sub", value, reduce(value, "max", 1, keep=True)))
        value = op("div", e, reduce(e, "sum", 1, keep=True))
    graph = Graph.of("f", (x,), (value,))
    found = [lower(k.attrs["body"], "f").func for k in kernels(graph)]
    texts = [str(s.value) for f in found for s in L.statements(f.body) if isinstance(s, L.Let)]
    assert sum("op='exp'" in t for t in texts) <= (8 if m == 100 else 3) * depth
    assert len(found) <= depth
    if m == 100:
        arrays = arguments(graph)
        assert_close(
            evaluate(fuse(graph), arrays), evaluate(graph, arrays), tolerances(graph, arrays)
        )


def test_a_small_update_is_not_computed_everywhere() -> None:
    x, u = tensor(F32, N, M), tensor(F32, 1, M, name="u")
    graph = Graph.of("f", (x, u), (op("update", x, op("exp", u), start=(0, 0), step=(1, 1)),))
    assert [ops(k) for k in kernels(graph)] == [["exp"], []]
    padded = op(
        "pad", op("exp", x), build.constant(0.0, F32), low=(1, 1), high=(1, 1), interior=(0, 0)
    )
    assert len(kernels(Graph.of("f", (x,), (padded,)))) == 1


def test_gathered_ops_are_computed_for_the_whole() -> None:
    x, i = tensor(F32, 10), tensor(I64, 1000, name="i")
    graph = Graph.of("f", (x, i), (op("gather", op("exp", x), i, axes=(0,), mode="wrap"),))
    assert [ops(k) for k in kernels(graph)] == [["exp"], []]


def test_diamonds_make_no_cycles() -> None:
    x = tensor(F32, 64, 64)
    value: Value = x
    for k in range(12):
        e = op("exp", value)
        a = op("sub", e, reduce(e, "sum", k % 2, keep=True))
        b = op("mul", transposed(e), reduce(a, "max", keep=True))
        value = op("add", a, op("add", b, value))
    graph = Graph.of("f", (x,), (value, reduce(value, "sum", 0)))
    verify(fuse(graph))
    assert sum(ops(k).count("exp") for k in kernels(graph)) == 12


def test_numbers_are_computed_by_whoever_needs_them() -> None:
    x, y, rate = tensor(F32, 64, 100), tensor(F32, 30, name="y"), tensor(F32, name="rate")
    scale = op("div", 1.0, op("sqrt", op("add", rate, 1.0)))
    graph = Graph.of(
        "f", (x, y, rate), (reduce(op("mul", x, scale), "sum", 0), op("mul", y, scale))
    )
    assert all("sqrt" in ops(k) for k in kernels(graph))


def test_results_and_parameters_are_copied() -> None:
    x = tensor(F32, 5)
    table = build.constant([1.0, 2.0])
    graph = Graph.of("f", (x,), (x, table, x))
    fused = fuse(graph)
    assert all(v.node.op.name == "fusion" for v in fused.results)


# ------------------------------------------------------------------------------------------ size


def chain(length: int) -> Graph:
    x = tensor(F32, 100)
    value: Value = x
    for k in range(length):
        value = op("add", value, x) if k % 2 else op("exp", value)
    return Graph.of("f", (x,), (value,))


def ladder(length: int) -> Graph:
    a = b = x = tensor(F32, 16, 16)
    for _ in range(length // 3):
        a, b = op("add", op("exp", a), b), op("mul", a, b)
    return Graph.of("f", (x,), (a, b))


def rows(length: int) -> Graph:
    x = tensor(F32, 16, 100)
    value: Value = x
    for _ in range(length // 4):
        value = op("sub", value, reduce(value, "max", 1, keep=True))
    return Graph.of("f", (x,), (value,))


@pytest.mark.parametrize("make, most", [(chain, 200), (ladder, 200), (rows, 500)])
def test_ten_thousand_ops(make: Callable[[int], Graph], most: int) -> None:
    graph = make(10_000)
    found = kernels(graph)
    assert len(found) <= most
    assert all(len(k.attrs["body"].nodes) <= MAX_MERGED for k in found)


@pytest.mark.heavy
@pytest.mark.parametrize("make", [chain, ladder, rows])
def test_time_is_linear(make: Callable[[int], Graph]) -> None:
    def seconds(length: int) -> float:
        graph = make(length)
        start = time.perf_counter()
        fuse(graph)
        return time.perf_counter() - start

    assert seconds(40_000) < 8 * seconds(10_000) + 1


def _moved(x: Value, kind: str) -> Value:
    if kind == "transpose":
        return transposed(x)
    if kind == "reshape":
        return build.reshape(x, (16, 16) if x.shape == (8, 32) else (8, 32))
    if kind == "update":
        return op("update", x, build.full((1, 16), 2.0, F32), start=(3, 0), step=(1, 1))
    return part(
        op("pad", x, build.constant(1.0, F32), low=(1, 0), high=(0, 0), interior=(0, 0)),
        (0, 16, 1),
        (0, 16, 1),
    )


@pytest.mark.parametrize("kind", ["transpose", "reshape", "update", "pad"])
def test_long_chains_of_movement_can_be_lowered(kind: str) -> None:
    x = tensor(F32, 16, 16)
    value: Value = x
    for _ in range(300):
        value = _moved(value, kind)
    graph = Graph.of("f", (x,), (op("exp", value),))
    assert lowered_graph(graph).llvm
    assert MAX_OPS <= MAX_MERGED and MAX_FRAMES < 600


def test_deep_graphs_are_lowered_from_a_deep_stack() -> None:
    """The lowering recurses along operands; the user's own calls come on top."""

    def below(depth: int) -> str:
        return below(depth - 1) if depth else lowered_graph(graph).llvm

    graph = chain(300)
    assert below(300)


def test_lines_copied_within_an_array_do_not_double_the_code() -> None:
    """The edges of a simulation: each line reads the array before in two places, so that code for
    every way through k lines would be 2^k long.
    """

    def program(u: Any) -> Any:
        u = u.copy()
        for _ in range(6):
            u[0, :] = u[1, :]
            u[-1, :] = u[-2, :]
            u[:, 0] = u[:, 1]
            u[:, -1] = u[:, -2]
        return u

    lowered = graphc.jit(program).lower(np.zeros((9, 8)))
    assert len(lowered.text("schedule")) < 200_000
    x = np.arange(72.0).reshape(9, 8)
    np.testing.assert_array_equal(graphc.jit(program)(x), program(x))


@pytest.mark.parametrize("seed", range(20))
def test_paths_between_kernels_are_those_of_networkx(seed: int) -> None:
    rng = random.Random(seed)
    kernels = [Kernel(()) for _ in range(14)]
    reach, graph = Reach(), nx.DiGraph()
    for k, kernel in enumerate(kernels):  # readers come before what they read
        reach.add(kernel)
        graph.add_node(id(kernel))
        readers = rng.sample(kernels[:k], min(k, rng.randrange(3)))
        reach.connect(kernel, readers)
        graph.add_edges_from((id(kernel), id(reader)) for reader in readers)
    while len(kernels) > 3:
        for a, b in itertools.product(kernels, repeat=2):
            assert reach.has_path(a, b) == nx.has_path(graph, id(a), id(b))
        pairs = [
            (a, b) for a, b in itertools.combinations(kernels, 2)
            if not reach.has_path(a, b) and not reach.has_path(b, a)
        ]  # fmt: skip
        if not pairs:
            break
        kept, gone = rng.choice(pairs)
        reach.merge(kept, gone)
        graph = nx.contracted_nodes(graph, id(kept), id(gone), self_loops=False)
        kernels.remove(gone)
        assert gone not in reach and kept in reach
