"""The headers of many instances, each repeated thing read once.

Belongs here: remembering. What a header is and how one is read is `imaging.headers.reading`.
"""

from collections.abc import Hashable
from typing import Any

from imaging.headers.flat import OWN, own, pixel_place
from imaging.headers.header import Header
from imaging.headers.patterns import Patterns
from imaging.headers.reading import Frames, header_of, repeats, wanted

MOST = 4096
"""Headers remembered: a series has one for each weighting or echo, and deliveries come series by series."""
LARGEST = 1 << 17
"""Elements of more bytes than this are no series' header, and are not remembered."""


class HeaderReader:
    """Reads headers, remembering those that repeat but for what is a slice's own; one for each process."""

    def __init__(self) -> None:
        """Make a reader that has seen nothing."""
        self._patterns = Patterns(wanted, OWN)
        self._frames = Frames()
        self._seen: dict[Hashable, dict[str, Any]] = {}

    def read(self, data: bytes) -> Header:
        """The header of a DICOM file, the same as `imaging.headers.reading.read_header` gives.

        Args:
            data: the whole file; pixel data may be missing from a copy that holds the header alone.

        Raises:
            ImagingError: as `imaging.headers.reading.read_header`.
        """
        elements = self._patterns.read(data)
        shared = repeats(elements)
        if shared is None:
            return header_of(elements, self._frames)
        layout = elements.layout
        key = (layout.implicit, layout.little, shared)
        known = self._seen.get(key)
        if known is not None:
            return Header.of(known | own(elements.values, layout) | pixel_place(elements))
        header = header_of(elements)
        if sum(map(len, elements.values.values())) > LARGEST:
            return header
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[key] = vars(header).copy()
        return header
