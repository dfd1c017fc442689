"""The keys of the seals: an Ed25519 private key that signs, and the public key that anyone checks with.

Belongs here: making, reading and naming keys. What is signed is `lineage.ledger.seals`.
"""

import contextlib
import hashlib
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lake.stores import secrets
from lake.zones import Lake
from schemas.contract import Zone

PRIVATE_NAME = "ledger.ed25519"
"""Private key in `restricted/keys`."""

PUBLIC_NAME = "public.pem"
"""Public key in `audit/seals`."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyFileError(ValueError):
    """A key file is missing, is no Ed25519 key, or can be read by others; the message says what to do."""


def private_key(lake: Lake) -> Ed25519PrivateKey:
    """The key that signs: of the secret or the file that the settings name, or made once in the restricted zone.

    Raises:
        KeyFileError: if the file is missing, is no Ed25519 private key, or can be read by others than its owner.
        SecretError: if the secret cannot be read.
    """
    if lake.settings.seal_key_secret is not None:
        return _private(secrets.read(lake.settings.seal_key_secret, "LARMOR_SEAL_KEY_SECRET"))
    if lake.settings.seal_key_file is not None:
        return _read_private(lake.settings.seal_key_file)
    folder = lake.location(Zone.RESTRICTED, "keys")
    if not folder.exists(PRIVATE_NAME):
        made = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with contextlib.suppress(FileExistsError):  # another process made it at the same moment: both use that one
            folder.create(PRIVATE_NAME, made)
    if folder.local:
        return _read_private(folder.path / PRIVATE_NAME)
    # who may read it is for the policy of the bucket to say
    return _private(folder.read_bytes(PRIVATE_NAME))


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public key as a PEM file."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_public(data: bytes, name: str = PUBLIC_NAME) -> Ed25519PublicKey:
    """The public key in a PEM file, which must be to the byte what `public_pem` writes.

    Raises:
        KeyFileError: if it is not.
    """
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey) or public_pem(key) != data:
        raise KeyFileError(f"{name}: found no Ed25519 public key in PEM form, needed the one that the seals name")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Name of a key: SHA-256 of its 32 raw bytes, hexadecimal. Keep it outside, on paper."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def _read_private(path: Path) -> Ed25519PrivateKey:
    if not path.is_file():
        raise KeyFileError("found no seal key file, needed an Ed25519 private key (PEM); check LARMOR_SEAL_KEY_FILE")
    if path.stat().st_mode & _OTHERS:
        raise KeyFileError("found a seal key file that others can read, needed mode 0600; run chmod 600 on it")
    return _private(path.read_bytes())


def _private(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError("found a seal key that is no Ed25519 private key in PEM form, needed one without passphrase")
    return key
