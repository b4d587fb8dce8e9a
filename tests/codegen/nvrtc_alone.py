"""NVRTC, which builds programs on a device where its wheel is installed: cubins of the same kernels
as nvcc's, for every architecture. Run by test_nvrtc.py, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc.codegen import nvcc, nvrtc
from graphc.device import build
from graphc.errors import BuildError


def source() -> str:
    def layer(x, w):
        return np.tanh(x @ w).sum(axis=1), np.sort(x, axis=1)

    x = np.zeros((64, 64), np.float16)
    return graphc.jit(layer).lower(x, x).text("cuda")


@pytest.mark.parametrize("arch", (*nvcc.ARCHITECTURES, "sm_90a"))
def test_it_builds_for(arch: str) -> None:
    cubin = nvrtc.compile_cubin(source(), arch)
    assert cubin[:4] == b"\x7fELF" and b"_sort" in cubin


def test_refusals_quote_the_source() -> None:
    with pytest.raises(BuildError, match=r"(?s)NVRTC for sm_80.*2 \| +float x = undefined_name;"):
        nvrtc.compile_cubin('extern "C" __global__ void f() {\n  float x = undefined_name;\n}\n')
    with pytest.raises(BuildError, match="sm_1"):
        nvrtc.compile_cubin('extern "C" __global__ void f() {}\n', "sm_1")


def test_programs_are_built_by_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And kept, by source, architecture, driver and compiler."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    built: list[str] = []
    original = nvrtc.compile_cubin

    def counted(text: str, arch: str) -> bytes:
        built.append(arch)
        return original(text, arch)

    monkeypatch.setattr(nvrtc, "compile_cubin", counted)
    text = 'extern "C" __global__ void f(float* x) { x[0] = 1; }\n'
    first = build.build_source(text, "sm_90", 13000)
    assert build.build_source(text, "sm_90", 13000) == first and built == ["sm_90"]
    build.build_source(text, "sm_90", 12080)
    build.build_source(text, "sm_80", 13000)
    assert built == ["sm_90", "sm_90", "sm_80"]
    monkeypatch.setattr(build, "compiler", lambda: "another")
    build.build_source(text, "sm_90", 13000)
    assert len(built) == 4
    for file in tmp_path.rglob("*.gcc"):
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        file.write_bytes(raw)
    assert build.build_source(text, "sm_90", 13000) == first and len(built) == 5
