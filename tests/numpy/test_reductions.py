"""Reductions, running reductions and order statistics against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.errors import TraceError

from .tracing import ALL, SHAPES, check, data, same, traced

SUMS = (np.sum, np.prod, np.mean, np.std, np.var, np.any, np.all, np.count_nonzero)
EXTREMES = (np.max, np.min, np.argmax, np.argmin, np.ptp)
NAN = (
    np.nansum, np.nanprod, np.nanmean, np.nanstd, np.nanvar, np.nanmax, np.nanmin, np.nanmedian,
)  # fmt: skip


def _tolerance(x: np.ndarray) -> float | None:
    return {2: 4e-3, 4: 1e-5}.get(x.dtype.itemsize, 1e-5 if x.dtype == np.complex64 else 1e-12)


@pytest.mark.parametrize("function", SUMS, ids=lambda f: f.__name__)
def test_sums_over_dtypes_and_axes(function: Any) -> None:
    for code in ALL:
        x = data(3, 4, dtype=code, low=0.5, high=1.5)
        check(function, x, tolerance=_tolerance(x))
    for shape in SHAPES:
        x = data(*shape)
        for axis in (None, *range(-len(shape), len(shape)), *([(0, -1)] if len(shape) > 1 else [])):
            for keepdims in (False, True):
                check(function, x, axis=axis, keepdims=keepdims, tolerance=1e-12)


@pytest.mark.parametrize("function", EXTREMES, ids=lambda f: f.__name__)
def test_extremes(function: Any) -> None:
    for code in ALL:
        if function is np.ptp and code == "?":
            continue
        check(function, data(3, 4, dtype=code, seed=2))
        check(function, data(3, 4, dtype=code, seed=2), axis=-1, keepdims=True)
    x = data(3, 4)
    x[1, 2] = x[1, 3] = np.nan
    check(function, x, axis=1)
    check(function, x)
    z = data(2, 3, dtype="D")
    z[0, 1] = complex(1, np.nan)
    check(function, z, axis=1)
    with pytest.raises(ValueError):
        traced(gnp.IMPLEMENTATIONS[function], np.zeros((0, 3)), axis=0)


@pytest.mark.parametrize("function", NAN, ids=lambda f: f.__name__)
def test_nan_left_out(function: Any) -> None:
    x = data(4, 5)
    x[x > 1] = np.nan
    x[2] = np.nan
    for v in (x, x.astype(np.float32), data(4, 5, dtype="i")):
        for axis in (None, 0, 1, -1):
            check(function, v, axis=axis, tolerance=1e-5 if v.dtype == np.float32 else 1e-12)


def test_nan_positions_and_scans() -> None:
    x = data(4, 5)
    x[1, 2] = np.nan
    for function in (np.nanargmax, np.nanargmin, np.nancumsum, np.nancumprod):
        check(function, x, axis=1, tolerance=1e-12)


def test_where_initial_dtype_mean_correction() -> None:
    x, m = data(3, 4, dtype="f"), data(3, 4, dtype="?")
    m[:, 0] = True
    for function in (np.sum, np.prod, np.mean, np.var, np.std, np.any, np.all):
        check(function, x, axis=1, where=m, tolerance=1e-5)
    check(np.max, x, axis=1, initial=0.5, where=m)
    check(np.min, x, axis=1, initial=0.5, where=m)
    check(np.max, np.zeros((0, 3)), axis=0, initial=1.0)
    z = x + 1j * x[::-1]
    check(np.max, z, axis=1, initial=0.5 - 1j, where=m)
    check(np.min, z, axis=0, initial=1j, where=m, keepdims=True)
    check(np.max, z, axis=(0, 1), initial=-9 + 0j, where=np.zeros_like(m))
    check(np.sum, x, initial=2.0, tolerance=1e-5)
    check(np.sum, x, dtype=np.float64)
    check(np.mean, data(5, dtype="i"), dtype=np.float32)
    check(np.var, x, axis=1, ddof=1, tolerance=1e-5)
    check(np.std, x, axis=1, correction=1, tolerance=1e-5)
    check(np.var, x, axis=1, mean=x.mean(1, keepdims=True), tolerance=1e-5)


def test_means_of_half_precision_are_taken_in_single() -> None:
    x = np.full(4096, 60000, np.float16)
    assert traced(gnp.mean, x) == np.float16(60000)
    assert traced(gnp.var, np.full(4096, 300, np.float16)) == 0


def test_scans() -> None:
    for code in ALL:
        x = data(3, 4, dtype=code, low=0.5, high=1.5)
        for function in (np.cumsum, np.cumprod):
            check(function, x, axis=1, tolerance=_tolerance(x))
            check(function, x, tolerance=_tolerance(x) if code != "e" else 2e-2)
    x = data(3, 4)
    check(np.cumulative_sum, x, axis=0, include_initial=True)
    check(np.cumulative_prod, x, axis=1)
    check(np.cumulative_sum, x[0])
    check(np.cumsum, np.float64(3.0) * np.ones(()))
    check(np.diff, x)
    check(np.diff, x, n=2, axis=0)
    check(np.diff, x, prepend=0.0, append=x[:, :2])
    check(np.diff, data(5, dtype="?"))
    check(np.diff, data(5, dtype="B"), n=7)


@pytest.mark.parametrize(
    "method",
    ["linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf",
     "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
     "normal_unbiased"],
)  # fmt: skip
def test_quantiles(method: str) -> None:
    for x in (data(7, 4), data(6, 5, dtype="f"), data(5, 3, dtype="i")):
        for q in (0.3, 0.0, 1, [0.1, 0.5, 0.95]):
            for axis in (None, 0, -1):
                check(np.quantile, x, q, axis=axis, method=method, tolerance=1e-5)
    check(np.percentile, data(7, 4), 30, axis=0, method=method, keepdims=True, tolerance=1e-12)


def test_quantiles_of_nan_and_traced_places() -> None:
    x = data(6, 5)
    x[2, 3] = np.nan
    check(np.quantile, x, 0.3, axis=1)
    check(np.median, x, axis=1)
    check(np.median, x)
    for method in ("linear", "lower", "higher", "midpoint", "nearest", "hazen", "weibull"):
        check(np.nanquantile, x, [0.2, 0.7], axis=1, method=method, tolerance=1e-12)
        check(np.nanpercentile, x, 40, axis=0, method=method, tolerance=1e-12)
    check(np.quantile, data(6, 5), np.array([[0.2, 0.5]]), axis=0, tolerance=1e-12)
    same(traced(lambda v: gnp.quantile(v, 0.3, axis=0), data(6, 5), symbolic=True),
         np.quantile(data(6, 5), 0.3, axis=0), 1e-12)  # fmt: skip
    same(traced(gnp.median, data(6, 5), symbolic=True), np.median(data(6, 5)))
    with pytest.raises(ValueError):
        traced(gnp.quantile, x, 2.0)


@pytest.mark.parametrize("code", ALL)
def test_medians(code: str) -> None:
    for shape in ((5,), (3, 4), (2, 3, 5)):
        check(np.median, data(*shape, dtype=code) if code not in "FD" else data(*shape))
        check(np.median, data(*shape), axis=-1, keepdims=True)
    check(np.median, data(3, 4, 2), axis=(0, 2))


def test_averages_and_correlation() -> None:
    x, w = data(3, 4), np.abs(data(3, 4, seed=5))
    check(np.average, x, axis=0)
    check(np.average, x, axis=1, weights=w, tolerance=1e-12)
    check(np.average, x, axis=1, weights=w[0], returned=True, tolerance=1e-12)
    check(np.average, x, weights=w, returned=True, tolerance=1e-12)
    check(np.average, data(3, 4, dtype="i"), axis=0, weights=np.array([1, 2, 3]), tolerance=1e-12)
    for z in (x, data(3, 4, dtype="D"), data(5), data(3, 6, dtype="i")):
        check(np.cov, z, tolerance=1e-12)
        check(np.corrcoef, z, tolerance=1e-12)
    check(np.cov, x, w, tolerance=1e-12)
    check(np.cov, x, rowvar=False, ddof=0, tolerance=1e-12)
    check(np.cov, x, bias=True, tolerance=1e-12)
    with pytest.raises(TraceError, match="weight"):
        traced(gnp.cov, x, aweights=w[0])


def test_histograms() -> None:
    x = data(50)
    edges = np.array([-2.0, -1, 0, 0.5, 3])
    w = data(50, seed=9)
    for bins in (7, edges):
        check(np.histogram, x, bins)
        check(np.histogram, x, bins, weights=w, tolerance=1e-12)
        check(np.histogram, x, bins, density=True, tolerance=1e-12)
    check(np.histogram, x, 5, (-1.0, 1.0))
    check(np.histogram, data(40, dtype="i"), 5)
    check(np.histogram, np.ones(4), 3)
    check(np.histogram_bin_edges, x, 6)
    check(np.histogram2d, x, w, [4, edges], tolerance=1e-12)
    check(np.histogramdd, data(30, 3), 3, tolerance=1e-12)
    check(np.digitize, x, edges)
    check(np.digitize, x, edges[::-1], right=True)
    check(np.digitize, np.array([0.5, 0.2]), np.array([0.5]), right=True)
    with pytest.raises(TraceError, match="number of bins"):
        traced(gnp.histogram, x, "auto")


def test_bincount() -> None:
    x = np.array([0, 3, 1, 3, 5], np.int32)
    same(traced(lambda v: gnp.bincount(v, minlength=6), x), np.bincount(x))
    w = data(5)
    same(traced(lambda v, u: gnp.bincount(v, u, length=8), x, w), np.bincount(x, w, 8))
    with pytest.raises(TraceError, match="length=n"):
        traced(gnp.bincount, x)
    with pytest.raises(IndexError):
        traced(lambda v: gnp.bincount(v, minlength=3), x)


def test_symbolic_extents() -> None:
    x = data(3, 4)
    for function in (np.sum, np.mean, np.var, np.max, np.argmin, np.cumsum, np.nanmean):
        for axis in (None, 0, 1):
            found = traced(
                lambda v, f=gnp.IMPLEMENTATIONS[function], k=axis: f(v, axis=k), x, symbolic=True
            )
            same(found, function(x, axis=axis), 1e-12)
