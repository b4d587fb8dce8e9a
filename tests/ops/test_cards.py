"""From the registry, for every card: `infer`, `evaluate`, `lower`, text and NumPy agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the cards
from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.evaluate import evaluate
from graphc.ir import PARAM, Graph, make, param
from graphc.loops import ir as L
from graphc.opdef import OpDef, Sample, cards
from graphc.ops.complexes import convert
from graphc.text import parse_graph, print_graph
from graphc.types import DType, TensorType
from graphc.verify import verify

from .lowering import arguments, compute

CARDS = [card for card in cards() if card is not PARAM]
ELEMENTWISE = [card for card in CARDS if card.kind == "elementwise"]
UFUNCS = [c for c in ELEMENTWISE if c.numpy and isinstance(c.numpy[0], np.ufunc)]
# special values of the complex functions on which formulas and NumPy agree everywhere
STEADY = {
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atanh", "conj", "cos", "cosh", "eq",
    "exp", "exp2", "fmax", "fmin", "ge", "gt", "imag", "isfinite", "isinf", "isnan", "le", "log",
    "log10", "log2", "lt", "max", "min", "ne", "neg", "real", "rint", "sin", "sinh", "sqrt", "sub",
    "tan", "tanh",
}  # fmt: skip


def by_name(card: OpDef) -> str:
    return card.name


def draw(type: TensorType, sample: Sample, seed: int) -> np.ndarray:
    """An array of a type, from the sample's range."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(e) for e in type.shape)
    if type.dtype is ty.BOOL:
        return rng.integers(0, 2, shape).astype(bool)
    if type.dtype.is_integer:
        low, high = int(np.ceil(sample.low)), int(np.ceil(sample.high))
        return rng.integers(low, max(high, low + 1), shape).astype(type.dtype.numpy)
    x = rng.uniform(sample.low, sample.high, shape)
    if type.dtype.is_complex:
        return np.asarray(x + 1j * rng.uniform(sample.low, sample.high, shape)).astype(
            type.dtype.numpy
        )
    return convert(x, type.dtype)


def operands(sample: Sample) -> list[np.ndarray]:
    return [draw(t, sample, seed) for seed, t in enumerate(sample.types)]


def one_node(card: OpDef, sample: Sample) -> Graph:
    params = tuple(param(t, f"x{k}") for k, t in enumerate(sample.types))
    node = make(card, params, sample.attrs)
    return Graph(card.name, params, (node,), node.results)


def special(dtype: DType) -> np.ndarray:
    """The values at which functions change their ways."""
    if dtype is ty.BOOL:
        return np.array([False, True])
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        return np.array([info.min, info.max, 0, 1, 2, info.max - 1, 7], dtype.numpy)
    real = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e-3, 100.0]
    if dtype.is_complex:
        parts = np.array(real, dtype.real.numpy)
        result = np.empty((len(real), len(real)), dtype.numpy)
        result.real, result.imag = parts[:, None], parts
        return result.reshape(-1)
    return convert(np.array(real), dtype)


def special_operands(types: tuple[TensorType, ...]) -> list[np.ndarray]:
    """Every special value, or every pair of them."""
    values = [special(t.dtype) for t in types]
    if len(values) == 1:
        return values
    grid = np.meshgrid(*values, indexing="ij")
    return [np.ascontiguousarray(g).reshape(-1) for g in grid]


def kinds(x: np.ndarray) -> np.ndarray:
    """0 finite, 1 and 2 the infinities, 3 NaN; of a complex array for its parts."""
    parts = np.stack([np.real(x), np.imag(x)]) if x.dtype.kind == "c" else x[None]
    return np.where(np.isnan(parts), 3, np.where(np.isinf(parts), np.where(parts > 0, 1, 2), 0))


def assert_close(got: Any, wanted: np.ndarray, ulps: float) -> None:
    """Equal to the bit for what is no float; within ulps of the magnitude else; NaN like NaN."""
    got = np.broadcast_to(np.asarray(got), wanted.shape)
    assert got.dtype == wanted.dtype
    if wanted.dtype.kind in "biu":
        np.testing.assert_array_equal(got, wanted)
        return
    eps = {"f2": 2.0**-10, "V2": 2.0**-7}.get(
        wanted.dtype.str[-2:], 2.0**-23 if wanted.dtype in ("f4", "c8") else 2.0**-52
    )
    if wanted.dtype.itemsize == 2:
        got, wanted = got.astype(np.float32), wanted.astype(np.float32)
    np.testing.assert_array_equal(kinds(got), kinds(wanted))
    np.testing.assert_allclose(got, wanted, rtol=ulps * eps, atol=0.0)


# ------------------------------------------------------------------------------------ every card


@pytest.mark.parametrize("card", CARDS, ids=by_name)
def test_says_what_it_is(card: OpDef) -> None:
    assert card.doc and card.source
    assert list(card.samples()), "a card without samples is a card without tests"
    assert card.lower is not None or card.kind in ("call", "control")
    assert card.name.isidentifier()


@pytest.mark.parametrize("card", CARDS, ids=by_name)
def test_evaluate_gives_what_infer_says(card: OpDef) -> None:
    for sample in card.samples():
        graph = one_node(card, sample)
        results = evaluate(graph, operands(sample))  # checks dtypes and shapes itself
        assert len(results) == len(graph.results)


@pytest.mark.parametrize("card", CARDS, ids=by_name)
def test_verifies_and_survives_its_text(card: OpDef) -> None:
    for sample in card.samples():
        graph = verify(one_node(card, sample))
        text = print_graph(graph)
        again = parse_graph(text)
        assert again == graph
        assert print_graph(again) == text


@pytest.mark.parametrize("card", CARDS, ids=by_name)
def test_refuses_a_wrong_number_of_operands(card: OpDef) -> None:
    sample = next(iter(card.samples()))
    extra = TensorType(ty.U16, (2, 3, 4, 5))
    if card.name in ("barrier", "concatenate", "sort"):
        return  # these take as many as come
    with pytest.raises(TypeMismatch):
        card.infer_types((*sample.types, extra), sample.attrs)


# ------------------------------------------------------------------------------------ elementwise


@pytest.mark.parametrize("card", UFUNCS, ids=by_name)
def test_evaluate_is_the_ufunc(card: OpDef) -> None:
    for sample in card.samples():
        if ty.BF16 in (sample.types[0].dtype,):
            continue  # NumPy has none; its meaning is f32's, tested below
        for arrays in (operands(sample), special_operands(sample.types)):
            if card.name == "pow" and arrays[0].dtype.kind in "iu":
                arrays[1] = np.abs(arrays[1]) & 63
            with np.errstate(all="ignore"):
                wanted = np.asarray(card.numpy[0](*arrays))
            wanted = wanted.astype(card.infer_types(sample.types, {})[0].dtype.numpy, copy=False)
            got = card.evaluate(arrays, {})
            assert_close(got, wanted, 1.0 if wanted.dtype == np.float16 else 0.0)


@pytest.mark.parametrize("card", ELEMENTWISE, ids=by_name)
def test_narrow_floats_are_f32_rounded(card: OpDef) -> None:
    if card.name in ("cast", "bitcast", "nextafter", "complex", "real", "imag"):
        return
    for sample in card.samples():
        if not any(t.dtype in (ty.F16, ty.BF16) for t in sample.types):
            continue
        arrays = operands(sample)
        wide = [a.astype(np.float32) if a.dtype.itemsize == 2 else a for a in arrays]
        wanted = np.asarray(card.evaluate(wide, {}))
        got = np.asarray(card.evaluate(arrays, {}))
        np.testing.assert_array_equal(got, wanted.astype(got.dtype))


@pytest.mark.parametrize("card", ELEMENTWISE, ids=by_name)
def test_lowering_computes_what_evaluate_does(card: OpDef) -> None:
    for sample in card.samples():
        result = card.infer_types(sample.types, sample.attrs)[0]
        complex_function = sample.types[0].dtype.is_complex and card.name != "cast"
        many = [operands(sample)]
        if card.name not in ("cast", "bitcast", "select", "ldexp", "complex"):
            many.append(special_operands(sample.types))
        for arrays in many:
            wanted = np.asarray(card.evaluate(arrays, sample.attrs))
            args, env = arguments(arrays)
            with np.errstate(all="ignore"):
                got = compute(card.lower(args, result), env)  # type: ignore[misc]
            got = np.broadcast_to(np.asarray(got), wanted.shape)
            if complex_function and card.name not in STEADY:
                # nor where NumPy overflows: which infinity or NaN comes out depends on rounding
                known = np.logical_and.reduce([np.isfinite(a) for a in (*arrays, wanted)])
                got, wanted = got[known], wanted[known]
            assert_close(got, wanted, _ulps(card) if complex_function else 0.0)


def _ulps(card: OpDef) -> float:
    """NumPy's complex log1p cancels near zero; the error of pow grows with ln(a**b)."""
    return {"log1p": 1e5, "pow": 900.0}.get(card.name, 8.0)


@pytest.mark.parametrize("card", ELEMENTWISE, ids=by_name)
def test_complex_lowering_stays_small(card: OpDef) -> None:
    """Counted as the graph that it is: shared parts once."""
    for sample in card.samples():
        args, _ = arguments(operands(sample))
        result = card.infer_types(sample.types, sample.attrs)[0]
        lowered = card.lower(args, result)  # type: ignore[misc]
        seen: dict[int, L.Expr] = {}
        stack = [lowered.re, lowered.im] if isinstance(lowered, L.Pair) else [lowered]
        while stack:
            expr = stack.pop()
            if id(expr) not in seen:
                seen[id(expr)] = expr
                stack.extend(L.children(expr))
        assert len(seen) < (350 if card.name == "pow" else 200)  # pow has seven squarings


def test_log1p_of_small_complex_numbers_does_not_cancel() -> None:
    card = next(c for c in cards() if c.name == "log1p")
    x = np.array([1e-20 + 1e-25j, -3e-9 + 2e-9j, 0.3 - 0.2j])
    args, env = arguments([x])
    lowered = card.lower(args, TensorType(ty.C128, (3,)))  # type: ignore[misc]
    # the series: z - z²/2 + z³/3
    wanted = x - x * x / 2 + x**3 / 3
    np.testing.assert_allclose(compute(lowered, env)[:2], wanted[:2], rtol=1e-15)


@pytest.mark.parametrize("card", UFUNCS, ids=by_name)
def test_operands_have_one_shape_and_one_dtype(card: OpDef) -> None:
    sample = next(iter(card.samples()))
    if len(sample.types) == 1:
        return
    first, second = sample.types[:2]
    with pytest.raises(ShapeMismatch, match="operand 1"):
        card.infer_types((first, second.with_shape((9, 9))), {})
    with pytest.raises(TypeMismatch, match="operand 1"):
        card.infer_types((first, second.with_dtype(ty.C64)), {})


def test_identity_and_absorbing_hold() -> None:
    for card in ELEMENTWISE:
        for sample in card.samples():
            if len(sample.types) != 2 or sample.types[0].dtype in (ty.BF16, ty.C64, ty.C128):
                continue
            x = special(sample.types[0].dtype)
            if card.identity is not None:
                y = np.full(x.shape, card.identity).astype(x.dtype)
                np.testing.assert_array_equal(card.evaluate([x, y], {}), x)
                if x.dtype.kind == "f":
                    same = np.signbit(card.evaluate([x, y], {})) == np.signbit(x)
                    assert np.all(same | np.isnan(x)), card.name
            if card.absorbing is not None:
                y = np.full(x.shape, card.absorbing).astype(x.dtype)
                np.testing.assert_array_equal(card.evaluate([x, y], {}), y)


def test_traits_hold() -> None:
    for card in ELEMENTWISE:
        for sample in card.samples():
            if sample.attrs or sample.types[0].dtype is ty.BF16:
                continue
            a, *rest = operands(sample)
            if card.commutative:
                b = rest[0]
                # NumPy's vector code rounds the parts of a complex product differently
                ulps = 4.0 if sample.types[0].dtype.is_complex else 0.0
                assert_close(card.evaluate([a, b], {}), card.evaluate([b, a], {}), ulps)
            if card.idempotent:
                once = a if rest else card.evaluate([a], {})
                np.testing.assert_array_equal(card.evaluate([once] * (1 + len(rest)), {}), once)
            if card.involution:
                np.testing.assert_array_equal(card.evaluate([card.evaluate([a], {})], {}), a)
