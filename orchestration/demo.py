"""The demonstration: from nothing to an evaluated model and an audit report, with what every user would run.

Belongs here: which steps, on which phantoms. Each step is the same code that real data takes.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lake.settings import Settings
from lake.zones import Lake
from schemas.licence import Licence
from schemas.release import ReleaseSpec, Splits

RELEASE = "demo"
PRESET = "tiny"
LABELLED = 4
"""Subjects with labels that fine-tuning may use: few, because that is what pre-training is for."""


@dataclass
class Shown:
    """What the demonstration made and where it is."""

    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


def licence() -> Licence:
    """The phantoms' licence: everything is allowed, because nobody is in them."""
    return Licence(
        id="phantom-licence",
        title="Phantom data, made by Larmor, of nobody",
        licensor="Phantom Imaging Consortium",
        valid_from=dt.date(2020, 1, 1),
        deliveries=["phantom-*"],
        purposes=["model-training", "research"],
        train_models=True,
        share_models=True,
        export=True,
        attribution="Made by Larmor",
    )


def spec() -> ReleaseSpec:
    """Heads, structural images that can have tissue labels; people split five, one and the rest."""
    return ReleaseSpec(
        name=RELEASE,
        cohort="body_part in ('head', 'brain')",
        splits=Splits(train=0.6, validation=0.1, test=0.3),
        seed=0,
        label_task="tissue",
    )


def data(lake: Lake, seed: int, say: Callable[[str], None]) -> list[str]:
    """Make the phantom deliveries and their licence; names of the deliveries."""
    from imaging.phantom import demo_deliveries
    from lineage.terms import terms

    document = licence()
    path = lake.licences / f"{document.id}.yaml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        document.write(path)
    terms.install(lake, document.id)
    made = demo_deliveries(lake.settings.root, seed=seed, licence=document.id, licensor=document.licensor)
    for summary in made:
        planted = f"{summary.planted} identifiers planted"
        say(f"  {summary.name}: {summary.files} files of {summary.subjects} subjects, {planted}")
    return [summary.name for summary in made]


def demonstrate(settings: Settings, seed: int, say: Callable[[str], None]) -> Shown:
    """Run every step; what a stopped demonstration made is kept, and a second one goes on."""
    from orchestration.headless import run_delivery, run_evidence, run_release
    from stages.release import spec_path

    start, shown, lake = time.monotonic(), Shown(), Lake(settings)
    say("1/4 Licensed phantom deliveries")
    names = data(lake, seed, say)
    for name in names:
        say(f"2/4 Delivery {name}")
        _add(shown.counts, run_delivery(settings, name))
    say(f"3/4 Release {RELEASE}, pre-training, fine-tuning, evaluation")
    wanted = spec()
    spec_path(lake, wanted.name).parent.mkdir(parents=True, exist_ok=True)
    wanted.write(spec_path(lake, wanted.name))
    made = run_release(settings, wanted.name, config=_config())
    shown.metrics = dict(next(m.metadata for m in made if m.asset == "models/evaluations"))
    say("4/4 Evidence")
    run_evidence(settings)
    shown.seconds = time.monotonic() - start
    shown.places = _places(settings)
    return shown


def _config() -> Mapping[str, Any]:
    """What differs from the assets' defaults: a budget of a minute or two on two cores."""
    return {
        "models__pretrained": {"preset": PRESET, "ranks": 2},
        "models__finetuned": {"preset": PRESET, "labels": LABELLED},
        "models__evaluations": {"preset": PRESET, "split": "test"},
    }


def _add(counts: dict[str, int], made: list[Any]) -> None:
    for item in made:
        counts[item.asset] = counts.get(item.asset, 0) + int(item.metadata.get("dagster/row_count", 0))


def _places(settings: Settings) -> dict[str, str]:
    curated, models, audit = (str(settings.place(zone)) for zone in ("curated", "models", "audit"))
    return {
        "tables": curated,
        "data card": f"{curated}/releases/{RELEASE}/card.html",
        "model card": f"{models}/{RELEASE}-{PRESET}/card.html",
        "evaluation": f"{models}/{RELEASE}-{PRESET}-evaluation/evaluation.html",
        "audit report": f"{audit}/reports/audit.html",
    }
