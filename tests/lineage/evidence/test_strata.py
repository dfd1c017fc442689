"""Strata count every volume once, and gaps say what a release cannot speak for."""

from hypothesis import given
from hypothesis import strategies as st

from lineage.evidence.strata import NOT_STATED, gaps, strata

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "subject": st.sampled_from(["S1", "S2", "S3"]),
            "sex": st.sampled_from(["F", "M", "", None]),
            "age": st.one_of(st.none(), st.integers(0, 90)),
            "field_strength": st.sampled_from([1.5, 3.0, None]),
        }
    ),
    min_size=1,
)
SPLIT = {"S1": "train", "S2": "validation", "S3": "test"}


@given(ROWS)
def test_every_volume_is_counted_once_in_each_stratum_what_is_missing_too(rows):
    for stratum in strata(rows, SPLIT):
        assert stratum.total == len(rows)
    sex = next(s for s in strata(rows, SPLIT) if s.title == "Sex")
    assert sex.missing == sum(row["sex"] in ("", None) for row in rows)
    assert [sum(n) for n in zip(*(numbers for _, numbers in sex.values), strict=True)] == [
        sum(SPLIT[row["subject"]] == split for row in rows) for split in ("train", "validation", "test")
    ]


def test_what_is_tested_but_never_trained_on_is_a_gap_and_so_is_what_is_rare_or_missing():
    rows = [{"subject": "S1", "sex": "F", "field_strength": 3.0}] * 39
    rows += [{"subject": "S3", "sex": "M", "field_strength": None}]
    said = gaps(strata(rows, SPLIT))
    assert "Sex: in test but not in train: M" in said
    assert "Sex: fewer than 5% of the volumes: M" in said
    assert "Field strength [T]: not stated for 1 of 40 volumes" in said
    assert "Field strength [T]: only 3.0" in said
    assert not any(NOT_STATED in line.partition(": ")[2] for line in said if "not stated for" not in line)


def test_a_release_of_both_sexes_in_every_split_has_no_gap_of_sex():
    rows = [{"subject": subject, "sex": sex} for subject in SPLIT for sex in ("F", "M")]
    assert not any(line.startswith("Sex") for line in gaps(strata(rows, SPLIT)))
