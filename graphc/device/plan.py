"""plan: a graph of fusions -> CUDA kernels in running order, and a place for every buffer.

As codegen/plan.py does for the processor, with the same arena: a temporary's bytes are free again
after the last kernel that reads it, and one allocation serves a whole call. What depends on
constants only runs once, when the program is loaded.

A loop of so many iterations is its kernels launched again and again, with pointers to other rows:
nothing waits, and a captured graph holds all of them. What a loop with a condition, or a choice,
decides is at a place that a kernel writes: a captured graph reads it on the device, the host
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..codegen.arena import Arena
from ..codegen.cuda import CudaKernel, print_cuda, workspace
from ..codegen.cuda_refused import refuse_calls
from ..codegen.kernels import (
    copy_of,
    distinct_results,
    kernel_name,
    separate_aliases,
    shifted,
    writes_in_place,
)
from ..codegen.walk import is_kept
from ..ir import Graph, Literal, Node, Value
from ..loops import ir as L
from ..loops import products as loops
from ..loops.lower import Lowered, lower
from ..loops.schedule_cuda import schedule_cuda
from ..types import Dim, Extent
from .products import Chosen

Place = tuple[str, object]
"""("buffer", k) of parameters and then results, ("arena", byte offset), ("kept", byte offset),
("constant", k), or ("local", name): what a loop around binds."""
ALIGN = 256
COUNT_BYTES = 8
VECTOR_BYTES = 16
"""Kernels take for granted that arrays in order begin at a multiple of it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel with the places of its buffers, and the symbols that follow them."""

    kernel: CudaKernel
    buffers: tuple[Place, ...]
    symbols: tuple[str, ...]
    line: str
    """Where the user's program asks for it."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product of matrices by cuBLASLt, with the places of left, right and result."""

    shape: loops.Product
    places: tuple[Place, Place, Place]
    tf32: bool
    line: str

    def __str__(self) -> str:
        shape = self.shape
        batch = "" if shape.batch == 1 else f"{shape.batch}, "
        name = "tf32" if self.tf32 else shape.dtype.name
        left, right = f"[{batch}{shape.m}, {shape.k}]", f"[{batch}{shape.k}, {shape.n}]"
        return f"{name}{left} @ {name}{right}"


@dataclass(frozen=True, slots=True)
class Copy:
    """Brings bytes from one place to another."""

    source: Place
    target: Place
    nbytes: Extent


@dataclass(frozen=True, slots=True)
class Turn:
    """A state: read at `now`, written at `next`, which change places with each iteration. In the
    end it is at `first`.
    """

    now: str
    next: str
    first: Place
    second: Place
    copy: Launch
    """From `now` to `first`."""
    nbytes: Extent


@dataclass(frozen=True, slots=True)
class Row:
    """Element i along the first axis of an array: `name` is at base + i * step_bytes."""

    name: str
    base: Place
    step_bytes: Extent


@dataclass(frozen=True, slots=True)
class Until:
    """What ends a loop: `steps` leave at `answer` (a bool) whether there is another iteration, of
    which there are at most `limit`; `count` is for the device to count them (an i64)."""

    steps: tuple[Step, ...]
    answer: Place
    count: Place
    limit: int | None


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs `before`, then `body` so often as `length` says, or as `until` says."""

    turns: tuple[Turn, ...]
    rows: tuple[Row, ...]
    before: tuple[Step, ...]
    body: tuple[Step, ...]
    length: Extent | None = None
    reverse: bool = False
    until: Until | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """Runs the arm that the i64 at `index` says; an index outside is the nearest one."""

    index: Place
    arms: tuple[tuple[Step, ...], ...]


Step = Launch | Product | Copy | Loop | Branch


def work(steps: Sequence[Step]) -> Iterator[Launch | Product]:
    """Every launch and product, inside loops and branches too."""
    for step in steps:
        if isinstance(step, (Launch, Product)):
            yield step
        elif isinstance(step, Branch):
            for arm in step.arms:
                yield from work(arm)
        elif isinstance(step, Loop):
            condition = () if step.until is None else step.until.steps
            yield from work((*step.before, *condition, *step.body))
            yield from (turn.copy for turn in step.turns)


def decides(steps: Sequence[Step]) -> bool:
    """Whether what is launched depends on what kernels find."""
    return any(
        isinstance(step, Branch)
        or (
            isinstance(step, Loop)
            and (step.until is not None or decides((*step.before, *step.body)))
        )
        for step in steps
    )


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """Everything that a program on a device is.

    `setup` runs when it is loaded: it writes `kept` bytes and needs `setup_arena` meanwhile.
    `messages` are the texts of error codes 1, 2...
    """

    graph: Graph
    steps: tuple[Step, ...]
    setup: tuple[Launch | Product, ...]
    arena: Extent
    kept: int
    setup_arena: int
    constants: tuple[Literal, ...]
    messages: tuple[str, ...]

    @property
    def launches(self) -> tuple[Launch, ...]:
        """Every launch of a call, each once."""
        return tuple(one for one in work(self.steps) if isinstance(one, Launch))

    @property
    def setup_launches(self) -> tuple[Launch, ...]:
        """Every launch of loading."""
        return tuple(one for one in self.setup if isinstance(one, Launch))

    @property
    def products(self) -> tuple[Product, ...]:
        """Every product by the library, of loading and of a call, each once."""
        return tuple(one for one in (*self.setup, *work(self.steps)) if isinstance(one, Product))

    @property
    def fails(self) -> bool:
        """May a call end in an error of the user's program?"""
        return any(one.kernel.fails for one in self.launches)


class _Planner:
    def __init__(
        self, graph: Graph, strided: Sequence[int], check_finite: bool, arch: str | None,
        chosen: Chosen | None, tf32: bool,
    ):  # fmt: skip
        self.graph, self.check_finite = graph, check_finite
        self.arch, self.chosen, self.tf32 = arch, chosen, tf32
        self.places: dict[Value, Place] = {}
        for k, value in enumerate((*graph.params, *graph.results)):
            self.places[value] = ("buffer", k)
        self.strides: dict[Value, tuple[L.Index, ...]] = {}
        for k in strided:
            rank = graph.params[k].type.rank
            self.strides[graph.params[k]] = tuple(
                Dim.symbol(stride_symbol(k, axis)) for axis in range(rank)
            )
        self.arena, self.kept, self.scratch = Arena(ALIGN), Arena(ALIGN), Arena(ALIGN)
        self.constants: list[Literal] = []
        self.fixed: set[Value] = set()
        self.messages: list[str] = []
        self.setup: list[Launch | Product] = []
        self.depth = 0
        self.number = 0
        """Of kernels and of local names."""

    def run(self) -> DevicePlan:
        steps = self.steps(self.graph)
        kept, scratch = self.kept.top, self.scratch.top
        assert isinstance(kept, int) and isinstance(scratch, int)
        return DevicePlan(
            self.graph, steps, tuple(self.setup), self.arena.top, kept, scratch,
            tuple(self.constants), tuple(self.messages),
        )  # fmt: skip

    # ---------------------------------------------------------------------------------- a graph
    def steps(self, graph: Graph) -> tuple[Step, ...]:
        """The steps of a graph, whose parameters and results have places."""
        last: dict[Value, int] = {}
        for k, node in enumerate(graph.nodes):
            for value in node.operands:
                last[value] = k
        own = {v for node in graph.nodes for v in node.results}.difference(graph.results)
        for value in own:
            if value.node.op.name != "constant":  # a body may be that of several loops
                self.places.pop(value, None)
        found: list[Step] = []
        for k, node in enumerate(graph.nodes):
            if node.op.name == "constant":
                self.constant(node)
                continue
            if node.op.kind == "control":
                self.take(node)
                run = {"scan": self.scan, "while": self.while_, "switch": self.switch}
                found += run[node.op.name](node)
            else:
                found += self.kernels(graph, node)
            for value in dict.fromkeys((*node.operands, *node.results)):
                place, offset = self.places[value]
                if place == "arena" and value in own and last.get(value, -1) <= k:
                    assert isinstance(offset, (int, Dim))
                    self.arena.give(offset, value.type.nbytes)
        return tuple(found)

    def constant(self, node: Node) -> None:
        (value,) = node.results
        if value not in self.places:
            self.places[value] = ("constant", len(self.constants))
            self.constants.append(node.attrs["value"])
        self.fixed.add(value)

    def take(self, node: Node) -> None:
        for value in node.results:
            if value not in self.places:
                self.places[value] = ("arena", self.arena.take(value.type.nbytes))

    def kernels(self, graph: Graph, node: Node) -> list[Launch | Product]:
        """The launches of a fusion; none where it runs when the program is loaded."""
        lowered = self.lowered(node)
        refuse_calls(node, lowered.func)
        early = (
            not self.depth and self.fixed.issuperset(node.operands) and not self.check_finite
            and not lowered.messages and is_kept(graph, node)
        )  # fmt: skip
        if early:
            self.fixed.update(node.results)
            for value in node.results:
                self.places[value] = ("kept", self.kept.take(value.type.nbytes))
            self.setup += self.computed(node, lowered, self.scratch)
            return []
        self.take(node)
        return self.computed(node, lowered, self.arena)

    # ------------------------------------------------------------------------------------ loops
    def scan(self, node: Node) -> list[Step]:
        """A loop of so many iterations."""
        body = _closed(node.attrs["body"])
        carries, scanned = node.attrs["carries"], node.attrs["scanned"]
        begin, held = self.begin(node, body, 0, carries + scanned)
        turns, more, blocks = self.states(node, body)
        rows: list[Row] = []
        first: list[Step] = []
        last: list[Step] = []
        for k in range(carries, carries + scanned):
            base, copies, taken = self.plain(node.operands[k])
            begin += copies
            held += taken
            held += self.row(body.params[k], base, rows, first, reads=True)
        for result, row in zip(node.results[carries:], body.results[carries:], strict=True):
            held += self.row(row, self.places[result], rows, last, reads=False)
        steps = (*first, *self.inner(body), *last)
        self.give((*held, *blocks))
        return [Loop(
            turns, tuple(rows), (*begin, *more), steps, length=node.attrs["length"],
            reverse=node.attrs["reverse"],
        )]  # fmt: skip

    def while_(self, node: Node) -> list[Step]:
        """A loop that ends when its condition does not hold."""
        body, cond = _closed(node.attrs["body"]), _closed(node.attrs["cond"])
        carries = node.attrs["carries"]
        begin, held = self.begin(node, body, 0, carries)
        turns, more, blocks = self.states(node, body)
        for own, other in zip(cond.params, body.params, strict=True):
            self.places[own] = self.places[other]
        offset = self.arena.take(1)
        answer: Place = ("arena", offset)
        self.places[cond.results[0]] = answer
        count = self.arena.take(COUNT_BYTES)
        condition = self.inner(cond)
        steps = self.inner(body)
        self.give((*held, *blocks, (offset, 1), (count, COUNT_BYTES)))
        return [Loop(
            turns, (), (*begin, *more), steps,
            until=Until(condition, answer, ("arena", count), node.attrs["limit"]),
        )]  # fmt: skip

    def switch(self, node: Node) -> list[Step]:
        """One of several sequences of steps."""
        index, begin, held = self.plain(node.operands[0])
        arms: list[tuple[Step, ...]] = []
        for branch in node.attrs["branches"]:
            graph = _closed(branch)
            copies, blocks = self.begin(node, graph, 1, 0)
            for result, value in zip(node.results, graph.results, strict=True):
                self.places[value] = self.places[result]
            arms.append((*copies, *self.inner(graph)))
            self.give(blocks)
        self.give(held)
        return [*begin, Branch(index, tuple(arms))]

    def inner(self, graph: Graph) -> tuple[Step, ...]:
        self.depth += 1
        try:
            return self.steps(graph)
        finally:
            self.depth -= 1

    def begin(
        self, node: Node, body: Graph, first: int, own: int
    ) -> tuple[list[Step], list[tuple[Extent, Extent]]]:
        """Places for a body's parameters from `own` on, which stand for operands as they are."""
        steps: list[Step] = []
        held: list[tuple[Extent, Extent]] = []
        for value, operand in zip(body.params[own:], node.operands[first + own :], strict=True):
            self.places[value], copies, blocks = self.plain(operand)
            steps += copies
            held += blocks
        return steps, held

    def plain(self, value: Value) -> tuple[Place, list[Launch], list[tuple[Extent, Extent]]]:
        """Where a value lies in order, the launches that bring it there, and what was taken."""
        if value not in self.strides:
            return self.places[value], [], []
        offset = self.arena.take(value.type.nbytes)
        place: Place = ("arena", offset)
        return place, self.copy(value, self.places[value], place), [(offset, value.type.nbytes)]

    def states(
        self, node: Node, body: Graph
    ) -> tuple[tuple[Turn, ...], list[Step], list[tuple[Extent, Extent]]]:
        """Two places for each state, and the launches that bring the first values there."""
        turns: list[Turn] = []
        begin: list[Step] = []
        held: list[tuple[Extent, Extent]] = []
        for k in range(node.attrs["carries"]):
            init, value, result = node.operands[k], body.params[k], body.results[k]
            now, following = self.local("now"), self.local("next")
            offset = self.arena.take(value.type.nbytes)
            held.append((offset, value.type.nbytes))
            begin += self.copy(init, self.places[init], now)
            self.places[value], self.places[result] = now, following
            home = self.places[node.results[k]]
            (back,) = self.copy(value, now, home)
            turns.append(Turn(
                str(now[1]), str(following[1]), home, ("arena", offset), back, value.type.nbytes
            ))  # fmt: skip
        return tuple(turns), begin, held

    def row(
        self, value: Value, base: Place, rows: list[Row], copies: list[Step], reads: bool
    ) -> list[tuple[Extent, Extent]]:
        """A row of an array is where it is, a pointer; one that may begin anywhere is copied. Gives
        what was taken for that.
        """
        step = value.type.nbytes
        there = self.local("row")
        rows.append(Row(str(there[1]), base, step))
        if isinstance(step, int) and step % VECTOR_BYTES == 0:
            self.places[value] = there
            return []
        offset = self.arena.take(step)
        place = self.places[value] = ("arena", offset)
        copies.append(Copy(there, place, step) if reads else Copy(place, there, step))
        return [(offset, step)]

    def local(self, stem: str) -> Place:
        self.number += 1
        return ("local", f"{stem}{self.number}")

    def copy(self, value: Value, source: Place, target: Place) -> list[Launch]:
        """Brings a value from one place to another."""
        node = copy_of(value)
        before = self.places.get(value)
        self.places[value], self.places[node.results[0]] = source, target
        made = self.launched(node, self.lowered(node), self.arena)
        if before is not None:
            self.places[value] = before
        return made

    def give(self, blocks: Sequence[tuple[Extent, Extent]], arena: Arena | None = None) -> None:
        for offset, nbytes in blocks:
            (self.arena if arena is None else arena).give(offset, nbytes)

    # --------------------------------------------------------------------------------- a kernel
    def lowered(self, node: Node) -> Lowered:
        body, k = node.attrs["body"], self.number
        self.number += 1
        own = {p: self.strides[v] for p, v in enumerate(node.operands) if v in self.strides}
        lowered = lower(body, f"k{k}_{kernel_name(body)}", own, self.check_finite)
        first = len(self.messages)
        self.messages.extend(lowered.messages)
        if not lowered.messages or not first:
            return lowered
        func = lowered.func
        return replace(
            lowered, func=replace(func, body=tuple(shifted(s, first) for s in func.body))
        )

    def computed(self, node: Node, lowered: Lowered, arena: Arena) -> list[Launch | Product]:
        """The launches of a kernel, or the library's product and what follows it."""
        parts = None
        if self.chosen is not None and not self.check_finite:
            parts = self.chosen.parts(lowered.func)
        if parts is None or self.chosen is None:
            return [*self.launched(node, lowered, arena)]
        places, held = self.given(node, lowered), []
        made: list[list[Launch] | loops.Product] = []
        for part in parts:
            whole = isinstance(part, loops.Product)
            made.append(part if whole else self.scheduled(node, part, places, held, arena))
        self.give(held, arena)
        steps: list[Launch | Product] = []
        for one in made:  # the places of factors and results are known now
            if isinstance(one, loops.Product):
                left, right, result = (
                    places[matrix.buffer.name] for matrix in (one.left, one.right, one.result)
                )
                matrices = left, right, result
                steps.append(Product(one, matrices, self.chosen.tf32, _line(node)))
            else:
                steps += one
        return steps

    def launched(self, node: Node, lowered: Lowered, arena: Arena) -> list[Launch]:
        held: list[tuple[Extent, Extent]] = []
        made = self.scheduled(node, lowered.func, self.given(node, lowered), held, arena)
        self.give(held, arena)
        return made

    def given(self, node: Node, lowered: Lowered) -> dict[str, Place]:
        """The places of a kernel's operands and results, by the names of their buffers."""
        buffers = zip(
            (*lowered.inputs, *lowered.outputs), (*node.operands, *node.results), strict=True
        )
        return {buffer.name: self.places[value] for buffer, value in buffers}

    def scheduled(
        self, node: Node, func: L.LoopFunc, places: dict[str, Place],
        held: list[tuple[Extent, Extent]], arena: Arena,
    ) -> list[Launch]:  # fmt: skip
        """The launches of a function; its workspace is added to the places and to what is held.
        Its parameters are known by their names to the other parts of a kernel."""
        shared = {buffer.name for buffer in func.params if buffer.name in places}
        func = schedule_cuda(func, self.arch, self.tf32)
        for buffer in workspace(func):
            if buffer.name in shared:
                continue
            nbytes = ty.product(buffer.shape) * buffer.dtype.nbytes
            offset = arena.take(nbytes)
            held.append((offset, nbytes))
            places[buffer.name] = ("arena", offset)
        launches: list[Launch] = []
        for kernel in print_cuda(func):
            buffers = tuple(places[p.name] for p in kernel.params if not isinstance(p, str))
            symbols = tuple(p for p in kernel.params if isinstance(p, str))
            launches.append(Launch(kernel, buffers, symbols, _line(node)))
        return launches


def _closed(graph: Graph) -> Graph:
    """The body with results that kernels or loops of its own make, each once."""
    results: list[Value] = []
    copies: list[Node] = []
    nodes = {node for node in graph.nodes if node.op.name != "constant"}
    for value in graph.results:
        if value.node not in nodes or value in results:
            copies.append(copy_of(value))
            value = copies[-1].results[0]
        results.append(value)
    return Graph(graph.name, graph.params, (*graph.nodes, *copies), tuple(results))


def stride_symbol(parameter: int, axis: int) -> str:
    """The name of a parameter's stride (elements), where it may be any."""
    return f"x{parameter}_stride{axis}"


def _line(node: Node) -> str:
    """The user's line of what a fusion computes last."""
    body: Graph = node.attrs["body"]
    lines = [one.where for one in (node, *reversed(body.nodes)) if one.where is not None]
    return str(lines[0]) if lines else ""


def plan_device(
    graph: Graph,
    strided: Sequence[int] = (),
    aliases: Mapping[int, int] | None = None,
    check_finite: bool = False,
    arch: str | None = None,
    chosen: Chosen | None = None,
    tf32: bool = False,
) -> DevicePlan:
    """Lowers, schedules and prints every fusion and places every buffer; arguments as
    `codegen.plan.plan`, `arch` and `tf32` as `schedule_cuda`. `chosen` says which products are the
    library's; None: none."""

    def may(graph: Graph, result: Value, parameter: Value) -> bool:
        # a loop writes its states in turn at two places, one of them the result's
        return result.node.op.kind != "control" and writes_in_place(graph, result, parameter, {})

    graph = separate_aliases(distinct_results(graph), aliases or {}, may)
    return _Planner(graph, strided, check_finite, arch, chosen, tf32).run()
