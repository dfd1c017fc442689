"""Rules are a document: a user's come before those that ship, and mistakes in them are named, field by field."""

from pathlib import Path

import pytest
import yaml

from imaging.headers.header import Header
from imaging.kinds.classify import classify
from imaging.kinds.facts import Facts
from imaging.kinds.rules import SHIPPED, load_rules
from schemas.classification import QUESTIONS, Rules, When
from schemas.document import DocumentError

NOTHING = [Header(scanning_sequence=("GR",), echo_time=3.5, repetition_time=8, series_description="zte tra")]
OWN = """
name: our-site
contrast:
  measured:
    - id: zero-echo
      answer: PD
      confidence: 0.9
      when: {sequence: {any: [GR]}, echo_time: [null, 4], repetition_time: [5, 10]}
      because: our ultrashort protocol
  named:
    - {id: site-words, answer: MTR, confidence: 0.6, words: '\\bmtr\\b'}
"""


@pytest.fixture
def own(tmp_path):
    def write(text=OWN):
        path = tmp_path / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_condition_of_a_rule_is_a_fact_of_a_series():
    assert set(When.model_fields) == set(Facts.__dataclass_fields__)


def test_shipped_rules_say_why_and_answer_every_question_but_the_part():
    rules = Rules.read(SHIPPED)
    assert all(rules.questions[name].every for name in QUESTIONS if name != "part")
    assert len(rules.ids) == len(set(rules.ids)) > 80


def test_a_users_rules_come_before_those_that_ship(own):
    rules = load_rules(own())
    assert classify(NOTHING).contrast.value == "unknown"
    found = classify(NOTHING, rules).contrast
    assert (found.value, found.confidence) == ("PD", 0.9)
    assert found.evidence == "zero-echo: sequence GR, echo time up to 4, repetition time 5 to 10"


def test_a_user_may_add_answers_and_turn_shipped_rules_off(own):
    rules = load_rules(own(OWN.replace("name: our-site", "name: our-site\nwithout: [t1-words]")))
    named = [Header(series_description="MTR map"), Header(series_description="t1_tra")]
    assert [classify([h], rules).contrast.value for h in named] == ["MTR", "unknown"]


def test_a_rule_may_say_that_nobody_should_answer(own):
    abstain = OWN.replace("answer: PD", "answer: unknown")
    named = [Header(scanning_sequence=("GR",), echo_time=3.5, repetition_time=8, series_description="t1")]
    assert classify(named).contrast.value == "T1"
    assert classify(named, load_rules(own(abstain))).contrast.value == "unknown"


def test_an_edit_of_the_document_is_seen_and_changes_its_digest(own):
    before = load_rules(own())
    after = load_rules(own(OWN.replace("0.9", "0.8")))
    assert classify(NOTHING, after).contrast.confidence == 0.8
    assert before.digests["shipped"] == after.digests["shipped"]
    assert before.digests["our-site"] != after.digests["our-site"]
    assert load_rules(own()).digests == before.digests


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (OWN.replace("echo_time:", "echo_tme:"), "contrast.measured.0.when.echo_tme"),
        (OWN.replace("[5, 10]", "[10, 5]"), "needed the lower limit first"),
        (OWN.replace("[5, 10]", "[null, null]"), "needed at least one limit"),
        (OWN.replace("0.9", "1.5"), "contrast.measured.0.confidence"),
        (OWN.replace("      because: our ultrashort protocol\n", ""), "contrast.measured.0.because"),
        (OWN.replace("\\bmtr\\b", "(mtr"), "needed a regular expression"),
        (OWN.replace("site-words", "zero-echo"), "same id: zero-echo"),
        (OWN.replace("site-words", "t1-words"), "ids of shipped rules: t1-words"),
        (OWN.replace("our-site", "shipped"), "needed another one"),
        (OWN.replace("name: our-site", "name: our-site\nwithout: [nosuch]"), "no shipped rules nosuch"),
        (OWN.replace("contrast:", "plane:"), "plane: found another answer in site-words, zero-echo"),
        ("a: [", "no valid YAML"),
    ],
)
def test_mistakes_in_a_users_rules_are_named(own, wrong, said):
    with pytest.raises(DocumentError) as refused:
        load_rules(own(wrong))
    assert said in str(refused.value)


def test_a_document_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DocumentError, match="found no file"):
        load_rules(tmp_path / "nosuch.yaml")


def test_the_worked_example_of_the_page_is_a_document(own):
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "extend-classification.md").read_text(encoding="utf-8")
    examples = [part.split("```")[0] for part in page.split("```yaml")[1:]]
    whole = [text for text in examples if "name" in yaml.safe_load(text)]
    assert whole
    for text in whole:
        load_rules(own(text))
