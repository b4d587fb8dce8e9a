"""How many arithmetic operations a graph asks for, after the passes that remove what is in vain.

An elementwise op is one for each element (what moves, casts or chooses is none), a reduction one
for each element that it reads, a product two for each term; a scan is its body, once for each step.
"""

from __future__ import annotations

from graphc.ir import Graph, Node
from graphc.ops.convolution import geometry
from graphc.passes.pipeline import DIRECT, run
from graphc.types import product

FREE = {"cast", "bitcast", "select", "keep", "real", "imag", "complex", "stop_gradient"}


def operations(graph: Graph) -> int:
    """The operations of a graph of known extents."""
    simple = run(graph, DIRECT[: [getattr(p, "__name__", "") for p in DIRECT].index("fuse")]).graph
    return _of_graph(simple)


def _of_graph(graph: Graph) -> int:
    return sum(_of_node(node) for node in graph.nodes)


def _of_node(node: Node) -> int:
    results = sum(int(r.type.size) for r in node.results)
    kind, name = node.op.kind, node.op.name
    if name in FREE or kind in ("movement", "creation"):
        return 0
    if kind == "elementwise":
        return results
    if name == "scan":
        return int(node.attrs["length"]) * _of_graph(node.attrs["body"])
    assert kind != "control", f"{name} may run any number of steps"
    if name == "dot":
        x, axes = node.operands[0], node.attrs["contract"][0]
        return 2 * results * int(product(x.shape[a] for a in axes))
    if name == "conv":
        g = geometry([v.type for v in node.operands], node.attrs)
        places = int(product(w.size for w in g.windows))
        spread = int(product(w.spread for w in g.windows))
        return 2 * results * places * int(g.summed) // spread
    if name == "reduce_window":
        return results * int(product(node.attrs["window"]))
    if name == "scatter":  # what it is written over is copied
        return int(node.operands[1].type.size)
    return max(results, sum(int(v.type.size) for v in node.operands))
