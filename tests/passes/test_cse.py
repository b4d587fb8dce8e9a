"""Common subexpressions: text, values, and what must stay apart."""

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph, Literal, param
from graphc.opdef import lookup
from graphc.passes import cse as cse_module
from graphc.passes.cse import cse
from graphc.text import parse_graph, print_graph
from graphc.types import parse_type
from graphc.verify import verify
from tests.random_graphs import chain, expression, random_graph, same_bits


def test_golden_text() -> None:
    graph = parse_graph(
        """graph f(%0 x: f32[n], %1 y: f32[n]) {
  %2: f32[n] = mul(%0, %1)
  %3: f32[n] = mul(%1, %0)
  %4: f32[n] = exp(%2)
  %5: f32[n] = exp(%3)
  %6: f32[n] = sub(%4, %5)
  return %6, %3
}"""
    )
    assert print_graph(cse(graph)) == (
        """graph f(%0 x: f32[n], %1 y: f32[n]) {
  %2: f32[n] = mul(%0, %1)
  %3: f32[n] = exp(%2)
  %4: f32[n] = sub(%3, %3)
  return %4, %2
}"""
    )


@pytest.mark.parametrize(
    "text",
    [
        "sub(x, y), sub(y, x)",
        "c(0.0), c(-0.0)",
        "c(1, 'i32[]'), c(1, 'i64[]')",
        "cast(x, dtype=f64), cast(x, dtype=f16)",
        "reshape(x, shape=(3, 1)), reshape(x, shape=(1, 3))",
    ],
)
def test_apart(text: str) -> None:
    graph = expression("f32[3];f32[3]", text)
    assert cse(graph) is graph


@pytest.mark.parametrize("text", ["c(nan), c(nan)", "add(x, y), add(y, x)", "exp(x), exp(x)"])
def test_joined(text: str) -> None:
    found = cse(expression("f32[3];f32[3]", text))
    assert found.results[0] is found.results[1] and len(found.nodes) == 1


def test_constants_by_their_bytes() -> None:
    x = param(parse_type("f32[2]"), "x")
    arrays = [[1.0, 0.0], [1.0, 0.0], [1.0, -0.0], [np.nan, 1.0], [np.nan, 1.0]]
    constants = [lookup("constant")(value=Literal(np.array(a, np.float32))) for a in arrays]
    a, b, c, d, e = cse(Graph.of("f", [x], constants)).results
    assert a is b and a is not c and d is e


def test_nodes_with_several_results() -> None:
    sort = "sort(x, y, axis=0, keys=1, descending=False)"
    graph = expression("f32[3];f32[3]", f"tuple((*{sort}, *{sort}))")
    found = cse(graph)
    assert len(found.nodes) == 1 and found.results[:2] == found.results[2:]


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    graph, arguments = random_graph(seed)
    found = verify(cse(graph))
    assert cse(found) is found
    keys = [(n.op, n.operands, str(sorted(n.attrs.items(), key=str))) for n in found.nodes]
    assert len(set(keys)) == len(keys)
    for a, b in zip(evaluate(found, arguments), evaluate(graph, arguments), strict=True):
        assert same_bits(a, b)


def test_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(cse_module, "make", lambda *a: made.append(1) or make(*a))
    from graphc.ir import make

    graph = chain(1000)
    assert len(cse(graph).nodes) < len(graph.nodes)
    assert len(made) <= len(graph.nodes)
