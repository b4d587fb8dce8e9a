"""GPU code of an artifact: CUDA C, cubins for some architectures, and how kernels are launched.

The plan is data that `graphc_runtime.gpu_plan` reads without the compiler: steps with their loops
and choices, whose extents are texts of polynomials (`2*b + 1`, `(b + 3)//4`). Cubins are made by
NVRTC or nvcc.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from graphc_runtime import gpu_steps, steps
from graphc_runtime.cuda_decisions import SOURCE
from graphc_runtime.records import dataclass

from .. import environment
from ..codegen import nvcc, nvrtc
from ..codegen.cuda import architecture, translation_unit
from ..compile import lower_graph
from ..device.plan import DevicePlan, plan_device
from ..device.steps import Copy, Launch, Loop, Product, Step, Turn
from ..errors import BuildError
from ..trace import TracedFunction, donations
from ..types import Dim, Extent
from .library import Function
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
    decides: bool
    """Does the plan decide what is launched?"""


@dataclass(frozen=True, slots=True)
class GpuCode:
    """The functions of an artifact for GPUs, the constants that they read, and where some of them
    decide, the kernels of cuda_decisions.py by architecture."""

    programs: tuple[GpuProgram, ...]
    constants: bytes
    decisions: dict[str, bytes]


def make_gpu_code(
    functions: Sequence[Function], architectures: Sequence[str], progress: Callable[[str], None]
) -> GpuCode:
    """The functions for some architectures; errors as those of `make_gpu_program`."""
    if not has_compiler():
        raise BuildError(
            "no compiler for CUDA C was found; install the PyPI packages nvidia-cuda-nvrtc and "
            "nvidia-cuda-runtime, or a CUDA toolkit (nvcc)"
        )
    block, found = Block(), []
    for one in functions:
        progress(f"{one.signature.name} for {', '.join(architectures)}")
        found.append(make_gpu_program(one.traced, one.signature.name, architectures, block))
    decides = any(one.decides for one in found)
    decisions = make_decisions(architectures) if decides else {}
    return GpuCode(tuple(found), block.content, decisions)


def make_decisions(architectures: Sequence[str]) -> dict[str, bytes]:
    """The kernels by which captured graphs decide, by architecture.

    Raises:
        BuildError: a compiler refused them; it has to be of CUDA 12.4.
    """
    try:
        return {arch: compile_cubin(SOURCE, arch) for arch in architectures}
    except BuildError as error:
        raise BuildError(
            "while_loop, cond and switch need a compiler of CUDA 12.4 or later, which knows "
            f"cudaGraphSetConditional: {error}"
        ) from None


def make_gpu_program(
    traced: TracedFunction, name: str, architectures: Sequence[str], block: Block
) -> GpuProgram:
    """Plans, prints and compiles a function; its constants are added to the block.

    Raises:
        LoweringError: for what does not run on a GPU yet. BuildError: a compiler refused a kernel.
    """
    aliases = donations(traced, numbers=True)
    graph = lower_graph(traced.graph).optimised.graph
    plan = plan_device(graph, (), aliases, arch=_own(architectures))
    kernels = [one.kernel for one in (*plan.setup_launches, *plan.launches)]
    source = translation_unit(kernels)
    names = dict.fromkeys(architecture(kernels, arch) for arch in architectures)
    cubins = {arch: compile_cubin(source, arch) for arch in names} if kernels else {}
    places = [
        block.put(np.ascontiguousarray(literal.array).tobytes()) for literal in plan.constants
    ]
    described = _described(plan, places)
    return GpuProgram(name, source, cubins, described, steps.decides(plan.steps))


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


# ---------------------------------------------------------------------------------------- the plan


def _described(plan: DevicePlan, places: Sequence[int]) -> dict[str, Any]:
    """A plan as gpu_plan.py reads it."""
    sizes = [literal.array.nbytes for literal in plan.constants]
    return {
        "steps": _steps(plan.steps),
        "setup": _steps(plan.setup),
        "arena": _text(plan.arena),
        "kept": plan.kept,
        "setup_arena": plan.setup_arena,
        "constants": [list(pair) for pair in zip(places, sizes, strict=True)],
        "messages": [without_folders(m) for m in plan.messages],
    }


def _steps(found: Sequence[Step]) -> list[dict[str, Any]]:
    return [_step(one) for one in found]


def _step(one: Step) -> dict[str, Any]:
    if isinstance(one, gpu_steps.Launch):
        return _launch(one)
    if isinstance(one, gpu_steps.Copy):
        return _copy(one)
    if isinstance(one, steps.Loop):
        return _loop(one)
    assert not isinstance(one, Product), "the library is not asked for artifacts"
    arms = [_steps(arm) for arm in one.arms]
    return {"step": "branch", "index": _place(one.index), "arms": arms}


def _loop(one: Loop) -> dict[str, Any]:
    until = None
    if one.until is not None:
        assert one.until.count is not None
        until = {
            "steps": _steps(one.until.steps), "answer": _place(one.until.answer),
            "count": _place(one.until.count), "limit": one.until.limit,
        }  # fmt: skip
    rows = [
        {"name": r.name, "base": _place(r.base), "step_bytes": _text(r.step_bytes)}
        for r in one.rows
    ]
    return {
        "step": "loop",
        "turns": [_turn(turn) for turn in one.turns],
        "rows": rows,
        "before": _steps(one.before),
        "body": _steps(one.body),
        "length": None if one.length is None else _text(one.length),
        "reverse": one.reverse,
        "until": until,
    }


def _turn(one: Turn) -> dict[str, Any]:
    return {
        "now": one.now, "next": one.next, "first": _place(one.first), "second": _place(one.second),
        "copy": _step(one.copy), "nbytes": _text(one.nbytes),
    }  # fmt: skip


def _copy(one: Copy) -> dict[str, Any]:
    source, target = _place(one.source), _place(one.target)
    return {"step": "copy", "source": source, "target": target, "nbytes": _text(one.nbytes)}


def _launch(one: Launch) -> dict[str, Any]:
    kernel = one.kernel
    return {
        "step": "launch",
        "kernel": kernel.name,
        "grid": [_text(e) for e in kernel.grid],
        "block": list(kernel.block),
        "dynamic_bytes": kernel.dynamic_bytes,
        "buffers": [_place(place) for place in one.buffers],
        "symbols": list(one.symbols),
        "fails": kernel.fails,
        "line": without_folders(one.line),
    }


def _place(place: steps.Place) -> list[Any]:
    kind, where = place
    return [kind, str(where) if isinstance(where, Dim) else where]


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
