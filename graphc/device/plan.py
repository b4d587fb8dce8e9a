"""plan: a graph of fusions -> CUDA kernels in running order, and a place for every buffer.

As codegen/plan.py does for the processor, with the same arena: a temporary's bytes are free again
after the last kernel that reads it, and one allocation serves a whole call. What depends on
constants only runs once, when the program is loaded.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..codegen.arena import Arena
from ..codegen.cuda import CudaKernel, print_cuda, workspace
from ..codegen.cuda_refused import refuse_calls, refuse_control
from ..codegen.kernels import (
    distinct_results,
    kernel_name,
    separate_aliases,
    shifted,
    writes_in_place,
)
from ..codegen.walk import is_kept
from ..ir import Graph, Literal, Node, Value
from ..loops import ir as L
from ..loops.lower import Lowered, lower
from ..loops.schedule_cuda import schedule_cuda
from ..types import Dim, Extent

Place = tuple[str, object]
"""("buffer", k) of parameters and then results, ("arena", byte offset), ("kept", byte offset) or
("constant", k)."""
ALIGN = 256


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel with the places of its buffers, and the symbols that follow them."""

    kernel: CudaKernel
    buffers: tuple[Place, ...]
    symbols: tuple[str, ...]
    line: str
    """Where the user's program asks for it."""


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """Everything that a program on a device is.

    `setup` runs when it is loaded: it writes `kept` bytes and needs `setup_arena` meanwhile.
    `messages` are the texts of error codes 1, 2...
    """

    graph: Graph
    launches: tuple[Launch, ...]
    setup: tuple[Launch, ...]
    arena: Extent
    kept: int
    setup_arena: int
    constants: tuple[Literal, ...]
    messages: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """May a call end in an error of the user's program?"""
        return any(one.kernel.fails for one in self.launches)


class _Planner:
    def __init__(self, graph: Graph, strided: Sequence[int], check_finite: bool):
        self.graph, self.check_finite = graph, check_finite
        self.places: dict[Value, Place] = {}
        for k, value in enumerate((*graph.params, *graph.results)):
            self.places[value] = ("buffer", k)
        self.strides: dict[Value, tuple[L.Index, ...]] = {}
        for k in strided:
            rank = graph.params[k].type.rank
            self.strides[graph.params[k]] = tuple(
                Dim.symbol(stride_symbol(k, axis)) for axis in range(rank)
            )
        self.arena, self.kept, self.scratch = Arena(ALIGN), Arena(ALIGN), Arena(ALIGN)
        self.constants: list[Literal] = []
        self.fixed: set[Value] = set()
        self.messages: list[str] = []
        self.launches: list[Launch] = []
        self.setup: list[Launch] = []
        self.last: dict[Value, int] = {}
        for k, node in enumerate(graph.nodes):
            for value in node.operands:
                self.last[value] = k

    def run(self) -> DevicePlan:
        refuse_control(self.graph)
        for k, node in enumerate(self.graph.nodes):
            self.node(k, node)
        kept, scratch = self.kept.top, self.scratch.top
        assert isinstance(kept, int) and isinstance(scratch, int)
        return DevicePlan(
            self.graph, tuple(self.launches), tuple(self.setup), self.arena.top, kept, scratch,
            tuple(self.constants), tuple(self.messages),
        )  # fmt: skip

    def node(self, k: int, node: Node) -> None:
        if node.op.name == "constant":
            (value,) = node.results
            if value not in self.places:
                self.places[value] = ("constant", len(self.constants))
                self.constants.append(node.attrs["value"])
            self.fixed.add(value)
            return
        lowered = self.lowered(k, node)
        refuse_calls(node, lowered.func)
        early = (
            self.fixed.issuperset(node.operands) and not self.check_finite
            and not lowered.messages and is_kept(self.graph, node)
        )  # fmt: skip
        if early:
            self.fixed.update(node.results)
            for value in node.results:
                self.places[value] = ("kept", self.kept.take(value.type.nbytes))
            self.setup += self.launched(node, lowered, self.scratch)
            return
        for value in node.results:
            if value not in self.places:
                self.places[value] = ("arena", self.arena.take(value.type.nbytes))
        self.launches += self.launched(node, lowered, self.arena)
        for value in dict.fromkeys((*node.operands, *node.results)):
            place, offset = self.places[value]
            if place == "arena" and self.last.get(value, -1) <= k:
                assert isinstance(offset, (int, Dim))
                self.arena.give(offset, value.type.nbytes)

    def lowered(self, k: int, node: Node) -> Lowered:
        body = node.attrs["body"]
        own = {p: self.strides[v] for p, v in enumerate(node.operands) if v in self.strides}
        lowered = lower(body, f"k{k}_{kernel_name(body)}", own, self.check_finite)
        first = len(self.messages)
        self.messages.extend(lowered.messages)
        if not lowered.messages or not first:
            return lowered
        func = lowered.func
        return replace(
            lowered, func=replace(func, body=tuple(shifted(s, first) for s in func.body))
        )

    def launched(self, node: Node, lowered: Lowered, arena: Arena) -> list[Launch]:
        func = schedule_cuda(lowered.func)
        given = zip(
            (*lowered.inputs, *lowered.outputs), (*node.operands, *node.results), strict=True
        )
        places = {buffer.name: self.places[value] for buffer, value in given}
        held: list[tuple[Extent, Extent]] = []
        for buffer in workspace(func):
            nbytes = ty.product(buffer.shape) * buffer.dtype.nbytes
            offset = arena.take(nbytes)
            held.append((offset, nbytes))
            places[buffer.name] = ("arena", offset)
        launches = []
        for kernel in print_cuda(func):
            buffers = tuple(places[p.name] for p in kernel.params if not isinstance(p, str))
            symbols = tuple(p for p in kernel.params if isinstance(p, str))
            launches.append(Launch(kernel, buffers, symbols, _line(node)))
        for offset, nbytes in held:
            arena.give(offset, nbytes)
        return launches


def stride_symbol(parameter: int, axis: int) -> str:
    """The name of a parameter's stride (elements), where it may be any."""
    return f"x{parameter}_stride{axis}"


def _line(node: Node) -> str:
    """The user's line of what a fusion computes last."""
    body: Graph = node.attrs["body"]
    lines = [one.where for one in (node, *reversed(body.nodes)) if one.where is not None]
    return str(lines[0]) if lines else ""


def plan_device(
    graph: Graph,
    strided: Sequence[int] = (),
    aliases: Mapping[int, int] | None = None,
    check_finite: bool = False,
) -> DevicePlan:
    """Lowers, schedules and prints every fusion and places every buffer; arguments as
    `codegen.plan.plan`."""
    graph = separate_aliases(
        distinct_results(graph), aliases or {}, functools.partial(writes_in_place, known={})
    )
    return _Planner(graph, strided, check_finite).run()
