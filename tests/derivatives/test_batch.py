"""vmap: every card's rule against a loop over the batch, and the function."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.derivatives.batch import batch
from graphc.errors import ShapeMismatch, TraceError
from graphc.evaluate import evaluate
from graphc.ir import PARAM, Graph, param
from graphc.opdef import OpDef, Sample, cards
from graphc.ops.batching import spread
from tests.ops.test_cards import draw

from .test_cards import MORE, by_name, graph_of

CARDS = [
    c for c in cards()
    if c is not PARAM and c.kind != "creation" and c.name != "fusion"
]  # fmt: skip
SIZE = 3


def batched_graph(graph: Graph, flags: tuple[bool, ...]) -> Graph:
    params = [
        param(p.type.with_shape((SIZE, *p.shape)) if b else p.type, f"x{k}")
        for k, (p, b) in enumerate(zip(graph.params, flags, strict=True))
    ]
    found = batch(graph.results, graph.params, params, flags, SIZE)
    return Graph.of("batched", params, [spread(v, b, SIZE) for v, b in found])


def samples(card: OpDef) -> list[Sample]:
    every = [*card.samples(), *MORE.get(card.name, ())]
    return every if card.kind != "elementwise" else every[::7]


@pytest.mark.parametrize("card", CARDS, ids=by_name)
def test_rules_are_loops(card: OpDef) -> None:
    for sample in samples(card):
        graph = graph_of(card, sample)
        count = len(graph.params)
        for flags in itertools.islice(itertools.product((True, False), repeat=count), 2**count - 1):
            arrays = [
                np.stack([draw(p.type, sample, 10 * k + n) for n in range(SIZE)])
                if flag
                else draw(p.type, sample, 10 * k)
                for k, (p, flag) in enumerate(zip(graph.params, flags, strict=True))
            ]
            got = evaluate(batched_graph(graph, flags), arrays)
            pairs = list(zip(arrays, flags, strict=True))
            rows = [evaluate(graph, [a[n] if b else a for a, b in pairs]) for n in range(SIZE)]
            for k, one in enumerate(got):
                wanted = np.stack([row[k] for row in rows])
                assert one.dtype == wanted.dtype
                if wanted.dtype.kind in "biu":
                    np.testing.assert_array_equal(one, wanted)
                else:
                    wide = np.complex128 if wanted.dtype.kind == "c" else np.float64
                    rtol = 1e-2 if wanted.dtype.itemsize == 2 else 1e-5
                    np.testing.assert_allclose(
                        one.astype(wide), wanted.astype(wide), rtol=rtol, atol=rtol
                    )


X = np.linspace(-1, 1, 12).reshape(3, 4)
W = np.linspace(0, 1, 20).reshape(4, 5)


def test_vmap() -> None:
    found = graphc.vmap(lambda x, w: np.tanh(x @ w), in_axes=(0, None))(X, W)
    np.testing.assert_allclose(found, np.tanh(X @ W))
    found = graphc.vmap(lambda x, w: x @ w, in_axes=(1, None), out_axes=1)(X.T, W)
    np.testing.assert_allclose(found, (X @ W).T)
    found = graphc.vmap(lambda x: (x.sum(), 3.0), out_axes=(0, None))(X)
    np.testing.assert_allclose(found[0], X.sum(1))
    assert found[1] == 3.0


def test_vmap_of_nested_arguments_and_names() -> None:
    def f(params: Any, x: Any, scale: Any) -> Any:
        return {"y": x @ params["w"] * scale + params["b"]}

    params = {"w": W, "b": np.ones((3, 5))}
    axes = ({"w": None, "b": 0}, 0)
    found = graphc.vmap(f, in_axes=axes)(params, X, scale=np.arange(3.0))
    np.testing.assert_allclose(found["y"], X @ W * np.arange(3.0)[:, None] + 1)


def test_nested_vmap_is_an_outer_product() -> None:
    outer = graphc.vmap(graphc.vmap(lambda a, b: a * b, in_axes=(None, 0)), in_axes=(0, None))
    np.testing.assert_allclose(outer(X[0], W[0]), np.outer(X[0], W[0]))


def test_gradients_inside_and_outside() -> None:
    def loss(w: Any, x: Any) -> Any:
        return np.sum(np.sin(x @ w))

    single = graphc.vmap(graphc.grad(loss), in_axes=(None, 0))(W, X)
    assert single.shape == (3, 4, 5)
    whole = graphc.grad(lambda w: np.sum(graphc.vmap(loss, in_axes=(None, 0))(w, X)))(W)
    np.testing.assert_allclose(single.sum(0), whole, rtol=1e-12)
    graphc.check_grads(lambda w: graphc.vmap(lambda x: loss(w, x))(X), (W,))


def test_what_is_the_same_for_all_is_computed_once() -> None:
    lowered = graphc.vmap(lambda x, w: x * np.exp(w).sum(), in_axes=(0, None)).lower(X, W)
    assert "exp" in str(lowered.graph)
    (node,) = [n for n in lowered.graph.nodes if n.op.name == "exp"]
    assert node.results[0].shape == (4, 5)


def test_vmap_of_custom_derivatives_and_checkpoint() -> None:
    f = graphc.custom_jvp(lambda x: x * x)
    f.defjvp(lambda p, t: (f(*p), 10 * p[0] * t[0]))
    np.testing.assert_allclose(graphc.vmap(graphc.grad(lambda x: f(x)))(X[0]), 10 * X[0])
    g = graphc.custom_vjp(lambda x: x * x)
    g.defvjp(lambda x: (g(x), x), lambda x, c: (7 * x * c,))
    np.testing.assert_allclose(graphc.vmap(graphc.grad(lambda x: g(x)))(X[0]), 7 * X[0])
    np.testing.assert_allclose(
        graphc.grad(lambda x: np.sum(graphc.vmap(lambda r: g(r))(x)))(X[0]), 7 * X[0]
    )
    again = graphc.checkpoint(lambda x: np.sum(np.sin(x) ** 2))
    found = graphc.grad(lambda x: np.sum(graphc.vmap(again)(x)))(X)
    np.testing.assert_allclose(found, 2 * np.sin(X) * np.cos(X))


def test_vmap_with_a_symbolic_batch() -> None:
    run = graphc.jit(graphc.vmap(lambda x: np.cumsum(x)[::-1] / x.sum()), dims={"x": ("b", None)})
    for n in (1, 4):
        x = np.linspace(1, 2, 3 * n).reshape(n, 3)
        np.testing.assert_allclose(run(x), np.cumsum(x, 1)[:, ::-1] / x.sum(1, keepdims=True))


def test_what_vmap_refuses() -> None:
    with pytest.raises(ShapeMismatch, match="the batch of x has extent 3, that of y 4"):
        graphc.vmap(lambda x, y: x)(X, W)
    with pytest.raises(ShapeMismatch, match="x has 0 axes, and axis 0"):
        graphc.vmap(lambda x: x)(3.0)
    with pytest.raises(TraceError, match="no argument has an axis"):
        graphc.vmap(lambda x: x, in_axes=None)(X)
    with pytest.raises(TraceError, match="differs within the batch"):
        graphc.vmap(lambda x: x, out_axes=None)(X)
    with pytest.raises(TraceError, match=r"expected an int, None, or a tuple"):
        graphc.vmap(lambda x, y: x, in_axes=(0, 0, 0))(X, X)
    with pytest.raises(TraceError, match="built in another way"):
        graphc.vmap(lambda x: x, in_axes=({"a": 0},))(X)


# --------------------------------------------------------------------------------------- jacobians


@pytest.mark.parametrize("jacobian", [graphc.jacfwd, graphc.jacrev])
def test_jacobians(jacobian: Any) -> None:
    x = X[0]

    def f(x: Any, y: Any) -> Any:
        return {"a": np.outer(x, y["b"]), "s": np.sum(x * x)}

    given = {"b": W[0]}
    found = jacobian(f)(x, given)
    np.testing.assert_allclose(found["s"], 2 * x)
    np.testing.assert_allclose(found["a"], np.einsum("ik,j->ijk", np.eye(4), W[0]))
    both = jacobian(f, (0, 1))(x, given)
    np.testing.assert_allclose(both["a"][1]["b"], np.einsum("jk,i->ijk", np.eye(5), x))
    assert both["s"][0].shape == (4,)
    assert jacobian(lambda x: x**2)(3.0) == pytest.approx(6.0)


def test_hessian() -> None:
    a = np.arange(16.0).reshape(4, 4)
    found = graphc.hessian(lambda x: x @ a @ x / 2 + np.sum(np.exp(x)))(X[0])
    np.testing.assert_allclose(found, (a + a.T) / 2 + np.diag(np.exp(X[0])))
    (product,) = graphc.hvp(lambda x: np.sum(np.sin(x) * x), (X[0],), (X[1],))
    full = graphc.hessian(lambda x: np.sum(np.sin(x) * x))(X[0])
    np.testing.assert_allclose(product, full @ X[1])


def test_complex_jacobians() -> None:
    z = np.array([1 + 2j, 0.5j])
    for jacobian in (graphc.jacfwd, graphc.jacrev):
        found = jacobian(lambda z: z * z, holomorphic=True)(z)
        np.testing.assert_allclose(found, np.diag(2 * z))
        with pytest.raises(TypeError, match="write holomorphic=True"):
            jacobian(lambda z: z * z)(z)
    np.testing.assert_allclose(graphc.jacrev(lambda z: np.abs(z) ** 2)(z), np.diag(2 * np.conj(z)))
