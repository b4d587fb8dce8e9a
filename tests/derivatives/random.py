"""Random graphs whose derivatives are compared: reverse with forward mode, with differences, and
compiled with evaluated.

`python -m tests.fuzz --derivatives` calls this. A seed is a test case until this file or
`tests/random_graphs.py` changes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph, Value
from graphc.opdef import NotDifferentiable, OpDef, Sample, lookup
from graphc.types import TensorType
from tests import random_graphs
from tests.compiled import compiled

from .numbers import (
    Arrays,
    directions,
    forward_graph,
    is_smooth,
    moved,
    paired,
    reverse_graph,
    wide,
    wide_attrs,
)

SIZES = (3, 6, 10, 16)
COMPILED = 16
"""One of so many seeds is compiled, too."""
STEP = 1e-6
UNLIKE = {"nextafter", "copysign", "ldexp", "bitcast"}
"""What makes numbers that no small step moves as a slope would."""


class Smooth(random_graphs._Generator):
    """Graphs of f64 and c128, of moderate numbers."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.special = False
        self.by_kind = smooth_samples()

    def graph(self, size: int) -> tuple[Graph, list[np.ndarray]]:
        for _ in range(3):
            dtype = ty.F64 if self.random.random() < 0.8 else ty.C128
            self.parameter(TensorType(dtype, self.random.choice(random_graphs.SHAPES)))
        for _ in range(size):
            self.step()
        read = {v for value in self.values for v in value.node.operands}
        leaves = [v for v in self.values if v not in read and v not in self.params]
        results = [self.tame(v) for v in leaves[-4:] or self.values[-1:] if is_smooth(v.dtype)]
        results = results or [self.params[0]]
        graph = Graph.of("smooth", self.params, results)
        arrays = [random_graphs.random_array(self.rng, p.type, False) for p in self.params]
        return graph, arrays

    def operand(self, card: OpDef, sample: Sample, type: TensorType, earlier: list[Value]) -> Value:
        value = super().operand(card, sample, type, earlier)
        if card.name in ("mod", "fmod") and earlier:  # a remainder by about 0 has steps everywhere
            return lookup("add")(lookup("sin")(value), self.full(type, 2.0))
        if not type.dtype.is_float or sample.low == -3.0:
            return value
        # into the domain of the op: low + (high - low) * (sin(x) + 1) / 2
        span = (sample.high - sample.low) / 2
        moved = lookup("mul")(lookup("sin")(value), self.full(type, 0.9 * span))
        return lookup("add")(moved, self.full(type, sample.low + span))


@lru_cache(maxsize=1)
def smooth_samples() -> dict[str, list[tuple[OpDef, list[Sample]]]]:
    """The samples in f64 and c128, of what has a derivative or none that matters."""
    found: dict[str, list[tuple[OpDef, list[Sample]]]] = {}
    for kind, rows in random_graphs.samples_by_kind().items():
        for card, samples in rows:
            if card.name in UNLIKE or kind == "creation":
                continue
            kept = [s for s in map(widened, samples) if _has_derivative(card, s)]
            if kept:
                found.setdefault(kind, []).append((card, kept))
    return found


def widened(sample: Sample) -> Sample:
    """The sample in the widest dtypes."""
    types, attrs = tuple(map(wide, sample.types)), wide_attrs(sample.attrs)
    return Sample(types, attrs, sample.low, sample.high)


def _has_derivative(card: OpDef, sample: Sample) -> bool:
    if isinstance(card.form(sample.types, sample.attrs), NotDifferentiable):
        return False
    results = card.infer_types(sample.types, sample.attrs)
    return all(any(is_smooth(t.dtype) for t in side) for side in (sample.types, results))


def finite(*rows: Arrays) -> bool:
    """Whether all numbers are finite, and none is so large that a difference says nothing."""
    with np.errstate(all="ignore"):
        return all(np.isfinite(a).all() and np.all(np.abs(a) < 1e8) for row in rows for a in row)


def check_derivatives(seed: int) -> None:
    """Raises AssertionError unless the derivatives of the seed's graph agree."""
    graph, arrays = Smooth(seed).graph(SIZES[seed % len(SIZES)])
    rng = np.random.default_rng(seed)
    forward, reverse = forward_graph(graph), reverse_graph(graph)
    along = directions(rng, [p.type for p in graph.params])
    weights = directions(rng, [r.type for r in graph.results])
    with np.errstate(all="ignore"):
        tangents = evaluate(forward, [*arrays, *along])
        cotangents = evaluate(reverse, [*arrays, *weights])
    if seed % COMPILED == 0:
        for one, more in ((forward, along), (reverse, weights)):
            given = [*arrays, *more]
            got = compiled(one, passes=True)(*given)
            random_graphs.assert_agrees(one, given, got, evaluate(one, given))
    if not finite(tangents, cotangents):
        return
    ahead, back = paired(weights, tangents), paired(cotangents, along)
    size = sum(float(np.sum(np.abs(a))) for a in (*tangents, *cotangents))
    assert abs(ahead - back) <= 1e-7 * (1 + size), f"forward {ahead}, reverse {back}"
    slopes = []
    here = moved(graph, arrays, along, 0.0)
    with np.errstate(all="ignore"):
        base = [np.array(a) for a in evaluate(graph, arrays)]
    for step in (STEP, 3 * STEP):
        up, down = moved(graph, arrays, along, step), moved(graph, arrays, along, -step)
        if not finite(up, down):
            return
        slopes.append([(a - b) / (2 * step) for a, b in zip(up, down, strict=True)])
    # at a cut of the complex plane the sign of a zero decides, and a step of 0 may change it
    jumps = [np.abs(a - b) > 1e-9 for a, b in zip(here, base, strict=True)]
    rows = zip(*slopes, tangents, jumps, strict=True)
    for k, (fine, coarse, tangent, jump) in enumerate(rows):
        off = np.abs(fine - coarse)
        steady = ~jump & (off <= 1e-4 * (np.abs(fine) + 1))  # else a kink, or too few digits
        wrong = steady & (np.abs(fine - tangent) > 1e-2 * (np.abs(fine) + 1) + 30 * off)
        assert not wrong.any(), f"result {k}: tangent {tangent[wrong]}, difference {fine[wrong]}"
