"""How a function of graphc.nn is held against its formula in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import graphc

from ..numpy.tracing import same, traced

Function = Callable[..., Any]


def agrees(
    function: Function, formula: Function, *arrays: np.ndarray, symbolic: bool = True
) -> None:
    """On plain arrays, traced, traced with symbolic extents, and compiled in f64 and f32."""
    wanted = formula(*arrays)
    same(function(*arrays), wanted, 1e-12, "plain")
    same(traced(function, *arrays), wanted, 1e-12, "traced")
    if symbolic:
        same(traced(function, *arrays, symbolic=True), wanted, 1e-12, "symbolic")
    same(graphc.jit(function)(*arrays), wanted, 1e-12, "compiled")
    small = [a.astype("float32") if a.dtype == np.float64 else a for a in arrays]
    found = graphc.jit(function)(*small)
    near(found, wanted)
    near(function(*small), wanted)


def near(found: Any, wanted: Any) -> None:
    """f32 results against f64 ones: their dtype too, which numbers in formulas must not widen."""
    if isinstance(wanted, tuple):
        for f, w in zip(found, wanted, strict=True):
            near(f, w)
        return
    if np.asarray(wanted).dtype == np.float64:
        assert np.asarray(found).dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


def has_gradients(function: Function, args: Sequence[Any], order: int = 2) -> None:
    """Both modes against differences; the function may answer several arrays."""
    graphc.check_grads(function, tuple(args), order=order)
