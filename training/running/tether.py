"""Run a command that ends when its parent ends: `python -m training.running.tether COMMAND...`.

Belongs here: nothing else. It becomes the command, so that signals and exit codes are the command's own.
"""

import os
import sys

from training.running.process import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the caller names the command
