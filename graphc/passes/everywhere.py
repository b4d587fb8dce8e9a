"""Takes a pass into the bodies of loops and choices.

Requires: a pass, any function `Graph -> Graph`.
Guarantees: what the pass guarantees holds in the graph and in every sub-graph of its control nodes;
    unchanged is the same object. Bodies of fusions and calls are left alone.
Placement: around each pass (a decorator), so that a pass is written for one graph.
Cost: a look at every node, and the pass itself for each body.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..ir import Graph, Node, make

Pass = Callable[[Graph], Graph]


def everywhere(one: Pass) -> Pass:
    """The pass, run on a graph and then on what is inside its control nodes."""

    @functools.wraps(one)
    def run(graph: Graph) -> Graph:
        return within(one(graph), run)

    return run


def within(graph: Graph, change: Pass) -> Graph:
    """The graph with the sub-graphs of its control nodes changed; the order of nodes stays."""
    return in_nodes(graph, lambda node, body: change(body))


def in_nodes(graph: Graph, change: Callable[[Node, Graph], Graph]) -> Graph:
    """The same where the change depends on the node, which is the graph's as it was."""
    if not any(node.op.kind == "control" for node in graph.nodes):
        return graph
    new: dict[Any, Any] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        attrs = node.attrs
        if node.op.kind == "control":
            own = functools.partial(change, node)
            attrs = {name: _changed(value, own) for name, value in node.attrs.items()}
            if all(attrs[name] is node.attrs[name] for name in attrs):
                attrs = node.attrs
        operands = tuple(new.get(v, v) for v in node.operands)
        if attrs is not node.attrs or operands != node.operands:
            made = make(node.op, operands, attrs, node.where)
            new.update(zip(node.results, made.results, strict=True))
            node = made
        nodes.append(node)
    if not new:
        return graph
    results = tuple(new.get(v, v) for v in graph.results)
    return Graph(graph.name, graph.params, tuple(nodes), results)


def _changed(attribute: Any, change: Pass) -> Any:
    if isinstance(attribute, Graph):
        return change(attribute)
    if isinstance(attribute, tuple) and any(isinstance(one, Graph) for one in attribute):
        row = tuple(_changed(one, change) for one in attribute)
        same = all(a is b for a, b in zip(row, attribute, strict=True))
        return attribute if same else row
    return attribute
