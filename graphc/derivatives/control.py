"""Derivatives of loops and choices: a loop that computes tangents beside values, a loop that keeps
what the way back needs, and the loop that goes back.

    s[i+1], y[i] = body(s[i], x[i], w)        forward: also keeps r[i], what `body`'s pullback needs
    ds[i], dx[i], dw = pull(r[i], ds[i+1], dy[i])       backward, from the last step to the first

What is kept (`r`) is stacked, but for what is the same in all steps (kept once) and for rows of x
(read again). A `checkpoint` in the body keeps less. A while loop with a bound is differentiated as
a scan of so many steps, in which the late ones do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc_runtime.records import dataclass

from ..errors import TraceError
from ..ir import Graph, Node, SourceLine, Value, inline, make, param
from ..ir import _current as current
from ..opdef import Attrs, lookup
from ..ops import build
from ..ops.formula import Formula, zeros
from ..types import I64
from .closing import Function, closed
from .forward import jvp
from .replay import has_derivative
from .reverse import Pullback
from .split import split

Values = Sequence["Value | None"]


def _node(name: str, operands: Sequence[Value], **attrs: Any) -> Node:
    return make(lookup(name), operands, attrs)


def _or_zeros(value: Value | None, like: Value) -> Value:
    return zeros(like.type) if value is None else value


def _new_params(values: Sequence[Value], which: Sequence[bool], stem: str) -> list[Value | None]:
    """A parameter like each value that is asked for."""
    pairs = enumerate(zip(values, which, strict=True))
    return [param(v.type, f"{stem}{k}") if w else None for k, (v, w) in pairs]


def _there(values: Values) -> list[Value]:
    return [v for v in values if v is not None]


# ------------------------------------------------------------------------------------- forward mode


def _moving_body(
    body: Graph, tangents: Values, carries: int
) -> tuple[list[bool], list[Value | None], list[Value], list[Value | None]]:
    """Which parameters move, their tangents as parameters, and the results with theirs.

    A state that starts without a tangent may get one in the first step.
    """
    moving = [t is not None for t in tangents]
    while True:
        inside = _new_params(body.params, moving, "d")
        values, found = jvp(body.results, body.params, body.params, inside)
        grown = [m or v is not None for m, v in zip(moving, found[:carries], strict=False)]
        if grown[:carries] == moving[:carries]:
            return moving, inside, values, found
        moving[:carries] = grown[:carries]


def scan_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> tuple[list[Value], list[Value | None]]:
    """A scan of values and tangents."""
    body, n, m = attrs["body"], attrs["carries"], attrs["scanned"]
    moving, inside, values, found = _moving_body(body, tangents, n)
    parts = (slice(0, n), slice(n, n + m), slice(n + m, None))
    params: list[Value] = []
    given: list[Value] = []
    for part in parts:
        params += [*body.params[part], *_there(inside[part])]
        given += operands[part]
        given += [
            _or_zeros(t, v)
            for t, v, w in zip(tangents[part], operands[part], moving[part], strict=True)
            if w
        ]
    rows = [v for v in found[n:] if v is not None]
    states = [_or_zeros(v, r) for v, r, w in zip(found[:n], values, moving, strict=False) if w]
    (graph,), captured = closed(
        Function(body.name, tuple(params), (*values[:n], *states, *values[n:], *rows))
    )
    made = _node(
        "scan", [*given, *captured], body=graph, carries=n + len(states),
        scanned=m + sum(moving[n : n + m]), length=attrs["length"], reverse=attrs["reverse"],
    ).results  # fmt: skip
    first = n + len(states)
    outputs = len(values) - n
    new = [*made[:n], *made[first : first + outputs]]
    moved, more = iter(made[n:first]), iter(made[first + outputs :])
    answer: list[Value | None] = [next(moved) if w else None for w in moving[:n]]
    answer += [None if v is None else next(more) for v in found[n:]]
    return new, answer


def while_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> tuple[list[Value], list[Value | None]]:
    """A while loop of values and tangents; its condition sees the values."""
    body, cond, n = attrs["body"], attrs["cond"], attrs["carries"]
    moving, inside, values, found = _moving_body(body, tangents, n)
    more = _new_params(cond.params, moving, "d")
    states = [_or_zeros(v, r) for v, r, w in zip(found[:n], values, moving, strict=False) if w]
    given: list[Value] = []
    for part in (slice(0, n), slice(n, None)):
        given += operands[part]
        rows = zip(tangents[part], operands[part], moving[part], strict=True)
        given += [_or_zeros(t, v) for t, v, w in rows if w]

    def params(graph: Graph, extra: Values) -> tuple[Value, ...]:
        return (*graph.params[:n], *_there(extra[:n]), *graph.params[n:], *_there(extra[n:]))

    graphs, captured = closed(
        Function(cond.name, params(cond, more), cond.results),
        Function(body.name, params(body, inside), (*values, *states)),
    )
    made = _node(
        "while", [*given, *captured], cond=graphs[0], body=graphs[1], carries=n + len(states),
        limit=attrs["limit"],
    ).results  # fmt: skip
    moved = iter(made[n:])
    return list(made[:n]), [next(moved) if w else None for w in moving[:n]]


def switch_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> tuple[list[Value], list[Value | None]]:
    """A switch of values and tangents."""
    moving = [t is not None for t in tangents[1:]]
    rows: list[tuple[Graph, list[Value], list[Value], list[Value | None]]] = []
    for branch in attrs["branches"]:
        inside = _new_params(branch.params, moving, "d")
        values, found = jvp(branch.results, branch.params, branch.params, inside)
        rows.append((branch, [*branch.params, *_there(inside)], values, found))
    moved = [any(row[3][k] is not None for row in rows) for k in range(len(results))]
    functions = []
    for branch, params, values, found in rows:
        own = [_or_zeros(found[k], values[k]) for k, w in enumerate(moved) if w]
        functions.append(Function(branch.name, tuple(params), (*values, *own), hoisted=False))
    graphs, captured = closed(*functions)
    given = [*operands, *_there(tangents[1:]), *captured]
    made = _node("switch", given, branches=tuple(graphs)).results
    more = iter(made[len(results) :])
    return list(made[: len(results)]), [next(more) if w else None for w in moved]


# ------------------------------------------------------------------------------------- reverse mode


def _reached(body: Graph, wanted: Sequence[bool], carries: int) -> tuple[list[bool], list[bool]]:
    """Which parameters, and which results, are on the way of a derivative: what depends on wanted
    parameters, from step to step.
    """
    active = [w and has_derivative(p.dtype) for w, p in zip(wanted, body.params, strict=True)]
    while True:
        known = {p for p, a in zip(body.params, active, strict=True) if a}
        for node in body.nodes:
            if any(v in known for v in node.operands):
                known.update(r for r in node.results if has_derivative(r.dtype))
        results = [r in known for r in body.results]
        grown = [a or r for a, r in zip(active[:carries], results[:carries], strict=True)]
        if grown == active[:carries]:
            return active, results
        active[:carries] = grown


@dataclass(frozen=True, slots=True)
class _Way:
    """The way back through one run of a body: a graph from what is kept and cotangents of some
    results to cotangents of some parameters.
    """

    results: tuple[Value, ...]
    kept: tuple[Value, ...]
    late: Graph
    given: tuple[int, ...]
    """The results whose cotangents it takes."""
    answers: tuple[int, ...]
    """The parameters whose cotangents it answers; those of the others are 0."""

    def back(self, kept: Sequence[Value], cotangents: Values, count: int) -> list[Value | None]:
        """The cotangents of `count` parameters."""
        filled = [_or_zeros(g, self.late.params[len(kept) + k]) for k, g in enumerate(cotangents)]
        values = inline(self.late, [*kept, *filled])
        found: list[Value | None] = [None] * count
        for k, value in zip(self.answers, values, strict=True):
            found[k] = value
        return found


def _way(body: Graph, active: Sequence[bool], results: Sequence[bool]) -> _Way:
    chosen = [k for k, a in enumerate(active) if a]
    params = [body.params[k] for k in chosen]
    pullback = Pullback(body.results, params, params)
    cotangents = _new_params(body.results, results, "g")
    found = pullback.pull(cotangents)
    pairs = [(k, v) for k, v in zip(chosen, found, strict=True) if v is not None]
    kept, late = split([v for _, v in pairs], _there(cotangents), f"{body.name}_back")
    given = tuple(k for k, r in enumerate(results) if r)
    return _Way(tuple(pullback.results), tuple(kept), late, given, tuple(k for k, _ in pairs))


@dataclass(frozen=True, slots=True)
class _Back:
    """What the backward loop of a scan needs.

    `kept` says of each value that the way back keeps where it is: ("row", position among the
    stacked ones), ("x", parameter), ("rest", parameter) or ("same", position among those that are
    the same in all steps).
    """

    way: _Way
    body: Graph
    attrs: Attrs
    operands: tuple[Value, ...]
    active: tuple[bool, ...]
    kept: tuple[tuple[str, int], ...]
    rows: tuple[Value, ...]
    same: tuple[Value, ...]


def scan_forward(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, wanted: Sequence[bool]
) -> tuple[list[Value], Any]:
    """The scan with what the way back needs as further outputs."""
    body, n, m = attrs["body"], attrs["carries"], attrs["scanned"]
    active, reached = _reached(body, wanted, n)
    way = _way(body, active, reached)
    position = {p: k for k, p in enumerate(body.params)}
    changing = _changing(way.kept, set(body.params[: n + m]))
    places: list[tuple[str, int]] = []
    rows: list[Value] = []
    same: list[Value] = []
    for value in way.kept:
        k = position.get(value, -1)
        if k >= n:
            places.append(("x" if k < n + m else "rest", k))
        elif value in changing:
            places.append(("row", len(rows)))
            rows.append(value)
        else:
            places.append(("same", len(same)))
            same.append(value)
    (graph,), captured = closed(Function(body.name, body.params, (*way.results, *rows)))
    made = _node("scan", [*operands, *captured], **{**attrs, "body": graph}).results
    count = len(results)
    (rest,), found = closed(Function("same", body.params[n + m :], tuple(same)))
    once = inline(rest, [*operands[n + m :], *found])
    back = _Back(
        way, body, attrs, tuple(operands), tuple(active), tuple(places), tuple(made[count:]),
        tuple(once),
    )  # fmt: skip
    return list(made[:count]), back


def _changing(values: Sequence[Value], params: set[Value]) -> set[Value]:
    """Those values that depend on the parameters, or that may report an error."""
    from ..ir import reachable

    known = set(params)
    for node in reachable(values):
        fails = node.op.kind in ("opaque", "control", "call") or node.attrs.get("mode") == "raise"
        if fails or any(v in known for v in node.operands):
            known.update(node.results)
    return known & set(values)


def scan_backward(back: _Back, cotangents: Values) -> list[Value | None]:
    """The scan from the last step to the first."""
    body, n, m = back.body, back.attrs["carries"], back.attrs["scanned"]
    states = [k for k in range(n) if back.active[k]]
    totals = [k for k in range(n + m, len(body.params)) if back.active[k]]
    state_params = [param(body.params[k].type, f"g{k}") for k in states]
    total_params = [param(body.params[k].type, f"total{k}") for k in totals]
    scanned: list[tuple[Value, Value]] = []  # parameter, operand

    def row(operand: Value, stem: str) -> Value:
        inside = param(operand.type.with_shape(operand.shape[1:]), f"{stem}{len(scanned)}")
        scanned.append((inside, operand))
        return inside

    given: list[Value | None] = []
    for k in back.way.given:
        if k < n:
            given.append(state_params[states.index(k)])
        else:
            g = cotangents[k]
            given.append(None if g is None else row(g, "g"))
    rest: dict[Value, Value] = {}
    kept: list[Value] = []
    for where, k in back.kept:
        if where == "row":
            kept.append(row(back.rows[k], "kept"))
        elif where == "x":
            kept.append(row(back.operands[k], "x"))
        else:
            operand = back.operands[k] if where == "rest" else back.same[k]
            kept.append(rest.setdefault(operand, param(operand.type, f"w{len(rest)}")))
    found = back.way.back(kept, given, len(body.params))
    new_states = [_or_zeros(found[k], body.params[k]) for k in states]
    new_totals = []
    for k, total in zip(totals, total_params, strict=True):
        more = found[k]
        new_totals.append(total if more is None else (Formula(total) + Formula(more)).value)
    outputs = [k for k in range(n, n + m) if found[k] is not None]
    params = (*state_params, *total_params, *(p for p, _ in scanned), *rest.values())
    values = (*new_states, *new_totals, *_there([found[k] for k in outputs]))
    (graph,), captured = closed(Function(f"{body.name}_back", params, values))
    first = [_or_zeros(cotangents[k], body.params[k]) for k in states]
    first += [zeros(body.params[k].type) for k in totals]
    answer: list[Value | None] = [None] * len(body.params)
    if not values:
        return answer
    made = _node(
        "scan", [*first, *(v for _, v in scanned), *rest, *captured], body=graph,
        carries=len(first), scanned=len(scanned), length=back.attrs["length"],
        reverse=not back.attrs["reverse"],
    ).results  # fmt: skip
    for k, value in zip([*states, *totals, *outputs], made, strict=True):
        answer[k] = value
    return answer


# -------------------------------------------------------------------------------------------- while


@dataclass(frozen=True, slots=True)
class _Endless:
    """There is no way back through a loop of which nobody knows how often it runs."""

    name: str
    where: SourceLine | None


def while_forward(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, wanted: Sequence[bool]
) -> tuple[list[Value], Any]:
    """As a scan of `limit` steps, where there is a limit."""
    if attrs["limit"] is None:
        where = getattr(current, "where", None)
        return list(results), _Endless(attrs["body"].name, where)
    body, cond, n = attrs["body"], attrs["cond"], attrs["carries"]
    params = [param(p.type, p.node.attrs["name"]) for p in body.params]
    goes_on = build.cast(inline(cond, params)[0], I64)
    stays = [param(p.type, p.node.attrs["name"]) for p in body.params]
    branches = (Graph.of("done", stays, stays[:n]), body)
    state = _node("switch", [goes_on, *params], branches=branches).results
    scan = _node(
        "scan", operands, body=Graph.of(body.name, params, state), carries=n, scanned=0,
        length=attrs["limit"], reverse=False,
    )  # fmt: skip
    return scan_forward(scan.operands, scan.results, scan.attrs, wanted)


def while_backward(back: Any, cotangents: Values) -> list[Value | None]:
    """As through a scan."""
    if isinstance(back, _Endless):
        line = f" (at {back.where})" if back.where else ""
        raise TraceError(
            f"reverse mode (grad, vjp) does not go through while_loop of {back.name}: how many "
            "steps it has to remember is not known. Give it a bound, while_loop(..., "
            "max_steps=100), or use scan or fori_loop with a known number of steps; forward mode "
            f"(jvp, jacfwd) goes through any{line}"
        )
    return scan_backward(back, cotangents)


# ------------------------------------------------------------------------------------------- switch


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the way back through a switch needs. `kept` says of each branch where what it keeps is:
    ("operand", position) or ("slot", position).
    """

    ways: tuple[_Way, ...]
    kept: tuple[tuple[tuple[str, int], ...], ...]
    slots: tuple[Value, ...]
    operands: tuple[Value, ...]
    branches: tuple[Graph, ...]


def switch_forward(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, wanted: Sequence[bool]
) -> tuple[list[Value], Any]:
    """The switch with what the ways back need as further results; branches share the places."""
    branches: tuple[Graph, ...] = attrs["branches"]
    ways, places, rows = [], [], []
    slots: list[Value] = []  # a value of each type that is kept
    for branch in branches:
        active, reached = _reached(branch, wanted[1:], 0)
        way = _way(branch, active, reached)
        position = {p: k for k, p in enumerate(branch.params)}
        taken: dict[int, Value] = {}
        own: list[tuple[str, int]] = []
        for value in way.kept:
            if value in position:
                own.append(("operand", position[value]))
                continue
            free = (k for k, s in enumerate(slots) if k not in taken and s.type == value.type)
            slot = next(free, len(slots))
            if slot == len(slots):
                slots.append(value)
            taken[slot] = value
            own.append(("slot", slot))
        ways.append(way)
        places.append(tuple(own))
        rows.append(taken)
    functions = []
    for branch, way, taken in zip(branches, ways, rows, strict=True):
        extra = [_or_zeros(taken.get(k), slot) for k, slot in enumerate(slots)]
        functions.append(
            Function(branch.name, branch.params, (*way.results, *extra), hoisted=False)
        )
    graphs, captured = closed(*functions)
    made = _node("switch", [*operands, *captured], branches=tuple(graphs)).results
    count = len(results)
    back = _Chosen(
        tuple(ways), tuple(places), tuple(made[count:]), tuple(operands), tuple(branches)
    )
    return list(made[:count]), back


def switch_backward(back: _Chosen, cotangents: Values) -> list[Value | None]:
    """The switch of the ways back."""
    count = len(back.operands) - 1
    given = _there(cotangents)
    rows = []
    for way, kept, branch in zip(back.ways, back.kept, back.branches, strict=True):
        slots = [param(v.type, f"kept{k}") for k, v in enumerate(back.slots)]
        again = [param(v.type, f"x{k}") for k, v in enumerate(branch.params)]
        gs = [param(v.type, f"g{k}") for k, v in enumerate(given)]
        rest = iter(gs)
        filled = [None if g is None else next(rest) for g in cotangents]
        values = [slots[k] if where == "slot" else again[k] for where, k in kept]
        found = way.back(values, [filled[k] for k in way.given], count)
        rows.append(((*slots, *again, *gs), found))
    asked = [k for k in range(count) if any(found[k] is not None for _, found in rows)]
    answer: list[Value | None] = [None] * (count + 1)
    if not asked:
        return answer
    functions = [
        Function(
            f"{branch.name}_back", params,
            tuple(_or_zeros(found[k], branch.params[k]) for k in asked), hoisted=False,
        )
        for branch, (params, found) in zip(back.branches, rows, strict=True)
    ]  # fmt: skip
    graphs, captured = closed(*functions)
    index, *operands = back.operands
    made = _node(
        "switch", [index, *back.slots, *operands, *given, *captured], branches=tuple(graphs)
    ).results
    for k, value in zip(asked, made, strict=True):
        answer[k + 1] = value
    return answer
