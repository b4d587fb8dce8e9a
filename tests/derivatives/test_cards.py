"""From the registry, for every card: its derivative is said, and is the derivative."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import PARAM, Graph, make, param
from graphc.opdef import (
    Cases,
    Expansion,
    Linear,
    NotDifferentiable,
    OpDef,
    Partials,
    Rules,
    Sample,
    Staged,
    Zero,
    cards,
)
from graphc.ops.complexes import convert
from graphc.types import DType, TensorType

from .numbers import (
    assert_near,
    check,
    directions,
    forward_graph,
    is_smooth,
    reverse_graph,
    wide,
    wide_attrs,
)

CARDS = [card for card in cards() if card is not PARAM]
FORMS = (Partials, Linear, Rules, Staged, Expansion, NotDifferentiable, Zero)
MORE: dict[str, list[Sample]] = {
    "reduce": [
        Sample((ty.parse_type("f64[3, 4, 5]"),), {"kind": "prod", "axes": (0, 2)}),
        Sample((ty.parse_type("f64[3, 4]"),), {"kind": "min", "axes": (1,)}),
        Sample((ty.parse_type("c128[3]"),), {"kind": "prod", "axes": (0,)}),
        Sample((ty.parse_type("f64[0, 2]"),), {"kind": "prod", "axes": (0,)}),
    ],
    "cumulative": [
        Sample((ty.parse_type("f64[3, 7]"),), {"kind": kind, "axis": 1})
        for kind in ("sum", "prod", "min", "max")
    ],
    "reduce_window": [
        Sample(
            (ty.parse_type("f64[7, 6]"),),
            {
                "kind": kind, "window": (3, 2), "stride": stride, "low": (1, 0), "high": (0, 1),
                "dilation": dilation,
            },
        )
        for kind in ("sum", "prod", "min", "max")
        for stride in ((1, 1), (2, 2), (3, 2))
        for dilation in ((1, 1), (2, 3))
    ],
    "scatter": [
        Sample(
            (ty.parse_type("f64[5, 3]"), ty.parse_type("f64[4, 5]"), ty.parse_type("i64[4]")),
            {"axes": (1,), "combine": combine, "mode": "wrap"},
        )
        for combine in ("set", "add", "mul", "min", "max")
    ],
    "sort": [
        Sample(
            (ty.parse_type("f64[3, 7]"), ty.parse_type("f64[3, 7]"), ty.parse_type("i32[3, 7]")),
            {"axis": 1, "keys": 1, "descending": True},
        )
    ],
    "pad": [
        Sample(
            (ty.parse_type("f64[6, 4]"), ty.parse_type("f64[]")),
            {"low": (-1, 2), "high": (3, -2), "interior": (2, 0)},
        )
    ],
    "conv": [
        Sample(
            (ty.parse_type("f64[4, 7, 6]"), ty.parse_type("f64[3, 3, 4]")),
            {
                "stride": (2,), "low": (1,), "high": (2,), "lhs_dilation": (2,),
                "rhs_dilation": (1,), "groups": 2, "batch_groups": 1, "lhs": (0, 2, 1),
                "rhs": (2, 1, 0), "out": (0, 2, 1),
            },
        ),
        Sample(
            (ty.parse_type("f64[6, 3, 8]"), ty.parse_type("f64[4, 3, 3]")),
            {
                "stride": (1,), "low": (-1,), "high": (2,), "lhs_dilation": (1,),
                "rhs_dilation": (2,), "groups": 1, "batch_groups": 2, "lhs": (0, 1, 2),
                "rhs": (0, 1, 2), "out": (2, 0, 1),
            },
        ),
    ],
    "dot": [
        Sample(
            (ty.parse_type("f64[2, 3, 4, 5]"), ty.parse_type("f64[5, 2, 6, 4]")),
            {"contract": ((3, 2), (0, 3)), "batch": ((0,), (1,))},
        ),
    ],
}  # fmt: skip


def by_name(card: OpDef) -> str:
    return card.name


def smooth_samples(card: OpDef) -> Iterator[Sample]:
    """The uses of a card that have something to differentiate, in the widest dtype; one of each."""
    seen = set()
    if card.name in ("custom_jvp", "custom_vjp"):
        return  # their rules are Python functions: see test_custom.py
    for sample in (*card.samples(), *MORE.get(card.name, ())):
        types, attrs = tuple(map(wide, sample.types)), wide_attrs(sample.attrs)
        if isinstance(card.form(types, attrs), (NotDifferentiable, Zero)):
            continue
        results = card.infer_types(types, attrs)
        if not any(is_smooth(t.dtype) for t in types) or not any(
            is_smooth(t.dtype) for t in results
        ):
            continue
        key = repr((types, sorted(attrs.items())))
        if key not in seen:
            seen.add(key)
            yield Sample(types, attrs, sample.low, sample.high)


def graph_of(card: OpDef, sample: Sample) -> Graph:
    params = tuple(param(t, f"x{k}") for k, t in enumerate(sample.types))
    node = make(card, params, sample.attrs)
    return Graph(card.name, params, (node,), node.results)


def draw(rng: np.random.Generator, types: Sequence[TensorType], sample: Sample) -> list[np.ndarray]:
    """Numbers well inside the domain and away from each other: no ties, no kinks, no poles."""
    shapes = [tuple(int(e) for e in t.shape) for t in types]
    counts = [int(np.prod(shape)) for shape in shapes]
    total = max(sum(counts), 1)
    span = sample.high - sample.low

    def numbers() -> np.ndarray:
        grid = sample.low + span * (rng.permutation(total) + rng.uniform(0.3, 0.7, total)) / total
        grid = np.clip(grid, sample.low + 0.02 * span, sample.high - 0.02 * span)
        return np.where(np.abs(grid - np.rint(grid)) < 0.03, grid + 0.06, grid)

    real, imaginary, at, found = numbers(), numbers(), 0, []
    for type, shape, count in zip(types, shapes, counts, strict=True):
        x = real[at : at + count].reshape(shape)
        y = imaginary[at : at + count].reshape(shape)
        at += count
        if is_smooth(type.dtype):
            found.append(np.asarray(x + 1j * y if type.dtype.is_complex else x))
        elif type.dtype is ty.BOOL:
            found.append(rng.integers(0, 2, shape).astype(bool))
        else:
            low = int(np.ceil(sample.low))
            high = max(int(sample.high), low + 1)
            found.append(rng.integers(low, high, shape).astype(type.dtype.numpy))
    return found


def away_from_steps(card: OpDef, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The operands of a remainder such that their quotient is no integer."""
    if card.name in ("mod", "fmod"):
        arrays[0] = (np.floor(arrays[0]) + 0.2 + 0.6 * (arrays[0] % 1)) * arrays[1]
    return arrays


def rng_of(card: OpDef) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(card.name.encode()))


@pytest.mark.parametrize("card", cards(), ids=by_name)
def test_says_what_its_derivative_is(card: OpDef) -> None:
    found = card.derivative
    assert found is not None, "say ZERO or NotDifferentiable(why) where there is none"
    forms = list(found.forms.values()) if isinstance(found, Cases) else [found]
    for form in forms:
        assert isinstance(form, FORMS)
        if isinstance(form, NotDifferentiable):
            assert form.why


@pytest.mark.parametrize("card", CARDS, ids=by_name)
def test_partials_are_as_many_as_operands(card: OpDef) -> None:
    for sample in card.samples():
        form = card.form(sample.types, sample.attrs)
        if isinstance(form, Partials):
            assert len(form.by) == len(sample.types)


@pytest.mark.parametrize(
    "card", [c for c in CARDS if next(smooth_samples(c), None) is not None], ids=by_name
)
def test_derivatives_of_first_and_second_order(card: OpDef) -> None:
    rng = rng_of(card)
    for sample in smooth_samples(card):
        graph = graph_of(card, sample)
        check(graph, away_from_steps(card, draw(rng, sample.types, sample)), rng)


NARROW = {ty.F16: 2e-2, ty.BF16: 1e-1, ty.F32: 2e-5, ty.C64: 2e-5}


@pytest.mark.parametrize(
    "card", [c for c in CARDS if next(smooth_samples(c), None) is not None], ids=by_name
)
def test_narrow_dtypes_have_the_derivatives_of_wide_ones(card: OpDef) -> None:
    rng = rng_of(card)
    for sample in card.samples():
        narrow = [t.dtype for t in sample.types if t.dtype in NARROW]
        if not narrow or isinstance(card.form(sample.types, sample.attrs), NotDifferentiable):
            continue
        graph = graph_of(card, sample)
        if not any(is_smooth(r.dtype) for r in graph.results):
            continue
        attrs = wide_attrs(sample.attrs)
        large = Sample(tuple(map(wide, sample.types)), attrs, sample.low, sample.high)
        arrays = away_from_steps(card, draw(rng, large.types, sample))
        rounded = [as_dtype(a, t.dtype) for a, t in zip(arrays, sample.types, strict=True)]
        exact = [as_dtype(a, wide(t).dtype) for a, t in zip(rounded, sample.types, strict=True)]
        rtol = max(NARROW[d] for d in (*narrow, *(r.dtype for r in graph.results)) if d in NARROW)
        for make_derivative in (forward_graph, reverse_graph):
            small, whole = make_derivative(graph), make_derivative(graph_of(card, large))
            rest = small.params[len(arrays) :]
            more = directions(rng, [p.type for p in rest])
            with np.errstate(all="ignore"):
                got = evaluate(small, [*rounded, *more])
                wanted = evaluate(
                    whole,
                    [
                        *exact,
                        *(as_dtype(a, wide(p.type).dtype) for a, p in zip(more, rest, strict=True)),
                    ],
                )
            pairs = [(a.astype(b.dtype), b) for a, b in zip(got, wanted, strict=True)]
            assert_near(
                [a for a, _ in pairs], [b for _, b in pairs], rtol, make_derivative.__name__
            )


def as_dtype(array: np.ndarray, dtype: DType) -> np.ndarray:
    return array if not is_smooth(dtype) else convert(array, dtype)
