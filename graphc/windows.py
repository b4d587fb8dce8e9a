"""Slices whose bounds are traced.

Where the bounds differ by a number (`x[i : i + 4]`, `x[2*i : 2*i + 8 : 2]`) the extent is known,
and the slice is a view, a `Window`. Otherwise (`x[:k]`) it is a mask over the axis
(graphc/masks.py).
"""

from __future__ import annotations

import operator
from typing import Any

from graphc_runtime.records import dataclass

from .cell import Cell, Strides, Trace
from .ir import Value
from .locations import refuse
from .ops import build
from .ops.arithmetic import ADD, MOD, MUL, SUB
from .ops.indexing import GATHER, SCATTER
from .ops.logic import AND, EQ, GE, LT
from .ops.movement import DYNAMIC_SLICE, DYNAMIC_UPDATE, TRANSPOSE
from .types import I64, Dim, Extent, TensorType

_DEPTH = 32
_STEP = (
    "Give the step of a slice as a positive number, not a traced one, when a bound is traced; "
    "x[i : i + n][::-1] turns a window round"
)


@dataclass(frozen=True, slots=True)
class Window:
    """Element k of the view is element start + k*step of one axis; `start` is data, in range."""

    axis: int
    start: Value
    extent: int
    step: int

    def _starts(self, rank: int) -> list[Value]:
        zero = build.full((), 0, I64)
        return [self.start if d == self.axis else zero for d in range(rank)]

    def _places(self) -> Value:
        places = build.iota((self.extent,), 0, I64)
        return build.elementwise(ADD, build.elementwise(MUL, places, self.step), self.start)

    def _order(self, rank: int) -> tuple[int, ...]:
        """Takes the axis from the front to where it belongs."""
        return (*range(1, self.axis + 1), 0, *range(self.axis + 1, rank))

    def read(self, value: Value) -> Value:
        rank = len(value.shape)
        if self.step == 1:
            shape = tuple(self.extent if d == self.axis else n for d, n in enumerate(value.shape))
            return DYNAMIC_SLICE(value, *self._starts(rank), shape=shape)
        found = GATHER(value, self._places(), axes=(self.axis,), mode="promise")
        return TRANSPOSE(found, axes=self._order(rank)) if self.axis else found

    def write(self, value: Value, part: Value) -> Value:
        rank = len(value.shape)
        if self.step == 1:
            return DYNAMIC_UPDATE(value, part, *self._starts(rank))
        front = (self.axis, *(d for d in range(rank) if d != self.axis))
        part = TRANSPOSE(part, axes=front) if self.axis else part
        places = self._places()
        return SCATTER(value, part, places, axes=(self.axis,), combine="set", mode="promise")

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        return tuple(s * self.step if d == self.axis else s for d, s in enumerate(strides))


def is_traced(asked: slice) -> bool:
    """Whether a bound or the step of a slice is data."""
    parts = (asked.start, asked.stop, asked.step)
    return any(isinstance(p, Cell) and p.known() is None for p in parts)


def _step(asked: slice) -> int:
    if asked.step is None:
        return 1
    if isinstance(asked.step, Cell) and asked.step.known() is None:
        refuse(f"the step of a slice is traced. {_STEP}")
    step = operator.index(asked.step)  # type: ignore[arg-type] # a known Tracer has __index__
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step < 0:
        refuse(f"a bound of a slice that goes backwards is traced. {_STEP}")
    return step


def _bound(bound: Any) -> Value | None:
    """A bound of a slice as a value of its own integer dtype; None for none."""
    if bound is None:
        return None
    if isinstance(bound, Dim):
        return build.extent(bound)
    if not isinstance(bound, Cell):
        return build.full((), operator.index(bound), I64)
    if bound.type.rank or not bound.type.dtype.is_integer:
        raise TypeError("slice indices must be integers or None or have an __index__ method")
    return bound.value


# ------------------------------------------------------------------------------- how far apart


def same(a: Value, b: Value, depth: int = 12) -> bool:
    """Whether two values are the same expression (compared to a bounded depth)."""
    if a is b:
        return True
    x, y = a.node, b.node
    if depth == 0 or x.op is not y.op or a.index != b.index or a.type != b.type or not x.operands:
        return (
            x.op is y.op
            and not x.operands
            and x.attrs == y.attrs
            and x.op.name in ("full", "constant", "iota", "extent")
        )
    if len(x.operands) != len(y.operands) or x.attrs != y.attrs:
        return False
    return all(same(p, q, depth - 1) for p, q in zip(x.operands, y.operands, strict=True))


def _number(value: Value) -> int | None:
    node = value.node
    return int(node.attrs["value"]) if node.op.name == "full" and not node.operands else None


def _add_terms(value: Value, factor: int, terms: list[tuple[Value, int]], depth: int) -> int:
    """Adds factor*value to a linear form; answers the number in it."""
    number = _number(value)
    if number is not None:
        return factor * number
    node, name = value.node, value.node.op.name
    if depth:
        if name in ("add", "sub"):
            a, b = node.operands
            other = factor if name == "add" else -factor
            return _add_terms(a, factor, terms, depth - 1) + _add_terms(b, other, terms, depth - 1)
        if name == "neg" or (name == "cast" and node.operands[0].dtype.is_integer):
            return _add_terms(
                node.operands[0], -factor if name == "neg" else factor, terms, depth - 1
            )
        if name == "mul":
            for one, other in (node.operands, node.operands[::-1]):
                times = _number(other)
                if times is not None:
                    return _add_terms(one, factor * times, terms, depth - 1)
    for k, (known, count) in enumerate(terms):
        if same(known, value):
            terms[k] = (known, count + factor)
            return 0
    terms.append((value, factor))
    return 0


def difference(stop: Value, start: Value) -> int | None:
    """stop - start, where that is a number whatever the data."""
    terms: list[tuple[Value, int]] = []
    number = _add_terms(stop, 1, terms, _DEPTH) + _add_terms(start, -1, terms, _DEPTH)
    return number if all(count == 0 for _, count in terms) else None


# ------------------------------------------------------------------------------------ the slices


def span_of(asked: slice) -> int | None:
    """The last bound less the first, where that is a number whatever the data."""
    start, stop = _bound(asked.start), _bound(asked.stop)
    return None if start is None or stop is None else difference(stop, start)


def window(asked: slice, n: Extent, axis: int, trace: Trace) -> Window:
    """A slice of traced bounds and known span.

    It has to lie within the axis, which is checked when the program runs: NumPy would answer fewer
    elements.
    """
    step, span, start = _step(asked), span_of(asked), _bound(asked.start)
    assert span is not None and start is not None
    many = max(0, (span + step - 1) // step)
    if not many:
        return Window(axis, build.full((), 0, I64), 0, 1)
    places = n - (many - 1) * step
    if isinstance(places, int) and places <= 0:
        refuse(
            f"a slice of {many} elements (step {step}) is taken of an axis of extent {n}; its "
            "place is traced, so that it cannot be cut at the end. Give it no more elements than "
            "the axis has"
        )
    trace.require(places - 1)
    first = build.cast(start, I64)
    count, low = build.extent(n), build.full((), 0, I64)
    counted = LT(first, build.full((), -span, I64))  # both ends are counted from the end
    first = build.select(counted, ADD(first, count), first)
    first = build.select(LT(first, low), count, first)  # out of range; a gather would count back
    checked = GATHER(build.iota((places,), 0, I64), first, axes=(0,), mode="raise")
    return Window(axis, checked, many, step)


def slice_mask(asked: slice, n: Extent) -> Value:
    """Which elements of an axis a slice means, for any bounds."""
    step = _step(asked)
    start, stop = _bound(asked.start), _bound(asked.stop)
    places, low = build.iota((n,), 0, I64), build.full((), 0, I64)

    def from_start(bound: Value) -> Value:
        place = build.cast(bound, I64)
        return build.select(LT(place, low), ADD(place, build.extent(n)), place)

    found: Value | None = None
    first = low
    if start is not None:
        first = from_start(start)
        found = build.elementwise(GE, places, first)
    if stop is not None:
        before = build.elementwise(LT, places, from_start(stop))
        found = before if found is None else AND(found, before)
    if step != 1:
        first = build.select(LT(first, low), low, first)
        distance = build.elementwise(MOD, build.elementwise(SUB, places, first), step)
        on_step = build.elementwise(EQ, distance, 0)
        found = on_step if found is None else AND(found, on_step)
    assert found is not None  # a bound is traced
    return found
