"""Contractions by products of four warps (wgmma): the schedule, and what nvcc makes of it for
sm_90a. The statement: test_group_mma.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, architecture, print_cuda, translation_unit
from graphc.errors import VerifyError
from graphc.evaluate import evaluate as graph_evaluate
from graphc.ir import Graph
from graphc.loops import cuda_contract, cuda_wgmma
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.lower import lower
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.types import BF16, F16, F32, I8, I32
from tests.device import on_gpu_wgmma
from tests.programs import M, N, arguments
from tests.random_graphs import assert_close, tolerances
from tests.thinned import thinned

from . import cuda_graphs
from .cuda_graphs import GraphKernels, graph_kernels
from .test_cuda_contract import batched, conv, dense, product, shared_accesses, wider
from .test_group_mma import changed

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
ARCH = "sm_90"
TILES = {(8, 16): "128x256", (8, 8): "128x128", (8, 4): "128x64"}

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
@pytest.mark.parametrize("name, tile", thinned([(n, t) for n in PROGRAMS for t in TILES]), ids=str)
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
@pytest.mark.heavy
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


@pytest.mark.parametrize("name", thinned(["bf16_136x72x264_nn", "bf16_72x136x328_tt"]))
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
@pytest.mark.heavy
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
