"""Rewrites 3x3 convolutions over many channels as products of tiles, which multiply less.

    %2 = conv(%x, %w)          ->      %u = mix(mix(%w))             the filter: no data in it
                                       %v = mix(mix(tiles(%x)))      tiles of m+2 by m+2 elements
                                       %p = dot(%v, %u)              for each place in a tile
                                       %2 = mix(mix(%p))             tiles of m by m, side by side

Requires: canonical form.
Guarantees: a convolution of f32 or f64 with 3x3 filters, stride 1, no dilation, no groups, channels
    last and known extents of space is a product of tiles where `edge` says that it pays. Values
    differ by rounding (docs/numerics.md has the errors), and an infinity or a NaN makes NaN of the
    whole tiles that it touches. What says precision="direct" stays.
Placement: after layouts, which puts channels last; before fuse, which gives each transform a kernel
    of its own and puts what follows the convolution into the last one; after the simplifying
    groups, which have nothing to do in it.
Cost: one walk.

Winograd, Arithmetic Complexity of Computations, 1980; Lavin and Gray, Fast Algorithms for
Convolutional Neural Networks, 2016. A product of polynomials with m+2 coefficients is a product of
their values at m+1 points and at infinity: m+2 multiplications for m results instead of 3m, and on
two axes (m+2)^2 instead of 9m^2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from graphc_runtime.records import dataclass

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from .. import types as ty
from ..ir import PARAM, Graph, Node, Value, rewrite
from ..opdef import lookup
from ..types import F32, F64
from .everywhere import everywhere

POINTS = {
    2: (Fraction(0), Fraction(1), Fraction(-1)),
    4: (Fraction(0), *(sign * Fraction(n, 4) for n in (3, 6) for sign in (1, -1))),
}
"""By the edge m of the results' tiles. Of F(4x4), 3/4 and 3/2 make a quarter of the errors of the
usual 1 and 2, whose powers lie further apart; all powers are exact (docs/numerics.md)."""

# Costs in multiply-adds of the direct sum, measured on one core with AVX-512 over the layers of
# VGG16 and ResNet50 (benchmarks/winograd_layers.py): what does not run at the speed of registers.
ELEMENT_COSTS = (10, 20)
"""Of an element of a transformed image, or of a result before its transform, to be written and
read: in the second cache, and beyond it."""
CACHED = 1 << 18
"""Elements of both that the second cache holds."""
FILTER_COST = 11
"""Of making an element of a transformed filter."""
FILTER_READ, FAR_FILTER_READ = 6, 26
"""Of reading it: from memory, since there are many; the second where a core multiplies twice as
fast and its memory is no faster (`Machine.wide_ports`; 10 GB/s beside 70 products a nanosecond).
"""
OVERHEAD = 1.1
"""Of a product of tiles, whose rows are fewer."""
WORTH = 0.8
"""Of the direct cost: less is not worth the digits and the memory."""
BLOCKS = ((48, 32), (0, 64))
"""(tiles, features): features that lie together in a transformed filter, from so many tiles on."""

LAST = (0, 3, 1, 2)
"""The axes of batch, channel and space in an image with channels last."""

Matrix = tuple[tuple[float, ...], ...]


Edge = Callable[[Node, Sequence[Value], bool, int], int]
"""The m of the tiles for a convolution that is allowed them: from its node, its operands, whether
the filter is constant, and the m by the estimate; 0 is the direct sum."""


def winograd(graph: Graph) -> Graph:
    """The graph with its convolutions as products of tiles, where that pays by an estimate."""
    return _everywhere(graph, as_estimated, FILTER_READ)


def as_estimated(node: Node, operands: Sequence[Value], constant: bool, estimate: int) -> int:
    """The Edge that takes the estimate."""
    return estimate


def winograd_by(choose: Edge, read: float = FILTER_READ) -> Callable[[Graph], Graph]:
    """The same pass where `choose` says that it pays; `read` is what its estimates take for
    FILTER_READ.
    """

    def winograd(graph: Graph) -> Graph:
        return _everywhere(graph, choose, read)

    return winograd


def _everywhere(graph: Graph, choose: Edge, read: float) -> Graph:
    return everywhere(lambda one: _rewritten(one, choose, read))(graph)


def _rewritten(graph: Graph, choose: Edge, read: float) -> Graph:
    images: dict[Any, Value] = {}

    def visit(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        sizes = _sizes(node, operands) if node.op.name == "conv" else None
        if sizes is None:
            return None
        constant = _is_constant(operands[1])
        m = choose(node, operands, constant, edge(*sizes, constant, read))
        return (_product(node, operands, m, images),) if m else None

    return rewrite(graph, visit)


# ---------------------------------------------------------------------------------- the matrices


@dataclass(frozen=True, slots=True)
class Transforms:
    """Y = A [(G w G') * (B d B')] A' for a tile d and a filter w; ' transposes, * is by element."""

    filter: Matrix
    image: Matrix
    result: Matrix


@lru_cache(maxsize=len(POINTS))
def transforms(m: int) -> Transforms:
    """G, B and A for tiles of m by m results."""
    points = POINTS[m]
    filter: list[list[Fraction]] = []
    image: list[list[Fraction]] = []
    for point in points:
        others = [p for p in points if p != point]
        scale = _product_of([point - p for p in others])
        filter.append([point**k / scale for k in range(3)])
        image.append([*_with_roots(others), Fraction(0)])
    filter.append([Fraction(0), Fraction(0), Fraction(1)])
    image.append(_with_roots(points))
    result = [[*(p**i for p in points), Fraction(i == m - 1)] for i in range(m)]
    return Transforms(_floats(filter), _floats(image), _floats(result))


def _product_of(numbers: Sequence[Fraction]) -> Fraction:
    found = Fraction(1)
    for number in numbers:
        found *= number
    return found


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the polynomial with these roots, the lowest first."""
    found = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *found], [*(root * c for c in found), Fraction(0)]
        found = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return found


def _floats(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(float(one) for one in row) for row in rows)


# ---------------------------------------------------------------------------------- where it pays


def edge(
    batch: int, height: int, width: int, channels: int, features: int, constant: bool,
    read: float = FILTER_READ,
) -> int:  # fmt: skip
    """The m of the tiles that cost least for a result of that height and width; 0 where the direct
    sum does. `constant`: the filter is transformed before the program runs.
    """
    filters = channels * features
    best, found = WORTH * 9 * batch * height * width * filters, 0
    for m in POINTS:
        places, tiles = (m + 2) ** 2, batch * _tiles(height, m) * _tiles(width, m)
        product = max(OVERHEAD * tiles, read) * filters
        elements = tiles * (channels + features)
        moved = ELEMENT_COSTS[places * elements > CACHED] * elements
        made = 0 if constant else FILTER_COST * filters
        cost = places * (product + moved + made)
        if cost < best:
            best, found = cost, m
    return found


def _tiles(extent: int, m: int) -> int:
    return -(-extent // m)


def _sizes(node: Node, operands: Sequence[Value]) -> tuple[int, int, int, int, int] | None:
    """Batch, height, width, channels and features of a convolution that tiles can serve."""
    (x, w), a, result = operands, node.attrs, node.results[0]
    steps = (a[k] == (1, 1) for k in ("stride", "lhs_dilation", "rhs_dilation"))
    if not all(steps) or a["groups"] != 1 or a["batch_groups"] != 1 or "precision" in a:
        return None
    if a["lhs"] != LAST or a["out"] != LAST:
        return None
    if result.dtype not in (F32, F64) or x.dtype is not result.dtype:
        return None
    if any(w.shape[k] != 3 for k in a["rhs"][2:]):
        return None
    batch, *space, features = result.shape
    channels = x.shape[3]
    numbers = [n for n in (*space, channels, features) if isinstance(n, int) and n]
    known = all(isinstance(n, int) for n in (*x.shape[1:3], *a["low"], *a["high"]))
    if len(numbers) < 4 or batch == 0 or not known:
        return None
    # of a batch that any call may choose, the least
    least = batch if isinstance(batch, int) else 1
    height, width, channels, features = numbers
    return least, height, width, channels, features


def _is_constant(value: Value) -> bool:
    """Whether a value depends on no parameter."""
    stack, seen = [value.node], set[Node]()
    while stack:
        node = stack.pop()
        if node.op is PARAM:
            return False
        if node not in seen:
            seen.add(node)
            stack.extend(v.node for v in node.operands)
    return True


# ------------------------------------------------------------------------------------- rewriting


def _product(node: Node, operands: Sequence[Value], m: int, images: dict[Any, Value]) -> Value:
    """The convolution with tiles of m by m results."""
    x, w = operands
    matrices, shape = transforms(m), node.results[0].shape
    counts = tuple(_tiles(int(n), m) for n in shape[1:3])
    block = _block(shape[0] * counts[0] * counts[1], shape[3])
    u = _transformed(_blocked(w, node.attrs["rhs"], block), matrices.filter)
    key = (x, m, counts, node.attrs["low"])
    if key not in images:  # other convolutions of the image share its transform
        place = {"axes": (1, 2), "size": (m + 2, m + 2), "step": (m, m)}
        tiles = lookup("tiles")(x, **place, low=node.attrs["low"], count=counts)
        images[key] = _transformed(tiles, matrices.image)
    v = images[key]
    blocks = u.shape[2]
    if blocks == 1:
        v = lookup("reshape")(v, shape=(*v.shape[:2], 1, *v.shape[2:]))
    else:
        shared = (*v.shape[:2], blocks, *v.shape[2:])
        v = lookup("broadcast")(v, shape=shared, axes=(0, 1, 3, 4, 5, 6))
    y = lookup("dot")(v, u, contract=((6,), (3,)), batch=((0, 1, 2), (0, 1, 2)))
    y = _transformed(y, matrices.result)
    # [i, j, block, n, p, q, feature] -> [n, p, i, q, j, block, feature]
    y = lookup("transpose")(y, axes=(3, 4, 0, 5, 1, 2, 6))
    y = lookup("reshape")(y, shape=(shape[0], counts[0] * m, counts[1] * m, shape[3]))
    if y.shape != shape:
        y = lookup("slice")(y, start=(0,) * 4, shape=shape, step=(1,) * 4)
    return y


def _block(tiles: ty.Extent, features: ty.Extent) -> int:
    """Features of a block: a product's columns, which lie side by side for every channel.

    In rows of all features they would lie a power of 2 apart, and push each other out of the first
    cache: 36 products of 16x512 by 512x512 take 7.0 ms so and 3.0 ms in blocks of 64.
    """
    assert isinstance(features, int)
    many = tiles if isinstance(tiles, int) else BLOCKS[0][0]
    for least, block in BLOCKS:
        if many >= least and features % block == 0:
            return block
    return features


def _blocked(w: Value, axes: Sequence[int], block: int) -> Value:
    """A filter as [3, 3, block, channel, feature in the block]."""
    out, inside, *space = axes
    order = (*space, inside, out)
    if order != (0, 1, 2, 3):
        w = lookup("transpose")(w, axes=order)
    channels, features = w.shape[2:]
    if features == block:
        return lookup("reshape")(w, shape=(3, 3, 1, channels, features))
    w = lookup("reshape")(w, shape=(3, 3, channels, features // block, block))
    return lookup("transpose")(w, axes=(0, 1, 3, 2, 4))


def _transformed(x: Value, matrix: Matrix) -> Value:
    """The tiles x, whose places are the first two axes, between a matrix and its transpose."""
    for axis in (0, 1):
        x = lookup("mix")(x, axis=axis, matrix=matrix)
    return x
