"""What reduces the rows of a product, in its blocks: one loop for workers, no product in memory.

Against the evaluator, for every form of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import graphc_runtime as runtime
import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import TypeMismatch
from graphc.evaluate import evaluate
from graphc.ir import Graph, Value
from graphc.loops import ir as L
from graphc.loops import rowend
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule, schedule_for
from graphc.loops.verify import verify
from graphc.passes.fuse import fuse
from graphc.types import BF16, C64, F32, F64, I8, I32
from tests.codegen import cuda_graphs
from tests.compiled import compiled
from tests.loops.running import MACHINES, run_graph, set_limits
from tests.programs import N, arguments, mean, op, reduce, tensor
from tests.programs import dot as plain_dot
from tests.random_graphs import assert_close, same_bits, tolerances

WIDE = Machine(vector_bytes=64, registers=32)
End = Callable[[Value], Value]


def softmax(z: Value) -> Value:
    e = op("exp", op("sub", z, reduce(z, "max", z.type.rank - 1, keep=True)))
    return op("div", e, reduce(e, "sum", z.type.rank - 1, keep=True))


def layer_norm(z: Value) -> Value:
    centred = op("sub", z, mean(z, z.type.rank - 1))
    variance = mean(op("mul", centred, centred), z.type.rank - 1)
    return op("div", centred, op("sqrt", op("add", variance, 1e-5)))


def row_sums(z: Value) -> Value:
    return reduce(z, "sum", z.type.rank - 1)


ENDS = {"softmax": softmax, "layer norm": layer_norm, "sum": row_sums}


def program(
    end: End, n: ty.Extent, k: int, m: int, dtype: ty.DType = F32, batch: tuple[int, ...] = (),
    batched: bool = False,
) -> Graph:  # fmt: skip
    """end(x @ w), of one matrix w or of one for each batch."""
    x = tensor(dtype, *batch, n, k)
    w = tensor(dtype, *(batch if batched else ()), k, m, name="w")
    r = len(batch)
    axes = tuple(range(r)) if batched else ()
    contract = ((r + 1,), (r if batched else 0,))
    attrs = {"dtype": I32} if dtype is I8 else {}
    z = op("dot", x, w, contract=contract, batch=(axes, axes), **attrs)
    return Graph.of("f", (x, w), (end(z),))


def scheduled(graph: Graph, machine: Machine = WIDE) -> L.LoopFunc:
    (node,) = fuse(graph).nodes
    return verify(schedule(lower(node.attrs["body"], "f"), machine).func, "cpu")


def is_one(func: L.LoopFunc) -> bool:
    """Whether rows of the product wait in local blocks, and in nothing else."""
    local = [s.buffer.name for s in L.statements(func.body) if isinstance(s, L.Alloc)]
    memory = [b.name for b in func.params if b.name.startswith("tmp")]
    return any(name.startswith("rows_") for name in local) and not memory


def waiting_bytes(func: L.LoopFunc) -> list[int]:
    """The sizes of the blocks of rows that wait."""
    found = [s.buffer for s in L.statements(func.body) if isinstance(s, L.Alloc)]
    sizes = [4 * b.shape[0] for b in found if b.name.startswith("rows_")]
    return [size for size in sizes if isinstance(size, int)]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads for one test."""
    before = runtime.get_threads()
    yield runtime.set_threads
    runtime.set_threads(before)


# ------------------------------------------------------------------------------------------- form


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_workers_share_one_loop(end: End) -> None:
    func = scheduled(program(end, 512, 64, 48))
    assert is_one(func)
    loops = [s for s in L.statements(func.body) if isinstance(s, L.For) and s.kind == "parallel"]
    assert len(loops) == 1


def test_a_block_of_rows_is_bounded() -> None:
    """However many rows the product alone would take together."""
    func = scheduled(program(softmax, 4096, 32, 1200))
    sizes = waiting_bytes(func)
    assert sizes and max(sizes) <= WIDE.waiting_bytes


def test_few_rows_of_many_columns_stay_two_loops() -> None:
    """There, workers share the columns."""
    func = scheduled(program(softmax, 64, 512, 1024))
    assert not is_one(func)
    assert [b.name for b in func.params if b.name.startswith("tmp")] == ["tmp1"]


def test_what_would_lose_stays_two_loops() -> None:
    """One tile, whose sums need the registers, and deep sums, whose panels are read too often."""
    assert not is_one(scheduled(program(softmax, 16, 64, 64)))
    assert is_one(scheduled(program(softmax, 32, 64, 128)))
    assert is_one(scheduled(program(softmax, 2048, 256, 1024)))
    assert not is_one(scheduled(program(softmax, 2048, 2048, 1024)))
    assert is_one(scheduled(program(softmax, 2048, 2048, 512)))


def test_blocks_are_even() -> None:
    """Of at most 63 rows, but not 17 of 60 and one of 4: the workers' shares would differ."""
    func = scheduled(program(softmax, 1024, 256, 1024))
    whole, rest = waiting_bytes(func)
    assert rest > 0.7 * whole


def test_the_end_counts_for_other_threads() -> None:
    """A product that is too small to share is shared with an end that is not."""
    func = scheduled(program(softmax, 4000, 2, 20))
    assert is_one(func)
    assert [s.kind for s in func.body if isinstance(s, L.For)] == ["parallel"]


def test_constant_columns_are_packed_once() -> None:
    """In front of all calls, as those of a product alone are."""
    (node,) = fuse(program(softmax, 512, 700, 300)).nodes
    found = schedule_for(lower(node.attrs["body"], "f"), WIDE, {"x1"})
    assert found.packing is not None and len(found.packed) == 1
    assert is_one(found.main.func) and found.main.temps == ()


# ----------------------------------------------------------------------------------------- values

SIZES = ((33, 17, 29), (5, 7, 3), (1, 9, 12), (0, 4, 5), (37, 20, 130), (9, 400, 20), (40, 3, 1))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_values(end: End, sizes: tuple[int, int, int]) -> None:
    n, k, m = sizes
    check(program(end, n, k, m))


@pytest.mark.parametrize("rows", (0, 1, 5, 6, 40))
def test_any_number_of_rows(rows: int) -> None:
    graph = program(softmax, N, 12, 133)
    assert is_one(scheduled(graph))
    arrays = arguments(graph, {"n": rows})
    known = program(softmax, rows, 12, 133)
    for machine in MACHINES:
        assert_results(known, arrays, run_graph(graph, arrays, {"n": rows}, machine))
    assert_results(known, arrays, compiled(graph)(*arrays))


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_sums_of_no_terms(end: End) -> None:
    check(program(end, 5, 0, 7))


def test_no_columns() -> None:
    """A sum of none is 0; a maximum of none is refused, as it is without a product."""
    check(program(row_sums, 5, 4, 0))
    with pytest.raises(TypeMismatch, match="max"):
        program(softmax, 5, 4, 0)


@pytest.mark.parametrize("dtype", (F32, F64, BF16), ids=str)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_threads_do_not_change_the_bits(
    end: End, dtype: ty.DType, threads: Callable[[int], None]
) -> None:
    graph = program(end, 301, 40, 150, dtype)
    assert is_one(scheduled(graph))
    arrays, function = arguments(graph), compiled(graph)
    threads(1)
    alone = function(*arrays)
    threads(2)
    for _ in range(5):
        assert all(map(same_bits, alone, function(*arrays)))


@pytest.mark.parametrize("dtype", (F64, BF16, I8, I32, C64), ids=str)
def test_dtypes(dtype: ty.DType) -> None:
    check(program(row_sums if dtype in (I8, I32, C64) else softmax, 37, 24, 41, dtype))


@pytest.mark.parametrize("batched", (False, True))
def test_batches(batched: bool) -> None:
    graph = program(softmax, 21, 16, 35, batch=(3,), batched=batched)
    assert is_one(scheduled(graph))
    check(graph)


def test_slices_and_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches of a few numbers: sums wait for their slices, and blocks are cut for the rows."""
    set_limits(
        monkeypatch,
        in_place_bytes=0,
        DENSE_BYTES=0,
        block_bytes=4000,
        SLICE_TERMS=8,
        group_bytes=2000,
        waiting_bytes=16 * 4 * 160,
    )
    monkeypatch.setattr(rowend, "WAITING_ROWS", 16)
    graph = program(layer_norm, 43, 30, 140)
    assert is_one(scheduled(graph))
    check(graph)


def test_a_residual_and_two_results() -> None:
    x, w, r = tensor(F32, 50, 20), tensor(F32, 20, 70, name="w"), tensor(F32, 50, 70, name="r")
    z = op("add", plain_dot(x, w), r)
    y = layer_norm(z)
    graph = Graph.of("f", (x, w, r), (y, reduce(y, "max", 1)))
    assert is_one(scheduled(graph))
    check(graph)


def test_cuda_keeps_two_kernels() -> None:
    for graph in (program(softmax, 40, 24, 70), program(row_sums, 130, 64, 96)):
        one = cuda_graphs.graph_kernels(graph)
        arrays = arguments(graph, {})
        (programs,) = cuda_graphs.build([one])
        assert_results(graph, arrays, cuda_graphs.run(one, programs, arrays))


def check(graph: Graph) -> None:
    """The loops for every machine, and the code for this one, against the evaluator."""
    arrays = arguments(graph, {})
    for machine in (None, *MACHINES):
        assert_results(graph, arrays, run_graph(graph, arrays, {}, machine))
    assert_results(graph, arrays, compiled(graph)(*arrays))


def assert_results(graph: Graph, arrays: list[np.ndarray], found: list[np.ndarray]) -> None:
    assert_close(found, evaluate(graph, arrays), tolerances(graph, arrays))
