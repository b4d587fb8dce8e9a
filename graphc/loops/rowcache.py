"""cache_rows: a costly value that several loops over one row compute is computed once
and kept in a local row.

    for r in 1024: acc += exp(x[r] - m)               row[1024]
    for j in 1024: y[j] = exp(x[j] - m) / acc    ->   for r in 1024:
                                                        t = exp(x[r] - m); row[r] = t; acc += t
                                                      for j in 1024: y[j] = row[j] / acc

Only rows of a fixed size that stay in the first cache; dead Lets go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import types as ty
from ..types import Dim
from . import ir as L
from .cost import expr_cost

WORTH = 10
"""Instructions from which a value is worth a store and a load."""
ROW_BYTES = 32 << 10
ANY = Dim.symbol("_")
"""The variable of a loop, whichever it is."""


def cache_rows(func: L.LoopFunc) -> L.LoopFunc:
    """Applies the rewrite to every block of the function."""
    counter = [0]
    body = _block(func.body, counter, top=True)
    return func if body is func.body else replace(func, body=body)


def _block(body: tuple[L.Stmt, ...], counter: list[int], top: bool) -> tuple[L.Stmt, ...]:
    out = list(body)
    for k, stmt in enumerate(out):
        if isinstance(stmt, L.For):
            inside = _block(stmt.body, counter, top=False)
            if inside is not stmt.body:
                out[k] = replace(stmt, body=inside)
    loops = [
        k
        for k, s in enumerate(out)
        if isinstance(s, L.For)
        and isinstance(s.extent, int)
        and not any(isinstance(b, (L.For, L.If)) for b in s.body)
    ]
    if not top and len(loops) > 1:
        _share(out, loops, counter)
    return (
        body
        if all(a is b for a, b in zip(out, body, strict=False)) and len(out) == len(body)
        else tuple(out)
    )


def _share(out: list[L.Stmt], loops: list[int], counter: list[int]) -> None:
    """Finds costly Lets that are equal in several loops of one extent."""
    first: dict[Any, tuple[int, str]] = {}
    rows: dict[Any, L.Buffer] = {}
    stored: dict[int, list[tuple[str, L.Buffer]]] = {}
    versions = Versions()
    for k, loop in enumerate(out):
        current = versions.of(loop)
        if k not in loops:
            continue
        assert isinstance(loop, L.For)
        keys: dict[str, Any] = {}
        costs: dict[str, int] = {}
        body: list[L.Stmt] = []
        changed = False
        for stmt in loop.body:
            if isinstance(stmt, L.Let):
                key, cost = value_key(stmt.value, {loop.var: ANY}, keys, costs, current)
                keys[stmt.name], costs[stmt.name] = key, cost
                place = (loop.extent, key)
                if place in first and first[place][0] != k:
                    if place not in rows and _fits(loop.extent, stmt.value):
                        counter[0] += 1
                        buffer = L.Buffer(
                            f"row{counter[0]}", stmt.value.dtype, (loop.extent,), None, "local"
                        )
                        rows[place] = buffer
                        stored.setdefault(first[place][0], []).append((first[place][1], buffer))
                    if place in rows:
                        stmt = L.Let(stmt.name, L.Load(rows[place], (Dim.symbol(loop.var),)))
                        changed = True
                elif cost >= WORTH:
                    first.setdefault(place, (k, stmt.name))
            body.append(stmt)
        if changed:
            out[k] = replace(loop, body=without_dead(body))
    for k, wanted in stored.items():
        loop = out[k]
        assert isinstance(loop, L.For)
        body = []
        for stmt in loop.body:
            body.append(stmt)
            for name, buffer in wanted:
                if isinstance(stmt, L.Let) and stmt.name == name:
                    body.append(
                        L.Store(buffer, (Dim.symbol(loop.var),), L.Name(name, buffer.dtype))
                    )
        out[k] = replace(loop, body=tuple(body))
    for buffer in reversed(list(rows.values())):
        out.insert(0, L.Alloc(buffer))


def _fits(extent: L.Index, value: L.Expr) -> bool:
    return isinstance(extent, int) and 16 <= extent and extent * value.dtype.nbytes <= ROW_BYTES


class Versions:
    """How often each buffer was written before a statement, so that equal loads read equal
    values."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def of(self, stmt: L.Stmt) -> dict[str, object]:
        """For the loads of the statement, which is the next one; what it writes itself is like
        nothing else."""
        written = {
            s.buffer.name for s in L.statements((stmt,)) if isinstance(s, (L.Store, L.Accumulate))
        }
        found: dict[str, object] = {**self.counts, **{name: object() for name in written}}
        for name in written:
            self.counts[name] = self.counts.get(name, 0) + 1
        return found


def value_key(
    expr: L.Expr,
    env: Mapping[str, L.Index],
    keys: dict[str, Any],
    costs: dict[str, int],
    versions: Mapping[str, object],
) -> tuple[Any, int]:
    """A key that is equal for expressions that mean the same in loops of different variables, which
    `env` renames; and the whole cost. `keys` and `costs` are those of the names in the
    expression."""
    cost = expr_cost(expr)
    total = cost + sum(costs.get(e.name, 0) for e in L.walk(expr) if isinstance(e, L.Name))

    def text(e: L.Expr) -> Any:
        if isinstance(e, L.Name):
            return keys.get(e.name, ("outer", e.name))
        if isinstance(e, L.Load):
            guard = None if e.guard is None else text(e.guard)
            place = tuple(_index(i, env, keys) for i in e.index)
            return ("load", e.buffer.name, versions.get(e.buffer.name), place, guard)
        if isinstance(e, L.Idx):
            return ("idx", _index(e.index, env, keys))
        head: Any = (
            e.op if isinstance(e, L.Scalar) else (e.value if isinstance(e, L.Const) else None)
        )
        return (type(e).__name__, repr(head), e.dtype.name, tuple(text(c) for c in L.children(e)))

    return text(expr), total


def _index(index: L.Index, env: Mapping[str, L.Index], keys: dict[str, Any]) -> Any:
    if not isinstance(index, Dim):
        return index
    local = tuple((n, keys[n]) for n in sorted(ty.symbols(index)) if n in keys)
    return ty.substitute(index, env), tuple(k for _, k in local)


def without_dead(body: Sequence[L.Stmt]) -> tuple[L.Stmt, ...]:
    """The statements without Lets that nothing reads."""
    used: set[str] = set()
    kept: list[L.Stmt] = []
    for stmt in reversed(body):
        if isinstance(stmt, L.Let) and stmt.name not in used:
            continue
        kept.append(stmt)
        for expr in L.expressions(stmt):
            for one in L.walk(expr):
                if isinstance(one, L.Name):
                    used.add(one.name)
                elif isinstance(one, L.Idx):
                    used |= ty.symbols(one.index)
                elif isinstance(one, L.Load):
                    for i in one.index:
                        used |= ty.symbols(i)
        if isinstance(stmt, (L.Store, L.Accumulate)):
            for i in stmt.index:
                used |= ty.symbols(i)
        for one in L.addresses(stmt):
            for i in one.index:
                used |= ty.symbols(i)
    return tuple(reversed(kept))
