"""Kernels of a program: fusions lowered and scheduled, each once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from graphc_runtime.records import dataclass

from ..ir import Graph, Node, Value, make, param, signature
from ..loops import ir as L
from ..loops.choice import ESTIMATE, Choice
from ..loops.lower import Lowered, lower
from ..loops.machine import Machine
from ..loops.schedule import Scheduled, schedule_for
from ..loops.text import print_loops
from ..ops.fusion import FUSION
from ..types import Dim

Chooser = Callable[[Node, Collection[Value], Mapping[int, tuple[L.Index, ...]]], Choice]
"""What of a kernel's schedule was measured: asked with its node, the values that are the same in
every call, and the strides of operands (by position) that have strides of their own."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: the fusion it came from, its naive and its scheduled loops."""

    name: str
    node: Node
    naive: Lowered
    schedule: Scheduled

    @property
    def scheduled(self) -> Lowered:
        """The loops that run in a call."""
        return self.schedule.main

    @property
    def functions(self) -> tuple[L.LoopFunc, ...]:
        """All its loops: what packs constants for it, and itself."""
        packing = self.schedule.packing
        return (self.scheduled.func,) if packing is None else (packing, self.scheduled.func)


@dataclass
class Kernels:
    """Makes kernels; those with equal loops are one. `messages` are the texts of error codes."""

    machine: Machine
    check_finite: bool = False
    messages: list[str] = field(default_factory=list)
    known: dict[tuple[str, tuple[str, ...]], Kernel] = field(default_factory=dict)
    lowered: dict[tuple[Any, ...], tuple[Lowered, str]] = field(default_factory=dict)
    """By bodies, and how their operands and results lie in memory."""

    def kernel(
        self,
        node: Node,
        strides: Mapping[Value, tuple[L.Index, ...]],
        constants: Collection[Value],
        choose: Chooser | None,
        over: Collection[int] = (),
    ) -> Kernel:
        """The kernel of a fusion; `over` as for `lower`."""
        body = node.attrs["body"]
        own = {k: strides[v] for k, v in enumerate(node.operands) if v in strides}
        naive, text = self._lowered(body, own, over)
        names = tuple(
            b.name for v, b in zip(node.operands, naive.inputs, strict=True) if v in constants
        )
        key = (text, names)
        found = self.known.get(key)
        if found is None:
            choice = ESTIMATE if choose is None or over else choose(node, constants, own)
            name = f"k{len(self.known)}_{kernel_name(body)}"
            naive = replace(naive, func=replace(naive.func, name=name))
            found = Kernel(name, node, naive, schedule_for(naive, self.machine, names, choice))
            self.known[key] = found
        return Kernel(found.name, node, found.naive, found.schedule)

    def _lowered(
        self, body: Graph, own: Mapping[int, tuple[L.Index, ...]], over: Collection[int]
    ) -> tuple[Lowered, str]:
        """The loops of a body and their text. Equal bodies are lowered once, unless they say where
        in the program they stand.
        """
        key = signature(body), tuple(sorted(own.items())), tuple(sorted(over))
        found = self.lowered.get(key)
        if found is not None:
            return found
        naive = lower(body, "kernel", dict(own), self.check_finite, over)
        if not naive.messages:
            self.lowered[key] = naive, print_loops(naive.func)
            return self.lowered[key]
        # error codes are positions in one table for the whole entry
        first = len(self.messages)
        self.messages.extend(naive.messages)
        moved = tuple(shifted(s, first) for s in naive.func.body)
        naive = replace(naive, func=replace(naive.func, body=moved))
        return naive, print_loops(naive.func)


def shifted(stmt: L.Stmt, first: int) -> L.Stmt:
    if isinstance(stmt, L.Fail):
        return L.Fail(stmt.cond, stmt.code + first)
    if isinstance(stmt, L.For):
        return L.For(stmt.var, stmt.extent, stmt.kind, tuple(shifted(s, first) for s in stmt.body))
    if isinstance(stmt, L.If):
        then = tuple(shifted(s, first) for s in stmt.then)
        return L.If(stmt.cond, then, tuple(shifted(s, first) for s in stmt.otherwise))
    return stmt


def kernel_name(body: Graph) -> str:
    """A name that says what a kernel does: its last few distinct ops."""
    ops: dict[str, None] = {}
    for node in reversed(body.nodes):
        if node.op.kind not in ("creation", "movement"):
            ops[
                node.attrs.get("kind", node.op.name) if node.op.name == "reduce" else node.op.name
            ] = None
    words = list(reversed(list(ops)[:4])) or ["copy"]
    return "_".join(words)


def copy_of(value: Value) -> Node:
    """A kernel's node that copies a value."""
    inner = param(value.type, "p0")
    return make(FUSION, (value,), {"body": Graph("body", (inner,), (), (inner,))})


def distinct_results(graph: Graph) -> Graph:
    """The graph with a copy for every result that is named twice,
    so that each has a buffer of its own.
    """
    seen: set[Value] = set()
    results: list[Value] = []
    copies: list[Node] = []
    for value in graph.results:
        if value in seen:
            copies.append(copy_of(value))
            value = copies[-1].results[0]
        seen.add(value)
        results.append(value)
    if all(a is b for a, b in zip(results, graph.results, strict=True)):
        return graph
    return Graph(graph.name, graph.params, (*graph.nodes, *copies), tuple(results))


def separate_aliases(
    graph: Graph, aliases: Mapping[int, int], may: Callable[[Graph, Value, Value], bool]
) -> Graph:
    """The graph in which a result may be written over the parameter that it replaces.

    Where it may not, the result is made apart and copied at the end.
    """
    results = list(graph.results)
    copies: list[Node] = []
    for k, i in aliases.items():
        if not may(graph, results[k], graph.params[i]):
            copies.append(copy_of(results[k]))
            results[k] = copies[-1].results[0]
    if not copies:
        return graph
    return Graph(graph.name, graph.params, (*graph.nodes, *copies), tuple(results))


def writes_in_place(
    graph: Graph, result: Value, parameter: Value, known: dict[tuple[Any, ...], bool]
) -> bool:
    """Whether a result may be written where a parameter is, which nothing needs afterwards.

    That is safe where one kernel reads the parameter last and writes each element after it has read
    the same element. `known` keeps what was found of kernels.
    """
    writer = result.node
    if writer.op is not FUSION and writer.op.kind != "control":
        return False
    if graph.results.count(result) > 1:
        return False
    position = graph.nodes.index(writer)
    if any(parameter in node.operands for node in graph.nodes[position + 1 :]):
        return False
    if parameter not in writer.operands:
        return True
    if writer.op.kind == "control":
        return _continues(writer, result, parameter)
    body, place = writer.attrs["body"], writer.operands.index(parameter)
    key = signature(body), place, result.index
    if key not in known:
        known[key] = _overwrites(body, place, result.index)
    return known[key]


def _overwrites(body: Graph, operand: int, result: int) -> bool:
    """Whether a kernel has read each element of an operand when it writes that of a result."""
    lowered = lower(body, "probe")
    source, target = lowered.inputs[operand].name, lowered.outputs[result].name
    if any(node.op.stored for node in body.nodes):
        return _reads_rows_before(lowered.func.body, source, target)
    return reads_its_own(lowered.func.body, source, target)


def reads_its_own(body: tuple[L.Stmt, ...], source: str, target: str) -> bool:
    """Whether each element of the target is written after the same element of the source, the only
    one that it is made of.
    """
    places: set[tuple[L.Index, ...]] = set()
    written = False
    for stmt in L.statements(body):
        if isinstance(stmt, (L.Accumulate, L.Transpose, L.Call)):
            return False
        for expr in L.expressions(stmt):
            for one in L.walk(expr):
                if isinstance(one, L.Load) and one.buffer.name == source:
                    if written:
                        return False  # another result of the kernel needs the old element
                    places.add(one.index)
        if isinstance(stmt, L.Store) and stmt.buffer.name == target:
            places.add(stmt.index)
            written = True
    return len(places) == 1


def _reads_rows_before(body: tuple[L.Stmt, ...], source: str, target: str) -> bool:
    """Whether rows of the source are read in the nest of a product, each for the same row of it,
    and a later nest, which reduces these rows, writes the target.

    So a row is read before it is written, also where the schedule does both nests block of rows by
    block of rows (`loops.rowend`).
    """
    reads = [(k, *one) for k, s in enumerate(body) for one in _accesses(s, source)]
    writes = [(k, *one) for k, s in enumerate(body) for one in _accesses(s, target)]
    if not reads or max(k for k, _, _ in reads) >= min(k for k, _, _ in writes):
        return False
    kept = {
        len(s.buffer.shape)
        for s in L.statements(body)
        if isinstance(s, L.Store) and s.buffer.access == "temp" and s.buffer.space == "global"
    }
    return all(
        kept == {len(index)} and len(vars) >= len(index) and index[:-1] == vars[: len(index) - 1]
        for _, vars, index in (*reads, *writes)
    )


def _accesses(
    stmt: L.Stmt, buffer: str, around: tuple[L.Index, ...] = ()
) -> Iterator[tuple[tuple[L.Index, ...], tuple[L.Index, ...]]]:
    """Where a buffer is read or written: the variables of the loops around, and the index."""
    if isinstance(stmt, (L.Store, L.Accumulate)) and stmt.buffer.name == buffer:
        yield around, stmt.index
    for expr in L.expressions(stmt):
        for one in L.walk(expr):
            if isinstance(one, L.Load) and one.buffer.name == buffer:
                yield around, one.index
    if isinstance(stmt, L.For):
        for inner in stmt.body:
            yield from _accesses(inner, buffer, (*around, Dim.symbol(stmt.var)))
    elif isinstance(stmt, L.If):
        for inner in (*stmt.then, *stmt.otherwise):
            yield from _accesses(inner, buffer, around)


def _continues(writer: Node, result: Value, parameter: Value) -> bool:
    """Whether a loop begins with the parameter as the state that the result is at the end."""
    carries = writer.attrs.get("carries", 0)
    if result.index >= carries or writer.operands.count(parameter) != 1:
        return False
    return writer.operands[result.index] is parameter
