"""The walk through a graph of fusions that makes steps of it: kernels in running order, a place for
every value, and native loops and branches for the nodes of `graphc.ops.control`.

How a loop runs:
- A state has a place that its body reads and writes. Where one kernel reads each element before it
  writes it, and nothing reads the state later, that is one place; else there are two, in turn.
- A row of what is scanned is where it is: a pointer. So is the row that an output goes to.
- The body's temporaries are planned once; every iteration uses the same ones.
- What a product packs of a value that is the same in all iterations is packed before the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field

from graphc_runtime.records import dataclass
from graphc_runtime.steps import Branch, Loop, Place, Row, Turn, Until

from .. import types as ty
from ..ir import Graph, Literal, Node, Value
from ..loops import ir as L
from ..types import Dim, Extent
from . import steps as s
from .arena import Arena
from .kernels import Chooser, Kernel, Kernels, copy_of
from .overwrite import Overwriting
from .steps import Launch, Step

EMBED_BYTES = 16 << 10
"""Constants up to this size are data of the object;
larger ones stay arrays, and the object has a table of pointers.
"""
KEPT_BYTES = 64 << 20
KEPT_GROWTH = 4
"""A value that depends on constants only is kept between calls if it has at most KEPT_BYTES, or
KEPT_GROWTH times the bytes that it is made of.
"""
Strides = Mapping[Value, tuple[L.Index, ...]]


@dataclass
class Scope:
    """One graph on the way: the whole program, or the body of a loop or a branch."""

    graph: Graph
    places: dict[Value, Place]
    strides: dict[Value, tuple[L.Index, ...]] = field(default_factory=dict)
    constants: set[Value] = field(default_factory=set)
    """Values that are the same in every call."""
    joined: set[Value] = field(default_factory=set)
    """Values that are where a parameter and a result are."""

    def join(self, values: Iterable[Value], place: Place) -> None:
        """Puts values on the line between a parameter and a result where these are."""
        self.joined.update(values)
        self.places.update(dict.fromkeys(values, place))


@dataclass
class Frame:
    """A loop around: what is the same in all of its iterations, and what is done before it."""

    invariant: frozenset[Place]
    since: int
    """How many places of the arena had been taken before it."""
    before: list[Step] = field(default_factory=list)
    blocks: list[tuple[Extent, Extent]] = field(default_factory=list)
    """Places of the arena that are taken until the loop ends, and their bytes."""
    packed: dict[tuple[str, tuple[Place, ...]], list[Place]] = field(default_factory=dict)


class Walk:
    """Plans one program."""

    def __init__(
        self, kernels: Kernels, overwriting: Overwriting, choose: Chooser | None,
        made: Callable[[L.LoopFunc], None],
    ):  # fmt: skip
        self.make, self.overwriting, self.choose, self.made = kernels, overwriting, choose, made
        self.functions: dict[str, L.LoopFunc] = {}
        self.arena, self.kept, self.scratch = Arena(), Arena(), Arena()
        self.kernels: list[Kernel] = []
        self.setup_kernels: list[Kernel] = []
        self.setup: list[Launch] = []
        self.embedded: list[Literal] = []
        self.table: list[Literal] = []
        self.frames: list[Frame] = []
        self._packed: dict[tuple[str, tuple[Place, ...]], list[Place]] = {}
        self._names = 0

    # ---------------------------------------------------------------------------------- a graph
    def steps(self, scope: Scope) -> tuple[Step, ...]:
        """The steps of a graph, whose parameters and results have places."""
        graph, places = scope.graph, scope.places
        last_use: dict[Value, int] = {}
        for k, node in enumerate(graph.nodes):
            for value in node.operands:
                last_use[value] = k
        own = {v for node in graph.nodes for v in node.results}
        own = own.difference(graph.results, scope.joined)
        found: list[Step] = []
        for k, node in enumerate(graph.nodes):
            if node.op.name == "constant":
                self.constant(node, scope)
                continue
            dying = {v for v in node.operands if v in own and last_use[v] == k}
            if node.op.kind == "control":
                own -= self._take_results(node, scope, dying)
                found += {"scan": self.scan, "while": self.while_, "switch": self.switch}[
                    node.op.name
                ](node, scope)
            else:
                early = scope.constants.issuperset(node.operands) and not self.make.check_finite
                if early and is_kept(graph, node) and self.early(node, scope):
                    continue
                own -= self._take_results(node, scope, dying)
                if not self._is_there(node, scope):
                    found.append(self.launch(node, scope))
            for value in dict.fromkeys((*node.operands, *node.results)):
                place, offset = places[value]
                if place == "arena" and value in own and last_use.get(value, -1) <= k:
                    assert isinstance(offset, (int, Dim))
                    self.arena.give(offset, value.type.nbytes)
        return tuple(found)

    def constant(self, node: Node, scope: Scope) -> None:
        """A constant in the object, or in the table of pointers."""
        literal, value = node.attrs["value"], node.results[0]
        scope.constants.add(value)
        if value in scope.places:
            return  # a constant result is copied by a fusion of its own
        if literal.array.nbytes <= EMBED_BYTES:
            scope.places[value] = ("constant", f"constant{len(self.embedded)}")
            self.embedded.append(literal)
        else:
            scope.places[value] = ("table", len(self.table))
            self.table.append(literal)

    def early(self, node: Node, scope: Scope) -> bool:
        """A kernel that depends on constants only runs when the code is loaded."""
        kernel = self.make.kernel(node, scope.strides, (), None)
        if kernel.naive.messages:
            return False
        scope.constants.update(node.results)
        self._use(kernel, self.setup_kernels)
        for value in node.results:
            scope.places[value] = ("kept", self.kept.take(value.type.nbytes))
        temps = [(self.scratch.take(_nbytes(t)), _nbytes(t)) for t in kernel.scheduled.temps]
        arguments = [scope.places[v] for v in (*node.operands, *node.results)]
        arguments += [("arena", offset) for offset, _ in temps]
        self.setup.append(Launch(kernel.name, tuple(arguments), ()))
        for offset, nbytes in temps:
            self.scratch.give(offset, nbytes)
        return True

    # --------------------------------------------------------------------------------- a kernel
    def _use(self, kernel: Kernel, among: list[Kernel]) -> None:
        among.append(kernel)
        for func in kernel.functions:
            if func.name not in self.functions:
                self.functions[func.name] = func
                self.made(func)

    def launch(self, node: Node, scope: Scope) -> Launch:
        """One kernel that runs in a call."""
        same = set(scope.constants)
        if self.frames:
            invariant = self.frames[-1].invariant
            same.update(v for v in node.operands if scope.places[v] in invariant)
        over = [
            value.index for value in node.results
            if (before := self.overwriting.changed(value)) is not None
            and scope.places[before] == scope.places[value]
        ]  # fmt: skip
        kernel = self.make.kernel(node, scope.strides, same, self.choose, over)
        self._use(kernel, self.kernels)
        temps = [(self.arena.take(_nbytes(t)), _nbytes(t)) for t in kernel.scheduled.temps]
        arguments = [scope.places[v] for v in (*node.operands, *node.results)]
        arguments += [("arena", offset) for offset, _ in temps]
        if kernel.schedule.packing is not None:
            read = [v for v in node.operands if v in same]
            inputs = tuple(scope.places[v] for v in read)
            arguments += self.packing(kernel, inputs, scope.constants.issuperset(read))
        for offset, nbytes in temps:
            self.arena.give(offset, nbytes)
        return Launch(kernel.name, tuple(arguments), kernel.scheduled.func.symbols)

    def packing(self, kernel: Kernel, inputs: tuple[Place, ...], constant: bool) -> list[Place]:
        """Where a kernel finds what is packed for it: when the code is loaded, or before the
        outermost loop in whose iterations it is the same.
        """
        assert kernel.schedule.packing is not None
        name = kernel.schedule.packing.name
        if constant:
            if (name, inputs) not in self._packed:
                blocks = [("kept", self.kept.take(_nbytes(t))) for t in kernel.schedule.packed]
                self._packed[name, inputs] = [*blocks]
                self.setup.append(Launch(name, (*inputs, *blocks), ()))
            return self._packed[name, inputs]
        frame = next(f for f in self.frames if all(_is_same(p, f) for p in inputs))
        if (name, inputs) not in frame.packed:
            found: list[Place] = []
            for t in kernel.schedule.packed:
                # written before the loop, so not where an earlier kernel of the body has something
                offset = self.arena.take_unused(_nbytes(t), frame.since)
                frame.blocks.append((offset, _nbytes(t)))
                found.append(("arena", offset))
            frame.packed[name, inputs] = found
            symbols = kernel.schedule.packing.symbols
            frame.before.append(Launch(name, (*inputs, *found), symbols))
        return frame.packed[name, inputs]

    def copy(self, value: Value, source: Place, target: Place, strides: Strides) -> list[Launch]:
        """Brings a value from one place to another."""
        if source == target or value.type.size == 0:
            return []
        kernel = self.make.kernel(copy_of(value), strides, (), None)
        self._use(kernel, self.kernels)
        temps = [(self.arena.take(_nbytes(t)), _nbytes(t)) for t in kernel.scheduled.temps]
        places = (source, target, *(("arena", offset) for offset, _ in temps))
        for offset, nbytes in temps:
            self.arena.give(offset, nbytes)
        return [Launch(kernel.name, places, kernel.scheduled.func.symbols)]

    def _take_results(self, node: Node, scope: Scope, dying: Collection[Value]) -> set[Value]:
        """Places for a node's results. Answers those of the dying operands whose place is now a
        result's.
        """
        given: set[Value] = set()
        for value in node.results:
            if value in scope.places:
                continue
            over = (v for v in self.overwriting.overwritten(value) if v in dying)
            before = next((v for v in over if scope.places[v][0] == "arena"), None)
            if before is None:
                scope.places[value] = ("arena", self.arena.take(value.type.nbytes))
            else:
                scope.places[value] = scope.places[before]
                given.add(before)
        return given

    def _is_there(self, node: Node, scope: Scope) -> bool:
        """Whether a kernel would copy values to where they are."""
        body: Graph = node.attrs["body"]
        if body.nodes or any(v in scope.strides for v in node.operands):
            return False
        source = dict(zip(body.params, node.operands, strict=True))
        return all(
            scope.places[source[own]] == scope.places[value]
            for own, value in zip(body.results, node.results, strict=True)
        )

    # ------------------------------------------------------------------------------------ loops
    def scan(self, node: Node, scope: Scope) -> list[Step]:
        """A loop of so many iterations."""
        body = self.overwriting.ordered(node.attrs["body"])
        carries, scanned = node.attrs["carries"], node.attrs["scanned"]
        inside = self._inner(node, body, scope, carries + scanned)
        rows: list[s.Row] = []
        for k in range(carries, carries + scanned):
            value, row = node.operands[k], body.params[k]
            step = row.type.nbytes
            if value in scope.strides:
                first, *rest = scope.strides[value]
                step, inside.strides[row] = first * row.dtype.nbytes, tuple(rest)
            rows.append(self._row(inside, row, scope.places[value], step))
        for result, row in zip(node.results[carries:], body.results[carries:], strict=True):
            rows.append(self._row(inside, row, scope.places[result], row.type.nbytes))
        frame = self._frame(node, scope, carries + scanned)
        turns, begin = self._states(node, body, scope, inside, frame)
        self.frames.append(frame)
        steps = self.steps(inside)
        self._leave()
        return [Loop(
            turns, tuple(rows), (*begin, *frame.before), steps, length=node.attrs["length"],
            reverse=node.attrs["reverse"],
        )]  # fmt: skip

    def while_(self, node: Node, scope: Scope) -> list[Step]:
        """A loop that ends when its condition does not hold."""
        body, cond = self.overwriting.ordered(node.attrs["body"]), node.attrs["cond"]
        carries = node.attrs["carries"]
        inside = self._inner(node, body, scope, carries)
        frame = self._frame(node, scope, carries)
        turns, begin = self._states(node, body, scope, inside, frame)
        asking = self._inner(node, cond, scope, carries)
        for own, other in zip(cond.params[:carries], body.params[:carries], strict=True):
            asking.places[own] = inside.places[other]
        offset = self.arena.take(1)
        frame.blocks.append((offset, 1))
        answer: Place = ("arena", offset)
        asking.places[cond.results[0]] = answer
        self.frames.append(frame)
        condition = self.steps(asking)
        steps = self.steps(inside)
        self._leave()
        return [Loop(
            turns, (), (*begin, *frame.before), steps,
            until=Until(condition, answer, node.attrs["limit"]),
        )]  # fmt: skip

    def switch(self, node: Node, scope: Scope) -> list[Step]:
        """One of several sequences of steps."""
        arms: list[tuple[Step, ...]] = []
        for branch in node.attrs["branches"]:
            graph = self.overwriting.ordered(branch)
            inside = self._inner(node, graph, scope, 0, first=1)
            for result, value in zip(node.results, graph.results, strict=True):
                place = inside.places[value] = scope.places[result]
                for start in graph.params:
                    if inside.places[start] == place:
                        inside.join(self.overwriting.line(graph, value, start) or (), place)
            arms.append(self.steps(inside))
        return [Branch(scope.places[node.operands[0]], tuple(arms))]

    def _inner(self, node: Node, body: Graph, scope: Scope, own: int, first: int = 0) -> Scope:
        """A body whose parameters from `own` on stand for the operands as they are."""
        inside = Scope(body, {})
        for value, operand in zip(body.params[own:], node.operands[first + own :], strict=True):
            inside.places[value] = scope.places[operand]
            if operand in scope.strides:
                inside.strides[value] = scope.strides[operand]
            if operand in scope.constants:
                inside.constants.add(value)
        return inside

    def _frame(self, node: Node, scope: Scope, own: int) -> Frame:
        invariant = frozenset(scope.places[v] for v in node.operands[own:])
        return Frame(invariant, len(self.arena.taken))

    def _leave(self) -> None:
        """Ends a loop: what was taken for it is free again."""
        for offset, nbytes in self.frames.pop().blocks:
            self.arena.give(offset, nbytes)

    def _local(self, stem: str) -> Place:
        self._names += 1
        return ("local", f"{stem}{self._names}")

    def _row(self, inside: Scope, row: Value, base: Place, step: Extent) -> s.Row:
        place = self._local("row")
        inside.places[row] = place
        return Row(str(place[1]), base, step)

    def _states(
        self, node: Node, body: Graph, scope: Scope, inside: Scope, frame: Frame
    ) -> tuple[tuple[s.Turn, ...], list[Step]]:
        """Places for the states, and the steps that bring their first values there."""
        turns: list[s.Turn] = []
        begin: list[Step] = []
        for k in range(node.attrs["carries"]):
            init, value, result = node.operands[k], body.params[k], body.results[k]
            home, start = scope.places[node.results[k]], scope.places[init]
            strides = {init: scope.strides[init]} if init in scope.strides else {}
            between = self.overwriting.line(body, result, value)
            if value.type.size == 0 or between is not None:
                inside.places[value] = inside.places[result] = home
                inside.join(between or (), home)
                begin += self.copy(init, start, home, strides)
                continue
            now, following = self._local("now"), self._local("next")
            offset = self.arena.take(value.type.nbytes)
            frame.blocks.append((offset, value.type.nbytes))
            inside.places[value], inside.places[result] = now, following
            begin += self.copy(init, start, now, strides)
            (back,) = self.copy(value, now, home, {})
            turns.append(Turn(
                str(now[1]), str(following[1]), home, ("arena", offset), back, value.type.nbytes
            ))  # fmt: skip
        return tuple(turns), begin


def _is_same(place: Place, frame: Frame) -> bool:
    """Whether what is at a place is the same in all iterations."""
    return place in frame.invariant or place[0] in ("kept", "constant", "table")


def _nbytes(buffer: L.Buffer) -> Extent:
    return ty.product(buffer.shape) * buffer.dtype.nbytes


def is_kept(graph: Graph, node: Node) -> bool:
    """Whether what depends on constants only is worth its memory between calls."""
    if not node.operands or node.attrs["body"].symbols:
        return False
    if any(value in graph.results for value in node.results):
        return False
    made = sum(v.type.nbytes for v in node.results)
    given = sum(v.type.nbytes for v in node.operands)
    return isinstance(made, int) and made <= max(KEPT_BYTES, KEPT_GROWTH * given)
