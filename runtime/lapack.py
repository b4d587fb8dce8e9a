"""The routines of LAPACK that compiled code calls: SciPy's, whose addresses its modules publish.

Who calls it: the compiler, when it loads code that names such routines, and the evaluator of loops.
SciPy is imported on first use and never before; without it nothing here works, and says so.

The table of `scipy.linalg.cython_lapack` holds a capsule for every routine: a C function that takes
addresses only, as Fortran does, with 32-bit integers and without lengths of characters. It runs
without the interpreter, in any thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

REMEDY = "install it with: pip install scipy"


class NoLapackError(RuntimeError):
    """There is no LAPACK in this environment; the message says how to get one."""


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether SciPy is there. It is not imported for that."""
    return find_spec("scipy") is not None


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    try:
        from scipy.linalg import cython_lapack  # pyright: ignore[reportAttributeAccessIssue]
    except ImportError as error:
        raise NoLapackError(f"linear algebra needs SciPy's LAPACK: {error}; {REMEDY}") from None
    return cython_lapack.__pyx_capi__


@cache
def address(routine: str) -> int:
    """The address of a routine.

    Raises:
        NoLapackError: when SciPy is missing, or has no such routine.
    """
    capsule = _table().get(routine)
    if capsule is None:
        raise NoLapackError(f"the LAPACK of SciPy has no {routine}; a newer SciPy may have")
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return pointer(capsule, name(capsule))


def addresses(routines: Sequence[str]) -> dict[str, int]:
    """The addresses of routines by the names that object code has for them."""
    return {f"{routine}_": address(routine) for routine in routines}


def call(routine: str, *arguments: Any) -> None:
    """Calls a routine with arrays (from their first element on), characters and numbers."""
    held = [np.array(a.encode() if isinstance(a, str) else a, copy=None) for a in arguments]
    function = ctypes.CFUNCTYPE(None, *(ctypes.c_void_p,) * len(held))(address(routine))
    function(*(a.ctypes.data for a in held))


__all__ = ["REMEDY", "NoLapackError", "address", "addresses", "available", "call"]
