"""What the UI shows of an outcome adds up, and a picture never swells the event log."""

import pytest

from assets.metadata import pictures, reported, sheet, worklist
from assets.training import overrides
from assets.training_process import flat, line
from stages.quarantine import Group
from stages.station import Outcome


def test_rows_duplicates_and_quarantine_come_first_and_what_only_machines_read_last():
    shown = reported(Outcome("curated/volumes", 3, 20, 2, 1, {"bytes": 10, "decision": "0a"}))
    assert shown == {
        "dagster/row_count": 20, "duplicates": 2, "quarantined": 1, "bytes": 10, "decision": "0a", "table_version": 3,
    }  # fmt: skip
    assert list(shown) == ["dagster/row_count", "duplicates", "quarantined", "bytes", "decision", "table_version"]


@pytest.mark.parametrize(("size", "shown"), [(1000, "data:image/png;base64,"), (1_000_000, "too large")])
def test_a_picture_is_shown_unless_it_is_too_large(size, shown):
    assert shown in pictures([("T1", bytes(size))]).value


def test_progress_is_one_line_of_what_is_known():
    event = {"event": "step", "step": 3, "steps": 9, "loss": 0.12345, "padding": 0}
    assert line(event) == "step 3 of 9: loss 0.1235, padding 0"
    assert line({"event": "saved"}) == "saved"


def test_nested_metrics_become_plots_under_dotted_names():
    assert flat({"a": {"b": 1, "c": [1, 2]}, "d": True, "e": 0.123456789}) == {"a.b": 1, "e": 0.12346}


def test_an_estimate_is_one_plot_and_one_that_is_not_defined_none():
    estimate = {"mean": 0.5, "interval": [0.4, 0.6], "subjects": 9, "undefined": 0}
    assert flat({"model": {"mean_dice": estimate, "auroc": estimate | {"mean": None}}}) == {"model.mean_dice": 0.5}


def test_overrides_are_read_as_yaml_would():
    assert overrides({"steps": "20", "scratch": "true", "model.dim": "64"}) == {
        "steps": 20,
        "scratch": True,
        "model.dim": 64,
    }


def test_lines_of_facts_become_a_table():
    shown = sheet([{"scanner": "Maker One", "series": 3}, {"scanner": "Maker Two", "series": 1}])
    assert [record.data for record in shown.records] == [
        {"scanner": "Maker One", "series": 3},
        {"scanner": "Maker Two", "series": 1},
    ]
    assert sheet([]).value == "nothing to show"


def test_a_page_of_work_says_how_to_try_again_on_the_command_line_and_in_the_ui():
    held = Group("truncated", "received", "ask for the file again", 1, ("site-a",), ("0123456789abcdef",))
    said = worklist([held], "site-a").md_str
    assert "`larmor run --retry-quarantine site-a`" in said
    assert "job `delivery`" in said
    assert "tries nothing again" in said, "the button on the page itself is the first that people press"
