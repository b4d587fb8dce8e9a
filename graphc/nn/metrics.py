"""Metrics: numbers that say how good predictions are. They have no derivatives of interest."""

from __future__ import annotations

from typing import Any

from .. import numpy as xp


def _share(right: Any) -> Any:
    return xp.mean(right.astype("float64"))


def accuracy(prediction: Any, target: Any) -> Any:
    """The share of predictions that equal their target."""
    return _share(xp.asarray(prediction) == xp.asarray(target))


def binary_accuracy(prediction: Any, target: Any, threshold: float = 0.5) -> Any:
    """The share of predictions that lie above the threshold where the target is 1, and not where
    it is 0.
    """
    return _share((prediction > threshold) == (target > 0.5))


def categorical_accuracy(prediction: Any, target: Any) -> Any:
    """The share of rows whose greatest score is where the target has its greatest.

    Shapes: prediction, target [..., c]
    """
    return _share(xp.argmax(prediction, -1) == xp.argmax(target, -1))


def sparse_categorical_accuracy(prediction: Any, label: Any) -> Any:
    """The share of rows whose greatest score is that of the label.

    Shapes: prediction [..., c], label i[...]
    """
    return _share(xp.argmax(prediction, -1) == label)


def top_k_accuracy(prediction: Any, label: Any, k: int = 5) -> Any:
    """The share of rows where fewer than k classes score higher than the label.

    Shapes: prediction [..., c], label i[...]
    """
    own = xp.take_along_axis(prediction, xp.asarray(label)[..., None], axis=-1)
    return _share(xp.sum(prediction > own, axis=-1) < k)


def _counts(prediction: Any, target: Any, threshold: float) -> tuple[Any, Any, Any]:
    """True positives, predicted positives, positives."""
    said, meant = prediction > threshold, target > 0.5
    counted = (said & meant, said, meant)
    both, positive, actual = (xp.sum(x.astype("float64")) for x in counted)
    return both, positive, actual


def _ratio(above: Any, below: Any) -> Any:
    """0 where there is nothing."""
    return xp.where(below == 0, 0.0, above / xp.where(below == 0, 1.0, below))


def precision(prediction: Any, target: Any, threshold: float = 0.5) -> Any:
    """Of what lies above the threshold, the share that is positive; 0 where nothing does."""
    both, positive, _ = _counts(prediction, target, threshold)
    return _ratio(both, positive)


def recall(prediction: Any, target: Any, threshold: float = 0.5) -> Any:
    """Of what is positive, the share that lies above the threshold; 0 where nothing is."""
    both, _, actual = _counts(prediction, target, threshold)
    return _ratio(both, actual)


def f1(prediction: Any, target: Any, threshold: float = 0.5) -> Any:
    """The harmonic mean of precision and recall."""
    both, positive, actual = _counts(prediction, target, threshold)
    return _ratio(2 * both, positive + actual)


def auc(prediction: Any, target: Any) -> Any:
    """The area under the receiver operating characteristic: how likely a positive one scores
    higher than a negative one, a tie being half. Exact; NaN where one kind is missing.

    Shapes: prediction, target [n]
    """
    order = xp.argsort(prediction)
    scores = xp.take(prediction, order)
    positive = xp.take((target > 0.5).astype("float64"), order)
    # how many negatives are among the first k
    negatives = xp.concatenate([xp.zeros(1), xp.cumsum(1 - positive)])
    below = xp.take(negatives, xp.searchsorted(scores, scores, side="left"))
    upto = xp.take(negatives, xp.searchsorted(scores, scores, side="right"))
    pairs = xp.sum(positive) * xp.sum(1 - positive)
    wins = xp.sum(positive * (below + upto)) / 2
    return xp.where(pairs == 0, xp.nan, wins / xp.where(pairs == 0, 1.0, pairs))


def confusion_matrix(prediction: Any, label: Any, classes: int) -> Any:
    """How often a label (row) was predicted as what (column).

    Shapes: prediction, label i[n] -> i64[classes, classes]
    """
    places = xp.asarray(label) * classes + xp.asarray(prediction)
    counted = places[:, None] == xp.arange(classes * classes)
    return xp.reshape(xp.sum(counted, axis=0), (classes, classes))


def r2(prediction: Any, target: Any) -> Any:
    """The coefficient of determination."""
    error, spread = prediction - target, target - xp.mean(target)
    return 1 - xp.sum(error * error) / xp.sum(spread * spread)


__all__ = [
    "accuracy", "auc", "binary_accuracy", "categorical_accuracy", "confusion_matrix", "f1",
    "precision", "r2", "recall", "sparse_categorical_accuracy", "top_k_accuracy",
]  # fmt: skip
