"""Conditions: a bool where it is known while tracing, else a traced one."""

from __future__ import annotations

from typing import Any

from ..cell import mark
from ..locations import refuse
from ..ops import build
from ..tracer import Tracer
from ..types import BOOL


def is_unknown(x: Any) -> bool:
    """Whether x is traced, and its elements depend on the arguments of the traced function."""
    return isinstance(x, Tracer) and x.known() is None


def truth(x: Any) -> bool | Tracer:
    """Python's truth value of x; a traced bool of no axes where it depends on the arguments.

    Raises:
        TraceError: for a traced array of more than one element.
    """
    if not is_unknown(x):
        return bool(x)
    mark()
    value = x.value
    if value.shape:
        if value.type.size != 1:
            return refuse(
                f"the truth value of an array of {value.type} is ambiguous: use x.any() or "
                "x.all() for all elements, np.where for each"
            )
        value = build.reshape(value, ())
    if value is x.value and value.dtype is BOOL:
        return x
    return Tracer(x.owner, build.cast(value, BOOL), weak=True)


__all__ = ["is_unknown", "truth"]
