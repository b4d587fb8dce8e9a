"""The CUDA schedule and printer: every scalar op and every kind of nest, run on the CPU and
compiled by nvcc."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from graphc import types as ty
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import CudaKernel, print_cuda, translation_unit
from graphc.errors import BuildError, LoweringError
from graphc.evaluate import evaluate as graph_evaluate
from graphc.loops.cuda_access import merge
from graphc.loops.evaluate import evaluate
from graphc.loops.ir import (
    Accumulate,
    Alloc,
    Barrier,
    Bitcast,
    Buffer,
    Cast,
    Const,
    For,
    If,
    Load,
    LoopFunc,
    Scalar,
    Stmt,
    Store,
)
from graphc.loops.scalar import SCALAR_OPS
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.types import BF16, BOOL, DTYPES, F16, F32, F64, I32, I64, Dim, DType

from ..random_graphs import assert_close as assert_graphs_close
from ..random_graphs import random_graph, tolerances
from . import cuda_graphs
from . import cuda_kernels as kernels
from .cuda_kernels import Case

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
REAL = [d for d in DTYPES.values() if not d.is_complex]
CASES = {case.name: case for case in kernels.cases()}

# ------------------------------------------------------------------------------------- scalar ops


def special_values(dtype: DType) -> np.ndarray:
    """Numbers at which an op may go wrong, and some ordinary ones."""
    rng = np.random.default_rng(1)
    if dtype is BOOL:
        return np.array([False, True])
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        edge = [
            0,
            1,
            2,
            3,
            5,
            7,
            8,
            12,
            31,
            32,
            63,
            64,
            100,
            info.max,
            info.max - 1,
            info.min,
            info.min + 1,
        ]
        edge += [-1, -2, -3, -7, -64] if dtype.kind == "i" else []
        return np.array([e for e in edge if info.min <= e <= info.max], dtype.numpy)
    edge = [
        0.0,
        -0.0,
        1,
        -1,
        0.5,
        -0.5,
        2,
        -3,
        1.5,
        2.5,
        10,
        88,
        1e-3,
        -700,
        3e4,
        math.inf,
        -math.inf,
        math.nan,
    ]
    edge += [6e-8, -6e-8] if dtype.bits == 16 else [1e-30, 1e30]
    return np.concatenate([np.array(edge), rng.normal(size=8) * 3]).astype(dtype.numpy)


def operands(dtype: DType, arity: int) -> list[np.ndarray]:
    values = special_values(dtype)
    if arity == 1:
        return [values]
    a, b = (g.ravel() for g in np.meshgrid(values, values))
    return [a, b, np.roll(b, 5)][:arity]


def scalar_func(dtype: DType, arity: int) -> tuple[LoopFunc, list[str]]:
    """All ops of an arity on one dtype, an output each."""
    n = len(operands(dtype, arity)[0])
    i = Dim.symbol("i")
    inputs = [Buffer(f"x{k}", dtype, (n,), access="in") for k in range(arity)]
    outputs, stores, names = [], [], []
    for name, op in SCALAR_OPS.items():
        if op.arity != arity or not op.takes(dtype):
            continue
        result = op.gives(dtype)
        out = Buffer(f"out_{name}", result, (n,), access="out")
        outputs.append(out)
        names.append(name)
        stores.append(Store(out, (i,), Scalar(name, tuple(Load(x, (i,)) for x in inputs), result)))
    return LoopFunc(
        f"scalar{arity}", (*inputs, *outputs), (), (For("i", n, "parallel", tuple(stores)),)
    ), names


def cast_func(source: DType) -> LoopFunc:
    values = cast_values(source)
    i = Dim.symbol("i")
    x = Buffer("x", source, (len(values),), access="in")
    outs = [Buffer(f"to_{d.name}", d, (len(values),), access="out") for d in REAL]
    body = tuple(Store(o, (i,), Cast(Load(x, (i,)), o.dtype)) for o in outs)
    return LoopFunc("casts", (x, *outs), (), (For("i", len(values), "parallel", body),))


def cast_values(dtype: DType) -> np.ndarray:
    """Numbers that every dtype can hold the integer part of, and some that only wide ones can."""
    if dtype.is_float:
        return np.array([0, -0.0, 1, 1.75, 100.5, 0.3, 120, 6e-5]).astype(dtype.numpy)
    return special_values(dtype)


OPERANDS = [(d, arity) for d in REAL for arity in (1, 2, 3) if scalar_func(d, arity)[1]]


@cache
def scalar_programs() -> dict[tuple[DType, int], cuda_cpu.CpuProgram]:
    keys = OPERANDS
    sources = [print_cuda(schedule_cuda(scalar_func(*key)[0])) for key in keys]
    sources += [print_cuda(schedule_cuda(cast_func(d))) for d in REAL]
    built = cuda_cpu.build(sources)
    return dict(zip([*keys, *((d, 0) for d in REAL)], built, strict=True))


def assert_close(
    found: np.ndarray, expected: np.ndarray, dtype: DType, what: str, exact: bool = False
) -> None:
    if not dtype.is_float or exact:
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    tolerance = {F16: 2e-3, BF16: 2e-2, F32: 2e-6, F64: 1e-13}[dtype]
    least = {F16: 1e-7, BF16: 1e-30, F32: 1e-30, F64: 1e-300}[dtype]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(
            found.astype(np.float64),
            expected.astype(np.float64),
            rtol=tolerance,
            atol=least,
            err_msg=what,
        )


@needs_gcc
@pytest.mark.parametrize(("dtype", "arity"), OPERANDS, ids=str)
def test_scalar_ops(dtype: DType, arity: int) -> None:
    func, names = scalar_func(dtype, arity)
    args = operands(dtype, arity)
    arrays = {f"x{k}": a for k, a in enumerate(args)}
    arrays |= {p.name: np.zeros(p.shape, p.dtype.numpy) for p in func.params if p.access == "out"}  # type: ignore[arg-type]
    assert scalar_programs()[dtype, arity].run(arrays) == 0
    for name in names:
        with np.errstate(all="ignore"):
            expected = np.asarray(SCALAR_OPS[name].numpy(*args))
        found = arrays[f"out_{name}"]
        assert_close(found, expected, ty.dtype(found.dtype), f"{name} of {dtype.name}")


@needs_gcc
@pytest.mark.parametrize("dtype", REAL, ids=str)
def test_casts(dtype: DType) -> None:
    values = cast_values(dtype)
    arrays = {"x": values} | {f"to_{d.name}": np.zeros(len(values), d.numpy) for d in REAL}
    assert scalar_programs()[dtype, 0].run(arrays) == 0
    for target in REAL:
        with np.errstate(all="ignore"):
            expected = values.astype(target.numpy)
        np.testing.assert_array_equal(
            arrays[f"to_{target.name}"], expected, err_msg=f"{dtype} to {target}"
        )


@needs_gcc
def test_constants_are_exact() -> None:
    rng = np.random.default_rng(3)
    for dtype in (F16, BF16, F32, F64, I64):
        info = np.iinfo(np.int64)
        values = (
            [info.min, info.max, -1]
            if dtype is I64
            else [*special_values(dtype), *rng.normal(size=5)]
        )
        values = np.array(values).astype(dtype.numpy)
        out = Buffer("y", dtype, (len(values),), access="out")
        python = [int(v) if dtype is I64 else float(v) for v in values]
        stores = tuple(Store(out, (k,), Const(v, dtype)) for k, v in enumerate(python))
        arrays = {"y": np.zeros(len(values), dtype.numpy)}
        cuda_cpu.run_on_cpu(
            print_cuda(schedule_cuda(LoopFunc("constants", (out,), (), stores))), arrays
        )
        wide = (a if dtype is I64 else a.astype(np.float64) for a in (arrays["y"], values))
        np.testing.assert_array_equal(*wide)
        np.testing.assert_array_equal(
            np.signbit(arrays["y"][values == 0]), np.signbit(values[values == 0])
        )


# -------------------------------------------------------------------------------------- schedules


@cache
def printed(name: str) -> tuple[CudaKernel, ...]:
    return print_cuda(verify(schedule_cuda(CASES[name].func), "cuda"))


@cache
def programs() -> dict[str, cuda_cpu.CpuProgram]:
    return dict(zip(CASES, cuda_cpu.build([printed(name) for name in CASES]), strict=True))


def inputs(case: Case, env: dict[str, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    arrays = {}
    for p in case.func.params:
        shape = tuple(cuda_cpu.evaluate(e, env) for e in p.shape)
        if p.access != "in":
            arrays[p.name] = np.zeros(shape, p.dtype.numpy)
            continue
        values = (
            rng.normal(size=shape)
            if p.dtype.is_float
            else rng.integers(0, 2 if p.dtype is BOOL else 100, shape)
        )
        array = np.asarray(values).astype(p.dtype.numpy)
        arrays[p.name] = case.views[p.name](array) if p.name in case.views else array
    return arrays


@needs_gcc
@pytest.mark.parametrize("name", CASES)
def test_schedule(name: str) -> None:
    """The kernels, with threads in both orders, against the naive loops."""
    case = CASES[name]
    for env in case.symbols:
        expected, found, backwards = (inputs(case, env) for _ in range(3))
        evaluate(case.func, expected, env)
        assert programs()[name].run(found, env) == 0
        assert programs()[name].run(backwards, env, reverse=True) == 0
        for p in case.func.params:
            if p.access != "out":
                continue
            np.testing.assert_array_equal(
                found[p.name], backwards[p.name], err_msg=f"{p.name}: depends on order {env}"
            )
            if p.dtype.is_float:
                tolerance = {16: 2e-2, 32: 2e-5, 64: 1e-11}[p.dtype.bits]
                wide = [a[p.name].astype(np.float64) for a in (found, expected)]
                np.testing.assert_allclose(
                    *wide, rtol=tolerance, atol=tolerance, err_msg=f"{p.name} {env}"
                )
            else:
                np.testing.assert_array_equal(
                    found[p.name], expected[p.name], err_msg=f"{p.name} {env}"
                )


EVALUATED = (
    "bias_33_5",
    "transposing",
    "softmax",
    "cached_40_64",
    "columns_33_5",
    "highest",
    "scan",
    "cumulative",
)


@pytest.mark.parametrize("name", EVALUATED)
def test_scheduled_loops_evaluate_to_the_same(name: str) -> None:
    case = CASES[name]
    env = {k: min(v, 40) for k, v in case.symbols[0].items()}
    expected, found = inputs(case, env), inputs(case, env)
    evaluate(case.func, expected, env)
    evaluate(verify(schedule_cuda(case.func), "cuda"), found, env)
    for p in case.func.params:
        if p.access == "out":
            np.testing.assert_allclose(found[p.name], expected[p.name], rtol=1e-5, atol=1e-6)


def test_kinds_of_kernels() -> None:
    """Each kind of nest ends in the form that is meant for it."""

    def text(name: str) -> str:
        return "\n".join(k.source for k in printed(name))

    assert "gc_pack<float, 4>" in text("elementwise_40_64")
    assert "gc_pack<__half, 8>" in text("elementwise_f16") and "gc_pack<double, 2>" in text(
        "elementwise_f64"
    )
    assert "__shared__ float tile[1056]" in text("transposing")
    assert "gc_warp_reduce<gc_reduce_max>" in text("softmax_40_64")
    assert "gc_block_reduce<gc_reduce_add>" in text("softmax")
    assert "__syncthreads" in text("columns") and len(printed("variance")) == 5
    assert "long long" not in text("elementwise_40_64").replace("(long long)", "")


def test_division_and_remainder_merge() -> None:
    f, n, m = (Dim.symbol(s) for s in "fnm")
    assert merge(f // n // m * m * n + f // n % m * n + f % n) == f
    g = 1024 * f + 3 * n
    assert merge(g // 100 * 100 + g % 100) == g


def check_graphs(seeds: range) -> None:
    """Random graphs: NumPy's evaluator against the kernels, in both orders of the threads."""
    pairs = [random_graph(seed, 15) for seed in seeds]
    printed_graphs = [cuda_graphs.graph_kernels(graph) for graph, _ in pairs]
    for seed, (graph, arrays), one, programs in zip(
        seeds, pairs, printed_graphs, cuda_graphs.build(printed_graphs), strict=True
    ):
        expected = graph_evaluate(graph, arrays)
        found, backwards = (
            cuda_graphs.run(one, programs, arrays, order) for order in (False, True)
        )
        assert_graphs_close(found, expected, tolerances(graph, arrays))
        for a, b in zip(found, backwards, strict=True):
            assert a.tobytes() == b.tobytes(), f"seed {seed} depends on the order of threads"


@needs_gcc
@pytest.mark.filterwarnings("ignore")
def test_random_graphs() -> None:
    check_graphs(range(20))


@needs_gcc
@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", range(0, 1000, 50))
def test_many_random_graphs(start: int) -> None:
    check_graphs(range(start, start + 50))


@needs_gcc
def test_fail_sets_the_error_code() -> None:
    func = kernels.gather(50)
    program = cuda_cpu.build([print_cuda(schedule_cuda(func))])[0]
    arrays = {
        "x": np.arange(100, dtype=np.float32),
        "at": np.arange(50, dtype=np.int32),
        "y": np.zeros(50, np.float32),
    }
    assert program.run(arrays) == 0
    np.testing.assert_array_equal(arrays["y"], np.arange(50))
    arrays["at"][[3, 9]] = 95
    assert program.run(arrays) == 7
    assert arrays["y"][3] == -1 and arrays["y"][4] == 4


@needs_gcc
def test_transpose_and_bitcast() -> None:
    x = np.random.default_rng(0).normal(size=(16, 40)).astype(np.float32)
    y, z = np.zeros(640, np.float32), np.zeros(640, np.float32)
    cuda_cpu.run_on_cpu(print_cuda(kernels.tile()), {"x": x.ravel(), "y": y, "z": z})
    np.testing.assert_array_equal(y.reshape(40, 16), x.T)
    np.testing.assert_array_equal(z.reshape(40, 16), x.T)
    a, b = Buffer("a", F32, (640,), access="in"), Buffer("b", I32, (640,), access="out")
    i = Dim.symbol("i")
    func = LoopFunc(
        "bits",
        (a, b),
        (),
        (For("i", 640, "parallel", (Store(b, (i,), Bitcast(Load(a, (i,)), I32)),)),),
    )
    bits = np.zeros(640, np.int32)
    cuda_cpu.run_on_cpu(print_cuda(schedule_cuda(func)), {"a": x.ravel(), "b": bits})
    np.testing.assert_array_equal(bits, x.ravel().view(np.int32))


@needs_gcc
def test_names_that_c_reserves() -> None:
    """Buffers and variables may be called as C's keywords and CUDA's functions are."""
    x, y = Buffer("int", F32, (70,), access="in"), Buffer("exp", F32, (70,), access="out")
    i = Dim.symbol("float")
    value = Scalar("exp", (Load(x, (i,)),), F32)
    func = LoopFunc("names", (x, y), (), (For("float", 70, "parallel", (Store(y, (i,), value),)),))
    arrays = {"int": np.ones(70, np.float32), "exp": np.zeros(70, np.float32)}
    cuda_cpu.run_on_cpu(print_cuda(schedule_cuda(func)), arrays)
    np.testing.assert_allclose(arrays["exp"], math.e, rtol=1e-6)


# ------------------------------------------------------------------------- what must be refused


def shared_shift(barrier: bool) -> LoopFunc:
    """Each thread reads what its neighbour wrote."""
    x, y = Buffer("x", F32, (64,), access="in"), Buffer("y", F32, (64,), access="out")
    tile = Buffer("tile", F32, (64,), None, "shared")
    t, u = Dim.symbol("t"), Dim.symbol("u")
    body = (
        Alloc(tile),
        For("t", 64, "thread", (Store(tile, (t,), Load(x, (t,))),)),
        *((For("v", 64, "thread", (Barrier(),)),) if barrier else ()),
        For("u", 64, "thread", (Store(y, (u,), Load(tile, ((u + 1) % 64,))),)),
    )
    return LoopFunc("shift", (x, y), (), (For("b", 1, "block", body),))


@needs_gcc
def test_a_missing_barrier_shows() -> None:
    x = np.arange(64, dtype=np.float32)
    for barrier in (True, False):
        results = []
        for reverse in (False, True):
            y = np.zeros(64, np.float32)
            cuda_cpu.run_on_cpu(
                print_cuda(shared_shift(barrier)), {"x": x, "y": y}, reverse=reverse
            )
            results.append(np.array_equal(y, np.roll(x, -1)))
        assert all(results) == barrier


def without_barriers(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    kept: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, If):
            stmt = replace(stmt, then=without_barriers(stmt.then))
        elif isinstance(stmt, For):
            if stmt.body == (Barrier(),):
                continue
            stmt = replace(stmt, body=without_barriers(stmt.body))
        kept.append(stmt)
    return tuple(kept)


@needs_gcc
@pytest.mark.parametrize("name", ("transposing_40_64", "columns_max", "cached_3_1024"))
def test_the_schedule_needs_its_barriers(name: str) -> None:
    case = CASES[name]
    scheduled = schedule_cuda(case.func)
    bare = replace(scheduled, body=without_barriers(scheduled.body))
    assert bare != scheduled
    program = cuda_cpu.build([print_cuda(bare)])[0]
    expected, found, backwards = (inputs(case, {}) for _ in range(3))
    evaluate(case.func, expected, {})
    program.run(found)
    program.run(backwards, reverse=True)
    same = (np.allclose(a["y"], expected["y"], rtol=1e-4) for a in (found, backwards))
    assert not all(same)


def handwritten(body: str) -> CudaKernel:
    head = 'extern "C" __global__ void __launch_bounds__(64) hand(\n    float* __restrict__ y)'
    source = f"{head} {{\n{body}\n}}\n"
    return CudaKernel(
        source, "hand", (1, 1, 1), (64, 1, 1), 0, (Buffer("y", F32, (64,)),), False, True
    )


@needs_gcc
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("if (threadIdx.x < 40) __syncthreads(); y[threadIdx.x] = 1;", "40 wait at __syncthreads"),
        (
            "if (threadIdx.x % 2) y[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);",
            "32 in a warp operation",
        ),
    ],
)
def test_deadlocks_are_reported(body: str, message: str) -> None:
    with pytest.raises(cuda_cpu.DeadlockError, match=message):
        cuda_cpu.run_on_cpu([handwritten(body)], {"y": np.zeros(64, np.float32)})
    ok = np.zeros(64, np.float32)  # and the next launch works
    cuda_cpu.run_on_cpu([handwritten("__syncthreads(); y[threadIdx.x] = threadIdx.x;")], {"y": ok})
    np.testing.assert_array_equal(ok, np.arange(64))


def test_refusals() -> None:
    case = CASES["softmax"].func
    with pytest.raises(LoweringError, match="not scheduled"):
        print_cuda(case)
    x = Buffer("x", F32, (8,), access="inout")
    t = Dim.symbol("t")

    def kernel(*body: object, extent: int = 64) -> LoopFunc:
        return LoopFunc("f", (x,), (), (For("b", 1, "block", (*body,)),))  # type: ignore[arg-type]

    acc = Buffer("acc", F32, (1,), None, "register")
    some = For("t", 64, "thread", (Store(x, (0,), Const(1.0, F32)), Barrier()))
    with pytest.raises(LoweringError, match="over all threads of the block"):
        print_cuda(kernel(For("all", 128, "thread", ()), some))
    with pytest.raises(LoweringError, match="stored to inside a thread loop"):
        print_cuda(kernel(Alloc(acc), For("t", 64, "thread", (Store(acc, (0,), Const(1.0, F32)),))))
    with pytest.raises(LoweringError, match="whole warps"):
        print_cuda(
            kernel(
                Alloc(acc), For("t", 48, "thread", (Accumulate(acc, (0,), "add", Load(x, (t,))),))
            )
        )
    with pytest.raises(LoweringError, match="more than 1024"):
        print_cuda(kernel(For("t", 2048, "thread", ())))
    big = Buffer("big", F64, (10000,), None, "shared")
    with pytest.raises(LoweringError, match="shared memory"):
        print_cuda(kernel(Alloc(big)))
    with pytest.raises(LoweringError, match="no CUDA form"):
        print_cuda(kernel(Store(x, (0,), Scalar("gcd", (Const(1.0, F32), Const(2.0, F32)), F32))))


# ------------------------------------------------------------------------------------------- nvcc


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_some(arch: str) -> None:
    names = ("elementwise_f16", "transposing", "softmax_40_64", "columns", "highest")
    cubin = nvcc.compile_cubin(translation_unit([k for name in names for k in printed(name)]), arch)
    assert cubin[:4] == b"\x7fELF" and all(
        printed(name)[0].name.encode() in cubin for name in names
    )


@needs_nvcc
def test_nvcc_takes_all_schedules() -> None:
    nvcc.check(translation_unit([k for name in CASES for k in printed(name)]))


@needs_nvcc
@pytest.mark.heavy
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_random_graphs(arch: str) -> None:
    found: dict[str, CudaKernel] = {}
    for seed in range(30):
        graph = cuda_graphs.graph_kernels(random_graph(seed, 15)[0])
        for kernel in (k for kernels_of_node in graph.kernels for k in kernels_of_node):
            name = f"seed{seed}_{kernel.name}"
            found[name] = replace(
                kernel, name=name, source=kernel.source.replace(kernel.name, name)
            )
    nvcc.compile_cubin(translation_unit(found.values()), arch)


@needs_nvcc
def test_nvcc_takes_all_scalar_ops() -> None:
    kernels: list[CudaKernel] = []
    for dtype in REAL:
        funcs = [scalar_func(dtype, arity) for arity in (1, 2, 3)]
        for func in (*(one for one, names in funcs if names), cast_func(dtype)):
            for kernel in print_cuda(schedule_cuda(func)):
                kernels.append(cuda_graphs.renamed(kernel, f"{kernel.name}_{len(kernels)}"))
    nvcc.check(translation_unit(kernels))


@needs_nvcc
def test_nvcc_refusals_quote_the_source() -> None:
    with pytest.raises(BuildError, match=r"2 \| +float x = undefined_name;"):
        nvcc.compile_cubin('extern "C" __global__ void f() {\n  float x = undefined_name;\n}\n')


def test_runtime_says_what_is_missing() -> None:
    from graphc_runtime import cuda

    there, why = cuda.available()
    assert isinstance(there, bool) and why
