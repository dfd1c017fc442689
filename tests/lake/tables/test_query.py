"""Questions in SQL: right answers from the newest or a pinned version, and nothing that writes, shows bytes or PHI."""

import pyarrow as pa
import pytest

from benchmarks.lake_scale import build
from lake.tables.migrations import upgrade
from lake.tables.query import QueryError
from lake.zones import Lake
from lineage.terms.refusal import Refusal
from schemas.roles import Roles
from schemas.tables import ACCESS, IDENTIFIERS, SERIES, TABLES
from tests import older
from tests.older import OLDER


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    lake = Lake.open(tmp_path_factory.mktemp("asked"))
    build(lake, deliveries=3)
    return lake


def test_counts_equal_those_of_the_rows(asked):
    rows = asked.table(SERIES).rows(["licence", "age", "contrast"])
    found = asked.sql("SELECT licence, count(*) AS n FROM series WHERE age >= 50 AND contrast = 'T1' GROUP BY licence")
    wanted = {}
    for row in rows:
        if row["age"] >= 50 and row["contrast"] == "T1":
            wanted[row["licence"]] = wanted.get(row["licence"], 0) + 1
    assert {row["licence"]: row["n"] for row in found.to_pylist()} == wanted


def test_rows_of_a_subject_have_the_types_of_the_contract_and_no_bytes(asked):
    subject = asked.table(SERIES).rows(["subject"])[0]["subject"]
    found = asked.sql(f"SELECT * FROM instances WHERE subject = '{subject}'")
    assert found.num_rows == 50
    assert "dicom" not in found.column_names
    assert found.schema.field("subject").type == pa.string()
    joined = asked.sql(
        "SELECT s.series FROM series s JOIN instances i USING (delivery, series) WHERE s.delivery = 'd000001'"
    )
    assert joined.num_rows == 1000


def test_a_pinned_version_is_asked_as_it_was(asked):
    version = asked.table(SERIES).version()
    part = asked.table(SERIES).write(
        asked.table(SERIES).read(partition={"delivery": "d000000"}).slice(0, 1), {"delivery": "new"}
    )
    asked.table(SERIES).replace({"delivery": "new"}, [part])
    assert asked.sql("SELECT count(*) AS n FROM series")["n"].to_pylist() == [301]
    assert asked.sql("SELECT count(*) AS n FROM series", {SERIES.path: version})["n"].to_pylist() == [300]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("DROP TABLE series", "may change something"),
        ("/* SELECT */ COPY (SELECT 1) TO '/x'", "may change something"),
        ("-- SELECT\nCREATE VIEW v AS SELECT 1", "may change something"),
        ("SELECT nope FROM series", "nope"),
        ("SELECT * FROM no_such_table", "no_such_table"),
        ("SELEC 1", "may change something"),
        ("", "cannot be answered"),
    ],
)
def test_what_is_no_question_is_refused(asked, question, told):
    with pytest.raises(QueryError, match=told):
        asked.sql(question)


CHANGED = [
    pytest.param(name, path, id=f"{name}-{path}")
    for name in OLDER
    for path in older.changed(name)
    if path.split("/")[0] in ("curated", "audit")
]


@pytest.mark.parametrize(("name", "path"), CHANGED)
def test_a_table_of_any_older_contract_answers_as_it_reads_before_and_after_it_is_brought_forward(tmp_path, name, path):
    lake, contract = Lake.open(tmp_path), next(table for table in TABLES if table.path == path)
    older.filled(lake, older.contracts(name)[path])
    plain = [column.name for column in contract.columns if not pa.types.is_binary(column.type)]
    read = lake.table(contract).read(plain)
    question = f"SELECT {', '.join(plain)} FROM {contract.name}"
    assert lake.sql(question).cast(read.schema).equals(read)
    upgrade(lake.table(contract))
    assert lake.sql(question).cast(read.schema).equals(read)
    assert lake.sql(question, {contract.path: 1}).cast(read.schema).equals(read), "as a release pins it"


def test_a_condition_sees_what_stands_for_a_value_in_older_rows(tmp_path):
    lake = Lake.open(tmp_path)
    older.filled(lake, older.contracts("spine")[SERIES.path])
    assert lake.sql("SELECT count(*) AS n FROM series WHERE fat_suppression = 'unknown'")["n"].to_pylist() == [1]


def test_an_error_quotes_no_value(asked):
    subject = asked.table(SERIES).rows(["subject"])[0]["subject"]
    with pytest.raises(QueryError) as error:
        asked.sql("SELECT CAST(subject AS INT) FROM series")
    assert subject[:3] not in str(error.value)


def test_the_restricted_zone_is_not_asked(asked):
    table = asked.table(IDENTIFIERS)
    table.replace({"delivery": "d"}, [table.write([{"subject": "S", "kind": "name", "value": "x"}], {"delivery": "d"})])
    with pytest.raises(QueryError, match="not found"):
        asked.sql("SELECT * FROM identifiers")


def accesses(lake):
    table = lake.table(ACCESS)
    return (
        [(r["subject_of_access"], r["rows"], r["purpose"]) for r in sorted(table.rows(), key=lambda r: r["time"])]
        if table.exists()
        else []
    )


def test_a_question_is_one_access_of_each_table_that_it_reads(asked):
    before = len(accesses(asked))
    found = asked.sql("SELECT series, count(*) AS instances FROM instances GROUP BY series", purpose="atlas study")
    assert accesses(asked)[before:] == [("curated/instances", found.num_rows, "atlas study")]
    asked.sql("WITH x AS (SELECT DISTINCT series FROM instances) SELECT s.series FROM series s JOIN x USING (series)")
    names = [name for name, _, purpose in accesses(asked)[before + 1 :] if purpose == "not stated"]
    assert sorted(names) == ["curated/instances", "curated/series"]


def test_what_reads_no_table_or_is_no_answer_leaves_no_access(asked):
    before = len(accesses(asked))
    assert asked.sql("SELECT 1 AS series")["series"].to_pylist() == [1]
    with pytest.raises(QueryError):
        asked.sql("SELECT nothing FROM series")
    assert len(accesses(asked)) == before


def test_whom_no_role_gives_the_zone_gets_no_answer(asked, tmp_path):
    member = {"members": ["ada"], "zones": [], "reads": ["audit"]}
    Roles.model_validate({"roles": {"scientist": member}}).write(tmp_path / "roles.yaml")
    ada = Lake.open(asked.settings.root, principal="ada", roles=tmp_path / "roles.yaml")
    for question in ("SELECT count(*) FROM series", "EXPLAIN SELECT * FROM series"):
        with pytest.raises(Refusal, match="roles, curated"):
            ada.sql(question)
    ada.sql("SELECT count(*) FROM access")
