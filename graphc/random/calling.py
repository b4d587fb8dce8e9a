"""How the functions of `graphc.random` meet their callers: as ops of the program inside a trace,
as a compiled program of their own outside.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .. import types as ty
from ..cell import mark
from ..numpy.dispatch import is_traced, is_tracing, wrap

STATIC = (
    "axis", "distribution", "dtype", "independent", "mode", "num", "replace", "shape", "side",
)  # fmt: skip
"""Parameters that decide the program."""


def public(
    raw: Callable[..., Any], plain: Callable[..., Any] | None = None, count: str = ""
) -> Any:
    """The function that users call; `plain` answers for arrays that are known, if it is given.

    The parameter `count` may be an integer, which then decides the program, as an integer beyond 64
    bits does.
    """
    signature = inspect.signature(raw)

    @wraps(raw)
    def inside(*args: Any, **kwargs: Any) -> Any:
        return wrap(raw(*args, **kwargs))

    static = tuple(name for name in STATIC if name in signature.parameters)

    made: dict[tuple[str, ...], Any] = {}

    def compiled(numbers: tuple[str, ...]) -> Any:
        from ..jit import jit  # the compiler is above what is traced

        if numbers not in made:
            made.setdefault(numbers, jit(inside, static_argnames=(*static, *numbers)))
        return made[numbers]

    def decides(name: str, x: Any) -> bool:
        return type(x) is int and (name == count or not -(2**63) <= x < 2**63)

    @wraps(raw)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_tracing() or is_traced(args) or is_traced(tuple(kwargs.values())):
            mark(2)
            return inside(*args, **kwargs)
        if plain is not None:
            return plain(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        given = {k: _settled(k, v) for k, v in bound.arguments.items()}
        return compiled(tuple(k for k, v in given.items() if decides(k, v)))(**given)

    call.programs = lambda: sum(f.cache_info().programs for f in made.values())  # type: ignore[attr-defined]
    return call


def _settled(name: str, x: Any) -> Any:
    """Static arguments in one form, so that equal ones find the same program."""
    if name not in STATIC or x is None:
        return int(x) if isinstance(x, np.integer) else x
    if name == "dtype":
        return ty.dtype(x).numpy
    if isinstance(x, np.ndarray):
        x = x.tolist()
    return tuple(map(int, x)) if isinstance(x, (list, tuple)) else x
