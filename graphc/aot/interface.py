"""The C functions around the programs of a library, as LLVM IR.

    int32_t LIB_NAME(extents..., inputs..., outputs..., workspace, workspace_bytes)
    int64_t LIB_NAME_workspace_bytes(extents...)
    const char *LIB_strerror(int32_t code)          const char *LIB_cpu(void)
    int32_t LIB_abi(void)

A function checks everything before it runs anything: the processor, extents and the relations
between them, sizes, pointers, the workspace. Then it lays out the buffers and calls the program of
the level that the processor has. What it changes is its results and the workspace; the library's
one variable is which level the processor has, which is found once and is the same for everybody.

`LIB_NAME__entry`, `LIB_NAME__shapes` and `LIB_NAME__scratch` are for graphc_runtime: the same
programs behind the ABI of runtime/native.h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc_runtime.records import dataclass

from ..codegen.parts import data_text
from ..types import Dim
from .processors import print_detection
from .program import Program
from .signature import Argument, Output, Signature
from .targets import Platform
from .text import Body, Overflow

ABI_VERSION = 1
ERRORS = (
    "no error",
    "a pointer is NULL",
    "an extent is negative or too large",
    "a relation between extents does not hold",
    "the workspace is too small",
    "a pointer is not aligned to its elements",
    "the weights are not those of this library",
    "the processor lacks the instructions that this library was built for",
)
NULL, EXTENT, RELATION, WORKSPACE, ALIGNMENT, WEIGHTS, CPU = range(1, 8)
"""Error codes of every library."""
FIRST_MESSAGE = 100
"""The first error code of what programs report themselves."""
WEIGHTS_HEADER = 64
"""Bytes before the block in a file of weights: its magic, and the hash of the block."""


@dataclass(frozen=True, slots=True)
class Export:
    """A signature and its programs, one for each level."""

    signature: Signature
    programs: tuple[Program, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """All C functions of one library. `weights` is the hash that a file of weights begins with, or
    None where they are in the library; `threads` is "none", "pool" or "openmp".
    """

    library: str
    where: Platform
    exports: tuple[Export, ...]
    threads: str = "none"
    weights: bytes | None = None
    weights_bytes: int = 0
    """Of the file of weights."""

    @property
    def messages(self) -> tuple[str, ...]:
        """What programs report, in the order of error codes from FIRST_MESSAGE on."""
        found = (m for e in self.exports for p in e.programs for m in p.messages)
        return tuple(dict.fromkeys(found))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names that the library gives."""
        lib, found = self.library, []
        for export in self.exports:
            name = f"{lib}_{export.signature.name}"
            found += [name, f"{name}_workspace_bytes"]
            found += [f"{name}__{part}" for part in ("entry", "shapes", "scratch")]
        found += [f"{lib}_{part}" for part in ("strerror", "cpu", "abi")]
        if self.weights is not None:
            found.append(f"{lib}__use_weights")
        if self.threads == "pool":
            found.append(f"{lib}_set_threads")
        return tuple(found)

    def render(self) -> str:
        """The text of the module."""
        return _Printer(self).text()


class _Printer:
    def __init__(self, interface: Interface):
        self.it, self.lib = interface, interface.library
        self.parts: list[str] = []

    def text(self) -> str:
        levels = self.it.exports[0].programs
        self.parts.append(print_detection(self.lib, self.it.where, [p.level for p in levels]))
        self._threads()
        self._weights()
        for export in self.it.exports:
            for program in export.programs:
                self._declare(program)
            self._function(export)
            self._workspace(export)
            self._for_python(export)
        self._strerror()
        self._cpu([p.level.name for p in levels])
        self._abi()
        return "\n".join(self.parts) + "\n" + DECLARATIONS

    def define(self, name: str, result: str, params: Sequence[str], body: Body) -> None:
        """A function that the library gives."""
        kind = "dllexport " if self.it.where.format == "coff" else ""
        self.parts.append(
            f"define {kind}{result} @{name}({', '.join(params)}) nounwind {{\n{body.render()}\n}}\n"
        )

    # ------------------------------------------------------------------------- what is shared
    def _threads(self) -> None:
        """The loops' runtime: `i64 workers` and a `parallel_for` (runtime/native.h)."""
        lib = self.lib
        pair = "{ ptr, i64, i64 }"
        if self.it.threads == "none":
            self.parts.append(SERIAL.format(lib=lib))
            self.parts.append(
                f"@{lib}.runtime = internal constant {pair} {{ ptr @{lib}.serial, i64 1, i64 1 }}\n"
            )
        elif self.it.threads == "openmp":
            self.parts.append(OPENMP.format(lib=lib))
        else:
            self.parts.append(POOL.format(lib=lib))
            body = Body()
            body.line(f"%set = call i64 @{lib}_gc_library_set_threads(i64 %threads)")
            body.line("ret i64 %set")
            self.define(f"{lib}_set_threads", "i64", ["i64 %threads"], body)

    def _runtime(self, body: Body) -> tuple[str, str]:
        """(pointer to the runtime, workers) of one call."""
        if self.it.threads == "none":
            return f"@{self.lib}.runtime", "1"
        run = body.alloca("{ ptr, i64, i64 }")
        workers = body.new(f"call i64 @{self.lib}.workers()")
        body.line(f"store ptr @{self.lib}.parallel, ptr {run}, align 8")
        for offset, value in ((8, workers), (16, "1")):
            place = body.new(f"getelementptr i8, ptr {run}, i64 {offset}")
            body.line(f"store i64 {value}, ptr {place}, align 8")
        return run, workers

    def _weights(self) -> None:
        if self.it.weights is None:
            self.parts.append(f"@{self.lib}.weights = external hidden constant i8, align 64\n")
            return
        self.parts.append(f"@{self.lib}.loaded = internal global ptr null, align 8\n")
        body = Body()
        self._check_weights(body, "%weights")
        body.line(f"store ptr %weights, ptr @{self.lib}.loaded, align 8")
        body.line("ret i32 0")
        self.define(f"{self.lib}__use_weights", "i32", ["ptr %weights"], body)

    def _check_weights(self, body: Body, pointer: str) -> None:
        """Fails unless a file of weights begins as it should."""
        assert self.it.weights is not None
        body.fail(f"icmp eq ptr {pointer}, null", NULL)
        address = body.new(f"ptrtoint ptr {pointer} to i64")
        low = body.new(f"and i64 {address}, {WEIGHTS_HEADER - 1}")
        body.fail(f"icmp ne i64 {low}, 0", ALIGNMENT)
        wrong = None
        for k in range(0, len(self.it.weights), 8):
            wanted = int.from_bytes(self.it.weights[k : k + 8], "little", signed=True)
            place = body.new(f"getelementptr i8, ptr {pointer}, i64 {k}")
            word = body.new(f"load i64, ptr {place}, align 8")
            differs = body.new(f"icmp ne i64 {word}, {wanted}")
            wrong = differs if wrong is None else body.new(f"or i1 {wrong}, {differs}")
        body.fail_if(str(wrong), WEIGHTS)

    def _declare(self, program: Program) -> None:
        self.parts.append(
            f"declare hidden i64 @{program.prefix}_run(ptr, ptr, ptr, ptr, ptr)\n"
            f"declare hidden i64 @{program.prefix}_shapes(ptr, ptr)\n"
        )
        if program.messages:
            numbers = [FIRST_MESSAGE + self.it.messages.index(m) for m in program.messages]
            row = ", ".join(f"i32 {n}" for n in (0, *numbers))
            self.parts.append(
                f"@{program.prefix}.codes = internal constant [{len(numbers) + 1} x i32] [{row}], "
                f"align 4\n"
            )

    def _level(self, body: Body) -> str:
        """Which level the processor has; fails where it has none."""
        level = body.new(f"call i32 @{self.lib}.level()")
        body.fail(f"icmp slt i32 {level}, 0", CPU, unless=not self._may_lack())
        return level

    def _may_lack(self) -> bool:
        return self.it.exports[0].programs[0].level != self.it.where.levels[0]

    # ---------------------------------------------------------------------------- a function
    def _function(self, export: Export) -> None:
        sig, body = export.signature, Body()
        params = [f"i64 %{s}" for s in sig.symbols]
        params += ["ptr %weights"] * (self.it.weights is not None)
        params += [self._parameter(a) for a in sig.arguments]
        params += [f"ptr %{o.name}" for o in sig.written]
        params += ["ptr %workspace", "i64 %workspace_bytes"]
        self._check_extents(body, export)
        level = self._level(body)
        if self.it.weights is not None:
            self._check_weights(body, "%weights")
        self._check_pointers(body, sig)
        runtime, workers = self._runtime(body)
        arena = self._workspace_of(body, export, level, workers)
        buffers = self._buffers(body, sig)
        extents = self._extents(body, sig)
        weights = f"@{self.lib}.weights"
        if self.it.weights is not None:
            weights = body.new(f"getelementptr i8, ptr %weights, i64 {WEIGHTS_HEADER}")
        call = f"ptr {buffers}, ptr {extents}, ptr {arena}, ptr {runtime}, ptr {weights}"
        code = self._per_level(body, export, level, "i32", lambda b, p: self._answered(b, p, call))
        body.line(f"ret i32 {code}")
        self.define(f"{self.lib}_{sig.name}", "i32", params, body)

    def _parameter(self, argument: Argument) -> str:
        if not argument.by_value:
            return f"ptr %{argument.name}"
        return f"{value_type(argument)} %{argument.name}"

    def _per_level(self, body: Body, export: Export, level: str, kind: str, one: object) -> str:
        """What the program of the processor's level answers."""
        assert callable(one)
        programs = export.programs
        if len(programs) == 1:
            return str(one(body, programs[0]))
        labels = [body.label(f"level{k}") for k in range(len(programs))]
        end = body.label("levels")
        cases = " ".join(f"i32 {k}, label %{label}" for k, label in enumerate(labels[1:], 1))
        body.line(f"switch i32 {level}, label %{labels[0]} [ {cases} ]")
        found: list[tuple[str, str]] = []
        for label, program in zip(labels, programs, strict=True):
            body.begin(label)
            value = str(one(body, program))
            found.append((value, body.block))
            body.line(f"br label %{end}")
        body.begin(end)
        ways = ", ".join(f"[ {value}, %{block} ]" for value, block in found)
        return body.new(f"phi {kind} {ways}")

    @staticmethod
    def _answered(body: Body, program: Program, call: str) -> str:
        """The error code of a call: what the program reports is found among all messages."""
        code = body.new(f"call i64 @{program.prefix}_run({call})")
        if not program.messages:
            return body.new(f"trunc i64 {code} to i32")
        place = body.new(f"getelementptr i32, ptr @{program.prefix}.codes, i64 {code}")
        return body.new(f"load i32, ptr {place}, align 4")

    def _check_extents(self, body: Body, export: Export) -> None:
        """Every size that a call meets is counted without overflow, or the call fails."""
        sig = export.signature
        most = 2**31 - 1 if self.it.where.pointer_bits == 32 else 2**62
        sizes = [v.type.nbytes for v in (*sig.arguments, *sig.outputs)]
        sizes += [Dim.symbol(s) for s in sig.symbols] + [p.arena for p in export.programs]
        check = Overflow(body, {s: f"%{s}" for s in sig.symbols}, most)
        check.sizes(sizes, EXTENT)
        for extent, _ in sig.requirements:
            value = check.value(extent)
            check.settle(EXTENT)
            body.fail(f"icmp slt i64 {value}, 0", RELATION)

    def _check_pointers(self, body: Body, sig: Signature) -> None:
        aligned: dict[int, str] = {}
        values: dict[str, str] = {s: f"%{s}" for s in sig.symbols}
        lacking: str | None = None
        for one in self._pointers(sig):
            null = body.new(f"icmp eq ptr %{one.name}, null")
            nbytes = one.type.nbytes
            if isinstance(nbytes, Dim):
                size = Overflow(body, values, None).value(nbytes)
                some = body.new(f"icmp ne i64 {size}, 0")
                null = body.new(f"and i1 {null}, {some}")
            elif nbytes == 0:
                continue
            lacking = null if lacking is None else body.new(f"or i1 {lacking}, {null}")
            unit = _unit(one)
            address = body.new(f"ptrtoint ptr %{one.name} to i64")
            before = aligned.get(unit)
            aligned[unit] = address if before is None else body.new(f"or i64 {before}, {address}")
        if lacking is not None:
            body.fail_if(lacking, NULL)
        for unit, address in aligned.items():
            if unit > 1:
                low = body.new(f"and i64 {address}, {unit - 1}")
                body.fail(f"icmp ne i64 {low}, 0", ALIGNMENT)

    @staticmethod
    def _pointers(sig: Signature) -> list[Argument | Output]:
        return [*(a for a in sig.arguments if not a.by_value), *sig.written]

    def _workspace_of(self, body: Body, export: Export, level: str, workers: str) -> str:
        """The aligned workspace; fails where it is too small."""

        if all(p.arena == 0 and not p.scratch for p in export.programs):
            return "null"

        def need(b: Body, program: Program) -> str:
            return self._need(b, export.signature, program, workers)

        needed = self._per_level(body, export, level, "i64", need)
        address = body.new("ptrtoint ptr %workspace to i64")
        above = body.new(f"add i64 {address}, 63")
        start = body.new(f"and i64 {above}, -64")
        lost = body.new(f"sub i64 {start}, {address}")
        left = body.new(f"sub i64 %workspace_bytes, {lost}")
        small = body.new(f"icmp slt i64 {left}, {needed}")
        null = body.new("icmp eq ptr %workspace, null")
        bad = body.new(f"or i1 {small}, {null}")
        some = body.new(f"icmp ne i64 {needed}, 0")
        body.fail_if(body.new(f"and i1 {bad}, {some}"), WORKSPACE)
        return body.new(f"getelementptr i8, ptr %workspace, i64 {lost}")

    def _need(self, body: Body, sig: Signature, program: Program, workers: str) -> str:
        """Bytes of the arena and of the workers' scratch memory."""
        values = {s: f"%{s}" for s in sig.symbols}
        arena = Overflow(body, values, None).value(program.arena)
        if not program.scratch:
            return arena
        if workers == "1":
            return body.new(f"add i64 {arena}, {program.scratch}")
        scratch = body.new(f"mul i64 {workers}, {program.scratch}")
        return body.new(f"add i64 {arena}, {scratch}")

    def _workspace(self, export: Export) -> None:
        sig, body = export.signature, Body(negative=True)
        self._check_extents(body, export)
        level = self._level(body)
        workers = "1"
        if self.it.threads != "none":
            workers = body.new(f"call i64 @{self.lib}.workers()")

        def need(b: Body, program: Program) -> str:
            return self._need(b, sig, program, workers)

        needed = self._per_level(body, export, level, "i64", need)
        some = body.new(f"icmp ne i64 {needed}, 0")
        padded = body.new(f"add i64 {needed}, 63")  # the caller's memory may begin anywhere
        body.line(f"%answer = select i1 {some}, i64 {padded}, i64 0")
        body.line("ret i64 %answer")
        params = [f"i64 %{s}" for s in sig.symbols]
        self.define(f"{self.lib}_{sig.name}_workspace_bytes", "i64", params, body)

    def _buffers(self, body: Body, sig: Signature) -> str:
        count = len(sig.arguments) + len(sig.outputs)
        row = body.alloca(f"[{max(count, 1)} x i64]", 16)
        pointers: list[str] = []
        for argument in sig.arguments:
            if not argument.by_value:
                pointers.append(f"%{argument.name}")
                continue
            slot = body.alloca("i64")
            value, kind = f"%{argument.name}", value_type(argument)
            if kind == "i1 zeroext":
                value, kind = body.new(f"zext i1 {value} to i8"), "i8"
            body.line(f"store {kind.split()[0]} {value}, ptr {slot}, align 8")
            pointers.append(slot)
        pointers += [
            f"%{o.name}" if o.alias < 0 else f"%{sig.arguments[o.alias].name}" for o in sig.outputs
        ]
        for k, pointer in enumerate(pointers):
            place = body.new(f"getelementptr i64, ptr {row}, i64 {k}")
            body.line(f"store ptr {pointer}, ptr {place}, align 8")
        return row

    @staticmethod
    def _extents(body: Body, sig: Signature) -> str:
        if not sig.symbols:
            return "null"
        row = body.alloca(f"[{len(sig.symbols)} x i64]")
        for k, symbol in enumerate(sig.symbols):
            place = body.new(f"getelementptr i64, ptr {row}, i64 {k}")
            body.line(f"store i64 %{symbol}, ptr {place}, align 8")
        return row

    # ----------------------------------------------------------------------------- for Python
    def _for_python(self, export: Export) -> None:
        """The same programs, for callers that checked the arguments themselves."""
        name = f"{self.lib}_{export.signature.name}"
        body = Body()
        level = body.new(f"call i32 @{self.lib}.level()")
        weights = f"@{self.lib}.weights"
        if self.it.weights is not None:
            loaded = body.new(f"load ptr, ptr @{self.lib}.loaded, align 8")
            weights = body.new(f"getelementptr i8, ptr {loaded}, i64 {WEIGHTS_HEADER}")
        call = f"ptr %buffers, ptr %extents, ptr %arena, ptr %rt, ptr {weights}"

        def run(b: Body, program: Program) -> str:
            code = self._answered(b, program, call)
            return b.new(f"sext i32 {code} to i64")

        code = self._per_level(body, export, level, "i64", run)
        body.line(f"ret i64 {code}")
        params = ["ptr %buffers", "ptr %extents", "ptr %arena", "ptr %rt"]
        self.define(f"{name}__entry", "i64", params, body)
        body = Body()
        level = body.new(f"call i32 @{self.lib}.level()")
        bytes_ = self._per_level(
            body, export, level, "i64",
            lambda b, p: b.new(f"call i64 @{p.prefix}_shapes(ptr %extents, ptr %dims)"),
        )  # fmt: skip
        body.line(f"ret i64 {bytes_}")
        self.define(f"{name}__shapes", "i64", ["ptr %extents", "ptr %dims"], body)
        body = Body()
        level = body.new(f"call i32 @{self.lib}.level()")
        body.fail(f"icmp slt i32 {level}, 0", -CPU, unless=not self._may_lack(), kind="i64")
        scratch = self._per_level(body, export, level, "i64", lambda b, p: str(p.scratch))
        body.line(f"ret i64 {scratch}")
        self.define(f"{name}__scratch", "i64", [], body)

    # ------------------------------------------------------------------------------- texts
    def _strerror(self) -> None:
        texts = dict(enumerate(ERRORS))
        texts |= {FIRST_MESSAGE + k: text for k, text in enumerate(self.it.messages)}
        unknown = "an error code that this library does not give"
        self._texts("strerror", ["i32 %code"], Body(), "%code", texts, unknown)

    def _cpu(self, names: Sequence[str]) -> None:
        body = Body()
        level = body.new(f"call i32 @{self.lib}.level()")
        unknown = "none of those that this library was built for"
        self._texts("cpu", [], body, level, dict(enumerate(names)), unknown)

    def _texts(
        self, name: str, params: Sequence[str], body: Body, number: str,
        texts: Mapping[int, str], unknown: str,
    ) -> None:  # fmt: skip
        """A function that answers the text of an i32."""
        places = {k: f"@{self.lib}.{name}{k}" for k in texts}
        other = f"@{self.lib}.{name}.unknown"
        for place, text in ((other, unknown), *((places[k], text) for k, text in texts.items())):
            content = data_text(text.encode() + b"\0")
            self.parts.append(f"{place} = internal unnamed_addr constant {content}, align 1")
        cases = " ".join(f"i32 {k}, label %text{k}" for k in texts)
        body.line(f"switch i32 {number}, label %unknown [ {cases} ]")
        for k, place in places.items():
            body.begin(f"text{k}")
            body.line(f"ret ptr {place}")
        body.begin("unknown")
        body.line(f"ret ptr {other}")
        self.define(f"{self.lib}_{name}", "ptr", params, body)

    def _abi(self) -> None:
        body = Body()
        body.line(f"ret i32 {ABI_VERSION}")
        self.define(f"{self.lib}_abi", "i32", [], body)


def _unit(one: Argument | Output) -> int:
    """Bytes that the address of an array is a multiple of."""
    dtype = one.type.dtype
    return dtype.nbytes // 2 if dtype.is_complex else dtype.nbytes


def value_type(argument: Argument) -> str:
    """How LLVM passes a scalar."""
    name = argument.type.dtype.name
    if name == "bool":
        return "i1 zeroext"
    if name in ("f32", "f64"):
        return {"f32": "float", "f64": "double"}[name]
    bits = 16 if name in ("f16", "bf16") else argument.type.dtype.nbytes * 8
    extension = " signext" if name.startswith("i") else " zeroext"
    return f"i{bits}" + (extension if bits < 64 else "")


SERIAL = """
define internal void @{lib}.serial(ptr %rt, ptr %fn, ptr %context, i64 %n, i64 %grain) nounwind {{
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %run, label %end
run:
  call void %fn(ptr %context, i64 0, i64 %n, i64 0)
  br label %end
end:
  ret void
}}
"""
POOL = """
declare hidden void @{lib}_gc_library_for(ptr, ptr, i64, i64, i64)
declare hidden i64 @{lib}_gc_library_threads()
declare hidden i64 @{lib}_gc_library_set_threads(i64)

define internal i64 @{lib}.workers() nounwind {{
  %threads = call i64 @{lib}_gc_library_threads()
  ret i64 %threads
}}

define internal void @{lib}.parallel(ptr %rt, ptr %fn, ptr %context, i64 %n, i64 %grain) nounwind {{
  %place = getelementptr i8, ptr %rt, i64 8
  %workers = load i64, ptr %place, align 8
  call void @{lib}_gc_library_for(ptr %fn, ptr %context, i64 %n, i64 %grain, i64 %workers)
  ret void
}}
"""
OPENMP = """
declare void @GOMP_parallel(ptr, ptr, i32, i32)
declare i32 @omp_get_max_threads()
declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()

define internal i64 @{lib}.workers() nounwind {{
  %threads = call i32 @omp_get_max_threads()
  %wide = sext i32 %threads to i64
  %few = icmp slt i64 %wide, 1
  %workers = select i1 %few, i64 1, i64 %wide
  ret i64 %workers
}}

define internal void @{lib}.part(ptr %job) nounwind {{
  %fn = load ptr, ptr %job, align 8
  %place1 = getelementptr i8, ptr %job, i64 8
  %context = load ptr, ptr %place1, align 8
  %place2 = getelementptr i8, ptr %job, i64 16
  %n = load i64, ptr %place2, align 8
  %me32 = call i32 @omp_get_thread_num()
  %all32 = call i32 @omp_get_num_threads()
  %me = sext i32 %me32 to i64
  %all = sext i32 %all32 to i64
  %each = udiv i64 %n, %all
  %rest = urem i64 %n, %all
  %first = mul i64 %me, %each
  %early = icmp slt i64 %me, %rest
  %extra = select i1 %early, i64 %me, i64 %rest
  %begin = add i64 %first, %extra
  %one = zext i1 %early to i64
  %size = add i64 %each, %one
  %end = add i64 %begin, %size
  %some = icmp slt i64 %begin, %end
  br i1 %some, label %run, label %done
run:
  call void %fn(ptr %context, i64 %begin, i64 %end, i64 %me)
  br label %done
done:
  ret void
}}

define internal void @{lib}.parallel(ptr %rt, ptr %fn, ptr %context, i64 %n, i64 %grain) nounwind {{
  %job = alloca [3 x i64], align 8
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %go, label %done
go:
  %place = getelementptr i8, ptr %rt, i64 8
  %most = load i64, ptr %place, align 8
  %g = call i64 @llvm.smax.i64(i64 %grain, i64 1)
  %parts0 = udiv i64 %n, %g
  %parts1 = call i64 @llvm.smax.i64(i64 %parts0, i64 1)
  %parts = call i64 @llvm.smin.i64(i64 %parts1, i64 %most)
  %single = icmp eq i64 %parts, 1
  br i1 %single, label %alone, label %together
alone:
  call void %fn(ptr %context, i64 0, i64 %n, i64 0)
  br label %done
together:
  store ptr %fn, ptr %job, align 8
  %place1 = getelementptr i8, ptr %job, i64 8
  store ptr %context, ptr %place1, align 8
  %place2 = getelementptr i8, ptr %job, i64 16
  store i64 %n, ptr %place2, align 8
  %threads = trunc i64 %parts to i32
  call void @GOMP_parallel(ptr @{lib}.part, ptr %job, i32 %threads, i32 0)
  br label %done
done:
  ret void
}}
"""
DECLARATIONS = """
declare { i64, i1 } @llvm.smul.with.overflow.i64(i64, i64)
declare { i64, i1 } @llvm.sadd.with.overflow.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)

!0 = !{!"branch_weights", i32 1, i32 1000}
"""
