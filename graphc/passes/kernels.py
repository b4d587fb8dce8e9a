"""Kernel: a group of ops that `fuse` makes one kernel of, while it grows."""

from __future__ import annotations

from .. import types as ty
from ..ir import Node, Value
from ..loops.nests import row_depth
from ..types import Dim, Extent

MAX_OPS = 96
"""Ops in one nest: bounds the time of LLVM, which is not linear in one function, and the registers
that live.
"""
MAX_BRANCHES = 16
"""Under how many conditions one value may be computed: an update reads its first operand where the
second does not lie, and when the second is a part of the first (u[0] = u[1], the edges of a
simulation), each such line doubles the number.
"""
MAX_FRAMES = 450
"""Python frames that the lowering of one element may need: it calls itself along operands."""
SAMPLE = 64
"""What a symbolic extent counts as, where sizes are compared."""
MIN_ROW = 64
"""Rows shorter than this are not worth a loop of their own beside a map,
which runs over all rows at once.
"""

Index = tuple[Extent, ...]
Entry = tuple[Index, tuple[str, ...]]
"""Where a value is read: its index, and the loops around that place, outermost first."""
Branch = int
"""The conditions around a place, as a hash of the nodes that made them; 0 where there is none."""


def about(extent: Extent) -> int:
    """An extent as a number, to compare sizes."""
    found = ty.substitute(extent, {name: SAMPLE for name in ty.symbols(extent)})
    return max(int(found), 0) if isinstance(found, int) else 0


class Kernel:
    """A group under construction."""

    __slots__ = (
        "again",
        "branches",
        "contracts",
        "entries",
        "extents",
        "frames",
        "kept",
        "nodes",
        "opaque",
        "reduces",
        "results",
        "shape",
        "together",
    )

    def __init__(self, shape: tuple[Extent, ...]):
        self.nodes: list[Node] = []
        self.results: list[Value] = []
        self.shape = shape
        self.entries: dict[Value, dict[Entry, None]] = {}
        self.extents: dict[str, Extent] = {f"i{k}": e for k, e in enumerate(shape)}
        self.opaque = False
        self.reduces = False
        self.contracts = False
        """Whether there is a contraction in it; one is enough, because its tiles are the loops."""
        self.kept: list[Value] = []
        """Products whose rows are reduced here: they are computed once, and wait in memory."""
        self.again: dict[Value, int] = {}
        """The cost of the ops between a value and the place from which it is computed again."""
        self.together: set[Value] = set()
        """Values of which one iteration reads many elements: an op is written out over them."""
        self.frames: dict[Value, int] = {}
        """How deep the lowering is when it asks for a value."""
        self.branches: dict[Value, set[Branch]] = {}
        """Under which conditions a value is asked for; each has code of its own."""

    def root_entry(self, shape: tuple[Extent, ...]) -> Entry | None:
        """Where a result of that shape is written."""
        depth = row_depth(self.shape, shape)
        if depth is None:
            return None
        vars = tuple(f"i{k}" for k in range(depth))
        index = (*(Dim.symbol(v) for v in vars), *(0 for _ in range(len(shape) - depth)))
        return index, vars

    def widen(self, shape: tuple[Extent, ...]) -> bool:
        """Takes on the larger shape of a value that is read along whole rows,
        so that it can be a result.
        """
        depth = row_depth(shape, self.shape)
        if not depth or depth >= len(shape) or about(ty.product(shape[depth:])) < MIN_ROW:
            return False
        self.shape = shape
        self.extents.update({f"i{k}": e for k, e in enumerate(shape)})
        return True

    def absorb(self, other: Kernel) -> None:
        """Takes over the ops of a kernel whose root loops are the outer ones of this kernel's."""
        names: dict[str, str] = {}
        for name, extent in other.extents.items():
            if name.startswith("r"):
                names[name] = f"r{len(self.extents)}"
                self.extents[names[name]] = extent
        env: dict[str, Extent] = {old: Dim.symbol(new) for old, new in names.items()}
        for value, entries in other.entries.items():
            mine = self.entries.setdefault(value, {})
            for index, chain in entries:
                place = tuple(ty.substitute(i, env) for i in index)
                mine.setdefault((place, tuple(names.get(v, v) for v in chain)))
        known = set(self.nodes)
        self.nodes.extend(n for n in other.nodes if n not in known)
        self.results.extend(v for v in other.results if v not in self.results)
        self.reduces |= other.reduces
        self.contracts |= other.contracts
        self.together |= other.together
        for mine, theirs in ((self.again, other.again), (self.frames, other.frames)):
            for value, number in theirs.items():
                mine[value] = max(number, mine.get(value, 0))
        for value, branches in other.branches.items():
            self.branches.setdefault(value, set()).update(branches)

    def takes_product(self, product: Kernel) -> None:
        """Takes over the ops of a kernel whose result, a product, is read here row by row."""
        known = set(self.nodes)
        self.nodes.extend(n for n in product.nodes if n not in known)
        self.kept.extend(product.results)
        self.contracts = True

    def has_room(self, node: Node) -> bool:
        """Whether the lowering of one more op stays within bounds."""
        deep = max((self.frames.get(v, 0) for v in node.results), default=0)
        full = len(self.nodes) >= MAX_OPS or deep >= MAX_FRAMES
        if self.opaque or (full and node.op.name != "broadcast"):  # its operand is smaller
            return False
        return all(len(self.branches.get(v, ())) <= MAX_BRANCHES for v in node.results)


def share_rows(a: Kernel, b: Kernel) -> bool:
    """Whether two kernels have the same loops,
    or one reduces the long rows that the other writes.
    """
    if a.shape == b.shape:
        return True
    small, large = (a, b) if len(a.shape) < len(b.shape) else (b, a)
    depth = row_depth(large.shape, small.shape)
    if not depth or not small.reduces:
        return False
    return about(ty.product(large.shape[depth:])) >= MIN_ROW
