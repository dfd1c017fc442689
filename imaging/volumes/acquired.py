"""From what the slices of a volume state to how the volume was acquired.

Belongs here: what follows for a whole volume, but for the times of its slices (`imaging.volumes.slice_times`). Which
element states what is `imaging.headers.scanned` and `imaging.headers.reading`; the facts themselves are
`imaging.volumes.acquisition`. What nothing states is None, never a guess.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from imaging.headers.coils import coil_number
from imaging.headers.header import Header
from imaging.volumes.acquisition import CHEMISTRY, Acquisition
from imaging.volumes.slice_times import Places, is_echo_planar, slice_times


def acquisition_of(steps: Sequence[Sequence[Header]], places: Places, tiles: Places, depth: int) -> Acquisition:
    """What the slices of a volume state, along its columns (i), rows (j) and slices (k).

    Args:
        steps: the slices of each step.
        places: place along the stack of each slice, the same in every step.
        tiles: which slice of its instance each slice of the first step is.
        depth: slices of the stack, missing ones counted.
    """
    first, headers = steps[0][0], [header for step in steps for header in step]
    coil = _common(header.scanned.coil for header in headers)
    return Acquisition(
        slice_times=slice_times(steps, places, tiles) if len(places) == depth else None,
        phase_encoding=phase_encoding(first),
        readout_time=readout_time(first),
        step_kinds=_step_kinds(steps),
        chemistry=chemistry_of(first),
        coil=coil if coil_number(coil or "") else None,
        echo_time=_common(header.echo_time for header in headers),
        inversion_time=_common(header.inversion_time for header in headers),
        flip_angle=_common(header.flip_angle for header in headers),
        repetition_time=_common(header.repetition_time for header in headers),
    )


def _common(values: Iterable[Any]) -> Any:
    """The one value there is, or None."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def phase_encoding(header: Header) -> str | None:
    """Direction of phase encoding along columns (i) and rows (j) of the image; None where its polarity is unknown."""
    stated = header.scanned
    if not stated.phase_sign or not stated.phase_axis:
        return None
    return ("j" if stated.phase_axis == "COL" else "i") + ("" if stated.phase_sign > 0 else "-")


def readout_time(header: Header) -> float | None:
    """Total read-out time in s, in FSL's definition: from the middle of the first line to that of the last.

    Siemens states the bandwidth of a reconstructed pixel, so that n pixels were read in (n - 1) / (bandwidth n). For GE
    it is the time from pixel to pixel, n - 1 times: an interpolated image is shifted by more of its smaller pixels.

    Source: BIDS 1.10, TotalReadoutTime; dcm2niix, notes on Siemens and GE, and pull request 725.
    """
    if not is_echo_planar(header):
        return None
    stated = header.scanned
    lines = header.rows if stated.phase_axis == "COL" else header.columns if stated.phase_axis else 0
    if lines < 2:
        return None
    if stated.echo_spacing:
        return round((lines - 1) * stated.echo_spacing, 9)
    return round((lines - 1) / (stated.bandwidth * lines), 9) if stated.bandwidth else None


def chemistry_of(header: Header) -> str | None:
    """water, fat, in-phase, out-of-phase or fat-fraction; None where Image Type does not say, or says two.

    Short words are taken of Philips alone, unless another word says that the image is Dixon's.
    """
    words = set(header.image_type[2:])
    if header.vendor != "philips" and "DIXON" not in words:
        words = {word for word in words if len(word) > 3 or word == "FAT"}
    found = [name for name, known in CHEMISTRY.items() if words & known]
    return found[0] if len(found) == 1 else None


def _step_kinds(steps: Sequence[Sequence[Header]]) -> tuple[str, ...] | None:
    labels = [_common(header.scanned.label for header in step) for step in steps]
    if all(labels):
        return tuple(labels)
    times = [_common(header.inversion_time for header in step) for step in steps]
    if None in times or len(set(times)) < 2:
        return None
    return tuple(f"inversion {time:g} ms" for time in times)
