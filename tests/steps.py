"""Work in a child that is killed before its n-th change of the disk, so that a test meets every moment there is.

Belongs here: the child. `tests.kills` does the same to whole runs of deliveries.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

_STEPS = ("replace", "fsync", "unlink", "open", "link", "rename")
"""What changes a disk, or makes a change last."""


def killed(step: int, work: Callable[[], object]) -> bool:
    """Do work in a child that is killed before its n-th step, from 1; whether it was, before it came to its end."""
    child = os.fork()
    if not child:
        taken = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal taken
                taken += 1
                if taken == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return call

        for name in _STEPS:
            setattr(os, name, counted(getattr(os, name)))
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"the work failed with {code}"
    return code != 0
