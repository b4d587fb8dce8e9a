"""Writes what can be written in several ways in one way.

    %1 = transpose{axes=(1, 0)} %x
    %2 = transpose{axes=(1, 0)} %1      ->   %1 = lt %y %x
    %3 = gt %2 %y                            return %1

Requires: a valid graph.
Guarantees, of every node in the result (the canonical form that other passes may rely on):
    - a constant whose elements are all equal is a `full`, whose value is what its dtype can hold;
      an `extent` of a number and an `iota` along an axis of extent 1 are `full` too
    - the constant operand of a commutative op is on the right; `sub` of a constant is `add` of its
      negative, except for unsigned integers; there is no `gt` and no `ge`
    - no movement op does nothing; none stands on its like; `full` and, where exact, `iota` are not
      moved
    - a `broadcast` stretches something, and a `transpose` reorders axes that are not of extent 1;
      what only adds, drops or moves axes of extent 1 is a `reshape`. A `transpose` of a `broadcast`
      is a `broadcast` of a `transpose`
    - a `reduce` has increasing axes, at least one, none of extent 1 (but for complex products), and
      does not stand on a `reduce` of its kind
    - a `dot` contracts axes in the order of its left operand, and reads through transposes that it
      can absorb and through casts of both operands that its `dtype` can stand for
    - no exact `cast` stands under a `cast`; no op that undoes itself stands on itself; no `select`
      of equal values
Exact, except that merging two float sums or products reassociates them, which reductions are free
to do anyway.
Placement: first in the simplifying group: the other rules are written for this form.
Cost: one walk. A rule looks at a node and at most two levels of operands.

The machinery of local rules (`RuleSet`) lives here too; algebraic and stability use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from .. import types as ty
from ..errors import TypeMismatch, VerifyError
from ..ir import Graph, Node, Value, make, rewrite
from ..opdef import cards, lookup
from ..ops.contraction import product_dtype
from .everywhere import everywhere
from .fold import evaluated, full, is_constant, scalar, uniform

Replacement = Value | tuple[Value, ...] | None
Rule = Callable[[Node], Replacement]
MOST_STEPS = 64


class RuleSet:
    """Local rules, by the names of the ops that they are tried on.

    A rule takes a node and answers what stands for its result (a tuple when there are several), or
    None where it does not apply. It looks at operands, never at users; what it builds (with `new`)
    is nearer to the form that the set leads to. Then one walk, operands first, reaches that form:
    operands are in it before their users.
    """

    def __init__(self) -> None:
        self.rules: dict[str, list[Rule]] = {}

    def on(self, *names: str) -> Callable[[Rule], Rule]:
        """Decorates a rule for nodes of these ops; rules are tried in order of definition."""

        def add(rule: Rule) -> Rule:
            for name in names:
                self.rules.setdefault(name, []).append(rule)
            return rule

        return add

    def new(self, name: str, *operands: Value, **attrs: Any) -> Value:
        """The value of a new node, or of what the rules make of it."""
        return self.settle(make(lookup(name), operands, attrs))[0]

    def settle(self, node: Node) -> tuple[Value, ...]:
        """What stands for the node's results when no rule applies any more."""
        for _ in range(MOST_STEPS):
            found = self._first(node)
            if found is None:
                return node.results
            values = found if isinstance(found, tuple) else (found,)
            if [v.type for v in values] != [r.type for r in node.results]:
                raise VerifyError(f"a rule for {node!r} answers {values}, of another type")
            if values[0].node.results != values:
                return values
            node = values[0].node
        raise VerifyError(f"the rules for {node!r} do not come to an end")

    def _first(self, node: Node) -> Replacement:
        for rule in self.rules.get(node.op.name, ()):
            found = rule(node)
            if found is not None:
                return found
        return None

    def apply(self, graph: Graph) -> Graph:
        """The graph after one walk."""

        def visit(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
            changed = operands != node.operands
            return self.settle(make(node.op, operands, node.attrs) if changed else node)

        return rewrite(graph, visit)


RULES = RuleSet()
new = RULES.new


@everywhere
def canonicalize(graph: Graph) -> Graph:
    """The graph in canonical form."""
    return RULES.apply(graph)


def operand(node: Node, name: str, position: int = 0) -> Node | None:
    """The node of that operand, when its op has that name."""
    found = node.operands[position].node
    return found if found.op.name == name else None


# --------------------------------------------------------------------------------------- constants


@RULES.on("constant")
def _uniform_constant(node: Node) -> Replacement:
    array = node.attrs["value"].array
    if array.size == 0:
        return full(node.results[0].type, 0)
    flat = array.reshape(-1)
    if flat[:1].tobytes() != flat[-1:].tobytes():
        return None
    value = flat[0].item()
    if np.full((), value, array.dtype).tobytes() != flat[:1].tobytes():
        return None  # a NaN with a payload
    parts = flat.view(np.uint8).reshape(flat.size, -1)
    return full(node.results[0].type, value) if (parts == parts[0]).all() else None


@RULES.on("full")
def _normal_full(node: Node) -> Replacement:
    value, type = node.attrs["value"], node.results[0].type
    held = scalar(value, type.dtype)
    same = held.__class__ is value.__class__ and repr(held) == repr(value)
    return None if same else full(type, held)


@RULES.on("extent")
def _known_extent(node: Node) -> Replacement:
    value = node.attrs["value"]
    return full(node.results[0].type, value) if isinstance(value, int) else None


@RULES.on("iota")
def _short_iota(node: Node) -> Replacement:
    type = node.results[0].type
    return full(type, 0) if type.shape[node.attrs["axis"]] in (0, 1) else None


# ------------------------------------------------------------------------------------- elementwise


@RULES.on(*(c.name for c in cards("elementwise") if c.commutative))
def _constant_right(node: Node) -> Replacement:
    """op(c, x) -> op(x, c)"""
    a, b = node.operands
    return new(node.op.name, b, a) if is_constant(a) and not is_constant(b) else None


@RULES.on("sub")
def _sub_constant(node: Node) -> Replacement:
    """x - c -> x + (-c), which IEEE 754 defines to be the same and which wraps the same"""
    a, b = node.operands
    c, dtype = uniform(b), b.dtype
    if c is None or is_constant(a) or dtype.kind == "u":
        return None
    return new("add", a, full(b.type, evaluated("neg", (c,), dtype)))


@RULES.on("gt", "ge")
def _less(node: Node) -> Replacement:
    """a > b -> b < a"""
    a, b = node.operands
    return new("lt" if node.op.name == "gt" else "le", b, a)


@RULES.on(*(c.name for c in cards("elementwise") if c.involution))
def _undone(node: Node) -> Replacement:
    """not(not(x)) -> x"""
    inner = operand(node, node.op.name)
    return inner.operands[0] if inner else None


@RULES.on("select")
def _equal_branches(node: Node) -> Replacement:
    _, a, b = node.operands
    return a if a is b else None


@RULES.on("cast")
def _cast(node: Node) -> Replacement:
    """cast(x) to x's dtype -> x; cast(cast(x)) -> cast(x) where the inner one loses nothing"""
    x, to = node.operands[0], node.attrs["dtype"]
    if x.dtype is to:
        return x
    inner = operand(node, "cast")
    if inner and direct(inner.operands[0].dtype, x.dtype, to):
        return new("cast", inner.operands[0], dtype=to)
    return None


_PRECISION = {"f16": (11, 5), "bf16": (8, 8), "f32": (24, 8), "f64": (53, 11)}


def holds(wide: ty.DType, narrow: ty.DType) -> bool:
    """Whether `wide` has a value for every value of `narrow`."""
    if wide is narrow or narrow.kind == "b":
        return True
    if wide.kind == "b" or (narrow.is_complex and not wide.is_complex):
        return False
    wide, narrow = wide.real, narrow.real
    if wide.is_float:
        digits, exponent = _PRECISION[wide.name]
        if narrow.is_float:
            return digits >= _PRECISION[narrow.name][0] and exponent >= _PRECISION[narrow.name][1]
        return digits >= narrow.bits - (narrow.kind == "i")
    if narrow.is_float or (narrow.kind == "i" and wide.kind == "u"):
        return False
    return wide.bits - (wide.kind == "i") >= narrow.bits - (narrow.kind == "i")


def direct(source: ty.DType, middle: ty.DType, to: ty.DType) -> bool:
    """Whether a cast from `source` to `to` through `middle` is one from `source` to `to`."""
    if source.is_integer and middle.is_integer and to.is_integer and to.bits <= middle.bits:
        return True  # the low bits pass through
    if not holds(middle, source):
        return False
    # what a float out of an integer's range turns into is no function of its value alone
    return not to.is_integer or source.kind == "b" or middle.is_integer or holds(to, source)


@RULES.on("bitcast")
def _bitcast(node: Node) -> Replacement:
    x, to = node.operands[0], node.attrs["dtype"]
    if x.dtype is to:
        return x
    inner = operand(node, "bitcast")
    if inner and inner.operands[0].dtype.bits == x.dtype.bits == to.bits:
        return new("bitcast", inner.operands[0], dtype=to)
    return None


# ---------------------------------------------------------------------------------------- movement


@RULES.on("broadcast", "reshape", "transpose", "slice", "dynamic_slice")
def _moved_full(node: Node) -> Replacement:
    c = uniform(node.operands[0])
    return None if c is None else full(node.results[0].type, c)


@RULES.on("broadcast", "reshape", "transpose", "slice")
def _moved_iota(node: Node) -> Replacement:
    """An iota whose counted axis only finds another place is an iota of the new shape."""
    inner, name = operand(node, "iota"), node.op.name
    if inner is None:
        return None
    axis, attrs, shape = inner.attrs["axis"], node.attrs, node.results[0].shape
    if name == "broadcast":
        axis = attrs["axes"][axis]
    elif name == "transpose":
        axis = attrs["axes"].index(axis)
    elif name == "slice":
        if attrs["start"][axis] != 0 or attrs["step"][axis] != 1:
            return None
    else:
        found = wide_axes(shape)
        if not same_but_units(inner.results[0].shape, shape):
            return None
        axis = found[wide_axes(inner.results[0].shape).index(axis)]
    return new("iota", dtype=inner.attrs["dtype"], shape=shape, axis=axis)


def wide_axes(shape: Sequence[ty.Extent]) -> list[int]:
    """The axes whose extent is not 1."""
    return [axis for axis, extent in enumerate(shape) if extent != 1]


def same_but_units(a: Sequence[ty.Extent], b: Sequence[ty.Extent]) -> bool:
    """Whether the shapes differ in axes of extent 1 only."""
    return [n for n in a if n != 1] == [n for n in b if n != 1]


@RULES.on("reshape")
def _reshape(node: Node) -> Replacement:
    x, shape = node.operands[0], node.attrs["shape"]
    if x.shape == tuple(shape):
        return x
    inner = operand(node, "reshape")
    return new("reshape", inner.operands[0], shape=shape) if inner else None


@RULES.on("transpose")
def _transpose(node: Node) -> Replacement:
    x, axes = node.operands[0], node.attrs["axes"]
    if list(axes) == sorted(axes):
        return x
    inner = operand(node, "transpose")
    if inner:
        return new("transpose", inner.operands[0], axes=tuple(inner.attrs["axes"][a] for a in axes))
    wide = [a for a in axes if x.shape[a] != 1]
    if wide == sorted(wide):
        return new("reshape", x, shape=node.results[0].shape)
    spread = operand(node, "broadcast")
    if spread is None:
        return None
    places = [axes.index(place) for place in spread.attrs["axes"]]
    order = sorted(range(len(places)), key=places.__getitem__)
    return new(
        "broadcast",
        new("transpose", spread.operands[0], axes=tuple(order)),
        shape=node.results[0].shape,
        axes=tuple(sorted(places)),
    )


@RULES.on("broadcast")
def _broadcast(node: Node) -> Replacement:
    x, shape, axes = node.operands[0], node.attrs["shape"], node.attrs["axes"]
    if x.shape == tuple(shape):
        return x
    if all(x.shape[axes.index(a)] == n if a in axes else n == 1 for a, n in enumerate(shape)):
        return new("reshape", x, shape=shape)
    inner = operand(node, "broadcast")
    if inner:
        through = tuple(axes[a] for a in inner.attrs["axes"])
        return new("broadcast", inner.operands[0], shape=shape, axes=through)
    inner = operand(node, "reshape")
    if inner:
        source = inner.operands[0]
        if 1 not in source.shape and same_but_units(source.shape, x.shape):
            places = tuple(axes[a] for a in wide_axes(x.shape))
            return new("broadcast", source, shape=shape, axes=places)
    return None


@RULES.on("slice")
def _slice(node: Node) -> Replacement:
    x = node.operands[0]
    start, shape, step = (tuple(node.attrs[name]) for name in ("start", "shape", "step"))
    if x.shape == shape and all(s == 0 for s in start) and all(t == 1 for t in step):
        return x
    plain_start = tuple(0 if n == 0 else s for s, n in zip(start, shape, strict=True))
    plain_step = tuple(1 if n in (0, 1) else t for t, n in zip(step, shape, strict=True))
    if (plain_start, plain_step) != (start, step):
        return new("slice", x, start=plain_start, shape=shape, step=plain_step)
    inner = operand(node, "slice")
    if inner is None:
        return None
    rows = list(zip(inner.attrs["start"], inner.attrs["step"], start, step, strict=True))
    return new(
        "slice",
        inner.operands[0],
        start=tuple(s + s2 * t for s, t, s2, _ in rows),
        shape=shape,
        step=tuple(t * t2 for _, t, _, t2 in rows),
    )


@RULES.on("pad")
def _pad(node: Node) -> Replacement:
    x, value = node.operands
    low, high, interior = (node.attrs[name] for name in ("low", "high", "interior"))
    if all(e == 0 for e in (*low, *high, *interior)):
        return x
    c = uniform(x)
    if c is not None and repr(c) == repr(uniform(value)):
        return full(node.results[0].type, c)
    inner = operand(node, "pad")
    if inner is None or inner.operands[1] is not value or any(interior):
        return None
    edges = (*low, *high, *inner.attrs["low"], *inner.attrs["high"])
    if any(inner.attrs["interior"]) or not all(_never_negative(e) for e in edges):
        return None  # what one pad cuts off, the other does not bring back
    low, high = (
        tuple(a + b for a, b in zip(node.attrs[name], inner.attrs[name], strict=True))
        for name in ("low", "high")
    )
    return new("pad", inner.operands[0], value, low=low, high=high, interior=interior)


def _never_negative(extent: ty.Extent) -> bool:
    low, _ = ty.bounds(extent)
    return low is not None and low >= 0


@RULES.on("concatenate")
def _concatenate(node: Node) -> Replacement:
    axis = node.attrs["axis"]
    if len(node.operands) == 1:
        return node.operands[0]
    kept = [v for v in node.operands if v.shape[axis] != 0]
    if len(kept) < len(node.operands):
        return new("concatenate", *(kept or node.operands[:1]), axis=axis)
    c = uniform(kept[0])
    if c is not None and all(repr(uniform(v)) == repr(c) for v in kept):
        return full(node.results[0].type, c)
    return _joined_slices(kept, axis)


def _joined_slices(parts: Sequence[Value], axis: int) -> Replacement:
    """Neighbouring slices of one value, one after the other, are one slice: rows stacked again."""
    if any(v.node.op.name != "slice" for v in parts):
        return None
    nodes = [v.node for v in parts]
    starts, steps = ([list(n.attrs[name]) for n in nodes] for name in ("start", "step"))
    # of a single element the step says nothing
    long = [s[axis] for v, s in zip(parts, steps, strict=True) if v.shape[axis] != 1]
    stride = long[0] if long else starts[1][axis] - starts[0][axis]
    start, step, place = list(starts[0]), list(steps[0]), starts[0][axis]
    step[axis] = stride
    for value, own_start, own_step in zip(parts, starts, steps, strict=True):
        if own_start[axis] != place or (value.shape[axis] != 1 and own_step[axis] != stride):
            return None
        own_start[axis], own_step[axis] = start[axis], stride
        if own_start != start or own_step != step:
            return None
        place = place + value.shape[axis] * stride
    x, shape = nodes[0].operands[0], list(parts[0].shape)
    if stride == 0 or any(n.operands[0] is not x for n in nodes):
        return None
    shape[axis] = sum(v.shape[axis] for v in parts)
    return new("slice", x, start=tuple(start), shape=tuple(shape), step=tuple(step))


@RULES.on("update")
def _update(node: Node) -> Replacement:
    """An update of everything is the new value; of nothing, the old; the later of two wins."""
    x, u = node.operands
    start, step = tuple(node.attrs["start"]), tuple(node.attrs["step"])
    if 0 in u.shape:
        return x
    if x.shape == u.shape and all(s == 0 for s in start) and all(t == 1 for t in step):
        return u
    c = uniform(x)
    if c is not None and repr(uniform(u)) == repr(c):
        return x
    inner = operand(node, "update")
    if inner and inner.operands[1].shape == u.shape:
        if (tuple(inner.attrs["start"]), tuple(inner.attrs["step"])) == (start, step):
            return new("update", inner.operands[0], u, start=start, step=step)
    return None


@RULES.on("dynamic_slice", "dynamic_update")
def _known_starts(node: Node) -> Replacement:
    """Starts that are numbers, or have no room, make a slice or an update."""
    x = node.operands[0]
    taken = node.operands[1:] if node.op.name == "dynamic_slice" else node.operands[2:]
    part = node.attrs["shape"] if node.op.name == "dynamic_slice" else node.operands[1].shape
    start: list[int] = []
    for n, m, s in zip(x.shape, part, taken, strict=True):
        room, asked = n - m, uniform(s)
        if room == 0:
            start.append(0)
        elif isinstance(room, int) and isinstance(asked, int):
            start.append(max(0, min(asked, room)))
        else:
            return None
    step = (1,) * len(start)
    if node.op.name == "dynamic_slice":
        return new("slice", x, start=tuple(start), shape=tuple(part), step=step)
    return new("update", x, node.operands[1], start=tuple(start), step=step)


# ------------------------------------------------------------------------ reduction, contraction


@RULES.on("reduce")
def _reduce(node: Node) -> Replacement:
    x, kind, axes = node.operands[0], node.attrs["kind"], tuple(node.attrs["axes"])
    if not axes:
        return x
    units = [a for a in axes if x.shape[a] == 1]
    if units and not (kind == "prod" and x.dtype.is_complex):  # 1*z changes the parts of some z
        left = [a for a in range(x.type.rank) if a not in units]
        flat = new("reshape", x, shape=tuple(x.shape[a] for a in left))
        rest = tuple(left.index(a) for a in axes if a not in units)
        if kind == "sum" and not rest and x.dtype.kind in "fc":
            return new("add", flat, full(flat.type, 0.0))  # a sum begins at 0: that of -0.0 is 0.0
        return new("reduce", flat, kind=kind, axes=rest)
    if list(axes) != sorted(axes):
        return new("reduce", x, kind=kind, axes=tuple(sorted(axes)))
    inner = operand(node, "reduce")
    if inner is None or inner.attrs["kind"] != kind or inner.operands[0].dtype is not x.dtype:
        return None
    source, gone = inner.operands[0], set(inner.attrs["axes"])
    left = [a for a in range(source.type.rank) if a not in gone]
    return new("reduce", source, kind=kind, axes=tuple(sorted(gone | {left[a] for a in axes})))


@RULES.on("cumulative", "sort")
def _one_element(node: Node) -> Replacement:
    """Along an axis of at most one element there is nothing to add up and nothing to sort."""
    if node.operands[0].shape[node.attrs["axis"]] not in (0, 1):
        return None
    same = [v.type for v in node.operands] == [r.type for r in node.results]
    return node.operands if same else None


@RULES.on("dot", "conv")
def _product_of_casts(node: Node) -> Replacement:
    """dot(cast(a), cast(b)) -> dot(a, b){dtype}: products of i8 in i32, of f16 in f32."""
    inner = [operand(node, "cast", side) for side in (0, 1)]
    if inner[0] is None or inner[1] is None or "dtype" in node.attrs:
        return None
    a, b = (one.operands[0] for one in inner if one is not None)
    dtype = node.results[0].dtype
    try:
        exact = product_dtype(node.op.name, (a.type, b.type), dtype) is dtype
    except TypeMismatch:
        return None
    return new(node.op.name, a, b, **node.attrs, dtype=dtype) if exact else None


@RULES.on("dot")
def _dot(node: Node) -> Replacement:
    a, b = node.operands
    contract, batch = _pairs(node.attrs["contract"]), _pairs(node.attrs["batch"])
    changed = False
    for side in (0, 1):
        inner = operand(node, "transpose", side)
        if inner is None:
            continue
        axes = inner.attrs["axes"]
        named = {pair[side] for pair in (*contract, *batch)}
        free = [axes[k] for k in range(len(axes)) if k not in named]
        if free == sorted(free):
            contract = [_replaced(pair, side, axes[pair[side]]) for pair in contract]
            batch = [_replaced(pair, side, axes[pair[side]]) for pair in batch]
            a, b = (inner.operands[0], b) if side == 0 else (a, inner.operands[0])
            changed = True
    if not changed and contract == sorted(contract):
        return None
    contract.sort()
    axes = {"contract": _columns(contract), "batch": _columns(batch)}
    return new("dot", a, b, **{**node.attrs, **axes})


def _pairs(columns: tuple[tuple[int, ...], tuple[int, ...]]) -> list[tuple[int, int]]:
    return list(zip(*columns, strict=True))


def _columns(pairs: list[tuple[int, int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)


def _replaced(pair: tuple[int, int], side: int, axis: int) -> tuple[int, int]:
    return (axis, pair[1]) if side == 0 else (pair[0], axis)
