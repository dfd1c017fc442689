"""Station 4a, `reports`: report text de-identified, text of structured reports, a caption for each study.

Belongs here: rows of `curated/reports`. What may stay in a text is `deid.text.text`.
"""

import hashlib
from collections import Counter, defaultdict
from typing import Any

from deid.policy import load_policy
from deid.text.text import TextCleaner
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from schemas.reasons import Reason
from schemas.tables import QUARANTINE, REPORTS, SERIES
from stages.instances import identifiers
from stages.packed import received
from stages.station import Outcome, Report, commit, held, recorded, silent
from stages.structured import structured_reports


def write_reports(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """De-identify a delivery's report text, read its structured reports and caption its studies.

    Raises:
        TableMissing: if its series were not described yet.
    """
    written = Written()
    texts = _delivered(lake, delivery, written)
    captions = _captions(lake.table(SERIES).rows(None, {"delivery": delivery}))
    structured = [
        {
            **{name: keys[name] for name in ("subject", "study", "licence", "policy")},
            "report": _id(keys["study"], keys["instance"]),
            "source": "structured",
            "text": text,
            "removed": tags,
        }
        for keys, text, tags in structured_reports(lake, delivery)
    ]
    texts += structured
    written.hand(REPORTS, [*texts, *captions])
    report(f"{len(texts)} reports, {len(captions)} captions")
    versions = commit(lake, "reports", delivery, written, [REPORTS])
    reasons = Counter(str(row["reason"]) for row in written.rows(QUARANTINE))
    removed = sum(row["removed"] for row in texts)
    details = {"reports": len(texts), "captions": len(captions), "passages_removed": removed}
    outcome = Outcome(
        REPORTS.path,
        versions[REPORTS.path],
        len(texts) + len(captions),
        quarantined=sum(reasons.values()),
        details=details,
    )
    return recorded(lake, EventType.MATERIALIZED, "reports", delivery, outcome, reasons=dict(reasons))


def _delivered(lake: Lake, delivery: str, written: Written) -> list[dict[str, Any]]:
    files = received(lake, delivery, "report")
    if not files:
        return []
    policy = load_policy(lake.settings.policy)
    cleaner = TextCleaner()
    known = identifiers(lake, delivery, {row["subject"] for row in files if row["subject"]})
    rows = []
    for row in files:
        try:
            text = lake.landed(delivery).read_bytes(row["path"]).decode("utf-8")
        except UnicodeDecodeError:
            text = ""
        if not text.strip() or not row["subject"]:
            reason = Reason.MISSING_IDENTITY if text.strip() else Reason.REPORT_UNREADABLE
            written.hand(QUARANTINE, [held("reports", reason, row["path"], row["sha256"])])
            continue
        cleaned = cleaner.report(text, known[row["subject"]])
        rows.append(
            {
                "subject": row["subject"],
                "study": row["study"],
                "report": _id(row["study"], row["sha256"]),
                "source": "report",
                "text": cleaned.text,
                "removed": len(cleaned.removed),
                "licence": row["licence"],
                "policy": policy.digest,
            }
        )
    return rows


def _id(study: str, source: str) -> str:
    return hashlib.sha256(f"{study}/{source}".encode()).hexdigest()[:20]


def _captions(series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One caption a study: what was imaged, with which contrasts, on which scanner."""
    studies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(series, key=lambda row: row["series"]):
        studies[row["study"]].append(row)
    return [
        {
            **{name: rows[0][name] for name in ("subject", "study", "licence", "policy")},
            "report": _id(study, "caption"),
            "source": "caption",
            "text": caption(rows),
            "removed": 0,
        }
        for study, rows in studies.items()
    ]


def caption(rows: list[dict[str, Any]]) -> str:
    """A sentence about a study from its rows of `curated/series`."""
    parts = sorted({row["body_part"].lower() for row in rows if row["body_part"] != "unknown"})
    where = " and ".join(parts) if parts else "an unstated body part"
    images = []
    for row in rows:
        plane = "" if row["plane"] == "unknown" else f"{row['plane']} "
        contrast = "image of unknown contrast" if row["contrast"] == "unknown" else row["contrast"]
        fat = "fat-suppressed " if row["fat_suppression"] == "suppressed" else ""
        agent = " after contrast agent" if row["contrast_agent"] == "given" else ""
        images.append(f"{plane}{fat}{contrast}{agent}")
    counted = [f"{number} x {name}" if number > 1 else name for name, number in sorted(Counter(images).items())]
    fields = sorted({row["field_strength"] for row in rows if row["field_strength"]})
    field = f" at {fields[0]:g} T" if len(fields) == 1 else ""
    return f"MRI of {where}{field}: {', '.join(counted)}."
