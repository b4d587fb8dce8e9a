"""Nested arguments and results of an artifact's functions: taken apart and put together by the
structures that its manifest describes.

    3                                       a leaf: argument 3, or result 3
    None                                    None
    {"static": value}                       that very value
    {"tuple": [...]}   {"list": [...]}
    {"dict": [[key, structure]...]}
    {"object": [[attribute, structure]...]} a dataclass, or anything with these attributes

The functions for calls are written as Python text of this module's own words; keys and values of
the manifest are never part of it, they are in its name space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from .errors import TypeMismatch
from .writing import Writer


def _writer() -> Writer:
    return Writer(Space=SimpleNamespace)


def unpacker(structures: Sequence[Any]) -> Callable[..., tuple[Any, ...] | None]:
    """What takes positional arguments apart: the leaves, or None where they are built otherwise."""
    w = _writer()
    names = [w.fresh("a") for _ in structures]
    leaves: dict[int, str] = {}
    for name, structure in zip(names, structures, strict=True):
        _take(w, name, structure, leaves)
    row = "".join(f"{leaves[number]}, " for number in range(len(leaves)))
    return w.function(", ".join(names), f"({row})")


def _take(w: Writer, name: str, structure: Any, leaves: dict[int, str]) -> None:
    if isinstance(structure, int):
        leaves[structure] = name
        return
    if structure is None:
        w.require(f"{name} is None")
        return
    ((kind, inner),) = structure.items()
    if kind == "static":
        value = w.constant(inner)
        w.require(f"type({name}) is type({value}) and {name} == {value}")
        return
    parts = [w.fresh("b") for _ in inner]
    if kind == "dict":
        w.require(f"type({name}) is dict and len({name}) == {len(inner)}")
        w.lines.append("    try:")
        for part, (key, _) in zip(parts, inner, strict=True):
            w.lines.append(f"        {part} = {name}[{w.constant(key)}]")
        w.lines += ["        pass", "    except KeyError: return None"]
    elif kind == "object":
        for part, (key, _) in zip(parts, inner, strict=True):
            w.lines.append(f"    {part} = getattr({name}, {w.constant(key)}, None)")
    else:
        w.require(f"isinstance({name}, {kind}) and len({name}) == {len(inner)}")
        if parts:
            w.lines.append(f"    {', '.join(parts)}, = {name}")
    below = inner if kind in ("tuple", "list") else [pair[1] for pair in inner]
    for part, structure in zip(parts, below, strict=True):
        _take(w, part, structure, leaves)


def packer(structure: Any) -> Callable[[Sequence[Any]], Any]:
    """What puts results together, from a list of the leaves."""
    w = _writer()
    return w.function("r", _made(w, structure))


def _made(w: Writer, structure: Any) -> str:
    if isinstance(structure, int):
        return f"r[{structure}]"
    if structure is None:
        return "None"
    ((kind, inner),) = structure.items()
    if kind == "static":
        return w.constant(inner)
    if kind in ("tuple", "list"):
        parts = "".join(f"{_made(w, one)}, " for one in inner)
        return f"({parts})" if kind == "tuple" else f"[{parts}]"
    pairs = ", ".join(f"{w.constant(key)}: {_made(w, one)}" for key, one in inner)
    return f"{{{pairs}}}" if kind == "dict" else f"Space(**{{{pairs}}})"


def leaves_of(structure: Any, value: Any, path: str, found: dict[int, Any]) -> None:
    """Adds the leaves of an argument, by their numbers.

    Raises:
        TypeMismatch: that says where it is built otherwise.
    """
    if isinstance(structure, int):
        found[structure] = value
        return
    if structure is None:
        if value is not None:
            raise TypeMismatch(f"{path} is {_called(value)}; expected None")
        return
    ((kind, inner),) = structure.items()
    if kind == "static":
        if type(value) is not type(inner) or value != inner:
            raise TypeMismatch(
                f"{path} is {value!r}; this function was compiled for {inner!r} in its place"
            )
    elif kind in ("tuple", "list"):
        if not isinstance(value, tuple if kind == "tuple" else list) or len(value) != len(inner):
            raise TypeMismatch(f"{path} is {_called(value)}; expected a {kind} of {len(inner)}")
        for k, (one, part) in enumerate(zip(inner, value, strict=True)):
            leaves_of(one, part, f"{path}[{k}]", found)
    elif kind == "dict":
        keys = [key for key, _ in inner]
        if not isinstance(value, dict) or set(value) != set(keys):
            other = f"a dict of {list(value)}" if isinstance(value, dict) else _called(value)
            raise TypeMismatch(f"{path} is {other}; expected a dict of {keys}")
        for key, one in inner:
            leaves_of(one, value[key], f"{path}[{key!r}]", found)
    else:
        for key, one in inner:
            if not hasattr(value, key):
                raise TypeMismatch(f"{path} is {_called(value)}, which has no attribute {key}")
            leaves_of(one, getattr(value, key), f"{path}.{key}", found)


def _called(value: Any) -> str:
    """What an argument is called in messages."""
    if value is None:
        return "None"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
