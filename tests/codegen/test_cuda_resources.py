"""What the kernels that benchmarks/gpu times use of a processor, as ptxas says: registers and
shared memory as in the golden table, and no spills.

The table is of the nvcc that it names: another release may need other registers, but no spills.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.gpu.cases import Case, every, tf32_products
from graphc.codegen import nvcc
from graphc.codegen.cuda import CudaKernel, architecture, print_cuda, translation_unit
from graphc.loops.schedule_cuda import schedule_cuda
from tests.codegen.cuda_graphs import renamed

needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
GOLDEN = Path(__file__).parent / "golden"
LEFT_OUT = re.compile(
    r"product (f32 (2048|4096)|tf32 (2048|8192)|f64 4096|bf16 (1024|2048|4096)|f16 (4096|8192))"
)
"""The same kernel as another's, for other extents."""


def lowered(case: Case) -> graphc.compile.Lowered:
    specs = [graphc.spec(shape, dtype) for shape, dtype in case.inputs]
    options: dict[str, Any] = {"device": "cuda", "precision": "tf32"} if case.tf32 else {}
    return graphc.jit(lambda *arrays: case.run(np, *arrays), **options).lower(*specs)


def kernels(arch: str | None = None) -> list[CudaKernel]:
    """The kernels of every case, each once, named after it; with `arch`, those that are for that
    architecture alone."""
    found: dict[str, CudaKernel] = {}
    for case in (*every(), *tf32_products()):
        if LEFT_OUT.fullmatch(case.name):
            continue
        stem = re.sub(r"\W+", "_", case.name.replace("+", "plus").replace(".", "")).strip("_")
        for kernel in lowered(case).kernels:
            for one in print_cuda(schedule_cuda(kernel.naive.func, arch, case.tf32)):
                if arch is not None and not one.functions:
                    continue
                bare = renamed(one, "NAME").source
                found.setdefault(bare, renamed(one, f"on_{stem}__{one.name}"))
    return list(found.values())


@pytest.fixture(scope="module")
def fixed_set() -> list[CudaKernel]:
    return kernels()


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_the_kernels_keep_to_registers(
    arch: str, fixed_set: list[CudaKernel], golden: Callable[[str, str], None]
) -> None:
    used = nvcc.resources(translation_unit(fixed_set), arch)
    assert set(used) == {k.name for k in fixed_set}
    for name, one in used.items():
        assert one.spill_bytes == 0, f"{name} spills {one.spill_bytes} bytes"
    lines = [f"# nvcc {nvcc.version()}, {arch}: registers of a thread, bytes of shared memory"]
    lines += [
        f"{k.name:60} {used[k.name].registers:4} {used[k.name].shared_bytes + k.dynamic_bytes:7}"
        for k in fixed_set
    ]
    kept = GOLDEN / f"resources_{arch}.txt"
    if kept.read_text(encoding="utf-8").startswith(f"# nvcc {nvcc.version()},"):
        golden(f"resources_{arch}.txt", "\n".join(lines) + "\n")


@needs_nvcc
def test_products_of_four_warps_keep_to_registers(golden: Callable[[str, str], None]) -> None:
    """And ptxas lets them run while the threads go on."""
    grouped = kernels("sm_90")
    used = nvcc.resources(translation_unit(grouped), architecture(grouped, "sm_90"))
    assert len(used) > 5
    assert [name for name, one in used.items() if one.spill_bytes or one.serialized] == []
    lines = [f"# nvcc {nvcc.version()}, sm_90a: registers of a thread, bytes of shared memory"]
    lines += [f"{k.name:60} {used[k.name].registers:4} {k.dynamic_bytes:7}" for k in grouped]
    kept = GOLDEN / "resources_sm_90a.txt"
    if kept.read_text(encoding="utf-8").startswith(f"# nvcc {nvcc.version()},"):
        golden("resources_sm_90a.txt", "\n".join(lines) + "\n")


def test_what_ptxas_says() -> None:
    said = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'k0_dot' for 'sm_90'
ptxas info    : Function properties for k0_dot
    24 bytes stack frame, 20 bytes spill stores, 32 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 24 bytes cumulative stack size, 64 bytes smem
ptxas info    : (C7511) Potential Performance Loss: they are serialized in the function 'k1'
ptxas info    : Compiling entry function 'k1' for 'sm_90'
ptxas info    : Function properties for k1
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers
"""
    found = nvcc.parse_resources(said)
    assert found == {
        "k0_dot": nvcc.Resources(255, 64, 24, 52), "k1": nvcc.Resources(8, 0, 0, 0, True)
    }  # fmt: skip
