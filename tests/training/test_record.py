"""A model has seen what its parent saw, and nobody else taught it, since no training takes another model."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

import training
from lake.zones import Lake
from lineage.exposures.exposures import ExposureError, digest, who_saw
from schemas.checkpoint import CheckpointManifest
from tests import synthetic
from training.record import trained
from training.result import Result

ROOM = Path(training.__file__).parent
LEARNING = ("objectives", "tasks", "data", "networks")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A lake with a release, all of it to train on."""
    lake = Lake.open(tmp_path_factory.mktemp("recorded"), principal="tester")
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3"]})
    return lake, synthetic.frozen(lake, splits=(1.0, 0.0, 0.0))


def _result(release, name, members, parent=None):
    manifest = CheckpointManifest(
        name=name, kind="finetuned" if parent else "pretrained", task="masked", weights_sha256=digest({name: 1}),
        config_sha256="0" * 64, release=release.name, release_sha256=release.sha256,
        parent=parent.name if parent else None, parent_weights_sha256=parent.weights_sha256 if parent else None,
        exposure_sha256="0" * 64, steps=1, world_size=1, code_version="0.1.0", created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    return Result(name, Path(name), manifest, {}, {member.volume: 1 for member in members})


def _of(release, subject):
    return [member for member in release.members("train") if member.subject == subject]


def test_a_fine_tuned_model_has_seen_what_its_parent_saw(frozen):
    lake, release = frozen
    decision = SimpleNamespace(facts={})
    base = _result(release, "base", _of(release, "S1"))
    trained(lake, release, base, decision)
    trained(lake, release, _result(release, "tuned", _of(release, "S2"), base.manifest), decision)
    assert {(row["model"], row["via"]) for row in who_saw(lake, subject="S1")} == {("base", "base"), ("tuned", "base")}
    assert {row["model"] for row in who_saw(lake, subject="S2")} == {"tuned"}
    assert who_saw(lake, subject="S3") == []


def test_a_model_whose_parent_has_no_record_is_not_recorded(frozen):
    lake, release = frozen
    strange = _result(release, "strange", _of(release, "S3")).manifest
    with pytest.raises(ExposureError, match="parent strange"):
        trained(lake, release, _result(release, "orphan", _of(release, "S2"), strange), SimpleNamespace(facts={}))
    assert "orphan" not in {row["model"] for row in who_saw(lake, subject="S2")}


def test_no_objective_and_no_task_reads_another_checkpoint():
    """One that did would be taught by another model: `exposures.record` must then be told the digest of its weights."""
    found = {
        f"{path.relative_to(ROOM)}: {name}"
        for room in LEARNING
        for path in (ROOM / room).glob("*.py")
        for name in _imported(path)
        if name.startswith("training.checkpoint") or name == "training.opened"
    }
    assert found == set()


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
