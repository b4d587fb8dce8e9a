"""What a part of a program could change: the traced arrays and the containers that its variables
reach."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..cell import Cell
from .truth import is_unknown

_MOST = 20_000
"""Objects that are looked at."""

_CLOSED = frozenset({"numpy", "graphc", "graphc_runtime", *sys.stdlib_module_names})
"""Packages whose objects are not looked into."""


def base_of(cell: Cell) -> Cell:
    """The array whose elements a view shares; itself where it is none."""
    return cell if cell._base is None else cell._base


@dataclass(slots=True)
class ReachedCell:
    """A traced array that is no view, and the variables (and what is in them) that hold it."""

    cell: Cell
    paths: list[str]

    @property
    def path(self) -> str:
        return self.paths[0]


@dataclass(slots=True)
class ReachedContainer:
    """A list, dict, set or an object's attributes, and what was in it."""

    container: Any
    path: str
    entry: Any
    attributes: bool = False

    def keys(self) -> Iterable[Any]:
        return range(len(self.entry)) if isinstance(self.entry, list) else self.entry

    def path_of(self, key: Any) -> str:
        """How an element is written."""
        return f"{self.path}.{key}" if self.attributes else f"{self.path}[{key!r}]"

    def has_changed(self) -> bool:
        now, before = self.container, self.entry
        if isinstance(before, set):
            return now != before
        if isinstance(before, list):
            return len(now) != len(before) or any(
                a is not b for a, b in zip(now, before, strict=True)
            )
        return list(now) != list(before) or any(now[k] is not before[k] for k in before)

    def has_grown(self) -> bool:
        """Whether it is a list with new elements at its end."""
        return isinstance(self.entry, list) and len(self.container) > len(self.entry)

    def restore(self) -> None:
        """Puts back what was in it."""
        now = self.container
        if isinstance(self.entry, list):
            now[:] = self.entry
        else:
            now.clear()
            now.update(self.entry)


@dataclass(slots=True)
class Reach:
    """Everything that variables reach; `add` one after the other."""

    cells: dict[int, ReachedCell] = field(default_factory=dict)
    containers: dict[int, ReachedContainer] = field(default_factory=dict)
    _seen: dict[int, Any] = field(default_factory=dict)

    def add(self, name: str, x: Any) -> None:
        """What a variable reaches."""
        waiting: list[tuple[str, Any]] = [(name, x)]
        while waiting and len(self._seen) < _MOST:
            path, one = waiting.pop()
            if isinstance(one, Cell):
                self._cell(path, one)
            elif id(one) not in self._seen:
                waiting += self._inside(path, one)

    def _cell(self, path: str, cell: Cell) -> None:
        base = base_of(cell)
        known = self.cells.setdefault(id(base), ReachedCell(base, []))
        if path not in known.paths:
            known.paths.append(path)

    def _inside(self, path: str, x: Any) -> list[tuple[str, Any]]:
        if isinstance(x, (str, bytes, int, float, complex, type, types.ModuleType, type(None))):
            return []
        self._seen[id(x)] = x
        if isinstance(x, (list, tuple)):
            if isinstance(x, list):
                self.containers[id(x)] = ReachedContainer(x, path, list(x))
            return [(f"{path}[{k}]", one) for k, one in enumerate(x)]
        if isinstance(x, dict):
            self.containers[id(x)] = ReachedContainer(x, path, dict(x))
            return [(f"{path}[{k!r}]", one) for k, one in x.items()]
        if isinstance(x, set):
            self.containers[id(x)] = ReachedContainer(x, path, set(x))
            return []
        if isinstance(x, types.FunctionType):
            cells = zip(x.__code__.co_freevars, x.__closure__ or (), strict=True)
            return [(name, one) for name, cell in cells for one in _contents(cell)]
        if isinstance(x, types.MethodType):
            return [(path, x.__self__)]
        if isinstance(x, functools.partial):
            return [(path, x.func), (path, x.args), (path, x.keywords)]
        if type(x).__module__.split(".")[0] in _CLOSED or not hasattr(x, "__dict__"):
            return []
        own = vars(x)
        self.containers[id(own)] = ReachedContainer(own, path, dict(own), attributes=True)
        return [(f"{path}.{k}", one) for k, one in own.items()]

    def is_traced(self) -> bool:
        """Whether there is an array among them whose elements are not known."""
        return any(is_unknown(one.cell) for one in self.cells.values())


def _contents(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not yet bound
        return []


def reached(names: Iterable[str], values: Iterable[Any]) -> Reach:
    """What variables reach."""
    found = Reach()
    for name, value in zip(names, values, strict=True):
        found.add(name, value)
    return found


__all__ = ["Reach", "ReachedCell", "ReachedContainer", "base_of", "reached"]
