"""The kernel of a contraction of floats on CUDA: tensor cores, slices copied ahead. Of 16-bit ones
here; cuda_numbers.py has those of others.

    for s < stages - 1: send slice s
    for s: wait for slice s; barrier; send slice s + stages - 1
        for k of the slice: read fragments of k + 1; acc[u, v] += left[u, k] right[k, v]

One barrier for each slice: behind it nobody reads the stage of the slice before any more, which is
the one that is written next. Called by cuda_contract.py.
"""

from __future__ import annotations

from ..types import U32, DType
from . import ir as L
from .cuda_nests import Names, ceil_div, symbol
from .cuda_tiles import PACK_BYTES, Axis, MatrixCopy, matrix_copy
from .cuda_writers import Parts, Tensor, unrolled
from .ir import Alloc, Buffer, Expr, For, If, Index, Stmt

TERMS = 32
"""Of a slice: 64 bytes of each row."""
SHARED_BYTES = 96 * 1024
"""Of a block of the largest tile."""
SHARED_BYTES_OF_TWO = 64 * 1024
"""Of a block of the others, two of which share a processor."""
STAGES = 4
"""Slices in shared memory, at most."""
LARGE = 64
"""Registers of a thread's results beyond which a block has a processor for itself."""
PROCESSORS = 132
"""Of an H100."""
GROUPS = (8, 4, 16, 2)
"""Rows of tiles that are neighbours in the order of blocks: blocks that run at once read the same
rows and columns, so the second cache serves them."""


def where(cond: Expr, body: list[Stmt]) -> list[Stmt]:
    """The statements where a condition holds, which may be a constant."""
    if cond == L.FALSE or not body:
        return []
    return body if cond == L.TRUE else [If(cond, tuple(body))]


class Staged(Tensor):
    """16-bit floats: slices are copied ahead by some stages, past the registers where they can."""

    slice, step = TERMS, 16
    """Terms of a slice, and of a product."""
    nbytes, padding_bytes = 2, PACK_BYTES
    """Of a number, and what a row of a slice takes of shared memory besides its numbers, at
    most."""
    word: DType = U32
    """What a thread holds fragments in."""
    tile = MatrixCopy
    sends = True

    def __init__(self, names: Names, parts: Parts, u: int, v: int, count: int):
        self.stages = self.stages_for(u, v, ceil_div(parts.terms.extent, self.slice * count))
        super().__init__(names, parts, u, v, count)

    def stages_for(self, u: int, v: int, slices: Index) -> int:
        """Slices in shared memory."""
        nbytes = 16 * (u + v) * (self.slice * self.nbytes + self.padding_bytes)
        room = SHARED_BYTES if self.held_words(u, v) > LARGE else SHARED_BYTES_OF_TWO
        most = min(STAGES, slices) if isinstance(slices, int) else STAGES
        return max(2, min(most, room // nbytes))

    def held_words(self, u: int, v: int) -> int:
        """The registers of a thread's results."""
        return u * v * max(1, self.nbytes // 4)

    def group(self, down: Index, across: Index) -> int:
        if not isinstance(down, int) or not isinstance(across, int):
            return 1
        if down * across < 2 * PROCESSORS:
            return 1
        return next((g for g in GROUPS if down % g == 0), 1)

    @property
    def fits(self) -> bool:
        # what comes through registers would need too many of them beside the largest tile
        sent = all(c.sends for c in self.copies)
        small = self.held_words(self.u, self.v) <= LARGE
        return (sent or small) and self.shared_bytes <= SHARED_BYTES

    def stored(self, value: Expr) -> Expr:
        """What of an operand lies in a tile."""
        assert isinstance(value, L.Cast)
        return value.value

    def copy(self, value: Expr, axis: Axis, start: Index, extent: int) -> MatrixCopy:
        operand = self.operand(self.stored(value), axis)
        return matrix_copy(
            self.names, self.place, operand, start, extent, self.slice, self.stages, self.tile
        )  # fmt: skip

    @property
    def matrices(self) -> list[MatrixCopy]:
        return [c for c in self.copies if isinstance(c, MatrixCopy)]

    def slices(self) -> list[Stmt]:
        count = ceil_div(self.parts.terms.extent, self.slice * self.count)
        s = self.names.fresh("s")
        start = self.slice * count * self.part
        ahead, last = self.stages - 1, {s: (0, count - 1)} if isinstance(count, int) else None
        known: dict[str, int] = {}
        if isinstance(count, int):
            known[s] = max(1, count - ahead)
        sent, held = (
            [c for c in self.matrices if c.sends],
            [c for c in self.matrices if not c.sends],
        )
        out: list[Stmt] = []
        for k in range(ahead):
            begin = [stmt for c in sent for stmt in c.send(k, start + self.slice * k, {})]
            for c in held:
                begin += [*c.fetch(start + self.slice * k, {}), *c.store(k)]
            out += where(L.less(k, count), begin)
            out.append(L.CopyCommit())
        more = L.less(symbol(s) + ahead, count, last)
        first, slot = start + self.slice * (symbol(s) + ahead), (symbol(s) + ahead) % self.stages
        send = [stmt for c in sent for stmt in c.send(slot, first, known)]
        send += [stmt for c in held for stmt in c.fetch(first, known)]
        body = (
            L.CopyWait(ahead - 1),
            L.Barrier(),
            *where(more, send),
            L.CopyCommit(),
            *self.multiply(symbol(s) % self.stages),
            *where(more, [stmt for c in held for stmt in c.store(slot)]),
        )
        return [*out, For(s, count, "serial", body)]

    def multiply(self, first: Index) -> list[Stmt]:
        """Adds the products of a stage. Fragments are read ahead by a step."""
        assert self.parts.paired is not None
        down, across, steps = self.u // 2, self.v // 2, self.slice // self.step
        held = min(2, steps)
        a, b = self.matrices
        k, m, n = (self.names.fresh(s) for s in ("k", "m", "n"))
        left = Buffer(self.names.fresh("left"), self.word, (4 * held * down,), None, "register")
        right = Buffer(
            self.names.fresh("right"), self.word, (2 * held * across,), None, "register"
        )  # fmt: skip
        w, t = symbol(self.warp), symbol(self.lane)

        def take(step: Index, half: Index) -> list[Stmt]:
            row, column = 16 * down * (w // 4), 8 * across * (w % 4)
            i, j = self.names.fresh("i"), self.names.fresh("j")
            return [
                For(i, down, "unroll", tuple(a.fragments(
                    left, 4 * (down * half + symbol(i)), first, row + 16 * symbol(i),
                    self.step * step, t, True,
                ))),
                For(j, across // 2, "unroll", tuple(b.fragments(
                    right, 2 * across * half + 4 * symbol(j), first, column + 16 * symbol(j),
                    self.step * step, t, False,
                ))),
            ]  # fmt: skip

        (total,) = self.sums.values()
        half = symbol(k) % held
        product = L.Mma(
            total, (4 * (across * symbol(m) + symbol(n)),),
            left, (4 * (down * half + symbol(m)),), right, (2 * (across * half + symbol(n)),),
            self.parts.paired,
        )  # fmt: skip
        more = L.less(symbol(k) + 1, steps, {k: (0, steps - 1)})
        return [
            Alloc(left), Alloc(right), *take(0, 0),
            For(k, steps, "unroll", (
                *where(more, take(symbol(k) + 1, (symbol(k) + 1) % 2)),
                unrolled(((m, down), (n, across)), product),
            )),
        ]  # fmt: skip
