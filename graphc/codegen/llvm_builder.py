"""LLVM IR as text: modules, functions and typed instructions over scalars and vectors.

Who calls it: `codegen/llvm.py` (the printer of loops), `codegen/scalar_llvm.py` and `codegen/math/`
(the scalar operations). It never imports llvmlite: it makes text of LLVM 22 (opaque pointers).

    isa = Isa.of("x86_64", "+avx2,+fma,+f16c,+sse4.1")     what instructions there are
    m = Module(isa)                                         declarations, constants, functions
    b = m.function("f", [("x", "ptr"), ("n", "i64")])       a Builder inside block `entry`
    v = b.load("%x", F32, lanes=8)                          a Val: ref, dtype, lanes
    w = b.mul(v, 2.0)                                       Python numbers become splats
    b.store("%x", w); b.ret(); text = m.render()

Values. `Val(ref, dtype, lanes)`; lanes == 1 is a scalar, lanes > 1 is `<lanes x T>`. In registers
bool is i1 and f16 and bf16 are `float` values that are representable in the type: every arithmetic
method rounds its result to the type. In memory bool is i8 (0 or 1), f16 is `half` and bf16 is i16.
Pointers are plain strings (`%p`, `@table`).

Floating point. Instructions carry `contract` (a*b+c may become one fma) and nothing else, unless
`b.flags` says otherwise: `codegen/math` works with no flags, because its error terms must survive,
and a reduction's accumulators may ask for `b.reassociate()`. Nothing changes NaN, infinities or
signed zeros.

No instruction may become a call of a library: what the target lacks (fma, rounding, half
conversion) is written out here.

Casts are NumPy's astype. Float to integer truncates; out of range it is what x86 does (an i32 or
i64 conversion gives the least integer, narrower and unsigned types are cut from it), through
`freeze`, so that it is never poison; other machines give another number there, as NumPy does.

Source: LLVM 22 Language Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from graphc_runtime.records import dataclass

from ..errors import LoweringError
from ..types import BOOL, DType
from .llvm_convert import Conversions
from .llvm_values import BASELINE, Isa, Operand, Val, memory_type, overload_suffix, register_type

__all__ = [
    "BASELINE", "Builder", "Isa", "Module", "Operand", "Val", "memory_type", "overload_suffix",
    "register_type",
]  # fmt: skip

# ----------------------------------------------------------------------------------------- module


@dataclass
class _MathFunction:
    """An internal function of one operation; whether it is inlined is known at the end."""

    builder: Builder
    inline: bool
    uses: int = 0


def routine_symbol(name: str) -> str:
    """What a routine of LAPACK is called in object code: the loader gives its address."""
    return f"{name}_"


@dataclass
class Module:
    """Declarations, constants and functions; `render` gives the text.

    An internal function of `codegen/math` that is called at most `inline_limit` times is inlined
    everywhere, the others stay calls, so that the time to compile grows linearly with the module.
    """

    isa: Isa
    inline_limit: int = 8
    scratch: int = 0
    """Bytes of scratch memory that each worker needs for the kernels printed so far."""
    _declarations: dict[str, str] = field(default_factory=dict)
    _globals: dict[str, str] = field(default_factory=dict)
    _routines: dict[str, None] = field(default_factory=dict)
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

        Returns its symbol; every call of this method counts as one use. Without `inline` it is
        never inlined.
        """
        key = (name, dtype.name, lanes)
        if key not in self._math:
            symbol = f"gc_{name}_{dtype.name}x{lanes}"
            signature = ", ".join(f"{kind} %{param}" for param, kind in params)
            head = f"define internal {result} @{symbol}({signature})"
            builder = Builder(self, head, self.isa.function_attributes())
            builder.flags = ""
            self._math[key] = _MathFunction(
                builder, inline
            )  # before the body: a body may count uses
            body(builder)
        self._math[key].uses += 1
        return f"gc_{name}_{dtype.name}x{lanes}"

    def declare(
        self, symbol: str, result: str, params: Sequence[str], attributes: str = ""
    ) -> None:
        """Declares a function or an intrinsic, once."""
        text = f"declare {result} @{symbol}({', '.join(params)}) {attributes}".rstrip()
        known = self._declarations.setdefault(symbol, text)
        if known != text:
            raise LoweringError(f"@{symbol} is declared twice, differently: {known} | {text}")

    def routine(self, name: str, arguments: int) -> None:
        """Declares a routine of LAPACK that takes so many addresses."""
        self._routines.setdefault(name)
        self.declare(routine_symbol(name), "void", ["ptr"] * arguments)

    @property
    def routines(self) -> tuple[str, ...]:
        """The routines of LAPACK that are called."""
        return tuple(self._routines)

    def constant_array(
        self, name: str, element: str, values: Sequence[str], align: int = 64
    ) -> str:
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

    @property
    def size(self) -> int:
        """Lines of the functions, about."""
        return sum(map(len, (*self._functions, *(m.builder for m in self._math.values()))))

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


class Builder(Conversions):
    """Appends instructions to the current block of one function.

    `Instructions` has the arithmetic, lanes and control flow, `Conversions` the casts; here is
    memory.
    """

    def gep(self, pointer: str, index: Val | int, dtype: DType) -> str:
        """The address of element `index` (elements of dtype, not bytes)."""
        offset = index if isinstance(index, Val) else f"i64 {index}"
        return self._emit(f"getelementptr {memory_type(dtype)}, ptr {pointer}, {offset}")

    def load(
        self, pointer: str, dtype: DType, lanes: int = 1, *, align: int | None = None,
        mask: Val | None = None, otherwise: Val | None = None, suffix: str = "",
    ) -> Val:  # fmt: skip
        """Contiguous lanes. Masked lanes are not read and are `otherwise` (0 by default).

        `align` is in bytes (the element's size by default); `suffix` is metadata (", !alias.scope
        !3").
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
        # alignment as an operand is the form before LLVM 22, which LLVM 22 reads as well
        self.module.declare(symbol, kind, ["ptr", "i32 immarg", f"<{lanes} x i1>", kind])
        ref = self._emit(
            f"call {kind} @{symbol}(ptr {pointer}, i32 {align}, {mask}, {kind} {fill}){suffix}"
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
            mask_type = f"<{value.lanes} x i1>"
            self.module.declare(symbol, "void", [kind, "ptr", "i32 immarg", mask_type])
            self.line(
                f"call void @{symbol}({kind} {ref}, ptr {pointer}, i32 {align}, {mask}){suffix}"
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
        """Element index[lane] (i64 or i32, in elements) of each lane; masked lanes are `otherwise`
        or 0."""
        if index.lanes == 1:
            return self.load(self.gep(pointer, index, dtype), dtype, mask=mask, otherwise=otherwise)
        lanes, kind = index.lanes, memory_type(dtype, index.lanes)
        mask = mask or self.const(True, BOOL, lanes)
        fill = "zeroinitializer" if otherwise is None else self._to_memory(otherwise)
        symbol = f"llvm.masked.gather.{self._memory_suffix(dtype, lanes)}.v{lanes}p0"
        types = [f"<{lanes} x ptr>", "i32 immarg", f"<{lanes} x i1>", kind]
        self.module.declare(symbol, kind, types)
        places = self._addresses(pointer, index, dtype)
        ref = self._emit(
            f"call {kind} @{symbol}(<{lanes} x ptr> {places}, i32 {dtype.nbytes}, "
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
        types = [kind, f"<{lanes} x ptr>", "i32 immarg", f"<{lanes} x i1>"]
        self.module.declare(symbol, "void", types)
        places = self._addresses(pointer, index, dtype)
        self.line(
            f"call void @{symbol}({kind} {held}, <{lanes} x ptr> {places}, i32 {dtype.nbytes}, "
            f"{mask})"
        )

    def alloca(self, dtype: DType, count: int, align: int = 64) -> str:
        """Stack memory of `count` elements; call it in the entry block only."""
        return self._emit(f"alloca [{count} x {memory_type(dtype)}], align {align}")
