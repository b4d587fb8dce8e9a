"""numpy.linalg for traced arrays: the public names of decompositions.py and spectra.py."""

from __future__ import annotations

from typing import Any

from numpy.linalg import LinAlgError as LinAlgError

from .namespace import names_of
from .refused import remedy

globals().update(names_of("linalg"))


def __getattr__(name: str) -> Any:
    raise remedy("linalg", name)
