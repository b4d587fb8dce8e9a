"""Products of four warps (wgmma): the statement, the schedule of contractions that uses it, and
what nvcc makes of it for sm_90a. On the CPU the descriptors of tiles are decoded as PTX says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, architecture, print_cuda, translation_unit
from graphc.codegen.cuda_group import Descriptor, descriptor
from graphc.errors import LoweringError, VerifyError
from graphc.evaluate import evaluate as graph_evaluate
from graphc.ir import Graph
from graphc.loops import cuda_contract, cuda_wgmma
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.lower import lower
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.types import BF16, F16, F32, I8, I32, Dim, DType
from tests.device import on_gpu_wgmma
from tests.programs import M, N, arguments
from tests.random_graphs import assert_close, tolerances

from . import cuda_graphs
from .cuda_graphs import GraphKernels, graph_kernels
from .test_cuda_contract import batched, conv, dense, product, shared_accesses, wider

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
ARCH = "sm_90"
TILES = {(8, 16): "128x256", (8, 8): "128x128", (8, 4): "128x64"}

# --------------------------------------------------------------------------------- the statement


def one_product(
    columns: int, a_deep: bool, b_deep: bool, dtype: DType = F16, padding: int = 1
) -> L.LoopFunc:
    """y += x w.T for x of 64 by 16 numbers, through tiles in shared memory."""
    x = L.Buffer("x", dtype, (64, 16), None, "global", "in")
    w = L.Buffer("w", dtype, (columns, 16), None, "global", "in")
    y = L.Buffer("y", F32, (64, columns), None, "global", "inout")
    total = L.Buffer("t", F32, (columns // 2,), None, "register")
    lane, turn, e = Dim.symbol("lane"), Dim.symbol("turn"), Dim.symbol("e")
    row = 16 * (lane // 32) + lane % 32 // 4
    body: list[L.Stmt] = []
    tiles = []
    for source, deep, extent in ((x, a_deep, 64), (w, b_deep, columns)):
        shape = (2, extent + padding, 8) if deep else (extent // 8, 16 + padding, 8)
        tile = L.Buffer(f"{source.name}_tile", dtype, shape, None, "shared", "temp", 128)
        tiles.append(tile)
        piece = 128 * turn + lane
        if deep:  # a piece is 8 terms of a row
            put, take = (piece % 2, piece // 2, e), (piece // 2, 8 * (piece % 2) + e)
            flat = source
        else:  # 8 rows of a term: the array as it is, turned
            flat = replace(source, name=f"{source.name}_turned", shape=(16, extent))
            put = (piece % (extent // 8), piece // (extent // 8), e)
            take = (piece // (extent // 8), 8 * (piece % (extent // 8)) + e)
        copy: L.Stmt = L.For(f"e_{tile.name}", 8, "vector", (
            L.Store(tile, put, L.Load(flat, take), asynchronous=True),
        ))  # fmt: skip
        env: dict[str, L.Index] = {"e": Dim.symbol(f"e_{tile.name}")}
        copy = L.substitute(copy, env | {"turn": Dim.symbol(f"turn_{tile.name}")})
        inside = L.less(128 * Dim.symbol(f"turn_{tile.name}") + lane, 2 * extent)
        body.append(L.For(f"turn_{tile.name}", -(-2 * extent // 128), "serial", (
            L.If(inside, (copy,)),
        )))  # fmt: skip
    h, j, k = Dim.symbol("h"), Dim.symbol("j"), Dim.symbol("k")
    place = (row + 8 * h, 8 * j + 2 * (lane % 4) + k)
    loops = (("j", columns // 8), ("h", 2), ("k", 2))

    def each(stmt: L.Stmt) -> L.Stmt:
        for name, extent in reversed(loops):
            stmt = L.For(name, extent, "unroll", (stmt,))
        return stmt

    own = (4 * j + 2 * h + k,)
    body += [
        L.CopyCommit(), L.CopyWait(0), L.Barrier(proxies=True),
        L.Alloc(total), each(L.Store(total, own, L.Load(y, place))),
        L.GroupFence(),
        L.GroupMma(total, (0,), tiles[0], (0, 0, 0), tiles[1], (0, 0, 0), columns, a_deep, b_deep),
        L.GroupCommit(), L.GroupWait(total, 0),
        each(L.Store(y, place, L.Load(total, own))),
    ]  # fmt: skip
    params = tuple(
        b if deep else replace(b, name=f"{b.name}_turned", shape=(16, b.shape[0]))
        for b, deep in ((x, a_deep), (w, b_deep))
    )
    threads = L.For("group", 1, "thread", (L.For("lane", 128, "thread", tuple(body)),))
    allocs = tuple(L.Alloc(t) for t in tiles)
    return L.LoopFunc("one", (*params, y), (), (L.For("block", 1, "block", (*allocs, threads)),))


def numbers(
    columns: int, a_deep: bool, b_deep: bool, dtype: DType
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Arrays of small whole numbers, whose sums are exact in any order, and the result."""
    rng = np.random.default_rng(columns)
    x, w = (rng.integers(-8, 9, (n, 16)).astype(dtype.numpy) for n in (64, columns))
    y = rng.integers(-8, 9, (64, columns)).astype(np.float32)
    arrays = {"y": y}
    for name, array, deep in (("x", x, a_deep), ("w", w, b_deep)):
        arrays[name if deep else f"{name}_turned"] = array if deep else array.T.copy()
    return arrays, y + x.astype(np.float32) @ w.astype(np.float32).T


WAYS = [
    pytest.param(a, b, id=("nt"[not a] + "nt"[not b])) for a in (True, False) for b in (True, False)
]


@pytest.mark.parametrize("a_deep, b_deep", WAYS)
@pytest.mark.parametrize("columns, dtype", ((8, F16), (72, BF16), (256, F16)), ids=str)
def test_the_product_evaluates(columns: int, dtype: DType, a_deep: bool, b_deep: bool) -> None:
    arrays, expected = numbers(columns, a_deep, b_deep, dtype)
    evaluate(verify(one_product(columns, a_deep, b_deep, dtype), "cuda"), arrays, {})
    np.testing.assert_array_equal(arrays["y"], expected)


@needs_gcc
@pytest.mark.parametrize("a_deep, b_deep", WAYS)
def test_the_product_on_the_cpu(a_deep: bool, b_deep: bool) -> None:
    """Whatever lies between lines of core matrices; wrong where the strides are the wrong ones."""
    for columns, dtype, padding in ((8, F16, 0), (64, BF16, 1), (256, F16, 3)):
        kernels = print_cuda(one_product(columns, a_deep, b_deep, dtype, padding))
        for reverse in (False, True):
            arrays, expected = numbers(columns, a_deep, b_deep, dtype)
            cuda_cpu.run_on_cpu(kernels, arrays, reverse=reverse)
            np.testing.assert_array_equal(arrays["y"], expected)
        swapped = [replace(k, source=re.sub(r"gc_tile<(\d+), (\d+)>", r"gc_tile<\2, \1>", k.source))
                   for k in kernels]  # fmt: skip
        arrays, expected = numbers(columns, a_deep, b_deep, dtype)
        cuda_cpu.run_on_cpu(swapped, arrays)
        assert not np.array_equal(arrays["y"], expected)


def changed(func: L.LoopFunc, fix: Callable[[L.Stmt], L.Stmt | None]) -> L.LoopFunc:
    """The function with each statement as `fix` answers it; None leaves it out."""

    def inside(body: tuple[L.Stmt, ...]) -> Iterator[L.Stmt]:
        for stmt in body:
            if isinstance(stmt, L.For):
                stmt = replace(stmt, body=tuple(inside(stmt.body)))
            made = fix(stmt)
            if made is not None:
                yield made

    return replace(func, body=tuple(inside(func.body)))


def test_the_product_is_verified() -> None:
    func = one_product(64, True, False)

    def with_product(**parts: object) -> L.LoopFunc:
        return changed(
            func, lambda s: replace(s, **parts) if isinstance(s, L.GroupMma) else s  # type: ignore[arg-type]
        )  # fmt: skip

    def narrow(stmt: L.Stmt) -> L.Stmt:
        is_lanes = isinstance(stmt, L.For) and stmt.var == "lane"
        return replace(stmt, extent=64) if is_lanes else stmt  # type: ignore[arg-type]

    with pytest.raises(VerifyError, match="loop of 128 iterations"):
        verify(changed(func, narrow))
    with pytest.raises(VerifyError, match="of 60 columns"):
        verify(with_product(columns=60))
    with pytest.raises(VerifyError, match="of 264 columns"):
        verify(with_product(columns=264))
    with pytest.raises(VerifyError, match="no tile of a GroupMma"):
        verify(with_product(a_index=(0, 0, 1)))
    with pytest.raises(VerifyError, match="leaves 8 groups pending"):
        verify(changed(
            func, lambda s: replace(s, pending=8) if isinstance(s, L.GroupWait) else s
        ))  # fmt: skip
    unaligned = changed(
        func,
        lambda s: (
            L.Alloc(replace(s.buffer, align=8))
            if isinstance(s, L.Alloc) and s.buffer.space == "shared"
            else s
        ),
    )
    with pytest.raises(VerifyError):
        verify(unaligned)
    with pytest.raises(VerifyError, match="cpu has no"):
        verify(func, "cpu")
    for line in (
        "barrier, for tensor cores too", "fence products", "commit products",
        "t[0] += group_mma_64(x_tile[0, 0, 0] deep, w_tile[0, 0, 0] flat)",
        "wait for products in t but the last 0",
    ):  # fmt: skip
        assert line in str(func)


def test_what_reaches_out_of_its_buffer_is_found() -> None:
    func = changed(
        one_product(64, True, True),
        lambda s: replace(s, a_index=(1, 0, 0)) if isinstance(s, L.GroupMma) else s,
    )
    arrays, _ = numbers(64, True, True, F16)
    with pytest.raises(IndexError, match="reaches out of its buffer"):
        evaluate(func, arrays, {})


def test_tiles_that_fit_no_descriptor_are_refused() -> None:
    tile = L.Buffer("tile", F16, (2, 70000, 8), None, "shared", "temp", 128)
    assert descriptor(replace(tile, shape=(2, 64, 8)), True) == Descriptor(1024, 128, 0)
    assert descriptor(replace(tile, shape=(2, 16, 8)), False) == Descriptor(128, 256, 0)
    with pytest.raises(LoweringError, match="fits no descriptor"):
        descriptor(tile, True)
    lines = replace(tile, shape=(8, 128, 8), strides=(8, 64, 1), align=1024, swizzled=True)
    assert descriptor(lines, True) == Descriptor(16, 1024, 1)
    blocks = replace(lines, shape=(2, 8, 64, 8), strides=(4096, 8, 64, 1))
    assert descriptor(blocks, False) == Descriptor(8192, 1024, 1)
    for wrong in (replace(lines, align=128), replace(lines, strides=(1024, 8, 1))):
        with pytest.raises(LoweringError, match="fits no descriptor"):
            descriptor(wrong, True)


@needs_gcc
@pytest.mark.parametrize("what", (L.CopyWait, L.GroupFence, L.GroupWait, "proxies"), ids=str)
def test_what_orders_the_product_is_needed(what: type | str) -> None:
    """Without it one order of the threads gives something else."""

    def without(stmt: L.Stmt) -> L.Stmt | None:
        if isinstance(what, type):
            return None if isinstance(stmt, what) else stmt
        return L.Barrier() if isinstance(stmt, L.Barrier) else stmt

    kernels = print_cuda(changed(one_product(64, True, False), without))
    same = []
    for reverse in (False, True):
        arrays, expected = numbers(64, True, False, F16)
        cuda_cpu.run_on_cpu(kernels, arrays, reverse=reverse)
        same.append(np.array_equal(arrays["y"], expected))
    assert not all(same)


# ---------------------------------------------------------------------------------- the schedule


PROGRAMS: dict[str, tuple[Graph, Graph | None]] = {
    **{
        f"{dtype.name}_{'x'.join(map(str, shape))}_{'nt'[left]}{'nt'[right]}": (
            product(*shape, dtype, bool(left), bool(right)), None
        )
        for dtype, shape, left, right in (
            (F16, (128, 64, 256), 0, 0), (BF16, (136, 72, 264), 0, 0), (F16, (136, 72, 264), 0, 1),
            (BF16, (136, 72, 264), 1, 0), (F16, (136, 72, 264), 1, 1), (F16, (133, 64, 72), 0, 0),
            (BF16, (77, 40, 80), 0, 1), (F16, (64, 16, 64), 1, 0), (BF16, (16, 8, 256), 0, 1),
            (F16, (40, 600, 24), 0, 0), (BF16, (24, 616, 48), 1, 1), (F16, (300, 328, 520), 0, 1),
            (BF16, (72, 136, 328), 1, 1),
        )
    },
    "dense_f16": (dense(72, 136, 88, F16), None),
    "dense_bf16": (dense(130, 24, 272, BF16), None),
    "batched": (batched(33, 24, F16, 72), None),
    "summed_in_f32": (wider(70, 64, 64, BF16, F32), None),
    "depth": (product(24, N, 40, BF16, True), product(24, 45, 40, BF16, True)),
    "conv": (conv("f16[2, 9, 7, 8]", "f16[3, 3, 8, 24]", low=(1, 1), high=(1, 1)), None),
    "conv_strided": (
        conv("bf16[2, 11, 9, 16]", "bf16[3, 2, 16, 24]", stride=(2, 2), low=(1, 0), high=(0, 1)),
        None,
    ),
}  # fmt: skip


@contextmanager
def taking(tile: tuple[int, int]) -> Iterator[None]:
    """One tile is taken, whatever the estimate says."""
    kept = cuda_contract.GROUPED_EFFICIENCY
    cuda_contract.GROUPED_EFFICIENCY = {tile: 1e6}
    try:
        yield
    finally:
        cuda_contract.GROUPED_EFFICIENCY = kept


def scheduled(graph: Graph, tile: tuple[int, int]) -> GraphKernels:
    with taking(tile):
        return graph_kernels(graph, arch=ARCH)


def loops(graph: Graph, tile: tuple[int, int]) -> L.LoopFunc:
    """Of a graph that is one kernel."""
    (lowered,) = graph_kernels(graph).lowered
    with taking(tile):
        return verify(schedule_cuda(lowered.func, ARCH), "cuda")


Built = tuple[GraphKernels, list[cuda_cpu.CpuProgram]]


@cache
def built() -> dict[tuple[str, tuple[int, int]], Built]:
    """Every program with every tile."""
    keys = [(name, tile) for name in PROGRAMS for tile in TILES]
    graphs = [scheduled(PROGRAMS[name][0], tile) for name, tile in keys]
    return dict(zip(keys, zip(graphs, cuda_graphs.build(graphs), strict=True), strict=True))


@needs_gcc
@pytest.mark.parametrize("tile", TILES, ids=TILES.get)
@pytest.mark.parametrize("name", PROGRAMS)
def test_values(name: str, tile: tuple[int, int]) -> None:
    """Against NumPy's, and the same bits with the threads in either order."""
    graph, same = PROGRAMS[name]
    one, programs = built()[name, tile]
    assert any(k.functions for ks in one.kernels for k in ks)
    fixed = same or graph
    arrays = arguments(fixed)
    found = cuda_graphs.run(one, programs, arrays)
    backwards = cuda_graphs.run(one, programs, arrays, reverse=True)
    for a, b in zip(found, backwards, strict=True):
        assert a.tobytes() == b.tobytes()
    assert_close(found, graph_evaluate(fixed, arrays), tolerances(fixed, arrays))


@needs_gcc
@pytest.mark.parametrize("tile", TILES, ids=TILES.get)
def test_what_is_no_number_stays_where_it_is(tile: tuple[int, int]) -> None:
    """Infinities and NaNs reach their own rows and columns, and none comes from the edges."""
    one, programs = built()["bf16_136x72x264_nn", tile]
    a, b = arguments(one.graph)
    a[3, 71], a[135, 0], b[5, 200], b[71, 263] = np.nan, np.inf, -np.inf, np.nan
    found = cuda_graphs.run(one, programs, [a, b])
    expected = graph_evaluate(one.graph, [a, b])
    np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(expected[0]))
    np.testing.assert_array_equal(np.isinf(found[0]), np.isinf(expected[0]))
    assert np.isnan(found[0]).sum() < found[0].size / 20


@pytest.mark.parametrize(
    "name, tile",
    (
        ("f16_133x64x72_nn", (8, 4)), ("bf16_24x616x48_tt", (8, 4)), ("dense_f16", (8, 8)),
        ("conv", (8, 4)), ("bf16_136x72x264_tn", (8, 16)),
    ),
)  # fmt: skip
def test_scheduled_loops_evaluate_to_the_same(name: str, tile: tuple[int, int]) -> None:
    """The loop IR as it stands; the evaluator sees every access that strays."""
    graph, _ = PROGRAMS[name]
    arrays = arguments(graph)
    expected = graph_evaluate(graph, arrays)
    func = loops(graph, tile)
    names = [p.name for p in func.params]
    buffers = dict(zip(names, [*arrays, np.zeros_like(expected[0])], strict=True))
    assert any(isinstance(s, L.GroupMma) for s in L.statements(func.body))
    evaluate(func, buffers, {})
    assert_close([buffers[names[-1]]], expected, tolerances(graph, arrays))


@needs_gcc
@pytest.mark.parametrize(
    "what",
    (L.Barrier, L.CopyWait, L.CopyCommit, L.GroupFence, L.GroupCommit, L.GroupWait, "proxies"),
    ids=str,
)
def test_the_slices_need_their_order(what: type | str) -> None:
    """The stand-in does copies at once and products late in one order of the threads, and the other
    way round in the other."""
    graph = product(64, 768, 64, F16)

    def without(stmt: L.Stmt) -> L.Stmt | None:
        if isinstance(what, type):
            return None if isinstance(stmt, what) else stmt
        return L.Barrier() if isinstance(stmt, L.Barrier) else stmt

    func = schedule_cuda(lower(graph, "f").func, ARCH)
    bare = changed(func, without)
    assert bare != func
    (program,) = cuda_cpu.build([print_cuda(bare)])
    a, b = arguments(graph)
    (expected,) = graph_evaluate(graph, [a, b])
    same = []
    for reverse in (False, True):
        y = np.zeros((64, 64), np.float16)
        program.run({"x0": a, "x1": b, "y0": y}, reverse=reverse)
        same.append(np.allclose(y, expected, rtol=1e-2, atol=1e-2))
    assert not all(same)


@pytest.mark.parametrize("left", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("right", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("tile", TILES, ids=TILES.get)
def test_no_bank_conflicts(tile: tuple[int, int], left: bool, right: bool) -> None:
    """Of copies; the products' own reads are core matrices of 128 bytes."""
    func = loops(product(4096, 512, 4096, BF16, left, right), tile)
    accesses = list(shared_accesses(func))
    assert len(accesses) >= 8 and all(len(a.places) == 32 for a in accesses)
    assert [a for a in accesses if a.ways > 1] == []


@needs_gcc
@pytest.mark.parametrize("terms", (32, 128))
def test_slices_of_other_depths(terms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 32 terms, the pieces of two rows meet in banks where they run along the terms."""
    monkeypatch.setattr(cuda_wgmma.Grouped, "slice", terms)
    for name in ("bf16_136x72x264_nn", "bf16_72x136x328_tt"):
        graph, _ = PROGRAMS[name]
        worst = max(a.ways for a in shared_accesses(loops(graph, (8, 8))))
        assert worst == (2 if terms == 32 else 1)
        one = scheduled(graph, (8, 8))
        assert one.kernels[0][0].source.count("::add<") == terms // 16
        (programs,) = cuda_graphs.build([one])
        arrays = arguments(graph)
        found = cuda_graphs.run(one, programs, arrays)
        assert_close(found, graph_evaluate(graph, arrays), tolerances(graph, arrays))


@needs_gcc
def test_tiles_without_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads copy what a thread copies with it, and no bank is written to twice either."""
    monkeypatch.setattr(cuda_wgmma, "PADDING", 0)
    for name in ("bf16_136x72x264_nn", "bf16_72x136x328_tt"):
        graph, _ = PROGRAMS[name]
        accesses = list(shared_accesses(loops(graph, (8, 8))))
        assert len(accesses) >= 8 and [a for a in accesses if a.ways > 1] == []
        one = scheduled(graph, (8, 8))
        (programs,) = cuda_graphs.build([one])
        arrays = arguments(graph)
        found = cuda_graphs.run(one, programs, arrays)
        assert_close(found, graph_evaluate(graph, arrays), tolerances(graph, arrays))


@needs_gcc
@pytest.mark.parametrize("tile", TILES, ids=TILES.get)
def test_swizzled_tiles(monkeypatch: pytest.MonkeyPatch, tile: tuple[int, int]) -> None:
    """The other layout: right in both orders of the threads, without bank conflicts, and for the
    evaluator the same loops."""
    monkeypatch.setattr(cuda_wgmma, "SWIZZLED", True)
    names = [n for n in PROGRAMS if "136" in n or n in ("dense_bf16", "conv", "depth")]
    graphs = [scheduled(PROGRAMS[name][0], tile) for name in names]
    for name, one, programs in zip(names, graphs, cuda_graphs.build(graphs), strict=True):
        (kernel, *_) = (k for ks in one.kernels for k in ks)
        assert "gc_copy_swizzled<16>" in kernel.source and ", 1024, 1>(&tile" in kernel.source
        fixed = PROGRAMS[name][1] or PROGRAMS[name][0]
        arrays = arguments(fixed)
        for reverse in (False, True):
            found = cuda_graphs.run(one, programs, arrays, reverse=reverse)
            assert_close(found, graph_evaluate(fixed, arrays), tolerances(fixed, arrays))
    for left in (False, True):
        accesses = list(shared_accesses(loops(product(4096, 64, 4096, F16, left, left), tile)))
        assert len(accesses) >= 8 and [a for a in accesses if a.ways > 1] == []


@pytest.mark.parametrize("name", ("bf16_136x72x264_nn", "bf16_72x136x328_tt"))
def test_swizzled_loops_evaluate_to_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_wgmma, "SWIZZLED", True)
    graph, _ = PROGRAMS[name]
    arrays = arguments(graph)
    expected = graph_evaluate(graph, arrays)
    func = loops(graph, (8, 8))
    assert "align 1024 swizzled" in str(func)
    names = [p.name for p in func.params]
    buffers = dict(zip(names, [*arrays, np.zeros_like(expected[0])], strict=True))
    evaluate(func, buffers, {})
    assert_close([buffers[names[-1]]], expected, tolerances(graph, arrays))
    plain = changed(
        func, lambda s: replace(s, asynchronous=False) if isinstance(s, L.Store) else s
    )  # fmt: skip
    with pytest.raises(VerifyError, match="is swizzled, and read or written"):
        verify(plain)


def kernels_of(graph: Graph, arch: str | None = ARCH) -> list[CudaKernel]:
    return [k for ks in graph_kernels(graph, arch=arch).kernels for k in ks]


def test_where_it_is_used() -> None:
    """On sm_90 alone; where 16 bytes of both sides lie together; where there are whole tiles."""
    (large,) = kernels_of(product(4096, 4096, 4096, BF16))
    assert "gc_group_mma<__nv_bfloat16, 256>::add<0, 1>" in large.source
    assert large.grid == (128, 4, 1) and large.block == (128, 2, 1)
    assert 190 * 1024 < large.dynamic_bytes <= 227 * 1024
    assert "__launch_bounds__(256, 1)" in large.source
    (middle,) = kernels_of(product(1024, 1024, 1024, BF16))
    assert "gc_group_mma<__nv_bfloat16, 64>" in middle.source and middle.grid == (16, 8, 1)
    for arch in (None, "sm_80", "sm_120"):
        assert not any(k.functions for k in kernels_of(product(4096, 4096, 4096, BF16), arch))
    for graph in (
        product(4096, 4096, 4096, F32), product(4096, 4095, 4096, BF16, False, True),
        dense(N, 4096, M, BF16), wider(4096, 4096, 4096, I8, I32, right=True),
    ):  # fmt: skip
        assert not any(k.functions for k in kernels_of(graph))


def test_architecture() -> None:
    """What is for sm_90 alone says so, and nothing else does."""
    grouped, plain = (kernels_of(product(512, 512, 512, BF16), a) for a in (ARCH, None))
    assert architecture(grouped, "sm_90") == "sm_90a"
    assert architecture(plain, "sm_90") == "sm_90" and architecture(plain, "sm_80") == "sm_80"
    text = translation_unit([*grouped, *grouped])
    assert text.count("template <> struct gc_group_mma<") == 1


# ------------------------------------------------------------------------------------------ nvcc


@needs_nvcc
def test_the_test_for_a_gpu_compiles() -> None:
    assert on_gpu_wgmma.compiled()


@needs_nvcc
@pytest.mark.parametrize(
    "tile, swizzled", [*((t, False) for t in TILES), ((8, 16), True)],
    ids=[*TILES.values(), "swizzled"],
)  # fmt: skip
def test_nvcc_takes_them(
    tile: tuple[int, int], swizzled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without spills, and products run while the threads go on, whatever ends the kernel."""
    monkeypatch.setattr(cuda_wgmma, "SWIZZLED", swizzled)
    found: list[CudaKernel] = []
    for name in ("dense_f16", "dense_bf16", "depth", "conv_strided", "bf16_72x136x328_tt"):
        for ks in scheduled(PROGRAMS[name][0], tile).kernels:
            found += [cuda_graphs.renamed(k, f"{name}_{len(found)}") for k in ks]
    for name, one in nvcc.resources(translation_unit(found), "sm_90a").items():
        assert (one.spill_bytes, one.serialized) == (0, False), name


@pytest.mark.parametrize("swizzled", (False, True), ids=("padded", "swizzled"))
def test_the_test_for_a_gpu_has_the_tiles_of_the_schedule(
    swizzled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptors it tries are those that the schedule prints."""
    monkeypatch.setattr(cuda_wgmma, "SWIZZLED", swizzled)
    layout, mode = ("swizzled", ", 1") if swizzled else ("padded", "")
    for left, right in ((False, True), (False, False), (True, True), (True, False)):
        one = scheduled(product(4096, 512, 4096, F16, left, right), (8, 16))
        ((kernel,),) = one.kernels
        found = re.findall(r"gc_tile<([\d, ]+)>\(&[^\]]*?( \+ \d+)?\]", kernel.source)
        sides = on_gpu_wgmma.side(not left, 128, layout), on_gpu_wgmma.side(right, 256, layout)
        assert [f[0] for f in found[:2]] == [f"{s[0]}, {s[1]}{mode}" for s in sides]
        assert [f[1] for f in found[2:4]] == [f" + {s[3] // 2}" for s in sides]
        assert f"add<{sides[0][2]}, {sides[1][2]}>" in kernel.source


@needs_gcc
def test_the_test_for_a_gpu_is_right_on_the_stand_in() -> None:
    """Its images are what the descriptors say, and swapped strides are never right."""
    given = on_gpu_wgmma.matrices()
    for name, (a, b, layout, swap) in on_gpu_wgmma.tests().items():
        tiles = [on_gpu_wgmma.image(m, d, layout) for m, d in zip(given, (a, b), strict=True)]
        mode = int(layout == "swizzled")
        left, right = (
            decoded(tile, on_gpu_wgmma.side(deep, len(m), layout, swap), mode, len(m))
            for tile, deep, m in zip(tiles, (a, b), given, strict=True)
        )
        product = left @ right.T
        exact = np.array_equal(product, given[0].astype("f4") @ given[1].astype("f4").T)
        assert exact != swap, name


def decoded(
    tile: np.ndarray, numbers: tuple[int, ...], mode: int, extent: int
) -> np.ndarray:  # fmt: skip
    """Rows by 64 terms of a tile, read as PTX's descriptor says; written down a second time."""
    leading, stride, flat, step = numbers
    i, k = np.meshgrid(np.arange(extent), np.arange(64), indexing="ij")
    start, k = k // 16 * step, k % 16
    if mode:
        place = (k // 8 * stride + i // 64 * leading + k % 8 * 128 + i % 64 * 2) if flat else (
            i // 8 * stride + i % 8 * 128 + k * 2
        )  # fmt: skip
    else:
        inner = k % 8 * 16 + i % 8 * 2 if flat else i % 8 * 16 + k % 8 * 2
        place = k // 8 * leading + i // 8 * stride + inner
    place = place + start
    place ^= (place >> 3 & 0x70) * mode
    whole = np.append(tile, np.full(1 << 16, 777, tile.dtype))
    return whole[place // 2].astype(np.float32)
