"""What a kernel is compiled for: triple, processor, features. The host's, unless said otherwise."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .llvm_builder import Isa


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to compile for, in LLVM's words. `features` is LLVM's string ("+avx2,-avx512f")."""

    triple: str
    cpu: str
    features: str

    @property
    def isa(self) -> Isa:
        arch = self.triple.split("-")[0]
        return Isa.of(arch, self.features)


@lru_cache(maxsize=1)
def host_target() -> Target:
    """The machine that this process runs on. Objects are ELF on every system: a loader of ours maps them."""
    import llvmlite.binding as llvm  # only needed when something is compiled

    triple = llvm.get_process_triple()
    if "linux" not in triple:
        triple = f"{triple.split('-')[0]}-unknown-linux-gnu"
    features = llvm.get_host_cpu_features().flatten()
    return Target(triple, llvm.get_host_cpu_name(), features)


@lru_cache(maxsize=1)
def host_fingerprint() -> str:
    """What identifies the host's instructions without asking LLVM, for cache keys. Source: /proc/cpuinfo."""
    facts = [platform.machine(), platform.system()]
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(("flags", "Features", "model name", "CPU part", "model\t")):
                facts.append(line)
            if not line:
                break  # one processor is enough
    except OSError:
        facts.append(platform.processor())
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
