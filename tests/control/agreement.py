"""One function run three ways: step by step in Python, by the evaluator, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc
from graphc import pytrees


def leaves(x: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in pytrees.flatten(x)[0]]


def same(a: Any, b: Any, rtol: float = 1e-6) -> None:
    """Equal structure, dtypes and shapes; values within rtol."""
    assert pytrees.flatten(a)[1] == pytrees.flatten(b)[1]
    for one, other in zip(leaves(a), leaves(b), strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def agree(
    function: Callable[..., Any],
    *args: Any,
    python: bool = True,
    rtol: float = 1e-6,
    **options: Any,
) -> Any:
    """What the compiled function answers, after it was compared with the others."""
    evaluated = graphc.jit(function, debug="evaluate", **options)(*args)
    compiled = graphc.jit(function, **options)(*args)
    same(compiled, evaluated, rtol)
    if python:
        plain = function(*args)
        for one, other in zip(leaves(compiled), leaves(plain), strict=True):
            np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)
    return compiled
