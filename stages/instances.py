"""Station 2, `instances` and `decisions`: headers, kept text and pixels de-identified, files packed by series.

Belongs here: units of work and what is written of them. The rules are `deid`, the second look is
`stages.second_look.residual`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import pyarrow as pa

from deid.headers.cleaned import Cleaned
from deid.headers.headers import Deidentifier
from deid.pixels.series import treat
from deid.policy import load_policy
from deid.refusals import Refused
from deid.text.identifiers import Identifiers
from deid.vault import Subject
from lake.errors import TableOutdated
from lake.stores.storage import Location
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.terms import terms
from lineage.terms.determinations import basis
from lineage.terms.questions import Action
from schemas.policy import Policy
from schemas.tables import DECISIONS, IDENTIFIERS, INSTANCES, QUARANTINE, RECEIVED
from stages import policies
from stages.decided import Tally
from stages.identity import subjects_of
from stages.intake.landed import manifest_of
from stages.permission import permitted
from stages.second_look.canaries import Flight
from stages.station import Outcome, Report, commit, held, recorded, silent, unit_bytes, work_off
from stages.versions import Digests

_UNIT = pa.schema(
    [
        pa.field("path", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("secret", pa.binary()),
        pa.field("study", pa.string()),
        pa.field("series", pa.string()),
        pa.field("instance", pa.string()),
        pa.field("identity", pa.string()),
        pa.field("version", pa.string()),
        pa.field("moment", pa.string()),
    ]
)
"""One row a file; all files of a series are in one unit. The secret travels in memory only."""


_KEYS = ("subject", "study", "series", "instance", "identity", "version", "moment")


def deidentify(lake: Lake, delivery: str, report: Report = silent) -> list[Outcome]:
    """De-identify a delivery's DICOM; outcomes of `instances` and of `decisions`.

    Raises:
        Refusal: if the delivery's licence is no longer in force.
        TableMissing: if the delivery has not been received yet.
        TableOutdated: if an older version received it.
    """
    manifest = manifest_of(lake, delivery)
    licence = terms.known(lake, manifest.licence)
    decision = permitted(lake, licence, manifest, Action.DEIDENTIFY)
    policy = load_policy(lake.settings.policy)
    policies.told(lake, policy)
    units = list(_units(lake, delivery))
    flight = Flight.of(lake, units[0]["path"][0].as_py() if units else "")
    work = partial(clean_unit, lake=lake, delivery=delivery, policy=policy, licence=licence.id, flight=flight)
    written = work_off(lake, work, units, report)
    versions = commit(lake, "instances", delivery, written, [DECISIONS, INSTANCES])
    reasons = Counter(str(row["reason"]) for row in written.rows(QUARANTINE))
    instances = Outcome(
        INSTANCES.path,
        versions[INSTANCES.path],
        written.count(INSTANCES),
        quarantined=sum(reasons.values()),
        details={
            "policy": f"{policy.name} {policy.digest[:12]}",
            "canaries_planted": (planted := flight.planted(policy)),
            "canaries_removed": planted,
            **{f"held_{r}": n for r, n in sorted(reasons.items())},
            **decision.told,
        },
    )
    acted = sum(int(str(row["count"])) for row in written.rows(DECISIONS))
    decisions = Outcome(DECISIONS.path, versions[DECISIONS.path], written.count(DECISIONS), details={"elements": acted})
    facts = {"policy_sha256": policy.digest, "decisions": decisions.kept, "reasons": dict(reasons)}
    facts |= {"canaries_planted": planted, "canaries_removed": planted, "mode": basis(policy)}
    recorded(lake, EventType.DEIDENTIFIED, "instances", delivery, instances, **facts, **decision.facts)
    about = {"policy_sha256": policy.digest, **decision.facts}
    recorded(lake, EventType.MATERIALIZED, "instances", delivery, decisions, **about)
    return [instances, decisions]


def _units(lake: Lake, delivery: str) -> Iterator[pa.RecordBatch]:
    """Kept DICOM files, whole series together, subjects and series in a fixed order, up to a size a unit."""
    columns = ["path", "sha256", "bytes", "content", "outcome", "subject", "study", "series", "instance"]
    columns += ["sop_uid", "version", "moment"]
    digests = Digests.of(lake)
    rows = lake.table(RECEIVED).read(columns, {"delivery": delivery}).to_pylist()
    rows = [row for row in rows if row["content"] == "dicom" and row["outcome"] == "kept"]
    if any(row["version"] is None for row in rows):
        raise TableOutdated(
            f"delivery {delivery}: found files that an older version received, needed what this one notes of each; run "
            f"the delivery from its beginning (larmor run {delivery})"
        )
    subjects = subjects_of(lake, delivery, manifest_of(lake, delivery).licensor)
    series: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["subject"], row["series"], row["path"])):
        row |= {"secret": subjects[row["subject"]].secret, "identity": digests.identity(row["sop_uid"])}
        row["version"] = digests.version(row["version"])
        series.setdefault((row["subject"], row["series"]), []).append(row)
    target = unit_bytes(lake, sum(row["bytes"] for row in rows))
    unit: list[dict[str, Any]] = []
    for files in series.values():
        if unit and sum(row["bytes"] for row in unit + files) > target:
            yield _batch(unit)
            unit = []
        unit += files
    if unit:
        yield _batch(unit)


def _batch(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{name: row[name] for name in _UNIT.names} for row in rows], _UNIT)


def clean_unit(
    unit: pa.RecordBatch, lake: Lake, delivery: str, policy: Policy, licence: str, flight: Flight
) -> pa.RecordBatch:
    """De-identify the files of a unit, series by series, and write them as one part file."""
    deidentifier = Deidentifier(policy)
    flight.fly(deidentifier, unit["path"][0].as_py())
    known = identifiers(lake, delivery, set(unit["subject"].to_pylist()))
    written = Written()
    rows: list[dict[str, Any]] = []
    tally = Tally()
    digest = policy.digest  # a millisecond each time
    for (code, _), group in groupby(unit.to_pylist(), key=lambda file: (file["subject"], file["series"])):
        for file, cleaned in _clean_series(list(group), lake.landed(delivery), deidentifier, known[code]):
            if isinstance(cleaned, Refused):
                row = held("instances", cleaned.reason, file["path"], file["sha256"], file["instance"])
                written.hand(QUARANTINE, [row])
                continue
            rows.append(_instance(file, cleaned, licence, digest))
            subject = Subject(file["subject"], file["secret"])
            tally.add(file["series"], subject, file["sha256"], cleaned.decisions)
    written.hand(DECISIONS, tally.rows(policy))
    if rows:
        rows.sort(key=lambda row: (row["subject"], row["series"], row["instance_number"] or 0, row["instance"]))
        written.parts.append(lake.table(INSTANCES).write(rows, {"delivery": delivery}))
    return written.batch()


def _clean_series(
    files: list[dict[str, Any]], place: Location, deidentifier: Deidentifier, known: Identifiers
) -> list[tuple[dict[str, Any], Cleaned | Refused]]:
    """Headers file by file, then the pixels of all that passed together."""
    outcomes: list[Cleaned | Refused] = []
    for file in files:
        try:
            data = place.read_bytes(file["path"])
            outcomes.append(deidentifier.clean(data, Subject(file["subject"], file["secret"]), known))
        except Refused as refused:
            outcomes.append(refused)
    passed = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Cleaned)]
    treated = treat([c for c in outcomes if isinstance(c, Cleaned)], known, deidentifier.policy)
    for i, outcome in zip(passed, treated, strict=True):
        outcomes[i] = outcome
    return list(zip(files, outcomes, strict=True))


def identifiers(lake: Lake, delivery: str, subjects: set[str]) -> dict[str, Identifiers]:
    """Identifying values of each subject in this delivery."""
    rows = lake.table(IDENTIFIERS).read(["subject", "kind", "value"], {"delivery": delivery}).to_pylist()
    return {
        code: Identifiers.of((row["kind"], row["value"]) for row in rows if row["subject"] == code) for code in subjects
    }


def _instance(file: dict[str, Any], cleaned: Cleaned, licence: str, policy: str) -> dict[str, Any]:
    keys = {name: file[name] for name in _KEYS}
    own = {"licence": licence, "policy": policy, "dicom_bytes": len(cleaned.data), "dicom": cleaned.data}
    return {**cleaned.header, **keys, **own}
