"""Cards of the ops that only move elements: each element of the result is an
element of an operand, so fusion makes them free.

The cards of `graphc.ops.slicing` belong to the same kind and can be had from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import TRUE, Index
from ..opdef import Attrs, Linear, OpDef, Sample, register
from ..types import F32, I32, Dim, Extent, TensorType
from . import batching as bt
from .checks import check_axes, check_dtype, check_rank, show
from .define import Element, check_count
from .formula import reduce, reshape, transpose
from .slicing import DYNAMIC_SLICE as DYNAMIC_SLICE
from .slicing import DYNAMIC_UPDATE as DYNAMIC_UPDATE
from .slicing import PAD as PAD
from .slicing import SLICE as SLICE
from .slicing import UPDATE as UPDATE
from .slicing import choose

Shape = tuple[Extent, ...]


# ---------------------------------------------------------------------------------- broadcast


def _infer_broadcast(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("broadcast", types, 1)
    shape, axes = attrs["shape"], attrs["axes"]
    check_rank("broadcast", "axes", axes, types[0].rank)
    if any(not 0 <= a < len(shape) for a in axes) or list(axes) != sorted(set(axes)):
        raise ShapeMismatch(
            f"broadcast: axes {tuple(axes)} must be increasing axes of the result {show(shape)}"
        )
    for axis, (n, place) in enumerate(zip(types[0].shape, axes, strict=True)):
        if n != 1 and n != shape[place]:
            raise ShapeMismatch(
                f"broadcast: axis {axis} of operand 0 has extent {n}; axis {place} of the result "
                f"{show(shape)} expects {shape[place]} or 1"
            )
    return types[0].with_shape(shape)


def _evaluate_broadcast(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x = np.asarray(operands[0])
    spread = [1] * len(attrs["shape"])
    for n, place in zip(x.shape, attrs["axes"], strict=True):
        spread[place] = n
    return np.broadcast_to(x.reshape(spread), attrs["shape"])


def _lower_broadcast(c: Any, index: tuple[Index, ...]) -> Element:
    inner = [
        0 if n == 1 else index[place]
        for n, place in zip(c.types[0].shape, c.attrs["axes"], strict=True)
    ]
    return c.operand(0, tuple(inner))


# ------------------------------------------------------------------------------------ reshape


def _infer_reshape(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("reshape", types, 1)
    shape = tuple(attrs["shape"])
    if types[0].size != ty.product(shape):
        raise ShapeMismatch(
            f"reshape: operand 0 {show(types[0].shape)} has {types[0].size} elements; "
            f"the result {show(shape)} expects {ty.product(shape)}"
        )
    return types[0].with_shape(shape)


def reshape_groups(source: Shape, target: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """Pairs of shortest runs of axes with equal numbers of elements, without axes of extent 1.

    The last pair takes whatever remains: (2, 3, n) and (6, n) give ([0, 1], [0]) and ([2], [1]).
    """
    a = [i for i, n in enumerate(source) if n != 1]
    b = [i for i, n in enumerate(target) if n != 1]
    while a or b:
        cuts = (
            (i, j)
            for total in range(2, len(a) + len(b))
            for i in range(1, total)
            for j in (total - i,)
            if i <= len(a) and j <= len(b)
        )
        i, j = next(
            (
                (i, j)
                for i, j in cuts
                if ty.product(source[k] for k in a[:i]) == ty.product(target[k] for k in b[:j])
            ),
            (len(a), len(b)),
        )
        yield a[:i], b[:j]
        a, b = a[i:], b[j:]


def _divmod(c: Any, i: Index, n: Extent) -> tuple[Index, Index]:
    """(i // n, i % n), without either where the terms of i and the bounds of variables decide."""
    exact: Index = 0
    for monomial, coefficient in i.terms if isinstance(i, Dim) else ():
        term = Dim(((monomial, coefficient),)) if monomial else coefficient
        quotient = term // n
        if quotient * n == term:
            exact = exact + quotient
    rest = i - exact * n
    if c.less(-1, rest) == TRUE and c.less(rest, n) == TRUE:
        return exact, rest
    return i // n, i % n


def _lower_reshape(c: Any, index: tuple[Index, ...]) -> Element:
    source, target = c.types[0].shape, c.type.shape
    inner: list[Index] = [0] * len(source)
    if 0 in source or 0 in target:
        return c.operand(0, tuple(inner))  # there is no element; any index is as good
    for axes, places in reshape_groups(source, target):
        flat: Index = 0
        for place in places:
            flat = flat * target[place] + index[place]
        for axis in reversed(axes[1:]):
            flat, inner[axis] = _divmod(c, flat, source[axis])
        if axes:
            inner[axes[0]] = flat
    return c.operand(0, tuple(inner))


# ---------------------------------------------------------------------------------- transpose


def _infer_transpose(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("transpose", types, 1)
    check_rank("transpose", "axes", attrs["axes"], types[0].rank)
    check_axes("transpose", attrs["axes"], types[0].rank)
    return types[0].with_shape(types[0].shape[a] for a in attrs["axes"])


def _lower_transpose(c: Any, index: tuple[Index, ...]) -> Element:
    inner: list[Index] = [0] * len(index)
    for i, axis in zip(index, c.attrs["axes"], strict=True):
        inner[axis] = i
    return c.operand(0, tuple(inner))


# -------------------------------------------------------------------------------- concatenate


def _infer_concatenate(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    if not types:
        raise TypeMismatch("concatenate takes at least 1 operand, got 0")
    axis, first = attrs["axis"], types[0]
    check_axes("concatenate", (axis,), first.rank)
    for k, one in enumerate(types):
        check_dtype("concatenate", types, k, first.dtype)
        check_rank("concatenate", f"the shape of operand {k}", one.shape, first.rank)
        for d, (n, m) in enumerate(zip(one.shape, first.shape, strict=True)):
            if d != axis and n != m:
                raise ShapeMismatch(
                    f"concatenate: axis {d} of operand {k} has extent {n}; operand 0 has {m}"
                )
    total: Extent = 0
    for one in types:
        total = total + one.shape[axis]
    return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _lower_concatenate(c: Any, index: tuple[Index, ...]) -> Element:
    axis = c.attrs["axis"]

    def part(k: int, offset: Extent) -> Element:
        local = index[axis] - offset
        end = offset + c.types[k].shape[axis]

        def here() -> Element:
            return c.operand(k, (*index[:axis], local, *index[axis + 1 :]))

        if k == len(c.types) - 1:
            return here()
        return choose(c, c.less(index[axis], end), here, lambda: part(k + 1, end))

    return part(0, 0)


def _places_of_part(c: Any, k: int, index: tuple[Index, ...]) -> tuple[Index, ...]:
    axis = c.attrs["axis"]
    offset = sum((t.shape[axis] for t in c.types[:k]), 0)
    return (*index[:axis], index[axis] + offset, *index[axis + 1 :])


# -------------------------------------------------------------------------------------- cards


_t = ty.parse_type


def _transpose_broadcast(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """The sum over the axes that are new or stretched."""
    x = operands[0]
    kept = {
        place
        for place, n in zip(attrs["axes"], x.shape, strict=True)
        if n != 1 or attrs["shape"][place] == 1
    }
    summed = [d for d in range(len(attrs["shape"])) if d not in kept]
    return reshape(reduce("sum", g, summed), x.shape)


def _transpose_reshape(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return reshape(g, operands[0].shape)


def _transpose_transpose(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    axes = attrs["axes"]
    return transpose(g, sorted(range(len(axes)), key=axes.__getitem__))


def _transpose_concatenate(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    axis = attrs["axis"]
    start: list[Extent] = [0] * len(g.shape)
    for before in operands[:k]:
        start[axis] = start[axis] + before.shape[axis]
    if operands[k].shape == g.shape:
        return g
    step = (1,) * len(g.shape)
    return SLICE(g, start=tuple(start), shape=operands[k].shape, step=step)


BROADCAST = register(
    OpDef(
        name="broadcast",
        doc="result[..., i[axes[k]], ...] = x[..., i[axes[k]] or 0 where x has extent 1, ...]",
        kind="movement",
        infer=_infer_broadcast,
        evaluate=_evaluate_broadcast,
        lower=_lower_broadcast,
        source="numpy.broadcast_to; XLA BroadcastInDim",
        batching=bt.broadcasting,
        derivative=Linear(_transpose_broadcast),
        linear=(0,),
        cost=0,
        samples=lambda: (
            Sample((_t("f32[3]"),), {"shape": (2, 3), "axes": (1,)}),
            Sample((_t("c64[2, 1]"),), {"shape": (2, 5, 3), "axes": (0, 2)}),
            Sample((_t("i64[]"),), {"shape": (0, 3), "axes": ()}),
        ),
    )
)

RESHAPE = register(
    OpDef(
        name="reshape",
        doc="the elements in C order under another shape",
        kind="movement",
        infer=_infer_reshape,
        evaluate=lambda operands, attrs: np.reshape(operands[0], attrs["shape"]),
        lower=_lower_reshape,
        source="numpy.reshape",
        batching=bt.shifted("reshape", shape=None),
        derivative=Linear(_transpose_reshape),
        linear=(0,),
        cost=0,
        samples=lambda: (
            Sample((_t("f32[2, 3, 5]"),), {"shape": (6, 5)}),
            Sample((_t("f64[6, 1, 5]"),), {"shape": (3, 10, 1)}),
            Sample((_t("bool[12]"),), {"shape": (3, 4)}),
        ),
    )
)

TRANSPOSE = register(
    OpDef(
        name="transpose",
        doc="result.shape[k] = x.shape[axes[k]]",
        kind="movement",
        infer=_infer_transpose,
        evaluate=lambda operands, attrs: np.transpose(operands[0], attrs["axes"]),
        lower=_lower_transpose,
        source="numpy.transpose",
        batching=bt.transposing,
        derivative=Linear(_transpose_transpose),
        linear=(0,),
        cost=0,
        samples=lambda: (
            Sample((TensorType(F32, (2, 3, 5)),), {"axes": (2, 0, 1)}),
            Sample((TensorType(I32, (7, 4)),), {"axes": (1, 0)}),
        ),
    )
)

CONCATENATE = register(
    OpDef(
        name="concatenate",
        doc="the operands one after the other along an axis (linear in all of them)",
        kind="movement",
        infer=_infer_concatenate,
        evaluate=lambda operands, attrs: np.concatenate(operands, axis=attrs["axis"]),
        lower=_lower_concatenate,
        pieces=_places_of_part,
        source="numpy.concatenate",
        batching=bt.shifted("concatenate", "axis"),
        derivative=Linear(_transpose_concatenate, joint=True),
        samples=lambda: (
            Sample((_t("f32[2, 3]"), _t("f32[2, 1]"), _t("f32[2, 4]")), {"axis": 1}),
            Sample((_t("u8[0]"), _t("u8[3]")), {"axis": 0}),
        ),
    )
)
