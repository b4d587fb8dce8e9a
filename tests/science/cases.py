"""The registry of programs as scientists write them, and the arguments they are run with.

A program is a plain NumPy function. It is run unchanged, by NumPy and under `graphc.jit`, for every
dtype and every size that its `case` names; both must give the same structure, dtypes, shapes and
values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arguments = Callable[["Draw", int], tuple[Any, ...]]


class Draw:
    """Arrays of one dtype from a fixed stream of random numbers."""

    def __init__(self, dtype: str, seed: int):
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(seed)

    def array(self, *shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
        """Numbers in [low, high); integers from the same range, ends rounded inwards."""
        kind = self.dtype.kind
        if kind == "c":
            parts = self.rng.uniform(low, high, (2, *shape))
            return (parts[0] + 1j * parts[1]).astype(self.dtype)
        if kind == "b":
            return self.rng.integers(0, 2, shape).astype(bool)
        if kind in "iu":
            least = max(0, int(low)) if kind == "u" else int(low)
            return self.rng.integers(least, max(int(high), least + 1), shape).astype(self.dtype)
        return self.rng.uniform(low, high, shape).astype(self.dtype)

    def normal(self, *shape: int) -> np.ndarray:
        """Normal numbers."""
        return self.rng.normal(size=shape).astype(self.dtype)

    def number(self, value: float) -> Any:
        """A NumPy number of the dtype."""
        return self.dtype.type(value)

    def integers(self, high: int, *shape: int, dtype: str = "i8") -> np.ndarray:
        """Integers in [0, high)."""
        return self.rng.integers(0, max(high, 1), shape).astype(dtype)

    def choice(self, *shape: int, p: float = 0.5) -> np.ndarray:
        """Booleans that are true with probability p."""
        return self.rng.random(shape) < p


@dataclass(frozen=True)
class Case:
    """One program with what it is run on."""

    function: Callable[..., Any]
    arguments: Arguments
    dtypes: tuple[str, ...]
    sizes: tuple[int, ...]
    static: tuple[str, ...]
    rtol: float
    """For float64; float32 gets its own digits' share."""

    @property
    def name(self) -> str:
        return self.function.__name__

    def tolerance(self, dtype: str) -> float:
        """The relative tolerance for a dtype; the absolute one is as much of the scale."""
        single = np.dtype(dtype) in (np.dtype("f4"), np.dtype("c8"))
        return self.rtol * 5e8 * 0.4 if single else self.rtol


CASES: list[Case] = []
FLOATS = ("f4", "f8")
INTEGERS = ("i4", "i8", "u1")


def case(
    arguments: Arguments,
    *,
    dtypes: tuple[str, ...] = FLOATS,
    sizes: tuple[int, ...] = (5, 16, 37),
    static: tuple[str, ...] = (),
    rtol: float = 1e-11,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters a program: `arguments(draw, size)` makes what it is called with."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(function, arguments, dtypes, sizes, static, rtol))
        return function

    return enter
