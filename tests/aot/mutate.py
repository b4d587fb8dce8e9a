"""Run by test_artifact_damage.py in a process of its own: damages copies of an artifact, one after
the other, and opens them. A damaged one has to raise ArtifactError, and nothing else.

    python mutate.py ARTIFACT ROOM SEED COUNT
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from graphc_runtime import manifest
from graphc_runtime.artifact import open_artifact
from graphc_runtime.errors import ArtifactError

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 64, 1 << 70, 0.5, "", "x", "../x", "/x", "b", "f64", [], {}, [[]],
    ["b"], {"tuple": []}, {"static": 1}, "0" * 64,
)  # fmt: skip


def opened(place: Path) -> None:
    """Everything that is asked of an artifact."""
    found = open_artifact(place)
    found.check()
    for name in [f.name for f in found.manifest.functions]:
        if found.manifest.functions[0].graph is not None:
            found.graph(name)
    x = np.ones((2, 6), np.float32)
    found.functions["layer"](x, np.ones((6, 4), np.float32), np.zeros(4, np.float32))


def files_of(place: Path) -> list[Path]:
    return sorted(p for p in place.rglob("*") if p.is_file())


def flip(place: Path, rng: random.Random) -> str:
    path = rng.choice(files_of(place))
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    content[at] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return f"bit flip in {path.name} at {at}"


def truncate(place: Path, rng: random.Random) -> str:
    path = rng.choice(files_of(place))
    length = rng.randrange(path.stat().st_size)
    path.write_bytes(path.read_bytes()[:length])
    return f"{path.name} cut to {length}"


def extend(place: Path, rng: random.Random) -> str:
    path = rng.choice(files_of(place))
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 9)))
    return f"{path.name} is longer"


def remove(place: Path, rng: random.Random) -> str:
    path = rng.choice(files_of(place))
    path.unlink()
    return f"without {path.name}"


def swap(place: Path, rng: random.Random) -> str:
    one, two = rng.sample(files_of(place), 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    return f"{one.name} and {two.name} swapped"


def edit(place: Path, rng: random.Random) -> str:
    """One entry of the manifest, by somebody who does not know of the id."""
    return _edited(place, rng, False)


def forge(place: Path, rng: random.Random) -> str:
    """One entry of the manifest, with an id that fits: read, and not run."""
    what = _edited(place, rng, True)
    try:
        manifest.read((place / manifest.NAME).read_bytes())
    except ArtifactError:
        pass
    (place / manifest.NAME).unlink()
    return what


def _edited(place: Path, rng: random.Random, signed: bool) -> str:
    path = place / manifest.NAME
    tree = json.loads(path.read_bytes())
    spots: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            if key != "id":
                spots.append((node, key))
            if isinstance(value, (dict, list)):
                walk(value)

    walk(tree)
    while True:
        node, key = rng.choice(spots)
        value = rng.choice(VALUES)
        if type(value) is not type(node[key]) or value != node[key]:
            break
    if rng.random() < 0.2 and isinstance(node, dict):
        del node[key]
    else:
        node[key] = value
    text = json.dumps(tree, indent=1).encode() + b"\n"
    if signed:
        text = text.replace(tree["id"].encode(), manifest.digest(text).encode(), 1)
    path.write_bytes(text)
    return f"{key} = {value!r} in the manifest"


MUTATIONS = (flip, flip, truncate, extend, remove, swap, edit, edit, forge)


def main() -> None:
    source, room, seed, count = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
    opened(source)
    rng = random.Random(seed)
    bad = 0
    for number in range(count):
        place = room / f"{number}"
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        what = rng.choice(MUTATIONS)(place, rng)
        try:
            opened(place)
            result = "nothing was said"
        except ArtifactError:
            result = ""
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        if result:
            bad += 1
            print(f"{number}: {what}: {result}")
        shutil.rmtree(place)
    bad += zips(source, room, rng, count // 4)
    print(f"{count} damaged artifacts, {bad} wrong answers")


def zips(source: Path, room: Path, rng: random.Random, count: int) -> int:
    """Zip files with one changed byte: an error, or the whole content is as it was."""
    whole = room / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of(source):
            if "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(source))
    opened(whole)
    content, bad = whole.read_bytes(), 0
    for number in range(count):
        changed = bytearray(content)
        at = rng.randrange(len(changed))
        changed[at] ^= rng.randrange(1, 256)
        if rng.random() < 0.2:
            del changed[at:]
        place = room / f"{number}.zip"
        place.write_bytes(changed)
        try:
            opened(place)
        except ArtifactError:
            pass
        except BaseException as error:
            bad += 1
            print(f"zip file changed at {at}: {type(error).__name__}: {error}")
        place.unlink()
    return bad


if __name__ == "__main__":
    main()
