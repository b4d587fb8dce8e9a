"""The object loader: relocations of both machines, what it refuses, and damaged objects."""

from __future__ import annotations

import ctypes
import platform
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import graphc_runtime as runtime
import pytest

SAMPLE = """
@table = internal constant [4 x i64] [i64 3, i64 5, i64 7, i64 11]
@state = internal global i64 40
@zeroed = global [64 x i64] zeroinitializer, align 64
@shown = global i64 2
@pointers = internal constant [2 x ptr] [ptr @double, ptr @table]
@elsewhere = external global i64
declare double @cos(double)
declare i64 @given(i64)
define i64 @double(i64 %x) { %y = add i64 %x, %x ret i64 %y }
define i64 @constant(i64 %i) {
  %p = getelementptr [4 x i64], ptr @table, i64 0, i64 %i
  %v = load i64, ptr %p
  ret i64 %v
}
define i64 @count() {
  %old = load i64, ptr @state
  %new = add i64 %old, 1
  store i64 %new, ptr @state
  %s = load i64, ptr @shown
  %z = load i64, ptr getelementptr ([64 x i64], ptr @zeroed, i64 0, i64 9)
  %a = add i64 %new, %s
  %r = add i64 %a, %z
  ret i64 %r
}
define double @cosine(double %x) {
  %y = call double @cos(double %x)
  %z = fadd double %y, 1.0
  ret double %z
}
define i64 @calls(i64 %x) { %y = call i64 @given(i64 %x) %z = add i64 %y, 1 ret i64 %z }
define i64 @through(i64 %i, i64 %x) {
  %p = getelementptr [2 x ptr], ptr @pointers, i64 0, i64 %i
  %f = load ptr, ptr %p
  %y = call i64 %f(i64 %x)
  ret i64 %y
}
define i64 @outside() { %v = load i64, ptr @elsewhere ret i64 %v }
define i64 @zeroed_border() { %v = ptrtoint ptr @zeroed to i64 %r = and i64 %v, 63 ret i64 %r }
"""

Signature = Callable[..., int]


@pytest.fixture(scope="module")
def sample(build: Callable[..., bytes]) -> bytes:
    return build(SAMPLE)


def function(loaded: runtime.LoadedObject, name: str, *types: type) -> Signature:
    return ctypes.CFUNCTYPE(*(types or (ctypes.c_int64,)))(loaded.address(name))


def test_all_kinds_of_reference(sample: bytes) -> None:
    i64 = ctypes.c_int64
    triple = ctypes.CFUNCTYPE(i64, i64)(lambda x: 3 * x)
    outside = i64(77)
    externals = {
        "given": ctypes.cast(triple, ctypes.c_void_p).value or 0,
        "elsewhere": ctypes.addressof(outside),
    }
    loaded = runtime.load(sample, externals)
    assert function(loaded, "double", i64, i64)(21) == 42
    assert [function(loaded, "constant", i64, i64)(i) for i in range(4)] == [3, 5, 7, 11]
    count = function(loaded, "count")
    assert (count(), count()) == (43, 44)
    cosine = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(loaded.address("cosine"))
    assert cosine(0.0) == 2.0
    assert function(loaded, "calls", i64, i64)(5) == 16
    assert function(loaded, "through", i64, i64, i64)(0, 4) == 8
    assert function(loaded, "outside")() == 77
    assert function(loaded, "zeroed_border")() == 0
    assert "state" not in loaded.names and "double" in loaded.names
    loaded.close()
    with pytest.raises(runtime.ObjectError, match="closed"):
        loaded.address("double")


def test_no_page_is_writable_and_executable(sample: bytes) -> None:
    loaded = runtime.load(sample, {"given": 1, "elsewhere": 1})
    at = loaded.address("double")
    mode = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights = line.split()[:2]
        low, high = (int(x, 16) for x in span.split("-"))
        for name in ("double", "shown"):
            if low <= loaded.address(name) < high:
                mode[name] = rights[:3]
    assert at and mode == {"double": "r-x", "shown": "rw-"}


def test_undefined_symbol_is_named(sample: bytes) -> None:
    with pytest.raises(runtime.ObjectError, match="elsewhere is undefined"):
        runtime.load(sample, {"given": 1})
    with pytest.raises(runtime.ObjectError, match="no symbol nothing"):
        runtime.load(sample, {"given": 1, "elsewhere": 1}).address("nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@x = thread_local global i64 1", "thread-local"),
        (
            "define i64 @f() { ret i64 1 }\ndefine ptr @r() { ret ptr @f }\n"
            "@g = ifunc i64 (), ptr @r\n@p = global ptr @g",
            "IFUNC",
        ),
        (
            "define void @f() { ret void }\n"
            "@llvm.global_ctors = appending global [1 x {i32, ptr, ptr}] "
            "[{i32, ptr, ptr} {i32 1, ptr @f, ptr null}]",
            "constructors",
        ),
        ("@x = common global i64 0", "COMMON"),
    ],
)
def test_refused_with_the_reason(build: Callable[..., bytes], text: str, message: str) -> None:
    with pytest.raises(runtime.ObjectError, match=message):
        runtime.load(build(text, optimize=0))


def test_other_machines_and_files_are_refused(build: Callable[..., bytes], sample: bytes) -> None:
    other = build("define i64 @f() { ret i64 1 }", "aarch64-linux-gnu")
    with pytest.raises(runtime.ObjectError, match="aarch64"):
        runtime.link(other, 0, {}, "x86_64")
    for content in (b"", b"\x7fELF", b"MZ" + bytes(100), sample[:16] + b"\x03\0" + sample[18:]):
        with pytest.raises(runtime.ObjectError):
            runtime.load(content)


def test_a_constant_that_does_not_fit_is_refused(sample: bytes) -> None:
    kinds = relocation_offsets(sample)
    # an absolute 32-bit relocation cannot reach a mapping far above 4 GiB
    absolute, near = (258, (275, 277)) if platform.machine() == "aarch64" else (10, (2, 4))
    changed = bytearray(sample)
    place = next(at for at, kind in kinds if kind in near) + 8
    struct.pack_into("<I", changed, place, absolute)
    with pytest.raises(runtime.ObjectError, match="does not fit"):
        runtime.load(bytes(changed), {"given": 1, "elsewhere": 1})
    struct.pack_into("<I", changed, kinds[0][0] + 8, 200)
    with pytest.raises(runtime.ObjectError, match="not supported"):
        runtime.load(bytes(changed), {"given": 1, "elsewhere": 1})


def relocation_offsets(content: bytes) -> list[tuple[int, int]]:
    """File offsets of all relocation entries of sections other than unwind tables, and their
    kinds."""
    (table,) = struct.unpack_from("<Q", content, 40)
    entry, count = struct.unpack_from("<HH", content, 58)
    heads = [struct.unpack_from("<IIQQQQIIQQ", content, table + entry * i) for i in range(count)]
    found = []
    for head in heads:
        if head[1] != 4 or heads[head[7]][1] != 1:
            continue
        for at in range(head[4], head[4] + head[5], 24):
            found.append((at, struct.unpack_from("<I", content, at + 8)[0]))
    return found


FIRST = """
@step = external hidden global i64
declare hidden i64 @twice(i64)
define hidden i64 @once(i64 %x) {
  %s = load i64, ptr @step
  %y = add i64 %x, %s
  ret i64 %y
}
define i64 @both(i64 %x) { %y = call i64 @twice(i64 %x) %z = add i64 %y, 1 ret i64 %z }
"""
SECOND = """
@step = hidden global i64 5
@own = internal constant [2 x i64] [i64 100, i64 1000]
declare hidden i64 @once(i64)
define hidden i64 @twice(i64 %x) {
  %p = getelementptr [2 x i64], ptr @own, i64 0, i64 %x
  %v = load i64, ptr %p
  %y = call i64 @once(i64 %v)
  %z = call i64 @once(i64 %y)
  ret i64 %z
}
"""


def test_objects_that_need_each_other(build: Callable[..., bytes]) -> None:
    objects = [build(FIRST), build(SECOND)]
    for order in (objects, objects[::-1]):
        loaded = runtime.load(runtime.join(order))
        i64 = ctypes.c_int64
        assert function(loaded, "both", i64, i64)(1) == 1011
        ctypes.c_int64.from_address(loaded.address("step")).value = 7
        assert function(loaded, "both", i64, i64)(0) == 115
    assert runtime.join(objects[:1]) is objects[0]


def test_joined_objects_that_are_refused(build: Callable[..., bytes]) -> None:
    first, second = build(FIRST), build(SECOND)
    with pytest.raises(runtime.ObjectError, match="two objects have the symbol"):
        runtime.load(runtime.join([first, second, second]))
    with pytest.raises(runtime.ObjectError, match="twice is undefined"):
        runtime.load(first, {"step": 1})
    whole = runtime.join([first, second])
    for length in range(0, len(whole), 7):
        with pytest.raises(runtime.ObjectError):
            runtime.load(whole[:length])


def test_truncated_anywhere(sample: bytes) -> None:
    refused = 0
    for length in range(0, len(sample), 7):
        try:
            runtime.link(sample[:length], 1 << 20, {"given": 1, "elsewhere": 1}, "x86_64")
        except runtime.ObjectError:
            refused += 1
    assert refused == len(range(0, len(sample), 7))  # the section table is at the end


def test_flipped_bytes_never_crash(sample: bytes, tmp_path: Path) -> None:
    """Headers, tables, symbols and relocations with one byte changed: an ObjectError, or an object.
    In a subprocess."""
    (tmp_path / "sample.o").write_bytes(sample)
    root = Path(__file__).parents[2]
    program = f"""
        import sys, random, pathlib
        sys.path.insert(0, {str(root)!r})
        import tests.conftest, graphc_runtime as runtime
        content = pathlib.Path({str(tmp_path / "sample.o")!r}).read_bytes()
        random.seed(1)
        places = set(range(64)) | set(range(len(content) - 1600, len(content)))
        places |= set(random.sample(range(len(content)), 300))
        refused = loaded = 0
        for place in places:
            for value in (0, 0xFF, content[place] ^ 1, content[place] ^ 0x80):
                changed = bytearray(content)
                changed[place] = value
                try:
                    runtime.load(bytes(changed), {{"given": 1, "elsewhere": 1}}).close()
                    loaded += 1
                except runtime.ObjectError:
                    refused += 1
        assert loaded and refused, (loaded, refused)
    """
    code = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# --------------------------------------------------------------------------------------- aarch64
def test_aarch64_addresses(build: Callable[..., bytes]) -> None:
    """Decodes the instructions of a linked image and compares the addresses that they form."""
    text = """
    @table = internal constant [4 x i64] [i64 3, i64 5, i64 7, i64 11]
    @far = external global i64
    declare void @given()
    define ptr @where() { ret ptr @table }
    define ptr @got() { ret ptr @far }
    define void @calls() { call void @given() ret void }
    define i64 @reads() {
      %v = load volatile i64, ptr getelementptr ([4 x i64], ptr @table, i64 0, i64 2)
      ret i64 %v
    }
    @self = global ptr @where
    """
    base, given, far = 0x7F12_3456_7000, 0x5555_0000_1230, 0x5555_4444_8888
    image = runtime.link(
        build(text, "aarch64-linux-gnu"), base, {"given": given, "far": far}, "aarch64"
    )

    def words(name: str, count: int) -> list[int]:
        return list(struct.unpack_from(f"<{count}I", image.content, image.symbols[name]))

    def page(word: int, at: int) -> int:
        pages = (word >> 29 & 3) | (word >> 5 & 0x7FFFF) << 2
        pages -= (pages >> 20) << 21
        return ((at >> 12) + pages) << 12

    def read(address: int) -> int:
        return struct.unpack_from("<Q", image.content, address - base)[0]

    def where(name: str) -> int:
        return base + image.symbols[name]

    adrp, add = words("where", 2)
    table = page(adrp, where("where")) + (add >> 10 & 0xFFF)
    assert [read(table + 8 * i) for i in range(4)] == [3, 5, 7, 11]
    adrp, load = words("got", 2)
    assert read(page(adrp, where("got")) + (load >> 10 & 0xFFF) * 8) == far
    call_at, call = next(
        (where("calls") + 4 * i, word)
        for i, word in enumerate(words("calls", 4))
        if word >> 26 in (0b100101, 0b000101)
    )
    distance = (call & 0x3FFFFFF) - ((call >> 25 & 1) << 26)
    stub = call_at + 4 * distance
    adrp, load, branch, _ = struct.unpack_from("<4I", image.content, stub - base)
    assert branch == 0xD61F0220
    assert read(page(adrp, stub) + (load >> 10 & 0xFFF) * 8) == given
    assert read(where("self")) == where("where")
    adrp, load = words("reads", 2)
    assert read(page(adrp, where("reads")) + (load >> 10 & 0xFFF) * 8) == 7


def test_native_text_is_for_both_machines(build: Callable[..., bytes]) -> None:
    """The one text of the native object compiles and links for the other machine too."""

    class Anything(dict[str, int]):
        def get(self, name: str, default: object = None) -> int:  # type: ignore[override]
            return 0x5555_0000_0000 + 16 * (hash(name) % 1000)

    for triple, machine in (("x86_64-linux-gnu", "x86_64"), ("aarch64-linux-gnu", "aarch64")):
        content = build(runtime.native_source(), triple)
        image = runtime.link(content, 0x7F00_0000_0000, Anything(), machine)
        assert {"gc_make_type", "gc_parallel_for", "gc_block_take"} <= set(image.symbols)
