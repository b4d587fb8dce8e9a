"""A part of the user's program that is run to see what it computes, and whose effects are then
taken back: the branches of an `if`, the body of a loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..cell import Cell, Trace, current_trace
from ..elements import UNKNOWN
from ..errors import GraphcError
from ..ir import Value
from ..locations import refuse, user_line
from .held import Held, held
from .reach import Reach, ReachedContainer, reached
from .undefined import Undefined

DEEPEST = 40
"""How many regions may stand inside one another: more are a function that calls itself."""


class _Depth(threading.local):
    regions: tuple[str, ...] = ()


_depth = _Depth()


def inside() -> str:
    """The `if` or loop that is being put into the graph on this thread, or ""."""
    return _depth.regions[-1] if _depth.regions else ""


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of a function at an `if` or a loop.

    Attributes:
        names: those that it may assign, in order; `get` reads each, `put` sets them all.
        read_names: others that it may read, and `read` reads.
        asked: those of the others that it does read; the rest may be read afterwards.
        live: names that may be read afterwards (for a loop: or when it begins anew).
        augmented: names that only `x += y` assigns.
        changed: names of what may be changed in place.
    """

    names: tuple[str, ...]
    get: tuple[Callable[[], Any], ...]
    put: Callable[[tuple[Any, ...]], None] | None
    read_names: tuple[str, ...]
    read: tuple[Callable[[], Any], ...]
    asked: tuple[str, ...]
    live: tuple[str, ...]
    augmented: tuple[str, ...]
    changed: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """What is assigned now."""
        return {n: _read(n, get) for n, get in zip(self.names, self.get, strict=True)}

    def set(self, values: dict[str, Any]) -> None:
        """Assigns."""
        if self.put is not None:
            self.put(tuple(values[name] for name in self.names))

    def reach(self) -> Reach:
        """What the variables reach now."""
        return self._reach(frozenset(self.read_names))

    def is_traced(self) -> bool:
        """Whether there is an array of unknown elements among what is assigned and read."""
        return self._reach(frozenset(self.asked)).is_traced()

    def _reach(self, names: frozenset[str]) -> Reach:
        values = self.values()
        for name, get in zip(self.read_names, self.read, strict=True):
            if name in names:
                values[name] = _read(name, get)
        return reached(values, values.values())


def _read(name: str, get: Callable[[], Any]) -> Any:
    try:
        return get()
    except NameError:
        return Undefined(name)


def variables(*given: Any) -> Variables:
    """Called by rewritten functions."""
    return Variables(*given)


@dataclass(slots=True)
class Outcome:
    """What there is at the end of a run.

    Attributes:
        names: what the assigned variables hold.
        cells: contents of traced arrays that are others than before, by id.
        elements: what changed elements of containers hold, by id and key.
        appended: what lists got at their ends, by id.
    """

    names: dict[str, Held]
    cells: dict[int, Value] = field(default_factory=dict)
    elements: dict[tuple[int, Any], Held] = field(default_factory=dict)
    appended: dict[int, list[Held]] = field(default_factory=dict)


class Region:
    """The state before; `run` answers what a function makes of it, and takes it back."""

    def __init__(self, what: str, variables: Variables):
        self.line = user_line(2)
        self.what = f"the `{what}` at {self.line.file}:{self.line.line}" if self.line else what
        self.variables = variables
        self.entry = variables.values()
        self.reach = variables.reach()
        self.trace: Trace = _trace()

    @contextmanager
    def sandbox(self) -> Iterator[None]:
        """What is done inside is taken back at its end."""
        contents = {key: one.cell.value for key, one in self.reach.cells.items()}
        before = _depth.regions
        if len(before) >= DEEPEST:
            refuse(
                f"{DEEPEST} conditions and loops stand inside one another: does the function call "
                "itself, until a condition holds that depends on the arguments? Only a loop can "
                "do that"
            )
        _depth.regions = (*before, self.what)
        try:
            yield
        finally:
            _depth.regions = before
            for key, value in contents.items():
                self.exchange(self.reach.cells[key].cell, value)
            for one in self.reach.containers.values():
                if one.has_changed():
                    one.restore()
            self.variables.set(self.entry)

    @staticmethod
    def exchange(cell: Cell, value: Value) -> None:
        """Puts another content into a traced array, without a look at who may write to it."""
        if cell._value is not value:
            cell._value = value
            cell._version += 1

    def outcome(self, before: dict[int, Value], may_append: bool = False) -> Outcome:
        """What there is now; `before` are the contents that the run began with.

        `may_append`: lists may be longer than before.

        Raises:
            TraceError: where a list has grown, an attribute was set, and the like.
        """
        found = Outcome({name: held(x) for name, x in self.variables.values().items()})
        for key, one in self.reach.cells.items():
            value = one.cell.value
            if value is not before[key]:
                found.cells[key] = value
        for key, one in self.reach.containers.items():
            if one.has_changed():
                if may_append and one.has_grown():
                    found.appended[key] = [held(x) for x in one.container[len(one.entry) :]]
                else:
                    self._check(one)
                for k in one.keys():
                    if one.container[k] is not one.entry[k]:
                        found.elements[key, k] = held(one.container[k])
        return found

    def _check(self, one: ReachedContainer) -> None:
        """Raises TraceError for a change that is not a new element in the place of an old one."""
        now, before = one.container, one.entry
        under = f"inside of {self.what}, which is part of the compiled program"
        if one.attributes:
            new = [k for k in now if k not in before or now[k] is not before[k]] or ["?"]
            refuse(
                f"{one.path_of(new[0])} is set {under}: the object would hold a value of one step "
                "or branch. Assign to a variable there, and set the attribute afterwards"
            )
        if isinstance(before, set):
            refuse(f"the set {one.path} is changed {under}; use an array of bools")
        if isinstance(before, list) and len(now) != len(before):
            refuse(
                f"the list {one.path} gets another length {under}. Make an array before "
                f"(np.zeros) and assign to its elements; or go over list(...), which is written "
                "out step by step"
            )
        if isinstance(before, dict) and list(now) != list(before):
            refuse(f"the dict {one.path} gets other keys {under}; make them before")

    def container(self, key: int) -> ReachedContainer:
        return self.reach.containers[key]

    @contextmanager
    def explained(self, note: str) -> Iterator[None]:
        """A note on the error that something is asked for that only the run will know."""
        try:
            yield
        except GraphcError as error:
            if note and UNKNOWN in str(error) and note not in getattr(error, "__notes__", []):
                error.add_note(note)
            raise


def _trace() -> Trace:
    trace = current_trace()
    assert trace is not None, "a traced condition outlives its trace"
    return trace


__all__ = ["DEEPEST", "Outcome", "Region", "Variables", "inside", "variables"]
