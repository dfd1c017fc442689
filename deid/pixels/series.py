"""The pixels of a series: looked at for burned-in text and for a face, and cleaned of both.

Belongs here: the order of the steps and what is recorded of them. What text looks like is `deid.pixels.burned_in`, what
a face is `deid.faces.faces`; both see arrays only. Headers were cleaned before, file by file, by
`deid.headers.headers`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.faces import faces
from deid.headers import marks
from deid.headers.cleaned import Cleaned
from deid.headers.objects import kind_of
from deid.headers.treatment import Decision, standard_place
from deid.pixels import burned_in, frames, gate
from deid.pixels.frames import Frames
from deid.refusals import Refused
from deid.text.identifiers import Identifiers
from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.headers import HeaderReader
from imaging.headers.reading import read_header
from imaging.kinds.classify import Classification, classify
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import VolumePlan, plan
from schemas.policy import Found, Policy
from schemas.reasons import Reason

_PIXEL_DATA = 0x7FE00010
_PLACE = standard_place(_PIXEL_DATA)
_SOP_CLASS, _PHOTOMETRIC, _BITS_STORED, _HIGH_BIT = 0x00080016, 0x00280004, 0x00280101, 0x00280102
_BURNED_IN, _RECOGNIZABLE = 0x00280301, 0x00280302
_SURE = 0.7
"""Least confidence of a contrast or body part that exempts a series from judging faces; names alone give less."""
_CLEAN_PIXELS, _CLEAN_FACES = "113101", "113102"
"""CID 7050: Clean Pixel Data Option, Clean Recognizable Visual Features Option."""

Treated = list["Cleaned | Refused"]
_Claims = Callable[[bool, frozenset[str]], Iterable[tuple[int, bytes]]]


@dataclass
class _File:
    """A file on its way: its frames once they were read, and what was found in them."""

    cleaned: Cleaned
    frames: Frames | None = None
    changed: bool = False
    decisions: list[Decision] = field(default_factory=list)
    options: set[str] = field(default_factory=set)
    marks: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    refused: Refused | None = None

    def decide(self, rule: str, action: str, kind: str, detector: str, score: float | None = None) -> None:
        self.decisions.append(Decision(_PLACE, rule, action, kind, detector, score))

    def refuse(self, reason: Reason) -> None:
        self.refused = Refused(reason)

    def done(self, claims: "_Claims") -> Cleaned | Refused:
        if self.refused:
            return self.refused
        cleaned = self.cleaned
        if self.changed and self.frames is not None:
            cleaned = frames.put_back(cleaned, self.frames)
        claimed = claims(cleaned.private, frozenset(self.options)) if self.options else ()
        return cleaned.changed(self.marks, elements=claimed, decisions=self.decisions)


def treat(files: Sequence[Cleaned], identifiers: Identifiers, policy: Policy) -> Treated:
    """The files of one series with nothing in their pixels that names or shows a person, or why they may not pass.

    Args:
        files: cleaned files of one series, in any order; files without pixels to be looked at come back as they are.
        identifiers: of the subject, for what is read in the pixels.
        policy: says what becomes of text and faces.

    Returns:
        One for each file, in their order. A file whose pixels did not change keeps them byte for byte.
    """
    work = [_File(cleaned) for cleaned in files]
    looked_at = [file for file in work if _inspected(file.cleaned)]
    for file in looked_at:
        _read(file)
    for group in _alike(file for file in looked_at if not file.refused):
        _clean_text(group, identifiers, policy)
    _clean_faces([file for file in looked_at if not file.refused], policy)
    claims = cache(partial(marks.marks, policy))
    return [file.done(claims) for file in work]


def _inspected(cleaned: Cleaned) -> bool:
    kind = kind_of(cleaned.text(_SOP_CLASS))
    return kind is not None and kind.inspected


def _read(file: _File) -> None:
    try:
        stored = frames.read(file.cleaned)
    except Refused as refused:
        file.refused = refused
        return
    bits, high = (file.cleaned.short(tag) for tag in (_BITS_STORED, _HIGH_BIT))
    significant = gate.unused_bits(stored, bits, high) if stored.ndim == 3 and bits else stored
    file.changed = significant is not stored and not np.array_equal(significant, stored)
    file.frames = significant if file.changed else stored
    if file.changed:
        file.decide("unused-bits", "C", "binary", "value check")


def _alike(files: Iterable[_File]) -> Iterable[list[_File]]:
    """Files whose frames can be stacked."""
    groups: dict[Any, list[_File]] = defaultdict(list)
    for file in files:
        assert file.frames is not None, "read before"
        groups[(file.frames.shape[1:], file.frames.dtype, file.cleaned.text(_PHOTOMETRIC))].append(file)
    return groups.values()


def _clean_text(group: list[_File], identifiers: Identifiers, policy: Policy) -> None:
    """Blank what can be read in the frames of a group, or hold the group back."""
    suspicion = frozenset().union(*(file.cleaned.suspicion for file in group))
    stack = np.concatenate([file.frames for file in group if file.frames is not None])
    inspection = burned_in.inspect(stack, suspicion, identifiers)
    if inspection.verdict == "unsure" or (inspection.verdict == "text" and policy.burned_in is Found.HOLD):
        for file in group:
            file.refuse(Reason.BURNED_IN_SUSPECTED)
        return
    blank = burned_in.blank(stack, inspection, _background(stack, group[0].cleaned))
    at = 0
    for file in group:
        assert file.frames is not None, "read before"
        own, before = slice(at, at + len(file.frames)), file.frames
        at = own.stop
        if len(stack) > 1 and not inspection.single.isdisjoint(range(own.start, own.stop)):
            file.refuse(Reason.BURNED_IN_SUSPECTED)
            continue
        blanked = blank is not stack and not np.array_equal(blank[own], before)
        file.frames, file.changed = blank[own], file.changed or blanked
        file.options.add(_CLEAN_PIXELS)
        file.marks[_BURNED_IN] = ("CS", b"NO")
        detector, score = ("ocr", inspection.score) if blanked else ("lettering", None)
        file.decide("burned-in-text", "C" if blanked else "K", "text in pixels", detector, score)


def _background(frames: Frames, cleaned: Cleaned) -> int:
    """The stored value that looks black (PS3.3 C.7.6.3.1.2)."""
    return int(frames.max() if cleaned.text(_PHOTOMETRIC) == "MONOCHROME1" else frames.min())


def _clean_faces(files: list[_File], policy: Policy) -> None:
    """Take faces out of the volumes that a series makes, or hold its files back."""
    if policy.faces is Found.KEEP:
        return
    headers, members = _headers(files)
    volumes = plan(headers).volumes
    if volumes:
        judged = classify(headers)
    for volume in volumes:
        _clean_face(volume, members, headers, judged, policy)
    in_volumes = {id(members[i]) for volume in volumes for i in volume.members}
    # held back by the station of volumes; as single images they stay without a claim
    _decide([file for file in files if id(file) not in in_volumes], "face-unjudged", "K", "geometry")


def _headers(files: list[_File]) -> tuple[list[Header], list[_File]]:
    """Headers of the files that imaging can read; the others are held back there, not here."""
    headers, members = [], []
    reader = HeaderReader()
    for file in files:
        try:
            headers.append(reader.read(file.cleaned.data))
        except ImagingError:
            continue
        members.append(file)
    return headers, members


def _clean_face(
    planned: VolumePlan, files: list[_File], headers: list[Header], judged: Classification, policy: Policy
) -> None:
    own = [files[i] for i in planned.members]
    exempt = faces.exemption(judged.sure("contrast", _SURE), planned.kind, judged.sure("body_part", _SURE))
    if exempt:
        _decide(own, "face-exempt", "K", exempt)
        return
    try:
        before = assemble(planned, lambda i: _stored(files[i], headers[i]))
    except ImagingError:
        _decide(own, "face-unjudged", "K", "geometry")
        return
    image = before.array if before.array.ndim == 3 else before.array[..., 0]
    face = faces.judge(image, before.affine)
    if not face.shown:
        _decide(own, "face", "K", "geometry", recognizable=b"NO")
        return
    hidden = faces.mask(image, before.affine)
    after = np.where(hidden, image.min(), image)
    if policy.faces is Found.HOLD or not faces.verdict(image, after, before.affine):
        for file in own:
            file.refuse(Reason.FACE_SHOWN)
        return
    _blank(planned, files, headers, hidden)
    for file in own:
        file.options.add(_CLEAN_FACES)
    _decide(own, "face", "C", "geometry", recognizable=b"NO")


def _decide(files: list[_File], rule: str, action: str, detector: str, recognizable: bytes = b"") -> None:
    for file in files:
        file.decide(rule, action, "face", detector)
        if recognizable:
            file.marks[_RECOGNIZABLE] = ("CS", recognizable)


def _stored(file: _File, header: Header) -> NDArray[np.generic]:
    """Pixels as `imaging.volumes.normalize` wants them."""
    if not file.changed or file.frames is None:
        return stored_pixels(file.cleaned.data, header)
    changed = frames.put_back(file.cleaned, file.frames)
    return stored_pixels(changed.data, read_header(changed.data))


def _blank(planned: VolumePlan, files: list[_File], headers: list[Header], hidden: NDArray[np.bool_]) -> None:
    """Blank in the frames what is hidden in the volume.

    The volume is assembled once more of pixels that are their own numbers, so whatever way they took into it, each
    hidden voxel says which pixel it was.
    """
    plain = replace(planned, slopes=np.ones_like(planned.slopes), intercepts=np.zeros_like(planned.intercepts))
    starts: dict[int, tuple[int, tuple[int, ...]]] = {}
    count = 1  # zero is a missing slice
    for i in planned.members:
        own = files[i].frames
        assert own is not None, "read before"
        starts[i] = (count, own.shape)
        count += own.size
    numbers = assemble(plain, lambda i: _numbered(starts[i], headers[i])).array
    if numbers.ndim == 4:
        numbers, hidden = numbers.reshape(-1), np.repeat(hidden[..., None], numbers.shape[-1], axis=3).reshape(-1)
    chosen = np.sort(numbers[hidden])
    for i, (start, shape) in starts.items():
        low, high = np.searchsorted(chosen, [start, start + int(np.prod(shape))])
        if high > low:
            file = files[i]
            assert file.frames is not None, "read before"
            changed = np.array(file.frames)
            changed.reshape(-1)[chosen[low:high] - start] = _background(changed, file.cleaned)
            file.frames, file.changed = changed, True


def _numbered(start: tuple[int, tuple[int, ...]], header: Header) -> NDArray[np.int64]:
    from imaging.headers.frames import cut

    first, shape = start
    numbers = np.arange(first, first + int(np.prod(shape)), dtype=np.int64).reshape(shape)
    return np.asarray(cut(numbers if header.frames > 1 else numbers[0], header))
