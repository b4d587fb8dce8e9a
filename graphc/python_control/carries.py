"""What a loop carries from step to step, found by running its body until the types are stable.

A variable that a step assigns is carried where its value may be read by the next step or after the
loop. Types only move one way: a Python number takes the type that a step gives it, and a variable
that has no one type loses its value (`Undefined`, with the reason). So few runs are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..ir import Value, param
from ..locations import refuse
from ..ops import build
from ..tracer import Tracer
from ..types import TensorType
from .emission import State
from .held import Held, Leaf, as_dtype, fitted, held, joined
from .jumps import PREFIX, RESULT
from .reach import base_of
from .region import Outcome, Region
from .undefined import Undefined

_MOST_RUNS = 12


class FirstStepDiffers(Exception):
    """A variable begins with a type that the first step replaces for good."""


@dataclass(slots=True)
class _Leaf:
    """A leaf of a carried variable: an object that stays, or a start with its type."""

    leaf: Leaf
    type: TensorType | None
    weak: bool = False
    param: Value | None = None
    tracer: Any = None

    @property
    def start(self) -> Value:
        assert self.type is not None
        return as_dtype(self.leaf, self.type)


@dataclass(slots=True)
class _Carry:
    """A variable, or an element of a container, that a loop carries."""

    name: str
    held: Held
    leaves: list[_Leaf]

    def inside(self, trace: Any) -> Any:
        """What a step finds in it: fresh parameters."""
        row = []
        for one in self.leaves:
            if one.type is None:
                row.append(one.leaf.object)
                continue
            one.param = param(one.type, self.name)
            one.tracer = Tracer(trace, one.param, one.weak)
            if isinstance(one.leaf.object, Tracer) and one.type.shape:
                one.tracer.freeze(one.leaf.object._reason)
            row.append(one.tracer)
        return self.held.tree.unflatten(row)

    def after(self, trace: Any, values: dict[int, Value]) -> Any:
        """What is in it after the loop."""
        row = [
            one.leaf.object if one.type is None else Tracer(trace, values[id(one)], one.weak)
            for one in self.leaves
        ]
        return self.held.tree.unflatten(row)


def _carry(name: str, found: Held) -> _Carry:
    leaves = [_Leaf(x, None if x.value is None else x.type, x.weak) for x in found.leaves]
    return _Carry(name, found, leaves)


def _zeros(name: str, found: Held) -> _Carry:
    """A variable that the first step assigns: what it begins with is never read."""
    leaves = []
    for x in found.leaves:
        if x.value is None:
            leaves.append(_Leaf(x, None))
            continue
        zero = build.full(x.type.shape, 0, x.type.dtype)
        leaves.append(_Leaf(Leaf(None, zero, x.weak), x.type, x.weak))
    return _Carry(name, found, leaves)


@dataclass(slots=True)
class Carries:
    """What a loop carries.

    Attributes:
        sure: whether there is at least one step.
        may_peel: whether the first step may be run before the loop, where its types differ.
        may_append: whether lists may get elements, the same number in each step.
        names, elements, cells: by name, by container and key, by id of the array.
        lost: variables that have no value inside of the loop.
        afterwards: variables that have none after it.
        given: what the last run of a step answered.
    """

    region: Region
    sure: bool
    may_peel: bool = False
    may_append: bool = False
    names: dict[str, _Carry] = field(default_factory=dict)
    elements: dict[tuple[int, Any], _Carry] = field(default_factory=dict)
    cells: list[int] = field(default_factory=list)
    lost: dict[str, Undefined] = field(default_factory=dict)
    afterwards: dict[str, Undefined] = field(default_factory=dict)
    given: Any = None
    _params: dict[int, Value] = field(default_factory=dict)
    _entry: dict[int, Value] = field(default_factory=dict)
    _keys: list[Any] = field(default_factory=list)

    def begin(self) -> None:
        """The first guess: assigned variables that are read later, and arrays that are changed."""
        variables, region = self.region.variables, self.region
        self._entry = {key: one.cell.value for key, one in region.reach.cells.items()}
        for name, x in region.entry.items():
            if name not in variables.live:
                self.lost[name] = Undefined(name)
                continue
            found = held(x)
            in_place = name in variables.augmented and isinstance(x, Tracer) and x.type.shape
            if in_place or isinstance(x, Undefined) or all(v.value is None for v in found.leaves):
                continue
            self.names[name] = _carry(name, found)
        for key, one in region.reach.cells.items():
            changed = any(_root(path) in variables.changed for path in one.paths)
            if changed and one.cell.type.shape and not one.cell._reason:
                self.cells.append(key)

    def settled(self, step: Callable[[], Any]) -> Outcome:
        """Runs a step until what it carries has stable types; `given` is what the step answered."""
        for _ in range(_MOST_RUNS + len(self.region.entry)):
            found = self._run(step)
            if found is not None:
                return found
        return refuse(f"{self.region.what} changes the types of its variables at every step")

    def _run(self, step: Callable[[], Any]) -> Outcome | None:
        region, trace = self.region, self.region.trace
        with region.sandbox():
            before = {key: one.cell.value for key, one in region.reach.cells.items()}
            for key in self.cells:
                cell = region.reach.cells[key].cell
                self._params[key] = before[key] = param(cell.type, region.reach.cells[key].path)
                region.exchange(cell, before[key])
            for (key, k), carry in self.elements.items():
                region.container(key).container[k] = carry.inside(trace)
            values = dict(region.entry)
            values.update(self.lost)
            values.update({name: c.inside(trace) for name, c in self.names.items()})
            region.variables.set(values)
            self.given = step()
            outcome = region.outcome(before, self.may_append)
            for key, k in self.elements:  # unchanged ones are carried as they are
                outcome.elements[key, k] = held(region.container(key).container[k])
        return outcome if self._check(outcome) else None

    # ------------------------------------------------------------------- comparing with the start
    def _check(self, outcome: Outcome) -> bool:
        stable = True
        for key in outcome.cells:
            if key not in self.cells:
                self.cells.append(key)
                stable = False
        for at, found in outcome.elements.items():
            carry = self.elements.get(at)
            if carry is None:
                key, k = at
                place = self.region.container(key)
                self.elements[at] = _carry(place.path_of(k), held(place.entry[k]))
                stable = False
                continue
            reason = self._moved(carry, found)
            if isinstance(reason, str):
                refuse(f"{carry.name} {reason}")
            stable = stable and reason is True
        for name, found in outcome.names.items():
            if name in self.region.variables.live and name not in self.lost:
                stable = self._name(name, found) and stable
        return stable

    def _name(self, name: str, found: Held) -> bool:
        entry, carry = self.region.entry[name], self.names.get(name)
        if carry is not None:
            self._check_alias(name, carry, found)
            reason = self._moved(carry, found)
            if isinstance(reason, str):
                del self.names[name]
                return self._lose(name, reason)
            return reason
        if found.object is entry:
            return True
        if isinstance(entry, Undefined):
            return self._new(name, entry, found)
        before = held(entry)
        if isinstance(entry, Tracer) and not isinstance(found.object, Undefined):
            self.names[name] = _carry(name, before)
            return False
        if before.tree == found.tree and all(
            a.same(b) for a, b in zip(before.leaves, found.leaves, strict=True)
        ):
            return True
        return self._lose(name, self._becomes(before, found))

    def _lose(self, name: str, reason: str) -> bool:
        """Goes on without the variable's value: an error where it is read."""
        if self.may_peel:
            raise FirstStepDiffers
        self.lost[name] = Undefined(_title(name), reason)
        return False

    def _new(self, name: str, entry: Undefined, found: Held) -> bool:
        """A variable that has no value before the loop."""
        if isinstance(found.object, Undefined):
            if found.object.reason:
                self.afterwards[name] = found.object
            return True
        if entry.reason:
            self.afterwards[name] = entry
            return True
        if self.sure or name == RESULT:
            self.names[name] = _zeros(name, found)
            return False
        self.afterwards[name] = Undefined(
            name,
            f"is assigned only inside of {self.region.what}, which may not run at all; assign it "
            "before",
        )
        return True

    def _moved(self, carry: _Carry, found: Held) -> bool | str:
        """Whether a variable keeps its type; False where the start took another; or why not."""
        if isinstance(found.object, Undefined):
            return found.object.reason or f"has no value at the end of {self.region.what}"
        if carry.held.tree != found.tree:
            return self._becomes(carry.held, found)
        stable = True
        for one, new in zip(carry.leaves, found.leaves, strict=True):
            if one.type is None or new.value is None:
                if new.value is not None or not one.leaf.same(new):
                    return self._becomes(carry.held, found)
                continue
            old = Leaf(one.leaf.object, one.start, one.weak)
            type = self._type(old, new)
            if type is None:
                return self._becomes(carry.held, found)
            if type != (one.type, one.weak):
                one.type, one.weak = type
                stable = False
        return stable

    @staticmethod
    def _type(old: Leaf, new: Leaf) -> tuple[TensorType, bool] | None:
        """The type of a leaf that begins as `old` and becomes `new`."""
        if old.type.shape != new.type.shape:
            return None
        if old.weak or new.weak:
            return joined((old, new))
        return (old.type, False) if fitted(new, old.type) is not None else None

    def _becomes(self, before: Held, after: Held) -> str:
        return (
            f"is {before} before {self.region.what} and becomes {after} in it; a variable that a "
            "traced loop changes keeps its dtype and shape: start with the type it becomes, or "
            "cast"
        )

    def _check_alias(self, name: str, carry: _Carry, found: Held) -> None:
        """Raises TraceError where a step changes an array in place that has two names."""
        x = carry.held.object
        if not isinstance(x, Tracer) or not x.type.shape or carry.leaves[0].tracer is None:
            return
        own = carry.leaves[0]
        paths = self.region.reach.cells[id(base_of(x))].paths
        if own.tracer.value is not own.param and len(paths) > 1:
            others = ", ".join(p for p in paths if p != name)
            refuse(
                f"{name} is both assigned and changed in place in {self.region.what}, and "
                f"{others} holds the same array; copy it before: {name} = {name}.copy()"
            )

    # ---------------------------------------------------------------------------- into the graph
    def states(self, outcome: Outcome) -> list[State]:
        """What the loop carries, with what a step makes of it."""
        made: list[State] = []
        self._keys = []
        for carry, found in self._carried(outcome):
            for one, new in zip(carry.leaves, found.leaves, strict=True):
                if one.type is not None:
                    assert one.param is not None
                    made.append(State(one.param, one.start, as_dtype(new, one.type)))
                    self._keys.append(one)
        for key in self.cells:
            own = self._params[key]
            made.append(State(own, self._entry[key], outcome.cells.get(key, own)))
            self._keys.append(key)
        return made

    def outputs(self, outcome: Outcome) -> list[Value]:
        """What a step appends to lists, in order.

        Raises:
            TraceError: for what is no array and no number.
        """
        made = []
        for key, found in outcome.appended.items():
            for one in found:
                for leaf in one.leaves:
                    if leaf.value is None:
                        refuse(
                            f"{one} is appended to the list {self.region.container(key).path} in "
                            f"{self.region.what}; only arrays and numbers can be, in a traced loop"
                        )
                    made.append(leaf.value)
        return made

    def append(self, stacked: Sequence[Value], steps: int, outcome: Outcome) -> None:
        """Gives the lists what all steps appended: their `outputs`, stacked."""
        trace, rest = self.region.trace, iter(stacked)
        for key, found in outcome.appended.items():
            rows = [[Tracer(trace, next(rest)) for _ in one.leaves] for one in found]
            for k in range(steps):
                for one, row in zip(found, rows, strict=True):
                    values = [x.value for x in (array[k].copy() for array in row)]
                    pairs = zip(values, one.leaves, strict=True)
                    leaves = [Tracer(trace, v, leaf.weak) for v, leaf in pairs]
                    self.region.container(key).container.append(one.tree.unflatten(leaves))

    def _carried(self, outcome: Outcome) -> Sequence[tuple[_Carry, Held]]:
        pairs = [(carry, outcome.names[name]) for name, carry in self.names.items()]
        return [*pairs, *((c, outcome.elements[at]) for at, c in self.elements.items())]

    def finish(self, values: Sequence[Value], outcome: Outcome) -> None:
        """Assigns what the loop ends with."""
        region, trace = self.region, self.region.trace
        by_leaf: dict[int, Value] = {}
        for key, value in zip(self._keys, values, strict=True):
            if isinstance(key, int):
                region.exchange(region.reach.cells[key].cell, value)
            else:
                by_leaf[id(key)] = value
        for (key, k), carry in self.elements.items():
            region.container(key).container[k] = carry.after(trace, by_leaf)
        now = dict(region.entry)
        for name in now:
            if name not in region.variables.live:
                now[name] = Undefined(name, f"is not kept after {region.what}")
        now.update({n: u for n, u in self.lost.items() if n in region.variables.live})
        now.update(self.afterwards)
        now.update({name: c.after(trace, by_leaf) for name, c in self.names.items()})
        region.variables.set(now)


def _root(path: str) -> str:
    return path.replace("[", ".").split(".")[0]


def _title(name: str) -> str:
    """What a variable is called in messages."""
    if name == RESULT:
        return "what the function returns"
    return "a jump" if name.startswith(PREFIX) else name


__all__ = ["Carries", "FirstStepDiffers"]
