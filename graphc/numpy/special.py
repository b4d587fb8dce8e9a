"""scipy.special's names for traced arrays: the public names of special_functions.py."""

from __future__ import annotations

from .namespace import names_of

globals().update(names_of("special"))
