"""Talking to a PACS by DICOMweb: search by QIDO-RS, fetch by WADO-RS, politely and patiently.

Belongs here: requests, their pace, what is tried again and how an answer is taken apart. UIDs and accession numbers are
PHI: no error and no log of this module names one, and the libraries below are kept silent, because they log addresses.
What is asked for and where it lands is `stages.intake.pacs`.
"""

import contextlib
import datetime as dt
import email.utils
import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.pacs import Pacs

_AGAIN = frozenset({429, 502, 503, 504})
"""Answers of a service that is busy or restarting (RFC 9110 15.6, RFC 6585 4)."""

_LONGEST_PAUSE_S = 300.0
"""Longest pause before the next try, whatever the service asks for: a person who waits longer wants to know."""

_TALKATIVE = ("dicomweb_client", "dicomweb_client.web", "urllib3", "urllib3.connectionpool", "requests")
"""Loggers that write addresses, which hold UIDs."""

_GONE = frozenset({404, 410})

Record = Mapping[str, Any]
"""A data set in DICOM JSON (PS3.18 F)."""


class PacsError(RuntimeError):
    """The PACS does not answer as it should; the message never names a study."""


class NotThere(PacsError):
    """The PACS does not have it, or not any more."""


class _CutOff(Exception):
    """An answer ended before its end."""


@dataclass
class Pace:
    """How fast requests may follow each other.

    Attributes:
        requests_per_second: most requests.
        bytes_per_second: most bytes on average; None: no limit.
        now, sleep: the clock, another one in tests.
    """

    requests_per_second: float
    bytes_per_second: int | None = None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = field(default=0.0, init=False)

    def wait(self) -> None:
        """Wait until the next request may start."""
        start = max(self._next, self.now())
        if (pause := start - self.now()) > 0:
            self.sleep(pause)
        self._next = start + 1 / self.requests_per_second

    def took(self, size: int) -> None:
        """Put the next request off for as long as `size` bytes may take."""
        if self.bytes_per_second:
            self._next = max(self._next, self.now()) + size / self.bytes_per_second


class DicomWeb:
    """A DICOMweb service."""

    def __init__(self, pacs: Pacs, pace: Pace | None = None) -> None:
        """Set a service; nothing is asked yet. The token is read from the environment and kept in memory only.

        Raises:
            PacsError: if the address cannot be used.
        """
        from dicomweb_client.api import DICOMwebClient

        self._pacs = pacs
        self._pace = pace or Pace(pacs.requests_per_second, pacs.bytes_per_second)
        self._session = _session(self, pacs)
        try:
            self._client = DICOMwebClient(pacs.url, session=self._session, timeout=pacs.timeout_s, permissive_uid=True)
        except ValueError:
            raise PacsError("found a URL that DICOMweb cannot use, needed the base of the service") from None
        # this module tries again by itself, after what the service asks for
        self._client.set_http_retry_params(retry=False)

    def studies(self, where: Mapping[str, str], most: int | None = None) -> list[str]:
        """Study Instance UIDs that fit, in the service's order; at most `most` and one more."""

        def page(offset: int) -> Sequence[Record]:
            return self._client.search_for_studies(
                fields=["StudyInstanceUID"], search_filters=dict(where), limit=self._pacs.page, offset=offset
            )

        return [uid for record in self._pages(page, "0020000D", most) if (uid := text(record, "0020000D"))]

    def series(self, study: str) -> list[Record]:
        """Series of a study."""

        def page(offset: int) -> Sequence[Record]:
            return self._client.search_for_series(study, limit=self._pacs.page, offset=offset)

        return self._pages(page, "0020000E")

    def instances(self, study: str, series: str) -> list[str]:
        """SOP Instance UIDs of a series."""

        def page(offset: int) -> Sequence[Record]:
            return self._client.search_for_instances(study, series, limit=self._pacs.page, offset=offset)

        return [uid for record in self._pages(page, "00080018") if (uid := text(record, "00080018"))]

    def fetch(self, study: str, series: str, instance: str) -> bytes:
        """An instance as the service keeps it: the Part 10 file, in its own transfer syntax.

        Raises:
            NotThere: if the service does not have it.
            PacsError: if it does not give it.
        """
        address = f"{self._pacs.url}/studies/{study}/series/{series}/instances/{instance}"
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        for left in range(self._pacs.retries, -1, -1):
            with self._said():
                answer = self._session.get(address, headers={"Accept": accept}, timeout=self._pacs.timeout_s)
                answer.raise_for_status()
            try:
                return _whole(answer.headers.get("Content-Type", ""), answer.content)
            except _CutOff:
                if not left:
                    raise PacsError(
                        "found an answer that is no whole DICOM file, needed one; try again later, or ask the people "
                        "of the PACS whether it gives application/dicom with any transfer syntax"
                    ) from None
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _pages(self, page: Callable[[int], Sequence[Record]], key: str, most: int | None = None) -> list[Record]:
        """All answers of a search; a service that ignores the offset gives the same ones again, and is done then."""
        found: dict[str, Record] = {}
        asked = 0
        while most is None or len(found) <= most:
            with self._said():
                records = page(asked)
            asked += len(records)
            new = {text(record, key): record for record in records}
            if not records or new.keys() <= found.keys():
                break
            found |= {uid: record for uid, record in new.items() if uid not in found}
        return list(found.values())

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """Turn what libraries raise, whose texts hold addresses, into errors that hold none."""
        import requests

        with _silenced():
            try:
                yield
            except requests.HTTPError as error:
                code = error.response.status_code if error.response is not None else 0
                raise _refused(code, self._pacs) from None
            except requests.exceptions.SSLError:
                raise PacsError(
                    "found a certificate that cannot be checked, needed one of a known authority; "
                    "set ca_file in the document of the PACS"
                ) from None
            except requests.RequestException:
                raise PacsError(
                    f"found no answer from the PACS after {self._pacs.retries + 1} tries, needed one; check its URL "
                    "and the network, then run the same command again: what is there is not fetched again"
                ) from None
            except ValueError:
                raise PacsError(
                    "found an answer that is no DICOM JSON, needed one; check the URL of the PACS"
                ) from None


def text(record: Record, tag: str) -> str:
    """First value of an element of DICOM JSON as text; empty where there is none."""
    values = record.get(tag, {}).get("Value") or [""]
    return str(values[0] if values[0] is not None else "")


def _session(web: DicomWeb, pacs: Pacs) -> Any:
    """A session that keeps the pace, tries again, and sends the token to this service alone."""
    import requests

    token = os.environ.get(pacs.token_variable, "")

    def authorized(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    class Session(requests.Session):
        # the library's own signature lists twenty arguments, all handed on here
        def request(self, method: Any, url: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            # the client's Host lacks the port; said with each request, `verify` wins over variables of the environment
            headers = {name: value for name, value in (kwargs.pop("headers", None) or {}).items() if name != "Host"}
            # a redirect could lead the token elsewhere, and a PACS has no reason for one
            kwargs |= {"headers": headers, "allow_redirects": False, "verify": str(pacs.ca_file or "") or True}
            return _patient(lambda: super(Session, self).request(method, url, **kwargs), web._pace, pacs.retries)

    session = Session()
    session.auth = authorized if token else None
    return session


def _patient(ask: Callable[[], Any], pace: Pace, retries: int) -> Any:
    """An answer, asked for again after a pause while the service is busy or gone."""
    import requests

    for attempt in range(retries + 1):
        pace.wait()
        try:
            answer = ask()
        except requests.exceptions.SSLError:
            raise
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            if attempt == retries:
                raise
            pace.sleep(_pause(attempt, None))
            continue
        pace.took(len(answer.content))
        if answer.status_code not in _AGAIN or attempt == retries:
            if 300 <= answer.status_code < 400:
                raise requests.HTTPError(response=answer)
            return answer
        pace.sleep(_pause(attempt, answer.headers.get("Retry-After")))
    raise AssertionError  # pragma: no cover - the loop returns or raises


def _pause(attempt: int, asked: str | None) -> float:
    """Seconds before the next try: what the service asks for (RFC 9110 10.2.3), or twice as long each time."""
    if asked and asked.strip().isdigit():
        return min(float(asked), _LONGEST_PAUSE_S)
    if asked:
        with contextlib.suppress(ValueError, TypeError):
            until = email.utils.parsedate_to_datetime(asked)
            return min(max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds()), _LONGEST_PAUSE_S)
    # spread, so that many clients of a restarted service do not come back at once
    return min(0.5 * 2**attempt * random.uniform(0.5, 1.0), _LONGEST_PAUSE_S)  # noqa: S311


def _refused(code: int, pacs: Pacs) -> PacsError:
    if code in _GONE:
        return NotThere("found nothing of this kind at the PACS")
    if code in (401, 403):
        how = "the token in it is not accepted" if os.environ.get(pacs.token_variable) else "it is not set"
        return PacsError(
            f"found HTTP {code}, needed to be let in; set {pacs.token_variable} in the environment to a valid token "
            f"({how})"
        )
    if code in _AGAIN:
        return PacsError(
            f"found HTTP {code} after {pacs.retries + 1} tries, needed a PACS that is not busy; run the same command "
            "again later: what is there is not fetched again"
        )
    return PacsError(f"found HTTP {code}, needed an answer; check the URL of the PACS and what it allows")


def _whole(content_type: str, body: bytes) -> bytes:
    """The one file in an answer, multipart (PS3.18 8.6.1.2) or bare.

    Raises:
        _CutOff: if there is no whole one.
    """
    data = body
    if content_type.lower().startswith("multipart/"):
        boundary = re.search(r'boundary="?([^";,]+)"?', content_type)
        if boundary is None:
            raise _CutOff
        mark = b"--" + boundary[1].encode()
        start, end = body.find(mark), body.rfind(b"\r\n" + mark + b"--")
        head = body.find(b"\r\n\r\n", start)
        if start < 0 or head < 0 or end < head + 4:
            raise _CutOff
        data = body[head + 4 : end]
    if data[128:132] != b"DICM":
        raise _CutOff
    return data


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Nothing that the libraries below would log."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
