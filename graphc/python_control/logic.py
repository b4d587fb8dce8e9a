"""`and`, `or`, `not`, comparisons, `assert` and `raise`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..errors import TraceError
from ..ir import Value, reachable
from ..locations import refuse, user_line
from ..ops import build
from ..ops.logic import AND, NOT, OR
from ..tracer import Tracer
from ..types import BOOL
from .branches import chosen
from .region import inside
from .truth import is_unknown, truth

_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge, "is": operator.is_, "is not": operator.is_not,
}  # fmt: skip


def and_(left: Any, right: Callable[[], Any]) -> Any:
    """`left and right()`."""
    return _both(left, right, True)


def or_(left: Any, right: Callable[[], Any]) -> Any:
    """`left or right()`."""
    return _both(left, right, False)


def _both(left: Any, right: Callable[[], Any], conjunction: bool) -> Any:
    asked = truth(left)
    if not isinstance(asked, Tracer):
        return right() if asked is conjunction else left
    if left.type.dtype is not BOOL or left.type.shape:
        return _value(asked, left, right, conjunction)
    other = right()
    if isinstance(other, bool):
        return asked if other is conjunction else other
    if not isinstance(other, Tracer) or other.type.dtype is not BOOL or other.type.shape:
        return _value(asked, left, right, conjunction)
    if _may_fail(other.value):  # Python would not have asked
        return _value(asked, asked, right, conjunction)
    card = AND if conjunction else OR
    both = asked.weak and other.weak
    return Tracer(asked.owner, build.binary(card, asked.value, other.value), weak=both)


def _value(asked: Tracer, left: Any, right: Callable[[], Any], conjunction: bool) -> Any:
    """One of the operands, as Python answers it."""
    what = "and" if conjunction else "or"

    def kept(_: Any = None) -> Any:
        return left

    return chosen(what, asked, right, kept) if conjunction else chosen(what, asked, kept, right)


def _may_fail(value: Value) -> bool:
    """Whether computing a value may raise an error of the compiled program."""
    return any(node.attrs.get("mode") == "raise" for node in reachable([value]))


def not_(x: Any) -> Any:
    """`not x`."""
    asked = truth(x)
    if not isinstance(asked, Tracer):
        return not asked
    return Tracer(asked.owner, build.unary(NOT, asked.value), weak=True)


def compare(left: Any, signs: tuple[str, ...], *rest: Callable[[], Any]) -> Any:
    """`left < a <= b` and the like; each operand is computed once, and only if it is asked for."""
    sign, right = signs[0], rest[0]()
    found = _compared(sign, left, right)
    if len(signs) == 1:
        return found
    return and_(found, _rest(right, signs[1:], rest[1:]))


def _rest(
    left: Any, signs: tuple[str, ...], rest: tuple[Callable[[], Any], ...]
) -> Callable[[], Any]:
    return lambda: compare(left, signs, *rest)


def _compared(sign: str, left: Any, right: Any) -> Any:
    if sign in ("in", "not in"):
        found = contains(right, left)
        return not_(found) if sign == "not in" else found
    return _SIGNS[sign](left, right)


def contains(container: Any, x: Any) -> Any:
    """`x in container`."""
    if isinstance(container, Tracer):
        return _bool((container == x).any())
    if isinstance(container, (list, tuple)) and any(map(is_unknown, (x, *container))):
        found: Any = False
        for one in container:
            found = or_(found, _equal(one, x))
        return _bool(found)
    if is_unknown(x) and isinstance(container, range):
        return _in_range(x, container)
    return x in container


def _equal(a: Any, b: Any) -> Callable[[], Any]:
    return lambda: a is b or truth(a == b)


def _in_range(x: Any, within: range) -> Any:
    if not len(within):
        return False
    low, high = min(within[0], within[-1]), max(within[0], within[-1])
    return _bool((x >= low) & (x <= high) & ((x - low) % abs(within.step) == 0))


def _bool(x: Any) -> Any:
    """The truth value of x as Python's own bool."""
    asked = truth(x)
    return Tracer(asked.owner, asked.value, weak=True) if isinstance(asked, Tracer) else asked


def assert_stmt(test: Any, message: Callable[[], Any]) -> None:
    """`assert test, message()`.

    Raises:
        TraceError: where the test depends on the arguments.
    """
    asked = truth(test)
    if isinstance(asked, Tracer):
        refuse(
            "the condition of an `assert` depends on the arguments, and a compiled program cannot "
            "raise AssertionError: check before or after the call, or return the condition"
        )
    if not asked:
        said = message()
        raise AssertionError(*(() if said is None else (said,)))


def raised(error: Any) -> Any:
    """The exception of a `raise` statement.

    Raises:
        TraceError: inside of a traced condition, which a compiled program cannot raise it under.
    """
    where = inside()
    if not where or isinstance(error, TraceError):
        return error
    line = user_line()
    name = error.__name__ if isinstance(error, type) else f"{type(error).__name__}: {error}"
    made = TraceError(
        f"{name} is raised inside of {where}, whose condition depends on the arguments; a compiled "
        f"program cannot raise it: check before the call, or return the condition (at {line})"
    )
    made.__cause__ = error if isinstance(error, BaseException) else None
    return made


__all__ = ["and_", "assert_stmt", "compare", "contains", "not_", "or_", "raised"]
