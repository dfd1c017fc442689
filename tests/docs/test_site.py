"""The documentation as a site: built without a warning, read without a network, by everybody."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lake
import training
from tests import browser

PROJECT = Path(__file__).parent.parent.parent
DOCS = PROJECT / "docs"
READ = ("index", "how-to/index", "reference/tables", "reference/python", "tutorials/notebook")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages. Sphinx has a process of its own: it imports our modules anew to read their signatures."""
    out = tmp_path_factory.mktemp("site")
    words = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-d", out / "doctrees", DOCS, out / "html"]
    done = subprocess.run([sys.executable, *words], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_every_public_name_of_a_notebook_is_in_the_reference():
    page = (DOCS / "reference" / "python.md").read_text()
    for module in (lake, training):
        for name in module.__all__:
            assert f":: {module.__name__}.{name}\n" in page


@pytest.mark.slow
def test_every_page_is_in_the_site_and_none_asks_the_network(site):
    pages = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    assert not {page for page in pages if not (site / page).is_file()}
    for page in pages:
        text = (site / page).read_text()
        asked = re.findall(r'<(?:link|script|img|iframe)\b[^>]*?(?:src|href)="([^"#?]+)', text)
        assert asked
        assert not [each for each in asked if not (site / page.parent / each).is_file()], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", sheet.read_text()), sheet.name


@pytest.mark.slow
def test_a_page_tells_nothing_of_the_machine_it_was_built_on(site):
    for page in site.rglob("*.html"):
        assert str(PROJECT) not in page.read_text()
        assert str(Path.home()) not in page.read_text()


@pytest.mark.slow
@pytest.mark.ui
def test_everybody_can_read_a_page_by_day_by_night_and_on_a_telephone(site):
    # axe-core asks for style sheets once more, which a browser refuses it in files: those errors are not the page's
    with browser.page((site / "index.html").as_uri(), quiet=False) as shown:
        for page in READ:
            shown.goto((site / f"{page}.html").as_uri())
            for scheme in ("light", "dark"):
                shown.emulate_media(color_scheme=scheme)
                assert browser.serious(shown) == [], (page, scheme)
            shown.set_viewport_size({"width": 390, "height": 800})
            assert shown.evaluate("document.documentElement.scrollWidth") <= 390, page
            shown.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.slow
@pytest.mark.ui
def test_the_search_finds_a_page_without_a_server(site):
    with browser.page((site / "search.html").as_uri() + "?q=quarantine") as shown:
        shown.wait_for_selector("#search-results li a")
        found = shown.locator("#search-results li a").all_text_contents()
    assert "Work through quarantine" in found
