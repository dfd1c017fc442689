"""What a checkpoint says of itself: `models/<name>/manifest.json`.

Belongs here: the manifest's fields. Writing weights and cards is `training.checkpoint`.
"""

from typing import Literal

from pydantic import Field

from schemas.document import Document
from schemas.formats import Kept
from schemas.naming import Name
from schemas.union import Terms

MANIFEST = "manifest.json"
"""Name of a checkpoint's manifest, which is written last: without it there is no model."""

SHARING = "sharing.json"
"""Name of the document beside the manifest of a model that left; such a folder has no list of what it saw."""

RETIRED = "retired.json"
"""Name of the manifest of a checkpoint that was taken out of use by a withdrawal."""

RUNS, RESUMABLE = ".runs", "resume"
"""Folder beside the models with one for each that is being made, and in that, the resumable checkpoints with a record
of each, `step-000000200.json`, which says among others which volumes it has seen (`exposure`)."""


class CheckpointManifest(Kept):
    """Where a checkpoint comes from and what covers it."""

    name: Name
    """Name of the model, also its folder."""
    kind: Literal["pretrained", "finetuned"]
    """Self-supervised foundation model, or a model of one task."""
    task: str
    """Objective or task it was trained for."""
    weights_sha256: str
    """SHA-256 of `weights.safetensors`."""
    config_sha256: str
    """SHA-256 of `config.yaml`."""
    release: str
    """Release it was trained on."""
    release_sha256: str
    """SHA-256 of the release's `manifest.json`."""
    parent: str | None = None
    """Model it started from; None: from scratch."""
    parent_weights_sha256: str | None = None
    """SHA-256 of the parent's weights."""
    licences: dict[str, str] = Field(default_factory=dict)
    """Licence to document digest, parents included."""
    share_models: bool = False
    """Whether every licence involved allows the model to leave."""
    terms: Terms | None = None
    """The most restrictive of all documents that cover it, parents included; None: written before it was carried."""
    exposure_sha256: str
    """SHA-256 of `exposure.json`: volumes served and how often."""
    steps: int = Field(ge=0)
    """Optimizer steps."""
    world_size: int = Field(ge=1)
    """Processes that trained it."""
    code_version: str
    """Version of Larmor that trained it."""
    code_sha256: str | None = None
    """SHA-256 over the code that trained it; None: written before it was told."""
    hardware: str | None = None
    """Processes and the device of each, in words."""
    device_hours: float = Field(default=0.0, ge=0)
    """Hours of all devices together, of this training alone."""
    cost_usd: float | None = None
    """What these hours cost at the price of the configuration; None: no price was told."""
    created: str
    """When it was finished, UTC, RFC 3339."""


class Sharing(Document):
    """That a model left, to whom, what for and under which terms."""

    model: Name
    """Name of the model."""
    weights_sha256: str
    """SHA-256 of its weights."""
    recipient: str
    """Who received it."""
    country: str | None = None
    """Where the recipient is, ISO 3166-1 alpha-2; None: where the model was made."""
    purpose: str
    """What it may be used for, as the licences name it."""
    decision: str
    """SHA-256 of the decision that it may leave."""
    terms_sha256: str
    """SHA-256 of the documents that were asked, id to digest."""
    terms: Terms
    """The most restrictive of all documents that cover it: what the recipient is bound to."""
    day: str
    """When the terms were asked, ISO date."""
