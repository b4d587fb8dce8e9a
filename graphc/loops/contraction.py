"""contraction: a nest of loops as a sum over operands of rows and of columns.

    for b: for i: for j: acc = 0; for k: acc += f(x[i, k], z[k, j]); y[i, j] = g(acc)

is taken apart into the loops around (b), rows (i), columns (j), the reduction (k) with its sums,
and the operands: the largest parts of f that depend on rows only, or on columns only. What does
not fit is None: the ordinary schedule serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim
from . import ir as L
from .lower import expr_names, index_names


@dataclass(frozen=True, slots=True)
class Operand:
    """A part of the reduction's expression that depends on rows only, or on columns only."""

    value: L.Expr
    dtype_bytes: int
    batched: bool
    """Whether it depends on the loops around."""
    along: L.Index | None
    """Its stride along its own axis (rows or columns); None where it is no single load."""
    deep: L.Index | None
    """Its stride along the innermost loop of the reduction."""
    runs: bool = False
    """Whether memory runs along its own axis, guarded or not, and not along the reduction."""
    window: tuple[str, int] | None = None
    """(k, s): it depends on its own axis and on loop k of the reduction only through s * own + k,
    as an image does on a position and a place in the window.
    """
    parts: int = 1
    """Terms in one word (`dots`), which is no number in memory: it is always packed."""
    whole: L.Expr | None = None
    """The value in all words but the last of the innermost loop, where that one ends in zeros."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """A nest, taken apart."""

    batch: tuple[L.For, ...]
    rows: L.For
    columns: L.For
    before: tuple[L.Stmt, ...]
    reduction: tuple[L.For, ...]
    sums: tuple[L.Accumulate, ...]
    after: tuple[L.Stmt, ...]
    row_operands: tuple[Operand, ...]
    column_operands: tuple[Operand, ...]

    @property
    def depth(self) -> L.Index:
        """Terms of the sum."""
        return ty.product(tuple(loop.extent for loop in self.reduction))

    def flat(self, env: dict[str, L.Index]) -> L.Index:
        """The number of a term, from the variables of the reduction."""
        place: L.Index = 0
        for loop in self.reduction:
            place = place * loop.extent + env.get(loop.var, Dim.symbol(loop.var))
        return place


def match(loop: L.For) -> Contraction | None:
    """The nest as a contraction, or None."""
    loops = _chain(loop)
    if len(loops) < 2 or any(one.kind not in ("parallel", "serial") for one in loops):
        return None
    *batch, rows, columns = loops
    inside = [k for k, s in enumerate(columns.body) if isinstance(s, L.For)]
    if len(inside) != 1:
        return None
    before, after = columns.body[: inside[0]], columns.body[inside[0] + 1 :]
    reduction = _chain(columns.body[inside[0]])
    outside = {one.var for one in loops}
    if any(one.kind != "serial" or index_names((one.extent,)) & outside for one in reduction):
        return None
    if any(not isinstance(s, (L.Let, L.Store, L.Alloc)) for s in (*before, *after)):
        return None
    if any(isinstance(s, L.Alloc) and s.buffer.space != "register" for s in before):
        return None
    sums = inlined(reduction[-1].body, before)
    if sums is None:
        return None
    batch_names = frozenset(one.var for one in batch)
    inner = reduction[-1].var
    found: dict[str, list[Operand]] = {"rows": [], "columns": []}
    for part in _parts(sums, rows.var, columns.var):
        names = expr_names(part)
        own = rows.var if rows.var in names else columns.var
        if own == rows.var and columns.var in names:
            return None
        offset = part.buffer.offset(part.index) if isinstance(part, L.Load) else None
        if isinstance(part, L.Load) and part.guard is not None:
            offset = None
        operand = Operand(
            part,
            part.dtype.nbytes,
            bool(batch_names & names),
            None if offset is None else stride(offset, own),
            None if offset is None else stride(offset, inner),
            _runs(part, own, inner),
            _window(part, own, reduction),
        )
        side = found["rows" if own == rows.var else "columns"]
        if operand not in side:
            side.append(operand)
    if not found["rows"] or not found["columns"]:
        return None
    return Contraction(
        tuple(batch), rows, columns, before, tuple(reduction), sums, after,
        tuple(found["rows"]), tuple(found["columns"]),
    )  # fmt: skip


def with_more_rows(nest: Contraction, least: int, fresh: Callable[[str], str]) -> Contraction:
    """The nest with loops around it made rows of it, until there are `least` rows: the lines of a
    small image, all against the same columns.
    """
    while nest.batch:
        loop, rows = nest.batch[-1], nest.rows
        if not isinstance(rows.extent, int) or not isinstance(loop.extent, int):
            return nest
        names = {loop.var} & set[str]().union(*(expr_names(o.value) for o in nest.column_operands))
        if rows.extent >= least or loop.extent < 2 or names:
            return nest
        row = fresh("row")
        env: dict[str, L.Index] = {
            loop.var: Dim.symbol(row) // rows.extent,
            rows.var: Dim.symbol(row) % rows.extent,
        }
        joined = replace(rows, var=row, extent=loop.extent * rows.extent, kind=loop.kind)
        nest = _substituted(nest, env, joined)
    return nest


def joined(nest: Contraction, terms: int, tasks: int, fresh: Callable[[str], str]) -> Contraction:
    """The nest with outer loops of its reduction made one, until one iteration has at most `terms`
    terms, and with the outermost loops around made one, until there are `tasks` iterations.
    """
    outer, inner = nest.reduction[0].extent, nest.reduction[1:]
    if all(o.window is None for o in nest.row_operands) and inner:
        size = ty.product(tuple(loop.extent for loop in inner))
        if isinstance(outer, int) and isinstance(size, int) and size > terms:
            first, second = nest.reduction[:2]
            one, env = _one_loop(first, second, fresh("r"))
            nest = _moved(replace(nest, reduction=(one, *nest.reduction[2:])), env)
            return joined(nest, terms, tasks, fresh)
    if len(nest.batch) > 1 and isinstance(nest.batch[0].extent, int):
        first, second = nest.batch[:2]
        if nest.batch[0].extent < tasks and isinstance(second.extent, int):
            one, env = _one_loop(first, second, fresh("b"))
            nest = _moved(replace(nest, batch=(one, *nest.batch[2:])), env)
            return joined(nest, terms, tasks, fresh)
    return nest


def _one_loop(outer: L.For, inner: L.For, name: str) -> tuple[L.For, dict[str, L.Index]]:
    """Two loops as one, and their variables in it."""
    env: dict[str, L.Index] = {
        outer.var: Dim.symbol(name) // inner.extent,
        inner.var: Dim.symbol(name) % inner.extent,
    }
    return replace(outer, var=name, extent=outer.extent * inner.extent), env


def _moved(nest: Contraction, env: dict[str, L.Index]) -> Contraction:
    """The nest with variables of loops around it, or of the reduction, replaced everywhere."""

    def at(index: L.Index) -> L.Index:
        return ty.substitute(index, env) if isinstance(index, Dim) else index

    def fix(stmts: tuple[L.Stmt, ...]) -> tuple[L.Stmt, ...]:
        return tuple(L.substitute(s, env) for s in stmts)

    def fix_all(operands: tuple[Operand, ...]) -> tuple[Operand, ...]:
        return tuple(replace(o, value=L.map_expr(o.value, at), whole=None) for o in operands)

    sums = tuple(s for s in fix(nest.sums) if isinstance(s, L.Accumulate))
    return replace(
        nest, before=fix(nest.before), sums=sums, after=fix(nest.after),
        row_operands=fix_all(nest.row_operands), column_operands=fix_all(nest.column_operands),
    )  # fmt: skip


def _substituted(nest: Contraction, env: dict[str, L.Index], rows: L.For) -> Contraction:
    """The nest with other rows, and one loop less around it."""

    def at(index: L.Index) -> L.Index:
        return ty.substitute(index, env) if isinstance(index, Dim) else index

    def fix_all(stmts: tuple[L.Stmt, ...]) -> tuple[L.Stmt, ...]:
        return tuple(L.substitute(s, env) for s in stmts)

    def moved(operand: Operand, is_row: bool) -> Operand:
        value = L.map_expr(operand.value, at) if is_row else operand.value
        batched = any(loop.var in expr_names(value) for loop in nest.batch[:-1])
        if not is_row:
            return replace(operand, batched=batched)
        return replace(operand, value=value, batched=batched, along=None, runs=False, window=None)

    sums = tuple(s for s in fix_all(nest.sums) if isinstance(s, L.Accumulate))
    return Contraction(
        nest.batch[:-1], rows, nest.columns, fix_all(nest.before), nest.reduction, sums,
        fix_all(nest.after), tuple(moved(o, True) for o in nest.row_operands),
        tuple(moved(o, False) for o in nest.column_operands),
    )  # fmt: skip


def _chain(loop: L.Stmt) -> list[L.For]:
    """A loop, the only loop in it, and so on."""
    assert isinstance(loop, L.For)
    loops = [loop]
    while len(loops[-1].body) == 1:
        inner = loops[-1].body[0]
        if not isinstance(inner, L.For):
            break
        loops.append(inner)
    return loops


def inlined(
    body: Sequence[L.Stmt], before: Sequence[L.Stmt] = ()
) -> tuple[L.Accumulate, ...] | None:
    """The sums of a reduction's body with its Lets written out; None where there is more.

    Those before the reduction are written out too: an operand is packed elsewhere.
    """
    values: dict[str, L.Expr] = {}
    sums: list[L.Accumulate] = []

    def leaf(expr: L.Expr) -> L.Expr:
        return values.get(expr.name, expr) if isinstance(expr, L.Name) else expr

    for stmt in before:
        if isinstance(stmt, L.Let):
            values[stmt.name] = L.map_expr(stmt.value, lambda i: i, leaf)
    for stmt in body:
        if isinstance(stmt, L.Let) and not sums:
            values[stmt.name] = L.map_expr(stmt.value, lambda i: i, leaf)
        elif isinstance(stmt, L.Accumulate) and stmt.buffer.space == "register":
            sums.append(replace(stmt, value=L.map_expr(stmt.value, lambda i: i, leaf)))
        else:
            return None
    if any(values.keys() & _index_names(s.value) for s in sums):
        return None  # an index that comes from data
    return tuple(sums) or None


def _index_names(expr: L.Expr) -> set[str]:
    names: set[str] = set()
    for one in L.walk(expr):
        if isinstance(one, L.Load):
            names |= index_names(one.index)
        elif isinstance(one, L.Idx):
            names |= ty.symbols(one.index)
    return names


def _parts(sums: Sequence[L.Accumulate], row: str, column: str) -> Iterator[L.Expr]:
    """The largest parts of the sums that do not depend on both loops, and on one of them."""

    def visit(expr: L.Expr) -> Iterator[L.Expr]:
        names = expr_names(expr)
        if row not in names and column not in names:
            return
        if row in names and column in names:
            if isinstance(expr, L.Load) or not L.children(expr):
                yield expr  # both move it: the caller sees it
                return
            for child in L.children(expr):
                yield from visit(child)
            return
        yield expr

    for one in sums:
        yield from visit(one.value)


def _runs(expr: L.Expr, own: str, inner: str) -> bool:
    """See `Operand.runs`: of every load in the operand."""
    loads = [one for one in L.walk(expr) if isinstance(one, L.Load)]
    steps = [
        (stride(o, own), stride(o, inner)) for o in (one.buffer.offset(one.index) for one in loads)
    ]
    return bool(steps) and all(along == 1 and deep != 1 for along, deep in steps)


def _window(expr: L.Expr, own: str, reduction: Sequence[L.For]) -> tuple[str, int] | None:
    """See `Operand.window`. The innermost loop stays what it is: channels, in memory's order."""
    for loop in reduction[:-1]:
        found: set[L.Index | None] = set()
        for index in _indices(expr):
            along, step = stride(index, own), stride(index, loop.var)
            if not isinstance(along, int) or not isinstance(step, int):
                found.add(None)
            elif along or step:
                found.add(along // step if step and along % step == 0 else None)
        scale = found.pop() if len(found) == 1 else None
        if isinstance(scale, int) and scale > 0:
            return loop.var, scale
    return None


def _indices(expr: L.Expr) -> Iterator[L.Index]:
    """Every index in an expression, those of guards included."""
    for one in L.walk(expr):
        if isinstance(one, L.Load):
            yield from one.index
        elif isinstance(one, L.Idx):
            yield one.index


def stride(offset: L.Index, var: str) -> L.Index | None:
    from .schedule import coefficient

    return coefficient(offset, var)
