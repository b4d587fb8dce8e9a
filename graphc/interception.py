"""While tracing, NumPy's creation functions answer traced arrays, on that thread alone.

`np.zeros(n)` has no argument that could dispatch, and a real array cannot be filled with traced
values. So when the first trace starts, thin wrappers take the place of some attributes of the
`numpy` module, and when the last one ends the originals are put back. A wrapper looks at the
thread's trace and falls through when there is none, when NumPy, SciPy or graphc itself is the
caller, and when compiled code is (callsites.py), which takes what it gets for an array.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from graphc_runtime.forking import ForkLock

from . import types as ty
from .callsites import is_direct
from .cell import Cell, active_traces, current_trace, mark
from .errors import TypeMismatch
from .indexing import _has_cell
from .locations import is_library_code, refuse
from .ops import build
from .protocols import namespace
from .tracer import Tracer, as_value

CREATION = {
    "zeros": 2,
    "ones": 2,
    "empty": 2,
    "full": 3,
    "arange": 4,
    "eye": 4,
    "identity": 2,
    "tri": 4,
    "linspace": 7,
    "logspace": 7,
    "geomspace": 6,
    "zeros_like": 2,
    "ones_like": 2,
    "empty_like": 2,
    "full_like": 3,
    "indices": 3,
    "fromfunction": 9,
}
"""Functions that make arrays, and how many positional arguments say what (`order` comes after)."""

CONVERSION = ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "copy")
_ALIASING = ("asarray", "asanyarray", "ascontiguousarray", "asfortranarray")
_LAYOUT = ("order", "like", "subok", "device")
_SEEDED = ("default_rng", "RandomState", "SeedSequence", "PCG64", "Philox", "SFC64", "MT19937")
_SAFE_RANDOM = (
    *_SEEDED,
    "Generator",
    "BitGenerator",
    "PCG64DXSM",
    "get_state",
    "set_state",
    "seed",
    "test",
)

CAPTURED = (
    "a NumPy array from outside of the traced function is changed in place; the graph cannot "
    "change it. Copy it first (a = a.copy() inside the function), or pass it as an argument and "
    "return the new one"
)


def _is_supported(dtype: Any) -> bool:
    try:
        ty.dtype(dtype)
    except TypeMismatch:
        return False
    return True


def _is_traced(x: Any) -> bool:
    return isinstance(x, (Cell, ty.Dim)) or (
        isinstance(x, (list, tuple)) and any(map(_is_traced, x))
    )


def _creation(name: str, original: Callable[..., Any], positional: int) -> Callable[..., Any]:
    @functools.wraps(original)
    def create(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return original(*args, **kwargs)
        given = (*args, *kwargs.values())
        traced = any(map(_is_traced, given))
        frame = sys._getframe(1)
        if (not traced and is_library_code(frame.f_code)) or not is_direct(frame, name, create):
            return original(*args, **kwargs)
        if not _is_supported(kwargs.get("dtype") or float):
            return original(*args, **kwargs)
        mark(2)
        options = {k: v for k, v in kwargs.items() if k not in _LAYOUT}
        if not traced:
            # zeros and the like stay a `full` node, whatever their size
            function = (
                getattr(namespace(), name, None)
                if name not in ("fromfunction", "indices")
                else None
            )
            if function is None:
                return _constant(original(*args, **kwargs))
            return function(
                *map(_plain, args[:positional]), **{k: _plain(v) for k, v in options.items()}
            )
        return getattr(namespace(), name)(
            *map(_plain, args[:positional]), **{k: _plain(v) for k, v in options.items()}
        )

    return create


def _plain(x: Any) -> Any:
    """Known 0-d tracers as numbers: they may be extents."""
    if isinstance(x, Cell):
        known = x.known() if x.type.rank == 0 else None
        return x if known is None else known[()]
    if isinstance(x, (tuple, list)) and any(isinstance(i, Cell) for i in x):
        return type(x)(map(_plain, x))
    return x


def _constant(found: Any) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(map(_constant, found))
    trace = current_trace()
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biufc" or trace is None:
        return found
    return Tracer(trace, build.constant(found))


def _conversion(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def convert(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return original(*args, **kwargs)
        source = args[0] if args else kwargs.get("object", kwargs.get("a"))
        traced = isinstance(source, Cell) or (
            isinstance(source, (list, tuple)) and _has_cell(source)
        )
        frame = sys._getframe(1)
        if not is_direct(frame, name, convert):
            return original(*args, **kwargs)
        if is_library_code(frame.f_code):
            known = source.known() if isinstance(source, Cell) else None
            if known is not None:  # a library computes with what is known, in NumPy
                return original(
                    known, *args[1:], **{k: v for k, v in kwargs.items() if v is not source}
                )
            if not traced:
                return original(*args, **kwargs)
        mark(2)
        dtype = args[1] if len(args) > 1 and name != "copy" else kwargs.get("dtype")
        if not traced:
            found = original(*args, **kwargs)
            made = _constant(found)
            if made is not found and name in _ALIASING and found is source:
                made = Tracer(trace, trace.capture(found))
                made.freeze(CAPTURED)
            return made
        if isinstance(source, Cell):
            copies = name not in _ALIASING and kwargs.get("copy", True) is True
            found = source
            if dtype is not None and ty.dtype(dtype) is not source.type.dtype:
                found = source.astype(dtype)  # type: ignore[attr-defined]
            elif copies:
                found = source.fresh(source.value)
        else:
            value = as_value(source)
            found = Tracer(trace, value if dtype is None else build.cast(value, dtype))
        missing = kwargs.get("ndmin", 0) - found.type.rank
        return found.reshape((1,) * missing + found.shape) if missing > 0 else found  # type: ignore[attr-defined]

    return convert


def _fromiter(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def fromiter(items: Any, dtype: Any, count: int = -1, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if (
            current_trace() is None
            or is_library_code(frame.f_code)
            or not is_direct(frame, "fromiter", fromiter)
        ):
            return original(items, dtype, count, **kwargs)
        return np.array(list(items), dtype=dtype)

    return fromiter


def _random(name: str, original: Any) -> Any:
    if not callable(original):
        return original

    @functools.wraps(original)
    def draw(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if (
            current_trace() is None
            or is_library_code(frame.f_code)
            or not is_direct(frame, name, draw)
        ):
            return original(*args, **kwargs)
        if name in _SEEDED and any(a is not None for a in (*args, *kwargs.values())):
            return original(*args, **kwargs)
        return refuse(
            f"numpy.random.{name} is called while tracing: the numbers drawn would be constants of "
            "the compiled program. Pass a key and draw with graphc.random (key = "
            "graphc.random.key(0) outside, graphc.random.normal(key, shape) here), or draw outside "
            "and pass the arrays in; a generator with a fixed seed (np.random.default_rng(0)) is "
            "allowed, and gives constants"
        )

    return draw


class _Joining:
    """`np.r_` and `np.c_` for traced items."""

    def __init__(self, original: Any, columns: bool):
        self._original, self._columns = original, columns

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if current_trace() is None or not any(map(_is_traced, items)):
            return self._original[key]
        if any(isinstance(i, str) for i in items):
            refuse(
                "np.r_ and np.c_ with a directive string and traced items: use np.concatenate or "
                "np.stack"
            )
        mark()
        parts = [
            self._original[i] if isinstance(i, slice) else namespace().atleast_1d(i) for i in items
        ]
        if not self._columns:
            return namespace().concatenate(parts, axis=0)
        columns = [p.reshape((*p.shape, 1)) if p.ndim == 1 else p for p in parts]
        return namespace().concatenate(columns, axis=-1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __len__(self) -> int:
        return len(self._original)


# ----------------------------------------------------------------------- putting in, taking out

_lock = ForkLock()
_active = 0
_originals: list[tuple[Any, str, Any]] = []
_wrappers: dict[Any, Any] = {}


def _replacements() -> list[tuple[Any, str, Any]]:
    found: list[tuple[Any, str, Any]] = []
    for name, positional in CREATION.items():
        found.append((np, name, _creation(name, getattr(np, name), positional)))
    found += [(np, name, _conversion(name, getattr(np, name))) for name in CONVERSION]
    found.append((np, "fromiter", _fromiter(np.fromiter)))
    found += [(np, "r_", _Joining(np.r_, False)), (np, "c_", _Joining(np.c_, True))]
    for name in np.random.__all__:
        if name not in _SAFE_RANDOM or name in ("default_rng", "RandomState"):
            original = getattr(np.random, name)
            if not isinstance(original, type):
                found.append((np.random, name, _random(name, original)))
    return found


def install() -> None:
    """Puts the wrappers in, unless another trace did."""
    global _active
    with _lock:
        _active += 1
        if _active == 1:
            _put_in()


def _put_in() -> None:
    for module, name, wrapper in _cached_replacements():
        _originals.append((module, name, getattr(module, name)))
        setattr(module, name, wrapper)


_made: list[tuple[Any, str, Any]] = []


def _cached_replacements() -> list[tuple[Any, str, Any]]:
    if not _made:
        made = _replacements()
        _wrappers.update({id(getattr(module, name)): wrapper for module, name, wrapper in made})
        _made.extend(made)
    return _made


def remove() -> None:
    """Puts NumPy's own functions back, when no trace is left."""
    global _active
    with _lock:
        _active -= 1
        if not _active:
            _take_out()


def _take_out() -> None:
    for module, name, original in reversed(_originals):
        setattr(module, name, original)
    _originals.clear()


def _begin_anew() -> None:
    """In a forked child: the threads that were tracing are not there."""
    global _active
    _take_out()  # another thread may have been in the midst of either
    _active = active_traces()
    if _active:
        _put_in()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def wrapper_of(function: Any) -> Any:
    """The wrapper of one of NumPy's own functions (`from numpy import zeros`), or None."""
    return _wrappers.get(id(function))
