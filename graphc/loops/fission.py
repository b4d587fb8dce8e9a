"""fission: a row of reductions, and the costly rest of every element, as two loops.

    for j in 28:                              row[28]
      acc = 0; for r: acc += f(j, r)     ->   for j in 28:
      y[j] = log1p(exp(acc))                    acc = 0; for r: acc += f(j, r); row[j] = acc
                                              for j in 28: y[j] = log1p(exp(row[j]))

Lanes run along the reductions, one element after the other; what follows them runs along the row
(32 to 1 channel, 3x3, 128 images of 28x28, with a softplus and its derivative: 10.2 -> 4 ms; with
a sigmoid 6.1 -> 2.7 ms).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L
from .cost import body_cost
from .rowcache import ROW_BYTES, without_dead

WORTH = 20
"""Instructions of the rest from which a store and a load of every reduction are worth it."""
SHORT = 8
"""Rows of fewer elements are left: lanes would be empty."""


def fission(loop: L.For, fresh: Callable[[str], str]) -> tuple[list[L.Stmt], L.For, L.For] | None:
    """The rows to be allocated and the two loops; None where the loop is another or gains nothing.

    Only serial loops: the rows belong to one iteration of what is around.
    """
    loop = _without_units(loop)
    inside = [k for k, s in enumerate(loop.body) if isinstance(s, L.For)]
    if loop.kind != "serial" or len(inside) != 1:
        return None
    if not isinstance(loop.extent, int) or not SHORT <= loop.extent <= ROW_BYTES // 8:
        return None
    before, after = loop.body[: inside[0]], loop.body[inside[0] + 1 :]
    lets = tuple(s for s in before if isinstance(s, L.Let))
    sums = [s.buffer for s in before if isinstance(s, L.Alloc)]
    if any(not isinstance(s, (L.Let, L.Alloc, L.Store)) for s in before) or not sums:
        return None
    if any(b.space != "register" or b.shape != (1,) for b in sums):
        return None
    if any(s.buffer not in sums for s in before if isinstance(s, L.Store)):
        return None
    if any(not isinstance(s, (L.Let, L.Store)) for s in after) or body_cost(after) < WORTH:
        return None
    if any(s.buffer in sums for s in after if isinstance(s, L.Store)):
        return None
    rows = {b: L.Buffer(fresh("row"), b.dtype, (loop.extent,), None, "local") for b in sums}
    own, var = Dim.symbol(loop.var), fresh(loop.var)
    kept = [L.Store(row, (own,), L.Load(b, (0,))) for b, row in rows.items()]
    first = replace(loop, body=(*loop.body[: inside[0] + 1], *kept))

    def stored(expr: L.Expr) -> L.Expr:
        if isinstance(expr, L.Load) and expr.buffer in rows:
            return L.Load(rows[expr.buffer], (Dim.symbol(var),))
        return expr

    def moved(index: L.Index) -> L.Index:
        return (
            ty.substitute(index, {loop.var: Dim.symbol(var)}) if isinstance(index, Dim) else index
        )

    rest = [L.map_stmt(s, moved, stored) for s in (*lets, *after)]
    second = replace(loop, var=var, body=without_dead(rest))
    return [L.Alloc(row) for row in rows.values()], first, second


def _without_units(loop: L.For) -> L.For:
    """The loop with what stands in loops of one iteration directly in it."""
    while len(loop.body) == 1:
        inner = loop.body[0]
        if not isinstance(inner, L.For) or inner.extent != 1 or inner.kind != "serial":
            break
        loop = replace(loop, body=tuple(L.substitute(s, {inner.var: 0}) for s in inner.body))
    return loop
