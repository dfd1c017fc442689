"""What compressed frames state of their own size, read without decoding them.

Belongs here: refusing what a decoder would make room for in vain. Decoders trust the size that a codestream states and
allocate it before they find out whether there are pixels, so that a few bytes can ask for gigabytes. Decoding is
`imaging.volumes.pixels`; taking out of a codestream what is no image is `deid.pixels.codestreams`.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, RLELossless

from imaging.errors import ImagingError
from schemas.reasons import Reason

MOST_SAMPLES = 1 << 26
"""Samples of a frame that are decoded at most: 8192 x 8192 grey pixels, four times the largest matrix of a scanner."""
MOST_BYTES = 1 << 31
"""Bytes of all frames of an instance that are decoded at most, so that a small file cannot fill the memory."""
MOST_TILES = 4096
"""Tiles of a JPEG 2000 frame: decoders keep some ten thousand bytes for each before the first is read."""
MOST_RUNS = 1 << 28
"""Bytes that the run lengths of a plane may give before they are counted: 64 for each of theirs."""

_RLE = str(RLELossless)
_HIGH_THROUGHPUT = frozenset(f"1.2.840.10008.1.2.4.20{number}" for number in (1, 2, 3))
_JPEG_2000 = frozenset(map(str, JPEG2000TransferSyntaxes)) | _HIGH_THROUGHPUT
_CHECKED = frozenset(map(str, (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)))
"""Syntaxes that GDCM alone decodes, which ends the process over some frames that are damaged."""
_SOI, _SOS, _EOI, _TABLES = 0xD8, 0xDA, 0xD9, 0xC4
_SIZED = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
"""Markers whose segment states a size: start of frame of JPEG (ISO/IEC 10918-1 B.2.2) and JPEG-LS (14495-1 C.2.2)."""
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a segment."""
_SEGMENTS = _SIZED | {_TABLES, 0xCC, _SOS, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker that ends entropy-coded data: any but a stuffed byte, a fill byte and a restart."""
_CLASSES, _PLACES, _CODE_BITS, _MOST_CODES, _PRECISION = 2, 4, 16, 256, 16
"""Classes, places, longest code and codes of a Huffman table (ISO/IEC 10918-1 B.2.4.2); bits of a sample."""
_CODESTREAM = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 codestream, and of the segment of its size (ISO/IEC 15444-1 A.5.1)."""
_BOXED = b"\0\0\0\x0cjP  "
_RLE_HEADER, _RLE_SEGMENTS, _RLE_NOTHING = 64, 15, 128


@dataclass(frozen=True, slots=True)
class Matrix:
    """The size that a header states.

    Attributes:
        frames: Number of Frames (0028,0008).
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        samples: Samples per Pixel (0028,0002).
        bits: Bits Allocated (0028,0100).
    """

    frames: int
    rows: int
    columns: int
    samples: int
    bits: int

    def require_moderate(self) -> None:
        """Refuse a matrix that no image has.

        Raises:
            ImagingError: PIXELS_INVALID where one of the sizes is not positive, UNSUPPORTED where there are more than
                `MOST_SAMPLES` in a frame or `MOST_BYTES` in all.
        """
        if min(self.frames, self.rows, self.columns, self.samples, self.bits) < 1:
            raise ImagingError(Reason.PIXELS_INVALID, "found a matrix without pixels, needed rows, columns and frames")
        samples = self.rows * self.columns * self.samples
        if samples > MOST_SAMPLES or self.frames * samples * self.bits > 8 * MOST_BYTES:
            raise ImagingError(
                Reason.UNSUPPORTED,
                f"found frames of over {MOST_SAMPLES} samples, or {MOST_BYTES} bytes in all, needed fewer: "
                "split the instance",
            )


def require_decodable(pixels: bytes, syntax: str, matrix: Matrix, offsets: tuple[bytes, bytes] | None = None) -> None:
    """Refuse compressed pixel data that state another size than the header, or more than any image has.

    Args:
        pixels: the value of Pixel Data: an offset table and fragments, each an item.
        syntax: UID of the transfer syntax.
        matrix: what the header states.
        offsets: Extended Offset Table (7FE0,0001) and its lengths (7FE0,0002), where they are there.

    Raises:
        ImagingError: UNSUPPORTED as `Matrix.require_moderate`; PIXELS_INVALID where there are fewer frames than stated,
            or a frame is of another size, or none of its syntax.
    """
    matrix.require_moderate()
    require_frames(_frames(pixels, matrix.frames, offsets), syntax, matrix)


def require_frames(frames: Iterable[bytes], syntax: str, matrix: Matrix) -> None:
    """As `require_decodable`, of frames that were taken apart already."""
    found = 0
    for frame in frames:
        found += 1
        try:
            fits = _fits(frame, syntax, matrix)
        except (IndexError, struct.error):
            raise _invalid("found a compressed frame that ends inside its header") from None
        if not fits:
            raise _invalid("found a compressed frame of another kind or size than the header states")
    if found < matrix.frames:
        raise _invalid("found fewer compressed frames than the header states")


def _frames(pixels: bytes, number: int, offsets: tuple[bytes, bytes] | None) -> Iterator[bytes]:
    """The frames as pydicom's decoders get them."""
    try:
        yield from generate_frames(pixels, number_of_frames=number, extended_offsets=offsets)
    except (EOFError, ValueError, struct.error):
        raise _invalid("found compressed frames that do not come apart") from None


def _fits(frame: bytes, syntax: str, matrix: Matrix) -> bool:
    if syntax == _RLE:
        return _fits_runs(frame, matrix)
    stated = _jpeg_2000_size(frame) if syntax in _JPEG_2000 else _jpeg_size(frame)
    return stated == (matrix.rows, matrix.columns, matrix.samples) and (syntax not in _CHECKED or _is_sound(frame))


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    """Rows, columns, samples of the segments before the first scan; None where they contradict each other."""
    if frame[:2] != bytes((0xFF, _SOI)):
        return None
    sizes: set[tuple[int, int, int]] = set()
    at = 2
    while True:
        at = frame.find(b"\xff", at)
        if at < 0:
            return None
        while frame[at] == 0xFF:  # bytes between segments, and fill bytes, are passed over as decoders do
            at += 1
        marker = frame[at]
        if marker in (_SOS, _EOI):
            return sizes.pop() if len(sizes) == 1 else None
        at += 1
        if marker == 0 or marker in _BARE:
            continue
        (length,) = struct.unpack_from(">H", frame, at)
        if marker in _SIZED:
            sizes.add(struct.unpack_from(">HHB", frame, at + 3))
        at += length


def _is_sound(frame: bytes) -> bool:
    """Whether a JPEG frame is made of whole segments that may stand there; one that ends early is left to the decoder.

    Source: ISO/IEC 10918-1 Annex B.
    """
    at = 2
    while at + 2 <= len(frame):
        marker = frame[at + 1]
        if frame[at] == marker == 0xFF:
            at += 1
            continue
        if frame[at] != 0xFF or (marker != _EOI and marker not in _SEGMENTS):
            return False
        if marker == _EOI:
            return True
        (length,) = struct.unpack_from(">H", frame, at + 2)
        body, at = frame[at + 4 : at + 2 + length], at + 2 + length
        if at > len(frame) or (marker in _SIZED and body[0] > _PRECISION):
            return False
        if marker == _TABLES and not _are_tables(body):
            return False
        if marker == _SOS:
            found = _SCAN_END.search(frame, at)
            at = found.start() if found else len(frame)
    return True


def _are_tables(body: bytes) -> bool:
    """Whether these are Huffman tables, each of codes that can be."""
    at = 0
    while at < len(body):
        counts = body[at + 1 : at + 1 + _CODE_BITS]
        if body[at] >> 4 >= _CLASSES or body[at] & 0xF >= _PLACES or sum(counts) > _MOST_CODES:
            return False
        room = 1
        for count in counts:
            room = room * 2 - count
            if room < 0:
                return False
        at += 1 + _CODE_BITS + sum(counts)
    return at == len(body)


def _jpeg_2000_size(frame: bytes) -> tuple[int, int, int] | None:
    start = _boxed_codestream(frame) if frame.startswith(_BOXED) else 0
    if frame[start : start + 4] != _CODESTREAM:
        return None
    right, low, left, top, width, height, tiles_left, tiles_top, samples = struct.unpack_from(">8IH", frame, start + 8)
    if not width or not height:
        return None
    tiles = -(-(right - tiles_left) // width) * -(-(low - tiles_top) // height)
    return (low - top, right - left, samples) if 0 < tiles <= MOST_TILES else None


def _boxed_codestream(frame: bytes) -> int:
    """Where the codestream of a JP2 file starts (ISO/IEC 15444-1 I.4); some writers leave it in its boxes."""
    at = 0
    while True:
        length, kind = struct.unpack_from(">I4s", frame, at)
        if kind == b"jp2c":
            return at + (16 if length == 1 else 8)
        if length < 8:
            return len(frame)
        at += length


def _fits_runs(frame: bytes, matrix: Matrix) -> bool:
    """Whether run lengths give about a frame (PS3.5 Annex G).

    Two bytes give at most 128. A frame with a run for each pixel takes two bytes a pixel, and what is longer holds more
    than one; where as many bytes as there are could still give too much, they are counted.
    """
    planes = matrix.samples * (-(-matrix.bits // 8))
    samples = matrix.rows * matrix.columns
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != planes or planes > _RLE_SEGMENTS or len(frame) > _RLE_HEADER * planes + 2 * planes * samples:
        return False
    if len(frame) * 64 <= MOST_RUNS:
        return True
    ends = [*offsets[1:count], len(frame)]
    return all(_runs(frame, at, end, 2 * samples) for at, end in zip(offsets[:count], ends, strict=True))


def _runs(frame: bytes, at: int, end: int, most: int) -> bool:
    """Whether a segment gives at most so many bytes."""
    made = 0
    while at < end and made <= most:
        code = frame[at]
        if code < _RLE_NOTHING:
            made, at = made + code + 1, at + code + 2
        elif code > _RLE_NOTHING:
            made, at = made + 257 - code, at + 2
        else:
            at += 1
    return made <= most


def _invalid(found: str) -> ImagingError:
    return ImagingError(Reason.PIXELS_INVALID, f"{found}, needed frames that match it")
