"""`graphc cache`: a look into the folder of compiled programs."""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version
from typing import Any

from ..cache import Cache, Entry
from ..compile import FORMAT, VERSION
from .command import OK, UserError, add_command

PROGRAM_TEXTS = ("graph", "loops", "convolution")
"""The parts of a key that are texts of many lines."""
CACHE_EXAMPLES = """
examples:
  graphc cache list        one line per entry, the one used last first
  graphc cache why 3f9a    what entry 3f9a... was made from; would this process use it?
  graphc cache clear       removes all entries; compiled programs that run keep running
"""


def add(commands: Any) -> None:
    parser = add_command(
        commands, "cache", _cache_list, "look into the folder of compiled programs", CACHE_EXAMPLES
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_command(actions, "list", _cache_list, "all entries, the one used last first")
    add_command(actions, "size", _cache_size, "the folder, its bytes and its limit")
    add_command(actions, "clear", _cache_clear, "remove every entry")
    why = add_command(actions, "why", _cache_why, "what an entry was made from")
    why.add_argument(
        "key", metavar="KEY", help="the first letters of an entry's key, or a function's name"
    )


def _store() -> Cache:
    store = Cache()
    if store.folder is None:
        raise UserError("there is no cache on disk: GRAPHC_CACHE_DIR is empty or off")
    return store


def _cache_list(options: argparse.Namespace) -> int:
    store = _store()
    found = store.list()
    for one in found:
        entry = store.get(one.key)
        name = entry.meta.get("name", "?") if entry else "damaged, removed"
        print(f"{one.key[:12]}  {_bytes(one.nbytes):>10}  {_ago(one.used):>14}  {name}")
    print(f"{len(found)} entries, {_bytes(sum(one.nbytes for one in found))} in {store.folder}")
    return OK


def _cache_size(options: argparse.Namespace) -> int:
    store = _store()
    print(f"{_bytes(store.size())} of at most {_bytes(store.limit_bytes)} in {store.folder}")
    return OK


def _cache_clear(options: argparse.Namespace) -> int:
    store = _store()
    nbytes, count = store.size(), store.clear()
    print(f"removed {count} entries, {_bytes(nbytes)}")
    return OK


def _cache_why(options: argparse.Namespace) -> int:
    store = _store()
    wanted = options.key
    shown = 0
    for one in store.list():
        entry = store.get(one.key)
        if entry is None or not (one.key.startswith(wanted) or entry.meta.get("name") == wanted):
            continue
        shown += 1
        print("\n".join(_explained(one.key, entry)))
    if not shown:
        raise UserError(
            f"no entry has the key or the name {wanted}; `graphc cache list` shows what is there"
        )
    return OK


def _explained(key: str, entry: Entry) -> list[str]:
    """What an entry was made from; each part that this process would make otherwise is named."""
    here = _parts_here()
    parts = {k: str(v) for k, v in entry.meta.get("parts", {}).items()}
    lines = [f"{key}: {entry.meta.get('name', '?')}"]
    stale = []
    for name, value in sorted(parts.items()):
        if name in PROGRAM_TEXTS:
            continue
        note = ""
        if name in here:
            note = "  (as here)" if here[name] == value else f"  (here: {here[name]})"
            stale += [name] if here[name] != value else []
        lines.append(f"  {name:<11}{value}{note}")
    if stale:
        lines.append(f"  this process does not use it: {' and '.join(stale)} differ")
    else:
        lines.append("  this process uses it for this graph and these options")
    for word in ("kernels", "results"):
        if entry.meta.get(word):
            lines.append(f"  {word:<11}{', '.join(entry.meta[word])}")
    if "chosen" in entry.meta:
        lines.append(f"  chosen     {entry.meta['chosen']}")
        lines += [f"    {s * 1e3:10.4f} ms  {what}" for what, s in entry.meta["candidates"]]
    for name in PROGRAM_TEXTS:
        lines += [f"    {line}" for line in parts.get(name, "").splitlines()]
    return lines


def _parts_here() -> dict[str, str]:
    from ..codegen.target import host_fingerprint

    return {
        "machine": host_fingerprint(),
        "graphc": f"{VERSION}/{FORMAT}",
        "llvm": version("llvmlite"),
    }


def _bytes(count: float) -> str:
    from ..doctor import readable_bytes

    return readable_bytes(count)


def _ago(when: float) -> str:
    minutes = max(0, int(time.time() - when)) // 60
    for unit, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= unit:
            count = minutes // unit
            return f"{count} {name}{'s' * (count != 1)} ago"
    return "just now"
