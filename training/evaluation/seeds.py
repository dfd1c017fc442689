"""Checkpoints that differ in their seed only: which they are, their mean, and the spread between them.

Belongs here: telling configurations apart. Means and intervals are `training.evaluation.intervals`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.document import canonical_json
from training.checkpoint import Checkpoint, load
from training.config.evaluate import EvaluateConfig
from training.errors import CheckpointError
from training.evaluation.intervals import Scored, over_seeds


def groups(checkpoints: Sequence[Checkpoint]) -> list[list[str]]:
    """Names of checkpoints, those together that only a seed tells apart, in the order of their first."""
    found: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        found.setdefault(recipe(checkpoint), []).append(checkpoint.manifest.name)
    return list(found.values())


def recipe(checkpoint: Checkpoint) -> str:
    """What made a checkpoint but for seeds: kind, release, configuration, and the same of its parent.

    A parent that is not beside the checkpoint any more is known by its weights alone.
    """
    manifest = checkpoint.manifest
    own = [manifest.kind, manifest.release_sha256, str(_seedless(checkpoint.config["config"]))]
    if manifest.parent is None:
        return canonical_json(own)
    try:
        parent = load(checkpoint.folder.parent / manifest.parent)
    except CheckpointError:
        return canonical_json([*own, str(manifest.parent_weights_sha256)])
    there = parent.manifest.weights_sha256 == manifest.parent_weights_sha256
    return canonical_json([*own, recipe(parent) if there else str(manifest.parent_weights_sha256)])


def _seedless(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, value) for name, value in config.items() if name != "seed")


def told(scored: Sequence[Scored], together: Sequence[Sequence[str]], config: EvaluateConfig) -> list[dict[str, Any]]:
    """For each configuration with several seeds, the mean of its main measure and the spread between seeds."""
    of = {s.name: s for s in scored}
    found = []
    for names in together:
        if len(names) > 1 and of[names[0]].main:
            mine = [of[name] for name in names]
            measures = [s.measures[s.main] for s in mine]
            found.append({"checkpoints": list(names), **over_seeds(measures, mine[0].subjects, config)})
    return found
