"""Cumulative ops for CUDA: run on the CPU with threads in both orders, evaluated as loops, and
compiled by nvcc."""

from __future__ import annotations

import shutil
from functools import cache

import numpy as np
import pytest

import graphc
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, print_cuda, translation_unit
from graphc.loops.evaluate import evaluate
from graphc.loops.ir import LoopFunc
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from tests.codegen.cuda_graphs import renamed

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
UFUNC = {"sum": np.cumsum, "prod": np.cumprod}
CASES = {
    # name: (what, shape, axis, dtype, kernels, sizes of named extents)
    "rows": ("sum", (5, 1024), 1, "f32", 1, {}),
    "odd_rows": ("sum", (3, 2049), 1, "f32", 1, {}),
    "short_rows": ("sum", (70, 33), 1, "f64", 1, {}),
    "two_elements": ("sum", (4, 2), 1, "f32", 1, {}),
    "one_row": ("sum", (20011,), 0, "f32", 2, {}),
    "one_short_row": ("sum", (77,), 0, "f32", 1, {}),
    "bytes": ("sum", (9000,), 0, "i8", 2, {}),
    "halves": ("sum", (6, 300), 1, "f16", 1, {}),
    "products": ("prod", (6, 300), 1, "f64", 1, {}),
    "greatest": ("max", (2, 9001), 1, "f32", 2, {}),
    "least": ("min", (2, 700), 1, "i32", 1, {}),
    "complex": ("sum", (3, 700), 1, "c64", 1, {}),
    "complex_row": ("sum", (9001,), 0, "c128", 2, {}),
    "complex_products": ("prod", (3, 20), 1, "c64", 1, {}),
    "across": ("sum", (300, 40), 0, "f32", 2, {}),
    "across_short": ("sum", (30, 40), 0, "f32", 1, {}),
    "across_middle": ("max", (3, 150, 7), 1, "f64", 2, {}),
    "across_complex": ("sum", (200, 5), 0, "c64", 2, {}),
    "symbolic": ("sum", ("n", "m"), 1, "f32", 1, {"n": 3, "m": 3001}),
    "symbolic_row": ("sum", ("n",), 0, "f32", 2, {"n": 5003}),
    "symbolic_short_row": ("sum", ("n",), 0, "f32", 2, {"n": 3}),
    "symbolic_empty": ("sum", ("n",), 0, "f32", 2, {"n": 0}),
    "symbolic_across": ("sum", ("n", 40), 0, "f32", 2, {"n": 101}),
    "empty": ("sum", (0, 5), 1, "f32", 1, {}),
}


def loops(name: str) -> LoopFunc:
    what, shape, axis, dtype, _, _ = CASES[name]

    def run(x: np.ndarray) -> np.ndarray:
        if what in UFUNC:
            return UFUNC[what](x, axis=axis, dtype=x.dtype)
        return (np.maximum if what == "max" else np.minimum).accumulate(x, axis=axis)

    (kernel,) = graphc.jit(run).lower(graphc.spec(shape, dtype)).kernels
    return kernel.naive.func


@cache
def printed(name: str) -> tuple[CudaKernel, ...]:
    return print_cuda(verify(schedule_cuda(loops(name)), "cuda"))


@cache
def programs() -> dict[str, cuda_cpu.CpuProgram]:
    return dict(zip(CASES, cuda_cpu.build([printed(name) for name in CASES]), strict=True))


def arrays(func: LoopFunc, env: dict[str, int], special: bool = False) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    found = {}
    for buffer in func.params:
        shape = tuple(cuda_cpu.evaluate(e, env) for e in buffer.shape)
        dtype = buffer.dtype.numpy
        if buffer.access != "in":
            found[buffer.name] = np.zeros(shape, dtype)
        elif buffer.dtype.is_float:
            values = 1 + 0.1 * random.normal(size=shape) / np.sqrt(max(1, *shape))
            if special:
                at = random.random(shape)
                values = np.where(at < 0.002, np.inf, np.where(at > 0.999, np.nan, values))
            found[buffer.name] = values.astype(dtype)
        else:
            found[buffer.name] = random.integers(-90, 90, shape).astype(dtype)
    return found


def compare(name: str, found: np.ndarray, wanted: np.ndarray) -> None:
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
        return
    rtol = {2: 3e-2, 4: 2e-5, 8: 1e-12}[found.dtype.itemsize]
    np.testing.assert_allclose(
        found.astype(np.float64), wanted.astype(np.float64), rtol=rtol, atol=rtol, err_msg=name
    )


@needs_gcc
@pytest.mark.parametrize("special", [False, True], ids=["", "special"])
@pytest.mark.parametrize("name", CASES)
def test_on_the_cpu(name: str, special: bool) -> None:
    func, env = loops(name), CASES[name][5]
    wanted, found, backwards = (arrays(func, env, special) for _ in range(3))
    evaluate(func, wanted, env)
    assert programs()[name].run(found, env) == 0
    assert programs()[name].run(backwards, env, reverse=True) == 0
    (out,) = (p.name for p in func.params if p.access == "out")
    np.testing.assert_array_equal(found[out], backwards[out])
    compare(name, found[out], wanted[out])


@pytest.mark.parametrize(
    "name", ["rows", "one_short_row", "complex", "across", "symbolic_short_row"]
)
def test_scheduled_loops_evaluate_to_the_same(name: str) -> None:
    func, env = loops(name), CASES[name][5]
    wanted, found = arrays(func, env), arrays(func, env)
    evaluate(func, wanted, env)
    evaluate(verify(schedule_cuda(func), "cuda"), found, env)
    (out,) = (p.name for p in func.params if p.access == "out")
    compare(name, found[out], wanted[out])


@pytest.mark.parametrize("name", CASES)
def test_no_row_is_one_thread_s(name: str) -> None:
    kernels = printed(name)
    assert len(kernels) == CASES[name][4]
    shares = name not in ("complex_products", "across_short", "empty")
    if shares and not name.startswith(("across", "symbolic_across")):
        assert "__syncthreads" in kernels[-1].source
    if shares:
        assert all(np.prod(k.block) > 1 for k in kernels)


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_it(arch: str) -> None:
    names = ("one_row", "complex", "across", "symbolic_row", "halves")
    kernels = [renamed(k, f"{name}_{k.name}") for name in names for k in printed(name)]
    used = nvcc.resources(translation_unit(kernels), arch)
    assert len(used) == len(kernels) and all(r.spill_bytes == 0 for r in used.values())
