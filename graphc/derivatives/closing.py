"""Functions of values as closed graphs: what they use from outside becomes parameters too."""

from __future__ import annotations

from collections.abc import Sequence

from graphc_runtime.records import dataclass

from .. import types as ty
from ..ir import PARAM, Graph, Node, Value, make, param, reachable


@dataclass(frozen=True, slots=True)
class Function:
    """A function of parameters, not yet closed.

    What it makes of values from outside alone may be computed outside, once, where it is `hoisted`:
    so it is in a loop, but not in a branch that may not run. `since` is then the serial number of
    the first node that is its own.
    """

    name: str
    params: tuple[Value, ...]
    results: tuple[Value, ...]
    since: int = 0
    hoisted: bool = True


def closed(*functions: Function) -> tuple[list[Graph], list[Value]]:
    """The functions as graphs, and what they use from outside, in one order: these values are
    further parameters of every graph.

    What only makes an outside value larger (a row that is broadcast) is done inside, so that the
    small one is the operand; what depends on no parameter at all is a constant of the graph.
    """
    found = [_Closing(one) for one in functions]
    captured = list(dict.fromkeys(v for one in found for v in one.captured))
    return [one.graph(captured) for one in found], captured


class _Closing:
    """One function on its way to a graph."""

    def __init__(self, function: Function):
        self.function = function
        self.captured: dict[Value, Value] = {}
        order = reachable(function.results)
        own = _own(order, function)
        read = [v for node in order for v in node.operands] + list(function.results)
        foreign = {v for v in read if v.node.op is PARAM} - set(function.params)
        self._outside = _dependent(order, list(foreign))
        self._new = {p: param(p.type, p.node.attrs["name"]) for p in function.params}
        for node in order:
            if node in own:
                self._made(node, tuple(self._inside(v) for v in node.operands))
        self._results = [self._inside(v) for v in function.results]

    def _made(self, node: Node, operands: tuple[Value, ...]) -> None:
        made = make(node.op, operands, node.attrs, node.where)
        self._new.update(zip(node.results, made.results, strict=True))

    def _inside(self, value: Value) -> Value:
        known = self._new.get(value)
        if known is not None:
            return known
        node = value.node
        if node not in self._outside and node.op is not PARAM:
            return value  # a constant
        if _grows(node):
            self._made(node, (self._inside(node.operands[0]),))
            return self._new[value]
        found = param(value.type, f"outer{len(self.captured)}")
        self._new[value] = self.captured[value] = found
        return found

    def graph(self, captured: Sequence[Value]) -> Graph:
        """The graph, whose last parameters stand for all these values."""
        rest = [self.captured.get(v) or param(v.type, f"other{k}") for k, v in enumerate(captured)]
        params = [*(self._new[p] for p in self.function.params), *rest]
        return Graph.of(self.function.name, params, self._results)


def _own(order: Sequence[Node], function: Function) -> set[Node]:
    """The nodes that are computed inside."""
    known, nodes = set(function.params), set()
    for node in order:
        made_here = node.serial >= function.since and bool(node.operands)
        stays = made_here and not (function.hoisted and _is_hoisted(node))
        if stays or any(v in known for v in node.operands):
            nodes.add(node)
            known.update(node.results)
    return nodes


def _is_hoisted(node: Node) -> bool:
    """Whether a node may be computed although the loop may have no iteration: it reports no
    error, and is nothing large.
    """
    if node.op.kind in ("opaque", "control", "call") or node.op.name == "require":
        return False
    return node.attrs.get("mode") != "raise"


def _dependent(order: Sequence[Node], values: Sequence[Value]) -> set[Node]:
    known, nodes = set(values), set()
    for node in order:
        if any(v in known for v in node.operands):
            nodes.add(node)
            known.update(node.results)
    return nodes


def _grows(node: Node) -> bool:
    """Whether a node only moves its operand to a larger place."""
    if node.op.kind != "movement" or len(node.operands) != 1 or len(node.results) != 1:
        return False
    low, _ = ty.bounds(node.results[0].type.size - node.operands[0].type.size)
    return low is not None and low > 0
