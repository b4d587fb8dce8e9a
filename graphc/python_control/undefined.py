"""The mark in a variable that has no value, or none that is known: an error when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..locations import refuse


@dataclass(frozen=True, slots=True)
class Undefined:
    """Attributes:
    name: of the variable.
    reason: why it has no value, to be read after its name; "" where nothing was assigned.
    """

    name: str
    reason: str = ""


def unbound(name: str) -> Undefined:
    """A variable that nothing was assigned to."""
    return Undefined(name)


def ld(x: Any) -> Any:
    """A variable that is read.

    Raises:
        UnboundLocalError: where nothing was assigned to it.
        TraceError: where its value is not known, with the reason.
    """
    if type(x) is not Undefined:
        return x
    if x.reason:
        return refuse(f"{x.name} {x.reason}")
    return refuse(
        f"cannot access local variable {x.name!r} where it is not associated with a value",
        UnboundLocalError,
    )


__all__ = ["Undefined", "ld", "unbound"]
