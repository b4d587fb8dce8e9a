"""dataclass: the standard library's, whose methods but `__init__` are written when first called.

`import graphc` makes a hundred dataclasses. The standard library compiles six methods for each, 0.5
to 0.8 ms: half the time of the import, though most are never asked whether they are equal. Here
`__init__` is compiled at once, and the others have stand-ins that compile a method when it is first
called, and are replaced by it (0.15 ms a class). What the standard library's functions ask of a
dataclass (`fields`, `replace`, `asdict`) is its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field
from types import MemberDescriptorType
from typing import Any, TypeVar, dataclass_transform, overload

C = TypeVar("C", bound=type)
_MADE = ("__init__", "__eq__", "__hash__", "__repr__")


@overload
@dataclass_transform(field_specifiers=(field,))
def dataclass(cls: C, /) -> C: ...


@overload
@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool = ..., slots: bool = ..., eq: bool = ...) -> Callable[[C], C]: ...


def dataclass(
    cls: Any = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True
) -> Any:
    """As `dataclasses.dataclass` of these options. The methods that a class writes itself stay.

    Raises:
        TypeError: for a field that is given by keyword only, or one without a default behind one
            that has one.
    """

    def made(cls: type) -> type:
        own = {name for name in _MADE if name in cls.__dict__ and cls.__dict__[name] is not None}
        cls.__doc__ = cls.__doc__ or cls.__name__  # else the signature is asked for
        cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
        _check(cls)
        wanted = {"__init__", "__repr__"} | ({"__eq__"} if eq else set())
        if eq and frozen:
            wanted.add("__hash__")
        elif eq and "__hash__" not in own:
            cls.__hash__ = None  # pyright: ignore[reportAttributeAccessIssue]
        for name in wanted - own:
            make = _method if name == "__init__" else _stand_in
            setattr(cls, name, make(cls, name, frozen))
        if frozen:
            cls.__setattr__ = _refuse_set  # pyright: ignore[reportAttributeAccessIssue]
            cls.__delattr__ = _refuse_delete  # pyright: ignore[reportAttributeAccessIssue]
            if slots and "__getstate__" not in cls.__dict__:
                cls.__getstate__ = _state  # pyright: ignore[reportAttributeAccessIssue]
                cls.__setstate__ = _set_state  # pyright: ignore[reportAttributeAccessIssue]
        return cls

    return made if cls is None else made(cls)


def _check(cls: type) -> None:
    """Refuses what the methods would not do."""
    default = None
    for one in dataclasses.fields(cls):  # pyright: ignore[reportArgumentType]
        if one.kw_only:
            raise TypeError(f"{cls.__name__}.{one.name} is given by keyword only")
        has_default = one.default is not MISSING or one.default_factory is not MISSING
        if one.init and default is not None and not has_default:
            raise TypeError(f"{cls.__name__}.{one.name} has no default, but follows {default}")
        if one.init and has_default:
            default = one.name


def _stand_in(cls: type, name: str, frozen: bool) -> Any:
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = _method(cls, name, frozen)
        setattr(cls, name, method)
        return method(self, *args, **kwargs)

    return _named(call, cls, name)


def _named(method: Any, cls: type, name: str) -> Any:
    method.__name__, method.__qualname__ = name, f"{cls.__qualname__}.{name}"
    method.__module__ = cls.__module__
    return method


def _method(cls: type, name: str, frozen: bool) -> Any:
    """A method of a class, compiled."""
    fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    space: dict[str, Any] = {"_make": object.__setattr__, "_MISSING": MISSING}
    if name == "__init__":
        text = _init(cls, fields, frozen, space)
    elif name == "__eq__":
        seen = [f for f in fields if f.compare]
        text = [
            "def __eq__(self, other):",
            "    if other.__class__ is self.__class__:",
            f"        return {_values('self', seen)} == {_values('other', seen)}",
            "    return NotImplemented",
        ]
    elif name == "__hash__":
        seen = [f for f in fields if (f.compare if f.hash is None else f.hash)]
        text = ["def __hash__(self):", f"    return hash({_values('self', seen)})"]
    else:
        shown = ", ".join(f"{f.name}={{self.{f.name}!r}}" for f in fields if f.repr)
        text = ["def __repr__(self):", f"    return f'{{self.__class__.__qualname__}}({shown})'"]
    exec("\n".join(text), space)
    return _named(space[name], cls, name)


def _values(who: str, fields: list[Field[Any]]) -> str:
    """A tuple of them, as it is written."""
    return "(" + "".join(f"{who}.{one.name}, " for one in fields) + ")"


def _init(
    cls: type, fields: tuple[Field[Any], ...], frozen: bool, space: dict[str, Any]
) -> list[str]:
    params, body = [], []
    for one in fields:
        value = one.name
        if one.default_factory is not MISSING:
            space[f"_factory_{one.name}"] = one.default_factory
            value = f"_factory_{one.name}()"
            if one.init:
                params.append(f"{one.name}=_MISSING")
                value = f"{value} if {one.name} is _MISSING else {one.name}"
        elif one.default is not MISSING:
            space[f"_default_{one.name}"] = one.default
            value = one.name if one.init else f"_default_{one.name}"
            if one.init:
                params.append(f"{one.name}=_default_{one.name}")
        elif one.init:
            params.append(one.name)
        else:
            continue
        slot = getattr(cls, one.name, None)
        if frozen and isinstance(slot, MemberDescriptorType):  # without the search for the name
            space[f"_set_{one.name}"] = slot.__set__
            body.append(f"    _set_{one.name}(self, {value})")
        elif frozen:
            body.append(f"    _make(self, {one.name!r}, {value})")
        else:
            body.append(f"    self.{one.name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    return [f"def __init__({', '.join(('self', *params))}):", *(body or ["    pass"])]


def _refuse_set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
