"""What leaves as NIfTI with sidecars comes back without a changed voxel or number, and others' datasets come in."""

import json
from dataclasses import asdict, fields

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imaging.errors import ImagingError
from imaging.nifti import nifti, sidecar
from imaging.nifti.sidecar import Beside
from imaging.volumes.acquisition import Acquisition
from imaging.volumes.volume import Volume
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.reasons import Reason
from schemas.tables import LABELS, QUARANTINE, RECEIVED, SERIES, VOLUMES
from stages import beside, sidecars
from stages.export.export import export
from stages.instances import deidentify
from stages.intake.intake import ingest
from stages.labels import map_labels
from stages.received import receive
from stages.series import describe
from stages.volumes import normalize
from tests import synthetic

OBLIQUE = np.array([[1.9, 0.31, -0.02, -31.7], [-0.3, 2.4, 0.11, 20.01], [0.05, -0.1, 3.3, 7.123456789], [0, 0, 0, 1]])
KINDS = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32]


def as_row(volume):
    """A row of `curated/volumes`."""

    def listed(values):
        return None if values is None else np.asarray(values, dtype=np.float64).ravel().tolist()

    same = {name: getattr(volume, name) for name in ("kind", "part", "slope", "intercept", "missing_axis")}
    arrays = {name: listed(getattr(volume, name)) for name in ("affine", "bvals", "bvecs", "times")}
    acquired = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(volume.acquisition).items()}
    keys = {"delivery": "d", "study": "1", "series": "2", "volume": "v", "licence": "l"}
    return {
        **same, **arrays, **acquired, **keys, "contrast": "T1", "body_part": "head",
        "missing_slices": list(volume.missing_slices), "shape": list(volume.shape),
    }  # fmt: skip


def there_and_back(volume):
    data = nifti.write(volume)
    row = as_row(volume)
    facts = json.loads(json.dumps(sidecars.sidecar(row, {}, "sub-1_T1w")))
    texts = sidecars.gradients(volume)
    return sidecar.read(data, Beside(facts, texts.get(".bval"), texts.get(".bvec")))


def assert_same(found, volume):
    for field in fields(Volume):
        one, other = getattr(found, field.name), getattr(volume, field.name)
        if isinstance(other, np.ndarray):
            assert one.dtype == other.dtype, field.name
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        elif field.name not in ("tilt", "rescaled"):
            assert one == other, field.name


@st.composite
def volumes(draw):
    steps = draw(st.integers(1, 4))
    shape = (*draw(st.tuples(*[st.integers(2, 5)] * 3)), *([steps] if steps > 1 else []))
    array = draw(hnp.arrays(draw(st.sampled_from(KINDS)), shape))
    affine = draw(st.sampled_from([OBLIQUE, np.diag([2.0, 2.5, 3.1, 1.0])]))
    axis = draw(st.integers(0, 2))
    seconds = st.floats(0, 9, allow_subnormal=False).map(lambda t: round(t, 6))
    diffusion = draw(st.booleans())
    vectors = hnp.arrays(np.float64, (steps, 3), elements=st.floats(-1, 1, allow_subnormal=False))
    milliseconds = st.none() | st.integers(1, 9_000_000).map(lambda n: n / 1000)
    return Volume(
        array, affine, draw(st.sampled_from([1.0, 0.1, 2.0000000001])), draw(st.sampled_from([0.0, -3.3])),
        kind="diffusion" if diffusion else "static" if steps == 1 else "dynamic",
        part=draw(st.sampled_from(["magnitude", "phase", "unknown"])),
        bvals=draw(hnp.arrays(np.float64, steps, elements=st.floats(0, 5000))) if diffusion else None,
        bvecs=draw(vectors) + 0.0 if diffusion else None,
        times=np.array(draw(st.lists(seconds, min_size=steps, max_size=steps))) if draw(st.booleans()) else None,
        missing_slices=(1,) if (missing := draw(st.booleans())) else (),
        missing_axis=axis if missing else 2,
        acquisition=Acquisition(
            slice_times=draw(st.none() | st.tuples(*[seconds] * shape[axis])), slice_axis=axis,
            phase_encoding=draw(st.sampled_from([None, "i", "j-", "k"])),
            readout_time=draw(st.none() | st.floats(0.001, 1)),
            step_kinds=draw(st.sampled_from([None, tuple(["label", "control"] * steps)[:steps]])),
            chemistry=draw(st.sampled_from([None, "water", "out-of-phase"])),
            coil=draw(st.sampled_from([None, "H12"])),
            echo_time=draw(milliseconds), inversion_time=draw(milliseconds), repetition_time=draw(milliseconds),
            flip_angle=draw(st.none() | st.floats(1, 180)),
        ),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(volumes())
def test_a_volume_goes_out_and_comes_back_the_same(volume):
    assert_same(there_and_back(volume), volume)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(3)), st.tuples(*[st.sampled_from([1.0, -1.0])] * 3), st.integers(0, 2), st.integers(0, 2))
def test_facts_along_a_file_s_axes_turn_with_the_voxels(order, signs, slices, phase):
    """A file whose axes are permuted or run backwards says the same of the patient as one in RAS+ axes."""
    upright = Volume(
        np.arange(2 * 3 * 4 * 2, dtype=np.int16).reshape(2, 3, 4, 2), np.diag([2.0, 3.0, 4.0, 1.0]), kind="diffusion",
        bvals=np.array([0.0, 1000.0]), bvecs=np.array([[0, 0, 0], [0.6, 0.0, 0.8]]), missing_slices=(1,),
        missing_axis=slices,
        acquisition=Acquisition(
            slice_times=(0.0, 0.5, 0.25, 0.75)[: (2, 3, 4)[slices]], slice_axis=slices, phase_encoding="ijk"[phase]
        ),
    )  # fmt: skip
    directions = np.diag(signs)[:, order]  # axis of the file to RAS
    turned = nib.Nifti1Image(upright.array, upright.affine).as_reoriented(
        nib.orientations.io_orientation(np.vstack([np.hstack([directions.T, np.zeros((3, 1))]), [0, 0, 0, 1]]))
    )
    to_file = nib.orientations.aff2axcodes(turned.affine)
    letters = {code: "ijk"[i] for i, code in enumerate(to_file)}

    def letter(axis):
        plus, minus = "RAS"[axis], "LPI"[axis]
        return letters[plus] if plus in letters else letters[minus] + "-"

    backwards = letter(slices).endswith("-")
    vector = np.linalg.solve(turned.affine[:3, :3] / np.linalg.norm(turned.affine[:3, :3], axis=0), upright.bvecs.T)
    first = -1.0 if np.linalg.det(turned.affine[:3, :3]) > 0 else 1.0
    times = upright.acquisition.slice_times
    facts = {
        "SliceTiming": list(times[::-1] if backwards else times), "SliceEncodingDirection": letter(slices)[0],
        "PhaseEncodingDirection": letter(phase), "MissingSlicesAxis": letter(slices)[0],
        "MissingSlices": [(2, 3, 4)[slices] - 2 if backwards else 1],
    }  # fmt: skip
    bvec = "\n".join(" ".join(map(str, row)) for row in vector * np.array([[first], [1.0], [1.0]]))
    found = sidecar.read(turned.to_bytes(), Beside(facts, "0 1000", bvec))
    np.testing.assert_array_equal(found.array, upright.array)
    np.testing.assert_allclose(found.bvecs, upright.bvecs, atol=1e-12)
    assert (found.acquisition.slice_times, found.acquisition.slice_axis) == (times, slices)
    assert found.acquisition.phase_encoding == "ijk"[phase]
    assert (found.missing_slices, found.missing_axis) == ((1,), slices)


def test_an_exact_number_is_taken_only_where_the_header_agrees():
    volume = Volume(np.ones((2, 2, 2), np.int16), OBLIQUE, 0.1, 7.7)
    other = {"Slope": 0.2, "Intercept": float("nan"), "Affine": np.eye(4).ravel().tolist()}
    found = sidecar.read(nifti.write(volume), Beside(other))
    assert found.slope == np.float32(0.1)
    assert found.intercept == np.float32(7.7)
    np.testing.assert_allclose(found.affine, OBLIQUE, atol=1e-5)


@pytest.mark.parametrize("bval", ["0 1000 2000", "0 x", "0 nan", "", "0\n1000\n"])
def test_gradients_that_contradict_the_image_are_told_and_those_on_their_side_are_turned(bval):
    data = nifti.write(Volume(np.ones((2, 2, 2, 2), np.int16), np.eye(4), kind="dynamic"))
    if bval == "0\n1000\n":
        assert sidecar.read(data, Beside({}, bval)).bvals.tolist() == [0, 1000]
        return
    with pytest.raises(ImagingError, match="gradients") as caught:
        sidecar.read(data, Beside({}, bval))
    assert caught.value.reason is Reason.HEADER_INVALID


def test_words_and_numbers_of_no_list_are_not_taken():
    volume = Volume(np.ones((2, 2, 2), np.int16), np.eye(4))
    facts = {
        "Part": "Jane Doe", "Chemistry": ["Doe"], "Coil": "Jane Doe 1", "Kind": 7, "PhaseEncodingDirection": "doe",
        "EchoTime": "Doe", "FlipAngle": True, "RepetitionTime": -2, "SliceTiming": ["Doe"], "StepKinds": ["Doe"],
        "Times": [None], "MissingSlices": ["Doe"], "Slope": 10**400,
        "InversionTime": 10**400, "Affine": [10**400] * 16, "SliceEncodingDirection": 3, "TotalReadoutTime": 1e99,
    }  # fmt: skip
    assert_same(sidecar.read(nifti.write(volume), Beside(facts)), volume)
    told = beside.series_facts(
        "sub-1/anat/sub-1_T1w.nii", {"Contrast": "Doe", "Manufacturer": "Doe", "BodyPart": "Doe"}
    )
    assert "Doe" not in json.dumps(told)


@pytest.fixture
def lake(tmp_path):
    lake = Lake.open(tmp_path / "lake", workers=1)
    synthetic.know(lake, synthetic.licence())
    return lake


def run(lake, name):
    for station in (receive, deidentify, normalize, describe, map_labels):
        station(lake, name)


def test_an_export_comes_back_with_its_labels(lake, tmp_path):
    synthetic.fill(lake, {"a": ["S1", "S2"]}, contrasts=("T1", "T2", "DWI"))
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))
    export(lake, "cohort", tmp_path / "out")
    made = ingest(lake, tmp_path / "out", "again", synthetic.licence(), deidentified=True)
    assert (made.kind, made.label_task, made.label_scheme) == ("nifti", "tissue", {0: "background", 1: "tissue"})
    run(lake, "again")
    rows = {name: lake.table(VOLUMES).rows(partition={"delivery": name}) for name in ("a", "again")}
    compared = ("kind", "part", "contrast", "body_part", "shape", "affine", "dtype", "slope", "intercept", "bvals",
                "bvecs", "times", "missing_slices", "missing_axis")  # fmt: skip
    arrays = Volumes(lake)

    def told(row):
        return repr([row[c] for c in compared]) + arrays.array(row["volume"]).tobytes().hex()

    one, other = (sorted(map(told, rows[name])) for name in ("a", "again"))
    assert one == other
    assert len({row["subject"] for row in rows["again"]}) == 2
    assert {row["subject"] for row in rows["again"]}.isdisjoint(row["subject"] for row in rows["a"])
    labels = {name: lake.table(LABELS).rows(partition={"delivery": name}) for name in ("a", "again")}
    maps = Volumes(lake, LABELS)
    one, other = (sorted(maps.array(row["label"]).tobytes() for row in labels[name]) for name in ("a", "again"))
    assert one == other
    assert {row["task"] for row in labels["again"]} == {"tissue"}
    on = {row["volume"]: row["contrast"] for row in rows["again"]}
    assert {on[row["volume"]] for row in labels["again"]} == {"T1"}
    assert lake.table(QUARANTINE).rows(partition={"delivery": "again"}) == []


def others_dataset(folder):
    """A dataset as dcm2niix and people make it: two visits, inherited sidecars, gzipped or not."""

    def put(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content if isinstance(content, str) else json.dumps(content))

    def image(path, shape, affine=np.diag([-2.0, 2, 2, 1])):  # noqa: B008
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        # files of the same bytes would be one
        array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) + len(list(folder.rglob("*.nii*")))
        nib.save(nib.Nifti1Image(array, affine), folder / path)

    put("dataset_description.json", {"Name": "Study of Dr. Doe", "BIDSVersion": "1.8.0"})
    put("README", "Collected by Dr. Doe.")
    put("participants.tsv", "participant_id\tname\tage\tsex\nsub-01\tJane Doe\t93.5\tfemale\n")
    put("task-rest_bold.json", {"RepetitionTime": 2.5, "TaskName": "rest", "SliceTiming": [0, 1.25, 0.5]})
    for session in ("pre", "post"):
        stem = f"sub-01/ses-{session}/{{}}/sub-01_ses-{session}_{{}}"
        image(stem.format("anat", "T1w.nii.gz"), (3, 4, 5))
        said = {"EchoTime": 0.003, "Manufacturer": "SIEMENS", "BodyPartExamined": "BRAIN", "PatientName": "Jane Doe",
                "AcquisitionTime": "10:11:12", "MagneticFieldStrength": 3}  # fmt: skip
        put(stem.format("anat", "T1w.json"), said)
        image(stem.format("func", "task-rest_bold.nii"), (3, 4, 3, 2))
        put(stem.format("func", "task-rest_events.tsv"), "onset\tduration\n")
        image(stem.format("dwi", "dwi.nii.gz"), (3, 3, 3, 2))
        put(stem.format("dwi", "dwi.bval"), "0 1000\n")
        put(stem.format("dwi", "dwi.bvec"), "0 1\n0 0\n0 0\n")
    return folder


def test_a_dataset_of_others_comes_in_by_names_and_sidecars(lake, tmp_path):
    ingest(lake, others_dataset(tmp_path / "theirs"), "theirs", synthetic.licence(), deidentified=True)
    run(lake, "theirs")
    rows = lake.table(VOLUMES).rows(partition={"delivery": "theirs"})
    assert (len(rows), len({r["subject"] for r in rows}), len({r["study"] for r in rows})) == (6, 1, 2)
    by = {(row["contrast"], row["kind"]): row for row in rows}
    assert set(by) == {("T1", "static"), ("BOLD", "dynamic"), ("DWI", "diffusion")}
    assert by["BOLD", "dynamic"]["times"] == [0.0, 2.5]
    assert by["BOLD", "dynamic"]["slice_times"] == [0.0, 1.25, 0.5]
    # the file's x runs to the left: its affine is negative, so FSL's x is the index and +x the patient's left
    assert by["DWI", "diffusion"]["bvecs"][3:] == [-1.0, 0.0, 0.0]
    (series,) = {
        (r["body_part"], r["echo_time"], r["field_strength"], r["manufacturer"])
        for r in lake.table(SERIES).rows(partition={"delivery": "theirs"})
        if r["contrast"] == "T1"
    }
    assert series == ("brain", 3.0, 3.0, "Siemens")
    told = json.dumps([{k: str(v) for k, v in row.items()} for t in (VOLUMES, SERIES) for row in lake.table(t).rows()])
    assert "Doe" not in told
    assert "10:11" not in told
    contents = {row["path"]: row["content"] for row in lake.table(RECEIVED).rows(partition={"delivery": "theirs"})}
    assert {(r["age"], r["sex"]) for r in lake.table(SERIES).rows(partition={"delivery": "theirs"})} == {(90, "F")}
    subjects = {row["subject"] for row in lake.table(RECEIVED).rows(partition={"delivery": "theirs"})} - {None}
    assert len(subjects) == 1  # an inherited sidecar is nobody's
    assert contents["README"] == "other"
    assert contents["sub-01/ses-pre/dwi/sub-01_ses-pre_dwi.bvec"] == "sidecar"
