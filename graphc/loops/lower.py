"""lower: the body of a fusion (or any graph) becomes one naive, correct LoopFunc.

Every result is a nest of loops over its axes; the element at an index is asked for, and each op
answers through the elements of its operands, so movement is index arithmetic and nothing
intermediate is stored. A value is named (Let) in the outermost loop that its index allows: what
depends on the row alone is computed once per row, and a reduction is a loop of its own, placed
there. So softmax is one nest: rows outside; inside, a loop for the maximum, a loop for the sum, a
loop that writes. Which ops may share a nest without waste is decided before, by `passes/fuse.py`.

Called by graphc/compile.py; never chooses an order for speed (that is `schedule`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import LoweringError
from ..ir import Graph, Node, Value
from ..opdef import Attrs
from ..ops.reduction import wide
from ..ops.sharing import share
from ..types import BOOL, I64, Dim, DType, Extent, TensorType
from . import ir as L
from .bounds import less, simplify
from .ir import NON_FINITE, Buffer, Const, Expr, Idx, Index, Load, Name, Pair, Stmt
from .nests import nests, row_depth

Element = Expr | Pair

IDENTITY: dict[str, Callable[[DType], Any]] = {
    "sum": lambda d: 0,
    "prod": lambda d: 1,
    "max": lambda d: False if d is BOOL else _extreme(d, low=True),
    "min": lambda d: True if d is BOOL else _extreme(d, low=False),
    "and": lambda d: True if d is BOOL else -1 if d.kind == "i" else 2**d.bits - 1,
    "or": lambda d: False if d is BOOL else 0,
    "xor": lambda d: False if d is BOOL else 0,
}
ACCUMULATE = {
    "sum": "add", "prod": "mul", "max": "max", "min": "min", "and": "and", "or": "or", "xor": "xor",
}  # fmt: skip
KIND_OF = {op: kind for kind, op in ACCUMULATE.items()}


def _extreme(dtype: DType, low: bool) -> Any:
    if dtype.is_float:
        return float("-inf") if low else float("inf")
    if dtype.kind == "u":
        return 0 if low else 2**dtype.bits - 1
    return -(2 ** (dtype.bits - 1)) if low else 2 ** (dtype.bits - 1) - 1


@dataclass(frozen=True, slots=True)
class Lowered:
    """A LoopFunc, the parameters' order (graph parameters, then results),
    and the messages of its Fails.
    """

    func: L.LoopFunc
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    temps: tuple[Buffer, ...]
    messages: tuple[str, ...]


def buffer_of(
    type: TensorType, name: str, access: str, strides: tuple[Index, ...] | None = None
) -> Buffer:
    """The buffer that holds a tensor; a complex one is real with a last axis of 2."""
    if not type.dtype.is_complex:
        return Buffer(name, type.dtype, type.shape, strides, "global", access)
    if strides is not None:
        strides = (*(2 * s for s in strides), 1)
    return Buffer(name, type.dtype.real, (*type.shape, 2), strides, "global", access)


class Scope:
    """A block of statements under construction: the body of one loop, or of the function."""

    __slots__ = ("depth", "extent", "memo", "parent", "stmts", "var")

    def __init__(self, parent: Scope | None, var: str, extent: Index):
        self.parent, self.var, self.extent = parent, var, extent
        self.depth = 0 if parent is None else parent.depth + 1
        self.stmts: list[Stmt] = []
        self.memo: dict[Any, Element] = {}


@dataclass
class Lowering:
    """The state of lowering one body."""

    graph: Graph
    buffers: dict[Value, Buffer]
    """Values that stand in memory: parameters, and results that were written by an earlier nest."""
    check_finite: bool = False
    root: Scope = field(default_factory=lambda: Scope(None, "", 1))
    scope_of_name: dict[str, Scope] = field(default_factory=dict)
    extents: dict[str, Index] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    temps: list[Buffer] = field(default_factory=list)
    counter: int = 0
    scope: Scope = field(init=False)
    floor: Scope | None = None
    """Where an opaque card writes loops of its own: no element is computed outside of it."""
    guard: Expr | None = None
    guards: dict[str, Expr] = field(default_factory=dict)
    """Names that are 0 where an expression is false: guarded Loads, and casts of such."""
    row_caches: dict[Any, Buffer] = field(default_factory=dict)
    seen: list[Element] | None = None
    """While the body of a reduction is lowered under check_finite: the operands that it reads."""
    asked: dict[tuple[Node, tuple[Index, ...]], bool] | None = None
    """Where there is a dict, nothing but it is wanted: at which indices the ops are read that are
    written out, and whether they are read by others than their like.
    """
    inside: bool = False
    """Whether such an op asks."""
    ready: dict[tuple[Value, tuple[Index, ...]], Element] = field(default_factory=dict)
    """Elements that stand under no guard and serve every guard."""
    over: frozenset[Value] = frozenset()
    """Results whose memory holds operand 0 of the op that makes them."""
    finite: dict[Node, Expr] = field(default_factory=dict)
    """Under check_finite, of a node that reduces: whether all that it read is finite."""

    def __post_init__(self) -> None:
        self.scope = self.root

    # -- names and scopes
    def fresh(self, stem: str) -> str:
        self.counter += 1
        return f"{stem}{self.counter}"

    def known(self) -> dict[str, tuple[int | None, int | None]]:
        return {v: (0, e - 1 if isinstance(e, int) else None) for v, e in self.extents.items()}

    def scope_for(self, names: frozenset[str], also: Scope | None = None) -> Scope:
        """The deepest scope among those that bind the names."""
        best = also or self.root
        for name in names:
            scope = self.scope_of_name.get(name)
            if scope is not None and scope.depth > best.depth:
                best = scope
        return best

    def open(self, extent: Index, stem: str) -> Scope:
        var = self.fresh(stem)
        scope = Scope(self.scope, var, extent)
        self.scope_of_name[var] = scope
        self.extents[var] = extent
        self.scope = scope
        return scope

    def close(self, scope: Scope, kind: str = "serial") -> None:
        assert scope.parent is not None
        self.scope = scope.parent
        scope.parent.stmts.append(L.For(scope.var, scope.extent, kind, tuple(scope.stmts)))

    # -- elements
    def element(self, value: Value, index: tuple[Index, ...]) -> Element:
        """The element of a value at an index,
        computed in the outermost scope that the index allows.
        """
        if self.floor is not None and (value, index, self.guard) in self.floor.memo:
            return self.floor.memo[value, index, self.guard]
        buffer = self.buffers.get(value)
        if buffer is not None:
            return self.load(buffer, index, value.type.dtype.is_complex)
        if (value, index) in self.ready:
            return self.ready[value, index]
        names: set[str] = set()
        for i in index:
            if isinstance(i, Dim):
                names |= ty.symbols(i)
        if self.guard is not None:
            names |= expr_names(self.guard)
        scope = self.scope_for(frozenset(names), self.floor)
        key = (value, index, self.guard)
        found = scope.memo.get(key)
        if found is None:
            before, self.scope = self.scope, scope
            found = self.bind(self.compute(value.node, index))
            if self.check_finite:
                self.require_finite(value, found, index)
            self.scope = before
            scope.memo[key] = found
        return found

    def compute(self, node: Node, index: tuple[Index, ...]) -> Element:
        card = node.op
        if card.lower is None or card.kind == "opaque":
            raise LoweringError(
                f"op {card.name} has no scalar form; it cannot stand inside a fused kernel"
            )
        if card.written_out and self.asked is not None:
            self.asked[node, index] = not self.inside
            before, self.inside = self.inside, True
            found = self.element(node.operands[0], index)  # at that place in every tile
            self.inside = before
            return found
        if card.kind == "elementwise":
            args = [self.element(v, index) for v in node.operands]
            return share(card.lower(args, node.results[0].type), self.bind)
        return card.lower(Context(self, node), index)

    def require_finite(self, value: Value, element: Element, index: tuple[Index, ...]) -> None:
        """Reports an op that made a NaN or an infinity out of finite numbers."""
        node = value.node
        if value.type.dtype.kind not in "fc" or node.op.kind in ("movement", "creation"):
            return
        cond: Expr | None = L.Scalar("not", (_all_finite([element]),), BOOL)
        if node.op.kind == "elementwise":
            cond = L.both(cond, _all_finite([self.element(v, index) for v in node.operands]))
        elif node in self.finite:
            cond = L.both(cond, self.finite[node])
        assert cond is not None
        Context(self, node).fail(cond, f"{NON_FINITE} in {value.type}")

    def load(self, buffer: Buffer, index: tuple[Index, ...], is_complex: bool) -> Element:
        if is_complex:
            return Pair(
                self.bind(Load(buffer, (*index, 0), self.guard)),
                self.bind(Load(buffer, (*index, 1), self.guard)),
            )
        scope = self.scope_for(
            index_names(index) | (expr_names(self.guard) if self.guard else frozenset()), self.floor
        )
        key = (buffer.name, index, self.guard)
        found = scope.memo.get(key)
        if found is None:
            before, self.scope = self.scope, scope
            found = self.bind(Load(buffer, index, self.guard))
            self.scope = before
            scope.memo[key] = found
        return found

    def bind(self, element: Element) -> Any:
        """A name for an expression, in the current scope; constants and names stay themselves."""
        if isinstance(element, Pair):
            return Pair(self.bind(element.re), self.bind(element.im))
        if isinstance(element, (Const, Name)):
            return element
        name = self.fresh("t")
        self.scope.stmts.append(L.Let(name, element))
        self.scope_of_name[name] = self.scope
        if isinstance(element, Load) and element.guard is not None:
            self.guards[name] = element.guard
        elif isinstance(element, L.Cast) and isinstance(element.value, Name):
            if element.value.name in self.guards:
                self.guards[name] = self.guards[element.value.name]
        return Name(name, element.dtype)

    def vanishes_unless(self, element: Expr, cond: Expr) -> bool:
        """Whether an element is 0 wherever cond is false, because a Load has cond as its guard.

        Then nothing selects between it and 0: a padded operand stays a plain Load, the form that
        the schedule of contractions knows.
        """
        guard = self.guards.get(element.name) if isinstance(element, Name) else None
        return guard is not None and cond in _conjuncts(guard)

    # -- reductions
    def reduce(
        self,
        node: Node,
        kind: str,
        extents: Sequence[Extent],
        body: Callable[[tuple[Index, ...]], Element],
    ) -> Element:
        """A reduction loop in the current scope;
        `body` answers the element at the reduced indices.
        """
        home = self.scope
        guard = self.guard
        scopes: list[Scope] = []
        for extent in extents:
            scopes.append(self.open(extent, "r"))
        before, self.seen = self.seen, [] if self.check_finite else None
        element = body(tuple(Dim.symbol(s.var) for s in scopes))
        seen, self.seen = self.seen, before
        parts = [element.re, element.im] if isinstance(element, Pair) else [element]
        if isinstance(element, Pair) and kind not in ("sum", "prod"):
            raise LoweringError(f"reduce {kind} of complex numbers has no loop form")
        accumulators: list[Buffer] = []
        for part in parts:
            accumulator = Buffer(self.fresh("acc"), part.dtype, (1,), None, "register", "temp")
            accumulators.append(accumulator)
            identity = L.const(IDENTITY[kind](part.dtype), part.dtype)
            home.stmts.append(L.Alloc(accumulator))
            if kind == "prod" and len(accumulators) == 2:
                identity = L.const(0, part.dtype)  # the product of nothing is 1 + 0i
            home.stmts.append(L.Store(accumulator, (0,), identity))
            if not (kind == "prod" and isinstance(element, Pair)):
                self.scope.stmts.append(L.Accumulate(accumulator, (0,), ACCUMULATE[kind], part))
        if kind == "prod" and isinstance(element, Pair):
            self.multiply(accumulators, element)
        if seen:
            watch = Buffer(self.fresh("fin"), BOOL, (1,), None, "register", "temp")
            home.stmts += [L.Alloc(watch), L.Store(watch, (0,), L.TRUE)]
            self.scope.stmts.append(L.Accumulate(watch, (0,), "and", self.bind(_all_finite(seen))))
        for scope in reversed(scopes):
            self.close(scope)
        self.guard = guard
        results = [self.bind(Load(a, (0,))) for a in accumulators]
        if seen:
            self.finite[node] = self.bind(Load(watch, (0,)))
        return Pair(*results) if len(results) == 2 else results[0]

    def nothing(self, kind: str, like: DType) -> Element:
        """The result of a reduction over nothing."""
        identity = L.const(IDENTITY[kind](like.real), like.real)
        return Pair(identity, L.const(0, like.real)) if like.is_complex else identity

    def multiply(self, accumulators: Sequence[Buffer], element: Pair) -> None:
        """(a, b) *= (c, d), as complex numbers."""
        a, b = (self.bind(Load(x, (0,))) for x in accumulators)
        c, d = element.re, element.im
        re = L.scalar("sub", L.scalar("mul", a, c), L.scalar("mul", b, d))
        im = L.scalar("add", L.scalar("mul", a, d), L.scalar("mul", b, c))
        for buffer, value in zip(accumulators, (self.bind(re), self.bind(im)), strict=True):
            self.scope.stmts.append(L.Store(buffer, (0,), value))


def _conjuncts(cond: Expr) -> list[Expr]:
    if isinstance(cond, L.Scalar) and cond.op == "and":
        return [one for part in cond.args for one in _conjuncts(part)]
    return [cond]


def _is_zero(element: Expr) -> bool:
    """Is it the constant +0, which is what a Load answers when its guard is false?"""
    if not isinstance(element, Const) or element.value != 0:
        return False
    return not element.dtype.is_float or math.copysign(1.0, element.value) > 0


def _all_finite(elements: Sequence[Element]) -> Expr:
    """Whether all the floats among some elements are finite."""
    found: Expr | None = None
    for element in elements:
        for part in [element.re, element.im] if isinstance(element, Pair) else [element]:
            if part.dtype.is_float:
                found = L.both(found, L.Scalar("isfinite", (part,), BOOL))
    return L.TRUE if found is None else found


def index_names(index: tuple[Index, ...]) -> frozenset[str]:
    found: set[str] = set()
    for i in index:
        if isinstance(i, Dim):
            found |= ty.symbols(i)
    return frozenset(found)


def expr_names(expr: Expr) -> frozenset[str]:
    """The loop variables and Lets that an expression reads."""
    found: set[str] = set()
    for one in L.walk(expr):
        if isinstance(one, Name):
            found.add(one.name)
        elif isinstance(one, Idx):
            found |= index_names((one.index,))
        elif isinstance(one, Load):
            found |= index_names(one.index)
    return frozenset(found)


class Context:
    """What a card's `lower` sees (graphc/DESIGN.md, 7)."""

    __slots__ = ("_node", "_state")

    def __init__(self, state: Lowering, node: Node):
        self._state, self._node = state, node

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(v.type for v in self._node.operands)

    @property
    def attrs(self) -> Attrs:
        return self._node.attrs

    @property
    def type(self) -> TensorType:
        return self._node.results[0].type

    def operand(self, k: int, index: Sequence[Index]) -> Any:
        state = self._state
        seen, state.seen = state.seen, None
        found = state.element(self._node.operands[k], tuple(self.simplify(i) for i in index))
        state.seen = seen
        if seen is not None:
            seen.append(found)
        return found

    def simplify(self, index: Index) -> Index:
        """The index without the // and % that the extents of the loops decide."""
        return simplify(index, self._state.extents)

    def less(self, a: Index, b: Index) -> Expr:
        return less(a, b, self._state.extents)

    def where(self, cond: Expr, a: Callable[[], Element], b: Callable[[], Element]) -> Any:
        if isinstance(cond, Const):
            return a() if cond.value else b()
        state = self._state
        cond = state.bind(cond) if not isinstance(cond, Name) else cond
        outer = state.guard
        state.guard = L.both(outer, cond)
        then = a()
        state.guard = L.both(outer, L.Scalar("not", (cond,), BOOL))
        otherwise = b()
        state.guard = outer
        if isinstance(then, Pair) and isinstance(otherwise, Pair):
            return Pair(
                L.Select(cond, then.re, otherwise.re), L.Select(cond, then.im, otherwise.im)
            )
        assert not isinstance(then, Pair) and not isinstance(otherwise, Pair)
        if _is_zero(otherwise) and state.vanishes_unless(then, cond):
            return then
        return L.Select(cond, then, otherwise)

    def index(self, expr: Expr) -> Index:
        if isinstance(expr, Idx):
            return expr.index
        if isinstance(expr, Const):
            return int(expr.value)
        bound = self._state.bind(L.cast(expr, I64))
        return int(bound.value) if isinstance(bound, Const) else Dim.symbol(bound.name)

    def bind(self, element: Element) -> Any:
        return self._state.bind(element)

    def fail(self, cond: Expr, message: str, linalg: bool = False) -> None:
        if cond == L.FALSE:
            return
        cond = L.both(self._state.guard, cond) or L.TRUE
        self._state.scope.stmts.append(L.Fail(cond, self.code(message, linalg)))

    def code(self, message: str, linalg: bool = False) -> int:
        """The error code of a message, for a Fail that the card writes itself.

        `linalg`: the error is numpy.linalg.LinAlgError, with the message alone.
        """
        messages = self._state.messages
        where = f" (at {self._node.where})" if self._node.where else ""
        text = f"{self._node.op.name}: {message}{where}"
        if linalg:
            text = f"{self._node.op.name}{where}{L.LINALG}{message}"
        if text not in messages:
            messages.append(text)
        return messages.index(text) + 1

    def reduce(
        self, kind: str, extents: Sequence[Extent], body: Callable[[tuple[Index, ...]], Element]
    ) -> Any:
        if 0 in extents:
            # `body` would load elements outside the loop where no index mentions the loop
            dtype = self.types[0].dtype
            return self._state.nothing(kind, wide(dtype) if kind in ("sum", "prod") else dtype)
        return self._state.reduce(self._node, kind, extents, body)

    # -- for opaque cards
    def buffer(self, k: int) -> Buffer:
        found = self._state.buffers.get(self._node.operands[k])
        if found is None:
            raise LoweringError(f"operand {k} of {self._node.op.name} is not in memory")
        return found

    @property
    def over(self) -> bool:
        """Whether the result's buffer holds operand 0 already."""
        return self._node.results[0] in self._state.over

    def result(self, k: int = 0) -> Buffer:
        return self._state.buffers[self._node.results[k]]

    def fresh(self, stem: str) -> str:
        return self._state.fresh(stem)

    def temp(self, dtype: DType, shape: Sequence[Index]) -> Buffer:
        buffer = Buffer(self._state.fresh("tmp"), dtype, tuple(shape))
        self._state.temps.append(buffer)
        return buffer

    # -- for opaque cards that write loops around elements of a sub-graph
    def open(self, body: Graph, first: int = 0, last: int = 0) -> None:
        """The parameters of a sub-graph, but for the `first`, stand for the operands, but for the
        `last`.
        """
        operands = self._node.operands[: len(self._node.operands) - last]
        for value, operand in zip(body.params[first:], operands, strict=True):
            self._state.buffers[value] = self._state.buffers[operand]

    @contextmanager
    def loop(self, extent: Index, stem: str, kind: str = "serial") -> Iterator[Index]:
        """What is put inside is the body of a loop; answers its variable."""
        state = self._state
        before = state.floor
        scope = state.open(extent, stem)
        state.floor = scope
        yield Dim.symbol(scope.var)
        state.floor = before
        state.close(scope, kind)

    @contextmanager
    def under(self, cond: Expr | None) -> Iterator[None]:
        """Loads inside happen only where a condition holds."""
        state = self._state
        before = state.guard
        state.guard = L.both(before, cond)
        yield
        state.guard = before

    def put(self, *stmts: Stmt) -> None:
        """Statements at the end of the present loop."""
        self._state.scope.stmts.extend(stmts)

    def number(self, index: Index, extent: Index) -> Index:
        """A name for an index in [0, extent)."""
        if not isinstance(index, Dim):
            return index
        name = self.bind(Idx(index)).name
        self._state.extents[name] = extent
        return Dim.symbol(name)

    def element(self, value: Value, index: Sequence[Index]) -> Any:
        """The element of a value of the sub-graph, computed in the present loop."""
        return self._state.element(value, tuple(self.simplify(i) for i in index))

    def given(self, value: Value, index: Sequence[Index], element: Element) -> None:
        """Says what the element of a value of the sub-graph is, in the present loop."""
        key = (value, tuple(self.simplify(i) for i in index), self._state.guard)
        self._state.scope.memo[key] = element

    def lies_along(self, value: Value) -> bool:
        """Whether a value of the sub-graph is read from memory along its last axis."""
        state, names = self._state, [f"_{k}" for k in range(value.type.rank)]
        before = state.scope, state.floor, state.extents, state.counter
        state.scope = state.floor = Scope(None, "", 1)
        state.extents = state.extents | dict(zip(names, value.type.shape, strict=True))
        state.element(value, tuple(Dim.symbol(name) for name in names))
        stmts = state.scope.stmts
        state.scope, state.floor, state.extents, state.counter = before
        load = stmts[0].value if len(stmts) == 1 and isinstance(stmts[0], L.Let) else None
        if not isinstance(load, Load) or load.guard is not None:
            return False
        offset = load.buffer.offset(load.index)
        rest = ty.substitute(offset, {names[-1]: 0}) if isinstance(offset, Dim) else offset
        return offset - rest == Dim.symbol(names[-1])


# ------------------------------------------------------------------------------------ whole bodies


def lower(
    graph: Graph,
    name: str,
    strides: dict[int, tuple[Index, ...]] | None = None,
    check_finite: bool = False,
    over: Collection[int] = (),
) -> Lowered:
    """The LoopFunc of a graph whose ops can share one kernel.

    `strides` gives element strides of parameters that are not C-contiguous, by position.
    `check_finite` adds a Fail after every op of floats: NaN or infinity out of finite operands.
    `over` lists results, by position, that are written where operand 0 of their op is: what the op
    leaves as it was is not written (`OpDef.places`).
    Parameters of the function: the graph's parameters, its results, and temporaries that opaque
    ops asked for.
    """
    strides = strides or {}
    inputs = tuple(
        buffer_of(v.type, f"x{i}", "in", strides.get(i)) for i, v in enumerate(graph.params)
    )
    outputs = tuple(buffer_of(v.type, f"y{i}", "out") for i, v in enumerate(graph.results))
    state = Lowering(
        graph, dict(zip(graph.params, inputs, strict=True)), check_finite,
        over=frozenset(graph.results[k] for k in over),
    )  # fmt: skip
    _lower_opaque(state, graph, outputs)
    _lower_kept(state, graph)
    for k in over:
        if graph.results[k].node.op.places is not None:
            _lower_changes(state, graph.results[k], outputs[k])
    whole = any(node.op.written_out for node in graph.nodes)
    for nest in nests(graph.results, state.buffers, whole):
        _lower_nest(state, [(graph.results[k], outputs[k]) for k in nest])
        for k in nest:
            state.buffers.setdefault(graph.results[k], outputs[k])
    symbols: dict[str, None] = {s: None for s in graph.symbols}
    for buffer in (*inputs, *outputs, *state.temps):
        for index in (*buffer.shape, *(buffer.strides or ())):
            symbols.update(dict.fromkeys(sorted(ty.symbols(index))))
    func = L.LoopFunc(
        name, (*inputs, *outputs, *state.temps), tuple(symbols), tuple(state.root.stmts)
    )
    return Lowered(func, inputs, outputs, tuple(state.temps), tuple(state.messages))


def _lower_opaque(state: Lowering, graph: Graph, outputs: tuple[Buffer, ...]) -> None:
    """Emits the opaque ops of the body, in order; their operands and results stand in memory."""
    for node in graph.nodes:
        if node.op.kind != "opaque":
            continue
        for value in node.operands:
            if value not in state.buffers:
                buffer = buffer_of(value.type, state.fresh("tmp"), "temp")
                state.temps.append(buffer)
                _lower_nest(state, [(value, buffer)])
                state.buffers[value] = buffer
        for value in node.results:
            if value in graph.results:
                state.buffers[value] = outputs[graph.results.index(value)]
            else:
                state.buffers[value] = buffer_of(value.type, state.fresh("tmp"), "temp")
                state.temps.append(state.buffers[value])
        assert node.op.lower is not None
        state.root.stmts.extend(node.op.lower(Context(state, node)))
        state.root.memo.clear()


def _lower_kept(state: Lowering, graph: Graph) -> None:
    """A nest of its own for every value that the body keeps: the others read it from memory.

    The schedule for a CPU may compute it in pieces that stay in cache (`schedule`).
    """
    for node in graph.nodes:
        value = node.results[0]
        if node.op.stored and value not in state.buffers and value not in graph.results:
            buffer = buffer_of(value.type, state.fresh("tmp"), "temp")
            state.temps.append(buffer)
            _lower_nest(state, [(value, buffer)])
            state.buffers[value] = buffer


def _lower_changes(state: Lowering, value: Value, buffer: Buffer) -> None:
    """The elements of operand 1, each at its place in memory that holds operand 0."""
    card, part = value.node.op, value.node.operands[1]
    assert card.places is not None
    state.buffers[value] = buffer
    if part.type.size == 0:
        return
    scopes = [state.open(extent, "i") for extent in part.type.shape]
    index = tuple(Dim.symbol(s.var) for s in scopes)
    place = card.places(Context(state, value.node), index)
    inside: Expr | None = None  # symbolic extents may belie each other
    for i, n in zip(place, value.type.shape, strict=True):
        for cond in (less(-1, i, state.extents), less(i, n, state.extents)):
            inside = inside if cond == L.TRUE else L.both(inside, cond)
    _store(state.scope, buffer, place, state.element(part, index), inside)
    for k, scope in reversed(list(enumerate(scopes))):
        state.close(scope, "parallel" if k == 0 else "serial")


def _lower_nest(state: Lowering, members: list[tuple[Value, Buffer]]) -> None:
    # where nothing is stored, nothing may be loaded: not in outer loops either
    members = [(v, b) for v, b in members if v.type.size != 0]
    if not members:
        return
    full = max((v.type.shape for v, _ in members), key=len)
    unrolled = _written_out(state, members, full)
    scopes: list[Scope] = []
    vars: list[Index] = []
    for axis, extent in enumerate(full):
        count = unrolled.factors.get(axis, unrolled.blocks.get(axis, 1))
        if count == extent and axis in unrolled.factors:
            vars.append(0)
            continue
        scopes.append(state.open((extent + count - 1) // count, "i"))
        vars.append(Dim.symbol(scopes[-1].var) * count)
        if axis in unrolled.blocks:
            scopes.append(state.open(count, "i"))
            vars[-1] = vars[-1] + Dim.symbol(scopes[-1].var)
    levels: list[Scope] = [state.root, *scopes]
    for steps in itertools.product(*(range(n) for n in unrolled.factors.values())):
        place = list(vars)
        cond: Expr | None = None
        for axis, step in zip(unrolled.factors, steps, strict=True):
            place[axis] = place[axis] + step
            cond = L.both(cond, less(place[axis], full[axis], state.extents))
        before, state.scope = state.scope, levels[-1]
        if cond is not None:
            for value, index in unrolled.at(place):
                state.ready[value, index] = state.element(value, index)
            cond = state.bind(cond)
        for value, buffer in members:
            depth = row_depth(full, value.type.shape)
            assert depth is not None
            index = (*place[:depth], *(0 for _ in range(value.type.rank - depth)))
            # loops and axes are the same but where loops are written out, for members of full depth
            home = levels[depth] if depth < len(full) else levels[-1]
            state.scope, state.guard = home, cond
            _store(home, buffer, index, state.element(value, index), cond)
        state.scope, state.guard = before, None
    state.ready.clear()
    for k, scope in reversed(list(enumerate(scopes))):
        state.close(scope, "parallel" if k == 0 else "serial")


@dataclass(frozen=True, slots=True)
class _WrittenOut:
    """What becomes of the loops of a nest, by axis."""

    factors: dict[int, int] = field(default_factory=dict)
    """How many steps are written out, in the order of the axes."""
    blocks: dict[int, int] = field(default_factory=dict)
    """Extents of a second loop inside: an axis that was two, side by side, is two again."""
    reads: tuple[tuple[Value, tuple[Index, ...]], ...] = ()
    """What is read once for all of them, at indices made of `names`."""
    names: tuple[str, ...] = ()

    def at(self, place: Sequence[Index]) -> list[tuple[Value, tuple[Index, ...]]]:
        """What is read for the element at a place."""
        env = dict(zip(self.names, place, strict=True))
        return [(v, tuple(ty.substitute(i, env) for i in index)) for v, index in self.reads]


def _written_out(
    state: Lowering, members: list[tuple[Value, Buffer]], full: tuple[Extent, ...]
) -> _WrittenOut:
    """Which loops of a nest are written out, because an op wants numbers as indices
    (`OpDef.written_out`): whole short loops, or groups of m steps where it is read at i % m.
    """
    if not any(node.op.written_out for node in state.graph.nodes):
        return _WrittenOut()
    if any(value.type.shape != full for value, _ in members):
        return _WrittenOut()
    asked: dict[tuple[Node, tuple[Index, ...]], bool] = {}
    trial = Lowering(state.graph, dict(state.buffers), asked=asked)
    names = tuple(trial.open(extent, "i").var for extent in full)
    vars = tuple(Dim.symbol(name) for name in names)
    for value, _ in members:
        trial.element(value, vars)
    factors: dict[int, int] = {}
    for node, index in asked:
        axis = node.attrs["axis"]
        period = node.results[0].shape[axis]
        assert isinstance(period, int)
        for k, (var, extent) in enumerate(zip(vars, full, strict=True)):
            whole = index[axis] == var and isinstance(extent, int) and extent <= period
            if whole or index[axis] == var % period:
                factors.setdefault(k, extent if whole and isinstance(extent, int) else period)
    outer = tuple((node.results[0], index) for (node, index), last in asked.items() if last)
    blocks: dict[int, int] = {}
    for value, index in outer:
        for i, period in zip(index, value.type.shape, strict=True):
            for k, (var, extent) in enumerate(zip(vars, full, strict=True)):
                inner = isinstance(period, int) and extent != period and i == var % period
                if inner and isinstance(i, Dim) and extent % period == 0 and k not in factors:
                    blocks.setdefault(k, int(period))
    return _WrittenOut(dict(sorted(factors.items())), blocks, outer, names)


def _store(
    scope: Scope,
    buffer: Buffer,
    index: tuple[Index, ...],
    element: Element,
    cond: Expr | None = None,
) -> None:
    """Stores an element, where the condition holds."""
    stores: tuple[Stmt, ...] = (
        (
            L.Store(buffer, (*index, 0), element.re),
            L.Store(buffer, (*index, 1), element.im),
        )
        if isinstance(element, Pair)
        else (L.Store(buffer, index, element),)
    )
    scope.stmts.extend(stores if cond is None else (L.If(cond, stores),))
