"""Kubernetes: a TrainJob of Kubeflow Trainer v2, and `kubectl` around it.

Belongs here: the manifest and what the cluster says of it. Pods mount the lake's root from a persistent volume claim at
the path that it has here, so that nothing is copied; a job's documents come as a config map.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.launchers.backend import LaunchError, Lines, Phase, State, Unreachable
from orchestration.launchers.shared import collected
from orchestration.launchers.torchrun import torchrun
from schemas.job import TrainingJob
from schemas.launching import KubernetesLaunching

API = "trainer.kubeflow.org/v1alpha1"

_MANAGER = "larmor.io/launcher"
_NODE = "node"
"""Name of the job and of its container in runtimes of Kubeflow Trainer that train."""

_FIRST = f"jobset.sigs.k8s.io/replicatedjob-name={_NODE},batch.kubernetes.io/job-completion-index=0"
_ANSWER_S = 60.0
"""Seconds that kubectl may take."""

_SILENT = ("unable to connect", "timeout", "timed out", "connection refused", "service unavailable", "etcdserver")


def manifest(job: TrainingJob, document: KubernetesLaunching) -> dict[str, Any]:
    """The config map and the TrainJob of a job, as one list.

    How nodes find each other is the runtime's business: it sets the variables `PET_*`, which torchrun reads.

    Args:
        job: the job.
        document: what the installation says of the cluster.
    """
    assert job.image is not None, "jobs of this backend run in an image"
    about = {"name": job.name, "namespace": document.namespace}
    notes = {f"larmor.io/{name}": value for name, value in job.labels.items()}
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about | {"annotations": notes}, "data": job.files}
    trainer = {
        "image": job.image,
        "command": torchrun(job, document.python, []),
        "numNodes": job.nodes,
        "numProcPerNode": job.processes,
        "resourcesPerNode": _resources(job),
        "env": [{"name": name, "value": value} for name, value in sorted(job.env.items())],
    }
    train = {
        "apiVersion": API,
        "kind": "TrainJob",
        "metadata": about | {"labels": {"app.kubernetes.io/managed-by": "larmor"}, "annotations": notes},
        "spec": {
            "runtimeRef": {
                "apiGroup": API.partition("/")[0],
                "kind": "ClusterTrainingRuntime",
                "name": document.runtime,
            },
            "trainer": trainer,
            "activeDeadlineSeconds": job.max_run_s,
            "runtimePatches": [{"manager": _MANAGER, "trainingRuntimeSpec": _patch(job, document, notes)}],
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [files, train]}


def _resources(job: TrainingJob) -> dict[str, Any]:
    needs = job.resources
    asked = {
        "cpu": str(needs.cpus) if needs.cpus else None,
        "memory": f"{needs.memory_gib}Gi" if needs.memory_gib else None,
        "ephemeral-storage": f"{needs.disk_gib}Gi" if needs.disk_gib else None,
        "nvidia.com/gpu": str(needs.gpus) if needs.gpus else None,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    # GPUs are not shared, and memory beyond what was asked for is somebody else's
    return {"requests": given, "limits": {name: value for name, value in given.items() if name != "cpu"}}


def _patch(job: TrainingJob, document: KubernetesLaunching, notes: Mapping[str, str]) -> dict[str, Any]:
    """What the runtime's pods get besides: volumes, where they run, and who they are."""
    volumes: list[dict[str, Any]] = [{"name": "job", "configMap": {"name": job.name}}]
    mounts = [{"name": "job", "mountPath": job.folder, "readOnly": True}]
    for number, (claim, path) in enumerate(sorted(document.claims.items())):
        volumes.append({"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": f"claim-{number}", "mountPath": path})
    pod: dict[str, Any] = {
        "volumes": volumes,
        "containers": [{"name": _NODE, "volumeMounts": mounts}],
        "nodeSelector": document.node_selector or None,
        "serviceAccountName": document.service_account,
        "imagePullSecrets": [{"name": name} for name in document.image_pull_secrets] or None,
    }
    spec = {name: value for name, value in pod.items() if value is not None}
    template = {"metadata": {"annotations": dict(notes)}, "spec": spec}
    return {"template": {"spec": {"replicatedJobs": [{"name": _NODE, "template": {"spec": {"template": template}}}]}}}


@dataclass(frozen=True)
class KubernetesBackend:
    """A cluster that `kubectl` reaches.

    Attributes:
        document: what the installation says of it.
    """

    document: KubernetesLaunching

    def submit(self, job: TrainingJob) -> str:
        """Apply the manifest; the handle is the job's name."""
        self._asked(["apply", "--filename=-"], json.dumps(manifest(job, self.document)))
        return job.name

    def poll(self, handle: str) -> State:
        """What the TrainJob's conditions say."""
        try:
            found = json.loads(self._asked(["get", "trainjob", handle, "--output=json"]))
        except LaunchError as error:
            if "NotFound" not in str(error):
                raise
            return State(Phase.STOPPED, "the job was deleted")
        status = found.get("status", {})
        held = {said["type"]: said for said in status.get("conditions", []) if said.get("status") == "True"}
        if "Complete" in held:
            return State(Phase.DONE)
        if "Failed" in held:
            return State(
                Phase.FAILED, f"{held['Failed'].get('reason', '')} {held['Failed'].get('message', '')}".strip()
            )
        running = any(child.get("ready") or child.get("active") for child in status.get("jobsStatus", []))
        return State(Phase.RUNNING if running and "Suspended" not in held else Phase.WAITING)

    def logs(self, handle: str, cursor: str | None) -> Lines:
        """What the first node wrote after so many lines; a pod that was started again begins with its first line."""
        selector = f"--selector=jobset.sigs.k8s.io/jobset-name={handle},{_FIRST}"
        try:
            said = self._asked(["logs", selector, f"--container={_NODE}", "--tail=-1"])
        except LaunchError:  # no pod yet, or no more
            return Lines((), cursor)
        lines = said.splitlines()
        known = int(cursor or 0)
        fresh = lines[known:] if len(lines) >= known else lines
        return Lines(tuple(fresh), str(len(lines)))

    def cancel(self, handle: str) -> None:
        """Delete the job: its pods are told to save and end."""
        self._asked(["delete", "trainjob", handle, "--ignore-not-found", "--wait=false"])

    def collect(self, job: TrainingJob, name: str, target: Path) -> None:
        """The model is made where it belongs."""
        collected(job, name, target)

    def clear(self, job: TrainingJob) -> None:
        """Remove the job and its documents from the cluster."""
        self._asked(["delete", "trainjob,configmap", job.name, "--ignore-not-found", "--wait=false"])

    def _asked(self, arguments: Sequence[str], given: str = "") -> str:
        """The answer of kubectl.

        Raises:
            LaunchError: if it is not installed, or the cluster says no.
            Unreachable: if the cluster does not answer.
        """
        found = shutil.which("kubectl")
        if found is None:
            raise LaunchError("found no kubectl on the path, needed it to reach the cluster; install it")
        context = [f"--context={self.document.context}"] if self.document.context else []
        try:
            done = subprocess.run(  # noqa: S603 - kubectl alone, no shell
                [found, *context, f"--namespace={self.document.namespace}", *arguments],
                input=given, capture_output=True, text=True, timeout=_ANSWER_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unreachable(f"kubectl gave no answer within {_ANSWER_S:.0f} s") from None
        if done.returncode == 0:
            return done.stdout
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        if any(word in said.lower() for word in _SILENT):
            raise Unreachable(f"kubectl: {said}")
        raise LaunchError(f"kubectl {arguments[0]} was refused and said: {said}")
