"""Arena: places for temporaries in one block of memory, planned before anything runs."""

from __future__ import annotations

from dataclasses import field

from graphc_runtime.records import dataclass

from ..types import Extent

ALIGN = 64
Block = tuple[Extent, Extent]
"""Offset and bytes of a place."""


@dataclass
class Arena:
    """First fit over known sizes; equal polynomials share a place. Places begin at multiples of
    `align` bytes.
    """

    align: int = ALIGN
    top: Extent = 0
    free: list[Block] = field(default_factory=list)
    taken: list[Block] = field(default_factory=list)
    """Every place that was ever taken, in order."""

    def take(self, nbytes: Extent) -> Extent:
        """The offset of a place of that many bytes."""
        nbytes = self._whole(nbytes)
        offset = self._fitting(nbytes)
        self.taken.append((offset, nbytes))
        return offset

    def _fitting(self, nbytes: Extent) -> Extent:
        for k, (offset, size) in enumerate(self.free):
            if size == nbytes:
                del self.free[k]
                return offset
        for k, (offset, size) in enumerate(self.free):
            if isinstance(size, int) and isinstance(nbytes, int) and size > nbytes:
                self.free[k] = (offset + nbytes, size - nbytes)
                return offset
        return self._beyond(nbytes)

    def take_unused(self, nbytes: Extent, since: int) -> Extent:
        """A place that was free all the time since the place number `since` was taken."""
        nbytes, used = self._whole(nbytes), dict.fromkeys(self.taken[since:])
        starts = [offset + size for offset, size in used]
        for k, (offset, size) in enumerate(self.free):
            for start in (offset, *starts):
                low, high = start - offset, offset + size - start - nbytes
                fits = isinstance(low, int) and isinstance(high, int) and min(low, high) >= 0
                if fits and all(_apart((start, nbytes), other) for other in used):
                    rest = ((offset, low), (start + nbytes, high))
                    self.free[k : k + 1] = [block for block in rest if block[1] != 0]
                    self.taken.append((start, nbytes))
                    return start
        start = self._beyond(nbytes)
        self.taken.append((start, nbytes))
        return start

    def _whole(self, nbytes: Extent) -> Extent:
        return (nbytes + self.align - 1) // self.align * self.align

    def _beyond(self, nbytes: Extent) -> Extent:
        offset, self.top = self.top, self.top + nbytes
        return offset

    def give(self, offset: Extent, nbytes: Extent) -> None:
        """Gives a place back."""
        nbytes = self._whole(nbytes)
        if isinstance(offset, int) and isinstance(nbytes, int):
            for k, (other, size) in enumerate(self.free):
                if isinstance(other, int) and isinstance(size, int):
                    if other + size == offset:
                        del self.free[k]
                        return self.give(other, size + nbytes)
                    if offset + nbytes == other:
                        del self.free[k]
                        return self.give(offset, nbytes + size)
        self.free.append((offset, nbytes))


def _apart(a: Block, b: Block) -> bool:
    """Whether two places have no byte in common, as far as that is known."""
    (first, size), (other, others) = a, b
    after, before = first - other - others, other - first - size
    return any(isinstance(gap, int) and gap >= 0 for gap in (after, before))
