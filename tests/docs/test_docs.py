"""What the documentation says is there: links lead somewhere, commands exist, the reference is what the code says."""

import re
import shlex
from pathlib import Path

import click
import pytest

from deid.policy import compile_policy
from orchestration.cli import cli
from schemas.licence import Licence
from schemas.policy import read_policy
from schemas.release import ReleaseSpec
from tests.docs.generate import PARTS, REFERENCE, contexts, with_part

PROJECT = Path(__file__).parent.parent.parent
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def commands():
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] in (["larmor"], ["make"]):
                    yield pytest.param(words, id=f"{page.stem}: {' '.join(words)[:60]}")


@pytest.mark.parametrize("words", commands())
def test_commands_and_their_options_exist(words):
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)
        return
    group, arguments = cli, words[1:]
    context = click.Context(cli)
    while isinstance(group, click.Group) and arguments and not arguments[0].startswith("-"):
        command = group.get_command(context, arguments[0])
        if command is None:
            break
        group, arguments = command, arguments[1:]
    assert group is not cli
    known = {option for parameter in group.params for option in [*parameter.opts, *parameter.secondary_opts]}
    given = {word.split("=")[0] for word in arguments if word.startswith("-")}
    assert {word for word in given if word.startswith("--")} <= known
    if not given & {"--help", "-h"}:
        needed = [p for p in group.params if isinstance(p, click.Option) and p.required]
        assert not [p.name for p in needed if not given & {*p.opts}]
        words = [word for word in arguments if not word.startswith("-")]
        assert len(words) >= len([p for p in group.params if isinstance(p, click.Argument) and p.required])


def test_examples_are_valid_documents():
    policy = read_policy(PROJECT / "docs/examples/policy.yaml")
    assert "PerformedProcedureStepDescription" in str(compile_policy(policy).policy.clean)
    assert Licence.read(PROJECT / "docs/examples/licence.yaml").export
    assert ReleaseSpec.read(PROJECT / "docs/examples/release.yaml").label_task


@pytest.mark.parametrize("name", PARTS)
def test_the_reference_is_what_the_code_says(name):
    text = (REFERENCE / f"{name}.md").read_text()
    assert with_part(text, name, PARTS[name]()) == text, "run python -m tests.docs.generate"


def test_the_help_of_commands_is_the_same_on_every_machine(monkeypatch):
    before = PARTS["commands"]()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LARMOR_ROOT", "elsewhere")
    assert PARTS["commands"]() == before
    for context in contexts():
        for parameter in context.command.params:
            assert not str(parameter.get_default(context, call=False)).startswith(("/", "~")), parameter.name
