"""Rewrites products and convolutions of arrays that are 0 nearly everywhere: what a maximum sends
back.

    %m = eq(%x, broadcast(reduce(%x){max}))    ->    the same
    %g = select(%m, %u, 0)                           the same
    %2 = conv(%y, %g)                                %2 = transpose(sparse_product(%g, %y))

Requires: canonical form.
Guarantees: a `dot` or a `conv` (no groups) of f32 or f64 is a `sparse_product` where it is large
    and one operand is a choice with 0 by whether an element is the maximum or minimum of at least
    PLACES elements. The card asks every element whether it is 0, so ties and whatever else is not
    0 count; the choice is a guess at how many there are. Values differ by rounding (fewer terms are
    added), and 0 * NaN and 0 * infinity do not count, which would be NaN.
Placement: after stability, which does not know the card; before the second simplifying group, which
    joins its turned and reversed operands with those of the derivative.
Cost: one walk, and of each product's operands the choices that they are made of.

A global max-pool over n places passes back 1/n of the elements: the two products of a backward pass
multiply zeros n - 1 times of n.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from .. import types as ty
from ..ir import Graph, Node, Value, rewrite
from ..opdef import lookup
from ..ops import formula as fm
from ..ops.slicing import surrounded
from ..types import F32, F64, Extent
from .everywhere import everywhere

PLACES = 32
"""Elements of which one is not 0, at least: the sparse sum takes some 0.08 ns a multiply-add where
the dense one takes 0.02, and looks at every element."""
LARGE = 1 << 22
"""Multiply-adds of a dense product that is worth it."""

Places = list[tuple[tuple[int, int], ...]]


@everywhere
def sparse_cotangents(graph: Graph) -> Graph:
    """The graph whose products skip what a maximum did not choose."""

    def visit(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        name = node.op.name
        if name not in ("dot", "conv") or node.results[0].dtype not in (F32, F64):
            return None
        if any(v.dtype is not node.results[0].dtype for v in operands):
            return None
        rare = [rarity(v) >= PLACES for v in operands]
        if not any(rare):
            return None
        k = rare.index(True)
        found = _dot(node, operands, k) if name == "dot" else _conv(node, operands, k)
        return None if found is None else (found,)

    return rewrite(graph, visit)


# ---------------------------------------------------------------------------------- what is sparse


def rarity(value: Value) -> int:
    """The n where about one element of n is not 0; 1 where nothing is known."""
    node = value.node
    match node.op.name:
        case "select":
            mask, a, b = node.operands
            if fm.Formula(b).number == 0:
                return max(_one_in(mask), rarity(a))
            return rarity(b) if fm.Formula(a).number == 0 else 1
        case "mul":
            return max(map(rarity, node.operands))
        case "div" | "neg" | "transpose" | "reshape":
            return rarity(node.operands[0])
        case "cast" if node.operands[0].dtype is ty.BOOL:
            return _one_in(node.operands[0])
        case _:
            return 1


def _one_in(mask: Value) -> int:
    """The n where about one element of n holds."""
    node = mask.node
    match node.op.name:
        case "and":
            return max(map(_one_in, node.operands))
        case "transpose" | "reshape":
            return _one_in(node.operands[0])
        case "eq":
            a, b = node.operands
            return max(_extremes(a, b), _extremes(b, a))
        case _:
            return 1


def _extremes(x: Value, spread: Value) -> int:
    """The elements of x for each of its extremes, where `spread` is those, or 1."""
    node = spread.node
    while node.op.name in ("broadcast", "reshape"):
        node = node.operands[0].node
    if node.op.name != "reduce" or node.attrs["kind"] not in ("max", "min"):
        return 1
    if node.operands[0] is not x:
        return 1
    count = ty.product(x.shape[d] for d in node.attrs["axes"])
    return count if isinstance(count, int) else 1


# --------------------------------------------------------------------------------------- rewriting


def _dot(node: Node, operands: Sequence[Value], k: int) -> Value | None:
    """Letters: the axes of the sparse operand, then the free axes of the other."""
    contract, batch = node.attrs["contract"], node.attrs["batch"]
    s, y = operands[k], operands[1 - k]
    free_s, free_y = (
        [d for d in range(len(v.shape)) if d not in contract[i] and d not in batch[i]]
        for i, v in ((k, s), (1 - k, y))
    )
    own = [y.shape[d] for d in free_y]
    if not _is_large((*s.shape, *own)):
        return None
    shared = [*batch[1 - k], *contract[1 - k]]
    letters = [*batch[k], *contract[k], *range(len(s.shape), len(s.shape) + len(own))]
    y = fm.transpose(y, [*shared, *free_y])
    out = [*batch[k], *free_s, *letters[len(shared) :]]
    found = _product(s, y, own, [((d, 1),) for d in letters], [((d, 1),) for d in out])
    if k == 0:
        return found
    count, many = len(batch[k]), len(out)
    middle = count + len(free_s)
    return fm.transpose(found, [*range(count), *range(middle, many), *range(count, middle)])


def _conv(node: Node, operands: Sequence[Value], k: int) -> Value | None:
    a = node.attrs
    if a["groups"] != 1 or a["batch_groups"] != 1 or "precision" in a:
        return None
    return _of_image(node, operands) if k == 0 else _of_kernel(node, operands)


def _of_image(node: Node, operands: Sequence[Value]) -> Value | None:
    """A convolution of a sparse image, seen from the image: an element at y adds to the results
    at y*dilation + place, for each place of the kernel turned round.
    """
    (s, w), a = operands, node.attrs
    (n, c, *space), (o, i, *places) = a["lhs"], a["rhs"]
    if any(step != 1 for step in a["stride"]):
        return None
    own = [*(w.shape[d] for d in places), w.shape[o]]
    if not _is_large((*s.shape, *own)):
        return None
    rank = len(s.shape)
    w = fm.reverse(fm.transpose(w, [i, *places, o]), range(1, 1 + len(places)))
    other: Places = [((c, 1),), *(((rank + d, 1),) for d in range(len(own)))]
    result: Places = [((n, 1),)]
    for d, axis in enumerate(space):
        steps = (axis, a["lhs_dilation"][d]), (rank + d, a["rhs_dilation"][d])
        result.append(steps)
    result.append(((rank + len(places), 1),))
    found = _product(s, w, own, other, result)
    reach = [(w.shape[1 + d] - 1) * a["rhs_dilation"][d] for d in range(len(space))]
    shape = node.results[0].shape
    low = [a["low"][d] - reach[d] for d in range(len(space))]
    high = [
        shape[a["out"][2 + d]] - found.shape[1 + d] - low[d] for d in range(len(space))
    ]  # fmt: skip
    if not all(isinstance(e, int) for e in (*low, *high)):
        return None
    found = surrounded(found, [0, *low, 0], [0, *high, 0], [0] * (len(space) + 2))
    return _as_result(found, [a["out"][0], *a["out"][2:], a["out"][1]])


def _of_kernel(node: Node, operands: Sequence[Value]) -> Value | None:
    """A convolution with a sparse kernel: an element at place k adds to the results at z what is in
    the image at z*stride + k*dilation - low.
    """
    (x, s), a = operands, node.attrs
    (n, c, *space), (o, i, *places) = a["lhs"], a["rhs"]
    if any(step != 1 for step in a["lhs_dilation"]):
        return None
    shape = node.results[0].shape
    own = [*(shape[d] for d in a["out"][2:]), x.shape[n]]
    if not _is_large((*s.shape, *own)):
        return None
    rank = len(s.shape)
    x = fm.transpose(x, [c, *space, n])
    other: Places = [((i, 1),)]
    high: list[Extent] = []
    for d, axis in enumerate(places):
        step, dilation = a["stride"][d], a["rhs_dilation"][d]
        other.append(((rank + d, step), (axis, dilation)))
        reach = 1 + (own[d] - 1) * step + (s.shape[axis] - 1) * dilation
        high.append(reach - x.shape[1 + d] - a["low"][d])
    other.append(((rank + len(places), 1),))
    if not all(isinstance(e, int) for e in (*a["low"], *high)):
        return None
    x = surrounded(x, [0, *a["low"], 0], [0, *high, 0], [0] * (len(space) + 2))
    result: Places = [((o, 1),), *(((rank + d, 1),) for d in range(len(own)))]
    found = _product(s, x, own, other, result)
    # [feature, space..., batch] where the card's axes say which
    return _as_result(found, [a["out"][1], *a["out"][2:], a["out"][0]])


def _as_result(found: Value, axes: Sequence[int]) -> Value:
    """The value whose axes are those axes of the result."""
    return fm.transpose(found, [list(axes).index(d) for d in range(len(axes))])


def _is_large(extents: Sequence[Extent]) -> bool:
    count = ty.product(extents)
    return isinstance(count, int) and count >= LARGE


def _product(
    s: Value, y: Value, own: Sequence[Extent], other: Places, result: Places
) -> Value:  # fmt: skip
    return lookup("sparse_product")(
        s, y, extents=tuple(own), other=tuple(other), result=tuple(result)
    )
