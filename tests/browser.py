"""Pages in a real browser: Debian's Chromium, headless, driven by Playwright and judged by axe-core.

Tests that use it are marked `ui`. Where there is no Chromium they skip and say so.
"""

import contextlib
import shutil

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
GRAVE = ("serious", "critical")


def program():
    """Path of the browser, or a skip with the reason."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("found no Chromium, needed the Debian package chromium")
    return found


@contextlib.contextmanager
def page(url, *, width=1280, height=900, scripts=True, quiet=True):
    """A Playwright page opened at a URL (`Path.as_uri()` for a file).

    Args:
        url: what is opened.
        width: of the window, pixels.
        height: of the window, pixels.
        scripts: whether the page may run scripts of its own.
        quiet: fail at the end if the page wrote an error to its console or threw one.
    """
    executable = program()
    sync_api = pytest.importorskip("playwright.sync_api", reason="needed playwright")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": width, "height": height}, java_script_enabled=scripts)
        shown, errors = context.new_page(), []
        shown.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.goto(url)
        yield shown
        chromium.close()
    assert not (quiet and errors), errors


def serious(shown):
    """What axe-core calls serious or critical on an open page: rule, and the elements it is about."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needed axe-playwright-python").Axe()
    found = axe.run(shown).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found if one["impact"] in GRAVE]
