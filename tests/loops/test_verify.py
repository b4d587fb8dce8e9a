"""Every invariant of loops, broken once."""

from __future__ import annotations

from typing import Any

import pytest

from graphc.errors import VerifyError
from graphc.loops.ir import (
    TRUE,
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
    Stmt,
    Store,
    Transpose,
    scalar,
)
from graphc.loops.verify import verify
from graphc.types import C64, F32, F64, I32, Dim

N, IX, K = (Dim.symbol(s) for s in "nik")
X = Buffer("x", F32, (N,), access="in")
Y = Buffer("y", F32, (N,), access="out")
T = Buffer("t", F32, (4, 4), space="local")
ONE = Const(1.0, F32)
STORE = Store(Y, (0,), ONE)


def func(*body: Stmt) -> LoopFunc:
    return LoopFunc("f", (X, Y), ("n",), body)


def refuse(match: str, *body: Stmt, target: str | None = None) -> None:
    with pytest.raises(VerifyError, match=match):
        verify(func(*body), target)


def value(expr: Expr) -> Store:
    return Store(Y, (0,), expr)


def test_what_is_well_formed_comes_back() -> None:
    body = (
        For("i", N, "parallel", (Let("a", Load(X, (IX,))), Store(Y, (IX,), Name("a", F32)))),
        For("i", N, "serial", (Let("a", ONE), Accumulate(Y, (IX,), "add", Name("a", F32)))),
        Let("k", Idx(N - 1)),
        Store(Y, (K,), Load(X, (K,), scalar("lt", Idx(0), Idx(N)))),
    )
    good = func(*body)
    assert verify(good) is good
    assert verify(good, "cpu") is good


def loop(kind: str, *body: Stmt, extent: Any = 4, var: str = "i") -> For:
    return For(var, extent, kind, body)


@pytest.mark.parametrize(
    "match, stmt",
    [
        # names
        ("name a is not bound", value(Name("a", F32))),
        ("read as f64", If(TRUE, (Let("a", ONE), value(Cast(Name("a", F64), F32))))),
        ("name n is bound already", Let("n", ONE)),
        ("name i is bound already", loop("serial", loop("serial"))),
        ("buffer t is not bound", Store(T, (0, 0), ONE)),
        ("not the one that is bound", Store(Buffer("y", F32, (3,)), (0,), ONE)),
        ("'1a' is not a name", Let("1a", ONE)),
        # types
        ("value stored to y is f64, expected f32", value(Const(1.0, F64))),
        ("value accumulated in y is i32", Accumulate(Y, (0,), "add", Const(1, I32))),
        ("argument 1 of add is f64", value(Scalar("add", (ONE, Const(1.0, F64)), F32))),
        ("no scalar op 'plus'", value(Scalar("plus", (ONE, ONE), F32))),
        ("add takes 2 arguments", value(Scalar("add", (ONE,), F32))),
        ("shl does not take f32", value(Scalar("shl", (ONE, ONE), F32))),
        ("lt gives bool, not f32", value(Scalar("lt", (ONE, ONE), F32))),
        ("condition is f32, expected bool", If(ONE, ())),
        ("condition is f32, expected bool", Fail(ONE, 1)),
        ("guard of x is i64, expected bool", value(Load(X, (0,), Idx(0)))),
        ("condition of a select", value(Select(ONE, ONE, ONE))),
        ("other value of a select is f64", value(Select(TRUE, ONE, Const(1.0, F64)))),
        ("changes the width", value(Bitcast(Const(1.0, F64), F32))),
        ("has a real dtype", Let("z", Const(1j, C64))),
        ("a buffer has a real dtype", Alloc(Buffer("z", C64, (1,)))),
        # indices
        ("y has 1 axes and is given 2 indices", Store(Y, (0, 0), ONE)),
        ("uses k, which is not bound", Store(Y, (K,), ONE)),
        ("uses x, which is no i64", Store(Y, (Dim.symbol("x"),), ONE)),
        ("uses k, which is not bound", loop("serial", extent=K)),
        ("uses k, which is not bound", Alloc(Buffer("b", F32, (K,)))),
        # memory
        ("x is an input and is written", Store(X, (0,), ONE)),
        ("x is an input and is written", Accumulate(X, (0,), "add", ONE)),
        ("z is allocated, so a temp", Alloc(Buffer("z", F32, (1,), access="out"))),
        ("register buffer are constants", Alloc(Buffer("z", F32, (N,), space="register"))),
        ("space 'heap'", Alloc(Buffer("z", F32, (1,), space="heap"))),
        ("not one stride for each axis", Alloc(Buffer("z", F32, (1,), strides=(1, 1)))),
        ("'sub' is not one of", Accumulate(Y, (0,), "sub", ONE)),
        ("and does not take f32", Accumulate(Y, (0,), "and", ONE)),
        # loops
        ("'fast' is not a kind of loop", loop("fast")),
        ("vector loop is a constant", loop("vector", extent=N)),
        ("unroll loop is a constant", loop("unroll", extent=0)),
        ("a vector loop in a vector loop", loop("vector", loop("vector", var="j"))),
        (
            "extent i differs between lanes",
            loop("vector", loop("serial", var="j", extent=Dim.symbol("i"))),
        ),
        ("parallel loop below the top", loop("serial", loop("parallel", var="j"))),
        ("parallel loop below the top", If(TRUE, (loop("parallel"),))),
        ("block loop in a parallel loop", loop("parallel", loop("block", var="j"))),
        ("block loop in a thread loop", loop("thread", loop("block", var="j"))),
        ("barrier outside thread loops", loop("block", Barrier())),
        ("error code is at least 1", Fail(TRUE, 0)),
        ("of one axis", If(TRUE, (Alloc(T), Transpose(Y, (0,), 4, T, (0, 0), 4, 4)))),
    ],
)
def test_refused(match: str, stmt: Stmt) -> None:
    refuse(match, stmt)


def test_scopes_end() -> None:
    refuse("name a is not bound", If(TRUE, (Let("a", ONE),), (value(Name("a", F32)),)))
    refuse("uses i, which is not bound", loop("serial"), Store(Y, (IX,), ONE))
    refuse("name a is bound already", Let("a", ONE), loop("serial", Let("a", ONE)))
    refuse("uses a, which is no i64", Let("a", ONE), Store(Y, (Dim.symbol("a"),), ONE))
    again = Alloc(Buffer("t", F64, (1,)))
    refuse("two buffers named t", loop("serial", Alloc(T)), loop("serial", again))
    verify(func(loop("serial", Alloc(T)), loop("serial", Alloc(T))))


def test_a_transpose() -> None:
    move = Transpose(Y, (0,), 4, X, (0,), N, 4)
    verify(func(move))
    refuse("constant", Transpose(Y, (0,), 4, X, (0,), N, 0))
    refuse("uses k, which is not bound", Transpose(Y, (0,), K, X, (0,), N, 4))
    refuse("x is an input", Transpose(X, (0,), 4, Y, (0,), N, 4))
    wide = Buffer("w", F64, (16,))
    refuse("changes the dtype", Alloc(wide), Transpose(Y, (0,), 4, wide, (0,), 4, 4))
    refuse("cuda has no Transpose", move, target="cuda")


def test_targets() -> None:
    threads = loop("block", loop("thread", STORE, Barrier(), var="j"))
    verify(func(threads), "cuda")
    refuse("cpu has no block loop", threads, target="cpu")
    refuse("cpu has no shared", Alloc(Buffer("s", F32, (1,), space="shared")), target="cpu")
    refuse("cuda has no parallel loop", loop("parallel", STORE), target="cuda")
    refuse("there is no target 'fpga'", STORE, target="fpga")


def test_the_message_names_the_function_and_the_statement() -> None:
    with pytest.raises(VerifyError) as caught:
        verify(func(loop("serial", Store(Y, (IX,), Const(2.0, F64)))))
    assert str(caught.value) == (
        "loops of f: the value stored to y is f64, expected f32, at: y[i] = f64(2.0)"
    )


def test_parameters() -> None:
    with pytest.raises(VerifyError, match="parameter t is not global"):
        verify(LoopFunc("f", (T,), (), ()))
    with pytest.raises(VerifyError, match="access 'maybe'"):
        verify(LoopFunc("f", (Buffer("x", F32, (), access="maybe"),), (), ()))
    with pytest.raises(VerifyError, match="uses n, which is not bound"):
        verify(LoopFunc("f", (X,), (), ()))
