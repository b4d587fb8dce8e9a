"""Factors, triangles and exponentials of matrices, over values."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import types as ty
from ..errors import TraceError
from ..ir import Value
from ..numpy import decompositions as d
from ..numpy import products
from ..numpy import reductions as r
from ..numpy import ufuncs as u
from ..numpy.creation import eye, tril, triu
from ..numpy.dispatch import static, value
from ..numpy.indexing import take_along_axis
from ..numpy.shaping import expand, part, reshape
from ..ops import build
from ..ops.build import cast
from ..ops.linear_algebra import CHOLESKY, LU, SOLVE, TRIANGULAR_SOLVE
from ..ops.matrices import adjoint, conj
from ..types import F32, I64

SQUARINGS = 16
"""Matrices whose 1-norm is past 2**16 times what the approximation is good for give NaN."""


class LUFactors(NamedTuple):
    """l and u in one matrix, the row that each was exchanged with, and the order of the rows."""

    lu: Any
    pivots: Any
    order: Any


class LUResult(NamedTuple):
    p: Any
    l: Any  # noqa: E741  as it is written everywhere
    u: Any


def _square(a: Any, what: str) -> Value:
    x = d._matrix_operand(a, what)
    d._square(x, what)
    return x


def _pair(a: Value, b: Any, what: str) -> tuple[Value, Value, bool]:
    """A matrix and right-hand sides of one dtype and batch, and whether b was a vector."""
    y = d._matrix_operand(b, what)
    vector = len(y.shape) == 1
    y = expand(y, (1,)) if vector else y
    dtype = u.result_dtype(a, y)
    lead = ty.broadcast_shapes(a.shape[:-2], y.shape[:-2])
    a = build.broadcast_to(cast(a, dtype), (*lead, *a.shape[-2:]))
    return a, build.broadcast_to(cast(y, dtype), (*lead, *y.shape[-2:])), vector


def _shaped(x: Value, vector: bool) -> Value:
    return reshape(x, x.shape[:-1]) if vector else x


def cholesky(a: Any, lower: bool = True) -> Value:
    """The factor l of l l^H = a (lower=False: u of u^H u); of a one triangle is read."""
    x = _square(a, "cholesky")
    return CHOLESKY(x) if lower else adjoint(CHOLESKY(adjoint(x)))


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Value:
    """The x with t x = b, t a triangle of a (trans 1 or "T": t^T; 2 or "C": t^H)."""
    x = _square(a, "solve_triangular")
    names = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}
    if trans not in names:
        raise ValueError(f"trans is {trans!r}; expected 0, 1, 2, 'N', 'T' or 'C'")
    turn = names[static(trans, "trans")]
    x, y, vector = _pair(conj(x) if turn == 2 else x, b, "solve_triangular")
    found = TRIANGULAR_SOLVE(x, y, lower=bool(lower), turned=turn != 0, unit=bool(unit_diagonal))
    return _shaped(found, vector)


def cho_solve(c: Any, b: Any) -> Value:
    """The x with a x = b, of `(factor, lower)`."""
    factor, lower = c
    once = solve_triangular(factor, b, 0 if lower else 2, lower)
    return solve_triangular(factor, once, 2 if lower else 0, lower)


def lu_factor(a: Any) -> LUFactors:
    """l and u of p a = l u, packed."""
    return LUFactors(*LU(_matrix(a, "lu_factor")))


def _matrix(a: Any, what: str) -> Value:
    x = d._matrix_operand(a, what)
    if len(x.shape) < 2:
        raise TraceError(f"{what} takes matrices, got {x.type}")
    return x


def lu_solve(factors: Any, b: Any) -> Value:
    """The x with a x = b, of what `lu_factor` gave."""
    packed, _, order = factors
    x, y, vector = _pair(_square(packed, "lu_solve"), b, "lu_solve")
    index = cast(value(order), I64)
    index = expand(index, (len(index.shape),))
    lead = (*x.shape[:-2], x.shape[-1], 1)
    y = take_along_axis(y, build.broadcast_to(index, lead), -2)
    once = TRIANGULAR_SOLVE(x, y, lower=True, turned=False, unit=True)
    return _shaped(TRIANGULAR_SOLVE(x, once, lower=False, turned=False, unit=False), vector)


def lu(a: Any) -> LUResult:
    """p, l and u with a = p l u, p a permutation."""
    x = _matrix(a, "lu")
    packed, _, order = LU(x)
    m, n = x.shape[-2:]
    few = packed.shape[-1] if m is n or m == n else min(m, n)
    below = part(tril(packed, -1), -1, 0, few)
    lower = u.add(below, eye(m, few, dtype=x.dtype))
    upper = part(triu(packed), -2, 0, few)
    lines = build.iota((*order.shape, m), len(order.shape) - 1, I64)  # row of p: any
    wanted = build.broadcast_to(expand(cast(order, I64), (len(order.shape) - 1,)), lines.shape)
    return LUResult(cast(u.equal(lines, wanted), x.dtype), lower, upper)


_PADE = {
    7: (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0),
    13: (
        64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
        129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
        40840800.0, 960960.0, 16380.0, 182.0, 1.0,
    ),
}  # fmt: skip
_REACH = {7: 3.925724783138660, 13: 5.371920351148152}
"""1-norms up to which an approximation has all digits (7: of f32, 13: of f64)."""


def expm(a: Any) -> Value:
    """The exponential of matrices, by scaling and squaring.

    Source: Higham, The scaling and squaring method for the matrix exponential revisited, 2005
    """
    x = _square(a, "expm")
    order = 7 if x.dtype.real is F32 else 13
    size = r.max(r.sum(u.absolute(x), -2), -1, initial=0)
    steps = u.maximum(u.ceil(u.log2(u.divide(size, _REACH[order]))), 0.0)
    scale = u.exp2(u.negative(u.minimum(steps, float(SQUARINGS))))
    x = u.multiply(x, _each(cast(scale, x.dtype)))
    odd, even = _series(x, order)
    found = SOLVE(u.subtract(even, odd), u.add(even, odd), singular="nan")
    for k in range(SQUARINGS):
        more = build.broadcast_to(_each(u.greater(steps, float(k))), found.shape)
        found = u.where(more, products.matmul(found, found), found)
    beyond = build.broadcast_to(_each(u.greater(steps, float(SQUARINGS))), found.shape)
    return u.where(beyond, build.full_like(found, float("nan")), found)


def _each(x: Value) -> Value:
    """A number for each matrix, to be broadcast over it."""
    return expand(x, (len(x.shape), len(x.shape) + 1))


def _series(x: Value, order: int) -> tuple[Value, Value]:
    """The odd and the even part of Padé's numerator."""
    b = _PADE[order]
    one = build.broadcast_to(eye(x.shape[-1], dtype=x.dtype), x.shape)
    square = products.matmul(x, x)
    powers = [one, square]
    while len(powers) <= order // 2:
        powers.append(products.matmul(powers[-1], square))

    def total(first: int) -> Value:
        found: Any = None
        for k, power in enumerate(powers):
            term = u.multiply(power, b[2 * k + first])
            found = term if found is None else u.add(found, term)
        return found

    return products.matmul(x, total(1)), total(0)
