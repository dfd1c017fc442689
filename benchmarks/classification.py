"""Classification: how many series are named rightly, how many not at all, how many wrongly, question by question.

Three corpora. Phantoms of every dialect, where the truth is what was scanned. Real series beside the project, where it
is what their names and sidecars say (`SHARED`). Acquisitions from public sidecars (`acquisitions.csv`): numbers and
codes as scanners wrote them, the BIDS suffix or file name as the truth, no descriptions. Rules were tuned on one half;
the other was read after that and no rule was changed for it, though some later were for other reasons, and several
sources are in both. Names are then taken away, those of sequences too, and then replaced by ones that say something
else.
"""

import csv
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.headers import HeaderReader
from imaging.kinds.classify import Classification, classify
from imaging.phantom import BodyPart, PhantomConfig, generate
from schemas.classification import QUESTIONS

SURE = 0.7
"""Errors at this confidence or more count as confident ones."""

ACQUISITIONS = Path(__file__).with_name("acquisitions.csv")
_DATA = Path(__file__).parent.parent.parent / "shared" / "data"
_EPI = {"contrast": "BOLD", "dimensions": "2D", "part": "magnitude", "plane": "axial"}
_GE, _SIEMENS, _TS = "dcm_qa_nih/In/20180918GE/", "dcm_qa_nih/In/20180918Si/", "dcm_qa_ts/In/"
SHARED: dict[str, dict[str, str]] = {
    **{f"{_GE}mr_000{n}": {**_EPI, "body_part": "brain"} for n in (4, 5, 6, 7)},
    **{f"{_SIEMENS}mr_000{n}": {**_EPI, "body_part": "brain", "fat_suppression": "suppressed"} for n in (3, 4, 5, 6)},
    "dcm_qa_enh/In/Philips": {"contrast": "fieldmap", "dimensions": "3D", "plane": "axial", "body_part": "brain"},
    "dcm_qa_enh/In/Siemens/XA10": {**_EPI, "body_part": "brain", "fat_suppression": "suppressed"},
    **{f"{_TS}{n}.dcm": {**_EPI, "fat_suppression": "suppressed"} for n in range(1, 10)},
}
"""Folder or file of a series to what it is, by names, sidecars and ScanOptions of its reference."""

_MISLEADING = {
    "T1": "cor t2 tse lspine", "T2": "sag t1 mprage lspine", "FLAIR": "cor t1 vibe lspine", "PD": "cor dwi lspine",
    "DWI": "sag t1 mprage lspine", "BOLD": "sag t2 tse lspine",
}  # fmt: skip
"""A name that is wrong in contrast, body part and, for axial series, plane."""


@dataclass(frozen=True)
class Case:
    """A series with what it is.

    Attributes:
        headers: its headers.
        truth: question to answer, of those whose answer is known; answers that are both right with a bar between.
    """

    headers: Sequence[Header]
    truth: Mapping[str, str]


def run() -> str:
    """Measure, and give the tables."""
    corpora = {
        "phantoms": list(phantoms()),
        "shared series": list(shared()),
        "public acquisitions, tuned on": list(acquisitions("tuned")),
        "public acquisitions, untouched": list(acquisitions("held")),
    }
    lines = [
        f"| corpus | names | question | series | right | unknown | wrong | wrong at {SURE} or more |",
        "|" + "---|" * 8,
    ]
    for corpus, cases in corpora.items():
        variants = VARIANTS if corpus in ("phantoms", "shared series") else {"none": VARIANTS["none"]}
        for variant, change in variants.items():
            for question, scores in tally(cases, change).items():
                counts = " | ".join(str(scores[kind]) for kind in ("right", "unknown", "wrong", "sure"))
                lines.append(f"| {corpus} | {variant} | {question} | {scores['all']} | {counts} |")
    return "\n".join(lines)


def tally(cases: Sequence[Case], change: Callable[[Case], Sequence[Header]]) -> dict[str, Counter[str]]:
    """Scores by question: all, right, unknown, wrong, and sure for the wrong ones that were sure."""
    scores: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        for question, kinds in scored(classify(change(case)), case.truth).items():
            scores[question].update(kinds)
    return {question: scores[question] for question in QUESTIONS if question in scores}


def scored(found: Classification, truth: Mapping[str, str]) -> dict[str, list[str]]:
    """What each answer counts as."""
    kinds = {}
    for question, right in truth.items():
        answer = getattr(found, question)
        kind = "right" if answer.value in right.split("|") else "unknown" if answer.value == "unknown" else "wrong"
        sure = ["sure"] if kind == "wrong" and answer.confidence >= SURE else []
        kinds[question] = ["all", kind, *sure]
    return kinds


def _named(name: str, sequence: bool) -> Callable[[Case], Sequence[Header]]:
    """A change that gives a series another description, and no sequence name where told."""

    def renamed(header: Header) -> Header:
        kept = header.sequence_name if sequence else ""
        return replace(header, series_description=name, protocol_name=name, sequence_name=kept)

    return lambda case: [renamed(header) for header in case.headers]


VARIANTS: dict[str, Callable[[Case], Sequence[Header]]] = {
    "as they are": lambda case: case.headers,
    "none": _named("", sequence=True),
    "none, of sequences neither": _named("", sequence=False),
    "misleading": lambda case: _named(_MISLEADING.get(case.truth["contrast"], "sag t1 mprage lspine"), True)(case),
}


def phantoms() -> Iterator[Case]:
    """Series of phantoms of every dialect, heads and knees."""
    with tempfile.TemporaryDirectory() as folder:
        config = PhantomConfig(
            "bench", subjects=15, matrix=24, slices=8, faults=False, body_parts=(BodyPart.HEAD,) * 2 + (BodyPart.KNEE,)
        )
        made = generate(Path(folder) / config.name, Path(folder) / "answers", config)
        series = json.loads((made.answers / "truth.json").read_text(encoding="utf-8"))
        headers = _by_series(made.folder)
        for uid, facts in series.items():
            truth = {name: facts[name] for name in ("contrast", "plane", "body_part")} | {"dimensions": "2D"}
            truth["body_part"] = truth["body_part"].replace("head", "brain|head")  # both are stated for a head
            yield Case(headers[uid], truth)


def shared() -> Iterator[Case]:
    """Real series, where they are there."""
    for place, truth in SHARED.items():
        if (_DATA / place).exists():
            for headers in _by_series(_DATA / place).values():
                yield Case(headers, truth)


def _by_series(place: Path) -> dict[str, list[Header]]:
    reader, found = HeaderReader(), defaultdict(list)
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        try:
            header = reader.read(path.read_bytes()) if path.is_file() else None
        except ImagingError:
            continue
        if header is not None:
            found[header.series_uid].append(header)
    return found


def acquisitions(half: str) -> Iterator[Case]:
    """One header for each public acquisition of a half: tuned or held."""
    with ACQUISITIONS.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["half"] == half:
                yield Case([header_of(row)], {"contrast": row["truth"]})


def header_of(row: Mapping[str, str]) -> Header:
    """The header that an acquisition's numbers and codes make; one axial slice."""

    def words(name: str) -> tuple[str, ...]:
        return tuple(row[name].split("\\")) if row[name] else ()

    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Header(
        manufacturer=row["vendor"],
        scanning_sequence=words("sequence"),
        sequence_variant=words("variant"),
        scan_options=words("options"),
        image_type=words("image_type"),
        acquisition_type=row["dimensions"],
        echo_time=number("echo_time"),
        repetition_time=number("repetition_time"),
        inversion_time=number("inversion_time"),
        flip_angle=number("flip_angle"),
        echo_train=int(row["echo_train"]) if row["echo_train"] else None,
        slice_thickness=number("thickness"),
        b_value=number("b_value"),
        sequence_name=row["sequence_name"],
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        position=(0.0, 0.0, 0.0),
    )
