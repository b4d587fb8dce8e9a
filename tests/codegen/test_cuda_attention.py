"""Attention on CUDA: tensor cores and register tiles, run on the CPU in both orders of threads,
counted, and compiled by nvcc."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.codegen import cuda_cpu, nvcc
from graphc.codegen.cuda import print_cuda, translation_unit
from graphc.errors import VerifyError
from graphc.evaluate import evaluate as graph_evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.attention import match
from graphc.loops.cuda_attention_plain import line_of_key
from graphc.loops.evaluate import evaluate
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.types import BF16, F16, F32, F64, Dim, DType
from tests.ops.test_attention import one as of_card

from . import cuda_graphs
from .cuda_graphs import GraphKernels, graph_kernels, renamed
from .test_cuda_contract import shared_accesses

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")

# -------------------------------------------------------------------------------------- programs


def softmax(s: Any) -> Any:
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def scores(q: Any, k: Any) -> Any:
    return (q @ np.swapaxes(k, -1, -2)) * q.dtype.type(q.shape[-1] ** -0.5)


def plain(q: Any, k: Any, v: Any) -> Any:
    return softmax(scores(q, k)) @ v


def causal(q: Any, k: Any, v: Any) -> Any:
    s = scores(q, k)
    return softmax(np.where(np.tril(np.ones(s.shape[-2:], bool)), s, -np.inf)) @ v


def masked(q: Any, k: Any, v: Any, mask: Any) -> Any:
    return softmax(np.where(mask, scores(q, k), -np.inf)) @ v


def biased(q: Any, k: Any, v: Any, bias: Any) -> Any:
    return softmax(scores(q, k) + bias) @ v


def grouped(q: Any, k: Any, v: Any) -> Any:
    return plain(q, np.repeat(k, 2, 1), np.repeat(v, 2, 1))


def capped(q: Any, k: Any, v: Any) -> Any:
    return softmax(np.tanh(scores(q, k) / 5) * 5) @ v


def traced(program: Callable[..., Any], dtype: DType, *shapes: tuple[int, ...]) -> Graph:
    """The graph; a mask of two axes is bool in `masked`."""
    types = [graphc.spec(s, dtype.name) for s in shapes]
    if program is masked:
        types[-1] = graphc.spec(shapes[-1], "bool")
    return graphc.jit(program).lower(*types).graph


def rows(n: int, m: int, d: int, w: int | None = None, *batch: int) -> list[tuple[int, ...]]:
    return [(*batch, n, d), (*batch, m, d), (*batch, m, w or d)]


B, N, M = (Dim.symbol(n) for n in "bnm")


def programs() -> dict[str, Graph]:
    found: dict[str, Graph] = {}
    for dtype in (F16, BF16, F32, F64):
        name = dtype.name
        found[f"plain_{name}"] = traced(plain, dtype, *rows(70, 90, 16, None, 2))
        found[f"causal_{name}"] = traced(causal, dtype, *rows(150, 170, 64))
    for dtype in (F16, F32):
        name = dtype.name
        found |= {
            f"d80_{name}": traced(plain, dtype, *rows(65, 100, 80)),
            f"d128_{name}": traced(plain, dtype, *rows(64, 96, 128)),
            f"odd_{name}": traced(plain, dtype, *rows(67, 131, 5, 7)),
            f"masked_{name}": traced(masked, dtype, *rows(64, 96, 16, None, 2), (64, 96)),
            f"biased_{name}": traced(biased, dtype, *rows(67, 93, 24), (67, 93)),
            f"grouped_{name}": traced(grouped, dtype, (2, 4, 66, 8), (2, 2, 67, 8), (2, 2, 67, 8)),
            f"capped_{name}": traced(capped, dtype, *rows(64, 64, 32, 24)),
            f"few_{name}": of_card((2,), 5, 7, 3, 4, dtype),
            f"symbols_{name}": of_card((B,), N, M, 12, 10, dtype),
        }
    return found


PROGRAMS = programs()
EXTENTS = [{"b": 2, "n": 3, "m": 5}, {"b": 1, "n": 66, "m": 130}, {"b": 0, "n": 2, "m": 2},
           {"b": 2, "n": 0, "m": 3}, {"b": 1, "n": 3, "m": 0}]  # fmt: skip
RTOL = {"f16": 4e-3, "bf16": 3e-2, "f32": 5e-6, "f64": 1e-13}


@cache
def built() -> dict[str, tuple[GraphKernels, list[cuda_cpu.CpuProgram]]]:
    graphs = [graph_kernels(graph, passes=True) for graph in PROGRAMS.values()]
    return dict(zip(PROGRAMS, zip(graphs, cuda_graphs.build(graphs), strict=True), strict=True))


def arrays(graph: Graph, env: dict[str, int] | None = None) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    found = []
    for value in graph.params:
        shape = tuple(int(ty.substitute(e, env or {})) for e in value.shape)
        numbers = rng.standard_normal(shape)
        found.append(
            numbers > -0.5 if value.dtype is ty.BOOL else numbers.astype(value.dtype.numpy)
        )
    return found


def check(name: str, given: list[np.ndarray]) -> None:
    """Against the card's meaning, and the same bits with the threads in either order."""
    graph = PROGRAMS[name]
    one, programs = built()[name]
    found = cuda_graphs.run(one, programs, given)
    backwards = cuda_graphs.run(one, programs, given, reverse=True)
    (wanted,) = graph_evaluate(one.graph, given)
    assert found[0].tobytes() == backwards[0].tobytes()
    assert found[0].dtype == wanted.dtype and found[0].shape == wanted.shape
    wide, right = found[0].astype("f8"), wanted.astype("f8")
    np.testing.assert_allclose(wide, right, rtol=0, atol=RTOL[graph.results[0].dtype.name])


@needs_gcc
@pytest.mark.parametrize("name", [n for n in PROGRAMS if "symbols" not in n])
def test_values(name: str) -> None:
    check(name, arrays(PROGRAMS[name]))


@needs_gcc
@pytest.mark.parametrize("env", EXTENTS, ids=str)
@pytest.mark.parametrize("dtype", ("f16", "f32"))
def test_symbolic_extents(dtype: str, env: dict[str, int]) -> None:
    check(f"symbols_{dtype}", arrays(PROGRAMS[f"symbols_{dtype}"], env))


@needs_gcc
@pytest.mark.parametrize("dtype", ("f16", "f32"))
def test_hidden_keys_are_passed_by_but_for_nan(dtype: str) -> None:
    """Columns of v with a NaN or an infinity, whichever queries see it, are NaN."""
    name = f"causal_{dtype}"
    one, programs = built()[name]
    (kernel,) = one.kernels[0]
    assert "block" in kernel.source and "< seen" in kernel.source
    q, k, v = arrays(PROGRAMS[name])
    v[169, 3], v[100, 63], v[2, 9] = np.nan, -np.inf, np.inf
    (found,) = cuda_graphs.run(one, programs, [q, k, v])
    with np.errstate(all="ignore"):
        (wanted,) = graph_evaluate(one.graph, [q, k, v])
    wide, right = found.astype("f8"), wanted.astype("f8")
    assert np.isnan(right[:, 3]).all() and np.isnan(right[:100, 63]).all()
    np.testing.assert_allclose(wide, right, rtol=0, atol=RTOL[dtype])


@needs_gcc
@pytest.mark.parametrize("dtype", ("f16", "f32"))
def test_special_numbers(dtype: str) -> None:
    """NaN and infinities in rows of q and k, and rows without a key, are where the card has
    them."""
    name = f"biased_{dtype}"
    q, k, v, bias = arrays(PROGRAMS[name])
    q[3], q[20, 0], k[5, 1] = np.nan, np.inf, np.inf
    bias[7], bias[9, 4], bias[40:50, ::3] = -np.inf, np.inf, -np.inf
    v[60, 2] = np.nan
    one, programs = built()[name]
    (found,) = cuda_graphs.run(one, programs, [q, k, v, bias])
    with np.errstate(all="ignore"):
        (wanted,) = graph_evaluate(one.graph, [q, k, v, bias])
    wide, right = found.astype("f8"), wanted.astype("f8")
    assert np.isnan(right).any() and np.isfinite(right).any()
    np.testing.assert_allclose(wide, right, rtol=0, atol=RTOL[dtype])


# ------------------------------------------------------------------------------------- the loops


def loops(graph: Graph) -> L.LoopFunc:
    (lowered,) = graph_kernels(graph, passes=True).lowered
    return lowered.func


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_nest_is_known(name: str) -> None:
    """As an attention; 16-bit floats go to tensor cores, and each kernel is one, without
    workspace."""
    func = loops(PROGRAMS[name])
    (nest,) = (s for s in func.body if isinstance(s, L.For))
    assert match(nest) is not None
    scheduled = schedule_cuda(func)
    assert len(scheduled.body) == 1
    statements = list(L.statements(scheduled.body))
    assert any(isinstance(s, L.Mma) for s in statements) == name.endswith("f16")
    assert any(isinstance(s, L.Combine) for s in statements)


def test_other_nests_are_not_known() -> None:
    func = loops(PROGRAMS["plain_f32"])
    (nest,) = (s for s in func.body if isinstance(s, L.For))
    without = tuple(s for s in nest.body if not isinstance(s, L.For))
    some = [s for s in nest.body if isinstance(s, L.For)]
    for body in (without, (*without, *some[:-1]), (*without, *some[::-1])):
        assert match(L.For(nest.var, nest.extent, nest.kind, tuple(body))) is None


@pytest.mark.parametrize("name", ("plain_f16", "plain_f32"))
def test_scheduled_loops_evaluate_to_the_same(name: str) -> None:
    """The loop IR as it stands, with Mma and Combine; the evaluator sees accesses that stray."""
    graph = traced(plain, F16 if "f16" in name else F32, *rows(64, 64, 8, 4))
    one = graph_kernels(graph, passes=True)
    (lowered,) = one.lowered
    given = arrays(graph)
    (wanted,) = graph_evaluate(one.graph, given)
    out = np.zeros_like(wanted)
    buffers = {b.name: a for b, a in zip(lowered.func.params, [*given, out], strict=True)}
    evaluate(verify(schedule_cuda(lowered.func), "cuda"), buffers, {})
    bound = RTOL[name.split("_")[1]]
    np.testing.assert_allclose(out.astype("f8"), wanted.astype("f8"), rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", (F16, F32, F64), ids=str)
@pytest.mark.parametrize("depth", (64, 80, 128))
def test_no_bank_conflicts(dtype: DType, depth: int) -> None:
    func = schedule_cuda(loops(traced(plain, dtype, *rows(1024, 1024, depth, None, 2))))
    accesses = list(shared_accesses(func))
    assert len(accesses) >= 8 and all(len(a.places) == 32 for a in accesses)
    # lines of 80 numbers are no multiple of 32 banks: one of four passes of a fill is two
    most = 2 if depth == 80 and dtype is F32 else 1
    assert [a for a in accesses if a.ways > most] == []


def joined(op: str, lanes: int) -> L.LoopFunc:
    """y = x of all lanes of a group, joined."""
    x, y = (L.Buffer(n, F32, (32,), None, "global", a) for n, a in (("x", "in"), ("y", "out")))
    held = L.Buffer("held", F32, (1,), None, "register")
    lane = (Dim.symbol("lane"),)
    body = (
        L.Alloc(held), L.Store(held, (0,), L.Load(x, lane)), L.Combine(held, (0,), op, lanes),
        L.Store(y, lane, L.Load(held, (0,))),
    )  # fmt: skip
    warp = L.For("warp", 1, "thread", (L.For("lane", 32, "thread", body),))
    return L.LoopFunc("joined", (x, y), (), (L.For("block", 1, "block", (warp,)),))


@needs_gcc
def test_lanes_are_combined() -> None:
    x = np.arange(32, dtype=np.float32)
    for op, lanes in (("add", 4), ("max", 16), ("min", 32)):
        func = verify(joined(op, lanes), "cuda")
        wanted = getattr(x.reshape(-1, lanes), {"add": "sum"}.get(op, op))(axis=1).repeat(lanes)
        found = {"x": x, "y": np.zeros_like(x)}
        evaluate(func, found, {})
        np.testing.assert_array_equal(found["y"], wanted)
        found["y"][...] = 0
        cuda_cpu.run_on_cpu(print_cuda(func), found, reverse=op == "max")
        np.testing.assert_array_equal(found["y"], wanted)
    assert "held[0] = max of 16 lanes" in str(joined("max", 16))


def test_combine_is_verified() -> None:
    with pytest.raises(VerifyError, match="joins 2, 4, 8, 16 or 32"):
        verify(joined("add", 3))
    with pytest.raises(VerifyError, match="unknown op"):
        verify(joined("sub", 4))
    with pytest.raises(VerifyError, match="cpu has no"):
        verify(joined("add", 4), "cpu")


@needs_nvcc
@pytest.mark.parametrize("arch", nvcc.ARCHITECTURES)
def test_nvcc_takes_it(arch: str) -> None:
    names = ("causal_bf16", "masked_f16", "odd_f32", "d80_f16", "d128_f16")
    kernels = [
        renamed(k, f"{name}_{k.name}")
        for name in names
        for k in print_cuda(schedule_cuda(loops(PROGRAMS[name])))
    ]
    used = nvcc.resources(translation_unit(kernels), arch)
    assert len(used) == len(kernels) and all(r.spill_bytes == 0 for r in used.values())


@needs_nvcc
def test_nvcc_takes_all_for_three_architectures() -> None:
    kernels = [
        renamed(k, f"{name}_{k.name}")
        for name, graph in PROGRAMS.items()
        for k in print_cuda(schedule_cuda(loops(graph)))
    ]
    nvcc.check(translation_unit(kernels))


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_the_line_of_a_key(size: int, lanes: int) -> None:
    span = 16 * lanes
    for s in range(2 * span // size + 2):
        for k in range(size):
            key = size * s + k
            line = 16 * (lanes * (key // span) + key % lanes) + key % span // lanes
            assert line_of_key(s, k, size, lanes) == line


def test_no_quotient_of_a_slice_and_an_unrolled_key() -> None:
    """NVVM of CUDA 13.0 takes the key out of one wrongly: the kernel read beyond shared memory."""
    ((kernel,),) = graph_kernels(PROGRAMS["plain_f32"], passes=True).kernels
    assert re.search(r"weights \+ ", kernel.source)
    assert not re.search(r"\(k\d* \+ slice\d* \* \d+\) ?[%/]", kernel.source)
