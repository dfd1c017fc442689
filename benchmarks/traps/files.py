"""Part 10 files of datasets, in any transfer syntax, with more than pydicom would write.

Belongs here: encoding. What the datasets hold is `benchmarks.traps.objects` and `benchmarks.traps.carriers`.
"""

import contextlib
import io
import struct
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom.config
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)

NATIVE = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
COMPRESSED = {"RLE": RLELossless, "JPEG lossless": JPEGLosslessSV1, "JPEG 2000": JPEG2000Lossless}


def written(
    dataset: Dataset,
    syntax: UID = ExplicitVRLittleEndian,
    preamble: bytes = bytes(128),
    meta: dict[str, object] | None = None,
) -> bytes:
    """A dataset as a Part 10 file, whatever its values: the key holds some that no writer should let pass."""
    file_meta = FileMetaDataset()
    file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file_meta.TransferSyntaxUID = syntax
    for keyword, value in (meta or {}).items():
        setattr(file_meta, keyword, value)
    # from the elements alone, so that an encoding it was written in before does not count
    file = Dataset(dict(dataset.items()))
    file.file_meta, file.preamble = file_meta, preamble
    buffer = io.BytesIO()
    with lenient():
        dcmwrite(buffer, file, enforce_file_format=True)
    return buffer.getvalue()


@contextlib.contextmanager
def lenient() -> Iterator[None]:
    """Let values pass that pydicom would refuse to write or warn about."""
    settings = pydicom.config.settings
    before = settings._writing_validation_mode
    settings._writing_validation_mode = pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings._writing_validation_mode = before


def frame(dataset: Dataset, syntax: UID) -> bytes:
    """The only frame of an image, compressed; needs GDCM."""
    if syntax == RLELossless:
        from pydicom.pixels import get_encoder

        return bytes(get_encoder(RLELossless).encode(dataset, encoding_plugin="pydicom"))
    import gdcm

    kinds = {
        JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
    }
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "image.dcm"
        source.write_bytes(written(dataset))
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        if not reader.Read():
            raise ValueError("found an image that GDCM does not read, needed one to compress")
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise ValueError("found an image that GDCM does not compress, needed one")
        target = Path(folder) / "compressed.dcm"
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(target))
        writer.Write()
        from pydicom import dcmread
        from pydicom.encaps import generate_frames

        return next(generate_frames(dcmread(target).PixelData, number_of_frames=1))


def compressed(dataset: Dataset, content: bytes, offsets: bytes = b"") -> None:
    """Put a compressed frame into a dataset.

    Args:
        dataset: gets the Pixel Data.
        content: the frame.
        offsets: what stands in the Basic Offset Table.
    """
    even = content + bytes(len(content) % 2)
    if offsets:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(offsets)) + offsets
        dataset.PixelData = item + struct.pack("<HHI", 0xFFFE, 0xE000, len(even)) + even
    else:
        dataset.PixelData = encapsulate([even])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def commented(content: bytes, comment: bytes, syntax: UID) -> bytes:
    """A compressed frame with a comment where its format has a place for one."""
    if syntax == RLELossless:
        return content + bytes(len(content) % 2) + comment
    size = struct.pack(">H", len(comment) + 2)
    if syntax == JPEG2000Lossless:
        # behind SIZ, which follows the start of the codestream (ISO/IEC 15444-1 A.5); two bytes say that it is Latin
        end = 4 + struct.unpack_from(">H", content, 4)[0]
        body = b"\0\1" + comment
        return content[:end] + b"\xff\x64" + struct.pack(">H", len(body) + 2) + body + content[end:]
    return content[:2] + b"\xff\xe1" + size + comment + b"\xff\xfe" + size + comment + content[2:]
