"""One tool in one process: reads files, de-identifies them in memory when told, and says how long it took.

Belongs here: how each tool is called. The script runs in the project's environment and in the peers', so the tools are
imported when they are asked for. It speaks JSON by line: a command on standard input, its answer on standard output.
"""

import io
import json
import logging
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

Files = dict[str, bytes]
Outcome = tuple[Files, Counter[str]]
"""What a tool made of the files, and how many it did not, by reason; a reason is a class name, never a value."""
Tool = Callable[[Files], Outcome]


def main(tool: str, folder: str) -> None:
    """Answer commands until there are no more.

    Args:
        tool: a name of `TOOLS`.
        folder: of the files; an optional folder `vault` beside it is where Larmor keeps its subjects.
    """
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()}
    work = TOOLS[tool](Path(folder))
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        command = json.loads(line)
        ordered = dict(reversed(files.items())) if command.get("reverse") else files
        start = time.process_time()
        outputs, failed = work(ordered)
        spent = time.process_time() - start
        if target := command.get("to"):
            for name, data in outputs.items():
                (Path(target) / name).write_bytes(data)
        print(json.dumps({"files": len(outputs), "failed": failed, "cpu": spent}), file=answers, flush=True)


def _each(work: Callable[[bytes], bytes]) -> Tool:
    """A tool that takes file by file; a file that it fails on makes no output."""

    def all_of(files: Files) -> Outcome:
        outputs: Files = {}
        failed: Counter[str] = Counter()
        for name, data in files.items():
            try:
                outputs[name] = work(data)
            except Exception as error:  # whatever a tool raises is its failure
                failed[type(error).__name__] += 1
        return outputs, failed

    return all_of


def _pydicom(decode: bool) -> Tool:
    from pydicom import dcmread

    def once(data: bytes) -> bytes:
        dataset = dcmread(io.BytesIO(data))
        if decode:
            for _ in dataset.iterall():
                pass
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()

    return _each(once)


def _dicognito(_: Path) -> Tool:
    from dicognito.anonymizer import Anonymizer
    from pydicom import dcmread

    # without a seed each process would give other results
    anonymizer = Anonymizer(seed="benchmark")

    def once(data: bytes) -> bytes:
        dataset = dcmread(io.BytesIO(data))
        anonymizer.anonymize(dataset)
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()

    return _each(once)


def _dicom_anonymizer(_: Path) -> Tool:
    from dicomanonymizer import anonymize_dataset
    from pydicom import dcmread

    def once(data: bytes) -> bytes:
        dataset = dcmread(io.BytesIO(data))
        anonymize_dataset(dataset)
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()

    return _each(once)


def _larmor(folder: Path, policy: str, *, recorded: bool, pixels: bool) -> Tool:
    """Larmor, file by file.

    Args:
        folder: of the files.
        policy: name of the policy.
        recorded: whether the identifiers are gathered and the decisions summed inside the measured time.
        pixels: whether pixels are looked at and cleaned, too.
    """
    from benchmarks.larmor import Cleaning

    cleaning = Cleaning(folder.parent / "vault", policy, recorded=recorded, pixels=pixels)
    return cleaning.work


TOOLS: dict[str, Callable[[Path], Tool]] = {
    "floor": lambda _: _pydicom(decode=False),
    "floor-decoded": lambda _: _pydicom(decode=True),
    "dicognito": _dicognito,
    "dicom-anonymizer": _dicom_anonymizer,
    "larmor-headers": lambda folder: _larmor(folder, "expert_determination", recorded=False, pixels=False),
    "larmor-recorded": lambda folder: _larmor(folder, "expert_determination", recorded=True, pixels=False),
    "larmor-pixels": lambda folder: _larmor(folder, "expert_determination", recorded=True, pixels=True),
    "larmor-safe-harbor": lambda folder: _larmor(folder, "safe_harbor", recorded=True, pixels=True),
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
