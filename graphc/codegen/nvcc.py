"""Finds nvcc and compiles CUDA C to a cubin. Called by graphc/codegen/build and tests; loads
nothing.

A cubin (not PTX) is what ships: the driver need not be as new as the compiler, only the
architecture must match.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import BuildError

ARCHITECTURES = ("sm_80", "sm_90")


def find_nvcc() -> str | None:
    """The path of nvcc: on PATH, or in the folder that CUDA_HOME or CUDA_PATH names."""
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        home = os.environ.get(variable)
        if home:
            found = shutil.which("nvcc", path=str(Path(home) / "bin"))
            if found:
                return found
    return shutil.which("nvcc")


def available() -> bool:
    """Is there an nvcc?"""
    return find_nvcc() is not None


def compile_cubin(source: str, arch: str = "sm_80") -> bytes:
    """The cubin of a translation unit for one architecture (`sm_80`, `sm_90`...).

    Raises:
        BuildError: no nvcc, or its words with the source lines that it names.
    """
    nvcc = find_nvcc()
    if nvcc is None:
        raise BuildError(
            "nvcc is not on PATH nor in CUDA_HOME/bin; install the CUDA toolkit to build for "
            f"{arch}"
        )
    with tempfile.TemporaryDirectory(prefix="graphc-nvcc-") as folder:
        file, cubin = Path(folder) / "kernel.cu", Path(folder) / "kernel.cubin"
        file.write_text(source)
        # full-precision division and square root, subnormals kept: nvcc's defaults
        command = [
            nvcc,
            "-cubin",
            f"-arch={arch}",
            "-std=c++17",
            "-O3",
            "-o",
            str(cubin),
            str(file),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not cubin.exists():
            raise BuildError(complaint(source, done.stderr + done.stdout, f"nvcc for {arch}"))
        return cubin.read_bytes()


def complaint(source: str, output: str, tool: str) -> str:
    """The message of a failed build: what the compiler said, and the lines that it speaks of."""
    lines = source.splitlines()
    shown: dict[int, str] = {}
    for match in re.finditer(r"\.(?:cu|cpp)[:(](\d+)", output):
        number = int(match.group(1))
        for near in range(max(1, number - 1), min(len(lines), number + 1) + 1):
            shown[near] = f"{near:5d} | {lines[near - 1]}"
        if len(shown) > 30:
            break
    listing = "\n".join(shown[number] for number in sorted(shown))
    return f"{tool} refused the generated source:\n{output.strip()[:4000]}\n{listing}"
