"""The relocations of each machine: how a reference inside code or data is written for the place
where it lies.

Who calls it: `loader.py`. Pure functions over the bytes of an image; nothing is mapped or looked up
here.

Source: System V ABI, AMD64 supplement 1.0, section 4.4; ELF for the Arm 64-bit architecture
(2023Q3), section 5.7.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from .records import dataclass

STUB_BYTES = 16
_I32, _U32, _U64 = struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the loader has to know of a machine.

    `patch(content, at, room, kind, value, base)` writes one relocation: `at` its place in the
    image, `room` the bytes left in its section, `value` symbol plus addend; False where the kind is
    unknown or the value does not fit. `stub(at, entry)` is a call stub at address `at` that jumps
    through the table entry at address `entry`. `through_table`, `calls`: the kinds that refer to a
    table entry, and those that a stub may serve.
    """

    name: str
    number: int
    known: frozenset[int]
    through_table: frozenset[int]
    calls: frozenset[int]
    words: frozenset[int]
    """The kinds that are an address of 64 bits."""
    patch: Callable[[bytearray, int, int, int, int, int], bool]
    stub: Callable[[int, int], bytes]


def _patch_x86_64(content: bytearray, at: int, room: int, kind: int, value: int, base: int) -> bool:
    """Writes one relocation; False where it is unknown, outside its section, or does not fit."""
    if kind in (2, 4, 9, 41, 42):  # PC32 PLT32 GOTPCREL GOTPCRELX REX_GOTPCRELX
        value -= base + at
    elif kind in (1, 24):  # 64 PC64
        if room < 8:
            return False
        _U64.pack_into(content, at, (value - (base + at if kind == 24 else 0)) & (2**64 - 1))
        return True
    elif kind == 10:  # 32, zero-extended
        if room < 4 or not 0 <= value < 1 << 32:
            return False
        _U32.pack_into(content, at, value)
        return True
    elif kind != 11:  # 32S
        return False
    if room < 4 or not -(1 << 31) <= value < 1 << 31:
        return False
    _I32.pack_into(content, at, value)
    return True


def _stub_x86_64(at: int, entry: int) -> bytes:
    return b"\xff\x25" + _I32.pack(entry - (at + 6)) + b"\xcc" * 10  # jmp *entry(%rip)


_SCALED = {
    278: 0,
    284: 1,
    285: 2,
    286: 3,
    299: 4,
    312: 3,
}  # LDST8..128, LD64_GOT: log2 of the access


def _patch_aarch64(
    content: bytearray, at: int, room: int, kind: int, value: int, base: int
) -> bool:
    """Writes one relocation; False where it is unknown, outside its section, or does not fit."""
    place = base + at
    if kind in (257, 260):  # ABS64 PREL64
        if room < 8:
            return False
        _U64.pack_into(content, at, (value - (place if kind == 260 else 0)) & (2**64 - 1))
        return True
    if room < 4:
        return False
    if kind in (258, 261):  # ABS32 PREL32
        value -= place if kind == 261 else 0
        if not -(1 << 31) <= value < 1 << 32:
            return False
        _U32.pack_into(content, at, value & 0xFFFFFFFF)
        return True
    (word,) = _U32.unpack_from(content, at)
    if kind in (282, 283):  # JUMP26 CALL26
        distance = value - place
        if distance & 3 or not -(1 << 27) <= distance < 1 << 27:
            return False
        word = word & 0xFC000000 | (distance >> 2) & 0x3FFFFFF
    elif kind in (275, 311):  # ADR_PREL_PG_HI21 ADR_GOT_PAGE
        pages = (value >> 12) - (place >> 12)
        if not -(1 << 20) <= pages < 1 << 20:
            return False
        word = word & 0x9F00001F | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    elif kind == 277:  # ADD_ABS_LO12_NC
        word = word & ~(0xFFF << 10) | (value & 0xFFF) << 10
    elif kind in _SCALED:
        shift = _SCALED[kind]
        if value & ((1 << shift) - 1):
            return False
        word = word & ~(0xFFF << 10) | ((value & 0xFFF) >> shift) << 10
    else:
        return False
    _U32.pack_into(content, at, word)
    return True


def _stub_aarch64(at: int, entry: int) -> bytes:
    pages = (entry >> 12) - (at >> 12)
    adrp = 0x90000010 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5  # adrp x16, page of entry
    ldr = 0xF9400211 | ((entry & 0xFFF) >> 3) << 10  # ldr x17, [x16, offset]
    return struct.pack("<4I", adrp, ldr, 0xD61F0220, 0xD503201F)  # br x17; nop


X86_64 = Machine(
    "x86-64", 62,
    frozenset({1, 2, 4, 9, 10, 11, 24, 41, 42}), frozenset({9, 41, 42}), frozenset({4}),
    frozenset({1}), _patch_x86_64, _stub_x86_64,
)  # fmt: skip
AARCH64 = Machine(
    "aarch64", 183,
    frozenset({257, 258, 260, 261, 275, 277, 278, 282, 283, 284, 285, 286, 299, 311, 312}),
    frozenset({311, 312}), frozenset({282, 283}), frozenset({257}), _patch_aarch64, _stub_aarch64,
)  # fmt: skip
