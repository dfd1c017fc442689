"""What tables hold is counted as a plain reading of every row of every file would count it."""

import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.tables.files import data_files
from lake.zones import Lake
from lineage.withdrawal.belonging import Keys, Kind, Scope, columns
from lineage.withdrawal.holdings import asked, held
from schemas.tables import RECEIVED, VOLUMES
from tests import synthetic

PARTS = {"delivery": "source_deliveries", "licence": "licences"}
DELIVERIES, PEOPLE, LICENCES = ["a", "b"], ["S1", "S2", "S3"], ["open-licence", "other-licence"]

PART = st.lists(st.sampled_from(DELIVERIES), max_size=2)
MEMBER = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(LICENCES), st.none() | PART)
COMMIT = st.tuples(
    st.sampled_from(["replace", "leave behind"]), st.sampled_from(DELIVERIES), st.lists(MEMBER, min_size=1, max_size=4)
)
SCOPE = st.one_of(
    st.builds(Scope, st.just(Kind.SUBJECT), st.sampled_from([*PEOPLE, "S9"])),
    st.builds(Scope, st.just(Kind.DELIVERY), st.sampled_from(DELIVERIES)),
    st.builds(Scope, st.just(Kind.LICENCE), st.sampled_from(LICENCES)),
)


def _rows(delivery, members, *, named):
    """Rows of a volume, an instance, a received file and a decision for each member."""
    volumes = [
        synthetic.volume_row(delivery, subject, "T1", of, source_deliveries=parts, licences=None if parts else [of])
        for subject, of, parts in members
    ]
    received = [
        {"delivery": delivery, "path": f"{n}.dcm", "bytes": 10, "sha256": "0" * 64, "content": "dicom",
         "outcome": "kept", "licence": row["licence"], "series": row["series"],
         "subject": row["subject"] if named or n % 2 else None}
        for n, row in enumerate(volumes)
    ]  # fmt: skip
    return volumes, received


def _committed(lake, how, delivery, members, *, named):
    volumes, received = _rows(delivery, members, named=named)
    for table, rows in ((VOLUMES, volumes), (RECEIVED, received)):
        if how == "replace":
            synthetic.put(lake, table, delivery, rows)
        else:
            lake.table(table).append([])
            lake.table(table).write(rows, {"delivery": delivery})


def _plain(lake, scope):
    """Rows in each file and persons inside and outside, one row after the other."""
    keys, counts, inside, outside = Keys(), {}, set(), set()
    for table in asked(scope):
        for file in (file for file in data_files(lake.table(table)) if file.on_disk):
            rows = pq.read_table(lake.table(table).location.path / file.path, partitioning=None).to_pylist()
            rows = [{name: (row | file.partition).get(name) for name in columns(table)} for row in rows]
            mine = [row for row in rows if _belongs(row, scope, keys)]
            for row in mine:
                _note(row, scope, keys)
            counts[table.path, file.path] = len(mine)
            inside |= {row.get("subject") for row in mine} - {None}
            outside |= {row.get("subject") for row in rows if row not in mine} - {None}
    return {place: count for place, count in counts.items() if count}, inside, outside


def _belongs(row, scope, keys):
    if row.get(scope.kind) is not None:
        return row[scope.kind] == scope.value or scope.value in (row.get(PARTS.get(scope.kind)) or ())
    for name, known in keys.of():
        if row.get(name) is not None:
            return row[name] in known.get(row["delivery"], ())
    return False


def _note(row, scope, keys):
    if row.get(scope.kind, scope.value) not in (None, scope.value):
        return  # a part of it came from there: what it stands under is another's
    for name, known in keys.of():
        if row.get(name) is not None:
            known.setdefault(row["delivery"], set()).add(row[name])


def _counted(lake, scope):
    """The same of `held`: rows of the newest version by partition, and files of every kind."""
    found = held(lake, scope)
    live, files = {}, {}
    for holding in found.holdings:
        place = holding.table, tuple(sorted(holding.partition.items()))
        live[place] = holding.rows
        files[place] = (holding.files, holding.older_files, holding.orphan_files)
    return live, files, found.subjects, found.elsewhere


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(COMMIT, min_size=1, max_size=4), SCOPE, st.booleans())
def test_it_is_what_reading_every_row_says(commits, scope, named):
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, principal="tester")
        for how, delivery, members in commits:
            _committed(lake, how, delivery, members, named=named)
        counts, inside, outside = _plain(lake, scope)
        live, files = {}, {}
        for table in asked(scope):
            for file in data_files(lake.table(table)):
                place = table.path, tuple(sorted(file.partition.items()))
                if count := counts.get((table.path, file.path)):
                    live[place] = live.get(place, 0) + (count if file.newest else 0)
                    before = files.get(place, (0, 0, 0))
                    kind = (file.newest, not file.newest and not file.orphan, file.orphan)
                    files[place] = tuple(b + k for b, k in zip(before, kind, strict=True))
        assert _counted(lake, scope) == (live, files, inside, outside)


def test_what_another_program_made_of_a_file_is_read_itself(lake):
    table = lake.table(VOLUMES)
    synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", "S1")])
    (path,) = table.files()
    rows = pq.read_table(path, partitioning=None)
    changed = rows.set_column(rows.column_names.index("subject"), "subject", pa.array(["S2"]))
    pq.write_table(changed, path.with_name("changed.parquet"))  # with the footer's words of S1
    assert [sum(h.orphan_files for h in held(lake, Scope(Kind.SUBJECT, who)).holdings) for who in ("S1", "S2")] == [
        0,
        1,
    ]
