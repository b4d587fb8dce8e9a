"""The interpreter of loops: values, every kind of statement, and what it catches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.errors import VerifyError
from graphc.loops.evaluate import evaluate
from graphc.loops.ir import (
    FALSE,
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
    Select,
    Stmt,
    Store,
    Transpose,
    scalar,
)
from graphc.types import (
    BF16,
    BOOL,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U32,
    Dim,
    DType,
)

N, M, IX, J, K = (Dim.symbol(s) for s in "nmijk")
X = Buffer("x", F32, (N,), access="in")
Y = Buffer("y", F32, (N,), access="out")
KINDS = ("serial", "parallel", "vector", "unroll", "block", "thread")


def run(
    x: Any, *body: Stmt, n: int | None = None, params: tuple[Buffer, ...] = (X, Y), y: Any = None
) -> tuple[np.ndarray, list[int]]:
    x = np.asarray(x)
    y = np.zeros_like(x, np.float32) if y is None else y
    symbols = ("n",)
    func = LoopFunc("f", params, symbols, body)
    codes = evaluate(func, {"x": x, "y": y}, {"n": len(x) if n is None else n})
    return y, codes


def scalar_value(expr: Expr) -> Any:
    """The value of an expression without names."""
    out = Buffer("y", expr.dtype, (), access="out")
    y = np.zeros((), expr.dtype.numpy)
    evaluate(LoopFunc("f", (out,), (), (Store(out, (), expr),)), {"y": y}, {})
    return y[()]


@pytest.mark.parametrize("kind", KINDS)
def test_loops_of_every_kind(kind: str) -> None:
    x = np.arange(4, dtype=np.float32)
    body = Store(Y, (IX,), scalar("add", Load(X, (3 - IX,)), Const(1.0, F32)))
    y, codes = run(x, For("i", 4, kind, (body,)))
    np.testing.assert_array_equal(y, [4, 3, 2, 1])
    assert codes == []


def test_symbols_lets_masks_and_accumulation() -> None:
    x = np.arange(10, dtype=np.float32)
    lanes = (
        Let("k", scalar("add", Idx(4 * IX), Idx(J))),
        If(
            scalar("lt", Idx(K), Idx(N)),
            (Accumulate(Y, (K % 3,), "max", Load(X, (K,))),),
            (Accumulate(Y, (0,), "add", Const(0.5, F32)),),
        ),
    )
    y, _ = run(x, For("i", (N + 3) // 4, "serial", (For("j", 4, "vector", lanes),)))
    np.testing.assert_array_equal(y[:4], [10, 7, 8, 0])  # 9, then two masked lanes add 0.5


@pytest.mark.parametrize("op, expected", [("add", 10), ("mul", 24), ("min", 1), ("max", 4)])
def test_accumulate(op: str, expected: float) -> None:
    x = np.array([1, 2, 3, 4], np.float32)
    init = Store(Y, (0,), Load(X, (0,)))
    rest = For("i", N - 1, "serial", (Accumulate(Y, (0,), op, Load(X, (IX + 1,))),))
    assert run(x, init, rest)[0][0] == expected


def test_bitwise_accumulation() -> None:
    out = Buffer("y", U8, (3,), access="inout")
    y = np.array([12, 12, 12], np.uint8)
    body = tuple(
        Accumulate(out, (k,), op, Const(10, U8)) for k, op in enumerate(("and", "or", "xor"))
    )
    evaluate(LoopFunc("f", (out,), (), body), {"y": y}, {})
    np.testing.assert_array_equal(y, [8, 14, 6])


@pytest.mark.parametrize(
    "expr, expected",
    [
        (scalar("add", Const(127, I8), Const(1, I8)), np.int8(-128)),
        (scalar("floordiv", Const(5, I32), Const(0, I32)), np.int32(0)),
        (scalar("div", Const(1.0, F32), Const(0.0, F32)), np.float32(np.inf)),
        (scalar("add", Const(2048.0, F16), Const(1.0, F16)), np.float16(2048)),
        (scalar("lt", Const(1, U32), Const(2, U32)), np.True_),
        (Cast(Const(-1, I16), U8), np.uint8(255)),
        (Cast(Const(-1.5, F64), I32), np.int32(-1)),
        (Cast(Const(1.0 + 2**-9, F32), BF16), BF16.numpy.type(1.0)),
        (Cast(Const(3.0, BF16), F32), np.float32(3)),
        (Bitcast(Const(1.0, F32), U32), np.uint32(0x3F800000)),
        (Bitcast(Const(1.0, BF16), I16), np.int16(0x3F80)),
        (Select(FALSE, Const(1, I64), Idx(7)), np.int64(7)),
        (Const(-0.0, F64), np.float64(-0.0)),
    ],
)
def test_scalars(expr: Expr, expected: Any) -> None:
    found = scalar_value(expr)
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


def test_functions_that_differ_in_the_sign_of_zero() -> None:
    signs = [np.signbit(scalar_value(Const(zero, F64))) for zero in (0.0, -0.0, 0.0)]
    assert signs == [False, True, False]


def test_a_guarded_load_reads_nothing() -> None:
    guarded = Load(X, (IX - 1,), scalar("lt", Idx(0), Idx(IX)))
    y, _ = run(np.array([1, 2, 3], np.float32), For("i", N, "serial", (Store(Y, (IX,), guarded),)))
    np.testing.assert_array_equal(y, [0, 1, 2])


def test_fails_are_reported_once_and_go_on() -> None:
    x = np.array([1, -1, -2], np.float32)
    negative = scalar("lt", Load(X, (IX,)), Const(0.0, F32))
    body = (Fail(negative, 2), Fail(TRUE, 5), Store(Y, (IX,), Load(X, (IX,))))
    y, codes = run(x, For("i", N, "serial", body))
    assert codes == [5, 2]
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize(
    "stmt, text",
    [
        (
            Store(Y, (IX,), Load(X, (IX + 1,))),
            r"x\[3\] is outside x\[3\], at: y\[i\] = x\[i \+ 1\]",
        ),
        (Store(Y, (IX - 1,), Load(X, (IX,))), r"y\[-1\] is outside y\[3\]"),
        (Accumulate(Y, (2 * IX,), "add", Load(X, (IX,))), r"y\[4\] is outside y\[3\], at: .* \+= "),
        (Store(Y, (IX,), Select(FALSE, Load(X, (N,)), Const(0.0, F32))), r"x\[3\] is outside"),
    ],
)
def test_every_access_is_checked(stmt: Stmt, text: str) -> None:
    with pytest.raises(IndexError, match=text):
        run(np.ones(3, np.float32), For("i", N, "serial", (stmt,)))


def test_fresh_memory_is_not_zero() -> None:
    cell = Buffer("t", F32, (1,), space="register")
    body = (
        Alloc(cell),
        Accumulate(cell, (0,), "add", Load(X, (IX,))),
        Store(Y, (IX,), Load(cell, (0,))),
    )
    y, _ = run(np.ones(2, np.float32), For("i", N, "serial", body))
    assert np.isnan(y).all()
    number = Buffer("t", I32, (1,))
    out = Buffer("y", I32, (1,), access="out")
    y = np.zeros(1, np.int32)
    body = (Alloc(number), Store(out, (0,), Load(number, (0,))))
    evaluate(LoopFunc("f", (out,), (), body), {"y": y}, {})
    assert y[0] == 0x5A5A5A5A


def test_a_transpose_moves_a_tile_within_bounds() -> None:
    source = Buffer("x", F32, (5 * N,), access="in")
    target = Buffer("y", F32, (5 * N,), access="out")
    x = np.arange(30, dtype=np.float32)
    y = np.zeros(30, np.float32)

    def moved(r: int, c: int) -> LoopFunc:
        body = (Transpose(target, (5 * c + r,), 5, source, (N * r + c,), N, 3),)
        return LoopFunc("f", (source, target), ("n",), body)

    evaluate(moved(1, 2), {"x": x, "y": y}, {"n": 6})
    np.testing.assert_array_equal(y.reshape(6, 5)[2:5, 1:4], x.reshape(5, 6)[1:4, 2:5].T)
    assert np.count_nonzero(y) == 9
    with pytest.raises(IndexError, match="transpose"):
        evaluate(moved(3, 4), {"x": x, "y": y}, {"n": 6})


def test_a_temporary_parameter_may_be_absent() -> None:
    temp = Buffer("t", F32, (N,))
    body = (
        For("i", N, "parallel", (Store(temp, (IX,), Load(X, (IX,))),)),
        For("i", N, "parallel", (Store(Y, (IX,), Load(temp, (N - 1 - IX,))),)),
    )
    y, _ = run(np.array([1, 2, 3], np.float32), *body, params=(X, Y, temp))
    np.testing.assert_array_equal(y, [3, 2, 1])


def test_arrays_must_fit_their_buffers() -> None:
    store = Store(Y, (0,), Const(1.0, F32))
    with pytest.raises(VerifyError, match=r"buffer x is f32\[4\]; the array is float32\[3\]"):
        run(np.ones(3, np.float32), store, n=4)
    with pytest.raises(VerifyError, match="the array is float64"):
        run(np.ones(3), store)
    func = LoopFunc("f", (X, Y), ("n",), (store,))
    with pytest.raises(VerifyError, match="no array for the buffer y"):
        evaluate(func, {"x": np.ones(2, np.float32)}, {"n": 2})
    with pytest.raises(VerifyError, match="symbol n has no value"):
        evaluate(func, {"x": np.ones(2, np.float32)}, {})
    with pytest.raises(VerifyError, match="not bound"):
        run(np.ones(3, np.float32), Store(Y, (K,), Const(1.0, F32)))


def test_python_keywords_are_names_like_any_other() -> None:
    x = np.array([1, 2], np.float32)
    body = (Let("lambda", Load(X, (Dim.symbol("in"),))), Store(Y, (0,), Name("lambda", F32)))
    assert run(x, For("in", N, "serial", body))[0][0] == 2


# ------------------------------------------------------------------------------------ threads


def shared(dtype: DType = F32) -> Buffer:
    return Buffer("s", dtype, (4,), space="shared")


def reversal(*between: Stmt) -> Stmt:
    """Blocks of 4 threads reverse their part of x through shared memory."""
    thread = (
        Store(shared(), (J,), Load(X, (4 * IX + J,))),
        *between,
        Store(Y, (4 * IX + J,), Load(shared(), (3 - J,))),
    )
    return For("i", N // 4, "block", (Alloc(shared()), For("j", 4, "thread", thread)))


def test_threads_meet_at_a_barrier() -> None:
    x = np.arange(8, dtype=np.float32)
    y, _ = run(x, reversal(Barrier()))
    np.testing.assert_array_equal(y, [3, 2, 1, 0, 7, 6, 5, 4])
    y, _ = run(x, reversal())
    assert np.isnan(y).any()  # without the barrier the first threads read what is not there yet


def test_barriers_in_nested_thread_loops_and_under_serial_loops() -> None:
    """A tree reduction over 2 x 2 threads."""
    place = 2 * IX + J
    step = If(
        scalar("lt", Idx(place), Idx(2 - K)),
        (Accumulate(shared(), (place,), "add", Load(shared(), (place + 2 - K,))),),
    )
    inner = (
        Store(shared(), (place,), Load(X, (place,))),
        Barrier(),
        For("k", 2, "serial", (step, Barrier())),
        If(scalar("eq", Idx(place), Idx(0)), (Store(Y, (0,), Load(shared(), (0,))),)),
    )
    body = (Alloc(shared()), For("i", 2, "thread", (For("j", 2, "thread", inner),)))
    y, _ = run(np.array([1, 2, 4, 8], np.float32), *body)
    assert y[0] == 15


def test_a_barrier_that_some_threads_miss_is_refused() -> None:
    some = If(scalar("lt", Idx(J), Idx(2)), (Barrier(),))
    with pytest.raises(VerifyError, match="some threads reach"):
        run(np.arange(8, dtype=np.float32), reversal(some))


def test_bool_and_unused_names() -> None:
    out = Buffer("y", BOOL, (M,), access="out")
    y = np.zeros(2, bool)
    func = LoopFunc("f", (out,), ("m",), (For("i", M, "serial", (Store(out, (IX,), TRUE),)),))
    assert evaluate(func, {"y": y}, {"m": 2, "other": 3}) == []
    assert y.all()
