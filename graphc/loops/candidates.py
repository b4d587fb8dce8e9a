"""candidates: the schedules of one kernel that are worth measuring, in steps.

Called by `graphc/tuning.py`. A step changes one thing of the best choice so far: measuring every
combination would take minutes, and the steps stand in the order of what they decide. The estimate
that a step would repeat is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from . import ir as L
from .choice import ESTIMATE, Choice
from .contract import Scheduled as Blocks
from .lower import Lowered
from .machine import Machine
from .operands import column_places, columns_can_be_shared, rows_are_readable, vector_of
from .register_tiles import tallest, tiles
from .schedule import Scheduled, schedule_for
from .shapes import LOW, SUM_TERMS

TILES = 3
"""Tiles that are measured besides the best of each width."""
TERMS = (128, 192, 256, SUM_TERMS, 512, 1024)
"""Slices of deep sums; those of floats end at SUM_TERMS, for accuracy."""
LANES = (1, 2, 4)

Step = Callable[[Choice, Scheduled], list[Choice]]


class Kernel:
    """One kernel that can be scheduled in several ways."""

    def __init__(self, naive: Lowered, machine: Machine, constants: Collection[str]):
        self.naive, self.machine, self.constants = naive, machine, constants
        self._seen = {self._text(ESTIMATE)}

    def scheduled(self, choice: Choice) -> Scheduled:
        return schedule_for(self.naive, self.machine, self.constants, choice)

    def _text(self, choice: Choice) -> L.LoopFunc:
        return self.scheduled(choice).main.func

    def steps(self) -> tuple[Step, ...]:
        """What to ask for candidates, one after the other, with the best choice until then."""
        if self.scheduled(ESTIMATE).blocks is None:
            return (self.lanes,)
        return self.tiles, self.places, self.sharing, self.blocks, self.slices

    def candidates(self, step: Step, best: Choice) -> list[Choice]:
        """The choices of a step that make other loops than any before."""
        found: list[Choice] = []
        for choice in step(best, self.scheduled(best)):
            text = self._text(choice)
            if text not in self._seen:
                self._seen.add(text)
                found.append(choice)
        return found

    # ------------------------------------------------------------------------------------- steps
    def lanes(self, best: Choice, made: Scheduled) -> list[Choice]:
        return [replace(best, lanes=n) for n in LANES]

    def tiles(self, best: Choice, made: Scheduled) -> list[Choice]:
        """The best tiles by the estimate, and the best of each width."""
        blocks = _blocks(made)
        vector = vector_of(blocks.nest, self.machine.vector_bytes)
        order = [(w, h) for _, w, h in tiles(blocks.nest, vector, self.machine)]
        widths = [next(t for t in order if t[0] == w) for w in dict.fromkeys(w for w, _ in order)]
        full = [
            (w, h)
            for w, h in tallest(blocks.nest, self.machine.registers).items()
            if (w, h) in order
        ]
        kept = dict.fromkeys((*order[:TILES], *widths, *full))
        found = [replace(best, width=w, height=h) for w, h in kept]
        if rows_are_readable(blocks.nest):  # low tiles hold their rows in the first cache as well
            found += [replace(c, rows="in place") for c in found if c.height <= LOW]
        return found

    def places(self, best: Choice, made: Scheduled) -> list[Choice]:
        """Columns and rows in place or packed."""
        blocks = _blocks(made)
        places = column_places(blocks.nest, self.machine, blocks.constant)
        found = [replace(best, columns=place) for place in places]
        if rows_are_readable(blocks.nest):
            other = "in place" if blocks.shape.pack_rows else "packed"
            found += [replace(one, rows=other) for one in (best, *found)]
        return found

    def sharing(self, best: Choice, made: Scheduled) -> list[Choice]:
        """Rows or columns for the workers."""
        if not columns_can_be_shared(_blocks(made).nest):
            return []
        return [replace(best, share=share) for share in ("rows", "columns")]

    def blocks(self, best: Choice, made: Scheduled) -> list[Choice]:
        """Smaller and larger blocks of rows."""
        shape = _blocks(made).shape
        now = max(1, shape.block_rows // shape.height)
        sizes = (now // 4, now // 2, 3 * now // 4, 3 * now // 2, 2 * now)
        return [replace(best, block=n) for n in sizes if 1 <= n <= 64]

    def slices(self, best: Choice, made: Scheduled) -> list[Choice]:
        """Shorter and, of integers, longer slices of deep sums."""
        rounds = any(s.buffer.dtype.is_float for s in _blocks(made).nest.sums)
        return [replace(best, terms=n) for n in TERMS if n <= SUM_TERMS or not rounds]


def _blocks(made: Scheduled) -> Blocks:
    assert made.blocks is not None, "a choice does not make a contraction anything else"
    return made.blocks
