"""Cards of reductions and of running reductions (scans)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import For, Index, Pair, Stmt, cast, const, scalar
from ..opdef import (
    ZERO,
    Attrs,
    Cases,
    Expansion,
    Linear,
    OpDef,
    Rules,
    Sample,
    Types,
    lookup,
    register,
)
from ..types import BF16, BOOL, F16, F32, Dim, DType, Extent, TensorType
from . import batching as bt
from . import formula as fm
from .checks import check_axes
from .define import Element, check_count
from .emission import Cells, bound, load, nest, product, store, total
from .formula import Formula

_KINDS = {"sum": "iufc", "prod": "iufc", "min": "biuf", "max": "biuf", "and": "biu", "or": "biu"}
REDUCE_KINDS = {**_KINDS, "xor": "biu"}
"""The kinds of `reduce`, each with the kinds of dtypes it takes."""
CUMULATIVE_KINDS = {k: _KINDS[k] for k in ("sum", "prod", "max", "min")}
UFUNC: dict[str, np.ufunc] = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def check_kind(op: str, kind: str, dtype: DType, kinds: dict[str, str]) -> None:
    """Raises TypeMismatch unless the kind is there and takes the dtype."""
    if kind not in kinds:
        raise TypeMismatch(f"{op}: kind {kind!r} is not one of {', '.join(kinds)}")
    if dtype.kind not in kinds[kind]:
        raise TypeMismatch(f"{op}: {kind} does not take operand 0 of dtype {dtype}; cast it first")


def wide(dtype: DType) -> DType:
    """The dtype in which sums and products of a dtype accumulate."""
    return F32 if dtype in (F16, BF16) else dtype


def on_bool(kind: str, dtype: DType) -> str:
    """The kind of the loop: the least of truth values is their conjunction."""
    return {"min": "and", "max": "or"}.get(kind, kind) if dtype is BOOL else kind


# ------------------------------------------------------------------------------------- reduce


def _infer_reduce(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("reduce", types, 1)
    x, kind, axes = types[0], attrs["kind"], attrs["axes"]
    check_kind("reduce", kind, x.dtype, REDUCE_KINDS)
    check_axes("reduce", axes, x.rank)
    shape = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    if kind in ("min", "max") and 0 not in shape:
        for axis in axes:
            if x.shape[axis] == 0:
                raise ShapeMismatch(
                    f"reduce: axis {axis} of operand 0 is empty; {kind} expects an element"
                )
    return x.with_shape(shape)


def identity(kind: str, dtype: DType) -> Any:
    """The value of an empty reduction, as a number."""
    if kind in ("sum", "or", "xor"):
        return 0
    if kind == "prod":
        return 1
    if dtype is BOOL or kind == "and":
        return kind != "max" if dtype is BOOL else (-1 if dtype.kind == "i" else 2**dtype.bits - 1)
    if dtype.is_float:
        return np.inf if kind == "min" else -np.inf
    if dtype.is_complex:
        return complex(np.inf, np.inf) if kind == "min" else complex(-np.inf, -np.inf)
    limits = np.iinfo(dtype.numpy)
    return limits.max if kind == "min" else limits.min


def _evaluate_reduce(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x, kind = np.asarray(operands[0]), attrs["kind"]
    dtype = ty.dtype(x.dtype)
    inner = wide(dtype).numpy
    # NumPy has identities for the others
    initial = {"initial": inner.type(identity(kind, dtype))} if kind in ("min", "max") else {}
    with np.errstate(all="ignore"):
        found = UFUNC[kind].reduce(x.astype(inner), attrs["axes"], inner, **initial)
        return np.asarray(found).astype(x.dtype)


def _lower_reduce(c: Any, index: tuple[Index, ...]) -> Element:
    x, kind, axes = c.types[0], c.attrs["kind"], c.attrs["axes"]
    order = sorted(axes)
    inner = wide(x.dtype) if kind in ("sum", "prod") else x.dtype

    def body(at: tuple[Index, ...]) -> Element:
        kept, reduced = iter(index), dict(zip(order, at, strict=True))
        place = tuple(reduced[d] if d in reduced else next(kept) for d in range(x.rank))
        return _cast(c.operand(0, place), inner)

    if not order:
        return c.operand(0, index)
    found = c.reduce(on_bool(kind, x.dtype), tuple(x.shape[d] for d in order), body)
    return _cast(found, x.dtype)


def _cast(value: Element, dtype: DType) -> Element:
    return value if isinstance(value, Pair) else cast(value, dtype)


# --------------------------------------------------------------------------------- cumulative


def _infer_cumulative(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("cumulative", types, 1)
    check_kind("cumulative", attrs["kind"], types[0].dtype, CUMULATIVE_KINDS)
    check_axes("cumulative", (attrs["axis"],), types[0].rank)
    return types[0]


def _evaluate_cumulative(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x = np.asarray(operands[0])
    with np.errstate(all="ignore"):
        return UFUNC[attrs["kind"]].accumulate(x, attrs["axis"], x.dtype)


def _emit_cumulative(c: Any) -> tuple[Stmt, ...]:
    x, axis = c.types[0], c.attrs["axis"]
    kind = on_bool(c.attrs["kind"], x.dtype)
    dtype = x.dtype.real

    def step(state: Element, value: Element) -> Element:
        if kind in ("sum", "prod"):
            return total(state, value) if kind == "sum" else product(state, value)
        assert not isinstance(state, Pair) and not isinstance(value, Pair)
        return scalar(kind, state, value)

    def lane(at: tuple[Index, ...]) -> tuple[Stmt, ...]:
        state = Cells(c, "run", dtype, 2 if x.dtype.is_complex else 1)
        start = const(identity(kind, x.dtype), dtype)
        init = [state.set(start)]
        if x.dtype.is_complex:
            init.append(state.set(const(0, dtype), 1))
        var = c.fresh("i")
        place = (*at[:axis], Dim.symbol(var), *at[axis:])
        before = Pair(state.get(0), state.get(1)) if x.dtype.is_complex else state.get()
        lets, after = bound(c, "v", step(before, load(c.buffer(0), x.dtype, place)))
        keep = store(state.buffer, (), after) if isinstance(after, Pair) else (state.set(after),)
        body = (*lets, *keep, *store(c.result(0), place, after))
        return (state.alloc, *init, For(var, x.shape[axis], "serial", body))

    return nest(c, (*x.shape[:axis], *x.shape[axis + 1 :]), lane)


# ------------------------------------------------------------------------------- derivatives


def _spread(value: Value, x: Value, axes: Sequence[int]) -> Value:
    """A reduced value over the shape of what was reduced."""
    kept = [d for d in range(len(x.shape)) if d not in axes]
    return fm.broadcast(value, x.shape, kept)


def _transpose_sum(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return _spread(g, operands[0], attrs["axes"])


def _winners(x: Value, y: Value, axes: Sequence[int]) -> tuple[Formula, Formula]:
    """Which elements are the extreme, and how many of them there are."""
    hit = Formula(x).same(Formula(_spread(y, x, axes)))
    return hit, Formula(fm.reduce("sum", fm.cast(hit.value, x.dtype), axes))


def _extreme_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    """The mean of the tangents of the elements that are the extreme."""
    axes = attrs["axes"]
    hit, count = _winners(operands[0], results[0], axes)
    chosen = hit.where(Formula(tangents[0]), 0)
    return [(Formula(fm.reduce("sum", chosen.value, axes)) / count).value]


def _extreme_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    """Elements that are the extreme share what it gets, as in JAX."""
    x, axes = operands[0], attrs["axes"]
    hit, count = _winners(x, results[0], axes)
    share = Formula(cotangents[0]) / count
    return [hit.where(Formula(_spread(share.value, x, axes)), 0).value]


def _number_of_terms(x: Value, axis: int) -> int:
    n = x.shape[axis]
    if isinstance(n, Dim):
        raise TypeMismatch(
            f"the derivative of a product over the symbolic extent {n} is not known; "
            "give the extent as a number, or write exp(sum(log(x)))"
        )
    return n


def part(x: Value, axis: int, start: Extent, count: Extent) -> Value:
    """`count` elements along an axis."""
    first: list[Extent] = [0] * len(x.shape)
    first[axis] = start
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    return lookup("slice")(x, start=tuple(first), shape=shape, step=(1,) * len(shape))


def _after_ones(x: Value, axis: int, low: int, high: int) -> Value:
    """x with ones before and after it along an axis."""
    none = (0,) * len(x.shape)
    before, after = ((*none[:axis], n, *none[axis + 1 :]) for n in (low, high))
    one = fm.full(x.type.with_shape(()), 1)
    return lookup("pad")(x, one, low=before, high=after, interior=none)


def _expand_product(operands: Sequence[Value], attrs: Attrs) -> Value:
    """A tree of products of halves: no division, so zeros do no harm in any derivative."""
    x = operands[0]
    for axis in sorted(attrs["axes"], reverse=True):
        n = _number_of_terms(x, axis)
        if n == 0:
            x, n = _after_ones(x, axis, 0, 1), 1
        while n > 1:
            if n % 2:
                x, n = _after_ones(x, axis, 0, 1), n + 1
            n //= 2
            x = (Formula(part(x, axis, 0, n)) * Formula(part(x, axis, n, n))).value
        x = fm.reshape(x, (*x.shape[:axis], *x.shape[axis + 1 :]))
    return x


def _transpose_running_sum(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    axis = (attrs["axis"],)
    return fm.reverse(CUMULATIVE(fm.reverse(g, axis), **attrs), axis)


def _expand_running_product(operands: Sequence[Value], attrs: Attrs) -> Value:
    """Products of 2, 4, 8... neighbours. Source: Hillis and Steele, 1986."""
    x, axis = operands[0], attrs["axis"]
    n, step = _number_of_terms(x, axis), 1
    while step < n:
        before = _after_ones(part(x, axis, 0, n - step), axis, step, 0)
        x, step = (Formula(x) * Formula(before)).value, 2 * step
    return x


def _latest(x: Value, y: Value, attrs: Attrs) -> list[Value]:
    """An index for every axis: along the axis, the last place that set the record so far."""
    axis, shape = attrs["axis"], x.shape
    index = [lookup("iota")(dtype=ty.I64, shape=shape, axis=d) for d in range(len(shape))]
    held = Formula(x).same(Formula(y)).where(Formula(index[axis]), 0)
    index[axis] = CUMULATIVE(held.value, kind="max", axis=axis)
    return index


def _record_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    index = _latest(operands[0], results[0], attrs)
    axes = tuple(range(len(index)))
    return [lookup("gather")(tangents[0], *index, axes=axes, mode="promise")]


def _record_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    index = _latest(operands[0], results[0], attrs)
    axes = tuple(range(len(index)))
    nothing = fm.zeros(operands[0].type)
    add = {"axes": axes, "combine": "add", "mode": "promise"}
    return [lookup("scatter")(nothing, cotangents[0], *index, **add)]


def by_kind(types: Types, attrs: Attrs) -> str:
    """The kind of a reduction, which decides its derivative."""
    return attrs["kind"]


_EXTREME = Rules(_extreme_jvp, _extreme_vjp)
_RECORD = Rules(_record_jvp, _record_vjp)

# -------------------------------------------------------------------------------------- cards


_t = ty.parse_type

REDUCE = register(
    OpDef(
        name="reduce",
        doc="sum, prod, max, min, and, or, xor over axes, which vanish; the identity over nothing",
        kind="reduction",
        infer=_infer_reduce,
        evaluate=_evaluate_reduce,
        lower=_lower_reduce,
        source="numpy.ufunc.reduce; f16 and bf16 sums and products accumulate in f32",
        batching=bt.shifted("reduce", "axes"),
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
            Sample((_t("f32[5, 7]"),), {"kind": "sum", "axes": (1,)}),
            Sample((_t("f64[3, 4, 5]"),), {"kind": "max", "axes": (0, 2)}),
            Sample((_t("f16[9]"),), {"kind": "sum", "axes": (0,)}),
            Sample((_t("i32[2, 3]"),), {"kind": "prod", "axes": (0, 1)}),
            Sample((_t("c64[6, 2]"),), {"kind": "sum", "axes": (0,)}),
            Sample((_t("bool[4, 3]"),), {"kind": "and", "axes": (1,)}),
            Sample((_t("f32[0, 3]"),), {"kind": "sum", "axes": (0,)}),
        ),
    )
)

CUMULATIVE = register(
    OpDef(
        name="cumulative",
        doc="result[i] = x[0] op ... op x[i] along an axis",
        kind="opaque",
        infer=_infer_cumulative,
        evaluate=_evaluate_cumulative,
        lower=_emit_cumulative,
        source="numpy.ufunc.accumulate; every step rounds to the dtype",
        batching=bt.shifted("cumulative", "axis"),
        derivative=Cases(
            by_kind,
            {
                "sum": Linear(_transpose_running_sum),
                "prod": Expansion(_expand_running_product),
                "max": _RECORD,
                "min": _RECORD,
            },
        ),
        samples=lambda: (
            Sample((_t("f32[9]"),), {"kind": "sum", "axis": 0}),
            Sample((_t("i64[3, 5]"),), {"kind": "prod", "axis": 1}),
            Sample((_t("f64[4, 2, 3]"),), {"kind": "max", "axis": 0}),
            Sample((_t("c64[5]"),), {"kind": "prod", "axis": 0}),
        ),
    )
)
