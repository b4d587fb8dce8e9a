"""What LLVM IR is made of: the instruction set at hand (`Isa`), values (`Val`), types and
literals."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from ..types import BF16, BOOL, F16, F64, DType

_NEEDS = {
    "sse4.2": ("sse4.1",), "avx": ("sse4.2",), "avx2": ("avx",), "fma": ("avx",), "f16c": ("avx",),
    "avxvnni": ("avx2",), "avx512f": ("avx2", "fma", "f16c"), "avx512vl": ("avx512f",),
    "avx512dq": ("avx512f",), "avx512bw": ("avx512f",), "avx512vnni": ("avx512f",),
    "avx512bf16": ("avx512bw",),
}  # fmt: skip
"""Of the features that are asked about here, those that LLVM switches on together.

Source: llvm/lib/Target/X86/X86.td.
"""


@cache
def _needed(name: str) -> frozenset[str]:
    """A feature and all that it needs."""
    return frozenset({name}).union(*(_needed(n) for n in _NEEDS.get(name, ())))


@dataclass(frozen=True, slots=True)
class Isa:
    """The instructions that the emitter may count on. `vector_bits` is the widest register to
    use."""

    arch: str
    features: frozenset[str]
    vector_bits: int

    @staticmethod
    def of(arch: str, features: str = "", vector_bits: int | None = None) -> Isa:
        """From an architecture name and LLVM's feature string ("+avx2,+fma,-avx512f"), read as
        LLVM does: from left to right, a feature brings those that it needs and takes those along
        that need it.
        """
        names: frozenset[str] = frozenset()
        for feature in filter(None, features.split(",")):
            sign, name = feature[0], feature[1:]
            if sign == "+":
                names |= _needed(name)
            else:
                names = frozenset(n for n in names if name not in _needed(n))
        width = 128
        if arch == "x86_64":
            width = 512 if "avx512f" in names else 256 if {"avx", "avx2"} & names else 128
        return Isa(arch, names, vector_bits or width)

    @property
    def has_fma(self) -> bool:
        return self.arch in ("aarch64", "riscv64") or bool({"fma", "avx512f"} & self.features)

    @property
    def has_round(self) -> bool:
        """floor, ceil, trunc and rint are instructions."""
        return self.arch in ("aarch64", "wasm32", "wasm64") or "sse4.1" in self.features

    @property
    def has_f16(self) -> bool:
        """f32 <-> f16 conversions are instructions."""
        return self.arch == "aarch64" or "f16c" in self.features or "avx512f" in self.features

    @property
    def has_avx512(self) -> bool:
        """AVX-512 with its forms for shorter vectors: scalef, getexp, getmant, rcp14."""
        return self.arch == "x86_64" and {"avx512f", "avx512vl", "avx512dq"} <= self.features

    @property
    def registers(self) -> int:
        """Vector registers for sums and their operands. AArch64 has 32, but no operands in memory:
        some are left for numbers under way, without which a tile of 8 x 14 is spilled.
        """
        if self.arch == "aarch64":
            return 28
        return 32 if self.has_avx512 else 16

    @property
    def has_vnni(self) -> bool:
        """Sums of products of bytes or 16-bit integers, in every length of vectors."""
        return (self.has_avx512 and "avx512vnni" in self.features) or "avxvnni" in self.features

    @property
    def dots(self) -> frozenset[str]:
        """The dots of `loops/scalar.py` that are an instruction of vectors."""
        if self.arch != "x86_64":
            return frozenset()
        found = {"dot_i16"}  # SSE2's pmaddwd at least
        if self.has_vnni:
            found.add("dot_u8_i8")
        if self.has_avx512 and "avx512bf16" in self.features:
            found.add("dot_bf16")
        return frozenset(found)

    @property
    def has_mask_tests(self) -> bool:
        """ktest for masks of 8 to 64 lanes."""
        return self.has_avx512 and "avx512bw" in self.features

    def native_lanes(self, dtype: DType) -> int:
        """Lanes of one register; f16 and bf16 count as the f32 that carries them."""
        return max(1, self.vector_bits // max(_register_bits(dtype), 8))

    def function_attributes(self) -> str:
        if self.arch == "x86_64" and self.vector_bits > 128:
            w = self.vector_bits
            return f'nounwind "prefer-vector-width"="{w}" "min-legal-vector-width"="{w}"'
        return "nounwind"


BASELINE = Isa.of("x86_64", "+sse2")


# ------------------------------------------------------------------------------------------ types


@dataclass(frozen=True, slots=True)
class Val:
    """A value in a register, or a literal. `value` is the Python number of a literal, else None."""

    ref: str
    dtype: DType
    lanes: int = 1
    value: Any = None

    @property
    def type(self) -> str:
        """The LLVM type of the register."""
        return register_type(self.dtype, self.lanes)

    def __str__(self) -> str:
        return f"{self.type} {self.ref}"


Operand = Val | int | float | bool


def _register_bits(dtype: DType) -> int:
    return 1 if dtype is BOOL else 32 if dtype in (F16, BF16) else dtype.bits


@cache
def vector_type(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


@cache
def register_type(dtype: DType, lanes: int = 1) -> str:
    """`float`, `<8 x i32>`, ..: the type that a Val has in registers."""
    if dtype.kind == "f":
        return vector_type("double" if dtype is F64 else "float", lanes)
    return vector_type("i1" if dtype is BOOL else f"i{dtype.bits}", lanes)


def memory_type(dtype: DType, lanes: int = 1) -> str:
    """The type in memory: bool is i8, f16 is half, bf16 is i16."""
    if dtype.kind == "f":
        return vector_type(
            {"f16": "half", "bf16": "i16", "f32": "float"}.get(dtype.name, "double"), lanes
        )
    return vector_type(f"i{dtype.bits}", lanes)


def overload_suffix(dtype: DType, lanes: int) -> str:
    """The overload suffix of intrinsics: f32, v8f32, v4i64."""
    element = register_type(dtype)
    element = {"float": "f32", "double": "f64"}.get(element, element)
    return element if lanes == 1 else f"v{lanes}{element}"


def literal(value: Any, dtype: DType) -> str:
    """A scalar literal: `true`, an integer in range, or a float's exact hexadecimal form."""
    if dtype is BOOL:
        return "true" if value else "false"
    if dtype.kind in "iu":
        bits = dtype.bits
        number = int(value) & ((1 << bits) - 1)
        return str(number - (1 << bits) if number >> (bits - 1) else number)
    number = float(value)
    if dtype is not F64:  # rounds, with overflow to infinity
        with np.errstate(over="ignore"):
            number = float(dtype.numpy.type(number))
    if math.isnan(number):
        return "0x7FF8000000000000"
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
