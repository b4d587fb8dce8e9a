"""graphc.numpy: NumPy's names for traced arrays, and the Python array API standard 2024.12.

Every function works on plain arrays too (then NumPy runs), so a program written with it runs with and without
`graphc.jit`. Where a result's length depends on data there is a `size` argument: `unique(x, size=n, fill_value=v)`.

    IMPLEMENTATIONS[numpy.mean]    what a tracer runs for a NumPy callable
    REFUSED["vectorize"]           why a name has no meaning in a graph, and what to do instead
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as _np

from . import (  # every room enters its functions when it is imported
    creation,
    elementwise,
    fft,
    indexing,
    linalg,
    ordering,
    padding,
    polynomials,
    products,
    reductions,
    sequences,
    shaping,
    special,
    statistics,
)
from . import static as _static
from .dispatch import ENTRIES, public
from .refused import REFUSED
from .ufunc_objects import UFUNCS

__array_api_version__ = "2024.12"
_ROOMS = (
    creation, elementwise, fft, indexing, linalg, ordering, padding, polynomials, products,
    reductions, sequences, shaping, special, statistics,
)  # fmt: skip


class _Implementations(dict):  # type: ignore[type-arg]
    """NumPy callable -> function. SciPy's ufuncs are found by their names, so SciPy is never imported for them."""

    def __missing__(self, key: Any) -> Any:
        found = self._of_scipy(key)
        if found is None:
            raise KeyError(key)
        self[key] = found
        return found

    def _of_scipy(self, key: Any) -> Any:
        module = sys.modules.get("scipy.special")
        name = getattr(key, "__name__", None)
        if module is None or name not in special.SCIPY or getattr(module, name, None) is not key:
            return None
        return getattr(_submodules["special"], name)

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except (KeyError, TypeError):
            return default

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None


IMPLEMENTATIONS: dict[Any, Any] = _Implementations(UFUNCS)
_submodules = {
    name: types.ModuleType(f"{__name__}.{name}", f"The functions of {name} for traced arrays.")
    for name in ("linalg", "fft", "special", "lib", "lib.stride_tricks")
}
_names: dict[str, Any] = {name: getattr(_np, name) for name in _static.PLAIN}
_names.update({name: _static.public(name) for name in _static.OF_TYPES})
for _name, _function in list(_names.items()):
    if _name in _static.OF_TYPES:
        IMPLEMENTATIONS[getattr(_np, _name)] = _function

for _entry in ENTRIES.values():
    _function = public(_entry)
    for _theirs in _entry.numpy:
        IMPLEMENTATIONS[_theirs] = _function
    _owner, _, _name = _entry.name.rpartition(".")
    if _owner:
        setattr(_submodules[_owner], _name, _function)
    else:
        _names[_name] = _function
# NumPy has some functions under several names
for _name in dir(_np):
    if not _name.startswith("_") and _name not in _names and callable(getattr(_np, _name)):
        _found = IMPLEMENTATIONS.get(getattr(_np, _name))
        if _found is not None:
            _names[_name] = _found
for _name in ("matmul", "vecdot"):
    _names[_name] = UFUNCS[getattr(_np, _name)]
    setattr(_submodules["linalg"], _name, IMPLEMENTATIONS.get(getattr(_np.linalg, _name), _names[_name]))
IMPLEMENTATIONS.update(UFUNCS)
setattr(_submodules["lib"], "stride_tricks", _submodules["lib.stride_tricks"])  # noqa: B010
_submodules["linalg"].LinAlgError = _np.linalg.LinAlgError  # type: ignore[attr-defined]


def __array_namespace_info__() -> _static.NamespaceInfo:
    """The array API standard's inspection."""
    return _static.NamespaceInfo()


# the submodules' names are taken by rooms of this package until here
globals().update(_names)
globals().update({k: v for k, v in _submodules.items() if "." not in k})
for _name, _module in _submodules.items():
    sys.modules[f"{__name__}.{_name}"] = _module if _name not in ("linalg", "fft", "special") else sys.modules[f"{__name__}.{_name}"]

__all__ = ["IMPLEMENTATIONS", "REFUSED", *sorted(_names), "fft", "lib", "linalg", "special"]


def __getattr__(name: str) -> Any:
    if name in REFUSED:
        raise AttributeError(f"graphc.numpy has no {name}: {REFUSED[name]}")
    raise AttributeError(f"module 'graphc.numpy' has no attribute {name!r}")
