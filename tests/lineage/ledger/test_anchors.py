"""What lies outside finds what the lake's own files cannot show: a log that was cut back, or made anew."""

import shutil

import pytest

from lake.zones import Lake
from lineage.ledger import commits, keys, ledger
from lineage.ledger.anchored import read, told
from lineage.ledger.anchors import places
from lineage.ledger.commits import HEAD, Head, Log
from lineage.ledger.rotation import rotate
from lineage.ledger.seals import seal
from lineage.ledger.statements import read_all, seal_name
from lineage.ledger.verify import verify

EVENT = ("materialized", {"table": "curated/series", "rows": 1})


@pytest.fixture
def anchored(tmp_path):
    """A lake of three entries under two seals, copied to two places outside."""
    places = f"{tmp_path / 'vault'} {tmp_path / 'bucket'}"
    lake = Lake.open(tmp_path / "lake", principal="tester", anchor=places)
    ledger.append(lake, *EVENT)
    seal(lake)
    ledger.append_many(lake, [EVENT, EVENT])
    seal(lake)
    return lake


def test_each_seal_and_the_key_are_copied_and_compared(anchored, tmp_path):
    for place in ("vault", "bucket"):
        there = sorted(path.name for path in (tmp_path / place).iterdir())
        assert there == [seal_name(1), seal_name(2), keys.PUBLIC_NAME]
    verdict = verify(anchored)
    assert (verdict.ok, verdict.anchors) == (True, 2)


def test_a_log_cut_back_with_its_seal_and_head_is_found_by_the_anchor_alone(anchored, tmp_path):
    log = Log.of(anchored)
    (log.commits.path / commits.commit_name(2)).unlink()
    (log.seals.path / seal_name(2)).unlink()
    kept = commits.parse(1, log.read(1))
    log.seals.write_bytes(HEAD, Head(1, kept.sha256, kept.frontier.size, kept.frontier.root.hex()).data)
    assert verify(Lake.open(anchored.settings.root)).ok  # nothing inside shows it
    verdict = verify(anchored)
    assert "the log was cut back" in str([str(finding) for finding in verdict.findings])
    assert verdict.first.at == 2
    assert verify(anchored.settings.root / "audit", anchors=[log.seals.__class__(tmp_path / "vault")]).ok is False


def test_a_log_made_anew_is_found_even_with_its_own_key(anchored):
    shutil.rmtree(anchored.settings.root / "audit")
    shutil.rmtree(anchored.settings.root / "restricted")
    for _ in range(2):
        ledger.append(anchored, *EVENT)
        seal(anchored)
    said = [str(finding) for finding in verify(anchored).findings]
    assert any("another key" in line for line in said), said


def test_a_log_made_anew_with_the_old_key_is_found(anchored):
    shutil.rmtree(anchored.settings.root / "audit")
    ledger.append_many(anchored, [EVENT] * 3)
    seal(anchored)
    ledger.append(anchored, *EVENT)
    seal(anchored)
    assert "made anew" in str([str(finding) for finding in verify(anchored).findings])


def test_an_anchor_that_is_away_undoes_no_seal_and_gets_it_later(anchored, tmp_path):
    vault, away = tmp_path / "vault", tmp_path / "away"
    vault.rename(away)
    vault.write_text("no folder")
    ledger.append(anchored, *EVENT)
    assert seal(anchored).statement.number == 3
    assert not (away / seal_name(3)).exists()
    assert (verify(anchored).ok, verify(anchored).unanchored) == (True, 3)
    vault.unlink()
    away.rename(vault)
    ledger.append(anchored, *EVENT)
    seal(anchored)
    assert (vault / seal_name(3)).exists()
    assert (verify(anchored).ok, verify(anchored).unanchored) == (True, 0)


def test_an_anchor_that_cannot_be_read_is_not_passed_over(anchored, monkeypatch):
    def refused(location):
        raise OSError("no route")

    monkeypatch.setattr("lineage.ledger.anchored.Location.list", refused)
    assert "no answer" in str(read(Log.of(anchored).seals).finding)


def test_a_seal_that_is_made_while_the_ledger_is_verified_accuses_nobody(anchored, monkeypatch):
    from lineage.ledger import signed

    read_seals = signed.read

    def meanwhile(log, key):
        ledger.append(anchored, *EVENT)
        seal(anchored)
        return read_seals(log, key)

    monkeypatch.setattr(signed, "read", meanwhile)
    assert verify(anchored).ok


def test_a_change_of_key_reaches_the_anchors_which_keep_the_first_key(anchored, tmp_path):
    first = (tmp_path / "vault" / keys.PUBLIC_NAME).read_bytes()
    rotate(anchored)
    assert (tmp_path / "vault" / keys.PUBLIC_NAME).read_bytes() == first
    assert (verify(anchored).ok, verify(anchored).unanchored) == (True, 0)


def test_a_log_cut_back_behind_a_change_of_key_is_found_by_the_anchor(anchored, tmp_path):
    audit, kept = anchored.settings.root / "audit", tmp_path / "kept"
    shutil.copytree(audit, kept)
    rotate(anchored)
    ledger.append(anchored, *EVENT)
    seal(anchored)
    shutil.rmtree(audit)
    kept.rename(audit)
    assert "the log was cut back" in str([str(finding) for finding in verify(anchored).findings])


def test_an_anchor_of_another_lake_is_told_and_gets_nothing(anchored, tmp_path):
    other = Lake.open(tmp_path / "other", principal="tester", anchor=str(tmp_path / "vault"))
    for _ in range(3):
        ledger.append(other, *EVENT)
        seal(other)
    assert not (tmp_path / "vault" / seal_name(3)).exists()
    (finding,) = told(Log.of(other), [read(place) for place in places(other.settings)])
    assert "another log's key" in str(finding)
    assert not told(Log.of(anchored), [read(place) for place in places(anchored.settings)])


def test_one_anchor_out_of_reach_keeps_no_other_from_its_copy(anchored, tmp_path):
    shutil.rmtree(tmp_path / "vault")
    (tmp_path / "vault").write_text("no folder")
    ledger.append(anchored, *EVENT)
    seal(anchored)
    assert (tmp_path / "bucket" / seal_name(3)).exists()


def test_what_an_anchor_holds_is_never_overwritten(anchored, tmp_path):
    forged = tmp_path / "vault" / seal_name(2)
    forged.write_bytes(forged.read_bytes().replace(b'"number":2', b'"number":3'))
    before = forged.read_bytes()
    ledger.append(anchored, *EVENT)
    seal(anchored)
    assert forged.read_bytes() == before


def test_a_hash_on_paper_finds_a_log_that_was_made_anew(anchored):
    printed = [made.printed for made in read_all(Log.of(anchored))]
    for hash_ in printed:
        assert verify(anchored, printed=hash_).ok
        assert verify(anchored, printed=hash_.upper().replace(" ", "")).ok
    for wrong in ("0000 " * 8, printed[0][:9]):
        assert "printed hash" in str(verify(anchored, printed=wrong).first)
