"""Code for aarch64 is run, in the emulator of `arm.py`: kernels, scalar ops, whole programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.codegen.build import build_object
from graphc.codegen.llvm_builder import Module
from graphc.codegen.native_objects import folder
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops.scalar import SCALAR_OPS
from graphc.types import BF16, DTYPES, F16, F32, F64, I8, I16, I32, I64, U8, DType
from tests.compiled import lowered_graph
from tests.loops.test_dots import arrays_of, product
from tests.passes.test_winograd import force
from tests.programs import PROGRAMS, M, N, Program, arguments, conv, dot, op, tensor
from tests.random_graphs import assert_close, tolerances
from tests.thinned import thinned

from . import accuracy, arm, kernels, test_scalar_llvm, truth
from .test_accuracy import CASES as FUNCTIONS
from .test_accuracy import HARD

REAL = [d for d in DTYPES.values() if not d.is_complex]


def check(graph: Graph, arrays: list[np.ndarray] | None = None, **options: Any) -> None:
    """The results of a graph in the emulator are the evaluator's."""
    arrays = arguments(graph) if arrays is None else arrays
    got = arm.compiled(graph, **options)(*arrays)
    assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def near(function: Callable[..., Any], *arrays: np.ndarray, rtol: float = 2e-6) -> Any:
    """The results of a NumPy program after all passes are its own. Answers the stages."""
    types = [graphc.spec(a.shape, str(a.dtype)) for a in arrays]
    stages = graphc.jit(function).lower(*types).stages
    (got,) = arm.compiled(stages.graph, passes=True)(*arrays)
    wanted = function(*(a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=rtol * np.abs(wanted).max())
    return stages


def normal(*shape: int, dtype: str = "f4", seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


# ------------------------------------------------------------------------------------ the emulator
STOPPED = {
    "past an array": "%p = getelementptr i8, ptr %block, i64 24  store i8 1, ptr %p",
    "over its end": "%p = getelementptr i8, ptr %block, i64 20  store i64 1, ptr %p, align 1",
    "a constant": "store volatile i64 1, ptr @constant",
    "far before an array": "%p = getelementptr i8, ptr %block, i64 -5000  store i8 1, ptr %p",
}


@pytest.mark.parametrize("what", STOPPED)
def test_the_emulator_stops(what: str) -> None:
    body = STOPPED[what].replace("  ", "\n")
    text = f"@constant = constant i64 3\ndefine i64 @f(ptr %block) {{\n{body}\nret i64 0\n}}"
    machine = arm.Machine()
    function = machine.load(build_object(text, arm.ANY), {})["f"]
    block = machine.block(bytes(24), 8)
    with pytest.raises(arm.Fault):
        machine.call(function, block)


def test_the_emulator_sees_what_is_written_before_an_array() -> None:
    machine = arm.Machine()
    text = """define i64 @f(ptr %block, i64 %where) {
      %p = getelementptr i8, ptr %block, i64 %where
      store i8 1, ptr %p
      ret i64 -5
    }"""
    function = machine.load(build_object(text, arm.ANY), {})["f"]
    block = machine.block(bytes(24), 8)
    assert machine.call(function, block, 23) == -5
    machine.check_fill()
    assert machine.read(block, 24) == bytes(23) + b"\1"
    machine.call(function, block, -1)
    with pytest.raises(AssertionError, match="before"):
        machine.check_fill()


def test_the_emulated_processor_is_the_least_one() -> None:
    """Arithmetic of halves came with Armv8.2."""
    text = "define half @f(half %a) {\n%x = fadd half %a, 2.0\nret half %x\n}"
    code = build_object(text, arm.NEOVERSE)
    machine = arm.Machine()
    with pytest.raises(arm.Fault, match="exception"):
        machine.call(machine.load(code, {})["f"])
    machine = arm.Machine(arm.NEOVERSE)
    machine.call(machine.load(code, {})["f"])


# ------------------------------------------------------------------------------------- scalar ops


def widths(dtype: DType) -> set[int]:
    """A number, a register, several registers; the operands are a multiple of 16."""
    return {1, arm.ANY.isa.native_lanes(dtype), 16}


@pytest.mark.parametrize("dtype", thinned(REAL), ids=str)
def test_scalar_ops(dtype: DType) -> None:
    """Every op, on edge values."""
    module = Module(arm.ANY.isa)
    names = [name for name, one in SCALAR_OPS.items() if one.takes(dtype)]
    for name in names:
        for lanes in widths(dtype):
            kernels.op_kernel(module, f"{name}_{lanes}", name, dtype, lanes)
    run = arm.Kernels(module)
    for name in names:
        args = test_scalar_llvm.operands(name, dtype)
        want = test_scalar_llvm.reference(name, dtype, args)
        for lanes in widths(dtype):
            got = run(f"{name}_{lanes}", kernels.op_result(name, dtype), *args)
            test_scalar_llvm.assert_same(name, dtype, got, want, args)


@pytest.mark.parametrize("source", REAL, ids=str)
def test_casts(source: DType) -> None:
    test_scalar_llvm.check_casts(source, Module(arm.ANY.isa), arm.Kernels)


@pytest.mark.parametrize("name, dtype", FUNCTIONS, ids=str)
def test_functions_are_within_2_ulp(name: str, dtype: DType) -> None:
    """At the hardest points known, and at two thousand others."""
    hard = [[float.fromhex(a) for a in point] for point in HARD[f"{name} {dtype}"]]
    args = [
        np.concatenate([np.array(some, dtype.numpy), points])
        for some, points in zip(
            zip(*hard, strict=True), truth.points(name, dtype, 2048), strict=True
        )
    ]
    lanes = 2 * arm.ANY.isa.native_lanes(dtype)
    args = [np.concatenate([a, a[:1].repeat(-a.size % lanes)]) for a in args]
    module = Module(arm.ANY.isa)
    kernels.op_kernel(module, "f", name, dtype, lanes)
    got = arm.Kernels(module)("f", dtype, *args)
    least = accuracy.LEAST.get((name, dtype), 0.0)
    assert truth.errors(got, truth.compute(name, args), least).max() < 2.0


# --------------------------------------------------------------------------------------- programs


@pytest.mark.parametrize("program", thinned(PROGRAMS.values()), ids=lambda p: p.name)
def test_programs(program: Program) -> None:
    """One binary for several extents, and one after all passes for one extent."""
    graph = program.graph(N, M)
    function = arm.compiled(graph)
    for n, m in program.sizes(((0, 3), (3, 0), (1, 1), (5, 17), (34, 37))):
        arrays = arguments(graph, {"n": n, "m": m}, seed=m)
        sized = program.graph(n, m)
        assert_close(function(*arrays), evaluate(graph, arrays), tolerances(sized, arrays))
    n, m = program.sizes(((9, 35),))[0]
    check(program.graph(n, m), passes=True)


def test_strides_of_arguments() -> None:
    """Lines backwards, every third element, a transposed matrix."""
    graph = PROGRAMS["transposed_add"].graph(N, M)
    function = arm.compiled(graph, strided=(0, 1))
    whole = normal(23, 60)
    for a, b in ((whole[::-1, ::3], whole[:20]), (whole.T, whole[::-1, ::-1])):
        a, b = a[:20, :20], b[:20, :20]
        np.testing.assert_array_equal(function(a, b)[0], a + b.T)


def test_an_index_out_of_range_is_reported() -> None:
    x, i = tensor(F32, 9), tensor(I64, 5, name="i")
    function = arm.compiled(Graph.of("f", (x, i), (op("gather", x, i, axes=(0,), mode="raise"),)))
    values = normal(9)
    index = np.array([0, -9, 8, -1, 3])
    np.testing.assert_array_equal(function(values, index)[0], values[index])
    with pytest.raises(IndexError, match="out of"):
        function(values, index + 1)


@pytest.mark.parametrize("dtype", [F16, BF16, F32, F64, I8, I32, I64], ids=str)
def test_sorts_and_scans(dtype: DType) -> None:
    x = tensor(dtype, 3, 70)
    graph = Graph.of(
        "f",
        (x,),
        (
            op("sort", x, axis=1, keys=1, descending=False),
            op("sort", x, axis=0, keys=1, descending=True),
            op("cumulative", x, kind="max", axis=1),
            op("cumulative", x, kind="sum", axis=0),
        ),
    )
    check(graph)


# ----------------------------------------------------------------------------------- contractions
SIZES = ((1, 1, 1), (3, 0, 5), (13, 5, 9), (33, 70, 29), (50, 400, 41))
PAIRS = [(F32, F32), (F64, F64), (F16, F16), (BF16, BF16), (BF16, F32), (I8, I32), (U8, I32),
         (I16, I32), (I32, I32), (ty.C64, ty.C64)]  # fmt: skip


@pytest.mark.parametrize("of, to", thinned(PAIRS), ids=str)
def test_products(of: DType, to: DType) -> None:
    """Odd sizes, each operand transposed in turn; the last sum is cut into slices."""
    for k, (rows, depth, columns) in enumerate(SIZES):
        graph = product(rows, depth, columns, of, of, to, k % 2 == 1, k % 4 > 1)
        check(graph, arrays_of(graph))


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_a_row_times_a_matrix(dtype: DType) -> None:
    x, w = tensor(dtype, 70), tensor(dtype, 70, 5001, name="w")
    check(Graph.of("f", (x, w), (dot(x, w, ((0,), (0,))),)))
    check(Graph.of("f", (x, w), (dot(w, x, ((0,), (0,))),)))


def test_many_small_products() -> None:
    x, w = tensor(F32, 40, 5, 6), tensor(F32, 40, 6, 7, name="w")
    check(Graph.of("f", (x, w), (dot(x, w, ((2,), (1,)), 1),)))


def test_weights_are_packed_when_the_code_is_loaded() -> None:
    weight, shift = normal(90, 70), normal(90)
    stages = near(lambda x: np.tanh(x @ weight.T + shift), normal(40, 70), rtol=1e-5)
    assert stages.plan.kept


def unlike(got: np.ndarray, wanted: np.ndarray) -> float:
    """The greatest error, relative to the largest magnitude."""
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


CONVOLUTIONS = {
    "3x3": ((2, 11, 9, 5), (3, 3, 5, 7), {"low": (1, 1), "high": (1, 1)}),
    "strided": ((1, 15, 14, 3), (5, 5, 3, 18), {"stride": (2, 2), "low": (2, 2), "high": (2, 2)}),
    "1x1": ((1, 7, 7, 20), (1, 1, 20, 33), {}),
    "depthwise": ((1, 12, 13, 19), (3, 3, 1, 19), {"groups": 19, "low": (1, 1), "high": (1, 1)}),
    "grouped": ((1, 9, 9, 8), (3, 3, 4, 10), {"groups": 2, "rhs_dilation": (2, 2)}),
}


@pytest.mark.parametrize("dtype", [F32, F64, F16], ids=str)
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions(kind: str, dtype: DType) -> None:
    image, kernel, attrs = CONVOLUTIONS[kind]
    x, w = tensor(dtype, *image), tensor(dtype, *kernel, name="w")
    graph = Graph.of("f", (x, w), (conv(x, w, **attrs),))
    check(graph, passes=True)


@pytest.mark.parametrize("m", [2, 4])
def test_convolutions_by_winograd(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, m)
    x, w = tensor(F32, 1, 13, 10, 20), tensor(F32, 3, 3, 20, 36, name="w")
    graph = Graph.of("f", (x, w), (conv(x, w, low=(1, 1), high=(1, 1)),))
    assert "mix(" in str(lowered_graph(graph, passes=True, target=arm.ANY).optimised.graph)
    arrays = [normal(*v.shape) for v in graph.params]
    (got,) = arm.compiled(graph, passes=True)(*arrays)
    assert unlike(got, evaluate(graph, arrays)[0]) < 3e-6


def attend(q: Any, k: Any, v: Any) -> Any:
    s = q @ np.swapaxes(k, -1, -2) * q.dtype.type(q.shape[-1] ** -0.5)
    s = np.where(np.arange(s.shape[-2])[:, None] >= np.arange(s.shape[-1]), s, -np.inf)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)) @ v


@pytest.mark.parametrize("shape", [(3, 64, 16), (2, 70, 9)], ids=str)
def test_attention(shape: tuple[int, ...]) -> None:
    stages = near(attend, *(normal(*shape, seed=k) for k in range(3)))
    assert "attention(" in str(stages.optimised.graph)


def test_a_network() -> None:
    """The layers of an encoder, with captured weights."""
    qkv, out, up, down = (normal(a, b) / 5 for a, b in ((24, 72), (24, 24), (24, 50), (50, 24)))

    def norm(x: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)

    def layer(x: Any) -> Any:
        q, k, v = (np.swapaxes(p, 0, 1) for p in np.moveaxis((x @ qkv).reshape(45, 3, 4, 6), 1, 0))
        x = norm(x + np.swapaxes(attend(q, k, v), 0, 1).reshape(45, 24) @ out)
        return norm(x + np.maximum(x @ up, 0) @ down)

    near(layer, normal(45, 24), rtol=1e-5)


# ---------------------------------------------------------------------------- the shipped runtime


def test_the_shipped_runtime_runs_loops() -> None:
    """Its pool, on a machine where no thread can be made: the caller runs the loop."""
    machine = arm.Machine()
    failing = machine.load(build_object("define i64 @f() { ret i64 -1 }", arm.ANY), {})["f"]
    text = """define void @add(ptr %sum, i64 %begin, i64 %end, i64 %worker) {
      %old = load i64, ptr %sum
      %count = sub i64 %end, %begin
      %new = add i64 %old, %count
      store i64 %new, ptr %sum
      ret void
    }"""
    add = machine.load(build_object(text, arm.ANY), {})["add"]

    class Externals(dict[str, int]):
        def get(self, name: str, default: object = None) -> int:  # type: ignore[override]
            return failing

    shipped = machine.load((folder() / "native-aarch64.o").read_bytes(), Externals())
    assert machine.call(shipped["gc_set_threads"], 4) == 4
    total = machine.words([0])
    machine.call(shipped["gc_parallel_for"], add, total, 100, 1, 4)
    machine.call(shipped["gc_parallel_for"], add, total, 11, 1, 4)
    assert int.from_bytes(machine.read(total, 8), "little") == 111
