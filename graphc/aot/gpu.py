"""GPU code of an artifact: CUDA C, cubins for some architectures, and how kernels are launched.

The plan is data that `graphc_runtime` reads without the compiler: extents are texts of polynomials
(`2*b + 1`, `(b + 3)//4`). Cubins are made by NVRTC or nvcc, where there is one; without one the
source alone is shipped, and a machine with a compiler builds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from graphc_runtime.gpu_steps import GRID_LIMITS
from graphc_runtime.records import dataclass

from .. import environment
from ..codegen import nvcc, nvrtc
from ..codegen.cuda import architecture, translation_unit
from ..codegen.cuda_refused import refuse_control
from ..compile import lower_graph
from ..device.plan import DevicePlan, plan_device
from ..device.steps import Launch
from ..errors import BuildError
from ..trace import TracedFunction, donations
from ..types import Extent
from .program import Block
from .signature import without_folders


@dataclass(frozen=True, slots=True)
class GpuProgram:
    """One function for the GPU: the source of all its kernels, a cubin per architecture, and its
    plan as JSON has it. Constants are in the block that was given."""

    name: str
    source: str
    cubins: dict[str, bytes]
    plan: dict[str, Any]


def make_gpu_program(
    traced: TracedFunction, name: str, architectures: Sequence[str], block: Block
) -> GpuProgram:
    """Plans, prints and compiles a function; its constants are added to the block.

    Raises:
        LoweringError: for what does not run on a GPU yet. BuildError: a compiler refused a kernel.
    """
    aliases = donations(traced, numbers=True)
    graph = lower_graph(traced.graph).optimised.graph
    refuse_control(graph)
    plan = plan_device(graph, (), aliases, arch=_own(architectures))
    kernels = [one.kernel for one in (*plan.setup_launches, *plan.launches)]
    source = translation_unit(kernels)
    names = dict.fromkeys(architecture(kernels, arch) for arch in architectures)
    cubins = {arch: compile_cubin(source, arch) for arch in names} if kernels else {}
    places = [
        block.put(np.ascontiguousarray(literal.array).tobytes()) for literal in plan.constants
    ]
    return GpuProgram(name, source, cubins, _described(plan, aliases, places))


def _own(architectures: Sequence[str]) -> str | None:
    """The one architecture whose own instructions kernels may have; None where several are to run
    one plan."""
    bare = {one.rstrip("af") for one in architectures}
    return environment.schedule_arch(bare.pop()) if len(bare) == 1 else None


def compile_cubin(source: str, arch: str) -> bytes:
    """By NVRTC, else by nvcc.

    Raises:
        BuildError: there is neither, or it refused the source.
    """
    return (nvrtc if nvrtc.available() else nvcc).compile_cubin(source, arch)


def has_compiler() -> bool:
    """Whether cubins can be made here."""
    return nvrtc.available() or nvcc.available()


def _described(plan: DevicePlan, aliases: dict[int, int], places: Sequence[int]) -> dict[str, Any]:
    sizes = [literal.array.nbytes for literal in plan.constants]
    return {
        "launches": [_launch(one) for one in plan.launches],
        "setup": [_launch(one) for one in plan.setup_launches],
        "arena": _text(plan.arena),
        "kept": plan.kept,
        "setup_arena": plan.setup_arena,
        "constants": [list(pair) for pair in zip(places, sizes, strict=True)],
        "messages": [without_folders(m) for m in plan.messages],
        "aliases": [[k, i] for k, i in sorted(aliases.items())],
    }


def _launch(one: Launch) -> dict[str, Any]:
    kernel = one.kernel
    return {
        "kernel": kernel.name,
        "grid": [[_text(e), limit] for e, limit in zip(kernel.grid, GRID_LIMITS, strict=True)],
        "block": list(kernel.block),
        "dynamic_bytes": kernel.dynamic_bytes,
        "buffers": [[kind, _text(where)] for kind, where in one.buffers],  # type: ignore[arg-type]
        "symbols": list(one.symbols),
        "fails": kernel.fails,
        "line": without_folders(one.line),
    }


def _text(extent: Extent) -> int | str:
    return extent if isinstance(extent, int) else str(extent)


def checked(architectures: Sequence[str]) -> tuple[str, ...]:
    """Names of architectures.

    Raises:
        BuildError: for a name that is none.
    """
    for one in architectures:
        if not one.startswith("sm_") or not one[3:].rstrip("af").isdigit():
            raise BuildError(f"there is no GPU architecture {one!r}; write for example sm_80,sm_90")
    return tuple(architectures)
