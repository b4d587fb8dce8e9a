"""Dtypes, symbolic extents (against plain integers, by Hypothesis) and tensor types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc import types as ty
from graphc.errors import ShapeMismatch, TraceError, TypeMismatch
from graphc.types import Dim, Extent

B, N = Dim.symbol("b"), Dim.symbol("n")
NAMES = ("b", "n", "k")

# An expression is a pair: how to make the Extent, and how to compute it from numbers.
Env = dict[str, int]
Made = tuple[Extent, Callable[[Env], int]]


def _named(name: str) -> Made:
    return Dim.symbol(name), lambda env: env[name]


def _number(value: int) -> Made:
    return value, lambda env: value


def _combined(parts: tuple[str, Made, Made]) -> Made:
    sign, (a, f), (b, g) = parts
    if sign == "+":
        return a + b, lambda env: f(env) + g(env)
    if sign == "-":
        return a - b, lambda env: f(env) - g(env)
    return a * b, lambda env: f(env) * g(env)


def _divided(parts: tuple[str, Made, int]) -> Made:
    sign, (a, f), b = parts
    if sign == "//":
        return a // b, lambda env: f(env) // b
    return a % b, lambda env: f(env) % b


leaves = st.one_of(st.sampled_from(NAMES).map(_named), st.integers(-6, 6).map(_number))
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*"), inner, inner).map(_combined),
        st.tuples(st.sampled_from(["//", "%"]), inner, st.integers(1, 7)).map(_divided),
    ),
    max_leaves=6,
)
environments = st.fixed_dictionaries({name: st.integers(0, 40) for name in NAMES})


def number(extent: Extent, env: Env) -> int:
    found = ty.substitute(extent, env)
    assert isinstance(found, int)
    return found


@given(expressions, environments)
@settings(max_examples=300, deadline=None)
def test_arithmetic_is_that_of_integers(made: Made, env: Env) -> None:
    extent, compute = made
    assert number(extent, env) == compute(env)


@given(expressions)
@settings(max_examples=300, deadline=None)
def test_text_reads_back(made: Made) -> None:
    extent, _ = made
    assert ty.parse_extent(str(extent)) == extent


@given(expressions, environments)
@settings(max_examples=300, deadline=None)
def test_bounds_hold(made: Made, env: Env) -> None:
    extent, compute = made
    for known in (None, {name: (0, 40) for name in NAMES}):
        low, high = ty.bounds(extent, known)
        assert low is None or low <= compute(env)
        assert high is None or compute(env) <= high


@given(expressions, expressions, environments)
@settings(max_examples=200, deadline=None)
def test_substitution_composes(made: Made, inner: Made, env: Env) -> None:
    replaced = ty.substitute(made[0], {"b": inner[0]})
    assert number(replaced, env) == made[1]({**env, "b": inner[1](env)})


@given(expressions, expressions)
@settings(max_examples=200, deadline=None)
def test_sums_and_products_commute(left: Made, right: Made) -> None:
    a, b = left[0], right[0]
    assert a + b == b + a
    assert a * b == b * a
    assert hash(a + b) == hash(b + a)
    assert a - a == 0


def test_symbolic_divisors() -> None:
    assert (B * N) // N == B
    assert (B * N) % N == 0
    assert (B * N + N) // N == B + 1
    assert B // B == 1
    assert str(B // N) == "b//n"
    assert ty.substitute(B // N, {"b": 7, "n": 2}) == 3
    assert ty.substitute(B % N, {"b": 7, "n": 2}) == 1


@pytest.mark.parametrize(
    ("extent", "text"),
    [
        (B + 1, "b + 1"),
        (2 * B + N * B - 3, "b*n + 2*b - 3"),
        (-B, "-b"),
        ((B + 1) // 2, "(b + 1)//2"),
        (3 * (B % 4), "3*(b%4)"),
        (B * B, "b*b"),
    ],
)
def test_extents_read_as_written(extent: Extent, text: str) -> None:
    assert str(extent) == text
    assert ty.parse_extent(text) == extent


def test_order_is_answered_where_it_always_holds() -> None:
    assert B + 1 > 0
    assert B >= 0
    assert not B < 0
    assert bool(B + 1)
    with pytest.raises(TraceError, match="depends on the extent"):
        assert B > 3
    with pytest.raises(TraceError, match="Python cannot count"):
        range(B)  # type: ignore[arg-type]


def test_extent_refuses() -> None:
    for bad in (-1, "2b", 1.5, True, None):
        with pytest.raises(ShapeMismatch):
            ty.extent(bad)
    with pytest.raises(ShapeMismatch):
        Dim.symbol("2")
    with pytest.raises(ShapeMismatch):
        B // 0


def test_types_read_back() -> None:
    for text in ("f32[b, 784]", "i64[]", "c64[2*b + 1]", "bool[0]", "bf16[b*n, (b + 1)//2]"):
        type = ty.parse_type(text)
        assert str(type) == text
        assert ty.parse_type(str(type)) == type
    for bad in ("f32", "f33[2]", "f32[2", "f32[2b]"):
        with pytest.raises(TypeMismatch):
            ty.parse_type(bad)


def test_sizes_of_types() -> None:
    type = ty.parse_type("f64[b, 3]")
    assert type.size == 3 * B
    assert type.nbytes == 24 * B
    assert ty.parse_type("f32[]").size == 1


def test_dtypes_have_numpy_twins() -> None:
    for one in ty.DTYPES.values():
        assert ty.dtype(one.numpy) is one
        assert ty.dtype(one.name) is one
        assert one.numpy.itemsize == one.nbytes
    assert ty.dtype(ml_dtypes.bfloat16) is ty.BF16
    assert ty.dtype(">f4") is ty.F32
    assert ty.dtype(float) is ty.F64
    for bad in ("object", "U4", "datetime64[s]", np.longdouble, "nonsense"):
        with pytest.raises(TypeMismatch):
            ty.dtype(bad)


def test_promotion_is_numpys() -> None:
    plain = [d for d in ty.DTYPES.values() if d is not ty.BF16]
    for a in plain:
        for b in plain:
            assert ty.promote(a, b) is ty.dtype(np.promote_types(a.numpy, b.numpy))
    assert ty.promote(ty.BF16, ty.I32) is ty.BF16
    assert ty.promote(ty.BF16, ty.F16) is ty.F32
    assert ty.promote(ty.F64, ty.BF16) is ty.F64
    assert ty.promote(ty.BF16, ty.C64) is ty.C64


@given(st.lists(st.lists(st.sampled_from([1, 2, 3]), max_size=3), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_broadcasting_is_numpys(shapes: list[list[int]]) -> None:
    tuples: list[Any] = [tuple(s) for s in shapes]
    try:
        wanted = np.broadcast_shapes(*tuples)
    except ValueError:
        with pytest.raises(ShapeMismatch):
            ty.broadcast_shapes(*tuples)
        return
    assert ty.broadcast_shapes(*tuples) == wanted


def test_broadcasting_of_symbols() -> None:
    assert ty.broadcast_shapes((B, 1), (N,)) == (B, N)
    with pytest.raises(ShapeMismatch, match="axis -1 is b in one and n in another"):
        ty.broadcast_shapes((B,), (N,))


def test_linear() -> None:
    i, j, n = (Dim.symbol(name) for name in "ijn")
    assert ty.linear(7, "i") == (0, 7)
    assert ty.linear(j + 1, "i") == (0, j + 1)
    assert ty.linear(3 * i + j, "i") == (3, j)
    assert ty.linear(i * n + i + j // 2, "i") == (n + 1, j // 2)
    for index in (i * i, (i + j) // 2 + i, i * (i % n), (i // 3) * j):
        assert ty.linear(index, "i") is None


def test_substitute_keeps_what_does_not_change() -> None:
    i, j, n = (Dim.symbol(name) for name in "ijn")
    index = i * n + (j + 1) // 2 + (j % n) * 3
    assert ty.substitute(index, {"k": 5}) is index
    assert ty.substitute(index, {"i": 0}) == (j + 1) // 2 + (j % n) * 3
    assert ty.substitute(index, {"i": j - 1, "j": 2 * i + 1}) == (
        j * n - n + i + 1 + ((2 * i + 1) % n) * 3
    )
    assert ty.substitute(index, {"i": 2, "j": 7, "n": 4}) == 8 + 4 + 9
