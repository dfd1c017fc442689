"""The life of a lake whose zones are all in buckets: intake, release, models, tiers, withdrawal, proof and copies."""

import datetime as dt
import json
import shutil

import pytest

from deid.faces import faces
from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.integrity.scrub import scrub
from lake.releases import Release
from lake.staging.stage import stage
from lake.stores.storage import Location
from lake.tables.files import data_files
from lake.zones import Lake
from lineage.evidence import report
from lineage.exposures.exposures import exposures
from lineage.ledger import seals
from lineage.ledger.reconcile import compared
from lineage.ledger.verify import verify
from lineage.terms import terms
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.plan import plan
from lineage.withdrawal.withdrawals import complete, confirmation
from orchestration.demo import licence as phantom_licence
from orchestration.gallery import page
from schemas.checkpoint import RETIRED
from schemas.contract import Zone
from schemas.release import ReleaseSpec, Splits
from schemas.tables import DIAGNOSES, LABELS, TIER_MOVES, VOLUMES
from stages.diagnoses import map_diagnoses
from stages.export.export import export
from stages.instances import deidentify
from stages.intake.intake import ingest
from stages.labels import map_labels
from stages.received import receive
from stages.release import freeze
from stages.reports import write_reports
from stages.series import describe
from stages.upkeep import tiers
from stages.upkeep.backups import backed_up, restored
from stages.upkeep.reconcile import balance, volume_balance
from stages.volumes import normalize
from stages.withdrawal.withdrawing import carry_out
from tests.stages.intake.test_landing_s3 import decathlon
from tests.stages.upkeep.test_tiers import cheap, foresight

__all__ = ["cheap"]

pytestmark = [pytest.mark.s3, pytest.mark.slow, pytest.mark.timeout(1800)]

ZONES = ("restricted", "curated", "audit", "models", "landing")
STATIONS = (receive, deidentify, normalize, describe, write_reports, map_labels, map_diagnoses)
HEADS, TASK = "phantom-heads", "phantom-task"
SMALL = {"model.dim": 48, "model.depth": 1, "model.heads": 2, "steps": 4, "warmup_steps": 1, "save_every": 2,
         "report_every": 1}  # fmt: skip
PRETRAIN = {"kind": "pretrain", "release": "heads", "name": "base",
            "config": SMALL | {"model.decoder_dim": 24, "model.decoder_heads": 2}}  # fmt: skip
FINETUNE = {"kind": "finetune", "release": "heads", "name": "tuned", "parent": "base", "config": SMALL | {"labels": 0}}
CALM = {"bootstrap": 100, "robustness": {"noise": [], "thickness": [], "missing_slices": []}}
EVALUATE = {"kind": "evaluate", "release": "heads", "name": "told", "checkpoints": ["tuned"],
            "config": CALM | {"split": "validation"}}  # fmt: skip


class Killed(BaseException):
    """The machine is gone."""


def _opened(tmp_path, monkeypatch, prefix, root):
    """A lake in the bucket, as the environment of every process says."""
    for zone in ZONES:
        monkeypatch.setenv(f"LARMOR_{zone.upper()}", f"s3://lake/{prefix}{zone}")
    monkeypatch.setenv("LARMOR_ROOT", str(tmp_path / root))
    monkeypatch.setenv("LARMOR_STAGING", str(tmp_path / f"{root}-staging"))
    return Lake.open(principal="officer")


@pytest.fixture
def far(tmp_path, bucket, monkeypatch):
    """A lake whose zones all lie in the bucket, its licence known."""
    monkeypatch.setattr(faces, "judge", lambda *_: faces.Face(shown=False))
    lake = _opened(tmp_path, monkeypatch, "", "lake")
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    terms.install(lake, "phantom-licence")
    return lake


def test_a_lake_lives_on_s3(far, tmp_path, monkeypatch, cheap):
    _deliver(far, tmp_path)
    _freeze(far)
    _train(far)
    _use(far, tmp_path)
    _tier(far, cheap)
    _prove(far)
    _copy(far, tmp_path, monkeypatch)
    _withdraw(far)
    stray = [path for path in far.settings.root.rglob("*") if path.name in ZONES and path.parent == far.settings.root]
    assert not stray, "a zone was written to the root"


def _deliver(lake, tmp_path):
    """DICOM with label maps and diagnoses, and NIfTI with label maps."""
    config = PhantomConfig(
        HEADS, seed=3, subjects=4, matrix=32, slices=10, labelled=1.0, body_parts=(BodyPart.HEAD,), findings=True
    )
    generate(tmp_path / HEADS, tmp_path / "answers", config)
    facts = decathlon(tmp_path / TASK)
    known = terms.find(lake.licences, "phantom-licence")
    ingest(lake, tmp_path / HEADS, HEADS, known)
    ingest(lake, tmp_path / TASK, TASK, known, deidentified=True, **facts)
    for name in (HEADS, TASK):
        for station in STATIONS:
            station(lake, name)
        assert balance(lake, name).balanced
        assert volume_balance(lake, name).balanced
        assert lake.table(LABELS).rows(["label"], {"delivery": name})
    assert lake.table(DIAGNOSES).rows()


def _freeze(lake):
    splits = Splits(train=0.5, validation=0.25, test=0.25)
    cohort = f"delivery = '{HEADS}' and part <> 'phase'"
    freeze(lake, ReleaseSpec(name="heads", cohort=cohort, splits=splits, label_task="tissue"))
    assert stage(Release.open(lake, "heads")).copied


def _train(lake):
    from training.run import run

    def kill(event):
        if event["event"] == "saved":
            raise Killed

    with pytest.raises(Killed):
        run(PRETRAIN, kill)
    _new_machine(lake)
    assert run(PRETRAIN, lambda _: None).resumed_from == 2
    _new_machine(lake)
    assert run(PRETRAIN, lambda _: None).resumed_from == 4, "another machine finds it finished"
    run(FINETUNE, lambda _: None)
    _new_machine(lake)
    told = run(EVALUATE, lambda _: None)
    assert told.metrics
    models = lake.location(Zone.MODELS)
    assert [name for name in models.list() if models.exists(f"{name}/manifest.json")] == ["base", "tuned"]
    assert models.exists("told/evaluation.html")
    assert not models.join(".runs").walk()
    members = Release.open(lake, "heads").members("train")
    assert {row["volume"] for row in exposures(lake, "base")} <= {member.volume for member in members}


def _new_machine(lake):
    """All that is left is what the zones hold."""
    shutil.rmtree(lake.settings.root / "scratch")
    shutil.rmtree(lake.settings.staging)


def _use(lake, tmp_path):
    from training.evaluation.prediction import predict_file

    image = tmp_path / TASK / "images" / "case_1.nii.gz"
    assert predict_file(lake, "tuned", image, tmp_path / "said.nii.gz").out.is_file()
    here, there = export(lake, "heads", tmp_path / "out"), export(lake, "heads", "s3://lake/partner")
    assert here.files == there.files == len(Location("s3://lake/partner").walk())
    assert page.write(lake, release="heads", out=tmp_path / "look.html").volumes == here.volumes


def _tier(lake, book):
    """Needed files go to a class that answers at once, spare ones to an archive; asked for, they come back."""
    for _ in range(2):  # the release pins what was there before
        normalize(lake, TASK)
    before = lake.table(VOLUMES).rows()
    later = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=400)
    made = tiers.plan(lake, today=later, chosen=foresight(book))
    spare = {file.path for file in data_files(lake.table(VOLUMES)) if not file.newest}
    archived = {each.path for table, each in made.advice.moves if table is VOLUMES and "Deep" in each.target}
    assert archived
    assert archived <= spare
    moved = tiers.carry_out(lake, made)
    assert len(lake.table(TIER_MOVES).rows()) == sum(len(result.moved) for result in moved.values())
    assert lake.table(VOLUMES).rows() == before, "what a live version needs is read at once"
    assert tiers.ready(lake, "heads") == []
    for _ in range(5):
        found = tiers.restore(lake, VOLUMES.path)[VOLUMES.path]
        if not found.waiting:
            break
    assert archived <= {move.path for move in found.moved}


def _prove(lake):
    seals.seal(lake)
    assert verify(lake).ok
    assert verify("s3://lake/audit").ok, "with the audit zone alone"
    assert compared(lake, None).differences == []
    assert not scrub(lake, everything=True).findings
    assert report.write(lake) == "s3://lake/audit/reports/audit.html"


def _copy(lake, tmp_path, monkeypatch):
    place = Location("s3://lake/backups")
    made, _ = backed_up(lake, place)
    with monkeypatch.context() as other:
        empty = _opened(tmp_path, other, "again/", "again")
        found = restored(place, empty)
        assert found.ok, found.findings
        one, same = (Release.open(each, "heads").members("train") for each in (lake, empty))
        assert one == same
        assert empty.location(Zone.MODELS).exists("tuned/manifest.json")
    assert made.files


def _withdraw(lake):
    from training.errors import CheckpointError
    from training.evaluation.prediction import Predictor

    gone = Scope(Kind.SUBJECT, Release.open(lake, "heads").members("train")[0].subject)
    done = carry_out(lake, gone, confirmation(plan(lake, gone)))
    assert complete(done), json.dumps(done.done["absence"]["found"])
    assert lake.location(Zone.MODELS, "base").exists(RETIRED)
    with pytest.raises(CheckpointError, match="took out of use"):
        Predictor.load(lake, "tuned")
    assert verify(lake).ok
