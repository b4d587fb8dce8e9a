"""Words of parts in LLVM IR: `join2`, `join4` and the dots of `loops/scalar.py`.

    accumulate(b, "dot_i16", total, a, c) -> total + dot_i16(a, c)

is one instruction where `Isa.dots` has the op and the vectors fill a register; elsewhere the parts
are taken out of the words by shifts. Called by `scalar_llvm` and by the printer's Accumulate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..types import F32, I32, U8, U16, U32, DType
from .llvm_builder import Builder, Val, register_type

OPS = frozenset({"join2", "join4", "dot_bf16", "dot_i16", "dot_u8_i8"})
_REGISTERS = (16, 8, 4)
"""Words in the registers that the instructions have."""


def emit(b: Builder, name: str, args: list[Val]) -> Val:
    """The op on arguments of one number of lanes."""
    if name.startswith("join"):
        return join(b, args)
    zero = b.const(0, F32 if name == "dot_bf16" else I32, args[0].lanes)
    if name == "dot_bf16":  # the instruction takes subnormal numbers as 0: only sums bear that
        return _PLAIN[name](b, zero, *args)
    return accumulate(b, name, zero, *args)


def join(b: Builder, parts: Sequence[Val]) -> Val:
    """The bits of parts side by side, the first in the lowest."""
    lanes, width = parts[0].lanes, 32 // len(parts)
    bits = [p if p.dtype.is_integer else b.bitcast(p, U16) for p in parts]
    if lanes == 1:
        total = b.cast(_unsigned(b, bits[0]), U32)
        for k, part in enumerate(bits[1:], 1):
            total = b.or_(total, b.shl(b.cast(_unsigned(b, part), U32), k * width))
        return total
    order = [k // 2 + (k % 2) * lanes for k in range(2 * lanes)]
    while len(bits) > 1:
        width = bits[0].dtype.bits
        wide = U16 if width == 8 else U32
        pairs = [b.shuffle(x, y, order) for x, y in zip(bits[::2], bits[1::2], strict=True)]
        kind = register_type(wide, lanes)
        bits = [b.emit(f"bitcast {pair} to {kind}", wide, lanes) for pair in pairs]
    return bits[0]


def _unsigned(b: Builder, a: Val) -> Val:
    return b.view(a, {8: U8, 16: U16}[a.dtype.bits])


def accumulate(b: Builder, name: str, total: Val, x: Val, y: Val) -> Val:
    """total + the dot of x and y, whose lanes are those of the total."""
    lanes = total.lanes
    if name in b.isa.dots and lanes >= _REGISTERS[-1]:
        most = b.isa.vector_bits // 32
        if name == "dot_i16" and not b.isa.has_vnni and "avx512bw" not in b.isa.features:
            most = min(most, 8)
        size = min(lanes, most)
        if size in _REGISTERS and lanes % size == 0:
            starts = range(0, lanes, size)
            parts = [[b.slice(v, s, size) for v in (total, x, y)] for s in starts]
            return b.concat([_instruction(b, name, *part) for part in parts])
    return _PLAIN[name](b, total, x, y)


def _instruction(b: Builder, name: str, total: Val, x: Val, y: Val) -> Val:
    """The same in one register (two instructions where only pairs are summed)."""
    lanes, bits = total.lanes, 32 * total.lanes
    if name == "dot_bf16":
        kind = f"<{2 * lanes} x bfloat>"
        symbol = f"llvm.x86.avx512bf16.dpbf16ps.{bits}"
        b.module.declare(symbol, total.type, [total.type, kind, kind])
        halves = [f"{kind} {b._emit(f'bitcast {v} to {kind}')}" for v in (x, y)]
        call = f"call {total.type} @{symbol}({total}, {', '.join(halves)})"
        return b.emit(call, F32, lanes)
    if b.isa.has_vnni:
        # words as operands are the form before LLVM 22, which LLVM 22 reads as well
        symbol = f"llvm.x86.avx512.{'vpdpwssd' if name == 'dot_i16' else 'vpdpbusd'}.{bits}"
        words = [b.view(v, I32) for v in (x, y)]
        return b.call(symbol, [total, *words], I32, lanes, declare=True)
    kind = f"<{2 * lanes} x i16>"
    symbol = {
        128: "llvm.x86.sse2.pmadd.wd", 256: "llvm.x86.avx2.pmadd.wd",
        512: "llvm.x86.avx512.pmaddw.d.512",
    }[bits]  # fmt: skip
    b.module.declare(symbol, total.type, [kind, kind])
    halves = [f"{kind} {b._emit(f'bitcast {v} to {kind}')}" for v in (x, y)]
    pairs = b.emit(f"call {total.type} @{symbol}({', '.join(halves)})", I32, lanes)
    return b.add(total, pairs)


# ------------------------------------------------------------------------------- parts by shifts


def _signed_part(b: Builder, word: Val, k: int, width: int) -> Val:
    moved = b.view(b.shl(word, 32 - width - k * width), I32)
    return b.shr(moved, 32 - width)


def _unsigned_part(b: Builder, word: Val, k: int, width: int) -> Val:
    return b.view(b.and_(b.shr(word, k * width), 2**width - 1), I32)


def _bf16_part(b: Builder, word: Val, k: int, width: int) -> Val:
    bits = b.and_(word, 0xFFFF0000) if k else b.shl(word, width)
    return b.bitcast(bits, F32)


_Part = Callable[[Builder, Val, int, int], Val]


def _plain(count: int, x_part: _Part, y_part: _Part, dtype: DType) -> Callable[..., Val]:
    """Parts one after the other, the highest first, as AVX512-BF16 does it."""

    def build(b: Builder, total: Val, x: Val, y: Val) -> Val:
        for k in reversed(range(count)):
            p, q = x_part(b, x, k, 32 // count), y_part(b, y, k, 32 // count)
            total = b.fma(p, q, total) if dtype is F32 else b.add(total, b.mul(p, q))
        return total

    return build


_PLAIN: dict[str, Callable[..., Val]] = {
    "dot_bf16": _plain(2, _bf16_part, _bf16_part, F32),
    "dot_i16": _plain(2, _signed_part, _signed_part, I32),
    "dot_u8_i8": _plain(4, _unsigned_part, _signed_part, I32),
}
