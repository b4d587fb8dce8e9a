"""Makes native.ll from native.c. For developers of graphc, after a change of the C; users never run
it.

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


def make() -> str:
    """The text of native.ll.

    Raises:
        OSError, subprocess.CalledProcessError: when clang is not there, or refuses the C.
    """
    clang = os.environ.get("GRAPHC_CLANG", "clang-16")
    command = [clang, *FLAGS, "-S", "-emit-llvm", "-o", "-", "native.c"]
    text = subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True).stdout
    for pattern in (_TIED_LINES, _TIED_ATTRIBUTES, _IDENT, _IDENT_TEXT):
        text = pattern.sub("", text)
    head = (
        "; Made from native.c by make_native.py; do not edit.\n"
        "; Triple and data layout are set when it is compiled.\n"
    )
    return head + text


def main() -> int:
    """Writes native.ll, or with --check says whether it is up to date."""
    path, text = FOLDER / "native.ll", make()
    if "--check" in sys.argv[1:]:
        if path.read_text() == text:
            return 0
        print(
            "native.ll is not what native.c gives: run python -m graphc_runtime.make_native",
            file=sys.stderr,
        )
        return 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
