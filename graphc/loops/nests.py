"""nests: which results of a kernel share a nest of loops.

Asked by `lower`, and by `passes.fuse`, which counts on the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import PARAM, Value, reachable
from ..types import Extent
from .ir import Buffer


def nests(
    results: Sequence[Value], done: dict[Value, Buffer], whole: bool = False
) -> list[list[int]]:
    """Which results share a nest: those of equal shapes,
    and, unless `whole`, those that are the rows of a larger one.

    They must have something to share: an op, or a parameter that both read. Nests of unrelated
    results (the updates of an optimizer) would read from too many places at once.
    """
    groups: list[tuple[tuple[Extent, ...], list[int], set[Value]]] = []
    order = sorted(range(len(results)), key=lambda k: -results[k].type.rank)
    for k in order:
        if results[k] in done and results[k].node.op is not PARAM:
            continue  # an opaque op has written it
        shape, touched = results[k].type.shape, _touched(results[k])
        for full, members, shared in groups:
            fits = full == shape if whole else row_depth(full, shape) is not None
            if fits and not touched.isdisjoint(shared):
                members.append(k)
                shared |= touched
                break
        else:
            groups.append((shape, [k], touched))
    return [sorted(members) for _, members, _ in sorted(groups, key=lambda g: min(g[1]))]


def _touched(result: Value) -> set[Value]:
    """The values that a result needs and that are worth computing or reading once;
    nothing for a parameter.
    """
    found: set[Value] = set()
    for node in reachable([result]):
        if node.op.kind not in ("creation", "movement"):
            found.update(v for v in node.results if v.type.size != 1)
        found.update(v for v in node.operands if v.node.op is PARAM and v.type.size != 1)
    return found


def row_depth(full: tuple[Extent, ...], shape: tuple[Extent, ...]) -> int | None:
    """How many outer axes of `full` make up `shape` (its other axes being 1), or None."""
    if shape == full:
        return len(full)
    depth = len(shape)
    while depth and shape[depth - 1] == 1:
        depth -= 1
    return depth if shape[:depth] == full[:depth] and depth <= len(full) else None
