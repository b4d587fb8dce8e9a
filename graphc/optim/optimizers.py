"""The optimizers, in their standard forms: a rule for one array each, in the letters of the papers.

p is a parameter and g its gradient; what a rule keeps is in `Rule.kept`. Numbers that hold for all
parameters (rates, corrections of a bias) are computed once, in f64, and take the dtype of the
parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import numpy as xp
from .. import pytrees
from .schedules import Schedule

Rate = float | Schedule
State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Pure functions: `init(params)` makes the state; `update(params, gradients, state)` answers
    (params, state).
    """

    name: str
    init: Callable[[Any], State]
    update: Callable[[Any, Any, State], tuple[Any, State]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one array is updated.

    Attributes:
        name: of the optimizer.
        rate: a number, or a schedule of the step.
        kept: what is remembered for every parameter, and what it begins with everywhere.
        numbers: of (rate, t), t counting from 1: the numbers that `apply` takes.
        apply: of (p, g, kept..., numbers...): the new p and what is kept.
        product: of t, a factor of the running product that `numbers` takes as a third argument.
    """

    name: str
    rate: Rate
    kept: Mapping[str, float]
    numbers: Callable[..., tuple[Any, ...]]
    apply: Callable[..., tuple[Any, ...]]
    product: Callable[[Any], Any] | None = None


def optimizer(rule: Rule) -> Optimizer:
    """The optimizer of a rule."""

    def init(params: Any) -> State:
        def start(value: float) -> Any:
            return pytrees.map_leaves(lambda p: xp.full_like(xp.asarray(p), value), params)

        state: State = {"step": np.zeros((), np.int64)}
        if rule.product is not None:
            state["product"] = np.ones((), np.float64)
        return state | {name: start(value) for name, value in rule.kept.items()}

    def update(params: Any, gradients: Any, state: State) -> tuple[Any, State]:
        step = xp.asarray(state["step"])
        rate = rule.rate(step) if callable(rule.rate) else rule.rate
        t = step.astype("float64") + 1  # not of step + 1: a result is a kernel's, operands wait
        after: State = {"step": step + 1}
        if rule.product is None:
            numbers = rule.numbers(rate, t)
        else:
            after["product"] = state["product"] * rule.product(t)
            numbers = rule.numbers(rate, t, after["product"])

        def one(p: Any, g: Any, *kept: Any) -> _Row:
            p = xp.asarray(p)
            return _Row(rule.apply(p, g, *kept, *(_as(n, p.dtype) for n in numbers)))

        given = (state[name] for name in rule.kept)
        rows = pytrees.map_together(one, params, gradients, *given)

        def column(k: int) -> Any:
            return pytrees.map_leaves(lambda row: row.parts[k], rows)

        return column(0), after | {name: column(k) for k, name in enumerate(rule.kept, 1)}

    return Optimizer(rule.name, init, update)


class _Row:
    """What became of one parameter; no container, so that it is a leaf."""

    def __init__(self, parts: tuple[Any, ...]):
        self.parts = parts


def _as(number: Any, dtype: Any) -> Any:
    """Python numbers take the dtype of what they meet; others are cast."""
    return number if type(number) in (int, float) else number.astype(dtype)


def _only_rate(rate: Any, t: Any) -> tuple[Any, ...]:
    return (rate,)


# --------------------------------------------------------------------------------------- gradient


def sgd(rate: Rate, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """Steps against the gradient; with momentum v <- momentum v - rate g, p <- p + v.

    With `nesterov`: p <- p + momentum v - rate g, v being the new one.

    Source: Keras's SGD; torch's differs where the rate changes (it multiplies v afterwards)
    """
    if not momentum:
        if nesterov:
            raise ValueError("nesterov needs a momentum")
        return optimizer(Rule("sgd", rate, {}, _only_rate, lambda p, g, rate: (p - rate * g,)))

    def apply(p: Any, g: Any, v: Any, rate: Any) -> tuple[Any, ...]:
        step = rate * g
        v = momentum * v - step
        return (p + momentum * v - step if nesterov else p + v), v

    return optimizer(Rule("sgd", rate, {"velocity": 0.0}, _only_rate, apply))


def adagrad(rate: Rate, initial: float = 0.0, epsilon: float = 1e-10) -> Optimizer:
    """s <- s + g^2; p <- p - rate g / (sqrt(s) + epsilon).

    Source: Duchi et al., Adaptive Subgradient Methods, 2011; torch's Adagrad (Keras begins with
        initial=0.1 and has epsilon under the root)
    """

    def apply(p: Any, g: Any, s: Any, rate: Any) -> tuple[Any, ...]:
        s = s + g * g
        return p - rate * g / (xp.sqrt(s) + epsilon), s

    return optimizer(Rule("adagrad", rate, {"sum": initial}, _only_rate, apply))


def adadelta(rate: Rate = 1.0, decay: float = 0.9, epsilon: float = 1e-6) -> Optimizer:
    """The step is g sqrt(d + epsilon) / sqrt(s + epsilon); s averages g^2, d the squared steps.

    Source: Zeiler, ADADELTA, 2012; torch's Adadelta (Keras has rate 0.001, decay 0.95)
    """

    def apply(p: Any, g: Any, s: Any, d: Any, rate: Any) -> tuple[Any, ...]:
        s = decay * s + (1 - decay) * g * g
        step = xp.sqrt((d + epsilon) / (s + epsilon)) * g
        return p - rate * step, s, decay * d + (1 - decay) * step * step

    kept = {"square": 0.0, "step_square": 0.0}
    return optimizer(Rule("adadelta", rate, kept, _only_rate, apply))


def rmsprop(
    rate: Rate = 1e-3, decay: float = 0.9, epsilon: float = 1e-7, momentum: float = 0.0,
    centered: bool = False, inside: bool = True,
) -> Optimizer:  # fmt: skip
    """s <- decay s + (1 - decay) g^2; p <- p - rate g / sqrt(s + epsilon).

    `inside`: epsilon stands under the root, as in Keras; in torch it is added to the root (and
    decay is 0.99). `centered`: s less the square of the average g. With momentum the steps are
    summed, m <- momentum m + step.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6e
    """
    kept = {"square": 0.0}
    kept |= {"mean": 0.0} if centered else {}
    kept |= {"momentum": 0.0} if momentum else {}

    def apply(p: Any, g: Any, s: Any, *more: Any) -> tuple[Any, ...]:
        *rest, rate = more
        s = decay * s + (1 - decay) * g * g
        answer, spread = [s], s
        if centered:
            a = decay * rest.pop(0) + (1 - decay) * g
            spread = s - a * a
            answer.append(a)
        step = rate * g / (xp.sqrt(spread + epsilon) if inside else xp.sqrt(spread) + epsilon)
        if momentum:
            step = momentum * rest.pop(0) + step
            answer.append(step)
        return (p - step, *answer)

    return optimizer(Rule("rmsprop", rate, kept, _only_rate, apply))


# ------------------------------------------------------------------------------------------- adam


def _adam_numbers(beta1: float, beta2: float, epsilon: float, hat: bool) -> Callable[..., Any]:
    """Step size and epsilon as they stand beside the uncorrected moments.

    rate (m/c1) / (sqrt(v/c2) + epsilon) = (rate sqrt(c2)/c1) m / (sqrt(v) + epsilon sqrt(c2)).
    """

    def numbers(rate: Any, t: Any) -> tuple[Any, ...]:
        root = xp.sqrt(1 - beta2**t)
        size = rate * root / (1 - beta1**t)
        return size, epsilon if hat else epsilon * root, rate

    return numbers


def adam(
    rate: Rate = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    epsilon_hat: bool = False,
) -> Optimizer:  # fmt: skip
    """m and v average g and g^2, c1 and c2 correct their bias:
    p <- p - rate (m/c1) / (sqrt(v/c2) + epsilon).

    `epsilon_hat`: epsilon is added to sqrt(v), before v is corrected, as in Keras (1e-7 there).

    Source: Kingma and Ba, Adam, 2015, algorithm 1; epsilon_hat: the text after it
    """
    return _adam("adam", rate, beta1, beta2, epsilon, epsilon_hat, 0.0, None)


def adamw(
    rate: Rate = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    weight_decay: float = 0.01, epsilon_hat: bool = False,
    decays: Callable[[Any], bool] | None = None,
) -> Optimizer:  # fmt: skip
    """Adam, and p <- p - rate weight_decay p before; `decays(p)` says for which parameters.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019
    """
    return _adam("adamw", rate, beta1, beta2, epsilon, epsilon_hat, weight_decay, decays)


def _adam(
    name: str, rate: Rate, beta1: float, beta2: float, epsilon: float, hat: bool, decay: float,
    decays: Callable[[Any], bool] | None,
) -> Optimizer:  # fmt: skip
    def apply(p: Any, g: Any, m: Any, v: Any, size: Any, eps: Any, rate: Any) -> tuple[Any, ...]:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        if decay and (decays is None or decays(p)):
            p = p - rate * decay * p
        return p - size * m / (xp.sqrt(v) + eps), m, v

    kept = {"mean": 0.0, "square": 0.0}
    return optimizer(Rule(name, rate, kept, _adam_numbers(beta1, beta2, epsilon, hat), apply))


def nadam(
    rate: Rate = 2e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> Optimizer:  # fmt: skip
    """Adam with Nesterov's momentum: u(t) = beta1 (1 - 0.96**(t momentum_decay)/2) stands for
    beta1 where m is corrected.

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016; torch's NAdam (Keras has
        momentum_decay=1, rate 1e-3 and epsilon 1e-7)
    """

    def u(t: Any) -> Any:
        return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    def numbers(rate: Any, t: Any, product: Any) -> tuple[Any, ...]:
        root = xp.sqrt(1 - beta2**t)
        ahead = rate * root * u(t + 1) / (1 - product * u(t + 1))
        here = rate * root * (1 - u(t)) / (1 - product)
        return ahead, here, epsilon * root

    def apply(p: Any, g: Any, m: Any, v: Any, ahead: Any, here: Any, eps: Any) -> tuple[Any, ...]:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        return p - (ahead * m + here * g) / (xp.sqrt(v) + eps), m, v

    return optimizer(Rule("nadam", rate, {"mean": 0.0, "square": 0.0}, numbers, apply, u))


def adamax(
    rate: Rate = 2e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Optimizer:
    """u <- max(beta2 u, |g|); p <- p - rate m / (1 - beta1^t) / (u + epsilon).

    Source: Kingma and Ba, Adam, 2015, algorithm 2; Keras's Adamax (torch adds epsilon to |g|)
    """

    def numbers(rate: Any, t: Any) -> tuple[Any, ...]:
        return (rate / (1 - beta1**t),)

    def apply(p: Any, g: Any, m: Any, u: Any, size: Any) -> tuple[Any, ...]:
        m = beta1 * m + (1 - beta1) * g
        u = xp.maximum(beta2 * u, xp.abs(g))
        return p - size * m / (u + epsilon), m, u

    return optimizer(Rule("adamax", rate, {"mean": 0.0, "greatest": 0.0}, numbers, apply))


def ftrl(rate: Rate = 1e-3, initial: float = 0.1, l1: float = 0.0, l2: float = 0.0) -> Optimizer:
    """Follow the regularized leader: n sums g^2, z <- z + g - (sqrt(n) - sqrt(n before)) p / rate;
    p <- (clip(z, -l1, l1) - z) / (sqrt(n)/rate + 2 l2).

    Source: McMahan et al., Ad Click Prediction, 2013; Keras's Ftrl
    """

    def apply(p: Any, g: Any, n: Any, z: Any, rate: Any) -> tuple[Any, ...]:
        more = n + g * g
        root = xp.sqrt(more)
        z = z + g - (root - xp.sqrt(n)) / rate * p
        return (xp.clip(z, -l1, l1) - z) / (root / rate + 2 * l2), more, z

    return optimizer(Rule("ftrl", rate, {"sum": initial, "linear": 0.0}, _only_rate, apply))


__all__ = [
    "Optimizer", "Rate", "Rule", "State", "adadelta", "adagrad", "adam", "adamax", "adamw", "ftrl",
    "nadam", "optimizer", "rmsprop", "sgd",
]  # fmt: skip
