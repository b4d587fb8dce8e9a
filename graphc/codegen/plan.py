"""plan: a graph of fusions -> steps in running order, and a place for every buffer.

Buffers are the entry's inputs, its results, constants inside the object or in a table, and
temporaries in one arena. A temporary's bytes are free again after the last kernel that reads it; a
symbolic size is only given to an equal one.

What depends on constants only, and the packing of constants, runs once, when the code is loaded:
the program `graph_setup` writes it into a block that every call reads, `graph_kept`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from graphc_runtime.call import usable_cpus
from graphc_runtime.records import dataclass
from graphc_runtime.steps import Place, work

from ..ir import Graph, Literal, Value
from ..loops import ir as L
from ..loops.machine import Machine
from ..types import Dim, Extent
from .kernels import Chooser, Kernel, Kernels, kernel_name, separate_aliases
from .overwrite import Overwriting
from .steps import Launch, Step
from .target import Target, host_has_wide_ports, host_isa, host_l2_bytes
from .walk import Scope, Walk


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is printed for one graph.

    `functions` are the loops of all kernels, each once, in the order in which they were made.
    `setup` and `setup_kernels` are what runs when the code is loaded: it writes `kept` bytes, and
    needs `setup_arena` bytes while it runs. `slots` gives the place of each symbol in the entry's
    extents; `dims` all results' extents one after another; `arena` bytes (perhaps symbolic);
    `messages` the texts of error codes 1, 2...
    """

    graph: Graph
    kernels: tuple[Kernel, ...]
    functions: tuple[L.LoopFunc, ...]
    steps: tuple[Step, ...]
    setup_kernels: tuple[Kernel, ...]
    setup: tuple[Launch, ...]
    kept: int
    setup_arena: int
    slots: dict[str, int]
    dims: tuple[Extent, ...]
    arena: Extent
    embedded: tuple[Literal, ...]
    table: tuple[Literal, ...]
    messages: tuple[str, ...]

    @property
    def launches(self) -> tuple[Launch, ...]:
        """Every kernel call, as it is written; one in a loop runs many times."""
        return tuple(work(self.steps))


def plan(
    graph: Graph,
    machine: Machine,
    strided: Sequence[int] = (),
    aliases: Mapping[int, int] | None = None,
    check_finite: bool = False,
    choose: Chooser | None = None,
    made: Callable[[L.LoopFunc], None] = lambda func: None,
) -> Plan:
    """Lowers and schedules every fusion and places every buffer.

    `strided` lists the parameters that may have any strides; these are passed in the extents, after
    the symbols. `aliases` says which results are written over which (donated) parameters.
    `check_finite` reports the first op that makes a NaN or an infinity. `choose` is asked for what
    is measured of each kernel that runs in a call. `made` is called with each function when its
    loops are there.
    """
    overwriting = Overwriting()
    graph = separate_aliases(overwriting.ordered(graph), aliases or {}, overwriting.shares_place)
    slots: dict[str, int] = {s: k for k, s in enumerate(graph.symbols)}
    strides: dict[Value, tuple[L.Index, ...]] = {}
    for k in strided:
        names = [f"x{k}_stride{axis}" for axis in range(graph.params[k].type.rank)]
        strides[graph.params[k]] = tuple(Dim.symbol(n) for n in names)
        for name in names:
            slots[name] = len(slots)
    places: dict[Value, Place] = {v: ("buffer", k) for k, v in enumerate(graph.params)}
    for k, value in enumerate(graph.results):
        places[value] = ("buffer", len(graph.params) + k)
    scope = Scope(graph, places, strides)
    for k, i in (aliases or {}).items():
        value, given = graph.results[k], graph.params[i]
        places[given] = places[value]  # the call hands over one array for both
        scope.join(overwriting.line(graph, value, given) or (), places[value])
    walk = Walk(Kernels(machine, check_finite), overwriting, choose, made)
    steps = walk.steps(scope)
    dims = tuple(e for v in graph.results for e in v.type.shape)
    kept, setup_arena = walk.kept.top, walk.scratch.top
    assert isinstance(kept, int) and isinstance(setup_arena, int)
    return Plan(
        graph, tuple(walk.kernels), tuple(walk.functions.values()), steps,
        tuple(walk.setup_kernels), tuple(walk.setup), kept, setup_arena, slots, dims,
        walk.arena.top, tuple(walk.embedded), tuple(walk.table), tuple(walk.make.messages),
    )  # fmt: skip


def machine_of(target: Target | None) -> Machine:
    """What schedules want to know of a target; None: of this machine."""
    isa = host_isa() if target is None else target.isa
    known = Machine(isa.vector_bits // 8, isa.registers, dots=isa.dots)
    if target is not None:
        return known
    return replace(
        known, l2_bytes=host_l2_bytes(), wide_ports=host_has_wide_ports(), workers=usable_cpus()
    )


def constant_bytes(literal: Literal) -> bytes:
    """The bytes of a constant as kernels read them."""
    return np.ascontiguousarray(literal.array).tobytes()


__all__ = ["Chooser", "Kernel", "Plan", "constant_bytes", "kernel_name", "machine_of", "plan"]
