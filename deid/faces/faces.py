"""Faces in head volumes: whether one is shown, what to blank of it, how much remains, and which series are exempt.

Belongs here: the decisions, on arrays. Finding the head is `deid.faces.heads`, finding the face on it
`deid.faces.facial`; reading volumes and writing pixels back is `deid.pixels.series`. Nothing is learned and no atlas is
used: a head is told by its outline, so every contrast that shows skin is treated alike.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from deid.faces.facial import Head, Relief, face_of, find, protrusion, removal, seen_from_front
from deid.faces.heads import STEP_MM, Coarse, coarse

SAMPLING_MM = 8.0
"""Largest distance between samples at which a face counts as shown.

A nose and the distance between the eyes are about 32 mm, so 8 mm gives four samples to each. Published matching of
photographs to two-dimensional series of 3 to 6 mm succeeded for 32 to 45 of 100 people, to echo-planar ones for at
most 2 (Schwarz et al., NeuroImage 231 (2021) 117845 and its sequels), so the limit lies above those slices.
"""

COVERAGE = 0.25
"""Share of the face, eyes to chin, from which it counts as shown: eyes and half a nose are no less than that."""

CONTRAST = 2.0
"""Signal of the head over the limit to air below which its outline is no skin but noise."""

USUAL_ROOT_MM = -25.0
"""Level of the root of the nose where none is seen, for judging; what is removed takes `facial.UNSEEN_ROOT_MM`."""

SAFE_CONTRAST = 4.5
"""Contrast below which nothing is removed, so that the volume is held: where skin drowns in noise, the surface found
may be the brain's."""

VISIBLE, MATCHED = 0.04, 0.75
"""Least share of the brain case in view, and of that on an ellipsoid, for a body to be a head."""

SAFE_VISIBLE = 0.1
"""Share of the brain case in view below which nothing is removed, so that the volume is held: its place is a guess."""

DOME = 0.5
"""Share of the brain case in view that makes a head without a nose; knees and bottles reach 0.45."""

PROTRUSION_MM = 12.0
"""Least that a face stands before the ellipsoid of the cranium: faces do by 18 and more, a stripped brain by 0."""

RESIDUE_LIMIT = 0.2
"""Largest residue that may leave.

Measured on a phantom: untouched skin leaves 0.9 or more, a shell of 2.5 mm taken off all around 0.8, of 5 mm 0.33, of
7.5 mm 0.17, of 10 mm 0.09. A cut at random leaves up to 0.1 by chance, for a relief has few independent details. The
limit asks for what 7 mm would do: less than that is held.
"""

KEPT_MM = 3.0
"""Skin within this distance of where it was is still there: one step of the working grid, on which skin is blurred."""

_EXEMPT_CONTRASTS = {
    "DWI": "diffusion",
    "ADC": "diffusion",
    "BOLD": "functional",
    "perfusion": "perfusion",
}
_EXEMPT_KINDS = {"diffusion": "diffusion", "dynamic": "dynamic"}
_WITH_FACE = {"brain", "head", "neck", "cervical spine", "spine", "unknown", ""}


@dataclass(frozen=True)
class Face:
    """Whether a volume shows a face, and the numbers it was judged by.

    Attributes:
        shown: whether a person could be recognised.
        head: whether a head was found.
        coverage: share of the face, eyes to chin, whose skin is in view.
        protrusion_mm: by how much the face stands before the cranium.
        sampling_mm: largest distance between samples.
        contrast: signal of the head relative to the limit to air.
        nose: whether a nose was found.
        visible: share of the brain case in view.
        matched: share of that on the fitted ellipsoid.
    """

    shown: bool
    head: bool = False
    coverage: float = 0.0
    protrusion_mm: float = 0.0
    sampling_mm: float = 0.0
    contrast: float = 0.0
    nose: bool = False
    visible: float = 0.0
    matched: float = 0.0


def judge(volume: NDArray[np.generic], affine: NDArray[np.float64]) -> Face:
    """Whether a volume shows a face.

    Args:
        volume: (x, y, z) in axes closest to RAS+.
        affine: (4, 4) voxel index to RAS+ mm.
    """
    spacing = _sampling(affine)
    head = find(coarse(volume, affine))
    return Face(shown=False, sampling_mm=spacing) if head is None else _judged(head, spacing)


def _judged(head: Head, spacing: float) -> Face:
    fitted = head.cranium
    dome = fitted.visible >= VISIBLE and fitted.matched >= MATCHED
    found = dome and (head.root is not None or fitted.visible >= DOME)
    coverage, stands = _coverage(head), protrusion(head.relief, fitted, _level(head))
    clear = spacing <= SAMPLING_MM and head.contrast >= CONTRAST
    return Face(
        shown=found and clear and coverage >= COVERAGE and stands >= PROTRUSION_MM,
        head=found,
        coverage=coverage,
        protrusion_mm=stands,
        sampling_mm=spacing,
        contrast=head.contrast,
        nose=head.root is not None,
        visible=fitted.visible,
        matched=fitted.matched,
    )


def _sampling(affine: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(affine[:3, :3], axis=0).max())


def _level(head: Head) -> float:
    """Level of the root of the nose in mm, or where it is on the usual head."""
    return USUAL_ROOT_MM * head.cranium.scale if head.root is None else head.root


def _coverage(head: Head) -> float:
    """Share of the face whose skin is in view: tissue in front of the brain case with air before it."""
    relief, fitted = head.relief, head.cranium
    face = face_of(relief, _level(head), fitted.scale)
    forward = np.nan_to_num(relief.front) > 0.55 * fitted.axes[1]
    return float((relief.skin & forward)[face].mean())


def mask(volume: NDArray[np.generic], affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which voxels to blank so that no face is shown; brain is not among them.

    The same volume gives the same mask. How the cut wanders follows from the volume itself, so it cannot be computed
    from what is left.

    Args:
        volume: (x, y, z) in axes closest to RAS+.
        affine: (4, 4) voxel index to RAS+ mm.

    Returns:
        (x, y, z); nothing where no face is shown, and nothing where the head is too unclear to spare the brain.
    """
    image = coarse(volume, affine)
    head = find(image)
    if head is None or not _removable(head) or not _judged(head, _sampling(affine)).shown:
        return np.zeros(volume.shape, dtype=bool)
    seed = int.from_bytes(blake2b(image.values.tobytes(), digest_size=8).digest())
    return _on_voxels(removal(head, seed), image, volume.shape, affine)


def _removable(head: Head) -> bool:
    """Whether it is known well enough where the brain is."""
    return head.contrast >= SAFE_CONTRAST and head.cranium.visible >= SAFE_VISIBLE


def _on_voxels(
    chosen: NDArray[np.bool_], image: Coarse, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """A mask of the working grid on the volume's own voxels."""
    # beyond the field of view the nearest answer counts, so that no rim of voxels is forgotten
    nearest = ndimage.distance_transform_edt(~image.inside, return_distances=False, return_indices=True)
    whole = chosen[tuple(nearest)].astype(np.float32)
    offset = (affine[:3, 3] - image.origin) / STEP_MM
    return np.asarray(
        ndimage.affine_transform(whole, affine[:3, :3] / STEP_MM, offset, shape, order=1, mode="nearest") > 0.5
    )


def residue(before: NDArray[np.generic], after: NDArray[np.generic], affine: NDArray[np.float64]) -> float:
    """Share of the face that can still be told from what is left.

    Two attempts at the face are made, and the better one counts: skin that is still where it was, and the share of the
    variance of the face's relief that the relief of what is left explains. Both reliefs are taken from the front, less
    their best quadratic surface, which every head has.

    Args:
        before: (x, y, z) in axes closest to RAS+.
        after: the same with voxels blanked.
        affine: (4, 4) voxel index to RAS+ mm.

    Returns:
        0 to 1; 0 where no head is found before.
    """
    head = find(coarse(before, affine))
    if head is None:
        return 0.0
    left = coarse(after, affine)
    body = ndimage.binary_opening(left.inside & (left.values > head.limit))
    then, now = head.relief, seen_from_front(left, body, head.cranium)
    face = face_of(then, _level(head), head.cranium.scale) & then.skin & (then.front > 0.55 * head.cranium.axes[1])
    if face.sum() < 20:
        return 0.0
    kept = float((np.abs(then.front - now.front) < KEPT_MM)[face].mean())
    return max(kept, _explained(then, now, face))


def _explained(then: Relief, now: Relief, face: NDArray[np.bool_]) -> float:
    """Share of the variance of a relief that another explains, both less their quadratic surface."""
    u, w = (grid[face] / 50 for grid in np.meshgrid(then.u, then.w, indexing="ij"))
    trend = np.stack([np.ones_like(u), u, w, u * u, u * w, w * w], axis=1)
    left = np.nan_to_num(now.front)[face]

    def detail(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values - trend @ np.linalg.lstsq(trend, values, rcond=None)[0]

    first, second = detail(then.front[face]), detail(left)
    if first.std() < 1e-6 or second.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1] ** 2)


def verdict(before: NDArray[np.generic], after: NDArray[np.generic], affine: NDArray[np.float64]) -> bool:
    """Whether a volume may leave after its face was blanked: its residue is within `RESIDUE_LIMIT`."""
    return residue(before, after, affine) <= RESIDUE_LIMIT


def exemption(contrast: str, kind: str, body_part: str) -> str | None:
    """Why faces in a series are not looked for, in words for the record; None: the volume is to be judged.

    Args:
        contrast: as `imaging.kinds.classify` gives it.
        kind: of the volume: static, diffusion or dynamic.
        body_part: as `imaging.kinds.classify` gives it; where it is unknown, geometry decides.
    """
    if body_part not in _WITH_FACE:
        return "body part without a face"
    purpose = _EXEMPT_CONTRASTS.get(contrast) or _EXEMPT_KINDS.get(kind)
    if purpose is None:
        return None
    return f"{purpose} imaging is exempt by policy: faces in it were matched for at most 10 in 100 people"
