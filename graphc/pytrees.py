"""Nested arguments and results: dict, list, tuple, namedtuple, dataclass, None; by optree.

optree is imported when the first container is met: functions of plain arrays never need it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from graphc_runtime.records import dataclass

NAMESPACE = "graphc"
_CONTAINERS = (dict, list, tuple, type(None))


@lru_cache(maxsize=1)
def _optree() -> Any:
    import optree  # 30 ms, which a program without containers does not pay

    return optree


@dataclass(frozen=True, slots=True)
class Leaf:
    """The structure of something that is no container."""

    count: ClassVar[int] = 1
    sequence: ClassVar[str | None] = None

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        return leaves[0]

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Row:
    """The structure of a plain tuple or list of leaves."""

    kind: type
    count: int

    @property
    def sequence(self) -> str:
        """What it is called: "tuple" or "list"."""
        return self.kind.__name__

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        return self.kind(leaves)

    def __str__(self) -> str:
        return str(self.kind(["*"] * self.count)).replace("'", "")


@dataclass(frozen=True, slots=True)
class Tree:
    """The structure of a container, compared by value."""

    spec: Any
    sequence: ClassVar[str | None] = None

    @property
    def count(self) -> int:
        """How many leaves there are."""
        return self.spec.num_leaves

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        """The container with these leaves."""
        return _optree().tree_unflatten(self.spec, leaves)

    def __str__(self) -> str:
        return str(self.spec)


Structure = Leaf | Row | Tree
LEAF = Leaf()


def is_container(x: Any) -> bool:
    """Whether x is flattened."""
    return _holds(type(x))


def _holds(kind: type) -> bool:
    return issubclass(kind, _CONTAINERS) or dataclasses.is_dataclass(kind)


def flatten(x: Any) -> tuple[list[Any], Structure]:
    """The leaves, and the structure that puts them together again."""
    if not is_container(x):
        return [x], LEAF
    if type(x) in (tuple, list) and not any(is_container(one) for one in x):
        return list(x), Row(type(x), len(x))
    while True:
        leaves, spec = _optree().tree_flatten(x, namespace=NAMESPACE)
        new = {kind for kind in set(map(type, leaves)) if _holds(kind)}
        if not new:
            return leaves, Tree(spec)
        for one in new:
            _register(one)


def paths(name: str, structure: Structure) -> list[str]:
    """How each leaf is reached: `params['w'][0]`, `state.x`."""
    if isinstance(structure, Leaf):
        return [name]
    if isinstance(structure, Row):
        return [f"{name}[{k}]" for k in range(structure.count)]
    return [a.codify(name) for a in _optree().treespec_accessors(structure.spec)]


_registered: set[type] = set()


def _register(kind: type) -> None:
    """Makes optree look into a dataclass; objects are put together without __init__."""
    if kind in _registered:
        return
    _registered.add(kind)
    names = tuple(f.name for f in dataclasses.fields(kind))

    def take_apart(x: Any) -> tuple[list[Any], None, tuple[str, ...]]:
        return [getattr(x, name) for name in names], None, names

    def put_together(_: None, children: Sequence[Any]) -> Any:
        made = object.__new__(kind)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(made, name, child)
        return made

    optree = _optree()
    optree.register_pytree_node(
        kind, take_apart, put_together, path_entry_type=optree.GetAttrEntry, namespace=NAMESPACE
    )


def map_leaves(function: Callable[[Any], Any], x: Any) -> Any:
    """x with every leaf replaced."""
    leaves, structure = flatten(x)
    return structure.unflatten([function(leaf) for leaf in leaves])


def map_together(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """x with every leaf replaced by what the function answers for it and those of the others.

    Raises:
        ValueError: when another one has not the structure of x.
    """
    leaves, structure = flatten(x)
    columns = [leaves]
    for other in others:
        found, its_own = flatten(other)
        if its_own != structure:
            raise ValueError(f"a structure is {its_own}; expected {structure}")
        columns.append(found)
    return structure.unflatten([function(*row) for row in zip(*columns, strict=True)])
