"""`jacfwd`, `jacrev`, `hessian`: whole derivatives, as batches of tangents or cotangents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import types as ty
from ..derivatives.batch import batch
from ..derivatives.forward import jvp as forward
from ..derivatives.replay import has_derivative
from ..derivatives.reverse import Pullback
from ..errors import TypeMismatch
from ..ir import Value, param
from ..locations import refuse
from ..opdef import lookup
from ..ops import build
from ..ops.batching import spread
from ..ops.formula import cast, reshape, transpose
from ..passes.attention import recognised
from ..tracer import Tracer
from ..types import I64, TensorType
from .opened import (
    Leaves,
    Opened,
    check_differentiable,
    leaves_of,
    name_of,
    names_of,
    positions,
    run,
    trace_of,
    transformed,
)

Block = Value
"""The derivative of one leaf of the result by one leaf of the arguments: the axes of both."""


def jacfwd(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, holomorphic: bool = False
) -> Any:
    """The Jacobian by forward mode: a tangent for each number of the arguments.

    For every leaf of the result, nested like it, the arguments' structure with arrays that have the
    axes of the result and then those of the argument. Cheap where arguments have fewer numbers than
    results. With holomorphic, complex arguments and the complex derivative.
    """
    return _jacobian(function, argnums, holomorphic, _columns, "jacfwd")


def jacrev(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, holomorphic: bool = False
) -> Any:
    """The Jacobian by reverse mode: a cotangent for each number of the results (see `jacfwd`).

    Cheap where results have fewer numbers than arguments; by a complex argument, as `grad`.
    """
    return _jacobian(function, argnums, holomorphic, _rows, "jacrev")


def hessian(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Any:
    """The second derivatives of a function, forward mode over reverse mode."""
    return jacfwd(jacrev(function, argnums), argnums)


def _jacobian(
    function: Callable[..., Any],
    argnums: int | Sequence[int],
    holomorphic: bool,
    blocks: Callable[[Opened, Leaves], list[list[Block]]],
    what: str,
) -> Any:
    def compute(*args: Any, **kwargs: Any) -> Any:
        asked = positions(argnums, args, what)
        names = names_of(function, args)
        opened = run(function, args, kwargs, asked, [names[k] for k in asked])
        check_differentiable(opened, what, holomorphic)
        result = leaves_of(opened.returned, "result")
        _check_result(function, result, opened, holomorphic, what)
        trace, found = trace_of(what), []
        for row in blocks(opened, result):
            rest = iter(row)
            nested = [
                one.tree.unflatten([Tracer(trace, next(rest)) for _ in one.tracers])
                for one in opened.given
            ]
            found.append(nested[0] if isinstance(argnums, int) else tuple(nested))
        return result.tree.unflatten(found)

    return transformed(function, compute, what)


def _check_result(
    function: Any, result: Leaves, opened: Opened, holomorphic: bool, what: str
) -> None:
    for tracer, path in zip(result.tracers, result.paths, strict=True):
        dtype = tracer.value.dtype
        if not has_derivative(dtype):
            refuse(
                f"{what}: {path} of {name_of(function)} is {tracer.value.type}; return floats",
                TypeMismatch,
            )
        mixed = dtype.is_complex or any(v.dtype.is_complex for v in opened.params)
        wrong = mixed if what == "jacfwd" else dtype.is_complex
        if wrong and not holomorphic:
            refuse(
                f"{what}: {path} of {name_of(function)} is {tracer.value.type}; the derivative of "
                "a complex function is a number only where it is holomorphic: write "
                "holomorphic=True, or take real and imaginary parts",
                TypeMismatch,
            )


def one_hot(type: TensorType) -> Value:
    """All arrays of a type with a single 1, one after the other along a new axis in front."""
    n = type.size
    row = lookup("iota")(dtype=I64, shape=(n, n), axis=0)
    column = lookup("iota")(dtype=I64, shape=(n, n), axis=1)
    return reshape(cast(lookup("eq")(row, column), type.dtype), (n, *type.shape))


def _columns(opened: Opened, result: Leaves) -> list[list[Block]]:
    """By forward mode: a batch of tangents for each leaf of the arguments."""
    table: list[list[Block]] = [[] for _ in result.tracers]
    for k, (parameter, primal) in enumerate(zip(opened.params, opened.primals, strict=True)):
        late = param(parameter.type, f"d{k}")
        given: list[Value | None] = [None] * len(opened.params)
        given[k] = late
        values, found = forward(result.values, opened.params, opened.primals, given)
        pairs = zip(values, found, strict=True)
        whole = [build.full_like(v, 0) if t is None else t for v, t in pairs]
        size = primal.type.size
        batches = batch(whole, [late], [one_hot(primal.type)], [True], size)
        for row, (value, flag) in zip(table, batches, strict=True):
            value = spread(value, flag, size)
            last = transpose(value, (*range(1, len(value.shape)), 0))
            row.append(reshape(last, (*last.shape[:-1], *primal.shape)))
    return table


def _rows(opened: Opened, result: Leaves) -> list[list[Block]]:
    """By reverse mode: a batch of cotangents for each leaf of the result."""
    found = recognised(result.values, opened.params)
    pullback = Pullback(found, opened.params, opened.primals)
    table: list[list[Block]] = []
    for k, value in enumerate(pullback.results):
        late = param(value.type, f"g{k}")
        given: list[Value | None] = [None] * len(pullback.results)
        given[k] = late
        found = [
            build.full_like(p, 0) if g is None else g
            for p, g in zip(opened.primals, pullback.pull(given), strict=True)
        ]
        size = ty.product(value.shape)
        batches = batch(found, [late], [one_hot(value.type)], [True], size)
        table.append(
            [
                reshape(spread(v, flag, size), (*value.shape, *p.shape))
                for (v, flag), p in zip(batches, opened.primals, strict=True)
            ]
        )
    return table
