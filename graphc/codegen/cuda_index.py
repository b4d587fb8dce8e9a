"""Index polynomials as C expressions, for the CUDA printer.

Arithmetic is in 64 bits but where the bounds of the loop variables show that 32 suffice.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import types as ty
from ..loops import ir as L
from ..loops.cuda_access import merge
from ..loops.ir import Expr, Index, LoopFunc
from ..types import Dim

INT_MAX = 2**31 - 1


class Bounds:
    """What is known of the names that indices use: loop variables, symbols, and Lets."""

    def __init__(self, func: LoopFunc):
        self._loops: set[str] = set()
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
        self._loops.add(var)
        self.known[var] = (0, None if high is None else max(high - 1, 0))

    def define(self, name: str, value: Expr) -> None:
        """A Let: an index has the bounds of its polynomial, other values any."""
        index = value.index if isinstance(value, L.Idx) else None
        self.known[name] = (None, None) if index is None else ty.bounds(index, self.known)

    def ctype(self, var: str) -> str:
        """The C type of a loop variable: one more than its last value must fit, to end the loop."""
        if var not in self._loops:
            return "long long"
        high = self.known[var][1]
        return "int" if high is not None and high < INT_MAX else "long long"

    def of(self, index: Index) -> tuple[int | None, int | None]:
        return ty.bounds(index, self.known)


class IndexPrinter:
    """Prints indices; `name` answers the C identifier of a name."""

    def __init__(self, bounds: Bounds, name: Callable[[str], str]):
        self._bounds, self._name = bounds, name

    def text(self, index: Index) -> str:
        """The index as an operand of a comparison, a subscript, or an argument."""
        return self._sum(index)[0]

    def _sum(self, index: Index) -> tuple[str, bool, bool]:
        """The text, whether its C type is long long, and whether it is a sum (or has a sign)."""
        index = merge(index)
        if not isinstance(index, Dim):
            wide = abs(index) > INT_MAX
            return (f"{index}LL" if wide else str(index)), wide, index < 0
        narrow = self._fits(index)
        text, any_wide = "", False
        for monomial, coefficient in index.terms:
            factors = [self._atom(atom) for atom in monomial]
            factors.sort(
                key=lambda f: not f[1]
            )  # what is 64 bits wide first: the product is then, too
            wide = bool(factors) and factors[0][1]
            parts = [f[0] for f in factors]
            size = abs(coefficient)
            if size != 1 or not monomial:
                parts.append(str(size) if size <= INT_MAX else f"{size}LL")
            if not narrow and not wide and monomial:
                parts[0], wide = f"(long long){parts[0]}", True
            sign = " - " if coefficient < 0 else " + "
            text += (sign if text else sign.strip().replace("+", "")) + " * ".join(parts)
            any_wide |= wide
        return text, any_wide, len(index.terms) > 1 or text.startswith("-")

    def _factor(self, index: Index) -> tuple[str, bool]:
        text, wide, is_sum = self._sum(index)
        compound = is_sum or " * " in text or text.startswith("(long long)")
        return (f"({text})" if compound else text), wide

    def _atom(self, atom: ty.Atom) -> tuple[str, bool]:
        if isinstance(atom, str):
            return self._name(atom), self._bounds.ctype(atom) != "int"
        sign, left, right = atom
        low, divisor_low = self._bounds.of(left)[0], self._bounds.of(right)[0]
        (a, a_wide), (b, b_wide) = self._factor(left), self._factor(right)
        if low is not None and low >= 0 and divisor_low is not None and divisor_low >= 0:
            return f"({a} {'/' if sign == '//' else '%'} {b})", a_wide or b_wide
        return f"gc_index_{'div' if sign == '//' else 'mod'}({a}, {b})", True

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
