"""Every distribution against its own: Kolmogorov and Smirnov's test, chi-square, moments,
correlations; with fixed keys, so the outcomes are always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import graphc
from graphc import random

N = 100_000
KEY = random.key(20)
LEVEL = 1e-3
"""Below it a test fails. The keys are fixed: none of these does by chance."""

CONTINUOUS: dict[str, tuple[Callable[..., Any], Any]] = {
    "uniform": (lambda d: random.uniform(KEY, (N,), d), st.uniform()),
    "uniform_between": (lambda d: random.uniform(KEY, (N,), d, -2.0, 5.0), st.uniform(-2, 7)),
    "normal": (lambda d: random.normal(KEY, (N,), d), st.norm()),
    "exponential": (lambda d: random.exponential(KEY, (N,), d), st.expon()),
    "laplace": (lambda d: random.laplace(KEY, (N,), d), st.laplace()),
    "gumbel": (lambda d: random.gumbel(KEY, (N,), d), st.gumbel_r()),
    "logistic": (lambda d: random.logistic(KEY, (N,), d), st.logistic()),
    "cauchy": (lambda d: random.cauchy(KEY, (N,), d), st.cauchy()),
    "truncated": (
        lambda d: random.truncated_normal(KEY, -1.0, 2.0, (N,), d), st.truncnorm(-1, 2)),
    "far_tail": (
        lambda d: random.truncated_normal(KEY, 6.0, np.inf, (N,), d), st.truncnorm(6, np.inf)),
    "gamma_small": (lambda d: random.gamma(KEY, 0.2, (N,), d), st.gamma(0.2)),
    "gamma_one": (lambda d: random.gamma(KEY, 1.0, (N,), d), st.gamma(1)),
    "gamma_large": (lambda d: random.gamma(KEY, 300.0, (N,), d), st.gamma(300)),
    "beta": (lambda d: random.beta(KEY, 0.5, 3.0, (N,), d), st.beta(0.5, 3)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str, dtype: Any) -> None:
    draw, expected = CONTINUOUS[name]
    found = draw(dtype)
    assert found.dtype == dtype and found.shape == (N,) and np.all(np.isfinite(found))
    low, high = expected.support()
    assert found.min() >= low and found.max() <= high
    assert st.kstest(found.astype(np.float64), expected.cdf).pvalue > LEVEL
    if np.isfinite(expected.var()):
        error = abs(found.mean(dtype=np.float64) - expected.mean()) / expected.std() * N**0.5
        assert error < 4


DISCRETE: dict[str, tuple[Callable[[], Any], Any]] = {
    "poisson_tiny": (lambda: random.poisson(KEY, 0.3, (N,)), st.poisson(0.3)),
    "poisson_small": (lambda: random.poisson(KEY, 9.9, (N,)), st.poisson(9.9)),
    "poisson_ten": (lambda: random.poisson(KEY, 10.0, (N,)), st.poisson(10)),
    "poisson_large": (lambda: random.poisson(KEY, 250.0, (N,)), st.poisson(250)),
    "binomial_few": (lambda: random.binomial(KEY, 12, 0.3, (N,)), st.binom(12, 0.3)),
    "binomial_often": (lambda: random.binomial(KEY, 300, 0.99, (N,)), st.binom(300, 0.99)),
    "binomial_even": (lambda: random.binomial(KEY, 20, 0.5, (N,)), st.binom(20, 0.5)),
    "binomial_many": (lambda: random.binomial(KEY, 1000, 0.7, (N,)), st.binom(1000, 0.7)),
    "randint": (lambda: random.randint(KEY, (N,), -3, 8), st.randint(-3, 8)),
    "randint_narrow": (lambda: random.randint(KEY, (N,), -3, 8, np.int8), st.randint(-3, 8)),
    "bernoulli": (lambda: random.bernoulli(KEY, 0.2, (N,)), st.bernoulli(0.2)),
    "choice": (lambda: random.choice(KEY, 12, (N,)), st.randint(0, 12)),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str) -> None:
    draw, expected = DISCRETE[name]
    assert chi_square(draw().astype(np.int64), expected.pmf) > LEVEL


def chi_square(found: np.ndarray, pmf: Callable[[Any], Any]) -> float:
    """Of the counts of each value; those expected less than ten times are one cell."""
    values = np.arange(found.min() - 20, found.max() + 21)
    counts, means = np.bincount(found - values[0], minlength=len(values)), pmf(values) * found.size
    rare = means < 10
    observed = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(means[~rare], found.size - means[~rare].sum())
    kept = wanted > 1e-6
    assert not observed[~kept].any()
    return float(
        st.chisquare(observed[kept], wanted[kept] * found.size / wanted[kept].sum()).pvalue
    )


def test_choice_and_categorical_with_probabilities() -> None:
    p = np.array([0.1, 0.0, 0.5, 0.4])
    for found in (
        random.choice(KEY, 4, (N,), p=p),
        random.categorical(KEY, np.log(p + 1e-30), shape=(N,)),
    ):
        assert found.dtype == np.int64
        assert chi_square(found, lambda v: np.where((v >= 0) & (v < 4), p[np.clip(v, 0, 3)], 0)) > (
            LEVEL
        )


def test_categorical_along_an_axis() -> None:
    logits = np.full((3, 4, 2), -np.inf, np.float32)
    logits[np.arange(3)[:, None], np.array([[0, 3], [1, 1], [2, 0]]), [0, 1]] = 1
    assert random.categorical(KEY, logits, axis=1).tolist() == [[0, 3], [1, 1], [2, 0]]
    assert random.categorical(KEY, logits, 1, (5, 3, 2)).shape == (5, 3, 2)


def test_permutations_are_permutations_and_all_are_as_likely() -> None:
    keys = random.split(KEY, 6000)
    found = graphc.jit(graphc.vmap(lambda k: random.permutation(k, 3)))(keys)
    assert np.array_equal(np.sort(found, 1), np.tile(np.arange(3), (6000, 1)))
    counts = np.unique(found @ [9, 3, 1], return_counts=True)[1]
    assert len(counts) == 6 and st.chisquare(counts).pvalue > LEVEL


def test_orders_of_arrays() -> None:
    x = np.arange(24).reshape(4, 6)
    rows = random.permutation(KEY, x)
    assert np.array_equal(np.sort(rows[:, 0]), x[:, 0]) and np.array_equal(rows, x[rows[:, 0] // 6])
    columns = random.permutation(KEY, x, axis=1)
    assert np.array_equal(columns, x[:, columns[0]]) and not np.array_equal(columns, x)
    apart = random.permutation(KEY, np.tile(np.arange(50), (3, 1)), axis=1, independent=True)
    assert np.array_equal(np.sort(apart, 1), np.tile(np.arange(50), (3, 1)))
    assert not np.array_equal(apart[0], apart[1])
    few = random.choice(KEY, x, (3,), replace=False, axis=1)
    assert few.shape == (4, 3) and len(set(few[0])) == 3
    weighted = random.choice(KEY, 5, (2, 2), replace=False, p=np.array([0, 0.2, 0.3, 0.4, 0.1]))
    assert sorted(weighted.reshape(-1)) == [1, 2, 3, 4]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_of_whole_and_odd_ranges(dtype: Any) -> None:
    info = np.iinfo(dtype)
    low, high = int(info.min), int(info.max)
    whole = random.randint(KEY, (20_000,), low, high + 1, dtype)
    assert whole.dtype == dtype
    parts = (whole.astype(object) - low) * 16 // (high - low + 1)
    assert st.chisquare(np.bincount(parts.astype(np.int64), minlength=16)).pvalue > LEVEL
    middle = low + (high - low) // 3 * 2
    part = random.randint(KEY, (20_000,), low, middle, dtype)
    assert int(part.max()) < middle
    thirds = np.bincount(((part.astype(object) - low) * 3 // (middle - low)).astype(np.int64))
    assert len(thirds) == 3 and st.chisquare(thirds).pvalue > LEVEL
    bounds = np.array([[0, 1], [1, 4], [100, 101]], dtype)
    found = random.randint(KEY, (500, 3), bounds[:, 0], bounds[:, 1], dtype)
    assert set(found[:, 0]) == {0} and set(found[:, 1]) == {1, 2, 3} and set(found[:, 2]) == {100}


def test_parameters_broadcast() -> None:
    lam = np.array([[1.0], [50.0]])
    found = random.poisson(KEY, lam, (2, 5000))
    np.testing.assert_allclose(found.mean(1), lam[:, 0], rtol=0.05)
    assert random.gamma(KEY, np.array([0.5, 2.0], np.float32)).dtype == np.float32
    chances = np.array([0.0, 0.25, 1.0])
    found = random.bernoulli(KEY, chances, (4000, 3)).mean(0)
    assert found[0] == 0 and found[2] == 1 and abs(found[1] - 0.25) < 0.03
    one = random.bernoulli(KEY, 0.25, (4000,))
    assert np.array_equal(one, random.bernoulli(KEY, np.full(4000, 0.25)))


def test_binomial_at_its_ends() -> None:
    n, p = np.array([0, 5, 5, 10**6, 7]), np.array([0.3, 0.0, 1.0, 1e-9, 0.5])
    found = random.binomial(KEY, n, p, (200, 5))
    assert set(found[:, 0]) == {0} and set(found[:, 1]) == {0} and set(found[:, 2]) == {5}
    assert found[:, 3].max() <= 1 and set(found[:, 4]) == set(range(8))


def test_numbers_of_different_keys_are_not_correlated() -> None:
    keys = random.split(KEY, 8)
    streams = np.stack([random.normal(k, (20_000,)) for k in (KEY, *keys, *random.split(keys[0]))])
    correlation = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlation).max() * 20_000**0.5 < 4.5
    line = random.normal(KEY, (200_001,))
    for lag in (1, 2, 16, 64, 1000):
        assert abs(np.corrcoef(line[lag:], line[:-lag])[0, 1]) * 200_000**0.5 < 4


def test_bits_are_even_and_free_of_each_other() -> None:
    words = random.bits(KEY, (20_000,))
    each = (words[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    assert np.abs(each.mean(0) - 0.5).max() * 2 * 20_000**0.5 < 4
    assert np.abs(np.corrcoef(each.T) - np.eye(32)).max() * 20_000**0.5 < 4.5


def test_halves() -> None:
    for dtype in (np.float16, "bfloat16"):
        found = random.uniform(KEY, (N,), dtype).astype(np.float32)
        assert found.min() >= 0 and found.max() < 1 and abs(found.mean() - 0.5) < 0.01
        assert abs(random.normal(KEY, (N,), dtype).astype(np.float32).std() - 1) < 0.02
