"""What a table says of a cleaned file: the columns of `schemas.tables.INSTANCES` that come from the header.

Belongs here: reading values that left the treatment. Nothing here sees an original value.
"""

import struct
from collections.abc import Mapping

Facts = Mapping[int, tuple[str, bytes]]
"""Cleaned values by tag: value representation and bytes, the first of each tag, nested ones included."""

_NUMBERS = {
    "field_strength": (0x00180087,),
    "echo_time": (0x00180081, 0x00189082),
    "repetition_time": (0x00180080,),
    "inversion_time": (0x00180082, 0x00189079),
    "flip_angle": (0x00181314,),
    "weight": (0x00101030,),
    "height": (0x00101020,),
}
_WHOLE = {
    "series_number": (0x00200011,),
    "instance_number": (0x00200013,),
    "rows": (0x00280010,),
    "columns": (0x00280011,),
    "frames": (0x00280008,),
}
_TEXTS = {
    "study": 0x0020000D,
    "series": 0x0020000E,
    "instance": 0x00080018,
    "sop_class": 0x00080016,
    "modality": 0x00080060,
    "manufacturer": 0x00080070,
    "model": 0x00081090,
    "series_description": 0x0008103E,
    "sex": 0x00100040,
    "study_date": 0x00080020,
}
_AGE = 0x00101010
_FORMATS = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FL": "<f", "FD": "<d"}


def columns(facts: Facts, transfer_syntax: str) -> dict[str, object]:
    """Columns by name; None where the header says nothing. `frames` is 1 and `modality` MR where absent."""
    row: dict[str, object] = {name: _text(facts, tag) for name, tag in _TEXTS.items()}
    row |= {name: _number(facts, tags) for name, tags in _NUMBERS.items()}
    row |= {name: _integer(facts, tags) for name, tags in _WHOLE.items()}
    row["frames"] = row["frames"] or 1
    row["modality"] = row["modality"] or "MR"
    row["age"] = _years(_text(facts, _AGE))
    row["transfer_syntax"] = transfer_syntax
    return row


def _text(facts: Facts, tag: int) -> str | None:
    return facts[tag][1].decode().strip(" \0") or None if tag in facts else None


def _number(facts: Facts, tags: tuple[int, ...]) -> float | None:
    for tag in tags:
        if tag in facts and (value := _first(*facts[tag])) is not None:
            return value
    return None


def _integer(facts: Facts, tags: tuple[int, ...]) -> int | None:
    value = _number(facts, tags)
    return None if value is None else int(value)


def _first(vr: str, value: bytes) -> float | None:
    if form := _FORMATS.get(vr):
        return float(struct.unpack_from(form, value)[0]) if len(value) >= struct.calcsize(form) else None
    first = value.split(b"\\")[0].strip(b" \0")
    return float(first) if first else None


def _years(age: str | None) -> int | None:
    if age is None:
        return None
    count, unit = int(age[:3]), age[3]
    return {"Y": count, "M": count // 12, "W": count * 7 // 365, "D": count // 365}[unit]
