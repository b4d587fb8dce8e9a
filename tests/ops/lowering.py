"""Computes the scalar expression that a card lowers to, over whole arrays, without any loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import types as ty
from graphc.loops import ir as L
from graphc.loops.scalar import apply
from graphc.ops.complexes import COMPLEX, convert


def compute(expr: Any, env: dict[str, np.ndarray], memo: dict[int, Any] | None = None) -> Any:
    """The value of an expression whose Names are in `env`; a Pair gives a complex array."""
    memo = {} if memo is None else memo
    if isinstance(expr, L.Pair):
        re, im = compute(expr.re, env, memo), compute(expr.im, env, memo)
        return COMPLEX.evaluate(np.broadcast_arrays(re, im), {})
    if id(expr) not in memo:
        memo[id(expr)] = _compute(expr, env, memo), expr
    return memo[id(expr)][0]


def _compute(expr: Any, env: dict[str, np.ndarray], memo: dict[int, Any]) -> Any:
    if isinstance(expr, L.Const):
        return np.asarray(expr.value).astype(expr.dtype.numpy)
    if isinstance(expr, L.Name):
        return env[expr.name]
    args = [np.asarray(compute(e, env, memo)) for e in L.children(expr)]
    if isinstance(expr, L.Scalar):
        assert len({a.dtype for a in args}) == 1, expr.op
        return apply(expr.op, *args)
    if isinstance(expr, L.Cast):
        return convert(args[0], expr.dtype)
    if isinstance(expr, L.Bitcast):
        return args[0].view(expr.dtype.numpy)
    assert isinstance(expr, L.Select), expr
    return np.where(*args)


def arguments(arrays: list[np.ndarray]) -> tuple[list[Any], dict[str, np.ndarray]]:
    """The Names (Pairs for complex arrays) that stand for arrays, and their values."""
    args: list[Any] = []
    env: dict[str, np.ndarray] = {}
    for k, array in enumerate(arrays):
        dtype = ty.dtype(array.dtype)
        if not dtype.is_complex:
            args.append(L.Name(f"x{k}", dtype))
            env[f"x{k}"] = array
            continue
        args.append(L.Pair(L.Name(f"x{k}.re", dtype.real), L.Name(f"x{k}.im", dtype.real)))
        env[f"x{k}.re"], env[f"x{k}.im"] = np.real(array).copy(), np.imag(array).copy()
    return args, env
