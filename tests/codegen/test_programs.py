"""The programs through the whole road: machine code against the evaluator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import graphc_runtime as runtime
import numpy as np
import pytest

from graphc.codegen.build import build_objects
from graphc.codegen.llvm_builder import Isa
from graphc.codegen.target import Target, host_target
from graphc.errors import BuildError, NonFiniteError
from graphc.evaluate import evaluate
from graphc.ir import Graph, SourceLine, Value, at
from graphc.ops import build
from graphc.types import C64, F32, F64, I32, I64, Dim, DType
from tests.compiled import compiled, lowered_graph, run
from tests.programs import (
    PROGRAMS,
    M,
    N,
    Program,
    arguments,
    dot,
    op,
    part,
    reduce,
    tensor,
    transposed,
)
from tests.random_graphs import assert_close, same_bits, tolerances

ALL = pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda p: p.name)
CHUNK = 1 << 15


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads for one test."""
    before = runtime.get_threads()
    yield runtime.set_threads
    runtime.set_threads(before)


def close(
    graph: Graph, got: list[np.ndarray], arrays: list[np.ndarray], sized: Graph | None = None
) -> None:
    assert_close(got, evaluate(graph, arrays), tolerances(sized or graph, arrays))


# -------------------------------------------------------------------------------------- programs


@ALL
def test_static_extents(program: Program) -> None:
    for n, m in program.sizes(((3, 0), (17, 35))):
        graph = program.graph(n, m)
        arrays = arguments(graph, seed=n, special=program.name != "sorts")
        close(graph, run(graph, arrays), arrays)


@ALL
def test_one_binary_serves_all_extents(program: Program) -> None:
    graph = program.graph(N, M)
    function = compiled(graph)
    for n, m in program.sizes(((0, 3), (3, 0), (1, 1), (2, 5), (5, 17), (70, 67))):
        arrays = arguments(graph, {"n": n, "m": m}, seed=m)
        close(graph, function(*arrays), arrays, program.graph(n, m))


@ALL
def test_the_whole_pipeline(program: Program) -> None:
    n, m = program.sizes(((5, 18),))[0]
    graph = program.graph(n, m)
    arrays = arguments(graph, seed=5)
    close(graph, run(graph, arrays, passes=True), arrays)


@pytest.mark.heavy
@ALL
def test_every_extent(program: Program) -> None:
    for n in (0, 1, 2, 3, 5, 16, 17, 63, 64, 65, 130):
        for m in (0, 1, 3, 16, 17, 63, 65, 130):
            if min(n, m) >= program.least:
                graph = program.graph(n, m)
                arrays = arguments(graph, seed=n + m, special=True)
                close(graph, run(graph, arrays), arrays)


LARGE = [
    ("elementwise", 700, 1001),
    ("softmax", 600, 1000),
    ("column_sums", 900, 700),
    ("variance_all", 500, 700),
    ("transposed_add", 600, 700),
    ("dense_layer", 600, 700),
    ("distances", 500, 600),
    ("concatenations", 700, 600),
    ("several_shapes", 700, 600),
    ("mean_and_deviation", 300, 2000),
    ("sum_of_squares", 1, CHUNK * 9 + 7),
    ("complexes", 500, 700),
    ("transposes", 500, 600),
]
"""Results of more than 2 MiB, or reductions of several chunks."""


@pytest.mark.parametrize("name, n, m", LARGE, ids=[name for name, _, _ in LARGE])
def test_threads_do_not_change_a_bit(
    name: str, n: int, m: int, threads: Callable[[int], None]
) -> None:
    graph = PROGRAMS[name].graph(n, m)
    arrays = arguments(graph)
    function = compiled(graph)
    threads(1)
    one = function(*arrays)
    assert_close(one, evaluate(graph, arrays), tolerances(graph, arrays))
    threads(2)
    for _ in range(3):
        two = function(*arrays)
        assert all(same_bits(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name, n, m", LARGE[:5], ids=[name for name, _, _ in LARGE[:5]])
def test_large_symbolic_extents(name: str, n: int, m: int) -> None:
    graph, sized = PROGRAMS[name].graph(N, M), PROGRAMS[name].graph(n, m)
    arrays = arguments(sized)
    got = compiled(graph)(*arrays)
    assert_close(got, evaluate(sized, arrays), tolerances(sized, arrays))


@pytest.mark.parametrize("count", [9_000_000, 9_000_001, N], ids=["whole", "odd", "symbolic"])
def test_results_past_the_caches(count: int | Dim) -> None:
    """Results of 32 MiB are written by streaming stores, where they are aligned."""
    x = tensor(F32, count)
    function = compiled(Graph.of("f", (x,), (op("add", op("mul", x, 2.0), 1.0), op("neg", x))))
    array = np.arange(9_000_001 if count is N else count, dtype=np.float32)
    one, two = function(array)
    assert np.array_equal(one, 2 * array + 1) and np.array_equal(two, -array)


# -------------------------------------------------------------------------------- memory of inputs


def strides_of(array: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Arrays equal to a matrix, in every sort of memory."""
    n, m = array.shape
    odd = np.zeros(array.size + 3, array.dtype)[3:].reshape(n, m)
    odd[...] = array
    wide = np.zeros((2 * n + 1, 3 * m + 2), array.dtype)
    wide[1::2, 2::3] = array
    return [
        ("transposed", np.asfortranarray(array)),
        ("reversed", np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]),
        ("every second row, every third column", wide[1::2, 2::3]),
        ("reversed columns", np.ascontiguousarray(array[:, ::-1])[:, ::-1]),
        ("odd start", odd),
        ("plain", array),
    ]


STRIDED = [
    "broadcasts",
    "softmax",
    "column_sums",
    "transposed_add",
    "dense_layer",
    "distances",
    "slices",
    "complexes",
    "mixed_widths",
    "gathers",
    "pads",
    "running",
    "sorts",
    "layer_norm",
]


@pytest.mark.parametrize("name", STRIDED)
@pytest.mark.parametrize("n, m", [(19, 37), (N, M)], ids=["static", "symbolic"])
def test_strided_inputs(name: str, n: int | Dim, m: int | Dim) -> None:
    graph = PROGRAMS[name].graph(n, m)
    arrays = arguments(graph, {"n": 19, "m": 37})
    strided = [k for k, p in enumerate(graph.params) if p.type.rank == 2]
    function = compiled(graph, strided=strided)
    expected, off = evaluate(graph, arrays), tolerances(PROGRAMS[name].graph(19, 37), arrays)
    for position in strided:
        for what, array in strides_of(arrays[position]):
            given = [array if k == position else a for k, a in enumerate(arrays)]
            try:
                assert_close(function(*given), expected, off)
            except AssertionError as error:
                raise AssertionError(f"{what} operand {position}: {error}") from None


@pytest.mark.parametrize("axis", [0, 1])
def test_broadcast_inputs(axis: int) -> None:
    x = tensor(F64, N, M)
    graph = Graph.of(
        "f", (x,), (op("exp", x), reduce(x, "sum", 1), reduce(x, "max", 0), transposed(x))
    )
    function = compiled(graph, strided=(0,))
    row = np.random.default_rng(0).normal(size=(1, 33) if axis == 0 else (21, 1))
    array = np.broadcast_to(row, (21, 33))
    assert 0 in array.strides
    close(graph, function(array), [np.ascontiguousarray(array)], Graph.of("f", *_sized(21, 33)))


def _sized(n: int, m: int) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    x = tensor(F64, n, m)
    return (x,), (op("exp", x), reduce(x, "sum", 1), reduce(x, "max", 0), transposed(x))


@pytest.mark.parametrize("name", ["elementwise", "softmax", "dense_layer", "transposed_add"])
def test_inputs_need_only_the_alignment_of_their_elements(name: str) -> None:
    graph = PROGRAMS[name].graph(70, 67)
    arrays = arguments(graph)
    function = compiled(graph)
    moved = []
    for a in arrays:
        memory = np.empty(a.size + 1, a.dtype)[1:].reshape(a.shape)
        memory[...] = a
        moved.append(memory)
    assert all(same_bits(x, y) for x, y in zip(function(*arrays), function(*moved), strict=True))


# ------------------------------------------------------------------------------------- donations


def adam_step(n: int) -> Graph:
    p, g, v = (tensor(F32, n, name=s) for s in "pgv")
    v2 = op("add", op("mul", v, 0.9), g)
    return Graph.of("f", (p, g, v), (op("sub", p, op("mul", v2, 0.1)), v2))


@pytest.mark.parametrize("n", [1, 33, 100_000, 1_000_000])
def test_results_over_donated_parameters(n: int) -> None:
    graph = adam_step(n)
    arrays = arguments(graph)
    expected, off = evaluate(graph, arrays), tolerances(graph, arrays)
    function = compiled(graph, aliases={0: 0, 1: 2})
    p, g, v = (a.copy() for a in arrays)
    got = function(p, g, v)
    assert got[0] is p and got[1] is v
    assert_close(got, expected, off)
    np.testing.assert_array_equal(g, arrays[1])


def _hard_aliases() -> list[tuple[str, Graph, dict[int, int]]]:
    x, y = tensor(F32, 70, 70), tensor(F32, 70, 70, name="y")
    rows = reduce(op("exp", x), "sum", 1, keep=True)
    e = op("exp", x)
    return [
        ("transposed", Graph.of("f", (x,), (op("add", x, transposed(x)),)), {0: 0}),
        ("reversed", Graph.of("f", (x,), (part(x, (69, 70, -1), (0, 70, 1)),)), {0: 0}),
        ("row sums", Graph.of("f", (x,), (op("div", x, rows),)), {0: 0}),
        ("product", Graph.of("f", (x, y), (dot(x, y),)), {0: 0}),
        ("read later", Graph.of("f", (x, y), (e, dot(x, y), op("add", dot(e, y), x))), {0: 0}),
        (
            "other result",
            Graph.of("f", (x, y), (op("mul", y, 2.0), op("add", transposed(x), y))),
            {0: 0},
        ),
        ("both results", Graph.of("f", (x, y), (op("add", x, y), op("sub", x, y))), {0: 0, 1: 1}),
        ("crossed", Graph.of("f", (x, y), (op("mul", y, 2.0), op("mul", x, 3.0))), {0: 0, 1: 1}),
        ("swapped", Graph.of("f", (x, y), (y, x)), {0: 0, 1: 1}),
        ("itself", Graph.of("f", (x,), (x,)), {0: 0}),
        ("twice", Graph.of("f", (x,), (e, e)), {1: 0}),
        ("sort", Graph.of("f", (x,), (op("sort", x, axis=0, keys=1, descending=True),)), {0: 0}),
        ("scan", Graph.of("f", (x,), (op("cumulative", x, kind="sum", axis=0),)), {0: 0}),
        (
            "column sums",
            Graph.of("f", (x,), (op("sub", x, reduce(x, "sum", 0, keep=True)),)),
            {0: 0},
        ),
    ]


HARD = _hard_aliases()


@pytest.mark.parametrize("what", ("residual", "rows", "both", "columns", "other rows"))
@pytest.mark.parametrize("n", (7, 70, 300))
def test_donations_to_what_reduces_the_rows_of_a_product(
    what: str, n: int, threads: Callable[[int], None]
) -> None:
    """A donated operand is written over where rows of it are read for the same rows of the product,
    and by nothing later.
    """
    x, w, r = (tensor(F32, n, n, name=s) for s in "xwr")
    factors = {"columns": (w, x), "other rows": (x, w)}.get(what, (x, w))
    z = dot(*factors)
    if what in ("residual", "both"):
        z = op("add", z, r if what == "residual" else x)
    elif what == "other rows":
        z = op("add", z, part(x, (n - 1, n, -1), (0, n, 1)))
    graph = Graph.of("f", (x, w, r), (op("sub", z, reduce(z, "max", 1, keep=True)),))
    donated = 2 if what == "residual" else 0
    arrays = arguments(graph)
    lowered = lowered_graph(graph, aliases=((0, donated),))
    assert len(lowered.kernels) == (1 if what == "rows" else 2)
    function = compiled(graph, aliases={0: donated})
    for count in (1, 2):
        threads(count)
        given = [a.copy() for a in arrays]
        got = function(*given)
        assert got[0] is given[donated]
        close(graph, got, arrays)


@pytest.mark.parametrize("what, graph, aliases", HARD, ids=[w for w, _, _ in HARD])
def test_donations_that_need_care(what: str, graph: Graph, aliases: dict[int, int]) -> None:
    arrays = arguments(graph)
    function = compiled(graph, aliases=aliases)
    given = [a.copy() for a in arrays]
    got = function(*given)
    for k, i in aliases.items():
        assert got[k] is given[i]
    close(graph, got, arrays)


# ----------------------------------------------------------------------------------------- errors


def test_an_index_out_of_range_names_op_and_line() -> None:
    x, i = tensor(F32, N, 3), tensor(I64, 4, name="i")
    with at(SourceLine("model.py", 12, "rows")):
        found = op("gather", x, i, axes=(0,), mode="raise")
    with at(SourceLine("model.py", 40, "put")):
        put = op("scatter", x, op("exp", found), i, axes=(0,), combine="set", mode="raise")
    first, second = (
        compiled(Graph.of("f", (x, i), (found,))),
        compiled(Graph.of("f", (x, i), (put,))),
    )
    array = np.arange(15, dtype=np.float32).reshape(5, 3)
    inside = np.array([0, -5, 4, -1])
    np.testing.assert_array_equal(first(array, inside)[0], array[inside])
    for wrong in (5, -6, 2**62, -(2**63)):
        index = np.array([0, 1, wrong, 2])
        with pytest.raises(IndexError) as caught:
            first(array, index)
        assert str(caught.value) == (
            "gather: an index is out of bounds for axis 0 with size n (at model.py:12 in rows)"
        )
        with pytest.raises(IndexError, match=r"model\.py"):
            second(array, index)
    np.testing.assert_array_equal(first(array, inside)[0], array[inside])


def test_the_message_is_that_of_the_op_that_failed() -> None:
    x, i, j = tensor(F32, 5), tensor(I32, 40, name="i"), tensor(I64, 2, name="j")
    one = op("gather", x, i, axes=(0,), mode="raise")
    two = op("gather", reduce(one, "sum", 0, keep=True), j, axes=(0,), mode="raise")
    function = compiled(Graph.of("f", (x, i, j), (two, one)))
    array, good = np.ones(5, np.float32), np.zeros(40, np.int32)
    bad = good.copy()
    bad[39] = 5
    assert function(array, good, np.zeros(2, np.int64))[0].tolist() == [40.0, 40.0]
    with pytest.raises(IndexError, match="axis 0 with size 5"):
        function(array, bad, np.zeros(2, np.int64))
    with pytest.raises(IndexError, match="axis 0 with size 1"):
        function(array, good, np.array([0, 1]))


def test_check_finite() -> None:
    x, y = tensor(F32, N), tensor(F32, N, name="y")
    with at(SourceLine("loss.py", 7, "loss")):
        ratio = op("div", x, y)
    graph = Graph.of("f", (x, y), (op("exp", ratio), reduce(ratio, "sum")))
    function = compiled(graph, check_finite=True)
    ones = np.ones(300, np.float32)
    got = function(ones, ones)
    np.testing.assert_allclose(got[0], np.exp(1.0), rtol=1e-6)
    zeros = ones.copy()
    zeros[299] = 0.0
    with pytest.raises(NonFiniteError, match=r"div: made .* in f32\[n\] \(at loss.py:7 in loss\)"):
        function(ones, zeros)
    with pytest.raises(NonFiniteError, match=r"exp: made a NaN or an infinity"):
        function(100 * ones, ones)
    assert np.isnan(function(np.nan * ones, ones)[0]).all()


@pytest.mark.parametrize("dtype", [F32, C64], ids=str)
@pytest.mark.parametrize("kind", ["sum", "prod"])
def test_check_finite_of_reductions(dtype: DType, kind: str) -> None:
    x, y = tensor(dtype, 2, 300), tensor(dtype, 300, name="y")
    graph = Graph.of("f", (x, y), (reduce(x, kind, 1), dot(x, y)))
    function = compiled(graph, check_finite=True)
    ones, row = np.ones((2, 300), dtype.numpy), np.ones(300, dtype.numpy)
    np.testing.assert_array_equal(function(ones, row)[1], [300, 300])
    missing = ones.copy()
    missing[1, 3] = np.nan
    assert np.isnan(function(missing, row)[0][1])
    big = ones.copy()
    big[1, :2] = 3e38
    with pytest.raises(NonFiniteError, match=r"reduce: made a NaN or an infinity"):
        function(big, row)
    with pytest.raises(NonFiniteError, match=r"dot: made a NaN or an infinity"):
        function(ones, row * 3e38)


# --------------------------------------------------------------------------- arena, kernels, calls


def two_layers(n: int | Dim) -> Graph:
    """Several kernels with temporaries of which some are dead before others are made."""
    x, w = tensor(F32, n, 64), tensor(F32, 64, 64, name="w")
    value = x
    for _ in range(6):
        value = op("tanh", dot(value, w))
        value = op("sub", value, reduce(value, "max", 0, keep=True))
    return Graph.of("f", (x, w), (value, reduce(value, "sum", 0)))


@pytest.mark.parametrize("n", [40, N], ids=["static", "symbolic"])
def test_places_are_used_again(n: int | Dim) -> None:
    plan = lowered_graph(two_layers(n)).plan
    largest = 64 * n * 4
    assert isinstance(plan.arena, int) == isinstance(n, int)
    count = sum(1 for launch in plan.launches for place, _ in launch.arguments if place == "arena")
    assert count > 6
    limit = (
        plan.arena if isinstance(plan.arena, int) else plan.arena.__class__ and _at(plan.arena, 40)
    )
    assert limit <= 4 * (largest if isinstance(largest, int) else _at(largest, 40)) + 4096
    graph = two_layers(40)
    arrays = arguments(graph)
    close(graph, compiled(two_layers(n))(*arrays), arrays)


def _at(extent: Any, n: int) -> int:
    from graphc import types as ty

    return int(ty.substitute(extent, {"n": n}))


def test_calls_of_two_threads_do_not_share_memory() -> None:
    graph = two_layers(N)
    function = compiled(graph)
    jobs = []
    for seed, n in enumerate((40, 333, 64, 1000)):
        arrays = arguments(graph, {"n": n}, seed=seed)
        jobs.append((arrays, function(*arrays)))
    wrong: list[int] = []

    def work(start: int) -> None:
        for k in range(60):
            arrays, expected = jobs[(start + k) % len(jobs)]
            got = function(*arrays)
            if not all(same_bits(a, b) for a, b in zip(got, expected, strict=True)):
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


def test_equal_kernels_are_printed_once() -> None:
    x, w = tensor(F32, 16, 16), tensor(F32, 16, 16, name="w")
    value: Value = x
    for _ in range(8):
        value = op("tanh", dot(value, w))
    lowered = lowered_graph(Graph.of("f", (x, w), (value,)))
    assert len(lowered.kernels) == 8
    assert len({k.name for k in lowered.kernels}) == 1
    assert lowered.llvm.count(f"define internal void @{lowered.kernels[0].name}(") == 1


def test_kernels_are_equal_wherever_their_nodes_stand() -> None:
    """The second layer's bias is broadcast before its product, for another reader of it."""
    x, w, v, c = (tensor(F32, *shape) for shape in ((16, 16), (16, 16), (16,), (16,)))

    def layer(x: Value, bias: Value) -> Value:
        return op("tanh", op("add", dot(x, w), bias))

    early = op("broadcast", c, shape=(16, 16), axes=(1,))
    first = layer(x, op("broadcast", v, shape=(16, 16), axes=(1,)))
    results = (op("exp", early), layer(first, early))
    lowered = lowered_graph(Graph.of("f", (x, w, v, c), results))
    names = [k.name for k in lowered.kernels if "tanh" in k.name]
    assert len(names) == 2 and len(set(names)) == 1


def many_products(count: int) -> Graph:
    """Products of different sizes, one after another."""
    x = value = tensor(F32, 24, 16)
    weights = []
    for k in range(count):
        weights.append(tensor(F32, value.type.shape[1], 17 + k, name=f"w{k}"))
        value = op("tanh", dot(value, weights[-1]))
    return Graph.of("f", (x, *weights), (value,))


def test_parts_of_a_large_program(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_products(8)
    lowered = lowered_graph(graph)
    parts = lowered.printed.texts
    assert len(parts) > 2
    assert sum("define i64 @graph_entry" in part for part in parts) == 1
    assert lowered.text("llvm").count("; part ") == len(parts)
    assert lowered.text("asm").count("graph_entry:") == 1
    arrays = arguments(graph, {})
    close(graph, compiled(graph)(*arrays), arrays)
    code = lowered.object
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "1")  # the code does not depend on it
    planned = lowered_graph(graph)
    assert planned.object == code and planned.printed.texts == parts


def test_an_error_in_a_part_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    target = host_target()
    good = "define i64 @f() { ret i64 1 }"
    for texts in (["nonsense"], [good, "nonsense", good], [good, good, "define"]):

        def printed(out: Callable[[str], None], texts: list[str] = texts) -> str:
            for text in texts[:-1]:
                out(text)
            return texts[-1]

        with pytest.raises(BuildError, match="LLVM does not read"):
            build_objects(printed, target)

    for count in range(3):

        def interrupted(out: Callable[[str], None], count: int = count) -> str:
            for _ in range(count):
                out(good)
            raise KeyError("printing")

        with pytest.raises(KeyError, match="printing"):
            build_objects(interrupted, target)


def test_a_quotient_of_counters_is_one_division() -> None:
    """Of what is never negative; and each index is computed once."""
    x = tensor(F32, 6, 35)
    turned = transposed(build.reshape(x, (6, 5, 7)))
    lowered = lowered_graph(Graph.of("f", (x,), (build.reshape(turned, (7, 30)),)))
    assert "udiv" in lowered.llvm and "sdiv" not in lowered.llvm
    for function in lowered.llvm.split("define ")[1:]:
        divisions = [line.partition(" = ")[2] for line in function.splitlines() if "udiv" in line]
        assert len(divisions) == len(set(divisions))


def test_equal_kernels_with_messages_of_their_own_differ() -> None:
    x, i = tensor(F32, 9), tensor(I64, 9, name="i")
    value: Value = x
    for line in (1, 2):
        with at(SourceLine("f.py", line, "f")):
            value = op("exp", op("gather", value, i, axes=(0,), mode="raise"))
    function = compiled(Graph.of("f", (x, i), (value, reduce(value, "sum"))))
    index = np.arange(9)
    function(np.zeros(9, np.float32), index)
    with pytest.raises(IndexError, match=r"f\.py:[12] in f"):
        function(np.zeros(9, np.float32), index + 1)


def test_constants_large_and_small() -> None:
    x = tensor(F64, 5000)
    small, large = np.arange(5.0), np.linspace(0, 1, 5000)
    graph = Graph.of(
        "f",
        (x,),
        (
            op("mul", x, build.constant(large)),
            build.constant(small),
            op("exp", build.constant(small)),
            build.constant(large),
        ),
    )
    arrays = arguments(graph)
    close(graph, run(graph, arrays), arrays)


def test_results_stay_when_the_next_call_is_made() -> None:
    graph = PROGRAMS["softmax"].graph(N, M)
    function = compiled(graph)
    first = arguments(graph, {"n": 300, "m": 40})
    kept = function(*first)
    copies = [a.copy() for a in kept]
    for seed in range(4):
        function(*arguments(graph, {"n": 300, "m": 40}, seed=seed + 1))
    assert all(same_bits(a, b) for a, b in zip(kept, copies, strict=True))


# ---------------------------------------------------------------------------------------- targets


X86 = pytest.mark.skipif("x86_64" not in host_target().triple, reason="targets of x86-64")
TARGETS = {
    "sse2": Target("x86_64-unknown-linux-gnu", "x86-64", ""),
    "avx2": Target("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma,+f16c"),
    "avx512": Target(
        "x86_64-unknown-linux-gnu",
        "skylake-avx512",
        "+avx2,+fma,+f16c,+avx512f,+avx512dq,+avx512bw,+avx512vl",
    ),
}
ON_TARGETS = [
    "gelu",
    "halves",
    "brains",
    "complexes",
    "softmax",
    "integers",
    "dense_layer",
    "transposed_add",
    "gathers",
    "truth",
    "running",
    "sorts",
    "mixed_widths",
    "optimizer",
    "pads_between",
]


def has(target: Target) -> bool:
    features = set(host_target().features.split(","))
    return all(f in features for f in target.features.split(",") if f)


def test_features_bring_those_that_they_need() -> None:
    """+avx2 alone was read as a machine without AVX: it got vectors of 128 bits."""
    assert [t.isa.vector_bits for t in TARGETS.values()] == [128, 256, 512]
    avx2, avx512 = (Isa.of("x86_64", f) for f in ("+avx2", "+avx512bf16,+avx512vl,-avx512bw"))
    assert avx2.has_round and not avx2.has_fma
    assert avx512.vector_bits == 512 and "avx512bf16" not in avx512.features
    assert Isa.of("x86_64", "+avx2,+fma,+f16c,-avx").features == {"sse4.1", "sse4.2"}


@X86
@pytest.mark.parametrize("name", ON_TARGETS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_targets(name: str, target: Target) -> None:
    """Machine code of other processors calls nothing, and is right where this one can run it."""
    graph = PROGRAMS[name].graph(N, 37)
    if has(target):
        function = compiled(graph, target=target)  # loads it: no symbol is missing
        arrays = arguments(graph, {"n": 19})
        close(graph, function(*arrays), arrays, PROGRAMS[name].graph(19, 37))
    else:
        runtime.load(lowered_graph(graph, target=target).object)


@pytest.mark.parametrize("dtype", [F32, F64, I32, C64], ids=str)
def test_the_object_needs_no_library(dtype: DType) -> None:
    """Large moves and fills do not become calls of memcpy and memset."""
    x = tensor(dtype, 1000)
    graph = Graph.of("f", (x,), (part(x, (999, 1000, -1)), build.zeros((4000,), dtype), x))
    lowered = lowered_graph(graph)
    runtime.load(lowered.object)
    arrays = arguments(graph)
    close(graph, run(graph, arrays), arrays)
