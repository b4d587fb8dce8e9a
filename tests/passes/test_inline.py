"""inline and order: calls become ops, and barriers an order."""

from __future__ import annotations

import numpy as np

from graphc.evaluate import evaluate
from graphc.ir import Graph, param
from graphc.opdef import lookup
from graphc.passes.inline import inline
from graphc.passes.order import order
from graphc.passes.pipeline import run
from graphc.text import parse_graph
from graphc.types import parse_type
from graphc.verify import verify
from tests.compiled import compiled

X = parse_type("f64[4]")


def nested() -> Graph:
    """exp of a stopped x, two calls deep."""
    x, y = param(X, "x"), param(X, "y")
    inner = Graph.of("inner", (y,), (lookup("exp")(lookup("stop_gradient")(y)),))
    z = param(X, "z")
    outer = Graph.of("outer", (z,), (lookup("checkpoint")(z, body=inner),))
    return Graph.of("main", (x,), (lookup("checkpoint")(x, body=outer),))


def test_inline_leaves_ops() -> None:
    after = inline(nested())
    assert [n.op.name for n in after.nodes] == ["exp"]
    assert inline(after) is after


def test_calls_survive_text() -> None:
    graph = nested()
    assert parse_graph(str(graph)) == graph


def barrier_graph() -> Graph:
    """sin(x) twice, the second behind a barrier that waits for the first."""
    x = param(X, "x")
    first = lookup("sin")(x)
    total = lookup("reduce")(first, kind="sum", axes=(0,))
    again = lookup("sin")(lookup("barrier")(x, total, count=1))
    return Graph.of("main", (x,), (lookup("mul")(again, first), total))


def test_what_stands_behind_a_barrier_is_not_computed_before() -> None:
    graph = verify(barrier_graph())
    outcome = run(graph)
    names = [r.name for r in outcome.records]
    assert names[-1] == "order"
    text = str(outcome.graph)
    assert "barrier" not in text and text.count("sin") == 2
    makes = [[n.op.name for n in node.attrs["body"].nodes] for node in outcome.graph.nodes]
    last = max(k for k, ops in enumerate(makes) if "sin" in ops)
    assert min(k for k, ops in enumerate(makes) if "reduce" in ops) < last
    assert order(outcome.graph) is outcome.graph


def test_barriers_change_no_value() -> None:
    graph = barrier_graph()
    x = np.linspace(-1, 1, 4)
    for a, b in zip(compiled(graph, passes=True)(x), evaluate(graph, [x]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_parameter_behind_a_barrier_is_a_result() -> None:
    x = param(X, "x")
    graph = Graph.of("main", (x,), (lookup("barrier")(x, count=1),))
    given = np.arange(4.0)
    (found,) = compiled(graph, passes=True)(given)
    np.testing.assert_array_equal(found, given)
    assert found is not given
