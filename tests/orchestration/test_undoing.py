"""The demonstration goes without a trace, and takes nothing of anybody else's with it."""

import pytest

from imaging.phantom.demo import answer_keys
from lake.settings import Settings
from lake.zones import Lake
from lineage.terms import terms
from orchestration import undoing
from orchestration.demo import licence
from tests import synthetic


@pytest.fixture
def demo(tmp_path):
    """A lake as the demonstration leaves it: its licence learned, a delivery landed, volumes made."""
    lake = Lake(Settings(root=tmp_path / "lake"))
    lake.licences.mkdir(parents=True)
    licence().write(lake.licences / "phantom-licence.yaml")
    terms.install(lake, "phantom-licence")
    synthetic.fill(lake, {"phantom-a": ["S1"]}, of="phantom-licence")
    for name in ("phantom-a", ".phantom-b.unfinished"):
        (lake.settings.root / "landing" / name).mkdir(parents=True)
    (answer_keys(lake.settings.root) / "phantom-a").mkdir(parents=True)
    return lake


def test_it_goes_whole(demo):
    assert undoing.remove(demo.settings) == demo.settings.root
    assert not demo.settings.root.exists()
    assert not answer_keys(demo.settings.root).exists()


def test_what_is_not_ours_stays(demo):
    (demo.settings.root / "notes.txt").write_text("mine")
    undoing.remove(demo.settings)
    assert [each.name for each in demo.settings.root.iterdir()] == ["notes.txt"]


def test_a_lake_with_another_licence_is_refused(demo):
    synthetic.know(demo, synthetic.licence())
    with pytest.raises(undoing.NotTheDemo, match="1 other documents"):
        undoing.remove(demo.settings)
    assert (demo.settings.root / "curated").is_dir()


def test_a_lake_in_which_something_else_landed_is_refused(demo):
    (demo.settings.root / "landing" / "site-a").mkdir()
    with pytest.raises(undoing.NotTheDemo, match="1 other deliveries"):
        undoing.remove(demo.settings)


def test_a_folder_that_is_no_demonstration_is_refused(tmp_path):
    (tmp_path / "audit").mkdir()
    with pytest.raises(undoing.NotTheDemo, match="found no demonstration"):
        undoing.remove(Settings(root=tmp_path))
    assert (tmp_path / "audit").is_dir()


def test_a_zone_that_lies_elsewhere_is_refused(demo, tmp_path):
    settings = Settings(root=demo.settings.root, models=tmp_path / "shared-models")
    with pytest.raises(undoing.NotTheDemo, match="found models outside"):
        undoing.remove(settings)
