"""The contraction: every arrangement of axes, every dtype, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.ops.contraction import DOT
from graphc.types import DTYPES, TensorType

from .standin import check, check_samples, draw

RNG = np.random.default_rng(13)


def attrs(a: Any = (), b: Any = (), batch_a: Any = (), batch_b: Any = ()) -> dict[str, Any]:
    return {"contract": (a, b), "batch": (batch_a, batch_b)}


def test_samples() -> None:
    check_samples(DOT)


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype(name: str) -> None:
    dtype = DTYPES[name]
    a, b = (draw(RNG, TensorType(dtype, s), -9.0, 9.0) for s in ((3, 4), (4, 2)))
    rtol = 0.0 if dtype.kind not in "fc" else 1e-2 if dtype.bits == 16 else 1e-4
    found = check(DOT, [a, b], attrs((1,), (0,)), rtol=rtol)
    expected = np.matmul(
        *(x.astype(np.float32) if dtype.bits == 16 and rtol else x for x in (a, b))
    )
    np.testing.assert_allclose(found.astype(expected.dtype), expected, rtol=max(rtol, 1e-6))


@pytest.mark.parametrize(
    "a, b, where, einsum",
    [
        ("f64[3]", "f64[3]", attrs((0,), (0,)), "i,i->"),
        ("f64[3]", "f64[2]", attrs(), "i,j->ij"),
        ("f64[2, 3]", "f64[3]", attrs((1,), (0,)), "ij,j->i"),
        ("f64[2, 3, 4]", "f64[4, 3, 5]", attrs((2, 1), (0, 1)), "ijk,kjl->il"),
        ("f64[2, 3, 4]", "f64[5, 4, 2]", attrs((2,), (1,), (0,), (2,)), "bik,jkb->bij"),
        ("f64[2, 3]", "f64[3, 2]", attrs((), (), (0, 1), (1, 0)), "ij,ji->ij"),
        ("f64[2, 0]", "f64[0, 3]", attrs((1,), (0,)), "ij,jk->ik"),
        ("f64[0, 2]", "f64[2, 3]", attrs((1,), (0,)), "ij,jk->ik"),
        ("f64[]", "f64[2]", attrs(), ",i->i"),
    ],
)
def test_arrangements(a: str, b: str, where: dict[str, Any], einsum: str) -> None:
    x, y = (draw(RNG, ty.parse_type(t)) for t in (a, b))
    found = check(DOT, [x, y], where, rtol=1e-12)
    np.testing.assert_allclose(found, np.einsum(einsum, x, y), rtol=1e-12, atol=1e-12)


def test_symbolic_extents() -> None:
    x, y = (draw(RNG, ty.parse_type(t)) for t in ("f32[2, 3, 4]", "f32[2, 4, 5]"))
    types = ["f32[b, n, k]", "f32[b, k, 5]"]
    check(DOT, [x, y], attrs((2,), (1,), (0,), (0,)), types, {"b": 2, "n": 3, "k": 4}, 1e-5)
    check(
        DOT, [x[:, :, :0], y[:, :0]], attrs((2,), (1,), (0,), (0,)), types, {"b": 2, "n": 3, "k": 0}
    )


def test_halves_accumulate_in_f32_and_integers_wrap() -> None:
    ones = np.ones(4096, np.float16)
    assert check(DOT, [ones, ones], attrs((0,), (0,))) == 4096
    assert check(DOT, [np.array([100, 100], np.int8)] * 2, attrs((0,), (0,))) == 32


@pytest.mark.parametrize(
    "a, b, result",
    [
        ("i8", "i8", "i32"), ("u8", "i8", "i32"), ("i8", "u8", "i16"), ("u8", "u8", "u32"),
        ("i32", "i32", "i64"), ("f16", "f16", "f32"), ("bf16", "bf16", "f32"),
        ("f16", "f16", "f16"), ("f32", "f32", "f64"), ("c64", "c64", "c128"),
    ],
)  # fmt: skip
def test_products_in_a_wider_dtype(a: str, b: str, result: str) -> None:
    wider = DTYPES[result]
    x = draw(RNG, TensorType(DTYPES[a], (2, 3, 40)), -120.0, 120.0)
    y = draw(RNG, TensorType(DTYPES[b], (2, 40, 5)), -120.0, 120.0)
    where = {**attrs((2,), (1,), (0,), (0,)), "dtype": wider}
    rtol = {"f16": 2e-3, "f32": 1e-4, "f64": 1e-12, "c128": 1e-12}.get(result, 0.0)
    wide = np.float32 if result == "f16" else wider.numpy
    expected = x.astype(wide) @ y.astype(wide)
    found = check(DOT, [x, y], where, rtol=rtol)
    assert found.dtype == wider.numpy
    np.testing.assert_allclose(found.astype(wide), expected, rtol=rtol, atol=1e3 * rtol)
    empty = check(DOT, [x[:, :, :0], y[:, :0]], where)
    assert empty.dtype == wider.numpy and not empty.astype(wide).any()


@pytest.mark.parametrize(
    "a, b, result",
    [
        ("i8", "u8", None), ("i8", "i8", "u32"), ("u8", "i8", "u16"), ("i8", "i8", "f32"),
        ("i8", "i16", "i32"), ("f16", "bf16", "f32"), ("f32", "f32", "f16"), ("f16", "f16", "bf16"),
        ("c64", "c64", "f64"), ("bool", "bool", "i32"), ("f32", "f32", "c64"),
    ],
)  # fmt: skip
def test_products_that_no_dtype_can_answer(a: str, b: str, result: str | None) -> None:
    where = {**attrs((0,), (0,)), **({"dtype": DTYPES[result]} if result else {})}
    with pytest.raises(TypeMismatch, match="operand"):
        DOT.infer([TensorType(DTYPES[t], (2,)) for t in (a, b)], where)


def test_dot_refuses() -> None:
    def infer(a: str, b: str, where: dict[str, Any]) -> Any:
        return DOT.infer([ty.parse_type(a), ty.parse_type(b)], where)

    assert str(infer("f32[b, 3]", "f32[3, 2]", attrs((1,), (0,)))) == "f32[b, 2]"
    with pytest.raises(ShapeMismatch, match="contract axis 1 of operand 0 has extent n; axis 0 of"):
        infer("f32[2, n]", "f32[3, 2]", attrs((1,), (0,)))
    with pytest.raises(ShapeMismatch, match=r"batch axis 0 of operand 0 has extent 2; .* has 3"):
        infer("f32[2, 4]", "f32[3, 4]", attrs((1,), (1,), (0,), (0,)))
    with pytest.raises(TypeMismatch, match="operand 1 is f64, expected f32"):
        infer("f32[2]", "f64[2]", attrs((0,), (0,)))
    with pytest.raises(ShapeMismatch, match="operand 1 is named twice"):
        infer("f32[2]", "f32[2]", attrs((0,), (0,), (), (0,)))
    with pytest.raises(ShapeMismatch, match="contract names axes"):
        infer("f32[2]", "f32[2]", attrs((0,), ()))
