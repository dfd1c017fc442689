"""Random crops and whole volumes: the Delta payload against `.nii.gz` and an uncompressed memory map."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import rates, table
from lake import payload
from lake.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS

SHAPE, CROP, VOLUMES, READS = (224, 224, 160), 96, 6, 60
"""A 1 mm head, the crop that pre-training of 3D models takes, and enough of both to be stable."""


def run() -> str:
    """Measure, and give the tables."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        arrays = {f"v{i}": _head(i) for i in range(VOLUMES)}
        volumes = _lake(root, arrays)
        for name, array in arrays.items():
            np.save(root / f"{name}.npy", array)
            nib.save(nib.Nifti1Image(array, np.eye(4)), root / f"{name}.nii.gz")
        names = list(arrays)
        sizes = {
            "Delta payload": sum(p.length for p in volumes._places),
            ".nii.gz": sum(f.stat().st_size for f in root.glob("*.nii.gz")),
            ".npy": sum(f.stat().st_size for f in root.glob("*.npy")),
        }
        readers: dict[str, Callable[[str, tuple[slice, ...]], NDArray[np.generic]]] = {
            ".nii.gz, nibabel": lambda n, w: np.asarray(nib.load(root / f"{n}.nii.gz").dataobj[w]),
            ".npy, memory map, uncompressed": lambda n, w: np.array(np.load(root / f"{n}.npy", mmap_mode="r")[w]),
            "Delta payload": lambda n, w: volumes.crop(n, [s.start for s in w], [s.stop - s.start for s in w]),
        }
        crops = rates({way: _crops(reader, names) for way, reader in readers.items()})
        whole = rates({way: _whole(reader, names) for way, reader in readers.items()}, rounds=3)
        size = "\n".join(f"- {way}: {bytes_ / sizes['.npy']:.2f} of raw" for way, bytes_ in sizes.items())
    base = ".nii.gz, nibabel"
    parts = [table(f"Random {CROP}³ crops of {SHAPE} int16", "crops/s", crops, base)]
    return "\n\n".join([*parts, table("Whole volumes", "volumes/s", whole, base), f"### Size\n{size}"])


def _head(seed: int) -> NDArray[np.int16]:
    """A bright ellipsoid with texture in a Rician background, as compressible as a head."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1.2, 1.2, n) for n in SHAPE), indexing="ij", sparse=True)
    inside = sum(axis**2 for axis in axes) < 1
    signal = np.where(inside, 600 + 200 * np.sin(8 * axes[0]) * np.cos(7 * axes[1]), 0)
    noise = random.normal(0, 12, (2, *SHAPE))
    return np.hypot(signal + noise[0], noise[1]).astype(np.int16)


def _lake(root: Path, arrays: dict[str, NDArray[np.int16]]) -> Volumes:
    lake = Lake.open(root / "lake")
    rows = []
    for name, array in arrays.items():
        frame = payload.encode(array)
        facts = dict.fromkeys(("subject", "study", "series", "volume", "task", "provenance", "licence"), "x")
        facts |= {"label": name, "scheme": json.dumps({}), "counts": "{}"}
        shape = {"shape": list(array.shape), "affine": np.eye(4).ravel().tolist()}
        rows.append(facts | shape | {"voxels_bytes": len(frame), "voxels": frame})
    lake.table(LABELS).replace({"delivery": "d"}, [lake.table(LABELS).write(rows, {"delivery": "d"})])
    return Volumes(lake, LABELS)


def _crops(reader: Callable[[str, tuple[slice, ...]], NDArray[np.generic]], names: list[str]) -> Callable[[], int]:
    def once() -> int:
        random = np.random.default_rng(0)
        for _ in range(READS):
            start = [int(random.integers(0, n - CROP)) for n in SHAPE]
            reader(names[int(random.integers(len(names)))], tuple(slice(s, s + CROP) for s in start))
        return READS

    return once


def _whole(reader: Callable[[str, tuple[slice, ...]], NDArray[np.generic]], names: list[str]) -> Callable[[], int]:
    def once() -> int:
        for name in names:
            reader(name, tuple(slice(0, n) for n in SHAPE))
        return len(names)

    return once
