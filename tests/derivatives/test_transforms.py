"""grad, value_and_grad, jvp, vjp, linearize, hvp: what they answer, and how they compose."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc
from graphc.errors import ShapeMismatch, TraceError, TypeMismatch

X = np.linspace(-1.0, 2.0, 5)


def cube(x: Any) -> Any:
    return np.sum(x**3)


def test_grad_runs_outside_of_jit_and_is_compiled_once() -> None:
    gradient = graphc.grad(cube)
    np.testing.assert_allclose(gradient(X), 3 * X**2)
    np.testing.assert_allclose(gradient(2 * X), 12 * X**2)
    assert gradient.cache_info().programs == 1


def test_a_python_number_has_a_python_number_for_a_gradient() -> None:
    found = graphc.grad(lambda x: x * x)(3.0)
    assert type(found) is float and found == 6.0


def test_argnums() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.sum(x * y**2)

    np.testing.assert_allclose(graphc.grad(f, 1)(X, 2 * X), 4 * X * X)
    both = graphc.grad(f, (0, 1))(X, 2 * X)
    assert isinstance(both, tuple)
    np.testing.assert_allclose(both[0], 4 * X * X)
    np.testing.assert_allclose(graphc.grad(f, -1)(X, 2 * X), both[1])
    np.testing.assert_allclose(graphc.grad(f)(y=2 * X, x=X), both[0])


def test_value_and_grad_with_aux() -> None:
    def f(x: Any) -> Any:
        return np.sum(x * x), {"twice": 2 * x, "note": "as it is"}

    (value, rest), gradient = graphc.value_and_grad(f, has_aux=True)(X)
    assert value == np.sum(X * X) and rest["note"] == "as it is"
    np.testing.assert_allclose(rest["twice"], 2 * X)
    np.testing.assert_allclose(gradient, 2 * X)
    gradient, rest = graphc.grad(f, has_aux=True)(X)
    np.testing.assert_allclose(gradient, rest["twice"])


class Pair(NamedTuple):
    w: Any
    b: Any


@dataclasses.dataclass
class Model:
    layers: list[Pair]
    scale: Any


def test_gradients_are_nested_like_arguments() -> None:
    def loss(params: Any) -> Any:
        model = params["model"]
        h = X
        for layer in model.layers:
            h = h * layer.w + layer.b
        return np.sum(h) * model.scale + params["unused"].sum()

    params = {
        "model": Model([Pair(X, 1.0), Pair(2 * X, np.ones(5))], 2.0),
        "unused": np.ones((2, 3)),
        "nothing": None,
    }
    found = graphc.grad(loss)(params)
    assert isinstance(found["model"], Model) and isinstance(found["model"].layers[0], Pair)
    np.testing.assert_allclose(found["model"].layers[0].w, 4 * X * X)
    assert found["model"].layers[0].b == pytest.approx(np.sum(4 * X))
    assert found["nothing"] is None
    np.testing.assert_array_equal(found["unused"], np.ones((2, 3)))


def test_what_is_not_used_has_zeros() -> None:
    found = graphc.grad(lambda x, y: np.sum(x), (0, 1))(X, X)
    np.testing.assert_array_equal(found[1], np.zeros(5))


def test_they_compose() -> None:
    sine = np.sin
    second = graphc.grad(graphc.grad(lambda x: sine(x)))
    assert second(0.7) == pytest.approx(-np.sin(0.7))
    third = graphc.grad(graphc.jit(graphc.grad(graphc.jit(graphc.grad(lambda x: np.sin(x))))))
    assert third(0.7) == pytest.approx(-np.cos(0.7))
    np.testing.assert_allclose(graphc.jit(graphc.grad(cube))(X), 3 * X**2)
    np.testing.assert_allclose(graphc.grad(graphc.jit(cube))(X), 3 * X**2)


def test_a_value_of_the_closure_is_another_than_the_argument() -> None:
    """Perturbation confusion: the inner derivative is by y alone."""
    found = graphc.grad(lambda x: x * graphc.grad(lambda y: x + y)(x))(5.0)
    assert found == 1.0
    mixed = graphc.grad(lambda x: graphc.grad(lambda y: x * y * y)(x))(3.0)
    assert mixed == 12.0
    forward = graphc.grad(lambda x: graphc.jvp(lambda y: x * y, (x,), (1.0,))[1])(3.0)
    assert forward == 1.0


def test_static_arguments_of_a_jitted_function_stay_static() -> None:
    @graphc.jit(static_argnames="n")
    def power(x: Any, n: int) -> Any:
        for _ in range(n):
            x = x * x
        return np.sum(x)

    np.testing.assert_allclose(graphc.grad(power)(X, n=2), 4 * X**3)


def test_options_of_a_jitted_function_hold_for_its_derivative() -> None:
    @graphc.jit(debug="nan", precision="direct")
    def root(x: Any) -> Any:
        return np.sqrt(x)

    with pytest.raises(graphc.NonFiniteError):
        graphc.grad(root)(0.0)
    assert graphc.grad(root).__dict__["_front"].options["precision"] == "direct"


def test_symbolic_extents() -> None:
    @graphc.jit(dims={"x": ("n",)})
    def loss(x: Any) -> Any:
        return np.mean(np.tanh(x[1:]) * x[:-1])

    gradient = graphc.grad(loss)
    for n in (2, 5, 9):
        x = np.linspace(-1, 1, n)
        graphc.check_grads(lambda x: np.mean(np.tanh(x[1:]) * x[:-1]), (x,), order=1)
        plain = graphc.grad(lambda x: np.mean(np.tanh(x[1:]) * x[:-1]))(x)
        np.testing.assert_allclose(gradient(x), plain, rtol=1e-12)
    assert gradient.cache_info().programs == 1


def f(x: Any, y: Any) -> Any:
    return {"product": np.sin(x) * y, "sum": np.sum(x + y)}


def test_jvp() -> None:
    y = np.arange(5.0)
    value, tangent = graphc.jvp(f, (X, y), (np.ones(5), np.zeros(5)))
    np.testing.assert_allclose(value["product"], np.sin(X) * y)
    np.testing.assert_allclose(tangent["product"], np.cos(X) * y)
    assert tangent["sum"] == pytest.approx(5)


def test_jvp_with_aux() -> None:
    value, tangent, rest = graphc.jvp(lambda x: (x * x, x + 1), (X,), (X,), has_aux=True)
    np.testing.assert_allclose(tangent, 2 * X * X)
    np.testing.assert_allclose(rest, X + 1)
    np.testing.assert_allclose(value, X * X)


@pytest.mark.parametrize("inside", [False, True])
def test_vjp(inside: bool) -> None:
    y = np.arange(5.0)

    def run(x: Any, y: Any) -> Any:
        value, pull = graphc.vjp(f, x, y)
        return value, pull({"product": np.ones(5), "sum": 2.0}), pull({"product": x, "sum": 0.0})

    value, first, second = (graphc.jit(run) if inside else run)(X, y)
    np.testing.assert_allclose(value["product"], np.sin(X) * y)
    np.testing.assert_allclose(first[0], np.cos(X) * y + 2)
    np.testing.assert_allclose(first[1], np.sin(X) + 2)
    np.testing.assert_allclose(second[1], np.sin(X) * X)


def test_a_pullback_made_outside_is_called_inside() -> None:
    _, pull = graphc.vjp(lambda x: x**2, X)
    np.testing.assert_allclose(graphc.jit(lambda g: pull(2 * g)[0])(X), 4 * X * X)


def test_vjp_remembers_what_movements_made_larger_as_it_was() -> None:
    """The pullback of x * b, b broadcast, keeps x and the small b."""
    from graphc.transforms import products

    program = products._vjp_program(lambda x, b: x * b, False)
    traced = graphc.jit(program).trace((np.ones((50, 5)), np.ones(5)))
    kept = [r for r in traced.graph.results[1:]]
    assert sorted(v.shape for v in kept) == [(5,), (50, 5)]


@pytest.mark.parametrize("inside", [False, True])
def test_linearize(inside: bool) -> None:
    def run(x: Any) -> Any:
        value, push = graphc.linearize(lambda x: np.exp(x) * x, x)
        return value, push(np.ones(5)), push(x)

    value, first, second = (graphc.jit(run) if inside else run)(X)
    np.testing.assert_allclose(value, np.exp(X) * X)
    np.testing.assert_allclose(first, np.exp(X) * (X + 1))
    np.testing.assert_allclose(second, np.exp(X) * (X + 1) * X)


def test_hvp() -> None:
    (found,) = graphc.hvp(cube, (X,), (2 * X,))
    np.testing.assert_allclose(found, 12 * X * X)


def test_stop_gradient() -> None:
    found = graphc.grad(lambda x: np.sum(x * graphc.stop_gradient({"x": x})["x"]))(X)
    np.testing.assert_allclose(found, X)
    assert graphc.stop_gradient(3.0) == 3.0


def test_complex_gradients_are_conjugated_as_in_jax() -> None:
    """d/dx - i d/dy: of |z|², 2 conj(z)."""
    z = np.array([1 + 2j, -0.5 + 1j])
    found = graphc.grad(lambda z: np.sum(np.abs(z) ** 2))(z)
    np.testing.assert_allclose(found, 2 * np.conj(z))
    np.testing.assert_allclose(graphc.grad(lambda z: np.sum((z * z).real))(z), 2 * z)
    np.testing.assert_allclose(graphc.grad(lambda z: np.sum(z.imag))(z), [-1j, -1j])


def test_holomorphic() -> None:
    derivative = graphc.grad(lambda z: np.exp(z) * z, holomorphic=True)
    z = 0.3 - 1.2j
    assert derivative(z) == pytest.approx(np.exp(z) * (z + 1))


def test_ties_share() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0])
    np.testing.assert_allclose(graphc.grad(lambda x: np.max(x))(x), [0, 0.5, 0.5, 0])
    assert graphc.grad(lambda x: np.maximum(x, 0.0))(0.0) == 0.5
    assert graphc.grad(lambda x: np.abs(x))(0.0) == 0.0


def test_no_nan_at_the_edge() -> None:
    assert graphc.grad(lambda x: x**2)(0.0) == 0.0
    assert graphc.grad(graphc.grad(lambda x: x**2))(0.0) == 2.0
    assert graphc.grad(lambda x, y: x**y, 1)(0.0, 2.0) == 0.0
    assert graphc.grad(lambda x, y: x**y, 0)(0.0, 0.0) == 0.0
    assert graphc.grad(lambda x: np.hypot(x, 0.0))(0.0) == 0.0
    x = np.array([-np.inf, -np.inf])
    assert np.isfinite(graphc.grad(lambda x: np.logaddexp(x[0], 0.0))(x)).all()
    assert (graphc.grad(lambda x: np.prod(x))(np.array([0.0, 2.0, 3.0])) == [6, 0, 0]).all()


def test_check_grads_finds_a_wrong_derivative() -> None:
    graphc.check_grads(lambda x, y: np.sum(np.sin(x) * y), (X, X), order=3)

    @graphc.custom_jvp
    def wrong(x: Any) -> Any:
        return x * x

    wrong.defjvp(lambda p, t: (p[0] ** 2, 3 * p[0] * t[0]))
    for mode in ("fwd", "rev"):
        with pytest.raises(AssertionError, match=f"check_grads: {mode} is not"):
            graphc.check_grads(lambda x: wrong(x), (X,), order=1, modes=mode)
    with pytest.raises(ValueError, match="not 'fwd' or 'rev'"):
        graphc.check_grads(cube, (X,), modes="both")


def test_check_grads_of_narrow_and_complex_numbers() -> None:
    graphc.check_grads(lambda x: np.sin(x) * x, (X.astype(np.float32),))
    graphc.check_grads(lambda z: np.abs(z) * np.exp(z), (X + 1j,))


# ------------------------------------------------------------------------------------------ errors


def line_of(error: BaseException) -> str:
    return f"{error} {getattr(error, '__notes__', [])}"


def test_a_result_that_is_no_number_is_refused() -> None:
    with pytest.raises(TraceError, match=r"returns f64\[5\]\. Return its sum or mean") as found:
        graphc.grad(lambda x: x * 2)(X)
    assert "test_transforms.py" in line_of(found.value)
    with pytest.raises(TraceError, match="returns a dict"):
        graphc.grad(lambda x: {"loss": np.sum(x)})(X)
    with pytest.raises(TraceError, match="has to return a pair"):
        graphc.grad(lambda x: np.sum(x), has_aux=True)(X)
    with pytest.raises(TypeMismatch, match="return a float"):
        graphc.grad(lambda x: 3)(X)
    with pytest.raises(TypeMismatch, match="holomorphic=True"):
        graphc.grad(lambda x: x * 1j)(1.0)
    with pytest.raises(TypeMismatch, match="a complex number here"):
        graphc.grad(lambda z: np.abs(z), holomorphic=True)(1j)


def test_arguments_that_are_no_floats_are_refused() -> None:
    with pytest.raises(TypeMismatch, match=r"x is i64\[3\].*x\.astype\(float\)"):
        graphc.grad(cube)(np.arange(3))
    with pytest.raises(TypeMismatch, match="write it with a decimal point"):
        graphc.grad(lambda x: x * x)(3)
    with pytest.raises(TypeMismatch, match=r"params\['n'\]"):
        graphc.grad(lambda params: np.sum(params["w"]) * params["n"])({"w": X, "n": 3})
    with pytest.raises(TypeMismatch, match="is by complex arguments"):
        graphc.grad(lambda x: x * x, holomorphic=True)(3.0)
    with pytest.raises(TraceError, match="names argument 2"):
        graphc.grad(cube, 2)(X)
    with pytest.raises(TraceError, match="twice"):
        graphc.grad(lambda x, y: x * y, (0, -2))(1.0, 2.0)
    with pytest.raises(TypeError, match="takes a function"):
        graphc.grad(3)  # type: ignore[arg-type]


def test_an_op_without_a_derivative_names_itself_and_the_line() -> None:
    def loss(x: Any) -> Any:
        return np.sum(np.nextafter(x, 1.0))

    with pytest.raises(TraceError, match=r"nextafter has no derivative.*test_transforms.py"):
        graphc.grad(loss)(X)
    with pytest.raises(TraceError, match="nextafter has no derivative"):
        graphc.jvp(loss, (X,), (X,))
    found = graphc.grad(lambda x: np.sum(np.nextafter(graphc.stop_gradient(x), 1.0) * x))(X)
    np.testing.assert_allclose(found, X)


def test_a_value_that_escapes_is_refused() -> None:
    kept: list[Any] = []

    def loss(x: Any) -> Any:
        kept.append(x * 2)
        return np.sum(x)

    def outer(x: Any) -> Any:
        graphc.grad(loss)(x)
        return kept[-1]

    with pytest.raises(TraceError, match="outside of it"):
        graphc.jit(outer)(X)


def test_arguments_are_not_changed_in_place() -> None:
    def loss(x: Any) -> Any:
        x[0] = 0.0
        return np.sum(x)

    with pytest.raises(TraceError, match=r"x = x\.copy\(\)"):
        graphc.grad(loss)(X)

    def copied(x: Any) -> Any:
        x = x.copy()
        x[0] = 0.0
        return np.sum(x * x)

    np.testing.assert_allclose(graphc.grad(copied)(X), [0, *(2 * X[1:])])


def test_tangents_and_cotangents_have_to_fit() -> None:
    with pytest.raises(ShapeMismatch, match="the tangent of x is"):
        graphc.jvp(cube, (X,), (np.ones(3),))
    with pytest.raises(ShapeMismatch, match="structure"):
        graphc.jvp(f, (X, X), (X, (X, X)))
    _, pull = graphc.vjp(f, X, X)
    with pytest.raises(ShapeMismatch):
        pull(X)
    with pytest.raises(ShapeMismatch):
        pull({"product": np.ones(4), "sum": 1.0})
