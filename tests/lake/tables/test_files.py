"""What a table keeps on disk is known file by file: of the newest version, of older ones, and of nobody."""

import hashlib
import random

from deltalake import DeltaTable

from lake.tables.files import commits, data_files, log_files
from lake.tables.written import Written
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
    assert files["a", None, None].path == orphan.path
    for version in range(third + 1):
        assert sorted(f.path for f in data_files(table) if f.in_version(version)) == sorted(
            table.names(version=version)
        )


def test_a_file_that_was_cleaned_up_is_named_and_not_on_disk(lake):
    table = lake.table(REPORTS)
    table.replace({"delivery": "a"}, [_write(table, "a", "S1")])
    (gone,) = table.names()
    table.replace({"delivery": "a"}, [_write(table, "a", "S2")])
    table.location.delete(gone)
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
    live = sorted(table.names())
    for name in (found.name for found in log_files(table)):
        if name.endswith(".json") and name[:20].isdigit() and int(name[:20]) < 5:
            table.location.join("_delta_log").delete(name)
    files = data_files(table)
    assert sorted(f.path for f in files if f.newest) == live
    assert sorted(f.path for f in files) == [name for name in table.location.walk() if "/part-" in name]
    assert next(iter(commits(table)))[0] == 5


def test_every_file_is_known_by_its_digest_from_the_moment_it_was_written(lake):
    table = lake.table(REPORTS)
    worker = Written([_write(table, "a", "S1"), _write(table, "a", "S2")])
    worker.hand(REPORTS, [_row("S3")])
    driver = Written.of(worker.batch())
    driver.commit(table, {"delivery": "a"})
    stray = _write(table, "b", "S9")
    found = {file.path: file.sha256 for file in data_files(table)}
    assert found.pop(stray.path) is None
    assert len(found) == 3
    assert found == {path: hashlib.sha256(table.location.read_bytes(path)).hexdigest() for path in found}


def test_a_large_file_is_hashed_to_its_end(lake):
    table = lake.table(REPORTS)
    row = _row("S1") | {"text": random.Random(0).randbytes(4 << 20).hex()}
    part = table.write([row], {"delivery": "a"})
    assert part.bytes > 2 << 20
    assert part.sha256 == hashlib.sha256(table.location.read_bytes(part.path)).hexdigest()
