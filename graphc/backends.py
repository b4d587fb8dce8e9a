"""The seam between the front end and what runs a graph: `Backend`, and the ones there are.

`Native` compiles (graphc/compile.py). `Evaluator` runs the graph's meaning in NumPy, node by node: for `debug="nan"`,
`debug="evaluate"`, and machines without a code generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from . import types as ty
from .errors import GraphcError, LoweringError, NonFiniteError
from .evaluate import bind_extents
from .ir import Graph, substitute_extents
from .trace import TracedFunction

Arrays = Sequence[np.ndarray]


class Executable(Protocol):
    """A program that runs."""

    def __call__(self, arrays: Arrays) -> Sequence[np.ndarray]:
        """The graph's results for C-contiguous arrays of the parameters' types."""
        ...

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        """Lets a native callable (graphc_runtime) serve such calls by itself; False when it cannot."""
        ...


class Stages(Protocol):
    """What every stage made of a graph."""

    @property
    def kernels(self) -> tuple[Any, ...]: ...

    def text(self, stage: str) -> str: ...


class Backend(Protocol):
    """Turns graphs into programs."""

    def lower(self, graph: Graph) -> Stages:
        """The stages, to look at."""
        ...

    def compile(self, traced: TracedFunction) -> Executable:
        """A program."""
        ...

    def callable(
        self, miss: Callable[..., Any], error: Callable[[int, list[Any]], Any]
    ) -> Any | None:
        """A native callable that asks `miss` where nothing was attached; None when there is no such thing."""
        ...


# --------------------------------------------------------------------------------------- evaluator


class Evaluator:
    """Runs graphs in NumPy. `check`: NaN and infinity are reported where they first appear."""

    def __init__(self, check: bool = False):
        self._check = check

    def lower(self, graph: Graph) -> Stages:
        return Native().lower(graph)

    def compile(self, traced: TracedFunction) -> Executable:
        return Evaluation(traced.graph, self._check)

    def callable(self, miss: Any, error: Any) -> None:
        return None


class Evaluation:
    """A graph that is evaluated at every call."""

    def __init__(self, graph: Graph, check: bool):
        self._graph, self._check = graph, check

    def __call__(self, arrays: Arrays) -> Sequence[np.ndarray]:
        from .evaluate import evaluate  # kept beside its one use

        if not self._check:
            return [np.array(a) for a in evaluate(self._graph, arrays)]
        return self._checked(arrays)

    def _checked(self, arrays: Arrays) -> Sequence[np.ndarray]:
        graph = self._graph
        env = bind_extents(graph, [a.shape for a in arrays])
        values: dict[Any, Any] = dict(zip(graph.params, arrays, strict=True))
        for node in graph.nodes:
            operands = [values[v] for v in node.operands]
            attrs = {k: substitute_extents(v, env) for k, v in node.attrs.items()}
            found = node.op.evaluate(operands, attrs)
            results = tuple(found) if isinstance(found, (tuple, list)) else (found,)
            for value, array in zip(node.results, results, strict=True):
                values[value] = np.asarray(array)
                if _is_finite(array) or not all(map(_is_finite, operands)):
                    continue
                what = "NaN" if np.isnan(array).any() else "an infinity"
                raise NonFiniteError(
                    f"{node.op.name} made {what} from finite operands, in {value.type} at {node.where}"
                )
        return [np.array(values[v]) for v in graph.results]

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        return False


def _is_finite(array: Any) -> bool:
    found = np.asarray(array)
    return found.dtype.kind not in "fc" or bool(np.isfinite(found).all())


# ------------------------------------------------------------------------------------------ native


class Native:
    """Machine code for this machine."""

    def lower(self, graph: Graph) -> Stages:
        from .compile import lower_graph  # the compiler is loaded when something is compiled

        return lower_graph(graph)

    def compile(self, traced: TracedFunction) -> Executable:
        return NativeExecutable(traced)

    def callable(self, miss: Any, error: Any) -> Any:
        import graphc_runtime

        from .compile import ensure_native

        ensure_native()
        return graphc_runtime.compiled_type()(miss, error)


class NativeExecutable:
    """Machine code in this process."""

    def __init__(self, traced: TracedFunction):
        import graphc_runtime

        from .compile import build_graph, ensure_native, specialization

        ensure_native()
        self._runtime, self._specialization = graphc_runtime, specialization
        self._built = build_graph(traced.graph)
        self._run = graphc_runtime.compiled_type()(self._refuse, self._fail)
        arguments = tuple(self._array(p.type, p.path) for p in traced.parameters)
        graphc_runtime.add_specialization(self._run, specialization(self._built, arguments, "list"))

    def __call__(self, arrays: Arrays) -> Sequence[np.ndarray]:
        return self._run(*map(np.ascontiguousarray, arrays)) if arrays else self._run()

    def _array(self, type: ty.TensorType, path: str) -> Any:
        shape = []
        for axis, extent in enumerate(type.shape):
            if isinstance(extent, ty.Dim) and not str(extent).isidentifier():
                raise LoweringError(
                    f"axis {axis} of {path} has the extent {extent}; a compiled argument's symbolic extents are plain "
                    f"names. Name it on its own and let the program relate them"
                )
            shape.append(extent if isinstance(extent, int) else str(extent))
        return self._runtime.ArgumentSpec("array", type.dtype.numpy, tuple(shape))

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        """Calls with the leaves as plain positional arguments are served without Python."""
        if any(r.form == "static" for r in traced.results) or traced.requirements or traced.donated:
            return False
        arguments = tuple(
            self._array(p.type, p.path) if p.kind == "array" else self._runtime.ArgumentSpec(p.kind)
            for p in traced.parameters
        )
        plain = len(traced.results) == 1 and traced.results[0].form == "array" and traced.is_single
        result = "single" if plain else traced.unflatten
        self._runtime.add_specialization(
            function, self._specialization(self._built, arguments, result)
        )
        return True

    def fail(self, code: int, outputs: list[Any]) -> Any:
        """Raises what the error code of an entry means."""
        raise IndexError(self._built.messages[code - 1])

    _fail = fail

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        shown = ", ".join(f"{a.dtype}{a.shape}" for a in args)
        raise GraphcError(f"compiled code was called with arguments that it does not take: {shown}. This is a bug of graphc")
