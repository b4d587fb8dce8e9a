"""`associative_scan`: running results of any associative function, in log2(n) rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import pytrees
from ..cell import current_trace
from ..errors import ShapeMismatch
from ..locations import refuse


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """The running results `y[0] = x[0]; y[i] = fn(y[i - 1], x[i])` of an associative function.

    Args:
        fn: takes two nested values like `elems`, whose axis holds several elements each, and
            answers one like them.
        elems: arrays of one extent along `axis`, nested.
        reverse: runs from the last element to the first.

    The rounds work on whole arrays: about 2 n applications of fn in all, 2 log2(n) of them one
    after another, where `scan` has n. Source: jax.lax.associative_scan; Blelloch, Prefix sums and
    their applications, 1990.
    """
    from .. import numpy as namespace

    leaves, tree = pytrees.flatten(elems)
    if not leaves:
        return elems
    if current_trace() is None:
        import numpy as arrays_of

        leaves = [arrays_of.asarray(x) for x in leaves]
    ranks = [len(x.shape) for x in leaves]
    if min(ranks) < 1 or not all(-r <= axis < r for r in ranks):
        refuse(f"associative_scan: an element has no axis {axis}", ShapeMismatch)
    extents = {x.shape[axis] for x in leaves}
    if len(extents) > 1:
        refuse(
            f"associative_scan: the extents along axis {axis} differ: "
            f"{', '.join(map(str, sorted(map(str, extents))))}",
            ShapeMismatch,
        )
    (extent,) = extents
    if not isinstance(extent, int):
        refuse(f"associative_scan: the number of elements is {extent}; it has to be a number")
    axes = [axis % r for r in ranks]
    rows = [namespace.flip(x, a) for x, a in zip(leaves, axes, strict=True)] if reverse else leaves
    found = _Rounds(fn, tree, axes).run(rows)
    if reverse:
        found = [namespace.flip(x, a) for x, a in zip(found, axes, strict=True)]
    return tree.unflatten(found)


class _Rounds:
    """One application, to leaves."""

    def __init__(self, fn: Callable[[Any, Any], Any], tree: Any, axes: Sequence[int]):
        self.fn, self.tree, self.axes = fn, tree, axes

    def joined(self, a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        found, tree = pytrees.flatten(self.fn(self.tree.unflatten(a), self.tree.unflatten(b)))
        if tree != self.tree:
            refuse(f"associative_scan: fn answers the structure {tree}; expected {self.tree}")
        return found

    def part(self, xs: Sequence[Any], start: int | None, stop: int | None, step: int = 1) -> Any:
        """Every element of an axis that a slice takes."""
        return [
            x[(*[slice(None)] * axis, slice(start, stop, step))]
            for x, axis in zip(xs, self.axes, strict=True)
        ]

    def run(self, xs: Sequence[Any]) -> list[Any]:
        count = xs[0].shape[self.axes[0]]
        if count < 2:
            return list(xs)
        pairs = self.joined(self.part(xs, 0, count - 1, 2), self.part(xs, 1, None, 2))
        odd = self.run(pairs)  # the results at 1, 3, 5...
        before = self.part(odd, 0, -1) if count % 2 == 0 else odd
        if before[0].shape[self.axes[0]]:
            even = self.joined(before, self.part(xs, 2, None, 2))
            even = self.together(self.part(xs, 0, 1), even)
        else:
            even = self.part(xs, 0, 1)
        return self.woven(even, odd, count)

    def together(self, a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        from .. import numpy as namespace

        return [
            namespace.concatenate((x, y), axis=axis)
            for x, y, axis in zip(a, b, self.axes, strict=True)
        ]

    def woven(self, even: Sequence[Any], odd: Sequence[Any], count: int) -> list[Any]:
        """The elements in turn."""
        from .. import numpy as namespace

        found = []
        for a, b, axis in zip(even, odd, self.axes, strict=True):
            more = a.shape[axis] - b.shape[axis]
            head = a[(*[slice(None)] * axis, slice(0, b.shape[axis]))] if more else a
            pairs = namespace.stack((head, b), axis=axis + 1)
            shape = (*b.shape[:axis], 2 * b.shape[axis], *b.shape[axis + 1 :])
            joined = namespace.reshape(pairs, shape)
            if more:
                last = a[(*[slice(None)] * axis, slice(b.shape[axis], None))]
                joined = namespace.concatenate((joined, last), axis=axis)
            found.append(joined)
        return found


__all__ = ["associative_scan"]
