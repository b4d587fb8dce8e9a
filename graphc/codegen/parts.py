"""Prints kernels as LLVM modules of bounded size, one after another: the parts of a program.

Called by graphc/compile.py, which gives the kernels while they are planned. A part is handed on
when it is full, so it is compiled while the next kernels are planned and printed, and beside other
parts (`codegen/build.py`); the loader joins their objects (`runtime/loader.py`). Where a part ends
depends on its text only, so a program's code is the same on machines with many processors and with
one. The last part has the entry, and what is put into its loops; a small program is only that.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Graph
from ..loops import ir as L
from .entry import SCRATCH, print_entry, print_scratch, print_shapes
from .llvm import is_small, print_kernel
from .llvm_builder import Builder, Module
from .llvm_values import Isa
from .plan import Plan, constant_bytes
from .steps import looped

PART_LINES = 1500
"""Instructions, about, after which a part ends: some 60 ms of LLVM, and less than a tenth of it is
what parts repeat (declarations, elementary functions)."""


class Printing:
    """The parts of one program, of whose graph it is asked whether there are loops in it. `out` is
    called with each part but the last one, which `finish` answers with.

    At the end `scratch` is the bytes of scratch memory that each worker needs, and `routines` the
    routines of LAPACK that are called.
    """

    def __init__(self, graph: Graph, isa: Isa, out: Callable[[str], None]):
        self._isa, self._out = isa, out
        self._has_loops = any(node.op.kind == "control" for node in graph.nodes)
        self._part, self._own = Module(isa), list[tuple[Builder, L.LoopFunc]]()
        self._elsewhere: list[L.LoopFunc] = []
        self._small: list[L.LoopFunc] = []
        self.texts: list[str] = []
        self.scratch = 0
        self.routines: tuple[str, ...] = ()

    def function(self, func: L.LoopFunc) -> None:
        """Adds a kernel, or what packs constants for one."""
        if self._has_loops and is_small(func):
            self._small.append(func)  # a loop may have it inside
            return
        if self._part.size >= PART_LINES:
            self._close()
        self._own.append((print_kernel(self._part, func), func))

    def finish(self, plan: Plan) -> str:
        """Adds what runs the kernels, all of which are there."""
        part = self._part
        repeated = {launch.kernel for launch in looped(plan.steps)}
        for func in self._small:
            print_kernel(part, func, inline=func.name in repeated)
        part.scratch = max(self.scratch, part.scratch)
        _print_program(part, plan, self._elsewhere)
        return self._rendered()

    def _close(self) -> None:
        """Ends a part that is not the last one: the entry calls its kernels from outside."""
        for builder, func in self._own:
            builder.publish()
            self._elsewhere.append(func)
        self._part.raw_global(SCRATCH, f"@{SCRATCH} = external hidden constant i64, align 8")
        self._out(self._rendered())
        self._part, self._own = Module(self._isa), []

    def _rendered(self) -> str:
        self.scratch = max(self.scratch, self._part.scratch)
        self.routines = tuple(dict.fromkeys((*self.routines, *self._part.routines)))
        self.texts.append(self._part.render())
        return self.texts[-1]


def print_constants(module: Module, plan: Plan) -> None:
    """Adds the constants that are data of the object."""
    for k, literal in enumerate(plan.embedded):
        text = data_text(constant_bytes(literal))
        module.raw_global(f"constant{k}", f"@constant{k} = internal constant {text}, align 64")


def print_loaded(module: Module, plan: Plan) -> None:
    """Adds the constants, and what is set when the code is loaded."""
    print_constants(module, plan)
    if plan.table:
        text = f"@graph_constants = global [{len(plan.table)} x ptr] zeroinitializer, align 8"
        module.raw_global("graph_constants", text)
    module.raw_global("graph_code_base", "@graph_code_base = global i64 0, align 8")


def print_kept(module: Module, plan: Plan) -> None:
    """Adds `graph_setup`, and where its results are."""
    module.raw_global("graph_kept", "@graph_kept = global ptr null, align 8")
    print_entry(module, "graph_setup", plan.setup, {}, plan.setup_arena)


def data_text(content: bytes) -> str:
    """Bytes as the type and the value of a global; at least one byte."""
    content = content or b"\0"
    return f'[{len(content)} x i8] c"\\{content.hex(chr(92))}"'


def _print_program(part: Module, plan: Plan, elsewhere: list[L.LoopFunc]) -> None:
    """Adds the entry, the constants, and the names of the kernels that are in other parts."""
    print_loaded(part, plan)
    for func in elsewhere:
        types = ["ptr"] * len(func.params) + ["i64"] * len(func.symbols) + ["ptr"] * 3
        part.declare(func.name, "hidden void", types)
    print_scratch(part, "hidden" if elsewhere else "internal")
    print_entry(part, "graph_entry", plan.steps, plan.slots, plan.arena)
    if plan.setup:
        print_kept(part, plan)
    print_shapes(part, "graph_shapes", plan.dims, plan.arena, plan.slots)


__all__ = ["PART_LINES", "Printing", "data_text", "print_constants", "print_kept", "print_loaded"]
