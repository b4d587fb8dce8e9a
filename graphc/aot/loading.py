"""`graphc.load` of an artifact: its functions, which run as they were built, and are graphs where a
program is traced: composed, differentiated, mapped over rows, exported again.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from graphc_runtime import artifact as runtime
from graphc_runtime import manifest, nested

from .. import pytrees
from ..cell import current_trace
from ..errors import ArtifactError, ShapeMismatch, TypeMismatch
from ..evaluate import specialize
from ..ir import Graph, Node, Value, make
from ..jit import Front, Jitted
from ..ops import build
from ..tracer import Tracer, as_value, wrap
from ..types import Dim, Extent, parse_extent, substitute
from .graphs import read_graph


class Artifact:
    """An artifact: its functions are attributes, and `functions` by name.

    `manifest` is what it says of itself (docs/artifacts.md); `check()` compares every file with it.
    """

    def __init__(self, opened: runtime.Artifact):
        self._opened = opened
        self.functions: Mapping[str, ArtifactFunction] = MappingProxyType(
            {f.name: ArtifactFunction(opened, f) for f in opened.manifest.functions}
        )

    @property
    def manifest(self) -> manifest.Manifest:
        return self._opened.manifest

    def check(self) -> None:
        """Compares every file with the manifest.

        Raises:
            ArtifactError: that names the first file that differs.
        """
        self._opened.check()

    def __getattr__(self, name: str) -> ArtifactFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self.functions:
            known = ", ".join(self.functions)
            raise AttributeError(f"the artifact has no function {name!r}; it has {known}")
        return self.functions[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.functions})

    def __repr__(self) -> str:
        return f"<artifact {self._opened.path}: {', '.join(self.functions)}>"


class ArtifactFunction(Jitted):
    """A function of an artifact. A call runs the artifact's code; inside a trace its graph is made
    part of the program."""

    def __init__(self, opened: runtime.Artifact, facts: manifest.Function):
        program = _program(opened, facts)
        donated = tuple(
            p.name
            for p in facts.parameters
            if any(facts.arguments[n].inout for n in manifest.leaf_numbers(p.structure))
        )
        super().__init__(
            Front(program, (), (), donated, None, None, facts.name, None, None, False, None, None)
        )
        self._opened = opened
        self.__name__ = self.__qualname__ = facts.name
        self.__doc__ = runtime.described(facts)
        self.__wrapped__ = program
        self.__signature__ = inspect.signature(program)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is not None:
            return self._front(*args, **kwargs)
        return self._opened.functions[self.__name__](*args, **kwargs)

    def __reduce__(self) -> Any:
        return _again, (os.path.abspath(self._opened.path), self._opened.manifest.id, self.__name__)

    def __repr__(self) -> str:
        return f"<{self.__name__} of the artifact {self._opened.path}>"


def load_artifact(path: str | os.PathLike[str], public_key: bytes | None = None) -> Artifact:
    """The functions of an artifact in a folder or a zip file.

    Raises:
        ArtifactError: when it is damaged, changed, newer than this graphc, or not signed by the
        key.
    """
    return Artifact(runtime.open_artifact(path, public_key=public_key))


def _again(path: str, id: str, name: str) -> ArtifactFunction:
    found = load_artifact(path)
    if found.manifest.id != id:
        raise ArtifactError(f"{path} is another artifact than the one that was pickled")
    return found.functions[name]


# ------------------------------------------------------------------------------- inside a program


def _program(opened: runtime.Artifact, facts: manifest.Function) -> Callable[..., Any]:
    """The function as a program that is traced: its graph, for the values that it is given."""
    graphs: list[Graph] = []
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(p.name, kind) for p in facts.parameters])

    def program(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        if not graphs:
            graphs.append(read_graph(*opened.graph(facts.name)))
            _check_types(graphs[0], facts, opened.path)
        leaves: dict[int, Any] = {}
        for parameter in facts.parameters:
            nested.leaves_of(parameter.structure, given[parameter.name], parameter.name, leaves)
        row = [leaves[k] for k in range(len(leaves))]
        results = _replayed(graphs[0], facts, row)
        return nested.packer(facts.structure)(
            [_leaf(r, results[r.output] if r.form != "static" else None) for r in facts.results]
        )

    program.__signature__ = signature  # type: ignore[attr-defined]
    program.__name__ = program.__qualname__ = facts.name
    program.__doc__ = facts.doc
    program.where = facts.where  # type: ignore[attr-defined]
    return program


def _check_types(graph: Graph, facts: manifest.Function, path: str) -> None:
    """Raises ArtifactError unless the graph is that of the manifest's function."""
    found = [str(v.type) for v in (*graph.params, *graph.results)]
    if found != [one.type for one in (*facts.arguments, *facts.outputs)]:
        raise ArtifactError(f"the graph of {facts.name} in {path} has other types than its code")


def _leaf(result: manifest.Result, value: Value | None) -> Any:
    if value is None:
        return result.value
    return wrap(value, result.form == "python")


def _replayed(graph: Graph, facts: manifest.Function, leaves: Sequence[Any]) -> Sequence[Value]:
    """The results of the graph for other values, in the active trace."""
    values = []
    env: dict[str, Extent] = {}
    for argument, parameter, leaf in zip(facts.arguments, graph.params, leaves, strict=True):
        values.append(_value(facts, argument, parameter, leaf))
        _bind(facts, argument, values[-1].type.shape, parameter.type.shape, env)
    trace = current_trace()
    assert trace is not None, "a graph is made part of a program that is traced"
    for _, text, _ in facts.requirements:
        trace.require(substitute(parse_extent(text), env))
    own = specialize(graph, env)
    new: dict[Value, Value] = dict(zip(own.params, values, strict=True))
    for node in own.nodes:
        made: Node = make(node.op, [new[v] for v in node.operands], node.attrs, node.where)
        new.update(zip(node.results, made.results, strict=True))
    return [new[v] for v in own.results]


def _value(
    facts: manifest.Function, argument: manifest.Argument, parameter: Value, leaf: Any
) -> Value:
    """The value of an argument: of exactly the type that the function was built for."""
    wanted = parameter.type
    if pytrees.is_container(leaf):
        raise TypeMismatch(
            f"{facts.name}: {argument.path} is a {type(leaf).__name__}; expected {argument.type}"
        )
    value = as_value(leaf)
    weak = isinstance(leaf, Tracer) and leaf.weak
    number = weak or isinstance(leaf, (bool, int, float, complex))
    if number and wanted.rank == 0 and value.type.rank == 0:
        return build.cast(value, wanted.dtype)
    if value.type.dtype is not wanted.dtype or value.type.rank != wanted.rank:
        raise TypeMismatch(
            f"{facts.name}: {argument.path} is {value.type}; expected {argument.type}"
        )
    return value


def _bind(
    facts: manifest.Function, argument: manifest.Argument, given: Sequence[Extent],
    wanted: Sequence[Extent], env: dict[str, Extent],
) -> None:  # fmt: skip
    for axis, (extent, name) in enumerate(zip(given, wanted, strict=True)):
        expected = env.setdefault(str(name), extent) if isinstance(name, Dim) else name
        if extent != expected:
            raise ShapeMismatch(
                f"{facts.name}: axis {axis} of {argument.path} is {extent}; expected {expected} "
                f"({argument.type})"
            )


__all__ = ["Artifact", "ArtifactFunction", "load_artifact"]
