"""What is held is tried again, and only that: other deliveries and earlier stations stay as they are."""

import json
import shutil

import pytest

from imaging.phantom import BodyPart, PhantomConfig, generate
from orchestration.demo import licence as phantom_licence
from orchestration.headless import run_delivery
from orchestration.retrying import behind, retry
from schemas.tables import INSTANCES, QUARANTINE, VOLUMES
from stages.quarantine import waiting
from stages.upkeep.reconcile import balance
from tests.orchestration.test_cli import larmor

BEHIND = ["volumes", "series", "reports", "labels", "diagnoses", "quarantine"]
BAD, GOOD = "phantom-bad", "phantom-good"


def dicom(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.read_bytes()[128:132] == b"DICM"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A lake where one delivery holds a truncated file and one that nobody wants, and another holds nothing."""
    from lake.zones import Lake

    folder = tmp_path_factory.mktemp("retry")
    lake = Lake.open(folder / "lake", workers=1)
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    for seed, name in enumerate((BAD, GOOD)):
        config = PhantomConfig(name, seed, subjects=1, matrix=24, slices=8, faults=False, body_parts=(BodyPart.KNEE,))
        generate(lake.landing / name, folder / f"{name}.answers", config)
    first = dicom(lake.landing / BAD)[0]
    shutil.copy(first, folder / "whole")
    first.write_bytes(first.read_bytes()[:-500])
    (lake.landing / BAD / "Larmorium.exe").write_bytes(b"MZ")
    for name in (BAD, GOOD):
        run_delivery(lake.settings, name)
    return lake, folder / "whole", first


def parts(lake, table, delivery):
    return sorted(lake.table(table).names({"delivery": delivery}))


@pytest.mark.slow
def test_a_file_that_was_put_right_goes_on_and_the_rest_stays_held(made, capsys, monkeypatch):
    lake, whole, first = made
    found = [row["reason"] for row in waiting(lake)]
    assert (found.count("truncated"), found.count("unexpected_file")) == (1, 1)
    # without that slice others are no stack; they are held where they are noticed
    assert set(found) - {"truncated", "unexpected_file"} <= {"geometry_inconsistent"}
    untouched = {table.path: parts(lake, table, GOOD) for table in (INSTANCES, VOLUMES)}
    rows = lake.table(INSTANCES).read(["instance"], {"delivery": BAD}).num_rows

    # nothing was put right: reception looks, finds the same, and no other station runs
    before = parts(lake, INSTANCES, BAD)
    (again,) = retry(lake.settings, say=lambda _: None)
    assert (again.delivery, again.before, again.held, again.failed) == (BAD, len(found), len(found), "")
    assert parts(lake, INSTANCES, BAD) == before

    shutil.copy(whole, first)
    code, out, err = larmor(
        capsys,
        monkeypatch,
        "--root",
        lake.settings.root,
        "run",
        "--retry-quarantine",
        "--reason",
        "truncated",
        "--json",
    )
    assert code == 0
    assert json.loads(out) == [{"delivery": BAD, "held_before": 1, "held_now": 0, "failed": ""}]
    assert "Larmorium" not in out + err
    assert [row["reason"] for row in waiting(lake)] == ["unexpected_file"]
    assert lake.table(INSTANCES).read(["instance"], {"delivery": BAD}).num_rows == rows + 1
    assert balance(lake, BAD).balanced
    assert {table.path: parts(lake, table, GOOD) for table in (INSTANCES, VOLUMES)} == untouched

    code, out, _ = larmor(capsys, monkeypatch, "--root", lake.settings.root, "quarantine")
    assert "1 held: unexpected_file, at received, in phantom-bad" in out
    assert "Larmorium" not in out


@pytest.mark.parametrize(
    ("station", "runs"),
    [
        ("labels", ["labels", "quarantine"]),
        ("volumes", BEHIND),
        ("instances", ["instances", "certificates", *BEHIND]),
    ],
)  # fmt: skip
def test_only_what_rests_on_the_first_station_that_holds_runs(station, runs):
    assert [key[-1] for key in behind(station)] == runs


def test_the_list_of_files_is_for_its_owner_and_no_cell_is_a_formula(lake, tmp_path, capsys, monkeypatch):
    table = lake.table(QUARANTINE)
    row = {
        "reason": "unreadable",
        "remedy": "ask",
        "path": "=Larmorium()",
        "sha256": "0",
        "instance": None,
        "line": None,
    }
    table.append([table.write([row], {"delivery": "a", "stage": "received"})])
    file = tmp_path / "list.csv"
    code, out, err = larmor(capsys, monkeypatch, "--root", lake.settings.root, "quarantine", "--list", file)
    assert code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "'=Larmorium()" in file.read_text()
    assert waiting(lake)[0]["id"] in file.read_text()
    assert "Larmorium" not in out + err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "needed NAME"),
        (["run", "--retry-quarantine", "--to", "series"], "what is held decides"),
        (["run", "--retry-quarantine", "--reason", "bad"], "needed one of: unreadable"),
        (["run", "--retry-quarantine", "nobody"], "found no delivery 'nobody'"),
    ],
)
def test_wrong_questions_are_told(arguments, said, lake, capsys, monkeypatch):
    code, _, err = larmor(capsys, monkeypatch, "--root", lake.settings.root, *arguments)
    assert code in (1, 2)
    assert said in " ".join(err.split())
