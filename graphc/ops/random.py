"""Cards: the words of a counter-based generator. `graphc.random` makes everything of them.

A word is a function of a key and of the element's own counter: it has no state, so it is an
elementwise op, computed in whatever kernel, lanes and threads read it, with the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import TypeMismatch
from ..loops.ir import Expr, scalar
from ..loops.scalar import apply
from ..opdef import ZERO, Attrs, OpDef, Sample, register
from ..types import U32, TensorType
from .define import SHAPES, check_alike, check_count


def _infer(types: Sequence[TensorType], attrs: Attrs, name: str) -> TensorType:
    check_count(name, types, 4)
    check_alike(name, types)
    if types[0].dtype is not U32:
        raise TypeMismatch(f"{name}: operand 0 is {types[0]}; {name} takes u32")
    return types[0]


def _evaluate(operands: Sequence[Any], attrs: Attrs, name: str) -> np.ndarray:
    return np.asarray(apply(name, *operands))


def _lower(args: Sequence[Expr], type: TensorType, name: str) -> Expr:
    return scalar(name, *args)


def _samples() -> Iterable[Sample]:
    for shape in SHAPES:
        yield Sample((TensorType(U32, shape),) * 4, {}, 0.0, 4e9)


def _threefry(word: str) -> OpDef:
    name = f"threefry_{word}"
    return register(
        OpDef(
            name=name,
            doc=f"the {word} word of Threefry-2x32-20 for the key (a, b) and the counter (c, d)",
            kind="elementwise",
            infer=partial(_infer, name=name),
            evaluate=partial(_evaluate, name=name),
            lower=partial(_lower, name=name),
            source="Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011); Random123",
            derivative=ZERO,
            cost=75,
            samples=_samples,
        )
    )


THREEFRY_FIRST = _threefry("first")
THREEFRY_SECOND = _threefry("second")
