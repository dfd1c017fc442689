"""Withdrawals that were begun: what was confirmed, how far each is, and the certificate at its end.

Belongs here: the record in the audit zone, one file a withdrawal, which outlasts what it removes and lets a killed
withdrawal go on. What it says of persons are pseudonyms and commitments. Carrying it out is
`stages.withdrawal.withdrawing`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.evidence.pages import environment
from lineage.principal import now, principal
from lineage.withdrawal.belonging import Kind, Scope
from schemas.contract import Zone
from schemas.document import canonical_json
from schemas.formats import require_known

FOLDER = "withdrawals"
RECORD, PAGE = "withdrawal.json", "certificate.html"
_FORMAT = 1


_NOT_CONFIRMED = {"steps", "secrets", "estimate"}
"""Of a plan: whether the vault was asked is the asker's affair, and an estimate is no part of what is withdrawn."""


class WithdrawalError(ValueError):
    """A withdrawal cannot be carried out as asked; the message says what to do."""


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal from its confirmation on.

    Attributes:
        name: folder of the record.
        scope: what is withdrawn.
        confirmed: digest of the plan that a person confirmed.
        principal: who confirmed it.
        begun: when.
        subjects: pseudonyms of persons with nothing outside it, whose secrets are shredded.
        commitments: their commitments, which events may name.
        pseudonyms: what must be absent at the end: these pseudonyms, and UIDs of series, studies and volumes.
        done: step to what it did, counted; steps that were done before an interruption included.
        finished: when everything was done; None: not yet.
    """

    name: str
    scope: Scope
    confirmed: str
    principal: str
    begun: str
    subjects: tuple[str, ...] = ()
    commitments: tuple[str, ...] = ()
    pseudonyms: tuple[str, ...] = ()
    done: dict[str, Any] = field(default_factory=dict)
    finished: str | None = None

    def with_done(self, lake: Lake, step: str, counted: Mapping[str, int]) -> "Withdrawal":
        """The withdrawal with a step done, kept; what was counted before an interruption is added."""
        before = self.done.get(step, {})
        summed = {name: before.get(name, 0) + value for name, value in counted.items()}
        return self.kept(lake, done=self.done | {step: summed})

    def kept(self, lake: Lake, **changes: Any) -> "Withdrawal":
        """The withdrawal with changes, written at once and whole."""
        changed = replace(self, **changes)
        said = asdict(changed) | {"format": _FORMAT, "scope": {"kind": str(self.scope.kind), "value": self.scope.value}}
        _location(lake, self.name).write_bytes(RECORD, json.dumps(said, indent=1).encode())
        return changed

    def certify(self, lake: Lake) -> tuple["Withdrawal", str]:
        """Write the certificate's page; returns the finished withdrawal and the SHA-256 of the page."""
        finished = self.kept(lake, finished=now())
        page = environment().get_template("withdrawal.html.j2").render(w=finished, complete=complete(finished)).encode()
        _location(lake, self.name).write_bytes(PAGE, page)
        return finished, hashlib.sha256(page).hexdigest()


def complete(withdrawal: Withdrawal) -> bool:
    """Whether nothing was found afterwards and nothing waits."""
    absence, tables = withdrawal.done.get("absence", {}), withdrawal.done.get("tables", {})
    return bool(absence) and not absence["found"] and not tables.get("in_writing")


def begun(lake: Lake, scope: Scope) -> Withdrawal | None:
    """The unfinished withdrawal of a scope."""
    return next((w for w in all_of(lake) if w.scope == scope and not w.finished), None)


def begin(lake: Lake, scope: Scope, confirmed: str) -> Withdrawal:
    """Record that a person confirmed a withdrawal."""
    digest = hashlib.sha256(f"{scope.kind}\0{scope.value}".encode()).hexdigest()[:12]
    number = sum(w.name.startswith(digest) for w in all_of(lake))
    return Withdrawal(f"{digest}-{number + 1}", scope, confirmed, principal(lake), now()).kept(lake)


def all_of(lake: Lake) -> Iterator[Withdrawal]:
    """Every withdrawal that was begun, in the order of names."""
    location = lake.location(Zone.AUDIT, FOLDER)
    for name in sorted(location.list()):
        if location.exists(f"{name}/{RECORD}"):
            said = json.loads(location.read_bytes(f"{name}/{RECORD}"))
            require_known(said.pop("format", None), _FORMAT, f"withdrawal {name}")
            said["scope"] = Scope(Kind(said["scope"]["kind"]), said["scope"]["value"])
            said |= {key: tuple(said[key]) for key in ("subjects", "commitments", "pseudonyms")}
            yield Withdrawal(**said)


def page_of(lake: Lake, withdrawal: Withdrawal) -> str:
    """Where the certificate's page lies."""
    return _location(lake, withdrawal.name).address(PAGE)


def confirmation(plan: Any) -> str:
    """What a person repeats to confirm a plan: eight digits of the digest of everything it counts."""
    counted = {name: value for name, value in asdict(plan).items() if name not in _NOT_CONFIRMED}
    return hashlib.sha256(canonical_json(json.loads(json.dumps(counted, default=str))).encode()).hexdigest()[:8]


def _location(lake: Lake, name: str) -> Location:
    return lake.location(Zone.AUDIT, FOLDER, name)
