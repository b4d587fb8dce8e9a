"""Runs whole graphs as CUDA C on the CPU: fusions, loops, the CUDA schedule, the printer, g++."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from graphc.codegen import cuda_cpu
from graphc.codegen.cuda import CudaKernel, print_cuda
from graphc.codegen.cuda import renamed as renamed
from graphc.evaluate import bind_extents
from graphc.ir import Graph
from graphc.loops.lower import Lowered, lower
from graphc.loops.schedule_cuda import schedule_cuda
from graphc.loops.verify import verify
from graphc.passes import pipeline
from graphc.passes.fuse import fuse


@dataclass(frozen=True)
class GraphKernels:
    """A fused graph with the kernels of each of its nodes, constants excepted."""

    graph: Graph
    lowered: tuple[Lowered, ...]
    kernels: tuple[tuple[CudaKernel, ...], ...]


def graph_kernels(
    graph: Graph, passes: bool = False, arch: str | None = None, tf32: bool = False
) -> GraphKernels:
    """The kernels of a graph; without `passes`, it is fused and nothing else. With `arch` they may
    be for that architecture alone, with `tf32` products of f32 may be rounded to it."""
    fused = pipeline.run(graph).graph if passes else fuse(graph)
    nodes = [n for n in fused.nodes if n.op.name != "constant"]
    lowered = tuple(lower(n.attrs["body"], f"kernel{k}") for k, n in enumerate(nodes))
    kernels = tuple(
        print_cuda(verify(schedule_cuda(one.func, arch, tf32), "cuda")) for one in lowered
    )
    return GraphKernels(fused, lowered, kernels)


def build(graphs: Sequence[GraphKernels]) -> list[list[cuda_cpu.CpuProgram]]:
    """The programs of many graphs, compiled at once."""
    return _by_graph(graphs, cuda_cpu.build([k for one in graphs for k in one.kernels]))


@contextmanager
def built(graphs: Sequence[GraphKernels]) -> Iterator[list[list[cuda_cpu.CpuProgram]]]:
    """The same, unloaded afterwards."""
    with cuda_cpu.temporary([k for one in graphs for k in one.kernels]) as programs:
        yield _by_graph(graphs, programs)


def _by_graph(
    graphs: Sequence[GraphKernels], programs: Sequence[cuda_cpu.CpuProgram]
) -> list[list[cuda_cpu.CpuProgram]]:
    rest = iter(programs)
    return [[next(rest) for _ in one.kernels] for one in graphs]


def run(
    one: GraphKernels,
    programs: Sequence[cuda_cpu.CpuProgram],
    arrays: Sequence[np.ndarray],
    reverse: bool = False,
) -> list[np.ndarray]:
    """The results of a graph.

    Raises:
        IndexError: the message of the first Fail that holds.
    """
    graph = one.graph
    env = bind_extents(graph, [a.shape for a in arrays])
    values = dict(zip(graph.params, arrays, strict=True))
    rest = iter(zip(one.lowered, programs, strict=True))
    for node in graph.nodes:
        if node.op.name == "constant":
            values[node.results[0]] = node.attrs["value"].array
            continue
        lowered, program = next(rest)
        buffers: dict[str, np.ndarray] = {}
        for value, buffer in zip(node.operands, lowered.inputs, strict=True):
            array = np.ascontiguousarray(values[value]).reshape(np.shape(values[value]))
            buffers[buffer.name] = _parts(array)
        for value, buffer in zip(node.results, lowered.outputs, strict=True):
            shape = tuple(cuda_cpu.evaluate(e, env) for e in value.type.shape)
            values[value] = np.zeros(shape, value.type.dtype.numpy)
            buffers[buffer.name] = _parts(values[value])
        code = program.run(buffers, env, reverse)
        if code:
            raise IndexError(lowered.messages[code - 1])
    return [values[v] for v in graph.results]


def _parts(array: np.ndarray) -> np.ndarray:
    """A complex array as one of its parts, with one more axis; writes go to the same memory."""
    if array.dtype.kind != "c":
        return array
    return (
        array.view(array.real.dtype).reshape(*array.shape, 2)
        if array.ndim
        else array.reshape(1).view(array.real.dtype)
    )
