"""The products of an attention on tensor cores, of 16-bit floats (cuda_attention.py).

A warp has 32 queries (16 of long rows), whose fragments it keeps where there is room, and all keys
of the block: what `Mma` leaves of the scores in a lane is, two numbers to a word, what the second
`Mma` wants of it. Weights are rounded to the dtype of v there, their sum is not. The block of k and
that of v are each copied, past the registers where they can, while the other is multiplied.
"""

from __future__ import annotations

import math

from graphc_runtime.records import dataclass

from ..types import F32, U32
from . import attention
from . import ir as L
from .attention import Attention
from .cuda_attention_rows import Tile, Writer, words_of
from .cuda_nests import Names, ceil_div, symbol
from .cuda_tiles import MatrixCopy, matrix_copy, packed
from .ir import Alloc, Buffer, Expr, For, Index, Load, Stmt, Store

PAIRED_BYTES = 96 * 1024
LOG2_E = L.const(math.log2(math.e), F32)
REGISTERS = 200
"""32-bit numbers that a thread may hold beside indices."""
KEPT = 170
"""The same where it keeps the queries: then nothing holds ptxas back from reading fragments
ahead."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kernel on tensor cores: `tall` times 16 queries to a warp, `step` keys to a block."""

    warps: int
    tall: int
    step: int
    keeps: bool
    """Are the fragments of the queries kept, or read for each block of keys?"""


FORMS = (
    Form(4, 2, 64, True),
    Form(4, 2, 64, False),
    Form(8, 1, 64, True),
    Form(8, 1, 64, False),
    Form(8, 1, 32, False),
)
"""Two blocks of 4 warps share a processor. The fragments of k and v serve all queries of a warp."""
FEW_FORMS = tuple(Form(2, 1, step, keeps) for step in (64, 32) for keeps in (True, False))
"""For up to 64 queries."""


class Paired(Writer):
    """Tensor cores: a warp has 16 queries, or 32."""

    lanes = 4

    def __init__(self, names: Names, nest: Attention, form: Form):
        self.tall, step = form.tall, form.step
        self.lines = 2 * self.tall
        super().__init__(names, nest, form.warps, 16 * self.tall * form.warps, step)
        self.terms = ceil_div(nest.depth, 16)
        self.groups = 2 * ceil_div(nest.width, 16)
        first = self.step * symbol(self.b)
        depth = 16 * self.terms
        left, k = (
            self.operand(value, own, extent, attention.PLACE, nest.depth)
            for value, own, extent in (
                (nest.q, attention.QUERY, nest.queries), (nest.k, attention.KEY, nest.keys)
            )
        )  # fmt: skip
        v = self.operand(nest.v, attention.PLACE, nest.width, attention.KEY, nest.keys)
        self.left = matrix_copy(names, self.place, left, self.start, self.size, depth, 1)
        self.k = matrix_copy(names, self.place, k, first, step, depth, 1)
        self.v = matrix_copy(names, self.place, v, 0, 8 * self.groups, step, 1)
        self.q = self.held("q", U32, 4 * self.tall * (self.terms if form.keeps else 1))
        self.keeps = form.keeps
        self.scores = self.weights = self.held("s", F32, step // 2 * self.tall)
        self.results = self.held("o", F32, 4 * self.groups * self.tall)
        w, t = symbol(self.warp), symbol(self.lane)
        i, h, n, e, m = (names.fresh(s) for s in ("i", "h", "n", "e", "m"))
        row = 16 * (self.tall * w + symbol(i)) + 8 * symbol(h) + t // 4
        self.score_tile, self.result_tile = (
            Tile(
                ((i, self.tall), (h, 2), (var, count), (e, 2)), 2, row,
                8 * symbol(var) + 2 * (t % 4) + symbol(e), 2 * symbol(i) + symbol(h),
                4 * (count * symbol(i) + symbol(var)) + 2 * symbol(h) + symbol(e),
            ) for var, count in ((n, step // 8), (m, self.groups))
        )  # fmt: skip

    @property
    def tiles(self) -> list[Buffer]:
        return [c.tile for c in (self.left, self.k, self.v)]

    @property
    def fits(self) -> bool:
        ahead = max(0 if c.sends else words_of(c.stage) for c in (self.k, self.v))
        words = sum(map(words_of, (self.q, self.scores, self.results))) + ahead // 2
        return self.shared_bytes <= PAIRED_BYTES and words <= (KEPT if self.keeps else REGISTERS)

    # -- copies: past the registers, or in two halves
    def ask(self, copy: MatrixCopy, first: Index, block: Index) -> list[Stmt]:
        made = copy.send(0, first, {}) if copy.sends else copy.fetch(first, {})
        return [*(L.substitute(s, {self.b: block}) for s in made), L.CopyCommit()]

    def take(self, copy: MatrixCopy) -> list[Stmt]:
        """What was asked for is in the tile."""
        return [L.CopyWait(0), *([] if copy.sends else copy.store(0)), L.Barrier()]

    def begin(self) -> list[Stmt]:
        k = self.names.fresh("k")
        return [
            *(Alloc(c.stage) for c in (self.left, self.k, self.v) if not c.sends),
            Alloc(self.q),
            *self.ask(self.left, 0, 0),
            *self.ask(self.k, 0, 0),
            *self.take(self.left),
            *([For(k, self.terms, "unroll", self.queries(symbol(k)))] if self.keeps else []),
        ]

    def queries(self, k: Index) -> tuple[Stmt, ...]:
        """The fragments of 16 terms of the warp's queries."""
        i = self.names.fresh("i")
        at = 4 * self.tall * k if self.keeps else 0
        row = 16 * (self.tall * symbol(self.warp) + symbol(i))
        read = self.left.fragments(
            self.q, at + 4 * symbol(i), 0, row, 16 * k, symbol(self.lane), True
        )
        return self.over(((i, self.tall),), tuple(read))

    def multiply_keys(self) -> list[Stmt]:
        k = self.names.fresh("k")
        at = 4 * self.tall * symbol(k) if self.keeps else 0
        return [
            *self.take(self.k),
            *self.ask(self.v, self.step * symbol(self.b), symbol(self.b)),
            # where it reads queries, ptxas would read so many fragments ahead of all terms that it
            # kept some in memory
            For(k, self.terms, "unroll" if self.keeps else "rolled", (
                *(() if self.keeps else self.queries(symbol(k))),
                *self.products(self.k, symbol(k), self.scores, self.step // 8, self.q, at),
            )),
        ]  # fmt: skip

    def multiply_values(self) -> list[Stmt]:
        ahead = self.ask(self.k, 0, symbol(self.b) + 1)
        k, i, c, h = (self.names.fresh(s) for s in ("k", "i", "c", "h"))
        left = self.held("left", U32, 4 * self.tall)
        group = self.step // 8 * symbol(i) + 2 * symbol(k) + symbol(c)
        pair = (
            L.cast(Load(self.weights, (4 * group + 2 * symbol(h) + e,)), self.nest.v.dtype)
            for e in range(2)
        )
        pack = Store(left, (4 * symbol(i) + 2 * symbol(c) + symbol(h),), packed(*pair))
        return [
            *self.take(self.v),
            *self.more(symbol(self.b) + 1, self.blocks, self.b, ahead),
            For(k, self.step // 16, "unroll", (
                Alloc(left),
                *self.over(((i, self.tall), (c, 2), (h, 2)), (pack,)),
                *self.products(self.v, symbol(k), self.results, self.groups, left, 0),
            )),
        ]  # fmt: skip

    def products(
        self, copy: MatrixCopy, k: Index, target: Buffer, count: int, left: Buffer, at: Index
    ) -> tuple[Stmt, ...]:
        """16 terms of `count` products of 16 by 8, for each 16 queries of the warp."""
        n, i, j = (self.names.fresh(s) for s in ("n", "i", "j"))
        right = self.held("right", U32, 4)
        read = copy.fragments(
            right, 0, 0, 16 * symbol(n), 16 * k, symbol(self.lane), False
        )  # fmt: skip
        place = 4 * (count * symbol(i) + 2 * symbol(n) + symbol(j))
        product = L.Mma(
            target, (place,), left, (at + 4 * symbol(i),), right, (2 * symbol(j),),
            self.nest.v.dtype,
        )  # fmt: skip
        body = (Alloc(right), *read, *self.over(((i, self.tall), (j, 2)), (product,)))
        return (For(n, count // 2, "unroll", body),)

    def power(self, value: Expr, shift: Expr) -> Expr:
        """By exp2, for which the hardware has an instruction: both are multiplied by log2(e)."""
        return L.scalar("exp2", L.scalar("sub", L.scalar("mul", value, LOG2_E), shift))

    def scaled(self, shift: Expr) -> Expr:
        return L.scalar("mul", shift, LOG2_E)
