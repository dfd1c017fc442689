"""The images of a series as files: what changes from image to image, and the pixels.

Belongs here: one acquired series into files. What goes wrong with them afterwards is `imaging.phantom.faults`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import RLELossless

from imaging.phantom.acquire import Acquired
from imaging.phantom.answers import Kind, Planter
from imaging.phantom.dialects import DIALECTS
from imaging.phantom.dialects.dialect import Shot, clock
from imaging.phantom.files import part10
from imaging.phantom.glyphs import stamp
from imaging.phantom.headers import series_began, series_header
from imaging.phantom.scan import Scan, Technique
from imaging.phantom.study import Study
from imaging.phantom.vocabulary import Contrast, Vendor

OVERLAY = 0x6000
"""Group of the first overlay plane."""

PADDING = 0xFFFCFFFC
"""Data Set Trailing Padding."""


@dataclass(frozen=True)
class Image:
    """One file of a series.

    Attributes:
        path: where it lies in the delivery.
        shot: which image it is.
        sop_uid: its SOP Instance UID.
        data: its bytes.
    """

    path: PurePosixPath
    shot: Shot
    sop_uid: str
    data: bytes


def compressed(study: Study, scan: Scan) -> bool:
    """Whether a series is RLE compressed: the T2 series of some GE subjects."""
    return study.vendor is Vendor.GE and scan.contrast is Contrast.T2 and study.ordinal // 3 % 2 == 0


def images(study: Study, scan: Scan, acquired: Acquired, slab: range, plant: Planter) -> Iterator[Image]:
    """The files of a series' slices in `slab`, in the order of their instance numbers."""
    dialect = DIALECTS[study.vendor]
    dataset = series_header(study, scan, dialect, plant)
    if study.sometimes("padding", 3):
        padding = plant.text(Kind.NAME, f"{study.person.family}{study.person.given}", "(FFFC,FFFC)")
        dataset[PADDING] = DataElement(PADDING, "OB", padding.encode() + bytes(len(padding) % 2))
    marked = scan.contrast is Contrast.T2 and study.sometimes("overlay", 3)
    for shot in (shot for shot in shots(scan) if shot.index in slab):
        _image_facts(dataset, study, scan, shot)
        first = marked and shot.number == 1
        if first:
            _overlay(dataset, study, plant)
        yield Image(
            dialect.path(study, scan, shot, plant),
            shot,
            study.sop_uid(scan, shot.volume, shot.index),
            encode(dataset, study, scan, acquired.stored[shot.volume, shot.index], plant),
        )
        if first:
            _drop_overlay(dataset)


def shots(scan: Scan) -> list[Shot]:
    """The images of a series by instance number: volume after volume, slices in the scan's order."""
    depth = scan.grid.shape[2]
    places = scan.numbers()
    made = [Shot(v, k, v * depth + int(places[k]) + 1) for v in range(len(scan.bvals)) for k in range(depth)]
    return sorted(made, key=lambda shot: shot.number)


def encode(dataset: Dataset, study: Study, scan: Scan, pixels: NDArray[np.uint16], plant: Planter) -> bytes:
    """The file of a data set with these pixels (rows, columns)."""
    raw = pixels.astype("<u2").tobytes()
    syntax = DIALECTS[study.vendor].transfer_syntax
    dataset.SmallestImagePixelValue = int(pixels.min())
    dataset.LargestImagePixelValue = int(pixels.max())
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        dataset[keyword].VR = "SS" if dataset.PixelRepresentation else "US"
    if compressed(study, scan):
        syntax = RLELossless
        frame = RLELosslessEncoder.encode(
            raw,
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples_per_pixel=1,
            photometric_interpretation="MONOCHROME2",
            bits_allocated=16,
            bits_stored=dataset.BitsStored,
            pixel_representation=dataset.PixelRepresentation,
            number_of_frames=1,
            encoding_plugin="pydicom",
        )
        raw = encapsulate([frame])
    dataset.PixelData = raw
    dataset["PixelData"].VR = "OB" if compressed(study, scan) else "OW"
    dataset["PixelData"].is_undefined_length = compressed(study, scan)
    return part10(dataset, syntax, study, plant)


def _image_facts(dataset: Dataset, study: Study, scan: Scan, shot: Shot) -> None:
    grid = scan.grid
    position = grid.position(shot.index)
    dataset.SOPInstanceUID = study.sop_uid(scan, shot.volume, shot.index)
    dataset.InstanceNumber = shot.number
    dataset.AcquisitionNumber = shot.volume + 1
    dataset.ImagePositionPatient = [f"{x + 0.0:.5f}" for x in position]
    dataset.SliceLocation = f"{float(position @ grid.normal) + 0.0:.5f}"
    began = series_began(study, scan) + shot.volume * scan.settings.tr / 1000
    if study.vendor is Vendor.SIEMENS and scan.settings.technique is Technique.ECHO_PLANAR:
        began += scan.slice_start(shot.index)  # others write the volume's time into each of its images
    dataset.AcquisitionTime = clock(began)
    DIALECTS[study.vendor].image_facts(dataset, study, scan, shot)


def _overlay(dataset: Dataset, study: Study, plant: Planter) -> None:
    """A graphic with the patient's name in an overlay plane (PS3.3 C.9.2), and again as its description."""
    name = plant.text(Kind.NAME, study.person.family.upper(), "overlay (6000,3000), drawn")
    plane = np.zeros((dataset.Rows, dataset.Columns), dtype=bool)
    stamp(plane, name, 2, 2, 1)
    bits = np.packbits(plane.ravel(), bitorder="little").tobytes()
    block = {
        0x0010: ("US", dataset.Rows),
        0x0011: ("US", dataset.Columns),
        0x0022: ("LO", plant.text(Kind.NAME, f"label {name}", "(6000,0022)")),
        0x0040: ("CS", "G"),
        0x0050: ("SS", [1, 1]),
        0x0100: ("US", 1),
        0x0102: ("US", 0),
        0x3000: ("OW", bits + bytes(len(bits) % 2)),
    }
    for number, (representation, value) in block.items():
        dataset.add_new((OVERLAY, number), representation, value)


def _drop_overlay(dataset: Dataset) -> None:
    for tag in [element.tag for element in dataset.group_dataset(OVERLAY)]:
        del dataset[tag]
