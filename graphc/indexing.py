"""x[index] and x[index] = value with NumPy's meaning, as graph nodes.

An index is read once into a `Plan`: the basic part (slices, numbers, None) is a path of steps,
which is a view; the part that is data (integer arrays, traced numbers) is a gather, or a scatter
when written. Traced boolean masks and slices of unknown extent are taken out before
(graphc/masks.py).
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from . import types as ty
from .cell import Cell, Step, Trace
from .errors import ShapeMismatch
from .ir import Value
from .locations import refuse
from .ops import build
from .ops.complexes import REAL
from .ops.indexing import GATHER, SCATTER
from .ops.movement import RESHAPE, TRANSPOSE
from .types import I64, Dim, Extent
from .views import Reshape, Slice
from .windows import Window, is_traced, window


@dataclass(frozen=True, slots=True)
class _Array:
    """An index that is data: known or traced integers. `masked`: the extent of a mask here."""

    data: np.ndarray | Value
    masked: int | None = None

    @property
    def shape(self) -> tuple[Extent, ...]:
        return tuple(self.data.shape)


@dataclass(frozen=True, slots=True)
class _Flag:
    """True or False as an index: a new axis of extent 1 or 0."""

    value: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """An index against a shape.

    Attributes:
        steps: the basic part, a path from the array to a view.
        axes, index: the axes of that view that `index`, values of one shape, gathers from.
        place: where the axes of the index stand in the result.
        is_scalar: numbers for all axes, which gives an element and no view.
        mode: of the gather.
    """

    steps: tuple[Step, ...]
    axes: tuple[int, ...] = ()
    index: tuple[Value, ...] = ()
    place: int = 0
    is_scalar: bool = False
    mode: str = "raise"


# --------------------------------------------------------------------------------- reading an index


def _items(index: Any, trace: Trace) -> list[Any]:
    given = index if isinstance(index, tuple) else (index,)
    items: list[Any] = []
    for one in given:
        items.extend(_item(one, trace))
    return items


def _item(one: Any, trace: Trace) -> list[Any]:
    if one is None or one is Ellipsis or isinstance(one, (slice, Dim)):
        return [one]
    if isinstance(one, Cell):
        known = one.known()
        if known is None:
            return [_Array(_integers(one.value))]
        one = known if known.ndim else known[()]
    if isinstance(one, (bool, np.bool_)):
        return [_Flag(bool(one))]
    if isinstance(one, (int, np.integer)):
        return [int(one)]
    if isinstance(one, (list, tuple)) and _has_cell(one):
        from .numpy.dispatch import value  # the namespace is built on this module

        return [_Array(_integers(value(one)))]
    if hasattr(one, "__index__") and not hasattr(one, "shape"):
        return [operator.index(one)]  # type: ignore[arg-type]
    array = np.asarray(one)
    if array.size == 0 and not isinstance(one, np.ndarray):
        array = array.astype(np.intp)
    if array.dtype == np.bool_:
        if array.ndim == 0:
            return [_Flag(bool(array))]
        places = array.nonzero()
        return [_Array(p, n) for p, n in zip(places, array.shape, strict=True)]
    if array.dtype.kind not in "iu":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
            "boolean arrays are valid indices"
        )
    return [int(array)] if array.ndim == 0 and not isinstance(one, np.ndarray) else [_Array(array)]


def _has_cell(items: Any) -> bool:
    return any(_has_cell(i) if isinstance(i, (list, tuple)) else isinstance(i, Cell) for i in items)


def _integers(value: Value) -> Value:
    if not value.dtype.is_integer:
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    return value


def _slots(items: list[Any], rank: int) -> list[Any]:
    """The items with the ellipsis written out as slices."""
    used = sum(1 for i in items if i is not None and i is not Ellipsis and not isinstance(i, _Flag))
    if used > rank:
        raise IndexError(
            f"too many indices for array: array is {rank}-dimensional, but {used} were indexed"
        )
    if sum(1 for i in items if i is Ellipsis) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if not any(i is Ellipsis for i in items):
        items = [*items, Ellipsis]
    at = next(k for k, i in enumerate(items) if i is Ellipsis)
    return [*items[:at], *(slice(None) for _ in range(rank - used)), *items[at + 1 :]]


def plan(index: Any, shape: tuple[Extent, ...], trace: Trace) -> Plan:
    """What an index means for an array of that shape.

    Raises:
        IndexError: as NumPy.
    """
    items = _items(index, trace)
    numbers_only = len(items) == len(shape) and all(isinstance(i, (int, Dim)) for i in items)
    slots = _slots(items, len(shape))
    with_data = [s for s in slots if isinstance(s, _Array)]
    gathers_numbers = any(s.shape != () for s in with_data)
    start: list[Extent] = []
    count: list[Extent] = []
    step: list[int] = []
    out: list[Extent] = []
    data: list[tuple[int, int, _Array]] = []  # position among the slots, axis of the view, index
    windows: list[Window] = []
    axis = 0
    for position, slot in enumerate(slots):
        if slot is None:
            out.append(1)
            continue
        if isinstance(slot, _Flag):
            out.append(1 if slot.value else 0)
            continue
        n = shape[axis]
        if isinstance(slot, slice) and is_traced(slot):
            windows.append(window(slot, n, len(out), trace))
            first, many, stride = 0, n, 1
            out.append(n)
        elif isinstance(slot, slice):
            first, many, stride = _slice(slot, n, trace)
            out.append(many)
        elif isinstance(slot, _Array) or gathers_numbers:
            array = slot if isinstance(slot, _Array) else _Array(_number(slot))
            if array.masked not in (None, n):
                raise IndexError(
                    f"boolean index did not match indexed array along axis {axis}; size of axis is "
                    f"{n} but size of corresponding boolean axis is {array.masked}"
                )
            first, many, stride = 0, n, 1
            data.append((position, len(out), array))
            out.append(n)
        else:
            first, many, stride = _place(slot, n, axis, trace), 1, 1
        start.append(first)
        count.append(many)
        step.append(stride)
        axis += 1
    steps: list[Step] = []
    if any(isinstance(s, _Flag) and not s.value for s in slots) and 0 not in count:
        start, count = (
            [0 for _ in start],
            [0 for _ in count],
        )  # nothing is read; any empty slice is as good
        if not count:
            raise IndexError(
                "False as the index of a number has no place in a graph; use np.zeros((0,))"
            )
    if any(s != 0 for s in start) or tuple(count) != shape or any(s != 1 for s in step):
        steps.append(Slice(tuple(start), tuple(count), tuple(step)))
    if tuple(out) != tuple(count):
        steps.append(Reshape(tuple(out)))
    for one in windows:
        steps.append(one)
        out[one.axis] = one.extent
    if not data:
        return Plan(tuple(steps), is_scalar=numbers_only)
    return _with_data(tuple(steps), tuple(out), data)


def _number(number: Any) -> np.ndarray | Value:
    return build.extent(number) if isinstance(number, Dim) else np.asarray(number)


def _with_data(
    steps: tuple[Step, ...], shape: tuple[Extent, ...], data: list[tuple[int, int, _Array]]
) -> Plan:
    positions = [position for position, _, _ in data]
    adjacent = positions == list(range(positions[0], positions[0] + len(positions)))
    axes = tuple(axis for _, axis, _ in data)
    known = all(isinstance(a.data, np.ndarray) and isinstance(shape[x], int) for _, x, a in data)
    try:
        together = ty.broadcast_shapes(*(a.shape for _, _, a in data))
    except ShapeMismatch:
        shown = " ".join("(" + ", ".join(map(str, a.shape)) + ")" for _, _, a in data)
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shown}"
        ) from None
    index: list[Value] = []
    for _, axis, array in data:
        if isinstance(array.data, Value):
            one = build.cast(array.data, I64)
        else:
            one = build.constant(_settled(array.data, shape[axis], axis))
        index.append(build.broadcast_to(one, together))
    place = axes[0] if adjacent else 0
    return Plan(steps, axes, tuple(index), place, False, "promise" if known else "raise")


def _settled(array: np.ndarray, n: Extent, axis: int) -> np.ndarray:
    """Known indices, counted from 0 where the extent is known."""
    places = array.astype(np.int64)
    if isinstance(n, Dim):
        return places
    wrong = places[(places < -n) | (places >= n)]
    if wrong.size:
        raise IndexError(f"index {wrong.flat[0]} is out of bounds for axis {axis} with size {n}")
    return np.where(places < 0, places + n, places)


def _place(number: Extent, n: Extent, axis: int, trace: Trace) -> Extent:
    if isinstance(number, int) and isinstance(n, int):
        if not -n <= number < n:
            raise IndexError(f"index {number} is out of bounds for axis {axis} with size {n}")
        return number % n
    place = n + number if isinstance(number, int) and number < 0 else number
    trace.require(place)
    trace.require(n - 1 - place)
    return place


def _slice(asked: slice, n: Extent, trace: Trace) -> tuple[Extent, Extent, int]:
    """First element, number of elements and step of a slice of an axis."""
    first, stop = _bound(asked.start), _bound(asked.stop)
    step = 1 if asked.step is None else asked.step.__index__()
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if not isinstance(n, Dim) and not isinstance(first, Dim) and not isinstance(stop, Dim):
        a, b, step = slice(first, stop, step).indices(n)
        many = len(range(a, b, step))
        return (a if many else 0), many, step
    begin = _from_start(first, n, trace) if first is not None else (0 if step > 0 else n - 1)
    end = _from_start(stop, n, trace) if stop is not None else (n if step > 0 else -1)
    span = end - begin if step > 0 else begin - end
    trace.require(span)
    return begin, (span + abs(step) - 1) // abs(step), step


def _bound(bound: Any) -> Extent | None:
    if bound is None or isinstance(bound, Dim):
        return bound
    return operator.index(bound)  # type: ignore[arg-type] # Tracer has it


def _from_start(bound: Extent, n: Extent, trace: Trace) -> Extent:
    """A bound counted from 0, with a symbolic part: it is taken to lie within the axis."""
    high = ty.bounds(bound)[1]
    place = n + bound if high is not None and high < 0 else bound
    trace.require(place)
    trace.require(n - place)
    return place


# ----------------------------------------------------------------------------------- read and write


def read(x: Any, index: Any) -> Any:
    """x[index], without traced masks."""
    found = plan(index, x.type.shape, x.owner)
    if not found.axes:
        if found.is_scalar:
            value = x.value
            for step in found.steps:
                value = step.read(value)
            return x.fresh(value)
        return x.share(*found.steps)
    value = x.value
    for step in found.steps:
        value = step.read(value)
    gathered = GATHER(value, *found.index, axes=found.axes, mode=found.mode)
    return x.fresh(_moved(gathered, len(found.index[0].shape), found.place))


def _moved(value: Value, many: int, place: int) -> Value:
    """The first `many` axes moved behind the next `place`."""
    if not place or not many:
        return value
    rank = len(value.shape)
    return TRANSPOSE(
        value, axes=(*range(many, many + place), *range(many), *range(many + place, rank))
    )


def write(x: Any, index: Any, value: Any) -> None:
    """x[index] = value, without traced masks."""
    found = plan(index, x.type.shape, x.owner)
    target = x.share(*found.steps) if found.steps else x
    if not found.axes:
        target.write(assigned(value, x, target.type.shape))
        return
    many = len(found.index[0].shape)
    indexed = found.index[0].shape
    rest = tuple(e for a, e in enumerate(target.type.shape) if a not in found.axes)
    shape = (*rest[: found.place], *indexed, *rest[found.place :])
    updates = assigned(value, x, shape)
    if found.place and many:
        rank, place = len(shape), found.place
        order = (*range(place, place + many), *range(place), *range(place + many, rank))
        updates = TRANSPOSE(updates, axes=order)
    if ty.product(indexed) == 0:
        return
    target.write(
        SCATTER(
            target.value, updates, *found.index, axes=found.axes, combine="set", mode=found.mode
        )
    )


def assigned(value: Any, x: Any, shape: tuple[Extent, ...]) -> Value:
    """A value as it is stored into elements of x: cast as NumPy's assignment does, and broadcast.

    Raises:
        OverflowError, TypeError, ValueError: as NumPy, for numbers that the dtype cannot hold.
        ShapeMismatch: when the value does not broadcast to the elements.
    """
    dtype = x.type.dtype
    if isinstance(value, (bool, int, float, complex)) and not isinstance(value, np.generic):
        probe = np.zeros((), dtype.numpy)
        probe[()] = value  # NumPy's own checks and messages
        return build.full(shape, probe[()], dtype)
    found = x.as_value(value)
    if found.dtype.is_complex and not dtype.is_complex:
        found = REAL(found)
    found = build.cast(found, dtype)
    while len(found.shape) > len(shape) and found.shape[0] == 1:
        found = RESHAPE(found, shape=found.shape[1:])
    try:
        return build.broadcast_to(found, shape)
    except ShapeMismatch:
        source = "(" + ",".join(map(str, found.shape)) + ")"
        target = "(" + ",".join(map(str, shape)) + ")"
        return refuse(
            f"could not broadcast input array from shape {source} into shape {target}",
            ShapeMismatch,
        )
