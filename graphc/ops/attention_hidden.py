"""Which keys a map hides from which queries, read off the map: causal masks.

    t = where(key <= query + 3, s, fill)    hides every key after query + 3 by `fill`

A hidden key has weight 0: always, where the fill is -inf; else as soon as a visible score is so
much greater than the fill that the exponential of the difference is 0. What attention.py makes of
it: a block of keys that is hidden from all queries of a block is not multiplied.
"""

from __future__ import annotations

import math

from graphc_runtime.records import dataclass

from ..ir import Graph, Value
from ..types import I32, I64

MARGIN = 1000.0
"""A weight of exp(-MARGIN) is 0 in every dtype."""
FAR = 1 << 30
"""An offset beyond this is not believed; less than none is that every key is hidden."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Keys after query + offset have the score `fill`, or less."""

    offset: int
    fill: float

    @property
    def always(self) -> bool:
        return self.fill == -math.inf


@dataclass(frozen=True, slots=True)
class _Affine:
    """query * rows + key * columns + constant."""

    rows: int
    columns: int
    constant: int


Axes = tuple[int | None, ...]
"""Which axes of the scores those of a value are; None of one with a single place."""


def hidden_keys(body: Graph) -> Hidden | None:
    """What the map of an attention's body hides, or None."""
    t = body.results[3]
    found = _most(t, t, tuple(range(t.type.rank)))
    useful = found is not None and found.fill < 0 and abs(found.offset) < FAR
    return found if useful else None


def _most(value: Value, t: Value, axes: Axes) -> Hidden | None:
    """A bound for hidden scores."""
    node = value.node
    if node.op.name in ("broadcast", "reshape"):
        below = _below(value, axes)
        return None if below is None else _most(node.operands[0], t, below)
    if node.op.name == "full":
        fill = node.attrs["value"]
        return None if isinstance(fill, complex) or fill != fill else Hidden(-FAR, float(fill))
    if node.op.name == "cast" and node.operands[0].dtype.is_float:
        below = _most(node.operands[0], t, axes)
        narrower = value.dtype.bits < node.operands[0].dtype.bits
        return None if narrower and below is not None and not below.always else below
    if node.op.name != "select":
        return None
    cond, a, b = node.operands
    bounds = [_most(one, t, axes) for one in (a, b)]
    offset = _visible_until(cond, t, axes)
    if offset is not None and bounds[1] is not None:
        hides = Hidden(max(offset, bounds[1].offset), bounds[1].fill)
        if bounds[0] is None or bounds[0].offset >= hides.offset:
            return hides
    if bounds[0] is None or bounds[1] is None:
        return None
    return Hidden(max(one.offset for one in bounds if one), max(one.fill for one in bounds if one))


def _below(value: Value, axes: Axes) -> Axes | None:
    """The axes of what a broadcast or a reshape that adds or drops single places is of."""
    node = value.node
    inner = node.operands[0]
    if node.op.name == "broadcast":
        pairs = zip(inner.shape, node.attrs["axes"], strict=True)
        return tuple(None if extent == 1 else axes[a] for extent, a in pairs)
    kept = [axis for extent, axis in zip(value.shape, axes, strict=True) if extent != 1]
    if [n for n in inner.shape if n != 1] != [n for n in value.shape if n != 1]:
        return None
    left = iter(kept)
    return tuple(None if extent == 1 else next(left) for extent in inner.shape)


def _visible_until(cond: Value, t: Value, axes: Axes) -> int | None:
    """The k such that the condition only holds for key <= query + k."""
    node = cond.node
    if node.op.name in ("broadcast", "reshape"):
        below = _below(cond, axes)
        return None if below is None else _visible_until(node.operands[0], t, below)
    if node.op.name == "and":
        known = [k for k in (_visible_until(v, t, axes) for v in node.operands) if k is not None]
        return min(known, default=None)
    if node.op.name not in ("le", "lt", "ge", "gt"):
        return None
    a, b = (_affine(v, t, axes) for v in node.operands)
    if a is None or b is None:
        return None
    if node.op.name in ("ge", "gt"):
        a, b = b, a
    # a <= b, or a < b: what is left of a - b is key - query - k
    rows, columns, constant = (
        x - y for x, y in zip(
            (a.rows, a.columns, a.constant), (b.rows, b.columns, b.constant), strict=True
        )
    )  # fmt: skip
    if (rows, columns) != (-1, 1):
        return None
    return -constant - (node.op.name in ("lt", "gt"))


def _affine(value: Value, t: Value, axes: Axes) -> _Affine | None:
    """An integer as a function of the query's and the key's number."""
    node, rank = value.node, t.type.rank
    if value.dtype not in (I32, I64):  # others may wrap around
        return None
    if node.op.name == "full":
        number = int(node.attrs["value"])
        return _Affine(0, 0, number) if abs(number) < FAR else None
    if node.op.name == "iota":
        axis = axes[node.attrs["axis"]]
        if axis is None:
            return _Affine(0, 0, 0)
        if axis < rank - 2:
            return None
        return _Affine(int(axis == rank - 2), int(axis == rank - 1), 0)
    if node.op.name in ("broadcast", "reshape"):
        below = _below(value, axes)
        return None if below is None else _affine(node.operands[0], t, below)
    if node.op.name in ("add", "sub"):
        a, b = (_affine(v, t, axes) for v in node.operands)
        if a is None or b is None:
            return None
        sign = 1 if node.op.name == "add" else -1
        return _Affine(
            a.rows + sign * b.rows, a.columns + sign * b.columns, a.constant + sign * b.constant
        )
    return None
