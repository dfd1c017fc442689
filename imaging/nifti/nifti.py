"""NIfTI in and out, without loss of a voxel and without free text.

Belongs here: NIfTI-1 single files. Free-text header fields (description, intent name, auxiliary file, extensions) are
neither read nor written, because people put names and dates into them. What files beside an image say of it is
`imaging.nifti.sidecar`.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.volumes.geometry import Canonical, canonical
from imaging.volumes.order import x_fastest
from imaging.volumes.volume import Volume
from schemas.reasons import Reason

DESCRIPTION = b"Larmor"
GZIP_MAGIC = b"\x1f\x8b"
MAX_UNPACKED = 1 << 33
"""Largest NIfTI that is unpacked."""
MAX_RATIO = 1032
"""What deflate packs at most into a byte (zlib, "Technical Details"): a file that states more voxels is not whole."""
MAX_BEHIND = 1 << 20
"""Bytes behind the last voxel that are read over."""

_SPACE_BITS, _TIME_BITS = 0x07, 0x38
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
"""NIfTI's codes of units (nifti1.h, xyzt_units); length is millimetres where it is not stated."""
_SCANNER = 1
"""NIfTI's code for scanner coordinates."""


def read(source: bytes | Path) -> Volume:
    """A NIfTI image as a volume in RAS+ axes.

    Args:
        source: the file's bytes, or where it is; `.nii` or gzipped.

    Returns:
        The volume: stored voxels permuted and flipped only, slope and intercept as the header states, millimetres. A
        4D image is of kind dynamic, with times where the header states step and unit.

    Raises:
        ImagingError: UNREADABLE or TRUNCATED where the bytes are no whole NIfTI-1 or -2 file, HEADER_INVALID where
            the header contradicts itself or gives no orientation, UNSUPPORTED for colour, complex or more than four
            axes.
    """
    return opened(source)[0]


def opened(source: bytes | Path) -> tuple[Volume, Canonical]:
    """A NIfTI image as `read` gives it, and how its axes were permuted and flipped to become RAS+.

    Args:
        source: the file's bytes, or where it is.

    Raises:
        ImagingError: as `read`.
    """
    image = _open(unpacked(source.read_bytes() if isinstance(source, Path) else source))
    header: Any = image.header  # nibabel carries no types here
    if not (int(header["sform_code"]) or int(header["qform_code"])):
        raise ImagingError(Reason.HEADER_INVALID, "found neither sform nor qform in the NIfTI header, needed one")
    shape = _shape(image.shape)
    units = int(header["xyzt_units"])
    if units & _SPACE_BITS not in _MILLIMETRES:
        raise ImagingError(Reason.HEADER_INVALID, "found a unit of length that NIfTI does not know, needed mm")
    scale = np.diag([_MILLIMETRES[units & _SPACE_BITS]] * 3 + [1.0])
    affine = scale @ np.asarray(image.affine, dtype=np.float64)
    moved = canonical(affine, shape)
    stored = _stored(image).reshape(shape)
    proxy: Any = image.dataobj
    volume = Volume(
        array=np.ascontiguousarray(moved.apply(stored)),
        affine=moved.affine,
        slope=float(proxy.slope),
        intercept=float(proxy.inter),
        kind="static" if len(shape) == 3 else "dynamic",
        times=_times(header, shape, units & _TIME_BITS),
    )
    return volume, moved


def write(volume: Volume, path: Path | None = None) -> bytes:
    """A volume as NIfTI-1.

    Args:
        volume: the volume; its voxels are written as stored, with slope and intercept in the header.
        path: where to write it; a name that ends in `.gz` is gzipped. None: nowhere.

    Returns:
        The bytes of the file, the same for the same volume; of the header alone where it was written unpacked.

    Raises:
        ImagingError: UNSUPPORTED where an axis has more voxels than NIfTI-1 can state.
    """
    head, voxels = _header(volume), x_fastest(volume.array)
    if path is not None and not path.name.endswith(".gz"):
        with path.open("wb") as file:
            file.write(head)
            file.write(voxels.T.data)
        return head
    data = head + voxels.tobytes("F")
    if path is not None:
        data = gzip.compress(data, mtime=0)
        path.write_bytes(data)
    return data


def _header(volume: Volume) -> bytes:
    """The 348 bytes of NIfTI-1's header, and four that say that no extension follows."""
    if max(volume.shape) > np.iinfo(np.int16).max:
        raise ImagingError(Reason.UNSUPPORTED, f"found {max(volume.shape)} voxels along an axis, NIfTI-1 states 32767")
    header: Any = nib.Nifti1Header()
    header.set_data_dtype(volume.array.dtype)
    header.set_data_shape(volume.shape)
    header.set_sform(volume.affine, code=_SCANNER)
    header.set_qform(volume.affine, code=_SCANNER)
    header.set_xyzt_units("mm", "sec")
    header["vox_offset"], header["magic"] = len(header.binaryblock) + len(_NO_EXTENSION), b"n+1"
    # not by nibabel's setter, which takes them for what it does to the voxels
    header["scl_slope"], header["scl_inter"] = volume.slope, volume.intercept
    header["descrip"] = DESCRIPTION
    if volume.steps > 1:
        # zero: not stated
        header["pixdim"][4] = 0 if volume.times is None else (volume.times[-1] - volume.times[0]) / (volume.steps - 1)
    return bytes(header.binaryblock) + _NO_EXTENSION


_NO_EXTENSION = bytes(4)


def unpacked(data: bytes) -> bytes:
    """The bytes of a NIfTI image that may be gzipped; no more of them than its header states.

    Raises:
        ImagingError: UNREADABLE, TRUNCATED or HEADER_INVALID as `read`, UNSUPPORTED where there are more bytes than
            `MAX_UNPACKED`, or more than belong to the image.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    stated = _stated_size(_inflated(data, _LONGEST_HEADER)[0])
    if stated > MAX_UNPACKED:
        raise ImagingError(Reason.UNSUPPORTED, f"found more than {MAX_UNPACKED} bytes unpacked, needed fewer")
    if stated > len(data) * MAX_RATIO:
        raise _too_short()
    image, whole, more = _inflated(data, stated + MAX_BEHIND)
    if more:
        raise ImagingError(Reason.UNSUPPORTED, "found much more behind the image than voxels, needed the image alone")
    if not whole:
        raise ImagingError(Reason.TRUNCATED, "found the end of the file inside gzip data, needed all of them")
    return image


def _inflated(data: bytes, most: int) -> tuple[bytes, bool, bool]:
    """At most so many bytes of gzip data; whether those are all, and whether there are more."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = inflater.decompress(data, most)
    except zlib.error:
        raise ImagingError(Reason.UNREADABLE, "found gzip data that do not unpack, needed a valid file") from None
    return found, inflater.eof, bool(inflater.unconsumed_tail)


def _stated_size(head: bytes) -> int:
    """Bytes of the whole image by its header; 0 where that says nothing, which is refused when it is read."""
    kind = _kind(head)
    try:
        header = kind.header_class(head[: kind.header_class.sizeof_hdr], check=False)
        return max(int(header["vox_offset"]) + _voxel_bytes(header), 0)
    except _HEADER_ERRORS:
        return 0


def _voxel_bytes(header: Any) -> int:
    return math.prod(int(n) for n in header.get_data_shape()) * int(header.get_data_dtype().itemsize)


def _too_short() -> ImagingError:
    return ImagingError(Reason.TRUNCATED, "found fewer voxels than the header states, needed all of them")


def _kind(data: bytes) -> Any:
    kind = next((kind for size, place, magic, kind in _LAYOUTS if _starts_as(data, size, place, magic)), None)
    if kind is None:
        raise ImagingError(Reason.UNREADABLE, "found no NIfTI-1 or NIfTI-2 header, needed one single-file image")
    return kind


def _open(data: bytes) -> Any:
    kind = _kind(data)
    try:
        image = kind.from_bytes(data)
        # a reader makes room for what the header states before it finds out what is there
        short = image.dataobj.offset + _voxel_bytes(image.header) > len(data)
    except _HEADER_ERRORS as error:
        raise ImagingError(
            Reason.HEADER_INVALID,
            f"found a NIfTI header that cannot be read ({type(error).__name__}), needed a valid one",
        ) from None
    if short:
        raise _too_short()
    return image


_LAYOUTS = ((348, 344, b"n+1\0", nib.Nifti1Image), (540, 4, b"n+2\0", nib.Nifti2Image))
"""Header size, place and text of the magic, and who reads it."""
_LONGEST_HEADER = max(size for size, _, _, _ in _LAYOUTS)

_HEADER_ERRORS = (
    EOFError,
    HeaderDataError,
    ImageFileError,
    KeyError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    WrapStructError,
)


def _starts_as(data: bytes, size: int, place: int, magic: bytes) -> bool:
    sizes = (size.to_bytes(4, "little"), size.to_bytes(4, "big"))
    return len(data) >= size and data[:4] in sizes and data[place : place + 4] == magic


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    shape = shape + (1,) * (3 - len(shape))
    if len(shape) > 4:
        raise ImagingError(Reason.UNSUPPORTED, f"found {len(shape)} axes, needed three or four")
    if min(shape) < 1:
        raise ImagingError(Reason.HEADER_INVALID, "found an axis without voxels, needed at least one")
    return shape


def _stored(image: Any) -> NDArray[np.generic]:
    if image.get_data_dtype().kind not in "iuf":
        raise ImagingError(Reason.UNSUPPORTED, "found colour or complex voxels, needed integers or real numbers")
    try:
        stored: NDArray[np.generic] = np.asarray(image.dataobj.get_unscaled())
    except (ValueError, OSError, EOFError):
        raise _too_short() from None
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def _times(header: Any, shape: tuple[int, ...], unit: int) -> NDArray[np.float64] | None:
    if len(shape) == 3 or unit not in _SECONDS:
        return None
    step = float(header["pixdim"][4]) * _SECONDS[unit]
    return np.arange(shape[3], dtype=np.float64) * step if np.isfinite(step) and step > 0 else None
