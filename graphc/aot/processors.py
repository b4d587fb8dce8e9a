"""Which of a library's levels the processor has: `i32 @LIB.level()`, -1 for none.

Found at the first call and kept in one variable, whose every value is the right one: two threads
may both find it. Asking the processor each time would cost a microsecond on virtual machines.

Source: Intel SDM volume 2, CPUID; AMD64 APM volume 3, appendix E; Linux, asm/hwcap.h of arm64.
"""

from __future__ import annotations

from collections.abc import Sequence

from .targets import Level, Platform

# feature: (word, bit); the words are those that _X86 collects
_BITS = {
    "sse3": (0, 0), "ssse3": (0, 9), "fma": (0, 12), "cx16": (0, 13), "sse4.1": (0, 19),
    "sse4.2": (0, 20), "movbe": (0, 22), "popcnt": (0, 23), "xsave": (0, 27), "avx": (0, 28),
    "f16c": (0, 29), "pclmul": (0, 1), "aes": (0, 25), "rdrnd": (0, 30),
    "bmi": (1, 3), "avx2": (1, 5), "bmi2": (1, 8), "avx512f": (1, 16), "avx512dq": (1, 17),
    "rdseed": (1, 18), "adx": (1, 19), "avx512ifma": (1, 21), "clflushopt": (1, 23),
    "clwb": (1, 24), "avx512cd": (1, 28), "sha": (1, 29), "avx512bw": (1, 30),
    "avx512vl": (1, 31), "fsgsbase": (1, 0),
    "avx512vbmi": (2, 1), "avx512vbmi2": (2, 6), "gfni": (2, 8), "vaes": (2, 9),
    "vpclmulqdq": (2, 10), "avx512vnni": (2, 11), "avx512bitalg": (2, 12),
    "avx512vpopcntdq": (2, 14), "rdpid": (2, 22),
    "lzcnt": (3, 5), "sse4a": (3, 6), "prfchw": (3, 8), "xop": (3, 11), "fma4": (3, 16),
    "tbm": (3, 21),
    "avxvnni": (4, 4), "avx512bf16": (4, 5), "avxifma": (4, 23),
    "avxvnniint8": (5, 4), "avxneconvert": (5, 5), "avxvnniint16": (5, 10),
    "amx-bf16": (6, 22), "amx-tile": (6, 24), "amx-int8": (6, 25), "avx512fp16": (6, 23),
    "avx512vp2intersect": (6, 8),
}  # fmt: skip
_WORDS = 7
_HARMLESS = frozenset({
    "64bit", "cmov", "crc32", "cx8", "evex512", "fxsr", "mmx", "sahf", "sse", "sse2", "x87",
    "invpcid", "pku", "shstk", "waitpkg", "movdiri", "movdir64b", "cldemote", "serialize",
    "uintr", "hreset", "kl", "widekl", "enqcmd", "ptwrite", "sgx", "wbnoinvd", "clzero", "mwaitx",
    "rdpru", "lwp", "xsavec", "xsaveopt", "xsaves", "rtm", "prefetchi", "rdpruid", "tsxldtrk",
})  # fmt: skip
"""Features of every 64-bit processor, and those that compiled loops have no instruction of."""
_AVX_STATE, _AVX512_STATE = 0x6, 0xE6
"""What the system saves of registers (XCR0) where AVX and AVX-512 may be used."""
_HWCAP = {"fullfp16": 10, "dotprod": 20, "sve": 22, "lse": 8}


def print_detection(library: str, where: Platform, levels: Sequence[Level]) -> str:
    """LLVM IR of the function; a constant where one level is all there is on the platform."""
    needs = [_needs(where, level) for level in levels]
    if len(levels) == 1 and not any(needs[0]):
        return f"define internal i32 @{library}.level() nounwind {{\n  ret i32 0\n}}\n"
    find = _x86 if where.arch == "x86_64" else _arm
    return _CACHED.format(library=library) + find(library, needs)


def _needs(where: Platform, level: Level) -> tuple[int, ...]:
    """A mask for each word that is asked of the processor."""
    enabled = [f[1:] for f in level.features.split(",") if f.startswith("+")]
    if where.arch == "x86_64":
        masks = [0] * (_WORDS + 1)
        for feature in enabled:
            if feature in _BITS:
                word, bit = _BITS[feature]
                masks[word] |= 1 << bit
        if any(f.startswith("avx512") or f.startswith("evex") for f in enabled):
            masks[_WORDS] = _AVX512_STATE
        elif any(f.startswith("avx") or f in ("fma", "f16c") for f in enabled):
            masks[_WORDS] = _AVX_STATE
        if masks[_WORDS]:
            masks[0] |= 1 << 27  # OSXSAVE, without which XCR0 cannot be read
        return tuple(masks)
    if where.arch == "aarch64" and where.format == "elf":
        return (sum(1 << _HWCAP[f] for f in enabled if f in _HWCAP),)
    return (0,)


_CACHED = """
@{library}.found = internal global i32 -2, align 4

define internal i32 @{library}.level() nounwind {{
  %known = load atomic i32, ptr @{library}.found monotonic, align 4
  %new = icmp eq i32 %known, -2
  br i1 %new, label %find, label %end, !prof !0
find:
  %found = call i32 @{library}.detect()
  store atomic i32 %found, ptr @{library}.found monotonic, align 4
  ret i32 %found
end:
  ret i32 %known
}}
"""


_CPUID = bytes.fromhex("53 4989d0 89f8 89f1 0fa2 418900 41895804 41894808 4189500c 5b c3")
"""push rbx; mov r8, rdx; mov eax, edi; mov ecx, esi; cpuid; its four registers to [r8]; pop; ret"""
_XGETBV = bytes.fromhex("31c9 0f01d0 8907 c3")
"""xor ecx, ecx; xgetbv; mov [rdi], eax; ret"""


def _code(name: str, params: str, content: bytes) -> str:
    """A function that is these bytes. Inline assembly would need LLVM's assembler for the target,
    which llvmlite has for the machine that builds only.
    """
    text = f'prologue [{len(content)} x i8] c"\\{content.hex(chr(92))}"'
    return (
        f"define internal x86_64_sysvcc void @{name}({params}) noinline optnone nounwind {text} "
        f"{{\n  ret void\n}}\n"
    )


def _cpuid(name: str, leaf: str, part: str = "0") -> str:
    call = f"call x86_64_sysvcc void @LIB.cpuid(i32 {leaf}, i32 {part}, ptr %{name})"
    return f"  {call}\n"


def _part(name: str, call: str, register: int) -> str:
    place = f"  %{name}.at = getelementptr i32, ptr %{call}, i64 {register}\n"
    return place + f"  %{name} = load volatile i32, ptr %{name}.at, align 4\n"


def _x86(library: str, needs: Sequence[tuple[int, ...]]) -> str:
    """Leaves beyond the processor's last one are read as 0."""
    text = _code("LIB.cpuid", "i32 %leaf, i32 %part, ptr %found", _CPUID)
    text += _code("LIB.xgetbv", "ptr %found", _XGETBV)
    text += "\ndefine internal i32 @LIB.detect() noinline nounwind {\nstart:\n"
    for name in ("c0", "c1", "c7", "c71", "e0", "e1", "xcr"):
        text += f"  %{name} = alloca [4 x i32], align 4\n"
    lines = _cpuid("c0", "0") + _part("last", "c0", 0)
    lines += _cpuid("c1", "1") + _part("w0", "c1", 2)
    lines += "  %has7 = icmp uge i32 %last, 7\n  br i1 %has7, label %seven, label %extended\n"
    lines += "seven:\n" + _cpuid("c7", "7") + _part("s1", "c7", 1) + _part("s2", "c7", 2)
    lines += _part("s6", "c7", 3) + _part("subleaves", "c7", 0)
    lines += "  %has71 = icmp uge i32 %subleaves, 1\n"
    lines += "  br i1 %has71, label %sevenone, label %extended\n"
    lines += "sevenone:\n" + _cpuid("c71", "7", "1") + _part("s4", "c71", 0) + _part("s5", "c71", 3)
    lines += "  br label %extended\nextended:\n"
    for word, source in ((1, "s1"), (2, "s2"), (6, "s6")):
        lines += f"  %w{word} = phi i32 [ 0, %start ], [ %{source}, %seven ], "
        lines += f"[ %{source}, %sevenone ]\n"
    for word, source in ((4, "s4"), (5, "s5")):
        lines += f"  %w{word} = phi i32 [ 0, %start ], [ 0, %seven ], [ %{source}, %sevenone ]\n"
    lines += _cpuid("e0", "-2147483648") + _part("elast", "e0", 0)
    lines += "  %hase = icmp uge i32 %elast, -2147483647\n"
    lines += "  br i1 %hase, label %more, label %state\n"
    lines += "more:\n" + _cpuid("e1", "-2147483647") + _part("m3", "e1", 2)
    lines += "  br label %state\nstate:\n  %w3 = phi i32 [ 0, %extended ], [ %m3, %more ]\n"
    lines += "  %osxsave = and i32 %w0, 134217728\n  %saves = icmp ne i32 %osxsave, 0\n"
    lines += "  br i1 %saves, label %read, label %choose\nread:\n"
    lines += "  call x86_64_sysvcc void @LIB.xgetbv(ptr %xcr)\n" + _part("low", "xcr", 0)
    lines += "  br label %choose\nchoose:\n"
    lines += f"  %w{_WORDS} = phi i32 [ 0, %state ], [ %low, %read ]\n"
    return (text + lines + _choice(needs) + "}\n").replace("LIB", library)


def _arm(library: str, needs: Sequence[tuple[int, ...]]) -> str:
    lines = "  %caps = call i64 @getauxval(i64 16)\n  %w0 = trunc i64 %caps to i32\n"
    text = "\ndeclare i64 @getauxval(i64)\n\n"
    text += f"define internal i32 @{library}.detect() noinline nounwind {{\n"
    return text + lines + _choice(needs) + "}\n"


def _choice(needs: Sequence[tuple[int, ...]]) -> str:
    """The last level whose needs are met; -1 where none is."""
    lines, best = "", "-1"
    for k, masks in enumerate(needs):
        flag = "true"
        for word, mask in enumerate(masks):
            if not mask:
                continue
            signed = mask - (1 << 32) if mask >> 31 else mask
            lines += f"  %m{k}_{word} = and i32 %w{word}, {signed}\n"
            lines += f"  %h{k}_{word} = icmp eq i32 %m{k}_{word}, {signed}\n"
            lines += f"  %a{k}_{word} = and i1 {flag}, %h{k}_{word}\n"
            flag = f"%a{k}_{word}"
        lines += f"  %best{k} = select i1 {flag}, i32 {k}, i32 {best}\n"
        best = f"%best{k}"
    return lines + f"  ret i32 {best}\n"
