"""The card of attention: its loops, naive, scheduled, native and as CUDA C, against its meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.codegen import cuda_cpu
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.evaluate import evaluate
from graphc.ir import Graph, make, param
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.loops.verify import verify
from graphc.opdef import lookup
from graphc.ops.attention import ATTENTION, LOCAL_BYTES, block_sizes
from graphc.passes.fuse import fuse
from graphc.types import F16, F32, F64, DType, TensorType

from ..codegen import cuda_graphs
from ..compiled import compiled
from ..loops.running import MACHINES, run_graph

RTOL = {"f16": 3e-3, "bf16": 2e-2, "f32": 5e-6, "f64": 1e-13}


def one(
    batch: tuple[Any, ...], queries: Any, keys: Any, depth: Any, width: Any, dtype: DType = F32
) -> Graph:
    """A graph of one attention with a mask of keys; v runs along the keys in memory."""
    shapes = ((*batch, queries, depth), (*batch, keys, depth), (*batch, width, keys), (keys,))
    types = [TensorType(dtype, shape) for shape in shapes]
    scores = TensorType(dtype, (*batch, queries, keys))
    s, q, k, v, m = (
        param(t, n) for t, n in zip((scores, *types), ("s", "q", "k", "v", "m"), strict=True)
    )
    rank = len(batch)
    turned = lookup("transpose")(v, axes=(*range(rank), rank + 1, rank))
    spread = lookup("broadcast")(m, shape=scores.shape, axes=(rank + 1,))
    body = Graph.of("body", (s, q, k, v, m), (q, k, turned, lookup("add")(s, spread)))
    params = tuple(param(t, n) for t, n in zip(types, ("q", "k", "v", "m"), strict=True))
    node = make(ATTENTION, params, {"body": body, "dtype": dtype})
    return Graph.of("one", params, node.results)


def arrays(graph: Graph, env: dict[str, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    found = []
    for value in graph.params:
        shape = tuple(int(ty.substitute(e, env)) for e in value.shape)
        found.append(rng.standard_normal(shape).astype(value.dtype.numpy))
    found[-1][::3] = -np.inf  # some keys are masked
    return found


def close(found: Any, wanted: np.ndarray, dtype: DType) -> None:
    assert found.dtype == dtype.numpy and found.shape == wanted.shape
    np.testing.assert_allclose(
        found.astype("f8"), wanted.astype("f8"), rtol=0, atol=2 * RTOL[dtype.name]
    )


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_loops(dtype: str) -> None:
    graph = one((2,), 70, 5, 3, 4, ty.DTYPES[dtype])
    given = arrays(graph, {})
    wanted = evaluate(graph, given)[0]
    close(compiled(graph)(*given)[0], wanted, ty.DTYPES[dtype])
    small = one((2,), 5, 4, 3, 2, ty.DTYPES[dtype])
    given = arrays(small, {})
    wanted = evaluate(small, given)[0]
    for machine in (None, *MACHINES):
        close(run_graph(small, given, {}, machine)[0], wanted, ty.DTYPES[dtype])


def test_evaluate_is_the_definition() -> None:
    graph = one((3,), 5, 7, 4, 2, F64)
    q, k, v, m = arrays(graph, {})
    t = q @ k.transpose(0, 2, 1) + m
    e = np.exp(t - t.max(-1, keepdims=True))
    wanted = (e / e.sum(-1, keepdims=True)) @ v.transpose(0, 2, 1)
    close(evaluate(graph, [q, k, v, m])[0], wanted, F64)


SYMBOLIC = [{"b": 2, "n": 3, "m": 5}, {"b": 1, "n": 66, "m": 130}, {"b": 0, "n": 2, "m": 2},
            {"b": 2, "n": 0, "m": 3}]  # fmt: skip


@pytest.mark.parametrize("env", SYMBOLIC, ids=str)
def test_symbolic_extents(env: dict[str, int]) -> None:
    b, n, m = (ty.Dim.symbol(name) for name in "bnm")
    graph = one((b,), n, m, 3, 2)
    given = arrays(graph, env)
    close(compiled(graph)(*given)[0], evaluate(graph, given)[0], F32)


@pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
def test_cuda() -> None:
    b, n, m = (ty.Dim.symbol(name) for name in "bnm")
    graphs = [one((2,), 20, 9, 3, 4), one((), 5, 130, 2, 3, F16), one((b,), n, m, 3, 2)]
    kernels = [cuda_graphs.graph_kernels(graph) for graph in graphs]
    with cuda_graphs.built(kernels) as programs:
        for graph, kernel, program in zip(graphs, kernels, programs, strict=True):
            env = {"b": 2, "n": 3, "m": 5}
            given = arrays(graph, env)
            wanted = evaluate(graph, given)[0]
            close(cuda_graphs.run(kernel, program, given)[0], wanted, graph.results[0].dtype)


# ------------------------------------------------------------------------------------------- loops


def scheduled(graph: Graph, machine: Machine) -> L.LoopFunc:
    (node,) = fuse(graph).nodes
    return verify(schedule(lower(node.attrs["body"], "kernel"), machine).func, "cpu")


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: str(m.vector_bytes))
def test_both_products_are_in_register_tiles(machine: Machine) -> None:
    func = scheduled(one((2,), 128, 256, 64, 64), machine)
    tiles = [
        loop
        for loop in L.statements(func.body)
        if isinstance(loop, L.For) and loop.kind == "vector"
        for sums in loop.body
        if isinstance(sums, L.For)
        and sum(isinstance(s, L.Accumulate) and s.op == "add" for s in sums.body) > 1
    ]
    assert len(tiles) >= 2


def test_queries_go_through_registers() -> None:
    func = scheduled(one((2,), 128, 256, 64, 64), MACHINES[-1])
    assert any(isinstance(s, L.Transpose) for s in L.statements(func.body))


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("depth", [1, 64, 256, 700])
def test_local_buffers_are_small(depth: int, dtype: DType) -> None:
    graph = one((2,), 300, 300, depth, 64, dtype)
    func = scheduled(graph, MACHINES[-1])
    local = [
        s.buffer
        for s in L.statements(func.body)
        if isinstance(s, L.Alloc) and s.buffer.space == "local"
    ]
    sizes = [int(ty.product(b.shape)) * b.dtype.nbytes for b in local if b.name[0] != "r"]
    assert sum(sizes) <= LOCAL_BYTES + (64 << 10)


def test_sizes_of_blocks() -> None:
    def sizes(queries: Any, keys: Any, depth: Any = 64) -> tuple[int, int] | None:
        shapes = ((queries, keys), (queries, depth), (keys, depth), (keys, 64))
        s, q, k, v = (param(TensorType(F32, one), "x") for one in shapes)
        return block_sizes(Graph.of("body", (s, q, k, v), (q, k, v, s)))

    n = ty.Dim.symbol("n")
    assert sizes(128, 128) == (64, 128) and sizes(n, n) == (32, 128)
    assert sizes(4096, 130) == (64, 65)
    assert sizes(40, 40) == (40, 40)  # one block, as large as all
    assert sizes(100, 100) == (100, 100)
    assert sizes(96, 96) in ((96, 96), (48, 96))
    assert sizes(128, 128, n) is None and sizes(128, 128, 5000) is None


# ----------------------------------------------------------------------------------------- refused


def test_refuses_what_does_not_fit() -> None:
    graph = one((2,), 5, 7, 3, 4)
    (node,) = graph.nodes
    types = [v.type for v in node.operands]
    body = node.attrs["body"]
    with pytest.raises(TypeMismatch, match="operand 1"):
        ATTENTION.infer_types([types[0], types[0], *types[2:]], node.attrs)
    with pytest.raises(TypeMismatch, match="got 1 operands"):
        ATTENTION.infer_types(types[:1], node.attrs)
    with pytest.raises(TypeMismatch, match="body is no graph"):
        ATTENTION.infer_types(types, {"body": 3, "dtype": F32})
    q, k, v, t = body.results
    for results in ((k, q, v, t), (q, k, k, q), (v, k, v, t)):
        wrong = Graph.of("body", body.params, results)
        with pytest.raises(ShapeMismatch, match="attention: q is"):
            ATTENTION.infer_types(types, {"body": wrong, "dtype": F32})
    with pytest.raises(ShapeMismatch, match="do not fit"):
        one((2,), 5, 7, 9000, 4)
