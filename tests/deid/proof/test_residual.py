"""What slipped through is seen in the output bytes, and what is no identifier raises no alarm."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deid.proof.residual import Finding, Scanner
from schemas.policy import Dates

PAIRS = [
    ("name", "Quennelby^Osberta"),
    ("name", "Müller^Jörg"),
    ("id", "PID88123"),
    ("id", "00123"),
    ("phone", "615-555-0142"),
    ("institution", "Mercyvale Heart and Lung"),
    ("birth", "19490307"),
    ("date", "20210417"),
    ("uid", "1.2.826.0.1.3680043.9.77771.1"),
]
PIXELS = b"\xe0\x7f\x10\x00OW\0\0\x20\0\0\0"


@pytest.fixture(scope="module")
def scanner():
    return Scanner(PAIRS)


def part10(header=b"", pixels=b""):
    return bytes(128) + b"DICM\2\0" + header + PIXELS + pixels


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("t1 quennelby", "name"),
        ("t1_QUENNELBY_sag", "name"),
        ("QuennelbyOsberta", "name"),
        ("Müller", "name"),
        ("Muller", "name"),
        ("jörg", "name"),
        ("00123", "id"),
        ("PID88123", "id"),
        ("6155550142", "phone"),
        ("mercyvale", "institution"),
        ("1949-03-07", "birth"),
        ("3/7/1949", "birth"),
        ("7 Mar 1949", "birth"),
        ("19490307", "birth"),
        ("17.04.2021", "date"),
        ("1.2.826.0.1.3680043.9.77771.1", "uid"),
    ],
)
@pytest.mark.parametrize("form", ["text", "latin-1", "utf-8", "utf-16-le"])
def test_an_identifier_is_found_in_every_spelling_and_encoding(scanner, text, kind, form):
    data = text if form == "text" else part10(text.encode(form) + b"\0\0")
    assert [f.kind for f in scanner.scan(data, "here")] == [kind]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("O S B E R T A", "name"), ("(615) 555 0142", "phone"), ("id pid-88123", "id"), ("Pid 88123.", "id")],
)
@pytest.mark.parametrize("form", ["text", "latin-1", "utf-8"])
def test_an_identifier_written_apart_is_found(scanner, text, kind, form):
    data = text if form == "text" else part10(text.encode(form) + b"\0\0")
    assert [f.kind for f in scanner.scan(data, "here")] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "brain t1 head",
        "100123",
        "0.0.123",
        "20210101",
        "1.2.826.0.1.3680043.9.77771.15",
        "jorgensen t1",
        "lung and heart",
    ],
)
def test_what_only_resembles_an_identifier_is_no_finding(scanner, text):
    assert scanner.scan(text, "x") == []
    assert scanner.scan(part10(text.encode()), "x") == []


def test_a_value_right_before_the_next_element_is_found(scanner):
    next_element = b"\x43\0\x10\0LO\4\0GEMS"
    assert scanner.scan(part10(b"SH\4\0jorg" + next_element), "x") == [Finding("name", "x", 1)]


def test_a_finding_says_kind_place_and_count_but_never_the_value(scanner):
    found = scanner.scan(part10(b"quennelby\0Quennelby"), "series")
    assert found == [Finding("name", "series", 2)]
    assert "quennelby" not in repr(found).lower()


def test_pixels_are_searched_for_long_values_only_and_only_if_asked(scanner):
    data = part10(pixels=b"\1\2QUENNELBY\3\4jorg 00123")
    assert [f.kind for f in scanner.scan(data, "x")] == ["name"]
    assert scanner.scan(data, "x", pixels=False) == []


@pytest.mark.parametrize(
    ("dates", "found"),
    [(Dates.YEAR_ONLY, ["birth", "date"]), (Dates.SHIFT, ["birth"]), (Dates.KEEP, [])],
)
def test_dates_are_a_finding_only_where_the_policy_takes_them_away(dates, found):
    assert [f.kind for f in Scanner(PAIRS, dates).scan("20210417 19490307", "x")] == found


def test_a_name_that_is_a_protocol_word_counts_only_beside_its_other_part():
    scanner = Scanner([("name", "White^Max")])
    assert scanner.scan("white matter max", "x") == []
    assert [f.kind for f in scanner.scan("t1 White, Max", "x")] == ["name"]


KINDS = ["name", "clinician", "date", "birth", "uid", "id", "other", "phone", "institution", "address", "place"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.text(max_size=12) | st.sampled_from(["1", "1.2", "ö", "王"])), max_size=4
    ),
    st.binary(max_size=200),
)
@example([("uid", "1.2")], b"1.2 1.2.3")
def test_no_value_however_short_or_strange_ends_the_search(pairs, data):
    scanner = Scanner([*pairs, ("name", "Quennelby^Osberta")])
    for searched in (data, part10(header=data), part10(pixels=data), data.decode("latin-1")):
        scanner.scan(searched, "x")
    assert "name" in [f.kind for f in scanner.scan(part10(b"QUENNELBY\0"), "x")]


def test_a_uid_that_names_nothing_is_not_searched():
    assert Scanner([("uid", "1.2")]).scan("1.2 of 1.2.840", "x") == []


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=400),
    st.binary(max_size=400),
    st.sampled_from(["latin-1", "utf-16-le", "utf-16-be"]),
    st.booleans(),
)
def test_an_identifier_is_found_at_any_place_of_any_bytes(before, after, encoding, in_pixels):
    token = "QUENNELBY".encode(encoding)
    planted = before + token + after
    data = part10(pixels=planted) if in_pixels else part10(header=planted)
    assert "name" in [f.kind for f in Scanner(PAIRS).scan(data, "x")]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/landing/x/QUENNELBY_OSBERTA/IM1", "name"),
        ('{"path": "quennelby^osberta"}', "name"),
        ("Quennelby", "name"),
        ("pid88123", "id"),
        ("615-555-0142", "phone"),
        ("born 1949-03-07", "birth"),
        ("mercyvale", "institution"),
        ("1.2.826.0.1.3680043.9.77771.1", "uid"),
    ],
)
def test_an_identifier_in_a_log_is_found(text, kind):
    data = f"2021-04-17 10:00:00 INFO {text} done".encode()
    assert [f.kind for f in Scanner.of_storage(PAIRS).scan_storage(data, "log")] == [kind]


@pytest.mark.parametrize(
    "text",
    ['{"size": 88123, "rows": 123}', "2021-04-17 started", "jorg", "part-88123abc0000000088123.parquet", "19490307"],
)
def test_what_machines_write_by_themselves_is_no_finding(text):
    scanner = Scanner.of_storage([*PAIRS, ("id", "88123")])
    assert scanner.scan_storage(text.encode(), "log") == []


def test_a_word_of_the_software_is_no_name_unless_it_stands_with_its_other_part():
    scanner = Scanner.of_storage([("name", "Walker^Parcel")], frozenset({"walker"}))
    assert scanner.scan_storage(b"the walker walks", "log") == []
    assert [f.kind for f in scanner.scan_storage(b"walker^parcel", "log")] == ["name"]


def test_letters_of_a_picture_or_a_digest_are_no_name():
    picture = ("Ab3+" * 100 + "quennelby" + "Zz/9" * 100).encode()
    assert Scanner.of_storage(PAIRS).scan_storage(b"data:image/png;base64," + picture, "page") == []


def test_the_scanner_does_not_use_the_cleaner():
    from deid.proof import residual

    used = {getattr(value, "__module__", "") for value in vars(residual).values()}
    assert not used & {
        "deid.text.text",
        "deid.text.spelling",
        "deid.text.recognizers",
        "deid.text.identifiers",
        "deid.headers.treatment",
        "deid.headers.elements",
    }
