"""What goes wrong on a device: which call, which line, and what can still be used afterwards."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda

import graphc
from graphc import DeviceError, OutOfDeviceMemory, device_put
from graphc.errors import LoweringError

from . import standin


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


# --------------------------------------------------------------------------------------- refused


class Lent:
    """An array of another library that may not be written."""

    def __init__(self, array: graphc.DeviceArray):
        self._array = array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        facts = self._array.__cuda_array_interface__
        return {**facts, "stream": None, "data": (self._array.pointer, True)}


def test_an_array_that_is_only_to_be_read_is_not_donated() -> None:
    step = graphc.jit(lambda w, g: w - g, device="cuda", donate="w")
    w = random(40, 3)
    mine = device_put(w)
    for given in (Lent(mine), device_put(Lent(mine))):
        with pytest.raises(DeviceError, match=r"^w is donated, .* only to be read.* copy"):
            step(given, w)
    np.testing.assert_array_equal(mine.numpy(), w)
    np.testing.assert_array_equal(step(device_put(Lent(mine)).copy(), w).numpy(), w - w)
    np.testing.assert_array_equal(step(mine, w).numpy(), w - w)


def test_linear_algebra_is_refused_with_the_line() -> None:
    def program(x: Any) -> Any:
        y = x + 1
        return np.linalg.inv(y) * 2

    match = r"test_errors\.py:\d+.*linear algebra runs through LAPACK"
    for run in (
        lambda: graphc.jit(program, device="cuda")(random(9, 9)),
        lambda: graphc.jit(program).lower(graphc.spec("f32[9, 9]")).text("cuda"),
    ):
        with pytest.raises(LoweringError, match=match):
            run()


# ---------------------------------------------------------------------------------------- memory


def line(function: Any, offset: int = 0) -> str:
    """A line of a function, as messages name it, for a regular expression."""
    return rf"test_errors\.py:{function.__code__.co_firstlineno + offset}\b"


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device has 1 MiB more than it has given away."""
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")
    gc.collect()
    device = cuda.device()
    device.free_held()
    with device.active():
        free, total = device._driver.mem_get_info()
    monkeypatch.setenv("FAKE_CUDA_BYTES", str(total - free + (1 << 20)))


def test_without_memory_nothing_is_donated(little: None) -> None:
    def step(x: Any) -> Any:
        y = x + 1
        return y, np.concatenate([x] * 64)

    program = graphc.jit(step, device="cuda", donate="x")
    x = random(100, 100)
    given = device_put(x)
    match = (
        rf"step\(f32\[100, 100\]\): result 1 of 2 \(.*{line(step, 2)}.*2560000 bytes are not free"
    )
    with pytest.raises(OutOfDeviceMemory, match=match):
        program(given)
    np.testing.assert_array_equal(given.numpy(), x)
    again = graphc.jit(lambda x: x + 1, device="cuda", donate="x")(given)
    np.testing.assert_array_equal(again.numpy(), x + 1)


def test_without_memory_the_largest_temporary_is_named(little: None) -> None:
    def total(x: Any, w: Any) -> Any:
        small = np.tanh(x @ w)
        large = small[:, :, None] @ small[:, None, :]
        return (large @ large @ large[:, :, 0, None]).sum()

    x, w = random(40, 30), random(30, 80)
    given = [device_put(a) for a in (x, w)]
    match = (
        rf"total\(.*\): temporaries, the largest of 1024000 bytes \(.*{line(total, 2)}.*not free"
    )
    with pytest.raises(OutOfDeviceMemory, match=match):
        graphc.jit(total, device="cuda")(*given)
    np.testing.assert_array_equal(given[0].numpy(), x)


def test_without_memory_the_temporary_of_a_loop_is_named(little: None) -> None:
    def run(x: Any) -> Any:
        y = np.sort(x, axis=1)
        return graphc.scan(lambda s, r: (s @ s, r.sum()), y, y)[1]

    match = rf"run\(.*\): temporaries, the largest of 1000000 bytes \(.*{line(run, 1)}.*not free"
    with pytest.raises(OutOfDeviceMemory, match=match):
        graphc.jit(run, device="cuda")(random(500, 500))
