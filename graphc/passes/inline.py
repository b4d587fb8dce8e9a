"""Puts the bodies of calls in their place: derivatives have been taken.

    %1 = custom_jvp(%x){body={exp}, ...}
    return %1                                  ->     %1 = exp %x
                                                      return %1

Requires: a valid graph.
Guarantees: no node has the kind `call` (fusions are made later), and none of `ops.marks` is left.
Placement: first, so that all other passes see single ops.
Cost: one walk where there is nothing to do.
"""

from __future__ import annotations

from ..ir import Graph, Node, Value, rewrite
from ..ir import inline as inline_graph
from ..ops.marks import MARKS
from .everywhere import everywhere


@everywhere
def inline(graph: Graph) -> Graph:
    """The graph without calls."""
    if not any(_is_call(node) for node in graph.nodes):
        return graph
    return rewrite(graph, _inlined)


def _is_call(node: Node) -> bool:
    return node.op.kind == "call" or node.op.name in MARKS


def _inlined(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
    if not _is_call(node):
        return None
    if node.op.name in MARKS:
        return operands
    return inline_graph(inline(node.attrs["body"]), operands)
