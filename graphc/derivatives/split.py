"""A graph in two parts: what depends on late parameters, and what it needs of the rest.

    %1 = cos %x                     now:    %1 = cos %x
    %2 = mul %1 %t         ->       later:  %2 = mul %r %t     for %r = %1
    return %2                               return %2

With the cotangents (or tangents) as late parameters, that is a pullback (a linear map) which is
called when the function has run. Requires and guarantees: the late graph computes the same values.
What a movement made larger is not kept but moved again, and neither are constants.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import types as ty
from ..ir import PARAM, Graph, Node, Value, make, param, reachable


def split(results: Sequence[Value], late: Sequence[Value], name: str) -> tuple[list[Value], Graph]:
    """The values that the late part needs, and that part: their parameters come first."""
    order = reachable(results)
    waiting = _dependent(order, late)
    kept: dict[Value, Value] = {}
    new: dict[Value, Value] = {v: v for v in late}

    def known(value: Value) -> Value:
        """A value of the early part inside the late one. Iterative, as graphs are deep."""
        stack = [value]
        while stack:
            one = stack[-1]
            if one in new:
                stack.pop()
                continue
            node = one.node
            if not _is_cheap(node):
                new[one] = kept[one] = param(one.type, f"r{len(kept)}")
                continue
            missing = [v for v in node.operands if v not in new]
            if missing:
                stack.extend(missing)
                continue
            made = make(node.op, [new[v] for v in node.operands], node.attrs, node.where)
            new.update(zip(node.results, made.results, strict=True))
        return new[value]

    for node in order:
        if node in waiting:
            operands = [new[v] if v in new else known(v) for v in node.operands]
            made = make(node.op, operands, node.attrs, node.where)
            new.update(zip(node.results, made.results, strict=True))
    found = [new[v] if v in new else known(v) for v in results]
    return list(kept), Graph.of(name, (*kept.values(), *late), found)


def _dependent(order: Sequence[Node], late: Sequence[Value]) -> set[Node]:
    values, nodes = set(late), set()
    for node in order:
        if any(v in values for v in node.operands):
            nodes.add(node)
            values.update(node.results)
    return nodes


def _is_cheap(node: Node) -> bool:
    """Whether a value is made again rather than kept."""
    if node.op is PARAM:
        return False
    if node.op.kind == "creation":
        return True
    if node.op.kind != "movement" or len(node.operands) != 1:
        return False
    more = node.results[0].type.size - node.operands[0].type.size
    least = ty.bounds(more)[0]
    return least is not None and least >= 0


def closed(
    name: str, params: Sequence[Value], results: Sequence[Value]
) -> tuple[Graph, list[Value]]:
    """A function of values as a graph, and what it finds outside: that becomes parameters too.

    What depends on no parameter at all, its own or another's, is a constant of the graph.
    """
    order = reachable(results)
    own = _dependent(order, params)
    foreign = {v for n in order for v in n.operands if v.node.op is PARAM} | {
        v for v in results if v.node.op is PARAM
    }
    outside = _dependent(order, list(foreign - set(params)))
    captured: dict[Value, Value] = {}
    new: dict[Value, Value] = {p: param(p.type, p.node.attrs["name"]) for p in params}

    def inside(value: Value) -> Value:
        if value in new:
            return new[value]
        if value.node in outside or value.node.op is PARAM:
            new[value] = captured[value] = param(value.type, f"outer{len(captured)}")
            return new[value]
        return value

    for node in order:
        if node not in own:
            continue
        operands = tuple(inside(v) for v in node.operands)
        made = make(node.op, operands, node.attrs, node.where)
        new.update(zip(node.results, made.results, strict=True))
    found = [inside(v) for v in results]
    return Graph.of(name, [*(new[p] for p in params), *captured.values()], found), list(captured)
