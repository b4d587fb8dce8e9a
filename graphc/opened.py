"""A function run inside a trace on parameters of its own: what every transformation, and the body
of every loop, begins with.

The parameters are fresh, so that an array which the function is given and one which it finds in its
closure are two things, even where they are the same value. They stay out of the graph: derivatives
replace them by values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from . import pytrees
from .captures import Captures
from .cell import Cell, Trace, current_trace
from .derivatives.replay import has_derivative
from .errors import TraceError, TypeMismatch
from .ir import Value, param
from .locations import refuse
from .masks import Positions
from .selection import Selection
from .tracer import Tracer, wrap
from .types import TensorType

_MUTATED = (
    "argument {path} of a function that is transformed is changed in place; copy it first "
    "({path} = {path}.copy())"
)


def name_of(function: Any) -> str:
    """What a function is called in messages."""
    return getattr(function, "__name__", type(function).__name__)


def trace_of(what: str) -> Trace:
    """The active trace."""
    trace = current_trace()
    assert trace is not None, f"{what} is compiled before it runs"
    return trace


@dataclass(frozen=True, slots=True)
class Leaves:
    """A nested argument: its leaves as tracers, how they are reached, and their structure."""

    tracers: tuple[Tracer, ...]
    paths: tuple[str, ...]
    tree: pytrees.Structure

    @property
    def values(self) -> list[Value]:
        return [t.value for t in self.tracers]


def leaves_of(x: Any, path: str) -> Leaves:
    """The leaves of a nested value, numbers and arrays too, as tracers.

    Raises:
        TraceError: for a leaf that is no array and no number.
    """
    found, tree = pytrees.flatten(x)
    paths = pytrees.paths(path, tree)
    tracers = [traced(leaf, at) for leaf, at in zip(found, paths, strict=True)]
    return Leaves(tuple(tracers), tuple(paths), tree)


def traced(leaf: Any, path: str) -> Tracer:
    """Anything that is an array or a number as a tracer of the active trace."""
    trace = trace_of("a transformation")
    if isinstance(leaf, (Selection, Positions)):
        return refuse(f"{path} has an extent that is not known while tracing; use np.where")
    if isinstance(leaf, Tracer):
        return leaf
    if isinstance(leaf, (bool, int, float, complex)) and not isinstance(leaf, np.generic):
        from .ops import build

        return Tracer(trace, build.constant(leaf), weak=True)
    if isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "biufc":
        return Tracer(trace, trace.capture(np.asarray(leaf)))
    return refuse(f"{path} is a {type(leaf).__name__}; expected an array or a number")


@dataclass(frozen=True, slots=True)
class Output:
    """What a function returned: traced leaves, and what else there was, as it is."""

    leaves: tuple[Any, ...]
    tree: pytrees.Structure

    @property
    def values(self) -> list[Value]:
        """Of the traced leaves."""
        return [leaf.value for leaf in self.leaves if isinstance(leaf, Tracer)]

    def with_values(self, values: Sequence[Value]) -> Any:
        """The returned object with other values in its traced leaves."""
        trace, rest = trace_of("a transformation"), iter(values)
        made = [
            Tracer(trace, next(rest), leaf.weak) if isinstance(leaf, Tracer) else leaf
            for leaf in self.leaves
        ]
        return self.tree.unflatten(made)

    def paths(self) -> list[str]:
        return pytrees.paths("result", self.tree)


def output_of(returned: Any) -> Output:
    """The leaves of a returned object; arrays and numbers stay constants."""
    leaves, tree = pytrees.flatten(returned)
    for leaf, path in zip(leaves, pytrees.paths("result", tree), strict=True):
        if isinstance(leaf, (Selection, Positions)):
            refuse(f"{path} has an extent that is not known while tracing; use np.where")
    return Output(tuple(leaves), tree)


@dataclass(frozen=True, slots=True)
class Opened:
    """One run of a function.

    Attributes:
        given: the arguments that became parameters, one for each position asked for.
        params: the parameters, leaf by leaf.
        returned: what the function returned, in terms of the parameters.
    """

    given: tuple[Leaves, ...]
    params: tuple[Value, ...]
    returned: Any

    @property
    def primals(self) -> list[Value]:
        """The values of the parameters."""
        return [v for leaves in self.given for v in leaves.values]

    @property
    def tracers(self) -> list[Tracer]:
        return [t for leaves in self.given for t in leaves.tracers]

    @property
    def paths(self) -> list[str]:
        return [p for leaves in self.given for p in leaves.paths]

    def nested(self, values: Sequence[Value | None]) -> list[Any]:
        """Values for the parameters (None: zeros), nested as the arguments are."""
        from .ops import build

        rest, found = iter(values), []
        trace = trace_of("a transformation")
        for leaves in self.given:
            row = []
            for tracer in leaves.tracers:
                one = next(rest)
                one = build.full_like(tracer.value, 0) if one is None else one
                row.append(Tracer(trace, one, tracer.weak))
            found.append(leaves.tree.unflatten(row))
        return found


def run(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    argnums: Sequence[int],
    names: Sequence[str],
    single: Callable[[Tracer, str], TensorType] | None = None,
) -> Opened:
    """Runs a function with the arguments at `argnums` replaced by fresh parameters.

    `single` gives their types, where they are not those of the arguments.
    """
    trace = trace_of("a transformation")
    trace.transformed = True
    arguments, given, params = list(args), [], []
    for position, name in zip(argnums, names, strict=True):
        leaves = leaves_of(args[position], name)
        inside = []
        for tracer, path in zip(leaves.tracers, leaves.paths, strict=True):
            type_ = tracer.value.type if single is None else single(tracer, path)
            params.append(param(type_, path))
            one = Tracer(trace, params[-1], tracer.weak)
            one.freeze(_MUTATED.format(path=path))
            inside.append(one)
        given.append(leaves)
        arguments[position] = leaves.tree.unflatten(inside)
    returned = Captures(trace).function(function)(*arguments, **kwargs)
    return Opened(tuple(given), tuple(params), returned)


def positions(argnums: int | Sequence[int], args: Sequence[Any], what: str) -> tuple[int, ...]:
    """The positions of arguments, from 0.

    Raises:
        TraceError: where there is no such argument.
    """
    asked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for one in asked:
        if not -len(args) <= one < len(args):
            refuse(
                f"{what}: argnums names argument {one}, and the call has {len(args)} positional "
                "argument(s)"
            )
    found = tuple(one % len(args) for one in asked)
    if len(set(found)) != len(found):
        refuse(f"{what}: argnums {asked} names an argument twice")
    return found


def names_of(function: Any, args: Sequence[Any]) -> list[str]:
    """What the positional arguments of a call are called."""
    import inspect

    try:
        known = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        known = []
    plain = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [plain[k] if k < len(plain) else f"argument {k}" for k in range(len(args))]


def check_differentiable(opened: Opened, what: str, holomorphic: bool | None = None) -> None:
    """Raises TypeMismatch for a parameter by which nothing can be differentiated.

    With `holomorphic` the parameters are complex; None: they may be.
    """
    for tracer, path in zip(opened.tracers, opened.paths, strict=True):
        dtype = tracer.value.dtype
        if not has_derivative(dtype):
            kind = "a Python number" if tracer.weak else str(tracer.value.type)
            hint = "write it with a decimal point" if tracer.weak else "use x.astype(float)"
            refuse(
                f"{what}: {path} is {kind} of {dtype}, and derivatives are by floats and complex "
                f"numbers; {hint}, or leave it out of argnums",
                TypeMismatch,
            )
        if holomorphic and not dtype.is_complex:
            refuse(
                f"{what} with holomorphic=True is by complex arguments; {path} is "
                f"{tracer.value.type}",
                TypeMismatch,
            )


__all__ = [
    "Cell", "Leaves", "Opened", "Output", "TraceError", "check_differentiable", "leaves_of",
    "name_of", "names_of", "output_of", "positions", "run", "trace_of", "traced", "wrap",
]  # fmt: skip
