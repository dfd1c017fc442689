"""A data card says the same as a page and as Markdown, and shows values as they are."""

from lake.releases import CARD, CARD_TEXT
from schemas.contract import Zone
from stages.export.markdown import cell, environment
from tests import synthetic


def test_a_release_has_its_card_as_a_page_and_as_markdown(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3"], "b": ["S4"]}, contrasts=("T1", "T2"))
    release = synthetic.frozen(lake, cohort="contrast <> '<b>'")
    location = lake.location(Zone.CURATED, "releases", "cohort")
    text, page = location.read_bytes(CARD_TEXT).decode(), location.read_bytes(CARD).decode()
    counts = release.manifest.counts["train"]
    row = " | ".join(str(counts[what]) for what in ("subjects", "series", "volumes", "labels"))
    assert f"| train | {row} |" in text
    assert "| open-licence | `" in text
    # half of the volumes are of each contrast: bars of half the length
    (line,) = [line for line in text.splitlines() if line.startswith("| T1 |")]
    assert line.count("\N{FULL BLOCK}") == 10
    assert "--share: 50%" in page


def test_a_cell_is_neither_markup_nor_the_end_of_a_cell():
    assert cell("a|b\n<script>*x*") == r"a\|b \<script\>\*x\*"


def test_what_is_rare_has_a_bar_and_what_is_not_there_has_none():
    bar = environment("stages").filters["bar"]
    assert (bar(1, 1000), bar(0, 1000), bar(0, 0)) == ("\N{FULL BLOCK}", "", "")
