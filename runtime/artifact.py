"""Artifacts: folders (or zip files) that `graphc build` made, opened without the compiler.

    from graphc_runtime.artifact import open_artifact
    model = open_artifact("build/model")
    model.functions["predict"](x)

An artifact is a Python package too: its `__init__.py` calls `open_package`. Before anything runs,
the manifest is checked, then the platform, then the size of every file and the CRC of what is
loaded (`check` compares the hash of every file). Nothing is unpickled, and no path leads out of the
artifact.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import call, manifest
from .container import Container, open_container, unnamed
from .errors import ArtifactError
from .exported import Code, Exported, numpy_dtype
from .forking import ForkLock
from .hashing import sha256
from .manifest import File, Function, Manifest, Target

_ALIGN = 64
_ARCHES = {"amd64": "x86_64", "arm64": "aarch64"}
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_lock = ForkLock()
_installed = False
_places: dict[str, str] = {}
"""The ids of the artifacts whose libraries were loaded, by their paths."""
_loaded: dict[tuple[str, str, str], tuple[Any, object]] = {}
"""The libraries that were loaded, by place, id and target; they stay for good, as what they hand
out may live on."""


class Artifact:
    """An opened artifact. Its code is loaded when `functions` are first asked for."""

    def __init__(self, container: Container, found: Manifest, module: str | None):
        self.container, self.manifest, self.module = container, found, module
        self._functions: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        return self.container.path

    @property
    def target(self) -> Target:
        """What the artifact has for this machine.

        Raises:
            ArtifactError: when there is nothing.
        """
        arch, system, bits = this_machine()
        for one in self.manifest.targets:
            if (one.arch, one.system, one.bits) == (arch, system, bits) and "shared" in one.files:
                return one
        names = ", ".join(t.name for t in self.manifest.targets)
        raise ArtifactError(
            f"{self.path} was built for {names}, and this is {arch} {system} with {bits} bits; "
            "build it with --target for this machine, too"
        )

    @property
    def functions(self) -> Mapping[str, Any]:
        """The functions, by name.

        Raises:
            ArtifactError: when the files are not those of the manifest, or are for other machines.
        """
        with _lock:
            if self._functions is None:
                self._functions = self._made()
            return self._functions

    def check(self) -> None:
        """Compares every file with the manifest: its size and its hash.

        Raises:
            ArtifactError: that names the first file that differs.
        """
        for path in self.manifest.files:
            self.read(path)

    def read(self, path: str) -> bytes:
        """The content of one of the files, which is what the manifest says."""
        wanted = self._listed(path)
        content = self.container.read(path, wanted.nbytes)
        if len(content) != wanted.nbytes or sha256(content) != wanted.sha256:
            raise self._damaged(path)
        return content

    def _content(self, path: str) -> Any:
        """As `read`, but mapped, and compared by the CRC: no import waits for a hash."""
        content = self.container.view(path, self._listed(path).nbytes)
        self._compare(path, content)
        return content

    def _listed(self, path: str) -> File:
        wanted = self.manifest.files.get(path)
        if wanted is None:
            raise ArtifactError(f"{self.path} has no file {path}")
        return wanted

    def _compare(self, path: str, content: Any) -> None:
        wanted = self.manifest.files[path]
        if len(content) != wanted.nbytes or zlib.crc32(content) != wanted.crc32:
            raise self._damaged(path)

    def _damaged(self, path: str) -> ArtifactError:
        return ArtifactError(f"{path} in {self.path} is not what was built; it is damaged")

    def graph(self, name: str) -> tuple[str, list[np.ndarray]]:
        """The text of a function's graph, and its large constants.

        Raises:
            ArtifactError: when the artifact was built without graphs.
        """
        where = self._facts(name).graph
        if where is None:
            raise ArtifactError(f"{self.path} was built without the graph of {name}")
        data = self.read(where.data) if where.data else b""
        arrays = []
        for dtype, shape, offset in where.constants:
            kind, count = numpy_dtype(dtype), 1
            for extent in shape:
                count *= extent
            if offset + count * kind.itemsize > len(data):
                raise ArtifactError(f"{where.data} in {self.path} is too short")
            arrays.append(np.frombuffer(data, kind, count, offset).reshape(shape))
        try:
            return self.read(where.file).decode("utf-8"), arrays
        except UnicodeDecodeError:
            raise ArtifactError(f"{where.file} in {self.path} is no text") from None

    def on_gpu(self, name: str) -> Any:
        """A function that runs on the GPU of this machine; it takes and gives NumPy arrays.

        Raises:
            ArtifactError: when the artifact was built without code for GPUs, or it is damaged.
            DeviceError: when there is no GPU, or no code for its architecture.
        """
        facts = self._facts(name)
        if facts.gpu is None:
            raise ArtifactError(f"{self.path} was built without GPU code; build it with --gpu")
        from .gpu_plan import read_plan
        from .gpu_program import GpuProgram
        from .on_gpu import OnGpu

        constants = self.read(facts.gpu.constants)
        try:
            tree = json.loads(self.read(facts.gpu.plan))
            buffers = len(facts.arguments) + len(facts.outputs)
            plan = read_plan(tree, buffers, facts.symbols, len(constants))
        except (ValueError, RecursionError, ArtifactError) as error:
            raise ArtifactError(f"{facts.gpu.plan} in {self.path}: {error}") from None
        cubins, decisions = (
            {arch: self.read(path) for arch, path in files.items()}
            for files in (facts.gpu.cubins, facts.gpu.decisions)
        )
        aliases = {k: o.alias for k, o in enumerate(facts.outputs) if o.alias >= 0}
        return OnGpu(facts, GpuProgram(name, plan, cubins, constants, aliases, decisions))

    def _facts(self, name: str) -> Function:
        for one in self.manifest.functions:
            if one.name == name:
                return one
        known = ", ".join(f.name for f in self.manifest.functions)
        raise ArtifactError(f"{self.path} has no function {name!r}; it has {known}")

    # -------------------------------------------------------------------------------- loading
    def _made(self) -> dict[str, Any]:
        target = self.target
        key = (self.path, self.manifest.id, target.name)
        if key not in _loaded:
            _loaded[key] = self._load(target)
        library, keep = _loaded[key]
        install()
        return {f.name: self._function(f, library, keep) for f in self.manifest.functions}

    def _load(self, target: Target) -> tuple[Any, object]:
        """The shared library, with its weights."""
        path = target.files["shared"]
        content = self._content(path)
        place, keep = self.container.loadable(path, content)
        if _places.setdefault(place, self.manifest.id) != self.manifest.id:
            place, keep = unnamed(path, content)  # it was built anew since it was loaded
        try:
            library = ctypes.CDLL(place)
        except OSError as error:
            raise ArtifactError(f"{path} in {self.path} cannot be loaded: {error}") from None
        name = self.manifest.library
        version = _symbol(library, f"{name}_abi", ctypes.c_int32)()
        if version != manifest.ABI or version != self.manifest.abi:
            raise ArtifactError(
                f"{path} in {self.path} has the interface {version}, and this graphc_runtime knows "
                f"{manifest.ABI}"
            )
        weights = None
        if target.weights is not None:
            weights = self._weights(target.files["weights"])
            use = _symbol(library, f"{name}__use_weights", ctypes.c_int32, ctypes.c_void_p)
            code = use(weights.ctypes.data)
            if code:
                text = _symbol(library, f"{name}_strerror", ctypes.c_char_p, ctypes.c_int32)(code)
                raise ArtifactError(f"{target.files['weights']} in {self.path}: {text.decode()}")
        return library, (keep, weights)

    def _weights(self, path: str) -> np.ndarray:
        """The file of weights, mapped where it is a file."""
        content = self._content(path)
        mapped = np.frombuffer(content, np.uint8)
        if mapped.ctypes.data % _ALIGN == 0:
            return mapped
        room = np.empty(len(content) + _ALIGN, np.uint8)
        start = -room.ctypes.data % _ALIGN
        found = room[start : start + len(content)]
        found[:] = mapped
        return found

    def _function(self, facts: Function, library: Any, keep: object) -> Any:
        name = f"{self.manifest.library}_{facts.name}"
        scratch = _symbol(library, f"{name}__scratch", ctypes.c_int64)()
        strerror = _symbol(
            library, f"{self.manifest.library}_strerror", ctypes.c_char_p, ctypes.c_int32
        )
        if scratch < 0:
            raise ArtifactError(f"{self.path}: {strerror(-scratch).decode()}")
        code = Code(
            _address(library, f"{name}__entry"), _address(library, f"{name}__shapes"), scratch,
            strerror, (library, keep),
        )  # fmt: skip
        made = Exported(facts, code).callable
        made.__dict__.update(
            __name__=facts.name,
            __qualname__=facts.name,
            __doc__=described(facts),
            __module__=self.module or f"artifact {self.manifest.library}",
            _artifact=self,
        )
        return made


def _symbol(library: Any, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of the library that keeps the GIL: it runs for nanoseconds."""
    return ctypes.PYFUNCTYPE(result, *arguments)(_address(library, name))


def _address(library: Any, name: str) -> int:
    try:
        found = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    except AttributeError:
        found = None
    if not found:
        raise ArtifactError(f"the shared library has no function {name}")
    return found


def this_machine() -> tuple[str, str, int]:
    """Architecture, system and the bits of a pointer."""
    machine = platform.machine().lower()
    return (
        _ARCHES.get(machine, machine), _SYSTEMS.get(sys.platform, sys.platform),
        8 * struct.calcsize("P"),
    )  # fmt: skip


def install() -> None:
    """Makes native calls possible in this process, and gives the functions their methods."""
    global _installed
    if not _installed:
        content = call.native_object()
        if content is not None:
            call.install(content)
        _installed = True
    kind: Any = call.exported_type()  # another one, once the compiler has installed native calls
    if kind.__dict__.get("__reduce__") is not _reduce:
        kind.__reduce__, kind.__repr__ = _reduce, _repr
        kind.__signature__ = property(_signature)


def _reduce(self: Any) -> Any:
    own: Artifact | None = self.__dict__.get("_artifact")
    if own is None:
        raise TypeError("a part of an artifact's function cannot be pickled")
    if own.module is not None:
        return self.__dict__["__qualname__"]
    return _function_of, (os.path.abspath(own.path), own.manifest.id, self.__dict__["__name__"])


def _function_of(path: str, id: str, name: str) -> Any:
    """Unpickles a function of an artifact that is no imported package."""
    found = open_artifact(path)
    if found.manifest.id != id:
        raise ArtifactError(f"{path} is another artifact than the one that was pickled")
    return found.functions[name]


def _repr(self: Any) -> str:
    own: Artifact | None = self.__dict__.get("_artifact")
    if own is None:
        return "<part of an artifact's function>"
    return f"<function {self.__dict__['__name__']} of {own.path}>"


def _signature(self: Any) -> Any:
    import inspect

    own: Artifact = self.__dict__["_artifact"]
    facts = own._facts(self.__dict__["__name__"])
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(p.name, kind) for p in facts.parameters])


def described(facts: Function) -> str:
    """The docstring of a function: what the user wrote, and the types."""
    lines = [facts.doc.strip()] if facts.doc.strip() else []
    rows = [f"    {a.path}: {_type_text(a)}" for a in facts.arguments]
    rows += [f"    {o.path}: {o.type}" for o in facts.outputs]
    if facts.symbols:
        rows.append(f"    for any {', '.join(facts.symbols)}")
    rows += [f"    needs {text} >= 0" for _, text, _ in facts.requirements]
    return "\n".join([*lines, *([""] if lines else []), *rows])


def _type_text(argument: Any) -> str:
    text = argument.type if argument.kind == "array" else f"a Python {argument.kind}"
    return f"{text}, written over" if argument.inout else text


# ------------------------------------------------------------------------------------------ opening


def open_artifact(
    path: str | os.PathLike[str], *, public_key: bytes | None = None, module: str | None = None
) -> Artifact:
    """The artifact in a folder or a zip file.

    Args:
        public_key: the 32 bytes of an ed25519 key: the artifact has to be signed with its other
            half (needs the library cryptography), and every file is compared with the manifest.

    Raises:
        ArtifactError: for what is no artifact, or is damaged, changed, or newer than this library.
    """
    container = open_container(os.fspath(path))
    content = container.read(manifest.NAME, None)
    found = Artifact(container, manifest.read(content), module)
    for name, wanted in found.manifest.files.items():
        if container.size(name) != wanted.nbytes:
            raise ArtifactError(
                f"{name} in {found.path} has {container.size(name)} bytes and not {wanted.nbytes}: "
                "it is damaged, or the copy was not finished"
            )
    if public_key is not None:
        from .signatures import verify

        verify(content, container.read(manifest.SIGNATURE, None), public_key)
        found.check()
    return found


def open_package(file: str, module: str) -> Artifact:
    """The artifact whose `__init__.py` is imported as a module."""
    found = open_artifact(Path(file).parent, module=module)
    found._content("__init__.py")
    return found
