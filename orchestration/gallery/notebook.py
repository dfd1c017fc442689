"""Galleries and volumes in a cell of a notebook: what `release.look()` gives, found by the lake as an entry point.

Belongs here: wrapping the page for a cell, and NiiVue's widget. The page is `orchestration.gallery.page`.
"""

import html
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lake.opened import OpenRelease
from orchestration.gallery import page
from orchestration.gallery.choice import GalleryError, choose

HEIGHT = 640
"""Pixels of a cell."""

_LOOK = {
    "is_radiological_convention": True,
    "sagittal_nose_left": True,
    "show_all_orientation_markers": True,
    "multiplanar_layout": 2,
    "multiplanar_show_render": 1,
    "crosshair_width": 0.4,
    "crosshair_color": (0.55, 0.78, 0.84, 1.0),
    "back_color": (0.0, 0.0, 0.0, 1.0),
}
"""As in the previews and in the gallery's viewer: the patient's right on the left, the nose on the left, 3D beside the
planes (NiiVue's layout `GRID`, its render `ALWAYS`)."""


@dataclass(frozen=True)
class Cell:
    """A page in a frame of its own, so that its styles and scripts are not the notebook's.

    Attributes:
        page: the page.
    """

    page: str = field(repr=False)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        framed = html.escape(self.page, quote=True)
        return (
            f'<iframe sandbox="allow-scripts" title="Gallery of volumes" width="100%" height="{HEIGHT}" '
            f'style="border: 0" srcdoc="{framed}"></iframe>'
        )


def look(release: OpenRelease, *, volume: str | None = None, where: str | None = None, limit: int = 100) -> Any:
    """A gallery of a release, or one of its volumes in three planes and 3D.

    Args:
        release: the release.
        volume: id of a volume of an open split; None: a gallery.
        where: SQL predicate that chooses volumes of the gallery.
        limit: most volumes of the gallery.

    Raises:
        GalleryError: if nothing fits, or a volume is asked for and ipyniivue is not installed.
    """
    if volume is not None:
        return _widget(release, volume)
    lake = release.release.lake
    return Cell(page.alone(choose(lake, release=release.name, where=where, limit=limit, purpose=release.purpose)))


def _widget(release: OpenRelease, volume: str) -> Any:
    if find_spec("ipyniivue") is None:
        raise GalleryError('found no ipyniivue, needed it to show a volume; install it with pip install "larmor[look]"')
    niivue = import_module("ipyniivue")  # by name: it ships no types, and may not be there
    layers = [niivue.Volume(data=release.volume(volume, "nibabel").to_bytes(), name="volume.nii", colormap="gray")]
    if any(member.volume == volume and member.label for member in release.members()):
        label = release.label(volume, "nibabel").to_bytes()
        layers.append(niivue.Volume(data=label, name="label.nii", colormap="random", opacity=0.5))
    shown = niivue.NiiVue(height=HEIGHT, **_LOOK)
    shown.load_volumes(layers)
    return shown
