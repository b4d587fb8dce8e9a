"""Activations against their formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn

from ..numpy.tracing import data
from .formulas import agrees, has_gradients

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def _phi(x: Any) -> Any:
    return np.vectorize(lambda z: 0.5 * (1 + math.erf(z / math.sqrt(2))))(x)


def slope(function: Any, x: np.ndarray) -> Any:
    """The derivative of the sum of the results."""
    return graphc.grad(lambda x: np.sum(function(x)))(x)


FORMULAS: dict[str, Any] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "celu": lambda x: np.maximum(x, 0) + np.minimum(np.exp(x) - 1, 0),
    "selu": lambda x: SCALE * np.where(x > 0, x, ALPHA * (np.exp(x) - 1)),
    "sigmoid": _sigmoid,
    "log_sigmoid": lambda x: np.log(_sigmoid(x)),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "silu": lambda x: x * _sigmoid(x),
    "swish": lambda x: x * _sigmoid(x),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "gelu": lambda x: x * _phi(x),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "mish": lambda x: x * np.tanh(np.log(1 + np.exp(x))),
    "glu": lambda x: x[..., :3] * _sigmoid(x[..., 3:]),
    "softmax": _softmax,
    "log_softmax": lambda x: np.log(_softmax(x)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activations(name: str) -> None:
    x = data(4, 6, low=-8, high=8)
    if name == "glu":  # symbolic extents are not halved
        np.testing.assert_allclose(nn.glu(x), FORMULAS[name](x), rtol=1e-12)
        np.testing.assert_allclose(graphc.jit(nn.glu)(x), FORMULAS[name](x), rtol=1e-12)
    else:
        agrees(getattr(nn, name), FORMULAS[name], x)
    has_gradients(getattr(nn, name), (x,))


@pytest.mark.parametrize("name", FORMULAS)
def test_activations_of_no_rows(name: str) -> None:
    x = np.zeros((0, 6), np.float32)
    found = graphc.jit(getattr(nn, name))(x)
    assert found.shape == ((0, 3) if name == "glu" else (0, 6)) and found.dtype == np.float32


def test_parameters_of_activations() -> None:
    x = data(4, 6)
    agrees(lambda x: nn.leaky_relu(x, 0.3), lambda x: np.where(x > 0, x, 0.3 * x), x)
    agrees(nn.prelu, lambda x, a: np.where(x > 0, x, a * x), x, data(6, seed=1))
    agrees(lambda x: nn.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), x)
    agrees(lambda x: nn.celu(x, 2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2)), x)
    c = math.sqrt(2 / math.pi)
    agrees(
        lambda x: nn.gelu(x, approximate=True),
        lambda x: 0.5 * x * (1 + np.tanh(c * (x + 0.044715 * x**3))),
        x,
    )
    agrees(lambda x: nn.softmax(x, 0), lambda x: np.exp(x) / np.exp(x).sum(0, keepdims=True), x)


def test_derivatives_at_kinks_are_those_of_the_side_that_is_0() -> None:
    at = np.array([-1.0, 0.0, 1.0])
    for function, wanted in ((nn.relu, [0, 0, 1]), (nn.relu6, [0, 0, 1])):
        np.testing.assert_array_equal(slope(function, at), wanted)


def test_far_out_nothing_overflows() -> None:
    x = np.array([-1e4, 1e4], np.float32)
    names = ("sigmoid", "silu", "softplus", "log_sigmoid", "mish", "elu", "selu", "log_softmax")
    for name in names:
        function = getattr(nn, name)
        for found in (function(x), graphc.jit(function)(x), slope(function, x)):
            assert np.isfinite(found).all(), name


def test_a_nan_stays_a_nan() -> None:
    x = np.array([np.nan, 1.0])
    for name in sorted(set(FORMULAS) - {"glu"}):
        assert np.isnan(graphc.jit(getattr(nn, name))(x)[0]), name
