"""A release that knows its series, diagnoses and reports, and tasks small enough to train in a second."""

from dataclasses import dataclass, field

import pytest

from tests.training.conftest import FakeRelease
from training.config.presets import configured

STEPS = {
    "scratch": True, "steps": 2, "warmup_steps": 1, "report_every": 1, "save_every": 1, "batch_size": 2,
    "crop_mm": (80, 80, 80), "channels": (4, 8, 8), "precision": "32", "tensorboard": False, "labels": 0,
}  # fmt: skip


@dataclass
class Known(FakeRelease):
    """A release in memory that knows more of its volumes than their voxels."""

    series: dict = field(default_factory=dict)
    said: list = field(default_factory=list)
    reports: dict = field(default_factory=dict)

    def described(self, volumes):
        return {volume: self.series[volume] for volume in volumes if volume in self.series}

    def diagnoses(self, members):
        names = {member.volume for member in members}
        return [(member, row) for member, row in self.said if member.volume in names]

    def texts(self, volumes):
        return {volume: self.reports[volume] for volume in volumes if volume in self.reports}


def _known(release):
    members = release.all_members
    ages = {member.volume: {"age": 30 + 5 * int(member.subject[1:])} for member in members}
    grades = ("läsion", "健康", "β")
    said = [(member, {"name": "finding", "value": grades[int(member.subject[1:]) % 3]}) for member in members]
    reports = {member.volume: f"Report of {member.subject}." for member in members}
    return Known(release.manifest, members, release.images, release.maps, series=ages, said=said, reports=reports)


@pytest.fixture(scope="session")
def known(release):
    """Ages in the series' rows, a finding of each volume in three scripts, and a report of each subject."""
    return _known(release)


@pytest.fixture(scope="session")
def learn_of():
    """Makes a release know more of its volumes than their voxels."""
    return _known


@pytest.fixture(scope="session")
def settings(small):
    """Makes the configuration of a task."""

    def made(task, options=None, **fields):
        return configured("tiny", "finetune", {**small, **STEPS, "task": task, "options": options or {}, **fields})

    return made
