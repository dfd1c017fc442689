"""What a served gallery answers: the page, its scripts, previews, volumes and label maps as NIfTI, and NiiVue.

Belongs here: from a path to content, and the record that a volume was opened. HTTP is `orchestration.gallery.server`.
NiiVue is served from where ipyniivue is installed and is no part of Larmor. What reads voxels and writes NIfTI is
imported when it is asked for, so that the page shows at once.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import overlays
from orchestration.gallery import page
from orchestration.gallery.choice import Choice, GalleryError
from schemas.tables import LABELS

if TYPE_CHECKING:
    from lake.voxels.volumes import Volumes

HTML, SCRIPT, JSON, PNG, SVG, NIFTI = (
    "text/html; charset=utf-8",
    "text/javascript; charset=utf-8",
    "application/json",
    "image/png",
    "image/svg+xml",
    "application/octet-stream",
)
_BUNDLE = "static/widget.js"
"""NiiVue inside the package ipyniivue."""


@dataclass(frozen=True)
class Answer:
    """Content of a path.

    Attributes:
        kind: its media type.
        content: its bytes.
    """

    kind: str
    content: bytes


@dataclass
class Site:
    """A gallery that can be asked.

    Attributes:
        chosen: what it shows.
        purpose: what volumes are looked at for, for the record.
        predictions: folder of label maps named `<volume>.nii` or `.nii.gz`, as `larmor predict` writes them.
    """

    chosen: Choice
    purpose: str
    predictions: Path | None = None
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str) -> Answer:
        """What is at a path.

        Raises:
            KeyError: if there is nothing.
            FileNotFoundError, lake.voxels.payload.PayloadError: if a volume's file is gone or damaged.
        """
        if path == "":
            return Answer(HTML, self._page)
        if path in ("gallery.js", "viewer.js"):
            return Answer(SCRIPT, page.asset(path))
        if path == "niivue.js":
            return Answer(SCRIPT, self._niivue())
        kind, _, name = path.partition("/")
        volume, _, ending = name.partition(".")
        row = self._rows[volume]
        answers: dict[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
            ("preview", "png"): self._preview,
            ("about", "json"): self._about,
            ("volume", "nii"): self._volume,
            ("label", "nii"): self._label,
            ("prediction", "nii"): self._prediction,
        }
        return answers[kind, ending](row)

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        return {row["volume"]: row for row in self.chosen.rows}

    @cached_property
    def _volumes(self) -> "Volumes":
        return self.chosen.source.volumes()

    @cached_property
    def _labels(self) -> "Volumes":
        from lake.voxels.volumes import Volumes

        source = self.chosen.source
        return source.release.labels() if source.release else Volumes(source.lake, LABELS)

    @cached_property
    def _page(self) -> bytes:
        previews = {volume: f"preview/{volume}.png" for volume in self._rows}
        return page.served(self.chosen, previews, viewer=bundle() is not None).encode()

    def _niivue(self) -> bytes:
        found = bundle()
        if found is None:
            raise KeyError("niivue.js")
        return found.read_bytes()

    def _preview(self, row: dict[str, Any]) -> Answer:
        preview: bytes | None = self._volumes.row(row["volume"], ["preview"])["preview"]
        return Answer(PNG, preview) if preview else Answer(SVG, page.asset("no-preview.svg"))

    def _about(self, row: dict[str, Any]) -> Answer:
        """What the viewer must know before it asks for voxels: grey levels, steps, and what can be laid over."""
        volume = row["volume"]
        percentiles = self._volumes.row(volume, ["percentiles"])["percentiles"]
        over = []
        if label := self.chosen.source.labels.get(volume):
            scheme = json.loads(self._labels.row(label, ["scheme"])["scheme"])
            over.append({"name": "label map", "path": f"label/{volume}.nii", "scheme": scheme})
        if found := self._predicted(volume):
            over.insert(
                0, {"name": "prediction", "path": f"prediction/{volume}.nii", "scheme": overlays.scheme_of(found)}
            )
        said = {
            "title": f"{row['contrast']} of {row['body_part']}, {row['plane'] or 'unknown'}",
            "path": f"volume/{volume}.nii",
            "steps": row["shape"][3] if len(row["shape"]) > 3 else 1,
            "window": [percentiles[0], percentiles[-2]] if percentiles[-2] > percentiles[0] else [None, None],
            "over": over,
        }
        return Answer(JSON, json.dumps(said).encode())

    def _volume(self, row: dict[str, Any]) -> Answer:
        self._record(row["volume"])
        from imaging.nifti import nifti
        from stages.images import image_of

        image = image_of(self._volumes, self._volumes.row(row["volume"]))
        return Answer(NIFTI, nifti.write(image))

    def _label(self, row: dict[str, Any]) -> Answer:
        from imaging.nifti import nifti
        from stages.images import label_of

        label = self.chosen.source.labels[row["volume"]]
        return Answer(NIFTI, nifti.write(label_of(self._labels, self._labels.row(label))))

    def _prediction(self, row: dict[str, Any]) -> Answer:
        from imaging.nifti import nifti

        found = self._predicted(row["volume"])
        if found is None:
            raise KeyError(row["volume"])
        return Answer(NIFTI, nifti.write(nifti.read(found.read_bytes())))

    def _predicted(self, volume: str) -> Path | None:
        return overlays.over(self.predictions, volume) if self.predictions else None

    def _record(self, volume: str) -> None:
        """One access a volume, however often the viewer asks for it."""
        with self._lock:
            if volume not in self._seen:
                self.chosen.source.recorded(1, self.purpose)
                self._seen.add(volume)


def predicted(chosen: Choice, folder: Path) -> int:
    """How many volumes of a gallery have a label map in a folder of predictions.

    Raises:
        GalleryError: if none has.
    """
    found = sum(overlays.over(folder, row["volume"]) is not None for row in chosen.rows)
    if not found:
        raise GalleryError(
            "found no label map of these volumes in the folder of predictions, needed <volume>.nii.gz of one at least; "
            "larmor predict MODEL RELEASE --out FOLDER writes them"
        )
    return found


def bundle() -> Path | None:
    """Where NiiVue's module lies in the installed ipyniivue; None: it is not installed."""
    found = find_spec("ipyniivue")
    folders = list(found.submodule_search_locations or []) if found else []
    return next((place for folder in folders if (place := Path(folder) / _BUNDLE).is_file()), None)
