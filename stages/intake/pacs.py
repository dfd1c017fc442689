"""A list of studies pulled from a PACS as one delivery, from where a killed pull stopped.

Belongs here: which studies, what is there already, where files land and what the PACS lacks. Requests are
`stages.intake.dicomweb`. Studies are told by their number in the list: UIDs and accession numbers are PHI, and appear
in the delivery alone, which is restricted.
"""

import csv
import hashlib
import hmac
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lake.zones import Lake
from lineage.terms.questions import Action
from schemas.delivery import Delivery
from schemas.licence import Licence
from schemas.pacs import Pacs, StudyQuery
from stages.identity import open_vault
from stages.intake.arrival import Arrival, IntakeError, drafted
from stages.intake.dicomweb import DicomWeb, NotThere, PacsError, text
from stages.permission import permitted
from stages.station import Report, silent

MISSING_NAME = "missing.csv"
"""List inside a delivery of what the PACS lacked."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_MODALITY, _SERIES, _NUMBER = "00080060", "0020000E", "00201209"


@dataclass(frozen=True)
class Asked:
    """A study that is asked for.

    Attributes:
        key: Study Instance UID or accession number.
        by: the keyword it is searched by.
    """

    key: str = field(repr=False)
    by: str


@dataclass
class Pulled:
    """What a pull brought.

    Attributes:
        manifest: the delivery's manifest.
        studies: studies that were asked for.
        files: instances of the delivery.
        fetched: of these, fetched by this call; the others were there from one before.
        other_modalities: series left at the PACS because nobody asked for their modality.
        missing: studies and instances that the PACS lacks; the delivery lists them.
    """

    manifest: Delivery
    studies: int = 0
    files: int = 0
    fetched: int = 0
    other_modalities: int = 0
    missing: int = 0


def asked(path: Path) -> list[Asked]:
    """Studies that a list asks for, each once, in its order.

    Args:
        path: a text file with a Study Instance UID or an accession number a line; or a CSV with a column `study` or
            `accession`.

    Raises:
        IntakeError: if there is no such file, or it lists none.
    """
    if not path.is_file():
        raise IntakeError("found no list of studies at this path, needed a text or CSV file with one study a line")
    try:
        rows = [row for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))) if row and row[0].strip()]
    except (UnicodeDecodeError, csv.Error):
        raise IntakeError("found a list of studies that is no UTF-8 text, needed one study a line") from None
    names = [name.strip().lower() for name in rows[0]] if rows else []
    column = next((names.index(name) for name in ("study", "accession") if name in names), None)
    by = names[column] if column is not None else None
    values = [row[column or 0].strip() for row in (rows[1:] if by else rows) if len(row) > (column or 0)]
    found = [_asked(value, by) for value in values if value and not value.startswith("#")]
    if not found:
        raise IntakeError("found a list of studies with none in it, needed one study a line")
    return list(dict.fromkeys(found))


def _asked(value: str, by: str | None) -> Asked:
    is_uid = by == "study" or (by is None and _UID.fullmatch(value) is not None)
    if by == "study" and not _UID.fullmatch(value):
        raise IntakeError("found a study that is no UID, needed a Study Instance UID in the column study")
    if any(mark in value for mark in "*?\\"):
        raise IntakeError("found a wildcard in the list, needed whole keys; write a query document to search")
    return Asked(value, "StudyInstanceUID" if is_uid else "AccessionNumber")


def pull(
    lake: Lake,
    pacs: Pacs,
    studies: Sequence[Asked] | StudyQuery,
    name: str,
    licence: Licence,
    report: Report = silent,
    web: DicomWeb | None = None,
    **facts: object,
) -> Pulled:
    """Make studies of a PACS one delivery in landing; it appears there when it is complete.

    Files of a call that was stopped are kept, and not fetched again by the next one of the same name.

    Args:
        lake: the lake.
        pacs: how the PACS is reached.
        studies: a list, or a query.
        name: name of the delivery.
        licence: licence that covers it.
        report: told how far it is, by numbers.
        web: the service; None: made of `pacs`.
        facts: further fields of the manifest.

    Raises:
        IntakeError: if the name is taken, or the PACS has nothing of it.
        Refusal: if the licence does not allow it; the PACS is not asked then.
        PacsError: if the PACS does not answer as it should.
    """
    arrival = Arrival.open(lake, name, ".pulling")
    manifest = drafted(name, licence, facts)
    permitted(lake, licence, manifest, Action.INTAKE)
    web = web or DicomWeb(pacs)
    wanted = _found(web, studies) if isinstance(studies, StudyQuery) else list(studies)
    pulled = Pulled(manifest, studies=len(wanted))
    names = _Names(open_vault(lake).derived(b"names of pulled files"))
    lacking: list[tuple[int, str, str]] = []
    for number, study in enumerate(wanted, 1):
        try:
            lacking += [(number, key, what) for key, what in _study(web, pacs, study, arrival, names, pulled)]
        except PacsError as error:
            raise PacsError(f"study {number} of {len(wanted)}: {error}") from None
        report(f"study {number} of {len(wanted)}: {pulled.files} instances, {pulled.fetched} fetched now")
    pulled.missing = len(lacking)
    if not pulled.files:
        raise IntakeError(
            f"found none of {len(wanted)} studies with series of {', '.join(pacs.modalities)} at the PACS, needed one "
            "at least; check the list and the modalities"
        )
    lists = {}
    if lacking:
        arrival.write(MISSING_NAME, _listed(lacking))
        lists = {"missing": MISSING_NAME}
    pulled.manifest = arrival.finish(manifest, lists)
    return pulled


def _found(web: DicomWeb, query: StudyQuery) -> list[Asked]:
    found = web.studies(query.where, query.most)
    if len(found) > query.most:
        raise IntakeError(
            f"found more than {query.most} studies that fit the query, needed at most that many; narrow it, or raise "
            "`most`"
        )
    if not found:
        raise IntakeError("found no study at the PACS that fits the query, needed one at least")
    return [Asked(uid, "StudyInstanceUID") for uid in sorted(found)]


def _study(
    web: DicomWeb, pacs: Pacs, study: Asked, arrival: Arrival, names: "_Names", pulled: Pulled
) -> list[tuple[str, str]]:
    """Fetch what is not there of a study; what the PACS lacks, with the kind of thing it is."""
    # some services answer a UID they do not know with all they have
    found = web.studies({study.by: study.key})
    if study.by == "StudyInstanceUID":
        found = [uid for uid in found if uid == study.key]
    lacking = []
    for uid in found:
        for series in _all_series(web, uid):
            if (text(series, _MODALITY) or "?") not in pacs.modalities:
                pulled.other_modalities += 1
                continue
            lacking += _series(web, uid, series, arrival, names, pulled)
    return lacking if found else [(study.key, "study")]


def _all_series(web: DicomWeb, study: str) -> list[dict[str, object]]:
    try:
        return [dict(record) for record in web.series(study)]
    except NotThere:
        return []


def _series(
    web: DicomWeb, study: str, record: dict[str, object], arrival: Arrival, names: "_Names", pulled: Pulled
) -> list[tuple[str, str]]:
    series = text(record, _SERIES)
    instances = web.instances(study, series)
    told = text(record, _NUMBER)
    if told.isdigit() and int(told) > len(instances):
        raise PacsError(
            f"found {len(instances)} instances of a series that has {told}, needed all; the PACS lists fewer than it "
            "has, so set `page` in its document, or ask its people for the limit of searches"
        )
    lacking = []
    for instance in sorted(instances):
        where = f"{names.of(study, 16)}/{names.of(instance, 32)}.dcm"
        if not arrival.has(where):
            try:
                arrival.write(where, web.fetch(study, series, instance))
            except NotThere:
                lacking.append((instance, "instance"))
                continue
            pulled.fetched += 1
        pulled.files += 1
    return lacking


class _Names:
    """Names that tell nothing, and are the same when a pull goes on."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, uid: str, length: int) -> str:
        return hmac.new(self._key, uid.encode(), hashlib.sha256).hexdigest()[:length]


def _listed(lacking: Sequence[tuple[int, str, str]]) -> bytes:
    text_ = io.StringIO()
    writer = csv.writer(text_, lineterminator="\n")
    writer.writerow(("number", "key", "what"))
    writer.writerows(lacking)
    return text_.getvalue().encode()
