"""overwrite: which results may be where an operand is, and are written over it.

A loop sets one element of its state. The state's array is read by nobody afterwards, so the element
is written into it, and nothing is copied. The same holds of donated parameters, and of temporaries.

A result may be written over an operand, of which nothing is read later, where the node is
- a kernel that writes each element after it has read the same element, the only one it needs;
- a kernel that changes few places of the operand (`OpDef.places`, `OpDef.changes`), and reads
  nothing of it but what it writes in the same step: it is lowered so that it writes no other place;
- a loop that begins with the operand as the state which the result is at the end;
- a choice, where each arm may do so.

No operand is overwritten by two results. A line goes through several nodes: all values on it share
one buffer. Asked by `plan` and `walk`; a kernel is lowered in this way where the places that they
gave to the operand and to the result are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import Graph, Node, Value
from ..loops import ir as L
from ..loops.lower import Lowered, lower
from ..ops.fusion import FUSION
from .kernels import distinct_results, reads_its_own, writes_in_place


class Overwriting:
    """What may be written over what in one program; each answer is remembered."""

    def __init__(self) -> None:
        self._changed: dict[Value, Value | None] = {}
        self._overwritten: dict[Value, tuple[Value, ...]] = {}
        self._ordered: dict[Graph, Graph] = {}
        self._in_place: dict[tuple[Any, ...], bool] = {}

    # ------------------------------------------------------------------------------------ graphs
    def ordered(self, graph: Graph) -> Graph:
        """The graph with a buffer for each result, in an order in which what is overwritten has
        been read before, where that can be.
        """
        if graph not in self._ordered:
            self._ordered[graph] = self._readers_first(distinct_results(graph))
        return self._ordered[graph]

    def _readers_first(self, graph: Graph) -> Graph:
        nodes = list(graph.nodes)
        for writer in graph.nodes:
            for result in writer.results:
                for operand in self.overwritten(result):
                    if operand not in graph.results:
                        _move_readers(nodes, writer, operand)
        if all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
            return graph
        return Graph(graph.name, graph.params, tuple(nodes), graph.results)

    def line(self, graph: Graph, result: Value, start: Value) -> list[Value] | None:
        """The values between a parameter of a graph and a result, last ones first, that share the
        parameter's memory with the result; None where the result cannot be there.
        """
        if graph.results.count(result) != 1:
            return None
        found: list[Value] = []
        value = result
        while (before := self._before(graph, value, start)) is not None:
            if before is start:
                return found
            found.append(before)
            value = before
        if writes_in_place(graph, value, start, self._in_place):
            return found
        return [] if found and writes_in_place(graph, result, start, self._in_place) else None

    def shares_place(self, graph: Graph, result: Value, start: Value) -> bool:
        """Whether a result may be where a parameter is."""
        return self.line(graph, result, start) is not None

    def _before(self, graph: Graph, value: Value, start: Value) -> Value | None:
        """What a value is written over: the parameter, or what another node made."""
        for operand in self.overwritten(value):
            made = operand.node.op is FUSION or operand.node.op.kind == "control"
            if (made or operand is start) and operand not in graph.results:
                readers = [node for node in graph.nodes if operand in node.operands]
                if readers[-1] is value.node:
                    return operand
        return None

    # ------------------------------------------------------------------------------------- nodes
    def overwritten(self, result: Value) -> tuple[Value, ...]:
        """The operands of a result's node over which it may be written, if nothing reads them
        later.
        """
        if result not in self._overwritten:
            node = result.node
            found = [v for v in self._candidates(result) if node.operands.count(v) == 1]
            self._overwritten[result] = tuple(found)
        return self._overwritten[result]

    def _candidates(self, result: Value) -> Sequence[Value]:
        node = result.node
        if node.op is FUSION:
            source = self.changed(result)
            return () if source is None else (source,)
        if node.op.name == "switch":
            return [
                v for v in node.operands[1:]
                if [r for r in node.results if r.type == v.type and self._in_arms(r, v)] == [result]
            ]  # fmt: skip
        if node.op.kind == "control" and result.index < node.attrs["carries"]:
            return (node.operands[result.index],)
        return ()

    def _in_arms(self, result: Value, operand: Value) -> bool:
        """Whether each arm of a choice may write a result over an operand, and one makes it of
        that.
        """
        position = result.node.operands.index(operand) - 1
        from_it = False
        for branch in result.node.attrs["branches"]:
            arm = self.ordered(branch)
            own, start = arm.results[result.index], arm.params[position]
            between = self.line(arm, own, start)
            if between is None:
                return False
            from_it |= start in (between[-1] if between else own).node.operands
        return from_it

    def changed(self, result: Value) -> Value | None:
        """The operand of a kernel that a result is, but for few places, if these are all that must
        be written where both are in one place.
        """
        if result not in self._changed:
            body: Graph = result.node.attrs["body"]
            source = _changed(body, result.index)
            found = None if source is None else result.node.operands[source]
            self._changed[result] = found
        return self._changed[result]


def _changed(body: Graph, position: int) -> int | None:
    made = body.results[position].node
    if not (made.op.places or made.op.changes) or made.operands[0] not in body.params:
        return None
    if body.results.count(body.results[position]) != 1:
        return None
    source = body.params.index(made.operands[0])
    lowered = lower(body, "probe", over=(position,))
    return source if _reads_nothing_else(lowered, source, position) else None


def _reads_nothing_else(lowered: Lowered, source: int, position: int) -> bool:
    """Whether a kernel reads of the parameter only what it overwrites in the same step."""
    name, body = lowered.inputs[source].name, lowered.func.body
    is_read = any(
        isinstance(one, L.Load) and one.buffer.name == name
        for stmt in L.statements(body)
        for expr in L.expressions(stmt)
        for one in L.walk(expr)
    )
    return not is_read or reads_its_own(body, name, lowered.outputs[position].name)


def _move_readers(nodes: list[Node], writer: Node, operand: Value) -> None:
    """Moves what reads an operand, and what that needs, to before the node that overwrites it."""
    position = nodes.index(writer)
    later = nodes[position + 1 :]
    wanted: set[Value] = set()
    needed: set[Node] = set()
    for node in reversed(later):
        if operand in node.operands or not wanted.isdisjoint(node.results):
            needed.add(node)
            wanted.update(node.operands)
    if needed and wanted.isdisjoint(writer.results):
        first = [node for node in later if node in needed]
        nodes[position:] = [*first, writer, *(node for node in later if node not in needed)]


__all__ = ["Overwriting"]
