"""Index polynomials as C expressions, and the questions that the CUDA printer and schedule ask of them.

Arithmetic is in 64 bits but where the bounds of the loop variables show that 32 suffice.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import types as ty
from ..loops import ir as L
from ..loops.ir import Expr, Index, LoopFunc
from ..types import Dim

INT_MAX = 2**31 - 1


class Bounds:
    """What is known of the names that indices use: loop variables, symbols, and Lets."""

    def __init__(self, func: LoopFunc):
        # a symbol that is no extent may be a stride, which may be negative
        extents: set[str] = set()
        for buffer in func.params:
            for extent in buffer.shape:
                extents |= ty.symbols(extent)
        for stmt in L.statements(func.body):
            if isinstance(stmt, L.For):
                extents |= ty.symbols(stmt.extent)
        self.known: dict[str, tuple[int | None, int | None]] = {
            s: (0 if s in extents else None, None) for s in func.symbols
        }

    def loop(self, var: str, extent: Index) -> None:
        """A loop variable runs from 0 to below the extent."""
        high = ty.bounds(extent, self.known)[1]
        self.known[var] = (0, None if high is None else max(high - 1, 0))

    def define(self, name: str, value: Expr) -> None:
        """A Let: an index has the bounds of its polynomial, other values any."""
        index = value.index if isinstance(value, L.Idx) else None
        self.known[name] = (None, None) if index is None else ty.bounds(index, self.known)

    def ctype(self, var: str) -> str:
        """The C type of a loop variable: one more than its last value must fit, to end the loop."""
        high = self.known[var][1]
        return "int" if high is not None and high < INT_MAX else "long long"

    def of(self, index: Index) -> tuple[int | None, int | None]:
        return ty.bounds(index, self.known)


class IndexPrinter:
    """Prints indices; `name` answers the C identifier of a name."""

    def __init__(self, bounds: Bounds, name: Callable[[str], str]):
        self._bounds, self._name = bounds, name

    def text(self, index: Index) -> str:
        index = merge(index)
        if not isinstance(index, Dim):
            return str(index) if abs(index) <= INT_MAX else f"{index}LL"
        narrow = self._fits(index)
        parts: list[str] = []
        for monomial, coefficient in index.terms:
            factors = [self._atom(atom) for atom in monomial]
            size = abs(coefficient)
            if size != 1 or not monomial:
                factors.append(str(size) if size <= INT_MAX else f"{size}LL")
            if not narrow:
                factors[0] = f"(long long){factors[0]}"
            sign = "-" if coefficient < 0 else "+" if parts else ""
            parts.append(f"{sign} {' * '.join(factors)}" if parts else sign + " * ".join(factors))
        text = " ".join(parts)
        return text if len(parts) == 1 and "*" not in text and "-" not in text else f"({text})"

    def _atom(self, atom: ty.Atom) -> str:
        if isinstance(atom, str):
            return self._name(atom)
        sign, left, right = atom
        low, divisor_low = self._bounds.of(left)[0], self._bounds.of(right)[0]
        a, b = self.text(left), self.text(right)
        if low is not None and low >= 0 and divisor_low is not None and divisor_low >= 0:
            return f"({a} {'/' if sign == '//' else '%'} {b})"
        return f"gc_index_{'div' if sign == '//' else 'mod'}({a}, {b})"

    def _fits(self, index: Dim) -> bool:
        """Does every product and partial sum fit 32 bits?"""
        total = 0
        for monomial, coefficient in index.terms:
            factor = 1
            for atom in monomial:
                low, high = self._bounds.of(Dim((((atom,), 1),)))
                if low is None or high is None:
                    return False
                factor *= max(abs(low), abs(high), 1)
            total += factor * abs(coefficient)
        return total <= INT_MAX


def merge(index: Index) -> Index:
    """The index with `(a // b)*b + a % b` written as `a`, which it equals."""
    while isinstance(index, Dim):
        better = _merged_once(index)
        if better is None:
            return index
        index = better
    return index


def _merged_once(index: Dim) -> Index | None:
    for monomial, coefficient in index.terms:
        for position, atom in enumerate(monomial):
            if isinstance(atom, str) or atom[0] != "%":
                continue
            rest = Dim(((monomial[:position] + monomial[position + 1 :], coefficient),))
            scale = coefficient if not rest.terms[0][0] else rest
            for dividend in _dividends(index, atom[2]):
                if not _is_multiple(dividend - atom[1], atom[2]):
                    continue
                pair = Dim((((atom,), 1),)) + Dim(((((("//", dividend, atom[2])),), 1),)) * atom[2]
                better = index - scale * pair + scale * dividend
                if _divisions(better) < _divisions(index):
                    return better
    return None


def _dividends(index: Dim, divisor: Index) -> list[Index]:
    """What is divided by the divisor somewhere in the index."""
    return [
        atom[1]
        for monomial, _ in index.terms
        for atom in monomial
        if not isinstance(atom, str) and atom[0] == "//" and atom[2] == divisor
    ]


def _is_multiple(index: Index, divisor: Index) -> bool:
    if index == 0:
        return True
    rest = index % divisor
    return not isinstance(rest, Dim) and rest == 0


def _divisions(index: Index) -> int:
    if not isinstance(index, Dim):
        return 0
    return sum(not isinstance(atom, str) for monomial, _ in index.terms for atom in monomial)


def stride(offset: Index, var: str) -> int | None:
    """The constant stride of an offset along a variable; None when there is none (a symbol, a division)."""
    if not isinstance(offset, Dim):
        return 0
    found = 0
    for monomial, coefficient in offset.terms:
        if monomial == (var,):
            found = coefficient
        elif any(atom == var if isinstance(atom, str) else var in _names(atom) for atom in monomial):
            return None
    return found


def linear(offset: Index, var: str, lanes: int) -> bool:
    """Are the elements of all lanes contiguous, and the first at a multiple of their number?"""
    offset = _lift_lane(offset, var, lanes)
    if stride(offset, var) != 1 or not isinstance(offset, Dim):
        return False
    return all(c % lanes == 0 for monomial, c in offset.terms if monomial != (var,))


def _lift_lane(index: Index, var: str, lanes: int) -> Index:
    """The index with the lane outside of divisions: (a + v) % d is a % d + v when lanes divide a and d."""
    if not isinstance(index, Dim):
        return index
    total: Index = 0
    for monomial, coefficient in index.terms:
        term: Index = coefficient
        for atom in monomial:
            term = term * (Dim.symbol(atom) if isinstance(atom, str) else _lifted(atom, var, lanes))
        total = total + term
    return total


def _lifted(atom: tuple, var: str, lanes: int) -> Index:
    sign, left, right = atom
    left = _lift_lane(left, var, lanes)
    divisible = isinstance(right, int) and right % lanes == 0
    if divisible and isinstance(left, Dim) and linear(left, var, lanes):
        left = left - Dim.symbol(var)
        return left // right if sign == "//" else left % right + Dim.symbol(var)
    return left // right if sign == "//" else left % right


def _names(atom: tuple) -> frozenset[str]:
    return ty.symbols(atom[1]) | ty.symbols(atom[2])
