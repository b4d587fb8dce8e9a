"""One exported function for one processor: its plan, the block of constants that it reads, and its
LLVM IR.

What depends on constants only is computed here, on the machine that builds, with the loops of the
machine that the library is for; so a library of another machine starts as fast as one of this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import graphc_runtime
import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..codegen import build as builder
from ..codegen import steps as s
from ..codegen.entry import Weights
from ..codegen.shipped import print_setup, print_shipped
from ..codegen.target import host_isa, host_target
from ..compile import Lowered, ensure_native, fill_table, run_setup
from ..errors import BuildError
from ..trace import TracedFunction, donations
from .signature import without_folders
from .targets import Level, Platform

ALIGN = 64
"""Of every constant in the block of weights."""


class Block:
    """The constants of a library, each once: bytes that every program gets the address of."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self.nbytes = 0

    def put(self, content: bytes) -> int:
        """The place of these bytes, which are added if they are not there yet."""
        digest = hashlib.sha256(content).digest()
        if digest not in self._places:
            self._places[digest] = self.nbytes
            padding = -len(content) % ALIGN
            self._parts += [content, bytes(padding)]
            self.nbytes += len(content) + padding
        return self._places[digest]

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)


@dataclass(frozen=True, slots=True)
class Program:
    """One function for one level of processors.

    `prefix` begins the names of its two functions (codegen/shipped.py). `arena` bytes are needed
    for a call, and `scratch` more for each worker. `messages` are the texts of its error codes.
    """

    prefix: str
    level: Level
    text: str
    arena: ty.Extent
    scratch: int
    messages: tuple[str, ...]


def make_program(
    traced: TracedFunction, where: Platform, level: Level, prefix: str, block: Block
) -> Program:
    """Plans and prints a function; its constants are added to the block.

    Raises:
        BuildError: for what a library cannot hold.
    """
    aliases = tuple(donations(traced, numbers=True).items())
    lowered = Lowered(traced.graph, target=where.target(level), aliases=aliases)
    plan = lowered.plan
    named = {p for p in s.places(plan.steps) if p[0] in ("kept", "table")}
    kept = 0
    if any(place == "kept" for place, _ in named):
        kept = block.put(kept_block(plan).tobytes())
    used = {k for place, k in named if place == "table"}
    table = tuple(
        block.put(np.ascontiguousarray(literal.array).tobytes()) if k in used else 0
        for k, literal in enumerate(plan.table)
    )
    module = print_shipped(plan, where.target(level).isa, prefix, Weights(kept, table))
    _refuse_routines(traced.graph.name, module.routines)
    text, scratch = module.render(), module.scratch
    messages = tuple(without_folders(m) for m in plan.messages)
    return Program(prefix, level, text, plan.arena, scratch, messages)


def _refuse_routines(name: str, routines: Sequence[str]) -> None:
    if routines:
        raise BuildError(
            f"{name} calls LAPACK's {', '.join(routines)}, which a library does not carry; "
            f"factorizations of known sizes up to 16 rows are computed without it"
        )


def kept_block(plan: Any) -> np.ndarray:
    """What `graph_setup` makes of the constants, as bytes."""
    ensure_native()
    module = print_setup(plan, host_isa())
    _refuse_routines("what depends on constants", module.routines)
    loaded = graphc_runtime.load(builder.build_object(module.render(), host_target()))
    arrays = [np.ascontiguousarray(one.array) for one in plan.table]
    fill_table(loaded, arrays)
    return run_setup(loaded, plan.kept, plan.setup_arena, module.scratch)
