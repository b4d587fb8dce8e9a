"""Cards of the ops whose places come from data: gather and scatter.

An index operand has an integer dtype; all of them have one shape S. `mode` says what an index
outside its axis does:
raise (a negative one counts from the end; out of range is reported, and raised after the kernel),
wrap (modulo the extent), clip (to the nearest end), promise (it never happens: unchecked).
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
    TRUE,
    Accumulate,
    Expr,
    Fail,
    Idx,
    If,
    Index,
    Let,
    Name,
    Pair,
    Select,
    Stmt,
    both,
    cast,
    const,
    less,
    scalar,
)
from ..opdef import Attrs, Cases, Linear, OpDef, Rules, Sample, Types, lookup, register
from ..types import BOOL, I64, Dim, Extent, TensorType
from . import batching as bt
from . import formula as fm
from .checks import check_axes, check_dtype, check_rank, show
from .define import Element
from .emission import bound, load, nest, product, store
from .formula import Formula

MODES = ("raise", "wrap", "clip", "promise")
COMBINES = ("set", "add", "mul", "min", "max")


def _index_shape(op: str, types: Sequence[TensorType], first: int, attrs: Attrs) -> ty.Any:
    """The shape of the indices, after all checks of axes, modes and index operands."""
    axes, x = attrs["axes"], types[0]
    if attrs["mode"] not in MODES:
        raise TypeMismatch(f"{op}: mode {attrs['mode']!r} is not one of {', '.join(MODES)}")
    if not axes or len(types) != first + len(axes):
        raise TypeMismatch(
            f"{op} over axes {tuple(axes)} takes {first} operand(s) and an index for each axis, "
            f"at least one; got {len(types)} operands"
        )
    check_axes(op, axes, x.rank)
    shape = types[first].shape
    for k in range(first, len(types)):
        if not types[k].dtype.is_integer:
            raise TypeMismatch(f"{op}: operand {k}, an index, is {types[k]}; expected integers")
        if types[k].shape != shape:
            raise ShapeMismatch(
                f"{op}: operand {k}, an index, has shape {show(types[k].shape)}; "
                f"operand {first} has {show(shape)}"
            )
    for k, axis in enumerate(axes):
        if x.shape[axis] == 0 and ty.bounds(ty.product(shape))[0] != 0:
            raise ShapeMismatch(
                f"{op}: operand {first + k} indexes axis {axis} of operand 0, which is empty"
            )
    return shape


def _rest(rank: int, axes: Sequence[int]) -> list[int]:
    """The axes that are not indexed."""
    return [d for d in range(rank) if d not in axes]


# ------------------------------------------------------------------------ the meaning, in NumPy


def _settle(x: np.ndarray, attrs: Attrs, index: Sequence[Any]) -> list[np.ndarray]:
    """The indices within their axes, by the mode.

    Raises:
        IndexError: out of range in mode raise, or any index into an empty axis.
    """
    settled = []
    for axis, one in zip(attrs["axes"], index, strict=True):
        i, n = np.asarray(one).astype(np.int64), x.shape[axis]
        if attrs["mode"] == "raise" or (n == 0 and i.size):
            wrong = i[(i < -n) | (i >= n)]
            if wrong.size:
                raise IndexError(
                    f"index {wrong.flat[0]} is out of bounds for axis {axis} with size {n}"
                )
            i = np.where(i < 0, i + n, i)
        elif attrs["mode"] == "wrap" and n:
            i = i % n
        elif attrs["mode"] == "clip":
            i = np.clip(i, 0, max(n - 1, 0))
        settled.append(i)
    return settled


def _indexed_first(x: np.ndarray, axes: Sequence[int]) -> tuple[int, ...]:
    return (*axes, *_rest(x.ndim, axes))


def _evaluate_gather(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    x = np.asarray(operands[0])
    places = tuple(_settle(x, attrs, operands[1:]))
    return np.asarray(x.transpose(_indexed_first(x, attrs["axes"]))[places])


def _evaluate_scatter(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    result, updates = np.array(operands[0]), np.asarray(operands[1])
    axes = attrs["axes"]
    places = _settle(result, attrs, operands[2:])
    view = result.transpose(_indexed_first(result, axes))
    combine = attrs["combine"]
    with np.errstate(all="ignore"):
        for s in np.ndindex(places[0].shape):  # one after the other: the order is the meaning
            where = (*(int(i[s]) for i in places), ...)
            if combine == "set":
                view[where] = updates[s]
            else:
                view[where] = _COMBINE[combine](view[where], updates[s])
    return result


_COMBINE = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


# -------------------------------------------------------------------------------- expressions


def _settled(i: Expr, n: Extent, mode: str) -> tuple[Expr, Expr | None]:
    """The place that an i64 index means, and when it is within the axis (None: always)."""
    if mode == "promise":
        return i, None
    nonempty = both(None, less(0, n))
    zero = const(0, I64)
    if mode == "wrap":
        return scalar("mod", i, Idx(n)), nonempty
    if mode == "clip":
        return scalar("max", scalar("min", i, Idx(n - 1)), zero), nonempty
    place = Select(scalar("lt", i, zero), scalar("add", i, Idx(n)), i)
    return place, both(scalar("ge", place, zero), scalar("lt", place, Idx(n)))


def _clamped(place: Expr, n: Extent) -> Expr:
    return scalar("max", scalar("min", place, Idx(n - 1)), const(0, I64))


def _opposite(cond: Expr) -> Expr:
    return TRUE if cond == FALSE else scalar("not", cond)


def _message(axis: int, n: Extent) -> str:
    return f"an index is out of bounds for axis {axis} with size {n}"


def _zero(dtype: ty.DType) -> Element:
    zero = const(0, dtype.real)
    return Pair(zero, zero) if dtype.is_complex else zero


# ------------------------------------------------------------------------------------- gather


def _infer_gather(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    if not types:
        raise TypeMismatch("gather takes an operand and an index for each axis, got nothing")
    shape = _index_shape("gather", types, 1, attrs)
    x = types[0]
    return x.with_shape((*shape, *(x.shape[d] for d in _rest(x.rank, attrs["axes"]))))


def _lower_gather(c: Any, index: tuple[Index, ...]) -> Element:
    axes, x = c.attrs["axes"], c.types[0]
    rank = c.types[1].rank
    inner: list[Index] = [0] * x.rank
    for d, i in zip(_rest(x.rank, axes), index[rank:], strict=True):
        inner[d] = i
    guard: Expr | None = None
    for k, axis in enumerate(axes):
        n = x.shape[axis]
        place, ok = _settled(c.bind(cast(c.operand(1 + k, index[:rank]), I64)), n, c.attrs["mode"])
        if ok is not None:
            c.fail(_opposite(ok), _message(axis, n))
            if isinstance(n, int) and n:
                place = _clamped(place, n)  # cheaper than a guard: the load stays in bounds
            else:
                guard = both(guard, ok)
        inner[axis] = c.index(place)
    if guard is None:
        return c.operand(0, tuple(inner))
    return c.where(guard, lambda: c.operand(0, tuple(inner)), lambda: _zero(x.dtype))


# ------------------------------------------------------------------------------------ scatter


def _infer_scatter(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    if len(types) < 2:
        raise TypeMismatch(
            f"scatter takes an operand, updates and an index for each axis; got {len(types)}"
        )
    shape = _index_shape("scatter", types, 2, attrs)
    x, combine = types[0], attrs["combine"]
    if combine not in COMBINES:
        raise TypeMismatch(f"scatter: combine {combine!r} is not one of {', '.join(COMBINES)}")
    check_dtype("scatter", types, 1, x.dtype)
    if (x.dtype.is_complex and combine in ("min", "max")) or (
        x.dtype is BOOL and combine in ("add", "mul")
    ):
        raise TypeMismatch(f"scatter: combine {combine} does not take {x.dtype}")
    expected = (*shape, *(x.shape[d] for d in _rest(x.rank, attrs["axes"])))
    check_rank("scatter", "the shape of operand 1", types[1].shape, len(expected))
    for d, (n, m) in enumerate(zip(types[1].shape, expected, strict=True)):
        if n != m:
            raise ShapeMismatch(f"scatter: axis {d} of operand 1 has extent {n}; expected {m}")
    return x


def _emit_scatter(c: Any) -> tuple[Stmt, ...]:
    x, result = c.types[0], c.result(0)

    def copy(i: tuple[Index, ...]) -> tuple[Stmt, ...]:
        return store(result, i, load(c.buffer(0), x.dtype, i))

    def one(s: tuple[Index, ...]) -> tuple[Stmt, ...]:
        return _scatter_one(c, s)

    updates = nest(c, c.types[2].shape, one, outer="serial")
    return updates if c.over else nest(c, x.shape, copy) + updates


def _scatter_one(c: Any, s: tuple[Index, ...]) -> tuple[Stmt, ...]:
    """The update at one position of the indices."""
    axes, x, result = c.attrs["axes"], c.types[0], c.result(0)
    stmts: tuple[Stmt, ...] = ()
    inner: list[Index] = [0] * x.rank
    guard: Expr | None = None
    for k, axis in enumerate(axes):
        lets, i = bound(c, "k", cast(load(c.buffer(2 + k), I64, s), I64))  # type: ignore[arg-type]
        assert not isinstance(i, Pair)
        place, ok = _settled(i, x.shape[axis], c.attrs["mode"])
        name = c.fresh("at")
        stmts += (*lets, Let(name, place))
        inner[axis] = Dim.symbol(name)
        if ok is not None and ok != TRUE:
            inside = c.fresh("ok")
            stmts += (
                Let(inside, ok),
                Fail(_opposite(Name(inside, BOOL)), c.code(_message(axis, x.shape[axis]))),
            )
            guard = both(guard, Name(inside, BOOL))

    def window(w: tuple[Index, ...]) -> tuple[Stmt, ...]:
        place = list(inner)
        for d, i in zip(_rest(x.rank, axes), w, strict=True):
            place[d] = i
        return _combine(c, result, tuple(place), load(c.buffer(1), x.dtype, (*s, *w)))

    rest = [x.shape[d] for d in _rest(x.rank, axes)]
    body = nest(c, rest, window, outer="serial")
    return stmts + (body if guard is None else (If(guard, body),))


def _combine(c: Any, result: Any, place: tuple[Index, ...], value: Element) -> tuple[Stmt, ...]:
    combine, dtype = c.attrs["combine"], c.types[0].dtype
    if combine == "set":
        return store(result, place, value)
    if isinstance(value, Pair):
        if combine == "add":
            return (
                Accumulate(result, (*place, 0), "add", value.re),
                Accumulate(result, (*place, 1), "add", value.im),
            )
        lets, both_parts = bound(c, "p", product(load(result, dtype, place), value))
        return lets + store(result, place, both_parts)
    op = {"min": "and", "max": "or"}[combine] if dtype is BOOL else combine
    return (Accumulate(result, place, op, value),)


# ------------------------------------------------------------------------------- derivatives


def _transpose_gather(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """A scatter; where each row was read at one place, a choice, which is one loop and fuses."""
    chosen = _one_place_each(operands, attrs)
    if chosen is not None:
        return _chosen(g, operands, attrs, *chosen)
    return SCATTER(fm.zeros(operands[0].type), g, *operands[1:], combine="add", **attrs)


def _counting_axis(index: Value) -> int | None:
    """The axis along which an index counts 0, 1, 2... and is the same along the others."""
    attrs, shape = index.node.attrs, index.shape
    if index.node.op.name == "iota":
        return attrs["axis"]
    if index.node.op.name != "constant":
        return None
    array = attrs["value"].array
    for axis, n in enumerate(array.shape):
        line = np.arange(n).reshape([-1 if d == axis else 1 for d in range(len(shape))])
        if np.array_equal(array, np.broadcast_to(line, array.shape)):
            return axis
    return None


def _one_place_each(operands: Sequence[Value], attrs: Attrs) -> tuple[int, dict[int, int]] | None:
    """Of x[0, 1, 2..., i] (numpy.take_along_axis with one place a row): the number of the index
    that is data, and for the other axes of x the axes of the indices that count them.
    """
    x, *index = operands
    shape = index[0].shape
    data, found = [], {}
    for k, (axis, one) in enumerate(zip(attrs["axes"], index, strict=True)):
        along = _counting_axis(one)
        if along is None or shape[along] != x.shape[axis] or along in found.values():
            data.append(k)
        else:
            found[axis] = along
    if len(data) != 1 or any(n != 1 for d, n in enumerate(shape) if d not in found.values()):
        return None
    return data[0], found


def _chosen(
    g: Value, operands: Sequence[Value], attrs: Attrs, data: int, counted: dict[int, int]
) -> Value:
    """g at the one place of each row, and 0 elsewhere."""
    x, index = operands[0], Formula(fm.cast(operands[1 + data], I64))
    axis, n = attrs["axes"][data], x.shape[attrs["axes"][data]]
    extent = Formula(
        fm.full(index.value.type, n)
        if isinstance(n, int)
        else fm.broadcast(lookup("extent")(value=n), index.value.shape, ())
    )
    if attrs["mode"] == "raise":
        index = index.f("lt", 0).where(index + extent, index)
    elif attrs["mode"] == "wrap":
        index = index.f("mod", extent)
    elif attrs["mode"] == "clip":
        index = index.f("min", extent - 1).f("max", 0)
    rank = len(index.value.shape)
    kept = sorted(counted)  # the counted axes of x, whose rows have one place each
    order = [counted[d] for d in kept]
    order += [d for d in range(rank) if d not in order]

    def over(value: Value, rest: Sequence[int]) -> Value:
        """Something over the indices (and the axes `rest` of x) over the whole of x."""
        value = fm.transpose(value, [*order, *range(rank, rank + len(rest))])
        shape = [*(x.shape[d] for d in kept), *(x.shape[d] for d in rest)]
        places = [*kept, *rest]
        value = fm.reshape(value, shape)
        inner = sorted(range(len(places)), key=places.__getitem__)
        return fm.broadcast(fm.transpose(value, inner), x.shape, sorted(places))

    rest = _rest(x.type.rank, attrs["axes"])
    line = lookup("iota")(dtype=I64, shape=x.shape, axis=axis)
    hit = Formula(line).same(Formula(over(index.value, ())))
    return fm.select(hit.value, over(g, rest), fm.zeros(x.type))


def _gathered(x: Value, index: Sequence[Value], attrs: Attrs) -> Value:
    return GATHER(x, *index, axes=attrs["axes"], mode=attrs["mode"])


def _scattered(x: Value, u: Value, index: Sequence[Value], attrs: Attrs, combine: str) -> Value:
    return SCATTER(x, u, *index, axes=attrs["axes"], mode=attrs["mode"], combine=combine)


def _transpose_add(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return g if k == 0 else _gathered(g, operands[2:], attrs)


def _transpose_set(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """Of several updates of one place the last one stays, and it alone counts."""
    x, u, *index = operands
    if k == 0:
        return _scattered(g, fm.zeros(u.type), index, attrs, "set")
    found = _gathered(g, index, attrs)
    shape = index[0].shape
    if ty.product(shape) == 1:
        return found
    line = lookup("iota")(dtype=I64, shape=(ty.product(shape),), axis=0)
    own = fm.reshape(line, shape)
    places = TensorType(I64, tuple(x.shape[d] for d in attrs["axes"]))
    flat = {"axes": tuple(range(len(index))), "mode": attrs["mode"]}
    last = _gathered(_scattered(fm.full(places, -1), own, index, flat, "set"), index, flat)
    stays = Formula(last).same(Formula(own)).value
    stays = fm.broadcast(stays, found.shape, range(len(shape)))
    return fm.select(stays, found, fm.zeros(found.type))


class _Ties:
    """What has the extreme that a place ends with: x and updates, and how many of them."""

    def __init__(self, operands: Sequence[Value], y: Value, attrs: Attrs):
        self.x, self.u, *self.index = operands
        self.attrs = attrs
        self.kept = Formula(self.x).same(Formula(y))
        self.came = Formula(self.u).same(Formula(_gathered(y, self.index, attrs)))
        one = fm.full(self.u.type, 1)
        count = self.total(fm.cast(self.kept.value, y.dtype), self.came.where(Formula(one), 0))
        self.count = Formula(count)

    def total(self, x: Value, u: Formula) -> Value:
        return _scattered(x, u.value, self.index, self.attrs, "add")


def _extreme_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    ties = _Ties(operands, results[0], attrs)
    x, u = (
        Formula(fm.zeros(v.type) if t is None else t)
        for v, t in zip(operands[:2], tangents[:2], strict=True)
    )
    both_ = ties.total(ties.kept.where(x, 0).value, ties.came.where(u, 0))
    return [(Formula(both_) / ties.count).value]


def _extreme_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    ties = _Ties(operands, results[0], attrs)
    share = Formula(cotangents[0]) / ties.count
    given = Formula(_gathered(share.value, ties.index, attrs))
    return [ties.kept.where(share, 0).value, ties.came.where(given, 0).value]


class _Factors:
    """Of a product at every place: what multiplies x, and what multiplies each update.

    Second derivatives by two factors of one place are wrong where one of them is 0.
    """

    def __init__(self, operands: Sequence[Value], attrs: Attrs):
        x, u, *index = operands
        zero = Formula(u).same(0)
        safe = zero.where(1, Formula(u))
        ones, none = fm.full(x.type, 1), fm.zeros(x.type)
        rest = Formula(_scattered(ones, safe.value, index, attrs, "mul"))
        count = fm.full(u.type, 1)
        zeros = _scattered(none, zero.where(Formula(count), 0).value, index, attrs, "add")
        self.of_x = Formula(zeros).same(0).where(rest, 0)
        others = Formula(_gathered((rest * Formula(x)).value, index, attrs))
        many = Formula(_gathered(zeros, index, attrs))
        alone = many.same(1).where(others, 0)
        self.of_u = zero.where(alone, many.same(0).where(others / safe, 0))


def _product_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Any
) -> list[Value | None]:
    factors = _Factors(operands, attrs)
    x, u = tangents[:2]
    found = fm.zeros(operands[0].type) if x is None else (Formula(x) * factors.of_x).value
    if u is not None:
        found = _scattered(found, (Formula(u) * factors.of_u).value, operands[2:], attrs, "add")
    return [found]


def _product_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any, wanted: Any
) -> list[Value | None]:
    factors = _Factors(operands, attrs)
    g = Formula(cotangents[0])
    given = Formula(_gathered(g.value, operands[2:], attrs))
    return [(g * factors.of_x).value, (given * factors.of_u).value]


def _by_combine(types: Types, attrs: Attrs) -> str:
    return attrs["combine"]


_EXTREME = Rules(_extreme_jvp, _extreme_vjp)


# -------------------------------------------------------------------------------------- cards


_t = ty.parse_type

GATHER = register(
    OpDef(
        name="gather",
        doc="result[s..., rest...] = x with index[k][s...] on axes[k] and rest on the other axes",
        kind="movement",
        infer=_infer_gather,
        evaluate=_evaluate_gather,
        lower=_lower_gather,
        source="numpy.take; NumPy advanced indexing",
        batching=bt.gathering,
        derivative=Linear(_transpose_gather),
        linear=(0,),
        cost=4,
        samples=lambda: (
            Sample((_t("f32[5, 3]"), _t("i64[4]")), {"axes": (0,), "mode": "raise"}),
            Sample((_t("f64[5, 3]"), _t("i32[2, 2]")), {"axes": (1,), "mode": "wrap"}),
            Sample(
                (_t("c64[5, 2, 3]"), _t("i64[4]"), _t("i64[4]")), {"axes": (2, 0), "mode": "clip"}
            ),
        ),
    )
)

SCATTER = register(
    OpDef(
        name="scatter",
        doc="x, then for s in order: x[index[k][s] on axes[k]] = combine(that, updates[s])",
        kind="opaque",
        infer=_infer_scatter,
        evaluate=_evaluate_scatter,
        lower=_emit_scatter,
        source="numpy.ufunc.at; NumPy advanced indexing, assigned to a copy",
        batching=bt.scattering,
        derivative=Cases(
            _by_combine,
            {
                "add": Linear(_transpose_add, joint=True),
                "set": Linear(_transpose_set, joint=True),
                "mul": Rules(_product_jvp, _product_vjp),
                "min": _EXTREME,
                "max": _EXTREME,
            },
        ),
        linear=(0, 1),
        cost=8,
        changes=True,
        samples=lambda: (
            Sample(
                (_t("f32[5, 3]"), _t("f32[4, 3]"), _t("i64[4]")),
                {"axes": (0,), "combine": "add", "mode": "raise"},
            ),
            Sample(
                (_t("i32[5, 3]"), _t("i32[7]"), _t("i64[7]"), _t("i64[7]")),
                {"axes": (0, 1), "combine": "set", "mode": "wrap"},
            ),
            Sample(
                (_t("c128[5]"), _t("c128[4]"), _t("i64[4]")),
                {"axes": (0,), "combine": "mul", "mode": "clip"},
            ),
        ),
    )
)
