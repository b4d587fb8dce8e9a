"""Our own linker: object files that LLVM made here -> an ELF shared library, where no other is.

`graphc_runtime.loader` parses, checks and lays out the objects, as it does to run them; here they
become a file: headers and what the dynamic linker reads, then the image in three parts (code,
constants, what is written). What that loader refuses (thread-local storage, constructors, unknown
relocations) is refused here.

    page 0     ELF header, program headers, .hash, .dynsym, .dynstr, .rela.dyn     read
    image      code and call stubs                                                 read, execute
               constants                                                           read
               .dynamic, the table of addresses, data; zeros                       read, write

Source: System V ABI, chapter 5; its AMD64 supplement; ELF for the Arm 64-bit architecture.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from graphc_runtime.loader import ObjectError, Plan, join
from graphc_runtime.records import dataclass
from graphc_runtime.relocations import AARCH64, X86_64, Machine

from ..errors import BuildError
from .library import Library
from .linkers import OPENMP, Linked


@dataclass(frozen=True, slots=True)
class _Kind:
    """A machine's page, and the numbers of its dynamic relocations."""

    machine: Machine
    page: int
    relative: int
    symbol: int


MACHINES = {
    "x86_64": _Kind(X86_64, 0x1000, relative=8, symbol=1),
    "aarch64": _Kind(AARCH64, 0x10000, relative=1027, symbol=257),
}
_HEADERS = 6
_DYNAMIC = 12
"""Entries of .dynamic, besides one for each library that is needed."""
_LOAD, _DYN, _STACK = 1, 2, 0x6474E551
_R, _RW, _RX = 4, 6, 5


def link_library(library: Library) -> Linked:
    """The shared library of a library's objects.

    Raises:
        BuildError: for what this linker does not know.
    """
    interface = library.interface
    needed = (OPENMP,) if interface.threads == "openmp" else ()
    return link_objects(
        [m.content for m in library.members], interface.where.arch,
        f"{interface.library}{interface.where.library}", interface.symbols, needed,
        stays=interface.threads == "pool",
    )  # fmt: skip


def link_objects(
    objects: Sequence[bytes], arch: str, soname: str, exports: Sequence[str],
    needed: Sequence[str] = (), stays: bool = False,
) -> Linked:  # fmt: skip
    """An ELF shared library that gives the symbols `exports`. `stays`: once loaded, it is not
    unloaded before the process ends.

    Raises:
        BuildError: for what this linker does not know, or an export that no object has.
    """
    kind = MACHINES[arch]
    reserve = 16 * (_DYNAMIC + len(needed))
    try:
        plan = Plan(join(list(objects)), kind.machine, kind.page, reserve)
        content = _File(plan, kind, soname, exports, needed, reserve, stays).content()
        return Linked(content, "own", needs=frozenset(plan.undefined))
    except ObjectError as error:
        raise BuildError(
            f"the linker of graphc does not link {soname}: {error}; install binutils or ziglang"
        ) from None


class _File:
    """The parts of the file."""

    def __init__(
        self, plan: Plan, kind: _Kind, soname: str, exports: Sequence[str], needed: Sequence[str],
        reserve: int, stays: bool,
    ):  # fmt: skip
        self.stays = stays
        self.plan, self.kind, self.reserve = plan, kind, reserve
        self.imports = list(plan.undefined)
        self.names = [*self.imports, *exports]
        self.exports = exports
        self.strings = bytearray(b"\0")
        self.soname = self._string(soname)
        self.needed = [self._string(name) for name in needed]
        self.name_at = [self._string(name) for name in self.names]
        count = len(plan.addresses(0))
        places, at = [], 64 + 56 * _HEADERS
        sizes = (4 * (2 + 2 * (len(self.names) + 1)), 24 * (len(self.names) + 1),
                 len(self.strings), 24 * count)  # fmt: skip
        for size in sizes:
            at = (at + 7) & -8
            places.append(at)
            at += size
        self.hash_at, self.symbols_at, self.strings_at, self.rela_at = places
        self.head_end = at
        self.base = (at + kind.page - 1) & -kind.page

    def _string(self, text: str) -> int:
        place = len(self.strings)
        self.strings += text.encode() + b"\0"
        return place

    def content(self) -> bytes:
        plan, base = self.plan, self.base
        image = plan.relocate(base, dict.fromkeys(self.imports, 0))
        lacking = [name for name in self.exports if name not in image.symbols]
        if lacking:
            raise BuildError(f"no object has {', '.join(lacking)}")
        rela = self._rela()
        found = bytearray(base + plan.filled)
        found[base:] = image.content[: plan.filled]
        code_end, constant_end = (base + border for border in plan.borders)
        dynamic = self._dynamic(len(rela))
        parts = (
            (0, self._header(code_end, constant_end, len(dynamic))),
            (self.hash_at, self._hash()), (self.symbols_at, self._symbols(image.symbols)),
            (self.strings_at, self.strings), (self.rela_at, rela), (constant_end, dynamic),
        )  # fmt: skip
        for place, part in parts:
            found[place : place + len(part)] = part
        return bytes(found)

    def _rela(self) -> bytes:
        numbers = {name: k for k, name in enumerate(self.names, 1)}
        rows = []
        for offset, name, value in self.plan.addresses(self.base):
            if name:
                info = numbers[name] << 32 | self.kind.symbol
            else:
                info = self.kind.relative
            rows.append(struct.pack("<QQq", self.base + offset, info, value))
        return b"".join(rows)

    def _symbols(self, defined: Mapping[str, int]) -> bytes:
        rows = [bytes(24)]
        for name, at in zip(self.names, self.name_at, strict=True):
            inside = name in self.exports
            value = self.base + defined[name] if inside else 0
            kind = 0x12 if inside else 0x10  # a global function; a global of any kind
            rows.append(struct.pack("<IBBHQQ", at, kind, 0, 1 if inside else 0, value, 0))
        return b"".join(rows)

    def _hash(self) -> bytes:
        count = len(self.names) + 1
        buckets, chains = [0] * count, [0] * count
        for k, name in enumerate(self.names, 1):
            bucket = _elf_hash(name) % count
            chains[k], buckets[bucket] = buckets[bucket], k
        return struct.pack(f"<{2 + 2 * count}I", count, count, *buckets, *chains)

    def _dynamic(self, rela_bytes: int) -> bytes:
        rows = [(1, at) for at in self.needed]
        rows += [
            (14, self.soname), (4, self.hash_at), (5, self.strings_at), (6, self.symbols_at),
            (10, len(self.strings)), (11, 24), (7, self.rela_at), (8, rela_bytes), (9, 24),
            (24, 0), (0x6FFFFFFB, 9 if self.stays else 1), (0, 0),  # FLAGS_1: now, nodelete
        ]  # fmt: skip
        made = b"".join(struct.pack("<qQ", *row) for row in rows)
        assert len(made) == self.reserve
        return made

    def _header(self, code_end: int, constant_end: int, dynamic_bytes: int) -> bytes:
        base, page, plan = self.base, self.kind.page, self.plan
        filled, total = base + plan.filled, base + plan.total
        rows = [
            (_LOAD, _R, 0, self.head_end, self.head_end, page),
            (_LOAD, _RX, base, code_end - base, code_end - base, page),
            (_LOAD, _R, code_end, constant_end - code_end, constant_end - code_end, page),
            (_LOAD, _RW, constant_end, filled - constant_end, total - constant_end, page),
            (_DYN, _RW, constant_end, dynamic_bytes, dynamic_bytes, 8),
            (_STACK, _RW, 0, 0, 0, 16),
        ]
        made = struct.pack(
            "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, self.kind.machine.number, 1, 0, 64, 0,
            0, 64, 56, len(rows), 64, 0, 0,
        )  # fmt: skip
        for kind, flags, at, in_file, in_memory, align in rows:
            made += struct.pack("<IIQQQQQQ", kind, flags, at, at, at, in_file, in_memory, align)
        return made


def _elf_hash(name: str) -> int:
    """Source: System V ABI, figure 5-13."""
    found = 0
    for byte in name.encode():
        found = (found << 4) + byte
        high = found & 0xF0000000
        found = (found ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return found
