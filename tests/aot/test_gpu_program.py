"""The GPU code of an artifact on the stand-in driver, and its plan's extents."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, gpu_program
from graphc_runtime.artifact import open_artifact
from graphc_runtime.errors import ArtifactError
from graphc_runtime.gpu_plan import Plan, read_plan
from graphc_runtime.gpu_steps import Launch

import graphc
from graphc.aot import gpu
from graphc.aot.program import Block
from graphc.errors import BuildError
from graphc.trace import trace_function
from tests.device import conftest, standin

RNG = np.random.default_rng(0)
W = RNG.normal(size=(20, 12)).astype(np.float32)


def network(x: Any) -> Any:
    h = np.tanh(x @ W)
    e = np.exp(h - h.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True), h.sum()


def shipped(function: Any, *specs: str) -> tuple[Plan, dict[str, bytes], bytes]:
    """The plan as it is read from a file, code for this device, and the constants."""
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    block = Block()
    traced = trace_function(function, [graphc.spec(s) for s in specs])
    program = gpu.make_gpu_program(traced, "f", (), block)
    code = {cuda.device().arch: standin.image(program.source)}
    graph = traced.graph
    buffers = len(graph.params) + len(graph.results)
    tree = json.loads(json.dumps(program.plan))
    return read_plan(tree, buffers, graph.symbols, block.nbytes), code, block.content


@pytest.mark.parametrize("b", [1, 7, 64])
def test_a_network(b: int) -> None:
    plan, code, constants = shipped(network, "f32[b, 20]")
    x = RNG.normal(size=(b, 20)).astype(np.float32)
    outputs = [np.empty((b, 12), np.float32), np.empty((), np.float32)]
    gpu_program.GpuProgram("f", plan, code, constants)([x], outputs, {"b": b})
    for got, wanted in zip(outputs, network(x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5)


def test_equal_kernels_are_one() -> None:
    def run(*xs: Any) -> Any:
        return tuple(x * (2 if k % 3 else 3) for k, x in enumerate(xs))

    plan, code, constants = shipped(run, *["f32[7]"] * 6)
    names = [one.kernel.name for one in plan.steps if isinstance(one, Launch)]
    assert len(names) == 6 and len(set(names)) == 2
    traced = trace_function(run, [graphc.spec("f32[7]")] * 6)
    source = gpu.make_gpu_program(traced, "f", (), Block()).source
    assert all(source.count(f" {name}(") == 1 for name in names)
    xs = [RNG.normal(size=7).astype(np.float32) for _ in names]
    outputs = [np.empty(7, np.float32) for _ in names]
    gpu_program.GpuProgram("f", plan, code, constants)(xs, outputs, {})
    for got, wanted in zip(outputs, run(*xs), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_products_by_wgmma_are_for_one_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plan serves all architectures of an artifact, so only where there is no other."""

    def product(x: Any, w: Any) -> Any:
        return x @ w

    traced = trace_function(product, [graphc.spec("f16[512, 512]"), graphc.spec("f16[512, 512]")])
    monkeypatch.setattr(gpu, "compile_cubin", lambda source, arch: arch.encode())
    for asked, architectures, expected in (
        ("1", ("sm_90",), ["sm_90a"]), ("1", ("sm_90a",), ["sm_90a"]),
        ("1", ("sm_80", "sm_90"), ["sm_80", "sm_90"]), ("0", ("sm_90",), ["sm_90"]),
        ("1", ("sm_120",), ["sm_120"]),
    ):  # fmt: skip
        monkeypatch.setenv("GRAPHC_WGMMA", asked)
        program = gpu.make_gpu_program(traced, "f", architectures, Block())
        assert list(program.cubins) == expected
        assert ("gc_group_mma<__half" in program.source) == (expected == ["sm_90a"])


def test_a_wrong_index_is_an_error() -> None:
    def take(x: Any, i: Any) -> Any:
        return x[i]

    plan, code, constants = shipped(take, "f32[n]", "i64[m]")
    program = gpu_program.GpuProgram("take", plan, code, constants)
    x, out = np.arange(4, dtype=np.float32), np.empty(2, np.float32)
    program([x, np.array([3, 0])], [out], {"n": 4, "m": 2})
    assert list(out) == [3, 0]
    with pytest.raises(IndexError, match="out of bounds"):
        program([x, np.array([4, 0])], [out], {"n": 4, "m": 2})
    assert list(out) == [3, 0]


def test_each_of_many_threads_gets_its_own_error() -> None:
    """Calls do not wait for each other: what one reports is not read by another."""

    def take(x: Any, i: Any) -> Any:
        return np.sort(x)[i]

    plan, code, constants = shipped(take, "f32[n]", "i64[m]")
    program = gpu_program.GpuProgram("take", plan, code, constants)
    x = np.arange(4, dtype=np.float32)
    started = threading.Barrier(4)
    original, wrong = cuda.Device.synchronize, []

    def together(self: cuda.Device) -> None:
        started.wait(60)  # all calls have been launched before the first is read
        original(self)

    def run(last: int) -> None:
        out = np.empty(2, np.float32)
        try:
            program([x, np.array([1, last])], [out], {"n": 4, "m": 2})
            wrong.extend([last] if last > 3 or list(out) != [1, last] else [])
        except IndexError:
            wrong.extend([last] if last <= 3 else [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda.Device, "synchronize", together)
        threads = [threading.Thread(target=run, args=(last,)) for last in (2, 9, 3, 4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert not wrong and not started.broken


def test_code_of_another_architecture_is_refused() -> None:
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    launch = {
        "step": "launch", "kernel": "k", "grid": [1, 1, 1], "block": [32, 1, 1],
        "dynamic_bytes": 0, "buffers": [], "symbols": [], "fails": False, "line": "",
    }  # fmt: skip
    tree = {"steps": [launch], "setup": [], "arena": 0, "kept": 0, "setup_arena": 0,
            "constants": [], "messages": []}  # fmt: skip
    with pytest.raises(cuda.DeviceError, match=r"has no code for this GPU .* built for sm_10"):
        gpu_program.GpuProgram("f", read_plan(tree, 0, (), 0), {"sm_10": b""}, b"")


def test_names_of_architectures() -> None:
    assert gpu.checked(["sm_80", "sm_90a"]) == ("sm_80", "sm_90a")
    with pytest.raises(BuildError, match="no GPU architecture"):
        gpu.checked(["h100"])


def test_an_artifact_with_code_for_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    monkeypatch.setattr(gpu, "compile_cubin", lambda source, arch: standin.image(source))
    monkeypatch.setattr(gpu, "has_compiler", lambda: True)
    arch = cuda.device().arch

    def step(state: Any, x: Any) -> Any:
        w = state["w"] - 0.1 * x.sum(axis=0)
        return {"w": w}, (w * w).sum()

    graphc.build(
        tmp_path / "model",
        graphc.export(network, x="f32[b, 20]"),
        graphc.export(step, state={"w": "f32[20]"}, x="f32[b, 20]", donate="state"),
        gpu=arch, cpu="baseline",
    )  # fmt: skip
    opened = open_artifact(tmp_path / "model")
    opened.check()
    on_gpu = opened.on_gpu("network")
    x = RNG.normal(size=(9, 20)).astype(np.float32)
    for got, wanted in zip(on_gpu(x), network(x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5)
    w = RNG.normal(size=20).astype(np.float32)
    expected = w - np.float32(0.1) * x.sum(axis=0)
    state, total = opened.on_gpu("step")({"w": w}, x=x)
    np.testing.assert_allclose(state["w"], expected, rtol=1e-5)
    assert state["w"] is w, "it is written over"
    np.testing.assert_allclose(total, (expected**2).sum(), rtol=1e-5)
    with pytest.raises(TypeError, match=r"x is float64"):
        on_gpu(x.astype(np.float64))


def test_gpu_code_is_asked_for(tmp_path: Path) -> None:
    graphc.build(tmp_path / "model", graphc.export(network, x="f32[b, 20]"), cpu="baseline")
    with pytest.raises(ArtifactError, match="built without GPU code"):
        open_artifact(tmp_path / "model").on_gpu("network")
