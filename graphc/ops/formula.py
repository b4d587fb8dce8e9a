"""Formulas over graph values with Python's operators, in which cards write derivatives.

It asks the registry for ops by name and imports no card, so that every card can use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ir import Value
from ..opdef import lookup
from ..types import BF16, DType, Extent, TensorType

Number = int | float | complex


class Formula:
    """A value with operators; numbers become arrays of its type."""

    __slots__ = ("value",)

    def __init__(self, value: Value):
        self.value = value

    def _lift(self, other: Formula | Number) -> Value:
        return other.value if isinstance(other, Formula) else full(self.value.type, other)

    def f(self, name: str, *others: Formula | Number) -> Formula:
        """An elementwise op."""
        return Formula(lookup(name)(self.value, *map(self._lift, others)))

    def __add__(self, other: Formula | Number) -> Formula:
        return self.f("add", other)

    __radd__ = __add__

    def __sub__(self, other: Formula | Number) -> Formula:
        return self.f("sub", other)

    def __rsub__(self, other: Number) -> Formula:
        return Formula(self._lift(other)) - self

    def __mul__(self, other: Formula | Number) -> Formula:
        return self.f("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Formula | Number) -> Formula:
        return self.f("div", other)

    def __rtruediv__(self, other: Number) -> Formula:
        return Formula(self._lift(other)) / self

    def __neg__(self) -> Formula:
        return self.f("neg")

    def same(self, other: Formula | Number) -> Formula:
        """Where it equals the other."""
        return self.f("eq", other)

    def where(self, a: Formula | Number, b: Formula | Number) -> Formula:
        """a where this condition holds, else b; one of them is no number."""
        like = a if isinstance(a, Formula) else b
        assert isinstance(like, Formula)
        return Formula(lookup("select")(self.value, like._lift(a), like._lift(b)))

    def unless(self, number: Number, instead: Number) -> Formula:
        """Itself, but `instead` where it equals `number`."""
        other = Formula(self._lift(instead))
        return self.same(number).where(other, self)

    @property
    def number(self) -> Any:
        """The number that every element is known to be, or None."""
        node = self.value.node
        while node.op.name in ("broadcast", "reshape", "cast"):
            node = node.operands[0].node
        return node.attrs["value"] if node.op.name == "full" else None


def full(type: TensorType, number: Number) -> Value:
    """An array of that type with one number everywhere."""
    whole: Any = number
    if type.dtype is BF16 or type.dtype.is_float:
        whole = float(number)  # type: ignore[arg-type]
    return lookup("full")(value=whole, dtype=type.dtype, shape=type.shape)


def zeros(type: TensorType) -> Value:
    """An array of zeros."""
    return full(type, 0)


def cast(x: Value, dtype: DType) -> Value:
    """x in that dtype."""
    return x if x.dtype is dtype else lookup("cast")(x, dtype=dtype)


def select(cond: Value, a: Value, b: Value) -> Value:
    """a where the condition holds, else b."""
    return lookup("select")(cond, a, b)


def reshape(x: Value, shape: Sequence[Extent]) -> Value:
    """x with another shape of as many elements."""
    return x if x.shape == tuple(shape) else lookup("reshape")(x, shape=tuple(shape))


def transpose(x: Value, axes: Sequence[int]) -> Value:
    """x with its axes in that order."""
    if tuple(axes) == tuple(range(len(x.shape))):
        return x
    return lookup("transpose")(x, axes=tuple(axes))


def broadcast(x: Value, shape: Sequence[Extent], axes: Sequence[int]) -> Value:
    """x spread over a shape, in which its axes are `axes`."""
    if x.shape == tuple(shape):
        return x
    return lookup("broadcast")(x, shape=tuple(shape), axes=tuple(axes))


def reduce(kind: str, x: Value, axes: Sequence[int]) -> Value:
    """A reduction; x itself over no axes."""
    return lookup("reduce")(x, kind=kind, axes=tuple(axes)) if axes else x


def reverse(x: Value, axes: Sequence[int]) -> Value:
    """x with the order along some axes turned round."""
    start: list[Extent] = [0] * len(x.shape)
    step = [1] * len(x.shape)
    for axis in axes:
        if x.shape[axis] not in (0, 1):
            start[axis], step[axis] = x.shape[axis] - 1, -1
    if -1 not in step:
        return x
    return lookup("slice")(x, start=tuple(start), shape=x.shape, step=tuple(step))


def digamma(a: Formula) -> Formula:
    """The derivative of ln|Γ(a)|, by ψ(a) = ψ(a + 1) - 1/a, Stirling's series, and reflection.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 6.3.5, 6.3.7, 6.3.18
    """
    left = a.f("lt", 0.5)
    x = left.where(1 - a, a)
    shifted, rest = x, None
    for _ in range(8):  # then x is above 8, where the series has all digits of f64
        rest = 1 / shifted if rest is None else rest + 1 / shifted
        shifted = shifted + 1
    assert rest is not None
    w = 1 / (shifted * shifted)
    series: Formula | float = 0.0
    # B_2k / 2k, k = 8 to 1
    for coefficient in (
        -3617 / 8160, 1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12,
    ):  # fmt: skip
        series = w * (series + coefficient)
    found = shifted.f("log") - 0.5 / shifted - series - rest
    angle = left.where(a, 0.25) * math.pi
    return left.where(found - math.pi / angle.f("tan"), found)
