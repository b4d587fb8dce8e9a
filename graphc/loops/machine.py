"""What schedules want to know of the machine that a kernel is for."""

from __future__ import annotations

from graphc_runtime.records import dataclass

L2_BYTES = 1 << 20
"""The second cache of one core, where the machine does not say."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the schedule wants to know of a target."""

    vector_bytes: int = 64
    """Width of a vector register."""
    registers: int = 32
    streaming_bytes: int | None = 12 << 20
    """Results of at least this size are written past the caches; None: never.

    A kernel decides when it is called.
    """
    dots: frozenset[str] = frozenset()
    """The dots of words (`loops/scalar.py`) that are an instruction."""
    l2_bytes: int = L2_BYTES
    """The second cache of one core. What a contraction keeps there are parts of it; they were
    measured with 1 MB, beside the panels that pass through it.
    """

    wide_ports: bool = False
    """Whether a core begins two products and two loads of whole registers in a cycle: what it reads
    limits it sooner, and a load that crosses lines counts twice. NumPy's arrays begin 16 bytes
    behind a line.
    """

    workers: int = 2
    """Processors that share a loop, at most. Where ports are wide, blocks of rows are as large as
    that allows.
    """

    @property
    def block_bytes(self) -> int:
        """A packed block of rows: in the second cache beside a panel."""
        return self.l2_bytes * 3 // 16

    @property
    def wide_block_bytes(self) -> int:
        """The same where all rows pass a group of panels."""
        return self.l2_bytes * 5 // 16

    @property
    def near_bytes(self) -> int:
        """Columns that stay while all rows pass them."""
        return self.l2_bytes // 2

    @property
    def in_place_bytes(self) -> int:
        """Columns up to this size stay in the second cache: read in place if they can be."""
        return self.l2_bytes // 2

    @property
    def local_bytes(self) -> int:
        """Columns of one batch that are packed for it alone."""
        return self.l2_bytes // 8

    @property
    def group_bytes(self) -> int:
        """Sums that wait for their next slice: rows are packed again for each group of panels."""
        return self.l2_bytes // 4

    @property
    def waiting_bytes(self) -> int:
        """Rows of a product that wait for what reduces them."""
        return self.l2_bytes // 4

    @property
    def kept_bytes(self) -> int:
        """Matrices smaller than this stay in the second cache, in whatever order they are read."""
        return self.l2_bytes // 4
