"""A signed archive: named files, a manifest with their digests, and a signature over the manifest.

Belongs here: the form, and nothing of what is in it. The archive is a ZIP whose bytes depend on names and contents
alone: members in order of name, stored as they are, one fixed date. The manifest is JSON; its signature is the 64 bytes
of Ed25519 over the manifest's file, so `openssl pkeyutl -verify -rawin` can check it, and `sha256sum` the rest.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lineage.ledger import keys
from schemas.document import canonical_json

MANIFEST, SIGNATURE, KEY = "manifest.json", "manifest.sig", "public.pem"

FORMAT = "larmor evidence 1"
"""First field of what is signed, so that no other statement of the same key can pass as a manifest."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a ZIP can state."""

_READABLE = 0o644 << 16


class ArchiveError(ValueError):
    """A file is no such archive; the message says what was found."""


@dataclass(frozen=True)
class Archive:
    """An archive's content.

    Attributes:
        files: content by name, manifest, signature and key left out.
        manifest: what the manifest says beside the files' digests.
    """

    files: Mapping[str, bytes]
    manifest: Mapping[str, Any]

    def signed(self, key: Ed25519PrivateKey) -> bytes:
        """The archive's bytes."""
        manifest = self.statement(key.public_key())
        members = {
            **self.files,
            MANIFEST: manifest,
            SIGNATURE: key.sign(manifest),
            KEY: keys.public_pem(key.public_key()),
        }
        return _zipped(members)

    def statement(self, key: Ed25519PublicKey) -> bytes:
        """The manifest's file."""
        listed = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in self.files.items()
        }
        said = {"format": FORMAT, "key": keys.fingerprint(key), **self.manifest, "files": listed}
        return (canonical_json(said) + "\n").encode()


def opened(data: bytes) -> tuple[Archive, Ed25519PublicKey, list[str]]:
    """The content of an archive, the key that signed it, and what does not hold.

    The key is the one in the archive: whether it is one to trust is the reader's to say.

    Args:
        data: the archive's bytes.

    Raises:
        ArchiveError: if it is no archive of this form, so that nothing can be said of it.
    """
    members = _members(data)
    findings = []
    try:
        inside = keys.read_public(members.pop(KEY), KEY)
        manifest, signature = members.pop(MANIFEST), members.pop(SIGNATURE)
        said = json.loads(manifest)
        listed = said["files"]
        stated = {name: (entry["sha256"], entry["bytes"]) for name, entry in listed.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ArchiveError(f"found no {MANIFEST}, {SIGNATURE} and {KEY} as this version writes them") from None
    try:
        inside.verify(signature, manifest)
    except InvalidSignature:
        findings.append(f"{SIGNATURE}: found a signature that the key did not make over {MANIFEST}, needed a valid one")
    findings += [
        f"{name}: found no such file, needed the one that was signed" for name in stated if name not in members
    ]
    findings += [f"{name}: found a file that the manifest does not name" for name in members if name not in stated]
    for name, (sha256, size) in stated.items():
        if name in members and (hashlib.sha256(members[name]).hexdigest(), len(members[name])) != (sha256, size):
            findings.append(f"{name}: found other bytes than were signed, needed SHA-256 {sha256}")
    rest = {name: value for name, value in said.items() if name not in ("files", "format", "key")}
    return Archive(members, rest), inside, sorted(findings)


def _zipped(members: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            about = zipfile.ZipInfo(name, _EPOCH)
            about.create_system = 3  # Unix, whatever machine writes it
            about.external_attr = _READABLE
            archive.writestr(about, members[name])
    return made.getvalue()


def _members(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            found = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise ArchiveError("found no ZIP archive or a damaged one, needed one that larmor report wrote") from None
    if len(found) != len(names):
        raise ArchiveError("found two files of one name in the archive, needed each once")
    return found
