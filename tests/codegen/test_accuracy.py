"""The elementary functions stay below 2 ulp, on every instruction set, at the hardest points known.

The points are those with the greatest errors among 2**20 per function and dtype, written by
`accuracy.py --write`, and the neighbours of the zeros of lgamma. True values come from mpmath.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphc.codegen.math.coefficients import LGAMMA_ZEROS
from graphc.types import F32, F64, DType

from . import accuracy, kernels, truth

HARD = json.loads(accuracy.HARD_POINTS.read_text(encoding="utf-8"))
CASES = [(name, dtype) for name in truth.FUNCTIONS for dtype in (F32, F64)]
TARGETS = pytest.mark.parametrize(
    "features", accuracy.TARGETS.values(), ids=[t.split(",")[0] for t in accuracy.TARGETS]
)


def greatest_error(name: str, dtype: DType, args: list[np.ndarray], features: str) -> float:
    wrong = truth.errors(
        accuracy.computed(name, dtype, args, features),
        truth.compute(name, args),
        accuracy.LEAST.get((name, dtype), 0.0),
    )
    return float(wrong.max())


@TARGETS
@pytest.mark.parametrize("name, dtype", CASES, ids=str)
def test_hard_points_are_within_2_ulp(name: str, dtype: DType, features: str) -> None:
    rows = [[float.fromhex(a) for a in point] for point in HARD[f"{name} {dtype}"]]
    args = [np.array(column, dtype.numpy) for column in zip(*rows, strict=True)]
    assert greatest_error(name, dtype, args, features) < 2.0


def neighbours(centre: float, dtype: DType, count: int) -> np.ndarray:
    """The numbers of the dtype next to a negative number, `count` on either side."""
    integer = np.int32 if dtype is F32 else np.int64
    start = np.array([centre], dtype.numpy).view(integer)
    return (start + np.arange(-count, count + 1, dtype=integer)).view(dtype.numpy)


@pytest.mark.parametrize("features", [kernels.HOST_FEATURES, kernels.SSE2], ids=["host", "sse2"])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_lgamma_next_to_its_zeros_and_poles(dtype: DType, features: str) -> None:
    centres = [*LGAMMA_ZEROS[::9], *(-float(n) for n in range(1, 30))]
    x = np.concatenate([neighbours(z, dtype, 6) for z in centres])
    assert greatest_error("lgamma", dtype, [x], features) < 2.0


@TARGETS
def test_arcs_next_to_a_quarter_of_pi(features: str) -> None:
    """atan2 was off by 2.04 ulp here: both halves of its series were greater than their sum."""
    y = np.array([1.5144517421722412, 1.2873584032058716, 1.4913339614868164], np.float32)
    x = np.array([1.5244947671890259, 1.2777004241943359, 1.4900084733963013], np.float32)
    assert greatest_error("atan2", F32, [y, x], features) < 1.8
    assert greatest_error("atan", F32, [neighbours(-1.00794065, F32, 2000)], features) < 1.8


@TARGETS
def test_cosh_where_its_lesser_power_of_two_is_half_an_ulp_of_the_greater(features: str) -> None:
    """It was lost: 2.02 ulp."""
    around = neighbours(-7.9720573425292969, F32, 2000)
    assert greatest_error("cosh", F32, [around], features) < 1.8
    assert greatest_error("cosh", F64, [neighbours(-18.419390995124211, F64, 99)], features) < 1.8


def test_an_error_is_a_distance_in_units_of_the_last_place() -> None:
    x = np.array([1.0, 2.0, 0.75], np.float32)
    true = truth.Truth(x, np.array([0.25, 0.0, -0.5], np.float32))
    off = np.nextafter(x, np.float32(4))
    np.testing.assert_array_equal(truth.errors(x, true), [0.25, 0.0, 0.5])
    np.testing.assert_array_equal(truth.errors(off, true), [0.75, 1.0, 1.5])
    assert np.isinf(truth.errors(np.full(3, np.nan, np.float32), true)).all()
