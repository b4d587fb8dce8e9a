"""A small stand-in for the lowering: one op over operands in memory, as one LoopFunc.

With it the cards are tested alone.

It follows graphc/DESIGN.md section 7 and does nothing to be fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc import types as ty
from graphc.ir import substitute_extents
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.verify import verify
from graphc.opdef import OpDef
from graphc.ops.reduction import identity
from graphc.types import BOOL, I64, Dim, TensorType

ACCUMULATE = {"sum": "add", "prod": "mul"}


def buffer_of(type: TensorType, name: str, access: str) -> L.Buffer:
    shape = (*type.shape, 2) if type.dtype.is_complex else type.shape
    return L.Buffer(name, type.dtype.real, shape, access=access)


class Context:
    """`c` for one use of a card."""

    def __init__(self, card: OpDef, types: Sequence[TensorType], attrs: Mapping[str, Any]):
        self.types, self.attrs = tuple(types), attrs
        self.results = card.infer_types(types, attrs)
        self.type = self.results[0]
        self.inputs = [buffer_of(t, f"x{k}", "in") for k, t in enumerate(types)]
        self.outputs = [buffer_of(t, f"y{k}", "out") for k, t in enumerate(self.results)]
        self.temps: list[L.Buffer] = []
        self.messages: list[str] = []
        self.stmts: list[L.Stmt] = []
        self.guard: L.Expr | None = None
        self.known: dict[str, tuple[int | None, int | None]] = {}
        self.count = 0

    # -- elements
    def operand(self, k: int, index: tuple[L.Index, ...]) -> Any:
        assert len(index) == self.types[k].rank
        if self.types[k].dtype.is_complex:
            parts = (L.Load(self.inputs[k], (*index, p), self.guard) for p in (0, 1))
            return L.Pair(*parts)
        return L.Load(self.inputs[k], index, self.guard)

    def where(self, cond: L.Expr, a: Callable[[], Any], b: Callable[[], Any]) -> Any:
        outer, named = self.guard, self.bind(cond)
        self.guard = L.both(outer, named)
        yes = self.bind(a())
        self.guard = L.both(outer, L.scalar("not", named))
        no = self.bind(b())
        self.guard = outer
        if isinstance(yes, L.Pair):
            return L.Pair(L.Select(named, yes.re, no.re), L.Select(named, yes.im, no.im))
        return L.Select(named, yes, no)

    def less(self, a: L.Index, b: L.Index) -> L.Expr:
        return L.less(a, b, self.known)

    def bind(self, expr: Any) -> Any:
        if isinstance(expr, L.Pair):
            return L.Pair(self.bind(expr.re), self.bind(expr.im))
        name = self.fresh("t")
        self.stmts.append(L.Let(name, expr))
        return L.Name(name, expr.dtype)

    def index(self, expr: L.Expr) -> L.Index:
        return Dim.symbol(self.bind(L.cast(expr, I64)).name)

    def fail(self, cond: L.Expr, message: str) -> None:
        self.stmts.append(L.Fail(L.both(self.guard, cond) or L.TRUE, self.code(message)))

    def reduce(self, kind: str, extents: Sequence[ty.Extent], body: Callable[..., Any]) -> Any:
        outer, self.stmts = self.stmts, []
        names = [self.loop_name(n) for n in extents]
        value = self.bind(body(tuple(map(Dim.symbol, names))))
        parts = [value.re, value.im] if isinstance(value, L.Pair) else [value]
        cells = [L.Buffer(self.fresh("acc"), p.dtype, (1,), space="local") for p in parts]
        loads = [L.Load(cell, (0,)) for cell in cells]
        if len(parts) == 2 and kind == "prod":
            (a, b), (x, y) = loads, parts
            new = [
                L.scalar("sub", L.scalar("mul", a, x), L.scalar("mul", b, y)),
                L.scalar("add", L.scalar("mul", a, y), L.scalar("mul", b, x)),
            ]
            new = [self.bind(e) for e in new]
            self.stmts += [L.Store(c, (0,), e) for c, e in zip(cells, new, strict=True)]
        else:
            op = ACCUMULATE.get(kind, kind)
            self.stmts += [L.Accumulate(c, (0,), op, p) for c, p in zip(cells, parts, strict=True)]
        for cell, first in zip(cells, (identity(kind, cells[0].dtype), 0), strict=False):
            outer += [L.Alloc(cell), L.Store(cell, (0,), L.const(first, cell.dtype))]
        self.stmts = [*outer, *nested(names, extents, self.stmts)]
        found = [self.bind(load) for load in loads]
        return L.Pair(*found) if len(found) == 2 else found[0]

    def loop_name(self, extent: ty.Extent) -> str:
        name = self.fresh("i")
        self.known[name] = (0, extent - 1 if isinstance(extent, int) else None)
        return name

    # -- opaque cards
    def buffer(self, k: int) -> L.Buffer:
        return self.inputs[k]

    def result(self, k: int) -> L.Buffer:
        return self.outputs[k]

    @property
    def over(self) -> bool:
        return False

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def temp(self, dtype: ty.DType, shape: Sequence[L.Index]) -> L.Buffer:
        self.temps.append(L.Buffer(self.fresh("tmp"), dtype, tuple(shape)))
        return self.temps[-1]

    def code(self, message: str) -> int:
        if message not in self.messages:
            self.messages.append(message)
        return self.messages.index(message) + 1


def nested(
    names: Sequence[str], extents: Sequence[ty.Extent], body: Sequence[L.Stmt]
) -> list[L.Stmt]:
    stmts: list[L.Stmt] = list(body)
    for name, extent in reversed(list(zip(names, extents, strict=True))):
        stmts = [L.For(name, extent, "serial", tuple(stmts))]
    return stmts


def lowered(
    card: OpDef, types: Sequence[TensorType], attrs: Mapping[str, Any]
) -> tuple[L.LoopFunc, Context]:
    """The loops of one op, verified."""
    c = Context(card, types, attrs)
    assert card.lower is not None
    if card.kind == "opaque":
        body = tuple(card.lower(c))
    else:
        names = [c.loop_name(n) for n in c.type.shape]
        index = tuple(map(Dim.symbol, names))
        value = card.lower(c, index)
        parts = [value.re, value.im] if isinstance(value, L.Pair) else [value]
        for p, part in enumerate(parts):
            place = (*index, p) if len(parts) == 2 else index
            c.stmts.append(L.Store(c.outputs[0], place, part))
        body = tuple(nested(names, c.type.shape, c.stmts))
    params = (*c.inputs, *c.outputs, *c.temps)
    symbols = {s for b in params for n in b.shape for s in ty.symbols(n)}
    func = L.LoopFunc(card.name, params, tuple(sorted(symbols)), body)
    return verify(func), c


def in_memory(array: np.ndarray) -> np.ndarray:
    array = np.array(array, order="C")
    if array.dtype.kind != "c":
        return array
    return np.stack([np.real(array), np.imag(array)], axis=-1)


def run(
    card: OpDef,
    arrays: Sequence[Any],
    attrs: Mapping[str, Any],
    types: Sequence[str | TensorType] | None = None,
    symbols: Mapping[str, int] | None = None,
) -> tuple[list[np.ndarray], list[str]]:
    """The results of the lowered op on arrays, and the messages of the errors it reported."""
    arrays = [np.asarray(a) for a in arrays]
    concrete = [TensorType(ty.dtype(a.dtype), a.shape) for a in arrays]
    parsed = [ty.parse_type(t) if isinstance(t, str) else t for t in types or concrete]
    func, c = lowered(card, parsed, attrs)
    env = dict(symbols or {})
    buffers = {f"x{k}": in_memory(a) for k, a in enumerate(arrays)}
    for buffer in c.outputs:
        shape = [ty.substitute(n, env) for n in buffer.shape]
        buffers[buffer.name] = np.zeros(shape, buffer.dtype.numpy)
    inputs = {k: v.copy() for k, v in buffers.items() if k.startswith("x")}
    codes = evaluate(func, buffers, env)
    for name, before in inputs.items():
        assert before.tobytes() == buffers[name].tobytes(), "an input was changed"
    results = []
    for buffer, type in zip(c.outputs, c.results, strict=True):
        found = buffers[buffer.name]
        if type.dtype.is_complex:
            found = found.view(type.dtype.numpy)[..., 0]
        results.append(found)
    return results, [c.messages[code - 1] for code in codes]


def check(
    card: OpDef,
    arrays: Sequence[Any],
    attrs: Mapping[str, Any],
    types: Sequence[str | TensorType] | None = None,
    symbols: Mapping[str, int] | None = None,
    rtol: float = 0.0,
) -> Any:
    """Asserts infer = evaluate = the lowered op; returns evaluate's result(s)."""
    arrays = [np.asarray(a) for a in arrays]
    concrete = [TensorType(ty.dtype(a.dtype), a.shape) for a in arrays]
    numbers = {k: substitute_extents(v, symbols or {}) for k, v in attrs.items()}
    inferred = card.infer_types(concrete, numbers)
    expected = card.evaluate(arrays, numbers)
    several = expected if isinstance(expected, tuple) else (expected,)
    for type, value in zip(inferred, several, strict=True):
        assert isinstance(value, np.ndarray)
        assert (type.shape, type.dtype.numpy) == (value.shape, value.dtype)
    found, messages = run(card, arrays, attrs, types, symbols)
    assert not messages
    for a, b in zip(found, several, strict=True):
        assert a.dtype == b.dtype
        if rtol:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        else:
            np.testing.assert_array_equal(a, b)
    return expected


def check_samples(*cards: OpDef) -> None:
    """Every sample of the cards: evaluate against the lowered op."""
    rng = np.random.default_rng(7)
    for card in cards:
        for sample in card.samples():
            arrays = [draw(rng, t, sample.low, sample.high) for t in sample.types]
            check(card, arrays, sample.attrs, rtol=1e-3)


def draw(rng: np.random.Generator, type: TensorType, low: float = -3.0, high: float = 3.0) -> Any:
    """An array of that type with elements from [low, high)."""
    values = rng.uniform(low, high, type.shape)
    if type.dtype is BOOL:
        return values > (low + high) / 2
    if type.dtype.is_complex:
        values = values + 1j * rng.uniform(low, high, type.shape)
    if type.dtype.kind == "u":
        values = np.abs(values)
    return np.asarray(values).astype(type.dtype.numpy)


__all__ = ["check", "check_samples", "draw", "lowered", "run"]
