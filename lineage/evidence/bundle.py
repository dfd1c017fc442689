"""The bundle: report, events of a period with their proof, cards and standard exports, as one signed archive.

Belongs here: what goes into it. The archive's form is `lineage.evidence.archive`, the proof `lineage.evidence.period`,
checking one `lineage.evidence.checked`. A bundle of a past moment is made from the table versions of that time; what of
them is gone is named in the manifest and on the page, never replaced by what is there today.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lake.releases import CARD, MEMBERS, SPLITS, Release
from lake.zones import Lake
from lineage.evidence import croissant, dicom_audit, made, provenance, technical_file
from lineage.evidence.archive import Archive
from lineage.evidence.past import Past, instant
from lineage.evidence.period import PeriodProof, prove
from lineage.evidence.persons import Persons
from lineage.evidence.recorded import Entry, Record
from lineage.evidence.report import code_version, report
from lineage.evidence.reviews import reviews
from lineage.evidence.strata import gaps
from lineage.ledger.commits import Log
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.ledger.seals import seal, signer
from lineage.ledger.statements import Seal, handovers
from schemas.agreement import parsed
from schemas.contract import Zone
from schemas.document import canonical_json
from schemas.tables import CERTIFICATES, LICENCES

REPORT, FILE, EVENTS, PROOF = "report.html", "technical-file.html", "events.jsonl", "proof.json"
CERTIFIED, PROV, AUDIT = "certificates.jsonl", "provenance.prov.json", "dicom-audit.txt"
SEALS = "seals/"

_OF_TERMS = ("licence", "digest", "known_from", "document")
_OF_CERTIFICATES = ("delivery", "series", "digest", "document")

_README = """Evidence of a Larmor lake.

report.html           what the lake held at the moment that manifest.json names; open it in a browser
technical-file.html   the data part of a technical file (Regulation (EU) 2024/1689, Annex IV, section 2(d))
events.jsonl          every event of the period, one a line, as it stands in the ledger
proof.json            that these are all of them, under the seal in seals/ that it names; others there changed the key
certificates.jsonl    certificates of de-identification that were made in the period; digest is that of document
terms.jsonl           licences and other terms as they were known
reviews.jsonl         who examined which entries, with which meaning
cards/                data cards and model cards, and releases as Croissant metadata (MLCommons 1.1)
dicom-audit.txt       accesses of the period as DICOM audit messages (PS3.15, A.5), one XML document a line
provenance.prov.json  where everything comes from, as W3C PROV-JSON
manifest.json         SHA-256 of every file; manifest.sig is the Ed25519 signature over it

Check it with Larmor, without any lake, and with a public key that you had before:
  larmor report --check BUNDLE --key public.pem
Or by hand: sha256sum for the files, and for the manifest
  openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in manifest.json -sigfile manifest.sig
For proof.json: hash each line of events.jsonl as a leaf (RFC 9162, section 2.1.1), append the leaves to the tree whose
perfect subtrees are "frontier", and check "consistency" (section 2.1.4.2) from that tree of "until" entries to size and
root of the seal.
"""


class BundleError(ValueError):
    """A bundle cannot be made as asked; the message says what was found and needed."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was made.

    Attributes:
        data: the archive.
        sha256: digest of its manifest, which the ledger records.
        events: events of the period.
        files: files in it.
        gone: tables that could not be read as they were.
    """

    data: bytes
    sha256: str
    events: int
    files: int
    gone: tuple[str, ...]


def bundle(
    lake: Lake,
    since: dt.date | None = None,
    until: dt.date | None = None,
    as_of: dt.datetime | None = None,
    *,
    purpose: str = "audit",
    recipient: str | None = None,
) -> Bundle:
    """Make a bundle, and record that it was handed out before it is.

    Two bundles of the same period and past moment are the same bytes, as long as the tables of that moment are there.

    Args:
        lake: the lake.
        since: first day of the period, UTC; None: from the beginning.
        until: last day; None: up to the moment.
        as_of: the moment that report and cards speak of, with a time zone; None: the end of `until`, now at the latest.
        purpose: what for.
        recipient: for whom.

    Raises:
        BundleError: if the period ends after the moment or before it begins, or the moment lies in the future.
        lineage.ledger.statements.SealError: if there is nothing to seal, or another key signed before.
    """
    now = dt.datetime.now(dt.UTC)
    end = dt.datetime.combine(until, dt.time.max, dt.UTC) if until else None
    moment = as_of or (min(end, now) if end else now)
    _check_period(since, end, as_of, moment, now)
    past = Past.of(lake, moment)
    record = Record.of(past)
    start = instant(dt.datetime.combine(since, dt.time.min, dt.UTC)) if since else ""
    places = record.between(start, min(instant(end), str(past.moment)) if end else str(past.moment))
    sealed, leaves = _sealed(lake, record)
    proof = prove(leaves, places.start, places.stop, record.size, sealed)
    files = dict(_files(past, record, record.at(places), proof, sealed))
    said = {
        "as_of": past.moment,
        "code_version": code_version(),
        "events": len(places),
        "from": str(since) if since else None,
        "not_available": past.gone,
        "seal": sealed.name,
        "until": str(until) if until else None,
    }
    key = signer(lake)
    archive = Archive(files, said)
    sha256 = hashlib.sha256(archive.statement(key.public_key())).hexdigest()
    facts = {"target": "report", "rows": len(places), "purpose": purpose, "format": "bundle", "files": len(files)}
    append(lake, EventType.EXPORTED, facts | {"content_sha256": sha256, "recipient": recipient})
    return Bundle(archive.signed(key), sha256, len(places), len(files), tuple(past.gone))


def _check_period(
    since: dt.date | None, end: dt.datetime | None, as_of: dt.datetime | None, moment: dt.datetime, now: dt.datetime
) -> None:
    if moment > now:
        raise BundleError("found a moment in the future, needed one that has been")
    if since and since > moment.date():
        raise BundleError(f"found a period that begins on {since}, needed one that begins before its end or moment")
    if as_of and end and end.date() > as_of.date():
        raise BundleError(f"found a period until {end.date()}, needed one that ends by the moment {as_of.date()}")


def _sealed(lake: Lake, record: Record) -> tuple[Seal, list[bytes]]:
    """The first seal that covers a record, made now where there is none yet, and the leaves under it."""
    known = next((found for found in record.seals if found.size >= record.size), None)
    covering = known or seal(lake)
    return covering, Record.of(Past.of(lake)).leaves[: covering.size]


def _files(
    past: Past, record: Record, events: list[Entry], proof: PeriodProof, sealed: Seal
) -> Iterator[tuple[str, bytes]]:
    moment = str(past.moment)
    releases = made.releases_in_use(past)
    yield "README.txt", _README.encode()
    yield REPORT, report(past.lake, past.until).encode()
    yield FILE, technical_file.page(past, record, moment).encode()
    yield EVENTS, _lines(entry.text for entry in events)
    yield PROOF, proof.data
    yield from {f"{SEALS}{one.name}": one.data for one in (sealed, *handovers(Log.of(past.lake)))}.items()
    yield CERTIFIED, _certified(past, record, proof)
    yield "terms.jsonl", _lines(sorted(map(canonical_json, past.table(LICENCES).rows(_OF_TERMS))))
    yield "reviews.jsonl", _lines(canonical_json(review.row) for review in reviews(past, record))
    yield from _cards(past, record, releases)
    persons = Persons.of(past.lake, releases)
    yield AUDIT, b"".join(message + b"\n" for entry in events for message in dicom_audit.messages(entry, persons))
    deliveries = {release.name: _deliveries(release) for release in releases}
    yield PROV, provenance.document(record.of_type(*provenance.STATED), deliveries)


def _deliveries(release: Release) -> set[str]:
    return {member.delivery for split in SPLITS for member in release.members(split, sealed_ok=True)}


def _cards(past: Past, record: Record, releases: list[Release]) -> Iterator[tuple[str, bytes]]:
    known = past.table(LICENCES).rows(["licence", "digest", "document"])
    documents = {row["digest"]: parsed(json.loads(row["document"]), row["licence"]) for row in known}
    counted = {row["name"]: row["strata"] for row in made.releases(past, record)}
    for release in releases:
        folder = past.location(Zone.CURATED, "releases", release.name)
        terms = [documents[digest] for digest in release.manifest.licences.values() if digest in documents]
        size = folder.size(MEMBERS)
        found = gaps(counted.get(release.name, []))
        yield f"cards/release-{release.name}.croissant.json", croissant.document(release, terms, size, found)
        if folder.exists(CARD):
            yield f"cards/release-{release.name}.html", folder.read_bytes(CARD)
    for row in made.models(past, record):
        folder = past.location(Zone.MODELS, row["name"])
        if folder.exists(CARD):
            yield f"cards/model-{row['name']}.html", folder.read_bytes(CARD)


def _certified(past: Past, record: Record, proof: PeriodProof) -> bytes:
    """Certificates whose newest entry lies in the period, so that the entry's digest is theirs."""
    newest = record.places(EventType.MATERIALIZED, "delivery", "table")
    period = range(proof.first, proof.until)
    inside = {delivery for (delivery, table), place in newest.items() if table == CERTIFICATES.path and place in period}
    rows = [row for row in past.table(CERTIFICATES).rows(_OF_CERTIFICATES) if row["delivery"] in inside]
    return _lines(sorted(map(canonical_json, rows)))


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()
