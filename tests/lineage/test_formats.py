"""Records of withdrawals and seals of a newer version are refused with the remedy; those of the first are read."""

import json

import pytest

from lineage.ledger.statements import Seal, SealError
from lineage.ledger.verify import verify
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.withdrawals import FOLDER, RECORD, all_of, begin
from schemas.contract import Zone
from schemas.formats import FormatNewer

NEWER = "found format 2, this version reads up to 1; upgrade Larmor"


def rewritten(location, file, **changes):
    """A JSON file with changes; None takes a field away."""
    told = json.loads(location.read_bytes(file)) | changes
    kept = {name: value for name, value in told.items() if value is not None}
    location.write_bytes(file, json.dumps(kept, sort_keys=True, separators=(",", ":")).encode() + b"\n")


def test_records_of_withdrawals_tell_their_format(lake):
    record = begin(lake, Scope(Kind.SUBJECT, "S1"), "0" * 8)
    location = lake.location(Zone.AUDIT, FOLDER, record.name)
    assert json.loads(location.read_bytes(RECORD))["format"] == 1
    rewritten(location, RECORD, format=None)
    assert list(all_of(lake)) == [record], "as the first ones were written"
    rewritten(location, RECORD, format=2, colour="blue")
    with pytest.raises(FormatNewer, match=f"withdrawal {record.name}: {NEWER}"):
        list(all_of(lake))


def test_a_seal_of_a_newer_version_is_told_as_that(sealed):
    location, name = sealed.location(Zone.AUDIT, "seals"), "00000002.json"
    assert "format" not in json.loads(location.read_bytes(name))
    rewritten(location, name, format=2)
    with pytest.raises(SealError, match=f"{name}: {NEWER}"):
        Seal.parse(location.read_bytes(name), name)
    assert not verify(sealed).ok
    assert any(NEWER in str(finding) for finding in verify(sealed).findings)
