"""The functions that a loaded program is called by: the entry, which runs the kernels in order, and
the one that answers extents and bytes. Their ABI is in runtime/native.h.

Loops and branches of the graph are loops and branches of the entry, around calls of kernels: no
Python runs in between, and a state's place, or a row of an array, is a pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc_runtime.records import dataclass
from graphc_runtime.steps import Branch, Place, work

from .. import types as ty
from ..loops import ir as L
from ..types import BOOL, I64, Dim
from . import steps as s
from .llvm import SCRATCH, Printer
from .llvm_builder import Module, Val
from .steps import Launch, Step


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a shipped program finds what depends on constants only: bytes from the start of one
    block, of which every call gets the address.

    `kept` is the place of what `graph_setup` would write, `table` of each constant of the table.
    """

    kept: int
    table: tuple[int, ...]


def print_entry(
    module: Module, name: str, steps: Sequence[Step], slots: dict[str, int], arena: L.Index,
    weights: Weights | None = None,
) -> None:  # fmt: skip
    """Adds `i64 @name(ptr buffers, ptr extents, ptr arena, ptr rt)`, which runs the steps in order.

    The scratch memory of the workers, `module.scratch` bytes each, follows the first `arena` bytes
    of the arena. `slots` says at which place of `extents` each symbol stands. Answers 0, or the
    first error code reported plus `@graph_code_base`, which the loader sets to tell programs apart.

    With `weights` it changes nothing and reads no global that changes: there is a fifth argument,
    `ptr weights`, and error codes count from 1.
    """
    params = [("buffers", "ptr"), ("extents", "ptr"), ("arena", "ptr"), ("rt", "ptr")]
    params += [("weights", "ptr")] if weights is not None else []
    b = module.function(name, params, "i64", linkage="" if weights is None else "hidden")
    printer = Printer(module, b, name)
    b.line("%error = alloca i64, align 8")
    b.line("store i64 0, ptr %error, align 8")
    needed = {symbol for launch in work(steps) for symbol in launch.symbols}
    where = [offset for place, offset in s.places(steps) if place == "arena"]
    for index in (*where, *s.indices(steps), *((arena,) if module.scratch else ())):
        if isinstance(index, Dim):
            needed |= ty.symbols(index)
    for symbol in sorted(needed):
        printer.values[symbol] = b.load(b.gep("%extents", slots[symbol], I64), I64, align=8)
    scratch = _argument(printer, "arena", arena) if module.scratch else "%arena"
    entry = _Entry(printer, scratch, weights)
    for place in s.places(steps):  # before the first loop, so that they are there in all
        entry.pointer(place)
    entry.block(steps)
    code = b.load("%error", I64, align=8)
    if weights is not None:
        b.line(f"ret {code}")
        return
    based = b.add(code, b.load("@graph_code_base", I64, align=8))
    b.line(f"ret {b.select(b.cmp('eq', code, 0), code, based)}")


class _Entry:
    """Prints steps."""

    def __init__(self, printer: Printer, scratch: str, weights: Weights | None):
        self.printer, self.b, self.scratch = printer, printer.b, scratch
        self.weights = weights
        self.pointers: dict[Place, str] = {}
        self.turns = 0

    def pointer(self, place: Place) -> str:
        """The pointer to a place; those that a loop binds are bound before."""
        if place not in self.pointers and place[0] != "local":
            self.pointers[place] = _argument(self.printer, *place, self.weights)
        return self.pointers.get(place, "")

    def block(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Launch):
                self.launch(step)
            elif isinstance(step, Branch):
                self.branch(step)
            else:
                self.loop(step)

    def launch(self, launch: Launch) -> None:
        arguments = [f"ptr {self.pointer(place)}" for place in launch.arguments]
        arguments += [str(self.printer.values[symbol]) for symbol in launch.symbols]
        arguments += ["ptr %error", "ptr %rt", f"ptr {self.scratch}"]
        self.b.line(f"call void @{launch.kernel}({', '.join(arguments)})")

    def branch(self, step: s.Branch) -> None:
        index = self.b.load(self.pointer(step.index), I64, align=8)
        self.arms(index, step.arms, 0)

    def arms(self, index: Val, arms: Sequence[Sequence[Step]], first: int) -> None:
        """The arms from the first one on; what is below it is not asked again."""
        if len(arms) == 1:
            self.block(arms[0])
            return

        def run(body: Callable[[], None]) -> Callable[[], list[Val]]:
            return lambda: (body(), [])[1]

        self.b.branch(
            self.b.cmp("le", index, first),
            run(lambda: self.block(arms[0])),
            run(lambda: self.arms(index, arms[1:], first + 1)),
        )

    # ---------------------------------------------------------------------------------- loops
    def loop(self, loop: s.Loop) -> None:
        b = self.b
        length = None if loop.length is None else self.printer.index(loop.length)
        slots = [(turn, *self._begun(turn, length)) for turn in loop.turns]
        self._bind(slots)
        self.block(loop.before)

        def body(index: Val) -> None:
            self._bind(slots)
            if length is not None and loop.reverse:
                index = b.sub(b.sub(length, 1), index)
            for one in loop.rows:
                offset = b.mul(index, self.printer.index(one.step_bytes))
                base = self.pointer(one.base)
                pointer = b._emit(f"getelementptr i8, ptr {base}, {offset}")
                self.pointers["local", one.name] = pointer
            self.block(loop.body)
            for turn, now, following in slots:
                b.line(f"store ptr {self.pointers['local', turn.next]}, ptr {now}, align 8")
                b.line(f"store ptr {self.pointers['local', turn.now]}, ptr {following}, align 8")

        if length is not None:

            def counted(index: Val, carried: list[Val]) -> list[Val]:
                body(index)
                return []

            b.for_loop(0, length, 1, [], counted)
            return
        assert loop.until is not None
        self._while(loop.until, slots, body)
        self._settle(slots)

    def _while(
        self, until: s.Until, slots: Sequence[tuple[s.Turn, str, str]], body: Callable[[Val], None]
    ) -> None:
        b = self.b

        def goes_on(state: list[Val]) -> Val:
            self._bind(slots)
            self.block(until.steps)
            found = b.load(self.pointer(until.answer), BOOL)
            found = b.and_(found, b.cmp("eq", b.load("%error", I64, align=8), 0))
            if until.limit is not None:
                found = b.and_(found, b.cmp("lt", state[0], until.limit))
            return found

        def advance(state: list[Val]) -> list[Val]:
            body(state[0])
            return [b.add(state[0], 1)]

        b.while_loop([b.const(0, I64)], goes_on, advance)

    def _begun(self, turn: s.Turn, length: Val | None) -> tuple[str, str]:
        """Where the pointers of a state are kept: LLVM makes registers of such variables."""
        b = self.b
        first, second = self.pointer(turn.first), self.pointer(turn.second)
        slots = []
        for stem in ("now", "next"):
            slots.append(f"%{stem}{self.turns}")
            b._lines.insert(1, f"  {slots[-1]} = alloca ptr, align 8")
        self.turns += 1
        if length is not None:  # an odd number of steps begins at the other place
            odd = b.cmp("ne", b.and_(length, 1), 0)
            first, second = (
                b._emit(f"select {odd}, ptr {x}, ptr {y}")
                for x, y in ((second, first), (first, second))
            )
        for slot, pointer in zip(slots, (first, second), strict=True):
            b.line(f"store ptr {pointer}, ptr {slot}, align 8")
        return slots[0], slots[1]

    def _bind(self, slots: Sequence[tuple[s.Turn, str, str]]) -> None:
        for turn, *row in slots:
            for name, slot in zip((turn.now, turn.next), row, strict=True):
                self.pointers["local", name] = self.b._emit(f"load ptr, ptr {slot}, align 8")

    def _settle(self, slots: Sequence[tuple[s.Turn, str, str]]) -> None:
        """Brings states to their places, after a number of steps that nobody knew."""
        b = self.b
        self._bind(slots)
        for turn, _, _ in slots:
            now, first = self.pointers["local", turn.now], self.pointer(turn.first)
            elsewhere = Val(b._emit(f"icmp ne ptr {now}, {first}"), BOOL, 1)

            def copy(turn: s.Turn = turn) -> list[Val]:
                self.launch(turn.copy)
                return []

            b.branch(elsewhere, copy, lambda: [])


def _argument(printer: Printer, place: str, where: object, weights: Weights | None = None) -> str:
    b = printer.b
    if place == "buffer":
        assert isinstance(where, int)
        return b._emit(f"load ptr, ptr {b.gep('%buffers', where, I64)}, align 8")
    if place == "arena":
        assert isinstance(where, (int, Dim))
        return b._emit(f"getelementptr i8, ptr %arena, {printer.index(where)}")
    if place == "constant":
        return f"@{where}"
    if weights is not None:
        assert isinstance(where, int)
        offset = weights.kept + where if place == "kept" else weights.table[where]
        return b._emit(f"getelementptr i8, ptr %weights, i64 {offset}")
    if place == "kept":
        kept = b._emit("load ptr, ptr @graph_kept, align 8")
        return b._emit(f"getelementptr i8, ptr {kept}, i64 {where}")
    assert place == "table"
    return b._emit(f"load ptr, ptr getelementptr (ptr, ptr @graph_constants, i64 {where}), align 8")


def print_scratch(module: Module, linkage: str) -> None:
    """Adds what the kernels, all of which were printed, ask of the scratch memory: the bytes for
    each worker.
    """
    text = f"@{SCRATCH} = {linkage} constant i64 {module.scratch}, align 8"
    module.raw_global(SCRATCH, text)


def print_shapes(
    module: Module, name: str, dims: Sequence[L.Index], arena: L.Index, slots: dict[str, int],
    linkage: str = "",
) -> None:  # fmt: skip
    """Adds `i64 @name(ptr extents, ptr dims)`:
    writes the results' extents, answers the arena's bytes.
    """
    b = module.function(name, [("extents", "ptr"), ("dims", "ptr")], "i64", linkage=linkage)
    printer = Printer(module, b, name)
    for symbol, slot in slots.items():
        printer.values[symbol] = b.load(b.gep("%extents", slot, I64), I64, align=8)
    for k, dim in enumerate(dims):
        b.store(b.gep("%dims", k, I64), printer.index(dim), align=8)
    b.line(f"ret {printer.index(arena)}")
