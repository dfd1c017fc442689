"""What Spark needs and does not find is said with its remedy, before anything runs."""

import subprocess
import sys

import pytest

from lake.engines import jars, session
from lake.engines.contract import EngineMissing
from lake.engines.shipped import SHIPPED, archive
from lake.settings import Settings


def test_without_java(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(EngineMissing, match=r"found no Java.*unset LARMOR_ENGINE"):
        session.require_java()


def test_with_a_java_that_is_too_old(monkeypatch, tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineMissing, match="found Java 11, needed Java 17"):
        session.require_java()


def test_without_the_archives_and_without_a_way_to_them(monkeypatch, tmp_path):
    monkeypatch.setattr(jars.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    with pytest.raises(EngineMissing, match=r"delta-storage.*LARMOR_SPARK_JARS"):
        jars.jars(tmp_path / "empty")


def test_archives_that_are_there_are_not_resolved(monkeypatch, tmp_path):
    monkeypatch.setattr(jars.subprocess, "run", lambda *_, **__: pytest.fail("resolved what is there"))
    for name in jars.needed():
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in jars.jars(tmp_path)] == jars.needed()


def test_the_loopback_is_the_default_and_a_cluster_is_not_kept_from_it():
    local = session.configuration(Settings())
    assert (local["spark.driver.host"], local["spark.master"]) == ("127.0.0.1", "local[*,2]")
    cluster = session.configuration(Settings(spark_master="yarn", spark_conf={"spark.executor.memory": "8g"}))
    assert "spark.driver.host" not in cluster
    assert cluster["spark.executor.memory"] == "8g"
    here = session.configuration(Settings(spark_master="spark://127.0.0.1:7077"))
    assert here["spark.driver.bindAddress"] == "127.0.0.1"


def test_sparks_settings_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("LARMOR_SPARK_CONF", '{"spark.executor.cores": 4, "spark.speculation": true}')
    assert Settings().spark_conf == {"spark.executor.cores": "4", "spark.speculation": "true"}


def test_the_code_that_is_shipped_is_named_by_its_content(tmp_path):
    import zipfile

    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert archive(one).name == archive(two).name
    names = zipfile.ZipFile(archive(one)).namelist()
    assert {name.split("/")[0] for name in names} == set(SHIPPED)
    assert "deid/text/vocabulary.txt" in names
    assert not [name for name in names if "__pycache__" in name]


def test_nothing_of_spark_is_imported_before_it_is_asked_for():
    code = (
        "import sys, lake.engines.engine, lake.engines.session, lake.engines.spark, lake.engines.spark_tables\n"
        "sys.exit('pyspark' in sys.modules or 'py4j' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
