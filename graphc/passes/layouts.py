"""Computes the images of a convolutional network with channels last, in whatever layout it is.

    %2 = conv(%x, %w){..., out=(0, 1, 2, 3)}      %1 = keep(transpose(%x){axes=(0, 2, 3, 1)})
    %3 = max(%2, %b)                          ->  %2 = conv(%1, %w){..., out=(0, 3, 1, 2)}
    %4 = conv(%3, %v){..., lhs=(0, 1, 2, 3)}      %4 = conv(max(%2, %b'), %v){..., lhs=(0, 3, 1, 2)}

Requires: canonical form.
Guarantees: where it pays, a convolution reads images whose last axis is no axis of space, and its
    last axis is that of the features. What stands between two convolutions (ops by element, pools,
    reductions, pads, slices, joins, transposes, reshapes that leave the channels together) has no
    transpose: an image is turned where it enters the network and where it leaves it. Values are
    those of before; sums may be added up in another order. Graphs whose convolutions have channels
    last, with no transposes between them, come back as they are.
Placement: before winograd, which is for channels last; after the simplifying groups, because it
    works on single ops in their last form. What it makes is in canonical form.
Cost: one walk where there is a convolution; the pipeline only looks for one (0.4 ms for 10 000
    nodes) where there is none.

The lanes of a convolution are its features, so they must lie together where results are written:
on one core, 3x3 over 64 channels of 56x56 takes 34 ms in NCHW, and 2.4 with both its transposes;
even a 1x1 convolution alone gains (0.62 -> 0.30 ms). What does not gain, alone, is few features in
a group, which leave lanes empty (3x3, 3 to 3 channels, 224x224: 0.7 ms in NCHW, 9 in NHWC), and few
multiply-adds for each element that is turned (3x3 depthwise, 32 channels of 112x112: 0.5 and 1.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from graphc_runtime.records import dataclass

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from .. import types as ty
from ..ir import Graph, Node, Value, make, rewrite
from ..ops.fusion import KEEP
from ..ops.movement import reshape_groups
from ..types import Extent
from .canonicalize import new

NARROW = 8
"""Fewer features of a group do not turn an image that is not turned yet: lanes along space are
better. A kernel over fewer channels comes into memory as (space, in, out): the sum goes along the
channels innermost where they lie so in both operands (3x3, 3 to 64 channels, 224x224: 2.4 -> 1.9
ms, with both transposes)."""
WORTH = 10
"""Multiply-adds that pay for turning an element in memory: 50 ns for 1000 of them in NCHW rather
than in NHWC (from 30 in 1x1 to 250 in 3x3), 0.2 to 1 ns for an element."""
SAMPLE = 64
"""What a symbolic extent counts as."""

Order = tuple[int, ...]
"""By the axes of a turned value: the axis of the value as the program has it."""


def layouts(graph: Graph) -> Graph:
    """The graph with the channels of its images last."""
    walk = _Walk()
    found = _kept_once(rewrite(graph, walk.visit))
    more = _turned_elements(found) - _turned_elements(graph)
    return found if walk.terms >= WORTH * more else graph


# ---------------------------------------------------------------------------------------- the walk


@dataclass(frozen=True, slots=True)
class Image:
    """What came out of a convolution: `turned` is its transpose by `order`."""

    turned: Value
    order: Order

    @property
    def is_plain(self) -> bool:
        return self.order == _plain(self.order)


class _Walk:
    """From the convolutions to what reads their results.

    An image whose axes have another order is a transpose in the new graph, and known as the image
    that it is a transpose of. What can read that one instead does; in the end nobody needs most of
    the transposes.
    """

    def __init__(self) -> None:
        self.images: dict[Value, Image] = {}
        self.turned: dict[tuple[Value, Order], Value] = {}
        self.terms = 0
        """Multiply-adds of the convolutions that changed."""

    def visit(self, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        """A rule of `ir.rewrite`."""
        name = node.op.name
        if name == "conv":
            return self.conv(node, operands)
        rule = RULES.get(name, _elementwise if node.op.kind == "elementwise" else None)
        if rule is None or len(node.results) != 1 or node.op.stored:
            return None
        count = READ.get(name, len(operands) if rule in (_elementwise, _concatenate) else 1)
        images = [self.images[v] for v in operands[:count] if v in self.images]
        if not images:
            return None
        if name == "transpose":
            return self.transpose(node, operands)
        order = next((image.order for image in images if not image.is_plain), None)
        if order is None:
            return self.plain(node, operands)
        moved = rule(node, order)
        if moved is None:
            return None
        turned = [self.turn(v, moved.read or order) for v in operands[:count]]
        value = new(name, *turned, *operands[count:], **{**node.attrs, **moved.attrs})
        return (self.image(node, value, moved.order),)

    def plain(self, node: Node, operands: tuple[Value, ...]) -> Sequence[Value]:
        """The node as it is; its result is an image."""
        (value,) = _rebuilt(node, operands)
        self.images[value] = Image(value, _plain(value.shape))
        return (value,)

    def image(self, node: Node, turned: Value, order: Order) -> Value:
        """What stands for the node's result: the image as the program has it."""
        found = _restored(turned, order)
        own = found.node
        if (own.op, own.operands, own.attrs) == (node.op, node.operands, node.attrs):
            found = node.results[0]
        self.images[found] = Image(turned, order)
        return found

    def transpose(self, node: Node, operands: tuple[Value, ...]) -> Sequence[Value]:
        """Another name for the axes of an image; nothing moves."""
        image, axes = self.images[operands[0]], node.attrs["axes"]
        if image.is_plain and axes[-1] == len(axes) - 1:
            return self.plain(node, operands)
        order = tuple(axes.index(axis) for axis in image.order)
        if image.is_plain and operands[0].node.op.kind == "movement":  # as in a shuffle of channels
            (value,) = _rebuilt(node, operands)
            self.images[value] = Image(image.turned, order)
            return (value,)
        return (self.image(node, image.turned, order),)

    def turn(self, value: Value, order: Order) -> Value:
        """The transpose of a value by that order; all readers share one."""
        key = value, order
        if key not in self.turned:
            image = self.images.get(value)
            if image is not None:
                value, order = image.turned, tuple(image.order.index(axis) for axis in order)
            self.turned[key] = _in_memory(new("transpose", value, axes=order))
        return self.turned[key]

    def conv(self, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        """It may name axes as it likes: its images are turned where space is last in them, and its
        own results have the features last. The gradient of a kernel reads two images, and sums over
        their batch: what is last in them, the channels, is no channel to it.
        """
        lhs, rhs, out = (node.attrs[name] for name in ("lhs", "rhs", "out"))
        gradient = operands[1] in self.images or _is_kernel_gradient(node)
        orders = [self.images[v].order if v in self.images else _plain(lhs) for v in operands]
        ends = out[1] == len(out) - 1
        for k, axes in enumerate((lhs, rhs) if gradient else (lhs,)):
            batch_last = orders[k][-1] == axes[0] and not (ends or gradient)
            if orders[k][-1] in axes[2:] or batch_last or not (_is_plain(orders[k]) or gradient):
                first, last = (axes[1], axes[0]) if gradient else axes[:2]
                orders[k] = (first, *sorted(axes[2:]), last)
        if not gradient and operands[0] not in self.images and _has_few_features(node):
            return None
        if not gradient and _has_few_channels(node) and rhs[1] < max(rhs[2:], default=0):
            orders[1] = (*sorted(rhs[2:]), rhs[1], rhs[0])
        space, result = sorted(out[2:]), _plain(out)
        if not ends:  # the gradient of a kernel as (space, in, out)
            result = (*space, *out[:2]) if gradient else (out[0], *space, out[1])
        if all(map(_is_plain, (*orders, result))):
            return None if gradient else self.plain(node, operands)
        named = zip(("lhs", "rhs", "out"), (lhs, rhs, out), (*orders, result), strict=True)
        attrs = {name: tuple(order.index(a) for a in axes) for name, axes, order in named}
        turned = [self.turn(v, order) for v, order in zip(operands, orders, strict=True)]
        self.terms += _terms(node)
        value = new("conv", *turned, **{**node.attrs, **attrs})
        return (_restored(value, result) if gradient else self.image(node, value, result),)


def _rebuilt(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
    """The results of the node over these operands."""
    return (
        node.results if operands == node.operands else make(node.op, operands, node.attrs).results
    )


def _is_kernel_gradient(node: Node) -> bool:
    """Whether a convolution slides an image of results over an image, and answers a kernel: it is
    larger than its result, and its channels are the batch of both.
    """
    lhs, rhs, out = (node.attrs[name] for name in ("lhs", "rhs", "out"))
    kernel, result = node.operands[1].shape, node.results[0].shape
    sizes = [(kernel[k], result[n]) for k, n in zip(rhs[2:], out[2:], strict=True)]
    larger = (isinstance(n, int) and (not isinstance(k, int) or k > n) for k, n in sizes)
    return lhs[0] > lhs[1] and any(larger)


def _has_few_channels(node: Node) -> bool:
    """In one group, and more than one."""
    extent = node.operands[1].shape[node.attrs["rhs"][1]]
    return isinstance(extent, int) and 1 < extent < NARROW


def _has_few_features(node: Node) -> bool:
    """In one group of channels."""
    share = node.operands[1].shape[node.attrs["rhs"][0]] // node.attrs["groups"]
    return isinstance(share, int) and share < NARROW


def _terms(node: Node) -> int:
    """Multiply-adds of a convolution, about."""
    w, out = node.operands[1].type, node.attrs["rhs"][0]
    return _about(node.results[0].type.size) * _about(
        ty.product(n for axis, n in enumerate(w.shape) if axis != out)
    )


def _turned_elements(graph: Graph) -> int:
    """Elements of what is transposed so that others lie side by side, about."""
    nodes = (node for node in graph.nodes if node.op.name == "transpose")
    return sum(
        _about(node.results[0].type.size)
        for node in nodes
        if node.attrs["axes"][-1] != len(node.attrs["axes"]) - 1
    )


def _about(extent: Extent) -> int:
    found = ty.substitute(extent, {name: SAMPLE for name in ty.symbols(extent)})
    return max(int(found), 0) if isinstance(found, int) else 0


def _plain(axes: Sequence[Any]) -> Order:
    return tuple(range(len(axes)))


def _is_plain(order: Order) -> bool:
    return order == _plain(order)


def _restored(turned: Value, order: Order) -> Value:
    """The image in the program's order, of a turned one: both in memory. What computes one would
    write it slowly in the other order, and what reads the other would read the one slowly.
    """
    axes = tuple(order.index(axis) for axis in _plain(order))
    found = new("transpose", turned, axes=axes)
    direct = found.node.op.name == "transpose" and found.node.operands[0] is turned
    if not direct or axes[-1] == len(axes) - 1 or turned.node.op.stored:
        return found
    return KEEP(new("transpose", KEEP(turned), axes=axes))


def _in_memory(value: Value) -> Value:
    """A value that is read with other axes last, in memory that way: else each of the many reads of
    a convolution, or of a map that follows one, would step over lines.
    """
    node = value.node
    if node.op.name == "broadcast" and node.operands[0].node.op.name == "transpose":
        return new("broadcast", _in_memory(node.operands[0]), **node.attrs)
    if node.op.name != "transpose" or node.attrs["axes"][-1] == value.type.rank - 1:
        return value
    return KEEP(value)


def _kept_once(graph: Graph) -> Graph:
    """The graph in which a value that is kept for one reader is kept for all."""
    users = graph.users
    shared = {
        node.operands[0]
        for node in graph.nodes
        if node.op is KEEP and len(users[node.operands[0]]) > 1
    }
    if not shared:
        return graph

    def visit(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.op is KEEP and node.operands[0] in shared:
            return operands
        if not shared.intersection(node.results):
            return None
        values = zip(node.results, _rebuilt(node, operands), strict=True)
        return [KEEP(value) if old in shared else value for old, value in values]

    return rewrite(graph, visit)


# ------------------------------------------------------------------------ what reads turned images


@dataclass(frozen=True, slots=True)
class Moved:
    """An op over turned operands: the attributes that change, the order of its result, and the
    order that it reads, where that is not the order in which an image is there.
    """

    order: Order
    attrs: dict[str, Any] = field(default_factory=dict)
    read: Order | None = None


def _elementwise(node: Node, order: Order) -> Moved:
    return Moved(order)


def _by_axis(*names: str) -> Callable[[Node, Order], Moved]:
    """Of an op with attributes that have a value for each axis."""

    def rule(node: Node, order: Order) -> Moved:
        return Moved(order, {name: tuple(node.attrs[name][k] for k in order) for name in names})

    return rule


def _concatenate(node: Node, order: Order) -> Moved:
    return Moved(order, {"axis": order.index(node.attrs["axis"])})


def _reduce(node: Node, order: Order) -> Moved:
    gone = node.attrs["axes"]
    left = [axis for axis in _plain(order) if axis not in gone]
    rest = tuple(left.index(axis) for axis in order if axis not in gone)
    return Moved(rest, {"axes": tuple(sorted(order.index(axis) for axis in gone))})


def _gather(node: Node, order: Order) -> Moved:
    """The axes of the indices are in front, in their order."""
    taken, front = node.attrs["axes"], node.operands[1].type.rank
    left = [axis for axis in _plain(order) if axis not in taken]
    rest = (front + left.index(axis) for axis in order if axis not in taken)
    return Moved((*range(front), *rest), {"axes": tuple(order.index(axis) for axis in taken)})


def _broadcast(node: Node, order: Order) -> Moved:
    """A new axis follows the one that it follows in the program."""
    shape, places = node.attrs["shape"], node.attrs["axes"]
    found = [axis for axis in range(places[0])]
    for axis in order:
        end = places[axis + 1] if axis + 1 < len(places) else len(shape)
        found += range(places[axis], end)
    axes = tuple(found.index(places[axis]) for axis in order)
    return Moved(tuple(found), {"shape": tuple(shape[k] for k in found), "axes": axes})


def _reshape(node: Node, order: Order) -> Moved | None:
    """Axes that become one, or come from one, stay together; None where the order of the program is
    the only one that has them so, as where channels and space become one axis.
    """
    source, target = node.operands[0].shape, node.attrs["shape"]
    if 0 in source or 0 in target:
        return None
    groups = [pair for pair in reshape_groups(source, target) if all(pair)]
    if sum(len(a) for a, _ in groups) != sum(n != 1 for n in source):
        return None
    if sum(len(b) for _, b in groups) != sum(n != 1 for n in target):
        return None
    groups.sort(key=lambda pair: min(order.index(axis) for axis in pair[0]))
    wide = [axis for a, _ in groups for axis in a]
    if wide == sorted(wide):
        return None
    # an axis of extent 1 follows the one that it follows in the program
    found: list[int] = []
    follows = {axis: [axis] for _, b in groups for axis in b}
    before: int | None = None
    for axis in _plain(target):
        if axis in follows:
            before = axis
        elif before is None:
            found.append(axis)
        else:
            follows[before].append(axis)
    found += [one for _, b in groups for axis in b for one in follows[axis]]
    units = [axis for axis in order if source[axis] == 1]
    read = None if wide == [axis for axis in order if source[axis] != 1] else (*units, *wide)
    return Moved(tuple(found), {"shape": tuple(target[k] for k in found)}, read)


RULES: dict[str, Callable[[Node, Order], Moved | None]] = {
    "transpose": _elementwise,  # by the walk itself
    "reshape": _reshape,
    "broadcast": _broadcast,
    "slice": _by_axis("start", "shape", "step"),
    "pad": _by_axis("low", "high", "interior"),
    "update": _by_axis("start", "step"),
    "concatenate": _concatenate,
    "gather": _gather,
    "reduce": _reduce,
    "reduce_window": _by_axis("window", "stride", "low", "high", "dilation"),
}
READ = {"update": 2}
"""How many operands have the axes of the result, where it is not one, or all."""
