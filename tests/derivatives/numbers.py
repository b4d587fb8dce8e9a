"""Derivatives of graphs by finite differences, and the products that rules are compared by.

A graph's float and complex parameters are moved along random directions, and its float and complex
results are weighted; complex numbers pair as Re(a * b), as in graphc/derivatives/reverse.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import types as ty
from graphc.derivatives.forward import jvp
from graphc.derivatives.reverse import Pullback
from graphc.evaluate import evaluate
from graphc.ir import Graph, Value, make, param
from graphc.types import DType, TensorType

Arrays = Sequence[np.ndarray]
WIDE = {ty.F16: ty.F64, ty.BF16: ty.F64, ty.F32: ty.F64, ty.C64: ty.C128}


def wide(type: TensorType) -> TensorType:
    """The type in the widest dtype of its kind."""
    return type.with_dtype(WIDE.get(type.dtype, type.dtype))


def wide_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a node of wide operands."""

    def wider(value: Any) -> Any:
        if isinstance(value, Graph):
            return _wide_graph(value)
        return WIDE.get(value, value) if isinstance(value, DType) else value

    return {k: wider(v) for k, v in attrs.items()}


def _wide_graph(graph: Graph) -> Graph:
    new: dict[Value, Value] = {p: param(wide(p.type), p.node.attrs["name"]) for p in graph.params}
    for node in graph.nodes:
        made = make(node.op, [new[v] for v in node.operands], wide_attrs(node.attrs))
        new.update(zip(node.results, made.results, strict=True))
    return Graph.of(graph.name, [new[p] for p in graph.params], [new[v] for v in graph.results])


def is_smooth(dtype: DType) -> bool:
    """Whether numbers of a dtype are differentiated."""
    return dtype.kind in "fc"


def forward_graph(graph: Graph) -> Graph:
    """Parameters and their tangents to the tangents of the smooth results (zeros where none is)."""
    tangents = [
        param(p.type, f"d{k}") if is_smooth(p.dtype) else None for k, p in enumerate(graph.params)
    ]
    _, found = jvp(graph.results, graph.params, graph.params, tangents)
    params = (*graph.params, *(t for t in tangents if t is not None))
    return Graph.of("forward", params, _filled(graph.results, found))


def reverse_graph(graph: Graph) -> Graph:
    """Parameters and cotangents of the smooth results to those of the smooth parameters."""
    given = [
        param(r.type, f"g{k}") if is_smooth(r.dtype) else None for k, r in enumerate(graph.results)
    ]
    found = Pullback(graph.results, graph.params, graph.params).pull(given)
    params = (*graph.params, *(g for g in given if g is not None))
    return Graph.of("reverse", params, _filled(graph.params, found))


def _filled(likes: Sequence[Value], found: Sequence[Value | None]) -> list[Value]:
    from graphc.ops import build

    return [
        build.full_like(like, 0) if value is None else value
        for like, value in zip(likes, found, strict=True)
        if is_smooth(like.dtype)
    ]


def smooth(values: Sequence[Value], arrays: Arrays) -> list[np.ndarray]:
    """The arrays of the smooth ones among the values."""
    return [a for v, a in zip(values, arrays, strict=True) if is_smooth(v.dtype)]


def directions(rng: np.random.Generator, types: Sequence[TensorType]) -> list[np.ndarray]:
    """Random arrays of the smooth types."""
    found = []
    for type in types:
        if is_smooth(type.dtype):
            shape = tuple(int(e) for e in type.shape)
            x = rng.normal(size=shape)
            if type.dtype.is_complex:
                x = x + 1j * rng.normal(size=shape)
            found.append(np.asarray(x).astype(type.dtype.numpy))
    return found


def paired(a: Arrays, b: Arrays) -> float:
    """The sum of Re(a * b)."""
    return float(sum(np.sum((x * y).real) for x, y in zip(a, b, strict=True)))


def moved(graph: Graph, arrays: Arrays, along: Arrays, distance: float) -> list[np.ndarray]:
    """The smooth results where the smooth parameters are moved."""
    rest = iter(along)
    at = [
        a + distance * next(rest) if is_smooth(p.dtype) else a
        for p, a in zip(graph.params, arrays, strict=True)
    ]
    with np.errstate(all="ignore"):
        return smooth(graph.results, evaluate(graph, at))


def difference(graph: Graph, arrays: Arrays, along: Arrays, step: float = 1e-3) -> list[np.ndarray]:
    """The derivative along a direction, of eighth order in the step."""
    weights = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    found: list[np.ndarray] | None = None
    for k, weight in enumerate(weights, 1):
        ends = zip(
            moved(graph, arrays, along, k * step), moved(graph, arrays, along, -k * step),
            strict=True,
        )  # fmt: skip
        terms = [weight * (up - down) / step for up, down in ends]
        found = terms if found is None else [a + b for a, b in zip(found, terms, strict=True)]
    assert found is not None
    return found


def assert_near(got: Arrays, wanted: Arrays, rtol: float, what: str) -> None:
    """Equal, measured against the largest number in sight."""
    for k, (a, b) in enumerate(zip(got, wanted, strict=True)):
        scale = max((float(np.max(np.abs(x), initial=0.0)) for x in (a, b)), default=0.0)
        off = rtol * (scale + 1e-3)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=off, err_msg=f"{what} {k}")


def check(
    graph: Graph, arrays: Arrays, rng: np.random.Generator, order: int = 2, rtol: float = 1e-6
) -> None:
    """Forward mode is the difference quotient, reverse mode is the transpose of forward mode;
    then the same of both derivatives.
    """
    forward, reverse = forward_graph(graph), reverse_graph(graph)
    along = directions(rng, [p.type for p in graph.params])
    weights = directions(rng, [r.type for r in graph.results])
    with np.errstate(all="ignore"):
        tangents = evaluate(forward, [*arrays, *along])
        cotangents = evaluate(reverse, [*arrays, *weights])
    assert_near(tangents, difference(graph, arrays, along), rtol, "tangent of result")
    ahead, back = paired(weights, tangents), paired(cotangents, along)
    np.testing.assert_allclose(ahead, back, rtol=1e-9, atol=1e-9 * (1 + abs(ahead)))
    if order > 1:
        check(forward, [*arrays, *along], rng, order - 1, 10 * rtol)
        check(reverse, [*arrays, *weights], rng, order - 1, 10 * rtol)
