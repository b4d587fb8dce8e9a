"""plan: a graph of fusions -> kernels in running order, and a place for every buffer.

Buffers are the entry's inputs, its results, constants inside the object or in a table, and
temporaries in one arena. A temporary's bytes are free again after the last kernel that reads it; a
symbolic size is only given to an equal one.

What depends on constants only, and the packing of constants, runs once, when the code is loaded:
the program `graph_setup` writes it into a block that every call reads, `graph_kept`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field

import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..ir import Graph, Literal, Node, Value, make, param
from ..loops import ir as L
from ..loops.choice import ESTIMATE, Choice
from ..loops.lower import Lowered, lower
from ..loops.machine import L2_BYTES, Machine
from ..loops.schedule import Scheduled, schedule_for
from ..loops.text import print_loops
from ..ops.fusion import FUSION
from ..types import Dim, Extent
from .entry import Launch
from .llvm_values import Isa

Chooser = Callable[[Node, Collection[Value], Mapping[int, tuple[L.Index, ...]]], Choice]
"""What of a kernel's schedule was measured: asked with its node, the values that are the same in
every call, and the strides of operands (by position) that have strides of their own."""
ALIGN = 64
EMBED_BYTES = 16 << 10
"""Constants up to this size are data of the object;
larger ones stay arrays, and the object has a table of pointers.
"""
KEPT_BYTES = 64 << 20
KEPT_GROWTH = 4
"""A value that depends on constants only is kept between calls if it has at most KEPT_BYTES, or
KEPT_GROWTH times the bytes that it is made of.
"""


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


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is printed for one graph.

    `setup` and `setup_kernels` are what runs when the code is loaded: it writes `kept` bytes, and
    needs `setup_arena` bytes while it runs. `slots` gives the place of each symbol in the entry's
    extents; `dims` all results' extents one after another; `arena` bytes (perhaps symbolic);
    `messages` the texts of error codes 1, 2...
    """

    graph: Graph
    kernels: tuple[Kernel, ...]
    launches: tuple[Launch, ...]
    setup_kernels: tuple[Kernel, ...]
    setup: tuple[Launch, ...]
    kept: int
    setup_arena: int
    slots: dict[str, int]
    dims: tuple[Extent, ...]
    arena: Extent
    embedded: tuple[Literal, ...]
    table: tuple[Literal, ...]
    messages: tuple[str, ...]


@dataclass
class _Arena:
    """First fit over known sizes; equal polynomials share a place."""

    top: Extent = 0
    free: list[tuple[Extent, Extent]] = field(default_factory=list)

    def take(self, nbytes: Extent) -> Extent:
        nbytes = (nbytes + ALIGN - 1) // ALIGN * ALIGN
        for k, (offset, size) in enumerate(self.free):
            if size == nbytes:
                del self.free[k]
                return offset
        for k, (offset, size) in enumerate(self.free):
            if isinstance(size, int) and isinstance(nbytes, int) and size > nbytes:
                self.free[k] = (offset + nbytes, size - nbytes)
                return offset
        offset, self.top = self.top, self.top + nbytes
        return offset

    def give(self, offset: Extent, nbytes: Extent) -> None:
        nbytes = (nbytes + ALIGN - 1) // ALIGN * ALIGN
        if isinstance(offset, int) and isinstance(nbytes, int):
            for k, (other, size) in enumerate(self.free):
                if isinstance(other, int) and isinstance(size, int):
                    if other + size == offset:
                        del self.free[k]
                        return self.give(other, size + nbytes)
                    if offset + nbytes == other:
                        del self.free[k]
                        return self.give(offset, nbytes + size)
        self.free.append((offset, nbytes))


def distinct_results(graph: Graph) -> Graph:
    """The graph with a copy for every result that is named twice,
    so that each has a buffer of its own.
    """
    seen: set[Value] = set()
    results: list[Value] = []
    copies: list[Node] = []
    for value in graph.results:
        if value in seen:
            copies.append(_copy(value))
            value = copies[-1].results[0]
        seen.add(value)
        results.append(value)
    if all(a is b for a, b in zip(results, graph.results, strict=True)):
        return graph
    return Graph(graph.name, graph.params, (*graph.nodes, *copies), tuple(results))


def separate_aliases(graph: Graph, aliases: Mapping[int, int]) -> Graph:
    """The graph in which a result may be written over the parameter that it replaces.

    That is safe where one kernel reads the parameter last and writes each element after it has read
    the same element; elsewhere the result is made apart and copied at the end.
    """
    results = list(graph.results)
    copies: list[Node] = []
    for k, i in aliases.items():
        if not _writes_in_place(graph, results[k], graph.params[i]):
            copies.append(_copy(results[k]))
            results[k] = copies[-1].results[0]
    if not copies:
        return graph
    return Graph(graph.name, graph.params, (*graph.nodes, *copies), tuple(results))


def _writes_in_place(graph: Graph, result: Value, parameter: Value) -> bool:
    writer = result.node
    if writer.op is not FUSION or graph.results.count(result) != 1:
        return False
    position = graph.nodes.index(writer)
    if any(parameter in node.operands for node in graph.nodes[position + 1 :]):
        return False
    if parameter not in writer.operands:
        return True
    lowered = lower(writer.attrs["body"], "probe")
    source = lowered.inputs[writer.operands.index(parameter)].name
    target = lowered.outputs[result.index].name
    places: set[tuple[L.Index, ...]] = set()
    written = False
    for stmt in L.statements(lowered.func.body):
        if isinstance(stmt, (L.Accumulate, L.Transpose)):
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


def _copy(value: Value) -> Node:
    inner = param(value.type, "p0")
    return make(FUSION, (value,), {"body": Graph("body", (inner,), (), (inner,))})


def plan(
    graph: Graph,
    machine: Machine,
    strided: Sequence[int] = (),
    aliases: Mapping[int, int] | None = None,
    check_finite: bool = False,
    choose: Chooser | None = None,
) -> Plan:
    """Lowers and schedules every fusion and places every buffer.

    `strided` lists the parameters that may have any strides; these are passed in the extents, after
    the symbols. `aliases` says which results are written over which (donated) parameters.
    `check_finite` reports the first op that makes a NaN or an infinity. `choose` is asked for what
    is measured of each kernel that runs in a call.
    """
    graph = separate_aliases(distinct_results(graph), aliases or {})
    constants: set[Value] = set()
    slots: dict[str, int] = {s: k for k, s in enumerate(graph.symbols)}
    strides: dict[Value, tuple[L.Index, ...]] = {}
    for k in strided:
        names = [f"x{k}_stride{axis}" for axis in range(graph.params[k].type.rank)]
        strides[graph.params[k]] = tuple(Dim.symbol(n) for n in names)
        for name in names:
            slots[name] = len(slots)
    places: dict[Value, tuple[str, object]] = {v: ("buffer", k) for k, v in enumerate(graph.params)}
    for k, value in enumerate(graph.results):
        places[value] = ("buffer", len(graph.params) + k)
    embedded: list[Literal] = []
    table: list[Literal] = []
    last_use: dict[Value, int] = {}
    for k, node in enumerate(graph.nodes):
        for value in node.operands:
            last_use[value] = k
    arena, kept, scratch = _Arena(), _Arena(), _Arena()
    kernels: list[Kernel] = []
    launches: list[Launch] = []
    setup_kernels: list[Kernel] = []
    setup: list[Launch] = []
    packed: dict[tuple[str, tuple[tuple[str, object], ...]], list[tuple[str, object]]] = {}
    messages: list[str] = []
    known: dict[tuple[str, tuple[str, ...]], Kernel] = {}
    for k, node in enumerate(graph.nodes):
        if node.op.name == "constant":
            _place_constant(node, places, embedded, table)
            constants.update(node.results)
            continue
        early = constants.issuperset(node.operands) and not check_finite and _is_kept(graph, node)
        kernel = _kernel(
            node, machine, strides, known, messages, check_finite, () if early else constants,
            None if early else choose,
        )  # fmt: skip
        if early and not kernel.naive.messages:
            constants.update(node.results)
            setup_kernels.append(kernel)
            for value in node.results:
                places[value] = ("kept", kept.take(value.type.nbytes))
            temps = [
                (t, scratch.take(ty.product(t.shape) * t.dtype.nbytes))
                for t in kernel.scheduled.temps
            ]
            arguments = [places[v] for v in (*node.operands, *node.results)]
            arguments += [("arena", offset) for _, offset in temps]
            setup.append(Launch(kernel.name, tuple(arguments), ()))
            for temp, offset in temps:
                scratch.give(offset, ty.product(temp.shape) * temp.dtype.nbytes)
            continue
        kernels.append(kernel)
        for value in node.results:
            if value not in places:
                places[value] = ("arena", arena.take(value.type.nbytes))
        temps = [
            (t, arena.take(ty.product(t.shape) * t.dtype.nbytes)) for t in kernel.scheduled.temps
        ]
        arguments = [places[v] for v in (*node.operands, *node.results)]
        arguments += [("arena", offset) for _, offset in temps]
        if kernel.schedule.packing is not None:
            inputs = tuple(places[v] for v in node.operands if v in constants)
            name = kernel.schedule.packing.name
            if (name, inputs) not in packed:
                blocks: list[tuple[str, object]] = [
                    ("kept", kept.take(ty.product(t.shape) * t.dtype.nbytes))
                    for t in kernel.schedule.packed
                ]
                packed[name, inputs] = blocks
                setup.append(Launch(name, (*inputs, *blocks), ()))
            arguments += packed[name, inputs]
        launches.append(Launch(kernel.name, tuple(arguments), kernel.scheduled.func.symbols))
        for temp, offset in temps:
            arena.give(offset, ty.product(temp.shape) * temp.dtype.nbytes)
        for value in dict.fromkeys((*node.operands, *node.results)):
            place, offset = places[value]
            if place == "arena" and last_use.get(value, -1) <= k:
                assert isinstance(offset, (int, Dim))
                arena.give(offset, value.type.nbytes)
    dims = tuple(e for v in graph.results for e in v.type.shape)
    assert isinstance(kept.top, int) and isinstance(scratch.top, int)
    return Plan(
        graph, tuple(kernels), tuple(launches), tuple(setup_kernels), tuple(setup), kept.top,
        scratch.top, slots, dims, arena.top, tuple(embedded), tuple(table), tuple(messages),
    )  # fmt: skip


def _is_kept(graph: Graph, node: Node) -> bool:
    """Whether what depends on constants only is worth its memory between calls."""
    if not node.operands or node.attrs["body"].symbols:
        return False
    if any(value in graph.results for value in node.results):
        return False
    made = sum(v.type.nbytes for v in node.results)
    given = sum(v.type.nbytes for v in node.operands)
    return isinstance(made, int) and made <= max(KEPT_BYTES, KEPT_GROWTH * given)


def _place_constant(
    node: Node,
    places: dict[Value, tuple[str, object]],
    embedded: list[Literal],
    table: list[Literal],
) -> None:
    literal = node.attrs["value"]
    value = node.results[0]
    if value in places:
        return  # a constant result is copied by a fusion of its own
    if literal.array.nbytes <= EMBED_BYTES:
        places[value] = ("constant", f"constant{len(embedded)}")
        embedded.append(literal)
    else:
        places[value] = ("table", len(table))
        table.append(literal)


def _kernel(
    node: Node,
    machine: Machine,
    strides: dict[Value, tuple[L.Index, ...]],
    known: dict[tuple[str, tuple[str, ...]], Kernel],
    messages: list[str],
    check_finite: bool,
    constants: Collection[Value],
    choose: Chooser | None,
) -> Kernel:
    body = node.attrs["body"]
    own = {k: strides[v] for k, v in enumerate(node.operands) if v in strides}
    name = f"k{len(known)}_{kernel_name(body)}"
    naive = lower(body, name, own, check_finite)
    # error codes are positions in one table for the whole entry
    first = len(messages)
    messages.extend(naive.messages)
    if naive.messages:
        func = naive.func
        func = L.LoopFunc(
            func.name, func.params, func.symbols, tuple(_shift(s, first) for s in func.body)
        )
        naive = Lowered(func, naive.inputs, naive.outputs, naive.temps, naive.messages)
    text = print_loops(L.LoopFunc("kernel", naive.func.params, naive.func.symbols, naive.func.body))
    names = tuple(
        b.name for v, b in zip(node.operands, naive.inputs, strict=True) if v in constants
    )
    key = (text, names)
    found = known.get(key)
    if found is None:
        choice = ESTIMATE if choose is None else choose(node, constants, own)
        found = Kernel(name, node, naive, schedule_for(naive, machine, names, choice))
        known[key] = found
    return Kernel(found.name, node, found.naive, found.schedule)


def _shift(stmt: L.Stmt, first: int) -> L.Stmt:
    if isinstance(stmt, L.Fail):
        return L.Fail(stmt.cond, stmt.code + first)
    if isinstance(stmt, L.For):
        return L.For(stmt.var, stmt.extent, stmt.kind, tuple(_shift(s, first) for s in stmt.body))
    if isinstance(stmt, L.If):
        then = tuple(_shift(s, first) for s in stmt.then)
        return L.If(stmt.cond, then, tuple(_shift(s, first) for s in stmt.otherwise))
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


def machine_of(isa: Isa, l2_bytes: int = L2_BYTES) -> Machine:
    """What schedules want to know of a target."""
    return Machine(isa.vector_bits // 8, isa.registers, dots=isa.dots, l2_bytes=l2_bytes)


def constant_bytes(literal: Literal) -> bytes:
    """The bytes of a constant as kernels read them."""
    return np.ascontiguousarray(literal.array).tobytes()
