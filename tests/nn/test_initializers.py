"""Initializers: moments, bounds and fans as Keras defines them; the same numbers traced or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc
from graphc import nn, random
from graphc.errors import ShapeMismatch
from graphc.nn import initializers

KEY = random.key(5)
SHAPE = (3, 3, 40, 90)
IN, OUT = 9 * 40, 9 * 90
UNIFORM = {
    "uniform": 0.05,
    "glorot_uniform": np.sqrt(6 / (IN + OUT)),
    "he_uniform": np.sqrt(6 / IN),
    "lecun_uniform": np.sqrt(3 / IN),
}
"""The limit of each."""
NORMAL = {
    "truncated_normal": 0.05 * 0.8796,
    "glorot_normal": np.sqrt(2 / (IN + OUT)),
    "he_normal": np.sqrt(2 / IN),
    "lecun_normal": np.sqrt(1 / IN),
    "variance_scaling": np.sqrt(1 / IN),
}
"""The deviation of each, all cut at two deviations of what was not cut."""


def test_names_are_public() -> None:
    assert nn.initializers is initializers
    for name in initializers.__all__:
        assert getattr(initializers, name).__doc__


def test_what_draws_nothing() -> None:
    zeros = initializers.zeros(KEY, (2, 3))
    np.testing.assert_array_equal(zeros, np.zeros((2, 3), np.float32))
    assert zeros.dtype == np.float32
    ones = initializers.ones(KEY, 4, "float64")
    assert ones.dtype == np.float64 and ones.tolist() == [1] * 4
    found = initializers.constant(KEY, (2,), value=1.5)
    assert found.dtype == np.float32 and found.tolist() == [1.5, 1.5]
    np.testing.assert_array_equal(
        initializers.identity(KEY, (2, 3), gain=2.0), [[2, 0, 0], [0, 2, 0]]
    )
    with pytest.raises(ShapeMismatch, match="identity makes matrices: the shape needs two axes"):
        initializers.identity(KEY, (2, 3, 4))


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_numbers(name: str) -> None:
    found, limit = getattr(initializers, name)(KEY, SHAPE), UNIFORM[name]
    assert found.shape == SHAPE and found.dtype == np.float32
    assert 0.999 * limit < abs(found).max() <= np.float32(limit)
    np.testing.assert_allclose(found.std(), limit / np.sqrt(3), rtol=0.01)
    assert abs(found.mean()) < 0.02 * limit


@pytest.mark.parametrize("name", NORMAL)
def test_truncated_normal_numbers(name: str) -> None:
    found, deviation = getattr(initializers, name)(KEY, SHAPE), NORMAL[name]
    assert found.shape == SHAPE and found.dtype == np.float32
    np.testing.assert_allclose(found.std(), deviation, rtol=0.01)
    assert 0.99 < abs(found).max() / (2 * deviation / 0.87962566) < 1.0001
    assert abs(found.mean()) < 0.02 * deviation


def test_normal_numbers_are_not_cut() -> None:
    for found, deviation in (
        (initializers.normal(KEY, SHAPE), 0.05),
        (
            initializers.variance_scaling(
                KEY, SHAPE, scale=3.0, mode="fan_out", distribution="untruncated_normal"
            ),
            np.sqrt(3 / OUT),
        ),
    ):
        np.testing.assert_allclose(found.std(), deviation, rtol=0.01)
        assert abs(found).max() > 3.5 * deviation
    shifted = initializers.normal(KEY, SHAPE, mean=2.0, stddev=0.5)
    np.testing.assert_allclose((shifted.mean(), shifted.std()), (2, 0.5), rtol=0.01)


def test_fans_are_those_of_keras() -> None:
    shapes: dict[tuple[int, ...], tuple[int, int]] = {
        (): (1, 1), (7,): (7, 7), (4, 5): (4, 5), (3, 4, 5): (12, 15), (2, 3, 4, 5): (24, 30),
    }  # fmt: skip
    for shape, wanted in shapes.items():
        assert initializers.fans(shape) == wanted
    average = initializers.variance_scaling(
        KEY, (4000, 16), mode="fan_avg", distribution="uniform", scale=2.0
    )
    np.testing.assert_allclose(average.std(), np.sqrt(2 / 2008), rtol=0.01)


@pytest.mark.parametrize("name", [n for n in initializers.__all__ if n != "fans"])
def test_traced_and_plain_numbers_are_the_same(name: str) -> None:
    f: Callable[..., Any] = getattr(initializers, name)
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        plain = f(KEY, (6, 4), dtype)
        compiled = graphc.jit(lambda key, d=dtype: f(key, (6, 4), d))(KEY)
        wanted = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
        assert plain.dtype == compiled.dtype == wanted
        np.testing.assert_array_equal(plain, compiled)
    assert f(KEY, (0, 3)).shape == (0, 3)


def test_keys_decide() -> None:
    one, other = random.split(KEY)
    a, b = (initializers.he_normal(k, (5, 5)) for k in (one, other))
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(a, initializers.he_normal(one, [5, 5]))
    stacked = graphc.vmap(lambda k: initializers.he_normal(k, (5, 5)))(random.split(KEY))
    np.testing.assert_array_equal(stacked, [a, b])


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (3, 2, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    found = initializers.orthogonal(KEY, shape, gain=2.0)
    matrix = np.asarray(found).reshape(-1, shape[-1]) / 2
    product = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)
    with pytest.raises(ShapeMismatch, match="needs two axes or more"):
        initializers.orthogonal(KEY, (4,))


def test_orthogonal_matrices_are_drawn_evenly() -> None:
    """Without the signs of r the diagonal of a factor would be negative most of the time."""
    drawn = graphc.vmap(lambda k: initializers.orthogonal(k, (3, 3)))(random.split(KEY, 2000))
    assert (abs(np.asarray(drawn).mean(0)) < 0.05).all()


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="mode is 'fan'; expected one of fan_in, fan_out, fan_avg"):
        initializers.variance_scaling(KEY, (2, 2), mode="fan")
    with pytest.raises(ValueError, match="distribution is 'normal'"):
        initializers.variance_scaling(KEY, (2, 2), distribution="normal")
