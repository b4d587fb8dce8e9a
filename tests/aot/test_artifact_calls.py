"""Calls of an artifact's functions, by graphc_runtime alone: values, types, wrong calls."""

from __future__ import annotations

import inspect
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from graphc_runtime.artifact import open_artifact
from graphc_runtime.errors import ShapeMismatch, TypeMismatch

from . import built
from .built import Point, State

RNG = np.random.default_rng(3)


@pytest.fixture(params=["embed", "file"])
def functions(request: pytest.FixtureRequest) -> Any:
    return open_artifact(built.folder(request.param)).functions


@pytest.fixture(name="f")
def _embedded() -> Any:
    return open_artifact(built.folder()).functions


def f32(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("batch", [0, 1, 2, 7, 64])
def test_any_batch(functions: Any, batch: int) -> None:
    x, w, b = f32(batch, 6), f32(6, 4), f32(4)
    np.testing.assert_allclose(
        functions["layer"](x, w, b), np.tanh(x @ w + b), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(functions["wide"](x), x @ built.W, rtol=1e-4, atol=1e-5)


def test_nested_arguments_and_results(f: Any) -> None:
    n = 5
    w0, x, y, p, a, b, c = (f32(n) for _ in range(7))
    s = f32(2)
    result, speed = f["nested"](
        {"s": State(p, s), "w": [w0, Point(x, y)]}, (a, [b, c])
    )  # the order of a dict's keys means nothing
    assert list(result) == ["z", "a", "none"] and result["none"] is None
    np.testing.assert_allclose(result["z"], w0 * a + x - y, rtol=1e-5, atol=1e-6)
    assert type(result["a"]) is list and type(result["a"][1]) is tuple
    np.testing.assert_array_equal(result["a"][0], b + 1)
    np.testing.assert_array_equal(result["a"][1][0], c * 2)
    np.testing.assert_array_equal(speed, p)


def test_python_numbers(f: Any) -> None:
    x = RNG.normal(size=4)
    scaled, total, plain = f["numbers"](x, 2.0, 3, True, 1j)
    np.testing.assert_array_equal(scaled, x * 2)
    assert type(plain) is np.float64 and type(total) is np.complex128
    np.testing.assert_allclose(total, (x * 1j).sum())
    added = f["numbers"](x, 2, np.int32(3), np.False_, 2)[0]
    np.testing.assert_array_equal(added, x + 3)


@pytest.mark.parametrize(
    "wrong",
    [("2", 3, True, 1j), (2.0, 3.0, True, 1j), (2.0, 3, 1, 1j), (2.0, True, True, 1j),
     (2.0, 2**63, True, 1j), (2.0, 3, True, "1j"), (1 << 2000, 3, True, 1j)],
)  # fmt: skip
def test_other_python_numbers(f: Any, wrong: tuple[Any, ...]) -> None:
    with pytest.raises(TypeMismatch, match=r"expected a Python (float|int|bool|complex)"):
        f["numbers"](np.zeros(2), *wrong)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_every_dtype(f: Any, n: int) -> None:
    arrays = {}
    for name in built.DTYPES:
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bf16" else np.dtype(_numpy(name)))
        arrays[name] = RNG.integers(0, 2, n).astype(dtype)
    found = f["identity"](arrays)
    assert list(found) == list(built.DTYPES)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].tobytes() == array.tobytes(), name


def _numpy(name: str) -> str:
    bits = int(name[1:]) if name != "bool" else 8
    return "bool" if name == "bool" else f"{name[0]}{bits // 8}"


def test_static_values_and_python_results(f: Any) -> None:
    x = np.arange(3.0)
    text, number, doubled = f["labelled"](x)
    assert (text, number) == ("label", 3)
    np.testing.assert_array_equal(doubled, x * 2)
    found = f["weak"](x, 1.5)[0]
    assert found == 3.0 and type(found) is float


def test_parameters_are_written_over(f: Any) -> None:
    w, x = f32(3), f32(4, 3)
    expected = w - np.float32(0.5) * x.sum(axis=0)
    params, norm = f["step"]({"w": w}, x, 0.5)
    assert params["w"] is w
    np.testing.assert_allclose(w, expected, rtol=1e-5)
    np.testing.assert_allclose(norm, (expected**2).sum(), rtol=1e-5)
    for _ in range(3):  # the state goes round
        params, norm = f["step"](params, x, np.float32(0.1))
    assert params["w"] is w


def test_what_cannot_be_written_over_is_copied(f: Any) -> None:
    x = f32(4, 3)
    frozen = f32(3)
    frozen.flags.writeable = False
    before = frozen.copy()
    params, _ = f["step"]({"w": frozen}, x, 0.5)
    np.testing.assert_array_equal(frozen, before)
    np.testing.assert_allclose(params["w"], before - np.float32(0.5) * x.sum(axis=0), rtol=1e-5)
    shared = x[0]
    params, _ = f["step"]({"w": shared}, x, 0.5)
    assert params["w"] is not shared


def test_other_layouts_are_copied(f: Any) -> None:
    x, w, b = f32(6, 9).T, f32(6, 8)[:, ::2], f32(4)[::-1]
    np.testing.assert_allclose(f["layer"](x, w, b), np.tanh(x @ w + b), rtol=1e-5, atol=1e-6)
    bytes_ = np.zeros(6 * 4 + 1, np.uint8)[1:].view(np.float32)[None]
    np.testing.assert_allclose(
        f["layer"](bytes_, w, b), np.tanh(bytes_ @ w + b), rtol=1e-5, atol=1e-6
    )


def test_arrays_of_other_classes(f: Any, tmp_path: Any) -> None:
    x = f32(3, 6)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
    mapped[:] = x
    w, b = f32(6, 4), f32(4)
    np.testing.assert_array_equal(f["layer"](mapped, w, b), f["layer"](x, w, b))

    class Holder:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return x

    np.testing.assert_array_equal(f["layer"](Holder(), w, b), f["layer"](x, w, b))


def test_keywords(f: Any) -> None:
    x, w, b = f32(3, 6), f32(6, 4), f32(4)
    expected = f["layer"](x, w, b)
    np.testing.assert_array_equal(f["layer"](x, b=b, w=w), expected)
    for wrong in ({"x": x}, {"x": x, "w": w, "b": b, "c": b}):
        with pytest.raises(TypeError, match=r"layer\(\) (lacks|has no)"):
            f["layer"](**wrong)
    with pytest.raises(TypeError, match="two values"):
        f["layer"](x, w, b, b=b)
    with pytest.raises(TypeError, match="takes 3 arguments"):
        f["layer"](x, w, b, b)


def test_errors_name_the_argument(f: Any) -> None:
    x, w, b = f32(3, 6), f32(6, 4), f32(4)
    cases: list[tuple[tuple[Any, ...], type[Exception], str]] = [
        ((x.astype(np.float64), w, b), TypeMismatch, r"x is float64\[3, 6\]; expected f32\[b, 6\]"),
        ((x.astype(">f4"), w, b), TypeMismatch, r"expected f32\[b, 6\]"),
        ((x[:, :5], w, b), ShapeMismatch, r"x is float32\[3, 5\]; expected f32\[b, 6\]"),
        ((x[0], w, b), ShapeMismatch, r"x is float32\[6\]"),
        ((x, w, None), TypeMismatch, r"b is a NoneType; expected f32\[4\]"),
        ((x, w, [1.0]), TypeMismatch, r"b is a list; expected f32\[4\]"),
        ((x, w, 1.0), TypeMismatch, r"b is the Python number 1.0"),
        ((x, w, "text"), TypeMismatch, r"b is a str"),
        ((np.ma.masked_array(x), w, b), TypeMismatch, "MaskedArray"),
        ((np.array([None]), w, b), TypeMismatch, r"x is object\[1\]"),
    ]
    for arguments, kind, text in cases:
        with pytest.raises(kind, match=text):
            f["layer"](*arguments)
    with pytest.raises(ShapeMismatch, match=r"n is 3 by axis 0 of params\['s'\].position"):
        f["nested"]({"w": [f32(3), Point(f32(3), f32(4))], "s": State(f32(3), f32(2))},
                    (f32(3), [f32(3), f32(3)]))  # fmt: skip


@pytest.mark.parametrize(
    ("params", "batch", "text"),
    [
        ({}, None, "params is a dict of"),
        (None, None, "params is None; expected a dict"),
        ({"w": [0], "s": 0}, None, r"params\['w'\] is a list of 1; expected a list of 2"),
        ({"w": (0, 0), "s": 0}, None, r"params\['w'\] is a tuple of 2; expected a list"),
        ({"w": [0, Point(0, 0)], "s": 0}, None, "has no attribute position"),
        ({"w": [0, Point(0, 0)], "s": State(0, 0)}, 5, "batch is a int; expected a tuple of 2"),
    ],
)
def test_other_structures(f: Any, params: Any, batch: Any, text: str) -> None:
    with pytest.raises(TypeMismatch, match=text):
        f["nested"](params, batch)


def test_extents_that_a_program_needs(f: Any) -> None:
    np.testing.assert_array_equal(f["shifted"](np.arange(5.0)), [2.0, 2.0, 2.0])
    assert f["shifted"](np.zeros(2)).shape == (0,)
    with pytest.raises(ShapeMismatch, match=r"shifted needs .* >= 0"):
        f["shifted"](np.zeros(1))


def test_errors_of_programs(f: Any) -> None:
    np.testing.assert_array_equal(f["taken"](np.arange(5.0), np.array([4, -1])), [4.0, 4.0])
    with pytest.raises(IndexError, match="index"):
        f["taken"](np.arange(5.0), np.array([5]))


def test_functions_describe_themselves(f: Any) -> None:
    layer = f["layer"]
    assert layer.__name__ == "layer" and list(inspect.signature(layer).parameters) == [
        "x",
        "w",
        "b",
    ]
    assert layer.__doc__.startswith("One layer: tanh of a product and a bias.")
    assert "x: f32[b, 6]" in layer.__doc__ and "for any b" in layer.__doc__
    assert "written over" in f["step"].__doc__
    assert "layer of" in repr(layer)
