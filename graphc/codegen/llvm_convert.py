"""Conversions: casts with NumPy's meaning, bits, and the register forms of bool, f16 and bf16."""

from __future__ import annotations

from ..errors import LoweringError
from ..types import BF16, BOOL, F16, F32, F64, I32, I64, U8, U16, U32, U64, DType
from .llvm_instructions import Instructions
from .llvm_values import Operand, Val, memory_type, register_type, vector_type


class Conversions(Instructions):
    """Instructions with casts."""

    def _round(self, x: Val) -> Val:
        if x.dtype not in (F16, BF16):
            return x
        return self._from_memory(self._to_memory(x), x.dtype, x.lanes)

    def view(self, a: Val, dtype: DType) -> Val:
        """The same register under a dtype of the same register type (i32/u32; f16 as its f32)."""
        if register_type(a.dtype) != register_type(dtype):
            raise LoweringError(f"{a.dtype} and {dtype} live in different registers")
        return Val(a.ref, dtype, a.lanes, a.value)

    def bitcast(self, a: Val, dtype: DType) -> Val:
        """The same bits, lane by lane, under a dtype of the same width (in memory)."""
        if a.dtype.bits != dtype.bits or BOOL in (a.dtype, dtype):
            raise LoweringError(f"cannot read the bits of {a.dtype} as {dtype}")
        ref, held = (self._to_memory(a), memory_type(a.dtype, a.lanes))
        wanted = memory_type(dtype, a.lanes)
        if held != wanted:
            ref = self._emit(f"bitcast {held} {ref} to {wanted}")
        return self._from_memory(ref, dtype, a.lanes)

    def _convert(self, instruction: str, a: Val, kind: str) -> str:
        return self._emit(f"{instruction} {a} to {vector_type(kind, a.lanes)}")

    def cast(self, a: Val, dtype: DType) -> Val:
        """NumPy's astype (see the module's text for what is out of range)."""
        source = a.dtype
        if source is dtype:
            return a
        if a.value is not None and not source.is_float and not dtype.is_float:
            return self.const(bool(a.value) if dtype is BOOL else a.value, dtype, a.lanes)
        if dtype is BOOL:
            return self.cmp("ne", a, 0)
        if dtype.is_float:
            return self._cast_to_float(a, dtype)
        if source.is_float:
            return self._float_to_integer(a, dtype)
        if source.bits == dtype.bits and source is not BOOL:
            return self.view(a, dtype)
        if source is not BOOL and source.bits > dtype.bits:
            return Val(self._convert("trunc", a, register_type(dtype)), dtype, a.lanes)
        extend = "sext" if source.kind == "i" else "zext"
        return Val(self._convert(extend, a, register_type(dtype)), dtype, a.lanes)

    def _cast_to_float(self, a: Val, dtype: DType) -> Val:
        source, lanes = a.dtype, a.lanes
        if not source.is_float:
            kind = "double" if dtype is F64 else "float"
            name = "sitofp" if source.kind == "i" else "uitofp"
            return self._round(Val(self._convert(name, a, kind), dtype, lanes))
        if dtype is F64:
            return Val(self._convert("fpext", a, "double"), F64, lanes)
        if source is F64:
            # f16: the first rounding goes to an odd last bit, so that the second is the only one
            # that shows; bf16: two roundings, as ml_dtypes
            single = (
                self._round_to_odd(a)
                if dtype is F16
                else Val(self._convert("fptrunc", a, "float"), F32, lanes)
            )
            return self._round(self.view(single, dtype))
        return self._round(self.view(a, dtype))  # from f16, bf16 or f32, all in f32 registers

    def _round_to_odd(self, a: Val) -> Val:
        """f64 to f32, towards zero, with the last bit set if anything was lost."""
        near = Val(self._convert("fptrunc", a, "float"), F32, a.lanes)
        back = self.cast(near, F64)
        bits = self.bitcast(near, I32)
        over = self.cast(self.cmp("gt", self.fabs(back), self.fabs(a)), I32)
        odd = self.bitcast(self.or_(self.sub(bits, over), 1), F32)
        exact = self.or_(self.cmp("eq", back, a), self.isnan(a))
        return self.select(exact, near, odd)

    def _float_to_integer(self, a: Val, dtype: DType) -> Val:
        wide = I64 if dtype in (I64, U32, U64) else I32
        if dtype is U64:
            top = 2.0**63
            large = self.cmp("ge", a, top)
            rest = self._freeze(self._convert("fptosi", self._minus(a, top), "i64"), I64, a.lanes)
            small = self._freeze(self._convert("fptosi", a, "i64"), I64, a.lanes)
            return self.view(self.select(large, self.xor(rest, -(2**63)), small), U64)
        whole = self._freeze(self._convert("fptosi", a, f"i{wide.bits}"), wide, a.lanes)
        return whole if wide is dtype else self.cast(whole, dtype)

    def _minus(self, a: Val, amount: float) -> Val:
        """a - amount in the register's type (f16 cannot hold 2**63)."""
        register = a if a.dtype in (F32, F64) else self.view(a, F32)
        return self.sub(register, amount)

    def _freeze(self, ref: str, dtype: DType, lanes: int) -> Val:
        return self.emit(f"freeze {register_type(dtype, lanes)} {ref}", dtype, lanes)

    def _to_memory(self, a: Val) -> str:
        """The value in its memory type."""
        if a.dtype is BOOL:
            return self._convert("zext", a, "i8")
        if a.dtype is F16:
            if self.isa.has_f16:
                return self._convert("fptrunc", a, "half")
            bits = self._half_bits(self.view(a, F32))
            return self._emit(f"bitcast {bits} to {vector_type('half', a.lanes)}")
        if a.dtype is BF16:
            bits = self.bitcast(self.view(a, F32), U32)
            odd = self.and_(self.shr(bits, 16), 1)
            rounded = self.add(self.add(bits, 0x7FFF), odd)
            quiet = self.or_(bits, 0x400000)
            chosen = self.select(self.isnan(a), quiet, rounded)
            return self._convert("trunc", self.shr(chosen, 16), "i16")
        return a.ref

    def _from_memory(self, ref: str, dtype: DType, lanes: int) -> Val:
        """The value in its register type."""
        if dtype is BOOL:
            return self.cmp("ne", Val(ref, U8, lanes), 0)
        if dtype is F16:
            if self.isa.has_f16:
                kinds = f"{vector_type('half', lanes)} {ref} to {vector_type('float', lanes)}"
                return self.emit(f"fpext {kinds}", F16, lanes)
            bits = self._emit(
                f"bitcast {vector_type('half', lanes)} {ref} to {vector_type('i16', lanes)}"
            )
            return self.view(self._half_value(Val(bits, U16, lanes)), F16)
        if dtype is BF16:
            bits = self.shl(self.cast(Val(ref, U16, lanes), U32), 16)
            return self.view(self.bitcast(bits, F32), BF16)
        return Val(ref, dtype, lanes)

    def _half_bits(self, a: Val) -> Val:
        """f32 to the bits of the nearest f16, with integer instructions and one addition."""
        bits = self.bitcast(a, U32)
        sign = self.and_(self.shr(bits, 16), 0x8000)
        size = self.and_(bits, 0x7FFFFFFF)
        odd = self.and_(self.shr(size, 13), 1)
        # normal: move the exponent's bias from 127 to 15, rounding to nearest even at bit 13
        normal = self.shr(self.add(self.add(size, (0xC8000000 + 0xFFF) & 0xFFFFFFFF), odd), 13)
        # subnormal: adding 0.5 leaves the significand, rounded, in the last bits
        tiny = self.sub(
            self.bitcast(self._plain_add(self.bitcast(size, F32), 0.5), U32), 0x3F000000
        )
        finite = self.select(self.cmp("lt", size, 0x38800000), tiny, normal)
        special = self.select(self.cmp("gt", size, 0x7F800000), 0x7E00, 0x7C00, like=size)
        chosen = self.select(self.cmp("ge", size, 0x477FF000), special, finite)
        return Val(self._convert("trunc", self.or_(chosen, sign), "i16"), U16, a.lanes)

    def _half_value(self, bits: Val) -> Val:
        """The bits of an f16 to f32."""
        wide = self.cast(bits, U32)
        sign = self.shl(self.and_(wide, 0x8000), 16)
        size = self.and_(wide, 0x7FFF)
        # the f16's bits as an f32 that is too small by 2**112: one exact multiplication repairs it
        finite = self._plain_mul(self.bitcast(self.shl(size, 13), F32), 2.0**112)
        special = self.or_(self.shl(size, 13), 0x7F800000)
        chosen = self.select(self.cmp("ge", size, 0x7C00), special, self.bitcast(finite, U32))
        return self.bitcast(self.or_(chosen, sign), F32)

    def _plain_add(self, a: Val, b: Operand) -> Val:
        x, y = self._same(a, b)
        return self.emit(f"fadd {x}, {y.ref}", x.dtype, x.lanes)

    def _plain_mul(self, a: Val, b: Operand) -> Val:
        x, y = self._same(a, b)
        return self.emit(f"fmul {x}, {y.ref}", x.dtype, x.lanes)
