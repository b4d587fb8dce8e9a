"""Makes data/formatN.zip, an artifact of the present format, which has to load for ever. Run by
hand once for each new format, before its first release:

    python -m tests.aot.make_stored
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from graphc_runtime.manifest import FORMAT

from graphc.aot.build import build, export

from . import built

DATA = Path(__file__).parent / "data"
WHEN = (1980, 1, 1, 0, 0, 0)


def make(place: Path) -> None:
    """A zip file with one of each: nested arguments, an array written over, a requirement."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "stored"
        build(
            folder,
            export(built.layer, x="f32[b, 6]", w="f32[6, 4]", b="f32[4]"),
            export(built.wide, x="f32[b, 6]"),
            export(built.nested, params={"w": ["f32[n]", built.Point("f32[n]", "f32[n]")],
                                         "s": built.State("f32[n]", "f32[2]")},
                   batch=("f32[n]", ["f32[n]", "f32[n]"])),
            export(built.numbers, x="f64[n]", scale="float", count="int", flag="bool", z="complex"),
            export(built.step, params={"w": "f32[k]"}, x="f32[b, k]", rate="f32", donate="params"),
            export(built.shifted, x="f64[n]"),
            export(built.taken, x="f64[n]", index="i64[k]"),
            export(built.labelled, x="f64[n]", static={"mode": "double"}),
            target="x86_64-linux-gnu,aarch64-linux-gnu", cpu="baseline", linker="own",
            weights="file", doc="An artifact of an older day.",
        )  # fmt: skip
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                name = zipfile.ZipInfo(path.relative_to(folder).as_posix(), WHEN)
                archive.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    make(DATA / f"format{FORMAT}.zip")
