"""Cards of the ops that read, replace or surround a part of a tensor, at places that may be data.

An axis attribute counts from 0 and is never negative; starts and extents may be symbolic;
steps are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..loops.ir import FALSE, TRUE, Expr, Idx, Index, both, const, scalar
from ..opdef import Attrs, Linear, OpDef, Sample, register
from ..types import BOOL, F64, I64, Extent, TensorType
from . import batching as bt
from .checks import check_dtype, check_rank, never
from .define import Element, check_count
from .formula import full, reduce, reverse, select, zeros

Shape = tuple[Extent, ...]


def choose(
    c: Any, cond: Expr | None, a: Callable[[], Element], b: Callable[[], Element]
) -> Element:
    """a() where cond holds, else b(); only one of them where cond is known (None: true)."""
    if cond is None or cond == TRUE:
        return a()
    return b() if cond == FALSE else c.where(cond, a, b)


def _check_strided(op: str, shape: Shape, start: Shape, count: Shape, step: Sequence[int]) -> None:
    """Raises ShapeMismatch where start + i*step, i < count, surely leaves an axis."""
    for axis, (n, s, m, t) in enumerate(zip(shape, start, count, step, strict=True)):
        if not isinstance(t, int) or t == 0:
            raise ShapeMismatch(f"{op}: the step of axis {axis} is {t}; expected a number but 0")
        if never(m):
            raise ShapeMismatch(f"{op}: the extent of axis {axis} is {m}, which is negative")
        if m == 0 or ty.bounds(m)[0] == 0:  # an empty axis reads nothing
            continue
        last = s + (m - 1) * t
        if never(s) or never(last) or never(n - 1 - s) or never(n - 1 - last):
            raise ShapeMismatch(
                f"{op}: axis {axis} of operand 0 has extent {n}; elements {s} to {last} were asked"
            )


# ------------------------------------------------------------------------------ slice, update


def _infer_slice(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("slice", types, 1)
    for what in ("start", "shape", "step"):
        check_rank("slice", what, attrs[what], types[0].rank)
    _check_strided("slice", types[0].shape, attrs["start"], attrs["shape"], attrs["step"])
    return types[0].with_shape(attrs["shape"])


def _places(
    start: Sequence[int], count: Sequence[int], step: Sequence[int]
) -> tuple[np.ndarray, ...]:
    return np.ix_(*(s + t * np.arange(n) for s, n, t in zip(start, count, step, strict=True)))


def _evaluate_slice(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    places = _places(attrs["start"], attrs["shape"], attrs["step"])
    return np.asarray(np.asarray(operands[0])[places])


def _lower_slice(c: Any, index: tuple[Index, ...]) -> Element:
    a = c.attrs
    inner = (s + i * t for i, s, t in zip(index, a["start"], a["step"], strict=True))
    return c.operand(0, tuple(inner))


def _infer_update(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("update", types, 2)
    check_dtype("update", types, 1, types[0].dtype)
    check_rank("update", "the shape of operand 1", types[1].shape, types[0].rank)
    for what in ("start", "step"):
        check_rank("update", what, attrs[what], types[0].rank)
    _check_strided("update", types[0].shape, attrs["start"], types[1].shape, attrs["step"])
    return types[0]


def _evaluate_update(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    result = np.array(operands[0])
    result[_places(attrs["start"], np.shape(operands[1]), attrs["step"])] = operands[1]
    return result


def _inside(c: Any, distance: Index, step: int, count: Extent) -> tuple[Expr | None, Index]:
    """When `distance` is i*step for an i < count, and that i."""
    cond = both(c.less(-1, distance), c.less(distance, count * step))
    if step == 1:
        return cond, distance
    rest = distance % step
    on = (TRUE if rest == 0 else FALSE) if isinstance(rest, int) else None
    return both(cond, on or scalar("eq", Idx(rest), const(0, I64))), distance // step


def _lower_update(c: Any, index: tuple[Index, ...]) -> Element:
    cond: Expr | None = None
    inner: list[Index] = []
    a = c.attrs
    for i, n, s, t in zip(index, c.types[1].shape, a["start"], a["step"], strict=True):
        one, place = _inside(c, i - s if t > 0 else s - i, abs(t), n)
        cond = both(cond, one)
        inner.append(place)
    return choose(c, cond, lambda: c.operand(1, tuple(inner)), lambda: c.operand(0, tuple(index)))


def _places_of_update(c: Any, index: tuple[Index, ...]) -> tuple[Index, ...]:
    rows = zip(index, c.attrs["start"], c.attrs["step"], strict=True)
    return tuple(s + i * t for i, s, t in rows)


# ---------------------------------------------------------------------------------------- pad


def _padded(n: Extent, low: Extent, high: Extent, interior: int) -> Extent:
    # linear in n also at n == 0, so that a shape inferred from symbols is the shape of their values
    return low + high + n * (interior + 1) - interior


def _infer_pad(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("pad", types, 2)
    check_dtype("pad", types, 1, types[0].dtype)
    if types[1].rank:
        raise ShapeMismatch(f"pad: operand 1 is {types[1]}; expected a scalar")
    for what in ("low", "high", "interior"):
        check_rank("pad", what, attrs[what], types[0].rank)
    shape: list[Extent] = []
    edges = zip(types[0].shape, attrs["low"], attrs["high"], attrs["interior"], strict=True)
    for axis, (n, low, high, interior) in enumerate(edges):
        if not isinstance(interior, int) or interior < 0:
            raise ShapeMismatch(
                f"pad: interior of axis {axis} is {interior}; expected a number of at least 0"
            )
        shape.append(_padded(n, low, high, interior))
        if never(shape[-1]):
            raise ShapeMismatch(
                f"pad: axis {axis} of operand 0 has extent {n}; with low {low} and high {high} "
                f"the result would have {shape[-1]}"
            )
    return types[0].with_shape(shape)


def _evaluate_pad(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x = np.asarray(operands[0])
    edges = tuple(zip(x.shape, attrs["low"], attrs["high"], attrs["interior"], strict=True))
    result = np.empty([_padded(*edge) for edge in edges], x.dtype)
    result[...] = operands[1]
    sources, targets = [], []
    for (n, low, _, interior), m in zip(edges, result.shape, strict=True):
        places = low + (interior + 1) * np.arange(n)
        kept = (places >= 0) & (places < m)  # a negative edge cuts elements off
        sources.append(np.flatnonzero(kept))
        targets.append(places[kept])
    result[np.ix_(*targets)] = x[np.ix_(*sources)]
    return result


def _lower_pad(c: Any, index: tuple[Index, ...]) -> Element:
    cond: Expr | None = None
    inner: list[Index] = []
    low, interior = c.attrs["low"], c.attrs["interior"]
    for i, n, before, between in zip(index, c.types[0].shape, low, interior, strict=True):
        one, place = _inside(c, i - before, between + 1, n)
        cond = both(cond, one)
        inner.append(place)
    return choose(c, cond, lambda: c.operand(0, tuple(inner)), lambda: c.operand(1, ()))


# ------------------------------------------------------------- slices whose starts are operands


def _check_starts(op: str, types: Sequence[TensorType], first: int) -> None:
    check_count(op, types, first + types[0].rank)
    for k in range(first, len(types)):
        check_dtype(op, types, k, I64)
        if types[k].rank:
            raise ShapeMismatch(f"{op}: operand {k}, a start, is {types[k]}; expected i64[]")


def _check_fits(op: str, shape: Shape, part: Shape) -> None:
    check_rank(op, "the slice's shape", part, len(shape))
    for axis, (n, m) in enumerate(zip(shape, part, strict=True)):
        if never(n - m) or never(m):
            raise ShapeMismatch(f"{op}: axis {axis} of operand 0 has extent {n}, the slice {m}")


def _infer_dynamic_slice(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    _check_starts("dynamic_slice", types, 1)
    _check_fits("dynamic_slice", types[0].shape, attrs["shape"])
    return types[0].with_shape(attrs["shape"])


def _infer_dynamic_update(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    _check_starts("dynamic_update", types, 2)
    check_dtype("dynamic_update", types, 1, types[0].dtype)
    _check_fits("dynamic_update", types[0].shape, types[1].shape)
    return types[0]


def _window(x: np.ndarray, shape: Sequence[int], starts: Sequence[Any]) -> tuple[slice, ...]:
    rows = zip(x.shape, shape, starts, strict=True)
    clamped = ((max(0, min(int(s), n - m)), m) for n, m, s in rows)
    return tuple(slice(s, s + m) for s, m in clamped)


def _evaluate_dynamic_slice(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x = np.asarray(operands[0])
    return np.array(x[_window(x, attrs["shape"], operands[1:])])


def _evaluate_dynamic_update(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    result = np.array(operands[0])
    result[_window(result, np.shape(operands[1]), operands[2:])] = operands[1]
    return result


def _start(c: Any, operand: int, room: Extent) -> Index:
    """The clamped start of one axis: max(0, min(start, room))."""
    if room == 0:
        return 0
    low = scalar("min", c.operand(operand, ()), Idx(room))
    return c.index(scalar("max", low, const(0, I64)))


def _lower_dynamic_slice(c: Any, index: tuple[Index, ...]) -> Element:
    rows = zip(index, c.types[0].shape, c.type.shape, strict=True)
    inner = tuple(i + _start(c, 1 + k, n - m) for k, (i, n, m) in enumerate(rows))
    return c.operand(0, inner)


def _lower_dynamic_update(c: Any, index: tuple[Index, ...]) -> Element:
    cond: Expr | None = None
    inner: list[Index] = []
    rows = zip(index, c.types[0].shape, c.types[1].shape, strict=True)
    for k, (i, n, m) in enumerate(rows):
        one, place = _inside(c, i - _start(c, 2 + k, n - m), 1, m)
        cond = both(cond, one)
        inner.append(place)
    return choose(c, cond, lambda: c.operand(1, tuple(inner)), lambda: c.operand(0, tuple(index)))


def _places_of_dynamic_update(c: Any, index: tuple[Index, ...]) -> tuple[Index, ...]:
    rows = zip(index, c.types[0].shape, c.types[1].shape, strict=True)
    return tuple(i + _start(c, 2 + k, n - m) for k, (i, n, m) in enumerate(rows))


# --------------------------------------------------------------------------------- transposes


def _transpose_slice(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """g, with zeros between and around its elements."""
    x = operands[0]
    if 0 in g.shape:
        return zeros(x.type)
    turned = [d for d, t in enumerate(attrs["step"]) if t < 0 and g.shape[d] != 1]
    low, high, interior = [], [], []
    for n, s, m, t in zip(x.shape, attrs["start"], g.shape, attrs["step"], strict=True):
        first = s + (m - 1) * t if t < 0 else s
        between = abs(t) - 1 if m != 1 else 0
        low.append(first)
        interior.append(between)
        high.append(n - _padded(m, first, 0, between))
    return surrounded(reverse(g, turned), low, high, interior)


def surrounded(
    x: Value, low: Sequence[Extent], high: Sequence[Extent], interior: Sequence[int]
) -> Value:
    """x with zeros around it and between its elements."""
    if not any((*low, *high, *interior)):
        return x
    nothing = zeros(x.type.with_shape(()))
    return PAD(x, nothing, low=tuple(low), high=tuple(high), interior=tuple(interior))


def _transpose_update(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    part = operands[1]
    if k == 1:
        return SLICE(g, start=attrs["start"], shape=part.shape, step=attrs["step"])
    return UPDATE(g, zeros(part.type), **attrs)


def _transpose_pad(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    x, low, high, interior = operands[0], attrs["low"], attrs["high"], attrs["interior"]
    if k == 1:  # what is no element of x; a sum minus a sum would cancel
        inside = full(x.type.with_dtype(BOOL), False)
        outside = PAD(inside, full(inside.type.with_shape(()), True), **attrs)
        return reduce("sum", select(outside, g, zeros(g.type)), range(len(g.shape)))
    if 0 in x.shape:
        return zeros(x.type)
    if not all(isinstance(e, int) and e >= 0 for e in (*low, *high)):
        g = surrounded(g, [-e for e in low], [-e for e in high], [0] * len(low))
        low = (0,) * len(low)
    if g.shape == x.shape:
        return g
    return SLICE(g, start=tuple(low), shape=x.shape, step=tuple(i + 1 for i in interior))


def _transpose_dynamic_slice(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return DYNAMIC_UPDATE(zeros(operands[0].type), g, *operands[1:])


def _transpose_dynamic_update(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    part = operands[1]
    if k == 1:
        return DYNAMIC_SLICE(g, *operands[2:], shape=part.shape)
    return DYNAMIC_UPDATE(g, zeros(part.type), *operands[2:])


# -------------------------------------------------------------------------------------- cards


_t = ty.parse_type

SLICE = register(
    OpDef(
        name="slice",
        doc="result[i] = x[start + i*step], for each axis",
        kind="movement",
        infer=_infer_slice,
        evaluate=_evaluate_slice,
        lower=_lower_slice,
        source="NumPy basic indexing",
        batching=bt.shifted("slice", start=0, shape=None, step=1),
        derivative=Linear(_transpose_slice),
        linear=(0,),
        cost=0,
        samples=lambda: (
            Sample((TensorType(F64, (7, 5)),), {"start": (6, 1), "shape": (4, 3), "step": (-2, 1)}),
            Sample((TensorType(BOOL, (9,)),), {"start": (1,), "shape": (3,), "step": (3,)}),
        ),
    )
)

PAD = register(
    OpDef(
        name="pad",
        doc="x with `value` around it and `interior` of it between elements; negative edges cut",
        kind="movement",
        infer=_infer_pad,
        evaluate=_evaluate_pad,
        lower=_lower_pad,
        source="XLA Pad, except that an extent of 0 counts as low + high - interior",
        batching=bt.padding,
        derivative=Linear(_transpose_pad, joint=True),
        linear=(0, 1),
        samples=lambda: (
            Sample(
                (_t("f32[3, 4]"), _t("f32[]")), {"low": (1, 0), "high": (2, 3), "interior": (0, 1)}
            ),
            Sample((_t("i32[5]"), _t("i32[]")), {"low": (-1,), "high": (-2,), "interior": (0,)}),
        ),
    )
)

UPDATE = register(
    OpDef(
        name="update",
        doc="x with x[start + i*step] = u[i], for each axis",
        kind="movement",
        infer=_infer_update,
        evaluate=_evaluate_update,
        lower=_lower_update,
        places=_places_of_update,
        source="NumPy basic indexing, assigned to a copy",
        batching=bt.shifted("update", start=0, step=1),
        derivative=Linear(_transpose_update, joint=True),
        linear=(0, 1),
        samples=lambda: (
            Sample((_t("f32[7, 5]"), _t("f32[3, 2]")), {"start": (6, 1), "step": (-2, 1)}),
            Sample((_t("f64[9]"), _t("f64[3]")), {"start": (1,), "step": (3,)}),
        ),
    )
)

DYNAMIC_SLICE = register(
    OpDef(
        name="dynamic_slice",
        doc="result[i] = x[max(0, min(start, n - m)) + i], for each axis",
        kind="movement",
        infer=_infer_dynamic_slice,
        evaluate=_evaluate_dynamic_slice,
        lower=_lower_dynamic_slice,
        source="XLA DynamicSlice",
        batching=bt.dynamic_slicing,
        derivative=Linear(_transpose_dynamic_slice),
        linear=(0,),
        samples=lambda: (Sample((_t("f32[7, 5]"), _t("i64[]"), _t("i64[]")), {"shape": (3, 5)}),),
    )
)

DYNAMIC_UPDATE = register(
    OpDef(
        name="dynamic_update",
        doc="x with x[max(0, min(start, n - m)) + i] = u[i], for each axis",
        kind="movement",
        infer=_infer_dynamic_update,
        evaluate=_evaluate_dynamic_update,
        lower=_lower_dynamic_update,
        places=_places_of_dynamic_update,
        source="XLA DynamicUpdateSlice",
        batching=bt.dynamic_updating,
        derivative=Linear(_transpose_dynamic_update, joint=True),
        linear=(0, 1),
        samples=lambda: (Sample((_t("f32[7, 5]"), _t("f32[3, 2]"), _t("i64[]"), _t("i64[]")), {}),),
    )
)
