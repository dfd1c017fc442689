"""Reading text in pictures, without the network: RapidOCR with the models that its package brings.

Belongs here: one engine a process, one thread, pictures in and boxes out. What is read, and what becomes of it, is
`deid.burned_in`. The engine is made when the first picture is read: it costs a second and 150 MB.
"""

from functools import cache
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(rows, columns), grey."""

_SIDE_STEP = 32
"""The detector works on multiples of this."""
_PIXEL_SCORE, _BOX_SCORE = 0.3, 0.4
"""Lower than usual: what is no text is sorted out by reading it."""


class Read(NamedTuple):
    """A box in a picture and what stands in it.

    Attributes:
        top, left, bottom, right: pixels of the picture; bottom and right are outside.
        text: what was read. It may name a person: it goes to detectors and nowhere else.
        score: how sure the reader is, 0 to 1.
    """

    top: int
    left: int
    bottom: int
    right: int
    text: str
    score: float

    def __repr__(self) -> str:
        """Never the text."""
        return f"Read({self.top}, {self.left}, {self.bottom}, {self.right}, score={self.score:.2f})"

    def shrunk(self, factor: float) -> "Read":
        """The same in a picture that was enlarged by a factor."""
        top, left = int(self.top // factor), int(self.left // factor)
        return self._replace(top=top, left=left, bottom=ceil(self.bottom / factor), right=ceil(self.right / factor))


@cache
def _engine() -> Any:
    """The engine of this process, with one thread as every worker has one core."""
    import cv2
    import onnxruntime
    from rapidocr_onnxruntime import RapidOCR

    onnxruntime.disable_telemetry_events()
    cv2.setNumThreads(1)
    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, det_box_thresh=_BOX_SCORE)
    engine.text_det.postprocess_op.box_thresh = _BOX_SCORE
    engine.text_det.postprocess_op.thresh = _PIXEL_SCORE
    return engine


def enlarged(picture: Picture, factor: float) -> Picture:
    """A picture with more pixels, for small letters."""
    import cv2

    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def detect(picture: Picture) -> list[NDArray[np.float32]]:
    """Where text may stand: (4, 2) corners x, y, clockwise from the upper left, in pixels of the picture."""
    from rapidocr_onnxruntime.ch_ppocr_det.utils import DetPreProcess

    engine = _engine()
    padded = _padded(picture)
    colour = np.repeat(padded[..., None], 3, axis=2)
    detector = engine.text_det
    # the package enlarges every picture to 736 pixels, which is slower by eight times and finds no more
    detector.get_preprocess = lambda _: DetPreProcess(min(padded.shape), "min", detector.mean, detector.std)
    boxes, _ = detector(colour)
    return [] if boxes is None else list(np.asarray(boxes, dtype=np.float32))


def recognize(picture: Picture, boxes: list[NDArray[np.float32]]) -> list[Read]:
    """What stands in each box of a picture."""
    if not boxes:
        return []
    engine = _engine()
    crops = engine.get_crop_img_list(np.repeat(picture[..., None], 3, axis=2), boxes)
    results, _ = engine.text_rec(crops)
    return [_read(box, picture.shape, text, float(score)) for box, (text, score) in zip(boxes, results, strict=True)]


def _read(box: NDArray[np.float32], shape: tuple[int, ...], text: str, score: float) -> Read:
    left, top = (int(side) for side in np.floor(box.min(axis=0)))
    right, bottom = (int(side) + 1 for side in np.ceil(box.max(axis=0)))
    return Read(max(top, 0), max(left, 0), min(bottom, shape[0]), min(right, shape[1]), text, score)


def _padded(picture: Picture) -> Picture:
    """The picture with sides that the detector need not change."""
    missing = [-side % _SIDE_STEP for side in picture.shape]
    return np.pad(picture, ((0, missing[0]), (0, missing[1])), mode="edge") if any(missing) else picture
