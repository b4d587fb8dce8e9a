"""What a `for` can go over in the graph: ranges, rows of traced arrays, enumerate and zip of them.

    Rows = Range(start, stop, step) | Array(x) | Pairs(start, Rows) | Zip(Rows*)

Each knows its length (a number, an extent, or a traced number) and makes its element for a step.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any

from .. import types as ty
from ..ir import Value, param
from ..locations import refuse
from ..ops import build
from ..tracer import Tracer
from ..types import Dim, TensorType
from .truth import is_unknown

_ROW = (
    "a row of {path}, over which a traced loop goes, is changed in place; assign to {path} by its "
    "index, for i in range(len({path}))"
)


class Rows:
    """Something that a traced loop can go over."""

    def length(self) -> Any:
        """The number of steps."""
        raise NotImplementedError

    def item(self, k: Any, rows: dict[int, Tracer]) -> Any:
        """The element of step k; `rows` are those of the arrays, by the array's id."""
        raise NotImplementedError

    def arrays(self) -> list[Tracer]:
        """The arrays whose rows are asked for."""
        return []

    def python(self) -> Any:
        """The same for Python's own loop."""
        raise NotImplementedError

    def rest(self, done: int) -> Rows:
        """What is left after some steps."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Range(Rows):
    """`range(start, stop, step)`; start and stop may be traced, or extents."""

    start: Any
    stop: Any
    step: int = 1

    def length(self) -> Any:
        numbers = (self.start, self.stop)
        if all(isinstance(x, int) for x in numbers):
            return len(range(self.start, self.stop, self.step))
        if any(isinstance(x, Tracer) for x in numbers):
            return None
        if self.step == 1:
            return self.stop - self.start
        return refuse(
            f"a range of {self.stop} with a step needs a number; write the steps as array"
        )

    def item(self, k: Any, rows: dict[int, Tracer]) -> Any:
        if isinstance(k, int) and isinstance(self.start, int):
            return self.start + self.step * k
        start = _number(self.start)
        if self.step == 1 and isinstance(self.start, int) and self.start == 0:
            return k
        return start + self.step * k

    def python(self) -> Any:
        return range(self.start, self.stop, self.step)

    def rest(self, done: int) -> Rows:
        return Range(self.start + done * self.step, self.stop, self.step)

    def steps(self) -> Any:
        """The traced number of steps, where `length` knows none."""
        distance = _number(self.stop) - _number(self.start)
        sign = 1 if self.step > 0 else -1
        return (distance + (self.step - sign)) // self.step


@dataclass(frozen=True, slots=True)
class Array(Rows):
    """The rows of a traced array."""

    x: Tracer

    def length(self) -> Any:
        return self.x.shape[0]

    def item(self, k: Any, rows: dict[int, Tracer]) -> Any:
        return rows[id(self.x)]

    def arrays(self) -> list[Tracer]:
        return [self.x]

    def python(self) -> Any:
        return self.x

    def rest(self, done: int) -> Rows:
        return Array(self.x[done:])


@dataclass(frozen=True, slots=True)
class Pairs(Rows):
    """`enumerate(rows, start)`."""

    rows: Rows
    start: Any = 0

    def length(self) -> Any:
        return self.rows.length()

    def item(self, k: Any, rows: dict[int, Tracer]) -> Any:
        number = k if isinstance(self.start, int) and not self.start else k + self.start
        return number, self.rows.item(k, rows)

    def arrays(self) -> list[Tracer]:
        return self.rows.arrays()

    def python(self) -> Any:
        return enumerate(self.rows.python(), self.start)

    def rest(self, done: int) -> Rows:
        return Pairs(self.rows.rest(done), self.start + done)


@dataclass(frozen=True, slots=True)
class Zip(Rows):
    """`zip(*parts)`."""

    parts: tuple[Rows, ...]

    def length(self) -> Any:
        lengths = [part.length() for part in self.parts]
        if all(isinstance(n, int) for n in lengths):
            return min(lengths)
        if any(n is None or n != lengths[0] for n in lengths):
            shown = ", ".join("traced" if n is None else str(n) for n in lengths)
            refuse(f"zip of {shown} elements: which of them is the shortest is not known")
        return lengths[0]

    def item(self, k: Any, rows: dict[int, Tracer]) -> Any:
        return tuple(part.item(k, rows) for part in self.parts)

    def arrays(self) -> list[Tracer]:
        return [x for part in self.parts for x in part.arrays()]

    def python(self) -> Any:
        return zip(*(part.python() for part in self.parts), strict=False)

    def rest(self, done: int) -> Rows:
        return Zip(tuple(part.rest(done) for part in self.parts))


def rows_of(x: Any) -> Rows | None:
    """What a loop goes over as `Rows`, or None where it is Python's own affair."""
    if isinstance(x, Rows):
        return x
    if isinstance(x, range):
        return Range(x.start, x.stop, x.step)
    if isinstance(x, Tracer):
        if not x.type.shape:
            raise TypeError("iteration over a 0-d array")
        return Array(x)
    return None


def iterable(function: Any) -> Any:
    """What is called instead of range, enumerate, zip and reversed in the head of a `for`."""
    from .convert import converted

    known = (
        (builtins.range, _range),
        (builtins.enumerate, _enumerate),
        (builtins.zip, _zip),
        (builtins.reversed, _reversed),
    )
    return next((new for old, new in known if old is function), None) or converted(function)


def _number(x: Any) -> Any:
    if isinstance(x, Dim):
        from ..cell import current_trace

        trace = current_trace()
        assert trace is not None
        return Tracer(trace, build.extent(x), weak=True)
    return x


def _bound(x: Any) -> Any:
    """A number, an extent, or a traced integer."""
    if isinstance(x, Dim):
        return x
    if not is_unknown(x):
        return x.__index__()
    if x.type.shape or not x.type.dtype.is_integer:
        raise TypeError(f"range() of {x.type}; an integer is expected")
    return Tracer(x.owner, build.cast(x.value, ty.I64), weak=True)


def _range(*args: Any) -> Any:
    if not 1 <= len(args) <= 3:
        return builtins.range(*args)
    bounds = [_bound(a) for a in args]
    if all(isinstance(b, int) for b in bounds):
        return builtins.range(*bounds)
    start, stop = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    step = bounds[2] if len(bounds) == 3 else 1
    if not isinstance(step, int):
        refuse("the step of a range depends on the arguments; it has to be a number")
    if not step:
        raise ValueError("range() arg 3 must not be zero")
    return Range(start, stop, step)


def _enumerate(iterable: Any, start: Any = 0) -> Any:
    rows = rows_of(iterable)
    return builtins.enumerate(iterable, start) if rows is None else Pairs(rows, start)


def _zip(*iterables: Any, strict: bool = False) -> Any:
    rows = [rows_of(x) for x in iterables]
    found = [r for r in rows if r is not None]
    if not iterables or len(found) < len(rows):
        return builtins.zip(*iterables, strict=strict)
    lengths = {r.length() for r in found}
    if strict and len(lengths) > 1:
        raise ValueError("zip() arguments have different lengths")
    return Zip(tuple(found))


def _reversed(x: Any) -> Any:
    if isinstance(x, (range, Tracer)):
        return x[::-1]
    if isinstance(x, Rows):
        return refuse("reversed() of a range whose length depends on the arguments")
    return builtins.reversed(x)


def row_parameter(x: Tracer, path: str) -> tuple[Value, Tracer]:
    """A parameter that stands for a row of an array, and the tracer that a loop's body sees."""
    own = x.type
    made = param(TensorType(own.dtype, own.shape[1:]), f"{path}[...]")
    tracer = Tracer(x.owner, made)
    tracer.freeze(_ROW.format(path=path))
    return made, tracer


__all__ = ["Array", "Pairs", "Range", "Rows", "Zip", "iterable", "row_parameter", "rows_of"]
