"""The Spark session: one a process, quiet, on the loopback unless the master is elsewhere.

Belongs here: starting Spark, or joining one that a notebook, a cluster or a Spark Connect server has started already.
Nothing is imported from pyspark before it is asked for.
"""

import atexit
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lake.engines.contract import EngineMissing
from lake.engines.jars import jars
from lake.engines.shipped import archive
from lake.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = 17
"""Oldest Java that Spark 4 runs on."""

CODE = "spark.larmor.code"
"""Where a session keeps the name of the archive of Larmor's code that its executors have."""

_QUIET = """rootLogger.level = error
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n
"""
"""Spark's log settings: errors only. They go into a file that is shown to nobody unless the start fails."""

_BASE = {
    "spark.app.name": "larmor",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # the defaults, 200 and 50, cost seconds a commit
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    # a unit of work travels inside its task; in MiB, the default of 128 is less than one large volume
    "spark.rpc.message.maxSize": "1024",
    # small row groups, so that rows of hundreds of MB pass
    "spark.hadoop.parquet.block.size": str(32 * 2**20),
}
_LOCAL = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.memory": "4g"}
"""Where driver and executors are on this machine: nobody else reaches them; a volume of 200 MB fits several times."""

_NO_SERVER = "found no Spark Connect server at LARMOR_SPARK_MASTER, needed one; start it, or unset LARMOR_ENGINE"
_CONNECT_PORT = 15002
"""Where Spark Connect listens unless it is told otherwise."""
_REACHED_S = 20.0
"""Seconds in which a server that is there takes a connection."""

_LOOPBACK = re.compile(r"local(\[.*\]|-cluster\[.*\])?$|spark://(127\.0\.0\.1|localhost)[:,]")


def session(settings: Settings) -> "SparkSession":
    """The process's Spark session, started where there is none.

    Raises:
        EngineMissing: if pyspark, Java or an archive is missing, or the master cannot be reached.
    """
    _need("pyspark", "pip install 'larmor[spark]'")
    from pyspark.sql import SparkSession

    if settings.spark_master.startswith("sc://"):
        found = _connected(settings)
    else:
        from pyspark import SparkContext

        if SparkContext._active_spark_context is None:
            _start(settings)
        found = SparkSession.builder.getOrCreate()
    _ship(found)
    return found


def is_connect(found: "SparkSession") -> bool:
    """Whether a session is a client of Spark Connect, which has no JVM of its own."""
    return "connect" in type(found).__module__


def configuration(settings: Settings) -> dict[str, str]:
    """What the session is started with: what always holds, then what the installation sets."""
    master = settings.spark_master
    here = _LOCAL if _LOOPBACK.match(master) else {}
    # Spark begins no task again in one process unless the master says how often
    master = re.sub(r"^local\[([^],]+)\]$", r"local[\1,2]", master)
    return {**_BASE, **here, "spark.master": master, **settings.spark_conf}


def _start(settings: Settings) -> None:
    _need("delta", "pip install 'larmor[spark]'")
    require_java()
    from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    chosen = configuration(settings)
    found = [str(path) for path in jars(settings.spark_jars)]
    chosen["spark.jars"] = ",".join([*filter(None, [chosen.get("spark.jars")]), *found])
    scratch = Path(tempfile.mkdtemp(prefix="larmor-spark-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    log4j = scratch / "log4j2.properties"
    log4j.write_text(_QUIET)
    options = [chosen.get("spark.driver.extraJavaOptions", ""), f"-Dlog4j2.configurationFile={log4j.as_uri()}"]
    chosen["spark.driver.extraJavaOptions"] = " ".join(filter(None, options))
    chosen.setdefault("spark.sql.warehouse.dir", (scratch / "warehouse").as_uri())
    # Spark's workers are whatever python3 the path has unless this names ours
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    conf = SparkConf().setAll(list(chosen.items()))
    log = scratch / "spark.log"
    try:
        with log.open("wb") as sink:
            gateway = launch_gateway(conf, {"stdout": sink, "stderr": sink})  # type: ignore[no-untyped-call]
        SparkContext(conf=conf, gateway=gateway)
    except (PySparkRuntimeError, Py4JJavaError):
        raise EngineMissing(
            f"found no Spark that starts on LARMOR_SPARK_MASTER={settings.spark_master}{_last_error(log)}, needed one; "
            "look at the master and at LARMOR_SPARK_CONF, or unset LARMOR_ENGINE"
        ) from None


def _connected(settings: Settings) -> "SparkSession":
    for module in ("grpc", "grpc_status", "google.rpc"):
        _need(module, "pip install 'pyspark[connect]'")
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    _reach(settings.spark_master)
    try:
        found: SparkSession = SparkSession.builder.remote(settings.spark_master).getOrCreate()
        for name, value in settings.spark_conf.items():
            found.conf.set(name, value)
        found.conf.set("spark.sql.session.timeZone", "UTC")
    except PySparkException:
        raise EngineMissing(_NO_SERVER) from None
    return found


def _reach(master: str) -> None:
    """Refuse a Spark Connect server that nobody listens at: the client would try again for ten minutes."""
    where = urlsplit(master)
    try:
        socket.create_connection((where.hostname or "", where.port or _CONNECT_PORT), _REACHED_S).close()
    except OSError:
        raise EngineMissing(_NO_SERVER) from None


def _ship(found: "SparkSession") -> None:
    """Give the executors Larmor's code, once a session."""
    if found.conf.get(CODE, None):
        return
    scratch = Path(tempfile.mkdtemp(prefix="larmor-code-"))
    # executors fetch it from here whenever one of them starts
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    code = archive(scratch)
    if is_connect(found):
        found.addArtifacts(str(code), pyfile=True)
    else:
        found.sparkContext.addPyFile(str(code))
    found.conf.set(CODE, code.name)


def _need(module: str, remedy: str) -> None:
    try:
        there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise EngineMissing(f"found no {module}, needed it for LARMOR_ENGINE=spark; {remedy}, or unset LARMOR_ENGINE")


def require_java() -> None:
    """Refuse to start without a Java that Spark runs on.

    Raises:
        EngineMissing: if there is none, or an older one.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    remedy = f"needed Java {JAVA} or newer for LARMOR_ENGINE=spark; install it, or unset LARMOR_ENGINE"
    if java is None:
        raise EngineMissing(f"found no Java, {remedy}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    match = re.search(r'version "(\d+)', told.stderr)
    if match and int(match[1]) < JAVA:
        raise EngineMissing(f"found Java {match[1]}, {remedy}")


def _last_error(log: Path) -> str:
    """The name of the exception that the log ends on: its message may hold anything, its name holds nothing."""
    text = log.read_text(errors="replace") if log.is_file() else ""
    names = re.findall(r"\b(?:[a-z]\w*\.)+([A-Z]\w*(?:Exception|Error))\b", text)
    return f" ({names[-1]})" if names else ""
