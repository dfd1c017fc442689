"""A phantom delivery holds what its answer key says, byte for byte and voxel for voxel, and no more than that."""

import csv
import gzip
import hashlib
import json
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.phantom import BodyPart, Label, Part, PhantomConfig, Vendor, demo_configs, generate
from imaging.phantom.delivery import recalled
from imaging.phantom.people import encounter, person
from imaging.phantom.words import WORDS_A_SUBJECT, word
from schemas.delivery import Delivery
from schemas.reasons import Reason

SMALL = PhantomConfig(
    "small",
    seed=3,
    subjects=4,
    body_parts=(BodyPart.HEAD, BodyPart.HEAD, BodyPart.KNEE, BodyPart.HEAD),
    matrix=32,
    slices=10,
    lesions=0.5,
    labelled=1.0,
    checksums=True,
)


class Made:
    """A delivery, its answer key and what was counted."""

    def __init__(self, root: Path, config: PhantomConfig) -> None:
        self.folder, self.answers = root / config.name, root / f"{config.name}.answers"
        self.summary = generate(self.folder, self.answers, config)
        self.expected, self.truth, self.phi = (
            json.loads((self.answers / f"{name}.json").read_text()) for name in ("expected", "truth", "phi")
        )

    @property
    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in sorted(self.folder.rglob("*")) if p.is_file()}

    def instances(self, series: str) -> list[pydicom.Dataset]:
        gone = {p for paths in self.expected["quarantined_paths"].values() for p in paths}
        gone |= set(self.expected["duplicate_paths"])
        found = []
        for path, data in self.files.items():
            if path not in gone and data[128:132] == b"DICM":
                dataset = pydicom.dcmread(self.folder / path)
                if dataset.SeriesInstanceUID == series:
                    found.append(dataset)
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("landing"), SMALL)


def test_same_seed_gives_the_same_bytes_everywhere(made, tmp_path):
    again = Made(tmp_path, SMALL)
    assert again.files == made.files
    for path in sorted(made.answers.rglob("*")):
        if path.is_file():
            assert (again.answers / path.relative_to(made.answers)).read_bytes() == path.read_bytes()


def test_another_seed_gives_other_people_and_other_voxels():
    one, other = SMALL, replace(SMALL, seed=4)
    for ordinal in range(4):
        assert person(one, ordinal).family != person(other, ordinal).family


def test_manifest_names_what_is_there(made):
    manifest = Delivery.read(made.folder / "delivery.yaml")
    files = made.files
    assert manifest.expected_files == len(files) - 1 == made.expected["files"] == made.summary.files
    listed = dict(line.split("  ", 1)[::-1] for line in files[manifest.checksums].decode().splitlines())
    assert listed == {
        path: hashlib.sha256(data).hexdigest()
        for path, data in files.items()
        if path not in ("delivery.yaml", manifest.checksums)
    }
    for index, column, known in (
        ("reports", "study", {series["study"] for series in made.truth.values()}),
        ("labels", "series", set(made.truth)),
    ):
        rows = list(csv.DictReader(files[getattr(manifest, index)].decode().splitlines()))
        assert rows
        assert {row[column] for row in rows} <= known
        assert all(row["path"] in files for row in rows)


def test_files_reconcile_into_kept_duplicates_and_quarantined(made):
    expected, files = made.expected, made.files
    held = [path for paths in expected["quarantined_paths"].values() for path in paths]
    assert {Reason(reason): count for reason, count in expected["quarantined"].items()} == {
        Reason.CONFLICTING_DUPLICATE: 2,
        Reason.NOT_AN_IMAGE: 1,
        Reason.TRUNCATED: 1,
        Reason.UNEXPECTED_FILE: 1,
        Reason.UNREADABLE: 1,
    }
    assert set(held) | set(expected["duplicate_paths"]) <= set(files)
    assert expected["files"] == sum(expected["kept"].values()) + expected["duplicates"] + len(held)
    repeats = Counter(files.values())
    assert sum(count - 1 for count in repeats.values()) == expected["duplicates"] == 3
    assert expected["kept"]["dicom"] == sum(series["instances"] for series in made.truth.values()) + 2, (
        "a report and a screen capture, both of which can be cleaned"
    )


def test_each_fault_is_what_it_says(made):
    by_reason, files = made.expected["quarantined_paths"], made.files
    one, other = (pydicom.dcmread(made.folder / path) for path in by_reason["conflicting_duplicate"])
    assert one.SOPInstanceUID == other.SOPInstanceUID
    assert not np.array_equal(one.pixel_array, other.pixel_array)
    with pytest.raises((ValueError, EOFError, AttributeError)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = pydicom.dcmread(made.folder / by_reason["truncated"][0]).pixel_array
    with pytest.raises(pydicom.errors.InvalidDicomError):
        pydicom.dcmread(made.folder / by_reason["unreadable"][0])
    for path in by_reason["not_an_image"]:
        assert "PixelData" not in pydicom.dcmread(made.folder / path)
    drawn = next(fault for fault in made.expected["faults"] if fault["fault"] == "screen capture with burned-in text")
    capture = pydicom.dcmread(made.folder / drawn["paths"][0])
    assert capture.BurnedInAnnotation == "YES"
    assert (capture.pixel_array == 255).sum() > 100
    assert b"DICM" not in files[by_reason["unexpected_file"][0]]


def test_every_series_has_the_slices_that_the_key_says(made):
    missing = 0
    for uid, truth in made.truth.items():
        depth, volumes = truth["shape"][2], len(truth["bvals"])
        affine = np.reshape(truth["affine"], (4, 4))
        found = Counter()
        for dataset in made.instances(uid):
            x, y, z = (float(v) for v in dataset.ImagePositionPatient)
            found[int(np.rint(np.linalg.solve(affine, [-x, -y, z, 1])[2]))] += 1
        assert found == {k: volumes for k in range(depth) if k not in truth["missing_slices"]}
        missing += len(truth["missing_slices"])
    assert missing == 2 + 1 + 1, "missing, truncated and conflicting slices"


def test_every_file_is_valid_dicom_of_its_vendor(made):
    bad = {p for r in ("unreadable", "truncated") for p in made.expected["quarantined_paths"][r]}
    seen = Counter()
    with warnings.catch_warnings(), pydicom.config.strict_reading():
        warnings.simplefilter("error")
        for path, data in made.files.items():
            if path not in bad and data[128:132] == b"DICM":
                dataset = pydicom.dcmread(made.folder / path)
                dataset.walk(lambda _, element: element.value)
                syntax = dataset.file_meta.TransferSyntaxUID
                seen[(dataset.Manufacturer.split()[0], syntax.name.split()[0], syntax.is_implicit_VR)] += 1
    assert {vendor for vendor, *_ in seen} == {"SIEMENS", "GE", "Philips"}
    assert ("Philips", "Implicit", True) in seen
    assert ("GE", "RLE", False) in seen


def test_every_planted_string_is_in_the_delivery_and_belongs_to_one_subject(made):
    everything = b"\n".join([*made.files.values(), *(path.encode() for path in made.files)])
    assert len(made.phi) == made.summary.planted
    for entry in made.phi:
        drawn_only = all(where.endswith("drawn") for where in entry["where"])
        assert drawn_only or entry["value"].encode() in everything, entry["where"]
    kinds = {entry["kind"] for entry in made.phi}
    assert kinds >= {"name", "id", "date", "uid", "address", "phone", "institution", "clinician", "device", "age"}
    owners = {}
    for entry in made.phi:
        if entry["kind"] in ("name", "id", "uid", "phone", "address", "clinician"):
            assert owners.setdefault(entry["value"], entry["subject"]) == entry["subject"]


def test_identity_stands_where_tools_forget_to_look(made):
    where = {place for entry in made.phi for place in entry["where"]}
    for place in (
        "preamble",
        "folder name",
        "report text",
        "(0002,0016)",
        "(0002,0102)",
        "(FFFC,FFFC)",
        "(6000,0022)",
        "(0040,0275)>(0032,1060)",
        "(0029,1020) SIEMENS CSA HEADER",
        "(0043,102A) GEMS_PARM_01",
        "(2001,10C8) Philips Imaging DD 001",
        "(0008,103E)",
    ):
        assert place in where


@given(st.integers(0, 2**63 - 1), st.integers(0, 998))
@settings(max_examples=30, deadline=None)
def test_two_subjects_never_share_a_word(seed, ordinal):
    one, other = ({word(seed, o, i).lower() for i in range(WORDS_A_SUBJECT)} for o in (ordinal, ordinal + 1))
    assert len(one | other) == 2 * WORDS_A_SUBJECT


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_some_subjects_are_older_than_89_at_every_seed(seed):
    config = PhantomConfig("ages", seed=seed)
    ages = [encounter(config, person(config, ordinal)).age for ordinal in range(15)]
    assert 1 <= sum(age > 89 for age in ages) <= 4
    assert all(18 <= age <= 98 for age in ages)


def test_a_split_series_is_whole_again_when_its_parts_meet(tmp_path):
    base = PhantomConfig("one", subjects=2, matrix=24, slices=8, faults=False)
    whole = Made(tmp_path / "whole", base)
    first = Made(tmp_path, replace(base, split_subject=1, part=Part.FIRST))
    rest = Made(tmp_path, replace(base, name="two", subjects=1, first_subject=2, split_subject=1, part=Part.REST))
    split = [uid for uid, truth in first.truth.items() if truth["split"]]
    assert split == [uid for uid, truth in rest.truth.items() if truth["split"]]
    parts = [first.instances(split[0]), rest.instances(split[0])]
    expected = {d.SOPInstanceUID: d.PixelData for d in whole.instances(split[0])}
    assert {d.SOPInstanceUID: d.PixelData for part in parts for d in part} == expected
    assert sum(map(len, parts)) == len(expected)
    assert rest.summary.subjects == 2
    gap = first.truth[split[0]]["shape"][2]
    assert rest.truth[split[0]]["first_slice"] == gap


def test_a_later_visit_is_the_same_person_in_another_study():
    first, later = PhantomConfig("first"), PhantomConfig("later", visit=1)
    who = person(first, 0)
    assert who == person(later, 0)
    one, other = encounter(first, who), encounter(later, who)
    assert 330 <= (other.date - one.date).days < 400
    assert one.accession != other.accession


def _map(made, uid):
    return nib.load(made.answers / made.truth[uid]["file"])


def test_series_of_one_study_show_the_same_anatomy_in_the_same_place(made):
    series = {t["contrast"]: uid for uid, t in made.truth.items() if t["subject"] == 0}
    sagittal, axial = _map(made, series["T1"]), _map(made, series["T2"])
    index = np.stack(np.meshgrid(*map(np.arange, axial.shape), indexing="ij"), -1).reshape(-1, 3)
    world = nib.affines.apply_affine(axial.affine, index)
    there = np.rint(nib.affines.apply_affine(np.linalg.inv(sagittal.affine), world)).astype(int)
    seen = np.all((there >= 0) & (there < sagittal.shape), axis=1)
    one = np.asarray(axial.dataobj)[tuple(index[seen].T)]
    other = np.asarray(sagittal.dataobj)[tuple(there[seen].T)]
    brain = (one == Label.WHITE_MATTER) | (one == Label.GREY_MATTER)
    assert brain.sum() > 500
    assert np.isin(other[brain], [Label.GREY_MATTER, Label.WHITE_MATTER, Label.FLUID, Label.LESION]).mean() > 0.9
    assert (one == other).mean() > 0.7


def test_contrasts_look_as_radiologists_expect(made):
    def mean(contrast, label):
        uid = next(u for u, t in made.truth.items() if t["contrast"] == contrast and t["subject"] == 0)
        truth, datasets = np.asarray(_map(made, uid).dataobj), made.instances(uid)
        affine = np.reshape(made.truth[uid]["affine"], (4, 4))
        values = []
        for d in datasets:
            x, y, z = (float(v) for v in d.ImagePositionPatient)
            k = int(np.rint(np.linalg.solve(affine, [-x, -y, z, 1])[2]))
            values.append(d.pixel_array.T[truth[:, :, k] == label])
        return np.median(np.concatenate(values))

    assert mean("T1", Label.WHITE_MATTER) > mean("T1", Label.GREY_MATTER) > mean("T1", Label.FLUID)
    assert mean("T2", Label.FLUID) > mean("T2", Label.GREY_MATTER) > mean("T2", Label.WHITE_MATTER)
    assert mean("FLAIR", Label.FLUID) < 0.5 * mean("FLAIR", Label.WHITE_MATTER)


def test_reports_say_what_the_truth_is(made):
    sites = {t["study"]: t["lesions"] for t in made.truth.values()}
    files = made.files
    for row in csv.DictReader(files["reports.csv"].decode().splitlines()):
        text = files[row["path"]].decode()
        lesions = sites[row["study"]]
        assert ("lesion" in text.split("IMPRESSION")[1]) == bool(lesions)
        assert all(x["site"] in text and f"{x['size_mm']} mm" in text for x in lesions)
    assert 0 < sum(map(bool, sites.values())) < 4


def test_labels_are_the_truth_and_their_bytes_hold_no_time(made):
    files = made.files
    for row in csv.DictReader(files["labels.csv"].decode().splitlines()):
        assert files[row["path"]] == (made.answers / made.truth[row["series"]]["file"]).read_bytes()
        assert files[row["path"]][4:8] == bytes(4)
        assert gzip.decompress(files[row["path"]])[344:347] == b"n+1"


def test_an_unfinished_delivery_is_never_seen_and_never_in_the_way(tmp_path):
    config = PhantomConfig("again", subjects=1, matrix=24, slices=8)
    (tmp_path / ".again.unfinished").mkdir()
    (tmp_path / ".again.unfinished" / "half.dcm").write_bytes(b"half")
    made = Made(tmp_path, config)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "again.answers"]
    assert "half.dcm" not in made.files
    assert recalled(made.folder, made.answers, config) == made.summary
    with pytest.raises(ValueError, match="another configuration"):
        recalled(made.folder, made.answers, replace(config, seed=1))
    with pytest.raises(ValueError, match="needed a place that is free"):
        generate(made.folder, made.answers, config)
    with pytest.raises(ValueError, match="inside the delivery"):
        generate(tmp_path / "new", tmp_path / "new" / "answers", config)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Not A Name"}, "lower-case|a-z"),
        ({"subjects": 0}, "subjects"),
        ({"first_subject": 999}, "first_subject"),
        ({"matrix": 8}, "matrix"),
        ({"lesions": 1.5}, "lesions"),
        ({"directions": 2}, "directions"),
        ({"vendors": ()}, "vendors"),
        ({"part": Part.REST}, "split_subject and part"),
        ({"split_subject": 9, "part": Part.FIRST}, "outside"),
        ({"split_subject": 1, "part": Part.REST}, "among"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_delivery_that_cannot_be_made_is_refused_with_the_reason(fields, said):
    with pytest.raises(ValueError, match=said):
        PhantomConfig(**{"name": "x", **fields})


def test_the_demonstration_has_heads_and_knees_of_every_vendor_and_one_split_series():
    configs = demo_configs()
    subjects = [(c.body_parts[o % 5], c.vendors[o % 3]) for c in configs for o in c.ordinals]
    assert Counter(part for part, _ in subjects) == {BodyPart.HEAD: 12, BodyPart.KNEE: 3}
    assert {vendor for part, vendor in subjects if part is BodyPart.KNEE} == set(Vendor)
    assert sorted(c.part for c in configs if c.part) == [Part.FIRST, Part.REST]
    assert len({o for c in configs for o in c.ordinals}) == 15


@pytest.mark.filterwarnings("ignore:The DICOM readers are highly experimental")
def test_siemens_csa_headers_are_readable_by_others(made):
    from nibabel.nicom import csareader

    uid, truth = next((u, t) for u, t in made.truth.items() if t["vendor"] == "siemens" and t["contrast"] == "DWI")
    directions = truth["gradients_lps"]
    for dataset in made.instances(uid):
        header = csareader.get_csa_header(dataset, "image")
        volume = dataset.AcquisitionNumber - 1
        assert csareader.get_scalar(header, "B_value") == truth["bvals"][volume]
        if truth["bvals"][volume]:
            np.testing.assert_allclose(
                csareader.get_vector(header, "DiffusionGradientDirection", 3), directions[volume], atol=1e-6
            )
        assert "MrPhoenixProtocol" in csareader.get_csa_header(dataset, "series")["tags"]
