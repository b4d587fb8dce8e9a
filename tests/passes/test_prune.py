"""Pruning: text, order, and the same object when there is nothing to do."""

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.passes.prune import prune
from graphc.text import parse_graph, print_graph
from graphc.verify import verify
from tests.random_graphs import random_graph, same_bits


def test_golden_text() -> None:
    graph = parse_graph(
        """graph f(%0 x: f32[n], %1 y: f32[n]) {
  %2: f32[n] = neg(%1)
  %3: f32[n] = exp(%0)
  %4: f32[n] = add(%2, %3)
  %5: f32[n], %6: f32[n] = sort(%3, %0){axis=0, keys=1, descending=false}
  return %6, %0
}"""
    )
    found = prune(graph)
    assert print_graph(found) == (
        """graph f(%0 x: f32[n], %1 y: f32[n]) {
  %2: f32[n] = exp(%0)
  %3: f32[n], %4: f32[n] = sort(%2, %0){axis=0, keys=1, descending=false}
  return %4, %0
}"""
    )
    assert prune(found) is found


def test_the_order_of_nodes_stays() -> None:
    graph = parse_graph(
        """graph f(%0 x: f32[n]) {
  %1: f32[n] = exp(%0)
  %2: f32[n] = neg(%0)
  %3: f32[n] = cos(%0)
  %4: f32[n] = sub(%2, %1)
  return %4
}"""
    )
    assert [n.op.name for n in prune(graph).nodes] == ["exp", "neg", "sub"]


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs(seed: int) -> None:
    graph, arguments = random_graph(seed)
    assert prune(graph) is graph
    part = Graph(graph.name, graph.params, graph.nodes, graph.results[:1])
    found = verify(prune(part))
    assert prune(found) is found
    used = {v.node for n in found.nodes for v in n.operands} | {found.results[0].node}
    assert set(found.nodes) <= used
    assert same_bits(evaluate(found, arguments)[0], np.asarray(evaluate(part, arguments)[0]))
