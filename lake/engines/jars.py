"""The two Java archives that Delta needs beside Spark: found, or resolved once and kept.

Belongs here: where they lie. They are given to Spark as plain files, so that no start resolves anything.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from lake.engines.contract import EngineMissing

_RESOLVE = "from pyspark.sql import SparkSession; SparkSession.builder.master('local[1]').getOrCreate().stop()"
_PATIENCE_S = 600


def jars(folder: Path | None) -> list[Path]:
    """The archives, resolved with Spark's own resolver where they are not there yet.

    Args:
        folder: where they lie or shall be kept; None: the user's cache.

    Raises:
        EngineMissing: if they are not there and cannot be resolved.
    """
    kept = folder or _cache()
    names = needed()
    if not all((kept / name).is_file() for name in names):
        _resolve(kept, names)
    return [kept / name for name in names]


def needed() -> list[str]:
    """Names of the archives, as the installed pyspark and delta-spark need them."""
    spark = ".".join(version("pyspark").split(".")[:2])
    delta = version("delta-spark")
    return [f"delta-spark_{spark}_2.13-{delta}.jar", f"delta-storage-{delta}.jar"]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "larmor" / "jars"


def _resolve(kept: Path, names: list[str]) -> None:
    """Let Spark resolve the archives in a process of its own, and keep those that are needed."""
    packages = ",".join("io.delta:{}:{}".format(*name.removesuffix(".jar").rsplit("-", 1)) for name in names)
    with tempfile.TemporaryDirectory() as scratch:
        submit = f"--conf spark.jars.packages={packages} --conf spark.jars.ivy={scratch} --conf spark.ui.enabled=false"
        environment = os.environ | {"PYSPARK_SUBMIT_ARGS": f"{submit} pyspark-shell"}
        told = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _RESOLVE], env=environment, capture_output=True, timeout=_PATIENCE_S, check=False
        )
        found = {name: Path(scratch) / "jars" / f"io.delta_{name}" for name in names}
        if told.returncode or not all(path.is_file() for path in found.values()):
            raise EngineMissing(
                f"found no {' and '.join(names)} and could not resolve them, needed both for the Spark engine; put "
                f"them into a folder and set LARMOR_SPARK_JARS to it, or let this machine reach a Maven repository once"
            )
        kept.mkdir(parents=True, exist_ok=True)
        for name, path in found.items():
            half = kept / f".{name}.{os.getpid()}"
            shutil.copyfile(path, half)
            half.replace(kept / name)
