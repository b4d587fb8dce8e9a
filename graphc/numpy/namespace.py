"""The public names, made once from what the rooms entered; and NumPy callable -> function for the
tracer.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import (
    creation,
    decompositions,
    elementwise,
    fourier,
    histograms,
    indexing,
    joining,
    nan_reductions,
    ordering,
    padding,
    polynomials,
    rearranging,
    scans,
    sequences,
    special_functions,
    spectra,
    static,
    statistics,
)
from .dispatch import ENTRIES, public
from .ufunc_objects import UFUNCS

ROOMS = (
    creation, decompositions, elementwise, fourier, histograms, indexing, joining, nan_reductions,
    ordering, padding, polynomials, rearranging, scans, sequences, special_functions, spectra,
    statistics,
)  # fmt: skip
"""Each entered its functions in ENTRIES when it was imported."""


class _Implementations(dict[Any, Any]):
    """SciPy's ufuncs are found by their names when they are first asked for, so SciPy is not
    imported for them.
    """

    def __missing__(self, key: Any) -> Any:
        name = getattr(key, "__name__", "")
        module = sys.modules.get("scipy.special")
        if (
            module is None
            or name not in special_functions.SCIPY
            or getattr(module, name) is not key
        ):
            raise KeyError(key)
        self[key] = _names[f"special.{name}"]
        return self[key]

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


def _enter() -> None:
    for name in static.OF_TYPES:
        _names[name] = IMPLEMENTATIONS[getattr(np, name)] = static.public(name)
    for entry in ENTRIES.values():
        _names[entry.name] = public(entry)
        for theirs in entry.numpy:
            IMPLEMENTATIONS[theirs] = _names[entry.name]
    IMPLEMENTATIONS.update(UFUNCS)
    # NumPy has some functions under several names; its lazy submodules must not be loaded for that
    for name, theirs in list(vars(np).items()):
        if name not in _names and callable(theirs) and theirs in IMPLEMENTATIONS:
            _names[name] = IMPLEMENTATIONS[theirs]
    _names["row_stack"] = _names["vstack"]
    _names["matmul"] = UFUNCS[np.matmul]
    _names["linalg.vecdot"] = IMPLEMENTATIONS[np.linalg.vecdot]


_enter()


def names_of(module: str = "") -> dict[str, Any]:
    """The public names of the namespace, or of a submodule of it."""
    lead = f"{module}." if module else ""
    rest = {k.removeprefix(lead): v for k, v in _names.items() if k.startswith(lead)}
    return {k: v for k, v in rest.items() if "." not in k}
