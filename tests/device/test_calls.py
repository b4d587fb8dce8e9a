"""`graphc.jit(device="cuda")`: values, arrays, errors, memory, replay; on the device of this
machine or on the stand-in."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, gpu_run

import graphc
from graphc import DeviceArray, DeviceError, NonFiniteError, OutOfDeviceMemory, device_put
from graphc.device import build
from graphc.device.loaded import LoadedProgram
from graphc.types import BF16


def random(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


@graphc.jit(device="cuda")
def layer(x, w, b):
    return np.tanh(x @ w + b).sum(axis=1), x * 2


def test_values() -> None:
    x, w, b = random(33, 20), random(20, 40), random(40)
    total, twice = layer(*(device_put(a) for a in (x, w, b)))
    assert isinstance(total, DeviceArray) and total.shape == (33,)
    np.testing.assert_allclose(total.numpy(), np.tanh(x @ w + b).sum(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(twice.numpy(), x * 2)


def test_products_by_wgmma_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """By GRAPHC_WGMMA; then the kernel is for the device's architecture alone."""
    if cuda.device().arch != "sm_90":
        pytest.skip(f"wgmma is for sm_90, the device is {cuda.device().arch}")
    x, w, b = (random(*s, dtype=np.float16) for s in ((70, 136), (136, 264), (264,)))
    built: list[str] = []
    cubin = build._cubin

    def compiled(source: str, arch: str, driver: int) -> bytes:
        built.append(arch)
        return cubin(source, arch, driver)

    monkeypatch.setattr(build, "_cubin", compiled)
    for asked, arch in (("0", "sm_90"), ("1", "sm_90a")):
        monkeypatch.setenv("GRAPHC_WGMMA", asked)
        program = graphc.jit(lambda x, w, b: np.maximum(x @ w + b, 0), device="cuda")
        found = program(*(device_put(a) for a in (x, w, b))).numpy()
        wanted = np.maximum(x.astype(np.float32) @ w.astype(np.float32) + b, 0)
        np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-2)
        assert built[-1] == arch


def test_arrays_of_the_host_are_copied() -> None:
    x, w, b = random(8, 20), random(20, 40), random(40)
    np.testing.assert_array_equal(layer(x, w, b)[1].numpy(), x * 2)


def test_every_dtype_comes_and_goes() -> None:
    for name in ("bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32",
                 "f64", "c64", "c128"):  # fmt: skip
        dtype = graphc.types.dtype(name).numpy  # type: ignore[attr-defined]
        x = (random(3, 5) > 0) if name == "bool" else (100 * abs(random(3, 5))).astype(dtype)
        found = graphc.jit(lambda a: a[::-1], device="cuda")(device_put(x))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.numpy(), x[::-1])


def test_empty_arrays_and_scalars() -> None:
    double = graphc.jit(lambda x: x * 2, device="cuda")
    assert double(np.zeros((0, 3), np.float32)).numpy().shape == (0, 3)
    assert double(np.float32(4)).numpy() == 8 and double(3.0) == 6
    assert double(np.float32(4)).shape == ()


def test_symbolic_extents() -> None:
    program = graphc.jit(
        lambda x, y: (x @ y).sum(axis=0) + x.shape[0], device="cuda",
        dims={"x": ("n", "k"), "y": ("k", None)},
    )  # fmt: skip
    for n, k in ((3, 4), (70, 65), (1, 1)):
        x, y = random(n, k), random(k, 6)
        wanted = (x @ y).sum(axis=0) + n
        np.testing.assert_allclose(program(x, y).numpy(), wanted, rtol=1e-4, atol=1e-4)
    assert program.cache_info().programs == 1


def test_constants_are_kept_on_the_device() -> None:
    table = random(300, 40)
    program = graphc.jit(lambda x: x + (table * 2).sum(axis=0), device="cuda")
    x = random(5, 40)
    for _ in range(3):
        np.testing.assert_allclose(program(x).numpy(), x + (table * 2).sum(axis=0), rtol=1e-5)


# ---------------------------------------------------------------------------------------- replay


def test_equal_addresses_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    replays = []
    original = cuda.Device.replay

    def counted(self: Any, graph: Any) -> None:
        replays.append(graph)
        original(self, graph)

    monkeypatch.setattr(cuda.Device, "replay", counted)
    program = graphc.jit(lambda x, w: np.tanh(np.tanh(x @ w) @ w), device="cuda")
    x, w = device_put(random(64, 64)), device_put(random(64, 64) / 8)
    wanted = np.tanh(np.tanh(x.numpy() @ w.numpy()) @ w.numpy())
    for _ in range(6):
        found = program(x, w)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert len(replays) >= 3 and len(set(map(id, replays))) <= gpu_run.PLACES
    # the graph reads what the arrays hold when it runs
    x.device.upload(x.pointer, np.zeros((64, 64), np.float32))
    np.testing.assert_array_equal(program(x, w).numpy(), 0)


def test_few_graphs_are_kept() -> None:
    program = graphc.jit(lambda x, w: np.tanh(x @ w) @ w, device="cuda")
    w, held = device_put(random(16, 16)), []
    for _ in range(20):
        held.append(program(device_put(random(16, 16)), w))
        program(held[-1], w)
    (made,) = program.__dict__["_front"]._programs.values()
    loaded: LoadedProgram = made.executable._variant(())
    assert len(loaded.runner.graphs) <= 8


def test_equal_kernels_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    cubin = build._cubin

    def compiled(source: str, arch: str, driver: int) -> bytes:
        built.append(source)
        return cubin(source, arch, driver)

    monkeypatch.setattr(build, "_cubin", compiled)
    xs = [random(7) + np.float32(k) for k in range(12)]
    program = graphc.jit(
        lambda xs: [x * 2 if k % 3 else x * 3 for k, x in enumerate(xs)], device="cuda"
    )
    for k, found in enumerate(program(xs)):
        np.testing.assert_array_equal(found.numpy(), xs[k] * (2 if k % 3 else 3))
    assert len(built) == len(set(built)) == 2


# ---------------------------------------------------------------------------------------- errors


def test_an_index_out_of_bounds_is_raised_where_the_result_is_read() -> None:
    pick = graphc.jit(lambda x, i: x[i] * 2, device="cuda")
    x = random(10, 3)
    bad = pick(x, np.array([1, 10]))
    with pytest.raises(IndexError, match=r"out of bounds for axis 0 with size 10.*test_calls"):
        bad.numpy()
    np.testing.assert_array_equal(pick(x, np.array([1, 9])).numpy(), x[[1, 9]] * 2)
    later = graphc.jit(lambda x: x + 1, device="cuda")(pick(x, np.array([11])))
    with pytest.raises(IndexError):
        later.numpy()


def test_the_first_nan_is_blamed() -> None:
    program = graphc.jit(lambda x: np.log(x) + 1, device="cuda", debug="nan")
    with pytest.raises(NonFiniteError, match="log"):
        program(np.array([1.0, -1.0])).numpy()
    assert np.isfinite(program(np.array([1.0, 2.0])).numpy()).all()


def test_no_memory_is_an_error_that_leaves_the_context_usable() -> None:
    big = graphc.jit(lambda x: np.broadcast_to(x, (1 << 20, 1 << 20)) + 1, device="cuda")
    with pytest.raises(OutOfDeviceMemory, match=r"<lambda>\(f64\[1048576\]\)"):
        big(np.zeros(1 << 20))
    assert graphc.jit(lambda x: x + 1, device="cuda")(1.0) == 2


def test_a_launch_that_is_refused_names_kernel_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    program = graphc.jit(lambda x: np.tanh(x), device="cuda")
    program(random(4))

    def refuse(*_: Any) -> None:
        raise RuntimeError("too many resources requested for launch")

    monkeypatch.setattr(cuda.Device, "launch", refuse)
    with pytest.raises(DeviceError, match=r"kernel k\d+_tanh \(.*test_calls.py:\d+.*too many"):
        program(random(4))


def test_host_and_device_are_not_mixed() -> None:
    x = device_put(random(4))
    with pytest.raises(TypeError, match=r'on a CUDA device; write jit\(\.\.\., device="cuda"\)'):
        graphc.jit(lambda a: a + 1)(x)
    with pytest.raises(TypeError, match=r"x\.numpy\(\)"):
        np.asarray(x)
    with pytest.raises(TypeError, match="expected one of None, 'cuda'"):
        graphc.jit(lambda a: a, device="gpu")
    with pytest.raises(TypeError, match="runs on the processor"):
        graphc.jit(lambda a: a, device="cuda", tune=True)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(number: int = 0) -> None:
        raise cuda.DeviceError("pycuda.driver cannot be imported: no module")

    monkeypatch.setattr(cuda, "device", missing)
    with pytest.raises(DeviceError, match=r"needs pycuda \(pip install .graphc\[cuda\].*no module"):
        graphc.jit(lambda a: a, device="cuda")(random(3))


# ---------------------------------------------------------------------------------------- memory


def test_memory_is_given_back() -> None:
    program = graphc.jit(lambda x: np.tanh(x).sum(axis=0), device="cuda")
    x = device_put(random(100, 100))
    program(x)
    gc.collect()
    before = x.device.pool.active_bytes
    for _ in range(10):
        program(x)
    gc.collect()
    assert x.device.pool.active_bytes <= before + 4096


def test_peak_bytes() -> None:
    program = graphc.jit(lambda x: np.tanh(x @ x) @ x, device="cuda")
    x = random(64, 64)
    program(x)
    (made,) = program.__dict__["_front"]._programs.values()
    assert made.executable.peak_bytes == 2 * 64 * 64 * 4
    assert "a call needs 32768 bytes beside its arguments" in program.explain(x)


def test_a_donated_array_is_written_over() -> None:
    step = graphc.jit(lambda w, g: w - 0.5 * g, device="cuda", donate="w")
    w, g = random(40, 3), random(40, 3)
    given = device_put(w)
    pointer = given.pointer
    made = step(given, g)
    assert made.pointer == pointer
    np.testing.assert_allclose(made.numpy(), w - np.float32(0.5) * g, rtol=1e-6)
    with pytest.raises(DeviceError, match="donated"):
        given.numpy()


# -------------------------------------------------------------------------------- other libraries


class Foreign:
    """An array of another library, by the CUDA array interface."""

    def __init__(self, array: DeviceArray, **facts: Any):
        self._array = array
        self.__dict__["facts"] = {**array.__cuda_array_interface__, "stream": None, **facts}

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.__dict__["facts"]


def test_the_array_interface_is_taken_without_a_copy() -> None:
    x = random(6, 8)
    mine = device_put(x)
    assert device_put(Foreign(mine)).pointer == mine.pointer
    double = graphc.jit(lambda a: a * 2, device="cuda")
    np.testing.assert_array_equal(double(Foreign(mine)).numpy(), x * 2)
    # every other column, the rows backwards, from the second element on
    strides = (-32, 8)
    turned = Foreign(mine, shape=(6, 3), strides=strides, data=(mine.pointer + 5 * 32 + 4, False))
    np.testing.assert_array_equal(double(turned).numpy(), x[::-1, 1:7:2] * 2)
    np.testing.assert_array_equal(device_put(turned).numpy(), x[::-1, 1:7:2])
    facts = double(Foreign(mine)).__cuda_array_interface__
    assert facts["version"] == 3 and facts["stream"] == mine.device.stream.handle


@pytest.mark.parametrize("dtype, precision", (("f4", "tf32"), ("f8", None)))
def test_tensor_cores_multiply_arrays_of_any_strides(dtype: str, precision: str | None) -> None:
    """Numbers of 4 or 8 bytes are copied one by one: from the second on, backwards, turned."""
    x, w = random(40, 51).astype(dtype), random(50, 24).astype(dtype)
    size = x.itemsize
    mine = device_put(x)
    place = mine.pointer + 39 * 51 * size + size
    turned = Foreign(mine, shape=(20, 50), strides=(-2 * 51 * size, size), data=(place, False))
    columns = Foreign(device_put(w), shape=(24, 50), strides=(size, 24 * size))
    product = graphc.jit(lambda a, b: a @ b.T, device="cuda", library=False, precision=precision)
    expected = x[::-2, 1:].astype("f8") @ w.astype("f8")
    found = product(turned, columns).numpy()
    assert found.dtype == x.dtype
    error = np.abs(found - expected).max()
    assert 2.0**-14 < error < 50 * 2.0**-10 if precision else error < 1e-13
    (made,) = product.__dict__["_front"]._programs.values()
    kernels = [one.kernel.source for v in made.executable._variants.values()
               for one in v.plan.launches]  # fmt: skip
    assert all(f"gc_mma_{precision or 'f64'}(" in text for text in kernels) and kernels


class Capsules:
    """An array of another library that speaks DLPack alone."""

    def __init__(self, array: DeviceArray):
        self._array, self.shape, self.dtype = array, array.shape, f"lib.{array.dtype}"

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)


@pytest.mark.parametrize("dtype", (np.float32, BF16.numpy, np.int8, np.complex64), ids=str)
def test_dlpack_both_ways(dtype: Any) -> None:
    from graphc.device import interchange

    x = (10 * random(4, 5)).astype(dtype)
    mine = device_put(x)
    back = device_put(Capsules(mine))
    assert back.pointer == mine.pointer and back.dtype == x.dtype and back.shape == (4, 5)
    found = graphc.jit(lambda a: a[1:], device="cuda")(Capsules(mine))
    np.testing.assert_array_equal(found.numpy(), x[1:])
    del back, found
    gc.collect()
    assert not interchange._lent


def test_calls_from_another_thread() -> None:
    found: list[np.ndarray] = []
    x, w, b = random(8, 20), random(20, 40), random(40)

    def work() -> None:
        found.append(layer(device_put(x), w, b)[1].numpy())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], x * 2)
    np.testing.assert_array_equal(layer(x, w, b)[1].numpy(), x * 2)


@pytest.mark.filterwarnings("ignore")
def test_other_libraries_of_this_machine() -> None:
    """torch and CuPy, where they are installed and have a device: no copies, both ways."""
    x = device_put(random(4, 5))
    tried = 0
    for name in ("torch", "cupy"):
        try:
            library = __import__(name)
            theirs = library.from_dlpack(x)
            twice = theirs * 2
        except Exception as error:  # not there, or no device of its own: the stand-in is not CUDA
            assert not isinstance(error, AssertionError)
            continue
        tried += 1
        double = graphc.jit(lambda a: a * 2, device="cuda")
        np.testing.assert_array_equal(double(twice).numpy(), x.numpy() * 4)
        pointer = twice.data_ptr() if name == "torch" else twice.data.ptr
        assert device_put(twice).pointer == pointer
    assert tried in (0, 1, 2)
