"""Faces: shown or not, gone after removal, and no brain with them; measured on phantoms whose tissues are known."""

from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy import ndimage

from deid.faces import faces
from imaging.phantom import layers
from imaging.phantom.acquire import signal
from imaging.phantom.anatomy import tissues
from imaging.phantom.config import PhantomConfig
from imaging.phantom.dialects import SCANNERS
from imaging.phantom.physics import rician, sensitivity
from imaging.phantom.scan import Settings, Technique
from imaging.phantom.shapes import rotation
from imaging.phantom.study import study
from imaging.phantom.vocabulary import BodyPart, Label

CONTRASTS = {
    "T1": Settings(Technique.SPIN_ECHO, 11.0, 520.0),
    "T2": Settings(Technique.TURBO_SPIN_ECHO, 96.0, 4800.0, train=15),
    "FLAIR": Settings(Technique.INVERSION_RECOVERY, 110.0, 9000.0, 2350.0, train=21),
    "PD": Settings(Technique.TURBO_SPIN_ECHO, 28.0, 3000.0, train=5),
}
WHOLE = ((64, 86, 88), (3, 3, 3), (0, 6, -22))


@lru_cache(maxsize=2)
def scanned(
    contrast="T1",
    shape=WHOLE[0],
    spacing=WHOLE[1],
    centre=WHOLE[2],
    seed=0,
    nod=0.0,
    turn=(0, 0, 0),
    part=BodyPart.HEAD,
):
    """A volume, its affine, and its tissue labels."""
    config = PhantomConfig(name="x", seed=seed, subjects=1, body_parts=(part,), lesions=1.0)
    body = study(config, 0, SCANNERS).body
    body = replace(body, turn=rotation(nod, 0, 0) @ body.turn)
    affine = np.eye(4)
    affine[:3, :3] = rotation(*turn) * spacing
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    points = affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:]
    painted = tissues(body, points, spacing[0])
    base = signal(cast(Any, SimpleNamespace(settings=CONTRASTS[contrast])), 1.5)
    rng = np.random.default_rng(seed)
    image = layers.render(painted, base[None], points.shape[1])[0] * sensitivity(points.astype(np.float32), rng)
    image = rician(image, 0.02 * base.max(), rng) * (1400 / base.max())
    labels = layers.labels(painted, points.shape[1])
    return image.astype(np.uint16).reshape(shape), affine, labels.reshape(shape)


def cut(volume, affine):
    hidden = faces.mask(volume, affine)
    return hidden, np.where(hidden, volume.min(), volume)


def brain(labels):
    return (labels >= Label.FLUID) & (labels <= Label.LESION)


GRIDS = {
    "3D": WHOLE,
    "axial 5 mm": ((80, 82, 28), (3, 3, 5), (0, 2, 0)),
    "sagittal 5 mm": ((30, 80, 82), (5, 3, 3), (0, 6, -22)),
    "coronal 5 mm": ((70, 46, 82), (3, 5, 3), (0, 6, -22)),
}


@pytest.mark.parametrize(
    ("grid", "contrast"),
    [("3D", "T1"), ("axial 5 mm", "T2"), ("sagittal 5 mm", "FLAIR"), ("coronal 5 mm", "PD")],
)
def test_the_face_goes_and_the_brain_stays(grid, contrast):
    seed = 17 * list(GRIDS).index(grid) + list(CONTRASTS).index(contrast)
    volume, affine, labels = scanned(contrast, *GRIDS[grid], seed=seed)
    assert faces.judge(volume, affine).shown
    assert faces.residue(volume, volume, affine) > 0.8
    hidden, after = cut(volume, affine)
    assert not (hidden & brain(labels)).any()
    assert faces.residue(volume, after, affine) < faces.RESIDUE_LIMIT
    assert faces.verdict(volume, after, affine)


@pytest.mark.parametrize(("seed", "nod"), [(3, -12.0), (5, 12.0)])
def test_a_nodding_head_in_an_oblique_stack_keeps_its_brain(seed, nod):
    volume, affine, labels = scanned(seed=seed, nod=nod, turn=(8, -6, 5))
    hidden, after = cut(volume, affine)
    assert hidden.any()
    assert not (hidden & brain(labels)).any()
    assert faces.verdict(volume, after, affine)


def test_nose_chin_and_lips_are_gone():
    volume, affine, labels = scanned()
    hidden, _ = cut(volume, affine)
    place = np.moveaxis(np.indices(volume.shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    front = (labels != Label.BACKGROUND) & (place[..., 1] > 75) & (place[..., 2] < -35) & (place[..., 2] > -120)
    assert front.sum() > 500
    assert (hidden & front).sum() / front.sum() > 0.99


def test_a_nose_that_wrapped_to_the_back_goes_too():
    volume, affine, labels = scanned()
    ghost = np.zeros(volume.shape, dtype=bool)
    ghost[27:36, 0:5, 25:38] = labels[27:36, 0:5, 25:38] == Label.BACKGROUND
    volume = np.where(ghost, 500, volume)
    hidden, _ = cut(volume, affine)
    assert (hidden & ghost).sum() / ghost.sum() > 0.95


def test_the_same_volume_gives_the_same_mask_and_is_not_changed():
    volume, affine, _ = scanned("T2", *GRIDS["axial 5 mm"])
    before = volume.copy()
    assert np.array_equal(faces.mask(volume, affine), faces.mask(volume, affine))
    assert np.array_equal(volume, before)


def test_a_shallow_shell_that_repeats_the_face_is_measured_as_residue():
    volume, affine, labels = scanned()
    air = labels == Label.BACKGROUND
    shell = ndimage.binary_dilation(air, iterations=1)
    assert not faces.verdict(volume, np.where(shell, 0, volume), affine)


@pytest.mark.parametrize(
    ("contrast", "shape", "spacing"),
    [
        ("T1", (64, 64, 64), (2.8, 2.8, 2.8)),
        ("PD", (90, 90, 24), (1.8, 1.8, 4)),
        ("T2", (26, 90, 100), (4, 1.8, 1.8)),
    ],
)
def test_a_knee_shows_no_face_and_is_left_alone(contrast, shape, spacing):
    volume, affine, _ = scanned(contrast, shape, spacing, (0, 0, 0), part=BodyPart.KNEE)
    assert not faces.judge(volume, affine).shown
    assert not faces.mask(volume, affine).any()


@pytest.mark.parametrize(
    ("shape", "spacing", "centre"),
    [
        ((90, 100, 24), (2.2, 2.2, 2.2), (0, 6, 50)),
        ((16, 24, 16), (2, 2, 2), (25, -20, -15)),
        ((3, 110, 110), (20, 2.2, 2.2), (0, 6, -22)),
    ],
    ids=["vault", "hippocampus", "scout"],
)
def test_a_part_of_a_head_without_its_face_shows_none(shape, spacing, centre):
    volume, affine, _ = scanned("T1", shape, spacing, centre)
    assert not faces.judge(volume, affine).shown


def test_a_stripped_brain_and_a_bottle_show_no_face():
    volume, affine, labels = scanned()
    assert not faces.judge(np.where(brain(labels), volume, 0), affine).shown
    place = (np.indices((80, 80, 80)) - 40) * 2.5
    assert not faces.judge((np.linalg.norm(place, axis=0) < 85) * 1000.0, np.diag([2.5, 2.5, 2.5, 1])).shown


@pytest.mark.parametrize("fill", [0.0, 7.0, np.nan, np.inf])
@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 40, 1), (30, 30, 30)])
def test_nothing_to_see_is_no_face(fill, shape):
    volume = np.full(shape, fill)
    assert not faces.judge(volume, np.eye(4)).shown
    assert not faces.mask(volume, np.eye(4)).any()
    assert faces.residue(volume, volume, np.eye(4)) == 0


def test_noise_that_hides_the_skin_holds_the_volume_rather_than_cut_the_brain():
    volume, affine, labels = scanned("T2", *GRIDS["sagittal 5 mm"], seed=345)
    rng = np.random.default_rng(0)
    noisy = rician(volume.astype(np.float32), 160.0, rng).astype(np.uint16)
    hidden, after = cut(noisy, affine)
    assert not (hidden & brain(labels)).any()
    assert hidden.any() or not faces.judge(noisy, affine).shown or not faces.verdict(noisy, after, affine)


def test_exemptions_give_their_reason():
    assert "diffusion" in str(faces.exemption("DWI", "diffusion", "brain"))
    assert "functional" in str(faces.exemption("BOLD", "dynamic", "head"))
    assert faces.exemption("T1", "static", "knee") == "body part without a face"
    for part in ("brain", "head", "neck", "unknown"):
        assert faces.exemption("T1", "static", part) is None
        assert faces.exemption("unknown", "static", part) is None
