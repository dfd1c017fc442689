"""Segmentations, structure sets and label maps of a delivery lie on their volumes after all stations, or are held."""

import csv
import datetime as dt
import json

import numpy as np
import pytest

from imaging.nifti import nifti
from imaging.volumes.geometry import LPS_TO_RAS, canonical
from imaging.volumes.volume import Volume
from lake.releases import Release
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.delivery import Delivery
from schemas.reasons import Reason
from schemas.release import ReleaseSpec, Splits
from schemas.tables import LABELS, QUARANTINE, VOLUMES
from stages.instances import deidentify
from stages.labels import map_labels
from stages.received import receive
from stages.release import freeze
from stages.second_look.residual import scan_labels
from stages.series import describe
from stages.upkeep.reconcile import balance, label_balance
from stages.volumes import normalize
from tests import annotations, synthetic
from tests.annotations import STACKS, Stack, outlines, series, shapes
from tests.encodings import encoded
from tests.objects import ROOT

STACK = STACKS["doubly oblique, flipped"]
OTHER = Stack(shape=(4, 6, 6), origin=(-9.0, -8.0, 0.0))
MASKS = shapes(STACK, 3)
OVERLAPPING = shapes(STACK, 4, overlap=True)


def numbers(masks):
    return sum((mask * n for n, mask in masks.items()), np.zeros(STACK.shape, int))


def laid(stack, array):
    depth, rows, columns = stack.shape
    return canonical(LPS_TO_RAS @ stack.affine, (columns, rows, depth)).apply(array.transpose(2, 1, 0))


def files():
    """Objects by name: what each should become is in the tests."""
    contours = {n: outlines(mask) for n, mask in MASKS.items()}
    beside = [[(c, r, k + 0.5) for c, r, k in line] for line in contours[1]]
    map_ = annotations.segmentation(STACK, {0: numbers(MASKS)}, "LABELMAP", number=13, referenced=False)
    elsewhere = annotations.segmentation(OTHER, shapes(OTHER), number=14, referenced=False)
    elsewhere.FrameOfReferenceUID = f"{ROOT}.2.9"
    return {
        "seg": annotations.segmentation(STACK, MASKS, number=6, seed=5),
        "overlap": annotations.segmentation(STACK, OVERLAPPING, number=7),
        "map": map_,
        "rt": annotations.structures(STACK, contours, number=8),
        "by frame": annotations.structures(STACK, contours, number=9, referenced=False),
        "misfit": annotations.structures(STACK, {1: beside}, number=10),
        "unmatched": elsewhere,
    }


def land(lake, name, datasets, labels=(), **facts):
    """A delivery in landing; label maps are (path, NIfTI bytes, key columns)."""
    folder = lake.landing / name
    folder.mkdir(parents=True)
    for number, ds in enumerate(datasets):
        (folder / f"{number:03}.dcm").write_bytes(encoded(ds))
    if labels:
        for path, data, _ in labels:
            (folder / path).write_bytes(data)
        with (folder / "labels.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ("path", "series", "study", "patient"), restval="")
            writer.writeheader()
            writer.writerows({"path": path} | keys for path, _, keys in labels)
        facts |= {"labels": "labels.csv", "label_task": "tissue", "label_scheme": {0: "none", 1: "one", 2: "two"}}
    Delivery(
        name=name, licensor="Hospital Consortium", licence="open-licence", received=dt.date(2024, 1, 2), **facts
    ).write(folder / "delivery.yaml")  # fmt: skip


def go(lake, name):
    """All stations up to labels; the outcome of labels."""
    receive(lake, name)
    deidentify(lake, name)
    normalize(lake, name)
    describe(lake, name)
    return map_labels(lake, name)


def opened(folder):
    lake = Lake.open(folder / "lake", workers=1)
    lake.licences.mkdir(parents=True)
    synthetic.know(lake, synthetic.licence())
    return lake


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    """A lake with a delivery of two series and every object."""
    lake = opened(tmp_path_factory.mktemp("labels"))
    images = [*series(STACK), *series(OTHER, number=2)]
    land(lake, "d", [*images, *files().values()])
    go(lake, "d")
    return lake


def rows_of(lake, delivery="d"):
    """Label rows by task and number of object, with their voxels."""
    volumes = Volumes(lake, LABELS)
    found = [volumes.row(name) | {"array": volumes.array(name)} for name in volumes.ids]
    return [row for row in found if row["delivery"] == delivery]


def test_each_object_has_rows_or_is_held_for_its_reason(treated):
    held = treated.table(QUARANTINE).rows(None, {"delivery": "d"})
    assert sorted(row["reason"] for row in held) == [str(Reason.LABEL_MISFIT), str(Reason.LABEL_UNMATCHED)]
    assert all((treated.landing / "d" / row["path"]).is_file() and row["remedy"] for row in held)
    sheet = label_balance(treated, "d")
    assert sheet.balanced
    assert (sheet.received, sheet.kept) == (len(files()), len(files()) - 2)
    assert balance(treated, "d").balanced


def test_objects_lie_voxel_for_voxel_on_the_volume_they_were_drawn_on(treated):
    (volume,) = [v for v in treated.table(VOLUMES).rows() if v["shape"] == list(laid(STACK, numbers(MASKS)).shape)]
    rows = rows_of(treated)
    assert {row["volume"] for row in rows} == {volume["volume"]}
    whole = [row for row in rows if "." not in row["task"]]
    assert sorted(row["task"] for row in whole) == ["segmentation", "segmentation", "structure-set", "structure-set"]
    for row in whole:
        np.testing.assert_array_equal(row["array"], laid(STACK, numbers(MASKS)))
        assert row["affine"] == volume["affine"]
        counts = json.loads(row["counts"])
        assert counts["1"] == MASKS[1].sum()
    how = sorted(json.loads(row["provenance"])["mapped_by"] for row in whole)
    assert how == ["frame of reference and grid"] * 2 + ["referenced instances"] * 2


def test_overlapping_segments_have_a_map_and_a_task_each(treated):
    alone = {row["task"]: row for row in rows_of(treated) if "." in row["task"]}
    assert sorted(alone) == ["segmentation.1", "segmentation.2"]
    for number in (1, 2):
        row = alone[f"segmentation.{number}"]
        np.testing.assert_array_equal(row["array"], laid(STACK, OVERLAPPING[number] * number))
        assert set(json.loads(row["scheme"])) == {"0", str(number)}


def test_names_codes_and_provenance_come_along(treated):
    row = next(row for row in rows_of(treated) if row["task"] == "structure-set")
    assert json.loads(row["coding"])["1"]["type"]["code"] == "12738006"
    assert json.loads(row["scheme"])["1"].startswith("brain")
    said = json.loads(row["provenance"])
    assert said["algorithm_types"] == {"1": "MANUAL", "2": "MANUAL"}
    assert said["slices_drawn"] == STACK.shape[0] - 1
    assert not scan_labels(treated, "d").findings


def test_an_identifier_in_a_name_is_found_by_the_second_look(treated, monkeypatch):
    row = rows_of(treated)[0]
    told = json.dumps({"1": annotations.WHO.name.split("^")[0]})
    monkeypatch.setattr("lake.tables.table.LakeTable.rows", _telling(row["label"], told))
    assert scan_labels(treated, "d").findings


def _telling(label, told):
    from lake.tables.table import LakeTable

    read = LakeTable.rows

    def rows(self, *args, **kwargs):
        found = read(self, *args, **kwargs)
        return [row | {"scheme": told} if row.get("label") == label else row for row in found]

    return rows


def test_a_second_run_gives_the_same_rows(treated):
    before = sorted((row | {"array": row["array"].tolist()} for row in rows_of(treated)), key=lambda r: r["label"])
    map_labels(treated, "d")
    after = sorted((row | {"array": row["array"].tolist()} for row in rows_of(treated)), key=lambda r: r["label"])
    assert before == after


def test_an_object_finds_its_image_in_another_delivery(tmp_path):
    lake = opened(tmp_path)
    land(lake, "images", series(STACK))
    land(lake, "objects", [files()["seg"], files()["by frame"]])
    go(lake, "images")
    assert go(lake, "objects").kept == 2
    for row in rows_of(lake, "objects"):
        np.testing.assert_array_equal(row["array"], laid(STACK, numbers(MASKS)))
        assert json.loads(row["provenance"])["delivery_of_volume"] == "images"
    assert label_balance(lake, "objects").balanced


def test_declared_names_give_segments_their_values(tmp_path):
    lake = opened(tmp_path)
    names = {0: "background", 4: "Brain 2", 9: "brain 1"}
    land(lake, "d", [*series(STACK), files()["seg"]], label_task="parts", label_scheme=names)
    go(lake, "d")
    (row,) = rows_of(lake)
    assert (row["task"], set(json.loads(row["scheme"])), set(json.loads(row["coding"]))) == (
        "parts",
        {"0", "4", "9"},
        {"4", "9"},
    )
    np.testing.assert_array_equal(row["array"], laid(STACK, MASKS[1] * 9 + MASKS[2] * 4))


def test_a_release_carries_a_segmentation_as_its_label(treated):
    release = synthetic.frozen(treated, splits=(1.0, 0.0, 0.0), labels=False, cohort="true")
    assert release.manifest.counts["train"]["labels"] == 0
    spec = ReleaseSpec(name="drawn", splits=Splits(train=1.0), label_task="segmentation.2")
    members = [member for member in freeze(treated, spec).members("train") if member.label]
    assert len(members) == 1
    np.testing.assert_array_equal(
        Release.open(treated, "drawn").labels().array(members[0].label), laid(STACK, OVERLAPPING[2] * 2)
    )


def map_of(stack, array, dtype=np.uint8):
    """A NIfTI label map on the grid of a stack."""
    return nifti.write(Volume(np.ascontiguousarray(array.transpose(2, 1, 0)).astype(dtype), LPS_TO_RAS @ stack.affine))


def test_label_maps_are_found_by_series_study_or_patient(tmp_path):
    lake, who = opened(tmp_path), annotations.WHO
    labels = [
        ("a.nii", map_of(STACK, numbers(MASKS)), {"series": f"{ROOT}.4.1"}),
        ("b.nii", map_of(STACK, numbers(MASKS), np.float32), {"study": who.study_uid}),
        ("c.nii", map_of(OTHER, shapes(OTHER)[1] * 1), {"patient": who.patient_id}),
        ("wrong series.nii", map_of(STACK, numbers(MASKS)), {"series": f"{ROOT}.4.2"}),
        ("nowhere.nii", map_of(STACK, numbers(MASKS)), {"series": f"{ROOT}.4.99"}),
        ("unnamed.nii", map_of(STACK, numbers(MASKS) * 3), {"patient": who.patient_id}),
    ]
    coding = {1: {"scheme": "SCT", "code": "12738006", "meaning": "Brain"}}
    land(lake, "d", [*series(STACK), *series(OTHER, number=2)], labels, label_coding=coding)
    outcome = go(lake, "d")
    assert (outcome.kept, outcome.quarantined) == (3, 3)
    found = {json.loads(row["provenance"])["mapped_by"]: row for row in rows_of(lake)}
    assert set(found) == {"series and grid", "study and grid", "patient and grid"}
    for how in ("series", "study"):
        np.testing.assert_array_equal(found[f"{how} and grid"]["array"], laid(STACK, numbers(MASKS)))
    np.testing.assert_array_equal(found["patient and grid"]["array"], laid(OTHER, shapes(OTHER)[1]))
    assert json.loads(found["study and grid"]["coding"])["1"]["type"]["code"] == "12738006"
    held = {row["path"]: row["reason"] for row in lake.table(QUARANTINE).rows(None, {"delivery": "d"})}
    assert held == {
        "wrong series.nii": str(Reason.LABEL_MISFIT),
        "nowhere.nii": str(Reason.LABEL_UNMATCHED),
        "unnamed.nii": str(Reason.LABEL_MISFIT),
    }
    assert label_balance(lake, "d").balanced
