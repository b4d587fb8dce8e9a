"""Folding: text, values, and what must stay symbolic or raise where it runs."""

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph, Literal, param
from graphc.opdef import lookup
from graphc.passes.fold import fold, full, scalar
from graphc.text import parse_graph, print_graph
from graphc.types import BF16, DTYPES, F16, F32, I8, U8, parse_type
from graphc.verify import verify
from tests.random_graphs import assert_close, chain, expression, random_graph, tolerances


def test_golden_text() -> None:
    graph = parse_graph(
        """graph f(%0 x: f32[n]) {
  %1: f32[n] = full(){value=4.0, dtype=f32, shape=(n,)}
  %2: f32[n] = sqrt(%1)
  %3: f32[n] = neg(%2)
  %4: f32[n] = mul(%0, %3)
  %5: f32[2] = constant(){value=array(f32[2], [1.0, 2.0])}
  %6: f32[2] = add(%5, %5)
  return %4, %6
}"""
    )
    assert print_graph(fold(graph)) == (
        """graph f(%0 x: f32[n]) {
  %1: f32[n] = full(){value=-2.0, dtype=f32, shape=(n,)}
  %2: f32[n] = mul(%0, %1)
  %3: f32[2] = constant(){value=array(f32[2], [2.0, 4.0])}
  return %2, %3
}"""
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("add(c(2.0), c(3.0))", "c(5.0)"),
        ("div(c(1.0), c(0.0))", "c(inf)"),
        ("add(c(127, 'i8[2]'), c(1, 'i8[2]'))", "c(-128, 'i8[2]')"),
        ("cast(c(2.5), dtype=i8)", "c(2, 'i8[3]')"),
        ("lt(c(1.0), c(nan))", "c(False, 'bool[3]')"),
        ("select(c(True, 'bool[3]'), c(1.0), c(2.0))", "c(1.0)"),
    ],
)
def test_full(before: str, after: str) -> None:
    assert fold(expression("f32[3]", before)) == expression("f32[3]", after)


@pytest.mark.parametrize(
    "text",
    [
        "iota(dtype=i64, shape=(1000,), axis=0)",
        "add(iota(dtype=i64, shape=(1000,), axis=0), c(1, 'i64[1000]'))",
        "broadcast(c(1.0), shape=(100, 3), axes=(1,))",
        "add(x, c(0.0))",
        "gather(c(1.0), c(7, 'i64[2]'), axes=(0,), mode='raise')",
    ],
)
def test_kept(text: str) -> None:
    graph = expression("f32[3]", text)
    assert fold(graph) is graph


def test_a_big_constant_is_not_made_of_a_small_one() -> None:
    c = lookup("constant")(value=Literal(np.arange(6, dtype=np.float32)))
    spread = lookup("broadcast")(c, shape=(50, 6), axes=(1,))
    small = lookup("reduce")(spread, kind="sum", axes=(0, 1))
    graph = Graph.of("f", [], [spread, small])
    assert fold(graph) is graph
    moved = Graph.of("f", [], [lookup("slice")(c, start=(5,), shape=(3,), step=(-2,))])
    assert [n.op.name for n in fold(moved).nodes] == ["constant"]
    assert np.array_equal(evaluate(fold(moved), [])[0], [5, 3, 1])


def test_a_sum_of_an_iota_is_a_number() -> None:
    graph = expression(
        "f32[3]", "reduce(iota(dtype=i64, shape=(101,), axis=0), kind='sum', axes=(0,))"
    )
    assert evaluate(fold(graph), [np.zeros(3, np.float32)])[0] == 5050
    assert [n.op.name for n in fold(graph).nodes] == ["constant"]


def test_several_results() -> None:
    c = lookup("constant")(value=Literal(np.array([3.0, 1.0, 2.0])))
    graph = Graph.of("f", [], lookup("sort")(c, c, axis=0, keys=1, descending=True))
    found = fold(graph)
    assert {n.op.name for n in found.nodes} == {"constant"}
    assert np.array_equal(evaluate(found, [])[1], [3, 2, 1])


def test_scalars_are_what_the_dtype_holds() -> None:
    assert scalar(0.1, F32) == float(np.float32(0.1))
    assert scalar(300, U8) == 44 and scalar(200, I8) == -56 and scalar(-1, U8) == 255
    assert scalar(1e6, F16) == float("inf") and scalar(0.1, BF16) == 0.10009765625
    for dtype in DTYPES.values():
        one = full(parse_type(f"{dtype}[2]"), 1).node.attrs["value"]
        assert one == 1 and type(one) is type(np.zeros(1, dtype.numpy).item())


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    graph, arguments = random_graph(seed)
    found = verify(fold(graph))
    assert fold(found) is found
    assert_close(
        evaluate(found, arguments), evaluate(graph, arguments), tolerances(graph, arguments)
    )


def test_linear_and_deep() -> None:
    x = param(parse_type("f32[2]"), "x")
    value = full(x.type, 0.5)
    for _ in range(5000):
        value = lookup("neg")(value)
    found = fold(Graph.of("f", [x], [lookup("add")(x, value)]))
    assert [n.op.name for n in found.nodes] == ["full", "add"]
    graph = chain(5000)
    assert fold(graph) is graph
