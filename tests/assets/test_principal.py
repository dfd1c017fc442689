"""A run that a proxy's user started acts for that user; one whose user nobody named acts for nobody."""

import dagster as dg

from assets.resources import USER_TAG, LakeResource
from lineage.ledger import ledger
from lineage.principal import principal
from orchestration.coordinator import UNNAMED


@dg.asset
def seen(lake: LakeResource) -> dg.MaterializeResult:
    opened = lake.open()
    ledger.append(opened, "materialized", {"table": "curated/volumes"})
    return dg.MaterializeResult(metadata={"principal": principal(opened), "process": str(lake.environment())})


def _run(root, tags, raise_on_error=True):
    resources = {"lake": LakeResource(root=str(root))}
    return dg.materialize([seen], resources=resources, tags=tags, raise_on_error=raise_on_error)


def _told(result):
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_the_tag_of_a_run_is_who_acts_and_wins_over_the_service(lake, monkeypatch):
    monkeypatch.setenv("LARMOR_PRINCIPAL", "service")
    told = _told(_run(lake.settings.root, {USER_TAG: "ada@example.org"}))
    assert told == {"principal": "ada@example.org", "process": "{'LARMOR_PRINCIPAL': 'ada@example.org'}"}
    (entry,) = ledger.entries(lake)
    assert '"principal":"ada@example.org"' in entry["event"]


def test_a_run_without_a_tag_acts_for_whoever_runs_it(lake, monkeypatch):
    monkeypatch.setenv("LARMOR_PRINCIPAL", "service")
    assert _told(_run(lake.settings.root, {})) == {"principal": "service", "process": "{}"}


def test_a_run_whose_user_the_proxy_did_not_name_does_nothing(lake):
    result = _run(lake.settings.root, {USER_TAG: UNNAMED}, raise_on_error=False)
    assert not result.success
    assert ledger.size(lake) == 0
