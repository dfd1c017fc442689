"""What a release says of its volumes in words is frozen with it, and covered by its licences."""

from lake.releases import SPLITS, Release
from schemas.release import ReleaseSpec
from schemas.tables import REPORTS, SERIES
from stages.release import freeze


def members_of(release):
    return [member for split in SPLITS for member in release.members(split, sealed_ok=True)]


def test_volumes_have_the_reports_of_their_study_and_no_composed_caption(treated):
    release = freeze(treated.lake, ReleaseSpec(name="texts"))
    rows = treated.lake.table(REPORTS).rows(["subject", "study", "source", "text"])
    members = members_of(release)
    found = release.texts([member.volume for member in members])
    told = {(row["subject"], row["study"]): row["text"] for row in rows if row["source"] != "caption"}
    assert told
    assert {m.volume for m in members if (m.subject, m.study) in told} == set(found)
    for member in members:
        if member.volume in found:
            assert told[member.subject, member.study] in found[member.volume]
    assert release.texts([]) == {}


def test_a_report_that_comes_later_or_under_another_licence_is_not_in_it(copied):
    release = freeze(copied, ReleaseSpec(name="texts-2"))
    volumes = [member.volume for member in members_of(release)]
    before = release.texts(volumes)
    assert before
    table = copied.table(REPORTS)
    row = {**next(r for r in table.rows() if r["source"] == "report"), "delivery": "later", "report": "0" * 20}
    partition = {"delivery": "later"}
    table.replace(partition, [table.write([{**row, "text": "LATER"}], partition)])
    assert release.texts(volumes) == before
    elsewhere = freeze(copied, ReleaseSpec(name="texts-3"))
    assert any("LATER" in text for text in elsewhere.texts(volumes).values())
    table.replace(partition, [table.write([{**row, "text": "LATER", "licence": "another"}], partition)])
    assert freeze(copied, ReleaseSpec(name="texts-4")).texts(volumes) == before


def test_volumes_are_described_by_their_series(treated):
    release = freeze(treated.lake, ReleaseSpec(name="texts-5"))
    members = members_of(release)
    found = release.described([member.volume for member in members])
    series = {(r["delivery"], r["series"]): r for r in treated.lake.table(SERIES).rows()}
    assert set(found) == {member.volume for member in members}
    assert all(found[m.volume]["plane"] == series[m.delivery, m.series]["plane"] for m in members)


def test_a_release_that_was_frozen_without_reports_has_none(treated):
    release = freeze(treated.lake, ReleaseSpec(name="texts-6"))
    tables = {path: version for path, version in release.manifest.tables.items() if path != REPORTS.path}
    older = Release(
        treated.lake, release.manifest.model_copy(update={"tables": tables}), release.sha256, release._members
    )
    assert older.texts([member.volume for member in members_of(older)]) == {}
