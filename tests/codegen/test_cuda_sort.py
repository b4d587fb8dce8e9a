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
from graphc.evaluate import evaluate as graph_evaluate
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
    "long": Case(places, (2, 5000), "i16", kernels=3),
    "long_row": Case(rows, (4097,), "f32", kernels=3),
    "longer_row": Case(rows, (8193,), "f32", kernels=4),
    "many_rows": Case(rows, ("n", 33), "f32", extents=(("n", 9),)),
    "no_rows": Case(rows, ("n", 33), "f32", extents=(("n", 0),)),
}


ANY = {
    # name: (the case, values of n)
    "row": (Case(rows, ("n",), "f32"), (0, 1, 2, 64, 65, 300, 4096, 4097, 9001, 20000)),
    "rows": (Case(rows, ("b", "n"), "f16"), (0, 1, 3, 100, 4500)),
    "places": (Case(places, ("b", "n"), "i16"), (2, 63, 1000, 8193)),
    "descending": (Case(descending, ("b", "n"), "f64"), (2, 63, 70, 5000)),
    "columns": (Case(lambda x: np.sort(x, axis=0), ("n", 3), "c64"), (0, 2, 64, 700, 4100)),
    "bools": (Case(places, ("n",), "bool"), (1, 65, 4099)),
}
"""Rows of any length: the same kernels for all of them."""
PASSES = cuda_sort.MOST - 11
"""Doublings from runs of 4096 on."""


def loops(name: str) -> LoopFunc:
    case = CASES[name] if name in CASES else ANY[name.removeprefix("any ")][0]
    kernels = graphc.jit(case.run).lower(graphc.spec(case.shape, case.dtype)).kernels
    (func,) = (k.naive.func for k in kernels if "sort" in k.naive.func.name)
    return func


@cache
def printed(name: str) -> tuple[CudaKernel, ...]:
    return print_cuda(verify(schedule_cuda(loops(name)), "cuda"))


@cache
def programs() -> dict[str, cuda_cpu.CpuProgram]:
    names = [*CASES, *(f"any {name}" for name in ANY)]
    return dict(zip(names, cuda_cpu.build([printed(name) for name in names]), strict=True))


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


def sorted_by_the_evaluator(case: Case, x: np.ndarray) -> np.ndarray:
    """What the last result is to be; complex numbers are given in parts."""
    graph = graphc.jit(case.run).lower(graphc.spec(case.shape, case.dtype)).graph
    dtype = graph.params[0].dtype
    (wanted,) = graph_evaluate(graph, [x.view(dtype.numpy)[..., 0] if dtype.is_complex else x])
    return wanted


def check(name: str, case: Case, env: dict[str, int]) -> None:
    """To the bit as the evaluator sorts, with the threads in either order."""
    func, program = loops(name), programs()[name]
    found, backwards = (arrays(func, env) for _ in range(2))
    wanted = sorted_by_the_evaluator(case, found[func.params[0].name])
    assert program.run(found, env) == 0
    assert program.run(backwards, env, reverse=True) == 0
    outs = [p.name for p in func.params if p.access == "out"]
    assert [found[out].tobytes() for out in outs] == [backwards[out].tobytes() for out in outs]
    assert found[outs[-1]].tobytes() == wanted.tobytes()


@needs_gcc
@pytest.mark.parametrize("name", CASES)
def test_on_the_cpu(name: str) -> None:
    check(name, CASES[name], dict(CASES[name].extents))


@needs_gcc
@pytest.mark.parametrize("name", ANY)
def test_rows_of_any_length(name: str) -> None:
    case, extents = ANY[name]
    for n in extents:
        check(f"any {name}", case, {"b": 3, "n": n})


@pytest.mark.parametrize("length", [0, 1, 64, 65, 4096, 4097, 8192, 8193, 1 << 24, 1 << 30])
def test_what_a_length_does_not_need_is_left_out(length: int) -> None:
    env = {"b": 1, "n": length}
    launched = [
        all(cuda_cpu.evaluate(extent, env) for extent in kernel.grid)
        for kernel in printed("any rows")
    ]
    passes = [length > cuda_sort.SHORT << k for k in range(PASSES)]
    assert launched == [0 < length <= 64, length > 64, *passes, length > cuda_sort.SHORT]


@pytest.mark.parametrize("name", ["row", "columns"])
def test_loops_of_any_length_evaluate_to_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With limits at which short rows already take all ways, the last one too: all runs at once."""
    monkeypatch.setattr(cuda_sort, "COUNTED", 2)
    monkeypatch.setattr(cuda_sort, "SHORT", 4)
    monkeypatch.setattr(cuda_sort, "MOST", 4)
    func = loops(f"any {name}")
    scheduled = verify(schedule_cuda(func), "cuda")
    for n in (0, 1, 2, 3, 4, 5, 9, 16, 17, 33, 60):
        env = {"n": n}
        wanted, found = arrays(func, env), arrays(func, env)
        evaluate(func, wanted, env)
        evaluate(scheduled, found, env)
        for p in func.params:
            if p.access == "out":
                np.testing.assert_array_equal(found[p.name], wanted[p.name])


@pytest.mark.parametrize("name", ["seven", "two", "columns"])
def test_scheduled_loops_evaluate_to_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    func, env = loops(name), dict(CASES[name].extents)
    wanted = arrays(func, env)
    evaluate(func, wanted, env)
    for counted, short in ((64, 4096), (1, 4096), (1, 1)):  # in a block, and level by level
        monkeypatch.setattr(cuda_sort, "COUNTED", counted)
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
    env = dict(CASES[name].extents)
    elements = np.prod([cuda_cpu.evaluate(e, env) for e in loops(name).params[0].shape])
    for kernel in kernels:
        blocks = [cuda_cpu.evaluate(extent, env) for extent in kernel.grid]
        assert np.prod(blocks) * np.prod(kernel.block) * 16 >= elements


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_it(arch: str) -> None:
    kernels = [
        renamed(k, f"{n}_{k.name}") for n in ("rows", "complex", "columns") for k in printed(n)
    ]
    kernels += [renamed(k, f"long_{k.name}") for k in printed("long")]
    some = printed("any rows")
    kernels += [renamed(k, f"any_{k.name}") for k in (*some[:3], *some[-2:])]
    used = nvcc.resources(translation_unit(kernels), arch)
    assert len(used) == len(kernels) and all(r.spill_bytes == 0 for r in used.values())
