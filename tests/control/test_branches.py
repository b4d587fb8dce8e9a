"""cond and switch against the evaluator and against Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ShapeMismatch, TypeMismatch
from tests.control.agreement import agree

RNG = np.random.default_rng(6)


@pytest.mark.parametrize("x", [-1.0, 0.0, 2.0])
def test_one_of_two(x: float) -> None:
    def f(x: Any, y: Any) -> Any:
        return graphc.cond(x > 0, lambda y: (y * x, x), lambda y: (y - 1, -x), y)

    agree(f, x, RNG.normal(size=4))


@pytest.mark.parametrize("index", [-5, 0, 1, 2, 3, 9])
def test_one_of_several(index: int) -> None:
    def f(i: Any, x: Any, y: Any) -> Any:
        branches = [lambda x: x, lambda x: x @ y, lambda x: np.ones_like(x) * i, lambda x: -x]
        return graphc.switch(i, branches, x)

    agree(f, index, RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3)))
    agree(f, np.int32(index), RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3)))


def test_the_other_branch_is_not_run() -> None:
    def f(i: Any, x: Any) -> Any:
        return graphc.cond(i < 3, lambda: x[i], lambda: 0.0)

    x = RNG.normal(size=3)
    compiled = graphc.jit(f)
    assert compiled(2, x) == x[2]
    assert compiled(10, x) == 0.0  # x[10] would be an IndexError


def test_errors_of_a_branch_are_raised() -> None:
    def f(i: Any, x: Any) -> Any:
        return graphc.cond(i < 9, lambda: x[i], lambda: 0.0)

    with pytest.raises(IndexError):
        graphc.jit(f)(5, RNG.normal(size=3))


def test_what_is_known_decides_while_tracing() -> None:
    def f(x: Any) -> Any:
        return graphc.cond(x.shape[0] > 2, lambda x: x[:2], lambda x: x, x)

    assert "switch" not in graphc.jit(f).lower(np.ones(3)).text()
    np.testing.assert_array_equal(graphc.jit(f)(np.arange(3.0)), [0.0, 1.0])


def test_numbers_and_arrays_meet() -> None:
    def f(flag: Any, x: Any) -> Any:
        return graphc.cond(flag, lambda x: x, lambda x: 0, x)

    assert agree(f, False, np.float32(3)).dtype == np.float32


def test_captured_by_one_branch_only() -> None:
    def f(flag: Any, x: Any, y: Any) -> Any:
        z = y * 2
        return graphc.cond(flag, lambda: x + z, lambda: x)

    agree(f, True, np.ones(3), np.ones(3))
    agree(f, False, np.ones(3), np.ones(3))


def test_types_that_differ_are_named() -> None:
    def f(x: Any) -> Any:
        return graphc.cond(x[0] > 0, lambda x: {"a": x}, lambda x: {"a": x.astype("f4")}, x)

    with pytest.raises(TypeMismatch, match=r"result\['a'\] is f32\[3\] in .*, and f64\[3\] in"):
        graphc.jit(f)(np.ones(3))

    def g(x: Any) -> Any:
        return graphc.cond(x > 0, lambda x: x, lambda x: x, x)

    with pytest.raises(ShapeMismatch, match=r"np\.where"):
        graphc.jit(g)(np.ones(3))

    def h(x: Any) -> Any:
        return graphc.cond(x[0] > 0, lambda x: (x, x), lambda x: x, x)

    with pytest.raises(TypeMismatch, match="structure"):
        graphc.jit(h)(np.ones(3))

    def i(x: Any) -> Any:
        return graphc.switch(x[0], [np.sin, np.cos], x)

    with pytest.raises(TypeMismatch, match="integer"):
        graphc.jit(i)(np.ones(3))


def test_branches_share_memory() -> None:
    def f(flag: Any, x: Any, w: Any) -> Any:
        return graphc.cond(flag, lambda x: np.tanh(x @ w) @ w, lambda x: np.sin(x @ w) @ w, x)

    x, w = RNG.normal(size=(32, 32)), RNG.normal(size=(32, 32)) / 6
    for flag in (True, False):
        agree(f, flag, x, w, rtol=1e-9)
