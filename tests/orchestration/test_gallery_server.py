"""A served gallery answers one person on this machine, shows a thousand volumes at once, and records what is opened."""

import http.client
import json
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import nibabel as nib
import numpy as np
import pytest

from imaging.nifti import nifti
from lake.releases import Release
from orchestration import overlays
from orchestration.gallery import site as sites
from orchestration.gallery.choice import choose
from orchestration.gallery.server import Server
from orchestration.gallery.site import Site
from schemas.tables import ACCESS, VOLUMES
from tests import browser, synthetic


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3", "S4"]}, contrasts=("T1", "DWI"))
    synthetic.frozen(lake)
    return lake


@contextmanager
def serving(lake, predictions=None, **chosen):
    """A server of a gallery, ended with the block."""
    with Server(Site(choose(lake, **chosen), "review", predictions)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, path="", method="GET", token=True, **headers):
    """Status, headers and content of a path below the token."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.request(method, (place.path if token else "/") + path, headers=headers)
    found = connection.getresponse()
    return found.status, found.headers, found.read()


def opened_of(server, volume, tmp_path, kind="volume"):
    status, _, content = ask(server, f"{kind}/{volume}.nii")
    assert status == 200
    (tmp_path / "served.nii").write_bytes(content)
    return nib.load(tmp_path / "served.nii")


def test_only_who_has_the_address_is_answered(filled):
    with serving(filled) as server:
        assert ask(server)[0] == 200
        assert ask(server, token=False)[0] == 403
        assert ask(server, token=False, path="another-token/")[0] == 403
        assert ask(server, Host="lake.example.org")[0] == 403, "a page of the web that renamed itself to this machine"
        assert ask(server, method="POST")[0] == 501
        assert server.server_address[0] == "127.0.0.1"


def test_every_answer_keeps_to_itself(filled):
    with serving(filled) as server:
        _, headers, page = ask(server)
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert b"http" not in page and b"base64" not in page
        _, headers, _ = ask(server, token=False)
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_volume_is_served_with_its_voxels_and_its_place(filled, tmp_path):
    row = filled.table(VOLUMES).rows(["volume", "slope", "intercept", "affine"], {"delivery": "a"})[0]
    with serving(filled, delivery="a") as server:
        image = opened_of(server, row["volume"], tmp_path)
    stored = Release.open(filled, "cohort").volumes().array(row["volume"])
    np.testing.assert_allclose(image.get_fdata(), stored * row["slope"] + row["intercept"])
    np.testing.assert_allclose(image.affine.ravel(), row["affine"], atol=1e-4)


def test_a_label_map_and_a_prediction_lie_over_their_volume(filled, tmp_path):
    release = Release.open(filled, "cohort")
    member = next(m for m in release.members("train") if m.label)
    said = nifti.read(nifti.write(_image(release, member)))
    (tmp_path / f"{member.volume}.nii").write_bytes(nifti.write(said))
    overlays.write_classes(tmp_path, "model", "0" * 64, {0: "background", 1: "tumour"})
    with serving(filled, tmp_path, release="cohort") as server:
        about = json.loads(ask(server, f"about/{member.volume}.json")[2])
        assert [one["name"] for one in about["over"]] == ["prediction", "label map"]
        assert about["over"][0]["scheme"] == {"0": "background", "1": "tumour"}
        assert about["over"][1]["scheme"] == synthetic.SCHEME
        for kind in ("label", "prediction"):
            image = opened_of(server, member.volume, tmp_path, kind)
            np.testing.assert_array_equal(np.asarray(image.dataobj), release.labels().array(member.label))


def _image(release, member):
    from stages.images import label_of

    labels = release.labels()
    return label_of(labels, labels.row(member.label))


def test_what_is_not_on_the_page_is_not_served(filled):
    sealed = Release.open(filled, "cohort").members("test", sealed_ok=True)[0].volume
    with serving(filled, release="cohort") as server:
        for path in (f"volume/{sealed}.nii", f"preview/{sealed}.png", "volume/../../x.nii", "nothing", "volume/"):
            assert ask(server, path)[0] == 404, path


def test_opening_a_volume_is_an_access_and_showing_its_preview_again_is_none(filled):
    volume = filled.table(VOLUMES).rows(["volume"])[0]["volume"]
    with serving(filled, purpose="review") as server:
        before = filled.table(ACCESS).rows()
        for path in (f"volume/{volume}.nii", f"volume/{volume}.nii", f"preview/{volume}.png"):
            assert ask(server, path)[0] == 200
    after = filled.table(ACCESS).rows()
    assert (before[0]["rows"], len(before), len(after)) == (8, 1, 2)
    assert {(row["action"], row["purpose"]) for row in after} == {("read", "review")}


def test_without_the_viewer_the_page_says_how_to_get_it(filled, monkeypatch):
    monkeypatch.setattr(sites, "find_spec", lambda _: None)
    with serving(filled) as server:
        page = ask(server)[2].decode()
        assert "larmor[look]" in page and "<dialog" not in page
        assert ask(server, "niivue.js")[0] == 404


@pytest.mark.ui
def test_a_volume_is_shown_in_planes_and_in_3d_with_its_label_map(filled):
    pytest.importorskip("ipyniivue", reason="needed ipyniivue, which brings NiiVue")
    member = next(m for m in Release.open(filled, "cohort").members("train") if m.label)
    with serving(filled, release="cohort") as server, browser.page(server.url) as shown:
        shown.locator(f"button[data-volume='{member.volume}']").click()
        shown.locator("dialog output", has_text="Drag to move").wait_for(timeout=120_000)
        canvas = shown.locator("#canvas canvas")
        shown.get_by_label("Over it").select_option("nothing")
        grey = _settled(canvas)
        assert grey.std() > 10, "nothing is drawn"
        shown.get_by_label("Over it").select_option("label map")
        coloured = _settled(canvas)
        assert _colour(coloured) > 2 * _colour(grey)
        assert shown.locator("#legend li").all_text_contents() == ["tissue"]
        assert browser.serious(shown) == []
        shown.get_by_role("button", name="Close").click()
        assert shown.locator("dialog").is_hidden()


@pytest.mark.ui
def test_a_label_map_that_cannot_be_read_is_told_where_it_is_asked_for(filled):
    """Its names in the legend, over a volume without it, would say that there is none of them in it."""
    pytest.importorskip("ipyniivue", reason="needed ipyniivue, which brings NiiVue")
    member = next(m for m in Release.open(filled, "cohort").members("train") if m.label)
    with serving(filled, release="cohort") as server, browser.page(server.url, quiet=False) as shown:
        shown.locator(f"button[data-volume='{member.volume}']").click()
        shown.locator("dialog output", has_text="Drag to move").wait_for(timeout=120_000)
        shown.get_by_label("Over it").select_option("nothing")
        shown.route("**/label/*", lambda asked: asked.fulfill(status=500, body="found it damaged"))
        shown.get_by_label("Over it").select_option("label map")
        shown.locator("dialog output", has_text="Not shown: found it damaged").wait_for(timeout=20_000)
        assert shown.locator("#legend li").count() == 0


def _settled(canvas, tries=40):
    """(h, w, 3) what a canvas shows once it shows the same twice."""
    import io

    from PIL import Image

    before = None
    for _ in range(tries):
        canvas.page.wait_for_timeout(250)
        now = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)
        if before is not None and now.max() > 60 and (now == before).all():
            return now
        before = now
    raise AssertionError("a canvas that never came to rest")


def _colour(picture):
    return (picture.max(-1) - picture.min(-1)).mean()
