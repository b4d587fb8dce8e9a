"""The environment variables that graphc reads, in one place. Read at each call, so tests may set
them.

GRAPHC_DUMP          a folder: the pipeline writes the graph there after every pass that changed it
GRAPHC_VERIFY        not empty and not 0: the IR is verified after every pass
GRAPHC_CACHE_DIR     the folder of compiled code; empty or "off": keep none on disk
GRAPHC_NUM_THREADS   how many threads a parallel loop may use; else OMP_NUM_THREADS is asked
GRAPHC_CUBLASLT      the file of NVIDIA's cuBLASLt; else it is looked for (graphc/device/cublas.py)
GRAPHC_WGMMA         not empty and not 0: products of f16 and bf16 by wgmma on an H100, see cuda.md
"""

from __future__ import annotations

import os
from pathlib import Path

from graphc_runtime.call import default_threads


def dump_folder() -> Path | None:
    """Where the pipeline writes what it does, or None."""
    name = os.environ.get("GRAPHC_DUMP", "")
    return Path(name).expanduser() if name else None


def verify_passes() -> bool:
    """Whether the IR is verified after every pass."""
    return os.environ.get("GRAPHC_VERIFY", "") not in ("", "0")


def cache_folder() -> Path | None:
    """The folder of compiled code, or None when nothing is to be kept on disk.

    Source: XDG Base Directory Specification, for the place when nothing is said.
    """
    name = os.environ.get("GRAPHC_CACHE_DIR")
    if name is not None:
        return None if name.lower() in ("", "off") else Path(name).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "graphc"


def num_threads() -> int:
    """How many threads a parallel loop may use: GRAPHC_NUM_THREADS, else OMP_NUM_THREADS, else the
    processors this process may run on.

    Raises:
        ValueError: when GRAPHC_NUM_THREADS is no positive integer.
    """
    text = os.environ.get("GRAPHC_NUM_THREADS", "")
    if text and (not text.isdecimal() or int(text) < 1):
        raise ValueError(f"GRAPHC_NUM_THREADS is {text!r}; give a positive integer")
    return default_threads()


def cublaslt_file() -> str | None:
    """The file of cuBLASLt that is to be used, or None where it is looked for."""
    return os.environ.get("GRAPHC_CUBLASLT") or None


def wgmma() -> bool:
    """Whether products of 16-bit floats use wgmma on an H100; off unless asked, for none ran it."""
    return os.environ.get("GRAPHC_WGMMA", "") not in ("", "0")


def schedule_arch(arch: str) -> str | None:
    """The architecture that the schedule of kernels for `arch` alone may know; None: the one that
    runs on every architecture, which an H100 has unless wgmma is asked for."""
    return arch if wgmma() or arch != "sm_90" else None
