"""Tab completes verbs at once and names of what there is, never of people."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pexpect
import pytest

from orchestration import cli
from orchestration.verbs import _names

PROJECT = Path(__file__).parent.parent.parent


def completed(monkeypatch, capsys, *words):
    """What Bash would offer for the last of these words."""
    monkeypatch.setattr(sys, "argv", ["larmor"])
    monkeypatch.setenv("_LARMOR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["larmor", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines() if line]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Folders as a lake has them; of people only where people's files lie."""
    for file in (
        "landing/site-a-2026-11/delivery.yaml", "landing/site-b/delivery.yaml", "landing/half/DOE_JANE/1.dcm",
        "curated/releases/heads/manifest.json", "curated/releases/torn/members.parquet",
        "models/heads-tiny/manifest.json",
    ):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    monkeypatch.setenv("LARMOR_ROOT", str(tmp_path))
    return tmp_path


def test_verbs_are_completed_without_importing_them():
    code = "import sys; from orchestration.cli import cli; import click; print([i.value for i in cli.shell_complete("
    code += "click.Context(cli), 're')], [m for m in sys.modules if m.startswith('orchestration.verbs')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert told.stdout.strip() == "['releases', 'reconcile', 'report', 'review'] []"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["run", "site"], ["site-a-2026-11", "site-b"]),
        (["run", "half"], []),
        (["run", "[a-z"], []),
        (["quarantine", "site-b"], ["site-b"]),
        (["train", ""], ["heads"]),
        (["look", "--release", ""], ["heads"]),
        (["evaluate", "h"], ["heads-tiny"]),
        (["who-saw", ""], []),
        (["run", "--retry"], ["--retry-quarantine"]),
    ],
    ids=" ".join,
)
def test_names_are_of_what_is_there(words, offered, root, monkeypatch, capsys):
    assert completed(monkeypatch, capsys, *words) == offered


def test_the_lake_is_the_one_that_was_named_before_the_verb(root, monkeypatch, capsys, tmp_path_factory):
    monkeypatch.setenv("LARMOR_ROOT", str(tmp_path_factory.mktemp("other")))
    assert completed(monkeypatch, capsys, "run", "") == []
    assert completed(monkeypatch, capsys, "--root", str(root), "run", "site-b") == ["site-b"]


def test_what_lies_on_s3_or_is_set_wrong_is_not_asked_for(root, monkeypatch, capsys):
    monkeypatch.setenv("LARMOR_CURATED", "s3://nowhere/curated")
    assert completed(monkeypatch, capsys, "train", "") == []
    monkeypatch.setenv("LARMOR_ENGINE", "steam")
    assert completed(monkeypatch, capsys, "run", "site") == []


def test_a_folder_that_may_not_be_read_gives_nothing(root, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(Path, "glob", refused)
    context = click.Context(cli.cli)
    assert _names.deliveries(context, click.Argument(["name"]), "") == []


def shell_with(root, name):
    """A shell, or a skip where it is not installed, and settings with which it finds this `larmor`."""
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"found no {name}, needed it to complete in")
    bin = root / "bin"
    bin.mkdir()
    (bin / "larmor").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestration.cli "$@"\n')
    (bin / "larmor").chmod(0o755)
    own = {"PATH": f"{bin}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT), "HOME": str(root), "TERM": "dumb"}
    return shell, {**os.environ, **own}


def script_for(shell, settings):
    asked = {**settings, "_LARMOR_COMPLETE": f"{shell}_source"}
    return subprocess.run(["larmor"], capture_output=True, text=True, check=True, env=asked).stdout


def test_bash_takes_the_script(root):
    bash, settings = shell_with(root, "bash")
    asked = 'eval "$(_LARMOR_COMPLETE=bash_source larmor)"; COMP_WORDS=(larmor run site-b); COMP_CWORD=2; '
    asked += '_larmor_completion larmor; echo "${COMPREPLY[@]}"'
    told = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True, env=settings)
    assert told.stdout.split() == ["site-b"]


def test_fish_takes_the_script(root):
    fish, settings = shell_with(root, "fish")
    place = root / ".config" / "fish" / "completions"
    place.mkdir(parents=True)
    (place / "larmor.fish").write_text(script_for("fish", settings))
    asked = "complete -C 'larmor run site'; complete -C 'larmor --root nowhere rec'"
    told = subprocess.run([fish, "-c", asked], capture_output=True, text=True, check=True, env=settings)
    assert [line.split("\t")[0] for line in told.stdout.splitlines()] == ["site-a-2026-11", "site-b", "reconcile"]


def test_zsh_takes_the_script(root):
    """At a terminal, as a person sits there: zsh completes nothing elsewhere."""
    zsh, settings = shell_with(root, "zsh")
    place = root / ".zfunc"
    place.mkdir()
    (place / "_larmor").write_text(script_for("zsh", settings))
    (root / ".zshrc").write_text("fpath+=(~/.zfunc)\nautoload -Uz compinit && compinit -u -D\nPS1='ready> '\n")
    terminal = pexpect.spawn(zsh, ["-i"], env=settings, encoding="utf-8", timeout=60)
    try:
        terminal.expect_exact("ready> ")
        terminal.send("larmor run site\t")
        terminal.expect_exact("larmor run site-")
        terminal.send("b\t\x01echo \n")  # to the begin of the line
        terminal.expect_exact("\nlarmor run site-b\r")
        terminal.sendline("exit")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)
