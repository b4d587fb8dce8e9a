"""Prints a program that is shipped: one module without globals that change, and the program that
makes what depends on constants only, which runs once, where the library is built.

Called by graphc/aot. The C functions around a program are printed by graphc/aot/interface.py.
"""

from __future__ import annotations

from graphc_runtime.steps import work

from ..loops import ir as L
from .entry import Weights, print_entry, print_scratch, print_shapes
from .llvm import is_small, print_kernel
from .llvm_builder import Module
from .llvm_values import Isa
from .parts import print_constants, print_kept, print_loaded
from .plan import Plan
from .steps import looped


def print_shipped(plan: Plan, isa: Isa, prefix: str, weights: Weights) -> Module:
    """LLVM IR of one program.

    Functions: `i64 @PREFIX_run(ptr buffers, ptr extents, ptr arena, ptr rt, ptr weights)` and
    `i64 @PREFIX_shapes(ptr extents, ptr dims)`; everything else is internal.
    """
    module = Module(isa)
    called = {launch.kernel for launch in work(plan.steps)}
    repeated = {launch.kernel for launch in looped(plan.steps)}
    for func in plan.functions:
        if func.name in called:
            print_kernel(module, func, inline=func.name in repeated and is_small(func))
    print_constants(module, plan)
    print_scratch(module, "internal")
    print_entry(module, f"{prefix}_run", plan.steps, plan.slots, plan.arena, weights)
    print_shapes(module, f"{prefix}_shapes", plan.dims, plan.arena, plan.slots, "hidden")
    return module


def print_setup(plan: Plan, isa: Isa) -> Module:
    """LLVM IR of `i64 @graph_setup(ptr, ptr, ptr scratch, ptr rt)` alone, as the loader of
    graphc/compile.py runs it, for the machine that builds.

    The loops are those of the machine that the plan is for, so the block that is made is its own.
    """
    module = Module(isa)
    called = {launch.kernel for launch in plan.setup}
    functions: list[L.LoopFunc] = [f for f in plan.functions if f.name in called]
    for func in functions:
        print_kernel(module, func)
    print_loaded(module, plan)
    print_scratch(module, "internal")
    print_kept(module, plan)
    return module


__all__ = ["print_setup", "print_shipped"]
