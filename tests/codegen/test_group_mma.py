"""Products of four warps (wgmma) as a statement of the loop IR: what it means to the evaluator, the
verifier and the printer, and on the CPU, where descriptors of tiles are decoded as PTX says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from graphc.codegen import cuda_cpu
from graphc.codegen.cuda import print_cuda
from graphc.codegen.cuda_group import Descriptor, descriptor
from graphc.errors import LoweringError, VerifyError
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.verify import verify
from graphc.types import BF16, F16, F32, Dim, DType
from tests.thinned import thinned

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")


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
@pytest.mark.parametrize(
    "a_deep, b_deep", thinned([(False, True), (True, False), (True, True), (False, False)])
)
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
