"""A lake's own rules judge its series and volumes, and the ledger says which rules did."""

import json
import shutil

import pytest

from imaging.headers.header import MR_IMAGE, Header
from imaging.kinds.classify import classify
from imaging.kinds.rules import load_rules
from imaging.volumes.series import plan
from lake.zones import Lake
from schemas.classification import QUESTIONS
from schemas.document import DocumentError
from schemas.tables import LEDGER, REPORTS, SERIES, VOLUMES
from stages.packed import Series
from stages.reports import caption
from stages.series import describe
from stages.volumes import contrast_of, normalize
from tests.stages.conftest import NAME

OWN = """
name: our-site
contrast:
  measured:
    - {id: everything, answer: OURS, confidence: 0.9, when: {echo_time: stated}, because: a test}
"""


@pytest.fixture
def copied(treated, tmp_path):
    root = tmp_path / "lake"
    shutil.copytree(treated.lake.settings.root, root)
    rules = tmp_path / "rules.yaml"
    rules.write_text(OWN, encoding="utf-8")
    return Lake.open(root, workers=1, classification_rules=rules)


def digests(lake, station):
    """Of the rules, in the last event of a station."""
    rows = sorted(lake.table(LEDGER).rows(["sequence", "event"]), key=lambda row: row["sequence"])
    events = [json.loads(row["event"])["facts"] for row in rows]
    return [facts["digests"] for facts in events if facts.get("stage") == station][-1]


def test_every_question_of_every_series_is_answered_with_evidence(treated):
    for row in treated.lake.table(SERIES).rows():
        evidence = json.loads(row["evidence"])
        assert {name: row[name] for name in QUESTIONS} == {name: evidence[name]["value"] for name in QUESTIONS}
        assert row["confidence"] == evidence["contrast"]["confidence"]
        assert row["dimensions"] == "2D"


def test_a_lakes_own_rules_judge_its_series_and_volumes_and_are_on_record(treated, copied):
    describe(copied, NAME)
    normalize(copied, NAME)
    for table in (SERIES, VOLUMES):
        assert {row["contrast"] for row in copied.table(table).rows(["contrast"])} == {"OURS"}
    shipped = load_rules().digests
    for station in ("series", "volumes"):
        assert digests(treated.lake, station) == shipped
        recorded = digests(copied, station)
        assert set(recorded) == {"our-site", "shipped"}
        assert recorded["shipped"] == shipped["shipped"]


def test_a_wrong_document_of_rules_stops_the_station_before_anything_is_written(copied):
    before = copied.table(SERIES).version()
    copied.settings.classification_rules.write_text("name: our-site\ncontrst: {}\n", encoding="utf-8")
    with pytest.raises(DocumentError, match="contrst"):
        describe(copied, NAME)
    assert copied.table(SERIES).version() == before


def test_captions_say_what_the_tissue_was_made_to_show(treated):
    row = treated.lake.table(SERIES).rows()[0] | {
        "plane": "axial", "contrast": "T1", "fat_suppression": "suppressed", "contrast_agent": "given",
        "body_part": "brain", "field_strength": None,
    }  # fmt: skip
    assert caption([row]) == "MRI of brain: axial fat-suppressed T1 after contrast agent."
    assert any("MRI of" in row["text"] for row in treated.lake.table(REPORTS).rows(["text"]))


def test_echoes_of_two_weightings_are_volumes_of_two_contrasts():
    headers = [
        Header(
            scanning_sequence=("SE",), image_type=("ORIGINAL", "PRIMARY", "M"), echo_time=te, repetition_time=4300.0,
            position=(0.0, 0.0, 3.0 * z), orientation=(1.0, 0, 0, 0, 1.0, 0), pixel_spacing=(1.0, 1.0), rows=4,
            columns=4, bits_allocated=16, bits_stored=12, high_bit=11, photometric="MONOCHROME2", pixel_tag=0x7FE00010,
            echo_number=number, instance_number=z + 10 * number, series_uid="1.2", sop_uid=f"1.2.{z}.{number}",
            slice_thickness=3.0, sop_class=MR_IMAGE, modality="MR",
        )
        for number, te in ((1, 11.0), (2, 92.0)) for z in range(4)
    ]  # fmt: skip
    series = Series({}, [h.sop_uid for h in headers], [], headers, plan(headers), [])
    judged = classify(headers).contrast.value
    assert judged == "unknown"
    found = [contrast_of(series, planned, judged, load_rules()) for planned in series.plan.volumes]
    assert sorted(found) == ["PD", "T2"]
