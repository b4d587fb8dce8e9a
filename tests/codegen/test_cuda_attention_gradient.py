"""The gradient of attention on CUDA: its forward pass keeps the attention's kernel, and a block of
threads has the part of a head; run on the CPU, and compiled by nvcc."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.codegen import cuda_cpu, nvcc
from graphc.evaluate import evaluate
from graphc.ir import Graph, make, param
from graphc.loops import ir as L
from graphc.loops.attention import match
from graphc.loops.cuda_blocks import SHARED_BYTES
from graphc.loops.lower import lower
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.opdef import lookup
from graphc.ops.attention_rules import gradient_body, weights_dtype
from graphc.passes.fuse import fuse
from graphc.types import BF16, F16, F32, F64, DType, TensorType
from tests.ops.test_attention import RTOL, arrays, one

from . import cuda_graphs
from .test_cuda_attention import causal

needs_gcc = pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")

B, N, M = (ty.Dim.symbol(name) for name in "bnm")
ENV = {"b": 2, "n": 35, "m": 130}
USES: list[tuple[Any, ...]] = [
    ((2,), 20, 90, 3, 4, F32), ((), 50, 130, 16, 24, F16), ((2,), 70, 40, 8, 8, F64),
    ((1, 2), 33, 17, 5, 3, BF16), ((B,), N, M, 3, 2, F32),
]  # fmt: skip


def with_rows(graph: Graph) -> Graph:
    (node,) = graph.nodes
    return Graph.of("rows", graph.params, make(node.op, graph.params, attrs_of(node)).results)


def attrs_of(node: Any) -> dict[str, Any]:
    return {**node.attrs, "rows": True}


def gradient_of(graph: Graph) -> Graph:
    """The gradient's node alone; its rows are parameters."""
    (node,) = graph.nodes
    body = node.attrs["body"]
    q, _, v, t = body.results
    row = TensorType(weights_dtype(t, v), q.shape[:-1])
    more = [(node.results[0].type, "g"), (row, "top"), (row, "log"), (row, "mean")]
    params = (*graph.params, *(param(type, name) for type, name in more))
    found = lookup("attention_gradient")(*params, body=gradient_body(body))
    return Graph.of("gradient", params, found)


def arguments(uses: tuple[Any, ...]) -> list[np.ndarray]:
    """Of the gradient of a use, with the rows that its attention answers."""
    graph = one(*uses)
    given = arrays(graph, ENV)
    y, top, log = evaluate(with_rows(graph), given)
    rng = np.random.default_rng(7)
    g = rng.standard_normal(y.shape).astype(y.dtype)
    mean = (g.astype(log.dtype) * y.astype(log.dtype)).sum(-1)
    return [*given, g, top, log, mean]


def close(found: Any, wanted: np.ndarray, dtype: DType) -> None:
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    a, b = found.astype("f8"), wanted.astype("f8")
    scale = max(1.0, float(np.abs(b).max(initial=0.0)))
    np.testing.assert_allclose(a, b, rtol=0, atol=4 * RTOL[dtype.name] * scale)


def scheduled(graph: Graph) -> L.LoopFunc:
    (node,) = fuse(graph).nodes
    return schedule_cuda(lower(node.attrs["body"], "kernel").func)


@needs_gcc
def test_values() -> None:
    graphs = [make(one(*uses)) for uses in USES for make in (with_rows, gradient_of)]
    kernels = [cuda_graphs.graph_kernels(graph) for graph in graphs]
    given = [arguments(uses) for uses in USES for _ in range(2)]
    with cuda_graphs.built(kernels) as programs:
        for graph, kernel, program, every in zip(graphs, kernels, programs, given, strict=True):
            own = every[: len(graph.params)]
            for a, b in zip(
                cuda_graphs.run(kernel, program, own), evaluate(graph, own), strict=True
            ):
                close(a, b, graph.params[0].dtype)


@pytest.mark.parametrize("uses", USES, ids=str)
def test_the_forward_pass_keeps_its_kernel(uses: tuple[Any, ...]) -> None:
    (node,) = fuse(with_rows(one(*uses))).nodes
    (loop,) = [s for s in lower(node.attrs["body"], "kernel").func.body if isinstance(s, L.For)]
    found = match(loop)
    assert found is not None and len(found.rows) == 2


@pytest.mark.parametrize("uses", USES, ids=str)
def test_a_block_of_threads_has_a_part_of_a_head(uses: tuple[Any, ...]) -> None:
    func = verify(scheduled(gradient_of(one(*uses))), "cuda")
    kernels = [s for s in func.body if isinstance(s, L.For) and s.kind == "block"]
    (main,) = [k for k in kernels if any(isinstance(s, L.Barrier) for s in L.statements(k.body))]
    (threads,) = [s for s in main.body if isinstance(s, L.For)]
    assert threads.kind == "thread" and threads.extent == 256
    shared = [s.buffer for s in main.body if isinstance(s, L.Alloc)]
    assert shared and all(b.space == "shared" for b in shared)
    sizes = [ty.product(b.shape) * b.dtype.nbytes for b in shared]
    assert all(isinstance(n, int) for n in sizes)
    assert sum(n for n in sizes if isinstance(n, int)) <= SHARED_BYTES


@needs_nvcc
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nvcc_takes_it(dtype: str) -> None:
    def loss(q: Any, k: Any, v: Any) -> Any:
        y = causal(q, k, v)
        return (y * y).astype("f8").sum()

    specs = [graphc.spec((2, 256, 64), dtype)] * 3
    lowered = graphc.jit(graphc.value_and_grad(loss, argnums=(0, 1, 2))).lower(*specs)
    source = lowered.stages.cuda
    assert "__syncthreads" in source and "exp" in source
    assert nvcc.compile_cubin(source, "sm_90")
