"""Certificates of de-identification as a page: one for a series, or one for all series of a delivery.

Belongs here: reading certificates from their table, checking that they are what the ledger says, and the page. What a
certificate states is `deid.proof.certificate`.
"""

import hashlib
import json
from typing import Any

from lake.zones import Lake
from lineage.access import Access, accessed
from lineage.evidence.pages import environment
from lineage.evidence.report import FOLDER
from lineage.ledger import ledger
from lineage.principal import now
from schemas.contract import Zone
from schemas.tables import CERTIFICATES


class CertificateError(ValueError):
    """There is no such certificate, or it is not the one that was recorded."""


def write(lake: Lake, name: str) -> str:
    """Write the page of a series' or a delivery's certificates into the audit zone and return its path or URI.

    That they were read is recorded as an access.

    Raises:
        CertificateError: if there is none, or one was changed after it was recorded on the ledger.
    """
    location = lake.location(Zone.AUDIT, FOLDER)
    file = f"certificate-{name}.html"
    rows = found(lake, name)
    accessed(lake, Access.REPORT, CERTIFICATES.path, len(rows), "certificate")
    location.write_bytes(file, _page(name, rows).encode())
    return location.address(file)


def page(lake: Lake, name: str) -> str:
    """The certificates as one self-contained HTML page.

    Args:
        lake: the lake.
        name: a pseudonymous Series Instance UID, or a delivery.

    Raises:
        CertificateError: if there is none, or one was changed after it was recorded on the ledger.
    """
    return _page(name, found(lake, name))


def _page(name: str, rows: list[dict[str, Any]]) -> str:
    templates = environment()
    documents = [json.loads(row["document"]) | {"digest": row["digest"]} for row in rows]
    return templates.get_template("certificate.html.j2").render(
        name=name, certificates=documents, created=now(), totals=_totals(documents)
    )


def found(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Rows of `schemas.tables.CERTIFICATES` of a series or a delivery, each proved against the ledger.

    Raises:
        CertificateError: if there is none, or one was changed after it was recorded on the ledger.
    """
    rows = lake.table(CERTIFICATES).rows()
    wanted = [row for row in rows if name in (row["series"], row["delivery"])]
    if not wanted:
        raise CertificateError(
            f"found no certificate of a series or delivery {name}, needed one; larmor run DELIVERY --to certificates "
            "makes them, unless the residual scan finds something"
        )
    for delivery in sorted({row["delivery"] for row in wanted}):
        _prove(lake, delivery, [row for row in rows if row["delivery"] == delivery])
    return sorted(wanted, key=lambda row: (row["delivery"], row["series"]))


def _prove(lake: Lake, delivery: str, rows: list[dict[str, Any]]) -> None:
    """Compare the documents with their digests, and all of a delivery with the newest event about them."""
    own = all(hashlib.sha256(row["document"].encode()).hexdigest() == row["digest"] for row in rows)
    lines = sorted(f"{row['series']} {row['digest']}\n" for row in rows)
    said = [
        event["facts"]["content_sha256"]
        for event in (json.loads(entry["event"]) for entry in ledger.entries(lake) if entry["type"] == "materialized")
        if event["facts"].get("table") == CERTIFICATES.path and event["facts"].get("delivery") == delivery
    ]
    if not own or not said or said[-1] != hashlib.sha256("".join(lines).encode()).hexdigest():
        raise CertificateError(
            f"delivery {delivery}: found certificates that are not those of the ledger, needed the recorded ones; "
            f"make them again with larmor run {delivery} --to certificates, and ask who changed them"
        )


def _totals(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The 18 identifiers over all certificates: how many series of each status."""
    totals = []
    for place, entry in enumerate(documents[0]["entries"]):
        states = [document["entries"][place]["status"] for document in documents]
        totals.append(
            {
                "letter": entry["letter"],
                "title": entry["title"],
                "states": {state: states.count(state) for state in dict.fromkeys(states)},
            }
        )
    return totals
