"""Of long lists of alike cases the suite runs some, and `python -m pytest -m heavy` the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thinned(cases: Iterable[Any], every: int = 2, first: int = 0) -> list[Any]:
    """The cases, of which one in `every` is not heavy, from the `first` on. A case of several
    arguments is a tuple of them, and so is one argument that is a tuple itself."""
    found: list[Any] = []
    for number, case in enumerate(cases):
        values = case if isinstance(case, tuple) else (case,)
        marks = () if number % every == first else (pytest.mark.heavy,)
        found.append(pytest.param(*values, marks=marks))
    return found
