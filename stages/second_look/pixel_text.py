"""The second look at pixels: whether text can still be read in what station 2 put out.

Belongs here: which series are read again, and how their files become frames. Reading is `deid.pixels.burned_in`.
Reading takes a good part of a second, so it is done where there was something to blank, or where pixels come from a
screen.
"""

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.proof.certificate import BURNED_IN
from deid.text.identifiers import Identifiers
from imaging.volumes.decoding import decoded
from lake.zones import Lake
from schemas.tables import DECISIONS, INSTANCES

_SCREENS = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary capture (PS3.4 B.5); its multi-frame classes are below."""
AGAIN = frozenset({"looked at again"})
"""The suspicion that makes the reader thorough."""


def suspicious(lake: Lake, delivery: str) -> frozenset[str]:
    """Series whose output is read again."""
    decided = lake.table(DECISIONS).rows(["series", "rule", "action"], {"delivery": delivery})
    blanked = {row["series"] for row in decided if row["rule"] == BURNED_IN and row["action"] != "K"}
    kinds = lake.table(INSTANCES).rows(["series", "sop_class"], {"delivery": delivery})
    return frozenset(blanked | {row["series"] for row in kinds if row["sop_class"].startswith(_SCREENS)})


def shown(files: Sequence[bytes], identifiers: Identifiers) -> list[str]:
    """What kinds of text the pixels of a series' de-identified files still show; empty: nothing can be read.

    Args:
        files: of one series.
        identifiers: to tell what the text is; text that is none of them counts too.
    """
    from deid.pixels import burned_in  # the reader loads its networks, which most deliveries never need

    groups: dict[Any, list[NDArray[Any]]] = defaultdict(list)
    for data in files:
        frames = _frames(data)
        if frames is not None:
            groups[frames.shape[1:], frames.dtype].append(frames)
    found: set[str] = set()
    for stack in groups.values():
        inspection = burned_in.inspect(np.concatenate(stack), AGAIN, identifiers)
        if inspection.verdict != "clean":
            found |= {seen.kind for seen in inspection.seen} or {"unread text"}
    return sorted(found)


def _frames(data: bytes) -> NDArray[Any] | None:
    """Decoded frames, (n, rows, columns[, samples]); None where the object has none."""
    from pydicom import dcmread

    file = dcmread(io.BytesIO(data), stop_before_pixels=True)
    if "Rows" not in file:
        return None
    pixels = decoded(data, raw=False)
    return pixels if int(file.get("NumberOfFrames") or 1) > 1 else pixels[None]
