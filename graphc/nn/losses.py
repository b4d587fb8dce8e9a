"""Losses: of a prediction and a target, in this order.

Element by element unless said otherwise; then `reduction`: "mean" (the default) or "sum" over all
losses, None for the losses themselves. `weight` multiplies the losses before; "mean" still divides
by their number, as Keras has it. Logarithms of probabilities see them at least EPSILON away from 0
and 1, as in Keras; with `from_logits` the prediction is what softmax or sigmoid would be taken of,
and nothing is cut.
"""

from __future__ import annotations

from typing import Any

from .. import numpy as xp
from .activations import log_softmax, softplus

EPSILON = 1e-7


def _reduced(losses: Any, reduction: str | None, weight: Any) -> Any:
    if weight is not None:
        losses = losses * weight
    if reduction is None:
        return losses
    if reduction == "mean":
        return xp.mean(losses)
    if reduction == "sum":
        return xp.sum(losses)
    raise ValueError(f"reduction is {reduction!r}; expected 'mean', 'sum' or None")


def squared_error(
    prediction: Any, target: Any, *, reduction: str | None = "mean", weight: Any = None
) -> Any:
    """(prediction - target)**2; its mean is the mse."""
    error = prediction - target
    return _reduced(error * error, reduction, weight)


mse = squared_error


def absolute_error(
    prediction: Any, target: Any, *, reduction: str | None = "mean", weight: Any = None
) -> Any:
    """|prediction - target|; its mean is the mae."""
    return _reduced(xp.abs(prediction - target), reduction, weight)


mae = absolute_error


def huber(
    prediction: Any, target: Any, delta: float = 1.0, *, reduction: str | None = "mean",
    weight: Any = None,
) -> Any:  # fmt: skip
    """error**2 / 2 where |error| <= delta, else delta * (|error| - delta / 2)."""
    size = xp.abs(prediction - target)
    inside = xp.minimum(size, delta)
    return _reduced(inside * (size - 0.5 * inside), reduction, weight)


def log_cosh(
    prediction: Any, target: Any, *, reduction: str | None = "mean", weight: Any = None
) -> Any:
    """log(cosh(prediction - target)), without overflow."""
    error = prediction - target
    return _reduced(error + softplus(-2 * error) - 0.6931471805599453, reduction, weight)


def hinge(
    prediction: Any, target: Any, *, reduction: str | None = "mean", weight: Any = None
) -> Any:
    """max(1 - target * prediction, 0); targets are -1 and 1."""
    margin = 1 - target * prediction
    return _reduced(xp.where(margin <= 0, 0, margin), reduction, weight)


def squared_hinge(
    prediction: Any, target: Any, *, reduction: str | None = "mean", weight: Any = None
) -> Any:
    """max(1 - target * prediction, 0)**2; targets are -1 and 1."""
    margin = 1 - target * prediction
    inside = xp.where(margin <= 0, 0, margin)
    return _reduced(inside * inside, reduction, weight)


def poisson(
    prediction: Any, target: Any, *, reduction: str | None = "mean", weight: Any = None
) -> Any:
    """prediction - target * log(prediction + EPSILON): of a rate, up to a constant."""
    return _reduced(prediction - target * xp.log(prediction + EPSILON), reduction, weight)


def _inside(probability: Any) -> Any:
    return xp.clip(probability, EPSILON, 1 - EPSILON)


def binary_cross_entropy(
    prediction: Any, target: Any, *, from_logits: bool = False, label_smoothing: float = 0.0,
    reduction: str | None = "mean", weight: Any = None,
) -> Any:  # fmt: skip
    """-target * log(p) - (1 - target) * log(1 - p); p is the prediction, or its sigmoid."""
    if label_smoothing:
        target = target * (1 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        return _reduced(softplus(prediction) - target * prediction, reduction, weight)
    p = _inside(prediction)
    losses = -(target * xp.log(p) + (1 - target) * xp.log(1 - p))
    return _reduced(losses, reduction, weight)


def _log_probabilities(prediction: Any, from_logits: bool, axis: int) -> Any:
    if from_logits:
        return log_softmax(prediction, axis)
    return xp.log(_inside(prediction / xp.sum(prediction, axis, keepdims=True)))


def categorical_cross_entropy(
    prediction: Any, target: Any, *, from_logits: bool = False, axis: int = -1,
    label_smoothing: float = 0.0, reduction: str | None = "mean", weight: Any = None,
) -> Any:  # fmt: skip
    """-sum(target * log(p)) along the axis; p is the prediction, divided by its sum, or its
    softmax. A target is a distribution over the classes, one-hot for example.

    Shapes: prediction, target [..., c] -> losses [...]
    """
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / prediction.shape[axis]
    found = target * _log_probabilities(prediction, from_logits, axis)
    return _reduced(-xp.sum(found, axis), reduction, weight)


def sparse_categorical_cross_entropy(
    prediction: Any, label: Any, *, from_logits: bool = False, reduction: str | None = "mean",
    weight: Any = None,
) -> Any:  # fmt: skip
    """-log(p[label]): `categorical_cross_entropy` for the numbers of the classes.

    Shapes: prediction [..., c], label i[...] -> losses [...]
    """
    logs = _log_probabilities(prediction, from_logits, -1)
    label = xp.asarray(label)
    picked = xp.take_along_axis(logs, label[..., None], axis=-1)
    return _reduced(-xp.squeeze(picked, -1), reduction, weight)


def kl_divergence(
    prediction: Any, target: Any, *, axis: int = -1, reduction: str | None = "mean",
    weight: Any = None,
) -> Any:  # fmt: skip
    """sum(target * log(target / prediction)) along the axis, of distributions.

    Shapes: prediction, target [..., c] -> losses [...]
    """
    p, q = xp.clip(target, EPSILON, 1), xp.clip(prediction, EPSILON, 1)
    return _reduced(xp.sum(p * xp.log(p / q), axis), reduction, weight)


def cosine(
    prediction: Any, target: Any, *, axis: int = -1, reduction: str | None = "mean",
    weight: Any = None,
) -> Any:  # fmt: skip
    """1 less the cosine of the angle between the vectors along the axis.

    Shapes: prediction, target [..., c] -> losses [...]
    """
    above = xp.sum(prediction * target, axis)
    squares = xp.sum(prediction * prediction, axis) * xp.sum(target * target, axis)
    tiny = EPSILON * EPSILON
    return _reduced(1 - above / xp.sqrt(xp.maximum(squares, tiny)), reduction, weight)


def l1(x: Any) -> Any:
    """sum(|x|): a penalty for weights or activations."""
    return xp.sum(xp.abs(x))


def l2(x: Any) -> Any:
    """sum(x**2): a penalty for weights or activations."""
    return xp.sum(x * x)


__all__ = [
    "absolute_error", "binary_cross_entropy", "categorical_cross_entropy", "cosine", "hinge",
    "huber", "kl_divergence", "l1", "l2", "log_cosh", "mae", "mse", "poisson",
    "sparse_categorical_cross_entropy", "squared_error", "squared_hinge",
]  # fmt: skip
