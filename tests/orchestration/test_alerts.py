"""Failed runs reach people by webhook and mail: what failed and what to do, and nothing that a file said."""

import contextlib
import http.server
import json
import socketserver
import threading

import dagster as dg
import pytest

from assets.failures import explained
from lake.settings import Settings
from orchestration.alerts import alerts
from orchestration.definitions import build
from orchestration.post import PostError, post
from schemas.document import DocumentError

NAME = "Larmorium"
REMEDY = "found no delivery.yaml, needed one; add it"


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hook(tmp_path):
    """A webhook on the loopback: its answer, what it got, and the file with its URL."""
    got, answer = [], [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answer[0])
            self.end_headers()

        def log_message(self, *_):
            pass

    with serving(http.server.HTTPServer(("127.0.0.1", 0), Handler)) as port:
        file = tmp_path / "webhook"
        file.write_text(f"http://127.0.0.1:{port}/token-of-ours\n")
        yield file, got, answer


@pytest.fixture
def mailbox():
    """A mail server on the loopback that takes one message after the other."""
    got = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    got.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"127.0.0.1:{port}", got


@dg.op
@explained
def told():
    raise DocumentError(REMEDY)


@dg.op
@explained
def ours_unforeseen():
    int(NAME)


@dg.op
def of_an_installation():
    raise ValueError(f"{NAME} is not a number")


@dg.job
def work():
    told()
    ours_unforeseen()
    of_an_installation()


def failed(settings, **tags):
    """Let the job fail and the sensor tell of it."""
    (sensor,) = alerts(settings)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        result = work.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
        context = dg.build_run_status_sensor_context(
            "alerts", dagster_instance=instance, dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        )  # fmt: skip
        return result.run_id, sensor(context.for_run_failure())


def test_nothing_is_sent_and_no_sensor_is_there_until_a_way_is_named():
    assert alerts(Settings()) == []
    assert "alerts" not in {sensor.name for sensor in build().sensors}


def test_a_failed_run_is_posted_with_its_steps_remedy_and_link_and_no_value_of_a_file(hook):
    file, got, _ = hook
    settings = Settings(alert_webhook_file=file, ui_url="https://larmor.example/")
    run_id, _ = failed(settings, **{"dagster/partition": "site-a"})
    (message,) = got
    assert "work failed, site-a" in message["text"]
    assert f"told: {REMEDY}" in message["text"]
    assert "ours_unforeseen: found an error that Larmor does not know (ValueError)" in message["text"]
    assert "of_an_installation: ValueError; open the run" in message["text"]
    assert f"https://larmor.example/runs/{run_id}" in message["text"]
    assert NAME not in message["text"]


def test_a_failed_run_is_mailed(mailbox):
    server, got = mailbox
    failed(Settings(alert_mail="engineers@example.org", alert_mail_server=server))
    (message,) = got
    assert "To: engineers@example.org" in message
    assert "Subject: Larmor: work failed" in message
    assert REMEDY in message.replace("=\r\n", "")
    assert NAME not in message


def test_a_run_that_is_started_again_by_itself_is_not_told(hook):
    file, got, _ = hook
    _, skipped = failed(Settings(alert_webhook_file=file), **{"dagster/will_retry": "true"})
    assert isinstance(skipped, dg.SkipReason)
    assert not got


def test_a_way_that_fails_is_told_without_its_address_and_stops_no_other(hook, mailbox):
    (file, _, answer), (server, got) = hook, mailbox
    answer[0] = 403
    settings = Settings(alert_webhook_file=file, alert_mail="a@example.org", alert_mail_server=server)
    with pytest.raises(PostError, match="answer 403") as told:
        post(settings, "subject", "text")
    assert "token-of-ours" not in str(told.value)
    assert len(got) == 1


@pytest.mark.parametrize("url", ["http://chat.example/hook", "file:///etc/passwd", "", "https://"])
def test_nothing_is_posted_where_others_could_read_it(url, tmp_path):
    (tmp_path / "webhook").write_text(url)
    with pytest.raises(PostError, match="https://"):
        post(Settings(alert_webhook_file=tmp_path / "webhook"), "subject", "text")
