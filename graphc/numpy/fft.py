"""numpy.fft for traced arrays: the public names of fourier.py."""

from __future__ import annotations

from typing import Any

from .namespace import names_of
from .refused import remedy

globals().update(names_of("fft"))


def __getattr__(name: str) -> Any:
    raise remedy("fft", name)
