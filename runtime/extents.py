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
MOST_NODES = 4096
DEPTH = 200
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
        try:
            self._tree = ast.parse(text, mode="eval").body
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            raise ArtifactError(f"{text[:80]!r} is no extent") from None
        if sum(1 for _ in ast.walk(self._tree)) > MOST_NODES:
            raise ArtifactError("an extent is too long")
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
        if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATIONS:
            raise ArtifactError(f"{self.text[:80]!r} is no extent")
        self._check(node.left, symbols, depth + 1)
        self._check(node.right, symbols, depth + 1)

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
    assert isinstance(node, ast.BinOp)
    return _OPERATIONS[type(node.op)](_value(node.left, env), _value(node.right, env))


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
