"""`check`: the same NumPy function on real arrays, and traced and evaluated, has to agree."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.arguments import Binder
from graphc.evaluate import evaluate
from graphc.pytrees import flatten
from graphc.trace import TracedFunction, trace_call
from graphc.verify import verify


def run_traced(
    function: Callable[..., Any], args: tuple[Any, ...], **options: Any
) -> tuple[Any, TracedFunction]:
    """The traced function's result, from the graph's meaning."""
    binder = Binder(function, **options)
    call = binder.bind(args, {})
    traced = trace_call(binder, call)
    verify(traced.graph)
    arrays = [np.asarray(leaf) for leaf in call.leaves]
    return traced.unflatten(evaluate(traced.graph, arrays)), traced


def same(wanted: Any, got: Any, rtol: float) -> None:
    """Asserts equal structure, dtypes, shapes and values."""
    expected, structure = flatten(wanted)
    found, other = flatten(got)
    assert structure == other
    for a, b in zip(expected, found, strict=True):
        if isinstance(a, (str, type(None), type)):
            assert a == b
            continue
        x, y = np.asarray(a), np.asarray(b)
        assert x.dtype == y.dtype, (x.dtype, y.dtype)
        assert x.shape == y.shape, (x.shape, y.shape)
        if isinstance(a, (bool, int, float, complex)) and not isinstance(a, np.generic):
            assert type(a) is type(b)
        np.testing.assert_allclose(y, x, rtol=rtol, atol=rtol)


@pytest.fixture
def check() -> Callable[..., TracedFunction]:
    """check(function, *args): runs both, compares, answers what was traced."""

    def run(
        function: Callable[..., Any],
        *args: Any,
        rtol: float = 1e-6,
        numpy: Any = None,
        **options: Any,
    ) -> TracedFunction:
        with np.errstate(all="ignore"):
            wanted = (numpy or function)(*copy.deepcopy(args))
        given = copy.deepcopy(args)
        got, traced = run_traced(function, given, **options)
        same(wanted, got, rtol)
        return traced

    return run
