"""`larmor train` passes on what it was told, and names what was made when it says what comes next."""

import click
import pytest
from click.testing import CliRunner

from orchestration.cli import cli
from orchestration.headless import Made
from orchestration.verbs.train import command


@pytest.fixture
def train(tmp_path, monkeypatch):
    """The verb; gives its end, and the configuration of the step that it would have run."""
    monkeypatch.setattr("lake.releases.Release.open", lambda *_: None)
    asked = {}

    def ran(_settings, _release, _asset, config, only):
        asked.update(*config.values())
        folders = {name: f"{tmp_path}/models/heads-tiny-regression{end}" for name, end in asked["told"].items()}
        return [Made("models/finetuned", folders)]

    def started(*words, **told):
        asked["told"] = told or {"folder": ""}
        monkeypatch.setattr("orchestration.headless.run_release", ran)
        ended = CliRunner().invoke(cli, ["--root", str(tmp_path), "train", "heads", *words])
        return ended, asked

    return started


def test_the_models_that_were_made_are_those_to_evaluate(train):
    """A release alone stands for models of segmentation, which no training of another task makes."""
    ended, _ = train("--task", "regression", "options.target=efc", folder="", scratch_folder="-scratch")
    assert "larmor evaluate heads-tiny-regression heads-tiny-regression-scratch" in ended.output
    ended, _ = train("--task", "regression", "network=dynunet", scratch_folder="-scratch")
    assert ended.output.strip().endswith("larmor evaluate heads-tiny-regression-scratch")
    assert "larmor train heads --task segmentation" in train()[0].output


def test_a_model_is_replaced_where_that_is_asked_alone(train):
    assert train("--task", "segmentation")[1]["replace"] is False
    assert train("--task", "segmentation", "--replace")[1]["replace"] is True


def test_fewer_labels_than_none_are_refused_before_a_process_starts(train):
    ended, asked = train("--task", "segmentation", "--labels", "-3")
    assert (ended.exit_code, "preset" in asked) == (2, False)


def test_an_unknown_task_is_refused_before_a_process_starts(train):
    ended, asked = train("--task", "prognosis")
    assert (ended.exit_code, "preset" in asked) == (2, False)
    assert "found 'prognosis', needed one of classification, regions, regression" in " ".join(ended.output.split())


def test_a_shell_completes_tasks():
    (option,) = (each for each in command.params if each.name == "task")
    completed = option.shell_complete(click.Context(command), "reg")
    assert [each.value for each in completed] == ["regions", "regression"]
