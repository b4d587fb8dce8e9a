"""Runs a graph through the whole road, without the front end:
passes or not, loops, LLVM, object, native call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import graphc_runtime as runtime
import numpy as np

from graphc import compile as road
from graphc.ir import Graph
from graphc.passes.fuse import fuse


def lowered_graph(graph: Graph, *, passes: bool = False, **options: Any) -> road.Lowered:
    """The stages of a graph; without `passes`, it is fused and nothing else."""
    lowered = road.Lowered(graph, **options)
    if not passes:  # the property is cached in the instance
        lowered.__dict__["optimised"] = SimpleNamespace(graph=fuse(graph), records=())
    return lowered


def compiled(
    graph: Graph,
    *,
    passes: bool = False,
    strided: Sequence[int] = (),
    aliases: Mapping[int, int] | None = None,
    **options: Any,
) -> Any:
    """A native callable of arrays that answers a list of arrays.

    `aliases` says which results are written over which (donated) parameters; the other options are
    those of `Lowered`.
    """
    aliases = dict(aliases or {})
    pairs = tuple(aliases.items())
    lowered = lowered_graph(graph, passes=passes, strided=tuple(strided), aliases=pairs, **options)
    road.ensure_native()
    built = road._build(lowered)

    def miss(*args: Any) -> Any:
        raise TypeError(f"no specialization for {[getattr(a, 'dtype', type(a)) for a in args]}")

    def error(code: int, outputs: Any) -> Any:
        raise road.error_of(code)

    function = runtime.compiled_type()(miss, error)
    arguments = tuple(
        runtime.ArgumentSpec(
            "array",
            value.type.dtype.numpy,
            tuple(e if isinstance(e, int) else str(e) for e in value.type.shape),
            k in strided,
            k in aliases.values(),
        )
        for k, value in enumerate(graph.params)
    )
    runtime.add_specialization(function, road.specialization(built, arguments, "list", aliases))
    return function


def run(graph: Graph, arrays: Sequence[np.ndarray], **options: Any) -> list[np.ndarray]:
    """The results of a graph for C-contiguous arrays."""
    return compiled(graph, **options)(
        *(np.ascontiguousarray(a) if np.ndim(a) else np.asarray(a) for a in arrays)
    )
