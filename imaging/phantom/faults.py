"""What goes wrong with a delivery, on purpose: which fault befalls whom, and what must become of the files.

Belongs here: the plan of faults and their files. The reasons are the closed list of `schemas.reasons`.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from pathlib import PurePosixPath

import numpy as np
from pydicom import dcmread, dcmwrite

from imaging.phantom.answers import Planter
from imaging.phantom.config import PhantomConfig
from imaging.phantom.images import Image
from imaging.phantom.objects import raw_data, screen_capture, text_report
from imaging.phantom.scan import Scan
from imaging.phantom.seeds import digest, stream
from imaging.phantom.study import Study
from schemas.reasons import Reason

COPIES = 3
"""Files that are delivered twice, of one series."""

UNREADABLE_BYTES = 4096
"""Size of the unreadable file."""


class Fault(StrEnum):
    """What goes wrong."""

    MISSING_SLICES = "missing slices"
    EXACT_DUPLICATES = "exact duplicates"
    CONFLICTING_DUPLICATE = "conflicting duplicate"
    TRUNCATED = "truncated file"
    UNREADABLE = "unreadable file"
    TEXT_REPORT = "structured report"
    RAW_DATA = "raw data"
    SCREEN_CAPTURE = "screen capture with burned-in text"
    STRAY_FILE = "stray file"


IN_SERIES: dict[Fault, int] = {
    Fault.MISSING_SLICES: 2,
    Fault.EXACT_DUPLICATES: 1,
    Fault.CONFLICTING_DUPLICATE: 0,
    Fault.TRUNCATED: 1,
}
"""Which series of its subject a fault befalls; the diffusion series stays whole."""

REASONS: dict[Fault, Reason] = {
    Fault.CONFLICTING_DUPLICATE: Reason.CONFLICTING_DUPLICATE,
    Fault.TRUNCATED: Reason.TRUNCATED,
    Fault.UNREADABLE: Reason.UNREADABLE,
    Fault.RAW_DATA: Reason.NOT_AN_IMAGE,
    Fault.STRAY_FILE: Reason.UNEXPECTED_FILE,
}
"""Why the files of a fault must be held back; the other faults hold nothing back."""


@dataclass(frozen=True)
class Damage:
    """A fault as it happened.

    Attributes:
        fault: what went wrong.
        subject: ordinal of the subject.
        series: Series Instance UID, None where no series is concerned.
        paths: files that must be held back, or that repeat others.
        slices: slices of the grid that no kept instance fills any more.
    """

    fault: Fault
    subject: int
    series: str | None = None
    paths: tuple[str, ...] = ()
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Files of a subject after the faults, and what happened; filled series by series.

    Attributes:
        files: path to content.
        damages: what happened.
    """

    files: dict[PurePosixPath, bytes] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)


def befallen(config: PhantomConfig) -> dict[int, list[Fault]]:
    """Which faults befall which subjects: each fault once, spread over the subjects; none without `faults`.

    The split subject is spared what would change its series.
    """
    planned: dict[int, list[Fault]] = defaultdict(list)
    if not config.faults:
        return planned
    start = digest(config.seed, "faults", config.name)[0]
    for turn, fault in enumerate(Fault):
        able = [o for o in config.ordinals if fault not in IN_SERIES or o != config.split_subject]
        if able:
            planned[able[(start + turn) % len(able)]].append(fault)
    return planned


def damage_series(study: Study, scan: Scan, images: list[Image], faults: list[Fault], outcome: Outcome) -> None:
    """Put a series' files into the outcome, less or more than there were."""
    files = {image.path: image.data for image in images}
    depth = scan.grid.shape[2]
    series = study.series_uid(scan)
    # interior slices only: nothing in a series says that its first or last slice is missing
    victims = {Fault.MISSING_SLICES: (depth // 3, depth // 3 + 2), Fault.TRUNCATED: (depth // 2 + 1,)}
    for fault in faults:
        if IN_SERIES.get(fault) != scan.index:
            continue
        slices = victims.get(fault, (depth // 2 - 2,))
        hit = [image for image in images if image.shot.index in slices]
        if fault is Fault.MISSING_SLICES:
            for image in hit:
                del files[image.path]
            outcome.damages.append(Damage(fault, study.ordinal, series, slices=slices))
        elif fault is Fault.EXACT_DUPLICATES:
            copies = {_beside(image.path, "copy"): image.data for image in images[:COPIES]}
            files |= copies
            outcome.damages.append(Damage(fault, study.ordinal, series, tuple(map(str, copies))))
        elif fault is Fault.CONFLICTING_DUPLICATE:
            other = _beside(hit[0].path, "other")
            files[other] = _darkened(hit[0].data)
            paths = (str(hit[0].path), str(other))
            outcome.damages.append(Damage(fault, study.ordinal, series, paths, slices))
        elif fault is Fault.TRUNCATED:
            # what is cut off is pixel data, even where it is compressed to half its size
            columns, rows, _ = scan.grid.shape
            files[hit[0].path] = hit[0].data[: -(rows * columns // 2)]
            outcome.damages.append(Damage(fault, study.ordinal, series, (str(hit[0].path),), slices))
    outcome.files.update(files)


def strays(study: Study, faults: list[Fault], folder: PurePosixPath, plant: Planter, outcome: Outcome) -> None:
    """Add the files of a subject that belong to no image series to the outcome, below `folder`."""
    made: dict[Fault, Callable[[], tuple[str, bytes]]] = {
        Fault.UNREADABLE: lambda: (
            "scan0001.dcm",
            stream(study.config.seed, "unreadable", study.ordinal).bytes(UNREADABLE_BYTES),
        ),
        Fault.TEXT_REPORT: lambda: ("SR000001.dcm", text_report(study, plant)),
        Fault.RAW_DATA: lambda: ("RAW00001.dcm", raw_data(study, plant)),
        Fault.SCREEN_CAPTURE: lambda: ("SC000001.dcm", screen_capture(study, plant)),
        Fault.STRAY_FILE: lambda: ("export.log", f"exported {study.vendor} study, 1 warning\n".encode()),
    }
    for fault in faults:
        if fault in made:
            name, content = made[fault]()
            outcome.files[folder / name] = content
            outcome.damages.append(Damage(fault, study.ordinal, paths=(str(folder / name),)))


def _beside(path: PurePosixPath, word: str) -> PurePosixPath:
    return path.with_name(f"{path.stem}_{word}{path.suffix}")


def _darkened(data: bytes) -> bytes:
    """The same instance with other pixels."""
    dataset = dcmread(BytesIO(data))
    dataset.PixelData = (np.frombuffer(dataset.PixelData, "<u2") // 2).astype("<u2").tobytes()
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
