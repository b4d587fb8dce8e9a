"""Register blocks of contractions: every way of packing, every edge, against the evaluator."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops import shapes
from graphc.loops.contraction import match
from graphc.loops.flatten import collapse, flatten, joined
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.loops.verify import verify
from graphc.opdef import lookup
from graphc.types import C64, F32, F64, I32, Dim
from tests.compiled import compiled
from tests.loops.running import MACHINES, run_graph, set_limits
from tests.programs import M, N, arguments, dot, op, reduce, tensor, transposed
from tests.random_graphs import assert_close, tolerances

WIDE = Machine(vector_bytes=64, registers=32)


def product(
    n: ty.Extent, k: ty.Extent, m: ty.Extent, dtype: ty.DType = F32, left: bool = False,
    right: bool = False,
) -> Graph:  # fmt: skip
    """a @ b, either operand transposed."""
    a = tensor(dtype, k, n) if left else tensor(dtype, n, k)
    b = tensor(dtype, m, k, name="b") if right else tensor(dtype, k, m, name="b")
    axes = ((0 if left else 1,), (1 if right else 0,))
    return Graph.of("f", (a, b), (dot(a, b, axes),))


def scheduled(graph: Graph, machine: Machine = WIDE) -> L.LoopFunc:
    return verify(schedule(lower(graph, "f"), machine).func, "cpu")


def packed(func: L.LoopFunc) -> set[str]:
    """The kinds of buffers that the schedule made."""
    made = [s.buffer for s in L.statements(func.body) if isinstance(s, L.Alloc)]
    names = [b.name for b in (*func.params, *made) if b.space in ("global", "local")]
    return {n.split("_")[0] for n in names} & {"panel", "block", "wait"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Caches of a few numbers, so that small products are cut as large ones are."""
    set_limits(
        monkeypatch,
        in_place_bytes=0,
        DENSE_BYTES=0,
        block_bytes=4000,
        SLICE_TERMS=8,
        group_bytes=2000,
    )
    return monkeypatch


SIZES = [(2, 2, 16), (9, 20, 40), (13, 8, 64), (30, 17, 33), (31, 40, 70), (16, 16, 16)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("left", [False, True], ids=["rows", "left.T"])
@pytest.mark.parametrize("right", [False, True], ids=["columns", "right.T"])
def test_products_in_place(sizes: tuple[int, int, int], left: bool, right: bool) -> None:
    graph = product(*sizes, left=left, right=right)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("left", [False, True], ids=["rows", "left.T"])
@pytest.mark.parametrize("right", [False, True], ids=["columns", "right.T"])
def test_products_packed_and_sliced(
    small: pytest.MonkeyPatch, sizes: tuple[int, int, int], left: bool, right: bool
) -> None:
    small.setattr(shapes, "conflicts", lambda *_: True)
    graph = product(*sizes, left=left, right=right)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("sizes", [*SIZES, (40, 24, 130), (7, 20, 200)], ids=str)
@pytest.mark.parametrize("left", [False, True], ids=["rows", "left.T"])
def test_products_where_ports_are_wide(
    small: pytest.MonkeyPatch, sizes: tuple[int, int, int], left: bool
) -> None:
    small.setattr(shapes, "FEW_BYTES", 0)
    graph = product(*sizes, left=left)
    arrays = arguments(graph)
    got = run_graph(graph, arrays, {}, Machine(64, 32, wide_ports=True))
    assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_what_is_packed(small: pytest.MonkeyPatch) -> None:
    assert packed(scheduled(product(60, 8, 64))) == {"panel"}
    small.setattr(shapes, "conflicts", lambda *_: True)
    assert packed(scheduled(product(60, 8, 64))) == {"panel", "block"}
    assert packed(scheduled(product(60, 33, 64))) == {"panel", "block", "wait"}


def test_small_columns_are_read_in_place() -> None:
    assert packed(scheduled(product(60, 8, 64))) == set()
    assert packed(scheduled(product(60, 8, 64, right=True))) == {"panel"}


def test_large_products_are_packed_once_and_shared() -> None:
    func = scheduled(product(512, 512, 512))
    assert packed(func) == {"panel", "wait"}, "flat tiles read their rows in place"
    kinds = Counter(s.kind for s in func.body if isinstance(s, L.For))
    assert kinds == {"parallel": 2}  # the panels, the blocks
    assert packed(scheduled(product(128, 4096, 512))) == {"panel", "block", "wait"}
    assert packed(scheduled(product(128, 4096, 64))) == {"wait"}, "short lines lie well"


@pytest.mark.parametrize("dtype", [F64, I32, C64, ty.F16, ty.BF16, ty.I8, ty.BOOL], ids=str)
def test_dtypes(small: pytest.MonkeyPatch, dtype: ty.DType) -> None:
    small.setattr(shapes, "conflicts", lambda *_: True)
    for sizes in ((7, 21, 33), (12, 9, 16)):
        graph = product(*sizes, dtype=dtype)
        arrays = arguments(graph)
        for machine in MACHINES:
            got = run_graph(graph, arrays, {}, machine)
            assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize(
    "shape", [(N, 20, 40), (30, N, 40), (30, 20, N), (N, 20, M), (N, M, 40)], ids=str
)
def test_symbolic_extents(shape: tuple[ty.Extent, ...]) -> None:
    graph = product(*shape)
    for n, m in ((1, 3), (6, 16), (13, 35)):
        env = {"n": n, "m": m}
        arrays = arguments(graph, env)
        expected = [arrays[0] @ arrays[1]]
        for machine in MACHINES:
            got = run_graph(graph, arrays, env, machine)
            np.testing.assert_allclose(got[0], expected[0], rtol=1e-4, atol=1e-4)


def test_what_follows_is_done_in_the_tile() -> None:
    a, b = tensor(F32, 40, 24), tensor(F32, 24, 50, name="b")
    bias, other = tensor(F32, 50, name="bias"), tensor(F32, 40, 50, name="other")
    value = op("mul", op("max", op("add", dot(a, b), bias), 0.0), other)
    graph = Graph.of("f", (a, b, bias, other), (value,))
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_distances_are_a_contraction() -> None:
    nest = match(_nest(lower(_distances(40, 20, 6), "f").func))
    assert nest is not None
    assert [len(side) for side in (nest.row_operands, nest.column_operands)] == [1, 1]


@pytest.mark.parametrize("shape", [(10, 10, 3), (37, 5, 17)])
def test_a_condition_that_is_bound_before_the_sum(shape: tuple[int, int, int]) -> None:
    """np.fill_diagonal of a matrix of distances: the sum is not wanted where a Let before it says
    so, and its operands were packed where that Let is not.
    """
    found = _distances(*shape)
    (flat,) = (lookup("reshape")(found.results[0], shape=(shape[0] * shape[1],)),)
    ones = lookup("full")(value=np.inf, dtype=F32, shape=(min(shape[:2]),))
    filled = lookup("update")(flat, ones, start=(0,), step=(shape[1] + 1,))
    graph = Graph.of("f", found.params, (lookup("reshape")(filled, shape=shape[:2]),))
    arrays = arguments(graph)
    wanted = evaluate(graph, arrays)
    for machine in MACHINES:
        assert_close(run_graph(graph, arrays, {}, machine), wanted, tolerances(graph, arrays))
    for one, other in zip(compiled(graph)(*arrays), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_sum_of_one_operand_is_none() -> None:
    x = tensor(F32, 40, 20, 6)
    total = reduce(x, "sum", 2)
    assert match(_nest(lower(Graph.of("f", (x,), (total,)), "f").func)) is None


def _distances(n: int, m: int, k: int) -> Graph:
    x, y = tensor(F32, n, k), tensor(F32, m, k, name="y")
    wide = lookup("broadcast")(x, shape=(n, m, k), axes=(0, 2))
    tall = lookup("broadcast")(y, shape=(n, m, k), axes=(1, 2))
    d = op("sub", wide, tall)
    return Graph.of("f", (x, y), (reduce(op("mul", d, d), "sum", 2),))


def _nest(func: L.LoopFunc) -> L.For:
    (loop,) = [s for s in collapse(flatten(func)).body if isinstance(s, L.For)]
    return loop


@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1), (5, 700, 300), (64, 300, 513), (129, 512, 256), (33, 2100, 70), (300, 64, 10)],
    ids=str,
)
@pytest.mark.parametrize("left", [False, True], ids=["rows", "left.T"])
@pytest.mark.parametrize("right", [False, True], ids=["columns", "right.T"])
def test_compiled_products(sizes: tuple[int, int, int], left: bool, right: bool) -> None:
    graph = product(*sizes, dtype=F32, left=left, right=right)
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(p.shape).astype(np.float32) for p in graph.params]
    a, b = (x.T if t else x for x, t in zip(arrays, (left, right), strict=True))
    expected = a.astype(np.float64) @ b.astype(np.float64)
    (got,) = compiled(graph)(*arrays)
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5 * np.sqrt(sizes[1]))


def test_compiled_batches() -> None:
    rng = np.random.default_rng(2)
    for b, n, k, m in ((3, 16, 16, 16), (2, 40, 300, 200), (5, 7, 9, 33)):
        x, y = tensor(F64, b, n, k), tensor(F64, b, m, k, name="y")
        graph = Graph.of("f", (x, y), (dot(x, y, ((2,), (2,)), batch=1),))
        arrays = [rng.standard_normal(p.shape) for p in graph.params]
        (got,) = compiled(graph)(*arrays)
        np.testing.assert_allclose(got, arrays[0] @ arrays[1].transpose(0, 2, 1), rtol=1e-11)


def test_nan_and_infinity_pass_through() -> None:
    graph = product(20, 30, 40, dtype=F64)
    arrays = arguments(graph)
    arrays[0][3, 4], arrays[1][7, 8] = np.nan, np.inf
    with np.errstate(all="ignore"):
        expected = arrays[0] @ arrays[1]
    (got,) = compiled(graph)(*arrays)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))


def test_dims_are_affine() -> None:
    assert isinstance(N, Dim)
    graph = Graph.of("f", (x := tensor(F32, N, 4),), (dot(transposed(x), x),))
    arrays = arguments(graph, {"n": 37})
    got = run_graph(graph, arrays, {"n": 37}, WIDE)
    np.testing.assert_allclose(got[0], arrays[0].T @ arrays[0], rtol=1e-5)


def test_a_reshape_leaves_no_quotients() -> None:
    x = Dim.symbol("x")
    a = x // 512
    assert joined(512 * (a % 7) + 3584 * (a // 7) + x % 512) == x
    assert joined(x % 4 + 8 * (x // 4)) == x % 4 + 8 * (x // 4)
    assert joined(3 * (x % N) + 7) == 3 * (x % N) + 7


def test_deep_sums_are_added_in_slices() -> None:
    """Each slice from 0, the last as well: added to one by one, the rest would lose digits."""
    graph = product(32, 2048, 64, dtype=F32)
    rng = np.random.default_rng(4)
    a, b = (rng.standard_normal(p.shape).astype(np.float32) for p in graph.params)
    (got,) = compiled(graph)(a, b)
    wide, other = a.astype(np.float64), b.astype(np.float64)
    error = np.abs(got - wide @ other) / (np.abs(wide) @ np.abs(other))
    assert error.max() < 1.8 * 2.0**-24  # in one chain it is about 3


@pytest.mark.parametrize("columns", [2, 3, 5, 7])
@pytest.mark.parametrize("right", [False, True])
def test_few_columns(columns: int, right: bool) -> None:
    """Lanes along the columns, where there are three and the terms do not lie well."""
    graph = product(41, 20, columns, right=right)
    (loop,) = (s for s in collapse(flatten(lower(graph, "f").func)).body if isinstance(s, L.For))
    nest = match(loop)
    assert nest is not None
    assert (shapes.choose(nest, WIDE) is not None) == (columns > 2 and not right)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("channels, features", [(1, 6), (1, 20), (3, 3), (4, 2), (1, 1)])
def test_images_of_few_channels_or_features(channels: int, features: int) -> None:
    """As a course's first layer has them; of nine terms, the guarded rows are read in place."""
    size = 5 if features == 6 else 3
    x, w = tensor(F32, 2, 9, 11, channels), tensor(F32, size, size, channels, features, name="w")
    low = (size // 2, size // 2)
    y = op(
        "conv", x, w, stride=(1, 1), low=low, high=low, lhs_dilation=(1, 1), rhs_dilation=(1, 1),
        groups=1, batch_groups=1, lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2),
    )  # fmt: skip
    graph = Graph.of("f", (x, w), (y,))
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))
    if (channels, features) == (1, 20):
        assert "block" not in packed(scheduled(graph))
