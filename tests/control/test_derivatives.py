"""Derivatives of loops and choices against the same program written out, and finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.pytrees
from graphc.errors import TraceError
from tests.control.agreement import same
from tests.control.test_loops import cell, lstm_params

RNG = np.random.default_rng(7)


def recurrent(scan: Callable[..., Any]) -> Callable[..., Any]:
    """A loss of a recurrent network, run by a function like graphc.scan."""

    def loss(w: Any, b: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h @ w + x * b)
            return h, (h.sum(), x * 2)

        h, (ys, zs) = scan(step, np.zeros(3), xs)
        return (h * h).sum() + (ys**3).sum() + (zs**2).sum()

    return loss


def written_out(step: Any, init: Any, xs: Any) -> Any:
    return graphc.scan(step, init, xs, unroll=True)


def backwards(step: Any, init: Any, xs: Any) -> Any:
    return graphc.scan(step, init, xs, reverse=True)


def backwards_written_out(step: Any, init: Any, xs: Any) -> Any:
    return graphc.scan(step, init, xs, reverse=True, unroll=True)


def weights() -> tuple[Any, ...]:
    return RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3), RNG.normal(size=(5, 3))


@pytest.mark.parametrize(
    "looped,plain",
    [(graphc.scan, written_out), (backwards, backwards_written_out)],
    ids=["forwards", "backwards"],
)
def test_scan(looped: Any, plain: Any) -> None:
    f, g, args = recurrent(looped), recurrent(plain), weights()
    along = tuple(RNG.normal(size=a.shape) for a in args)
    same(graphc.value_and_grad(f, (0, 1, 2))(*args), graphc.value_and_grad(g, (0, 1, 2))(*args))
    same(graphc.jvp(f, args, along), graphc.jvp(g, args, along))
    same(graphc.hvp(f, args, along), graphc.hvp(g, args, along))


def test_scan_against_finite_differences() -> None:
    graphc.check_grads(recurrent(graphc.scan), weights(), order=2)


def test_gradient_of_a_gradient() -> None:
    def twice(loss: Any) -> Any:
        def norm(w: Any, b: Any, xs: Any) -> Any:
            return (graphc.grad(loss)(w, b, xs) ** 2).sum()

        return graphc.jit(graphc.grad(norm))

    args = weights()
    same(twice(recurrent(graphc.scan))(*args), twice(recurrent(written_out))(*args))


def test_through_an_lstm() -> None:
    def loss(scan: Any) -> Any:
        def f(params: Any, xs: Any) -> Any:
            zeros = np.zeros((2, 4))

            def step(h: Any, x: Any) -> Any:
                h = cell(params, h, x)
                return h, h[0]

            return (scan(step, (zeros, zeros), xs)[1] ** 2).sum()

        return f

    params = tuple(p.astype(float) for p in lstm_params(3, 4))
    xs = RNG.normal(size=(6, 2, 3))
    got = graphc.value_and_grad(loss(graphc.scan))(params, xs)
    same(got, graphc.value_and_grad(loss(written_out))(params, xs))


def test_nothing_is_computed_for_what_has_no_derivative() -> None:
    def f(x: Any, n: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            return s * x + n[i % 3]

        return graphc.fori_loop(0, 4, step, x)

    got = graphc.grad(f)(1.5, np.arange(3))
    assert got == pytest.approx(5 * 1.5**4 + 1 * 2 * 1.5 + 2 * 1.0, rel=1e-9)


def test_a_state_that_no_one_differentiates_by() -> None:
    def f(x: Any, xs: Any) -> Any:
        return graphc.scan(lambda s, y: (s + x * y, None), 0.0, xs)[0]

    assert graphc.grad(f)(2.0, np.arange(4.0)) == 6.0
    np.testing.assert_array_equal(graphc.grad(f, 1)(2.0, np.arange(4.0)), np.full(4, 2.0))


def test_no_steps() -> None:
    def f(init: Any, xs: Any) -> Any:
        return graphc.scan(lambda s, x: (s * x, s), init, xs)[0]

    init, xs = graphc.grad(f, (0, 1))(2.0, np.zeros(0))
    assert init == 1.0
    assert xs.shape == (0,)


def test_nested_loops() -> None:
    def f(scan: Any) -> Any:
        def loss(x: Any, rows: Any) -> Any:
            def outer(s: Any, row: Any) -> Any:
                t, ts = scan(lambda t, y: (np.sin(t * s) + y, t * t), s, row)
                return t, ts.sum()

            s, ys = scan(outer, x, rows)
            return s + (ys**2).sum()

        return loss

    args = (0.7, RNG.normal(size=(3, 4)))
    got = graphc.value_and_grad(f(graphc.scan), (0, 1))(*args)
    same(got, graphc.value_and_grad(f(written_out), (0, 1))(*args))
    graphc.check_grads(f(graphc.scan), args, order=2)


@pytest.mark.parametrize("x", [-0.5, 0.5])
def test_cond(x: float) -> None:
    def f(x: Any, y: Any) -> Any:
        def then(y: Any) -> Any:
            return np.sin(x * y).sum(), y

        def otherwise(y: Any) -> Any:
            return np.exp(y).sum() * x, y * x

        a, b = graphc.cond(x > 0, then, otherwise, y)
        return a * (b * b).sum()

    graphc.check_grads(f, (x, RNG.normal(size=3)), order=2)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_switch(index: int) -> None:
    def f(x: Any, y: Any) -> Any:
        return graphc.switch(
            y.astype(int).sum(), [lambda x: x.sum(), lambda x: 0.0, lambda x: (x**3).sum()], x
        )

    x, y = RNG.normal(size=3), np.full(1, float(index))
    wanted = [np.ones(3), np.zeros(3), 3 * x**2][index]
    np.testing.assert_allclose(graphc.grad(f)(x, y), wanted)


def test_a_choice_in_a_loop() -> None:
    def f(x: Any, xs: Any) -> Any:
        def step(s: Any, y: Any) -> Any:
            return graphc.cond(y > 0, lambda s: np.sin(s * x), lambda s: s + y, s), s

        s, ys = graphc.scan(step, x, xs)
        return s + (ys**2).sum()

    graphc.check_grads(f, (0.7, np.array([0.5, -0.5, 1.0, -2.0])), order=2)


def test_while_forwards() -> None:
    def f(x: Any) -> Any:
        return graphc.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, np.sin(s[1])), (0, x))[1]

    x, exact = 0.3, 1.0
    value = x
    for _ in range(4):
        exact, value = exact * np.cos(value), np.sin(value)
    got = graphc.jvp(f, (x,), (1.0,))
    assert got == (pytest.approx(value), pytest.approx(exact))
    assert graphc.jacfwd(f)(x) == pytest.approx(exact)


def test_while_backwards_needs_a_bound() -> None:
    def f(x: Any) -> Any:
        return graphc.while_loop(lambda s: s < 4, lambda s: s * x, x)

    with pytest.raises(TraceError, match=r"max_steps=.*fori_loop.*jvp.*test_derivatives"):
        graphc.grad(f)(1.5)


@pytest.mark.parametrize("bound", [5, 9])
def test_while_with_a_bound(bound: int) -> None:
    def f(x: Any, y: Any) -> Any:
        def body(s: Any) -> Any:
            return s[0] + 1, np.sin(s[1] * y)

        return graphc.while_loop(lambda s: s[0] < 5, body, (0, x), max_steps=bound)[1].sum()

    graphc.check_grads(f, (RNG.normal(size=2), RNG.normal(size=2)), order=2)


def test_checkpoint_keeps_the_state_alone() -> None:
    def loss(wrap: Any) -> Any:
        def f(w: Any, xs: Any) -> Any:
            def step(h: Any, x: Any) -> Any:
                h = np.tanh(np.sin(np.exp(np.tanh(h @ w + x)) @ w) @ w)
                return h, None

            return (graphc.scan(wrap(step), np.zeros(3), xs)[0] ** 2).sum()

        return f

    args = (RNG.normal(size=(3, 3)) / 2, RNG.normal(size=(7, 3)))
    plain, kept = graphc.grad(loss(lambda f: f)), graphc.grad(loss(graphc.checkpoint))
    same(plain(*args), kept(*args), 1e-12)

    def stacked(gradient: Any) -> int:
        graph = gradient.lower(*args).graph
        forward = next(node for node in graph.nodes if node.op.name == "scan")
        return sum(r.type.nbytes for r in forward.results[forward.attrs["carries"] :])

    assert stacked(kept) == 7 * 3 * 8  # the states, and nothing else
    assert stacked(kept) < stacked(plain)


def test_what_stays_the_same_is_not_stacked() -> None:
    def f(w: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            return h * np.exp(w) + np.sin(x) * w**3, None

        return graphc.scan(step, np.zeros(3), xs)[0].sum()

    gradient = graphc.grad(f, (0, 1))
    graph = gradient.lower(np.ones(3), np.ones((5, 3))).graph
    forward = next(node for node in graph.nodes if node.op.name == "scan")
    stacked = [r for r in forward.results[forward.attrs["carries"] :]]
    assert len(stacked) == 3  # the states and sin(x) for the derivatives by w, cos(x) for x
    graphc.check_grads(f, (RNG.normal(size=3), RNG.normal(size=(5, 3))), order=2)


def test_vjp_and_linearize_outside_of_a_trace() -> None:
    f, args = recurrent(graphc.scan), weights()
    value, pull = graphc.vjp(f, *args)
    same(pull(np.ones_like(value)), graphc.grad(f, (0, 1, 2))(*args), 1e-9)
    value, push = graphc.linearize(f, *args)
    same(push(*args), graphc.jvp(f, args, args)[1], 1e-9)


def test_jacobians() -> None:
    def f(x: Any) -> Any:
        return graphc.scan(lambda s, y: (np.sin(s) * y, None), x, np.arange(1.0, 4.0))[0]

    x = RNG.normal(size=3)
    same(graphc.jacfwd(f)(x), graphc.jacrev(f)(x), 1e-12)


# ------------------------------------------------------------------------------------------- vmap


def check_batch(f: Callable[..., Any], *batches: Any) -> None:
    got = graphc.vmap(f)(*batches)
    rows = [graphc.jit(f)(*row) for row in zip(*batches, strict=True)]
    for k, one in enumerate(graphc.pytrees.flatten(got)[0]):
        wanted = np.stack([np.asarray(graphc.pytrees.flatten(row)[0][k]) for row in rows])
        np.testing.assert_allclose(one, wanted, rtol=1e-9, atol=1e-12)


def test_batches_of_scans() -> None:
    def f(h: Any, xs: Any) -> Any:
        return graphc.scan(lambda h, x: (np.tanh(h + x), (h * x, x.sum())), h, xs)

    check_batch(f, RNG.normal(size=(4, 3)), RNG.normal(size=(4, 5, 3)))


def test_batches_of_states_that_begin_alike() -> None:
    def f(xs: Any) -> Any:
        return graphc.scan(lambda s, x: ((np.tanh(s[0] + x), s[1] + 1), s[1]), (0.0, 0), xs)

    check_batch(f, RNG.normal(size=(4, 5)))


def test_batches_of_while_loops() -> None:
    def f(x: Any, n: Any) -> Any:
        return graphc.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 2), (0, x))

    def g(x: Any) -> Any:
        return graphc.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * 2), (0, x))[1]

    check_batch(f, RNG.normal(size=(4, 3)), np.array([0, 3, 1, 7]))
    check_batch(g, RNG.normal(size=(4, 3)))


def test_batches_of_choices() -> None:
    def f(p: Any, x: Any) -> Any:
        return graphc.cond(p, np.sin, lambda x: x * 2, x)

    check_batch(f, np.array([True, False, True]), RNG.normal(size=(3, 2)))
    alike = graphc.vmap(f, in_axes=(None, 0))
    x = RNG.normal(size=(3, 2))
    np.testing.assert_allclose(alike(True, x), np.sin(x))
    assert "switch" in alike.lower(True, x).text()

    def g(x: Any) -> Any:
        return graphc.switch(x.astype(int), [lambda: 1.0, lambda: x, lambda: x * x])

    check_batch(g, np.array([-1.0, 0.0, 1.0, 2.0, 5.0]))


def test_batches_of_gradients() -> None:
    def f(h: Any, xs: Any) -> Any:
        def loss(h: Any, xs: Any) -> Any:
            return graphc.scan(lambda h, x: (np.tanh(h + x), None), h, xs)[0].sum()

        return graphc.grad(loss, (0, 1))(h, xs)

    check_batch(f, RNG.normal(size=(4, 3)), RNG.normal(size=(4, 5, 3)))


def test_a_python_number_that_is_the_same_for_all_becomes_an_array() -> None:
    def f(x: Any) -> Any:
        return x, graphc.fori_loop(0, 3, lambda i, s: s + 1, 0)

    np.testing.assert_array_equal(graphc.vmap(f)(np.zeros(3))[1], [3, 3, 3])
