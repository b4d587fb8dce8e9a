"""Loops and choices on batches: a loop of batches, a choice for each element of the batch.

Where the condition of a while loop differs within the batch, the loop goes on until it holds for
none, and those that have ended keep their state. Where the index of a switch differs, all branches
are computed, and chosen from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import Graph, Value, inline, make, param
from ..opdef import Attrs, lookup
from ..ops.batching import all_spread, spread, to_front
from ..ops.formula import Formula, broadcast, reduce, select
from ..types import Extent
from .batch import batch
from .closing import Function, closed

Flags = Sequence[bool]
Row = list[tuple[Value, bool]]


def _params(graph: Graph, flags: Flags, size: Extent) -> list[Value]:
    """Parameters like the graph's, of which some have a batch axis in front."""
    return [
        param(p.type.with_shape((size, *p.shape)) if f else p.type, p.node.attrs["name"])
        for p, f in zip(graph.params, flags, strict=True)
    ]


def _inside(graph: Graph, params: Sequence[Value], flags: Flags, size: Extent) -> Row:
    return batch(graph.results, graph.params, params, flags, size)


def _settled(body: Graph, flags: Flags, carries: int, size: Extent) -> tuple[list[bool], Any, Row]:
    """Which parameters are batches when a state that is one after a step was one from the start,
    the parameters, and the results.
    """
    own = list(flags)
    while True:
        params = _params(body, own, size)
        found = _inside(body, params, own, size)
        grown = [a or f for a, (_, f) in zip(own[:carries], found[:carries], strict=True)]
        if grown == own[:carries]:
            return own, params, found
        own[:carries] = grown


def _states(found: Row, own: Flags, carries: int, size: Extent) -> list[Value]:
    return [
        spread(v, f, size) if o else v
        for (v, f), o in zip(found[:carries], own[:carries], strict=True)
    ]


def scan(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Any:
    """Steps stay in front of what is scanned, batches come behind them."""
    body, n, m = attrs["body"], attrs["carries"], attrs["scanned"]
    own, params, found = _settled(body, batched, n, size)
    given = [spread(v, b, size) if o else v for v, b, o in zip(operands, batched, own, strict=True)]
    for k in range(n, n + m):
        if own[k]:
            given[k] = to_front(given[k], 1)
    results = (*_states(found, own, n, size), *(v for v, _ in found[n:]))
    (graph,), captured = closed(Function(body.name, tuple(params), results))
    made = make(lookup("scan"), [*given, *captured], {**attrs, "body": graph}).results
    rows = [to_front(v, 1) if f else v for v, (_, f) in zip(made[n:], found[n:], strict=True)]
    return (*made[:n], *rows)


def while_(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Any:
    """One loop for the batch; with a mask where the condition differs."""
    body, cond, n = attrs["body"], attrs["cond"], attrs["carries"]
    own, params, found = _settled(body, batched, n, size)
    asked = _params(cond, own, size)
    ((goes_on, differs),) = _inside(cond, asked, own, size)
    given = [spread(v, b, size) if o else v for v, b, o in zip(operands, batched, own, strict=True)]
    if differs:
        return _masked(given, own, attrs, size)
    graphs, captured = closed(
        Function(cond.name, tuple(asked), (goes_on,)),
        Function(body.name, tuple(params), tuple(_states(found, own, n, size))),
    )
    new = {**attrs, "cond": graphs[0], "body": graphs[1]}
    return make(lookup("while"), [*given, *captured], new).results


def _masked(given: Sequence[Value], own: Flags, attrs: Attrs, size: Extent) -> Any:
    """The loop whose state also says which elements of the batch go on."""
    body, cond, n = attrs["body"], attrs["cond"], attrs["carries"]
    flags = [True] * n + list(own[n:])
    states = all_spread(given[:n], own[:n], size)
    operands = [*states, *given[n:]]

    def asks(state: Sequence[Value]) -> Value:
        ((found, differs),) = _inside(cond, state, flags, size)
        return spread(found, differs, size)

    begin = asks(operands)
    alive = param(begin.type, "alive")
    params = _params(body, flags, size)
    found = _inside(body, params, flags, size)
    after: list[Value] = []
    for (value, differs), before in zip(found, params, strict=False):
        new = spread(value, differs, size)
        after.append(select(broadcast(alive, new.shape, (0,)), new, before))
    still = (Formula(asks([*after, *params[n:]])).f("and", Formula(alive))).value
    mask = param(begin.type, "alive")
    graphs, captured = closed(
        Function(
            cond.name, (mask, *_params(body, flags, size)), (reduce("or", mask, (0,)),)
        ),
        Function(body.name, (alive, *params), (still, *after)),
    )  # fmt: skip
    new = {**attrs, "cond": graphs[0], "body": graphs[1], "carries": n + 1}
    return make(lookup("while"), [begin, *operands, *captured], new).results[1:]


def switch(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Any:
    """One branch for the batch, or a choice of the results of all."""
    index, *rest = operands
    flags = batched[1:]
    branches: tuple[Graph, ...] = attrs["branches"]
    if batched[0]:
        return _selected(index, rest, flags, branches, size)
    rows = []
    for branch in branches:
        params = _params(branch, flags, size)
        rows.append((branch, params, _inside(branch, params, flags, size)))
    own = [any(flag for _, flag in leaf) for leaf in zip(*(r[2] for r in rows), strict=True)]
    functions = [
        Function(
            branch.name, tuple(params), tuple(_states(found, own, len(own), size)), hoisted=False
        )
        for branch, params, found in rows
    ]
    graphs, captured = closed(*functions)
    made = make(lookup("switch"), [index, *rest, *captured], {"branches": tuple(graphs)})
    return made.results


def _selected(
    index: Value, rest: Sequence[Value], flags: Flags, branches: Sequence[Graph], size: Extent
) -> Any:
    rows = []
    for branch in branches:
        found = _inside(branch, rest, flags, size) if any(flags) else None
        if found is None:
            found = [(v, False) for v in inline(branch, rest)]
        rows.append([spread(v, f, size) for v, f in found])
    answer = rows[-1]
    for k in range(len(branches) - 2, -1, -1):
        below = Formula(index).f("le", k).value
        answer = [
            select(broadcast(below, a.shape, (0,)), a, b)
            for a, b in zip(rows[k], answer, strict=True)
        ]
    return tuple(answer)
