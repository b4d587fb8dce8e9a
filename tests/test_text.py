"""Graphs as text: what is printed, that it reads back, and what a broken text is told."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.errors import VerifyError
from graphc.ir import Graph, Literal, SourceLine, at, param
from graphc.opdef import OpDef
from graphc.ops import build
from graphc.ops.creation import CONSTANT, EXTENT, FULL
from graphc.ops.elementwise import ADD, CAST, EXP, MUL
from graphc.ops.fusion import FUSION
from graphc.ops.ordering import SORT
from graphc.text import attribute_text, parse_graph, print_graph
from graphc.types import F32, Dim

T = ty.parse_type("f32[b, 3]")

TEXT = """\
graph layer(%0 x: f32[b, 3], %1 "w 0": f32[3]) {
  %2: f32[b, 3] = broadcast(%1){shape=(b, 3), axes=(1,)}
  %3: f32[b, 3] = mul(%0, %2)  # model.py:12 in layer
  %4: f32[b, 3] = exp(%3)
  %5: f64[b, 3] = cast(%4){dtype=f64}
  %6: i64[] = extent(){value=2*b + 1}
  return %5, %6, %0
}"""


def test_reads_like_a_book() -> None:
    x, w = param(T, "x"), param(ty.parse_type("f32[3]"), "w 0")
    wide = build.broadcast_to(w, T.shape)
    with at(SourceLine("model.py", 12, "layer")):
        product = MUL(x, wide)
    results = CAST(EXP(product), dtype=ty.F64), EXTENT(value=2 * Dim.symbol("b") + 1), x
    graph = Graph.of("layer", (x, w), results)
    assert print_graph(graph) == TEXT
    assert str(graph) == TEXT


def test_reads_back() -> None:
    graph = parse_graph(TEXT)
    assert print_graph(graph) == TEXT
    assert graph.nodes[1].where == SourceLine("model.py", 12, "layer")


def test_sub_graphs_and_several_results() -> None:
    x, y = param(ty.parse_type("f32[4]"), "x"), param(ty.parse_type("i32[4]"), "y")
    body = Graph.of("body", (x, y), SORT(x, y, axis=0, keys=1, descending=False))
    p, q = param(x.type, "p"), param(y.type, "q")
    with at(SourceLine("a file:1.py", 7, "<lambda>")):
        results = FUSION(p, q, body=body)
    graph = Graph.of("outer", (p, q), (results[1], results[0]))
    text = print_graph(graph)
    assert text == (
        "graph outer(%0 p: f32[4], %1 q: i32[4]) {\n"
        "  %2: f32[4], %3: i32[4] = fusion(%0, %1){body=graph body(%0 x: f32[4], %1 y: i32[4]) {\n"
        "    %2: f32[4], %3: i32[4] = sort(%0, %1){axis=0, keys=1, descending=false}\n"
        "    return %2, %3\n"
        "  }}  # a file:1.py:7 in <lambda>\n"
        "  return %3, %2\n"
        "}"
    )
    again = parse_graph(text)
    assert again == graph
    assert again.nodes[0].where == SourceLine("a file:1.py", 7, "<lambda>")


def test_an_empty_graph() -> None:
    graph = Graph("nothing", (), (), ())
    assert print_graph(graph) == "graph nothing() {\n  return\n}"
    assert parse_graph(print_graph(graph)) == graph


# A card that takes any attribute, for the tests below; it is not registered, so it is swapped in.
ANY = OpDef("any", "any attribute", "creation", lambda t, a: ty.parse_type("f32[]"), lambda o, a: o)

extents = st.sampled_from(
    ["b", "b + 1", "2*b*n - 3", "(b + 1)//2", "-b", "3*(b%4)", "f32 + 1", "inf", "b//n"]
).map(ty.parse_extent)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.sampled_from(list(ty.DTYPES.values())),
    extents,
    st.sampled_from([-0.0, complex(-0.0, -0.0), complex("inf-nanj"), float("-inf"), 1e300]),
)
attributes = st.recursive(scalars, lambda a: st.lists(a, max_size=3).map(tuple), max_leaves=6)


@given(attributes)
@settings(max_examples=300, deadline=None)
def test_every_attribute_reads_back(attribute: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphc.text.lookup", lambda name: ANY)
        graph = Graph.of("f", (), (ANY(value=attribute, other=(attribute,)),))
        text = print_graph(graph)
        assert parse_graph(text) == graph
        assert print_graph(parse_graph(text)) == text


arrays = st.one_of(
    *(
        hnp.arrays(d.numpy, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5))
        for d in ty.DTYPES.values()
        if d is not ty.BF16
    )
)


@given(arrays)
@settings(max_examples=200, deadline=None)
def test_every_literal_reads_back(array: np.ndarray) -> None:
    graph = Graph.of("f", (), (CONSTANT(value=Literal(array)),))
    assert parse_graph(print_graph(graph)) == graph


def test_literals_of_narrow_floats_and_payloads() -> None:
    payload = np.array([0x7FC00001, 0xFFC00000, 0x80000000], np.uint32).view(np.float32)
    narrow = np.array([1.5, -0.0, np.nan, np.inf], ml_dtypes.bfloat16)
    for array in (payload, narrow, np.arange(100.0).astype(ml_dtypes.bfloat16)):
        graph = Graph.of("f", (), (CONSTANT(value=Literal(array)),))
        assert parse_graph(print_graph(graph)) == graph
    assert attribute_text(Literal(narrow[:2])) == "array(bf16[2], [1.5, -0.0])"
    assert attribute_text(Literal(np.float32(0.1))) == "array(f32[], [0.1])"


def test_summary_elides_large_literals() -> None:
    graph = Graph.of("f", (), (CONSTANT(value=Literal(np.arange(1000))),))
    assert "constant(){value=array(i64[1000], ...)}" in print_graph(graph, summary=True)
    assert len(print_graph(graph)) > 8000


def test_deep_graphs() -> None:
    x = param(T, "x")
    y = x
    for _ in range(3000):
        y = ADD(y, x)
    graph = Graph.of("deep", (x,), (y,))
    assert parse_graph(print_graph(graph)) == graph


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("graph layer", "grph layer", 1, "expected 'graph'"),
        ("x: f32[b, 3]", "x: f32", 1, "expected a type"),
        ("x: f32[b, 3]", "x: f99[b, 3]", 1, "is not a type"),
        ("mul(%0, %2)", "mul(%0, %9)", 3, "%9 is not defined above"),
        ("%3: f32", "%2: f32", 3, "%2 is defined twice"),
        ("mul(", "mull(", 3, "no op named 'mull'"),
        ("%4: f32[b, 3]", "%4: f64[b, 3]", 4, "the text says f64"),
        ("mul(%0, %2)", "mul(%0)", 3, "mul takes 2 operands"),
        ("axes=(1,)", "axes=(1", 2, "expected ',' or ')'"),
        ("shape=(b, 3)", "shape=(b, 3*1.5)", 2, "arithmetic is for extents"),
        ("%0\n}", "%0\n", 8, "expected '}'"),
        ("%0\n}", "%0\n} x", 8, "expected the end"),
        ("  return", "  retrn", 7, "expected a node or 'return'"),
        ("cast(%4){dtype=f64}", "cast(%4)", 5, "dtype"),
    ],
)
def test_a_broken_text_is_told_where(old: str, new: str, line: int, message: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(VerifyError) as caught:
        parse_graph(TEXT.replace(old, new))
    assert str(caught.value).startswith(f"line {line}: ")
    assert message in str(caught.value)


def test_full_reads_back_exactly() -> None:
    for value in (0.1, -0.0, float("nan"), float("inf"), 5e-324, 1, True):
        graph = Graph.of("f", (), (FULL(value=value, dtype=F32, shape=(2,)),))
        assert parse_graph(print_graph(graph)) == graph
