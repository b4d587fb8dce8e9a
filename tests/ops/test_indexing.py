"""Gather and scatter: NumPy's meaning in every mode, and indices out of range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.ops.indexing import COMBINES, GATHER, SCATTER
from graphc.types import DTYPES, Dim, TensorType

from .standin import check, check_samples, draw, lowered, run

RNG = np.random.default_rng(5)
X = np.arange(20, dtype=np.float32).reshape(5, 4)


def infer(card: Any, types: list[str], **attrs: Any) -> str:
    return str(card.infer([ty.parse_type(t) for t in types], attrs))


def gather(*axes: int, mode: str = "raise") -> dict[str, Any]:
    return {"axes": axes, "mode": mode}


def test_samples() -> None:
    check_samples(GATHER, SCATTER)


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype(name: str) -> None:
    dtype = DTYPES[name]
    x = draw(RNG, TensorType(dtype, (5, 2)), 0.0, 3.0)
    i = np.array([0, -1, 4, 0])
    check(GATHER, [x, i], gather(0))
    for combine in COMBINES:
        attrs = {"axes": (0,), "combine": combine, "mode": "raise"}
        refused = dtype.is_complex and combine in ("min", "max")
        refused = refused or (name == "bool" and combine in ("add", "mul"))
        if refused:
            with pytest.raises(TypeMismatch, match=f"combine {combine} does not take {name}"):
                check(SCATTER, [x, x[:4], i], attrs)
        else:
            check(SCATTER, [x, x[:4], i], attrs, rtol=1e-2 if dtype.kind in "fc" else 0.0)


@pytest.mark.parametrize("mode", ["wrap", "clip"])
@pytest.mark.parametrize("integer", ["int8", "uint16", "int64"])
def test_gather_is_take(mode: Any, integer: str) -> None:
    i = np.array([[0, 7, 3], [125, 4, 5]]).astype(integer)
    i = i if integer[0] == "u" else i * np.array(-1, integer)
    for axis in (0, 1):
        found = check(GATHER, [X, i], gather(axis, mode=mode))
        expected = np.moveaxis(np.take(X, i, axis=axis, mode=mode), (axis, axis + 1), (0, 1))
        np.testing.assert_array_equal(found, expected)
    name = str(ty.dtype(integer))
    types = ["f32[n, 4]", f"{name}[k, 3]"]
    check(GATHER, [X, i], gather(0, mode=mode), types, {"n": 5, "k": 2})


def test_gather_over_several_axes_is_advanced_indexing() -> None:
    x = np.arange(60.0).reshape(3, 4, 5)
    i, j = np.array([[2, -3], [0, 1]]), np.array([[4, -5], [-1, 0]])
    found = check(GATHER, [x, i, j], gather(0, 2))
    np.testing.assert_array_equal(found, x[i, :, j])
    types = ["f64[n, m, k]", "i64[2, 2]", "i64[2, 2]"]
    check(GATHER, [x, i, j], gather(0, 2), types, {"n": 3, "m": 4, "k": 5})
    check(GATHER, [x, i, j], gather(2, 1, mode="clip"))
    check(GATHER, [x, np.int64(-1)], gather(1))
    check(GATHER, [x, np.zeros((0, 2), int)], gather(1))
    check(GATHER, [x, np.array([1, 0, 2])], gather(0, mode="promise"))


@pytest.mark.parametrize("types", [None, ["f32[n, 4]", "i64[k]"]])
def test_an_index_out_of_range_is_reported_and_reads_nothing(types: Any) -> None:
    i = np.array([1, 5, -6, 2**40])
    with pytest.raises(IndexError, match="index 5 is out of bounds for axis 0 with size 5"):
        GATHER.evaluate([X, i], gather(0))
    (found,), messages = run(GATHER, [X, i], gather(0), types, {"n": 5, "k": 4})
    size = 5 if types is None else "n"
    assert messages == [f"an index is out of bounds for axis 0 with size {size}"]
    np.testing.assert_array_equal(found[0], X[1])


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
def test_an_empty_axis_is_reported_at_run_time(mode: str) -> None:
    x, i = np.zeros((0, 4), np.float32), np.array([0, -1])
    with pytest.raises(IndexError):
        GATHER.evaluate([x, i], gather(0, mode=mode))
    _, messages = run(GATHER, [x, i], gather(0, mode=mode), ["f32[n, 4]", "i64[2]"], {"n": 0})
    assert len(messages) == 1
    _, messages = run(GATHER, [x, i], gather(0, mode=mode), ["f32[0, 4]", "i64[k]"], {"k": 2})
    assert len(messages) == 1
    updates = np.ones((2, 4), np.float32)
    attrs = {"axes": (0,), "combine": "add", "mode": mode}
    _, messages = run(
        SCATTER, [x, updates, i], attrs, ["f32[n, 4]", "f32[2, 4]", "i64[2]"], {"n": 0}
    )
    assert len(messages) == 1
    check(GATHER, [x, i[:0]], gather(0, mode=mode), ["f32[n, 4]", "i64[k]"], {"n": 0, "k": 0})


def test_gather_refuses() -> None:
    with pytest.raises(TypeMismatch, match="mode 'drop' is not one of raise"):
        infer(GATHER, ["f32[3]", "i64[2]"], axes=(0,), mode="drop")
    with pytest.raises(TypeMismatch, match=r"operand 1, an index, is f32.2.; expected integers"):
        infer(GATHER, ["f32[3]", "f32[2]"], **gather(0))
    with pytest.raises(
        ShapeMismatch, match=r"operand 2, an index, has shape .3.; operand 1 has .2."
    ):
        infer(GATHER, ["f32[3, 3]", "i64[2]", "i64[3]"], **gather(0, 1))
    with pytest.raises(ShapeMismatch, match="axis 1 is not an axis"):
        infer(GATHER, ["f32[3]", "i64[2]"], **gather(1))
    with pytest.raises(ShapeMismatch, match="axis 0 of operand 0, which is empty"):
        infer(GATHER, ["f32[0]", "i64[2]"], **gather(0))
    with pytest.raises(TypeMismatch, match="an index for each axis"):
        infer(GATHER, ["f32[3]"], **gather())
    assert infer(GATHER, ["f32[0, 3]", "i64[0]"], **gather(0)) == "f32[0, 3]"


# ------------------------------------------------------------------------------------ scatter


def scatter(*axes: int, combine: str = "add", mode: str = "raise") -> dict[str, Any]:
    return {"axes": axes, "combine": combine, "mode": mode}


@pytest.mark.parametrize("combine", COMBINES)
def test_scatter_is_ufunc_at(combine: str) -> None:
    i = np.array([[0, -1, 2], [2, 0, 2]])  # repeated places: the order counts
    updates = RNG.integers(-9, 9, (2, 3, 4)).astype(np.int32)
    x = X.astype(np.int32)
    expected = x.copy()
    if combine == "set":
        for s in np.ndindex(i.shape):
            expected[i[s]] = updates[s]
    else:
        names = {"add": "add", "mul": "multiply", "min": "minimum", "max": "maximum"}
        getattr(np, names[combine]).at(expected, i, updates)
    found = check(SCATTER, [x, updates, i], scatter(0, combine=combine))
    np.testing.assert_array_equal(found, expected)
    types = ["i32[n, m]", "i32[2, k, m]", "i64[2, k]"]
    check(SCATTER, [x, updates, i], scatter(0, combine=combine), types, {"n": 5, "m": 4, "k": 3})


def test_scatter_over_several_axes() -> None:
    x = np.zeros((3, 4, 2))
    i, j = np.array([0, 1, -1]), np.array([1, 0, 5])
    updates = RNG.normal(size=(3, 4))
    found = check(SCATTER, [x, updates, i, j], scatter(0, 2, mode="wrap"))
    np.testing.assert_array_equal(found.sum(), updates.sum())
    check(SCATTER, [x, updates[:, 0], i, i, i], scatter(2, 1, 0, mode="clip", combine="set"))
    check(SCATTER, [X, X[0], np.int64(2)], scatter(0))
    check(SCATTER, [np.float64(3).reshape(1), np.zeros(0), np.zeros(0, int)], scatter(0))


def test_a_scatter_out_of_range_is_reported_and_skipped() -> None:
    x, updates, i = np.zeros(4), np.ones(3), np.array([1, 4, -5])
    (found,), messages = run(SCATTER, [x, updates, i], scatter(0))
    assert messages == ["an index is out of bounds for axis 0 with size 4"]
    np.testing.assert_array_equal(found, [0, 1, 0, 0])
    with pytest.raises(IndexError):
        SCATTER.evaluate([x, updates, i], scatter(0))


def test_the_copy_is_parallel_and_the_updates_are_not() -> None:
    types = [ty.parse_type(t) for t in ("f32[n, 4]", "f32[6, 4]", "i64[6]")]
    func, _ = lowered(SCATTER, types, scatter(0))
    assert [loop.kind for loop in func.body] == ["parallel", "serial"]  # type: ignore[union-attr]


def test_scatter_refuses() -> None:
    types = ["f32[5, 4]", "f32[3, 4]", "i64[3]"]
    assert infer(SCATTER, types, **scatter(0)) == "f32[5, 4]"
    with pytest.raises(TypeMismatch, match="combine 'sub' is not one of set"):
        infer(SCATTER, types, **scatter(0, combine="sub"))
    with pytest.raises(ShapeMismatch, match="axis 1 of operand 1 has extent 4; expected 5"):
        infer(SCATTER, types, **scatter(1))
    with pytest.raises(TypeMismatch, match="operand 1 is f64, expected f32"):
        infer(SCATTER, ["f32[5, 4]", "f64[3, 4]", "i64[3]"], **scatter(0))
    with pytest.raises(ShapeMismatch, match="has 1 entries for 2 axes"):
        infer(SCATTER, ["f32[5, 4]", "f32[3]", "i64[3]"], **scatter(0))
    n = Dim.symbol("n")
    updates = TensorType(ty.F32, (n, 4))
    x, index = ty.parse_type("f32[5, 4]"), ty.parse_type("i64[m]")
    with pytest.raises(ShapeMismatch, match="extent n; expected m"):
        SCATTER.infer([x, updates, index], scatter(0))
