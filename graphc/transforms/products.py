"""Derivatives as linear maps: `jvp`, `vjp`, `linearize`, `hvp`.

Inside a trace they are part of the program. Outside, `vjp` and `linearize` compile two programs:
one that computes the result and what the map needs to remember, and the map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import pytrees
from ..arguments import Parameter
from ..cell import current_trace
from ..derivatives.forward import jvp as forward
from ..derivatives.replay import Replay, has_derivative
from ..derivatives.reverse import Pullback
from ..derivatives.split import split
from ..errors import ShapeMismatch
from ..ir import Graph, Value, inline, param
from ..jit import backend_for, jit
from ..locations import refuse
from ..ops import build
from ..passes.attention import recognised
from ..trace import Result, TracedFunction
from ..tracer import Tracer
from .gradients import grad
from .opened import (
    Leaves,
    Opened,
    check_differentiable,
    leaves_of,
    name_of,
    names_of,
    output_of,
    run,
    trace_of,
)

Form = tuple[tuple[Value, ...], pytrees.Structure, tuple[bool, ...]]


def _open(function: Callable[..., Any], primals: Sequence[Any], what: str) -> Opened:
    """The function run on parameters for all of its arguments."""
    if not isinstance(primals, (tuple, list)):
        refuse(f"{what} takes the arguments as a tuple, got a {type(primals).__name__}")
    opened = run(function, primals, {}, range(len(primals)), names_of(function, primals))
    check_differentiable(opened, what)
    return opened


def _returned(opened: Opened, has_aux: bool, function: Any, what: str) -> tuple[Leaves, Any]:
    """The differentiated result, and the rest."""
    if not has_aux:
        return leaves_of(opened.returned, "result"), None
    if not isinstance(opened.returned, tuple) or len(opened.returned) != 2:
        refuse(f"{what} with has_aux: {name_of(function)} has to return a pair (result, the rest)")
    return leaves_of(opened.returned[0], "result"), output_of(opened.returned[1])


def _fitting(given: Any, like: Leaves, values: Sequence[Value], what: str) -> list[Value | None]:
    """Derivatives that were handed in, one for each leaf; None for what is not differentiable.

    Raises:
        ShapeMismatch: where they have another structure, shape or dtype.
    """
    found = leaves_of(given, what)
    if found.tree != like.tree:
        refuse(f"{what} has the structure {found.tree}; expected {like.tree}", ShapeMismatch)
    row: list[Value | None] = []
    for tracer, value, path in zip(found.tracers, values, found.paths, strict=True):
        one = tracer.value
        if not has_derivative(value.dtype):
            row.append(None)
            continue
        if tracer.weak and not (one.dtype.is_complex and not value.dtype.is_complex):
            one = build.cast(one, value.dtype)
        if one.type != value.type:
            refuse(f"{path} is {one.type}; expected {value.type}", ShapeMismatch)
        row.append(one)
    return row


def _nested(like: Leaves, values: Sequence[Value | None], primals: Sequence[Value]) -> Any:
    trace = trace_of("a derivative")
    row = [
        Tracer(trace, build.full_like(p, 0) if v is None else v, t.weak)
        for t, v, p in zip(like.tracers, values, primals, strict=True)
    ]
    return like.tree.unflatten(row)


@lru_cache(maxsize=256)
def _compiled(function: Any, make: Callable[..., Any], *given: Any) -> Any:
    """The program of a function that is handed in anew at every call."""
    found = make(function, *given)
    return jit(found, name=f"{make.__name__.strip('_')}_{name_of(function)}")


# --------------------------------------------------------------------------------------------- jvp


def jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *,
    has_aux: bool = False,
) -> Any:  # fmt: skip
    """The result at `primals`, and its derivative along `tangents`, nested like it.

    `jvp(f, (x, y), (dx, dy))` answers `(f(x, y), df)`; with has_aux, `(result, df, the rest)`.
    """
    if current_trace() is None:
        return _compiled(function, _jvp_program, has_aux)(tuple(primals), tuple(tangents))
    opened = _open(function, primals, "jvp")
    result, aux = _returned(opened, has_aux, function, "jvp")
    if len(tangents) != len(primals):
        refuse(f"jvp takes a tangent for each of {len(primals)} arguments, got {len(tangents)}")
    given: list[Value | None] = []
    for one, leaves, name in zip(tangents, opened.given, names_of(function, primals), strict=True):
        given += _fitting(one, leaves, leaves.values, f"the tangent of {name}")
    rest = aux.values if has_aux else []
    values, found = forward([*result.values, *rest], opened.params, opened.primals, given)
    own = values[: len(result.values)]
    answer = _nested(result, own, own), _nested(result, found[: len(own)], own)
    return (*answer, aux.with_values(values[len(own) :])) if has_aux else answer


def _jvp_program(function: Any, has_aux: bool) -> Callable[..., Any]:
    def program(primals: Any, tangents: Any) -> Any:
        return jvp(function, primals, tangents, has_aux=has_aux)

    return program


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product of the Hessian of a function that returns one number with `tangents`.

    Nested like the arguments: `hvp(f, (x,), (v,))` is `(hessian(f)(x) @ v,)` for an x of one axis.
    It costs a few runs of the function, whatever the number of its parameters.
    """
    gradient = _gradient_of(function, tuple(range(len(primals))))
    return jvp(gradient, tuple(primals), tuple(tangents))[1]


@lru_cache(maxsize=256)
def _gradient_of(function: Any, argnums: tuple[int, ...]) -> Any:
    return grad(function, argnums)


# ------------------------------------------------------------------------------------------ vjp


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The result at the arguments, and the map from cotangents of it to those of the arguments.

    `y, pull = vjp(f, a, b)`; `pull(g)` is the tuple of the derivatives of sum(g * f(a, b)) by a and
    by b. With has_aux: `(y, pull, the rest)`.
    """
    if current_trace() is None:
        result, kept, later, aux = _compiled(function, _vjp_program, has_aux)(primals)
        pull = later.bound(kept)
        return (result, pull, aux) if has_aux else (result, pull)
    opened = _open(function, primals, "vjp")
    result, aux = _returned(opened, has_aux, function, "vjp")
    rest = aux.values if has_aux else []
    found = recognised([*result.values, *rest], opened.params)
    pullback = Pullback(found, opened.params, opened.primals)
    own = pullback.results[: len(result.values)]

    def pull(cotangent: Any) -> tuple[Any, ...]:
        given = _fitting(cotangent, result, own, "the cotangent")
        return tuple(opened.nested(pullback.pull([*given, *(None for _ in rest)])))

    answer = _nested(result, own, own), pull
    return (*answer, aux.with_values(pullback.results[len(own) :])) if has_aux else answer


def _vjp_program(function: Any, has_aux: bool) -> Callable[..., Any]:
    def program(primals: Any) -> Any:
        found = vjp(function, *primals, has_aux=has_aux)
        like = leaves_of(found[0], "the cotangent")
        cotangents = [param(v.type, f"g{k}") for k, v in enumerate(like.values)]
        trace = trace_of("vjp")
        inside = [Tracer(trace, v, t.weak) for v, t in zip(cotangents, like.tracers, strict=True)]
        back = leaves_of(found[1](like.tree.unflatten(inside)), "the result")
        kept, later = _later(like, cotangents, back, f"pull_{name_of(function)}")
        return found[0], kept, later, found[2] if has_aux else None

    return program


# ------------------------------------------------------------------------------------ linearize


def linearize(function: Callable[..., Any], *primals: Any) -> Any:
    """The result at the arguments, and the derivative there as a function of tangents.

    `y, push = linearize(f, a, b)`; `push(da, db)` is what `jvp` would answer beside y, without
    computing y again.
    """
    if current_trace() is None:
        result, kept, later = _compiled(function, _linearize_program)(primals)
        bound = later.bound(kept)
        return result, lambda *tangents: bound(tangents)
    opened = _open(function, primals, "linearize")
    result, _ = _returned(opened, False, function, "linearize")
    inside = [param(v.type, f"d{k}") for k, v in enumerate(opened.primals)]
    values, found = forward(result.values, opened.params, opened.primals, inside, apart=True)

    def push(*tangents: Any) -> Any:
        if len(tangents) != len(primals):
            refuse(f"the derivative takes {len(primals)} tangents, got {len(tangents)}")
        given: list[Value] = []
        for one, leaves, name in zip(
            tangents, opened.given, names_of(function, primals), strict=True
        ):
            fitting = _fitting(one, leaves, leaves.values, f"the tangent of {name}")
            given += [v for v in fitting if v is not None]
        replay = Replay([v for v in found if v is not None], inside, given)
        for _ in replay:
            pass
        row = [None if v is None else replay.of(v) for v in found]
        return _nested(result, row, values)

    return _nested(result, values, values), push


def _linearize_program(function: Any) -> Callable[..., Any]:
    def program(primals: Any) -> Any:
        result, push = linearize(function, *primals)
        like = leaves_of(tuple(primals), "the tangents")
        inside = [param(v.type, f"d{k}") for k, v in enumerate(like.values)]
        trace = trace_of("linearize")
        rows = [Tracer(trace, v, t.weak) for v, t in zip(inside, like.tracers, strict=True)]
        found = leaves_of(push(*like.tree.unflatten(rows)), "the result")
        kept, later = _later(like, inside, found, f"push_{name_of(function)}")
        return result, kept, later

    return program


# ------------------------------------------------------------------------------- the second program


def _later(
    like: Leaves, late: Sequence[Value], found: Leaves, name: str
) -> tuple[list[Tracer], Later]:
    """What the linear map has to remember, and the map."""
    trace = trace_of(name)
    kept, graph = split(found.values, late, name)
    forms = tuple("python" if t.weak else "array" for t in found.tracers)
    return [Tracer(trace, v) for v in kept], Later(graph, len(kept), like, found.tree, forms)


class Later:
    """A linear map that is compiled when it is first called."""

    def __init__(
        self, graph: Graph, kept: int, like: Leaves, tree: pytrees.Structure, forms: Sequence[str]
    ):
        self.graph, self._kept, self._tree = graph, kept, tree
        self._paths, self._given = like.paths, like.tree
        self._types = [p.type for p in graph.params[kept:]]
        self._forms = tuple(forms)
        self._run: Any = None

    def bound(self, kept: Sequence[Any]) -> Callable[[Any], Any]:
        """The map, with what it remembers."""

        def call(given: Any) -> Any:
            return self(kept, given)

        return call

    def __call__(self, kept: Sequence[Any], given: Any) -> Any:
        leaves, tree = pytrees.flatten(given)
        if tree != self._given:
            raise ShapeMismatch(f"the derivative has the structure {tree}; expected {self._given}")
        if current_trace() is not None:
            return self._inlined(kept, leaves)
        arrays = []
        for leaf, type, path in zip(leaves, self._types, self._paths, strict=True):
            array = np.asarray(leaf)
            if isinstance(leaf, (int, float, complex)) and not isinstance(leaf, np.generic):
                array = array.astype(type.dtype.numpy)
            if array.shape != type.shape or array.dtype != type.dtype.numpy:
                raise ShapeMismatch(f"{path} is {array.dtype}{array.shape}; expected {type}")
            arrays.append(array)
        if self._run is None:
            self._run = backend_for(None).compile(self._traced())
        return self._traced().unflatten(self._run([*map(np.asarray, kept), *arrays]))

    def _inlined(self, kept: Sequence[Any], leaves: Sequence[Any]) -> Any:
        given = leaves_of([*kept, *leaves], "the derivative").values
        rows = [build.cast(v, p.dtype) for v, p in zip(given, self.graph.params, strict=True)]
        trace = trace_of("a linear map")
        return self._tree.unflatten([Tracer(trace, v) for v in inline(self.graph, rows)])

    def _traced(self) -> TracedFunction:
        parameters = tuple(Parameter(p.node.attrs["name"], p.type) for p in self.graph.params)
        results = tuple(
            Result("scalar" if form == "array" and not v.type.rank else form, k)
            for k, (v, form) in enumerate(zip(self.graph.results, self._forms, strict=True))
        )
        return TracedFunction(self.graph, parameters, results, self._tree)
