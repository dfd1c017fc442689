"""What this machine lacks is told before it is met."""

import resource

import pytest

from lake.settings import Settings
from orchestration.doctor import examine


@pytest.mark.parametrize(("allowed", "ok"), [(64, False), (1024, True), (resource.RLIM_INFINITY, True)])
def test_a_limit_of_open_files_that_is_too_low_is_told_with_what_to_do(monkeypatch, tmp_path, allowed, ok):
    monkeypatch.setattr(resource, "getrlimit", lambda _of: (allowed, 4096))
    (finding,) = [each for each in examine(Settings(root=tmp_path)) if each.what == "open files"]
    assert finding.ok is ok
    assert "ulimit -n" in finding.remedy
