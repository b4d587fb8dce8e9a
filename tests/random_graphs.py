"""Random well-typed graphs over every card, with arguments, and how far their results may be off;
small graphs too.

`random_graph(seed, size)` is a pure function of its arguments, so a failing seed is a test case.
Every node starts from one of its card's samples; its operands are earlier values, brought to the
sample's dtypes and shapes. Arguments hold ordinary numbers and, for two seeds of three, NaN,
infinities, signed zeros and extreme integers.

Two implementations of one graph may differ in the last digits, and a graph may blow such a
difference up. `tolerances` measures by how much: it evaluates the graph with its rounded results
disturbed by a few ulp.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import graphc.ops  # noqa: F401  importing the cards registers them
from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import PARAM, Graph, Node, Value, param
from graphc.opdef import OpDef, Sample, cards, lookup
from graphc.passes.canonicalize import Replacement, Rule, RuleSet
from graphc.passes.small_matrices import CARDS
from graphc.types import BOOL, DType, TensorType

SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (5,), (), (0, 3), (1,), (17,), (2, 1, 3), (6,))
DTYPES = ("f32", "f64", "f32", "i32", "i64", "bool", "f16", "c64", "u8", "i8", "u64", "bf16")
SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 4.0, -2.0, 3.0, np.inf, -np.inf, np.nan)
BOUNDED = {"pow", "shl", "shr", "ldexp"}
"""Elementwise ops that read integers of a range."""
TAME = {"cast", "bitcast", "signbit", "copysign", "real", "imag"}
"""Ops that show what is not promised: the sign of a NaN, an integer from too large a float, which
part of a complex infinity is NaN."""
EXACT = {
    "neg", "abs", "min", "max", "fmin", "fmax", "copysign", "floor", "ceil", "trunc", "rint",
    "sign", "select", "cast", "real", "imag", "complex", "conj", "bitcast", "nextafter", "ldexp",
}  # fmt: skip

ADDED = ("barrier", "stop_gradient", "attention_gradient", "sparse_product")
EXTREMES = {"min", "max", "fmin", "fmax"}


def random_graph(seed: int, size: int = 20) -> tuple[Graph, list[np.ndarray]]:
    """A graph of about `size` ops (and what joins them), and arguments for it."""
    return _Generator(seed).graph(size)


def random_array(rng: np.random.Generator, type: TensorType, special: bool) -> np.ndarray:
    """An array of that type, with special values among the others where asked."""
    dtype, shape = type.dtype, tuple(int(e) for e in type.shape)
    some = rng.random(shape) < 0.15
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        array = rng.integers(0 if dtype.kind == "u" else -10, 11, shape).astype(dtype.numpy)
        ends = rng.choice(np.array([info.min, info.max, 0, 1], dtype.numpy), shape)
        return np.asarray(np.where(some & special, ends, array))
    array = rng.normal(0.0, 2.0, shape)
    odd = rng.choice(np.array([*SPECIAL, 1e30, 1e-30]), shape)
    array = np.where(some & special, odd, array)
    if dtype.is_complex:
        array = array + 1j * rng.normal(0.0, 2.0, shape)
    with np.errstate(all="ignore"):
        narrow = array.astype(np.float32) if dtype is ty.BF16 else array
        return np.asarray(narrow.astype(dtype.numpy))


@lru_cache(maxsize=1)
def samples_by_kind() -> dict[str, list[tuple[OpDef, list[Sample]]]]:
    """The cards that have samples, with them, by the card's kind."""
    found: dict[str, list[tuple[OpDef, list[Sample]]]] = {}
    for card in cards():
        # what a seed stands for must not change: these were added for derivatives, and are no ops
        # of programs that run
        skipped = card is PARAM or card.kind in ("call", "control") or card.name in ADDED
        # matrices drawn at random are singular, or have equal eigenvalues: see tests/linalg
        skipped = skipped or card.name in CARDS or card.name == "require"
        samples = [] if skipped else list(card.samples())
        if samples:
            found.setdefault(card.kind, []).append((card, samples))
    return found


class _Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.special = seed % 3 != 0
        self.values: list[Value] = []
        self.params: list[Value] = []
        self.by_kind = samples_by_kind()

    def graph(self, size: int) -> tuple[Graph, list[np.ndarray]]:
        for _ in range(3):
            dtype = ty.DTYPES[self.random.choice(DTYPES)]
            self.parameter(TensorType(dtype, self.random.choice(SHAPES)))
        for _ in range(size):
            self.step()
        read = {v for value in self.values for v in value.node.operands}
        leaves = [v for v in self.values if v not in read and v.node.op is not PARAM]
        results = leaves[-6:] or self.values[-1:]
        if self.random.random() < 0.3:
            results.append(self.random.choice(self.values))
        graph = Graph.of("random", self.params, results)
        return graph, [random_array(self.rng, p.type, self.special) for p in self.params]

    def parameter(self, type: TensorType) -> Value:
        value = param(type, f"x{len(self.params)}")
        self.params.append(value)
        self.values.append(value)
        return value

    def step(self) -> None:
        kinds = ("elementwise",) * 6 + tuple(self.by_kind)
        card, samples = self.random.choice(self.by_kind[self.random.choice(kinds)])
        sample = self.random.choice(samples)
        types = list(sample.types)
        if card.kind == "elementwise":
            shape = self.random.choice(self.values).shape
            types = [t.with_shape(shape) for t in types]
        operands: list[Value] = []
        for type in types:
            operands.append(self.operand(card, sample, type, operands))
        found = card(*operands, **sample.attrs)
        self.values.extend(found if isinstance(found, tuple) else (found,))

    def operand(
        self, card: OpDef, sample: Sample, type: TensorType, earlier: Sequence[Value]
    ) -> Value:
        chance = self.random.random()
        if chance < 0.1 and len(self.params) < 6:
            value = self.parameter(type)
        elif chance < 0.3:
            value = self.full(type, self.random.choice(SPECIAL))
        elif chance < 0.4 and earlier and earlier[-1].type == type:
            value = earlier[-1]
        else:
            value = self.adapt(self.random.choice(self.values), type)
        if type.dtype.kind in "fc" and (card.name in TAME or self.random.random() < 0.2):
            value = self.tame(value)
        if type.dtype.is_integer and (card.kind != "elementwise" or card.name in BOUNDED):
            low, high = int(sample.low), max(int(sample.high) - 1, int(sample.low))
            value = lookup("max")(
                value, self.full(type, max(low, 0) if type.dtype.kind == "u" else low)
            )
            value = lookup("min")(value, self.full(type, high))
        return value

    def full(self, type: TensorType, number: float) -> Value:
        if type.dtype.kind in "biu":
            number = int(number) if np.isfinite(number) else 7
        value: bool | int | float = bool(number) if type.dtype is BOOL else number
        if type.dtype.kind == "u" and value < 0:
            value = 5
        return lookup("full")(value=value, dtype=type.dtype, shape=type.shape)

    def tame(self, value: Value) -> Value:
        """The value, and 0.75 where it is NaN or large."""
        size = lookup("abs")(value)
        small = lookup("lt")(size, self.full(size.type, 100.0))
        return lookup("select")(small, value, self.full(value.type, 0.75))

    def adapt(self, value: Value, type: TensorType) -> Value:
        """The value in another dtype and shape."""
        value = self.convert(value, type.dtype)
        shape, rank = type.shape, value.type.rank
        if value.shape == shape:
            return value
        tail = shape[len(shape) - rank :] if rank <= len(shape) else None
        if tail is not None and all(n in (1, m) for n, m in zip(value.shape, tail, strict=True)):
            axes = tuple(range(len(shape) - rank, len(shape)))
            return lookup("broadcast")(value, shape=shape, axes=axes)
        if rank > 1 and self.random.random() < 0.5:
            axes = tuple(self.random.sample(range(rank), rank))
            value = lookup("transpose")(value, axes=axes)
        count, wanted = value.type.size, type.size
        assert isinstance(count, int) and isinstance(wanted, int)
        if count != wanted:
            value = self.resize(lookup("reshape")(value, shape=(count,)), count, wanted)
        return lookup("reshape")(value, shape=shape)

    def resize(self, flat: Value, count: int, wanted: int) -> Value:
        if count < wanted:
            filler = self.full(TensorType(flat.dtype, ()), 1.0)
            low = self.random.randint(0, wanted - count)
            edges = {"low": (low,), "high": (wanted - count - low,), "interior": (0,)}
            return lookup("pad")(flat, filler, **edges)
        step = self.random.choice((1, 1, -1, 2, -2))
        if wanted == 0 or abs(step) * (wanted - 1) >= count:
            step = 1
        span = abs(step) * max(wanted - 1, 0)
        start = self.random.randint(0, count - 1 - span) if wanted else 0
        first = start + span if step < 0 else start
        return lookup("slice")(flat, start=(first,), shape=(wanted,), step=(step,))

    def convert(self, value: Value, dtype: DType) -> Value:
        if value.dtype is dtype:
            return value
        if value.dtype.is_complex and not dtype.is_complex:
            value = lookup("real")(self.tame(value))
        if value.dtype.is_float and dtype.is_integer:
            value = self.tame(value)
            if dtype.kind == "u":
                value = lookup("abs")(value)
        return value if value.dtype is dtype else lookup("cast")(value, dtype=dtype)


# --------------------------------------------------------------------------------- comparison


@dataclass(frozen=True, slots=True)
class _Disturbance:
    """How one run of `tolerances` differs from the exact one."""

    rng: np.random.Generator
    strength: float = 1.0
    """How large rounding errors are: 1 for 3 ulp of what an op gives. Negative: the other way."""
    orders: bool = False
    """Whether the terms of sums come in another order, too."""

    def nudged(self, array: np.ndarray, value: Value, ulps: np.ndarray | float) -> np.ndarray:
        """The array with each float moved by about `ulps`, up or down; the parts of a complex
        number by ulps of its magnitude.
        """
        if value.dtype.kind not in "fc":
            return array
        shape = np.shape(array)
        ulps = ulps * self.strength
        # never by nothing, nor all by one amount: two errors must not cancel in every run
        amount: np.ndarray = ulps * self.rng.uniform(0.6, 1.4, shape) * self.signs(shape)
        if value.dtype.is_complex:
            amount = amount + 1j * ulps * self.signs(shape)
        return _scaled(array, value, amount)

    def signs(self, shape: tuple[int, ...] = ()) -> np.ndarray:
        return self.rng.choice([-1, 1], shape)

    def operands(self, node: Node, operands: list[np.ndarray]) -> list[np.ndarray]:
        """What the node reads, where that must be off for its result to be."""
        summed = _sums(node)
        if not summed and node.op.name not in ("lgamma", "logaddexp"):
            return operands
        # terms may cancel, and each sum of some of them rounds; the functions, near their zeros
        off = [self.nudged(a, v, 1) for a, v in zip(operands, node.operands, strict=True)]
        if summed and max(a.size for a in off) > 64:  # long sums round the same way each time
            many = max(a.size for a in off) / 64 * self.strength * float(self.signs())
            off[0] = _scaled(off[0], node.operands[0], many)
        return self.shuffled(node, off) if self.orders else off

    def shuffled(self, node: Node, operands: list[np.ndarray]) -> list[np.ndarray]:
        """The operands of a sum with its terms in another order."""
        axes: Sequence[tuple[int, ...]] = ()
        if node.op.name == "reduce":
            axes = [(axis,) for axis in node.attrs["axes"]]
        elif node.op.name == "dot":
            axes = list(zip(*node.attrs["contract"], strict=True))
        for along in axes:  # an axis for each operand
            order = self.rng.permutation(operands[0].shape[along[0]])
            operands = [np.take(a, order, axis) for a, axis in zip(operands, along, strict=True)]
        return operands

    def results(
        self, node: Node, operands: Sequence[np.ndarray], results: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, ...]:
        """What the node gives, off by what an implementation may be off."""
        name, dtype = node.op.name, node.results[0].dtype
        exact = name in EXACT and not (
            name in ("abs", "sign") and node.operands[0].dtype.is_complex
        )
        if node.op.kind not in ("creation", "movement") and not exact:
            ulps: np.ndarray | float = 3
            if name == "pow" and dtype.is_complex:  # e**(b log a): the product's error is its own
                size = np.abs(operands[1] * np.log(operands[0]))
                ulps = 3 + np.where(np.isfinite(size), size, 0)
            pairs = zip(results, node.results, strict=True)
            results = tuple(self.nudged(a, v, ulps) for a, v in pairs)
        if name == "log1p" and dtype.is_complex:  # NumPy's is log(1 + x)
            results = (results[0] + ulp(dtype) * self.strength * float(self.signs()),)
        # the sign of a zero depends on what a sum begins with, and on which of 0.0 and -0.0 a
        # search for the greatest saw first
        extreme = EXTREMES & {name, node.attrs.get("kind")}
        unsigned = dtype.is_float and (node.op.kind == "contraction" or extreme)
        if unsigned and self.rng.random() < 0.5:
            results = tuple(np.where(a == 0, -a, a) for a in results)
        if dtype.kind in "fc" and _adds(node):
            # finite terms that overflow: an infinity, or a NaN where an infinite term has the other
            # sign, as the order decides and how wide the sum is kept
            too_large = [~np.isfinite(a) for a in _of_finite_magnitudes(node, operands)]
            other = self.rng.choice([np.nan, np.inf, -np.inf])
            pairs = zip(too_large, results, strict=True)
            results = tuple(np.where(at, a.dtype.type(other), a) for at, a in pairs)
        return results


def _sums(node: Node) -> bool:
    products = node.op.kind == "contraction" or node.op.name in ("attention", "sparse_product")
    return products or node.attrs.get("kind") in ("sum", "prod")


def _adds(node: Node) -> bool:
    return node.op.kind == "contraction" or node.attrs.get("kind") == "sum"


def _of_finite_magnitudes(node: Node, operands: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The node of its operands' magnitudes, without those that are not finite."""
    sizes = [np.where(np.isfinite(a), np.abs(a), 0).astype(a.dtype) for a in operands]
    found = node.op.evaluate(sizes, node.attrs)
    arrays = found if isinstance(found, tuple) else (found,)
    return tuple(map(np.asarray, arrays))


def _disturbed(
    graph: Graph, arguments: Sequence[np.ndarray], disturbance: _Disturbance
) -> list[np.ndarray]:
    values: dict[Value, np.ndarray] = dict(zip(graph.params, arguments, strict=True))
    for node in graph.nodes:
        with np.errstate(all="ignore"):
            operands = disturbance.operands(node, [values[v] for v in node.operands])
            found = node.op.evaluate(operands, node.attrs)
            arrays = found if isinstance(found, tuple) else (found,)
            arrays = disturbance.results(node, operands, arrays)
        values.update(zip(node.results, map(np.asarray, arrays), strict=True))
    return [values[v] for v in graph.results]


def _scaled(array: np.ndarray, value: Value, ulps: np.ndarray | float) -> np.ndarray:
    """The array with so many ulps added; what is no float, and what is 0, stays."""
    if value.dtype.kind not in "fc":
        return array
    step = np.where(array == 0, 0.0, quantum(value.dtype) * ulps)
    return np.asarray(array * (1 + ulp(value.dtype) * ulps) + step).astype(value.dtype.numpy)


def ulp(dtype: DType) -> float:
    """The relative distance of neighbouring numbers of a dtype of floats; 0 for the others."""
    return {"f16": 2**-10, "bf16": 2**-7, "f32": 2**-23, "f64": 2**-52}.get(dtype.real.name, 0.0)


def quantum(dtype: DType) -> float:
    """The distance of neighbouring subnormal numbers, below which no result can be rounded."""
    return {"f16": 2**-24, "bf16": 2**-133, "f32": 2**-149, "f64": 2**-1074}.get(
        dtype.real.name, 0.0
    )


def _wide(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    with np.errstate(all="ignore"):
        return array.astype(np.complex128 if array.dtype.kind == "c" else np.longdouble)


def where_finite(off: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The tolerances, infinite where a result is not finite: for rewrites that make it finite."""
    return [np.where(np.isfinite(_wide(a)), t, np.inf) for t, a in zip(off, results, strict=True)]


def tolerances(
    graph: Graph, arguments: Sequence[np.ndarray], runs: int = 8, thorough: bool = False
) -> list[np.ndarray]:
    """For each result, how far each element may be off; infinite where rounding decides it.

    `thorough` adds runs with the opposite errors (so that each value is moved to both sides of a
    step of `floor` or of a comparison), with smaller and larger ones, for what eight times a small
    effect does not show (a branch, a pole, the end of a domain), and with the terms of sums in
    other orders (which may cancel to nothing in one of them only).
    """
    with np.errstate(all="ignore"):
        exact = [_wide(a) for a in evaluate(graph, arguments)]
    off = [np.zeros(a.shape) for a in exact]
    strengths = (1.0, -1.0, 0.3, -0.3, 8.0, -8.0, 0.0) if thorough else (1.0,)
    with np.errstate(all="ignore"):
        for strength in strengths:
            for run in range(runs):
                rng = np.random.default_rng(run)
                disturbance = _Disturbance(rng, strength, orders=strength != 1.0)
                for k, array in enumerate(_disturbed(graph, arguments, disturbance)):
                    distance = _distance(array, exact[k]) * (8 / max(abs(strength), 1.0))
                    off[k] = np.maximum(off[k], distance)
        near = roundings(graph, exact)
        return [d + r for d, r in zip(off, near, strict=True)]


def _distance(array: np.ndarray, exact: np.ndarray) -> np.ndarray:
    wide = _wide(array)
    distance = np.abs(wide - exact)
    same = (wide == exact) | (np.isnan(wide) & np.isnan(exact))
    distance = np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))
    return distance.astype(np.float64)


def roundings(graph: Graph, exact: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The part of `tolerances` that is known without evaluating the graph again."""
    with np.errstate(all="ignore"):
        return [
            32
            * (ulp(v.dtype) * np.where(np.isfinite(a), np.abs(a), 0) + quantum(v.dtype)).astype(
                np.float64
            )
            for v, a in zip(graph.results, map(_wide, exact), strict=True)
        ]


def assert_agrees(
    graph: Graph,
    arguments: Sequence[np.ndarray],
    got: Sequence[np.ndarray],
    want: Sequence[np.ndarray],
) -> None:
    """`assert_close` within the graph's tolerances, which are measured only where results are not
    so near that every tolerance would allow them.
    """
    try:
        assert_close(got, want, roundings(graph, want))
    except AssertionError:
        try:
            assert_close(got, want, tolerances(graph, arguments))
        except AssertionError:
            assert_close(got, want, tolerances(graph, arguments, thorough=True))


def assert_close(
    got: Sequence[np.ndarray], want: Sequence[np.ndarray], off: Sequence[np.ndarray]
) -> None:
    """Raises AssertionError unless dtypes and shapes are equal and no element is too far off."""
    assert len(got) == len(want)
    for position, (a, b, tolerance) in enumerate(zip(got, want, off, strict=True)):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), position
        x, y = _wide(a), _wide(b)
        with np.errstate(all="ignore"):
            near = (x == y) | (np.isnan(x) & np.isnan(y)) | np.isinf(tolerance)
            near |= np.abs(x - y) <= tolerance
            if a.dtype.kind == "c":
                # which part of a complex infinity is NaN depends on the formula
                near |= ~np.isfinite(x) & ~np.isfinite(y)
        assert near.all(), (
            f"result {position}: {a[~near]} is not {b[~near]}, within {tolerance[~near]}"
        )


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal to the sign of zero; NaN equals NaN."""
    a, b = _wide(a), _wide(b)
    parts = [(a.real, b.real), (a.imag, b.imag)] if np.iscomplexobj(a) else [(a, b)]
    return a.shape == b.shape and all(
        bool((((p == q) & (np.signbit(p) == np.signbit(q))) | (np.isnan(p) & np.isnan(q))).all())
        for p, q in parts
    )


def expression(types: str, text: str) -> Graph:
    """The graph of a Python expression over the cards, `c(number)` and the parameters x, y, z.

    `types` holds a type for each parameter, with `;` between; `c(number)` is a `full` of the type
    of x, and `c(number, type)` of another. `op_` is the card `op` where Python owns its name.
    """
    params = [param(ty.parse_type(t), n) for t, n in zip(types.split(";"), "xyz", strict=False)]
    scope: dict[str, object] = {card.name: card for card in cards()}
    scope.update({f"{card.name}_": card for card in cards()}, **ty.DTYPES)
    scope.update({p.node.attrs["name"]: p for p in params}, nan=np.nan, inf=np.inf)

    def c(number: complex, type: str | None = None) -> Value:
        of = params[0].type if type is None else ty.parse_type(type)
        return lookup("full")(value=number, dtype=of.dtype, shape=of.shape)

    found = eval(text, {"__builtins__": {"tuple": tuple}}, {**scope, "c": c})
    return Graph.of("f", params, found if isinstance(found, tuple) else (found,))


@contextmanager
def watched(rules: RuleSet) -> Iterator[tuple[Counter[str], Counter[str]]]:
    """Counts, by name, how often each rule is tried and how often it applies."""
    tried: Counter[str] = Counter()
    applied: Counter[str] = Counter()
    before = rules.rules

    def counting(rule: Rule) -> Rule:
        def call(node: Node) -> Replacement:
            tried[rule.__name__] += 1
            found = rule(node)
            applied[rule.__name__] += found is not None
            return found

        return call

    rules.rules = {name: [counting(rule) for rule in some] for name, some in before.items()}
    try:
        yield tried, applied
    finally:
        rules.rules = before


def chain(length: int) -> Graph:
    """A deep graph that gives every pass something to do at every step."""
    x = param(ty.parse_type("f32[4, 4]"), "x")
    value: Value = x
    one, zero = (lookup("full")(value=v, dtype=ty.F32, shape=(4, 4)) for v in (1.0, -0.0))
    for k in range(length // 5):
        half = lookup("mul")(one, value)
        again = lookup("exp")(half), lookup("exp")(half)
        value = lookup("add")(again[0], again[1] if k % 2 else zero)
        value = lookup("transpose")(value, axes=(1, 0))
    return Graph.of("chain", [x], [value])
