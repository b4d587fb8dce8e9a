"""The call path without native code: the same meaning as native.c, in Python and ctypes, some 50
times slower.

Who calls it: `call.py`, where the native object cannot be used (another operating system, a
free-threaded or otherwise unusual build of CPython, no native object installed). Loops are serial
unless the native pool is there.
"""

from __future__ import annotations

import ctypes
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from .forking import ForkLock
from .specialization import ArgumentSpec, OutputSpec, Specialization

_BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
_PARALLEL_FOR = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_ENTRY_TYPES = (ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_ENTRY = ctypes.CFUNCTYPE(*_ENTRY_TYPES)
_ENTRY_WITH_GIL = ctypes.PYFUNCTYPE(*_ENTRY_TYPES)
_SHAPES = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
_SCALARS: dict[str, tuple[type, Any]] = {
    "float": (float, np.float64),
    "int": (int, np.int64),
    "bool": (bool, np.uint8),
    "complex": (complex, np.complex128),
}


class Runtime(ctypes.Structure):
    """`GcRuntime` of native.h."""

    _fields_ = (
        ("parallel_for", ctypes.c_void_p),
        ("workers", ctypes.c_int64),
        ("version", ctypes.c_int64),
    )


@_PARALLEL_FOR
def _serial_for(runtime: int, body: int, context: int, n: int, grain: int) -> None:
    if n > 0:
        _BODY(body)(context, 0, n, 0)


def serial_runtime() -> Runtime:
    """A runtime whose loops run on the calling thread."""
    return Runtime(ctypes.cast(_serial_for, ctypes.c_void_p).value, 1, 1)


_runtime_now: Callable[[], Runtime] = serial_runtime


def use_runtime(source: Callable[[], Runtime]) -> None:
    """Takes loops from the native pool, where there is one."""
    global _runtime_now
    _runtime_now = source


class Compiled:
    """A callable over native entries; what none of them accepts goes to `miss`. See
    `call.compiled_type`."""

    def __init__(
        self, miss: Callable[..., Any], error: Callable[[int, list[Any]], Any] | None = None
    ) -> None:
        self._miss, self._error = miss, error
        self._specializations: tuple[Specialization, ...] = ()
        self._counts = [0, 0]  # hits, misses
        self._lock = ForkLock()

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names, given = tuple(kwargs), (*args, *kwargs.values())
        for spec in self._specializations:
            matched = _match(spec, given) if names == spec.keywords else None
            if matched is None:
                continue
            buffers, extents = matched
            shaped = _shape(spec, extents)
            if shaped is None:
                continue
            self._counts[0] += 1
            return self._run(spec, given, buffers, extents, *shaped)
        self._counts[1] += 1
        return self._miss(*args, **kwargs)

    def add(self, spec: Specialization) -> None:
        with self._lock:
            self._specializations = (spec, *self._specializations)

    def clear(self) -> None:
        with self._lock:
            self._specializations = ()

    def statistics(self) -> tuple[int, int, int]:
        return len(self._specializations), self._counts[0], self._counts[1]

    def _run(
        self,
        spec: Specialization,
        args: tuple[Any, ...],
        inputs: list[np.ndarray[Any, Any]],
        extents: np.ndarray[Any, Any],
        shapes: list[tuple[int, ...]],
        arena_bytes: int,
    ) -> Any:
        runtime = _runtime_now()
        outputs = [
            args[o.alias] if o.alias >= 0 else np.empty(shape, o.dtype)
            for o, shape in zip(spec.outputs, shapes, strict=True)
        ]
        arena_bytes += spec.arena_worker_bytes * runtime.workers
        arena = np.empty(arena_bytes + 64, np.uint8) if arena_bytes else None
        start = 0 if arena is None else -(-arena.ctypes.data // 64) * 64
        buffers = np.array([a.ctypes.data for a in inputs + outputs] or [0], np.uint64)
        touched = sum(a.nbytes for a in inputs + outputs)
        free = 0 <= spec.release_gil_bytes <= touched
        entry = (_ENTRY if free else _ENTRY_WITH_GIL)(spec.entry)
        code = entry(buffers.ctypes.data, extents.ctypes.data, start, ctypes.addressof(runtime))
        if code:
            if self._error is not None:
                self._error(code, outputs)
            raise RuntimeError(f"generated code failed with error code {code}")
        results = [a[()] if o.scalar else a for o, a in zip(spec.outputs, outputs, strict=True)]
        if callable(spec.result):
            return spec.result(results)
        if spec.result == "single":
            return results[0]
        return tuple(results) if spec.result == "tuple" else results


def _match(
    spec: Specialization, args: tuple[Any, ...]
) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]] | None:
    """The input buffers as arrays, and the extents; None when an argument does not fit."""
    if len(args) != len(spec.arguments):
        return None
    symbols: dict[str, int] = {}
    strides: list[int] = []
    inputs: list[np.ndarray[Any, Any]] = []
    for argument, value in zip(spec.arguments, args, strict=True):
        if argument.kind == "array":
            if not _match_array(argument, value, symbols, strides):
                return None
            inputs.append(value)
            continue
        if argument.kind == "static":
            if not _same_static(value, argument.value):
                return None
            continue
        kind, held = _SCALARS[argument.kind]
        if type(value) is not kind or (kind is int and not -(2**63) <= value < 2**63):
            return None
        inputs.append(np.array(value, held))
    arrays = [i for i, argument in enumerate(spec.arguments) if argument.kind == "array"]
    for i in arrays:
        if not spec.arguments[i].donated:
            continue
        if any(k != i and np.may_share_memory(args[i], args[k]) for k in arrays):
            return None
    return inputs, np.array([symbols[s] for s in spec.symbols] + strides or [0], np.int64)


def _same_static(value: Any, wanted: Any) -> bool:
    if value is wanted:
        return True
    return type(value) is type(wanted) and type(value) in (int, str) and value == wanted


def _match_array(
    argument: ArgumentSpec, value: Any, symbols: dict[str, int], strides: list[int]
) -> bool:
    dtype = argument.dtype
    if (
        type(value) is not np.ndarray
        or dtype is None
        or value.dtype != dtype
        or not value.dtype.isnative
    ):
        return False
    flags = value.flags
    if (
        value.ndim != len(argument.shape)
        or not flags.aligned
        or (argument.donated and not flags.writeable)
    ):
        return False
    if not argument.strided and not flags.c_contiguous:
        return False
    for extent, wanted in zip(value.shape, argument.shape, strict=True):
        if (
            (extent != wanted)
            if isinstance(wanted, int)
            else (symbols.setdefault(wanted, extent) != extent)
        ):
            return False
    if argument.strided:
        for extent, stride in zip(value.shape, value.strides, strict=True):
            if extent > 1 and stride % dtype.itemsize:
                return False
            strides.append(stride // dtype.itemsize if extent > 1 else 0)
    return True


def _shape(
    spec: Specialization, extents: np.ndarray[Any, Any]
) -> tuple[list[tuple[int, ...]], int] | None:
    """The shapes of the outputs and the arena's bytes; None when the extents do not fit
    together."""
    if not spec.shapes:
        values = dict(zip(spec.symbols, extents.tolist(), strict=False))
        return [_constant_shape(o, values) for o in spec.outputs], spec.arena_bytes
    ranks = [len(o.shape) for o in spec.outputs]
    dims = np.zeros(max(1, sum(ranks)), np.int64)
    arena_bytes = _SHAPES(spec.shapes)(extents.ctypes.data, dims.ctypes.data)
    if arena_bytes < 0 or dims.min() < 0:
        return None
    shapes, first = [], 0
    for rank in ranks:
        shapes.append(tuple(dims[first : first + rank].tolist()))
        first += rank
    return shapes, arena_bytes


def _constant_shape(output: OutputSpec, values: dict[str, int]) -> tuple[int, ...]:
    return tuple(
        e if isinstance(e, int) else values[e] if e is not None else 0 for e in output.shape
    )
