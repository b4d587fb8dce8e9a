"""A CUDA device made of the processor: a stand-in libcuda.so.1 (libcuda.c) under the real pycuda,
kernels compiled by g++ with the vocabulary of graphc/codegen/cuda_cpu.h, and a stand-in for
cuBLASLt (libcublaslt.c).

`install()` must come before the first use of pycuda in a process; it is for processes that tests
and rehearsals start, never for one that has a device.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from graphc.codegen.cuda_cpu import FLAGS, PRELUDE, SHIM
from graphc.codegen.nvcc import complaint
from graphc.errors import BuildError

SOURCE = Path(__file__).with_name("libcuda.c")
PRODUCTS = Path(__file__).with_name("libcublaslt.c")


def missing() -> str:
    """What the stand-in needs and is not there; empty when all is."""
    if sys.platform != "linux":
        return "the stand-in driver is for Linux"
    if shutil.which("gcc") is None or shutil.which("g++") is None:
        return "gcc and g++ are not on PATH"
    return "" if find_spec("pycuda") is not None else "pycuda is not installed"


def folder() -> Path:
    found = Path(tempfile.gettempdir()) / f"graphc-cuda-device-{os.getuid()}"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def install() -> None:
    """This process has a CUDA device from now on, and cuBLASLt."""
    ctypes.CDLL(str(_driver()), ctypes.RTLD_GLOBAL)
    os.environ["GRAPHC_CUBLASLT"] = str(_products())
    from graphc.device import build

    build._cubin = lambda source, arch, driver: image(source)  # type: ignore[assignment]


def count(name: str) -> int | None:
    """How many `downloads`, `kernels`, `decisions` (of conditional nodes), `graphs` (launched) or
    `updates` (of their nodes) the stand-in has seen since the process began; None on a device."""
    found = getattr(ctypes.CDLL("libcuda.so.1"), f"standin_{name}", None)
    return None if found is None else ctypes.cast(found, ctypes.POINTER(ctypes.c_long))[0]


@lru_cache(maxsize=1)
def _driver() -> Path:
    text = SOURCE.read_text()
    names = _unsupported(text)
    key = hashlib.sha256((text + names).encode()).hexdigest()[:16]
    made = folder() / key / "libcuda.so.1"
    if not made.exists():
        made.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as scratch:
            (Path(scratch) / "unsupported.h").write_text(names)
            new = Path(scratch) / "libcuda.so.1"
            command = ["gcc", "-O1", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-w"]
            command += [f"-I{scratch}", "-o", str(new), str(SOURCE), "-ldl"]
            subprocess.run(command, check=True)
            os.replace(new, made)
    return made


@lru_cache(maxsize=1)
def _products() -> Path:
    """The stand-in for cuBLASLt, which finds the driver in the process."""
    key = hashlib.sha256(PRODUCTS.read_bytes()).hexdigest()[:16]
    made = folder() / key / "libcublasLt.so"
    if not made.exists():
        made.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as scratch:
            new = Path(scratch) / made.name
            command = ["gcc", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", str(new)]
            subprocess.run([*command, str(PRODUCTS), "-lm"], check=True)
            os.replace(new, made)
    return made


def _unsupported(text: str) -> str:
    """The driver's functions that pycuda needs and the source lacks."""
    spec = find_spec("pycuda")
    assert spec is not None and spec.submodule_search_locations
    (library,) = Path(next(iter(spec.submodule_search_locations))).glob("_driver*.so")
    named = re.findall(rb"\0(cu[A-Z]\w+)(?=\0)", library.read_bytes())
    made = set(re.findall(r"\b(cu[A-Z]\w+)\(", text))
    made |= {f"{n}{s}" for n in re.findall(r"COPY\((\w+)", text) for s in ("_v2", "Async_v2")}
    return "".join(f"NONE({n})\n" for n in sorted({n.decode() for n in named} - made))


def image(source: str) -> bytes:
    """What the stand-in takes for a cubin: the kernels of a translation unit, compiled by g++."""
    key = hashlib.sha256((source + SHIM.read_text() + " ".join(FLAGS)).encode()).hexdigest()[:32]
    library = folder() / f"{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder()) as scratch:
            file, made = Path(scratch) / "kernel.cpp", Path(scratch) / "kernel.so"
            text = unit(source)
            file.write_text(text)
            command = ["g++", *FLAGS, "-o", str(made), str(file)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise BuildError(complaint(text, done.stderr, "g++"))
            os.replace(made, library)
    return f"CPUSO:{library}".encode() + b"\0"


def unit(source: str) -> str:
    """The C++ of a translation unit, with an entry for each kernel."""
    kernels = re.findall(r'extern "C" __global__ void __launch_bounds__\([^)]*\) (\w+)\(', source)
    parts = [
        "#define GC_HALF 1", SHIM.read_text().replace("#pragma once", ""),
        source.replace('extern "C" __global__', "static"), _ENTRY,
    ]  # fmt: skip
    parts += [f"ENTRY({name})" for name in kernels]
    assert PRELUDE.exists()
    return "\n".join(parts)


_ENTRY = """
#include <utility>
template <class... A, size_t... I>
static void call(void (*kernel)(A...), void** a, std::index_sequence<I...>) {
  kernel(*(A*)a[I]...);
}
template <class... A> static void call(void (*kernel)(A...), void** a) {
  call(kernel, a, std::index_sequence_for<A...>{});
}
template <class... A> static int count(void (*)(A...)) { return sizeof...(A); }
#define ENTRY(NAME)                                                                            \\
  static void NAME##_body(void** a) { call(NAME, a); }                                         \\
  extern "C" void NAME##__cpu(const unsigned* g, const unsigned* b, const char* arguments) {   \\
    void* a[256];                                                                              \\
    for (int i = 0; i < count(NAME); ++i) a[i] = (void*)(arguments + 8 * i);                   \\
    dim3 grid(g[0], g[1], g[2]), block(b[0], b[1], b[2]);                                      \\
    if (!cuda_cpu::launch(NAME##_body, a, grid, block, true)) {                                \\
      fprintf(stderr, "%s: %s\\n", #NAME, cuda_cpu::report);                                   \\
      abort();                                                                                 \\
    }                                                                                          \\
  }
"""
