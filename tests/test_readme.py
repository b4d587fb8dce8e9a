"""README.md is true: its example runs and prints what it shows, and links lead somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from graphc.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def block(marker: str) -> str:
    """The fenced text that follows a marker."""
    found = re.search(rf"<!-- {re.escape(marker)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README.md has no block marked {marker}"
    return found.group(1)


@pytest.mark.parametrize("stage", ["graph", "loops"])
def test_the_example_prints_what_the_readme_shows(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.py").write_text(block("file: model.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "model", raising=False)
    assert main(["show", "model.py:softmax", "--arg", "x: f32[4096, 1024]", "--stage", stage]) == 0
    printed = capsys.readouterr().out.replace(f"{tmp_path}/", "").rstrip("\n")
    assert printed == block(f"output: {stage}").rstrip("\n")


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.py"
    path.write_text(block("file: model.py"))
    code = compile(path.read_text(), str(path), "exec")
    exec(code, {"__name__": "__main__", "__file__": str(path)})
    assert "graph softmax(" in capsys.readouterr().out


@pytest.mark.parametrize("marker", ["ci: demo", "ci: test"])
def test_the_commands_that_ci_runs_are_there(marker: str) -> None:
    assert len(block(marker).strip().splitlines()) == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert not [t for t in targets if not (document.parent / t).exists()]
