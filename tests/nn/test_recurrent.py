"""Recurrent layers against loops in NumPy, their gradients, and what a step is compiled to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from graphc_runtime.steps import Loop

import graphc
from graphc import nn, random
from tests.control.agreement import agree, leaves

KEY = random.key(9)
INPUTS, UNITS = 5, 4
Layer = Callable[..., Any]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def parameters(init: Callable[..., Any], dtype: str = "float64", **options: Any) -> dict[str, Any]:
    """Of a layer, with numbers instead of zeros."""
    rng = np.random.default_rng(3)
    found = init(KEY, INPUTS, UNITS, dtype, **options)
    return {k: (v + rng.normal(0, 0.3, v.shape)).astype(dtype) for k, v in found.items()}


def sequences(rows: int = 3, steps: int = 6, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(4).normal(size=(rows, steps, INPUTS)).astype(dtype)


# ----------------------------------------------------- one step of each, gate by gate, by the books


def _rnn_step(p: Any, state: Any, x: Any) -> Any:
    return (np.tanh(x @ p["kernel"] + state[0] @ p["recurrent"] + p["bias"]),)


def _lstm_step(p: Any, state: Any, x: Any) -> Any:
    h, c = state

    def gate(k: int) -> Any:
        of = slice(k * UNITS, (k + 1) * UNITS)
        return x @ p["kernel"][:, of] + h @ p["recurrent"][:, of] + p["bias"][of]

    look = p.get("peephole", np.zeros((3, UNITS)))
    new = sigmoid(gate(1) + c * look[1]) * c + sigmoid(gate(0) + c * look[0]) * np.tanh(gate(2))
    return sigmoid(gate(3) + new * look[2]) * np.tanh(new), new


def _gru_step(p: Any, state: Any, x: Any) -> Any:
    (h,) = state

    def gates(k: int) -> Any:
        of = slice(k * UNITS, (k + 1) * UNITS)
        a = x @ p["kernel"][:, of] + p["bias"][of]
        return a, h @ p["recurrent"][:, of] + p["recurrent_bias"][of]

    keep, reset = sigmoid(sum(gates(0))), sigmoid(sum(gates(1)))
    mine, past = gates(2)
    return (keep * h + (1 - keep) * np.tanh(mine + reset * past),)


LAYERS: dict[str, tuple[Layer, Layer, dict[str, Any], Any, int]] = {
    "simple_rnn": (nn.simple_rnn, nn.simple_rnn_cell, parameters(nn.simple_rnn_init), _rnn_step, 1),
    "lstm": (nn.lstm, nn.lstm_cell, parameters(nn.lstm_init), _lstm_step, 2),
    "peephole": (
        nn.lstm, nn.lstm_cell, parameters(nn.lstm_init, peephole=True), _lstm_step, 2,
    ),
    "gru": (nn.gru, nn.gru_cell, parameters(nn.gru_init), _gru_step, 1),
}  # fmt: skip
"""The layer, its cell, parameters, the formula of a step, and the parts of a state."""


def looped(
    name: str, x: Any, state: Any = None, reverse: bool = False, mask: Any = None
) -> tuple[Any, Any]:
    """What a layer answers, as a loop over its formula."""
    _, _, p, step, parts = LAYERS[name]
    state = state or (np.zeros((len(x), UNITS)),) * parts
    outputs = np.zeros((*x.shape[:2], UNITS))
    steps = range(x.shape[1])
    for t in reversed(steps) if reverse else steps:
        new = step(p, state, x[:, t])
        if mask is not None:
            new = [
                np.where(mask[:, t, None], after, before)
                for after, before in zip(new, state, strict=True)
            ]
        state = tuple(new)
        outputs[:, t] = state[0]
    return outputs, state if parts == 2 else state[0]


def close(found: Any, wanted: Any, rtol: float = 1e-12) -> None:
    for one, other in zip(leaves(found), leaves(wanted), strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


# ------------------------------------------------------------------------------------------ layers


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("reverse", [False, True])
def test_layers_are_loops_over_their_step(name: str, reverse: bool) -> None:
    layer, _, p, _, parts = LAYERS[name]
    x = sequences()
    found = agree(lambda p, x: layer(p, x, reverse=reverse), p, x, rtol=1e-12)
    close(found, looped(name, x, reverse=reverse))
    state = tuple(np.random.default_rng(k).normal(size=(3, UNITS)) for k in range(parts))
    given = state if parts == 2 else state[0]
    found = agree(lambda p, x, s: layer(p, x, s, reverse=reverse), p, x, given, rtol=1e-12)
    close(found, looped(name, x, state, reverse))
    found = graphc.jit(lambda p, x: layer(p, x, reverse=reverse, unroll=4))(p, x)
    close(found, looped(name, x, reverse=reverse))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("reverse", [False, True])
def test_masked_steps_leave_the_state(name: str, reverse: bool) -> None:
    layer, p = LAYERS[name][0], LAYERS[name][2]
    x = sequences()
    mask = np.arange(6) < np.array([[6], [2], [0]])
    found = agree(lambda p, x, m: layer(p, x, reverse=reverse, mask=m), p, x, mask, rtol=1e-12)
    close(found, looped(name, x, reverse=reverse, mask=mask))
    short, _ = looped(name, x[1:2, :2], reverse=reverse)  # the padding does not count
    np.testing.assert_allclose(np.asarray(found[0])[1:2, :2], short, rtol=1e-12)
    assert not np.asarray(found[0])[2].any()
    numbers = graphc.jit(lambda p, x, m: layer(p, x, reverse=reverse, mask=m))(
        p, x, mask.astype(np.int32)
    )
    close(numbers, found)


@pytest.mark.parametrize("name", LAYERS)
def test_cells_take_one_step(name: str) -> None:
    _, cell, p, step, parts = LAYERS[name]
    x = sequences()[:, 0]
    state = tuple(np.random.default_rng(k).normal(size=(3, UNITS)) for k in range(parts))
    found = agree(cell, p, state if parts == 2 else state[0], x, rtol=1e-12)
    wanted = step(p, state, x)
    close(found, wanted if parts == 2 else wanted[0])


@pytest.mark.parametrize("name", LAYERS)
def test_a_state_goes_on_where_another_call_ended(name: str) -> None:
    layer, p = LAYERS[name][0], LAYERS[name][2]
    x = sequences()
    run = graphc.jit(layer)
    first, state = run(p, x[:, :4])
    rest, last = run(p, x[:, 4:], state)
    outputs, final = run(p, x)
    close(np.concatenate([first, rest], 1), outputs, 1e-10)
    close(last, final, 1e-10)


@pytest.mark.parametrize("name", LAYERS)
def test_f32_and_any_number_of_rows_and_steps(name: str) -> None:
    layer, p = LAYERS[name][0], LAYERS[name][2]
    small = {k: v.astype(np.float32) for k, v in p.items()}
    run = graphc.jit(layer, dims={"x": ("n", "t", INPUTS)})
    for rows, steps in ((3, 6), (1, 1), (8, 2)):
        x = sequences(rows, steps)
        found = run(small, x.astype(np.float32))
        assert all(leaf.dtype == np.float32 for leaf in leaves(found))
        for one, other in zip(leaves(found), leaves(looped(name, x)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert run.cache_info().programs == 1


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype, error", [(np.float16, 3e-3), (ml_dtypes.bfloat16, 3e-2)])
def test_halves(name: str, dtype: Any, error: float) -> None:
    layer, p = LAYERS[name][0], LAYERS[name][2]
    small = {k: v.astype(dtype) for k, v in p.items()}
    x: np.ndarray = sequences().astype(dtype)

    def loss(p: Any, x: Any) -> Any:
        return layer(p, x)[0].astype(np.float32).sum()

    outputs, state = graphc.jit(layer)(small, x)
    assert all(leaf.dtype == dtype for leaf in leaves((outputs, state)))
    wanted, _ = layer({k: v.astype(np.float64) for k, v in small.items()}, x.astype(np.float64))
    np.testing.assert_allclose(np.asarray(outputs, np.float64), wanted, atol=error)
    assert all(g.dtype == dtype for g in graphc.grad(loss)(small, x).values())


def test_many_parameters_at_once() -> None:
    x = sequences()
    many = [nn.gru_init(k, INPUTS, UNITS, "float64") for k in random.split(KEY, 3)]
    stacked = {k: np.stack([p[k] for p in many]) for k in many[0]}
    found = graphc.jit(graphc.vmap(lambda p: nn.gru(p, x)[0]))(stacked)
    np.testing.assert_allclose(found, [nn.gru(p, x)[0] for p in many], rtol=1e-12, atol=1e-12)


def test_another_activation() -> None:
    p, x = LAYERS["simple_rnn"][2], sequences()
    found, _ = graphc.jit(lambda p, x: nn.simple_rnn(p, x, activation=nn.relu))(p, x)
    h = np.zeros((3, UNITS))
    for t in range(6):
        h = np.maximum(x[:, t] @ p["kernel"] + h @ p["recurrent"] + p["bias"], 0)
        np.testing.assert_allclose(np.asarray(found)[:, t], h, rtol=1e-10, atol=1e-12)
    cell = nn.simple_rnn_cell(p, h, x[:, 0], activation=nn.relu)
    assert (np.asarray(cell) >= 0).all()


@pytest.mark.parametrize("name", LAYERS)
def test_bidirectional(name: str) -> None:
    layer, _, p, _, parts = LAYERS[name]
    x, mask = sequences(), np.arange(6) < np.array([[6], [2], [4]])

    def f(p: Any, x: Any, mask: Any) -> Any:
        return nn.bidirectional(layer, p, p, x, mask=mask)

    outputs, states = agree(f, p, x, mask, rtol=1e-12)
    there, back = looped(name, x, mask=mask), looped(name, x, reverse=True, mask=mask)
    close(outputs, np.concatenate([there[0], back[0]], -1))
    close(states, (there[1], back[1]))
    again = nn.bidirectional(layer, p, p, x, states)
    first = [states[0], states[1]] if parts == 2 else [(states[0],), (states[1],)]
    there, back = looped(name, x, first[0]), looped(name, x, first[1], reverse=True)
    close(again, (np.concatenate([there[0], back[0]], -1), (there[1], back[1])))


# ------------------------------------------------------------------------------------- parameters


def test_parameters_begin_as_those_of_keras() -> None:
    p = nn.lstm_init(KEY, INPUTS, UNITS)
    assert {k: v.shape for k, v in p.items()} == {
        "kernel": (INPUTS, 16), "recurrent": (UNITS, 16), "bias": (16,)
    }  # fmt: skip
    assert all(v.dtype == np.float32 for v in p.values())
    np.testing.assert_array_equal(p["bias"].reshape(4, UNITS), [[0] * 4, [1] * 4, [0] * 4, [0] * 4])
    np.testing.assert_allclose(p["recurrent"] @ p["recurrent"].T, np.eye(UNITS), atol=1e-6)
    assert abs(p["kernel"]).max() <= np.sqrt(6 / (INPUTS + 16))
    more = nn.lstm_init(KEY, INPUTS, UNITS, "float64", peephole=True, forget_bias=2.0)
    assert more["peephole"].shape == (3, UNITS) and not more["peephole"].any()
    assert more["bias"].sum() == 2 * UNITS and more["bias"].dtype == np.float64
    p = nn.gru_init(KEY, INPUTS, UNITS)
    assert p["kernel"].shape == (INPUTS, 12) and p["recurrent_bias"].shape == (12,)
    p = nn.simple_rnn_init(KEY, INPUTS, UNITS)
    assert p["recurrent"].shape == (UNITS, UNITS) and not p["bias"].any()


@pytest.mark.parametrize("init", [nn.simple_rnn_init, nn.lstm_init, nn.gru_init])
def test_parameters_can_be_made_in_a_program(init: Any) -> None:
    made = graphc.jit(lambda key: init(key, INPUTS, UNITS))(KEY)
    for name, plain in init(KEY, INPUTS, UNITS).items():
        np.testing.assert_allclose(made[name], plain, rtol=1e-6, atol=1e-6)


# --------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_differences(name: str, masked: bool) -> None:
    layer, p = LAYERS[name][0], LAYERS[name][2]
    mask = np.arange(4) < np.array([[4], [2]]) if masked else None

    def f(p: Any, x: Any) -> Any:
        outputs, (one, other) = nn.bidirectional(layer, p, p, x, mask=mask)
        return outputs, one, other

    graphc.check_grads(f, (p, sequences(2, 4)), order=1)


def test_gradients_of_a_long_sequence() -> None:
    """The last output alone, as a classifier of sentences has it."""
    _, _, p, _, _ = LAYERS["lstm"]
    x = sequences(2, 30)

    def loss(p: Any) -> Any:
        _, (h, _) = nn.lstm(p, x)
        return np.sum(h * h)

    found = graphc.grad(loss)(p)
    for name, place in (("kernel", (2, 7)), ("recurrent", (1, 12)), ("bias", (5,))):
        moved = []
        for step in (1e-6, -1e-6):
            other = {k: v.copy() for k, v in p.items()}
            other[name][place] += step
            moved.append(loss(other))
        slope = (moved[0] - moved[1]) / 2e-6
        np.testing.assert_allclose(found[name][place], slope, rtol=1e-6, atol=1e-9)


def test_gradients_that_stay_in_the_program_are_those_that_it_returns() -> None:
    """Weights packed before the backward loop were in a place that its kernels write."""
    p = {k: v.astype(np.float32) for k, v in nn.lstm_init(KEY, 16, 16).items()}
    x = np.random.default_rng(4).normal(size=(16, 16, 16)).astype(np.float32)

    def loss(both: Any) -> Any:
        _, ((h, _), (g, _)) = nn.bidirectional(nn.lstm, *both, x)
        return np.sum(h * h) + np.sum(g * g * g)

    def squares(both: Any) -> Any:
        return graphc.pytrees.map_leaves(lambda g: g * g, graphc.grad(loss)(both))

    gradients, found = graphc.grad(loss)([p, p]), graphc.jit(squares)([p, p])
    for one, other in zip(leaves(found), leaves(gradients), strict=True):
        np.testing.assert_allclose(one, other * other, rtol=1e-5)


# ----------------------------------------------------------------------------------------- kernels


def _lines(plan: Any) -> str:
    """The kernels of a program, those of loops indented."""
    lines = []
    for step in plan.steps:
        if isinstance(step, Loop):
            lines.append("loop")
            lines += [f"    before: {launch.kernel}" for launch in step.before]
            lines += [f"    {launch.kernel}" for launch in step.body]
        else:
            lines.append(step.kernel)
    return "\n".join(lines) + "\n"


def test_kernels_of_an_lstm_and_of_its_gradient(golden: Callable[[str, str], None]) -> None:
    """The product of the inputs is before the loop: a step has one product with the state."""
    p = nn.lstm_init(KEY, 32, 64)
    x = np.zeros((16, 8, 32), np.float32)

    def last(p: Any, x: Any) -> Any:
        return nn.lstm(p, x)[1][0]

    lowered = graphc.jit(last).lower(p, x)
    (loop,) = (s for s in lowered.stages.plan.steps if isinstance(s, Loop))  # type: ignore[attr-defined]
    assert sum("dot" in launch.kernel for launch in loop.body) == 1
    gradient = graphc.jit(graphc.grad(lambda p, x: last(p, x).sum())).lower(p, x)
    golden("lstm.txt", _lines(lowered.stages.plan))  # type: ignore[attr-defined]
    golden("lstm_gradient.txt", _lines(gradient.stages.plan))  # type: ignore[attr-defined]
