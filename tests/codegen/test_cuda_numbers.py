"""Contractions of f32 (rounded to tf32) and f64 on tensor cores: every copy, tile and edge, run on
the CPU in both orders of threads, counted, and compiled by nvcc."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import environment
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import print_cuda, translation_unit
from graphc.evaluate import evaluate as graph_evaluate
from graphc.ir import Graph
from graphc.loops import cuda_contract, scalar
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.lower import lower
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.types import C64, C128, F16, F32, F64, DType
from tests.programs import M, N, arguments, dot, op, tensor
from tests.random_graphs import assert_close, tolerances

from . import cuda_graphs
from .cuda_graphs import GraphKernels, renamed
from .test_cuda_contract import apart, batched, conv, dense, product, shared_accesses, wider
from .test_group_mma import changed

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
TILES = {
    F32: {(8, 16): "128x256", (8, 8): "128x128", (8, 4): "128x64", (4, 8): "64x128"},
    F64: {(8, 8): "128x128", (8, 4): "128x64", (4, 8): "64x128"},
}
"""Those that small extents do not take of themselves: that is 64x64."""

# -------------------------------------------------------------------------------------- programs


def before(n: int, k: int, m: int, dtype: DType) -> Graph:
    """max(a, 0) @ b: what is computed goes through registers."""
    a, b = tensor(dtype, n, k), tensor(dtype, k, m, name="b")
    return Graph.of("f", (a, b), (dot(op("max", a, 0.0), b, ((1,), (0,))),))


def sliced(n: int, k: int, m: int, dtype: DType) -> Graph:
    """Every other row of a from its second number on, by the columns of b backwards."""
    a, b = tensor(dtype, 2 * n, k + 1), tensor(dtype, k, m, name="b")
    left = op("slice", a, start=(0, 1), shape=(n, k), step=(2, 1))
    right = op("slice", b, start=(0, m - 1), shape=(k, m), step=(1, -1))
    return Graph.of("f", (a, b), (dot(left, right, ((1,), (0,))),))


def programs(dtype: DType) -> dict[str, tuple[Callable[..., Graph], list[tuple[int, ...]]]]:
    """Graphs as functions of the extents that are symbols, and what these are."""
    name = dtype.name
    alone: dict[str, Graph] = {}
    for (n, k, m), ways in (
        ((72, 80, 88), ("nn", "nt", "tn", "tt")), ((65, 37, 131), ("nn", "nt", "tn", "tt")),
        ((34, 70, 46), ("nt", "tn")), ((129, 8, 64), ("nn",)),
    ):  # fmt: skip
        for left, right in ways:
            one = product(n, k, m, dtype, left == "t", right == "t")
            alone[f"{n}x{k}x{m}_{left}{right}"] = one
    first = {one: (0, 1, 2, 3) for one in ("lhs", "rhs", "out")}
    turned = {one: (1, 0, 2, 3) for one in ("lhs", "rhs", "out")}
    alone |= {
        "dense": dense(41, 35, 33, dtype),
        "before": before(40, 48, 36, dtype),
        "sliced": sliced(33, 40, 20, dtype),
        "batched": batched(33, 20, dtype),
        "deep": product(40, 1100, 33, dtype, True),
        "conv": conv(f"{name}[2, 9, 7, 8]", f"{name}[3, 3, 8, 24]", low=(1, 1), high=(1, 1)),
        "conv_strided": conv(f"{name}[2, 11, 9, 3]", f"{name}[3, 2, 3, 17]", stride=(2, 2),
                             low=(1, 0), high=(0, 1)),
        "conv_channels_first": conv(f"{name}[2, 8, 9, 7]", f"{name}[24, 8, 3, 3]", low=(1, 0),
                                    high=(1, 1), **first),
        "conv_kernel_gradient": conv(f"{name}[2, 20, 9, 7]", f"{name}[2, 24, 9, 7]", low=(1, 1),
                                     high=(1, 1), **turned),
    }  # fmt: skip
    found: dict[str, tuple[Callable[..., Graph], list[tuple[int, ...]]]] = {
        key: (lambda graph=graph: graph, [()]) for key, graph in alone.items()
    }
    found["symbols"] = (
        lambda n=N, m=M: dense(n, 24, m, dtype), [(70, 19), (16, 16), (0, 20), (1, 0)],
    )  # fmt: skip
    found["depth"] = lambda n=N: product(20, n, 40, dtype, False, True), [(45,), (1,), (0,)]
    return found


PROGRAMS = {(d.name, name): one for d in (F32, F64) for name, one in programs(d).items()}
SOME = ("72x80x88_nn", "65x37x131_tt", "34x70x46_nt", "before")
"""Those that every tile is tried with."""
FORCED = [
    (d.name, name, tile)
    for d, tiles in TILES.items()
    for name in SOME
    for tile in tiles
    # what goes through registers has no room beside the sums of the largest tile
    if name != "before" or tile not in ((8, 16), (8, 8) if d is F64 else ())
]


@contextmanager
def taking(tile: tuple[int, int] | None) -> Iterator[None]:
    """One tile is taken, whatever the estimate says."""
    kept = cuda_contract.STAGED_EFFICIENCY, cuda_contract.DOUBLE_EFFICIENCY
    if tile is not None:
        cuda_contract.STAGED_EFFICIENCY = cuda_contract.DOUBLE_EFFICIENCY = {tile: 1.0}
    try:
        yield
    finally:
        cuda_contract.STAGED_EFFICIENCY, cuda_contract.DOUBLE_EFFICIENCY = kept


def scheduled(dtype: str, name: str, tile: tuple[int, int] | None = None) -> GraphKernels:
    """The kernels of a program with a tile; None: with the one that is chosen."""
    make, _ = PROGRAMS[dtype, name]
    with taking(tile):
        return cuda_graphs.graph_kernels(make(), tf32=True)


def as_read(dtype: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The arguments with both operands as tensor cores read them."""
    if dtype == "f64":
        return arrays
    return [*(scalar.apply("tf32", a) for a in arrays[:2]), *arrays[2:]]


Key = tuple[str, str, tuple[int, int] | None]


@cache
def built() -> dict[Key, tuple[GraphKernels, list[cuda_cpu.CpuProgram]]]:
    keys: list[Key] = [*((*key, None) for key in PROGRAMS), *FORCED]
    graphs = [scheduled(*key) for key in keys]
    return dict(zip(keys, zip(graphs, cuda_graphs.build(graphs), strict=True), strict=True))


def source(graph: Graph, tf32: bool = True, arch: str | None = None) -> str:
    kernels = cuda_graphs.graph_kernels(graph, arch=arch, tf32=tf32).kernels
    return "\n".join(k.source for ks in kernels for k in ks)


# ---------------------------------------------------------------------------------------- values


def check(key: Key, extents: tuple[int, ...]) -> None:
    """Against NumPy's of what tensor cores read, and the same bits in either order of threads."""
    dtype, name, _ = key
    one, loaded = built()[key]
    graph = PROGRAMS[dtype, name][0](*extents)
    arrays = arguments(graph)
    found = cuda_graphs.run(one, loaded, arrays)
    backwards = cuda_graphs.run(one, loaded, arrays, reverse=True)
    for a, b in zip(found, backwards, strict=True):
        assert a.tobytes() == b.tobytes()
    read = as_read(dtype, arrays)
    assert_close(found, graph_evaluate(graph, read), tolerances(graph, read))


@needs_gcc
@pytest.mark.parametrize("dtype, name", PROGRAMS)
def test_values(dtype: str, name: str) -> None:
    one, _ = built()[dtype, name, None]
    kind = {"f32": "tf32", "f64": "f64"}[dtype]
    assert any(f"gc_mma_{kind}(" in k.source for ks in one.kernels for k in ks)
    for extents in PROGRAMS[dtype, name][1]:
        check((dtype, name, None), extents)


@needs_gcc
@pytest.mark.parametrize("dtype, name, tile", FORCED)
def test_tiles(dtype: str, name: str, tile: tuple[int, int]) -> None:
    check((dtype, name, tile), ())


@needs_gcc
@pytest.mark.parametrize("dtype", ("f32", "f64"))
def test_what_is_no_number_stays_where_it_is(dtype: str) -> None:
    """Infinities and NaNs reach their own rows and columns, and none comes from the edges."""
    one, loaded = built()[dtype, "65x37x131_tt", None]
    a, b = arguments(one.graph)
    a[36, 3], a[0, 64], b[100, 5], b[130, 36] = np.nan, np.inf, -np.inf, np.nan
    (found,) = cuda_graphs.run(one, loaded, [a, b])
    (expected,) = graph_evaluate(one.graph, [a, b])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    assert np.isnan(found).sum() < found.size / 20


@needs_gcc
def test_tf32_loses_what_ten_bits_lose() -> None:
    """Each operand is off by at most half a unit of its tenth bit, and the sum is f32's."""
    one, loaded = built()["f32", "deep", None]
    a, b = (np.abs(x) + np.float32(0.5) for x in arguments(one.graph))
    (found,) = cuda_graphs.run(one, loaded, [a, b])
    exact = a.astype(np.float64).T @ b.astype(np.float64)
    terms = a.shape[0]
    allowed = (2 * 2.0**-11 + 2.0**-22 + terms * 2.0**-24) * np.abs(exact)
    error = np.abs(found - exact)
    assert (error <= allowed).all()
    assert error.max() > 2.0**-16 * np.abs(exact).max(), "it was rounded"


@needs_gcc
def test_doubles_are_as_exact_as_a_chain_of_multiply_adds() -> None:
    """The same bits, in the order of the terms."""
    graph = product(16, 24, 17, F64, False, True)
    one = cuda_graphs.graph_kernels(graph)
    (loaded,) = cuda_graphs.build([one])
    a, b = arguments(graph)
    (found,) = cuda_graphs.run(one, loaded, [a, b])
    expected = np.zeros_like(found)
    for i, j in np.ndindex(*found.shape):
        total = 0.0
        for x, y in zip(a[i], b[j], strict=True):
            total = float(Fraction(total) + Fraction(x) * Fraction(y))
        expected[i, j] = total
    np.testing.assert_array_equal(found, expected)


CHECKED = {
    "f32_nt": product(19, 37, 24, F32, False, True), "f32_tn": product(20, 8, 36, F32, True),
    "f64_nn": product(18, 21, 24, F64), "f64_tt": product(20, 8, 36, F64, True, True),
    "conv_f32": conv("f32[1, 5, 4, 8]", "f32[3, 2, 8, 17]", low=(1, 0), high=(1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_scheduled_loops_evaluate_to_the_same(name: str) -> None:
    """The loop IR as it stands; the evaluator sees every access that strays."""
    graph = CHECKED[name]
    arrays = arguments(graph)
    read = as_read(graph.params[0].dtype.name, arrays)
    expected = graph_evaluate(graph, read)
    (lowered,) = cuda_graphs.graph_kernels(graph).lowered
    func = verify(schedule_cuda(lowered.func, tf32=True), "cuda")
    assert any(isinstance(s, L.Mma) for s in L.statements(func.body))
    names = [p.name for p in func.params]
    buffers = dict(zip(names, [*arrays, np.zeros_like(expected[0])], strict=True))
    evaluate(func, buffers, {})
    assert_close([buffers[names[-1]]], expected, tolerances(graph, read))


@needs_gcc
@pytest.mark.parametrize("dtype", (F32, F64), ids=str)
@pytest.mark.parametrize("kind", (L.Barrier, L.CopyWait, L.CopyCommit), ids=lambda k: k.__name__)
def test_the_slices_need_their_order(dtype: DType, kind: type) -> None:
    """The stand-in does copies at once in one order of the threads, and as late as may be in the
    other."""
    graph = product(64, 256, 64, dtype)
    func = schedule_cuda(lower(graph, "f").func, tf32=True)
    bare = changed(func, lambda s: None if isinstance(s, kind) else s)
    assert bare != func
    (program,) = cuda_cpu.build([print_cuda(bare)])
    a, b = arguments(graph)
    (expected,) = graph_evaluate(graph, as_read(dtype.name, [a, b]))
    same = []
    for reverse in (False, True):
        y = np.zeros((64, 64), dtype.numpy)
        program.run({"x0": a, "x1": b, "y0": y}, reverse=reverse)
        same.append(np.allclose(y, expected, rtol=1e-4, atol=1e-4))
    assert not all(same)


# -------------------------------------------------------------------------------- what is chosen


def test_only_what_may_be_rounded_is() -> None:
    """f32 stays f32 without the permission, and with it where no tensor cores multiply."""
    f32 = product(128, 32, 128)
    text = source(f32)
    assert text.count("gc_mma_tf32") == 1 and "gc_tf32(" in text
    assert text.count("gc_copy_async<16>") == 4  # of two operands: ahead, and in the loop
    assert "stage" not in text
    for exact in (
        source(f32, False), source(product(64, 64, 64, C64)), source(product(4, 500, 500)),
        source(apart("sum", 64, 64, 64)),
    ):  # fmt: skip
        assert "gc_tf32" not in exact and "gc_mma" not in exact
    assert "gc_mma_f16" in source(wider(128, 64, 128, F16, F32))
    assert "gc_mma_f64" in source(wider(128, 64, 128, F32, F64), False)
    plain = schedule_cuda(lower(f32, "f").func)
    assert print_cuda(plain) == print_cuda(schedule_cuda(lower(f32, "f").func, "sm_80"))


def test_doubles_are_multiplied_where_there_are_units_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On every architecture by one kernel; on one that has few units of f64, multiply-adds."""
    graph = product(128, 64, 128, F64)
    monkeypatch.delenv("GRAPHC_WGMMA", raising=False)
    known = [environment.schedule_arch(f"sm_{n}") for n in (80, 90, 120)]
    assert known == ["sm_80", None, "sm_120"]
    assert "gc_mma_f64" in source(graph) and source(graph) == source(graph, arch="sm_90")
    assert "gc_mma" not in source(graph, arch="sm_120")


def test_the_program_asks_for_it() -> None:
    """`jit(precision="tf32")` shows such kernels, and Winograd's sums do not meet rounded ones."""
    a = graphc.spec((256, 256), "f32")
    images, kernel = graphc.spec((8, 56, 56, 64), "f32"), graphc.spec((3, 3, 64, 64), "f32")

    def convolved(x: Any, w: Any) -> Any:
        return graphc.nn.conv(x, w, padding="same")

    for precision in ("tf32", None):
        options: dict[str, Any] = {"device": "cuda", "precision": precision}
        text = graphc.jit(lambda x, y: x @ y, **options).lower(a, a).text("cuda")
        kernels = text[text.index('extern "C"') :]
        assert ("gc_mma_tf32(" in kernels) == (precision == "tf32")
        text = graphc.jit(convolved, **options).lower(images, kernel).text("cuda")
        kernels = text[text.index('extern "C"') :]
        assert kernels.count("__global__") == (1 if precision == "tf32" else 4)
        assert ("gc_mma_tf32(" in kernels) == (precision == "tf32")


# -------------------------------------------------------------------------- what can be counted


@pytest.mark.parametrize("left", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("right", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("dtype", (F32, F64), ids=str)
def test_no_bank_conflicts(dtype: DType, left: bool, right: bool) -> None:
    """Neither of copies of 16 or 8 bytes nor of fragments, in any tile."""
    for extent, tile in [(128, None), (66, None), *((512, one) for one in TILES[dtype])]:
        graph = product(extent, 64, extent, dtype, left, right)
        with taking(tile):
            func = schedule_cuda(lower(graph, "f").func, tf32=True)
        accesses = list(shared_accesses(func))
        assert len(accesses) >= 8 and all(len(a.places) == 32 for a in accesses)
        assert [a for a in accesses if a.ways > 1] == []


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_them_without_spills(arch: str) -> None:
    """The largest tiles, of operands that are copied 16 and 4 or 8 bytes at once; and f64 that is
    multiplied without tensor cores."""
    found = []
    for name, graph, arch_of in (
        ("plain_nn", product(2048, 512, 2048, F64), "sm_120"),
        ("plain_tn", product(2048, 512, 2048, F64, True), "sm_120"),
        ("plain_small", product(1024, 512, 1024, F64), "sm_120"),
        ("complex", product(1024, 512, 1024, C128, True, True), None),
        ("apart", apart("sum", 1024, 512, 1024, F64), None),
    ):
        (kernels,) = cuda_graphs.graph_kernels(graph, arch=arch_of).kernels
        found += [renamed(k, name) for k in kernels]
    for dtype in (F32, F64):
        for n, left, right in ((2048, 0, 0), (2048, 1, 1), (4095, 0, 1)):
            graph = product(n, 512, n, dtype, bool(left), bool(right))
            (kernels,) = cuda_graphs.graph_kernels(graph, tf32=True).kernels
            found += [renamed(k, f"{dtype.name}_{n}_{left}{right}") for k in kernels]
    used = nvcc.resources(translation_unit(found), arch)
    assert len(used) == 11
    assert [name for name, one in used.items() if one.spill_bytes] == []
