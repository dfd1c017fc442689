"""Small synthetic MR instances, made with pydicom, as files in memory."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"

Maker = Callable[..., bytes]


def make_dataset(pixels: np.ndarray | None = None, **elements: Any) -> FileDataset:
    """An MR instance of 6 x 5 pixels with every element that geometry needs; keywords override or, None, remove."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = elements.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = elements.get("SOPClassUID", MRImageStorage)
    meta.MediaStorageSOPInstanceUID = elements.get("SOPInstanceUID", generate_uid())
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    pixels = np.arange(30, dtype=np.uint16).reshape(6, 5) if pixels is None else pixels
    defaults = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "MR",
        "Manufacturer": "ACME",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "InstanceNumber": 1,
        "ImagePositionPatient": [-10.0, -20.0, 5.0],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "PixelSpacing": [0.5, 0.75],
        "SliceThickness": 2.0,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": pixels.dtype.itemsize * 8,
        "BitsStored": pixels.dtype.itemsize * 8,
        "HighBit": pixels.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    for name, value in (defaults | elements).items():
        if value is not None:
            setattr(dataset, name, value)
    order = "<" if meta.TransferSyntaxUID.is_little_endian else ">"
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def to_bytes(dataset: pydicom.Dataset) -> bytes:
    """The dataset as a Part 10 file."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def dataset() -> Callable[..., FileDataset]:
    """Makes a dataset."""
    return make_dataset


@pytest.fixture(scope="session")
def file_of() -> Callable[[pydicom.Dataset], bytes]:
    """Writes a dataset."""
    return to_bytes


@pytest.fixture(scope="session")
def instance() -> Maker:
    """Makes the bytes of an instance."""

    def make(pixels: np.ndarray | None = None, **elements: Any) -> bytes:
        return to_bytes(make_dataset(pixels, **elements))

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real scans with references, or a skipped test."""
    if not DATA.is_dir():
        pytest.skip("found no ../shared/data beside the project, needed the real scans of its MANIFEST.md")
    return DATA
