"""graphc's programs for the suite's steps of training and its gradients: `graphc.nn`, `optim`.

The model, the loss and Adam are those of the peers; a step is one call of one compiled function,
with the weights and Adam's moments donated.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import graphc
from graphc import nn, optim
from graphc.nn import losses

Weights = Sequence[Any]


def mlp(weights: Weights, x: Any, y: Any) -> Any:
    w1, b1, w2, b2, w3, b3 = weights
    h = nn.relu(nn.dense(x, w1, b1))
    h = nn.relu(nn.dense(h, w2, b2))
    scores = nn.dense(h, w3, b3)
    return losses.sparse_categorical_cross_entropy(scores, y, from_logits=True)


def autoencoder(weights: Weights, x: Any, y: Any) -> Any:
    def conv(x: Any, layer: int, padding: str = "same") -> Any:
        return nn.conv(x, weights[2 * layer], padding=padding) + weights[2 * layer + 1]

    def down(x: Any, layer: int) -> Any:
        return nn.max_pool(nn.relu(conv(x, layer)), 2, padding="same")

    def up(x: Any, layer: int, padding: str = "same") -> Any:
        return nn.upsample(nn.relu(conv(x, layer, padding)), 2)

    h = down(down(down(x, 0), 1), 2)
    h = up(up(up(h, 3), 4), 5, "valid")
    return losses.binary_cross_entropy(conv(h, 6), y, from_logits=True)


def text_convolution(weights: Weights, x: Any, y: Any) -> Any:
    table, kernel, b, w1, b1, w2, b2 = weights
    h = nn.relu(nn.conv(nn.embedding(table, x), kernel) + b)
    h = nn.relu(nn.dense(nn.global_max_pool(h), w1, b1))
    return losses.binary_cross_entropy(nn.dense(h, w2, b2), y, from_logits=True)


def bilstm(weights: Weights, x: Any, y: Any) -> Any:
    np = importlib.import_module("numpy")
    table, *both, w1, b1, w2, b2 = weights
    names = ("kernel", "recurrent", "bias")
    there, back = (dict(zip(names, part, strict=True)) for part in (both[:3], both[3:]))
    _, ((h, _), (g, _)) = nn.bidirectional(nn.lstm, there, back, nn.embedding(table, x))
    h = nn.relu(nn.dense(np.concatenate([h, g], 1), w1, b1))
    return losses.binary_cross_entropy(nn.dense(h, w2, b2), y, from_logits=True)


LOSSES: dict[str, Callable[..., Any]] = {
    "mlp-512": mlp, "mlp-128": mlp, "autoencoder": autoencoder, "imdb": text_convolution,
    "bilstm": bilstm,
}  # fmt: skip
"""By the suite's names of the cases."""


def _step(case: Any) -> tuple[Any, optim.Optimizer]:
    suite = importlib.import_module("bench.train")
    adam = optim.adam(suite.RATE, suite.BETA1, suite.BETA2, suite.EPSILON, epsilon_hat=True)
    loss_and_gradient = graphc.value_and_grad(LOSSES[case.name])

    def step(weights: Any, state: Any, x: Any, y: Any) -> Any:
        loss, gradient = loss_and_gradient(weights, x, y)
        return loss, *adam.update(weights, gradient, state)

    return graphc.jit(step, donate=("weights", "state"), name=case.name), adam


def program(case: Any, column: Any, weights: Weights, x: Any, y: Any) -> Callable[[], float]:
    """The suite's call: a step, which answers the loss."""
    step, adam = _step(case)
    kept: list[Any] = [list(weights), adam.init(list(weights))]

    def call() -> float:
        loss, *kept[:] = step(*kept, x, y)
        return float(loss)

    return call


def linear_regression(column: Any, xs: Any, ys: Any) -> Callable[[], tuple[Any, Any]]:
    """An epoch of one call for each sample, as the peers make it; a sample is an array of one
    element, since a call of NumPy's scalars does not take the native path.
    """
    np = importlib.import_module("numpy")
    rate = importlib.import_module("bench.train").LinearRegression.rate

    def loss(w: Any, b: Any, x: Any, y: Any) -> Any:
        return np.sum((w * x + b - y) ** 2)

    gradient = graphc.grad(loss, argnums=(0, 1))

    @graphc.jit(donate=("w", "b"))
    def step(w: Any, b: Any, x: Any, y: Any) -> Any:
        dw, db = gradient(w, b, x, y)
        return w - rate * dw, b - rate * db

    kept = [np.zeros(1, np.float32), np.zeros(1, np.float32)]
    samples = [(xs[k : k + 1], ys[k : k + 1]) for k in range(len(xs))]

    def epoch() -> tuple[Any, Any]:
        w, b = kept
        for x, y in samples:
            w, b = step(w, b, x, y)
        kept[:] = w, b
        return w, b

    return epoch


PROGRAMS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(LOSSES, program), "linear-regression": linear_regression,
}  # fmt: skip
"""By the suite's names of the cases: what makes the call."""


def lowered(case: Any) -> Any:
    """The step of a case, to look at."""
    np = importlib.import_module("numpy")
    weights, x, y = case.inputs(np.random.default_rng(0))
    step, adam = _step(case)
    return step.lower(list(weights), adam.init(list(weights)), x, y)


# --------------------------------------------------------------------------------------- gradients


def unrolled(case: Any, column: Any, w: Any, xs: Any) -> Callable[[], Any]:
    """The gradient of a loop that Python unrolls."""
    np = importlib.import_module("numpy")

    def loss(w: Any, xs: Any) -> Any:
        h = np.zeros(xs.shape[1:], np.float32)
        for x in xs:
            h = np.tanh(h @ w + x)
        return np.sum(h * h)

    compiled = graphc.jit(graphc.grad(loss))
    return lambda: compiled(w, xs)


def loop(case: Any, column: Any, w: Any, xs: Any) -> Callable[[], Any]:
    """The same gradient, of a loop in the graph."""
    np = importlib.import_module("numpy")

    def loss(w: Any, xs: Any) -> Any:
        h = np.zeros(xs.shape[1:], np.float32)
        h, _ = graphc.scan(lambda h, x: (np.tanh(h @ w + x), None), h, xs)
        return np.sum(h * h)

    compiled = graphc.jit(graphc.grad(loss))
    return lambda: compiled(w, xs)


def hessian(case: Any, column: Any, x: Any) -> Callable[[], Any]:
    """Of Rosenbrock's function."""
    compiled = graphc.jit(graphc.hessian(type(case).rosenbrock))
    return lambda: compiled(x)


GRADIENTS: dict[str, Callable[..., Any]] = {
    "loop": loop, "unrolled": unrolled, "hessian": hessian,
}  # fmt: skip


def register(train: dict[str, Any], autodiff: dict[str, Any], column: str) -> None:
    """Enters graphc in the suite's cases that it has a program for."""
    for cases, programs in ((train, PROGRAMS), (autodiff, GRADIENTS)):
        for name, case in cases.items():
            if name not in programs:
                continue
            if cases is train:
                type(case).graphc = programs[name]
            else:
                type(case).build = _building(type(case).build, programs[name], column)
            if column not in case.columns:
                case.columns = (*case.columns, column)


def _building(theirs: Callable[..., Any], ours: Callable[..., Any], name: str) -> Any:
    """`Case.build`, with a program that builds its own call for graphc."""

    def build(case: Any, column: Any, arrays: Any) -> Any:
        return ours(case, column, *arrays) if column.name == name else theirs(case, column, arrays)

    return build
