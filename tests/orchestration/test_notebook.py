"""What a release shows in a cell, judged by a real Jupyter kernel and a real browser."""

import html
import re

import pytest

from tests import browser, synthetic

pytestmark = pytest.mark.slow

CELLS = (
    'import lake; release = lake.open("heads", purpose="research"); release.look()',
    "release.look(release.members()[0].volume)",
    "import sys; [name for name in ('dagster', 'torch', 'pyspark') if name in sys.modules]",
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Outputs of the cells, as a notebook keeps them."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    from lake.settings import Settings
    from lake.zones import Lake

    lake = Lake(Settings(root=tmp_path_factory.mktemp("lake")))
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3", "S4", "S5"]})
    synthetic.frozen(lake, "heads", splits=(0.6, 0.2, 0.2))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LARMOR_ROOT", str(lake.settings.root))
        # a kernel's files of connection and history stay out of the person's home
        patched.setenv("JUPYTER_RUNTIME_DIR", str(lake.settings.root / "runtime"))
        patched.setenv("IPYTHONDIR", str(lake.settings.root / "ipython"))
        done = nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    return [cell.outputs[-1].data for cell in done.cells]


@pytest.mark.ui
def test_a_gallery_is_a_frame_that_anyone_can_read(shown, tmp_path):
    cell = shown[0]["text/html"]
    assert len(shown[0]["text/plain"]) < 100, "a terminal, and the notebook's file, would have the page twice"
    assert 'sandbox="allow-scripts"' in cell
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', cell)[1])
    assert not re.search(r'(?:src|href)="https?:', page)
    notebook = tmp_path / "cell.html"
    notebook.write_text(f'<!doctype html><html lang="en"><title>A cell</title><body><main><h1>A</h1>{cell}</main>')
    with browser.page(notebook.as_uri()) as opened:
        frame = opened.frame_locator("iframe")
        assert frame.locator("article, .card").count() == 8
        assert browser.serious(opened) == []


def test_a_volume_is_a_widget_that_an_old_viewer_sees_as_text(shown):
    pytest.importorskip("ipyniivue")
    assert "application/vnd.jupyter.widget-view+json" in shown[1]
    assert "NiiVue" in shown[1]["text/plain"]


def test_nothing_of_the_pipeline_was_imported(shown):
    assert shown[2]["text/plain"] == "[]"
