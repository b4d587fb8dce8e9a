"""The card of attention: softmax(scores) v, without the matrix of scores.

    for p in parallel:                                 a block of queries in one head
      qt[x, i] = q[i, x];  m[i] = -inf;  l[i] = 0;  o[i, x] = 0
      for each block of keys:
        s[j, i] = map(sum over x of k[j, x] * qt[x, i])
        n = max(m[i], s[:, i]);  a[i] = exp(m[i] - n);  m[i] = n
        s[j, i] = exp(s[j, i] - n);  l[i] = l[i] * a[i] + sum over j of s[j, i]
        o[i, x] = o[i, x] * a[i] + sum over j of s[j, i] * v[j, x]
      y[i, x] = o[i, x] / l[i]
      M[i] = m[i];  L[i] = log(l[i])                   where the gradient wants them (`rows`)

Scores lie with the queries along the lanes: then k and v are read where they are, maxima and sums
need nothing across lanes, and both products are contractions of a few local rows, which the
schedule (graphc/loops/contract.py) puts into register tiles. The order of sums depends on the
extents alone. The pass that makes the node: graphc/passes/attention.py; its derivative:
attention_gradient.py.

Source: Milakov and Gimelshein, Online normalizer calculation for softmax, 2018; Dao et al.,
FlashAttention, 2022, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..evaluate import evaluate
from ..ir import PARAM, Graph, Value, param
from ..loops.ir import (
    Accumulate,
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
from ..opdef import Attrs, OpDef, Rules, Sample, register
from ..types import BOOL, DType, TensorType
from .arithmetic import ADD, MUL
from .attention_hidden import MARGIN, hidden_keys
from .attention_rules import batching, jvp, vjp, weights_dtype
from .contraction import DOT, accumulator
from .movement import BROADCAST, TRANSPOSE

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

Row = Callable[[Index, Index], Any]
"""The element of a line at a place."""


# ----------------------------------------------------------------------------------------- meaning


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType | tuple[TensorType, ...]:
    body = attrs.get("body")
    if not isinstance(body, Graph) or len(body.results) != 4 or not body.params:
        raise TypeMismatch("attention: body is no graph from (scores, ...) to (q, k, v, scores)")
    check_operands("attention", types, body, 1)
    q, _, v, t = check_body("attention", body)
    result = TensorType(attrs["dtype"], (*q.shape[:-1], v.shape[-1]))
    if block_sizes(body) is None:
        raise ShapeMismatch(
            f"attention: a row of q is {q.shape[-1]} and one of v {v.shape[-1]}; "
            f"blocks of them do not fit into {LOCAL_BYTES} bytes"
        )
    if not attrs.get("rows", False):
        return result
    row = TensorType(weights_dtype(t, v), q.shape[:-1])
    return result, row, row


def check_operands(op: str, types: Sequence[TensorType], body: Graph, first: int) -> None:
    """Raises TypeMismatch unless the operands are what the body takes after its `first`
    parameters.
    """
    if len(types) != len(body.params) - first:
        raise TypeMismatch(
            f"{op}: its body has {len(body.params)} parameters, which are "
            f"{'the scores' if first == 1 else 'the scores, a cotangent'} and the operands; "
            f"got {len(types)} operands"
        )
    for position, (type, value) in enumerate(zip(types, body.params[first:], strict=True)):
        if type != value.type:
            raise TypeMismatch(
                f"{op}: operand {position} is {type} and its body takes {value.type}"
            )


def check_body(op: str, body: Graph) -> tuple[TensorType, ...]:
    """The types of q, k, v and the mapped scores.

    Raises:
        TypeMismatch, ShapeMismatch: where they do not fit each other.
    """
    q, k, v, t = (value.type for value in body.results[:4])
    s = body.params[0].type
    if any(not one.dtype.is_float for one in (q, k, v, s, t)) or q.dtype is not k.dtype:
        raise TypeMismatch(f"{op}: q is {q}, k {k}, v {v} and the scores are {s}, then {t}")
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
        raise ShapeMismatch(f"{op}: q is {q}, k {k}, v {v} and the scores are {s}, then {t}")
    return q, k, v, t


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> Any:
    body, dtype = attrs["body"], attrs["dtype"]
    q, k, v = evaluate(Graph.of("operands", body.params[1:], body.results[:3]), operands)
    scores = score_array(q, k, body.params[0].dtype)
    t = evaluate(Graph.of("scores", body.params, body.results[3:4]), [scores, *operands])[0]
    within = weights_dtype(t, v).numpy
    with np.errstate(all="ignore"):
        t = t.astype(within)
        top = t.max(axis=-1, keepdims=True, initial=-np.inf)
        e = np.exp(t - top)
        total = e.sum(axis=-1, keepdims=True)
        found = ((e @ v.astype(within)) / total).astype(dtype.numpy)
        if not attrs.get("rows", False):
            return found
        return found, top[..., 0], np.log(total)[..., 0]


def score_array(q: np.ndarray, k: np.ndarray, dtype: DType) -> np.ndarray:
    """q k^T in the dtype of the scores."""
    batch, last = tuple(range(q.ndim - 2)), (q.ndim - 1,)
    product = {"contract": (last, last), "batch": (batch, batch), "dtype": dtype}
    return DOT.evaluate((q, k), product)


# ---------------------------------------------------------------------------------------- lowering


def block_sizes(body: Graph) -> tuple[int, int] | None:
    """(queries, keys) of a block, which reach over the ends little; None where none fits."""
    q, k, v, t = body.results
    depth, width = q.shape[-1], v.shape[-1]
    if not isinstance(depth, int) or not isinstance(width, int):
        return None
    outer = weights_dtype(t, v)
    inner = accumulator(q.dtype, body.params[0].dtype)
    copied = copied_bytes(((k, inner), (v, outer)))
    return fitting(
        body, LOCAL_BYTES, copied, lambda step: (depth + width + step + 3) * outer.nbytes
    )


def copied_bytes(rows: Iterable[tuple[Value, DType]]) -> int:
    """Bytes of a row of each value that has to be copied to be read in that dtype."""
    sizes = (
        value.shape[-1] * dtype.nbytes
        for value, dtype in rows
        if value.dtype is not dtype or _is_turned(value)
    )
    return sum(n for n in sizes if isinstance(n, int))


def fitting(
    body: Graph, limit: int, copied: int, held: Callable[[int], int]
) -> tuple[int, int] | None:
    """(queries, keys) of a block in `limit` bytes, of which a key takes `copied`, and a query
    `held(keys)`.
    """
    queries, keys = body.results[3].shape[-2:]
    masks = planes(body)
    step = KEYS
    while step > 2 * LANES and copied * step > limit // 3:
        step //= 2
    if isinstance(keys, int) and keys > 0:
        step = -(-keys // -(-keys // step))
        if masks and keys % LANES == 0:
            step = -(-step // LANES) * LANES
    each = (carrier(m.dtype).nbytes * (1 if carrier(m.dtype) is m.dtype else 2) for m in masks)
    row = held(step) + step * sum(each)
    most = (limit - copied * step) // row // LANES * LANES
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


def carrier(dtype: DType) -> DType:
    """The dtype in which numbers go through registers."""
    if dtype.nbytes >= 4:
        return dtype
    return ty.F32 if dtype.is_float else ty.I32


class Blocks:
    """What the loops of attention and of its gradient share: blocks of queries and of keys."""

    def __init__(self, c: Any, sizes: tuple[int, int] | None):
        assert sizes is not None
        self.c, self.body = c, c.attrs["body"]
        self.size, self.step = sizes
        self.s = self.body.params[0]
        self.q, self.k, self.v, self.t = self.body.results[:4]
        self.depth, self.width = self.q.shape[-1], self.v.shape[-1]
        self.queries, self.keys = self.t.shape[-2:]
        self.inner = accumulator(self.q.dtype, self.s.dtype)
        self.outer = weights_dtype(self.t, self.v)
        self.at: tuple[Index, ...] = ()
        """The head."""
        self.hidden = hidden_keys(self.body)

    def local(self, stem: str, dtype: DType, size: int) -> Buffer:
        return Buffer(self.c.fresh(stem), dtype, (size,), None, "local", "temp", 64)

    def head(self, number: Index) -> None:
        """Goes to a head by its number."""
        at = []
        for k, extent in reversed(list(enumerate(self.t.shape[:-2]))):
            at.append(self.c.number(number % extent if k else number, extent))
            number = number // extent
        self.at = tuple(reversed(at))

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

    def seen(self, first: Index, least: Expr | None) -> Index:
        """1 where a query of this block may give weight to keys from `first` on, else 0.

        `least`: the least of the queries' greatest scores; None where hidden keys have no weight
        beside any."""
        hidden = self.hidden
        assert hidden is not None
        last = self.start + (self.size - 1 + hidden.offset)
        seen: Expr = Scalar("le", (Idx(first), Idx(last)), BOOL)
        if least is not None:
            far = scalar("gt", least, const(hidden.fill + MARGIN, self.outer))
            seen = scalar("or", seen, scalar("not", far))
        return self.c.index(cast(self.c.bind(seen), ty.I64))

    def pass_by(self, poison: Buffer, count: Index, row: Row) -> None:
        """What hidden rows add to a product: 0 times each, which is 0, or NaN."""
        c, (extent,) = self.c, poison.shape
        nothing = const(0, self.outer)
        with c.loop(count, "j") as j, c.loop(extent, "x") as x:
            term = scalar("mul", nothing, cast(row(j, x), self.outer))
            c.put(Accumulate(poison, (x,), "add", term))

    def clear(self, sums: Buffer) -> None:
        with self.c.loop(sums.shape[0], "x") as x:
            self.c.put(Store(sums, (x,), const(0, self.outer)))

    def rows(self, value: Value, dtype: DType, first: Index, count: Index) -> Row:
        """Answers how rows of k or v are read; they are copied where that is not along memory."""
        c = self.c
        if value.dtype is dtype and c.lies_along(value):
            return lambda j, x: c.element(value, (*self.at, first + j, x))
        extent = value.shape[-1]
        assert isinstance(extent, int)
        copy = self.local("rows", dtype, self.step * extent)
        return self.copied(
            copy, extent, count, lambda j, x: c.element(value, (*self.at, first + j, x))
        )

    def copied(self, copy: Buffer, extent: int, count: Index, row: Row) -> Row:
        """The same rows from a local array."""
        c = self.c
        c.put(Alloc(copy))
        with c.loop(count, "j") as j, c.loop(extent, "x") as x:
            c.put(Store(copy, (j * extent + x,), cast(row(j, x), copy.dtype)))
        return lambda j, x: Load(copy, (j * extent + x,))

    def masks(self, count: Index) -> list[tuple[Value, tuple[int | None, ...]]]:
        """The planes that are turned: whole squares of numbers."""
        if not isinstance(count, int) or count % LANES or self.size % LANES:
            return []
        found = planes(self.body)
        return [(m, axes) for m, axes in found.items() if self.c.lies_along(m)]

    def turned(
        self, mask: Value, axes: tuple[int | None, ...], first: Index, count: Index
    ) -> Buffer:
        """A block of a plane with the queries along the lines."""
        c, dtype = self.c, carrier(mask.dtype)
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


class _Writer(Blocks):
    """Writes the loops of one node."""

    def __init__(self, c: Any):
        body = c.attrs["body"]
        super().__init__(c, block_sizes(body))
        c.open(body, 1)
        self.qt = self.local("qt", self.inner, self.depth * self.size)
        self.scores = self.local("s", self.outer, self.step * self.size)
        self.top = self.local("m", self.outer, self.size)
        self.total = self.local("l", self.outer, self.size)
        self.factor = self.local("a", self.outer, self.size)
        self.sums = self.local("o", self.outer, self.size * self.width)
        self.poison = self.local("z", self.outer, self.width)

    def write(self) -> None:
        """All blocks of queries, in all heads."""
        c, batch = self.c, self.t.shape[:-2]
        blocks = (self.queries + (self.size - 1)) // self.size
        with c.loop(ty.product((*batch, blocks)), "p", "parallel") as p:
            block = c.number(p % blocks, blocks)
            self.begins(block * self.size)
            self.head(p // blocks)
            local = (self.qt, self.scores, self.top, self.total, self.factor, self.sums)
            c.put(*(Alloc(buffer) for buffer in local))
            if self.hidden is not None:
                c.put(Alloc(self.poison))
            self.begin()
            whole, rest = self.keys // self.step, self.keys % self.step
            if whole != 0:
                with c.loop(whole, "b") as b:
                    self.keys_block(b * self.step, self.step)
            if rest != 0:
                with c.loop(1, "b"):
                    self.keys_block(whole * self.step, rest)
            self.end()

    def begin(self) -> None:
        c = self.c
        with c.loop(self.depth, "x") as x, c.loop(self.size, "i") as i:
            with c.under(self.present(i)):
                q = c.element(self.q, (*self.at, self.start + i, x))
            c.put(Store(self.qt, (x * self.size + i,), cast(q, self.inner)))
        with c.loop(self.size, "i") as i:
            c.put(Store(self.top, (i,), const(-math.inf, self.outer)))
            c.put(Store(self.total, (i,), const(0, self.outer)))
        self.clear(self.sums)
        if self.hidden is not None:
            self.clear(self.poison)

    def keys_block(self, first: Index, count: Index) -> None:
        """`count` keys from `first`, multiplied where a query of the block may see one of them."""
        c, v = self.c, self.v
        if self.hidden is None:
            self.block(first, count)
            return
        least = None
        if not self.hidden.always:
            least = c.reduce("min", (self.size,), lambda at: Load(self.top, at))
        seen = self.seen(first, least)
        with c.loop(seen, "seen"):
            self.block(first, count)
        with c.loop(1 - seen, "hidden"):
            self.pass_by(self.poison, count, lambda j, x: c.element(v, (*self.at, first + j, x)))

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
                    c.given(mask, at, c.bind(restored(here, mask.dtype)))
                score = c.element(self.t, place)
            c.put(Store(self.scores, (j * self.size + i,), cast(score, self.outer)))

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
            above: Expr = Load(self.sums, (row * self.width + x,))
            if self.hidden is not None:
                above = scalar("add", above, Load(self.poison, (x,)))
            found = scalar("div", above, Load(self.total, (row,)))
            place = (*self.at, self.start + row, x)
            c.put(Store(c.result(), place, cast(found, c.type.dtype)))
        if not c.attrs.get("rows", False):
            return
        with c.loop(self.count, "i") as i:
            row = self.skip + i
            place = (*self.at, self.start + row)
            c.put(
                Store(c.result(1), place, Load(self.top, (row,))),
                Store(c.result(2), place, scalar("log", Load(self.total, (row,)))),
            )


def restored(number: Expr, dtype: DType) -> Expr:
    if dtype is BOOL:
        return scalar("ne", number, const(0, number.dtype))
    return cast(number, dtype)


def _emit(c: Any) -> tuple[()]:
    _Writer(c).write()
    return ()


# -------------------------------------------------------------------------------------------- card


def sample_bodies() -> Iterable[tuple[tuple[TensorType, ...], Graph]]:
    """Types of operands, and a body for them."""
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
        yield (own, other, mask), body


def _samples() -> Iterable[Sample]:
    for types, body in sample_bodies():
        yield Sample(types, {"body": body, "dtype": types[0].dtype}, -1.0, 1.0)


ATTENTION = register(
    OpDef(
        name="attention",
        doc="softmax(t) v over the keys; (q, k, v, t) = body(s, a, ...), s = q k^T; with `rows` "
        "m = max(t) and log(sum(exp(t - m))) too, where m is a constant to derivatives",
        kind="opaque",
        infer=_infer,
        evaluate=_evaluate,
        lower=_emit,
        source="Vaswani et al., Attention Is All You Need, 2017; f16 and bf16 sum in f32",
        derivative=Rules(jvp, vjp),
        batching=batching("attention", 1),
        cost=64,
        samples=_samples,
    )
)
