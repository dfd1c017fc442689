"""What the ledger said is found by what its events say, as if each of them were parsed."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.ledger import ledger
from lineage.ledger.commits import Log
from lineage.ledger.events import EventType
from lineage.ledger.merkle import leaf_hash
from schemas.document import canonical_json

KEYS = ("delivery", "table")
FACTS = st.dictionaries(st.sampled_from([*KEYS, "release"]), st.sampled_from(["a", "b", 'with "quotes"', "ü\n"]))
NESTED = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["a", "b"]))


def _record(facts):
    """A record of events that say these facts."""
    texts = [canonical_json({"facts": said, "principal": "p", "time": "t", "type": "materialized"}) for said in facts]
    columns = [list(range(len(facts))), ["t"] * len(facts), ["materialized"] * len(facts), texts]
    types = [pa.int64(), pa.string(), pa.string(), pa.string()]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return Record(pa.Table.from_arrays(arrays, names=["sequence", "time", "type", "event"]), (), None)


@settings(deadline=None)
@given(st.lists(st.builds(lambda said, inner: said | {"digests": inner}, FACTS, NESTED), max_size=8), st.booleans())
def test_the_newest_is_found_as_if_every_event_were_parsed(facts, both):
    names = KEYS if both else KEYS[:1]
    record = _record(facts)
    expected = {tuple(f[n] for n in names): i for i, f in enumerate(facts) if all(n in f for n in names)}
    assert record.places(EventType.MATERIALIZED, *names) == expected
    for values, place in expected.items():
        found = record.newest(EventType.MATERIALIZED, **dict(zip(names, values, strict=True)))
        assert (found.sequence, found.facts) == (place, facts[place])


def test_of_another_type_there_is_none():
    record = _record([{"delivery": "a"}])
    assert record.newest(EventType.RECEIVED, delivery="a") is None
    assert record.newest(EventType.MATERIALIZED, delivery="b") is None


def test_entries_and_their_leaves_are_those_of_the_log(sealed):
    record = Record.of(Past.of(sealed))
    assert record.size == ledger.size(sealed)
    assert record.leaves == [leaf_hash(entry.text.encode()) for entry in record.at(range(record.size))]
    assert record.root == ledger.root(sealed)
    assert {entry.principal for entry in record.of_type(EventType.MATERIALIZED)} == {"tester"}


def test_leaves_are_those_of_the_entries_that_were_there(sealed):
    record = Record.of(Past.of(sealed))
    ledger.append(sealed, "materialized", {"table": "curated/volumes", "delivery": "later", "rows": 1})
    assert len(record.leaves) == record.size == ledger.size(sealed) - 1


def test_entries_between_two_times_are_told_by_their_places(sealed):
    record = Record.of(Past.of(sealed))
    times = record.rows["time"].to_pylist()
    assert record.between(times[3], times[9]) == range(times.index(times[3]), len(times) - times[::-1].index(times[9]))
    assert len(record.between("9", "9z")) == 0


def test_a_damaged_log_shows_nothing(sealed):
    part = next(path for path in Log.of(sealed).ledger.path.iterdir() if path.suffix == ".parquet")
    part.write_bytes(part.read_bytes()[:40])
    record = Record.of(Past.of(sealed))
    assert (record.size, record.types, record.leaves) == (0, [], [])
