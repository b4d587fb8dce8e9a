"""Random graphs with loops and choices around random bodies, whose states change in few places.

`control_graph(seed)` is a pure function of its argument. Everything is integers, so results are
equal or wrong; what is rounded is the business of `random_graphs`. The bodies lean towards what may
be written over an operand: elements, rows and slices of states that are set or added to, read
before and after, handed to inner loops and through choices.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

import graphc.ops  # noqa: F401  importing the cards registers them
from graphc.ir import Graph, Value, param
from graphc.opdef import lookup
from graphc.types import BOOL, I32, I64, DType, TensorType

SHAPES: tuple[tuple[int, ...], ...] = ((), (5,), (70,), (70,), (9, 8), (1, 70))
DEPTH = 3
"""How many loops and choices stand in each other."""
BINARY = ("add", "sub", "mul", "min", "max", "and", "xor")


def control_graph(seed: int) -> tuple[Graph, list[np.ndarray], dict[int, int]]:
    """A graph, arguments, and which results may be written over which (donated) parameters."""
    return _Program(seed).program()


class _Program:
    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.rng = np.random.default_rng(seed)

    def program(self) -> tuple[Graph, list[np.ndarray], dict[int, int]]:
        types = [TensorType(I64, ()), *(self.type() for _ in range(self.random.randint(2, 4)))]
        params = [param(type, f"x{k}") for k, type in enumerate(types)]
        pool = self.body(params, 0, self.random.randint(4, 9))
        results = self.random.sample(pool[len(params) :], min(3, len(pool) - len(params)))
        results += [self.changed(params[1], pool)]
        graph = Graph.of("f", params, results)
        aliases: dict[int, int] = {}
        if self.random.random() < 0.6:
            aliases[len(results) - 1] = 1
        arrays = [self.array(type) for type in types]
        return graph, arrays, aliases

    def array(self, type: TensorType) -> np.ndarray:
        shape = tuple(int(n) for n in type.shape)
        return np.asarray(self.rng.integers(-9, 10, shape).astype(type.dtype.numpy))

    def type(self) -> TensorType:
        return TensorType(self.random.choice((I64, I64, I64, I32)), self.random.choice(SHAPES))

    # ------------------------------------------------------------------------------------ bodies
    def body(self, params: Sequence[Value], depth: int, count: int) -> list[Value]:
        """The parameters and what some ops make of them, in order."""
        pool = list(params)
        kinds: list[Callable[[list[Value], int], Sequence[Value]]]
        kinds = [self.elementwise, self.change, self.read] * 2 + [self.total]
        if depth < DEPTH:
            kinds += [self.scan, self.loop, self.choice]
        for _ in range(count):
            pool += self.random.choice(kinds)(pool, depth)
        return pool

    def pick(self, pool: Sequence[Value]) -> Value:
        """A value; late ones more often than early ones."""
        return pool[max(self.random.randrange(len(pool)) for _ in range(2))]

    def any_of(self, pool: Sequence[Value], type: TensorType) -> Value:
        """A value of that type: one that is, or one that is made so."""
        same = [v for v in pool if v.type == type]
        if same and self.random.random() < 0.7:
            return self.pick(same)
        return self.fitted(self.pick(pool), type)

    def fitted(self, value: Value, type: TensorType) -> Value:
        if value.dtype is BOOL or value.dtype is not type.dtype:
            value = lookup("cast")(value, dtype=type.dtype)
        if value.shape == type.shape:
            return value
        if value.type.size == type.size:
            return lookup("reshape")(value, shape=type.shape)
        if value.shape:
            value = self.reduced(value)
        return lookup("broadcast")(value, shape=type.shape, axes=())

    def reduced(self, value: Value) -> Value:
        axes = tuple(range(len(value.shape)))
        kind = self.random.choice(("sum", "max") if value.type.size else ("sum",))
        found = lookup("reduce")(value, kind=kind, axes=axes)
        return found if found.dtype is value.dtype else lookup("cast")(found, dtype=value.dtype)

    def full(self, value: int, dtype: DType = I64) -> Value:
        return lookup("full")(value=value, dtype=dtype, shape=())

    def index(self, pool: Sequence[Value], shape: tuple[int, ...] = ()) -> Value:
        if self.random.random() < 0.3:
            start = self.full(self.random.randint(0, 8))
            return lookup("broadcast")(start, shape=shape, axes=()) if shape else start
        return self.any_of(pool, TensorType(I64, shape))

    # --------------------------------------------------------------------------------------- ops
    def elementwise(self, pool: list[Value], depth: int) -> Sequence[Value]:
        a = self.pick(pool)
        return (lookup(self.random.choice(BINARY))(a, self.any_of(pool, a.type)),)

    def total(self, pool: list[Value], depth: int) -> Sequence[Value]:
        value = self.pick(pool)
        return (self.reduced(value) if value.shape else value,)

    def change(self, pool: list[Value], depth: int) -> Sequence[Value]:
        arrays = [v for v in pool if v.shape and v.type.size]
        return (self.changed(self.pick(arrays), pool),) if arrays else ()

    def changed(self, x: Value, pool: Sequence[Value]) -> Value:
        """A value with few places changed."""
        if not x.shape or not x.type.size:
            return lookup("add")(x, self.any_of(pool, x.type))
        kind = self.random.choice(("scatter", "scatter", "update", "dynamic_update"))
        if kind == "scatter":
            rank = len(x.shape)
            axes = tuple(sorted(self.random.sample(range(rank), self.random.randint(1, rank))))
            shape = self.random.choice(((), (), (3,)))
            rest = tuple(n for d, n in enumerate(x.shape) if d not in axes)
            updates = self.any_of(pool, TensorType(x.dtype, (*shape, *rest)))
            combine = self.random.choice(("set", "set", "add", "max"))
            mode = self.random.choice(("wrap", "clip"))
            index = [self.index(pool, shape) for _ in axes]
            return lookup("scatter")(x, updates, *index, axes=axes, combine=combine, mode=mode)
        part, start, step = [], [], []
        for n in x.shape:
            assert isinstance(n, int)
            m = self.random.choice((1, min(n, 2), min(n, 4), n, n))
            m = 0 if self.random.random() < 0.03 else m
            t = self.random.choice((1, 1, 2, -1)) if m and 2 * m <= n and kind == "update" else 1
            low = self.random.randint(0, n - ((m - 1) * abs(t) + 1 if m else 0))
            part.append(m)
            step.append(t)
            start.append(low + (m - 1) * -t if t < 0 and m else low)
        u = self.any_of(pool, TensorType(x.dtype, tuple(part)))
        if kind == "update":
            return lookup("update")(x, u, start=tuple(start), step=tuple(step))
        return lookup("dynamic_update")(x, u, *(self.index(pool) for _ in x.shape))

    def read(self, pool: list[Value], depth: int) -> Sequence[Value]:
        arrays = [v for v in pool if v.shape and v.type.size]
        if not arrays:
            return ()
        x = self.pick(arrays)
        if self.random.random() < 0.5:
            mode = self.random.choice(("wrap", "clip"))
            return (lookup("gather")(x, self.index(pool), axes=(0,), mode=mode),)
        shape = tuple(self.random.choice((1, n)) for n in x.shape)
        return (lookup("dynamic_slice")(x, *(self.index(pool) for _ in x.shape), shape=shape),)

    # ------------------------------------------------------------------------- loops and choices
    def handed(self, pool: Sequence[Value], count: int) -> list[Value]:
        return [self.pick(pool) for _ in range(count)]

    def next_states(self, params: Sequence[Value], pool: Sequence[Value]) -> list[Value]:
        """What states become: often themselves with a change, or what was changed last."""
        found: list[Value] = []
        for p in params:
            kind = self.random.random()
            if kind < 0.4:
                found.append(self.changed(p, pool))
            elif kind < 0.5:
                found.append(p)
            else:
                found.append(self.any_of(pool, p.type))
        return found

    def inside(self, types: Sequence[TensorType], depth: int) -> tuple[list[Value], list[Value]]:
        params = [param(type, f"p{k}") for k, type in enumerate(types)]
        return params, self.body(params, depth + 1, self.random.randint(1, 5))

    def scan(self, pool: list[Value], depth: int) -> Sequence[Value]:
        carries = self.random.randint(1, 3)
        states, rest = self.handed(pool, carries), self.handed(pool, self.random.randint(0, 2))
        length = self.random.choice((0, 2, 3, 5, 5))
        rows = [self.any_of(pool, TensorType(I64, (length,)))] if self.random.random() < 0.6 else []
        rows += [v for v in pool if v.shape[:1] == (length,)][:1]
        inner = [v.type.with_shape(v.shape[1:]) for v in rows]
        types = [v.type for v in states] + inner + [v.type for v in rest]
        params, values = self.inside(types, depth)
        results = self.next_states(params[:carries], values)
        results += [self.pick(values) for _ in range(self.random.randint(0, 2))]
        body = Graph.of("body", params, results)
        made = lookup("scan")(
            *states, *rows, *rest, body=body, carries=carries, scanned=len(rows), length=length,
            reverse=self.random.random() < 0.3,
        )  # fmt: skip
        return made if isinstance(made, tuple) else (made,)

    def loop(self, pool: list[Value], depth: int) -> Sequence[Value]:
        states, rest = self.handed(pool, self.random.randint(1, 3)), self.handed(pool, 1)
        types = [TensorType(I64, ()), *(v.type for v in states), *(v.type for v in rest)]
        params, values = self.inside(types, depth)
        carries = 1 + len(states)
        counter = lookup("add")(params[0], self.full(1))
        body = Graph.of("body", params, [counter, *self.next_states(params[1:carries], values)])
        params = [param(type, f"p{k}") for k, type in enumerate(types)]
        goes_on = lookup("lt")(params[0], self.full(self.random.randint(0, 5)))
        if self.random.random() < 0.5:
            some = self.fitted(self.pick(params), TensorType(I64, ()))
            other = lookup("lt")(some, self.full(self.random.randint(-5, 90)))
            goes_on = lookup("and")(goes_on, other)
        cond = Graph.of("cond", params, (goes_on,))
        made = lookup("while")(
            self.full(0), *states, *rest, cond=cond, body=body, carries=carries, limit=None
        )
        return made[1:]

    def choice(self, pool: list[Value], depth: int) -> Sequence[Value]:
        operands = self.handed(pool, self.random.randint(1, 4))
        types = [v.type for v in operands]
        count = self.random.randint(1, len(types))
        branches: list[Graph] = []
        for _ in range(self.random.randint(2, 3)):
            params, values = self.inside(types, depth)
            branches.append(Graph.of("arm", params, self.next_states(params[:count], values)))
        index = lookup("mod")(self.index(pool), self.full(len(branches)))
        made = lookup("switch")(index, *operands, branches=tuple(branches))
        return made if isinstance(made, tuple) else (made,)
