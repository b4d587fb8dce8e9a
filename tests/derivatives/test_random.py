"""Random programs: reverse = forward = differences, and what they found."""

from __future__ import annotations

import numpy as np
import pytest

import graphc

from .random import check_derivatives


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_derivatives_of_random_graphs_agree(first: int) -> None:
    for seed in range(first, first + 12):
        check_derivatives(seed)


def test_on_a_cut_the_sign_of_zero_says_the_side() -> None:
    """asin(x + 0i), x > 1: 1 - z lost the sign of the zero, and the slope was that of x - 0i."""
    for function, sign in ((np.arcsin, 1), (np.arccos, -1)):
        for zero in (0.0, -0.0):
            derivative = graphc.grad(lambda z, f=function: f(z), holomorphic=True)
            found = derivative(complex(2.0, zero))
            wanted = sign * np.copysign(1 / np.sqrt(3), zero) * 1j
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
