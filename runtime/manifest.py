"""manifest.json of an artifact, read and checked: nothing of it is believed before.

graphc/aot/manifest.py writes it. Format 1; the first entry, "id", is the hash of the file's bytes
with zeros in the place of the hash, so an edited manifest is found out.

Who calls it: artifact.py. It never opens a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar, dataclass_transform

from .errors import ArtifactError
from .hashing import sha256
from .reading import Reader, check_path, text

FORMAT = 1
"""The newest format that is read here; older ones are read as well."""
ABI = 1
"""Of the functions in the shared library."""
NAME = "manifest.json"
SIGNATURE = "manifest.sig"
NO_ID = "0" * 64
DTYPES = {
    "bool": "bool", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u8": "uint8",
    "u16": "uint16", "u32": "uint32", "u64": "uint64", "f16": "float16", "bf16": "bfloat16",
    "f32": "float32", "f64": "float64", "c64": "complex64", "c128": "complex128",
}  # fmt: skip
"""The names of dtypes in an artifact, and NumPy's (bfloat16: ml_dtypes')."""
KINDS = ("array", "float", "int", "bool", "complex")
FORMS = ("array", "scalar", "python", "static")
_HEAD = re.compile(rb'\{\n "id": "([0-9a-f]{64})",\n')
_DEPTH = 64


@dataclass_transform()
class Record:
    """What a manifest says of one thing: named values, given in order or by name. Dataclasses would
    be a third of the time of importing an artifact.
    """

    _names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._names = tuple(cls.__annotations__)

    def __init__(self, *values: Any, **named: Any):
        own = self.__dict__
        own.update(zip(self._names, values, strict=False))
        own.update(named)
        for name in self._names[len(values) :]:
            if name not in own:
                own[name] = getattr(type(self), name)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._names)
        return f"{type(self).__name__}({shown})"


Extent = int | str
Requirement = tuple[Any, str, str]
"""The extent as a tree, its text, and the line that needs it to be at least 0."""


class Argument(Record):
    """A leaf of the arguments. `path` is how Python reaches it; `inout`: it is written over."""

    name: str
    path: str
    dtype: str
    shape: tuple[Extent, ...]
    kind: str
    inout: bool

    @property
    def type(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


class Output(Record):
    """A result of the program; the extents of `shape` may be expressions. `alias` is the argument
    that it is written over, or -1."""

    name: str
    path: str
    dtype: str
    shape: tuple[Extent, ...]
    alias: int

    @property
    def type(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


class Parameter(Record):
    """A parameter in Python, and the structure of what it takes (nested.py)."""

    name: str
    structure: Any


class Result(Record):
    """A leaf of what the function returns: an output, or a static value."""

    form: str
    output: int
    value: Any


class GraphFile(Record):
    """Where a graph's text is, and its large constants: (dtype, shape, offset) in a file."""

    file: str
    data: str
    constants: tuple[tuple[str, tuple[int, ...], int], ...]


class GpuFiles(Record):
    """Code for GPUs: CUDA C, a cubin for each architecture, how the kernels are launched (JSON, see
    gpu_plan.py) and the constants that they read; the kernels of cuda_decisions.py for each
    architecture, where the plan decides."""

    source: str
    plan: str
    constants: str
    cubins: Mapping[str, str]
    decisions: Mapping[str, str]

    @property
    def paths(self) -> tuple[str, ...]:
        code = (*self.cubins.values(), *self.decisions.values())
        return (self.source, self.plan, self.constants, *code)


class Function(Record):
    """One function of the artifact."""

    name: str
    doc: str
    where: str
    symbols: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    parameters: tuple[Parameter, ...]
    arguments: tuple[Argument, ...]
    outputs: tuple[Output, ...]
    structure: Any
    """Of the results."""
    results: tuple[Result, ...]
    graph: GraphFile | None
    gpu: GpuFiles | None = None


class Target(Record):
    """Machines that the artifact has code for. `files` are by role: "shared", "static", "header",
    "weights", or others by their own names."""

    name: str
    triple: str
    arch: str
    system: str
    bits: int
    levels: tuple[str, ...]
    threads: str
    files: Mapping[str, str]
    weights: str | None
    """The hash of the block of weights where they are a file."""


class File(Record):
    """What a file has to be. The CRC is compared when a file is loaded (3 GB in a second), the
    hash by `Artifact.check`."""

    nbytes: int
    crc32: int
    sha256: str


class Manifest(Record):
    """All that an artifact says of itself."""

    id: str
    format: int
    abi: int
    graphc: str
    llvm: str
    library: str
    doc: str
    functions: tuple[Function, ...]
    targets: tuple[Target, ...]
    files: Mapping[str, File]


def digest(content: bytes) -> str:
    """The id of a manifest with these bytes, whatever id it has."""
    found = _HEAD.match(content)
    if found is None:
        raise ArtifactError("the manifest does not begin with its id; it is damaged")
    zeroed = content[: found.start(1)] + NO_ID.encode() + content[found.end(1) :]
    return sha256(zeroed)


def read(content: bytes) -> Manifest:
    """The manifest in these bytes.

    Raises:
        ArtifactError: for anything but a manifest of a format that is known here.
    """
    try:
        tree = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"the manifest cannot be read: {error}") from None
    if not isinstance(tree, dict) or type(tree.get("format")) is not int:
        raise ArtifactError("the manifest has no number of a format; this is no artifact of graphc")
    if tree["format"] > FORMAT:
        raise ArtifactError(
            f"the artifact has format {tree['format']}, and this graphc_runtime reads formats up "
            f"to {FORMAT}; install a newer graphc"
        )
    if digest(content) != tree.get("id"):
        raise ArtifactError("the manifest was changed after it was written: its id does not fit")
    try:
        return _manifest(Reader(tree, "manifest"))
    except RecursionError:
        raise ArtifactError("the manifest is nested too deeply") from None


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} stands for a number")


def _manifest(it: Reader) -> Manifest:
    files = {}
    for path, entry in it.get("files", dict).items():
        one = Reader(entry, f"files[{path!r}]")
        hashed = one.text("sha256")
        if not re.fullmatch(r"[0-9a-f]{64}", hashed):
            raise ArtifactError(f"{one.where} has no hash")
        nbytes, crc32 = one.number("bytes", 0), one.number("crc32", 0, 2**32 - 1)
        files[check_path(path, "files")] = File(nbytes, crc32, hashed)
    found = Manifest(
        it.text("id"), it.number("format", 1), it.number("abi", 1), it.text("graphc"),
        it.text("llvm"), it.name("library"), it.text("doc"),
        it.each("functions", lambda x, w: _function(Reader(x, w))),
        it.each("targets", lambda x, w: _target(Reader(x, w))), files,
    )  # fmt: skip
    names = [f.name for f in found.functions]
    if not names or len(set(names)) < len(names):
        raise ArtifactError("the manifest has no functions, or two of one name")
    used = [path for target in found.targets for path in target.files.values()]
    used += [p for f in found.functions if f.graph for p in (f.graph.file, f.graph.data) if p]
    used += [p for f in found.functions if f.gpu for p in f.gpu.paths]
    for path in used:
        if path not in files:
            raise ArtifactError(f"the manifest uses {path} and does not list it")
    return found


def _target(it: Reader) -> Target:
    files = it.get("files", dict)
    paths = {role: check_path(path, f"{it.where}.files") for role, path in files.items()}
    weights = it.tree.get("weights")
    if weights is not None and (type(weights) is not str or "weights" not in paths):
        raise ArtifactError(f"{it.where} has weights without a file")
    return Target(
        it.text("name"), it.text("triple"), it.text("arch"), it.text("system"),
        it.number("bits", 32, 64), it.each("levels", text), it.text("threads"), paths, weights,
    )  # fmt: skip


def _symbol(x: Any, where: str) -> str:
    if not text(x, where).isidentifier():
        raise ArtifactError(f"{where} is {x!r}, which is no name of an extent")
    return x


def _function(it: Reader) -> Function:
    symbols = it.each("symbols", _symbol)
    arguments = it.each("arguments", lambda x, w: _argument(Reader(x, w), symbols))
    bound = {e for a in arguments for e in a.shape if isinstance(e, str)}
    if bound != set(symbols) or len(set(symbols)) < len(symbols):
        raise ArtifactError(f"{it.where} has extents that no argument has")
    outputs = it.each("outputs", lambda x, w: _output(Reader(x, w), arguments))
    found = Function(
        it.name("name"), it.text("doc"), it.text("where"), symbols,
        it.each("requirements", lambda x, w: _requirement(Reader(x, w), symbols)),
        it.each("parameters", lambda x, w: _parameter(Reader(x, w))), arguments, outputs,
        _structure(it.tree.get("structure"), f"{it.where}.structure", 0),
        it.each("results", lambda x, w: _result(Reader(x, w), len(outputs))), _graph(it),
        _gpu(it),
    )  # fmt: skip
    taken = [n for p in found.parameters for n in leaf_numbers(p.structure)]
    made = leaf_numbers(found.structure)
    if sorted(taken) != [*range(len(arguments))] or sorted(made) != [*range(len(found.results))]:
        raise ArtifactError(f"{it.where} has structures that do not fit its arguments and results")
    if len({p.name for p in found.parameters}) < len(found.parameters):
        raise ArtifactError(f"{it.where} has two parameters of one name")
    return found


def _parameter(it: Reader) -> Parameter:
    name = it.text("name")
    if not name.isidentifier():
        raise ArtifactError(f"{it.where} has the name {name!r}")
    return Parameter(name, _structure(it.tree.get("structure"), f"{it.where}.structure", 0))


def _argument(it: Reader, symbols: tuple[str, ...]) -> Argument:
    def extent(x: Any, where: str) -> Extent:
        if (type(x) is int and 0 <= x < 2**62) or (type(x) is str and x in symbols):
            return x
        raise ArtifactError(f"{where} is {x!r}, which is no extent of an argument")

    kind, inout = it.one_of("kind", KINDS), it.get("inout", bool)
    shape, dtype = it.each("shape", extent), it.one_of("dtype", DTYPES)
    _check_type(it, dtype, shape)
    if kind != "array" and (inout or shape):
        raise ArtifactError(f"{it.where} is a Python number with a shape")
    if len(shape) > 64:
        raise ArtifactError(f"{it.where} has {len(shape)} axes")
    return Argument(it.text("name"), it.text("path"), dtype, shape, kind, inout)


def _check_type(it: Reader, dtype: str, shape: tuple[Extent, ...]) -> None:
    if it.text("type") != f"{dtype}[{', '.join(map(str, shape))}]":
        raise ArtifactError(f"{it.where} has two types")


def _output(it: Reader, arguments: tuple[Argument, ...]) -> Output:
    def extent(x: Any, where: str) -> Extent:
        if (type(x) is int and 0 <= x < 2**62) or type(x) is str:
            return x
        raise ArtifactError(f"{where} is {x!r}, which is no extent")

    alias = it.number("alias", -1, len(arguments) - 1)
    shape, dtype = it.each("shape", extent), it.one_of("dtype", DTYPES)
    if len(shape) > 64:
        raise ArtifactError(f"{it.where} has {len(shape)} axes")
    _check_type(it, dtype, shape)
    if alias >= 0:
        source = arguments[alias]
        if not source.inout or (source.dtype, source.shape) != (dtype, shape):
            raise ArtifactError(f"{it.where} is written over an argument that it does not fit")
    return Output(it.text("name"), it.text("path"), dtype, shape, alias)


def _result(it: Reader, outputs: int) -> Result:
    form = it.one_of("form", FORMS)
    if form == "static":
        value = it.tree.get("value")
        if type(value) not in (str, int, float, bool):
            raise ArtifactError(f"{it.where} has no plain value")
        return Result(form, -1, value)
    return Result(form, it.number("output", 0, outputs - 1), None)


def _graph(it: Reader) -> GraphFile | None:
    if it.tree.get("graph") is None:
        return None
    one = Reader(it.tree["graph"], f"{it.where}.graph")

    def constant(x: Any, where: str) -> tuple[str, tuple[int, ...], int]:
        row = Reader(x, where)
        shape = row.each("shape", lambda e, w: Reader({"e": e}, w).number("e", 0))
        return row.one_of("dtype", DTYPES), shape, row.number("offset", 0)

    constants = one.each("constants", constant)
    data = one.path("data") if constants else ""
    return GraphFile(one.path("file"), data, constants)


def _gpu(it: Reader) -> GpuFiles | None:
    if it.tree.get("gpu") is None:
        return None
    one = Reader(it.tree["gpu"], f"{it.where}.gpu")
    return GpuFiles(
        one.path("source"), one.path("plan"), one.path("constants"), _cubins(one, "cubins"),
        _cubins(one, "decisions"),
    )  # fmt: skip


def _cubins(it: Reader, key: str) -> dict[str, str]:
    """Files by architecture."""
    found = {}
    for arch, path in it.get(key, dict).items():
        if not re.fullmatch(r"sm_[0-9]{2,3}[af]?", arch):
            raise ArtifactError(f"{it.where} has the architecture {arch!r}")
        found[arch] = check_path(path, f"{it.where}.{key}")
    return found


def _requirement(it: Reader, symbols: tuple[str, ...]) -> Requirement:
    tree = it.tree.get("extent")
    _check_extent(tree, symbols, it.where, 0)
    return tree, it.text("text"), it.text("line")


def _check_extent(tree: Any, symbols: tuple[str, ...], where: str, depth: int) -> None:
    """int | name | ["sum", [factor, atom...]...] | ["//" or "%", extent, extent]"""
    if type(tree) is int or (type(tree) is str and tree in symbols):
        return
    good = isinstance(tree, list) and depth < _DEPTH and len(tree) > 1
    if good and tree[0] == "sum":
        for term in tree[1:]:
            if not isinstance(term, list) or not term or type(term[0]) is not int:
                raise ArtifactError(f"{where} has an extent that cannot be read")
            for atom in term[1:]:
                _check_extent(atom, symbols, where, depth + 1)
        return
    if not good or tree[0] not in ("//", "%") or len(tree) != 3:
        raise ArtifactError(f"{where} has an extent that cannot be read")
    for part in tree[1:]:
        _check_extent(part, symbols, where, depth + 1)


def extent_value(tree: Any, values: Mapping[str, int]) -> int:
    """The number that an extent is."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return values[tree]
    if tree[0] == "sum":
        total = 0
        for factor, *atoms in tree[1:]:
            for atom in atoms:
                factor *= extent_value(atom, values)
            total += factor
        return total
    left, right = (extent_value(part, values) for part in tree[1:])
    if right == 0:
        return -1
    return left // right if tree[0] == "//" else left % right


# ------------------------------------------------------------------------------------- structures


def _structure(tree: Any, where: str, depth: int) -> Any:
    """number of a leaf | null (None) | {"static": value} | {"tuple" or "list": [...]}
    | {"dict": [[key, structure]...]} | {"object": [[attribute, structure]...]}
    """
    if depth > _DEPTH:
        raise ArtifactError(f"{where} is nested too deeply")
    if tree is None or type(tree) is int:
        return tree
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ArtifactError(f"{where} is no structure")
    kind, inner = next(iter(tree.items()))
    if kind == "static" and type(inner) in (str, int, float, bool):
        return {kind: inner}
    if kind not in ("tuple", "list", "dict", "object") or not isinstance(inner, list):
        raise ArtifactError(f"{where} has a part {kind!r}, which is not known")
    if kind in ("tuple", "list"):
        return {kind: [_structure(x, where, depth + 1) for x in inner]}
    row, seen = [], set()
    for pair in inner:
        key = pair[0] if isinstance(pair, list) and len(pair) == 2 else None
        attribute = kind == "object"
        if (
            type(key) not in (str, int)
            or key in seen
            or (attribute and not str(key).isidentifier())
        ):
            raise ArtifactError(f"{where} has the key {key!r}")
        seen.add(key)
        row.append([key, _structure(pair[1], where, depth + 1)])
    return {kind: row}


def leaf_numbers(structure: Any) -> list[int]:
    """The numbers of a structure's leaves."""
    if isinstance(structure, int):
        return [structure]
    if structure is None or "static" in structure:
        return []
    ((kind, inner),) = structure.items()
    parts = inner if kind in ("tuple", "list") else [pair[1] for pair in inner]
    return [number for part in parts for number in leaf_numbers(part)]
