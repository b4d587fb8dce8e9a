"""Pictures of graphs: what stands in them, and that they are well-formed."""

import xml.etree.ElementTree as xml

import networkx
import numpy as np

import graphc.ops  # noqa: F401  registers the cards
from graphc.dot import dot, graphml, networkx_graph
from graphc.ir import Graph, Literal, param
from graphc.opdef import lookup
from graphc.types import parse_type


def example() -> Graph:
    x = param(parse_type("f32[2]"), "x")
    c = lookup("constant")(value=Literal(np.arange(2, dtype=np.float32)))
    return Graph.of('a "name"', [x], [lookup("mul")(lookup("add")(x, c), x), x])


def test_networkx_graph_has_every_node_and_every_read() -> None:
    view = networkx_graph(example())
    assert sorted(data["op"] for _, data in view.nodes(data=True)) == [
        "add", "constant", "mul", "return", "return", "x",
    ]  # fmt: skip
    assert view.number_of_edges() == 4 + 2
    assert networkx.is_directed_acyclic_graph(view)
    assert view.nodes["%3"] == {
        "kind": "elementwise", "op": "mul", "types": "f32[2]", "attributes": "", "where": "",
    }  # fmt: skip


def test_a_value_that_is_read_twice_has_two_edges() -> None:
    x = param(parse_type("f32[2]"), "x")
    view = networkx_graph(Graph.of("f", [x], [lookup("add")(x, x)]))
    assert sorted(d["operand"] for _, _, d in view.edges("%0", data=True)) == [0, 1]


def test_dot_quotes_names() -> None:
    text = dot(example())
    assert text.startswith('digraph "a \\"name\\"" {\n')
    assert '  "%1" [label="%1 constant\\nvalue=f32[2]\\nf32[2]"];' in text.splitlines()
    assert '  "%0" -> "%2" [label="0"];' in text.splitlines()
    assert text.endswith("}\n")


def test_graphml_is_xml_that_networkx_reads_back() -> None:
    text = graphml(example())
    assert xml.fromstring(text).tag.endswith("graphml")
    assert networkx.parse_graphml(text).number_of_nodes() == 6
