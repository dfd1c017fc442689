"""A lease on a folder: one training at a time, also across machines that share a file system or a bucket.

Belongs here: who holds it, proving to be alive, and taking over from the dead. On one machine the lock of
`training.running.workspace` settles it at once; a lease is what other machines can see.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lake.stores.storage import Location
from training.errors import BusyError

HEARTBEAT_S = 15.0
"""Seconds between signs of life."""

STALE_S = 120.0
"""Seconds without a sign of life after which a holder counts as dead. Clocks of machines may differ by less."""

SETTLE_S = 2.0
"""Seconds after which one of two that take over the same lease has lost it."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def machine() -> str:
    """Names this machine until it restarts."""
    return _BOOT.read_text(encoding="ascii").strip() if _BOOT.is_file() else socket.gethostname()


@dataclass
class Lease:
    """A lease that this process holds.

    Attributes:
        location: folder or prefix that it is about.
        name: its file there.
        locked: whether a lock already keeps other processes of this machine out.
        token: tells it from all others.
        lost: whether somebody else took it over.
    """

    location: Location
    name: str
    locked: bool = False
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    lost: bool = False

    def check(self) -> None:
        """Go on only while it is held.

        Raises:
            BusyError: if somebody else took it over, who thought this process dead.
        """
        if self.lost:
            raise BusyError(
                f"found {self.location.uri} taken over by another training, needed it to this one; this process gave "
                f"no sign of life for {STALE_S:.0f} s. Run the same job again when the other one is done"
            )

    def acquire(self) -> None:
        """Take the lease, from nobody or from the dead.

        Raises:
            BusyError: if another living process holds it.
        """
        self.location.make()
        while True:
            try:
                self.location.create(self.name, self._content())
            except FileExistsError:
                if self._taken_over():
                    return
            else:
                return

    def _taken_over(self) -> bool:
        """Take it from one that is dead; False where it is gone meanwhile, or another was faster."""
        holder = self._holder()
        if holder is None:
            return False
        age = time.time() - float(str(holder.get("beat", 0)))
        here = (holder.get("machine"), holder.get("host")) == (machine(), socket.gethostname())
        dead = here and (self.locked or not _alive(holder.get("process")))
        if not dead and age < STALE_S:
            raise BusyError(
                f"found {self.location.uri} in use by process {holder.get('process')} of {holder.get('host')}, which "
                f"gave a sign of life {max(0.0, age):.0f} s ago, needed it free; wait for that training or stop it "
                f"(a dead one counts as gone after {STALE_S:.0f} s), or choose another model name"
            )
        self.location.write_bytes(self.name, self._content())
        if not dead:
            time.sleep(SETTLE_S)
        return self._mine()

    def _content(self) -> bytes:
        content = {
            "token": self.token, "machine": machine(), "host": socket.gethostname(), "process": os.getpid(),
            "beat": time.time(),
        }  # fmt: skip
        return json.dumps(content).encode()

    def _holder(self) -> dict[str, object] | None:
        try:
            found = json.loads(self.location.read_bytes(self.name))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _mine(self) -> bool:
        holder = self._holder()
        return holder is not None and holder.get("token") == self.token

    def beat(self) -> None:
        """Give a sign of life, unless somebody else took it over."""
        if not self._mine():
            self.lost = True
            return
        self.location.write_bytes(self.name, self._content())

    def release(self) -> None:
        """Give it back."""
        if self._mine():
            self.location.delete(self.name)


def _alive(process: object) -> bool:
    """Whether a process of this machine runs."""
    if not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextmanager
def held(location: Location, name: str, *, locked: bool = False) -> Iterator[Lease]:
    """Hold a lease, with a thread that gives signs of life.

    Args:
        location: folder or prefix that it is about.
        name: its file there.
        locked: whether a lock already keeps other processes of this machine out.

    Raises:
        BusyError: if another living process holds it.
    """
    lease = Lease(location, name, locked)
    lease.acquire()
    over = threading.Event()

    def live() -> None:
        while not over.wait(HEARTBEAT_S) and not lease.lost:
            try:
                lease.beat()
            except OSError:  # a store that is away for a moment; being away for long is what loses the lease
                logging.getLogger(__name__).warning("no sign of life could be written for %s", location.uri)

    thread = threading.Thread(target=live, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        over.set()
        thread.join()
        lease.release()
