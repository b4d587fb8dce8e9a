"""graphc.numpy: NumPy's names for traced arrays, and the Python array API standard 2024.12.

Every function works on plain arrays too (then NumPy runs), so a program written with it runs with
and without `graphc.jit`. Where a result's length depends on data there is a `size` argument:
`unique(x, size=n, fill_value=v)`.

    IMPLEMENTATIONS[numpy.mean]    what a tracer runs for a NumPy callable
    REFUSED["vectorize"]           why a name has no meaning in a graph, and what to do instead
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .namespace import IMPLEMENTATIONS as IMPLEMENTATIONS
from .namespace import find, names_of
from .refused import REFUSED as REFUSED
from .refused import remedy as remedy
from .static import NamespaceInfo

__array_api_version__ = "2024.12"
_SUBMODULES = ("fft", "lib", "linalg", "special")


def __array_namespace_info__() -> NamespaceInfo:
    """What this namespace can do (Source: array API standard, inspection)."""
    return NamespaceInfo()


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name == "__all__":
        return ["IMPLEMENTATIONS", "REFUSED", *_SUBMODULES, *sorted(names_of())]
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = find(name)
    except KeyError:
        raise remedy("", name) from None
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *names_of()})
