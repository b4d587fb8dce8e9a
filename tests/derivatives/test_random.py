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
    """asin(x + 0i): 1 - z lost the sign of the zero, and the slope was that of x - 0i; which lost
    its own in 1 + z.
    """
    for function, sign in ((np.arcsin, 1), (np.arccos, -1)):
        for real in (2.0, -2.0):
            for zero in (0.0, -0.0):
                derivative = graphc.grad(lambda z, f=function: f(z), holomorphic=True)
                found = derivative(complex(real, zero))
                wanted = sign * np.copysign(1 / np.sqrt(3), real) * np.copysign(1j.imag, zero) * 1j
                np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_on_the_cut_of_asinh_the_sign_of_zero_says_the_side() -> None:
    """asinh(0 + iy), |y| > 1: z² + 1 lost the sign of the zero."""
    derivative = graphc.grad(lambda z: np.arcsinh(z), holomorphic=True)
    for imaginary in (2.0, -2.0):
        for zero in (0.0, -0.0):
            found = derivative(complex(zero, imaginary))
            wanted = -1j * np.copysign(1, zero) * np.copysign(1, imaginary) / np.sqrt(3)
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
