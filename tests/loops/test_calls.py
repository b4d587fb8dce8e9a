"""Calls of LAPACK in the loop IR: text, checks, evaluation, schedule, LLVM IR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphc.codegen.llvm import Module, print_kernel
from graphc.codegen.target import host_isa
from graphc.errors import VerifyError
from graphc.ir import Graph, make, param
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.lower import lower
from graphc.loops.schedule import Machine, schedule
from graphc.loops.verify import verify
from graphc.opdef import cards, lookup
from graphc.types import F64, I32, Dim, parse_type

A = L.Buffer("a", F64, (4, 4), access="inout")
INFO = L.Buffer("info", I32, (1,), access="out")
CALL = L.Call(
    "dpotrf",
    ("L", L.const(4, I32), L.Address(A, (0, 0)), L.const(4, I32), L.Address(INFO, (0,))),
    64,
)


def func(*body: L.Stmt) -> L.LoopFunc:
    return L.LoopFunc("f", (A, INFO), (), body)


def test_text() -> None:
    text = str(func(CALL))
    assert "dpotrf('L', 4, &a[0, 0], 4, &info[0])" in text


def test_evaluation() -> None:
    m = np.array([[4.0, 1, 0, 0], [1, 5, 1, 0], [0, 1, 6, 1], [0, 0, 1, 7]])
    a, info = m.copy(), np.full(1, 9, np.int32)
    assert evaluate(func(CALL), {"a": a, "info": info}, {}) == []
    np.testing.assert_allclose(np.triu(a), np.linalg.cholesky(m).T, atol=1e-15)
    assert info[0] == 0


def test_fail_of_a_status() -> None:
    failing = L.Fail(L.scalar("ne", L.Load(INFO, (0,)), L.const(0, I32)), 3)
    arrays = {"a": -np.eye(4), "info": np.zeros(1, np.int32)}
    assert evaluate(func(CALL, failing), arrays, {}) == [3]


def test_what_is_refused() -> None:
    strided = L.Buffer("s", F64, (4, 4), (1, 8))
    i = Dim.symbol("i")
    for body, target, message in (
        ((CALL,), "cuda", "cuda has no dpotrf"),
        ((L.For("i", 4, "vector", (CALL,)),), None, "a Call in a vector loop"),
        ((replace(CALL, arguments=("LL",)),), None, "not one character"),
        ((replace(CALL, arguments=(L.Address(A, (i, 0)),)),), None, "not bound"),
        ((L.Alloc(strided), replace(CALL, arguments=(L.Address(strided, (0, 0)),))), None,
         "has strides"),
    ):  # fmt: skip
        with pytest.raises(VerifyError, match=message):
            verify(func(*body), target)


def test_printed_once_and_by_name() -> None:
    module = Module(host_isa())
    print_kernel(module, func(CALL, CALL))
    text = module.render()
    assert text.count("declare void @dpotrf_(ptr, ptr, ptr, ptr, ptr)") == 1
    assert text.count("call void @dpotrf_(") == 2
    assert module.routines == ("dpotrf",)


NAMES = ("cholesky", "eig", "eigh", "lu", "qr", "slogdet", "solve", "svd", "triangular_solve")


@pytest.mark.parametrize("name", NAMES)
def test_scheduled_loops_mean_the_same(name: str) -> None:
    """Every sample of the cards: naive and scheduled loops, against the card."""
    card = lookup(name)
    for sample in card.samples():
        params = tuple(param(t, f"x{k}") for k, t in enumerate(sample.types))
        node = make(card, params, sample.attrs)
        graph = Graph(name, params, (node,), node.results)
        rng = np.random.default_rng(0)
        given = [_drawn(rng, t, sample.low, sample.high) for t in sample.types]
        wanted = card.evaluate(given, sample.attrs)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        naive = lower(graph, "f")
        for lowered in (naive, schedule(naive, Machine())):
            arrays: dict[str, np.ndarray] = {}
            for buffer, x in zip(lowered.func.params, given, strict=False):
                arrays[buffer.name] = _parts(x).reshape([int(n) for n in buffer.shape])
            outputs = lowered.func.params[len(given) : len(given) + len(wanted)]
            for buffer in outputs:
                shape = [int(n) for n in buffer.shape]
                arrays[buffer.name] = np.zeros(shape, buffer.dtype.numpy)
            assert evaluate(lowered.func, arrays, {}) == []
            for buffer, x in zip(outputs, wanted, strict=True):
                found = arrays[buffer.name].reshape(_parts(x).shape)
                limit = 1e-11 if x.dtype.itemsize > 8 or x.dtype == "f8" else 1e-3
                np.testing.assert_allclose(found, _parts(x), rtol=limit, atol=limit)


def _drawn(rng: np.random.Generator, type: object, low: float, high: float) -> np.ndarray:
    kind = parse_type(str(type))
    shape = tuple(int(n) for n in kind.shape)
    x = rng.uniform(low, high, shape)
    if kind.dtype.is_complex:
        x = x + 1j * rng.uniform(low, high, shape)
    return x.astype(kind.dtype.numpy)


def _parts(x: np.ndarray) -> np.ndarray:
    """A complex array with an axis for its parts."""
    if x.dtype.kind != "c":
        return np.ascontiguousarray(x)
    return np.stack([x.real, x.imag], axis=-1)


def test_the_list_of_cards_is_complete() -> None:
    calling = set()
    for card in cards("opaque"):
        if card.lower is not None and card.lower.__module__ in (
            "graphc.ops.linear_algebra", "graphc.ops.spectral",
        ):  # fmt: skip
            calling.add(card.name)
    assert calling == set(NAMES)
