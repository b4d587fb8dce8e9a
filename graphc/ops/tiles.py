"""Cards for sums over tiles: the overlapping tiles of an image, and small constant matrices.

With them a convolution is written in another form (graphc/passes/winograd.py): a tile is two axes
in front, and its transforms are products with matrices of a few numbers along them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..loops.ir import Expr, Index, both, cast, const, scalar
from ..opdef import Attrs, Linear, OpDef, Sample, register
from ..types import DType, Extent, TensorType
from . import batching as bt
from . import formula as fm
from .checks import check_axes, check_rank
from .define import Element, check_count, check_kind
from .formula import Formula
from .reduction import part, wide
from .slicing import choose, surrounded
from .window import constant

# -------------------------------------------------------------------------------------- tiles


def _infer_tiles(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("tiles", types, 1)
    check_axes("tiles", attrs["axes"], types[0].rank)
    for what in ("size", "step", "low", "count"):
        check_rank("tiles", what, attrs[what], len(attrs["axes"]))
    for what in ("size", "step"):
        for one in attrs[what]:
            if not isinstance(one, int) or one < 1:
                raise ShapeMismatch(f"tiles: the {what} is {one}; expected a number above 0")
    shape = list(types[0].shape)
    for axis, count in zip(attrs["axes"], attrs["count"], strict=True):
        shape[axis] = count
    return types[0].with_shape((*attrs["size"], *shape))


def _places(attrs: Attrs, axis: int, i: Any, k: Any) -> Any:
    """Where element k of tile i lies along one of the axes."""
    return i * attrs["step"][axis] + k - attrs["low"][axis]


def _evaluate_tiles(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    found = np.asarray(operands[0])
    for k in reversed(range(len(attrs["axes"]))):
        axis = attrs["axes"][k] + len(attrs["axes"]) - 1 - k
        rows = np.arange(int(attrs["count"][k]))[None, :]
        at = _places(attrs, k, rows, np.arange(attrs["size"][k])[:, None])
        extent = found.shape[axis]
        inside = (at >= 0) & (at < extent)
        shape = (*found.shape[:axis], *at.shape, *found.shape[axis + 1 :])
        tiles = np.zeros(shape, found.dtype)
        if inside.any():
            tiles[(slice(None),) * axis + (inside,)] = np.take(found, at[inside], axis)
        found = np.moveaxis(tiles, axis, 0)
    return np.ascontiguousarray(found)


def _lower_tiles(c: Any, index: tuple[Index, ...]) -> Element:
    axes, x = c.attrs["axes"], c.types[0]
    place = list(index[len(axes) :])
    cond: Expr | None = None
    for k, axis in enumerate(axes):
        at: Extent = _places(c.attrs, k, place[axis], index[k])
        cond = both(cond, both(c.less(-1, at), c.less(at, x.shape[axis])))
        place[axis] = at
    return choose(
        c, cond, lambda: c.operand(0, tuple(place)), lambda: constant(0, x.dtype)
    )  # a Load that is 0 where there is no element


# ---------------------------------------------------------------------------------------- mix


def _infer_mix(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("mix", types, 1)
    check_kind("mix", types[0], "f")
    check_axes("mix", (attrs["axis"],), types[0].rank)
    axis, matrix = attrs["axis"], attrs["matrix"]
    extent = types[0].shape[axis]
    if not matrix or any(len(row) != extent for row in matrix):
        raise ShapeMismatch(
            f"mix: axis {axis} of operand 0 has extent {extent}; the rows of the matrix have "
            f"{', '.join(str(len(row)) for row in matrix) or 'no'} numbers"
        )
    shape = list(types[0].shape)
    shape[axis] = len(matrix)
    return types[0].with_shape(shape)


def _evaluate_mix(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x = np.asarray(operands[0])
    inner = wide(ty.dtype(x.dtype)).numpy
    parts = np.moveaxis(x.astype(inner), attrs["axis"], 0)
    rows = []
    with np.errstate(all="ignore"):
        for row in attrs["matrix"]:
            terms = [inner.type(w) * part for w, part in zip(row, parts, strict=True) if w]
            rows.append(sum(terms[1:], terms[0]) if terms else np.zeros_like(parts[0]))
        found = np.moveaxis(np.stack(rows), 0, attrs["axis"])
        return np.ascontiguousarray(found).astype(x.dtype)


def _lower_mix(c: Any, index: tuple[Index, ...]) -> Element:
    axis, matrix = c.attrs["axis"], c.attrs["matrix"]
    at = index[axis]
    if isinstance(at, int):
        return _weighted(c, index, matrix[at])

    def row(k: int) -> Element:
        if k == len(matrix) - 1:
            return _weighted(c, index, matrix[k])
        return choose(
            c, c.less(at, k + 1), lambda: _weighted(c, index, matrix[k]), lambda: row(k + 1)
        )

    return row(0)


def _weighted(c: Any, index: tuple[Index, ...], weights: Sequence[float]) -> Expr:
    """The sum of the elements along the axis by their weights; what has none is not read."""
    axis, inner = c.attrs["axis"], wide(c.type.dtype)
    total: Expr | None = None
    # a positive weight first: no sign to turn
    for k, weight in sorted(enumerate(weights), key=lambda pair: pair[1] <= 0):
        if weight:
            x = cast(c.operand(0, (*index[:axis], k, *index[axis + 1 :])), inner)
            total = _plus(total, float(weight), x, inner)
    return cast(const(0, inner) if total is None else total, c.type.dtype)


def _plus(total: Expr | None, weight: float, x: Expr, dtype: DType) -> Expr:
    if total is not None and weight < 0:
        return scalar("sub", total, _times(-weight, x, dtype))
    return (
        _times(weight, x, dtype)
        if total is None
        else scalar("add", total, _times(weight, x, dtype))
    )


def _times(weight: float, x: Expr, dtype: DType) -> Expr:
    if weight == 1:
        return x
    return scalar("neg", x) if weight == -1 else scalar("mul", x, const(weight, dtype))


# --------------------------------------------------------------------------------- transposes


def _transpose_tiles(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """Every element gets the sum of what its places in tiles got, one axis after the other."""
    x = operands[0]
    for number in reversed(range(len(attrs["axes"]))):
        axis = attrs["axes"][number]
        g = _overlaid(
            g, number, number + 1 + axis, attrs["step"][number], attrs["low"][number],
            x.shape[axis],
        )  # fmt: skip
    return g


def _overlaid(g: Value, inside: int, along: int, step: int, low: Extent, extent: Extent) -> Value:
    """The tiles, whose elements lie along `inside`, laid over the axis that they were cut from.

    Tiles of `step` elements lie side by side, so g is cut into such, and as many are added as a
    tile is wider than a step.
    """
    size, count = g.shape[inside], g.shape[along]
    assert isinstance(size, int)
    layers = -(-size // step)
    none = [0] * len(g.shape)
    high: list[Extent] = list(none)
    high[inside] = layers * step - size
    g = surrounded(g, none, high, none)
    rest = [d for d in range(len(g.shape)) if d != inside]
    order = [d for d in rest if d <= along] + [inside] + [d for d in rest if d > along]
    total: Formula | None = None
    for layer in range(layers):
        one = fm.transpose(part(g, inside, layer * step, step), order)
        shape = [g.shape[d] for d in rest]
        shape[along - 1] = count * step
        one = fm.reshape(one, shape)
        first: list[Extent] = [0] * len(shape)
        last: list[Extent] = [0] * len(shape)
        first[along - 1] = layer * step - low
        last[along - 1] = extent - (count + layer) * step + low
        found = Formula(surrounded(one, first, last, [0] * len(shape)))
        total = found if total is None else total + found
    assert total is not None
    return total.value


def _transpose_mix(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return MIX(g, axis=attrs["axis"], matrix=tuple(zip(*attrs["matrix"], strict=True)))


# -------------------------------------------------------------------------------------- cards


_t = ty.parse_type

TILES = register(
    OpDef(
        name="tiles",
        doc=(
            "result[k..., i...] = x[..., i*step + k - low, ...] along some axes, of which there "
            "are `count` tiles of `size` elements; 0 outside x"
        ),
        kind="movement",
        infer=_infer_tiles,
        evaluate=_evaluate_tiles,
        lower=_lower_tiles,
        source="numpy.lib.stride_tricks.sliding_window_view; torch.nn.functional.unfold",
        batching=bt.tiling,
        derivative=Linear(_transpose_tiles),
        linear=(0,),
        cost=0,
        samples=lambda: (
            Sample(
                (_t("f32[2, 7, 5, 3]"),),
                {"axes": (1, 2), "size": (4, 4), "step": (2, 2), "low": (1, 0), "count": (4, 2)},
            ),
            Sample((_t("i64[9]"),), {
                "axes": (0,), "size": (3,), "step": (4,), "low": (-1,), "count": (3,),
            }),
            Sample((_t("c64[3, 2]"),), {
                "axes": (1,), "size": (2,), "step": (1,), "low": (2,), "count": (5,),
            }),
        ),
    )
)  # fmt: skip

MIX = register(
    OpDef(
        name="mix",
        doc=(
            "result[..., i, ...] = sum over k of matrix[i][k] * x[..., k, ...]; what has weight 0 "
            "does not count, NaN and infinity included"
        ),
        kind="reduction",
        infer=_infer_mix,
        evaluate=_evaluate_mix,
        lower=_lower_mix,
        source="numpy.tensordot with a small constant matrix; f16 and bf16 accumulate in f32",
        batching=bt.shifted("mix", "axis"),
        derivative=Linear(_transpose_mix),
        linear=(0,),
        cost=8,
        written_out=True,
        samples=lambda: (
            Sample((_t("f32[2, 3, 5]"),), {
                "axis": 1, "matrix": ((1.0, -1.0, 0.0), (0.5, 2.0, -1.0), (0.0, 0.0, 0.0)),
            }),
            Sample((_t("f64[2, 4]"),), {"axis": 0, "matrix": ((-1.0, 0.0),)}),
            Sample((_t("f16[2, 2]"),), {"axis": 1, "matrix": ((0.25, 1.0), (-0.1, -3.0))}),
        ),
    )
)  # fmt: skip
