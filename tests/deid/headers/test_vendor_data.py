"""What imaging reads of scanners' own files is the same after de-identification."""

import collections
from pathlib import Path

import pytest

from deid.headers.headers import Deidentifier
from deid.policy import load_policy
from deid.text.identifiers import Identifiers
from deid.vault import Subject
from imaging.headers.reading import read_header

DATA = Path(__file__).parents[4] / "shared" / "data"
FIELDS = (
    "slope", "intercept", "b_value", "gradient", "mosaic", "slice_normal", "component", "echo_time", "inversion_time",
    "repetition_time", "orientation", "position", "frames", "slice_spacing", "pixel_spacing", "scanning_sequence",
    "sequence_variant", "temporal_position", "acquisition_type", "sequence_name", "manufacturer", "image_type",
)  # fmt: skip
A_FOLDER = 4


def scans():
    """A few files of each folder of scanners' data."""
    taken = collections.Counter()
    for path in sorted(DATA.rglob("*")) if DATA.is_dir() else ():
        if path.is_file() and taken[path.parent] < A_FOLDER:
            data = path.read_bytes()
            if data[128:132] == b"DICM":
                taken[path.parent] += 1
                yield data


@pytest.fixture(scope="module")
def pairs():
    """Headers before and after, of files and of their frames."""
    deidentifier = Deidentifier(load_policy("safe_harbor"))
    subject, found = Subject("SABCDEFGHIJKL", bytes(range(32))), []
    for data in scans():
        cleaned = deidentifier.clean(data, subject, Identifiers()).data
        before, after = read_header(data), read_header(cleaned)
        found += [(before, after), *zip(before.planes, after.planes, strict=True)]
    if not found:
        pytest.skip("found no scanners' data beside the repository, needed shared/data")
    return found


@pytest.mark.data
def test_geometry_intensity_and_weighting_are_read_alike(pairs):
    differing = {name for before, after in pairs for name in FIELDS if getattr(before, name) != getattr(after, name)}
    assert differing == set()


@pytest.mark.data
def test_mosaics_keep_the_order_of_their_slices_and_philips_frames_their_scale(pairs):
    after = [header for _, header in pairs]
    assert any(header.mosaic > 1 and header.slice_normal for header in after)
    frames = [plane for header in after for plane in header.planes if header.vendor == "philips"]
    assert frames
    assert all(plane.slope != 1 for plane in frames)
