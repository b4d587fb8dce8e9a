"""Whole steps of training: forwards, backwards and the update as one program, in the memory of the
parameters; held against the same step written out in NumPy.
"""

from __future__ import annotations

from typing import Any

import graphc_runtime as runtime
import numpy as np
import pytest

import graphc
from graphc import nn, optim, random

RATE, BETA1, BETA2, EPSILON = 1e-2, 0.9, 0.999, 1e-8
BATCH, SIZES = 32, (20, 16, 16, 5)


def make_parameters(dtype: str) -> list[dict[str, Any]]:
    keys = random.split(random.key(2), len(SIZES) - 1)
    return [
        {
            "kernel": nn.initializers.glorot_uniform(keys[k], (SIZES[k], SIZES[k + 1]), dtype),
            "bias": np.zeros(SIZES[k + 1], dtype),
        }
        for k in range(len(SIZES) - 1)
    ]


def batches(dtype: str, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of points whose class is the greatest of five features."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(count):
        x = rng.normal(size=(BATCH, SIZES[0])).astype(dtype)
        found.append((x, x[:, :5].argmax(1)))
    return found


def loss(params: Any, x: Any, y: Any) -> Any:
    for layer in params[:-1]:
        x = nn.relu(nn.dense(x, layer["kernel"], layer["bias"]))
    scores = nn.dense(x, params[-1]["kernel"], params[-1]["bias"])
    return nn.losses.sparse_categorical_cross_entropy(scores, y, from_logits=True)


ADAM = optim.adam(RATE, BETA1, BETA2, EPSILON)


def step(params: Any, state: Any, x: Any, y: Any) -> Any:
    value, gradients = graphc.value_and_grad(loss)(params, x, y)
    params, state = ADAM.update(params, gradients, state)
    return params, state, value


# ------------------------------------------------------------------------------- by hand, in NumPy


def by_hand(params: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, list[dict[str, Any]]]:
    """The loss and its gradients."""
    inputs = [x]
    for layer in params[:-1]:
        inputs.append(np.maximum(inputs[-1] @ layer["kernel"] + layer["bias"], 0))
    scores = inputs[-1] @ params[-1]["kernel"] + params[-1]["bias"]
    powers = np.exp(scores - scores.max(1, keepdims=True))
    chances = powers / powers.sum(1, keepdims=True)
    rows = np.arange(len(y))
    value = -np.log(chances[rows, y]).mean()
    g = chances.copy()
    g[rows, y] -= 1
    g /= len(y)
    gradients = []
    for layer, before in zip(params[::-1], inputs[::-1], strict=True):
        gradients.append({"kernel": before.T @ g, "bias": g.sum(0)})
        g = g @ layer["kernel"].T * (before > 0)
    return value, gradients[::-1]


def trained_by_hand(params: Any, data: Any) -> tuple[list[float], Any]:
    """The losses of Adam's steps, in f64, and the last parameters."""
    params = [{k: np.asarray(v, np.float64) for k, v in layer.items()} for layer in params]
    mean = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in params]
    square = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in params]
    losses = []
    for t, (x, y) in enumerate(data, 1):
        value, gradients = by_hand(params, x.astype(np.float64), y)
        losses.append(value)
        for p, g, m, v in zip(params, gradients, mean, square, strict=True):
            for k in p:
                m[k] = BETA1 * m[k] + (1 - BETA1) * g[k]
                v[k] = BETA2 * v[k] + (1 - BETA2) * g[k] ** 2
                up, down = m[k] / (1 - BETA1**t), v[k] / (1 - BETA2**t)
                p[k] = p[k] - RATE * up / (np.sqrt(down) + EPSILON)
    return losses, params


# ------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_losses_are_those_of_the_formulas(dtype: str) -> None:
    data = batches(dtype, 60)
    params = make_parameters(dtype)
    wanted, last = trained_by_hand(params, data)
    state = ADAM.init(params)
    compiled = graphc.jit(step, donate=("params", "state"))
    found = []
    for x, y in data:
        params, state, value = compiled(params, state, x, y)
        assert np.asarray(value).dtype == dtype
        found.append(float(value))
    tolerance = 1e-10 if dtype == "float64" else 2e-3
    np.testing.assert_allclose(found, wanted, rtol=tolerance)
    for layer, exact in zip(params, last, strict=True):
        for name, array in layer.items():
            assert array.dtype == dtype
            np.testing.assert_allclose(array, exact[name], rtol=tolerance, atol=tolerance)
    assert wanted[-1] < wanted[0] / 2
    assert compiled.cache_info().programs == 1


def pointers(*trees: Any) -> list[int]:
    """Where the arrays are; the number of the step is a scalar, which has no memory of its own."""
    every = [leaf for tree in trees for leaf in graphc.pytrees.flatten(tree)[0]]
    return [a.ctypes.data for a in every if np.ndim(a)]


def test_a_step_stays_in_the_memory_of_parameters_and_state() -> None:
    """No array of a step lives on: what was live after the first step is what is live at the end,
    and nothing new is asked of the system.
    """
    data = batches("float32", 8)
    params = make_parameters("float32")
    state = ADAM.init(params)
    compiled = graphc.jit(step, donate=("params", "state"))
    params, state, value = compiled(params, state, *data[0])
    places = pointers(params, state)
    assert len(set(places)) == len(places) == 6 * 3
    before = runtime.pool_statistics()
    for x, y in data[1:] * 25:
        params, state, value = compiled(params, state, x, y)
        assert pointers(params, state) == places
    after = runtime.pool_statistics()
    assert after.live_bytes == before.live_bytes
    assert after.cached_bytes == before.cached_bytes
    assert after.taken - before.taken == after.reused - before.reused
    assert state["step"] == 1 + 7 * 25 and value < 1


def test_what_is_donated_is_the_callers_own_memory() -> None:
    """From the first call on, where the arrays are the caller's."""
    params = make_parameters("float32")
    state = ADAM.init(params)
    places = pointers(params, state)
    (x, y) = batches("float32", 1)[0]
    params, state, _ = graphc.jit(step, donate=("params", "state"))(params, state, x, y)
    assert pointers(params, state) == places


def test_without_donation_the_arguments_stay_as_they_were() -> None:
    params = make_parameters("float32")
    state = ADAM.init(params)
    copies = graphc.pytrees.map_leaves(np.copy, [params, state])
    (x, y) = batches("float32", 1)[0]
    after, moments, _ = graphc.jit(step)(params, state, x, y)
    assert not set(pointers(after, moments)) & set(pointers(params, state))
    for one, other in zip(
        graphc.pytrees.flatten([params, state])[0], graphc.pytrees.flatten(copies)[0], strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_epoch_as_one_program() -> None:
    """A scan over the batches takes the same steps."""
    data = batches("float64", 12)
    xs, ys = (np.stack(part) for part in zip(*data, strict=True))
    params = make_parameters("float64")
    wanted, _ = trained_by_hand(params, data)

    def epoch(params: Any, state: Any, xs: Any, ys: Any) -> Any:
        def one(carried: Any, batch: Any) -> Any:
            params, state, value = step(*carried, *batch)
            return (params, state), value

        return graphc.scan(one, (params, state), (xs, ys))

    (after, state), losses = graphc.jit(epoch)(params, ADAM.init(params), xs, ys)
    np.testing.assert_allclose(losses, wanted, rtol=1e-10)
    assert state["step"] == 12 and len(after) == 3
