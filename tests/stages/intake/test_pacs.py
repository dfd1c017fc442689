"""Studies of a PACS become one delivery: whole, as they were, once each, and nobody reads their UIDs on the way."""

import csv
import hashlib
import http.server
import io
import json
import logging
import threading
import urllib.error
import urllib.request

import pytest
from pydicom import dcmread

from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.zones import Lake
from lineage.terms.refusal import Refusal
from schemas.document import DocumentError
from schemas.pacs import Pacs, StudyQuery
from stages.intake import dicomweb
from stages.intake.arrival import IntakeError
from stages.intake.dicomweb import DicomWeb, Pace, PacsError
from stages.intake.landed import delivered, manifest_of, names
from stages.intake.pacs import asked, pull
from stages.received import receive
from tests.orthanc import TOKEN, Orthanc
from tests.stages.intake.test_intake import known, licence


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Files of two clean phantom studies."""
    folder = tmp_path_factory.mktemp("images")
    config = PhantomConfig(
        "p", seed=5, subjects=2, matrix=32, slices=8, labelled=0.0, faults=False, body_parts=(BodyPart.HEAD,)
    )
    generate(folder / "p", folder / "answers", config)
    found = {}
    for path in sorted((folder / "p").rglob("*")):
        if path.is_file() and is_dicom(path):
            data = path.read_bytes()
            one = header(data)
            found.setdefault(str(one.StudyInstanceUID), {}).setdefault(str(one.SeriesInstanceUID), []).append(data)
    # two series of each study are enough to tell them apart
    return [data for series in found.values() for files in list(series.values())[:2] for data in files]


def is_dicom(path):
    return path.read_bytes()[128:132] == b"DICM" and path.name != "DICOMDIR"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, images):
    server = Orthanc(tmp_path_factory.mktemp("orthanc"))
    server.put(*images)
    yield server
    server.close()


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("LARMOR_PACS_TOKEN", TOKEN)


def header(data):
    return dcmread(io.BytesIO(data), stop_before_pixels=True)


@pytest.fixture(scope="module")
def studies(images):
    """Study UID to the SOP UIDs of its instances."""
    found = {}
    for data in images:
        found.setdefault(str(header(data).StudyInstanceUID), set()).add(str(header(data).SOPInstanceUID))
    return found


def listed(tmp_path, lines):
    path = tmp_path / "studies.txt"
    path.write_text("\n".join(lines) + "\n")
    return asked(path)


def content(lake, name):
    return {path: (lake.landed(name).read_bytes(path)) for path in delivered(lake, name)}


def fast(orthanc, **changes):
    return Pacs(**({"url": orthanc.url, "requests_per_second": 1000, "retries": 2} | changes))


@pytest.mark.usefixtures("token")
def test_a_list_of_studies_becomes_a_delivery_of_the_bytes_that_the_archive_keeps(
    lake, orthanc, images, studies, tmp_path
):
    told = []
    pulled = pull(
        lake, fast(orthanc), listed(tmp_path, studies), "pulled", known(lake, licence()), told.append, contact="pacs@x"
    )
    assert names(lake) == ["pulled"]
    found = content(lake, "pulled")
    assert (pulled.files, pulled.fetched, pulled.missing) == (len(images), len(images), 0)
    assert {str(header(data).SOPInstanceUID) for data in found.values()} == set().union(*studies.values())
    kept = {orthanc_file(orthanc, name) for name in orthanc.rest("/instances")}
    assert {hashlib.sha256(data).hexdigest() for data in found.values()} == kept
    manifest = manifest_of(lake, "pulled")
    assert (manifest.expected_files, manifest.contact, manifest.missing) == (len(images), "pacs@x", None)
    assert receive(lake, "pulled").kept == len(images)
    # nobody learns from names or progress whose images these are
    secret = [*studies, *set().union(*studies.values())]
    assert not [uid for uid in secret for line in [*told, *found] if uid in line]
    assert told[-1] == f"study 2 of 2: {len(images)} instances, {len(images)} fetched now"


def orthanc_file(orthanc, name):
    request = urllib.request.Request(f"http://127.0.0.1:{orthanc.port}/instances/{name}/file")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return hashlib.sha256(answer.read()).hexdigest()


@pytest.mark.usefixtures("token")
def test_a_stopped_pull_goes_on_and_fetches_nothing_twice(lake, orthanc, images, studies, tmp_path, monkeypatch):
    fetch, given = DicomWeb.fetch, []

    def stopping(self, *keys):
        if len(given) == 5:
            raise KeyboardInterrupt
        given.append(keys)
        return fetch(self, *keys)

    wanted, terms_ = listed(tmp_path, studies), known(lake, licence())
    with monkeypatch.context() as patch:
        patch.setattr(DicomWeb, "fetch", stopping)
        with pytest.raises(KeyboardInterrupt):
            pull(lake, fast(orthanc), wanted, "pulled", terms_)
    assert names(lake) == []
    half = next(lake.landing.glob(".pulled.pulling/*"))
    (half / ".0123.tmp").write_bytes(b"half of a file")
    pulled = pull(lake, fast(orthanc), wanted[::-1], "pulled", terms_)
    assert (pulled.files, pulled.fetched) == (len(images), len(images) - 5)
    assert len(content(lake, "pulled")) == len(images)
    with pytest.raises(IntakeError, match="larmor run pulled"):
        pull(lake, fast(orthanc), wanted, "pulled", terms_)


@pytest.mark.usefixtures("token")
def test_what_the_archive_lacks_is_listed_in_the_delivery_and_nowhere_else(lake, orthanc, studies, tmp_path):
    told, uid = [], next(iter(studies))
    wanted = listed(tmp_path, ["1.2.3.4.5", uid, "NO-SUCH-NUMBER"])
    pulled = pull(lake, fast(orthanc), wanted, "pulled", known(lake, licence()), told.append)
    assert (pulled.studies, pulled.missing, pulled.files) == (3, 2, len(studies[uid]))
    rows = list(csv.DictReader(io.StringIO(lake.landed("pulled").read_bytes("missing.csv").decode())))
    assert [(row["number"], row["key"], row["what"]) for row in rows] == [
        ("1", "1.2.3.4.5", "study"),
        ("3", "NO-SUCH-NUMBER", "study"),
    ]
    assert not [line for line in told if "1.2.3.4.5" in line or "NO-SUCH-NUMBER" in line]
    outcome = receive(lake, "pulled")
    assert (outcome.kept, outcome.quarantined) == (len(studies[uid]) + 1, 0)


@pytest.mark.usefixtures("token")
def test_accession_numbers_and_queries_find_the_same_studies(lake, orthanc, images, studies, tmp_path):
    terms_ = known(lake, licence())
    numbers = {str(header(data).AccessionNumber) for data in images} - {""}
    assert len(numbers) == 2
    path = tmp_path / "list.csv"
    path.write_text("name,accession\n" + "".join(f"x,{number}\n" for number in sorted(numbers)))
    assert pull(lake, fast(orthanc, page=1), asked(path), "by-number", terms_).files == len(images)
    query = StudyQuery(where={"ModalitiesInStudy": "MR"})
    assert pull(lake, fast(orthanc), query, "by-query", terms_).files == len(images)
    with pytest.raises(IntakeError, match="more than 1 studies"):
        pull(lake, fast(orthanc), StudyQuery(where={"ModalitiesInStudy": "MR"}, most=1), "more", terms_)


@pytest.mark.usefixtures("token")
def test_series_of_other_modalities_stay_where_they_are(lake, orthanc, studies, tmp_path):
    with pytest.raises(IntakeError, match="series of CT"):
        pull(lake, fast(orthanc, modalities=["CT"]), listed(tmp_path, studies), "none", known(lake, licence()))


def test_without_a_valid_token_nothing_is_fetched_and_the_error_names_the_variable(
    lake, orthanc, studies, tmp_path, monkeypatch
):
    terms_, wanted = known(lake, licence()), listed(tmp_path, studies)
    with pytest.raises(PacsError, match=r"study 1 of 2: .*set LARMOR_PACS_TOKEN .*is not set"):
        pull(lake, fast(orthanc), wanted, "pulled", terms_)
    monkeypatch.setenv("LARMOR_PACS_TOKEN", "a-wrong-token")
    with pytest.raises(PacsError, match="is not accepted") as error:
        pull(lake, fast(orthanc), wanted, "pulled", terms_)
    assert "a-wrong-token" not in str(error.value)
    assert names(lake) == []


def test_a_licence_that_does_not_allow_it_refuses_before_the_archive_is_asked(lake, tmp_path):
    import datetime as dt

    ended = known(lake, licence(valid_until=dt.date(2021, 1, 1)))
    with pytest.raises(Refusal, match="valid_until"):
        pull(lake, Pacs(url="http://127.0.0.1:9"), listed(tmp_path, ["1.2.3"]), "pulled", ended)


class Proxy:
    """Stands before the archive and answers otherwise when told to: a list of what to do with requests, in order."""

    def __init__(self, orthanc, plan):
        plan, self.seen = list(plan), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.seen.append(self.path)
                act = plan.pop(0) if plan else None
                if isinstance(act, tuple):
                    self.send_response(act[0])
                    for name, value in act[1].items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                request = urllib.request.Request(orthanc.url + self.path.removeprefix("/dicom-web"))
                for name in ("Accept", "Authorization"):
                    if name in self.headers:
                        request.add_header(name, self.headers[name])
                try:
                    with urllib.request.urlopen(request) as answer:
                        status, kind, body = answer.status, answer.headers["Content-Type"], answer.read()
                except urllib.error.HTTPError as error:
                    status, kind, body = error.code, "text/plain", b""
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if act == "cut" else body)
                if act == "cut":
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/dicom-web"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.usefixtures("token")
def test_a_busy_archive_is_asked_again_after_what_it_asks_for(lake, orthanc, studies, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    plan = [(429, {"Retry-After": "7"}), None, (503, {}), "cut", None, (504, {}), "cut"]
    proxy, pauses = Proxy(orthanc, plan), []
    uid = next(iter(studies))
    pacs = Pacs(url=proxy.url, requests_per_second=1000, retries=3)
    pace = Pace(1000, sleep=pauses.append)
    pulled = pull(lake, pacs, listed(tmp_path, [uid]), "pulled", known(lake, licence()), web=DicomWeb(pacs, pace))
    proxy.close()
    assert pulled.files == len(studies[uid])
    assert 7.0 in pauses
    assert len([pause for pause in pauses if pause > 0.1]) >= 4
    # libraries log addresses, which hold UIDs
    assert not [record for record in caplog.records if uid in record.getMessage() or TOKEN in record.getMessage()]


@pytest.mark.usefixtures("token")
def test_an_archive_that_stays_busy_ends_in_an_error_without_uids(lake, orthanc, studies, tmp_path):
    proxy = Proxy(orthanc, [(503, {})] * 9)
    pacs = Pacs(url=proxy.url, retries=2)
    web = DicomWeb(pacs, Pace(1000, sleep=lambda _: None))
    with pytest.raises(PacsError, match=r"study 1 of 2: found HTTP 503 after 3 tries") as error:
        pull(lake, pacs, listed(tmp_path, studies), "pulled", known(lake, licence()), web=web)
    proxy.close()
    assert len(proxy.seen) == 3
    chain = [error.value, error.value.__cause__]
    assert not [uid for uid in studies for link in chain if uid in str(link)]


@pytest.mark.usefixtures("token")
def test_a_token_does_not_follow_a_redirect(lake, orthanc, tmp_path):
    proxy = Proxy(orthanc, [(302, {"Location": "https://elsewhere.example/"})])
    pacs = Pacs(url=proxy.url)
    with pytest.raises(PacsError, match="HTTP 302"):
        pull(lake, pacs, listed(tmp_path, ["1.2.3"]), "pulled", known(lake, licence()))
    proxy.close()


def test_nobody_there_is_said_and_tried_again(lake, tmp_path, monkeypatch):
    pacs = Pacs(url="http://127.0.0.1:9", retries=1)
    with pytest.raises(PacsError, match="no answer from the PACS after 2 tries"):
        pull(
            lake, pacs, listed(tmp_path, ["1.2.3"]), "pulled", known(lake, licence()),
            web=DicomWeb(pacs, Pace(1000, sleep=lambda _: None)),
        )  # fmt: skip


def test_the_pace_keeps_requests_and_bytes_apart():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(4.0, 1000, now=lambda: now[0], sleep=sleep)
    for _ in range(5):
        pace.wait()
    assert now[0] == pytest.approx(1.0)
    pace.took(2000)
    pace.wait()
    assert now[0] == pytest.approx(3.25)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "http://pacs.example.org/dicom-web"}, "in the clear"),
        ({"url": "https://user:secret@pacs.example.org"}, "a token goes in a variable"),
        ({"url": "ftp://pacs"}, "no http or https"),
        ({"token_variable": "AWS_SECRET_ACCESS_KEY"}, "token_variable"),
        ({"ca_file": "nowhere.pem"}, "no file of certificates"),
        ({"token": "secret"}, "token"),
    ],
)
def test_a_document_that_would_leak_or_fail_later_is_refused(changes, said):
    with pytest.raises(DocumentError, match=said) as error:
        Pacs.parse({"url": "https://pacs.example.org/dicom-web"} | changes, "pacs.yaml")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "none in it"), ("1.2.*\n", "wildcard"), ("study\nABC\n", "no UID"), (None, "no list of studies")],
)
def test_a_list_that_asks_for_nothing_or_too_much_is_refused(tmp_path, text, said):
    path = tmp_path / "list.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(IntakeError, match=said):
        asked(path)


def test_a_query_by_everything_is_refused():
    with pytest.raises(DocumentError, match="only wildcards"):
        StudyQuery.parse({"where": {"PatientName": "*"}}, "query.yaml")
    with pytest.raises(DocumentError, match="ShoeSize"):
        StudyQuery.parse({"where": {"ShoeSize": "44"}}, "query.yaml")


def test_an_answer_that_is_cut_off_or_no_dicom_is_never_taken(images):
    whole = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + images[0] + b"\r\n--x--\r\n"
    assert dicomweb._whole('multipart/related; boundary="x"', whole) == images[0]
    assert dicomweb._whole("application/dicom", images[0]) == images[0]
    for kind, body in [
        ("multipart/related; boundary=x", whole[:-8]),
        ("multipart/related", whole),
        ("application/dicom", b"<html>"),
        ("multipart/related; boundary=x", b""),
    ]:
        with pytest.raises(dicomweb._CutOff):
            dicomweb._whole(kind, body)


@pytest.mark.usefixtures("token")
def test_the_command_pulls_and_says_what_is_missing(orthanc, studies, tmp_path, capsys, monkeypatch):
    import sys

    from orchestration import cli

    lake = Lake.open(tmp_path / "lake")
    known(lake, licence())
    (tmp_path / "pacs.yaml").write_text(f"url: {orthanc.url}\nrequests_per_second: 1000\n")
    (tmp_path / "list.txt").write_text("\n".join([*studies, "1.2.3.4.5"]))
    arguments = ["--root", tmp_path / "lake", "ingest", "--dicomweb", tmp_path / "pacs.yaml", "--licence", "l"]
    arguments += ["--studies", tmp_path / "list.txt", "--name", "pulled", "--json"]
    monkeypatch.setattr(sys, "argv", ["larmor", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    assert end.value.code == 0, told.err
    result = json.loads(told.out)
    assert (result["studies"], result["missing"]) == (3, 1)
    assert "1.2.3.4.5" not in told.out + told.err
    assert TOKEN not in told.out + told.err
