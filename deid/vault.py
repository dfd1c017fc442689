"""The vault: who a pseudonymous subject is, and the secret that its UIDs and date shifts derive from.

Belongs here: subjects and their keeping. A subject is one small encrypted file of the restricted zone; deleting it is
shredding: what was derived from its secret can never be derived again. Where the zone lies is `lake.stores.storage`.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lake.stores.storage import Location

KEY_NAME, CHECK_NAME, SUBJECTS, WITHDRAWN = "vault.key", "vault.check", "subjects", "withdrawn"
KEY_BYTES = 32
SHIFT_DAYS = (-3650, -366)
"""Range of a subject's date shift: always into the past and never inside the same year."""
CLOCK_SECONDS = 6 * 3600
"""Most that a study's clock is turned back: scans after six in the morning never cross midnight."""
STANDARD_ROOT = "1.2.840.10008."
"""UIDs below this root are the standard's own and say nothing about a person (PS3.5 9.2)."""
_NONCE_BYTES = 12
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Withdrawn(LookupError):
    """The person withdrew: no subject is made of them any more."""


class VaultError(ValueError):
    """The vault cannot be opened; the message says what was found and needed."""


@dataclass(frozen=True)
class Subject:
    """A pseudonymous person.

    Attributes:
        code: random, derived from nothing (45 CFR 164.514(c)); what the curated zone calls the person.
        secret: 32 random bytes; UIDs, date shifts and digests derive from it.
    """

    code: str
    secret: bytes = field(repr=False)

    def _mac(self, purpose: bytes, data: bytes) -> bytes:
        return hmac.digest(self.secret, purpose + b"\0" + data, "sha256")

    def uid(self, original: str) -> str:
        """The UID that stands for `original`: a UUID below 2.25 (PS3.5 B.2), the same for this subject for ever.

        UIDs of the standard itself (SOP classes, transfer syntaxes, ...) come back unchanged.
        """
        original = original.strip(" \0")
        if original.startswith(STANDARD_ROOT):
            return original
        digest = bytearray(self._mac(b"uid", original.encode())[:16])
        # version 8 (own scheme) and variant bits of RFC 9562
        digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80
        return f"2.25.{int.from_bytes(digest)}"

    @cached_property
    def shift_days(self) -> int:
        """Days added to every date of the subject, within `SHIFT_DAYS`."""
        low, high = SHIFT_DAYS
        return low + int.from_bytes(self._mac(b"shift", b"")[:8]) % (high - low + 1)

    def shift_seconds(self, study: str) -> int:
        """Seconds added to every time of day of a study, from -`CLOCK_SECONDS` to 0."""
        return -(int.from_bytes(self._mac(b"clock", study.encode())[:8]) % (CLOCK_SECONDS + 1))

    def commitment(self) -> str:
        """What the ledger calls the subject: unlinkable to the code once the secret is shredded."""
        return self._mac(b"commitment", self.code.encode()).hex()

    def digest(self, data: bytes) -> str:
        """Keyed digest, for finding equal data again without a hash that anybody could recompute."""
        return self._mac(b"digest", data).hex()


def vault_key(key_file: Path | None) -> bytes | None:
    """The key in a file, 32 raw bytes or 64 hexadecimal digits; None without a file.

    Production keeps the key away from the data: `LARMOR_VAULT_KEY_FILE` names a file that a secret manager mounts.

    Raises:
        VaultError: if there is no such file, others can read it, or it holds no key.
    """
    if key_file is None:
        return None
    if not key_file.is_file():
        raise VaultError(f"found no vault key file {key_file.name}, needed 32 bytes; see LARMOR_VAULT_KEY_FILE")
    if key_file.stat().st_mode & _OTHERS:
        raise VaultError("found a vault key file that others can read, needed mode 0600; run chmod 600 on it")
    return key_of(key_file.read_bytes(), key_file.name)


def key_of(content: bytes, name: str) -> bytes:
    """The key that a file or a secret holds, 32 raw bytes or 64 hexadecimal digits.

    Args:
        content: what it holds.
        name: of the file or secret, for the message.

    Raises:
        VaultError: if it holds no key.
    """
    if len(content) == KEY_BYTES:
        return content
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise VaultError(f"found no key in {name}, needed 32 raw bytes or 64 hexadecimal digits")
    return key


class Vault:
    """Subjects by licensor and patient id. Processes that share the folder and the key agree on every subject."""

    def __init__(self, location: Location, key: bytes) -> None:
        """Use `Vault.open`, which checks the key."""
        self._location = location
        self._names = hmac.digest(key, b"larmor vault names", "sha256")
        self._cipher = AESGCM(hmac.digest(key, b"larmor vault files", "sha256"))
        self._known: dict[str, Subject] = {}

    @classmethod
    def open(cls, location: Location, key: bytes | None = None) -> "Vault":
        """The vault in a folder of the restricted zone.

        Args:
            location: the folder; made private (0700, files 0600) whatever it was.
            key: 32 bytes, see `vault_key`; None: `vault.key` in the folder, made once. A key beside the data it opens
                protects nothing from whoever copies the folder, so production passes its own.

        Raises:
            VaultError: if the key is no key, or another one than the vault was made with.
        """
        location = replace(location, private=True)
        if key is None:
            key = key_of(_once(location, KEY_NAME, secrets.token_bytes(KEY_BYTES).hex().encode()), KEY_NAME)
        if len(key) != KEY_BYTES:
            raise VaultError(f"found a vault key of {len(key)} bytes, needed {KEY_BYTES}")
        vault = cls(location, key)
        # with another key every patient would silently become a new subject
        sealed = _once(location, CHECK_NAME, vault._seal(b"larmor", CHECK_NAME))
        vault._unseal(sealed, CHECK_NAME)
        return vault

    def subject(self, scope: str, patient_id: str) -> Subject:
        """The subject of a patient id, made on first sight.

        Args:
            scope: licensor; the same id at two licensors is two subjects.
            patient_id: as in the header; where it is empty, pass the Study Instance UID, so that strangers without an
                id are not merged.

        Raises:
            Withdrawn: if the person withdrew.
            VaultError: if the id is empty, or the subject's file was damaged.
        """
        name = self._name(scope, patient_id)
        if name not in self._known:
            if self._location.join(WITHDRAWN).exists(name):
                raise Withdrawn("found a person who withdrew, needed data of others")
            content = _once(self._location.join(SUBJECTS), name, self._seal(_new_subject(), name))
            self._known[name] = self._read(content, name)
        return self._known[name]

    def known(self, scope: str, patient_id: str) -> Subject | None:
        """The subject of a patient id if there is one; see `subject`."""
        name = self._name(scope, patient_id)
        if name not in self._known and not self._location.join(SUBJECTS).exists(name):
            return None
        return self.subject(scope, patient_id)

    def subjects(self) -> Iterator[Subject]:
        """Every subject.

        Raises:
            VaultError: if a subject's file was damaged.
        """
        folder = self._location.join(SUBJECTS)
        for name in folder.list():
            if not name.startswith("."):
                yield self._read(folder.read_bytes(name), name)

    def derived(self, purpose: bytes) -> bytes:
        """A 32-byte key for another purpose, the same for this vault for ever; it tells nothing of the vault's key."""
        return hmac.digest(self._names, b"derived\0" + purpose, "sha256")

    def shred(self, code: str, *, refuse_again: bool = False) -> bool:
        """Delete a subject for good; False if there was none of this code.

        Args:
            code: the subject's.
            refuse_again: keep a mark by which the same patient id is known and refused: a keyed digest of the id, which
                leads to no code and no data.
        """
        folder = self._location.join(SUBJECTS)
        for name in folder.list():
            if not name.startswith(".") and self._read(folder.read_bytes(name), name).code == code:
                if refuse_again:
                    _once(self._location.join(WITHDRAWN), name, b"")
                folder.delete(name)
                self._known.pop(name, None)
                return True
        return False

    def _name(self, scope: str, patient_id: str) -> str:
        patient_id = " ".join(unicodedata.normalize("NFKC", patient_id).replace("\0", " ").split())
        if not patient_id:
            raise VaultError("found no patient id, needed one or the Study Instance UID in its place")
        return hmac.digest(self._names, f"{scope}\0{patient_id}".encode(), hashlib.sha256).hex()

    def _read(self, content: bytes, name: str) -> Subject:
        fields = json.loads(self._unseal(content, name))
        return Subject(fields["code"], bytes.fromhex(fields["secret"]))

    def _seal(self, plain: bytes, name: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, name.encode())

    def _unseal(self, sealed: bytes, name: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            raise VaultError(
                f"found a vault file ({name[:12]}) that this key does not open, needed the key the vault was made "
                "with; see LARMOR_VAULT_KEY_FILE"
            ) from None


def _new_subject() -> bytes:
    code = "S" + base64.b32encode(secrets.token_bytes(8)).decode()[:12]
    return json.dumps({"code": code, "secret": secrets.token_bytes(32).hex()}).encode()


def _once(location: Location, name: str, content: bytes) -> bytes:
    """The content of a file that is written by whoever comes first."""
    try:
        return location.read_bytes(name)
    except FileNotFoundError:
        try:
            location.create(name, content)
        except FileExistsError:
            return location.read_bytes(name)
        return content
