"""From a lake's record to moves: what was read stays warm, what nobody needs goes cold, and the record says so."""

import datetime as dt
import json

import pytest

from lake.tiering.archived import places
from lake.tiering.mover import MoveRefused
from lake.tiering.tiers import price_book
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from lineage.access import accessed
from lineage.ledger.ledger import entries
from lineage.ledger.verify import verify
from schemas.tables import TIER_MOVES, VOLUMES
from schemas.tiering import Demand, Expected, Rule, TieringPolicy, When
from stages.upkeep import tiers
from tests import synthetic

COLD, FROZEN = "S3 Glacier Instant Retrieval", "S3 Glacier Deep Archive"
NOW = dt.datetime.now(dt.UTC).date()


@pytest.fixture
def tiered(tmp_path):
    lake = Lake.open(tmp_path / "lake", tiers={COLD: tmp_path / "cold", FROZEN: tmp_path / "frozen"})
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3"]})
    synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", "S1"), synthetic.volume_row("a", "S2")])
    return lake


@pytest.fixture
def cheap():
    """Prices without a smallest size, so that test files of some kilobytes behave as large ones do."""
    book = price_book()
    classes = [kind.model_copy(update={"minimum_bytes": 0, "overhead_bytes": 0, "overhead_standard_bytes": 0,
                                       "put_per_1000": 0.0, "get_per_1000": 0.0}) for kind in book.classes]  # fmt: skip
    return book.model_copy(update={"classes": classes})


def foresight(book):
    from lake.tiering.rules import policy

    return policy("foresight", book), book


def targets(made, contract=VOLUMES):
    return {each.path: each.target for table, each in made.advice.moves if table is contract}


def test_idle_files_go_cold_and_spare_ones_are_archived(tiered, cheap):
    made = tiers.plan(tiered, today=NOW + dt.timedelta(days=200), chosen=foresight(cheap))
    assert made.replayed
    assert made.possible
    found = targets(made)
    assert sorted(found.values()) == [FROZEN, COLD, COLD]
    assert made.advice.saved_month > 0
    assert all("no use is known" in each.why for _, each in made.advice.moves)
    rows = {row["way"]: row for row in made.comparison.rows()}
    assert rows["optimum"]["total"] <= rows["foresight"]["total"] <= rows["all in the first class"]["total"]


def test_a_known_training_keeps_its_files_warm_and_only_those(tiered, cheap):
    (tiered.settings.root / "tiers").mkdir()
    day = NOW + dt.timedelta(days=200)
    use = Expected(what=VOLUMES.path, first=day + dt.timedelta(days=1), days=30, passes=600)
    Demand(uses=[use]).write(tiered.settings.root / tiers.DEMAND)
    made = tiers.plan(tiered, today=day, chosen=foresight(cheap))
    assert set(targets(made).values()) == {FROZEN}
    synthetic.frozen(tiered)
    (tiered.settings.root / tiers.DEMAND).unlink()
    assert COLD in targets(tiers.plan(tiered, today=day, chosen=foresight(cheap))).values()
    queued = tiers.plan(tiered, ["cohort"], today=day, chosen=foresight(cheap))
    assert not {each for each in targets(queued).values() if each == COLD}


def test_recorded_reads_keep_a_table_warm(tiered, cheap):
    idle = tiers.plan(tiered, today=NOW + dt.timedelta(days=40), chosen=foresight(cheap))
    for _ in range(3):
        accessed(tiered, "read", VOLUMES.path, 3, "research")
    busy = tiers.plan(tiered, today=NOW + dt.timedelta(days=40), chosen=foresight(cheap))
    assert busy.advice.month_now > idle.advice.month_now


def test_moves_are_carried_out_once_and_recorded(tiered, cheap):
    before = Volumes(tiered).rows()
    chosen = foresight(cheap)
    day = NOW + dt.timedelta(days=200)
    made = tiers.plan(tiered, today=day, chosen=chosen)
    done = tiers.carry_out(tiered, made)
    assert len(done[VOLUMES.path].moved) == 3
    assert Volumes(tiered).rows() == before
    rows = tiered.table(TIER_MOVES).rows()
    assert len(rows) == sum(len(result.moved) for result in done.values()) == len(made.advice.moves)
    assert {row["policy"] for row in rows} == {chosen[0].digest}
    events = [json.loads(e["event"])["facts"] for e in entries(tiered) if e["type"] == "tier_moved"]
    assert sum(e["files"] for e in events) == len(rows)
    assert {e["tier"] for e in events} == {tiers.slug(COLD), tiers.slug(FROZEN)}
    assert verify(tiered).ok
    again = tiers.plan(tiered, today=day, chosen=chosen)
    assert VOLUMES not in [table for table, _ in again.advice.moves]


def test_a_release_is_ready_or_says_what_must_be_restored(tiered, cheap):
    synthetic.frozen(tiered)
    assert tiers.ready(tiered, "cohort") == []
    assert tiers.make_ready(tiered, "cohort") == {}
    tiers.carry_out(tiered, tiers.plan(tiered, today=NOW + dt.timedelta(days=200), chosen=foresight(cheap)))
    assert tiers.ready(tiered, "cohort") == [], "what a release needs is never archived"
    table = tiered.table(VOLUMES)
    assert {place.tier for place in places(table.source).values()} == {COLD, FROZEN}
    # the archive of an earlier time, or of another tool
    from dataclasses import replace

    from lake.tiering.archived import keep

    there = places(table.source)
    path = next(p for p, place in there.items() if place.tier == COLD)
    keep(table.location, there | {path: replace(there[path], hours=12.0)})
    assert tiers.ready(tiered, "cohort") == [(VOLUMES.path, path, 12.0)]


def test_restore_fetches_a_table_back(tiered, cheap):
    tiers.carry_out(tiered, tiers.plan(tiered, today=NOW + dt.timedelta(days=200), chosen=foresight(cheap)))
    (spare,) = [p for p, place in places(tiered.table(VOLUMES).source).items() if place.hours]
    done = tiers.restore(tiered, VOLUMES.path)
    assert [each.path for each in done[VOLUMES.path].moved] == [spare]
    assert (tiered.table(VOLUMES).location.path / spare).is_file()
    with pytest.raises(ValueError, match="no table and no release"):
        tiers.restore(tiered, "curated/nothing")


def test_licences_say_where_data_may_lie(tiered, cheap):
    chosen = TieringPolicy(
        name="strict", title="t", rules=[Rule(name="all", when=When(), tier=COLD, why="w")],
        licence_storage=[{"licences": ["open-*"], "tiers": ["S3 Standard"]}],
    )  # fmt: skip
    made = tiers.plan(tiered, today=NOW + dt.timedelta(days=40), chosen=(chosen, cheap))
    assert VOLUMES not in [table for table, _ in made.advice.moves]
    free = chosen.model_copy(update={"licence_storage": []})
    made = tiers.plan(tiered, today=NOW + dt.timedelta(days=40), chosen=(free, cheap))
    assert {each.why for table, each in made.advice.moves if table is VOLUMES} == {"rule all: w"}


def test_a_plan_that_would_archive_what_is_needed_is_not_made(tiered, cheap):
    chosen = TieringPolicy(name="wrong", title="t", rules=[Rule(name="all", when=When(), tier=FROZEN)])
    made = tiers.plan(tiered, today=NOW + dt.timedelta(days=40), chosen=(chosen, cheap))
    assert len(targets(made)) == 1
    try:
        tiers.carry_out(tiered, made)
    except MoveRefused as refused:
        pytest.fail(str(refused))
