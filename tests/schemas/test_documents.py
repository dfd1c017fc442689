"""Documents that people write are read strictly, and their errors say what to mend."""

import datetime as dt

import pytest

from schemas.delivery import Delivery
from schemas.document import DocumentError, canonical_json
from schemas.licence import Licence
from schemas.reasons import Reason
from schemas.release import ReleaseSpec

DELIVERY = {"name": "a", "licensor": "L", "licence": "l", "received": "2026-01-02"}
LICENCE = {"id": "l", "title": "T", "licensor": "L", "valid_from": "2026-01-01", "purposes": ["research"]}


@pytest.mark.parametrize(
    ("model", "content", "said"),
    [
        (Delivery, DELIVERY | {"licens": "x"}, "licens"),
        (Delivery, DELIVERY | {"name": "Smith^John 1970"}, "keep people's names and dates out"),
        (Delivery, DELIVERY | {"kind": "nifti"}, "deidentified: true"),
        (Delivery, DELIVERY | {"labels": "labels.csv"}, "label_task and label_scheme"),
        (Licence, LICENCE | {"valid_until": "2025-01-01"}, "valid_until before valid_from"),
        (Licence, LICENCE | {"purposes": []}, "purposes"),
        (ReleaseSpec, {"name": "r", "splits": {"train": 0.5, "test": 0.2}}, "add up to 1"),
        (ReleaseSpec, {"name": "r", "cohort": "true; drop table x"}, "one SQL expression"),
    ],
    ids=["misspelt field", "name with a person", "nifti without word", "labels without task", "licence backwards",
         "no purpose", "splits", "two statements"],
)  # fmt: skip
def test_a_wrong_document_names_the_field(model, content, said):
    with pytest.raises(DocumentError, match=said) as told:
        model.parse(content, "document.yaml")
    assert "Value error" not in str(told.value)


def test_a_missing_or_garbled_file_says_which_document_was_needed(tmp_path):
    with pytest.raises(DocumentError, match="needed a licence document"):
        Licence.read(tmp_path / "no.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(DocumentError, match="no valid YAML"):
        Licence.read(tmp_path / "bad.yaml")


def test_a_digest_depends_on_the_content_and_not_on_the_layout(tmp_path):
    (tmp_path / "l.yaml").write_text("# remark\n" + "\n".join(f"{k}: {v}" for k, v in reversed(LICENCE.items())))
    assert Licence.read(tmp_path / "l.yaml").digest == Licence.parse(LICENCE, "x").digest
    assert Licence.parse(LICENCE | {"export": True}, "x").digest != Licence.parse(LICENCE, "x").digest


@pytest.mark.parametrize(
    ("day", "in_force"), [("2025-12-31", False), ("2026-01-01", True), ("2026-06-30", True), ("2026-07-01", False)]
)
def test_first_and_last_day_of_a_licence_are_in_force(day, in_force):
    licence = Licence.parse(LICENCE | {"valid_until": "2026-06-30"}, "x")
    assert licence.in_force(dt.date.fromisoformat(day)) is in_force


def test_canonical_json_has_one_text_for_one_value():
    assert canonical_json({"b": [1, "ä"], "a": None}) == '{"a":null,"b":[1,"ä"]}'
    with pytest.raises(TypeError, match="float"):
        canonical_json({"a": [0.1]})


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_remedy(reason):
    assert len(reason.remedy) > 20
