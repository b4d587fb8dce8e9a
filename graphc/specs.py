"""`spec`: an argument described instead of given; `dims`: which extents are symbolic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import types as ty
from .errors import ShapeMismatch
from .types import Extent, TensorType


class Spec:
    """Stands for an array of a type, where a program is traced without data."""

    __slots__ = ("type",)  # no dataclass: those are containers of arguments

    def __init__(self, type: TensorType):
        self.type = type

    @property
    def shape(self) -> tuple[Extent, ...]:
        return self.type.shape

    @property
    def dtype(self) -> Any:
        return self.type.dtype.numpy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.type == other.type

    def __hash__(self) -> int:
        return hash(self.type)

    def __str__(self) -> str:
        return str(self.type)

    def __repr__(self) -> str:
        return f"spec({str(self.type)!r})"


def spec(shape: Any, dtype: Any = "float64") -> Spec:
    """An argument described: `spec(("b", 784), "float32")` or `spec("f32[b, 784]")`.

    A name is a symbolic extent: one compiled program serves every value of it.

    Raises:
        ShapeMismatch, TypeMismatch: when an extent or the dtype cannot be read.
    """
    if isinstance(shape, str) and "[" in shape:
        return Spec(ty.parse_type(shape))
    if isinstance(shape, (str, int, ty.Dim)):
        shape = (shape,)
    return Spec(TensorType(ty.dtype(dtype), tuple(ty.extent(e) for e in shape)))


def spec_of(array: Any) -> Spec:
    """The description of an array that is there."""
    return Spec(TensorType(ty.dtype(array.dtype), array.shape))


PYTHON_NUMBERS: Mapping[str, Any] = {"float": 1.0, "int": 1, "bool": True, "complex": 1j}
"""Types of Python numbers, where types are written, with a number to trace with."""

Names = tuple[Any, ...]
"""An extent's name or None for each axis; Ellipsis for any number of axes without names."""


def read_names(given: Any, argument: str) -> Names:
    """The names of an argument's axes from `("b", None)` or "b, ...".

    Raises:
        ShapeMismatch: when an entry is no name.
    """
    if isinstance(given, str):
        given = [part.strip() for part in given.strip("[]() ").split(",")]
    if not isinstance(given, Iterable):
        raise ShapeMismatch(
            f"dims[{argument!r}] is {given!r}; write for example ('b', None) or 'b, ...'"
        )
    names: list[Any] = []
    for one in given:
        if one is Ellipsis or one == "...":
            names.append(Ellipsis)
        elif one is None or one in ("_", "None", "") or isinstance(one, int) or str(one).isdigit():
            names.append(None)
        else:
            names.append(ty.extent(one))
    if sum(n is Ellipsis for n in names) > 1:
        raise ShapeMismatch(f"dims[{argument!r}] has more than one '...'")
    return tuple(names)


def with_names(type: TensorType, names: Names, argument: str) -> TensorType:
    """The type with its named extents symbolic.

    Raises:
        ShapeMismatch: when the argument has another number of axes.
    """
    rank = type.rank
    if Ellipsis in names:
        at = names.index(Ellipsis)
        names = (*names[:at], *(None,) * (rank - len(names) + 1), *names[at + 1 :])
    if len(names) != rank:
        shown = ", ".join("_" if n is None else str(n) for n in names)
        raise ShapeMismatch(
            f"dims[{argument!r}] names {len(names)} axes ({shown}); the argument is {type}"
        )
    return type.with_shape(e if n is None else n for e, n in zip(type.shape, names, strict=True))


def bind(parameters: Iterable[tuple[str, TensorType, tuple[int, ...]]]) -> Mapping[str, int]:
    """The values of the symbolic extents, from (path, type, actual shape) of every argument.

    Raises:
        ShapeMismatch: naming the argument, the axis, what it is and what it had to be.
    """
    facts = [
        (path, axis, extent, actual)
        for path, type, shape in parameters
        for axis, (extent, actual) in enumerate(zip(type.shape, shape, strict=True))
    ]
    env: dict[str, int] = {}
    sources: dict[str, str] = {}
    for path, axis, extent, actual in facts:
        if isinstance(extent, ty.Dim) and str(extent).isidentifier():
            if env.setdefault(str(extent), actual) == actual:
                sources.setdefault(str(extent), f"axis {axis} of {path}")
    for path, axis, extent, actual in facts:
        expected = ty.substitute(extent, env)
        if expected != actual:
            names = ", ".join(
                f"{n} = {env[n]} from {sources[n]}" for n in sorted(ty.symbols(extent)) if n in env
            )
            because = f" ({extent} with {names})" if names else ""
            raise ShapeMismatch(f"axis {axis} of {path} is {actual}, expected {expected}{because}")
    return env
