"""Compressed frames without anything but the image: no comments, application data, or bytes before and behind.

Belongs here: the outer structure of codestreams. Nothing is decoded, and the entropy-coded data stays byte for byte.
How frames lie in Pixel Data is `deid.pixels.pixels`.
"""

import re
import struct

from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, RLELossless

from deid.refusals import Refused
from schemas.reasons import Reason

_JPEG = frozenset(f"1.2.840.10008.1.2.4.{process}" for process in range(50, 71))
"""ISO/IEC 10918-1 in all its processes, retired ones included."""
_JPEG_LS = frozenset(map(str, JPEGLSTransferSyntaxes))
_JPEG_2000 = frozenset(map(str, JPEG2000TransferSyntaxes))
_RLE = str(RLELossless)

_SCAN_END = {False: re.compile(rb"\xff[^\x00\xd0-\xd7\xff]"), True: re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")}
"""A marker that ends a scan, in JPEG (ISO/IEC 10918-1 B.1.1.5) and, where `ff` may precede seven bits, in JPEG-LS."""
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_OF_IMAGE = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD, 0xF7, 0xF8})
_OF_OTHERS = frozenset({*range(0xE0, 0xF0), 0xFE})
_COLOUR = {(0xE0, b"JFIF\0"): 16, (0xEE, b"Adobe"): 14, (0xE8, b"mrfx"): 7}
"""Application segments that say how colours are coded, and the only length they have without anything else."""

_SOC, _SOT, _SOD, _EOC, _COM = b"\xff\x4f", b"\xff\x90", b"\xff\x93", b"\xff\xd9", b"\xff\x64"
_TILE_LENGTH = 6
"""Place of Psot behind the start of SOT (ISO/IEC 15444-1 A.4.2)."""
_ENCODER = re.compile(rb"\x00\x01(?:Created by (?:GDCM/)?OpenJPEG version |Kakadu-v)\d{1,2}(?:\.\d{1,2}){0,2}")
"""What encoders write of themselves; a file with nothing else stays byte for byte."""
_RLE_HEADER, _RLE_SEGMENTS, _RLE_NOTHING = 64, 15, 128


def bare(frame: bytes, syntax: str, samples: int) -> bytes:
    """A frame without what is no image; the same bytes where there is nothing else.

    Args:
        frame: a whole compressed frame.
        syntax: UID of its transfer syntax.
        samples: pixels of a frame, for run lengths.

    Raises:
        Refused: `pixels_invalid` if it is no codestream of its syntax, `unsupported` for other syntaxes.
    """
    try:
        if syntax == _RLE:
            clean = _run_lengths(frame, samples)
        elif syntax in _JPEG_2000:
            clean = _jpeg_2000(frame)
        elif syntax in _JPEG or syntax in _JPEG_LS:
            clean = _jpeg(frame, syntax in _JPEG_LS)
        else:
            raise Refused(Reason.UNSUPPORTED)
    except (IndexError, struct.error):
        raise Refused(Reason.PIXELS_INVALID) from None
    padded = frame[: len(clean)] == clean and len(frame) - len(clean) <= 1 and not any(frame[len(clean) :])
    return frame if padded else clean


def _jpeg(frame: bytes, low: bool) -> bytes:
    """Segments of ISO/IEC 10918-1 Annex B and 14495-1 Annex C."""
    if frame[:2] != b"\xff\xd8":
        raise Refused(Reason.PIXELS_INVALID)
    kept, at = [frame[:2]], 2
    while at < len(frame):
        while frame[at] == 0xFF and frame[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = frame[at + 1]
        if frame[at] != 0xFF or marker == _START:
            raise Refused(Reason.PIXELS_INVALID)
        if marker == _END:
            kept.append(frame[at : at + 2])
            break
        length = struct.unpack_from(">H", frame, at + 2)[0]
        end = at + 2 + length
        if marker == _SCAN:
            found = _SCAN_END[low].search(frame, end)
            end = found.start() if found else len(frame)
        if _stays(marker, frame[at + 4 : at + 9], length):
            kept.append(frame[at:end])
        at = end
    return b"".join(kept)


def _stays(marker: int, start: bytes, length: int) -> bool:
    if marker in _OF_IMAGE or marker == _SCAN:
        return True
    if marker not in _OF_OTHERS:
        raise Refused(Reason.PIXELS_INVALID)
    return any(marker == m and start.startswith(name) and length == own for (m, name), own in _COLOUR.items())


def _jpeg_2000(frame: bytes) -> bytes:
    """Marker segments of ISO/IEC 15444-1 Annex A."""
    if frame[:2] != _SOC:
        raise Refused(Reason.PIXELS_INVALID)
    header, at = _without_comments(frame, 2, _SOT)
    kept = [_SOC, header]
    while frame[at : at + 2] == _SOT:
        length = struct.unpack_from(">I", frame, at + _TILE_LENGTH)[0]
        tile, body = _without_comments(frame, at, _SOD)
        end = at + length if length else frame.rfind(_EOC)  # the last part may leave its length out
        if not body <= end <= len(frame):
            raise Refused(Reason.PIXELS_INVALID)
        if length:
            shorter = struct.pack(">I", length - (body - at - len(tile)))
            tile = tile[:_TILE_LENGTH] + shorter + tile[_TILE_LENGTH + 4 :]
        kept.extend((tile, frame[body:end]))
        at = end
    return b"".join([*kept, _EOC])


def _without_comments(frame: bytes, at: int, last: bytes) -> tuple[bytes, int]:
    """Marker segments up to a marker, comments left out, and the place of that marker."""
    kept = []
    while (marker := frame[at : at + 2]) != last:
        if len(marker) < 2 or marker[0] != 0xFF:
            raise Refused(Reason.PIXELS_INVALID)
        end = at + 2 + struct.unpack_from(">H", frame, at + 2)[0]
        if marker != _COM or _ENCODER.fullmatch(frame, at + 4, end):
            kept.append(frame[at:end])
        at = end
    return b"".join(kept), at


def _run_lengths(frame: bytes, samples: int) -> bytes:
    """Segments of PS3.5 Annex G, cut where they have given a byte for each sample."""
    count, *offsets = struct.unpack_from("<16I", frame)
    if not 0 < count <= _RLE_SEGMENTS:
        raise Refused(Reason.PIXELS_INVALID)
    segments, places, at = [], [], _RLE_HEADER
    for offset in offsets[:count]:
        segment = frame[offset : _segment_end(frame, offset, samples)]
        segment += bytes(len(segment) % 2)
        segments.append(segment)
        places.append(at)
        at += len(segment)
    header = struct.pack("<16I", count, *places, *[0] * (_RLE_SEGMENTS - count))
    return b"".join([header, *segments])


def _segment_end(frame: bytes, at: int, samples: int) -> int:
    made = 0
    while made < samples:
        code = frame[at]
        if code < _RLE_NOTHING:
            made, at = made + code + 1, at + code + 2
        elif code > _RLE_NOTHING:
            made, at = made + 257 - code, at + 2
        else:
            at += 1
    if at > len(frame):
        raise Refused(Reason.PIXELS_INVALID)
    return at
