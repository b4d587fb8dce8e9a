"""What a variable held at one moment, as values of the graph, and how two of them become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import pytrees
from .. import types as ty
from ..ir import Value
from ..ops import build
from ..tracer import Tracer, as_value
from ..types import DType, TensorType
from .undefined import Undefined

_PYTHON = {"b": bool, "i": int, "u": int, "f": float, "c": complex}


@dataclass(frozen=True, slots=True)
class Leaf:
    """An object; for arrays and numbers the value it had."""

    object: Any
    value: Value | None
    weak: bool = False

    @property
    def type(self) -> TensorType:
        assert self.value is not None
        return self.value.type

    def __str__(self) -> str:
        if self.value is None:
            return _shown(self.object)
        if not self.weak:
            return str(self.type)
        kind = _PYTHON[self.type.dtype.kind].__name__
        known = "" if isinstance(self.object, Tracer) else f" {self.object!r}"
        return f"the Python {kind}{known}"

    def same(self, other: Leaf) -> bool:
        """Whether two moments hold one object, or equal ones that no graph computes."""
        a, b = self.object, other.object
        if a is b:
            return self.value is other.value or not isinstance(a, Tracer)
        if isinstance(a, (Tracer, np.ndarray)) or isinstance(b, (Tracer, np.ndarray)):
            return False
        return type(a) is type(b) and bool(a == b) and str(a) == str(b)


@dataclass(frozen=True, slots=True)
class Held:
    """A nested object and its leaves."""

    object: Any
    leaves: tuple[Leaf, ...]
    tree: pytrees.Structure

    def __str__(self) -> str:
        if self.object is None:
            return "None"
        if isinstance(self.tree, pytrees.Leaf):
            return str(self.leaves[0])
        return str(self.tree.unflatten([_Text(str(leaf)) for leaf in self.leaves]))


class _Text:
    """Prints as it is."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _shown(x: Any) -> str:
    if isinstance(x, Undefined):
        return "not assigned"
    if isinstance(x, (str, bytes, type(None), range, slice)):
        return repr(x)
    name = getattr(x, "__name__", None)
    return f"{type(x).__name__} {name}" if name else f"a {type(x).__name__}"


def held(x: Any) -> Held:
    """What an object holds now."""
    if isinstance(x, Undefined):
        return Held(x, (Leaf(x, None),), pytrees.LEAF)
    leaves, tree = pytrees.flatten(x)
    return Held(x, tuple(map(_leaf, leaves)), tree)


def _leaf(x: Any) -> Leaf:
    if isinstance(x, Tracer):
        return Leaf(x, x.value, x.weak)
    if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
        fits = not isinstance(x, int) or -(2**63) <= x < 2**63
        return Leaf(x, build.constant(x) if fits else None, weak=True)
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc":
        return Leaf(x, as_value(x))
    return Leaf(x, None)


# --------------------------------------------------------------------------------- one type


def fitted(leaf: Leaf, type: TensorType) -> Value | None:
    """The value in that type: itself, or a Python number in the dtype it takes there."""
    value = leaf.value
    if value is None or value.type == type:
        return value
    if not leaf.weak or value.shape != type.shape:
        return None
    if _promoted(type.dtype, value.dtype) is not type.dtype:
        return None
    return build.cast(value, type.dtype)


def _promoted(dtype: DType, number: DType) -> DType:
    """The dtype of an array and a Python number."""
    if number is ty.BOOL:
        return dtype
    return build.result_type(build.full((), 0, dtype), _PYTHON[number.kind](0))


def joined(leaves: Sequence[Leaf]) -> tuple[TensorType, bool] | None:
    """The type that all leaves have or take, and whether it is a Python number's; or None."""
    strong = [leaf for leaf in leaves if not leaf.weak]
    if strong:
        type = strong[0].type
        return (type, False) if all(fitted(x, type) is not None for x in leaves) else None
    dtypes = [leaf.type.dtype for leaf in leaves]
    return TensorType(_widest(dtypes), leaves[0].type.shape), True


def _widest(dtypes: Sequence[DType]) -> DType:
    """The dtype of the most general of Python numbers."""
    order = "biufc"
    return max(dtypes, key=lambda d: order.index(d.kind))


def as_dtype(leaf: Leaf, type: TensorType) -> Value:
    """The value cast to a type that `joined` answered."""
    assert leaf.value is not None
    return leaf.value if leaf.value.type == type else build.cast(leaf.value, type.dtype)


__all__ = ["Held", "Leaf", "as_dtype", "fitted", "held", "joined"]
