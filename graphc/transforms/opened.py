"""A function that is transformed: opened (graphc/opened.py), and compiled outside of traces."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..jit import jit
from ..opened import (
    Leaves,
    Opened,
    Output,
    check_differentiable,
    leaves_of,
    name_of,
    names_of,
    output_of,
    positions,
    run,
    trace_of,
    traced,
)


def transformed(
    function: Callable[..., Any],
    wrapper: Callable[..., Any],
    what: str,
    static: Iterable[str] = (),
) -> Any:
    """The wrapper as a compiled function that takes the arguments of `function`.

    Inside a trace it is part of the program that calls it. Options of a function that is jitted
    already (static arguments, symbolic extents, debug, precision) hold for it too.
    """
    if not callable(function):
        raise TypeError(f"{what} takes a function, got {type(function).__name__}")
    front = getattr(function, "__dict__", {}).get("_front")
    names = set(static)
    options: dict[str, Any] = {}
    if front is not None:
        names |= front.binder.static
        options = front.options
    functools.update_wrapper(wrapper, function, updated=())
    title = f"{what}_{name_of(function)}"
    return jit(wrapper, static_argnames=tuple(sorted(names)), name=title, **options)


__all__ = [
    "Leaves", "Opened", "Output", "check_differentiable", "leaves_of", "name_of", "names_of",
    "output_of", "positions", "run", "trace_of", "traced", "transformed",
]  # fmt: skip
