"""The examples of docs/optim.md print what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "optim.md"


def test_examples_print_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In order, in one namespace; a block of code is followed by what it prints."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.S)
    assert len(blocks) == text.count("```python") == 6
    names: dict[str, object] = {}
    with np.printoptions():
        for number, (code, shown) in enumerate(blocks):
            file = tmp_path / f"block{number}.py"
            file.write_text(code, encoding="utf-8")
            exec(compile(code, str(file), "exec"), names)
            assert capsys.readouterr().out == shown, code
