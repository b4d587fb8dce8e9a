"""What the extents of loops say about indices: comparisons that are decided, quotients that are
numbers.
"""

from __future__ import annotations

from .. import types as ty
from ..types import Dim
from . import ir as L
from .ir import Expr, Index


def less(a: Index, b: Index, extents: dict[str, Index]) -> Expr:
    """a < b; a constant when the loops' extents decide it."""
    difference = a - b
    if isinstance(difference, Dim):
        top = _at_extremes(difference, extents, greatest=True)
        if top is not None and (high := ty.bounds(top)[1]) is not None and high < 0:
            return L.TRUE
        bottom = _at_extremes(difference, extents, greatest=False)
        if bottom is not None and (low := ty.bounds(bottom)[0]) is not None and low >= 0:
            return L.FALSE
        known = {v: (0, e - 1 if isinstance(e, int) else None) for v, e in extents.items()}
        return L.less(a, b, known)
    return L.TRUE if difference < 0 else L.FALSE


def _at_extremes(index: Dim, extents: dict[str, Index], greatest: bool) -> Index | None:
    """The index with each loop variable at the end of its range
    that makes it greatest (or least).
    """
    env: dict[str, Index] = {}
    for monomial, coefficient in index.terms:
        for atom in monomial:
            if not isinstance(atom, str):
                return None
            if atom in extents:
                if any(
                    isinstance(other, str) and other in extents
                    for other in monomial
                    if other is not atom
                ):
                    return None
                end = extents[atom] - 1 if (coefficient > 0) == greatest else 0
                if env.setdefault(atom, end) != end:
                    return None
    return ty.substitute(index, env)


def simplify(index: Index, extents: dict[str, Index]) -> Index:
    """The index without the // and % whose dividend the loops keep within the divisor."""
    if not isinstance(index, Dim) or all(isinstance(a, str) for m, _ in index.terms for a in m):
        return index
    total: Index = 0
    for monomial, coefficient in index.terms:
        term: Index = coefficient
        for atom in monomial:
            term = term * (Dim.symbol(atom) if isinstance(atom, str) else _divided(atom, extents))
        total = total + term
    return total


def _divided(atom: tuple, extents: dict[str, Index]) -> Index:
    sign, left, right = atom
    left, right = simplify(left, extents), simplify(right, extents)
    if less(left, right, extents) == L.TRUE and less(-1, left, extents) == L.TRUE:
        return 0 if sign == "//" else left
    return left // right if sign == "//" else left % right
