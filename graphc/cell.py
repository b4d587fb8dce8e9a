"""The state of tracing: which trace is active on this thread, and cells, a trace's mutable arrays.

A cell holds the value that an array of the traced program has now. A write replaces the value; the
graph itself never changes. A view is a cell with a base and a path of steps from the base's value
to its own: reading it applies the path, writing it goes the path backwards. `Tracer` adds the
behaviour of a NumPy array (graphc/tracer.py).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from . import ir
from . import types as ty
from .errors import ShapeMismatch
from .ir import Literal, Node, SourceLine, Value
from .locations import refuse, user_line
from .ops import build
from .types import Dim, Extent, TensorType

Strides = tuple[Extent, ...]


class Step(Protocol):
    """A movement from a value to a view of it, and back."""

    def read(self, value: Value) -> Value:
        """The view of a value."""
        ...

    def write(self, value: Value, part: Value) -> Value:
        """The value with its view replaced."""
        ...

    def strides(self, type: TensorType, strides: Strides) -> Strides | None:
        """The strides (elements) of NumPy's view of such an array; None when NumPy would copy."""
        ...


# ------------------------------------------------------------------------------------- the trace


class Trace:
    """One run of a Python function on tracers. Belongs to the thread that made it."""

    __slots__ = (
        "_arrays",
        "_captured",
        "_dynamic",
        "_static",
        "alive",
        "name",
        "requirements",
        "transformed",
    )

    def __init__(self, name: str):
        self.name = name
        self.alive = True
        self.requirements: dict[Extent, SourceLine | None] = {}
        """Extents that the program takes to be at least 0; whoever binds the symbols checks."""
        self.transformed = False
        """Whether a function was run on parameters of its own, which must not stay in the graph."""
        self._captured: dict[int, tuple[np.ndarray, Value]] = {}
        self._dynamic: set[Node] = set()
        self._static: set[Node] = set()
        self._arrays: dict[Value, np.ndarray] = {}

    def capture(self, array: np.ndarray) -> Value:
        """An array from outside as a constant; the same array, unchanged, is one constant."""
        if array.ndim == 0:
            return build.constant(array)
        known = self._captured.get(id(array))
        if known is not None and known[0] is array and _holds(known[1], array):
            return known[1]
        value = build.constant(array)
        self._captured[id(array)] = (array, value)
        return value

    def require(self, extent: Extent) -> None:
        """Records that an extent must not be negative."""
        low = ty.bounds(extent)[0]
        if low is None or low < 0:
            self.requirements.setdefault(extent, user_line(2))

    def is_static(self, value: Value) -> bool:
        """Whether a value depends on no argument: its elements are known while tracing."""
        if value.node in self._static:
            return True
        if value.node in self._dynamic:
            return False
        stack = [value.node]
        while stack:
            node = stack[-1]
            if node in self._static or node in self._dynamic:
                stack.pop()
                continue
            if node.op is ir.PARAM or any(_is_symbolic(r.type) for r in node.results):
                self._dynamic.add(node)
                continue
            if any(v.node in self._dynamic for v in node.operands) or "extent" == node.op.name:
                self._dynamic.add(node)
                continue
            waiting = [v.node for v in node.operands if v.node not in self._static]
            if waiting:
                stack.extend(waiting)
            else:
                self._static.add(node)
        return value.node in self._static

    def known(self, value: Value) -> np.ndarray | None:
        """The elements of a value that depends on no argument, read-only; None otherwise."""
        if not self.is_static(value):
            return None
        for node in ir.reachable([value]):
            if node.results[0] in self._arrays:
                continue
            found = node.op.evaluate([self._arrays[v] for v in node.operands], node.attrs)
            results = found if isinstance(found, (tuple, list)) else (found,)
            for one, array in zip(node.results, results, strict=True):
                kept = np.asarray(array).view()
                kept.flags.writeable = False
                self._arrays[one] = kept
        return self._arrays[value]


def _is_symbolic(type: TensorType) -> bool:
    return any(isinstance(e, Dim) for e in type.shape)


def _holds(value: Value, array: np.ndarray) -> bool:
    """Whether a constant has the elements that the array has now."""
    literal: Literal = value.node.attrs["value"]
    if literal.array is array:
        return True
    if not array.flags.writeable and array.base is None:
        return True
    return literal.array.shape == array.shape and (
        np.ascontiguousarray(array).tobytes() == literal.array.tobytes()
    )


class _Active(threading.local):
    traces: tuple[Trace, ...] = ()


_active = _Active()


def current_trace() -> Trace | None:
    """The innermost trace that is active on this thread."""
    traces = _active.traces
    return traces[-1] if traces else None


def active_traces() -> int:
    """How many traces are active on this thread, one inside the other."""
    return len(_active.traces)


def enter(trace: Trace) -> None:
    """Makes a trace the active one of this thread."""
    _active.traces = (*_active.traces, trace)


def leave(trace: Trace) -> None:
    """Ends a trace: its tracers can no longer be used."""
    trace.alive = False
    _active.traces = tuple(t for t in _active.traces if t is not trace)
    ir._current.where = None


def mark(depth: int = 1) -> None:
    """Nodes made from now on come from the line of the user's program that runs now."""
    ir._current.where = user_line(depth + 1)


# ------------------------------------------------------------------------------------------ cells


MAX_RANK = 64
"""NumPy's limit of axes."""


class Cell:
    """A mutable array of a trace. `weak`: a Python number, which takes the dtype it meets."""

    __slots__ = ("__weakref__", "_base", "_path", "_reason", "_value", "_version", "owner", "weak")

    def __init__(self, trace: Trace, value: Value, weak: bool = False):
        if len(value.type.shape) > MAX_RANK:
            refuse(
                f"an array of {value.type.rank} axes is made, and NumPy's have at most {MAX_RANK}",
                ShapeMismatch,
            )
        self.owner = trace
        self.weak = weak
        self._value = value
        self._version = 0
        self._base: Cell | None = None
        self._path: tuple[Step, ...] = ()
        self._reason = ""

    @property
    def value(self) -> Value:
        """What the array holds now."""
        if not self.owner.alive:
            refuse(
                f"a traced array of {self.owner.name} is used after the trace has ended. It was "
                "kept in a global, a closure, an attribute or a cache; return it from the "
                "function instead"
            )
        base = self._base
        if base is not None and self._version != base._version:
            value = base._value
            for step in self._path:
                value = step.read(value)
            self._value, self._version = value, base._version
        return self._value

    @property
    def type(self) -> TensorType:
        """Dtype and shape, which no write changes."""
        return self._value.type

    @property
    def is_view(self) -> bool:
        return self._base is not None

    def fresh(self, value: Value, weak: bool = False) -> Any:
        """A new array of the same trace."""
        return type(self)(self.owner, value, weak)

    def share(self, *steps: Step, readonly: str = "") -> Any:
        """An array that shares its elements with this one."""
        value = self.value
        for step in steps:
            value = step.read(value)
        made = type(self)(self.owner, value)
        made._base = self if self._base is None else self._base
        made._path = (*self._path, *steps)
        made._version = made._base._version
        made._reason = readonly or self._reason
        return made

    def freeze(self, reason: str) -> None:
        """No more writes, to it or to its later views; the reason is told."""
        self._reason = reason

    def write(self, value: Value) -> None:
        """Replaces the elements; the base and all its views see it.

        Raises:
            TraceError: when the array is read-only, with the reason.
        """
        assert value.type == self.type, (value.type, self.type)
        if self._reason:
            refuse(self._reason)
        base = self._base
        if base is None:
            self._value = value
            self._version += 1
            return
        if not self._path:
            base.write(value)
            return
        whole = [base.value]
        for step in self._path[:-1]:
            whole.append(step.read(whole[-1]))
        part = value
        for step, before in zip(reversed(self._path), reversed(whole), strict=True):
            part = step.write(before, part)
        base._value = part
        base._version += 1
        self._value, self._version = value, base._version

    def layout(self) -> Strides | None:
        """The strides (elements) that NumPy's array has here, when arrays are made C-contiguous."""
        value = self._value if self._base is None else self._base._value
        type, strides = value.type, contiguous(value.shape)
        for step in self._path:
            found = step.strides(type, strides)
            if found is None:
                return None
            value = step.read(value)
            type, strides = value.type, found
        return strides

    def as_value(self, x: Any) -> Value:
        """Anything array-like as a value of this trace."""
        return as_value(x, self.owner)

    def known(self) -> np.ndarray | None:
        """The elements, when they depend on no argument of the traced function."""
        return self.owner.known(self.value)


def contiguous(shape: Sequence[Extent]) -> Strides:
    """The strides (elements) of a C-contiguous array."""
    strides: list[Extent] = []
    total: Extent = 1
    for extent in reversed(shape):
        strides.append(total)
        total = total * extent
    return tuple(reversed(strides))


def as_value(x: Any, trace: Trace | None = None) -> Value:
    """A tracer, array, number, extent, or nested lists of them as a value.

    Arrays from outside become constants, the same array always the same one.

    Raises:
        TypeMismatch, TraceError: for what is no array and no number.
    """
    if isinstance(x, Cell):
        return x.value
    if isinstance(x, Value):
        return x
    if isinstance(x, np.ndarray):
        active = trace or current_trace()
        return build.constant(x) if active is None else active.capture(x)
    if isinstance(x, (bool, int, float, complex, Dim, np.generic)):
        return build.constant(x)
    from .numpy.dispatch import value  # the namespace is built on this module

    return value(x)
