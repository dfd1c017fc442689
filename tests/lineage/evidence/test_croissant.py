"""A release as Croissant is valid for the format's own library, which loads its records from it."""

import json

import pytest

from lake.releases import Release
from lineage.evidence.croissant import document
from schemas.contract import Zone
from tests import synthetic

mlcroissant = pytest.importorskip("mlcroissant", reason="needed mlcroissant, which is for development only")


def test_the_library_finds_no_fault_and_loads_a_record_for_each_volume(evident):
    release = Release.open(evident, "cohort")
    folder = evident.location(Zone.CURATED, "releases", "cohort")
    said = document(release, [synthetic.licence()], folder.size("members.parquet"), ["Sex: only F"])
    folder.write_bytes("croissant.json", said)
    data = mlcroissant.Dataset(jsonld=str(folder.path / "croissant.json"))
    assert not data.metadata.issues.errors
    assert not data.metadata.issues.warnings
    assert data.metadata.conforms_to == ["http://mlcommons.org/croissant/1.1"]
    loaded = {(r["volumes/volume"].decode(), r["volumes/split"].decode()) for r in data.records("volumes")}
    splits = ("train", "validation", "test")
    assert loaded == {(m.volume, m.split) for s in splits for m in release.members(s, sealed_ok=True)}
    assert json.loads(said)["rai:dataLimitations"] == ["Sex: only F"]


def test_a_list_of_members_that_was_changed_is_refused_by_the_library(evident):
    release = Release.open(evident, "cohort")
    folder = evident.location(Zone.CURATED, "releases", "cohort")
    folder.write_bytes("croissant.json", document(release, [synthetic.licence()], folder.size("members.parquet")))
    folder.write_bytes("members.parquet", folder.read_bytes("members.parquet") + b" ")
    with pytest.raises(Exception, match=r"members\.parquet"):
        list(mlcroissant.Dataset(jsonld=str(folder.path / "croissant.json")).records("volumes"))
