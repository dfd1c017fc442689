"""Exposures of lakes that were recorded before sets were: `audit/exposures`, a row for each model and volume.

Belongs here: reading such rows as sets. Nothing writes them any more, and they stay: they are evidence.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyroaring import BitMap

from lake.zones import Lake
from lineage.exposures import register
from lineage.exposures.sets import packed, passes
from lineage.exposures.training import Checkpoint, Name, Training
from schemas.tables import EXPOSURES


@dataclass(frozen=True)
class Older:
    """What older rows say.

    Attributes:
        checkpoints: their checkpoints, ancestors' trainings among the trainings of each.
        volumes: the register, with volumes added that only older rows name.
        sets: what was served, by digest.
    """

    checkpoints: list[Checkpoint]
    volumes: pa.Table
    sets: Mapping[str, BitMap]


def read(lake: Lake) -> Older | None:
    """What older rows say; None where there are none."""
    table = lake.table(EXPOSURES)
    rows = table.rows() if table.exists() else []
    if not rows:
        return None
    known = register.volumes(lake)
    numbers = register.numbers(known)
    first = len(numbers)
    counts: dict[Name, dict[Name, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        number = numbers.setdefault(tuple(row[name] for name in register.KEYS), len(numbers))
        counts[row["model"], row["checkpoint"]][row["via"], row["release"]][number] = row["samples"]
    sets: dict[str, BitMap] = {}
    checkpoints = [
        Checkpoint(model, weights, (), tuple(_training(via, release, of, sets) for (via, release), of in each.items()))
        for (model, weights), each in counts.items()
    ]
    return Older(checkpoints, pa.concat_tables([known, _rows(numbers, first).cast(known.schema)]), sets)


def _training(via: str, release: str, counts: Mapping[int, int], sets: dict[str, BitMap]) -> Training:
    found = passes(counts)
    digests = [packed(each.volumes)[0] for each in found]
    sets.update(zip(digests, (each.volumes for each in found), strict=True))
    return Training(via, release, tuple(each.times for each in found), tuple(digests))


def _rows(numbers: Mapping[register.Key, int], first: int) -> pa.Table:
    """Volumes from a number on, as rows of the register."""
    new = [(number, *values) for values, number in numbers.items() if number >= first]
    columns = list(zip(*new, strict=True)) or [()] * (1 + len(register.KEYS))
    types = [pa.int64(), *[pa.string()] * len(register.KEYS)]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=["number", *register.KEYS])
