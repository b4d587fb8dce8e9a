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
from collections.abc import Sequence
from pathlib import Path

from graphc_runtime.records import dataclass

from ..errors import BuildError

ARCHITECTURES = ("sm_80", "sm_90", "sm_120")
"""What every kernel of the tests is compiled for: Ampere, Hopper, Blackwell."""


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


@dataclass(frozen=True, slots=True)
class Resources:
    """What ptxas gave a kernel. Units: registers of 32 bits a thread; bytes of shared memory a
    block, but for what is asked for at launch; bytes a thread on the stack, and in spills."""

    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_bytes: int
    serialized: bool = False
    """Does it wait for each product of four warps, because of what else it does with the sums?"""


def version() -> str:
    """The release of nvcc, such as "13.0"; empty where there is none."""
    nvcc = find_nvcc()
    if nvcc is None:
        return ""
    said = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"release ([\d.]+)", said)
    return found.group(1) if found else ""


def resources(source: str, arch: str = "sm_80") -> dict[str, Resources]:
    """What every kernel of a translation unit uses on an architecture, by name.

    Raises:
        BuildError: as `compile_cubin`.
    """
    return parse_resources(_run(source, arch, ("-Xptxas", "-v"))[1])


def parse_resources(said: str) -> dict[str, Resources]:
    """The same in what `ptxas -v` said."""
    found: dict[str, Resources] = {}
    told = re.findall(r"\(C75\d\d\).* in (?:the )?function '(\w+)'", said)
    for part in said.split("Compiling entry function '")[1:]:
        name = part[: part.index("'")]

        def number(pattern: str, text: str = part) -> int:
            match = re.search(r"(\d+) " + pattern, text)
            return int(match.group(1)) if match else 0

        spills = number("bytes spill stores") + number("bytes spill loads")
        found[name] = Resources(
            number("registers"), number("bytes smem"), number("bytes stack frame"), spills,
            name in told,
        )  # fmt: skip
    return found


def compile_cubin(source: str, arch: str = "sm_80") -> bytes:
    """The cubin of a translation unit for one architecture (`sm_80`, `sm_90`...).

    Raises:
        BuildError: no nvcc, or its words with the source lines that it names.
    """
    return _run(source, arch)[0]


def check(source: str, architectures: Sequence[str] = ARCHITECTURES) -> None:
    """Compiles a translation unit for several architectures with little optimization, which is
    many times faster: by the front end once, for the first, and by ptxas for each.

    Raises:
        BuildError: as `compile_cubin`.
    """
    first = architectures[0].replace("sm_", "compute_")
    _compile(
        source, " and ".join(architectures),
        ("-fatbin", f"-gencode=arch={first},code=[{','.join(architectures)}]", "-Xcicc", "-O1",
         "-Xptxas", "-O0"),
    )  # fmt: skip


def _run(source: str, arch: str, flags: Sequence[str] = ()) -> tuple[bytes, str]:
    """The cubin, and what nvcc said."""
    return _compile(source, arch, ("-cubin", f"-arch={arch}", "-O3", *flags))


def _compile(source: str, arch: str, flags: Sequence[str]) -> tuple[bytes, str]:
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
            "-std=c++17",
            "-w",  # what is printed has unused helpers; errors alone are of use
            *flags,
            "-o",
            str(cubin),
            str(file),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not cubin.exists():
            raise BuildError(complaint(source, done.stderr + done.stdout, f"nvcc for {arch}"))
        return cubin.read_bytes(), done.stderr


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
