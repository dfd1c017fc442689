"""Whoever edits the record is found, whatever they edit; who only crashed or ran beside others is not accused."""

import os
import random
import shutil
from dataclasses import replace

import pytest

from lake.zones import Lake
from lineage.ledger import commits, keys, ledger
from lineage.ledger.commits import HEAD, Head, LedgerDamaged, Log
from lineage.ledger.merkle import Frontier
from lineage.ledger.seals import seal
from lineage.ledger.statements import Seal, seal_name
from lineage.ledger.verify import verify
from schemas.tables import LEDGER
from tests import forgeries

EVENT = ("materialized", {"table": "curated/series", "rows": 1})


def _files(audit):
    """Files of the record; tiles are derived from it, and whoever uses them checks what comes of it."""
    return sorted(path for name in ("ledger", "seals") for path in (audit / name).rglob("*") if path.is_file())


def test_untouched_ledger_verifies_and_says_what_is_not_sealed(sealed):
    verdict = verify(sealed)
    assert verdict.ok, verdict.findings
    assert (verdict.entries, verdict.seals, verdict.sealed, verdict.unsealed) == (17, 2, 15, 2)
    assert (verdict.unconfirmed, verdict.leftovers) == (0, ())
    assert verdict.root == ledger.root(sealed)


def test_every_flipped_bit_is_found(sealed):
    audit = sealed.settings.folder("audit")
    draw = random.Random(20)
    files = _files(audit)
    for number in range(180):
        path = files[number % len(files)]
        whole = path.read_bytes()
        edited = bytearray(whole)
        place, bit = draw.randrange(len(edited)), draw.randrange(8)
        edited[place] ^= 1 << bit
        path.write_bytes(edited)
        assert not verify(sealed).ok, f"bit {bit} of byte {place} of {path.relative_to(audit)}"
        path.write_bytes(whole)
    assert verify(sealed).ok


@pytest.mark.parametrize("name", [HEAD, keys.PUBLIC_NAME, seal_name(2)])
def test_every_bit_of_the_small_files_counts(sealed, name):
    path = sealed.settings.folder("audit") / "seals" / name
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        edited = bytearray(whole)
        edited[place] ^= 1 << (place % 8)
        path.write_bytes(edited)
        assert not verify(sealed).ok, f"byte {place}"


def test_finding_names_the_entries_of_the_changed_file(sealed):
    log = Log.of(sealed)
    commit = commits.parse(4, log.read(4))
    path = log.ledger.path / commit.part
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    verdict = verify(sealed)
    assert verdict.first.entries == range(3, 8)
    assert f"ledger/{commit.part}, entries 3 to 7: found SHA-256" in str(verdict.first)
    assert verdict.entries == 3


def test_changed_commit_is_blamed_and_not_its_neighbours(sealed):
    log = Log.of(sealed)
    path = log.commits.path / commits.commit_name(3)
    path.write_bytes(path.read_bytes().replace(b'"timestamp":1', b'"timestamp":2', 1))
    findings = verify(sealed).findings
    assert [finding.file.rsplit("/", 1)[-1] for finding in findings] == [commits.commit_name(3)]
    assert findings[0].entries == range(2, 3)


def test_changed_link_between_commits_is_blamed_on_the_commit_that_holds_it(sealed):
    log = Log.of(sealed)
    path = log.commits.path / commits.commit_name(3)
    previous = commits.parse(3, log.read(3)).previous
    path.write_bytes(path.read_bytes().replace(previous.encode(), b"0" * 64))
    assert verify(sealed).first.at == 3


@pytest.mark.parametrize("version", [0, 3, 8])
def test_removed_commit_is_found(sealed, version):
    (Log.of(sealed).commits.path / commits.commit_name(version)).unlink()
    verdict = verify(sealed)
    assert not verdict.ok
    assert "removed" in str(verdict.first)
    assert verdict.first.at == version


def test_removed_middle_commit_names_the_lost_entries(sealed):
    (Log.of(sealed).commits.path / commits.commit_name(4)).unlink()
    assert verify(sealed).first.entries == range(3, 8)


def test_swapped_commits_are_found(sealed):
    folder = Log.of(sealed).commits.path
    a, b = (folder / commits.commit_name(version) for version in (2, 3))
    a.rename(folder / "held")
    b.rename(a)
    (folder / "held").rename(b)
    assert verify(sealed).first.at == 2


def test_swapped_part_files_are_found(sealed):
    log = Log.of(sealed)
    a, b = (log.ledger.path / commits.parse(version, log.read(version)).part for version in (2, 3))
    one, other = a.read_bytes(), b.read_bytes()
    a.write_bytes(other)
    b.write_bytes(one)
    assert verify(sealed).first.entries == range(1, 2)


@pytest.mark.parametrize("edit", forgeries.ROW_EDITS)
def test_history_rewritten_with_all_its_digests_is_found_by_the_seals(sealed, edit):
    log = Log.of(sealed)
    batches = forgeries.batches(log)
    forgeries.ROW_EDITS[edit](batches[4], 2)  # of entries 8 to 13, between the two seals
    forgeries.rewritten_log(log, batches)
    verdict = verify(sealed)
    assert not verdict.ok
    assert "rewritten between its seals" in str(verdict.first)
    assert verdict.first.entries == range(8, 15)
    assert (verdict.seals, verdict.sealed) == (1, 8)


def test_log_cut_back_to_an_older_state_is_found_by_the_seal(sealed):
    log = Log.of(sealed)
    for version in range(6, 9):
        (log.commits.path / commits.commit_name(version)).unlink()
    kept = commits.parse(5, log.read(5))
    log.seals.write_bytes(HEAD, Head(5, kept.sha256, kept.frontier.size, kept.frontier.root.hex()).data)
    verdict = verify(sealed)
    assert not verdict.ok
    assert verdict.first.at == 6
    assert "removed" in str(verdict.first)


@pytest.mark.parametrize("how", ["removed", "swapped", "signed by another", "resigned with another root"])
def test_edited_seals_are_found(sealed, how):
    log = Log.of(sealed)
    first, second = (log.seals.path / seal_name(number) for number in (1, 2))
    whole = Seal.parse(first.read_bytes(), first.name)
    if how == "removed":
        first.unlink()
    elif how == "swapped":
        one, other = first.read_bytes(), second.read_bytes()
        first.write_bytes(other)
        second.write_bytes(one)
    elif how == "signed by another":
        stranger = keys.Ed25519PrivateKey.generate()
        first.write_bytes(replace(whole, signature=stranger.sign(whole.statement.signed).hex()).data)
    else:
        statement = replace(whole.statement, root="0" * 64)
        signature = keys.private_key(sealed).sign(statement.signed).hex()
        first.write_bytes(replace(whole, statement=statement, signature=signature).data)
    assert not verify(sealed).ok


def test_key_kept_outside_finds_a_log_made_anew(sealed, tmp_path):
    kept = tmp_path / "kept.pem"
    shutil.copy(Log.of(sealed).seals.path / keys.PUBLIC_NAME, kept)
    assert verify(sealed, kept).ok
    root = sealed.settings.root
    shutil.rmtree(root)
    forged = Lake.open(root, principal="tester")
    ledger.append(forged, *EVENT)
    seal(forged)
    assert verify(forged).ok
    assert "as given" in str(verify(forged, kept).findings)


def test_files_that_do_not_belong_are_found(sealed):
    log = Log.of(sealed)
    for folder, name in (
        (log.ledger.path, "notes.txt"),
        (log.commits.path, "_last_checkpoint"),
        (log.commits.path, "00000000000000000004.crc"),
        (log.seals.path, "copy.json"),
    ):
        (folder / name).write_text("{}")
        assert name in str(verify(sealed).findings)
        (folder / name).unlink()
    assert verify(sealed).ok


def test_audit_zone_alone_is_enough_and_links_are_followed(sealed, tmp_path):
    handed = tmp_path / "handed"
    handed.mkdir()
    shutil.copytree(sealed.settings.folder("audit") / "ledger", handed / "ledger")
    (handed / "seals").symlink_to(sealed.settings.folder("audit") / "seals")
    assert verify(handed).ok


def test_empty_lake_has_nothing_to_doubt(lake):
    verdict = verify(lake)
    assert (verdict.ok, verdict.entries, verdict.root) == (True, 0, Frontier().root.hex())


def test_writer_killed_between_commit_and_head_is_not_accused_and_the_next_append_repairs(lake, monkeypatch):
    ledger.append(lake, *EVENT)
    with monkeypatch.context() as killed:
        killed.setattr(commits, "confirm", _killed)
        with pytest.raises(KeyboardInterrupt):
            ledger.append(lake, *EVENT)
    verdict = verify(lake)
    assert (verdict.ok, verdict.entries, verdict.unconfirmed) == (True, 2, 1)
    assert ledger.append(lake, *EVENT) == 2
    assert (verify(lake).ok, verify(lake).unconfirmed) == (True, 0)


def test_writer_killed_before_its_commit_leaves_a_file_that_the_next_seal_removes(lake):
    ledger.append(lake, *EVENT)
    row = {"sequence": 0, "time": "t", "type": "materialized", "event": "{}", "leaf": "0"}
    part = lake.table(LEDGER).write([row], {})
    verdict = verify(lake)
    assert (verdict.ok, verdict.leftovers) == (True, (f"ledger/{part.path}",))
    seal(lake)
    assert verify(lake).leftovers == ()


def test_half_written_file_goes_once_it_is_surely_dead(lake):
    ledger.append(lake, *EVENT)
    half = Log.of(lake).ledger.path / f"part-{'0' * 32}.parquet"
    half.write_bytes(b"PAR1 and then the power went")
    seal(lake)
    assert half.exists()
    os.utime(half, (0, 0))
    ledger.append(lake, *EVENT)
    seal(lake)
    assert not half.exists()


def test_nothing_is_built_on_an_edited_log(sealed):
    log = Log.of(sealed)
    path = log.commits.path / commits.commit_name(8)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"timestamp":1', b'"timestamp":2', 1))
    with pytest.raises(LedgerDamaged, match=r"other bytes than head\.json says"):
        ledger.append(sealed, *EVENT)
    path.write_bytes(whole)
    (log.seals.path / HEAD).unlink()
    with pytest.raises(LedgerDamaged, match=r"found no head\.json"):
        ledger.append(sealed, *EVENT)


def test_from_the_last_seal_on_every_byte_still_counts(sealed):
    audit, draw = sealed.settings.folder("audit"), random.Random(21)
    verdict = verify(sealed, since_last_seal=True)
    assert (verdict.ok, verdict.entries, verdict.compared, verdict.root) == (True, 17, 15, ledger.root(sealed))
    files = _files(audit)
    for number in range(2 * len(files)):
        path = files[number % len(files)]
        whole = path.read_bytes()
        place = draw.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << draw.randrange(8)]) + whole[place + 1 :])
        assert not verify(sealed, since_last_seal=True).ok, f"byte {place} of {path.relative_to(audit)}"
        path.write_bytes(whole)


def test_sealed_entries_are_not_hashed_anew_from_the_last_seal_on(sealed, monkeypatch):
    hashed = []
    monkeypatch.setattr(
        "lineage.ledger.verify.check_entries", lambda log, commit, before: hashed.extend(commit.entries)
    )
    assert verify(sealed, since_last_seal=True).ok
    assert hashed == [15, 16]
    hashed.clear()
    assert verify(sealed).ok
    assert hashed == list(range(17))


def test_without_a_seal_that_holds_everything_is_hashed_anew(sealed):
    log = Log.of(sealed)
    for number in (1, 2):
        (log.seals.path / seal_name(number)).unlink()
    verdict = verify(sealed, since_last_seal=True)
    assert (verdict.ok, verdict.entries, verdict.compared) == (True, 17, 0)


def test_edited_entry_is_not_sealed(sealed):
    log = Log.of(sealed)
    part = log.ledger.path / commits.parse(7, log.read(7)).part
    part.write_bytes(part.read_bytes()[:-1] + b"\x00")
    with pytest.raises(LedgerDamaged, match="entry 15: found SHA-256"):
        seal(sealed)


def _killed(_):
    raise KeyboardInterrupt
