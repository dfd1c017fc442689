"""A reader that has opened volumes while others rewrite and clean up the table: right voxels, or an error."""

import numpy as np
import pytest

from lake.engines.local import LocalEngine
from lake.tables.compaction import optimize
from lake.tables.upkeep import vacuum
from lake.voxels.payload import PayloadError
from lake.voxels.volumes import Volumes
from schemas.tables import LABELS
from tests.lake.conftest import labelled


@pytest.fixture
def table(lake):
    labelled(lake, "a", ["a1", "a2"], seed=1)
    return lake.table(LABELS)


def arrays(lake):
    return labelled(lake, "a", ["a1", "a2"], seed=1)


def test_optimize_beside_a_reader_changes_nothing_for_it(lake, table):
    wanted = arrays(lake)
    opened = Volumes.open(table.location.uri)
    optimize(table, LocalEngine(1))
    for name, array in wanted.items():
        assert (opened.array(name) == array).all()
        assert (Volumes.open(table.location.uri).array(name) == array).all()


def test_a_replaced_delivery_stays_readable_to_those_who_opened_it_until_it_is_cleaned_up(lake, table):
    wanted = arrays(lake)
    opened = Volumes.open(table.location.uri)
    started = Volumes.open(table.location.uri)
    assert (started.array("a1") == wanted["a1"]).all()
    later = labelled(lake, "a", ["a1", "a2"], seed=2)
    assert (opened.array("a2") == wanted["a2"]).all(), "the version that was opened, not the newest"
    vacuum(table, hours=0, nobody_writes=True)
    # a file that is mapped stays; one that was not opened yet is gone, and says so
    assert (started.array("a1") == wanted["a1"]).all()
    with pytest.raises(FileNotFoundError):
        Volumes.open(table.location.uri, version=opened.version)
    fresh = Volumes.open(table.location.uri)
    assert all((fresh.array(name) == array).all() for name, array in later.items())


def test_a_reader_beside_many_rewrites_never_sees_voxels_of_another_version(lake, table):
    """At each step every reader that was ever opened gives its own version's voxels or an error, never a mixture."""
    readers = []
    for seed in range(6):
        wanted = labelled(lake, "a", ["a1", "a2"], seed=seed)
        readers.append((Volumes.open(table.location.uri), wanted))
        if seed % 2:
            optimize(table, LocalEngine(1))
        if seed == 3:
            vacuum(table, hours=0, nobody_writes=True)
        for reader, own in readers:
            for name, array in own.items():
                try:
                    read = reader.array(name)
                except (FileNotFoundError, PayloadError):
                    continue
                assert np.array_equal(read, array)
    assert np.array_equal(readers[-1][0].array("a1"), readers[-1][1]["a1"])
