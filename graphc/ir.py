"""The graph: a typed, immutable SSA dataflow graph. Knows op cards; knows no pass and no backend.

    Graph = (name, params: Value*, nodes: Node*, results: Value*)     operands before users
    Node  = (op: OpDef, operands: Value*, attrs, results: Value*, where: SourceLine?)
    Value = (node, index, type)                                       compared by identity

An attribute is an int, float, complex, bool, str, None, a Dim, a DType, a Literal (an array), a
Graph, or a tuple of these. A parameter of a graph is the value of a `param` node, which is not
listed among `nodes`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from graphc_runtime.forking import stored_property
from graphc_runtime.records import dataclass

from . import types as ty
from .opdef import ZERO, OpDef, register
from .types import Dim, DType, TensorType


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class Literal:
    """An array as an attribute: immutable, C-contiguous, compared and hashed by type and bytes."""

    __slots__ = ("_hash", "array")

    def __init__(self, array: Any):
        array = np.ascontiguousarray(array) if np.ndim(array) else np.array(array)
        if array.flags.writeable:
            array = array.copy()
            array.flags.writeable = False
        self.array: np.ndarray = array
        self._hash: int | None = None

    @property
    def type(self) -> TensorType:
        return TensorType(ty.dtype(self.array.dtype), self.array.shape)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.array.dtype.str, self.array.shape, self.array.tobytes()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and (
            self.array is other.array
            or (
                self.array.dtype == other.array.dtype
                and self.array.shape == other.array.shape
                and self.array.tobytes() == other.array.tobytes()
            )
        )

    def __repr__(self) -> str:
        return f"Literal({self.type})"


class Value:
    """One result of a node, or a parameter of a graph."""

    __slots__ = ("index", "node", "type")

    def __init__(self, node: Node, index: int, type: TensorType):
        self.node, self.index, self.type = node, index, type

    @property
    def shape(self) -> tuple[ty.Extent, ...]:
        return self.type.shape

    @property
    def dtype(self) -> ty.DType:
        return self.type.dtype

    def __repr__(self) -> str:
        return f"<{self.node.op.name}#{self.index}: {self.type}>"


_serials = itertools.count()


class Node:
    """One use of an op. Immutable; make one with `make` or by calling the card.

    `serial` numbers the nodes of a process in the order in which they were made.
    """

    __slots__ = ("attrs", "op", "operands", "results", "serial", "where")

    def __init__(
        self,
        op: OpDef,
        operands: tuple[Value, ...],
        attrs: Mapping[str, Any],
        types: tuple[TensorType, ...],
        where: SourceLine | None,
    ):
        self.op, self.operands, self.attrs, self.where = op, operands, attrs, where
        self.results = tuple(Value(self, i, t) for i, t in enumerate(types))
        self.serial = next(_serials)

    def __repr__(self) -> str:
        return f"<node {self.op.name} -> {', '.join(str(r.type) for r in self.results)}>"


PARAM = register(
    OpDef(
        name="param",
        doc="a parameter of the graph",
        kind="creation",
        infer=lambda types, attrs: attrs["type"],
        evaluate=lambda operands, attrs: operands,
        derivative=ZERO,
    )
)

_current = threading.local()


@contextmanager
def at(where: SourceLine | None) -> Iterator[None]:
    """Nodes made inside are said to come from that line (per thread)."""
    before = getattr(_current, "where", None)
    _current.where = where
    try:
        yield
    finally:
        _current.where = before


def make(
    op: OpDef, operands: Sequence[Value], attrs: Mapping[str, Any], where: SourceLine | None = None
) -> Node:
    """A new node with inferred types.

    Raises:
        TypeMismatch, ShapeMismatch: from the card's `infer`.
    """
    operands = tuple(operands)
    types = op.infer_types([v.type for v in operands], attrs)
    return Node(op, operands, attrs, types, where or getattr(_current, "where", None))


def serial() -> int:
    """A serial number above those of all nodes that there are."""
    return next(_serials)


def param(type: TensorType, name: str) -> Value:
    """A parameter for a new graph."""
    return Node(PARAM, (), {"type": type, "name": name}, (type,), None).results[0]


@dataclass(frozen=True, eq=False)
class Graph:
    """A function of tensors. `results` may repeat values and may be parameters."""

    name: str
    params: tuple[Value, ...]
    nodes: tuple[Node, ...]
    results: tuple[Value, ...]

    @staticmethod
    def of(name: str, params: Sequence[Value], results: Sequence[Value]) -> Graph:
        """The graph of everything that `results` need, operands first,
        in the order of a depth-first walk.
        """
        return Graph(name, tuple(params), tuple(reachable(results)), tuple(results))

    @stored_property
    def users(self) -> dict[Value, list[Node]]:
        """The nodes that read each value (a node that reads it twice is listed twice).

        Results are not users.
        """
        found: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for operand in node.operands:
                found.setdefault(operand, []).append(node)
        return found

    @stored_property
    def symbols(self) -> tuple[str, ...]:
        """The names of symbolic extents that the parameters' types mention,
        in order of appearance.
        """
        found: dict[str, None] = {}
        for value in self.params:
            for extent in value.type.shape:
                for name in sorted(ty.symbols(extent)):
                    found[name] = None
        return tuple(found)

    def __eq__(self, other: object) -> bool:
        """Structural equality: same ops, attributes, types and wiring
        (names of parameters included).
        """
        return isinstance(other, Graph) and (self is other or signature(self) == signature(other))

    def __hash__(self) -> int:
        return hash((self.name, len(self.nodes), tuple(v.type for v in self.params)))

    def __str__(self) -> str:
        # text is a sibling; printing is asked for, never needed to build
        from .text import print_graph

        return print_graph(self)


def reachable(results: Iterable[Value]) -> list[Node]:
    """The nodes that `results` need, operands before users; no parameters.

    Iterative: graphs are deep.
    """
    order: list[Node] = []
    done: set[Node] = set()
    for root in results:
        stack: list[tuple[Node, bool]] = [(root.node, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
                continue
            if node in done or node.op is PARAM:
                continue
            done.add(node)
            if not node.operands:
                order.append(node)
                continue
            stack.append((node, True))
            stack.extend([(v.node, False) for v in reversed(node.operands) if v.node not in done])
    return order


def signature(graph: Graph) -> tuple[Any, ...]:
    """A hashable value that is equal for structurally equal graphs. Source lines do not count."""
    number: dict[Value, int] = {v: i for i, v in enumerate(graph.params)}
    rows: list[Any] = []
    for node in graph.nodes:
        rows.append(
            (
                node.op.name,
                tuple(number[v] for v in node.operands),
                tuple(sorted((k, _frozen(v)) for k, v in node.attrs.items())),
                tuple(v.type for v in node.results),
            )
        )
        for value in node.results:
            number[value] = len(number)
    params = tuple((v.node.attrs["name"], v.type) for v in graph.params)
    return graph.name, params, tuple(rows), tuple(number[v] for v in graph.results)


_PLAIN = frozenset({int, str, Dim, DType, Literal, TensorType, type(None)})
"""Classes of attributes that are equal only where they mean the same."""


def _frozen(attribute: Any) -> Any:
    if attribute.__class__ in _PLAIN:
        return attribute
    if isinstance(attribute, Graph):
        return signature(attribute)
    if isinstance(attribute, tuple):
        return tuple([_frozen(a) for a in attribute])
    if isinstance(attribute, (float, complex)):
        return repr(attribute)  # -0.0 and NaN count as what they are
    if isinstance(attribute, bool):
        return ("bool", attribute)
    return attribute


Rewrite = Callable[[Node, tuple[Value, ...]], "Sequence[Value] | None"]


def rewrite(graph: Graph, rule: Rewrite) -> Graph:
    """Walks the graph once, operands first, and lets `rule(node, new_operands)` replace nodes.

    The rule answers the values that stand for the node's results, or None to keep the node (with
    its new operands). Returns the same object when nothing changed. New nodes inherit the source
    line.
    """
    new: dict[Value, Value] = {}
    before = getattr(_current, "where", None)
    try:  # `at` for each node, written out: most nodes stay, and are visited by every pass
        for node in graph.nodes:
            operands = tuple([new.get(v, v) for v in node.operands]) if new else node.operands
            _current.where = node.where
            replacement = rule(node, operands)
            if replacement is None and operands != node.operands:
                replacement = make(node.op, operands, node.attrs, node.where).results
            if replacement is None or replacement is node.results:
                continue
            for old, value in zip(node.results, replacement, strict=True):
                if value is not old:
                    new[old] = value
    finally:
        _current.where = before
    if not new:
        return graph
    return Graph.of(graph.name, graph.params, [new.get(v, v) for v in graph.results])


def inline(graph: Graph, arguments: Sequence[Value]) -> tuple[Value, ...]:
    """The results of the graph with its parameters replaced by `arguments` (of equal types)."""
    new: dict[Value, Value] = dict(zip(graph.params, arguments, strict=True))
    for node in graph.nodes:
        made = make(node.op, [new[v] for v in node.operands], node.attrs, node.where)
        new.update(zip(node.results, made.results, strict=True))
    return tuple(new[v] for v in graph.results)


def substitute_extents(attribute: Any, env: Mapping[str, ty.Extent]) -> Any:
    """An attribute with symbolic extents replaced (through tuples; sub-graphs are left alone)."""
    if isinstance(attribute, Dim):
        return ty.substitute(attribute, env)
    if isinstance(attribute, tuple):
        return tuple(substitute_extents(a, env) for a in attribute)
    if isinstance(attribute, TensorType):
        return attribute.with_shape(ty.substitute(e, env) for e in attribute.shape)
    return attribute
