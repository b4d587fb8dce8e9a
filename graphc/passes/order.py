"""Takes the barriers out of a graph of kernels, whose order remembers them.

    %1 = fusion(%x, %g){barrier}
    %2 = fusion(%1){...}            ->   %2 = fusion(%x){...}      after what makes %g
    %3 = fusion(%2, %g){...}             %3 = fusion(%2, %g){...}

Requires: a graph of fusions; a barrier is alone in its fusion, because it is opaque.
Guarantees: no barrier is left, nothing is copied for one, and a kernel that stood behind a barrier
    runs when everything before it has run: what `checkpoint` computes again does not live before
    its cotangents do. The order of nodes is the order in which kernels run; later rewrites of the
    graph must keep it.
Placement: after fuse, which would compute the same thing once if the barrier were not there.
Cost: one walk where there are barriers.
"""

from __future__ import annotations

from ..ir import PARAM, Graph, Node, Value, make, param
from ..ops.fusion import FUSION
from .everywhere import everywhere


@everywhere
def order(graph: Graph) -> Graph:
    """The graph with what stands before a barrier in the place of what stands behind it."""
    if not any(_is_barrier(node) for node in graph.nodes):
        return graph
    new: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        operands = [new.get(v, v) for v in node.operands]
        if _is_barrier(node):
            new.update(zip(node.results, _passed(node, operands), strict=True))
            continue
        same = tuple(operands) == node.operands
        made = node if same else make(node.op, operands, node.attrs, node.where)
        nodes.append(made)
        new.update(zip(node.results, made.results, strict=True))
    results: list[Value] = []
    for value in graph.results:
        found = new.get(value, value)
        if found.node.op is PARAM or found.node.op.kind == "creation":
            nodes.append(_copy(found))
            found = nodes[-1].results[0]
        results.append(found)
    return Graph(graph.name, graph.params, tuple(nodes), tuple(results))


def _is_barrier(node: Node) -> bool:
    return node.op is FUSION and any(n.op.name == "barrier" for n in node.attrs["body"].nodes)


def _passed(node: Node, operands: list[Value]) -> list[Value]:
    """What the results of a barrier's fusion are without it."""
    body: Graph = node.attrs["body"]
    inside = dict(zip(body.params, operands, strict=True))
    (barrier,) = body.nodes
    before = dict(zip(barrier.results, barrier.operands, strict=False))
    return [inside[before[v]] for v in body.results]


def _copy(value: Value) -> Node:
    """What nothing computes, as a kernel's result."""
    inner = param(value.type, "p0")
    return make(FUSION, (value,), {"body": Graph("body", (inner,), (), (inner,))})
