"""Every invariant of verify, broken once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.errors import VerifyError
from graphc.ir import Graph, Literal, Node, SourceLine, Value, param
from graphc.opdef import OpDef, lookup
from graphc.ops.creation import CONSTANT, EXTENT, FULL
from graphc.ops.elementwise import ADD, EXP, NEG
from graphc.ops.fusion import FUSION
from graphc.types import F32, Dim
from graphc.verify import verify

T = ty.parse_type("f32[b, 3]")
LINE = SourceLine("model.py", 12, "loss")


def node(op: OpDef, operands: tuple[Value, ...], attrs: dict[str, Any], *types: str) -> Node:
    """A node as no card would make it."""
    return Node(op, operands, attrs, tuple(map(ty.parse_type, types)), LINE)


def broken(graph: Graph) -> str:
    with pytest.raises(VerifyError) as caught:
        verify(graph)
    return str(caught.value)


def test_a_valid_graph_is_returned() -> None:
    x = param(T, "x")
    graph = Graph.of("f", (x,), (EXP(x), x))
    assert verify(graph) is graph


def test_operands_come_first() -> None:
    x = param(T, "x")
    y = EXP(x)
    z = NEG(y)
    message = broken(Graph("f", (x,), (z.node, y.node), (z,)))
    assert "operand 0" in message and "not defined before" in message
    assert "%1: f32[b, 3] = neg(%2)" in message


def test_results_are_defined() -> None:
    x = param(T, "x")
    assert "result 0" in broken(Graph("f", (x,), (), (EXP(x),)))


def test_parameters() -> None:
    x = param(T, "x")
    assert "stands twice" in broken(Graph("f", (x, x), (), ()))
    assert "not the result of a param node" in broken(Graph("f", (EXP(x),), (), ()))
    assert "among the nodes" in broken(Graph("f", (), (x.node,), ()))
    nameless = Node(lookup("param"), (), {"type": T, "name": 3}, (T,), None).results[0]
    assert "lacks its name" in broken(Graph("f", (nameless,), (), ()))


def test_a_node_stands_once() -> None:
    x = param(T, "x")
    y = EXP(x)
    assert "stands twice" in broken(Graph("f", (x,), (y.node, y.node), (y,)))


def test_cards_are_the_registered_ones() -> None:
    x = param(T, "x")
    false = OpDef("exp", "", "elementwise", EXP.infer, EXP.evaluate)
    made = node(false, (x,), {}, "f32[b, 3]")
    assert "not the registered card" in broken(Graph("f", (x,), (made,), made.results))
    unknown = OpDef("no_such_op", "", "elementwise", EXP.infer, EXP.evaluate)
    made = node(unknown, (x,), {}, "f32[b, 3]")
    assert "no op named 'no_such_op'" in broken(Graph("f", (x,), (made,), made.results))


def test_types_are_inferred_again() -> None:
    x = param(T, "x")
    made = node(EXP, (x,), {}, "f64[b, 3]")
    message = broken(Graph("f", (x,), (made,), made.results))
    assert "its results are f64[b, 3] and the card infers f32[b, 3]" in message
    assert "model.py:12 in loss" in message
    made = node(ADD, (x,), {}, "f32[b, 3]")
    assert "add takes 2 operands" in broken(Graph("f", (x,), (made,), made.results))


def test_extents_are_extents() -> None:
    bad = param(ty.TensorType(F32, (-1,)), "x")
    assert "-1 is no extent" in broken(Graph("f", (bad,), (), ()))
    bad = param(ty.TensorType(F32, (True,)), "x")
    assert "True is no extent" in broken(Graph("f", (bad,), (), ()))


@pytest.mark.parametrize(
    "value", [np.float32(1.0), [1], {"a": 1}, np.zeros(3), (1, [2])], ids=lambda v: str(type(v))
)
def test_attributes_are_of_few_kinds(value: object) -> None:
    made = node(EXTENT, (), {"value": 1, "other": value}, "i64[]")
    assert "attribute other is a" in broken(Graph("f", (), (made,), made.results))


def test_literals_cannot_be_written_to() -> None:
    literal = Literal([1.0, 2.0])
    literal.array = np.zeros(2)
    value = CONSTANT(value=literal)
    assert "can be written to" in broken(Graph("f", (), (value.node,), (value,)))


def test_symbols_follow_from_the_parameters() -> None:
    n = Dim.symbol("n")
    value = EXTENT(value=n)
    message = broken(Graph("f", (), (value.node,), (value,)))
    assert "mentions n, which no parameter's shape determines" in message
    verify(Graph("f", (), (value.node,), (value,)), known=("n",))
    for shape in ("f32[n]", "f32[2*n + 1]", "f32[b, b*n + b]"):
        x = param(ty.parse_type(shape), "x")
        verify(Graph("f", (x,), (value.node,), (value,)))
    x = param(ty.parse_type("f32[n + b]"), "x")
    assert "mentions" in broken(Graph("f", (x,), (), ()))


def test_sub_graphs_are_verified_and_closed() -> None:
    x, inner = param(T, "x"), param(T, "inner")
    outside = EXP(x)
    body = Graph("body", (inner,), (), (outside,))
    value = FUSION(x, body=body)
    message = broken(Graph("f", (x,), (outside.node, value.node), (value,)))
    assert "the sub-graph body is invalid" in message
    # the extents around it are known inside
    filled = FULL(value=0.0, dtype=F32, shape=(Dim.symbol("b"),))
    value = FUSION(body=Graph("body", (), (filled.node,), (filled,)))
    verify(Graph("f", (x,), (value.node,), (value,)))
