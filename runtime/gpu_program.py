"""Runs the GPU code of an artifact: plans that gpu_plan.py has read, cubins, by pycuda.

Who calls it: `artifact.py`, when functions are asked for on a GPU. NumPy arrays in, NumPy arrays
out: they are copied to the device and back. Nothing of the compiler is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import cuda
from .cuda_decisions import Decisions, say
from .errors import ArtifactError, error_of
from .extents import Extent, number
from .gpu_plan import GpuCopy, GpuLaunch, Plan
from .gpu_run import Frame, Loaded, Runner
from .gpu_steps import Launch
from .steps import decides, work


class GpuProgram:
    """One function on one device.

    `cubins` by architecture, `constants` the block of them, `aliases` the numbers of arguments by
    those of the outputs that are written over them. `decisions` are the kernels of
    cuda_decisions.py by architecture, for a plan that decides.

    Raises:
        DeviceError: there is no GPU, or no code for its architecture.
    """

    def __init__(
        self, name: str, plan: Plan, cubins: Mapping[str, bytes], constants: bytes,
        aliases: Mapping[int, int] | None = None, decisions: Mapping[str, bytes] | None = None,
    ):  # fmt: skip
        self.device = device = cuda.device()
        self.name, self.plan, self.aliases = name, plan, aliases or {}
        functions = self._functions(cubins)
        self._constants = [self._uploaded(constants, *place) for place in plan.constants]
        self._kept, self._error = device.allocate(plan.kept), device.allocate(4)
        device.clear(int(self._error), 4)
        addresses = [int(memory) for memory in self._constants]
        self._runner: Runner[GpuLaunch | GpuCopy, Extent] = Runner(
            device, plan.steps, Loaded(functions, addresses, int(self._kept), int(self._error)),
            number, self._decisions(decisions or {}), name=name,
        )  # fmt: skip
        self._fails = any(isinstance(one, Launch) and one.kernel.fails for one in work(plan.steps))
        if plan.setup:
            scratch = device.allocate(plan.setup_arena)
            with device.active():
                self._runner.run(plan.setup, Frame((), int(scratch), {}, {}))
            device.synchronize()

    def _functions(self, cubins: Mapping[str, bytes]) -> dict[int, Any]:
        """Of each launch, by its identity."""
        launches = [
            one for one in work((*self.plan.setup, *self.plan.steps)) if isinstance(one, Launch)
        ]
        if not launches:
            return {}
        module = self.device.load(_chosen(self.name, cubins, self.device.arch))
        self._module = module  # its functions do not keep it
        known: dict[str, Any] = {}
        for one in launches:
            kernel = one.kernel
            if kernel.name not in known:
                known[kernel.name] = self.device.function(module, kernel.name, kernel.dynamic_bytes)
        return {id(one): known[one.kernel.name] for one in launches}

    def _uploaded(self, constants: bytes, place: int, nbytes: int) -> Any:
        memory = self.device.allocate(nbytes)
        self.device.upload(int(memory), np.frombuffer(constants, np.uint8, nbytes, place))
        return memory

    def _decisions(self, cubins: Mapping[str, bytes]) -> Decisions | None:
        """The kernels that decide, if there are any to make; None where the host is asked."""
        if not decides(self.plan.steps):
            return None
        why = self.device.cannot_decide()
        if why:
            say(why)
            return None
        return Decisions(self.device, _chosen(self.name, cubins, self.device.arch))

    def __call__(
        self, arrays: Sequence[np.ndarray], outputs: Sequence[np.ndarray], env: Mapping[str, int]
    ) -> None:
        """Runs for contiguous arrays of the right types; writes the outputs. An output that is
        written over an input is the input's array.

        Raises:
            DeviceError, OutOfDeviceMemory. IndexError, NonFiniteError, LinAlgError: with the
            message of the program. ArtifactError: an extent of the plan is none.
        """
        device, aliases = self.device, self.aliases
        held: list[Any] = []

        def taken(nbytes: int) -> int:
            held.append(device.allocate(nbytes))
            return int(held[-1])

        try:
            given = [taken(a.nbytes) for a in arrays]
            for address, array in zip(given, arrays, strict=True):
                device.upload(address, np.ascontiguousarray(array))
            results = [
                given[aliases[k]] if k in aliases else taken(o.nbytes)
                for k, o in enumerate(outputs)
            ]
            arena = taken(number(self.plan.arena, env))
            with device.active():
                self._run([*given, *results], arena, env)
            for address, output in zip(results, outputs, strict=True):
                device.download(output, address)
        finally:
            while held:  # the last one first, so that the next call gets the same addresses
                held.pop()

    def _run(self, buffers: Sequence[int], arena: int, env: Mapping[str, int]) -> None:
        """Starts a call; one that may fail is waited for, and what its kernels report is raised."""
        if not self._fails:
            self._runner.start(buffers, arena, env)
            return
        word = self.device.words.take()
        self._runner.start_reporting(word, buffers, arena, env)
        self.device.synchronize()
        code = word.value
        if code == 0:
            return
        if code is None or not 0 < code <= len(self.plan.messages):
            raise ArtifactError(f"a kernel of {self.name} reported the unknown error {code}")
        raise error_of(self.plan.messages[code - 1])


def _chosen(name: str, cubins: Mapping[str, bytes], arch: str) -> bytes:
    """The code for a device: cubins run on later minor versions of their architecture."""
    major, minor = int(arch[3:-1]), int(arch[-1])
    fitting = []
    for one in cubins:
        if not one[3:].isdigit():  # sm_90a: for just that processor
            if one[3:-1] == arch[3:]:
                return cubins[one]
            continue
        if int(one[3:-1]) == major and int(one[-1]) <= minor:
            fitting.append((int(one[-1]), one))
    if not fitting:
        made = ", ".join(cubins) or "none"
        raise cuda.DeviceError(
            f"{name} has no code for this GPU ({arch}); the artifact was built for {made}. "
            f"Build it again with --gpu {arch}"
        )
    return cubins[max(fitting)[1]]


__all__ = ["GpuProgram"]
