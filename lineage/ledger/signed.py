"""The seals of a log against their keys: which of them hold, which prove something, and what is wrong with the others.

Belongs here: the judgement over all seals and the key beside them. What a seal must agree with in the log is
`lineage.ledger.verify`, what anchors hold `lineage.ledger.anchored`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lineage.ledger import keys, statements
from lineage.ledger.commits import Log
from lineage.ledger.findings import Finding
from lineage.ledger.statements import Seal, SealError
from lineage.ledger.succession import UNSIGNED, Succession, oldest

_FILE = f"seals/{keys.PUBLIC_NAME}"


@dataclass(frozen=True)
class Signed:
    """The seals of a log.

    Attributes:
        seals: those that the key whose turn it was signed, in order.
        succession: the keys; None: there is none yet, or it is lost.
        findings: what is wrong with the others, with their order, or with the key.
    """

    seals: tuple[Seal, ...]
    succession: Succession | None
    findings: tuple[Finding, ...]

    @property
    def counted(self) -> list[Seal]:
        """Seals that prove something: those that no later change of key took back."""
        return [seal for seal in self.seals if not (self.succession and self.succession.revoked(seal))]


def read(log: Log, given: Ed25519PublicKey | None) -> Signed:
    """Read the seals and judge them.

    Args:
        log: where they lie.
        given: public key that was kept outside, of any of the log's keys; None: the one beside the seals.
    """
    there, findings = _parsed(log)
    beside, key_findings = _beside(log, given)
    first = beside or oldest([seal for seal in there if seal]) or given
    succession, seals, faults = _walked(log, there, first)
    if given is not None and succession and not succession.knows(given):
        newest = keys.fingerprint(succession.keys[-1])
        key_findings.append(Finding(_FILE, f"the key {newest}", f"{keys.fingerprint(given)} as given"))
        succession, seals, faults = _walked(log, there, given)
    return Signed(tuple(seals), succession, (*key_findings, *findings, *faults))


def _beside(log: Log, given: Ed25519PublicKey | None) -> tuple[Ed25519PublicKey | None, list[Finding]]:
    """The key of the first seal, as it lies beside the seals."""
    if not log.seals.exists(keys.PUBLIC_NAME):
        needed = "the public key, or one given that was kept outside"
        missing = given is None and statements.numbers(log)
        return None, [Finding(_FILE, "no such file", needed)] if missing else []
    try:
        return keys.read_public(log.seals.read_bytes(keys.PUBLIC_NAME)), []
    except keys.KeyFileError as error:
        return None, [Finding(_FILE, "no public key", str(error))]


def _parsed(log: Log) -> tuple[list[Seal | None], list[Finding]]:
    """A seal for each number that is there, or None where its file is no seal."""
    found: list[Seal | None] = []
    findings = []
    for number in statements.numbers(log):
        try:
            found.append(statements.read(log, number))
        except SealError as error:
            found.append(None)
            findings.append(Finding(f"seals/{statements.seal_name(number)}", "no seal", str(error)))
    return found, findings


def _walked(
    log: Log, there: Sequence[Seal | None], first: Ed25519PublicKey | None
) -> tuple[Succession | None, list[Seal], list[Finding]]:
    """The keys, the seals that hold, and the faults of the others."""
    succession = Succession(first) if first else None
    valid: list[Seal] = []
    findings: list[Finding] = []
    before, whole = "", all(there)
    for place, seal in enumerate(there, start=1):
        if seal is None:
            before = ""
            continue
        file = f"seals/{seal.name}"
        fault = succession.fault(seal) if succession else UNSIGNED
        if fault:
            findings.append(Finding(file, fault, "a valid one"))
        elif seal.statement.number != place and not findings and whole:
            findings.append(Finding(file, "a number left out before it", f"the seal {statements.seal_name(place)}"))
        elif before and seal.statement.previous != before:
            findings.append(Finding(file, "another seal before it than it names", "the seals as they were made"))
        if not fault and succession:
            valid.append(seal)
            succession = succession.after(seal)
        before = seal.sha256
    return succession, valid, findings
