"""kernels: a fusion, whose operands and results have places -> what is launched for it.

Called by walk.py. A fusion is lowered, scheduled and printed; the library may take a product out of
it. Workspace of its kernels comes from an arena, and goes back there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc_runtime.steps import Place

from .. import types as ty
from ..codegen.arena import Arena, Block
from ..codegen.cuda import CudaKernel, print_cuda, renamed, workspace
from ..codegen.kernels import kernel_name, shifted
from ..ir import Graph, Node, Value
from ..loops import ir as L
from ..loops import products as loops
from ..loops.lower import Lowered, lower
from ..loops.schedule_cuda import schedule_cuda
from .products import Chosen
from .steps import Launch, Product


class Kernels:
    """Makes launches of fusions.

    `places` and `strides` are read when they are asked for; `messages` are the texts of error codes
    1, 2... of all kernels so far.
    """

    def __init__(
        self, places: Mapping[Value, Place], strides: Mapping[Value, tuple[L.Index, ...]],
        check_finite: bool, arch: str | None, chosen: Chosen | None, tf32: bool,
    ):  # fmt: skip
        self.places, self.strides = places, strides
        self.check_finite, self.arch, self.chosen, self.tf32 = check_finite, arch, chosen, tf32
        self.messages: list[str] = []
        self._numbers: dict[str, dict[str, int]] = {}
        """Of the texts that were printed so far under one name."""

    def lowered(self, node: Node) -> Lowered:
        body = node.attrs["body"]
        own = {p: self.strides[v] for p, v in enumerate(node.operands) if v in self.strides}
        lowered = lower(body, f"k0_{kernel_name(body)}", own, self.check_finite)
        first = len(self.messages)
        self.messages.extend(lowered.messages)
        if not lowered.messages or not first:
            return lowered
        func = lowered.func
        return replace(
            lowered, func=replace(func, body=tuple(shifted(s, first) for s in func.body))
        )

    def computed(self, node: Node, lowered: Lowered, arena: Arena) -> list[Launch | Product]:
        """The launches of a fusion, or the library's product and what follows it."""
        parts = None
        if self.chosen is not None and not self.check_finite:
            parts = self.chosen.parts(lowered.func)
        if parts is None or self.chosen is None:
            return [*self.launched(node, lowered, arena)]
        places, held = self._given(node, lowered), []
        made: list[list[Launch] | loops.Product] = []
        for part in parts:
            whole = isinstance(part, loops.Product)
            made.append(part if whole else self._scheduled(node, part, places, held, arena))
        give(held, arena)
        steps: list[Launch | Product] = []
        for one in made:  # the places of factors and results are known now
            if isinstance(one, loops.Product):
                left, right, result = (
                    places[matrix.buffer.name] for matrix in (one.left, one.right, one.result)
                )
                matrices = left, right, result
                steps.append(Product(one, matrices, self.chosen.tf32, line_of(node)))
            else:
                steps += one
        return steps

    def launched(self, node: Node, lowered: Lowered, arena: Arena) -> list[Launch]:
        """The launches of a fusion that the library has no part in."""
        held: list[Block] = []
        made = self._scheduled(node, lowered.func, self._given(node, lowered), held, arena)
        give(held, arena)
        return made

    def _given(self, node: Node, lowered: Lowered) -> dict[str, Place]:
        """The places of a fusion's operands and results, by the names of their buffers."""
        buffers = zip(
            (*lowered.inputs, *lowered.outputs), (*node.operands, *node.results), strict=True
        )
        return {buffer.name: self.places[value] for buffer, value in buffers}

    def _scheduled(
        self, node: Node, func: L.LoopFunc, places: dict[str, Place], held: list[Block],
        arena: Arena,
    ) -> list[Launch]:  # fmt: skip
        """The launches of a function; its workspace is added to the places and to what is held.
        Its parameters are known by their names to the other parts of a fusion."""
        shared = {buffer.name for buffer in func.params if buffer.name in places}
        func = schedule_cuda(func, self.arch, self.tf32)
        for buffer in workspace(func):
            if buffer.name in shared:
                continue
            nbytes = ty.product(buffer.shape) * buffer.dtype.nbytes
            offset = arena.take(nbytes)
            held.append((offset, nbytes))
            places[buffer.name] = ("arena", offset)
        launches: list[Launch] = []
        for printed in print_cuda(func):
            kernel = self._numbered(printed, func.name)
            buffers = tuple(places[p.name] for p in kernel.params if not isinstance(p, str))
            symbols = tuple(p for p in kernel.params if isinstance(p, str))
            launches.append(Launch(kernel, buffers, symbols, line_of(node)))
        return launches

    def _numbered(self, kernel: CudaKernel, name: str) -> CudaKernel:
        """The kernel under a name that no other of the program has; equal kernels have one name, so
        that they are compiled once. `name` is what the function is called that it is of."""
        kernel = renamed(kernel, name)
        known = self._numbers.setdefault(name, {})
        number = known.setdefault(kernel.source, len(known))
        return renamed(kernel, f"k{number}{name.removeprefix('k0')}")


def give(blocks: Sequence[Block], arena: Arena) -> None:
    """Gives places of an arena back."""
    for offset, nbytes in blocks:
        arena.give(offset, nbytes)


def line_of(node: Node) -> str:
    """The user's line of a loop or choice, or of what a fusion computes last."""
    body: Graph | None = node.attrs.get("body")
    inside = () if body is None else reversed(body.nodes)
    lines = [one.where for one in (node, *inside) if one.where is not None]
    return str(lines[0]) if lines else ""
