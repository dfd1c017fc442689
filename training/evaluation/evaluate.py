"""Evaluation: checkpoints on the same unseen volumes, with intervals, as numbers and as one page.

Belongs here: the order of the work. First it is proved that nothing of the split was trained on; then checkpoints are
scored as they are and under disturbances; then numbers and page are written. How each is done is the rest of this room.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import checkpoint
from training.checkpoint import Checkpoint
from training.config.evaluate import EvaluateConfig
from training.config.finetune import FinetuneConfig
from training.data.source import Source
from training.errors import TrainingError
from training.evaluation import baselines, finetuned, page, pretrained, seeds
from training.evaluation.disjoint import Proof, prove
from training.evaluation.examiner import Examiner
from training.evaluation.features import on_studies
from training.evaluation.intervals import Name, Scored, difference, estimate
from training.evaluation.people import Elsewhere, Group, Person, nowhere, people, studies, usable_people
from training.evaluation.robustness import Disturbance, disturbances
from training.evaluation.strata import strata
from training.result import Result
from training.running.files import write_atomically
from training.running.fit import Report

PAGE, METRICS = "evaluation.html", "metrics.json"


@dataclass(frozen=True)
class Asked:
    """What an evaluation is made of.

    Attributes:
        config: what to evaluate and how.
        release: where volumes and labels are.
        members: usable volumes of the split.
        studies: these volumes by study, where one of the models was pre-trained on studies; empty: each is seen alone.
        elsewhere: gives the other releases that models were trained on.
        report: called with every event.
    """

    config: EvaluateConfig
    release: Source
    members: Sequence[Person]
    studies: Sequence[Group]
    elsewhere: Elsewhere
    report: Report


def evaluate(
    config: EvaluateConfig,
    release: Source,
    checkpoints: Sequence[Path],
    out: Path,
    report: Report,
    *,
    elsewhere: Elsewhere = nowhere,
    train: baselines.Train | None = None,
    recipe: FinetuneConfig | None = None,
) -> Result:
    """Score checkpoints on one split; the first is compared with each other one.

    Args:
        config: what to evaluate on and how.
        release: where the volumes and labels are.
        checkpoints: folders of models: all pre-trained, or all fine-tuned for the same task.
        out: folder for `evaluation.html` and `metrics.json`.
        report: called with every event.
        elsewhere: gives the other releases that models were trained on.
        train: trains baselines and few-shot models; needed where the configuration asks for them.
        recipe: budget of few-shot models; needed where the configuration asks for them.

    Raises:
        TrainingError: if the split holds nothing to score, it is not proved that the checkpoints have not seen it, or
            they cannot be compared.
    """
    given = [checkpoint.load(folder) for folder in checkpoints]
    _comparable(given)
    everyone = _everyone(config, release)
    proofs = prove(config, release, everyone, given, elsewhere)
    report({"event": "proved", "checkpoints": len(proofs), "volumes": len(everyone)})
    members, skipped = usable_people(release, everyone)
    together = studies(members) if any(map(on_studies, given)) else []
    asked = Asked(config, release, members, together, elsewhere, report)

    loaded = [*given, *_baselines(asked, given, train)]
    proofs |= prove(config, release, everyone, loaded[len(given) :], elsewhere)
    examiners = [_examiner(asked, found) for found in loaded]
    scored = [_scored(asked, examiner) for examiner in examiners]
    shots, more = _few_shot(asked, given, recipe, train)
    metrics = {
        **_about(asked, loaded, proofs | more, skipped),
        **_compared(asked, loaded, examiners, scored),
        "few_shot": shots,
        "trained_to_compare": [*(c.manifest.name for c in loaded[len(given) :]), *(row["model"] for row in shots)],
    }
    _write(out, metrics, scored, loaded, examiners[0])
    report({"event": "finished", "folder": str(out)})
    return Result(out.name, out, None, _summary(metrics))


def _everyone(config: EvaluateConfig, release: Source) -> list[Person]:
    everyone = people(release, config.split, sealed_ok=config.split == "test")
    if not everyone:
        raise TrainingError(
            f"found no volume in split {config.split} of release {release.manifest.name}, needed at least one; "
            "evaluate another split, or freeze a release with larger ones"
        )
    return everyone


def _compared(
    asked: Asked, loaded: Sequence[Checkpoint], examiners: Sequence[Examiner], scored: Sequence[Scored]
) -> dict[str, Any]:
    """Numbers of each checkpoint, and what tells them apart: differences, seeds, disturbances, strata, worst cases."""
    config, first = asked.config, scored[0]
    told = _strata(asked, scored)
    return {
        "main": list(first.main),
        "checkpoints": {s.name: _numbers(s, c, config) for s, c in zip(scored, loaded, strict=True)},
        "differences": _differences(scored, config),
        "seeds": seeds.told(scored, seeds.groups(loaded), config),
        "robustness": _robustness(asked, examiners, scored),
        "left_out": _left_out(asked, loaded[0].manifest.task),
        "strata": told,
        "strata_unknown": "nothing is known of the scanners and persons" if first.main and not told else None,
        "worst": [first.volumes[place] for place in _worst(first, config.worst)],
    }


def _write(
    out: Path, metrics: Mapping[str, Any], scored: Sequence[Scored], loaded: Sequence[Checkpoint], first: Examiner
) -> None:
    """The page, with the first checkpoint's worst cases pictured, and then the numbers."""
    places = _worst(scored[0], metrics["config"]["worst"])
    pictures = [first.picture(scored[0], place) for place in places]
    write_atomically(out / PAGE, page.render(out.name, metrics, scored, loaded, pictures).encode())
    write_atomically(out / METRICS, json.dumps(metrics, indent=1, allow_nan=False).encode())


def _summary(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What of the numbers a catalogue shows: the main measure of each checkpoint; all are in the file."""
    kept = ("release", "split", "kind", "task", "subjects", "volumes", "differences", "trained_to_compare")
    checkpoints: dict[str, Any] = {name: {} for name in metrics["checkpoints"]}
    for name, numbers in metrics["checkpoints"].items():
        told = numbers
        for part in metrics["main"]:
            told = told[part]
        if metrics["main"]:
            _put(checkpoints[name], tuple(metrics["main"]), told)
    return {name: metrics[name] for name in kept} | {
        "proved": all(proof["holds"] for proof in metrics["proof"].values()),
        "checkpoints": checkpoints,
        "few_shot": {row["model"]: row["value"] for row in metrics["few_shot"]},
    }


def _comparable(given: Sequence[Checkpoint]) -> None:
    kinds = {"pretrained" if c.manifest.kind == "pretrained" else finetuned.judged_as(c.manifest.task) for c in given}
    if len(kinds) > 1:
        raise TrainingError(
            f"found checkpoints of different tasks ({', '.join(sorted(kinds))}), needed the same; evaluate them apart"
        )
    names = [c.manifest.name for c in given]
    if twice := {name for name in names if names.count(name) > 1}:
        raise TrainingError(f"found {', '.join(sorted(twice))} twice, needed each checkpoint once")
    classes = {json.dumps(c.config.get("classes"), sort_keys=True) for c in given}
    if len(classes) > 1:
        raise TrainingError("found checkpoints with different classes, needed the same; evaluate them apart")


def _baselines(asked: Asked, given: Sequence[Checkpoint], train: baselines.Train | None) -> list[Checkpoint]:
    """Baselines of the first configuration, one a seed; those of pre-trained ones go with their few labels."""
    if given[0].manifest.kind == "pretrained":
        return []
    first = seeds.groups(given)[0]
    mine = [c for c in given if c.manifest.name in first]
    planned = [plan for c in mine for plan in baselines.of_finetuned(c, asked.config)]
    there = {c.manifest.name for c in given}
    return [checkpoint.load(f) for f in baselines.trained([p for p in planned if p.name not in there], train)]


def _examiner(asked: Asked, found: Checkpoint) -> Examiner:
    if found.manifest.kind == "pretrained":
        return pretrained.examiner(found, asked.release, asked.members, asked.config, of_studies=bool(asked.studies))
    return finetuned.examiner(found, asked.release, asked.members, asked.config)


def _scored(asked: Asked, examiner: Examiner) -> Scored:
    scored = examiner.scored()
    told = {scored.main[-1]: _main(scored, asked.config)["mean"]} if scored.main else {}
    asked.report({"event": "scored", "checkpoint": scored.name, **told})
    return scored


def _main(scored: Scored, config: EvaluateConfig) -> dict[str, Any]:
    return estimate(scored.measures[scored.main], scored.subjects, config)


def _about(
    asked: Asked, loaded: Sequence[Checkpoint], proofs: Mapping[str, Proof], skipped: Mapping[str, str]
) -> dict[str, Any]:
    manifest = asked.release.manifest
    return {
        "release": manifest.name,
        "release_sha256": asked.release.sha256,
        "licences": dict(manifest.licences),
        "split": asked.config.split,
        "kind": loaded[0].manifest.kind,
        "task": loaded[0].manifest.task,
        "subjects": len({m.subject for m in asked.members}),
        "studies": len(asked.studies) or None,
        "volumes": len(asked.members),
        "skipped": dict(skipped),
        "seen": {name: proof.volumes for name, proof in proofs.items()},
        "proof": {name: proof.told() for name, proof in proofs.items()},
        "config": asked.config.model_dump(mode="json"),
        "config_sha256": asked.config.digest,
    }


def _numbers(scored: Scored, found: Checkpoint, config: EvaluateConfig) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for name, measure in scored.measures.items():
        _put(numbers, name, estimate(measure, scored.subjects, config))
    manifest = found.manifest
    return numbers | {
        "parent": manifest.parent,
        "network": found.config["config"].get("network") or found.config["config"]["model"]["encoder"],
        "labelled_subjects": found.metrics.get("subjects"),
        "parameters": found.metrics.get("parameters"),
        "steps": manifest.steps,
        "weights_sha256": manifest.weights_sha256,
        "licences": dict(manifest.licences),
        "share_models": manifest.share_models,
        "notes": dict(scored.notes),
    }


def _put(into: dict[str, Any], name: Name, value: Any) -> None:
    for part in name[:-1]:
        into = into.setdefault(part, {})
    into[name[-1]] = value


def _differences(scored: Sequence[Scored], config: EvaluateConfig) -> dict[str, Any]:
    first, *others = scored
    return {
        other.name: difference(first.measures[first.main], other.measures[other.main], first.subjects, config)
        for other in others
        if first.main
    }


def _robustness(asked: Asked, examiners: Sequence[Examiner], scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """For each disturbance and checkpoint, the main measure and its change against the undisturbed scans."""
    rows = []
    for disturbance in _disturbances(asked, scored):
        told: dict[str, Any] = {"kind": disturbance.kind, "level": disturbance.level}
        told["too_few_series"] = sum(not disturbance.remain(group) for group in asked.studies)
        pairs = [(clean, examiner.scored(disturbance)) for examiner, clean in zip(examiners, scored, strict=True)]
        told["checkpoints"] = {clean.name: _changed(clean, worse, asked.config) for clean, worse in pairs}
        asked.report({"event": "disturbed", "disturbance": f"{disturbance.kind}: {disturbance.level}"})
        rows.append(told)
    return rows


def _changed(clean: Scored, worse: Scored, config: EvaluateConfig) -> dict[str, Any]:
    """The main measure of worse scans and its change; None where nothing that it is asked of is left."""
    was, now = clean.measures[clean.main], worse.measures.get(clean.main)
    if now is None:
        return {"value": None, "change": None}
    value, change = estimate(now, clean.subjects, config), difference(now, was, clean.subjects, config)
    return {"value": value, "change": change}


def _disturbances(asked: Asked, scored: Sequence[Scored]) -> list[Disturbance]:
    judged = scored[0].main and scored[0].main != ("mean_psnr",)
    found = disturbances(asked.config, of_studies=bool(asked.studies)) if judged else []
    return [disturbance for disturbance in found if _possible(disturbance, asked)]


def _possible(disturbance: Disturbance, asked: Asked) -> bool:
    """Whether something remains of one study at least."""
    return not asked.studies or any(disturbance.remain(group) for group in asked.studies)


def _left_out(asked: Asked, task: str) -> dict[str, str]:
    """Disturbances that were asked for and are none of these checkpoints'."""
    if task == "restoration":
        return {"robustness": "restoration is judged under noise already"}
    if not asked.config.robustness.missing_series:
        return {}
    if not asked.studies:
        return {"missing series": "volumes are scored one by one, none is shown beside others of its study"}
    found = disturbances(asked.config, of_studies=True)
    return {f"{d.kind} ({d.level})": "no study has more series than that" for d in found if not _possible(d, asked)}


def _strata(asked: Asked, scored: Sequence[Scored]) -> dict[str, Any]:
    rows = asked.release.described([m.volume for m in asked.members])
    return {s.name: found for s in scored if s.main and (found := strata(s, rows, asked.config))}


def _few_shot(
    asked: Asked, given: Sequence[Checkpoint], recipe: FinetuneConfig | None, train: baselines.Train | None
) -> tuple[list[dict[str, Any]], dict[str, Proof]]:
    """Segmentation from few labels, each number of labels and way of starting a row, and proofs of the models."""
    if given[0].manifest.kind != "pretrained" or not asked.config.few_shot:
        return [], {}
    if recipe is None:
        raise TrainingError("few_shot: found no recipe of fine-tuning, needed one; evaluate as a job")
    rows: list[dict[str, Any]] = []
    proofs: dict[str, Proof] = {}
    for parent in given:
        planned = baselines.of_pretrained(parent, recipe, asked.config)
        found = [checkpoint.load(folder) for folder in baselines.trained(planned, train)]
        proofs |= prove(asked.config, asked.release, asked.members, found, asked.elsewhere)
        scored = [_scored(asked, _examiner(asked, c)) for c in found]
        best = {p.labels: s for p, s in zip(planned, scored, strict=True) if p.what == "finetuned"}
        for plan, own in zip(planned, scored, strict=True):
            told = {"checkpoint": parent.manifest.name, "model": own.name, "what": plan.what, "labels": plan.labels}
            against = best.get(plan.labels)
            gap = _differences([against, own], asked.config)[own.name] if against and against is not own else None
            rows.append({**told, "value": _main(own, asked.config), "finetuned_minus_this": gap})
    return rows, proofs


def _worst(scored: Scored, count: int) -> list[int]:
    """Places of the items with the worst value of the main measure, worst first; none where it is no mean of items."""
    measure = scored.measures.get(scored.main)
    if measure is None or measure.values is None:
        return []
    badness = -measure.values if measure.better == "higher" else measure.values
    known = [i for i in range(len(badness)) if badness[i] == badness[i]]
    return sorted(known, key=lambda i: -badness[i])[:count]
