"""Loops and choices with nothing in vain.

    %1, %2, %3 = scan(%a, %b, %xs){...}          %1 = scan(%a, %xs){...}
    return %1                             ->     return %1

Requires: a valid graph.
Guarantees: of a loop, no state, output or operand is left that no result needs, in this step or a
    later one; no state that stays what it was (it is an operand), no operand twice, and no operand
    that is a constant (it stands in the body). A scan of one step or of none is no loop, and a
    switch whose index is known is the branch.
Placement: among the simplifying passes, after fold, which shows constants; what it puts into bodies
    is simplified there in the next round. Derivatives rely on it: the loops that they make keep and
    hand over more than is asked for.
Cost: a walk, and one through each body for each state that turns out to be needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from ..ir import Graph, Node, Value, inline, make, reachable, rewrite
from ..opdef import lookup
from .everywhere import everywhere
from .fold import full, uniform

CONSTANT = ("full", "constant", "iota", "extent")
"""Ops whose values are made inside a body rather than handed in."""


@everywhere
def control(graph: Graph) -> Graph:
    """The graph with its loops and choices simplified."""
    if not any(node.op.kind == "control" for node in graph.nodes):
        return graph
    live = _live(graph)

    def visit(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.op.kind != "control" or node not in live:
            return None
        if node.op.name == "switch":
            return _switch(node, operands, live[node])
        return _loop(node, operands, live[node])

    return rewrite(graph, visit)


def _live(graph: Graph) -> dict[Node, list[bool]]:
    """Which results of the control nodes are needed."""
    needed = set(graph.results)
    found: dict[Node, list[bool]] = {}
    for node in reversed(graph.nodes):
        asked = [v in needed for v in node.results]
        if not any(asked):
            continue
        if node.op.kind != "control":
            needed.update(node.operands)
            continue
        found[node] = asked
        if node.op.name == "switch":
            used = _switch_uses(node, asked)
            needed.add(node.operands[0])
            needed.update(v for v, u in zip(node.operands[1:], used, strict=True) if u)
        else:
            _, used = _loop_uses(node, asked)
            needed.update(v for v, u in zip(node.operands, used, strict=True) if u)
    return found


def _params_of(graph: Graph, results: Collection[Value]) -> list[bool]:
    """Which parameters some results need."""
    read = set(results)
    for node in reachable(results):
        read.update(node.operands)
    return [p in read for p in graph.params]


# ------------------------------------------------------------------------------------------- loops


def _loop_uses(node: Node, asked: Sequence[bool]) -> tuple[list[bool], list[bool]]:
    """Which results of the body, and which operands, are needed when these results are.

    A state is, where it is asked for, or where the next step of what is asked for reads it.
    """
    body: Graph = node.attrs["body"]
    n = node.attrs["carries"]
    results = list(asked)
    cond: Graph | None = node.attrs.get("cond")
    while True:
        wanted = [r for r, a in zip(body.results, results, strict=True) if a]
        used = _params_of(body, wanted)
        if cond is not None:
            both = zip(used, _params_of(cond, cond.results), strict=True)
            used = [a or b for a, b in both]
        grown = [a or b for a, b in zip(results[:n], used[:n], strict=True)]
        used[:n] = grown
        if grown == results[:n]:
            return results, used
        results[:n] = grown


def _loop(node: Node, operands: tuple[Value, ...], asked: Sequence[bool]) -> Sequence[Value] | None:
    attrs = node.attrs
    short = _short(node, operands)
    if short is not None:
        return short
    body: Graph = attrs["body"]
    n, m = attrs["carries"], attrs.get("scanned", 0)
    results, used = _loop_uses(node, asked)
    fixed = [k for k in range(n) if body.results[k] is body.params[k]]
    constant = [
        k for k in range(n + m, len(operands)) if used[k] and operands[k].node.op.name in CONSTANT
    ]
    constant += [k for k in fixed if used[k] and operands[k].node.op.name in CONSTANT]
    first: dict[Value, int] = {}
    double = {
        k: first[v] for k, v in enumerate(operands)
        if k >= n + m and k not in constant and first.setdefault(v, k) != k
    }  # fmt: skip
    if all(results) and all(used) and not (fixed or constant or double):
        return None
    states = [k for k in range(n) if results[k] and k not in fixed]
    rows = [k for k in range(n, n + m) if used[k]]
    rest = [k for k in (*fixed, *range(n + m, len(operands))) if used[k]]
    rest = [k for k in rest if k not in constant and k not in double]
    order = [*states, *rows, *rest]
    outputs = [k for k in range(n, len(body.results)) if results[k]]

    def fitted(graph: Graph, wanted: Sequence[Value]) -> Graph:
        env = {graph.params[k]: _again(operands[k]) for k in constant}
        env.update({graph.params[k]: graph.params[j] for k, j in double.items()})
        params = [graph.params[k] for k in order]
        return _substituted(graph, params, wanted, env)

    new = {**attrs, "body": fitted(body, [body.results[k] for k in (*states, *outputs)])}
    new["carries"] = len(states)
    if "scanned" in attrs:
        new["scanned"] = len(rows)
    if "cond" in attrs:
        if not states:
            return None  # it never ends, or never begins: as it was meant
        new["cond"] = fitted(attrs["cond"], attrs["cond"].results)
    answer = list(node.results)
    for k in fixed:
        answer[k] = operands[k]
    if states or outputs:
        made = make(node.op, [operands[k] for k in order], new).results
        for k, value in zip((*states, *outputs), made, strict=True):
            answer[k] = value
    return answer


def _short(node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
    """The results of a scan of one step, or of none."""
    attrs = node.attrs
    if attrs.get("length") not in (0, 1) or not isinstance(attrs["length"], int):
        return None
    body: Graph = attrs["body"]
    n, m = attrs["carries"], attrs["scanned"]
    reshape = lookup("reshape")
    if not attrs["length"]:
        return (*operands[:n], *(full(r.type, 0) for r in node.results[n:]))
    xs = [reshape(x, shape=x.shape[1:]) for x in operands[n : n + m]]
    found = inline(body, [*operands[:n], *xs, *operands[n + m :]])
    return (*found[:n], *(reshape(y, shape=(1, *y.shape)) for y in found[n:]))


def _again(value: Value) -> Value:
    """A constant as a node of its own, for a body."""
    return make(value.node.op, (), value.node.attrs, value.node.where).results[0]


def _substituted(
    graph: Graph, params: Sequence[Value], results: Sequence[Value], env: Mapping[Value, Value]
) -> Graph:
    """The graph with other parameters, values in the place of some, and some of its results."""
    new = dict(env)
    if new:
        for node in graph.nodes:
            if any(v in new for v in node.operands):
                made = make(node.op, [new.get(v, v) for v in node.operands], node.attrs, node.where)
                new.update(zip(node.results, made.results, strict=True))
    return Graph.of(graph.name, params, [new.get(v, v) for v in results])


# ----------------------------------------------------------------------------------------- choices


def _switch_uses(node: Node, asked: Sequence[bool]) -> list[bool]:
    """Which operands but for the index are needed when these results are."""
    used = [False] * (len(node.operands) - 1)
    for branch in node.attrs["branches"]:
        wanted = [r for r, a in zip(branch.results, asked, strict=True) if a]
        used = [a or b for a, b in zip(used, _params_of(branch, wanted), strict=True)]
    return used


def _switch(
    node: Node, operands: tuple[Value, ...], asked: Sequence[bool]
) -> Sequence[Value] | None:
    branches: tuple[Graph, ...] = node.attrs["branches"]
    index, *rest = operands
    known = uniform(index)
    if known is not None or len(branches) == 1:
        place = min(max(int(known or 0), 0), len(branches) - 1)  # type: ignore[arg-type]
        return inline(branches[place], rest)
    used = _switch_uses(node, asked)
    constant = [k for k, v in enumerate(rest) if used[k] and v.node.op.name in CONSTANT]
    if all(asked) and all(used) and not constant:
        return None
    order = [k for k, u in enumerate(used) if u and k not in constant]
    kept = [k for k, a in enumerate(asked) if a]
    graphs = []
    for branch in branches:
        env = {branch.params[k]: _again(rest[k]) for k in constant}
        params = [branch.params[k] for k in order]
        graphs.append(_substituted(branch, params, [branch.results[k] for k in kept], env))
    made = make(node.op, [index, *(rest[k] for k in order)], {"branches": tuple(graphs)}).results
    answer = list(node.results)
    for k, value in zip(kept, made, strict=True):
        answer[k] = value
    return answer
