"""numpy.lib for traced arrays."""

from __future__ import annotations

from . import stride_tricks as stride_tricks
