"""The text of loops: golden, and different for different functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphc.loops.ir import (
    Accumulate,
    Alloc,
    Barrier,
    Bitcast,
    Buffer,
    Cast,
    Const,
    Expr,
    Fail,
    For,
    Idx,
    If,
    Let,
    Load,
    LoopFunc,
    Name,
    Scalar,
    Select,
    Store,
    Transpose,
    scalar,
)
from graphc.loops.text import print_expr, print_loops, print_stmt
from graphc.types import BOOL, F16, F32, F64, I32, I64, U8, Dim

N, IX, J = (Dim.symbol(s) for s in "nij")
X = Buffer("x", F32, (N, 784), access="in", align=64)
Y = Buffer("y", F32, (N, 784), access="out")
M = Buffer("m", F32, (1,), space="register")


def softmax(first: float = -np.inf) -> LoopFunc:
    x, m = Load(X, (IX, J)), Load(M, (0,))
    rows = (
        Alloc(M),
        Store(M, (0,), Const(first, F32)),
        For("j", 784, "serial", (Accumulate(M, (0,), "max", x),)),
        For(
            "j",
            784,
            "vector",
            (
                Let("e", scalar("exp", scalar("sub", x, m))),
                Store(Y, (IX, J), scalar("mul", Name("e", F32), Const(0.5, F32)), streaming=True),
            ),
        ),
    )
    return LoopFunc("softmax", (X, Y), ("n",), (For("i", N, "parallel", rows),))


SOFTMAX = """\
def softmax(x: in f32[n, 784] align 64, y: out f32[n, 784]; n):
    for i in parallel(n):
        m: register f32[1]
        m[0] = -inf
        for j in range(784):
            m[0] max= x[i, j]
        for j in vector(784):
            e: f32 = exp(x[i, j] - m[0])
            y[i, j] = e * 0.5  # streaming
"""


def test_golden() -> None:
    assert print_loops(softmax()) == SOFTMAX
    assert str(softmax()) == SOFTMAX


def test_every_statement() -> None:
    tile = Buffer("t", F32, (8, 8), strides=(9, 1), space="shared", align=32)
    flat = Buffer("b", F32, (64 * N,))
    body = (
        Alloc(tile),
        If(
            scalar("lt", Idx(IX), Idx(N)),
            (Fail(scalar("isnan", Load(X, (IX, 0))), 3),),
            (Barrier(),),
        ),
        Accumulate(tile, (0, 0), "add", Const(1.0, F32)),
        Transpose(flat, (8 * IX,), N, flat, (IX,), 8, 4),
        For("k", 4, "unroll", ()),
    )
    assert print_stmt(For("i", N // 8, "block", body)) == (
        """\
for i in block(n//8):
    t: shared f32[8, 8] strides (9, 1) align 32
    if i < n:
        fail 3 if isnan(x[i, 0])
    else:
        barrier
    t[0, 0] += 1.0
    b[8*i] by n = transpose(b[i] by 8, 4)
    for k in unroll(4):
        pass"""
    )


A, B, C = Name("a", F32), Name("b", F32), Name("c", BOOL)
ONE = Const(1.0, F32)


@pytest.mark.parametrize(
    "expr, text",
    [
        (scalar("add", scalar("mul", A, B), ONE), "(a * b) + 1.0"),
        (scalar("max", A, ONE), "max(a, 1.0)"),
        (scalar("lt", ONE, ONE), "f32(1.0) < f32(1.0)"),
        (scalar("neg", A), "-a"),
        (scalar("not", C), "~c"),
        (scalar("add", scalar("neg", A), ONE), "-a + 1.0"),
        (Select(C, A, ONE), "(a if c else 1.0)"),
        (Select(scalar("lt", A, B), ONE, Const(2.0, F32)), "(f32(1.0) if (a < b) else f32(2.0))"),
        (Load(X, (IX + 1, 0), C), "(x[i + 1, 0] if c)"),
        (Cast(scalar("add", A, B), F64), "f64(a + b)"),
        (Bitcast(A, I32), "bits_as_i32(a)"),
        (Const(True, BOOL), "True"),
        (Const(3, U8), "u8(3)"),
        (Const(float("nan"), F16), "f16(nan)"),
        (Idx(2 * IX + 1), "2*i + 1"),
        (Idx(7), "i64(7)"),
        (scalar("min", Name("k", I64), Idx(N - 1)), "min(k, n - 1)"),
        (scalar("add", Idx(IX + 1), Idx(7)), "(i + 1) + 7"),
        (scalar("sqrt", ONE), "sqrt(f32(1.0))"),
    ],
)
def test_expressions(expr: Expr, text: str) -> None:
    assert print_expr(expr) == text


def test_constants_are_bare_where_the_dtype_is_known() -> None:
    assert print_expr(ONE, F32) == "1.0"
    assert print_expr(ONE, F64) == "f32(1.0)"
    assert print_expr(scalar("sqrt", ONE), F32) == "sqrt(1.0)"
    assert print_expr(Scalar("eq", (ONE, ONE), BOOL), BOOL) == "f32(1.0) == f32(1.0)"


def test_equal_text_means_an_equal_function() -> None:
    base = softmax(0.0)
    assert print_loops(base) == print_loops(softmax(0.0))
    texts = {print_loops(base)}
    other = Buffer("x", F32, (N, 784), access="in", align=32)
    for changed in (
        softmax(-0.0),
        softmax(np.nan),
        replace(base, name="other"),
        replace(base, params=(other, Y)),
        replace(base, params=(replace(X, strides=(784, 1)), Y)),
        replace(base, params=(replace(X, access="inout"), Y)),
        replace(base, symbols=("n", "k")),
        replace(base, body=(replace(base.body[0], kind="serial"),)),  # type: ignore[type-var]
    ):
        texts.add(print_loops(changed))
    assert len(texts) == 9
