"""A table of volumes in a scientist's hands: opening it is one access with its purpose; crops and copies are none."""

import pickle

import numpy as np
import pytest

import lake as larmor
from lake import above
from lake.reading import NoLake
from lineage.terms.refusal import Refusal
from schemas.roles import Roles
from schemas.tables import ACCESS, LABELS, VOLUMES
from tests import synthetic


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"]})
    return lake


def accesses(lake):
    table = lake.table(ACCESS)
    return (
        [(r["subject_of_access"], r["rows"], r["purpose"]) for r in sorted(table.rows(), key=lambda r: r["time"])]
        if table.exists()
        else []
    )


def test_opening_is_one_access_and_crops_rows_and_copies_are_none(filled):
    volumes = larmor.Volumes(filled, purpose="atlas study")
    assert accesses(filled) == [("curated/volumes", len(volumes), "atlas study")]
    first = next(volume for volume in volumes.ids if len(volumes.shape(volume)) == 3)
    copy = pickle.loads(pickle.dumps(volumes))
    for opened in (volumes, copy, copy.only([first])):
        np.testing.assert_array_equal(opened.crop(first, (0, 0, 0), (2, 2, 2)), synthetic.stored(first)[:2, :2, :2])
        opened.row(first)
    assert len(accesses(filled)) == 1


def test_a_table_is_opened_by_its_place_with_the_record_of_its_lake(filled, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made = larmor.Volumes.open(filled.table(LABELS).location.uri)
    assert accesses(filled) == [("curated/labels", len(made), "not stated")]
    monkeypatch.setenv("LARMOR_ROOT", str(filled.settings.root))
    monkeypatch.setenv("LARMOR_PURPOSE", "quality review")
    larmor.Volumes.open(filled.table(VOLUMES).location.path)
    assert accesses(filled)[1][::2] == ("curated/volumes", "quality review")


def test_a_table_whose_reading_cannot_be_recorded_is_not_opened(filled, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "volumes").symlink_to(filled.table(VOLUMES).location.path)
    with pytest.raises(NoLake, match="LARMOR_ROOT"):
        larmor.Volumes.open(tmp_path / "elsewhere" / "volumes")
    above.found.cache_clear()
    monkeypatch.setattr(above, "entry_points", lambda **_: ())
    with pytest.raises(above.NotInstalled):
        larmor.Volumes(filled)
    assert accesses(filled) == []


def test_whom_no_role_gives_the_zone_opens_nothing(filled):
    Roles.model_validate({"roles": {"officer": {"members": ["grace"], "zones": ["audit"]}}}).write(
        filled.settings.root / "roles.yaml"
    )
    with pytest.raises(Refusal, match="roles, curated"):
        larmor.Volumes(filled)
    assert accesses(filled) == []
