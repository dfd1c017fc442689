"""Which commits of the ledger are as they were written, by the digests that other records hold of them.

Belongs here: reading all commits and comparing each with its anchors: the commit after it, the head, and the signed
seals. Whether the entries of a commit hold is `lineage.ledger.findings`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lineage.ledger import commits
from lineage.ledger.commits import HEAD, LOG_FOLDER, Commit, Head, LedgerDamaged, Log
from lineage.ledger.findings import LATER, Finding
from lineage.ledger.statements import Seal, Statement
from schemas.tables import LEDGER


@dataclass(frozen=True)
class Chain:
    """The commits of a log.

    Attributes:
        newest: highest version that is there; -1: none.
        commits: version to commit, where it can be read.
        digests: version to the digest of the bytes that are there.
        findings: what is wrong with them.
    """

    newest: int
    commits: Mapping[int, Commit]
    digests: Mapping[int, str]
    findings: Sequence[Finding]

    @cached_property
    def _bad(self) -> frozenset[int]:
        return frozenset(finding.at for finding in self.findings)

    def intact(self, version: int) -> bool:
        """Whether the commit is there and nothing was found against it."""
        return version in self.commits and version not in self._bad

    def is_at(self, statement: Statement) -> bool:
        """Whether the commit that a seal names is there as it was sealed."""
        return self.digests.get(statement.version) == statement.commit


def read(log: Log, versions: Sequence[int], head: Head | None, seals: Sequence[Seal]) -> Chain:
    """Read the commits and judge them.

    Args:
        log: where they lie.
        versions: versions whose files are there.
        head: the head, if it can be read.
        seals: seals with valid signatures.
    """
    parsed: dict[int, Commit] = {}
    digests: dict[int, str] = {}
    findings: list[Finding] = []
    for version in sorted(versions):
        data = log.read(version)
        digests[version] = hashlib.sha256(data).hexdigest()
        try:
            parsed[version] = commits.parse(version, data)
        except LedgerDamaged as error:
            findings.append(Finding(_file(version), "no commit of the ledger", str(error), at=version))
    reached = max((head.version if head else -1, *(seal.statement.version for seal in seals)), default=-1)
    findings += _missing(sorted(digests), reached, parsed)
    findings += _Judge(parsed, digests, head, seals).judge()
    return Chain(max(versions, default=-1), parsed, digests, findings)


def _file(version: int) -> str:
    return f"{LEDGER.name}/{LOG_FOLDER}/{commits.commit_name(version)}"


def _missing(versions: Sequence[int], reached: int, parsed: Mapping[int, Commit]) -> list[Finding]:
    """One finding for each gap between versions, and one where head or seals speak of more than there is."""
    found = []
    for before, after in zip([-1, *versions], [*versions, reached + 1], strict=True):
        if after - before <= 1:
            continue
        ends = parsed.get(before), parsed.get(after)
        lost = range(ends[0].frontier.size, ends[1].first) if ends[0] and ends[1] else None
        many = f"{after - before - 1} commits from this one on" if after - before > 2 else "the commit"
        found.append(Finding(_file(before + 1), "no such file", f"{many}, which were removed", lost, before + 1))
    return found


@dataclass(frozen=True)
class _Judge:
    """Compares digests from the newest commit down, so that what anchors a commit is judged before it."""

    commits: Mapping[int, Commit]
    digests: Mapping[int, str]
    head: Head | None
    seals: Sequence[Seal]

    def judge(self) -> list[Finding]:
        findings: list[Finding] = []
        sealed: dict[int, list[Seal]] = {}
        for seal in self.seals:
            sealed.setdefault(seal.statement.version, []).append(seal)
        sound = False  # whether the commit after this one is as it was written
        for version in sorted(self.digests, reverse=True):
            sound = sound and version + 1 in self.digests
            signed = sealed.get(version, [])
            says: list[tuple[str, str]] = []
            if self.head and self.head.version == version:
                says.append((f"seals/{HEAD}", self.head.sha256))
            after = self.commits.get(version + 1)
            if after and after.previous and sound:
                says.append((_file(version + 1), after.previous))
            found = self._against(version, says + [(f"seals/{s.name}", s.statement.commit) for s in signed])
            if signed and all(needed == self.digests[version] for _, needed in says):
                found = self._rewritten(version, signed)
            findings += found
            tail = self.head is not None and version > self.head.version
            vouched = bool(says or signed) or tail or self._follows(version)
            sound = version in self.commits and vouched and all(finding.at != version for finding in found)
        return findings

    def _against(self, version: int, says: Sequence[tuple[str, str]]) -> list[Finding]:
        """A commit that no anchor knows was changed; one that some know is sound, and the others are wrong."""
        digest = self.digests[version]
        differing = [(file, needed) for file, needed in says if needed != digest]
        if differing and len(differing) == len(says):
            (file, needed), commit = differing[0], self.commits.get(version)
            entries = commit.entries if commit else None
            return [Finding(_file(version), f"SHA-256 {digest}", f"{needed} as {file} says", entries, version)]
        wrong, right, after = "the digest of another commit", f"{digest} of {_file(version)}", _file(version + 1)
        return [Finding(file, wrong, right, at=version + 1 if file == after else LATER) for file, _ in differing]

    def _rewritten(self, version: int, seals: Sequence[Seal]) -> list[Finding]:
        """A log that agrees with itself but not with a signed seal was rewritten after the last seal that it fits."""
        for seal in seals:
            if seal.statement.commit == self.digests[version]:
                continue
            fitting = [s.statement for s in self.seals if self.digests.get(s.statement.version) == s.statement.commit]
            kept = max((s for s in fitting if s.version < version), key=lambda s: s.version, default=None)
            first = kept.version + 1 if kept else 0
            entries = range(kept.size if kept else 0, seal.statement.size)
            needed = f"{seal.statement.commit} as seals/{seal.name} says: the log was rewritten between its seals"
            return [Finding(_file(version), f"SHA-256 {self.digests[version]}", needed, entries, first)]
        return []

    def _follows(self, version: int) -> bool:
        """Whether a changed commit above still names this one, so that this one and its past can be trusted."""
        after = self.commits.get(version + 1)
        return after is not None and after.previous == self.digests[version]
