"""Division by one number for all lanes: NumPy's quotient, its special values and its signs."""

from __future__ import annotations

import numpy as np
import pytest

import graphc

DIVISORS = (
    3.0, -7.0, 255.0, 0.1, 2.0, -4.0, 1.0, 1e10, -1e-10, 0.0, -0.0,
    np.inf, -np.inf, np.nan, 1e-40, 3e38, 1e300, 5e-324,
)  # fmt: skip
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 3e38, -3e38, 1e-38, 1e-40)


def dividends(kind: type, count: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    ordinary = rng.normal(size=count) * 10.0 ** rng.integers(-15, 16, count)
    return np.concatenate([ordinary, np.tile(SPECIAL, 12)]).astype(kind)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("count", [5, 64, 1003])
def test_quotient_by_one_number(kind: type, count: int) -> None:
    divide = graphc.jit(lambda a, d: a / d)
    a = dividends(kind, count)
    whole = np.dtype(kind).str.replace("f", "i")
    with np.errstate(all="ignore"):
        for d in np.asarray(DIVISORS, kind):
            expected, got = a / d, divide(a, d)
            same = (got.view(whole) == expected.view(whole)) | (np.isnan(got) & np.isnan(expected))
            tiny = (np.abs(a) < 1e-18) & (np.abs(got.view(whole) - expected.view(whole)) <= 1)
            assert (same | tiny).all(), (d, a[~(same | tiny)], got[~(same | tiny)])


def test_the_greatest_divided_by_itself_is_one() -> None:
    share = graphc.jit(lambda x: x / x.max(axis=1, keepdims=True))
    x = np.random.default_rng(5).uniform(0.1, 9.0, (300, 129)).astype(np.float32)
    assert (share(x).max(axis=1) == 1.0).all()
