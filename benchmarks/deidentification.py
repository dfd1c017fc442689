"""De-identification of phantom files on one core, against what pydicom needs to read and write them."""

import tempfile
from io import BytesIO
from pathlib import Path

import pydicom

from benchmarks.timing import rates, table
from deid.elements import parse
from deid.headers import Deidentifier
from deid.identifiers import Identifiers, gather
from deid.policy import load_policy
from deid.vault import Subject
from imaging.phantom import PhantomConfig, generate


def run() -> str:
    """Measure, and give the table."""
    with tempfile.TemporaryDirectory() as folder:
        config = PhantomConfig("bench", subjects=3, matrix=128, slices=20, faults=False)
        generate(Path(folder) / "bench", Path(folder) / "answers", config)
        files = [f.read_bytes() for f in sorted((Path(folder) / "bench").rglob("*")) if f.is_file()]
    files = [data for data in files if data[128:132] == b"DICM"]
    known = Identifiers.of(pair for data in files for pair in gather(parse(data, pixels=False).dataset))
    subject, deidentifier = Subject("S0", bytes(32)), Deidentifier(load_policy("safe_harbor"))

    def ours() -> int:
        for data in files:
            deidentifier.clean(data, subject, known)
        return len(files)

    def floor() -> int:
        for data in files:
            pydicom.dcmread(BytesIO(data)).save_as(BytesIO())
        return len(files)

    def decoded() -> int:
        for data in files:
            dataset = pydicom.dcmread(BytesIO(data))
            for _ in dataset.iterall():
                pass
            dataset.save_as(BytesIO())
        return len(files)

    ways = {
        "pydicom, read and write, every element decoded": decoded,
        "pydicom, read and write": floor,
        "Larmor, de-identified, with Presidio, marks and decisions": ours,
    }
    return table(f"{len(files)} MR files", "files/s", rates(ways), "pydicom, read and write, every element decoded")
