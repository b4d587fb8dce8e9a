"""Drops the nodes that no result needs.

    %1 = exp %x
    %2 = neg %x          ->   %1 = exp %x
    return %1                 return %1

Requires: a valid graph.
Guarantees: every node is needed by a result; the order of the others, every parameter and every
    result stay, and so do unread results of a node with several. Sub-graphs are left alone.
Placement: first, since what the program computed and did not return costs every later pass; the
    others never leave dead nodes behind, because `ir.rewrite` builds its graph from the results.
Cost: one walk.
"""

from __future__ import annotations

from ..ir import Graph, reachable
from .everywhere import everywhere


@everywhere
def prune(graph: Graph) -> Graph:
    """The graph without nodes that no result needs."""
    needed = set(reachable(graph.results))
    if len(needed) == len(graph.nodes):
        return graph
    kept = tuple(node for node in graph.nodes if node in needed)
    return Graph(graph.name, graph.params, kept, graph.results)
