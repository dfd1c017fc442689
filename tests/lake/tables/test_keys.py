"""Where a value is: found whatever was added, replaced or lost since the last question."""

import pytest

from lake.tables.keys import FOLDER, Holders
from lake.voxels.sources import LocalFiles
from schemas.tables import REPORTS


def put(lake, delivery, subjects):
    table = lake.table(REPORTS)
    row = {"study": "1", "source": "report", "text": "x", "removed": 0, "licence": "l", "policy": "p"}
    rows = [row | {"subject": subject, "report": str(n)} for n, subject in enumerate(subjects)]
    table.replace({"delivery": delivery}, [table.write(rows, {"delivery": delivery})])


def where(lake, subject):
    return [file.partition["delivery"] for file in Holders.open(lake.table(REPORTS), "subject").of(subject)]


def kept(lake):
    return lake.table(REPORTS).source.names(f"{FOLDER}/subject")


def test_a_value_is_found_in_every_delivery_that_holds_it(lake):
    assert where(lake, "S1") == []
    put(lake, "a", ["S1", "S2"])
    put(lake, "b", ["S2", "S2"])
    assert where(lake, "S2") == ["a", "b"]
    put(lake, "c", ["S2"])
    put(lake, "a", ["S3"])
    assert where(lake, "S1") == []
    assert where(lake, "S2") == ["b", "c"]
    assert where(lake, " s3 ") == ["a"]


def test_few_lists_are_kept_however_many_deliveries_come(lake):
    for number in range(40):
        put(lake, f"d{number:02}", [f"S{number}", "S"])
        assert where(lake, f"S{number}") == [f"d{number:02}"]
    assert len(where(lake, "S")) == 40
    assert len(kept(lake)) <= 4


def test_what_is_gone_is_forgotten(lake):
    put(lake, "a", ["S1"])
    put(lake, "b", ["S1"])
    where(lake, "S1")
    gone = {file.path for file in lake.table(REPORTS).live({"delivery": "a"}).values()}
    lake.table(REPORTS).replace({"delivery": "a"}, [])
    assert where(lake, "S1") == ["b"]
    source = lake.table(REPORTS).source
    assert not [
        name for name in kept(lake) if any(path.encode() in source.read(f"{FOLDER}/subject/{name}")[0] for path in gone)
    ]


@pytest.mark.parametrize("harm", ["damaged", "lost", "not kept"])
def test_a_list_is_made_again(lake, harm, monkeypatch):
    put(lake, "a", ["S1"])
    if harm == "not kept":

        def full(*_):
            raise OSError("no space left")

        monkeypatch.setattr(LocalFiles, "write", full)
    where(lake, "S1")
    folder = lake.table(REPORTS).location.join(FOLDER, "subject")
    for name in kept(lake):
        if harm == "damaged":
            folder.write_bytes(name, folder.read_bytes(name)[:-3] + b"xyz")
        else:
            folder.delete(name)
    assert where(lake, "S1") == ["a"]
    assert where(lake, "S2") == []


def test_some_of_many_holders_are_the_same_ones_whenever_they_came(lake):
    names = [f"d{number:02}" for number in range(30)]
    for name in names:
        put(lake, name, ["S"])
        where(lake, "S")

    def some(number):
        found = Holders.open(lake.table(REPORTS), "subject").some("S", number)
        return [file.partition["delivery"] for file in found]

    first = some(5)
    assert len(set(first)) == 5
    assert first not in (names[:5], names[-5:])
    assert some(30) == some(99)
    assert sorted(some(99)) == names
    put(lake, names[3], ["S"])
    assert some(5) == first
    assert Holders.open(lake.table(REPORTS), "subject").some("nobody", 5) == []
