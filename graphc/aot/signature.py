"""What an exported function takes and gives, in the words of C: names, types and extents.

Made from a traced function; everything that describes a library (header, C functions, manifest,
Python stub) reads this and nothing else.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from graphc_runtime.records import dataclass

from ..errors import BuildError
from ..ir import SourceLine
from ..trace import TracedFunction, donations
from ..types import BF16, BOOL, Dim, DType, Extent, TensorType

C_TYPES = {
    "bool": "bool", "i8": "int8_t", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t",
    "u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "f16": "uint16_t",
    "bf16": "uint16_t", "f32": "float", "f64": "double", "c64": "float", "c128": "double",
}  # fmt: skip
"""Elements of arrays. f16 and bf16 are their bits; a complex number is two numbers."""

_C_WORDS = frozenset("""
    alignas alignof auto bool break case char const constexpr continue default do double else enum
    extern false float for goto if inline int long nullptr register restrict return short signed
    sizeof static static_assert struct switch thread_local true typedef typeof typeof_unqual union
    unsigned void volatile while and and_eq asm bitand bitor catch class compl concept const_cast
    decltype delete dynamic_cast explicit export friend mutable namespace new noexcept not not_eq
    operator or or_eq private protected public reinterpret_cast requires static_cast template this
    throw try typeid typename using virtual wchar_t xor xor_eq workspace workspace_bytes weights
    errno NULL
    """.split())  # fmt: skip


@dataclass(frozen=True, slots=True)
class Argument:
    """An input. `name` is C's, `path` Python's; a scalar is passed by value.

    `kind` is "array", or of a Python number "float", "int", "bool", "complex". `inout`: a result is
    written over it.
    """

    name: str
    path: str
    type: TensorType
    kind: str = "array"
    inout: bool = False

    @property
    def by_value(self) -> bool:
        return self.type.rank == 0 and not self.type.dtype.is_complex and not self.inout


@dataclass(frozen=True, slots=True)
class Output:
    """A result of the graph. `alias` is the number of the argument that it is written over, or
    -1."""

    name: str
    path: str
    type: TensorType
    alias: int = -1


@dataclass(frozen=True, slots=True)
class Signature:
    """An exported function."""

    name: str
    doc: str
    symbols: tuple[str, ...]
    """The symbolic extents, in the order in which C passes them."""
    arguments: tuple[Argument, ...]
    outputs: tuple[Output, ...]
    requirements: tuple[tuple[Extent, str], ...] = ()
    """Extents that must be at least 0, and the lines that need them."""
    where: str = ""
    """The user's file and line."""

    @property
    def written(self) -> tuple[Output, ...]:
        """The outputs that are buffers of their own."""
        return tuple(o for o in self.outputs if o.alias < 0)


def signature_of(traced: TracedFunction, name: str, doc: str = "", where: str = "") -> Signature:
    """The signature of a traced function.

    Raises:
        BuildError: when a name cannot be a name in C, or an extent is not one that C can pass.
    """
    if not is_identifier(name):
        raise BuildError(f"{name!r} is no name for a C function; use letters, digits and _")
    aliases = donations(traced, numbers=True)
    symbols = traced.graph.symbols
    for parameter in traced.parameters:
        for axis, extent in enumerate(parameter.type.shape):
            if isinstance(extent, Dim) and str(extent) not in symbols:
                raise BuildError(
                    f"axis {axis} of {parameter.path} has the extent {extent}; an exported "
                    f"argument's symbolic extents are plain names. Name it on its own and let the "
                    f"program relate them"
                )
    taken = {*_C_WORDS, *symbols}
    for symbol in symbols:
        if symbol in _C_WORDS:
            raise BuildError(f"the extent {symbol!r} has the name of a word of C; rename it")
    inout = set(aliases.values())
    arguments = tuple(
        Argument(_free(c_name(p.path), taken), p.path, p.type, p.kind, k in inout)
        for k, p in enumerate(traced.parameters)
    )
    paths = _result_paths(traced)
    outputs = tuple(
        Output(
            arguments[aliases[k]].name if k in aliases else _free(c_name(paths[k]), taken),
            paths[k], value.type, aliases.get(k, -1),
        )
        for k, value in enumerate(traced.graph.results)
    )  # fmt: skip
    requirements = tuple((e, _line(w)) for e, w in traced.requirements)
    return Signature(name, doc, symbols, arguments, outputs, requirements, where)


def _line(where: SourceLine | None) -> str:
    return "" if where is None else without_folders(str(where))


def without_folders(text: str) -> str:
    """A text whose files have no folders: a library does not tell where it was built, and is the
    same wherever it was."""
    return re.sub(r"(?<![\w.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:]+[/\\])*(?=[^\s/\\:]+:\d)", "", text)


def is_identifier(name: str) -> bool:
    """Whether a text can name a function in C and in Python."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)) and not keyword.iskeyword(name)


def c_name(path: str) -> str:
    """A name in C of a path such as `params['w'][0]`."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    return name if name and not name[0].isdigit() else f"x{name}"


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _result_paths(traced: TracedFunction) -> Sequence[str]:
    """A path for each result of the graph, as Python would reach it."""
    from .. import pytrees

    leaves = pytrees.paths("result", traced.out_tree)
    found = [f"result{k}" for k in range(len(traced.graph.results))]
    for path, leaf in zip(leaves, traced.results, strict=True):
        if leaf.form != "static":
            found[leaf.position] = path
    return found


def dtype_text(dtype: DType) -> str:
    """What a reader of the header has to know of a dtype."""
    if dtype is BF16:
        return "bfloat16, as its 16 bits"
    if dtype is BOOL:
        return "bool (one byte, 0 or 1)"
    names = {"f16": "half precision, as its 16 bits", "c64": "complex: pairs of float",
             "c128": "complex: pairs of double"}  # fmt: skip
    return names.get(dtype.name, C_TYPES[dtype.name])
