"""The page an officer reads shows what the tables hold, stands alone, and leads nowhere that is not there."""

import datetime as dt
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from lineage.access import accessed
from lineage.evidence import picture
from lineage.evidence.report import report, write
from lineage.exposures.exposures import record
from lineage.ledger import ledger
from lineage.ledger.seals import seal
from lineage.terms import terms
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Zone
from schemas.licence import Licence
from schemas.release import ReleaseManifest, ReleaseSpec
from schemas.tables import ACCESS, DECISIONS, QUARANTINE, RECEIVED, REPORTS, SERIES, VOLUMES

DELIVERY = "hospital-1"
PHI_PATH = "DOE_JANE/IM1.dcm"
DIGESTS = {"release": "a" * 64, "weights": "b" * 64, "policy": "c" * 64}


def _fill(table, column):
    """A value of the column's type, for columns that a test does not care about."""
    if column.nullable:
        return None
    kind = str(column.type)
    item = next(
        value for name, value in (("string", "x"), ("int64", 1), ("double", 1.0), ("binary", b"x")) if name in kind
    )
    return [item] if kind.startswith("list") else item


def _write(lake, table, partition, rows):
    names = [c for c in table.columns if c.name not in table.partition_by]
    whole = [{c.name: row.get(c.name, _fill(table, c)) for c in names} for row in rows]
    handle = lake.table(table)
    handle.append([handle.write(whole, partition)])


def _licence(**changes):
    said = {"id": "hospital-2026", "title": "t", "licensor": "<b>Hospital</b> & Söhne", "valid_from": "2026-01-01"}
    return Licence.model_validate(said | {"purposes": ["research"], "train_models": True} | changes)


def _models(lake):
    members = [SimpleNamespace(delivery=DELIVERY, licence="hospital-2026", subject="S1", series="1.1", volume="v1")]
    parent = None
    for name, kind in (("base", "pretrained"), ("lesions", "finetuned")):
        manifest = CheckpointManifest(
            name=name,
            kind=kind,
            task="masked" if kind == "pretrained" else "segmentation",
            weights_sha256=DIGESTS["weights"],
            config_sha256="d" * 64,
            release="spring",
            release_sha256=DIGESTS["release"],
            parent=parent,
            parent_weights_sha256=DIGESTS["weights"] if parent else None,
            exposure_sha256="e" * 64,
            steps=1200,
            world_size=2,
            code_version="0.1.0",
            created="2026-02-01T00:00:00Z",
        )
        record(lake, manifest, {"v1": 7}, members)
        folder = lake.location(Zone.MODELS, name)
        folder.write_bytes("manifest.json", manifest.model_dump_json().encode())
        folder.write_bytes("metrics.json", json.dumps({"loss": 0.125, "dice": {"mean": 0.8125}, "curve": [1]}).encode())
        parent = name
    lake.location(Zone.MODELS, "spring-test").write_bytes("metrics.json", b'{"dice": 0.71}')


@pytest.fixture
def full(lake):
    terms.learn(lake, _licence(), dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    terms.learn(lake, _licence(valid_until="2026-01-31"), dt.datetime(2026, 1, 3, tzinfo=dt.UTC))
    outcomes = ["kept"] * 1234 + ["duplicate"] * 2 + ["quarantined"] * 3
    files = [{"path": f"{PHI_PATH}{n}", "outcome": o, "licence": "hospital-2026"} for n, o in enumerate(outcomes)]
    _write(lake, RECEIVED, {"delivery": DELIVERY}, files)
    held = [{"reason": "burned_in_suspected", "remedy": "x", "path": PHI_PATH}] * 3
    _write(lake, QUARANTINE, {"delivery": DELIVERY, "stage": "received"}, held)
    decided = [
        {"series": "1.1", "rule": "names", "action": "X", "kind": "name", "count": 41, "policy": DIGESTS["policy"]},
        {"series": "1.2", "rule": "names", "action": "X", "kind": "name", "count": 1, "policy": DIGESTS["policy"]},
    ]
    _write(lake, DECISIONS, {"delivery": DELIVERY}, decided)
    for table, rows in ((SERIES, 5), (VOLUMES, 6), (REPORTS, 4)):
        _write(lake, table, {"delivery": DELIVERY}, [{}] * rows)
    manifest = ReleaseManifest(
        name="spring",
        spec=ReleaseSpec(name="spring", cohort="contrast = 'T1' and age < 60"),
        created="2026-02-01T00:00:00Z",
        tables={"curated/volumes": 3},
        members_sha256="f" * 64,
        counts={"train": {"subjects": 8, "volumes": 31}, "test": {"subjects": 2, "volumes": 9}},
        licences={"hospital-2026": _licence().digest},
        policies=[DIGESTS["policy"]],
        train_models=True,
        share_models=False,
        export=False,
    )
    lake.location(Zone.CURATED, "releases", "spring").write_bytes("manifest.json", manifest.model_dump_json().encode())
    _models(lake)
    accessed(lake, "export", "spring", 31, "research")
    seal(lake)
    ledger.append(lake, "materialized", {"table": "curated/series", "rows": 5})
    return lake


class _Page(HTMLParser):
    """Links, anchors, tags and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.tags, self.words, self.captions, self.tables = [], [], [], [], 0, 0
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.tags.append(tag)
        self.ids += [said["id"]] if "id" in said else []
        self.links += [said["href"]] if "href" in said else []

    def handle_data(self, data):
        self.words.append(data)


def test_page_shows_the_counts_of_every_table(full):
    text = _Page(report(full)).text
    for said in (
        "1 239",  # files received
        "1 234",  # kept
        "burned in suspected",
        "look at the pixels",
        "X removed name policy 42",
        "test (sealed)",
        "curated/volumes version 3",
        "superseded",
        "expired",
        "dice mean 0.8125",
        "1 200",
        "spring-test",
        DIGESTS["weights"],
        "term known",
    ):
        assert said in text, said


def test_inherited_volumes_are_counted_apart_from_own(full):
    text = _Page(report(full)).text
    assert "lesions finetuned segmentation base spring 1 200 2 1 1 1 7 no" in text
    assert "base pretrained masked random weights spring 1 200 2 1 1 0 7 no" in text


def test_page_stands_alone_and_every_link_leads_somewhere(full):
    html = report(full)
    page = _Page(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|//|@import|url\((?!#)", re.sub(r"/\*.*?\*/", "", html))
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("table") == page.tags.count("caption") > 8
    assert page.tags.count("h1") == 1
    assert {"licence-hospital-2026", "release-spring", "model-base", "delivery-hospital-1"} <= set(page.ids)


def test_page_quotes_no_path_and_escapes_what_documents_say(full):
    html = report(full)
    assert "DOE" not in html
    assert "<b>Hospital" not in html
    assert "&lt;b&gt;Hospital&lt;/b&gt; &amp; Söhne" in html
    assert "age &lt; 60" in html


def test_damaged_ledger_and_manifest_are_said_on_the_page(full):
    full.location(Zone.MODELS, "base").write_bytes("manifest.json", b"{}")
    head = full.location(Zone.AUDIT, "seals").path / "head.json"
    head.write_bytes(head.read_bytes().replace(b'"size":', b'"size": '))
    text = _Page(report(full)).text
    assert "ledger does not verify" in text
    assert "head.json: found no head" in text
    assert "manifest cannot be read" in text


def test_empty_lake_has_a_page(lake):
    text = _Page(report(lake)).text
    assert "0 deliveries, 0 releases and 0 models; the ledger of 0 entries holds." in text
    assert "No delivery was received yet." in text


def test_written_page_lies_in_the_audit_zone_and_leaves_the_ledger_alone(full):
    size = ledger.size(full)
    location = full.location(Zone.AUDIT, "reports")
    assert write(full) == str(location.path / "audit.html")
    assert location.read_bytes("audit.html").decode().startswith("<!doctype html>")
    assert ledger.size(full) == size
    assert full.table(ACCESS).read().num_rows == 1


def test_boxes_of_the_picture_do_not_overlap_and_stay_inside():
    drawn = picture.drawn({box.key: 1 for box in picture.BOXES})
    width, height = drawn["box"]
    places = [(box.x, box.y) for box, _ in drawn["boxes"]]
    assert len(set(places)) == len(places)
    assert all(x >= 0 and x + width <= drawn["width"] and y + height <= drawn["ledger"]["y"] for x, y in places)
    assert all(abs(a - c) >= width or abs(b - d) >= height for a, b in places for c, d in places if (a, b) != (c, d))


def test_each_group_of_series_has_the_18_identifiers(evident):
    page = _Page(report(evident))
    assert "The 18 identifiers: 8 series alike" in page.text
    assert page.text.count("Any other unique identifying number, characteristic or code") == 1
    assert "a 112 112 100.0 % 7" in page.text


def test_releases_show_strata_gaps_and_a_sealed_test_set_with_who_opened_it(evident):
    text = _Page(report(evident)).text
    assert "What is in cohort" in text
    assert "Sex: only F" in text
    assert "by officer," in text
    assert re.search(r"base 0 of \d", text)


def test_reviews_are_shown_with_their_exceptions_and_hold(evident):
    text = _Page(report(evident)).text
    assert "review 3 unexplained count QA-17" in text
    assert "holds" in text


def test_numbers_and_what_the_ledger_says_of_them_stand_side_by_side(evident):
    text = _Page(report(evident)).text
    assert re.search(r"curated/instances a \d+ 4 4 \d+", text)
    assert re.search(r"restricted/received b \d+ 3 3 \d+", text)


def test_refusals_name_the_term(full):
    ledger.append(full, "refused", {"action": "export", "term": "purposes", "licence": "hospital-2026"})
    assert "export hospital-2026 purposes" in _Page(report(full)).text


def test_a_superseded_release_and_a_retired_model_are_said_to_be_so(full):
    release = full.location(Zone.CURATED, "releases", "spring")
    release.write_bytes("superseded.json", release.read_bytes("manifest.json"))
    release.delete("manifest.json")
    model = full.location(Zone.MODELS, "base")
    model.write_bytes("retired.json", model.read_bytes("manifest.json"))
    model.delete("manifest.json")
    text = _Page(report(full)).text
    assert "superseded by a withdrawal" in text
    assert "base retired" in text
