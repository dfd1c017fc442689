"""A scientist opens a release in three lines: tables, arrays and data sets, each on the record, the test set sealed."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import lake as larmor
from lake import above
from lake.releases import SPLITS, ReleaseError
from lineage.ledger import ledger
from schemas.tables import ACCESS
from tests import synthetic


@pytest.fixture
def release(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3"], "b": ["S4", "S5", "S6"]})
    synthetic.frozen(lake, splits=(0.5, 0.2, 0.3))
    return larmor.open("cohort", lake.settings.root, purpose="atlas study")


def accesses(release):
    return release.release.lake.table(ACCESS).rows()


def labelled(release):
    return next(member for member in release.members("train") if member.label)


def test_what_a_cell_shows_of_a_release_is_short_and_lists_nobody(release):
    shown = repr(release)
    counts = release.manifest.counts
    assert len(shown) < 200
    assert f"{counts['train']['volumes']} train" in shown and "atlas study" in shown
    members = [member for split in SPLITS for member in release.release.members(split, sealed_ok=True)]
    assert not [member.volume for member in members if member.volume in shown + repr(release.release)]


@pytest.mark.parametrize("form", ["pandas", "polars", "arrow"])
def test_a_table_has_a_row_a_volume_with_what_is_known_of_it(release, form):
    table = release.table(form)
    rows = table.to_dict("records") if form == "pandas" else table.to_dicts() if form == "polars" else table.to_pylist()
    assert sorted(row["volume"] for row in rows) == sorted(member.volume for member in release.members())
    first = next(row for row in rows if row["volume"] == labelled(release).volume)
    assert (first["contrast"], first["plane"], first["manufacturer"]) == ("T1", "axial", "Maker")
    assert (first["task"], json.loads(first["scheme"])) == ("tissue", synthetic.SCHEME)
    assert list(first["spacing"]) == [2.0, 2.5, 3.0]
    unlabelled = next(row for row in rows if row["contrast"] == "DWI")
    assert unlabelled["scheme"] is None
    assert not {"voxels", "preview", "sources"} & first.keys()


def test_a_table_is_that_of_the_frozen_versions(release):
    before = release.table("arrow")
    for delivery in ("a", "b"):
        synthetic.fill(release.release.lake, {delivery: ["SX"]})
    again = larmor.open("cohort", release.release.lake.settings.root)
    assert again.table("arrow").equals(before)


def test_a_volume_is_the_same_in_every_form(release):
    member = labelled(release)
    stored = synthetic.stored(member.volume)
    np.testing.assert_allclose(release.volume(member.volume), stored * 1.5 - 2.0)
    assert release.volume(member.volume).dtype == np.float32
    np.testing.assert_array_equal(release.volume(member.volume, "torch").numpy(), release.volume(member.volume))
    image = release.volume(member.volume, "nibabel")
    np.testing.assert_allclose(image.get_fdata(), stored * 1.5 - 2.0)
    np.testing.assert_allclose(image.affine, synthetic.AFFINE)
    for form in ("numpy", "torch"):
        np.testing.assert_array_equal(np.asarray(release.label(member.volume, form)), stored > 450)
    np.testing.assert_array_equal(np.asarray(release.label(member.volume, "nibabel").dataobj), stored > 450)


def test_a_loader_stacks_crops_with_their_label_maps(release):
    torch = pytest.importorskip("torch")
    dataset = release.torch("train", (4, 4, 8), labels=True)
    (batch,) = torch.utils.data.DataLoader(dataset, batch_size=len(dataset))
    assert batch["image"].shape == batch["label"].shape == (len(dataset), 1, 4, 4, 8)
    assert (batch["image"].dtype, batch["label"].dtype) == (torch.float32, torch.int64)
    for image, label in zip(batch["image"], batch["label"], strict=True):
        inside = image[0, :, :, : synthetic.SHAPE[2]]
        # what is above 450 as stored is above 673 in the unit of the scanner
        assert torch.equal(inside > 673, label[0, :, :, : synthetic.SHAPE[2]] == 1)


def test_a_sample_says_where_it_lies(release):
    dataset = release.torch("train", (3, 3, 3), labels=True, seed=4)
    sample = dataset[0]
    whole, affine = release.volume(sample["volume"]), sample["affine"].numpy()
    start = np.rint(np.linalg.inv(synthetic.AFFINE) @ affine[:, 3])[:3].astype(int)
    window = tuple(slice(n, n + 3) for n in start)
    np.testing.assert_allclose(sample["image"][0].numpy(), whole[window])
    assert not np.array_equal(dataset.at_epoch(1)[0]["image"], sample["image"])


def test_a_data_set_can_be_sent_to_workers_and_serves_whole_volumes(release):
    dataset = pickle.loads(pickle.dumps(release.torch("train", None)))
    assert {len(sample["image"].shape) for sample in dataset} == {4, 5}, "three axes and a channel, or four"


def test_the_test_set_stays_sealed(release):
    sealed = release.release.members("test", sealed_ok=True)
    assert sealed
    before = len(accesses(release))
    for ask in (
        lambda: release.table(split="test"),
        lambda: release.members("test"),
        lambda: release.torch("test"),
        lambda: release.volume(sealed[0].volume),
        lambda: release.label(sealed[0].volume),
        lambda: release.look(sealed[0].volume),
    ):
        with pytest.raises(ReleaseError, match="sealed"):
            ask()
    shown = release.table("arrow")["volume"].to_pylist()
    for volumes in (shown, release.volumes().ids):
        assert not {member.volume for member in sealed} & set(volumes)
    assert len(accesses(release)) == before + 2


def test_each_access_is_on_the_record_with_its_purpose(release):
    assert not release.release.lake.table(ACCESS).exists(), "to open a release reads no volume"
    member = labelled(release)
    release.table()
    release.volume(member.volume)
    release.label(member.volume)
    release.torch("train", labels=True)
    release.volumes()
    rows = accesses(release)
    assert {(row["action"], row["subject_of_access"], row["purpose"]) for row in rows} == {
        ("read", "cohort", "atlas study")
    }
    train = [member for member in release.members("train") if member.label]
    events = [e for e in ledger.entries(release.release.lake) if e["type"] == "accessed"]
    facts = [json.loads(event["event"])["facts"] for event in events]
    assert [fact["rows"] for fact in facts] == [len(release.members()), 1, 1, len(train), len(release.members())]
    assert facts[3]["split"] == "train"


def test_the_purpose_is_that_of_the_call_then_of_the_settings_then_of_the_release(release, monkeypatch):
    root = release.release.lake.settings.root
    assert larmor.open("cohort", root).purpose == "model-training"
    monkeypatch.setenv("LARMOR_PURPOSE", "quality review")
    assert larmor.open("cohort", root).purpose == "quality review"
    assert larmor.open("cohort", root, purpose="teaching").purpose == "teaching"


def test_nothing_is_read_where_it_cannot_be_recorded(release, monkeypatch):
    above.found.cache_clear()
    monkeypatch.setattr(above, "entry_points", lambda **_: ())
    for ask in (release.table, lambda: release.volume(labelled(release).volume), lambda: release.torch("train")):
        with pytest.raises(above.NotInstalled, match="needed the whole of Larmor"):
            ask()


def test_whoever_opens_another_lake_is_told_which_it_was(tmp_path):
    """A notebook that was started elsewhere looks into `./larmor-data` of that place, which is not there."""
    with pytest.raises(ReleaseError, match=f"LARMOR_ROOT if the lake is another than {tmp_path / 'elsewhere'}$"):
        larmor.open("cohort", tmp_path / "elsewhere")


def test_mistakes_are_told_with_what_was_needed(release):
    member = release.members("train")[0]
    with pytest.raises(ReleaseError, match="needed pandas, polars or arrow"):
        release.table("excel")
    with pytest.raises(ReleaseError, match="needed numpy, torch or nibabel"):
        release.volume(member.volume, "jax")
    with pytest.raises(ReleaseError, match=r"needed one of its table\(\)"):
        release.volume("nothing")
    unlabelled = next(member for member in release.members() if not member.label)
    with pytest.raises(ReleaseError, match="found no label map"):
        release.label(unlabelled.volume)


def test_a_gallery_fits_into_a_cell_of_a_notebook(release):
    shown = release.look(where="contrast = 'T1'")._repr_html_()
    assert shown.startswith("<iframe") and "srcdoc=" in shown
    assert labelled(release).volume in shown
    assert [row["purpose"] for row in accesses(release)] == ["atlas study"]


def test_a_volume_in_a_notebook_has_its_label_map_over_it(release):
    pytest.importorskip("ipyniivue", reason="needed ipyniivue, which brings NiiVue")
    shown = release.look(labelled(release).volume)
    assert [layer.name for layer in shown.volumes] == ["volume.nii", "label.nii"]
    # sides as in the previews: whoever looks at both must not take left for right
    assert (shown.opts.is_radiological_convention, shown.opts.sagittal_nose_left) == (True, True)


def test_neither_dagster_nor_java_nor_torch_is_needed_to_read(release, tmp_path_factory):
    code = (
        "import sys, lake\n"
        f"release = lake.open('cohort', {str(release.release.lake.settings.root)!r})\n"
        "table = release.table('arrow')\n"
        "release.volume(table['volume'][0].as_py())\n"
        "release.look()\n"
        "found = {'dagster', 'pyspark', 'torch', 'pydicom'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path_factory.mktemp("elsewhere"))


def test_the_members_are_read_without_threads_that_outlive_the_interpreter(release, tmp_path_factory):
    """What data sets of pyarrow read from memory a thread frees; where the interpreter ends first, that aborts."""
    root = str(release.release.lake.settings.root)
    code = f"import lake, sys; lake.open('cohort', {root!r}).members(); assert 'pyarrow.dataset' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path_factory.mktemp("elsewhere"))
