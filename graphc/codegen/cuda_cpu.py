"""Runs printed CUDA C on the CPU: g++ over cuda_cpu.h, for tests where there is no GPU.

A build costs half a second, so many programs go into one translation unit (`build`); libraries are
kept in a folder under the system's temporary one, by content. Called by tests and fuzzers, never by
the compiler.
"""

from __future__ import annotations

import _ctypes
import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import BuildError, GraphcError
from ..loops.ir import Buffer, Index
from .cuda import GRID_LIMITS, PRELUDE, CudaKernel
from .nvcc import complaint

SHIM = Path(__file__).with_name("cuda_cpu.h")
FLAGS = (
    "-std=gnu++17",
    "-O1",
    "-fPIC",
    "-shared",
    "-w",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
)
GRID_MAX = 4096
"""Longer grids are cut here: what is left runs in the kernels' grid-stride loops, which are then
tested too."""


class DeadlockError(GraphcError):
    """The threads of a block wait for each other for ever."""


def available() -> bool:
    """Is there a g++?"""
    return shutil.which("g++") is not None


@dataclass(frozen=True, slots=True)
class CpuProgram:
    """Some kernels, compiled, that run in order."""

    kernels: tuple[CudaKernel, ...]
    library: ctypes.CDLL
    number: int

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
        symbols: Mapping[str, int] | None = None,
        reverse: bool = False,
    ) -> int:
        """Runs on arrays by buffer name, written in place; answers the code of the first Fail, or
        0.

        Workspace that `arrays` lacks is made here. `reverse` runs threads and blocks in descending
        order.

        Raises:
            DeadlockError: with the block and what its threads wait for.
        """
        env = dict(symbols or {})
        error = np.zeros(1, np.int32)
        given = dict(arrays)
        placed: dict[str, np.ndarray] = {}
        for kernel in self.kernels:
            for buffer in kernel.params:
                if isinstance(buffer, Buffer) and buffer.name not in placed:
                    placed[buffer.name] = _aligned(buffer, given.get(buffer.name), env)
        for k, kernel in enumerate(self.kernels):
            self._launch(k, kernel, placed, env, error, reverse)
        for name, array in given.items():
            if name in placed and placed[name] is not array:
                array[...] = placed[name]
        return int(error[0])

    def _launch(
        self,
        k: int,
        kernel: CudaKernel,
        arrays: Mapping[str, np.ndarray],
        env: Mapping[str, int],
        error: np.ndarray,
        reverse: bool,
    ) -> None:
        grid = [
            min(evaluate(e, env), limit) for e, limit in zip(kernel.grid, GRID_LIMITS, strict=True)
        ]
        if 0 in grid:
            return
        if not all(isinstance(extent, int) for extent in kernel.grid):
            grid = [min(e, GRID_MAX) for e in grid]
        values: list[ctypes._SimpleCData] = [
            ctypes.c_void_p(arrays[p.name].ctypes.data)
            if isinstance(p, Buffer)
            else ctypes.c_longlong(env[p])
            for p in kernel.params
        ]
        if kernel.fails:
            values.append(ctypes.c_void_p(error.ctypes.data))
        slots = (ctypes.c_void_p * max(len(values), 1))(*(ctypes.addressof(v) for v in values))
        report = ctypes.create_string_buffer(256)
        entry = getattr(self.library, f"launch_{self.number}_{k}")
        shape = (ctypes.c_uint * 6)(*grid, *kernel.block)
        if entry(slots, shape, int(reverse), report):
            raise DeadlockError(f"kernel {kernel.name} hangs: {report.value.decode()}")


def run_on_cpu(
    kernels: Sequence[CudaKernel],
    arrays: Mapping[str, np.ndarray],
    symbols: Mapping[str, int] | None = None,
    reverse: bool = False,
) -> int:
    """Compiles the kernels and runs them on arrays by buffer name; answers the code of the first
    Fail, or 0."""
    return build([kernels])[0].run(arrays, symbols, reverse)


def build(programs: Sequence[Sequence[CudaKernel]]) -> list[CpuProgram]:
    """Compiles many programs in one go.

    Raises:
        BuildError: no g++, or its words with the source lines that it names.
    """
    library = _library(unit(programs))
    return [CpuProgram(tuple(kernels), library, k) for k, kernels in enumerate(programs)]


@contextmanager
def temporary(programs: Sequence[Sequence[CudaKernel]]) -> Iterator[list[CpuProgram]]:
    """`build` for fuzzers: afterwards the library is unloaded and its file is gone.

    Raises:
        BuildError: as `build`.
    """
    with tempfile.TemporaryDirectory(prefix="graphc-cuda-cpu-") as folder:
        path = Path(folder) / "kernels.so"
        _compile(unit(programs), path)
        library = ctypes.CDLL(str(path))
        try:
            yield [CpuProgram(tuple(kernels), library, k) for k, kernels in enumerate(programs)]
        finally:
            _ctypes.dlclose(library._handle)  # ctypes itself never unloads


def evaluate(index: Index, env: Mapping[str, int]) -> int:
    """The value of an extent."""
    value = ty.substitute(index, env)
    if isinstance(value, ty.Dim):
        raise BuildError(f"the extent {index} needs the symbols {sorted(ty.symbols(value))}")
    return value


def unit(programs: Sequence[Sequence[CudaKernel]]) -> str:
    """The C++ of some programs: the vocabulary, the prelude, the kernels, and a C entry for
    each."""
    parts = [
        "#define GC_HALF 1",
        SHIM.read_text().replace("#pragma once", ""),
        PRELUDE.read_text(),
        _LAUNCH,
    ]
    for number, kernels in enumerate(programs):
        for k, kernel in enumerate(kernels):
            space = f"program_{number}_{k}"  # kernels of different programs may share a name
            source = kernel.source.replace('extern "C" __global__', "static")
            parts.append(f"namespace {space} {{\n{source}")
            parts.append(
                f"static void body(void** a) {{ {kernel.name}({_arguments(kernel)}); }}\n}}"
            )
            fibers = str(kernel.synchronizes).lower()
            parts.append(
                f'extern "C" int launch_{number}_{k}(void** arguments, const unsigned* shape, '
                f"int reverse, char* report) {{\n  return run_kernel({space}::body, arguments, "
                f"shape, {fibers}, reverse, report);\n}}"
            )
    return "\n".join(parts)


_LAUNCH = """
static int run_kernel(cuda_cpu::Body body, void** arguments, const unsigned* shape, bool fibers,
                      int reverse, char* report) {
  cuda_cpu::options.reverse = reverse != 0;
  dim3 grid(shape[0], shape[1], shape[2]), block(shape[3], shape[4], shape[5]);
  if (cuda_cpu::launch(body, arguments, grid, block, fibers)) return 0;
  memcpy(report, cuda_cpu::report, sizeof cuda_cpu::report);
  return 1;
}
"""


def _arguments(kernel: CudaKernel) -> str:
    """The call's arguments, taken from an array of pointers to them, as cuLaunchKernel does."""
    head = kernel.source[kernel.source.index(kernel.name + "(") + len(kernel.name) + 1 :]
    types = [
        re.sub(r"\s*\w+\s*$", "", p).replace("__restrict__", "")
        for p in head[: head.index(") {")].split(",")
    ]
    return ", ".join(f"*({t.strip()}*)a[{i}]" for i, t in enumerate(types) if t.strip())


def _aligned(buffer: Buffer, array: np.ndarray | None, env: Mapping[str, int]) -> np.ndarray:
    """The array of a buffer, where the kernels may assume it: contiguous ones at 16 bytes."""
    if array is None:
        shape = tuple(evaluate(e, env) for e in buffer.shape)
        return _empty(shape, buffer.dtype.numpy)
    if array.dtype != buffer.dtype.numpy:
        raise BuildError(f"buffer {buffer.name} is {buffer.dtype.name}, its array {array.dtype}")
    if buffer.strides is not None or (array.flags.c_contiguous and array.ctypes.data % 16 == 0):
        return array
    copy = _empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.full(nbytes + 16, 0xFF, np.uint8)  # what nobody wrote shows
    start = -raw.ctypes.data % 16
    return raw[start : start + nbytes].view(dtype).reshape(shape)


_LIBRARIES: dict[str, ctypes.CDLL] = {}


def _library(source: str) -> ctypes.CDLL:
    key = hashlib.sha256((source + " ".join(FLAGS)).encode()).hexdigest()[:32]
    found = _LIBRARIES.get(key)
    if found is None:
        folder = Path(tempfile.gettempdir()) / f"graphc-cuda-cpu-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        library = folder / f"{key}.so"
        if not library.exists():
            _compile(source, library)
        found = _LIBRARIES[key] = ctypes.CDLL(str(library))
    return found


def _compile(source: str, library: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        raise BuildError("g++ is not on PATH; it is needed to run CUDA C on the CPU")
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        file, made = Path(scratch) / "kernel.cpp", Path(scratch) / "kernel.so"
        file.write_text(source)
        done = subprocess.run(
            [compiler, *FLAGS, "-o", str(made), str(file)], capture_output=True, text=True
        )
        if done.returncode:
            raise BuildError(complaint(source, done.stderr, "g++"))
        os.replace(made, library)
