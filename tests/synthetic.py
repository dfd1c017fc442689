"""Small lakes made of rows alone: no DICOM, no Dagster. For tests of what comes after the stations."""

import datetime as dt
import hashlib
import json

import numpy as np

from imaging.pictures.preview import preview
from imaging.volumes.volume import Volume
from lake.voxels import payload
from lineage.terms import terms
from schemas.licence import Licence
from schemas.release import ReleaseSpec, Splits
from schemas.tables import DECISIONS, IDENTIFIERS, INSTANCES, LABELS, QUARANTINE, RECEIVED, SERIES, VOLUMES
from stages.release import freeze

SHAPE = (8, 7, 6)
AFFINE = np.array([[2.0, 0, 0, -8], [0, 2.5, 0, -9], [0, 0, 3.0, 4], [0, 0, 0, 1]])
BVALS = [0.0, 1000.0, 1000.0]
BVECS = [0.0, 0.0, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0]
SCHEME = {"0": "background", "1": "tissue"}


def licence(id_="open-licence", **changes):
    facts = {
        "id": id_, "title": f"Terms of {id_}", "licensor": "Hospital Consortium", "valid_from": dt.date(2020, 1, 1),
        "purposes": ["research", "model-training"], "train_models": True, "export": True,
        "attribution": "The Consortium",
    }  # fmt: skip
    return Licence(**facts | changes)


def know(lake, document):
    """Make a lake know a licence."""
    lake.licences.mkdir(parents=True, exist_ok=True)
    document.write(lake.licences / f"{document.id}.yaml")
    return terms.install(lake, document.id)


def volume_id(delivery, subject, contrast):
    return hashlib.sha256(f"{delivery}/{subject}/{contrast}".encode()).hexdigest()[:20]


def stored(volume, steps=1):
    """Voxels of a volume, the same for the same id."""
    random = np.random.default_rng(int(volume[:8], 16))
    shape = (*SHAPE, steps) if steps > 1 else SHAPE
    return random.integers(0, 900, shape).astype(np.int16)


def keys(delivery, subject, contrast, study=""):
    return {
        "delivery": delivery, "subject": subject, "study": f"2.25.1{study}{int(subject[1:], 36)}",
        "series": f"2.25.2{int(subject[1:], 36)}{sum(map(ord, contrast))}",
    }  # fmt: skip


def volume_row(delivery, subject, contrast="T1", of="open-licence", study="", **changes):
    diffusion = contrast == "DWI"
    name = volume_id(delivery, subject, contrast)
    array = stored(name, len(BVALS) if diffusion else 1)
    frame = payload.encode(array)
    return {
        **keys(delivery, subject, contrast, study), "volume": name, "kind": "diffusion" if diffusion else "static",
        "contrast": contrast, "body_part": "head", "part": "magnitude", "instances": 6, "sources": ["2.25.3"],
        "shape": list(array.shape), "affine": AFFINE.ravel().tolist(), "spacing": [2.0, 2.5, 3.0], "dtype": "int16",
        "slope": 1.5, "intercept": -2.0, "bvals": BVALS if diffusion else None, "bvecs": BVECS if diffusion else None,
        "times": None, "percentiles": [float(n) for n in range(9)], "mean": 4.0, "std": 1.0, "occupancy": b"\xff",
        "missing_slices": [2] if contrast == "T2" else [], "missing_axis": 2, "pixel_digest": "0" * 64,
        "preview": preview(Volume(array, AFFINE)), "licence": of, "policy": "1" * 64, "voxels_bytes": len(frame),
        "voxels": frame,
    } | changes  # fmt: skip


def series_row(row, **changes):
    """The series of a volume's row."""
    kept = (
        "delivery",
        "subject",
        "study",
        "series",
        "body_part",
        "contrast",
        "part",
        "shape",
        "spacing",
        "licence",
        "policy",
    )
    return {name: row[name] for name in kept} | {
        "plane": "axial", "contrast_agent": "unknown", "fat_suppression": "none", "dimensions": "2D",
        "evidence": "{}", "confidence": 1.0, "description": "made", "manufacturer": "Maker",
        "model": "One", "field_strength": 3.0, "echo_time": 84.0, "repetition_time": 5200.0, "inversion_time": None,
        "flip_angle": 90.0, "sex": "F", "age": 40, "instances": 6, "volumes": 1,
        "missing_slices": len(row["missing_slices"]),
    } | changes  # fmt: skip


def label_row(row):
    """A label map on a volume's row."""
    labels = (stored(row["volume"])[..., :] > 450).astype(np.uint8)
    frame = payload.encode(labels)
    kept = ("delivery", "subject", "study", "series", "volume", "affine", "licence")
    return {name: row[name] for name in kept} | {
        "label": f"l{row['volume'][:10]}", "task": "tissue", "scheme": json.dumps(SCHEME), "provenance": "made",
        "shape": list(labels.shape), "counts": "{}", "voxels_bytes": len(frame), "voxels": frame,
    }  # fmt: skip


def fill(lake, people, contrasts=("T1", "DWI"), of="open-licence"):
    """Curated tables of some subjects in some deliveries.

    Args:
        lake: the lake.
        people: delivery to subjects.
        contrasts: a volume of each for everybody; T1 has a label, T2 a missing slice.
        of: licence.
    """
    for delivery, subjects in people.items():
        volumes = [volume_row(delivery, subject, contrast, of) for subject in subjects for contrast in contrasts]
        labels = [label_row(row) for row in volumes if row["contrast"] == "T1"]
        put(lake, VOLUMES, delivery, volumes)
        put(lake, SERIES, delivery, [series_row(row) for row in volumes])
        put(lake, LABELS, delivery, labels)
        put(lake, INSTANCES, delivery, [_instance(row) for row in volumes])
        put(lake, DECISIONS, delivery, [_decision(row) for row in volumes])


def land(lake, people, of="open-licence"):
    """Landing files and restricted rows of some subjects, with one file that names nobody and is in quarantine."""
    for delivery, subjects in people.items():
        rows = [_received(delivery, subject, of) for subject in subjects]
        rows.append(_received(delivery, None, of) | {"outcome": "quarantined"})
        folder = lake.landing / delivery
        folder.mkdir(parents=True)
        (folder / "delivery.yaml").write_text("name: made\n")
        for row in rows:
            (folder / row["path"]).write_bytes(bytes(row["bytes"]))
        put(lake, RECEIVED, delivery, rows)
        put(lake, IDENTIFIERS, delivery, [{"subject": s, "kind": "name", "value": f"Doe^{s}"} for s in subjects])
        held = [rows[-1], rows[0]]
        partition = {"delivery": delivery, "stage": "received"}
        table = lake.table(QUARANTINE)
        table.replace(partition, [table.write([_held(row) for row in held], partition)])


def frozen(lake, name="cohort", *, splits=(0.5, 0.25, 0.25), labels=True, purpose="model-training", **spec):
    """A release of everything that the lake holds."""
    train, validation, test = splits
    wanted = ReleaseSpec(
        name=name, splits=Splits(train=train, validation=validation, test=test), purpose=purpose,
        label_task="tissue" if labels else None, **spec,
    )  # fmt: skip
    return freeze(lake, wanted)


def put(lake, table, delivery, rows):
    handle, partition = lake.table(table), {"delivery": delivery}
    return handle.replace(partition, [handle.write(rows, partition)] if rows else [])


def _instance(row):
    kept = {name: row[name] for name in ("delivery", "subject", "study", "series", "licence", "policy")}
    return kept | {
        "instance": f"{row['series']}.1", "sop_class": "1.2", "transfer_syntax": "1.2", "modality": "MR", "frames": 1,
        "dicom_bytes": 4, "dicom": b"DICM",
    }  # fmt: skip


def _decision(row):
    return {
        "delivery": row["delivery"], "series": row["series"], "element": "(0010,0010)", "rule": "made", "action": "X",
        "reason": "made", "standard": "Z", "kind": "name", "count": 1, "policy": row["policy"],
    }  # fmt: skip


def _received(delivery, subject, of):
    return {
        "delivery": delivery, "path": f"{subject or 'nobody'}.dcm", "bytes": 10, "sha256": "0" * 64,
        "content": "dicom", "outcome": "kept", "subject": subject, "licence": of,
    }  # fmt: skip


def _held(row):
    return {"stage": "received", "reason": "unreadable", "remedy": "ask", "path": row["path"], "sha256": row["sha256"]}
