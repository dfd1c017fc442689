"""Whatever dies, whenever: given again, the same command makes the lake of a run that nobody disturbed.

The long run of the same is `python -m benchmarks kills`.
"""

import itertools
import shutil

import pytest

from tests.kills import Kill, copied, differences, faults, moments, undisturbed


@pytest.fixture(scope="session")
def bare(nursery, whole, tmp_path_factory):
    """The same without Dagster, in a third of the time."""
    return undisturbed(nursery, whole.root, tmp_path_factory.mktemp("bare") / "bare", vault=whole.root, bare=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_stations_killed_at_random_moments_and_run_again(seed, nursery, bare, tmp_path):
    """Five moments a lake: each run after a kill is killed in its turn, the sixth comes to its end."""
    assert faults(nursery, bare, tmp_path / "lake", list(itertools.islice(moments(seed, bare), 5))) == []


@pytest.mark.slow
def test_stations_killed_before_there_is_a_vault(nursery, bare, tmp_path):
    kills = [Kill(step=step) for step in (2, 9, 17, 30)]
    assert faults(nursery, bare, tmp_path / "lake", kills, fresh=True) == []


@pytest.mark.slow
def test_the_whole_command_killed_at_random_moments_and_given_again(nursery, whole, tmp_path):
    assert faults(nursery, whole, tmp_path / "lake", list(itertools.islice(moments(10, whole), 2))) == []


@pytest.mark.slow
def test_the_step_process_of_a_run_of_waiting_deliveries_killed_and_started_again(nursery, whole, tmp_path):
    """All assets: what the daemon has started, and starts again when its process is lost."""
    batch = undisturbed(nursery, whole.root, tmp_path / "batch", vault=whole.root, batch=True)
    assert faults(nursery, batch, tmp_path / "lake", list(itertools.islice(moments(11, batch), 3))) == []


@pytest.mark.slow
def test_what_is_judged_is_judged(nursery, bare, tmp_path):
    """A row that is there twice, a file that nobody knows, a lost row and an edited ledger are told."""
    root = tmp_path / "lake"
    shutil.copytree(bare.root, root)
    (root / "audit" / "seals" / "left.over").touch()
    part = next((root / "curated" / "volumes").rglob("part-*.parquet"))
    (part.parent / f"part-{'0' * 32}.parquet").write_bytes(part.read_bytes())
    quarantine = next((root / "restricted" / "quarantine" / "_delta_log").glob("*1.json"))
    quarantine.write_bytes(b"\n".join(line for line in quarantine.read_bytes().splitlines() if b'"add"' not in line))
    head = root / "audit" / "seals" / "head.json"
    head.write_bytes(head.read_bytes().replace(b'"size":', b'"size":1'))
    told = " ".join(differences(bare.judged, nursery.judged(root), rows=True, files=True))
    for sign in ("ledger is False", "stray file audit/seals/left.over", "restricted/quarantine: other rows"):
        assert sign in told
    assert "curated/volumes" not in told, "a part that no commit names is what a clean-up removes"


@pytest.mark.slow
@pytest.mark.parametrize("bare_", [True, False], ids=["stations", "command"])
def test_two_materializations_of_one_delivery_at_once(bare_, nursery, whole, bare, tmp_path):
    wanted = bare if bare_ else whole
    root = copied(wanted.root, tmp_path / "lake", vault=wanted.root)
    ends = nursery.together(root, bare=bare_)
    assert 0 in [end["code"] for end in ends], ends
    for end in ends:
        assert "Traceback" not in end["told"], end["told"]
        again = ("run the same command again", "run the delivery again")
        assert end["code"] == 0 or any(words in end["told"] for words in again), end["told"]
    assert differences(wanted.judged, nursery.judged(root), rows=True, files=True) == []
