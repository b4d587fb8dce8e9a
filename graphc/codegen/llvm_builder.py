"""LLVM IR as text: modules, functions and typed instructions over scalars and vectors.

Who calls it: `codegen/llvm.py` (the printer of loops), `codegen/scalar_llvm.py` and `codegen/math/`
(the scalar operations). It never imports llvmlite: it makes text of LLVM 22 (opaque pointers).

    isa = Isa.of("x86_64", "+avx2,+fma,+f16c,+sse4.1")     what instructions there are
    m = Module(isa)                                         declarations, constants, functions
    b = m.function("f", [("x", "ptr"), ("n", "i64")])       a Builder inside block `entry`
    v = b.load("%x", F32, lanes=8)                          a Val: ref, dtype, lanes
    w = b.mul(v, 2.0)                                       Python numbers become splats
    b.store("%x", w); b.ret(); text = m.render()

Values. `Val(ref, dtype, lanes)`; lanes == 1 is a scalar, lanes > 1 is `<lanes x T>`. In registers bool
is i1 and f16 and bf16 are `float` values that are representable in the type: every arithmetic method
rounds its result to the type. In memory bool is i8 (0 or 1), f16 is `half` and bf16 is i16. Pointers are
plain strings (`%p`, `@table`).

Floating point. Instructions carry `contract` (a*b+c may become one fma) and nothing else, unless
`b.flags` says otherwise: `codegen/math` works with no flags, because its error terms must survive, and a
reduction's accumulators may ask for `b.reassociate()`. Nothing changes NaN, infinities or signed zeros.

No instruction may become a call of a library: what the target lacks (fma, rounding, half conversion)
is written out here.

Casts are NumPy's astype. Float to integer truncates; out of range it is what x86 does (an i32 or i64
conversion gives the least integer, narrower and unsigned types are cut from it), through `freeze`, so
that it is never poison; other machines give another number there, as NumPy does.

Source: LLVM 22 Language Reference.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np

from ..errors import LoweringError
from ..types import BF16, BOOL, F16, F32, F64, I16, I32, I64, U8, U16, U32, U64, DType


@dataclass(frozen=True, slots=True)
class Isa:
    """The instructions that the emitter may count on. `vector_bits` is the widest register to use."""

    arch: str
    features: frozenset[str]
    vector_bits: int

    @staticmethod
    def of(arch: str, features: str = "", vector_bits: int | None = None) -> Isa:
        """From an architecture name and LLVM's feature string ("+avx2,+fma,-avx512f")."""
        names = frozenset(f[1:] for f in features.split(",") if f.startswith("+"))
        width = 128
        if arch == "x86_64":
            width = 512 if "avx512f" in names else 256 if "avx" in names else 128
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


Operand = Union[Val, int, float, bool]


def _register_bits(dtype: DType) -> int:
    return 1 if dtype is BOOL else 32 if dtype in (F16, BF16) else dtype.bits


def _vector(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def register_type(dtype: DType, lanes: int = 1) -> str:
    """`float`, `<8 x i32>`, ..: the type that a Val has in registers."""
    if dtype.kind == "f":
        return _vector("double" if dtype is F64 else "float", lanes)
    return _vector("i1" if dtype is BOOL else f"i{dtype.bits}", lanes)


def memory_type(dtype: DType, lanes: int = 1) -> str:
    """The type in memory: bool is i8, f16 is half, bf16 is i16."""
    if dtype.kind == "f":
        return _vector({"f16": "half", "bf16": "i16", "f32": "float"}.get(dtype.name, "double"), lanes)
    return _vector(f"i{dtype.bits}", lanes)


def _suffix(dtype: DType, lanes: int) -> str:
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


# ----------------------------------------------------------------------------------------- module


@dataclass
class _MathFunction:
    """An internal function of one operation; whether it is inlined is known at the end."""

    builder: Builder
    inline: bool
    uses: int = 0


@dataclass
class Module:
    """Declarations, constants and functions; `render` gives the text.

    An internal function of `codegen/math` that is called at most `inline_limit` times is inlined
    everywhere, the others stay calls, so that the time to compile grows linearly with the module.
    """

    isa: Isa
    inline_limit: int = 8
    _declarations: dict[str, str] = field(default_factory=dict)
    _globals: dict[str, str] = field(default_factory=dict)
    _functions: list[Builder] = field(default_factory=list)
    _math: dict[tuple[str, str, int], _MathFunction] = field(default_factory=dict)
    _metadata: dict[str, int] = field(default_factory=dict)

    def function(
        self,
        name: str,
        params: Sequence[tuple[str, str]] = (),
        result: str = "void",
        *,
        linkage: str = "",
        attributes: str | None = None,
    ) -> Builder:
        """Begins a function; `params` are (name without %, type with its attributes)."""
        attrs = self.isa.function_attributes() if attributes is None else attributes
        signature = ", ".join(f"{kind} %{param}" for param, kind in params)
        head = f"define {linkage + ' ' if linkage else ''}{result} @{name}({signature})"
        builder = Builder(self, head, attrs)
        self._functions.append(builder)
        return builder

    def math_function(
        self, name: str, dtype: DType, lanes: int, body: Callable[[Builder], None],
        params: Sequence[tuple[str, str]], result: str, *, inline: bool = True,
    ) -> str:  # fmt: skip
        """The internal function of an op for a dtype and lanes, made on first use by `body`.

        Returns its symbol; every call of this method counts as one use. Without `inline` it is never
        inlined.
        """
        key = (name, dtype.name, lanes)
        if key not in self._math:
            symbol = f"gc_{name}_{dtype.name}x{lanes}"
            signature = ", ".join(f"{kind} %{param}" for param, kind in params)
            head = f"define internal {result} @{symbol}({signature})"
            builder = Builder(self, head, self.isa.function_attributes())
            builder.flags = ""
            self._math[key] = _MathFunction(builder, inline)  # before the body: a body may count uses
            body(builder)
        self._math[key].uses += 1
        return f"gc_{name}_{dtype.name}x{lanes}"

    def declare(self, symbol: str, result: str, params: Sequence[str], attributes: str = "") -> None:
        """Declares a function or an intrinsic, once."""
        text = f"declare {result} @{symbol}({', '.join(params)}) {attributes}".rstrip()
        known = self._declarations.setdefault(symbol, text)
        if known != text:
            raise LoweringError(f"@{symbol} is declared twice, differently: {known} | {text}")

    def constant_array(self, name: str, element: str, values: Sequence[str], align: int = 64) -> str:
        """A constant table; the same name is made once. Returns `@name`."""
        body = ", ".join(f"{element} {v}" for v in values)
        self._globals.setdefault(
            name,
            f"@{name} = internal unnamed_addr constant [{len(values)} x {element}] "
            f"[{body}], align {align}",
        )
        return f"@{name}"

    def raw_global(self, name: str, text: str) -> None:
        """A global written by the caller (`@name = ...`), made once."""
        self._globals.setdefault(name, text)

    def metadata(self, text: str) -> str:
        """The reference (`!3`) of a metadata node such as `!{i32 1}`, numbered once."""
        return f"!{self._metadata.setdefault(text, len(self._metadata))}"

    def render(self) -> str:
        """The text of the module."""
        parts = [*self._globals.values()]
        for function in self._math.values():
            if function.uses:
                inline = function.inline and function.uses <= self.inline_limit
                parts.append(function.builder.render("alwaysinline" if inline else "noinline"))
        parts += [f.render() for f in self._functions]
        parts += list(self._declarations.values())
        parts += [f"!{number} = {text}" for text, number in self._metadata.items()]
        return "\n".join(parts) + "\n"


# ---------------------------------------------------------------------------------------- builder

_FLOAT_PREDICATES = {
    "eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge",
    "uno": "uno", "ord": "ord",
}  # fmt: skip


class Builder:
    """Appends instructions to the current block of one function.

    Methods that compute take Vals of one dtype and lanes (at least one operand a Val; Python numbers
    and scalars are splat to the others' lanes) and return a Val.
    """

    def __init__(self, module: Module, head: str, attributes: str) -> None:
        self.module = module
        self.isa = module.isa
        self.flags = "contract "
        self.label = "entry"
        self._head = head
        self._attributes = attributes
        self._lines: list[Any] = ["entry:"]
        self._count = 0
        self._phis: dict[str, list[tuple[Val, str]]] = {}

    # -- text
    def render(self, extra: str = "") -> str:
        lines = [f"{self._head} {self._attributes} {extra}".rstrip() + " {"]
        for line in self._lines:
            lines.append(self._phi_text(*line) if isinstance(line, tuple) else line)
        return "\n".join([*lines, "}"])

    def _phi_text(self, ref: str, kind: str) -> str:
        arms = ", ".join(f"[{val.ref}, %{label}]" for val, label in self._phis[ref])
        return f"  {ref} = phi {kind} {arms}"

    def line(self, text: str) -> None:
        """An instruction without a result, as text."""
        self._lines.append("  " + text)

    def fresh(self, stem: str = "t") -> str:
        """A name that is not yet used in this function (without %)."""
        self._count += 1
        return f"{stem}.{self._count}"

    def _emit(self, text: str) -> str:
        ref = f"%v{self._count}"
        self._count += 1
        self._lines.append(f"  {ref} = {text}")
        return ref

    def emit(self, text: str, dtype: DType, lanes: int = 1) -> Val:
        """An instruction written by the caller, whose result has the given dtype and lanes."""
        return Val(self._emit(text), dtype, lanes)

    # -- constants and operands
    def const(self, value: Any, dtype: DType, lanes: int = 1) -> Val:
        """A literal, splat over the lanes."""
        text = literal(value, dtype)
        if lanes > 1:
            text = f"splat ({register_type(dtype)} {text})"
        return Val(text, dtype, lanes, value)

    def vector_const(self, values: Sequence[Any], dtype: DType) -> Val:
        """A literal vector."""
        kind = register_type(dtype)
        body = ", ".join(f"{kind} {literal(v, dtype)}" for v in values)
        return Val(f"<{body}>" if len(values) > 1 else literal(values[0], dtype), dtype, len(values))

    def ramp(self, lanes: int, dtype: DType = I64, step: int = 1) -> Val:
        """<0, step, 2*step, ..>."""
        return self.vector_const([i * step for i in range(lanes)], dtype)

    def poison(self, dtype: DType, lanes: int = 1) -> Val:
        return Val("poison", dtype, lanes)

    def _same(self, *operands: Operand) -> list[Val]:
        """The operands as Vals of one dtype and lanes."""
        model = next(o for o in operands if isinstance(o, Val))
        lanes = max(o.lanes for o in operands if isinstance(o, Val))
        out = []
        for o in operands:
            if not isinstance(o, Val):
                o = self.const(o, model.dtype, lanes)
            elif o.lanes != lanes:
                o = self.splat(o, lanes)
            if o.dtype is not model.dtype:
                raise LoweringError(f"operands of {model.dtype} and {o.dtype} in one instruction")
            out.append(o)
        return out

    # -- arithmetic
    def _binary(self, integer: str, floating: str, a: Operand, b: Operand) -> Val:
        x, y = self._same(a, b)
        if x.dtype.is_float:
            return self._round(self.emit(f"{floating} {self.flags}{x}, {y.ref}", x.dtype, x.lanes))
        return self.emit(f"{integer} {x}, {y.ref}", x.dtype, x.lanes)

    def _round(self, x: Val) -> Val:
        """To the nearest value of f16 or bf16, when x has that dtype."""
        if x.dtype not in (F16, BF16):
            return x
        return self._from_memory(self._to_memory(x), x.dtype, x.lanes)

    def add(self, a: Operand, b: Operand) -> Val:
        return self._binary("add", "fadd", a, b)

    def sub(self, a: Operand, b: Operand) -> Val:
        return self._binary("sub", "fsub", a, b)

    def mul(self, a: Operand, b: Operand) -> Val:
        return self._binary("mul", "fmul", a, b)

    def div(self, a: Operand, b: Operand) -> Val:
        """The quotient of floats; the raw sdiv or udiv of integers (the caller rules out b == 0)."""
        return self._binary("sdiv" if self._signed(a, b) else "udiv", "fdiv", a, b)

    def rem(self, a: Operand, b: Operand) -> Val:
        """The raw srem or urem of integers (the caller rules out b == 0)."""
        return self._binary("srem" if self._signed(a, b) else "urem", "frem", a, b)

    @staticmethod
    def _signed(a: Operand, b: Operand) -> bool:
        return next(o for o in (a, b) if isinstance(o, Val)).dtype.kind == "i"

    def neg(self, a: Val) -> Val:
        if a.dtype.is_float:
            return self.emit(f"fneg {a}", a.dtype, a.lanes)
        return self.sub(0, a)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Val:
        """a*b + c: one rounding where the target has the instruction, else two."""
        x, y, z = self._same(a, b, c)
        if x.dtype in (F32, F64) and self.isa.has_fma:
            return self.intrinsic("fma", x, y, z)
        if x.dtype in (F16, BF16):
            wide = self.fma(*(self.view(v, F32) for v in (x, y, z)))
            return self.cast(wide, x.dtype)
        return self.add(self.mul(x, y), z)

    def sqrt(self, a: Val) -> Val:
        return self._round(self.intrinsic("sqrt", a))

    def fabs(self, a: Val) -> Val:
        return self.intrinsic("fabs", a)

    def copysign(self, a: Operand, b: Operand) -> Val:
        return self.intrinsic("copysign", *self._same(a, b))

    def round_to_integer(self, mode: str, a: Val) -> Val:
        """`mode` is floor, ceil, trunc or rint; NaN, infinities and the sign of zero pass."""
        if self.isa.has_round:
            return self.intrinsic(mode, a)
        return self._round_by_addition(mode, a)

    def _round_by_addition(self, mode: str, a: Val) -> Val:
        """Adding 2**23 (2**52) rounds to an integer, to nearest even; then one step up or down."""
        magic = self.const(2.0**52 if a.dtype is F64 else 2.0**23, a.dtype, a.lanes)
        flags, self.flags = self.flags, ""
        size = self.fabs(a)
        near = self.sub(self.add(size, magic), magic)
        if mode == "trunc":
            near = self.sub(near, self.select(self.cmp("gt", near, size), 1.0, 0.0, like=a))
        near = self.copysign(near, a)
        if mode == "floor":
            near = self.sub(near, self.select(self.cmp("gt", near, a), 1.0, 0.0, like=a))
        if mode == "ceil":
            near = self.add(near, self.select(self.cmp("lt", near, a), 1.0, 0.0, like=a))
        near = self.copysign(near, a)
        self.flags = flags
        return self.select(self.cmp("lt", size, magic), near, a)

    def intrinsic(self, name: str, *args: Val) -> Val:
        """`llvm.<name>` overloaded on the dtype and lanes of its arguments, all alike."""
        first = args[0]
        symbol = f"llvm.{name}.{_suffix(first.dtype, first.lanes)}"
        return self.call(symbol, list(args), first.dtype, first.lanes, declare=True)

    # -- bits
    def and_(self, a: Operand, b: Operand) -> Val:
        return self._binary("and", "", a, b)

    def or_(self, a: Operand, b: Operand) -> Val:
        return self._binary("or", "", a, b)

    def xor(self, a: Operand, b: Operand) -> Val:
        return self._binary("xor", "", a, b)

    def not_(self, a: Val) -> Val:
        return self.xor(a, True if a.dtype is BOOL else -1)

    def shl(self, a: Operand, b: Operand) -> Val:
        """Raw: the count is below the width."""
        return self._binary("shl", "", a, b)

    def shr(self, a: Operand, b: Operand) -> Val:
        """Raw: arithmetic for signed dtypes, logical for unsigned ones; the count is below the width."""
        return self._binary("ashr" if self._signed(a, b) else "lshr", "", a, b)

    # -- comparison and choice
    def cmp(self, predicate: str, a: Operand, b: Operand) -> Val:
        """eq ne lt le gt ge (false with NaN but for ne), and uno, ord for floats."""
        x, y = self._same(a, b)
        if x.dtype.is_float:
            return self.emit(f"fcmp {_FLOAT_PREDICATES[predicate]} {x}, {y.ref}", BOOL, x.lanes)
        sign = "" if predicate in ("eq", "ne") else "s" if x.dtype.kind == "i" else "u"
        return self.emit(f"icmp {sign}{predicate} {x}, {y.ref}", BOOL, x.lanes)

    def isnan(self, a: Val) -> Val:
        return self.cmp("uno", a, a)

    def select(self, cond: Val, a: Operand, b: Operand, like: Val | None = None) -> Val:
        """a where cond, else b; `like` gives the dtype when both are Python numbers."""
        if like is not None:
            a, b, _ = self._same(a, b, like)
        x, y = self._same(a, b)
        if cond.lanes < x.lanes:
            cond = self.splat(cond, x.lanes)
        elif cond.lanes > x.lanes:
            x, y = self.splat(x, cond.lanes), self.splat(y, cond.lanes)
        return self.emit(f"select {cond}, {x}, {y}", x.dtype, x.lanes)

    def lesser(self, a: Operand, b: Operand) -> Val:
        """a < b ? a : b, one instruction on x86: b if either is NaN."""
        x, y = self._same(a, b)
        return self.select(self.cmp("lt", x, y), x, y)

    def greater(self, a: Operand, b: Operand) -> Val:
        """a > b ? a : b, one instruction on x86: b if either is NaN."""
        x, y = self._same(a, b)
        return self.select(self.cmp("gt", x, y), x, y)

    # -- lanes
    def splat(self, a: Val, lanes: int) -> Val:
        """A scalar in every lane."""
        if a.lanes == lanes:
            return a
        if a.lanes != 1:
            raise LoweringError(f"cannot spread {a.lanes} lanes over {lanes}")
        if a.value is not None:
            return self.const(a.value, a.dtype, lanes)
        kind = register_type(a.dtype, lanes)
        first = self._emit(f"insertelement {kind} poison, {a}, i64 0")
        return self.emit(
            f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer",
            a.dtype, lanes,
        )  # fmt: skip

    def extract(self, a: Val, lane: int | Val) -> Val:
        if a.lanes == 1:
            return a
        index = lane if isinstance(lane, Val) else f"i64 {lane}"
        return self.emit(f"extractelement {a}, {index}", a.dtype)

    def insert(self, vector: Val, element: Val, lane: int | Val) -> Val:
        if vector.lanes == 1:
            return element
        index = lane if isinstance(lane, Val) else f"i64 {lane}"
        return self.emit(f"insertelement {vector}, {element}, {index}", vector.dtype, vector.lanes)

    def shuffle(self, a: Val, b: Val | None, lanes: Sequence[int]) -> Val:
        """Lanes of a (0..) and b (a.lanes..); -1 is any value. a and b are vectors."""
        other = b or self.poison(a.dtype, a.lanes)
        mask = ", ".join("i32 poison" if i < 0 else f"i32 {i}" for i in lanes)
        return self.emit(
            f"shufflevector {a}, {other}, <{len(lanes)} x i32> <{mask}>", a.dtype, len(lanes)
        )

    def slice(self, a: Val, start: int, lanes: int) -> Val:
        """Lanes start .. start+lanes-1."""
        if lanes == a.lanes:
            return a
        if a.value is not None:
            return self.const(a.value, a.dtype, lanes)
        return self.extract(a, start) if lanes == 1 else self.shuffle(
            a, None, range(start, start + lanes)
        )

    def concat(self, parts: Sequence[Val]) -> Val:
        """The lanes of the parts in order; the number of parts is a power of two."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        if parts[0].lanes == 1:
            out = self.poison(parts[0].dtype, len(parts))
            for lane, part in enumerate(parts):
                out = self.insert(out, part, lane)
            return out
        while len(parts) > 1:
            total = 2 * parts[0].lanes
            parts = [self.shuffle(a, b, range(total))
                     for a, b in zip(parts[::2], parts[1::2], strict=True)]  # fmt: skip
        return parts[0]

    def reduce(self, op: str, a: Val) -> Val:
        """One number from all lanes by add, mul, min, max, and, or, xor.

        The order is fixed: the upper half of the lanes joins the lower half until one is left. min and
        max propagate NaN.
        """
        if a.lanes == 1:
            return a
        if a.dtype is BOOL and op in ("and", "or", "min", "max", "add", "mul"):
            name = "and" if op in ("and", "min", "mul") else "or"
            symbol = f"llvm.vector.reduce.{name}.v{a.lanes}i1"
            return self.call(symbol, [a], BOOL, 1, declare=True)
        while a.lanes > 1:
            if a.lanes % 2:
                raise LoweringError(f"a reduction needs a power of two of lanes, not {a.lanes}")
            half = a.lanes // 2
            a = self.combine(op, self.slice(a, 0, half), self.slice(a, half, half))
        return a

    def combine(self, op: str, a: Val, b: Val) -> Val:
        """a op b for the ops of `reduce` and of Accumulate."""
        if op in ("min", "max"):
            return self.minimum(a, b) if op == "min" else self.maximum(a, b)
        if a.dtype is BOOL:
            op = {"add": "or", "mul": "and"}.get(op, op)
        methods: dict[str, Callable[[Operand, Operand], Val]] = {
            "add": self.add, "mul": self.mul, "and": self.and_, "or": self.or_, "xor": self.xor,
        }  # fmt: skip
        return methods[op](a, b)

    def minimum(self, a: Operand, b: Operand) -> Val:
        """np.minimum: NaN if either is NaN."""
        return self._extreme("lt", *self._same(a, b))

    def maximum(self, a: Operand, b: Operand) -> Val:
        """np.maximum: NaN if either is NaN."""
        return self._extreme("gt", *self._same(a, b))

    def _extreme(self, predicate: str, a: Val, b: Val) -> Val:
        if a.dtype is BOOL:
            return self.and_(a, b) if predicate == "lt" else self.or_(a, b)
        if a.value is not None and not (a.dtype.is_float and math.isnan(a.value)):
            a, b = b, a
        if not a.dtype.is_float:
            return self.select(self.cmp(predicate, a, b), a, b)
        if b.value is not None and not math.isnan(b.value):
            return self.select(self.cmp(predicate, b, a), b, a)  # a NaN in a passes: one instruction
        chosen = self.select(self.cmp(predicate, a, b), a, b)  # a NaN in b passes
        return self.select(self.isnan(a), a, chosen)

    def any(self, mask: Val) -> Val:
        return self.reduce("or", mask)

    def all(self, mask: Val) -> Val:
        return self.reduce("and", mask)

    # -- conversion
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
        return self._emit(f"{instruction} {a} to {_vector(kind, a.lanes)}")

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
            # f16: the first rounding goes to an odd last bit, so that the second is the only one that
            # shows; bf16: two roundings, as ml_dtypes
            single = self._round_to_odd(a) if dtype is F16 else Val(
                self._convert("fptrunc", a, "float"), F32, lanes
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

    # -- memory
    def _to_memory(self, a: Val) -> str:
        """The value in its memory type."""
        if a.dtype is BOOL:
            return self._convert("zext", a, "i8")
        if a.dtype is F16:
            if self.isa.has_f16:
                return self._convert("fptrunc", a, "half")
            bits = self._half_bits(self.view(a, F32))
            return self._emit(f"bitcast {bits} to {_vector('half', a.lanes)}")
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
                kinds = f"{_vector('half', lanes)} {ref} to {_vector('float', lanes)}"
                return self.emit(f"fpext {kinds}", F16, lanes)
            bits = self._emit(f"bitcast {_vector('half', lanes)} {ref} to {_vector('i16', lanes)}")
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
        tiny = self.sub(self.bitcast(self._plain_add(self.bitcast(size, F32), 0.5), U32), 0x3F000000)
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

    def gep(self, pointer: str, index: Val | int, dtype: DType) -> str:
        """The address of element `index` (elements of dtype, not bytes)."""
        offset = index if isinstance(index, Val) else f"i64 {index}"
        return self._emit(f"getelementptr {memory_type(dtype)}, ptr {pointer}, {offset}")

    def load(
        self, pointer: str, dtype: DType, lanes: int = 1, *, align: int | None = None,
        mask: Val | None = None, otherwise: Val | None = None, suffix: str = "",
    ) -> Val:  # fmt: skip
        """Contiguous lanes. Masked lanes are not read and are `otherwise` (0 by default).

        `align` is in bytes (the element's size by default); `suffix` is metadata (", !alias.scope !3").
        """
        kind, align = memory_type(dtype, lanes), align or dtype.nbytes
        if mask is None:
            ref = self._emit(f"load {kind}, ptr {pointer}, align {align}{suffix}")
            return self._from_memory(ref, dtype, lanes)
        if lanes == 1:
            kind, mask = memory_type(dtype, 1), mask
            return self._guarded_load(pointer, dtype, mask, align, otherwise)
        fill = "zeroinitializer" if otherwise is None else self._to_memory(otherwise)
        symbol = f"llvm.masked.load.{self._memory_suffix(dtype, lanes)}.p0"
        self.module.declare(symbol, kind, ["ptr", f"<{lanes} x i1>", kind])
        ref = self._emit(
            f"call {kind} @{symbol}(ptr align {align} {pointer}, {mask}, {kind} {fill}){suffix}"
        )
        return self._from_memory(ref, dtype, lanes)

    def _guarded_load(
        self, pointer: str, dtype: DType, mask: Val, align: int, otherwise: Val | None
    ) -> Val:
        default = otherwise or self.const(0, dtype)

        def read() -> list[Val]:
            ref = self._emit(f"load {memory_type(dtype)}, ptr {pointer}, align {align}")
            return [self._from_memory(ref, dtype, 1)]

        return self.branch(mask, read, lambda: [default])[0]

    @staticmethod
    def _memory_suffix(dtype: DType, lanes: int) -> str:
        element = memory_type(dtype)
        return f"v{lanes}" + {"float": "f32", "double": "f64", "half": "f16"}.get(element, element)

    def store(
        self, pointer: str, value: Val, *, align: int | None = None, mask: Val | None = None,
        nontemporal: bool = False, suffix: str = "",
    ) -> None:  # fmt: skip
        """Contiguous lanes; masked lanes are not written.

        `nontemporal` needs an `align` of the whole vector to have effect on x86.
        """
        align = align or value.dtype.nbytes
        kind = memory_type(value.dtype, value.lanes)
        if mask is not None and value.lanes == 1:
            self.branch(mask, lambda: self.store(pointer, value, align=align) or [], lambda: [])
            return
        ref = self._to_memory(value)
        if mask is not None:
            symbol = f"llvm.masked.store.{self._memory_suffix(value.dtype, value.lanes)}.p0"
            self.module.declare(symbol, "void", [kind, "ptr", f"<{value.lanes} x i1>"])
            self.line(
                f"call void @{symbol}({kind} {ref}, ptr align {align} {pointer}, {mask}){suffix}"
            )
            return
        if nontemporal:
            suffix += f", !nontemporal {self.module.metadata('!{i32 1}')}"
        self.line(f"store {kind} {ref}, ptr {pointer}, align {align}{suffix}")

    def _addresses(self, pointer: str, index: Val, dtype: DType) -> str:
        return self._emit(f"getelementptr {memory_type(dtype)}, ptr {pointer}, {index}")

    def gather(
        self, pointer: str, index: Val, dtype: DType, *, mask: Val | None = None,
        otherwise: Val | None = None,
    ) -> Val:  # fmt: skip
        """Element index[lane] (i64 or i32, in elements) of each lane; masked lanes are `otherwise` or 0."""
        if index.lanes == 1:
            return self.load(self.gep(pointer, index, dtype), dtype, mask=mask, otherwise=otherwise)
        lanes, kind = index.lanes, memory_type(dtype, index.lanes)
        mask = mask or self.const(True, BOOL, lanes)
        fill = "zeroinitializer" if otherwise is None else self._to_memory(otherwise)
        symbol = f"llvm.masked.gather.{self._memory_suffix(dtype, lanes)}.v{lanes}p0"
        self.module.declare(symbol, kind, [f"<{lanes} x ptr>", f"<{lanes} x i1>", kind])
        places = self._addresses(pointer, index, dtype)
        ref = self._emit(
            f"call {kind} @{symbol}(<{lanes} x ptr> align {dtype.nbytes} {places}, "
            f"{mask}, {kind} {fill})"
        )
        return self._from_memory(ref, dtype, lanes)

    def scatter(self, pointer: str, index: Val, value: Val, *, mask: Val | None = None) -> None:
        """Writes lane by lane, in order, to element index[lane] (in elements)."""
        if index.lanes == 1:
            self.store(self.gep(pointer, index, value.dtype), value, mask=mask)
            return
        lanes, dtype = index.lanes, value.dtype
        value = self.splat(value, lanes)
        mask = mask or self.const(True, BOOL, lanes)
        kind, held = memory_type(dtype, lanes), self._to_memory(value)
        symbol = f"llvm.masked.scatter.{self._memory_suffix(dtype, lanes)}.v{lanes}p0"
        self.module.declare(symbol, "void", [kind, f"<{lanes} x ptr>", f"<{lanes} x i1>"])
        places = self._addresses(pointer, index, dtype)
        self.line(
            f"call void @{symbol}({kind} {held}, <{lanes} x ptr> align {dtype.nbytes} {places}, "
            f"{mask})"
        )

    def alloca(self, dtype: DType, count: int, align: int = 64) -> str:
        """Stack memory of `count` elements; call it in the entry block only."""
        return self._emit(f"alloca [{count} x {memory_type(dtype)}], align {align}")

    # -- control
    def block(self, label: str) -> None:
        """Begins a block; the previous one must have ended in a branch or return."""
        self._lines.append(f"{label}:")
        self.label = label

    def br(self, label: str) -> None:
        self.line(f"br label %{label}")

    def cond_br(self, cond: Val, then: str, otherwise: str, *, likely: bool | None = None) -> None:
        """`likely` says which way it nearly always goes."""
        weights = ""
        if likely is not None:
            a, b = (2000, 1) if likely else (1, 2000)
            text = f'!{{!"branch_weights", i32 {a}, i32 {b}}}'
            weights = f", !prof {self.module.metadata(text)}"
        self.line(f"br {cond}, label %{then}, label %{otherwise}{weights}")

    def ret(self, value: Val | None = None) -> None:
        self.line("ret void" if value is None else f"ret {value}")

    def phi(self, dtype: DType, lanes: int, *incoming: tuple[Val, str]) -> Val:
        """At the start of a block: (value, label of the block it comes from). See `add_incoming`."""
        ref = f"%v{self._count}"
        self._count += 1
        self._phis[ref] = list(incoming)
        self._lines.append((ref, register_type(dtype, lanes)))
        return Val(ref, dtype, lanes)

    def add_incoming(self, phi: Val, value: Val, label: str) -> None:
        self._phis[phi.ref].append((value, label))

    def branch(
        self, cond: Val, then: Callable[[], list[Val]], otherwise: Callable[[], list[Val]],
        *, likely: bool | None = None,
    ) -> list[Val]:  # fmt: skip
        """if cond (a scalar): the values of one of the two bodies, which must agree in type."""
        names = [self.fresh(stem) for stem in ("then", "else", "join")]
        self.cond_br(cond, names[0], names[1], likely=likely)
        arms = []
        for name, body in zip(names[:2], (then, otherwise), strict=True):
            self.block(name)
            values = body()
            arms.append((values, self.label))
            self.br(names[2])
        self.block(names[2])
        (left, from_left), (right, from_right) = arms
        return [
            self.phi(a.dtype, a.lanes, (a, from_left), (b, from_right))
            for a, b in zip(left, right, strict=True)
        ]

    def while_loop(
        self, state: Sequence[Val], cond: Callable[[list[Val]], Val],
        body: Callable[[list[Val]], Sequence[Val]],
    ) -> list[Val]:  # fmt: skip
        """while cond(state) (a scalar): state = body(state). Returns the last state."""
        head, inside, done = (self.fresh(s) for s in ("while", "body", "done"))
        before = self.label
        self.br(head)
        self.block(head)
        phis = [self.phi(v.dtype, v.lanes, (v, before)) for v in state]
        self.cond_br(cond(phis), inside, done)
        self.block(inside)
        for phi, value in zip(phis, body(phis), strict=True):
            self.add_incoming(phi, value, "?")
        last = self.label
        for phi in phis:
            value, _ = self._phis[phi.ref][-1]
            self._phis[phi.ref][-1] = (value, last)
        self.br(head)
        self.block(done)
        return phis

    def for_loop(
        self, start: Val | int, stop: Val | int, step: int, carried: Sequence[Val],
        body: Callable[[Val, list[Val]], Sequence[Val]],
    ) -> list[Val]:  # fmt: skip
        """for i in range(start, stop, step), i an i64: carried = body(i, carried). Returns the last."""
        first = start if isinstance(start, Val) else self.const(start, I64)

        def advance(state: list[Val]) -> list[Val]:
            values = list(body(state[0], state[1:]))
            i = self.emit(f"add nsw {state[0]}, {step}", I64)
            return [i, *values]

        return self.while_loop(
            [first, *carried], lambda state: self.cmp("lt", state[0], stop), advance
        )[1:]

    def call(
        self, symbol: str, args: Sequence[Val], dtype: DType, lanes: int = 1, *,
        declare: bool = False,
    ) -> Val:  # fmt: skip
        """Calls @symbol; `declare` also declares it with the argument types."""
        result = register_type(dtype, lanes)
        if declare:
            self.module.declare(symbol, result, [a.type for a in args])
        return self.emit(f"call {result} @{symbol}({', '.join(map(str, args))})", dtype, lanes)

    @contextmanager
    def reassociate(self) -> Iterator[None]:
        """Inside: float instructions may be reordered (accumulators of reductions only)."""
        flags, self.flags = self.flags, "reassoc contract "
        try:
            yield
        finally:
            self.flags = flags
