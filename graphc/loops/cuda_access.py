"""What a nest of loops reads and writes: the questions that the CUDA schedule decides by.

Called by schedule_cuda.py and cuda_nests.py; changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L
from .ir import Accumulate, Alloc, Expr, For, Index, Load, Stmt, Store

Known = dict[str, tuple[int | None, int | None]]
"""The least and the greatest value of names."""
CHEAP = frozenset(
    {"add", "sub", "mul", "neg", "abs", "min", "max", "and", "or", "xor", "not", "shl", "shr"}
    | {"eq", "ne", "lt", "le", "gt", "ge"}
)
"""Ops that may be done again for every element instead of once for a row of them."""


def stride(offset: Index, var: str) -> int | None:
    """The constant stride of an offset along a variable; None where it is no constant."""
    if not isinstance(offset, ty.Dim):
        return 0
    found = 0
    for monomial, coefficient in offset.terms:
        if monomial == (var,):
            found = coefficient
        elif any(var in _names(atom) for atom in monomial):
            return None
    return found


def _names(atom: ty.Atom) -> frozenset[str]:
    return (
        frozenset((atom,)) if isinstance(atom, str) else ty.symbols(atom[1]) | ty.symbols(atom[2])
    )


def index_names(index: Iterable[Index]) -> frozenset[str]:
    return frozenset().union(*(ty.symbols(i) for i in index))


def loads(body: tuple[Stmt, ...]) -> list[Load]:
    """Every Load of a body."""
    return [
        e
        for stmt in L.statements(body)
        for root in L.expressions(stmt)
        for e in L.walk(root)
        if isinstance(e, Load)
    ]  # fmt: skip


def writes(body: tuple[Stmt, ...]) -> list[Store | Accumulate]:
    """Every Store and Accumulate of a body."""
    return [s for s in L.statements(body) if isinstance(s, (Store, Accumulate))]


def allocated(body: tuple[Stmt, ...]) -> set[str]:
    return {s.buffer.name for s in L.statements(body) if isinstance(s, Alloc)}


def defined(body: tuple[Stmt, ...]) -> set[str]:
    """The loop variables and Lets of a body."""
    names = {s.var for s in L.statements(body) if isinstance(s, For)}
    return names | {s.name for s in L.statements(body) if isinstance(s, L.Let)}


def used_names(body: tuple[Stmt, ...]) -> set[str]:
    """Every name that a body reads: Lets, loop variables, symbols, and buffers."""
    found: set[str] = set()
    for stmt in L.statements(body):
        if isinstance(stmt, For):
            found |= ty.symbols(stmt.extent)
        elif isinstance(stmt, (Store, Accumulate)):
            found |= index_names(stmt.index) | {stmt.buffer.name}
        elif isinstance(stmt, L.Transpose):
            found |= index_names(
                (*stmt.target_index, stmt.target_step, *stmt.source_index, stmt.source_step)
            )
            found |= {stmt.target.name, stmt.source.name}
        for root in L.expressions(stmt):
            found |= expression_names(root)
    return found


def expression_names(root: Expr) -> set[str]:
    found: set[str] = set()
    for e in L.walk(root):
        if isinstance(e, L.Name):
            found.add(e.name)
        elif isinstance(e, L.Idx):
            found |= ty.symbols(e.index)
        elif isinstance(e, Load):
            found |= index_names(e.index) | {e.buffer.name}
    return found


def has_loops(body: tuple[Stmt, ...]) -> bool:
    return any(isinstance(s, (For, L.Transpose)) for s in L.statements(body))


def is_map(var: str, body: tuple[Stmt, ...], only: set[str] | None = None) -> bool:
    """Do the iterations of a loop touch different elements of all that they write (of `only` those
    buffers)?

    A buffer qualifies when on some axis all accesses to it are at `step*var + fixed + i`, where
    `fixed` is one index that the body does not change, and the values that `i` takes are less than
    a step apart: 4*v and 4*v + 3, or 32*v + w with w < 32.
    """
    if any(isinstance(s, L.Transpose) for s in L.statements(body)):
        return False
    inner, own = defined(body), allocated(body)
    known: Known = {
        s.var: (0, max(s.extent - 1, 0))
        for s in L.statements(body)
        if isinstance(s, For) and isinstance(s.extent, int)
    }
    touched: dict[str, list[tuple[Index, ...]]] = {}
    for access in (*writes(body), *loads(body)):
        touched.setdefault(access.buffer.name, []).append(access.index)
    for name in {w.buffer.name for w in writes(body)} - own:
        if only is not None and name not in only:
            continue
        places = touched[name]
        if not any(
            _apart([p[axis] for p in places], var, inner, known) for axis in range(len(places[0]))
        ):
            return False
    return True


def _apart(
    places: list[Index], var: str, inner: set[str],
    known: Known,
) -> bool:  # fmt: skip
    """Do different values of the variable give different indices, whatever else they hold?"""
    step = stride(places[0], var)
    if not step:
        return False
    first = places[0] - step * Dim.symbol(var)
    terms = first.terms if isinstance(first, Dim) else ()
    fixed = Dim(tuple((m, c) for m, c in terms if m and not ty.symbols(Dim(((m, 1),))) & inner))
    least, most = 0, 0
    for k, place in enumerate(places):
        rest = place - step * Dim.symbol(var) - fixed
        if not ty.symbols(rest) <= known.keys():
            return False
        low, high = ty.bounds(rest, known)
        if low is None or high is None:
            return False
        least, most = (low, high) if k == 0 else (min(least, low), max(most, high))
    return most - least < abs(step)


def reduced(variables: set[str], body: tuple[Stmt, ...]) -> dict[str, str]:
    """The buffers that a loop reduces into, with the op: only accumulated to, at places that the
    loop leaves alone."""
    inner, own = defined(body) | variables, allocated(body)
    read = {load.buffer.name for load in loads(body)}
    ops: dict[str, str | None] = {}
    for write in writes(body):
        name = write.buffer.name
        fits = (
            isinstance(write, Accumulate)
            and not index_names(write.index) & inner
            and name not in read
        )
        op = write.op if isinstance(write, Accumulate) and fits else None
        ops[name] = op if ops.get(name, op) == op else None
    return {name: op for name, op in ops.items() if op is not None and name not in own}


def chain(
    loop: For, symbols: frozenset[str], mapped: bool
) -> tuple[tuple[For, ...], tuple[Stmt, ...]]:
    """The perfect nest that starts with a loop, and its core; extents are those of symbols only.

    With `mapped`, only as far as the iterations are independent.
    """
    loops = [loop]
    while len(loops[-1].body) == 1:
        inner = loops[-1].body[0]
        if not isinstance(inner, For) or inner.kind not in ("serial", "parallel"):
            break
        if not ty.symbols(inner.extent) <= symbols or (
            mapped and not is_map(inner.var, inner.body)
        ):
            break
        loops.append(inner)
    return tuple(loops), loops[-1].body


def spread_chain(
    loop: For, symbols: frozenset[str]
) -> tuple[tuple[For, ...], tuple[Stmt, ...]] | None:
    """The perfect nest of a loop whose iterations may run in any order (maps and reductions), or
    None."""
    if loop.kind not in ("serial", "parallel") or not ty.symbols(loop.extent) <= symbols:
        return None
    loops, _ = chain(loop, symbols, mapped=False)
    for depth in range(len(loops), 0, -1):
        used, core = loops[:depth], loops[depth - 1].body
        targets = set(reduced({one.var for one in used}, core))
        others = {w.buffer.name for w in writes(core)} - targets
        if all(is_map(one.var, one.body, others) for one in used):
            return used, core
    return None


def perfect(loop: For) -> For:
    """The nest with the Lets between its loops moved inside, where they are cheap: then all of its
    loops can be spread over threads."""
    if len(loop.body) == 1 and isinstance(loop.body[0], For):
        return replace(loop, body=(perfect(loop.body[0]),))
    *lets, inner = loop.body
    if not isinstance(inner, For) or inner.kind not in ("serial", "parallel"):
        return loop
    if not lets or any(not isinstance(s, L.Let) or not _is_cheap(s.value) for s in lets):
        return loop
    if ty.symbols(inner.extent) & {s.name for s in lets if isinstance(s, L.Let)}:
        return loop
    if {w.buffer.name for w in writes(inner.body)} & {load.buffer.name for load in loads((*lets,))}:
        return loop
    return replace(loop, body=(perfect(replace(inner, body=(*lets, *inner.body))),))


def _is_cheap(value: Expr) -> bool:
    """Is it less work than reading memory?"""
    return all(e.op in CHEAP for e in L.walk(value) if isinstance(e, L.Scalar))


# ------------------------------------------------------------------------------- index algebra


def merge(index: Index) -> Index:
    """The index with `(a // b)*b + a % b` written as `a`, which it equals."""
    while isinstance(index, Dim):
        better = _merged_once(index)
        if better is None:
            return index
        index = better
    return index


def _merged_once(index: Dim) -> Index | None:
    for monomial, coefficient in index.terms:
        for position, atom in enumerate(monomial):
            if isinstance(atom, str) or atom[0] != "%":
                continue
            rest = Dim(((monomial[:position] + monomial[position + 1 :], coefficient),))
            scale = coefficient if not rest.terms[0][0] else rest
            for dividend in _dividends(index, atom[2]):
                if not _is_multiple(dividend - atom[1], atom[2]):
                    continue
                pair = Dim((((atom,), 1),)) + Dim(((((("//", dividend, atom[2])),), 1),)) * atom[2]
                better = index - scale * pair + scale * dividend
                if _divisions(better) < _divisions(index):
                    return better
    return None


def _dividends(index: Dim, divisor: Index) -> list[Index]:
    """What is divided by the divisor somewhere in the index."""
    return [
        atom[1]
        for monomial, _ in index.terms
        for atom in monomial
        if not isinstance(atom, str) and atom[0] == "//" and atom[2] == divisor
    ]


def _is_multiple(index: Index, divisor: Index) -> bool:
    if index == 0:
        return True
    rest = index % divisor
    return not isinstance(rest, Dim) and rest == 0


def _divisions(index: Index) -> int:
    if not isinstance(index, Dim):
        return 0
    return sum(not isinstance(atom, str) for monomial, _ in index.terms for atom in monomial)


def shortened(index: Index, known: Known) -> Index:
    """The index with a // b as 0 and a % b as a where the bounds of names show that a < b, and with
    what is less than a divisor of b outside of divisions of multiples of that divisor by b."""
    if not isinstance(index, Dim):
        return index
    total: Index = 0
    for monomial, coefficient in index.terms:
        term: Index = coefficient
        for atom in monomial:
            if isinstance(atom, str):
                term = term * Dim.symbol(atom)
                continue
            sign, a, b = atom[0], shortened(atom[1], known), shortened(atom[2], known)
            low, high = ty.bounds(a, known)
            if isinstance(b, int) and low is not None and high is not None and 0 <= low <= high < b:
                term = term * (0 if sign == "//" else a)
                continue
            whole, rest = _parted(a, b, known) if isinstance(b, int) else (a, 0)
            term = term * (whole // b if sign == "//" else whole % b + rest)
        total = total + term
    return total


def _parted(index: Index, divisor: int, known: Known) -> tuple[Index, Index]:
    """The index as multiples of a divisor d of `divisor`, and a rest of 0 to d - 1."""
    if not isinstance(index, Dim):
        return index, 0
    for step in sorted({math.gcd(c, divisor) for m, c in index.terms if m} - {1}, reverse=True):
        rest: Index = sum(
            (Dim(((m, c),)) if m else c % step for m, c in index.terms if c % step or not m), 0
        )
        low, high = ty.bounds(rest, known)
        if low is not None and high is not None and 0 <= low <= high < step:
            return index - rest, rest
    return index, 0


def linear(offset: Index, var: str, lanes: int) -> bool:
    """Are the elements of all lanes contiguous, and the first at a multiple of their number?"""
    offset = lift_lane(offset, var, lanes)
    if stride(offset, var) != 1 or not isinstance(offset, Dim):
        return False
    return _content(offset - Dim.symbol(var)) % lanes == 0


def _content(index: Index) -> int:
    """A number that divides the index, whatever its names stand for."""
    if not isinstance(index, Dim):
        return abs(index)
    found = 0
    for monomial, coefficient in index.terms:
        term = abs(coefficient)
        for atom in monomial:
            if not isinstance(atom, str) and atom[0] == "%":
                term *= math.gcd(_content(atom[1]), _content(atom[2]))
        found = math.gcd(found, term)
    return found


def lift_lane(index: Index, var: str, lanes: int) -> Index:
    """The index with the lane outside of divisions: (a + v) % d is a % d + v when lanes divide a
    and d."""
    if not isinstance(index, Dim):
        return index
    total: Index = 0
    for monomial, coefficient in index.terms:
        term: Index = coefficient
        for atom in monomial:
            term = term * (Dim.symbol(atom) if isinstance(atom, str) else _lifted(atom, var, lanes))
        total = total + term
    return total


def _lifted(atom: tuple, var: str, lanes: int) -> Index:
    sign, left, right = atom
    left = lift_lane(left, var, lanes)
    divisible = isinstance(right, int) and right % lanes == 0
    if divisible and isinstance(left, Dim) and linear(left, var, lanes):
        left = left - Dim.symbol(var)
        return left // right if sign == "//" else left % right + Dim.symbol(var)
    return left // right if sign == "//" else left % right


def neutral_value(op: str, dtype: ty.DType) -> int | float | bool:
    """The value that an Accumulate op leaves alone."""
    if dtype is ty.BOOL:
        return op in ("mul", "min", "and")
    if op in ("add", "or", "xor"):
        return 0
    if op == "mul":
        return 1
    if op == "and":
        return -1 if dtype.kind == "i" else 2**dtype.bits - 1
    if dtype.is_float:
        return float("inf") if op == "min" else float("-inf")
    least, greatest = (
        (-(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1)
        if dtype.kind == "i"
        else (0, 2**dtype.bits - 1)
    )
    return greatest if op == "min" else least
