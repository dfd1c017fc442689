"""A delivery with every fault comes through: nothing is lost, nothing is wrong, nothing leaks, twice the same."""

import hashlib
import json
from collections import Counter

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest

from lake.voxels.volumes import Volumes
from lineage.ledger.verify import verify
from schemas.tables import (
    DECISIONS,
    DIAGNOSES,
    INSTANCES,
    LABELS,
    LEDGER,
    QUARANTINE,
    RECEIVED,
    REPORTS,
    SERIES,
    VOLUMES,
)
from stages.second_look.residual import scan, scan_reports
from stages.upkeep.reconcile import balance, completeness, volume_balance
from tests.stages.conftest import NAME, landed, run


def outcome(treated, table):
    return next(o for o in treated.outcomes if o.table == table.path)


def test_every_file_is_kept_a_duplicate_or_in_quarantine_for_the_planted_reason(treated):
    expected = treated.expected
    received = outcome(treated, RECEIVED)
    held = treated.lake.table(QUARANTINE).rows()
    assert Counter(row["reason"] for row in held) == expected["quarantined"]
    assert received.details["files"] == expected["files"]
    assert received.duplicates == expected["duplicates"]
    assert balance(treated.lake, NAME).balanced
    assert volume_balance(treated.lake, NAME).balanced
    assert completeness(treated.lake, NAME) == (expected["files"], expected["files"])


def test_quarantine_tells_a_person_what_to_do_and_where(treated):
    for row in treated.lake.table(QUARANTINE).rows():
        assert row["remedy"]
        assert (treated.lake.landing / NAME / row["path"]).is_file()
        assert len(row["sha256"]) == 64


def test_volumes_are_voxel_for_voxel_what_the_phantoms_were_made_of(treated):
    volumes = Volumes(treated.lake)
    received = treated.lake.table(RECEIVED).rows(["series_uid", "series"])
    pseudonym = {row["series_uid"]: row["series"] for row in received if row["series_uid"]}
    found = {volumes.row(v)["series"]: v for v in volumes.ids}
    assert len(found) == len(volumes.ids) == len(treated.truth)
    for uid, truth in treated.truth.items():
        name = found[pseudonym[uid]]
        row = volumes.row(name)
        affine = np.reshape(truth["affine"], (4, 4))
        np.testing.assert_allclose(
            volumes.affine(name), affine @ nib.orientations.inv_ornt_aff(toward_ras(affine), truth["shape"]), atol=2e-3
        )
        array = scanned(volumes.array(name), affine)
        assert list(array.shape) == truth["shape"] + ([len(truth["bvals"])] if len(truth["bvals"]) > 1 else [])
        missing = np.zeros(row["shape"][:3], bool)
        missing[(slice(None),) * row["missing_axis"] + (row["missing_slices"],)] = True
        assert np.flatnonzero(scanned(missing, affine).all(axis=(0, 1))).tolist() == truth["missing_slices"]
        if len(truth["bvals"]) > 1:
            assert row["bvals"] == truth["bvals"]
            # directions are stored along the voxel axes; the truth is in patient coordinates, LPS
            axes = volumes.affine(name)[:3, :3] / np.array(row["spacing"])
            ours = np.reshape(row["bvecs"], (-1, 3)) @ axes.T * [-1, -1, 1]
            np.testing.assert_allclose(ours, truth["gradients_lps"], atol=2e-2)
        if truth["voxels_sha256"]:
            assert hashlib.sha256(array.astype("<i4").tobytes()).hexdigest() == truth["voxels_sha256"]


def toward_ras(affine):
    return nib.orientations.io_orientation(affine)


def scanned(array, affine):
    """A canonical array in the axes it was scanned in: columns, rows, slices."""
    back = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), toward_ras(affine))
    return np.ascontiguousarray(nib.orientations.apply_orientation(array, back))


def test_series_are_recognized(treated):
    received = treated.lake.table(RECEIVED).rows(["series_uid", "series"])
    pseudonym = {row["series_uid"]: row["series"] for row in received if row["series_uid"]}
    rows = {row["series"]: row for row in treated.lake.table(SERIES).rows()}
    said = {uid: rows[pseudonym[uid]]["contrast"] for uid in treated.truth}
    assert said == {uid: truth["contrast"] for uid, truth in treated.truth.items()}


def test_labels_lie_on_their_volumes(treated):
    labels, volumes = Volumes(treated.lake, LABELS), Volumes(treated.lake)
    assert len(labels) == 3
    for name in labels.ids:
        row = labels.row(name)
        assert row["shape"] == volumes.row(row["volume"])["shape"][:3]
        assert set(json.loads(row["counts"])) <= set(json.loads(row["scheme"]))
    received = treated.lake.table(RECEIVED).rows(["series_uid", "series"])
    original = {row["series"]: row["series_uid"] for row in received if row["series_uid"]}
    for name in labels.ids:
        truth = treated.truth[original[labels.row(name)["series"]]]
        tissue = nib.as_closest_canonical(nib.load(treated.answers / truth["file"]))
        np.testing.assert_array_equal(labels.array(name), np.asarray(tissue.dataobj))


def test_findings_are_known_of_each_study_and_remarks_of_none(treated):
    rows = treated.lake.table(DIAGNOSES).rows()
    assert {row["name"] for row in rows} == {"lesion"}
    studies = {row["study"] for row in treated.lake.table(VOLUMES).rows(["study"])}
    assert {row["study"] for row in rows} == studies
    assert "by phone" not in json.dumps(rows)


def planted(treated):
    return sorted({entry["value"] for entry in treated.phi if entry["searchable"]})


def contents(root, zones):
    """Every byte of the zones: files as they lie, names, and values as Parquet gives them uncompressed."""
    for file in sorted(p for zone in zones for p in (root / zone).rglob("*") if p.is_file()):
        yield file, str(file.relative_to(root)).encode()
        yield file, file.read_bytes()
        if file.suffix == ".parquet":
            for column in pq.read_table(file).columns:
                for value in column.to_pylist():
                    yield file, value if isinstance(value, bytes) else str(value).encode()


def test_no_planted_identifier_is_outside_the_restricted_zone(treated):
    wanted = [value.lower().encode(encoding) for value in planted(treated) for encoding in ("utf-8", "utf-16-le")]
    leaks = Counter()
    root = treated.lake.settings.root
    for file, data in contents(root, ["curated", "audit"]):
        lowered = data.lower()
        leaks.update(file.parent.name for value in wanted if value in lowered)
    assert len(wanted) > 500
    assert not leaks
    assert not scan(treated.lake, NAME).findings
    assert not scan_reports(treated.lake, NAME).findings


@pytest.mark.usefixtures("no_faces")
def test_a_leak_is_found_by_the_second_look(treated, phantoms, tmp_path):
    from lake.zones import Lake

    lake = landed(Lake.open(tmp_path / "lake", workers=1), phantoms)
    run(lake)
    table = lake.table(INSTANCES)
    rows = table.rows([c.name for c in INSTANCES.columns], {"delivery": NAME})
    name = next(e["value"] for e in treated.phi if e["kind"] == "name" and "^" in e["value"])
    rows[0]["dicom"] = rows[0]["dicom"].replace(b"Larmor", name.encode()[:6]) + name.encode()
    table.replace({"delivery": NAME}, [table.write(rows, {"delivery": NAME})])
    residue = scan(lake, NAME)
    assert residue.findings
    assert residue.examples == (rows[0]["instance"],)
    assert not [fact for fact in residue.facts().values() if name.split("^")[0].lower() in str(fact).lower()]


def test_reports_keep_findings_and_lose_people(treated):
    rows = treated.lake.table(REPORTS).rows()
    reports = [row for row in rows if row["source"] == "report"]
    assert len(reports) == 3
    for row in reports:
        assert row["removed"] > 5
        assert "FINDINGS" in row["text"]
        assert "[NAME]" in row["text"]
    assert all("MRI of" in row["text"] for row in rows if row["source"] == "caption")


def test_decisions_say_what_acted_and_never_on_which_value(treated):
    rows = treated.lake.table(DECISIONS).rows()
    assert {"X", "K", "U"} <= {row["action"] for row in rows}
    assert all(row["count"] > 0 for row in rows)
    assert {row["policy"] for row in rows} == {row["policy"] for row in treated.lake.table(INSTANCES).rows()}


def test_a_second_run_gives_the_same_rows(treated, phantoms, tmp_path):
    from lake.zones import Lake

    lake = landed(Lake.open(tmp_path / "lake", workers=1), phantoms)
    run(lake)
    before = everything(lake)
    run(lake)
    assert everything(lake) == before


@pytest.mark.usefixtures("no_faces")
@pytest.mark.parametrize("table", [INSTANCES, VOLUMES], ids=lambda t: t.name)
def test_a_run_that_is_killed_between_commits_is_finished_by_the_next(table, treated, phantoms, tmp_path, monkeypatch):
    from lake.zones import Lake

    lake = landed(Lake.open(tmp_path / "lake", workers=1), phantoms)

    def killed(self, *_args, **_kwargs):
        if self.contract.name == table.name:
            raise KeyboardInterrupt
        return replace(self, *_args, **_kwargs)

    replace = type(lake.table(table)).replace
    with monkeypatch.context() as patch:
        patch.setattr(type(lake.table(table)), "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(lake)
    run(lake)
    assert balance(lake, NAME).balanced
    assert len(lake.table(VOLUMES).rows(["volume"])) == outcome(treated, VOLUMES).kept
    assert verify(lake).ok


def everything(lake):
    found = {}
    for table in (RECEIVED, QUARANTINE, INSTANCES, DECISIONS, SERIES, VOLUMES, REPORTS, LABELS, DIAGNOSES):
        rows = lake.table(table).rows([column.name for column in table.columns])
        found[table.path] = sorted(repr(sorted(row.items())) for row in rows)
    return found


def test_each_station_is_on_the_ledger(treated):
    events = [json.loads(row["event"]) for row in treated.lake.table(LEDGER).rows()]
    assert {"term_known", "received", "deidentified", "materialized"} <= {event["type"] for event in events}
    tables = {event["facts"].get("table") for event in events}
    assert {t.path for t in (DECISIONS, SERIES, VOLUMES, REPORTS, LABELS, DIAGNOSES)} <= tables
    assert verify(treated.lake).ok
