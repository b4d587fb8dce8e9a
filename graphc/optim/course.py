"""The optimizers as a course on deep learning prints them (docs/optim.md): other epsilons, averages
and corrections than in the standard forms of the same names.
"""

from __future__ import annotations

from typing import Any

from .. import numpy as xp
from .optimizers import Optimizer, Rate, Rule, optimizer


def _numbers(rate: Any, t: Any) -> tuple[Any, ...]:
    return (rate,)


def momentum(rate: Rate, beta: float = 0.9) -> Optimizer:
    """m <- beta m + (1 - beta) g; p <- p - rate m. (Keras and torch have no 1 - beta.)"""

    def apply(p: Any, g: Any, m: Any, rate: Any) -> tuple[Any, ...]:
        m = beta * m + (1 - beta) * g
        return p - rate * m, m

    return optimizer(Rule("course.momentum", rate, {"mean": 0.0}, _numbers, apply))


def nesterov(rate: Rate, beta: float = 0.9) -> Optimizer:
    """The gradient is averaged with the momentum once more: p <- p - rate (beta m + (1 - beta) g),
    where m is the new one of `momentum`.
    """

    def apply(p: Any, g: Any, m: Any, rate: Any) -> tuple[Any, ...]:
        m = beta * m + (1 - beta) * g
        return p - rate * (beta * m + (1 - beta) * g), m

    return optimizer(Rule("course.nesterov", rate, {"mean": 0.0}, _numbers, apply))


def adagrad(rate: Rate, epsilon: float = 1e-8) -> Optimizer:
    """s <- s + g^2; p <- p - rate g / (sqrt(s) + epsilon): epsilon outside of the root."""

    def apply(p: Any, g: Any, s: Any, rate: Any) -> tuple[Any, ...]:
        s = s + g * g
        return p - rate * g / (xp.sqrt(s) + epsilon), s

    return optimizer(Rule("course.adagrad", rate, {"sum": 0.0}, _numbers, apply))


def rmsprop(rate: Rate, beta: float = 0.9, epsilon: float = 1e-8) -> Optimizer:
    """s <- beta s + (1 - beta) g^2; p <- p - rate g / sqrt(s + epsilon): epsilon under the root."""

    def apply(p: Any, g: Any, s: Any, rate: Any) -> tuple[Any, ...]:
        s = beta * s + (1 - beta) * g * g
        return p - rate * g / xp.sqrt(s + epsilon), s

    return optimizer(Rule("course.rmsprop", rate, {"square": 0.0}, _numbers, apply))


def adam(rate: Rate, beta1: float = 0.9, beta2: float = 0.99, epsilon: float = 1e-8) -> Optimizer:
    """m of `momentum`, s of `rmsprop`; p <- p - rate m / (sqrt(s) + epsilon): beta2 is 0.99, and no
    bias is corrected.
    """

    def apply(p: Any, g: Any, m: Any, s: Any, rate: Any) -> tuple[Any, ...]:
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g * g
        return p - rate * m / (xp.sqrt(s) + epsilon), m, s

    kept = {"mean": 0.0, "square": 0.0}
    return optimizer(Rule("course.adam", rate, kept, _numbers, apply))


__all__ = ["adagrad", "adam", "momentum", "nesterov", "rmsprop"]
