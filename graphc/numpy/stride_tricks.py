"""numpy.lib.stride_tricks for traced arrays."""

from __future__ import annotations

from .namespace import names_of

globals().update(names_of("lib.stride_tricks"))
