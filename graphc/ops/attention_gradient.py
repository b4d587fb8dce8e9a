"""The gradient of attention, without the matrix of scores.

    for p in parallel:                                 a head, or a part of its queries
      dk[j, x] = 0;  dv[j, x] = 0
      for each block of queries:
        qt[x, i] = q[i, x];  gt[x, i] = g[i, x];  dq[i, x] = 0
        for each block of keys:
          p[j, i] = exp(map(sum over x of k[j, x] * qt[x, i]) - M[i] - L[i])
          u[j, i] = map'(p[j, i] * (sum over x of v[j, x] * gt[x, i] - D[i]))
          dv[j, x] += sum over i of p[j, i] * g[i, x]
          dk[j, x] += sum over i of u[j, i] * q[i, x]
          dq[i, x] += sum over j of u[j, i] * k[j, x]

g is the cotangent of the result y; M and L are the greatest score and the logarithm of the sum of
weights, which the attention answers beside it (`rows`), apart, because a sum of both would lose the
digits of L where scores are large, as those of masked rows are; and D = sum over x of g * y. The
body says what the map does to a cotangent: (q, k, v, t, ds) = body(s, u, a, ...), where u is that
of t.

Scores are computed once: the keys of a head have one owner, who adds in order. Where there are
fewer heads than workers could share, the queries of a head are cut in a number of parts that
depends on the extents alone, whose sums wait in memory and are added in order.

Source: Dao et al., FlashAttention, 2022, algorithm 4; FlashAttention-2, 2023, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..evaluate import evaluate
from ..ir import Graph, reachable
from ..loops.ir import Alloc, Buffer, Expr, Idx, Index, Load, Scalar, Select, Store, cast, const
from ..loops.ir import scalar as op
from ..opdef import Attrs, Expansion, OpDef, Sample, register
from ..types import BOOL, DType, TensorType
from .attention import (
    Blocks,
    Row,
    check_body,
    check_operands,
    copied_bytes,
    fitting,
    restored,
    sample_bodies,
    score_array,
)
from .attention_rules import batching, expanded_gradient, gradient_body, weights_dtype
from .contraction import accumulator

LOCAL_BYTES = 384 << 10
"""What a block of queries may keep beside its worker."""
TASKS = 8
"""Parts that workers can share well."""
UNKNOWN = 4
"""Parts of an unknown number of queries, at most."""


# ----------------------------------------------------------------------------------------- meaning


def _infer(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    body = attrs.get("body")
    if not isinstance(body, Graph) or len(body.results) != 5 or len(body.params) < 2:
        raise TypeMismatch(
            "attention_gradient: body is no graph from (scores, cotangent, ...) to "
            "(q, k, v, scores, cotangent)"
        )
    check_operands("attention_gradient", types[:-4], body, 2)
    q, k, v, t = check_body("attention_gradient", body)
    s, u, ds = body.params[0].type, body.params[1].type, body.results[4].type
    if u != t or ds != s:
        raise TypeMismatch(f"attention_gradient: the cotangents of {t} and {s} are {u} and {ds}")
    g, *rows = types[-4:]
    inside = TensorType(weights_dtype(t, v), q.shape[:-1])
    if g.shape != (*q.shape[:-1], v.shape[-1]) or not g.dtype.is_float or rows != [inside] * 3:
        raise ShapeMismatch(
            f"attention_gradient: the last operands are {', '.join(map(str, types[-4:]))}; "
            f"expected the cotangent of a result with rows of {v.shape[-1]}, and three of {inside}"
        )
    if gradient_sizes(body) is None:
        raise ShapeMismatch(
            f"attention_gradient: a row of q is {q.shape[-1]} and one of v {v.shape[-1]}; "
            f"blocks of them do not fit into {LOCAL_BYTES} bytes"
        )
    return q, k, v


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> tuple[np.ndarray, ...]:
    body: Graph = attrs["body"]
    *own, g, top, log, mean = operands
    q, k, v = evaluate(Graph.of("rows", body.params[2:], body.results[:3]), own)
    s = score_array(q, k, body.params[0].dtype)
    params = (body.params[0], *body.params[2:])
    (t,) = evaluate(Graph.of("map", params, body.results[3:4]), [s, *own])
    within = log.dtype
    with np.errstate(all="ignore"):
        p = np.exp(t.astype(within) - top[..., None] - log[..., None])
        g, wide_v = g.astype(within), v.astype(within)
        u = p * (g @ wide_v.swapaxes(-1, -2) - mean[..., None])
        u = u.astype(t.dtype)
        (ds,) = evaluate(Graph.of("ds", body.params, body.results[4:]), [s, u, *own])
        ds = ds.astype(within)
        dq, dk = ds @ k.astype(within), ds.swapaxes(-1, -2) @ q.astype(within)
        dv = p.swapaxes(-1, -2) @ g
        return dq.astype(q.dtype), dk.astype(k.dtype), dv.astype(v.dtype)


# ---------------------------------------------------------------------------------------- lowering


def gradient_sizes(body: Graph) -> tuple[int, int] | None:
    """(queries, keys) of a block; None where none fits."""
    q, k, v, t = body.results[:4]
    depth, width = q.shape[-1], v.shape[-1]
    if not isinstance(depth, int) or not isinstance(width, int):
        return None
    outer, inner = weights_dtype(t, v), accumulator(q.dtype, body.params[0].dtype)
    keys = ((k, inner), (v, outer)) if inner is outer else ((k, inner), (k, outer), (v, outer))
    matrices = 3 if _reads_scores(body) else 2

    def held(step: int) -> int:
        return (3 * depth + 2 * width + matrices * step + 3) * outer.nbytes

    return fitting(body, LOCAL_BYTES, copied_bytes(keys), held)


def _reads_scores(body: Graph) -> bool:
    """Whether the derivative of the map depends on the scores."""
    s, ds = body.params[0], body.results[4]
    return ds is s or any(s in node.operands for node in reachable([ds]))


class _Writer(Blocks):
    """Writes the loops of one node."""

    def __init__(self, c: Any):
        body = c.attrs["body"]
        super().__init__(c, gradient_sizes(body))
        c.open(body, 2, 4)
        self.u, self.ds = body.params[1], body.results[4]
        self.g, *self.rows_given = (c.buffer(len(c.types) - n) for n in (4, 3, 2, 1))
        self.qt = self.local("qt", self.inner, self.depth * self.size)
        self.gt = self.local("gt", self.outer, self.width * self.size)
        self.p = self.local("p", self.outer, self.step * self.size)
        self.u_block = self.local("u", self.outer, self.step * self.size)
        self.kept = self.local("s", self.s.dtype, self.step * self.size)
        self.dq = self.local("dq", self.outer, self.size * self.depth)
        self.top = self.local("m", self.outer, self.size)
        self.log = self.local("l", self.outer, self.size)
        self.mean = self.local("d", self.outer, self.size)
        self.has_scores = _reads_scores(body)
        self.poison = {
            stem: self.local(f"z{stem}", self.outer, extent)
            for stem, extent in (("q", self.depth), ("g", self.width), ("k", self.depth))
        }
        batch = self.t.shape[:-2]
        self.heads = ty.product(batch)
        self.blocks = (self.queries + (self.size - 1)) // self.size
        self.parts = self.number_of_parts()
        self.each = (self.blocks + (self.parts - 1)) // self.parts
        self.dk, self.dv = (
            self.sums(k, extent) for k, extent in ((1, self.depth), (2, self.width))
        )

    def number_of_parts(self) -> int:
        """Parts of the queries of a head: their sums take at most half of what the matrix of scores
        would.
        """
        known = ty.product([e for e in self.t.shape[:-2] if isinstance(e, int)])
        assert isinstance(known, int)
        wanted = -(-TASKS // max(1, known))
        if not isinstance(self.queries, int) or not isinstance(self.blocks, int):
            return min(wanted, UNKNOWN)
        row = ty.product((self.depth + self.width,))
        assert isinstance(row, int)
        return max(1, min(wanted, self.blocks, self.queries // max(1, 2 * row)))

    # ---------------------------------------------------------------- what is summed over queries
    def sums(self, k: int, extent: int) -> Buffer:
        """Where the sums of dk or dv are: in the result, where nothing is left to do."""
        result = self.c.result(k)
        if self.parts == 1 and result.dtype is self.outer:
            return result
        return self.c.temp(self.outer, (self.heads * self.parts, self.keys, extent))

    def place(self, sums: Buffer, j: Index, x: Index) -> tuple[Index, ...]:
        return (*(self.at if sums.access == "out" else (self.number,)), j, x)

    def write(self) -> None:
        """All heads."""
        c = self.c
        with c.loop(self.heads * self.parts, "p", "parallel") as p:
            self.number = p
            part = c.number(p % self.parts, self.parts)
            self.head(p // self.parts)
            for sums, extent in ((self.dk, self.depth), (self.dv, self.width)):
                with c.loop(self.keys, "j") as j, c.loop(extent, "x") as x:
                    c.put(Store(sums, self.place(sums, j, x), const(0, self.outer)))
            own = [self.top, self.log, self.mean]
            local = [self.qt, self.gt, self.p, self.u_block, self.dq, *own]
            c.put(*(Alloc(buffer) for buffer in local))
            if self.has_scores:
                c.put(Alloc(self.kept))
            if self.hidden is not None:
                c.put(*(Alloc(buffer) for buffer in self.poison.values()))
            count: Index = self.each
            if self.blocks % self.parts != 0:
                left = op("sub", Idx(self.blocks), Idx(part * self.each))
                left = op("min", left, Idx(self.each))
                count = c.index(op("max", left, const(0, ty.I64)))
            with c.loop(count, "b") as b:
                block = c.number(part * self.each + b, self.blocks)
                self.begins(block * self.size)
                self.block()
        for k, sums, extent in ((1, self.dk, self.depth), (2, self.dv, self.width)):
            if sums.access != "out":
                self.add(c.result(k), sums, extent)

    def add(self, result: Buffer, sums: Buffer, extent: int) -> None:
        """The sums of the parts, in order."""
        c = self.c
        with c.loop(self.heads * self.keys, "r", "parallel") as r:
            head = c.number(r // self.keys, self.heads)
            j = c.number(r % self.keys, self.keys)
            self.head(head)
            with c.loop(extent, "x") as x:
                total: Expr = Load(sums, (head * self.parts, j, x))
                for part in range(1, self.parts):
                    total = op("add", total, Load(sums, (head * self.parts + part, j, x)))
                c.put(Store(result, (*self.at, j, x), cast(total, result.dtype)))

    # --------------------------------------------------------------------------- a block of queries
    def valid(self, i: Index) -> Expr | None:
        """Whether query i is this block's own; None where that is certain."""
        if isinstance(self.queries, int):
            return None if self.skip == 0 else Scalar("ge", (Idx(i), Idx(self.skip)), BOOL)
        return self.present(i)

    def chosen(self, i: Index, value: Expr) -> Expr:
        """The value, 0 for a query that is not this block's own."""
        cond = self.valid(i)
        return value if cond is None else Select(cond, value, const(0, value.dtype))

    def cotangent(self, i: Index, x: Index) -> Expr:
        found = Load(self.g, (*self.at, self.start + i, x), self.present(i))
        return cast(found, self.outer)

    def query(self, i: Index, x: Index) -> Any:
        with self.c.under(self.present(i)):
            return self.c.element(self.q, (*self.at, self.start + i, x))

    def block(self) -> None:
        """All keys."""
        c = self.c
        with c.loop(self.depth, "x") as x, c.loop(self.size, "i") as i:
            c.put(Store(self.qt, (x * self.size + i,), cast(self.query(i, x), self.inner)))
        with c.loop(self.width, "x") as x, c.loop(self.size, "i") as i:
            c.put(Store(self.gt, (x * self.size + i,), self.cotangent(i, x)))
        with c.loop(self.size, "i") as i:
            at, cond = (*self.at, self.start + i), self.present(i)
            own = (self.top, self.log, self.mean)
            for row, given in zip(own, self.rows_given, strict=True):
                c.put(Store(row, (i,), Load(given, at, cond)))
        self.clear(self.dq)
        self.q_rows = self.own_rows("q", self.depth, self.query, c.lies_along(self.q))
        self.g_rows = self.own_rows("g", self.width, self.cotangent, self.g.strides is None)
        if self.hidden is not None:
            self.least = c.bind(c.reduce("min", (self.size,), self.greatest))
            for poison in self.poison.values():
                self.clear(poison)
            for stem, row in (("q", self.q_rows), ("g", self.g_rows)):
                self.pass_by(self.poison[stem], self.size, row)
        whole, rest = self.keys // self.step, self.keys % self.step
        if whole != 0:
            with c.loop(whole, "b") as b:
                self.keys_block(b * self.step, self.step)
        if rest != 0:
            with c.loop(1, "b"):
                self.keys_block(whole * self.step, rest)
        self.end()

    def greatest(self, at: tuple[Index, ...]) -> Expr:
        """The greatest score of a query; NaN where the logarithm is no number, which makes NaN of
        the weights of hidden keys too."""
        return op("add", Load(self.top, at), op("mul", const(0, self.outer), Load(self.log, at)))

    def own_rows(self, stem: str, extent: int, row: Row, is_plain: bool) -> Row:
        """How rows of queries are read."""
        dtype = self.q.dtype if stem == "q" else self.g.dtype
        if is_plain and dtype is self.outer and isinstance(self.queries, int):
            return row
        return self.copied(self.local(stem, self.outer, self.size * extent), extent, self.size, row)

    def end(self) -> None:
        c, result = self.c, self.c.result(0)
        with c.loop(self.count, "i") as i, c.loop(self.depth, "x") as x:
            row = self.skip + i
            found: Expr = Load(self.dq, (row * self.depth + x,))
            if self.hidden is not None:
                found = op("add", found, Load(self.poison["k"], (x,)))
            c.put(Store(result, (*self.at, self.start + row, x), cast(found, result.dtype)))

    # ------------------------------------------------------------------------------ a block of keys
    def keys_block(self, first: Index, count: Index) -> None:
        """`count` keys from `first`, multiplied where a query of the block may see one of them."""
        c = self.c
        if self.hidden is None:
            self.multiplied(first, count)
            return
        seen = self.seen(first, self.least)
        with c.loop(seen, "seen"):
            self.multiplied(first, count)
        with c.loop(1 - seen, "hidden"):
            k = self.k
            self.pass_by(
                self.poison["k"], count, lambda j, x: c.element(k, (*self.at, first + j, x))
            )
            for sums, stem in ((self.dv, "g"), (self.dk, "q")):
                poison = self.poison[stem]
                with c.loop(count, "j") as j, c.loop(poison.shape[0], "x") as x:
                    place = self.place(sums, first + j, x)
                    c.put(Store(sums, place, op("add", Load(sums, place), Load(poison, (x,)))))

    def multiplied(self, first: Index, count: Index) -> None:
        k = self.rows(self.k, self.inner, first, count)
        other = k if self.inner is self.outer else self.rows(self.k, self.outer, first, count)
        v = self.rows(self.v, self.outer, first, count)
        masks = [(m, axes, self.turned(m, axes, first, count)) for m, axes in self.masks(count)]
        self.weigh(k, masks, first, count)
        self.differentiate(v, masks, first, count)
        self.add_keys(self.dv, self.width, self.p, self.g_rows, first, count)
        self.add_keys(self.dk, self.depth, self.u_block, self.q_rows, first, count)
        c = self.c
        with c.loop(self.size, "i") as i, c.loop(self.depth, "x") as x:

            def term(at: tuple[Index, ...]) -> Expr:
                return op("mul", Load(self.u_block, (at[0] * self.size + i,)), other(at[0], x))

            more = c.reduce("sum", (count,), term)
            place = (i * self.depth + x,)
            c.put(Store(self.dq, place, op("add", Load(self.dq, place), more)))

    def weigh(self, k: Row, masks: Any, first: Index, count: Index) -> None:
        """p = exp(map(s) - top - log)"""
        c = self.c
        with c.loop(count, "j") as j, c.loop(self.size, "i") as i:

            def term(at: tuple[Index, ...]) -> Expr:
                return op("mul", k(j, at[0]), Load(self.qt, (at[0] * self.size + i,)))

            found = c.bind(cast(c.reduce("sum", (self.depth,), term), self.s.dtype))
            place = (*self.at, self.start + i, first + j)
            flat = (j * self.size + i,)
            with c.under(self.present(i)):
                c.given(self.s, place, found)
                self.give(masks, place, flat)
                score = c.element(self.t, place)
            if self.has_scores:
                c.put(Store(self.kept, flat, found))
            c.put(Store(self.p, flat, cast(score, self.outer)))
        with c.loop(count, "j") as j, c.loop(self.size, "i") as i:
            flat = (j * self.size + i,)
            below = op("sub", Load(self.p, flat), Load(self.top, (i,)))
            power = op("exp", op("sub", below, Load(self.log, (i,))))
            c.put(Store(self.p, flat, self.chosen(i, power)))

    def differentiate(self, v: Row, masks: Any, first: Index, count: Index) -> None:
        """u = map'(p * (dp - mean))"""
        c = self.c
        with c.loop(count, "j") as j, c.loop(self.size, "i") as i:

            def term(at: tuple[Index, ...]) -> Expr:
                return op("mul", v(j, at[0]), Load(self.gt, (at[0] * self.size + i,)))

            each = c.reduce("sum", (self.width,), term)
            place = (*self.at, self.start + i, first + j)
            flat = (j * self.size + i,)
            found = op("mul", Load(self.p, flat), op("sub", each, Load(self.mean, (i,))))
            with c.under(self.present(i)):
                c.given(self.u, place, c.bind(cast(found, self.u.dtype)))
                if self.has_scores:
                    c.given(self.s, place, c.bind(Load(self.kept, flat)))
                self.give(masks, place, flat)
                found = c.element(self.ds, place)
            c.put(Store(self.u_block, flat, self.chosen(i, cast(found, self.outer))))

    def give(self, masks: Any, place: tuple[Index, ...], flat: tuple[Index]) -> None:
        """Says what the turned planes hold."""
        for mask, axes, turned in masks:
            at = tuple(0 if a is None else place[a] for a in axes)
            self.c.given(mask, at, self.c.bind(restored(Load(turned, flat), mask.dtype)))

    def add_keys(
        self, sums: Buffer, extent: int, left: Buffer, right: Row, first: Index, count: Index
    ) -> None:
        """sums[j, x] += sum over i of left[j, i] * right[i, x]"""
        c = self.c
        with c.loop(count, "j") as j, c.loop(extent, "x") as x:

            def term(at: tuple[Index, ...]) -> Expr:
                return op("mul", Load(left, (j * self.size + at[0],)), right(at[0], x))

            more = c.reduce("sum", (self.size,), term)
            place = self.place(sums, first + j, x)
            c.put(Store(sums, place, op("add", Load(sums, place), more)))


def _emit(c: Any) -> tuple[()]:
    _Writer(c).write()
    return ()


# -------------------------------------------------------------------------------------------- card


def _samples() -> Iterable[Sample]:
    for types, body in sample_bodies():
        dtype: DType = types[0].dtype
        q, _, v, t = (value.type for value in body.results)
        rows = TensorType(weights_dtype(t, v), q.shape[:-1])
        g = TensorType(dtype, (*q.shape[:-1], v.shape[-1]))
        yield Sample((*types, g, rows, rows, rows), {"body": gradient_body(body)}, -1.0, 1.0)


ATTENTION_GRADIENT = register(
    OpDef(
        name="attention_gradient",
        doc="the cotangents of q, k and v for that of attention's result, its rows m and log, and "
        "the sums of cotangent*result; (q, k, v, t, ds) = body(s, u, a, ...)",
        kind="opaque",
        infer=_infer,
        evaluate=_evaluate,
        lower=_emit,
        source="Dao et al., FlashAttention, 2022; f16 and bf16 sum in f32",
        derivative=Expansion(expanded_gradient),
        batching=batching("attention_gradient", 2),
        cost=128,
        samples=_samples,
    )
)
