"""Cards of kernels: fusion, a node whose meaning is a sub-graph, of which the fusion pass makes one
for each kernel; keep, with which a kernel begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import TypeMismatch
from ..evaluate import evaluate
from ..ir import Graph, param
from ..opdef import Attrs, NotDifferentiable, OpDef, Sample, partials, register
from ..types import BF16, C64, F32, F64, TensorType
from .arithmetic import ADD, MUL
from .define import check_count, samples_of
from .transcendental import EXP


def _infer(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    body = attrs.get("body")
    if not isinstance(body, Graph):
        raise TypeMismatch(f"fusion: the attribute body is {body!r}, not a graph")
    if len(types) != len(body.params):
        raise TypeMismatch(f"fusion: its body has {len(body.params)} parameters, got {len(types)}")
    for position, (type, value) in enumerate(zip(types, body.params, strict=True)):
        if type != value.type:
            raise TypeMismatch(
                f"fusion: operand {position} is {type} and its body takes {value.type}"
            )
    return tuple(value.type for value in body.results)


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> Any:
    results = evaluate(attrs["body"], list(operands))
    return results[0] if len(results) == 1 else tuple(results)


def _samples() -> Iterable[Sample]:
    for dtype, shape in ((F32, (3, 7)), (F64, (0,)), (C64, (5,)), (BF16, (2, 3))):
        type = TensorType(dtype, shape)
        x, y = param(type, "x"), param(type, "y")
        product = MUL(x, EXP(y))
        yield Sample((type, type), {"body": Graph.of("one", (x, y), (product,))})
        yield Sample((type, type), {"body": Graph.of("two", (x, y), (product, ADD(product, y)))})


FUSION = register(
    OpDef(
        name="fusion",
        doc="the results of body(a, ...)",
        kind="call",
        infer=_infer,
        evaluate=_evaluate,
        source="graphc",
        derivative=NotDifferentiable("passes make it of ops that are differentiated before"),
        cost=0,
        samples=_samples,
    )
)


# ---------------------------------------------------------------------------------------- keep


def _infer_keep(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("keep", types, 1)
    return types[0]


KEEP = register(
    OpDef(
        name="keep",
        doc="x, in memory in this order of axes: its readers take it from there",
        kind="elementwise",
        infer=_infer_keep,
        evaluate=lambda operands, attrs: np.array(operands[0]),
        lower=lambda args, type: args[0],
        source="numpy.ascontiguousarray",
        derivative=partials(lambda g, a, y: g),
        linear=(0,),
        stored=True,
        samples=samples_of("biufc", 1, -3.0, 3.0),
    )
)
