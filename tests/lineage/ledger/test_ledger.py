"""Every process that appends gets its own place in one gapless log, and nothing that may identify anyone gets in."""

import ast
import json
import subprocess
import sys
import threading
from pathlib import Path

import deltalake
import pytest

from lake.zones import Lake
from lineage.ledger import commits, ledger
from lineage.ledger.commits import Log
from lineage.ledger.events import _DECLARED, _FIELDS, _KINDS, EventError, EventType, ending, event, fields
from lineage.ledger.merkle import leaf_hash, root
from lineage.ledger.seals import seal
from lineage.ledger.statements import numbers
from lineage.ledger.verify import verify
from schemas.tables import LEDGER

PROJECT = Path(__file__).parents[3]
EMITTERS = ("append", "append_many", "recorded")

SERIES = {"table": "curated/series"}
DIGEST = "0" * 64
NO_NAME = {"delivery": "DOE^JANE"}
RELEASED = {"release": "r", "release_sha256": DIGEST, "members_sha256": DIGEST}


WRITER = """
import sys
from lake.zones import Lake
from lineage.ledger import ledger
lake = Lake.open(sys.argv[1], principal=f"writer-{sys.argv[2]}")
for number in range(10):
    ledger.append(lake, "materialized", {"table": "curated/series", "version": number})
"""


def test_processes_that_append_at_once_make_one_gapless_log(tmp_path):
    # processes of their own: a forked copy of this one could not use deltalake, whose threads do not survive a fork
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, str(who)]) for who in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    lake = Lake.open(tmp_path)
    entries = ledger.entries(lake)
    assert [entry["sequence"] for entry in entries] == list(range(40))
    said = [json.loads(entry["event"]) for entry in entries]
    for who in range(4):
        versions = [e["facts"]["version"] for e in said if e["principal"] == f"writer-{who}"]
        assert versions == list(range(10))
    verdict = verify(lake)
    assert (verdict.ok, verdict.unconfirmed, verdict.leftovers) == (True, 0, ())


def test_events_of_one_append_stand_together_and_keep_their_order(lake):
    assert ledger.append(lake, "materialized", SERIES) == 0
    assert ledger.append_many(lake, [("materialized", SERIES | {"version": n}) for n in range(5)]) == 5
    assert [json.loads(e["event"])["facts"]["version"] for e in ledger.entries(lake, 1)] == [0, 1, 2, 3, 4]
    assert [e["sequence"] for e in ledger.entries(lake, 2, 3)] == [2, 3]
    assert ledger.size(lake) == 6
    leaves = [leaf_hash(e["event"].encode()) for e in ledger.entries(lake)]
    assert ledger.root(lake) == root(leaves).hex()
    assert [leaf.hex() for leaf in leaves] == [e["leaf"] for e in ledger.entries(lake)]


def test_nothing_is_appended_where_one_event_of_many_is_refused(lake):
    with pytest.raises(EventError):
        ledger.append_many(lake, [("materialized", SERIES), ("materialized", SERIES | NO_NAME)])
    with pytest.raises(ValueError, match="no event"):
        ledger.append_many(lake, [])
    assert ledger.size(lake) == 0


def test_log_opens_with_another_reader(lake):
    ledger.append(lake, "materialized", SERIES)
    table = deltalake.DeltaTable(lake.table(LEDGER).location.uri)
    assert table.version() == 1
    assert table.metadata().configuration["delta.checkpointInterval"] == "1000000000"


def test_writer_overtaken_while_it_writes_the_head_leaves_the_newest_digest(lake, monkeypatch):
    ledger.append(lake, "materialized", SERIES)
    log = Log.of(lake)
    stale = log.seals.read_bytes(commits.HEAD)
    ledger.append(lake, "materialized", SERIES)
    log.seals.write_bytes(commits.HEAD, stale)  # what a slow writer does at last
    assert commits.tip(log).version == 2
    assert commits.tip(log).head.version == 1
    commits.confirm(log)
    assert commits.tip(log).head.version == 2


def test_seals_made_at_once_follow_each_other(lake):
    def work(number):
        ledger.append(lake, "materialized", SERIES | {"version": number})
        seal(lake)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = verify(lake)
    assert (verdict.ok, verdict.entries, verdict.unsealed) == (True, 4, 0), verdict.findings
    assert numbers(Log.of(lake)) == list(range(1, verdict.seals + 1))


def test_seal_without_news_is_the_last_one(lake):
    ledger.append(lake, "materialized", SERIES)
    first = seal(lake)
    assert seal(lake) == first
    assert (first.size, first.root) == (1, ledger.root(lake))
    with pytest.raises(ValueError, match="empty ledger"):
        seal(Lake.open(lake.settings.root / "other"))


@pytest.mark.parametrize(
    ("type_", "facts", "said"),
    [
        ("materialized", SERIES | NO_NAME, "another kind of value in 'delivery'"),
        ("materialized", SERIES | {"comment": "x"}, "does not declare"),
        ("materialized", {}, r"no \['table'\]"),
        ("materialized", SERIES | {"rows": 1.5}, "an integer from 0"),
        ("materialized", SERIES | {"rows": True}, "an integer from 0"),
        ("materialized", {"table": "/mnt/landing/DOE_JANE/1.dcm"}, "<zone>/<table>"),
        ("released", RELEASED | {"licences": {"a": "1"}}, "digests"),
        ("accessed", {"action": "read", "target": "r", "rows": 1, "purpose": "for DOE^JANE"}, "letters"),
        ("gossiped", {}, "unknown type"),
    ],
)
def test_event_that_could_carry_an_identity_is_refused_without_quoting_it(type_, facts, said):
    with pytest.raises(EventError, match=said) as refusal:
        event(type_, facts, principal="tester", time="2026-01-01T00:00:00Z")
    assert "DOE" not in str(refusal.value)


def test_every_declared_field_has_a_kind_and_every_kind_a_field():
    declared = {name for type_ in EventType for group in fields(type_) for name in group}
    assert declared <= _FIELDS.keys()
    assert set(_FIELDS.values()) <= _KINDS.keys()
    assert set(_DECLARED) == set(EventType)


def test_event_ends_with_time_and_type_whatever_its_facts():
    text = event("materialized", SERIES | {"delivery": "type"}, principal="tester", time="2026-01-01T00:00:00Z")
    assert text.endswith(ending("materialized", "2026-01-01T00:00:00Z"))
    assert not text.endswith(ending("released", "2026-01-01T00:00:00Z"))
    assert json.loads(text)["facts"] == SERIES | {"delivery": "type"}


def test_facts_of_value_none_are_left_out():
    text = event("materialized", SERIES | {"rows": None}, principal="tester", time="t")
    assert json.loads(text)["facts"] == SERIES


def test_every_declared_type_is_emitted_somewhere():
    emitted = set()
    for room in ("lineage", "stages", "training", "assets", "orchestration"):
        for path in (PROJECT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in EMITTERS:
                    emitted |= {name for name in EventType.__members__ if f"EventType.{name}" in ast.unparse(node)}
    assert emitted == set(EventType.__members__)
