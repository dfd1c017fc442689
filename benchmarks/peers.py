"""Other tools in processes and an environment of their own.

Belongs here: making the environment and talking to `benchmarks.runner`. What is measured is
`benchmarks.deidentification`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RUNNER = ROOT / "benchmarks" / "runner.py"
ZARR_RUNNER = ROOT / "benchmarks" / "zarr_runner.py"
PINS = ROOT / "benchmarks" / "peers.txt"
ENVIRONMENT = ROOT / ".venv-bench"
VARIABLE = "LARMOR_BENCH_PYTHON"
"""Names the Python of an environment that has the peers already."""
_ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class NoPeers(RuntimeError):
    """The peers cannot be installed; the message says why."""


@cache
def python() -> Path:
    """The Python that has the peers; the environment is made once, from the index that pip or uv is configured for.

    Raises:
        NoPeers: if it cannot be made.
    """
    if given := os.environ.get(VARIABLE):
        return Path(given)
    interpreter = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / ".pins"
    if stamp.is_file() and stamp.read_text() == PINS.read_text():
        return interpreter
    uv = Path(sys.executable).parent / "uv"
    for command in (
        [uv, "venv", "--quiet", "--clear", ENVIRONMENT],
        [uv, "pip", "install", "--quiet", "--python", interpreter, "--requirement", PINS],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=600)
        except (OSError, subprocess.SubprocessError):
            raise NoPeers(
                f"found no way to install {PINS.name} into {ENVIRONMENT.name}, needed the package index or "
                f"{VARIABLE} with the Python of an environment that has them"
            ) from None
    stamp.write_text(PINS.read_text())
    return interpreter


@dataclass(frozen=True)
class Peer:
    """A tool in a running process."""

    process: subprocess.Popen[str]

    def work(self, **command: object) -> dict[str, Any]:
        """One pass over the files.

        Args:
            **command: `to`, a folder for the outputs; `reverse`, whether the files come in the other order.

        Returns:
            `files` made, `failed` by reason, and seconds of processor time `cpu`; of Zarr, `seconds`.

        Raises:
            RuntimeError: if the process ended.
        """
        assert self.process.stdin and self.process.stdout, "made with pipes"
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("found that a tool's process ended, needed an answer; run benchmarks/runner.py by hand")
        return dict(json.loads(answer))

    def outputs(self, reverse: bool = False) -> dict[str, bytes]:
        """What it makes of the files."""
        with tempfile.TemporaryDirectory() as folder:
            self.work(to=folder, reverse=reverse)
            return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@contextmanager
def peer(tool: str, folder: Path) -> Iterator[Peer]:
    """A process of a tool on the files of a folder; Larmor and the floors run in this project's environment."""
    foreign = tool.startswith("dic") or tool == "zarr"
    script = [ZARR_RUNNER] if tool == "zarr" else [RUNNER, tool]
    environment = {**os.environ, **_ONE_CORE, "PYTHONPATH": "" if foreign else str(ROOT)}
    process = subprocess.Popen(
        [python() if foreign else Path(sys.executable), *script, folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip
    try:
        yield Peer(process)
    finally:
        assert process.stdin, "made with pipes"
        process.stdin.close()
        process.wait(timeout=60)
        if process.stdout:
            process.stdout.close()


def lay_out(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files for a tool to read."""
    target = folder / "files"
    target.mkdir(parents=True)
    for name, data in files.items():
        (target / name).write_bytes(data)
    return target
