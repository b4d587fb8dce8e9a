"""The card of the convolution, over any number of spatial axes and in any layout.

Both derivatives of a convolution are convolutions again, with dilations and axes exchanged
(graphc/ops/convolution_gradients.py), so one card carries the forward and the backward ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..loops.ir import Expr, Index, both
from ..opdef import Attrs, Linear, OpDef, Sample, register
from ..types import BOOL, DType, Extent, TensorType
from . import batching as bt
from .checks import check_axes, check_rank, show
from .contraction import DOT, accumulator, converted, multiplied, product_dtype
from .convolution_gradients import Forward, input_gradient, kernel_gradient
from .define import Element, check_count
from .formula import cast, zeros
from .slicing import choose
from .window import Window, check_windows, constant, sliding


@dataclass(frozen=True, slots=True)
class Geometry:
    """The extents of a convolution by their meaning. `lhs` is the operand, `rhs` the kernel."""

    windows: tuple[Window, ...]
    batch: Extent
    channels: Extent
    """Of lhs."""
    summed: Extent
    """Channels of lhs that one element of the result sums over."""
    features: Extent
    """Channels of the result."""
    groups: Extent
    batch_groups: Extent

    @property
    def share(self) -> Extent:
        """Channels of the result in one group, of either kind."""
        return self.features // (self.groups * self.batch_groups)

    @property
    def rows(self) -> Extent:
        """The batch of the result."""
        return self.batch // self.batch_groups


def geometry(types: Sequence[TensorType], attrs: Attrs) -> Geometry:
    """Reads shapes through the attributes `lhs`, `rhs` and `out`, which name axes by meaning."""
    (lhs, rhs), (x, w) = (attrs["lhs"], attrs["rhs"]), types
    rows = zip(
        (x.shape[a] for a in lhs[2:]), (w.shape[a] for a in rhs[2:]),
        *(attrs[k] for k in ("stride", "low", "high", "rhs_dilation", "lhs_dilation")), strict=True,
    )  # fmt: skip
    return Geometry(
        tuple(Window(*row) for row in rows),
        x.shape[lhs[0]], x.shape[lhs[1]], w.shape[rhs[1]], w.shape[rhs[0]],
        attrs["groups"], attrs["batch_groups"],
    )  # fmt: skip


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("conv", types, 2)
    dtype = product_dtype("conv", types, attrs.get("dtype"))
    rank = types[0].rank
    check_rank("conv", "the shape of operand 1", types[1].shape, rank)
    for operand, what in enumerate(("lhs", "rhs", "out")):
        check_rank("conv", what, attrs[what], rank)
        check_axes("conv", attrs[what], rank, min(operand, 1))
    for what in ("stride", "low", "high", "lhs_dilation", "rhs_dilation"):
        check_rank("conv", what, attrs[what], rank - 2)
    g = geometry(types, attrs)
    if g.groups != 1 and g.batch_groups != 1:
        raise ShapeMismatch("conv: there are groups of channels or of the batch, not both")
    if g.channels != g.summed * g.groups:
        raise ShapeMismatch(
            f"conv: operand 0 {show(types[0].shape)} has {g.channels} channels; a kernel over "
            f"{g.summed} channels in {g.groups} groups expects {g.summed * g.groups}"
        )
    for what, extent, parts in (
        ("channels of the result", g.features, g.groups * g.batch_groups),
        ("elements of the batch", g.batch, g.batch_groups),
    ):
        if (extent // parts) * parts != extent:
            raise ShapeMismatch(f"conv: {extent} {what} do not make {parts} equal groups")
    counts = check_windows("conv", g.windows)
    shape: list[Extent] = [0] * rank
    for axis, extent in zip(attrs["out"], (g.rows, g.features, *counts), strict=True):
        shape[axis] = extent
    return TensorType(dtype, tuple(shape))


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    arrays = [np.asarray(o) for o in operands]
    types = [TensorType(ty.dtype(a.dtype), a.shape) for a in arrays]
    result = _infer(types, attrs)
    if result.size == 0 or types[1].size == 0:
        return np.zeros(result.shape, result.dtype.numpy)
    g = geometry(types, attrs)
    x, w = arrays[0].transpose(attrs["lhs"]), arrays[1].transpose(attrs["rhs"])
    count = len(g.windows)
    spatial = range(2, 2 + count)
    view = sliding(x, g.windows, spatial, x.dtype.type(0))
    # [batch group, row, group, channel, window..., element...], [batch group, group, feature, ...]
    view = view.reshape(g.batch_groups, g.rows, g.groups, g.summed, *view.shape[2:])
    w = w.reshape(g.batch_groups, g.groups, g.share, *w.shape[1:])
    elements = range(view.ndim - count, view.ndim)
    axes = {"contract": ((3, *elements), tuple(range(3, w.ndim))), "batch": ((0, 2), (0, 1))}
    found = DOT.evaluate((view, w), {**axes, "dtype": result.dtype})
    # [batch group, group, row, window..., feature]: the last one belongs to the groups
    found = np.moveaxis(found, -1, 2).reshape(g.features, g.rows, *found.shape[3:-1])
    return np.ascontiguousarray(found.swapaxes(0, 1).transpose(np.argsort(attrs["out"])))


def _lower(c: Any, index: tuple[Index, ...]) -> Element:
    g = geometry(c.types, c.attrs)
    inner: DType = accumulator(c.types[0].dtype, c.type.dtype)
    row, feature, *window = (index[a] for a in c.attrs["out"])
    grouped = g.groups != 1 or g.batch_groups != 1
    group: Index = feature // g.share if grouped else 0
    first = group * g.summed if g.groups != 1 else 0
    batch = group * g.rows + row if g.batch_groups != 1 else row
    # kernel axes outside, channels inside; what has one element needs no loop
    loops = [(d, one.size) for d, one in enumerate(g.windows) if one.size != 1]
    if g.summed != 1:
        loops.append((-1, g.summed))

    def body(at: tuple[Index, ...]) -> Element:
        offsets = {d: i for (d, _), i in zip(loops, at, strict=True)}
        cond: Expr | None = None
        inside: list[Index] = []
        for d, (i, one) in enumerate(zip(window, g.windows, strict=True)):
            here, place = one.place(c, i, offsets.get(d, 0))
            cond = both(cond, here)
            inside.append(place)
        channel = offsets.get(-1, 0)
        elements = [offsets.get(d, 0) for d in range(len(window))]
        a = choose(
            c,
            cond,
            lambda: c.operand(0, _placed(c.attrs["lhs"], (batch, first + channel, *inside))),
            lambda: constant(0, c.types[0].dtype),
        )
        b = c.operand(1, _placed(c.attrs["rhs"], (feature, channel, *elements)))
        return multiplied(c, converted(a, inner), converted(b, inner))

    if not loops:
        return converted(body(()), c.type.dtype)
    kind = "or" if inner is BOOL else "sum"
    return converted(c.reduce(kind, tuple(n for _, n in loops), body), c.type.dtype)


def _placed(axes: Sequence[int], index: Sequence[Index]) -> tuple[Index, ...]:
    found: list[Index] = [0] * len(axes)
    for axis, i in zip(axes, index, strict=True):
        found[axis] = i
    return tuple(found)


# --------------------------------------------------------------------------------- transposes


def _transpose(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    x, w = operands
    g_types = [v.type for v in operands]
    if any(one.size == 0 for one in (x.type, w.type, g.type)):
        return zeros(operands[k].type)
    windows = geometry(g_types, attrs).windows
    axes = (attrs["lhs"], attrs["rhs"], attrs["out"])
    f = Forward(*axes, windows, attrs["groups"], attrs["batch_groups"])
    more = {"precision": attrs["precision"]} if "precision" in attrs else {}
    if k == 0:
        found = input_gradient(g, cast(w, g.dtype), f, **more)
    else:
        found = kernel_gradient(cast(x, g.dtype), g, f, **more)
    return cast(found, operands[k].dtype)


# -------------------------------------------------------------------------------------- cards


_t = ty.parse_type


def _sample(operand: str, kernel: str, **given: Any) -> Sample:
    """Channels last, kernels as (spatial..., in, out), where nothing else is given."""
    types = (_t(operand), _t(kernel))
    rank = types[0].rank
    inner = tuple(range(1, rank - 1))
    attrs: dict[str, Any] = {
        "stride": (1,) * (rank - 2), "low": (0,) * (rank - 2), "high": (0,) * (rank - 2),
        "lhs_dilation": (1,) * (rank - 2), "rhs_dilation": (1,) * (rank - 2),
        "groups": 1, "batch_groups": 1, "lhs": (0, rank - 1, *inner),
        "rhs": (rank - 1, rank - 2, *range(rank - 2)), "out": (0, rank - 1, *inner),
    }  # fmt: skip
    return Sample(types, {**attrs, **given})


CONV = register(
    OpDef(
        name="conv",
        doc=(
            "result[n, o, i] = sum over k, c of lhs[n, c, i*stride + k*rhs_dilation - low] * "
            "rhs[o, c, k], lhs spread by lhs_dilation and 0 outside"
        ),
        kind="contraction",
        infer=_infer,
        evaluate=_evaluate,
        lower=_lower,
        source=(
            "XLA ConvGeneralDilated, but fewer than no windows are refused. `lhs`, `rhs`, `out` "
            "are axes: batch, channel, space; channel of the result, channel of lhs, space; batch, "
            "channel, space. An axis of 0 elements counts as 1 - lhs_dilation. `dtype` as in dot. "
            "`precision` is \"direct\" where it must stay this sum (passes/winograd.py). "
            "An infinity in the kernel times the 0 of the padding is NaN"
        ),
        linear=(0, 1),
        batching=bt.convolving,
        derivative=Linear(_transpose),
        cost=2,
        samples=lambda: (
            _sample("f32[2, 6, 5, 3]", "f32[3, 2, 3, 4]"),
            _sample(
                "f32[2, 7, 6, 2]", "f32[3, 3, 2, 3]",
                stride=(2, 1), low=(1, 1), high=(1, 1), rhs_dilation=(1, 2),
            ),
            _sample("f64[1, 4, 3, 2]", "f64[1, 1, 2, 5]"),
            _sample("f32[2, 5, 5, 4]", "f32[3, 3, 1, 4]", groups=4, low=(1, 1), high=(1, 1)),
            _sample(
                "f32[2, 4, 6, 5]", "f32[6, 2, 2, 3]", groups=2,
                lhs=(0, 1, 2, 3), rhs=(0, 1, 2, 3), out=(0, 1, 2, 3),
            ),
            _sample("f64[3, 4, 2]", "f64[3, 2, 4]", lhs_dilation=(2,), low=(2,), high=(-1,)),
            _sample("f16[2, 9, 3]", "f16[4, 3, 2]", stride=(2,)),
            _sample("i8[2, 9, 3]", "i8[4, 3, 2]", dtype=ty.I32, high=(3,)),
            _sample("c64[1, 5, 2]", "c64[3, 2, 1]", low=(1,), high=(1,)),
            _sample("f32[4, 5, 3]", "f32[2, 3, 6]", batch_groups=2),
            _sample("f64[1, 3, 4, 3, 2]", "f64[2, 2, 2, 2, 3]", stride=(1, 2, 1), high=(1, 0, 1)),
        ),
    )
)  # fmt: skip
