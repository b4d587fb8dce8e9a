"""The card of a condition that has to hold: what LAPACK reports, for matrices that are written out.

A kernel that computes an element checks its condition, and the call raises LinAlgError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import Index, scalar
from ..opdef import Attrs, OpDef, Rules, Sample, register
from ..types import BOOL, TensorType, parse_type
from . import batching as bt
from .define import Element, check_count


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("require", types, 2)
    if types[1].dtype is not BOOL:
        raise TypeMismatch(f"require: operand 1 is {types[1]}, not bool")
    if types[1].shape != types[0].shape:
        raise ShapeMismatch(f"require: operand 1 is {types[1]}, operand 0 {types[0]}")
    if not isinstance(attrs.get("message"), str):
        raise TypeMismatch(f"require: the message is {attrs.get('message')!r}")
    return types[0]


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    if not np.all(operands[1]):
        raise np.linalg.LinAlgError(attrs["message"])
    return np.array(operands[0])


def _lower(c: Any, index: tuple[Index, ...]) -> Element:
    c.fail(scalar("not", c.operand(1, index)), c.attrs["message"], linalg=True)
    return c.operand(0, index)


def _jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    return [tangents[0]]


def _vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    return [cotangents[0], None]


REQUIRE = register(
    OpDef(
        name="require",
        doc="x; LinAlgError(message) where the condition does not hold",
        kind="movement",
        infer=_infer,
        evaluate=_evaluate,
        lower=_lower,
        source="numpy.linalg.LinAlgError",
        batching=bt.elementwise("require"),
        derivative=Rules(_jvp, _vjp),
        cost=1,
        # of more elements some would be drawn false
        samples=lambda: (
            Sample((parse_type("f64[0, 2]"), parse_type("bool[0, 2]")), {"message": "no"}),
        ),
    )
)
