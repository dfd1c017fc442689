"""Questions in SQL: right answers from the newest or a pinned version, and nothing that writes, shows bytes or PHI."""

import pyarrow as pa
import pytest

from benchmarks.lake_scale import build
from lake.tables.query import QueryError
from schemas.tables import IDENTIFIERS, SERIES


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    from lake.zones import Lake

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
