"""The judgement over a bundle, by a reader who has neither lake nor ledger: one file and a public key.

Belongs here: what must hold in a bundle, and the verdict. What goes into one is `lineage.evidence.bundle`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lineage.evidence.archive import KEY, Archive, opened
from lineage.evidence.bundle import CERTIFIED, EVENTS, PROOF, SEALS
from lineage.evidence.period import PeriodProof
from lineage.ledger import keys
from lineage.ledger.merkle import ProofError
from lineage.ledger.statements import Seal, SealError
from lineage.ledger.succession import Succession
from schemas.tables import CERTIFICATES


@dataclass(frozen=True)
class Checked:
    """What was found in a bundle.

    Attributes:
        manifest: what it says of itself.
        key: fingerprint of the key that it was checked with.
        events: events in it.
        seal: number of the seal that proves them; None: none does.
        findings: what does not hold.
    """

    manifest: Mapping[str, Any]
    key: str
    events: int
    seal: int | None
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.findings


def check(data: bytes, key: Ed25519PublicKey | None = None) -> Checked:
    """Check a bundle: the signature, every file, every event, the seal; without the lake.

    Args:
        data: the bundle.
        key: a public key that was kept outside, the one that signed or one before it; None: the one in the bundle,
            which shows only that the bundle agrees with itself.

    Raises:
        lineage.evidence.archive.ArchiveError: if it is no bundle.
    """
    archive, inside, findings = opened(data)
    events = archive.files.get(EVENTS, b"").splitlines()
    found = None
    try:
        proof = PeriodProof.parse(archive.files.get(PROOF, b""))
        found = Seal.parse(archive.files.get(f"seals/{proof.seal}", b""), proof.seal)
        succession, more = _keys(archive.files, key or inside, inside)
        findings += more
        if fault := succession.fault(found):
            findings.append(f"seals/{proof.seal}: found {fault}, needed a valid one")
        proof.check(events, found)
    except (ProofError, SealError) as error:
        findings.append(f"{PROOF}: {error}")
    if not findings:  # what is signed and sealed can be read; nothing else needs to be
        findings = [*_uncertified(archive.files), *_outside(archive)]
    number = found.statement.number if found else None
    return Checked(archive.manifest, keys.fingerprint(key or inside), len(events), number, tuple(findings))


def _keys(
    files: Mapping[str, bytes], known: Ed25519PublicKey, inside: Ed25519PublicKey
) -> tuple[Succession, list[str]]:
    """The keys that lead from the known one to the one that signed, and what is wrong where they do not."""
    names = sorted(name for name in files if name.startswith(SEALS))
    seals = [Seal.parse(files[name], name.removeprefix(SEALS)) for name in names]
    try:
        succession = Succession.of([seal for seal in seals if seal.statement.handover], known)
    except SealError as error:
        return Succession(known), [f"{KEY}: {error}"]
    if keys.raw(succession.keys[-1]) == keys.raw(inside):
        return succession, []
    ended = "one that was ended" if succession.knows(inside) else "another key than the one given"
    return succession, [f"{KEY}: found {ended}, needed the key that signs now"]


def _uncertified(files: Mapping[str, bytes]) -> list[str]:
    """Certificates that are not those of the bundle's own events, which the seal proves."""
    lines: dict[str, list[str]] = {}
    for row in map(json.loads, files.get(CERTIFIED, b"").splitlines()):
        if hashlib.sha256(row["document"].encode()).hexdigest() != row["digest"]:
            return [f"{CERTIFIED}: found a document with another digest than it says, needed the one that was recorded"]
        lines.setdefault(row["delivery"], []).append(f"{row['series']} {row['digest']}\n")
    told = [event["facts"] for event in map(json.loads, files.get(EVENTS, b"").splitlines())]
    newest = {f["delivery"]: f["content_sha256"] for f in told if f.get("table") == CERTIFICATES.path}
    found = {name: hashlib.sha256("".join(sorted(rows)).encode()).hexdigest() for name, rows in lines.items()}
    if any(newest.get(name) != sha256 for name, sha256 in found.items()):
        return [f"{CERTIFIED}: found certificates that are not those of the events, needed the recorded ones"]
    return []


def _outside(archive: Archive) -> list[str]:
    """Events whose times are not in the period that the manifest states."""
    since, until = (archive.manifest.get(name) or "" for name in ("from", "until"))
    days = [json.loads(line)["time"][:10] for line in archive.files.get(EVENTS, b"").splitlines()]
    if days and (min(days) < since or (until and max(days) > until)):
        return [f"{EVENTS}: found events outside the period, needed those of {since or 'the beginning'} to {until}"]
    return []
