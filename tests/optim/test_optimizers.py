"""Optimizers against their formulas in plain loops, and what an update is compiled to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import optim

STEPS = 4
Formula = Callable[[np.ndarray, Iterator[np.ndarray]], np.ndarray]

# ------------------------------------------------------------------------- the formulas, one by one


def _sgd(p: Any, gradients: Any) -> Any:
    for g in gradients:
        p = p - 0.1 * g
    return p


def _momentum(nesterov: bool) -> Formula:
    def formula(p: Any, gradients: Any) -> Any:
        v = 0 * p
        for g in gradients:
            v = 0.9 * v - 0.1 * g
            p = p + 0.9 * v - 0.1 * g if nesterov else p + v
        return p

    return formula


def _adagrad(start: float, epsilon: float) -> Formula:
    def formula(p: Any, gradients: Any) -> Any:
        s = 0 * p + start
        for g in gradients:
            s = s + g**2
            p = p - 0.1 * g / (np.sqrt(s) + epsilon)
        return p

    return formula


def _adadelta(p: Any, gradients: Any) -> Any:
    s = d = 0 * p
    for g in gradients:
        s = 0.9 * s + 0.1 * g**2
        step = np.sqrt(d + 1e-6) / np.sqrt(s + 1e-6) * g
        d = 0.9 * d + 0.1 * step**2
        p = p - step
    return p


def _rmsprop(inside: bool, centered: bool = False, momentum: float = 0.0) -> Formula:
    def formula(p: Any, gradients: Any) -> Any:
        s = a = m = 0 * p
        for g in gradients:
            s = 0.9 * s + 0.1 * g**2
            a = 0.9 * a + 0.1 * g
            spread = s - a**2 if centered else s
            root = np.sqrt(spread + 1e-7) if inside else np.sqrt(spread) + 1e-7
            m = momentum * m + 0.1 * g / root
            p = p - m
        return p

    return formula


def _adam(hat: bool, decay: float = 0.0) -> Formula:
    def formula(p: Any, gradients: Any) -> Any:
        m = v = 0 * p
        for t, g in enumerate(gradients, 1):
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            p = p - 0.1 * decay * p
            if hat:
                rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                p = p - rate * m / (np.sqrt(v) + 1e-3)
            else:
                up, down = m / (1 - 0.9**t), v / (1 - 0.999**t)
                p = p - 0.1 * up / (np.sqrt(down) + 1e-3)
        return p

    return formula


def _nadam(p: Any, gradients: Any) -> Any:
    m = v = 0 * p
    product = 1.0

    def u(t: int) -> float:
        return 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))

    for t, g in enumerate(gradients, 1):
        product *= u(t)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        up = u(t + 1) * m / (1 - product * u(t + 1)) + (1 - u(t)) * g / (1 - product)
        p = p - 0.1 * up / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p


def _adamax(p: Any, gradients: Any) -> Any:
    m = u = 0 * p
    for t, g in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * g
        u = np.maximum(0.999 * u, abs(g))
        p = p - 0.1 / (1 - 0.9**t) * m / (u + 1e-8)
    return p


def _ftrl(p: Any, gradients: Any) -> Any:
    n, z = 0 * p + 0.1, 0 * p
    for g in gradients:
        more = n + g**2
        z = z + g - (np.sqrt(more) - np.sqrt(n)) / 0.1 * p
        p = np.where(abs(z) <= 0.2, 0, -(z - np.sign(z) * 0.2) / (np.sqrt(more) / 0.1 + 2 * 0.3))
        n = more
    return p


def _course(name: str) -> Formula:
    def formula(p: Any, gradients: Any) -> Any:
        m = s = 0 * p
        for g in gradients:
            m = 0.9 * m + (1 - 0.9) * g
            beta = 0.99 if name == "adam" else 0.9
            s = beta * s + (1 - beta) * g**2
            p = (
                p
                - 0.1
                * {
                    "momentum": m,
                    "nesterov": 0.9 * m + (1 - 0.9) * g,
                    "rmsprop": g / np.sqrt(s + 1e-8),
                    "adam": m / (np.sqrt(s) + 1e-8),
                }[name]
            )
        return p

    return formula


CASES: dict[str, tuple[optim.Optimizer, Formula]] = {
    "sgd": (optim.sgd(0.1), _sgd),
    "momentum": (optim.sgd(0.1, 0.9), _momentum(False)),
    "nesterov": (optim.sgd(0.1, 0.9, nesterov=True), _momentum(True)),
    "adagrad": (optim.adagrad(0.1), _adagrad(0, 1e-10)),
    "adagrad from 0.1": (optim.adagrad(0.1, 0.1, 1e-3), _adagrad(0.1, 1e-3)),
    "adadelta": (optim.adadelta(), _adadelta),
    "rmsprop": (optim.rmsprop(0.1), _rmsprop(True)),
    "rmsprop outside": (optim.rmsprop(0.1, inside=False), _rmsprop(False)),
    "rmsprop centered": (
        optim.rmsprop(0.1, centered=True, momentum=0.5), _rmsprop(True, True, 0.5)
    ),
    "adam": (optim.adam(0.1, epsilon=1e-3), _adam(False)),
    "adam, epsilon hat": (optim.adam(0.1, epsilon=1e-3, epsilon_hat=True), _adam(True)),
    "adamw": (optim.adamw(0.1, epsilon=1e-3, weight_decay=0.2), _adam(False, 0.2)),
    "nadam": (optim.nadam(0.1), _nadam),
    "adamax": (optim.adamax(0.1), _adamax),
    "ftrl": (optim.ftrl(0.1, l1=0.2, l2=0.3), _ftrl),
    "course.momentum": (optim.course.momentum(0.1), _course("momentum")),
    "course.nesterov": (optim.course.nesterov(0.1), _course("nesterov")),
    "course.adagrad": (optim.course.adagrad(0.1), _adagrad(0, 1e-8)),
    "course.rmsprop": (optim.course.rmsprop(0.1), _course("rmsprop")),
    "course.adam": (optim.course.adam(0.1), _course("adam")),
}  # fmt: skip


def nested(dtype: Any, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "w": [rng.normal(size=(3, 4)).astype(dtype), rng.normal(size=(4, 2)).astype(dtype)],
        "b": rng.normal(size=5).astype(dtype),
    }


def leaves(x: Any) -> list[np.ndarray]:
    return [x["b"], *x["w"]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_optimizers(name: str, dtype: str) -> None:
    opt, formula = CASES[name]
    start = nested(dtype, 0)
    gradients = [nested(dtype, 1 + k) for k in range(STEPS)]
    wide = [np.asarray(a, np.float64) for a in leaves(start)]
    wanted = [
        formula(a, (np.asarray(leaves(g)[k], np.float64) for g in gradients))
        for k, a in enumerate(wide)
    ]
    compiled = graphc.jit(lambda params, gradients, state: opt.update(params, gradients, state))
    for update in (opt.update, compiled):
        params, state = start, opt.init(start)
        for g in gradients:
            params, state = update(params, g, state)
        assert state["step"] == STEPS
        for found, exact in zip(leaves(params), wanted, strict=True):
            assert found.dtype == dtype
            tolerance = 1e-12 if dtype == "float64" else 1e-5
            np.testing.assert_allclose(found, exact, rtol=tolerance, atol=tolerance)
        for kept in state.values():
            if isinstance(kept, dict):
                assert all(a.dtype == dtype for a in leaves(kept))
    assert compiled.cache_info().programs == 1


def test_the_names() -> None:
    for name, (opt, _) in CASES.items():
        assert opt.name.startswith("course") == name.startswith("course")


def test_nesterov_needs_a_momentum() -> None:
    with pytest.raises(ValueError, match="nesterov needs a momentum"):
        optim.sgd(0.1, nesterov=True)


def test_decay_of_some_parameters() -> None:
    opt = optim.adamw(0.1, weight_decay=0.5, decays=lambda p: p.ndim > 1)
    params = nested("float64", 0)
    zero = graphc.pytrees.map_leaves(np.zeros_like, params)
    found, _ = opt.update(params, zero, opt.init(params))
    np.testing.assert_array_equal(found["b"], params["b"])
    np.testing.assert_allclose(found["w"][0], params["w"][0] * 0.95)


def test_gradients_of_another_structure_are_refused() -> None:
    opt = optim.sgd(0.1)
    params = nested("float64", 0)
    with pytest.raises(ValueError, match="a structure is"):
        opt.update(params, params["w"], opt.init(params))


def test_the_rate_may_be_a_schedule() -> None:
    opt = optim.sgd(optim.schedules.inverse_time(0.5, 1.0))
    p, state = np.ones(3, np.float32), opt.init(np.ones(3, np.float32))
    update = graphc.jit(opt.update)
    for _ in range(3):
        p, state = update(p, np.ones(3, np.float32), state)
    np.testing.assert_allclose(p, 1 - (0.5 + 0.25 + 0.5 / 3), rtol=1e-6)
    assert p.dtype == np.float32


def test_an_update_is_one_kernel() -> None:
    opt = optim.adam(1e-3)
    shapes = [(784, 128), (128,), (128, 128), (128,), (128, 10), (10,)]
    params = [graphc.spec(s, "float32") for s in shapes]
    start = opt.init([np.zeros(s, np.float32) for s in shapes])
    lowered = graphc.jit(lambda p, g, s: opt.update(p, g, s)).lower(params, params, start)
    assert len(lowered.kernels) == 1


def test_parameters_and_state_are_updated_in_their_memory() -> None:
    opt = optim.adam(0.1)
    params = nested("float32", 0)
    state = opt.init(params)
    before = [a.ctypes.data for a in (*leaves(params), *leaves(state["mean"]))]

    def step(params: Any, state: Any, gradients: Any) -> Any:
        return opt.update(params, gradients, state)

    update = graphc.jit(step, donate=("params", "state"))
    for k in range(3):
        params, state = update(params, state, nested("float32", k))
    after = [a.ctypes.data for a in (*leaves(params), *leaves(state["mean"]))]
    assert before == after


# ---------------------------------------------------------------------------------------- clipping


def test_clipping() -> None:
    g = nested("float64", 0)
    for run in (lambda f: f(g), lambda f: graphc.jit(f)(g)):
        found = run(lambda g: optim.clip_by_value(g, 0.5))
        np.testing.assert_allclose(found["b"], np.clip(g["b"], -0.5, 0.5))
        found = run(lambda g: optim.clip_by_norm(g, 1.0))
        for a, b in zip(leaves(found), leaves(g), strict=True):
            np.testing.assert_allclose(a, b / max(1.0, np.linalg.norm(b)))
        norm = np.sqrt(sum(np.sum(a**2) for a in leaves(g)))
        np.testing.assert_allclose(run(optim.global_norm), norm)
        found = run(lambda g: optim.clip_by_global_norm(g, 1.0))
        for a, b in zip(leaves(found), leaves(g), strict=True):
            np.testing.assert_allclose(a, b / norm)
        found = run(lambda g: optim.clip_by_global_norm(g, 100.0))
        np.testing.assert_array_equal(found["b"], g["b"])


def test_clipping_keeps_f32_and_zeros() -> None:
    g = [np.zeros(3, np.float32)]
    for clip in (optim.clip_by_norm, optim.clip_by_global_norm, optim.clip_by_value):
        (found,) = clip(g, 1.0)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, 0)
