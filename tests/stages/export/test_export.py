"""An export loses no voxel, leaves the sealed set behind, asks every licence, and is whole or not there."""

import hashlib
import json
import subprocess

import nibabel as nib
import numpy as np
import pytest
import yaml

from imaging.nifti import nifti
from lineage.ledger import ledger
from lineage.terms.refusal import Refusal
from schemas.tables import ACCESS, VOLUMES
from stages.export import bids_folder
from stages.export.export import export
from stages.export.target import ExportError
from tests import synthetic


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3", "S4"]}, contrasts=("T1", "T2", "DWI"))
    return lake


@pytest.fixture
def release(filled):
    return synthetic.frozen(filled)


def _events(lake, type_):
    return [json.loads(e["event"])["facts"] for e in ledger.entries(lake) if e["type"] == type_]


def _contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_voxels_scaling_and_grid_arrive_as_they_are_stored(filled, release, tmp_path):
    made = export(filled, "cohort", tmp_path / "out")
    members = [*release.members("train"), *release.members("validation")]
    assert (made.volumes, made.subjects) == (len(members), 3)
    found = {}
    for path in tmp_path.glob("out/sub-*/*/*.json"):
        if not path.name.endswith("_dseg.json"):
            found[json.loads(path.read_text())["Volume"]] = path.with_suffix("")
    assert set(found) == {member.volume for member in members}
    volumes = release.volumes()
    for volume, stem in found.items():
        image = nib.load(f"{stem}.nii.gz")
        np.testing.assert_array_equal(image.dataobj.get_unscaled(), volumes.array(volume))
        np.testing.assert_allclose(image.affine, synthetic.AFFINE, atol=1e-5)
        assert (image.dataobj.slope, image.dataobj.inter) == (1.5, -2.0)
        assert image.header["descrip"].item() == b"Larmor"


def test_labels_name_their_images_and_gradients_lie_beside_theirs(filled, release, tmp_path):
    made = export(filled, "cohort", tmp_path / "out")
    labels = sorted(tmp_path.glob("out/derivatives/labels/sub-*/anat/*_seg-tissue_desc-T1w_dseg.nii.gz"))
    assert len(labels) == made.labels == 3
    for label in labels:
        facts = json.loads(label.with_name(label.name.replace(".nii.gz", ".json")).read_text())
        image = tmp_path / "out" / facts["Sources"][0].removeprefix("bids:raw:")
        assert nib.load(label).shape == nib.load(image).shape
        table = label.with_name(label.name.replace(".nii.gz", ".tsv")).read_text()
        assert table == "index\tname\n0\tbackground\n1\ttissue\n"
        expected = (
            synthetic.stored(json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())["Volume"])
            > 450
        )
        np.testing.assert_array_equal(nifti.read(label).array, expected)
    for path in tmp_path.glob("out/sub-*/dwi/*.nii.gz"):
        stem = path.name.removesuffix(".nii.gz")
        bvecs = np.loadtxt(path.with_name(f"{stem}.bvec"))
        assert np.loadtxt(path.with_name(f"{stem}.bval")).tolist() == synthetic.BVALS
        np.testing.assert_allclose(bvecs.T * [-1, 1, 1], np.reshape(synthetic.BVECS, (3, 3)))


def test_the_sealed_test_set_stays_here(filled, release, tmp_path):
    export(filled, "cohort", tmp_path / "out")
    found = _contents(tmp_path / "out")
    told = "\n".join([*found, *(found[name].decode() for name in found if not name.endswith(".gz"))])
    sealed = release.members("test", sealed_ok=True)
    assert sealed
    for member in sealed:
        assert f"sub-{member.subject}" not in told
        assert member.volume not in told
    with pytest.raises(ExportError, match="test is sealed"):
        export(filled, "cohort", tmp_path / "sealed", splits=("test",))
    export(filled, "cohort", tmp_path / "part", splits=("validation",))
    people = {line.split("\t")[0] for line in (tmp_path / "part/participants.tsv").read_text().splitlines()[1:]}
    assert people == {f"sub-{member.subject}" for member in release.members("validation")}


def test_the_folder_says_what_it_is_and_proves_it(filled, release, tmp_path):
    made = export(filled, "cohort", tmp_path / "out")
    out = tmp_path / "out"
    said = json.loads((out / "dataset_description.json").read_text())
    assert said["Release"]["SHA256"] == release.sha256
    assert said["Acknowledgements"] == "The Consortium"
    assert yaml.safe_load((out / "licences/open-licence.yaml").read_text())["export"] is True
    assert (out / "card.html").read_bytes() == filled.location("curated", "releases", "cohort").read_bytes("card.html")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=out, check=True)
    listed = {line.split("  ")[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    assert listed == set(_contents(out)) - {"SHA256SUMS"}
    assert made.sha256 == hashlib.sha256((out / "SHA256SUMS").read_bytes()).hexdigest()
    assert (made.files, made.bytes) == (len(_contents(out)), sum(map(len, _contents(out).values())))


def test_the_same_release_gives_the_same_bytes(filled, release, tmp_path):
    one, other = (export(filled, "cohort", tmp_path / name) for name in ("one", "other"))
    assert one.sha256 == other.sha256
    assert _contents(tmp_path / "one") == _contents(tmp_path / "other")


def test_later_changes_of_the_tables_do_not_reach_the_export(filled, release, tmp_path):
    before = export(filled, "cohort", tmp_path / "before")
    synthetic.put(filled, VOLUMES, "a", [synthetic.volume_row("a", "S1", slope=9.0)])
    assert export(filled, "cohort", tmp_path / "after").sha256 == before.sha256


def test_an_export_is_an_event_and_an_access(filled, release, tmp_path):
    made = export(filled, "cohort", tmp_path / "out", purpose="research")
    (event,) = _events(filled, "exported")
    assert event["content_sha256"] == made.sha256
    assert event["release_sha256"] == release.sha256
    assert (event["volumes"], event["purpose"]) == (made.volumes, "research")
    assert event["licences"] == {"open-licence": synthetic.licence().digest}
    (row,) = filled.table(ACCESS).rows()
    assert (row["action"], row["subject_of_access"], row["rows"]) == ("export", "cohort", made.volumes)


def test_a_licence_that_forbids_export_now_is_named(filled, release, tmp_path):
    synthetic.know(filled, synthetic.licence(export=False))
    with pytest.raises(Refusal, match="licence open-licence, export: found false, needed true"):
        export(filled, "cohort", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert _events(filled, "refused")[-1]["term"] == "export"
    assert _events(filled, "exported") == []


def test_a_release_frozen_under_terms_that_forbade_export_is_refused_though_they_allow_it_now(lake, tmp_path):
    synthetic.know(lake, synthetic.licence(export=False))
    synthetic.fill(lake, {"a": ["S1", "S2"]})
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))
    synthetic.know(lake, synthetic.licence(export=True))
    with pytest.raises(Refusal, match="open-licence, export: found false when release cohort was frozen"):
        export(lake, "cohort", tmp_path / "out")
    assert _events(lake, "refused")[-1]["release"] == "cohort"


def test_a_purpose_that_the_licence_does_not_allow_is_refused(filled, release, tmp_path):
    with pytest.raises(Refusal, match="purposes"):
        export(filled, "cohort", tmp_path / "out", purpose="marketing")
    assert list(tmp_path.glob("*out*")) == []


def test_what_is_there_is_not_touched(filled, release, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match="needed a new folder"):
        export(filled, "cohort", tmp_path / "out")
    for inside in (filled.settings.folder("audit") / "ledger" / "x", filled.landing / "x"):
        with pytest.raises(ExportError, match="inside a zone of the lake"):
            export(filled, "cohort", inside)
    assert _events(filled, "exported") == []


def test_a_place_where_nothing_can_be_written_is_told(filled, release, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match=r"found a file where the output.s folder is to be.* with --to"):
        export(filled, release.name, tmp_path / "file" / "out")


def test_a_stopped_export_leaves_nothing_and_a_second_one_succeeds(filled, release, tmp_path, monkeypatch):
    written = []

    def failing(volume, path):
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        return nifti.write(volume, path)

    with monkeypatch.context() as patched:
        patched.setattr(bids_folder.nifti, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            export(filled, "cohort", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]
    assert _events(filled, "exported") == []
    assert export(filled, "cohort", tmp_path / "out").folder.is_dir()


def test_who_received_which_splits_is_on_the_ledger(filled, release, tmp_path):
    export(filled, release.name, tmp_path / "out", splits=["train"], recipient="University")
    (facts,) = _events(filled, "exported")
    assert facts["recipient"] == "University"
    assert facts["splits"] == {"train": {"volumes": facts["volumes"]}}
    with pytest.raises(ExportError, match="recipient"):
        export(filled, release.name, tmp_path / "more", recipient="who@where")
    assert not (tmp_path / "more").exists()
