"""A model is written whole or not at all, and says what it took."""

import errno
import json
import os

import pytest
import torch

from lineage.terms.union import union
from schemas.licence import Licence
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


def test_a_model_carries_the_most_restrictive_terms_of_its_release_and_its_parent(tmp_path):
    about = {"title": "Made", "licensor": "Maker", "valid_from": "2020-01-01", "purposes": ["research"]}
    wide = Licence.model_validate({"id": "wide", **about})
    strict = Licence.model_validate({"id": "strict", **about, "users": ["*@hospital.org"], "derivatives": False})
    parent = write(tmp_path / "parent", made(release=_under(strict)))
    child = write(tmp_path / "child", made(release=_under(wide), parent=load(tmp_path / "parent")))
    assert parent.terms == union([strict])
    assert child.terms == load(tmp_path / "child").manifest.terms == union([wide, strict])
    assert (child.terms.derivatives, child.terms.users) == (False, [["*@hospital.org"]])
    # a parent that was written before terms were carried leaves it unsaid, and never less restrictive
    assert write(tmp_path / "parent", made()).terms is None
    assert write(tmp_path / "child", made(release=_under(wide), parent=load(tmp_path / "parent"))).terms is None


def _under(*documents):
    return manifest().model_copy(update={"terms": union(documents)})


class Bomb:
    """A pickle that does something when it is opened."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (os.mkdir, (str(self.place),))


def test_no_file_of_a_model_can_run_anything(tmp_path):
    import hashlib
    import pickle

    write(tmp_path / "m", made())
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    (tmp_path / "m" / "weights.safetensors").write_bytes(bomb)
    manifest_file = tmp_path / "m" / "manifest.json"
    said = json.loads(manifest_file.read_text()) | {"weights_sha256": hashlib.sha256(bomb).hexdigest()}
    manifest_file.write_text(json.dumps(said))
    with pytest.raises(Exception, match=r"(?i)header|safetensor"):
        load(tmp_path / "m")
    assert not (tmp_path / "ran").exists()
    pickle.loads(bomb)
    assert (tmp_path / "ran").exists(), "opened as a pickle it would have"


def test_a_card_is_written_as_a_page_and_as_markdown_whose_cells_stay_cells(tmp_path):
    named = {"classes": {0: "background", 1: "a | b <script>"}, "config": {}}
    figure = {"curves.png": b"\x89PNG"}
    write(tmp_path / "m", made(kind="finetuned", task="segmentation", config=named, files=figure))
    text = (tmp_path / "m" / "card.md").read_text()
    assert "| 1 | a \\| b \\<script\\> |" in text
    assert "](curves.png)" in text
    assert "training.open" in text and "model.predict" in text
    page = (tmp_path / "m" / "card.html").read_text()
    assert "&lt;script&gt;" in page and "model.predict" in page
    # a card goes along with a model that is handed over, the list does not
    assert "exposure.json`, stays where" in text and "exposure.json</code>, stays where" in page


def test_a_shared_model_opens_without_the_list_of_what_it_saw_and_says_that_it_has_none(tmp_path):
    write(tmp_path / "net", made())
    (tmp_path / "net" / "exposure.json").unlink()
    with pytest.raises(CheckpointError, match="digest of the manifest"):
        load(tmp_path / "net")
    (tmp_path / "net" / "sharing.json").write_text("{}")
    shared = load(tmp_path / "net")
    assert shared.weights
    with pytest.raises(CheckpointError, match="was shared without the list"):
        shared.seen()
    (tmp_path / "net" / "exposure.json").write_text("{}")
    with pytest.raises(CheckpointError, match="digest of the manifest"):
        load(tmp_path / "net")
