"""Loops and choices on the device: values, derivatives, replay, and when the host waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graphc_runtime import gpu_run
from graphc_runtime.steps import Loop, decides

import graphc
from graphc import device_put
from tests.device.test_calls import Foreign


def random(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


def same(function: Callable[..., Any], *arrays: Any, times: int = 3, **options: Any) -> Any:
    """The function on the device, several times, against the processor; answers the former."""
    wanted = graphc.jit(function, **options)(*arrays)
    on_device = graphc.jit(function, device="cuda", **options)
    given = [device_put(a) if isinstance(a, np.ndarray) else a for a in arrays]
    for _ in range(times):
        found = on_device(*given)
        for a, b in zip(leaves(found), leaves(wanted), strict=True):
            mine = a.numpy() if hasattr(a, "numpy") else a  # a Python number stays one
            np.testing.assert_allclose(mine, b, rtol=1e-5, atol=1e-5)
    return on_device


def leaves(tree: Any) -> list[Any]:
    return [x for one in tree for x in leaves(one)] if isinstance(tree, (tuple, list)) else [tree]


# ---------------------------------------------------------------------------------------- loops


def recurrent(h: Any, xs: Any, w: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = np.tanh(h @ w + x)
        return h, h.sum(axis=-1)

    return graphc.scan(step, h, xs)


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan(length: int, reverse: bool) -> None:
    def run(h: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = h * 0.5 + x
            return h, h * 2

        return graphc.scan(step, h, xs, reverse=reverse)

    same(run, random(3), random(length, 3))


def test_scan_with_products() -> None:
    same(recurrent, random(4, 8), random(6, 4, 8), random(8, 8))


def test_derivative_of_a_scan() -> None:
    def loss(w: Any, h: Any, xs: Any) -> Any:
        h, ys = recurrent(h, xs, w)
        return (h * h).sum() + ys.sum()

    same(graphc.value_and_grad(loss), 0.3 * random(8, 8), random(4, 8), random(5, 4, 8))


def test_states_that_change_places_and_stay() -> None:
    def run(a: Any, b: Any, c: Any) -> Any:
        return graphc.fori_loop(0, 5, lambda i, s: (s[1], s[0] + i, s[2]), (a, b, c))

    same(run, random(4), random(4) + 1, random(2, 3))


def test_loops_in_loops() -> None:
    def run(x: Any) -> Any:
        def outer(i: Any, x: Any) -> Any:
            return graphc.fori_loop(0, 3, lambda j, y: y * 0.5 + i + j, x)

        return graphc.fori_loop(0, 4, outer, x)

    same(run, random(7))


def test_one_body_in_two_loops() -> None:
    def step(s: Any, x: Any) -> Any:
        return s + np.sin(x) * 2, np.cos(s)

    def run(s: Any, xs: Any, ys: Any) -> Any:
        first, some = graphc.scan(step, s, xs)
        return first, some, graphc.scan(step, first, ys)

    same(run, random(5), random(4, 5), random(3, 5))


def test_symbolic_length() -> None:
    def run(s: Any, xs: Any) -> Any:
        return graphc.scan(lambda s, x: (s + x, s * x), s, xs)

    program = graphc.jit(run, device="cuda", dims={"xs": "n, ..."})
    for n in (4, 7, 0):
        s, xs = random(3), random(n, 3)
        total, ys = program(device_put(s), device_put(xs))
        np.testing.assert_allclose(total.numpy(), s + xs.sum(axis=0), rtol=1e-5, atol=1e-5)
        assert ys.shape == (n, 3)


def test_arguments_with_strides() -> None:
    h, xs, w = random(4, 8), random(6, 4, 8), random(8, 8)
    mine = device_put(np.ascontiguousarray(xs.transpose(2, 1, 0)))
    step = mine.itemsize
    turned = Foreign(mine, shape=(6, 4, 8), strides=(step, 6 * step, 24 * step))
    found = graphc.jit(recurrent, device="cuda")(device_put(h), turned, device_put(w))
    for a, b in zip(leaves(found), leaves(graphc.jit(recurrent)(h, xs, w)), strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-5, atol=1e-5)


def test_donated_states() -> None:
    def run(s: Any, xs: Any) -> Any:
        return graphc.scan(lambda s, x: (s * 0.5 + x, s), s, xs)

    s, xs = random(9), random(5, 9)
    wanted = graphc.jit(run)(s, xs)
    found = graphc.jit(run, device="cuda", donate="s")(device_put(s), device_put(xs))
    for a, b in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-6)


# --------------------------------------------------------------------------------------- choices


def test_while() -> None:
    def run(x: Any) -> Any:
        return graphc.while_loop(lambda s: s[0] < 20, lambda s: (s[0] * 2 + 1, s[1] + 1), (x, 0))

    for start in (0.5, 3.0, 30.0):
        same(run, np.float32(start))


def test_while_with_a_limit() -> None:
    def run(x: Any) -> Any:
        return graphc.while_loop(lambda s: s.sum() < 100, lambda s: s + 1, x, max_steps=3)

    same(run, random(4))


def test_choice() -> None:
    def run(i: Any, x: Any, y: Any) -> Any:
        arms = [lambda x, y: x + y, lambda x, y: (x * y) @ y.T @ x, lambda x, y: y]
        return graphc.switch(i, arms, x, y)

    def two(x: Any, y: Any) -> Any:
        return graphc.cond(x.sum() > 0, lambda x, y: np.exp(x), lambda x, y: y, x, y)

    for sign in (1, -1):
        same(two, sign * abs(random(3, 3)), random(3, 3))
    for index in (-1, 0, 1, 2, 7):
        same(run, np.int64(index), random(3, 3), random(3, 3) + 1)


# --------------------------------------------------------------------------------- who waits, when


def test_a_scan_asks_nothing_and_a_while_does() -> None:
    from graphc.compile import lower_graph
    from graphc.device.plan import plan_device

    def plan(function: Any, *specs: Any) -> Any:
        graph = graphc.jit(function).lower(*specs).graph
        return plan_device(lower_graph(graph).optimised.graph)

    scanned = plan(recurrent, *(graphc.spec(s, "f32") for s in ((4, 8), (6, 4, 8), (8, 8))))
    assert not decides(scanned.steps)
    (loop,) = (step for step in scanned.steps if isinstance(step, Loop))
    assert len(loop.rows) == 2 and len(loop.turns) == 1
    waits = plan(
        lambda x: graphc.while_loop(lambda s: s < 9, lambda s: s + 1, x), graphc.spec((), "f32")
    )
    assert decides(waits.steps)


def test_a_loop_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[int] = []
    real = gpu_run.Runner._launch

    def counted(self: Any, *args: Any) -> None:
        launched.append(1)
        real(self, *args)

    monkeypatch.setattr(gpu_run.Runner, "_launch", counted)
    run = graphc.jit(recurrent, device="cuda")
    arrays = [device_put(a) for a in (random(4, 8), random(6, 4, 8), random(8, 8))]
    results = [leaves(run(*arrays)) for _ in range(1)]
    first = len(launched)
    del results
    for _ in range(4):
        out = run(*arrays)
        del out
    assert first > 6 and len(launched) <= 3 * first
