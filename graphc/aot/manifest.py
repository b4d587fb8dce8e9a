"""manifest.json: what an artifact says of itself. graphc_runtime/manifest.py reads it.

The same artifact has the same bytes, whoever writes it and where: no time, no path, no order that
a run decides.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from graphc_runtime import manifest as reader

from .. import pytrees
from ..arguments import Static
from ..errors import BuildError
from ..types import Dim, Extent
from .graphs import GraphText
from .interface import ABI_VERSION
from .library import Function, Library
from .signature import Argument, Output
from .targets import Platform

assert reader.ABI == ABI_VERSION


def print_manifest(
    libraries: Sequence[Library],
    functions: Sequence[Function],
    graphs: Sequence[GraphText | None],
    placed: Mapping[str, Mapping[str, str]],
    files: Mapping[str, bytes],
    doc: str,
    versions: tuple[str, str],
    gpu: Mapping[str, Mapping[str, Any]] | None = None,
) -> bytes:
    """The bytes of the manifest.

    Args:
        placed: the paths of each target's files by role.
        files: every file, by path.
        versions: of graphc and of LLVM.
        gpu: the files of GPU code, by function.

    Raises:
        BuildError: for arguments or results that no manifest can describe.
    """
    tree = {
        "id": reader.NO_ID,
        "format": reader.FORMAT,
        "abi": ABI_VERSION,
        "graphc": versions[0],
        "llvm": versions[1],
        "library": libraries[0].interface.library,
        "doc": doc,
        "functions": [
            _function(f, g, (gpu or {}).get(f.signature.name))
            for f, g in zip(functions, graphs, strict=True)
        ],
        "targets": [_target(one, placed[one.interface.where.name]) for one in libraries],
        "files": {
            path: {
                "bytes": len(content),
                "crc32": zlib.crc32(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for path, content in sorted(files.items())
        },
    }
    text = json.dumps(tree, indent=1, allow_nan=False).encode() + b"\n"
    return text.replace(reader.NO_ID.encode(), reader.digest(text).encode(), 1)


def _target(library: Library, placed: Mapping[str, str]) -> dict[str, Any]:
    interface = library.interface
    where = interface.where
    levels = [program.level.name for program in interface.exports[0].programs]
    weights = None if interface.weights is None else interface.weights.hex()
    return {
        "name": where.name,
        "triple": where.triple,
        "arch": arch_of(where),
        "system": system_of(where),
        "bits": where.pointer_bits,
        "levels": levels,
        "threads": interface.threads,
        "weights": weights,
        "files": dict(sorted(placed.items())),
    }


def arch_of(where: Platform) -> str:
    """As `graphc_runtime.artifact.this_machine` says."""
    return {"arm64": "aarch64"}.get(where.arch, where.arch)


def system_of(where: Platform) -> str:
    """As `graphc_runtime.artifact.this_machine` says."""
    parts = where.triple.split("-")[1:]
    for part, name in (("linux", "linux"), ("apple", "macos"), ("windows", "windows")):
        if part in parts:
            return name
    return "none"


def _function(
    one: Function, graph: GraphText | None, gpu: Mapping[str, Any] | None
) -> dict[str, Any]:
    sig, traced = one.signature, one.traced
    return {
        "name": sig.name,
        "doc": sig.doc,
        "where": sig.where,
        "symbols": list(sig.symbols),
        "requirements": [
            {"extent": extent_tree(extent), "text": str(extent), "line": _short(line)}
            for extent, line in sig.requirements
        ],
        "parameters": _parameters(one),
        "arguments": [{**_typed(a), "kind": a.kind, "inout": a.inout} for a in sig.arguments],
        "outputs": [{**_typed(o), "alias": o.alias} for o in sig.outputs],
        "structure": _structure_of(traced.out_tree, range(traced.out_tree.count), "the result"),
        "results": [_result(r, sig.name) for r in traced.results],
        "graph": None if graph is None else graph.facts,
        "gpu": gpu,
    }


def _short(line: str) -> str:
    """A line without the folders of its file."""
    return line.rpartition("/")[2]


def _typed(one: Argument | Output) -> dict[str, Any]:
    return {
        "name": one.name,
        "path": one.path,
        "type": str(one.type),
        "dtype": one.type.dtype.name,
        "shape": [e if isinstance(e, int) else str(e) for e in one.type.shape],
    }


def _result(one: Any, function: str) -> dict[str, Any]:
    if one.form != "static":
        return {"form": one.form, "output": one.position}
    return {"form": "static", "value": _plain(one.value, f"{function} returns")}


def _plain(value: Any, what: str) -> Any:
    """A value that JSON holds as it is."""
    finite = type(value) is float and value - value == 0
    if type(value) in (str, int, bool) or finite:
        return value
    raise BuildError(
        f"{what} {value!r}, which an artifact cannot hold; arrays, numbers and texts it can"
    )


def extent_tree(extent: Extent) -> Any:
    """An extent as the runtime computes it (graphc_runtime/manifest.py)."""
    if not isinstance(extent, Dim):
        return extent
    terms = []
    for monomial, factor in extent.terms:
        atoms = [
            a if isinstance(a, str) else [a[0], extent_tree(a[1]), extent_tree(a[2])]
            for a in monomial
        ]
        terms.append([factor, *atoms])
    return ["sum", *terms]


# ------------------------------------------------------------------------------------- structures


def _parameters(one: Function) -> list[dict[str, Any]]:
    """Python's parameters; those that are known while tracing are none of the artifact's."""
    found, at, number = [], 0, 0
    for name, structure in zip(one.call.names, one.call.structures, strict=True):
        keys = one.call.keys[at : at + structure.count]
        at += structure.count
        leaves: list[Any] = []
        for key in keys:
            if isinstance(key, Static):
                leaves.append(key)
            else:
                leaves.append(number)
                number += 1
        whole = isinstance(structure, pytrees.Leaf) and isinstance(leaves[0], Static)
        if not whole:
            described = _structure_of(structure, leaves, f"the argument {name}")
            found.append({"name": name, "structure": described})
    return found


def _structure_of(structure: pytrees.Structure, leaves: Sequence[Any], what: str) -> Any:
    return _described(structure.unflatten([_Leaf(leaf) for leaf in leaves]), what)


class _Leaf:
    """Stands in a container for a leaf: its number, or its static value."""

    def __init__(self, leaf: Any):
        self.leaf = leaf


def _described(x: Any, what: str) -> Any:
    if isinstance(x, _Leaf):
        if isinstance(x.leaf, Static):
            return {"static": _plain(x.leaf.value, f"{what} holds")}
        return x.leaf
    if x is None:
        return None
    if isinstance(x, dict):
        for key in x:
            if type(key) not in (str, int):
                raise BuildError(
                    f"{what} has a dict with the key {key!r}; an artifact holds keys that are "
                    "texts or integers"
                )
        return {"dict": [[k, _described(v, what)] for k, v in x.items()]}
    if isinstance(x, (tuple, list)):
        kind = "tuple" if isinstance(x, tuple) else "list"
        return {kind: [_described(v, what) for v in x]}
    if dataclasses.is_dataclass(x):
        names = [f.name for f in dataclasses.fields(x)]
        return {"object": [[n, _described(getattr(x, n), what)] for n in names]}
    raise BuildError(f"{what} has a {type(x).__name__}, which an artifact cannot describe")
