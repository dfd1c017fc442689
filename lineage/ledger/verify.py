"""The judgement over a ledger: every byte of it, every entry, and every seal; offline, with the public key alone.

Belongs here: what must hold, and the verdict. It reads the raw files before it lets any library interpret them, because
a reader of Delta or Parquet may fail in any way on a file that was edited. What the head and the seals of this zone
cannot show, a seal and a public key kept outside do: that the whole log was not made anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.ledger import anchored, chain, commits, keys, leftovers, statements
from lineage.ledger import signed as signatures
from lineage.ledger.anchors import places
from lineage.ledger.chain import Chain
from lineage.ledger.commits import HEAD, LOG_FOLDER, Head, LedgerDamaged, Log
from lineage.ledger.findings import Finding, Unfit, check_entries, check_file
from lineage.ledger.merkle import Frontier
from lineage.ledger.statements import Seal
from lineage.terms import roles, roles_told
from schemas.tables import LEDGER

_PRINTED = 32
"""Hexadecimal digits that a printed hash has at least (`lineage.ledger.statements.Seal.printed`)."""


@dataclass(frozen=True)
class Verdict:
    """What `verify` says of a ledger.

    Attributes:
        entries: entries that hold, from the first on.
        root: root of the Merkle tree over them, hexadecimal.
        seals: seals that hold.
        revoked: seals besides that prove nothing, because their key was ended from an earlier seal on.
        sealed: entries under the last seal that holds.
        unconfirmed: commits after the head, as a killed writer leaves them; the next append or seal confirms them.
        compared: entries that were sealed and compared file by file with what was sealed, not hashed anew one by one.
        anchors: anchors outside that the seals were compared with.
        unanchored: seals that an anchor has not got yet; the next seal copies them.
        leftovers: files of killed writers that belong to no commit, relative to the audit zone; no reader sees them.
        keys: fingerprints of the public keys, oldest first; empty: there is none yet.
        findings: what does not hold, the first entry that it touches first.
    """

    entries: int
    root: str
    seals: int
    revoked: int
    sealed: int
    unconfirmed: int
    compared: int
    anchors: int
    unanchored: int
    leftovers: tuple[str, ...]
    keys: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.findings

    @property
    def key(self) -> str | None:
        """Fingerprint of the key that signs now."""
        return self.keys[-1] if self.keys else None

    @property
    def unsealed(self) -> int:
        """Entries that no seal covers yet."""
        return max(0, self.entries - self.sealed)

    @property
    def first(self) -> Finding | None:
        """The first thing that does not hold."""
        return self.findings[0] if self.findings else None


def verify(
    lake: Lake | Path | str,
    public_key: Path | None = None,
    *,
    since_last_seal: bool = False,
    anchors: Sequence[Location] = (),
    printed: str | None = None,
) -> Verdict:
    """Judge the ledger of a lake.

    Args:
        lake: the lake, or the folder or `s3://` URI of an audit zone that was handed over.
        public_key: PEM file that was kept outside, of any key that the log had; None: the one beside the seals, which
            shows that the log agrees with itself but not that nobody made all of it anew.
        since_last_seal: whether files under the last seal are compared with their digests only, which the seal signs
            through the chain of commits: every byte is as it was sealed, and whoever sealed had checked the entries and
            the tree then. Entries after it are proven as always.
        anchors: places outside that keep seals, besides those that the lake's settings name.
        printed: hash of a seal that was kept on paper.

    Raises:
        lineage.ledger.keys.KeyFileError: if the given public key is none.
    """
    log = Log.of(lake)
    given = keys.read_public(public_key.read_bytes(), public_key.name) if public_key else None
    outside = [*anchors, *(places(lake.settings) if isinstance(lake, Lake) else ())]
    held = list(map(anchored.read, outside))
    judged = signatures.read(log, given)
    ours = {seal.name: seal for seal in judged.seals}
    lost, anchor_findings = anchored.compare(held, judged.succession, ours)
    signed = [*judged.counted, *lost]
    head, head_findings = _head(log, signed)
    # listed after seals and head were read: a log that grows meanwhile has more commits than they say, never fewer
    versions = [v for v in map(commits.commit_version, log.commits.list()) if v is not None]
    found = chain.read(log, versions, head, signed)
    sealed = [seal.statement for seal in signed if found.is_at(seal.statement)]
    last = max((said.version for said in sealed), default=-1) if since_last_seal else -1
    frontier, entry_findings = _entries(log, found, last)
    strangers, left = _strangers(log, found)
    findings = [*judged.findings, *anchor_findings, *head_findings, *found.findings, *entry_findings]
    findings += [*strangers, *_trees(found, head, signed), *_paper([*judged.seals, *lost], printed)]
    if isinstance(lake, Lake) and not findings:  # a damaged ledger tells nothing that could be compared
        findings += _roles(lake)
    sealed = [said for said in sealed if said.size <= frontier.size]
    return Verdict(
        entries=frontier.size,
        root=frontier.root.hex(),
        seals=len(sealed),
        revoked=len(judged.seals) - len(judged.counted),
        sealed=max((said.size for said in sealed), default=0),
        unconfirmed=max(0, found.newest - head.version) if head else 0,
        compared=max((said.size for said in sealed), default=0) if since_last_seal else 0,
        anchors=len(outside),
        unanchored=anchored.unanchored(held, ours),
        leftovers=tuple(left),
        keys=tuple(map(keys.fingerprint, judged.succession.keys)) if judged.succession else (),
        findings=tuple(sorted(findings, key=lambda finding: finding.at)),
    )


def _head(log: Log, signed: Sequence[Seal]) -> tuple[Head | None, list[Finding]]:
    made = bool(log.commits.list()) or bool(signed)
    try:
        return Head.parse(log.seals.read_bytes(HEAD)), []
    except FileNotFoundError:
        if not made:
            return None, []
        return None, [Finding(f"seals/{HEAD}", "no such file", "the newest commit's digest")]
    except LedgerDamaged as error:
        return None, [Finding(f"seals/{HEAD}", "no head", str(error))]


def _entries(log: Log, found: Chain, compared: int) -> tuple[Frontier, list[Finding]]:
    """Walk the entries from the first on, up to the first commit that does not hold.

    Args:
        log: where the files lie.
        found: its commits.
        compared: version up to which the digest of a part file is enough.
    """
    frontier = Frontier()
    version = 0
    while found.intact(version):
        commit = found.commits[version]
        if commit.part is not None:
            try:
                if version <= compared:
                    check_file(log, commit, frontier.size)
                else:
                    check_entries(log, commit, frontier)
            except Unfit as unfit:
                return frontier, [unfit.finding]
        frontier, version = commit.frontier, version + 1
    return frontier, []


def _roles(lake: Lake) -> list[Finding]:
    """The document of roles, and those that were kept, against what the entries tell of them."""
    wrong = roles_told.untold(lake, roles.roles_of(lake))
    return [Finding(roles_told.FOLDER, wrong, "those of the ledger's entries")] if wrong else []


def _paper(signed: Sequence[Seal], printed: str | None) -> list[Finding]:
    """A hash on paper against the seals."""
    wanted = "".join((printed or "").split()).lower()
    if not wanted or any(seal.sha256.startswith(wanted) for seal in signed if len(wanted) >= _PRINTED):
        return []
    return [Finding("seals", "no seal of the printed hash", "the one that it was printed of: the log was cut back")]


def _strangers(log: Log, found: Chain) -> tuple[list[Finding], list[str]]:
    """Files that no commit names: findings, or what killed writers left."""
    parts = {commit.part for commit in found.commits.values()}
    # a part file of a commit that cannot be read is no stranger's: the commit is the finding
    unread = found.newest + 1 > len(found.commits)
    findings, left = [], []
    for name in log.ledger.list():
        if name in parts or name == LOG_FOLDER:
            continue
        if leftovers.is_temporary(name) or (leftovers.is_part(name) and not unread):
            left.append(f"{LEDGER.name}/{name}")
        elif not leftovers.is_part(name):
            findings.append(Finding(f"{LEDGER.name}/{name}", "a file that no commit names", "none"))
    for location, folder in ((log.commits, f"{LEDGER.name}/{LOG_FOLDER}"), (log.seals, "seals")):
        for name in location.list():
            if leftovers.is_temporary(name):
                left.append(f"{folder}/{name}")
            elif not _belongs(name, folder):
                findings.append(Finding(f"{folder}/{name}", "a file that does not belong here", "none"))
    return findings, left


def _belongs(name: str, folder: str) -> bool:
    if folder == "seals":
        return name in (HEAD, keys.PUBLIC_NAME) or statements.is_seal(name)
    return commits.commit_version(name) is not None


def _trees(found: Chain, head: Head | None, signed: Sequence[Seal]) -> list[Finding]:
    """Seals and head against size and root of the commits that they name."""
    findings = []
    genesis = found.digests.get(0)
    for seal in signed:
        said = seal.statement
        commit = found.commits.get(said.version) if found.is_at(said) else None
        if genesis and said.genesis != genesis:
            findings.append(Finding(f"seals/{seal.name}", "the name of another log", f"{genesis}"))
        if commit and (commit.frontier.size, commit.frontier.root.hex()) != (said.size, said.root):
            findings.append(
                Finding(
                    f"{LEDGER.name}/{LOG_FOLDER}/{commits.commit_name(said.version)}",
                    f"{commit.frontier.size} entries with root {commit.frontier.root.hex()}",
                    f"{said.size} with root {said.root} as seals/{seal.name} says",
                    at=said.version,
                )
            )
    last = found.commits.get(head.version) if head and head.version >= 0 else None
    if head and last and (last.frontier.size, last.frontier.root.hex()) != (head.size, head.root):
        findings.append(Finding(f"seals/{HEAD}", f"{head.size} entries with root {head.root}", "those of its commit"))
    return findings
