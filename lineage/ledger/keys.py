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
from lake.stores.storage import Location
from lake.zones import Lake
from schemas.contract import Zone

PRIVATE_NAME = "ledger.ed25519"
"""Private key in `restricted/keys`."""

NEXT_NAME = "ledger-next.ed25519"
"""Private key in `restricted/keys` that is to take over; it stands under the other name as soon as it has."""

PUBLIC_NAME = "public.pem"
"""Public key of the first seal in `audit/seals`; the keys after it stand in the seals that handed over to them."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyFileError(ValueError):
    """A key file is missing, is no Ed25519 key, or can be read by others; the message says what to do."""


def private_key(lake: Lake, wanted: str | None = None) -> Ed25519PrivateKey:
    """The key that signs: of the secret or the file that the settings name, or made once in the restricted zone.

    Args:
        lake: the lake.
        wanted: fingerprint of the key whose turn it is; None: nobody has signed yet, so that one may be made.

    Raises:
        KeyFileError: if the file is missing, is no Ed25519 private key, or can be read by others than its owner.
        SecretError: if the secret cannot be read.
    """
    if lake.settings.seal_key_secret is not None:
        return of_secret(lake.settings.seal_key_secret, "LARMOR_SEAL_KEY_SECRET")
    if lake.settings.seal_key_file is not None:
        return of_file(lake.settings.seal_key_file)
    folder = lake.location(Zone.RESTRICTED, "keys")
    if folder.exists(NEXT_NAME) and wanted is not None:
        _promote(folder, wanted)
    if not folder.exists(PRIVATE_NAME):
        if wanted is not None:
            raise KeyFileError(
                f"found no {PRIVATE_NAME} in the restricted zone, needed the key that signs the seals; restore it from "
                "a backup, or set LARMOR_SEAL_KEY_FILE or LARMOR_SEAL_KEY_SECRET to it"
            )
        _make(folder, PRIVATE_NAME)
    return _of_zone(folder, PRIVATE_NAME)


def next_key(lake: Lake, current: Ed25519PrivateKey) -> Ed25519PrivateKey:
    """The key that is to take over, made in the restricted zone or left there by a change that did not come to its end.

    Raises:
        KeyFileError: if the current key does not lie there, so that its successor must not either.
    """
    if lake.settings.seal_key_secret is not None or lake.settings.seal_key_file is not None:
        raise KeyFileError(
            "found a seal key that settings name, needed a place for the new one; give larmor seal --rotate-key the "
            "option --new-key FILE or --new-secret NAME"
        )
    folder = lake.location(Zone.RESTRICTED, "keys")
    if folder.exists(NEXT_NAME) and _same(_of_zone(folder, NEXT_NAME), current):
        folder.delete(NEXT_NAME)  # it took over the last time, and whoever put it in its place was killed
    if not folder.exists(NEXT_NAME):
        _make(folder, NEXT_NAME)
    return _of_zone(folder, NEXT_NAME)


def leave(lake: Lake, current: Ed25519PrivateKey) -> None:
    """Delete the keys in the restricted zone that another one, which is kept elsewhere, has taken over from."""
    folder = lake.location(Zone.RESTRICTED, "keys")
    for name in (PRIVATE_NAME, NEXT_NAME):
        if folder.exists(name) and not _same(_of_zone(folder, name), current):
            folder.delete(name)


def new_in_file(path: Path) -> Ed25519PrivateKey:
    """The key in a file, which is made, for its owner only, if there is none.

    Raises:
        KeyFileError: if it is no Ed25519 private key, or can be read by others.
    """
    if not path.exists():
        _make(Location(path.parent, private=True), path.name)
    return of_file(path)


def of_secret(name: str, setting: str) -> Ed25519PrivateKey:
    """The key in a secret of Secrets Manager; `setting` is what named it, for messages.

    Raises:
        KeyFileError: if it is no Ed25519 private key.
        SecretError: if the secret cannot be read.
    """
    return _private(secrets.read(name, setting))


def of_file(path: Path) -> Ed25519PrivateKey:
    """The key in a file.

    Raises:
        KeyFileError: if the file is missing, is no Ed25519 private key, or can be read by others than its owner.
    """
    if not path.is_file():
        raise KeyFileError("found no seal key file, needed an Ed25519 private key (PEM); check LARMOR_SEAL_KEY_FILE")
    if path.stat().st_mode & _OTHERS:
        raise KeyFileError("found a seal key file that others can read, needed mode 0600; run chmod 600 on it")
    return _private(path.read_bytes())


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
    return hashlib.sha256(bytes.fromhex(raw(key))).hexdigest()


def raw(key: Ed25519PublicKey) -> str:
    """The 32 bytes of a public key, hexadecimal."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def of_raw(text: str) -> Ed25519PublicKey:
    """The public key of 32 bytes, hexadecimal."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


def _of_zone(folder: Location, name: str) -> Ed25519PrivateKey:
    # on S3 who may read it is for the policy of the bucket to say
    return of_file(folder.path / name) if folder.local else _private(folder.read_bytes(name))


def _make(folder: Location, name: str) -> None:
    made = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with contextlib.suppress(FileExistsError):  # another process made it at the same moment: both use that one
        folder.create(name, made)


def _promote(folder: Location, wanted: str) -> None:
    """Put the key whose turn has come in the place of the old one, which nothing needs any more."""
    with contextlib.suppress(FileNotFoundError):  # another process did so at the same moment
        pem = folder.read_bytes(NEXT_NAME)
        if fingerprint(_private(pem).public_key()) == wanted:
            folder.write_bytes(PRIVATE_NAME, pem)
            folder.delete(NEXT_NAME)


def _same(one: Ed25519PrivateKey, other: Ed25519PrivateKey) -> bool:
    return raw(one.public_key()) == raw(other.public_key())


def _private(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError("found a seal key that is no Ed25519 private key in PEM form, needed one without passphrase")
    return key
