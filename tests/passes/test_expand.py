"""expand: attentions that were recognised before a derivative, as ordinary ops again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.passes.expand import expand
from graphc.passes.pipeline import EXACT, PIPELINE, WHOLE, run
from graphc.text import parse_graph
from graphc.verify import verify
from tests.passes.test_attention import THREE, causal, grouped, normal, plain
from tests.random_graphs import random_graph


def gradient(program: Any, *arrays: np.ndarray) -> Graph:
    def loss(q: Any, k: Any, v: Any) -> Any:
        return (program(q, k, v) ** 2).sum()

    specs = [graphc.spec(a.shape, str(a.dtype)) for a in arrays]
    return graphc.value_and_grad(loss, argnums=(0, 1, 2)).lower(*specs).graph


@pytest.mark.parametrize("program", [plain, causal, grouped], ids=lambda p: p.__name__)
def test_values(program: Any) -> None:
    shapes = THREE if program is not grouped else [(2, 4, 70, 6), (2, 2, 90, 6), (2, 2, 90, 5)]
    arrays = [normal(*s, dtype="f8", seed=n) for n, s in enumerate(shapes)]
    graph = verify(gradient(program, *arrays))
    before = {node.op.name for node in graph.nodes}
    assert {"attention", "attention_gradient"} <= before
    assert parse_graph(str(graph)) == graph
    after = verify(expand(graph))
    assert not any(node.op.name.startswith("attention") for node in after.nodes)
    assert expand(after) is after
    for a, b in zip(evaluate(graph, arrays), evaluate(after, arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_placement() -> None:
    assert WHOLE[0] is expand and EXACT[0] is expand and expand not in PIPELINE
    arrays = [normal(*s, dtype="f8", seed=n) for n, s in enumerate(THREE)]
    whole = run(gradient(plain, *arrays), WHOLE[:-2]).graph
    assert not any(node.op.name == "stop_gradient" for node in whole.nodes)


@pytest.mark.parametrize("seed", range(4))
def test_random_graphs(seed: int) -> None:
    graph, _ = random_graph(seed, 30)
    if not any(node.op.name == "attention" for node in graph.nodes):
        assert expand(graph) is graph
