"""plan: a graph of fusions -> CUDA kernels in running order, and a place for every buffer.

As codegen/plan.py does for the processor, with the same arena: a temporary's bytes are free again
after the last kernel that reads it, and one allocation serves a whole call. What depends on
constants only runs once, when the program is loaded.

A loop of so many iterations is its kernels launched again and again, with pointers to other rows:
nothing waits, and a captured graph holds all of them. What a loop with a condition, or a choice,
decides is at a place that a kernel writes: a captured graph reads it on the device, the host
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc_runtime.gpu_steps import Launch
from graphc_runtime.records import dataclass

from ..codegen.kernels import distinct_results, separate_aliases, writes_in_place
from ..ir import Graph, Literal, Value
from ..types import Extent
from . import steps as s
from .products import Chosen
from .steps import Product, Step, work
from .walk import Walk


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """Everything that a program on a device is.

    `setup` runs when it is loaded: it writes `kept` bytes and needs `setup_arena` meanwhile.
    `messages` are the texts of error codes 1, 2...
    """

    graph: Graph
    steps: tuple[Step, ...]
    setup: tuple[s.Launch | Product, ...]
    arena: Extent
    kept: int
    setup_arena: int
    constants: tuple[Literal, ...]
    messages: tuple[str, ...]

    @property
    def launches(self) -> tuple[s.Launch, ...]:
        """Every launch of a call, each once."""
        return tuple(one for one in work(self.steps) if isinstance(one, Launch))

    @property
    def setup_launches(self) -> tuple[s.Launch, ...]:
        """Every launch of loading."""
        return tuple(one for one in self.setup if isinstance(one, Launch))

    @property
    def products(self) -> tuple[Product, ...]:
        """Every product by the library, of loading and of a call, each once."""
        return tuple(one for one in (*self.setup, *work(self.steps)) if isinstance(one, Product))

    @property
    def fails(self) -> bool:
        """May a call end in an error of the user's program?"""
        return any(one.kernel.fails for one in self.launches)


def plan_device(
    graph: Graph,
    strided: Sequence[int] = (),
    aliases: Mapping[int, int] | None = None,
    check_finite: bool = False,
    arch: str | None = None,
    chosen: Chosen | None = None,
    tf32: bool = False,
) -> DevicePlan:
    """Lowers, schedules and prints every fusion and places every buffer; arguments as
    `codegen.plan.plan`, `arch` and `tf32` as `schedule_cuda`. `chosen` says which products are the
    library's; None: none."""

    def may(graph: Graph, result: Value, parameter: Value) -> bool:
        # a loop writes its states in turn at two places, one of them the result's
        return result.node.op.kind != "control" and writes_in_place(graph, result, parameter, {})

    graph = separate_aliases(distinct_results(graph), aliases or {}, may)
    walk = Walk(graph, strided, check_finite, arch, chosen, tf32)
    steps = walk.steps(graph)
    kept, scratch = walk.kept.top, walk.scratch.top
    assert isinstance(kept, int) and isinstance(scratch, int)
    return DevicePlan(
        graph, steps, tuple(walk.setup), walk.arena.top, kept, scratch, tuple(walk.constants),
        tuple(walk.make.messages),
    )  # fmt: skip
