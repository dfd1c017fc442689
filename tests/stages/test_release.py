"""A release is frozen for good: people stay in one split, the test set is sealed, and a changed list is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.releases import MEMBERS, SPLITS, Release, ReleaseError, names
from lake.zones import Lake
from schemas.contract import Zone
from schemas.release import ReleaseSpec, Splits
from schemas.tables import LABELS, SERIES, VOLUMES
from stages.release import CohortError, freeze, split_subjects


@given(
    st.sets(st.text("abcdef", min_size=1), min_size=1, max_size=60),
    st.integers(0, 99),
    st.sampled_from([(0.6, 0.1), (0.5, 0.25)]),
)
@settings(deadline=None, max_examples=50)
def test_every_subject_is_in_one_split_whatever_the_order(subjects, seed, fractions):
    train, validation = fractions
    splits = Splits(train=train, validation=validation, test=1 - train - validation)
    split = split_subjects(subjects, splits, seed)
    assert split == split_subjects(subjects.copy(), splits, seed)
    assert split.keys() == subjects
    assert "train" in split.values()
    if len(subjects) >= 3:
        assert set(split.values()) == set(SPLITS)
    if len(subjects) >= 20:
        assert sum(s == "train" for s in split.values()) == pytest.approx(train * len(subjects), abs=2)


def test_a_release_is_frozen_once_and_opened_as_it_was(treated):
    spec = ReleaseSpec(
        name="r1", cohort="contrast = 'T1'", label_task="tissue", splits=Splits(train=0.34, validation=0.33, test=0.33)
    )
    release = freeze(treated.lake, spec)
    assert freeze(treated.lake, spec).sha256 == release.sha256
    assert names(treated.lake).count("r1") == 1
    members = [m for split in SPLITS for m in release.members(split, sealed_ok=True)]
    assert {m.split for m in members} == set(SPLITS)
    assert all(m.label for m in members)
    assert release.volumes().array(members[0].volume).ndim == 3
    assert release.labels().array(members[0].label).shape == release.volumes().array(members[0].volume).shape
    with pytest.raises(CohortError, match="never changes"):
        freeze(treated.lake, spec.model_copy(update={"cohort": "true"}))


def test_the_test_set_is_sealed(treated):
    release = freeze(treated.lake, ReleaseSpec(name="r2"))
    with pytest.raises(ReleaseError, match="larmor evaluate"):
        release.members("test")
    with pytest.raises(ReleaseError, match="needed one of train"):
        release.members("holdout")


def test_a_changed_list_of_members_is_refused(treated):
    freeze(treated.lake, ReleaseSpec(name="r3"))
    location = treated.lake.location(Zone.CURATED, "releases", "r3")
    location.write_bytes(MEMBERS, location.read_bytes(MEMBERS) + b" ")
    with pytest.raises(ReleaseError, match="another digest"):
        Release.open(treated.lake, "r3")


def test_a_release_is_pinned_to_the_table_versions_it_saw(treated):
    release = freeze(treated.lake, ReleaseSpec(name="r4"))
    assert release.manifest.tables[VOLUMES.path] == treated.lake.table(VOLUMES).version()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"cohort": "contrast = 'PET'"}, "no volume that fits the cohort"),
        ({"cohort": "nonsense > 1"}, "no SQL predicate"),
        ({"cohort": "volume in (select * from read_csv('/etc/passwd'))"}, "no SQL predicate"),
        ({"deliveries": ["nobody"]}, "no volume that fits"),
    ],
    ids=["empty cohort", "unknown column", "reading files", "unknown delivery"],
)
def test_a_cohort_that_cannot_be_is_said(treated, spec, said):
    with pytest.raises(CohortError, match=said):
        freeze(treated.lake, ReleaseSpec(name="r5", **spec))


def test_a_release_that_is_not_there_names_those_that_are(treated):
    with pytest.raises(ReleaseError, match="larmor releases freeze"):
        Release.open(treated.lake, "nobody")


@pytest.mark.parametrize(
    ("there", "task", "named"), [((), None, SERIES), ((VOLUMES,), None, SERIES), ((VOLUMES, SERIES), "tissue", LABELS)]
)
def test_a_release_before_its_tables_are_there_says_what_makes_them(tmp_path, there, task, named):
    lake = Lake.open(tmp_path)
    for table in there:
        lake.table(table).append([])
    with pytest.raises(CohortError, match=rf"no table .*{named.path}.*larmor run"):
        freeze(lake, ReleaseSpec(name="early", label_task=task))
