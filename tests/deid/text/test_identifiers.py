# ruff: noqa: RUF001 - letters that look alike are what is tested
"""Identifying values are gathered from wherever they stand, and found again however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.headers.elements import parse
from deid.text.identifiers import Identifiers, gather
from deid.text.spelling import atoms, fold
from deid.text.vocabulary import words


def test_values_are_gathered_from_nested_and_private_elements_too(planted, written):
    pairs = gather(parse(written(planted.image), pixels=False).dataset)
    assert {
        ("name", "Quennelby^Osberta^Q"),
        ("name", "Deepwick^Nested"),
        ("id", "PID88123"),
        ("id", "ACC55120"),
        ("id", "OTHR7731"),
        ("birth", "19490307"),
        ("date", "20210417"),
        ("phone", "615-555-0142"),
        ("address", "17 Larkspurlane"),
        ("institution", "Mercyvale Hospital"),
        ("institution", "Nestedvale Clinic"),
        ("other", "STN4477"),
        ("other", "SN9988771"),
        ("clinician", "Referwick^Ann"),
        ("uid", "1.2.826.0.1.3680043.9.77771.1"),
        ("uid", "1.2.826.0.1.3680043.9.88881.1"),
    } <= pairs
    assert not any(value.startswith("1.2.840.10008") for _, value in pairs)


def test_placeholders_identify_nobody(mr_image, written):
    mr_image.PatientName, mr_image.PatientID, mr_image.StationName = "Anonymous", "unknown", "NONE"
    pairs = gather(parse(written(mr_image), pixels=False).dataset)
    assert {kind for kind, _ in pairs} == {"date", "uid"}


def test_names_in_other_alphabets_are_read_by_their_character_set(mr_image, written):
    mr_image.SpecificCharacterSet = "ISO_IR 144"
    mr_image.PatientName = "Люкceмбypг"
    assert ("name", "Люкceмбypг") in gather(parse(written(mr_image), pixels=False).dataset)


SPELLINGS = (
    lambda name: name.upper(),
    lambda name: name.lower(),
    lambda name: name.capitalize(),
    lambda name: f"t1_{name}_sag",
    lambda name: f"{name}2",
    lambda name: f"x{name}" if len(name) > 4 else name,
    " ".join,
    lambda name: f"Dr.{name},",
    "_".join,
    lambda name: "".join(c + "\u0301" if c in "aeiou" else c for c in name),
)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12), st.sampled_from(range(len(SPELLINGS))))
def test_a_name_is_found_in_every_spelling(name, spelling):
    written = SPELLINGS[spelling](name)
    if " " in written or ("_" in written and spelling == 8):
        written = written.upper()
    found = Identifiers.of([("name", f"{name}^Zzz")]).find(f"brain {written} t2")
    assert found, "not found"


WHOLE = (
    lambda last, first: f"{last}{first}",
    lambda last, first: f"{first}{last}",
    lambda last, first: f"{first.capitalize()}{last.capitalize()}",
    lambda last, first: f"{last.upper()},{first}",
    lambda last, first: f"{first}_{last}_20210417",
    lambda last, first: f"20210417{last}{first}",
    lambda last, first: f"{last[::-1]}",
    lambda last, first: " ".join(f"{first}{last}".upper()),
    lambda last, first: "-".join(f"{last}{first}".upper()),
    lambda last, first: f"{last}\u00a0\u00a0{first}",
    lambda last, first: "".join(chr(ord(c) + 0xFEE0) for c in last),
)


@given(
    st.text("bcdfgklmnprstvz", min_size=6, max_size=10),
    st.text("bcdfgklmnprstvz", min_size=4, max_size=8),
    st.sampled_from(range(len(WHOLE))),
)
def test_a_whole_name_is_found_in_every_order_and_writing(last, first, spelling):
    assert Identifiers.of([("name", f"{last}^{first}")]).find(f"brain {WHOLE[spelling](last, first)} t2")


@pytest.mark.parametrize("text", ["JQS", "seen by J.Q.S.", "t1_JQS_sag", "SJQ 3", "J Q S"])
def test_initials_that_stand_alone_are_found(text):
    assert Identifiers.of([("name", "Smith^John^Quincy")]).find(text)


def test_initials_that_are_a_word_of_the_protocol_stay():
    assert "tse" in words("protocol")
    identifiers = Identifiers.of([("name", "Edwards^Tom^Saul"), ("name", "Tanner^Sue^Ella")])
    assert identifiers.find("t2 TSE sag") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Müller^Jörg", "Mueller"),
        ("Mueller^Jorg", "MÜLLER"),
        ("Sørensen^Åse", "SORENSEN t1"),
        ("Sorensen^Ase", "t1 Sørensen"),
        ("Weiß^Anna", "WEISS"),
        ("Łukasiewicz^Jan", "lukasiewicz"),
        ("O'Brien^Pat", "obrien 2"),
        ("O'Brien^Pat", "O’BRIEN"),
        ("van der Berghe^Els", "VanDerBerghe"),
        ("Garcia-Lopez^Ana", "garcialopez"),
        ("McDonald^Ron", "MCDONALD"),
        ("山田^太郎", "t1 山田"),
    ],
)
def test_a_name_is_found_in_the_spellings_of_its_language(name, text):
    found = Identifiers.of([("name", name)]).find(text)
    assert found
    letters = {i for i, c in enumerate(text) if c.isalpha()}
    assert max(f.end for f in found) - min(f.start for f in found) >= min(4, len(letters)) or name[0] == "山"


def test_digits_of_an_id_are_found_without_its_letters():
    assert Identifiers.of([("id", "MRN-8830177")]).find("scan 8830177")


@pytest.mark.parametrize("text", ["AB7731X", "ab-7731-x", "AB 7731 X", "ab_7731_x", "head AB.7731.X t1"])
def test_an_id_is_found_whatever_separates_it(text):
    assert Identifiers.of([("id", "AB-7731-X")]).find(text)


def test_ordinary_text_is_left_alone():
    identifiers = Identifiers.of(
        [("name", "Ma^Li"), ("name", "Maxi^Al"), ("id", "12"), ("institution", "University Hospital")]
    )
    assert identifiers.find("maximal intensity axial t1 12 university of alignment") == []


def test_places_are_those_of_the_original_text():
    text = "Ｓmíth ﬁne"
    assert [(a.text, text[a.start : a.end]) for a in atoms(text)] == [("smith", "Ｓmíth"), ("fine", "ﬁne")]
    assert fold("MÜLLER") == "muller"
