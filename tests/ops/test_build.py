"""graphc.ops.build against NumPy: dtypes of ufuncs, weak scalars, broadcasting, constants."""

from __future__ import annotations

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.evaluate import evaluate
from graphc.ir import Graph, Value, param
from graphc.opdef import cards
from graphc.ops import build
from graphc.ops import elementwise as e
from graphc.types import BF16, DTYPES, F32, F64, I64, TensorType

UFUNCS = [c for c in cards() if c.numpy and isinstance(c.numpy[0], np.ufunc)]
PLAIN = [d for d in DTYPES.values() if d is not BF16]


def of(dtype: ty.DType, shape: tuple[ty.Extent, ...] = (2,)) -> Value:
    return param(TensorType(dtype, shape), "x")


def value_of(x: Value) -> np.ndarray:
    return evaluate(Graph.of("f", (), (x,)), [])[0]


@pytest.mark.parametrize("card", UFUNCS, ids=lambda c: c.name)
def test_dtypes_are_the_ufuncs(card: Any) -> None:
    ufunc = card.numpy[0]
    rows = [(d,) for d in PLAIN] if ufunc.nin == 1 else [(a, b) for a in PLAIN for b in PLAIN]
    for dtypes in rows:
        arrays = [np.ones(2, d.numpy) for d in dtypes]
        try:
            with np.errstate(all="ignore"):
                wanted = ufunc(*arrays)
        except TypeError:
            with pytest.raises(TypeMismatch):
                build.elementwise(card, *map(of, dtypes))
            continue
        if wanted.dtype == object:
            continue
        assert build.elementwise(card, *map(of, dtypes)).dtype.numpy == wanted.dtype, dtypes


@pytest.mark.parametrize("number", [2, 2.5, 1j, True], ids=repr)
def test_python_scalars_are_weak(number: Any) -> None:
    for dtype in PLAIN:
        wanted = np.add(np.ones(2, dtype.numpy), number).dtype
        assert build.binary(e.ADD, of(dtype), number).dtype.numpy == wanted
        assert build.binary(e.ADD, number, of(dtype)).dtype.numpy == wanted
        assert build.result_type(of(dtype), number).numpy == np.result_type(wanted)


def test_numpy_scalars_are_not_weak() -> None:
    assert build.binary(e.ADD, of(F32), np.float64(1)).dtype is F64
    assert build.binary(e.ADD, of(F32), np.array(1.0)).dtype is F64
    assert build.binary(e.ADD, 1, 2).dtype is I64
    assert build.binary(e.MUL, 1, 2.0).dtype is F64


def test_integers_must_fit() -> None:
    with pytest.raises(OverflowError, match="300 does not fit u8"):
        build.binary(e.ADD, of(ty.U8), 300)
    for number in (300, -1):
        for card in (e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE):
            wanted = card.numpy[0](np.arange(2, dtype=np.uint8), number)
            got = value_of(build.binary(card, build.constant(np.arange(2, dtype=np.uint8)), number))
            np.testing.assert_array_equal(got, wanted)


def test_signed_and_unsigned_compare_exactly() -> None:
    i = np.array([-1, 0, 2**63 - 1, 5, -(2**63)])
    u = np.array([2**64 - 1, 0, 2**63, 5, 0], np.uint64)
    for card in (e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE):
        for a, b in ((i, u), (u, i)):
            got = value_of(build.binary(card, build.constant(a), build.constant(b)))
            np.testing.assert_array_equal(got, card.numpy[0](a, b))


def test_bfloat16() -> None:
    x = of(BF16)
    assert build.unary(e.SIN, x).dtype is BF16
    assert build.binary(e.ADD, x, 2.5).dtype is BF16
    assert build.binary(e.ADD, x, of(F32)).dtype is F32
    assert build.binary(e.ADD, x, of(ty.I32)).dtype is BF16
    assert build.binary(e.ADD, x, of(ty.F16)).dtype is F32
    assert build.binary(e.LT, x, 1).dtype is ty.BOOL
    assert build.binary(e.LDEXP, x, of(ty.I32)).dtype is BF16
    assert build.binary(e.MUL, x, 1j).dtype is ty.C64


def test_functions_that_numpy_lacks() -> None:
    assert build.unary(e.ERF, of(ty.I32)).dtype is F64
    assert build.unary(e.ERF, of(F32)).dtype is F32
    assert build.unary(e.ERF, 0.5).dtype is F64
    with pytest.raises(TypeMismatch):
        build.unary(e.ERF, of(ty.C64))


def test_broadcasting() -> None:
    b = ty.Dim.symbol("b")
    x, y = of(F32, (b, 1)), of(F32, (3,))
    assert build.binary(e.ADD, x, y).shape == (b, 3)
    assert build.broadcast_to(x, (b, 1)) is x
    assert build.broadcast_to(build.constant(2.0), (b,)).node.op.name == "full"
    with pytest.raises(ShapeMismatch):
        build.broadcast_to(y, (4,))
    with pytest.raises(ShapeMismatch):
        build.broadcast_to(x, (3,))


def test_select_and_unify() -> None:
    x, y = build.unify(of(F32, (2, 1)), np.arange(3))
    assert x.type == y.type == TensorType(F64, (2, 3))
    assert build.select(of(ty.BOOL, (2, 1)), of(F32, (3,)), 0).type == TensorType(F32, (2, 3))


def test_constants() -> None:
    for array in (np.arange(3), np.float32(2.5), np.array(True), np.array(1j), np.zeros((0, 2))):
        got = value_of(build.constant(array))
        assert got.dtype == array.dtype
        np.testing.assert_array_equal(got, array)
    assert value_of(build.constant(2)).dtype == np.int64
    assert value_of(build.constant(2, F32)).dtype == np.float32
    assert value_of(build.constant(ml_dtypes.bfloat16(1.5))).dtype == ml_dtypes.bfloat16
    assert value_of(build.constant(2**64 - 1)) == np.uint64(2**64 - 1)
    assert value_of(build.full((2,), -1, ty.U8)).tolist() == [255, 255]
    assert value_of(build.iota((2, 3), -1)).tolist() == [[0, 1, 2], [0, 1, 2]]
    b = ty.Dim.symbol("b")
    assert build.constant(b).node.op.name == "extent"
    assert build.extent(7, F32).dtype is F32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(value_of(build.full((), 1e300, F32)))
    with pytest.raises(TypeMismatch):
        build.full((), 1j, F32)
