"""Station 2a, `certificates`: one statement a series of what became of the 18 HIPAA identifiers.

Belongs here: gathering what a certificate rests on. What it says is `deid.proof.certificate`; how it looks on a page is
`lineage.evidence.certificates`.
"""

import hashlib
from collections import Counter, defaultdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from deid.headers import standard
from deid.policy import load_policy
from deid.proof.certificate import Certificate, NotCertifiable, Scan, Terms, certify
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from schemas.policy import Policy
from schemas.tables import CERTIFICATES, DECISIONS, INSTANCES
from stages.second_look.residual import kept
from stages.station import Outcome, Report, commit, recorded, silent


def certify_series(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Certify every series of a delivery.

    Raises:
        NotCertifiable: if the delivery was not scanned since it was de-identified, the scan found something, or
            decisions were made by another policy than the configured one.
        TableMissing: if nothing was de-identified yet.
    """
    policy = load_policy(lake.settings.policy)
    certificates = _certificates(lake, delivery, policy)
    written = Written()
    written.hand(CERTIFICATES, [_row(certificate) for certificate in certificates])
    versions = commit(lake, "certificates", delivery, written, [CERTIFICATES], quarantine=False)
    report(f"{len(certificates)} series certified")
    states = Counter(f"faces_{c.faces.replace(' ', '_')}" for c in certificates)
    states.update(f"text_in_pixels_{c.burned_in.replace(' ', '_')}" for c in certificates)
    outcome = Outcome(
        CERTIFICATES.path, versions[CERTIFICATES.path], len(certificates), details=dict(sorted(states.items()))
    )
    facts = {"content_sha256": content_digest(certificates), "policy_sha256": policy.digest, "findings": 0}
    return recorded(lake, EventType.MATERIALIZED, "certificates", delivery, outcome, **facts)


def content_digest(certificates: list[Certificate]) -> str:
    """What the ledger says of a delivery's certificates: SHA-256 over `<series> <digest>` lines, sorted."""
    lines = sorted(f"{certificate.series} {certificate.digest}\n" for certificate in certificates)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _certificates(lake: Lake, delivery: str, policy: Policy) -> list[Certificate]:
    partition = {"delivery": delivery}
    residue = kept(lake, delivery)
    if residue is None:
        raise NotCertifiable(
            f"delivery {delivery}: found no residual scan of its files as they are now, needed one; run the delivery "
            f"again up to instances, whose check no_residue scans them (larmor run {delivery} --to instances)"
        )
    instances: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for row in lake.table(INSTANCES).rows(["series", "dicom_bytes"], partition):
        instances[row["series"]] += 1
        sizes[row["series"]] += row["dicom_bytes"]
    decisions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lake.table(DECISIONS).rows(None, partition):
        decisions[row["series"]].append(row)
    terms = Terms(policy.name, policy.version, policy.digest, standard.table().edition, code_version())
    empty = frozenset(rule.id for rule in policy.empty)
    findings = sum(residue.findings.values())
    return [
        certify(
            delivery,
            series,
            decisions[series],
            terms,
            instances[series],
            Scan(residue.values, sizes[series], findings),
            empty,
        )
        for series in sorted(instances)
    ]


def code_version() -> str:
    """Version of Larmor that runs."""
    try:
        return version("larmor")
    except PackageNotFoundError:
        return "unknown"


def _row(certificate: Certificate) -> dict[str, Any]:
    return {
        "series": certificate.series,
        "policy": certificate.terms.policy_sha256,
        "policy_name": certificate.terms.policy_name,
        "policy_version": certificate.terms.policy_version,
        "edition": certificate.terms.edition,
        "code_version": certificate.terms.code_version,
        "instances": certificate.instances,
        "elements": certificate.elements,
        "faces": certificate.faces,
        "burned_in": certificate.burned_in,
        "values_looked_for": certificate.scan.values,
        "bytes_read": certificate.scan.bytes,
        "document": certificate.document,
        "digest": certificate.digest,
    }
