"""Licences over time, and what they allow: asked before the work is done, and answered with a reason.

Belongs here: what this lake knew of a licence and when, decisions, and the most restrictive union of terms. The
documents are `schemas.licence`. Whoever does the work asks first, and puts `Decision.facts` into the event of the work.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lake.parts import Part
from lake.table import Conflict
from lake.zones import Lake
from lineage.ledger.events import EventType, Facts
from lineage.ledger.ledger import append
from lineage.principal import now
from schemas.delivery import Delivery
from schemas.document import DocumentError, canonical_json
from schemas.licence import Licence
from schemas.tables import LICENCES

_SUFFIXES = (".yaml", ".yml")
_TRIES = 50


class Action(StrEnum):
    """What a decision is asked for."""

    INTAKE = "intake"
    DEIDENTIFY = "deidentify"
    RELEASE = "release"
    TRAIN = "train"
    EVALUATE = "evaluate"
    PREDICT = "predict"
    EXPORT = "export"
    SHARE = "share"


_PERMISSIONS = {Action.TRAIN: "train_models", Action.SHARE: "share_models", Action.EXPORT: "export"}
"""Actions that a licence must allow in a field of its own."""


class Refusal(PermissionError):
    """The terms do not allow it.

    Attributes:
        licence: id of the licence.
        term: field of the licence that refuses; `licence` where there is no licence to ask.
    """

    def __init__(self, licence: str, term: str, found: str, needed: str, remedy: str) -> None:
        """Make the message that a person reads: which term, what was found, what was needed, what to do."""
        super().__init__(f"licence {licence}, {term}: found {found}, needed {needed}; {remedy}")
        self.licence = licence
        self.term = term


@dataclass(frozen=True)
class Decision:
    """That the terms allow it, as asked.

    Attributes:
        action: what is to be done.
        purpose: what for.
        licence: id of the licence.
        licence_sha256: digest of the document that was asked.
        delivery: the delivery; None: more than one.
        day: the day it was asked for.
    """

    action: Action
    purpose: str
    licence: str
    licence_sha256: str
    delivery: str | None
    day: dt.date

    @property
    def digest(self) -> str:
        """SHA-256 of the decision's canonical JSON."""
        said = {name: None if value is None else str(value) for name, value in vars(self).items()}
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()

    @property
    def facts(self) -> Facts:
        """What an event says of the decision that its work rests on."""
        return {
            "licence": self.licence,
            "licence_sha256": self.licence_sha256,
            "purpose": self.purpose,
            "decision": self.digest,
        }


@dataclass(frozen=True)
class Terms:
    """What covers work on several licences at once: the most restrictive of each term.

    Attributes:
        licences: licence to the digest of its document.
        purposes: purposes that every licence allows.
        train_models: whether every licence allows models to be trained.
        share_models: whether every licence allows such models to leave.
        export: whether every licence allows export.
        valid_from: latest first day; None without licences.
        valid_until: earliest last day; None: no end.
        attributions: how to name the licensors.
    """

    licences: Mapping[str, str]
    purposes: tuple[str, ...]
    train_models: bool
    share_models: bool
    export: bool
    valid_from: dt.date | None
    valid_until: dt.date | None
    attributions: tuple[str, ...]


def find(folder: Path, id_or_file: str | Path) -> Licence:
    """The licence document of this id in the folder of licences, or in a file of its own.

    Raises:
        Refusal: if there is none; without a licence nothing may be done.
        schemas.document.DocumentError: if the document does not say what it must.
    """
    path = Path(id_or_file)
    if path.suffix in _SUFFIXES and path.is_file():
        return Licence.read(path)
    name = str(id_or_file)
    for suffix in _SUFFIXES:
        if "/" not in name and (folder / f"{name}{suffix}").is_file():
            licence = Licence.read(folder / f"{name}{suffix}")
            if licence.id == name:
                return licence
    for candidate in sorted(folder.glob("*.y*ml")) if folder.is_dir() else []:
        licence_there = _readable(candidate)
        if licence_there and licence_there.id == name:
            return licence_there
    raise _unknown(path.name, f"a document of that id in {folder.name}/, or the path of one (--licence ID_OR_FILE)")


def install(lake: Lake, id_or_file: str | Path) -> Licence:
    """Find a licence, learn it, and keep its document among the lake's licences.

    Raises:
        Refusal: if there is none.
        schemas.document.DocumentError: if the document does not say what it must.
    """
    licence = find(lake.licences, id_or_file)
    learn(lake, licence)
    kept = lake.licences / f"{licence.id}.yaml"
    if not kept.is_file() or (_readable(kept) != licence):
        kept.parent.mkdir(parents=True, exist_ok=True)
        licence.write(kept)
    return licence


def learn(lake: Lake, licence: Licence, at: dt.datetime | None = None) -> bool:
    """Record that this lake knows a licence document; returns whether that was news.

    What was known before stays: a correction is a further row, known from a later time.

    Args:
        lake: the lake.
        licence: the document.
        at: when it became known; None: now.
    """
    table = lake.table(LICENCES)
    known_from = _instant(at) if at else now()
    part: Part | None = None
    for _ in range(_TRIES):
        version = table.version()
        rows = _rows(lake, licence.id, version)
        if rows and rows[-1]["digest"] == licence.digest:
            return False
        if part is None:
            # the event comes before the row: a crash in between repeats the event, and never loses it
            append(lake, EventType.TERM_KNOWN, _told(licence))
            part = table.write([_row(licence, known_from)], {})
        try:
            table.append([part], expected_version=version)
        except Conflict:
            continue
        return True
    raise Conflict(f"licences: found {_TRIES} commits by others in a row, needed one try without; try again")


def known(lake: Lake, licence: str, on: dt.datetime | None = None) -> Licence:
    """The document of a licence as it was known at a time.

    Args:
        lake: the lake.
        licence: its id.
        on: the time of knowing; None: now.

    Raises:
        Refusal: if the lake did not know it then.
    """
    rows = _rows(lake, licence, None)
    if on is not None:
        rows = [row for row in rows if row["known_from"] <= _instant(on)]
    if not rows:
        raise _unknown(licence, "one that this lake knows" + (" at that time" if on else ""))
    return Licence.parse(json.loads(rows[-1]["document"]), licence)


def decide(licence: Licence, delivery: Delivery | None, purpose: str, action: Action | str, day: dt.date) -> Decision:
    """Ask whether a licence allows an action for a purpose on a day.

    Args:
        licence: the licence.
        delivery: the delivery's manifest; None where the work spans deliveries that were admitted before.
        purpose: what for.
        action: what is to be done.
        day: when.

    Raises:
        Refusal: if it does not; the message names the term and the remedy.
        ValueError: if the action is none of `Action`.
    """
    act = Action(action)
    if delivery is not None:
        _check_delivery(licence, delivery)
    if not licence.in_force(day):
        bound, limit = ("from", licence.valid_from) if day < licence.valid_from else ("until", licence.valid_until)
        raise Refusal(
            licence.id,
            f"valid_{bound}",
            f"{act} on {day}",
            f"a day {bound} {limit}",
            "agree on a renewal with the licensor and add the new document to the licences",
        )
    if purpose not in licence.purposes:
        raise Refusal(
            licence.id,
            "purposes",
            f"a purpose that it does not allow for {act}",
            f"one of: {', '.join(licence.purposes)}",
            "use the data for one of these, or agree on the purpose with the licensor",
        )
    permission = _PERMISSIONS.get(act)
    if permission and not getattr(licence, permission):
        raise Refusal(
            licence.id,
            permission,
            "false",
            f"true for {act}",
            "leave its deliveries out, or agree with the licensor and add the new document to the licences",
        )
    return Decision(act, purpose, licence.id, licence.digest, delivery.name if delivery else None, day)


def permit(
    lake: Lake, licence: Licence, delivery: Delivery | None, *, purpose: str, action: Action | str, day: dt.date
) -> Decision:
    """As `decide`, and a refusal is put on the ledger before it is raised.

    Raises:
        Refusal: if the licence does not allow it.
    """
    try:
        return decide(licence, delivery, purpose, action, day)
    except Refusal as refusal:
        facts = {"licence": refusal.licence, "licence_sha256": licence.digest, "term": refusal.term, "day": str(day)}
        about = {"action": str(action), "delivery": delivery.name if delivery else None}
        append(lake, EventType.REFUSED, facts | about)
        raise


def union(licences: Iterable[Licence]) -> Terms:
    """The most restrictive union of licences; without any, nothing is allowed."""
    given = sorted(licences, key=lambda licence: licence.id)
    ends = [licence.valid_until for licence in given if licence.valid_until]
    common = [p for p in (given[0].purposes if given else []) if all(p in licence.purposes for licence in given)]
    return Terms(
        licences={licence.id: licence.digest for licence in given},
        purposes=tuple(common),
        train_models=bool(given) and all(licence.train_models for licence in given),
        share_models=bool(given) and all(licence.share_models for licence in given),
        export=bool(given) and all(licence.export for licence in given),
        valid_from=max((licence.valid_from for licence in given), default=None),
        valid_until=min(ends, default=None),
        attributions=tuple(sorted({licence.attribution for licence in given if licence.attribution})),
    )


def _check_delivery(licence: Licence, delivery: Delivery) -> None:
    if delivery.licence != licence.id:
        raise Refusal(
            licence.id, "licence", f"delivery {delivery.name} under {delivery.licence}", f"one under {licence.id}",
            "name the licence that covers it in delivery.yaml",
        )  # fmt: skip
    if delivery.licensor != licence.licensor:
        raise Refusal(
            licence.id, "licensor", f"delivery {delivery.name} of another licensor", "one of the licence's licensor",
            "name the licensor in delivery.yaml as the licence does, or use the licence that this licensor granted",
        )  # fmt: skip
    if not licence.covers(delivery.name):
        raise Refusal(
            licence.id, "deliveries", f"delivery {delivery.name}", f"a name like {', '.join(licence.deliveries)}",
            "use the licence that covers this delivery, or agree with the licensor on a wider one",
        )  # fmt: skip


def _unknown(name: str, needed: str) -> Refusal:
    return Refusal(name, "licence", "no such licence", needed, "put the document of the licence there")


def _readable(path: Path) -> Licence | None:
    try:
        return Licence.read(path)
    except DocumentError:
        return None  # a broken document of another licence is no reason to refuse this one


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _rows(lake: Lake, licence: str, version: int | None) -> list[dict[str, str]]:
    if version == -1:
        return []
    rows = lake.table(LICENCES).rows(version=version)
    return sorted((row for row in rows if row["licence"] == licence), key=lambda row: str(row["known_from"]))


def _row(licence: Licence, known_from: str) -> dict[str, str | None]:
    return {
        "licence": licence.id,
        "digest": licence.digest,
        "document": canonical_json(licence.model_dump(mode="json")),
        "valid_from": str(licence.valid_from),
        "valid_until": str(licence.valid_until) if licence.valid_until else None,
        "known_from": known_from,
    }


def _told(licence: Licence) -> Facts:
    return {
        "licence": licence.id,
        "licence_sha256": licence.digest,
        "valid_from": str(licence.valid_from),
        "valid_until": str(licence.valid_until) if licence.valid_until else None,
        "train_models": licence.train_models,
        "share_models": licence.share_models,
        "export": licence.export,
    }
