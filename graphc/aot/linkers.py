"""Object files -> a shared library, by a linker of this machine.

    ELF       ld, where it knows the machine; ld.lld; the ziglang package; our own (elf.py)
    Mach-O    ld64.lld; the ziglang package
    COFF      lld-link; the ziglang package
    WebAssembly   wasm-ld; the ziglang package

The object files need no library: what they call is known, and anything else is refused here.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from pathlib import Path

from graphc_runtime.records import dataclass

from ..errors import BuildError
from . import objects
from .library import Library
from .targets import Platform
from .wasm import print_declaration, print_module

LINKERS = ("ld", "lld", "zig", "own")
INSTALL = 'install the linkers of the PyPI package ziglang: pip install "graphc[aot]"'

_EMULATIONS = {
    "x86_64": "elf_x86_64", "aarch64": "aarch64linux", "riscv64": "elf64lriscv",
    "armv7": "armelf_linux_eabi", "thumbv7em": "armelf",
}  # fmt: skip
_PREFIXES = {
    "x86_64": "x86_64-linux-gnu-", "aarch64": "aarch64-linux-gnu-",
    "riscv64": "riscv64-linux-gnu-", "armv7": "arm-linux-gnueabihf-",
    "thumbv7em": "arm-none-eabi-",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Linked:
    """A shared library, and what made it. `extra` are files that belong to it, by their suffixes
    (the import library of a DLL). `needs` are the symbols that an ELF library has not itself."""

    content: bytes
    linker: str
    extra: Mapping[str, bytes] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()


def link(
    library: Library,
    linker: str | None = None,
    may_need: Callable[[str], bool] = lambda name: False,
) -> Linked:
    """The shared library of a library's objects; by the first linker that is there, or the named
    one. `may_need` says what it may need besides, of the process that loads it.

    Raises:
        BuildError: there is no linker, and what to install; or its words.
    """
    where = library.interface.where
    if not where.library:
        raise BuildError(f"{where.name} has no shared libraries; link the static one")
    if linker is not None and linker not in LINKERS:
        raise BuildError(f"linker is {linker!r}; expected one of {', '.join(LINKERS)}")
    for name in LINKERS if linker is None else (linker,):
        command = _find(name, where)
        if command is not None:
            made = command(library)
            check_needs(library, (n for n in made.needs if not may_need(n)))
            return made
    if linker is None:
        raise BuildError(f"no linker for {where.name} is there; {INSTALL}")
    raise BuildError(f"{_WHAT[linker]} is not there or does not link for {where.name}; {INSTALL}")


_WHAT = {"ld": "binutils' ld", "lld": "LLVM's lld", "zig": "ziglang", "own": "our own linker"}


def relocatable(library: Library, linker: str | None = None) -> bytes:
    """One object file of all objects of a library.

    Raises:
        BuildError: there is no linker that makes one for the platform.
    """
    where = library.interface.where
    if where.format not in ("elf", "wasm"):
        raise BuildError(f"{where.name} has no single object; link the static library")
    heads = {"ld": _ld, "lld": _lld, "zig": _zig}
    for name, head_of in heads.items():
        head = head_of(where) if linker in (None, name) else None
        if head is None:
            continue

        def make(folder: Path, files: list[str], output: str, head: list[str] = head) -> list[str]:
            return [*head, "-r", "-o", output, *files]

        return _linked(library, name, make, output=f"{library.interface.library}.o").content
    raise BuildError(f"no linker that makes one object for {where.name} is there; {INSTALL}")


def found(where: Platform) -> tuple[str, ...]:
    """The linkers that are there for a platform."""
    if not where.library:
        return ()
    return tuple(name for name in LINKERS if _find(name, where) is not None)


def _find(name: str, where: Platform) -> Callable[[Library], Linked] | None:
    if name == "own":
        from . import elf

        return elf.link_library if where.arch in elf.MACHINES and where.format == "elf" else None
    head = _ld(where) if name == "ld" else _lld(where) if name == "lld" else _zig(where)
    if head is None:
        return None
    return {"elf": _elf, "coff": _coff, "macho": _macho, "wasm": _wasm}[where.format](head, name)


# ----------------------------------------------------------------------------- which are there
def _ld(where: Platform) -> list[str] | None:
    """binutils' linker, where it knows the machine."""
    if where.format != "elf" or where.arch not in _EMULATIONS:
        return None
    for name in (f"{_PREFIXES[where.arch]}ld", "ld"):
        path = shutil.which(name)
        if path is not None and _EMULATIONS[where.arch] in _emulations(path):
            return [path, "-m", _EMULATIONS[where.arch]]
    return None


@lru_cache(maxsize=8)
def _emulations(path: str) -> tuple[str, ...]:
    done = subprocess.run([path, "-V"], capture_output=True, text=True)
    return tuple(done.stdout.split())


_LLD = {"elf": "ld.lld", "coff": "lld-link", "macho": "ld64.lld", "wasm": "wasm-ld"}


def _lld(where: Platform) -> list[str] | None:
    name = _LLD[where.format]
    for candidate in (name, *(f"{name}-{v}" for v in range(22, 13, -1))):
        path = shutil.which(candidate)
        if path is not None:
            return [path, *_emulation(where)]
    return None


def _emulation(where: Platform) -> list[str]:
    if where.format != "elf":
        return []
    name = _EMULATIONS[where.arch]  # lld has one for all of ARM
    return ["-m", "armelf_linux_eabi" if name == "armelf" else name]


def _zig(where: Platform) -> list[str] | None:
    if importlib.util.find_spec("ziglang") is None:
        return None
    run = [sys.executable, "-m", "ziglang"]
    if where.format == "macho":  # no linker of its own for it: the compiler's driver has one
        arch = {"arm64": "aarch64"}.get(where.arch, where.arch)
        return [*run, "cc", "-target", f"{arch}-macos.11.0"]
    return [*run, _LLD[where.format], *_emulation(where)]


# -------------------------------------------------------------------------------- how they link
def _run(command: Sequence[str], folder: Path, name: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[:4000]
        undefined = sorted(set(re.findall(r"undefined (?:symbol|reference)[^\w]*(\w+)", said)))
        more = f" (undefined: {', '.join(undefined)})" if undefined else ""
        raise BuildError(f"{name} does not link the library{more}:\n{said}")


def _linked(
    library: Library, name: str, make: Callable[[Path, list[str], str], list[str]],
    extra: Sequence[str] = (), output: str | None = None,
) -> Linked:  # fmt: skip
    """Writes the objects to a folder of their own, and runs a command over them there."""
    lib, where = library.interface.library, library.interface.where
    with tempfile.TemporaryDirectory(prefix="graphc-link-") as place:
        folder = Path(place)
        files = []
        for number, member in enumerate(library.members):
            files.append(f"{number}.o")
            (folder / files[-1]).write_bytes(member.content)
        output = output or f"{lib}{where.library}"
        _run(make(folder, files, output), folder, name)
        more = {
            suffix: (folder / f"{lib}{suffix}").read_bytes()
            for suffix in extra
            if (folder / f"{lib}{suffix}").exists()
        }
        return Linked((folder / output).read_bytes(), name, more)


def _elf(head: list[str], name: str) -> Callable[[Library], Linked]:
    def link_elf(library: Library) -> Linked:
        interface = library.interface

        def make(folder: Path, files: list[str], output: str) -> list[str]:
            names = "".join(f"    {s};\n" for s in interface.symbols)
            (folder / "names").write_text(f"{{\n  global:\n{names}  local: *;\n}};\n")
            options = [
                "-shared", "--version-script", "names", "-soname", output, "--gc-sections", "-s",
                "-z", "noexecstack", "-z", "relro", "-z", "now", "--hash-style=gnu",
                "--build-id=none", "-o", output,
            ]  # fmt: skip
            if interface.threads == "pool":  # its threads run in the library until the process ends
                options += ["-z", "nodelete"]
            where = interface.where
            if interface.threads == "openmp":
                files = [*files, _stand_in(head, folder, name, where, OPENMP, _OPENMP_NAMES)]
            if where.arch == "armv7":
                files = [*files, _stand_in(head, folder, name, where, LIBGCC, _ARM_NAMES)]
            return [*head, "--as-needed", *options, *files]

        made = _linked(library, name, make)
        return Linked(made.content, made.linker, made.extra, undefined_names(made.content))

    return link_elf


_BYTES = frozenset({"memcpy", "memset", "memmove", "memcmp", "getauxval"})
_POOL = frozenset({
    "clock_gettime", "getpid", "madvise", "mmap", "munmap", "pthread_create", "pthread_detach",
    "pthread_sigmask", "sched_getaffinity", "sched_yield", "syscall",
})  # fmt: skip
"""What a library may need of the C library: what copies bytes; threads, where it has a pool."""


def check_needs(library: Library, names: Iterable[str]) -> None:
    """Whether an ELF library needs nothing but what is known to be there.

    Raises:
        BuildError: that names the others.
    """
    interface = library.interface
    allowed = set(_BYTES)
    if interface.threads == "pool":
        allowed |= _POOL
    elif interface.threads == "openmp":
        allowed.update(_OPENMP_NAMES)
    if interface.where.arch == "armv7":
        allowed.update(_ARM_NAMES)
    unknown = sorted(set(names) - allowed)
    if unknown:
        raise BuildError(
            f"{interface.library} calls {', '.join(unknown)}, which no library that it is linked "
            "with has; this is a bug of graphc"
        )


def undefined_names(content: bytes) -> frozenset[str]:
    """The symbols that a shared library of ELF needs, from its sections.

    Source: System V ABI, chapter 4.
    """
    wide = content[4] == 2
    at = struct.unpack_from("<Q" if wide else "<I", content, 40 if wide else 32)[0]
    size, count = struct.unpack_from("<HH", content, 58 if wide else 46)
    head = "<IIQQQQIIQQ" if wide else "<10I"
    sections = [struct.unpack_from(head, content, at + size * k) for k in range(count)]
    found: set[str] = set()
    for section in sections:
        if section[1] != 11:  # SHT_DYNSYM
            continue
        strings = sections[section[6]][4]
        for place in range(section[4], section[4] + section[5], 24 if wide else 16):
            name = struct.unpack_from("<I", content, place)[0]
            home = struct.unpack_from("<H", content, place + (6 if wide else 14))[0]
            if name and not home:
                end = content.index(b"\0", strings + name)
                found.add(content[strings + name : end].decode())
    return frozenset(found)


LIBGCC = "libgcc_s.so.1"
_ARM_NAMES = (
    "__aeabi_idiv", "__aeabi_idivmod", "__aeabi_uidiv", "__aeabi_uidivmod", "__aeabi_ldivmod",
    "__aeabi_uldivmod", "__aeabi_l2d", "__aeabi_ul2d", "__aeabi_l2f", "__aeabi_ul2f",
    "__aeabi_d2lz", "__aeabi_d2ulz", "__aeabi_f2lz", "__aeabi_f2ulz", "__aeabi_lmul",
    "__aeabi_llsl", "__aeabi_llsr", "__aeabi_lasr",
)  # fmt: skip
"""Integers of 64 bits on ARMv7: functions of the compiler's library, which every system has."""
OPENMP = "libgomp.so.1"
_OPENMP_NAMES = (
    "GOMP_parallel", "omp_get_max_threads", "omp_get_num_threads", "omp_get_thread_num",
)  # fmt: skip


def _stand_in(
    head: Sequence[str], folder: Path, name: str, where: Platform, soname: str,
    functions: Sequence[str],
) -> str:  # fmt: skip
    """A library that stands for another one, so that the real one is loaded with the library; it
    need not be on the machine that builds."""
    text = "".join(f"define void @{one}() {{\n  ret void\n}}\n" for one in functions)
    (content,) = objects.build([(text, where.target(where.levels[0]))])
    (folder / f"{soname}.o").write_bytes(content)
    _run([*head, "-shared", "-soname", soname, "-o", soname, f"{soname}.o"], folder, name)
    return soname


def _coff(head: list[str], name: str) -> Callable[[Library], Linked]:
    def link_coff(library: Library) -> Linked:
        def make(folder: Path, files: list[str], output: str) -> list[str]:
            lib = library.interface.library
            machine = {"x86_64": "x64", "aarch64": "arm64"}[library.interface.where.arch]
            options = ["/dll", "/noentry", "/nodefaultlib", f"/machine:{machine}", "/opt:ref",
                       "/brepro", f"/out:{output}", f"/implib:{lib}.lib"]  # fmt: skip
            where = library.interface.where
            (own,) = objects.build([(_WINDOWS, where.target(where.levels[0]))])
            (folder / "windows.o").write_bytes(own)
            return [*head, *options, *files, "windows.o"]

        return _linked(library, name, make, (".lib",))

    return link_coff


_CHKSTK = bytes.fromhex(
    "51 50 483d00100000 488d4c2418 7218 4881e900100000 488509 482d00100000 483d00100000 77e8"
    "4829c1 488509 58 59 c3"
)
_WINDOWS = f"""
@_fltused = constant i32 0

define void @__chkstk() noinline optnone nounwind
    prologue [{len(_CHKSTK)} x i8] c"\\{_CHKSTK.hex(chr(92))}" {{
  ret void
}}
"""
"""What Microsoft's runtime library has and a DLL without it needs: a symbol that says that floating
point is used, and the function that touches the pages of a large frame (its size is in rax)."""


def _macho(head: list[str], name: str) -> Callable[[Library], Linked]:
    def link_macho(library: Library) -> Linked:
        def make(folder: Path, files: list[str], output: str) -> list[str]:
            names = "".join(f"_{s}\n" for s in library.interface.symbols)
            (folder / "names").write_text(names)
            if name == "zig":
                return [*head, "-shared", "-o", output, f"-Wl,-install_name,@rpath/{output}",
                        "-Wl,-exported_symbols_list,names", *files]  # fmt: skip
            arch = {"arm64": "arm64", "x86_64": "x86_64"}[library.interface.where.arch]
            return [*head, "-dylib", "-arch", arch, "-platform_version", "macos", "11.0", "11.0",
                    "-install_name", f"@rpath/{output}", "-exported_symbols_list", "names",
                    "-undefined", "dynamic_lookup", "-o", output, *files]  # fmt: skip

        return _linked(library, name, make)

    return link_macho


def _wasm(head: list[str], name: str) -> Callable[[Library], Linked]:
    def link_wasm(library: Library) -> Linked:
        def make(folder: Path, files: list[str], output: str) -> list[str]:
            exports = [f"--export={s}" for s in library.interface.symbols]
            options = ["--no-entry", "--strip-all", "--gc-sections", "--export=__heap_base",
                       "-z", "stack-size=262144", "--stack-first", "-o", output]  # fmt: skip
            return [*head, *options, *exports, *files]

        made = _linked(library, name, make)
        extra = {
            ".mjs": print_module(library.interface).encode(),
            ".d.mts": print_declaration(library.interface).encode(),
        }
        return Linked(made.content, made.linker, extra)

    return link_wasm


__all__ = ["LINKERS", "Linked", "found", "link", "relocatable"]
