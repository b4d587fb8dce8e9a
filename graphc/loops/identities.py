"""identities: what a reduction begins with, and the names of its step.

Read by the lowering, the schedules and the printers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..types import BOOL, DType

IDENTITY: dict[str, Callable[[DType], Any]] = {
    "sum": lambda d: 0,
    "prod": lambda d: 1,
    "max": lambda d: False if d is BOOL else _extreme(d, low=True),
    "min": lambda d: True if d is BOOL else _extreme(d, low=False),
    "and": lambda d: True if d is BOOL else -1 if d.kind == "i" else 2**d.bits - 1,
    "or": lambda d: False if d is BOOL else 0,
    "xor": lambda d: False if d is BOOL else 0,
}
ACCUMULATE = {
    "sum": "add", "prod": "mul", "max": "max", "min": "min", "and": "and", "or": "or", "xor": "xor",
}  # fmt: skip
KIND_OF = {op: kind for kind, op in ACCUMULATE.items()}


def _extreme(dtype: DType, low: bool) -> Any:
    if dtype.is_float:
        return float("-inf") if low else float("inf")
    if dtype.kind == "u":
        return 0 if low else 2**dtype.bits - 1
    return -(2 ** (dtype.bits - 1)) if low else 2 ** (dtype.bits - 1) - 1
