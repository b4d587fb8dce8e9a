"""Makes one op of softmax(q k^T) v, so that the matrix of scores is never stored.

    %3 = dot(%q, %k) ...                            %3 = attention(%q, %k, %v) {
    %4 = exp(%3 - max(%3))                 ->          body(%s, %q, %k, %v):
    %5 = dot(%4 / sum(%4), %v) ...                       return %q, %k, %v, %s }

Between the first product and the exponential may stand any map: a scale, a mask that is added or
selects, what depends on positions; the body of the new node keeps it. The weights may be written as
exp(t - max)/sum, as exp(t - logsumexp), or divided by the sum after the second product. Transposes,
slices and repetitions of q, k and v go into the body too, so that nothing is copied for them.

Requires: canonical form, after stability (which writes a logsumexp with its maximum). What a trace
    holds is near enough: a function that is differentiated is looked at before (`recognised`), so
    that its gradient is that of the node.
Guarantees: nothing that has as many elements as the scores is stored for the product, and nothing
    that was shared is computed again but for cheap maps. Values change by rounding: sums are
    rescaled when a greater score comes, and divided once instead of each weight.
Left as written: a softmax without its maximum (it overflows where this would not), scores or
    weights that something else needs, and few scores (`LEAST`), where nothing is won.
Placement: last before fuse, which it hands a node that stands alone.
Cost: one look at each dot and div; a match walks the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from graphc_runtime.records import dataclass

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from ..ir import Graph, Node, Value, at, make, param, rewrite
from ..opdef import lookup
from ..types import DType, Extent, TensorType
from .canonicalize import canonicalize
from .everywhere import everywhere, within
from .fold import fold, uniform
from .positions import from_positions

LEAST, LEAST_SCORES = 16, 64 * 64
"""Queries or keys, and scores of a head, below which the scores are no matter."""
CHEAP = 3
"""Maps up to this cost are computed again for each score."""
MOST_NODES = 64
"""Nodes between the products; bounds the search."""
MOVEMENTS = ("broadcast", "reshape", "transpose", "slice")
CREATIONS = ("full", "iota", "extent")


@everywhere
def attention(graph: Graph) -> Graph:
    """The graph with its attentions as single nodes."""
    return _with_attentions(graph, graph.nodes, False)


def recognised(results: Sequence[Value], params: Sequence[Value]) -> list[Value]:
    """The results of a traced function, before it is differentiated: attentions that depend on the
    parameters are nodes which answer what their gradient needs. Checkpoints, loops and choices are
    looked into.
    """
    graph = Graph.of("function", params, results)
    active: set[Value] = set(params)
    nodes: list[Node] = []
    for node in graph.nodes:
        if any(v in active for v in node.operands):
            active.update(node.results)
            nodes.append(node)
    graph = _with_attentions(graph, nodes, True)

    def inside(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.op.name != "checkpoint":
            return None
        body: Graph = node.attrs["body"]
        found = _recognised_in(body)
        if found is body:
            return None
        return make(node.op, operands, {**node.attrs, "body": found}, node.where).results

    return list(within(rewrite(graph, inside), _recognised_in).results)


def _recognised_in(body: Graph) -> Graph:
    found = recognised(body.results, body.params)
    return body if found == list(body.results) else Graph.of(body.name, body.params, found)


def _with_attentions(graph: Graph, nodes: Sequence[Node], rows: bool) -> Graph:
    """The graph with those of the nodes that end an attention replaced."""
    if sum(node.op.name == "dot" for node in nodes) < 2:
        return graph
    found: dict[Node, Match] = {}
    for node in nodes:
        if node.op.name in ("dot", "div") and node.results[0].dtype.is_float:
            match = _match(graph, node)
            if match is not None:
                found[node] = match
    if not found:
        return graph
    new: dict[Value, Value] = {}
    for node in graph.nodes:
        if node in found:
            with at(node.where):
                new[node.results[0]] = found[node].build(new, rows)
        elif any(v in new for v in node.operands):
            made = make(node.op, [new.get(v, v) for v in node.operands], node.attrs, node.where)
            new.update(zip(node.results, made.results, strict=True))
    return Graph.of(graph.name, graph.params, [new.get(v, v) for v in graph.results])


@dataclass(frozen=True, slots=True)
class Match:
    """What stands for a node: attention(sources) {body}, its axes then reordered."""

    sources: tuple[Value, ...]
    body: Graph
    dtype: DType
    axes: tuple[int, ...]

    def build(self, new: dict[Value, Value], rows: bool) -> Value:
        operands = [new.get(v, v) for v in self.sources]
        attrs: dict[str, object] = {"body": self.body, "dtype": self.dtype}
        if rows:
            attrs = {"body": fold(canonicalize(self.body)), "dtype": self.dtype, "rows": True}
        return _transposed(make(lookup("attention"), operands, attrs).results[0], self.axes)


@dataclass(frozen=True, slots=True)
class Product:
    """The second product: the weights, the values and where their axes are in its result."""

    node: Node
    side: int
    """Which operand the weights are."""

    @property
    def weights(self) -> Value:
        return self.node.operands[self.side]

    @property
    def values(self) -> Value:
        return self.node.operands[1 - self.side]

    def axes(self, name: str, side: int) -> tuple[int, ...]:
        return tuple(self.node.attrs[name][side])

    def free(self, side: int) -> tuple[int, ...]:
        taken = (*self.axes("contract", side), *self.axes("batch", side))
        return tuple(a for a in range(self.node.operands[side].type.rank) if a not in taken)

    def partner(self, axis: int) -> int | None:
        """The axis of the values that goes with an axis of the weights."""
        for name in ("contract", "batch"):
            own, other = self.axes(name, self.side), self.axes(name, 1 - self.side)
            if axis in own:
                return other[own.index(axis)]
        return None

    def order(self) -> list[tuple[int, int]]:
        """(side, axis) of each axis of the result; batched axes count as the weights'."""
        batch = [(self.side, a) for a in self.axes("batch", self.side)]
        return batch + [(s, a) for s in (0, 1) for a in self.free(s)]


@dataclass(frozen=True, slots=True)
class First:
    """The first product, of queries and keys, and where the axes of its result come from."""

    node: Node

    @property
    def sides(self) -> list[tuple[int | None, int]]:
        """For each axis of the scores the operand that it comes from (None: both), and its
        place.
        """
        batch = self.node.attrs["batch"]
        found: list[tuple[int | None, int]] = [(None, k) for k in range(len(batch[0]))]
        for side in (0, 1):
            taken = (*self.node.attrs["contract"][side], *batch[side])
            rank = self.node.operands[side].type.rank
            found += [(side, a) for a in range(rank) if a not in taken]
        return found

    @property
    def is_simple(self) -> bool:
        """Whether it sums over one axis."""
        return len(self.node.attrs["contract"][0]) == 1

    def contracted(self, side: int) -> int:
        return self.node.attrs["contract"][side][0]

    @property
    def depth(self) -> Extent:
        return self.node.operands[0].shape[self.contracted(0)]

    def axis(self, side: int, axis: int) -> int | None:
        """The axis of an operand that an axis of the scores is; None where it does not move it."""
        own, place = self.sides[axis]
        if own is None:
            return self.node.attrs["batch"][side][place]
        return place if own == side else None


# ----------------------------------------------------------------------------------------- softmax


def _argument(value: Value, name: str) -> Value | None:
    return value.node.operands[0] if value.node.op.name == name else None


def _bare(value: Value) -> Value:
    """The value without an axis of extent 1 that a reshape put at a reduced place."""
    inner = _argument(value, "reshape")
    if inner is None or inner.node.op.name not in ("reduce", "select"):
        return value
    kept = tuple(e for e in value.shape if e != 1)
    return inner if kept == tuple(e for e in inner.shape if e != 1) else value


def _unspread(value: Value, axis: int) -> Value | None:
    """What is repeated along an axis."""
    node = value.node
    if node.op.name != "broadcast":
        return None
    rank, base = value.type.rank, node.operands[0]
    left = tuple(a for a in range(rank) if a != axis)
    if node.attrs["axes"] == left:
        return base
    shape = tuple(1 if a == axis else e for a, e in enumerate(value.shape))
    return base if node.attrs["axes"] == tuple(range(rank)) and base.shape == shape else None


def _is_reduced(value: Value, kind: str, of: Value, axis: int) -> bool:
    node = _bare(value).node
    return (
        node.op.name == "reduce"
        and node.operands[0] is of
        and (node.attrs["kind"], tuple(node.attrs["axes"])) == (kind, (axis,))
    )


def _is_maximum(value: Value, of: Value, axis: int) -> bool:
    """Whether it is the maximum, or 0 where that is not finite."""
    value = _moving(_bare(_moving(value)))
    if value.node.op.name == "select":
        test, value, other = value.node.operands
        if uniform(other) != 0 or _argument(test, "isfinite") is not value:
            return False
    return _is_reduced(value, "max", of, axis)


def _moving(value: Value) -> Value:
    """The value itself, where it is a constant to derivatives."""
    return _argument(value, "stop_gradient") or value


def _is_stopped(value: Value) -> bool:
    """Whether it is a constant to derivatives, as the shift of a softmax may be."""
    while value.node.op.name in ("broadcast", "reshape"):
        value = value.node.operands[0]
    return value.node.op.name == "stop_gradient"


def _shifted(value: Value, axis: int) -> Value | None:
    """t, when the value is exp(t - max(t))."""
    below = _argument(value, "exp")
    if below is None or below.node.op.name != "sub":
        return None
    t, repeated = below.node.operands
    top = _unspread(_moving(repeated), axis)
    return t if top is not None and _is_maximum(top, t, axis) else None


def _softmax(value: Value, axis: int) -> Value | None:
    """t, when the value is softmax(t) over an axis."""
    inner = _argument(value, "cast")
    if inner is not None:
        value = inner
    if value.node.op.name == "div":
        above, below = value.node.operands
        t, total = _shifted(above, axis), _unspread(below, axis)
        found = t is not None and total is not None and _is_reduced(total, "sum", above, axis)
        return t if found else None
    below = _argument(value, "exp")  # exp(t - (log(sum(exp(t - m))) + m))
    if below is None or below.node.op.name != "sub":
        return None
    t, repeated = below.node.operands
    total = _unspread(repeated, axis)
    if total is None:
        return None
    total = _argument(total, "reshape") or total
    if total.node.op.name != "add":
        return None
    for a, top in (total.node.operands, total.node.operands[::-1]):
        log = _argument(a, "log")
        if log is not None and _is_maximum(top, t, axis):
            power = _argument(_bare(log), "reduce")
            if power is not None and _is_reduced(log, "sum", power, axis):
                if _shifted(power, axis) is not t:
                    return None
                shift = power.node.operands[0].node.operands[1]
                return t if _is_stopped(shift) is _is_stopped(top) else None
    return None


# ------------------------------------------------------------------------------------------- match


def _match(graph: Graph, node: Node) -> Match | None:
    product, divided = node, False
    if node.op.name == "div":
        product, divided = node.operands[0].node, True
        if product.op.name != "dot":
            return None
    for side in (0, 1):
        second = Product(product, side)
        if len(second.axes("contract", side)) != 1 or second.weights.type.rank < 2:
            continue
        axis = second.axes("contract", side)[0]
        if divided:
            t = _shifted(second.weights, axis)
            if t is not None and not _divides(node, second, axis):
                t = None
        else:
            t = _softmax(second.weights, axis)
        if t is not None:
            return _assemble(graph, node, second, t, axis)
    return None


def _divides(node: Node, second: Product, axis: int) -> bool:
    """Whether the divisor is the sum of the weights, repeated over the columns of the values."""
    repeated = node.operands[1].node
    if repeated.op.name != "broadcast":
        return False
    (total,) = repeated.operands
    if not _is_reduced(total, "sum", second.weights, axis):
        return False
    order = second.order()
    own = [order.index((second.side, a)) for a in range(second.weights.type.rank) if a != axis]
    if total.type.rank == len(own):
        return repeated.attrs["axes"] == tuple(own)
    # the sum kept its axis
    kept = [a for a, e in zip(repeated.attrs["axes"], total.shape, strict=True) if e != 1]
    return kept == [a for a in own if node.results[0].shape[a] != 1]


def _assemble(graph: Graph, root: Node, second: Product, t: Value, axis: int) -> Match | None:
    """The node for softmax(t) v, over that axis of t; None where it would not pay."""
    found = _scores(t)
    if found is None:
        return None
    scores, places = found
    first, axes = First(scores.node), places[t]
    keys_side, _ = first.sides[axes[axis]]
    free = second.free(second.side)
    columns = second.free(1 - second.side)
    if keys_side is None or len(columns) != 1 or not first.is_simple:
        return None
    # rows that one side moves and the other does not: the last of them are the queries
    moved = [a for a in free if first.sides[axes[a]][0] == 1 - keys_side]
    if not moved:
        return None
    queries = moved[-1]
    batch = tuple(a for a in range(t.type.rank) if a not in (queries, axis))
    order = (*batch, queries, axis)
    heads = tuple(t.shape[a] for a in batch)
    shape = (*heads, t.shape[queries], t.shape[axis])
    if not _pays(shape, first.depth):
        return None

    body = _Body(graph, scores, set(places))
    turned = tuple(order.index(axes.index(k)) for k in range(len(axes)))
    body.new[scores] = _transposed(body.param(TensorType(scores.dtype, shape), "s"), turned)
    q, k = (
        _arranged(
            body.copy(first.node.operands[side], False),
            [*(first.axis(side, axes[a]) for a in (*batch, last)), first.contracted(side)],
            (*heads, t.shape[last], first.depth),
        )
        for side, last in ((1 - keys_side, queries), (keys_side, axis))
    )
    v = _arranged(
        body.copy(second.values, False),
        [*(second.partner(a) for a in (*batch, axis)), columns[0]],
        (*heads, t.shape[axis], second.values.shape[columns[0]]),
    )
    mapped = _transposed(body.copy(t, True), order)
    if not body.is_private(root, second.node) or not body.is_lean():
        return None
    place = {(second.side, a): k for k, a in enumerate((*batch, queries))}
    place[1 - second.side, columns[0]] = len(batch) + 1
    result = tuple(place[one] for one in second.order())
    whole = Graph.of("body", body.params, (q, k, v, mapped))
    return _checked(Match(tuple(body.sources), whole, root.results[0].dtype, result))


def _checked(match: Match) -> Match | None:
    """None where rows are so long that no block of them is small."""
    from ..ops.attention import block_sizes  # loaded when something has matched

    return match if block_sizes(match.body) is not None else None


def _pays(shape: tuple[Extent, ...], depth: Extent) -> bool:
    """Whether the matrix of scores is one."""
    if any(e == 0 for e in (*shape, depth)):
        return False
    queries, keys = shape[-2:]
    if any(isinstance(e, int) and e < LEAST for e in (queries, keys)):
        return False
    return not isinstance(queries * keys, int) or queries * keys >= LEAST_SCORES


def _scores(t: Value) -> tuple[Value, dict[Value, tuple[int, ...]]] | None:
    """The one product from which the map comes, and of each value on the way the axes, as axes of
    the product.
    """
    order: list[Value] = []
    seen: set[Value] = set()
    stack = [(t, False)]
    dots: list[Value] = []
    while stack:
        value, ready = stack.pop()
        if ready:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            if len(seen) > MOST_NODES:
                return None
            if value.node.op.name == "dot":
                dots.append(value)
            elif value.node.op.name == "stop_gradient":
                continue  # no map: a constant to derivatives
            elif value.node.op.kind == "elementwise" or value.node.op.name == "transpose":
                stack.append((value, True))
                stack += [(v, False) for v in value.node.operands]
    if len(dots) != 1 or not dots[0].dtype.is_float:
        return None
    places = {dots[0]: tuple(range(dots[0].type.rank))}
    for value in order:
        below = {places[v] for v in value.node.operands if v in places}
        if len(below) > 1:
            return None
        for axes in below:
            turned = value.node.attrs.get("axes") if value.node.op.name == "transpose" else None
            places[value] = axes if turned is None else tuple(axes[a] for a in turned)
    return (dots[0], places) if t in places else None


# -------------------------------------------------------------------------------------------- body


@dataclass
class _Body:
    """The body under construction: copies of what is absorbed, parameters for the rest."""

    graph: Graph
    scores: Value
    dependent: set[Value]
    params: list[Value] = field(default_factory=list)
    sources: list[Value] = field(default_factory=list)
    new: dict[Value, Value] = field(default_factory=dict)

    def param(self, type: TensorType, name: str) -> Value:
        self.params.append(param(type, name))
        return self.params[-1]

    def copy(self, value: Value, maps: bool) -> Value:
        """The value in the body; `maps` says whether maps are absorbed too."""
        stack = [value]
        while stack:
            one = stack[-1]
            node = one.node
            if one in self.new:
                stack.pop()
            elif maps and (known := from_positions(one)) is not None:
                self.new[one] = known
            elif not self.is_absorbed(one, maps):
                self.sources.append(one)
                self.new[one] = self.param(one.type, f"x{len(self.sources) - 1}")
            else:
                missing = [v for v in node.operands if v not in self.new]
                if missing:
                    stack += missing
                else:
                    operands = [self.new[v] for v in node.operands]
                    self.new[one] = make(node.op, operands, node.attrs, node.where).results[0]
        return self.new[value]

    def is_absorbed(self, value: Value, maps: bool) -> bool:
        if value in self.dependent:
            return True
        op = value.node.op
        if op.name in MOVEMENTS or (op.name in CREATIONS and maps):
            return True
        if op.name == "stop_gradient":
            return False
        return maps and op.kind == "elementwise" and op.cost <= CHEAP

    def is_private(self, root: Node, product: Node) -> bool:
        """Whether nothing outside needs the scores, or what is made of them."""
        inside = {root, product, *(v.node for v in self.dependent)}
        stack = [*root.operands, *product.operands]
        while stack:
            value = stack.pop()
            node = value.node
            if node not in inside and value not in self.new and node.op.kind != "creation":
                inside.add(node)
                stack += node.operands
        hidden = [v for node in inside if node is not root for v in node.results]
        returned = set(self.graph.results)
        return all(
            v not in returned and all(u in inside for u in self.graph.users.get(v, ()))
            for v in hidden
        )

    def is_lean(self) -> bool:
        """Whether no source is computed in order to be a matrix like the scores."""
        size = self.scores.type.size
        kept = ("param", "constant")
        return all(v.type.size != size or v.node.op.name in kept for v in self.sources)


def _transposed(value: Value, axes: tuple[int, ...]) -> Value:
    if axes == tuple(range(len(axes))):
        return value
    return make(lookup("transpose"), (value,), {"axes": tuple(axes)}).results[0]


def _arranged(value: Value, axes: list[int | None], shape: tuple[Extent, ...]) -> Value:
    """The value with the given axes in order, repeated where there is None."""
    there = tuple(a for a in axes if a is not None)
    value = _transposed(value, there)
    if len(there) == len(axes):
        return value
    places = tuple(k for k, a in enumerate(axes) if a is not None)
    attrs = {"shape": shape, "axes": places}
    return make(lookup("broadcast"), (value,), attrs).results[0]
