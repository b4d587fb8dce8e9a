"""What a kernel is compiled for: triple, processor, features. The host's, unless said otherwise."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from graphc_runtime.call import usable_cpus
from graphc_runtime.records import dataclass

from ..loops.machine import L2_BYTES

if TYPE_CHECKING:
    from .llvm_values import Isa


LEAST_L2, MOST_L2 = 128 << 10, 4 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to compile for, in LLVM's words. `features` is LLVM's string ("+avx2,-avx512f").

    `vector_bits` says how wide vectors are to be, where the features do not.
    """

    triple: str
    cpu: str
    features: str
    vector_bits: int | None = None

    @property
    def isa(self) -> Isa:
        from .llvm_values import Isa  # a warm start from the disk cache needs no printer

        arch = self.triple.split("-")[0]
        arch = {"arm64": "aarch64"}.get(arch, arch)
        return Isa.of(arch, self.features, self.vector_bits)


@lru_cache(maxsize=1)
def host_target() -> Target:
    """The machine that this process runs on.

    Objects are ELF on every system: a loader of ours maps them.
    """
    import llvmlite.binding as llvm  # only needed when something is compiled

    triple = llvm.get_process_triple()
    if "linux" not in triple:
        triple = f"{triple.split('-')[0]}-unknown-linux-gnu"
    features = llvm.get_host_cpu_features().flatten()
    return Target(triple, llvm.get_host_cpu_name(), features)


@lru_cache(maxsize=1)
def host_isa() -> Isa:
    """The host's instructions as the system tells them, without waiting for LLVM to load.

    Where the system does not tell (no /proc/cpuinfo), LLVM is asked.
    """
    from .llvm_values import Isa

    arch = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    if arch != "x86_64":
        return Isa.of(arch) if arch == "aarch64" else host_target().isa
    for line in _cpuinfo():
        if line.startswith("flags"):
            flags = line.partition(":")[2].split()
            features = ",".join(f"+{_llvm_name(flag)}" for flag in flags)
            return Isa.of(arch, features)
    return host_target().isa


@lru_cache(maxsize=1)
def host_l2_bytes() -> int:
    """The second cache of one core of this machine. `L2_BYTES` where the system does not say, and
    at most 4 MB: a larger one serves several cores.
    """
    try:
        found = os.sysconf("SC_LEVEL2_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):
        found = 0
    return min(max(found, LEAST_L2), MOST_L2) if found > 0 else L2_BYTES


@lru_cache(maxsize=1)
def host_has_wide_ports() -> bool:
    """Whether a core of this machine begins two products and two loads of 64 bytes in a cycle, and
    a load that crosses lines counts twice: Intel's servers with AVX-512 (AMD's Zen 4 has halves).

    Source: /proc/cpuinfo.
    """
    lines = _cpuinfo()
    vendor = any(line.startswith("vendor_id") and "GenuineIntel" in line for line in lines)
    return vendor and host_isa().vector_bits == 512


def _llvm_name(flag: str) -> str:
    """LLVM's name of a feature, from the system's."""
    return flag.replace("sse4_", "sse4.").replace("avx512_", "avx512").replace("avx_", "avx")


def _cpuinfo() -> list[str]:
    """What /proc/cpuinfo says of the first processor; nothing on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.partition("\n\n")[0].splitlines()


@lru_cache(maxsize=1)
def host_fingerprint() -> str:
    """What identifies the host's instructions and caches without asking LLVM, for cache keys.

    Source: /proc/cpuinfo.
    """
    kept = ("flags", "Features", "model name", "CPU part", "model\t")
    facts = [platform.machine(), platform.system()]
    described = [line for line in _cpuinfo() if line.startswith(kept)]
    # platform.processor() starts a process (4 ms), which a fork at that moment may wait for
    facts += [str(host_l2_bytes()), str(usable_cpus())]
    facts += described or [platform.processor()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
