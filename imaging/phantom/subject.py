"""One subject's part of a delivery: files, report, labels, truth.

Belongs here: from a study to everything that is delivered of it. Writing it to a folder is
`imaging.phantom.delivery`.
"""

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from imaging.phantom.acquire import acquire
from imaging.phantom.answers import AnswerKey, Kind, Planter
from imaging.phantom.config import Part, PhantomConfig
from imaging.phantom.dialects import SCANNERS
from imaging.phantom.faults import Damage, Fault, Outcome, damage_series, strays
from imaging.phantom.images import images
from imaging.phantom.reports import report
from imaging.phantom.scan import Scan
from imaging.phantom.seeds import chosen, stream
from imaging.phantom.study import Study, study
from imaging.phantom.truth import Delivered, facts, tissue_map

FINDINGS = "findings.csv"
"""Name of the table of findings."""

SPLIT_SERIES = 0
"""Which series of the split subject comes in two deliveries."""


@dataclass(frozen=True)
class Material:
    """What a delivery holds of one subject.

    Attributes:
        files: path to content of everything DICOM or stray.
        reports: Study Instance UID to text.
        findings: rows of the table of findings.
        labels: Series Instance UID to NIfTI label map.
        truths: Series Instance UID to NIfTI tissue map.
        facts: Series Instance UID to what is true of the series.
        damages: what went wrong.
    """

    files: dict[PurePosixPath, bytes] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    labels: dict[str, bytes] = field(default_factory=dict)
    truths: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)

    def add(self, other: "Material") -> None:
        """Take in what another holds."""
        for name in ("files", "reports", "labels", "truths", "facts"):
            getattr(self, name).update(getattr(other, name))
        self.findings.extend(other.findings)
        self.damages.extend(other.damages)


def whole(config: PhantomConfig, ordinal: int, faults: list[Fault], key: AnswerKey) -> Material:
    """Everything of a subject; of the split subject, its split series only in part."""
    examined, plant, material = study(config, ordinal, SCANNERS), Planter(key, ordinal), Material()
    for scan in examined.scans:
        depth = scan.grid.shape[2]
        split = ordinal == config.split_subject and config.part is Part.FIRST and scan.index == SPLIT_SERIES
        material.add(_series(examined, scan, range(depth // 2 if split else depth), faults, plant))
    first = next(iter(material.files))
    strays(examined, faults, first.parent, plant, Outcome(material.files, material.damages))
    material.reports[examined.uid] = report(examined, plant)
    plant.text(Kind.UID, examined.uid, "reports.csv")
    for series in material.labels:
        plant.text(Kind.UID, series, "labels.csv")
    if config.findings:
        remark = f"told {plant.text(Kind.NAME, examined.person.family, FINDINGS)} by phone"
        material.findings.append((examined.uid, "yes" if examined.body.lesions else "no", remark))
    return material


def remainder(config: PhantomConfig, ordinal: int, faults: list[Fault], key: AnswerKey) -> Material:
    """The rest of the split series of a subject that another delivery holds; no faults, report or labels."""
    examined, plant = study(config, ordinal, SCANNERS), Planter(key, ordinal)
    scan = examined.scans[SPLIT_SERIES]
    depth = scan.grid.shape[2]
    return replace(_series(examined, scan, range(depth // 2, depth), faults, plant), labels={})


def _series(examined: Study, scan: Scan, slab: range, faults: list[Fault], plant: Planter) -> Material:
    config, ordinal = examined.config, examined.ordinal
    noise = stream(config.seed, "noise", ordinal, config.visit, scan.index)
    acquired = acquire(examined.body, scan, examined.scanner.field_t, config.noise, noise)
    made = list(images(examined, scan, acquired, slab, plant))
    outcome = Outcome()
    damage_series(examined, scan, made, faults, outcome)
    for image in made:
        if image.path in outcome.files:
            plant.text(Kind.UID, image.sop_uid, "(0008,0018)")
    missing = tuple(sorted({index for damage in outcome.damages for index in damage.slices}))
    copies = sum(len(d.paths) for d in outcome.damages if d.fault is Fault.EXACT_DUPLICATES)
    delivered = Delivered(slab, missing, len(made) - len(missing), copies)
    series = examined.series_uid(scan)
    truth = tissue_map(acquired.truth[slab.start : slab.stop], scan.grid.slab(slab.start, slab.stop))
    labelled = scan.contrast in config.label_contrasts and chosen(config.seed, "labelled", ordinal, config.labelled)
    return Material(
        files=outcome.files,
        labels={series: truth} if labelled else {},
        truths={series: truth},
        facts={series: facts(examined, scan, acquired, delivered)},
        damages=outcome.damages,
    )
