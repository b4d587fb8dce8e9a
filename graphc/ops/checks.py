"""The checks that the cards of movement, indexing, reduction, contraction and ordering share.

Called by `infer`; every error names the op, the operand, the axis, and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..types import Extent, TensorType


def show(shape: Iterable[Extent]) -> str:
    """A shape as messages print it."""
    return "(" + ", ".join(map(str, shape)) + ")"


def check_axes(op: str, axes: Sequence[int], rank: int, operand: int = 0) -> None:
    """Raises ShapeMismatch unless the axes are distinct axes of an operand of that rank."""
    for axis in axes:
        if not 0 <= axis < rank:
            raise ShapeMismatch(
                f"{op}: axis {axis} is not an axis of operand {operand}, which has rank {rank}"
            )
    if len(set(axes)) != len(axes):
        raise ShapeMismatch(f"{op}: an axis of operand {operand} is named twice in {tuple(axes)}")


def check_dtype(op: str, types: Sequence[TensorType], operand: int, expected: ty.DType) -> None:
    """Raises TypeMismatch unless that operand has the expected dtype."""
    if types[operand].dtype is not expected:
        raise TypeMismatch(
            f"{op}: operand {operand} is {types[operand].dtype}, expected {expected}; cast it first"
        )


def check_rank(op: str, what: str, values: Sequence[Any], rank: int) -> None:
    """Raises ShapeMismatch unless there is one value for each axis."""
    if len(values) != rank:
        raise ShapeMismatch(
            f"{op}: {what} has {len(values)} entries for {rank} axes; expected one for each"
        )


def never(low_minus_high: Extent) -> bool:
    """Whether an extent that ought to be at least 0 is negative whatever its symbols are."""
    high = ty.bounds(low_minus_high)[1]
    return high is not None and high < 0
