"""Reductions and scans: values, identities, NaN, accumulation in f32, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.ops.reduction import CUMULATIVE, CUMULATIVE_KINDS, REDUCE, REDUCE_KINDS
from graphc.types import DTYPES, DType, TensorType

from .standin import check, check_samples, draw, lowered

RNG = np.random.default_rng(11)
NUMPY: dict[str, Any] = {
    "sum": np.sum,
    "prod": np.prod,
    "min": np.min,
    "max": np.max,
    "and": np.bitwise_and.reduce,
    "or": np.bitwise_or.reduce,
    "xor": np.bitwise_xor.reduce,
}


def infer(card: Any, type: str, **attrs: Any) -> str:
    return str(card.infer([ty.parse_type(type)], attrs))


def tolerance(dtype: DType) -> float:
    return 0.0 if dtype.kind not in "fc" else {16: 1e-2, 32: 1e-5}.get(dtype.real.bits, 1e-12)


def test_samples() -> None:
    check_samples(REDUCE, CUMULATIVE)


@pytest.mark.parametrize("kind", REDUCE_KINDS)
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_reduce_every_dtype(kind: str, name: str) -> None:
    dtype = DTYPES[name]
    x = draw(RNG, TensorType(dtype, (3, 4, 2)), -9.0, 9.0)
    attrs = {"kind": kind, "axes": (0, 2)}
    if dtype.kind not in REDUCE_KINDS[kind]:
        with pytest.raises(TypeMismatch, match=f"{kind} does not take operand 0 of dtype {name}"):
            check(REDUCE, [x], attrs)
        return
    found = check(REDUCE, [x], attrs, [f"{name}[n, m, 2]"], {"n": 3, "m": 4}, tolerance(dtype))
    if name != "bf16":
        wide = x.astype(np.float32) if name == "f16" else x
        expected = NUMPY[kind](wide, axis=(0, 2)).astype(x.dtype)
        np.testing.assert_allclose(found, expected, rtol=max(1e-12, tolerance(dtype)))


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1, 2), (2, 0)])
def test_reduce_axes(axes: tuple[int, ...]) -> None:
    x = RNG.integers(-9, 9, (3, 1, 5))
    found = check(REDUCE, [x], {"kind": "sum", "axes": axes})
    np.testing.assert_array_equal(found, x.sum(axis=axes))
    check(REDUCE, [np.array(2.5)], {"kind": "max", "axes": ()})


def test_integers_wrap_in_their_own_dtype() -> None:
    found = check(REDUCE, [np.array([100, 100, 100], np.int8)], {"kind": "sum", "axes": (0,)})
    assert found == 44


def test_halves_accumulate_in_f32() -> None:
    x = np.full(4096, 1, np.float16)
    assert check(REDUCE, [x], {"kind": "sum", "axes": (0,)}) == 4096  # f16 alone would stop at 2048


@pytest.mark.parametrize("kind", ["min", "max"])
def test_min_and_max_propagate_nan(kind: str) -> None:
    x = np.array([[1, np.nan, 2], [np.inf, -np.inf, 0]])
    found = check(REDUCE, [x], {"kind": kind, "axes": (1,)})
    np.testing.assert_array_equal(found, NUMPY[kind](x, axis=1))


@pytest.mark.parametrize("kind", REDUCE_KINDS)
@pytest.mark.parametrize("name", ["bool", "i8", "u16", "f16", "f64"])
def test_nothing_gives_the_identity(kind: str, name: str) -> None:
    dtype = DTYPES[name]
    if dtype.kind not in REDUCE_KINDS[kind]:
        return
    x = np.zeros((2, 0), dtype.numpy)
    attrs = {"kind": kind, "axes": (1,)}
    if kind in ("min", "max"):
        with pytest.raises(ShapeMismatch, match="axis 1 of operand 0 is empty"):
            check(REDUCE, [x], attrs)
        check(REDUCE, [x[:0]], attrs)  # no result needs an element
        value = REDUCE.evaluate([x], attrs)  # a symbolic extent may turn out 0
        np.testing.assert_array_equal(np.minimum(value, 1), value if kind == "max" else 1)
    else:
        found = check(REDUCE, [x], attrs, [f"{name}[2, n]"], {"n": 0})
        np.testing.assert_array_equal(found, NUMPY[kind](x, axis=1))


def test_reduce_refuses() -> None:
    with pytest.raises(TypeMismatch, match="kind 'mean' is not one of sum"):
        infer(REDUCE, "f32[3]", kind="mean", axes=(0,))
    with pytest.raises(ShapeMismatch, match="axis 1 is not an axis of operand 0"):
        infer(REDUCE, "f32[3]", kind="sum", axes=(1,))
    assert infer(REDUCE, "f32[n, 0]", kind="max", axes=(0,)) == "f32[0]"


# --------------------------------------------------------------------------------- cumulative


@pytest.mark.parametrize("kind", CUMULATIVE_KINDS)
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_cumulative_every_dtype(kind: str, name: str) -> None:
    dtype = DTYPES[name]
    x = draw(RNG, TensorType(dtype, (3, 4)), -3.0, 3.0)
    for axis in (0, 1):
        attrs = {"kind": kind, "axis": axis}
        if dtype.kind not in CUMULATIVE_KINDS[kind]:
            with pytest.raises(TypeMismatch, match=f"{kind} does not take"):
                check(CUMULATIVE, [x], attrs)
            continue
        rtol = 1e-5 if dtype.is_complex else 0.0  # every step rounds in the same way
        found = check(CUMULATIVE, [x], attrs, [f"{name}[n, m]"], {"n": 3, "m": 4}, rtol)
        if kind in ("sum", "prod"):
            numpy = np.cumsum if kind == "sum" else np.cumprod
            np.testing.assert_array_equal(found, numpy(x, axis=axis, dtype=x.dtype))


@pytest.mark.parametrize("kind", CUMULATIVE_KINDS)
def test_cumulative_with_nan_and_odd_shapes(kind: str) -> None:
    x = np.array([3, -1, np.nan, 5, -np.inf])
    check(CUMULATIVE, [x], {"kind": kind, "axis": 0})
    check(CUMULATIVE, [x[:0]], {"kind": kind, "axis": 0})
    check(CUMULATIVE, [np.zeros((0, 3))], {"kind": kind, "axis": 1})
    check(CUMULATIVE, [RNG.normal(size=(2, 1, 3, 2))], {"kind": kind, "axis": 2})


def test_a_scan_is_parallel_over_the_outermost_other_axis() -> None:
    func, _ = lowered(CUMULATIVE, [ty.parse_type("f32[n, 4]")], {"kind": "sum", "axis": 0})
    assert [s.kind for s in func.body] == ["parallel"]  # type: ignore[union-attr]
    assert func.body[0].extent == 4  # type: ignore[union-attr]
    with pytest.raises(ShapeMismatch, match="axis 0 is not an axis of operand 0, which has rank 0"):
        infer(CUMULATIVE, "f32[]", kind="sum", axis=0)
