"""What tests of runs that are disturbed share: a nursery of warm processes, and a run that nobody disturbed."""

import pytest

from tests.kills import Nursery, landed, undisturbed


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """A process that forks warm children."""
    with Nursery(tmp_path_factory.mktemp("nursery")) as started:
        yield started


@pytest.fixture(scope="session")
def whole(nursery, tmp_path_factory):
    """A lake whose run nobody disturbed, with the pseudonyms of another one; tests copy its landing and its vault."""
    place = tmp_path_factory.mktemp("whole")
    first = undisturbed(nursery, landed(place / "source"), place / "first")
    return undisturbed(nursery, place / "source", place / "whole", vault=first.root)
