"""Signatures of artifacts: ed25519 over the bytes of the manifest, which has the hash of every
file. Needs the library cryptography, and is loaded only where a key is given."""

from __future__ import annotations

from .errors import ArtifactError

BYTES = 64
KEY_BYTES = 32


def verify(content: bytes, signature: bytes, public_key: bytes) -> None:
    """Compares a signature.

    Raises:
        ArtifactError: when it is not the key's, or when cryptography is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ArtifactError(
            "a signature is compared by the library cryptography: pip install graphc[sign]"
        ) from None
    if len(public_key) != KEY_BYTES or len(signature) != BYTES:
        raise ArtifactError(
            f"an ed25519 key has {KEY_BYTES} bytes and a signature {BYTES}, not "
            f"{len(public_key)} and {len(signature)}"
        )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        raise ArtifactError("the artifact was not signed with this key, or was changed") from None
