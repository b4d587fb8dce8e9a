"""graphc: write NumPy, ship native code.

    import graphc, numpy as np

    @graphc.jit
    def f(x, w):
        return np.tanh(x @ w)

The names below are the public ones. All but `jit` are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BuildError,
    GraphcError,
    LoweringError,
    NonFiniteError,
    ShapeMismatch,
    TraceError,
    TypeMismatch,
    VerifyError,
)
from .jit import jit
from .specs import spec

if TYPE_CHECKING:
    from . import numpy as numpy
    from .trace import Tracer as Tracer

__version__ = "0.1.0"

__all__ = [
    "BuildError",
    "GraphcError",
    "LoweringError",
    "NonFiniteError",
    "ShapeMismatch",
    "TraceError",
    "TypeMismatch",
    "VerifyError",
    "__version__",
    "jit",
    "numpy",
    "spec",
]

_LATER = {"Tracer": "trace"}


def __getattr__(name: str) -> Any:
    if name == "numpy":
        return import_module(".numpy", __name__)
    if name in _LATER:
        found = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LATER})
