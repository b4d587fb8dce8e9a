"""graphc.linalg against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as sl

import graphc
from graphc import linalg
from tests.thinned import thinned

from .test_numpy import LIMITS, data, near, positive


@pytest.mark.parametrize(
    "code, n", thinned([(c, n) for n in (1, 2, 3, 6, 40) for c in ("fDdF", "DfFd")[n % 2]])
)
def test_triangles(code: str, n: int) -> None:
    a = data(n, n, dtype=code) / np.sqrt(n) + 3 * np.eye(n, dtype=code)
    for b in (data(n, dtype=code), data(n, 3, dtype=code)):
        for trans in (0, "T", 2):
            for lower in (False, True):
                for unit in (False, True):
                    found = graphc.jit(
                        lambda a, b, t=trans, o=lower, i=unit: linalg.solve_triangular(
                            a, b, t, o, i
                        )
                    )(a, b)
                    wanted = sl.solve_triangular(a, b, trans, lower, unit)
                    near(found, wanted, LIMITS[code] * 1000)


@pytest.mark.parametrize("code", "fdFD")
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (40, 40), (5, 3), (3, 5), (0, 3)])
def test_lu(code: str, shape: tuple[int, int]) -> None:
    a = data(*shape, dtype=code)
    p, lower, upper = graphc.jit(linalg.lu)(a)
    wanted = sl.lu(a)
    for x, y in zip((p, lower, upper), wanted, strict=True):
        near(x, y.astype(x.dtype), LIMITS[code] * 10)
    packed, pivots, order = graphc.jit(linalg.lu_factor)(a)
    near(packed, np.asarray(lower @ np.zeros((min(shape), shape[1]), code)) + packed, 1)
    if shape[0]:
        np.testing.assert_array_equal(pivots, sl.lu_factor(a)[1][: len(pivots)])
    near(a[order], p.T @ a, LIMITS[code])


def test_equations_from_factors() -> None:
    a, b = data(2, 7, 7), data(2, 7, 3)
    found = graphc.jit(lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b))(a, b)
    near(found, np.linalg.solve(a, b), 1e-10)
    vector = graphc.jit(lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b))(a[0], b[0, :, 0])
    near(vector, np.linalg.solve(a[0], b[0, :, 0]), 1e-10)
    for code in "dD":
        spd, right = positive(data(9, 9, dtype=code)), data(9, 2, dtype=code)
        for lower in (False, True):

            def solve(a: np.ndarray, b: np.ndarray, lower: bool = lower) -> np.ndarray:
                return linalg.cho_solve((linalg.cholesky(a, lower), lower), b)

            near(graphc.jit(solve)(spd, right), np.linalg.solve(spd, right), 1e-10)


@pytest.mark.parametrize("code", "fdFD")
def test_exponentials(code: str) -> None:
    for scale in (0.0, 1e-3, 1.0, 30.0):
        a = (data(3, 6, 6, dtype=code) * scale / 6).astype(code)
        found, wanted = graphc.jit(linalg.expm)(a), sl.expm(a.astype(code))
        near(found, wanted.astype(code), LIMITS[code] * 10)
    far = graphc.jit(linalg.expm)(np.array([[0.0, 1e7], [-1e7, 0.0]]))
    assert np.all(np.isnan(far))


def test_outside_of_traces() -> None:
    a = data(4, 4)
    for x, y in zip(linalg.lu(a), sl.lu(a), strict=True):
        near(x, y, 1e-12)
