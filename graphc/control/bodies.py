"""The leaves of functions that become sub-graphs: their types, and Python numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import types as ty
from ..derivatives.closing import Function, closed
from ..errors import TypeMismatch
from ..ir import Value, serial
from ..locations import refuse
from ..opened import Leaves, trace_of
from ..ops import build
from ..tracer import Tracer
from ..types import DType, TensorType

# ------------------------------------------------------------------------------- types of leaves


def python_kind(tracer: Tracer) -> type:
    """The type of the Python number that a weak tracer stands for."""
    kind = tracer.value.dtype.kind
    return {"b": bool, "i": int, "u": int, "f": float, "c": complex}[kind]


def as_type(tracer: Tracer, type: TensorType) -> Value | None:
    """The value of a tracer as one of that type: itself, or a Python number in its dtype."""
    value = tracer.value
    if value.type == type:
        return value
    if not tracer.weak or value.shape != type.shape:
        return None
    if _promoted(type.dtype, tracer) is not type.dtype:
        return None
    return build.cast(value, type.dtype)


def _promoted(dtype: DType, tracer: Tracer) -> DType:
    """The dtype of an array of that dtype and the Python number that a tracer stands for."""
    if tracer.value.dtype is ty.BOOL:
        return dtype if dtype is not ty.BOOL else ty.BOOL
    return build.result_type(build.full((), 0, dtype), python_kind(tracer)(0))


def refuse_types(what: str, path: str, before: Any, after: Any, hint: str) -> Any:
    """Raises TypeMismatch for a leaf that has two types."""
    return refuse(f"{what}: {path} is {before} and becomes {after}; {hint}", TypeMismatch)


def described(tracer: Tracer) -> str:
    """The type of a leaf in messages."""
    type = tracer.value.type
    return f"{type} (a Python number)" if tracer.weak else str(type)


def nested(leaves: Leaves, values: Sequence[Value], weak: Sequence[bool] | None = None) -> Any:
    """Values nested as the leaves are."""
    trace = trace_of("control flow")
    flags = [t.weak for t in leaves.tracers] if weak is None else weak
    row = [Tracer(trace, v, w) for v, w in zip(values, flags, strict=True)]
    return leaves.tree.unflatten(row)


__all__ = [
    "Function", "as_type", "closed", "described", "nested", "python_kind", "refuse_types", "serial",
]  # fmt: skip
