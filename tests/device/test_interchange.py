"""Device arrays and the world: Python's numbers and copies, arrays of other libraries, what is
refused; on the device of this machine or on the stand-in."""

from __future__ import annotations

import copy
import gc
import pickle
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda

import graphc
from graphc import DeviceArray, DeviceError, TypeMismatch, device_put
from graphc.device import interchange
from graphc.types import F32

from . import standin


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


double = graphc.jit(lambda a: a * 2, device="cuda")


class Foreign:
    """An array of another library, by the CUDA array interface."""

    def __init__(self, array: DeviceArray, **facts: Any):
        self._array = array
        self._facts = {**array.__cuda_array_interface__, "stream": None, **facts}

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self._facts


# ------------------------------------------------------------------------------------ on the host


def test_a_single_element_is_a_number() -> None:
    one = double(np.float32(1.5))
    assert float(one) == 3.0 and int(one) == 3 and complex(one) == 3 and bool(one)
    assert not double(np.zeros((1, 1), np.float32))
    assert [10, 20, 30][device_put(np.int8(2))] == 30  # type: ignore[call-overload]
    assert f"{one:.2f} {double(numbers(2))}" == "3.00 " + repr(double(numbers(2)))
    with pytest.raises(TypeError, match="no index"):
        [10, 20][one]  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", (bool, int, float, complex))
def test_several_elements_are_none(kind: Any) -> None:
    with pytest.raises(TypeError, match="of 6 elements; only a single one is a number"):
        kind(device_put(numbers(2, 3)))


@pytest.mark.parametrize(
    "compute",
    (lambda x, y: y + x, lambda x, y: y @ x, lambda x, y: y < x, lambda x, y: y == x,
     lambda x, y: x == y, lambda x, y: 2 - x, lambda x, y: -x, lambda x, y: abs(x)),
)  # fmt: skip
def test_nothing_is_computed_on_the_host(compute: Any) -> None:
    x = device_put(numbers(3))
    for y in (numbers(3), 1.0, device_put(numbers(3))):
        with pytest.raises(TypeError, match=r"pass the array to a graphc\.jit\(device=.cuda"):
            compute(x, y)
    # nor is it a constant of a program
    with pytest.raises(TypeError, match=r"x\.numpy\(\)"):
        graphc.jit(lambda y: compute(x, y), device="cuda")(x)
    assert x == x and x != None and x != "x" and len({x, device_put(numbers(3))}) == 2  # noqa: E711


def test_copies_are_arrays_of_their_own() -> None:
    step = graphc.jit(lambda w: w + 1, device="cuda", donate="w")
    x = device_put(numbers(3, 4))
    turned = device_put(Foreign(x, shape=(4, 3), strides=(-4, 16), data=(x.pointer + 12, False)))
    copies = [x.copy(), copy.copy(x), copy.deepcopy({"w": x})["w"], turned.copy()]
    wanted = [numbers(3, 4)] * 3 + [numbers(3, 4).T[::-1]]
    step(x)
    for found, one in zip(copies, wanted, strict=True):
        np.testing.assert_array_equal(found.numpy(), one)
    np.testing.assert_array_equal(double(copies[-1]).numpy(), wanted[-1] * 2)
    with pytest.raises(DeviceError, match="donated"):
        copy.copy(x)
    assert device_put(numbers(0, 3)).copy().shape == (0, 3)


def test_a_device_array_is_not_pickled() -> None:
    with pytest.raises(TypeError, match=r"not pickled.*pickle x\.numpy\(\)"):
        pickle.dumps(device_put(numbers(3)))


def test_arrays_of_the_host() -> None:
    np.testing.assert_array_equal(device_put(numbers(5).astype(">f4")).numpy(), numbers(5))
    assert device_put(np.array(4, ">i2")).numpy() == 4
    with pytest.raises(TypeMismatch, match="MaskedArray; pass a plain array"):
        device_put(np.ma.array([1.0, 2.0], mask=[True, False]))
    with pytest.raises(TypeMismatch, match=r"not a dict; put the arrays of a container one by one"):
        device_put({"w": numbers(3)})


def test_no_memory_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    if standin.count("kernels") is None:
        pytest.skip("the stand-in alone has so much memory as it is told")
    device = cuda.device()
    driver: Any = import_module("pycuda.driver")
    gc.collect()
    device.free_held()
    has = device.pool.active_bytes
    with device.active():
        free, total = driver.mem_get_info()
    held = device_put(np.zeros(1 << 20, np.float32))
    del held  # which the pool keeps
    monkeypatch.setenv("FAKE_CUDA_BYTES", str((6 << 20) + total - free))
    large = np.zeros(5 << 18, np.float32)
    held = device_put(large)
    with pytest.raises(
        graphc.OutOfDeviceMemory,
        match=r"device_put of f32\[1310720\]: 5242880 bytes are not free: the device has \d+, of "
        rf"which \d+ are, and arrays and programs of this process have {has + (5 << 20)}",
    ):
        device_put(large)
    del held
    assert device_put(large).shape == (5 << 18,)


# ---------------------------------------------------------------------------------- lent to others


def test_what_is_exported() -> None:
    x = device_put(numbers(2, 3))
    facts = device_put(Foreign(x, data=(x.pointer, True))).__cuda_array_interface__
    assert facts["data"] == (x.pointer, True)
    assert device_put(numbers(0, 3)).__cuda_array_interface__["data"] == (0, False)


def test_a_capsule_is_what_was_asked_for() -> None:
    x = device_put(numbers(2, 3))
    with pytest.raises(BufferError, match=r"\(2, 0\).*not brought to \(1, 0\)"):
        x.__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError, match="read-only"):
        device_put(Foreign(x, data=(x.pointer, True))).__dlpack__()
    for copied in (False, True):
        capsule = x.__dlpack__(dl_device=(2, 0), max_version=(1, 0), copy=copied)
        lent = interchange._Taken(capsule, None)
        assert (lent.managed.tensor.data == x.pointer) is not copied


def test_a_capsule_that_is_refused_lends_nothing() -> None:
    """NumPy drops the capsule while it raises, when no Python code may run."""
    x = device_put(numbers(1000))
    with pytest.raises(RuntimeError, match="Unsupported device"):
        np.from_dlpack(x)
    x.__dlpack__()
    kept = x.__dlpack__()  # makes that of above forgotten
    assert len(interchange._lent) == 1
    lent = interchange._Taken(kept, None)
    del lent, kept
    gc.collect()
    assert not interchange._lent


# -------------------------------------------------------------------------------- taken from others


def test_what_lies_where_no_kernel_reads_is_refused() -> None:
    x = device_put(numbers(4, 4))
    for facts, error, text in (
        ({"data": (x.pointer + 2, False), "shape": (2,)}, DeviceError, "no multiple of its 4"),
        ({"data": (0, False)}, DeviceError, "no memory of a CUDA device at address 0x0"),
        ({"mask": x}, DeviceError, "has a mask"),
        ({"typestr": ">f4"}, TypeMismatch, "bytes are in the other order"),
        ({"typestr": "|V4"}, TypeMismatch, "no place in a graph"),
    ):
        with pytest.raises(error, match=text):
            double(Foreign(x, **facts))
    assert double(Foreign(x, data=(0, False), shape=(0, 4))).shape == (0, 4)
    np.testing.assert_array_equal(double(x).numpy(), numbers(4, 4) * 2)


def test_an_array_of_another_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if standin.count("kernels") is None:
        pytest.skip("the stand-in alone has a second device whenever it is asked to")
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "2")
    second = cuda.Device(1)
    memory = second.allocate(16)
    there = DeviceArray(second, memory, int(memory), F32, (4,))
    with pytest.raises(DeviceError, match="Foreign is on CUDA device 1; programs run on device 0"):
        double(Foreign(there))

    class Capsules:
        shape, dtype = (4,), "lib.float32"

        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 1

        def __dlpack__(self, **_: Any) -> Any:
            raise AssertionError

    with pytest.raises(DeviceError, match=r"DLPack device \(2, 1\).*run on CUDA device 0"):
        double(Capsules())


def test_an_array_of_another_context_is_refused() -> None:
    driver: Any = import_module("pycuda.driver")
    x = device_put(numbers(4))
    context = driver.Device(0).make_context()
    try:
        memory = driver.mem_alloc(16)
        with pytest.raises(DeviceError, match=r"another context.*import pycuda\.autoprimaryctx"):
            double(Foreign(x, data=(int(memory), False)))
        # the user's context is the current one still
        assert driver.Context.get_current() == context
        np.testing.assert_array_equal(double(x).numpy(), numbers(4) * 2)
        memory.free()
    finally:
        context.pop()


def test_the_others_stream_waits_before_memory_is_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver: Any = import_module("pycuda.driver")
    x, told = device_put(numbers(4)), []
    for name in ("wait_for", "launch", "let_wait"):
        original = getattr(cuda.Device, name)

        def noted(*args: Any, name: str = name, original: Any = original, **options: Any) -> Any:
            told.append((name, *(args[1:] if name != "launch" else ())))
            return original(*args, **options)

        monkeypatch.setattr(cuda.Device, name, noted)
    with x.device.active():
        stream = driver.Stream(1)
    double(Foreign(x, stream=stream.handle))
    assert told == [("wait_for", stream.handle), ("launch",), ("let_wait", stream.handle)]
    with x.device.active():
        del stream


def test_what_names_no_stream_comes_by_dlpack() -> None:
    """As torch's arrays do: DLPack says on which stream they are read."""
    x, asked = device_put(numbers(4)), []

    class Torch:
        shape, dtype = (4,), "torch.float32"

        @property
        def __cuda_array_interface__(self) -> dict[str, Any]:
            facts = x.__cuda_array_interface__
            return {name: facts[name] for name in ("shape", "typestr", "data", "strides")}

        def __dlpack_device__(self) -> tuple[int, int]:
            return x.__dlpack_device__()

        def __dlpack__(self, *, stream: int) -> Any:
            asked.append(stream)
            return x.__dlpack__(stream=stream)

    np.testing.assert_array_equal(double(Torch()).numpy(), numbers(4) * 2)
    assert asked == [1]
