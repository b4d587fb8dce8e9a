"""The folder that `graphc build` makes: libraries, header, Python package, graphs and manifest.

    NAME/__init__.py  __init__.pyi  manifest.json  graphs/FUNCTION.txt  graphs/constants.bin
    NAME/NAME.h  NAME.a  NAME.so  NAME.weights            of one target
    NAME/TARGET/NAME.h ...                                of several

It is written beside its place and renamed, so nobody sees half of it. graphc_runtime/artifact.py
opens it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc_runtime import manifest as reader
from graphc_runtime.artifact import Artifact, open_artifact

from ..codegen.build import llvm_version
from ..compile import VERSION
from ..errors import ArtifactError, BuildError
from . import graphs as graph_files
from .gpu import GpuCode
from .library import Function, Library
from .manifest import print_manifest
from .program import Block
from .stub import print_package, print_stub


def write_artifact(
    folder: str | os.PathLike[str],
    libraries: Sequence[Library],
    functions: Sequence[Function],
    *,
    shared: Mapping[str, bytes],
    extra: Mapping[str, Mapping[str, bytes]] | None = None,
    doc: str = "",
    graphs: bool = True,
    gpu: GpuCode | None = None,
    private_key: bytes | None = None,
) -> Artifact:
    """Writes an artifact; one that is there is replaced.

    Args:
        libraries: one for each target; all have the functions.
        shared: the shared library of each target that has one, by the target's name.
        extra: other files of a target by their names (an import library, a loader).
        graphs: whether the graphs go in, so that `graphc.load` can compose and differentiate.
        gpu: the functions for GPUs.
        private_key: the 32 bytes of an ed25519 key that signs the manifest.

    Raises:
        BuildError: where something stands that is no artifact, or for what no artifact can hold.
    """
    place = Path(folder)
    files = artifact_files(
        libraries, functions, shared=shared, extra=extra, doc=doc, graphs=graphs, gpu=gpu,
        private_key=private_key,
    )  # fmt: skip
    _check_replaceable(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        made = beside / "new"
        for path, content in files.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_bytes(content)
            if path.endswith((".so", ".dylib", ".dll")):
                (made / path).chmod(0o755)
        if place.exists():
            os.replace(place, beside / "old")
        try:
            os.replace(made, place)
        except OSError:
            if (beside / "old").exists():
                os.replace(beside / "old", place)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return open_artifact(place)


def artifact_files(
    libraries: Sequence[Library],
    functions: Sequence[Function],
    *,
    shared: Mapping[str, bytes],
    extra: Mapping[str, Mapping[str, bytes]] | None = None,
    doc: str = "",
    graphs: bool = True,
    gpu: GpuCode | None = None,
    private_key: bytes | None = None,
) -> dict[str, bytes]:
    """Every file of an artifact, by its path inside."""
    _check(libraries, functions)
    files: dict[str, bytes] = {}
    placed: dict[str, dict[str, str]] = {}
    for library in libraries:
        target = library.interface.where.name
        front = f"{target}/" if len(libraries) > 1 else ""
        roles = _library_files(library, shared.get(target), (extra or {}).get(target, {}))
        placed[target] = {role: f"{front}{name}" for role, (name, _) in roles.items()}
        files |= {f"{front}{name}": content for name, content in roles.values()}
    texts: list[graph_files.GraphText | None] = [None] * len(functions)
    if graphs:
        block = Block()
        texts = [graph_files.write_graph(f.traced.graph, f.signature.name, block)
                 for f in functions]  # fmt: skip
        files |= {text.facts["file"]: text.text for text in texts if text is not None}
        if block.nbytes:
            files[graph_files.DATA] = block.content
    for_gpus = {} if gpu is None else _gpu_files(gpu, files)

    def manifest(known: Mapping[str, bytes]) -> bytes:
        return print_manifest(
            libraries, functions, texts, placed, known, doc, (VERSION, llvm_version()), for_gpus
        )

    facts = reader.read(manifest(files))
    files["__init__.py"] = print_package(facts).encode()
    files["__init__.pyi"] = print_stub(facts).encode()
    files[reader.NAME] = manifest(files)
    if private_key is not None:
        from .signing import sign

        files[reader.SIGNATURE] = sign(files[reader.NAME], private_key)
    return files


def _gpu_files(gpu: GpuCode, files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Adds the files of GPU code; answers where they are, by function."""
    found: dict[str, dict[str, Any]] = {}
    decisions = {arch: f"gpu/decisions/{arch}.cubin" for arch in sorted(gpu.decisions)}
    files |= {decisions[arch]: code for arch, code in gpu.decisions.items()}
    for one in gpu.programs:
        facts: dict[str, Any] = {
            "source": f"gpu/{one.name}.cu", "plan": f"gpu/{one.name}.json",
            "constants": "gpu/constants.bin",
            "cubins": {arch: f"gpu/{one.name}.{arch}.cubin" for arch in sorted(one.cubins)},
            "decisions": decisions if one.decides else {},
        }  # fmt: skip
        files[facts["source"]] = one.source.encode()
        files[facts["plan"]] = json.dumps(one.plan, indent=1).encode()
        files[facts["constants"]] = gpu.constants
        files |= {facts["cubins"][arch]: code for arch, code in one.cubins.items()}
        found[one.name] = facts
    return found


def _library_files(
    library: Library, shared: bytes | None, extra: Mapping[str, bytes]
) -> dict[str, tuple[str, bytes]]:
    """The files of a target by role: (name, content)."""
    name, where = library.interface.library, library.interface.where
    found = {
        "header": (f"{name}.h", library.header.encode()),
        "static": (f"{name}{'_static.lib' if where.format == 'coff' else '.a'}", library.static),
    }
    if shared is not None:
        found["shared"] = (f"{name}{where.library}", shared)
    if library.interface.weights is not None:
        found["weights"] = (f"{name}.weights", library.weights)
    for other, content in extra.items():
        if any(other == known for known, _ in found.values()):
            raise BuildError(f"the file {other} of {where.name} is there already")
        found[other] = (other, content)
    return found


def _check(libraries: Sequence[Library], functions: Sequence[Function]) -> None:
    if not libraries:
        raise BuildError("an artifact has at least one target")
    names = [f.signature.name for f in functions]
    for one in libraries:
        if [e.signature.name for e in one.interface.exports] != names:
            raise BuildError(f"the library for {one.interface.where.name} has other functions")
        if one.interface.library != libraries[0].interface.library:
            raise BuildError("the libraries of an artifact have one name")
    targets = [one.interface.where.name for one in libraries]
    if len(set(targets)) < len(targets):
        raise BuildError(f"two libraries are for one target: {', '.join(targets)}")


def _check_replaceable(place: Path) -> None:
    """Raises BuildError unless there is nothing, an empty folder, or an artifact and no more."""
    if not place.exists() and not place.is_symlink():
        return
    if place.is_symlink() or not place.is_dir():
        raise BuildError(f"{place} is a file; name a folder that is not there yet")
    found = [p for p in place.rglob("*") if not p.is_dir() and "__pycache__" not in p.parts]
    if not found:
        return
    try:
        known = reader.read((place / reader.NAME).read_bytes())
    except (OSError, ArtifactError):
        raise BuildError(f"{place} is there and is no artifact; remove it, or name another folder")\
            from None  # fmt: skip
    own = {*known.files, reader.NAME, reader.SIGNATURE}
    for path in found:
        name = path.relative_to(place).as_posix()
        if name not in own:
            raise BuildError(f"{place} has a file that is no part of the artifact: {name}")
