"""The disk cache: damaged entries, several processes, bounds, and folders that are refused."""

from __future__ import annotations

import multiprocessing
import os
import random
import stat
import time
from pathlib import Path

import pytest

from graphc.cache import Cache, CacheError, Entry, default_folder, key
from graphc.errors import GraphcError

PARTS = {"graph": "f(x f32[n]) -> x", "target": "x86-64-v4", "graphc": "0.1"}
ENTRY = Entry(
    {"parts": PARTS, "entry": "main", "sizes": [1, 2]},
    {"object": bytes(range(256)) * 80, "text": b"ir"},
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_round_trip(cache: Cache) -> None:
    name = key(PARTS)
    assert cache.get(name) is None
    assert cache.put(name, ENTRY)
    assert cache.get(name) == ENTRY
    assert (cache.hits, cache.misses, cache.damaged) == (1, 1, 0)
    assert cache.put(name, Entry()) and cache.get(name) == Entry()
    assert [one.key for one in cache.list()] == [name]
    assert cache.size() == sum(one.nbytes for one in cache.list()) > 0
    assert cache.clear() == 1 and cache.get(name) is None and cache.size() == 0


def test_key_depends_on_every_part_and_not_on_order() -> None:
    assert key(PARTS) == key(dict(reversed(PARTS.items())))
    assert len(key(PARTS)) == 64
    assert key({"ab": "c"}) != key({"a": "bc"}) != key({"a": "b", "c": ""})


def test_why_tells_the_parts(cache: Cache) -> None:
    cache.put(key(PARTS), ENTRY)
    cache.put(key({"other": "x"}), Entry({"parts": {"other": "x"}}))
    assert cache.why(key(PARTS)) == {key(PARTS): PARTS}
    assert cache.why(key(PARTS)[:10]) == {key(PARTS): PARTS}
    assert len(cache.why("")) == 2


def test_damage_anywhere_is_found(cache: Cache) -> None:
    name = key(PARTS)
    cache.put(name, ENTRY)
    path = cache.folder / f"{name}.gcc"
    good = path.read_bytes()
    places = [*range(0, 64), *range(64, len(good), 211), *range(len(good) - 40, len(good))]
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 0x10
        path.write_bytes(bad)
        assert cache.get(name) is None
        assert not path.exists()
    for length in [*range(0, 64), *range(64, len(good), 977), len(good) - 1]:
        path.write_bytes(good[:length])
        assert cache.get(name) is None
    for foreign in (b"", b"not ours" * 100, good + b"x", good + good):
        path.write_bytes(foreign)
        assert cache.get(name) is None
    assert cache.damaged == len(places) + len([*range(0, 64), *range(64, len(good), 977), 0]) + 4
    assert cache.put(name, ENTRY) and cache.get(name) == ENTRY


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", limit_bytes=75_000)
    names = [key({"n": str(n)}) for n in range(8)]
    for n, name in enumerate(names[:4]):
        cache.put(name, Entry({}, {"b": bytes(10_000)}))
        used = time.time() - 86400 * (10 - n)
        os.utime(cache.folder / f"{name}.gcc", (used, used))
    assert cache.get(names[0])  # a hit makes it the youngest
    for name in names[4:]:
        cache.put(name, Entry({}, {"b": bytes(10_000)}))
    assert cache.size() <= 75_000 and cache.evicted > 0
    left = {one.key for one in cache.list()}
    assert names[0] in left and names[1] not in left and names[7] in left
    assert not cache.put(names[1], Entry({}, {"b": bytes(80_000)}))  # larger than all


def test_abandoned_files_are_swept(cache: Cache) -> None:
    cache.put(key(PARTS), ENTRY)
    old, young = cache.folder / "new-old", cache.folder / "new-young"
    for path in (old, young):
        path.write_bytes(b"half")
    past = time.time() - 7200
    os.utime(old, (past, past))
    cache.clear()
    assert not old.exists() and young.exists()


def test_folder_is_private(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "cache")
    assert not cache.folder.exists()  # made at the first write
    cache.put(key(PARTS), ENTRY)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    (file,) = cache.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720])
def test_folder_of_others_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(CacheError, match="chmod 700"):
        Cache(folder)
    assert issubclass(CacheError, GraphcError)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("x")
    with pytest.raises(CacheError, match="no folder"):
        Cache(tmp_path / "cache")


def test_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(CacheError, match="belongs to user"):
        Cache(folder)


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for off in ("", "off"):
        monkeypatch.setenv("GRAPHC_CACHE_DIR", off)
        cache = Cache()
        assert default_folder() is None and not cache.enabled
        assert not cache.put(key(PARTS), ENTRY) and cache.get(key(PARTS)) is None
        assert cache.list() == [] and cache.clear() == 0 and cache.why("") == {}
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "here"))
    assert Cache().folder == tmp_path / "here"
    monkeypatch.delenv("GRAPHC_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "graphc"


def test_a_key_is_no_path(cache: Cache) -> None:
    for bad in ("", "../x", "a/b", ".", "a\0"):
        with pytest.raises(CacheError, match="no key"):
            cache.get(bad)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.get(key(PARTS)) is None
    with pytest.raises(CacheError, match="set GRAPHC_CACHE_DIR"):
        cache.put(key(PARTS), ENTRY)


def _writer(folder: str, seed: int, rounds: int) -> None:
    cache, chance, wrong = Cache(folder, limit_bytes=400_000), random.Random(seed), 0
    for _ in range(rounds):
        n = chance.randrange(12)
        name = key({"n": str(n)})
        cache.put(name, Entry({"n": n}, {"b": bytes([n]) * 40_000}))
        found = cache.get(key({"n": str(chance.randrange(12))}))
        wrong += found is not None and found.blobs["b"] != bytes([found.meta["n"]]) * 40_000
    os._exit(1 if wrong or cache.damaged else 0)


def test_many_processes_and_kill(tmp_path: Path) -> None:
    folder = str(tmp_path / "cache")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_writer, args=(folder, seed, 60)) for seed in range(3)]
    victim = context.Process(target=_writer, args=(folder, 9, 1_000_000))
    for process in (*workers, victim):
        process.start()
    until = time.monotonic() + 30
    while not os.path.isdir(folder) and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)
    victim.kill()
    for process in (*workers, victim):
        process.join(60)
    assert [process.exitcode for process in workers] == [0, 0, 0]
    cache = Cache(folder, limit_bytes=400_000)
    for one in cache.list():
        entry = cache.get(one.key)
        assert entry is not None and entry.blobs["b"] == bytes([entry.meta["n"]]) * 40_000
    assert cache.damaged == 0
