"""Extents of artifacts: numbers, and polynomials as texts (`2*b + 1`, `(b + 3)//4`), which are
checked when they are read and are numbers when a function is called.

Who calls it: gpu_plan.py and on_gpu.py.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .errors import ArtifactError

MOST = 2**62
"""What no extent is."""
MOST_CHARACTERS = 1 << 16
DEPTH = 100
"""Of a text; a longer or deeper one is damaged."""
_OPERATIONS: dict[type, Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}


class Polynomial:
    """A text of integers, names, + - * // % and parentheses."""

    __slots__ = ("_tree", "text")

    def __init__(self, text: str, symbols: Collection[str]):
        self.text = text
        if len(text) > MOST_CHARACTERS:
            raise ArtifactError("an extent is too long")
        try:
            self._tree = ast.parse(text, mode="eval").body
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            raise ArtifactError(f"{text[:80]!r} is no extent") from None
        self._check(self._tree, symbols, 0)

    def _check(self, node: ast.expr, symbols: Collection[str], depth: int) -> None:
        if depth > DEPTH:
            raise ArtifactError("an extent is nested too deeply")
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value < MOST:
            return
        if isinstance(node, ast.Name) and node.id in symbols:
            return
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._check(node.operand, symbols, depth + 1)
        first, rest = _taken_apart(node)
        if not rest or any(type(one.op) not in _OPERATIONS for one in rest):
            raise ArtifactError(f"{self.text[:80]!r} is no extent")
        for one in (first, *(one.right for one in rest)):
            self._check(one, symbols, depth + 1)

    def __str__(self) -> str:
        return self.text

    def value(self, env: Mapping[str, int]) -> int:
        """The number in a call, where the symbols have these values.

        Raises:
            ArtifactError: it is less than 0, or a divisor is 0.
        """
        try:
            found = _value(self._tree, env)
        except ZeroDivisionError:
            raise ArtifactError(f"the extent {self.text} divides by 0 for {dict(env)}") from None
        if not 0 <= found < MOST:
            raise ArtifactError(f"the extent {self.text} is {found} for {dict(env)}")
        return found


def _value(node: ast.expr, env: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int)
        return node.value
    if isinstance(node, ast.Name):
        return env[node.id]
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, env)
    first, rest = _taken_apart(node)
    found = _value(first, env)
    for one in rest:
        found = _OPERATIONS[type(one.op)](found, _value(one.right, env))
    return found


def _taken_apart(node: ast.expr) -> tuple[ast.expr, list[ast.BinOp]]:
    """The first operand of a row of operations, and these in order; a sum may be long."""
    found: list[ast.BinOp] = []
    while isinstance(node, ast.BinOp):
        found.append(node)
        node = node.left
    return node, found[::-1]


Extent = int | Polynomial


def extent(x: Any, symbols: Collection[str], where: str) -> Extent:
    """The extent that something stands for.

    Raises:
        ArtifactError: for what is none, or has names that are no symbols.
    """
    if type(x) is int and 0 <= x < MOST:
        return x
    if type(x) is not str:
        raise ArtifactError(f"{where} is {x!r}, which is no extent")
    try:
        return Polynomial(x, symbols)
    except ArtifactError as error:
        raise ArtifactError(f"{where}: {error}") from None


def number(extent: Extent, env: Mapping[str, int]) -> int:
    """An extent's value in a call; errors as those of `Polynomial.value`."""
    return extent if isinstance(extent, int) else extent.value(env)
