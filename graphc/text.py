"""The text of a graph: printing and parsing, with parse_graph(print_graph(g)) == g.

    graph      = "graph" name "(" [param ("," param)*] ")"
                 "{" node* "return" [value ("," value)*] "}"
    param      = value name ":" type                            %0 x: f32[b, 784]
    node       = value ":" type ("," value ":" type)* "=" op
                 "(" [value ("," value)*] ")" [attributes] [line]
    attributes = "{" key "=" attribute ("," key "=" attribute)* "}"
    attribute  = none | true | false | integer | float | inf | nan | complex(float, float)
               | string | dtype | extent | dim(extent) | "(" attribute,* ")" | graph
               | array(type, [element, ...]) | array(type, "base64 of the bytes")
    line       = "#" file ":" number "in" function

A name is an identifier (with dots) or a quoted string. An extent is a polynomial as in types.py;
`dim(...)` is written where one of its names means something else here. Parsing needs the cards:
import `graphc.ops` first.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import types as ty
from .errors import GraphcError, VerifyError
from .ir import Graph, Literal, Node, SourceLine, Value, make, param
from .opdef import lookup
from .types import DTYPES, Dim, DType, TensorType

INLINE = 16
"""A literal of at most so many elements is written out; a larger one as the base64 of its bytes."""

_WORDS = {"none": None, "true": True, "false": False, "inf": float("inf"), "nan": float("nan")}
_RESERVED = {*_WORDS, *DTYPES, "complex", "dim", "array", "graph"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")


# --------------------------------------------------------------------------------------- printing


def print_graph(graph: Graph, summary: bool = False) -> str:
    """The text of a graph. `summary` writes `...` for the elements of large literals (and cannot be
    parsed).
    """
    return "\n".join(_graph_lines(graph, summary, ""))


def value_names(graph: Graph) -> dict[Value, str]:
    """`%0`, `%1`...: parameters first, then results in the order of the nodes."""
    names: dict[Value, str] = {}
    for value in (*graph.params, *(v for node in graph.nodes for v in node.results)):
        names.setdefault(value, f"%{len(names)}")
    return names


def print_node(node: Node, names: Mapping[Value, str], summary: bool = True) -> str:
    """One node as it stands in the text of its graph; a value without a name is `%?`."""
    return "\n".join(_node_lines(node, names, summary, ""))


def _graph_lines(graph: Graph, summary: bool, indent: str) -> list[str]:
    names = value_names(graph)
    params = ", ".join(
        f"{names[v]} {_name_text(v.node.attrs['name'])}: {v.type}" for v in graph.params
    )
    lines = [f"graph {_name_text(graph.name)}({params}) {{"]
    for node in graph.nodes:
        lines.extend(_node_lines(node, names, summary, indent + "  "))
    results = ", ".join(names.get(v, "%?") for v in graph.results)
    lines.append(f"{indent}  return {results}".rstrip())
    lines.append(f"{indent}}}")
    return lines


def _node_lines(node: Node, names: Mapping[Value, str], summary: bool, indent: str) -> list[str]:
    results = ", ".join(f"{names.get(v, '%?')}: {v.type}" for v in node.results)
    operands = ", ".join(names.get(v, "%?") for v in node.operands)
    text = f"{indent}{results} = {node.op.name}({operands})"
    if node.attrs:
        pairs = (f"{k}={_attribute_text(v, summary, indent)}" for k, v in node.attrs.items())
        text += "{" + ", ".join(pairs) + "}"
    if node.where is not None:
        text += f"  # {node.where}"
    return text.split("\n")


def _name_text(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def attribute_text(attribute: Any) -> str:
    """One attribute as it stands between the braces of a node, large literals elided."""
    return _attribute_text(attribute, True, "")


def _attribute_text(attribute: Any, summary: bool, indent: str) -> str:
    if attribute is None or isinstance(attribute, bool):
        return str(attribute).lower()
    if isinstance(attribute, int):
        return int.__repr__(attribute)
    if isinstance(attribute, float):
        return float.__repr__(attribute)
    if isinstance(attribute, complex):
        return f"complex({attribute.real!r}, {attribute.imag!r})"
    if isinstance(attribute, str):
        return json.dumps(attribute)
    if isinstance(attribute, DType):
        return attribute.name
    if isinstance(attribute, Dim):
        text = str(attribute)
        return f"dim({text})" if ty.symbols(attribute) & _RESERVED else text
    if isinstance(attribute, tuple):
        inside = ", ".join(_attribute_text(a, summary, indent) for a in attribute)
        return f"({inside},)" if len(attribute) == 1 else f"({inside})"
    if isinstance(attribute, Literal):
        return _literal_text(attribute, summary)
    if isinstance(attribute, Graph):
        return "\n".join(_graph_lines(attribute, summary, indent))
    return f"<{type(attribute).__name__}>"


def _literal_text(literal: Literal, summary: bool) -> str:
    array, type = literal.array, literal.type
    if array.size <= INLINE:
        text = ", ".join(_element_text(e, type.dtype) for e in array.reshape(-1))
        if _elements(_Scanner(text + "]"), type).tobytes() == array.tobytes():
            return f"array({type}, [{text}])"  # not so for a NaN that carries a payload
    if summary:
        return f"array({type}, ...)"
    return f'array({type}, "{base64.b64encode(array.tobytes()).decode()}")'


def _element_text(element: Any, dtype: DType) -> str:
    if dtype is ty.BOOL:
        return "true" if element else "false"
    if dtype.is_integer:
        return str(int(element))
    if dtype.is_complex:
        return f"complex({element.real!s}, {element.imag!s})"
    return str(element) if dtype is not ty.BF16 else repr(float(element))


# ---------------------------------------------------------------------------------------- parsing


def parse_graph(text: str) -> Graph:
    """The graph of a text.

    Raises:
        VerifyError: naming the line, and what was expected there.
    """
    scanner = _Scanner(text)
    graph = _graph(scanner)
    scanner.skip()
    if scanner.position < len(text):
        raise scanner.expected("the end of the text")
    return graph


class _Scanner:
    """A position in a text."""

    __slots__ = ("position", "text")

    def __init__(self, text: str):
        self.text, self.position = text, 0

    def skip(self, comments: bool = True) -> None:
        """Skips spaces, and comments."""
        pattern = _SPACE if comments else _BLANK
        self.position = pattern.match(self.text, self.position).end()  # type: ignore[union-attr]

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """What the pattern matches here, or None."""
        self.skip()
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def sees(self, sign: str) -> bool:
        """Whether this sign comes next."""
        self.skip()
        return self.text.startswith(sign, self.position)

    def has(self, sign: str) -> bool:
        """Whether this sign comes next; passes it."""
        if not self.sees(sign):
            return False
        self.position += len(sign)
        return True

    def need(self, sign: str) -> None:
        if not self.has(sign):
            raise self.expected(repr(sign))

    def get(self, pattern: re.Pattern[str], what: str) -> str:
        found = self.take(pattern)
        if found is None:
            raise self.expected(what)
        return found

    def expected(self, what: str) -> VerifyError:
        rest = self.text[self.position :].split("\n", 1)[0].strip()
        return self.error(f"expected {what}, found {rest[:40]!r}")

    def error(self, message: str) -> VerifyError:
        line = self.text.count("\n", 0, self.position) + 1
        return VerifyError(f"line {line}: {message}")


_SPACE = re.compile(r"(\s|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_GRAPH, _RETURN = re.compile(r"graph\b"), re.compile(r"return\b")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING = re.compile(r'"([^"\\\n]|\\.)*"')
_VALUE = re.compile(r"%\d+")
_TYPE = re.compile(r"[a-z0-9]+\[[^\]]*\]")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][-+]?\d+)?")
_LINE = re.compile(r"[ \t]*# (?P<file>.*):(?P<line>\d+) in (?P<function>[^\n]*)")


def _name(s: _Scanner, what: str) -> str:
    quoted = s.take(_STRING)
    return json.loads(quoted) if quoted is not None else s.get(_NAME, what)


def _type(s: _Scanner) -> TensorType:
    text = s.get(_TYPE, "a type such as f32[b, 784]")
    try:
        return ty.parse_type(text)
    except GraphcError as error:
        raise s.error(str(error)) from None


def _list(s: _Scanner, end: str, item: Callable[[], Any]) -> list[Any]:
    """Items between commas up to `end`; a comma may stand before it."""
    items: list[Any] = []
    while not s.has(end):
        items.append(item())
        if not s.has(","):
            s.need(end)
            break
    return items


def _graph(s: _Scanner) -> Graph:
    s.get(_GRAPH, "'graph'")
    return _graph_after_keyword(s)


def _graph_after_keyword(s: _Scanner) -> Graph:
    name = _name(s, "the graph's name")
    values: dict[str, Value] = {}

    def parameter() -> Value:
        label = _label(s, values)
        title = _name(s, "the parameter's name")
        s.need(":")
        values[label] = param(_type(s), title)
        return values[label]

    s.need("(")
    params = _list(s, ")", parameter)
    s.need("{")
    nodes: list[Node] = []
    while s.sees("%"):
        nodes.append(_node(s, values))
    s.get(_RETURN, "a node or 'return'")
    results = _list(s, "}", lambda: _value(s, values))
    return Graph(name, tuple(params), tuple(nodes), tuple(results))


def _label(s: _Scanner, values: Mapping[str, Value]) -> str:
    label = s.get(_VALUE, "a new value such as %3")
    if label in values:
        raise s.error(f"{label} is defined twice")
    return label


def _value(s: _Scanner, values: Mapping[str, Value]) -> Value:
    label = s.get(_VALUE, "a value such as %3")
    if label not in values:
        raise s.error(f"{label} is not defined above")
    return values[label]


def _node(s: _Scanner, values: dict[str, Value]) -> Node:
    declared: list[tuple[str, TensorType]] = []
    while True:
        label = _label(s, values)
        s.need(":")
        declared.append((label, _type(s)))
        if not s.has(","):
            break
    s.need("=")
    name = s.get(_WORD, "the name of an op")
    s.need("(")
    operands = _list(s, ")", lambda: _value(s, values))
    attrs: dict[str, Any] = {}
    s.skip(comments=False)
    if s.text.startswith("{", s.position):
        s.need("{")
        attrs = dict(_list(s, "}", lambda: _keyed(s)))
    line = _LINE.match(s.text, s.position)
    where = SourceLine(line["file"], int(line["line"]), line["function"]) if line else None
    try:
        node = make(lookup(name), operands, attrs, where)
    except (GraphcError, KeyError) as error:
        raise s.error(f"{name}: {error}") from error
    if tuple(t for _, t in declared) != tuple(v.type for v in node.results):
        found = ", ".join(str(v.type) for v in node.results)
        wanted = ", ".join(str(t) for _, t in declared)
        raise s.error(f"{name} gives {found}, and the text says {wanted}")
    values.update(zip((label for label, _ in declared), node.results, strict=True))
    return node


def _keyed(s: _Scanner) -> tuple[str, Any]:
    key = s.get(_WORD, "the name of an attribute")
    s.need("=")
    return key, _attribute(s)


def _attribute(s: _Scanner) -> Any:
    """An attribute; sums bind less than products."""
    total = _term(s)
    while True:
        if s.has("+"):
            total = _arithmetic(s, total, _term(s), lambda a, b: a + b)
        elif s.has("-"):
            total = _arithmetic(s, total, _term(s), lambda a, b: a - b)
        else:
            return total


def _term(s: _Scanner) -> Any:
    product = _factor(s)
    while True:
        if s.has("*"):
            product = _arithmetic(s, product, _factor(s), lambda a, b: a * b)
        elif s.has("//"):
            product = _arithmetic(s, product, _factor(s), lambda a, b: a // b)
        elif s.has("%"):
            product = _arithmetic(s, product, _factor(s), lambda a, b: a % b)
        else:
            return product


def _arithmetic(s: _Scanner, a: Any, b: Any, op: Callable[[Any, Any], Any]) -> Any:
    if not all(isinstance(x, (int, Dim)) and not isinstance(x, bool) for x in (a, b)):
        raise s.error("arithmetic is for extents")
    return op(a, b)


def _factor(s: _Scanner) -> Any:
    if s.has("-"):
        inner = _factor(s)
        if not isinstance(inner, (int, float, Dim)):
            raise s.error("a minus is for numbers and extents")
        return -inner
    if s.has("("):
        return _parenthesised(s)
    number = s.take(_NUMBER)
    if number is not None:
        return int(number) if number.isdigit() else float(number)
    quoted = s.take(_STRING)
    if quoted is not None:
        return json.loads(quoted)
    return _word(s, s.get(_WORD, "an attribute"))


def _parenthesised(s: _Scanner) -> Any:
    """A tuple, or an extent in parentheses."""
    items: list[Any] = []
    comma = True
    while not s.has(")"):
        if not comma:
            raise s.expected("',' or ')'")
        items.append(_attribute(s))
        comma = s.has(",")
    return items[0] if len(items) == 1 and not comma else tuple(items)


def _word(s: _Scanner, word: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    if word in DTYPES:
        return DTYPES[word]
    if word == "graph":
        return _graph_after_keyword(s)
    if word not in _RESERVED:
        return Dim.symbol(word)
    s.need("(")
    if word == "complex":
        parts = _list(s, ")", lambda: _attribute(s))
        if len(parts) != 2:
            raise s.error("complex takes two floats")
        return complex(*parts)
    if word == "dim":
        start, depth = s.position, 1
        while depth and s.position < len(s.text):
            depth += {"(": 1, ")": -1}.get(s.text[s.position], 0)
            s.position += 1
        return ty.parse_extent(s.text[start : s.position - 1])
    return _literal(s)


def _literal(s: _Scanner) -> Literal:
    type = _type(s)
    s.need(",")
    if s.has("["):
        array = _elements(s, type)
    else:
        data = base64.b64decode(json.loads(s.get(_STRING, "'[' or the base64 of the elements")))
        array = np.frombuffer(data, type.dtype.numpy)
    s.need(")")
    if array.size != type.size:
        raise s.error(f"{array.size} elements for {type}")
    return Literal(array.reshape(type.shape))


def _elements(s: _Scanner, type: TensorType) -> np.ndarray:
    items = _list(s, "]", lambda: _attribute(s))
    with np.errstate(all="ignore"):
        return np.array(items, dtype=type.dtype.numpy)
