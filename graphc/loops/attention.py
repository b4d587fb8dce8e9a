"""attention: the nest that the card of attention writes (graphc/ops/attention.py), taken apart.

What that nest says in blocks of queries and of keys is answered for single ones: q[i, x], k[j, x],
v[j, x], and the map from a product of the first two to a score. A schedule then chooses blocks of
its own. The nest is known by its form; what does not have it is None.

    for p: qt[x, i] = q[first(p) + i, x]; ...
        for b: s[j, i] = map(sum over x of k[step*b + j, x] * qt[x, i]); ...; o += s * v; ...
        y[first(p) + i, x] = o[i, x] / l[i]
        M[first(p) + i] = m[i]; L[first(p) + i] = log(l[i])      where they are asked for

Blocks vanish by going to the first: with p at the first block of a head, i is the query itself, and
with b = 0, j is the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import TypeVar

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim, DType
from . import cuda_access as A
from . import ir as L
from .cuda_access import merge
from .ir import Accumulate, Alloc, Buffer, Expr, For, Index, Let, Load, Stmt, Store

T = TypeVar("T")

HEAD = "_head"
"""The name of the head's number in what is answered."""


@dataclass(frozen=True, slots=True)
class Attention:
    """softmax(map(q k^T)) v of all heads, in single elements."""

    heads: Index
    queries: Index
    keys: Index
    depth: int
    width: int
    lets: tuple[Let, ...]
    """What depends on the head alone, such as its indices."""
    query: str
    key: str
    place: str
    """Names of the query, the key and the place along a row in the expressions below."""
    q: Expr
    k: Expr
    v: Expr
    score: tuple[Let, ...]
    """Statements before the score."""
    value: Expr
    """The score."""
    product: Load
    """Stands for q k^T in these."""
    inner: DType
    """Of the sums of q k^T."""
    outer: DType
    """Of weights and their sums."""
    out: Buffer
    at: tuple[Index, ...]
    """The head's place in the result."""
    rows: tuple[Buffer, ...] = ()
    """Where the greatest score and the logarithm of the sum of a query go."""
    hidden: Index | None = None
    """Keys after query + this have the score -inf, whatever they are."""

    @property
    def reads(self) -> bool:
        """Does the map read memory?"""
        values = (*(let.value for let in self.score), self.value)
        loads = (e for v in values for e in L.walk(v) if isinstance(e, Load))
        return any(load != self.product for load in loads)


class _Strange(Exception):
    """The nest has another form."""


def match(loop: For) -> Attention | None:
    """The nest as an attention, or None."""
    held = [s.buffer for s in loop.body if isinstance(s, Alloc)]
    if loop.kind != "parallel" or len(held) not in (6, 7):
        return None
    if any(b.space != "local" for b in held):
        return None
    try:
        return _Parser(loop, held).attention()
    except _Strange:
        return None


@dataclass(frozen=True, slots=True)
class _Fill:
    """A local array of rows: array[a*extent + b] = value, for a and b the variables."""

    variables: tuple[str, str]
    extent: Index
    value: Expr

    def at(self, load: Load, places: Sequence[tuple[Index, Index]]) -> Expr | None:
        """What a load reads, if it is at one of the places."""
        for a, b in places:
            if load.index == (merge(a * self.extent + b),):
                return _substituted(self.value, dict(zip(self.variables, (a, b), strict=True)))
        return None


@dataclass
class _Scope:
    """The Lets above an expression, written out: values, and what is an index."""

    values: dict[str, Expr] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)

    def inside(self) -> _Scope:
        return _Scope(dict(self.values), dict(self.indices))

    def add(self, let: Let) -> None:
        value = self.of(let.value)
        self.values[let.name] = value
        if isinstance(value, L.Idx):
            self.indices[let.name] = value.index

    def of(self, expr: Expr) -> Expr:
        def leaf(one: Expr) -> Expr:
            return self.values.get(one.name, one) if isinstance(one, L.Name) else one

        found = L.map_expr(_substituted(expr, self.indices), lambda i: i, leaf)
        hidden = self.values.keys() - self.indices.keys()
        if hidden & _index_names(found):
            raise _Strange  # an index that comes from data
        return found


class _Parser:
    def __init__(self, loop: For, held: list[Buffer]):
        self.loop = loop
        self.qt, self.scores, top, _, _, self.sums, *self.poison = held
        size, row, sums = (b.shape[0] for b in (top, self.qt, self.sums))
        if not all(isinstance(n, int) for n in (size, row, sums)):
            raise _Strange
        assert isinstance(size, int) and isinstance(row, int) and isinstance(sums, int)
        self.size, self.depth, self.width = size, row // size, sums // size

    def attention(self) -> Attention:
        nests = [s for s in self.loop.body if isinstance(s, For)]
        rows: tuple[Buffer, ...] = ()
        if nests and not any(isinstance(s, For) for s in nests[-1].body):
            rows = tuple(s.buffer for s in nests.pop().body if isinstance(s, Store))
        last: Index | None = None
        if self.poison:
            last = self.last_seen(next(s for s in nests if _writes(s, self.scores)))
            fills = [s for s in nests if _writes(s, self.poison[0]) and not _writes(s, self.scores)]
            nests = [self.seen(s) for s in nests if s not in fills]
        if not 5 <= len(nests) <= 6 or len(rows) not in (0, 2):
            raise _Strange
        begin, blocks, end = nests[0], nests[3:-1], nests[-1]
        (row, column), load = _stored(begin, self.qt)
        q = _uncast(_substituted(load, {column: Dim.symbol(QUERY), row: Dim.symbol(PLACE)}))
        write = _only(s for s in L.statements(end.body) if isinstance(s, Store))
        out = write.buffer
        *batch, queries, width = out.shape
        if width != self.width or len(write.index) != len(out.shape):
            raise _Strange
        keys: Index = 0
        for block in blocks:
            keys = keys + block.extent * self.score_nest(block).extent
        inner = self.block(blocks[0])
        k, v, score, value, product = inner
        count = (queries + (self.size - 1)) // self.size
        env: dict[str, Index] = {self.loop.var: count * Dim.symbol(HEAD)}
        lets, known = self.heads(env)
        fixed = known | {blocks[0].var: 0}
        hidden = None if last is None else ty.substitute(last, fixed) - (self.size - 1)
        at = tuple(_at(i, fixed) for i in write.index[:-2])
        used: set[str] = set().union(*(ty.symbols(i) for i in at))
        parts = [_substituted(e, fixed) for e in (q, k, v, value)]
        score = tuple(s for s in (L.substitute(one, fixed) for one in score) if isinstance(s, Let))
        used |= set[str]().union(
            *(A.expression_names(e) for e in parts), *(A.expression_names(s.value) for s in score)
        )
        kept: list[Let] = []
        for let in reversed(lets):
            if let.name in used:
                kept.insert(0, let)
                used |= A.expression_names(let.value)
        return Attention(
            ty.product(batch), queries, merge(keys), self.depth, self.width, tuple(kept),
            QUERY, KEY, PLACE, parts[0], parts[1], parts[2], score, parts[3], product,
            product.dtype, self.scores.dtype, out, at, rows, hidden,
        )  # fmt: skip

    def last_seen(self, nest: For) -> Index | None:
        """The last key that a query of the block may see; None where scores say that too."""
        cond = next((s.value for s in nest.body if isinstance(s, Let)), None)
        if isinstance(cond, L.Scalar) and cond.op == "le" and isinstance(cond.args[1], L.Idx):
            return cond.args[1].index
        return None

    def seen(self, nest: For) -> For:
        """A block of keys without the question whether a query sees one of them."""
        inside = [s for s in nest.body if isinstance(s, For) and _writes(s, self.scores)]
        if len(inside) != 1 or not any(_writes(s, self.sums) for s in inside[0].body):
            return nest
        return replace(nest, body=inside[0].body)

    def heads(self, env: dict[str, Index]) -> tuple[list[Let], dict[str, Index]]:
        """The Lets of the outer loop in the first block of a head, and those that are numbers
        there."""
        lets: list[Let] = []
        known = dict(env)
        for stmt in self.loop.body:
            if not isinstance(stmt, Let):
                continue
            value = _folded(_substituted(stmt.value, known))
            if isinstance(value, L.Idx) and not isinstance(value.index, Dim):
                known[stmt.name] = value.index
            else:
                lets.append(Let(stmt.name, value))
        return lets, known

    def score_nest(self, block: For) -> For:
        return next(s for s in block.body if _writes(s, self.scores))  # type: ignore[return-value]

    def block(self, block: For) -> tuple[Expr, Expr, tuple[Let, ...], Expr, Load]:
        """k, v, and the score of a block of keys."""
        fills: dict[str, _Fill] = {}
        scope = _Scope()
        rest = list(block.body)
        while rest and not _writes(rest[0], self.scores):
            self.before(rest.pop(0), scope, fills)
        if not rest or not isinstance(rest[0], For):
            raise _Strange
        found = self.score(rest.pop(0), scope, fills)
        if not rest or not isinstance(rest.pop(0), For):
            raise _Strange  # the weights
        while rest and not _writes(rest[0], self.sums):
            self.before(rest.pop(0), scope, fills)
        (last,) = rest
        assert isinstance(last, For)
        (inner,) = last.body
        if not isinstance(inner, For):
            raise _Strange
        term, factors = _reduction(inner.body, scope)
        places = [(Dim.symbol(term), Dim.symbol(inner.var))]
        (v,) = (f for f in factors if not _reads(f, self.scores))
        v = self.filled(v, fills, places)
        v = _substituted(v, {term: Dim.symbol(KEY), inner.var: Dim.symbol(PLACE)})
        return found[0], _uncast(v), *found[1:]

    def before(self, stmt: Stmt, scope: _Scope, fills: dict[str, _Fill]) -> None:
        """What stands before a product: Lets, and arrays that are filled."""
        if isinstance(stmt, Let):
            scope.add(stmt)
        elif isinstance(stmt, For):
            stores = [s for s in L.statements(stmt.body) if isinstance(s, Store)]
            buffer = _only(stores).buffer
            variables, value = _stored(stmt, buffer, scope)
            (inner,) = (s for s in stmt.body if isinstance(s, For))
            places = [(Dim.symbol(b), Dim.symbol(a)) for a, b in (variables,)]
            fills[buffer.name] = _Fill(variables, inner.extent, self.filled(value, fills, places))
        elif not isinstance(stmt, Alloc):
            raise _Strange

    def filled(
        self, value: Expr, fills: dict[str, _Fill], places: Sequence[tuple[Index, Index]]
    ) -> Expr:
        """The value with reads of local arrays replaced by what was put there."""

        def leaf(one: Expr) -> Expr:
            if isinstance(one, Load) and one.buffer.space == "local":
                fill = fills.get(one.buffer.name)
                found = None if fill is None else fill.at(one, places)
                if found is None:
                    raise _Strange
                return found
            return one

        return L.map_expr(value, lambda i: i, leaf)

    def score(
        self, nest: Stmt, scope: _Scope, fills: dict[str, _Fill]
    ) -> tuple[Expr, tuple[Let, ...], Expr, Load]:
        """k, the statements before a score, the score, and what stands for the product in them."""
        assert isinstance(nest, For)
        scope = scope.inside()
        outer = [*scope.values]
        inner = nest.body[-1]
        if not isinstance(inner, For):
            raise _Strange
        stmts = [*nest.body[:-1], *inner.body]
        term, factors = _reduction(stmts, scope)
        env: dict[str, Index] = {nest.var: Dim.symbol(KEY), inner.var: Dim.symbol(QUERY)}
        places = [
            (Dim.symbol(nest.var), Dim.symbol(term)), (Dim.symbol(nest.var), Dim.symbol(inner.var)),
        ]  # fmt: skip
        (k,) = (f for f in factors if not _reads(f, self.qt))
        k = self.filled(k, fills, places)
        k = _substituted(k, env | {term: Dim.symbol(PLACE)})
        total = _only(s.buffer for s in stmts if isinstance(s, Alloc))
        lets: list[Let] = []
        for name in outer:
            lets.append(Let(name, scope.values[name]))
        value: Expr | None = None
        for stmt in stmts:
            if isinstance(stmt, Let):
                lets.append(Let(stmt.name, self.filled(stmt.value, fills, places)))
            elif isinstance(stmt, Store) and stmt.buffer == self.scores:
                value = self.filled(stmt.value, fills, places)
            elif isinstance(stmt, Store) and stmt.buffer != total:
                raise _Strange
        if value is None:
            raise _Strange
        made = tuple(s for s in (L.substitute(let, env) for let in lets) if isinstance(s, Let))
        return _uncast(k), made, _substituted(value, env), Load(total, (0,))


QUERY, KEY, PLACE = "_query", "_key", "_place"


def _only(found: Iterable[T]) -> T:
    every = list(found)
    if len(every) != 1:
        raise _Strange
    return every[0]


def _stored(nest: For, buffer: Buffer, scope: _Scope | None = None) -> tuple[tuple[str, str], Expr]:
    """The variables of two loops that fill an array, line by line, and the value there."""
    scope = _Scope() if scope is None else scope.inside()
    for stmt in nest.body[:-1]:
        if not isinstance(stmt, Let):
            raise _Strange
        scope.add(stmt)
    inner = nest.body[-1]
    if not isinstance(inner, For):
        raise _Strange
    for stmt in inner.body[:-1]:
        if not isinstance(stmt, Let):
            raise _Strange
        scope.add(stmt)
    last = inner.body[-1]
    place = (merge(Dim.symbol(nest.var) * inner.extent + Dim.symbol(inner.var)),)
    if not isinstance(last, Store) or last.buffer != buffer or last.index != place:
        raise _Strange
    return (nest.var, inner.var), scope.of(last.value)


def _reduction(stmts: Sequence[Stmt], scope: _Scope) -> tuple[str, tuple[Expr, ...]]:
    """The variable of the loop that sums products, and their factors."""
    scope = scope.inside()
    for stmt in stmts:
        if isinstance(stmt, Let):
            scope.add(stmt)
        elif isinstance(stmt, For):
            for one in stmt.body[:-1]:
                if not isinstance(one, Let):
                    raise _Strange
                scope.add(one)
            last = stmt.body[-1]
            if not isinstance(last, Accumulate) or last.op != "add":
                raise _Strange
            value = scope.of(last.value)
            if not isinstance(value, L.Scalar) or value.op != "mul":
                raise _Strange
            return stmt.var, value.args
    raise _Strange


def _writes(stmt: Stmt, buffer: Buffer) -> bool:
    return any(w.buffer == buffer for w in A.writes((stmt,)))


def _reads(expr: Expr, buffer: Buffer) -> bool:
    return any(isinstance(e, Load) and e.buffer == buffer for e in L.walk(expr))


def _index_names(expr: Expr) -> set[str]:
    found: set[str] = set()
    for one in L.walk(expr):
        if isinstance(one, Load):
            found |= A.index_names(one.index)
        elif isinstance(one, L.Idx):
            found |= ty.symbols(one.index)
    return found


def _at(index: Index, env: dict[str, Index]) -> Index:
    return merge(ty.substitute(index, env)) if isinstance(index, Dim) else index


def _substituted(expr: Expr, env: dict[str, Index]) -> Expr:
    return L.map_expr(expr, lambda i: _at(i, env))


def _folded(value: Expr) -> Expr:
    """The lesser of two numbers as a number."""
    if isinstance(value, L.Scalar) and value.op == "min":
        numbers = [
            e.index if isinstance(e, L.Idx) else e.value if isinstance(e, L.Const) else None
            for e in value.args
        ]
        if all(isinstance(n, int) for n in numbers):
            return L.Idx(min(n for n in numbers if isinstance(n, int)))
    return value


def _uncast(value: Expr) -> Expr:
    """The number as it lies in memory, before it is widened."""
    widens = (
        isinstance(value, L.Cast) and value.dtype.is_float and value.value.dtype.is_float
        and value.value.dtype.bits < value.dtype.bits
    )  # fmt: skip
    return value.value if widens and isinstance(value, L.Cast) else value
