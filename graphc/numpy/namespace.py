"""The public names, made once from what the rooms entered; and NumPy callable -> function for the
tracer.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np
from graphc_runtime.forking import ForkLock

from . import creation, elementwise, indexing, joining, rearranging, reductions, static
from .dispatch import ENTRIES, public
from .ufunc_objects import UFUNCS

CORE = (creation, elementwise, indexing, joining, rearranging, reductions)
"""The rooms that nearly every program needs. Each entered its functions in ENTRIES on import."""
LATER = (
    "decompositions", "fourier", "histograms", "nan_reductions", "ordering", "padding",
    "polynomials", "scans", "sequences", "special_functions", "spectra", "statistics",
)  # fmt: skip
"""The rooms that are loaded when a name is asked for that the core has not: imports take time."""


class _Implementations(dict[Any, Any]):
    """SciPy's ufuncs are found by their names when they are first asked for, so SciPy is not
    imported for them.
    """

    def __missing__(self, key: Any) -> Any:
        found = _of_scipy(key)
        if found is None:
            if _complete:
                raise KeyError(key)
            load_all()
            return self[key]
        self[key] = found
        return found

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except (KeyError, TypeError):
            return default

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None


IMPLEMENTATIONS: dict[Any, Any] = _Implementations()
"""NumPy (or SciPy) callable -> the function that a tracer runs for it."""
_names: dict[str, Any] = {name: getattr(np, name) for name in static.PLAIN}


_complete: list[bool] = []
_lock = ForkLock()


def _enter() -> None:
    """Makes the public functions of the rooms that are loaded."""
    for entry in list(ENTRIES.values()):
        if entry.name in _names:
            continue
        _names[entry.name] = public(entry)
        for theirs in entry.numpy:
            IMPLEMENTATIONS[theirs] = _names[entry.name]


def _enter_core() -> None:
    for name in static.OF_TYPES:
        _names[name] = IMPLEMENTATIONS[getattr(np, name)] = static.public(name)
    _enter()
    IMPLEMENTATIONS.update(UFUNCS)


def load_all() -> None:
    """Loads every room. Safe from several threads."""
    with _lock:
        if _complete:
            return
        for name in LATER:
            import_module(f".{name}", __package__)
        _enter()
        IMPLEMENTATIONS.update(UFUNCS)
        _complete.append(True)
        # NumPy has some functions under several names; its lazy submodules stay unloaded
        for name, theirs in list(vars(np).items()):
            if name not in _names and callable(theirs) and dict.get(IMPLEMENTATIONS, theirs):
                _names[name] = IMPLEMENTATIONS[theirs]
        _names["row_stack"] = _names["vstack"]
        _names["matmul"] = UFUNCS[np.matmul]
        _names["linalg.vecdot"] = IMPLEMENTATIONS[np.linalg.vecdot]


_enter_core()


def _of_scipy(key: Any) -> Any:
    """What stands for a ufunc of scipy.special, by its name; None for anything else."""
    module = sys.modules.get("scipy.special")
    name = getattr(key, "__name__", "")
    if module is None or not name or getattr(module, name, None) is not key:
        return None
    if f"special.{name}" not in _names:
        with _lock:
            import_module(".special_functions", __package__)
            _enter()
    return _names.get(f"special.{name}")


def find(name: str) -> Any:
    """The public object of that name.

    Raises:
        KeyError: where there is none.
    """
    if name not in _names:
        load_all()
    return _names[name]


def names_of(module: str = "") -> dict[str, Any]:
    """The public names of the namespace, or of a submodule of it."""
    load_all()
    lead = f"{module}." if module else ""
    rest = {k.removeprefix(lead): v for k, v in _names.items() if k.startswith(lead)}
    return {k: v for k, v in rest.items() if "." not in k}
