"""Groups the ops of a graph into kernels: afterwards every node is a `fusion` or a large constant.

    %2 = exp(%1)                            %4 = fusion(%0) {
    %3 = reduce(%2) {kind="sum"}      ->      %1 = exp(%0); %2 = reduce(%1) {...}; %3 = log(%2)
    %4 = log(%3)                              return %3 }

Requires: the canonical form (operands of elementwise ops have one shape; dead nodes are gone).
Guarantees: each fusion can be lowered to one LoopFunc in which nothing is computed again at a cost:
    an op joins the kernel of its users only if the loops that surround it there are those of its
    own axes (cheap ops excepted).
Placement: last; later passes would have to look inside bodies.
Cost: linear in nodes and edges, but for the reachability questions of values with users in several
    kernels.

How: ops are visited from the results backwards. A kernel has root loops (the axes of its results);
a card's own `lower`, run on names instead of numbers (Probe), says at which indices its operands
are read, so that every op is treated by one rule, whether it moves, computes or reduces. Legality
with several users is a question of paths in the graph of kernels, which networkx answers. At the
end, kernels of one depth (which cannot depend on each other) are merged when they read the same
rows, or when they are plain maps: the parameter updates of an optimizer.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from .. import types as ty
from ..ir import PARAM, Graph, Node, Value, at, make, param
from ..loops import ir as L
from ..loops.bounds import less, simplify
from ..loops.lower import row_depth
from ..loops.rowcache import ROW_BYTES
from ..ops.fusion import FUSION
from ..types import Dim, Extent, TensorType

MAX_OPS = 96
"""Ops in one nest: bounds the time of LLVM, which is not linear in one function, and the registers
that live.
"""
MAX_MERGED = 512
"""Ops in one kernel of several independent nests."""
MAX_BRANCHES = 16
"""Under how many conditions one value may be computed: an update reads its first operand where the
second does not lie, and when the second is a part of the first (u[0] = u[1], the edges of a
simulation), each such line doubles the number.
"""
MAX_FRAMES = 450
"""Python frames that the lowering of one element may need: it calls itself along operands."""
CHEAP = 3
"""An op of this cost may be computed again where its value is read more than once."""
RECOMPUTED = 8
"""The cost of all the ops along one path that are computed again."""
MAX_RATIO = 2
"""How often an op may be computed for each element of its value:
where it is one part of a concatenation, say.
"""
PASSES = 8
"""In how many loops over one row a value may be computed: each normalisation adds some."""
COSTLY_PASSES = 3
"""The same for a costly op whose row is not kept (`loops.rowcache`)."""
SAMPLE = 64
"""What a symbolic extent counts as, where sizes are compared."""
MIN_ROW = 64
"""Rows shorter than this are not worth a loop of their own beside a map,
which runs over all rows at once.
"""
MIN_ROWS = 16
"""Rows that are enough for every worker."""
LARGE = 1 << 30
RECENT = 32
"""How many kernels of one depth are tried for a merge."""

Index = tuple[Extent, ...]
Entry = tuple[Index, tuple[str, ...]]
"""Where a value is read: its index, and the loops around that place, outermost first."""
Branch = int
"""The conditions around a place, as a hash of the nodes that made them; 0 where there is none."""


class Kernel:
    """A group under construction."""

    __slots__ = (
        "again",
        "branches",
        "contracts",
        "entries",
        "extents",
        "frames",
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
        if not depth or depth >= len(shape) or _about(ty.product(shape[depth:])) < MIN_ROW:
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

    def has_room(self, node: Node) -> bool:
        """Whether the lowering of one more op stays within bounds."""
        deep = max((self.frames.get(v, 0) for v in node.results), default=0)
        full = len(self.nodes) >= MAX_OPS or deep >= MAX_FRAMES
        if self.opaque or (full and node.op.name != "broadcast"):  # its operand is smaller
            return False
        return all(len(self.branches.get(v, ())) <= MAX_BRANCHES for v in node.results)


def fuse(graph: Graph) -> Graph:
    """Graph of ops -> graph of fusions (see the module's docstring)."""
    kernels, member, inlined = _grow(graph)
    kernels = _merge(graph, kernels, member, inlined)
    return _rebuild(graph, kernels)


# ------------------------------------------------------------------------------------------ growing


def _is_leaf(node: Node) -> bool:
    """A constant that a kernel reads from memory."""
    return node.op.name == "constant" and node.results[0].type.size != 1


def _is_free(node: Node) -> bool:
    """Computed again by whoever reads it:
    index arithmetic, constants, and arithmetic on single numbers.
    """
    if node.op.kind == "elementwise":
        return node.results[0].type.size == 1
    return node.op.kind == "movement" and node.op.name not in ("gather", "concatenate")


class Reach:
    """Which kernel reads another's results, directly or through others.

    networkx answers questions of paths; it is loaded when the first one is asked, because most
    programs never ask and its import takes longer than their compilation.
    """

    def __init__(self) -> None:
        self._kernels: set[int] = set()
        self._edges: list[tuple[int, int]] = []
        self._graph: Any = None

    def __contains__(self, kernel: Kernel) -> bool:
        return id(kernel) in self._kernels

    def add(self, kernel: Kernel) -> None:
        self._kernels.add(id(kernel))

    def connect(self, source: Kernel, readers: Sequence[Kernel]) -> None:
        """`readers` read what `source` makes."""
        edges = [(id(source), id(k)) for k in readers]
        if self._graph is None:
            self._edges.extend(edges)
        else:
            self._graph.add_edges_from(edges)

    def has_path(self, a: Kernel, b: Kernel) -> bool:
        """Whether b needs a."""
        import networkx as nx

        if self._graph is None:
            self._graph = nx.DiGraph(self._edges)
        self._graph.add_nodes_from((id(a), id(b)))
        return nx.has_path(self._graph, id(a), id(b))

    def merge(self, kernel: Kernel, other: Kernel) -> None:
        """`other` is now a part of `kernel`."""
        graph = self._graph  # a path was asked for before anything is merged
        graph.add_edges_from((id(kernel), k) for k in list(graph.successors(id(other))))
        graph.add_edges_from((k, id(kernel)) for k in list(graph.predecessors(id(other))))
        graph.remove_node(id(other))
        self._kernels.discard(id(other))


def _grow(
    graph: Graph,
) -> tuple[list[Kernel], dict[Node, Kernel], dict[Node, list[Kernel]]]:
    kernels: list[Kernel] = []
    member: dict[Node, Kernel] = {}
    inlined: dict[Node, list[Kernel]] = {}
    returned = set(graph.results)
    endings = _endings(graph)
    reach = Reach()

    def readers(node: Node) -> list[Kernel]:
        found: dict[int, Kernel] = {}
        for value in node.results:
            for user in graph.users.get(value, ()):
                for kernel in [member[user]] if user in member else inlined.get(user, ()):
                    found[id(kernel)] = kernel
        return list(found.values())

    for node in reversed(graph.nodes):
        if _is_leaf(node):
            continue
        users = readers(node)
        is_result = any(v in returned for v in node.results)
        if users and not is_result and _joins_all(node, users):
            inlined[node] = users
            for kernel in users:
                _add(kernel, node)
            continue
        if len(users) > 1 and _join(node, users, member, inlined, reach):
            users = readers(node)
        open_to = [k for k in users if node not in endings or not _repeats(k, node)]
        home = None
        if node.op.kind != "opaque" and not node.op.stored:
            home = _home(node, open_to, users, is_result, reach)
        if home is None:
            home = Kernel(node.results[0].type.shape)
            home.opaque = node.op.kind == "opaque"
            kernels.append(home)
            reach.add(home)
        if is_result or any(k is not home for k in users) or node.op.kind == "opaque":
            for value in node.results:
                if value not in home.results:
                    home.results.append(value)
                entry = home.root_entry(value.type.shape)
                if entry is not None:
                    home.entries.setdefault(value, {}).setdefault(entry)
        member[node] = home
        _add(home, node)
        reach.connect(home, [k for k in users if k is not home])
    return [k for k in kernels if k in reach], member, inlined


def _join(
    node: Node,
    users: list[Kernel],
    member: dict[Node, Kernel],
    inlined: dict[Node, list[Kernel]],
    reach: Reach,
) -> bool:
    """Makes one kernel of those that read a value row by row, so that none reads it from memory."""
    value = node.results[0]
    shape = value.type.shape
    rows = [
        k
        for k in users
        if k.has_room(node)
        and k.entries.get(value)
        and all(_is_row(k, entry, shape) for entry in k.entries[value])
        and row_depth(k.shape, k.shape) == len(k.shape)
    ]
    if len(rows) < 2 or not _fits(rows[0], node):
        return False
    home, *others = sorted(rows, key=lambda k: -len(k.shape))
    joined = False
    for other in others:
        if len(home.nodes) + len(other.nodes) > MAX_OPS or not _share_rows(home, other):
            continue
        if home.contracts and other.contracts:
            continue
        if reach.has_path(home, other) or reach.has_path(other, home):
            continue
        home.absorb(other)
        for one in other.nodes:
            if member.get(one) is other:
                member[one] = home
            if one in inlined:
                inlined[one] = list(
                    {id(k): k for k in (home if k is other else k for k in inlined[one])}.values()
                )
        reach.merge(home, other)
        joined = True
    return joined


def _joins_all(node: Node, users: list[Kernel]) -> bool:
    """Whether every kernel that reads the node computes it itself."""
    if node.op.kind == "creation":
        return not any(k.opaque for k in users)
    return _is_free(node) and all(k.has_room(node) for k in users)


def _endings(graph: Graph) -> set[Node]:
    """The maps that end a contraction, or a sum over tiles: what follows it element by element and
    is read by no one else on the way, such as a bias, an activation, a residual.

    They are computed where the contraction is, once for each element, and not by another
    contraction that reads each element many times over.
    """
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op.kind == "elementwise":
            for value in node.operands:
                source = value.node
                tiles = _is_free(source) and _unmoved(value).node.op.written_out
                if tiles or source.op.kind == "contraction" or source in found:
                    if len(graph.users.get(value, ())) == 1 and value not in graph.results:
                        found.add(node)
    return found


def _unmoved(value: Value) -> Value:
    """The value under what only moves it."""
    while value.node.op.kind == "movement" and _is_free(value.node):
        value = value.node.operands[0]
    return value


def _repeats(kernel: Kernel, node: Node) -> bool:
    """Whether a kernel reads the elements of a node many times over."""
    return any(
        _waste(kernel, entry) > 1 or _ratio(kernel, entry[1], value) > MAX_RATIO
        for value in node.results
        for entry in kernel.entries.get(value, ())
    )


def _home(
    node: Node, able: list[Kernel], users: list[Kernel], is_result: bool, reach: Reach
) -> Kernel | None:
    """The kernel that a node may join, or None: one of those of its users that can take it."""
    for kernel in able:
        if not kernel.has_room(node) or not _fits(kernel, node):
            continue
        if len(users) == 1 and not is_result:
            return kernel
        # it must also be written to memory: once per element, and without making a cycle of kernels
        value = node.results[0]
        others = [k for k in users if k is not kernel]
        if any(reach.has_path(k, kernel) for k in others):
            continue
        entries = kernel.entries[value]
        place = kernel.root_entry(value.type.shape)
        if place is not None:
            if place[0] in {index for index, _ in entries}:
                return kernel
        elif all(_is_row(kernel, entry, value.type.shape) for entry in entries):
            if kernel.widen(value.type.shape):
                return kernel
    return None


def _is_row(kernel: Kernel, entry: Entry, shape: tuple[Extent, ...]) -> bool:
    """Whether a value is read at each of its elements once, row by row, in the order of memory."""
    index, chain = entry
    own = [Dim.symbol(v) for v in chain]
    wanted = [i for i, e in zip(index, shape, strict=True) if e != 1]
    extents = [e for e in shape if e != 1]
    return wanted == own and extents == [kernel.extents[v] for v in chain]


def _fits(kernel: Kernel, node: Node) -> bool:
    """Whether computing the node at the places where the kernel reads it wastes nothing."""
    if len(node.results) != 1 or (kernel.contracts and node.op.kind == "contraction"):
        return False
    entries = kernel.entries.get(node.results[0])
    if not entries:
        return False
    value = node.results[0]
    waste = max(_waste(kernel, entry) for entry in entries)
    if node.op.written_out:
        return waste == 1 and len(entries) == 1 and _is_written_out(kernel, node, entries)
    ratio = max(_ratio(kernel, chain, value) for _, chain in entries)
    distinct = len({_renamed(kernel, entry) for entry in entries})
    if node.op.kind in ("reduction", "contraction"):
        if value in kernel.together:
            return False  # a loop for each element
        scopes = len({chain for _, chain in entries})
        plain = distinct == 1 and scopes == 1 and _is_plain(entries)
        return waste == 1 and ratio <= 1 and plain and _has_threads(kernel, node, entries)
    kept = node.op.cost <= CHEAP or all(_is_kept(kernel, chain, value) for _, chain in entries)
    if len({chain for _, chain in entries}) > (PASSES if kept else COSTLY_PASSES):
        return False
    if distinct == 1 and waste == 1 and ratio <= MAX_RATIO:
        return True
    before = kernel.again.get(value, 0)
    if distinct > 4 or node.op.cost > CHEAP or before + node.op.cost > RECOMPUTED:
        return False
    kernel.again[value] = before + node.op.cost
    return True


def _is_written_out(kernel: Kernel, node: Node, entries: dict[Entry, None]) -> bool:
    """Whether the lowering can write out the loop over the node's axis: one of the root, or the
    rest of one divided by the axis's extent.
    """
    axis = node.attrs["axis"]
    period = node.results[0].shape[axis]
    for index, chain in entries:
        if any(not var.startswith("i") for var in chain):
            return False
        vars = [v for v in chain if index[axis] in (Dim.symbol(v), Dim.symbol(v) % period)]
        if isinstance(index[axis], Dim) and not vars:
            return False
    return True


def _has_threads(kernel: Kernel, node: Node, entries: dict[Entry, None]) -> bool:
    """Whether a reduction that stands inside the loops of another leaves enough work side by side.

    A contraction never stands there: it would lose its tiles.
    """
    if all(var.startswith("i") for _, chain in entries for var in chain):
        return True
    return node.op.kind == "reduction" and _about(ty.product(kernel.shape)) >= MIN_ROWS


def _is_kept(kernel: Kernel, chain: tuple[str, ...], value: Value) -> bool:
    """Whether the schedule keeps the values of the innermost loop
    for the next loop over the same row.
    """
    extent = kernel.extents[chain[-1]] if chain else 1
    return isinstance(extent, int) and extent * value.dtype.nbytes <= ROW_BYTES


def _ratio(kernel: Kernel, chain: tuple[str, ...], value: Value) -> float:
    """Computed elements for each element of a value, about."""
    computed, size = (
        _about(ty.product(extents))
        for extents in ((kernel.extents[v] for v in chain), value.type.shape)
    )
    return computed / size if size else 1.0


def _about(extent: Extent) -> int:
    found = ty.substitute(extent, {name: SAMPLE for name in ty.symbols(extent)})
    return max(int(found), 0) if isinstance(found, int) else 0


def _is_plain(entries: dict[Entry, None]) -> bool:
    """Whether every index is a tuple of distinct loop variables and zeros."""
    for index, _ in entries:
        seen: set[Extent] = set()
        for i in index:
            if i == 0 and not isinstance(i, Dim):
                continue
            if not isinstance(i, Dim) or i in seen or len(i.terms) != 1:
                return False
            monomial, coefficient = i.terms[0]
            if coefficient != 1 or len(monomial) != 1 or not isinstance(monomial[0], str):
                return False
            seen.add(i)
    return True


def _waste(kernel: Kernel, entry: Entry) -> int:
    """How many times over an element is computed:
    the extents of the loops around it that its index lacks.
    """
    index, chain = entry
    used: set[str] = set()
    for i in index:
        used |= ty.symbols(i)
    if any(name.startswith("data") for name in used):
        return LARGE
    waste = 1
    for var in chain:
        if var not in used:
            extent = kernel.extents[var]
            waste = min(LARGE, waste * (extent if isinstance(extent, int) else LARGE))
    return waste


def _renamed(kernel: Kernel, entry: Entry) -> Any:
    """The index with loops named by their order and extent,
    so that two loops over one row count as one place.
    """
    names: dict[str, Extent] = {}
    for var in entry[1]:
        names[var] = Dim.symbol(f"v{len(names)}")
    extents = tuple(kernel.extents[v] for v in entry[1])
    return extents, tuple(ty.substitute(i, names) for i in entry[0])


def _add(kernel: Kernel, node: Node) -> None:
    """Puts a node into a kernel and notes where its operands are read."""
    kernel.nodes.append(node)
    if node.op.kind in ("reduction", "contraction"):
        kernel.reduces = True
        kernel.contracts |= node.op.kind == "contraction"
    if kernel.opaque:
        return
    again = max((kernel.again.get(v, 0) for v in node.results), default=0)
    deep = max((kernel.frames.get(v, 0) for v in node.results), default=0)
    if node.op.written_out or not kernel.together.isdisjoint(node.results):
        kernel.together.update(node.operands)
    deep += 3 if node.op.kind == "elementwise" else 8  # calls between an element and its operands'
    for operand in node.operands:
        kernel.again[operand] = max(again, kernel.again.get(operand, 0))
        kernel.frames[operand] = max(deep, kernel.frames.get(operand, 0))
    around = set().union(*(kernel.branches.get(v, ()) for v in node.results)) or {0}
    if node.op.kind == "elementwise":
        for operand in node.operands:
            kernel.branches.setdefault(operand, set()).update(around)
    for entry in list(kernel.entries.get(node.results[0], ())):
        if node.op.kind == "elementwise" or node.op.written_out:
            for operand in node.operands:
                kernel.entries.setdefault(operand, {}).setdefault(entry)
        elif node.op.lower is not None:
            Probe(kernel, node, entry, around).run()


class Probe:
    """A lowering context that only notes where operands are read."""

    __slots__ = ("_around", "_chain", "_index", "_kernel", "_node", "_sides", "attrs", "type",
                 "types")  # fmt: skip

    def __init__(self, kernel: Kernel, node: Node, entry: Entry, around: set[Branch]):
        self._kernel, self._node = kernel, node
        self._around = around
        self._sides: tuple[int, ...] = ()
        self._index, self._chain = entry
        self.attrs, self.type = node.attrs, node.results[0].type
        self.types: tuple[TensorType, ...] = tuple(v.type for v in node.operands)

    def run(self) -> None:
        assert self._node.op.lower is not None
        self._node.op.lower(self, self._index)

    def operand(self, k: int, index: Sequence[Extent]) -> Any:
        value = self._node.operands[k]
        place = tuple(simplify(i, self._kernel.extents) for i in index)
        used: set[str] = set()
        for i in place:
            used |= ty.symbols(i)
        # the value is computed in the outermost loop that its index allows
        chain = self._chain
        while chain and chain[-1] not in used and not any(u.startswith("data") for u in used):
            chain = chain[:-1]
        self._kernel.entries.setdefault(value, {}).setdefault((place, chain))
        branches = self._around
        if self._sides:
            branches = {hash((b, id(self._node), self._sides)) for b in branches}
        self._kernel.branches.setdefault(value, set()).update(branches)
        return _dummy(value.type)

    def simplify(self, index: Extent) -> Extent:
        return simplify(index, self._kernel.extents)

    def less(self, a: Extent, b: Extent) -> L.Expr:
        return less(a, b, self._kernel.extents)

    def where(self, cond: L.Expr, a: Callable[[], Any], b: Callable[[], Any]) -> Any:
        if isinstance(cond, L.Const):
            return a() if cond.value else b()
        sides = self._sides
        self._sides = (*sides, 0)
        a()
        self._sides = (*sides, 1)
        element = b()
        self._sides = sides
        return element

    def index(self, expr: L.Expr) -> Extent:
        if isinstance(expr, L.Idx):
            return expr.index
        return Dim.symbol(f"data{len(self._kernel.extents)}")

    def bind(self, element: Any) -> Any:
        return element

    def fail(self, cond: L.Expr, message: str) -> None:
        pass

    def reduce(self, kind: str, extents: Sequence[Extent], body: Callable[..., Any]) -> Any:
        names = []
        for extent in extents:
            name = f"r{len(self._kernel.extents)}"
            self._kernel.extents[name] = extent
            names.append(name)
        chain, self._chain = self._chain, (*self._chain, *names)
        element = body(tuple(Dim.symbol(n) for n in names))
        self._chain = chain
        return element


def _dummy(type: TensorType) -> Any:
    one = L.Name("_", type.dtype.real)
    return L.Pair(one, one) if type.dtype.is_complex else one


# ------------------------------------------------------------------------------------------ merging


def _merge(
    graph: Graph,
    kernels: list[Kernel],
    member: dict[Node, Kernel],
    inlined: dict[Node, list[Kernel]],
) -> list[Kernel]:
    """Merges kernels of one depth: those that read the same rows, and plain maps.

    Answers them in running order.
    """
    made_by = {value: kernel for kernel in kernels for value in kernel.results}
    inputs = {id(k): _inputs(k) for k in kernels}
    depth: dict[int, int] = {}
    ordered = _topological(kernels, made_by, inputs)
    for kernel in ordered:
        sources = [made_by[v] for v in inputs[id(kernel)] if v in made_by]
        depth[id(kernel)] = 1 + max((depth[id(s)] for s in sources), default=-1)
    merged: list[Kernel] = []
    open_by_row: dict[Any, list[Kernel]] = {}
    for kernel in sorted(ordered, key=lambda k: depth[id(k)]):
        if kernel.opaque:
            merged.append(kernel)
            continue
        level = depth[id(kernel)]
        is_map = not kernel.reduces
        target = None
        own = {v for v in inputs[id(kernel)] if v.type.size != 1}
        for candidate in open_by_row.get((level, kernel.shape[:1]), ())[-RECENT:]:
            if len(candidate.nodes) + len(kernel.nodes) > MAX_OPS:
                continue
            if candidate.contracts and kernel.contracts:
                continue
            if _share_rows(candidate, kernel) and not own.isdisjoint(inputs[id(candidate)]):
                target = candidate
                break
        if target is None and is_map:
            for candidate in open_by_row.get((level, "maps"), ())[-1:]:
                if len(candidate.nodes) + len(kernel.nodes) <= MAX_MERGED:
                    target = candidate
                    break
        if target is None:
            merged.append(kernel)
            open_by_row.setdefault((level, kernel.shape[:1]), []).append(kernel)
            if is_map:
                open_by_row.setdefault((level, "maps"), []).append(kernel)
            continue
        known = set(target.nodes)
        target.nodes.extend(n for n in kernel.nodes if n not in known)
        target.results.extend(v for v in kernel.results if v not in target.results)
        target.reduces |= kernel.reduces
        target.contracts |= kernel.contracts
        if len(kernel.shape) > len(target.shape):
            target.shape = kernel.shape
        inputs[id(target)].update(inputs[id(kernel)])
    return merged


def _share_rows(a: Kernel, b: Kernel) -> bool:
    """Whether two kernels have the same loops,
    or one reduces the long rows that the other writes.
    """
    if a.shape == b.shape:
        return True
    small, large = (a, b) if len(a.shape) < len(b.shape) else (b, a)
    depth = row_depth(large.shape, small.shape)
    if not depth or not small.reduces:
        return False
    return _about(ty.product(large.shape[depth:])) >= MIN_ROW


def _inputs(kernel: Kernel) -> dict[Value, None]:
    inside = {v for node in kernel.nodes for v in node.results}
    return {v: None for node in kernel.nodes for v in node.operands if v not in inside}


def _topological(
    kernels: list[Kernel], made_by: dict[Value, Kernel], inputs: dict[int, dict[Value, None]]
) -> list[Kernel]:
    """The kernels in running order;
    of those that may run, the one that stands first in the program.
    """
    rank = {id(k): n for n, k in enumerate(reversed(kernels))}
    readers: dict[int, list[Kernel]] = {}
    waits = dict.fromkeys(rank, 0)
    for kernel in kernels:
        sources = {id(made_by[v]) for v in inputs[id(kernel)] if v in made_by} - {id(kernel)}
        waits[id(kernel)] = len(sources)
        for source in sources:
            readers.setdefault(source, []).append(kernel)
    by_rank = list(reversed(kernels))
    ready = [rank[k] for k, count in waits.items() if not count]
    heapq.heapify(ready)
    ordered: list[Kernel] = []
    while ready:
        kernel = by_rank[heapq.heappop(ready)]
        ordered.append(kernel)
        for reader in readers.get(id(kernel), ()):
            waits[id(reader)] -= 1
            if not waits[id(reader)]:
                heapq.heappush(ready, rank[id(reader)])
    assert len(ordered) == len(kernels), "kernels depend on each other"
    return ordered


# -------------------------------------------------------------------------------------- rebuilding


def _rebuild(graph: Graph, kernels: list[Kernel]) -> Graph:
    new: dict[Value, Value] = {v: v for v in graph.params}
    position = {node: n for n, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if _is_leaf(node):
            new.update(zip(node.results, node.results, strict=True))
    for kernel in kernels:
        nodes = sorted(set(kernel.nodes), key=position.__getitem__)
        inside = {v for node in nodes for v in node.results}
        operands: dict[Value, None] = {
            v: None for node in nodes for v in node.operands if v not in inside
        }
        _fusion(nodes, list(operands), kernel.results, new)
    results = list(graph.results)
    for value in dict.fromkeys(results):
        if value.node.op is PARAM or _is_leaf(
            value.node
        ):  # a result that nothing computes is copied
            copied: dict[Value, Value] = {value: new[value]}
            _fusion([], [value], [value], copied)
            results = [copied[v] if v is value else v for v in results]
    return Graph.of(graph.name, graph.params, [new.get(v, v) for v in results])


def _fusion(
    nodes: list[Node], operands: list[Value], results: list[Value], new: dict[Value, Value]
) -> None:
    inner: dict[Value, Value] = {v: param(v.type, f"p{k}") for k, v in enumerate(operands)}
    params = list(inner.values())
    made: list[Node] = []
    for node in nodes:
        copy = make(node.op, [inner[v] for v in node.operands], node.attrs, node.where)
        made.append(copy)
        inner.update(zip(node.results, copy.results, strict=True))
    body = Graph("body", tuple(params), tuple(made), tuple(inner[v] for v in results))
    with at(nodes[-1].where if nodes else None):
        outcome = FUSION(*(new[v] for v in operands), body=body)
    values = outcome if isinstance(outcome, tuple) else (outcome,)
    new.update(zip(results, values, strict=True))
