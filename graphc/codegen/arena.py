"""Arena: places for temporaries in one block of memory, planned before anything runs."""

from __future__ import annotations

from dataclasses import field

from graphc_runtime.records import dataclass

from ..types import Extent

ALIGN = 64


@dataclass
class Arena:
    """First fit over known sizes; equal polynomials share a place. Places begin at multiples of
    `align` bytes.
    """

    align: int = ALIGN
    top: Extent = 0
    free: list[tuple[Extent, Extent]] = field(default_factory=list)

    def take(self, nbytes: Extent) -> Extent:
        """The offset of a place of that many bytes."""
        nbytes = (nbytes + self.align - 1) // self.align * self.align
        for k, (offset, size) in enumerate(self.free):
            if size == nbytes:
                del self.free[k]
                return offset
        for k, (offset, size) in enumerate(self.free):
            if isinstance(size, int) and isinstance(nbytes, int) and size > nbytes:
                self.free[k] = (offset + nbytes, size - nbytes)
                return offset
        offset, self.top = self.top, self.top + nbytes
        return offset

    def give(self, offset: Extent, nbytes: Extent) -> None:
        """Gives a place back."""
        nbytes = (nbytes + self.align - 1) // self.align * self.align
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
