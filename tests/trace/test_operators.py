"""Operators, methods and ufunc methods: the same values and dtypes as NumPy."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import graphc

DTYPES = ["bool", "int8", "uint8", "int32", "int64", "float16", "float32", "float64", "complex64"]
BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.lt,
    operator.eq,
    operator.ge,
]


def sample(dtype: str, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    rng = np.random.default_rng(7)
    values = rng.uniform(1, 9, shape)
    if dtype.startswith("complex"):
        return (values + 1j * rng.uniform(1, 9, shape)).astype(dtype)
    return (values > 5) if dtype == "bool" else values.astype(dtype)


@pytest.mark.parametrize("b", DTYPES)
@pytest.mark.parametrize("a", DTYPES)
def test_promotion(check: Any, a: str, b: str) -> None:
    x, y = sample(a), sample(b)
    for op in BINARY:
        try:
            with np.errstate(all="ignore"):
                op(x, y)
        except TypeError:
            with pytest.raises(TypeError):
                graphc.jit(op, debug="evaluate").trace(x, y)
            continue
        check(lambda p, q, op=op: op(p, q), x, y, rtol=2e-3 if "float16" in (a, b) else 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scalar", [True, 2, 2.5, 1 + 2j])
def test_python_scalars_are_weak(check: Any, dtype: str, scalar: Any) -> None:
    x = sample(dtype)
    check(lambda x: (x + scalar, scalar * x, x == scalar), x, rtol=2e-3)
    check(lambda x, s: (x + s, s * x), x, scalar, rtol=2e-3)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
def test_integer_operators(check: Any, dtype: str) -> None:
    x, y = sample(dtype), sample(dtype, (4,))
    check(
        lambda x, y: (x // y, x % y, divmod(x, y), x & y, x | y, x ^ y, ~x, x << 1, x >> 1, 7 // x),
        x,
        y,
    )
    check(lambda x, y: (x**2, 2**y, abs(x), +x, x / y), x, y)


def test_float_operators(check: Any) -> None:
    x, y = sample("float64"), -sample("float64", (4,))
    check(lambda x, y: (x // y, x % y, divmod(x, y), x**y, -x, abs(y), 1 / x, 2.0**y), x, y)
    check(lambda x: (x**2, x**0.5, x**-1, x**3, x**0), x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_a_power_of_one_half_is_a_square_root(check: Any, dtype: str) -> None:
    with np.errstate(invalid="ignore"):
        check(lambda x: x**0.5, np.array([-np.inf, -0.0, -4, 4, 2], dtype))


def test_matmul(check: Any) -> None:
    x, y, v = sample("float32"), sample("float32", (4, 5)), sample("float32", (4,))
    check(lambda x, y, v: (x @ y, x @ v, v @ y, v @ v, np.ones((2, 3)) @ x), x, y, v)


def test_real_array_on_the_left(check: Any) -> None:
    table = np.arange(4.0)
    check(lambda x: (table + x, np.float32(2) * x, table * x, table < x), sample("float32"))


def test_out_of_range_scalars() -> None:
    x = sample("uint8")
    with pytest.raises(OverflowError):
        graphc.jit(lambda x: x + 300, debug="evaluate")(x)
    with pytest.raises(OverflowError):
        graphc.jit(lambda x: x - (-1), debug="evaluate")(x)


def test_out_of_range_comparison(check: Any) -> None:
    check(lambda x: (x < 300, x == -1, x > -1), sample("uint8"))


def test_negative_integer_power() -> None:
    with pytest.raises(ValueError, match="negative integer powers"):
        graphc.jit(lambda x: x**-1, debug="evaluate")(sample("int64"))


def test_boolean_minus_is_refused() -> None:
    with pytest.raises(TypeError):
        graphc.jit(lambda x: x - x, debug="evaluate")(sample("bool"))


def test_reductions_as_methods(check: Any) -> None:
    x = sample("float64", (3, 4, 5))
    check(lambda x: (x.sum(), x.sum(0), x.sum(axis=(0, 2)), x.sum(axis=1, keepdims=True)), x)
    check(lambda x: (x.mean(), x.mean(1), x.std(), x.std(axis=0, ddof=1), x.var(2)), x)
    check(lambda x: (x.min(), x.max(1), x.argmin(), x.argmax(axis=2), x.prod(0)), x)
    check(lambda x: (x.cumsum(), x.cumsum(axis=1), x.cumprod(0), np.ptp(x, axis=0)), x)
    check(
        lambda x: ((x > 3).any(), (x > 3).all(axis=0), x.sum(where=x > 3), x.max(initial=99.0)), x
    )
    check(lambda x: (x.sum(dtype=np.float32), x.astype(int).sum(dtype="uint8")), x)


def test_other_methods(check: Any) -> None:
    x = sample("float32", (3, 4))
    check(
        lambda x: (x.clip(2, 5), x.round(1), x.conj(), x.copy(), x.astype("int16"), x.flatten()), x
    )
    check(
        lambda x: (
            x.dot(x.T),
            x.take([0, 2]),
            x.take([1, 1], axis=1),
            x.repeat(2, axis=0),
            x.trace(),
        ),
        x,
    )
    check(lambda x: (x.argsort(axis=0), x[0].searchsorted(x[1, 0])), np.sort(x, axis=1))
    check(lambda x: x.view(np.int32), x)
    check(lambda x: (x.T.shape, x.ndim, x.size, x.itemsize, x.nbytes, len(x)), x)


def test_in_place_methods(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        y.sort(axis=0)
        z = x.copy()
        z.fill(3)
        w = x.copy()
        w.put([0, 5], [-1, -2])
        w.flat[3:5] = 7
        return y, z, w

    check(program, sample("float64"))


def test_in_place_operators_keep_the_dtype(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.astype("float32")
        y += 1.5
        y *= x
        y -= 2
        y /= 3
        n = np.zeros(4, int)
        n += 3
        n //= 2
        n <<= 2
        return y, n

    check(program, sample("float64"))


def test_numbers_are_not_changed_in_place(check: Any) -> None:
    def program(x: Any) -> Any:
        total = x.sum()
        before = total
        total += 0.5
        return before, total

    check(program, sample("int64"))


def test_same_kind_casting() -> None:
    def program(x: Any) -> Any:
        n = np.zeros(4, int)
        n += x[0]
        return n

    with pytest.raises(TypeError, match=r"Cannot cast ufunc 'add' output.*test_operators\.py:"):
        graphc.jit(program, debug="evaluate")(sample("float64"))


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum])
def test_ufunc_methods(check: Any, ufunc: np.ufunc) -> None:
    x = sample("float64", (3, 4))
    check(lambda x: (ufunc.reduce(x), ufunc.reduce(x, axis=1), ufunc.reduce(x, axis=None)), x)
    check(
        lambda x: (ufunc.accumulate(x), ufunc.accumulate(x, axis=1), ufunc.outer(x[0], x[:, 1])), x
    )
    check(lambda x: (ufunc.reduce(x, keepdims=True), ufunc.reduce(x, initial=2.0)), x)
    check(lambda x: ufunc.reduceat(x[0], [0, 2, 1]), x)


def test_other_reductions(check: Any) -> None:
    x = sample("int64")
    check(
        lambda x: (
            np.subtract.reduce(x),
            np.bitwise_xor.reduce(x, axis=1),
            np.logical_and.reduce(x > 2),
        ),
        x,
    )
    check(lambda x: (np.subtract.accumulate(x, axis=1), np.fmax.reduce(x.astype(float))), x)


def test_ufunc_options(check: Any) -> None:
    def program(x: Any) -> Any:
        out = np.ones_like(x)
        np.sqrt(x, out=out, where=x > 4)
        other = np.empty(x.shape)
        np.add(x, 1, other)
        np.multiply(other, x, out=other)
        return out, other, np.add(x, 1, dtype=np.float64)

    check(program, sample("float32"))


def test_ufunc_at(check: Any) -> None:
    def program(x: Any, i: Any) -> Any:
        a, b, c = np.zeros(5), np.full(5, 9.0), np.zeros((5, 2))
        np.add.at(a, i, x)
        np.subtract.at(a, [0, 0], 1)
        np.minimum.at(b, i, x)
        np.add.at(c, (i, 1), x)
        np.multiply.at(b, slice(1, 3), 2)
        return a, b, c

    check(program, sample("float64", (6,)), np.array([0, 1, 1, 4, 0, 1]))


def test_multiple_results(check: Any) -> None:
    check(lambda x: (np.divmod(x, 2.5), np.modf(x)), sample("float64"))


def test_dynamic_numbers_stay_python_numbers(check: Any) -> None:
    traced = check(lambda a, n: (a * 2, a + n, n // 2, n / 2, n + 1, -a), 1.5, 7)
    assert {r.form for r in traced.results} == {"python"}
    check(lambda flag: (flag + flag, flag * 2), True)


def test_weak_numbers_meet_arrays(check: Any) -> None:
    check(
        lambda x, a, n: (x * a, x + n, x * (a * n), np.where(x > n, x, a)),
        sample("float32"),
        2.5,
        3,
    )


def test_repr() -> None:
    seen: list[str] = []

    def program(x: Any) -> Any:
        seen.extend([repr(x), f"{x}", str(x.T)])
        return x

    graphc.jit(program, debug="evaluate")(sample("float32"))
    assert seen == ["Tracer f32[3, 4]", "Tracer f32[3, 4]", "Tracer f32[4, 3]"]
