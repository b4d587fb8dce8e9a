"""The graphs inside an artifact: text, with large constants in one binary file.

A constant of the graph that has more than a few elements becomes a parameter of the text behind the
others; the manifest says where its bytes are. Reading puts the constants back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from ..errors import ArtifactError, GraphcError
from ..ir import Graph, Literal, Node, SourceLine, Value, make, param
from ..opdef import lookup
from ..text import parse_graph, print_graph
from ..types import dtype as dtype_of
from .program import Block

LARGE_BYTES = 1024
"""A constant of more bytes is kept in the binary file."""
DATA = "graphs/constants.bin"


@dataclass(frozen=True, slots=True)
class GraphText:
    """A graph as text, and what the manifest says of it."""

    text: bytes
    facts: dict[str, Any]


def write_graph(graph: Graph, name: str, block: Block) -> GraphText:
    """The text of a graph; its large constants are added to the block."""
    new: dict[Value, Value] = {v: v for v in graph.params}
    params, constants, nodes = list(graph.params), [], []
    for node in graph.nodes:
        literal = node.attrs.get("value") if node.op.name == "constant" else None
        if isinstance(literal, Literal) and literal.array.nbytes > LARGE_BYTES:
            stand_in = param(node.results[0].type, f"constant{len(constants)}")
            new[node.results[0]] = stand_in
            params.append(stand_in)
            constants.append(_placed(literal, block))
            continue
        made = _relined(node, [new[v] for v in node.operands])
        new.update(zip(node.results, made.results, strict=True))
        nodes.append(made)
    unique: tuple[Node, ...] = tuple(dict.fromkeys(nodes))
    written = Graph(graph.name, tuple(params), unique, tuple(new[v] for v in graph.results))
    facts: dict[str, Any] = {"file": f"graphs/{name}.txt", "constants": constants}
    if constants:
        facts["data"] = DATA
    return GraphText(print_graph(written).encode() + b"\n", facts)


def _short(where: SourceLine | None) -> SourceLine | None:
    """A line without the folders of its file: they are of the machine that built."""
    return where and dataclasses.replace(where, file=where.file.rpartition("/")[2])


def _relined(node: Node, operands: Sequence[Value]) -> Node:
    """The node with short lines, in the graphs of its attributes too."""
    attrs = {k: _short_lines(v) for k, v in node.attrs.items()}
    return make(node.op, operands, attrs, _short(node.where))


def _short_lines(attribute: Any) -> Any:
    if isinstance(attribute, tuple):
        return tuple(map(_short_lines, attribute))
    if not isinstance(attribute, Graph):
        return attribute
    new: dict[Value, Value] = {v: v for v in attribute.params}
    nodes = []
    for node in attribute.nodes:
        nodes.append(_relined(node, [new[v] for v in node.operands]))
        new.update(zip(node.results, nodes[-1].results, strict=True))
    results = tuple(new[v] for v in attribute.results)
    return Graph(attribute.name, attribute.params, tuple(nodes), results)


def _placed(literal: Literal, block: Block) -> dict[str, Any]:
    array = literal.array
    offset = block.put(np.ascontiguousarray(array).tobytes())
    return {"dtype": literal.type.dtype.name, "shape": list(array.shape), "offset": offset}


def read_graph(text: str, constants: Sequence[np.ndarray]) -> Graph:
    """The graph of a text, with its constants.

    Raises:
        ArtifactError: when the text is none, or has not so many constants of these types.
    """
    try:
        graph = parse_graph(text)
    except (GraphcError, RecursionError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"a graph of the artifact cannot be read: {error}") from error
    own = len(graph.params) - len(constants)
    new: dict[Value, Value] = {v: v for v in graph.params}
    for value, array in zip(graph.params[own:], constants, strict=True):
        if (value.type.dtype, value.type.shape) != (dtype_of(array.dtype), array.shape):
            raise ArtifactError(f"a constant of {graph.name} is {array.dtype}{array.shape}")
        constant = make(lookup("constant"), (), {"value": Literal(array)})
        new[value] = constant.results[0]
    made_of = [new[v].node for v in graph.params[own:]]
    for node in graph.nodes:
        made = make(node.op, [new[v] for v in node.operands], node.attrs, node.where)
        new.update(zip(node.results, made.results, strict=True))
        made_of.append(made)
    return Graph(
        graph.name, graph.params[:own], tuple(dict.fromkeys(made_of)),
        tuple(new[v] for v in graph.results),
    )  # fmt: skip
