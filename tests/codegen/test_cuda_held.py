"""What threads keep between walks over a row: computed once, the same values, in registers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, print_cuda, translation_unit
from graphc.errors import LoweringError
from graphc.loops import ir as L
from graphc.loops.cuda_held import HELD_BYTES, hold_values
from graphc.loops.evaluate import evaluate
from graphc.loops.ir import LoopFunc
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from tests.codegen.cuda_graphs import renamed
from tests.codegen.test_cuda_scan import arrays

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def two_values(x: np.ndarray) -> np.ndarray:
    """Each of them costly, in three walks."""
    e = np.exp(x)
    s = np.tanh(e)
    return (e - e.sum(axis=-1, keepdims=True)) * (s / s.max(axis=-1, keepdims=True))


CASES = {
    # name: (function, shape, dtype, how often exp is computed)
    "rows": (softmax, (2, 4096), "f32", 1),
    "halves": (softmax, (2, 4096), "f16", 1),
    "bfloats": (softmax, (2, 2048), "bf16", 1),
    "doubles": (softmax, (2, 4096), "f64", 1),
    "odd": (softmax, (3, 1531), "f32", 1),
    "of_a_warp": (softmax, (11, 640), "f32", 1),
    "of_a_warp_odd": (softmax, (11, 77), "f16", 1),
    "two_values": (two_values, (3, 1500), "f32", 1),
    "too_long": (softmax, (2, 8704), "f32", 2),
}


@cache
def loops(name: str) -> LoopFunc:
    function, shape, dtype, _ = CASES[name]
    (kernel,) = graphc.jit(function).lower(graphc.spec(shape, dtype)).kernels
    return kernel.naive.func


@cache
def scheduled(name: str) -> LoopFunc:
    return verify(schedule_cuda(loops(name)), "cuda")


@cache
def programs() -> dict[str, cuda_cpu.CpuProgram]:
    return dict(
        zip(CASES, cuda_cpu.build([print_cuda(scheduled(name)) for name in CASES]), strict=True)
    )


@pytest.mark.parametrize("name", CASES)
def test_it_is_computed_once(name: str) -> None:
    body = scheduled(name).body
    found = [
        e
        for s in L.statements(body)
        for root in L.expressions(s)
        for e in L.walk(root)
        if isinstance(e, L.Scalar) and e.op == "exp"
    ]
    assert len(found) == CASES[name][3]
    held = [s.buffer for s in L.statements(body) if isinstance(s, L.Alloc)]
    private = [b for b in held if b.space == "private"]
    assert bool(private) == (CASES[name][3] == 1)
    assert sum(b.dtype.nbytes * int(np.prod(b.shape[1:])) for b in private) <= HELD_BYTES


@needs_gcc
@pytest.mark.parametrize("special", [False, True], ids=["", "special"])
@pytest.mark.parametrize("name", CASES)
def test_on_the_cpu(name: str, special: bool) -> None:
    func = loops(name)
    wanted, found, evaluated = (arrays(func, {}, special) for _ in range(3))
    with np.errstate(all="ignore"):
        evaluate(func, wanted, {})
        evaluate(scheduled(name), evaluated, {})
    assert programs()[name].run(found, {}) == 0
    (out,) = (p.name for p in func.params if p.access == "out")
    compare(name, evaluated[out], wanted[out])
    compare(name, found[out], wanted[out])


def compare(name: str, found: np.ndarray, wanted: np.ndarray) -> None:
    rtol = {"f16": 2e-3, "bf16": 2e-2, "f32": 2e-5, "f64": 1e-12}[CASES[name][2]]
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol / 100, err_msg=name)


@needs_gcc
def test_halves_are_divided_as_numpy_does() -> None:
    """By every divisor, and dividends of each kind; a reciprocal that is a little wrong does."""
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    random = np.random.default_rng(5)
    chosen = [0, 1, 2, 0x3FF, 0x400, 0x3BFF, 0x3C00, 0x3C01, 0x7BFF, 0x7C00, 0x7E00, 0x8000, 0xFC00]
    y = np.concatenate([chosen, random.integers(0, 2**16, 243)]).astype(np.uint16).view(np.float16)
    (kernel,) = graphc.jit(np.divide).lower(graphc.spec((256, 1), "f16"), x[None]).kernels
    func = kernel.naive.func
    (program,) = cuda_cpu.build([print_cuda(verify(schedule_cuda(func), "cuda"))])
    given = iter((y[:, None], x[None]))
    found = {
        p.name: np.zeros((256, 2**16), np.float16) if p.access == "out" else next(given)
        for p in func.params
    }
    assert program.run(found, {}) == 0
    (out,) = (p.name for p in func.params if p.access == "out")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found[out], y[:, None] / x[None])


def walk(number: int, *body: L.Stmt) -> L.For:
    return L.For(f"thread{number}", 32, "thread", body)


def test_what_changed_in_between_is_computed_again() -> None:
    x = L.Buffer("x", ty.F32, (32,), None, "global", "inout")
    y = L.Buffer("y", ty.F32, (32,), None, "global", "out")

    def exp_of_x(number: int) -> L.Let:
        at = (ty.Dim.symbol(f"thread{number}"),)
        return L.Let(f"t{number}", L.Scalar("exp", (L.Load(x, at),), ty.F32))

    def to(buffer: L.Buffer, number: int) -> L.Store:
        at = (ty.Dim.symbol(f"thread{number}"),)
        return L.Store(buffer, at, L.Name(f"t{number}", ty.F32))

    same = [walk(k, exp_of_x(k), to(y, k)) for k in (1, 2)]
    assert [type(s) for s in hold_values(set(), same)] == [L.Alloc, L.For, L.For]
    changing = (walk(1, exp_of_x(1), to(x, 1)), walk(2, exp_of_x(2), to(y, 2)))
    assert hold_values(set(), changing) == changing
    between = (same[0], walk(3, L.Let("t3", L.Const(1.0, ty.F32)), to(x, 3)), same[1])
    assert hold_values(set(), between) == between


def test_a_thread_has_no_other_thread_s_part() -> None:
    func = scheduled("rows")

    def shifted(e: L.Expr) -> L.Expr:
        if isinstance(e, L.Load) and e.buffer.space == "private":
            return L.Load(e.buffer, (0, *e.index[1:]))
        return e

    wrong = replace(func, body=tuple(L.map_stmt(s, lambda i: i, shifted) for s in func.body))
    with pytest.raises(LoweringError, match="a thread uses what held holds for others"):
        print_cuda(wrong)


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_it_stays_in_registers(arch: str) -> None:
    kernels: list[CudaKernel] = []
    for name in ("rows", "halves", "odd", "of_a_warp_odd", "two_values"):
        kernels += [renamed(k, f"{name}_{k.name}") for k in print_cuda(scheduled(name))]
    used = nvcc.resources(translation_unit(kernels), arch)
    assert len(used) == len(kernels)
    assert {name: r.stack_bytes for name, r in used.items() if r.stack_bytes} == {}
