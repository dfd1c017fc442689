"""Pixel Data on its way through: carried byte for byte, without anything that is not pixels.

Belongs here: lengths and item structure. What a compressed frame holds beside its image is `deid.pixels.codestreams`.
Nothing here decodes or changes a pixel.
"""

import struct

from deid.headers.encoding import SEQUENCE_END, pixel_header
from deid.headers.objects import FLOATING, PIXEL_DATA
from deid.pixels.codestreams import bare
from deid.refusals import Refused
from schemas.reasons import Reason

_ROWS, _COLUMNS, _SAMPLES, _FRAMES, _BITS = 0x00280010, 0x00280011, 0x00280002, 0x00280008, 0x00280100
_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
_ITEM_HEADER = 8
_WORD = 8
_CODESTREAM_STARTS = (b"\xff\xd8", b"\xff\x4f")
"""Of JPEG and JPEG-LS, and of JPEG 2000."""


def native(top: dict[int, bytes], pixels: bytes, tag: int = PIXEL_DATA) -> tuple[list[bytes], bool]:
    """Uncompressed Pixel Data as pieces of an element, and whether bytes behind the last pixel were cut off.

    Args:
        top: values of the header's top level by tag.
        pixels: the value, little endian.
        tag: of the element.

    Raises:
        Refused: `header_invalid` if the header does not say how many pixels there are, `pixels_invalid` if there are
            fewer.
    """
    try:
        rows, columns, bits = (struct.unpack("<H", top[tag])[0] for tag in (_ROWS, _COLUMNS, _BITS))
        samples = struct.unpack("<H", top.get(_SAMPLES) or b"\1\0")[0]
        frames = int(top.get(_FRAMES, b"").strip(b" \0") or 1)
    except (KeyError, ValueError, struct.error):
        raise Refused(Reason.HEADER_INVALID) from None
    expected = (rows * columns * samples * frames * bits + 7) // 8  # frames of one bit are not padded to bytes
    if not 0 < expected <= len(pixels):
        raise Refused(Reason.PIXELS_INVALID)
    padded = expected + expected % 2
    representation = FLOATING.get(tag, "OW" if bits > _WORD else "OB")
    header = pixel_header(representation, padded, encapsulated=False, tag=tag)
    pieces = [header, pixels[:expected], bytes(padded - expected)]
    return pieces, any(pixels[expected:])


def encapsulated(top: dict[int, bytes], pixels: bytes, syntax: str) -> tuple[list[bytes], bool]:
    """Compressed Pixel Data as pieces of an element, and whether anything but images was taken out of it.

    Args:
        top: values of the header's top level by tag.
        pixels: the value: an offset table and fragments, each an item.
        syntax: UID of the transfer syntax.

    Raises:
        Refused: `pixels_invalid` if it is anything but items one after the other with codestreams in them,
            `unsupported` if the codestreams are of a kind that is not known.
    """
    pixels = bytes(pixels)
    items = _items(pixels)
    try:
        samples = struct.unpack("<H", top[_ROWS])[0] * struct.unpack("<H", top[_COLUMNS])[0]
        count = int(top.get(_FRAMES, b"").strip(b" \0") or 1)
    except (KeyError, ValueError, struct.error):
        raise Refused(Reason.HEADER_INVALID) from None
    frames = _frames(items, count)
    images = [bare(frame, syntax, samples) for frame in frames]
    offsets = {struct.pack(f"<{len(p)}I", *p) for p in _starts(items, frames)}
    if images == frames and items[0] in offsets:
        return [pixel_header("OB", 0, encapsulated=True), pixels, SEQUENCE_END], False
    # an empty offset table and one fragment a frame are always right (PS3.5 A.4)
    pieces = [pixel_header("OB", 0, encapsulated=True), _item(b""), *(_item(image) for image in images), SEQUENCE_END]
    return pieces, True


def _items(pixels: bytes) -> list[bytes]:
    items, at = [], 0
    while at < len(pixels):
        if pixels[at : at + 4] != _ITEM or at + _ITEM_HEADER > len(pixels):
            raise Refused(Reason.PIXELS_INVALID)
        end = at + _ITEM_HEADER + struct.unpack_from("<I", pixels, at + 4)[0]
        items.append(pixels[at + _ITEM_HEADER : end])
        at = end
    if at != len(pixels) or len(items) <= 1:
        raise Refused(Reason.PIXELS_INVALID)
    return items


def _frames(items: list[bytes], count: int) -> list[bytes]:
    """Whole frames: a fragment each, or all fragments of the only one, or as the starts of codestreams divide them."""
    fragments = items[1:]
    if len(fragments) == count:
        return fragments
    if count == 1:
        return [b"".join(fragments)]
    frames: list[list[bytes]] = []
    for fragment in fragments:
        if fragment[:2] in _CODESTREAM_STARTS or not frames:
            frames.append([])
        frames[-1].append(fragment)
    if len(frames) != count:
        raise Refused(Reason.PIXELS_INVALID)
    return [b"".join(frame) for frame in frames]


def _starts(items: list[bytes], frames: list[bytes]) -> tuple[list[int], ...]:
    """What the offset table may say: nothing, or where each frame starts, counted from the first fragment's item."""
    starts, at, fragments = [], 0, iter(items[1:])
    for frame in frames:
        starts.append(at)
        length = 0
        while length < len(frame):
            fragment = next(fragments)
            length += len(fragment)
            at += _ITEM_HEADER + len(fragment)
    return [], starts


def _item(content: bytes) -> bytes:
    even = content + bytes(len(content) % 2)
    return _ITEM + struct.pack("<I", len(even)) + even
