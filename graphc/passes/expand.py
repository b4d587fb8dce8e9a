"""Writes the attentions that were recognised before a derivative was taken as ordinary ops.

    %4 = attention(%q, %k, %v) {        ->     %3 = dot(%q, %k) ...
        body(%s, %q, %k, %v): ... }            %4 = dot(softmax(%3), %v) ...

Requires: a valid graph.
Guarantees: no node is an attention or the gradient of one: every op stands alone, as the program
    has it, and can be checked.
Placement: first, and only in pipelines that keep the ops of the program.
Cost: one walk; the matrices of scores are in memory then.
"""

from __future__ import annotations

from ..ir import Graph, Node, Value, rewrite
from .everywhere import everywhere

NAMES = ("attention", "attention_gradient")


@everywhere
def expand(graph: Graph) -> Graph:
    """The graph without attentions."""
    if not any(node.op.name in NAMES for node in graph.nodes):
        return graph
    from ..ops.attention_rules import expanded, expanded_gradient  # with the first attention

    def rule(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if node.op.name not in NAMES:
            return None
        written = expanded if node.op.name == "attention" else expanded_gradient
        return written(operands, node.attrs)

    return rewrite(graph, rule)
