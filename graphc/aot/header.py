"""The C header of a library: C99, and C++ as it is."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Dim, Extent, product
from .groups import print_groups
from .interface import ABI_VERSION, ERRORS, FIRST_MESSAGE, WEIGHTS_HEADER, Interface
from .signature import C_TYPES, Argument, Output, Signature, dtype_text

_CODES = ("OK", "NULL", "EXTENT", "RELATION", "WORKSPACE", "ALIGNMENT", "WEIGHTS", "CPU")


def print_header(interface: Interface, doc: str = "") -> str:
    """The text of LIBRARY.h."""
    lib = interface.library
    guard = f"{lib.upper()}_H"
    parts = [_top(interface, doc), f"#ifndef {guard}\n#define {guard}\n"]
    parts.append("#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n")
    if interface.where.format == "coff":
        parts.append(f"#ifndef {lib.upper()}_API\n#define {lib.upper()}_API __declspec(dllimport)\n"
                     "#endif\n")  # fmt: skip
    parts.append('#ifdef __cplusplus\nextern "C" {\n#define restrict __restrict\n#endif\n')
    parts.append(_errors(interface))
    known: dict[str, str] = {}
    for export in interface.exports:
        parts.append(_function(interface, export.signature))
        parts.append(print_groups(interface, export.signature, known))
    if interface.weights is not None:
        parts.append(_mapping(interface))
    parts.append("#ifdef __cplusplus\n#undef restrict\n}\n#endif")
    parts.append(f"#endif /* {guard} */\n")
    return "\n".join(part for part in parts if part)


def _top(interface: Interface, doc: str) -> str:
    threads = {
        "none": "Loops run on the caller's thread.",
        "pool": "Loops run on a pool of threads that the library keeps; a caller that finds it\n"
        " * busy runs its own loop.",
        "openmp": "Loops run on OpenMP's threads (link with -fopenmp or libgomp).",
    }[interface.threads]
    lines = [line for line in doc.strip().splitlines()] or ["Compiled functions."]
    text, lib = "\n * ".join(lines), interface.library
    return f"""/* {lib}.h: made by graphc; do not edit.
 *
 * {text}
 *
 * Arrays are contiguous, the last axis next to itself (C order). Functions read their inputs, write
 * their outputs and the workspace, and nothing else: no memory is taken, no file is read, and any
 * number of threads may call them at once. Outputs must not overlap each other or inputs.
 * {threads}
 *
 * Every function checks its arguments first and answers an error code; a call that fails writes
 * nothing, unless the program itself reports the error (codes from {FIRST_MESSAGE} on).
 *
 *     int64_t bytes = {lib}_NAME_workspace_bytes(extents...);      negative: an error code
 *     void *workspace = bytes > 0 ? malloc(bytes) : NULL;          one per thread
 *     int32_t error = {lib}_NAME(extents..., inputs..., outputs..., workspace, bytes);
 *     if (error) puts({lib}_strerror(error));
 */"""


def _errors(interface: Interface) -> str:
    lib = interface.library
    lines = ["enum {"]
    for k, (name, text) in enumerate(zip(_CODES, ERRORS, strict=True)):
        lines.append(f"    {lib.upper()}_{name} = {k}, /* {text} */")
    for k, message in enumerate(interface.messages):
        lines.append(f"    /* {FIRST_MESSAGE + k}: {message.replace('*/', '* /')} */")
    lines.append("};")
    api = _api(interface)
    lines += [
        "",
        "/* What an error code means; the text lives as long as the library. */",
        f"{api}const char *{lib}_strerror(int32_t code);",
        "/* Which of the processors that the library was built for it has found. */",
        f"{api}const char *{lib}_cpu(void);",
        f"/* The version of this interface: {ABI_VERSION}. */",
        f"{api}int32_t {lib}_abi(void);",
    ]
    if interface.threads == "pool":
        lines += [
            "/* How many threads loops may use, the caller's included; answers what it is now. */",
            f"{api}int64_t {lib}_set_threads(int64_t threads);",
        ]
    return "\n".join(lines) + "\n"


def _api(interface: Interface) -> str:
    return f"{interface.library.upper()}_API " if interface.where.format == "coff" else ""


def _function(interface: Interface, sig: Signature) -> str:
    lib = interface.library
    params = [f"int64_t {s}" for s in sig.symbols]
    if interface.weights is not None:
        params.append("const void *weights")
    params += [declared(a) for a in sig.arguments]
    params += [f"{C_TYPES[o.type.dtype.name]} *restrict {o.name}" for o in sig.written]
    params += ["void *workspace", "int64_t workspace_bytes"]
    extents = ", ".join(f"int64_t {s}" for s in sig.symbols) or "void"
    api, name = _api(interface), f"{lib}_{sig.name}"
    text = [_comment(interface, sig), f"{api}int32_t {name}(\n    {wrapped(params)});"]
    text.append(f"{api}int64_t {name}_workspace_bytes({extents});")
    text += [_count(name, one, sig) for one in (*sig.arguments, *sig.written) if one.type.rank]
    return "\n".join(text) + "\n"


def wrapped(params: Sequence[str], width: int = 92, indent: int = 4) -> str:
    """Items with commas between, in lines."""
    lines, line = [], ""
    for k, param in enumerate(params):
        piece = param + (", " if k + 1 < len(params) else "")
        if line and len(line) + len(piece) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return ("\n" + " " * indent).join([*lines, line])


def declared(argument: Argument) -> str:
    """An argument as a function declares it."""
    kind = C_TYPES[argument.type.dtype.name]
    if argument.by_value:
        return f"{kind} {argument.name}"
    const = "" if argument.inout else "const "
    return f"{const}{kind} *restrict {argument.name}"


def _comment(interface: Interface, sig: Signature) -> str:
    first, *others = sig.doc.strip().splitlines() or ["no description"]
    lines = [f"{interface.library}_{sig.name}: {first}", *others]
    if sig.where:
        lines += ["", f"From {sig.where}."]
    lines += [""]
    for symbol in sig.symbols:
        lines.append(f"{symbol}: an extent, at least 0")
    rows = [("in", a) for a in sig.arguments if not a.inout]
    rows += [("in and out", a) for a in sig.arguments if a.inout]
    rows += [("out", o) for o in sig.written]
    lines += [f"{one.name} ({way}): {_described(one)}" for way, one in rows]
    for extent, line in sig.requirements:
        lines.append(f"needs {extent} >= 0{f' ({line})' if line else ''}")
    body = "\n * ".join(line.replace("*/", "* /") for line in lines).replace(" * \n", " *\n")
    return f"/* {body}\n */"


def _described(one: Argument | Output) -> str:
    shape = ", ".join(map(str, one.type.shape))
    dtype = dtype_text(one.type.dtype)
    text = f"{dtype}[{shape}]" if one.type.rank else f"a number, {dtype}"
    return text if one.path == one.name else f"{text}; in Python {one.path}"


def c_extent(extent: Extent) -> str | None:
    """An extent as a C expression of int64_t; None where it has quotients."""
    if not isinstance(extent, Dim):
        return f"INT64_C({extent})" if extent > 2**31 else str(extent)
    terms = []
    for monomial, coefficient in extent.terms:
        if any(not isinstance(atom, str) for atom in monomial):
            return None
        factors = [str(a) for a in monomial]
        if coefficient != 1 or not factors:
            factors.insert(0, str(coefficient))
        terms.append(" * ".join(factors))
    return " + ".join(terms)


def _count(name: str, one: Argument | Output, sig: Signature) -> str:
    """A helper that answers how many elements an array has."""
    extent = c_extent(product(one.type.shape))
    if extent is None:
        return f"/* {one.name} has {product(one.type.shape)} elements */"
    used = [s for s in sig.symbols if s in getattr(product(one.type.shape), "names", ())]
    extents = ", ".join(f"int64_t {s}" for s in used) or "void"
    doubled = f"2 * ({extent})" if one.type.dtype.is_complex else extent
    return f"static inline int64_t {name}_{one.name}_elements({extents}) {{ return {doubled}; }}"


def _mapping(interface: Interface) -> str:
    """How a program maps the file of weights."""
    lib = interface.library
    return f"""/* The file {lib}.weights: map it, or read it into memory that begins at a multiple
 * of {WEIGHTS_HEADER} bytes, and hand its address over as `weights`; it is only read. */
#define {lib.upper()}_WEIGHTS_BYTES INT64_C({interface.weights_bytes})
#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
/* NULL where it cannot be mapped, or is not as long as it was made. munmap(weights,
 * {interface.library.upper()}_WEIGHTS_BYTES) gives it back. */
static inline const void *{lib}_map_weights(const char *path) {{
    struct stat facts;
    void *found = NULL;
    int file = open(path, O_RDONLY);
    if (file < 0) return NULL;
    if (fstat(file, &facts) == 0 && facts.st_size == {lib.upper()}_WEIGHTS_BYTES) {{
        found = mmap(NULL, {lib.upper()}_WEIGHTS_BYTES, PROT_READ, MAP_SHARED, file, 0);
        if (found == MAP_FAILED) found = NULL;
    }}
    close(file);
    return found;
}}
#endif
"""
