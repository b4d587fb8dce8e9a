"""custom_jvp, custom_vjp and checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import TraceError

X = np.linspace(-1.0, 2.0, 5)


def make_jvp() -> Any:
    """x³, with 10 times its derivative."""

    @graphc.custom_jvp
    def cube(x: Any) -> Any:
        return x * x * x

    @cube.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (dx,) = primals, tangents
        return cube(x), 10 * 3 * x * x * dx

    return cube


def test_custom_jvp_serves_both_modes_and_all_orders() -> None:
    cube = make_jvp()
    assert cube(2.0) == 8.0
    np.testing.assert_allclose(graphc.jit(cube)(X), X**3)
    np.testing.assert_allclose(graphc.grad(lambda x: np.sum(cube(x)))(X), 30 * X**2)
    np.testing.assert_allclose(graphc.jvp(cube, (X,), (X,))[1], 30 * X**3)
    assert graphc.grad(graphc.grad(lambda x: cube(x)))(2.0) == pytest.approx(120.0)


def test_a_rule_that_calls_its_function_uses_the_rule_again() -> None:
    @graphc.custom_jvp
    def f(x: Any) -> Any:
        return np.exp(x)

    f.defjvp(lambda p, t: (f(*p), 2 * f(*p) * t[0]))
    for order in range(1, 5):
        derivative: Any = f
        for _ in range(order):
            derivative = graphc.grad(derivative)
        assert derivative(1.0) == pytest.approx(2**order * np.exp(1.0))


def test_custom_vjp() -> None:
    @graphc.custom_vjp
    def f(x: Any, y: Any) -> Any:
        return {"product": x * y, "sum": x + y}

    def forward(x: Any, y: Any) -> Any:
        return f(x, y), {"x": x, "two": 2}

    def backward(kept: Any, g: Any) -> Any:
        return kept["two"] * kept["x"] * g["product"], None

    f.defvjp(forward, backward)
    found = graphc.grad(lambda x, y: np.sum(f(x, y)["product"]), (0, 1))(X, X + 1)
    np.testing.assert_allclose(found[0], 2 * X)
    np.testing.assert_allclose(found[1], 0 * X)
    with pytest.raises(TraceError, match="needs a custom_jvp"):
        graphc.jvp(f, (X, X), (X, X))


def test_arguments_that_are_part_of_the_program() -> None:
    @graphc.custom_vjp(nondiff_argnums=(1,))
    def clip_gradient(x: Any, limit: float) -> Any:
        return x

    @graphc.custom_jvp
    def unused(x: Any) -> Any:
        return x

    with pytest.raises(TypeError):
        clip_gradient()
    made = graphc.custom_vjp(lambda x, limit: x, nondiff_argnums=(1,))
    made.defvjp(lambda x, limit: (x, None), lambda limit, kept, g: (np.clip(g, -limit, limit),))
    found = graphc.grad(lambda x: np.sum(made(x, 0.5) ** 2))(X)
    np.testing.assert_allclose(found, np.clip(2 * X, -0.5, 0.5))
    with pytest.raises(TraceError, match="without a rule"):
        graphc.grad(lambda x: unused(x))(1.0)
    with pytest.raises(TraceError, match="without rules"):
        graphc.grad(lambda x: clip_gradient(x, 1.0))(1.0)


def test_rules_that_do_not_fit_are_refused() -> None:
    f = graphc.custom_jvp(lambda x: x * 2)
    f.defjvp(lambda p, t: t[0])
    with pytest.raises(TraceError, match=r"has to return \(result, tangent\)"):
        graphc.grad(lambda x: np.sum(f(x)))(X)
    f.defjvp(lambda p, t: (p[0], np.ones(3)))
    with pytest.raises(TraceError, match=r"expected f64\[5\]"):
        graphc.grad(lambda x: np.sum(f(x)))(X)
    g = graphc.custom_vjp(lambda x: x * 2)
    g.defvjp(lambda x: (x, x), lambda kept, g: g)
    with pytest.raises(TraceError, match="a tuple of 1 cotangents"):
        graphc.grad(lambda x: np.sum(g(x)))(X)


def test_a_captured_value_is_used_and_not_differentiated_by() -> None:
    def loss(w: Any, x: Any) -> Any:
        f = graphc.custom_jvp(lambda x: w * x)
        f.defjvp(lambda p, t: (p[0], 7 * t[0]))
        return np.sum(f(x))

    np.testing.assert_allclose(graphc.jit(loss)(3.0, X), np.sum(3 * X))
    np.testing.assert_allclose(graphc.grad(loss, 1)(3.0, X), np.full(5, 7.0))
    with pytest.raises(TraceError, match="uses a value of its closure"):
        graphc.grad(loss, 0)(3.0, X)


# ------------------------------------------------------------------------------------- checkpoint


def layer(x: Any, w: Any) -> Any:
    return np.tanh(np.tanh(x @ w) @ w)


def network(one: Any, count: int) -> Any:
    def loss(w: Any, x: Any) -> Any:
        for k in range(count):
            x = one(x, w[k])
        return np.sum(x * x)

    return loss


def test_checkpoint_changes_no_derivative() -> None:
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(3, 4, 4)), rng.normal(size=(5, 4))
    plain, again = network(layer, 3), network(graphc.checkpoint(layer), 3)
    assert again(w, x) == plain(w, x)
    for both in ((0,), (0, 1)):
        wanted, found = graphc.grad(plain, both)(w, x), graphc.grad(again, both)(w, x)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    graphc.check_grads(again, (w, x), order=2)


def test_checkpoint_keeps_less() -> None:
    """Of a layer its argument stays, not what it computed on its way."""
    count, spec = 16, graphc.spec((1024, 32), "float64")
    weights = graphc.spec((count, 32, 32), "float64")
    peaks = {}
    for name, one in (("plain", layer), ("checkpoint", graphc.checkpoint(layer))):
        lowered = graphc.value_and_grad(network(one, count)).lower(weights, spec)
        peaks[name] = lowered.stages.peak_bytes / (1024 * 32 * 8)
    assert peaks["plain"] > 2 * count - 1
    assert peaks["checkpoint"] < count + 6


def test_checkpoint_with_closures_and_static_arguments() -> None:
    def loss(w: Any) -> Any:
        @graphc.checkpoint
        def inner(x: Any, power: int) -> Any:
            return np.sum(np.sin(x * w) ** power)

        return inner(w + 1, 2) + inner(w, power=3)

    graphc.check_grads(loss, (X,), order=2)
    with pytest.raises(TraceError, match="takes no arrays"):
        graphc.jit(lambda: graphc.checkpoint(lambda: 3.0)())()
