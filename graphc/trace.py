"""trace: runs a Python function on tracers and answers the graph of what it computed.

Called by `jit`. The rooms: tracer.py (the stand-in for an array), cell.py (its state), indexing.py,
views.py, selection.py (x[mask]), protocols.py (NumPy's dispatch), interception.py (np.zeros and the
like), captures.py (arrays found outside), arguments.py and pytrees.py (what goes in), locations.py
(the user's lines). It never compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from . import interception, pytrees
from .arguments import Binder, Call, Parameter
from .captures import Captures
from .cell import Trace, enter, leave
from .errors import GraphcError, TraceError
from .ir import PARAM, Graph, SourceLine, Value, param, reachable
from .locations import is_library_code
from .masks import MASK_REMEDY, NONZERO_REMEDY, SLICE_REMEDY, Positions
from .ops import build
from .selection import Selection
from .tracer import Tracer, as_value, current_trace, is_traced, wrap
from .types import Extent

__all__ = [
    "TracedFunction", "Tracer", "as_value", "current_trace", "donations", "is_traced", "trace_call",
    "trace_function", "wrap",
]  # fmt: skip

_MUTATED = (
    "argument {path} is changed in place; NumPy would change the caller's array, a compiled "
    "program does not. Copy it first ({name} = {name}.copy()), or write jit(..., donate={name!r}) "
    "to give the array up"
)

_TOGETHER = "Return np.where(mask, x, fill) or the mask together with x"
_RETURNED = {
    MASK_REMEDY: f"{_TOGETHER}, or graphc.numpy.compress(mask, x, size=n, fill_value=v)",
    SLICE_REMEDY: _TOGETHER,
}
"""What to return instead of what has no known extent, by what is said of it elsewhere."""


@dataclass(frozen=True, slots=True)
class Result:
    """A leaf of what the function returned: result number `position` of the graph, or a constant.

    `form`: "array", "scalar" (0-d: a NumPy scalar, as NumPy's own operations answer), "python" (a
    Python number), "static" (the object `value` itself).
    """

    form: str
    position: int = -1
    value: Any = None

    def of(self, arrays: Sequence[np.ndarray]) -> Any:
        """The leaf, from the arrays that the graph's results are."""
        if self.form == "static":
            return self.value
        array = arrays[self.position]
        if self.form == "array":
            return array
        return array[()] if self.form == "scalar" else array.item()


@dataclass(frozen=True, slots=True)
class TracedFunction:
    """A graph with what is needed to call it as the function it came from.

    Attributes:
        graph: its parameters are `parameters`, in order.
        parameters: path, type and kind of each.
        results: the leaves of the returned value.
        out_tree: their structure.
        donated: parameters whose memory the program may use.
        requirements: extents that the program takes to be at least 0, and the lines that need it.
    """

    graph: Graph
    parameters: tuple[Parameter, ...]
    results: tuple[Result, ...]
    out_tree: pytrees.Structure
    donated: tuple[int, ...] = ()
    requirements: tuple[tuple[Extent, SourceLine | None], ...] = ()

    @property
    def is_single(self) -> bool:
        """Whether the function returned one array, not a container."""
        return isinstance(self.out_tree, pytrees.Leaf)

    def unflatten(self, arrays: Sequence[np.ndarray]) -> Any:
        """The returned value, from the arrays that the graph's results are."""
        return self.out_tree.unflatten([r.of(arrays) for r in self.results])


def trace_function(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    static_argnames: str | Iterable[str] = (),
    static_argnums: int | Iterable[int] = (),
    donate: str | int | Iterable[str | int] = (),
    dims: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> TracedFunction:
    """Traces a function for arguments (arrays, numbers, `spec`s, nested).

    Raises:
        TraceError: with the user's line, where the function does what a graph cannot hold.
    """
    binder = Binder(function, static_argnames, static_argnums, donate, dims)
    return trace_call(binder, binder.bind(args, kwargs or {}), name)


def trace_call(binder: Binder, call: Call, name: str | None = None) -> TracedFunction:
    """Traces the binder's function for a bound call."""
    function = binder.function
    title = name or getattr(function, "__name__", type(function).__name__)
    parameters = tuple(call.parameters())
    params = tuple(param(p.type, p.path) for p in parameters)
    trace = Trace(title)
    inputs = [Tracer(trace, v, p.weak) for v, p in zip(params, parameters, strict=True)]
    donated = []
    for position, (tracer, parameter) in enumerate(zip(inputs, parameters, strict=True)):
        root = parameter.path.replace("[", ".").split(".")[0]
        if root in binder.donated:
            donated.append(position)
        else:
            tracer.freeze(_MUTATED.format(path=parameter.path, name=root))
    args, kwargs = binder.rebuild(call, inputs)
    interception.install()
    enter(trace)
    try:
        returned = Captures(trace).function(function)(*args, **kwargs)
        results, values, tree = _results(returned, title, function)
        if trace.transformed:
            _check_closed(values, params, title)
    except GraphcError as error:
        _locate(error)
        raise
    finally:
        leave(trace)
        interception.remove()
    return TracedFunction(
        Graph.of(title, params, values),
        parameters,
        results,
        tree,
        tuple(donated),
        tuple(trace.requirements.items()),
    )


def _check_closed(values: Sequence[Value], params: Sequence[Value], name: str) -> None:
    """Raises TraceError where a parameter of a transformed function was carried out of it."""
    own = set(params)
    for node in reachable(values):
        for value in node.operands:
            if value.node.op is PARAM and value not in own:
                line = f" (at {node.where})" if node.where else ""
                raise TraceError(
                    f"{name} uses {value.node.attrs['name']} of a function that was transformed "
                    "(grad, vmap, ...) outside of it: it was written into an array, a list or an "
                    f"attribute there. Return it instead; grad has has_aux=True for that{line}"
                )
    for value in values:
        if value.node.op is PARAM and value not in own:
            raise TraceError(
                f"{name} returns {value.node.attrs['name']} of a function that was transformed "
                "(grad, vmap, ...). Return it from that function; grad has has_aux=True for that"
            )


def _locate(error: GraphcError) -> None:
    """Names the user's line in an error that came from below (a shape, a dtype)."""
    trace = error.__traceback__
    line: str | None = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if not is_library_code(code):
            line = f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    if line is not None and "(at " not in str(error):
        error.add_note(f"at {line}")


def _line_of(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return f" (at {code.co_filename}:{code.co_firstlineno} in {code.co_name})" if code else ""


def _results(
    returned: Any, name: str, function: Any
) -> tuple[tuple[Result, ...], list[Value], pytrees.Structure]:
    leaves, tree = pytrees.flatten(returned)
    results: list[Result] = []
    values: list[Value] = []
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, Selection):
            which = pytrees.paths("result", tree)[position]
            raise TraceError(
                f"{name} returns {which}, which is {leaf.what}: its extent is not known. "
                f"{_RETURNED.get(leaf.meant.remedy, leaf.meant.remedy)}{_line_of(function)}"
            )
        if isinstance(leaf, Positions):
            which = pytrees.paths("result", tree)[position]
            raise TraceError(
                f"{name} returns {which}, the positions of nonzero elements: {NONZERO_REMEDY}"
                f"{_line_of(function)}"
            )
        if isinstance(leaf, Tracer):
            form = "python" if leaf.weak else "scalar" if not leaf.type.rank else "array"
            value = leaf.value
        elif isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "biufc":
            form, value = ("array" if leaf.ndim else "scalar"), build.constant(np.asarray(leaf))
        else:
            results.append(Result("static", value=leaf))
            continue
        results.append(Result(form, len(values)))
        values.append(value)
    return tuple(results), values, tree


def donations(traced: TracedFunction, numbers: bool = False) -> dict[int, int]:
    """Which results are written over which donated parameters: each over the first of its type that
    is free.

    `numbers`: 0-d arrays as well, which C has a place for and Python hands over as objects.
    """
    free = list(traced.donated)
    found: dict[int, int] = {}
    for position, value in enumerate(traced.graph.results):
        for parameter in free:
            has_place = value.type.rank or (numbers and not traced.parameters[parameter].weak)
            if traced.graph.params[parameter].type == value.type and has_place:
                found[position] = parameter
                free.remove(parameter)
                break
    return found
