"""Compiles CUDA C to a cubin by NVRTC, in this process: ten times faster than nvcc.

The library comes with the PyPI package nvidia-cuda-nvrtc (and the headers of half precision with
nvidia-cuda-runtime), or with a CUDA toolkit. Called by graphc/device/build.py and tests.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import BuildError
from .nvcc import complaint, find_nvcc


def _roots() -> Iterator[Path]:
    """Folders of wheels and toolkits, the wheels first."""
    spec = importlib.util.find_spec("nvidia")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield from sorted(Path(place).glob("cu[0-9]*"), reverse=True)
        yield from (Path(place) / name for name in ("cuda_nvrtc", "cuda_runtime"))
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    nvcc = find_nvcc()
    if nvcc is not None:
        yield Path(nvcc).resolve().parent.parent
    yield Path("/usr/local/cuda")


@lru_cache(maxsize=1)
def _library() -> tuple[Any, tuple[int, int]] | None:
    """The library and its version."""
    for root in _roots():
        for folder in ("lib", "lib64"):
            for path in sorted((root / folder).glob("libnvrtc.so*")):
                try:
                    for part in path.parent.glob("libnvrtc-builtins.so*"):
                        ctypes.CDLL(str(part))  # NVRTC looks for it by name alone
                    library = ctypes.CDLL(str(path))
                except OSError:
                    continue  # of another system, or broken: the next one may do
                major, minor = ctypes.c_int(), ctypes.c_int()
                library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
                return library, (major.value, minor.value)
    return None


@lru_cache(maxsize=1)
def _headers() -> tuple[str, ...]:
    """Folders that have cuda_fp16.h."""
    found = [root / "include" for root in _roots()]
    return tuple(str(f) for f in found if (f / "cuda_fp16.h").exists())[:1]


def available() -> bool:
    """Is there an NVRTC with the headers that it needs?"""
    return _library() is not None and bool(_headers())


def version() -> str:
    """Of the compiler, for keys of caches."""
    found = _library()
    return "none" if found is None else f"NVRTC {found[1][0]}.{found[1][1]}"


def compile_cubin(source: str, arch: str = "sm_80") -> bytes:
    """The cubin of a translation unit for one architecture (`sm_80`, `sm_90`...).

    Raises:
        BuildError: no NVRTC, or its words with the source lines that it names.
    """
    found = _library()
    if found is None:
        raise BuildError(
            "NVRTC was not found; install nvidia-cuda-nvrtc and nvidia-cuda-runtime, or a CUDA "
            f"toolkit, to build for {arch}"
        )
    library = found[0]
    program = ctypes.c_void_p()
    _check(
        library,
        library.nvrtcCreateProgram(
            ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None
        ),
    )
    try:
        options = [f"--gpu-architecture={arch}", "--std=c++17"]
        options += [f"--include-path={folder}" for folder in _headers()]
        array = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
        if library.nvrtcCompileProgram(program, len(options), array):
            log = _bytes(library, "nvrtcGetProgramLog", program).rstrip(b"\0").decode()
            raise BuildError(complaint(source, log, f"NVRTC for {arch}"))
        return _bytes(library, "nvrtcGetCUBIN", program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _bytes(library: Any, name: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    _check(library, getattr(library, name + "Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(library, getattr(library, name)(program, text))
    return text.raw


def _check(library: Any, code: int) -> None:
    if code:
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        words = library.nvrtcGetErrorString(code).decode()
        raise BuildError(f"NVRTC failed: {words} (error {code})")
