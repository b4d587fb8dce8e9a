"""Makes one node of nodes that compute the same.

    %1 = exp %x
    %2 = exp %x          ->   %1 = exp %x
    return add(%1, %2)        return add(%1, %1)

Requires: a valid graph.
Guarantees: no two nodes have the same op, operands and attributes; the operands of a commutative op
    count in any order. Constants are equal when their bytes are, so -0.0 stays apart from 0.0 and
    NaN joins NaN. Exact: the first of equal nodes stays, with its source line. Nodes of ops that
    are not pure stay.
Placement: after fold and canonicalize, which make equal things look equal; before algebraic, whose
    rules ask whether two operands are the same value.
Cost: one walk; a constant's bytes are hashed once in its life.
"""

from __future__ import annotations

from typing import Any

from ..ir import Graph, Node, Value, _frozen, make, rewrite
from .everywhere import everywhere


@everywhere
def cse(graph: Graph) -> Graph:
    """The graph with equal nodes joined."""
    first: dict[Any, tuple[Value, ...]] = {}
    number: dict[Value, int] = {}

    def join(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if not node.op.pure:
            return None
        read = operands
        if node.op.commutative and len(operands) == 2:
            for value in operands:
                number.setdefault(value, len(number))
            read = tuple(sorted(operands, key=number.__getitem__))
        attrs = tuple((name, _frozen(node.attrs[name])) for name in sorted(node.attrs))
        key = node.op, read, attrs
        found = first.get(key)
        if found is None:
            changed = operands != node.operands
            found = make(node.op, operands, node.attrs).results if changed else node.results
            first[key] = found
        return found

    return rewrite(graph, join)
