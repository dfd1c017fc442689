"""Being told to stop: a signal is remembered, and the training ends at the next step with what it has done saved.

Belongs here: the signal and the code of the exit. Agreeing with the other processes is `training.running.learner`'s
business, saving `training.running.watch`'s: one process that stopped by itself would leave the others waiting for it.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from training.errors import TrainingError

EXIT_CODE = 75
"""Exit code of a process that was told to stop and saved: EX_TEMPFAIL of sysexits.h, try again later."""

SAVE_WITHIN_S = 60
"""Seconds that whoever stops a training must give it to finish a step and save, before it is made to end."""


_ECHO_S = 2.0
"""Seconds within which a second signal is the first one's echo: a terminal and a launcher both pass it on."""


SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What tells a training to stop."""


@contextmanager
def given_back() -> Iterator[None]:
    """Signals are whose they were before, however a training ends: in a notebook, Ctrl-C stops the next cell again."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


class Stopped(TrainingError):
    """The training was told to stop, and saved what it had done."""


class Interruption:
    """Whether this process was told to stop; told again some time later, it ends at once."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._since: float | None = None

    @property
    def told(self) -> bool:
        """Whether it was told to stop."""
        return self._since is not None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT from now on; only a main thread can, elsewhere they stay whose they were."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._handle)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._since > _ECHO_S:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
