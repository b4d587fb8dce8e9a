"""merge: kernels of one depth, which cannot depend on each other, become one where that saves time.

Those that read the same rows do, and plain maps: the parameter updates of an optimizer. The last
step of `fuse`.
"""

from __future__ import annotations

import heapq
from typing import Any

from ..ir import Value
from .kernels import MAX_OPS, Kernel, share_rows

MAX_MERGED = 512
"""Ops in one kernel of several independent nests."""
RECENT = 32
"""How many kernels of one depth are tried for a merge."""


def merge(kernels: list[Kernel]) -> list[Kernel]:
    """Merges kernels of one depth: those that read the same rows, and plain maps.

    Answers them in running order.
    """
    made_by = {value: kernel for kernel in kernels for value in kernel.results}
    inputs = {id(k): _inputs(k) for k in kernels}
    depth: dict[int, int] = {}
    ordered = _topological(kernels, made_by, inputs)
    for kernel in ordered:
        sources = [made_by[v] for v in inputs[id(kernel)] if v in made_by]
        depth[id(kernel)] = 1 + max((depth[id(s)] for s in sources), default=-1)
    merged: list[Kernel] = []
    open_by_row: dict[Any, list[Kernel]] = {}
    for kernel in sorted(ordered, key=lambda k: depth[id(k)]):
        if kernel.opaque:
            merged.append(kernel)
            continue
        level = depth[id(kernel)]
        is_map = not kernel.reduces
        target = None
        own = {v for v in inputs[id(kernel)] if v.type.size != 1}
        for candidate in open_by_row.get((level, kernel.shape[:1]), ())[-RECENT:]:
            if len(candidate.nodes) + len(kernel.nodes) > MAX_OPS:
                continue
            if (candidate.contracts or kernel.contracts) and candidate.reduces and kernel.reduces:
                continue  # a contraction is a nest of tiles only where no row is reduced beside it
            if share_rows(candidate, kernel) and not own.isdisjoint(inputs[id(candidate)]):
                target = candidate
                break
        if target is None and is_map:
            for candidate in open_by_row.get((level, "maps"), ())[-1:]:
                if len(candidate.nodes) + len(kernel.nodes) <= MAX_MERGED:
                    target = candidate
                    break
        if target is None:
            merged.append(kernel)
            open_by_row.setdefault((level, kernel.shape[:1]), []).append(kernel)
            if is_map:
                open_by_row.setdefault((level, "maps"), []).append(kernel)
            continue
        known = set(target.nodes)
        target.nodes.extend(n for n in kernel.nodes if n not in known)
        target.results.extend(v for v in kernel.results if v not in target.results)
        target.reduces |= kernel.reduces
        target.contracts |= kernel.contracts
        target.kept.extend(kernel.kept)
        if len(kernel.shape) > len(target.shape):
            target.shape = kernel.shape
        inputs[id(target)].update(inputs[id(kernel)])
    return merged


def _inputs(kernel: Kernel) -> dict[Value, None]:
    inside = {v for node in kernel.nodes for v in node.results}
    return {v: None for node in kernel.nodes for v in node.operands if v not in inside}


def _topological(
    kernels: list[Kernel], made_by: dict[Value, Kernel], inputs: dict[int, dict[Value, None]]
) -> list[Kernel]:
    """The kernels in running order;
    of those that may run, the one that stands first in the program.
    """
    rank = {id(k): n for n, k in enumerate(reversed(kernels))}
    readers: dict[int, list[Kernel]] = {}
    waits = dict.fromkeys(rank, 0)
    for kernel in kernels:
        sources = {id(made_by[v]) for v in inputs[id(kernel)] if v in made_by} - {id(kernel)}
        waits[id(kernel)] = len(sources)
        for source in sources:
            readers.setdefault(source, []).append(kernel)
    by_rank = list(reversed(kernels))
    ready = [rank[k] for k, count in waits.items() if not count]
    heapq.heapify(ready)
    ordered: list[Kernel] = []
    while ready:
        kernel = by_rank[heapq.heappop(ready)]
        ordered.append(kernel)
        for reader in readers.get(id(kernel), ()):
            waits[id(reader)] -= 1
            if not waits[id(reader)]:
                heapq.heappush(ready, rank[id(reader)])
    assert len(ordered) == len(kernels), "kernels depend on each other"
    return ordered
