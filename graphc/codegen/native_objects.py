"""Makes the runtime's prebuilt objects, `runtime/native-ARCH.o`, from `runtime/native.ll`.

For developers of graphc.

    python -m graphc.codegen.native_objects [--check]

A machine whose architecture has no prebuilt object compiles native.ll once and caches it (see
compile.ensure_native). Each object begins with nothing of the machine it was made on: the processor
is the architecture's baseline.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import graphc_runtime

from .build import build_native
from .target import Target

ARCHITECTURES = ("x86_64", "aarch64")
_CPU = {"x86_64": "x86-64", "aarch64": "generic"}


def folder() -> Path:
    return Path(graphc_runtime.__file__).parent


def stamp() -> str:
    """What the objects were made from: the hash of native.ll."""
    return hashlib.sha256(graphc_runtime.native_source().encode()).hexdigest()


def main(arguments: list[str]) -> int:
    """Writes the objects, or with --check says whether they belong to native.ll."""
    note = folder() / "native-objects.sha256"
    if "--check" in arguments:
        return 0 if note.read_text(encoding="ascii").strip() == stamp() else 1
    for arch in ARCHITECTURES:
        target = Target(f"{arch}-unknown-linux-gnu", _CPU[arch], "")
        content = build_native(graphc_runtime.native_source(), target)
        (folder() / f"native-{arch}.o").write_bytes(content)
    note.write_text(stamp() + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
