"""Where an artifact's files are: a folder, or a zip file (or a folder inside one).

Who calls it: artifact.py. A path is checked before it comes here (reading.check_path); what is
read is a plain file inside, never a link that leads out.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
import sys
from pathlib import Path
from typing import Any, Protocol

from .errors import ArtifactError

MANIFEST_BYTES = 1 << 26
"""No manifest is larger."""


class Container(Protocol):
    """The files of one artifact."""

    @property
    def path(self) -> str: ...

    def has(self, name: str) -> bool: ...

    def size(self, name: str) -> int:
        """Bytes of a file; -1 where there is none."""
        ...

    def read(self, name: str, nbytes: int | None) -> bytes:
        """A file of so many bytes, or (None) of as many as a manifest may have."""
        ...

    def view(self, name: str, nbytes: int) -> Any:
        """As `read`, mapped where the file is one: it is not copied."""
        ...

    def loadable(self, name: str, content: Any) -> tuple[str, object]:
        """A path for the system's loader of libraries, and what has to live as long."""
        ...


def open_container(path: str) -> Container:
    """The folder or zip file at a path; `x.zip/inner` is a folder inside one.

    Raises:
        ArtifactError: when there is neither.
    """
    place = Path(os.path.abspath(path))  # the process may change its folder later
    if place.is_dir():
        return Folder(place)
    inner: list[str] = []
    while not place.is_file():
        if place.parent == place:
            raise ArtifactError(f"{path} is neither a folder nor a zip file")
        inner.insert(0, place.name)
        place = place.parent
    return Zip(place, "".join(f"{part}/" for part in inner))


class Folder:
    """A folder."""

    def __init__(self, root: Path):
        self.path = str(root)

    def _place(self, name: str) -> str | None:
        """The file; no part of its path is a link."""
        place = self.path
        parts = name.split("/")
        for part in parts:
            place = f"{place}{os.sep}{part}"
            try:
                facts = os.lstat(place)
            except (OSError, ValueError):
                return None
            wanted = stat.S_ISREG if part is parts[-1] else stat.S_ISDIR
            if not wanted(facts.st_mode):
                raise ArtifactError(f"{name} in {self.path} is no plain file, or leads out of it")
        return place

    def has(self, name: str) -> bool:
        return self._place(name) is not None

    def size(self, name: str) -> int:
        place = self._place(name)
        return -1 if place is None else os.stat(place).st_size

    def read(self, name: str, nbytes: int | None) -> bytes:
        place = self._place(name)
        if place is None:
            raise ArtifactError(f"{self.path} has no {name}")
        most = MANIFEST_BYTES if nbytes is None else nbytes
        try:
            with open(place, "rb") as file:
                content = file.read(most + 1)
        except OSError as error:
            raise ArtifactError(f"{name} in {self.path} cannot be read: {error}") from None
        if len(content) > most:
            raise ArtifactError(f"{name} in {self.path} is longer than {most} bytes")
        return content

    def view(self, name: str, nbytes: int) -> Any:
        place = self._place(name)
        if place is None or not nbytes or self.size(name) != nbytes:
            return self.read(name, nbytes)
        with open(place, "rb") as file:
            return mmap.mmap(file.fileno(), nbytes, access=mmap.ACCESS_READ)

    def loadable(self, name: str, content: Any) -> tuple[str, object]:
        return os.path.abspath(os.path.join(self.path, name)), None


class Zip:
    """A zip file; `prefix` is the folder in it, with a slash behind."""

    def __init__(self, archive: Path, prefix: str):
        import zipfile  # a folder needs neither
        import zlib

        self._broken = (
            zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, ValueError,
            zlib.error, struct.error,
        )  # fmt: skip
        self._open = lambda: zipfile.ZipFile(archive)
        try:
            with self._open() as found:
                self._sizes = {one.filename: one.file_size for one in found.infolist()}
        except self._broken as error:
            raise ArtifactError(f"{archive} is no zip file that can be read: {error}") from None
        names = list(self._sizes)
        if not prefix and "manifest.json" not in names:
            inner = {n.partition("/")[0] for n in names if n.count("/") == 1 and
                     n.endswith("/manifest.json")}  # fmt: skip
            if len(inner) == 1:
                prefix = f"{inner.pop()}/"
        self._prefix = prefix
        self.path = f"{archive}/{prefix}".rstrip("/")

    def has(self, name: str) -> bool:
        return self._prefix + name in self._sizes

    def size(self, name: str) -> int:
        return self._sizes.get(self._prefix + name, -1)

    def read(self, name: str, nbytes: int | None) -> bytes:
        if not self.has(name):
            raise ArtifactError(f"{self.path} has no {name}")
        most = MANIFEST_BYTES if nbytes is None else nbytes
        try:  # opened each time: a forked child would share the position in an open file
            with self._open() as archive, archive.open(self._prefix + name) as file:
                content = file.read(most + 1)
        except (*self._broken, KeyError) as error:
            raise ArtifactError(f"{name} in {self.path} cannot be read: {error}") from None
        if len(content) > most:
            raise ArtifactError(f"{name} in {self.path} is longer than {most} bytes")
        return content

    def view(self, name: str, nbytes: int) -> bytes:
        return self.read(name, nbytes)

    def loadable(self, name: str, content: Any) -> tuple[str, object]:
        return unnamed(name, content)


def unnamed(name: str, content: Any) -> tuple[str, object]:
    """As `Container.loadable`, at a path of its own: the system's loader takes two libraries of one
    path for the same one."""
    if sys.platform == "linux":
        number = os.memfd_create("graphc")
        with open(number, "wb", closefd=False) as file:
            file.write(content)
        # it stays open, so that no other gets its number
        return f"/proc/self/fd/{number}", number
    import tempfile  # 5 ms, where it is not needed

    suffix = Path(name).suffix
    with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as file:
        file.write(content)
    return file.name, file
