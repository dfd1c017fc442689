"""Questions to a lake of a million instances and a hundred thousand series, and commits of deliveries to it.

Belongs here: metadata of many invented deliveries, written under the real contracts and committed by the lake's own
path. What a whole delivery costs in a crowded lake is `benchmarks.crowded`.
"""

import base64
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa

from lake.zones import Lake
from schemas.contract import Table
from schemas.tables import INSTANCES, SERIES

DELIVERIES, SERIES_EACH, INSTANCES_EACH = 1_000, 100, 10
"""1,000,000 instances of 100,000 series of 20,000 subjects."""

SUBJECTS_EACH = 20
ROUNDS = 5

QUESTIONS = {
    "cohort: T1 heads at 3 T without contrast agent, ages 20 to 60, one licence": (
        "SELECT delivery, series, subject FROM series WHERE body_part = 'head' AND contrast = 'T1' "
        "AND field_strength BETWEEN 2.9 AND 3.1 AND contrast_agent = 'none' AND age BETWEEN 20 AND 60 "
        "AND licence = 'licence-3'"
    ),
    "series by licence": "SELECT licence, count(*) AS series, sum(instances) AS instances FROM series GROUP BY licence",
    "instances by licence": "SELECT licence, count(*) AS instances FROM instances GROUP BY licence",
    "one subject's series": "SELECT * FROM series WHERE subject = '{subject}'",
    "one subject's instances": "SELECT * FROM instances WHERE subject = '{subject}'",
}


def run() -> str:
    """Build the lake, ask, commit, and give the table."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder)
        build(lake)
        subject = _subject(DELIVERIES // 2, 3)
        lines = ["### Questions to 1,000,000 instances and 100,000 series", "| question | rows | s, median |"]
        lines.append("|---|---|---|")
        for name, sql in QUESTIONS.items():
            lines.append(_line(name, partial(_asked, folder, sql.format(subject=subject))))
        lines += ["", "### Commits of one more delivery", "| table | ms, median (max) |", "|---|---|"]
        for table in (INSTANCES, SERIES):
            spent = sorted(_committed(lake, table, number) for number in range(20))
            lines.append(f"| {table.name} | {statistics.median(spent):.0f} ({spent[-1]:.0f}) |")
        return "\n".join(lines)


def build(lake: Lake, deliveries: int = DELIVERIES) -> None:
    """Instances and series of many deliveries, in one commit a table."""
    for table, rows in ((SERIES, _series), (INSTANCES, _instances)):
        opened = lake.table(table)
        opened.append([opened.write(rows(number), {"delivery": f"d{number:06}"}) for number in range(deliveries)])


def _asked(folder: str, question: str) -> int:
    """Rows of the answer, from nothing opened."""
    return int(Lake.open(folder).sql(question).num_rows)


def _line(name: str, ask: Callable[[], int]) -> str:
    spent = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        rows = ask()
        spent.append(time.perf_counter() - start)
    return f"| {name} | {rows} | {statistics.median(spent):.2f} |"


def _committed(lake: Lake, table: Table, number: int) -> float:
    """Milliseconds that making a delivery's rows the content of its partition takes once they are written."""
    rows, partition = (_series if table is SERIES else _instances)(DELIVERIES + number), {"delivery": f"new{number}"}
    opened = lake.table(table)
    part = opened.write(rows, partition)
    start = time.perf_counter()
    opened.replace(partition, [part])
    return 1e3 * (time.perf_counter() - start)


def _subject(delivery: int, number: int) -> str:
    """A code as the vault gives them: their order says nothing of when or where they came."""
    return "S" + base64.b32encode(hashlib.sha256(f"{delivery}/{number}".encode()).digest()).decode()[:12]


def _series(delivery: int) -> pa.Table:
    """Series of a delivery, every column of the contract."""
    random = np.random.default_rng(delivery)
    count = SERIES_EACH

    def pick(*values: object) -> list[object]:
        return [values[i] for i in random.integers(0, len(values), count)]

    own: dict[str, object] = {
        "subject": [_subject(delivery, i % SUBJECTS_EACH) for i in range(count)],
        "study": [f"2.25.{delivery}.{i % SUBJECTS_EACH}" for i in range(count)],
        "series": [f"2.25.{delivery}.{i % SUBJECTS_EACH}.{i}" for i in range(count)],
        "body_part": pick("head", "knee", "spine", "abdomen", "unknown"),
        "plane": pick("axial", "coronal", "sagittal"),
        "contrast": pick("T1", "T2", "FLAIR", "DWI", "PD"),
        "contrast_agent": pick("given", "none", "unknown"),
        "field_strength": pick(1.5, 3.0),
        "age": random.integers(18, 90, count),
        "sex": pick("F", "M"),
        "licence": [f"licence-{delivery % 7}"] * count,
        "instances": [INSTANCES_EACH] * count,
    }
    return _filled(SERIES, own, count, random)


def _instances(delivery: int) -> pa.Table:
    """Instances of a delivery, with bytes that stand for files."""
    random = np.random.default_rng(delivery)
    count = SERIES_EACH * INSTANCES_EACH
    series = [i // INSTANCES_EACH for i in range(count)]
    own: dict[str, object] = {
        "subject": [_subject(delivery, i % SUBJECTS_EACH) for i in series],
        "study": [f"2.25.{delivery}.{i % SUBJECTS_EACH}" for i in series],
        "series": [f"2.25.{delivery}.{i % SUBJECTS_EACH}.{i}" for i in series],
        "instance": [f"2.25.{delivery}.{number}" for number in range(count)],
        "licence": [f"licence-{delivery % 7}"] * count,
        "modality": ["MR"] * count,
        "age": random.integers(18, 90, count),
    }
    return _filled(INSTANCES, own, count, random)


def _filled(table: Table, own: dict[str, object], count: int, random: np.random.Generator) -> pa.Table:
    """Rows with values in every other column that needs one, and in those of numbers."""
    arrays = []
    for field in table.file_schema:
        if field.name in own:
            arrays.append(pa.array(own[field.name], field.type))
        elif pa.types.is_floating(field.type):
            arrays.append(pa.array(random.random(count), field.type))
        elif pa.types.is_integer(field.type):
            arrays.append(pa.array(random.integers(0, 500, count), field.type))
        elif pa.types.is_string(field.type):
            arrays.append(pa.array([f"{field.name}-1"] * count, field.type))
        elif pa.types.is_binary(field.type):
            arrays.append(pa.array([b"DICM" * 16] * count, field.type))
        else:
            arrays.append(pa.nulls(count, field.type))
    return pa.Table.from_arrays(arrays, schema=table.file_schema)
