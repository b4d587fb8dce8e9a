"""The card of attention: softmax(scores) v, without the matrix of scores.

    for p in parallel:                                 a block of queries in one head
      qt[x, i] = q[i, x];  m[i] = -inf;  l[i] = 0;  o[i, x] = 0
      for each block of keys:
        s[j, i] = map(sum over x of k[j, x] * qt[x, i])
        n = max(m[i], s[:, i]);  a[i] = exp(m[i] - n);  m[i] = n
        s[j, i] = exp(s[j, i] - n);  l[i] = l[i] * a[i] + sum over j of s[j, i]
        o[i, x] = o[i, x] * a[i] + sum over j of s[j, i] * v[j, x]
      y[i, x] = o[i, x] / l[i]

Scores lie with the queries along the lanes: then k and v are read where they are, maxima and sums
need nothing across lanes, and both products are contractions of a few local rows, which the
schedule (graphc/loops/contract.py) puts into register tiles. The order of sums depends on the
extents alone. The pass that makes the node: graphc/passes/attention.py.

Source: Milakov and Gimelshein, Online normalizer calculation for softmax, 2018; Dao et al.,
FlashAttention, 2022, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..evaluate import evaluate
from ..ir import PARAM, Graph, Value, param
from ..loops.ir import (
    Alloc,
    Buffer,
    Expr,
    Idx,
    Index,
    Load,
    Scalar,
    Select,
    Store,
    cast,
    const,
    scalar,
)
from ..opdef import Attrs, NotDifferentiable, OpDef, Sample, register
from ..types import BOOL, DType, TensorType
from .arithmetic import ADD, MUL
from .contraction import DOT, accumulator
from .movement import BROADCAST, TRANSPOSE
from .reduction import wide

LOCAL_BYTES = 192 << 10
"""What a block of queries may keep on the stack of its worker."""
QUERIES, KEYS = 64, 128
"""What a block has where the extents leave the choice; from 32 to 128 there is little between."""
FEW_QUERIES = 32
"""The same for an unknown number of queries, of which there may be one."""
LANES = 16
"""Queries come in whole registers, of f32 at least."""
MOST_PLANES = 2
EVEN = 1.03
"""Blocks that reach this much further over the end are as good."""


# ----------------------------------------------------------------------------------------- meaning


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    body = attrs.get("body")
    if not isinstance(body, Graph) or len(body.results) != 4 or not body.params:
        raise TypeMismatch("attention: body is no graph from (scores, ...) to (q, k, v, scores)")
    if len(types) != len(body.params) - 1:
        raise TypeMismatch(
            f"attention: its body has {len(body.params)} parameters, which are the scores and the "
            f"operands; got {len(types)} operands"
        )
    for position, (type, value) in enumerate(zip(types, body.params[1:], strict=True)):
        if type != value.type:
            raise TypeMismatch(
                f"attention: operand {position} is {type} and its body takes {value.type}"
            )
    q, k, v, t = (value.type for value in body.results)
    s = body.params[0].type
    if any(not one.dtype.is_float for one in (q, k, v, s, t)) or q.dtype is not k.dtype:
        raise TypeMismatch(f"attention: q is {q}, k {k}, v {v} and the scores are {s}, then {t}")
    batch, rank = q.shape[:-2], q.rank
    fits = (
        rank >= 2
        and k.shape[:-2] == v.shape[:-2] == batch
        and k.rank == v.rank == rank
        and k.shape[-1] == q.shape[-1]
        and k.shape[-2] == v.shape[-2]
        and s.shape == t.shape == (*batch, q.shape[-2], k.shape[-2])
    )
    if not fits:
        raise ShapeMismatch(f"attention: q is {q}, k {k}, v {v} and the scores are {s}, then {t}")
    if block_sizes(body) is None:
        raise ShapeMismatch(
            f"attention: a row of q is {q.shape[-1]} and one of v {v.shape[-1]}; "
            f"blocks of them do not fit into {LOCAL_BYTES} bytes"
        )
    return TensorType(attrs["dtype"], (*batch, q.shape[-2], v.shape[-1]))


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    body, dtype = attrs["body"], attrs["dtype"]
    q, k, v = evaluate(Graph.of("operands", body.params[1:], body.results[:3]), operands)
    batch, last = tuple(range(q.ndim - 2)), (q.ndim - 1,)
    product = {
        "contract": (last, last), "batch": (batch, batch), "dtype": body.params[0].dtype,
    }  # fmt: skip
    scores = DOT.evaluate((q, k), product)
    t = evaluate(Graph.of("scores", body.params, body.results[3:]), [scores, *operands])[0]
    within = _weights_dtype(t, v).numpy
    with np.errstate(all="ignore"):
        t = t.astype(within)
        e = np.exp(t - t.max(axis=-1, keepdims=True, initial=-np.inf))
        found = (e @ v.astype(within)) / e.sum(axis=-1, keepdims=True)
        return found.astype(dtype.numpy)


def _weights_dtype(t: Any, v: Any) -> DType:
    """The dtype of the weights, and of the sums over them."""
    return max((wide(ty.dtype(t.dtype)), wide(ty.dtype(v.dtype))), key=lambda d: d.bits)


# ---------------------------------------------------------------------------------------- lowering


def block_sizes(body: Graph) -> tuple[int, int] | None:
    """(queries, keys) of a block, which reach over the ends little; None where none fits."""
    q, k, v, t = body.results
    depth, width = q.shape[-1], v.shape[-1]
    if not isinstance(depth, int) or not isinstance(width, int):
        return None
    queries, keys = t.shape[-2:]
    masks = planes(body)
    outer = _weights_dtype(t, v)
    inner = accumulator(q.dtype, body.params[0].dtype)
    copied = sum(
        extent * dtype.nbytes
        for value, extent, dtype in ((k, depth, inner), (v, width, outer))
        if value.dtype is not dtype or _is_turned(value)
    )
    step = KEYS
    while step > 2 * LANES and copied * step > LOCAL_BYTES // 3:
        step //= 2
    if isinstance(keys, int) and keys > 0:
        step = -(-keys // -(-keys // step))
        if masks and keys % LANES == 0:
            step = -(-step // LANES) * LANES
    held = sum(_carrier(m.dtype).nbytes * (1 if _carrier(m.dtype) is m.dtype else 2) for m in masks)
    row = (depth + width + step + 3) * outer.nbytes + step * held
    most = (LOCAL_BYTES - copied * step) // row // LANES * LANES
    if most < LANES:
        return None
    if not isinstance(queries, int) or queries == 0:
        return min(FEW_QUERIES, most), step
    sizes = [n for n in range(LANES, most + 1, LANES) if n >= min(2 * LANES, most)]
    rows = {n: -(-queries // n) * n for n in sizes}
    least = min(rows.values())
    size = min((n for n in sizes if rows[n] <= EVEN * least), key=lambda n: abs(n - QUERIES))
    return min(size, queries), step


def _is_turned(value: Value) -> bool:
    """Whether a movement may have put another axis last."""
    while value.node.op.kind == "movement":
        if value.node.op.name == "transpose" and value.node.attrs["axes"][-1] + 1 != len(
            value.shape
        ):
            return True
        value = value.node.operands[0]
    return False


def planes(body: Graph) -> dict[Value, tuple[int | None, ...]]:
    """The operands of the map that lie in memory like the scores, such as a mask: along the keys;
    and which axis of the scores each of their axes is (None: it has one place).

    A block of them is turned before it is read, because the lanes run along the queries.
    """
    t = body.results[3]
    found: dict[Value, tuple[int | None, ...]] = {}
    seen: set[Value] = {body.params[0]}
    stack: list[tuple[Value, tuple[int | None, ...]]] = [(t, tuple(range(t.type.rank)))]
    while stack:
        value, axes = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        node = value.node
        if node.op.name == "transpose":
            return {}
        if _is_plane(value, t) and axes[-2:] == (t.type.rank - 2, t.type.rank - 1):
            found[value] = axes
        elif node.op.kind == "elementwise":
            stack += [(v, axes) for v in node.operands]
        elif node.op.name == "broadcast":
            (inner,), places = node.operands, node.attrs["axes"]
            pairs = zip(inner.shape, places, strict=True)
            below = [None if extent == 1 else axes[place] for extent, place in pairs]
            stack.append((inner, tuple(below)))
    return found if len(found) <= MOST_PLANES and isinstance(t.shape[-2], int) else {}


def _is_plane(value: Value, t: Value) -> bool:
    base = value
    while base.node.op.name in ("broadcast", "reshape"):
        base = base.node.operands[0]
    return base.node.op is PARAM and base.shape[-2:] == value.shape[-2:] == t.shape[-2:]


def _carrier(dtype: DType) -> DType:
    """The dtype in which numbers go through registers."""
    if dtype.nbytes >= 4:
        return dtype
    return ty.F32 if dtype.is_float else ty.I32


@dataclass
class _Writer:
    """Writes the loops of one node."""

    c: Any

    def __post_init__(self) -> None:
        c, body = self.c, self.c.attrs["body"]
        c.open(body, 1)
        self.s = body.params[0]
        self.q, self.k, self.v, self.t = body.results
        sizes = block_sizes(body)
        assert sizes is not None
        self.size, self.step = sizes
        self.depth, self.width = self.q.shape[-1], self.v.shape[-1]
        self.queries, self.keys = self.t.shape[-2:]
        self.inner = accumulator(self.q.dtype, self.s.dtype)
        self.outer = _weights_dtype(self.t, self.v)
        self.qt = self.local("qt", self.inner, self.depth * self.size)
        self.scores = self.local("s", self.outer, self.step * self.size)
        self.top = self.local("m", self.outer, self.size)
        self.total = self.local("l", self.outer, self.size)
        self.factor = self.local("a", self.outer, self.size)
        self.sums = self.local("o", self.outer, self.size * self.width)

    def local(self, stem: str, dtype: DType, size: int) -> Buffer:
        return Buffer(self.c.fresh(stem), dtype, (size,), None, "local", "temp", 64)

    def write(self) -> None:
        """All blocks of queries, in all heads."""
        c, batch = self.c, self.t.shape[:-2]
        blocks = (self.queries + (self.size - 1)) // self.size
        with c.loop(ty.product((*batch, blocks)), "p", "parallel") as p:
            block = c.number(p % blocks, blocks)
            self.begins(block * self.size)
            at, rest = [], p // blocks
            for k, extent in reversed(list(enumerate(batch))):
                at.append(c.number(rest % extent if k else rest, extent))
                rest = rest // extent
            self.at = tuple(reversed(at))
            local = (self.qt, self.scores, self.top, self.total, self.factor, self.sums)
            c.put(*(Alloc(buffer) for buffer in local))
            self.begin()
            whole, rest = self.keys // self.step, self.keys % self.step
            if whole != 0:
                with c.loop(whole, "b") as b:
                    self.block(b * self.step, self.step)
            if rest != 0:
                with c.loop(1, "b"):
                    self.block(whole * self.step, rest)
            self.end()

    def begins(self, first: Index) -> None:
        """Where this block of queries starts, and how many of its first rows another block has:
        the last one reaches back, so that it is as large as the others.
        """
        self.start, self.skip, self.count = first, 0, self.size
        rest = self.queries % self.size
        if isinstance(self.queries, int) and rest != 0:
            last = const(self.queries - self.size, ty.I64)
            self.start = self.c.index(scalar("min", Idx(first), last))
            self.skip = first - self.start
        if rest != 0:
            count = scalar("min", Idx(self.queries - first), const(self.size, ty.I64))
            self.count = self.c.index(count)

    def present(self, i: Index) -> Expr | None:
        """Whether there is a query i in this block; None where that is certain."""
        if isinstance(self.queries, int):
            return None
        return Scalar("lt", (Idx(self.start + i), Idx(self.queries)), BOOL)

    def begin(self) -> None:
        c = self.c
        with c.loop(self.depth, "x") as x, c.loop(self.size, "i") as i:
            with c.under(self.present(i)):
                q = c.element(self.q, (*self.at, self.start + i, x))
            c.put(Store(self.qt, (x * self.size + i,), cast(q, self.inner)))
        with c.loop(self.size, "i") as i:
            c.put(Store(self.top, (i,), const(-math.inf, self.outer)))
            c.put(Store(self.total, (i,), const(0, self.outer)))
        with c.loop(self.size * self.width, "i") as i:
            c.put(Store(self.sums, (i,), const(0, self.outer)))

    def rows(self, value: Any, dtype: DType, first: Index, count: Index) -> Any:
        """Answers how rows of k or v are read; they are copied where that is not along memory."""
        c, extent = self.c, value.shape[-1]
        if value.dtype is dtype and c.lies_along(value):
            return lambda j, x: c.element(value, (*self.at, first + j, x))
        copy = self.local("rows", dtype, self.step * extent)
        c.put(Alloc(copy))
        with c.loop(count, "j") as j, c.loop(extent, "x") as x:
            one = c.element(value, (*self.at, first + j, x))
            c.put(Store(copy, (j * extent + x,), cast(one, dtype)))
        return lambda j, x: Load(copy, (j * extent + x,))

    def block(self, first: Index, count: Index) -> None:
        """`count` keys from `first`."""
        self.score(first, count)
        self.weigh(count)
        c, v = self.c, self.rows(self.v, self.outer, first, count)
        with c.loop(self.size, "i") as i, c.loop(self.width, "x") as x:

            def term(at: tuple[Index, ...]) -> Expr:
                return scalar("mul", Load(self.scores, (at[0] * self.size + i,)), v(at[0], x))

            more = c.reduce("sum", (count,), term)
            place = (i * self.width + x,)
            kept = scalar("mul", Load(self.sums, place), Load(self.factor, (i,)))
            c.put(Store(self.sums, place, scalar("add", kept, more)))

    def score(self, first: Index, count: Index) -> None:
        c, k = self.c, self.rows(self.k, self.inner, first, count)
        masks = [(m, axes, self.turned(m, axes, first, count)) for m, axes in self.masks(count)]
        with c.loop(count, "j") as j, c.loop(self.size, "i") as i:

            def term(at: tuple[Index, ...]) -> Expr:
                return scalar("mul", k(j, at[0]), Load(self.qt, (at[0] * self.size + i,)))

            found = c.bind(cast(c.reduce("sum", (self.depth,), term), self.s.dtype))
            place = (*self.at, self.start + i, first + j)
            with c.under(self.present(i)):
                c.given(self.s, place, found)
                for mask, axes, turned in masks:
                    here = Load(turned, (j * self.size + i,))
                    at = tuple(0 if a is None else place[a] for a in axes)
                    c.given(mask, at, c.bind(_restored(here, mask.dtype)))
                score = c.element(self.t, place)
            c.put(Store(self.scores, (j * self.size + i,), cast(score, self.outer)))

    def masks(self, count: Index) -> list[tuple[Value, tuple[int | None, ...]]]:
        """The planes that are turned: whole squares of numbers."""
        if not isinstance(count, int) or count % LANES or self.size % LANES:
            return []
        found = planes(self.c.attrs["body"])
        return [(m, axes) for m, axes in found.items() if self.c.lies_along(m)]

    def turned(
        self, mask: Value, axes: tuple[int | None, ...], first: Index, count: Index
    ) -> Buffer:
        """A block of a plane with the queries along the lines."""
        c, dtype = self.c, _carrier(mask.dtype)
        assert isinstance(count, int)
        turned = self.local("turned", dtype, count * self.size)
        c.put(Alloc(turned))

        def number(i: Index, j: Index) -> Expr:
            place = (*self.at, self.start + i, first + j)
            return c.element(mask, tuple(0 if a is None else place[a] for a in axes))

        if dtype is not mask.dtype:
            wide = self.local("wide", dtype, self.size * count)
            c.put(Alloc(wide))
            with c.loop(self.size, "i") as i, c.loop(count, "j") as j:
                c.put(Store(wide, (i * count + j,), cast(number(i, j), dtype)))
        with c.loop(count, "j") as j, c.loop(self.size, "i") as i:
            one = number(i, j) if dtype is mask.dtype else c.bind(Load(wide, (i * count + j,)))
            c.put(Store(turned, (j * self.size + i,), one))
        return turned

    def weigh(self, count: Index) -> None:
        """Scores become weights, relative to the greatest score so far."""
        c = self.c
        with c.loop(self.size, "i") as i:
            before = c.bind(Load(self.top, (i,)))

            def score(at: tuple[Index, ...]) -> Expr:
                return c.bind(Load(self.scores, (at[0] * self.size + i,)))

            top = c.bind(scalar("max", before, c.reduce("max", (count,), score)))
            nothing = scalar("eq", top, const(-math.inf, self.outer))
            # where all scores are -inf so far, their weights are 0 and not NaN
            shift = c.bind(Select(nothing, const(0, self.outer), top))
            factor = c.bind(scalar("exp", scalar("sub", before, shift)))

            def weight(at: tuple[Index, ...]) -> Expr:
                found = c.bind(scalar("exp", scalar("sub", score(at), shift)))
                c.put(Store(self.scores, (at[0] * self.size + i,), found))
                return found

            more = c.reduce("sum", (count,), weight)
            kept = scalar("mul", Load(self.total, (i,)), factor)
            c.put(
                Store(self.factor, (i,), factor),
                Store(self.total, (i,), scalar("add", kept, more)),
                Store(self.top, (i,), top),
            )

    def end(self) -> None:
        c = self.c
        with c.loop(self.count, "i") as i, c.loop(self.width, "x") as x:
            row = self.skip + i
            above = Load(self.sums, (row * self.width + x,))
            found = scalar("div", above, Load(self.total, (row,)))
            place = (*self.at, self.start + row, x)
            c.put(Store(c.result(), place, cast(found, c.type.dtype)))


def _restored(number: Expr, dtype: DType) -> Expr:
    if dtype is BOOL:
        return scalar("ne", number, const(0, number.dtype))
    return cast(number, dtype)


def _emit(c: Any) -> tuple[()]:
    _Writer(c).write()
    return ()


# -------------------------------------------------------------------------------------------- card


def _samples() -> Iterable[Sample]:
    for dtype, batch, queries, keys in (
        (ty.F32, (2,), 5, 7),
        (ty.F64, (), 70, 3),
        (ty.F16, (2, 2), 3, 130),
        (ty.BF16, (1,), 1, 4),
    ):
        own = TensorType(dtype, (*batch, queries, 4))
        other = TensorType(dtype, (*batch, 4, keys))
        mask = TensorType(dtype, (keys,))
        scores = TensorType(dtype, (*batch, queries, keys))
        s, q, k, m = (
            param(t, n) for t, n in ((scores, "s"), (own, "q"), (other, "k"), (mask, "m"))
        )
        rank = len(batch)
        turned = TRANSPOSE(k, axes=(*range(rank), rank + 1, rank))
        spread = BROADCAST(m, shape=scores.shape, axes=(rank + 1,))
        results = (q, turned, turned, ADD(MUL(s, s), spread))
        body = Graph.of("body", (s, q, k, m), results)
        yield Sample((own, other, mask), {"body": body, "dtype": dtype}, -1.0, 1.0)


ATTENTION = register(
    OpDef(
        name="attention",
        doc="softmax(t) v over the keys; (q, k, v, t) = body(s, a, ...), s = q k^T",
        kind="opaque",
        infer=_infer,
        evaluate=_evaluate,
        lower=_emit,
        source="Vaswani et al., Attention Is All You Need, 2017; f16 and bf16 sum in f32",
        derivative=NotDifferentiable("passes make it of ops that are differentiated before"),
        cost=64,
        samples=_samples,
    )
)
