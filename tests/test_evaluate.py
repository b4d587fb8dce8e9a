"""The meaning of graphs: extents, checks of arguments, of cards, depth."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch, VerifyError
from graphc.evaluate import bind_extents, determined, evaluate
from graphc.ir import Graph, SourceLine, Value, at, param
from graphc.opdef import OpDef
from graphc.ops import build
from graphc.ops.creation import EXTENT, FULL, IOTA
from graphc.ops.elementwise import ADD, EXP, MUL
from graphc.ops.fusion import FUSION
from graphc.ops.indexing import GATHER
from graphc.types import F32, I64, Dim

B = Dim.symbol("b")
T = ty.parse_type("f32[b, 3]")


def test_symbolic_extents_come_from_the_arguments() -> None:
    x = param(T, "x")
    graph = Graph.of("f", (x,), (EXTENT(value=2 * B + 1), IOTA(dtype=I64, shape=(B,), axis=0)))
    for b in (0, 1, 5):
        extent, count = evaluate(graph, [np.zeros((b, 3), np.float32)])
        assert extent == 2 * b + 1
        np.testing.assert_array_equal(count, np.arange(b))


def test_extents_are_solved_for() -> None:
    x = param(ty.parse_type("f32[2*b + 1, b*n]"), "x")
    graph = Graph("f", (x,), (), (x,))
    assert bind_extents(graph, [(7, 12)]) == {"b": 3, "n": 4}
    with pytest.raises(ShapeMismatch, match=r"is 6, which is no 2\*b \+ 1"):
        bind_extents(graph, [(6, 12)])
    with pytest.raises(ShapeMismatch, match=r"is 13, which is no b\*n"):
        bind_extents(graph, [(7, 13)])
    assert determined([x.type]) == {"b", "n"}
    assert determined([ty.parse_type("f32[b + n]")]) == frozenset()


def test_an_extent_of_zero_may_leave_another_open() -> None:
    x = param(ty.parse_type("f32[b, b*n, n]"), "x")
    assert bind_extents(Graph("f", (x,), (), ()), [(0, 0, 4)]) == {"b": 0, "n": 4}
    x = param(ty.parse_type("f32[b, b*n]"), "x")
    assert bind_extents(Graph("f", (x,), (), ()), [(0, 0)]) == {"b": 0, "n": 0}


def test_extents_must_agree() -> None:
    x, y = param(T, "x"), param(ty.parse_type("f32[b]"), "y")
    graph = Graph("f", (x, y), (), (x,))
    with pytest.raises(ShapeMismatch, match=r"axis 0 of y: f32\[b\] is 4, not 2, b = 2"):
        evaluate(graph, [np.zeros((2, 3), np.float32), np.zeros(4, np.float32)])
    with pytest.raises(ShapeMismatch, match=r"axis 1 of x: f32\[b, 3\] is 4, not 3"):
        evaluate(graph, [np.zeros((2, 4), np.float32), np.zeros(2, np.float32)])


def test_arguments_are_checked() -> None:
    x = param(T, "x")
    graph = Graph("f", (x,), (), (x,))
    with pytest.raises(TypeMismatch, match="takes 1 arguments"):
        evaluate(graph, [])
    with pytest.raises(TypeMismatch, match="was given float64"):
        evaluate(graph, [np.zeros((2, 3))])
    with pytest.raises(ShapeMismatch, match="array of shape"):
        evaluate(graph, [np.zeros(3, np.float32)])


def test_a_card_that_lies_is_found() -> None:
    def of(card: OpDef) -> Graph:
        x = param(T, "x")
        with at(SourceLine("model.py", 3, "f")):
            return Graph.of("f", (x,), (card(x),))

    x = np.zeros((2, 3), np.float32)
    wide = OpDef("wide", "", "elementwise", EXP.infer, lambda o, a: o[0].astype(np.float64))
    with pytest.raises(VerifyError, match=r"wide \(made at model.py:3 in f\).*float64"):
        evaluate(of(wide), [x])
    flat = OpDef("flat", "", "elementwise", EXP.infer, lambda o, a: o[0].reshape(-1))
    with pytest.raises(VerifyError, match=r"shape \(2, 3\), and evaluated to float32 of shape"):
        evaluate(of(flat), [x])
    two = OpDef("two", "", "elementwise", EXP.infer, lambda o, a: (o[0], o[0]))
    with pytest.raises(VerifyError, match="has 1 results and evaluated to 2"):
        evaluate(of(two), [x])


def test_an_error_names_the_op_and_the_line() -> None:
    x, i = param(ty.parse_type("f32[3]"), "x"), param(ty.parse_type("i64[2]"), "i")
    with at(SourceLine("model.py", 9, "f")):
        graph = Graph.of("f", (x, i), (GATHER(x, i, axes=(0,), mode="raise"),))
    with pytest.raises(IndexError) as caught:
        evaluate(graph, [np.zeros(3, np.float32), np.array([0, 7])])
    assert caught.value.__notes__ == ["while evaluating gather at model.py:9 in f"]


def test_deep_graphs() -> None:
    x = param(ty.parse_type("f64[2]"), "x")
    y: Value = x
    for _ in range(20_000):
        y = ADD(y, x)
    (result,) = evaluate(Graph.of("deep", (x,), (y,)), [np.array([1.0, 0.5])])
    np.testing.assert_array_equal(result, [20_001.0, 10_000.5])


def test_sub_graphs_take_extents_from_their_arguments_or_from_around() -> None:
    x, p = param(T, "x"), param(T, "p")
    filled = FULL(value=2.0, dtype=F32, shape=(B, 3))
    with_operand = FUSION(x, body=Graph.of("one", (p,), (MUL(p, filled),)))
    without = FUSION(body=Graph.of("two", (), (filled,)))
    graph = Graph.of("f", (x,), (with_operand, without))
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    one, two = evaluate(graph, [a])
    np.testing.assert_array_equal(one, 2 * a)
    np.testing.assert_array_equal(two, np.full((2, 3), 2.0, np.float32))


def test_results_may_repeat_and_be_parameters() -> None:
    x = param(T, "x")
    y = EXP(x)
    a = np.ones((1, 3), np.float32)
    one, two, three = evaluate(Graph.of("f", (x,), (y, x, y)), [a])
    np.testing.assert_array_equal(two, a)
    np.testing.assert_array_equal(one, three)


def test_softmax() -> None:
    x = param(ty.parse_type("f64[b, 5]"), "x")
    from graphc.ops.elementwise import DIV, SUB
    from graphc.ops.reduction import REDUCE

    def rows(value: Value, kind: str) -> Value:
        kept = REDUCE(value, kind=kind, axes=(1,))
        return build.broadcast_to(build.reshape(kept, (B, 1)), value.shape)

    e = EXP(SUB(x, rows(x, "max")))
    graph = Graph.of("softmax", (x,), (DIV(e, rows(e, "sum")),))
    a = np.random.default_rng(0).normal(size=(4, 5))
    wanted = np.exp(a - a.max(1, keepdims=True))
    wanted /= wanted.sum(1, keepdims=True)
    np.testing.assert_allclose(evaluate(graph, [a])[0], wanted, rtol=1e-14)
