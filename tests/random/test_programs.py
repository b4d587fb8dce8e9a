"""Random numbers inside programs: the kernels that use them make them; derivatives; the interface
of NumPy's Generator; refusals.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import random
from graphc.errors import GraphcError

KEY = random.key(11)


def dropout(x: Any, key: Any, rate: float = 0.25) -> Any:
    keep = random.bernoulli(key, 1 - rate, x.shape)
    return np.where(keep, x / (1 - rate), 0)


def test_dropout_is_one_kernel(golden: Callable[[str, str], None]) -> None:
    x = np.ones((64, 100), np.float32)
    lowered = graphc.jit(dropout).lower(x, KEY)
    assert len(lowered.kernels) == 1
    golden("dropout.txt", lowered.text("loops"))
    found = graphc.jit(dropout)(x, KEY)
    assert set(np.unique(found)) == {0, np.float32(1 / 0.75)}
    assert np.array_equal(found > 0, random.bernoulli(KEY, 0.75, (64, 100)))


def test_the_gradient_of_dropout_makes_its_numbers_where_it_uses_them() -> None:
    """Forward and backward are one kernel here, and nothing random is in memory."""

    def loss(x: Any, key: Any) -> Any:
        return dropout(np.tanh(x), key).sum()

    x = np.linspace(-2, 2, 640, dtype=np.float32).reshape(8, 80)
    lowered = graphc.jit(graphc.grad(loss)).lower(x, KEY)
    assert len(lowered.kernels) == 1
    keep = random.bernoulli(KEY, 0.75, x.shape)
    expected = np.where(keep, (1 - np.tanh(x) ** 2) / np.float32(0.75), 0)
    np.testing.assert_allclose(graphc.jit(graphc.grad(loss))(x, KEY), expected, rtol=1e-5)


def test_where_backward_is_another_kernel_a_mask_of_bytes_is_kept_and_no_word() -> None:
    def loss(x: Any, w: Any, key: Any) -> Any:
        return (dropout(np.tanh(x @ w), key) @ w).sum()

    x, w = np.ones((64, 64), np.float32), np.ones((64, 64), np.float32)
    lowered = graphc.jit(graphc.grad(loss, argnums=1)).lower(x, w, KEY)
    hashing = [k for k in lowered.text("loops").split("def ") if "threefry" in k]
    assert len(hashing) == 1
    head = hashing[0].split("):")[0]
    assert "out bool[64, 64]" in head and "out u32" not in head


def test_checkpoint_makes_the_numbers_again() -> None:
    def loss(x: Any, w: Any, key: Any) -> Any:
        layer = graphc.checkpoint(lambda x, w, key: dropout(np.tanh(x @ w), key))
        return (layer(x, w, key) @ w).sum()

    x, w = np.full((64, 64), 0.1, np.float32), np.full((64, 64), 0.2, np.float32)
    lowered = graphc.jit(graphc.grad(loss, argnums=1)).lower(x, w, KEY)
    heads = [k.split("):")[0] for k in lowered.text("loops").split("def ") if "threefry" in k]
    assert len(heads) == 2 and not any("out bool" in head for head in heads)


def test_a_kernel_that_is_full_reads_the_key_and_not_what_was_spread() -> None:
    """The key, spread over all rounds and elements, was stored for the kernel that goes on."""
    lowered = graphc.jit(lambda key: random.poisson(key, 20.0, (1000,))).lower(KEY)
    kernels = lowered.stages.optimised.graph.nodes
    assert len(kernels) > 1
    stored = [v.node for k in kernels for v in k.attrs["body"].results if v.type.size != 1]
    assert not any(node.op.name == "broadcast" for node in stored)


def test_location_and_scale_have_derivatives() -> None:
    def mean(loc: Any, scale: Any) -> Any:
        return (loc + scale * random.normal(KEY, (1000,))).mean()

    by_loc, by_scale = graphc.jit(graphc.grad(mean, argnums=(0, 1)))(1.0, 2.0)
    noise = random.normal(KEY, (1000,))
    np.testing.assert_allclose([by_loc, by_scale], [1, noise.mean()], rtol=1e-9)


def test_there_is_no_derivative_by_the_shape_of_a_gamma_distribution() -> None:
    with pytest.raises(GraphcError, match="implicit derivative is not there"):
        graphc.grad(lambda a: random.gamma(KEY, a))(2.0)
    stopped = graphc.grad(lambda a: a * random.gamma(KEY, graphc.stop_gradient(a)))(2.0)
    np.testing.assert_allclose(stopped, random.gamma(KEY, 2.0))


def test_traced_and_called_at_once_are_the_same() -> None:
    draws: tuple[Callable[[Any], Any], ...] = (
        lambda k: random.uniform(k, (5,), np.float32, -1.0, 2.0),
        lambda k: random.normal(k, (5,)),
        lambda k: random.truncated_normal(k, -1.0, 1.0, (5,)),
        lambda k: random.bernoulli(k, 0.4, (50,)),
        lambda k: random.categorical(k, np.zeros((3, 9))),
        lambda k: random.randint(k, (5,), 0, 2**40),
        lambda k: random.randint(k, (5,), 0, 256, np.uint8),
        lambda k: random.choice(k, 9, (4,), False),
        lambda k: random.choice(k, np.arange(9.0), (4,), p=np.full(9, 1 / 9)),
        lambda k: random.permutation(k, 9),
        lambda k: random.gamma(k, 0.5, (5,)),
        lambda k: random.beta(k, 0.5, 2.0, (5,)),
        lambda k: random.poisson(k, 3.5, (5,)),
        lambda k: random.poisson(k, 35.0, (5,), np.int32),
    )
    for draw in draws:
        found, expected = graphc.jit(draw)(KEY), draw(KEY)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-12 if found.itemsize == 8 else 1e-6)


def test_a_program_of_its_own_is_compiled_once() -> None:
    random.laplace(KEY, (3, 5), np.float32)
    before = random.laplace.programs()
    random.laplace(random.key(1), [3, 5], "f4")
    assert random.laplace.programs() == before
    random.laplace(KEY, (5, 3), np.float32)
    assert random.laplace.programs() == before + 1


# --------------------------------------------------------------------------------------- Generator


def test_generator_is_as_numpy_has_it() -> None:
    ours, theirs = random.default_rng(3), np.random.default_rng(3)
    calls: tuple[Callable[[Any], Any], ...] = (
        lambda g: g.random(),
        lambda g: g.random((2, 3), np.float32),
        lambda g: g.uniform(2, [3, 4]),
        lambda g: g.standard_normal(4),
        lambda g: g.normal(1.0, 2.0, (3,)),
        lambda g: g.normal([0, 1, 2], 1.0),
        lambda g: g.exponential(3.0, 5),
        lambda g: g.standard_exponential(5, np.float32),
        lambda g: g.laplace(0.0, 1.0, 5),
        lambda g: g.gumbel(0.0, 1.0, 5),
        lambda g: g.logistic(0.0, 1.0, 5),
        lambda g: g.standard_cauchy(5),
        lambda g: g.gamma(2.0, 3.0, 5),
        lambda g: g.standard_gamma(2.0, 5, np.float32),
        lambda g: g.chisquare(4, 5),
        lambda g: g.beta(1.0, 2.0, 5),
        lambda g: g.poisson(4.0, 5),
        lambda g: g.binomial(40, 0.5, 5),
        lambda g: g.binomial(10, [0.1, 0.2]),
        lambda g: g.integers(10),
        lambda g: g.integers(5, 10, (2, 2)),
        lambda g: g.integers(0, 255, 4, np.uint8, endpoint=True),
        lambda g: g.integers(0, [3, 5], (4, 2)),
        lambda g: g.choice(5),
        lambda g: g.choice(np.arange(5.0), 3, replace=False),
        lambda g: g.choice(5, (2, 2), p=[0.1, 0.2, 0.3, 0.2, 0.2]),
        lambda g: g.permutation(6),
        lambda g: g.permutation(np.arange(6.0).reshape(3, 2), axis=1),
        lambda g: g.permuted(np.arange(6).reshape(3, 2), axis=1),
        lambda g: g.permuted(np.arange(6).reshape(3, 2)),
    )
    for number, call in enumerate(calls):
        found, expected = np.asarray(call(ours)), np.asarray(call(theirs))
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), f"call {number}"


def test_generator_moves_on_and_starts_anew_from_its_seed() -> None:
    a, b = random.default_rng(5), random.default_rng(5)
    first = [a.random() for _ in range(3)]
    assert len(set(first)) == 3 and first == [b.random() for _ in range(3)]
    assert random.default_rng(a) is a
    assert copy.deepcopy(a).random() == pickle.loads(pickle.dumps(a)).random() == a.random()
    assert random.default_rng(random.key(5)).random() == first[0]
    assert random.default_rng().random() != random.default_rng().random()
    children = random.default_rng(5).spawn(3)
    assert len({c.random() for c in children}) == 3


def test_generator_scales_in_the_kernel() -> None:
    g = random.default_rng(6)
    found = g.normal(3.0, 0.5, 50_000)
    assert abs(found.mean() - 3) < 0.02 and abs(found.std() - 0.5) < 0.01
    found = g.uniform(-4, -2, 50_000)
    assert found.min() >= -4 and found.max() < -2 and abs(found.mean() + 3) < 0.02
    assert abs(g.exponential(7.0, 50_000).mean() - 7) < 0.2
    assert abs(g.gamma(2.0, 3.0, 50_000).mean() - 6) < 0.1


def test_shuffle_is_in_place() -> None:
    x = np.arange(40).reshape(20, 2)
    random.default_rng(7).shuffle(x)
    assert np.array_equal(x[:, 1] - x[:, 0], np.ones(20)) and x[:, 0].tolist() != list(
        range(0, 40, 2)
    )
    assert sorted(x[:, 0]) == list(range(0, 40, 2))


def test_generator_refuses() -> None:
    g = random.default_rng(1)
    with pytest.raises(GraphcError, match="Pass a key as an argument"):
        graphc.jit(lambda x: x + g.normal(size=3))(np.ones(3))
    with pytest.raises(ValueError, match="low >= high"):
        g.integers(3, 3)
    with pytest.raises(ValueError, match="lam < 0"):
        g.poisson(-1.0)
    with pytest.raises(ValueError, match="p is not in"):
        g.binomial(3, 1.5)
    with pytest.raises(ValueError, match="sum to 1"):
        g.choice(3, p=[0.5, 0.1, 0.1])
    with pytest.raises(TypeError, match="in place, got list"):
        g.shuffle([1, 2])


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"no integer in \[5, 5\)"):
        graphc.jit(lambda k: random.randint(k, (3,), 5, 5))(KEY)
    with pytest.raises(OverflowError, match="does not fit u8"):
        graphc.jit(lambda k: random.randint(k, (3,), 0, 257, np.uint8))(KEY)
    with pytest.raises(ValueError, match=r"not in \[0, 1\]"):
        graphc.jit(lambda k: random.bernoulli(k, 1.5, (3,)))(KEY)
    with pytest.raises(ValueError, match="4 different ones of 3"):
        random.choice(KEY, 3, (4,), False)
    with pytest.raises(GraphcError, match="do not broadcast to the shape"):
        random.gamma(KEY, np.ones((2, 3)), (3,))
    with pytest.raises(GraphcError, match="does not end with"):
        random.categorical(KEY, np.zeros((3, 4)), shape=(2,))
    with pytest.raises(GraphcError, match="a shape must be known"):
        graphc.jit(lambda k, n: random.uniform(k, (n,)))(KEY, 3)
