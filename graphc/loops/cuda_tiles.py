"""How the operands of a contraction come into shared memory, for CUDA: a slice at a time.

    tile[k, i] = x[start + i, slice + k]        numbers, for multiply-adds
    tile[s, i, k] or tile[s, k, i]              floats, for tensor cores: stage s of a slice
    tile[i, k] = a word of four numbers         bytes, for tensor cores

A copy has two halves, with the arithmetic of the slice before in between: `fetch` reads a slice
into the thread's registers (`stage`), `fill` puts it into the tile. What belongs to the operand (a
cast, a transpose, a window of an image, the guard of its padding) is done by `fetch`. It reads 16
bytes at once where numbers are contiguous and aligned, either along the operand's own axis (rows
or columns) or along the terms; what lies outside of the operand is 0 and is not read. Tiles of
16-bit floats lie as their operand does in memory, for `Fragments` read them either way. Where their
numbers need no arithmetic, `send` does both halves: an asynchronous copy past the registers.

Banks of shared memory: 32 words side by side. Tiles of numbers have rows 16 bytes longer than they
need, so 16 rows by two groups of four terms are stored to 32 different banks; in tiles of 16-bit
floats 16 bytes of each of 8 rows are 32 different banks then. Tiles of words have rows of 20 words
and 16 more after each 8 rows: 8 rows by 4 words (a fragment of `Mma`), 8 rows by 16 bytes, and 16
words of two groups of 8 rows are 32 different banks each.

Called by cuda_contract.py; decides nothing about what is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import U8, U16, U32
from . import cuda_access as A
from . import ir as L
from .cuda_access import linear, merge
from .cuda_nests import THREADS, WARP, Names, ceil_div, coordinates, extent_of, symbol
from .ir import Alloc, Buffer, Expr, For, If, Index, Load, Stmt, Store

PACK_BYTES = 16
BANK_BYTES = 128
"""What all banks of shared memory give at once."""
WORDS = 16
"""Words of a row in a slice of pairs."""
PAIRED_TERMS = 2 * WORDS
"""Terms of such a slice, of 16-bit floats; of bytes twice as many."""
PITCH, GROUP = WORDS + 4, 8 * (WORDS + 4) + 16
"""Words of a row, and of 8 rows."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One or more loops as one flat axis."""

    loops: tuple[For, ...]

    @property
    def extent(self) -> Index:
        return extent_of(self.loops)

    @property
    def inner(self) -> For:
        return self.loops[-1]

    def at(self, flat: Index) -> dict[str, Index]:
        """The loops' variables at a position."""
        where = coordinates(flat, [loop.extent for loop in self.loops])
        return {loop.var: i for loop, i in zip(self.loops, where, strict=True)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block and its threads are: indices made of the names of their loops."""

    warp: str
    lane: str
    known: dict[str, int]
    """How many values the names take."""
    warps: int = THREADS // WARP
    lanes: int = WARP

    @property
    def threads(self) -> int:
        return self.lanes * self.warps

    @property
    def thread(self) -> Index:
        return self.lanes * symbol(self.warp) + symbol(self.lane)

    def bounds(self, more: dict[str, int]) -> dict[str, tuple[int | None, int | None]]:
        return {name: (0, n - 1) for name, n in (self.known | more).items()}

    def less(self, index: Index, extent: Index, more: dict[str, int]) -> Expr:
        return L.less(index, extent, self.bounds(more))

    def shortened(self, stmts: Sequence[Stmt], more: dict[str, int]) -> tuple[Stmt, ...]:
        """The statements without divisions whose result is known."""
        known = self.bounds(more)
        return tuple(L.map_stmt(s, lambda i: A.shortened(i, known)) for s in stmts)


@dataclass(frozen=True, slots=True)
class Operand:
    """What one side of a contraction multiplies with, as a function of its own axis and the
    terms."""

    value: Expr
    own: Axis
    terms: Axis
    around: dict[str, Index]
    """The variables of the batch."""

    def at(self, own: Index, term: Index) -> Expr:
        env = self.around | self.own.at(own) | self.terms.at(term)
        return L.map_expr(self.value, lambda i: _at(i, env))

    def runs_deep(self) -> bool:
        """Does memory run along the terms?"""
        return any(
            A.stride(merge(load.buffer.offset(load.index)), self.terms.inner.var) == 1
            for load in loads_of(self.value)
        )


@dataclass(frozen=True, slots=True)
class Copy:
    """One operand's way into its tile."""

    operand: Operand
    tile: Buffer
    stage: Buffer
    start: Index
    """The tile's first row (or column)."""
    extent: int
    """Rows (or columns) of the tile."""
    depth: int
    """Terms of the tile."""
    deep: bool
    """Pieces run along the terms, not along the operand's own axis."""
    lanes: int
    """Numbers of a piece."""
    names: Names
    place: Place

    @property
    def pieces(self) -> int:
        return self.extent * self.depth // self.lanes

    @property
    def held(self) -> int:
        """Registers of the stage for a piece."""
        return self.lanes

    @property
    def turns(self) -> int:
        return ceil_div(self.pieces, self.place.threads)

    def each(self, body: Callable[[Index, Index, dict[str, int]], Sequence[Stmt]]) -> list[Stmt]:
        """`body(piece, turn, known)` for the thread's pieces."""
        turn = self.names.fresh("turn")
        at: Index = 0 if self.turns == 1 else symbol(turn)
        piece = self.place.threads * at + self.place.thread
        known = {turn: self.turns}
        stmts = self.place.shortened(body(piece, at, known), known)
        cond = self.place.less(piece, self.pieces, known)
        if cond != L.TRUE:
            stmts = (If(cond, stmts),)
        return list(stmts) if self.turns == 1 else [For(turn, self.turns, "unroll", stmts)]

    def where(self, piece: Index) -> tuple[Index, Index]:
        """The first number of a piece: (row or column of the tile, term of the slice)."""
        if not self.deep:
            groups = self.extent // self.lanes
            return self.lanes * (piece % groups), piece // groups
        groups = self.depth // self.lanes
        if self.lanes == 1:
            return piece // groups, piece % groups
        return piece % 16 + 16 * (piece // (16 * groups)), self.lanes * (piece // 16 % groups)

    @property
    def sends(self) -> bool:
        """Can pieces be copied past the registers?"""
        return False

    # -- the two halves
    def fetch(self, first: Index, known: dict[str, int]) -> list[Stmt]:
        """Reads the slice that begins with the term `first`."""

        def body(piece: Index, turn: Index, turns: dict[str, int]) -> list[Stmt]:
            own, term = self.where(piece)
            return [self.read(self.stage, self.lanes * turn, own, first + term, known | turns)]

        return self.each(body)

    def fill(self) -> list[Stmt]:
        """Puts what was read into the tile."""

        def body(piece: Index, turn: Index, turns: dict[str, int]) -> list[Stmt]:
            own, term = self.where(piece)
            lane = self.names.fresh("l")
            e = symbol(lane)
            place = (term + e, own) if self.deep else (term, own + e)
            store = Store(self.tile, place, Load(self.stage, (self.lanes * turn + e,)))
            kind = "unroll" if self.deep or self.lanes == 1 else "vector"
            return [For(lane, self.lanes, kind, (store,))]

        return self.each(body)

    def read(
        self, target: Buffer, at: Index, own: Index, term: Index, known: dict[str, int]
    ) -> Stmt:
        """target[at + l] = number l of a piece; 0 where there is none."""
        lane = self.names.fresh("l")
        row = self.start + own
        value, guard = self.number(row, term, symbol(lane), lane)
        cond = L.both(
            self.place.less(row, self.operand.own.extent, known),
            self.place.less(term, self.operand.terms.extent, known),
        )
        cond = L.both(cond, guard)
        place = (at + symbol(lane),)
        kind = "vector" if self.lanes > 1 else "unroll"
        read = For(lane, self.lanes, kind, (Store(target, place, value),))
        if cond is None:
            return read
        zero = For(lane, self.lanes, "unroll", (Store(target, place, L.const(0, target.dtype)),))
        return If(cond, (read,), (zero,))

    def number(self, row: Index, term: Index, e: Index, lane: str) -> tuple[Expr, Expr | None]:
        """Number `e` of a piece, and the guard that all of its numbers share."""
        value = self.operand.at(row, term + e) if self.deep else self.operand.at(row + e, term)
        value = L.map_expr(value, lambda i: A.lift_lane(i, lane, self.lanes))
        return unguarded(value, lane)


class MatrixCopy(Copy):
    """16-bit floats in stages: tile (stage, row, term) where pieces run along the terms, else
    (stage, term, row)."""

    __slots__ = ()

    @property
    def long(self) -> int:
        """Numbers of a line of the tile."""
        return self.depth if self.deep else self.extent

    @property
    def groups(self) -> int:
        """Pieces of a line; with 8 lines at once a power of 2, so that a thread's next piece is as
        many bytes further as the one before. Some threads then have nothing to do."""
        groups = self.long // self.lanes
        return 1 << (groups - 1).bit_length() if self.eight else groups

    @property
    def eight(self) -> bool:
        """Do pieces go through 8 lines at once? So they do where a line is no multiple of all
        banks, or has an odd number of them."""
        groups, lines = self.long // self.lanes, self.extent * self.depth // self.long
        uneven = self.long * self.tile.dtype.nbytes % BANK_BYTES or groups & (groups - 1)
        return bool(uneven) and self.lanes > 1 and lines % 8 == 0

    @property
    def pieces(self) -> int:
        return self.extent * self.depth // self.long * self.groups

    def where(self, piece: Index) -> tuple[Index, Index]:
        """Pieces go line by line, or through 8 lines at once."""
        groups = self.groups
        line, place = piece // groups, self.lanes * (piece % groups)
        if self.eight:
            line = piece % 8 + 8 * (piece // (8 * groups))
            place = self.lanes * (piece // 8 % groups)
        return (line, place) if self.deep else (place, line)

    def each(self, body: Callable[[Index, Index, dict[str, int]], Sequence[Stmt]]) -> list[Stmt]:
        def inside(piece: Index, turn: Index, known: dict[str, int]) -> Sequence[Stmt]:
            place = self.where(piece)[1 if self.deep else 0]
            cond = self.place.less(place, self.long, known)
            stmts = body(piece, turn, known)
            return stmts if cond == L.TRUE else [If(cond, tuple(stmts))]

        return super().each(inside)

    def _at(self, slot: Index, own: Index, term: Index, e: Index) -> tuple[Index, ...]:
        return (slot, own, term + e) if self.deep else (slot, term, own + e)

    def laid_out(self, tile: Buffer, stages: int) -> Buffer:
        """The tile with room for so many stages."""
        lines, long = (self.extent, self.depth) if self.deep else (self.depth, self.extent)
        widest = PACK_BYTES // tile.dtype.nbytes
        return replace(tile, shape=(stages, lines, long + widest))

    def store(self, slot: Index) -> list[Stmt]:
        """Puts what was read into a stage of the tile."""

        def body(piece: Index, turn: Index, turns: dict[str, int]) -> list[Stmt]:
            lane = self.names.fresh("l")
            e = symbol(lane)
            value = Load(self.stage, (self.lanes * turn + e,))
            put = Store(self.tile, self._at(slot, *self.where(piece), e), value)
            return [For(lane, self.lanes, "vector" if self.lanes > 1 else "unroll", (put,))]

        return self.each(body)

    @property
    def sends(self) -> bool:
        """Can pieces be copied past the registers?"""
        nbytes = self.lanes * self.tile.dtype.nbytes
        return nbytes >= 4 and isinstance(self.operand.value, Load)

    def send(self, slot: Index, first: Index, known: dict[str, int]) -> list[Stmt]:
        """Copies the slice that begins with the term `first` to a stage of the tile."""

        def body(piece: Index, turn: Index, turns: dict[str, int]) -> list[Stmt]:
            own, term = self.where(piece)
            lane = self.names.fresh("l")
            e, more = symbol(lane), known | turns
            row, at = self.start + own, first + term
            value, guard = self.number(row, at, e, lane)
            assert isinstance(value, Load)
            inside = L.both(
                self.place.less(row, self.operand.own.extent, more),
                self.place.less(at, self.operand.terms.extent, more),
            )
            value = replace(value, guard=L.both(inside, guard))
            place = self._at(slot, own, term, e)
            put = Store(self.tile, place, value, asynchronous=True)
            return [For(lane, self.lanes, "vector", (put,))]

        return self.each(body)

    def fragments(
        self, target: Buffer, at: Index, slot: Index, own: Index, term: Index, lane: Index,
        is_left: bool,
    ) -> list[Stmt]:  # fmt: skip
        """Reads 16 rows (or columns) by 16 terms as `Mma` wants them: on its left side 4 words, on
        its right side 2 words for the first 8 columns and 2 for the others."""
        # matrix m = lane // 8 of the four: on the left, m % 2 is the half of the rows
        low, high = lane // 8 % 2, lane // 16
        size = PACK_BYTES // self.tile.dtype.nbytes
        half, part = (low, high) if is_left else (high, low)
        if self.deep:
            place = (slot, own + 8 * half + lane % 8, term + size * part)
        else:
            place = (slot, term + size * part + lane % 8, own + 8 * half)
        return [L.Fragments(target, (at,), self.tile, place, not self.deep)]


class PairCopy(Copy):
    """The same with four terms to a word of the tile."""

    __slots__ = ()

    @property
    def per(self) -> int:
        """Terms of a word."""
        return 4 // self.operand.value.dtype.nbytes

    @property
    def pieces(self) -> int:
        if self.deep and self.lanes > 1:
            return self.extent * self.depth // self.lanes
        return self.extent // self.lanes * (self.depth // self.per)

    @property
    def held(self) -> int:
        return self.lanes // self.per if self.deep and self.lanes > 1 else self.lanes

    def where(self, piece: Index) -> tuple[Index, Index]:
        """Along its own axis, or where a number stands alone, a piece has further lines of numbers,
        those of the other terms of its words."""
        per, words = self.per, self.depth // self.per
        if not self.deep:
            if self.lanes == 1:
                return piece % self.extent, per * (piece // self.extent)
            return self.lanes * (piece // words), per * (piece % words)
        if self.lanes == 1:
            return piece // words, per * (piece % words)
        groups = self.depth // self.lanes
        return piece % 8 + 8 * (piece // (8 * groups)), self.lanes * (piece // 8 % groups)

    def fetch(self, first: Index, known: dict[str, int]) -> list[Stmt]:
        dtype, per = self.operand.value.dtype, self.per

        def body(piece: Index, turn: Index, turns: dict[str, int]) -> list[Stmt]:
            own, term = self.where(piece)
            lane = self.names.fresh("w")
            e = symbol(lane)
            stmts: list[Stmt] = []
            lines: list[Buffer] = []
            alone = self.deep and self.lanes > 1
            for line in range(1 if alone else per):
                one = Buffer(self.names.fresh("read"), dtype, (self.lanes,), None, "register")
                stmts += [Alloc(one), self.read(one, 0, own, first + term + line, known | turns)]
                lines.append(one)
            if alone:
                pair = packed(*(Load(lines[0], (per * e + k,)) for k in range(per)))
            else:
                pair = packed(*(Load(one, (e,)) for one in lines))
            store = Store(self.stage, (self.held * turn + e,), pair)
            return [*stmts, For(lane, self.held, "unroll", (store,))]

        return self.each(body)

    def fill(self) -> list[Stmt]:
        def body(piece: Index, turn: Index, turns: dict[str, int]) -> list[Stmt]:
            own, term = self.where(piece)
            lane = self.names.fresh("w")
            e = symbol(lane)
            word: Index = term // self.per
            if self.deep and self.lanes > 1:
                groups = self.depth // self.lanes
                word = self.held * (piece // 8 % groups) + e
                place = (piece // (8 * groups), PITCH * (piece % 8) + word)
            elif self.lanes > 1:
                place = (piece // (self.depth // self.per), PITCH * e + word)
            else:
                place = (own // 8, PITCH * (own % 8) + word)
            store = Store(self.tile, place, Load(self.stage, (self.held * turn + e,)))
            kind = "vector" if self.deep and self.held > 1 else "unroll"
            return [For(lane, self.held, kind, (store,))]

        return self.each(body)


def plain_copy(
    names: Names, place: Place, operand: Operand, start: Index, extent: int, depth: int
) -> Copy:
    """The copy of numbers into a tile (term, row)."""
    dtype = operand.value.dtype
    widest = vector_lanes(dtype)
    tile = Buffer(
        names.fresh("tile"), dtype, (depth, extent + widest), None, "shared", "temp", PACK_BYTES
    )
    return _planned(Copy, names, place, operand, tile, dtype, start, extent, depth, widest)


def matrix_copy(
    names: Names, place: Place, operand: Operand, start: Index, extent: int, depth: int,
    stages: int, kind: type[MatrixCopy] | None = None,
) -> MatrixCopy:  # fmt: skip
    """The copy of floats into a tile of several stages."""
    dtype = operand.value.dtype
    tile = Buffer(names.fresh("tile"), dtype, (stages, 1, 1), None, "shared", "temp", PACK_BYTES)
    widest = PACK_BYTES // dtype.nbytes
    copy = _planned(
        kind or MatrixCopy, names, place, operand, tile, dtype, start, extent, depth, widest
    )  # fmt: skip
    assert isinstance(copy, MatrixCopy)
    return replace(copy, tile=copy.laid_out(tile, stages))


def pair_copy(names: Names, place: Place, operand: Operand, start: Index, extent: int) -> Copy:
    """The copy of four bytes to a word into a tile (8 rows, row and word)."""
    shape = (extent // 8, GROUP)
    nbytes = operand.value.dtype.nbytes
    tile = Buffer(names.fresh("tile"), U32, shape, None, "shared", "temp", PACK_BYTES)
    return _planned(
        PairCopy,
        names,
        place,
        operand,
        tile,
        U32,
        start,
        extent,
        4 // nbytes * WORDS,
        PACK_BYTES // nbytes,
    )


def _planned(
    kind: type[Copy], names: Names, place: Place, operand: Operand, tile: Buffer, dtype: ty.DType,
    start: Index, extent: int, depth: int, widest: int,
) -> Copy:  # fmt: skip
    """The copy with the longest pieces that can be one access."""
    stage = Buffer(names.fresh("stage"), dtype, (1,), None, "register")
    first = operand.runs_deep()
    lanes = widest
    while lanes > 1:
        for deep in (first, not first):
            copy = kind(
                operand, tile, stage, start, extent, depth, deep, lanes, names, place
            )  # fmt: skip
            if isinstance(copy, PairCopy) and (lanes < copy.per if deep else lanes != 8):
                continue  # 8 rows make a group
            if _packs(copy):
                return replace(copy, stage=replace(stage, shape=(copy.turns * copy.held,)))
        lanes //= 2
    copy = kind(operand, tile, stage, start, extent, depth, first, 1, names, place)
    return replace(copy, stage=replace(stage, shape=(copy.turns * copy.held,)))


def _packs(copy: Copy) -> bool:
    """Is a piece one access for each of the operand's loads that it moves, and are these all or
    nothing?"""
    axis = copy.operand.terms if copy.deep else copy.operand.own
    if axis.inner.extent % copy.lanes != 0:
        return False
    lane, slices = "_lane", "_slice"
    own, term = copy.where(copy.place.threads * symbol("_turn") + copy.place.thread)
    row = copy.start + own
    term = copy.depth * symbol(slices) + term
    value, guard = copy.number(row, term, symbol(lane), lane)
    if guard is not None and lane in A.expression_names(guard):
        return False
    moving = 0
    for load in loads_of(value):
        if load.guard is not None:
            return False
        offset = merge(load.buffer.offset(load.index))
        if lane not in ty.symbols(offset):
            continue
        aligned = load.buffer.strides is None or load.buffer.align >= PACK_BYTES
        if load.buffer.space != "global" or not aligned or not linear(offset, lane, copy.lanes):
            return False
        moving += 1
    return moving > 0


def vector_lanes(dtype: ty.DType) -> int:
    """Numbers that move together between shared memory and registers."""
    return max(1, min(4, PACK_BYTES // dtype.nbytes))


def packed(*numbers: Expr) -> Expr:
    """Two 16-bit floats, or four bytes, as a word; the first is the lowest."""
    bits = 32 // len(numbers)
    word: Expr | None = None
    for k, number in enumerate(numbers):
        one: Expr = L.Cast(L.Bitcast(number, U16 if bits == 16 else U8), U32)
        if k:
            one = L.Scalar("shl", (one, L.Const(bits * k, U32)), U32)
        word = one if word is None else L.Scalar("or", (word, one), U32)
    assert word is not None
    return word


def unguarded(value: Expr, lane: str) -> tuple[Expr, Expr | None]:
    """The value without the guard of its load, and the guard: the value is 0 where that does not
    hold. Of a load and casts of it, and only if `lane` does not move the guard."""
    if isinstance(value, L.Cast):
        inner, guard = unguarded(value.value, lane)
        return replace(value, value=inner), guard
    if isinstance(value, Load) and value.guard is not None:
        if lane not in A.expression_names(value.guard):
            return replace(value, guard=None), value.guard
    return value, None


def loads_of(value: Expr) -> list[Load]:
    return [e for e in L.walk(value) if isinstance(e, Load)]


def _at(index: Index, env: dict[str, Index]) -> Index:
    return merge(ty.substitute(index, env)) if isinstance(index, ty.Dim) else index
