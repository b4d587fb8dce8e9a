"""The machines that a library can be made for, and the processors that one file may serve.

A platform has levels, from the one that every processor of it has to the most demanding: a library
holds each function once per level, and the first call asks which of them the processor has.

Source: x86-64 psABI supplement 1.0, section 3.1.1 (x86-64-v3, x86-64-v4); the triples are LLVM's.
"""

from __future__ import annotations

from graphc_runtime.records import dataclass

from ..codegen.target import Target, host_target
from ..errors import BuildError


@dataclass(frozen=True, slots=True)
class Level:
    """A processor: LLVM's name of it and its features."""

    name: str
    cpu: str
    features: str = ""
    vector_bits: int | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """A machine and a system: how objects, libraries and pointers are there."""

    name: str
    triple: str
    format: str
    """Of object files: "elf", "macho", "coff" or "wasm"."""
    levels: tuple[Level, ...]
    pointer_bits: int = 64
    aliases: tuple[str, ...] = ()
    threads: tuple[str, ...] = ("none", "openmp")
    """What loops may run on."""

    @property
    def arch(self) -> str:
        return self.triple.partition("-")[0]

    @property
    def is_bare(self) -> bool:
        """There is no system: a static library is all that can be made."""
        return "none" in self.triple.split("-")[1:]

    @property
    def library(self) -> str:
        """The suffix of a shared library; empty where there are none."""
        return {
            "elf": "" if self.is_bare else ".so", "macho": ".dylib", "coff": ".dll", "wasm": ".wasm"
        }[self.format]  # fmt: skip

    def target(self, level: Level) -> Target:
        return Target(self.triple, level.cpu, level.features, level.vector_bits)


_V3 = "+avx,+avx2,+bmi,+bmi2,+cx16,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse4.2,+xsave"
_V4 = f"{_V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
X86_LEVELS = (
    Level("x86-64", "x86-64"),
    Level("x86-64-v3", "x86-64-v3", _V3),
    Level("x86-64-v4", "x86-64-v4", _V4),
)
_NEON = Level("armv8-a", "generic", "+neon,+fp-armv8")
_SVE = Level("armv8.2-a+sve", "generic", "+neon,+fp-armv8,+fullfp16,+dotprod,+lse,+sve")

PLATFORMS = (
    Platform("x86_64-linux-gnu", "x86_64-unknown-linux-gnu", "elf", X86_LEVELS,
             aliases=("x86_64", "x86_64-linux", "amd64"), threads=("none", "pool", "openmp")),
    Platform("aarch64-linux-gnu", "aarch64-unknown-linux-gnu", "elf", (_NEON, _SVE),
             aliases=("aarch64", "arm64", "aarch64-linux"), threads=("none", "pool", "openmp")),
    Platform("armv7-linux-gnueabihf", "armv7-unknown-linux-gnueabihf", "elf",
             (Level("armv7-a", "generic", "+neon,+vfp3"),), 32, aliases=("armv7", "armhf")),
    Platform("riscv64-linux-gnu", "riscv64-unknown-linux-gnu", "elf",
             (Level("rv64gc", "generic-rv64", "+m,+a,+f,+d,+c", 64),),
             aliases=("riscv64", "riscv64-linux")),
    Platform("x86_64-macos", "x86_64-apple-macosx11.0.0", "macho", X86_LEVELS),
    Platform("aarch64-macos", "arm64-apple-macosx11.0.0", "macho",
             (Level("apple-m1", "apple-m1", "+neon,+fp-armv8,+fullfp16"),),
             aliases=("arm64-macos",)),
    Platform("x86_64-windows", "x86_64-pc-windows-msvc", "coff", X86_LEVELS,
             aliases=("windows", "x86_64-pc-windows-msvc"), threads=("none",)),
    Platform("wasm32", "wasm32-unknown-unknown", "wasm",
             (Level("simd128", "generic", "+simd128,+bulk-memory"),), 32, threads=("none",)),
    Platform("thumbv7em-none-eabihf", "thumbv7em-none-unknown-eabihf", "elf",
             (Level("cortex-m4", "cortex-m4", "", 64),), 32, aliases=("thumbv7em", "cortex-m4"),
             threads=("none",)),
)  # fmt: skip


def host_platform() -> Platform:
    """The platform of this process."""
    arch = host_target().triple.partition("-")[0]
    return platform(f"{arch}-linux-gnu")


def platform(name: str) -> Platform:
    """The platform of a name, one of its aliases, or LLVM's triple.

    Raises:
        BuildError: that lists the names there are.
    """
    if name == "host":
        return host_platform()
    for one in PLATFORMS:
        if name in (one.name, one.triple, *one.aliases):
            return one
    names = ", ".join(p.name for p in PLATFORMS)
    raise BuildError(f"there is no target {name!r}; the targets are {names}")


def choose_levels(where: Platform, cpu: str) -> tuple[Level, ...]:
    """The levels of a library: "auto" all of the platform, "baseline" the least, "native" this
    machine's, or names of levels with commas between.

    Raises:
        BuildError: that lists the names there are.
    """
    if cpu == "auto":
        return where.levels
    if cpu == "baseline":
        return where.levels[:1]
    if cpu == "native":
        host = host_target()
        if where != host_platform():
            raise BuildError(f"the cpu is 'native' and the target {where.name}, not this machine")
        return (Level(f"native ({host.cpu})", host.cpu, host.features),)
    known = {level.name: level for level in where.levels}
    found = [name.strip() for name in cpu.split(",")]
    for name in found:
        if name not in known:
            names = ", ".join(("auto", "baseline", "native", *known))
            raise BuildError(f"{where.name} has no cpu {name!r}; expected {names}")
    return tuple(level for level in where.levels if level.name in found)
