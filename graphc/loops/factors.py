"""factors: the two factors of a sum of products, each as a load from memory.

    for i: for j: for k: acc += (x[i, k] * 2) * z[k, j]
      ->  for i: for k: acc_left[i, k] = x[i, k] * 2    and    acc_left[i, k], z[k, j]

for products.py. A factor that is loaded stays where it is; one that is computed, or lies across
memory, is made before, if that is not much larger than what it is made of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BF16, F16, F32, F64
from . import ir as L
from .ir import Accumulate, Alloc, Buffer, Cast, Expr, For, Let, Load, LoopFunc, Stmt, Store
from .lower import expr_names

SUMS = {F16: F32, BF16: F32, F32: F32, F64: F64}
"""The dtypes of factors, and those that their products are added in."""
GROWTH = 2
"""A factor that is computed has at most so many times the elements of the largest array that it is
made of: the windows of an image would be many."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A load, and what makes the buffer that it is from; None where that is a parameter."""

    load: Load
    before: LoopFunc | None = None


def factors(
    func: LoopFunc, total: Accumulate, body: Sequence[Stmt], loops: Sequence[For],
    reduction: Sequence[For],
) -> tuple[Factor, Factor] | None:  # fmt: skip
    """The factors of a sum over `reduction` inside `loops`; None where it is no sum of products of
    one dtype. `total` is it with all Lets written out, `body` the statements in front of it and it
    as they are."""
    value = total.value
    if total.op != "add" or not isinstance(value, L.Scalar) or value.op != "mul":
        return None
    if len(value.args) != 2 or set(total.buffer.shape) != {1}:
        return None
    lets = {s.name: s for s in body if isinstance(s, Let)}
    own = _resolved(next(s.value for s in body if isinstance(s, Accumulate)), lets)
    assert isinstance(own, L.Scalar) and own.op == "mul"
    found: list[Factor] = []
    names = [expr_names(factor) for factor in value.args]
    for k, (whole, short) in enumerate(zip(value.args, own.args, strict=True)):
        side = ("left", "right")[k]
        load = whole.value if isinstance(whole, Cast) else whole
        one: Factor | None = None
        inner = [v for v in (*loops, *reduction) if v in reduction or v.var not in names[1 - k]]
        fits = SUMS.get(load.dtype) is value.dtype
        if isinstance(load, Load) and fits and _is_matrix(load, names[k], inner):
            one = Factor(load)
        elif whole.dtype is value.dtype:
            name = f"{total.buffer.name}_{side}"
            one = _computed(func, name, whole, short, lets, (loops, reduction))
        if one is None or SUMS.get(one.load.dtype) is not value.dtype:
            return None
        found.append(one)
    left, right = found
    return (left, right) if left.load.dtype is right.load.dtype else None


def _resolved(expr: Expr, lets: Mapping[str, Let]) -> Expr:
    """What a name stands for."""
    while isinstance(expr, L.Name) and expr.name in lets:
        expr = lets[expr.name].value
    return expr


def _is_matrix(load: Load, names: Collection[str], inner: Sequence[For]) -> bool:
    """Is it an element of an array in order, and do neighbours lie along one of the inner loops?"""
    buffer = load.buffer
    if load.guard is not None or buffer.strides is not None or buffer.space != "global":
        return False
    offset = buffer.offset(load.index)
    steps = {name: ty.linear(offset, name) for name in names}
    if any(s is None or ty.symbols(s[0]).intersection(names) for s in steps.values()):
        return False
    own = [loop for loop in inner if loop.var in names and loop.extent != 1]
    return not own or any(_is_along(load, loop.var) for loop in own)


def _computed(
    func: LoopFunc, name: str, whole: Expr, short: Expr, lets: Mapping[str, Let],
    nest: tuple[Sequence[For], Sequence[For]],
) -> Factor | None:  # fmt: skip
    """A factor that is made before; it waits as it was before it was cast for the sum."""
    short = _resolved(short, lets)
    if isinstance(short, Cast) and SUMS.get(short.value.dtype) is short.dtype:
        short = short.value
    read = expr_names(whole)
    outer, inner = ([loop for loop in loops if loop.var in read] for loops in nest)
    loads = [one for one in L.walk(whole) if isinstance(one, Load)]
    if not loads or any(one.buffer.space != "global" for one in loads):
        return None
    first = max(loads, key=lambda one: len(one.buffer.shape))
    order = (*outer, *inner)
    if outer and inner and _is_along(first, outer[-1].var):
        order = (*inner, *outer)
    shape = tuple(loop.extent for loop in order)
    sizes = [ty.product(one.buffer.shape) for one in loads]
    size, most = ty.product(shape), max((s for s in sizes if isinstance(s, int)), default=0)
    if not isinstance(size, int) or size > GROWTH * most:
        return None
    held = Buffer(name, short.dtype, shape)
    place = tuple(ty.Dim.symbol(loop.var) for loop in order)
    made = needed((*lets.values(), Store(held, place, short)))
    for loop in reversed(order):
        kind = "parallel" if loop is order[0] else "serial"
        made = (replace(loop, body=made, kind=kind),)
    body = (Alloc(held), *made)
    return Factor(Load(held, place), replace(func, name=f"{func.name}_{name}", body=body))


def _is_along(load: Load, var: str) -> bool:
    """Are the elements of neighbouring iterations neighbours?"""
    step = ty.linear(load.buffer.offset(load.index), var)
    return step is not None and step[0] == 1


def needed(stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The statements without the Lets that nothing behind them reads."""
    read = set[str]()
    found: list[Stmt] = []
    for stmt in reversed(stmts):
        if isinstance(stmt, Let) and stmt.name not in read:
            continue
        read.update(_names(stmt))
        found.append(stmt)
    return tuple(reversed(found))


def _names(stmt: Stmt) -> Iterator[str]:
    """The names that a statement reads, in expressions and in indices."""
    found = set[str]()

    def look(index: L.Index) -> L.Index:
        found.update(ty.symbols(index))
        return index

    def leaf(expr: Expr) -> Expr:
        if isinstance(expr, L.Name):
            found.add(expr.name)
        return expr

    L.map_stmt(stmt, look, leaf)
    return iter(found)
