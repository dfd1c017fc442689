"""What tests of launchers share: documents, a job, a cluster that is not there, and a small lake."""

import shutil
import sys
from pathlib import Path

import pytest

from orchestration.launchers.compose import Asked
from schemas.job import Access, Input, Resources, TrainingJob
from schemas.launching import KubernetesLaunching, SageMakerLaunching, SlurmLaunching
from tests.orchestration.launchers.real_slurm import cluster as real_cluster
from tests.orchestration.launchers.real_slurm import missing

IMAGE = "registry.example.org/larmor@sha256:" + "a" * 64
ROLE = "arn:aws:iam::123456789012:role/larmor-training"
LABELS = {"run": "0123abcd-0000", "asset": "models.pretrained", "model": "brain", "release": "r", "decision": "d" * 64}

SAGEMAKER = {
    "image": IMAGE, "role": ROLE, "instance": "ml.g5.12xlarge", "checkpoints": "s3://lake/training",
    "resources": {"gpus": 4, "disk_gib": 200},
}  # fmt: skip
KUBERNETES = {
    "image": IMAGE,
    "claims": {"lake": "/lake"},
    "namespace": "training",
    "resources": {"gpus": 4, "cpus": 32},
}


@pytest.fixture
def job():
    """Builds a job."""

    def build(**changes):
        base = {
            "name": "larmor-brain-0000-0123abcd-0", "image": IMAGE,
            "command": ["--module", "assets.training_process", "/opt/ml/input/data/job/job.yaml"],
            "files": {"job.yaml": "kind: pretrain\n"}, "folder": "/opt/ml/input/data/job",
            "checkpoint": "s3://lake/training/brain", "labels": LABELS, "env": {"LARMOR_ROOT": "/tmp/larmor"},
            "resources": Resources(gpus=4, disk_gib=200), "processes": 4,
            "inputs": [Input(name="volumes", place="s3://lake/curated/volumes", access=Access.STREAM)],
        }  # fmt: skip
        return TrainingJob.model_validate(base | changes)

    return build


@pytest.fixture
def sagemaker_document():
    """Builds a document of SageMaker."""
    return lambda **changes: SageMakerLaunching.model_validate(SAGEMAKER | changes)


@pytest.fixture
def kubernetes_document():
    """Builds a document of Kubernetes."""
    return lambda **changes: KubernetesLaunching.model_validate(KUBERNETES | changes)


@pytest.fixture
def slurm_document():
    """Builds a document of Slurm."""
    return lambda **changes: SlurmLaunching.model_validate({"python": sys.executable} | changes)


@pytest.fixture
def asked():
    """Builds what an asset asks for."""

    def build(**changes):
        work = {"kind": "pretrain", "release": "r", "name": "brain", "preset": "tiny", "config": {}}
        base = {
            "work": work | changes.pop("work", {}), "ranks": 4, "labels": LABELS, "turn": "0123abcd-0",
            "files": {"volumes": {"delivery=a/part-0.parquet": 2**31}, "labels": {"delivery=a/part-1.parquet": 100}},
        }  # fmt: skip
        return Asked(**(base | changes))

    return build


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Slurm's commands on the path, and the folder of their jobs."""
    place = tmp_path / "cluster"
    (place / "jobs").mkdir(parents=True)
    (place / "bin").mkdir()
    source = place / "bin" / "fake_slurm.py"
    shutil.copy(Path(__file__).with_name("fake_slurm.py"), source)
    for name in ("sbatch", "squeue", "scancel", "scontrol", "srun"):
        shim = place / "bin" / name
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} {source} {name} "$@"\n')
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place / 'bin'}:/usr/bin:/bin")
    return place / "jobs"


@pytest.fixture(scope="session")
def trained_on(tmp_path_factory):
    """Root of a lake with the release `synthetic`, whose licence allows training."""
    from lake.zones import Lake
    from lineage.terms.terms import learn
    from schemas.licence import Licence
    from tests.training.conftest import build, manifest, write_lake

    root = tmp_path_factory.mktemp("lake")
    licence = Licence(
        id="synthetic", title="Synthetic", licensor="Example", valid_from="2020-01-01", deliveries=["*"],
        purposes=["model-training"], train_models=True, share_models=False, export=False, attribution="Example",
        contact="data@example.org",
    )  # fmt: skip
    release = build(train=3, validation=1)
    release.manifest = manifest(licences={"synthetic": licence.digest})
    write_lake(root, release)
    learn(Lake.open(root), licence)
    return root


@pytest.fixture
def root(trained_on, tmp_path):
    """A copy of that lake."""
    return Path(shutil.copytree(trained_on, tmp_path / "lake"))


SMALL = {
    "model.dim": "48", "model.depth": "1", "model.heads": "2", "model.decoder_dim": "24", "model.decoder_heads": "2",
    "steps": "4", "warmup_steps": "1", "save_every": "2", "report_every": "1", "batch_size": "2", "workers": "0",
    "crop_mm": "[100, 100, 100]",
}  # fmt: skip


@pytest.fixture
def materialize(root, monkeypatch):
    """Materializes `models/pretrained` of that lake, with the launcher that the settings name."""
    import dagster as dg

    from assets.models import pretrained
    from assets.partitions import RELEASES_NAME
    from assets.resources import LakeResource
    from lake.settings import Settings
    from orchestration.launchers.resource import launcher

    def run(ranks=1, **overrides):
        resource = launcher(Settings(root=root))
        if "poll_s" in type(resource).model_fields:
            resource = type(resource)(poll_s=0.2)
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(RELEASES_NAME, ["synthetic"])
            return dg.materialize(
                [pretrained],
                instance=instance,
                partition_key="synthetic",
                resources={"lake": LakeResource(root=str(root)), "launcher": resource},
                run_config={
                    "ops": {"models__pretrained": {"config": {"ranks": ranks, "overrides": SMALL | overrides}}}
                },
                raise_on_error=False,
            )

    return run


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.slow)])
def some_cluster(request, tmp_path_factory, monkeypatch):
    """A cluster that is not there, and a real one where Debian's packages are installed."""
    if request.param == "pretended":
        request.getfixturevalue("cluster")
        yield request.param
        return
    if why := missing():
        pytest.skip(why)
    with real_cluster(tmp_path_factory.mktemp("slurm")) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield request.param
