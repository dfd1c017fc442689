"""What each backend is asked: valid by its own rules, complete, and without a secret."""

import getpass
import json
import re
import subprocess

import pytest
import regex
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lake.settings import Settings
from orchestration.launchers import kubernetes, sagemaker, slurm
from orchestration.launchers.backend import LaunchError
from orchestration.launchers.compose import checked, described, job_name
from orchestration.launchers.sagemaker_node import command
from schemas.job import Access, Input, Resume, TrainingJob

FAR = {"curated": "s3://lake/curated", "models": "s3://lake/models"}


@pytest.fixture(scope="module")
def create():
    """What botocore knows of `CreateTrainingJob`: its own model, which boto3 refuses requests by."""
    import botocore.session
    from botocore.validate import ParamValidator

    model = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob")

    def validate(request):
        report = ParamValidator().validate(request, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        _within(request, model.input_shape)
        return request

    return validate


def _within(value, shape):
    """Patterns, bounds and enumerations of the model, which botocore leaves to the service."""
    said = shape.metadata
    if shape.type_name == "structure":
        for name, each in value.items():
            _within(each, shape.members[name])
    elif shape.type_name == "list":
        assert said.get("min", 0) <= len(value) <= said.get("max", 1 << 30), shape.name
        for each in value:
            _within(each, shape.member)
    elif shape.type_name == "map":
        assert len(value) <= said.get("max", 1 << 30), shape.name
        for name, each in value.items():
            _within(name, shape.key)
            _within(each, shape.value)
    elif shape.type_name == "string":
        assert len(value) <= said.get("max", 1 << 30), (shape.name, value)
        assert not said.get("enum") or value in said["enum"], (shape.name, value)
        pattern = said.get("pattern")
        assert not pattern or regex.fullmatch(pattern, value, regex.DOTALL), (shape.name, value)


def far(tmp_path, **more):
    return Settings(root=tmp_path / "root", **FAR, **more)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": "file"},
        {"data": "fsx", "fsx": "fsx://fs-0123456789abcdef0/mount/curated", "subnets": ["subnet-1"],
         "security_groups": ["sg-1"]},
        {"spot": True, "max_run_s": 3600, "max_wait_s": 7200},
        {"keep_alive_s": 1800, "nodes": 2, "kms_key": "alias/training", "tags": {"cost-centre": "42"}},
    ],
    ids=["fastfile", "file", "fsx", "spot", "warm pool on two nodes"],
)  # fmt: skip
def test_a_request_of_sagemaker_is_one_by_botocores_own_model(create, asked, sagemaker_document, tmp_path, changes):
    document = sagemaker_document(**changes)
    job = described(asked(), document, far(tmp_path), tmp_path / "desk" / "brain")
    request = create(sagemaker.request(job, document))
    assert request["CheckpointConfig"]["S3Uri"].startswith("s3://lake/training/brain/")
    assert {tag["Key"] for tag in request["Tags"]} >= {"larmor:run", "larmor:decision"}


def test_spot_waits_longer_than_it_runs_and_has_a_checkpoint_to_resume_from(
    asked, sagemaker_document, tmp_path, create
):
    document = sagemaker_document(spot=True, max_run_s=3600, max_wait_s=7200)
    request = sagemaker.request(described(asked(), document, far(tmp_path), tmp_path / "brain"), document)
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert "KeepAlivePeriodInSeconds" not in request["ResourceConfig"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spot": True, "max_wait_s": 90000, "keep_alive_s": 600}, "warm pool with spot"),
        ({"spot": True}, "needed more with spot"),
        ({"spot": True, "max_run_s": 60, "max_wait_s": 60}, "needed more with spot"),
        ({"data": "fsx"}, "needed both or neither"),
        ({"data": "fsx", "fsx": "fsx://fs-0123456789abcdef0/mount/curated"}, "needed those that reach"),
        ({"subnets": ["subnet-1"]}, "needed both or neither"),
        ({"image": "larmor:latest"}, "needed NAME@sha256:DIGEST"),
        ({"most": 10.0}, "found none beside most"),
        ({"env": {"WANDB_API_KEY": "x"}}, "whose name is a secret's"),
        ({"env": {"SETTING": "AKIAABCDEFGHIJKLMNOP"}}, "found a credential"),
    ],
)
def test_a_document_that_cannot_be_meant_is_refused_with_what_to_change(sagemaker_document, changes, told):
    with pytest.raises(ValidationError, match=told):
        sagemaker_document(**changes)


def test_the_tables_that_a_release_reads_are_channels_at_the_mount(asked, sagemaker_document, tmp_path):
    document = sagemaker_document(data="file")
    job = described(asked(work={"parent": "base"}), document, far(tmp_path), tmp_path / "brain")
    channels = {each["ChannelName"]: each for each in sagemaker.request(job, document)["InputDataConfig"]}
    assert set(channels) == {"job", "volumes", "labels", "parent"}
    listed = channels["volumes"]["DataSource"]["S3DataSource"]
    assert (listed["S3DataType"], listed["S3Uri"]) == (
        "ManifestFile", "s3://lake/training/brain/lists/volumes-files.json",
    )  # fmt: skip
    assert sagemaker.staged_list(job.inputs[1].place, job.inputs[1].files) == [
        {"prefix": "s3://lake/curated/volumes/"}, "delivery=a/part-0.parquet",
    ]  # fmt: skip
    assert job.env["LARMOR_MOUNT_CURATED"] == "/opt/ml/input/data"
    work = yaml.safe_load(job.files["job.yaml"])
    assert work["parent"] == "/opt/ml/input/data/parent"
    assert work["out"] == "/opt/ml/checkpoints/brain"


@pytest.mark.parametrize("backend", ["sagemaker", "slurm", "kubernetes"])
def test_a_job_acts_for_whom_where_and_for_what_the_terms_were_asked(
    asked, sagemaker_document, slurm_document, kubernetes_document, tmp_path, backend
):
    documents = {"sagemaker": sagemaker_document, "slurm": slurm_document, "kubernetes": kubernetes_document}
    document = documents[backend]()
    said = {"principal": "ada@example.org", "country": "DE", "purpose": "atlas study"}
    job = described(asked(), document, far(tmp_path, **said), tmp_path / "desk" / "brain")
    assert {name: job.env.get(f"LARMOR_{name.upper()}") for name in said} == said
    bare = described(asked(), document, far(tmp_path), tmp_path / "desk" / "brain")
    assert bare.env["LARMOR_PRINCIPAL"] == getpass.getuser()
    assert not {"LARMOR_COUNTRY", "LARMOR_PURPOSE"} & bare.env.keys()


def test_a_job_knows_no_zone_but_the_curated_one_and_no_secret(asked, sagemaker_document, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted-id")
    settings = far(
        tmp_path, restricted="s3://hidden/restricted", audit="s3://hidden/audit", vault_key_secret="planted-name",
        vault_key_file=tmp_path / "planted-file", curated_access={"profile": "planted-profile", "role": "arn:r"},
    )  # fmt: skip
    document = sagemaker_document()
    job = described(asked(), document, settings, tmp_path / "brain")
    said = json.dumps(sagemaker.request(job, document)) + job.model_dump_json()
    assert "planted" not in said
    assert "hidden" not in said
    assert json.loads(job.env["LARMOR_CURATED_ACCESS"]) == {"role": "arn:r"}


def test_curves_of_sagemaker_are_found_in_lines_of_progress():
    line = '{"params": {"message": "step 4 of 8: loss 0.6918, samples_per_s 3.865, tokens_per_s 2004, mfu 7.5e-03"}}'
    found = {name: float(re.search(regex_, line)[1]) for name, regex_ in sagemaker.METRICS.items()}
    assert found == {"loss": 0.6918, "samples_per_s": 3.865, "mfu": 0.0075}


def test_shards_on_several_instances_are_refused(asked, sagemaker_document, tmp_path):
    with pytest.raises(LaunchError, match="needed ddp or one instance"):
        described(
            asked(work={"config": {"strategy": "fsdp"}}), sagemaker_document(nodes=2), far(tmp_path), tmp_path / "brain"
        )


def test_sagemaker_reads_nothing_that_lies_in_a_folder(asked, sagemaker_document, tmp_path):
    with pytest.raises(LaunchError, match="needed both on S3"):
        described(asked(), sagemaker_document(), Settings(root=tmp_path), tmp_path / "brain")


def test_ranks_are_shared_out_evenly_and_never_more_than_gpus(asked, sagemaker_document, tmp_path):
    with pytest.raises(LaunchError, match="needed a multiple"):
        described(asked(ranks=3), sagemaker_document(nodes=2), far(tmp_path), tmp_path / "brain")
    with pytest.raises(LaunchError, match="8 processes for 4 GPUs"):
        described(asked(ranks=8), sagemaker_document(), far(tmp_path), tmp_path / "brain")


def test_a_fine_tuning_of_one_process_takes_one_node(asked, sagemaker_document, tmp_path):
    job = described(asked(ranks=1), sagemaker_document(nodes=2), far(tmp_path), tmp_path / "brain")
    assert (job.nodes, job.processes) == (1, 1)


def test_a_release_that_does_not_fit_the_disk_is_refused_before_anything_starts(asked, sagemaker_document, tmp_path):
    document = sagemaker_document(data="file", resources={"gpus": 4, "disk_gib": 1})
    job = described(asked(), document, far(tmp_path), tmp_path / "brain")
    with pytest.raises(LaunchError, match=r"found 2.0 GiB for a disk of 1 GiB"):
        checked(asked(), job, document)
    streamed = sagemaker_document(resources={"gpus": 4, "disk_gib": 1})
    assert checked(asked(), described(asked(), streamed, far(tmp_path), tmp_path / "brain"), streamed) is None


def test_a_training_that_may_cost_too_much_is_refused_with_the_bound(asked, sagemaker_document, tmp_path):
    price = {"per_hour": 7.0, "currency": "USD", "date": "2026-05-01", "source": "a bill"}
    document = sagemaker_document(nodes=2, max_run_s=7200, price=price, most=27.5)
    job = described(asked(), document, far(tmp_path), tmp_path / "brain")
    with pytest.raises(LaunchError, match=r"may cost 28\.00 USD \(2 nodes for 2\.0 h at the price of 2026-05-01\)"):
        checked(asked(), job, document)
    assert checked(asked(), job, sagemaker_document(nodes=2, max_run_s=7200, price=price, most=28.0)) == 28.0


def test_an_instance_meets_the_others_at_the_first_of_them_and_alone_at_itself(tmp_path):
    hosts = tmp_path / "resourceconfig.json"
    hosts.write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-2", "algo-1"]}))
    told = ["4", "100", "larmor-x", "--module", "assets.training_process", "/opt/ml/input/data/job/job.yaml"]
    found = command(told, hosts, "/usr/bin/python3")
    assert found[:3] == ["/usr/bin/python3", "-m", "torch.distributed.run"]
    assert "--rdzv-endpoint=algo-1:29400" in found
    assert {"--nnodes=2", "--nproc-per-node=4", "--shutdown-timeout=100", "--rdzv-id=larmor-x"} <= set(found)
    assert found[-3:] == told[-3:]
    hosts.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    assert "--standalone" in command(told, hosts, "/usr/bin/python3")


def test_a_batch_script_is_one_that_bash_accepts_and_saves_before_its_time_is_over(asked, slurm_document, tmp_path):
    document = slurm_document(
        nodes=2, partition="gpu", account="imaging", grace_s=90, resources={"gpus": 2, "memory_gib": 64}
    )
    job = described(asked(), document, Settings(root=tmp_path), tmp_path / "models" / "brain")
    script = slurm.script(job, document)
    subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=True)
    lines = script.splitlines()
    for option in (
        "--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=2", "--mem=64G", "--signal=B:USR1@90", "--requeue",
        "--partition=gpu", "--account=imaging", "--time=24:00:00", "--export=NIL",
    ):  # fmt: skip
        assert f"#SBATCH {option}" in lines
    assert '--rdzv-endpoint="$first":29400' in script
    assert "--no-requeue" in slurm.script(job.model_copy(update={"resume": Resume.NEVER}), document)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40))
def test_no_value_of_a_variable_becomes_a_command(value):
    from schemas.launching import SlurmLaunching

    document = SlurmLaunching(python="/usr/bin/python3")
    job = TrainingJob(
        name="a", environment="/usr/bin/python3", command=["--module", "m"], folder="/f", checkpoint="/c",
        env={"SETTING": value},
    )  # fmt: skip
    (told,) = [part for part in slurm.script(job, document).split("\nexport ") if part.startswith("SETTING=")]
    end = told.index("\nrm -f ")
    said = subprocess.run(
        ["/bin/bash", "-c", f"export {told[:end]}\nprintf %s \"$SETTING\""], capture_output=True, check=True
    )  # fmt: skip
    assert said.stdout.decode() == value


def test_a_trainjob_is_one_by_the_fields_of_kubeflow_trainer(asked, kubernetes_document, tmp_path):
    import jsonschema

    document = kubernetes_document(
        nodes=2, service_account="trainer", node_selector={"gpu": "h100"}, image_pull_secrets=["pull"]
    )
    job = described(asked(ranks=8), document, Settings(root=tmp_path), tmp_path / "models" / "brain")
    config, train = kubernetes.manifest(job, document)["items"]
    jsonschema.validate(train, TRAINJOB)
    assert train["spec"]["trainer"]["numNodes"] == 2
    assert train["spec"]["trainer"]["numProcPerNode"] == 4
    assert train["spec"]["trainer"]["resourcesPerNode"]["limits"]["nvidia.com/gpu"] == "4"
    assert config["data"]["job.yaml"]
    (patched,) = train["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = patched["template"]["spec"]["template"]["spec"]
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts == {"/larmor/job", "/lake"}
    assert {v["name"] for v in pod["volumes"]} == {m["name"] for m in pod["containers"][0]["volumeMounts"]}


def _object(needed=(), **fields):
    return {"type": "object", "properties": fields, "required": list(needed), "additionalProperties": False}


TEXT, TEXTS = {"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "maxItems": 128}
FREE = {"type": "object", "additionalProperties": {"type": "string"}}
NAMED = {"type": "array", "items": {"type": "object", "required": ["name"]}, "maxItems": 128}
ABOUT = _object((), name=TEXT, namespace=TEXT, labels=FREE, annotations=FREE)
POD = _object(
    (), serviceAccountName=TEXT, volumes=NAMED, nodeSelector=FREE, imagePullSecrets=NAMED, initContainers=NAMED,
    securityContext={"type": "object"}, affinity={"type": "object"}, tolerations={"type": "array"},
    schedulingGates=NAMED,
    containers={"type": "array", "maxItems": 64, "items": _object(("name",), name=TEXT, env=NAMED, volumeMounts=NAMED,
                                                                  securityContext={"type": "object"})},
)  # fmt: skip
TRAINJOB = _object(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "trainer.kubeflow.org/v1alpha1"},
    kind={"const": "TrainJob"},
    metadata=_object(
        ("name",), name={"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        namespace=TEXT, labels=FREE, annotations=FREE,
    ),
    spec=_object(
        ("runtimeRef",),
        runtimeRef=_object(("name",), name=TEXT, apiGroup=TEXT, kind=TEXT),
        initializer={"type": "object"},
        trainer=_object(
            (), image={"type": "string", "maxLength": 500}, command=TEXTS, args=TEXTS, env=NAMED,
            numNodes={"type": "integer"}, numProcPerNode={"type": "integer"},
            resourcesPerNode=_object((), requests=FREE, limits=FREE, claims=NAMED),
        ),
        runtimePatches={"type": "array", "maxItems": 16, "items": _object(
            ("manager",), manager={"type": "string", "maxLength": 253, "minLength": 1},
            trainingRuntimeSpec=_object((), template=_object((), metadata=ABOUT, spec=_object((), replicatedJobs={
                "type": "array", "items": _object(("name",), name=TEXT, template=_object(
                    (), metadata=ABOUT, spec=_object((), template=_object((), metadata=ABOUT, spec=POD))))}))),
        )},
        suspend={"type": "boolean"},
        activeDeadlineSeconds={"type": "integer", "minimum": 1},
        managedBy=TEXT,
    ),
)  # fmt: skip
"""Fields of a TrainJob of Kubeflow Trainer 2.2, from its types; others are refused by the cluster."""


def test_a_kubernetes_label_is_never_longer_than_it_may_be(asked, kubernetes_document, tmp_path):
    document = kubernetes_document()
    job = described(asked(), document, Settings(root=tmp_path), tmp_path / "models" / "brain")
    _, train = kubernetes.manifest(job, document)["items"]
    assert all(len(value) <= 63 for value in train["metadata"]["labels"].values())
    assert train["metadata"]["annotations"]["larmor.io/decision"] == "d" * 64


@given(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True), st.integers(0, 9))
def test_every_model_has_a_job_name_that_every_backend_takes(model, number):
    name = job_name(model, f"0123abcd-{number}")
    TrainingJob(name=name, environment="p", command=["m"], folder="/f", checkpoint="/c")
    assert name != job_name(f"{model}x", f"0123abcd-{number}")


def test_a_job_holds_its_code_in_one_place(job):
    with pytest.raises(ValidationError, match="both or neither"):
        job(environment="/usr/bin/python3")
    with pytest.raises(ValidationError, match="both or neither"):
        job(image=None)
    with pytest.raises(ValidationError, match="would start over"):
        job(spot=True, max_run_s=1, max_wait_s=2, resume="never")
    assert job(inputs=[Input(name="v", place="/v", access=Access.MOUNT)]).world == 4
