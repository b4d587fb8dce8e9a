"""walk: the walk through a graph of fusions that makes steps of it, and gives every value a place.

As codegen/walk.py does for the processor. A loop's states have two places each, read and written in
turn; rows of what is scanned are pointers, or copies where kernels could not read them.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc_runtime.gpu_steps import Copy
from graphc_runtime.steps import Branch, Loop, Place, Row, Turn, Until

from ..codegen.arena import Arena, Block
from ..codegen.cuda_refused import refuse_calls
from ..codegen.kernels import copy_of
from ..codegen.walk import is_kept
from ..ir import Graph, Literal, Node, Value
from ..loops import ir as L
from ..types import Dim
from . import steps as s
from .kernels import Kernels, give
from .products import Chosen
from .steps import Launch, Product, Step, stride_symbol

ALIGN = 256
COUNT_BYTES = 8
VECTOR_BYTES = 16
"""Kernels take for granted that arrays in order begin at a multiple of it."""


class Walk:
    """Plans one program."""

    def __init__(
        self, graph: Graph, strided: Sequence[int], check_finite: bool, arch: str | None,
        chosen: Chosen | None, tf32: bool,
    ):  # fmt: skip
        self.places: dict[Value, Place] = {}
        for k, value in enumerate((*graph.params, *graph.results)):
            self.places[value] = ("buffer", k)
        self.strides: dict[Value, tuple[L.Index, ...]] = {
            value: tuple(Dim.symbol(stride_symbol(k, axis)) for axis in range(value.type.rank))
            for k, value in enumerate(graph.params)
            if k in strided
        }
        self.make = Kernels(self.places, self.strides, check_finite, arch, chosen, tf32)
        self.arena, self.kept, self.scratch = Arena(ALIGN), Arena(ALIGN), Arena(ALIGN)
        self.constants: list[Literal] = []
        self.fixed: set[Value] = set()
        self.setup: list[Launch | Product] = []
        self._depth = 0
        self._names = 0

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
        lowered = self.make.lowered(node)
        refuse_calls(node, lowered.func)
        early = (
            not self._depth and self.fixed.issuperset(node.operands)
            and not self.make.check_finite and not lowered.messages and is_kept(graph, node)
        )  # fmt: skip
        if early:
            self.fixed.update(node.results)
            for value in node.results:
                self.places[value] = ("kept", self.kept.take(value.type.nbytes))
            self.setup += self.make.computed(node, lowered, self.scratch)
            return []
        self.take(node)
        return self.make.computed(node, lowered, self.arena)

    # ------------------------------------------------------------------------------------ loops
    def scan(self, node: Node) -> list[Step]:
        """A loop of so many iterations."""
        body = _closed(node.attrs["body"])
        carries, scanned = node.attrs["carries"], node.attrs["scanned"]
        begin, held = self.begin(node, body, 0, carries + scanned)
        turns, more, blocks = self.states(node, body)
        rows: list[s.Row] = []
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
        give((*held, *blocks), self.arena)
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
        give((*held, *blocks, (offset, 1), (count, COUNT_BYTES)), self.arena)
        return [Loop(
            turns, (), (*begin, *more), steps,
            until=Until(condition, answer, node.attrs["limit"], ("arena", count)),
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
            give(blocks, self.arena)
        give(held, self.arena)
        return [*begin, Branch(index, tuple(arms))]

    def inner(self, graph: Graph) -> tuple[Step, ...]:
        self._depth += 1
        try:
            return self.steps(graph)
        finally:
            self._depth -= 1

    def begin(
        self, node: Node, body: Graph, first: int, own: int
    ) -> tuple[list[Step], list[Block]]:
        """Places for a body's parameters from `own` on, which stand for operands as they are."""
        steps: list[Step] = []
        held: list[Block] = []
        for value, operand in zip(body.params[own:], node.operands[first + own :], strict=True):
            self.places[value], copies, blocks = self.plain(operand)
            steps += copies
            held += blocks
        return steps, held

    def plain(self, value: Value) -> tuple[Place, list[Launch], list[Block]]:
        """Where a value lies in order, the launches that bring it there, and what was taken."""
        if value not in self.strides:
            return self.places[value], [], []
        offset = self.arena.take(value.type.nbytes)
        place: Place = ("arena", offset)
        return place, self.copy(value, self.places[value], place), [(offset, value.type.nbytes)]

    def states(self, node: Node, body: Graph) -> tuple[tuple[s.Turn, ...], list[Step], list[Block]]:
        """Two places for each state, and the launches that bring the first values there."""
        turns: list[s.Turn] = []
        begin: list[Step] = []
        held: list[Block] = []
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
        self, value: Value, base: Place, rows: list[s.Row], copies: list[Step], reads: bool
    ) -> list[Block]:
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
        self._names += 1
        return ("local", f"{stem}{self._names}")

    def copy(self, value: Value, source: Place, target: Place) -> list[Launch]:
        """Brings a value from one place to another."""
        node = copy_of(value)
        before = self.places.get(value)
        self.places[value], self.places[node.results[0]] = source, target
        made = self.make.launched(node, self.make.lowered(node), self.arena)
        if before is not None:
            self.places[value] = before
        return made


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
