"""Signing artifacts: ed25519 over the manifest. graphc_runtime/signatures.py compares.

Needs the library cryptography (extra `sign`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from graphc_runtime.artifact import open_artifact
from graphc_runtime.manifest import NAME, SIGNATURE

from ..errors import BuildError


def _keys() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise BuildError(
            "artifacts are signed by the library cryptography: pip install graphc[sign]"
        ) from None
    return ed25519


def new_key() -> bytes:
    """The 32 bytes of a new private key; keep them secret."""
    return _keys().Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private_key: bytes) -> bytes:
    """The 32 bytes that others compare signatures with."""
    return _private(private_key).public_key().public_bytes_raw()


def sign(content: bytes, private_key: bytes) -> bytes:
    """The signature of a manifest's bytes."""
    return _private(private_key).sign(content)


def sign_artifact(folder: str | os.PathLike[str], private_key: bytes) -> None:
    """Signs an artifact that is there, after comparing all of its files with its manifest.

    Raises:
        ArtifactError: when it is damaged.
    """
    open_artifact(folder).check()
    content = (Path(folder) / NAME).read_bytes()
    (Path(folder) / SIGNATURE).write_bytes(sign(content, private_key))


def _private(key: bytes) -> Any:
    if len(key) != 32:
        raise BuildError(f"a private ed25519 key has 32 bytes, not {len(key)}")
    return _keys().Ed25519PrivateKey.from_private_bytes(key)
