"""How much work a piece of a loop nest is:
rough instruction counts, for grains, lanes and recomputation.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import ir as L

HEAVY = {
    "exp": 12, "exp2": 10, "expm1": 16, "log": 14, "log2": 14, "log10": 15, "log1p": 16, "sin": 20,
    "cos": 20, "tan": 26, "asin": 18, "acos": 18, "atan": 20, "sinh": 20, "cosh": 18, "tanh": 16,
    "asinh": 24, "acosh": 22, "atanh": 22, "atan2": 26, "hypot": 12, "erf": 18, "erfc": 26,
    "lgamma": 60, "pow": 40, "cbrt": 18, "div": 6, "sqrt": 6, "floordiv": 12, "mod": 12, "fmod": 12,
    "gcd": 100, "lcm": 110, "logaddexp": 30, "ldexp": 5,
    "threefry_first": 75, "threefry_second": 75,
}  # fmt: skip
GRAIN_WORK = 300_000
"""Scalar instructions below which a piece of work is not worth another core
(about 10 us in vectors).
"""
UNKNOWN_TRIPS = 64
UNKNOWN_WORK = 1_000_000
"""Of a routine that works on matrices of unknown extents."""


def expr_cost(expr: L.Expr) -> int:
    """Instructions of one evaluation."""
    total = 0
    for one in L.walk(expr):
        if isinstance(one, L.Scalar):
            total += HEAVY.get(one.op, 1)
        elif isinstance(one, (L.Load, L.Cast, L.Select)):
            total += 1
    return total


def body_cost(body: Sequence[L.Stmt]) -> int:
    """Instructions of one run of the statements; loops of unknown extent count as UNKNOWN_TRIPS."""
    total = 0
    for stmt in body:
        total += sum(expr_cost(e) for e in L.expressions(stmt))
        if isinstance(stmt, (L.Store, L.Accumulate)):
            total += 1
        elif isinstance(stmt, L.For):
            trips = stmt.extent if isinstance(stmt.extent, int) else UNKNOWN_TRIPS
            total += trips * body_cost(stmt.body)
        elif isinstance(stmt, L.If):
            total += max(body_cost(stmt.then), body_cost(stmt.otherwise))
        elif isinstance(stmt, L.Transpose):
            total += 6 * stmt.size
        elif isinstance(stmt, L.Call):
            total += stmt.work if isinstance(stmt.work, int) else UNKNOWN_WORK
    return total


def body_size(body: Sequence[L.Stmt]) -> int:
    """Instructions of the statements as they are written: a loop counts once, but for unrolled
    ones.
    """
    total = 0
    for stmt in body:
        total += sum(expr_cost(e) for e in L.expressions(stmt))
        if isinstance(stmt, (L.Store, L.Accumulate)):
            total += 1
        elif isinstance(stmt, L.For):
            trips = stmt.extent if stmt.kind == "unroll" and isinstance(stmt.extent, int) else 1
            total += trips * body_size(stmt.body)
        elif isinstance(stmt, L.If):
            total += body_size(stmt.then) + body_size(stmt.otherwise)
    return total


def grain_of(body: Sequence[L.Stmt]) -> int:
    """Iterations of a parallel loop that are worth a worker."""
    return max(1, GRAIN_WORK // max(1, body_cost(body)))
