"""The disk cache of built code: content-addressed entries in a folder that only its user can write
to.

Who calls it: `compile.py` with the key of a graph, the command line with `list`, `clear` and `why`.
It never builds anything and never raises for a bad entry: a damaged, truncated or foreign file is
removed, counted, and not there.

An entry is one file, `<key>.gcc`:

    magic 8 bytes | format u32 | bytes of the meta u32 | count of blobs u32 | 0 u32 | bytes of each
    blob u64 ... | meta as JSON | blobs | sha256 of all that comes before

Safe under many processes and kill -9: a file is written under a temporary name and renamed; readers
see all of it or nothing. Power loss may leave a damaged file, which its hash tells.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from graphc_runtime.forking import ForkLock
from graphc_runtime.records import dataclass

from . import environment
from .errors import GraphcError

__all__ = ["Cache", "CacheError", "Entry", "Listed", "default_folder", "key"]

DEFAULT_LIMIT_BYTES = 2 << 30
_MAGIC = b"graphc\x00\x1a"
_FORMAT = 1
_HEAD = struct.Struct("<8sIIII")
_HASH_BYTES = 32
_SUFFIX = ".gcc"
_TEMPORARY_PREFIX = "new-"
_STALE_SECONDS = 3600.0  # a writer that is older was killed
_TOUCH_SECONDS = 3600.0  # the time of use is kept to the hour: a hit seldom writes
_SWEEP_SHARE = 0.9  # eviction goes below the limit, so that it is not needed again at once


class CacheError(GraphcError):
    """The cache folder cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept under one key: JSON-able facts (`parts` among them, see `Cache.why`) and named
    bytes."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry as `Cache.list` shows it. Units: bytes; seconds since the epoch, to about an
    hour."""

    key: str
    nbytes: int
    used: float


def key(parts: Mapping[str, str]) -> str:
    """The sha256, in hex, of named parts; their order does not matter."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        for text in (name, parts[name]):
            data = text.encode()
            digest.update(
                struct.pack("<Q", len(data))
            )  # lengths, so that no two lists of parts look alike
            digest.update(data)
    return digest.hexdigest()


def default_folder() -> Path | None:
    """The folder that the environment names; None where GRAPHC_CACHE_DIR is empty or "off"."""
    folder = environment.cache_folder()
    return None if folder is None or str(folder).lower() == "off" else folder


class Cache:
    """A folder of entries, bounded in bytes; with no folder (disabled) it is always empty.

    The folder is made at the first write, mode 0700. One that others can write to, or that belongs
    to another user, is refused.

    Raises:
        CacheError: at construction and at the first use, when the folder is refused.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None = None, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self.folder: Path | None = default_folder() if folder is None else Path(folder)
        self.limit_bytes = limit_bytes
        self.hits = self.misses = self.damaged = self.evicted = 0
        self._lock = ForkLock()
        self._usable = False
        self._nbytes: int | None = (
            None  # an estimate: other processes write too; eviction counts anew
        )
        if self.folder is not None and self.folder.exists():
            self._check_folder(self.folder)

    @property
    def enabled(self) -> bool:
        """Whether anything can be kept."""
        return self.folder is not None

    # ------------------------------------------------------------------------------- get and put
    def get(self, key: str) -> Entry | None:
        """The entry of a key, or None. A damaged entry is removed."""
        path = self._path(key)
        if path is None or not self._ready(make=False):
            self.misses += 1
            return None
        try:
            with open(path, "rb", buffering=0) as file:
                content = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            self.misses += 1
            return None
        entry = _decode(content)
        if entry is None:
            self.damaged += 1
            self.misses += 1
            with suppress(OSError):
                path.unlink()
            return None
        self.hits += 1
        if time.time() - used > _TOUCH_SECONDS:
            with suppress(OSError):
                os.utime(path)
        return entry

    def put(self, key: str, entry: Entry) -> bool:
        """Keeps an entry; False where the cache is disabled, or the disk is full or read-only:
        never an error."""
        path = self._path(key)
        if path is None or not self._ready(make=True):
            return False
        content = _encode(entry)
        if len(content) > self.limit_bytes:
            return False
        try:
            self._write(path, content)
        except OSError:
            return False
        with self._lock:
            if self._nbytes is not None:
                self._nbytes += len(content)
            full = self._nbytes is None or self._nbytes > self.limit_bytes
        if full:  # also at the first write of a process, which so learns the size and sweeps
            self._evict()
        return True

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        import tempfile  # takes longer to import than a hit takes

        number, temporary = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=path.parent)  # mode 0600
        try:
            with os.fdopen(number, "wb", buffering=0) as file:
                left = memoryview(content)
                while left:
                    left = left[file.write(left) :]
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def discard(self, key: str) -> bool:
        """Removes one entry; whether it was there."""
        path = self._path(key)
        try:
            if path is None:
                return False
            path.unlink()
        except OSError:
            return False
        with self._lock:
            self._nbytes = None
        return True

    # ------------------------------------------------------------------------------ looking inside
    def list(self) -> list[Listed]:
        """All entries, the one used last first."""
        found = [
            Listed(p.name.removesuffix(_SUFFIX), s.st_size, s.st_mtime)
            for p, s in self._scan(_SUFFIX)
        ]
        return sorted(found, key=lambda one: -one.used)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(one.nbytes for one in self.list())

    def clear(self) -> int:
        """Removes every entry and every abandoned temporary file; gives how many entries went."""
        count = 0
        for path, _ in self._scan(_SUFFIX):
            with suppress(OSError):
                path.unlink()
                count += 1
        self._sweep_temporary()
        with self._lock:
            self._nbytes = 0 if self._nbytes is not None else None
        return count

    def why(self, key: str) -> dict[str, dict[str, str]]:
        """For each entry whose key begins so: the parts that made its key, as its writer noted them
        in `meta`."""
        answer: dict[str, dict[str, str]] = {}
        for one in self.list():
            if not one.key.startswith(key):
                continue
            entry = self.get(one.key)
            if entry is not None:
                answer[one.key] = dict(entry.meta.get("parts", {}))
        return answer

    def _scan(self, suffix: str = "", prefix: str = "") -> Iterator[tuple[Path, os.stat_result]]:
        if self.folder is None or not self._ready(make=False):
            return
        try:
            names = os.listdir(self.folder)
        except OSError:
            return
        for name in names:
            if name.endswith(suffix) and name.startswith(prefix):
                path = self.folder / name
                with suppress(OSError):  # another process may have removed it
                    yield path, path.stat()

    # ------------------------------------------------------------------------------------- bounds
    def _evict(self) -> None:
        """Removes the entries unused for longest until the folder is well below its limit."""
        self._sweep_temporary()
        found = self.list()
        total = sum(one.nbytes for one in found)
        goal = int(self.limit_bytes * _SWEEP_SHARE) if total > self.limit_bytes else total
        while found and total > goal:
            oldest = found.pop()
            path = self._path(oldest.key)
            if path is not None:
                with suppress(OSError):
                    path.unlink()
                    self.evicted += 1
            total -= oldest.nbytes
        with self._lock:
            self._nbytes = total

    def _sweep_temporary(self) -> None:
        now = time.time()
        for path, status in self._scan(prefix=_TEMPORARY_PREFIX):
            if now - status.st_mtime > _STALE_SECONDS:
                with suppress(OSError):
                    path.unlink()

    # ------------------------------------------------------------------------------------- folder
    def _path(self, key: str) -> Path | None:
        if not key or not key.isascii() or not key.replace("-", "").isalnum():
            raise CacheError(f"{key!r} is no key of the cache; make keys with graphc.cache.key")
        return None if self.folder is None else self.folder / (key + _SUFFIX)

    def _ready(self, make: bool) -> bool:
        """Whether the folder is there and good; made where asked for."""
        if self.folder is None:
            return False
        if self._usable:
            return True
        try:
            if make:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.folder.mkdir(mode=0o700, exist_ok=True)
            elif not self.folder.exists():
                return False
        except FileExistsError:
            pass  # something that is no folder: the check below says so
        except OSError:
            return False  # a read-only home is no reason to stop: nothing is kept then
        self._check_folder(self.folder)
        self._usable = True
        return True

    @staticmethod
    def _check_folder(folder: Path) -> None:
        try:
            status = folder.stat()
        except OSError as error:
            raise CacheError(
                f"the cache folder {folder} cannot be used ({error.strerror}); "
                "set GRAPHC_CACHE_DIR to another"
            ) from None
        if not stat.S_ISDIR(status.st_mode):
            raise CacheError(
                f"the cache folder {folder} is no folder; remove it, or set GRAPHC_CACHE_DIR"
            )
        if os.name == "nt":
            return  # the profile is guarded by its access list, which these bits do not show
        if status.st_uid != os.getuid():
            raise CacheError(
                f"the cache folder {folder} belongs to user {status.st_uid}, and this process "
                f"runs as {os.getuid()}: its owner could slip code in. "
                "Set GRAPHC_CACHE_DIR to a folder of your own"
            )
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise CacheError(
                f"others can write to the cache folder {folder} "
                f"(mode {stat.S_IMODE(status.st_mode):o}) and could slip code in. "
                f"Run: chmod 700 '{folder}', or set GRAPHC_CACHE_DIR to another folder"
            )


# ------------------------------------------------------------------------------------------ format
def _encode(entry: Entry) -> bytes:
    names, blobs = list(entry.blobs), list(entry.blobs.values())
    meta = json.dumps({"meta": dict(entry.meta), "names": names}, separators=(",", ":")).encode()
    content = b"".join([
        _HEAD.pack(_MAGIC, _FORMAT, len(meta), len(blobs), 0),
        struct.pack(f"<{len(blobs)}Q", *map(len, blobs)),
        meta,
        *blobs,
    ])  # fmt: skip
    return content + hashlib.sha256(content).digest()


def _decode(content: bytes) -> Entry | None:
    """The entry in a file's bytes, or None when they are not exactly what `_encode` makes."""
    if len(content) < _HEAD.size + _HASH_BYTES:
        return None
    magic, version, meta_bytes, count, _ = _HEAD.unpack_from(content)
    if magic != _MAGIC or version != _FORMAT:
        return None
    body = memoryview(content)[:-_HASH_BYTES]
    if hashlib.sha256(body).digest() != content[-_HASH_BYTES:]:
        return None
    # the hash is right, so the rest is as it was written; a foreign writer is still held to the
    # lengths
    start = _HEAD.size + 8 * count
    if start + meta_bytes > len(body):
        return None
    lengths = struct.unpack_from(f"<{count}Q", body, _HEAD.size)
    if start + meta_bytes + sum(lengths) != len(body):
        return None
    try:
        facts = json.loads(bytes(body[start : start + meta_bytes]))
        meta, names = facts["meta"], facts["names"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(meta, dict) or not isinstance(names, list) or len(names) != count:
        return None
    blobs: dict[str, bytes] = {}
    start += meta_bytes
    for name, length in zip(names, lengths, strict=True):
        blobs[name] = bytes(body[start : start + length])
        start += length
    return Entry(meta, blobs)
