"""Zarr v3 by TensorStore in one process, on one core: writes arrays, reads windows, and says how fast.

Belongs here: how that peer is called; it runs in the peers' environment. A line of JSON in, one out, as in
`benchmarks.runner`.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import tensorstore

ONE_CORE = {"data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 1}}


def main(folder: str) -> None:
    """Answer commands until there are no more: `write`, `read` (windows of arrays by name)."""
    context = tensorstore.Context(ONE_CORE)
    arrays = {path.stem: np.load(path) for path in sorted(Path(folder).glob("*.npy"))}
    opened = {name: _array(Path(folder) / f"{name}.zarr", array, context) for name, array in arrays.items()}
    for line in sys.stdin:
        command = json.loads(line)
        start = time.perf_counter()
        if command["do"] == "write":
            for name, array in arrays.items():
                opened[name].write(array).result()
        else:
            for name, window in command["windows"]:
                opened[name][tuple(slice(a, b) for a, b in window)].read().result()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


def _array(path: Path, array: "np.typing.NDArray[np.int16]", context: tensorstore.Context) -> tensorstore.TensorStore:
    codecs = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {
            "name": "blosc",
            "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "bitshuffle", "typesize": array.itemsize},
        },
    ]
    sharding = {"name": "sharding_indexed", "configuration": {"chunk_shape": [64, 64, 64], "codecs": codecs}}
    edges = [-(-n // 64) * 64 for n in array.shape]
    return tensorstore.open(
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}},
        create=True,
        delete_existing=True,
        dtype=tensorstore.int16,
        shape=array.shape,
        chunk_layout=tensorstore.ChunkLayout(write_chunk_shape=edges, read_chunk_shape=[64, 64, 64]),
        codec=tensorstore.CodecSpec({"driver": "zarr3", "codecs": [sharding]}),
        context=context,
    ).result()


if __name__ == "__main__":
    main(sys.argv[1])
