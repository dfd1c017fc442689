"""A read or an export leaves a row and an event, with who and what for."""

import json

import pytest

from lake.zones import Lake
from lineage.access import accessed
from lineage.ledger import ledger
from lineage.ledger.events import EventError
from lineage.principal import PrincipalError, principal
from schemas.tables import ACCESS


def test_access_is_a_row_and_an_event(lake):
    assert accessed(lake, "export", "curated/volumes", 12, "research") == 0
    (row,) = lake.table(ACCESS).rows()
    assert (row["principal"], row["action"], row["subject_of_access"], row["rows"]) == (
        "tester",
        "export",
        "curated/volumes",
        12,
    )
    (entry,) = ledger.entries(lake)
    said = json.loads(entry["event"])
    assert (said["principal"], said["facts"]["target"], said["facts"]["purpose"]) == (
        "tester",
        "curated/volumes",
        "research",
    )


def test_access_of_a_path_or_unknown_kind_is_refused_and_leaves_nothing(lake):
    with pytest.raises(EventError):
        accessed(lake, "read", "/landing/DOE/1.dcm", 1, "research")
    with pytest.raises(ValueError, match="copy"):
        accessed(lake, "copy", "curated/volumes", 1, "research")
    assert (ledger.size(lake), lake.table(ACCESS).exists()) == (0, False)


def test_principal_is_the_configured_or_the_system_user(tmp_path):
    assert principal(Lake.open(tmp_path, principal="a.person@example.org")) == "a.person@example.org"
    assert principal(Lake.open(tmp_path))
    with pytest.raises(PrincipalError, match="LARMOR_PRINCIPAL"):
        principal(Lake.open(tmp_path, principal="two words"))
