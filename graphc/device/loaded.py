"""loaded: a plan on the device, and its calls.

A call allocates results and one arena from the device's pool; `graphc_runtime.gpu_run` runs the
steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from graphc_runtime import cuda
from graphc_runtime.cuda_decisions import say
from graphc_runtime.gpu_run import Frame, Loaded, Runner
from graphc_runtime.steps import decides

from .. import types as ty
from ..errors import DeviceError
from ..evaluate import bind_extents
from . import cublas, memory
from .array import DeviceArray, device_put, errors
from .build import build_cubins
from .conditional import decisions
from .plan import DevicePlan
from .products import call_of, is_turned
from .reports import Report, of_all
from .steps import Product, Work, stride_symbol


class LoadedProgram:
    """A plan whose kernels are on the device, with its constants."""

    def __init__(self, device: cuda.Device, plan: DevicePlan):
        self.device, self.plan = device, plan
        with errors(f"loading {plan.graph.name}"):
            functions = self._functions()
            self._constants = [device_put(literal.array) for literal in plan.constants]
            self._kept, self._error = device.allocate(plan.kept), device.allocate(4)
            device.clear(int(self._error), 4)
            constants = [one.pointer for one in self._constants]
            self._library = cublas.Handle.of(device) if plan.products else None
        self._calls: dict[tuple[int, tuple[int, ...]], cublas.Call | None] = {}
        """Of each product, by its identity and the symbols."""
        made, why = decisions(device) if decides(plan.steps) else (None, "")
        if why:
            say(why)
        self.runner: Runner[Work, ty.Extent] = Runner(
            device, plan.steps, Loaded(functions, constants, int(self._kept), int(self._error)),
            _number, made, self._product, plan.graph.name,
        )  # fmt: skip
        if plan.setup:
            with errors(f"loading {plan.graph.name}"):
                scratch = device.allocate(plan.setup_arena)
                with device.active():
                    self.runner.run(plan.setup, Frame((), int(scratch), {}, {}))
                device.synchronize()

    def _functions(self) -> dict[int, Any]:
        """Of each launch, by its identity."""
        device, launches = self.device, (*self.plan.setup_launches, *self.plan.launches)
        cubins = build_cubins([one.kernel for one in launches], device.arch, device.driver_version)
        modules = {cubin: device.load(cubin) for cubin in dict.fromkeys(cubins)}
        self._modules = modules  # their functions do not keep them
        return {
            id(one): device.function(modules[cubin], one.kernel.name, one.kernel.dynamic_bytes)
            for one, cubin in zip(launches, cubins, strict=True)
        }

    # -- calls
    def run(
        self, arrays: Sequence[DeviceArray], strided: Sequence[int], aliases: Mapping[int, int]
    ) -> list[DeviceArray]:
        """The results for arrays of the parameters' types."""
        graph, device = self.plan.graph, self.device
        env: dict[str, int] = {}
        if graph.symbols:
            env = dict(bind_extents(graph, [a.shape for a in arrays]))
        for k in strided:
            array = arrays[k]
            for axis, step in enumerate(array.strides):
                if step % array.itemsize:
                    raise DeviceError(f"argument {k} has strides that are no whole elements")
                env[stride_symbol(k, axis)] = step // array.itemsize
        results: list[DeviceArray] = []
        with errors(self._call(arrays)), device.active():
            report = Report(device, self.plan.messages) if self.plan.fails else None
            watches = of_all(arrays).union(() if report is None else (report,))
            # the first, so that the next call finds it at the same place, also if results are kept
            arena_bytes = _number(self.plan.arena, env)
            arena = None
            if arena_bytes:
                arena = self._allocated(arena_bytes, lambda: self._temporaries(env))
            base = 0 if arena is None else int(arena)
            for k, value in enumerate(graph.results):
                shape = tuple(_number(e, env) for e in value.type.shape)
                if k in aliases:
                    source = arrays[aliases[k]]
                    owner, pointer = source.owner, source.pointer
                else:
                    nbytes = int(np.prod(shape, dtype=np.int64)) * value.dtype.nbytes
                    owner = self._allocated(nbytes, lambda k=k: memory.result(self.plan, k))
                    pointer = int(owner)
                results.append(
                    DeviceArray(device, owner, pointer, value.dtype, shape, None, watches)
                )
            buffers = [a.pointer for a in (*arrays, *results)]
            for k in aliases.values():  # all memory is there: it is written over from now on
                arrays[k].donated = True
            self._start(buffers, base, env, report)
        return results

    def _allocated(self, nbytes: int, what: Callable[[], str]) -> Any:
        try:
            return self.device.allocate(nbytes)
        except cuda.OutOfDeviceMemory as error:
            raise cuda.OutOfDeviceMemory(f"{what()}: {error}") from None

    def _temporaries(self, env: Mapping[str, int]) -> str:
        return memory.temporaries(self.plan, lambda extent: _number(extent, env))

    def _start(
        self, buffers: Sequence[int], arena: int, env: Mapping[str, int], report: Report | None
    ) -> None:
        if report is None:
            self.runner.start(buffers, arena, env)
        else:
            self.runner.start_reporting(report.word, buffers, arena, env)

    def _call(self, arrays: Sequence[DeviceArray]) -> str:
        shown = ", ".join(f"{ty.dtype(a.dtype)}{list(a.shape)}" for a in arrays)
        return f"{self.plan.graph.name}({shown})"

    def _product(self, step: Product, frame: Frame) -> tuple[int, ...]:
        """Computes it, and says at which addresses."""
        shape, env = step.shape, frame.env
        key = id(step), tuple(env.values())
        if key not in self._calls:
            self._calls[key] = call_of(shape, env, step.tf32)
        call = self._calls[key]
        left, right, result = (
            self.runner.address(place, frame) + _number(one.offset, env) * one.buffer.dtype.nbytes
            for place, one in zip(step.places, (shape.left, shape.right, shape.result), strict=True)
        )
        if call is None:  # no results, or no terms
            nbytes = ty.product((shape.batch, shape.m, shape.n)) * shape.result.buffer.dtype.nbytes
            if _number(nbytes, env):
                self.device.clear(result, _number(nbytes, env))
            return (result,)
        a, b = (left, right) if is_turned(shape) else (right, left)
        assert self._library is not None
        try:
            self._library.run(call, a, b, result)
        except cuda.DeviceError as error:
            at = f" ({step.line})" if step.line else ""
            raise cuda.DeviceError(f"{error}{at}") from None
        return a, b, result


def _number(extent: ty.Extent, env: Mapping[str, int]) -> int:
    if isinstance(extent, int):
        return extent
    value = ty.substitute(extent, dict(env))
    assert isinstance(value, int), (extent, env)
    return value
