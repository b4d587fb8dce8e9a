"""SHA-256: hashlib's for large contents; for small ones CPython's own, since loading OpenSSL takes
longer than hashing them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

LARGE_BYTES = 1 << 18


def _built_in() -> Any:
    try:
        return import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
    except ImportError:
        return import_module("hashlib").sha256


_small = _built_in()


def sha256(content: Any) -> str:
    """The hash of bytes, in hexadecimal digits."""
    if len(content) > LARGE_BYTES:
        import hashlib

        return hashlib.sha256(content).hexdigest()
    return _small(content).hexdigest()
