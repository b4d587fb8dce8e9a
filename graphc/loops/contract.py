"""contract: register blocks for reductions whose operands are used again along two loops.

    for i: for j: acc = 0; for k: acc += f(x[i, k], z[k, j]); y[i, j] = g(acc)

becomes, for panels of `lanes` columns and tiles of `height` rows,

    for bj: panel[bj, k, l] = z[k, j]                              what is packed, once
    for bi in parallel:                                            a block of rows
        block[i, k] = x[i, k]
        for bj: for tile: for l in vector(lanes):
            for k: for u < height: acc[u] += f(block[u, k], panel[bj, k, l])
            for u < height: y[i + u, j + l] = g(acc[u])

An operand is packed only where reading it in place would cost more: a copy has unit stride along
the lanes, no conflicts in the first cache, and the casts and other arithmetic that belong to one
operand are done once. Loops around i (batches, the other axes of an image) stay where they are.
`f` is any expression, so matrix products of every dtype, distances and convolutions without
padding are one case. What does not fit is None: the ordinary schedule serves it.

Figures and the choice of tiles: `shapes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .. import types as ty
from ..types import BOOL, Dim
from . import ir as L
from .lower import expr_names, index_names
from .shapes import Shape, choose

Fresh = Callable[[str], str]
Rename = Callable[[tuple[L.Stmt, ...]], tuple[L.Stmt, ...]]
Vectorize = Callable[[L.For], list[L.Stmt]]
GAP = 16
"""Elements between the rows of a packed block, so that they do not share sets of the first
cache."""


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


# ------------------------------------------------------------------------------------- matching


def match(loop: L.For) -> Contraction | None:
    """The nest as a contraction, or None."""
    loops = [loop]
    while len(loops[-1].body) == 1 and isinstance(loops[-1].body[0], L.For):
        loops.append(loops[-1].body[0])
    if len(loops) < 2 or any(one.kind not in ("parallel", "serial") for one in loops):
        return None
    *batch, rows, columns = loops
    position = [k for k, s in enumerate(columns.body) if isinstance(s, L.For)]
    if len(position) != 1:
        return None
    before, after = columns.body[: position[0]], columns.body[position[0] + 1 :]
    reduction = [columns.body[position[0]]]
    while len(reduction[-1].body) == 1 and isinstance(reduction[-1].body[0], L.For):
        reduction.append(reduction[-1].body[0])
    outside = {one.var for one in loops}
    if any(one.kind != "serial" or index_names((one.extent,)) & outside for one in reduction):
        return None
    if any(not isinstance(s, (L.Let, L.Store, L.Alloc)) for s in (*before, *after)):
        return None
    if any(isinstance(s, L.Alloc) and s.buffer.space != "register" for s in before):
        return None
    sums = _inlined(reduction[-1].body)
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
            None if offset is None else _stride(offset, own),
            None if offset is None else _stride(offset, inner),
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


def _inlined(body: Sequence[L.Stmt]) -> tuple[L.Accumulate, ...] | None:
    """The sums of a reduction's body with its Lets written out; None where there is more."""
    values: dict[str, L.Expr] = {}
    sums: list[L.Accumulate] = []

    def leaf(expr: L.Expr) -> L.Expr:
        return values.get(expr.name, expr) if isinstance(expr, L.Name) else expr

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
            inside = L.children(expr)
            if not inside:
                yield expr  # a load that both move: the caller sees it
            for child in inside:
                yield from visit(child)
            return
        yield expr

    for one in sums:
        yield from visit(one.value)


def _stride(offset: L.Index, var: str) -> L.Index | None:
    from .schedule import coefficient

    return coefficient(offset, var)


# ------------------------------------------------------------------------------------ scheduling


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The blocks of one nest, and the temporaries that they pack into."""

    body: tuple[L.Stmt, ...]
    temps: tuple[L.Buffer, ...]


def contract(
    loop: L.For, vector_bytes: int, registers: int, fresh: Fresh, rename: Rename,
    vectorize: Vectorize,
) -> Scheduled | None:  # fmt: skip
    """The nest in register blocks; None where it is no contraction or too small to be one.

    `rename` copies statements with names of their own, `vectorize` runs a map loop in lanes.
    """
    nest = match(loop)
    if nest is None:
        return None
    shape = choose(nest, vector_bytes, registers)
    return None if shape is None else _Writer(nest, shape, fresh, rename, vectorize).write()


class _Writer:
    """Writes the blocks of one contraction."""

    def __init__(
        self, nest: Contraction, shape: Shape, fresh: Fresh, rename: Rename, vectorize: Vectorize
    ):
        self.nest, self.shape = nest, shape
        self.fresh, self.rename, self.vectorize = fresh, rename, vectorize
        self.temps: list[L.Buffer] = []
        self.lanes, self.height = shape.lanes, shape.height
        self.panels: dict[L.Expr, L.Buffer] = {}
        """Columns that are packed: (panel, term, lane)."""
        self.blocks: dict[L.Expr, L.Buffer] = {}
        """Rows that are packed: (row, term) or (term, row), as `shape.rows_inner` says."""

    def write(self) -> Scheduled:
        nest = self.nest
        columns = nest.columns.extent
        self.whole, self.rest = columns // self.lanes, columns % self.lanes
        first: list[L.Stmt] = []
        inside: list[L.Stmt] = []
        if self.shape.pack_columns == "once":
            first = self.pack_columns("global", "parallel")
        elif self.shape.pack_columns == "local":
            inside = self.pack_columns("local", "serial")
        kind = nest.rows.kind if not nest.batch else "serial"
        body = (*inside, *self.row_blocks(kind))
        for loop in reversed(nest.batch):
            body = (replace(loop, body=tuple(body)),)
        return Scheduled((*first, *body), tuple(self.temps))

    # ----------------------------------------------------------------------------------- packing
    def pack_columns(self, space: str, kind: str) -> list[L.Stmt]:
        """panel[p, term, l] = the operand; lanes beyond the last column are 0."""
        out: list[L.Stmt] = []
        depth = self.nest.depth
        panels = (self.nest.columns.extent + self.lanes - 1) // self.lanes
        for operand in self.nest.column_operands:
            extent = panels * depth * self.lanes
            access = "temp"
            panel = L.Buffer(
                self.fresh("panel"), operand.value.dtype, (extent,), None, space, access, 64
            )
            self.panels[operand.value] = panel
            if space == "global":
                self.temps.append(panel)
            else:
                out.append(L.Alloc(panel))
            if self.whole != 0:
                p = self.fresh("p")
                body = self.pack_panel(operand, panel, Dim.symbol(p), self.lanes)
                out.append(L.For(p, self.whole, kind, tuple(body)))
            if self.rest != 0:
                body = self.pack_panel(operand, panel, self.whole, self.rest)
                if isinstance(self.rest, int):
                    out.append(L.For(self.fresh("p"), 1, kind, tuple(body)))
                else:
                    out.append(L.If(_positive(self.rest), tuple(body)))
        return out

    def pack_panel(
        self, operand: Operand, panel: L.Buffer, place: L.Index, count: L.Index
    ) -> list[L.Stmt]:
        """One panel, the first `count` lanes of which are there."""
        transposed = self.transposed_panel(operand, panel, place, count)
        if transposed is not None:
            return transposed
        lane, terms = self.fresh("l"), self.terms()
        column = place * self.lanes + Dim.symbol(lane)
        env: dict[str, L.Index] = {self.nest.columns.var: column, **terms.env}
        target = (place * self.nest.depth + terms.flat) * self.lanes + Dim.symbol(lane)
        value = _substituted(operand.value, env)
        if count == self.lanes:
            store: tuple[L.Stmt, ...] = (L.Store(panel, (target,), value),)
        else:
            mask = L.Scalar("lt", (L.Idx(Dim.symbol(lane)), L.Idx(count)), BOOL)
            zero = L.const(0, panel.dtype)
            store = (
                L.Store(panel, (target,), zero),
                L.If(mask, (L.Store(panel, (target,), value),)),
            )
        return terms.around((L.For(lane, self.lanes, "vector", store),))

    def transposed_panel(
        self, operand: Operand, panel: L.Buffer, place: L.Index, count: L.Index
    ) -> list[L.Stmt] | None:
        """A panel of columns that run along the terms: squares through registers."""
        load, deep = operand.value, self.nest.reduction[-1].extent
        nbytes = operand.dtype_bytes
        size = min(self.lanes, max(2, 64 // nbytes))
        if not isinstance(load, L.Load) or operand.deep != 1 or not isinstance(operand.along, int):
            return None
        if count != self.lanes or not isinstance(deep, int) or deep < size or nbytes < 4:
            return None
        square, group = self.fresh("k"), self.fresh("g")
        terms = self.terms(inner=1)

        def move(term: L.Index, start: L.Index) -> L.Stmt:
            env: dict[str, L.Index] = {
                **terms.env,
                self.nest.reduction[-1].var: term,
                self.nest.columns.var: place * self.lanes + start,
            }
            flat = self.nest.flat(env)
            target = (place * self.nest.depth + flat) * self.lanes + start
            source = tuple(_at(i, env) for i in load.index)
            return L.Transpose(
                panel, (target,), self.lanes, load.buffer, source, operand.along, size
            )

        start = Dim.symbol(group) * size
        groups = self.lanes // size
        out: list[L.Stmt] = [
            L.For(
                square, deep // size, "serial",
                (L.For(group, groups, "serial", (move(Dim.symbol(square) * size, start),)),),
            )
        ]  # fmt: skip
        if deep % size:  # the last square begins earlier and writes some terms again
            again = self.fresh("g")
            last = move(deep - size, Dim.symbol(again) * size)
            out.append(L.For(again, groups, "serial", (last,)))
        return terms.around(tuple(out))

    def pack_rows(self, start: L.Index, count: L.Index) -> list[L.Stmt]:
        """A local block of rows."""
        out: list[L.Stmt] = []
        depth = self.nest.depth
        assert isinstance(depth, int)
        for operand in self.nest.row_operands:
            extent = self.shape.block_rows * (depth + GAP)
            if self.shape.rows_inner:
                extent = depth * (self.shape.block_rows + GAP)
            block = L.Buffer(
                self.fresh("block"), operand.value.dtype, (extent,), None, "local", "temp", 64
            )
            self.blocks[operand.value] = block
            out.append(L.Alloc(block))
            row, terms = self.fresh("i"), self.terms()
            env: dict[str, L.Index] = {self.nest.rows.var: start + Dim.symbol(row), **terms.env}
            target = self.block_place(Dim.symbol(row), terms.flat)
            store = L.Store(block, (target,), _substituted(operand.value, env))
            if self.shape.rows_inner:
                along = self.vectorize(L.For(row, count, "serial", (store,)))
                out += terms.around(tuple(along))
            else:
                out.append(
                    L.For(row, count, "serial", tuple(terms.vector((store,), self.vectorize)))
                )
        return out

    def block_place(self, row: L.Index, term: L.Index) -> L.Index:
        """Where a row's term lies in a packed block."""
        if self.shape.rows_inner:
            return term * (self.shape.block_rows + GAP) + row
        depth = self.nest.depth
        return row * (depth + GAP) + term

    # --------------------------------------------------------------------------------- the blocks
    def row_blocks(self, kind: str) -> list[L.Stmt]:
        """All rows against all columns."""
        rows = self.nest.rows.extent
        size = self.shape.block_rows
        whole, rest = rows // size, rows % size
        out: list[L.Stmt] = []
        if whole != 0:
            block = self.fresh("bi")
            body = self.row_block(Dim.symbol(block) * size, size)
            out.append(L.For(block, whole, kind, tuple(body)))
        if rest != 0:
            if isinstance(rest, int):
                body = self.row_block(whole * size, rest)
                out.append(L.For(self.fresh("bi"), 1, kind, tuple(body)))
            else:
                row = self.fresh("bi")
                body = self.row_block(whole * size + Dim.symbol(row), 1)
                out.append(L.For(row, rest, kind, tuple(body)))
        return out

    def row_block(self, start: L.Index, count: int) -> list[L.Stmt]:
        """`count` rows against all columns."""
        self.blocks = {}
        out = self.pack_rows(start, count) if self.shape.pack_rows else []
        heights = [(0, self.height, count // self.height)]
        if count % self.height:
            heights.append((count // self.height * self.height, count % self.height, 1))

        def tiles(place: L.Index, lanes: L.Index) -> list[L.Stmt]:
            made: list[L.Stmt] = []
            for first, height, number in heights:
                if number > 1:
                    var = self.fresh("bt")
                    inside = Dim.symbol(var) * height
                    made.append(
                        L.For(
                            var, number, "serial",
                            (self.tile(start, first + inside, height, place, lanes),),
                        )
                    )  # fmt: skip
                elif number:
                    made.append(self.tile(start, first, height, place, lanes))
            return made

        if self.whole != 0:
            p = self.fresh("bj")
            out.append(L.For(p, self.whole, "serial", tuple(tiles(Dim.symbol(p), self.lanes))))
        if self.rest != 0:
            last = tiles(self.whole, self.rest)
            if isinstance(self.rest, int):
                out += last
            else:
                out.append(L.If(_positive(self.rest), tuple(last)))
        return out

    def tile(
        self, start: L.Index, inside: L.Index, height: int, place: L.Index, count: L.Index
    ) -> L.Stmt:
        """`height` rows from start + inside, `count` columns of panel `place`."""
        nest, lane = self.nest, self.fresh("l")
        lanes = self.shape.lanes_for(count)
        mask = None
        if count != lanes:
            mask = L.Scalar("lt", (L.Idx(Dim.symbol(lane)), L.Idx(count)), BOOL)
        column = place * self.lanes + Dim.symbol(lane)
        terms = self.terms()
        before: list[L.Stmt] = []
        sums: list[L.Stmt] = []
        after: list[L.Stmt] = []
        packed = {
            value: L.Load(
                panel, ((place * nest.depth + terms.flat) * self.lanes + Dim.symbol(lane),)
            )
            for value, panel in self.panels.items()
        }
        for u in range(height):
            row = start + inside + u
            env: dict[str, L.Index] = {nest.rows.var: row, nest.columns.var: column}
            for value, block in self.blocks.items():
                packed[value] = L.Load(block, (self.block_place(inside + u, terms.flat),))
            guard = None if self.panels else mask
            totals = tuple(
                _packed(one, packed, terms.env, guard, nest.columns.var) for one in nest.sums
            )
            copy = self.rename(
                tuple(L.substitute(s, env) for s in (*nest.before, *totals, *nest.after))
            )
            split = len(nest.before), len(nest.before) + len(totals)
            first, late = _needed(copy[: split[0]], copy[split[0] : split[1]])
            before += first
            sums += copy[split[0] : split[1]]
            after += [*late, *copy[split[1] :]]
        loops = terms.around(tuple(sums))
        if mask is not None:
            before = [_guarded(s, mask) for s in before]
            after = _masked(after, mask)
        return L.For(lane, lanes, "vector", (*before, *loops, *after))

    def terms(self, inner: int = 0) -> _Terms:
        """Fresh loops over the reduction, but for its `inner` innermost ones."""
        loops = self.nest.reduction[: len(self.nest.reduction) - inner]
        names = [(loop, self.fresh("r")) for loop in loops]
        env: dict[str, L.Index] = {loop.var: Dim.symbol(name) for loop, name in names}
        return _Terms(tuple((name, loop.extent) for loop, name in names), env, self.nest.flat(env))


@dataclass(frozen=True, slots=True)
class _Terms:
    """Loops over the terms of a sum: their names, the reduction's variables in them, the number."""

    loops: tuple[tuple[str, L.Index], ...]
    env: dict[str, L.Index]
    flat: L.Index

    def around(self, body: tuple[L.Stmt, ...]) -> list[L.Stmt]:
        for name, extent in reversed(self.loops):
            body = (L.For(name, extent, "serial", body),)
        return list(body)

    def vector(self, body: tuple[L.Stmt, ...], vectorize: Vectorize) -> list[L.Stmt]:
        """The same with the innermost loop in lanes."""
        *outer, (name, extent) = self.loops
        inner = tuple(vectorize(L.For(name, extent, "serial", body)))
        return replace(self, loops=tuple(outer)).around(inner)


# ------------------------------------------------------------------------------------- rewriting


def _at(index: L.Index, env: dict[str, L.Index]) -> L.Index:
    return ty.substitute(index, env) if isinstance(index, Dim) else index


def _substituted(expr: L.Expr, env: dict[str, L.Index]) -> L.Expr:
    return L.map_expr(expr, lambda i: _at(i, env))


def _packed(
    total: L.Accumulate, packed: dict[L.Expr, L.Load], env: dict[str, L.Index],
    mask: L.Expr | None, column: str,
) -> L.Accumulate:  # fmt: skip
    """The sum with packed operands read from where they are packed, others in place: columns under
    the mask, if there is one.
    """

    def visit(expr: L.Expr) -> L.Expr:
        if expr in packed:
            return packed[expr]
        if isinstance(expr, L.Scalar):
            return replace(expr, args=tuple(visit(a) for a in expr.args))
        if isinstance(expr, (L.Cast, L.Bitcast)):
            return replace(expr, value=visit(expr.value))
        if isinstance(expr, L.Select):
            return L.Select(visit(expr.cond), visit(expr.a), visit(expr.b))
        found = _substituted(expr, env)
        if mask is not None and isinstance(found, L.Load) and column in expr_names(expr):
            return replace(found, guard=L.both(found.guard, mask))
        return found

    return replace(total, value=visit(total.value))


def _positive(index: L.Index) -> L.Expr:
    return L.Scalar("gt", (L.Idx(index), L.Idx(0)), BOOL)


def _needed(before: Sequence[L.Stmt], sums: Sequence[L.Stmt]) -> tuple[list[L.Stmt], list[L.Stmt]]:
    """The statements before a reduction that it needs, and those that can follow it."""
    names = _read(sums)
    first: list[L.Stmt] = []
    late: list[L.Stmt] = []
    for stmt in reversed(before):
        other = isinstance(stmt, L.Store) and stmt.buffer.space == "global"
        if other or (isinstance(stmt, L.Let) and stmt.name not in names):
            late.append(stmt)
        else:
            first.append(stmt)
            names |= _read([stmt])
    return first[::-1], late[::-1]


def _read(stmts: Sequence[L.Stmt]) -> set[str]:
    """The names of Lets that statements read."""
    found: set[str] = set()
    for stmt in stmts:
        for expr in L.expressions(stmt):
            found |= expr_names(expr)
        if isinstance(stmt, (L.Store, L.Accumulate)):
            found |= index_names(stmt.index)
    return found


def _masked(stmts: list[L.Stmt], mask: L.Expr) -> list[L.Stmt]:
    """Statements after the sums, for the lanes that are there."""
    lets = [s for s in stmts if isinstance(s, L.Let)]
    reads_memory = any(
        isinstance(e, L.Load) and e.buffer.space == "global"
        for s in lets
        for x in L.expressions(s)
        for e in L.walk(x)
    )
    if reads_memory:
        return [L.If(mask, tuple(stmts))]
    return [*lets, L.If(mask, tuple(s for s in stmts if not isinstance(s, L.Let)))]


def _guarded(stmt: L.Stmt, mask: L.Expr) -> L.Stmt:
    """The statement with loads of memory that only happen where the mask holds."""

    def leaf(expr: L.Expr) -> L.Expr:
        if isinstance(expr, L.Load) and expr.buffer.space == "global":
            return replace(expr, guard=L.both(expr.guard, mask))
        return expr

    return L.map_stmt(stmt, lambda i: i, leaf)
