"""evaluate: the meaning of a graph, node by node in NumPy. Slow; every stage is compared with it.

Symbolic extents get their numbers from the arguments' shapes. Each result is checked against the
type that its card inferred, so a card that says one thing and computes another is found here.
Iterative: graphs are deep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import types as ty
from .errors import ShapeMismatch, TypeMismatch, VerifyError
from .ir import Graph, Node, Value, make, param, substitute_extents
from .types import Dim, Extent, TensorType


def evaluate(graph: Graph, arguments: Sequence[Any]) -> list[np.ndarray]:
    """The results of the graph for arrays of the parameters' types.

    Raises:
        TypeMismatch, ShapeMismatch: when an argument is not what its parameter says.
        VerifyError: when a card's result has not the type that the card inferred.
    """
    arrays = [np.asarray(a) for a in arguments]
    _check_arguments(graph, arrays)
    env = bind_extents(graph, [a.shape for a in arrays])
    values: dict[Value, Any] = dict(zip(graph.params, arrays, strict=True))
    last = _last_uses(graph)
    for position, node in enumerate(graph.nodes):
        attrs = {k: _attribute(v, env) for k, v in node.attrs.items()}
        try:
            found = node.op.evaluate([values[v] for v in node.operands], attrs)
        except Exception as error:
            where = f" at {node.where}" if node.where else ""
            error.add_note(f"while evaluating {node.op.name}{where}")
            raise
        results = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        _check_results(node, results, env)
        values.update(zip(node.results, map(np.asarray, results), strict=True))
        for value in last.get(position, ()):
            del values[value]
    return [values[v] for v in graph.results]


def _last_uses(graph: Graph) -> dict[int, list[Value]]:
    """The values that are not read after the node at a position."""
    last: dict[Value, int] = {}
    for position, node in enumerate(graph.nodes):
        for value in (*node.operands, *node.results):
            last[value] = position
    for value in graph.results:
        last.pop(value, None)
    by_position: dict[int, list[Value]] = {}
    for value, position in last.items():
        by_position.setdefault(position, []).append(value)
    return by_position


def _check_arguments(graph: Graph, arrays: Sequence[np.ndarray]) -> None:
    if len(arrays) != len(graph.params):
        raise TypeMismatch(
            f"{graph.name} takes {len(graph.params)} arguments "
            f"({', '.join(_describe(p) for p in graph.params)}), got {len(arrays)}"
        )
    for value, array in zip(graph.params, arrays, strict=True):
        if ty.dtype(array.dtype) is not value.dtype:
            raise TypeMismatch(f"{graph.name}: {_describe(value)} was given {array.dtype}")
        if array.ndim != len(value.shape):
            raise ShapeMismatch(
                f"{graph.name}: {_describe(value)} was given an array of shape {array.shape}"
            )


def _describe(value: Value) -> str:
    return f"{value.node.attrs['name']}: {value.type}"


# ---------------------------------------------------------------------------------------- extents


def _unknown(extent: Dim, known: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """(name, c, k) when the extent is c*name + k with the one name unknown, else None."""
    rest = ty.substitute(extent, {n: known[n] for n in ty.symbols(extent) if n in known})
    if not isinstance(rest, Dim):
        return None
    constant = dict(rest.terms).get((), 0)
    named = [(m, c) for m, c in rest.terms if m]
    if len(named) != 1 or len(named[0][0]) != 1 or not isinstance(named[0][0][0], str):
        return None
    return named[0][0][0], named[0][1], constant


def determined(types: Iterable[TensorType]) -> frozenset[str]:
    """The symbols whose values follow from the shapes of arrays of these types."""
    extents = [e for t in types for e in t.shape if isinstance(e, Dim)]
    known: dict[str, Extent] = {}
    before = -1
    while len(known) > before:
        before = len(known)
        for extent in extents:
            # known names get distinct large numbers: only which names remain is of interest
            solved = _unknown(extent, known)
            if solved is not None:
                known[solved[0]] = 1009 + len(known)
    return frozenset(known)


def bind_extents(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """The value of every symbolic extent, from the shapes of the arguments.

    Raises:
        ShapeMismatch: naming the parameter, the axis, what it was and what it had to be.
    """
    env: dict[str, int] = {}
    facts = [
        (value, axis, extent, shape[axis])
        for value, shape in zip(graph.params, shapes, strict=True)
        for axis, extent in enumerate(value.shape)
    ]
    before = -1
    while len(env) > before:
        before = len(env)
        for value, axis, extent, actual in facts:
            solved = _unknown(extent, env) if isinstance(extent, Dim) else None
            if solved is None:
                continue
            name, factor, constant = solved
            if (actual - constant) % factor or (actual - constant) // factor < 0:
                raise ShapeMismatch(
                    f"{graph.name}: axis {axis} of {_describe(value)} is {actual}, "
                    f"which is no {extent} for any {name} >= 0"
                )
            env[name] = (actual - constant) // factor
    for value, axis, extent, actual in facts:
        expected = ty.substitute(extent, env)
        if expected != actual:
            because = "".join(f", {n} = {env[n]}" for n in sorted(ty.symbols(extent)) if n in env)
            raise ShapeMismatch(
                f"{graph.name}: axis {axis} of {_describe(value)} is {actual}, "
                f"not {expected}{because}"
            )
    for name in graph.symbols:
        env.setdefault(name, 0)  # b*n with b = 0 leaves n open; no array has elements to tell
    return env


def _attribute(attribute: Any, env: Mapping[str, int]) -> Any:
    if isinstance(attribute, Graph):
        return specialize(attribute, env) if env and _needs(attribute) else attribute
    if isinstance(attribute, tuple):
        return tuple(_attribute(one, env) for one in attribute)
    return substitute_extents(attribute, env) if env else attribute


def _needs(graph: Graph) -> bool:
    """Does the sub-graph mention extents that its own parameters do not determine?"""
    return not _mentioned(graph) <= determined(v.type for v in graph.params)


def _mentioned(graph: Graph) -> set[str]:
    """The symbols in types and attributes of a graph and of what is inside it."""
    names: set[str] = set()
    for node in graph.nodes:
        stack = list(node.attrs.values())
        while stack:
            attribute = stack.pop()
            if isinstance(attribute, Graph):
                names |= _mentioned(attribute)
            elif isinstance(attribute, tuple):
                stack.extend(attribute)
            else:
                names |= attribute_symbols(attribute)
        for value in node.results:
            names |= type_symbols(value.type)
    return names


def type_symbols(type: TensorType) -> frozenset[str]:
    """The symbols in a type's shape."""
    return frozenset().union(*(ty.symbols(e) for e in type.shape))


def attribute_symbols(attribute: Any) -> frozenset[str]:
    """The symbols in an attribute, through tuples; sub-graphs are left alone."""
    if isinstance(attribute, Dim):
        return ty.symbols(attribute)
    if isinstance(attribute, TensorType):
        return type_symbols(attribute)
    if isinstance(attribute, tuple):
        return frozenset().union(*map(attribute_symbols, attribute))
    return frozenset()


def specialize(graph: Graph, env: Mapping[str, Extent]) -> Graph:
    """The graph with symbolic extents replaced, in parameters, attributes and sub-graphs."""
    new: dict[Value, Value] = {}
    for value in graph.params:
        new[value] = param(substitute_extents(value.type, env), value.node.attrs["name"])
    for node in graph.nodes:
        attrs = {k: _specialized(v, env) for k, v in node.attrs.items()}
        made = make(node.op, [new[v] for v in node.operands], attrs, node.where)
        new.update(zip(node.results, made.results, strict=True))
    params = tuple(new[v] for v in graph.params)
    nodes = tuple(dict.fromkeys(new[v].node for n in graph.nodes for v in n.results))
    return Graph(graph.name, params, nodes, tuple(new[v] for v in graph.results))


def _specialized(attribute: Any, env: Mapping[str, Extent]) -> Any:
    if isinstance(attribute, Graph):
        return specialize(attribute, env)
    if isinstance(attribute, tuple):
        return tuple(_specialized(one, env) for one in attribute)
    return substitute_extents(attribute, env)


# ----------------------------------------------------------------------------------------- checks


def _check_results(node: Node, results: tuple[Any, ...], env: Mapping[str, int]) -> None:
    where = f" (made at {node.where})" if node.where else ""
    if len(results) != len(node.results):
        raise VerifyError(
            f"{node.op.name}{where} has {len(node.results)} results and evaluated to {len(results)}"
        )
    for value, array in zip(node.results, results, strict=True):
        shape = tuple(ty.substitute(e, env) for e in value.shape)
        if np.shape(array) != shape or getattr(array, "dtype", None) != value.dtype.numpy:
            raise VerifyError(
                f"{node.op.name}{where} was inferred as {value.type} with shape {shape}, and "
                f"evaluated to {getattr(array, 'dtype', type(array).__name__)} of shape "
                f"{np.shape(array)}"
            )
