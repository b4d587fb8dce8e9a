"""Runs printed kernels on the device as graphc/codegen/cuda_cpu.py does on the processor: the same
`build` and `run`, so that the suites of tests/codegen serve both.

The kernels of many programs are one unit: most of the time of a build is the head of the unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from graphc_runtime import cuda

from graphc.codegen.cuda import GRID_LIMITS, CudaKernel, architecture, translation_unit
from graphc.codegen.cuda_cpu import evaluate
from graphc.device import build as cubins
from graphc.loops.ir import Buffer


@dataclass(frozen=True)
class DeviceProgram:
    """Some kernels on the device that run in order."""

    kernels: tuple[CudaKernel, ...]
    functions: tuple[Any, ...]

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
        symbols: Mapping[str, int] | None = None,
        reverse: bool = False,
    ) -> int:
        """Runs on arrays by buffer name, written in place; answers the code of the first Fail, or
        0. `reverse` has no meaning here."""
        device, env = cuda.device(), dict(symbols or {})
        memory: dict[str, tuple[Any, np.ndarray | None, int]] = {}
        for kernel in self.kernels:
            for buffer in kernel.params:
                if isinstance(buffer, Buffer) and buffer.name not in memory:
                    memory[buffer.name] = _place(device, buffer, arrays.get(buffer.name), env)
        error = device.allocate(4)
        device.clear(int(error), 4)
        for kernel, function in zip(self.kernels, self.functions, strict=True):
            grid = tuple(
                min(evaluate(e, env), limit)
                for e, limit in zip(kernel.grid, GRID_LIMITS, strict=True)
            )
            if 0 in grid:
                continue
            values = [memory[p.name][2] if isinstance(p, Buffer) else env[p] for p in kernel.params]
            if kernel.fails:
                values.append(int(error))
            with device.active():
                device.launch(function, grid, kernel.block, values, kernel.dynamic_bytes)
        written = {
            p.name
            for kernel in self.kernels
            for p in kernel.params
            if isinstance(p, Buffer) and p.access != "in"
        }
        for name in written.intersection(arrays):
            _, host, address = memory[name]
            assert host is not None, "a strided array is only read"
            device.download(host, address)
            if host is not arrays[name]:
                arrays[name][...] = host
        code = np.zeros(1, np.int32)
        device.download(code, int(error))
        return int(code[0])


def _place(
    device: cuda.Device, buffer: Buffer, array: np.ndarray | None, env: Mapping[str, int]
) -> tuple[Any, np.ndarray | None, int]:
    """Memory for a buffer with the array's elements, what lies there, and the address of the first
    element."""
    if array is None:
        shape = tuple(evaluate(e, env) for e in buffer.shape)
        nbytes = int(np.prod(shape, dtype=np.int64)) * buffer.dtype.nbytes
        host = np.full(max(nbytes, 1), 0xFF, np.uint8)  # what nobody wrote shows
        memory = device.allocate(host.nbytes)
        device.upload(int(memory), host)
        return memory, None, int(memory)
    if buffer.strides is None or array.flags.c_contiguous:
        host = np.ascontiguousarray(array).reshape(array.shape)
        memory = device.allocate(host.nbytes)
        device.upload(int(memory), host)
        return memory, host, int(memory)
    # all bytes between the first and the last, so that the strides stay as they are
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    host = np.ascontiguousarray(base)
    memory = device.allocate(host.nbytes)
    device.upload(int(memory), host)
    return memory, None, int(memory) + array.ctypes.data - base.ctypes.data


def build(programs: Sequence[Sequence[CudaKernel]]) -> list[DeviceProgram]:
    """Compiles many programs as one unit and loads it."""
    renamed: list[list[CudaKernel]] = []
    for number, kernels in enumerate(programs):
        renamed.append([])
        for kernel in kernels:
            name = f"p{number}_{kernel.name}"
            source = re.sub(rf"\b{re.escape(kernel.name)}\b", name, kernel.source)
            renamed[-1].append(replace(kernel, name=name, source=source))
    every = [kernel for kernels in renamed for kernel in kernels]
    if not every:
        return [DeviceProgram((), ()) for _ in programs]
    device = cuda.device()
    arch = architecture(every, device.arch)
    cubin = cubins._cubin(translation_unit(every), arch, device.driver_version)
    module = device.load(cubin)
    return [
        DeviceProgram(
            tuple(kernels),
            tuple(device.function(module, k.name, k.dynamic_bytes) for k in kernels),
        )
        for kernels in renamed
    ]
