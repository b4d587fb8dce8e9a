"""products: a nest of loops as a plain product of matrices, and what is left of the nest.

    for b: for i: for j: acc = 0; for k: acc += x[b, i, k] * z[b, k, j]; y[b, i, j] = g(acc)
      ->  p[b] = x[b] @ z[b]   and   for b: for i: for j: y[b, i, j] = g(p[b, i, j])

for who computes such products otherwise than by loops (graphc/device/products.py). Everything that
moves elements (transposes, slices, reshapes) is strides here. Where g is a cast, the product writes
y itself and nothing is left; factors that are computed are made before (factors.py). What does not
fit is None: more sums than one, matrices without contiguous rows or columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import DType, Extent
from . import ir as L
from .contraction import inlined
from .factors import Factor, factors, needed
from .ir import Alloc, Buffer, Cast, Expr, For, Let, Load, LoopFunc, Stmt, Store


@dataclass(frozen=True, slots=True)
class Strided:
    """A matrix, or one for each of a batch, in a buffer. Units: elements.

    `row` and `column` are its strides, one of which is 1 (or its extent is); `batch` is 0 for a
    matrix that all share.
    """

    buffer: Buffer
    offset: Extent
    row: Extent
    column: Extent
    batch: Extent


@dataclass(frozen=True, slots=True)
class Product:
    """result[batch, m, n] = left[batch, m, k] @ right[batch, k, n], summed in SUMS[dtype].

    `before` make the factors that are computed, each in a buffer that is allocated at its top.
    `rest` computes the results out of the product, whose buffer is allocated at its top; None where
    the product is the result.
    """

    left: Strided
    right: Strided
    result: Strided
    m: Extent
    n: Extent
    k: Extent
    batch: Extent
    before: tuple[LoopFunc, ...]
    rest: LoopFunc | None

    @property
    def dtype(self) -> DType:
        return self.left.buffer.dtype

    @property
    def is_dense(self) -> bool:
        """Do the result's numbers lie side by side?"""
        last, other = (self.n, self.m) if self.result.column == 1 else (self.m, self.n)
        step = self.result.row if self.result.column == 1 else self.result.column
        return (other == 1 or step == last) and (
            self.batch == 1 or self.result.batch == self.m * self.n
        )


def parts(
    func: LoopFunc, wanted: Callable[[Product], bool]
) -> tuple[LoopFunc | Product, ...] | None:
    """The function in running order: products that are wanted, and functions for the rest. None
    where it has no such product.

    A buffer of the function that is neither read nor written outside ("temp") may be of several
    parts. What a part allocates is its own, but for the factors and the result of a product.
    """
    if not all(isinstance(stmt, For) for stmt in func.body):
        return None  # names of the top level would be needed in several parts
    found: list[LoopFunc | Product] = []
    own: list[Stmt] = []

    def flush() -> None:
        if own:
            found.append(replace(func, name=f"{func.name}_{len(found)}", body=tuple(own)))
            own.clear()

    for stmt in func.body:
        one = product(replace(func, body=(stmt,)))
        if one is None or not wanted(one):
            own.append(stmt)
            continue
        flush()
        found += [*one.before, one, *(() if one.rest is None else (one.rest,))]
    if not any(isinstance(one, Product) for one in found):
        return None
    flush()
    return tuple(found)


def product(func: LoopFunc) -> Product | None:
    """The function as a product of matrices, and what is left of it; None where it is none."""
    loops: list[For] = []
    lets: list[Stmt] = []
    body = func.body
    while body and isinstance(body[-1], For) and all(isinstance(s, Let) for s in body[:-1]):
        lets += body[:-1]
        loops.append(body[-1])
        body = body[-1].body
    nest = _nest(func, tuple(loops), (*lets, *body)) if loops else None
    if nest is None:
        return None
    stored = nest.stored()
    if stored is not None:
        return nest.product(stored)
    shape = tuple(loop.extent for loop in loops)
    held = Buffer(f"{nest.sum.name}_product", nest.dtype, shape)
    element = Load(held, tuple(ty.Dim.symbol(loop.var) for loop in loops))
    found = nest.product(element)
    if found is None:
        return None
    return replace(found, rest=replace(func, body=(Alloc(held), nest.rest(element))))


# --------------------------------------------------------------------------------------- the nest


@dataclass(frozen=True, slots=True)
class _Nest:
    """A sum of products of two factors, taken apart."""

    loops: tuple[For, ...]
    reduction: tuple[For, ...]
    sum: Buffer
    before: tuple[Stmt, ...]
    after: tuple[Stmt, ...]
    factors: tuple[Factor, Factor]

    # -- the end
    @property
    def dtype(self) -> DType:
        """What the product is stored in: the factors' dtype where the sum is always cast to it."""
        uses = {use.dtype for stmt in self.after for use in self._uses(_value(stmt))}
        narrow = self.factors[0].load.dtype
        return narrow if uses == {narrow} else self.sum.dtype

    def stored(self) -> Load | None:
        """Where the product is stored, if nothing else is done with it."""
        store = self.after[0]
        if self.before or len(self.after) != 1 or not isinstance(store, Store):
            return None
        if store.buffer.dtype is not self.dtype or list(self._uses(store.value)) != [store.value]:
            return None
        return Load(store.buffer, store.index)

    def rest(self, element: Load) -> For:
        """The loops with what follows the sum, which is an element of the product."""

        def visit(expr: Expr) -> Expr:
            if self._is_use(expr):
                return element if expr.dtype is element.dtype else Cast(element, expr.dtype)
            return _rebuilt(expr, visit)

        whole = (*self.before, *self.after)
        body = needed([_with_value(stmt, visit(_value(stmt))) for stmt in whole])
        whole = replace(self.loops[-1], body=body)
        for loop in reversed(self.loops[:-1]):
            whole = replace(loop, body=(whole,))
        return whole

    def _is_use(self, expr: Expr) -> bool:
        """The sum, or a cast of it?"""
        value = expr.value if isinstance(expr, Cast) else expr
        return isinstance(value, Load) and value.buffer.name == self.sum.name

    def _uses(self, expr: Expr) -> Iterator[Expr]:
        if self._is_use(expr):
            yield expr
            return
        for child in L.children(expr):
            yield from self._uses(child)

    # -- the matrices
    def product(self, stored: Load) -> Product | None:
        """The product, whose elements are stored there."""
        left, right = (_strides(one.load, self.variables) for one in self.factors)
        result = _strides(stored, self.variables)
        if left is None or right is None or result is None:
            return None
        rows, columns, batch = [], [], []
        for loop in self.loops:
            sides = left[loop.var] != 0, right[loop.var] != 0
            if loop.extent == 1:
                continue
            if not any(sides):
                return None
            (batch if all(sides) else rows if sides[0] else columns).append(loop)
        terms = [loop for loop in self.reduction if loop.extent != 1]
        for order in permutations(terms) if len(terms) <= 3 else [terms]:
            depth = _joined(order, (left, right))
            if depth is not None:
                return self._product(rows, columns, batch, depth, (left, right, result), stored)
        return None

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(loop.var for loop in (*self.loops, *self.reduction))

    def _product(
        self, rows: list[For], columns: list[For], batch: list[For], depth: _Axis,
        strides: tuple[dict[str, Extent], ...], stored: Load,
    ) -> Product | None:  # fmt: skip
        left, right, result = strides
        m, outer_rows = _inner(rows, (left, result))
        n, outer_columns = _inner(columns, (right, result))
        # loops of one side that do not join its others are a batch, whose other matrix is shared
        whole = [one for one in self.loops if one in (*batch, *outer_rows, *outer_columns)]
        b = _joined(whole, (left, right, result))
        if b is None:
            return None
        buffers = (*(one.load for one in self.factors), stored)
        offsets = [_offset(load, self.variables) for load in buffers]
        forms = ((m.strides[0], depth.strides[0]), (depth.strides[1], n.strides[0]),
                 (m.strides[1], n.strides[1]))  # fmt: skip
        made = [
            Strided(load.buffer, offset, row, column, step)
            for load, offset, (row, column), step in zip(
                buffers, offsets, forms, b.strides, strict=True
            )
        ]
        extents = ((m.extent, depth.extent), (depth.extent, n.extent), (m.extent, n.extent))
        groups = {**dict.fromkeys(m.names, "m"), **dict.fromkeys(n.names, "n"),
                  **dict.fromkeys(depth.names, "k"), **dict.fromkeys(b.names, "b")}  # fmt: skip
        for load, matrix, (high, wide) in zip(buffers, made, extents, strict=True):
            if not _is_matrix(matrix, high, wide, _is_mixed(load, groups)):
                return None
        a, z, y = made
        before = tuple(one.before for one in self.factors if one.before is not None)
        return Product(a, z, y, m.extent, n.extent, depth.extent, b.extent, before, None)


def _nest(func: LoopFunc, loops: tuple[For, ...], body: tuple[Stmt, ...]) -> _Nest | None:
    """The loops taken apart; None where they are no sum of products of two factors. `body` is that
    of the innermost one, after all that stands between them."""
    inside = [k for k, s in enumerate(body) if isinstance(s, For)]
    if len(inside) != 1 or any(loop.kind not in ("parallel", "serial") for loop in loops):
        return None
    before, after = body[: inside[0]], body[inside[0] + 1 :]
    reduction: list[For] = []
    within: Sequence[Stmt] = (body[inside[0]],)
    while len(within) == 1 and isinstance(within[0], For):
        reduction.append(within[0])
        within = within[0].body
    variables = {loop.var for loop in (*loops, *reduction)}
    if any(ty.symbols(loop.extent) & variables for loop in (*loops, *reduction)):
        return None
    sums = inlined(within, before)
    if sums is None or len(sums) != 1:
        return None
    (total,) = sums
    found = factors(func, total, (*before, *within), loops, reduction)
    if found is None:
        return None
    mine = [s for s in before if isinstance(s, (Alloc, Store)) and s.buffer == total.buffer]
    around = tuple(s for s in before if s not in mine)
    ends = _inlined_sum(after, total.buffer)
    starts = [s.value for s in mine if isinstance(s, Store)]
    if len(starts) != 1 or not isinstance(starts[0], L.Const) or starts[0].value != 0:
        return None
    if any(not isinstance(s, (Let, L.Fail)) for s in around):
        return None
    if any(not isinstance(s, (Let, L.Fail, Store)) for s in ends):
        return None
    if any(isinstance(s, Store) and s.buffer.space != "global" for s in ends):
        return None
    return _Nest(loops, tuple(reduction), total.buffer, around, ends, found)


def _inlined_sum(stmts: Sequence[Stmt], buffer: Buffer) -> tuple[Stmt, ...]:
    """The statements with the Lets of the sum, and of casts of it, written out."""
    values: dict[str, Expr] = {}

    def leaf(expr: Expr) -> Expr:
        return values.get(expr.name, expr) if isinstance(expr, L.Name) else expr

    found: list[Stmt] = []
    for stmt in stmts:
        stmt = L.map_stmt(stmt, lambda index: index, leaf)
        if isinstance(stmt, Let):
            inner = stmt.value.value if isinstance(stmt.value, Cast) else stmt.value
            if isinstance(inner, Load) and inner.buffer == buffer:
                values[stmt.name] = stmt.value
                continue
        found.append(stmt)
    return tuple(found)


# ---------------------------------------------------------------------------------------- strides


@dataclass(frozen=True, slots=True)
class _Axis:
    """Loops that are one: its extent, and its stride in each of some matrices."""

    extent: Extent
    strides: tuple[Extent, ...]
    names: tuple[str, ...]


def _strides(load: Load, variables: Sequence[str]) -> dict[str, Extent] | None:
    """How far an element moves with each variable; None where that is no constant."""
    offset = load.buffer.offset(load.index)
    found: dict[str, Extent] = {}
    for var in variables:
        parts = ty.linear(offset, var)
        if parts is None or ty.symbols(parts[0]) & set(variables):
            return None
        found[var] = parts[0]
    return found


def _offset(load: Load, variables: Sequence[str]) -> Extent:
    """Where the element of the first iterations is."""
    return ty.substitute(load.buffer.offset(load.index), dict.fromkeys(variables, 0))


def _joined(loops: Sequence[For], matrices: Sequence[dict[str, Extent]]) -> _Axis | None:
    """The loops as one, in all of the matrices; None where they are not."""
    axis, outer = _inner(loops, matrices)
    return None if outer else axis


def _inner(
    loops: Sequence[For], matrices: Sequence[dict[str, Extent]]
) -> tuple[_Axis, list[For]]:  # fmt: skip
    """As many of the inner loops as one as there can be, and the others."""
    if not loops:
        return _Axis(1, (0,) * len(matrices), ()), []
    *outer, last = loops
    axis = _Axis(last.extent, tuple(m[last.var] for m in matrices), (last.var,))
    while outer:
        wanted = tuple(step * axis.extent for step in axis.strides)
        if tuple(m[outer[-1].var] for m in matrices) != wanted:
            break
        loop = outer.pop()
        axis = _Axis(axis.extent * loop.extent, axis.strides, (*axis.names, loop.var))
    return axis, outer


def _is_matrix(matrix: Strided, rows: Extent, columns: Extent, is_mixed: bool) -> bool:
    """Are its rows or its columns contiguous, and none of them over others?"""
    for inner, step, outer, leap in (
        (columns, matrix.column, rows, matrix.row), (rows, matrix.row, columns, matrix.column),
    ):  # fmt: skip
        if inner != 1 and step != 1:
            continue
        if outer == 1 or leap == inner:
            return True
        if isinstance(leap, int) and isinstance(inner, int):
            return leap >= inner
        return not is_mixed
    return False


def _is_mixed(load: Load, groups: dict[str, str]) -> bool:
    """Does an axis of the buffer move with loops of two groups, as the windows of an image do?"""
    return any(
        len({groups[name] for name in ty.symbols(index) if name in groups}) > 1
        for index in load.index
    )


# -------------------------------------------------------------------------------------- rewriting


def _value(stmt: Stmt) -> Expr:
    assert isinstance(stmt, (Let, Store, L.Fail))
    return stmt.cond if isinstance(stmt, L.Fail) else stmt.value


def _with_value(stmt: Stmt, value: Expr) -> Stmt:
    if isinstance(stmt, L.Fail):
        return replace(stmt, cond=value)
    assert isinstance(stmt, (Let, Store))
    return replace(stmt, value=value)


def _rebuilt(expr: Expr, visit: Callable[[Expr], Expr]) -> Expr:
    """The expression with its children visited."""
    if isinstance(expr, L.Scalar):
        return replace(expr, args=tuple(visit(a) for a in expr.args))
    if isinstance(expr, (Cast, L.Bitcast)):
        return replace(expr, value=visit(expr.value))
    if isinstance(expr, L.Select):
        return L.Select(visit(expr.cond), visit(expr.a), visit(expr.b))
    if isinstance(expr, Load) and expr.guard is not None:
        return replace(expr, guard=visit(expr.guard))
    return expr
