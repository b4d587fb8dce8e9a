"""The seam between the front end and what runs a graph: `Backend`, and the ones there are.

`Native` compiles (graphc/compile.py). `Evaluator` runs the graph's meaning in NumPy, node by node:
for `debug="evaluate"`. `debug="nan"` is compiled, with a check after every op.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import graphc_runtime
import numpy as np
from graphc_runtime.forking import ForkLock, uninterrupted

from . import types as ty
from .errors import GraphcError, LoweringError
from .evaluate import evaluate
from .ir import Graph
from .trace import TracedFunction, donations

Arrays = Sequence[np.ndarray]


class Executable(Protocol):
    """A program that runs."""

    @property
    def argument(self) -> Callable[[Any, Any], Any] | None:
        """Makes the array of a leaf and its parameter, where a program takes other arrays than
        NumPy's (those of a device)."""
        ...

    @property
    def tuning(self) -> tuple[str, ...]:
        """What was measured instead of estimated, what a library computes and what memory a device
        needs, to be read."""
        ...

    def __call__(self, arrays: Arrays) -> Sequence[np.ndarray]:
        """The graph's results for C-contiguous arrays of the parameters' types."""
        ...

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        """Lets a native callable (graphc_runtime) serve such calls by itself;
        False when it cannot.
        """
        ...


class Stages(Protocol):
    """What every stage made of a graph."""

    @property
    def kernels(self) -> tuple[Any, ...]: ...

    @property
    def tuning(self) -> tuple[Any, ...]: ...

    def text(self, stage: str) -> str: ...


class Backend(Protocol):
    """Turns graphs into programs."""

    def lower(self, graph: Graph) -> Stages:
        """The stages, to look at."""
        ...

    def compile(self, traced: TracedFunction) -> Executable:
        """A program."""
        ...

    def callable(self, miss: Callable[..., Any]) -> Any | None:
        """A native callable that asks `miss` where nothing was attached;
        None when there is no such thing.
        """
        ...


# --------------------------------------------------------------------------------------- evaluator


class Evaluator:
    """Runs graphs in NumPy."""

    def lower(self, graph: Graph) -> Stages:
        return Native().lower(graph)

    def compile(self, traced: TracedFunction) -> Executable:
        return Evaluation(traced.graph)

    def callable(self, miss: Any) -> None:
        return None


class Evaluation:
    """A graph that is evaluated at every call."""

    argument: None = None
    tuning: tuple[str, ...] = ()

    def __init__(self, graph: Graph):
        self._graph = graph

    def __call__(self, arrays: Arrays) -> Sequence[np.ndarray]:
        return [np.array(a) for a in evaluate(self._graph, arrays)]

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        return False


# ------------------------------------------------------------------------------------------ native


class Native:
    """Machine code for this machine.

    `check_finite`: an op that makes a NaN or an infinity is reported. `direct`: no rewrite trades
    digits for speed. `sizes`, where there are any, are the numbers of symbolic extents at which
    schedules are measured (graphc/tuning.py).
    """

    def __init__(
        self, check_finite: bool = False, direct: bool = False,
        sizes: Mapping[str, int] | None = None,
    ):  # fmt: skip
        self._options = {"check_finite": check_finite, "direct": direct}
        self._sizes = sizes

    def lower(self, graph: Graph) -> Stages:
        from .compile import lower_graph  # the compiler is loaded when something is compiled

        if self._sizes is None:
            return lower_graph(graph, **self._options)
        from .tuning import Tuner

        return lower_graph(graph, tuner=Tuner(self._sizes), **self._options)

    def compile(self, traced: TracedFunction) -> Executable:
        return NativeExecutable(traced, self._sizes, **self._options)

    def callable(self, miss: Any) -> Any:
        import graphc_runtime

        with uninterrupted:
            from .compile import ensure_native, raise_error

            ensure_native()
        return graphc_runtime.compiled_type()(miss, raise_error)


COPIES = 16
"""So many small arrays of other layouts are copied
before a variant is compiled for them as well.
"""
COPY_BYTES = 1 << 14
"""Arrays of other layouts up to this size are copied;
for larger ones the program is compiled for any strides.
"""


class NativeExecutable:
    """Machine code in this process: one variant for contiguous arrays,
    others for arrays of any strides.
    """

    argument: None = None

    def __init__(
        self, traced: TracedFunction, sizes: Mapping[str, int] | None = None, **options: bool
    ):
        with uninterrupted:
            from .compile import ensure_native, raise_error

            ensure_native()
        self._traced, self._sizes, self._options = traced, sizes, options
        self.tuning: tuple[str, ...] = ()
        """What was measured instead of estimated, of every variant."""
        self._aliases = donations(traced)
        self._run = graphc_runtime.compiled_type()(self._refuse, raise_error)
        self._functions: list[Any] = []
        self._variants: set[tuple[int, ...]] = set()
        self._copies = 0
        self._lock = ForkLock()
        self._add((), {})

    def _add(self, strided: tuple[int, ...], strides: Mapping[str, int]) -> None:
        """Compiles the program for arrays that may have any strides at these positions; `strides`
        are the first ones.
        """
        with uninterrupted, self._lock:
            from .compile import build_graph, load_entry

            if strided in self._variants:
                return
            aliases = tuple(self._aliases.items())
            built = build_graph(
                self._traced.graph, strided=strided, aliases=aliases, tuner=self._tuner(strides),
                **self._options,
            )  # fmt: skip
            self.tuning += built.tuning
            loaded = load_entry(built)
            graphc_runtime.add_specialization(
                self._run, self._spec(built, loaded, strided, plain=True)
            )
            self._variants.add(strided)
            for function in self._functions:
                spec = self._spec(built, loaded, strided, plain=False)
                graphc_runtime.add_specialization(function, spec)
            self._last = (built, loaded)

    def _tuner(self, strides: Mapping[str, int]) -> Any:
        if self._sizes is None:
            return None
        from .tuning import Tuner

        return Tuner({**self._sizes, **strides})

    def __call__(self, arrays: Arrays) -> Sequence[np.ndarray]:
        return self._run(*arrays)

    def _refuse(self, *arrays: np.ndarray) -> Any:
        """No variant takes the layouts: makes one, or copies."""
        given = list(arrays)
        strided = []
        for position, array in enumerate(given):
            donated = position in self._aliases.values()
            if donated:  # what is shared, read-only or not contiguous cannot be written over
                given[position] = np.array(array, order="C")
            elif not (array.flags.c_contiguous and array.flags.aligned):
                whole = all(s % array.itemsize == 0 for s in array.strides) and array.flags.aligned
                self._copies += 1
                if whole and (array.nbytes > COPY_BYTES or self._copies > COPIES):
                    strided.append(position)
                else:
                    given[position] = np.ascontiguousarray(array)
            if array.flags.c_contiguous and not array.flags.aligned:
                given[position] = array.copy()
        if strided and tuple(strided) not in self._variants:
            steps = {
                f"x{k}_stride{axis}": step // arrays[k].itemsize
                for k in strided
                for axis, step in enumerate(arrays[k].strides)
            }
            self._add(tuple(strided), steps)
        elif all(a is b for a, b in zip(given, arrays, strict=True)):
            shown = ", ".join(f"{a.dtype}{a.shape}" for a in arrays)
            raise GraphcError(f"compiled code does not take {shown}; this is a bug of graphc")
        return self._run(*given)

    def _spec(self, built: Any, loaded: Any, strided: tuple[int, ...], plain: bool) -> Any:
        """The specialization: `plain` for arrays that Python prepared,
        else for a call as the user writes it.
        """
        from .compile import specialization

        traced = self._traced
        donated = set(self._aliases.values())
        arguments = tuple(
            self._array(p.type, p.path, k in strided, k in donated)
            if plain or p.kind == "array"
            else graphc_runtime.ArgumentSpec(p.kind)  # type: ignore[arg-type]
            for k, p in enumerate(traced.parameters)
        )
        if plain:
            return specialization(built, arguments, "list", self._aliases, loaded=loaded)
        result, scalars = _result_form(traced)
        return specialization(built, arguments, result, self._aliases, scalars, loaded)

    def _array(self, type: ty.TensorType, path: str, strided: bool, donated: bool) -> Any:
        shape = []
        for axis, extent in enumerate(type.shape):
            if isinstance(extent, ty.Dim) and not str(extent).isidentifier():
                raise LoweringError(
                    f"axis {axis} of {path} has the extent {extent}; a compiled argument's "
                    f"symbolic extents are plain names. Name it on its own and let the program "
                    f"relate them"
                )
            shape.append(extent if isinstance(extent, int) else str(extent))
        return graphc_runtime.ArgumentSpec(
            "array", type.dtype.numpy, tuple(shape), strided, donated
        )

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        """Calls with the leaves as plain positional arguments are served without Python."""
        if any(r.form == "static" for r in traced.results) or traced.requirements:
            return False
        self._functions.append(function)
        built, loaded = self._last
        graphc_runtime.add_specialization(function, self._spec(built, loaded, (), plain=False))
        return True


def _result_form(traced: TracedFunction) -> tuple[Any, tuple[int, ...]]:
    """How native code hands the results over, and which of them as NumPy scalars."""
    forms = [r.form for r in traced.results]
    in_order = [r.position for r in traced.results] == list(range(len(traced.graph.results)))
    if not in_order or any(f not in ("array", "scalar") for f in forms):
        return traced.unflatten, ()
    scalars = tuple(k for k, f in enumerate(forms) if f == "scalar")
    if traced.is_single:
        return "single", scalars
    sequence = traced.out_tree.sequence
    if sequence is not None:
        return sequence, scalars
    from .unpacking import packer

    pack = packer(traced.out_tree)
    return (traced.unflatten, ()) if pack is None else (pack, scalars)
