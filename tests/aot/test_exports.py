"""Exports: derivatives and batches under names of C, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.aot.build import argument_of, export, kinds
from graphc.aot.exports import TRANSFORMS, source
from graphc.aot.library import Function
from graphc.aot.signature import c_name, is_identifier
from graphc.errors import BuildError
from graphc.evaluate import evaluate

N, B = 5, 3


def loss(w: Any, x: Any, y: Any) -> Any:
    """Mean squared error."""
    return np.mean((x @ w - y) ** 2)


TYPES = {"w": "f64[n]", "x": "f64[b, n]", "y": "f64[b]"}


def numbers(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=N), rng.normal(size=(B, N)), rng.normal(size=B)


def made(kind: str, **options: Any) -> Function:
    return export(loss, kind=kind, **{**TYPES, **options}).made()


def run(function: Function, *arrays: Any) -> list[np.ndarray]:
    return evaluate(function.traced.graph, [np.asarray(a) for a in arrays])


def test_value() -> None:
    w, x, y = numbers()
    function = made("value")
    assert function.signature.name == "loss"
    assert function.signature.doc == "Mean squared error."
    np.testing.assert_allclose(run(function, w, x, y)[0], loss(w, x, y))


@pytest.mark.parametrize("kind", ["grad", "value_and_grad"])
def test_gradient_by_the_first_argument(kind: str) -> None:
    w, x, y = numbers()
    *value, gradient = run(made(kind), w, x, y)
    np.testing.assert_allclose(gradient, graphc.grad(loss)(w, x, y))
    if value:
        np.testing.assert_allclose(value[0], loss(w, x, y))


def test_gradient_by_several_arguments() -> None:
    w, x, y = numbers()
    function = made("grad", wrt=("w", "y"))
    assert [o.name for o in function.signature.outputs] == ["result_0", "result_1"]
    for got, wanted in zip(run(function, w, x, y), graphc.grad(loss, (0, 2))(w, x, y), strict=True):
        np.testing.assert_allclose(got, wanted)


def test_jvp_and_hvp_take_tangents() -> None:
    w, x, y = numbers()
    t = np.arange(1.0, N + 1)
    function = made("jvp")
    assert [a.name for a in function.signature.arguments] == ["w", "x", "y", "w_tangent"]
    value, moved = run(function, w, x, y, t)
    np.testing.assert_allclose(value, loss(w, x, y))
    np.testing.assert_allclose(moved, graphc.grad(loss)(w, x, y) @ t)
    (product,) = run(made("hvp"), w, x, y, t)
    np.testing.assert_allclose(product, 2 / B * x.T @ (x @ t))


def test_vjp_takes_a_cotangent() -> None:
    w, x, y = numbers()
    function = made("vjp")
    assert function.signature.arguments[-1].name == "cotangent"
    value, pulled = run(function, w, x, y, 3.0)
    np.testing.assert_allclose(value, loss(w, x, y))
    np.testing.assert_allclose(pulled, 3 * graphc.grad(loss)(w, x, y))


def test_vmap_adds_rows_to_every_argument() -> None:
    rows = [numbers(seed) for seed in range(4)]
    function = made("vmap")
    assert "batch" in function.signature.symbols
    (got,) = run(function, *(np.stack(a) for a in zip(*rows, strict=True)))
    np.testing.assert_allclose(got, [loss(*row) for row in rows])


def test_one_inside_another() -> None:
    rows = [numbers(seed) for seed in range(4)]
    function = made("vmap(grad)")
    assert function.signature.name == "loss_vmap_grad"
    (got,) = run(function, *(np.stack(a) for a in zip(*rows, strict=True)))
    np.testing.assert_allclose(got, np.stack([graphc.grad(loss)(*row) for row in rows]))


def test_the_place_of_a_derivative_is_that_of_its_function() -> None:
    line = loss.__code__.co_firstlineno
    for kind in TRANSFORMS:
        assert made(kind).signature.where == f"test_exports.py:{line}"


def step(state: Any, x: Any, rate: Any) -> Any:
    w = state["w"] - rate * state["m"]
    return {"w": w, "m": state["m"] * 0.5}, (x @ w).sum()


def test_donated_arguments_are_in_and_out() -> None:
    types = {"state": {"w": "f32[4]", "m": "f32[4]"}, "x": "f32[b, 4]", "rate": "float"}
    signature = export(step, donate="state", types=types).made().signature
    assert [(a.name, a.inout) for a in signature.arguments] == [
        ("state_m", True), ("state_w", True), ("x", False), ("rate", False)
    ]  # fmt: skip
    assert [o.alias for o in signature.outputs] == [0, 1, -1]
    assert [o.name for o in signature.written] == ["result_1"]


def test_a_jitted_function_keeps_its_options() -> None:
    @graphc.jit(donate="state", static_argnames="power")
    def move(state: Any, power: int) -> Any:
        return state**power

    signature = export(move, state="f32[n]", static={"power": 3}).made().signature
    assert signature.arguments[0].inout and signature.outputs[0].alias == 0


def test_types_of_arrays_and_texts() -> None:
    given = argument_of({"a": np.zeros((2, 3), np.float32), "b": ["i32[n]", "float"]})
    assert str(given["a"]) == "f32[2, 3]"
    assert (str(given["b"][0]), given["b"][1]) == ("i32[n]", 1.0)


@pytest.mark.parametrize(
    ("path", "name"),
    [("x", "x"), ("params['w'][0]", "params_w_0"), ("state.m", "state_m"), ("['0']", "x0"),
     ("größe", "gr_e")],
)  # fmt: skip
def test_names_of_c(path: str, name: str) -> None:
    assert c_name(path) == name
    assert is_identifier(name)


def test_names_that_collide_are_told_apart() -> None:
    def f(int: Any, b: Any, a: Any) -> Any:
        return int + b[0], a["x_1"] + a["x"][1]

    types = {"int": "f32[]", "b": "f32[b]", "a": {"x": ["f32[]", "f32[]"], "x_1": "f32[]"}}
    names = [a.name for a in export(f, types=types).made().signature.arguments]
    assert len(set(names)) == len(names)
    assert "int" not in names and "b" not in names, "words of C, and the extent b, are taken"


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: export(loss, w="f64[n]"), "needs a type for x, y"),
    (lambda: export(loss, **TYPES, z="f64[]"), "has no argument 'z'"),
    (lambda: export(loss, **TYPES, static={"z": 1}), "has no argument 'z'"),
    (lambda: export(loss, kind="gradient", **TYPES), "there is no export 'gradient'"),
    (lambda: export(loss, kind="grad", wrt="q", **TYPES), "wrt names 'q'"),
    (lambda: export(loss, name="a b", **TYPES).made(), "no name for a C function"),
    (
        lambda: export(lambda y, x: y.sum() + x, name="f", y="f64[2*b]", x="f64[b]").made(),
        "extent 2*b",
    ),
    (lambda: export(loss, w="f64[int]", x="f64[b, int]", y="f64[b]").made(), "a word of C"),
    (lambda: kinds("vmap(gard)"), "there is no export 'gard'"),
    (lambda: source(loss, {}), "needs a type for w, x, y"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_is_refused(number: int) -> None:
    call, message = REFUSED[number]
    with pytest.raises(BuildError) as error:
        call()
    assert message in str(error.value)
