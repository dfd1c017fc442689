"""Whoever edits the record is found, whatever they edit; who only crashed or ran beside others is not accused."""

import hashlib
import json
import os
import random
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.zones import Lake
from lineage.ledger import commits, keys, ledger
from lineage.ledger.commits import HEAD, RECORD, Head, LedgerDamaged, Log
from lineage.ledger.merkle import Frontier, leaf_hash
from lineage.ledger.seals import Seal, seal, seal_name
from lineage.ledger.verify import verify
from schemas.document import canonical_json
from schemas.tables import LEDGER

EVENT = ("materialized", {"table": "curated/series", "rows": 1})


def _files(audit):
    return sorted(path for path in audit.rglob("*") if path.is_file())


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


@pytest.mark.parametrize("edit", ["change", "insert", "remove", "reorder"])
def test_history_rewritten_with_all_its_digests_is_found_by_the_seals(sealed, edit):
    log = Log.of(sealed)
    batches = [_rows(log, commit) for commit in log.after(_before_all(log)) if commit.part]
    rows = batches[4]  # entries 8 to 13, between the two seals
    if edit == "change":
        rows[2]["event"] = rows[2]["event"].replace('"rows":10', '"rows":11')
    elif edit == "insert":
        rows.insert(2, dict(rows[1]))
    elif edit == "remove":
        del rows[2]
    else:
        rows[1], rows[2] = rows[2], rows[1]
    _rewrite(log, batches)
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


def test_edited_entry_is_not_sealed(sealed):
    log = Log.of(sealed)
    part = log.ledger.path / commits.parse(7, log.read(7)).part
    part.write_bytes(part.read_bytes()[:-1] + b"\x00")
    with pytest.raises(LedgerDamaged, match="entry 15: found SHA-256"):
        seal(sealed)


def _killed(_):
    raise KeyboardInterrupt


def _before_all(log):
    return commits.Tip(-1, "", Frontier(), Head())


def _rows(log, commit):
    return pq.read_table(log.ledger.path / commit.part).to_pylist()


def _rewrite(log: Log, batches) -> None:
    """Write the log anew from its entries, all digests and the head made to fit, as one who knows how could."""
    frontier, previous, version = Frontier(), hashlib.sha256(log.read(0)).hexdigest(), 0
    for version, rows in enumerate(batches, start=1):
        old = commits.parse(version, log.read(version))
        if rows == _rows(log, old) and previous == old.previous:
            frontier, previous = old.frontier, old.sha256
            continue
        schema = pq.read_schema(log.ledger.path / old.part)
        first, leaves = frontier.size, [leaf_hash(row["event"].encode()) for row in rows]
        for place, (row, leaf) in enumerate(zip(rows, leaves, strict=True), start=first):
            row.update(sequence=place, leaf=leaf.hex())
        frontier = frontier.extended(leaves)
        pq.write_table(pa.Table.from_pylist(rows, schema), log.ledger.path / old.part)
        digest = hashlib.sha256((log.ledger.path / old.part).read_bytes()).hexdigest()
        lines = [json.loads(line) for line in log.read(version).splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"][RECORD] = commits.record(previous, digest, first, frontier)[RECORD]
        data = "\n".join(map(canonical_json, lines)).encode()
        (log.commits.path / commits.commit_name(version)).write_bytes(data)
        previous = hashlib.sha256(data).hexdigest()
    log.seals.write_bytes(HEAD, Head(version, previous, frontier.size, frontier.root.hex()).data)
