"""Datasets as Part 10 files in every encoding of the standard that installed libraries can write, and DICOMDIRs.

Belongs here: bytes. What is in the datasets is `tests.objects` and `tests.documents`.
"""

import io
import tempfile
from pathlib import Path

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

PLAIN = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
COMPRESSED = {"rle": RLELossless, "jpeg lossless": JPEGLosslessSV1, "jpeg 2000": JPEG2000Lossless}


def encoded(ds: Dataset, syntax: str = ExplicitVRLittleEndian, preamble: bytes = bytes(128)) -> bytes:
    """The object as a Part 10 file; compressed syntaxes need pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    compressed = UID(syntax).is_encapsulated
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if compressed else syntax
    buffer = io.BytesIO()
    whole = dcmread(io.BytesIO(_plain(ds, meta, ExplicitVRLittleEndian)))
    if syntax in (RLELossless, JPEGLSLossless):
        whole.compress(syntax, generate_instance_uid=False)
        dcmwrite(buffer, whole, enforce_file_format=True)
        return buffer.getvalue()
    if syntax == JPEG2000Lossless:
        return _by_pillow(whole)
    if compressed:
        return _by_gdcm(_plain(ds, meta, ExplicitVRLittleEndian))
    if syntax == ExplicitVRBigEndian and "PixelData" in ds and ds.BitsAllocated > 8:
        ds = Dataset(dict(ds.items()))
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    if syntax == ExplicitVRBigEndian and "SpectroscopyData" in ds:
        ds = Dataset(dict(ds.items()))
        ds.SpectroscopyData = np.frombuffer(ds.SpectroscopyData, "<f4").astype(">f4").tobytes()
        ds["SpectroscopyData"].VR = "OF"
    return preamble + _plain(ds, meta, syntax)[128:]


def _plain(ds: Dataset, meta: FileMetaDataset, syntax: str) -> bytes:
    file, buffer = Dataset(dict(ds.items())), io.BytesIO()
    file.file_meta, file.preamble = meta, bytes(128)
    file.file_meta.TransferSyntaxUID = syntax
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _by_pillow(whole: Dataset) -> bytes:
    """JPEG 2000, lossless."""
    from PIL import Image

    frames = whole.pixel_array.reshape(-1, *whole.pixel_array.shape[-3 if whole.SamplesPerPixel > 1 else -2 :])
    streams = []
    for frame in frames:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG2000", irreversible=False, no_jp2=True, num_resolutions=1, mct=0)
        streams.append(stream.getvalue())
    whole.PixelData = encapsulate(streams)
    whole["PixelData"].VR, whole["PixelData"].is_undefined_length = "OB", True
    whole.file_meta.TransferSyntaxUID, buffer = JPEG2000Lossless, io.BytesIO()
    dcmwrite(buffer, whole, enforce_file_format=True)
    return buffer.getvalue()


def _by_gdcm(data: bytes) -> bytes:
    """JPEG lossless, first-order prediction."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a"), Path(folder, "b")
        source.write_bytes(data)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(source))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()


def directory(folder: Path, files: list[bytes]) -> bytes:
    """The DICOMDIR of a file-set of these files, which is written into the folder."""
    made = FileSet()
    for data in files:
        made.add(dcmread(io.BytesIO(data)))
    made.write(folder)
    return (folder / "DICOMDIR").read_bytes()
