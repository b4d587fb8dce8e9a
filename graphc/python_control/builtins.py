"""Python's functions of one number where the number is traced: int, float, bool, min, max."""

from __future__ import annotations

import builtins
from typing import Any

from .. import types as ty
from ..locations import refuse
from ..ops import build
from ..tracer import Tracer
from .branches import chosen
from .truth import is_unknown, truth


def _converted(x: Any, name: str, dtype: ty.DType) -> Tracer:
    if x.type.size != 1 or x.type.dtype.is_complex:
        refuse(f"{name}() of {x.type}; a real number is expected")
    value = build.reshape(x.value, ()) if x.type.shape else x.value
    return Tracer(x.owner, build.cast(value, dtype), weak=True)


def _int(x: Any = 0, *rest: Any, **options: Any) -> Any:
    if rest or options or not is_unknown(x):
        return builtins.int(x, *rest, **options)
    return _converted(x, "int", ty.I64)


def _float(x: Any = 0.0) -> Any:
    return _converted(x, "float", ty.F64) if is_unknown(x) else builtins.float(x)


def _bool(x: Any = False) -> Any:
    asked = truth(x)
    return Tracer(asked.owner, asked.value, weak=True) if isinstance(asked, Tracer) else asked


def _extreme(original: Any, name: str, second: Any) -> Any:
    def best(*args: Any, **options: Any) -> Any:
        values = args
        if len(args) == 1 and isinstance(args[0], (builtins.list, builtins.tuple)):
            values = tuple(args[0])
        if options or len(values) < 2 or not any(map(is_unknown, values)):
            return original(*args, **options)
        found = values[0]
        for one in values[1:]:
            found = _better(name, second(one, found), one, found)
        return found

    return best


def _better(name: str, asked: Any, one: Any, found: Any) -> Any:
    asked = truth(asked)
    if not isinstance(asked, Tracer):
        return one if asked else found

    def new(_: Any = None) -> Any:
        return one

    def old(_: Any = None) -> Any:
        return found

    return chosen(f"{name}()", asked, new, old)


REPLACED: tuple[tuple[Any, Any], ...] = (
    (builtins.int, _int),
    (builtins.float, _float),
    (builtins.bool, _bool),
    (builtins.min, _extreme(builtins.min, "min", lambda a, b: a < b)),
    (builtins.max, _extreme(builtins.max, "max", lambda a, b: a > b)),
)
"""Builtins and what is called instead of them in a rewritten function."""

__all__ = ["REPLACED"]
