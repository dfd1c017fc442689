"""Whatever touches restricted or curated data leaves an event on the ledger; a new asset that does not, fails here."""

import json
import warnings
from pathlib import Path

import dagster as dg
import pytest

from assets.partitions import DELIVERIES, RELEASES
from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.events import EventType
from lineage.ledger.reconcile import reconciled
from orchestration.definitions import build
from orchestration.demo import licence as phantom_licence
from orchestration.demo import spec
from orchestration.instance import instance
from schemas.release import Splits
from schemas.tables import INSTANCES, RECEIVED, TABLES
from stages.release import spec_path

WITHOUT = {
    "audit/ledger": "is the record: what it does is sign it",
    "audit/tier_plan": "looks at names, sizes and prices of files, never into them",
    "audit/tier_moves": "has nothing to move here; each move told: tests/stages/upkeep/test_tiers.py",
}
"""Assets that need no event, and why; whoever adds a line must have a reason that an auditor would take."""

SHORT = {"steps": "2", "warmup_steps": "1", "batch_size": "2", "crop_mm": "[64, 64, 64]"}
CONFIG = {
    "models__pretrained": {"ranks": 1, "overrides": SHORT},
    "models__finetuned": {"scratch": False, "labels": 0, "overrides": SHORT},
    "models__evaluations": {"scratch": False, "overrides": {"bootstrap": "200"}},
}

TABLE_OF = {EventType.RECEIVED: RECEIVED.path, EventType.DEIDENTIFIED: INSTANCES.path}


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Every asset there is, run on a small delivery and a release of it: asset to the events that its step left."""
    patch = pytest.MonkeyPatch()
    patch.setattr("assets.training.here", trained_here)
    lake = Lake.open(tmp_path_factory.mktemp("coverage"))
    filled(lake)
    found = {}
    with instance(lake.settings) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        definitions = build(str(lake.settings.root))
        opened.add_dynamic_partitions(DELIVERIES.name, ["phantom-y"])
        opened.add_dynamic_partitions(RELEASES.name, ["demo"])
        for asset in in_order(definitions):
            before = ledger.size(lake)
            ran(definitions, asset, opened)
            left = [json.loads(entry["event"]) for entry in ledger.entries(lake, before)]
            found |= {key.to_user_string(): left for key in asset.keys}
    patch.undo()
    return lake, found


def trained_here(_context, lake, job, _ranks):
    """A training in this process: what it leaves on the record is the same, and no process must be started."""
    from training.run import run

    result = run({"root": lake.open().settings.root, **job}, lambda _event: None)
    return {"folder": dg.MetadataValue.path(str(result.folder))}


def filled(lake):
    config = PhantomConfig(
        "phantom-y", seed=5, subjects=3, matrix=32, slices=8, labelled=1.0, body_parts=(BodyPart.HEAD,)
    )
    generate(lake.landing / "phantom-y", lake.settings.root / "answers", config)
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    wanted = spec().model_copy(update={"splits": Splits(train=0.34, validation=0.33, test=0.33)})
    path = Path(spec_path(lake, wanted.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted.write(path)


def in_order(definitions):
    """Everything that can be materialized, what is needed first."""
    made = {}
    for asset in definitions.assets:
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable:
            made |= dict.fromkeys(asset.keys, asset)
    order = definitions.resolve_asset_graph().toposorted_asset_keys
    return list(dict.fromkeys(made[key] for key in order if key in made))


def ran(definitions, asset, opened):
    partition = {DELIVERIES: "phantom-y", RELEASES: "demo"}.get(asset.partitions_def)
    config = {asset.op.name: {"config": CONFIG[asset.op.name]}} if asset.op.name in CONFIG else {}
    run = dg.materialize(
        [*definitions.assets, *definitions.asset_checks],
        selection=dg.AssetSelection.assets(*asset.keys),
        partition_key=partition,
        instance=opened,
        resources=definitions.resources,
        run_config={"ops": config},
    )
    assert run.success


def test_every_asset_that_touches_data_leaves_an_event(events):
    _, found = events
    assert WITHOUT.keys() <= found.keys(), "an exception for an asset that is not there any more"
    silent = sorted(asset for asset, left in found.items() if not left and asset not in WITHOUT)
    assert not silent, f"{silent}: emit an event of lineage.ledger.events where the work is done"


def test_a_table_s_event_names_the_table(events):
    _, found = events
    for table in (table.path for table in TABLES if table.path in found and table.path not in WITHOUT):
        named = {
            name
            for event in found[table]
            for name in (event["facts"].get("table"), event["facts"].get("target"), TABLE_OF.get(event["type"]))
        }
        assert table in named, table


def test_what_the_assets_did_agrees_with_the_tables(events):
    lake, _ = events
    assert reconciled(lake) == []


def test_the_run_leaves_the_events_that_an_auditor_asks_for(events):
    _, found = events
    left = {event["type"] for events in found.values() for event in events}
    wanted = {"received", "deidentified", "materialized", "released", "trained", "exposed", "evaluated", "accessed"}
    assert wanted <= left
