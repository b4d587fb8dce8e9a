"""Nested arguments and results keep their structure; static leaves stay what they are."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.trace import trace_function

X = np.arange(6.0).reshape(2, 3)
Point = namedtuple("Point", "x y")


@dataclass
class State:
    position: Any
    speed: Any
    name: str = "ball"
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    x: Any

    def __post_init__(self) -> None:
        assert self.x is not None


def test_containers(check: Any) -> None:
    def program(d: Any) -> Any:
        (a, b), p = d["pair"], d["point"]
        return {"z": a + b, "a": [p.x * 2, Point(p.y, None)], "t": (a,), "e": (), "n": None}

    check(program, {"pair": [X, 2.0], "point": Point(X, np.float32(3)), "none": None})


def test_dataclasses(check: Any) -> None:
    def step(s: State, dt: float) -> State:
        return State(s.position + dt * s.speed, s.speed, s.name, {"dt": dt})

    check(step, State(X, X * 2), 0.5)
    check(lambda c: Checked(c.x + 1), Checked(X))


def test_order_of_dicts_is_kept() -> None:
    f = graphc.jit(lambda d: {"b": d["b"], "a": d["a"]}, debug="evaluate")
    assert list(f({"b": X, "a": X})) == ["b", "a"]
    g = graphc.jit(lambda d: OrderedDict([("b", d), ("a", d)]), debug="evaluate")
    assert list(g(X)) == ["b", "a"]


def test_results_that_are_not_computed(check: Any) -> None:
    check(lambda x: (x, x, 3, 2.5, None, "text", True, np.float32(2), np.arange(3), x.shape), X)
    check(lambda x: None, X)
    check(lambda: (1, np.ones(2) * 3))


def test_parameters_are_named_by_path() -> None:
    traced = trace_function(lambda d, s: d["w"][0] + s.position, [{"w": [X]}, State(X, 1.0)])
    assert [str(p) for p in traced.parameters] == [
        "d['w'][0]: f64[2, 3]",
        "s.position: f64[2, 3]",
        "s.speed: float",
    ]


def test_static_arguments(check: Any) -> None:
    def program(x: Any, mode: str, n: int, f: Any = None) -> Any:
        return f(x) * n if mode == "twice" else [x] * n

    check(program, X, "once", 2, static_argnames="n")
    check(program, X, "twice", 2, np.sin, static_argnums=2)


def test_keyword_variadic_and_default_arguments() -> None:
    def program(x: Any, *more: Any, scale: float = 2.0, **named: Any) -> Any:
        return x * scale + sum(more) + named.get("shift", 0)

    f = graphc.jit(program, debug="evaluate")
    for args, kwargs in [
        ((X,), {}),
        ((X, X, 1.0), {}),
        ((X,), {"scale": 3.0}),
        ((X, 1), {"shift": X, "scale": np.float64(2)}),
    ]:
        np.testing.assert_allclose(f(*args, **kwargs), program(*args, **kwargs))
    f(X, scale=4.0)
    assert f.cache_info().programs == 4


def test_specs() -> None:
    traced = trace_function(
        lambda x, y: x @ y, [graphc.spec(("b", 784), "float32"), graphc.spec("f32[784, 10]")]
    )
    assert [str(p.type) for p in traced.parameters] == ["f32[b, 784]", "f32[784, 10]"]
    assert [str(r.type) for r in traced.graph.results] == ["f32[b, 10]"]
    assert str(graphc.spec(3)) == "f64[3]"
    assert str(graphc.spec("n")) == "f64[n]"
    assert graphc.spec("i32[]").shape == ()
    with pytest.raises(graphc.TypeMismatch, match="is not a dtype"):
        graphc.spec((3,), "floaty")


def test_array_likes_are_converted(check: Any) -> None:
    class Like:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return X

    got = graphc.jit(lambda x: x + 1, debug="evaluate")(Like())
    np.testing.assert_array_equal(got, X + 1)


def test_other_byte_orders() -> None:
    got = graphc.jit(lambda x: x + 1, debug="evaluate")(X.astype(">f8"))
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, X + 1)
