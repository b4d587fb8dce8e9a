"""The graph: making nodes, walking, rewriting, equality."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.errors import TypeMismatch
from graphc.ir import (
    Graph,
    Literal,
    Node,
    SourceLine,
    Value,
    at,
    inline,
    param,
    reachable,
    rewrite,
    substitute_extents,
)
from graphc.ops.creation import CONSTANT, FULL
from graphc.ops.elementwise import ADD, CAST, EXP, MUL, NEG
from graphc.ops.fusion import FUSION
from graphc.ops.ordering import SORT
from graphc.types import F32, F64, Dim, TensorType

T = ty.parse_type("f32[b, 3]")


def sample() -> Graph:
    x, y = param(T, "x"), param(T, "y")
    return Graph.of("f", (x, y), (ADD(EXP(x), y),))


def test_a_card_makes_a_node() -> None:
    x = param(T, "x")
    y = CAST(x, dtype=F64)
    assert y.type == T.with_dtype(F64)
    assert y.node.op is CAST and y.node.operands == (x,)
    with pytest.raises(TypeMismatch, match="operand 1"):
        ADD(x, y)


def test_several_results_come_as_a_tuple() -> None:
    x, y = param(ty.parse_type("f32[4]"), "x"), param(ty.parse_type("i32[4]"), "y")
    keys, others = SORT(x, y, axis=0, keys=1, descending=False)
    assert (keys.index, others.index) == (0, 1)
    assert keys.node is others.node


def test_nodes_know_the_users_line() -> None:
    x, line = param(T, "x"), SourceLine("model.py", 12, "loss")
    with at(line):
        assert NEG(x).node.where is line
        seen: list[object] = []
        other = threading.Thread(target=lambda: seen.append(NEG(x).node.where))
        other.start()
        other.join()
    assert seen == [None]
    assert NEG(x).node.where is None


def test_graph_of_orders_and_drops() -> None:
    x = param(T, "x")
    a = EXP(x)
    NEG(a)  # nothing needs it
    b = MUL(a, a)
    graph = Graph.of("f", (x,), (b, a))
    assert [n.op.name for n in graph.nodes] == ["exp", "mul"]
    assert graph.users[a] == [b.node, b.node]
    assert graph.symbols == ("b",)


def test_deep_graphs_are_walked_without_recursion() -> None:
    x = param(T, "x")
    y: Value = x
    for _ in range(20_000):
        y = NEG(y)
    graph = Graph.of("deep", (x,), (y,))
    assert len(graph.nodes) == 20_000
    assert graph == Graph.of("deep", (x,), (y,))
    assert rewrite(graph, lambda node, operands: None) is graph


def test_equality_is_structural() -> None:
    one, two = sample(), sample()
    assert one == two and hash(one) == hash(two)
    x, y = param(T, "x"), param(T, "y")
    assert one != Graph.of("f", (x, y), (ADD(y, EXP(x)),))
    assert one != Graph.of("g", one.params, one.results)


def test_equality_sees_the_sign_of_zero_and_the_kind_of_a_number() -> None:
    def of(value: object) -> Graph:
        return Graph.of("f", (), (FULL(value=value, dtype=F32, shape=()),))

    assert of(0.0) != of(-0.0)
    assert of(float("nan")) == of(float("nan"))
    assert of(True) != of(1)
    assert of(1) != of(1.0)


def test_literals_compare_by_bytes() -> None:
    a = Literal([1.0, np.nan])
    assert a == Literal([1.0, np.nan]) and hash(a) == hash(Literal([1.0, np.nan]))
    assert a != Literal(np.array([1.0, np.nan], np.float32))
    assert Literal([0.0]) != Literal([-0.0])
    assert a.type == ty.parse_type("f64[2]")


def test_literals_do_not_follow_the_array_they_came_from() -> None:
    source = np.zeros(3)
    literal = Literal(source)
    source[:] = 1.0
    assert literal.array.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        literal.array[0] = 1.0
    assert Literal(np.arange(6).reshape(2, 3).T).array.flags.c_contiguous


def test_rewrite_replaces_and_keeps_lines() -> None:
    x, line = param(T, "x"), SourceLine("model.py", 3, "f")
    with at(line):
        graph = Graph.of("f", (x,), (EXP(NEG(NEG(x))),))

    def twice(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.op is NEG and operands[0].node.op is NEG:
            return operands[0].node.operands
        return None

    found = rewrite(graph, twice)
    assert [n.op.name for n in found.nodes] == ["exp"]
    assert found.nodes[0].where is line
    assert len(graph.nodes) == 3


def test_inline_puts_arguments_for_parameters() -> None:
    inner, z = sample(), param(T, "z")
    (result,) = inline(inner, (z, z))
    assert [n.op.name for n in reachable([result])] == ["exp", "add"]
    assert result.node.operands[1] is z


def test_extents_are_substituted_through_tuples() -> None:
    b = Dim.symbol("b")
    assert substitute_extents((b, (2 * b, "b", 1)), {"b": 3}) == (3, (6, "b", 1))
    type = TensorType(F32, (b, 2))
    assert substitute_extents(type, {"b": 3}) == TensorType(F32, (3, 2))


def test_constants_and_sub_graphs_are_attributes() -> None:
    x = param(T, "x")
    inner = Graph.of("body", (x,), (EXP(x),))
    y = param(T, "y")
    graph = Graph.of("f", (y,), (FUSION(y, body=inner),))
    again = Graph.of("f", (y,), (FUSION(y, body=Graph.of("body", (x,), (EXP(x),))),))
    assert graph == again
    assert CONSTANT(value=Literal([1, 2])).type == ty.parse_type("i64[2]")
