"""Cards that say something to the transformations, and are gone when a program is compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..opdef import ZERO, Attrs, OpDef, register
from ..types import TensorType
from .define import check_count, samples_of


def _infer_stop(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("stop_gradient", types, 1)
    return types[0]


STOP_GRADIENT = register(
    OpDef(
        name="stop_gradient",
        doc="x itself, a constant to whoever differentiates",
        kind="elementwise",
        infer=_infer_stop,
        evaluate=lambda operands, attrs: np.array(operands[0]),
        lower=lambda args, type: args[0],
        source="jax.lax.stop_gradient",
        derivative=ZERO,
        cost=0,
        samples=samples_of("biufc", 1, -3.0, 3.0),
    )
)
