"""The key of the seals changes, and whoever knows one of the keys follows; who has no key, or an ended one, is told."""

import itertools
import json
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.zones import Lake
from lineage.ledger import keys, ledger, statements
from lineage.ledger.commits import Log
from lineage.ledger.keys import KeyFileError
from lineage.ledger.rotation import rotate
from lineage.ledger.seals import seal, signer
from lineage.ledger.seals import sealed as make
from lineage.ledger.statements import Handover, Seal, SealError, seal_name
from lineage.ledger.verify import verify
from schemas.contract import Zone
from schemas.tables import LEDGER
from tests.steps import killed

EVENT = ("materialized", {"table": "curated/series", "rows": 1})


def entered(lake, count=1):
    ledger.append_many(lake, [EVENT] * count)
    return seal(lake)


def read(lake):
    return [*statements.read_all(Log.of(lake))]


def changes(lake):
    return [json.loads(e["event"])["facts"] for e in ledger.entries(lake) if e["type"] == "key_changed"]


@pytest.fixture
def publics(tmp_path):
    """Files of the public keys that a lake had, oldest first, as an officer keeps them."""

    def written(lake):
        handovers = statements.handovers(Log.of(lake))
        raws = [seal.statement.handover.old for seal in handovers] + [handovers[-1].statement.handover.new]
        paths = []
        for number, raw in enumerate(raws):
            path = tmp_path / f"public-{number}.pem"
            path.write_bytes(keys.public_pem(keys.of_raw(raw)))
            paths.append(path)
        return paths

    return written


@pytest.fixture
def turned(lake):
    """Seals 1, 2 and 3 by a first key, 3 handing over; 4 and 5 by a second, 6 handing over; 7 by a third."""
    entered(lake, 3)
    entered(lake)
    rotate(lake)
    entered(lake)
    rotate(lake)
    return lake


def test_any_key_that_the_log_ever_had_proves_all_of_it(turned, publics, tmp_path):
    verdict = verify(turned)
    assert (verdict.ok, verdict.seals, verdict.unsealed, len(verdict.keys)) == (True, 7, 0, 3), verdict.findings
    assert [seal.statement.number for seal in read(turned) if seal.statement.handover] == [3, 6]
    for path in publics(turned):
        verdict = verify(turned, path)
        assert (verdict.ok, verdict.seals) == (True, 7), verdict.findings
    keys.new_in_file(tmp_path / "stranger.pem")
    stranger = tmp_path / "stranger-public.pem"
    stranger.write_bytes(keys.public_pem(keys.of_file(tmp_path / "stranger.pem").public_key()))
    assert "as given" in str(verify(turned, stranger).findings)


def test_without_the_first_key_beside_the_seals_any_other_still_proves_all(turned, publics):
    (Log.of(turned).seals.path / keys.PUBLIC_NAME).unlink()
    for path in publics(turned):
        assert verify(turned, path).ok
    assert "no such file" in str(verify(turned).first)


def test_the_change_is_an_event_under_a_seal_of_the_new_key(turned):
    handovers, told = statements.handovers(Log.of(turned)), changes(turned)
    assert [facts["content_sha256"] for facts in told] == [seal.sha256 for seal in handovers]
    assert [facts["action"] for facts in told] == ["rotated", "rotated"]
    assert told[0]["key_sha256"] == told[1]["previous_key_sha256"] != told[0]["previous_key_sha256"]
    assert handovers[0].size < read(turned)[3].size
    assert read(turned)[3].key == told[0]["key_sha256"]


def test_seals_of_a_log_whose_key_never_changed_have_the_bytes_they_had(sealed):
    for made in read(sealed):
        assert set(json.loads(made.data)) == {"statement", "key", "signature"}
        assert not {"since", "handover"} & set(json.loads(made.data)["statement"])


def test_the_old_private_key_is_gone_and_the_new_one_for_its_owner_only(lake):
    entered(lake)
    folder = lake.location(Zone.RESTRICTED, "keys")
    before = folder.read_bytes(keys.PRIVATE_NAME)
    rotate(lake)
    assert folder.list() == [keys.PRIVATE_NAME]
    assert folder.read_bytes(keys.PRIVATE_NAME) != before
    assert stat.S_IMODE((folder.path / keys.PRIVATE_NAME).stat().st_mode) == 0o600


def test_every_flipped_bit_of_a_handover_is_found(turned):
    path = Log.of(turned).seals.path / seal_name(3)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert not verify(turned).ok, f"byte {place}"


@pytest.mark.parametrize("who", ["nobody", "the new key", "the old key alone"])
def test_a_change_that_not_both_keys_signed_is_told(lake, tmp_path, who):
    entered(lake)
    log, old, new = Log.of(lake), signer(lake), keys.new_in_file(tmp_path / "thief.pem")
    true = make(log, lake.table(LEDGER), old, new)
    forged = {
        "nobody": replace(true, signature="0" * 128),
        "the new key": replace(true, signature=new.sign(true.statement.signed).hex()),
        "the old key alone": replace(true, countersignature="0" * 128),
    }[who]
    (log.seals.path / true.name).write_bytes(forged.data)
    said = "the key before it did not sign" if who != "the old key alone" else "the new key did not sign"
    assert said in str(verify(lake).first)
    with pytest.raises(SealError):
        seal(lake)


def test_a_key_of_another_does_not_get_in_by_a_change_of_its_own(lake, tmp_path):
    """Who may write the zone and has no key of it: a whole succession of its own after a true beginning."""
    entered(lake)
    log, thief, next_ = Log.of(lake), keys.new_in_file(tmp_path / "a.pem"), keys.new_in_file(tmp_path / "b.pem")
    last = read(lake)[-1]
    handover = Handover(keys.raw(thief.public_key()), keys.raw(next_.public_key()), 3)
    statement = replace(last.statement, number=2, previous=last.sha256, handover=handover)
    forged = Seal(
        statement, keys.fingerprint(thief.public_key()), thief.sign(statement.signed).hex(),
        next_.sign(statement.countersigned).hex(),
    )  # fmt: skip
    (log.seals.path / forged.name).write_bytes(forged.data)
    verdict = verify(lake)
    assert (verdict.ok, verdict.seals, len(verdict.keys)) == (False, 1, 1)


def test_a_seal_by_an_ended_key_is_told(lake):
    entered(lake)
    old = signer(lake)
    rotate(lake)
    log, last = Log.of(lake), read(lake)[-1]
    ledger.append(lake, *EVENT)
    statement = replace(last.statement, number=last.statement.number + 1, previous=last.sha256, since=None)
    late = Seal(statement, keys.fingerprint(old.public_key()), old.sign(statement.signed).hex())
    (log.seals.path / late.name).write_bytes(late.data)
    assert "the key that 00000002.json ended" in str(verify(lake).first)
    with pytest.raises(SealError, match="another key"):
        seal(lake)


def test_the_ended_key_seals_nothing_more(lake, tmp_path):
    entered(lake)
    kept = tmp_path / "old.pem"
    shutil.copy(lake.location(Zone.RESTRICTED, "keys").path / keys.PRIVATE_NAME, kept)
    rotate(lake)
    ledger.append(lake, *EVENT)
    with pytest.raises(SealError, match="LARMOR_SEAL_KEY_FILE"):
        seal(Lake.open(lake.settings.root, seal_key_file=kept))
    assert seal(lake).statement.number == 4


def test_a_revoked_key_proves_nothing_from_a_seal_on_and_the_new_one_vouches_for_all(lake):
    for _ in range(4):
        entered(lake)
    rotate(lake, ended=3)
    verdict = verify(lake)
    assert (verdict.ok, verdict.seals, verdict.revoked, verdict.unsealed) == (True, 4, 2, 0), verdict.findings
    assert changes(lake)[0] | {"key_sha256": "", "previous_key_sha256": "", "content_sha256": ""} == {
        "kind": "seal", "action": "revoked", "first": 3, "version": 5,
        "key_sha256": "", "previous_key_sha256": "", "content_sha256": "",
    }  # fmt: skip


@pytest.mark.parametrize("ended", [0, 7])
def test_a_key_ends_at_a_seal_of_its_own(lake, ended):
    for _ in range(4):
        entered(lake)
    with pytest.raises(SealError, match="needed one that it signed"):
        rotate(lake, ended=ended)
    rotate(lake)
    with pytest.raises(SealError, match="needed one that it signed"):
        rotate(lake, ended=5)  # the seal that its predecessor ended with
    assert verify(lake).ok


def test_keys_that_settings_name_change_to_one_that_the_owner_names(lake, tmp_path):
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    keys.new_in_file(first)
    before = Lake.open(lake.settings.root, seal_key_file=first, principal="tester")
    entered(before)
    with pytest.raises(KeyFileError, match="--new-key"):
        rotate(before)
    rotate(before, keys.new_in_file(second))
    assert stat.S_IMODE(second.stat().st_mode) == 0o600
    after = Lake.open(lake.settings.root, seal_key_file=second, principal="tester")
    assert entered(after).statement.since == 2
    assert verify(after).ok
    with pytest.raises(SealError, match="signs already"):
        rotate(after, keys.of_file(second))
    assert not lake.location(Zone.RESTRICTED, "keys").list()


def test_a_run_that_seals_while_the_key_changes_is_not_turned_away(lake, monkeypatch):
    entered(lake)
    ledger.append(lake, *EVENT)
    old = signer(lake)
    rotate(lake)
    keys_ = iter([old])
    monkeypatch.setattr("lineage.ledger.seals.signer", lambda lake: next(keys_, None) or signer(lake))
    ledger.append(lake, *EVENT)
    assert seal(lake).statement.since == 2
    assert verify(lake).ok


def test_processes_that_change_the_key_and_seal_at_once_leave_a_log_that_verifies(lake):
    entered(lake)

    def work(number):
        ledger.append(lake, *EVENT)
        try:
            return rotate(lake) if number % 2 else seal(lake)
        except (SealError, KeyFileError):
            return None  # overtaken twice, or the key that two wanted to make was taken by the other

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    seal(lake)
    verdict = verify(lake)
    assert (verdict.ok, verdict.unsealed) == (True, 0), verdict.findings
    assert len(verdict.keys) > 1


def test_a_key_that_moves_elsewhere_leaves_none_in_the_zone(lake, tmp_path):
    entered(lake)
    rotate(lake, keys.new_in_file(tmp_path / "seal.pem"))
    assert not lake.location(Zone.RESTRICTED, "keys").list()
    with pytest.raises(KeyFileError, match="LARMOR_SEAL_KEY_FILE"):
        seal(lake)
    assert entered(Lake.open(lake.settings.root, seal_key_file=tmp_path / "seal.pem", principal="tester")).size == 3


def test_killed_at_any_step_the_lake_verifies_and_the_change_comes_to_its_end(tmp_path):
    """Each time from a fresh lake, until a child is not killed any more because it has no more steps."""
    template = Lake.open(tmp_path / "template", principal="tester")
    entered(template, 2)
    ledger.append(template, *EVENT)
    met = set()
    for step in itertools.count(1):
        root = tmp_path / str(step)
        shutil.copytree(template.settings.root, root)
        lake = Lake.open(root, principal="tester")
        if not killed(step, lambda lake=lake: rotate(lake)):
            break
        verdict = verify(lake)
        assert verdict.ok, (step, verdict.findings)
        met.add((len(verdict.keys), len(changes(lake)), verdict.seals))
        if verdict.seals < 3:  # the new key has not sealed yet: the same call brings the change to its end
            assert rotate(lake).statement.handover
        verdict = verify(lake)
        assert (verdict.ok, len(verdict.keys), verdict.unsealed) == (True, 2, 0), (step, verdict.findings)
        assert len(changes(lake)) == 1, step
        rotate(lake)
        assert (verify(lake).ok, len(verify(lake).keys), len(changes(lake))) == (True, 3, 2)
    assert {(1, 0, 1), (2, 0, 2), (2, 1, 2)} <= met, met


def test_a_seal_after_a_killed_change_records_it(lake, monkeypatch):
    entered(lake)
    with monkeypatch.context() as dying:
        dying.setattr("lineage.ledger.seals.complete", _killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(lake)
    assert (changes(lake), verify(lake).ok, len(verify(lake).keys)) == ([], True, 2)
    made = seal(lake)
    assert (made.statement.number, made.statement.since, len(changes(lake))) == (3, 2, 1)
    assert verify(lake).ok


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["seal", "rotate", "revoke"]), min_size=1, max_size=6))
def test_whatever_the_order_of_seals_and_changes_every_key_proves_every_seal(tmp_path_factory, steps):
    lake = Lake.open(tmp_path_factory.mktemp("any"), principal="tester")
    entered(lake)
    for step in steps:
        if step == "seal":
            entered(lake)
        else:
            last = read(lake)[-1].statement
            rotate(lake, ended=(last.since or 0) + 1 if step == "revoke" else None)
    path = lake.settings.root / "known.pem"
    known = statements.handovers(Log.of(lake))
    changes_ = [one.statement.handover for one in known]
    for raw in {raw for change in changes_ for raw in (change.old, change.new)}:
        path.write_bytes(keys.public_pem(keys.of_raw(raw)))
        verdict = verify(lake, path)
        assert (verdict.ok, verdict.seals + verdict.revoked) == (True, len(read(lake))), verdict.findings
    assert len(verify(lake).keys) == 1 + sum(step != "seal" for step in steps)


def _killed(*_):
    raise KeyboardInterrupt
