"""Settings of clusters as the how-to prints them are settings, under names that this Spark reads."""

import re
from pathlib import Path

import pytest
import yaml

from lake.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "run-on-spark.md"
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)]
FREE = "spark.executorEnv."
"""Beginning that a name of the user's completes."""

OWNERS = ("org.apache.spark.deploy.k8s.Config$", "org.apache.spark.deploy.yarn.config.package$")
"""Objects that declare the settings of a kind of cluster; a name is registered when its object is there."""


@pytest.mark.spark
def test_examples_are_settings_and_name_what_spark_reads(spark_engine):
    named = {name for example in EXAMPLES for name in Settings(**example).spark_conf}
    assert {"spark.yarn.dist.archives", "spark.kubernetes.container.image"} <= named
    jvm = spark_engine.spark.sparkContext._jvm  # not public; Spark has no other list of the settings it reads
    for owner in OWNERS:
        jvm.java.lang.Class.forName(owner)
    found = jvm.org.apache.spark.internal.config.ConfigEntry.findEntry
    assert [name for name in sorted(named) if not name.startswith(FREE) and found(name) is None] == []
    assert found("spark.kubernetes.authenticate.serviceAccountName") is None, "documented by Spark, read by nothing"
