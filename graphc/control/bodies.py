"""A Python function as the sub-graph of a node: closed, with what it found outside as operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import TypeMismatch
from ..ir import PARAM, Graph, Node, Value, make, param, reachable, serial
from ..locations import refuse
from ..opened import Leaves, trace_of
from ..ops import build
from ..tracer import Tracer
from ..types import DType, TensorType


@dataclass(frozen=True, slots=True)
class Function:
    """A function of parameters, not yet closed.

    `since` is the serial number of its first node. `hoisted`: what it makes of values from outside
    alone may be computed outside, once: so it is in a loop, but not in a branch that may not run.
    """

    name: str
    params: tuple[Value, ...]
    results: tuple[Value, ...]
    since: int
    hoisted: bool


def closed(*functions: Function) -> tuple[list[Graph], list[Value]]:
    """The functions as graphs, and what they use from outside, in one order: these values are
    further parameters of every graph.

    What only makes an outside value larger (a row that is broadcast) is done inside, so that the
    small one is the operand; what depends on no parameter at all is a constant of the graph.
    """
    found = [_Closing(one) for one in functions]
    captured = list(dict.fromkeys(v for one in found for v in one.captured))
    return [one.graph(captured) for one in found], captured


class _Closing:
    """One function on its way to a graph."""

    def __init__(self, function: Function):
        self.function = function
        self.captured: dict[Value, Value] = {}
        order = reachable(function.results)
        own = _own(order, function)
        read = [v for node in order for v in node.operands] + list(function.results)
        foreign = {v for v in read if v.node.op is PARAM} - set(function.params)
        self._outside = _dependent(order, list(foreign))
        self._new = {p: param(p.type, p.node.attrs["name"]) for p in function.params}
        for node in order:
            if node in own:
                self._made(node, tuple(self._inside(v) for v in node.operands))
        self._results = [self._inside(v) for v in function.results]

    def _made(self, node: Node, operands: tuple[Value, ...]) -> None:
        made = make(node.op, operands, node.attrs, node.where)
        self._new.update(zip(node.results, made.results, strict=True))

    def _inside(self, value: Value) -> Value:
        known = self._new.get(value)
        if known is not None:
            return known
        node = value.node
        if node not in self._outside and node.op is not PARAM:
            return value  # a constant
        if _grows(node):
            self._made(node, (self._inside(node.operands[0]),))
            return self._new[value]
        found = param(value.type, f"outer{len(self.captured)}")
        self._new[value] = self.captured[value] = found
        return found

    def graph(self, captured: Sequence[Value]) -> Graph:
        """The graph, whose last parameters stand for all these values."""
        rest = [self.captured.get(v) or param(v.type, f"other{k}") for k, v in enumerate(captured)]
        params = [*(self._new[p] for p in self.function.params), *rest]
        return Graph.of(self.function.name, params, self._results)


def _own(order: Sequence[Node], function: Function) -> set[Node]:
    """The nodes that are computed inside."""
    known, nodes = set(function.params), set()
    for node in order:
        made_here = node.serial >= function.since and bool(node.operands)
        stays = made_here and not (function.hoisted and _is_hoisted(node))
        if stays or any(v in known for v in node.operands):
            nodes.add(node)
            known.update(node.results)
    return nodes


def _is_hoisted(node: Node) -> bool:
    """Whether a node may be computed although the loop may have no iteration: it reports no
    error, and is nothing large.
    """
    return node.op.kind not in ("opaque", "control", "call") and node.attrs.get("mode") != "raise"


def _dependent(order: Sequence[Node], values: Sequence[Value]) -> set[Node]:
    known, nodes = set(values), set()
    for node in order:
        if any(v in known for v in node.operands):
            nodes.add(node)
            known.update(node.results)
    return nodes


def _grows(node: Node) -> bool:
    """Whether a node only moves its operand to a larger place."""
    if node.op.kind != "movement" or len(node.operands) != 1 or len(node.results) != 1:
        return False
    low, _ = ty.bounds(node.results[0].type.size - node.operands[0].type.size)
    return low is not None and low > 0


# ------------------------------------------------------------------------------- types of leaves


def python_kind(tracer: Tracer) -> type:
    """The type of the Python number that a weak tracer stands for."""
    kind = tracer.value.dtype.kind
    return {"b": bool, "i": int, "u": int, "f": float, "c": complex}[kind]


def as_type(tracer: Tracer, type: TensorType) -> Value | None:
    """The value of a tracer as one of that type: itself, or a Python number in its dtype."""
    value = tracer.value
    if value.type == type:
        return value
    if not tracer.weak or value.shape != type.shape:
        return None
    if _promoted(type.dtype, tracer) is not type.dtype:
        return None
    return build.cast(value, type.dtype)


def _promoted(dtype: DType, tracer: Tracer) -> DType:
    """The dtype of an array of that dtype and the Python number that a tracer stands for."""
    if tracer.value.dtype is ty.BOOL:
        return dtype if dtype is not ty.BOOL else ty.BOOL
    return build.result_type(build.full((), 0, dtype), python_kind(tracer)(0))


def refuse_types(what: str, path: str, before: Any, after: Any, hint: str) -> Any:
    """Raises TypeMismatch for a leaf that has two types."""
    return refuse(f"{what}: {path} is {before} and becomes {after}; {hint}", TypeMismatch)


def described(tracer: Tracer) -> str:
    """The type of a leaf in messages."""
    type = tracer.value.type
    return f"{type} (a Python number)" if tracer.weak else str(type)


def nested(leaves: Leaves, values: Sequence[Value], weak: Sequence[bool] | None = None) -> Any:
    """Values nested as the leaves are."""
    trace = trace_of("control flow")
    flags = [t.weak for t in leaves.tracers] if weak is None else weak
    row = [Tracer(trace, v, w) for v, w in zip(values, flags, strict=True)]
    return leaves.tree.unflatten(row)


__all__ = [
    "Function", "as_type", "closed", "described", "nested", "python_kind", "refuse_types", "serial",
]  # fmt: skip
