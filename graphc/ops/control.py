"""Cards of control flow: loops and choices whose bodies are sub-graphs.

    scan    state = init; for i in range(length): state, y[i] = body(state, x[i], rest)
    while   state = init; while cond(state, rest): state = body(state, rest)
    switch  branches[clip(index, 0, n - 1)](rest)

A body is closed: what it uses of the graph around it are operands (`rest`), so that passes,
derivatives and the planner see every read. Inside one iteration a body is a graph like any other;
`passes.everywhere` takes the passes there, and `codegen.plan` makes native loops of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeMismatch, TypeMismatch
from ..evaluate import evaluate
from ..ir import Graph, Value, param
from ..opdef import Attrs, OpDef, Sample, Staged, register
from ..types import BOOL, F64, I64, TensorType
from .arithmetic import ADD, MUL
from .logic import LT

Types = Sequence[TensorType]


# ------------------------------------------------------------------------------------- infer


def _graph(name: str, what: str, attribute: Any) -> Graph:
    if not isinstance(attribute, Graph):
        raise TypeMismatch(f"{name}: {what} is {attribute!r}, not a graph")
    return attribute


def _check_params(name: str, what: str, graph: Graph, types: Types) -> None:
    if len(types) != len(graph.params):
        raise TypeMismatch(f"{name}: {what} takes {len(graph.params)} arguments, not {len(types)}")
    for position, (type, value) in enumerate(zip(types, graph.params, strict=True)):
        if type != value.type:
            raise TypeMismatch(
                f"{name}: argument {position} of {what} is {type}, and it takes {value.type}"
            )


def _check_carried(name: str, graph: Graph, count: int) -> None:
    for position, (value, result) in enumerate(zip(graph.params, graph.results, strict=False)):
        if position < count and value.type != result.type:
            raise TypeMismatch(
                f"{name}: its body makes {result.type} of the carried {position}, {value.type}"
            )


def _count(name: str, attrs: Attrs, key: str, most: int) -> int:
    count = attrs.get(key)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= most:
        raise TypeMismatch(f"{name}: {key} is {count!r}; expected 0 to {most}")
    return count


def _infer_scan(types: Types, attrs: Attrs) -> tuple[TensorType, ...]:
    body = _graph("scan", "its body", attrs.get("body"))
    carries = _count("scan", attrs, "carries", min(len(types), len(body.results)))
    scanned = _count("scan", attrs, "scanned", len(types) - carries)
    length = attrs["length"]
    inside = list(types)
    for k in range(carries, carries + scanned):
        if not types[k].shape or types[k].shape[0] != length:
            raise ShapeMismatch(f"scan: operand {k} is {types[k]}; its first axis is no {length}")
        inside[k] = types[k].with_shape(types[k].shape[1:])
    _check_params("scan", "its body", body, inside)
    _check_carried("scan", body, carries)
    rows = tuple(v.type.with_shape((length, *v.shape)) for v in body.results[carries:])
    return (*types[:carries], *rows)


def _infer_while(types: Types, attrs: Attrs) -> tuple[TensorType, ...]:
    body = _graph("while", "its body", attrs.get("body"))
    cond = _graph("while", "its condition", attrs.get("cond"))
    carries = _count("while", attrs, "carries", len(types))
    if len(body.results) != carries:
        raise TypeMismatch(f"while: its body has {len(body.results)} results, not {carries}")
    _check_params("while", "its body", body, types)
    _check_params("while", "its condition", cond, types)
    _check_carried("while", body, carries)
    found = [v.type for v in cond.results]
    if found != [TensorType(BOOL, ())]:
        raise TypeMismatch(f"while: its condition answers {', '.join(map(str, found))}, not bool[]")
    return tuple(types[:carries])


def _infer_switch(types: Types, attrs: Attrs) -> tuple[TensorType, ...]:
    branches = attrs.get("branches")
    if not isinstance(branches, tuple) or not branches:
        raise TypeMismatch(f"switch: branches is {branches!r}, not a tuple of graphs")
    if not types or types[0] != TensorType(I64, ()):
        raise TypeMismatch(f"switch: the index is {types[0] if types else 'missing'}, not i64[]")
    found: tuple[TensorType, ...] | None = None
    for position, branch in enumerate(branches):
        what = f"branch {position}"
        _check_params("switch", what, _graph("switch", what, branch), types[1:])
        own = tuple(v.type for v in branch.results)
        if found is not None and own != found:
            shown, first = (", ".join(map(str, row)) for row in (own, found))
            raise TypeMismatch(f"switch: {what} answers ({shown}), and branch 0 ({first})")
        found = own
    assert found is not None
    return found


# ----------------------------------------------------------------------------------- evaluate


def _answer(found: Sequence[Any]) -> Any:
    return found[0] if len(found) == 1 else tuple(found)


def _evaluate_scan(operands: Sequence[Any], attrs: Attrs) -> Any:
    body: Graph = attrs["body"]
    carries, scanned, length = attrs["carries"], attrs["scanned"], attrs["length"]
    state = [np.asarray(x) for x in operands[:carries]]
    xs, rest = operands[carries : carries + scanned], list(operands[carries + scanned :])
    rows: list[Any] = [None] * (len(body.results) - carries)
    for step in range(length):
        i = length - 1 - step if attrs["reverse"] else step
        found = evaluate(body, [*state, *(x[i] for x in xs), *rest])
        state = found[:carries]
        for k, y in enumerate(found[carries:]):
            if rows[k] is None:
                rows[k] = np.empty((length, *y.shape), y.dtype)
            rows[k][i] = y
    if not length:
        inside = [*state, *(np.zeros(x.shape[1:], x.dtype) for x in xs), *rest]
        like = evaluate(body, inside) if rows else []
        rows = [np.empty((0, *y.shape), y.dtype) for y in like[carries:]]
    return _answer([*state, *rows])


def _evaluate_while(operands: Sequence[Any], attrs: Attrs) -> Any:
    carries, limit = attrs["carries"], attrs["limit"]
    state, rest = list(operands[:carries]), list(operands[carries:])
    steps = 0
    while (limit is None or steps < limit) and evaluate(attrs["cond"], [*state, *rest])[0]:
        state = evaluate(attrs["body"], [*state, *rest])
        steps += 1
    return _answer(state)


def _evaluate_switch(operands: Sequence[Any], attrs: Attrs) -> Any:
    branches = attrs["branches"]
    chosen = branches[min(max(int(operands[0]), 0), len(branches) - 1)]
    return _answer(evaluate(chosen, list(operands[1:])))


# ------------------------------------------------------------------ derivatives and batches
# Their rules stand in graphc/derivatives: they are made of derivatives and batches of the bodies.


def _staged(name: str) -> Staged:
    def rule(kind: str) -> Any:
        def run(*given: Any) -> Any:
            from ..derivatives import control  # a rule made of rules; see tests/test_layers.py

            return getattr(control, f"{name}_{kind}")(*given)

        return run

    return Staged(rule("jvp"), rule("forward"), rule("backward"))


def _batching(name: str) -> Any:
    def run(*given: Any) -> Any:
        from ..derivatives import control_batches

        return getattr(control_batches, name)(*given)

    return run


# ------------------------------------------------------------------------------------- cards


def _decay() -> Graph:
    """(state, x, rate) -> (state * rate + x, state)."""
    row = TensorType(F64, (3,))
    s, x, rate = param(row, "state"), param(row, "x"), param(row, "rate")
    return Graph.of("body", (s, x, rate), (ADD(MUL(s, rate), x), MUL(s, x)))


def _scan_samples() -> Iterable[Sample]:
    row, rows = TensorType(F64, (3,)), TensorType(F64, (5, 3))
    given = {"body": _decay(), "carries": 1, "scanned": 1, "length": 5}
    yield Sample((row, rows, row), {**given, "reverse": False}, -1.0, 1.0)
    yield Sample((row, rows, row), {**given, "reverse": True}, -1.0, 1.0)
    empty = {**given, "length": 0, "reverse": False}
    yield Sample((row, TensorType(F64, (0, 3)), row), empty, -1.0, 1.0)


def _doubling() -> tuple[Graph, Graph]:
    """(count, x, step): while count < 3: (count + 1, x * step)."""
    number, row = TensorType(I64, ()), TensorType(F64, (4,))

    def params() -> tuple[Value, ...]:
        return param(number, "count"), param(row, "x"), param(row, "step")

    from ..opdef import lookup

    def whole(value: int) -> Value:
        return lookup("full")(value=value, dtype=I64, shape=())

    count, x, step = params()
    cond = Graph.of("cond", (count, x, step), (LT(count, whole(3)),))
    count, x, step = params()
    body = Graph.of("body", (count, x, step), (ADD(count, whole(1)), MUL(x, step)))
    return cond, body


def _while_samples() -> Iterable[Sample]:
    cond, body = _doubling()
    types = (TensorType(I64, ()), TensorType(F64, (4,)), TensorType(F64, (4,)))
    given = {"cond": cond, "body": body, "carries": 2}
    yield Sample(types, {**given, "limit": 7}, -1.5, 1.5)
    yield Sample(types, {**given, "limit": 1}, -1.5, 1.5)


def _switch_samples() -> Iterable[Sample]:
    row = TensorType(F64, (4,))
    branches = []
    for card in (ADD, MUL):
        x, y = param(row, "x"), param(row, "y")
        branches.append(Graph.of(card.name, (x, y), (card(x, y),)))
    types = (TensorType(I64, ()), row, row)
    yield Sample(types, {"branches": (branches[0], branches[1])})
    yield Sample(types, {"branches": (branches[1],)})


SCAN = register(
    OpDef(
        name="scan",
        doc="state, y[i] = body(state, x[i], rest) for i in range(length), from init on; backwards "
        "with reverse",
        kind="control",
        infer=_infer_scan,
        evaluate=_evaluate_scan,
        source="jax.lax.scan",
        derivative=_staged("scan"),
        batching=_batching("scan"),
        samples=_scan_samples,
    )
)
WHILE = register(
    OpDef(
        name="while",
        doc="state = body(state, rest) while cond(state, rest), at most `limit` times",
        kind="control",
        infer=_infer_while,
        evaluate=_evaluate_while,
        source="jax.lax.while_loop",
        derivative=_staged("while"),
        batching=_batching("while_"),
        samples=_while_samples,
    )
)
SWITCH = register(
    OpDef(
        name="switch",
        doc="what branch clip(index, 0, n - 1) answers for rest",
        kind="control",
        infer=_infer_switch,
        evaluate=_evaluate_switch,
        source="jax.lax.switch",
        derivative=_staged("switch"),
        batching=_batching("switch"),
        samples=_switch_samples,
    )
)


def sub_graphs(attrs: Attrs) -> list[Graph]:
    """The graphs among the attributes of a node, in order."""
    found: list[Graph] = []
    for attribute in attrs.values():
        rows = attribute if isinstance(attribute, tuple) else (attribute,)
        found += [one for one in rows if isinstance(one, Graph)]
    return found


def with_sub_graphs(attrs: Attrs, change: Any) -> dict[str, Any]:
    """The attributes with `change` applied to each graph."""

    def new(attribute: Any) -> Any:
        if isinstance(attribute, Graph):
            return change(attribute)
        if isinstance(attribute, tuple):
            return tuple(new(one) for one in attribute)
        return attribute

    return {name: new(attribute) for name, attribute in attrs.items()}


__all__ = ["SCAN", "SWITCH", "WHILE", "sub_graphs", "with_sub_graphs"]
