"""An export as DICOM: the de-identified files that a release's volumes were made of, with a DICOMDIR made of all.

Belongs here: file names and the directory (PS3.10 8, PS3.11). Asking the terms and the record are
`stages.export.export`. A DICOMDIR that came with a delivery is never edited; this one knows nothing but the files that
leave.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.uid import UID

from lake.releases import Member, Release
from lake.zones import Lake
from schemas.tables import INSTANCES
from stages.station import Report

_COLUMNS = ["instance", "policy"]
_WANTED = ["sources", "source_deliveries", "source_policies", "policy"]
_RECORDED = {"StudyDate": "19000101", "StudyTime": "000000", "StudyID": "0", "SeriesNumber": 0, "InstanceNumber": 0}
"""What directory records must say of study, series and image (PS3.3 F.5, type 1), where nothing is known."""


class MediaError(ValueError):
    """The files of a release cannot be written as DICOM."""


Made = Callable[[Mapping[str, bytes]], Iterable[bytes]]
"""Makes further files from those that leave, by their instances."""


def write(
    lake: Lake, release: Release, members: Sequence[Member], folder: Path, report: Report, made: Made = lambda _: ()
) -> None:
    """Write the source files of volumes and a DICOMDIR into a folder.

    Files lie as PT000000/ST000000/SE000000/IM000000: names of no meaning. The same release gives the same bytes.

    Args:
        lake: the lake.
        release: what leaves.
        members: volumes of it.
        folder: where to.
        report: told how far it is.
        made: gives further files, such as segmentations.

    Raises:
        MediaError: if a volume did not come as DICOM, or its files are no longer the ones it was made of.
    """
    wanted = _wanted(release, members)
    files = FileSet()
    files.ID, files.UID = "LARMOR", UID(f"2.25.{int(hashlib.sha256(release.sha256.encode()).hexdigest()[:30], 16)}")
    contents: dict[str, bytes] = {}
    for delivery, policies in sorted(wanted.items()):
        for instance, data in instances(lake, delivery, policies):
            if instance not in contents:
                contents[instance] = data
                files.add(_recorded(data))
        report(f"{len(contents)} files")
    missing = {instance for policies in wanted.values() for instance in policies} - contents.keys()
    if missing:
        raise MediaError(
            f"release {release.name}: found {len(missing)} files fewer in curated/instances than its volumes were made "
            "of, needed all under the same policy; freeze a new release, or export as NIfTI"
        )
    for data in made(contents):
        files.add(_recorded(data))
        contents[str(dcmread(io.BytesIO(data), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)] = data
    files.write(folder)
    for entry in files:
        # as they lie in the lake, not as a second writer would put them
        Path(entry.path).write_bytes(contents[str(entry.SOPInstanceUID)])


def _recorded(data: bytes) -> Dataset:
    """The header of a file, with a value for what its records must have and de-identification left empty."""
    header = dcmread(io.BytesIO(data), stop_before_pixels=True)
    for keyword, value in _RECORDED.items():
        if header.get(keyword) in (None, ""):
            setattr(header, keyword, value)
    return header


def _wanted(release: Release, members: Sequence[Member]) -> Mapping[str, Mapping[str, str]]:
    """By delivery, the policy that each source file was treated by."""
    volumes = release.volumes()
    wanted: dict[str, dict[str, str]] = defaultdict(dict)
    rows = volumes.rows([member.volume for member in members], _WANTED)
    for member, row in zip(members, rows, strict=True):
        if not row["sources"]:
            raise MediaError(
                f"release {release.name}: found a volume that did not come as DICOM, needed DICOM; export as NIfTI"
            )
        for delivery, policies in sources_of(member.delivery, row).items():
            wanted[delivery].update(policies)
    return wanted


def sources_of(delivery: str, row: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """By delivery, the instances that a volume was made of, each with the policy that it was treated by.

    Args:
        delivery: the volume's own, for rows that were written before others were noted.
        row: sources, source_deliveries, source_policies and policy of the volume.
    """
    number = len(row["sources"])
    keepers = row["source_deliveries"] or [delivery] * number
    policies = row["source_policies"] or [row["policy"]] * number
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for instance, keeper, policy in zip(row["sources"], keepers, policies, strict=True):
        found[keeper][instance] = policy
    return found


def instances(lake: Lake, delivery: str, policies: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """De-identified files of a delivery by instance.

    Args:
        lake: the lake.
        delivery: whose files.
        policies: instances that are wanted, each with the policy that it must have been treated by.
    """
    table = lake.table(INSTANCES)
    for file in table.names({"delivery": delivery}):
        with table.source.parquet(file) as parquet:
            for group in range(parquet.metadata.num_row_groups):
                keys = parquet.read_row_group(group, columns=_COLUMNS).to_pylist()
                if any(policies.get(row["instance"]) == row["policy"] for row in keys):
                    rows = parquet.read_row_group(group, columns=[*_COLUMNS, "dicom"]).to_pylist()
                    yield from ((r["instance"], r["dicom"]) for r in rows if policies.get(r["instance"]) == r["policy"])
