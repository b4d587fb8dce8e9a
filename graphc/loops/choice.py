"""Choice: what a schedule takes from a measurement instead of from an estimate.

Made by `candidates` and read by `shapes` and `schedule`, which take of it what is legal for a nest
and leave the rest to their estimates: no Choice makes wrong code, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from graphc_runtime.records import dataclass

LIMITS = {"width": 4, "height": 30, "block": 64, "terms": 4096, "lanes": 4}
"""The largest number of each field that is one."""
WORDS = {
    "columns": ("", "in place", "once", "local"),
    "rows": ("", "in place", "packed"),
    "share": ("", "rows", "columns"),
}
"""The words of the other fields."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Fields that are 0 or "" are left to the estimate.

    Units: registers (width, lanes), rows (height), tiles (block), terms of a sum (terms).
    """

    width: int = 0
    """Of a register tile."""
    height: int = 0
    """Of a register tile."""
    columns: str = ""
    """Where columns are read: "in place", or packed "once" for all rows or "local" in a batch."""
    rows: str = ""
    """Where rows are read: "in place", or in "packed" blocks."""
    block: int = 0
    """Of a block of rows."""
    terms: int = 0
    """Of a slice of a deep sum."""
    share: str = ""
    """What workers share: blocks of "rows", or groups of "columns"."""
    lanes: int = 0
    """Of a loop without a register tile."""

    def __str__(self) -> str:
        words: list[str] = []
        if self.width or self.height:
            words.append(f"tile of {self.height or '?'} rows x {self.width or '?'} registers")
        if self.columns:
            words.append(f"columns {self.columns if self.columns == 'in place' else 'packed'}")
        if self.rows:
            words.append(f"rows {self.rows}")
        if self.block:
            words.append(f"blocks of {self.block} tiles")
        if self.terms:
            words.append(f"slices of {self.terms} terms")
        if self.share:
            words.append(f"workers share {self.share}")
        if self.lanes:
            words.append(f"{self.lanes} registers of lanes")
        return ", ".join(words) or "the estimate"

    def as_meta(self) -> dict[str, Any]:
        """What differs from the estimate, for JSON."""
        return {k: v for k, v in asdict(self).items() if v}

    @staticmethod
    def from_meta(meta: Any) -> Choice | None:
        """The choice in what JSON gave; None where it is not what `as_meta` can have made."""
        names = {f.name for f in fields(Choice)}
        if not isinstance(meta, Mapping) or not names.issuperset(meta):
            return None
        for name, value in meta.items():
            if name in WORDS:
                if value not in WORDS[name]:
                    return None
            elif type(value) is not int or not 0 <= value <= LIMITS[name]:
                return None
        return Choice(**meta)


ESTIMATE = Choice()
"""Everything as the estimates say."""
