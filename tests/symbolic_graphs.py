"""Random graphs over symbolic extents n and m, with arguments for several values of them.

`symbolic_graph(seed, size)` is a pure function of its arguments, as `random_graph` is. Its ops work
for every extent of at least 1: elementwise chains, reductions and running reductions, contractions,
and movement along whole axes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np

from graphc import types as ty
from graphc.ir import Graph, Value, param
from graphc.opdef import cards, lookup
from graphc.ops import build
from graphc.types import BOOL, F32, F64, I64, DType, Extent, TensorType
from tests.programs import M, N, arguments, dot, op, part, reduce, transposed
from tests.random_graphs import TAME

SHAPES: tuple[tuple[Extent, ...], ...] = ((N,), (M,), (N, M), (M, N), (N, 3), (2, N, M), ())
DTYPES = (F32, F64, F32, ty.DTYPES["f16"], I64, ty.C64)
SIZES: tuple[Mapping[str, int], ...] = ({"n": 1, "m": 7}, {"n": 19, "m": 5}, {"n": 70, "m": 66})
UNARY = ("neg", "abs", "exp", "sqrt", "tanh", "sin", "floor", "sign", "log1p", "rint")
BINARY = ("add", "sub", "mul", "max", "min", "div")


def symbolic_graph(
    seed: int, size: int = 15
) -> tuple[Graph, Callable[[Mapping[str, int]], list[np.ndarray]]]:
    """A graph of about `size` ops, and a function from extents to arguments."""
    graph = _Generator(seed).graph(size)
    return graph, lambda env: arguments(graph, env, seed, special=seed % 2 == 1)


def at_extents(graph: Graph, env: Mapping[str, int]) -> Graph:
    """The graph with numbers for its symbols."""
    from graphc.ir import make, substitute_extents

    new: dict[Value, Value] = {}
    for value in graph.params:
        type = substitute_extents(value.type, env)
        new[value] = param(type, value.node.attrs["name"])
    for node in graph.nodes:
        attrs = {k: substitute_extents(v, env) for k, v in node.attrs.items()}
        if node.op.name == "extent" and isinstance(attrs["value"], int):
            made = build.constant(attrs["value"], I64).node
        else:
            made = make(node.op, [new[v] for v in node.operands], attrs)
        new.update(zip(node.results, made.results, strict=True))
    return Graph.of(graph.name, [new[v] for v in graph.params], [new[v] for v in graph.results])


class _Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.values: list[Value] = []
        self.params: list[Value] = []
        self.cards = {c.name: c for c in cards()}

    def graph(self, size: int) -> Graph:
        for shape in ((N, M), self.random.choice(SHAPES), self.random.choice(SHAPES)):
            self.parameter(TensorType(self.random.choice(DTYPES), shape))
        maps = (self.unary, self.binary) * 3
        steps = (*maps, self.reduce, self.reduce, self.move, self.move, self.scan)
        for _ in range(size):
            self.random.choice((*steps, self.contract))()
        read = {v for value in self.values for v in value.node.operands}
        leaves = [v for v in self.values if v not in read and v not in self.params]
        results = leaves[-5:] or self.values[-1:]
        if self.random.random() < 0.4:
            results.append(self.random.choice(self.values))
        return Graph.of("symbolic", self.params, results)

    def parameter(self, type: TensorType) -> Value:
        value = param(type, f"x{len(self.params)}")
        self.params.append(value)
        self.values.append(value)
        return value

    def pick(self, rank: int = 0, kinds: str = "biufc") -> Value:
        found = [v for v in self.values if v.type.rank >= rank and v.dtype.kind in kinds]
        return (
            self.random.choice(found[-8:] + found)
            if found
            else self.parameter(TensorType(F32, (N, M)))
        )

    def add(self, value: Value) -> None:
        self.values.append(value)

    def tame(self, value: Value) -> Value:
        """The value, and 0.75 where it is NaN or large, so that chains do not end in infinities."""
        if value.dtype.kind not in "fc":
            return value
        small = op("lt", op("abs", value), build.full_like(op("abs", value), 100.0))
        return build.select(small, value, build.full_like(value, 0.75))

    def unary(self) -> None:
        name = self.random.choice(UNARY)
        x = self.pick(kinds="fc" if name in ("exp", "sqrt", "tanh", "sin") else "f")
        self.add(op(name, self.tame(x) if name in TAME or self.random.random() < 0.5 else x))

    def binary(self) -> None:
        name = self.random.choice(BINARY)
        x, y = self.pick(kinds="fiu"), self.pick(kinds="fiu")
        if name in ("add", "sub", "mul") and self.random.random() < 0.2:
            x = self.pick(kinds="c")
        if x.dtype.kind != "c":
            x = self.convert(x, F64 if F64 in (x.dtype, y.dtype) else F32)
        self.add(op(name, x, self.like(self.convert(y, x.dtype), x)))

    def convert(self, x: Value, dtype: DType) -> Value:
        return build.cast(self.tame(x), dtype) if x.dtype is not dtype else x

    def like(self, y: Value, x: Value) -> Value:
        """The value broadcast to the shape of another, reduced first where it does not fit."""
        for axes in ((), tuple(range(y.type.rank))):
            z = (
                reduce(y, "max" if y.dtype.kind in "fiu" and y.type.size != 0 else "sum", *axes)
                if axes
                else y
            )
            try:
                if ty.broadcast_shapes(z.shape, x.shape) == x.shape:
                    return build.broadcast_to(z, x.shape)
            except Exception:
                continue
        return build.full_like(x, 1)

    def reduce(self) -> None:
        x = self.pick(1)
        kind = self.random.choice(["sum", "max", "min"] if x.dtype.kind in "fiu" else ["sum"])
        if x.dtype is BOOL:
            kind = "or"
        axes = self.random.sample(range(x.type.rank), self.random.randint(1, x.type.rank))
        self.add(reduce(x, kind, *sorted(axes), keep=self.random.random() < 0.5))

    def scan(self) -> None:
        x = self.pick(1, "fi")
        axis = self.random.randrange(x.type.rank)
        if self.random.random() < 0.3:
            self.add(lookup("sort")(x, axis=axis, keys=1, descending=self.random.random() < 0.5))
        else:
            self.add(op("cumulative", x, kind=self.random.choice(["sum", "max"]), axis=axis))

    def contract(self) -> None:
        x, y = self.pick(2, "f"), self.pick(1, "f")
        y = self.convert(y, x.dtype)
        pairs = [(i, j) for i, a in enumerate(x.shape) for j, b in enumerate(y.shape) if a == b]
        if pairs and x.type.rank + y.type.rank <= 5:
            i, j = self.random.choice(pairs)
            self.add(dot(self.tame(x), self.tame(y), ((i,), (j,))))

    def move(self) -> None:
        x = self.pick(1)
        axes = list(range(x.type.rank))
        axis = self.random.choice(axes)
        e = x.shape[axis]

        def along(*one: tuple[Extent, Extent, int]) -> Value:
            return part(x, *(one[0] if a == axis else (0, n, 1) for a, n in enumerate(x.shape)))

        kind = self.random.randrange(9)
        if kind == 0:
            self.random.shuffle(axes)
            self.add(transposed(x, *axes))
        elif kind == 1:
            self.add(along((e - 1, e, -1)))
        elif kind == 2:
            self.add(along((0, (e + 1) // 2, 2)))
        elif kind == 3:
            self.add(op("concatenate", x, along((e - 1, e, -1)), axis=axis))
        elif kind == 4:
            low = tuple(2 if a == axis else 0 for a in axes)
            wide = op(
                "pad",
                x,
                build.full((), 1, x.dtype),
                low=low,
                high=(0,) * len(axes),
                interior=(0,) * len(axes),
            )
            self.add(part(wide, *((0, n, 1) for n in x.shape)))
        elif kind == 5:
            self.add(build.reshape(x, (ty.product(x.shape),)))
        elif kind == 6:
            start = tuple(e - 1 if a == axis else 0 for a in axes)
            u = part(x, *((0, 1, 1) if a == axis else (0, n, 1) for a, n in enumerate(x.shape)))
            self.add(op("update", x, u, start=start, step=(1,) * len(axes)))
        elif kind == 7:
            where = build.cast(op("mul", build.iota((e,), 0, I64), 3), I64)
            self.add(
                op("gather", x, where, axes=(axis,), mode=self.random.choice(["wrap", "clip"]))
            )
        else:
            self.add(build.broadcast_to(build.reshape(x, (1, *x.shape)), (3, *x.shape)))
            if x.type.rank > 2:
                self.values.pop()
