"""Naive loop functions in the form that the lowering gives them, one per kind that the CUDA
schedule knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from graphc import types as ty
from graphc.loops.cuda_access import neutral_value
from graphc.loops.ir import (
    Accumulate,
    Alloc,
    Buffer,
    Cast,
    Const,
    Expr,
    Fail,
    For,
    Idx,
    If,
    Index,
    Let,
    Load,
    LoopFunc,
    Name,
    Scalar,
    Stmt,
    Store,
    Transpose,
)
from graphc.types import BF16, BOOL, F16, F32, F64, I8, I32, I64, U8, Dim, DType

symbol = Dim.symbol
N, M = symbol("n"), symbol("m")


@dataclass(frozen=True)
class Case:
    """A function, and the values of its symbols to run it with."""

    name: str
    func: LoopFunc
    symbols: tuple[dict[str, int], ...] = ({},)
    views: Mapping[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)
    """How the array of a strided buffer is made from a contiguous one."""


def buffer(name: str, dtype: DType, *shape: Index, access: str = "in") -> Buffer:
    return Buffer(name, dtype, shape, None, "global", access)


def op(name: str, *args: Expr) -> Expr:
    return Scalar(name, args, BOOL if name in ("lt", "ge", "eq") else args[0].dtype)


def func(name: str, params: tuple[Buffer, ...], *body: Stmt) -> LoopFunc:
    names: set[str] = set()
    for p in params:
        for extent in (*p.shape, *(p.strides or ())):
            names |= ty.symbols(extent)
    return LoopFunc(name, params, tuple(sorted(names)), body)


def nest(extents: Mapping[str, Index], *body: Stmt, kind: str = "parallel") -> Stmt:
    for k, (var, extent) in reversed(list(enumerate(extents.items()))):
        body = (For(var, extent, kind if k == 0 else "serial", body),)
    return body[0]


def reduction(
    name: str, kind: str, extents: Mapping[str, Index], value: Expr, dtype: DType, *lets: Stmt
) -> tuple[Stmt, ...]:
    """The statements of a reduction whose result is the Let `name`."""
    place = Buffer(f"acc_{name}", dtype, (1,), None, "register")
    return (
        Alloc(place),
        Store(place, (0,), Const(neutral_value(kind, dtype), dtype)),
        nest(extents, *lets, Accumulate(place, (0,), kind, value), kind="serial"),
        Let(name, Load(place, (0,))),
    )


I, J, R, K = (symbol(v) for v in ("i", "j", "r", "k"))  # noqa: E741  I is the index i


# ------------------------------------------------------------------------------------ elementwise


def elementwise(n: Index, m: Index, dtype: DType = F32) -> LoopFunc:
    x, z, y = (
        buffer("x", dtype, n, m),
        buffer("z", dtype, n, m),
        buffer("y", dtype, n, m, access="out"),
    )
    value = op("add", op("mul", Load(x, (I, J)), Load(z, (I, J))), Load(x, (I, J)))
    return func(
        "elementwise",
        (x, z, y),
        nest({"i": n, "j": m}, Let("t", value), Store(y, (I, J), Name("t", dtype))),
    )


def bias(n: Index, m: Index) -> LoopFunc:
    x, b, c = buffer("x", F32, n, m), buffer("b", F32, m), buffer("c", F32, n)
    y, s = buffer("y", F32, n, m, access="out"), buffer("s", F32)
    value = op(
        "add", op("mul", Load(x, (I, J)), Name("t", F32)), op("sub", Load(b, (J,)), Load(c, (I,)))
    )
    return func(
        "bias",
        (x, b, c, s, y),
        Let("t", Load(s, ())),
        nest({"i": n, "j": m}, Store(y, (I, J), value)),
    )


def strided(n: Index, m: Index) -> LoopFunc:
    x = Buffer(
        "x", F32, (n, m), (-2 * m if isinstance(m, int) else symbol("sx"), 1), "global", "in"
    )
    y = buffer("y", F32, n, m, access="out")
    return func(
        "strided", (x, y), nest({"i": n, "j": m}, Store(y, (I, J), op("neg", Load(x, (I, J)))))
    )


def padded(n: int) -> LoopFunc:
    x, y = buffer("x", F32, n), buffer("y", F32, n + 7, access="out")
    inside = op("and", op("ge", Idx(I - 3), Const(0, I64)), op("lt", Idx(I - 3), Idx(n)))
    return func(
        "padded",
        (x, y),
        nest({"i": n + 7}, Let("g", inside), Store(y, (I,), Load(x, (I - 3,), Name("g", BOOL)))),
    )


def gather(n: Index) -> LoopFunc:
    x, at, y = buffer("x", F32, 100), buffer("at", I32, n), buffer("y", F32, n, access="out")
    k = symbol("k")
    outside = op("ge", Idx(k), Const(90, I64))
    body = (
        Let("k", Cast(Load(at, (I,)), I64)),
        Fail(outside, 7),
        Let("ok", op("lt", Idx(k), Const(90, I64))),
        If(Name("ok", BOOL), (Store(y, (I,), Load(x, (k,))),), (Store(y, (I,), Const(-1.0, F32)),)),
    )
    return func("gather", (x, at, y), nest({"i": n}, *body))


def transposing(n: Index, m: Index, dtype: DType = F32) -> LoopFunc:
    x, b, y = (
        buffer("x", dtype, m, n),
        buffer("b", dtype, n, m),
        buffer("y", dtype, n, m, access="out"),
    )
    value = op("add", Load(x, (J, I)), Load(b, (I, J)))
    return func("transposing", (x, b, y), nest({"i": n, "j": m}, Store(y, (I, J), value)))


def transposing_batch(n: Index, m: Index) -> LoopFunc:
    x, y = buffer("x", F64, 3, m, n, 2), buffer("y", F64, n, 3, 2, m, access="out")
    loops = {"i": n, "k": 3, "r": 2, "j": m}
    return func(
        "transposing_batch", (x, y), nest(loops, Store(y, (I, K, R, J), Load(x, (K, J, I, R))))
    )


# ------------------------------------------------------------------------------------- reductions


def softmax(n: Index, m: Index, cached: bool = False) -> LoopFunc:
    x, y = buffer("x", F32, n, m), buffer("y", F32, n, m, access="out")
    row = Buffer("row", F32, (m,), None, "local")

    def power(k: Index) -> Expr:
        return op("exp", op("sub", Load(x, (I, k)), Name("top", F32)))

    head = reduction("top", "max", {"r": m}, Load(x, (I, R)), F32)
    if cached:
        fill = (
            Alloc(row),
            For("q", m, "serial", (Store(row, (symbol("q"),), power(symbol("q"))),)),
        )
        total = reduction("total", "add", {"k": m}, Load(row, (K,)), F32)
        last: Expr = Load(row, (J,))
    else:
        fill, last = (), power(J)
        total = reduction("total", "add", {"k": m}, Name("e", F32), F32, Let("e", power(K)))
    write = For("j", m, "serial", (Store(y, (I, J), op("div", last, Name("total", F32))),))
    return func("softmax", (x, y), nest({"i": n}, *head, *fill, *total, write))


def row_sums(n: Index, m: Index, dtype: DType = F32, kind: str = "add") -> LoopFunc:
    """Over the last two axes of three, with an epilogue."""
    x, y = buffer("x", dtype, n, 3, m), buffer("y", dtype, n, access="out")
    total = reduction("total", kind, {"k": 3, "r": m}, Load(x, (I, K, R)), dtype)
    return func("row_sums", (x, y), nest({"i": n}, *total, Store(y, (I,), Name("total", dtype))))


def column_sums(n: Index, m: Index, kind: str = "add") -> LoopFunc:
    x, y = buffer("x", F32, n, m), buffer("y", F32, m, access="out")
    total = reduction("total", kind, {"r": n}, Load(x, (R, J)), F32)
    return func(
        "column_sums", (x, y), nest({"j": m}, *total, Store(y, (J,), op("neg", Name("total", F32))))
    )


def matmul(n: Index, m: Index, k: Index) -> LoopFunc:
    a, b, y = buffer("a", F32, n, k), buffer("b", F32, k, m), buffer("y", F32, n, m, access="out")
    dot = reduction("dot", "add", {"r": k}, op("mul", Load(a, (I, R)), Load(b, (R, J))), F32)
    return func(
        "matmul", (a, b, y), nest({"i": n, "j": m}, *dot, Store(y, (I, J), Name("dot", F32)))
    )


def variance(n: Index, m: Index) -> LoopFunc:
    """Of all elements: two reductions at top level, a scalar result, and a nest that uses both."""
    x, y, v = (
        buffer("x", F64, n, m),
        buffer("y", F64, n, m, access="out"),
        buffer("v", F64, access="out"),
    )
    scale = buffer("scale", F64)
    first = reduction("total", "add", {"i": n, "j": m}, Load(x, (I, J)), F64)
    mean = Let("mean", op("mul", Name("total", F64), Name("unit", F64)))
    off = op("sub", Load(x, (I, J)), Name("mean", F64))
    second = reduction(
        "spread",
        "add",
        {"i": n, "j": m},
        op("mul", Name("d", F64), Name("d", F64)),
        F64,
        Let("d", off),
    )
    return func(
        "variance", (x, scale, y, v), Let("unit", Load(scale, ())), *first, mean, *second,
        Store(v, (), Name("spread", F64)),
        nest({"i": n, "j": m}, Store(y, (I, J), op("mul", off, Name("spread", F64)))),
    )  # fmt: skip


def highest(n: Index) -> LoopFunc:
    """Accumulates straight into outputs, two at once."""
    x, low, high = (
        buffer("x", I32, n),
        buffer("low", I32, access="out"),
        buffer("high", I32, access="out"),
    )
    body = (Accumulate(low, (), "min", Load(x, (I,))), Accumulate(high, (), "max", Load(x, (I,))))
    return func(
        "highest", (x, low, high),
        Store(low, (), Const(1000, I32)), Store(high, (), Const(-1000, I32)),
        For("i", n, "serial", body),
    )  # fmt: skip


# ----------------------------------------------------------------------- what cannot be spread out


def cumulative(n: Index, m: Index) -> LoopFunc:
    """Rows in parallel, each with an array of its own, too large for a thread when m is a
    symbol."""
    x, y = buffer("x", F32, n, m), buffer("y", F32, n, m, access="out")
    total = Buffer("run", F32, (1,), None, "register")
    copy = Buffer("copy", F32, (m,), None, "local")
    step = (
        Accumulate(total, (0,), "add", Load(x, (I, J))),
        Store(copy, (J,), Load(total, (0,))),
        Store(y, (I, J), Load(copy, (J,))),
    )
    body = (
        Alloc(total),
        Alloc(copy),
        Store(total, (0,), Const(0.0, F32)),
        For("j", m, "serial", step),
    )
    return func("cumulative", (x, y), nest({"i": n}, *body))


def scan(n: Index) -> LoopFunc:
    """One serial loop at top level, through a temporary that a nest then reads."""
    x, y, t = (
        buffer("x", F32, n),
        buffer("y", F32, n, access="out"),
        buffer("tmp", F32, n, access="temp"),
    )
    before = Load(t, (I - 1,), op("ge", Idx(I), Const(1, I64)))
    return func(
        "scan", (x, y, t),
        For("i", n, "serial", (Store(t, (I,), op("add", Load(x, (I,)), before)),)),
        For("j", n, "parallel", (Store(y, (J,), op("mul", Load(t, (J,)), Load(t, (n - 1 - J,)))),)),
    )  # fmt: skip


def tile() -> LoopFunc:
    """Transposes as the CPU's schedule makes them, by a block and by a thread."""
    x, y, z = (
        buffer("x", F32, 640),
        buffer("y", F32, 640, access="out"),
        buffer("z", F32, 640, access="out"),
    )
    b = symbol("b")
    by_block = Transpose(y, (128 * b,), 16, x, (8 * b,), 40, 8)
    by_thread = Transpose(
        z, (128 * b + 8 * symbol("t"),), 16, x, (320 * symbol("t") + 8 * b,), 40, 8
    )
    second = Transpose(y, (128 * b + 8,), 16, x, (320 + 8 * b,), 40, 8)
    return func(
        "tile",
        (x, y, z),
        For("b", 5, "block", (by_block, second, For("t", 2, "thread", (by_thread,)))),
    )


# ------------------------------------------------------------------------------------------ cases

SIZES = (
    {"n": 5, "m": 37},
    {"n": 33, "m": 65},
    {"n": 1, "m": 1},
    {"n": 0, "m": 4},
    {"n": 3, "m": 0},
    {"n": 2, "m": 700},
)
LENGTHS = ({"n": 0}, {"n": 1}, {"n": 100}, {"n": 2500})


def cases() -> list[Case]:
    found = [
        Case(f"elementwise_{d.name}", elementwise(7, 36, d))
        for d in (F16, BF16, F32, F64, I8, U8, BOOL)
    ]
    for n, m in ((0, 5), (1, 1), (33, 5), (40, 64), (9, 300), (3, 1024)):
        found += [
            Case(f"bias_{n}_{m}", bias(n, m)),
            Case(f"elementwise_{n}_{m}", elementwise(n, m)),
        ]
        found += [
            Case(f"transposing_{n}_{m}", transposing(n, m)),
            Case(f"columns_{n}_{m}", column_sums(n, m)),
        ]
        if m > 1:
            found += [
                Case(f"softmax_{n}_{m}", softmax(n, m)),
                Case(f"cached_{n}_{m}", softmax(n, m, True)),
            ]
    found += [
        Case("elementwise", elementwise(N, M), SIZES),
        Case("bias", bias(N, M), SIZES),
        Case("strided", strided(6, 20), views={"x": lambda a: a.repeat(2, 0)[::-2]}),
        Case("padded", padded(50)),
        Case("transposing", transposing(N, M), SIZES),
        Case("transposing_f16", transposing(40, 70, F16)),
        Case("transposing_batch", transposing_batch(N, M), SIZES[:4]),
        Case("softmax", softmax(N, M), SIZES),
        Case("cached", softmax(N, M, True), SIZES),
        Case("row_sums", row_sums(N, M), SIZES),
        Case("row_sums_short", row_sums(20, 4)),
        Case("row_max_f16", row_sums(5, 100, F16, "max")),
        Case("row_add_i8", row_sums(5, 100, I8)),
        Case("row_and_bool", row_sums(5, 100, BOOL, "and")),
        Case("row_mul_bf16", row_sums(5, 40, BF16, "mul")),
        Case("row_xor_u8", row_sums(5, 2000, U8, "xor")),
        Case("columns", column_sums(N, M), SIZES),
        Case("columns_max", column_sums(200, 70, "max")),
        Case("matmul", matmul(N, M, 50), SIZES[:4]),
        Case("matmul_fixed", matmul(17, 40, 33)),
        Case("variance", variance(N, M), SIZES),
        Case("variance_small", variance(9, 11)),
        Case("variance_large", variance(170, 100)),
        Case("highest", highest(N), LENGTHS),
        Case("highest_fixed", highest(300)),
        Case("cumulative", cumulative(N, M), SIZES[:4]),
        Case("cumulative_fixed", cumulative(150, 10)),
        Case("scan", scan(N), LENGTHS),
    ]
    return [replace(c, func=replace(c.func, name=f"k_{c.name}")) for c in found]
