"""A gallery needs no network and no script, hides the sealed set, and is on the record."""

import base64
import json
import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from lake.releases import ReleaseError
from lineage.ledger import ledger
from orchestration.cli import cli
from orchestration.gallery.choice import GalleryError
from orchestration.gallery.page import TIMES, write
from schemas.tables import ACCESS, SERIES, VOLUMES
from stages.quality import with_quality
from tests import browser, synthetic


class _Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3", "S4"]}, contrasts=("T1", "T2", "DWI"))
    return lake


def _page(made):
    return _Page(made.page.read_text())


def test_a_page_is_one_file_that_reaches_for_nothing(filled):
    made = write(filled)
    text, page = made.page.read_text(), _page(made)
    assert made.page == filled.settings.root / "pages" / "volumes.html"
    assert not re.search(r"https?:|//[a-z]", re.sub(r"base64,[^\"]*", "", text))
    assert not page.all("link")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert "default-src 'none'" in text


def test_every_volume_has_its_preview_and_what_is_known_of_it(filled):
    page = _page(write(filled, delivery="a"))
    rows = filled.table(VOLUMES).rows(["volume", "preview"], {"delivery": "a"})
    shown = [base64.b64decode(image["src"].partition(",")[2]) for image in page.all("img")]
    assert sorted(shown) == sorted(row["preview"] for row in rows)
    assert all(row["volume"] in page.text for row in rows)
    for words in (
        f"8{TIMES}7{TIMES}6, 3 steps (diffusion)",
        f"2{TIMES}2.5{TIMES}3 mm",
        "1 of 6 along z: 2",
        "head, axial",
    ):
        assert words in page.text


def test_a_page_can_be_read_without_seeing_it_and_without_its_script(filled):
    page = _page(write(filled, delivery="a"))
    assert all(image["alt"] and image["loading"] == "lazy" for image in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    heads = [name for name, _ in page.tags if name in ("h1", "h2", "h3")]
    assert heads == ["h1", "h2", *["h3"] * 6]
    assert "hidden" in page.all("form")[0]
    assert all("hidden" not in card for card in page.all("li"))
    assert len(page.all("label")) == len(page.all("select")) + len(page.all("input"))


def test_the_sealed_test_set_of_a_release_is_not_shown(filled):
    release = synthetic.frozen(filled)
    made = write(filled, release="cohort")
    page = _page(made)
    sealed = release.members("test", sealed_ok=True)
    assert made.sealed == len(sealed) > 0
    assert not [m for m in sealed if m.volume in page.text or m.subject in page.text]
    shown = {card["data-split"] for card in page.all("li")}
    assert shown == {"train", "validation"}
    with pytest.raises(GalleryError, match="no volume to show"):
        write(filled, release="cohort", where=f"subject = '{sealed[0].subject}'")


def test_a_release_is_shown_as_it_was_frozen(filled):
    synthetic.frozen(filled)
    before = write(filled, release="cohort")
    content = before.page.read_text()
    synthetic.put(filled, VOLUMES, "a", [])
    synthetic.put(filled, VOLUMES, "b", [])
    assert write(filled, release="cohort").page.read_text() == content


@pytest.mark.parametrize(
    ("where", "found"),
    [("contrast = 'T2'", 4), ("plane = 'axial' and len(missing_slices) > 0", 4), ("echo_time > 1000", 0), (None, 12)],
)
def test_a_predicate_chooses_by_volume_and_series(filled, where, found):
    if not found:
        with pytest.raises(GalleryError, match="among 0 that fit"):
            write(filled, where=where)
        return
    made = write(filled, where=where, limit=3)
    assert (made.volumes, made.found) == (3, found)
    assert len(_page(made).all("li")) == 3


@pytest.mark.parametrize("where", ["nothing = 1", "true; drop table volume", "exists (select * from '/etc/passwd')"])
def test_a_predicate_reads_nothing_but_the_tables(filled, where):
    with pytest.raises(GalleryError, match="needed one"):
        write(filled, where=where)
    assert not filled.table(ACCESS).exists()


def test_what_a_person_typed_stays_text(filled):
    page = _page(write(filled, where="contrast <> '<script>alert(1)</script>'"))
    assert len(page.all("script")) == 1


def test_a_look_is_an_access_with_its_purpose(filled, tmp_path):
    synthetic.frozen(filled)
    made = write(filled, release="cohort", purpose="quality review", out=tmp_path / "page.html")
    (row,) = filled.table(ACCESS).rows()
    assert (row["action"], row["subject_of_access"], row["rows"]) == ("read", "cohort", made.volumes)
    assert row["purpose"] == "quality review"
    facts = json.loads(ledger.entries(filled)[-1]["event"])["facts"]
    assert facts["release"] == "cohort"
    assert made.page == tmp_path / "page.html"


def test_unknown_names_list_what_there_is(filled):
    with pytest.raises(GalleryError, match="needed one of: a, b"):
        write(filled, delivery="c")
    with pytest.raises(ReleaseError, match="needed one of: none"):
        write(filled, release="c")
    with pytest.raises(GalleryError, match="needed one of them"):
        write(filled, release="c", delivery="a")


def test_a_volume_without_a_preview_or_a_series_is_still_shown(lake):
    synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", "S1", preview=None)])
    synthetic.fill(lake, {"b": ["S2"]})
    page = _page(write(lake, delivery="a"))
    assert "No preview" in page.text
    assert page.all("img") == []


def test_volumes_are_shown_before_series_are_described(lake):
    synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", "S1")])
    assert write(lake, delivery="a").volumes == 1


def test_what_stands_out_in_quality_can_be_looked_at(lake):
    rows = [synthetic.volume_row("a", f"S{i}", snr=snr) for i, snr in enumerate([30.0, 31.0] * 5 + [5.0])]
    synthetic.put(lake, VOLUMES, "a", rows)
    synthetic.put(lake, SERIES, "a", with_quality(lake, "a", [synthetic.series_row(row) for row in rows]))
    assert write(lake, delivery="a", where="len(quality_flags) > 0").volumes == 1


def test_what_stands_out_is_said_on_its_card(lake):
    rows = [synthetic.volume_row("a", f"S{i}", snr=snr) for i, snr in enumerate([30.0, 31.0] * 5 + [5.0])]
    synthetic.put(lake, VOLUMES, "a", rows)
    synthetic.put(lake, SERIES, "a", with_quality(lake, "a", [synthetic.series_row(row) for row in rows]))
    page = _page(write(lake, delivery="a"))
    assert sorted(card["data-quality"] for card in page.all("li")) == ["like its group"] * 10 + ["stands out"]
    assert page.text.count("SNR 5)") == 1


def test_the_verb_writes_one_file_where_it_is_told_to(filled, tmp_path):
    page = tmp_path / "page.html"
    asked = ["--root", str(filled.settings.root), "look", "--delivery", "a", "--out", str(page), "--json"]
    ended = CliRunner().invoke(cli, asked)
    assert (ended.exit_code, json.loads(ended.stdout)["volumes"]) == (0, 6)
    assert page.is_file()


def test_predictions_that_would_not_be_shown_are_told(filled, tmp_path):
    """Segmentations in DICOM, another release's label maps, and a page without the viewer."""
    asked = ["--root", str(filled.settings.root), "look", "--delivery", "a", "--predictions", str(tmp_path)]
    nothing = CliRunner().invoke(cli, asked)
    assert "needed <volume>.nii.gz of one at least" in str(nothing.exception)
    ended = CliRunner().invoke(cli, [*asked, "--out", str(tmp_path / "page.html")])
    assert (ended.exit_code, "a file has no viewer" in ended.output) == (2, True)


@pytest.mark.ui
def test_the_filters_of_a_page_hide_what_does_not_fit(filled, tmp_path):
    made = write(filled, out=tmp_path / "page.html")
    with browser.page(made.page.as_uri()) as shown:
        shown.get_by_label("Contrast").select_option("T2")
        visible = shown.locator("li.card:visible")
        assert [card.get_attribute("data-contrast") for card in visible.all()] == ["T2"] * 4
        assert "4 of 12 shown" in shown.locator("output").first.evaluate("told => told.value")
        shown.get_by_label("Find").fill(visible.first.locator("code").last.text_content())
        assert visible.count() == 1
        shown.get_by_text("Show all").click()
        assert visible.count() == 12
        assert browser.serious(shown) == []
