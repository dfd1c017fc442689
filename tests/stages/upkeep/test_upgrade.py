"""A lake of an older version opens in this one: read as it is, brought forward once, run again, proved as before."""

import json
import multiprocessing
import os
import signal

import numpy as np
import pytest

from lake import Volumes
from lake.errors import TableNewer, TableOutdated
from lake.releases import Release
from lake.tables import log
from lake.tables.migrations import OPERATION
from lake.tables.upkeep import history
from lake.zones import Lake
from lineage.evidence.report import write
from lineage.ledger import ledger
from lineage.ledger.reconcile import reconciled
from lineage.ledger.verify import verify
from schemas.contract import Zone
from schemas.release import ReleaseSpec, Splits
from schemas.tables import QUARANTINE, SERIES, TABLES, VOLUMES
from stages.instances import deidentify
from stages.release import freeze
from stages.upkeep import upgrade
from stages.upkeep.upgrade import due, upgraded
from tests import older
from tests.older import OLDER, contracts, filled
from tests.stages.conftest import NAME, run

SPEC = ReleaseSpec(name="old", splits=Splits(train=0.6, validation=0.1, test=0.3), label_task="tissue")
LATER = ("format", "terms", "decision", "risk", "residual")
"""Fields that manifests of the first state of the project had not."""


def frozen_then(lake):
    """A release as it was frozen then: its manifest has none of the fields that came later."""
    name = freeze(lake, SPEC).name
    location = lake.location(Zone.CURATED, "releases", name)
    told = json.loads(location.read_bytes("manifest.json"))
    told = {key: value for key, value in told.items() if key not in LATER}
    told["spec"] = {key: value for key, value in told["spec"].items() if key not in ("k", "risk")}
    location.write_bytes("manifest.json", json.dumps(told).encode())
    release = Release.open(lake, name)
    ledger.append(lake, "released", {**facts(lake, "released")[-1], "release_sha256": release.sha256})
    return release


def facts(lake, type_):
    return [json.loads(entry["event"])["facts"] for entry in ledger.entries(lake) if entry["type"] == type_]


@pytest.mark.parametrize("name", OLDER)
def test_an_older_lake_opens_in_this_version(treated, tmp_path, name):
    lake = older.remade(treated.lake, tmp_path / "lake", name)
    release = frozen_then(lake)
    before = {volume: release.volumes().array(volume) for volume in release.volumes().ids}
    versions = {table.path: lake.table(table).version() for table in TABLES if lake.table(table).exists()}
    wanted = [path for path in older.changed(name) if path in versions]
    assert sorted(each.table for each in due(lake)) == sorted(wanted)
    with pytest.raises(TableOutdated, match="larmor upgrade"):
        lake.table(VOLUMES).replace({"delivery": NAME}, [])

    assert upgraded(lake) == {path: versions[path] + 1 for path in wanted}
    assert (due(lake), upgraded(lake)) == ([], {})
    told = [(each["table"], each["version"], each["action"], each["files"]) for each in facts(lake, "maintained")]
    assert told == [(path, versions[path] + 1, "upgrade", 0) for path in versions if path in wanted]
    assert verify(lake).ok
    assert reconciled(lake) == []

    release = Release.open(lake, release.name)
    for volume, array in before.items():
        np.testing.assert_array_equal(release.volumes().array(volume), array)
        np.testing.assert_array_equal(Volumes(lake).array(volume), array)
    assert len(release.described(list(before))) == len(before)
    assert lake.table(SERIES).read(version=versions[SERIES.path]) == lake.table(SERIES).read()
    assert write(lake).endswith(".html")


def test_a_delivery_of_an_older_lake_is_run_again(treated, tmp_path, no_faces):
    lake = older.remade(treated.lake, tmp_path / "lake", OLDER[0])
    release = frozen_then(lake)
    then = release.volumes().array(release.volumes().ids[0])
    upgraded(lake)
    with pytest.raises(TableOutdated, match=f"from its beginning .larmor run {NAME}."):
        deidentify(lake, NAME)
    run(lake)
    keys = ["series", "contrast_agent", "snr"]
    assert sorted(lake.table(SERIES).read(keys).to_pylist(), key=str) == sorted(
        treated.lake.table(SERIES).read(keys).to_pylist(), key=str
    ), "what was empty in older rows is there"
    assert Volumes(lake).ids == Volumes(treated.lake).ids
    assert reconciled(lake) == []
    np.testing.assert_array_equal(release.volumes().array(release.volumes().ids[0]), then)
    assert freeze(lake, SPEC.model_copy(update={"name": "new"})).volumes().ids


def small(root):
    """A lake of two older tables."""
    lake = Lake.open(root, principal="tester")
    for table in (QUARANTINE, SERIES):
        filled(lake, contracts(OLDER[0])[table.path])
    return lake


MOMENTS = ["before declare", "after declare", "before tell", "after tell"]


def _dies(root, moment):
    """Bring a lake forward and be killed in the middle."""
    when, what = moment.split()
    module, name = {"declare": (log, "declare"), "tell": (upgrade.ledger, "append_many")}[what]
    real = getattr(module, name)

    def killed(*arguments):
        if when == "after":
            real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, killed)
    upgraded(Lake.open(root, principal="tester"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_is_killed_is_done_by_the_same_command_again(tmp_path, moment):
    lake = small(tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=_dies, args=(tmp_path, moment))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    told = upgraded(lake)
    assert (told == {}) == (moment == "after tell")
    assert due(lake) == []
    for table in (QUARANTINE, SERIES):
        commits = [commit.operation for commit in history(lake.table(table))]
        assert commits.count(OPERATION) == 1, "nothing is done twice"
        assert lake.table(table).read([table.key[-1]]).num_rows == 1
    assert sorted(each["table"] for each in facts(lake, "maintained")) == [SERIES.path, QUARANTINE.path]
    assert verify(lake).ok


def test_of_a_lake_with_a_newer_table_nothing_is_changed(tmp_path):
    lake = small(tmp_path)
    table = lake.table(VOLUMES)
    table.append([])
    delta = table._delta()
    delta.alter.set_table_properties({"larmor.format": "9"}, raise_if_not_exists=False)
    versions = [lake.table(each).version() for each in (QUARANTINE, SERIES)]
    with pytest.raises(TableNewer, match="curated/volumes: found format 9"):
        upgraded(lake)
    assert [lake.table(each).version() for each in (QUARANTINE, SERIES)] == versions
    assert ledger.size(lake) == 0
