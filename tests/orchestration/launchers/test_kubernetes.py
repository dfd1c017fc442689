"""Kubernetes by a kubectl that is not there: what it is asked, and what its answers mean."""

import json
import sys
from pathlib import Path

import pytest

from orchestration.launchers.backend import LaunchError, Phase, Unreachable
from orchestration.launchers.kubernetes import KubernetesBackend

KUBECTL = """#!{python}
import json, pathlib, sys
place = pathlib.Path({place!r})
said = [a for a in sys.argv[1:]]
with (place / "asked").open("a") as file:
    file.write(json.dumps(said) + "\\n")
if "apply" in said:
    (place / "applied").write_text(sys.stdin.read())
verb = next(a for a in said if not a.startswith("--"))
answer = place / verb
if (place / (verb + ".error")).exists():
    sys.exit((place / (verb + ".error")).read_text())
if answer.exists():
    print(answer.read_text(), end="")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the kubectl that is not there notes what it is asked, and finds what to answer."""
    folder = tmp_path / "kubectl"
    (folder / "bin").mkdir(parents=True)
    command = folder / "bin" / "kubectl"
    command.write_text(KUBECTL.format(python=sys.executable, place=str(folder)))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    return folder


@pytest.fixture
def backend(kubernetes_document):
    """A cluster that it reaches."""
    return KubernetesBackend(kubernetes_document(context="gpu-cluster"))


def asked(place: Path):
    """What kubectl was asked, call by call."""
    return [json.loads(line) for line in (place / "asked").read_text().splitlines()]


def status(place, **status):
    """Have the cluster say something of a job."""
    (place / "get").write_text(json.dumps({"status": status}))


def test_a_job_is_applied_from_standard_input_in_its_namespace_and_context(backend, place, job):
    assert backend.submit(job()) == "larmor-brain-0000-0123abcd-0"
    assert asked(place) == [["--context=gpu-cluster", "--namespace=training", "apply", "--filename=-"]]
    kinds = [item["kind"] for item in json.loads((place / "applied").read_text())["items"]]
    assert kinds == ["ConfigMap", "TrainJob"]


def test_conditions_of_a_trainjob_are_states_of_a_job(backend, place):
    status(place)
    assert backend.poll("larmor-x").phase is Phase.WAITING
    status(place, jobsStatus=[{"name": "node", "active": 1, "ready": 0}])
    assert backend.poll("larmor-x").phase is Phase.RUNNING
    status(place, conditions=[{"type": "Complete", "status": "True"}])
    assert backend.poll("larmor-x").phase is Phase.DONE
    status(place, conditions=[{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}])
    state = backend.poll("larmor-x")
    assert (state.phase, state.reason) == (Phase.FAILED, "DeadlineExceeded late")
    status(place, conditions=[{"type": "Complete", "status": "False"}])
    assert backend.poll("larmor-x").phase is Phase.WAITING
    (place / "get.error").write_text('Error from server (NotFound): trainjobs "larmor-x" not found')
    assert backend.poll("larmor-x").phase is Phase.STOPPED


def test_lines_come_once_and_again_from_a_pod_that_was_started_again(backend, place):
    (place / "logs").write_text("one\ntwo\n")
    first = backend.logs("larmor-x", None)
    assert first.lines == ("one", "two")
    (place / "logs").write_text("one\ntwo\nthree\n")
    assert backend.logs("larmor-x", first.cursor).lines == ("three",)
    (place / "logs").write_text("again\n")
    assert backend.logs("larmor-x", first.cursor).lines == ("again",)
    (place / "logs.error").write_text("error: container is waiting to start")
    assert backend.logs("larmor-x", first.cursor) == (type(first))((), first.cursor)


def test_a_job_is_stopped_by_deleting_it_and_cleared_with_its_documents(backend, place, job):
    backend.cancel("larmor-x")
    backend.clear(job())
    told = [" ".join(call[2:]) for call in asked(place)]
    assert told == [
        "delete trainjob larmor-x --ignore-not-found --wait=false",
        "delete trainjob,configmap larmor-brain-0000-0123abcd-0 --ignore-not-found --wait=false",
    ]


def test_a_cluster_that_is_silent_is_asked_again_and_one_that_refuses_is_not(backend, place, job):
    (place / "get.error").write_text("Unable to connect to the server: dial tcp: i/o timeout")
    with pytest.raises(Unreachable, match="Unable to connect"):
        backend.poll("larmor-x")
    (place / "apply.error").write_text(
        'error: no matches for kind "TrainJob" in version "trainer.kubeflow.org/v1alpha1"'
    )
    with pytest.raises(LaunchError, match="no matches for kind"):
        backend.submit(job())
