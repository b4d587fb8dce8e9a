"""Runs lowered functions on the arrays of a graph, for the tests of lowering and scheduling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from graphc import types as ty
from graphc.ir import Graph, Value
from graphc.loops import ir as L
from graphc.loops import operands, shapes
from graphc.loops.evaluate import evaluate
from graphc.loops.lower import Lowered, lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.loops.verify import verify
from graphc.passes.fuse import fuse

MACHINES = tuple(Machine(vector_bytes=b, registers=r) for b, r in ((16, 16), (32, 16), (64, 32)))


def set_limits(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    """Sets limits of the schedules wherever they are kept."""
    for name, value in limits.items():
        place = next((m for m in (shapes, operands) if name in vars(m)), Machine)
        monkeypatch.setattr(place, name, value)


def extents(shape: Sequence[L.Index], env: Mapping[str, int]) -> tuple[int, ...]:
    """The shape as numbers."""
    found = tuple(ty.substitute(e, dict(env)) for e in shape)
    assert all(isinstance(e, int) for e in found), (shape, env)
    return tuple(int(e) for e in found)  # type: ignore[arg-type]


def run(
    lowered: Lowered, arrays: Sequence[np.ndarray], types: Sequence[Value], env: Mapping[str, int]
) -> list[np.ndarray]:
    """The results of a function, naive or scheduled; `types` are the results' values."""
    buffers: dict[str, np.ndarray] = {}
    for buffer, array in zip(lowered.inputs, arrays, strict=True):
        flat = np.ascontiguousarray(array).view(buffer.dtype.numpy)
        buffers[buffer.name] = flat.reshape(extents(buffer.shape, env))
    results = []
    for buffer, value in zip(lowered.outputs, types, strict=True):
        memory = np.zeros(extents(buffer.shape, env), buffer.dtype.numpy)
        memory.reshape(-1).view(np.uint8)[...] = 1 if buffer.dtype.kind == "b" else 0x5A
        buffers[buffer.name] = memory
        results.append((memory, value))
    codes = evaluate(lowered.func, buffers, env)
    assert not codes, [lowered.messages[c - 1] for c in codes]
    return [
        m.reshape(-1).view(v.dtype.numpy).reshape(extents(v.type.shape, env)) for m, v in results
    ]


def run_graph(
    graph: Graph, arrays: Sequence[np.ndarray], env: Mapping[str, int], machine: Machine | None
) -> list[np.ndarray]:
    """The results of a graph, fused, lowered, scheduled where a machine is given, and evaluated."""
    fused = fuse(graph)
    values: dict[Value, np.ndarray] = dict(zip(fused.params, arrays, strict=True))
    for node in fused.nodes:
        if node.op.name == "constant":
            values[node.results[0]] = node.attrs["value"].array
            continue
        lowered = lower(node.attrs["body"], "kernel")
        if machine is not None:
            lowered = schedule(lowered, machine)
            verify(lowered.func, "cpu")
        found = run(lowered, [values[v] for v in node.operands], node.results, env)
        values.update(zip(node.results, found, strict=True))
    return [values[v] for v in fused.results]
