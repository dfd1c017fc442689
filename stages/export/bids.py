"""Names of exported volumes, after the Brain Imaging Data Structure (BIDS 1.10).

Belongs here: from rows of `curated/volumes` and `curated/series` to data types, suffixes and entities. What the
standard has no name for, or asks facts for that nobody stated, lies in folders named `other`, see `.bidsignore`.
Sidecars are `stages.sidecars`, pages and tables `stages.export.dataset`; writing files is `stages.export.export`.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

Row = Mapping[str, Any]
Pair = tuple[Row, Row]
"""Rows of a volume and of its series, which may be empty."""

_Place = tuple[str, int, tuple[str, str], tuple[str, ...]]
"""Subject, session (0: none), data type and suffix, and the entities that whole series share."""

OTHER = ("other", "MR")
TASK = "unknown"
"""What a person did during a functional series."""
FUNCTIONAL = "BOLD"
FIELD_MAP = "fieldmap"

_ANATOMY = {
    "T1": ("anat", "T1w"),
    "T2": ("anat", "T2w"),
    "T2*": ("anat", "T2starw"),
    "PD": ("anat", "PDw"),
    "FLAIR": ("anat", "FLAIR"),
    "MRA": ("anat", "angio"),
}
_PARTS = {"phase": "phase", "real": "real", "imaginary": "imag"}
_PLANES = ("axial", "coronal", "sagittal", "oblique")
_CHEMISTRY = {"water": "water", "fat": "fat", "in-phase": "inphase", "out-of-phase": "outphase",
              "fat-fraction": "fatfraction"}  # fmt: skip
_DIRECTIONS = {"i": "LR", "i-": "RL", "j": "PA", "j-": "AP", "k": "IS", "k-": "SI"}
"""Phase encoding along RAS+ axes as the `dir` entity names it."""

_OF_FIELD_MAPS = ("phasediff", "phase1", "phase2", "magnitude1", "magnitude2")
"""Suffixes that take no more entities than acquisition, run and chunk."""
_ALLOWED = {
    "anat": frozenset({"acq", "ce", "rec", "run", "echo", "inv", "part", "chunk"}),
    "func": frozenset({"task", "acq", "ce", "rec", "dir", "run", "echo", "part", "chunk"}),
    "dwi": frozenset({"acq", "rec", "dir", "run", "part", "chunk"}),
    "fmap": frozenset({"acq", "ce", "rec", "dir", "run", "part", "chunk"}),
    "other": frozenset({"acq", "ce", "rec", "dir", "run", "echo", "inv", "part", "chunk"}),
}
"""Entities that a data type takes, as the standard's table of entities says."""
_ORDER = ("task", "acq", "ce", "rec", "dir", "run", "echo", "inv", "part", "chunk")
"""Order of entities in a name, the standard's."""


def stated(row: Row, series: Row, column: str) -> Any:
    """A fact of a volume: its own, or that of its series where the series has no other volume."""
    own = row.get(column)
    return series.get(column) if own is None and (series.get("volumes") or 1) == 1 else own


def kind_of(row: Row) -> tuple[str, str]:
    """Data type folder and suffix of a volume on its own; `other` and `MR` where BIDS has no name for it."""
    contrast, steps = row["contrast"], len(row["shape"]) == 4
    if row["kind"] == "diffusion":
        return ("dwi", "dwi") if row.get("bvecs") and steps else OTHER
    if contrast == FUNCTIONAL and steps:
        return "func", "bold"
    if set(row.get("step_kinds") or ()) & {"control", "label"}:
        # the standard's `perf` asks for labelling type and delay, which files seldom state; the order is kept beside
        return "other", "asl"
    if contrast == FIELD_MAP and row.get("phase_encoding") and row["part"] != "phase":
        return "fmap", "epi"
    return _ANATOMY.get(contrast, OTHER) if row["kind"] == "static" else OTHER


def suffixes(volumes: Sequence[Pair]) -> dict[str, tuple[str, str]]:
    """Data type folder and suffix of each volume, field maps told from the others of their study."""
    found = {row["volume"]: kind_of(row) for row, _ in volumes}
    studies: dict[Hashable, list[Pair]] = defaultdict(list)
    for row, series in volumes:
        if row["contrast"] == FIELD_MAP and found[row["volume"]] == OTHER:
            studies[row["subject"], row["study"], tuple(row["shape"])].append((row, series))
        if found[row["volume"]][1] in _ANATOMY_SUFFIXES and _inversions(row, volumes) > 2:
            found[row["volume"]] = ("anat", "IRT1")
    for maps in studies.values():
        found |= {volume: ("fmap", suffix) for volume, suffix in _field_maps(maps).items()}
    return found


_ANATOMY_SUFFIXES = frozenset(suffix for _, suffix in _ANATOMY.values())


def _inversions(row: Row, volumes: Sequence[Pair]) -> int:
    """Inversion times of a volume's series, 0 where its own is not stated: with three or more it maps T1."""
    if row.get("inversion_time") is None:
        return 0
    alike = (other for other, _ in volumes if other["series"] == row["series"])
    return len({other.get("inversion_time") for other in alike} - {None})


def _field_maps(maps: Sequence[Pair]) -> dict[str, str]:
    """Suffixes of two magnitudes and their phase difference, or two phases; nothing where it is not clear.

    Source: BIDS, field map cases 1 (phase difference) and 2 (two phases), which need both echo times.
    """
    echoes = {row["volume"]: stated(row, series, "echo_time") for row, series in maps}
    phases = [row["volume"] for row, _ in maps if row["part"] == "phase"]
    magnitudes = [row["volume"] for row, _ in maps if row["part"] == "magnitude"]
    if len(magnitudes) != 2 or len({echoes[volume] for volume in magnitudes} - {None}) != 2:
        return {}
    found = {v: f"magnitude{n}" for n, v in enumerate(sorted(magnitudes, key=echoes.__getitem__), 1)}
    if len(phases) == 1:
        return found | {phases[0]: "phasediff"}
    if len(phases) == 2 and {echoes[volume] for volume in phases} == {echoes[volume] for volume in magnitudes}:
        return found | {v: f"phase{n}" for n, v in enumerate(sorted(phases, key=echoes.__getitem__), 1)}
    return {}


def echo_times(volumes: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    """EchoTime1 and EchoTime2 in ms of each phase difference: those of the magnitudes of its study."""
    kinds = suffixes(volumes)
    places = {(r["subject"], r["study"], tuple(r["shape"]), kinds[r["volume"]][1]): (r, s) for r, s in volumes}
    found = {}
    for row, _ in volumes:
        if kinds[row["volume"]][1] == "phasediff":
            place = (row["subject"], row["study"], tuple(row["shape"]))
            one, two = (stated(*places[*place, f"magnitude{n}"], "echo_time") for n in (1, 2))
            found[row["volume"]] = (one, two)
    return found


def names(volumes: Sequence[Pair]) -> dict[str, str]:
    """Path of each volume in the folder, without the ending.

    Sessions stand in the names where a person has more than one study; their numbers follow the pseudonymous study
    UIDs and say nothing of time. Volumes of one series are told apart by echo, inversion and place (chunk); those that
    would still have one name are numbered as runs, in the order of their series and ids.

    Args:
        volumes: rows of a volume and of its series, which may be empty.

    Returns:
        Volume id to path.
    """
    studies: dict[str, set[str]] = defaultdict(set)
    for row, _ in volumes:
        studies[row["subject"]].add(row["study"])
    sessions = any(len(found) > 1 for found in studies.values())
    kinds, inside = suffixes(volumes), _inside_series(volumes)
    alike: dict[_Place, dict[Hashable, list[tuple[str, dict[str, str]]]]] = defaultdict(lambda: defaultdict(list))
    for row, series in sorted(volumes, key=lambda pair: (pair[0]["series"], pair[0]["volume"])):
        session = sorted(studies[row["subject"]]).index(row["study"]) + 1 if sessions else 0
        kind = kinds[row["volume"]]
        entities = _allowed(kind, {**_entities(row, series, kind), **inside[row["volume"]]})
        shared = tuple(value for name, value in entities.items() if name not in _INSIDE)
        whole = tuple(entities.items())
        alike[row["subject"], session, kind, shared][whole].append((row["volume"], entities))
    found = {}
    for (subject, session, kind, _), group in alike.items():
        runs = max(map(len, group.values())) > 1
        for members in group.values():
            for run, (volume, entities) in enumerate(members, 1):
                found[volume] = _path(subject, session, kind, entities | ({"run": str(run)} if runs else {}))
    return found


def label(name: str) -> str:
    """A name as a BIDS label, which has letters and digits only."""
    return "".join(character for character in name if character.isascii() and character.isalnum())


def _path(subject: str, session: int, kind: tuple[str, str], entities: Mapping[str, str]) -> str:
    folder, suffix = kind
    top = [f"sub-{label(subject)}", *([f"ses-{session}"] if session else [])]
    ordered = [f"{name}-{entities[name]}" for name in _ORDER if name in entities]
    return str(PurePosixPath(*top, folder, "_".join([*top, *ordered, suffix])))


def _entities(row: Row, series: Row, kind: tuple[str, str]) -> dict[str, str]:
    """What a volume's name says of it, whatever else its series holds."""
    plane = series["plane"] if series.get("plane") in _PLANES else ""
    coil = label(str(row.get("coil") or ""))
    found = {
        "task": TASK if kind[1] == "bold" else "",
        "acq": plane + (f"coil{coil}" if coil else ""),
        "ce": "agent" if series.get("contrast_agent") == "given" else "",
        "rec": _CHEMISTRY.get(row.get("chemistry") or "", ""),
        "dir": _DIRECTIONS.get(row.get("phase_encoding") or "", ""),
        "part": _PARTS.get(row["part"], ""),
    }
    return {name: value for name, value in found.items() if value}


def _allowed(kind: tuple[str, str], entities: dict[str, str]) -> dict[str, str]:
    folder, suffix = kind
    allowed = frozenset({"acq", "run", "chunk"}) if suffix in _OF_FIELD_MAPS else _ALLOWED[folder]
    if folder == "anat":
        allowed -= {"echo"} if suffix == "IRT1" else {"inv"}
    return {name: value for name, value in entities.items() if name in allowed}


def _inside_series(volumes: Sequence[Pair]) -> dict[str, dict[str, str]]:
    """Which echo, inversion and chunk of its series each volume is; nothing where all are alike."""
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for row, _ in volumes:
        groups[row["subject"], row["series"], row["part"], row.get("chemistry"), row.get("coil")].append(row)
    found: dict[str, dict[str, str]] = {row["volume"]: {} for row, _ in volumes}
    for rows in groups.values():
        for name, fact in _INSIDE.items():
            values = sorted({fact(row) for row in rows} - {None})
            for row in rows if len(values) > 1 else ():
                if fact(row) is not None:
                    found[row["volume"]][name] = str(values.index(fact(row)) + 1)
    return found


_INSIDE: Mapping[str, Callable[[Row], Any]] = {
    "echo": lambda row: row.get("echo_time"),
    "inv": lambda row: row.get("inversion_time"),
    "chunk": lambda row: tuple(row["affine"]) if row.get("affine") else None,
}
"""Entities that tell the volumes of a series apart, and the fact that each stands for."""
