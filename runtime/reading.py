"""Reads objects of JSON that nobody vouches for: every entry is taken with its type.

Who calls it: manifest.py and gpu_plan.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import ArtifactError


class Reader:
    """An object, whose entries are taken with their types."""

    def __init__(self, tree: Any, where: str):
        if not isinstance(tree, dict):
            raise ArtifactError(f"{where} is no object")
        self.tree, self.where = tree, where

    def get(self, key: str, kind: type) -> Any:
        found = self.tree.get(key)
        if type(found) is not kind:
            raise ArtifactError(f"{self.where} has no {key} of the type {kind.__name__}")
        return found

    def text(self, key: str) -> str:
        return self.get(key, str)

    def one_of(self, key: str, known: Any) -> str:
        found = self.text(key)
        if found not in known:
            raise ArtifactError(f"{self.where} has the {key} {found!r}, which is not known")
        return found

    def number(self, key: str, least: int, most: int = 2**62) -> int:
        found = self.get(key, int)
        if not least <= found <= most:
            raise ArtifactError(f"{self.where} has the {key} {found}")
        return found

    def name(self, key: str) -> str:
        found = self.text(key)
        if not found.isidentifier() or not found.isascii() or found.startswith("_"):
            raise ArtifactError(f"{self.where} has the {key} {found!r}, which is no name")
        return found

    def each(self, key: str, one: Callable[[Any, str], Any]) -> tuple[Any, ...]:
        row = self.get(key, list)
        return tuple(one(item, f"{self.where}.{key}[{k}]") for k, item in enumerate(row))

    def path(self, key: str) -> str:
        return check_path(self.text(key), f"{self.where}.{key}")


def check_path(path: Any, where: str) -> str:
    """A path inside the artifact.

    Raises:
        ArtifactError: for one that is absolute, leads out of it, or means something else elsewhere.
    """
    parts = path.split("/") if type(path) is str else [".."]
    plain = all(re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*", part) for part in parts)
    if not plain or len(path) > 255:
        raise ArtifactError(f"{where} is {path!r}, which is no path inside the artifact")
    return path


def text(x: Any, where: str) -> str:
    if type(x) is not str:
        raise ArtifactError(f"{where} is no text")
    return x
