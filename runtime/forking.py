"""Locks that a forked child does not inherit held, and properties that need none.

Of a process's threads only the one that forks is in the child: a lock that another one held would
stay held for ever. The compiler's and the runtime's locks are `ForkLock`s; what they guard is left
valid at every step (a program that is not finished is made again).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class ForkLock:
    """A re-entrant lock for `with`; in a forked child it is free, unless the child's own thread
    holds it."""

    __slots__ = ("__weakref__", "_depth", "_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0
        _all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()

    def _begin_anew(self) -> None:
        if self._owner != threading.get_ident():
            self._lock = threading.RLock()
            self._owner, self._depth = None, 0


_all: weakref.WeakSet[ForkLock] = weakref.WeakSet()


class _Gate:
    """Forks wait until the other threads have left, and nobody enters while one is on its way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: dict[int, int] = {}
        self._forking = 0

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._changed:
            while self._forking and me not in self._inside:
                self._changed.wait()
            self._inside[me] = self._inside.get(me, 0) + 1

    def __exit__(self, *_: object) -> None:
        me = threading.get_ident()
        with self._changed:
            self._inside[me] -= 1
            if not self._inside[me]:
                del self._inside[me]
                self._changed.notify_all()

    def before(self) -> None:
        self._changed.acquire()
        self._forking += 1
        while self._inside.keys() - {threading.get_ident()}:
            self._changed.wait()

    def in_parent(self) -> None:
        self._forking -= 1
        self._changed.notify_all()
        self._changed.release()

    def in_child(self) -> None:
        self._changed = threading.Condition()
        self._forking = 0


uninterrupted = _Gate()
"""`with uninterrupted:` no other thread forks meanwhile. For what takes locks that are not ours
(of imports, of LLVM), does no more than compile, and surely ends: a fork waits for it.
"""


def _in_child() -> None:
    for lock in list(_all):
        lock._begin_anew()
    uninterrupted.in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=uninterrupted.before,
        after_in_parent=uninterrupted.in_parent,
        after_in_child=_in_child,
    )


class stored_property(Generic[T]):
    """A property that is computed when it is first asked for, and stored in the instance.

    functools.cached_property without the lock that Python 3.11 has in it: one for all instances,
    held while one is computed. Two threads that ask at once may both compute.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> stored_property[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> stored_property[T] | T:
        if instance is None:
            return self
        found = instance.__dict__[self._name] = self._function(instance)
        return found
