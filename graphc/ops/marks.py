"""Cards that say something to the transformations, and are gone when a program is compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..opdef import ZERO, Attrs, NotDifferentiable, OpDef, register
from ..types import TensorType
from .define import check_count, samples_of


def _infer_mark(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("a mark", types, 1)
    return types[0]


STOP_GRADIENT = register(
    OpDef(
        name="stop_gradient",
        doc="x itself, a constant to whoever differentiates",
        kind="elementwise",
        infer=_infer_mark,
        evaluate=lambda operands, attrs: np.array(operands[0]),
        lower=lambda args, type: args[0],
        source="jax.lax.stop_gradient",
        derivative=ZERO,
        cost=0,
        samples=samples_of("biufc", 1, -3.0, 3.0),
    )
)

PARAMETER = register(
    OpDef(
        name="parameter_of_samples",
        doc="x itself, a parameter of a distribution by which its samples have no derivative here",
        kind="elementwise",
        infer=_infer_mark,
        evaluate=lambda operands, attrs: np.array(operands[0]),
        lower=lambda args, type: args[0],
        source="graphc",
        derivative=NotDifferentiable(
            "the samples of gamma and beta are accepted or refused by their parameters, and the "
            "implicit derivative is not there"
        ),
        cost=0,
        samples=samples_of("f", 1, -3.0, 3.0),
    )
)
MARKS = frozenset({STOP_GRADIENT.name, PARAMETER.name})
"""Cards that are their operand when derivatives have been taken."""
