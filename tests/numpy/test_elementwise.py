"""Elementwise functions that are no ufuncs, sequences and polynomials, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.errors import TraceError, TypeMismatch

from .tracing import ALL, check, data, same, traced


@pytest.mark.parametrize("code", ALL)
def test_over_dtypes(code: str) -> None:
    x = data(3, 4, dtype=code)
    limit = {"e": 2e-3, "f": 1e-5, "F": 1e-5}.get(code, 1e-12)
    for function in (
        np.real,
        np.imag,
        np.isreal,
        np.iscomplex,
        np.angle,
        np.nan_to_num,
        np.sinc,
        np.fix,
    ):
        if function is np.fix and code in "FD":
            continue
        if function is np.sinc and code in "FD":
            limit = max(limit, 1e-5)
        if function is np.angle and code == "?":
            continue
        check(function, x, tolerance=limit)
    for decimals in (0, 1, 2, -1):
        if code != "?" or decimals == 0:
            check(np.round, x, decimals, tolerance=2e-2 if code == "e" else limit)
    if code not in "FD":
        check(np.i0, x, tolerance=limit)
        check(np.isposinf, x)
        check(np.isneginf, x)
        check(np.clip, x, 0, 1)
    check(np.isclose, x, x + 1)
    check(np.allclose, x, x)
    check(np.array_equal, x, x)
    check(np.array_equiv, x, x[0])


def test_special_numbers() -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, -2.5])
    for function in (np.nan_to_num, np.isposinf, np.isneginf, np.sinc, np.angle):
        check(function, x[np.isfinite(x)] if function is np.sinc else x)
    check(np.nan_to_num, x, nan=1.0, posinf=2.0, neginf=-3.0)
    check(np.nan_to_num, np.array([1 + 1j * np.inf, np.nan]))
    check(np.nan_to_num, x.astype(np.float32))
    check(np.isclose, x[:, None], x, equal_nan=True)
    check(np.array_equal, x, x, equal_nan=True)
    check(np.array_equal, x, x[:3])
    with pytest.raises(TypeMismatch):
        traced(gnp.isposinf, np.ones(2, complex))


def test_clip() -> None:
    x = data(3, 4)
    check(np.clip, x, -1, 1)
    check(np.clip, x, None, 1)
    check(np.clip, x, x[0], x[1])
    check(np.clip, x, min=-0.5)
    check(np.clip, data(5, dtype="B", high=200), 10, 100)
    check(np.clip, data(5, dtype="f"), np.float64(0), 1)
    same(
        traced(lambda v: gnp.clip(v, -5, 300), np.arange(4, dtype=np.uint8)),
        np.arange(4, dtype=np.uint8),
    )


def test_unwrap() -> None:
    x = np.cumsum(data(20)) * 2
    check(np.unwrap, x, tolerance=1e-12)
    check(np.unwrap, data(3, 7) * 4, axis=0, tolerance=1e-12)
    check(np.unwrap, np.array([0, 1, 2, -1, 0]), period=4)


def test_differences_and_integrals() -> None:
    x, y = np.cumsum(np.abs(data(6))), data(6, seed=3)
    check(np.ediff1d, y)
    check(np.ediff1d, y, 9.0, [1.0, 2.0])
    check(np.trapezoid, y, tolerance=1e-12)
    check(np.trapezoid, y, x, tolerance=1e-12)
    check(np.trapezoid, data(3, 6), dx=0.5, axis=0, tolerance=1e-12)
    for edge_order in (1, 2):
        check(np.gradient, y, edge_order=edge_order, tolerance=1e-12)
        check(np.gradient, y, 0.5, edge_order=edge_order, tolerance=1e-12)
        check(np.gradient, y, x, edge_order=edge_order, tolerance=1e-12)
        check(np.gradient, data(4, 5), edge_order=edge_order, tolerance=1e-12)
        check(np.gradient, data(4, 6), 2.0, x, edge_order=edge_order, tolerance=1e-10)
        check(np.gradient, data(4, 5), axis=1, edge_order=edge_order, tolerance=1e-12)
    check(np.gradient, data(5, dtype="f"), tolerance=1e-5)
    check(np.gradient, data(5, dtype="i"))


def test_convolution() -> None:
    for n, m in ((7, 3), (3, 7), (5, 5), (40, 20), (1, 4), (6, 2)):
        for mode in ("full", "same", "valid"):
            for a, v in (
                (data(n), data(m, seed=2)),
                (data(n, dtype="D"), data(m, dtype="D", seed=2)),
            ):
                check(np.convolve, a, v, mode, tolerance=1e-11)
                check(np.correlate, a, v, mode, tolerance=1e-11)
    check(np.convolve, data(5, dtype="i"), data(3, dtype="i"))
    check(np.convolve, data(5, dtype="f"), data(3, dtype="f"), tolerance=1e-5)
    same(
        traced(gnp.convolve, data(6), data(3), symbolic=True), np.convolve(data(6), data(3)), 1e-12
    )


def test_interp() -> None:
    xp, fp = np.cumsum(np.abs(data(8)) + 0.1), data(8, seed=2)
    x = np.concatenate([np.linspace(xp[0] - 1, xp[-1] + 1, 23), xp, [np.nan]])
    check(np.interp, x, xp, fp, tolerance=1e-12)
    check(np.interp, x, xp, fp, left=-9.0, right=9.0, tolerance=1e-12)
    check(np.interp, x.reshape(4, 8), xp, fp + 1j, tolerance=1e-12)
    check(np.interp, np.array([0.5, 2.0]), np.array([1.0]), np.array([3.0]))
    with pytest.raises(TraceError, match="period"):
        traced(lambda v: gnp.interp(v, xp, fp, period=3), x)


def test_polynomials() -> None:
    p, q = data(4), data(3, seed=2)
    check(np.polyval, p, data(5), tolerance=1e-12)
    for function in (np.polyadd, np.polysub, np.polymul):
        check(function, p, q, tolerance=1e-12)
    check(np.polyder, p, 2)
    check(np.polyint, p, 2, tolerance=1e-12)
    check(np.poly, q, tolerance=1e-12)
