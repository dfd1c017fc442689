"""What the tests of volumes share: small label maps in a table."""

import numpy as np
import pytest

from lake.voxels import payload
from lake.zones import Lake
from schemas.tables import LABELS
from tests import synthetic


def label_row(name, array, **changes):
    """A row of `curated/labels`."""
    frame = payload.encode(array)
    facts = {
        field.name: "x"
        for field in LABELS.arrow_schema
        if not field.nullable and str(field.type) == "string" and field.name != "delivery"
    }
    return facts | {
        "label": name, "scheme": "{}", "counts": "{}", "shape": list(array.shape),
        "affine": np.eye(4).ravel().tolist(), "voxels_bytes": len(frame), "voxels": frame,
    } | changes  # fmt: skip


def labelled(lake, delivery, names, seed=0):
    """A delivery of label maps; gives their arrays."""
    random = np.random.default_rng(seed)
    arrays = {name: random.integers(0, 9, (70, 40, 33)).astype(np.uint8) for name in names}
    table = lake.table(LABELS)
    partition = {"delivery": delivery}
    rows = [label_row(name, array) for name, array in arrays.items()]
    table.replace(partition, [table.write(rows, partition)] if rows else [])
    return arrays


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory):
    """A lake of four deliveries, and releases of three choices of them; to be copied, never changed."""
    lake = Lake.open(tmp_path_factory.mktemp("cohorts") / "lake")
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b b": ["S3", "S4"], "c": ["S5", "S6", "S7"], "d": ["S8", "S9", "SA"]})
    for name, deliveries in (("cohort", ["a", "b b"]), ("everything", []), ("c", ["c"]), ("d", ["d"])):
        synthetic.frozen(lake, name, deliveries=deliveries, splits=(0.4, 0.3, 0.3))
    return lake
