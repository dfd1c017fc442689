"""What an exported folder says of itself, after BIDS: description, persons, readme, changes, licence, ignored names.

Belongs here: content of the files at the top of a dataset and of the dataset of its label maps. Names of images are
`stages.export.bids`, their sidecars `stages.sidecars`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from schemas.licence import Licence
from schemas.release import ReleaseManifest
from stages.export.bids import Row, label

BIDS_VERSION = "1.10.0"

LABELS = "derivatives/labels"
"""Where label maps lie: a dataset of its own inside the exported one."""

IGNORED = "card.html\nlicences\nlicences/**\nSHA256SUMS\nother\n"
"""Content of `.bidsignore`: what is here beyond the standard."""

PARTICIPANTS = {
    "participant_id": {"Description": "Pseudonymous person, the same in every export of this lake"},
    "age": {
        "Description": "Age in whole years at the images; n/a where it differs between them; 90 is more than 89",
        "Units": "year",
    },
    "sex": {"Description": "Patient's Sex of the images", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "split": {"Description": "Split of the release that the person is in"},
}


def participants(people: Iterable[tuple[str, str, Row]]) -> str:
    """The table of persons.

    Args:
        people: subject, split and series row of each volume.
    """
    splits: dict[str, str] = {}
    stated: dict[str, dict[str, set[Any]]] = defaultdict(lambda: {"age": set(), "sex": set()})
    for subject, split, series in people:
        splits[subject] = split
        for name in ("age", "sex"):
            stated[subject][name] |= {series[name]} if series.get(name) not in (None, "") else set()
    lines = ["participant_id\tage\tsex\tsplit"]
    for subject, split in sorted(splits.items()):
        age, sex = (_only(stated[subject][name]) for name in ("age", "sex"))
        lines.append(f"sub-{label(subject)}\t{age}\t{sex}\t{split}")
    return "\n".join(lines) + "\n"


def description(manifest: ReleaseManifest, sha256: str, licences: Iterable[Licence]) -> dict[str, Any]:
    """Content of `dataset_description.json`."""
    given = list(licences)
    return {
        "Name": manifest.name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "Authors": sorted({licence.attribution or licence.licensor for licence in given}),
        "Acknowledgements": "; ".join(licence.attribution for licence in given if licence.attribution),
        "GeneratedBy": [_ourselves()],
        "Release": {"Name": manifest.name, "SHA256": sha256, "Frozen": manifest.created, "Tables": manifest.tables},
        "LicencesWhenFrozen": manifest.licences,
    }


def labels_description(manifest: ReleaseManifest) -> dict[str, Any]:
    """Content of `dataset_description.json` of the label maps."""
    return {
        "Name": f"{manifest.name}, label maps",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [_ourselves()],
        "DatasetLinks": {"raw": "../.."},
    }


def readme(manifest: ReleaseManifest) -> str:
    """The README that the standard asks for."""
    return f"""Volumes of the release {manifest.name}, frozen {manifest.created}.

Voxels are the stored integers; slope and intercept are in each header and, exactly, in each sidecar. Axes are RAS+ and
nothing was resampled. Slices that were never received are zeros and listed in the sidecar (MissingSlices).
Gradient directions are in FSL's convention. Sessions are numbered without regard to time.
Label maps are in {LABELS}, a dataset of its own. Volumes that BIDS has no name for, or asks facts for that nobody
stated, are in folders named other. The test set of the release is sealed and not here.

card.html describes the whole release, LICENSE and licences/ hold the terms, SHA256SUMS the digest of every file
(sha256sum --check SHA256SUMS).
"""


def labels_readme(manifest: ReleaseManifest) -> str:
    """The README of the label maps."""
    return f"""Label maps of the release {manifest.name}, each on the voxel grid of its image.

A label map is named as its image; seg says what is labelled, desc the suffix of the image, and the sidecar names the
image (Sources). The table beside it says what each value means.
"""


def changes(manifest: ReleaseManifest) -> str:
    """The list of changes: a release is frozen once."""
    return f"1.0.0 {manifest.created[:10]}\n  - Release {manifest.name} was frozen.\n"


def terms_page(licences: Mapping[str, Licence]) -> str:
    """The licence file that the standard names: which terms cover the data, and where they lie."""
    lines = [f"{licence.title}, of {licence.licensor}: licences/{name}.yaml" for name, licence in licences.items()]
    return "The data are covered by these terms, all of which hold.\n\n" + "\n".join(lines) + "\n"


def _ourselves() -> dict[str, str]:
    return {"Name": "Larmor", "Version": version("larmor")}


def _only(values: set[Any]) -> str:
    return str(next(iter(values))) if len(values) == 1 else "n/a"
