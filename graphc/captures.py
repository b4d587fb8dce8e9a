"""Arrays that a traced function finds outside of itself become traced constants.

`table[i]` with a NumPy array and a traced index would end inside NumPy, which cannot answer a
tracer. So the function runs as a copy of itself whose globals, closure and defaults answer traced
constants for arrays, copies of the same kind for the plain functions it calls by name, and the
intercepting wrappers for NumPy's creation functions. Nothing of the user's is changed. Methods and
functions reached through modules run as they are.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .cell import Trace
from .interception import CAPTURED, wrapper_of
from .locations import is_library_code
from .tracer import Tracer


@lru_cache(maxsize=4096)
def _writes(code: types.CodeType) -> frozenset[str]:
    """Names outside of the function that its code sets: globals, and an outer function's names."""
    found: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF"):
            found.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _writes(constant)
    return frozenset(found)


class _Globals(dict[str, Any]):
    """A module's names as a traced function sees them; read when they are asked for."""

    __slots__ = ("real", "swap")

    def __init__(self, real: dict[str, Any], swap: Callable[[Any], Any]):
        super().__init__(real)
        self.real = real
        self.swap = swap

    def __getitem__(self, name: str) -> Any:
        return self.swap(self.real[name])


class Captures:
    """What one trace puts in the place of arrays and functions."""

    def __init__(self, trace: Trace):
        self._trace = trace
        self._arrays: dict[int, tuple[np.ndarray, Tracer]] = {}
        self._functions: dict[int, tuple[Any, Any]] = {}
        self._globals: dict[int, _Globals] = {}

    def swap(self, x: Any) -> Any:
        """What the traced function sees instead of x."""
        kind = type(x)
        if kind is np.ndarray:
            return self._array(x) if x.dtype.kind in "biufc" else x
        if kind is types.FunctionType:
            return wrapper_of(x) or self.function(x)
        if kind is types.BuiltinFunctionType:
            return wrapper_of(x) or x
        if x is np.r_ or x is np.c_:
            return wrapper_of(x) or x
        return x

    def _array(self, array: np.ndarray) -> Tracer:
        known = self._arrays.get(id(array))
        if known is None:
            made = Tracer(self._trace, self._trace.capture(array))
            made.freeze(CAPTURED)
            known = self._arrays[id(array)] = (array, made)
        return known[1]

    def function(self, function: Any) -> Any:
        """A copy of a user's plain function that sees traced constants; anything else as it is."""
        if type(function) is not types.FunctionType or is_library_code(function.__code__):
            return function
        known = self._functions.get(id(function))
        if known is not None:
            return known[1]
        code = function.__code__
        writes = _writes(code)
        if any(name in function.__globals__ for name in writes - set(code.co_cellvars)):
            return function  # a `global` statement: it has to reach the real module
        closure = function.__closure__ or ()
        cells = [
            cell if name in writes or not _is_swapped(cell) else types.CellType()
            for name, cell in zip(code.co_freevars, closure, strict=True)
        ]
        made = types.FunctionType(
            code, self._names(function.__globals__), function.__name__, None, tuple(cells) or None
        )
        self._functions[id(function)] = (
            function,
            made,
        )  # before its cells: functions call themselves
        for cell, original in zip(cells, closure, strict=True):
            if cell is not original:
                cell.cell_contents = self.swap(original.cell_contents)
        made.__defaults__ = _each(self.swap, function.__defaults__)
        made.__kwdefaults__ = {
            k: self.swap(v) for k, v in (function.__kwdefaults__ or {}).items()
        } or None
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        made.__dict__ = function.__dict__  # one and the same: `f.calls += 1` counts
        return made

    def _names(self, real: dict[str, Any]) -> _Globals:
        found = self._globals.get(id(real))
        if found is None:
            found = self._globals[id(real)] = _Globals(real, self.swap)
        return found


def _is_swapped(cell: types.CellType) -> bool:
    try:
        return isinstance(
            cell.cell_contents, (np.ndarray, types.FunctionType, types.BuiltinFunctionType)
        )
    except ValueError:  # not yet bound
        return False


def _each(swap: Callable[[Any], Any], values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(map(swap, values))
