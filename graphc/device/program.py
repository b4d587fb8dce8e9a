"""program: the backend of `jit(device="cuda")`: which plan a call runs. loaded.py runs it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from graphc_runtime.forking import ForkLock

from .. import environment
from .. import types as ty
from ..compile import Lowered, lower_graph
from ..errors import DeviceError, OutOfDeviceMemory
from ..ir import Graph
from ..trace import TracedFunction, donations
from . import cublas
from .array import DeviceArray, device_put, errors, the_device
from .interchange import is_on_device, view
from .loaded import LoadedProgram
from .plan import DevicePlan, plan_device
from .products import Chosen, call_of, is_symbolic, least_alignments
from .steps import Product

ALIGNMENT = 16
"""Kernels may take for granted that contiguous arrays begin at such an address."""


class Cuda:
    """Programs for the CUDA device of this machine. Options as those of `backends.Native`.

    `library` and `tf32`: who computes products, and whether those of f32 may round their operands
    (`jit`).
    """

    def __init__(
        self, check_finite: bool = False, direct: bool = False, library: bool | None = None,
        tf32: bool = False,
    ):  # fmt: skip
        self._options = {"check_finite": check_finite, "direct": direct, "tf32": tf32}
        self._library = library

    def lower(self, graph: Graph) -> Lowered:
        return lower_graph(graph, **self._options)

    def compile(self, traced: TracedFunction) -> DeviceExecutable:
        return DeviceExecutable(traced, **self._options, library=self._library)

    def callable(self, miss: Callable[..., Any]) -> None:
        return None


class DeviceExecutable:
    """A program on the device: one variant for contiguous arrays, others for any strides."""

    def __init__(
        self, traced: TracedFunction, check_finite: bool, direct: bool, tf32: bool,
        library: bool | None,
    ):  # fmt: skip
        self.device = the_device()
        self._traced, self._check_finite, self._tf32 = traced, check_finite, tf32
        self._chosen = None if library is False else Chosen(library is True, tf32)
        if library is True:
            self._handle(f"library=True of {traced.graph.name}")
        self._aliases = donations(traced)
        lowered = lower_graph(traced.graph, check_finite=check_finite, direct=direct, tf32=tf32)
        self._graph: Graph = lowered.optimised.graph
        self._variants: dict[tuple[int, ...], LoadedProgram] = {}
        self._lock = ForkLock()
        self._variant(())

    @property
    def tuning(self) -> tuple[str, ...]:
        """The memory that a call needs, and the products that the library computes."""
        products = self._variant(()).plan.products
        return (
            f"a call needs {self.peak_bytes} bytes beside its arguments: results and temporaries",
            *(f"{p} by cuBLASLt{f' ({p.line})' if p.line else ''}" for p in products),
        )

    @property
    def peak_bytes(self) -> ty.Extent:
        """Bytes that a call needs besides its arguments: results and the arena."""
        plan = self._variant(()).plan
        total: ty.Extent = plan.arena
        for value in plan.graph.results:
            total = total + value.type.nbytes
        return total

    def _variant(self, strided: tuple[int, ...]) -> LoadedProgram:
        with self._lock:
            found = self._variants.get(strided)
            if found is None:
                found = self._variants[strided] = LoadedProgram(self.device, self._plan(strided))
            return found

    def _plan(self, strided: tuple[int, ...]) -> DevicePlan:
        arch = environment.schedule_arch(self.device.arch)
        given = self._graph, strided, self._aliases, self._check_finite, arch
        plan = plan_device(*given, self._chosen, self._tf32)
        if not plan.products or self._chosen is None:
            return plan
        doing = f"loading {plan.graph.name}"
        try:
            handle = self._handle(doing)
            if not self._chosen.always:
                with errors(doing), self.device.active():
                    _prepare(handle, plan.products)
        except OutOfDeviceMemory:
            raise
        except DeviceError as error:
            if self._chosen.always:
                raise
            notice(f"products such as {plan.products[0]} are computed by graphc's own kernels, "
                   f"which are slower: {error}")  # fmt: skip
            return plan_device(*given, None, self._tf32)
        return plan

    def _handle(self, doing: str) -> cublas.Handle:
        """The library on the device.

        Raises:
            DeviceError: with what is missing. OutOfDeviceMemory: no memory for its workspace.
        """
        try:
            with errors(doing):
                return cublas.Handle.of(self.device)
        except OutOfDeviceMemory:
            raise
        except DeviceError as error:
            text = str(error).removeprefix(f"{doing}: ")
            raise DeviceError(f"{doing}: {text}") from None

    def argument(self, leaf: Any, parameter: Any) -> DeviceArray:
        """A leaf of a call on the device."""
        if isinstance(leaf, DeviceArray):
            leaf._readable()
            return leaf
        if is_on_device(leaf):
            return view(self.device, leaf)
        return device_put(np.asarray(leaf, dtype=parameter.type.dtype.numpy))

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        donated = self._aliases.values()
        given: list[DeviceArray] = list(arrays)
        strided = tuple(k for k, a in enumerate(given) if not _is_plain(a) and k not in donated)
        for k in donated:
            if given[k].read_only:
                raise DeviceError(
                    f"{self._traced.parameters[k].path} is donated, and the library that lends the "
                    "array says that it is only to be read; donate a copy: device_put(x).copy()"
                )
            if not _is_plain(given[k]):
                raise DeviceError(
                    f"{self._traced.parameters[k].path} is donated, and its elements do not lie in "
                    "order in memory; only a C-contiguous array can be written over"
                )
        return self._variant(strided).run(given, strided, self._aliases)

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        return False


def _prepare(handle: cublas.Handle, products: Sequence[Product]) -> None:
    """Asks for algorithms while there is a choice still.

    Raises:
        cuda.DeviceError: there is none for one of the products.
    """
    for one in products:
        if not is_symbolic(one.shape):
            call = call_of(one.shape, {}, one.tf32)
            assert call is not None
            handle.prepare(call, least_alignments(one.shape, ALIGNMENT))


_noticed: set[str] = set()


def notice(text: str) -> None:
    """Warns of the library once in a process."""
    if not _noticed:
        _noticed.add(text)
        warnings.warn(f"{text} (said once; see graphc doctor)", stacklevel=3)


def _is_plain(array: DeviceArray) -> bool:
    return array.pointer % ALIGNMENT == 0 and array.is_contiguous
