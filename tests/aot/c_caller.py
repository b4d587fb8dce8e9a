"""Calls exported functions from C: a program is written for their signatures, compiled by a C
compiler, and run with the inputs in one file.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc import types as ty
from graphc.aot.build import Export
from graphc.aot.library import Library, build_library
from graphc.aot.signature import C_TYPES, Signature
from graphc.aot.targets import choose_levels, host_platform

CC = shutil.which("cc") or shutil.which("gcc")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1")

MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "LIB.h"

static FILE *in, *out;

static void *taken(int64_t bytes) {
    void *p = malloc(bytes > 0 ? (size_t)bytes : 1);
    if (!p) exit(90);
    if (bytes > 0 && fread(p, 1, (size_t)bytes, in) != (size_t)bytes) exit(91);
    return p;
}

static void given(const void *p, int64_t bytes) {
    if (bytes > 0 && fwrite(p, 1, (size_t)bytes, out) != (size_t)bytes) exit(92);
}

CALLS
int main(int argc, char **argv) {
    if (argc < 4) return 93;
    in = fopen(argv[2], "rb"), out = fopen(argv[3], "wb");
    if (!in || !out) return 94;
    int64_t e[16] = {0};
    for (int k = 4; k < argc; k++) e[k - 4] = strtoll(argv[k], NULL, 10);
    int32_t code = 95;
DISPATCH
    printf("%d %s\n%s\n", (int)code, LIB_cpu(), LIB_strerror(code));
    fclose(in);
    return fclose(out) ? 96 : 0;
}
"""


@dataclass(frozen=True)
class Answer:
    """What a call gave: the error code, its text, and a value for every output of the graph; none
    where the function did not run."""

    code: int
    text: str
    cpu: str
    outputs: list[np.ndarray]


@dataclass
class Program:
    """A compiled program that calls the functions of one library."""

    library: Library
    path: Path
    runner: tuple[str, ...] = ()
    weights: Path | None = None

    def call(self, name: str, extents: Sequence[int], *arrays: Any) -> Answer:
        """One call in a process of its own."""
        sig = signature(self.library, name)
        env = dict(zip(sig.symbols, extents, strict=True))
        data = b""
        for argument, array in zip(sig.arguments, arrays, strict=True):
            data += np.ascontiguousarray(array, argument.type.dtype.numpy).tobytes()
        given, found = self.path.with_suffix(".in"), self.path.with_suffix(".out")
        given.write_bytes(data)
        command = [*self.runner, str(self.path), name, str(given), str(found), *map(str, extents)]
        weights = {"WEIGHTS": str(self.weights or self.path.with_name("none"))}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=weights)
        assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
        first, text = done.stdout.splitlines()[:2]
        code, cpu = first.split(" ", 1)
        data = found.read_bytes()
        return Answer(int(code), text, cpu, _outputs(sig, env, data) if data or code == "0" else [])


def signature(library: Library, name: str) -> Signature:
    (found,) = [e.signature for e in library.interface.exports if e.signature.name == name]
    return found


def _shape(type: ty.TensorType, env: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(int(ty.substitute(e, env)) for e in type.shape)


def _outputs(sig: Signature, env: Mapping[str, int], data: bytes) -> list[np.ndarray]:
    found, at = [], 0
    for output in sig.outputs:
        shape, dtype = _shape(output.type, env), output.type.dtype.numpy
        count = int(np.prod(shape, dtype=np.int64))
        found.append(np.frombuffer(data, dtype, count, at).reshape(shape))
        at += count * dtype.itemsize
    assert at == len(data)
    return found


def library(*exports: Export, name: str = "lib", cpu: str = "native", **options: Any) -> Library:
    """A library for this machine."""
    where = options.pop("where", host_platform())
    levels = options.pop("levels", None) or choose_levels(where, cpu)
    return build_library(name, [e.made() for e in exports], where, levels, **options)


def written(made: Library, folder: Path) -> None:
    """Writes the static library and the header."""
    lib = made.interface.library
    (folder / f"{lib}.a").write_bytes(made.static)
    (folder / f"{lib}.h").write_text(made.header)
    if made.interface.weights is not None:
        (folder / f"{lib}.weights").write_bytes(made.weights)


def compiled(
    made: Library, folder: Path, compiler: Sequence[str] | None = None,
    flags: Sequence[str] = STRICT, libraries: Sequence[str] = (), runner: Sequence[str] = (),
) -> Program:  # fmt: skip
    """A program of a library. Fails with the compiler's words."""
    lib = made.interface.library
    written(made, folder)
    path = folder / "main"
    (folder / "main.c").write_text(main_text(made))
    command = [*(compiler or [str(CC)]), *flags, "main.c", f"{lib}.a", "-o", str(path), *libraries]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Program(made, path, tuple(runner))


def main_text(made: Library) -> str:
    """The C program."""
    lib = made.interface.library
    calls, dispatch = [], []
    for export in made.interface.exports:
        calls.append(_call(lib, export.signature, made.interface.weights is not None))
        name = export.signature.name
        dispatch.append(f'    if (!strcmp(argv[1], "{name}")) code = call_{name}(e);')
    text = MAIN.replace("CALLS", "\n".join(calls)).replace("DISPATCH", "\n".join(dispatch))
    return text.replace("LIB", lib)


def _call(lib: str, sig: Signature, has_weights: bool) -> str:
    """A C function that reads the inputs of one function, calls it, and writes the outputs."""
    lines = [f"static int32_t call_{sig.name}(const int64_t *e) {{", "    (void)e;"]
    extents = [f"e[{k}]" for k in range(len(sig.symbols))]
    names = dict(zip(sig.symbols, extents, strict=True))
    arguments = list(extents)
    if has_weights:
        lines.append(f'    const void *weights = {lib}_map_weights(getenv("WEIGHTS"));')
        arguments.append("weights")
    for a in sig.arguments:
        kind = C_TYPES[a.type.dtype.name]
        lines.append(f"    {kind} *{a.name}_ = taken({_bytes(a.type, names)});")
        arguments.append(f"*{a.name}_" if a.by_value else f"{a.name}_")
    for o in sig.written:
        kind = C_TYPES[o.type.dtype.name]
        size = _bytes(o.type, names)
        lines.append(f"    {kind} *{o.name}_ = malloc({size} > 0 ? {size} : 1);")
        lines.append(f"    if (!{o.name}_) exit(97);")
        lines.append(f"    memset({o.name}_, 0x5a, {size} > 0 ? {size} : 1);")
        arguments.append(f"{o.name}_")
    given = ", ".join(extents)
    lines.append(f"    int64_t n = {lib}_{sig.name}_workspace_bytes({given});")
    lines.append("    if (n < 0) return (int32_t)-n;")
    lines.append("    void *workspace = n > 0 ? malloc((size_t)n) : NULL;")
    both = ", ".join([*arguments, "workspace", "n"])
    lines.append(f"    int32_t code = {lib}_{sig.name}({both});")
    for o in sig.outputs:
        lines.append(f"    given({o.name}_, {_bytes(o.type, names)});")
    return "\n".join([*lines, "    free(workspace);", "    return code;", "}"])


def _bytes(type: ty.TensorType, names: Mapping[str, str]) -> str:
    """The bytes of an array as a C expression."""
    return f"(int64_t)({_c(ty.product(type.shape), names)}) * {type.dtype.nbytes}"


def _c(extent: ty.Extent, names: Mapping[str, str]) -> str:
    if not isinstance(extent, ty.Dim):
        return f"(int64_t){extent}"
    return " + ".join(
        " * ".join([f"({c})", *(_atom(a, names) for a in monomial)]) for monomial, c in extent.terms
    )


def _atom(atom: Any, names: Mapping[str, str]) -> str:
    if isinstance(atom, str):
        return names[atom]
    sign, left, right = atom
    op = "/" if sign == "//" else "%"
    return f"(({_c(left, names)}) {op} ({_c(right, names)}))"
