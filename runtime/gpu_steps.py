"""What is launched on a GPU: kernels, with the places of their buffers, and copies.

graphc/device plans them, gpu_plan.py reads them from artifacts, and gpu_run.py runs them, in the
loops and choices of steps.py.

Place  = ("buffer", k)      the call's k-th buffer: arguments, then results
       | ("arena", offset) | ("kept", offset)        bytes from a block's start
       | ("constant", k)
       | ("local", name)    what a loop around binds
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from .records import dataclass
from .steps import E, Place

GRID_LIMITS = (2**31 - 1, 65535, 65535)
"""Of a launch, in blocks."""


class Kernel(Protocol[E]):
    """How a kernel is launched: `grid` is evaluated then and cut to GRID_LIMITS, and a launch with
    an extent of 0 is left out. The arguments are the buffers' addresses and the symbols, then the
    address of an i32 for an error's number if it `fails`.
    """

    @property
    def name(self) -> str: ...
    @property
    def grid(self) -> tuple[E, E, E]: ...
    @property
    def block(self) -> tuple[int, int, int]: ...
    @property
    def dynamic_bytes(self) -> int: ...
    @property
    def fails(self) -> bool: ...


K = TypeVar("K", covariant=True)


@dataclass(frozen=True, slots=True)
class Launch(Generic[K]):
    """One kernel with the places of its buffers, and the symbols that follow them."""

    kernel: K
    buffers: tuple[Place, ...]
    symbols: tuple[str, ...]
    line: str
    """Where the user's program asks for it."""


@dataclass(frozen=True, slots=True)
class Copy(Generic[E]):
    """Brings bytes from one place to another."""

    source: Place
    target: Place
    nbytes: E
