"""graphc.numpy for the array API test suite: every call of a function is traced, compiled and run.

    ARRAY_API_TESTS_MODULE=tests.array_api.jitted_namespace

NumPy arrays (and scalars) among the arguments become parameters of `graphc.jit`, everything else is
static. One compiled function is kept for each function and static arguments. Arrays in, arrays out:
the array object is NumPy's. GRAPHC_ARRAY_API=evaluate runs the graphs in the evaluator instead,
which tells a wrong function from a wrong compiler.
"""

from __future__ import annotations

import functools
import math
import os
import types
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc
import graphc.numpy as gnp

DEBUG = "evaluate" if os.environ.get("GRAPHC_ARRAY_API") == "evaluate" else None
UNTRACED = (
    "broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type", "from_dlpack",
    "ndim", "shape", "size",
    "__array_namespace_info__",
)  # fmt: skip
"""What answers types and shapes; nothing of it can be compiled."""
NUMPYS = ("from_dlpack",)
"""What a namespace needs that makes arrays out of foreign memory."""


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


class _Hole:
    """Where an array stood in the arguments."""

    def __init__(self, place: int):
        self.place = place

    def __repr__(self) -> str:
        return f"<array {self.place}>"


def _without(x: Any, arrays: list[Any]) -> Any:
    """The arguments with arrays taken out and numbered."""
    if _is_array(x):
        arrays.append(np.asarray(x))
        return _Hole(len(arrays) - 1)
    if type(x) in (list, tuple):
        return type(x)(_without(one, arrays) for one in x)
    if type(x) is dict:
        return {k: _without(v, arrays) for k, v in x.items()}
    return x


def _with(x: Any, arrays: tuple[Any, ...]) -> Any:
    if isinstance(x, _Hole):
        return arrays[x.place]
    if type(x) in (list, tuple):
        return type(x)(_with(one, arrays) for one in x)
    if type(x) is dict:
        return {k: _with(v, arrays) for k, v in x.items()}
    return x


def _key(x: Any) -> str:
    """The static arguments as text that tells NaN from -NaN."""
    if isinstance(x, float):
        return repr(x) if x == x else f"{math.copysign(1.0, x)} * nan"
    if isinstance(x, complex):
        return f"complex({_key(x.real)}, {_key(x.imag)})"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k}: {_key(v)}" for k, v in x.items()) + "}"
    if isinstance(x, (list, tuple)):
        return type(x).__name__ + "(" + ", ".join(map(_key, x)) + ")"
    return repr(x)


def _arrays(found: Any) -> Any:
    """NumPy scalars as arrays of no axis: the suite knows arrays alone."""
    if isinstance(found, np.generic):
        return np.asarray(found)
    if isinstance(found, (list, tuple)):
        parts = map(_arrays, found)
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return found


def _static_repeats(x: Any, repeats: Any, **kwargs: Any) -> Any:
    """`repeat` by an array, whose elements decide the shape of the result."""
    counts = repeats.tolist() if _is_array(repeats) else repeats
    return _REPEAT(x, counts, **kwargs)


def jitted(function: Callable[..., Any], debug: str | None = DEBUG) -> Callable[..., Any]:
    """The function, compiled for each of its static arguments."""
    compiled: dict[str, Callable[..., Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        arrays: list[Any] = []
        rest = _without((args, kwargs), arrays)
        key = _key(rest)
        run = compiled.get(key)
        if run is None:

            def program(*operands: Any) -> Any:
                positional, named = _with(rest, operands)
                return function(*positional, **named)

            program.__name__ = getattr(function, "__name__", "function")
            run = compiled[key] = graphc.jit(program, debug=debug)
        return _arrays(run(*arrays))

    try:
        return functools.wraps(function)(call)
    except (AttributeError, TypeError):
        return call


def _compiled(name: str, found: Any) -> Any:
    if isinstance(found, type) or not callable(found) or name in UNTRACED:
        return found
    return jitted(found)


def _module(name: str, source: Any) -> types.ModuleType:
    made = types.ModuleType(f"{__name__}.{name}")
    for key, found in vars(source).items():
        if not key.startswith("_"):
            setattr(made, key, _compiled(key, found))
    return made


linalg, fft = _module("linalg", gnp.linalg), _module("fft", gnp.fft)
__version__ = graphc.__version__
__array_api_version__ = gnp.__array_api_version__
__array_namespace_info__ = gnp.__array_namespace_info__
for _name in gnp.__all__:
    if _name not in ("linalg", "fft", "special", "lib", "IMPLEMENTATIONS", "REFUSED"):
        globals()[_name] = _compiled(_name, getattr(gnp, _name))
_REPEAT = globals()["repeat"]
repeat = functools.wraps(gnp.repeat)(_static_repeats)
for _name in NUMPYS:
    globals()[_name] = getattr(np, _name)
