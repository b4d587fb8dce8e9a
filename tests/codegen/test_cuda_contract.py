"""Tiles of contractions on CUDA: every dtype, shape and copy, run on the CPU in both orders of
threads, and compiled by nvcc."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, print_cuda, translation_unit
from graphc.errors import LoweringError, VerifyError
from graphc.evaluate import evaluate as graph_evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.lower import lower
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.ops.convolution import CONV
from graphc.types import BF16, F16, F32, F64, I8, I32, U8, U16, U32, Dim, DType
from tests.programs import M, N, arguments, dot, op, reduce, tensor
from tests.random_graphs import assert_close, tolerances

from . import cuda_graphs
from .cuda_graphs import GraphKernels, graph_kernels

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")

# -------------------------------------------------------------------------------------- programs


def product(
    n: ty.Extent, k: ty.Extent, m: ty.Extent, dtype: DType = F32, left: bool = False,
    right: bool = False,
) -> Graph:  # fmt: skip
    """a @ b, either operand transposed."""
    a = tensor(dtype, k, n) if left else tensor(dtype, n, k)
    b = tensor(dtype, m, k, name="b") if right else tensor(dtype, k, m, name="b")
    axes = ((0 if left else 1,), (1 if right else 0,))
    return Graph.of("f", (a, b), (dot(a, b, axes),))


def dense(n: ty.Extent, k: ty.Extent, m: ty.Extent, dtype: DType) -> Graph:
    """A layer with all that may end it: max(a @ b + bias, 0) + residual."""
    a, b = tensor(dtype, n, k), tensor(dtype, k, m, name="b")
    bias, x = tensor(dtype, m, name="bias"), tensor(dtype, n, m, name="x")
    return Graph.of(
        "f", (a, b, bias, x), (op("add", op("max", op("add", dot(a, b), bias), 0.0), x),)
    )


def batched(n: ty.Extent, m: ty.Extent, dtype: DType, k: int = 40) -> Graph:
    a, b = tensor(dtype, 3, n, k), tensor(dtype, 3, m, k, name="b")
    return Graph.of("f", (a, b), (dot(a, b, ((2,), (2,)), 1),))


def conv(x: str, kernel: str, **attrs: Any) -> Graph:
    """A convolution; attributes as those of the card's samples."""
    types = (ty.parse_type(x), ty.parse_type(kernel))
    rank = types[0].rank
    given: dict[str, Any] = {
        "stride": (1,) * (rank - 2), "low": (0,) * (rank - 2), "high": (0,) * (rank - 2),
        "lhs_dilation": (1,) * (rank - 2), "rhs_dilation": (1,) * (rank - 2),
        "groups": 1, "batch_groups": 1, "lhs": (0, rank - 1, *range(1, rank - 1)),
        "rhs": (rank - 1, rank - 2, *range(rank - 2)), "out": (0, rank - 1, *range(1, rank - 1)),
    }  # fmt: skip
    a, b = (tensor(t.dtype, *t.shape, name=n) for t, n in zip(types, "xw", strict=True))
    return Graph.of("f", (a, b), (op(CONV.name, a, b, **(given | attrs)),))


def apart(kind: str, n: int, k: int, m: int, dtype: DType = F32) -> Graph:
    """No products: the least (or sum of) |a - b| + 1 over the terms, which 0 does not leave
    alone."""
    a, b = tensor(dtype, n, k), tensor(dtype, m, k, name="b")
    wide = (n, m, k)
    left, right = (
        op("broadcast", x, shape=wide, axes=axes) for x, axes in ((a, (0, 2)), (b, (1, 2)))
    )
    return Graph.of(
        "f", (a, b), (reduce(op("add", op("abs", op("sub", left, right)), 1.0), kind, 2),)
    )


DTYPES = [d for d in ty.DTYPES.values()]
SHAPES = (
    (64, 64, 64), (129, 17, 65), (17, 129, 24), (65, 40, 136), (1, 64, 129), (64, 7, 17),
    (16, 8, 257),
)  # fmt: skip
"""Of products: whole tiles, edges of every kind, and some that keep one thread per result."""


def programs() -> dict[str, tuple[Graph, Graph | None]]:
    """Graphs; one with symbols comes with another of the same extents as numbers."""
    found: dict[str, tuple[Graph, Graph | None]] = {}
    for d, dtype in enumerate(DTYPES):
        for s, shape in enumerate(SHAPES):
            left, right = bool((d + s) & 1), bool((d + s) & 2)
            name = f"product_{dtype.name}_{'x'.join(map(str, shape))}"
            found[name] = product(*shape, dtype, left, right), None
    for dtype in (F16, F32):
        for left in (False, True):
            for right in (False, True):
                name = f"copies_{dtype.name}_{'nt'[left]}{'nt'[right]}"
                found[name] = product(72, 80, 88, dtype, left, right), None
        found |= {
            f"dense_{dtype.name}": (dense(40, 64, 72, dtype), None),
            f"dense_odd_{dtype.name}": (dense(41, 35, 33, dtype), None),
            f"batched_{dtype.name}": (batched(33, 20, dtype), None),
            f"symbols_{dtype.name}": (dense(N, 24, M, dtype), dense(70, 24, 19, dtype)),
            f"depth_{dtype.name}": (product(20, N, 40, dtype), product(20, 45, 40, dtype)),
            f"large_{dtype.name}": (product(900, 8, 1100, dtype), None),
            f"wide_{dtype.name}": (product(1000, 8, 400, dtype), None),
            f"tall_{dtype.name}": (product(7000, 8, 60, dtype), None),
            f"conv_{dtype.name}": (
                conv(f"{dtype.name}[2, 9, 7, 8]", f"{dtype.name}[3, 3, 8, 24]", low=(1, 1),
                     high=(1, 1)), None,
            ),
            f"conv_strided_{dtype.name}": (
                conv(f"{dtype.name}[2, 11, 9, 3]", f"{dtype.name}[3, 2, 3, 17]", stride=(2, 2),
                     low=(1, 0), high=(0, 1)), None,
            ),
        }  # fmt: skip
        first = {name: (0, 1, 2, 3) for name in ("lhs", "rhs", "out")}
        found[f"conv_channels_first_{dtype.name}"] = (
            conv(f"{dtype.name}[2, 8, 9, 7]", f"{dtype.name}[24, 8, 3, 3]", low=(1, 0),
                 high=(1, 1), **first), None,
        )  # fmt: skip
    for n, k, m in ((64, 64, 64), (40, 80, 72), (33, 67, 21), (17, 130, 32)):
        for left in (False, True):
            name = f"bytes_{n}x{k}x{m}_{'nt'[left]}"
            found[name] = wider(n, k, m, I8, I32, left, not left), None
    turned = {name: (1, 0, 2, 3) for name in ("lhs", "rhs", "out")}
    found |= {
        "conv_kernel_gradient": (
            conv("f32[2, 20, 9, 7]", "f32[2, 24, 9, 7]", low=(1, 1), high=(1, 1), **turned),
            None,
        ),
        "gram": (product(4, 5000, 3, F32, True), None),
        "means": (means(3, 5, 20), None),
        "tiles_of_results": (tiles_of_results(3, 4, 20), None),
        "conv_groups": (conv("f32[2, 12, 16]", "f32[3, 8, 40]", groups=2, low=(2,)), None),
        "deep_f16": (dense(40, 1100, 33, F16), None),
        "deep_f32": (dense(33, 520, 40, F32), None),
        "deep_c64": (product(17, 515, 20, ty.C64), None),
        "deep_least": (apart("min", 16, 513, 17), None),
        "deep_conv": (
            conv("f32[3, 9, 7, 64]", "f32[3, 3, 64, 24]", low=(1, 1), high=(1, 1)),
            None,
        ),
        "deep_batched": (batched(33, 20, F64, 700), None),
        "mixed": (wider(33, 40, 65), None),
        "least": (apart("min", 33, 19, 40), None),
        "sum_apart": (apart("sum", 33, 19, 40, F64), None),
    }
    return found


def wider(
    n: int, k: int, m: int, dtype: DType = F32, total: DType = F64, left: bool = False,
    right: bool = False,
) -> Graph:  # fmt: skip
    """Operands that are summed in a wider dtype."""
    a = tensor(dtype, k, n) if left else tensor(dtype, n, k)
    b = tensor(dtype, m, k, name="b") if right else tensor(dtype, k, m, name="b")
    contract = ((0 if left else 1,), (1 if right else 0,))
    return Graph.of("f", (a, b), (op("dot", a, b, contract=contract, batch=((), ()), dtype=total),))


def means(n: int, m: int, k: int) -> Graph:
    """Sums over windows divided by a number for each row and one for each column."""
    x, a, b = tensor(F32, n, m, k), tensor(F32, n, name="a"), tensor(F32, m, name="b")
    edges = {"window": (3, 3, 1), "stride": (1, 1, 1), "dilation": (1, 1, 1)}
    total = op("reduce_window", x, kind="sum", low=(1, 1, 0), high=(1, 1, 0), **edges)
    rows, columns = (
        op("broadcast", one, shape=(n, m, k), axes=(axis,)) for axis, one in ((0, a), (1, b))
    )
    return Graph.of("f", (x, a, b), (op("div", total, op("mul", rows, columns)),))


def tiles_of_results(n: int, m: int, k: int) -> Graph:
    """Two results of a step in lines beside each other, as Winograd's last transform has four."""
    x = tensor(F32, 3, n, m, k)
    made = op("mix", x, axis=0, matrix=((1.0, 1.0, 1.0), (0.0, 1.0, -1.0)))
    turned = op("transpose", made, axes=(1, 0, 2, 3))
    return Graph.of("f", (x,), (op("reshape", turned, shape=(2 * n, m, k)),))


PROGRAMS = programs()


@cache
def built() -> dict[str, tuple[GraphKernels, list[cuda_cpu.CpuProgram]]]:
    graphs = [graph_kernels(graph) for graph, _ in PROGRAMS.values()]
    return dict(zip(PROGRAMS, zip(graphs, cuda_graphs.build(graphs), strict=True), strict=True))


def source(graph: Graph) -> str:
    return "\n".join(k.source for ks in graph_kernels(graph).kernels for k in ks)


@needs_gcc
@pytest.mark.parametrize("name", PROGRAMS)
def test_values(name: str) -> None:
    """Against NumPy's, and the same bits with the threads in either order."""
    graph, same = PROGRAMS[name]
    one, programs = built()[name]
    fixed = same or graph
    arrays = arguments(fixed)
    found = cuda_graphs.run(one, programs, arrays)
    backwards = cuda_graphs.run(one, programs, arrays, reverse=True)
    for a, b in zip(found, backwards, strict=True):
        assert a.tobytes() == b.tobytes()
    assert_close(found, graph_evaluate(fixed, arrays), tolerances(fixed, arrays))


def test_kinds() -> None:
    """Tensor cores for 16-bit floats and signed bytes only; 16 bytes at once where numbers lie
    beside each other; no tiles where there is little to share."""
    for dtype in (F16, BF16):
        text = source(product(128, 64, 128, dtype))
        assert text.count("gc_mma_") == 1 and "stage" not in text
        assert text.count("gc_copy_async<16>") == 4  # of two operands: ahead, and in the loop
        assert text.count("gc_fragments(") == text.count("gc_fragments_transposed(") == 2
    ((large,),) = graph_kernels(product(4096, 4096, 4096, F16)).kernels
    assert large.dynamic_bytes == large.shared_bytes > 48 * 1024
    assert large.grid == (16 * 8, 32 // 8, 1)  # of 128 by 256, 8 rows of tiles beside each other
    text = source(product(65, 40, 132, F16))
    assert "gc_copy_async<16>" in text and "gc_copy_async<8>" in text
    text = source(wider(128, 64, 128, I8, I32, right=True))
    assert text.count("gc_mma_i8") == 1 and text.count("gc_pack<signed char, 16>*>(x") == 2
    assert "gc_mma" not in source(wider(128, 64, 128, U8, I32))
    text = source(product(128, 64, 128))
    assert "gc_mma" not in text and text.count("*reinterpret_cast<const gc_pack<float, 4>*>(x") == 4
    assert "__launch_bounds__(256, 2)" in source(product(4096, 64, 4096))
    assert "__launch_bounds__(256)" in source(product(4096, 64, 4096, F64))
    for small in (product(4, 500, 500), product(500, 500, 4), product(64, 7, 64)):
        assert "__shared__ __align__" not in source(small)


def threads_of(graph: Graph) -> list[int]:
    """Of each kernel of a graph."""
    found = []
    for kernel in (k for ks in graph_kernels(graph).kernels for k in ks):
        shape = (*kernel.grid, *kernel.block)
        found.append(int(np.prod([n for n in shape if isinstance(n, int)])))
    return found


def test_images_with_channels_first_are_tiled() -> None:
    """Rows are features where the last two axes are places, and groups are a batch."""
    for name in ("conv_channels_first_f32", "conv_kernel_gradient", "conv_groups"):
        assert "__shared__ __align__" in source(PROGRAMS[name][0])
    assert "gc_mma_f16" in source(PROGRAMS["conv_channels_first_f16"][0])


def test_all_loops_are_spread() -> None:
    """Numbers of a row between the loops, and results beside each other, leave a nest whole."""
    assert threads_of(means(8, 16, 64)) == [8 * 16 * 64]
    assert threads_of(tiles_of_results(8, 16, 64)) == [8 * 16 * 64 // 4]  # 16 bytes each
    assert threads_of(product(4, 1 << 20, 4, F32, True)) == [256 * 256, 256]


def test_sizes_of_tiles() -> None:
    """The tile grows with what there is to share among the processors."""
    for name, f32, f16 in (
        ("large", (9, 8), (9, 8)), ("wide", (4, 16), (7, 16)), ("tall", (1, 55), (1, 110)),
    ):  # fmt: skip
        for dtype, grid in ((F32, f32), (F16, f16)):
            ((kernel,),) = graph_kernels(PROGRAMS[f"{name}_{dtype.name}"][0]).kernels
            assert kernel.grid[:2] == grid and kernel.block == (32, 8, 1)


def test_deep_sums_are_cut() -> None:
    """Into parts for the processors that have no tile, and never where tiles are enough."""
    for graph, parts in (
        (product(64, 4096, 64), 16), (product(64, 600, 64), 2), (product(64, 500, 64), 1),
        (product(2048, 4096, 2048), 1), (batched(64, 64, F32, 4096), 16),
    ):  # fmt: skip
        (kernels,) = graph_kernels(graph).kernels
        assert len(kernels) == (2 if parts > 1 else 1)
        batch = 3 if graph.params[0].type.rank == 3 else 1
        assert kernels[0].grid[2] == parts * batch


# ------------------------------------------------------------------------------------------- Mma


SUMS = {F16: F32, BF16: F32, I8: I32, F32: F32, F64: F64}
"""What an Mma of a dtype adds to."""


def fragments(dtype: DType) -> L.LoopFunc:
    """One Mma, whose fragments are read and written as the PTX ISA (mma.m16n8k16, for bytes
    mma.m16n8k32, for f32 and f64 mma.m16n8k8) has them."""
    per = max(1, 4 // dtype.nbytes)
    bits = dtype if per == 1 else U16 if per == 2 else U8
    held = dtype if per == 1 else U32
    a = L.Buffer("a", bits, (16, 8 * per), None, "global", "in")
    b = L.Buffer("b", bits, (8 * per, 8), None, "global", "in")
    whole = SUMS[dtype]
    d = L.Buffer("d", whole, (16, 8), None, "global", "inout")
    left, right = (L.Buffer(n, held, (k,), None, "register") for n, k in (("l", 4), ("r", 2)))
    total = L.Buffer("t", whole, (4,), None, "register")
    lane = Dim.symbol("lane")
    group, thread = lane // 4, lane % 4

    def word(buffer: L.Buffer, places: list[tuple[L.Index, L.Index]]) -> L.Expr:
        if per == 1:
            return L.Load(buffer, places[0])
        found: L.Expr = L.Const(0, U32)
        for k, place in enumerate(places):
            one = L.Cast(L.Load(buffer, place), U32)
            moved = L.Scalar("shl", (one, L.Const(32 // per * k, U32)), U32)
            found = L.Scalar("or", (found, moved), U32)
        return found

    def of_a(i: int) -> tuple[L.Index, L.Index]:
        row = group if i // per % 2 == 0 else group + 8
        return row, thread * per + i % per + (0 if i < 2 * per else 4 * per)

    def of_b(i: int) -> tuple[L.Index, L.Index]:
        return thread * per + i % per + (0 if i < per else 4 * per), group

    def of_d(i: int) -> tuple[L.Index, L.Index]:
        return (group if i < 2 else group + 8), thread * 2 + (i & 1)

    def words(of: Callable[[int], tuple[L.Index, L.Index]], k: int) -> list[Any]:
        return [of(per * k + e) for e in range(per)]

    body = (
        L.Alloc(left), L.Alloc(right), L.Alloc(total),
        *(L.Store(left, (k,), word(a, words(of_a, k))) for k in range(4)),
        *(L.Store(right, (k,), word(b, words(of_b, k))) for k in range(2)),
        *(L.Store(total, (k,), L.Load(d, of_d(k))) for k in range(4)),
        L.Mma(total, (0,), left, (0,), right, (0,), dtype),
        *(L.Store(d, of_d(k), L.Load(total, (k,))) for k in range(4)),
    )  # fmt: skip
    warps = L.For("warp", 1, "thread", (L.For("lane", 32, "thread", body),))
    return L.LoopFunc("mma", (a, b, d), (), (L.For("block", 1, "block", (warps,)),))


def mma_arrays(dtype: DType) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Small whole numbers, so that every order of the sums gives the same bits; of bytes any."""
    rng = np.random.default_rng(5)
    whole, most = SUMS[dtype], 127 if dtype is I8 else 8
    terms = 8 * max(1, 4 // dtype.nbytes)
    a, b, d = (
        rng.integers(-most - (dtype is I8), most + 1, s).astype(t.numpy)
        for s, t in (((16, terms), dtype), ((terms, 8), dtype), ((16, 8), whole))
    )
    expected = d + a.astype(whole.numpy) @ b.astype(whole.numpy)
    if dtype.nbytes < 4:
        a, b = (x.view(np.uint8 if dtype is I8 else np.uint16) for x in (a, b))
    return {"a": a, "b": b, "d": d}, expected


@pytest.mark.parametrize("dtype", SUMS, ids=str)
def test_mma_evaluates(dtype: DType) -> None:
    arrays, expected = mma_arrays(dtype)
    evaluate(verify(fragments(dtype), "cuda"), arrays, {})
    np.testing.assert_array_equal(arrays["d"], expected)


@needs_gcc
@pytest.mark.parametrize("dtype", SUMS, ids=str)
@pytest.mark.parametrize("reverse", (False, True))
def test_mma_on_the_cpu(dtype: DType, reverse: bool) -> None:
    arrays, expected = mma_arrays(dtype)
    cuda_cpu.run_on_cpu(print_cuda(fragments(dtype)), arrays, reverse=reverse)
    np.testing.assert_array_equal(arrays["d"], expected)


def test_mma_is_verified() -> None:
    func = fragments(F16)

    def changed(fix: Callable[[L.Stmt], L.Stmt]) -> L.LoopFunc:
        def inside(stmt: L.Stmt) -> L.Stmt:
            if isinstance(stmt, L.For):
                stmt = replace(stmt, body=tuple(map(inside, stmt.body)))
            return fix(stmt)

        return replace(func, body=tuple(map(inside, func.body)))

    def narrow(stmt: L.Stmt) -> L.Stmt:
        is_lanes = isinstance(stmt, L.For) and stmt.var == "lane"
        return replace(stmt, extent=16) if is_lanes else stmt  # type: ignore[arg-type]

    with pytest.raises(VerifyError, match="loop of 32 iterations"):
        verify(changed(narrow))
    with pytest.raises(VerifyError, match="f16, bf16, i8, f32 or f64"):
        verify(changed(lambda s: replace(s, dtype=U8) if isinstance(s, L.Mma) else s))
    with pytest.raises(VerifyError, match="as an Mma needs"):
        verify(changed(lambda s: replace(s, b=s.target) if isinstance(s, L.Mma) else s))
    with pytest.raises(VerifyError, match="cpu has no"):
        verify(func, "cpu")
    assert "t[0] += mma_f16(l[0], r[0])" in str(func)
    some = L.For("all", 64, "thread", ())
    (block,) = func.body
    assert isinstance(block, L.For)
    with pytest.raises(LoweringError, match="over a warp"):
        print_cuda(replace(func, body=(replace(block, body=(some, *block.body)),)))


# ------------------------------------------------------------------------ Fragments and copies


def matrices(transposed: bool, guard: L.Expr | None = None) -> L.LoopFunc:
    """Four matrices go through shared memory; lane k writes its words as row k of the result."""
    x = L.Buffer("x", F16, (32, 8), None, "global", "in")
    y = L.Buffer("y", U32, (32, 4), None, "global", "out")
    tile = L.Buffer("tile", F16, (32, 8), None, "shared", "temp", 16)
    held = L.Buffer("held", U32, (4,), None, "register")
    lane, e, m = Dim.symbol("lane"), Dim.symbol("e"), Dim.symbol("m")
    copy = L.Store(tile, (lane, e), L.Load(x, (lane, e), guard), asynchronous=True)
    body = (
        L.For("e", 8, "vector", (copy,)), L.CopyCommit(), L.CopyWait(0), L.Barrier(),
        L.Alloc(held), L.Fragments(held, (0,), tile, (lane, 0), transposed),
        L.For("m", 4, "unroll", (L.Store(y, (lane, m), L.Load(held, (m,))),)),
    )  # fmt: skip
    warps = L.For("warp", 1, "thread", (L.For("lane", 32, "thread", body),))
    return L.LoopFunc("move", (x, y), (), (L.For("block", 1, "block", (L.Alloc(tile), warps)),))


LATE = L.scalar("lt", L.Idx(Dim.symbol("lane")), L.const(20, ty.I64))


@needs_gcc
@pytest.mark.parametrize("transposed", (False, True))
@pytest.mark.parametrize("guard", (None, LATE), ids=("all", "some"))
def test_fragments(transposed: bool, guard: L.Expr | None) -> None:
    """As the PTX ISA has ldmatrix; a copy whose guard does not hold is 0."""
    x = np.arange(256, dtype=np.float16).reshape(32, 8)
    whole = np.where(np.arange(32)[:, None] < 20, x, 0) if guard is not None else x
    parts = whole.astype(np.float16).reshape(4, 8, 8)
    parts = parts.transpose(0, 2, 1) if transposed else parts
    # lane 4q + t has row q, numbers 2t and 2t + 1, of each matrix
    expected = np.ascontiguousarray(parts.transpose(1, 0, 2)).view(np.uint32)
    expected = expected.reshape(8, 4, 4).transpose(0, 2, 1).reshape(32, 4)
    func = verify(matrices(transposed, guard), "cuda")
    y = np.zeros((32, 4), np.uint32)
    evaluate(func, {"x": x, "y": y}, {})
    np.testing.assert_array_equal(y, expected)
    for reverse in (False, True):
        y[...] = 0
        cuda_cpu.run_on_cpu(print_cuda(func), {"x": x, "y": y}, reverse=reverse)
        np.testing.assert_array_equal(y, expected)
    assert "held[0] = fragments(tile[lane, 0]" in str(func)
    assert "# asynchronous" in str(func) and "wait for copies but the last 0" in str(func)


def test_copies_are_verified() -> None:
    func = matrices(False)
    e = L.scalar("lt", L.Idx(Dim.symbol("e")), L.const(4, ty.I64))
    with pytest.raises(VerifyError, match="guards of their own"):
        verify(matrices(False, e))
    with pytest.raises(VerifyError, match="cpu has no"):
        verify(func, "cpu")

    def changed(fix: Callable[[L.Stmt], L.Stmt]) -> L.LoopFunc:
        def inside(stmt: L.Stmt) -> L.Stmt:
            if isinstance(stmt, L.For):
                stmt = replace(stmt, body=tuple(map(inside, stmt.body)))
            return fix(stmt)

        return replace(func, body=tuple(map(inside, func.body)))

    def short(stmt: L.Stmt) -> L.Stmt:
        return replace(stmt, extent=6) if isinstance(stmt, L.For) and stmt.var == "e" else stmt

    def unrolled(stmt: L.Stmt) -> L.Stmt:
        is_copy = isinstance(stmt, L.For) and stmt.var == "e"
        return replace(stmt, kind="unroll") if is_copy else stmt

    with pytest.raises(VerifyError, match="moves 12 bytes"):
        verify(changed(short))
    with pytest.raises(VerifyError, match="whole body of a vector loop"):
        verify(changed(unrolled))
    with pytest.raises(VerifyError, match="as Fragments need"):
        verify(changed(lambda s: replace(s, source=s.target, source_index=(0,))
                       if isinstance(s, L.Fragments) else s))  # fmt: skip
    with pytest.raises(VerifyError, match="groups pending"):
        verify(changed(lambda s: L.CopyWait(9) if isinstance(s, L.CopyWait) else s))


# -------------------------------------------------------------------------- what can be counted


@dataclass(frozen=True)
class Access:
    """One access to shared memory by a warp."""

    text: str
    nbytes: int
    """By each thread."""
    places: tuple[int, ...]
    """In bytes, lane by lane."""

    @property
    def ways(self) -> int:
        """Passes over the 32 banks for each 128 bytes that move; 1 is without conflicts."""
        group = 128 // max(4, self.nbytes)
        worst = 1
        for start in range(0, 32, group):
            banks: dict[int, set[int]] = {}
            for place in self.places[start : start + group]:
                for word in range(place // 4, (place + self.nbytes + 3) // 4):
                    banks.setdefault(word % 32, set()).add(word)
            worst = max(worst, *(len(words) for words in banks.values()))
        return worst


def shared_accesses(func: L.LoopFunc) -> Iterator[Access]:
    """The accesses to shared memory of the first warps (of a group of four, of all), in the first
    turn of every other loop."""

    def visit(body: tuple[L.Stmt, ...], env: dict[str, L.Index], lane: str, lanes: int) -> Any:
        for stmt in body:
            if isinstance(stmt, L.For):
                is_lane = stmt.kind == "thread" and stmt.extent in (32, 128)
                values: list[L.Index] = list(range(2 if stmt.kind == "thread" else 1))
                if is_lane and isinstance(stmt.extent, int):
                    values = [k + Dim.symbol(stmt.var) for k in range(0, stmt.extent, 32)]
                for value in values:
                    inner = env | {stmt.var: value}
                    vector = stmt.kind == "vector"
                    width = stmt.extent if vector and isinstance(stmt.extent, int) else lanes
                    yield from visit(stmt.body, inner, stmt.var if is_lane else lane, width)
            elif isinstance(stmt, L.If):
                yield from visit((*stmt.then, *stmt.otherwise), env, lane, lanes)
            elif isinstance(stmt, L.Fragments):
                offset = ty.substitute(stmt.source.offset(stmt.source_index), env)
                places = [ty.substitute(offset, {lane: k}) for k in range(32)]
                yield Access(
                    f"{stmt.source.name}[{offset}]",
                    16,
                    tuple(stmt.source.dtype.nbytes * p for p in places),  # type: ignore[operator]
                )
            elif isinstance(stmt, L.Store):
                found = [(stmt.buffer, stmt.index)]
                found += [(e.buffer, e.index) for e in L.walk(stmt.value) if isinstance(e, L.Load)]
                for buffer, index in found:
                    if buffer.space == "shared":
                        offset = ty.substitute(buffer.offset(index), env)
                        places = [ty.substitute(offset, {lane: k}) for k in range(32)]
                        yield Access(
                            f"{buffer.name}[{offset}]",
                            buffer.dtype.nbytes * lanes,
                            tuple(p * buffer.dtype.nbytes for p in places if isinstance(p, int)),
                        )

    yield from visit(func.body, {}, "", 1)


@pytest.mark.parametrize("left", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("right", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("dtype", (F16, BF16, F32, F64), ids=str)
@pytest.mark.parametrize("extent", (128, 4096))
def test_no_bank_conflicts(extent: int, dtype: DType, left: bool, right: bool) -> None:
    graph = product(extent, 64, extent, dtype, left, right)
    func = schedule_cuda(lower(graph, "f").func)
    accesses = list(shared_accesses(func))
    assert len(accesses) >= 8 and all(len(a.places) == 32 for a in accesses)
    assert [a for a in accesses if a.ways > 1] == []


@pytest.mark.parametrize("left", (False, True), ids=("n", "t"))
@pytest.mark.parametrize("extent", (128, 4096))
def test_no_bank_conflicts_of_bytes(extent: int, left: bool) -> None:
    graph = wider(extent, 128, extent, I8, I32, left, not left)
    accesses = list(shared_accesses(schedule_cuda(lower(graph, "f").func)))
    assert len(accesses) >= 8 and all(len(a.places) == 32 for a in accesses)
    assert [a for a in accesses if a.ways > 1] == []


def test_conflicts_are_counted() -> None:
    """Rows of 32 words in one bank, and 16 bytes a thread, 8 threads a pass."""
    assert Access("column", 4, tuple(range(0, 32 * 128, 128))).ways == 32
    assert Access("row", 4, tuple(range(0, 128, 4))).ways == 1
    assert Access("one", 4, (0,) * 32).ways == 1
    assert Access("packs", 16, tuple(range(0, 512, 16))).ways == 1
    assert Access("packs apart", 16, tuple(range(0, 1024, 32))).ways == 2


def kernels_of(names: Iterable[str]) -> list[CudaKernel]:
    """Kernels of several programs, under names of their own."""
    found = []
    for name in names:
        for k, kernel in enumerate(
            k for ks in graph_kernels(PROGRAMS[name][0]).kernels for k in ks
        ):
            own = f"{name.replace('-', '_')}_{k}"
            text = kernel.source.replace(f" {kernel.name}(", f" {own}(")
            found.append(replace(kernel, name=own, source=text))
    return found


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_tiles(arch: str) -> None:
    names = ("bytes_40x80x72_n", "copies_f16_nn", "product_bf16_65x40x136", "copies_f32_tn")
    cubin = nvcc.compile_cubin(translation_unit(kernels_of(names)), arch)
    assert all(name.encode() in cubin for name in names)


@needs_nvcc
@pytest.mark.parametrize("names", (list(PROGRAMS)[::2], list(PROGRAMS)[1::2]), ids=("even", "odd"))
def test_nvcc_takes_all(names: list[str]) -> None:
    nvcc.check(translation_unit(kernels_of(names)))


# ------------------------------------------------------------------------- the loops themselves


CHECKED = {
    "f16": product(19, 37, 24, F16),
    "f32": product(19, 37, 24, F32),
    "bytes": wider(19, 67, 24, I8, I32, True),
    "f16_tt": product(24, 16, 40, F16, True, True),
    "f32_tt": product(20, 8, 36, F32, True, True),
    "conv_f16": conv("f16[1, 5, 4, 8]", "f16[3, 2, 8, 17]", low=(1, 0), high=(1, 1)),
}


@pytest.mark.parametrize("name", CHECKED)
def test_scheduled_loops_evaluate_to_the_same(name: str) -> None:
    """The loop IR as it stands, with Mma and barriers inside of thread loops; the evaluator sees
    every access that strays."""
    graph = CHECKED[name]
    (lowered,) = graph_kernels(graph).lowered
    arrays = arguments(graph)
    expected = graph_evaluate(graph, arrays)
    names = [p.name for p in lowered.func.params]
    buffers = dict(zip(names, [*arrays, np.zeros_like(expected[0])], strict=True))
    scheduled = verify(schedule_cuda(lowered.func), "cuda")
    assert any(isinstance(s, L.Mma) for s in L.statements(scheduled.body)) == ("f32" not in name)
    evaluate(scheduled, buffers, {})
    assert_close([buffers[names[-1]]], expected, tolerances(graph, arrays))


def without(kind: type, stmt: L.Stmt) -> L.Stmt:
    if isinstance(stmt, L.For):
        kept = (s for s in stmt.body if not isinstance(s, kind))
        return replace(stmt, body=tuple(without(kind, s) for s in kept))
    return stmt


@needs_gcc
@pytest.mark.parametrize(
    "dtype, kind", ((F16, L.Barrier), (F16, L.CopyWait), (F16, L.CopyCommit), (F32, L.Barrier))
)
def test_the_tiles_need_their_barriers(dtype: DType, kind: type) -> None:
    """And their waits: the stand-in does copies at once in one order of the threads, and as late
    as may be in the other."""
    graph = product(64, 256, 64, dtype)
    scheduled = schedule_cuda(lower(graph, "f").func)
    bare = replace(scheduled, body=tuple(without(kind, s) for s in scheduled.body))
    assert bare != scheduled
    (program,) = cuda_cpu.build([print_cuda(bare)])
    a, b = arguments(graph)
    (expected,) = graph_evaluate(graph, [a, b])
    same = []
    for reverse in (False, True):
        y = np.zeros((64, 64), dtype.numpy)
        program.run({"x0": a, "x1": b, "y0": y}, reverse=reverse)
        same.append(np.allclose(y, expected, rtol=1e-2, atol=1e-2))
    assert not all(same)


def test_text(golden: Callable[[str, str], None]) -> None:
    golden("contraction_f16.cu", source(product(128, 64, 128, F16)))
