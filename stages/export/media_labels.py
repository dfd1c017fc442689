"""Label maps of a release as DICOM segmentations of the files that leave with them.

Belongs here: from rows of `curated/labels` to segmentations. How one is written is
`imaging.labels.segmentation_writer`; the folder and its directory are `stages.export.media`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imaging.errors import ImagingError
from imaging.labels.segment_codes import Coded, categorized
from imaging.labels.segmentation_writer import Origin, write
from lake.releases import Member, Release
from stages.export.media import MediaError
from stages.sources import of_files


def segmentations(release: Release, members: Sequence[Member], files: Mapping[str, bytes]) -> Iterator[bytes]:
    """A segmentation of each label map of a release's volumes.

    Args:
        release: what leaves.
        members: volumes of it.
        files: the DICOM files that leave, by their instances.

    Raises:
        MediaError: if a label map cannot be a segmentation of these files.
    """
    labelled = [(member.volume, member.label) for member in members if member.label]
    if not labelled:
        return
    volumes, labels = release.volumes(), release.labels()
    for volume, label in labelled:
        row, drawn = volumes.row(volume), labels.row(label)
        scheme = {int(value): name for value, name in json.loads(drawn["scheme"]).items()}
        origin = Origin(drawn["task"], label, automatic=False)
        try:
            source = of_files([files[name] for name in row["sources"]], row)
            assert source.plan is not None, "it was planned from files"
            yield write(labels.array(label), source.plan, source.files, scheme, origin, _codes(drawn))
        except ImagingError as error:
            raise MediaError(
                f"release {release.name}: found a label map that no DICOM segmentation can hold ({error.reason}), "
                "needed one on files that say where they lie; export as NIfTI"
            ) from None


def _codes(row: Mapping[str, Any]) -> dict[int, Coded]:
    """Codes that a label map came with, by value."""
    found = {}
    for value, coding in json.loads(row.get("coding") or "{}").items():
        concepts = {
            name: (str(one["code"])[:16], str(one["scheme"])[:16], str(one["meaning"])[:64])
            for name, one in coding.items()
            if isinstance(one, dict) and one.get("code") and one.get("scheme") and one.get("meaning")
        }
        if "type" in concepts:
            known = categorized(concepts["type"])
            found[int(value)] = Coded(known.type, concepts.get("category", known.category))
    return found
