"""The check of quality says which scanners have unusual series, and lets the delivery pass."""

from types import SimpleNamespace

import dagster as dg
import pytest

from assets.resources import LakeResource
from assets.series import usual
from lake.zones import Lake
from schemas.tables import SERIES
from tests import synthetic


@pytest.mark.parametrize("flags", [[], ["ghosting", "motion"]], ids=["usual", "unusual"])
def test_unusual_series_are_listed_by_scanner(tmp_path, flags):
    lake = Lake.open(tmp_path / "lake", workers=1)
    row = synthetic.series_row(synthetic.volume_row("a", "S1"), quality_flags=flags)
    synthetic.put(lake, SERIES, "a", [row, row | {"series": "2.25.9", "quality_flags": None}])
    check = usual.op.compute_fn.decorated_fn  # a context with a partition can be had from a whole run only
    result = check(SimpleNamespace(partition_key="a"), LakeResource(root=str(tmp_path / "lake")))
    assert result.passed == (not flags)
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.metadata["flagged"].value == bool(flags)
    (line,) = result.metadata["scanners"].records
    assert line.data["scanner"] == "Maker One 3.0 T"
    assert line.data["flags"] == ", ".join(f"{flag} 1" for flag in flags)
