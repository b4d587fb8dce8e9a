"""Derivatives and batches of attention, and of its gradient; asks for cards by name.

The gradient is a node of its own (attention_gradient.py), which stores no matrix of scores. What it
is made of is written out in ordinary ops, with that matrix, where more is asked for: forward mode,
derivatives of the gradient, and the gradient of what the map of the scores reads (a bias).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import types as ty
from ..ir import Graph, Value, inline, param, reachable
from ..opdef import Attrs, lookup
from ..types import DType, Extent
from . import formula as fm
from .batching import all_spread, spread
from .formula import Formula
from .reduction import wide

Values = Sequence["Value | None"]


def weights_dtype(t: Any, v: Any) -> DType:
    """The dtype of the weights, and of the sums over them."""
    return max((wide(ty.dtype(t.dtype)), wide(ty.dtype(v.dtype))), key=lambda d: d.bits)


# -------------------------------------------------------------------------------------- written out


@dataclass(frozen=True, slots=True)
class _Matrix:
    """Queries, keys, values, and the matrix of scores before and after the map."""

    q: Value
    k: Value
    v: Value
    s: Value
    t: Value

    @staticmethod
    def of(body: Graph, scores: Sequence[Value], operands: Sequence[Value]) -> _Matrix:
        """For the operands of a node; `scores` are the parameters of the body before those."""
        rows = Graph.of("rows", body.params[len(scores) :], body.results[:3])
        q, k, v = inline(rows, operands)
        s = _dot(q, k, (-1, -1), scores[0].dtype)
        params = (scores[0], *body.params[len(scores) :])
        (t,) = inline(Graph.of("map", params, body.results[3:4]), [s, *operands])
        return _Matrix(q, k, v, s, t)

    @property
    def dtype(self) -> DType:
        """Of weights and their sums."""
        return weights_dtype(self.t, self.v)

    def weights(self, *less: Value) -> Formula:
        """exp(t - ...), for numbers of each query."""
        found = Formula(fm.cast(self.t, self.dtype))
        for row in less:
            found = found - _spread(row, self.t.shape)
        return found.f("exp")

    def cotangent(self, weights: Formula, g: Value, mean: Value) -> Value:
        """That of t."""
        each = _dot(fm.cast(g, self.dtype), fm.cast(self.v, self.dtype), (-1, -1))
        found = weights * (Formula(each) - _spread(mean, self.t.shape))
        return fm.cast(found.value, self.t.dtype)

    def pulled(self, weights: Formula, g: Value, ds: Value) -> tuple[Value, Value, Value]:
        """The cotangents of q, k and v."""
        own, ds = self.dtype, fm.cast(ds, self.dtype)
        dq = _dot(ds, fm.cast(self.k, own), (-1, -2))
        dk = _dot(ds, fm.cast(self.q, own), (-2, -2))
        dv = _dot(weights.value, fm.cast(g, own), (-2, -2))
        return fm.cast(dq, self.q.dtype), fm.cast(dk, self.k.dtype), fm.cast(dv, self.v.dtype)


def _dot(a: Value, b: Value, axes: tuple[int, int], dtype: DType | None = None) -> Value:
    """A product in each head, over an axis of each, from behind."""
    rank = a.type.rank
    batch = tuple(range(rank - 2))
    contract = tuple((rank + axis,) for axis in axes)
    attrs: dict[str, Any] = {"contract": contract, "batch": (batch, batch)}
    if dtype is not None and dtype is not a.dtype:
        attrs["dtype"] = dtype
    return lookup("dot")(a, b, **attrs)


def _spread(row: Value, shape: tuple[Extent, ...]) -> Formula:
    """A number of each query along another axis."""
    return Formula(fm.broadcast(row, shape, range(len(shape) - 1)))


def expanded(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    """The results of an attention from ordinary ops."""
    body: Graph = attrs["body"]
    m = _Matrix.of(body, body.params[:1], operands)
    t, last = fm.cast(m.t, m.dtype), (m.t.type.rank - 1,)
    if m.t.shape[-1] == 0:
        top = Formula(fm.full(t.type.with_shape(m.t.shape[:-1]), -math.inf))
    else:
        top = Formula(fm.reduce("max", t, last))
        top = Formula(lookup("stop_gradient")(top.value))  # it cancels
    # what cannot be subtracted stays: weights of nothing are 0, of infinities NaN
    e = m.weights(top.f("isfinite").where(top, 0).value)
    total = Formula(fm.reduce("sum", e.value, last))
    above = _dot(e.value, fm.cast(m.v, m.dtype), (-1, -2))
    y = fm.cast((Formula(above) / _spread(total.value, above.shape)).value, attrs["dtype"])
    if not attrs.get("rows", False):
        return (y,)
    return y, top.value, total.f("log").value


def expanded_gradient(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    """The results of an attention's gradient from ordinary ops."""
    body: Graph = attrs["body"]
    *own, g, top, log, mean = operands
    m = _Matrix.of(body, body.params[:2], own)
    weights = m.weights(top, log)
    u = m.cotangent(weights, g, mean)
    (ds,) = inline(Graph.of("ds", body.params, body.results[4:]), [m.s, u, *own])
    return m.pulled(weights, g, ds)


# ------------------------------------------------------------------------------------------- rules


def jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """The tangents of an attention's results."""
    from ..derivatives.forward import jvp as forward

    inside = [param(v.type, f"x{k}") for k, v in enumerate(operands)]
    return forward(expanded(inside, attrs), inside, operands, tangents)[1]


def vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    """The cotangents of an attention's operands."""
    from ..derivatives.reverse import Pullback
    from .attention_gradient import gradient_sizes

    body: Graph = attrs["body"]
    if not attrs.get("rows", False):
        results = lookup("attention")(*operands, **attrs, rows=True)
        cotangents = (*cotangents, None, None)
    y, top, log = results
    g, _, more = cotangents
    g = fm.zeros(y.type) if g is None else g
    product = Formula(fm.cast(g, log.dtype)) * Formula(fm.cast(y, log.dtype))
    mean = Formula(fm.reduce("sum", product.value, (y.type.rank - 1,)))
    if more is not None:
        mean = mean - Formula(more)  # log(sum(exp(t - top))) has the derivative exp(t - top - log)
    params = body.params[1:]
    back = Pullback(body.results[:3], params, operands)
    reads = _read(body.results[3])
    direct: Values = [None] * len(params)
    bodied = gradient_body(body)
    if gradient_sizes(bodied) is not None and not any(
        want and p in reads for p, want in zip(params, wanted, strict=True)
    ):
        rows = lookup("attention_gradient")(*operands, g, top, log, mean.value, body=bodied)
    else:
        m = _Matrix.of(body, body.params[:1], operands)
        weights = m.weights(top, log)
        u = m.cotangent(weights, g, mean.value)
        ds, *direct = Pullback(body.results[3:], body.params, [m.s, *operands]).pull([u])
        rows = m.pulled(weights, g, fm.zeros(m.s.type) if ds is None else ds)
    found = back.pull(rows)
    return [
        a if b is None else b if a is None else (Formula(a) + Formula(b)).value
        for a, b in zip(found, direct, strict=True)
    ]


def _read(value: Value) -> set[Value]:
    """What a value of a body is made of."""
    return {value} | {v for node in reachable([value]) for v in node.operands}


def gradient_body(body: Graph) -> Graph:
    """The body of an attention's gradient: it takes the cotangent u of the mapped scores, and
    answers that of the scores too.
    """
    from ..derivatives.reverse import Pullback

    s, *own = body.params
    t = body.results[3]
    u = param(t.type, "u")
    (ds,) = Pullback([t], [s], [s]).pull([u])
    ds = fm.zeros(s.type) if ds is None else ds
    return Graph.of("body", (s, u, *own), (*body.results, ds))


# ----------------------------------------------------------------------------------------- batches


def batching(name: str, leading: int) -> Any:
    """The rule of a card whose body has `leading` parameters before those of the operands. Operands
    that the body does not take are numbers of queries.
    """

    def rule(operands: Sequence[Value], batched: Sequence[bool], attrs: Attrs, size: Extent) -> Any:
        from ..derivatives.batch import batch

        body: Graph = attrs["body"]
        own = len(body.params) - leading
        flags = [True] * leading + list(batched[:own])
        params = [
            param(p.type.with_shape((size, *p.shape)) if b else p.type, p.node.attrs["name"])
            for p, b in zip(body.params, flags, strict=True)
        ]
        found = batch(body.results, body.params, params, flags, size)
        whole = Graph.of(body.name, params, [spread(v, b, size) for v, b in found])
        rest = all_spread(operands[own:], batched[own:], size)
        return lookup(name)(*operands[:own], *rest, **{**attrs, "body": whole})

    return rule
