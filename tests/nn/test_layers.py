"""Dense layers, embeddings, normalization and attention against their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn

from ..numpy.tracing import data, same, traced
from .formulas import agrees, has_gradients, near


def test_dense() -> None:
    x, w, b = data(5, 4), data(4, 3, seed=1), data(3, seed=2)
    agrees(nn.dense, lambda x, w, b: x @ w + b, x, w, b)
    agrees(nn.dense, lambda x, w: x @ w, x, w)
    has_gradients(nn.dense, (x, w, b))
    assert graphc.jit(nn.dense)(np.zeros((0, 4)), w, b).shape == (0, 3)


def test_embedding_and_its_gradient() -> None:
    table, index = data(6, 3), np.array([[0, 5, 2], [2, 2, -1]])
    agrees(nn.embedding, lambda t, i: t[i], table, index)
    g = data(2, 3, 3, seed=4)
    found = graphc.grad(lambda t: np.sum(nn.embedding(t, index) * g))(table)
    wanted = np.zeros_like(table)
    np.add.at(wanted, index, g)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    with pytest.raises(IndexError):
        graphc.jit(nn.embedding)(table, np.array([6]))


def test_one_hot_and_flatten() -> None:
    index = np.array([[0, 2], [1, 5]])
    found = nn.one_hot(index, 3)
    wanted = np.zeros((2, 2, 3), np.float32)
    wanted[0, 0, 0] = wanted[0, 1, 2] = wanted[1, 0, 1] = 1
    same(found, wanted)
    same(traced(lambda i: nn.one_hot(i, 3), index, symbolic=True), wanted)
    agrees(nn.flatten, lambda x: x.reshape(len(x), -1), data(2, 3, 4))


def test_global_pools_and_upsampling() -> None:
    x = data(2, 3, 4, 5)
    agrees(nn.global_max_pool, lambda x: x.max((1, 2)), x)
    agrees(nn.global_avg_pool, lambda x: x.mean((1, 2)), x)
    agrees(lambda x: nn.upsample(x, 2), lambda x: x.repeat(2, 1).repeat(2, 2), x)
    agrees(lambda x: nn.upsample(x, (3, 1)), lambda x: x.repeat(3, 1), x)
    has_gradients(lambda x: nn.upsample(x, 2), (x,))
    with pytest.raises(ValueError, match="3 values for 2 axes"):
        nn.upsample(x, (1, 2, 3))


# ----------------------------------------------------------------------------------- normalization


def _standard(x: Any, axes: Any, epsilon: float) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_norm(axis: int) -> None:
    x = data(4, 3, 5) if axis == 1 else data(4, 5, 3)
    scale, bias, mean = (data(3, seed=s) for s in (1, 2, 3))
    variance = data(3, seed=4) ** 2
    shape = (1, 3, 1) if axis == 1 else (1, 1, 3)
    axes = (0, 2) if axis == 1 else (0, 1)

    def training(x: Any, s: Any, b: Any, m: Any, v: Any) -> Any:
        return nn.batch_norm(x, s, b, m, v, training=True, axis=axis, momentum=0.9)

    def trained(x: Any, s: Any, b: Any, m: Any, v: Any) -> Any:
        y = _standard(x, axes, 1e-3) * s.reshape(shape) + b.reshape(shape)
        return y, (0.9 * m + 0.1 * x.mean(axes), 0.9 * v + 0.1 * x.var(axes))

    def using(x: Any, s: Any, b: Any, m: Any, v: Any) -> Any:
        return nn.batch_norm(x, s, b, m, v, training=False, axis=axis, epsilon=1e-5)

    def used(x: Any, s: Any, b: Any, m: Any, v: Any) -> Any:
        y = (x - m.reshape(shape)) / np.sqrt(v.reshape(shape) + 1e-5)
        return y * s.reshape(shape) + b.reshape(shape), (m, v)

    agrees(training, trained, x, scale, bias, mean, variance)
    agrees(using, used, x, scale, bias, mean, variance)
    has_gradients(training, (x, scale, bias, mean, variance))
    has_gradients(using, (x, scale, bias, mean, variance + 1))


def test_layer_norm_and_rms_norm() -> None:
    x, scale, bias = data(4, 3, 6), data(6, seed=1), data(6, seed=2)
    agrees(nn.layer_norm, lambda x, s, b: _standard(x, -1, 1e-5) * s + b, x, scale, bias)
    agrees(lambda x: nn.layer_norm(x, axis=(1, 2)), lambda x: _standard(x, (1, 2), 1e-5), x)
    agrees(
        nn.rms_norm, lambda x, s: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * s, x, scale
    )
    has_gradients(nn.layer_norm, (x, scale, bias))
    has_gradients(nn.rms_norm, (x, scale))


def test_group_norm_and_instance_norm() -> None:
    x, scale, bias = data(2, 3, 4, 6), data(6, seed=1), data(6, seed=2)

    def grouped(x: Any, s: Any, b: Any) -> Any:
        parts = [_standard(x[..., k : k + 2], (1, 2, 3), 1e-5) for k in (0, 2, 4)]
        return np.concatenate(parts, -1) * s + b

    for found in (nn.group_norm(x, 3, scale, bias), graphc.jit(nn.group_norm, static_argnums=1)(
        x, 3, scale, bias
    )):  # fmt: skip
        np.testing.assert_allclose(found, grouped(x, scale, bias), rtol=1e-10, atol=1e-12)
    has_gradients(lambda x, s, b: nn.group_norm(x, 3, s, b), (x, scale, bias), order=1)
    agrees(nn.instance_norm, lambda x, s, b: _standard(x, (1, 2), 1e-5) * s + b, x, scale, bias)
    has_gradients(nn.instance_norm, (x, scale, bias), order=1)
    with pytest.raises(ValueError, match="6 channels do not fall into 4 groups"):
        nn.group_norm(x, 4)


def test_norms_of_halves_are_computed_in_f32() -> None:
    x = data(4, 64).astype(np.float16)
    for norm in (nn.layer_norm, nn.rms_norm):
        wanted = norm(x.astype(np.float32))
        found = graphc.jit(norm)(x)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, wanted, rtol=1e-3)


# --------------------------------------------------------------------------------------- attention


def _attention(q: Any, k: Any, v: Any, seen: Any = True) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    powers = np.where(seen, np.exp(scores), 0)
    return powers / powers.sum(-1, keepdims=True) @ v


def test_attention() -> None:
    q, k, v = data(2, 3, 5, 4), data(2, 3, 6, 4, seed=1), data(2, 3, 6, 7, seed=2)
    agrees(nn.attention, _attention, q, k, v, symbolic=False)
    mask = np.arange(6) < 4
    agrees(
        lambda *a: nn.attention(*a, mask=mask), lambda *a: _attention(*a, mask),
        q, k, v, symbolic=False,
    )  # fmt: skip
    added = data(5, 6, seed=5)
    found = nn.attention(q, k, v, mask=added)
    scores = q @ np.swapaxes(k, -1, -2) / 2 + added
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(found, weights @ v, rtol=1e-12)
    has_gradients(nn.attention, (q, k, v), order=1)
    agrees(
        lambda q, k, v: nn.attention(q, k, v, causal=True),
        lambda q, k, v: _attention(q, k, v, np.tri(5, 6, dtype=bool)),
        q, k, v, symbolic=False,
    )  # fmt: skip
    lengths = {"query": ("n", 3, "t", 4), "key": ("n", 3, "s", 4), "value": ("n", 3, "s", 7)}
    found = graphc.jit(nn.attention, dims=lengths)(q, k, v)
    np.testing.assert_allclose(found, _attention(q, k, v), rtol=1e-12)
    assert graphc.jit(nn.attention, dims=lengths)(q[:0], k[:0], v[:0]).shape == (0, 3, 5, 7)


def test_a_query_that_sees_no_key_is_no_nan() -> None:
    q = data(2, 4)
    found = graphc.jit(lambda q: nn.attention(q, q, q, mask=np.zeros((2, 2), bool)))(q)
    np.testing.assert_allclose(found, np.broadcast_to(q.mean(0), (2, 4)), rtol=1e-12)


def test_multi_head_attention() -> None:
    x, y = data(2, 5, 6), data(2, 4, 6, seed=1)
    names = ("query", "key", "value", "output")
    parameters = {n: data(6, 6, seed=k) for k, n in enumerate(names)}
    parameters |= {f"{n}_bias": data(6, seed=10 + k) for k, n in enumerate(names)}

    def formula(x: Any, y: Any) -> Any:
        q, k, v = (
            (z @ parameters[n] + parameters[f"{n}_bias"]) for z, n in ((x, "query"), (y, "key"),
                                                                       (y, "value"))
        )  # fmt: skip
        heads = [_attention(*(z[..., h : h + 3] for z in (q, k, v))) for h in (0, 3)]
        return np.concatenate(heads, -1) @ parameters["output"] + parameters["output_bias"]

    for run in (nn.multi_head_attention, graphc.jit(nn.multi_head_attention, static_argnums=4)):
        found = run(x, y, y, parameters, 2)
        np.testing.assert_allclose(found, formula(x, y), rtol=1e-10, atol=1e-12)
    has_gradients(lambda p: nn.multi_head_attention(x, y, y, p, 2), (parameters,), order=1)
    with pytest.raises(ValueError, match="6 features do not fall into 4 heads"):
        nn.multi_head_attention(x, y, y, parameters, 4)


def test_positions() -> None:
    found = nn.positions(7, 6)
    assert found.dtype == np.float32 and found.shape == (7, 6)
    for place in range(7):
        for pair in range(3):
            angle = place / 10000 ** (2 * pair / 6)
            near(found[place, 2 * pair], np.sin(angle))
            near(found[place, 2 * pair + 1], np.cos(angle))
    with pytest.raises(ValueError, match="come in pairs"):
        nn.positions(7, 5)


def test_dropout() -> None:
    key = graphc.random.key(3)
    x = np.ones((64, 32), np.float32)

    def drop(x: Any, key: Any) -> Any:
        return nn.dropout(x, 0.25, key)

    found = graphc.jit(drop)(x, key)
    np.testing.assert_array_equal(found, nn.dropout(x, 0.25, key))
    assert found.dtype == np.float32
    dropped = found == 0
    np.testing.assert_allclose(found[~dropped], 1 / 0.75, rtol=1e-6)
    assert 0.2 < dropped.mean() < 0.3
    gradient = graphc.grad(lambda x: np.sum(drop(x, key)))(x)
    np.testing.assert_array_equal(gradient, found)
    assert nn.dropout(x, 0.25, key, training=False) is x and nn.dropout(x, 0, key) is x
    lines = nn.dropout(x, 0.5, key, shape=(64, 1))
    assert ((lines == lines[:, :1]).all()) and 0 < (lines == 0).mean() < 1
    assert graphc.jit(drop)(x[:0], key).shape == (0, 32)
    with pytest.raises(ValueError, match=r"rate is 1\.5"):
        nn.dropout(x, 1.5, key)
