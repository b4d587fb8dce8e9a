"""What opaque cards share: whole elements (a complex one is two numbers) and nests of loops.

Called by the `emit` of opaque cards; `c` is the context of graphc/DESIGN.md section 7. Beyond what
is listed there, `c.code(message)` is the code with which a Fail reports that message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..loops.ir import (
    Alloc,
    Buffer,
    Expr,
    For,
    Index,
    Let,
    Load,
    Name,
    Pair,
    Stmt,
    Store,
    scalar,
)
from ..types import Dim, DType, Extent
from .define import Element


def load(buffer: Buffer, dtype: DType, index: tuple[Index, ...]) -> Element:
    """The element of a tensor of that dtype, whose buffer is given."""
    if dtype.is_complex:
        return Pair(Load(buffer, (*index, 0)), Load(buffer, (*index, 1)))
    return Load(buffer, index)


def store(buffer: Buffer, index: tuple[Index, ...], value: Element) -> tuple[Stmt, ...]:
    """The stores of an element."""
    if isinstance(value, Pair):
        return (
            Store(buffer, (*index, 0), value.re),
            Store(buffer, (*index, 1), value.im),
        )
    return (Store(buffer, index, value),)


def bound(c: Any, stem: str, value: Element) -> tuple[tuple[Stmt, ...], Element]:
    """Lets that name an element, and the element by its names."""
    if isinstance(value, Pair):
        first, re = bound(c, stem, value.re)
        second, im = bound(c, stem, value.im)
        assert not isinstance(re, Pair) and not isinstance(im, Pair)
        return first + second, Pair(re, im)
    name = c.fresh(stem)
    return (Let(name, value),), Name(name, value.dtype)


def product(a: Element, b: Element) -> Element:
    """a*b, for complex numbers by the formula."""
    if isinstance(a, Pair) and isinstance(b, Pair):
        return Pair(
            scalar("sub", scalar("mul", a.re, b.re), scalar("mul", a.im, b.im)),
            scalar("add", scalar("mul", a.re, b.im), scalar("mul", a.im, b.re)),
        )
    assert not isinstance(a, Pair) and not isinstance(b, Pair)
    return scalar("mul", a, b)


def total(a: Element, b: Element) -> Element:
    """a + b."""
    if isinstance(a, Pair) and isinstance(b, Pair):
        return Pair(scalar("add", a.re, b.re), scalar("add", a.im, b.im))
    assert not isinstance(a, Pair) and not isinstance(b, Pair)
    return scalar("add", a, b)


def nest(
    c: Any,
    extents: Sequence[Extent],
    body: Callable[[tuple[Index, ...]], tuple[Stmt, ...]],
    outer: str = "parallel",
) -> tuple[Stmt, ...]:
    """`body` under a loop for each extent; the outermost of kind `outer`, the others serial."""
    names = [c.fresh("i") for _ in extents]
    stmts = body(tuple(Dim.symbol(name) for name in names))
    for depth in range(len(names) - 1, -1, -1):
        kind = outer if depth == 0 else "serial"
        stmts = (For(names[depth], extents[depth], kind, stmts),)
    return stmts


class Cells:
    """A few numbers that a serial loop carries, in a local buffer of their own."""

    def __init__(self, c: Any, stem: str, dtype: DType, count: int):
        self.buffer = Buffer(c.fresh(stem), dtype, (count,), space="local")

    @property
    def alloc(self) -> Stmt:
        return Alloc(self.buffer)

    def get(self, k: int = 0) -> Expr:
        return Load(self.buffer, (k,))

    def set(self, value: Expr, k: int = 0) -> Stmt:
        return Store(self.buffer, (k,), value)
