"""Where the work of a stage runs: the door to the configured engine.

Belongs here: the choice, and the names that callers need. The contract is `lake.engines.contract`.
"""

from typing import TYPE_CHECKING

from lake.engines.contract import Engine, EngineMissing, UnitFailed, Work, WorkerLost
from lake.engines.local import LocalEngine
from lake.settings import EngineName, Settings

if TYPE_CHECKING:
    from lake.engines.tables import Tables

__all__ = ["Engine", "EngineMissing", "LocalEngine", "UnitFailed", "Work", "WorkerLost", "engine", "tables"]


def engine(settings: Settings) -> Engine:
    """The configured engine.

    Raises:
        EngineMissing: if it cannot run here.
    """
    if settings.engine is EngineName.SPARK:
        from lake.engines.session import session
        from lake.engines.spark import SparkEngine

        return SparkEngine(session(settings))
    return LocalEngine(settings.workers)


def tables(settings: Settings) -> "Tables":
    """Operations on whole tables, by the configured engine.

    Raises:
        EngineMissing: if it cannot run here.
    """
    from lake.engines.tables import DeltaTables

    found = engine(settings)
    if settings.engine is EngineName.SPARK:
        from lake.engines.spark import SparkEngine
        from lake.engines.spark_tables import SparkTables

        assert isinstance(found, SparkEngine)
        return SparkTables(found)
    return DeltaTables(found)
