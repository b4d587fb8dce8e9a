"""What derivatives are made of: kernels, ops, and how many operations they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.training import LOSSES
from graphc import nn
from graphc.ir import Graph, Node
from graphc.types import product

from .operations import operations

F = "float32"


def ops(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def lowered(f: Any, *args: Any) -> Any:
    return graphc.grad(f).lower(*args)


def cross_entropy(z: Any, y: Any) -> Any:
    z = z - np.max(z, axis=1, keepdims=True)
    logp = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(np.sum(logp * y, axis=1))


def sparse_cross_entropy(z: Any, labels: Any) -> Any:
    z = z - np.max(z, axis=1, keepdims=True)
    logp = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(logp[np.arange(len(labels)), labels])


def test_cross_entropy_backwards_is_one_kernel_and_softmax_minus_one_hot() -> None:
    z, y = graphc.spec((64, 10), F), graphc.spec((64, 10), F)
    assert len(lowered(cross_entropy, z, y).kernels) == 1
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(64, 10)), rng.integers(0, 10, 64)
    soft = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    wanted = (soft - np.eye(10)[labels]) / 64
    for found in (
        graphc.grad(cross_entropy)(z, np.eye(10)[labels]),
        graphc.grad(sparse_cross_entropy)(z, labels),
        graphc.grad(sparse_cross_entropy)(z, labels - 10),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_one_place_a_row_needs_no_scatter() -> None:
    z, labels = graphc.spec((64, 10), F), graphc.spec((64,), "int64")
    found = lowered(sparse_cross_entropy, z, labels)
    assert "scatter" not in ops(found.graph) and len(found.kernels) == 1
    x = np.arange(24.0).reshape(2, 3, 4)
    where = np.array([[1, 3, 0], [2, 2, 1]])

    def along(x: Any, where: Any) -> Any:
        return np.sum(np.take_along_axis(x, where[:, :, None], axis=2) ** 2)

    graphc.check_grads(lambda x: along(x, where), (x,))
    assert "scatter" not in ops(lowered(along, x, where).graph)


def test_slices_need_no_scatter_and_fuse() -> None:
    found = lowered(lambda x: np.sum(x[1:, ::2] * x[:-1, 1::2]), graphc.spec((64, 10), F))
    assert "scatter" not in ops(found.graph) and len(found.kernels) == 1


def test_layer_norm_backwards_is_one_kernel() -> None:
    def loss(x: Any) -> Any:
        y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return np.sum(y**3)

    assert len(lowered(loss, graphc.spec((64, 128), F)).kernels) == 1


def test_products_of_a_dense_layer_are_transposed_by_their_axes() -> None:
    def loss(w: Any, x: Any) -> Any:
        return np.sum(np.tanh(x @ w))

    graph = graphc.grad(loss, (0, 1)).lower(graphc.spec((7, 5)), graphc.spec((11, 7))).graph
    assert ops(graph).count("dot") == 3 and "transpose" not in ops(graph)


def test_no_sums_of_zeros_stay() -> None:
    """What no derivative reaches makes no node: of two parameters, one has no gradient."""

    def loss(x: Any, y: Any) -> Any:
        return np.sum(x * x) + np.sum(np.floor(y))

    graph = graphc.grad(loss, (0, 1)).lower(graphc.spec((5,)), graphc.spec((5,))).graph
    assert ops(graph).count("add") == 1  # of the two factors of x * x
    zero = graph.results[1].node
    assert zero.op.name == "full" and zero.attrs["value"] == 0


# -------------------------------------------------------------------------------------- operations


def mlp(params: Any, x: Any, y: Any) -> Any:
    for w, b in params[:-1]:
        x = np.maximum(x @ w + b, 0)
    w, b = params[-1]
    return cross_entropy(x @ w + b, y)


def conv_net(params: Any, x: Any, y: Any) -> Any:
    x = nn.max_pool(np.maximum(nn.conv(x, params["c1"], padding="same"), 0), 2)
    x = nn.max_pool(np.maximum(nn.conv(x, params["c2"], padding="same"), 0), 2)
    return cross_entropy(x.reshape(len(x), -1) @ params["w"], y)


def block(params: Any, x: Any) -> Any:
    """A transformer's block without attention: norm, mix over positions, norm, feed-forward."""

    def norm(x: Any) -> Any:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    x = x + np.swapaxes(np.swapaxes(norm(x), 1, 2) @ params["mix"], 1, 2)
    h = norm(x) @ params["up"]
    h = 0.5 * h * (1 + np.tanh(0.79788456 * (h + 0.044715 * h**3)))
    return np.sum((x + h @ params["down"]) ** 2)


def s(*shape: int) -> Any:
    return graphc.spec(shape, F)


PROGRAMS = {
    "mlp": (
        mlp,
        ([(s(784, 128), s(128)), (s(128, 64), s(64)), (s(64, 10), s(10))], s(32, 784), s(32, 10)),
    ),
    "conv": (
        conv_net,
        (
            {"c1": s(3, 3, 3, 16), "c2": s(3, 3, 16, 32), "w": s(8 * 8 * 32, 10)},
            s(8, 32, 32, 3),
            s(8, 10),
        ),
    ),
    "block": (
        block,
        ({"mix": s(16, 16), "up": s(64, 256), "down": s(256, 64)}, s(4, 16, 64)),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_gradient_costs_at_most_four_times_the_function(name: str) -> None:
    f, args = PROGRAMS[name]
    forward = operations(graphc.jit(f).lower(*args).graph)
    backward = operations(graphc.value_and_grad(f).lower(*args).graph)
    assert backward <= 4 * forward, f"{backward / forward:.2f}"


INT = "int64"
LSTM = s(64, 256), s(64, 256), s(256)
STEPS: dict[str, tuple[Any, Any, Any]] = {
    "mlp-512": (
        [s(784, 128), s(128), s(128, 128), s(128), s(128, 10), s(10)],
        s(512, 784), graphc.spec((512,), INT),
    ),
    "autoencoder": (
        [
            spec
            for a, b in ((1, 32), (32, 32), (32, 16), (16, 16), (16, 32), (32, 32), (32, 1))
            for spec in (s(3, 3, a, b), s(b))
        ],
        s(128, 28, 28, 1), s(128, 28, 28, 1),
    ),
    "imdb": (
        [s(10000, 256), s(3, 256, 256), s(256), s(256, 128), s(128), s(128, 1), s(1)],
        graphc.spec((500, 200), INT), s(500, 1),
    ),
    "bilstm": (
        [s(5272, 64), *LSTM, *LSTM, s(128, 64), s(64), s(64, 1), s(1)],
        graphc.spec((64, 64), INT), s(64, 1),
    ),
}  # fmt: skip
"""The benchmarks' steps of training: weights, batch, labels."""


@pytest.mark.parametrize("name", STEPS)
def test_a_gradient_of_the_benchmarks_costs_at_most_four_times_the_function(name: str) -> None:
    f, args = LOSSES[name], STEPS[name]
    forward = operations(graphc.jit(f).lower(*args).graph)
    backward = operations(graphc.value_and_grad(f).lower(*args).graph)
    assert 2 * forward < backward <= 4 * forward, f"{backward / forward:.2f}"


def test_operations_counts_loops() -> None:
    def f(w: Any, xs: Any) -> Any:
        h, _ = graphc.scan(lambda h, x: (h @ w + x, None), np.zeros((2, 3), "f4"), xs)
        return h

    graph = graphc.jit(f).lower(s(3, 3), s(5, 2, 3)).graph
    assert operations(graph) == 5 * (2 * 2 * 3 * 3 + 6)


def test_operations_counts_products() -> None:
    graph = graphc.jit(lambda x, w: np.sum(x @ w + 1)).lower(s(3, 4), s(4, 5)).graph
    assert operations(graph) == 2 * 3 * 4 * 5 + 15 + 15
    node: Node = graph.nodes[0]
    assert product(node.results[0].shape) > 0
