"""A step that fails says what to do, in words of ours alone, and asks for no second try."""

import errno

import dagster as dg
import pytest

from assets.failures import explained, is_ours
from assets.shortage import DISK_FULL, TOO_FEW_FILES
from lake.errors import TableMissing
from orchestration.definitions import build

NAME = "Larmorium"


def failing(error):
    @explained
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TableMissing("found no table, needed one; run the delivery"), "found no table, needed one; run the delivery"),
        (OSError(errno.ENOSPC, "No space left on device", f"/landing/{NAME}"), DISK_FULL),
        (OSError(errno.EMFILE, "Too many open files", f"/landing/{NAME}"), TOO_FEW_FILES),
        (ImportError("libgomp.so.1: cannot open shared object file: Too many open files"), TOO_FEW_FILES),
        (KeyError(NAME), "does not know (KeyError)"),
        (PermissionError(errno.EACCES, "Permission denied", f"/landing/{NAME}"), "does not know (Permission denied)"),
    ],
    ids=["ours", "disk full", "files", "files, by the loader", "a library's", "the system's"],
)
def test_a_failure_names_the_remedy_and_no_file(error, said):
    with pytest.raises(dg.Failure) as failed:
        failing(error)()
    assert said in failed.value.description
    assert failed.value.allow_retries is False
    assert NAME not in failed.value.description + str(failed.value.metadata)
    assert failed.value.__suppress_context__, "what is not shown is not in the trace either"


def test_a_failure_of_the_program_has_the_lines_it_came_through():
    with pytest.raises(dg.Failure) as failed:
        failing(KeyError(NAME))()
    assert "test_failures.py" in failed.value.metadata["lines"].value


@pytest.mark.parametrize("error", [dg.Failure("said"), dg.DagsterInvariantViolationError("dagster's own")])
def test_what_is_dagsters_is_left_to_it(error):
    with pytest.raises(type(error)) as failed:
        failing(error)()
    assert failed.value is error


def test_a_step_that_yields_is_explained_as_well():
    @explained
    def work():
        yield 1
        raise TableMissing("found none")

    step = work()
    assert next(step) == 1
    with pytest.raises(dg.Failure, match="found none"):
        next(step)


def test_words_that_quote_what_they_were_given_are_not_ours(monkeypatch):
    def read():
        return int(NAME)

    def told():
        raise ValueError("found 1, needed 2")

    monkeypatch.setitem(read.__globals__, "__name__", "stages.anything")
    for work, ours in ((read, False), (told, True)):
        with pytest.raises(ValueError, match=r"found|invalid") as error:
            work()
        # pytest's own frame stands before ours; the innermost one is where it was raised
        assert is_ours(error.value) is ours


def test_every_step_of_ours_is_explained():
    definitions = build()
    steps = [a for a in definitions.assets if isinstance(a, dg.AssetsDefinition) and a.is_executable]
    for step in [*steps, *definitions.asset_checks]:
        assert hasattr(step.op.compute_fn.decorated_fn, "__wrapped__"), step.op.name
