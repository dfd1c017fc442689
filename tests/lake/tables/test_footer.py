"""A part file of voxels says whose rows it holds."""

import pyarrow as pa
import pytest

from lake.tables import footer
from lake.voxels.sources import UnreadableFile
from schemas.tables import SERIES, VOLUMES
from tests import synthetic

WANTED = pa.schema([VOLUMES.file_schema.field(name) for name in ("subject", "licence", "licences")])


@pytest.fixture
def written(lake):
    """A table with a part file of three rows, and the part."""
    rows = [
        synthetic.volume_row("a", subject, licences=parts)
        for subject, parts in (("S1", ["one", "zwö"]), ("S2", []), ("S3", None))
    ]
    return lake.table(VOLUMES), lake.table(VOLUMES).write(rows, {"delivery": "a"})


def _said(table, path, schema=WANTED):
    return footer.read(table.source, path, (table.location.path / path).stat().st_size, schema)


def test_it_says_what_its_rows_say(written):
    table, part = written
    rows = table.source.parquet(part.path).read(columns=WANTED.names)
    assert _said(table, part.path).equals(rows.cast(WANTED))


def test_a_long_footer_is_read_whole(written, monkeypatch):
    table, part = written
    monkeypatch.setattr(footer, "_TAIL", 64)
    assert _said(table, part.path)["subject"].to_pylist() == ["S1", "S2", "S3"]


def test_the_same_rows_make_the_same_bytes(written):
    table, part = written
    again = table.write(table.source.parquet(part.path).read(), {"delivery": "a"})
    assert again.sha256 == part.sha256


def test_columns_that_no_footer_says_are_read_from_the_file(written):
    table, part = written
    assert _said(table, part.path, pa.schema([VOLUMES.file_schema.field("contrast")])) is None


def test_a_table_without_payload_says_nothing(lake):
    table = lake.table(SERIES)
    part = table.write([synthetic.series_row(synthetic.volume_row("a", "S1"))], {"delivery": "a"})
    assert _said(table, part.path, pa.schema([SERIES.file_schema.field("subject")])) is None


@pytest.mark.parametrize("kept", [4, 100, -9], ids=["hardly anything", "the beginning", "all but its end"])
def test_a_file_that_was_cut_off_says_nothing(written, kept):
    table, part = written
    path = table.location.path / part.path
    path.write_bytes(path.read_bytes()[:kept])
    assert _said(table, part.path) is None


def test_an_empty_file_is_told(written):
    table, part = written
    (table.location.path / part.path).write_bytes(b"")
    with pytest.raises(UnreadableFile):
        _said(table, part.path)


def test_rows_that_are_written_again_say_what_is_left(written):
    table, part = written
    rows = table.source.parquet(part.path).read()
    again = table.write(rows.slice(1), {"delivery": "a"})
    assert _said(table, again.path)["subject"].to_pylist() == ["S2", "S3"]
    assert b'"S1"' not in (table.location.path / again.path).read_bytes()
