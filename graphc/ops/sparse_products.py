"""The card of sums of products over the elements of an array that are not 0.

The pass `sparse_cotangents` makes it of products and convolutions; nothing else calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import (
    Accumulate,
    For,
    Idx,
    If,
    Index,
    Load,
    Name,
    Stmt,
    Store,
    const,
    scalar,
)
from ..opdef import Attrs, NotDifferentiable, OpDef, Sample, lookup, register
from ..types import F32, F64, Dim, Extent, TensorType
from .checks import check_dtype, check_rank
from .emission import bound, load, nest

Place = tuple[tuple[int, int], ...]
"""The index on an axis: a sum of letters times steps, both as numbers. A letter is an axis of the
sparse operand, or, after those, an own one, which runs over `extents`."""

BANDS = 16, 64
"""Of an axis that workers share though it lies innermost: the places that one of them takes, at
least and at most, and a quarter of the axis between."""


def _extents(s: TensorType, attrs: Attrs) -> tuple[Extent, ...]:
    return (*s.shape, *attrs["extents"])


def _reach(place: Place, extents: Sequence[Extent]) -> Extent:
    """The extent that an axis has whose indices are those of a place."""
    total: Extent = 1
    for letter, step in place:
        total = total + (extents[letter] - 1) * step
    return total


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    if len(types) != 2:
        raise TypeMismatch(f"sparse_product takes two operands; got {len(types)}")
    s, y = types
    if s.dtype not in (F32, F64):
        raise TypeMismatch(f"sparse_product: operand 0 is f32 or f64; got {s.dtype}")
    check_dtype("sparse_product", types, 1, s.dtype)
    check_rank("sparse_product", "operand 1", y.shape, len(attrs["other"]))
    extents = _extents(s, attrs)
    if 0 in s.shape:
        raise ShapeMismatch("sparse_product: operand 0 is empty")
    for axis, place in enumerate(attrs["other"]):
        least = _reach(place, extents)
        if least != y.shape[axis]:
            raise ShapeMismatch(
                f"sparse_product: axis {axis} of operand 1 has extent {y.shape[axis]}; "
                f"expected {least}"
            )
    return s.with_shape(tuple(_reach(place, extents) for place in attrs["result"]))


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> Any:
    s, y = operands
    found = np.nonzero(s)
    own = attrs["extents"]
    letters = [one.reshape(-1, *[1] * len(own)) for one in found]
    for k, n in enumerate(own):
        letters.append(np.arange(n).reshape(1, *[n if d == k else 1 for d in range(len(own))]))

    def at(places: Sequence[Place]) -> list[Any]:
        return [sum(letters[letter] * step for letter, step in place) for place in places]

    with np.errstate(all="ignore"):
        terms = s[found].reshape(-1, *[1] * len(own)) * y[tuple(at(attrs["other"]))]
    extents = (*s.shape, *own)
    shape = [int(_reach(place, extents)) for place in attrs["result"]]  # type: ignore[arg-type]
    flat: Any = 0
    for place, n in zip(at(attrs["result"]), shape, strict=True):
        flat = flat * n + place
    result = np.zeros(shape, s.dtype)
    with np.errstate(all="ignore"):
        np.add.at(result.reshape(-1), np.broadcast_to(flat, terms.shape), terms)
    return result


def _emit(c: Any) -> tuple[Stmt, ...]:
    s, result = c.types[0], c.result(0)
    zero = const(0.0, s.dtype)
    start = nest(c, c.type.shape, lambda i: (Store(result, i, zero),))
    return start + _shared(c, _own_axis(s.rank, c.attrs["result"]))


def _own_axis(rank: int, result: Sequence[Place]) -> int | None:
    """An axis of the sparse operand that alone is the index on an axis of the result: workers that
    share it write to different places.
    """
    alone = (place[0][0] for place in result if len(place) == 1 and place[0][1] == 1)
    return next((letter for letter in alone if letter < rank), None)


def _shared(c: Any, axis: int | None) -> tuple[Stmt, ...]:
    """The loops over the sparse operand: what workers share is outermost, else as memory lies."""
    s = c.types[0]
    names = [c.fresh("s") for _ in s.shape]
    at: list[Index] = [Dim.symbol(name) for name in names]
    order: list[tuple[str, Extent]] = list(zip(names, s.shape, strict=True))
    guard = None
    if axis is not None and axis == s.rank - 1 and s.rank > 1:
        # a line of the operand is read in bands, not element by element from different lines
        band, inside, extent = c.fresh("band"), names[axis], s.shape[axis]
        least, most = BANDS
        width = min(max(extent // 4, least), most) if isinstance(extent, int) else most
        at[axis] = Dim.symbol(band) * width + Dim.symbol(inside)
        order[axis] = inside, width
        order.insert(0, (band, (extent + width - 1) // width))
        if extent % width != 0:
            guard = scalar("lt", Idx(at[axis]), Idx(extent))
    elif axis is not None:
        order.insert(0, order.pop(axis))
    stmts = _one(c, tuple(at))
    if guard is not None:
        stmts = (If(guard, stmts),)
    for number, (name, extent) in reversed(list(enumerate(order))):
        kind = "parallel" if number == 0 and axis is not None else "serial"
        stmts = (For(name, extent, kind, stmts),)
    return stmts


def _one(c: Any, at: tuple[Index, ...]) -> tuple[Stmt, ...]:
    """What one element of the sparse operand adds."""
    s, attrs = c.types[0], c.attrs
    lets, value = bound(c, "v", load(c.buffer(0), s.dtype, at))
    assert isinstance(value, Name)

    def add(own: tuple[Index, ...]) -> tuple[Stmt, ...]:
        letters = (*at, *own)

        def place(axes: Sequence[Place]) -> tuple[Index, ...]:
            return tuple(_index(one, letters) for one in axes)

        term = scalar("mul", value, Load(c.buffer(1), place(attrs["other"])))
        return (Accumulate(c.result(0), place(attrs["result"]), "add", term),)

    body = nest(c, attrs["extents"], add, outer="serial")
    return (*lets, If(scalar("ne", value, const(0.0, s.dtype)), body))


def _index(place: Place, letters: Sequence[Index]) -> Index:
    total: Index = 0
    for letter, step in place:
        total = total + letters[letter] * step
    return total


def _batched(operands: Sequence[Value], flags: Sequence[bool], attrs: Attrs, size: Extent) -> Value:
    """The batch is an axis of the sparse operand, or an own letter where it has none."""
    s, y = operands
    rank = len(s.shape)
    moved = 1 if flags[0] else 0
    batch = 0 if flags[0] else rank + len(attrs["extents"])

    def places(axes: Sequence[Place], more: bool) -> tuple[Place, ...]:
        here = tuple(tuple((letter + moved, step) for letter, step in place) for place in axes)
        return (((batch, 1),), *here) if more else here

    found = lookup("sparse_product")(
        s, y,
        extents=attrs["extents"] if flags[0] else (*attrs["extents"], size),
        other=places(attrs["other"], flags[1]),
        result=places(attrs["result"], True),
    )  # fmt: skip
    return found


_t = ty.parse_type

SPARSE_PRODUCT = register(
    OpDef(
        name="sparse_product",
        doc=(
            "result[p(i, w)] = the sum of s[i] * y[q(i, w)] over the i where s is not 0, and over "
            "w; p and q are sums of indices times steps, and w runs over `extents`"
        ),
        kind="opaque",
        infer=_infer,
        evaluate=_evaluate,
        lower=_emit,
        source="a product or convolution with s as an operand; 0 * NaN does not count",
        derivative=NotDifferentiable("a pass makes it of ops that are differentiated before"),
        batching=_batched,
        cost=64,
        samples=lambda: (
            # the cotangents of a kernel of 3 over lines of 7, and of those lines
            Sample((_t("f32[2, 5, 70]"), _t("f32[2, 7, 3]")), {
                "extents": (3, 3),
                "other": (((0, 1),), ((1, 1), (3, 1)), ((4, 1),)),
                "result": (((2, 1),), ((3, 1),), ((4, 1),)),
            }),
            Sample((_t("f64[2, 5, 4]"), _t("f64[4, 3, 20]")), {
                "extents": (3, 20),
                "other": (((2, 1),), ((3, 1),), ((4, 1),)),
                "result": (((0, 1),), ((1, 2), (3, 1)), ((4, 1),)),
            }),
            Sample((_t("f64[4]"), _t("f64[4]")), {
                "extents": (), "other": (((0, 1),),), "result": (),
            }),
        ),
    )
)  # fmt: skip
