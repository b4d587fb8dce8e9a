"""An extension module of CPython: one file that needs Python 3.11 or newer and nothing else.

runtime/extension.c has the code for every function; here are the tables that it reads, and the
definition of the module. A function takes the leaves of its arguments by C's names, as objects with
a buffer or as numbers, and answers memoryviews.
"""

from __future__ import annotations

from collections.abc import Sequence

import graphc_runtime

from ..codegen.build import build_native
from ..codegen.parts import data_text
from ..errors import BuildError
from ..types import Dim
from . import linkers, objects
from .archive import Member
from .interface import Interface, value_type
from .library import Library
from .signature import Argument, Output, Signature

SUFFIX = ".abi3.so"
INOUT, NUMBER = 1, 2
METH_FASTCALL_KEYWORDS = 0x82
_FORMATS = {
    "bool": "?", "i8": "b", "i16": "h", "i32": "i", "i64": "q", "u8": "B", "u16": "H", "u32": "I",
    "u64": "Q", "f16": "e", "bf16": "H", "f32": "f", "f64": "d", "c64": "Zf", "c128": "Zd",
}  # fmt: skip
"""Of buffers (PEP 3118); bfloat16 has none, and is its bits."""


class _ExtensionInterface(Interface):
    """Gives one name: what Python looks for."""

    @property
    def symbols(self) -> tuple[str, ...]:
        return (f"PyInit_{self.library}",)


def link_extension(library: Library, linker: str | None = None) -> bytes:
    """The extension module of a library, to be written as NAME.abi3.so.

    Raises:
        BuildError: for a platform or a library that it cannot be made for.
    """
    it = library.interface
    if it.where.format != "elf" or it.where.is_bare or it.where.pointer_bits != 64:
        raise BuildError(f"extension modules are made for 64-bit Linux, not for {it.where.name}")
    if it.weights is not None:
        raise BuildError('an extension module is one file; build it with weights="embed"')
    target = it.where.target(it.where.levels[0])
    code = build_native(graphc_runtime.extension_source(), target)
    (tables,) = objects.build([(_Printer(it).text(), target)])
    members = (
        *library.members,
        Member("extension.o", code, ("gc_extension_call", "gc_extension_init")),
        Member("tables.o", tables, (f"PyInit_{it.library}",)),
    )
    interface = _ExtensionInterface(
        it.library, it.where, it.exports, it.threads, it.weights, it.weights_bytes
    )
    whole = Library(interface, members, library.weights, "")
    return linkers.link(whole, linker, lambda name: name.startswith(("Py", "_Py"))).content


class _Printer:
    """LLVM IR of the tables."""

    def __init__(self, interface: Interface):
        self.it, self.lib = interface, interface.library
        self.parts: list[str] = [_HEAD.format(lib=self.lib)]
        self._texts: dict[str, str] = {}

    def text(self) -> str:
        functions = [e.signature for e in self.it.exports]
        for sig in functions:
            self._wrappers(sig)
            self._table(sig)
        rows = ", ".join(
            f"%Method {{ ptr {self._string(s.name)}, ptr @px.{s.name}, "
            f"i32 {METH_FASTCALL_KEYWORDS}, ptr {self._string(_doc(s))} }}"
            for s in functions
        )
        count = len(functions) + 1
        name = self._string(self.lib)
        self.parts.append(
            f"@px.methods = internal global [{count} x %Method] [{rows}, %Method zeroinitializer]\n"
            f"@px.module = internal global %Module {{ i64 1, ptr null, ptr null, i64 0, ptr null, "
            f"ptr {name}, ptr {self._string('Functions compiled by graphc.')}, i64 -1, "
            f"ptr @px.methods, ptr null, ptr null, ptr null, ptr null }}\n"
            f"define ptr @PyInit_{self.lib}() {{\n"
            f"  %module = call ptr @gc_extension_init(ptr @px.module, "
            f"ptr {self._string(f'{self.lib}.Result')})\n"
            f"  ret ptr %module\n}}\n"
        )
        return "\n".join(self.parts)

    def _string(self, text: str) -> str:
        if text not in self._texts:
            name = self._texts[text] = f"@px.text{len(self._texts)}"
            content = data_text(text.encode() + b"\0")
            self.parts.append(f"{name} = internal constant {content}, align 1")
        return self._texts[text]

    def _table(self, sig: Signature) -> None:
        arguments = [
            self._array(a, INOUT * a.inout | NUMBER * (a.kind != "array"), -1, sig)
            for a in sig.arguments
        ]
        outputs = [self._array(o, 0, o.alias, sig) for o in sig.outputs]
        name, lib = sig.name, self.lib
        for what, rows in (("in", arguments), ("out", outputs)):
            self.parts.append(
                f"@px.{name}.{what} = internal constant [{len(rows)} x %Array] "
                f"[{', '.join(rows)}], align 8"
            )
        dims = sum(o.type.rank for o in sig.outputs)
        self.parts.append(
            f"@px.{name}.table = internal constant %Function {{ ptr {self._string(name)}, "
            f"i64 {len(arguments)}, i64 {len(outputs)}, i64 {len(sig.symbols)}, i64 {dims}, "
            f"ptr @px.{name}.in, ptr @px.{name}.out, ptr @px.{name}.need, "
            f"ptr @{lib}_{name}__shapes, ptr @px.{name}.run, ptr @{lib}_strerror }}, align 8\n"
            f"declare i64 @{lib}_{name}__shapes(ptr, ptr)\n"
            f"define internal ptr @px.{name}(ptr %self, ptr %args, i64 %n, ptr %names) {{\n"
            f"  %r = call ptr @gc_extension_call(ptr %args, i64 %n, ptr %names, "
            f"ptr @px.{name}.table)\n  ret ptr %r\n}}\n"
        )

    def _array(self, one: Argument | Output, flags: int, alias: int, sig: Signature) -> str:
        dtype = one.type.dtype
        kind = {"bool": "?", "f16": "f", "bf16": "h", "c64": "Z", "c128": "Z"}.get(
            dtype.name, dtype.name[0]
        )
        axes = [
            ~sig.symbols.index(str(e)) if isinstance(e, Dim) else e for e in one.type.shape
        ] if isinstance(one, Argument) else []  # fmt: skip
        place = "null"
        if axes:
            place = f"@px.{sig.name}.axes{len(self.parts)}"
            row = ", ".join(f"i64 {axis}" for axis in axes)
            self.parts.append(f"{place} = internal constant [{len(axes)} x i64] [{row}], align 8")
        shown = str(one.type)
        if isinstance(one, Argument) and one.kind != "array":
            shown = f"a Python {one.kind}"
        return (
            f"%Array {{ ptr {self._string(one.name)}, ptr {self._string(shown)}, "
            f"ptr {self._string(_FORMATS[dtype.name])}, i64 {ord(kind)}, i64 {dtype.nbytes}, "
            f"i64 {one.type.rank}, i64 {flags}, i64 {alias}, ptr {place} }}"
        )

    def _wrappers(self, sig: Signature) -> None:
        """The library's functions, for extents and buffers in rows."""
        name = f"{self.lib}_{sig.name}"
        loads, extents = [], []
        for k in range(len(sig.symbols)):
            loads.append(f"  %pe{k} = getelementptr i64, ptr %extents, i64 {k}")
            loads.append(f"  %e{k} = load i64, ptr %pe{k}, align 8")
            extents.append(f"i64 %e{k}")
        self.parts.append(
            f"declare i64 @{name}_workspace_bytes({', '.join('i64' for _ in extents)})\n"
            f"define internal i64 @px.{sig.name}.need(ptr %extents) {{\n" + "\n".join(loads) +
            f"\n  %n = call i64 @{name}_workspace_bytes({', '.join(extents)})\n  ret i64 %n\n}}\n"
        )  # fmt: skip
        given = list(extents)
        for k, one in enumerate((*sig.arguments, *sig.outputs)):
            if isinstance(one, Output) and one.alias >= 0:
                continue
            loads.append(f"  %pb{k} = getelementptr ptr, ptr %buffers, i64 {k}")
            loads.append(f"  %b{k} = load ptr, ptr %pb{k}, align 8")
            if isinstance(one, Argument) and one.by_value:
                given.append(self._loaded(one, k, loads))
            else:
                given.append(f"ptr %b{k}")
        types = ", ".join(g.rpartition(" ")[0] for g in given)
        self.parts.append(
            f"declare i32 @{name}({types}{', ' * bool(given)}ptr, i64)\n"
            f"define internal i32 @px.{sig.name}.run(ptr %extents, ptr %buffers, ptr %workspace, "
            f"i64 %bytes) {{\n" + "\n".join(loads) +
            f"\n  %code = call i32 @{name}({', '.join([*given, 'ptr %workspace', 'i64 %bytes'])})\n"
            f"  ret i32 %code\n}}\n"
        )  # fmt: skip

    @staticmethod
    def _loaded(one: Argument, k: int, loads: list[str]) -> str:
        """A scalar that is passed by value."""
        kind = value_type(one)
        if kind.startswith("i1 "):
            loads.append(f"  %w{k} = load i8, ptr %b{k}, align 1")
            loads.append(f"  %v{k} = trunc i8 %w{k} to i1")
        else:
            loads.append(f"  %v{k} = load {kind.split()[0]}, ptr %b{k}, align 1")
        return f"{kind} %v{k}"


def _doc(sig: Signature) -> str:
    """Python finds the signature before the two dashes."""
    types: Sequence[str] = [
        f"    {a.name}: {a.type if a.kind == 'array' else f'a Python {a.kind}'}"
        f"{', written over' * a.inout}"
        for a in sig.arguments
    ]
    types = [*types, *(f"    -> {o.type}" for o in sig.outputs)]
    head = f"{sig.name}({', '.join(a.name for a in sig.arguments)})\n--\n\n"
    return head + "\n".join([sig.doc.strip(), "", *types]).strip("\n")


_HEAD = """
%Array = type {{ ptr, ptr, ptr, i64, i64, i64, i64, i64, ptr }}
%Function = type {{ ptr, i64, i64, i64, i64, ptr, ptr, ptr, ptr, ptr, ptr }}
%Method = type {{ ptr, ptr, i32, ptr }}
%Module = type {{ i64, ptr, ptr, i64, ptr, ptr, ptr, i64, ptr, ptr, ptr, ptr, ptr }}
declare hidden ptr @gc_extension_call(ptr, i64, ptr, ptr)
declare hidden ptr @gc_extension_init(ptr, ptr)
declare ptr @{lib}_strerror(i32)
"""
