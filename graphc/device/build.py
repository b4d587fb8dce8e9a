"""build: printed kernels -> cubins for a device's architecture, from the disk cache or made anew.

NVRTC where there is one, else nvcc. Each kernel is a unit of its own: equal kernels of a
program are one (device/kernels.py gives them one name), and several are compiled at once (both
compilers run outside the interpreter).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from .. import cache, environment
from ..codegen import nvcc, nvrtc
from ..codegen.cuda import CudaKernel, architecture, translation_unit
from ..compile import FORMAT, VERSION, disk_cache
from ..errors import BuildError


def build_cubins(kernels: Sequence[CudaKernel], arch: str, driver: int) -> list[bytes]:
    """The cubin of each kernel. `driver` is the driver's version, as it reports it.

    Raises:
        BuildError: there is no compiler, or it refused a kernel.
    """
    units = [(translation_unit([kernel]), architecture([kernel], arch)) for kernel in kernels]
    distinct = list(dict.fromkeys(units))
    if len(distinct) == 1:
        ((source, own),) = distinct
        return [_cubin(source, own, driver)] * len(units)
    with ThreadPoolExecutor(min(len(distinct), environment.num_threads()) or 1) as pool:
        made = pool.map(lambda unit: _cubin(unit[0], unit[1], driver), distinct)
        known = dict(zip(distinct, made, strict=True))
    return [known[unit] for unit in units]


def build_source(source: str, arch: str, driver: int) -> bytes:
    """The cubin of a translation unit; arguments and errors as those of `build_cubins`."""
    return _cubin(source, arch, driver)


def _cubin(source: str, arch: str, driver: int) -> bytes:
    parts = {
        "cuda": source, "arch": arch, "driver": str(driver), "compiler": compiler(),
        "graphc": f"{VERSION}/{FORMAT}",
    }  # fmt: skip
    store = disk_cache(environment.cache_folder())
    key = cache.key(parts)
    entry = store.get(key)
    if entry is not None:
        return entry.blobs["cubin"]
    compile_cubin = nvrtc.compile_cubin if nvrtc.available() else nvcc.compile_cubin
    cubin = compile_cubin(source, arch)
    meta = {"parts": {k: v for k, v in parts.items() if k != "cuda"}, "name": "CUDA kernel"}
    store.put(key, cache.Entry(meta, {"cubin": cubin}))
    return cubin


@lru_cache(maxsize=1)
def compiler() -> str:
    """The name and version of what compiles.

    Raises:
        BuildError: there is none.
    """
    if nvrtc.available():
        return nvrtc.version()
    found = nvcc.find_nvcc()
    if found is None:
        raise BuildError(
            "no compiler for CUDA C was found; install the PyPI packages nvidia-cuda-nvrtc and "
            "nvidia-cuda-runtime, or a CUDA toolkit (nvcc on PATH or in CUDA_HOME/bin)"
        )
    stat = os.stat(found)
    done = subprocess.run([found, "--version"], capture_output=True, text=True)
    return f"{done.stdout.strip().splitlines()[-1:]} {stat.st_size}"
