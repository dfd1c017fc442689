"""The keys of a vault: one that names are made with, and those that files are sealed under; as they lie wrapped.

Belongs here: making, wrapping and unwrapping them. A vault of its own key derives all of them from it; any other keeps
them in a file of their own, wrapped by a key that a file, a secret manager or a key service keeps. Then that key, and
the one that files are sealed under, can change. The key of names cannot: what was derived from it stands in tables.
What a vault does with them is `deid.vault`, changing them `deid.rekeying`.
"""

import hmac
import json
import os
import secrets
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.document import canonical_json

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = "larmor vault keys 1"


class VaultError(ValueError):
    """The vault cannot be opened; the message says what was found and needed."""


@runtime_checkable
class Service(Protocol):
    """A service that keeps the key that wraps, and lets nobody see it, such as AWS KMS."""

    def fresh(self) -> tuple[bytes, str]:
        """A new key of 32 bytes, and the text by which the service gives it again."""
        ...

    def again(self, text: str) -> bytes:
        """The key of such a text.

        Raises:
            ValueError: if the service does not give it; the message says why.
        """
        ...


Wrapping = bytes | Service
"""What wraps the keys of a vault: a key of 32 bytes, or a service that has one."""


@dataclass(frozen=True)
class Keyring:
    """The keys.

    Attributes:
        names: makes the names of files, and keys for other purposes; the same for the vault's whole life.
        data: files are sealed under the first; the others are those before it, until nothing is sealed under them.
    """

    names: bytes = field(repr=False)
    data: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of_own_key(cls, key: bytes) -> "Keyring":
        """The keys of a vault that derives all of them from a key of its own."""
        names, data = (hmac.digest(key, b"larmor vault " + what, "sha256") for what in (b"names", b"files"))
        return cls(names, (data,))

    @classmethod
    def fresh(cls) -> "Keyring":
        """Keys of a new vault."""
        return cls(secrets.token_bytes(KEY_BYTES), (secrets.token_bytes(KEY_BYTES),))

    def renewed(self) -> "Keyring":
        """The same with a new key for files before the others."""
        return replace(self, data=(secrets.token_bytes(KEY_BYTES), *self.data))

    def settled(self) -> "Keyring":
        """The same without the keys that nothing is sealed under any more."""
        return replace(self, data=self.data[:1])

    def wrapped(self, by: Wrapping) -> bytes:
        """The file of the keys."""
        key, text = by.fresh() if isinstance(by, Service) else (by, None)
        head = {"format": _FORMAT, "service": text}
        plain = canonical_json({"names": self.names.hex(), "data": [key.hex() for key in self.data]}).encode()
        return canonical_json({**head, "sealed": sealed(_wrapping(key), plain, canonical_json(head)).hex()}).encode()

    @classmethod
    def unwrapped(cls, content: bytes, by: Wrapping) -> "Keyring":
        """The keys in a file.

        Raises:
            VaultError: if it is no such file, was damaged, or something else wrapped it.
            ValueError: if the service does not give its key; the message says why.
        """
        try:
            fields = json.loads(content)
            head, data = {name: fields[name] for name in ("format", "service")}, bytes.fromhex(fields["sealed"])
            text: str | None = head["service"]
        except (ValueError, TypeError, KeyError):
            raise VaultError(
                "found a damaged file of the vault's keys, needed it as it was; restore vault.keys from a backup"
            ) from None
        if head["format"] != _FORMAT:
            raise VaultError(f"found the vault's keys in another form, needed {_FORMAT!r}; use a newer Larmor")
        if (text is not None) != isinstance(by, Service):
            found, remedy = ("a KMS key", "LARMOR_VAULT_KMS_KEY") if text else ("a key", "LARMOR_VAULT_KEY_FILE")
            raise VaultError(f"found a vault whose keys {found} wraps, needed that one; set {remedy}")
        key = by.again(text or "") if isinstance(by, Service) else by
        try:
            said = json.loads(unsealed(_wrapping(key), data, canonical_json(head)))
        except InvalidTag:
            raise VaultError(
                "found a vault whose keys another key wraps, needed that one; set LARMOR_VAULT_KEY_FILE, "
                "LARMOR_VAULT_KEY_SECRET or LARMOR_VAULT_KMS_KEY to it"
            ) from None
        return cls(bytes.fromhex(said["names"]), tuple(map(bytes.fromhex, said["data"])))


def sealed(key: bytes | AESGCM, plain: bytes, name: str) -> bytes:
    """Content under a key, bound to a name: a fresh nonce and AES-256-GCM."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, plain, name.encode())


def unsealed(key: bytes | AESGCM, data: bytes, name: str) -> bytes:
    """What was sealed.

    Raises:
        cryptography.exceptions.InvalidTag: if it was not sealed under this key and name.
    """
    if len(data) <= _NONCE_BYTES:
        raise InvalidTag
    return _cipher(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], name.encode())


def _cipher(key: bytes | AESGCM) -> AESGCM:
    return AESGCM(key) if isinstance(key, bytes) else key


def _wrapping(key: bytes) -> bytes:
    """The wrapping key, which is none of those that a vault of its own key derives from the same 32 bytes."""
    return hmac.digest(key, b"larmor vault wrapping", "sha256")
