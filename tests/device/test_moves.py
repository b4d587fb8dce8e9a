"""Calls at other addresses replay the graph that there is: how many do, with which values; and
where no graph is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, cuda_decisions, cuda_graphs, cuda_moves, gpu_run

import graphc
from graphc import DeviceArray, device_put
from tests.device import standin
from tests.device.test_calls import random


class Counts:
    """What the driver was asked for."""

    def __init__(self) -> None:
        self.captures = self.replays = self.told = 0


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    made = Counts()
    call = cuda_graphs.Calls.call

    def counted(self: Any, name: str, *arguments: Any) -> None:
        made.captures += name == "cuGraphInstantiateWithFlags"
        made.replays += name == "cuGraphLaunch"
        made.told += name.startswith("cuGraphExec")
        call(self, name, *arguments)

    monkeypatch.setattr(cuda_graphs.Calls, "call", counted)
    graphs, told = standin.count("graphs"), standin.count("updates")
    yield made
    if graphs is not None and told is not None:
        assert (standin.count("graphs") or 0) - graphs == made.replays
        assert (standin.count("updates") or 0) - told == made.told


def layers(x: Any, w: Any) -> Any:
    return np.tanh(np.tanh(x @ w) @ w)


def test_results_that_are_kept(counts: Counts) -> None:
    program = graphc.jit(layers, device="cuda")
    x, w = device_put(random(16, 16)), device_put(random(16, 16))
    kept = [program(x, w) for _ in range(30)]
    assert (counts.captures, counts.replays) == (1, 29)
    assert len({one.pointer for one in kept}) == 30
    for one in kept:
        np.testing.assert_allclose(one.numpy(), layers(x.numpy(), w.numpy()), rtol=1e-4, atol=1e-5)


def test_arguments_in_turn(counts: Counts) -> None:
    program = graphc.jit(layers, device="cuda")
    xs = [device_put(random(16, 16) + np.float32(k / 9)) for k in range(12)]
    w = device_put(random(16, 16) / 4)
    for k in range(60):
        found = program(xs[k % 12], w).numpy()
        np.testing.assert_allclose(found, layers(xs[k % 12].numpy(), w.numpy()), rtol=1e-4)
    assert counts.captures <= 2 and counts.replays >= 58


def test_only_nodes_that_count_from_it_are_told(counts: Counts) -> None:
    program = graphc.jit(layers, device="cuda")
    x, w = device_put(random(16, 16)), device_put(random(16, 16))
    program(x, w)
    held = program(x, w)
    pool = [device_put(random(16, 16)) for _ in range(3)]
    other = pool[1]
    del held
    before = counts.told
    program(other, w)
    assert 0 < counts.told - before <= 2  # the first product, and perhaps the result's kernel
    assert counts.captures == 1


def test_few_sets_of_addresses_in_turn_are_not_told(counts: Counts) -> None:
    program = graphc.jit(lambda x: np.tanh(x @ x) * 0.5 + np.sort(x), device="cuda")
    x = device_put(random(16, 16))
    for _ in range(12):
        x = program(x)
    assert counts.captures <= gpu_run.PLACES
    before = counts.told
    for _ in range(12):
        x = program(x)
    assert counts.told == before and counts.replays >= 20


def test_each_extent_has_a_graph(counts: Counts) -> None:
    program = graphc.jit(layers, device="cuda", dims={"x": ("n", None)})
    w, kept = device_put(random(8, 8)), []
    for _ in range(6):
        for n in (3, 5):
            x = device_put(random(n, 8))
            kept.append((x, program(x, w)))
    assert counts.captures == 2 and counts.replays == 10
    for x, found in kept:
        np.testing.assert_allclose(found.numpy(), layers(x.numpy(), w.numpy()), rtol=1e-4)


def test_rows_and_copies_of_a_scan(counts: Counts) -> None:
    """Rows of 12 bytes are copied, whose nodes are told too; rows of 16 are pointers."""
    for columns in (3, 4):

        def run(s: Any, xs: Any) -> Any:
            return graphc.scan(lambda s, x: (np.tanh(s + x), s * x), s, xs)

        program, wanted = graphc.jit(run, device="cuda"), graphc.jit(run)
        kept = []
        for k in range(8):
            given = random(columns), random(5, columns) + np.float32(k)
            arrays = [device_put(a) for a in given]
            kept.append((given, arrays, program(*arrays)))
        for given, _, found in kept:
            for a, b in zip(found, wanted(*given), strict=True):
                np.testing.assert_allclose(a.numpy(), b, rtol=1e-5)
    assert counts.captures == 2 and counts.replays == 14


def test_donated_arguments(counts: Counts) -> None:
    def step(w: Any, x: Any) -> Any:
        return w - np.float32(0.1) * np.tanh(x @ w), (x @ w).sum()

    program = graphc.jit(step, device="cuda", donate="w")
    w, expected, losses = device_put(random(6, 6)), random(6, 6), []
    for k in range(10):
        x = random(6, 6) + np.float32(k)
        w, loss = program(w, device_put(x))
        expected, wanted = step(expected, x)
        losses.append((loss, wanted))
    assert counts.captures <= 2 and counts.replays == 9
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-3, atol=1e-4)
    for loss, wanted in losses:
        np.testing.assert_allclose(loss.numpy(), wanted, rtol=1e-3, atol=1e-3)


def test_errors_are_reported_from_moved_graphs() -> None:
    program = graphc.jit(lambda x, i: np.sort(x[i] * 2), device="cuda")
    x, kept = device_put(random(10, 3)), []
    for k in (1, 2, 3, 10, 4):
        i = np.array([0, k])
        kept.append(program(x, device_put(i)))
        if k == 10:
            with pytest.raises(IndexError, match="out of bounds for axis 0 with size 10"):
                kept[-1].numpy()
        else:
            np.testing.assert_array_equal(kept[-1].numpy(), np.sort(x.numpy()[i] * 2))


def test_what_a_body_uses_stays(counts: Counts) -> None:
    """Nodes in the bodies of conditional nodes are not told: `x` may lie elsewhere, `y` not."""

    def run(x: Any, y: Any) -> Any:
        y = graphc.while_loop(lambda s: s.max() < 9, lambda s: s * 2 + 1, y)
        return np.tanh(x @ x), y

    program, wanted = graphc.jit(run, device="cuda"), graphc.jit(run)
    y = random(4) + np.float32(1)

    def called(x: DeviceArray, y: DeviceArray) -> None:
        for a, b in zip(program(x, y), wanted(x.numpy(), y.numpy()), strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-5)

    here, held = device_put(y), []
    x = device_put(random(4, 4))
    called(x, here)
    called(x, here)
    assert counts.captures == 1 and counts.replays == 1
    for k in range(4):
        held.append(device_put(random(4, 4) + np.float32(k)))
        called(held[-1], here)
    assert counts.captures == 1 and counts.replays == 5 and counts.told
    replays = counts.replays
    called(x, device_put(y * 3))
    assert counts.replays in (replays, replays + 1)  # the body's operand may be copied before


def test_products_of_the_library_stay(counts: Counts) -> None:
    """Their nodes are not known, so a graph stays where they read and write."""

    def run(x: Any, w: Any, b: Any) -> Any:
        return np.tanh(x @ w) + b

    program = graphc.jit(run, device="cuda", library=True)
    x, w = device_put(random(40, 40)), device_put(random(40, 40))
    kept = []
    for k in range(6):  # the product is in the arena
        b = device_put(random(40) + np.float32(k))
        kept.append((b, program(x, w, b)))
    assert counts.captures == 1 and counts.replays == 5
    for b, found in kept:
        wanted = run(x.numpy(), w.numpy(), b.numpy())
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)
    replays, elsewhere = counts.replays, device_put(random(40, 40) * 2)
    found = program(elsewhere, w, kept[0][0])
    assert counts.replays == replays
    wanted = run(elsewhere.numpy(), w.numpy(), kept[0][0].numpy())
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_the_stand_in_refuses_nodes_of_bodies(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """So a body's nodes that are told something would show here."""
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")
    put = cuda_graphs.Capture.put

    def as_if_outside(self: Any, values: Any, is_copy: bool = False) -> None:
        inside, self._streams = self._streams, self._streams[-1:]
        try:
            put(self, values, is_copy)
        finally:
            self._streams = inside

    monkeypatch.setattr(cuda_graphs.Capture, "put", as_if_outside)
    monkeypatch.setattr(cuda_decisions, "_said", set())
    program = graphc.jit(
        lambda x: graphc.while_loop(lambda s: s.max() < 9, lambda s: s * 2 + 1, x), device="cuda"
    )
    x, kept = device_put(random(4)), []
    with pytest.warns(UserWarning, match="cuGraphKernelNodeGetParams|SetParams_v2 failed"):
        for _ in range(2):
            program(x)
        for _ in range(3):  # the loop's result is elsewhere
            kept.append(program(x))
    assert "it is in a body" in capfd.readouterr().err


# ------------------------------------------------------------------------ drivers that do not do it


def refusing(
    monkeypatch: pytest.MonkeyPatch, refused: str, error: Exception, times: int = 1 << 30
) -> list[str]:
    """The driver refuses a call so often; gives the calls that it refused."""
    call, seen = cuda_graphs.Calls.call, []

    def refuse(self: Any, name: str, *arguments: Any) -> None:
        if name == refused and len(seen) < times:
            seen.append(name)
            raise error
        call(self, name, *arguments)

    monkeypatch.setattr(cuda_graphs.Calls, "call", refuse)
    monkeypatch.setattr(cuda_decisions, "_said", set())
    return seen


def called(program: Callable[..., Any], times: int) -> None:
    x, w, kept = device_put(random(16, 16)), device_put(random(16, 16)), []
    for _ in range(times):
        kept.append(program(x, w))
    for one in kept:
        np.testing.assert_allclose(one.numpy(), layers(x.numpy(), w.numpy()), rtol=1e-4, atol=1e-5)


def test_a_graph_without_memory_is_launched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    error = cuda.OutOfDeviceMemory("cuGraphInstantiateWithFlags failed: out of memory (error 2)")
    seen = refusing(monkeypatch, "cuGraphInstantiateWithFlags", error)
    program = graphc.jit(layers, device="cuda")
    with pytest.warns(UserWarning, match="one by one, without a CUDA graph: .* out of memory"):
        called(program, 3)
    called(program, 3)
    assert len(seen) == 2  # with what the pool held, and without


def test_a_graph_that_is_not_brought_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    error = cuda.OutOfDeviceMemory("cuGraphLaunch failed: out of memory (error 2)")
    seen = refusing(monkeypatch, "cuGraphLaunch", error)
    program = graphc.jit(layers, device="cuda")
    with pytest.warns(UserWarning, match="one by one, without a CUDA graph: cuGraphLaunch failed"):
        called(program, 4)
    assert len(seen) == 1


def test_what_the_pool_holds_is_freed_for_a_graph(
    monkeypatch: pytest.MonkeyPatch, counts: Counts
) -> None:
    error = cuda.OutOfDeviceMemory("cuGraphInstantiateWithFlags failed: out of memory (error 2)")
    seen = refusing(monkeypatch, "cuGraphInstantiateWithFlags", error, 1)
    called(graphc.jit(layers, device="cuda"), 4)
    assert len(seen) == 1 and counts.replays == 3


def test_the_driver_says_when_memory_is_out() -> None:
    class Empty:
        def cuMemAlloc(self) -> int:
            return 2

        def cuGetErrorString(self, *_: Any) -> int:
            return 0

    calls = cuda_graphs.Calls()
    calls.library = Empty()  # type: ignore[assignment]
    with pytest.raises(cuda.OutOfDeviceMemory, match=r"cuMemAlloc failed: .*\(error 2\)"):
        calls.call("cuMemAlloc")


def test_a_node_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    error = cuda.DeviceError("cuGraphExecKernelNodeSetParams_v2 failed: not supported (error 801)")
    seen = refusing(monkeypatch, "cuGraphExecKernelNodeSetParams_v2", error)
    program = graphc.jit(layers, device="cuda")
    with pytest.warns(UserWarning, match="one by one, .* cuGraphExecKernelNodeSetParams_v2 failed"):
        called(program, 4)
    called(program, 3)
    assert len(seen) == 1


def test_a_driver_that_tells_nothing(monkeypatch: pytest.MonkeyPatch, counts: Counts) -> None:
    """Its graphs are for the addresses of their capture."""
    monkeypatch.setattr(cuda_graphs, "MOVING_CALLS", ("cuGraphOfMine",))
    program = graphc.jit(layers, device="cuda")
    called(program, 6)
    assert counts.captures == 1 and counts.replays == 1
    x, w = device_put(random(16, 16)), device_put(random(16, 16))
    for _ in range(4):
        program(x, w).numpy()
    assert counts.replays >= 3 and not counts.told


def test_the_structures_are_those_of_cuda_h() -> None:
    import ctypes

    assert ctypes.sizeof(cuda_moves._KernelParams) == 72
    assert cuda_moves._KernelParams.pointers.offset == 40
    assert ctypes.sizeof(cuda_moves._CopyParams) == 200
    side = cuda_moves._Side
    assert [getattr(side, n).offset for n in ("kind", "host", "device", "pitch")] == [
        32,
        40,
        48,
        72,
    ]
    assert cuda_moves._CopyParams.width.offset == 176
