"""The vault: who a pseudonymous subject is, and the secret that its UIDs and date shifts derive from.

Belongs here: subjects and their keeping. A subject is one small encrypted file of the restricted zone; deleting it is
shredding: what was derived from its secret can never be derived again. The keys that it is encrypted under are
`deid.keyring`, where the zone lies `lake.stores.storage`.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deid.keyring import KEY_BYTES, Keyring, Service, VaultError, Wrapping, sealed, unsealed
from lake.stores.storage import Location

__all__ = ["KEY_BYTES", "Subject", "Vault", "VaultError", "Withdrawn", "key_of", "vault_key"]

KEY_NAME, CHECK_NAME, SUBJECTS, WITHDRAWN = "vault.key", "vault.check", "subjects", "withdrawn"
KEYS_NAME = "vault.keys"
"""The vault's keys, wrapped; absent in a vault of its own key."""
NEXT_KEY_NAME = "vault-next.key"
"""A key that is to take the place of `vault.key`, while that change is going on."""
WRAPPED = b"the keys of this vault are wrapped in vault.keys\n"
"""What `vault.check` holds of a vault of wrapped keys: without them it is damaged, and not a new one."""
SHIFT_DAYS = (-3650, -366)
"""Range of a subject's date shift: always into the past and never inside the same year."""
CLOCK_SECONDS = 6 * 3600
"""Most that a study's clock is turned back: scans after six in the morning never cross midnight."""
STANDARD_ROOT = "1.2.840.10008."
"""UIDs below this root are the standard's own and say nothing about a person (PS3.5 9.2)."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Withdrawn(LookupError):
    """The person withdrew: no subject is made of them any more."""


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

    def __init__(self, location: Location, keyring: Keyring, by: Wrapping, content: bytes | None) -> None:
        """Use `Vault.open`, which checks the key."""
        self._location = location
        self._names = keyring.names
        self._by = by
        self._use(keyring, content)
        self._known: dict[str, Subject] = {}

    @classmethod
    def open(cls, location: Location, key: Wrapping | None = None) -> "Vault":
        """The vault in a folder of the restricted zone.

        Args:
            location: the folder; made private (0700, files 0600) whatever it was.
            key: 32 bytes, see `vault_key`, or a service that wraps the vault's keys; None: `vault.key` in the folder,
                made once. A key beside the data it opens protects nothing from whoever copies the folder, so production
                passes its own.

        Raises:
            VaultError: if the key is no key, or another one than the vault was made with.
            ValueError: if a service does not give its key.
        """
        location = replace(location, private=True)
        if isinstance(key, bytes) and len(key) != KEY_BYTES:
            raise VaultError(f"found a vault key of {len(key)} bytes, needed {KEY_BYTES}")
        content = read(location, KEYS_NAME)
        if content is not None:
            return cls._of_wrapped_keys(location, content, key)
        check = read(location, CHECK_NAME)
        if check == WRAPPED:
            raise VaultError("found no vault.keys in a vault of wrapped keys, needed it; restore it from a backup")
        if not isinstance(key, Service):
            return cls._of_own_key(location, key or _beside(location, made=check is not None))
        if check is not None:
            raise VaultError(
                "found a vault of its own key, needed one whose keys a service wraps; unset LARMOR_VAULT_KMS_KEY and "
                "give larmor doctor vault --kms-key that key"
            )
        content = once(location, KEYS_NAME, Keyring.fresh().wrapped(key))
        once(location, CHECK_NAME, WRAPPED)
        return cls._of_wrapped_keys(location, content, key)

    @classmethod
    def _of_wrapped_keys(cls, location: Location, content: bytes, key: Wrapping | None) -> "Vault":
        if key is not None:
            return cls(location, Keyring.unwrapped(content, key), key, content)
        for by in beside(location):
            with contextlib.suppress(VaultError):  # the other of two, while a change is going on
                return cls(location, Keyring.unwrapped(content, by), by, content)
        raise VaultError(
            "found a vault whose keys are wrapped by a key that is not in its folder, needed that key; set "
            "LARMOR_VAULT_KEY_FILE, LARMOR_VAULT_KEY_SECRET or LARMOR_VAULT_KMS_KEY"
        )

    @classmethod
    def _of_own_key(cls, location: Location, key: bytes) -> "Vault":
        vault = cls(location, Keyring.of_own_key(key), key, None)
        # with another key every patient would silently become a new subject
        check = once(location, CHECK_NAME, vault._seal(b"larmor", CHECK_NAME))
        vault._unseal(check, CHECK_NAME)
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
            content = read(self._location.join(SUBJECTS), name)
            self._known[name] = self._make(name) if content is None else self._read(content, name)
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

        Raises:
            VaultError: if a subject's file was damaged, or files are being sealed under another key, which could write
                the one that goes once more.
        """
        self._refresh()
        if len(self._ciphers) > 1:
            raise VaultError(
                "found a change of the vault's keys that has not come to its end, needed it finished; give larmor "
                "doctor vault --new-data-key again"
            )
        folder = self._location.join(SUBJECTS)
        for name in folder.list():
            if not name.startswith(".") and self._read(folder.read_bytes(name), name).code == code:
                if refuse_again:
                    once(self._location.join(WITHDRAWN), name, b"")
                folder.delete(name)
                self._known.pop(name, None)
                return True
        return False

    def _name(self, scope: str, patient_id: str) -> str:
        patient_id = " ".join(unicodedata.normalize("NFKC", patient_id).replace("\0", " ").split())
        if not patient_id:
            raise VaultError("found no patient id, needed one or the Study Instance UID in its place")
        return hmac.digest(self._names, f"{scope}\0{patient_id}".encode(), hashlib.sha256).hex()

    def _make(self, name: str) -> Subject:
        """A new subject, or the one that another process made at the same moment."""
        self._refresh()
        folder = self._location.join(SUBJECTS)
        subject = self._read(once(folder, name, self._seal(_new_subject(), name)), name)
        if self._refresh():  # whoever changes the keys may have looked for files before this one was there
            folder.write_bytes(name, self._seal(_plain(subject), name))
        return subject

    def _use(self, keyring: Keyring, content: bytes | None) -> None:
        self._content, self._ciphers = content, [AESGCM(key) for key in keyring.data]

    def _refresh(self) -> bool:
        """Take the vault's keys as they are now; whether another process changed them.

        Raises:
            VaultError: if this process cannot open them.
        """
        content = read(self._location, KEYS_NAME)
        if content == self._content:
            return False
        if content is None:
            raise VaultError("found the vault's keys gone, needed them; restore vault.keys from a backup")
        self._use(Keyring.unwrapped(content, self._by), content)
        return True

    def _read(self, content: bytes, name: str) -> Subject:
        fields = json.loads(self._unseal(content, name))
        return Subject(fields["code"], bytes.fromhex(fields["secret"]))

    def _seal(self, plain: bytes, name: str) -> bytes:
        return sealed(self._ciphers[0], plain, name)

    def _unseal(self, content: bytes, name: str) -> bytes:
        while True:
            for cipher in self._ciphers:
                with contextlib.suppress(InvalidTag):
                    return unsealed(cipher, content, name)
            if not self._refresh():
                raise VaultError(
                    f"found a vault file ({name[:12]}) that this key does not open, needed the key the vault was made "
                    "with; see LARMOR_VAULT_KEY_FILE"
                )


def beside(location: Location) -> list[bytes]:
    """The keys in a vault's folder: its own, and one that takes its place."""
    names = (KEY_NAME, NEXT_KEY_NAME)
    return [key_of(content, name) for name in names if (content := read(location, name)) is not None]


def read(location: Location, name: str) -> bytes | None:
    """Content of a file; None: there is none of this name."""
    try:
        return location.read_bytes(name)
    except FileNotFoundError:
        return None


def _beside(location: Location, *, made: bool) -> bytes:
    """The key in the folder of a vault of its own key, made once; never for a vault that was made with another one."""
    if made and not location.exists(KEY_NAME):
        raise VaultError(
            "found a vault whose key is not in its folder, needed the key it was made with; set LARMOR_VAULT_KEY_FILE "
            "or LARMOR_VAULT_KEY_SECRET"
        )
    return key_of(once(location, KEY_NAME, new_key()), KEY_NAME)


def new_key() -> bytes:
    """The content of a new key's file: 64 hexadecimal digits."""
    return secrets.token_bytes(KEY_BYTES).hex().encode()


def _plain(subject: Subject) -> bytes:
    return json.dumps({"code": subject.code, "secret": subject.secret.hex()}).encode()


def _new_subject() -> bytes:
    code = "S" + base64.b32encode(secrets.token_bytes(8)).decode()[:12]
    return _plain(Subject(code, secrets.token_bytes(32)))


def once(location: Location, name: str, content: bytes) -> bytes:
    """The content of a file that is written by whoever comes first."""
    try:
        return location.read_bytes(name)
    except FileNotFoundError:
        try:
            location.create(name, content)
        except FileExistsError:
            return location.read_bytes(name)
        return content
