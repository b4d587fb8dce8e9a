"""Runs a function of graphc.numpy on tracers, evaluates its graph, and compares with NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import types as ty
from graphc.cell import Trace, enter, leave
from graphc.evaluate import evaluate
from graphc.ir import Graph, Value, param
from graphc.numpy import IMPLEMENTATIONS
from graphc.trace import Tracer
from graphc.verify import verify

TOLERANCE = {
    np.float16: 2e-3, np.float32: 2e-6, np.float64: 1e-13, np.complex64: 2e-6, np.complex128: 1e-13,
}  # fmt: skip


def traced(function: Callable[..., Any], *args: Any, symbolic: bool = False, **kwargs: Any) -> Any:
    """The result of `function` traced with every NumPy array among its arguments as a parameter.

    With `symbolic` every axis of the arrays has an extent of its own name for each length.
    """
    trace = Trace("test")
    params: list[Value] = []
    arrays: list[np.ndarray] = []

    def stand_in(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            shape = tuple(ty.extent(f"n{n}") if symbolic else n for n in x.shape)
            params.append(param(ty.TensorType(ty.dtype(x.dtype), shape), f"p{len(params)}"))
            arrays.append(x)
            return Tracer(trace, params[-1])
        if isinstance(x, (list, tuple)):
            return type(x)(map(stand_in, x))
        return x

    enter(trace)
    try:
        found = function(*map(stand_in, args), **{k: stand_in(v) for k, v in kwargs.items()})
        values: list[Value] = []
        shape = _leaves(found, values)
        graph = Graph.of("test", params, values)
        verify(graph)
    finally:
        leave(trace)
    results = iter(evaluate(graph, arrays))
    return _rebuilt(shape, results)


def _leaves(x: Any, values: list[Value]) -> Any:
    if isinstance(x, Tracer):
        values.append(x.value)
        return values
    if isinstance(x, (list, tuple)):
        return [_leaves(one, values) for one in x], type(x)
    return None, x


def _rebuilt(x: Any, results: Any) -> Any:
    if isinstance(x, list):
        return next(results)
    parts, kind = x
    if parts is None:
        return kind
    found = [_rebuilt(p, results) for p in parts]
    return kind(*found) if hasattr(kind, "_fields") else kind(found)


def same(found: Any, expected: Any, tolerance: float | None = None, what: str = "") -> None:
    """Asserts equal structure, dtype, shape and (nearly) equal values."""
    if isinstance(expected, (list, tuple)):
        assert isinstance(found, (list, tuple)) and len(found) == len(expected), what
        for f, e in zip(found, expected, strict=True):
            same(f, e, tolerance, what)
        return
    expected = np.asarray(expected)
    assert isinstance(found, (np.ndarray, np.generic, bool, int, float)), f"{what}: {type(found)}"
    found = np.asarray(found)
    assert found.dtype == expected.dtype, f"{what}: {found.dtype}, expected {expected.dtype}"
    assert found.shape == expected.shape, f"{what}: {found.shape}, expected {expected.shape}"
    limit = tolerance if tolerance is not None else TOLERANCE.get(expected.dtype.type, 0.0)
    if expected.dtype.kind in "fc":
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(found, expected, rtol=limit, atol=limit, err_msg=what)
    else:
        np.testing.assert_array_equal(found, expected, err_msg=what)


def check(theirs: Any, *args: Any, tolerance: float | None = None, **kwargs: Any) -> None:
    """Asserts that ours, traced and on plain arrays, gives what NumPy gives."""
    ours = IMPLEMENTATIONS[theirs]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = theirs(*args, **kwargs)
        found = traced(ours, *args, **kwargs)
        plain = ours(*args, **kwargs)
    shown = ", ".join(
        f"{a.dtype}{list(a.shape)}" if isinstance(a, np.ndarray) else repr(a) for a in args
    )
    what = f"{theirs.__name__}({shown}, {kwargs})"
    same(found, expected, tolerance, what)
    same(plain, expected, tolerance, what + " on plain arrays")


def data(
    *shape: int, dtype: Any = np.float64, seed: int = 0, low: float = -3.0, high: float = 3.0
) -> np.ndarray:
    """Numbers in [low, high) of a dtype; bools and unsigned numbers from 0 on."""
    rng = np.random.default_rng(seed + 7 * len(shape))
    kind = np.dtype(dtype).kind
    if kind == "c":
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(dtype)
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind == "u":
        return rng.integers(0, max(2, int(high)), shape).astype(dtype)
    if kind == "i":
        return rng.integers(int(low), int(high) + 1, shape).astype(dtype)
    return rng.uniform(low, high, shape).astype(dtype)


ALL = ("?", "b", "h", "i", "l", "B", "H", "I", "L", "e", "f", "d", "F", "D")
SHAPES: tuple[tuple[int, ...], ...] = ((), (5,), (3, 4), (2, 3, 5), (0, 3), (1, 7))
