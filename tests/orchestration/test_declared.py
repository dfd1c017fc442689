"""Every verb and every asset says which zones it reads or changes, and is refused to whom no role gives them."""

import click
import dagster as dg
import pytest
from click.testing import CliRunner

from lake.zones import Lake
from lineage.ledger import ledger
from lineage.terms.refusal import Refusal
from orchestration.cli import VERBS, cli
from orchestration.definitions import build
from schemas.contract import Zone
from schemas.roles import Needs, Roles

WITHOUT = {
    "break-glass": "whom no role admits must be able to ask for a zone",
    "dev": "starts a page; each asset that is started there asks for whoever starts it",
    "doctor": "says what is wrong with an installation, its roles included; shows settings and counts, no row",
    "doctor policy": "explains a document that ships or is named, outside every zone",
}
"""Verbs that declare nothing, and why; whoever adds a line must have a reason that an auditor would take."""


def verbs(group=cli, path=()):
    """Every command there is, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield " ".join([*path, name]), command
        if isinstance(command, click.Group):
            yield from verbs(command, (*path, name))


def steps():
    """Every asset and every check that runs something, by name, with the function that its author wrote."""
    definitions = build()
    for asset in definitions.assets:
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable:
            yield asset.op.name, asset.op.compute_fn.decorated_fn
    for check in definitions.asset_checks:
        yield check.op.name, check.op.compute_fn.decorated_fn


def test_every_verb_declares_its_zones_or_has_a_reason_not_to():
    found = {name: getattr(command.callback, "needs", None) for name, command in verbs()}
    assert found.keys() >= set(VERBS) | {"doctor backup", "tiers move"}
    assert {name for name, needs in found.items() if needs is None} == set(WITHOUT)
    assert all(isinstance(needs, Needs) or callable(needs) for needs in found.values() if needs is not None)


def test_every_asset_and_every_check_declares_its_zones():
    found = dict(steps())
    assert len(found) > 25
    assert not [name for name, work in found.items() if not isinstance(getattr(work, "needs", None), Needs)]


@pytest.fixture
def lake(tmp_path):
    """A lake whose roles name nobody but one who may do everything."""
    found = Lake.open(tmp_path / "lake", principal="eve")
    found.settings.root.mkdir()
    member = {"members": ["operator"], "zones": [str(zone) for zone in Zone]}
    Roles.model_validate({"roles": {"operator": member}}).write(found.settings.root / "roles.yaml")
    return found


ASKED = [
    (["quarantine"], "restricted"),
    (["quarantine", "--list", "held.csv"], "restricted"),
    (["run", "--retry-quarantine"], "restricted"),
    (["ingest", "nowhere", "--licence", "l", "--name", "d"], "restricted"),
    (["export", "cohort", "--to", "out"], "curated"),
    (["export", "--model", "net", "--to", "out", "--recipient", "Site B"], "models"),
    (["look"], "curated"),
    (["releases"], "curated"),
    (["withdraw", "--subject", "SABC"], "restricted"),
    (["withdraw", "--due"], "restricted"),
    (["tiers"], "audit"),
    (["tiers", "move"], "restricted"),
    (["tiers", "restore", "curated/volumes"], "curated"),
    (["tiers", "restore", "restricted/received"], "restricted"),
    (["report"], "audit"),
    (["report", "certificate", "d"], "audit"),
    (["seal"], "audit"),
    (["verify"], "audit"),
    (["reconcile"], "audit"),
    (["prove", "0", "--output", "p.json"], "audit"),
    (["terms"], "audit"),
    (["who-saw", "SABC"], "audit"),
    (["doctor", "scrub"], "restricted"),
    (["doctor", "scan"], "restricted"),
    (["doctor", "backup", "copies"], "restricted"),
    (["doctor", "backup", "copies", "--without-restricted"], "curated"),
    (["doctor", "backup", "copies", "--restore"], "restricted"),
    (["doctor", "vacuum", "volumes"], "curated"),
    (["doctor", "history", "received"], "restricted"),
]


@pytest.mark.parametrize(("words", "zone"), ASKED, ids=[" ".join(words) for words, _ in ASKED])
def test_a_verb_is_refused_before_it_does_anything_and_the_refusal_is_on_the_ledger(
    lake, words, zone, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LARMOR_PRINCIPAL", "eve")
    done = CliRunner().invoke(cli, ["--root", str(lake.settings.root), *words])
    assert isinstance(done.exception, Refusal)
    assert f"roles, {zone}:" in str(done.exception)
    # what the first action under a document of roles tells, and nothing of the action itself
    assert [row["type"] for row in ledger.entries(lake)] == ["roles_changed", "refused"]
    assert sorted(path.name for path in lake.settings.root.iterdir()) == ["audit", "roles.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


@pytest.mark.parametrize("words", [["break-glass"], ["doctor", "policy"]], ids=" ".join)
def test_whom_no_role_admits_can_still_see_what_is_wrong_and_ask(lake, words, monkeypatch):
    monkeypatch.setenv("LARMOR_PRINCIPAL", "eve")
    assert CliRunner().invoke(cli, ["--root", str(lake.settings.root), *words]).exit_code == 0


def test_who_has_the_zones_and_whoever_has_a_lake_without_roles_is_let_in(lake, monkeypatch):
    for principal in ("operator", "eve"):
        monkeypatch.setenv("LARMOR_PRINCIPAL", principal)
        done = CliRunner().invoke(cli, ["--root", str(lake.settings.root), "quarantine"])
        assert (done.exit_code, done.output.strip()) == (0, "Nothing is held.")
        (lake.settings.root / "roles.yaml").unlink(missing_ok=True)


def test_an_asset_is_refused_before_it_does_anything(lake, monkeypatch):
    from assets.governance import audit_report
    from assets.resources import LakeResource

    monkeypatch.setenv("LARMOR_PRINCIPAL", "eve")
    resources = {"lake": LakeResource(root=str(lake.settings.root))}
    with pytest.raises(dg.Failure, match="roles, audit:"):
        dg.materialize([audit_report], resources=resources, selection=["audit/audit_report"])
    assert not (lake.settings.root / "audit" / "reports").exists()
