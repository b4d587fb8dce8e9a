"""Loops and choices that captured graphs decide on the device: other numbers in each replay, and
what is launched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, cuda_decisions, gpu_run

import graphc
from graphc import device_put
from tests.device import standin
from tests.device.test_control import leaves, random

F32, I64 = np.float32, np.int64


class Called:
    """A program called again and again with other numbers at the same addresses."""

    def __init__(self, function: Callable[..., Any], *first: Any, **options: Any):
        self.wanted = graphc.jit(function)
        self.program = graphc.jit(function, device="cuda", **options)
        self.given = [device_put(a) for a in first]
        self.downloads: list[int] = []
        self.launched: list[int] = []

    def __call__(self, *numbers: Any) -> None:
        """Calls it, and compares the results with the processor's."""
        for array, new in zip(self.given, numbers, strict=True):
            array.device.upload(array.pointer, np.asarray(new, array.dtype))
        before, count = standin.count("downloads"), standin.count("kernels")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cuda.Device, "download", self._download(cuda.Device.download))
            self.downloads.append(0)
            found = self.program(*self.given)
        if before is not None and count is not None:
            assert standin.count("downloads") == before + self.downloads[-1]
            self.launched.append((standin.count("kernels") or 0) - count)
        for a, b in zip(leaves(found), leaves(self.wanted(*numbers)), strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-5, atol=1e-5)

    def _download(self, original: Callable[..., None]) -> Callable[..., None]:
        def counted(*args: Any) -> None:
            self.downloads[-1] += 1
            original(*args)

        return counted

    def graphs(self) -> list[Any]:
        (made,) = self.program.__dict__["_front"]._programs.values()
        loaded = made.executable._variant(())
        return [graph for graph in loaded.runner.graphs.values() if graph is not None]


def replayed(
    function: Callable[..., Any], calls: Sequence[Sequence[Any]], **options: Any
) -> Called:
    """Every call of a program, twice. The host waits in none but the first, or the first two where
    results of one size change places."""
    called = Called(function, *calls[0], **options)
    for numbers in (*2 * (calls[0],), *calls, *reversed(calls)):
        called(*numbers)
    assert called.downloads[0] and not any(called.downloads[2:])
    assert len(called.graphs()) in (1, 2)
    return called


# ------------------------------------------------------------------------------------- the values


def doubled(x: Any, n: Any) -> Any:
    def goes_on(state: Any) -> Any:
        return state[0].max() < 100

    def body(state: Any) -> Any:
        x, k, n = state
        return x * 2 + F32(1), k + 1, n

    return graphc.while_loop(goes_on, body, (x, n, n))[:2]


def starting(*values: float) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.full(5, v, F32), np.array(k, I64)) for k, v in enumerate(values)]


def test_a_loop_of_none_one_odd_and_even_iterations(states: None) -> None:
    replayed(doubled, starting(200, 60, 30, 12, 6, 1, 0))


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 8])
def test_a_limit(states: None, limit: int) -> None:
    def run(x: Any) -> Any:
        return graphc.while_loop(lambda s: s.sum() < 20, lambda s: s + 1, x, max_steps=limit)

    called = Called(run, np.zeros(4, F32))
    for start in (0, 4.5, 0, 1, 4.5, 9, 0):
        called(np.full(4, start, F32))
    assert not any(called.downloads[1:])


def test_a_loop_in_a_loop(states: None) -> None:
    def inner(x: Any) -> Any:
        return graphc.while_loop(lambda y: y.sum() < 50, lambda y: y * 2, x)

    def run(x: Any) -> Any:
        return graphc.while_loop(lambda x: x.max() > 3, lambda x: inner(x * 0.5) * 0.125, x)

    replayed(run, [(abs(random(6)) * k + 1,) for k in (0.1, 1, 50, 7, 400)])


def test_a_choice_in_a_loop_in_a_loop(states: None) -> None:
    def inner(x: Any) -> Any:
        def body(y: Any) -> Any:
            return graphc.cond(y[0] > y[1], lambda y: y + y[::-1], lambda y: y * 3 + 1, y)

        return graphc.while_loop(lambda y: y.max() < 40, body, x)

    def run(x: Any) -> Any:
        def body(state: Any) -> Any:
            return inner(state[0]) * F32(0.01), state[1] + 1

        return graphc.while_loop(lambda s: s[1] < s[0].max() * 9, body, (x, I64(0)))

    replayed(run, [(np.array(a, F32),) for a in ((1, 2), (2, 1), (0, 0), (0.5, 3))])


def test_a_choice_in_a_scan() -> None:
    def run(s: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            s = graphc.cond(x.sum() > 0, lambda s, x: s + x, lambda s, x: s * x, s, x)
            return s, s.max()

        return graphc.scan(step, s, xs)

    replayed(run, [(random(9), random(6, 9) * k) for k in (F32(0.3), F32(-0.3), F32(0))])


def test_a_loop_in_a_scan(states: None) -> None:
    def run(s: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            s = graphc.while_loop(lambda s: s[0] < x[0], lambda s: s * 2 + 1, s)
            return s * F32(0.25), s.sum()

        return graphc.scan(step, s, xs)

    replayed(run, [(np.full(3, 1, F32), abs(random(5, 2)) * k) for k in (1, 60, 7, 0)])


def test_a_scan_in_a_loop(states: None) -> None:
    def run(x: Any, rows: Any) -> Any:
        def body(x: Any) -> Any:
            return graphc.scan(lambda s, r: (s + abs(r), s.max()), x, rows)[0]

        return graphc.while_loop(lambda x: x.max() < 30, body, x)

    replayed(run, [(random(7), random(3, 7) + k) for k in (1, 4, 20)])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_an_index_outside_means_the_nearest_arm(count: int) -> None:
    arms = [lambda x, k=k: x * (k + 2) - k for k in range(count)]
    calls = [(I64(i), random(4)) for i in (0, 4, -1, 1, 2**40, -(2**63), 2, 3, 2**32)]
    called = Called(lambda i, x: graphc.switch(i, arms, x), *calls[0])
    for numbers in calls:
        called(*numbers)
    assert not any(called.downloads[1:])


def test_many_states(states: None) -> None:
    count = 2 * cuda_decisions.STATES + 3

    def run(*xs: Any) -> Any:
        return graphc.while_loop(
            lambda s: s[0].sum() < 30, lambda s: tuple(x + k for k, x in enumerate(s, 1)), xs
        )

    start = [random(3, k + 1) for k in range(count)]
    replayed(run, [[x + 3 * k for x in start] for k in (0, 1, 4)])


def test_states_of_odd_bytes(states: None) -> None:
    def run(flags: Any, small: Any, x: Any) -> Any:
        def body(state: Any) -> Any:
            flags, small, x = state
            return ~flags, small + 1, x * 2

        return graphc.while_loop(lambda s: s[2].sum() < 9, body, (flags, small, x))

    def numbers(k: float) -> tuple[Any, ...]:
        return random(77) > 0, np.arange(3, dtype=np.int8), np.full(1023, k, F32)

    replayed(run, [numbers(k) for k in (0.001, 0.004, 1, 0.002)])


def test_large_states_are_no_longer_brought_back() -> None:
    def run(x: Any) -> Any:
        return graphc.while_loop(lambda x: x[0, 0] < 4, lambda x: x + 1, x)

    n = cuda_decisions.PAIR_BYTES // 4096
    called = replayed(run, [(np.full((n, 1024), k, F32),) for k in (0, 1, 5)])
    decisions = standin.count("decisions")
    if decisions is not None:
        called(np.full((n, 1024), 1, F32))  # three iterations: one pair, and one half
        assert (standin.count("decisions") or 0) - decisions == 1 + 2


def test_symbolic_extents(states: None) -> None:
    program = graphc.jit(doubled, device="cuda", dims={"x": "n"})
    for n in (3, 8):
        x, k = device_put(np.full(n, 2, F32)), device_put(I64(4))
        for start in (12, 12, 60):
            x.device.upload(x.pointer, np.full(n, start, F32))
            found, count = program(x, k)
            wanted, times = doubled(np.full(n, start, F32), I64(4))
            np.testing.assert_array_equal(found.numpy(), wanted)
            assert count.numpy() == times
            del found, count


def test_a_loop_in_a_scan_over_a_symbolic_extent() -> None:
    """Whether a graph pays depends on how long the scan is."""

    def run(s: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            return graphc.while_loop(lambda s: s[0] < x[0], lambda s: s * 2 + 1, s), s.sum()

        return graphc.scan(step, s, xs)

    program = graphc.jit(run, device="cuda", dims={"xs": "n, 2"})
    for n in (3, 3, 0, 5):
        s, xs = np.full(3, 1, F32), abs(random(n, 2)) * 9
        wanted = graphc.jit(run)(s, xs)
        for a, b in zip(leaves(program(device_put(s), device_put(xs))), wanted, strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-5)


def test_donated_states(states: None) -> None:
    def run(x: Any, n: Any) -> Any:
        return doubled(x, n)

    program = graphc.jit(run, device="cuda", donate="x")
    k = device_put(I64(0))
    for start in (3, 3, 50, 200, 7):
        x = device_put(np.full(6, start, F32))
        pointer = x.pointer
        found, count = program(x, k)
        assert found.pointer == pointer
        wanted, times = run(np.full(6, start, F32), I64(0))
        np.testing.assert_array_equal(found.numpy(), wanted)
        assert count.numpy() == times
        del x, found, count


def test_a_derivative(states: None) -> None:
    def loss(x: Any) -> Any:
        x = graphc.while_loop(lambda s: (s * s).sum() < 50, lambda s: s * s + s, x, max_steps=5)
        return (x * x).sum()

    replayed(graphc.value_and_grad(loss), [(abs(random(4)) * F32(k),) for k in (1, 0.2, 3)])


def test_an_error_in_a_body_is_reported_after_a_replay(states: None) -> None:
    def run(x: Any, places: Any) -> Any:
        def body(state: Any) -> Any:
            total, k = state
            return total + x[places[k]], k + 1

        return graphc.while_loop(lambda s: s[1] < 4, body, (x[0], I64(0)))[0]

    program = graphc.jit(run, device="cuda")
    x, places = device_put(random(5)), device_put(np.array([1, 2, 3, 4]))
    for third in (3, 3, 9, 4, -9, 0):
        new = np.array([1, 2, third, 4])
        places.device.upload(places.pointer, new)
        found = program(x, places)
        if abs(third) > 5:
            with pytest.raises(IndexError, match="index"):
                found.numpy()
        else:
            np.testing.assert_allclose(found.numpy(), run(x.numpy(), new), rtol=1e-6)
        del found


def test_an_error_in_an_arm_that_is_not_taken_is_none() -> None:
    def run(i: Any, x: Any, k: Any) -> Any:
        return graphc.cond(i > 0, lambda x, k: x[k], lambda x, k: x[0], x, k)

    program = graphc.jit(run, device="cuda")
    i, x, k = (device_put(a) for a in (I64(0), random(5), I64(11)))
    for chosen in (0, 0, 1, 0):
        i.device.upload(i.pointer, np.array(chosen))
        found = program(i, x, k)
        if chosen:
            with pytest.raises(IndexError, match="index"):
                found.numpy()
        else:
            assert found.numpy() == x.numpy()[0]
        del found


# ----------------------------------------------------------------------------- what an iteration is


def iteration(called: Called, calls: Sequence[Sequence[Any]]) -> list[int]:
    """The kernels of each call but two, where they are counted."""
    if standin.count("kernels") is None:
        pytest.skip("kernels are counted by the stand-in driver, and this is a device")
    for numbers in (calls[0], calls[0], *calls):
        called(*numbers)
    return called.launched[2:]


def test_an_iteration_is_its_kernels_and_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(x: Any) -> Any:  # a kernel for the body, one for the condition
        return graphc.while_loop(lambda s: s < 20, lambda s: s + 1, x)

    calls = [(F32(20 - n),) for n in range(5)]
    # the state's beginning, the condition, the decision; then three kernels each
    assert iteration(Called(run, F32(0)), calls) == [3 + 3 * n for n in range(5)]
    monkeypatch.setattr(cuda_decisions, "PAIR_BYTES", 0)
    # the last kernel would bring the state back
    assert iteration(Called(run, F32(0)), calls) == [4 + 3 * n for n in range(5)]


def test_a_choice_is_one_more_kernel() -> None:
    def run(x: Any) -> Any:
        return graphc.cond(x.sum() > 0, lambda x: np.sort(x), lambda x: x * 2, x)

    some = iteration(Called(run, random(9)), [(abs(random(9)),), (-abs(random(9)),)])
    assert some == [some[0]] * 2 and some[0] == 3


def test_a_loop_that_waited_often_gets_a_graph_at_once() -> None:
    def run(x: Any) -> Any:
        return graphc.while_loop(lambda s: s < 20, lambda s: s + 1, x)

    for start, at_once in ((0, True), (17, False)):
        program, held, waited = graphc.jit(run, device="cuda"), [], []
        for _ in range(3):
            called = Called(run, np.float32(start))
            called.program = program  # with arrays that lie elsewhere
            called(np.float32(start))
            held.append(called)
            held.append(device_put(np.float32(1)))
            waited.append(called.downloads[0] > 0)
        assert waited == [True, not at_once, not at_once]


def test_a_long_graph_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_run, "CAPTURED_LAUNCHES", 5)
    called = Called(doubled, *starting(1)[0])
    for numbers in starting(1, 200, 30):
        called(*numbers)
    assert all(called.downloads) and not called.graphs()
