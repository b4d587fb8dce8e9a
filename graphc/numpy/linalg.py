"""numpy.linalg for traced arrays: the public names of decompositions.py."""

from __future__ import annotations

from numpy.linalg import LinAlgError as LinAlgError

from .namespace import names_of

globals().update(names_of("linalg"))
