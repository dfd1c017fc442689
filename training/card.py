"""The model card of a checkpoint: one readable page that needs no other file and no network.

Belongs here: what the card shows. Its words and layout are `templates/card.html.j2` and `templates/card.md.j2`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import yaml

from schemas.checkpoint import CheckpointManifest
from stages.export.markdown import environment as markdown_templates

WIDTH, HEIGHT = 640, 200
"""Pixels of a curve."""


def environment() -> jinja2.Environment:
    """The templates of this room; everything is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("training"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def render(
    manifest: CheckpointManifest, config: Mapping[str, Any], metrics: Mapping[str, Any], volumes: Mapping[str, int]
) -> str:
    """The card as HTML.

    Args:
        manifest: the checkpoint's.
        config: content of `config.yaml`.
        metrics: content of `metrics.json`; its `curve` is drawn, its numbers are listed.
        volumes: volume to samples served; only their numbers are shown.
    """
    return environment().get_template("card.html.j2").render(**_said(manifest, config, metrics, volumes))


def markdown(
    manifest: CheckpointManifest,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    volumes: Mapping[str, int],
    figure: str | None = None,
) -> str:
    """The card as Markdown, for a repository of models.

    Args:
        manifest: as `render`.
        config: as `render`.
        metrics: as `render`.
        volumes: as `render`.
        figure: name of a file beside the card that shows how the training went; None: there is none.
    """
    template = markdown_templates("training").get_template("card.md.j2")
    return template.render(**_said(manifest, config, metrics, volumes), figure=figure)


def _said(
    manifest: CheckpointManifest, config: Mapping[str, Any], metrics: Mapping[str, Any], volumes: Mapping[str, int]
) -> dict[str, Any]:
    """What a card says, whatever it is written as."""
    return {
        "manifest": manifest,
        "config": yaml.safe_dump(dict(config), sort_keys=False),
        "classes": config.get("classes") or {},
        "numbers": {name: value for name, value in metrics.items() if isinstance(value, int | float)},
        "skipped": metrics.get("skipped") or {},
        "volumes": len(volumes),
        "samples": sum(volumes.values()),
        "curve": polyline(metrics.get("curve") or []),
        "width": WIDTH,
        "height": HEIGHT,
    }


def polyline(curve: Sequence[Sequence[float]]) -> Mapping[str, Any] | None:
    """A curve of (step, loss) as the points of an SVG polyline, with its extent for the axes; None for no curve."""
    if len(curve) < 2:
        return None
    steps, losses = [point[0] for point in curve], [point[1] for point in curve]
    low, high = min(losses), max(losses)
    across, up = (steps[-1] - steps[0]) or 1, (high - low) or 1
    points = " ".join(
        f"{(s - steps[0]) / across * WIDTH:.1f},{HEIGHT - (v - low) / up * HEIGHT:.1f}"
        for s, v in zip(steps, losses, strict=True)
    )
    return {"points": points, "low": low, "high": high, "first": int(steps[0]), "last": int(steps[-1])}
