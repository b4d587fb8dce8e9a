"""unpack and pack: Python functions written for the structure of one signature.

    def unpack(a0, a1):                         # of step((w, b), {"x": x})
        if type(a0) is not tuple or len(a0) != 2: return None
        b0, b1 = a0
        ...
        return (b0, b1, b2)                     # what native code is called with

Native code compares plain arrays with what a program was compiled for. Calls with containers or
NumPy scalars would be bound, flattened and looked up in Python each time, 10 us and more; these
functions take a tenth of that, and native code checks the leaves as it does those of a flat call.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from graphc_runtime.writing import Writer

from .arguments import Call, Static
from .pytrees import Leaf, Structure
from .specs import Spec

MOST_LEAVES = 2000
"""Longer signatures are bound as they come: a function of that length takes long to compile."""

Unpack = Callable[..., tuple[Any, ...] | None]


class _Unusual(Exception):
    """A container or a leaf that no code is written for."""


def unpacker(call: Call) -> Unpack | None:
    """What takes the positional arguments of such calls apart: the dynamic leaves, or None where
    the arguments have another structure. None where no code is written for the structure.
    """
    if len(call.keys) > MOST_LEAVES or any(isinstance(leaf, Spec) for leaf in call.leaves):
        return None
    w = Writer(ndarray=np.ndarray, asarray=np.asarray)
    names = [w.fresh("a") for _ in call.names]
    leaves: list[str] = []
    at = 0
    try:
        for name, structure in zip(names, call.structures, strict=True):
            keys = call.keys[at : at + structure.count]
            at += structure.count
            own: dict[int, str] = {}  # the leaves of a dict are in the order of its keys
            _take(w, name, _sample(structure), keys, own)
            leaves += [own[number] for number in sorted(own)]
    except _Unusual:
        return None
    return w.function(", ".join(names), "(" + "".join(f"{leaf}, " for leaf in leaves) + ")")


def kinds(call: Call) -> tuple[Any, ...]:
    """What `unpacker` wrote code for: calls of equal kinds share a function."""
    found = []
    for key in call.keys:
        if isinstance(key, Static) or key[0] != "array":
            found.append(key)
        else:
            found.append(key[1].dtype if key[1].rank == 0 else None)
    return (call.names, call.structures, tuple(found))


def _sample(structure: Structure) -> Any:
    """The container with the numbers of its leaves."""
    return structure.unflatten(list(range(structure.count)))


def _take(w: Writer, name: str, sample: Any, keys: Any, leaves: dict[int, str]) -> None:
    kind = type(sample)
    if kind is int:
        if _take_leaf(w, name, keys[sample]):
            leaves[sample] = name
    elif sample is None:
        w.require(f"{name} is None")
    elif kind is dict:
        w.require(f"type({name}) is dict and len({name}) == {len(sample)}")
        parts = [w.fresh("b") for _ in sample]
        w.lines.append("    try:")
        w.lines += [
            f"        {part} = {name}[{w.constant(key)}]"
            for part, key in zip(parts, sample, strict=True)
        ] or ["        pass"]
        w.lines.append("    except KeyError: return None")
        for part, inner in zip(parts, sample.values(), strict=True):
            _take(w, part, inner, keys, leaves)
    elif kind in (tuple, list) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        w.require(f"type({name}) is {w.constant(kind)} and len({name}) == {len(sample)}")
        parts = [w.fresh("b") for _ in sample]
        if parts:
            w.lines.append(f"    {', '.join(parts)}, = {name}")
        for part, inner in zip(parts, sample, strict=True):
            _take(w, part, inner, keys, leaves)
    elif dataclasses.is_dataclass(sample):
        w.require(f"type({name}) is {w.constant(kind)}")
        for field in dataclasses.fields(sample):
            part = w.fresh("b")
            w.lines.append(f"    {part} = {name}.{field.name}")
            _take(w, part, getattr(sample, field.name), keys, leaves)
    else:
        raise _Unusual(kind)


def _take_leaf(w: Writer, name: str, key: Any) -> bool:
    """Answers whether the leaf is dynamic."""
    if isinstance(key, Static):
        value = w.constant(key.value)
        same = f"type({name}) is type({value}) and {name} == {value}"
        w.require(f"{name} is {value} or ({same})")
        return False
    if key[0] == "array" and key[1].rank == 0:
        scalar = w.constant(key[1].dtype.numpy.type)
        w.lines.append(f"    if type({name}) is not ndarray:")
        w.lines.append(f"        if type({name}) is not {scalar}: return None")
        w.lines.append(f"        {name} = asarray({name})")
    return True


def packer(structure: Structure) -> Callable[[list[Any]], Any] | None:
    """What puts results together again, from a list of the leaves; None where no code is written
    for the structure.
    """
    if structure.count > MOST_LEAVES or isinstance(structure, Leaf):
        return None
    w = Writer()
    try:
        return w.function("r", _made(w, _sample(structure)))
    except _Unusual:
        return None


def _made(w: Writer, sample: Any) -> str:
    kind = type(sample)
    if kind is int:
        return f"r[{sample}]"
    if sample is None:
        return "None"
    if kind is dict:
        both = (f"{w.constant(key)}: {_made(w, inner)}" for key, inner in sample.items())
        return "{" + ", ".join(both) + "}"
    if kind is list:
        return "[" + ", ".join(_made(w, inner) for inner in sample) + "]"
    if kind is tuple:
        return "(" + "".join(f"{_made(w, inner)}, " for inner in sample) + ")"
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return f"{w.constant(kind)}({', '.join(_made(w, inner) for inner in sample)})"
    raise _Unusual(kind)
