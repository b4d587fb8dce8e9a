"""Sorts for CUDA: run on the CPU with threads in both orders, evaluated as loops, and compiled by
nvcc. A sort is exact: every bit is compared."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.numpy as gnp
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, print_cuda, translation_unit
from graphc.loops import cuda_sort
from graphc.loops.evaluate import evaluate
from graphc.loops.ir import LoopFunc
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from tests.codegen.cuda_graphs import renamed

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")


@dataclass(frozen=True)
class Case:
    run: Callable[[Any], Any]
    shape: tuple[int | str, ...]
    dtype: str
    kernels: int = 1
    extents: tuple[tuple[str, int], ...] = ()


def rows(x: Any) -> Any:
    return np.sort(x, axis=-1)


def places(x: Any) -> Any:
    return np.argsort(x, axis=-1, kind="stable")


def descending(x: Any) -> Any:
    return gnp.argsort(x, axis=-1, descending=True)


CASES = {
    "rows": Case(rows, (3, 257), "f32"),
    "two": Case(rows, (5, 2), "f32"),
    "seven": Case(rows, (40, 7), "f64"),
    "halves": Case(rows, (2, 100), "f16"),
    "bytes": Case(places, (2, 300), "u8"),
    "bools": Case(places, (2, 70), "bool"),
    "places": Case(places, (2, 1000), "f32"),
    "descending": Case(descending, (2, 130), "i64"),
    "columns": Case(lambda x: np.sort(x, axis=0), (65, 6), "f32"),
    "complex": Case(rows, (2, 50), "c64"),
    "one_row": Case(rows, (300,), "f32"),
    "long": Case(places, (2, 5000), "i16", kernels=14),
    "long_row": Case(rows, (4097,), "f32", kernels=14),
    "many_rows": Case(rows, ("n", 33), "f32", extents=(("n", 9),)),
    "no_rows": Case(rows, ("n", 33), "f32", extents=(("n", 0),)),
}


def loops(name: str) -> LoopFunc:
    case = CASES[name]
    kernels = graphc.jit(case.run).lower(graphc.spec(case.shape, case.dtype)).kernels
    (func,) = (k.naive.func for k in kernels if "sort" in k.naive.func.name)
    return func


@cache
def printed(name: str) -> tuple[CudaKernel, ...]:
    return print_cuda(verify(schedule_cuda(loops(name)), "cuda"))


@cache
def programs() -> dict[str, cuda_cpu.CpuProgram]:
    return dict(zip(CASES, cuda_cpu.build([printed(name) for name in CASES]), strict=True))


def arrays(func: LoopFunc, env: dict[str, int]) -> dict[str, np.ndarray]:
    """Numbers of which many are equal, and NaN, infinities and zeros of both signs among them."""
    random = np.random.default_rng(5)
    found = {}
    for buffer in func.params:
        shape = tuple(cuda_cpu.evaluate(e, env) for e in buffer.shape)
        dtype = buffer.dtype.numpy
        if buffer.access != "in":
            found[buffer.name] = np.zeros(shape, dtype)
        elif buffer.name == func.params[0].name and buffer.dtype.is_float:
            some = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.0, 3.0])
            values = np.where(
                random.random(shape) < 0.4, random.choice(some, shape), random.normal(size=shape)
            )
            found[buffer.name] = values.astype(dtype)
        elif buffer.name == func.params[0].name:
            found[buffer.name] = random.integers(0, 60, shape).astype(dtype)
        else:  # positions that are carried along
            found[buffer.name] = np.broadcast_to(np.arange(shape[-1]), shape).astype(dtype)
    return found


@needs_gcc
@pytest.mark.parametrize("name", CASES)
def test_on_the_cpu(name: str) -> None:
    func, env = loops(name), dict(CASES[name].extents)
    wanted, found, backwards = (arrays(func, env) for _ in range(3))
    evaluate(func, wanted, env)
    assert programs()[name].run(found, env) == 0
    assert programs()[name].run(backwards, env, reverse=True) == 0
    for p in func.params:
        if p.access == "out":
            assert found[p.name].tobytes() == backwards[p.name].tobytes()
            np.testing.assert_array_equal(found[p.name], wanted[p.name])
            if p.dtype.is_float:
                np.testing.assert_array_equal(np.signbit(found[p.name]), np.signbit(wanted[p.name]))


@pytest.mark.parametrize("name", ["seven", "two", "columns", "one_row"])
def test_scheduled_loops_evaluate_to_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    func, env = loops(name), dict(CASES[name].extents)
    wanted = arrays(func, env)
    evaluate(func, wanted, env)
    for short in (cuda_sort.SHORT, 1):  # in a block, and level by level
        monkeypatch.setattr(cuda_sort, "SHORT", short)
        found = arrays(func, env)
        evaluate(verify(schedule_cuda(func), "cuda"), found, env)
        for p in func.params:
            if p.access == "out":
                np.testing.assert_array_equal(found[p.name], wanted[p.name])


@pytest.mark.parametrize("name", CASES)
def test_no_row_is_one_thread_s(name: str) -> None:
    kernels = printed(name)
    assert len(kernels) == CASES[name].kernels
    assert all(np.prod(k.block) >= 32 for k in kernels)
    assert (len(kernels) > 1) or "__syncthreads" in kernels[0].source or kernels[0].block[0] == 32


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_it(arch: str) -> None:
    kernels = [
        renamed(k, f"{n}_{k.name}") for n in ("rows", "complex", "columns") for k in printed(n)
    ]
    kernels += [renamed(k, f"long_{k.name}") for k in printed("long")[-3:]]
    used = nvcc.resources(translation_unit(kernels), arch)
    assert len(used) == len(kernels) and all(r.spill_bytes == 0 for r in used.values())
