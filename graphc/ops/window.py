"""Where windows stand along an axis, and the card that reduces over them.

A window of `size` elements, `dilation` apart, steps by `stride` over an operand whose elements are
`spread` apart, with `low` and `high` more places before and after it (negative: places are cut).
Convolutions (graphc/ops/convolution.py) and pooling place their windows by the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..loops.ir import FALSE, TRUE, Expr, Idx, Index, Pair, both, const, scalar
from ..opdef import Attrs, OpDef, Sample, register
from ..types import I64, DType, Extent, TensorType
from .checks import check_rank, never
from .contraction import converted
from .define import Element, check_count
from .reduction import REDUCE_KINDS, UFUNC, check_kind, identity, on_bool, wide
from .slicing import PAD, choose


@dataclass(frozen=True, slots=True)
class Window:
    """The windows along one axis."""

    extent: Extent
    """Of the operand."""
    size: Extent
    stride: int = 1
    low: Extent = 0
    high: Extent = 0
    dilation: int = 1
    spread: int = 1

    @property
    def count(self) -> Extent:
        """How many windows there are: linear in the extents also where they are 0."""
        places = (self.extent - 1) * self.spread + 1 + self.low + self.high
        return (places - (self.size - 1) * self.dilation - 1) // self.stride + 1

    def place(self, c: Any, window: Index, element: Index) -> tuple[Expr | None, Index]:
        """The element of the operand under an element of a window, and when there is one.

        Never past an end that no padding reaches, whatever the extents are: so windows without
        padding have no condition (None).
        """
        at = window * self.stride + element * self.dilation - self.low
        cond: Expr | None = None
        if isinstance(self.low, ty.Dim) or self.low > 0:
            cond = both(cond, c.less(-1, at))
        if isinstance(self.high, ty.Dim) or self.high > 0:
            cond = both(cond, c.less(at, self.extent * self.spread))
        if self.spread == 1:
            return cond, at
        rest = at % self.spread
        if isinstance(rest, ty.Dim):
            hit: Expr = scalar("eq", Idx(rest), const(0, I64))
        else:
            hit = TRUE if rest == 0 else FALSE
        return both(cond, hit), at // self.spread


def check_windows(op: str, windows: Sequence[Window]) -> tuple[Extent, ...]:
    """The number of windows along every axis.

    Raises:
        ShapeMismatch: for a step that is no positive number, or fewer than no windows.
    """
    counts: list[Extent] = []
    for axis, one in enumerate(windows):
        for what in ("stride", "dilation", "spread"):
            step = getattr(one, what)
            if not isinstance(step, int) or step < 1:
                raise ShapeMismatch(
                    f"{op}: the {what} of window axis {axis} is {step}; expected a number above 0"
                )
        counts.append(one.count)
        if never(one.count):
            raise ShapeMismatch(
                f"{op}: a window of {one.size} elements does not fit window axis {axis}, which has "
                f"extent {one.extent} and padding ({one.low}, {one.high})"
            )
    return tuple(counts)


def sliding(x: np.ndarray, windows: Sequence[Window], axes: Sequence[int], fill: Any) -> np.ndarray:
    """x with the given axes counting windows, and new last axes for the elements of a window.

    There is a window along every axis.
    """
    low, high, spread = [0] * x.ndim, [0] * x.ndim, [0] * x.ndim
    for one, axis in zip(windows, axes, strict=True):
        low[axis], high[axis], spread[axis] = int(one.low), int(one.high), one.spread - 1
    edges = {"low": tuple(low), "high": tuple(high), "interior": tuple(spread)}
    x = PAD.evaluate([x, fill], edges)
    spans = [(int(one.size) - 1) * one.dilation + 1 for one in windows]
    view = np.lib.stride_tricks.sliding_window_view(x, spans, tuple(axes))
    steps = [slice(None)] * x.ndim
    for one, axis in zip(windows, axes, strict=True):
        steps[axis] = slice(None, None, one.stride)
    return view[(*steps, *(slice(None, None, one.dilation) for one in windows))]


# ------------------------------------------------------------------------------- reduce_window


def _windows(shape: Sequence[Extent], attrs: Attrs) -> tuple[Window, ...]:
    keys = ("window", "stride", "low", "high", "dilation")
    return tuple(Window(*row) for row in zip(shape, *(attrs[k] for k in keys), strict=True))


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("reduce_window", types, 1)
    x = types[0]
    check_kind("reduce_window", attrs["kind"], x.dtype, REDUCE_KINDS)
    for what in ("window", "stride", "dilation", "low", "high"):
        check_rank("reduce_window", what, attrs[what], x.rank)
    for axis, size in enumerate(attrs["window"]):
        if never(size - 1):
            raise ShapeMismatch(f"reduce_window: the window of axis {axis} has extent {size}")
    return x.with_shape(check_windows("reduce_window", _windows(x.shape, attrs)))


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x, kind = np.asarray(operands[0]), attrs["kind"]
    dtype = ty.dtype(x.dtype)
    inner = _inner(kind, dtype).numpy
    windows = _windows(x.shape, attrs)
    shape = tuple(int(one.count) for one in windows)
    nothing = inner.type(identity(kind, dtype))
    if 0 in shape:
        return np.empty(shape, x.dtype)
    rank = x.ndim
    seen = sliding(x.astype(inner), windows, range(rank), nothing)
    with np.errstate(all="ignore"):
        found = UFUNC[kind].reduce(seen, tuple(range(rank, 2 * rank)), inner, initial=nothing)
        return np.asarray(found).astype(x.dtype)


def _inner(kind: str, dtype: DType) -> DType:
    return wide(dtype) if kind in ("sum", "prod") else dtype


def constant(value: Any, dtype: DType) -> Element:
    """A real number as an element of that dtype."""
    number = const(value, dtype.real)
    return Pair(number, const(0, dtype.real)) if dtype.is_complex else number


def _lower(c: Any, index: tuple[Index, ...]) -> Element:
    x, kind = c.types[0], c.attrs["kind"]
    windows = _windows(x.shape, c.attrs)
    inner = _inner(kind, x.dtype)
    long = [d for d, one in enumerate(windows) if one.size != 1]

    def body(at: tuple[Index, ...]) -> Element:
        offsets = dict(zip(long, at, strict=True))
        cond: Expr | None = None
        place: list[Index] = []
        for d, (i, one) in enumerate(zip(index, windows, strict=True)):
            here, inside = one.place(c, i, offsets.get(d, 0))
            cond = both(cond, here)
            place.append(inside)
        found = choose(
            c,
            cond,
            lambda: c.operand(0, tuple(place)),
            lambda: constant(identity(kind, x.dtype), x.dtype),
        )
        return converted(found, inner)

    if not long:
        return converted(body(()), x.dtype)
    sizes = tuple(windows[d].size for d in long)
    return converted(c.reduce(on_bool(kind, x.dtype), sizes, body), x.dtype)


_t = ty.parse_type


def _sample(text: str, kind: str, **given: tuple[int, ...]) -> Sample:
    type = _t(text)
    none, one = (0,) * type.rank, (1,) * type.rank
    edges = {"window": one, "stride": one, "dilation": one, "low": none, "high": none}
    return Sample((type,), {"kind": kind, **edges, **given})


REDUCE_WINDOW = register(
    OpDef(
        name="reduce_window",
        doc="result[i] = reduction over k < window of x[i*stride + k*dilation - low], inside x",
        kind="reduction",
        infer=_infer,
        evaluate=_evaluate,
        lower=_lower,
        source=(
            "XLA ReduceWindow, but fewer than no windows are refused. "
            "A window wholly outside x gives the identity of the kind (-inf for max)"
        ),
        samples=lambda: (
            _sample("f32[9]", "sum", window=(3,)),
            _sample("f32[2, 6, 5]", "max", window=(1, 2, 3), stride=(1, 2, 2), high=(0, 0, 2)),
            _sample("f64[7, 4]", "min", window=(3, 2), dilation=(2, 3), low=(1, 0)),
            _sample("i32[8]", "max", window=(3,), stride=(2,), low=(1,), high=(1,)),
            _sample("f16[12]", "sum", window=(5,), stride=(3,), low=(-1,), high=(2,)),
            _sample("c64[6]", "sum", window=(2,), high=(3,)),
            _sample("bool[4, 3]", "and", window=(2, 2)),
        ),
    )
)
