"""What a withdrawal's plan costs over 200,000 volumes in 400 deliveries, of a person, a delivery and a licence.

Belongs here: an invented lake under the real contracts, voxels left tiny, since a plan reads none. Who saw whom is
`benchmarks.exposures`.
"""

import base64
import hashlib
import statistics
import tempfile
import time

import numpy as np
import pyarrow as pa

from lake.zones import Lake
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.plan import plan
from schemas.contract import Table
from schemas.tables import DECISIONS, IDENTIFIERS, INSTANCES, RECEIVED, SERIES, VOLUMES

DELIVERIES, VOLUMES_EACH, INSTANCES_EACH, VOLUMES_A_SUBJECT = 400, 500, 10, 4
"""200,000 volumes of 50,000 subjects and 2,000,000 instances."""

ROUNDS = 3


def run() -> str:
    """Build the lake, plan, and give the table."""
    with tempfile.TemporaryDirectory() as folder:
        build(Lake.open(folder))
        return measured(folder)


def measured(folder: str) -> str:
    """Plans of a lake that was built."""
    lines = [f"### Plans over {DELIVERIES * VOLUMES_EACH:,} volumes in {DELIVERIES} deliveries"]
    lines += ["| of | partitions that hold it | s, median (max) | s of CPU, median |", "|---|---|---|---|"]
    scopes = [
        Scope(Kind.SUBJECT, _subject(DELIVERIES // 2, 3)),
        Scope(Kind.DELIVERY, _name(DELIVERIES // 3)),
        Scope(Kind.LICENCE, "licence-3"),
    ]
    for scope in scopes:
        spent, cpu, holdings = zip(*(_planned(folder, scope) for _ in range(ROUNDS)), strict=True)
        told = f"{statistics.median(spent):.1f} ({max(spent):.1f})"
        lines.append(f"| a {scope.kind} | {holdings[0]} | {told} | {statistics.median(cpu):.1f} |")
    return "\n".join(lines)


def _planned(folder: str, scope: Scope) -> tuple[float, float, int]:
    """Seconds of a plan from nothing opened, by the clock and of CPU, and the partitions of tables that hold it."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = plan(Lake.open(folder), scope)
    return time.perf_counter() - wall, time.process_time() - cpu, len(made.holdings)


def build(lake: Lake, deliveries: int = DELIVERIES) -> None:
    """Every table that has rows of persons, a commit a delivery."""
    for number in range(deliveries):
        for table, rows in _delivery(number).items():
            opened = lake.table(table)
            opened.append([opened.write(rows, {"delivery": _name(number)})])


def _delivery(number: int) -> dict[Table, pa.Table]:
    """Rows of one delivery, by table."""
    random = np.random.default_rng(number)
    volumes = np.arange(VOLUMES_EACH)
    people = [_subject(number, int(each) // VOLUMES_A_SUBJECT) for each in volumes]
    licence = f"licence-{number % 7}"
    own: dict[str, list[object]] = {
        "subject": list(people),
        "study": [f"{each}.1" for each in people],
        "series": [f"2.25.{number}.{each}" for each in volumes],
        "volume": [f"{number:08x}{each:08x}" for each in volumes],
        "licence": [licence] * VOLUMES_EACH,
        "licences": [[licence]] * VOLUMES_EACH,
        "source_deliveries": [[_name(number)]] * VOLUMES_EACH,
    }
    many = {name: [value for value in values for _ in range(INSTANCES_EACH)] for name, values in own.items()}
    count = VOLUMES_EACH * INSTANCES_EACH
    many |= {"instance": [f"2.25.9.{number}.{each}" for each in range(count)]}
    many |= {"path": [f"DICOM/{each:08}.dcm" for each in range(count)]}
    persons: dict[str, list[object]] = {"subject": list(dict.fromkeys(people))}
    return {
        RECEIVED: _filled(RECEIVED, many, random),
        IDENTIFIERS: _filled(IDENTIFIERS, persons, random),
        INSTANCES: _filled(INSTANCES, many, random),
        DECISIONS: _filled(DECISIONS, own, random),
        SERIES: _filled(SERIES, own, random),
        VOLUMES: _filled(VOLUMES, own, random),
    }


def _filled(table: Table, own: dict[str, list[object]], random: np.random.Generator) -> pa.Table:
    """Rows with some value in every other column."""
    count = len(own["subject"])
    return pa.Table.from_arrays(
        [pa.array(own.get(f.name) or _anything(f, count, random), f.type) for f in table.file_schema],
        schema=table.file_schema,
    )


def _anything(field: pa.Field, count: int, random: np.random.Generator) -> object:
    if pa.types.is_floating(field.type):
        return random.random(count)
    if pa.types.is_integer(field.type):
        return random.integers(0, 500, count)
    of = {pa.types.is_string: "one", pa.types.is_binary: b"x" * 64, pa.types.is_boolean: True, pa.types.is_list: []}
    return [next(value for kind, value in of.items() if kind(field.type))] * count


def _subject(delivery: int, number: int) -> str:
    """A code as the vault gives them: their order says nothing of when or where they came."""
    return "S" + base64.b32encode(hashlib.sha256(f"{delivery}/{number}".encode()).digest()).decode()[:12]


def _name(number: int) -> str:
    return f"d{number:06}"
