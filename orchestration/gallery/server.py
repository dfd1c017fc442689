"""The server of a gallery: for one person, on this machine alone.

Belongs here: HTTP. It listens on the loopback address, answers only whoever knows the token in the address it prints,
and only under its own name, so that no page of the web can ask it through the person's browser (DNS rebinding). What it
answers is `orchestration.gallery.site`.
"""

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from orchestration.gallery.site import Answer, Site

HOST = "127.0.0.1"

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer says: nothing of it is kept, framed, or reaches for anything elsewhere."""


class Server(ThreadingHTTPServer):
    """Serves one gallery until it is closed.

    Attributes:
        site: what it answers.
        url: where a browser opens it; whoever knows it sees the volumes, and nobody else.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int = 0) -> None:
        """Listen.

        Args:
            site: what it answers.
            port: 0: any that is free.

        Raises:
            OSError: if the port is taken.
        """
        super().__init__((HOST, port), _Handler)
        self.site, self._token = site, secrets.token_urlsafe(24)
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Where a browser opens it."""
        return f"http://{HOST}:{self.server_port}/{self._token}/"

    def path_of(self, asked: str) -> str | None:
        """The part of a path behind the token; None: the token is missing or another."""
        token, slash, path = asked.removeprefix("/").partition("/")
        return path if slash and secrets.compare_digest(token.encode(), self._token.encode()) else None


class _Handler(BaseHTTPRequestHandler):
    """Answers requests; other methods than GET are none of its own."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "larmor", ""

    def do_GET(self) -> None:
        """Answer a request, or say why not."""
        server = cast(Server, self.server)
        path = server.path_of(self.path.partition("?")[0])
        if self.headers.get("Host") not in server.names or path is None:
            self._refuse(HTTPStatus.FORBIDDEN, "found another address, needed the one that larmor look printed")
            return
        try:
            answer = server.site.answer(path)
        except KeyError:
            self._refuse(HTTPStatus.NOT_FOUND, "found nothing here, needed a volume of this gallery")
        except (OSError, ValueError) as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        else:
            self._send(HTTPStatus.OK, answer)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(status, Answer("text/plain; charset=utf-8", why.encode()))

    def _send(self, status: HTTPStatus, answer: Answer) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": answer.kind, "Content-Length": str(len(answer.content))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(answer.content)
        except ConnectionError:
            self.close_connection = True  # the browser turned away

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the record of accesses is the ledger, and the token is in every line."""
