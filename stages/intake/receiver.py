"""A receiver for C-STORE: what a PACS or a scanner sends becomes deliveries in landing.

Belongs here: who may send, what is taken, and when what was sent is a delivery. Data sets are kept as they were sent,
in any transfer syntax, and an answer of success means that the file is on disk. UIDs are PHI: nothing here names one,
and pynetdicom, which logs them, is kept silent.
"""

import errno
import hashlib
import hmac
import logging
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deid.headers.objects import classes
from lake.zones import Lake
from lineage.terms.questions import Action
from lineage.terms.refusal import Refusal
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.licence import Licence
from schemas.naming import checked_name
from stages.identity import open_vault
from stages.intake.arrival import Arrival, IntakeError, drafted
from stages.permission import permitted
from stages.station import Report, silent

ENDING = ".receiving"
"""Ending of the folder that a delivery gathers in while it is sent."""

_SUCCESS, _OUT_OF_RESOURCES, _NOT_AUTHORIZED, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0x0124, 0xC000
"""Answers to C-STORE: PS3.4 Table B.2-1, PS3.7 C.5.4."""

_FREE_BYTES = 256 * 2**20
"""Free disk below which nothing more is taken: the lake itself must be able to go on writing."""

_MOST_FILES = 50_000
"""Files after which a delivery is closed though its sender goes on: a partition must stay a unit of work."""

_PDU_BYTES = 128 * 2**10
"""Bytes of a message's parts: eight times the library's own, which costs a sender of large images half its speed."""

_TICK_S = 0.2
_VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True)
class Listening:
    """Where and to whom the receiver listens.

    Attributes:
        port: TCP port; 0: a free one, in tests.
        senders: AE titles that may send; any other is rejected.
        host: address; the loopback unless a person says otherwise.
        title: the receiver's own AE title.
        quiet_s: seconds without an association of a sender after which what it sent is a delivery; 0: each association
            is one.
        associations: most associations at once.
        certificate, key: PEM files of the receiver, for TLS; None: none.
        ca_file: PEM file of authorities that senders' certificates must be of; None: senders show none.
    """

    port: int
    senders: tuple[str, ...]
    host: str = "127.0.0.1"
    title: str = "LARMOR"
    quiet_s: float = 30.0
    associations: int = 10
    certificate: Path | None = None
    key: Path | None = None
    ca_file: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """How TLS is spoken; None: it is not.

        Raises:
            IntakeError: if the certificate or its key cannot be used.
        """
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.ca_file is not None:
                context.load_verify_locations(self.ca_file)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError):
            raise IntakeError(
                "found a certificate, key or list of authorities that cannot be used, needed PEM files that fit "
                "together"
            ) from None
        return context


@dataclass
class _Gathering:
    """A delivery that is being sent."""

    arrival: Arrival
    manifest: Delivery
    files: int = 0
    writing: int = 0
    last: float = field(default_factory=time.monotonic)
    associations: list[Any] = field(default_factory=list)

    def quiet(self, seconds: float) -> bool:
        """Whether nobody sends to it any more."""
        if self.writing or any(association.is_alive() for association in self.associations):
            return False
        return time.monotonic() - self.last >= seconds


class Receiver:
    """What is being sent, and what became of it."""

    def __init__(
        self,
        lake: Lake,
        listening: Listening,
        prefix: str,
        licence: Licence,
        report: Report = silent,
        **facts: object,
    ) -> None:
        """Set a receiver; it does not listen yet.

        Args:
            lake: the lake.
            listening: where and to whom it listens.
            prefix: what names of its deliveries begin with; a stamp and a number follow.
            licence: licence that covers what is sent.
            report: told of each delivery that landed.
            facts: further fields of manifests.

        Raises:
            IntakeError: if nobody may send.
            Refusal: if the licence does not allow it today.
        """
        if not listening.senders:
            raise IntakeError("found no sender that is allowed, needed the AE title of one at least")
        self._lake, self._listening, self._licence = lake, listening, licence
        # a stamp of 15 and a number of up to 6 digits follow
        self._prefix, self._report, self._facts = checked_name(prefix)[:40], report, facts
        self._key = open_vault(lake).derived(b"names of received files")
        self._open: dict[object, _Gathering] = {}
        self._closing: list[_Gathering] = []
        self._lock = threading.Lock()
        self._number = 0
        self.deliveries: list[Delivery] = []
        permitted(lake, licence, drafted(self._prefix, licence, facts), Action.INTAKE)

    def serve(self, stop: threading.Event, ready: Callable[[int], None] = lambda _: None) -> list[Delivery]:
        """Listen until `stop` is set; then finish what is being sent, and land it.

        Args:
            stop: set by whoever wants it to end.
            ready: told the port once it listens.

        Returns:
            Manifests of the deliveries that landed.

        Raises:
            IntakeError: if the port is taken, or another receiver uses the prefix.
        """
        with _silenced(), _alone(self._lake, self._prefix):
            self._adopt()
            server = self._started()
            try:
                ready(server.server_address[1])
                while not stop.wait(_TICK_S):
                    self._land(self._listening.quiet_s)
            finally:
                self._closed(server)
        return self.deliveries

    def _started(self) -> Any:
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt

        entity = AE(self._listening.title)
        for sop_class in (_VERIFICATION, *classes()):
            entity.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
        entity.require_calling_aet = list(self._listening.senders)
        entity.require_called_aet = True
        entity.maximum_associations = self._listening.associations
        entity.maximum_pdu_size = _PDU_BYTES
        try:
            return entity.start_server(
                (self._listening.host, self._listening.port),
                block=False,
                evt_handlers=[(evt.EVT_C_STORE, self._stored), (evt.EVT_ACCEPTED, self._accepted)],
                ssl_context=self._listening.context(),
            )
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                raise
            raise IntakeError(
                f"found port {self._listening.port} taken, closed to this user or of another machine, needed a free "
                "one; choose another with --listen and --bind"
            ) from None

    def _closed(self, server: Any) -> None:
        """Take no new association, wait for those that run, land what they sent."""
        server.shutdown()
        while server.active_associations:
            time.sleep(_TICK_S)
            self._land(self._listening.quiet_s)
        self._land(0)

    def _accepted(self, event: Any) -> None:
        """Note an association before its first file, so that its delivery stays open."""
        with self._lock:
            if gathering := self._open.get(self._of(event.assoc)):
                gathering.associations.append(event.assoc)

    def _of(self, association: Any) -> object:
        """What a delivery is made of: an association, or all of a sender."""
        if not self._listening.quiet_s:
            return association
        return str(association.requestor.ae_title).strip()

    def _stored(self, event: Any) -> int:
        """Keep a data set as it was sent; the answer says whether it is on disk."""
        data = event.encoded_dataset()
        if data[128:132] != b"DICM" or len(data) <= 132:
            return _CANNOT_UNDERSTAND
        try:
            gathering = self._gathering(event.assoc, len(data))
        except Refusal:
            return _NOT_AUTHORIZED
        except OSError:
            return _OUT_OF_RESOURCES
        try:
            # two versions of one instance are two files, the same one twice is one
            own = hmac.new(self._key, str(event.request.AffectedSOPInstanceUID).encode(), hashlib.sha256)
            name = f"{own.hexdigest()[:32]}-{hashlib.sha256(data).hexdigest()[:8]}.dcm"
            gathering.arrival.write(name, data)
        except OSError:
            self._report("found no space for a file that was sent, and said so to its sender (A700); free some disk")
            return _OUT_OF_RESOURCES
        else:
            with self._lock:
                gathering.files += 1
            return _SUCCESS
        finally:
            with self._lock:
                gathering.writing -= 1
                gathering.last = time.monotonic()

    def _gathering(self, association: Any, size: int) -> _Gathering:
        """The delivery that a file goes to, begun where there is none."""
        landing = self._lake.landed()
        if landing.local:
            landing.make()
            if shutil.disk_usage(landing.path).free < size + _FREE_BYTES:
                raise OSError(errno.ENOSPC, "too little is free")
        key = self._of(association)
        with self._lock:
            found = self._open.get(key)
            if found is not None and found.files >= _MOST_FILES:
                self._closing.append(self._open.pop(key))
                found = None
            if found is None:
                found = self._open[key] = self._begun()
            if association not in found.associations:
                found.associations.append(association)
            found.writing += 1
            return found

    def _begun(self) -> _Gathering:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        landing = self._lake.landed()
        while True:
            self._number += 1
            name = f"{self._prefix}-{stamp}-{self._number}"
            if not landing.exists(name) and not landing.exists(f".{name}{ENDING}"):
                break
        manifest = drafted(name, self._licence, self._facts)
        # terms may have ended since the receiver was started
        permitted(self._lake, self._licence, manifest, Action.INTAKE)
        return _Gathering(Arrival.open(self._lake, name, ENDING), manifest)

    def _land(self, quiet_s: float) -> None:
        """Make deliveries of what nobody sends to any more."""
        with self._lock:
            done = [key for key, gathering in self._open.items() if gathering.quiet(quiet_s)]
            landed = [self._open.pop(key) for key in done]
            landed += [gathering for gathering in self._closing if not gathering.writing]
            self._closing = [gathering for gathering in self._closing if gathering not in landed]
        for gathering in landed:
            if gathering.files:
                self._finish(gathering.arrival, gathering.manifest)
            else:
                gathering.arrival.abandon()

    def _finish(self, arrival: Arrival, manifest: Delivery) -> None:
        manifest = arrival.finish(manifest)
        self.deliveries.append(manifest)
        self._report(f"delivery {manifest.name}: {manifest.expected_files} files in landing")

    def _adopt(self) -> None:
        """Land what a receiver that was killed had taken: its senders were told that it is kept."""
        landing = self._lake.landed()
        names = landing.list()
        if landing.local:
            left = [n[1 : -len(ENDING)] for n in names if n.startswith(f".{self._prefix}-") and n.endswith(ENDING)]
        else:
            left = [n for n in names if n.startswith(f"{self._prefix}-") and not landing.exists(f"{n}/{MANIFEST_NAME}")]
        for name in left:
            arrival = Arrival.open(self._lake, name, ENDING)
            if arrival.place.walk():
                self._finish(arrival, drafted(name, self._licence, self._facts))
            else:
                arrival.abandon()


@contextmanager
def _alone(lake: Lake, prefix: str) -> Iterator[None]:
    """Hold the prefix: two receivers of one would take each other's deliveries for left ones."""
    import fcntl

    landing = lake.landed()
    if not landing.local:
        yield
        return
    landing.make()
    with (landing.path / f".{prefix}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise IntakeError(
                f"found another receiver that names its deliveries {prefix}, needed a name of its own for each"
            ) from None
        yield


@contextmanager
def _silenced(names: Sequence[str] = ("pynetdicom", "pydicom")) -> Iterator[None]:
    """Nothing that the libraries below would log, with all their children."""
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
