"""graphc.numpy: NumPy's names for traced arrays, and the Python array API standard 2024.12.

Every function works on plain arrays too (then NumPy runs), so a program written with it runs with
and without `graphc.jit`. Where a result's length depends on data there is a `size` argument:
`unique(x, size=n, fill_value=v)`.

    IMPLEMENTATIONS[numpy.mean]    what a tracer runs for a NumPy callable
    REFUSED["vectorize"]           why a name has no meaning in a graph, and what to do instead
"""

from __future__ import annotations

from typing import Any

from . import fft as fft
from . import lib as lib
from . import linalg as linalg
from . import special as special
from .namespace import IMPLEMENTATIONS as IMPLEMENTATIONS
from .namespace import names_of
from .refused import REFUSED as REFUSED
from .refused import remedy as remedy
from .static import NamespaceInfo

__array_api_version__ = "2024.12"
_public = names_of()
globals().update(_public)
__all__ = ["IMPLEMENTATIONS", "REFUSED", "fft", "lib", "linalg", "special", *sorted(_public)]


def __array_namespace_info__() -> NamespaceInfo:
    """What this namespace can do (Source: array API standard, inspection)."""
    return NamespaceInfo()


def __getattr__(name: str) -> Any:
    raise remedy("", name)
