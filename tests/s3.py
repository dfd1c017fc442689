"""A loopback S3 server for tests of every room, and a proxy before it that does what stores and networks do wrong."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

STORE = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1"}

_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
_ANSWERS = {"throttled": (503, "SlowDown"), "failed": (500, "InternalError"), "expired": (400, "ExpiredToken"),
            "denied": (403, "AccessDenied"), "unsupported": (501, "NotImplemented")}  # fmt: skip
_HOP = {"connection", "transfer-encoding", "keep-alive"}


@pytest.fixture(scope="session")
def store():
    """Address of an S3 server on this machine."""
    pytest.importorskip("moto.server", reason="found no moto, needed it for a loopback S3 server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, env=os.environ | STORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, "the server ended before it began"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def bucket(store, monkeypatch):
    """A bucket of that server, which the usual environment variables lead to."""
    import boto3

    for name, value in (STORE | {"AWS_ENDPOINT_URL": store}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    client = boto3.client("s3", endpoint_url=store, region_name=STORE["AWS_REGION"])
    client.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": STORE["AWS_REGION"]})
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="lake"):
        for item in page.get("Contents", []):
            client.delete_object(Bucket="lake", Key=item["Key"])
    client.delete_bucket(Bucket="lake")


@pytest.fixture
def faults(bucket, store, monkeypatch):
    """The same bucket behind a proxy with faults, which the usual environment variables lead to."""
    with proxied(store) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.address)
        yield found


@dataclass
class Fault:
    """What goes wrong: `throttled`, `failed`, `expired`, `denied`, `unsupported`, `lost` (done, and the answer lost),
    `cut` (the answer breaks off), `slow` (the answer trickles), `unconditional` (If-None-Match is ignored)."""

    kind: str
    method: str = ""
    part: str = ""
    times: int = 1 << 30
    conditional: bool | None = None


@dataclass
class Faults:
    """The proxy: faults that are still to come, and the requests that it saw."""

    address: str = ""
    waiting: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind, method="", part="", times=1 << 30, conditional=None):
        """Let something go wrong from now on."""
        self.waiting.append(Fault(kind, method, part, times, conditional))

    def due(self, method, path, headers):
        """The fault of a request."""
        with self.guard:
            self.seen.append((method, path, headers))
            for fault in self.waiting:
                fits = fault.method in ("", method) and fault.part in path and fault.times > 0
                if fits and fault.conditional in (None, "if-none-match" in headers):
                    fault.times -= 1
                    self.met.append(fault.kind)
                    return fault.kind
        return ""


@contextlib.contextmanager
def proxied(store):  # noqa: C901  # one small server
    """A proxy before a server."""
    found, one_at_a_time = Faults(), threading.Lock()
    host, port = store.removeprefix("http://").split(":")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self):
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            kind = found.due(self.command, self.path, headers)
            if kind in _ANSWERS:
                status, code = _ANSWERS[kind]
                self._answer(status, {"content-type": "application/xml"}, _ERROR.format(code=code).encode())
                return
            if kind == "unconditional":
                headers.pop("if-none-match", None)
            # the server checks and puts in two steps: one at a time here makes a condition hold, as it does on S3
            with one_at_a_time if self.command == "PUT" else contextlib.nullcontext():
                status, answered, data = self._asked(headers, body)
            if kind == "lost":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(status, answered, data, kind)

        def _asked(self, headers, body):
            onward = http.client.HTTPConnection(host, int(port), timeout=60)
            try:
                onward.request(self.command, self.path, body, {k: v for k, v in headers.items() if k not in _HOP})
                answer = onward.getresponse()
                return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
            finally:
                onward.close()

        def _answer(self, status, headers, data, kind=""):
            self.send_response_only(status)
            length = headers.get("content-length", len(data)) if self.command == "HEAD" else len(data)
            for name, value in (headers | {"content-length": str(length)}).items():
                if name not in _HOP:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if kind == "cut":
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            step = max(1, len(data) // 5) if kind == "slow" else max(1, len(data))
            for start in range(0, len(data), step):
                self.wfile.write(data[start : start + step])
                time.sleep(0.1 if kind == "slow" else 0)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # a client that went away

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        found.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
