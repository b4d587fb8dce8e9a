"""LLVM IR -> object files, of any platform, several at once."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..codegen.build import build_objects_apart
from ..codegen.parts import data_text
from ..codegen.target import Target


def build(texts: Sequence[tuple[str, Target]]) -> list[bytes]:
    """The object file of each module."""
    return build_objects_apart(texts, os.cpu_count() or 1)


def weights_text(library: str, content: bytes) -> str:
    """A module that holds the block of weights."""
    return f"@{library}.weights = hidden constant {data_text(content)}, align 64\n"
