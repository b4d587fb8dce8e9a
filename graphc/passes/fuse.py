"""Groups the ops of a graph into kernels: afterwards every node is a `fusion`, a large constant, or
control flow, whose sub-graphs are such graphs.

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
with several users is a question of paths in the graph of kernels (`Reach`). At the end, kernels of
one depth (which cannot depend on each other) are merged when they read the same rows, or when they
are plain maps: the parameter updates of an optimizer. A product whose rows one kernel reduces joins
it, and is marked with `keep` there: the lowering computes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from .. import types as ty
from ..ir import PARAM, Graph, Node, Value, at, make, param
from ..loops import ir as L
from ..loops.bounds import less, simplify
from ..loops.nests import is_long, row_depth
from ..loops.rowcache import ROW_BYTES
from ..loops.rowend import LONGEST_ROW
from ..ops.fusion import FUSION, KEEP
from ..types import Dim, Extent, TensorType
from .everywhere import in_nodes
from .kernels import MAX_OPS, Branch, Entry, Kernel, about, share_rows
from .merge import merge

ALONE = ("opaque", "control")
"""Kinds of ops that share a kernel with no other; a control node stays what it is."""
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
MIN_ROWS = 16
"""Rows that are enough for every worker."""
MIN_WHOLE, MIN_SHARE = 64, 4
"""Elements of a state, and how many there are for each that is set, where these are set alone."""
LARGE = 1 << 30


def fuse(graph: Graph) -> Graph:
    """Graph of ops -> graph of fusions (see the module's docstring)."""
    return _fuse(graph, frozenset())


def _fuse(graph: Graph, states: frozenset[Value]) -> Graph:
    """The same of a body, of whose parameters some are states of a loop around it."""
    overwritten = _overwritten(graph, states)

    def inside(node: Node, body: Graph) -> Graph:
        if node.op.name == "switch":
            pairs = zip(body.params, node.operands[1:], strict=True)
            return _fuse(body, frozenset(p for p, v in pairs if v in overwritten))
        return _fuse(body, frozenset(body.params[: node.attrs["carries"]]))

    graph = in_nodes(graph, inside)
    overwritten = _overwritten(graph, states)
    apart = {n for n in graph.nodes if n.op.places and n.operands[0] in overwritten}
    return _rebuild(graph, merge(_grow(graph, {n for n in apart if _is_small_part(n)})))


def _overwritten(graph: Graph, states: Collection[Value]) -> set[Value]:
    """The states, and what a few changes make of them."""
    found = set(states)
    for node in graph.nodes:
        if node.op.places is not None or node.op.changes:
            found.update(node.results if node.operands[0] in found else ())
        elif node.op.name == "switch":
            types = {v.type for v in node.operands if v in found}
            found.update(r for r in node.results if r.type in types)
        elif node.op.kind == "control":
            pairs = zip(node.operands[: node.attrs["carries"]], node.results, strict=False)
            found.update(r for v, r in pairs if v in found)
    return found


def _is_small_part(node: Node) -> bool:
    """Whether it pays that a change of few places has a kernel of its own, which writes these alone
    (`codegen.overwrite`).
    """
    whole, part = (about(v.type.size) for v in node.operands[:2])
    return whole >= MIN_WHOLE and whole >= MIN_SHARE * part


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

    A search of its own: networkx, which the tests compare it with, takes 110 ms to import, longer
    than most programs take to compile.
    """

    def __init__(self) -> None:
        self._readers: dict[int, set[int]] = {}
        self._sources: dict[int, set[int]] = {}

    def __contains__(self, kernel: Kernel) -> bool:
        return id(kernel) in self._readers

    def add(self, kernel: Kernel) -> None:
        self._readers[id(kernel)] = set()
        self._sources[id(kernel)] = set()

    def connect(self, source: Kernel, readers: Sequence[Kernel]) -> None:
        """`readers` read what `source` makes."""
        for reader in readers:
            self._readers[id(source)].add(id(reader))
            self._sources[id(reader)].add(id(source))

    def has_path(self, a: Kernel, b: Kernel) -> bool:
        """Whether b needs a. Walks from both ends, a step where fewer kernels wait."""
        ahead, behind = {id(a)}, {id(b)}
        seen_ahead, seen_behind = set(ahead), set(behind)
        while ahead and behind:
            if seen_ahead & seen_behind:
                return True
            if len(ahead) <= len(behind):
                ahead = {k for j in ahead for k in self._readers[j]} - seen_ahead
                seen_ahead |= ahead
            else:
                behind = {k for j in behind for k in self._sources[j]} - seen_behind
                seen_behind |= behind
        return bool(seen_ahead & seen_behind)

    def merge(self, kernel: Kernel, other: Kernel) -> None:
        """`other` is now a part of `kernel`."""
        one, gone = id(kernel), id(other)
        for there, back in ((self._readers, self._sources), (self._sources, self._readers)):
            for k in there.pop(gone):
                back[k].discard(gone)
                if k != one:
                    back[k].add(one)
                    there[one].add(k)


def _grow(graph: Graph, apart: Collection[Node] = ()) -> list[Kernel]:
    """The kernels of a graph; the nodes `apart` share one with no other."""
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
        alone = node.op.kind in ALONE or node in apart or is_long(node.results[0])
        if users and not is_result and not alone and _joins_all(node, users):
            inlined[node] = users
            for kernel in users:
                _add(kernel, node)
            continue
        if len(users) > 1 and not alone and _join(node, users, member, inlined, reach):
            users = readers(node)
        open_to = [k for k in users if node not in endings or not _repeats(k, node)]
        home = None
        if not alone and not node.op.stored:
            home = _home(node, open_to, users, is_result, reach)
        if home is None:
            home = Kernel(node.results[0].type.shape)
            home.opaque = alone
            home.long = is_long(node.results[0])
            kernels.append(home)
            reach.add(home)
        if is_result or any(k is not home for k in users) or alone:
            for value in node.results:
                if value not in home.results:
                    home.results.append(value)
                entry = home.root_entry(value.type.shape)
                if entry is not None:
                    home.entries.setdefault(value, {}).setdefault(entry)
        member[node] = home
        _add(home, node)
        reach.connect(home, [k for k in users if k is not home])
    found = [k for k in kernels if k in reach]
    for kernel in list(found):
        users = readers(kernel.results[0].node) if len(kernel.results) == 1 else []
        if len(users) == 1 and kernel.results[0] not in returned and _ends(kernel, users[0]):
            users[0].takes_product(kernel)
            found.remove(kernel)
            member.update(dict.fromkeys(kernel.nodes, users[0]))
    return found


def _ends(product: Kernel, reader: Kernel) -> bool:
    """Whether a kernel that reads a product row by row, and reduces its rows, can be the end of it:
    a worker computes some rows of the product and does the rest on them while they are in cache.
    """
    value = product.results[0]
    shape = value.type.shape
    nodes = (*product.nodes, *reader.nodes)
    if product is reader or reader.opaque or reader.contracts or not reader.reduces:
        return False
    if len(nodes) > MAX_OPS or any(node.op.written_out or node.op.stored for node in nodes):
        return False
    if not product.contracts or any(
        node.op.kind == "contraction" and node.op.name != "dot" for node in product.nodes
    ):
        return False
    rows, row = shape[:-1], shape[-1]
    if not isinstance(row, int) or row * value.dtype.nbytes > LONGEST_ROW:
        return False
    own = tuple(Dim.symbol(f"i{k}") for k in range(len(rows)))
    if not rows or reader.shape[: len(rows)] != rows:
        return False
    entries = reader.entries.get(value, {})
    return bool(entries) and all(index[:-1] == own for index, _ in entries)


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
        if len(home.nodes) + len(other.nodes) > MAX_OPS or not share_rows(home, other):
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
        return not any(k.opaque and not k.long for k in users)
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
    return node.op.kind == "reduction" and about(ty.product(kernel.shape)) >= MIN_ROWS


def _is_kept(kernel: Kernel, chain: tuple[str, ...], value: Value) -> bool:
    """Whether the schedule keeps the values of the innermost loop
    for the next loop over the same row.
    """
    extent = kernel.extents[chain[-1]] if chain else 1
    return isinstance(extent, int) and extent * value.dtype.nbytes <= ROW_BYTES


def _ratio(kernel: Kernel, chain: tuple[str, ...], value: Value) -> float:
    """Computed elements for each element of a value, about."""
    computed, size = (
        about(ty.product(extents))
        for extents in ((kernel.extents[v] for v in chain), value.type.shape)
    )
    return computed / size if size else 1.0


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
    if kernel.opaque and not kernel.long:
        return
    again = max((kernel.again.get(v, 0) for v in node.results), default=0)
    deep = max((kernel.frames.get(v, 0) for v in node.results), default=0)
    if node.op.written_out or not kernel.together.isdisjoint(node.results):
        kernel.together.update(node.operands)
    deep += 3 if node.op.kind == "elementwise" else 8  # calls between an element and its operands'
    for operand in node.operands:
        kernel.again[operand] = max(again, kernel.again.get(operand, 0))
        kernel.frames[operand] = max(deep, kernel.frames.get(operand, 0))
    if kernel.long:
        return
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

    def fail(self, cond: L.Expr, message: str, linalg: bool = False) -> None:
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


# -------------------------------------------------------------------------------------- rebuilding


def _rebuild(graph: Graph, kernels: list[Kernel]) -> Graph:
    new: dict[Value, Value] = {v: v for v in graph.params}
    position = {node: n for n, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if _is_leaf(node):
            new.update(zip(node.results, node.results, strict=True))
    for kernel in kernels:
        nodes = _from_results(kernel, position)
        inside = {v for node in nodes for v in node.results}
        operands: dict[Value, None] = {
            v: None for node in nodes for v in node.operands if v not in inside
        }
        _fusion(nodes, list(operands), kernel.results, new, kernel.kept)
    results = list(graph.results)
    for value in dict.fromkeys(results):
        if value.node.op is PARAM or _is_leaf(
            value.node
        ):  # a result that nothing computes is copied
            copied: dict[Value, Value] = {value: new[value]}
            _fusion([], [value], [value], copied)
            results = [copied[v] if v is value else v for v in results]
    return Graph.of(graph.name, graph.params, [new.get(v, v) for v in results])


def _from_results(kernel: Kernel, position: dict[Node, int]) -> list[Node]:
    """The nodes of a kernel, operands first, in the order in which the results ask for them.

    So kernels that compute the same have equal bodies, wherever their nodes stood in the graph, and
    are compiled once.
    """
    inside = set(kernel.nodes)
    ordered: dict[Node, None] = {}
    roots = [v.node for v in kernel.results]
    roots += sorted(inside.difference(roots), key=position.__getitem__)
    waiting = [(node, False) for node in reversed(roots)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            ordered.setdefault(node)
        elif node in inside and node not in ordered:
            waiting.append((node, True))
            waiting += [(v.node, False) for v in reversed(node.operands)]
    return list(ordered)


def _fusion(
    nodes: list[Node], operands: list[Value], results: list[Value], new: dict[Value, Value],
    kept: Sequence[Value] = (),
) -> None:  # fmt: skip
    if len(nodes) == 1 and nodes[0].op.kind == "control":
        node = nodes[0]
        stays = make(node.op, [new[v] for v in node.operands], node.attrs, node.where)
        new.update(zip(node.results, stays.results, strict=True))
        return
    inner: dict[Value, Value] = {v: param(v.type, f"p{k}") for k, v in enumerate(operands)}
    params = list(inner.values())
    made: list[Node] = []
    for node in nodes:
        copy = make(node.op, [inner[v] for v in node.operands], node.attrs, node.where)
        made.append(copy)
        inner.update(zip(node.results, copy.results, strict=True))
        for value in node.results:
            if value in kept:
                inner[value] = KEEP(inner[value])
                made.append(inner[value].node)
    body = Graph("body", tuple(params), tuple(made), tuple(inner[v] for v in results))
    with at(nodes[-1].where if nodes else None):
        outcome = FUSION(*(new[v] for v in operands), body=body)
    values = outcome if isinstance(outcome, tuple) else (outcome,)
    new.update(zip(results, values, strict=True))
