"""share: names the parts of a scalar expression that occur more than once.

The formulas of complex functions use their parts several times. An expression is a tree, so
printed as it is, what is shared would be computed again at each place (the tree of a complex `pow`
has 6000 nodes, of which 120 are different). For the lowering, on what an elementwise card answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..loops.ir import Bitcast, Cast, Expr, Pair, Scalar, Select, children
from .define import Element

Bind = Callable[[Expr], Expr]


def share(element: Element, bind: Bind) -> Element:
    """The element with every part that occurs more than once replaced by `bind(part)`.

    Inner parts are bound before those that contain them.
    """
    sharing = _Sharing(bind)
    roots = [element.re, element.im] if isinstance(element, Pair) else [element]
    for root in roots:
        sharing.count(root)
    found = [sharing.named(root) for root in roots]
    return Pair(found[0], found[1]) if isinstance(element, Pair) else found[0]


class _Sharing:
    """Hash-consing: equal expressions get one number, whichever objects they are."""

    def __init__(self, bind: Bind):
        self.bind = bind
        self.number_of: dict[int, int] = {}
        self.keep: list[Expr] = []
        """The expressions whose ids are keys above: an id is an object's own while it lives."""
        self.numbers: dict[Any, int] = {}
        self.uses: dict[int, int] = {}
        self.done: dict[int, Expr] = {}

    def number(self, expr: Expr) -> int:
        found = self.number_of.get(id(expr))
        if found is None:
            inside = tuple(self.number(e) for e in children(expr))
            if isinstance(expr, (Scalar, Cast, Bitcast, Select)):
                key: Any = (type(expr), getattr(expr, "op", None), expr.dtype, inside)
            else:
                key = expr if expr == expr else id(expr)  # a NaN is not itself
                key = (repr(key), key)  # 0.0 and -0.0 are equal, but not the same
            found = self.numbers.setdefault(key, len(self.numbers))
            self.number_of[id(expr)] = found
            self.keep.append(expr)
        return found

    def count(self, expr: Expr) -> None:
        number = self.number(expr)
        self.uses[number] = self.uses.get(number, 0) + 1
        if self.uses[number] == 1:
            for inner in children(expr):
                self.count(inner)

    def named(self, expr: Expr) -> Expr:
        number = self.number(expr)
        found = self.done.get(number)
        if found is None:
            found = self.rebuilt(expr)
            if self.uses[number] > 1 and children(expr):
                found = self.bind(found)
            self.done[number] = found
        return found

    def rebuilt(self, expr: Expr) -> Expr:
        if isinstance(expr, Scalar):
            return Scalar(expr.op, tuple(self.named(a) for a in expr.args), expr.dtype)
        if isinstance(expr, Cast):
            return Cast(self.named(expr.value), expr.dtype)
        if isinstance(expr, Bitcast):
            return Bitcast(self.named(expr.value), expr.dtype)
        if isinstance(expr, Select):
            return Select(self.named(expr.cond), self.named(expr.a), self.named(expr.b))
        return expr
