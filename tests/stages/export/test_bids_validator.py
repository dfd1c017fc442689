"""An export passes the validator of the standard: every kind of volume that the lake knows, at once.

The validator is not fetched: `npm install bids-validator` somewhere and name its program in LARMOR_BIDS_VALIDATOR, or
put it on the path.
"""

import json
import os
import shutil
import subprocess

import pytest

from lake.voxels import payload
from schemas.tables import LABELS, SERIES, VOLUMES
from stages.export.export import export
from tests import synthetic

# read at import, because tests do not see the settings of whoever runs them
VALIDATOR = os.environ.get("LARMOR_BIDS_VALIDATOR") or shutil.which("bids-validator")
FOURTH = [8, 7, 6, 3]


def _rows():
    """Volumes of one person, a study each so that none is told from its neighbours by chance."""
    acquired = {"phase_encoding": "j-", "readout_time": 0.03, "slice_times": [0.0, 0.3, 0.1, 0.4, 0.2, 0.5],
                "slice_axis": 2}  # fmt: skip
    dynamic = {"kind": "dynamic", "shape": FOURTH, "times": [0.0, 2.2, 4.4]}
    yield "T1", [{}]
    yield "T2", [{"echo_time": 20.0}, {"echo_time": 80.0}]
    yield "T2*", [{"part": "phase"}, {}]
    yield "FLAIR", [{"inversion_time": 2500.0}]
    yield "PD", [{"chemistry": name} for name in ("water", "fat", "in-phase", "out-of-phase", "fat-fraction")]
    yield "MRA", [{"coil": "H1"}, {"coil": "H2"}, {"affine": (synthetic.AFFINE * 1.5).ravel().tolist()}]
    yield "DWI", [acquired, {"kind": "diffusion", "shape": [8, 7, 6], "bvals": [800.0], "bvecs": None}]
    yield "BOLD", [dynamic | acquired, dynamic | acquired | {"slice_times": [9.0] * 6}, dynamic | {"times": None}]
    yield "perfusion", [dynamic | acquired | {"step_kinds": ["m0scan", "label", "control"]}, dynamic]
    yield "fieldmap", [acquired]
    yield "localizer", [{}, {"part": "unknown"}]
    yield "unknown", [{"part": "real"}, {"part": "imaginary"}]
    magnitudes = [{"echo_time": 4.9}, {"echo_time": 7.4}]
    yield "fieldmap", [*magnitudes, {"echo_time": 7.4, "part": "phase"}]
    yield "fieldmap", [*magnitudes, *(echo | {"part": "phase"} for echo in magnitudes)]
    yield "T1", [{"inversion_time": float(n)} for n in (100, 400, 900)]


def _fill(lake):
    volumes, series = [], []
    for study, (contrast, changes) in enumerate(_rows(), 1):
        for number, change in enumerate(changes):
            row = synthetic.volume_row("a", "S1", contrast, study=study) | change
            row["volume"] = f"{study:02}{number:02}" + "0" * 16
            array = synthetic.stored(row["volume"], (*row["shape"], 1)[3])
            frame = payload.encode(array)
            volumes.append(row | {"voxels": frame, "voxels_bytes": len(frame)})
        series.append(synthetic.series_row(row, volumes=len(changes), contrast_agent="given", dimensions="3D"))
    synthetic.put(lake, VOLUMES, "a", volumes)
    synthetic.put(lake, SERIES, "a", series)
    synthetic.put(lake, LABELS, "a", [synthetic.label_row(row) for row in volumes if len(row["shape"]) == 3])


@pytest.fixture
def folder(lake, tmp_path):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"b": ["S2"]})
    _fill(lake)
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))
    return export(lake, "cohort", tmp_path / "out").folder


def test_every_kind_of_volume_has_the_name_that_the_standard_gives_it(folder):
    stems = [path.name.removesuffix(".nii.gz").partition("_ses-")[2] for path in folder.glob("sub-S1/*/*/*.nii.gz")]
    found = {(stem.rpartition("_")[2], *sorted(e for e in stem.split("_")[1:-1] if "acq" not in e)) for stem in stems}
    assert {
        ("T2w", "ce-agent", "echo-1"), ("T2w", "ce-agent", "echo-2"), ("T2starw", "ce-agent", "part-phase"),
        ("PDw", "ce-agent", "rec-water"), ("PDw", "ce-agent", "rec-outphase"), ("dwi", "dir-AP"),
        ("bold", "ce-agent", "dir-AP", "run-1", "task-unknown"), ("epi", "ce-agent", "dir-AP"), ("phasediff",),
        ("magnitude1",), ("magnitude2",), ("phase1",), ("phase2",), ("IRT1", "ce-agent", "inv-3"),
        ("asl", "ce-agent", "dir-AP"), ("MR", "ce-agent", "part-real"),
    } <= found  # fmt: skip
    assert len(stems) == sum(len(changes) for _, changes in _rows())
    order = next(folder.glob("sub-S1/*/other/*_aslcontext.tsv")).read_text()
    assert order == "volume_type\nm0scan\nlabel\ncontrol\n"
    difference = json.loads(next(folder.glob("sub-S1/*/fmap/*_phasediff.json")).read_text())
    assert (difference["EchoTime1"], difference["EchoTime2"]) == (0.0049, 0.0074)


def test_no_sidecar_says_when_or_on_whom_an_image_was_taken(folder):
    told = {"AcquisitionTime", "AcquisitionDateTime", "DeviceSerialNumber", "StationName", "InstitutionName",
            "PatientName", "PatientID", "ProcedureStepDescription", "SeriesInstanceUID"}  # fmt: skip
    for path in folder.rglob("*.json"):
        assert not told & json.loads(path.read_text()).keys()


def _validator():
    if not VALIDATOR or not shutil.which(VALIDATOR):
        pytest.skip("found no BIDS validator, needed one: LARMOR_BIDS_VALIDATOR or bids-validator on the path")
    if not shutil.which("node"):
        pytest.skip("found no Node, needed it to run the BIDS validator")
    return VALIDATOR


def test_the_validator_of_the_standard_finds_no_error(folder):
    ran = subprocess.run([_validator(), "--json", str(folder)], capture_output=True, text=True, timeout=300)
    found = json.loads(ran.stdout)["issues"]
    assert [issue["key"] for issue in found["errors"]] == []
    # each of these is true of the data: people differ in what was taken of them, few are named as authors, nobody knows
    # what a person did in the scanner, and some series do not state when each slice was taken
    known = {"INCONSISTENT_SUBJECTS", "INCONSISTENT_PARAMETERS", "MISSING_SESSION", "TOO_FEW_AUTHORS",
             "EVENTS_TSV_MISSING", "SLICE_TIMING_NOT_DEFINED"}  # fmt: skip
    assert {issue["key"] for issue in found["warnings"]} <= known
