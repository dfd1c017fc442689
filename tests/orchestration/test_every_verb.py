"""Whatever is typed is answered: an example in every help, JSON for scripts, and a sentence for a mistake."""

import json
import shlex

import click
import pytest

from lake.settings import Settings
from lake.zones import Lake
from tests import synthetic
from tests.orchestration.test_cli import larmor
from tests.orchestration.test_declared import verbs

EVERY = dict(verbs())
PEOPLE_ONLY = {"dev": "starts a page and stays until it is ended"}
"""Verbs without JSON, and why."""

READS = (
    "quarantine", "releases", "look --out {tmp}/page.html", "terms", "verify", "seal",
    "prove 0 --output {tmp}/proof.json", "withdraw --delivery nobody", "withdraw --delivery a",
    "withdraw --licence open-licence", "who-saw S1", "disclosures S1", "tiers", "tiers plan", "tiers ready heads",
    "doctor", "doctor policy", "doctor history volumes", "doctor scrub", "doctor vacuum --dry-run",
    "upgrade --dry-run", "export heads --to {tmp}/nifti", "reconcile", "report", "review --meaning review",
)  # fmt: skip
"""What a script asks of a lake with a release; reading, or writing no more than a record."""

MISTAKES = (
    "run nobody", "quarantine nobody", "releases freeze {tmp}/none.yaml", "releases stage nobody", "train nobody",
    "evaluate nobody", "predict nobody {tmp}/none.nii.gz", "export nobody --to {tmp}/out", "look --release nobody",
    "look --delivery nobody", "exposures nobody", "terms --series nobody", "prove 99 --output {tmp}/proof.json",
    "withdraw", "tiers ready nobody", "tiers restore nobody", "report certificate nobody",
    "doctor policy nobody", "doctor history nobody", "doctor backup", "demo remove", "ingest", "break-glass nobody",
    "--root {tmp}/file verify", "verify --key {tmp}/none.pem", "ingest {tmp} --licence nobody --name a",
    "train nobody --preset", "verify --nonsense", "look --out s3://bucket/page.html", "tiers plan --plot s3://bucket/a.svg",
    "prove 0 --output s3://bucket/proof.json", "seal --public-key s3://bucket/key.pem",
)  # fmt: skip
"""What goes wrong in a person's hands, on a folder in which no lake is yet."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A small lake with a release."""
    lake = Lake(Settings(root=tmp_path_factory.mktemp("lake")))
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3", "S4", "S5"]})
    synthetic.frozen(lake, "heads", splits=(0.6, 0.2, 0.2))
    return lake.settings.root


@pytest.mark.parametrize("name", EVERY)
def test_help_says_what_it_does_and_shows_an_example_of_what_there_is(name):
    command = EVERY[name]
    assert command.help
    words = shlex.split((command.epilog or "").removeprefix("Example: ").split(", or: ")[0])
    verb = words[words.index("larmor") + 1 :]
    assert verb[: len(name.split())] == name.split()
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    if isinstance(command, click.Group):
        known |= {option for each in command.commands.values() for one in each.params for option in one.opts}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("name", sorted(EVERY.keys() - PEOPLE_ONLY.keys()))
def test_a_script_can_have_json_of_every_verb(name):
    assert any("--json" in parameter.opts for parameter in EVERY[name].params)


@pytest.mark.parametrize("words", READS)
def test_json_is_all_that_a_script_gets(words, root, tmp_path, capsys, monkeypatch):
    code, out, err = larmor(capsys, monkeypatch, "--root", root, *words.format(tmp=tmp_path).split(), "--json")
    assert code == 0, err
    json.loads(out)


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_a_sentence_and_no_success(words, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LARMOR_ROOT", str(tmp_path / "lake"))
    code, out, err = larmor(capsys, monkeypatch, *words.format(tmp=tmp_path).split())
    assert code in (1, 2)
    assert len((out + err).strip()) > 20
    assert "Traceback" not in out + err


def test_every_verb_is_tried_or_needs_more_than_a_test_of_words():
    tried = {name for name in EVERY for line in (*READS, *MISTAKES) if f"{line} ".startswith(f"{name} ")}
    assert EVERY.keys() - tried <= {
        "demo", "demo data", "dev", "releases unstage", "doctor optimize", "doctor scan", "doctor vault", "tiers move"
    }  # fmt: skip
