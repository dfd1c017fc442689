"""A small phantom delivery, generated once, and its way through the stations."""

import json
import shutil
from types import SimpleNamespace

import pytest

from deid.faces import faces
from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.zones import Lake
from lineage.terms import terms
from orchestration.demo import licence as phantom_licence
from stages.diagnoses import map_diagnoses
from stages.instances import deidentify
from stages.labels import map_labels
from stages.received import receive
from stages.reports import write_reports
from stages.series import describe
from stages.volumes import normalize

NAME = "phantom-x"


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """A delivery with every fault: three heads of three vendors, small matrices."""
    folder = tmp_path_factory.mktemp("phantoms")
    config = PhantomConfig(
        NAME, seed=3, subjects=3, matrix=32, slices=10, labelled=1.0, body_parts=(BodyPart.HEAD,), checksums=True,
        findings=True,
    )  # fmt: skip
    generate(folder / NAME, folder / f"{NAME}.answers", config)
    return folder


def landed(lake, phantoms):
    """The delivery in a lake's landing, its licence known."""
    shutil.copytree(phantoms / NAME, lake.landing / NAME)
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    terms.install(lake, "phantom-licence")
    return lake


@pytest.fixture
def no_faces(monkeypatch):
    """Nobody looks for faces, which takes most of a run's time, in stations that run in this process."""
    monkeypatch.setattr(faces, "judge", lambda *_: faces.Face(shown=False))


def run(lake, name=NAME):
    """All stations of a delivery; their outcomes."""
    outcomes = [receive(lake, name), *deidentify(lake, name)]
    stations = (normalize, describe, write_reports, map_labels, map_diagnoses)
    return outcomes + [station(lake, name) for station in stations]


@pytest.fixture(scope="session")
def treated(tmp_path_factory, phantoms):
    """A lake in which the delivery went through all stations; tests only read it."""
    lake = landed(Lake.open(tmp_path_factory.mktemp("treated") / "lake", workers=1), phantoms)
    outcomes = run(lake)
    answers = phantoms / f"{NAME}.answers"
    read = {name: json.loads((answers / f"{name}.json").read_text()) for name in ("phi", "truth", "expected")}
    return SimpleNamespace(lake=lake, outcomes=outcomes, answers=answers, **read)


@pytest.fixture
def copied(treated, tmp_path):
    """A copy of the treated lake that a test may write to; releases that other tests froze, and damaged, are theirs."""
    shutil.copytree(treated.lake.settings.root, tmp_path / "lake", ignore=shutil.ignore_patterns("releases"))
    return Lake.open(tmp_path / "lake", workers=1, principal="officer")
