"""What goes wrong on a device: which call, which line, and what can still be used afterwards."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, gpu_program

import graphc
from graphc import DeviceError, OutOfDeviceMemory, device_put
from graphc.errors import LoweringError
from tests.aot.test_gpu_program import shipped

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


# ------------------------------------------------------------------------------- errors of kernels


def pick(x: Any, i: Any) -> Any:
    return np.tanh(x[i]).sum(axis=0) * 2  # two kernels, or three: a call is replayed


@pytest.mark.parametrize("order", ["in order", "the other way round"])
def test_the_call_is_blamed_whose_error_it_is(order: str) -> None:
    program = graphc.jit(pick, device="cuda")
    x = random(10, 3)
    given = device_put(x)
    indices = [[1, 11], [1, 2], [-11, 3], [4, 4]]
    found = [program(given, np.array(i)) for i in indices]
    pairs = list(zip(found, indices, strict=True))
    for array, i in pairs if order == "in order" else pairs[::-1]:
        for _ in range(2):  # it is not forgotten
            if max(map(abs, i)) > 10:
                with pytest.raises(IndexError, match="out of bounds for axis 0 with size 10"):
                    array.numpy()
            else:
                np.testing.assert_allclose(array.numpy(), pick(x, i), rtol=1e-5)


def test_the_call_is_blamed_where_calls_are_replayed() -> None:
    program = graphc.jit(lambda x, i: np.tanh(np.sort(x, axis=0)[i]), device="cuda")
    x, i = device_put(random(10, 3)), device_put(np.array([1, 2]))
    places = [program(x, i) for _ in range(2)]
    for k in range(6):  # the results of the call before are read after the next call
        x.device.upload(i.pointer, np.array([k, 5 + k * 2]))
        before, places[k % 2] = places[k % 2], None
        del before
        places[k % 2] = program(x, i)
        if k:
            last = places[(k - 1) % 2]
            if 5 + (k - 1) * 2 >= 10:
                with pytest.raises(IndexError):
                    last.numpy()
            else:
                assert last.numpy().shape == (2, 3)
    (made,) = program.__dict__["_front"]._programs.values()
    assert any(made.executable._variant(()).runner.graphs.values())


def test_what_is_made_of_a_wrong_result_is_wrong() -> None:
    program, step = (graphc.jit(f, device="cuda") for f in (pick, lambda x: x + 1))
    x = device_put(random(10, 3))
    bad, good = program(x, np.array([12])), program(x, np.array([3]))
    for array in (step(step(bad)), bad.copy(), step(bad)):
        with pytest.raises(IndexError):
            array.numpy()
    assert step(step(good)).numpy().shape == (3,)


def test_a_singular_matrix_is_an_error_of_linear_algebra() -> None:
    program = graphc.jit(np.linalg.solve, device="cuda")
    x, b = np.stack([np.eye(3)] * 40), random(40, 3, 1).astype(float)
    bad, good = program(np.concatenate([x[1:], np.ones((1, 3, 3))]), b), program(x, b)
    np.testing.assert_array_equal(good.numpy(), b)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        bad.numpy()


def test_a_launch_that_is_refused_blames_no_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernels before it reported is nobody's."""
    program = graphc.jit(lambda x, i: np.sort(np.sort(x[i], axis=0), axis=1), device="cuda")
    x = random(10, 3)
    program(x, np.array([1]))
    original, launched = cuda.Device.launch, []

    def refuse(self: Any, *arguments: Any) -> None:
        if launched:
            raise RuntimeError("too many resources requested for launch")
        launched.append(1)
        original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(cuda.Device, "launch", refuse)
        with pytest.raises(DeviceError, match="too many resources"):
            program(x, np.array([77]))
    assert launched and program(x, np.array([2])).numpy().shape == (1, 3)


def test_states_of_many_steps_remember_no_step_that_went_well() -> None:
    step = graphc.jit(lambda s, i: s + s[i].sum(), device="cuda")
    state = device_put(random(4))
    for k in range(50):
        state = step(state, np.array([k % 4]))
        state.device.synchronize()
        assert len(state.watches) <= 2
    assert np.isfinite(state.numpy()).all()
    for k in range(50):
        state = step(state, np.array([4 + k]))
        state.device.synchronize()
        assert len(state.watches) <= 2
    with pytest.raises(IndexError, match=r"out of bounds for axis 0 with size 4"):
        state.numpy()


def test_words_are_used_again_once_the_device_has_written_them() -> None:
    words = cuda.device().words
    first = words.take()
    assert first.value is None
    where = first.place
    del first  # the device may write it still
    held = [words.take() for _ in range(2000)]
    assert where not in {one.place for one in held}
    assert len({one.place for one in held}) == 2000
    one = held.pop()
    one.array[0] = 0
    assert one.value == 0
    where = one.place
    del one
    held += [words.take() for _ in range(4000)]
    assert len({one.place for one in held}) == len(held)
    assert where in {one.place for one in held}


# ------------------------------------------------------------------------- a device that fails


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, a kernel that was launched before has failed."""
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")
    cuda.device().synchronize()
    return lambda: monkeypatch.setenv("FAKE_CUDA_FAULT", "1")


def first(x: Any) -> Any:
    return np.sort(x, axis=0)


def second(x: Any) -> Any:
    y = np.sort(x, axis=1)
    return np.tanh(y @ y.T)


READS: dict[str, Callable[[Any], Any]] = {
    "read": lambda x: x.numpy(),
    "copied": lambda x: x.copy(),
    "a launch": graphc.jit(lambda x: x + 1, device="cuda"),
    "an upload": lambda x: device_put(np.ones(3)),
}


@pytest.mark.parametrize("how", READS)
def test_a_failure_names_the_calls_that_ran(
    how: str, fault: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (graphc.jit(f, device="cuda") for f in (first, second))
    x = device_put(random(8, 8))
    READS[how](x)
    before, done = one(x), two(x)
    done.numpy()  # waits: both have gone well
    for _ in range(3):
        made = two(x)
    fault()
    with pytest.raises(DeviceError, match="illegal memory access") as caught:
        READS[how](made)
    text = str(caught.value)
    assert "one of the calls" in text and "sort" in text and "tanh" in text
    assert re.search(line(second, 1), text) and re.search(line(second, 2), text), text
    assert not re.search(line(first, 1), text), "it went well before"
    assert before.shape == x.shape
    monkeypatch.delenv("FAKE_CUDA_FAULT")  # a real device stays as it is
    np.testing.assert_allclose(one(x).numpy(), first(x.numpy()))


def test_a_refusal_blames_no_call_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    x = device_put(random(8, 8))
    two = graphc.jit(second, device="cuda")
    two(x)

    def refuse(*_: Any) -> None:
        raise RuntimeError("too many resources requested for launch")

    monkeypatch.setattr(cuda.Device, "launch", refuse)
    with pytest.raises(DeviceError, match=r"too many resources requested for launch$"):
        graphc.jit(first, device="cuda")(x)


def test_the_calls_that_run_are_few_to_remember() -> None:
    device = cuda.device()
    device.synchronize()
    programs = [graphc.jit(f, device="cuda") for f in (first, second)]
    x = device_put(random(8, 8))
    for _ in range(20):
        for program in programs:
            program(x)
    assert len(device._running) == 2
    device.synchronize()
    assert not device._running


def test_an_artifact_names_its_calls(fault: Callable[[], None]) -> None:
    plan, code, constants = shipped(second, "f32[8, 8]")
    program = gpu_program.GpuProgram("second", plan, code, constants)
    x, out = random(8, 8), np.empty((8, 8), np.float32)
    program([x], [out], {})
    original = cuda.Device.download

    def download(*arguments: Any) -> None:
        fault()
        original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda.Device, "download", download)
        with pytest.raises(cuda.DeviceError, match=rf"second: .*sort.*{line(second, 1)}"):
            program([x], [out], {})
