"""Libraries of other machines run under QEMU: the values, every level of processors, batches; and
those that are only built and looked at.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.aot import elf, linkers
from graphc.aot.build import build, export
from graphc.aot.library import build_library
from graphc.aot.targets import PLATFORMS, Platform, choose_levels, platform
from graphc.errors import BuildError
from graphc.evaluate import evaluate
from tests.thinned import thinned

from . import c_caller

RNG = np.random.default_rng(11)
W1 = RNG.normal(size=(40, 33)).astype(np.float32)
W2 = RNG.normal(size=(33, 10)).astype(np.float32)


def network(x: Any) -> Any:
    z = np.maximum(x @ W1, 0) @ W2
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def special(x: Any) -> Any:
    y = np.tanh(x) + np.sin(100 * x) - np.log1p(np.abs(x))
    return y, np.cumsum(np.sort(x, -1), -1), np.floor(x * 3) % 2, x.astype(np.float32).sum()


def halves(x: Any) -> Any:
    return x + x, x.astype(np.float64), (x * 3).astype(np.int32) // 2, x.astype("bfloat16")


def integers(n: Any, m: Any) -> Any:
    return n // m, n % m, n * m, (n > m).sum(), np.argsort(n)


def looped(x: Any) -> Any:
    return graphc.scan(lambda c, row: (c * 0.5 + row, c.sum()), np.zeros(3), x)


EXPORTS = (
    export(network, x="f32[b, 40]"),
    export(special, x="f64[b, n]"),
    export(halves, x="f16[n]"),
    export(integers, n="i64[k]", m="i64[k]"),
    export(looped, x="f64[n, 3]"),
    export(network, kind="vjp", x="f32[b, 40]"),
)
CALLS: list[tuple[str, list[int], list[Any]]] = [
    *[("network", [b], [RNG.normal(size=(b, 40)).astype(np.float32)]) for b in (0, 1, 7, 65)],
    ("special", [3, 5], [RNG.normal(size=(3, 5))]),
    ("special", [1, 1], [RNG.normal(size=(1, 1))]),
    ("halves", [9], [RNG.normal(size=9).astype(np.float16)]),
    ("integers", [6], [RNG.integers(-(10**12), 10**12, 6), RNG.integers(1, 10**6, 6)]),
    ("looped", [8], [RNG.normal(size=(8, 3))]),
    ("network_vjp", [4], [RNG.normal(size=(4, 40)), RNG.normal(size=(4, 10))]),
]
RUN = {
    "x86_64-linux-gnu": ("x86_64-linux-gnu-gcc", "qemu-x86_64", {
        "Nehalem": "x86-64", "Haswell": "x86-64-v3",
    }),
    "aarch64-linux-gnu": ("aarch64-linux-gnu-gcc", "qemu-aarch64", {
        "cortex-a57": "armv8-a", "max": "armv8.2-a+sve",
    }),
    "armv7-linux-gnueabihf": ("arm-linux-gnueabihf-gcc", "qemu-arm", {"max": "armv7-a"}),
    "riscv64-linux-gnu": ("riscv64-linux-gnu-gcc", "qemu-riscv64", {"rv64": "rv64gc"}),
}  # fmt: skip
"""A compiler, an emulator, and the level that each of its processors has."""


def tools(name: str) -> tuple[str, str]:
    """The compiler and the emulator of a machine; skips the test where they are not there."""
    compiler, emulator, _ = RUN[name]
    if name == c_caller.host_platform().name:
        compiler = "cc"
    for tool, package in ((compiler, f"gcc for {name}"), (emulator, "qemu-user")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not there ({package})")
    return compiler, emulator


@pytest.fixture(scope="module", params=list(RUN))
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> c_caller.Program:
    """A program of every level of a machine."""
    compiler, emulator = tools(request.param)
    where = platform(request.param)
    made = c_caller.library(*EXPORTS, where=where, levels=where.levels)
    flags = (*c_caller.STRICT, "-static")
    folder = tmp_path_factory.mktemp(request.param)
    return c_caller.compiled(made, folder, [compiler], flags, ("-lm",), (emulator,))


def processors(program: c_caller.Program) -> dict[str, str]:
    return RUN[program.library.interface.where.name][2]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_values(program: c_caller.Program, number: int) -> None:
    name, extents, arrays = CALLS[number]
    (one,) = [e for e in EXPORTS if e.name == name]
    graph = one.made().traced.graph
    types = [p.type.dtype.numpy for p in graph.params]
    arrays = [np.asarray(a, t) for a, t in zip(arrays, types, strict=True)]
    (emulator,) = program.runner[:1]
    for cpu, level in processors(program).items():
        program.runner = (emulator, "-cpu", cpu)
        answer = program.call(name, extents, *arrays)
        assert (answer.code, answer.cpu) == (0, level)
        for got, wanted in zip(answer.outputs, evaluate(graph, arrays), strict=True):
            got, wanted = (np.asarray(a, np.float64) for a in (got, wanted))
            np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-6)


LOADS = r"""
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW);
    if (argc < 2 || !library) return printf("%s\\n", dlerror()), 1;
    int32_t (*f)(int64_t, const int64_t *, const int64_t *, int64_t *, int64_t *, int64_t *,
                 int64_t *, int64_t *, void *, int64_t) = dlsym(library, "m_integers");
    int64_t (*need)(int64_t) = dlsym(library, "m_integers_workspace_bytes");
    static char workspace[4096];
    int64_t n[] = {-7, 9}, m[] = {2, 4}, q[2], r[2], p[2], more, order[2];
    if (!f || !need || need(2) > 4096) return 2;
    if (f(2, n, m, q, r, p, &more, order, workspace, sizeof workspace)) return 3;
    return !(q[0] == -4 && q[1] == 2 && r[0] == 1 && r[1] == 1 && p[0] == -14 && more == 1);
}
"""


@pytest.mark.parametrize("name", list(RUN))
def test_shared_libraries_are_loaded(name: str, tmp_path: Path) -> None:
    """By the system's loader, with all that they need."""
    compiler, emulator = tools(name)
    where = platform(name)
    made = build_library("m", [e.made() for e in EXPORTS], where, where.levels)
    (tmp_path / "load.c").write_text(LOADS)
    command = [compiler, "-std=c99", "load.c", "-o", "load", "-ldl"]
    subprocess.run(command, cwd=tmp_path, check=True)
    root = {"cc": "/"}.get(compiler, f"/usr/{compiler.removesuffix('-gcc')}")
    for linker in linkers.found(where):
        (tmp_path / "m.so").write_bytes(linkers.link(made, linker).content)
        done = subprocess.run(
            [emulator, "-L", root, "load", str(tmp_path / "m.so")], cwd=tmp_path,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, (linker, done.stdout, done.stderr)


def test_what_nobody_has_is_refused() -> None:
    where = platform("x86_64-linux-gnu")
    made = build_library("m", [EXPORTS[0].made()], where, where.levels[:1])
    for threads in ("pool", "none"):
        names = {"memcpy", "mmap"} if threads == "pool" else {"memcpy", "puts"}
        made = build_library("m", [EXPORTS[0].made()], where, where.levels[:1], threads=threads)
        if threads == "pool":
            linkers.check_needs(made, names)
            continue
        with pytest.raises(BuildError, match="m calls puts"):
            linkers.check_needs(made, names)
    for linker in linkers.found(where):
        assert linkers.link(made, linker).content


def test_a_processor_that_lacks_instructions(tmp_path: Path) -> None:
    """It is told so, and nothing is run."""
    compiler, emulator = tools("x86_64-linux-gnu")
    where = platform("x86_64-linux-gnu")
    levels = choose_levels(where, "x86-64-v3")
    made = c_caller.library(EXPORTS[0], where=where, levels=levels)
    program = c_caller.compiled(
        made, tmp_path, [compiler], (*c_caller.STRICT, "-static"), ("-lm",), (emulator,)
    )
    x = RNG.normal(size=(2, 40)).astype(np.float32)
    program.runner = (emulator, "-cpu", "Nehalem")
    answer = program.call("network", [2], x)
    assert answer.code == 7 and "lacks the instructions" in answer.text
    program.runner = (emulator, "-cpu", "Haswell")
    assert program.call("network", [2], x).code == 0


# ------------------------------------------------------------------------------ built, looked at
def linked(where: Platform) -> linkers.Linked:
    if not linkers.found(where):
        pytest.skip(f"no linker for {where.name} (pip install ziglang)")
    if where.format == "macho" and linkers.found(where) == ("zig",):
        pytest.skip("ziglang links for macOS by its compiler, which takes half a minute")
    return linkers.link(build_library("m", [EXPORTS[0].made()], where, where.levels))


@pytest.mark.parametrize("where", [p for p in PLATFORMS if p.library], ids=lambda p: p.name)
def test_a_shared_library_of_every_platform(where: Platform) -> None:
    content = linked(where).content
    magic = {"elf": b"\x7fELF", "coff": b"MZ", "macho": b"\xcf\xfa\xed\xfe", "wasm": b"\0asm"}
    assert content.startswith(magic[where.format])
    if where.format == "elf":
        machine = {"x86_64": 62, "aarch64": 183, "armv7": 40, "riscv64": 243}[where.arch]
        assert struct.unpack_from("<HH", content, 16) == (3, machine)
        assert b"m_network_workspace_bytes\0" in content


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["x86_64-macos", "aarch64-macos"])
def test_libraries_of_macos(name: str) -> None:
    where = platform(name)
    if not linkers.found(where):
        pytest.skip(f"no linker for {name} (pip install ziglang)")
    content = linkers.link(build_library("m", [EXPORTS[0].made()], where, where.levels)).content
    assert content.startswith(b"\xcf\xfa\xed\xfe") and b"_m_network\0" in content


def test_a_microcontroller_has_a_static_library(tmp_path: Path) -> None:
    place = tmp_path / "m"
    build(place, EXPORTS[0], target="thumbv7em", name="m")
    assert sorted(p.name for p in place.glob("m.*")) == ["m.a", "m.h"]
    if shutil.which("arm-none-eabi-nm") is None:
        pytest.skip("arm-none-eabi-nm is not there (gcc-arm-none-eabi)")
    out = subprocess.run(
        ["arm-none-eabi-nm", "--undefined-only", str(place / "m.a")], capture_output=True, text=True
    ).stdout
    needed = {line.split()[-1] for line in out.splitlines() if " U " in line}
    own = {name for name in needed if name.startswith("m_") or name == "m.weights"}
    allowed = ("memcpy", "memset", "memmove", "__aeabi_")
    assert all(name.startswith(allowed) for name in needed - own), needed - own


def test_what_there_is_no_linker_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(linkers.importlib.util, "find_spec", lambda name: None)
    where = platform("riscv64")
    library = build_library("m", [EXPORTS[0].made()], where, where.levels)
    with pytest.raises(BuildError, match=r"no linker for riscv64-linux-gnu .* ziglang"):
        linkers.link(library)
    with pytest.raises(BuildError, match="ld is not there"):
        linkers.link(library, "ld")
    with pytest.raises(BuildError, match="expected one of"):
        linkers.link(library, "gold")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: platform("sparc"), "the targets are x86_64-linux-gnu"),
        (lambda: choose_levels(platform("riscv64"), "x86-64-v3"), "expected auto, baseline"),
        (lambda: choose_levels(platform("wasm32"), "native"), "not this machine"),
        (lambda: build_library("m", [EXPORTS[0].made()], platform("wasm32"),
                               platform("wasm32").levels, threads="pool"), "no threads='pool'"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(BuildError) as error:
        call()
    assert message in str(error.value)


# --------------------------------------------------------------------------------- our own linker
OWN = [p for p in PLATFORMS if p.format == "elf" and p.arch in elf.MACHINES]


LINKED = [(where, threads) for threads in ("pool", "none", "openmp") for where in OWN]


@pytest.mark.parametrize("where, threads", thinned(LINKED), ids=str)
def test_the_own_linker_gives_what_others_give(where: Platform, threads: str) -> None:
    """The same functions for the same needs, by the tables that the dynamic linker reads."""
    other = [name for name in linkers.found(where) if name != "own"]
    if not other:
        pytest.skip(f"no other linker for {where.name} (pip install ziglang)")
    functions = [e.made() for e in EXPORTS]
    library = build_library("m", functions, where, where.levels, threads=threads)
    own, theirs = (dynamic(linkers.link(library, name).content) for name in ("own", other[0]))
    assert own["names"] == theirs["names"] == set(library.interface.symbols)
    assert own["needed"] == theirs["needed"]
    assert own["undefined"] == theirs["undefined"]


def dynamic(content: bytes) -> dict[str, set[str]]:
    """Names that are given and needed, and the libraries that are needed: from .dynamic alone."""
    (at,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    heads = [struct.unpack_from("<IIQQQQQQ", content, at + size * k) for k in range(count)]

    def place(address: int) -> int:
        (found,) = [
            h[2] + address - h[3] for h in heads if h[0] == 1 and h[3] <= address < h[3] + h[5]
        ]
        return found

    (start,) = [h[2] for h in heads if h[0] == 2]
    rows: list[tuple[int, int]] = []
    while not rows or rows[-1][0]:
        rows.append(struct.unpack_from("<qQ", content, start + 16 * len(rows)))
    facts = dict(rows)
    strings, symbols = place(facts[5]), place(facts[6])

    def text(offset: int) -> str:
        end = content.index(b"\0", strings + offset)
        return content[strings + offset : end].decode()

    tables = (4, 5, 7, 23, 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE)
    end = min(place(facts[k]) for k in tables if facts.get(k, 0) > facts[6])
    found: dict[str, set[str]] = {"names": set(), "undefined": set()}
    at = symbols + 24
    while at + 24 <= end:
        name, info, _, section = struct.unpack_from("<IBBH", content, at)
        if info >> 4 in (1, 2):  # global, weak
            found["names" if section else "undefined"].add(text(name))
        at += 24
    found["needed"] = {text(value) for key, value in rows if key == 1}
    return found


def test_the_own_linker_refuses_what_it_does_not_know() -> None:
    with pytest.raises(BuildError, match="not an ELF object"):
        elf.link_objects([b"nothing"], "x86_64", "m.so", ["f"])
    library = build_library("m", [EXPORTS[0].made()], OWN[0], OWN[0].levels[:1])
    objects = [m.content for m in library.members]
    with pytest.raises(BuildError, match="no object has absent"):
        elf.link_objects(objects, OWN[0].arch, "m.so", ["absent"])
    with pytest.raises(BuildError, match="expected is aarch64"):
        elf.link_objects(objects, "aarch64", "m.so", ["m_network"])
    with pytest.raises(BuildError, match="truncated"):
        elf.link_objects([objects[0][:-200]], OWN[0].arch, "m.so", ["m_network"])


# ------------------------------------------------------------------------------------ one object
def test_one_object(tmp_path: Path) -> None:
    """It links as the static library does."""
    compiler, _ = tools("x86_64-linux-gnu")
    made = c_caller.library(*EXPORTS, cpu="auto")
    try:
        content = linkers.relocatable(made)
    except BuildError as error:
        pytest.skip(str(error))
    c_caller.written(made, tmp_path)
    (tmp_path / "lib.o").write_bytes(content)
    (tmp_path / "main.c").write_text(c_caller.main_text(made))
    command = [compiler, *c_caller.STRICT, "main.c", "lib.o", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    program = c_caller.Program(made, tmp_path / "main")
    x = RNG.normal(size=(5, 40)).astype(np.float32)
    np.testing.assert_allclose(
        program.call("network", [5], x).outputs[0], network(x), rtol=2e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["aarch64", "riscv64", "armv7", "thumbv7em", "wasm32"])
def test_objects_of_other_machines(name: str, tmp_path: Path) -> None:
    where = platform(name)
    made = build_library("m", [EXPORTS[0].made()], where, where.levels)
    try:
        content = linkers.relocatable(made)
    except BuildError as error:
        pytest.skip(str(error))
    assert content.startswith(b"\0asm" if name == "wasm32" else b"\x7fELF")
    assert b"m_network_workspace_bytes" in content


def test_where_there_is_no_single_object() -> None:
    where = platform("x86_64-windows")
    made = build_library("m", [EXPORTS[0].made()], where, where.levels[:1])
    with pytest.raises(BuildError, match="link the static library"):
        linkers.relocatable(made)
