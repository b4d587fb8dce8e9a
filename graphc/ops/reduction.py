"""Cards of reductions and of running reductions (scans)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..loops.ir import For, Index, Pair, Stmt, cast, const, scalar
from ..opdef import Attrs, OpDef, Sample, register
from ..types import BF16, BOOL, F16, F32, Dim, DType, TensorType
from .checks import check_axes
from .define import Element, check_count
from .emission import Cells, bound, load, nest, product, store, total

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
        samples=lambda: (
            Sample((_t("f32[9]"),), {"kind": "sum", "axis": 0}),
            Sample((_t("i64[3, 5]"),), {"kind": "prod", "axis": 1}),
            Sample((_t("f64[4, 2, 3]"),), {"kind": "max", "axis": 0}),
            Sample((_t("c64[5]"),), {"kind": "prod", "axis": 0}),
        ),
    )
)
