"""Products by cuBLASLt: values, layouts, the choice, replay, and what goes wrong; with the library
of this machine or with the stand-in, which refuses what the library refuses."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda
from graphc_runtime.gpu_steps import Launch

import graphc
from graphc import DeviceError, OutOfDeviceMemory, device_put, doctor, nn
from graphc.compile import lower_graph
from graphc.device import cublas, program
from graphc.device.array import the_device
from graphc.device.plan import DevicePlan, plan_device
from graphc.device.products import Chosen, chooses_library
from graphc.device.steps import Product
from graphc.loops import scalar
from graphc.types import BF16, DTYPES

from . import standin
from .test_calls import Foreign

RTOL = {"f16": 2e-3, "bf16": 2e-2, "f32": 2e-6, "f64": 1e-14}
IS_STANDIN = cublas.environment.cublaslt_file() == str(standin._products())


@pytest.fixture(autouse=True)
def _library(device: cuda.Device) -> None:
    try:
        cublas.find(device.driver_version)
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the library's functions that are called."""
    made: list[str] = []
    original = cublas.Library.call

    def call(self: Any, doing: object, name: str, *arguments: Any) -> None:
        made.append(name)
        original(self, doing, name, *arguments)

    monkeypatch.setattr(cublas.Library, "call", call)
    return made


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the library had not been used yet."""
    monkeypatch.setattr(cublas.Handle, "_made", {})
    monkeypatch.setattr(program, "_noticed", set())
    yield


def numbers(*shape: int, dtype: str = "f32", seed: int = 0) -> np.ndarray:
    found = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return found.astype(DTYPES[dtype].numpy)


def close(found: Any, wanted: np.ndarray, dtype: str, terms: int) -> None:
    """Within the rounding of the sum and of the result."""
    wide = np.asarray(wanted, np.float64)
    allowed = RTOL[dtype] * max(1.0, float(np.abs(wide).max(initial=0))) * max(1, terms**0.5 / 4)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.numpy().astype(np.float64), wide, rtol=0, atol=allowed)


def same(
    function: Callable[..., Any], *arrays: np.ndarray, calls: list[str], products: int | None = 1,
    **options: Any,
) -> Any:  # fmt: skip
    """The function by the library, three times (launched, captured, replayed), against the
    evaluator. `products`: so many are the library's; None: any number."""
    by_library = graphc.jit(function, device="cuda", library=True, **options)
    given = [device_put(a) for a in arrays]
    wanted = graphc.jit(function, debug="evaluate", **options)(*arrays)
    for _ in range(3):
        found = by_library(*given)
        for f, w in zip(leaves(found), leaves(wanted), strict=True):
            names = [graphc.types.dtype(one.dtype).name for one in (f, arrays[0])]
            assert f.dtype == w.dtype
            close(f, w, max(names, key=RTOL.__getitem__), max(arrays[0].shape) ** (products or 1))
    if products is None:
        return by_library
    assert calls.count("cublasLtMatmul") >= products
    (made,) = by_library.__dict__["_front"]._programs.values()
    assert len(made.executable._variant(()).plan.products) == products
    return by_library


def leaves(tree: Any) -> list[Any]:
    return [x for one in tree for x in leaves(one)] if isinstance(tree, (tuple, list)) else [tree]


def plan(function: Callable[..., Any], *specs: Any, chosen: Chosen | None = None) -> DevicePlan:
    graph = graphc.jit(function).lower(*(graphc.spec(*s) for s in specs)).graph
    return plan_device(lower_graph(graph).optimised.graph, chosen=chosen or Chosen(always=True))


# ---------------------------------------------------------------------------------------- values

TURNS = list(product((False, True), repeat=3))


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("turns", TURNS, ids=str)
def test_transpositions(turns: tuple[bool, ...], dtype: str, calls: list[str]) -> None:
    """a, b and the result as they are, or turned; against NumPy."""
    a, b = numbers(33, 20, dtype=dtype), numbers(20, 17, dtype=dtype)
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    left, right, turned = turns

    def run(x: Any, z: Any) -> Any:
        found = (x.T if left else x) @ (z.T if right else z)
        return found.T if turned else found

    program = graphc.jit(run, device="cuda", library=True)
    given = device_put(a.T.copy() if left else a), device_put(b.T.copy() if right else b)
    for _ in range(3):
        close(program(*given), wanted.T if turned else wanted, dtype, 20)
    assert "cublasLtMatmul" in calls


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 64, 5), (7, 2, 1), (2, 3, 65), (64, 64, 64),
                                   (127, 129, 31), (5, 1000, 3)], ids=str)  # fmt: skip
@pytest.mark.parametrize("turns", TURNS, ids=str)
def test_odd_sizes(shape: tuple[int, int, int], turns: Any, calls: list[str]) -> None:
    m, k, n = shape
    left, right, turned = turns

    def run(x: Any, z: Any) -> Any:
        found = (x.T if left else x) @ (z.T if right else z)
        return found.T if turned else found

    a, b = numbers(k, m) if left else numbers(m, k), numbers(n, k) if right else numbers(k, n)
    # a vector's result that is turned has a loop of one iteration behind its sum, and stays here
    same(run, a, b, calls=calls, products=None if turned and 1 in (m, n) else 1)


BATCHES: dict[str, tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]] = {
    "both": (lambda a, b: a @ b, (5, 9, 12), (5, 12, 7)),
    "two axes": (lambda a, b: a @ b, (2, 3, 9, 12), (2, 3, 12, 7)),
    "right is shared": (lambda a, b: a @ b, (5, 9, 12), (12, 7)),
    "left is shared": (lambda a, b: a @ b, (9, 12), (5, 12, 7)),
    "left turned": (lambda a, b: a.transpose(0, 2, 1) @ b, (5, 12, 9), (5, 12, 7)),
    "right turned": (lambda a, b: a @ b.transpose(0, 2, 1), (5, 9, 12), (5, 7, 12)),
    "heads": (lambda a, b: np.einsum("qhd,khd->hqk", a, b), (11, 4, 8), (13, 4, 8)),
    "heads back": (lambda a, b: np.einsum("hqk,khd->qhd", a, b), (4, 11, 13), (13, 4, 8)),
    "batch last": (lambda a, b: np.einsum("mkb,knb->bmn", a, b), (9, 12, 5), (12, 7, 5)),
    "result turned": (lambda a, b: (a @ b).transpose(0, 2, 1), (5, 9, 12), (5, 12, 7)),
    "tensordot": (lambda a, b: np.tensordot(a, b, 2), (9, 3, 4), (3, 4, 7)),
    "tensordot of first axes": (lambda a, b: np.tensordot(a, b, (0, 0)), (12, 9), (12, 7)),
    "slices": (lambda a, b: a[2:, 3:-1] @ b[1:9, 4:], (9, 12), (12, 20)),
    "every other row": (lambda a, b: a[::2] @ b[:, 1:], (9, 12), (12, 7)),
    "1x1 convolution": (
        lambda a, b: nn.conv(a, b), (2, 6, 5, 8), (1, 1, 8, 9),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f64"])
@pytest.mark.parametrize("name", BATCHES)
def test_batches_and_views(name: str, dtype: str, calls: list[str]) -> None:
    function, left, right = BATCHES[name]
    if name == "batch last":
        found = plan(function, (left, dtype), (right, dtype))
        assert len(found.launches) == 2, "no axis of a matrix is contiguous: they are copied"
    same(function, numbers(*left, dtype=dtype), numbers(*right, dtype=dtype, seed=1), calls=calls)


def test_results_may_be_wider(calls: list[str]) -> None:
    for dtype in ("f16", "bf16"):
        a, b = numbers(20, 70, dtype=dtype), numbers(70, 30, dtype=dtype)
        run = same(lambda x, z: np.matmul(x, z, dtype=np.float32), a, b, calls=calls)
        wanted = a.astype(np.float32) @ b.astype(np.float32)
        np.testing.assert_allclose(run(a, b).numpy(), wanted, rtol=1e-4, atol=1e-4)
        calls.clear()


def test_sums_are_in_f32(calls: list[str]) -> None:
    """Of 16-bit floats: a sum of 4096 ones is no power of two's neighbour in f16."""
    a, b = np.ones((4, 4099), np.float16), np.ones((4099, 4), np.float16)
    found = graphc.jit(lambda x, z: np.matmul(x, z, dtype=np.float32), device="cuda", library=True)
    np.testing.assert_array_equal(found(a, b).numpy(), 4099)


def test_infinities_and_nans(calls: list[str]) -> None:
    a, b = numbers(8, 16), numbers(16, 8)
    a[1, 2], a[3, 4], b[5, 6] = np.inf, np.nan, -np.inf
    found = graphc.jit(lambda x, z: x @ z, device="cuda", library=True)(a, b).numpy()
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found, a @ b, rtol=1e-5, atol=1e-5)


# --------------------------------------------------------------------------------------- what ends


def layer(x: Any, w: Any, b: Any) -> Any:
    return np.maximum(x @ w + b, 0)


@pytest.mark.parametrize("dtype", RTOL)
def test_what_ends_a_product_is_a_kernel_of_its_own(dtype: str, calls: list[str]) -> None:
    x, w, b = numbers(40, 24, dtype=dtype), numbers(24, 56, dtype=dtype), numbers(56, dtype=dtype)
    run = same(layer, x, w, b, calls=calls)
    (made,) = run.__dict__["_front"]._programs.values()
    first, second = made.executable._variant(()).plan.steps
    assert isinstance(first, Product) and isinstance(second, Launch)
    assert first.shape.result.buffer.dtype.name == dtype, "it waits in the dtype it is rounded to"


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_ends_of_all_kinds(calls: list[str]) -> None:
    a, b, c = numbers(24, 40), numbers(40, 32), numbers(24, 32)
    functions: list[Callable[..., Any]] = [
        lambda a, b, c: (a @ b, (a @ b) * 2, np.tanh(a @ b + c)),
        lambda a, b, c: c - a @ b,
        lambda a, b, c: (a @ b).astype(np.float64) + 1,
        lambda a, b, c: np.where(c > 0, a @ b, 0),
        lambda a, b, c: c.T @ (a @ b + 1),
    ]
    functions += [
        lambda a, b, c: softmax(a @ b + c),
        lambda a, b, c: (np.tanh(a @ b), np.tanh(a @ b).sum(axis=0), (a @ b - c).max(axis=1)),
        lambda a, b, c: ((a @ b - c) ** 2).mean(),
    ]
    for function, products in zip(functions, (1, 1, 1, 1, 2, 1, 1, 1), strict=True):
        same(function, a, b, c, calls=calls, products=products)
        calls.clear()


FACTORS: dict[str, tuple[Callable[..., Any], int]] = {
    "left": (lambda a, b: (a * 2 + 1) @ b, 1),
    "right": (lambda a, b: a @ np.tanh(b), 1),
    "both": (lambda a, b: np.maximum(a, 0) @ (b * b), 2),
    "both turned": (lambda a, b: np.abs(b).T @ np.abs(a).T, 2),
    "with a vector": (lambda a, b: (a * b[:, 0]) @ b, 1),
    "padded": (lambda a, b: np.pad(a, ((2, 1), (0, 0))) @ b, 1),
    "batch last": (
        lambda a, b: np.einsum(
            "mkb,nkb->bmn", a.reshape(8, 24, 5), b.reshape(10, 24, 5)[:, :, ::-1]
        ),
        2,
    ),
    "and an end": (lambda a, b: np.exp(-(a * 2) @ b) + a[:, :1], 1),
    "of another layout": (lambda a, b: a.reshape(4, 6, 5, 8)[:, :, ::-1].reshape(24, 40) @ b, 1),
}


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("name", FACTORS)
def test_factors_that_are_computed(name: str, dtype: str, calls: list[str]) -> None:
    function, kernels = FACTORS[name]
    a, b = ((numbers(*s) / 4).astype(DTYPES[dtype].numpy) for s in ((24, 40), (40, 30)))
    run = same(function, a, b, calls=calls)
    (made,) = run.__dict__["_front"]._programs.values()
    steps = made.executable._variant(()).plan.steps
    before = steps[: [type(s) for s in steps].index(Product)]
    assert len(before) == kernels
    product = next(s for s in steps if isinstance(s, Product))
    assert product.shape.dtype.name == dtype, "they wait in the dtype they were rounded to"


def test_sums_that_are_used_in_both_dtypes(calls: list[str]) -> None:
    def run(a: Any, b: Any) -> Any:
        found = np.matmul(a, b, dtype=np.float32)
        return found.astype(np.float16), found

    same(run, numbers(9, 30, dtype="f16"), numbers(30, 8, dtype="f16"), calls=calls)


def test_a_donated_array_is_written_over_after_it_was_read(calls: list[str]) -> None:
    def step(w: Any, x: Any, g: Any) -> Any:
        return w - np.float32(0.1) * (x.T @ g), x.T @ g

    w, x, g = numbers(16, 8), numbers(32, 16), numbers(32, 8)
    program = graphc.jit(step, device="cuda", library=True, donate="w")
    for _ in range(3):
        given = device_put(w)
        found, gradient = program(given, x, g)
        assert found.pointer == given.pointer
        close(found, w - np.float32(0.1) * (x.T @ g), "f32", 32)
        close(gradient, x.T @ g, "f32", 32)
    assert "cublasLtMatmul" in calls


def test_gradients(calls: list[str]) -> None:
    def loss(w: Any, x: Any) -> Any:
        return (x @ w * x[:, :8]).sum()

    w, x = numbers(16, 8), numbers(32, 16)
    by_library = graphc.jit(graphc.grad(loss), device="cuda", library=True)
    close(by_library(w, x), x.T @ x[:, :8], "f32", 32)
    assert calls.count("cublasLtMatmul") == 1
    # options of a function that is jitted already hold for its derivative
    graphc.grad(graphc.jit(loss, device="cuda", library=True))(w, x)
    assert calls.count("cublasLtMatmul") == 2


# --------------------------------------------------------------------------------------- programs


def test_symbolic_extents(calls: list[str]) -> None:
    run = graphc.jit(
        lambda a, b: (a @ b, np.tanh(a @ b)), device="cuda", library=True,
        dims={"a": ("n", "k"), "b": ("k", "m")},
    )  # fmt: skip
    shapes = ((3, 4, 5), (1, 7, 1), (70, 65, 33), (4, 0, 5), (0, 4, 5), (4, 5, 0), (3, 4, 5))
    for n, k, m in shapes:
        a, b = device_put(numbers(n, k)), device_put(numbers(k, m))
        for _ in range(3):
            found, other = run(a, b)
            close(found, a.numpy() @ b.numpy(), "f32", k)
            close(other, np.tanh(a.numpy() @ b.numpy()), "f32", k)
    assert run.cache_info().programs == 1 and "cublasLtMatmul" in calls


def test_products_in_loops_and_choices(calls: list[str]) -> None:
    def scanned(h: Any, xs: Any, w: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h @ w + x)
            return h, h @ w

        return graphc.scan(step, h, xs)

    h, xs, w = numbers(4, 8), numbers(6, 4, 8), numbers(8, 8) / 4
    same(scanned, h, xs, w, calls=calls, products=2)

    def grown(x: Any, w: Any) -> Any:
        return graphc.while_loop(lambda s: abs(s).max() < 50, lambda s: s @ w, x)

    calls.clear()
    same(grown, numbers(8, 8), 2 * np.eye(8, dtype=np.float32), calls=calls)

    def chosen(x: Any, w: Any) -> Any:
        return graphc.cond(x.sum() > 0, lambda x, w: x @ w, lambda x, w: x - w @ x, x, w)

    calls.clear()
    same(chosen, abs(numbers(8, 8)), numbers(8, 8, seed=1), calls=calls, products=2)


def test_what_depends_on_constants_is_computed_once(calls: list[str]) -> None:
    u, v = numbers(30, 20), numbers(20, 10)
    run = graphc.jit(lambda x: x + np.tanh(np.asarray(u) @ np.asarray(v) + x[0, 0] * 0).sum(),
                     device="cuda", library=True)  # fmt: skip
    x = device_put(numbers(5, 5))
    for _ in range(3):
        run(x)
    kept = graphc.jit(lambda x: x @ (graphc.numpy.asarray(u) @ graphc.numpy.asarray(v)),
                      device="cuda", library=True)  # fmt: skip
    x = numbers(6, 30)
    for _ in range(3):
        close(kept(x), x @ (u @ v), "f32", 30)
    (made,) = kept.__dict__["_front"]._programs.values()
    loaded = made.executable._variant(()).plan
    assert [type(s) for s in loaded.steps] == [Product]


def test_a_graph_replays_products(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, device: cuda.Device
) -> None:
    captured: list[int] = []
    original = cuda.Device.capture

    def capture(self: Any, work: Callable[[], None]) -> Any:
        captured.append(len(calls))
        found = original(self, work)
        captured.append(len(calls))
        return found

    monkeypatch.setattr(cuda.Device, "capture", capture)
    run = graphc.jit(lambda a, b: (a @ b) @ b, device="cuda", library=True)
    a, b = device_put(numbers(32, 32)), device_put(numbers(32, 32, seed=1))
    for _ in range(6):
        found = run(a, b)
        close(found, (a.numpy() @ b.numpy()) @ b.numpy(), "f32", 1000)
        del found
    first, last = captured[:2]
    assert calls[first:last] == ["cublasLtMatmul"] * 2, "no heuristics while it is captured"
    device.upload(a.pointer, np.zeros((32, 32), np.float32))
    np.testing.assert_array_equal(run(a, b).numpy(), 0)


def test_descriptors_are_made_once(calls: list[str]) -> None:
    run = graphc.jit(lambda a, b: a @ b, device="cuda", library=True)
    a, b = device_put(numbers(32, 40, seed=9)), device_put(numbers(40, 24, seed=9))
    for _ in range(5):
        run(a, b)
    assert calls.count("cublasLtMatmulAlgoGetHeuristic") <= 1
    assert calls.count("cublasLtMatmul") == 5


def test_arrays_that_begin_anywhere(calls: list[str]) -> None:
    """Those of other libraries: 16 bytes suffice, and what has less, or is turned, is copied."""
    x, w = numbers(8, 12), numbers(12, 8)
    run = graphc.jit(lambda a, b: a @ b, device="cuda", library=True)
    held = device_put(np.zeros(200, np.float32))
    for start in (4, 1):
        place = held.pointer + 4 * start
        held.device.upload(place, x)
        view = Foreign(held, shape=x.shape, strides=None, data=(place, False))
        before = calls.count("cublasLtMatmul")
        close(run(view, w), x @ w, "f32", 12)
        assert calls.count("cublasLtMatmul") == before + 1
    turned = Foreign(device_put(x), shape=(12, 8), strides=(4, 48))
    close(run(turned, numbers(8, 4)), x.T @ numbers(8, 4), "f32", 12)
    (made, *_) = run.__dict__["_front"]._programs.values()
    variants = made.executable._variants
    assert sorted(len(one.plan.launches) for one in variants.values()) == [0, 1]


def test_threads(calls: list[str]) -> None:
    a, b = numbers(24, 24), numbers(24, 24, seed=1)
    run = graphc.jit(lambda x, z: z @ x, device="cuda", library=True)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            mine = graphc.jit(lambda x, z: x @ z, device="cuda", library=True)
            for _ in range(20):
                close(run(a, b), b @ a, "f32", 24)
                close(mine(a, b), a @ b, "f32", 24)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failures, failures[0]


# ------------------------------------------------------------------------------------------- tf32


def to_tf32(x: np.ndarray) -> np.ndarray:
    """Rounded to 10 bits behind the point, to even, as the stand-in does."""
    bits = x.view(np.uint32)
    return ((bits + 0xFFF + (bits >> 13 & 1)) & np.uint32(0xFFFFE000)).view(np.float32)


def test_tf32(calls: list[str]) -> None:
    a, b = numbers(40, 64), numbers(64, 24)
    exact = graphc.jit(lambda x, z: x @ z, device="cuda", library=True)(a, b).numpy()
    given = graphc.jit(lambda x, z: x @ z, device="cuda", library=True, precision="tf32")
    found = given(a, b).numpy()
    assert np.abs(found - a @ b).max() < 64 * 2.0**-10
    assert not np.array_equal(found, exact)
    if IS_STANDIN:
        np.testing.assert_allclose(found, to_tf32(a) @ to_tf32(b), rtol=1e-5, atol=1e-5)
    wide = graphc.jit(lambda x, z: x @ z, device="cuda", library=True, precision="tf32")
    close(wide(a.astype(np.float64), b.astype(np.float64)), np.float64(a) @ b, "f64", 64)


def test_tf32_is_a_permission() -> None:
    """Where nothing is gained by rounding, nothing is rounded: on the processor, and where no
    tensor cores multiply."""
    for device, rows, same in ((None, 40, True), ("cuda", 40, False), ("cuda", 4, True)):
        a, b = numbers(rows, 64), numbers(64, 24)
        plain = graphc.jit(lambda x, z: x @ z, device=device)(a, b)
        given = graphc.jit(lambda x, z: x @ z, device=device, precision="tf32")(a, b)
        assert np.array_equal(host(given), host(plain)) == same
        if not same:
            read = (scalar.apply("tf32", x) for x in (a, b))
            np.testing.assert_allclose(host(given), np.matmul(*read), rtol=1e-5, atol=1e-5)


def host(x: Any) -> np.ndarray:
    return x.numpy() if hasattr(x, "numpy") else x


# --------------------------------------------------------------------------------------- the choice


def test_the_rule() -> None:
    """What was measured, and what was not."""
    f16, bf16, f32, f64, i8 = (DTYPES[n] for n in ("f16", "bf16", "f32", "f64", "i8"))
    for dtype in (f16, bf16, f32, f64):
        assert chooses_library(dtype, 1024, 1024, 1024)
        assert chooses_library(dtype, 8192, 8192, 8192)
        assert not chooses_library(dtype, 64, 64, 64)
        assert not chooses_library(dtype, 1, 16384, 16384), "a vector times a matrix"
        assert not chooses_library(dtype, 8192, 8192, 16), "few terms"
    assert chooses_library(f16, 512, 512, 512, 64)
    assert chooses_library(f16, 16, 8192, 8192)
    assert not chooses_library(f32, 16, 8192, 8192)
    assert chooses_library(f32, 16, 8192, 8192, tf32=True)
    assert not chooses_library(i8, 4096, 4096, 4096)
    n = graphc.spec(("n",), "f32").shape[0]
    assert not chooses_library(f16, n, 8192, 8192)


def test_the_rule_decides_for_each_product() -> None:
    def two(x: Any, w: Any, u: Any) -> Any:
        return np.tanh(x @ w) @ u

    specs = ((2048, 1024), "bf16"), ((1024, 1024), "bf16"), ((1024, 8), "bf16")
    found = plan(two, *specs, chosen=Chosen())
    assert [str(p) for p in found.products] == ["bf16[2048, 1024] @ bf16[1024, 1024]"]
    assert len(found.launches) >= 2
    assert len(plan(two, *specs).products) == 2
    graph = graphc.jit(two).lower(*(graphc.spec(*s) for s in specs)).graph
    assert not plan_device(lower_graph(graph).optimised.graph).products, "where nobody asks"


def test_explain_names_the_products() -> None:
    run = graphc.jit(lambda a, b: np.tanh(a @ b), device="cuda", library=True)
    a, b = numbers(3, 4), numbers(4, 5)
    run(a, b)
    assert "f32[3, 4] @ f32[4, 5] by cuBLASLt (" in run.explain(a, b)


def test_no_product_of_the_librarys() -> None:
    """What it cannot do, or is no plain product."""
    square = ((64, 64), "f32")
    for function, specs in (
        (lambda a, b: np.outer(a, b), (((64,), "f32"), ((64,), "f32"))),
        (lambda a, b: a @ b, (((64, 64), "i32"), ((64, 64), "i32"))),
        (lambda a, b: a @ b, (((64, 64), "c64"), ((64, 64), "c64"))),
        (lambda a, b: nn.conv(a, b), (((2, 64, 8), "f32"), ((3, 8, 9), "f32"))),
        (lambda a, b: nn.conv(a, b, padding="same"), (((2, 9, 9, 8), "f32"), ((3, 3, 8, 9), "f32")))
        ,
        (lambda a, b: (a[:, None] - b[None]).sum(-1), (square, square)),
        (lambda a, b: (np.maximum(a[:, None], b[None])).sum(-1), (square, square)),
        (lambda a, b: a + b, (square, square)),
        (lambda a, b: (a * a).sum(1), (square, square)),
        (lambda a, b: np.einsum("ij,ij->i", a, b), (square, square)),
    ):  # fmt: skip
        assert not plan(function, *specs).products


def test_options_are_checked() -> None:
    with pytest.raises(TypeError, match="library is 1; expected None, True or False"):
        graphc.jit(lambda a: a, device="cuda", library=1)
    with pytest.raises(TypeError, match="library is True, and device is None"):
        graphc.jit(lambda a: a, library=True)
    with pytest.raises(TypeError, match="library is True, and debug is 'nan'"):
        graphc.jit(lambda a: a, device="cuda", library=True, debug="nan")
    graphc.jit(lambda a: a, library=False)
    with pytest.raises(TypeError, match="expected one of None, 'direct', 'tf32'"):
        graphc.jit(lambda a: a, precision="tf16")


def test_nothing_is_unchecked_under_debug(calls: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("graphc.device.products.LEAST_WORK", 0)
    run = graphc.jit(lambda a, b: a @ b, device="cuda", debug="nan")
    with pytest.raises(graphc.NonFiniteError):
        run(np.full((128, 512), 1e30, np.float32), np.full((512, 128), 1e30, np.float32)).numpy()
    assert not calls


# ------------------------------------------------------------------------------------ what is wrong


def test_the_library_is_missing(
    fresh: None, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    monkeypatch.delenv("GRAPHC_CUBLASLT", raising=False)
    monkeypatch.setattr(cublas, "files", lambda driver=None: iter(()))
    cublas._find.cache_clear()
    try:
        with pytest.raises(
            DeviceError, match=r"library=True of product: .*pip install nvidia-cublas"
        ):
            graphc.jit(lambda a, b: a @ b, device="cuda", library=True, name="product")(
                numbers(8, 8), numbers(8, 8)
            )
        monkeypatch.setattr("graphc.device.products.LEAST_WORK", 0)
        x, w = numbers(128, 512), numbers(512, 128)
        with pytest.warns(UserWarning, match=r"f32\[128, 512\] @ f32\[512, 128\].*nvidia-cublas"):
            found = graphc.jit(lambda a, b: a @ b, device="cuda")(x, w)
        close(found, x @ w, "f32", 512)
        with warnings.catch_warnings():  # it is said once
            warnings.simplefilter("error")
            graphc.jit(lambda a, b: a @ b + 1, device="cuda")(x, w)
        (check,) = (c for c in doctor._cublaslt())
        assert check.state == "missing" and "nvidia-cublas" in str(check)
        assert not calls
    finally:
        cublas._find.cache_clear()


def test_the_file_that_is_named(
    monkeypatch: pytest.MonkeyPatch, fresh: None, tmp_path: Any
) -> None:
    wrong = tmp_path / "libcublasLt.so"
    wrong.write_bytes(b"nothing")
    for name in (str(wrong), "/nowhere/libcublasLt.so", "libm.so.6"):
        monkeypatch.setenv("GRAPHC_CUBLASLT", name)
        with pytest.raises(DeviceError, match=f"GRAPHC_CUBLASLT names '{name}'"):
            cublas.find()
        (check,) = doctor._cublaslt()
        assert check.state == "failed" or check.state == "missing"


def test_the_doctor_knows_it() -> None:
    (check,) = doctor._cublaslt()
    assert check.state == "ok" and cublas.find().path in str(check)


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Wheels before toolkits before the loader; the version that the driver can run first."""
    for part in ("nvidia/cu13/lib/libcublasLt.so.13", "nvidia/cublas/lib/libcublasLt.so.12",
                 "toolkit/lib64/libcublasLt.so.13"):  # fmt: skip
        (tmp_path / part).parent.mkdir(parents=True)
        (tmp_path / part).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "toolkit"))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    there = [f for f in cublas.files() if f.startswith(str(tmp_path)) or "/" not in f]
    shown = [f.removeprefix(f"{tmp_path}/") for f in there]
    assert shown == [
        "nvidia/cu13/lib/libcublasLt.so.13", "toolkit/lib64/libcublasLt.so.13",
        "libcublasLt.so.13", "nvidia/cublas/lib/libcublasLt.so.12", "libcublasLt.so.12",
    ]  # fmt: skip
    assert [f[-2:] for f in cublas.files(12080) if "/" not in f] == ["12", "13"]
    assert [f[-2:] for f in cublas.files(13000) if "/" not in f] == ["13", "12"]


@pytest.mark.skipif(not IS_STANDIN, reason="the stand-in alone can be told to refuse")
def test_an_old_driver(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUBLASLT_OLD_DRIVER", "1")
    wanted = r"cublasLtCreate of cuBLASLt 13\.1\.0 failed for .*CUBLAS_STATUS_NOT_INITIALIZED \(1\)"
    with pytest.raises(DeviceError, match=wanted):
        graphc.jit(lambda a, b: a @ b, device="cuda", library=True)(numbers(8, 8), numbers(8, 8))
    monkeypatch.setattr("graphc.device.products.LEAST_WORK", 0)
    x, w = numbers(128, 512), numbers(512, 128)
    with pytest.warns(UserWarning, match="NOT_INITIALIZED"):
        close(graphc.jit(lambda a, b: a @ b, device="cuda")(x, w), x @ w, "f32", 512)


@pytest.mark.skipif(not IS_STANDIN, reason="the stand-in alone has a limit that tests set")
def test_no_memory_for_the_workspace(
    fresh: None, monkeypatch: pytest.MonkeyPatch, device: cuda.Device
) -> None:
    x = device_put(numbers(64, 64))
    device.free_held()
    run = graphc.jit(lambda a: a @ a, device="cuda", library=True)
    monkeypatch.setenv("FAKE_CUDA_BYTES", str(16 << 20))
    with pytest.raises(OutOfDeviceMemory, match="33554432 bytes of cuBLASLt's workspace"):
        run(x)
    monkeypatch.delenv("FAKE_CUDA_BYTES")
    close(run(x), x.numpy() @ x.numpy(), "f32", 64)


def test_no_algorithm(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default that is found out while there is a choice."""
    original = cublas.Library.call

    def call(self: Any, doing: object, name: str, *arguments: Any) -> None:
        original(self, doing, name, *arguments)
        if name == "cublasLtMatmulAlgoGetHeuristic":
            arguments[-1]._obj.value = 0

    monkeypatch.setattr(cublas.Library, "call", call)
    monkeypatch.setattr("graphc.device.products.LEAST_WORK", 0)
    x, w = numbers(128, 512), numbers(512, 128)
    with pytest.warns(UserWarning, match=r"has no algorithm for f32\[128, 512\] @ f32\[512, 128\]"):
        close(graphc.jit(lambda a, b: a @ b, device="cuda")(x, w), x @ w, "f32", 512)
    with pytest.raises(DeviceError, match=r"has no algorithm.*library=False"):
        graphc.jit(lambda a, b: a @ b, device="cuda", library=True)(x, w)


def test_the_rule_at_work(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    monkeypatch.setattr("graphc.device.products.LEAST_WORK", 0)
    x, w = numbers(128, 512, dtype="bf16"), numbers(512, 136, dtype="bf16")
    for k, run in enumerate(
        (lambda a, b: a @ b, lambda a, b: a[:, 2:] @ b[2:], lambda a, b: np.maximum(a @ b, 0))
    ):
        jitted = graphc.jit(run, device="cuda")
        wanted = graphc.jit(run, debug="evaluate")(x, w)
        calls.clear()
        for _ in range(3):
            close(jitted(x, w), wanted, "bf16", 512)
        assert ("cublasLtMatmul" in calls) == (k != 1), "510 terms are too few"


def test_a_status_names_call_shape_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cublas, "_COMPUTE_F64", 9999)
    run = graphc.jit(lambda a, b: a @ b, device="cuda", library=True, name="product")
    with pytest.raises(DeviceError) as caught:
        run(numbers(3, 8, dtype="f64"), numbers(8, 5, dtype="f64"))
    text = str(caught.value)
    for part in ("product(f64[3, 8], f64[8, 5])", "cublasLt", "f64[3, 8] @ f64[8, 5]",
                 "CUBLAS_STATUS_", "library=False", "test_cublas.py:"):  # fmt: skip
        assert part in text


def test_what_the_library_refuses(device: cuda.Device) -> None:
    """The stand-in as the library: the tests above mean something."""
    handle = cublas.Handle.of(device)
    memory = [device.allocate(4096) for _ in range(3)]
    a, b, d = (int(one) for one in memory)
    f32 = DTYPES["f32"]

    def call(left: int = 8, rows: int = 8, count: int = 1) -> cublas.Call:
        matrix = cublas.Matrix(8, 8, 8, 64)
        first = cublas.Matrix(rows, 8, left, 64)
        return cublas.Call(f32, f32, first, matrix, matrix, False, False, count)

    with device.active():
        handle.run(call(), a, b, d)
        with pytest.raises(cuda.DeviceError, match="INVALID_VALUE"):
            handle.run(call(left=7), a, b, d)
        with pytest.raises(cuda.DeviceError, match="INVALID_VALUE"):
            handle.run(call(rows=4, left=8), a, b, d)
        with pytest.raises(cuda.DeviceError):
            handle.run(call(), a + 2, b, d)


def test_bf16_has_a_number() -> None:
    assert cublas.TYPES[BF16] == 14 and the_device() is not None
