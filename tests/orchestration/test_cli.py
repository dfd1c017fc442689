"""The command line answers at once, knows every verb, and ends a user's mistake in one line that names the remedy."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration import cli

LARMOR = [sys.executable, "-m", "orchestration.cli"]
PROJECT = Path(__file__).parent.parent.parent
LICENCE = PROJECT / "docs" / "examples" / "licence.yaml"


def larmor(capsys, monkeypatch, *arguments):
    """Run a verb in this process; exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["larmor", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    code = end.value.code
    if isinstance(code, str):
        return 1, told.out, told.err + code
    return code or 0, told.out, told.err


def test_help_names_every_verb_and_imports_nothing_heavy():
    code = "import sys; from orchestration.cli import cli; cli(['--help'], standalone_mode=False)"
    code += "; print([m for m in ('dagster', 'pyarrow', 'pydantic', 'torch', 'numpy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert told.stdout.strip().endswith("[]")
    for verb in cli.VERBS:
        assert f"  {verb}" in told.stdout


def test_help_of_any_verb_imports_nothing_that_reads_a_lake():
    code = "import sys, click; from orchestration.cli import cli, VERBS; [cli.get_command(None, v) for v in VERBS]"
    code += "; heavy = ('dagster', 'deltalake', 'duckdb', 'numpy', 'pyarrow', 'torch')"
    code += "; print(len(VERBS), [m for m in heavy if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert told.stdout.strip() == f"{len(cli.VERBS)} []"


@pytest.mark.parametrize("verb", [v for v in cli.VERBS if v != "demo"])
def test_every_verb_has_help_with_an_example(verb, capsys, monkeypatch):
    code, out, _ = larmor(capsys, monkeypatch, verb, "--help")
    assert code == 0
    assert f"Example: larmor {verb}" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nobody"], "make a delivery with larmor ingest"),
        (["ingest", "{tmp}/nowhere", "--licence", LICENCE, "--name", "a"], "no such file or folder"),
        (["ingest", "{tmp}/empty", "--licence", LICENCE, "--name", "a"], "empty folder"),
        (["ingest", "{tmp}/full", "--licence", "unknown-licence", "--name", "a"], "licence unknown-licence"),
        (["ingest", "{tmp}/full", "--licence", LICENCE, "--name", "Smith John"], "keep people's names and dates out"),
        (["ingest", "{tmp}/full", "--licence", LICENCE, "--name", "a", "--purpose", "marketing"], "purpose"),
        (["train", "nobody"], "larmor releases freeze"),
        (["releases", "freeze", "{tmp}/none.yaml"], "needed a release spec document"),
        (["nonsense"], "No such command"),
    ],
    ids=["unknown delivery", "no source", "empty source", "no licence", "name of a person", "forbidden purpose",
         "unknown release", "no spec", "unknown verb"],
)  # fmt: skip
def test_a_mistake_ends_in_one_line_that_names_the_remedy(arguments, said, capsys, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    code, _, err = larmor(capsys, monkeypatch, *[str(a).format(tmp=tmp_path) for a in arguments])
    assert code != 0
    assert said in err
    assert "Traceback" not in err


def test_an_unknown_preset_lists_those_there_are(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("lake.releases.Release.open", lambda *_: None)
    code, _, err = larmor(capsys, monkeypatch, "train", "r", "--preset", "gigantic")
    assert code == 1
    assert "tiny" in err
    assert "large" in err


def test_a_full_disk_is_said_as_that(capsys, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli.cli, "main", full)
    _, _, err = larmor(capsys, monkeypatch)
    assert "no space left on the disk" in err
    assert "run the same command again" in err


def test_a_defect_of_ours_is_not_hidden(monkeypatch):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr(cli.cli, "main", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_a_script_gets_json(capsys, monkeypatch, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    code, out, _ = larmor(
        capsys, monkeypatch, "ingest", tmp_path / "full", "--licence", LICENCE, "--name", "a", "--json"
    )
    assert code == 0
    assert json.loads(out)["files"] == 1


def test_an_engine_that_is_not_there_is_said_before_anything_runs(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LARMOR_ENGINE", "spark")
    monkeypatch.setenv("LARMOR_SPARK_MASTER", "sc://127.0.0.1:1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    larmor(capsys, monkeypatch, "ingest", tmp_path / "full", "--licence", LICENCE, "--name", "a")
    code, _, err = larmor(capsys, monkeypatch, "run", "a")
    assert code == 1
    assert "unset LARMOR_ENGINE" in err
