"""Losses and metrics against their formulas, and numbers that are known by hand."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.nn import losses, metrics

from ..numpy.tracing import data, same, traced
from .formulas import agrees, has_gradients


def _softmax(x: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


X, T = data(5, 4, seed=1), data(5, 4, seed=2)
P = np.random.default_rng(3).uniform(0.05, 0.95, (5, 4))
B = np.random.default_rng(4).integers(0, 2, (5, 4)).astype(float)
S, Q = _softmax(X), _softmax(T)
LABEL = np.array([0, 3, 1, 1, 2])
ONE = np.eye(4)[LABEL]
SIGN = 2 * B - 1


def _bce(p: Any, t: Any) -> Any:
    return np.mean(-t * np.log(p) - (1 - t) * np.log(1 - p))


CASES: dict[str, tuple[Any, Any, tuple[np.ndarray, ...]]] = {
    "mse": (losses.mse, lambda x, t: np.mean((x - t) ** 2), (X, T)),
    "mae": (losses.mae, lambda x, t: np.mean(abs(x - t)), (X, T)),
    "huber": (
        losses.huber,
        lambda x, t: np.mean(np.where(abs(x - t) <= 1, (x - t) ** 2 / 2, abs(x - t) - 0.5)),
        (X, T),
    ),
    "log_cosh": (losses.log_cosh, lambda x, t: np.mean(np.log(np.cosh(x - t))), (X, T)),
    "hinge": (losses.hinge, lambda x, t: np.mean(np.maximum(1 - t * x, 0)), (X, SIGN)),
    "squared_hinge": (
        losses.squared_hinge, lambda x, t: np.mean(np.maximum(1 - t * x, 0) ** 2), (X, SIGN)
    ),
    "poisson": (losses.poisson, lambda p, t: np.mean(p - t * np.log(p + 1e-7)), (P, B)),
    "binary": (losses.binary_cross_entropy, _bce, (P, B)),
    "binary of logits": (
        lambda x, t: losses.binary_cross_entropy(x, t, from_logits=True),
        lambda x, t: _bce(1 / (1 + np.exp(-x)), t),
        (X, B),
    ),
    "binary smoothed": (
        lambda p, t: losses.binary_cross_entropy(p, t, label_smoothing=0.2),
        lambda p, t: _bce(p, 0.8 * t + 0.1),
        (P, B),
    ),
    "categorical": (
        losses.categorical_cross_entropy,
        lambda p, t: np.mean(-np.sum(t * np.log(p / p.sum(-1, keepdims=True)), -1)),
        (P, Q),
    ),
    "categorical of logits": (
        lambda x, t: losses.categorical_cross_entropy(x, t, from_logits=True),
        lambda x, t: np.mean(-np.sum(t * np.log(_softmax(x)), -1)),
        (X, Q),
    ),
    "sparse": (
        losses.sparse_categorical_cross_entropy,
        lambda p, y: np.mean(-np.log(p / p.sum(-1, keepdims=True))[np.arange(len(y)), y]),
        (P, LABEL),
    ),
    "sparse of logits": (
        lambda x, y: losses.sparse_categorical_cross_entropy(x, y, from_logits=True),
        lambda x, y: np.mean(-np.log(_softmax(x))[np.arange(len(y)), y]),
        (X, LABEL),
    ),
    "kl": (losses.kl_divergence, lambda p, t: np.mean(np.sum(t * np.log(t / p), -1)), (S, Q)),
    "cosine": (
        losses.cosine,
        lambda x, t: np.mean(
            1 - np.sum(x * t, -1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(t, axis=-1)
        ),
        (X, T),
    ),
    "l1": (losses.l1, lambda x: np.sum(abs(x)), (X,)),
    "l2": (losses.l2, lambda x: np.sum(x * x), (X,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_losses(name: str) -> None:
    function, formula, arrays = CASES[name]
    agrees(function, formula, *arrays)
    has_gradients(lambda x: function(x, *arrays[1:]), (arrays[0],))


REDUCED = sorted(set(CASES) - {"l1", "l2"})


@pytest.mark.parametrize("name", REDUCED)
def test_reductions_and_weights(name: str) -> None:
    function = getattr(losses, {"binary": "binary_cross_entropy"}.get(name, name), None)
    if function is None:
        return
    x, t = CASES[name][2]
    each = function(x, t, reduction=None)
    np.testing.assert_allclose(function(x, t, reduction="sum"), np.sum(each), rtol=1e-12)
    np.testing.assert_allclose(function(x, t), np.mean(each), rtol=1e-12)
    weight = np.arange(each.size).reshape(each.shape) / each.size
    weighted = traced(function, x, t, weight=weight)
    np.testing.assert_allclose(weighted, np.mean(weight * each), rtol=1e-12)


def test_a_reduction_that_is_none_of_them_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction is 'average'"):
        losses.mse(X, T, reduction="average")


def test_losses_of_logits_are_finite_far_out() -> None:
    x = np.array([[1e4, -1e4]], np.float32)
    y = np.array([[0.0, 1.0]], np.float32)
    for loss, target in (
        (losses.binary_cross_entropy, y),
        (losses.categorical_cross_entropy, y),
        (losses.sparse_categorical_cross_entropy, np.array([1])),
    ):
        of_logits = functools.partial(loss, target=target, from_logits=True)
        if loss is losses.sparse_categorical_cross_entropy:
            of_logits = functools.partial(loss, label=target, from_logits=True)
        value, gradient = graphc.value_and_grad(of_logits)(x)
        assert np.isfinite(value) and np.isfinite(gradient).all()


def test_the_sum_of_no_losses_is_0() -> None:
    x = np.zeros((0, 4))
    assert graphc.jit(lambda x, t: losses.mse(x, t, reduction="sum"))(x, x) == 0
    labels = np.zeros((0,), int)
    found = graphc.jit(
        lambda x, y: losses.sparse_categorical_cross_entropy(
            x, y, from_logits=True, reduction="sum"
        )
    )
    assert found(x, labels) == 0


def test_label_smoothing_of_categories() -> None:
    found = losses.categorical_cross_entropy(P, ONE, label_smoothing=0.1)
    wanted = losses.categorical_cross_entropy(P, 0.9 * ONE + 0.025)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


# ----------------------------------------------------------------------------------------- metrics


def everywhere(function: Any, *arrays: np.ndarray) -> Any:
    """What a metric answers on arrays; the same traced and compiled."""
    found = function(*arrays)
    same(traced(function, *arrays, symbolic=True), found, 1e-12)
    same(graphc.jit(function)(*arrays), found, 1e-12)
    return float(found) if np.ndim(found) == 0 else found


def test_accuracies() -> None:
    assert everywhere(metrics.accuracy, np.array([1, 2, 3, 4]), np.array([1, 2, 0, 4])) == 0.75
    p = np.array([0.2, 0.9, 0.6, 0.4])
    assert everywhere(metrics.binary_accuracy, p, np.array([0.0, 1, 0, 0])) == 0.75
    scores = np.array([[1.0, 3, 2], [0.5, 0.2, 0.1], [1, 2, 3], [9, 8, 7]])
    labels = np.array([1, 1, 2, 2])
    assert everywhere(metrics.sparse_categorical_accuracy, scores, labels) == 0.5
    assert everywhere(metrics.categorical_accuracy, scores, np.eye(3)[labels]) == 0.5
    two = everywhere(lambda s, y: metrics.top_k_accuracy(s, y, 2), scores, labels)
    assert two == 0.75 and metrics.top_k_accuracy(scores, labels, 3) == 1


def test_precision_and_recall() -> None:
    p = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    y = np.array([1.0, 0, 1, 1, 0])
    assert everywhere(metrics.precision, p, y) == pytest.approx(2 / 3)
    assert everywhere(metrics.recall, p, y) == pytest.approx(2 / 3)
    assert everywhere(metrics.f1, p, y) == pytest.approx(2 / 3)
    nothing = np.zeros(5)
    assert metrics.precision(nothing, y) == 0 and metrics.recall(p, nothing) == 0


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    scores, y = rng.integers(0, 6, 40).astype(float), rng.integers(0, 2, 40).astype(float)
    a, b = scores[y == 1][:, None], scores[y == 0][None]
    wanted = np.mean((a > b) + 0.5 * (a == b))
    assert everywhere(metrics.auc, scores, y) == pytest.approx(wanted)
    assert np.isnan(metrics.auc(scores, np.ones(40)))


def test_confusion_matrix_and_r2() -> None:
    rng = np.random.default_rng(1)
    p, y = rng.integers(0, 3, 30), rng.integers(0, 3, 30)
    wanted = np.zeros((3, 3), int)
    np.add.at(wanted, (y, p), 1)
    found = everywhere(lambda p, y: metrics.confusion_matrix(p, y, 3), p, y)
    np.testing.assert_array_equal(found, wanted)
    assert everywhere(metrics.r2, np.array([1.0, 2, 3]), np.array([1.0, 2, 4])) == pytest.approx(
        1 - 1 / (14 / 3)
    )


def test_the_names_of_the_modules() -> None:
    assert nn.losses is losses and nn.metrics is metrics
    assert all(callable(getattr(losses, name)) for name in losses.__all__)
    assert all(callable(getattr(metrics, name)) for name in metrics.__all__)
