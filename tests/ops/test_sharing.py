"""share: every part of an expression is computed once, and the value stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import types as ty
from graphc.loops import ir as L
from graphc.opdef import OpDef
from graphc.ops import elementwise as e
from graphc.ops.sharing import share
from graphc.types import F64, TensorType

from .lowering import arguments, compute

TYPE = TensorType(ty.C128, (4,))


@pytest.mark.parametrize("card", [e.POW, e.ACOSH, e.DIV, e.TANH, e.SQRT], ids=lambda c: c.name)
def test_complex_functions(card: OpDef) -> None:
    x = np.array([1 + 2j, -0.5 + 0.1j, 3 - 1e-8j, -2 + 0j])
    arrays = [x, x[::-1].copy()][: 2 if card in (e.POW, e.DIV) else 1]
    args, env = arguments(arrays)
    lets: list[tuple[str, L.Expr]] = []

    def bind(expr: L.Expr) -> L.Expr:
        lets.append((f"t{len(lets)}", expr))
        return L.Name(lets[-1][0], expr.dtype)

    whole = card.lower(args, TYPE)  # type: ignore[misc]
    shared = share(whole, bind)
    wanted = compute(whole, dict(env))
    for name, expr in lets:
        env[name] = compute(expr, env)
    np.testing.assert_array_equal(compute(shared, env), wanted)
    assert isinstance(shared, L.Pair)
    parts = [p for root in (*(x for _, x in lets), shared.re, shared.im) for p in L.walk(root)]
    inner = [p for p in parts if L.children(p)]
    assert len(inner) == len(set(map(repr, inner))) < (260 if card is e.POW else 130)


def never(expr: L.Expr) -> L.Expr:
    pytest.fail(f"{expr} occurs once")


def test_what_occurs_once_stays() -> None:
    x = L.Name("x", F64)
    expr = L.scalar("add", L.scalar("exp", x), L.const(1.0, F64))
    assert share(expr, never) == expr


def test_zeros_of_both_signs_are_different() -> None:
    x = L.Name("x", F64)
    plus, minus = (L.scalar("add", x, L.const(z, F64)) for z in (0.0, -0.0))
    expr = L.scalar("div", plus, minus)
    assert share(expr, never) == expr
