"""The tutorials do what they say: their Python runs, their documents are valid, the first runs from end to end."""

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from deid.policy import compile_policy
from schemas.licence import Licence
from schemas.policy import read_policy
from tests import synthetic

PROJECT = Path(__file__).parent.parent.parent
TUTORIALS = PROJECT / "docs" / "tutorials"


def blocks(page, kind):
    """Fenced blocks of a kind, in order."""
    return re.findall(rf"```{kind}\n(.*?)```", (TUTORIALS / page).read_text(), re.DOTALL)


def run(code):
    """Blocks of Python as cells of one notebook; gives what they defined."""
    names = {"__name__": "__tutorial__"}
    for number, cell in enumerate(code):
        exec(compile(cell, f"<cell {number}>", "exec"), names)
    return names


def test_a_notebook_opens_a_release_reads_trains_and_looks(lake, monkeypatch, capsys):
    pytest.importorskip("torch")
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3", "S4", "S5"]})
    synthetic.frozen(lake, "heads", splits=(0.6, 0.2, 0.2))
    monkeypatch.setenv("LARMOR_ROOT", str(lake.settings.root))
    cells = run(blocks("notebook.md", "python"))
    assert cells["by_contrast"].to_dict() == {"T1": 4, "DWI": 4}
    assert len(cells["crops"]) == 3
    assert cells["name"] in cells["gallery"]._repr_html_()
    assert "the test set is sealed" in capsys.readouterr().out


def test_documents_of_ones_own_are_valid(tmp_path):
    for kind, read in (("licence", Licence.read), ("policy", read_policy)):
        (text,) = blocks("bring-your-own.md", f"yaml {kind}")
        (tmp_path / f"{kind}.yaml").write_text(text)
        read(tmp_path / f"{kind}.yaml")
    assert not Licence.read(tmp_path / "licence.yaml").export
    kept = compile_policy(read_policy(tmp_path / "policy.yaml")).policy.clean
    assert "PerformedProcedureStepDescription" in str(kept)


def test_a_task_of_ones_own_is_one_class():
    from training.config.presets import configured

    own = run(blocks("bring-your-own.md", "python"))["Positive"]
    task = own(configured("tiny", "finetune", {"task": "regression", "scratch": True, "options": {"target": "efc"}}))
    encoded = task.encode({"a": ["2.5"], "b": ["-1"], "c": ["none"]})
    assert (list(encoded.targets), encoded.skipped) == (["a"], {"b": "not above zero", "c": "no number"})


def _looks(words, place, settings):
    """Start `larmor look`, open its page, and end it as a person does."""
    with subprocess.Popen(words, cwd=place, env=settings, stdout=subprocess.PIPE, text=True) as started:
        try:
            address = next(line.strip() for line in started.stdout if line.startswith("http://127.0.0.1:"))
            with urllib.request.urlopen(address) as page:
                assert "View in 3D" in page.read().decode() or "larmor[look]" in page.read().decode()
        finally:
            started.send_signal(signal.SIGINT)
        assert started.wait(60) == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_first_tutorial_runs_from_a_folder_of_dicom_to_a_segmentation(tmp_path):
    (tmp_path / "docs").symlink_to(PROJECT / "docs")
    settings = {**os.environ, "LARMOR_ROOT": str(tmp_path / "mri")}
    for block in blocks("first-delivery.md", "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["larmor"]:
                continue
            command = [sys.executable, "-m", "orchestration.cli", *words[1:]]
            if words[1] == "look":
                _looks(command, tmp_path, settings)
            else:
                done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True)
                assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert list((tmp_path / "predictions").glob("*.nii.gz"))
    assert (tmp_path / "mri/curated/releases/heads/card.md").is_file()
