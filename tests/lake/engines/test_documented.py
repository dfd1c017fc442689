"""Settings of clusters as the how-to prints them are settings, under names that this Spark knows."""

import re
import zipfile
from pathlib import Path

import pytest
import yaml

from lake.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "run-on-spark.md"
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)]
PREFIXES = ("spark.executorEnv.", "spark.kubernetes.authenticate")
"""Beginnings that Spark completes itself: with a name of the user's, and with what a login is for."""


def constants():
    """Every string that stands in the classes of Spark itself."""
    pyspark = pytest.importorskip("pyspark")
    found = bytearray()
    for jar in sorted((Path(pyspark.__file__).parent / "jars").glob("spark-*.jar")):
        if jar.name.startswith(("spark-core_", "spark-yarn_", "spark-kubernetes_", "spark-common-utils_")):
            with zipfile.ZipFile(jar) as archive:
                for name in archive.namelist():
                    if name.endswith(".class"):
                        found += archive.read(name)
    return bytes(found)


def test_examples_are_settings_and_name_what_spark_knows():
    named = {name for example in EXAMPLES for name in Settings(**example).spark_conf}
    assert {"spark.yarn.dist.archives", "spark.kubernetes.container.image"} <= named
    known = constants()
    wanted = {next((p for p in PREFIXES if name.startswith(p)), name) for name in named}
    assert [name for name in sorted(wanted) if name.encode() not in known] == []
