"""What the names of a NIfTI delivery and the files beside its images say, in the manner of BIDS.

Belongs here: whose an image is and of which visit, which sidecars, gradients and label maps belong to it. A delivery
need not be a BIDS dataset: a sidecar of the image's name, as dcm2niix writes it, is enough. What their content means is
`imaging.nifti.sidecar`. Text of these files is read by closed lists only and never leaves.
"""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from imaging.kinds.classify import body_part_of
from imaging.kinds.rules import load_rules
from imaging.nifti.sidecar import Beside, milliseconds, number
from lake.stores.storage import Location

ENDINGS = (".nii.gz", ".nii")
SIDECARS = (".json", ".bval", ".bvec", ".tsv")
DESCRIPTION = "dataset_description.json"
_PAGES = ("README", "README.md", "CHANGES", "LICENSE", ".bidsignore", "SHA256SUMS", "card.html")
_LARGEST_SIDECAR = 1 << 24

_ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9+]+)")
_CONTRASTS = {
    "T1w": "T1", "T2w": "T2", "PDw": "PD", "FLAIR": "FLAIR", "T2starw": "T2*", "angio": "MRA", "bold": "BOLD",
    "sbref": "BOLD", "dwi": "DWI", "ADC": "ADC", "asl": "perfusion", "m0scan": "perfusion", "swi": "SWI",
    "phasediff": "fieldmap", "phase1": "fieldmap", "phase2": "fieldmap", "magnitude1": "fieldmap",
    "magnitude2": "fieldmap", "magnitude": "fieldmap", "fieldmap": "fieldmap", "epi": "fieldmap",
}  # fmt: skip
"""Suffix to contrast in our words."""
_PARTS = {"mag": "magnitude", "phase": "phase", "real": "real", "imag": "imaginary"}
_PART_OF_SUFFIX = {"phasediff": "phase", "phase1": "phase", "phase2": "phase", "magnitude1": "magnitude",
                   "magnitude2": "magnitude", "magnitude": "magnitude"}  # fmt: skip
_MAKERS = ("Siemens", "GE", "Philips", "Canon", "Toshiba", "UIH", "Hitachi", "Bruker")
_AGE = re.compile(r"\d{1,3}(\.\d{1,4})?")
_OLDEST = 90
"""Ages above 89 are one class (45 CFR 164.514(b)(2)(i)(C))."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._/()+-]{0,63}")


def entities(path: str) -> dict[str, str]:
    """Entities of a file's name, in their order."""
    return dict(_ENTITY.findall(stem_of(path)))


def stem_of(path: str) -> str:
    """A file's name without its ending."""
    name = PurePosixPath(path).name
    for ending in (*ENDINGS, *SIDECARS):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def suffix_of(path: str) -> str:
    """What stands behind the last underscore of a name."""
    return stem_of(path).rpartition("_")[2]


def person_of(path: str) -> str:
    """What the delivery calls the person of an image: the `sub` entity, else the file's name."""
    return entities(path).get("sub") or stem_of(path)


def is_of_person(path: str, paths: frozenset[str]) -> bool:
    """Whether a sidecar is of one person: it names the person, or lies beside an image of its name."""
    return "sub" in entities(path) or _is_beside(path, paths)


def study_of(path: str) -> str:
    """What stands for the study of an image: person and session where its name states them, else its path."""
    told = entities(path)
    return f"sub-{told['sub']}/ses-{told.get('ses', '')}" if "sub" in told else path


def content(path: str, paths: frozenset[str]) -> str:
    """What a file of a NIfTI delivery is, told from its name: `sidecar`, `other` (a page), or empty: no telling."""
    if path.endswith(SIDECARS) and (_is_beside(path, paths) or DESCRIPTION in paths):
        return "sidecar"
    pages = DESCRIPTION in paths and (PurePosixPath(path).name in _PAGES or path.startswith("licences/"))
    return "other" if pages else ""


def _is_beside(path: str, paths: frozenset[str]) -> bool:
    stem = path.removesuffix(PurePosixPath(path).suffix)
    return any(stem + ending in paths for ending in ENDINGS)


def label_maps(place: Location, paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """Label maps of a delivery in the manner of BIDS (`_dseg`), with the image that each was drawn on as its series.

    The image is the one that the sidecar names (Sources), else the only one of the same session and suffix.
    """
    images = [p for p in sorted(paths) if p.endswith(ENDINGS)]
    raw = {p: None for p in images if not _is_derived(p)}
    found = {}
    for path in images:
        if suffix_of(path) == "dseg" and (image := _source(place, path, raw)):
            found[path] = {"series": image}
    return found


def _is_derived(path: str) -> bool:
    return suffix_of(path) in ("dseg", "mask", "probseg") or PurePosixPath(path).parts[0] == "derivatives"


def _source(place: Location, path: str, images: Mapping[str, None]) -> str | None:
    stated = _json(place, _of_name(path, ".json")).get("Sources")
    for source in stated if isinstance(stated, list) else []:
        name = str(source).rpartition(":")[2]
        if name in images:
            return name
    wanted = entities(path).get("desc", "")
    alike = [i for i in images if study_of(i) == study_of(path) and (not wanted or suffix_of(i) == wanted)]
    return alike[0] if len(alike) == 1 else None


def label_scheme(place: Location, paths: Iterable[str]) -> tuple[str, dict[int, str]] | None:
    """What the label maps of a delivery show, and the meaning of each value; None where they do not agree.

    A meaning must look like the name of a tissue or structure; any other text is refused.
    """
    tasks, schemes = set(), []
    for path in label_maps(place, paths):
        scheme = _scheme(place, _of_name(path, ".tsv"))
        tasks.add(entities(path).get("seg", "segmentation").lower())
        schemes.append(scheme)
    if len(tasks) != 1 or not schemes or any(scheme != schemes[0] for scheme in schemes) or not schemes[0]:
        return None
    return tasks.pop(), schemes[0]


def _scheme(place: Location, path: str) -> dict[int, str]:
    lines = [line.split("\t") for line in _text(place, path).splitlines() if line]
    if not lines or not {"index", "name"} <= set(lines[0]):
        return {}
    index, name = lines[0].index("index"), lines[0].index("name")
    rows = [row for row in lines[1:] if len(row) == len(lines[0])]
    return {int(row[index]): row[name] for row in rows if row[index].isdigit() and _NAME.fullmatch(row[name])}


def by_folder(sidecars: Iterable[str]) -> dict[str, list[str]]:
    """Sidecars of a delivery by the folder that they lie in."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sidecars:
        found[str(PurePosixPath(path).parent)].append(path)
    return found


def applying(path: str, sidecars: Mapping[str, Sequence[str]]) -> list[str]:
    """Sidecars that apply to an image, the farthest and most general first.

    Args:
        path: the image.
        sidecars: those of the delivery, as `by_folder` gives them.
    """
    near = (one for parent in PurePosixPath(path).parents for one in sidecars.get(str(parent), ()))
    return sorted((one for one in near if _applies(one, path)), key=lambda one: (one.count("/"), len(entities(one))))


def beside(place: Location, path: str, sidecars: Iterable[str]) -> Beside:
    """What the sidecars of an image say.

    Args:
        place: the delivery's folder or prefix.
        path: the image in it.
        sidecars: as `applying` gives them.
    """
    facts: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for one in sidecars:
        if one.endswith(".json"):
            facts |= _json(place, one)
        else:
            texts[PurePosixPath(one).suffix] = _text(place, one)
    part = _PARTS.get(entities(path).get("part", "")) or _PART_OF_SUFFIX.get(suffix_of(path), "unknown")
    return Beside(
        facts, texts.get(".bval"), texts.get(".bvec"), texts.get(".tsv"), part, suffix_of(path) in ("bold", "asl")
    )


def _applies(sidecar: str, image: str) -> bool:
    """Whether a sidecar is beside an image, or applies to it by inheritance.

    Source: BIDS, inheritance principle: in a folder above, of the same suffix, with no entity that the image lacks.
    """
    suffix, own = suffix_of(sidecar), suffix_of(image)
    if sidecar.endswith(".tsv"):
        suffix = "asl" if suffix == "aslcontext" else ""
    if stem_of(sidecar) == stem_of(image) and not sidecar.endswith(".tsv"):
        return PurePosixPath(sidecar).parent == PurePosixPath(image).parent
    told = entities(image)
    return suffix == own and "sub" in told and all(told.get(k) == v for k, v in entities(sidecar).items())


def series_facts(path: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of `curated/series` that an image's name and sidecar state: numbers, and words of closed lists."""
    return {
        "body_part": _body_part(facts),
        "contrast": _listed(facts, "Contrast", _contrasts()) or _CONTRASTS.get(suffix_of(path), "unknown"),
        "plane": _listed(facts, "Plane", ("axial", "coronal", "sagittal", "oblique")) or "unknown",
        "contrast_agent": _listed(facts, "ContrastAgent", ("given", "none")) or _agent(path),
        "fat_suppression": _listed(facts, "FatSuppression", ("suppressed", "none")) or "unknown",
        "dimensions": _listed(facts, "MRAcquisitionType", ("2D", "3D")) or "unknown",
        "manufacturer": next((m for m in _MAKERS if m.lower() in str(facts.get("Manufacturer", "")).lower()), None),
        "field_strength": number(facts, "MagneticFieldStrength", 0.001, 30),
        "echo_time": milliseconds(facts, "EchoTime"),
        "repetition_time": milliseconds(facts, "RepetitionTimeExcitation") or milliseconds(facts, "RepetitionTime"),
        "inversion_time": milliseconds(facts, "InversionTime"),
        "flip_angle": number(facts, "FlipAngle", 0, 360),
    }


def person_facts(place: Location, path: str) -> dict[str, Any]:
    """Age in whole years (90 is more than 89) and sex (F, M, O) of an image's person, as `participants.tsv` states."""
    lines = [line.split("\t") for line in _text(place, "participants.tsv").splitlines()]
    wanted = f"sub-{entities(path).get('sub', '')}"
    found = next((dict(zip(lines[0], row, strict=False)) for row in lines[1:] if row[0] == wanted), {})
    age, sex = found.get("age", ""), found.get("sex", "")[:1].upper()
    years = int(float(age)) if _AGE.fullmatch(age) else None
    return {"age": None if years is None else min(years, _OLDEST), "sex": sex if sex in ("F", "M", "O") else None}


def _agent(path: str) -> str:
    return "given" if "ce" in entities(path) else "unknown"


def _body_part(facts: Mapping[str, Any]) -> str:
    words = " ".join(str(facts.get(name, "")) for name in ("BodyPart", "BodyPartExamined")).lower()
    return body_part_of(words)


def _listed(facts: Mapping[str, Any], name: str, known: Collection[str]) -> str | None:
    value = facts.get(name)
    return value if isinstance(value, str) and value in known else None


@lru_cache(maxsize=1)
def _contrasts() -> frozenset[str]:
    """Contrasts that a sidecar may state: the answers of the rules that ship."""
    rules = load_rules()
    return frozenset(rule.answer for rule in (*rules.measured["contrast"], *rules.named["contrast"]))


def _of_name(image: str, ending: str) -> str:
    """The file of an image's name with another ending."""
    return image.removesuffix(".gz").removesuffix(".nii") + ending


def _json(place: Location, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_text(place, name))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(place: Location, name: str) -> str:
    """Content of a small file of a delivery; empty where there is none, it is large, or it is a link out of it."""
    if place.local and ((place.path / name).is_symlink() or not (place.path / name).is_file()):
        return ""
    try:
        usable = place.size(name) <= _LARGEST_SIDECAR
        return place.read_bytes(name).decode("utf-8", errors="replace") if usable else ""
    except FileNotFoundError:
        return ""
