"""Dagster's home opens again after the process that made it was killed, and keeps what a finished one holds."""

import sqlite3

from orchestration.instance import instance, prepare


def test_databases_that_were_half_made_are_made_anew(lake):
    with instance(lake.settings):
        pass
    home = prepare(lake.settings)
    with sqlite3.connect(home / "history" / "runs" / "index.db") as database:
        database.execute("DROP TABLE dynamic_partitions")
        database.execute("DROP TABLE alembic_version")
    (home / ".making").touch()
    with instance(lake.settings) as opened:
        opened.add_dynamic_partitions("deliveries", ["a"])
        assert opened.get_dynamic_partitions("deliveries") == ["a"]
    assert not (home / ".making").exists()


def test_what_a_finished_home_holds_stays(lake):
    with instance(lake.settings) as opened:
        opened.add_dynamic_partitions("deliveries", ["a"])
    with instance(lake.settings) as opened:
        assert opened.get_dynamic_partitions("deliveries") == ["a"]
