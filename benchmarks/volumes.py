"""From DICOM files to uncompressed NIfTI volumes on one core: Larmor beside dcm2niix, the same files, in turn.

dcm2niix's start is measured on an empty folder and taken off; Larmor's imports are not counted either. Both read the
files from the file system's cache, parse every header and write every voxel. Told is the median of
the ratios of runs that followed each other: the best runs of two programs are of different moments of a machine.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.corpora import REAL, classic
from benchmarks.timing import one_core
from imaging.headers.headers import HeaderReader
from imaging.nifti import nifti
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan

ROUNDS = 15


def run() -> str:
    """Measure, and give the table."""
    program = _program()
    rows = [
        f"### DICOM to uncompressed volumes, processor time of one core, median of {ROUNDS} rounds",
        "| files | number | Larmor, files/s | dcm2niix, files/s | times dcm2niix, median (quarter to three quarters) |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as scratch, one_core():
        empty = Path(scratch) / "empty"
        empty.mkdir()
        start = min(_processor(partial(_dcm2niix, program, empty, scratch)) for _ in range(ROUNDS))
        for name, folder in _corpora(Path(scratch)):
            number = sum(path.is_file() for path in folder.rglob("*"))
            ways = [partial(_larmor, folder, Path(scratch)), partial(_dcm2niix, program, folder, scratch)]
            _processor(ways[0])  # warm: the interpreter's caches
            spent = np.array([[_processor(way) for way in ways] for _ in range(ROUNDS)]) - [0.0, start]
            ours, theirs = number / np.median(spent, axis=0)
            low, middle, high = np.quantile(spent[:, 1] / spent[:, 0], (0.25, 0.5, 0.75))
            rows.append(f"| {name} | {number} | {ours:.0f} | {theirs:.0f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(rows)


def _program() -> str:
    """dcm2niix itself: the index's package puts a script in Python before it, whose start would drown a few files."""
    packaged = find_spec("dcm2niix")
    if packaged and packaged.origin:
        binary = Path(packaged.origin).with_name("dcm2niix")
        if binary.is_file():
            return str(binary)
    return shutil.which("dcm2niix") or str(Path(sys.executable).with_name("dcm2niix"))


def _corpora(scratch: Path) -> Iterator[tuple[str, Path]]:
    """Sets of files: made ones, and the real ones beside the project where they are."""
    made = scratch / "made"
    made.mkdir()
    for name, data in classic().items():
        (made / name).write_bytes(data)
    yield "slices of 256 x 256, 20 series", made
    for name in ("dcm_qa_nih", "dcm_qa_enh"):
        if (REAL / name / "In").is_dir():
            yield name, REAL / name / "In"


def _larmor(folder: Path, scratch: Path) -> None:
    target = Path(tempfile.mkdtemp(dir=scratch))
    reader, files = HeaderReader(), [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    headers = [reader.read(data) for data in files]
    for number, planned in enumerate(plan(headers).volumes):
        volume = assemble(planned, lambda i: stored_pixels(files[i], headers[i]))
        nifti.write(volume, target / f"{number}.nii")
    shutil.rmtree(target)


def _dcm2niix(program: str, folder: Path, scratch: str) -> None:
    target = tempfile.mkdtemp(dir=scratch)
    command = [program, "-z", "n", "-b", "n", "-f", "%s_%p_%z", "-w", "2", "-o", target, str(folder)]
    subprocess.run(command, check=False, capture_output=True)
    shutil.rmtree(target)


def _processor(work: Callable[[], None]) -> float:
    """Seconds of processor time of some work, its processes included."""
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))
