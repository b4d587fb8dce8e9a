"""flatten and collapse: two loop passes that the CPU schedule begins with.

flatten: global buffers of any rank become buffers of one axis, their indices offsets.

    y[i, j] = x[j, i]      ->      y[1024*i + j] = x[4096*j + i]

collapse: a perfect nest whose accesses run on from one loop into the next becomes one loop.

    for i in 4096:
      for j in 1024: y[1024*i + j] = x[1024*i + j]    ->    for v in 4194304: y[v] = x[v]
"""

from __future__ import annotations

from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L


def _flat(buffer: L.Buffer) -> L.Buffer:
    if buffer.strides is None:
        size = ty.product(buffer.shape)
    else:  # a strided input: its elements may lie anywhere between its bounds
        size = 1
        for extent, stride in zip(buffer.shape, buffer.strides, strict=True):
            size = size + (extent - 1) * stride
    return replace(buffer, shape=(size,), strides=(1,) if buffer.strides is not None else None)


def joined(index: L.Index) -> L.Index:
    """c*(x % n) + c*n*(x // n) is c*x: what a reshape took apart, and the strides of memory put
    together again."""
    changed = True
    while changed and isinstance(index, Dim):
        changed = False
        terms = {monomial[0]: c for monomial, c in index.terms if len(monomial) == 1}
        for atom, c in terms.items():
            if isinstance(atom, str) or atom[0] != "%" or not isinstance(atom[2], int):
                continue
            _, x, n = atom
            quotient = ("//", x, n)
            if terms.get(quotient) == c * n:
                index = index - c * (x % n) - c * n * (x // n) + c * x
                changed = True
                break
    return index


def flatten(func: L.LoopFunc) -> L.LoopFunc:
    """Every global buffer gets one axis."""
    flat = {b.name: _flat(b) for b in func.params}

    def leaf(expr: L.Expr) -> L.Expr:
        if isinstance(expr, L.Load) and expr.buffer.space == "global":
            offset = joined(expr.buffer.offset(expr.index))
            return replace(expr, buffer=flat[expr.buffer.name], index=(offset,))
        return expr

    def fix(stmt: L.Stmt) -> L.Stmt:
        if isinstance(stmt, L.For):
            return replace(stmt, body=tuple(fix(s) for s in stmt.body))
        if isinstance(stmt, L.If):
            return L.If(stmt.cond, tuple(map(fix, stmt.then)), tuple(map(fix, stmt.otherwise)))
        if isinstance(stmt, (L.Store, L.Accumulate)) and stmt.buffer.space == "global":
            offset = joined(stmt.buffer.offset(stmt.index))
            return replace(stmt, buffer=flat[stmt.buffer.name], index=(offset,))
        if isinstance(stmt, L.Call):
            return L.readdressed(stmt, flat_address)
        return stmt

    def flat_address(one: L.Address) -> L.Address:
        if one.buffer.space != "global":
            return one
        return L.Address(flat[one.buffer.name], (joined(one.buffer.offset(one.index)),))

    body = tuple(fix(L.map_stmt(s, lambda i: i, leaf)) for s in func.body)
    return L.LoopFunc(func.name, tuple(flat[b.name] for b in func.params), func.symbols, body)


def collapse(func: L.LoopFunc) -> L.LoopFunc:
    """Merges perfect nests, innermost first."""
    return replace(func, body=tuple(_collapse(s) for s in func.body))


def _collapse(stmt: L.Stmt) -> L.Stmt:
    if isinstance(stmt, L.If):
        return L.If(
            stmt.cond, tuple(map(_collapse, stmt.then)), tuple(map(_collapse, stmt.otherwise))
        )
    if not isinstance(stmt, L.For):
        return stmt
    stmt = replace(stmt, body=tuple(_collapse(s) for s in stmt.body))
    if len(stmt.body) != 1 or not isinstance(stmt.body[0], L.For):
        return _drop_unit(stmt)
    inner = stmt.body[0]
    if inner.kind != "serial" or stmt.kind not in ("serial", "parallel"):
        return stmt
    if stmt.var in ty.symbols(inner.extent):
        return stmt
    one = _drop_unit(stmt)
    if one is not stmt:
        return one
    merged = Dim.symbol(stmt.var) * inner.extent + Dim.symbol(inner.var)
    joined = True

    def index(i: L.Index) -> L.Index:
        nonlocal joined
        if not isinstance(i, Dim) or not ({stmt.var, inner.var} & ty.symbols(i)):
            return i
        along = ty.substitute(i, {stmt.var: 0})
        if ty.substitute(along, {inner.var: merged}) != i:
            joined = False
        return along

    body = tuple(L.map_stmt(s, index) for s in inner.body)
    if not joined:
        return stmt
    return L.For(inner.var, stmt.extent * inner.extent, stmt.kind, body)


def _drop_unit(loop: L.For) -> L.Stmt:
    """A loop of one iteration around another is replaced by its body."""
    if loop.extent != 1 or len(loop.body) != 1 or not isinstance(loop.body[0], L.For):
        return loop
    inner = loop.body[0]
    inner = L.substitute(inner, {loop.var: 0})
    assert isinstance(inner, L.For)
    if loop.kind == "parallel" and inner.kind == "serial" and _is_map_nest(loop):
        return replace(inner, kind="parallel")
    return inner


def _is_map_nest(loop: L.For) -> bool:
    return not any(
        isinstance(s, L.Call)
        or (isinstance(s, L.Accumulate) and not _allocated_inside(loop, s.buffer))
        for s in L.statements(loop.body)
    )


def _allocated_inside(loop: L.For, buffer: L.Buffer) -> bool:
    return any(
        isinstance(s, L.Alloc) and s.buffer.name == buffer.name for s in L.statements(loop.body)
    )
