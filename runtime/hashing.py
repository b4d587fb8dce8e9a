"""SHA-256: hashlib's for large contents; for small ones CPython's own, since loading OpenSSL takes
longer than hashing them."""

from __future__ import annotations

from typing import Any

try:
    from _sha2 import sha256 as _small  # type: ignore[import-not-found]  # CPython 3.12 and newer
except ImportError:
    try:
        from _sha256 import sha256 as _small  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256 as _small

LARGE_BYTES = 1 << 18


def sha256(content: Any) -> str:
    """The hash of bytes, in hexadecimal digits."""
    if len(content) > LARGE_BYTES:
        import hashlib

        return hashlib.sha256(content).hexdigest()
    return _small(content).hexdigest()
