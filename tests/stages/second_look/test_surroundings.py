"""An identifier in a file name, a table log, Dagster's storage or an export's sidecar is found, and only there told."""

import sqlite3

import pytest

from deid.policy import load_policy
from lake.zones import Lake
from schemas.tables import IDENTIFIERS
from stages.policies import told
from stages.second_look.surroundings import own_words, scan_around, scan_folder
from tests.synthetic import fill, know, land, licence, put

PAIRS = [("name", "Quennelby^Osberta"), ("id", "PID88123"), ("phone", "615-555-0142"), ("date", "20210417")]


@pytest.fixture
def lake(tmp_path):
    lake = Lake.open(tmp_path / "lake", principal="tester")
    know(lake, licence())
    land(lake, {"d": ["S1"]})
    fill(lake, {"d": ["S1"]})
    put(lake, IDENTIFIERS, "d", [{"subject": "S1", "kind": kind, "value": value} for kind, value in PAIRS])
    return lake


def logged(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / "runs.db") as storage:
        storage.execute("create table events (event text)")
        storage.execute("insert into events values (?)", (text,))
    storage.close()


def test_a_clean_lake_has_no_finding(lake):
    logged(lake.settings.root / "dagster" / "history", '{"partition": "d", "rows": 88123}')
    residue = scan_around(lake, "d")
    assert residue.findings == {}
    assert residue.bytes > 1000
    assert residue.values == len(PAIRS)


def test_a_policy_on_record_is_our_own_text_and_tells_nobody(lake):
    told(lake, load_policy("safe_harbor"))
    put(lake, IDENTIFIERS, "d", [{"subject": "S1", "kind": "name", "value": "Localization^Philips"}])
    assert scan_around(lake, "d").findings == {}


@pytest.mark.parametrize("zone", ["curated", "audit", "models", "pages"])
def test_a_file_or_folder_name_is_found_and_not_repeated(lake, zone):
    folder = lake.settings.root / zone / "x" / "quennelby_osberta"
    folder.mkdir(parents=True)
    (folder / "image.png").write_bytes(b"")
    residue = scan_around(lake, "d")
    assert list(residue.findings) == [f"name in file names of {zone}"]
    assert "quennelby" not in repr(residue).lower()


def test_a_partition_key_in_a_table_log_is_found(lake):
    put(lake, IDENTIFIERS, "d", [{"subject": "S1", "kind": "id", "value": "wrong-key-8"}])
    fill(lake, {"wrong-key-8": ["S2"]})
    assert set(scan_around(lake, "d").findings) >= {
        "id in curated table logs", "id in audit table logs", "id in file names of curated"
    }  # fmt: skip


def test_dagsters_storage_and_logs_are_read_wherever_they_lie(lake, tmp_path):
    logged(tmp_path / "elsewhere" / "history", "failed at QUENNELBY^OSBERTA")
    (tmp_path / "elsewhere" / "step.err").write_text("Traceback: value '615-555-0142'\n")
    assert scan_around(lake, "d").findings == {}
    found = scan_around(lake, "d", str(tmp_path / "elsewhere")).findings
    assert set(found) == {"name in dagster files", "phone in dagster files"}


def test_what_is_closed_is_not_scanned(lake):
    (lake.settings.root / "restricted" / "quennelby.log").write_text("quennelby")
    (lake.landing / "d" / "pid88123.txt").write_text("pid88123")
    assert scan_around(lake, "d").findings == {}


def test_what_did_not_change_is_read_once(lake):
    seen = set()
    assert scan_around(lake, "d", seen=seen).bytes > 0
    assert scan_around(lake, "d", seen=seen).bytes == 0
    (lake.settings.root / "audit" / "note.txt").write_text("pid88123")
    assert scan_around(lake, "d", seen=seen).findings == {"id in audit files": 1}


def test_a_value_across_two_pieces_of_a_large_log_is_found(lake, monkeypatch):
    monkeypatch.setattr("stages.second_look.surroundings._CHUNK", 1000)
    (lake.settings.root / "audit" / "long.log").write_text("x" * 995 + " pid88123 " + "y " * 900)
    assert scan_around(lake, "d").findings == {"id in audit files": 1}


def test_sidecars_of_an_export_are_read(lake, tmp_path):
    folder = tmp_path / "out" / "sub-1"
    folder.mkdir(parents=True)
    (folder / "sub-1_T1w.json").write_text('{"SeriesDescription": "t1 Quennelby", "EchoTime": 0.09}')
    (folder / "sub-1_T1w.nii.gz").write_bytes(b"\x1f\x8b")
    residue = scan_folder(lake, ["d"], tmp_path / "out")
    assert residue.findings == {"name in export files": 1}
    assert residue.examples == ("export/sub-1",)


def test_the_licensors_name_is_our_own_word(lake):
    assert {"consortium", "open", "instances", "tester"} <= own_words(lake)
    put(lake, IDENTIFIERS, "d", [{"subject": "S1", "kind": "institution", "value": "Hospital Consortium"}])
    (lake.settings.root / "audit" / "note.txt").write_text("licence of the Hospital Consortium")
    assert scan_around(lake, "d").findings == {}
