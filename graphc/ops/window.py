"""Where windows stand along an axis, and the card that reduces over them.

A window of `size` elements, `dilation` apart, steps by `stride` over an operand whose elements are
`spread` apart, with `low` and `high` more places before and after it (negative: places are cut).
Convolutions (graphc/ops/convolution.py) and pooling place their windows by the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..loops.ir import FALSE, TRUE, Expr, Idx, Index, Pair, both, const, scalar
from ..opdef import (
    ZERO,
    Attrs,
    Cases,
    Expansion,
    Form,
    Linear,
    OpDef,
    Rules,
    Sample,
    lookup,
    register,
)
from ..types import I64, DType, Extent, TensorType
from . import batching as bt
from . import formula as fm
from .checks import check_rank, never
from .contraction import converted
from .define import Element, check_count
from .formula import Formula
from .reduction import REDUCE_KINDS, UFUNC, by_kind, check_kind, identity, on_bool, wide
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


# ------------------------------------------------------------------------------- derivatives


def _transpose_sum(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """The sums of the windows that an element is in, which are windows over the results."""
    x = operands[0]
    if 0 in g.shape:
        return fm.zeros(x.type)
    none = [0] * len(g.shape)
    spread = [s - 1 for s in attrs["stride"]]
    if any(spread):
        nothing = fm.zeros(g.type.with_shape(()))
        g = PAD(g, nothing, low=tuple(none), high=tuple(none), interior=tuple(spread))
    low, high = [], []
    rows = zip(x.shape, g.shape, *(attrs[k] for k in ("window", "dilation", "low")), strict=True)
    for n, m, size, dilation, before in rows:
        beyond = (size - 1) * dilation
        low.append(beyond - before)
        high.append(n + before - m)
    edges = {"low": tuple(low), "high": tuple(high), "stride": (1,) * len(low)}
    return REDUCE_WINDOW(g, **{**attrs, **edges})


class _Seen:
    """What the windows see, in axes in front, as one value; and the way back."""

    def __init__(self, x: Value, attrs: Attrs):
        self.steps: list[tuple[str, tuple[Value, ...], Attrs]] = []
        kind, rank = attrs["kind"], len(x.shape)
        self.axes = [d for d in range(rank) if attrs["window"][d] != 1 or attrs["stride"][d] != 1]
        if any((*attrs["low"], *attrs["high"])):
            edge = fm.full(x.type.with_shape(()), identity(kind, x.dtype))
            edges = {"low": attrs["low"], "high": attrs["high"], "interior": (0,) * rank}
            x = self._step("pad", x, edge, **edges)
        dilation = [attrs["dilation"][d] for d in self.axes]
        sizes = [attrs["window"][d] for d in self.axes]
        counts = [
            one.count
            for one in _windows(x.shape, {**attrs, "low": (0,) * rank, "high": (0,) * rank})
        ]
        self.lead = len(self.axes)
        x = self._step(
            "tiles", x, axes=tuple(self.axes), count=tuple(counts[d] for d in self.axes),
            size=tuple((n - 1) * d + 1 for n, d in zip(sizes, dilation, strict=True)),
            step=tuple(attrs["stride"][d] for d in self.axes), low=(0,) * self.lead,
        )  # fmt: skip
        if any(d != 1 for d in dilation):
            shape = (*sizes, *x.shape[self.lead :])
            steps = (*dilation, *(1,) * rank)
            x = self._step("slice", x, start=(0,) * len(shape), shape=shape, step=steps)
        self.value = x

    def _step(self, name: str, *operands: Value, **attrs: Any) -> Value:
        self.steps.append((name, operands, attrs))
        return lookup(name)(*operands, **attrs)

    def again(self, t: Value) -> Value:
        """The same view of something that is 0 where x has no elements."""
        for name, operands, attrs in self.steps:
            rest = [fm.zeros(v.type) for v in operands[1:]]
            t = lookup(name)(t, *rest, **attrs)
        return t

    def back(self, g: Value) -> Value:
        """The cotangent of x for that of the view."""
        for name, operands, attrs in reversed(self.steps):
            form: Form = lookup(name).form([v.type for v in operands], attrs)
            assert isinstance(form, Linear)
            g = form.transpose(0, g, operands, attrs)
        return g

    def chosen(self, y: Value) -> Formula:
        """The first element of each window that is its extreme."""
        shape = self.value.shape
        sizes = shape[: self.lead]
        places = tuple(range(self.lead, len(shape)))
        total = ty.product(sizes)
        line = lookup("iota")(dtype=I64, shape=(total,), axis=0)
        number = fm.broadcast(fm.reshape(line, sizes), shape, range(self.lead))
        hit = Formula(self.value).same(Formula(fm.broadcast(y, shape, places)))
        least = hit.where(Formula(number), int(total))
        first = fm.reduce("min", least.value, range(self.lead))
        return Formula(number).same(Formula(fm.broadcast(first, shape, places)))


def _extreme_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    seen = _Seen(operands[0], attrs)
    moved = seen.chosen(results[0]).where(Formula(seen.again(tangents[0])), 0)
    return [fm.reduce("sum", moved.value, range(seen.lead))]


def _extreme_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    """The first extreme of a window gets all that the window gets, as in JAX, PyTorch, XLA."""
    seen = _Seen(operands[0], attrs)
    places = range(seen.lead, len(seen.value.shape))
    g = Formula(fm.broadcast(cotangents[0], seen.value.shape, places))
    return [seen.back(seen.chosen(results[0]).where(g, 0).value)]


def _expand_product(operands: Sequence[Value], attrs: Attrs) -> Value:
    seen = _Seen(operands[0], attrs)
    return fm.reduce("prod", seen.value, range(seen.lead))


_EXTREME = Rules(_extreme_jvp, _extreme_vjp)
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
        batching=bt.shifted("reduce_window", window=1, stride=1, dilation=1, low=0, high=0),
        derivative=Cases(
            by_kind,
            {
                "sum": Linear(_transpose_sum),
                "prod": Expansion(_expand_product),
                "max": _EXTREME,
                "min": _EXTREME,
                "and": ZERO,
                "or": ZERO,
                "xor": ZERO,
            },
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
