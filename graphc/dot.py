"""Pictures of a graph: a networkx view, and the text of DOT (Graphviz) and GraphML.

Called by the command line and by people; the compiler never depends on it. networkx is imported
when it is asked for. Each node of the graph is a box, each parameter an ellipse, and each read of a
value an edge that says which operand it is; the results are read by boxes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .ir import Graph, Literal
from .text import attribute_text, value_names

if TYPE_CHECKING:
    from networkx import MultiDiGraph

LONGEST = 40
"""Longer texts of attributes are cut."""


def networkx_graph(graph: Graph) -> MultiDiGraph:
    """The graph for networkx: what is read is an edge, from the node that makes it to the node that
    reads it.

    Node attributes: `kind` (the card's kind, "parameter" or "result"), `op`, `types`, `attributes`,
    `where`. Edge attributes: `operand` (its position), `value` (its name in the printed graph),
    `type`. All are text or int.
    """
    import networkx  # its address: a graph algorithm or an export, on demand

    names = value_names(graph)
    view = networkx.MultiDiGraph(name=graph.name)
    maker: dict[Any, str] = {}
    for value in graph.params:
        maker[value.node] = names[value]
        view.add_node(
            names[value],
            kind="parameter",
            op=value.node.attrs["name"],
            types=str(value.type),
            attributes="",
            where="",
        )
    for node in graph.nodes:
        maker[node] = names[node.results[0]]
        view.add_node(
            maker[node],
            kind=node.op.kind,
            op=node.op.name,
            types=", ".join(str(v.type) for v in node.results),
            attributes=", ".join(f"{k}={_short(a)}" for k, a in node.attrs.items()),
            where=str(node.where or ""),
        )
        for position, value in enumerate(node.operands):
            view.add_edge(maker[value.node], maker[node], operand=position, value=names[value],
                          type=str(value.type))  # fmt: skip
    for position, value in enumerate(graph.results):
        name = f"result {position}"
        view.add_node(
            name, kind="result", op="return", types=str(value.type), attributes="", where=""
        )
        view.add_edge(
            maker[value.node], name, operand=position, value=names[value], type=str(value.type)
        )
    return view


def _short(attribute: Any) -> str:
    if isinstance(attribute, Literal):
        return str(attribute.type)
    if isinstance(attribute, Graph):
        return f"graph of {len(attribute.nodes)} nodes"
    text = attribute_text(attribute)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def dot(graph: Graph) -> str:
    """The graph in the DOT language.

    Source: Graphviz, "The DOT Language".
    """
    return "\n".join(_dot_lines(networkx_graph(graph))) + "\n"


def _dot_lines(view: MultiDiGraph) -> Iterator[str]:
    yield f"digraph {_quoted(view.name)} {{"
    yield "  node [shape=box, fontname=monospace];"
    for name, data in view.nodes(data=True):
        label = [f"{name} {data['op']}", data["attributes"], data["types"]]
        shape = ", shape=ellipse" if data["kind"] in ("parameter", "result") else ""
        yield f"  {_quoted(name)} [label={_quoted(*label)}{shape}];"
    for start, end, data in view.edges(data=True):
        yield f"  {_quoted(start)} -> {_quoted(end)} [label={_quoted(str(data['operand']))}];"
    yield "}"


def _quoted(*lines: str) -> str:
    texts = (t.replace("\\", "\\\\").replace('"', '\\"') for t in lines if t)
    return '"' + "\\n".join(texts) + '"'


def graphml(graph: Graph) -> str:
    """The graph in GraphML, for yEd, Gephi and the like."""
    import networkx

    return "\n".join(networkx.generate_graphml(networkx_graph(graph), named_key_ids=True)) + "\n"
