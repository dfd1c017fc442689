"""The table of volumes says how each was acquired."""

import pytest

from schemas.tables import SERIES, VOLUMES

NAMES = ["slice_times", "slice_axis", "phase_encoding", "readout_time", "step_kinds", "chemistry", "coil"]
SETTINGS = ["echo_time", "inversion_time", "flip_angle", "repetition_time"]


@pytest.fixture(scope="module")
def rows(treated):
    """Volumes of the phantom with the manufacturer of their series."""
    makers = {row["series"]: row["manufacturer"] for row in treated.lake.table(SERIES).rows(["series", "manufacturer"])}
    columns = ["series", "kind", "shape", *NAMES, *SETTINGS]
    return [row | {"maker": makers[row["series"]]} for row in treated.lake.table(VOLUMES).rows(columns)]


def test_settings_of_each_volume_are_those_of_its_series(treated, rows):
    series = {row["series"]: row for row in treated.lake.table(SERIES).rows(["series", *SETTINGS])}
    assert rows
    for row in rows:
        assert {name: row[name] for name in SETTINGS} == {name: series[row["series"]][name] for name in SETTINGS}


def test_echo_planar_volumes_have_the_facts_that_their_scanner_states(rows):
    planar = {row["maker"].partition(" ")[0].upper(): row for row in rows if row["kind"] == "diffusion"}
    assert planar.keys() == {"SIEMENS", "GE", "PHILIPS"}
    siemens, ge, philips = planar["SIEMENS"], planar["GE"], planar["PHILIPS"]
    # the policy keeps no times of day: the times are those of the scanner's own clock
    assert len(siemens["slice_times"]) == siemens["shape"][siemens["slice_axis"]]
    assert min(siemens["slice_times"]) == 0 < max(siemens["slice_times"]) < siemens["repetition_time"] / 1000
    assert siemens["phase_encoding"] == ge["phase_encoding"] == "j-"
    assert siemens["readout_time"] > 0 < ge["readout_time"]
    for row, names in ((ge, ["slice_times"]), (philips, ["slice_times", "phase_encoding", "readout_time"])):
        assert all(row[name] is None for name in names)


def test_what_nothing_states_is_null(rows):
    assert all(row[name] is None for row in rows for name in ("step_kinds", "chemistry", "coil"))
    assert all(row["readout_time"] is None for row in rows if row["kind"] == "static")
