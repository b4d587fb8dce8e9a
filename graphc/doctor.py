"""What `graphc doctor` finds out: one Check for each thing that graphc uses or could use.

Called by the command line; makes text and never prints. What goes wrong in a check is its answer.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import platform
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import graphc_runtime
import numpy as np
from graphc_runtime import cuda, lapack
from graphc_runtime.records import dataclass

import graphc

from . import compile as road
from . import environment
from .cache import Cache
from .codegen import nvcc, nvrtc
from .codegen.target import host_l2_bytes, host_target
from .device import cublas
from .device.conditional import decisions
from .errors import DeviceError, GraphcError
from .tuning import KEY_PREFIX

LEAST_FREE_BYTES = 256 << 20
FEATURES = {
    "x86_64": (
        "sse4.1",
        "avx",
        "avx2",
        "fma",
        "f16c",
        "avx512f",
        "avx512vl",
        "avx512dq",
        "avx512bf16",
        "avx512fp16",
    ),
    "aarch64": ("neon", "fullfp16", "bf16", "sve", "sve2"),
}
"""The features of processors that change the code we make; others are not shown."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the answer.

    `state`: "ok"; "missing" (some may want it, and all else works without); "slow" (works, but not
    as fast as it could); "failed" (graphc does not work). `meaning`: what follows for the user.
    """

    name: str
    state: str
    value: str
    meaning: str = ""

    def __str__(self) -> str:
        meaning = f"; {self.meaning}" if self.meaning else ""
        return f"{self.state:<8}{self.name:<18}{self.value}{meaning}"


def examine() -> Iterator[Check]:
    """All checks, in order; the compiler's own last."""
    checks: tuple[Callable[[], Iterator[Check]], ...] = (
        _versions, _processor, _calls, _threads, _cache, _cuda, _cublaslt, _lapack, _tools,
        _settings, _compiler,
    )  # fmt: skip
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # the doctor looks at broken machines: it may not break itself
            name = check.__name__.strip("_")
            yield Check(
                name, "failed", f"{type(error).__name__}: {error}", "the check itself failed"
            )


def works(checks: list[Check]) -> bool:
    """Whether nothing failed."""
    return all(c.state != "failed" for c in checks)


# ------------------------------------------------------------------------------------- the checks


def _versions() -> Iterator[Check]:
    yield Check("graphc", "ok", f"{road.VERSION} in {Path(__file__).parent}")
    build = f"{platform.python_implementation()} {platform.python_version()}"
    yield Check("python", "ok", f"{build} on {platform.system()} {platform.machine()}")
    yield Check("numpy", "ok", np.__version__)
    try:
        from .codegen.build import llvm_version

        yield Check("llvmlite", "ok", f"{version('llvmlite')} (LLVM {llvm_version()})")
    except (PackageNotFoundError, ImportError) as error:
        yield Check(
            "llvmlite", "failed", str(error), "nothing can be compiled; pip install llvmlite"
        )
    for package in ("networkx", "optree", "ml_dtypes"):
        if importlib.util.find_spec(package) is None:
            yield Check(
                package, "failed", "not installed", f"graphc needs it; pip install {package}"
            )
        else:
            yield Check(package, "ok", version(package))


def _processor() -> Iterator[Check]:
    target = host_target()
    isa = target.isa
    yield Check("processor", "ok", f"{_model_name()} ({target.cpu} for LLVM)")
    known = FEATURES.get(isa.arch, ())
    there = [f for f in known if f in isa.features]
    if isa.arch not in FEATURES:
        yield Check(
            "vectors", "slow", f"{isa.vector_bits} bits", f"graphc was not tuned for {isa.arch}"
        )
        return
    yield Check("second cache", "ok", readable_bytes(host_l2_bytes()))
    width = f"{isa.vector_bits} bits: {' '.join(there) or 'the baseline'}"
    if isa.arch == "x86_64" and isa.vector_bits < 256:
        yield Check("vectors", "slow", width, "no AVX; an emulator or an old processor")
    else:
        yield Check("vectors", "ok", width)


def _model_name() -> str:
    try:
        for line in (
            Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _calls() -> Iterator[Check]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reason is in the answer
        road.ensure_native()
    path = graphc_runtime.path()
    if path.name == "native":
        yield Check(
            "calls", "ok", "native", "checks and allocation in C, no Python between kernels"
        )
    else:
        yield Check(
            "calls", "slow", path.name, f"{path.reason}; each call costs some microseconds more"
        )


def _threads() -> Iterator[Check]:
    count, cores = environment.num_threads(), os.cpu_count() or 1
    source = (
        "GRAPHC_NUM_THREADS"
        if os.environ.get("GRAPHC_NUM_THREADS")
        else "the cores of this process"
    )
    yield Check("threads", "ok", f"{count} of {cores} cores", f"from {source}")
    yield Check(
        "openmp", "ok", "not used", "parallel loops run on graphc's own threads, safe after fork"
    )


def _cache() -> Iterator[Check]:
    store = Cache()
    if store.folder is None:
        yield Check(
            "cache", "missing", "off", "GRAPHC_CACHE_DIR says so; every process compiles anew"
        )
        return
    entries = store.list()
    nbytes = readable_bytes(sum(e.nbytes for e in entries))
    size = f"{store.folder}: {len(entries)} entries, {nbytes}"
    tuned = sum(e.key.startswith(KEY_PREFIX) for e in entries)
    if tuned:
        size += f"; {tuned} of them tuned kernels"
    place = store.folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        yield Check(
            "cache", "slow", size, "the folder cannot be written to; every process compiles anew"
        )
    elif free < LEAST_FREE_BYTES:
        yield Check("cache", "slow", size, f"only {readable_bytes(free)} are free on the disk")
    else:
        yield Check("cache", "ok", size, f"at most {readable_bytes(store.limit_bytes)}")


def _cuda_compilers() -> Iterator[Check]:
    """NVRTC is used where it is there, else nvcc."""
    found, in_process = nvcc.find_nvcc(), nvrtc.available()
    without = "CUDA C can be shown, not built" if found is None else "nvcc builds, more slowly"
    if in_process:
        yield Check("nvrtc", "ok", f"{nvrtc.version()}, which builds CUDA C")
    else:
        lacking = "pip install nvidia-cuda-nvrtc nvidia-cuda-runtime (library and cuda_fp16.h)"
        yield Check("nvrtc", "missing", lacking, without)
    if found is None:
        meaning = "NVRTC builds CUDA C" if in_process else without
        yield Check("nvcc", "missing", "not on PATH nor in CUDA_HOME", meaning)
    else:
        yield Check("nvcc", "ok", f"{_first_release(found)} ({found})")


def _cuda() -> Iterator[Check]:
    yield from _cuda_compilers()
    switched = "on" if environment.wgmma() else "off"
    yield Check(
        "wgmma", "ok", f"{switched} (GRAPHC_WGMMA)",
        "products of f16 and bf16 on an H100 by wgmma; not yet run on a GPU, so off unless asked",
    )  # fmt: skip
    there, text = cuda.available()
    yield Check(
        "cuda device",
        "ok" if there else "missing",
        text,
        "" if there else "programs run on the CPU",
    )
    if not there:
        return
    try:
        _, why = decisions(cuda.device())
    except Exception as error:  # another process has it to itself, or it is broken
        yield Check("cuda decisions", "missing", f"no program can use the device: {error}")
        return
    meaning = "each while_loop, cond and switch waits for its decisions" if why else ""
    value = why or "by conditional nodes of CUDA graphs"
    yield Check("cuda decisions", "slow" if why else "ok", value, meaning)


def _cublaslt() -> Iterator[Check]:
    try:
        found = cublas.find()
    except DeviceError as error:
        named = environment.cublaslt_file() is not None
        meaning = "large products on a device are computed by graphc's own kernels, more slowly"
        yield Check("cublaslt", "failed" if named else "missing", str(error), meaning)
        return
    yield Check("cublaslt", "ok", f"{found.version} ({found.path})", "large products on a device")


def _first_release(path: str) -> str:
    output = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout
    words = [word.strip(",") for word in output.split()]
    return words[words.index("release") + 1] if "release" in words else "of unknown version"


def _lapack() -> Iterator[Check]:
    if not lapack.available():
        meaning = f"matrices of up to 16 rows are written out, larger ones refused; {lapack.REMEDY}"
        yield Check("lapack", "missing", "SciPy is not installed", meaning)
        return
    try:
        lapack.address("dgesv")
    except lapack.NoLapackError as error:
        yield Check("lapack", "failed", str(error), "matrices of more than 4 rows are refused")
        return
    yield Check("lapack", "ok", "SciPy's", "numpy.linalg of any size")


def _tools() -> Iterator[Check]:
    from .aot import linkers
    from .aot.targets import PLATFORMS

    lacking = []
    for where in PLATFORMS:
        if not where.library:
            continue
        found = linkers.found(where)
        if found:
            yield Check("linker", "ok", f"{where.name}: {', '.join(found)}")
        else:
            lacking.append(where.name)
    if lacking:
        meaning = f"graphc build makes static libraries for them; {linkers.INSTALL}"
        yield Check("linker", "missing", f"none for {', '.join(lacking)}", meaning)
    openmp = ctypes.util.find_library("gomp")
    yield Check(
        "libgomp", "ok" if openmp else "missing", openmp or "not on this machine",
        "" if openmp else "only libraries built with --threads openmp need it",
    )  # fmt: skip
    compiler = next((p for p in map(shutil.which, ("g++", "clang++", "c++")) if p), None)
    needed = "only the tests of CUDA C on the CPU use it"
    yield Check("c++ compiler", "ok" if compiler else "missing", compiler or "none", needed)


def _settings() -> Iterator[Check]:
    for name in sorted(os.environ):
        if name.startswith("GRAPHC_"):
            yield Check("setting", "ok", f"{name}={os.environ[name]}")


def _compiler() -> Iterator[Check]:
    """Compiles a function past all caches and runs it."""

    def probe(x):
        return np.exp(-x * x).sum(axis=-1)

    x = np.linspace(-1, 1, 3 * 37).reshape(3, 37)
    try:
        function = graphc.jit(probe)
        size = len(function.lower(x).stages.object)
        actual, expected = function(x), probe(x)
    except (GraphcError, RuntimeError, OSError) as error:
        yield Check(
            "compiler", "failed", f"{type(error).__name__}: {error}", "nothing can be compiled"
        )
        return
    if np.allclose(actual, expected, rtol=1e-12):
        yield Check(
            "compiler",
            "ok",
            f"compiled a function to {size} bytes and ran it",
            "the values are NumPy's",
        )
    else:
        yield Check("compiler", "failed", f"{actual} instead of {expected}", "please report this")


def readable_bytes(count: float) -> str:
    """A size with a fitting unit."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
