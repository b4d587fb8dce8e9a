"""Every card through the whole road:
LLVM's results against the evaluator's, on the card's own samples.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc.ops  # noqa: F401  importing the cards registers them
from graphc import types as ty
from graphc.codegen.build import build_object
from graphc.codegen.llvm_builder import BASELINE, Module, Val
from graphc.codegen.target import host_target
from graphc.evaluate import evaluate
from graphc.ir import PARAM, Graph
from graphc.opdef import OpDef, cards, lookup
from graphc.types import F32
from tests.compiled import compiled
from tests.ops.test_cards import one_node, operands
from tests.programs import dot, tensor
from tests.random_graphs import assert_close, tolerances

CARDS = [c for c in cards() if c is not PARAM and c.name != "fusion"]


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.name)
def test_card(card: OpDef) -> None:
    count = 0
    for sample in card.samples():
        graph = one_node(card, sample)
        arrays = operands(sample)
        expected = evaluate(graph, arrays)
        whole = compiled(graph, passes=card.kind == "call")  # these are gone after the passes
        actual = whole(*(np.ascontiguousarray(a) if a.ndim else a for a in arrays))
        assert_close(actual, expected, tolerances(graph, arrays))
        count += 1
    assert count


@pytest.mark.parametrize("dtype", [ty.BF16, ty.F16, ty.I8, ty.I16, ty.F32], ids=str)
def test_one_column_left_over_is_all_that_is_written(dtype: ty.DType) -> None:
    """LLVM writes 32 bits where a mask leaves one lane of truncated numbers."""
    n, k, m = 12, 6, 65
    rng = np.random.default_rng(7)
    graph = Graph.of(
        "f", (a := tensor(F32, n, k), b := tensor(F32, k, m, name="b")),
        (lookup("cast")(dot(a, b), dtype=dtype),),
    )  # fmt: skip
    arrays = [rng.integers(-3, 4, p.shape).astype(np.float32) for p in graph.params]
    (got,) = compiled(graph)(*arrays)
    np.testing.assert_array_equal(got, (arrays[0] @ arrays[1]).astype(dtype.numpy))


def test_what_is_computed_in_an_arm_is_not_known_after_it() -> None:
    module = Module(BASELINE)
    b = module.function("f", [("x", "i64"), ("y", "i64")], "i64")
    x, y = Val("%x", ty.I64), Val("%y", ty.I64)
    outside = b.add(x, y)
    inside: list[Val] = []

    def arm() -> list[Val]:
        inside.extend([b.mul(x, y), b.mul(x, y), b.add(x, y)])
        return [inside[0]]

    (found,) = b.branch(b.cmp("lt", x, y), arm, lambda: [outside])
    after = b.mul(x, y)
    b.ret(b.add(found, after))
    assert inside[0] == inside[1] != after and inside[2] == outside
    assert module.render().count(" = mul ") == 2
    build_object(module.render(), host_target())
