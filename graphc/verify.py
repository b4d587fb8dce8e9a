"""verify: whether a graph is one. Run after every pass in tests, and when GRAPHC_VERIFY is set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import GraphcError, VerifyError
from .evaluate import attribute_symbols, determined, type_symbols
from .ir import PARAM, Graph, Literal, Node, Value
from .opdef import lookup
from .text import print_node, value_names
from .types import Dim, DType, TensorType


def verify(graph: Graph, known: Iterable[str] = ()) -> Graph:
    """Checks every invariant of a graph and returns it.

    Parameters:
        - A parameter is the one result of a `param` node, with a name (str) and a type; no
          parameter stands twice.
        - No `param` node stands among the nodes.
    Order:
        - Every operand is a parameter or a result of an earlier node; so is every result of the
          graph.
        - No node stands twice, and a node's results point back to it, in order.
    Cards:
        - The op of a node is the registered card of its name.
    Attributes:
        - An attribute is an int, float, complex, bool, str, None, a Dim, a DType, a Literal, a
          Graph, or a tuple of these; its name is a str. A Literal cannot be written to.
    Types:
        - The type of every result is what the card's `infer` says now, for these operands and
          attributes.
        - An extent is an int that is not negative, or a Dim.
    Symbols:
        - Every name in a type or an attribute follows from the shapes of the parameters (`b` from
          an axis of extent `b` or `2*b + 1`), or is among `known` (those of the graph around a
          sub-graph).
    Sub-graphs:
        - A sub-graph is valid by the same rules and closed: it reads no value of the graph around
          it.

    Raises:
        VerifyError: naming the graph, the node, its text and the line of the user's program.
    """
    _Verifier(graph, frozenset(known)).run()
    return graph


class _Verifier:
    def __init__(self, graph: Graph, known: frozenset[str]):
        self.graph = graph
        self.names = value_names(graph)
        self.known = known | determined(v.type for v in graph.params)
        self.defined: set[Value] = set()

    def fail(self, message: str, node: Node | None = None) -> VerifyError:
        text = f"graph {self.graph.name}: {message}"
        if node is not None:
            text += f"\n  in {print_node(node, self.names)}"
        return VerifyError(text)

    def run(self) -> None:
        for value in self.graph.params:
            self.check_parameter(value)
        seen: set[Node] = set()
        for node in self.graph.nodes:
            if node in seen:
                raise self.fail("a node stands twice", node)
            seen.add(node)
            self.check_node(node)
        for position, value in enumerate(self.graph.results):
            if value not in self.defined:
                raise self.fail(
                    f"result {position} ({value!r}) is neither a parameter nor a result of a node"
                )

    def check_parameter(self, value: Value) -> None:
        node = value.node
        if node.op is not PARAM or node.results != (value,):
            raise self.fail(f"the parameter {value!r} is not the result of a param node")
        if not isinstance(node.attrs.get("name"), str) or node.attrs.get("type") != value.type:
            raise self.fail(f"the parameter {value!r} lacks its name or its type")
        if value in self.defined:
            raise self.fail(f"the parameter {node.attrs['name']} stands twice")
        self.check_type(value.type, node)
        self.defined.add(value)

    def check_node(self, node: Node) -> None:
        if node.op is PARAM:
            raise self.fail("a param node stands among the nodes", node)
        self.check_card(node)
        for position, value in enumerate(node.operands):
            if value not in self.defined:
                raise self.fail(
                    f"operand {position} ({value!r}) is not defined before the node", node
                )
        for key, attribute in node.attrs.items():
            if not isinstance(key, str):
                raise self.fail(f"the name {key!r} of an attribute is not a str", node)
            self.check_attribute(attribute, key, node)
        self.check_results(node)
        self.defined.update(node.results)

    def check_card(self, node: Node) -> None:
        try:
            registered = lookup(node.op.name)
        except GraphcError as error:
            raise self.fail(str(error), node) from None
        if registered is not node.op:
            raise self.fail(f"its card is not the registered card {node.op.name!r}", node)

    def check_attribute(self, attribute: Any, key: str, node: Node) -> None:
        if attribute is None or type(attribute) in (int, float, complex, bool):
            return
        if isinstance(attribute, str):  # and the rule of a call, which is a name that knows more
            return
        if isinstance(attribute, DType):
            return
        if isinstance(attribute, tuple):
            for one in attribute:
                self.check_attribute(one, key, node)
        elif isinstance(attribute, Dim):
            self.check_symbols(attribute_symbols(attribute), f"attribute {key}", node)
        elif isinstance(attribute, Literal):
            if attribute.array.flags.writeable:
                raise self.fail(f"the literal of attribute {key} can be written to", node)
        elif isinstance(attribute, Graph):
            try:
                verify(attribute, self.known)
            except VerifyError as error:
                raise self.fail(f"the sub-graph {key} is invalid: {error}", node) from None
        else:
            raise self.fail(
                f"attribute {key} is a {type(attribute).__name__}; attributes are numbers, str, "
                f"None, extents, dtypes, literals, graphs and tuples of these",
                node,
            )

    def check_results(self, node: Node) -> None:
        try:
            expected = node.op.infer_types([v.type for v in node.operands], node.attrs)
        except (GraphcError, KeyError, IndexError, AttributeError, ValueError, TypeError) as error:
            raise self.fail(f"its types are refused: {error}", node) from error
        found = tuple(v.type for v in node.results)
        if found != expected:
            said = ", ".join(map(str, found))
            wanted = ", ".join(map(str, expected))
            raise self.fail(f"its results are {said} and the card infers {wanted}", node)
        for position, value in enumerate(node.results):
            if value.node is not node or value.index != position:
                raise self.fail(f"result {position} does not point back to its node", node)
            self.check_type(value.type, node)

    def check_type(self, type: TensorType, node: Node) -> None:
        for one in type.shape:
            if isinstance(one, Dim):
                continue
            if isinstance(one, bool) or not isinstance(one, int) or one < 0:
                raise self.fail(f"{one!r} is no extent", node)
        self.check_symbols(type_symbols(type), f"the type {type}", node)

    def check_symbols(self, names: frozenset[str], what: str, node: Node) -> None:
        unknown = sorted(names - self.known)
        if unknown:
            raise self.fail(
                f"{what} mentions {', '.join(unknown)}, which no parameter's shape determines", node
            )
