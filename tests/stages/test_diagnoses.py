"""Declared columns of a delivered table become diagnoses; nothing else of it is read, and nothing wrong is kept."""

import csv
import json

import pytest

from lineage.withdrawal.holdings import Kind, Scope
from lineage.withdrawal.plan import plan
from schemas.delivery import Delivery
from schemas.document import DocumentError
from schemas.reasons import Reason
from schemas.tables import DIAGNOSES, INSTANCES, QUARANTINE, RECEIVED, SERIES, VOLUMES
from stages.diagnoses import map_diagnoses
from stages.received import receive
from stages.second_look.residual import scan_labels
from stages.upkeep.reconcile import balance
from tests import annotations, synthetic
from tests.annotations import STACKS, series
from tests.objects import ROOT
from tests.stages.test_labels import go, land, opened

WHO = annotations.WHO
SECRET = "Seen by Dr. Habernoll on 13 June 2023"
LEVELS = [
    {"value": "AD", "name": "alzheimer", "coding": {"scheme": "SCT", "code": "26929004", "meaning": "Dementia"}},
    {"value": "CN"},
]  # fmt: skip
COLUMNS = [
    {"column": "dx", "name": "diagnosis", "kind": "category", "levels": LEVELS},
    {"column": "MMSE", "name": "mmse", "kind": "number", "unit": "{score}", "minimum": 0, "maximum": 30,
     "coding": {"scheme": "LN", "code": "72107-6"}},
    {"column": "progressed", "name": "progressed", "kind": "boolean"},
    {"column": "age", "name": "age", "kind": "number", "unit": "a", "minimum": 0, "maximum": 120},
]  # fmt: skip
HEADER = ("id", "dx", "MMSE", "progressed", "age", "comment", "visit_date")


def table(key="patient", files="clinic/*.csv", **changes):
    return {"files": files, "key": "id", "names": key, "columns": COLUMNS} | changes


def write(lake, delivery, rows, name="clinic/visits.csv", header=HEADER, encoding="utf-8"):
    path = lake.landing / delivery / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *rows])
    return path


def row(key, dx="AD", mmse="27", progressed="no", age="71"):
    return (key, dx, mmse, progressed, age, SECRET, "20230613")


def delivered(lake, rows, key="patient", name="d", **changes):
    """A delivery of one series and one table, through its stations."""
    land(lake, name, series(STACKS["axial"]), tables=[table(key, **changes)])
    write(lake, name, rows)
    go(lake, name)
    return map_diagnoses(lake, name)


@pytest.fixture
def lake(tmp_path):
    return opened(tmp_path)


def rows_of(lake, delivery="d"):
    return {row["name"]: row for row in lake.table(DIAGNOSES).rows(None, {"delivery": delivery})}


def held(lake):
    rows = lake.table(QUARANTINE).rows(None, {"delivery": "d", "stage": "diagnoses"})
    return sorted((row["reason"], row["line"]) for row in rows)


def test_declared_columns_come_with_unit_code_and_provenance(lake):
    outcome = delivered(lake, [row(WHO.patient_id)])
    assert (outcome.kept, outcome.quarantined) == (4, 0)
    found = rows_of(lake)
    assert (found["diagnosis"]["value"], found["diagnosis"]["scheme"], found["diagnosis"]["code"]) == (
        "alzheimer", "SCT", "26929004",
    )  # fmt: skip
    mmse = found["mmse"]
    assert (mmse["value"], mmse["number"], mmse["unit"], mmse["code"]) == ("27", 27.0, "{score}", "72107-6")
    assert (found["progressed"]["value"], found["progressed"]["number"]) == ("false", 0.0)
    said = json.loads(mmse["provenance"])
    assert (said["mapped_by"], said["delivered_as"]) == ("patient", "table")
    (subject,) = {r["subject"] for r in lake.table(INSTANCES).rows(["subject"])}
    assert {r["subject"] for r in found.values()} == {subject}
    assert {(r["study"], r["series"], r["volume"]) for r in found.values()} == {(None, None, None)}
    assert {r["licence"] for r in found.values()} == {"open-licence"}
    assert balance(lake, "d").balanced


@pytest.mark.parametrize(
    ("names", "key", "known"),
    [
        ("study", WHO.study_uid, ("study",)),
        ("accession", WHO.accession, ("study",)),
        ("series", f"{ROOT}.4.1", ("study", "series", "volume")),
        ("path", "000.dcm", ("study", "series", "volume")),
    ],
)
def test_every_key_leads_to_the_pseudonyms_of_its_images(lake, names, key, known):
    delivered(lake, [row(key)], names)
    (series_row,) = lake.table(SERIES).rows(["subject", "study", "series"])
    (volume,) = lake.table(VOLUMES).rows(["volume"])
    expected = series_row | volume
    for found in rows_of(lake).values():
        for column in ("study", "series", "volume"):
            assert found[column] == (expected[column] if column in known else None)


def test_nothing_undeclared_and_no_key_is_anywhere_outside_the_restricted_zone(lake):
    delivered(lake, [row(WHO.patient_id), row("MRN-unknown"), row(WHO.patient_id, dx="Quackenbush")])
    told = json.dumps(lake.table(DIAGNOSES).rows())
    logs = b"".join(
        p.read_bytes() for zone in ("curated", "audit") for p in (lake.settings.root / zone).rglob("*.json")
    )
    for secret in (SECRET, "Habernoll", "20230613", WHO.patient_id, "MRN-unknown", "Quackenbush", "visits"):
        assert secret not in told
        assert secret.encode() not in logs
    assert not scan_labels(lake, "d").findings


@pytest.mark.parametrize(
    "wrong",
    [{"dx": "MCI"}, {"dx": "ad"}, {"mmse": "31"}, {"mmse": "12 of 30"}, {"mmse": "1e99"}, {"mmse": "inf"},
     {"progressed": "maybe"}, {"age": "-1"}],
)  # fmt: skip
def test_a_value_that_is_not_as_declared_holds_its_row_back(lake, wrong):
    outcome = delivered(lake, [row(WHO.patient_id), row(WHO.patient_id, **wrong)])
    assert held(lake) == [(str(Reason.VALUE_UNDECLARED), 3)]
    assert (outcome.kept, outcome.quarantined) == (4, 1)
    (found,) = lake.table(QUARANTINE).rows(None, {"delivery": "d", "stage": "diagnoses"})
    assert found["path"] == "clinic/visits.csv"
    assert len(found["sha256"]) == 64
    assert not set(wrong.values()) & {str(value) for value in found.values()}


def test_a_key_that_nothing_has_holds_its_row_back(lake):
    delivered(lake, [row("MRN-unknown"), row(""), row(WHO.patient_id)])
    assert held(lake) == [(str(Reason.LABEL_UNMATCHED), 2), (str(Reason.LABEL_UNMATCHED), 3)]
    assert len(rows_of(lake)) == 4


def test_an_unknown_patient_makes_no_subject(lake):
    delivered(lake, [row("MRN-unknown")])
    assert len(list((lake.settings.root / "restricted" / "vault" / "subjects").iterdir())) == 1


def test_what_is_missing_makes_no_diagnosis(lake):
    delivered(lake, [row(WHO.patient_id, mmse="NA", progressed="")])
    assert sorted(rows_of(lake)) == ["age", "diagnosis"]


def test_what_is_said_twice_is_kept_once_and_contradictions_are_held(lake):
    outcome = delivered(lake, [row(WHO.patient_id), row(WHO.patient_id), row(WHO.patient_id, mmse="12")])
    assert outcome.duplicates == 6
    assert sorted(rows_of(lake)) == ["age", "diagnosis", "progressed"]
    assert held(lake) == [(str(Reason.CONFLICTING_DUPLICATE), line) for line in (2, 3, 4)]


@pytest.mark.parametrize(("age", "kept"), [("89", 89.0), ("90", 90.0), ("97", 90.0)])
def test_an_age_over_89_is_90(lake, age, kept):
    delivered(lake, [row(WHO.patient_id, age=age)])
    assert rows_of(lake)["age"]["number"] == kept


@pytest.mark.parametrize("fault", ["encoding", "column", "twice", "quote"])
def test_a_table_that_cannot_be_read_is_held_whole(lake, fault):
    land(lake, "d", series(STACKS["axial"]), tables=[table()])
    path = write(lake, "d", [row(WHO.patient_id)])
    text = path.read_text()
    changed = {
        "encoding": ("id,dx\nM\u00fcller,AD\n").encode("latin-1"),
        "column": text.replace("MMSE", "moca").encode(),
        "twice": text.replace("comment", "MMSE").encode(),
        "quote": (text + '"open').encode(),
    }
    path.write_bytes(changed[fault])
    go(lake, "d")
    assert map_diagnoses(lake, "d").kept == 0
    assert held(lake) == [(str(Reason.TABLE_UNREADABLE), None)]


def test_a_subject_is_found_in_another_delivery(lake):
    delivered(lake, [row(f"{ROOT}.4.1")], "series", "images")
    land(lake, "d", [], tables=[table("series")])
    write(lake, "d", [row(f"{ROOT}.4.1")])
    receive(lake, "d")
    assert map_diagnoses(lake, "d").kept == 4
    (volume,) = lake.table(VOLUMES).rows(["volume"])
    assert {found["volume"] for found in rows_of(lake).values()} == {volume["volume"]}


def test_a_second_run_gives_the_same_rows(lake):
    delivered(lake, [row(WHO.patient_id)])
    before = lake.table(DIAGNOSES).rows()
    map_diagnoses(lake, "d")
    assert lake.table(DIAGNOSES).rows() == before


def test_a_withdrawal_counts_diagnoses(lake):
    delivered(lake, [row(WHO.patient_id)])
    (subject,) = {found["subject"] for found in rows_of(lake).values()}
    holdings = {h.table: h.rows for h in plan(lake, Scope(Kind.SUBJECT, subject)).holdings}
    assert holdings[DIAGNOSES.path] == 4


def test_a_release_pins_diagnoses_and_gives_those_of_its_members(lake):
    delivered(lake, [row(WHO.patient_id)])
    release = synthetic.frozen(lake, splits=(1.0, 0.0, 0.0), labels=False)
    write(lake, "d", [row(WHO.patient_id, mmse="3")])
    assert map_diagnoses(lake, "d").version > release.manifest.tables[DIAGNOSES.path]
    members = release.members("train")
    pinned = {found["name"]: found["value"] for _, found in release.diagnoses(members)}
    assert pinned == {"age": "71", "diagnosis": "alzheimer", "mmse": "27", "progressed": "false"}
    assert release.diagnoses([]) == []


def test_a_delivery_without_tables_has_no_diagnoses_and_no_error(lake):
    land(lake, "d", series(STACKS["axial"]))
    go(lake, "d")
    assert map_diagnoses(lake, "d").kept == 0


def test_a_declared_table_that_is_not_there_is_told(lake):
    land(lake, "d", series(STACKS["axial"]), tables=[table()])
    with pytest.raises(DocumentError, match="declares a table"):
        receive(lake, "d")


def test_a_table_that_none_declares_is_unexpected(lake):
    land(lake, "d", series(STACKS["axial"]))
    write(lake, "d", [row(WHO.patient_id)])
    receive(lake, "d")
    assert [r["reason"] for r in lake.table(QUARANTINE).rows()] == [str(Reason.UNEXPECTED_FILE)]
    assert all(r["accession"] == WHO.accession for r in lake.table(RECEIVED).rows() if r["content"] == "dicom")


@pytest.mark.parametrize(
    "column",
    [
        {"column": "dx", "name": "dx", "kind": "category"},
        {"column": "dx", "name": "dx", "kind": "text"},
        {"column": "dx", "name": "dx", "kind": "date"},
        {"column": "id_", "name": "n", "kind": "number"},
        {"column": "birth_date", "name": "n", "kind": "number", "minimum": 0, "maximum": 9},
        {"column": "n", "name": "year", "kind": "number", "minimum": 0, "maximum": 9},
        {"column": "n", "name": "n", "kind": "number", "minimum": 0, "maximum": float("inf")},
        {"column": "b", "name": "b", "kind": "boolean", "unit": "mm"},
        {"column": "b", "name": "b", "kind": "boolean", "true": ["x"], "false": ["X"]},
        {"column": "id", "name": "b", "kind": "boolean"},
    ],
)
def test_a_declaration_that_lets_anything_in_is_refused(column):
    facts = {
        "name": "d", "licensor": "L", "licence": "l", "received": "2024-01-02",
        "tables": [table(columns=[column])],
    }  # fmt: skip
    with pytest.raises(DocumentError):
        Delivery.parse(facts, "delivery.yaml")
