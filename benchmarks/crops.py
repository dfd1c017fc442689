"""Random crops, whole volumes, writing and size: the Delta table beside what others keep volumes in, on one core.

Beside it: `.nii.gz` by nibabel, an uncompressed memory map, MONAI's PersistentDataset, and sharded Zarr v3 by
TensorStore where the peers' environment can be made. The layouts that were rejected are `benchmarks.codecs`.
"""

import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from benchmarks.heads import CROP, MEGABYTES, SHAPE, WHOLE, Window, head, windows
from benchmarks.peers import NoPeers, Peer, peer, python
from benchmarks.timing import one_core, rates, table
from lake.voxels import payload
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS

HEADS, READS = 6, 48
"""Enough of both to be stable."""
SLOW_READS = 6
"""Crops of ways that unpack whole volumes for each."""

Array = NDArray[np.generic]
DELTA, NIFTI, NPY, MONAI, ZARR = (
    "Delta table", ".nii.gz, nibabel", ".npy, memory map, uncompressed", "MONAI PersistentDataset",
    "Zarr v3, TensorStore",
)  # fmt: skip


def run() -> str:
    """Measure, and give the tables."""
    arrays = {f"v{i}": head(i) for i in range(HEADS)}
    with tempfile.TemporaryDirectory() as folder, one_core():
        root = Path(folder)
        _npy(root, arrays)
        with _zarr(root) as zarr:
            written = _writes(root, arrays, zarr)
            crops, whole = _reads(root, list(arrays), zarr)
            tables = [
                table(f"Random {CROP}³ crops of {SHAPE} int16", "crops/s", rates(crops), NIFTI),
                table("Whole volumes", "MB/s", _scaled(rates(whole, rounds=3), MEGABYTES), NIFTI),
                table("Writing, to the file system's cache", "MB/s of raw voxels", written, NIFTI),
                _sizes(root),
            ]
    return "\n\n".join([*tables, _two_cores(arrays)])


def _writes(root: Path, arrays: dict[str, NDArray[np.int16]], zarr: Peer | None) -> dict[str, list[float]]:
    ways: dict[str, Callable[[], object]] = {
        DELTA: lambda: _lake(root / "lake", arrays),
        NIFTI: lambda: [nib.save(nib.Nifti1Image(a, np.eye(4)), root / f"{n}.nii.gz") for n, a in arrays.items()],
        NPY: lambda: _npy(root, arrays),
    }
    if zarr:
        ways[ZARR] = partial(zarr.work, do="write")
    return rates({way: partial(_worth, write, HEADS * MEGABYTES) for way, write in ways.items()}, rounds=3)


Ways = dict[str, Callable[[], float]]


def _reads(root: Path, names: list[str], zarr: Peer | None) -> tuple[Ways, Ways]:
    """Ways to read crops, and whole volumes."""
    volumes = Volumes(Lake.open(root / "lake"), LABELS)
    readers: dict[str, Callable[[str, Window], Array]] = {
        DELTA: lambda n, w: volumes.crop(n, [s.start for s in w], [s.stop - s.start for s in w]),
        NIFTI: lambda n, w: np.asarray(nib.load(root / f"{n}.nii.gz").dataobj[w]),
        NPY: lambda n, w: np.array(np.load(root / f"{n}.npy", mmap_mode="r")[w]),
    }
    crops: Ways = {way: partial(_crops, read, SLOW_READS if way == NIFTI else READS) for way, read in readers.items()}
    whole: Ways = {way: partial(_whole, read) for way, read in readers.items()}
    crops[MONAI] = _monai(root, names)
    if zarr:
        crops[ZARR] = partial(_zarr_reads, zarr, [(f"v{i % HEADS}", w) for i, w in enumerate(windows(READS))])
        whole[ZARR] = partial(_zarr_reads, zarr, [(name, WHOLE) for name in names])
    return crops, whole


def _npy(root: Path, arrays: dict[str, NDArray[np.int16]]) -> None:
    for name, array in arrays.items():
        np.save(root / f"{name}.npy", array)


def _lake(root: Path, arrays: dict[str, NDArray[np.int16]]) -> None:
    fill(Lake.open(root), arrays)


def fill(lake: Lake, arrays: dict[str, NDArray[np.int16]]) -> None:
    """Write arrays to a lake's table of label maps, one delivery."""
    rows = []
    for name, array in arrays.items():
        frame = payload.encode(array)
        facts: dict[str, Any] = {column.name: None if column.nullable else "x" for column in LABELS.columns}
        facts |= {"label": name, "scheme": json.dumps({}), "counts": "{}"}
        shape = {"shape": list(array.shape), "affine": np.eye(4).ravel().tolist()}
        rows.append(facts | shape | {"voxels_bytes": len(frame), "voxels": frame})
    lake.table(LABELS).replace({"delivery": "d"}, [lake.table(LABELS).write(rows, {"delivery": "d"})])


def _worth(work: Callable[[], object], amount: float) -> float:
    work()
    return amount


def _crops(read: Callable[[str, Window], Array], number: int) -> float:
    for place, window in enumerate(windows(number)):
        read(f"v{place % HEADS}", window)
    return number


def _whole(read: Callable[[str, Window], Array]) -> float:
    for number in range(HEADS):
        read(f"v{number}", WHOLE)
    return HEADS


def _scaled(measured: dict[str, list[float]], factor: float) -> dict[str, list[float]]:
    return {way: [value * factor for value in values] for way, values in measured.items()}


def _monai(root: Path, names: list[str]) -> Callable[[], float]:
    from monai.data import PersistentDataset
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, RandSpatialCropd

    steps = [
        LoadImaged("image"),
        EnsureChannelFirstd("image"),
        RandSpatialCropd("image", (CROP,) * 3, random_size=False),
    ]
    items = [{"image": str(root / f"{name}.npy")} for name in names]
    cached = PersistentDataset(items, Compose(steps), cache_dir=root / "monai")

    def once() -> float:
        for number in range(SLOW_READS):
            cached[number % len(names)]
        return SLOW_READS

    return once


@contextmanager
def _zarr(root: Path) -> Iterator[Peer | None]:
    """TensorStore in a process of its own; None where the peers cannot be installed."""
    try:
        python()
    except NoPeers:
        yield None
        return
    with peer("zarr", root) as process:
        yield process


def _zarr_reads(zarr: Peer, reads: list[tuple[str, Window]]) -> float:
    zarr.work(do="read", windows=[(name, [(s.start, s.stop) for s in window]) for name, window in reads])
    return len(reads)


def _sizes(root: Path) -> str:
    raw = sum(path.stat().st_size for path in root.glob("*.npy"))
    lake = Lake.open(root / "lake")
    found = {
        DELTA: sum(path.stat().st_size for path in lake.table(LABELS).files()),
        NIFTI: sum(path.stat().st_size for path in root.glob("*.nii.gz")),
        ZARR: sum(path.stat().st_size for path in root.glob("*.zarr/**/*") if path.is_file()),
    }
    return "\n".join(["### Size", *(f"- {way}: {size / raw:.3f} of raw" for way, size in found.items() if size)])


def _two_cores(arrays: dict[str, NDArray[np.int16]]) -> str:
    """Crops of one process and of two, each on a core of its own."""
    with tempfile.TemporaryDirectory() as folder:
        _lake(Path(folder), arrays)
        rounds = [(_in_processes(Path(folder), 1), _in_processes(Path(folder), 2)) for _ in range(3)]
    ratio = statistics.median(two / one for one, two in rounds)
    return f"### Two processes\n- {ratio:.2f} times the crops of one"


def _in_processes(root: Path, number: int) -> float:
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(number), spawn.Queue()
    workers = [spawn.Process(target=_worker, args=(root, barrier, answers)) for _ in range(number)]
    for worker in workers:
        worker.start()
    spent = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    return sum(1 / seconds for seconds in spent)


def _worker(root: Path, barrier: Any, answers: Any) -> None:
    volumes = Volumes(Lake.open(root), LABELS)
    read = partial(_crops, lambda n, w: volumes.crop(n, [s.start for s in w], [CROP] * 3))
    read(READS)
    barrier.wait()
    start = time.perf_counter()
    for _ in range(8):
        read(READS)
    answers.put((time.perf_counter() - start) / (8 * READS))
