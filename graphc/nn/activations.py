"""Activations: functions of every element, and softmax along an axis.

Where a function has a kink its derivative is the one of the side that answers 0: relu has 0 at 0,
as Keras, torch and JAX have it. A NaN stays a NaN. Python numbers take the dtype of x.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import numpy as xp
from ..transforms.custom import custom_jvp
from ..transforms.gradients import stop_gradient

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def linear(x: Any) -> Any:
    """x itself."""
    return x


def relu(x: Any) -> Any:
    """max(x, 0)."""
    return xp.where(x <= 0, 0, x)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return xp.where(x <= 0, 0, xp.where(x >= 6, 6, x))


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """x where it is positive, else slope * x (Keras takes 0.3 in its layer, torch 0.01)."""
    return xp.where(x > 0, x, slope * x)


def prelu(x: Any, slope: Any) -> Any:
    """`leaky_relu` with slopes that are learned: an array that broadcasts to x."""
    return xp.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (e**x - 1)."""
    below = xp.where(x > 0, 0, x)  # so that what is not chosen cannot overflow
    return xp.where(x > 0, x, alpha * xp.expm1(below))


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (e**(x / alpha) - 1)."""
    below = xp.where(x > 0, 0, x)
    return xp.where(x > 0, x, alpha * xp.expm1(below / alpha))


def selu(x: Any) -> Any:
    """The scaled elu that keeps mean 0 and variance 1.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


@custom_jvp
def sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    with np.errstate(over="ignore"):  # of plain arrays: 1/inf is the 0 that is meant
        return 1 / (1 + xp.exp(-x))


@sigmoid.defjvp
def _sigmoid_rule(primals: Any, tangents: Any) -> Any:
    # y (1 - y): the quotient's own derivative is inf/inf where e**-x overflows
    y = sigmoid(primals[0])
    return y, tangents[0] * (y * (1 - y))


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), finite for every finite x."""
    return -softplus(-x)


def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6."""
    return relu6(x + 3) / 6


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return xp.tanh(x)


def hard_tanh(x: Any) -> Any:
    """x between -1 and 1."""
    return xp.where(x <= -1, -1, xp.where(x >= 1, 1, x))


def silu(x: Any) -> Any:
    """x * sigmoid(x), also known as swish."""
    return x * sigmoid(x)


swish = silu


def hard_silu(x: Any) -> Any:
    """x * hard_sigmoid(x)."""
    return x * hard_sigmoid(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution's function at x; `approximate`: by tanh.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016
    """
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + xp.tanh(inner))
    x = xp.asarray(x)
    tail = xp.special.erfc(x * -math.sqrt(0.5))  # erf would leave no digits of 1 + erf below 0
    return 0.5 * x * tail.astype((0.5 * x).dtype)


@custom_jvp
def softplus(x: Any) -> Any:
    """log(1 + e**x)."""
    return xp.logaddexp(x, 0)


@softplus.defjvp
def _softplus_rule(primals: Any, tangents: Any) -> Any:
    # the derivative of logaddexp looks after two infinite operands
    return softplus(primals[0]), tangents[0] * sigmoid(primals[0])


def softsign(x: Any) -> Any:
    """x / (1 + abs(x))."""
    return x / (1 + xp.abs(x))


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)).

    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function, 2019
    """
    return x * xp.tanh(softplus(x))


def glu(x: Any, axis: int = -1) -> Any:
    """One half of the axis times the sigmoid of the other."""
    value, gate = xp.split(x, 2, axis)
    return value * sigmoid(gate)


def softmax(x: Any, axis: Any = -1) -> Any:
    """e**x over its sum along the axis."""
    powers = xp.exp(x - stop_gradient(xp.max(x, axis, keepdims=True)))
    return powers / xp.sum(powers, axis, keepdims=True)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """log(softmax(x)), finite for every finite x."""
    z = x - stop_gradient(xp.max(x, axis, keepdims=True))
    return z - xp.log(xp.sum(xp.exp(z), axis, keepdims=True))


__all__ = [
    "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "log_softmax", "mish", "prelu", "relu", "relu6", "selu", "sigmoid", "silu",
    "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip
