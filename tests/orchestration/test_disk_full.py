"""A disk that fills up: one line says so, nothing is half there, and the same command goes on when there is space."""

import errno
import shutil
import subprocess

import pytest

from tests.kills import FULL, Kill, copied, differences, faults


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, 0.6])
def test_no_space_at_a_step_of_a_run_is_told_and_the_next_run_is_as_if_it_had_not_been(share, nursery, whole, tmp_path):
    """The n-th write of the run fails as on a full disk: Dagster's own, the vault's, a station's, a commit's."""
    kill = Kill(step=max(1, int(share * whole.steps)), error=errno.ENOSPC)
    assert faults(nursery, whole, tmp_path / "lake", [kill]) == []


@pytest.mark.slow
def test_a_disk_that_is_really_full_is_told_and_more_space_is_all_it_needs(nursery, whole, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,nr_inodes=4k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("found no right to mount a small file system, needed it for a disk that is full")
    try:
        root = copied(whole.root, disk / "lake", vault=whole.root, link=False)
        codes = []
        for size in (3, 64):  # in megabytes
            subprocess.run(["mount", "-o", f"remount,size={size}m", disk], check=True)
            ended = nursery.run(root)
            codes.append(ended.code)
            if ended.code == 0:
                break
            assert ended.code == 1, ended.told
            assert FULL in ended.told
            assert "Traceback" not in ended.told
        assert codes[0] == 1
        assert codes[-1] == 0
        assert differences(whole.judged, nursery.judged(root), rows=True, files=True) == []
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
        shutil.rmtree(disk)
