"""A bundle is judged by a stranger with a public key: whole, it holds; with one byte changed, it does not."""

import datetime as dt
import hashlib
import io
import json
import random
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lake.zones import Lake
from lineage.evidence.archive import Archive, ArchiveError
from lineage.evidence.bundle import BundleError, bundle
from lineage.evidence.checked import check
from lineage.ledger import keys, ledger
from lineage.ledger.rotation import rotate
from lineage.ledger.seals import seal
from lineage.ledger.statements import SealError
from schemas.tables import CERTIFICATES, REVIEWS

from .audit_schema import faults

TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture
def made(evident):
    return bundle(evident)


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def signed_again(data, key, **changes):
    """The bundle with other files, signed as its maker would."""
    inside = members(data)
    said = json.loads(inside["manifest.json"])
    manifest = {name: value for name, value in said.items() if name not in ("files", "format", "key")}
    files = {name: content for name, content in inside.items() if name in said["files"]}
    return Archive(files | changes, manifest).signed(key)


def test_it_holds_report_events_proofs_cards_and_standards(evident, made):
    inside = members(made.data)
    assert check(made.data, keys.private_key(evident).public_key()).ok
    assert len(inside["events.jsonl"].splitlines()) == made.events == ledger.size(evident) - 1
    assert inside["events.jsonl"].splitlines()[0].decode() == ledger.entries(evident)[0]["event"]
    for name in ("report.html", "technical-file.html", "README.txt", "provenance.prov.json",
                 "cards/release-cohort.html", "cards/release-cohort.croissant.json"):  # fmt: skip
        assert inside[name], name
    assert len(inside["certificates.jsonl"].splitlines()) == evident.table(CERTIFICATES).read(["series"]).num_rows
    assert len(inside["reviews.jsonl"].splitlines()) == evident.table(REVIEWS).read(["entry"]).num_rows == 1
    assert all(faults(message) == [] for message in inside["dicom-audit.txt"].splitlines())
    assert len(inside["dicom-audit.txt"].splitlines()) > 6


def test_nothing_is_handed_out_under_another_key(evident, tmp_path):
    seal(evident)
    before = ledger.size(evident)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "other.pem").write_bytes(pem)
    (tmp_path / "other.pem").chmod(0o600)
    with pytest.raises(SealError, match="another key"):
        bundle(Lake.open(evident.settings.root, seal_key_file=tmp_path / "other.pem"))
    assert ledger.size(evident) == before


def test_handing_it_out_is_recorded_with_the_digest_of_its_manifest(evident):
    made = bundle(evident, purpose="inspection", recipient="Ethics board")
    facts = json.loads(ledger.entries(evident)[-1]["event"])["facts"]
    assert facts["content_sha256"] == hashlib.sha256(members(made.data)["manifest.json"]).hexdigest() == made.sha256
    assert (facts["purpose"], facts["recipient"], facts["rows"]) == ("inspection", "Ethics board", made.events)


def test_two_of_one_past_moment_are_the_same_bytes(evident):
    moment = dt.datetime.now(dt.UTC)
    first = bundle(evident, as_of=moment)
    assert bundle(evident, as_of=moment).data == first.data


def test_a_period_holds_its_events_alone_and_proves_them(evident):
    tomorrow = TODAY + dt.timedelta(days=1)
    with pytest.raises(BundleError, match="period"):
        bundle(evident, since=tomorrow)
    assert bundle(evident, until=TODAY - dt.timedelta(days=1)).events == 0
    whole = bundle(evident, since=TODAY, until=TODAY)
    assert whole.events > 10
    assert check(whole.data).ok


def test_a_moment_to_come_and_a_period_after_the_moment_are_refused(evident):
    with pytest.raises(BundleError, match="future"):
        bundle(evident, as_of=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    with pytest.raises(BundleError, match="until"):
        bundle(evident, until=TODAY, as_of=dt.datetime.now(dt.UTC) - dt.timedelta(days=2))


def test_every_single_byte_edit_is_found(made):
    chance = random.Random(7)
    assert check(made.data).ok
    listed = members(made.data)
    for _ in range(150):
        data = bytearray(made.data)
        place = chance.randrange(len(data))
        data[place] ^= 1 << chance.randrange(8)
        try:
            # dates and rights of a member are no content: what is read is still what was signed
            assert not check(bytes(data)).ok or members(bytes(data)) == listed
        except ArchiveError:
            continue


@pytest.mark.parametrize("name", ["events.jsonl", "certificates.jsonl", "proof.json", "report.html", "terms.jsonl"])
def test_a_file_that_was_exchanged_is_named(made, name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for member, content in members(made.data).items():
            archive.writestr(member, content + b" " if member == name else content)
    found = check(data.getvalue())
    assert any(finding.startswith(f"{name}: found other bytes") for finding in found.findings)


def test_a_stranger_s_signature_is_found_by_the_key_kept_outside(evident, made):
    forged = signed_again(made.data, Ed25519PrivateKey.generate())
    found = check(forged, keys.private_key(evident).public_key())
    assert any("another key" in finding for finding in found.findings)
    # the seal gives it away even to one who has no key
    assert not check(forged).ok


def test_after_a_change_of_key_a_bundle_is_checked_with_the_key_before_and_after(evident):
    seal(evident)
    moment = dt.datetime.now(dt.UTC)
    stolen = keys.private_key(evident)
    handover = rotate(evident).statement.handover
    made = bundle(evident, as_of=moment)
    for raw in (handover.old, handover.new):
        found = check(made.data, keys.of_raw(raw))
        assert found.ok, found.findings
    assert found.seal < 3  # which the old key signed
    forged = check(signed_again(made.data, stolen), keys.of_raw(handover.new))
    assert any("one that was ended" in finding for finding in forged.findings)
    assert not check(made.data, Ed25519PrivateKey.generate().public_key()).ok


def test_whoever_has_the_key_still_cannot_change_events_or_certificates(evident, made):
    key, inside = keys.private_key(evident), members(made.data)
    lines = inside["events.jsonl"].splitlines(keepends=True)
    other = lines[3].replace(b'"principal":"officer"', b'"principal":"nobody"')
    for events in (lines[1:], lines[:-1], lines[::-1], [*lines[:3], other, *lines[4:]]):
        found = check(signed_again(made.data, key, **{"events.jsonl": b"".join(events)}))
        assert any(finding.startswith("proof.json") for finding in found.findings)
    fewer = b"".join(inside["certificates.jsonl"].splitlines(keepends=True)[1:])
    found = check(signed_again(made.data, key, **{"certificates.jsonl": fewer}))
    assert found.findings == (
        "certificates.jsonl: found certificates that are not those of the events, needed the recorded ones",
    )


def test_what_is_no_bundle_is_refused(made):
    with pytest.raises(ArchiveError):
        check(b"no archive")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("report.html", "x")
    with pytest.raises(ArchiveError):
        check(data.getvalue())
