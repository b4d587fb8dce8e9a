"""`if`, and conditional expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..ir import Value, param
from ..locations import refuse
from ..ops import build
from ..tracer import Tracer
from ..types import TensorType
from .emission import choose
from .held import Held, Leaf, as_dtype, held, joined
from .jumps import RESULT
from .region import Outcome, Region, Variables
from .truth import truth
from .undefined import Undefined


def if_stmt(
    test: Any, then: Callable[[], None], orelse: Callable[[], None], variables: Variables
) -> None:
    """Runs one of the bodies, or puts both into the graph where the test is traced."""
    asked = truth(test)
    if isinstance(asked, Tracer):
        _Choice(Region("if", variables), asked, variables).run(then, orelse)
    elif asked:
        then()
    else:
        orelse()


def if_exp(test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
    """`then() if test else orelse()`."""
    asked = truth(test)
    if not isinstance(asked, Tracer):
        return then() if asked else orelse()
    return chosen("if ... else", asked, then, orelse)


def chosen(what: str, asked: Tracer, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
    """The value of one of two expressions.

    Raises:
        TraceError: where their values have different types.
    """
    found: list[Any] = [None]

    def put(values: tuple[Any, ...]) -> None:
        found[0] = values[0]

    gathered = [_closure(f) for f in (then, orelse)]
    reads = [pair for one in gathered for pair in one]
    variables = Variables(
        ("the value",), (lambda: found[0],), put, tuple(n for n, _ in reads),
        tuple(get for _, get in reads), (), ("the value",), (), (),
    )  # fmt: skip
    choice = _Choice(Region(what, variables), asked, variables)
    choice.run(lambda: put((then(),)), lambda: put((orelse(),)))
    if isinstance(found[0], Undefined):
        refuse(f"{found[0].name} {found[0].reason}")
    return found[0]


def _closure(function: Any) -> list[tuple[str, Callable[[], Any]]]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return [(name, lambda cell=cell: _contents(cell)) for name, cell in cells]


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        raise NameError from None


# ------------------------------------------------------------------------------ a traced choice


@dataclass(slots=True)
class _Slot:
    """A leaf that both branches compute."""

    type: TensorType
    weak: bool
    then: Value
    orelse: Value
    found: Value | None = None


class _Choice:
    def __init__(self, region: Region, asked: Tracer, variables: Variables):
        self.region, self.asked, self.variables = region, asked, variables
        self.slots: list[_Slot] = []
        cells = region.reach.cells
        self.dynamic = [k for k, one in cells.items() if one.cell.known() is None]
        self.params = [param(cells[k].cell.type, cells[k].path) for k in self.dynamic]
        self.contents = [cells[k].cell.value for k in self.dynamic]

    def run(self, then: Callable[[], None], orelse: Callable[[], None]) -> None:
        region = self.region
        region.trace.transformed = True
        a, b = self._outcome(then), self._outcome(orelse)
        names = {name: self._name(name, a, b) for name in self.variables.names}
        elements = {
            at: self._merged(self._path(at), self._element(a, at), self._element(b, at))
            for at in dict.fromkeys((*a.elements, *b.elements))
        }
        cells = {
            key: self._slot(self._cell(a, key), self._cell(b, key))
            for key in dict.fromkeys((*a.cells, *b.cells))
        }
        values = choose(
            region, self.asked, [s.then for s in self.slots], [s.orelse for s in self.slots],
            self.params, self.contents,
        )  # fmt: skip
        for slot, value in zip(self.slots, values, strict=True):
            slot.found = value
        for key, slot in cells.items():
            assert slot.found is not None
            region.exchange(region.reach.cells[key].cell, slot.found)
        for (key, k), made in elements.items():
            found = made()
            if isinstance(found, Undefined):
                refuse(f"{found.name} {found.reason}")
            region.container(key).container[k] = found
        self.variables.set({name: made() for name, made in names.items()})

    def _outcome(self, body: Callable[[], None]) -> Outcome:
        region = self.region
        with region.sandbox():
            before = {key: one.cell.value for key, one in region.reach.cells.items()}
            for key, p in zip(self.dynamic, self.params, strict=True):
                region.exchange(region.reach.cells[key].cell, p)
                before[key] = p
            body()
            return region.outcome(before)

    # -- two moments as one
    def _name(self, name: str, a: Outcome, b: Outcome) -> Callable[[], Any]:
        if name not in self.variables.live:
            return lambda: Undefined(name, f"is not kept after {self.region.what}")
        return self._merged(name, a.names[name], b.names[name])

    def _merged(self, name: str, a: Held, b: Held) -> Callable[[], Any]:
        """What makes the variable's value afterwards, once the slots are found."""
        if a.object is b.object:
            return lambda: a.object
        for one, other in ((a, b), (b, a)):
            if isinstance(one.object, Undefined):
                if name == RESULT and not isinstance(other.object, Undefined):
                    # read only where the function has returned: what stands there is of no matter
                    return self._filled(other, one is a)
                return self._undefined(name, one.object, other.object)
        if a.tree != b.tree:
            return self._conflict(name, str(a), str(b))
        makers: list[Callable[[], Any]] = []
        for x, y in zip(a.leaves, b.leaves, strict=True):
            maker = self._leaf(x, y)
            if maker is None:
                return self._conflict(name, str(a), str(b))
            makers.append(maker)
        return lambda: a.tree.unflatten([make() for make in makers])

    def _leaf(self, a: Leaf, b: Leaf) -> Callable[[], Any] | None:
        if a.same(b) or a.object is b.object:
            return lambda: a.object
        if a.value is None or b.value is None:
            return None
        found = joined((a, b))
        if found is None or a.value.shape != b.value.shape:
            return None
        type, weak = found
        slot = _Slot(type, weak, as_dtype(a, type), as_dtype(b, type))
        self.slots.append(slot)
        return self._maker(slot)

    def _maker(self, slot: _Slot) -> Callable[[], Any]:
        def make() -> Any:
            assert slot.found is not None
            return Tracer(self.region.trace, slot.found, slot.weak)

        return make

    def _filled(self, other: Held, first: bool) -> Callable[[], Any]:
        makers: list[Callable[[], Any]] = []
        for leaf in other.leaves:
            if leaf.value is None:
                makers.append(lambda leaf=leaf: leaf.object)
                continue
            zero = build.full(leaf.type.shape, 0, leaf.type.dtype)
            pair = (zero, leaf.value) if first else (leaf.value, zero)
            slot = _Slot(leaf.type, leaf.weak, *pair)
            self.slots.append(slot)
            makers.append(self._maker(slot))
        return lambda: other.tree.unflatten([make() for make in makers])

    def _slot(self, a: Value, b: Value) -> _Slot:
        slot = _Slot(a.type, False, a, b)
        self.slots.append(slot)
        return slot

    def _cell(self, outcome: Outcome, key: int) -> Value:
        found = outcome.cells.get(key)
        if found is not None:
            return found
        if key in self.dynamic:
            return self.params[self.dynamic.index(key)]
        return self.region.reach.cells[key].cell.value

    def _element(self, outcome: Outcome, at: tuple[int, Any]) -> Held:
        key, k = at
        return outcome.elements.get(at) or held(self.region.container(key).entry[k])

    def _path(self, at: tuple[int, Any]) -> str:
        key, k = at
        return self.region.container(key).path_of(k)

    # -- errors, raised when the variable is read
    def _undefined(self, name: str, one: Undefined, other: Any) -> Callable[[], Any]:
        if isinstance(other, Undefined):
            kept = one if one.reason else other
            return lambda: kept
        reason = one.reason or (
            f"is assigned in one branch only of {self.region.what}, whose condition depends on the "
            "arguments; assign it before, or in both branches"
        )
        return lambda: Undefined(name, reason)

    def _conflict(self, name: str, a: str, b: str) -> Callable[[], Any]:
        shown = "what the function returns" if name == RESULT else name
        reason = (
            f"is {a} in one branch and {b} in the other branch of {self.region.what}, whose "
            "condition depends on the arguments; both have to have the same dtype and shape"
        )
        return lambda: Undefined(shown, reason)


def no_result() -> Undefined:
    """What a function returns before it has returned."""
    return Undefined(RESULT)


def returned(flag: Any, result: Any) -> Any:
    """What a function returns that may return early.

    Raises:
        TraceError: where it returns a value on some paths and reaches its end on others.
    """
    asked = truth(flag)
    if isinstance(asked, bool) and not asked:
        return None
    if isinstance(result, Undefined):
        return refuse(f"{result.name} {result.reason}")
    if isinstance(asked, Tracer) and result is not None:
        return refuse(
            "the function returns a value on some paths and reaches its end, where it returns "
            "None, on others; which depends on the arguments. Return a value on all paths"
        )
    return result


__all__ = ["chosen", "if_exp", "if_stmt", "no_result", "returned"]
