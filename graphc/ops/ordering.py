"""Cards of the ops that compare elements to find places: sort and searchsorted.

The order is NumPy's: NaN after everything else (descending too); complex numbers by real part, then
imaginary part, those with a NaN last in the order (R, NaN), (NaN, R), (NaN, NaN); -0.0 equals 0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import (
    FALSE,
    Expr,
    For,
    Idx,
    If,
    Index,
    Let,
    Load,
    Name,
    Pair,
    Select,
    Stmt,
    Store,
    const,
    scalar,
)
from ..opdef import ZERO, Attrs, OpDef, Rules, Sample, lookup, register
from ..types import BOOL, I64, Dim, DType, Extent, TensorType
from . import batching as bt
from .checks import check_axes, check_dtype, show
from .define import Element, check_count
from .emission import Cells, bound, load, nest, store


def _and(a: Expr, b: Expr) -> Expr:
    return scalar("and", a, b)


def _or(a: Expr, b: Expr) -> Expr:
    return b if a == FALSE else a if b == FALSE else scalar("or", a, b)


def _not(a: Expr) -> Expr:
    return scalar("not", a)


def _levels(n: Extent) -> int:
    """How often 1 doubles before it reaches n; enough for any n where it is symbolic."""
    return 63 if isinstance(n, Dim) else max(n - 1, 0).bit_length()


# -------------------------------------------------------------------------------- comparisons


def _before(x: Element, y: Element, descending: bool) -> tuple[Expr, Expr]:
    """Whether x comes before y, and y before x."""
    if not isinstance(x, Pair) and not isinstance(y, Pair):
        if x.dtype is BOOL:  # false < true
            lt, gt = _and(_not(x), y), _and(x, _not(y))
        else:
            lt, gt = scalar("lt", x, y), scalar("lt", y, x)
        if descending:
            lt, gt = gt, lt
        if not x.dtype.is_float:
            return lt, gt
        nan_x, nan_y = scalar("isnan", x), scalar("isnan", y)
        return _or(lt, _and(_not(nan_x), nan_y)), _or(gt, _and(nan_x, _not(nan_y)))
    assert isinstance(x, Pair) and isinstance(y, Pair)
    found: tuple[Expr, Expr] = (FALSE, FALSE)
    # NaN in the real part weighs most, then NaN in the imaginary part, then the numbers
    for part in ("re", "im"):
        nan_x, nan_y = (scalar("isnan", getattr(v, part)) for v in (x, y))
        found = _then(found, (_and(_not(nan_x), nan_y), _and(nan_x, _not(nan_y))))
    for part in ("re", "im"):
        a, b = getattr(x, part), getattr(y, part)
        one = (scalar("lt", a, b), scalar("lt", b, a))
        found = _then(found, (one[1], one[0]) if descending else one)
    return found


def _then(first: tuple[Expr, Expr], second: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
    """The lexicographic order of two orders."""
    if first == (FALSE, FALSE):
        return second
    lt, gt = first
    return _or(lt, _and(_not(gt), second[0])), _or(gt, _and(_not(lt), second[1]))


def _sort_keys(x: np.ndarray, descending: bool) -> list[np.ndarray]:
    """Arrays whose lexicographic ascending order (first weighs most) is the order of x."""
    dtype = ty.dtype(x.dtype)
    if dtype.is_complex:
        parts = (np.real(x), np.imag(x))
        nans = [np.isnan(p) for p in parts]
        numbers = [np.where(nan, 0, p) for nan, p in zip(nans, parts, strict=True)]
    elif dtype.is_float:
        x = x if dtype.bits > 16 else x.astype(np.float32)
        nans = [np.isnan(x)]
        numbers = [np.where(nans[0], 0, x)]
    else:
        return [~x if descending else x]
    return nans + ([-n for n in numbers] if descending else numbers)


# --------------------------------------------------------------------------------------- sort


def _infer_sort(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    if not 1 <= attrs["keys"] <= len(types):
        raise TypeMismatch(
            f"sort: keys is {attrs['keys']}; expected 1 to {len(types)}, the number of operands"
        )
    for k, one in enumerate(types):
        if one.shape != types[0].shape:
            raise ShapeMismatch(
                f"sort: operand {k} has shape {show(one.shape)}; "
                f"operand 0 has {show(types[0].shape)}"
            )
    check_axes("sort", (attrs["axis"],), types[0].rank)
    return tuple(types)


def _evaluate_sort(operands: Sequence[Any], attrs: Attrs) -> Any:
    arrays = [np.asarray(o) for o in operands]
    keys: list[np.ndarray] = []
    for x in arrays[: attrs["keys"]]:
        keys += _sort_keys(x, attrs["descending"])
    order = np.lexsort(keys[::-1], axis=attrs["axis"])
    found = [np.take_along_axis(x, order, attrs["axis"]) for x in arrays]
    return tuple(found) if len(found) > 1 else found[0]


def _emit_sort(c: Any) -> tuple[Stmt, ...]:
    """A stable merge sort of positions, bottom up, in each lane, by which the operands are read.

    Each level walks the lane once: output j takes from the left or the right run of its pair of
    runs.
    """
    shape, axis = c.types[0].shape, c.attrs["axis"]
    n = shape[axis]
    source, target = c.temp(I64, shape), c.temp(I64, shape)

    def lane(at: tuple[Index, ...]) -> tuple[Stmt, ...]:
        def place(i: Index) -> tuple[Index, ...]:
            return (*at[:axis], i, *at[axis:])

        def loop(body: Any) -> Stmt:
            var = c.fresh("j")
            return For(var, n, "serial", body(Dim.symbol(var)))

        heads = Cells(c, "head", I64, 2)  # the next unread place of the left and the right run
        level, width = c.fresh("level"), c.fresh("width")
        merge = (
            loop(lambda j: _merge_step(c, heads, source, target, place, n, width, j)),
            loop(lambda j: (Store(source, place(j), Load(target, place(j))),)),
        )
        one = const(1, I64)
        body: tuple[Stmt, ...] = (
            Let(width, scalar("shl", one, Idx(Dim.symbol(level)))),
            If(scalar("lt", Name(width, I64), Idx(n)), merge),
        )
        return (
            loop(lambda j: (Store(source, place(j), Idx(j)),)),
            heads.alloc,
            For(level, _levels(n), "serial", body),
            loop(lambda j: _carry(c, source, place, j)),
        )

    return nest(c, (*shape[:axis], *shape[axis + 1 :]), lane)


def _merge_step(
    c: Any, heads: Cells, source: Any, target: Any, place: Any, n: Extent, width: str, j: Index
) -> tuple[Stmt, ...]:
    """target[j] = the earlier of the heads of the two runs that j falls in; the left if equal."""
    stmts: list[Stmt] = []

    def let(stem: str, value: Expr) -> Name:
        name = c.fresh(stem)
        stmts.append(Let(name, value))
        return Name(name, value.dtype)

    def capped(value: Expr) -> Expr:
        return scalar("min", value, Idx(n))

    w, one = Name(width, I64), const(1, I64)
    pair = let("pair", scalar("add", w, w))
    start = let("start", scalar("and", Idx(j), scalar("neg", pair)))  # pair is a power of 2
    middle = let("middle", capped(scalar("add", start, w)))
    end = let("end", capped(scalar("add", start, pair)))
    begin = If(scalar("eq", Idx(j), start), (heads.set(start, 0), heads.set(middle, 1)))
    stmts.append(begin)
    left, right = let("left", heads.get(0)), let("right", heads.get(1))
    last = Idx(n - 1)  # an exhausted run's head is read too, within bounds, and not used
    places = [let("at", scalar("min", head, last)) for head in (left, right)]
    a, b = (let("p", Load(source, place(Dim.symbol(p.name)))) for p in places)
    earlier: tuple[Expr, Expr] = (FALSE, FALSE)
    for k in range(c.attrs["keys"]):
        named_keys: list[Element] = []
        for p in (b, a):
            key = load(c.buffer(k), c.types[k].dtype, place(Dim.symbol(p.name)))
            lets, named = bound(c, "key", key)
            stmts.extend(lets)
            named_keys.append(named)
        key_b, key_a = named_keys
        earlier = _then(earlier, _before(key_b, key_a, c.attrs["descending"]))
    more = scalar("lt", right, end)
    take = let("take", _and(more, _or(scalar("ge", left, middle), earlier[0])))
    stmts.append(Store(target, place(j), Select(take, b, a)))
    advance_right = (heads.set(scalar("add", right, one), 1),)
    advance_left = (heads.set(scalar("add", left, one), 0),)
    stmts.append(If(take, advance_right, advance_left))
    return tuple(stmts)


def _carry(c: Any, source: Any, place: Any, j: Index) -> tuple[Stmt, ...]:
    name = c.fresh("p")
    stmts: tuple[Stmt, ...] = (Let(name, Load(source, place(j))),)
    for k, type in enumerate(c.types):
        value = load(c.buffer(k), type.dtype, place(Dim.symbol(name)))
        stmts += store(c.result(k), place(j), value)
    return stmts


# ------------------------------------------------------------------------------- searchsorted


def _infer_searchsorted(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("searchsorted", types, 2)
    if attrs["side"] not in ("left", "right"):
        raise TypeMismatch(f"searchsorted: side is {attrs['side']!r}; expected left or right")
    if types[0].rank != 1:
        raise ShapeMismatch(f"searchsorted: operand 0 is {types[0]}; expected one axis")
    check_dtype("searchsorted", types, 1, types[0].dtype)
    return TensorType(I64, types[1].shape)


def _evaluate_searchsorted(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    ordered, values = (np.asarray(o) for o in operands)
    if ty.dtype(ordered.dtype).bits == 16 and ty.dtype(ordered.dtype).is_float:
        ordered, values = ordered.astype(np.float32), values.astype(np.float32)
    return np.asarray(np.searchsorted(ordered, values, attrs["side"])).astype(np.int64)


def _emit_searchsorted(c: Any) -> tuple[Stmt, ...]:
    n, dtype = c.types[0].shape[0], c.types[0].dtype

    def one(at: tuple[Index, ...]) -> tuple[Stmt, ...]:
        range_ = Cells(c, "range", I64, 2)  # the place is in [low, high]
        lets, value = bound(c, "value", load(c.buffer(1), dtype, at))
        step = _bisect_step(c, range_, value)
        # n + 1 places take one more halving than n elements
        trips = 64 if isinstance(n, Dim) else n.bit_length()
        return (
            *lets,
            range_.alloc,
            range_.set(const(0, I64), 0),
            range_.set(Idx(n), 1),
            For(c.fresh("level"), trips, "serial", step),
            Store(c.result(0), at, range_.get(0)),
        )

    return nest(c, c.types[1].shape, one)


def _bisect_step(c: Any, range_: Cells, value: Element) -> tuple[Stmt, ...]:
    low, high, middle = c.fresh("low"), c.fresh("high"), c.fresh("middle")
    lo, hi, mid = (Name(name, I64) for name in (low, high, middle))
    lets, key = bound(c, "key", load(c.buffer(0), c.types[0].dtype, (Dim.symbol(middle),)))
    key_first, value_first = _before(key, value, descending=False)
    beyond = key_first if c.attrs["side"] == "left" else _not(value_first)
    halve: tuple[Stmt, ...] = (
        Let(middle, scalar("shr", scalar("add", lo, hi), const(1, I64))),
        *lets,
        If(beyond, (range_.set(scalar("add", mid, const(1, I64)), 0),), (range_.set(mid, 1),)),
    )
    return (
        Let(low, range_.get(0)),
        Let(high, range_.get(1)),
        If(scalar("lt", lo, hi), halve),
    )


# ------------------------------------------------------------------------------- derivatives


def _sort_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    """The tangents go along with their elements."""
    moving = [t for t in tangents if t is not None]
    found = iter(SORT(*operands, *moving, **attrs)[len(operands) :])
    return [None if t is None else next(found) for t in tangents]


def _sort_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    """Sorting by where elements came from brings the cotangents back."""
    axis = attrs["axis"]
    line = lookup("iota")(dtype=I64, shape=operands[0].shape, axis=axis)
    came = SORT(*operands, line, **attrs)[-1]
    moving = [g for g in cotangents if g is not None]
    found = iter(SORT(came, *moving, axis=axis, keys=1, descending=False)[1:])
    return [None if g is None else next(found) for g in cotangents]


# -------------------------------------------------------------------------------------- cards


def _dtype_samples(keys: int) -> list[Sample]:
    names: list[DType] = [ty.DTYPES[n] for n in ("bool", "u8", "i32", "f16", "f64", "c64")]
    return [
        Sample((TensorType(d, (7, 3)),), {"axis": 0, "keys": keys, "descending": d.bits == 64})
        for d in names
    ]


_t = ty.parse_type

SORT = register(
    OpDef(
        name="sort",
        doc="the operands along an axis in the stable order of the first `keys` of them",
        kind="opaque",
        infer=_infer_sort,
        evaluate=_evaluate_sort,
        lower=_emit_sort,
        source="numpy.sort, numpy.lexsort; descending has NaN last as well",
        batching=bt.shifted("sort", "axis"),
        derivative=Rules(_sort_jvp, _sort_vjp),
        cost=32,
        samples=lambda: (
            *_dtype_samples(1),
            Sample(
                (_t("i32[9]"), _t("f32[9]"), _t("c64[9]")),
                {"axis": 0, "keys": 2, "descending": False},
            ),
        ),
    )
)

SEARCHSORTED = register(
    OpDef(
        name="searchsorted",
        doc="how many elements of sorted come before a value (side right: before or equal)",
        kind="opaque",
        infer=_infer_searchsorted,
        evaluate=_evaluate_searchsorted,
        lower=_emit_searchsorted,
        source="numpy.searchsorted; the result is i64",
        batching=bt.searching,
        derivative=ZERO,
        cost=16,
        # one element is in order whatever is drawn
        samples=lambda: (
            Sample((_t("f32[1]"), _t("f32[5, 3]")), {"side": "left"}),
            Sample((_t("i64[1]"), _t("i64[]")), {"side": "right"}),
            Sample((_t("f64[0]"), _t("f64[4]")), {"side": "left"}),
        ),
    )
)
