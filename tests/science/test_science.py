"""Programs as scientists write them, unchanged under graphc.jit, against NumPy."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.pytrees import flatten
from tests.science import estimation, numerics, signals, simulation
from tests.science.cases import CASES, Case, Draw

MODULES = (estimation, numerics, signals, simulation)


def same(wanted: Any, got: Any, rtol: float) -> None:
    """Asserts equal structure, dtypes, shapes and values."""
    expected, structure = flatten(wanted)
    found, other = flatten(got)
    assert structure == other
    for a, b in zip(expected, found, strict=True):
        x, y = np.asarray(a), np.asarray(b)
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        if x.dtype.kind not in "fc":
            np.testing.assert_array_equal(y, x)
            continue
        finite = np.abs(x[np.isfinite(x)])
        scale = float(finite.max()) if finite.size else 0.0
        np.testing.assert_allclose(y, x, rtol=rtol, atol=rtol * max(scale, 1e-3))


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(case, dtype) for case in CASES for dtype in case.dtypes],
    ids=lambda p: p.name if isinstance(p, Case) else p,
)
def test_program(case: Case, dtype: str) -> None:
    compiled = graphc.jit(case.function, static_argnames=case.static)
    # every program and size is compiled, which is what takes the time: the corners with one dtype
    first, last = case.sizes[0], case.sizes[-1]
    for size in {first, last} if dtype == case.dtypes[0] else {last}:
        arguments = case.arguments(Draw(dtype, size), size)
        given = copy.deepcopy(arguments)
        with np.errstate(all="ignore"):
            wanted = case.function(*arguments)
        got = compiled(*given)
        same(wanted, got, case.tolerance(dtype))
        same(arguments, given, 0.0)


def test_there_are_enough() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
