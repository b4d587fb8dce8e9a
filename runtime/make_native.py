"""Makes native.ll from native.c, and likewise threads.ll and extension.ll. For developers of
graphc, after a change of the C; users never run it.

    python -m graphc_runtime.make_native [--check]      needs clang-16 (or GRAPHC_CLANG); --check
    only compares

Lines that tie the text to the machine it was made on are dropped: triple, data layout, target
attributes, ident.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
FLAGS = (
    "-std=gnu11 -O2 -fPIC -ffreestanding -fno-builtin -fno-stack-protector -fno-exceptions "
    "-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing -fvisibility=hidden "
    "-Wall -Wextra -Wno-unused-parameter -Werror"
).split()
_TIED_LINES = re.compile(
    r"^(source_filename|target (triple|datalayout)|; ModuleID).*\n", re.MULTILINE
)
_TIED_ATTRIBUTES = re.compile(
    r' "(target-cpu|target-features|tune-cpu|frame-pointer|min-legal-vector-width)"="[^"]*"'
)
_IDENT = re.compile(r"^!llvm\.ident = .*\n", re.MULTILINE)
_IDENT_TEXT = re.compile(r'^!\d+ = !\{!"[^"]*clang version[^"]*"\}\n', re.MULTILINE)


NAMES = ("native", "threads", "extension")


def make(name: str = "native") -> str:
    """The text of native.ll, or of another of NAMES.

    Raises:
        OSError, subprocess.CalledProcessError: when clang is not there, or refuses the C.
    """
    clang = os.environ.get("GRAPHC_CLANG", "clang-16")
    command = [clang, *FLAGS, "-S", "-emit-llvm", "-o", "-", f"{name}.c"]
    text = subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True).stdout
    for pattern in (_TIED_LINES, _TIED_ATTRIBUTES, _IDENT, _IDENT_TEXT):
        text = pattern.sub("", text)
    head = (
        f"; Made from {name}.c by make_native.py; do not edit.\n"
        "; Triple and data layout are set when it is compiled.\n"
    )
    return head + text


def main() -> int:
    """Writes the texts, or with --check says whether they are up to date."""
    stale = 0
    for name in NAMES:
        path, text = FOLDER / f"{name}.ll", make(name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif path.read_text() != text:
            stale = 1
            print(
                f"{name}.ll is not what {name}.c gives: run python -m graphc_runtime.make_native",
                file=sys.stderr,
            )
    return stale


if __name__ == "__main__":
    sys.exit(main())
