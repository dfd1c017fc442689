"""What a table keeps on disk is known file by file: of the newest version, of older ones, and of nobody."""

from deltalake import DeltaTable

from lake.files import commits, data_files, log_files
from schemas.tables import REPORTS


def _row(subject):
    text = dict.fromkeys(("study", "report", "source", "text", "licence", "policy"), "x")
    return {"subject": subject, "removed": 0} | text


def _write(table, delivery, *subjects):
    return table.write([_row(subject) for subject in subjects], {"delivery": delivery})


def test_a_replaced_file_is_kept_for_the_versions_that_need_it(lake):
    table = lake.table(REPORTS)
    first = table.replace({"delivery": "a"}, [_write(table, "a", "S1", "S2")])
    second = table.replace({"delivery": "b"}, [_write(table, "b", "S1")])
    third = table.replace({"delivery": "a"}, [_write(table, "a", "S2")])
    orphan = _write(table, "a", "S9")
    files = {(f.partition["delivery"], f.since, f.until): f for f in data_files(table)}
    assert set(files) == {("a", first, third), ("b", second, None), ("a", third, None), ("a", None, None)}
    old, newest = files["a", first, third], files["a", third, None]
    assert (old.rows, newest.rows, files["a", None, None].rows) == (2, 1, 1)
    assert [old.in_version(v) for v in (0, first, second, third)] == [False, True, True, False]
    assert (old.newest, newest.newest, files["a", None, None].orphan) == (False, True, True)
    assert files["a", None, None].path == table.location.path / orphan.path
    for version in range(third + 1):
        assert sorted(f.path for f in data_files(table) if f.in_version(version)) == sorted(
            table.files(version=version)
        )


def test_a_file_that_was_cleaned_up_is_named_and_not_on_disk(lake):
    table = lake.table(REPORTS)
    table.replace({"delivery": "a"}, [_write(table, "a", "S1")])
    (gone,) = table.files()
    table.replace({"delivery": "a"}, [_write(table, "a", "S2")])
    gone.unlink()
    assert {f.path == gone: f.on_disk for f in data_files(table)} == {True: False, False: True}


def test_a_file_cut_off_in_writing_is_found_before_any_commit(lake):
    table = lake.table(REPORTS)
    part = _write(table, "a", "S1")
    path = table.location.path / part.path
    path.write_bytes(path.read_bytes()[:50])
    (found,) = data_files(table)
    assert (found.orphan, found.rows, found.bytes, dict(found.partition)) == (True, 0, 50, {"delivery": "a"})
    assert log_files(table) == []


def test_an_expired_beginning_of_the_log_hides_no_file(lake):
    table = lake.table(REPORTS)
    for number in range(7):
        table.replace({"delivery": f"d{number % 3}"}, [_write(table, f"d{number % 3}", "S1")])
        if number == 4:
            DeltaTable(table.location.uri).create_checkpoint()
    live = sorted(table.files())
    for path in log_files(table):
        if path.suffix == ".json" and path.stem.isdigit() and int(path.stem) < 5:
            path.unlink()
    files = data_files(table)
    assert sorted(f.path for f in files if f.newest) == live
    assert sorted(f.path for f in files) == sorted(table.location.path.rglob("part-*.parquet"))
    assert next(iter(commits(table)))[0] == 5
