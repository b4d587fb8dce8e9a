"""docs/ship.md is true: its files are written, its commands run, and they print what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "ship.md").read_text(encoding="utf-8")


def test_the_guide(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc)")
    blocks = re.findall(r"<!-- (file: \S+|run|output) -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL)
    assert [kind for kind, _ in blocks] == [
        "file: model.py", "run", "file: main.c", "run", "output", "run", "output"
    ]  # fmt: skip
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = ""
    for kind, text in blocks:
        if kind == "run":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, capture_output=True,
                text=True, env={**os.environ, "PATH": paths},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            printed = done.stdout
        elif kind == "output":
            assert printed.rstrip("\n") == text.rstrip("\n")
        else:
            (tmp_path / kind.removeprefix("file: ")).write_text(text)


def test_every_target_is_in_the_table() -> None:
    from graphc.aot.targets import PLATFORMS
    from graphc.commands import build

    for where in PLATFORMS:
        assert f"`{where.name}`" in GUIDE
        assert where.name in build._targets()
