"""`graphc.build` and `graphc.export`: from Python functions to the folder that is shipped.

    graphc.build(
        "build/model",
        graphc.export(predict, x="f32[b, 784]"),
        graphc.export(loss, kind="grad", p={"w": "f32[784, 10]"}, x="f32[b, 784]", y="i64[b]"),
    )

`graphc build` (graphc/commands/build.py) says the same on the command line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from .. import pytrees
from ..errors import BuildError
from ..specs import PYTHON_NUMBERS, spec, spec_of
from . import exports
from .exports import TRANSFORMS, Source
from .gpu import GpuCode, checked, make_gpu_code
from .library import Function, Library, build_library
from .signature import is_identifier
from .targets import Platform, choose_levels, platform

Progress = Callable[[str], None]
EMITTED = ("obj", "pyext")
"""Files that are made when they are asked for."""


@dataclass(frozen=True, slots=True)
class Export:
    """A function to be exported under a name."""

    source: Source
    name: str

    def made(self) -> Function:
        """The function traced, with its signature."""
        return exports.export(self.source, self.name)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What `build` made: the folder, its libraries, and how long that took.

    `linkers` says for each target which linker made the shared library; it is empty where there is
    none (a microcontroller).
    """

    folder: Path
    libraries: tuple[Library, ...]
    linkers: Mapping[str, str]
    seconds: float

    @property
    def functions(self) -> tuple[str, ...]:
        """The names that functions are exported under."""
        return tuple(e.signature.name for e in self.libraries[0].interface.exports)


def export(
    function: Callable[..., Any],
    /,
    *,
    kind: str = "value",
    name: str | None = None,
    wrt: str | Iterable[str] = (),
    donate: str | Iterable[str] = (),
    static: Mapping[str, Any] | None = None,
    types: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Export:
    """A function for `build`: a type for each of its arguments, nested as the function takes them.

    A type is a text such as "f32[b, 784]" ("float", "int", "bool", "complex": a Python number), a
    `graphc.spec`, or an array whose type is meant. `types` is for arguments whose names are taken
    here. `kind` is one of value, grad, value_and_grad, jvp, vjp, hvp and vmap, or several inside
    each other: "vmap(grad)". `wrt` names the arguments that derivatives are by (the first one if it
    is left out), `donate` those whose buffers the results are written over, `static` what is known
    while tracing.

    Raises:
        BuildError: when an argument has no type, or the kind is none of these.
    """
    given = {k: argument_of(v) for k, v in {**(types or {}), **arguments}.items()}
    own = set(inspect_names(function))
    for argument in (*given, *(static or {})):
        if own and argument not in own:
            raise BuildError(f"{_title(function)} has no argument {argument!r}")
    made = exports.source(function, given, static, _names(wrt), _names(donate))
    for one in reversed(kinds(kind)):
        made = exports.transform(one, made)
    return Export(made, name or default_name(_title(function), kind))


def default_name(title: str, kind: str) -> str:
    """What a function's export is called unless it is named: `loss_grad`."""
    suffix = "_".join(k for k in kinds(kind) if k != "value")
    return f"{title}_{suffix}" if suffix else title


def kinds(text: str) -> list[str]:
    """The kinds of `vmap(grad)`, from the outside.

    Raises:
        BuildError: for a kind that there is not.
    """
    found = [part.strip() for part in text.rstrip(") ").split("(")]
    for one in found:
        if one not in TRANSFORMS:
            raise BuildError(f"there is no export {one!r}; the exports are {', '.join(TRANSFORMS)}")
    return found


def inspect_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters; none where any name may be given."""
    import inspect

    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return ()
    return tuple(parameters)


def _title(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def argument_of(given: Any) -> Any:
    """What an argument is traced with: specs in place of texts and arrays."""
    leaves, structure = pytrees.flatten(given)
    return structure.unflatten([_leaf(one) for one in leaves])


def _leaf(given: Any) -> Any:
    if isinstance(given, str):
        return (
            PYTHON_NUMBERS[given]
            if given in PYTHON_NUMBERS
            else spec(given if "[" in given else f"{given}[]")
        )
    if isinstance(given, (np.ndarray, np.generic)):
        return spec_of(given)
    return given


# ----------------------------------------------------------------------------------------- build


def build(
    folder: str | os.PathLike[str],
    *functions: Export,
    name: str | None = None,
    target: str | Sequence[str] = "host",
    cpu: str = "auto",
    threads: str = "none",
    weights: str = "embed",
    linker: str | None = None,
    gpu: str | Sequence[str] = (),
    emit: Sequence[str] = (),
    graph: bool = True,
    doc: str = "",
    private_key: bytes | None = None,
    progress: Progress = lambda text: None,
) -> Artifact:
    """Makes a folder with a C library, its header, and a Python package around it.

    Attributes of the result say what was made. The folder is written beside its place and then put
    there: a build that fails changes nothing.

    Args:
        folder: of the artifact; an artifact that is there is replaced, anything else is refused.
        functions: what `export` answers.
        name: of the library and of the Python package; the folder's name if it is left out.
        target: "host", or names from `graphc build --help`, several for one artifact of several.
        cpu: "auto" for every level of processors of the target (chosen at the first call),
            "baseline", "native", or names of levels.
        threads: "none": loops run on the caller's thread; "pool": on threads of the library;
            "openmp".
        weights: "embed" in the library, or "file": beside it, mapped by the caller.
        linker: which one ("ld", "lld", "zig", "own"); the first that is there if it is left out.
        gpu: architectures of GPUs ("sm_80", "sm_90") that kernels are compiled for, too: CUDA C and
            cubins beside the code for processors.
        emit: more files: "obj", one object file, NAME.o, of what the static library holds; "pyext",
            an extension module of Python, NAME.abi3.so, that needs Python 3.11 or newer and
            nothing else.
        graph: whether the graphs are put in, which `graphc.load` derives and exports again.
        private_key: the 32 bytes of an ed25519 key that signs the manifest.

    Raises:
        BuildError: with what is missing or wrong.
    """
    from .artifact import write_artifact
    from .extension import SUFFIX, link_extension
    from .linkers import link, relocatable

    begin = time.perf_counter()
    place = Path(folder)
    title = place.name if name is None else name
    if not is_identifier(title):
        raise BuildError(f"{title!r} cannot name a library; use letters, digits and _, or name=...")
    if weights not in ("embed", "file"):
        raise BuildError(f"weights is {weights!r}; expected 'embed' or 'file'")
    for kind in emit:
        if kind not in EMITTED:
            expected = ", ".join(map(repr, EMITTED))
            raise BuildError(f"there is no {kind!r} to emit; expected one of {expected}")
    platforms = _platforms(target)
    made = []
    for number, one in enumerate(functions, 1):
        progress(f"tracing {one.name} ({number} of {len(functions)})")
        made.append(one.made())
    libraries, linked = [], {}
    for where in platforms:
        levels = choose_levels(where, cpu)
        library = build_library(
            title, made, where, levels, threads=threads, embed=weights == "embed", doc=doc,
            progress=progress,
        )  # fmt: skip
        libraries.append(library)
        if where.library:
            progress(f"linking for {where.name}")
            linked[where.name] = link(library, linker)
    for_gpus = _for_gpus(made, gpu, progress)
    progress(f"writing {place}")
    shared = {target: one.content for target, one in linked.items()}
    extra = {
        target: {f"{title}{suffix}": content for suffix, content in one.extra.items()}
        for target, one in linked.items()
    }
    for one in libraries:
        files = extra.setdefault(one.interface.where.name, {})
        if "pyext" in emit:
            progress(f"an extension module for {one.interface.where.name}")
            files[f"{title}{SUFFIX}"] = link_extension(one, linker)
        if "obj" in emit:
            files[f"{title}.o"] = relocatable(one, linker)
    write_artifact(place, libraries, made, shared=shared, extra=extra, graphs=graph, doc=doc,
                   gpu=for_gpus, private_key=private_key)  # fmt: skip
    how = {target: one.linker for target, one in linked.items()}
    return Artifact(place, tuple(libraries), how, time.perf_counter() - begin)


def _for_gpus(
    functions: Sequence[Function], gpu: str | Sequence[str], progress: Progress
) -> GpuCode | None:
    """The functions for GPUs, if they are asked for."""
    names = [n.strip() for n in gpu.split(",")] if isinstance(gpu, str) else gpu
    return make_gpu_code(functions, checked(names), progress) if names else None


def _platforms(target: str | Sequence[str]) -> list[Platform]:
    names = target.split(",") if isinstance(target, str) else target
    found = list(dict.fromkeys(platform(n.strip()) for n in names))
    if not found:
        raise BuildError("no target is named")
    return found


__all__ = ["Artifact", "Export", "build", "export"]
