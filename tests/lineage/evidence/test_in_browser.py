"""The pages in a real browser: readable on a screen, on a telephone and on paper, by everybody, without network."""

import pytest

from lake.releases import CARD
from lineage.evidence import certificates, disclosures, report, technical_file
from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.principal import now
from schemas.contract import Zone
from tests.browser import page, serious

pytestmark = pytest.mark.ui

PAGES = ("report", "technical-file", "disclosures", "certificate", "card")

_LOST = """() => [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))
    .filter(href => !href.startsWith('#') || !document.getElementById(href.slice(1)))"""
_NUMBERS = """() => [...document.querySelectorAll('main section:not(#rows):not(#entries):not(#ledger) tbody td.n')]
    .filter(cell => /\\d/.test(cell.textContent) && !cell.querySelector('a, .badge')).map(cell => cell.textContent)"""
_TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_CUT = """() => [...document.querySelectorAll('table')]
    .filter(table => table.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(table => table.caption.textContent)"""

PAPER = 1017
"""A4 on its side without its margins, in CSS pixels."""


@pytest.fixture(scope="module")
def addresses(evident_root, tmp_path_factory):
    """File URIs of the pages of one lake."""
    import shutil

    from lake.zones import Lake

    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(evident_root, folder / "lake")
    lake = Lake.open(folder / "lake", principal="officer", workers=1)
    past = Past.of(lake)
    made = {
        "report": report.report(lake),
        "technical-file": technical_file.page(past, Record.of(past), now()),
        "certificate": certificates.page(lake, "a"),
        "card": lake.location(Zone.CURATED, "releases", "cohort").read_bytes(CARD).decode(),
    }
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    written = disclosures.write(lake, disclosures.account(lake, "S1"))
    shutil.copy(written, folder / "disclosures.html")
    return {name: (folder / f"{name}.html").as_uri() for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_asks_for_nothing_outside_itself(addresses, name):
    asked = []
    with page("about:blank") as shown:
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(addresses[name])
        assert serious(shown) == []
        assert shown.title()
        assert shown.locator("h1").count() == 1
    assert asked == [addresses[name]]


def test_every_link_of_the_report_leads_to_a_row_and_every_number_has_one(addresses):
    with page(addresses["report"]) as shown:
        assert shown.evaluate(_LOST) == []
        assert shown.evaluate(_NUMBERS) == []
        shown.locator("#deliveries td.n a").first.click()
        assert shown.url.endswith("#row-received-a")
        assert shown.locator("#row-received-a").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_telephone_and_reads_without_script(addresses, name):
    with page(addresses[name], width=390, height=800, scripts=False) as shown:
        assert shown.evaluate(_TOO_WIDE) <= 0
        assert shown.locator("h1").is_visible()


@pytest.mark.parametrize("name", [name for name in PAGES if name != "card"])  # names on a card are short
def test_names_as_long_as_a_uid_do_not_push_a_page_off_a_telephone(addresses, name):
    with page(addresses[name], width=390, height=800) as shown:
        shown.evaluate("document.querySelectorAll('h2, h3, dt').forEach(e => e.append(' 2.25.' + '1'.repeat(39)))")
        assert shown.evaluate(_TOO_WIDE) <= 0


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_paper(addresses, name):
    with page(addresses[name], width=PAPER) as shown:
        shown.emulate_media(media="print")
        assert shown.evaluate(_CUT) == []
        assert shown.pdf(format="A4", landscape=True).startswith(b"%PDF")
