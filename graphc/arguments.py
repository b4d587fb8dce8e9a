"""The arguments of a traced function: bound to parameters, flattened, and the signature of a call.

A leaf is dynamic (an array or a Python number: a parameter of the graph) or static (a constant of
the program). Two calls with equal signatures run the same program.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from . import pytrees, specs
from . import types as ty
from .errors import TraceError, TypeMismatch
from .specs import Spec
from .types import TensorType

WEAK = {bool: ty.BOOL, int: ty.I64, float: ty.F64, complex: ty.C128}
"""Python numbers and their dtypes in a graph, where they take the dtype of what they meet."""

_STATIC = (str, bytes, type, type(Ellipsis), slice, range, np.dtype, Enum, FunctionType, ModuleType)


@dataclass(frozen=True, slots=True)
class Static:
    """A static leaf: compared by type and value."""

    value: Any

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static) or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))

    def __str__(self) -> str:
        return f"static {self.value!r}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the graph: how the leaf is reached, its type, and what it stands for."""

    path: str
    type: TensorType
    kind: str = "array"
    """ "array", or of a Python number "float", "int", "bool", "complex"."""

    @property
    def weak(self) -> bool:
        return self.kind != "array"

    def __str__(self) -> str:
        return f"{self.path}: {self.type}" if not self.weak else f"{self.path}: {self.kind}"


LeafKey = Any
"""A (kind, TensorType) of a dynamic leaf, or a Static."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, bound: equal `key`s run the same program.

    Attributes:
        names: the parameters that were given, in order.
        structures: the structure of each of them.
        keys: of every leaf, in order.
        leaves: the dynamic leaves, in order.
    """

    names: tuple[str, ...]
    structures: tuple[pytrees.Structure, ...]
    keys: tuple[LeafKey, ...]
    leaves: tuple[Any, ...] = field(compare=False, hash=False)

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.names, self.structures, self.keys)

    def paths(self) -> list[str]:
        """How every leaf is reached."""
        both = zip(self.names, self.structures, strict=True)
        return [path for name, structure in both for path in pytrees.paths(name, structure)]

    def parameters(self) -> list[Parameter]:
        """The dynamic leaves."""
        both = zip(self.paths(), self.keys, strict=True)
        return [Parameter(p, k[1], k[0]) for p, k in both if not isinstance(k, Static)]


class Binder:
    """Knows a function's parameters: which are static, donated, or have symbolic extents."""

    def __init__(
        self,
        function: Callable[..., Any],
        static_argnames: str | Iterable[str] = (),
        static_argnums: int | Iterable[int] = (),
        donate: str | int | Iterable[str | int] = (),
        dims: Mapping[str, Any] | None = None,
    ):
        self.function = function
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters
        self.names = tuple(parameters)
        self.static = frozenset(self._named(static_argnames, "static_argnames")) | frozenset(
            self._named(static_argnums, "static_argnums")
        )
        self.donated = frozenset(self._named(donate, "donate"))
        self.dims = {k: specs.read_names(v, k) for k, v in (dims or {}).items()}
        for path in self.dims:
            root = path.replace("[", ".").split(".")[0]
            if root not in self.names:
                raise TypeError(f"dims names {path!r}; the parameters are {', '.join(self.names)}")
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.positional = tuple(n for n, p in parameters.items() if p.kind in plain)
        """The parameters that may be given by position."""
        rest = [n for n, p in parameters.items() if p.kind is inspect.Parameter.VAR_POSITIONAL]
        self.rest = rest[0] if rest else None
        """The name of *args, if there is one."""
        needed = [n for n in self.positional if parameters[n].default is inspect.Parameter.empty]
        other = any(
            p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
            for p in parameters.values()
        )
        self._least = len(self.positional) + 1 if other else len(needed)

    def _named(self, given: Any, what: str) -> list[str]:
        """Names of parameters, from names and positions."""
        found = []
        for one in (given,) if isinstance(given, (str, int)) else given:
            if isinstance(one, int):
                if not -len(self.names) <= one < len(self.names):
                    raise TypeError(
                        f"{what} has {one}; the function has {len(self.names)} parameters"
                    )
                one = self.names[one]
            if one not in self.names:
                raise TypeError(f"{what} has {one!r}; the parameters are {', '.join(self.names)}")
            found.append(one)
        return found

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        """A call with its signature.

        Raises:
            TypeError: as Python, when the arguments do not fit the parameters.
            TraceError, TypeMismatch: for an argument that is neither an array nor static.
        """
        if not kwargs and self._least <= len(args) <= len(self.positional):
            names, values = self.positional[: len(args)], args
        else:
            given = self.signature.bind(*args, **kwargs).arguments
            names, values = tuple(given), tuple(given.values())
        structures: list[pytrees.Structure] = []
        keys: list[LeafKey] = []
        leaves: list[Any] = []
        for name, value in zip(names, values, strict=True):
            if name in self.static:
                structures.append(pytrees.LEAF)
                keys.append(_static(name, value))
                continue
            found, structure = pytrees.flatten(value)
            structures.append(structure)
            for position, leaf in enumerate(found):
                plain = type(leaf) is np.ndarray or isinstance(leaf, np.generic)
                key = _array_key(leaf.dtype, leaf.shape) if plain and not self.dims else None
                if key is None:
                    key, leaf = self._leaf(name, structure, position, leaf)
                keys.append(key)
                if not isinstance(key, Static):
                    leaves.append(leaf)
        return Call(names, tuple(structures), tuple(keys), tuple(leaves))

    def _leaf(
        self, name: str, structure: pytrees.Structure, position: int, leaf: Any
    ) -> tuple[Any, Any]:
        kind = type(leaf)
        if kind in WEAK:
            return (kind.__name__, TensorType(WEAK[kind], ())), leaf
        if isinstance(leaf, Spec):
            return ("array", self._named_type(name, structure, position, leaf.type)), leaf
        if (
            not isinstance(leaf, (np.ndarray, np.generic)) and isinstance(leaf, _STATIC)
        ) or callable(leaf):
            return _static(name, leaf), leaf
        if isinstance(leaf, np.ma.MaskedArray) or kind is np.matrix:
            path = pytrees.paths(name, structure)[position]
            raise TypeMismatch(
                f"argument {path} is a {kind.__name__}; pass a plain array: np.asarray({path})"
            )
        if hasattr(kind, "__cuda_array_interface__") or hasattr(kind, "__dlpack_device__"):
            found = _device_type(leaf)
            if found is not None:
                return ("array", self._named_type(name, structure, position, found)), leaf
        if not isinstance(leaf, (np.ndarray, np.generic)):
            if not (hasattr(leaf, "__array__") or hasattr(leaf, "__array_interface__")):
                path = pytrees.paths(name, structure)[position]
                raise TraceError(
                    f"argument {path} is a {kind.__name__}, neither an array nor a number. If it "
                    f"is data that decides the program, write jit(..., static_argnames={name!r}) "
                    "(it needs __hash__ and __eq__); a dataclass, dict, list or tuple of arrays "
                    "can be passed as it is"
                )
            leaf = np.asarray(leaf)
        try:
            dtype = ty.dtype(leaf.dtype)
        except TypeMismatch as error:
            path = pytrees.paths(name, structure)[position]
            raise TypeMismatch(f"argument {path}: {error}") from None
        type_ = TensorType(dtype, leaf.shape)
        return (
            "array",
            self._named_type(name, structure, position, type_) if self.dims else type_,
        ), leaf

    def _named_type(
        self, name: str, structure: pytrees.Structure, position: int, type: TensorType
    ) -> TensorType:
        if not self.dims:
            return type
        path = pytrees.paths(name, structure)[position]
        names = self.dims.get(path, self.dims.get(name))
        return type if names is None else specs.with_names(type, names, path)

    def rebuild(self, call: Call, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call with other dynamic leaves."""
        rest = iter(leaves)
        values = [k.value if isinstance(k, Static) else next(rest) for k in call.keys]
        arguments: dict[str, Any] = {}
        at = 0
        for name, structure in zip(call.names, call.structures, strict=True):
            many = structure.count
            arguments[name] = structure.unflatten(values[at : at + many])
            at += many
        bound = inspect.BoundArguments(self.signature, arguments)
        return bound.args, bound.kwargs


@lru_cache(maxsize=4096)
def _array_key(dtype: np.dtype[Any], shape: tuple[int, ...]) -> LeafKey | None:
    """The key of an array without symbolic extents, None where its dtype has no place in a graph.
    A step of training has dozens of arrays in each call.
    """
    try:
        return ("array", TensorType(ty.dtype(dtype), shape))
    except TypeMismatch:
        return None


def _device_type(leaf: Any) -> TensorType | None:
    """The type of an array on a CUDA device; None of any other."""
    if isinstance(leaf, np.ndarray):
        return None
    from .device.interchange import is_on_device, type_of  # a program of NumPy arrays needs neither

    return type_of(leaf) if is_on_device(leaf) else None


def _static(name: str, value: Any) -> Static:
    try:
        hash(value)
    except TypeError:
        raise TraceError(
            f"argument {name} is static, and a {type(value).__name__} cannot be hashed; pass a "
            "tuple instead of a list, or an object with __hash__ and __eq__"
        ) from None
    return Static(value)
