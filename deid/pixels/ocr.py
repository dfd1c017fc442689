"""Reading text, without the network: RapidOCR's reader with the model that its package brings.

Belongs here: one engine a process, one thread, small pictures of one line in and text out. Where text may stand is
`deid.pixels.lettering`; what becomes of it is `deid.pixels.burned_in`. The engine is made when the first picture is
read.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(rows, columns), grey."""

_SMALLEST = (48, 96)
"""Rows to which a picture is scaled, and least columns; the package pads every picture to 320, which takes longer."""


class Read(NamedTuple):
    """What stands in a picture.

    Attributes:
        text: what was read. It may name a person: it goes to detectors and nowhere else.
        score: how sure the reader is, 0 to 1.
    """

    text: str
    score: float

    def __repr__(self) -> str:
        """Never the text."""
        return f"Read(score={self.score:.2f})"


def read(pictures: Sequence[Picture]) -> list[Read]:
    """What stands in each picture of a line of text."""
    if not pictures:
        return []
    results, _ = _engine().text_rec([np.repeat(picture[..., None], 3, axis=2) for picture in pictures])
    return [Read(text, float(score)) for text, score in results]


@cache
def _engine() -> Any:
    """The engine of this process, with one thread as every worker has one core."""
    import cv2
    import onnxruntime
    from rapidocr_onnxruntime import RapidOCR

    onnxruntime.disable_telemetry_events()
    cv2.setNumThreads(1)
    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, rec_batch_num=1)
    engine.text_rec.rec_image_shape = [3, *_SMALLEST]
    return engine
