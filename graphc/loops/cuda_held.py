"""hold_values: what a thread computed for its part of a row it keeps for the next walk over it.

    for thread: for turn: acc += exp(x[..] - m)
    for thread: for turn: y[..] = exp(x[..] - m) / acc
      ->  held[threads, turns]
          for thread: for turn: t = exp(x[..] - m); held[thread, turn] = t; acc += t
          for thread: for turn: y[..] = held[thread, turn] / acc

Requires: the statements of one row, walked by sibling thread loops (cuda_nests.py). Guarantees: the
same values; only costly ones are kept, a few registers of each thread. A compiler does not do it:
between the walks are barriers. Called by cuda_nests.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim
from . import ir as L
from .ir import Alloc, Buffer, For, Index, Load, Stmt, Store
from .rowcache import WORTH, Versions, value_key, without_dead

HELD_BYTES = 128
"""Of a thread: 32 of the 64 registers that it has when four blocks of 256 share a processor."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """One walk over the row: `turn`, `guard` and `lane` are None where there is none."""

    thread: For
    turn: For | None
    guard: L.If | None
    lane: For | None
    body: tuple[Stmt, ...]

    @property
    def loops(self) -> tuple[For | None, ...]:
        return self.thread, self.turn, self.lane

    @property
    def places(self) -> tuple[Index, ...]:
        """Where a value is kept: its thread, its place there."""
        return tuple(0 if loop is None else Dim.symbol(loop.var) for loop in self.loops)

    @property
    def extents(self) -> tuple[int, ...] | None:
        """Of these places; None where one is not known."""
        found = [1 if loop is None else loop.extent for loop in self.loops]
        known = [n for n in found if isinstance(n, int)]
        return tuple(known) if len(known) == len(found) else None

    def around(self, body: tuple[Stmt, ...]) -> For:
        """The walk with another body, written out: registers have constant numbers."""
        if self.lane is not None:
            body = (replace(self.lane, body=body),)
        if self.guard is not None:
            body = (replace(self.guard, then=body),)
        if self.turn is not None:
            body = (replace(self.turn, body=body, kind="unroll"),)
        return replace(self.thread, body=body)


def _walk(stmt: Stmt) -> _Walk | None:
    """The statement as a walk whose body has no loops and no choices."""
    if not isinstance(stmt, For) or stmt.kind != "thread":
        return None
    turn = guard = lane = None
    body = stmt.body
    if len(body) == 1 and isinstance(body[0], For) and body[0].kind == "serial":
        turn = body[0]
        body = turn.body
    if len(body) == 1 and isinstance(body[0], L.If) and not body[0].otherwise:
        guard = body[0]
        body = guard.then
    if len(body) == 1 and isinstance(body[0], For) and body[0].kind == "vector":
        lane = body[0]
        body = lane.body
    if any(isinstance(s, (For, L.If)) for s in body):
        return None
    return _Walk(stmt, turn, guard, lane, body)


class _Holder:
    """Finds what several walks compute, and where it is kept."""

    def __init__(self, taken: set[str]):
        self.taken = taken
        self.left = HELD_BYTES
        self.first: dict[Any, tuple[int, str]] = {}
        self.held: dict[Any, Buffer] = {}
        self.kept: dict[int, dict[str, Buffer]] = {}
        """By position of the walk that fills them: buffers by the name of their value."""
        self.changed: dict[int, list[Stmt]] = {}

    def read(self, position: int, walk: _Walk, versions: dict[str, object]) -> None:
        extents = walk.extents
        if extents is None:
            return
        env = {
            loop.var: Dim.symbol(name)
            for loop, name in zip(walk.loops, ("_thread", "_turn", "_lane"), strict=True)
            if loop is not None
        }
        keys: dict[str, Any] = {}
        costs: dict[str, int] = {}
        guard = None if walk.guard is None else value_key(walk.guard.cond, env, {}, {}, versions)[0]
        body: list[Stmt] = []
        for stmt in walk.body:
            if isinstance(stmt, L.Let):
                key, cost = value_key(stmt.value, env, keys, costs, versions)
                keys[stmt.name], costs[stmt.name] = key, cost
                place = (extents, guard, key)
                start = self.first.get(place)
                if start is not None and start[0] != position:
                    buffer = self.buffer(place, extents, stmt.value.dtype)
                    if buffer is not None:
                        self.kept.setdefault(start[0], {})[start[1]] = buffer
                        stmt = L.Let(stmt.name, Load(buffer, walk.places))
                        self.changed[position] = body
                elif cost >= WORTH:
                    self.first.setdefault(place, (position, stmt.name))
            body.append(stmt)

    def buffer(self, place: Any, extents: tuple[int, ...], dtype: ty.DType) -> Buffer | None:
        """The buffer of a value, or None when no registers are left for it."""
        if place in self.held:
            return self.held[place]
        nbytes = ty.product(extents[1:]) * dtype.nbytes
        assert isinstance(nbytes, int)
        if nbytes > self.left:
            return None
        self.left -= nbytes
        number = len(self.held)
        while (name := f"held{number or ''}") in self.taken:
            number += 1
        self.taken.add(name)
        self.held[place] = Buffer(name, dtype, extents, None, "private")
        return self.held[place]


def hold_values(taken: set[str], body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The statements of a row with costly values of its walks computed once; names of buffers are
    added to `taken`."""
    holder = _Holder(taken)
    versions = Versions()
    walks: dict[int, _Walk] = {}
    for position, stmt in enumerate(body):
        current = versions.of(stmt)
        walk = _walk(stmt)
        if walk is not None:
            walks[position] = walk
            holder.read(position, walk, current)
    if not holder.held:
        return tuple(body)
    out = list(body)
    for position in sorted({*holder.changed, *holder.kept}):
        kept = holder.kept.get(position, {})
        walk = walks[position]
        inner: list[Stmt] = []
        for stmt in holder.changed.get(position, walk.body):
            inner.append(stmt)
            if isinstance(stmt, L.Let) and stmt.name in kept:
                buffer = kept[stmt.name]
                inner.append(Store(buffer, walk.places, L.Name(stmt.name, buffer.dtype)))
        out[position] = walk.around(without_dead(inner))
    return (*(Alloc(b) for b in holder.held.values()), *out)
