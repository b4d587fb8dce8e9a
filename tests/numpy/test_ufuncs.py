"""Every ufunc over every dtype, with NumPy's promotion, against NumPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.errors import GraphcError
from graphc.numpy import ufuncs
from graphc.types import BF16

from .tracing import ALL, check, data, same, traced

UNARY = sorted({f for f in ufuncs.RULES if f.nin == 1}, key=lambda f: f.__name__)
BINARY = sorted({f for f in ufuncs.RULES if f.nin == 2}, key=lambda f: f.__name__)
LOOSE = {"power": 1e-12, "float_power": 1e-12}


def _tolerance(ufunc: np.ufunc, dtype: np.dtype) -> float | None:
    if dtype == np.float16:
        return 2e-3
    single = dtype.itemsize <= 4 or dtype == np.complex64
    return 1e-5 if single else LOOSE.get(ufunc.__name__)


def _refuses(ufunc: np.ufunc, *args: np.ndarray) -> bool:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ufunc(*args)
    except (TypeError, ValueError):
        return True
    return False


@pytest.mark.parametrize("ufunc", UNARY, ids=lambda f: f.__name__)
def test_unary(ufunc: np.ufunc) -> None:
    for code in ALL:
        low, high = (0.1, 0.9) if ufunc in (np.arccos, np.arcsin, np.arctanh) else (0.1, 3.0)
        x = data(2, 3, dtype=code, low=low, high=high)
        if ufunc is np.arccosh:
            x = (x + 1).astype(code)
        if _refuses(ufunc, x):
            with pytest.raises((GraphcError, ValueError)):
                traced(gnp.IMPLEMENTATIONS[ufunc], x)
            continue
        check(ufunc, x, tolerance=None if x.dtype.kind in "d" else _tolerance(ufunc, x.dtype))


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
def test_binary(ufunc: np.ufunc) -> None:
    for one in ALL:
        for other in (one, "?", "b", "L", "f", "d", "D") if one != "e" else ALL:
            a, b = data(3, 1, dtype=one), data(1, 4, dtype=other, seed=1)
            if ufunc in (np.power, np.float_power):
                a, b = np.abs(a), np.abs(b)
            if ufunc in (np.left_shift, np.right_shift) and b.dtype.kind in "i":
                b = np.abs(b)
            a, b = a.astype(one), b.astype(other)
            if _refuses(ufunc, a, b):
                with pytest.raises((GraphcError, ValueError)):
                    traced(gnp.IMPLEMENTATIONS[ufunc], a, b)
                continue
            if a.dtype.kind == "c" or b.dtype.kind == "c":
                check(ufunc, a, b, tolerance=1e-5)
            else:
                check(ufunc, a, b, tolerance=_tolerance(ufunc, np.result_type(a, b)))


@pytest.mark.parametrize(
    "ufunc", [np.add, np.multiply, np.true_divide, np.less, np.maximum, np.power]
)
def test_weak_numbers(ufunc: np.ufunc) -> None:
    for code in ALL:
        for number in (2, 2.5, 1 + 1j, True):
            x = np.abs(data(4, dtype=code)).astype(code)
            if _refuses(ufunc, x, number):
                continue
            check(ufunc, x, number, tolerance=1e-5)
            check(ufunc, number, x, tolerance=1e-5)


def test_a_number_that_does_not_fit_is_refused_but_compares() -> None:
    x = np.arange(3, dtype=np.uint8)
    with pytest.raises(OverflowError):
        traced(gnp.add, x, 300)
    check(np.less, x, 300)
    check(np.equal, x, -1)


def test_special_values() -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, -2.5, 5e-324, 1e308, 2.0**-1060])
    for ufunc in (
        np.frexp,
        np.modf,
        np.spacing,
        np.sign,
        np.rint,
        np.trunc,
        np.reciprocal,
        np.isfinite,
    ):
        check(ufunc, x)
    check(np.heaviside, x, np.float64(0.5))
    with np.errstate(all="ignore"):
        check(np.frexp, x.astype(np.float32))
    check(np.frexp, np.array([6e-8, 1.0, -3.0, np.inf], np.float16))
    y = x[:, None]
    for ufunc in (
        np.logaddexp2,
        np.logaddexp,
        np.fmax,
        np.fmin,
        np.copysign,
        np.hypot,
        np.remainder,
    ):
        check(ufunc, x, y)


def test_dtype_where_out() -> None:
    a, b = data(3, 4, dtype="f"), data(3, 4, dtype="f", seed=3)
    check(np.add, a, b, dtype=np.float64)
    mask = a > 0
    found = traced(lambda x, y, m: gnp.add(x, y, where=m, out=gnp.full((3, 4), 7.0)), a, b, mask)
    same(found, np.add(a, b, where=mask, out=np.full((3, 4), 7.0)), 1e-6)

    def into(x: object) -> object:
        made = gnp.zeros((3, 4))
        assert gnp.multiply(x, 2, out=made) is made
        gnp.sum(x, 0, out=made[0])
        return made

    expected = a * 2.0
    expected[0] = a.sum(0)
    same(traced(into, a), expected.astype(np.float64), 1e-6)


def test_methods() -> None:
    x = data(3, 4)
    for name in (
        "add",
        "multiply",
        "maximum",
        "minimum",
        "logical_or",
        "logical_and",
        "fmax",
        "logaddexp",
    ):
        theirs, ours = getattr(np, name), getattr(gnp, name)
        same(traced(lambda v, f=ours: f.reduce(v, axis=1), x), theirs.reduce(x, axis=1))
        same(ours.reduce(x), theirs.reduce(x))
    for name in ("add", "multiply", "maximum", "minimum"):
        theirs, ours = getattr(np, name), getattr(gnp, name)
        same(traced(lambda v, f=ours: f.accumulate(v, axis=1), x), theirs.accumulate(x, axis=1))
    same(traced(gnp.subtract.outer, x, x[0]), np.subtract.outer(x, x[0]))
    k = data(3, 4, dtype="i")
    same(traced(gnp.bitwise_xor.reduce, k), np.bitwise_xor.reduce(k))

    def scattered(i: object) -> object:
        made = gnp.zeros(4)
        gnp.add.at(made, i, 1.5)
        return made

    same(traced(scattered, np.array([0, 2, 2])), np.array([1.5, 0, 3.0, 0]))


def test_bfloat16() -> None:
    x = data(5, dtype="f").astype(BF16.numpy)
    for function in (gnp.exp, gnp.sqrt, lambda v: gnp.add(v, 1.5), lambda v: v * v):
        assert traced(function, x).dtype == BF16.numpy
