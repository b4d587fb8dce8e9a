"""The functions that a loaded program is called by: the entry, which runs the kernels in order, and
the one that answers extents and bytes. Their ABI is in runtime/native.h.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc_runtime.records import dataclass

from .. import types as ty
from ..loops import ir as L
from ..types import I64, Dim
from .llvm import SCRATCH, Printer
from .llvm_builder import Module


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel call inside an entry: where its buffers are.

    `arguments` holds, for each parameter, ("buffer", k) the entry's k-th buffer, ("arena", byte
    offset), ("kept", byte offset), ("constant", symbol) or ("table", k).
    """

    kernel: str
    arguments: tuple[tuple[str, object], ...]
    symbols: tuple[str, ...]


def print_entry(
    module: Module, name: str, launches: Sequence[Launch], slots: dict[str, int], arena: L.Index
) -> None:
    """Adds `i64 @name(ptr buffers, ptr extents, ptr arena, ptr rt)`,
    which runs the kernels in order.

    The scratch memory of the workers, `module.scratch` bytes each, follows the first `arena` bytes
    of the arena. `slots` says at which place of `extents` each symbol stands. Answers 0, or the
    first error code reported plus `@graph_code_base`, which the loader sets to tell programs apart.
    """
    params = [("buffers", "ptr"), ("extents", "ptr"), ("arena", "ptr"), ("rt", "ptr")]
    b = module.function(name, params, "i64")
    printer = Printer(module, b, name)
    b.line("%error = alloca i64, align 8")
    b.line("store i64 0, ptr %error, align 8")
    needed = {s for launch in launches for s in launch.symbols}
    if module.scratch and isinstance(arena, Dim):
        needed |= ty.symbols(arena)
    for launch in launches:
        for place, where in launch.arguments:
            if place == "arena" and isinstance(where, Dim):
                needed |= ty.symbols(where)
    for symbol in sorted(needed):
        printer.values[symbol] = b.load(b.gep("%extents", slots[symbol], I64), I64, align=8)
    scratch = _argument(printer, "arena", arena) if module.scratch else "%arena"
    loaded: dict[tuple[str, object], str] = {}
    for launch in launches:
        arguments = []
        for argument in launch.arguments:
            if argument not in loaded:
                loaded[argument] = _argument(printer, *argument)
            arguments.append(f"ptr {loaded[argument]}")
        arguments += [str(printer.values[s]) for s in launch.symbols]
        arguments += ["ptr %error", "ptr %rt", f"ptr {scratch}"]
        b.line(f"call void @{launch.kernel}({', '.join(arguments)})")
    code = b.load("%error", I64, align=8)
    based = b.add(code, b.load("@graph_code_base", I64, align=8))
    b.line(f"ret {b.select(b.cmp('eq', code, 0), code, based)}")


def _argument(printer: Printer, place: str, where: object) -> str:
    b = printer.b
    if place == "buffer":
        assert isinstance(where, int)
        return b._emit(f"load ptr, ptr {b.gep('%buffers', where, I64)}, align 8")
    if place == "arena":
        assert isinstance(where, (int, Dim))
        return b._emit(f"getelementptr i8, ptr %arena, {printer.index(where)}")
    if place == "constant":
        return f"@{where}"
    if place == "kept":
        kept = b._emit("load ptr, ptr @graph_kept, align 8")
        return b._emit(f"getelementptr i8, ptr {kept}, i64 {where}")
    assert place == "table"
    return b._emit(f"load ptr, ptr getelementptr (ptr, ptr @graph_constants, i64 {where}), align 8")


def print_scratch(module: Module) -> int:
    """Adds what the kernels, all of which were printed, ask of the scratch memory: the bytes for
    each worker, which it answers.
    """
    text = f"@{SCRATCH} = internal constant i64 {module.scratch}, align 8"
    module.raw_global(SCRATCH, text)
    return module.scratch


def print_shapes(
    module: Module, name: str, dims: Sequence[L.Index], arena: L.Index, slots: dict[str, int]
) -> None:
    """Adds `i64 @name(ptr extents, ptr dims)`:
    writes the results' extents, answers the arena's bytes.
    """
    b = module.function(name, [("extents", "ptr"), ("dims", "ptr")], "i64")
    printer = Printer(module, b, name)
    for symbol, slot in slots.items():
        printer.values[symbol] = b.load(b.gep("%extents", slot, I64), I64, align=8)
    for k, dim in enumerate(dims):
        b.store(b.gep("%dims", k, I64), printer.index(dim), align=8)
    b.line(f"ret {printer.index(arena)}")
