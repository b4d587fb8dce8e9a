"""Makes trees of concatenations of very many parts.

    %1 = concatenate(%a, ...)              %1 = concatenate(%a, ...); %2 = concatenate(...); ...
      of 2000 parts                   ->     %33 = concatenate(%1, %2, ...)

Requires: nothing.
Guarantees: no concatenation has more than MOST parts; the order of the parts stays.
Placement: before fuse, which writes the parts of a long concatenation one after another, in one
    kernel: its code grows with the parts, and LLVM takes more than linear time for one function.
Cost: one walk; each level of such a tree moves the elements once more.
"""

from __future__ import annotations

from ..ir import Graph, Node, Value, rewrite
from .everywhere import everywhere

MOST = 64


@everywhere
def joins(graph: Graph) -> Graph:
    """The graph with trees of concatenations."""
    if all(node.op.pieces is None or len(node.operands) <= MOST for node in graph.nodes):
        return graph
    return rewrite(graph, _tree)


def _tree(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
    if node.op.pieces is None or len(operands) <= MOST:
        return None
    parts = list(operands)
    while len(parts) > MOST:
        each = -(-len(parts) // -(-len(parts) // MOST))  # even shares
        groups = [parts[k : k + each] for k in range(0, len(parts), each)]
        parts = [node.op(*group, **node.attrs) for group in groups]
    return node.op(*parts, **node.attrs).node.results
