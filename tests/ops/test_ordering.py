"""Sort and searchsorted: NumPy's order, stability, NaN last, several keys."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.ops.ordering import SEARCHSORTED, SORT
from graphc.types import DTYPES, TensorType

from .standin import check, check_samples, draw

RNG = np.random.default_rng(17)
NAN, INF = np.nan, np.inf
PARTS = (NAN, -INF, -1.0, -0.0, 0.0, 2.0, INF)


def attrs(axis: int = 0, keys: int = 1, descending: bool = False) -> dict[str, Any]:
    return {"axis": axis, "keys": keys, "descending": descending}


def complexes() -> np.ndarray:
    """Every pair of the parts, twice, in some order."""
    z = np.empty(len(PARTS) ** 2, np.complex128)
    for k, (re, im) in enumerate(itertools.product(PARTS, PARTS)):
        z[k] = complex(re, im)
    return RNG.permutation(np.concatenate([z, z]))


def test_samples() -> None:
    check_samples(SORT, SEARCHSORTED)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_sort_every_dtype(name: str, descending: bool) -> None:
    dtype = DTYPES[name]
    x = draw(RNG, TensorType(dtype, (13,)), -3.0, 3.0)
    if dtype.is_integer:
        x[:2] = np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
    found, order = check(SORT, [x, np.arange(13)], attrs(descending=descending))
    if name != "bf16" and not descending:
        np.testing.assert_array_equal(found, np.sort(x))
        np.testing.assert_array_equal(order, np.argsort(x, kind="stable"))
    check(SORT, [x, x], attrs(descending=descending), [f"{name}[n]"] * 2, {"n": 13})


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 16, 17])
def test_sort_of_any_length_is_stable(count: int) -> None:
    x = RNG.integers(0, 3, count)
    _, order = check(SORT, [x, np.arange(count)], attrs())
    np.testing.assert_array_equal(order, np.argsort(x, kind="stable"))
    _, order = check(SORT, [x, np.arange(count)], attrs(descending=True))
    np.testing.assert_array_equal(order, np.argsort(-x, kind="stable"))


def test_nan_is_last() -> None:
    x = np.array([NAN, 1, -INF, NAN, INF, -0.0, 0.0])
    _, order = check(SORT, [x, np.arange(7)], attrs())
    np.testing.assert_array_equal(order, [2, 5, 6, 1, 4, 0, 3])
    _, order = check(SORT, [x, np.arange(7)], attrs(descending=True))
    np.testing.assert_array_equal(order, [4, 1, 5, 6, 2, 0, 3])


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_order_is_numpys(dtype: Any) -> None:
    z = complexes().astype(dtype)
    _, order = check(SORT, [z, np.arange(len(z))], attrs())
    np.testing.assert_array_equal(order, np.argsort(z, kind="stable"))
    check(SORT, [z, np.arange(len(z))], attrs(descending=True))


def test_sort_along_an_axis() -> None:
    x = RNG.normal(size=(3, 4, 5))
    for axis in range(3):
        np.testing.assert_array_equal(check(SORT, [x], attrs(axis)), np.sort(x, axis=axis))
        check(SORT, [x], attrs(axis), ["f64[n, m, k]"], {"n": 3, "m": 4, "k": 5})
    check(SORT, [x[:0]], attrs(1))


def test_several_keys() -> None:
    a, b = RNG.integers(0, 3, 20), RNG.normal(size=20).round()
    found = check(SORT, [a, b, np.arange(20)], attrs(keys=2))
    np.testing.assert_array_equal(found[2], np.lexsort((b, a)))
    check(SORT, [a, b, np.arange(20)], attrs(keys=3, descending=True))


def test_sort_refuses() -> None:
    def infer(*types: str, **changed: Any) -> Any:
        return SORT.infer([ty.parse_type(t) for t in types], attrs(**changed))

    assert infer("f32[n]", "i64[n]") == (ty.parse_type("f32[n]"), ty.parse_type("i64[n]"))
    with pytest.raises(TypeMismatch, match="keys is 2; expected 1 to 1"):
        infer("f32[3]", keys=2)
    with pytest.raises(ShapeMismatch, match=r"operand 1 has shape \(4\); operand 0 has \(3\)"):
        infer("f32[3]", "f32[4]")
    with pytest.raises(ShapeMismatch, match="axis 0 is not an axis"):
        infer("f32[]")


# ------------------------------------------------------------------------------- searchsorted


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_searchsorted_every_dtype(name: str, side: Any) -> None:
    dtype = DTYPES[name]
    x = draw(RNG, TensorType(dtype, (9,)), -3.0, 3.0)
    ordered = SORT.evaluate([x], attrs())
    values = np.concatenate([x[:5], draw(RNG, TensorType(dtype, (5,)), -4.0, 4.0)]).reshape(2, 5)
    check(SEARCHSORTED, [ordered, values], {"side": side})
    types = [f"{name}[n]", f"{name}[2, m]"]
    found = check(SEARCHSORTED, [ordered, values], {"side": side}, types, {"n": 9, "m": 5})
    if name != "bf16":
        np.testing.assert_array_equal(found, np.searchsorted(ordered, values, side))


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_with_nan_and_of_any_length(side: Any) -> None:
    values = np.array([NAN, -INF, 0, 0.5, 3, INF])
    for count in range(10):
        ordered = np.sort(np.append(RNG.integers(0, 4, count), [NAN, INF]))
        found = check(SEARCHSORTED, [ordered, values], {"side": side})
        np.testing.assert_array_equal(found, np.searchsorted(ordered, values, side))
        check(SEARCHSORTED, [ordered[:count], values], {"side": side})
    z = complexes()
    check(SEARCHSORTED, [np.sort(z), z], {"side": side})
    check(
        SEARCHSORTED, [values[1:], np.float64(0.5)], {"side": side}, ["f64[n]", "f64[]"], {"n": 5}
    )


def test_searchsorted_refuses() -> None:
    def infer(a: str, b: str, side: str = "left") -> Any:
        return SEARCHSORTED.infer([ty.parse_type(a), ty.parse_type(b)], {"side": side})

    assert str(infer("f32[n]", "f32[2, m]")) == "i64[2, m]"
    with pytest.raises(TypeMismatch, match="side is 'middle'"):
        infer("f32[3]", "f32[2]", "middle")
    with pytest.raises(ShapeMismatch, match="expected one axis"):
        infer("f32[3, 2]", "f32[2]")
    with pytest.raises(TypeMismatch, match="operand 1 is i32, expected f32"):
        infer("f32[3]", "i32[2]")
