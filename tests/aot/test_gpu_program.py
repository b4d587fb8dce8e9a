"""The GPU code of an artifact on the stand-in driver, and its plan's extents."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, gpu_program

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


def shipped(function: Any, *specs: str) -> tuple[dict[str, Any], dict[str, bytes], bytes]:
    """The plan as it comes out of a file, code for this device, and the constants."""
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    block = Block()
    traced = trace_function(function, [graphc.spec(s) for s in specs])
    program = gpu.make_gpu_program(traced, "f", (), block)
    code = {cuda.device().arch: standin.image(program.source)}
    return json.loads(json.dumps(program.plan)), code, block.content


@pytest.mark.parametrize("b", [1, 7, 64])
def test_a_network(b: int) -> None:
    plan, code, constants = shipped(network, "f32[b, 20]")
    x = RNG.normal(size=(b, 20)).astype(np.float32)
    outputs = [np.empty((b, 12), np.float32), np.empty((), np.float32)]
    gpu_program.GpuProgram("f", plan, code, constants)([x], outputs, {"b": b})
    for got, wanted in zip(outputs, network(x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5)


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


def test_code_of_another_architecture_is_refused() -> None:
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    plan = {"launches": [], "setup": [{"kernel": "k", "dynamic_bytes": 0}], "constants": []}
    with pytest.raises(cuda.DeviceError, match=r"has no code for this GPU .* built for sm_10"):
        gpu_program.GpuProgram("f", plan, {"sm_10": b""}, b"")


@pytest.mark.parametrize(
    ("text", "value"),
    [(5, 5), ("b", 7), ("2*b + 1", 15), ("(b + 3)//4", 2), ("-b + 9", 2), ("(b - 9)%4", 2),
     ("b*n", 21)],
)  # fmt: skip
def test_extents(text: int | str, value: int) -> None:
    assert gpu_program.number(text, {"b": 7, "n": 3}) == value


@pytest.mark.parametrize(
    "text", ["__import__('os')", "b.real", "b**2", "q", "b//0", "1.5", "(" * 500, "b" + "+b" * 5000]
)
def test_texts_that_are_no_extents(text: str) -> None:
    with pytest.raises(ValueError, match="extent"):
        gpu_program.number(text, {"b": 7})


def test_names_of_architectures() -> None:
    assert gpu.checked(["sm_80", "sm_90a"]) == ("sm_80", "sm_90a")
    with pytest.raises(BuildError, match="no GPU architecture"):
        gpu.checked(["h100"])
