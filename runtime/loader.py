"""Loads ELF relocatable objects (.o) into this process, in pure Python.

Who calls it: `call.py` for the native runtime, and the compiler for every kernel object that the
cache holds; so a warm process runs compiled code without LLVM. It never writes a file and never
starts a tool.

The road of one object: parse (every offset is checked against the file) -> lay out (code and call
stubs, read-only data, writable data with the table of addresses, each from a page border) ->
relocate into one buffer -> map -> protect. No page is ever writable and executable at once.

Refused, with the reason: thread-local storage, IFUNC, constructors, COMMON symbols, unknown
relocations, another machine, a truncated or inconsistent file. Unwind tables (.eh_frame) are left
out: no frame of ours is unwound.

Objects that were compiled apart and refer to each other are one: `join` puts them into one text of
bytes, which is loaded like a single object.

Source: ELF-64 object file format 1.5.
"""

from __future__ import annotations

import mmap
import platform
import struct
from collections.abc import Mapping, Sequence

from .mapping import MappingError, fill, libc, map_memory, process_address
from .records import dataclass
from .relocations import AARCH64, STUB_BYTES, X86_64, Machine

__all__ = [
    "Image", "LoadedObject", "ObjectError", "Plan", "join", "link", "load", "process_address",
]  # fmt: skip


class ObjectError(Exception):
    """An object file that cannot be loaded; the message says why."""


# ELF constants (names as in the ELF specification, without their prefixes)
_MACHINES = {"x86_64": X86_64, "AMD64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}
_PROGBITS, _SYMTAB, _STRTAB, _RELA, _NOBITS, _REL, _GROUP = 1, 2, 3, 4, 8, 9, 17
_CONSTRUCTORS = frozenset({14, 15, 16})  # INIT_ARRAY, FINI_ARRAY, PREINIT_ARRAY
_X86_UNWIND = 0x70000001
_WRITE, _ALLOC, _EXEC, _TLS = 1, 2, 4, 0x400
_UNDEF, _ABS, _COMMON, _RESERVED = 0, 0xFFF1, 0xFFF2, 0xFF00
_STT_TLS, _STT_IFUNC = 6, 10
_MAX_IMAGE_BYTES = 1 << 30  # so that every distance inside an image fits in 32 signed bits
_MAX_ALIGN = 4096  # a mapping begins at a page

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_U64 = struct.Struct("<Q")
_JOINED = b"\x7fOBJECTS"


@dataclass(slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    symbols: int  # where its object's symbols begin among all
    place: int = -1  # offset in the image; -1: not in it


@dataclass(frozen=True, slots=True)
class Image:
    """A linked object: bytes for a base address, and how each part of it is to be protected.

    Units: bytes. `code_end` and `constant_end` are page borders; [0, code_end) is executable,
    [code_end, constant_end) read-only, the rest writable. `symbols` holds offsets from the base.
    """

    content: bytearray
    code_end: int
    constant_end: int
    symbols: Mapping[str, int]


class LoadedObject:
    """A mapped object. The code stays valid until `close()` or until this object dies: keep it."""

    __slots__ = ("_base", "_bytes", "_symbols", "externals")

    def __init__(self, base: int, size: int, symbols: Mapping[str, int], externals: object) -> None:
        self._base, self._bytes, self._symbols = base, size, symbols
        self.externals = externals  # kept: whoever owns an external address may be in here

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols that can be asked for."""
        return tuple(self._symbols)

    @property
    def nbytes(self) -> int:
        """Bytes of address space that `close()` gives back."""
        return self._bytes

    def address(self, name: str) -> int:
        """The address of a global symbol.

        Raises:
            ObjectError: when there is no such symbol, or the object was closed.
        """
        if self._base == 0:
            raise ObjectError(f"the object that holds {name} was closed")
        offset = self._symbols.get(name)
        if offset is None:
            known = ", ".join(sorted(self._symbols)[:8]) or "none"
            raise ObjectError(f"the object has no symbol {name}; it has: {known}")
        return self._base + offset

    def pin(self) -> None:
        """Keeps the mapping until the process ends, whatever becomes of this object."""
        self._bytes = 0

    def close(self) -> None:
        """Unmaps the object. Any address taken from it is then dead."""
        base, self._base = self._base, 0
        if base and self._bytes:
            libc().munmap(base, self._bytes)

    def __del__(self) -> None:
        try:
            self.close()
        except (
            Exception
        ):  # at the end of the interpreter libc may be gone; the process frees the memory
            pass


def join(objects: Sequence[bytes]) -> bytes:
    """Objects that are loaded together; what one lacks may be a global symbol of another."""
    if len(objects) == 1:
        return objects[0]
    sizes = b"".join(_U64.pack(len(one)) for one in objects)
    return b"".join([_JOINED, _U64.pack(len(objects)), sizes, *objects])


def _joined(content: bytes) -> list[tuple[int, int]]:
    """Where the objects are: begin and end of each."""
    if content[:8] != _JOINED:
        return [(0, len(content))]
    if len(content) < 16 or (count := _U64.unpack_from(content, 8)[0]) > len(content) // 8 - 2:
        raise ObjectError(f"the objects' sizes are missing from {len(content)} bytes: truncated?")
    sizes = struct.unpack_from(f"<{count}Q", content, 16)
    place, found = 16 + 8 * count, []
    for size in sizes:
        found.append((place, place + size))
        place += size
    if place != len(content):
        raise ObjectError(f"the objects end at byte {place}, and there are {len(content)}")
    return found


def load(content: bytes, externals: Mapping[str, int] | None = None) -> LoadedObject:
    """Maps and relocates an object for this process.

    `externals` gives addresses by name; what it lacks is looked up in the process, then in libm.

    Raises:
        ObjectError: when the object is damaged, for another machine, or needs what is not there.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise ObjectError(f"objects cannot be loaded on a machine of kind {platform.machine()!r}")
    given = externals or {}
    plan = Plan(content, machine)
    try:
        base = map_memory(plan.total)
    except MappingError as error:
        raise ObjectError(str(error)) from None
    try:
        image = plan.relocate(base, given)
        fill(base, image.content, image.code_end, image.constant_end)
    except BaseException as error:
        libc().munmap(base, plan.total)
        if isinstance(error, MappingError):
            raise ObjectError(str(error)) from None
        raise
    return LoadedObject(base, plan.total, image.symbols, given)


def link(content: bytes, base: int, externals: Mapping[str, int], machine: str) -> Image:
    """The image of an object at a base address, without mapping it; for any machine that the loader
    knows.

    Raises:
        ObjectError: as `load`; undefined symbols are looked up in the process only where the
        machine is this one.
    """
    known = _MACHINES.get(machine)
    if known is None:
        raise ObjectError(f"the loader knows x86_64 and aarch64, not {machine!r}")
    return Plan(content, known).relocate(base, externals)


class Plan:
    """An object parsed, checked and laid out: `total` bytes are needed at any border of a page.

    With `reserve` the table of addresses lies behind so many free bytes at the start of what is
    writable: there a dynamic linker may fill it (graphc/aot/elf.py). `filled` is where the bytes
    of a file may end; zeros follow.
    """

    __slots__ = (
        "_bound",
        "_code_end",
        "_constant_end",
        "_content",
        "_machine",
        "_page",
        "_relocations",
        "_reserve",
        "_sections",
        "_stub_place",
        "_stubs",
        "_symbols",
        "_table",
        "_table_place",
        "filled",
        "total",
    )  # fmt: skip

    def __init__(
        self, content: bytes, machine: Machine, page: int = mmap.PAGESIZE,
        reserve: int | None = None,
    ) -> None:  # fmt: skip
        self._content, self._machine = content, machine
        self._page, self._reserve = page, reserve
        self._parse()
        self._find_table_entries()
        self._lay_out()

    # ------------------------------------------------------------------------------------- parse
    def _parse(self) -> None:
        self._sections: list[_Section] = []
        # name, binding, type, section, value
        self._symbols: list[tuple[str, int, int, int, int]] = []
        for start, end in _joined(self._content):
            self._parse_object(start, end)
        if len(self._sections) >= _RESERVED:
            raise ObjectError(f"{len(self._sections)} sections; the limit is {_RESERVED}")
        self._bind()

    def _parse_object(self, start: int, end: int) -> None:
        content = memoryview(self._content)[start:end]
        if len(content) < 64 or content[:4] != b"\x7fELF":
            raise ObjectError(
                f"not an ELF object: {len(content)} bytes, beginning {bytes(content[:4])!r}"
            )
        if content[4] != 2 or content[5] != 1:
            raise ObjectError("not a 64-bit little-endian ELF object")
        kind, machine = struct.unpack_from("<HH", content, 16)
        if kind != 1:
            raise ObjectError(f"not a relocatable object: ELF type {kind}, where 1 is expected")
        if machine != self._machine.number:
            names = {known.number: known.name for known in _MACHINES.values()}
            found = names.get(machine, f"machine {machine}")
            raise ObjectError(f"the object is for {found}; expected is {self._machine.name}")
        (table,) = _U64.unpack_from(content, 40)
        entry, count, names = struct.unpack_from("<HHH", content, 58)
        if entry != _SECTION.size or count == 0:
            raise ObjectError(f"the section table is damaged: {count} entries of {entry} bytes")
        self._check(start + table, count * entry, "the section table", end)
        raw = list(_SECTION.iter_unpack(content[table : table + count * entry]))
        if names >= count:
            raise ObjectError(f"section {names} should hold the section names; there are {count}")
        at, size = start + raw[names][4], raw[names][5]
        self._check(at, size, "the section names", end)
        text = self._content[at : at + size]
        first, symbols = len(self._sections), len(self._symbols)
        own = [
            _Section(
                _name(text, s[0]), s[1], s[2], start + s[4], s[5], first + s[6], first + s[7],
                max(1, s[8]), symbols,
            )
            for s in raw
        ]  # fmt: skip
        self._sections += own
        for section in own:
            self._check_section(section, end)
        self._parse_symbols(own, first)

    def _check_section(self, section: _Section, end: int) -> None:
        if section.kind != _NOBITS:
            self._check(section.offset, section.size, f"section {section.name}", end)
        if not section.flags & _ALLOC:
            return
        if section.flags & _TLS:
            raise ObjectError(
                f"section {section.name} is thread-local; thread-local storage is not supported"
            )
        constructors = section.kind in _CONSTRUCTORS or section.name.startswith(
            (".ctors", ".dtors")
        )
        if constructors and section.size:
            raise ObjectError(f"section {section.name} holds constructors, which are not run")
        if section.align > _MAX_ALIGN or section.align & (section.align - 1):
            raise ObjectError(
                f"section {section.name} asks for an alignment of {section.align} bytes"
            )
        if section.size > _MAX_IMAGE_BYTES:
            raise ObjectError(
                f"section {section.name} is {section.size} bytes; the limit is {_MAX_IMAGE_BYTES}"
            )
        if section.flags & _WRITE and section.flags & _EXEC:
            raise ObjectError(f"section {section.name} is writable and executable")

    def _parse_symbols(self, sections: list[_Section], first: int) -> None:
        """Those of one object, whose sections are these, the first of which has that number."""
        tables = [s for s in sections if s.kind == _SYMTAB]
        if len(tables) > 1:
            raise ObjectError(f"{len(tables)} symbol tables; an object has one")
        if not tables:
            return
        table = tables[0]
        if table.link >= len(self._sections) or table.size % _SYMBOL.size:
            raise ObjectError("the symbol table is damaged")
        strings = self._sections[table.link]
        if strings.kind != _STRTAB:
            raise ObjectError("the symbol table has no string table")
        text = self._content[strings.offset : strings.offset + strings.size]
        raw = self._content[table.offset : table.offset + table.size]
        for name, info, _, section, value, _ in _SYMBOL.iter_unpack(raw):
            if section != _UNDEF and section < _RESERVED:
                section += first
            self._symbols.append((_name(text, name), info >> 4, info & 15, section, value))

    def _bind(self) -> None:
        """Finds the symbols of one object that another one has."""
        known: dict[str, int] = {}
        for index, (name, binding, _, section, _) in enumerate(self._symbols):
            if binding and name and section != _UNDEF and known.setdefault(name, index) != index:
                raise ObjectError(f"two objects have the symbol {name}")
        self._bound: dict[int, int] = {
            index: known[name]
            for index, (name, binding, _, section, _) in enumerate(self._symbols)
            if binding and section == _UNDEF and name in known
        }

    def _check(self, offset: int, size: int, what: str, end: int) -> None:
        if offset + size > end:
            raise ObjectError(
                f"{what} spans bytes {offset} to {offset + size}, and the file has "
                f"{end}: truncated?"
            )

    # ------------------------------------------------------------------------------------ layout
    def _find_table_entries(self) -> None:
        """Reads the relocations and finds which symbols need an address-table entry or a call
        stub."""
        got, calls = self._machine.through_table, self._machine.calls
        symbols, count = self._symbols, len(self._symbols)
        self._table: dict[int, int] = {}  # symbol index -> number of its table entry
        self._stubs: dict[int, int] = {}
        self._relocations: list[tuple[_Section, list[tuple[int, int, int, int]]]] = []
        for section in self._sections:
            if section.kind not in (_RELA, _REL):
                continue
            if section.info >= len(self._sections):
                raise ObjectError(
                    f"{section.name} relocates section {section.info}, which is not there"
                )
            target = self._sections[section.info]
            if not target.flags & _ALLOC or _left_out(target):
                continue
            if section.kind == _REL or target.kind == _NOBITS:
                raise ObjectError(f"{section.name} has relocations of a form that is not supported")
            if section.size % _RELOCATION.size:
                raise ObjectError(f"{section.name} is damaged: {section.size} bytes")
            raw = self._content[section.offset : section.offset + section.size]
            entries: list[tuple[int, int, int, int]] = []
            for offset, info, addend in _RELOCATION.iter_unpack(raw):
                index, kind = section.symbols + (info >> 32), info & 0xFFFFFFFF
                if index >= count:
                    raise ObjectError(f"{section.name} names symbol {index}; there are {count}")
                if index in self._bound:
                    index = self._bound[index]
                entries.append((offset, index, kind, addend))
                if kind in got:
                    self._table.setdefault(index, len(self._table))
                elif kind in calls and symbols[index][3] == _UNDEF:
                    self._table.setdefault(index, len(self._table))
                    self._stubs.setdefault(index, len(self._stubs))
            self._relocations.append((target, entries))

    def _lay_out(self) -> None:
        used = [s for s in self._sections if s.flags & _ALLOC and s.size and not _left_out(s)]
        known = (_PROGBITS, _NOBITS, _X86_UNWIND)
        for section in used:
            if section.kind not in known and section.kind != 7:  # 7: notes, data like any other
                raise ObjectError(f"section {section.name} has the unknown type {section.kind}")
        place = self._place([s for s in used if s.flags & _EXEC], 0)
        self._stub_place = place = _align(place, 16)
        self._code_end = _align(place + STUB_BYTES * len(self._stubs), self._page)
        place = self._place([s for s in used if not s.flags & (_EXEC | _WRITE)], self._code_end)
        table_bytes = 8 * len(self._table)
        if self._reserve is None:
            # the table of addresses is written once, here, and lies with the constants
            self._table_place = place = _align(place, 8)
            self._constant_end = place = _align(place + table_bytes, self._page)
        else:
            self._constant_end = _align(place, self._page)
            self._table_place = self._constant_end + self._reserve
            place = self._table_place + table_bytes
        writable = [s for s in used if s.flags & _WRITE]
        self.filled = self._place([s for s in writable if s.kind != _NOBITS], place)
        place = self._place([s for s in writable if s.kind == _NOBITS], self.filled)
        self.total = max(self._page, _align(place, self._page))

    @staticmethod
    def _place(sections: list[_Section], place: int) -> int:
        for section in sections:
            section.place = place = _align(place, section.align)
            place += section.size
            if place > _MAX_IMAGE_BYTES:
                raise ObjectError(f"the object needs more than {_MAX_IMAGE_BYTES} bytes")
        return place

    # ------------------------------------------------------------------- for a dynamic linker
    @property
    def borders(self) -> tuple[int, int]:
        """Where the code and the constants end; both are borders of pages."""
        return self._code_end, self._constant_end

    @property
    def undefined(self) -> tuple[str, ...]:
        """What the object needs from elsewhere, in a fixed order."""
        used = {index for _, entries in self._relocations for _, index, _, _ in entries}
        found = {self._symbols[k][0] for k in used if self._symbols[k][3] == _UNDEF}
        return tuple(sorted(found - {""}))

    def addresses(self, base: int) -> list[tuple[int, str, int]]:
        """The words that hold an address: (offset in the image, name or "", value). With a name the
        word is the address of what is undefined here, plus the value; without, the value itself.

        Raises:
            ObjectError: for a reference to something undefined that is no word of its own.
        """
        values = self._values(base, dict.fromkeys(self.undefined, 0))
        symbols, words = self._symbols, self._machine.words
        found: list[tuple[int, str, int]] = []
        for index, number in self._table.items():
            name = symbols[index][0] if symbols[index][3] == _UNDEF else ""
            found.append((self._table_place + 8 * number, name, 0 if name else values[index]))
        got = self._machine.through_table
        for section, entries in self._relocations:
            if section.place < 0:
                continue
            for offset, index, kind, addend in entries:
                name = symbols[index][0] if symbols[index][3] == _UNDEF else ""
                if kind in words:
                    value = addend if name else values[index] + addend
                    found.append((section.place + offset, name, value))
                elif name and kind not in got and index not in self._stubs:
                    self._refuse(section, offset, kind, index)
        return found

    # ---------------------------------------------------------------------------------- relocate
    def relocate(self, base: int, externals: Mapping[str, int]) -> Image:
        """The bytes of the image for a base address that is a page border."""
        content, source = bytearray(self.total), self._content
        for section in self._sections:
            if section.place >= 0 and section.kind != _NOBITS:
                end = section.offset + section.size
                content[section.place : section.place + section.size] = source[section.offset : end]
        values = self._values(base, externals)
        for index, number in self._table.items():
            _U64.pack_into(content, self._table_place + 8 * number, values[index] & (2**64 - 1))
        patch, stub = self._machine.patch, self._machine.stub
        for index, number in self._stubs.items():
            at = self._stub_place + STUB_BYTES * number
            entry = self._table_place + 8 * self._table[index]
            content[at : at + STUB_BYTES] = stub(base + at, base + entry)
        got, calls = self._machine.through_table, self._machine.calls
        for section, entries in self._relocations:
            if section.place < 0:
                continue
            start, size = section.place, section.size
            for offset, index, kind, addend in entries:
                if kind in got:
                    value = base + self._table_place + 8 * self._table[index]
                elif kind in calls and index in self._stubs:
                    value = base + self._stub_place + STUB_BYTES * self._stubs[index]
                else:
                    value = values[index]
                if kind and not patch(
                    content, start + offset, size - offset, kind, value + addend, base
                ):
                    self._refuse(section, offset, kind, index)
        symbols = {
            name: values[i] - base
            for i, (name, binding, _, section, _) in enumerate(self._symbols)
            if binding and name and section != _UNDEF
        }
        return Image(content, self._code_end, self._constant_end, symbols)

    def _values(self, base: int, externals: Mapping[str, int]) -> list[int]:
        """The address of every symbol that a relocation or a caller may ask for."""
        values: list[int] = []
        native = self._machine is _MACHINES.get(platform.machine())
        used = {index for _, entries in self._relocations for _, index, _, _ in entries}
        for index, (name, binding, kind, section, value) in enumerate(self._symbols):
            if kind == _STT_TLS:
                raise ObjectError(f"{name} is thread-local; thread-local storage is not supported")
            if kind == _STT_IFUNC:
                raise ObjectError(f"{name} is an IFUNC, which is not supported")
            if section == _UNDEF:
                values.append(
                    self._external(name, binding, externals, native)
                    if index in used and name
                    else 0
                )
            elif section == _ABS:
                values.append(value)
            elif section >= _RESERVED:
                what = "COMMON" if section == _COMMON else f"in the reserved section {section:#x}"
                raise ObjectError(f"{name} is {what}, which is not supported")
            elif section >= len(self._sections):
                raise ObjectError(
                    f"{name} lies in section {section}; there are {len(self._sections)}"
                )
            else:
                home = self._sections[section]
                if value > home.size:
                    raise ObjectError(f"{name} lies outside its section {home.name}")
                values.append(base + max(home.place, 0) + value)
        return values

    @staticmethod
    def _external(name: str, binding: int, externals: Mapping[str, int], native: bool) -> int:
        address = externals.get(name)
        if address is None and native:
            address = process_address(name)
        if address is None:
            if binding == 2:  # an undefined weak symbol is null
                return 0
            raise ObjectError(
                f"{name} is undefined: neither given, nor in this process, nor in libm"
            )
        return address

    def _refuse(self, section: _Section, offset: int, kind: int, index: int) -> None:
        name = self._symbols[index][0] or "a section"
        where = f"relocation {kind} at {section.name}+{offset:#x} to {name}"
        if not 0 <= offset < section.size:
            raise ObjectError(f"{where} lies outside its section")
        if kind not in self._machine.known:
            raise ObjectError(f"{where} is of a kind that is not supported")
        raise ObjectError(
            f"{where} does not fit: too far, or misaligned (compile with reloc='pic')"
        )


def _left_out(section: _Section) -> bool:
    return section.name.startswith((".eh_frame", ".gcc_except_table", ".llvm_stackmaps"))


def _name(text: bytes, offset: int) -> str:
    end = text.find(b"\0", offset)
    if end < 0 or offset > len(text):
        raise ObjectError(
            f"a name at byte {offset} of a string table of {len(text)} bytes does not end"
        )
    return text[offset:end].decode("utf-8", "replace")


def _align(value: int, border: int) -> int:
    return (value + border - 1) & -border
