"""Object files -> a static library: the `ar` format with a symbol index, as GNU's tools write it,
and BSD's for Mach-O.

Times and owners are 0, so that equal objects make equal libraries.

Source: ar(5); the formats that GNU binutils and Apple's ld64 read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from graphc_runtime.records import dataclass

MAGIC = b"!<arch>\n"
_LONGEST = 15
"""Characters of a member's name in its head, the slash after it not counted."""


@dataclass(frozen=True, slots=True)
class Member:
    """An object file, and the global symbols that it defines."""

    name: str
    content: bytes
    symbols: tuple[str, ...]


def archive(members: Sequence[Member], bsd: bool = False) -> bytes:
    """The bytes of a static library."""
    return _bsd(members) if bsd else _gnu(members)


def _head(name: bytes, size: int) -> bytes:
    return b"%-16s%-12s%-6s%-6s%-8s%-10d`\n" % (name, b"0", b"0", b"0", b"100644", size)


def _padded(content: bytes) -> bytes:
    return content + b"\n" * (len(content) % 2)


def _gnu(members: Sequence[Member]) -> bytes:
    longs = b""
    names = []
    for member in members:
        name = member.name.encode()
        if len(name) <= _LONGEST:
            names.append(name + b"/")
        else:
            names.append(b"/%d" % len(longs))
            longs += name + b"/\n"
    symbols = [s.encode() + b"\0" for m in members for s in m.symbols]
    index_size = 4 + 4 * len(symbols) + sum(map(len, symbols))
    place = len(MAGIC) + 60 + index_size + index_size % 2
    if longs:
        place += 60 + len(longs) + len(longs) % 2
    places, body = [], b""
    for name, member in zip(names, members, strict=True):
        places += [place + len(body)] * len(member.symbols)
        body += _head(name, len(member.content)) + _padded(member.content)
    index = struct.pack(f">{1 + len(places)}I", len(places), *places) + b"".join(symbols)
    found = MAGIC + _head(b"/", index_size) + _padded(index)
    if longs:
        found += _head(b"//", len(longs)) + _padded(longs)
    return found + body


def _bsd(members: Sequence[Member]) -> bytes:
    """Names follow their heads; the index maps names to places, in 32 bits."""

    def member(name: str, content: bytes) -> bytes:
        text = name.encode()
        text += b"\0" * (-len(text) % 8 or 8)
        content += b"\n" * (-len(content) % 8)
        return _head(b"#1/%d" % len(text), len(text) + len(content)) + text + content

    names = sorted((s, k) for k, m in enumerate(members) for s in m.symbols)
    strings = b"".join(s.encode() + b"\0" for s, _ in names)
    strings += b"\0" * (-len(strings) % 8)

    def index(places: Sequence[int]) -> bytes:
        rows, at = b"", 0
        for name, k in names:
            rows += struct.pack("<II", at, places[k])
            at += len(name.encode()) + 1
        return struct.pack("<I", len(rows)) + rows + struct.pack("<I", len(strings)) + strings

    body = [member(m.name, m.content) for m in members]
    start = len(MAGIC) + len(member("__.SYMDEF SORTED", index([0] * len(members))))
    places = []
    for one in body:
        places.append(start)
        start += len(one)
    return MAGIC + member("__.SYMDEF SORTED", index(places)) + b"".join(body)
