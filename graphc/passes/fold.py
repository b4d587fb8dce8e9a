"""Computes at compile time what depends on no parameter.

    %1 = full{value=4.0, dtype=f32, shape=(n,)}
    %2 = sqrt %1                                ->   %1 = full{value=2.0, dtype=f32, shape=(n,)}
    return %2                                        return %1

Requires: a valid graph; `full` where all elements are equal (canonicalize) for the cheapest road.
Guarantees: an elementwise node whose operands are all `full` is a `full`, at any extent. Another
    node whose operands are all constants is a constant, unless that would store more bytes than the
    constants it came from: `full` and `iota` stay symbolic. A node that raises stays, and raises
    when it runs. Values are those of the card's `evaluate`, so they may differ from the native ones
    by the rounding of a transcendental function.
Placement: after canonicalize, which moves constants together; before cse, which joins equal
    results.
Cost: one walk, and the evaluation of what is folded.

The words in which passes speak of constants (`uniform`, `full`, `scalar`) live here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from .. import types as ty
from ..ir import Graph, Literal, Node, Value, rewrite
from ..opdef import lookup
from ..types import DType, TensorType
from .everywhere import everywhere

Scalar = bool | int | float | complex

FREE_NBYTES = 16
"""A result this small may always be stored."""

MOST_ELEMENTS = 1 << 22
"""A `full` or `iota` larger than this is not spelled out to compute with it."""


def uniform(value: Value) -> Scalar | None:
    """The scalar that every element equals, when the value is a `full`."""
    return value.node.attrs["value"] if value.node.op.name == "full" else None


def is_constant(value: Value) -> bool:
    return value.node.op.name in ("full", "constant")


def scalar(value: Any, dtype: DType) -> Scalar:
    """What an element of that dtype holds after `value` is stored: integers wrap, floats round."""
    if dtype.is_integer and isinstance(value, int):
        wrapped = int(value) & ((1 << dtype.bits) - 1)
        return (
            wrapped - (1 << dtype.bits)
            if dtype.kind == "i" and wrapped >> (dtype.bits - 1)
            else wrapped
        )
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype.numpy).item()


def full(type: TensorType, value: Scalar) -> Value:
    """A tensor of that type whose elements all equal `value`."""
    return lookup("full")(value=scalar(value, type.dtype), dtype=type.dtype, shape=type.shape)


def evaluated(name: str, scalars: Sequence[Scalar], dtype: DType, **attrs: Any) -> Scalar:
    """What the elementwise op answers for scalars of that dtype."""
    with np.errstate(all="ignore"):
        found = lookup(name).evaluate([np.asarray(s).astype(dtype.numpy) for s in scalars], attrs)
    return np.asarray(found).item()


@everywhere
def fold(graph: Graph) -> Graph:
    """The graph with constant nodes evaluated."""
    return rewrite(graph, _fold)


def _fold(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
    card = node.op
    if not operands or not card.pure or card.kind in ("call", "control"):
        return None
    if card.kind == "elementwise" and all(uniform(v) is not None for v in operands):
        found = _evaluate(node, [_scalar_array(v) for v in operands])
        if found is None:
            return None
        return tuple(full(r.type, a.item()) for r, a in zip(node.results, found, strict=True))
    if not all(v.node.op.name in ("constant", "full", "iota") for v in operands):
        return None
    types = [v.type for v in (*operands, *node.results)]
    if not all(isinstance(e, int) for t in types for e in t.shape):
        return None
    stored = sum(v.type.nbytes for v in operands if v.node.op.name == "constant")
    result = sum(r.type.nbytes for r in node.results)
    if result > max(stored, FREE_NBYTES) or any(v.type.size > MOST_ELEMENTS for v in operands):
        return None
    found = _evaluate(node, [_array(v) for v in operands])
    if found is None:
        return None
    constant = lookup("constant")
    return tuple(
        constant(value=Literal(np.asarray(a, dtype=r.dtype.numpy).reshape(r.shape)))
        for r, a in zip(node.results, found, strict=True)
    )


def _evaluate(node: Node, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...] | None:
    try:
        with np.errstate(all="ignore"):
            found = node.op.evaluate(arrays, node.attrs)
    except (ArithmeticError, IndexError, ValueError):
        return None  # the program means to raise where it runs, not where it is compiled
    found = found if isinstance(found, tuple) else (found,)
    return tuple(np.asarray(a) for a in found)


def _scalar_array(value: Value) -> np.ndarray:
    return np.asarray(uniform(value)).astype(value.dtype.numpy)


def _array(value: Value) -> np.ndarray:
    node = value.node
    if node.op.name == "full":
        return np.full(value.shape, _scalar_array(value))
    return np.asarray(node.op.evaluate([], node.attrs))


def at_least_one(extent: ty.Extent) -> bool:
    """Whether the extent cannot be 0."""
    low, _ = ty.bounds(extent)
    return low is not None and low > 0
