"""A small release of synthetic heads, in memory and as a lake on disk."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from lineage.terms.union import union
from schemas.licence import Licence
from schemas.release import ReleaseManifest, ReleaseSpec

LICENCE = Licence(
    id="synthetic", title="Made", licensor="Maker", valid_from=dt.date(2020, 1, 1), train_models=True,
    purposes=["research", "model-training"],
)  # fmt: skip
SCHEME = {0: "background", 1: "scalp", 2: "fluid", 3: "grey matter", 4: "white matter", 5: "lesion"}
CONTRASTS = {
    "T1": (0.0, 0.9, 0.2, 0.55, 0.8, 0.45),
    "T2": (0.0, 0.6, 1.0, 0.6, 0.4, 0.85),
    "FLAIR": (0.0, 0.5, 0.15, 0.65, 0.45, 0.95),
}


def head(seed, contrast="T1", shape=(48, 48, 12), spacing=(4.0, 4.0, 10.0)):
    """Stored values and tissue labels of a head: nested bent ellipsoids, a lesion, noise and a coil's gradient."""
    draw = np.random.default_rng(seed)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    centre = draw.normal(0, 4, 3)
    x, y, z = (a - c for a, c in zip(np.meshgrid(*axes, indexing="ij"), centre, strict=True))
    size = draw.normal(1, 0.06, 3) * (72, 86, 58)
    angle = np.arctan2(y, x)
    fold = 1 + 0.06 * np.sin(6 * angle + draw.uniform(0, 6)) * np.cos(z / 15)
    radius = np.sqrt((x / size[0]) ** 2 + (y / size[1]) ** 2 + (z / size[2]) ** 2)
    labels = np.zeros(shape, np.uint8)
    labels[radius < 1] = 1
    labels[radius < 0.9] = 2
    labels[radius * fold < 0.84] = 3
    labels[radius * fold**2 < 0.68] = 4
    for side in (-1, 1):
        ventricle = ((x - side * 12) / 8) ** 2 + (y / 28) ** 2 + (z / 18) ** 2
        labels[ventricle < draw.uniform(0.7, 1.3)] = 2
    spot = draw.uniform(-0.4, 0.4, 3) * size
    lesion = sum((v - c) ** 2 for v, c in zip((x, y, z), spot, strict=True)) < draw.uniform(8, 14) ** 2
    labels[lesion & (labels == 4)] = 5
    draw = np.random.default_rng([seed, list(CONTRASTS).index(contrast)])
    values = np.asarray(CONTRASTS[contrast])[labels] * draw.normal(1, 0.05, 6)[labels]
    values = values * (1 + draw.normal(0, 0.15) * x / 80 + draw.normal(0, 0.15) * y / 80)
    noisy = np.hypot(values + draw.normal(0, 0.06, shape), draw.normal(0, 0.06, shape))
    return (noisy * 1000).astype(np.int16), labels


def volume_row(subject, volume, stored, spacing, contrast):
    """A row of `curated/volumes`."""
    above = stored[stored > 150]
    blocks = [-(-n // 8) for n in stored.shape[:3]]
    padded = np.pad(stored[:, :, :] > 150, [(0, b * 8 - n) for b, n in zip(blocks, stored.shape, strict=True)])
    occupied = padded.reshape(blocks[0], 8, blocks[1], 8, blocks[2], 8).any((1, 3, 5))
    return {
        "delivery": "synthetic", "subject": subject, "study": f"study-{subject}", "series": f"series-{volume}",
        "volume": volume, "kind": "static", "contrast": contrast, "body_part": "HEAD", "part": "magnitude",
        "instances": 0, "sources": [], "shape": list(stored.shape), "affine": list(np.diag([*spacing, 1.0]).ravel()),
        "spacing": list(spacing), "dtype": str(stored.dtype), "slope": 1.0, "intercept": 0.0, "bvals": None,
        "bvecs": None, "times": None,
        "percentiles": [float(p) for p in np.percentile(above, [0, 1, 5, 25, 50, 75, 95, 99, 100])],
        "mean": float(above.mean()), "std": float(above.std()), "occupancy": np.packbits(occupied.ravel()).tobytes(),
        "missing_slices": [], "missing_axis": 2, "pixel_digest": hashlib.sha256(stored.tobytes()).hexdigest(),
        "preview": None, "licence": "synthetic", "policy": "0",
    }  # fmt: skip


def label_row(row, label, labels):
    """A row of `curated/labels` for a volume's row."""
    kept = ("delivery", "subject", "study", "series", "volume", "affine", "licence")
    values, counts = np.unique(labels, return_counts=True)
    return {name: row[name] for name in kept} | {
        "label": label, "task": "tissue", "scheme": json.dumps(SCHEME), "provenance": "synthetic",
        "shape": list(labels.shape),
        "counts": json.dumps({str(v): int(c) for v, c in zip(values, counts, strict=True)}),
    }  # fmt: skip


@dataclass(frozen=True)
class FakeMember:
    delivery: str
    subject: str
    study: str
    series: str
    volume: str
    split: str
    label: str | None
    licence: str = "synthetic"
    pixel_digest: str = "0"


@dataclass
class FakeArrays:
    facts: dict = field(default_factory=dict)
    arrays: dict = field(default_factory=dict)

    def row(self, volume):
        return self.facts[volume]

    def rows(self, volumes):
        return [self.facts[volume] for volume in volumes]

    def array(self, volume):
        return self.arrays[volume]

    def crop(self, volume, start, shape):
        return self.arrays[volume][tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))]


@dataclass
class FakeRelease:
    manifest: ReleaseManifest
    all_members: list
    images: FakeArrays
    maps: FakeArrays
    sha256: str = "1" * 64
    series: dict = field(default_factory=dict)

    def members(self, split, *, sealed_ok=False):
        assert split != "test" or sealed_ok
        return [member for member in self.all_members if member.split == split]

    def volumes(self):
        return self.images

    def labels(self):
        return self.maps

    def texts(self, volumes):
        return {}

    def described(self, volumes):
        return {volume: self.series[volume] for volume in volumes if volume in self.series}


def manifest(**changes):
    """The manifest of a synthetic release."""
    content = {
        "name": "synthetic", "spec": ReleaseSpec(name="synthetic"), "created": "2026-01-01T00:00:00Z",
        "tables": {"curated/volumes": 0, "curated/labels": 0}, "members_sha256": "0" * 64, "counts": {},
        "licences": {"synthetic": LICENCE.digest}, "policies": [], "train_models": True, "share_models": False,
        "export": False, "terms": union([LICENCE]),
    }  # fmt: skip
    return ReleaseManifest.model_validate(content | changes)


def build(train=6, validation=3, contrasts=("T1", "T2"), shape=(48, 48, 12), spacing=(4.0, 4.0, 10.0)):
    """A release of synthetic heads in memory, every volume labelled."""
    images, maps, members = FakeArrays(), FakeArrays(), []
    for number in range(train + validation):
        for contrast in contrasts:
            subject, volume = f"s{number:03d}", f"v{number:03d}-{contrast.lower()}"
            stored, labels = head(number, contrast, shape, spacing)
            row = volume_row(subject, volume, stored, spacing, contrast)
            images.facts[volume], images.arrays[volume] = row, stored
            maps.facts[f"l-{volume}"], maps.arrays[f"l-{volume}"] = label_row(row, f"l-{volume}", labels), labels
            split = "train" if number < train else "validation"
            keys = (subject, row["study"], row["series"], volume, split, f"l-{volume}")
            members.append(FakeMember("synthetic", *keys, pixel_digest=row["pixel_digest"]))
    return FakeRelease(manifest(), members, images, maps)


@pytest.fixture(scope="session")
def release():
    """Six training and three validation subjects, two contrasts each."""
    return build()


@pytest.fixture(scope="session")
def build_release():
    """Builds a release of another size or shape."""
    return build


def write_lake(root, release):
    """The release on disk, as `lake.releases.Release.open` finds it."""
    import io
    from dataclasses import asdict

    import pyarrow as pa
    import pyarrow.parquet as pq

    from lake.voxels import payload
    from lake.zones import Lake
    from lineage.terms import terms
    from schemas.contract import Zone
    from schemas.tables import LABELS, VOLUMES

    opened = Lake.open(root)
    terms.learn(opened, LICENCE)
    for contract, arrays in ((VOLUMES, release.images), (LABELS, release.maps)):
        rows = []
        for name, row in arrays.facts.items():
            frame = payload.encode(arrays.arrays[name])
            rows.append({**row, "voxels_bytes": len(frame), "voxels": frame})
        table, partition = opened.table(contract), {"delivery": "synthetic"}
        table.replace(partition, [table.write(rows, partition)])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([asdict(member) for member in release.all_members]), buffer)
    tables = {contract.path: opened.table(contract).version() for contract in (VOLUMES, LABELS)}
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    location = opened.location(Zone.CURATED, "releases", release.manifest.name)
    location.write_bytes("members.parquet", buffer.getvalue())
    frozen = release.manifest.model_copy(update={"members_sha256": digest, "tables": tables})
    location.write_bytes("manifest.json", frozen.model_dump_json().encode())
    return opened


@pytest.fixture(scope="session")
def lake_root(tmp_path_factory, release):
    """Root of a lake on disk that holds the release."""
    root = tmp_path_factory.mktemp("lake")
    write_lake(root, release)
    return root


SMALL = {"model.dim": 48, "model.depth": 1, "model.heads": 2, "model.decoder_dim": 24, "model.decoder_heads": 2}


@pytest.fixture(scope="session")
def small():
    """Overrides of the tiny preset that make its model smaller still."""
    return dict(SMALL)
