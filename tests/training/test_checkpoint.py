"""A model is written whole or not at all, and says what it took."""

import errno
import os

import pytest
import torch

from tests.training.running.toy import manifest
from training import checkpoint
from training.checkpoint import Made, Used, load, write
from training.errors import CheckpointError


def made(**changes):
    content = {
        "kind": "pretrained", "task": "toy", "weights": {"w": torch.arange(3.0)}, "config": {"config": {}},
        "metrics": {}, "volumes": {"v1": 2}, "release": manifest(), "release_sha256": "1" * 64, "parent": None,
        "steps": 5, "world_size": 2,
    }  # fmt: skip
    return Made(**{**content, **changes})


def test_a_model_says_what_it_took_and_holds_what_else_was_made(tmp_path):
    used = Used("2 x NVIDIA H100 80GB HBM3", 12.5, 30.0)
    written = write(tmp_path / "m", made(used=used, files={"curves.csv": b"step\n"}))
    assert (written.hardware, written.device_hours, written.cost_usd) == ("2 x NVIDIA H100 80GB HBM3", 12.5, 30.0)
    assert len(written.code_sha256) == 64
    assert (tmp_path / "m" / "curves.csv").read_bytes() == b"step\n"
    assert load(tmp_path / "m").manifest == written
    assert "12.5 device-hours on 2 x NVIDIA H100 80GB HBM3, 30.00 US dollars" in (tmp_path / "m/card.html").read_text()


def test_with_no_room_left_the_model_that_is_there_stays(tmp_path, monkeypatch):
    write(tmp_path / "m", made())

    def full(_tensors, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CheckpointError, match=r"No space left.*goes on from the last saved step"):
        write(tmp_path / "m", made(weights={"w": torch.zeros(3)}))
    assert torch.equal(load(tmp_path / "m").weights["w"], torch.arange(3.0))
    assert not (tmp_path / ".runs" / "m" / "building").exists()
