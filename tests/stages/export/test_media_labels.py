"""A DICOM export brings its label maps as segmentations, and they lie where they were drawn."""

import shutil

import numpy as np
import pydicom
import pytest

from imaging.labels.drawings import Grid, paint
from imaging.labels.segmentations import SOP_CLASSES, read
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS, VOLUMES
from stages.export.export import DICOM, export
from tests import synthetic


@pytest.fixture(scope="module")
def exported(treated, tmp_path_factory):
    """The phantom delivery as a release, written twice as DICOM."""
    folder = tmp_path_factory.mktemp("media")
    shutil.copytree(treated.lake.settings.root, folder / "lake")
    lake = Lake.open(folder / "lake", workers=1)
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))
    made = [export(lake, "cohort", folder / name, form=DICOM) for name in ("one", "other")]
    assert made[0].sha256 == made[1].sha256
    return lake, made[0]


def _segmentations(folder):
    for path in sorted(folder.rglob("IM*")):
        data = path.read_bytes()
        if pydicom.dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID in SOP_CLASSES:
            yield data


def test_every_label_map_is_a_segmentation_on_the_voxels_of_its_image(exported):
    lake, made = exported
    volumes, labels = Volumes(lake, VOLUMES), Volumes(lake, LABELS)
    expected = {row["volume"]: row for row in labels.rows()}
    found = [read(data) for data in _segmentations(made.folder)]
    assert len(found) == made.labels == len(expected) > 0
    for seg in found:
        (row,) = [
            r
            for r in volumes.rows(expected)
            if set(r["sources"]) == seg.references or seg.references < set(r["sources"])
        ]
        truth = labels.array(expected[row["volume"]]["label"])
        (painted,) = paint(seg, Grid(np.reshape(row["affine"], (4, 4)), tuple(row["shape"][:3])))
        for missing in row["missing_slices"]:
            truth[tuple(slice(None) if axis != row["missing_axis"] else missing for axis in range(3))] = 0
        np.testing.assert_array_equal(painted.map.array, truth)


def test_the_directory_lists_them(exported):
    _, made = exported
    records = pydicom.dcmread(made.folder / "DICOMDIR").DirectoryRecordSequence
    listed = [record for record in records if record.get("ReferencedSOPClassUIDInFile") in SOP_CLASSES]
    assert len(listed) == made.labels
